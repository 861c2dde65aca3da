"""A table by itself, without the scenario that names it: its columns, and every number in them."""

from pathlib import Path
from typing import Any

from ..data.containers import ENDINGS as READ_ENDINGS, OTHERS
from ..data.impact_curve import curve_of
from ..data.named import Reader
from ..data.names import ACCOUNTS, of_columns
from ..data.price_grid import check_prices
from ..data.read import Wish, header_of, read_table
from ..data.recognise import what_is
from ..data.tier_dollars import Sizes
from ..data.tier_tables import read_tiers
from ..data.tier_units import READ, family
from ..holdings.alone import check_columns
from ..holdings.positions import settle
from ..problems import ConfigError, Problem, Report
from .tiers import tier_tables

ENDINGS = (*READ_ENDINGS, *OTHERS)
"""Of files that are data, or that somebody takes for it."""
TABLES = {
    "tiers": ("floor_usd", "max_leverage", "maintenance_rate"),
    "accounts": ("venue", "asset", "side", "quantity", "entry_price"),
    "positions under cross margin": ("account", "asset", "side", "quantity", "entry_price"),
    "collateral": ("account", "asset", "amount"),
    "a liquidation map": ("price", "side", "open_interest_usd"),
    "a histogram of leverage": ("leverage", "share"),
    "impact": ("volume_usd", "log_move"),
    "prices": ("time",),
}
"""Columns of the tables that scenarios name, by kind."""


def problems_of_table(path: Path) -> list[Problem]:
    """All problems of a table, or of a document of a venue; which kind it is, its columns tell."""
    return look(path)[0]


VENUE = "venues.NAME.tiers"
"""The key at which a scenario names tiers."""
Maps = dict[str, dict[str, str]]
"""By kind of file, our names of columns with the file's own."""


def look(path: Path, maps: Maps | None = None) -> tuple[list[Problem], list[str]]:
    """All problems of a file of data, and lines on what it was taken for and what should be known of it."""
    report = Report(str(path))
    own = table_of(header := header_of(path))
    ours = own is not None and set(TABLES[own]) <= set(header)
    if ours and own == "prices":  # which need a time alone
        ours = of_columns(header) not in ("funding", "open_interest")
    kind = what_is(path, maps) if maps or not ours else None
    if kind == "open_interest" and "close" in header and (problems := _plain(path, Report(str(path)))[0]):
        return list(dict.fromkeys(problems)), []  # a table of prices besides
    problems, said = _plain(path, report) if kind is None else _published(path, kind, report, (maps or {}).get(kind, {}))
    return list(dict.fromkeys(problems)), said


def _plain(path: Path, report: Report) -> tuple[list[Problem], list[str]]:
    """As `look`, of a table of our own."""
    table = Reader(report, Path()).table(str(path), "", ())
    if table is None:
        return report.problems, []
    kind = table_of(table.values)
    said = [table.read_as] if table.said else []
    if kind is None:
        known = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in TABLES.items())
        report.add("", None, f"is no table that scenarios name; it has the columns {table.names()}. {known}", missing=True)
    elif kind == "tiers":
        assets = tuple(dict.fromkeys(str(name) for name in table.values.get("asset", ("the asset",))))
        tier_tables(Reader(report, Path()), VENUE, str(path), assets, set())
    # the columns are known to be wanted: what is absent is said as it is where a scenario names the table
    elif Reader(report, Path()).table(str(path), "", TABLES[kind]) is not None:
        if kind == "prices":
            check_prices(table)
        else:
            check_columns(kind, table := settle(table) if kind in ("accounts", "positions under cross margin") else table)
        if kind == "impact" and not table.bad:
            curve_of(table)
    return report.problems, said


def _published(path: Path, kind: str, report: Report, columns: dict[str, str]) -> tuple[list[Problem], list[str]]:
    """As `look`, of a file in a form of others."""
    reader = Reader(report, Path())
    try:
        if kind == "tiers":
            found = read_tiers(path, report, columns)
            if found is not None:
                names = tuple(name for name, one in found.tables.items() if one.unit in READ)
                ones = dict.fromkeys(names, 1.0)
                sizes = {name: 1.0 for name in names if not family(name).endswith("-USD")}
                tier_tables(reader, VENUE, str(path), names, set(), None, columns, Sizes(ones, sizes))
            return report.problems, [f"read as: {', '.join(found.said)}"] if found is not None and found.said else []
        if kind == "accounts":
            from ..holdings.account_file import COLUMNS, NEEDED, read_accounts

            table = read_table(path, report, Wish(ACCOUNTS, columns, key="--columns"))
            if table is not None:
                table = settle(table, worth=True)
                check_columns("accounts of others", table)
                if not report.problems and {*NEEDED} <= set(table.values):
                    found = read_accounts(path, {ours: own for ours, own in columns.items() if ours in COLUMNS})
                    return [], [line for line in (found.read_as, *found.findings) if line]
            return report.problems, [table.read_as] if table is not None and table.said else []
        if kind == "open_interest":
            from ..data.open_interest import read_history

            return [], read_history(path, columns=columns).findings
        if kind == "funding":
            from ..data.funding import read_funding

            found = read_funding(path, columns=columns)
            return [], [*found.findings, found.sample, found.words()]
        from ..data.price_file import read_price_file

        return [], list(read_price_file(path, columns=columns).findings)
    except ConfigError as error:
        return error.problems, []


def table_of(columns: Any) -> str | None:
    """The kind of a table: the first whose columns are all there, else the one of which most are, None where there are none.

    >>> table_of(["time", "close"]), table_of(["floor_usd", "max_leverage", "rate"]), table_of(["x"])
    ('prices', 'tiers', None)
    """
    for kind, needed in TABLES.items():
        # accounts have no name where each row is one
        if set(needed) <= set(columns) and not (kind == "accounts" and "account" in columns):
            return kind
    share = {kind: len(set(needed) & set(columns)) / len(needed) for kind, needed in TABLES.items()}
    best = max(share, key=lambda kind: share[kind])
    return best if share[best] >= 0.5 else None


__all__ = ["ENDINGS", "look", "problems_of_table"]

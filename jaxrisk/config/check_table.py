"""A table by itself, without the scenario that names it: its columns, and every number in them."""

from pathlib import Path

import numpy as np

from ..data.containers import ENDINGS as READ_ENDINGS, OTHERS
from ..data.many import note_symbols
from ..data.names import ACCOUNTS, PRICES, letters, of_columns
from ..data.positions import settle
from ..data.read import Wish, header_of, read_table
from ..data.recognise import what_is
from ..data.tier_tables import read_tiers
from ..data.tier_units import READ, family
from ..problems import ConfigError, Problem, Report
from .check_impact import check_curve
from .files import Columns, Reader
from .holdings import bounded, note_accounts_twice, note_histogram_twice, note_map_twice, note_positions_twice, sides_of
from .kinds import TABLES, table_of
from .prices import check_times
from .tables import SHARE_TOLERANCE
from .tier_files import Sizes
from .tiers import tier_tables

ENDINGS = (*READ_ENDINGS, *OTHERS)
"""Of files that are data, or that somebody takes for it."""
_TWICE = {
    "accounts": note_accounts_twice,
    "positions under cross margin": note_positions_twice,
    "collateral": note_positions_twice,
    "a liquidation map": note_map_twice,
    "a histogram of leverage": note_histogram_twice,
}
"""Notes rows of a kind of table that stand for the same thing."""


def problems_of_table(path: Path) -> list[Problem]:
    """All problems of a table, or of a document of a venue; which kind it is, its columns tell."""
    return look(path)[0]


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
        _columns(kind, settle(table) if kind in ("accounts", "positions under cross margin") else table, report)
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
            from .account_file import COLUMNS, NEEDED, read_accounts

            table = read_table(path, report, Wish(ACCOUNTS, columns, key="--columns"))
            if table is not None:
                table = settle(table, worth=True)
                _columns("accounts of others", table, report)
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


VENUE = "venues.NAME.tiers"
"""The key at which a scenario names tiers."""


def _columns(kind: str, table: Columns, report: Report) -> None:
    """Notes what is wrong with the columns of a table of some kind."""
    has = table.values
    if kind == "prices":
        check_times(table)
        note_symbols(table)
        bars = [name for name in PRICES.numbers if name in has]
        for name in bars if len(bars) > 3 else has:  # of bars other columns are left alone
            if name not in ("time", "volume", "funding") and letters(name) not in ("symbol", "ticker", "instid"):
                bounded(table, name, above=0.0, unit="USD a coin")
        return
    if "account" in has:
        empty = [not str(name).strip() for name in has["account"]]
        table.note("account", np.flatnonzero(empty), "has to name the account")
    if "side" in has:
        sides_of(table)
    for name, above, at_least, unit in (
        ("quantity", None, 0.0, "coins; the side says which way"),
        ("entry_price", 0.0, None, "USD a coin"),
        ("price", 0.0, None, "USD a coin"),
        ("open_interest_usd", None, 0.0, "USD"),
        ("notional", None, 0.0, "USD"),
        ("account_value", None, None, "USD"),
        ("amount", None, None, "coins, or USD"),
        ("share", None, 0.0, ""),
        ("volume_usd", None, None, "USD"),
        ("log_move", None, None, ""),
    ):
        if name in has:
            bounded(table, name, above, at_least, unit)
    if kind == "accounts":
        for name in ("collateral", "leverage"):
            if name in has:
                bounded(table, name, above=0.0)
        if not {"collateral", "leverage"} & set(has):
            text = "missing column; needs collateral (USD at entry) or leverage"
            report.add_in(table.file, "collateral", None, text, missing=True)
    if kind in _TWICE:
        _TWICE[kind](table)
    if table.bad:
        return
    if kind == "collateral":
        dollars = np.array([str(name).strip() == "USD" for name in has["asset"]])
        table.note("amount", np.flatnonzero(~dollars & (table.numbers("amount") < 0.0)), "has to be at least 0 (coins)")
    if kind == "a histogram of leverage":
        bounded(table, "leverage", at_least=1.0)
        total = float(table.numbers("share").sum())
        if abs(total - 1.0) > SHARE_TOLERANCE:
            report.add_in(table.file, "share", None, f"has to sum to 1; it sums to {total:.6g}", missing=True)
    if kind == "impact":
        check_curve(table.numbers("volume_usd"), table.numbers("log_move"), table.file, "", report)


__all__ = ["ENDINGS", "look", "problems_of_table"]

"""A venue file from somebody else's margin tiers, with source and date beside each figure."""

import datetime
import textwrap
from pathlib import Path
from typing import NamedTuple

from ..config.tables import Tier
from ..config.tiers import read_rows
from ..data.symbols import of_coin
from ..data.tier_dollars import Sizes, asset_of, rows_in_dollars, usual
from ..data.tier_published import Published
from ..data.tier_schedule import Said
from ..data.tier_tables import read_tiers
from ..data.tier_units import READ
from ..paths import exists, names_in
from ..problems import ConfigError, Problem, Report, listed, nearest


class Imported(NamedTuple):
    """`text`: the venue file; `lines`: what the source was taken for, and what came of it."""

    text: str
    lines: list[str]


def import_tiers(
    path: Path,
    symbols: tuple[str, ...],
    rule: str | None,
    columns: dict[str, str],
    price: float | None = None,
    contract: float | None = None,
    *,
    name: str = "my_venue",
) -> Imported:
    """The tiers of some symbols, all where none is named, as the text of a venue file.

    **Arguments:** `rule`: whose word counts where the file says none; `price`, USD a coin, and `contract`, coins: of tiers that
    count in contracts or coins. Raises `ConfigError` with every problem.
    """
    if not exists(path):
        raise ConfigError([Problem(str(path), "", None, "no such file", nearest(path.name, names_in(path.parent)))])
    report = Report(str(path))
    document = read_tiers(path, report, columns)
    if document is None:
        raise ConfigError(report.problems)
    names = list(document.tables)
    wanted: list[str] = []
    for symbol in symbols:
        alike = [symbol] if symbol in names else of_coin(symbol, names)
        if len(alike) != 1:
            text = f"has no tiers of it; there are {listed(names)}" if not alike else f"may be {' or '.join(alike)}: name one"
            report.problems.append(Problem("command line", "--symbol", f'"{symbol}"', text, nearest(symbol, names)))
        wanted += alike[:1]
    if names == [""]:
        report.problems, wanted = [], [""]
        if len(symbols) != 1:
            text = (
                "missing; the file names no symbol: one is needed" if not symbols else "the file names no symbol: one is needed"
            )
            report.problems.append(Problem("command line", "--symbol", " ".join(symbols) or None, text))
    wanted = wanted or usual([name for name in names if document.tables[name].unit in READ], document.said)
    for option, size in (("--price", price), ("--contract", contract)):
        if size is not None and len(wanted) > 1:
            text = f"is of one symbol, and there are {len(wanted)}: name one with --symbol"
            report.problems.append(Problem("command line", option, f"{size:g}", text))
    said = Said(rule if document.rule is None else document.rule, report, "--tier-rule")
    if rule is not None and document.rule not in (None, rule):
        who = document.venue or "the file"
        report.problems.append(
            Problem("command line", "--tier-rule", f'"{rule}"', f'has to be left out: {who} says "{document.rule}"')
        )
    every = list(wanted)
    sizes = Sizes(
        {} if price is None else dict.fromkeys(every, price), {} if contract is None else dict.fromkeys(every, contract),
        "--price and --contract",
    )  # fmt: skip
    tables: dict[str, tuple[list[Tier], Published]] = {}
    for symbol in wanted:
        table = document.tables[symbol]
        rows = rows_in_dollars(document, table, symbol, sizes, report)
        tiers = None if rows is None else read_rows(rows, symbol, report, said, table.places, table.written)
        asset = asset_of(symbol) if symbol else (symbols[0] if symbols else "ASSET")
        if asset in tables:
            report.add(symbol, None, f"is of {asset} as another symbol is: name one with --symbol", missing=True)
        if tiers is not None:
            tables[asset] = (tiers, table)
    if report.problems:
        raise ConfigError(list(dict.fromkeys(report.problems)))
    word = said.word or ("marginal" if any(row.maintenance_amount_usd for rows, _ in tables.values() for row in rows) else None)
    lines = [f"{path}: read as: {', '.join(document.said) or 'a table of tiers'}"]
    lines += [f"{path}: {asset}: {len(rows)} tiers, up to {rows[0].max_leverage:g} times" for asset, (rows, _) in tables.items()]
    if len(lines) > 13:
        lines = [*lines[:12], f"{path}: and {len(lines) - 12} more"]
    return Imported(_text(path, name, word, document.said, document.venue, tables), lines)


def _text(path: Path, name: str, rule: str | None, said: list[str], venue: str, tables) -> str:
    date = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).date().isoformat()
    origin = f"{venue or 'tiers'}: {path.name}, a file of {date}"
    lines = [
        *textwrap.wrap(
            f"Margin tiers out of {path.name}, read as: {', '.join(said) or 'a table of tiers'}.",
            126,
            initial_indent="# ",
            subsequent_indent="# ",
        ),
        "#",
        "# Beside each figure stands where in that file it is from, and the file's date. Amounts that are not in the file are",
        "# worked out so that the margin is continuous.",
        "",
        f"name = {_quoted(name)}",
        f"source = {_quoted(origin)}",
        f"read_on = {_quoted(datetime.datetime.now(datetime.UTC).date().isoformat())}",
        *([f"tier_rule = {_quoted(rule)}"] if rule else []),
    ]
    for asset, (rows, table) in tables.items():
        lines += ["", f"tiers.{asset if asset.isidentifier() and asset.isascii() else _quoted(asset)} = ["]
        for row, place in zip(rows, table.places, strict=True):
            cells = [
                f"floor_usd = {row.floor_usd!r}",
                f"max_leverage = {row.max_leverage!r}",
                f"maintenance_rate = {row.maintenance_rate!r}",
            ]
            cells += [f"maintenance_amount_usd = {row.maintenance_amount_usd!r}"] if rule != "whole" else []
            lines.append(f"  {{ {', '.join(cells)} }},  # {place}, {date}")
        lines.append("]")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


__all__ = ["Imported", "import_tiers"]

"""Margin tiers: read from a shipped file, a path or the scenario itself, and checked to be one continuous schedule."""

from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from .files import Reader
from .problems import Report, nearest
from .table import read_table
from .values import Context
from .venues import BELONGING, Rules, Tier, read_rules

RELATIVE_TOLERANCE, USD_TOLERANCE = 1e-6, 1.0
COLUMNS = ("floor_usd", "max_leverage", "maintenance_rate")
FILE_KEYS = ("name", "title", "source", "sources", "read_on", "tiers", "rules")

Note = Callable[[int, str, Any, str], None]
"""Notes a problem with a row: `(row, key, value, allowed)`."""


def tier_tables(reader: Reader, key: str, source: Any, assets: tuple[str, ...], needed: set[str]) -> dict[str, list[Tier]]:
    """The tiers of each asset at one venue, with every problem noted.

    **Arguments:** `source`: a name, a path, a list of rows or a table of lists by asset; `needed`: assets traded at the venue,
    which have to have tiers. Other assets of a file are read and checked all the same.
    """
    if isinstance(source, list):
        rows = _rows(source, key, reader.report)
        return {asset: rows for asset in assets} if rows else {}
    if isinstance(source, dict):
        for name in source:
            if name not in assets:
                text = f"unknown asset; the assets are {', '.join(assets)}"
                reader.report.add(f"{key}.{name}", source[name], text, nearest(name, assets))
        found = {name: _rows(rows, f"{key}.{name}", reader.report) for name, rows in source.items() if name in assets}
        _absent(found, assets, needed, key, reader.report, "the table")
        return {name: rows for name, rows in found.items() if rows}
    found = _from_file(reader, key, source, assets)
    if found is None:
        return {}
    _absent(found, assets, needed, key, reader.report, str(source))
    return {name: rows for name, rows in found.items() if rows and name in assets}


def _absent(found: dict, assets, needed: set[str], key: str, report: Report, where: str) -> None:
    for asset in assets:
        if asset in needed and asset not in found:
            text = f"has no tiers for {asset}, which is traded there; {where} has {', '.join(found) or 'none'}"
            report.add(key, where, text, nearest(asset, found))


def _from_file(reader: Reader, key: str, name: str, assets) -> dict[str, list[Tier] | None] | None:
    if name.endswith((".csv", ".csv.gz", ".parquet")):
        return _from_table(reader, key, name, assets)
    read = reader.toml("venues", name, key)
    if read is None:
        return None
    path, document = read
    return tiers_of(document, reader.report.of(str(path)))


def tiers_of(document: dict[str, Any], report: Report) -> dict[str, list[Tier] | None] | None:
    """The tiers by asset of a venue file's document."""
    for unknown in (word for word in document if word not in FILE_KEYS):
        text = f"unknown key; the keys here are {', '.join(FILE_KEYS)}"
        report.add(unknown, document[unknown], text, nearest(unknown, FILE_KEYS))
    if "rules" in document:
        rules_of(document, report)
    tables = document.get("tiers")
    found: dict[str, list[Tier] | None] | None = None
    if not isinstance(tables, dict) or not tables:
        report.add("tiers", tables, "has to be tables [[tiers.ASSET]] of rows", missing=tables is None)
    else:
        found = {asset: _rows(rows, f"tiers.{asset}", report) for asset, rows in tables.items()}
    return found


def rules_of(document: dict[str, Any], report: Report) -> dict[str, Any]:
    """The keys under `[rules]` of a venue file's document, as written, less those that are wrong."""
    rules = document.get("rules")
    _, v = read_rules(Rules, rules, "rules", report, Context())
    return {key: value for key, value in rules.items() if getattr(v, key, None) is not None} if isinstance(rules, dict) else {}


def with_preset(raw: Any, key: str, reader: Reader) -> Any:
    """A venue's table with what its `preset` says below the keys of its own, and the preset itself written out.

    A word of the table's own takes the preset's keys for another word with it: `policy = "full"` its `first_share`, and
    `tranches` its policy.
    """
    name = raw.get("preset") if isinstance(raw, dict) else None
    if not isinstance(name, str):
        return raw
    own = {word: value for word, value in raw.items() if word != "preset"}
    read = reader.toml("venues", name, f"{key}.preset")
    if read is None:
        return own
    path, document = read
    if not isinstance(document.get("rules"), dict):
        allowed = "has to name a venue file with a table [rules]; tiers takes the tiers of any"
        reader.report.add(f"{key}.preset", name, allowed)
        return own
    rules = rules_of(document, reader.report.of(str(path)))
    if isinstance(own.get("tranches"), list) and len(own["tranches"]) > 1:
        rules.pop("policy", None)
    for switch, words in BELONGING.items():
        for word, names in words.items():
            if own.get(switch, rules.get(switch)) != word:
                rules = {name: value for name, value in rules.items() if name not in names}
    return {"tiers": name, "insurance_fund": 0.0} | rules | own


def _from_table(reader: Reader, key: str, name: str, assets) -> dict[str, list[Tier] | None] | None:
    table = reader.table(name, key, COLUMNS, "venues")
    if table is None:
        return None
    optional = ["maintenance_amount_usd"] if "maintenance_amount_usd" in table.values else []
    numbers = {column: table.numbers(column) for column in (*COLUMNS, *optional)}
    if table.bad:
        return None
    owners = table.values["asset"].astype(str) if "asset" in table.values else None
    found: dict[str, list[Tier] | None] = {}
    for asset in sorted(set(owners)) if owners is not None else assets:
        rows = [i for i in range(len(table)) if owners is None or owners[i] == asset]
        raw = [{column: float(values[i]) for column, values in numbers.items()} for i in rows]
        found[asset] = tiers = _rows(raw, asset, reader.report.of(table.file), [int(table.lines[i]) for i in rows])
        if owners is None:
            return dict.fromkeys(assets, tiers)
    return found


def _rows(raw: Any, key: str, report: Report, lines: list[int] | None = None) -> list[Tier] | None:
    """Rows of one asset, each checked by itself and against the one before; `lines` are those they stand on in a table."""
    if not isinstance(raw, list) or not raw:
        report.add(key, raw, "has to be a list of at least one tier")
        return None
    before = len(report.problems)
    places = [f"{key}.{i}" for i in range(len(raw))] if lines is None else [f"line {line}" for line in lines]
    pairs = [read_table(Tier, row, place, report, Context()) for row, place in zip(raw, places, strict=True)]
    amounts = _schedule(
        [values for _, values in pairs],
        lambda row, column, value, allowed: report.add(f"{places[row]}.{column}", value, allowed),
    )
    if len(report.problems) > before:
        return None
    filled = zip((tier for tier, _ in pairs if tier is not None), amounts, strict=True)
    return [tier.model_copy(update={"maintenance_amount_usd": amount}) for tier, amount in filled]


def _schedule(rows: list[SimpleNamespace], note: Note) -> list[float]:
    """Check that rows make one schedule; returns the maintenance amounts, worked out where the rows do not give them."""
    if rows[0].floor_usd not in (None, 0.0):
        note(0, "floor_usd", rows[0].floor_usd, "has to be 0 in the first tier; below it there would be none")
    given = [row.maintenance_amount_usd is not None for row in rows]
    if any(given) and not all(given):
        note(given.index(False), "maintenance_amount_usd", "", "has to be given in all tiers of an asset or in none")
    amounts = [rows[0].maintenance_amount_usd or 0.0]
    if all(given) and abs(amounts[0]) > USD_TOLERANCE:
        note(0, "maintenance_amount_usd", amounts[0], "has to be 0 in the first tier")
    for i, row in enumerate(rows):
        if None not in (row.max_leverage, row.maintenance_rate) and row.max_leverage * row.maintenance_rate >= 1.0:
            text = f"has to be below 1 / max_leverage, {1.0 / row.max_leverage:.6g}: a new position would be liquidated at once"
            note(i, "maintenance_rate", row.maintenance_rate, text)
    for i, (last, row) in enumerate(pairwise(rows), start=1):
        floors, rates = (last.floor_usd, row.floor_usd), (last.maintenance_rate, row.maintenance_rate)
        if None not in floors and floors[1] <= floors[0]:
            note(i, "floor_usd", floors[1], f"has to be above the floor of the tier before, {floors[0]:.12g}")
        if None not in rates and rates[1] < rates[0]:
            note(
                i, "maintenance_rate", rates[1], f"has to be at least that of the tier before, {rates[0]:g}; rates rise with size"
            )
        if None not in (last.max_leverage, row.max_leverage) and row.max_leverage > last.max_leverage:
            note(i, "max_leverage", row.max_leverage, f"has to be at most that of the tier before, {last.max_leverage:g}")
        if None in floors or None in rates:
            amounts.append(amounts[-1])
            continue
        start = last.maintenance_amount_usd if all(given) else amounts[-1]
        expected = start + floors[1] * (rates[1] - rates[0])
        amounts.append(row.maintenance_amount_usd if all(given) else expected)
        if all(given) and abs(amounts[-1] - expected) > max(RELATIVE_TOLERANCE * abs(expected), USD_TOLERANCE):
            text = f"has to be {expected:.12g} for the margin to be continuous at the floor {floors[1]:.12g}"
            note(i, "maintenance_amount_usd", amounts[-1], text)
    return amounts

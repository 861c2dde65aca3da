"""Margin tiers from any file: a document of a venue, or a table, of which the columns tell whose it is."""

from pathlib import Path
from typing import Any

import numpy as np

from ..problems import Report, nearest
from .columns import Columns
from .containers import sources
from .json_rows import is_json
from .names import TIERS, letters
from .read import Wish, read_source, resembling
from .tier_documents import read_document
from .tier_forms import HALF, _bybit_rows, _half, _okx_rows
from .tier_published import Published, TierDocument, not_read
from .tier_schedule import TIER_RULES
from .tier_units import is_inverse, unit_of

NEEDED = ("floor_usd", "max_leverage", "maintenance_rate")


def read_tiers(path: Path, report: Report, columns: dict[str, str], key: str = "--columns") -> TierDocument | None:
    """The tiers of a file by symbol, "" where it names none; None with problems noted.

    **Arguments:** `columns`: by our names of columns, the file's own; `key`: where they are said.
    """
    before = len(report.problems)
    found: list[TierDocument] = []
    try:
        for source in sources(path):
            if is_json(source.head, source.name):
                with source.open() as file:
                    found.append(read_document(file.read()))
                continue
            table = read_source(source, report, Wish(TIERS, columns, key=key))
            document = table and _of_table(table)
            if document is not None:
                found.append(document)
    except (OSError, ValueError, EOFError) as error:
        report.add_in(str(path), "", None, str(error), missing=True)
    if len(report.problems) > before or not found:
        return None
    if len(found) > 1:
        report.add_in(str(path), "", None, f"has {len(found)} files of tiers in it; one is needed", missing=True)
        return None
    return found[0]


def _of_table(table: Columns) -> TierDocument | None:
    """The tiers of a table, None with problems noted."""
    there = {letters(name) for name in table.header}
    if {"minsz", "mmr", "maxlever"} <= there or {"risklimitvalue", "mmdeduction", "maxleverage"} <= there:
        rows = _objects(table)
        return (
            _okx_rows(rows, ["OKX's position-tiers"]) if "minsz" in there else _bybit_rows(rows, ["Bybit's risk limits"], False)
        )
    names = [name for name in ("floor_usd", "cap_usd", "max_leverage", "maintenance_rate", "maintenance_amount_usd")
             if name in table.values]  # fmt: skip
    half = "lowerbound" in there and "maintenance_rate" not in names
    from_caps = "floor_usd" not in names and "cap_usd" in names
    if other := resembling(table.header, "tiers"):
        table.report.add_in(table.file, "", None, f"has no tiers in it{other}; the file has {table.names()}", missing=True)
        return None
    for name in NEEDED:
        if name not in names and not (name == "maintenance_rate" and half) and not (name == "floor_usd" and from_caps):
            text = f"missing column; the file has {table.names()}"
            table.report.add_in(table.file, name, None, text, nearest(name, table.header), missing=True)
    word = _rule(table)
    if from_caps:
        table.said.append("a tier begins where the one before ends")
    if half:
        table.said.append(f"maintenance margins are {HALF}")
    # what stands above the last tier may be without end
    numbers = {name: table.numbers(name) for name in names if name != "cap_usd" or from_caps}
    caps = table.as_numbers("cap_usd") if "cap_usd" in names and not from_caps else None
    if table.bad or not {name for name in NEEDED if name != "floor_usd" or not from_caps} <= {
        *numbers,
        *(["maintenance_rate"] if half else []),
    }:
        return None
    owners = [str(name).strip() for name in table.values["asset"]] if "asset" in table.values else [""] * len(table)
    tables: dict[str, Published] = {}
    units = _units(table, owners)
    for i, owner in enumerate(owners):
        published = tables.setdefault(owner, Published(written=table.written, unit=units[i]))
        published.unit = units[i] if published.unit == units[i] else f"{published.unit} and {units[i]}"
        row: dict[str, Any] = {name: float(column[i]) for name, column in numbers.items()}
        if caps is not None and np.isfinite(caps[i]):
            row["cap_usd"] = float(caps[i])
        if from_caps:
            row["floor_usd"] = published.rows[-1]["cap_usd"] if published.rows else 0.0
        if half:
            row |= _half({"maxLeverage": row["max_leverage"]})
        published.rows.append(row)
        published.places.append(f"{table.unit} {table.lines[i]}")
    ours = not table.written
    return TierDocument(
        dict(sorted(tables.items())) if ours else tables, "marginal" if half else word, table.said + not_read(tables)
    )


def _units(table: Columns, owners: list[str]) -> list[str]:
    """What each row's floors count in: told by a column of currencies, and by symbols; assets' own names are in dollars."""
    column = next((name for name in table.values if letters(name) in ("currency", "quote", "quotecurrency")), None)
    symbols = letters(table.name("asset")) == "symbol"
    currencies = [None] * len(owners) if column is None else table.values[column]
    found = []
    for owner, currency in zip(owners, currencies, strict=True):
        if symbols and is_inverse(owner):
            found.append("coins")
        else:
            found.append(unit_of(owner, currency) if symbols or column is not None else "USD")
    return found


def _rule(table: Columns) -> str | None:
    """The word of a column `tier_rule`, None where there is none."""
    if "tier_rule" not in table.values:
        return None
    words = [str(word).strip() for word in table.values["tier_rule"]]
    wrong = [i for i, other in enumerate(words) if other not in TIER_RULES or other != words[0]]
    allowed = 'has to be one of "marginal", "whole", the same in every row'
    table.note("tier_rule", np.array(wrong, dtype=int), allowed, nearest(words[0], TIER_RULES))
    return words[0]


def _objects(table: Columns) -> list[tuple[str, dict[str, Any]]]:
    """Rows under the file's own names, as a document has them."""
    columns = {table.name(name): table.values[name] for name in table.values}
    return [(f"{table.unit} {table.lines[i]}", {name: cells[i] for name, cells in columns.items()}) for i in range(len(table))]


__all__ = ["NEEDED", "read_tiers"]

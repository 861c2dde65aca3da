"""Margin tiers as they are published: rows of a symbol, and the symbols of a document."""

import math
from dataclasses import dataclass, field
from typing import Any

from .documents import shape
from .tier_units import READ as UNITS


@dataclass
class Published:
    """One symbol's tiers, as published.

    **Fields:** `rows`: by our names of columns, numbers, or what stands there instead; `places`: of each row in the document;
    `written`: by our name, the document's; `unit`: of floors, caps and amounts, one of `tier_units.READ`, or the name of what is
    not read.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    unit: str = "USD"

    def add(self, place: str, raw: dict[str, Any], written: dict[str, str], **more: Any) -> None:
        """A row, with the document's names of what it takes from it."""
        row = {ours: number(raw.get(name)) for ours, name in written.items() if raw.get(name) not in (None, "")}
        self.rows.append(row | more)
        self.places.append(place)
        self.written |= written


@dataclass
class TierDocument:
    """The tiers of a document: `tables` by symbol; `rule`: the venue's, None where nothing says it; `said`: what it was taken
    for; `venue`: whose, empty where that is not told."""

    tables: dict[str, Published]
    rule: str | None
    said: list[str]
    venue: str = ""


def number(value: Any) -> Any:
    """A number that may be written as text; as it is where it is none."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    return float(value) if abs(value) < 10**300 else math.inf if value > 0 else -math.inf


def not_read(tables: dict[str, Published]) -> list[str]:
    """What is said of symbols whose tiers are in a currency that is not read."""
    other = [(symbol, table.unit) for symbol, table in tables.items() if table.unit not in UNITS]
    more = f" and of {len(other) - 1} more" if len(other) > 1 else ""
    return [f"tiers of {other[0][0]}, which are in {other[0][1]},{more} are not read"] if other else []


def every(items: Any, place: str) -> list[dict[str, Any]]:
    """Rows, of which all have to be objects; raises `ValueError` that names the place of the first that is none."""
    if not isinstance(items, list):
        raise ValueError(f"{place} is {shape(items)}; it has to be a list of objects")
    for i, item in enumerate(items):
        if not isinstance(item, dict):
            raise ValueError(f"{place}[{i}] is {shape(item)}; each tier has to be an object")
    return items


__all__ = ["Published", "TierDocument", "every", "not_read", "number"]

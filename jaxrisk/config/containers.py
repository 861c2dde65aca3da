"""Kinds of value that hold several: lists, tables by asset or venue, names of columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .problems import nearest
from .values import Context, Kind, Number, Refusal, Refused, Text


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of values of one kind."""

    of: Kind = field(default_factory=lambda: Text("text"))
    at_least: int = 0

    @property
    def allowed(self) -> str:
        return (
            f"a list of at least {self.at_least}, each {self.of.allowed}" if self.at_least else f"a list, each {self.of.allowed}"
        )

    def read(self, value: Any, context: Context) -> list:
        if not isinstance(value, list) or len(value) < self.at_least:
            raise self.refuse(value)
        return gather([(f".{i}", item) for i, item in enumerate(value)], self.of, context)

    def json(self) -> dict[str, Any]:
        return {"type": "array", "minItems": self.at_least, "items": self.of.json()}


@dataclass(frozen=True)
class PerAsset(Kind):
    """One value for all assets, or a table of one an asset."""

    of: Kind = field(default_factory=lambda: Number(""))
    partial: bool = False

    @property
    def allowed(self) -> str:
        return f"{self.of.allowed}, or a table of one for each asset"

    def read(self, value: Any, context: Context) -> Any:
        if not isinstance(value, dict):
            return self.of.read(value, context)
        needed = () if self.partial else context.assets
        return by_name(value, "asset", context.assets, needed, self.of, context)

    def json(self) -> dict[str, Any]:
        one = self.of.json()
        return {"anyOf": [one, {"type": "object", "additionalProperties": one}]}


@dataclass(frozen=True)
class PerOtherVenue(Kind):
    """One value for every other venue, or a table of one for some of them."""

    of: Kind = field(default_factory=lambda: Number(""))

    @property
    def allowed(self) -> str:
        return f"{self.of.allowed}, or a table of one for each other venue"

    def read(self, value: Any, context: Context) -> Any:
        if not isinstance(value, dict):
            return self.of.read(value, context)
        return by_name(value, "venue", context.venues, (), self.of, context)

    def json(self) -> dict[str, Any]:
        one = self.of.json()
        return {"anyOf": [one, {"type": "object", "additionalProperties": one}]}


@dataclass(frozen=True)
class ColumnNames(Kind):
    """A table from our names of columns to those of a file."""

    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return f'a table from names of ours ({", ".join(self.names)}) to those of the file, such as {{account = "address"}}'

    def read(self, value: Any, context: Context) -> dict[str, str]:
        if not isinstance(value, dict):
            raise self.refuse(value)
        refusals = [
            Refusal(f".{name}", item, f"unknown column; the columns are {', '.join(self.names)}", nearest(name, self.names))
            for name, item in value.items()
            if name not in self.names
        ]
        wrong = [(name, item) for name, item in value.items() if name in self.names and not (isinstance(item, str) and item)]
        refusals += [Refusal(f".{name}", item, "has to be the name of a column of the file") for name, item in wrong]
        if refusals:
            raise Refused(*refusals)
        return dict(value)

    def json(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {name: {"type": "string"} for name in self.names},
            "additionalProperties": False,
        }


def by_name(table: dict[str, Any], what: str, known: Sequence[str], needed: Sequence[str], kind: Kind, context: Context) -> dict:
    """Read a table of one value for each of some known names; refuse unknown names, absent ones and bad values at once."""
    text = f"unknown {what}; the {what}s are {', '.join(known)}"
    refusals = [Refusal(f".{name}", item, text, nearest(name, known)) for name, item in table.items() if name not in known]
    absent = [name for name in needed if name not in table]
    refusals += [Refusal(f".{name}", None, f"missing; needs {kind.allowed}", missing=True) for name in absent]
    given = {name: item for name, item in table.items() if name in known}
    try:
        items = gather([(f".{name}", item) for name, item in given.items()], kind, context)
    except Refused as refused:
        raise Refused(*refusals, *refused.refusals) from None
    if refusals:
        raise Refused(*refusals)
    return dict(zip(given, items, strict=True))


def gather(items: Sequence[tuple[str, Any]], kind: Kind, context: Context) -> list:
    """Read several values, and refuse all the bad ones at once."""
    read, refusals = [], []
    for key, item in items:
        try:
            read.append(kind.read(item, context))
        except Refused as refused:
            refusals += [Refusal(key + r.key, r.value, r.allowed, r.nearest, r.missing) for r in refused.refusals]
    if refusals:
        raise Refused(*refusals)
    return read

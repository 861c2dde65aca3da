"""What every answer can do, whatever was asked: say what was found, as a table, as data, on the disk, as pictures, as a card.

An answer of any kind has `summary()`, `to_dataframe()`, `to_xarray()`, `save(path)`, `load(path)`, `plot`, and a card that a
notebook shows. Its class names nothing but its fields; tables, pictures and files are made of these when asked for, by the name
of the class.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..risk.measure import Measure
from ..storage.study_files import read_record, real
from .study_table import Section, StudySummary

if TYPE_CHECKING:
    import pandas as pd

    from .plots import Plot

KINDS = {
    "Sensitivities": "sensitivity",
    "ReverseStress": "reverse stress",
    "RareEvent": "rare event",
    "Design": "design",
    "StudySummary": "answer",
    "Attribution": "attribution",
    "Attributed": "attribution",
    "Attributions": "attribution",
}
"""Of records, by the name of what they hold."""
_HOURS = 8760.0
_ABSENT = ("checked", "pathwise", "bumped", "volatility", "estimate", "difference")
"""Fields of answers that are None where there is nothing; any other null in a record was a number that is not known."""


class Shown:
    """An answer with a table, a data frame, a dataset, files, pictures and a card, made by `jaxrisk.report` when asked for."""

    @property
    def kind(self) -> str:
        """Which kind of answer it is: the name of its class."""
        return type(self).__name__

    def summary(self) -> Any:
        """What was found, as a table, with what one should know beside it."""
        from .studies import summary

        return summary(self)

    def to_dataframe(self) -> "pd.DataFrame":
        """The table's plain numbers: fractions, USD and hours."""
        return self.summary().to_dataframe()

    def to_xarray(self) -> Any:
        """What was found, with named axes: an `xarray.Dataset`, or of a study an `xarray.DataTree`."""
        from .arrays import to_xarray

        return to_xarray(self)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the answer as the ending says: `.json` with all of it, `.csv` with its table.

        **Raises:** `ValueError` for another ending; `OSError` in words, also where something stands there that is not ours.
        """
        from ..storage.study_files import save

        return save(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Any:
        """The answer in a `.json` that was saved: a `Record`, with the same table, data and pictures.

        **Raises:** `ValueError`, which names the file, where it holds another kind of answer or is damaged; `OSError`.
        """
        return load_kind(path, cls.__name__)

    @property
    def plot(self) -> "Plot":
        """What was found, drawn: `plot()` for a figure of all, `plot.NAME(ax=None)` for one picture."""
        from .plots import Plot

        return Plot(self, self.kind)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        from .card import card

        return card(self)


class Said(dict[str, Any]):
    """What a record says of an answer: its keys can be asked for as the fields of the answer are."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the record does not hold {name!r}") from None


@dataclass(repr=False)
class Record(Shown):
    """An answer from its record: `question`, one of `KINDS`; `table` as it was shown; `said`: everything in the record.

    Its pictures are those of the answer, as far as the record holds what they need: `AttributeError` says what it does not.
    """

    question: str
    table: StudySummary
    said: dict[str, Any]

    @property
    def kind(self) -> str:
        """The class that the answer was of."""
        return str(self.said.get("kind", "StudySummary"))

    def summary(self) -> StudySummary:
        """The table as it was shown."""
        return self.table

    @property
    def plot(self) -> "Plot":
        """The pictures of the answer."""
        from .plots import Plot

        return Plot(self.fields, self.kind)

    @property
    def fields(self) -> Any:
        """The fields of the answer, as near as the record has them: measures, arrays of numbers, the times of a path."""
        found = _told(self.said) | {"info": Said(self.said.get("info") or {})}
        if "horizon_years" in found and found.get("answers"):
            hours = np.linspace(0.0, found["horizon_years"] * _HOURS, len(found["answers"][0].price))
            found["hours"] = lambda: hours
        return Said(found)

    def __repr__(self) -> str:
        return f"Record({self.kind}: {self.table.title!r})"


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"observable", "statistic", "level"}:
            return Measure(str(value["observable"]), str(value["statistic"]), real(value["level"]))
        unknown = lambda key, item: item is None and key not in _ABSENT
        return Said({key: math.nan if unknown(key, item) else _told(item) for key, item in value.items()})
    if isinstance(value, str) and value in ("inf", "-inf"):
        return real(value)
    if isinstance(value, list):
        if value and all(item is None or item in ("inf", "-inf") or _number(item) for item in value):
            return np.array([real(item) for item in value])
        items = [_told(item) for item in value]
        same = items and all(isinstance(item, np.ndarray) for item in items) and len({item.shape for item in items}) == 1
        return np.stack(items) if same else items
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def load_kind(path: str | os.PathLike, kind: str) -> Record:
    """The record of an answer of one kind, by the name of its class.

    **Raises:** `ValueError`, which names the file, where it holds another kind, is damaged, or is no record; `OSError`.
    """
    path = Path(path)
    said = read_record(path)
    if said.get("kind") != kind:
        raise ValueError(f"{path} holds a {said.get('kind', 'record of another kind')}, and no {kind}")
    return record_of(path, said)


def record_of(path: Path, said: dict[str, Any]) -> Record:
    """The answer that a record tells of.

    **Raises:** `ValueError`, which names the file, where its tables are missing or damaged.
    """
    kind = KINDS.get(str(said.get("kind", "StudySummary")), "answer")
    told = said.get("summary", said if "sections" in said and "answer" in said else None)
    if not isinstance(told, dict):
        raise ValueError(f"{path} was written by a version that did not keep its tables: run its command again")
    try:
        sections = [
            Section(str(one["heading"]), tuple(map(str, one["columns"])), str(one["align"]),
                    [tuple(map(str, line)) for line in one["lines"]])
            for one in told["sections"]
        ]  # fmt: skip
        for one in sections:
            if len(one.align) != len(one.columns) or any(len(line) != len(one.columns) for line in one.lines):
                raise ValueError("a table's lines have other columns than its head")
        records = [dict(row) for row in told.get("records", [])]
        summary = StudySummary(
            str(told["title"]), list(map(str, told["answer"])), sections, list(map(str, told["notes"])), records
        )
    except (KeyError, TypeError, ValueError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is damaged ({text})") from None
    return Record(kind, summary, said)


__all__ = ["KINDS", "Record", "Shown", "load_kind", "record_of"]

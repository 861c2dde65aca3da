"""Any result that was written, opened again: what kind of answer it is, and the answer."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..report.plots import Plot
from ..report.result import Result
from ..report.shown import Shown
from ..report.study_table import Section, StudySummary
from ..risk.measure import Measure
from ..storage.recognise import kind_of
from ..studies.study import Study
from ..studies.study_read import RECORD, read_record, real

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
    def plot(self) -> Plot:
        """The pictures of the answer."""
        return Plot(_fields(self.said), self.kind)

    def __repr__(self) -> str:
        return f"Record({self.kind}: {self.table.title!r})"


def _fields(said: dict[str, Any]) -> Any:
    """The fields of an answer, as near as a record has them: measures, arrays of numbers, the times of a path."""
    found = _told(said)
    if "horizon_years" in found and found.get("answers"):
        found["hours"] = lambda: np.linspace(0.0, found.horizon_years * _HOURS, len(found.answers[0].price))
    return found


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"observable", "statistic", "level"}:
            return Measure(str(value["observable"]), str(value["statistic"]), real(value["level"]))
        return Said({key: _told(item) for key, item in value.items()})
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


class Answer(NamedTuple):
    """`kind`: "run", "study", or one of `KINDS`; `value`: a `Result`, a `Study` or a `Record`; `path`: where it is."""

    kind: str
    value: Any
    path: Path


def load(path: str | Path) -> Answer:
    """The answer that a file or folder holds: a run's `.nc`, `.zarr` or `.partial`, a study's folder, or a record in JSON.

    **Raises:** `ValueError`, which names the file and says what it is, where it is no answer, damaged, or of a version that this
    one does not read; `OSError` as the system says.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if path.is_dir() and (path / RECORD).is_file():
        return Answer("study", Study.load(path), path)
    if path.is_dir() or path.suffix.lower() in (".nc", ".zarr"):
        return Answer("run", Result.load(path), path)
    if path.suffix.lower() != ".json":
        raise ValueError(f"{path} is {kind_of(path)}, and no result: a run's .nc or .zarr, a study's folder, or the .json that "
                         f"--out "
                         "writes is needed")  # fmt: skip
    said = read_record(path)
    if said.get("kind") == "report":
        raise ValueError(f"{path} is a report, and no result: name what it was made of")
    if "cells" in said and "rankings" in said:
        return Answer("study", Study.load(path.parent), path.parent) if path.name == RECORD else _elsewhere(path)
    return Answer(*_record(path, said), path)


def load_kind(path: str | os.PathLike, kind: str) -> Record:
    """The record of an answer of one kind, by the name of its class.

    **Raises:** as `load`, and `ValueError` where the file holds another kind.
    """
    found = load(Path(path)).value
    if not isinstance(found, Record) or found.kind != kind:
        raise ValueError(f"{path} holds a {getattr(found, 'kind', type(found).__name__)}, and no {kind}")
    return found


def _elsewhere(path: Path) -> Any:
    raise ValueError(f"{path} is a study's record: name the study's folder, in which it is called study.json")


def _record(path: Path, said: dict[str, Any]) -> tuple[str, Record]:
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
    return kind, Record(kind, summary, said)


__all__ = ["KINDS", "Answer", "Record", "load", "load_kind"]

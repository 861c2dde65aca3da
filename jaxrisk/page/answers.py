"""Any result that was written, opened again: what kind of answer it is, and the answer."""

from pathlib import Path
from typing import Any, NamedTuple

from ..report.result import Result
from ..report.study_table import Section, StudySummary
from ..storage.recognise import kind_of
from ..studies.study import Study
from ..studies.study_read import RECORD, read_record

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


class Record(NamedTuple):
    """An answer from its record: `kind`; `summary`: its table as it was shown; `said`: everything in the record."""

    kind: str
    summary: StudySummary
    said: dict[str, Any]


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


__all__ = ["KINDS", "Answer", "Record", "load"]

"""Any result that was written, opened again: what kind of answer it is, and the answer."""

from pathlib import Path
from typing import Any, NamedTuple

from ..report.result import Result
from ..report.shown import record_of
from ..storage.recognise import kind_of
from ..storage.study_files import read_record
from ..studies.study import Study
from ..studies.study_read import RECORD


class Answer(NamedTuple):
    """`kind`: "run", "study", or one of `shown.KINDS`; `value`: a `Result`, a `Study` or a `Record`; `path`: where it is."""

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
    found = record_of(path, said)
    return Answer(found.question, found, path)


def _elsewhere(path: Path) -> Any:
    raise ValueError(f"{path} is a study's record: name the study's folder, in which it is called study.json")


__all__ = ["Answer", "load"]

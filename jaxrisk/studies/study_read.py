"""A study as it was written into its folder, with the results of its runs."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..risk.estimate import Estimate
from ..risk.measure import Measure
from ..risk.paired import Difference, Ranking
from ..storage.study_files import read_record, real
from .study_cells import Cell
from .study_found import Found

RECORD = "study.json"


def fields_of(folder: Path) -> tuple[Any, ...]:
    """The fields of the `Study` in a folder, in order.

    **Raises:** as `read_record`; `ValueError` for a record that is no study's, or one of a version that this one cannot read.
    """
    path = Path(folder) / RECORD
    said = read_record(path)
    try:
        cells = {
            _word(one["name"]): Cell(one["name"], _scenario(one, said), _table(one["settings"]), _words(one["axes"]))
            for one in said["cells"]
        }
        found = [
            Found(cells[one["cell"]["name"]], _word(one["branch"]), float(one["weight"]), _measure(one["measure"]),
                  _numbers(Estimate, one["estimate"]), _numbers(Difference, one["difference"]), bool(one["constant"]),
                  str(one["note"]))
            for one in said["found"]
        ]  # fmt: skip
        rankings = {
            name: Ranking(np.array(one["order"], int), _array(one["best"]), _array(one["before_next"]), real(one["whole"]))
            for name, one in said["rankings"].items()
        }
        spreads = {
            cell: {
                group: [(str(name), real(value), real(error)) for name, value, error in each] for group, each in groups.items()
            }
            for cell, groups in said["spreads"].items()
        }
        fields = (*(_word(said[key]) for key in ("name", "title", "question")), list(cells.values()), _words(said["reference"]),
                  [_measure(one) for one in said["measures"]], _measure(said["rank"]), found, rankings,
                  {name: real(value) for name, value in said["held"].items()}, spreads, _info(said["info"]))  # fmt: skip
        _fits(*fields[3:])
        return fields
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is no record of a study that this version reads ({text}); "
                         "the same study command writes it anew, and runs only what is not there") from None  # fmt: skip


def _fits(
    cells: list[Cell], reference: dict[str, str], measures: list[Measure], rank: Measure, found: list[Found],
    rankings: dict[str, Ranking], held: dict[str, float], spreads: dict[str, Any], info: dict[str, Any],
) -> None:  # fmt: skip
    """A sentence, as `ValueError`, where one part of a record speaks of what another does not have."""
    of = {scenario: [cell.name for cell in cells if cell.scenario == scenario] for scenario in reference}
    over = {(one.cell.name, str(one.measure)) for one in found if not one.branch}
    there = {(one.cell.name, str(one.measure), one.branch) for one in found}
    everywhere = {(*one, branch) for one in over for branch in {one.branch for one in found}}
    known = set(map(str, measures))
    wrong = [
        (not cells or sum(map(len, of.values())) < len(cells), "cells are of scenarios that have no reference"),
        (any(name not in of[scenario] for scenario, name in reference.items()), "a reference is no cell of its scenario"),
        (set(rankings) != set(of) or set(info["by_scenario"]) != set(of), "scenarios differ from one part to another"),
        (any(not _orders(one, len(of[scenario])) for scenario, one in rankings.items() if scenario in of),
         "a ranking is not of the cells of its scenario"),
        (any(cell.name not in held or cell.name not in spreads for cell in cells), "a cell has no open interest, or no spreads"),
        (not all(map(math.isfinite, held.values())), "an open interest is no number"),
        (str(rank) not in known, "what cells are ranked by is no measure of it"),
        (any(str(one.measure) not in known for one in found), "something was found of what is no measure of it"),
        (there != everywhere or len(there) < len(found), "a measure is missing in a branch, or there twice"),
        (any((cell.name, str(rank)) not in over for cell in cells), "a cell lacks what it is ranked by"),
        (any(not 0.0 < one.weight < math.inf for one in found), "a weight is no positive number"),
    ]  # fmt: skip
    for is_so, text in wrong:
        if is_so:
            raise ValueError(text)


def _orders(one: Ranking, count: int) -> bool:
    return sorted(one.order.tolist()) == list(range(count)) and one.best.shape == one.before_next.shape == (count,)


def _info(said: Any) -> dict[str, Any]:
    """What is said of the runs: whole numbers of paths, steps and branches among it."""
    info = dict(said)
    each = _table(info["by_scenario"])
    counts = [info["paths"], info["branches"], *(one[key] for one in each.values() for key in ("paths", "steps"))]
    counts += [one["file_steps"] for one in each.values() if "file_steps" in one]
    for one in counts:
        if not _whole(one) or one < 1:
            raise ValueError(f"{one!r} is no number of paths, steps or branches")
    for digests in _table(info.get("files", {})).values():
        _words(digests)
    if not all(_whole(one["seed"]) for one in each.values()):
        raise ValueError("a seed is no whole number")
    return info


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:60]!r} stands where words are needed")
    return value


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{str(value)[:60]!r} stands where a table is needed")
    return value


def _words(value: Any) -> dict[str, str]:
    return {name: _word(one) for name, one in _table(value).items()}


def _scenario(cell: Any, said: Any) -> str:
    """The scenario that a cell is of; records of earlier versions name it before the cell's own name where there are several."""
    scenarios = list(said["reference"])
    named = cell.get("scenario") or next((one for one in scenarios if cell["name"].startswith(f"{one}: ")), scenarios[0])
    return _word(named)


def _array(values: Any) -> np.ndarray:
    return np.array([real(one) for one in values])


def _measure(said: Any) -> Measure:
    return Measure(_word(said["observable"]), _word(said["statistic"]), real(said["level"])).checked()


def _numbers(kind: Any, said: Any) -> Any:
    if said is None:
        return None
    counts = {"paths", "differing"}
    known = [name for name in kind._fields if name in said or name not in kind._field_defaults]  # earlier versions kept fewer
    return kind(**{name: int(said[name]) if name in counts else real(said[name]) for name in known})


__all__ = ["RECORD", "fields_of"]

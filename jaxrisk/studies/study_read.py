"""A study as it was written into its folder, with the results of its runs."""

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
        cells = {one["name"]: Cell(one["name"], _scenario(one, said), one["settings"], one["axes"]) for one in said["cells"]}
        found = [
            Found(cells[one["cell"]["name"]], one["branch"], float(one["weight"]), _measure(one["measure"]),
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
        info = dict(said["info"])
        for key in ("paths", "branches", "by_scenario"):
            info[key]
        return (said["name"], said["title"], said["question"], list(cells.values()), dict(said["reference"]),
                     [_measure(one) for one in said["measures"]], _measure(said["rank"]), found, rankings,
                     {name: real(value) for name, value in said["held"].items()}, spreads, info)  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is no record of a study that this version reads ({text}); "
                         "the same study command writes it anew, and runs only what is not there") from None  # fmt: skip


def _scenario(cell: Any, said: Any) -> str:
    """The scenario that a cell is of; records of earlier versions name it before the cell's own name where there are several."""
    scenarios = list(said["reference"])
    return cell.get("scenario") or next((one for one in scenarios if cell["name"].startswith(f"{one}: ")), scenarios[0])


def _array(values: Any) -> np.ndarray:
    return np.array([real(one) for one in values])


def _measure(said: Any) -> Measure:
    return Measure(str(said["observable"]), str(said["statistic"]), real(said["level"]))


def _numbers(kind: Any, said: Any) -> Any:
    if said is None:
        return None
    counts = {"paths", "differing"}
    known = [name for name in kind._fields if name in said or name not in kind._field_defaults]  # earlier versions kept fewer
    return kind(**{name: int(said[name]) if name in counts else real(said[name]) for name in known})


__all__ = ["RECORD", "fields_of"]

"""Which of the numbers that nobody knows matter: a global sensitivity analysis over the ranges that a scenario states."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..config import prepare
from ..config.ranges import Range
from ..config.read import problems_of_ranges
from ..paths import NotFound, find
from ..problems import ConfigError, Problem
from ..report.shown import Shown
from ..risk.estimate import z
from ..risk.measure import Measure
from ..risk.paired import Column
from .study import Study
from .study_file import read_study
from .study_plan import Work
from .study_run import Runs

MISSING = "SALib is not installed: pip install 'jaxrisk[ranges]'"
BASE = 32
"""Points of the design from which each range is moved by itself, where nothing else is asked for: a power of two."""
RESAMPLES = 1_000
"""Bootstrap resamples that an interval is from."""
_CHUNK = 2**13
"""Paths whose weights in all resamples are drawn at a time."""


class Index(NamedTuple):
    """Of one measure and one range: shares of the measure's variance over all ranges. `first`: what goes if this number alone is
    learnt; `total`: what stays if all others are. Errors are half-widths of 95% intervals: `first_error`, `total_error` of the
    design's size alone; `first_both`, `total_both` of that and of the number of paths, NaN where paths are not at hand."""

    measure: Measure
    key: str
    first: float
    first_error: float
    total: float
    total_error: float
    first_both: float = math.nan
    total_both: float = math.nan


class Spread(NamedTuple):
    """Of one measure over all ranges: `mean`, `sd`, `low` and `high` (5% and 95%); `error`: the Monte Carlo standard error of
    one cell, median; `index_sum`: of the first-order indices."""

    measure: Measure
    mean: float
    sd: float
    low: float
    high: float
    error: float
    index_sum: float


@dataclass(repr=False)
class OverRanges(Shown):
    """What a global sensitivity analysis found.

    **Fields:** `name`, `title`; `ranges`: what was drawn from; `base`: points of the design, of `base * (ranges + 2)` cells;
    `indices`, one a measure and range; `spreads`, one a measure; `study`: the cells as a study.
    """

    name: str
    title: str
    ranges: list[Range]
    base: int
    indices: list[Index]
    spreads: list[Spread]
    study: Study

    def __repr__(self) -> str:
        return f"OverRanges({self.name!r}, {len(self.ranges)} ranges, {len(self.study.cells):,} cells)"


def ranges_study(name: str, base: int | None = None, run: Mapping[str, Any] | None = None, quick: bool = False):
    """The cells of a global sensitivity analysis as a study, and the ranges they are drawn from.

    **Arguments:** `name`: of a scenario, or of a study, of which the first scenario and its reference cell are taken; a file or a
    shipped one; `base`: points of the design, a power of two.

    **Raises:** `ConfigError`.
    """
    base, problems = BASE if base is None else base, list[Problem]()
    if base < 4 or base & (base - 1):
        problems.append(Problem("command line", "--base", str(base), "has to be a power of two, 4 at least"))
    document, scenario, settings = _of(name, run, quick)
    prepared = prepare(scenario, settings)
    ranges = prepared.checked.ranges
    problems += problems_of_ranges(find("scenarios", scenario), prepared.checked, settings)
    if not ranges:
        text = 'has no [ranges]; a table such as "impact.coefficient" = [0.5, 3.0] says which numbers nobody knows'
        problems.append(Problem(scenario, "ranges", None, text))
    if problems:
        raise ConfigError(problems)
    cells = [
        {"name": f"point {place + 1}", "set": {one.key: one.at(float(share)) for one, share in zip(ranges, row, strict=True)}}
        for place, row in enumerate(_design(ranges, base))
    ]
    return document | {"cells": cells, "by_class": []}, ranges, base


def _of(name: str, run: Mapping[str, Any] | None, quick: bool) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """A study's document without its cells, its scenario, and what is set in its reference cell."""
    try:
        find("studies", name)
    except NotFound:
        scenario = str(find("scenarios", name))
        return {"name": Path(scenario).stem, "scenario": scenario}, scenario, {}
    document = _plain(name)
    if "scenario" not in document and "scenarios" not in document:  # a scenario's own file
        return {"name": Path(name).stem, "scenario": name}, name, {}
    plan, problems = read_study(name, run, quick=quick)
    if problems:
        raise ConfigError(problems)
    first = plan.keys.scenarios[0]
    cell = next(cell for cell in plan.cells if cell.name == plan.references[first])
    settings = plan.placed({**plan.keys.settings, **cell.settings})
    keys = {key: document[key] for key in ("measures", "rank", "run", "quick") if key in document}
    scenario = plan.scenario(first)
    return {"name": plan.name, "title": plan.keys.title, "scenario": scenario, "set": settings, **keys}, scenario, settings


def _plain(name: str) -> Mapping[str, Any]:
    from ..toml import read_toml

    return read_toml(find("studies", name))[0] or {}


def _problem(ranges: list[Range]) -> dict[str, Any]:
    return {"num_vars": len(ranges), "names": [one.key for one in ranges], "bounds": [[0.0, 1.0]] * len(ranges)}


def _design(ranges: list[Range], base: int) -> np.ndarray:
    """Saltelli's design of scrambled Sobol' points on the unit cube, shape `(base * (ranges + 2), ranges)`."""
    try:
        from SALib.sample import sobol
    except ImportError:
        raise ConfigError([Problem("command line", "--over", "ranges", MISSING)]) from None
    return sobol.sample(_problem(ranges), base, calc_second_order=False, scramble=True, seed=1)


def replicas_of(column: Column) -> np.ndarray:
    """What a measure of one cell would be on other paths, by a Poisson bootstrap of the paths, shape `(RESAMPLES,)`.

    It is so to first order in what each path adds to the measure (`Column`), which for a mean is all.

    A path has the same weights in every cell, as all cells have the same paths: what they share by chance moves them together.
    """
    scores = column.scores - column.scores.mean()
    moved = np.zeros(RESAMPLES)
    for place, first in enumerate(range(0, len(scores), _CHUNK)):
        mine = scores[first : first + _CHUNK]
        moved += _weights(place)[:, : len(mine)] @ mine
    return column.value + moved / len(scores)


@functools.lru_cache(maxsize=8)
def _weights(place: int) -> np.ndarray:
    """Of a chunk of paths in each resample, less their mean of one."""
    drawn = np.random.default_rng((1, place)).poisson(1.0, (RESAMPLES, _CHUNK))
    return drawn.astype(np.float32) - np.float32(1.0)


def errors_with_paths(replicas: np.ndarray, count: int) -> tuple[list[float], list[float]]:
    """Half-widths of 95% intervals of the first-order and of the total indices of `count` ranges.

    Over resamples of the paths and of the design's points together.

    **Arguments:** `replicas`: of every cell of the design in its order, shape `(cells, RESAMPLES)`.
    """
    from SALib.analyze.sobol import first_order, total_order

    spread = replicas.std(axis=0)
    scaled = (replicas - replicas.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    scaled = scaled.reshape(-1, count + 2, replicas.shape[1])
    points = np.random.default_rng(1).integers(len(scaled), size=(len(scaled), replicas.shape[1]))
    drawn = np.take_along_axis(scaled, points[:, None, :], axis=0)
    start, moved, other = drawn[:, 0], drawn[:, 1:-1], drawn[:, -1]
    half = lambda found: z(0.95) * float(found.std(ddof=1))
    first = [half(first_order(start, moved[:, k], other)) for k in range(count)]
    return first, [half(total_order(start, moved[:, k], other)) for k in range(count)]


def _replicas(study: Study, works: Sequence[Work], runs: Runs | None) -> dict[Measure, np.ndarray]:
    """By measure, those of every cell; nothing where the runs are not at hand."""
    if runs is None or len(works) != len(study.cells):
        return {}
    by_cell = {work.cell.name: work for work in works}
    wanted = [one for one in study.measures if all(study.over_branches[cell.name, str(one)].estimate for cell in study.cells)]
    found: dict[Measure, list[np.ndarray]] = {one: [] for one in wanted}
    for cell in study.cells:
        result = runs.result(by_cell[cell.name])
        for one, rows in found.items():
            rows.append(replicas_of(Column.of(np.asarray(result.column(one.observable), np.float64), one)))
    return {one: np.stack(rows) for one, rows in found.items()}


def indices_of(study: Study, ranges: list[Range], base: int, works: Sequence[Work] = (), runs: Runs | None = None) -> OverRanges:
    """Sobol' indices of every measure over the cells of `ranges_study`.

    **Arguments:** `works`, `runs`: of the study; with them intervals are of the paths too.
    """
    from SALib.analyze import sobol

    indices, spreads = [], []
    replicas = _replicas(study, works, runs)
    for measure in study.measures:
        found = [study.over_branches[cell.name, str(measure)] for cell in study.cells]
        if any(one.estimate is None for one in found):
            continue
        values = np.array([float(one.estimate.value) for one in found if one.estimate is not None])
        errors = [float(one.estimate.standard_error) for one in found if one.estimate is not None and not one.constant]
        error = float(np.median(errors)) if errors else 0.0
        sd = float(values.std())
        if sd <= 1e-9 * float(np.abs(values).max()):
            rows = [Index(measure, one.key, math.nan, math.nan, math.nan, math.nan) for one in ranges]
        else:
            centred = (values - values.mean()) / sd
            told = sobol.analyze(_problem(ranges), centred, calc_second_order=False, num_resamples=RESAMPLES, seed=1)
            columns = (told["S1"], told["S1_conf"], told["ST"], told["ST_conf"])
            both = errors_with_paths(replicas[measure], len(ranges)) if measure in replicas else ()
            of = lambda k, columns=columns, both=both: [float(column[k]) for column in (*columns, *both)]
            rows = [Index(measure, one.key, *of(k)) for k, one in enumerate(ranges)]
        low, high = np.quantile(values, [0.05, 0.95]).tolist()
        spreads.append(Spread(measure, float(values.mean()), sd, low, high, error, math.fsum(row.first for row in rows)))
        indices += rows
    return OverRanges(study.name, study.title, ranges, base, indices, spreads, study)


__all__ = ["BASE", "Index", "OverRanges", "Spread", "errors_with_paths", "indices_of", "ranges_study", "replicas_of"]

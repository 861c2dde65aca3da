"""Differences of measures between runs on the same random numbers, and which of several runs is the best, how surely.

What one path adds to a measure (its influence, `bump.influence`) is known in each run; on the same paths the difference of two
influences is small where the runs differ little, and its spread over the paths is the error of the difference.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from .estimate import clopper_pearson, z
from .measure import Measure
from .slopes.bump import influence, resolution
from .slopes.curve import effective, stands

DRAWS = 20_000
"""Of the estimates of all runs together, from which it is counted how often each is the best."""
_TIE = 1e-9


class Column(NamedTuple):
    """A measure of one run: its `value` and what each path adds to as many times the measure, shape `(paths,)`; `resolution`:
    what one path more across a level would change."""

    value: float
    scores: np.ndarray
    resolution: float

    @property
    def error(self) -> float:
        """Its standard error, no less than the resolution."""
        return max(float(self.scores.std()) / math.sqrt(len(self.scores)), self.resolution)

    @staticmethod
    def of(losses: np.ndarray, measure: Measure) -> "Column":
        """Of one number a path, float64."""
        constant, scores = influence(losses, measure, losses)
        return Column(float(constant) + float(scores.mean()), scores, resolution(losses, measure))

    @staticmethod
    def weighted(columns: Sequence["Column"], weights: Sequence[float]) -> "Column":
        """The weighted mean of a measure of several runs on the same paths."""
        parts = list(zip(columns, weights, strict=True))
        total = lambda get: sum(weight * get(column) for column, weight in parts)
        resolved = math.sqrt(sum((weight * column.resolution) ** 2 for column, weight in parts))
        return Column(float(total(lambda one: one.value)), total(lambda one: one.scores), resolved)


class Difference(NamedTuple):
    """A measure's change from one run to another on the same paths.

    `value`; `standard_error`: of it, NaN where it rests on too few paths; `low`, `high`: its 95% interval; `independent_error`:
    what the error would be on random numbers of their own; `differing`: number of paths that do not add the same to it in both;
    `at_most`: the upper end of the 95% interval of the share of such paths; `effective`: how many paths the error rests on.
    """

    value: float
    standard_error: float
    low: float
    high: float
    independent_error: float
    differing: int
    at_most: float
    effective: float = math.nan


def paired(before: Column, after: Column) -> Difference:
    """The difference of a measure between two runs.

    Influences are those of a measure's own run, so that a level that moves between the runs is in the difference. Where it rests
    on fewer paths than an interval can be stood behind for, the error and the interval are NaN: what is known then is on how
    many paths the runs differ in this measure.

    >>> random = np.random.default_rng(1)
    >>> losses = random.exponential(size=4000)
    >>> one, other = (Column.of(scale * losses, Measure("x", "mean")) for scale in (1.0, 1.1))
    >>> change = paired(one, other)
    >>> round(change.value, 2), change.standard_error < 0.1 * change.independent_error
    (0.1, True)
    """
    n = len(before.scores)
    value = after.value - before.value
    scores = after.scores - before.scores
    spread = scores - scores.mean()
    resolved = math.hypot(before.resolution, after.resolution) if scores.any() or value != 0.0 else 0.0
    error = max(float(scores.std()) / math.sqrt(n), resolved)
    apart = int(np.count_nonzero(scores))
    alone = math.hypot(*(float(one.scores.std()) / math.sqrt(n) for one in (before, after)))
    share = float(clopper_pearson(apart, n, 0.95)[1])
    if apart == 0 and value == 0.0:
        return Difference(0.0, math.nan, math.nan, math.nan, alone, 0, share, 0.0)
    rests = effective(spread)
    if not stands(rests, error, value):
        return Difference(value, math.nan, math.nan, math.nan, alone, apart, share, rests)
    half = z(0.95) * error
    return Difference(value, error, value - half, value + half, alone, apart, share, rests)


class Ranking(NamedTuple):
    """Runs from the smallest measure to the largest.

    `order`: places of the runs; by place in that order: `best`: the probability that this run's measure is the smallest of all;
    `before_next`: that it is smaller than the next one's (NaN for the last); `whole`: that the whole order is right. NaN where it
    hangs on a difference that rests on fewer paths than can be stood behind.
    """

    order: np.ndarray
    best: np.ndarray
    before_next: np.ndarray
    whole: float


def ranking(values: np.ndarray, scores: np.ndarray, seed: int = 0) -> Ranking:
    """How surely runs on the same paths are in the right order of a measure.

    By the normal approximation: all estimates together are normal about what was found, with the covariance of the paths'
    influences over their number. Two neighbours are compared in closed form; which is the best of all, and whether the whole
    order is right, is counted in `DRAWS` draws with a fixed seed. Runs that are the same on every path share what they have.
    Nothing is said of two runs, the first among them, whose difference rests on too few paths, as `paired` gives none an error.

    **Arguments:** `values`: shape `(runs,)`; `scores`: influences, shape `(runs, paths)`.

    >>> random = np.random.default_rng(1)
    >>> losses = random.exponential(size=2000)
    >>> found = ranking(np.array([2.0, 1.0]), np.stack([2.0 * losses, losses]))
    >>> found.order.tolist(), found.best.round(3).tolist()
    ([1, 0], [1.0, 0.0])
    """
    order = np.argsort(values, kind="stable")
    mean, paths = np.asarray(values, np.float64)[order], scores.shape[1]
    centred = scores[order] - scores[order].mean(axis=1, keepdims=True)
    covariance = np.asarray(centred @ centred.T, np.float64) / paths**2
    variance = np.diag(covariance)
    tie = _TIE * max(float(np.abs(mean).max(initial=0.0)), math.sqrt(float(variance.max(initial=0.0))), 1e-300)
    apart = mean[1:] - mean[:-1]
    error = np.sqrt(np.maximum(variance[1:] + variance[:-1] - 2.0 * np.diag(covariance, 1), 0.0))
    surely = np.where(apart > tie, 1.0, 0.5)
    before = np.where(error > tie, ndtr(apart / np.where(error > tie, error, 1.0)), surely)
    drawn = mean + np.random.default_rng(seed).standard_normal((DRAWS, len(mean))) @ _root(covariance).T
    smallest = drawn <= drawn.min(axis=1, keepdims=True) + tie
    best = (smallest / smallest.sum(axis=1, keepdims=True)).mean(axis=0)
    right = np.all(drawn[:, 1:] >= drawn[:, :-1] - tie, axis=1)

    def known(a: int, b: int) -> bool:
        spread = centred[b] - centred[a]
        sure = float(spread.std()) / math.sqrt(paths)
        return sure <= tie or stands(effective(spread), sure, float(mean[b] - mean[a]))

    with_first = np.array([known(0, b) for b in range(len(mean))])
    with_next = np.array([known(b, b + 1) for b in range(len(mean) - 1)], bool)
    with_first[0] = with_first.all()
    chance = float(right.mean()) if with_next.all() else math.nan
    return Ranking(order, np.where(with_first, best, np.nan), np.append(np.where(with_next, before, np.nan), np.nan), chance)


def _root(covariance: np.ndarray) -> Any:
    """A matrix whose product with its transpose this is."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


__all__ = ["Column", "Difference", "Ranking", "paired", "ranking"]

r"""Pathwise gradient of a measure, with its standard error.

Each measure is a weighted mean of the gradients of the paths that it looks at, $\sum_i a_i\,\partial L_i/\partial\theta$:

- mean: of all paths (of the first, where there are more than `MOST_PATH_STEPS` allows);
- expected shortfall: of those beyond the quantile. Its error is that of $E[(g - m)1\{L > q\}]/(1 - \alpha)$ with
  $m = E[g\,|\,L = q]$ (Hong and Liu, 2009, Simulating sensitivities of conditional value at risk): what the estimated quantile
  lets in or out counts by how much it differs from the quantile's own derivative;
- quantile: of those near it, by a kernel; exceedance probability: the same at its level, times the density there.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ...cascade.blocks import numbers
from ...scenario import Scenario
from ..estimate import Estimate, TooFewPathsError
from ..measure import Measure
from ..sample import Sample, draw_sample
from ..tail import rank_of
from .pathwise import Reverse, along, few_lengths, group_gradients

MOST_PATH_STEPS = 8192 * 1440
"""Paths times steps of a mean's gradient at most: the reverse pass is some nine times as long as a run."""
LEAST_TAIL = 20
"""Fewest paths that a gradient's standard error can rest on."""
GROUPS = 20
"""Random groups that a tail is cut into: the error of a standard error is then about a sixth."""
STRATA = 10
"""The lowest of so many equal parts of a tail tells what the quantile's own derivative is."""
FORWARD = 8
"""Parameters up to which each has a forward pass of its own: cheaper than reverse, and path by path."""


class Gradient(NamedTuple):
    """A measure's derivatives: `value`, `standard_error` and `bias` (a bound, None where not measured), shape `(parameters,)`;
    `covariance`; `paths` that it rests on; `tail_index` of what they contribute, None where only groups are known; from a curve
    also `slopes`, and `kinks` with None where there is none."""

    value: np.ndarray
    standard_error: np.ndarray
    covariance: np.ndarray
    paths: int
    bias: Any = None
    tail_index: Any = None
    slopes: Any = ()
    kinks: Any = ()


class Tail(NamedTuple):
    """Which paths a measure looks at: `which`, by falling loss, their weights `share` (summing to one), `scale` of the weighted
    mean, and whether the quantile at the end of the tail is estimated (`edge`)."""

    which: np.ndarray
    share: np.ndarray
    scale: float
    edge: bool


def looked_at(sample: Sample, measure: Measure) -> Tail:
    """The paths that a measure's derivative rests on.

    **Raises:** `TooFewPathsError` with the number needed.
    """
    losses = sample.losses
    n, level = len(losses), measure.level
    if measure.statistic == "mean":
        which = np.arange(min(n, MOST_PATH_STEPS // sample.prepared.scenario.settings.steps))
        return Tail(which, np.full(len(which), 1.0 / len(which)), 1.0, False)
    order = np.argsort(-losses, kind="stable")
    if measure.statistic == "expected_shortfall":
        beyond = n * (1.0 - level)
        _enough(beyond, n, measure)
        count = math.ceil(beyond - 1e-9)
        share = np.full(count, 1.0 / beyond)
        share[-1] -= count / beyond - 1.0
        return Tail(order[:count], share, 1.0, True)
    exceedance = measure.statistic == "exceedance_probability"
    at = level if exceedance else losses[order[n - 1 - rank_of(n, level)]]
    tail = np.count_nonzero(losses > at)
    _enough(float(min(tail, n - tail)), n, measure)
    # a window that holds about n^(4/5) of n paths in the middle of the distribution, and less towards its ends
    half = max(LEAST_TAIL, int(0.5 * min(tail, n - tail) ** 0.8))
    near = order[max(0, tail - half) : tail + half]
    width = max(abs(losses[near[0]] - at), abs(losses[near[-1]] - at))
    kernel = np.maximum(1.0 - ((losses[near] - at) / width) ** 2, 0.0) if width > 0.0 else np.ones(len(near))
    inside = kernel > 0.0
    near, kernel = near[inside], kernel[inside]
    density = 0.75 * kernel.sum() / (n * width) if width > 0.0 else math.inf
    return Tail(near, kernel / kernel.sum(), density if exceedance else 1.0, False)


def _enough(count: float, n: int, measure: Measure) -> None:
    if count < LEAST_TAIL - 1e-9:
        needed = math.ceil(n * LEAST_TAIL / max(count, 0.5) - 1e-6)
        raise TooFewPathsError(
            f"the derivative of {measure} from {n:,} paths rests on fewer than {LEAST_TAIL} of them: {needed:,} paths are needed",
            needed,
        )


def pathwise(sample: Sample, measure: Measure, scenario: Scenario, names: tuple[str, ...]) -> Gradient:
    """Derivatives of a measure to parameters, from those of paths.

    **Arguments:** `sample`: a run of `scenario`; `names`: of parameters whose pathwise derivative is a sensitivity.

    **Raises:** `TooFewPathsError`.
    """
    tail = looked_at(sample, measure)
    reverse = Reverse.of(scenario, names, sample.prepared, sample.column)
    if len(names) <= FORWARD:
        slopes = [along(sample, reverse, tail.which, unit) for unit in np.eye(len(names))]
        return of_paths(tail, np.stack(slopes, axis=1), len(sample.losses), measure)
    return _of_groups(sample, tail, reverse, measure)


def measure_gradient(
    scenario: Scenario, measure: Measure, names: tuple[str, ...], *, paths: int, seed: int, first_path: int = 0
) -> tuple[Estimate, Gradient, Sample]:
    """A measure and its pathwise derivatives from a run of their own.

    **Raises:** as `draw_sample` and `pathwise`.
    """
    with numbers(scenario.description.precision == "float64"):
        sample = draw_sample(scenario, measure.observable, paths, seed, first_path)
        return measure.estimate(sample.losses), pathwise(sample, measure, scenario, tuple(names)), sample


def of_paths(tail: Tail, gradients: np.ndarray, n: int, measure: Measure) -> Gradient:
    """Gradient and error from those of single paths, shape `(paths, parameters)`, in the tail's order."""
    mean = tail.share @ gradients
    if tail.edge:
        slice_ = max(LEAST_TAIL, len(gradients) // STRATA)
        centred = gradients - gradients[-min(slice_, len(gradients)) :].mean(axis=0)
        spread = (tail.share[:, None] * centred).T @ centred
        beyond = 1.0 - measure.level
        covariance = (spread - beyond * np.outer(tail.share @ centred, tail.share @ centred)) / (n * beyond)
    else:
        covariance = _spread(tail, gradients, mean, n, measure)
    covariance = np.atleast_2d(covariance) * tail.scale**2
    index = np.array([tail_index(column) for column in gradients.T])
    return Gradient(tail.scale * mean, np.sqrt(np.diag(covariance)), covariance, len(gradients), tail_index=index)


def _spread(tail: Tail, gradients: np.ndarray, mean: np.ndarray, n: int, measure: Measure) -> np.ndarray:
    """Covariance of a weighted mean; for an exceedance probability also of how many paths are in the window."""
    count = measure.statistic == "exceedance_probability"
    centred = tail.share[:, None] * (gradients if count else gradients - mean)
    covariance = centred.T @ centred
    return covariance - np.outer(mean, mean) / n if count else covariance * len(gradients) / (len(gradients) - 1)


def _of_groups(sample: Sample, tail: Tail, reverse: Reverse, measure: Measure) -> Gradient:
    """From sums over random groups; where the tail has an edge, its lowest slice is in groups of its own."""
    count, n = len(tail.which), len(sample.losses)
    low = max(LEAST_TAIL, count // STRATA) if tail.edge else 0
    upper = np.random.default_rng(0).permutation(count - low)
    length = max(1, -(-len(upper) // GROUPS))
    rows = [upper[k : k + length] for k in range(0, len(upper), length)] + [
        np.arange(k, min(k + length, count)) for k in range(count - low, count, length)
    ]
    # groups are filled up with paths of weight zero
    width = few_lengths(length)
    places = np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in rows])
    inside = np.stack([np.arange(width) < len(row) for row in rows])
    weights = np.where(inside, tail.share[places], 0.0)
    unit = weights.max()
    sums = group_gradients(sample, reverse, tail.which[places], weights / unit) * unit
    mean, size = sums.sum(axis=0), weights.sum(axis=1)
    split = -(-len(upper) // length)
    if tail.edge:
        edge = sums[split:].sum(axis=0) / size[split:].sum()
        beyond = 1.0 - measure.level
        spread = _second_moment(sums[:split], weights[:split], edge) + _second_moment(sums[split:], weights[split:], edge)
        covariance = (spread - beyond * np.outer(mean - edge, mean - edge)) / (n * beyond)
    else:
        centred = sums - size[:, None] * mean
        covariance = centred.T @ centred * len(rows) / max(1, len(rows) - 1)
        if measure.statistic == "exceedance_probability":
            # how many paths are in the window varies too
            covariance = covariance + np.outer(mean, mean) * ((tail.share**2).sum() - 1.0 / n)
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0)) * tail.scale
    return Gradient(tail.scale * mean, error, covariance * tail.scale**2, count)


def _second_moment(sums: np.ndarray, weights: np.ndarray, about: np.ndarray) -> np.ndarray:
    """Weighted sum of squares of single paths about a point, from sums over random groups of them."""
    size, squares = weights.sum(axis=1), (weights**2).sum(axis=1)
    total, groups = size.sum(), len(size)
    if groups == 0:
        return np.zeros((len(about), len(about)))
    mean = sums.sum(axis=0) / total
    offset = np.outer(mean - about, mean - about)
    if groups == 1:
        return total * offset
    # a group's sum varies by a path's variance times the group's sum of squared weights
    centred = (sums - size[:, None] * mean) / np.sqrt(squares)[:, None]
    return total * (centred.T @ centred / (groups - 1) + offset)


def tail_index(slopes: np.ndarray) -> float:
    """Hill's (1975) estimate of the tail index of what paths contribute: below 2 a variance is infinite. NaN where all are zero.

    Of the largest tenth, at least ten.

    >>> random = np.random.default_rng(1)
    >>> round(tail_index(random.pareto(3.0, 20_000) + 1.0), 1)
    3.0
    """
    sizes = np.sort(np.abs(slopes))[::-1]
    count = min(max(10, len(sizes) // 10), len(sizes) - 1)
    if count < 2 or sizes[count] <= 0.0:
        sizes = sizes[sizes > 0.0]
        count = len(sizes) - 1
        if count < 10:
            return math.nan
    return float(1.0 / max(np.mean(np.log(sizes[:count] / sizes[count])), 1e-12))


__all__ = ["FORWARD", "Gradient", "Tail", "looked_at", "measure_gradient", "of_paths", "pathwise", "tail_index"]

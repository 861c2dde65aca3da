"""Differences of a measure under a scenario moved a little up and down, with the same random numbers.

A single difference over all paths (`difference`) is what a derivative is checked by; `curve.py` makes the derivative of several.
"""

from typing import Any

import numpy as np

from ...parameter import Parameter
from ...scenario import Scenario
from ..measure import Measure
from ..sample import Sample
from ..tail import rank_of
from .gradients import Gradient

STEP = 0.02
"""Move of a parameter as a share of its value: large enough for a difference to stand out of single precision and of the jumps
that single paths make, small enough for the measure to be nearly quadratic."""
DISCRETE_STEP = 0.25
"""The same for parameters that numbers of jumps depend on."""
MOST_PATH_STEPS = 32_768 * 1440
"""Paths times steps of a mean's difference at most."""


def step_of(parameter: Parameter, step: float = STEP) -> tuple[float, bool]:
    """The step for a parameter, and whether it can lift paths into the tail from anywhere: numbers of jumps do."""
    discrete = not parameter.pathwise and parameter.name.startswith("market.")
    return (max(step, DISCRETE_STEP), True) if discrete else (step, False)


def ends(parameter: Parameter, step: float) -> tuple[float, float]:
    """How far a parameter is moved down and up: by a share of its value (of a million USD, ten seconds or a tenth, where that is
    zero), inside its range (then one-sided).

    >>> ends(Parameter("channels.feedback", 1.0, "1", 0.0, 1.0), 0.02)
    (-0.02, 0.0)
    """
    size = step * abs(parameter.value)
    if size == 0.0:
        usual = {"USD": 1e6, "s": 10.0}.get(parameter.unit, 0.1)
        size = step * min(usual, parameter.high - parameter.low)
    down, up = max(-size, parameter.low - parameter.value), min(size, parameter.high - parameter.value)
    return (down, up) if up > down else (-size, size)


def difference(sample: Sample, measure: Measure, scenario: Scenario, parameters: list[Parameter], step: float = STEP) -> Gradient:
    """Central differences of a measure over all paths, with the error of sampling alone; a number of jumps changes on few paths
    for a small move: those are moved by `DISCRETE_STEP`."""
    total = len(sample.losses)
    constants, scores, resolutions = np.zeros(len(parameters)), [], np.zeros(len(parameters))
    for k, parameter in enumerate(parameters):
        at = ends(parameter, step_of(parameter, step)[0])
        constants[k], score = _slope(sample, measure, scenario, parameter, at)
        resolutions[k] = resolution(sample.losses, measure) / (at[1] - at[0])
        scores.append(score)
    scores = np.stack(scores, axis=1)
    mean = scores.sum(axis=0) / total
    covariance = (scores.T @ scores / total - np.outer(mean, mean)) / total
    error = np.maximum(np.sqrt(np.maximum(np.diag(covariance), 0.0)), resolutions)
    return Gradient(constants + mean, error, covariance, total)


def _slope(sample: Sample, measure: Measure, scenario: Scenario, parameter: Parameter, at) -> tuple[float, np.ndarray]:
    """The slope of a measure between two values of a parameter: what has no error, and what each path adds to `n` times it."""
    which, width = np.arange(len(sample.losses)), at[1] - at[0]

    def losses(by: float) -> np.ndarray:
        return sample.at(scenario, [parameter], np.array([by]), which) if by else sample.losses

    constants, scores = zip(*(influence(losses(by), measure, sample.losses) for by in at), strict=True)
    return float((constants[1] - constants[0]) / width), (scores[1] - scores[0]) / width


def resolution(losses: np.ndarray, measure: Measure) -> float:
    """What one path more across a level would make of the measure: a count that does not change says no more than that."""
    if measure.statistic == "exceedance_probability":
        return 1.0 / len(losses)
    return 1.0 / (len(losses) * _density(losses, measure)) if measure.statistic in ("quantile", "value_at_risk") else 0.0


def _density(losses: np.ndarray, measure: Measure) -> float:
    """Of the losses at a quantile."""
    n, order = len(losses), np.sort(losses)
    rank = rank_of(n, measure.level)
    half = max(10, int(0.5 * min(rank, n - rank) ** 0.8))
    low, high = max(0, rank - half), min(n - 1, rank + half)
    return (high - low) / (n * max(order[high] - order[low], 1e-300))


def influence(losses: np.ndarray, measure: Measure, base: np.ndarray, weight: Any = None) -> tuple[float, np.ndarray]:
    """A measure of a run of which `losses` hold the tail, as a constant and what each path adds to `n` times the measure.

    **Arguments:** `base`: losses of the whole base run, which say how many paths there are and how dense they lie; `weight`: how
    many paths each stands for where only some were run again, zero for the others, whose `losses` are those of `base`: what those
    run again changed is taken that many times.
    """
    n = len(base)
    if measure.statistic == "mean":
        each = lambda some: some
    elif measure.statistic == "exceedance_probability":
        each = lambda some: (some > measure.level).astype(float)
    else:
        edge = _edge(losses, n - 1 - rank_of(n, measure.level), base, weight)
        if measure.statistic == "expected_shortfall":
            each = lambda some: np.maximum(some - edge, 0.0) / (1.0 - measure.level)
        else:
            # a quantile moves by how many paths cross it, over the density there; one density for both ends of a difference
            density = _density(base, measure)
            each = lambda some: (some > edge).astype(float) / density
    scores = each(losses)
    if weight is not None:
        before = each(base)
        scores = before + weight * (scores - before)
    if measure.statistic in ("mean", "exceedance_probability"):
        return 0.0, scores
    return edge - (0.0 if measure.statistic == "expected_shortfall" else scores.sum() / n), scores


def _edge(losses: np.ndarray, beyond: int, base: np.ndarray, weight: Any) -> float:
    """The loss that so many others exceed."""
    if weight is None:
        return np.sort(losses)[::-1][min(len(losses) - 1, beyond)]
    again = weight > 0.0
    values = np.concatenate([base, losses[again]])
    masses = np.concatenate([1.0 - weight, weight[again]])
    order = np.argsort(-values, kind="stable")
    return values[order][np.argmax(np.cumsum(masses[order]) >= beyond + 1 - 1e-6)]


__all__ = ["STEP", "difference", "ends", "influence", "resolution", "step_of"]

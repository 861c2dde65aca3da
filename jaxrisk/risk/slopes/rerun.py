"""The paths of a run once more with a parameter moved: what a measure is as a curve in it, and the slopes of several.

Which paths are run again decides what may be missed: near runaway, paths from anywhere jump into the tail, and a search among the
worst alone is off by more than its error. In a calm market those from below the tail do nothing, and to run them is most of the
work. So a sample of them is run at the widest move, and all of them where it shows that they matter.
"""

import math

import numpy as np

from ...parameter import Parameter
from ...scenario import Scenario
from ..measure import Measure
from ..sample import Sample
from .bump import MOST_PATH_STEPS, ends, influence, resolution, step_of
from .curve import Curve, kink, slope
from .gradients import Gradient

WINDOWS = (0.02, 0.04, 0.08, 0.16)
"""Moves of a parameter as shares of its value."""
WINDOWS_OF_COUNTS = (0.125, 0.25, 0.5)
"""The same for parameters that numbers of jumps depend on, of which a small move changes few paths."""
LAYER = 300
"""Fewest paths run again of each layer below the tail."""
OUTSIDE = 0.02
"""Share of the variance that paths below the tail may add, for a sample of them to do."""


def curve(sample: Sample, measure: Measure, scenario: Scenario, parameter: Parameter) -> Curve:
    """Run paths again at every window on both sides, or on the one that the parameter's range allows.

    Of a mean as many of the first as `MOST_PATH_STEPS` allows. Of other measures all, unless a sample of those below the tail
    shows at the widest windows that what happens there adds less than `OUTSIDE` to the variance (`layers`).
    """
    _, counts = step_of(parameter)
    wanted = windows(parameter, WINDOWS_OF_COUNTS if counts else WINDOWS)
    offsets = sorted({0.0} | {by for window in wanted for by in _both(parameter, window)})
    steps, n = sample.prepared.scenario.settings.steps, len(sample.losses)
    base = sample.losses[: MOST_PATH_STEPS // steps] if measure.statistic == "mean" else sample.losses
    weight = np.ones(len(base)) if measure.statistic == "mean" or counts else layers(sample.losses, measure)
    run: dict[float, np.ndarray] = {0.0: base}

    def add(by: float, which: np.ndarray) -> None:
        run.setdefault(by, base.copy())[which] = sample.at(scenario, [parameter], np.array([by]), which)

    for by in {offsets[0], offsets[-1]} - {0.0}:
        add(by, np.flatnonzero(weight))
    if any(outside(run[by], base, measure, weight) > OUTSIDE for by in run if by):
        for by in run:
            if by:
                add(by, np.flatnonzero(weight == 0.0))
        weight = np.ones(n)
    for by in offsets[1:-1]:
        if by:
            add(by, np.flatnonzero(weight))
    found = [influence(run[by], measure, base, None if weight.all() and weight.max() == 1.0 else weight) for by in offsets]
    scores = np.array([score for _, score in found])
    values = np.array([constant for constant, _ in found]) + scores.mean(axis=1)
    return Curve(np.array(offsets), values, scores, resolution(sample.losses, measure))


def layers(losses: np.ndarray, measure: Measure) -> np.ndarray:
    """How many paths each stands for, of those that are run again, zero for the others: the tail and twice as many below it, each
    for itself, and below them layers that double their number, of each `LAYER` or a fifth of those. Shape `(paths,)`."""
    order, n = np.argsort(-losses, kind="stable"), len(losses)
    share = np.mean(losses > measure.level) if measure.statistic == "exceedance_probability" else 1.0 - measure.level
    edge = min(n, max(math.ceil(3.0 * n * share - 1e-6), LAYER))
    weight, random, most = np.zeros(n), np.random.default_rng(0), max(LAYER, edge // 5)
    weight[order[:edge]] = 1.0
    while edge < n:
        layer = order[edge : 2 * edge]
        drawn = layer if len(layer) <= most else random.choice(layer, most, replace=False)
        weight[drawn] = len(layer) / len(drawn)
        edge *= 2
    return weight


def outside(losses: np.ndarray, base: np.ndarray, measure: Measure, weight: np.ndarray) -> float:
    """Share of the variance of a measure's change that paths add which stand for others too."""
    change = np.square(influence(losses, measure, base, weight)[1] - influence(base, measure, base)[1])
    total = change.sum()
    return float(change[weight > 1.0].sum() / total) if total else 0.0


def slopes(sample: Sample, measure: Measure, scenario: Scenario, parameters: list[Parameter]) -> Gradient:
    """Derivatives of a measure from its curve in each parameter; `standard_error` is half of the interval over 1.96, bias and
    all, NaN where it rests on too few paths."""
    found, scores, kinks = [], [], []
    for parameter in parameters:
        one = curve(sample, measure, scenario, parameter)
        found.append(slope(one))
        scores.append(found[-1].weights @ one.scores)
        kinks.append(kink(one))
    centred = np.array([row - row.mean() for row in scores])
    errors = np.array([one.standard_error for one in found])
    covariance = centred @ centred.T / centred.shape[1] ** 2
    np.fill_diagonal(covariance, errors**2)
    return Gradient(
        np.array([one.value for one in found]), errors, covariance, centred.shape[1],
        bias=np.array([one.bias for one in found]), slopes=tuple(found), kinks=tuple(kinks),
    )  # fmt: skip


def windows(parameter: Parameter, usual: tuple[float, ...]) -> tuple[float, ...]:
    """The usual windows, or narrower ones in the same proportions where the range ends before the third of them.

    >>> windows(Parameter("channels.feedback", 0.5, "1", 0.495, 0.51), WINDOWS)
    (0.0025, 0.005, 0.01, 0.02)
    """
    reach, size = max(parameter.value - parameter.low, parameter.high - parameter.value), abs(parameter.value)
    if not 0.0 < reach < usual[2] * size:
        return usual
    return tuple(float(f"{window * reach / (usual[-1] * size):.12g}") for window in usual)


def _both(parameter: Parameter, window: float) -> list[float]:
    """Offsets of a window: both, or one where the range cuts the other short."""
    down, up = ends(parameter, window)
    full = max(-down, up)
    return [by for by in (down, up) if math.isclose(abs(by), full, rel_tol=1e-9)]


__all__ = ["OUTSIDE", "WINDOWS", "curve", "layers", "outside", "slopes", "windows"]

r"""Differences of a measure under a scenario moved a little up and down, with the same random numbers.

Only the paths that could be in the tail are run again: the worst three times $1 - \alpha$ of the base run, sorted anew at each
end and the worst $1 - \alpha$ taken. Near runaway a path's own derivative has no variance to speak of; a difference of expected
shortfalls has.
"""

import math

import numpy as np

from ..parameter import Parameter, moved
from ..scenario import Scenario
from .gradients import Gradient
from .measure import Measure
from .sample import Sample, prepare_lean, top

STEP = 0.02
"""Move of a parameter as a share of its value: large enough for a difference to stand out of single precision and of the jumps
that single paths make, small enough for the measure to be nearly quadratic."""
DISCRETE_STEP = 0.25
"""The same for parameters that numbers of jumps depend on."""
WIDER = 3.0
"""How much more of the base run's paths than the tail are run again."""
MOST_PATH_STEPS = 32_768 * 1440
"""Paths times steps of a mean's difference at most."""


def ends(parameter: Parameter, step: float) -> tuple[float, float]:
    """How far a parameter is moved down and up: by a share of its value, inside its range (then one-sided).

    >>> ends(Parameter("channels.feedback", 1.0, "1", 0.0, 1.0), 0.02)
    (-0.02, 0.0)
    """
    size = step * abs(parameter.value)
    if size == 0.0:
        width = parameter.high - parameter.low
        size = step * width if math.isfinite(width) else step
    down, up = max(-size, parameter.low - parameter.value), min(size, parameter.high - parameter.value)
    return (down, up) if up > down else (-size, size)


def candidates(sample: Sample, measure: Measure, full: bool) -> np.ndarray:
    """Places of the paths to run again."""
    n = len(sample.losses)
    if full:
        return np.arange(n)
    if measure.statistic == "mean":
        return np.arange(min(n, MOST_PATH_STEPS // sample.prepared.scenario.settings.steps))
    beyond = np.mean(sample.losses > measure.level) if measure.statistic == "exceedance_probability" else 1.0 - measure.level
    chosen = top(sample.losses, min(1.0, WIDER * beyond + 20.0 / n))
    # where the last of them ties with others (nothing lost, mostly) nobody knows which of those a move lifts into the tail
    tied = np.count_nonzero(sample.losses == sample.losses[chosen[-1]])
    return np.arange(n) if tied > len(chosen) // 10 else chosen


def bump(
    sample: Sample,
    measure: Measure,
    scenario: Scenario,
    parameters: list[Parameter],
    *,
    step: float = STEP,
    full: bool = False,
    progress=None,
) -> Gradient:
    """Derivatives of a measure by central differences with common random numbers; `full`: over all paths.

    A number of jumps changes on few paths for a small move, and on any: where a parameter of the market has no pathwise
    derivative all paths are run again, and the step is `DISCRETE_STEP`.

    `bias` is the error of the difference's own step as far as twice the step shows it (a third of the difference of both);
    NaN for `full`.
    """
    total = len(sample.losses)
    constants, scores, bias = np.zeros(len(parameters)), [], np.full(len(parameters), math.nan)
    for k, parameter in enumerate(parameters):
        discrete = not parameter.pathwise and parameter.name.startswith("market.")
        size = max(step, DISCRETE_STEP) if discrete else step
        which = candidates(sample, measure, full or discrete)
        at = ends(parameter, size)
        constants[k], score = _slope(sample, measure, scenario, parameter, at, which)
        if not full:
            constant, wider = _slope(sample, measure, scenario, parameter, ends(parameter, 2.0 * size), which)
            bias[k] = (constant + wider.sum() / total - constants[k] - score.sum() / total) / 3.0
        scores.append(np.zeros(total))
        scores[-1][which] = score  # paths that were not run again contribute nothing
        if progress is not None:
            progress(k + 1, len(parameters))
    scores = np.stack(scores, axis=1)
    mean = scores.sum(axis=0) / total
    covariance = (scores.T @ scores / total - np.outer(mean, mean)) / total
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return Gradient(constants + mean, error, covariance, total if full else len(candidates(sample, measure, False)), bias)


def _slope(sample: Sample, measure: Measure, scenario: Scenario, parameter: Parameter, at, which) -> tuple[float, np.ndarray]:
    """The slope of a measure between two values of a parameter: what has no error, and what each path adds to `n` times it."""
    dtype, width = sample.prepared.decay.dtype, at[1] - at[0]

    def losses(by: float) -> np.ndarray:
        if by == 0.0:
            return sample.losses[which]
        return sample.again(prepare_lean(moved(scenario, [parameter], np.array([by])), dtype), which)

    constants, scores = zip(*(influence(losses(by), measure, sample.losses) for by in at), strict=True)
    constant, score = (constants[1] - constants[0]) / width, (scores[1] - scores[0]) / width
    if measure.statistic == "mean":
        # of the paths that were run, not of all
        constant, score = score.mean(), (score - score.mean()) * (len(sample.losses) / len(score))
    return float(constant), score


def influence(losses: np.ndarray, measure: Measure, base: np.ndarray) -> tuple[float, np.ndarray]:
    """A measure of a run of which `losses` hold the tail, as a constant and what each path adds to `n` times the measure.

    **Arguments:** `base`: losses of the whole base run, which say how many paths there are and how dense they lie.
    """
    n = len(base)
    if measure.statistic == "mean":
        return 0.0, losses
    if measure.statistic == "exceedance_probability":
        return 0.0, (losses > measure.level).astype(float)
    order, rank = np.sort(losses)[::-1], max(0, math.ceil(n * (1.0 - measure.level) - 1e-9) - 1)
    edge = order[min(len(order) - 1, rank)]
    if measure.statistic == "expected_shortfall":
        return edge, np.maximum(losses - edge, 0.0) / (1.0 - measure.level)
    # a quantile moves by how many paths cross it, over the density there; one density for both ends of a difference
    half = max(10, int(0.5 * min(rank, n - rank) ** 0.8))
    sorted_base = np.sort(base)[::-1]
    low, high = sorted_base[min(n - 1, rank + half)], sorted_base[max(0, rank - half)]
    density = (min(n - 1, rank + half) - max(0, rank - half)) / (n * max(high - low, 1e-300))
    above = (losses > edge).astype(float) / density
    return edge - above.sum() / n, above


__all__ = ["STEP", "bump", "candidates", "ends", "influence"]

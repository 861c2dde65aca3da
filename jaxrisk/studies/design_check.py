"""From caps that a search found to caps that hold: on the budget, none with slack, and verified on fresh paths."""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ..risk.estimate import Estimate
from ..risk.measure import Measure
from ..risk.sample import Sample, draw_sample, prepare_lean
from ..risk.slopes.bump import MOST_PATH_STEPS, influence
from ..risk.slopes.rerun import OUTSIDE, layers, outside
from .design_cost import Caps

RAISE = 0.05
"""By which no cap can be raised alone."""
AGAIN = 1.3
"""Standard errors of the difference of two runs, by which limits are chosen on the safe side of their own sample: nine of ten
then pass on fresh paths."""


def confidence_of(attempt: int, attempts: int) -> float:
    """One-sided confidence of one of several attempts, so that all together err no more often than one at 95%.

    >>> round(confidence_of(0, 3), 4)
    0.9833
    """
    return 1.0 - 0.05 / attempts


def upper_limit(estimate: Estimate, confidence: float) -> float:
    """Upper end of a one-sided interval, from the standard error, or that of the estimate's own 95% interval where it is higher:
    few paths are skewed."""
    return float(max(estimate.value + NormalDist().inv_cdf(confidence) * estimate.standard_error, estimate.high))


class Sampled(NamedTuple):
    """Caps evaluated with the random numbers of one run, `sample`: of its paths those of the tail are run again, and a sample of
    the others, each for `weight` paths; or all, where those from below the tail matter (`slopes.rerun`).

    The run is at caps a tenth higher, since which paths lose most has to be known there too: under the caps themselves the
    paths that stop just short of where they gather their holders lose nothing, as do most others. For a mean the run is at the
    caps, and differences of some of its paths are carried to all. `exact`: a run of all paths at the caps, or None.
    """

    caps: Caps
    measure: Measure
    x: np.ndarray
    sample: Sample
    weight: np.ndarray
    exact: Sample | None

    @staticmethod
    def draw(caps: Caps, x: np.ndarray, measure: Measure, paths: int, seed: int, first: int, exact: bool = False) -> "Sampled":
        """A run for caps `exp(x)`; `exact`: another for all losses at them."""
        mean = measure.statistic == "mean"
        run = lambda y: draw_sample(caps.at(y), measure.observable, paths, seed, first)
        sample = run(x if mean else np.minimum(x + 2.0 * math.log1p(RAISE), caps.high))
        if mean:
            some = min(paths, MOST_PATH_STEPS // sample.prepared.scenario.settings.steps)
            weight = np.where(np.arange(paths) < some, paths / some, 0.0)
        else:
            weight = layers(sample.losses, measure)
        return Sampled(caps, measure, x, sample, weight, sample if mean else run(x) if exact else None)

    def base(self) -> Estimate:
        """The measure at the caps that were drawn."""
        return self.at(self.x) if self.exact is None else self.measure.estimate(self.exact.losses)

    def at(self, x: np.ndarray) -> Estimate:
        """The measure at other caps."""
        losses, weight = self._again(x)
        if self.measure.statistic == "mean":
            base = self.base()
            difference = float(np.mean(weight * (losses - self.sample.losses)))
            return base._replace(value=base.value + difference, low=base.low + difference, high=base.high + difference)
        found = self.measure.estimate(losses)
        if weight.max() == 1.0:
            return found
        # what those that stand for others too add: little, or all would have been run
        constant, scores = influence(losses, self.measure, self.sample.losses, weight)
        more = float(constant + scores.mean()) - found.value
        return found._replace(value=found.value + more, low=found.low + more, high=found.high + more)

    def _again(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses of all paths at other caps, those of the run where they were not run again, and the weights."""
        base, weight = self.sample.losses, self.weight
        prepared = prepare_lean(self.caps.at(x), self.sample.prepared.decay.dtype)
        losses = base.copy()
        losses[weight > 0.0] = self.sample.again(prepared, np.flatnonzero(weight))
        if self.measure.statistic == "mean" or outside(losses, base, self.measure, weight) <= OUTSIDE:
            return losses, weight
        losses[weight == 0.0] = self.sample.again(prepared, np.flatnonzero(weight == 0.0))
        return losses, np.ones(len(base))

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Differences over 5% up and down of log caps at those that were drawn, and their covariance.

        Not path by path: a cap gathers its holders at one liquidation price, so that a path's own derivative is that of a few
        paths which just reach it, and says nothing of what a rise of 5% does.
        """
        x, step = self.x, math.log1p(RAISE)
        n = len(self.sample.losses)
        values, scores = np.zeros(len(x)), np.zeros((n, len(x)))
        for k in range(len(x)):
            down, up = (_lifted(x, k, move, self.caps.low, self.caps.high) for move in (-step, step))
            width = up[k] - down[k]
            if width > 0.0:
                ends = (self._again(y) for y in (down, up))
                below, above = (influence(losses, self.measure, self.sample.losses, weight) for losses, weight in ends)
                values[k], scores[:, k] = (above[0] - below[0]) / width, (above[1] - below[1]) / width
        mean = scores.sum(axis=0) / n
        return values + mean, (scores.T @ scores / n - np.outer(mean, mean)) / n


def onto(sampled: Sampled, x: np.ndarray, target: float, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Estimate]:
    """Scale all caps together until the measure is just within a target, on the paths of one run (bisection and secants).

    Caps at their maximum, which bind nobody, stay there unless the others alone cannot do it.
    """
    held = x >= high - 1e-9
    shift = lambda t: np.where(held & (t > -2.0), x, np.clip(x + t, low, high))
    below, above = None, None
    t, step, best = 0.0, 0.02, None
    for _ in range(14):
        y = shift(t)
        estimate = sampled.at(y)
        if estimate.value <= target:
            below, best = (t, estimate.value), (y, estimate)
        else:
            above = (t, estimate.value)
        if below is not None and above is not None:
            if abs(above[0] - below[0]) < 2e-4:
                break
            share = (target - below[1]) / max(above[1] - below[1], 1e-300)
            t = below[0] + min(0.9, max(0.1, share)) * (above[0] - below[0])
        else:
            if below is not None and np.all(y >= high - 1e-9):
                break
            t += step if above is None else -step
            step *= 2.0
    return best if best is not None else (shift(t), sampled.at(shift(t)))


def without_slack(
    sampled: Sampled, x: np.ndarray, target: float, high: np.ndarray, most: int = 60
) -> tuple[np.ndarray, list[Estimate]]:
    """Raise single caps by 5% for as long as the measure stays within the target; the measure with each raised once more.

    A cap within 5% of its maximum is raised to it; one at it cannot be raised, and its estimate is that without a change.
    """
    x = x.copy()
    step = math.log1p(RAISE)
    raised: list[Estimate] = []
    for _ in range(most):
        raised = [sampled.at(_lifted(x, k, step, x, high)) for k in range(len(x))]
        slack = [k for k in range(len(x)) if x[k] < high[k] - 1e-9 and raised[k].value <= target]
        if not slack:
            break
        # the one whose raise costs the budget least
        k = min(slack, key=lambda k: raised[k].value)
        x = _lifted(x, k, step, x, high)
    return x, raised


def _lifted(x: np.ndarray, k: int, step: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    y = x.copy()
    y[k] = min(max(y[k] + step, low[k]), high[k])
    return y


__all__ = ["AGAIN", "RAISE", "Sampled", "confidence_of", "onto", "upper_limit", "without_slack"]

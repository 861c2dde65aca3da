"""The tail measures of losses that are not in memory (`stream.Stream`), equal to those of `tail` with their errors.

Of plain Monte Carlo. `tail` calls these where it is given a stream; with weights it loads the losses whole.
"""

import math
from typing import Any

import numpy as np

from .estimate import Estimate, TooFewPathsError, clopper_pearson, z
from .ranks import enough_beyond, interval_ranks, rank_of
from .stream import Stream, added, influence_estimate


def mean(losses: Stream, confidence: float) -> Estimate:
    """As `tail.mean`."""
    if losses.size < 2:
        raise TooFewPathsError("mean from 1 path has no standard error: at least 2 paths are needed", 2)
    return losses.of_influence(lambda part: part, math.nan, confidence)


def conditional_mean(losses: Stream, event: Stream, confidence: float) -> Estimate:
    """As `tail.conditional_mean`."""
    n = losses.size
    pairs = lambda: zip(losses.parts(), event.parts(), strict=True)
    happened = added(inside.sum() for inside in event.parts())
    if happened < 2:
        raise TooFewPathsError(f"the event holds on {int(happened)} of {n} paths: at least 2 are needed", 2)
    share = happened / n
    value = added((inside * part).sum() for part, inside in pairs()) / n / share
    parts = lambda: (value + inside * (part - value) / share for part, inside in pairs())
    return influence_estimate(parts, n, math.nan, confidence)


def quantile(losses: Stream, level: float, confidence: float, what: str) -> Estimate:
    """As `tail.quantile`: the same order statistics."""
    n = losses.size
    value, low, high = losses.order_statistics(interval_ranks(n, level, confidence, what)).tolist()
    return Estimate(value, (high - low) / (2.0 * z(confidence)), low, high, level, n, float(n))


def expected_shortfall(losses: Stream, level: float, confidence: float) -> Estimate:
    """As `tail.expected_shortfall`."""
    enough_beyond(losses.size, level, losses.size * (1.0 - level))
    threshold = float(losses.order_statistics([rank_of(losses.size, level)])[0])
    return losses.of_influence(lambda part: threshold + np.maximum(part - threshold, 0.0) / (1.0 - level), level, confidence)


def exceedance_probability(losses: Stream, levels: Any, confidence: float) -> Estimate:
    """As `tail.exceedance_probability`."""
    levels = np.asarray(levels, dtype=np.float64)
    if np.isnan(levels).any():
        raise ValueError("levels of an exceedance probability must not be NaN")
    return of_counts(losses.size - losses.not_above(levels), losses.size, levels, confidence)


def of_counts(beyond: Any, n: int, levels: np.ndarray, confidence: float) -> Estimate:
    """Exceedance probabilities from how many of `n` paths exceed each level."""
    low, high = clopper_pearson(beyond, n, confidence)
    value = beyond / n
    error = np.sqrt(value * (1.0 - value) / n)
    error = np.where((beyond == 0) | (beyond == n), (high - low) / (2.0 * z(confidence)), error)
    value, error, low, high, levels = (float(x) if levels.ndim == 0 else x for x in (value, error, low, high, levels))
    return Estimate(value, error, low, high, levels, n, float(n))


__all__ = ["conditional_mean", "exceedance_probability", "expected_shortfall", "mean", "of_counts", "quantile"]

"""Distributions of values that carry weights: quantiles, and the lognormal that lies nearest to their upper half."""

import math

import numpy as np
from scipy.special import ndtri

LEVELS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
"""Quantiles to which a lognormal is fitted: the upper half, since the lower is never liquidated."""
_Z = ndtri(LEVELS)


def weighted_quantile(values, weights, probability):
    """Quantiles of values that carry weights, each value at the middle of its own weight.

    >>> float(weighted_quantile([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 0.5))
    2.0
    """
    order = np.argsort(values, kind="stable")
    values, weights = np.asarray(values)[order], np.asarray(weights)[order]
    cumulative = (np.cumsum(weights) - 0.5 * weights) / weights.sum()
    return np.interp(probability, cumulative, values)


def lognormal_fit(values, weights) -> tuple[float, float]:
    """Median and log standard deviation of the lognormal closest, in logs, to the weighted quantiles at `LEVELS`."""
    slope, intercept = np.polyfit(_Z, np.log(weighted_quantile(values, weights, LEVELS)), 1)
    return math.exp(intercept), float(slope)


def log_moments(values, weights) -> tuple[float, float]:
    """Exponential of the weighted mean of logs, and the weighted standard deviation of logs."""
    logs = np.log(values)
    centre = np.average(logs, weights=weights)
    return math.exp(centre), math.sqrt(np.average((logs - centre) ** 2, weights=weights))


__all__ = ["LEVELS", "log_moments", "lognormal_fit", "weighted_quantile"]

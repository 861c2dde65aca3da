"""Errors from independent replicates, where the paths within one are not independent: Sobol points, splitting."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .estimate import Estimate, TooFewPathsError
from .stream import Stream


def by_replicates(
    function: Callable[[Any, Any], Estimate], values: Any, log_weights: Any, replicates: int, confidence: float = 0.95
) -> Estimate:
    r"""A tail measure of all paths, with the error that replicates show: path $i$ belongs to replicate $i \bmod R$.

    The standard error is the spread of the replicates' own estimates over $\sqrt R$, the interval Student's with $R - 1$ degrees
    of freedom. Where a replicate sees nothing (its estimate is 0), where they do not differ, or where one has too few paths for
    the measure, the error stays that of independent paths, which is larger: so too the bound on what no path shows, which points
    that are spread evenly miss less often than independent ones.

    **Arguments:** `function`: of losses and log-weights; `values`: shape `(paths,)`; `log_weights`: same shape, or None;
    `replicates`: $R$; 1 for independent paths.

    >>> from jaxrisk.risk import mean
    >>> found = by_replicates(mean, [1.0, 2.0, 1.2, 2.2], None, replicates=2)
    >>> round(found.value, 6), round(found.standard_error, 6)
    (1.6, 0.5)
    """
    whole = function(values, log_weights)
    if replicates < 2:
        return whole
    streams = isinstance(values, Stream) and log_weights is None
    array = lambda given: None if given is None else np.asarray(given)
    part = lambda given, r: given.every(r, replicates) if streams and given is values else _every(array(given), r, replicates)
    try:
        each = np.array([function(part(values, r), part(log_weights, r)).value for r in range(replicates)])
    except TooFewPathsError:
        return whole
    error, reach = of_spread(each, confidence)
    known = (error > 0.0) & (np.abs(each).min(axis=0) > 0.0)
    floor = np.where(each.min(axis=0) >= 0.0, 0.0, -np.inf)
    low, high = np.maximum(whole.value - reach, floor), whole.value + reach
    chosen = (
        np.where(known, mine, theirs) for mine, theirs in ((error, whole.standard_error), (low, whole.low), (high, whole.high))
    )
    error, low, high = (x if x.ndim else float(x) for x in chosen)
    return whole._replace(standard_error=error, low=low, high=high)


def _every(array: np.ndarray | None, first: int, step: int) -> np.ndarray | None:
    return None if array is None else array[first::step]


def of_spread(each: np.ndarray, confidence: float) -> tuple[Any, Any]:
    """Standard error of the mean of replicates, shape `(replicates, ...)`, and half the length of Student's interval."""
    from scipy.special import stdtrit  # here: a fifth of a second that starting a command should not wait for

    error = each.std(axis=0, ddof=1) / math.sqrt(len(each))
    return error, float(stdtrit(len(each) - 1, 0.5 + confidence / 2.0)) * error


__all__ = ["by_replicates", "of_spread"]

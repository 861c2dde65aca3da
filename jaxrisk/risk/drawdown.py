"""Conditional drawdown at risk: the mean of the worst drawdowns over all times and paths."""

import math
from typing import Any

import numpy as np

from .estimate import Estimate, TooFewPathsError, checked, of_influence
from .tail import LEAST_TAIL_PATHS


def drawdowns(log_price: Any) -> np.ndarray:
    r"""Drawdown at every time, $1 - S_t / \max_{s \le t} S_s$, from log prices of shape `(paths, steps + 1)`.

    >>> import numpy as np
    >>> drawdowns(np.log([[1.0, 2.0, 1.0, 4.0]])).round(3).tolist()
    [[0.0, 0.0, 0.5, 0.0]]
    """
    log_price = np.asarray(log_price, dtype=np.float64)
    return 1.0 - np.exp(log_price - np.maximum.accumulate(log_price, axis=1))


def conditional_drawdown_at_risk(log_price: Any, level: float, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Conditional drawdown at risk: the mean of the worst $1-\alpha$ of the drawdowns, times and paths pooled.

    $$\mathrm{CDaR}_\alpha = \min_q\; q + \frac{1}{1-\alpha}\, E\Big[\frac1T \sum_{t=1}^T (D_t - q)^+\Big]$$

    (Chekhlov, Uryasev and Zabarankin, 2005, over several sample paths, with drawdowns relative to the running maximum.) It
    counts how long a drawdown lasts as well as how deep it goes, and lies between the mean drawdown ($\alpha \to 0$) and the
    deepest. The tail of each path's *deepest* drawdown is another measure: `expected_shortfall` of `max_drawdown`. Times of
    one path hang together, so the standard error counts paths, not times; the interval is corrected for skewness.

    **Arguments:**

    - `log_price`: shape `(paths, steps + 1)`, the initial one first.
    - `level`: $\alpha$ in (0, 1).
    - `log_weights`: shape `(paths,)`, or None.

    **Raises:** `ValueError` for bad input, and `TooFewPathsError` where fewer than ten paths reach the worst $1-\alpha$.

    >>> import numpy as np
    >>> paths = np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, (400, 101)), axis=1)
    >>> estimate = conditional_drawdown_at_risk(paths, 0.9)
    >>> round(estimate.value, 2), estimate.standard_error < 0.01, estimate.paths
    (0.14, True, 400)
    """
    array = np.asarray(log_price, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(f"log_price must have shape (paths, steps + 1) with at least one step, and has {array.shape}")
    # A path whose price is not finite anywhere shows in its sum.
    _, weights = checked(array.sum(axis=1), log_weights, confidence, level)
    paths, depth = array.shape[0], drawdowns(array)[:, 1:]
    threshold = _quantile(depth, weights, level)
    reach = (depth > threshold).any(axis=1) & (True if weights is None else weights > 0.0)
    if paths < 2 or (reach.sum() < LEAST_TAIL_PATHS and depth.max() > depth.min()):
        count = max(int(reach.sum()), 1)
        needed = max(math.ceil(paths * LEAST_TAIL_PATHS / count), paths + 1)
        raise TooFewPathsError(
            f"conditional drawdown at risk at level {level:g} rests on {reach.sum()} of {paths:,} paths: {LEAST_TAIL_PATHS} are "
            f"needed beyond the level, and so about {needed:,} paths",
            needed,
        )
    excess = np.maximum(depth - threshold, 0.0).mean(axis=1) / (1.0 - level)
    influence = threshold + (excess if weights is None else weights * excess)
    return of_influence(influence, depth[:, 0], weights, level, confidence)


def _quantile(depth: np.ndarray, weights: Any, level: float) -> float:
    """The pooled drawdowns' quantile; the measure is least there, so that its error is of second order."""
    if weights is None:
        rank = min(max(math.ceil(depth.size * level * (1.0 - 1e-12)) - 1, 0), depth.size - 1)
        return float(np.partition(depth, rank, axis=None)[rank])
    order = np.argsort(depth, axis=None)
    after = np.cumsum(np.repeat(weights, depth.shape[1])[order][::-1])[::-1] / depth.size
    beyond = np.append(after[1:], 0.0)
    return float(depth.ravel()[order][np.argmax(beyond <= (1.0 - level) * (1.0 + 1e-12))])


__all__ = ["conditional_drawdown_at_risk", "drawdowns"]

"""Expectile: the level that balances what lies above it against what lies below, as a mean does evenly."""

import math
from typing import Any

import numpy as np

from .estimate import Estimate, TooFewPathsError, by_level, checked, of_influence
from .tail import LEAST_TAIL_PATHS


@by_level
def expectile(losses: Any, level: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Expectile $e$ at level $\tau$ (Newey and Powell, 1987): where $\tau E[(L-e)^+] = (1-\tau) E[(e-L)^+]$, or

    $$(2\tau - 1)\,E[(L - e)^+] = (1-\tau)\,(e - E[L]).$$

    The one law-invariant risk measure besides the mean that is both coherent (for $\tau \ge 1/2$) and elicitable (Bellini and
    Di Bernardino, 2017). The second form holds the weights as they are; it is piecewise linear in $e$ and solved exactly.
    The standard error is that of the influence function, $[(2\tau-1) w_i (L_i-e)^+ - (1-\tau)(e - w_i L_i)]$ over
    $(1-\tau) + (2\tau-1) P(L > e)$; the interval is corrected for skewness as in `mean`. Levels below 1/2 mirror the losses.

    **Arguments:**

    - `losses`: shape `(paths,)`, finite.
    - `level`: $\tau$ in (0, 1); 1/2 gives the mean.
    - `log_weights`: shape `(paths,)`, or None.

    **Raises:** `ValueError` for bad input, and `TooFewPathsError` where fewer than ten paths lie beyond the expectile.

    >>> losses = [0.0] * 50 + [1.0] * 50
    >>> [round(expectile(losses, level).value, 9) for level in (0.2, 0.5, 0.8)]
    [0.2, 0.5, 0.8]
    """
    losses, weights = checked(losses, log_weights, confidence, level)
    if losses.size < 2:
        raise TooFewPathsError("expectile from 1 path has no standard error: at least 2 paths are needed", 2)
    side, height = (1.0, level) if level >= 0.5 else (-1.0, 1.0 - level)
    mirrored, heavy = side * losses, np.ones_like(losses) if weights is None else weights
    value = _root(mirrored, heavy, height)
    above = (mirrored > value) & (heavy > 0.0)
    if 0 < above.sum() < LEAST_TAIL_PATHS:
        needed = math.ceil(losses.size * LEAST_TAIL_PATHS / above.sum())
        raise TooFewPathsError(
            f"expectile at level {level:g} from {losses.size:,} paths has {above.sum()} of them beyond it: {LEAST_TAIL_PATHS} "
            f"are needed, and so about {needed:,} paths",
            needed,
        )
    score = (2.0 * height - 1.0) * heavy * np.maximum(mirrored - value, 0.0) - (1.0 - height) * (value - heavy * mirrored)
    slope = (1.0 - height) + (2.0 * height - 1.0) * float((heavy * above).mean())
    found = of_influence(side * (value + score / slope), losses, weights, level, confidence)
    return found._replace(value=side * value)  # the scores' mean is zero but for rounding


def _root(losses: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The expectile of weighted losses at a level of at least 1/2."""
    order = np.argsort(losses)
    ordered, weights = losses[order], weights[order] / losses.size
    mass, first = (np.cumsum(each[::-1])[::-1] for each in (weights, weights * ordered))
    upper, lower = 2.0 * level - 1.0, 1.0 - level
    balance = upper * (first - ordered * mass) - lower * (ordered - first[0])  # falls from one loss to the next
    place = int(np.argmax(balance <= 0.0))
    if balance[place] > 0.0:  # weights that add up to more than the number of paths can carry the mean past every loss
        return float(first[0])
    return float((upper * first[place] + lower * first[0]) / (upper * mass[place] + lower))


__all__ = ["expectile"]

"""Which order statistics a quantile and its interval are, and whether there are enough."""

import math

import numpy as np

from .estimate import TooFewPathsError

LEAST_TAIL_PATHS = 10
"""Fewest paths beyond the level for an expected shortfall: with fewer, its standard error says little."""


def rank_of(n: int, level: float) -> int:
    """Zero-based rank of the quantile, forgiving the rounding of n times level."""
    return min(max(math.ceil(n * level * (1.0 - 1e-12)) - 1, 0), n - 1)


def interval_ranks(n: int, level: float, confidence: float, what: str) -> tuple[int, int, int]:
    """Zero-based ranks of a quantile and of both ends of its exact binomial interval.

    **Raises:** `TooFewPathsError` where that does not end inside the sample; `what`: what the quantile is called there.
    """
    from scipy.special import bdtr

    tail = (1.0 - confidence) / 2.0
    centre, spread = n * level, 8.0 * math.sqrt(n * level * (1.0 - level)) + 10.0
    counts = np.arange(max(math.floor(centre - spread), 0), min(math.ceil(centre + spread), n) + 1)
    below = bdtr(counts.astype(np.float64), n, level)
    lower = counts[np.searchsorted(below, tail, side="right")]
    upper = counts[np.searchsorted(below, 1.0 - tail, side="left")] + 1
    if lower < 1 or upper > n:
        needed = math.floor(max(math.log(tail) / math.log(level), math.log(tail) / math.log1p(-level))) + 1
        raise too_few(what, level, n, needed)
    return rank_of(n, level), int(lower) - 1, int(upper) - 1


def enough_beyond(n: int, level: float, beyond: float) -> None:
    """Raise `TooFewPathsError` where an expected shortfall rests on too few paths."""
    if beyond < LEAST_TAIL_PATHS - 1e-6:
        needed = math.ceil(n * LEAST_TAIL_PATHS / beyond - 1e-6)
        raise TooFewPathsError(
            f"expected shortfall at level {level:g} from {n:,} paths rests on fewer than {LEAST_TAIL_PATHS} paths: "
            f"at least {needed:,} paths are needed",
            needed,
        )


def too_few(what: str, level: float, n: int, needed: int) -> TooFewPathsError:
    """The error where an interval does not end inside a sample."""
    needed = max(needed, n + 1)
    return TooFewPathsError(
        f"{what} at level {level:g} has no confidence interval inside {n:,} paths: at least {needed:,} paths are needed", needed
    )


__all__ = ["LEAST_TAIL_PATHS", "enough_beyond", "interval_ranks", "rank_of", "too_few"]

"""How well two hourly series go together in time and in size, with errors that respect that hours are not independent."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

BLOCK = 12
"""Mean length of a block of the bootstrap, hours."""
DRAWS = 2000
TOP = 5
"""Largest hours, whose share says how concentrated a series is."""
LEAST_SHIFT = 3
"""Hours by which a series has to be turned to count as out of step."""
TIE = 1e-12
"""Correlations that differ by rounding only count as equal."""


class Timing(NamedTuple):
    """Whether implied and observed liquidations come in the same hours.

    **Fields:** `asset`; `side`: "long", "short" or "both"; `pearson`: of square roots, which a few large hours do not rule;
    `spearman`: of ranks; their `_error`, standard, by a stationary bootstrap of hours; and `_p`: share of circular shifts of one
    series against the other, of 3 hours and more, that go together as well, at the least one over their number. `move_pearson`,
    `move_spearman`: what the hour's own move does without any book (its fall from open to low for longs, its rise for shorts, its
    range for both).
    """

    asset: str
    side: str
    pearson: float
    pearson_error: float
    pearson_p: float
    spearman: float
    spearman_error: float
    spearman_p: float
    move_pearson: float
    move_spearman: float


class Size(NamedTuple):
    """What was liquidated, coins. `kappa`: implied over observed, with the ends `low` and `high` of its 95% interval by a
    stationary bootstrap of hours, rough where one unwind rules; `day`: the same in the 24 hours of the widest range of prices;
    `implied_top`, `observed_top`: share of the 5 largest hours of each."""

    asset: str
    side: str
    implied: float
    observed: float
    kappa: float
    low: float
    high: float
    day: float
    implied_top: float
    observed_top: float


class Interest(NamedTuple):
    """Open interest, fractions of coins. `implied`, `observed`: largest fall from the highest before; `implied_then`: the book's
    between the two hours of the observed one; `correlation`: of hourly changes, Pearson, with its `p` by circular shifts."""

    asset: str
    implied: float
    observed: float
    implied_then: float
    correlation: float
    p: float


def timing(asset: str, side: str, implied: np.ndarray, observed: np.ndarray, move: np.ndarray, seed: int = 1) -> Timing:
    """Of hourly quantities of the same hours and the hours' own moves, `(hours,)`; hours with NaN are left out."""
    found, rivals = [], []
    used = np.isfinite(implied) & np.isfinite(observed)
    rows = blocks(np.count_nonzero(used), seed)
    for to in (np.sqrt, rankdata):
        x, y, z = (to(each[used]) for each in (implied, observed, move))
        found += [correlation(x, y), _spread(_rows(x[rows], y[rows])), shift_p(x, y)]
        rivals.append(correlation(z, y))
    return Timing(asset, side, *found, *rivals)


def size(asset: str, side: str, implied: np.ndarray, observed: np.ndarray, day: np.ndarray, seed: int = 1) -> Size:
    """Of hourly quantities, `(hours,)`; `day`: which hours are the day's, booleans."""
    x, y = _whole(implied, observed)
    rows = blocks(len(x), seed)
    drawn = x[rows].sum(1) / np.maximum(y[rows].sum(1), 1e-300)
    low, high = np.quantile(drawn, [0.025, 0.975])
    then = _whole(np.where(day, implied, np.nan), observed)
    top = [float(np.sort(each)[-TOP:].sum() / each.sum()) if each.sum() > 0.0 else float("nan") for each in (x, y)]
    return Size(asset, side, float(x.sum()), float(y.sum()), _ratio(x, y), float(low), float(high), _ratio(*then), *top)


def interest(asset: str, implied: np.ndarray, observed: np.ndarray) -> Interest:
    """Of coins at the start and at the end of each hour, `(hours + 1,)`."""
    steps = np.diff(np.log(implied)), np.diff(np.log(observed))
    x, y = _whole(*steps)
    known = np.where(np.isfinite(observed), observed, -np.inf)
    fall = 1.0 - np.where(np.isfinite(observed), observed, np.inf) / np.maximum.accumulate(known)
    low = int(np.argmax(fall))
    high = int(np.argmax(known[: low + 1]))
    own = 1.0 - implied / np.maximum.accumulate(implied)
    then = 1.0 - implied[low] / implied[high]
    return Interest(asset, float(own.max()), float(fall[low]), float(then), correlation(x, y), shift_p(x, y))


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's; NaN where one of them does not vary."""
    return float(_rows(x[None], y[None])[0])


def shift_p(x: np.ndarray, y: np.ndarray) -> float:
    """One-sided: how often the series, turned against each other by 3 hours and more, are as correlated."""
    shifts = np.arange(LEAST_SHIFT, len(x) - LEAST_SHIFT + 1)
    turned = (np.arange(len(x)) + shifts[:, None]) % len(x)
    others = _rows(x[turned], np.broadcast_to(y, turned.shape))
    return float((1 + np.count_nonzero(others >= correlation(x, y) - TIE)) / (1 + len(shifts)))


def blocks(hours: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Rows of a stationary bootstrap (Politis and Romano, 1994, JASA 89, 1303), `(draws, hours)`."""
    random = np.random.default_rng(seed)
    fresh = random.random((draws, hours)) < 1.0 / BLOCK
    fresh[:, 0] = True
    begin = np.where(fresh, np.arange(hours), 0)
    begin = np.maximum.accumulate(begin, axis=1)
    first = np.take_along_axis(random.integers(0, hours, (draws, hours)), begin, axis=1)
    return (first + np.arange(hours) - begin) % hours


def _whole(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    used = np.isfinite(x) & np.isfinite(y)
    return x[used], y[used]


def _ratio(x: np.ndarray, y: np.ndarray) -> float:
    return float(x.sum() / y.sum()) if y.sum() > 0.0 else float("nan")


def _spread(found: np.ndarray) -> float:
    found = found[np.isfinite(found)]
    return float(np.std(found)) if len(found) > 1 else float("nan")


def _rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's by row."""
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    scale = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return np.where(scale > 0.0, (x * y).sum(1) / np.where(scale > 0.0, scale, 1.0), np.nan)


__all__ = ["Interest", "Size", "Timing", "blocks", "correlation", "interest", "shift_p", "size", "timing"]

r"""Simultaneous confidence band of an exceedance curve: the confidence that each point needs for all to hold at once.

The band is the curve's own pointwise intervals at a higher confidence $1 - \eta$, the same at every loss ("equal local levels").
It is as narrow in the tail as anywhere, where the band of Dvoretzky, Kiefer and Wolfowitz, of constant height, says nothing.

- **Plain.** $\eta$ is that of Aldor-Noiman et al. (2013, *The power to see*), related to Berk and Jones (1979): the intervals of
  Clopper and Pearson at $1-\eta$ hold for every loss at once if and only if each order statistic of uniforms lies within
  its beta quantiles. The probability of that is found without simulation (`coverage`).
- **Weighted.** $\eta$ is the exceedance of the 95% quantile of $\sup_x |G(x)|$, $G$ the Gaussian process with the correlation of
  the estimates (a Gaussian multiplier bootstrap; van der Vaart and Wellner, 1996, section 2.9), drawn with a fixed seed.
  Where the tail counts few paths the intervals are `weighted_limits`, since a normal one at such a confidence would miss.
"""

import functools
import math
from typing import Any

import numpy as np

EXACT = 2_000
"""Greatest number of paths for which the recursion runs over all order statistics; see `coverage`."""
DRAWS = 2_000
"""Multiplier draws: their noise moves the band's coverage by half a percentage point (one standard error)."""
STEP = 0.01
"""Log of the number of paths from one point of the weighted process to the next: neighbours have a correlation of 0.995."""


NEIGHBOURS = 10
"""Paths whose weights say how heavy one that was not seen would be."""


@functools.lru_cache(maxsize=64)
def local_confidence(paths: int, confidence: float = 0.95) -> float:
    """Confidence of each pointwise interval that makes all of them hold at once with probability `confidence`.

    >>> round(local_confidence(1), 6), round(local_confidence(100), 4)
    (0.95, 0.9978)
    """
    from scipy.optimize import brentq

    def missing(log_local: float) -> float:
        return coverage(paths, math.exp(log_local)) - confidence

    low, high = math.log((1.0 - confidence) / paths / 2.0), math.log(1.0 - confidence)
    if missing(high) >= 0.0:
        return confidence
    return 1.0 - math.exp(float(brentq(missing, low, high, xtol=1e-4)))  # type: ignore


def coverage(paths: int, local: float) -> float:
    r"""Probability that all of `paths` uniform order statistics lie within their beta quantiles at `local`/2 and 1 - `local`/2.

    Up to `EXACT` by the recursion of Moscovich and Nadler (2017) over a Poisson process. Beyond, the standardised process is
    locally the stationary Ornstein-Uhlenbeck one in $\log n$ (Jaeschke, 1979): each further factor in $n$ multiplies the
    probability by the same number, which the step from a quarter of `EXACT` to `EXACT` gives.
    """
    if paths <= EXACT:
        return _crossing_free(paths, local)
    least, most = _crossing_free(EXACT // 4, local), _crossing_free(EXACT, local)
    return most * math.exp(math.log(most / least) * math.log(paths / EXACT) / math.log(4.0)) if most > 0.0 else 0.0


def _crossing_free(paths: int, local: float) -> float:
    """The probability, by walking the count of a Poisson process of rate `paths` past every bound, lowest first."""
    from scipy.special import betaincinv, gammaln

    rank = np.arange(1.0, paths + 1.0)
    least, most = (betaincinv(rank, paths - rank + 1.0, tail) for tail in (0.5 * local, 1.0 - 0.5 * local))
    at = np.append(least, most)
    order = np.argsort(at, kind="stable")
    gaps = paths * np.diff(at[order], prepend=0.0)
    factorials = gammaln(np.arange(paths + 2.0) + 1.0)
    first, mass = 0, np.ones(1)  # the probabilities of the counts from `first` on
    for bound, gap in zip(order.tolist(), gaps.tolist(), strict=True):
        arrivals = np.arange(int(gap + 9.0 * math.sqrt(gap) + 9.0))
        arrivals = arrivals[: paths + 1]
        mass = np.convolve(mass, np.exp(arrivals * math.log(max(gap, 1e-300)) - gap - factorials[arrivals]))
        if bound < paths:  # the order statistic of rank bound + 1 comes after this point: the count is at most bound
            mass = mass[: bound - first + 1]
        elif bound - paths + 1 > first:  # that of rank bound - paths + 1 came before
            mass, first = mass[bound - paths + 1 - first :], bound - paths + 1
        if not mass.size:
            return 0.0
    left = paths - paths * float(at[order[-1]])
    missing = paths - np.arange(first, min(first + mass.size, paths + 1))
    last = np.exp(missing * math.log(max(left, 1e-300)) - left - factorials[missing])
    total = float(mass[: missing.size] @ last)
    return total / math.exp(paths * math.log(paths) - paths - factorials[paths])


def weighted_confidence(losses: np.ndarray, weights: np.ndarray, confidence: float = 0.95) -> float:
    """As `local_confidence`, for the mean of `weights` over the losses beyond each loss; arrays of shape `(paths,)`."""
    from scipy.special import ndtr

    heavy = weights[np.argsort(-losses, kind="stable")]
    # Of the estimate beyond the k-th greatest loss: mean, and mean of squares. Points lie closer than its error moves.
    first, second = np.cumsum(heavy) / heavy.size, np.cumsum(heavy**2) / heavy.size
    number = np.arange(1, heavy.size + 1)
    ratio = np.unique(np.round(np.exp(np.arange(0.0, math.log(heavy.size) + STEP, STEP))).astype(int))
    places = np.unique(np.clip(np.concatenate([ratio, heavy.size - ratio, number[-1:]]), 1, heavy.size)) - 1
    variance = second[places] - first[places] ** 2
    kept = variance > 1e-9 * second[places]
    if not kept.any():
        return confidence
    # Sums of w g over the blocks between points, and the sum of g, which goes with them as the blocks' means say.
    rise, spread = (np.diff(each[places], prepend=0.0) for each in (first, second))
    spread = np.maximum(spread, 1e-300)
    alone = math.sqrt(max(1.0 - float((rise**2 / spread).sum()), 0.0))
    random, greatest = np.random.default_rng(0), []
    for _ in range(DRAWS // 250):
        steps = random.standard_normal((250, places.size)) * np.sqrt(spread)
        total = steps @ (rise / spread) + alone * random.standard_normal(250)
        process = np.cumsum(steps, axis=1)[:, kept] - np.outer(total, first[places][kept])
        greatest.append((np.abs(process) / np.sqrt(variance[kept])).max(axis=1))
    return 2.0 * float(ndtr(np.quantile(np.concatenate(greatest), confidence))) - 1.0


def weighted_limits(losses: np.ndarray, weights: np.ndarray, levels: np.ndarray, confidence: float) -> tuple[Any, Any]:
    """Both ends of the probability beyond each of `levels` at a confidence near 1, where the tail counts few paths.

    Clopper and Pearson's with the effective numbers that give the estimate its variance (Korn and Graubard, 1998). The upper end
    adds one path more, as heavy as the heaviest of the `NEIGHBOURS` next ones: the weight of what was not seen at this depth.

    **Returns:** lower and upper ends of the shape of `levels`; NaN where the estimate is at least one half.
    """
    from scipy.special import betaincinv

    n, order = losses.size, np.argsort(-losses, kind="stable")
    heavy, tail = weights[order] / n, (1.0 - confidence) / 2.0
    first, second = (np.append(0.0, np.cumsum(each)) for each in (heavy, n * heavy**2))
    padded = np.append(heavy, np.full(NEIGHBOURS, heavy[-1]))
    unseen = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS).max(axis=1)
    kept = first < 0.5
    ends = []
    for mean, square, most in ((first, second, False), (first + unseen, second + n * unseen**2, True)):
        mean, square = mean[kept], square[kept]
        with np.errstate(invalid="ignore", divide="ignore"):
            number = n * np.where(mean > 0.0, mean * (1.0 - mean) / (square - mean**2), 0.0)
            end = betaincinv(number * mean, np.maximum(number * (1.0 - mean) + 1.0, 0.5), 1.0 - tail if most else tail)
        ends.append(np.where(mean > 0.0, end, 0.0))
    # A bound at one loss bounds the curve, which falls, at all greater or lesser ones.
    low, high = np.full((2, n + 1), np.nan)
    low[kept], high[kept] = np.maximum.accumulate(ends[0]), np.minimum.accumulate(ends[1][::-1])[::-1]
    beyond = n - np.searchsorted(losses[order][::-1], levels, side="right")
    return low[beyond], high[beyond]


def simultaneous_confidence(losses: np.ndarray, weights: Any, confidence: float) -> float:
    """The confidence of the pointwise intervals that makes a band of them; see the module."""
    if weights is None or np.ptp(weights) <= 1e-9 * weights.max():
        return local_confidence(losses.size, confidence)
    return weighted_confidence(losses, weights, confidence)


__all__ = ["coverage", "local_confidence", "simultaneous_confidence", "weighted_confidence", "weighted_limits"]

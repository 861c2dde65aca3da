r"""Mean, quantiles, expected shortfall and exceedance probabilities of a sample of losses, each with a 95% interval.

Losses are positive when bad; every measure looks at the upper tail. `log_weights` are $\log(dP/dQ)$ of paths drawn under
$Q$ (importance sampling); without them the sample is plain. The weights are used **as they are**, not normalised to sum
to the number of paths: $P(L > x)$ is estimated by the mean of $w\,1\{L > x\}$, which is unbiased and in the tail free of
the noise that the weights carry elsewhere (Glynn, 1996). They must therefore be proper likelihood ratios; weights known
only up to a constant are not supported. The other side of that coin: paths tilted so far to the tail that
`effective_paths` is a small share of them say little about the mean, whose interval is then too short.

Host code in float64: it runs once, over per-path losses, and takes milliseconds.
"""

import math
from typing import Any

import numpy as np

from . import streamed
from .band import local_confidence, simultaneous_confidence, weighted_limits
from .estimate import (
    Estimate,
    TooFewPathsError,
    by_level,
    checked,
    clopper_pearson,
    from_moments,
    kish,
    of_influence,
    skewed_interval,
    z,
)
from .ranks import LEAST_TAIL_PATHS as LEAST_TAIL_PATHS, enough_beyond, interval_ranks, rank_of, too_few
from .stream import Stream


def effective_paths(log_weights: Any) -> float:
    r"""Kish's effective number of paths, $(\sum w)^2 / \sum w^2$, at most the number of paths.

    >>> effective_paths([0.0, 0.0, 0.0])
    3.0
    """
    weights = np.exp(np.asarray(log_weights, dtype=np.float64) - np.max(log_weights))
    return float(weights.sum() ** 2 / (weights**2).sum())


def mean(losses: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Mean loss, $\frac1n \sum w_i L_i$.

    The interval corrects the normal one for the skewness of the sample (Hall, 1992, *On the removal of skewness by
    transformation*): losses that are zero on most paths would otherwise be covered too rarely. A sample without any
    variation has standard error 0; `exceedance_probability` bounds what it may have missed.

    **Arguments:**

    - `losses`: shape `(paths,)`, finite.
    - `log_weights`: shape `(paths,)`, or None.

    **Raises:** `ValueError` for empty, non-finite or mismatched input, or a single path.

    >>> estimate = mean([1.0, 2.0, 3.0])
    >>> estimate.value, round(estimate.standard_error, 4)
    (2.0, 0.5774)
    """
    if _streams(losses, log_weights, confidence):
        return streamed.mean(losses, confidence)
    losses, weights = checked(losses, log_weights, confidence)
    if losses.size < 2:
        raise TooFewPathsError("mean from 1 path has no standard error: at least 2 paths are needed", 2)
    return of_influence(losses if weights is None else weights * losses, losses, weights, math.nan, confidence)


def conditional_mean(losses: Any, event: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Mean loss on the paths where `event` holds, $\sum w_i 1_i L_i / \sum w_i 1_i$, with the ratio's delta-method error.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `event`: booleans, shape `(paths,)`.

    **Raises:** `ValueError` as `mean` does, and where the event holds on fewer than two paths.

    >>> conditional_mean([0.0, 0.0, 1.0, 3.0], [False, False, True, True]).value
    2.0
    """
    if _streams(losses, log_weights, confidence) and isinstance(event, Stream):
        return streamed.conditional_mean(losses, event, confidence)
    losses, weights = checked(losses, log_weights, confidence)
    event = np.asarray(event, dtype=bool)
    if event.shape != losses.shape:
        raise ValueError(f"event has shape {event.shape}, losses have {losses.shape}: one boolean a path is needed")
    if event.sum() < 2:
        raise TooFewPathsError(f"the event holds on {int(event.sum())} of {losses.size} paths: at least 2 are needed", 2)
    inside = event * (1.0 if weights is None else weights)
    share = inside.mean()
    value = float((inside * losses).mean() / share)
    return of_influence(value + inside * (losses - value) / share, losses, weights, math.nan, confidence)


@by_level
def quantile(losses: Any, level: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Quantile: the least $x$ with $P(L > x) \le 1 - \alpha$.

    Plain: the order statistic of rank $\lceil n\alpha \rceil$, with the exact binomial interval between order statistics
    (conservative by less than one rank; never shorter than nominal where there are ties). Weighted: the interval holds
    every $x$ whose exceedance probability, by the central limit theorem under the hypothesis that it is $1-\alpha$, is
    not rejected. The standard error is the interval's length over $2z$, which needs no density estimate and is 0 where
    the quantile sits well inside an atom.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `level`: $\alpha$ in (0, 1), or an array of them; the fields of the result have its shape.

    **Raises:** `ValueError`, also where the paths are too few for the interval to end inside the sample; the message says
    how many are needed.

    >>> quantile(range(1, 1001), 0.99)[:4]  # doctest: +ELLIPSIS
    (990.0, 3.57..., 983.0, 997.0)
    """
    return _checked_quantile(losses, log_weights, level, confidence, "quantile")


@by_level
def value_at_risk(losses: Any, level: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    """Value at risk: the loss's quantile at `level` (see `quantile`, which it equals).

    >>> value_at_risk(range(1, 1001), 0.95).value
    950.0
    """
    return _checked_quantile(losses, log_weights, level, confidence, "value at risk")


@by_level
def expected_shortfall(losses: Any, level: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Expected shortfall: the mean of the worst $1 - \alpha$ of the losses.

    $$\mathrm{ES}_\alpha = q + \frac{1}{1-\alpha} E\big[(L - q)^+\big], \qquad q = \mathrm{VaR}_\alpha$$

    (Rockafellar and Uryasev, 2002, which holds with atoms too.) As the right side is least at $q$, the estimated $q$ adds
    nothing to the error at first order: the influence of path $i$ is $w_i (L_i - q)^+ / (1-\alpha)$, and its variance
    over $n$ the squared standard error. The interval is corrected for skewness as in `mean`.

    **Arguments:** as for `quantile`.

    **Raises:** `ValueError`, also where fewer than ten paths lie beyond the level.

    >>> expected_shortfall(range(1, 1001), 0.99).value
    995.5
    """
    if _streams(losses, log_weights, confidence, level):
        return streamed.expected_shortfall(losses, level, confidence)
    losses, weights = checked(losses, log_weights, confidence, level)
    if weights is None:
        threshold, beyond = _quantile_value(losses, level), losses.size * (1.0 - level)
    else:
        threshold = _weighted_quantile(losses, weights, level)[0]
        beyond = np.count_nonzero((losses >= threshold) & (weights > 0.0))
    enough_beyond(losses.size, level, float(beyond))
    excess = np.maximum(losses - threshold, 0.0) / (1.0 - level)
    influence = threshold + (excess if weights is None else weights * excess)
    return of_influence(influence, losses, weights, level, confidence)


def exceedance_probability(losses: Any, levels: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Probability that the loss exceeds each of `levels`, $P(L > x)$.

    Plain: Clopper and Pearson's (1934) exact interval. Where no path (or every path) exceeds a level the value is 0 (or 1),
    the interval still ends where the data allow (no path of $n$: about $3.7/n$), and the standard error given is the
    interval's length over $2z$ rather than zero. Weighted: central limit theorem with the skewness correction, and where
    no path exceeds the level the plain bound times the largest weight.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `levels`: a loss, or an array of them; the fields of the result have its shape.

    >>> estimate = exceedance_probability([0.0] * 1000, 0.1)
    >>> estimate.value, round(estimate.high, 5)
    (0.0, 0.00368)
    """
    if _streams(losses, log_weights, confidence):
        return streamed.exceedance_probability(losses, levels, confidence)
    losses, weights = checked(losses, log_weights, confidence)
    levels = np.asarray(levels, dtype=np.float64)
    if np.isnan(levels).any():
        raise ValueError("levels of an exceedance probability must not be NaN")
    n = losses.size
    order = np.argsort(losses)
    beyond = n - np.searchsorted(losses[order], levels, side="right")
    if weights is None:
        return streamed.of_counts(beyond, n, levels, confidence)
    high = clopper_pearson(beyond, n, confidence)[1]
    suffix = [np.append(np.cumsum(weights[order][::-1] ** k)[::-1], 0.0)[n - beyond] / n for k in (1, 2, 3)]
    value, error, skewness = from_moments(suffix[0], suffix[1], suffix[2], n)
    seen_low, seen_high = skewed_interval(value, error, skewness, confidence)
    high = np.where(beyond == 0, high * weights.max(), np.minimum(seen_high, 1.0))
    low = np.where(beyond == 0, 0.0, np.maximum(seen_low, 0.0))
    value = np.minimum(value, 1.0)  # the weights' mean may exceed one by chance
    low = np.minimum(low, value)
    error = np.where(beyond == 0, (high - low) / (2.0 * z(confidence)), error)
    value, error, low, high, levels = (float(x) if levels.ndim == 0 else x for x in (value, error, low, high, levels))
    return Estimate(value, error, low, high, levels, n, kish(weights))


def exceedance_curve(
    losses: Any,
    levels: Any = None,
    log_weights: Any = None,
    confidence: float = 0.95,
    points: int = 200,
    simultaneous: bool = False,
) -> Estimate:
    """The curve of `exceedance_probability` over losses, with pointwise intervals or a band that holds at every loss at once.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `levels`: losses at which to read the curve; by default `points` from the least to the greatest loss seen, dense
      in the tail.
    - `simultaneous`: whether `low` and `high` shall hold together at all losses, seen or not, with probability `confidence`:
      intervals of the same kind at the higher confidence that `band` says, equally sharp in the tail and the body.

    >>> curve = exceedance_curve([1.0, 2.0, 3.0, 4.0], levels=[0.0, 2.5])
    >>> curve.value.tolist()
    [1.0, 0.5]
    """
    streams = _streams(losses, log_weights, confidence)
    losses, weights = (losses, None) if streams else checked(losses, log_weights, confidence)
    if levels is None:
        shares = np.geomspace(1.0 / losses.size, 1.0, points // 2)
        ranks = np.clip(np.round(losses.size * (1.0 - shares)).astype(int), 0, losses.size - 1)
        seen = losses.order_statistics(ranks) if streams else np.sort(losses)[ranks]
        levels = np.unique(np.append(seen, np.linspace(losses.min(), losses.max(), points - points // 2)))
    curve = exceedance_probability(losses, np.atleast_1d(levels), log_weights, confidence)
    if not simultaneous:
        return curve
    wider = local_confidence(losses.size, confidence) if streams else simultaneous_confidence(losses, weights, confidence)
    band = exceedance_probability(losses, curve.level, log_weights, wider)
    low, high = band.low, band.high
    if weights is not None:
        in_tail = weighted_limits(losses, weights, curve.level, wider)
        low, high = (np.where(np.isnan(mine), theirs, mine) for mine, theirs in zip(in_tail, (low, high), strict=True))
    return curve._replace(low=np.minimum(low, curve.low), high=np.maximum(high, curve.high))


def _streams(losses: Any, log_weights: Any, confidence: float, level: float | None = None) -> bool:
    """Whether losses are read part by part, once the other arguments are checked."""
    if not isinstance(losses, Stream) or log_weights is not None:
        return False
    checked(np.zeros(1) if losses.size else np.zeros(0), None, confidence, level)
    return True


def _quantile_value(losses: np.ndarray, level: float) -> float:
    rank = rank_of(losses.size, level)
    return float(np.partition(losses, rank)[rank])


def _checked_quantile(losses: Any, log_weights: Any, level: float, confidence: float, what: str) -> Estimate:
    if _streams(losses, log_weights, confidence, level):
        return streamed.quantile(losses, level, confidence, what)
    losses, weights = checked(losses, log_weights, confidence, level)
    return _quantile(losses, weights, level, confidence, what)


def _quantile(losses: np.ndarray, weights: Any, level: float, confidence: float, what: str) -> Estimate:
    n = losses.size
    if weights is None:
        ranks = list(interval_ranks(n, level, confidence, what))
        parted = np.partition(losses, ranks)
        value, low, high = (float(parted[rank]) for rank in ranks)
        effective = float(n)
    else:
        value, low, high, needed = _weighted_quantile(losses, weights, level, z(confidence))
        effective = kish(weights)
        if needed > n or not np.isfinite(low):
            raise too_few(what, level, n, needed)
    return Estimate(value, (high - low) / (2.0 * z(confidence)), low, high, level, n, effective)


def _weighted_quantile(
    losses: np.ndarray, weights: np.ndarray, level: float, width: float = 0.0
) -> tuple[float, float, float, int]:
    """Value, both ends of the interval, and how many paths a finite interval would need."""
    n, target = losses.size, 1.0 - level
    order = np.argsort(losses)
    ordered, weights = losses[order], weights[order]
    strictly = np.searchsorted(ordered, ordered, side="right")
    first, second = (np.append(np.cumsum(weights[::-1] ** k)[::-1], 0.0)[strictly] / n for k in (1, 2))
    heaviest = np.maximum.accumulate(weights[::-1])[::-1]
    ratio = np.where(first > 0.0, second / np.where(first > 0.0, first, 1.0), heaviest)
    error = np.sqrt(np.maximum(target * ratio - target**2, 0.0) / n)
    # Compared with a hair's slack: a sum of n weights is exact to about n rounding errors.
    slack = 1e-12 * target
    value = ordered[np.argmax(first <= target + slack)]
    low_index = np.argmax(first - width * error <= target + slack)
    enough = first + width * error <= target + slack
    needed = n if enough.any() else max(n + 1, math.ceil(width * width * (ratio[-1] / target - 1.0)))
    low = ordered[low_index] if weights.sum() / n - width * error[0] > target else -math.inf
    return float(value), float(low), float(ordered[np.argmax(enough)]), needed


__all__ = [
    "Estimate", "TooFewPathsError", "conditional_mean", "effective_paths", "exceedance_curve", "exceedance_probability",
    "expected_shortfall", "mean", "quantile", "value_at_risk",
]  # fmt: skip

r"""Beyond the sample: mean excess, and a generalised-Pareto tail beyond a threshold that is chosen by test.

Losses above a high threshold follow nearly a generalised Pareto law (Balkema and de Haan, 1974; Pickands, 1975), which
carries quantiles and expected shortfall past the greatest loss seen. How far is the law's assumption, not the data's.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .estimate import Estimate, TooFewPathsError, checked, kish
from .pareto import anderson_darling, fit_pareto
from .pareto_interval import REGULAR_SHAPE, Beyond, beyond, estimate
from .tail import LEAST_TAIL_PATHS, conditional_mean

LOWEST_THRESHOLD = 2.0 / 3.0
"""Paths beyond the lowest candidate threshold: the number of paths to this power, so that the law's bias falls with it (Loretan
and Phillips, 1994). From 10,000 normal or Student paths 464: with 1,000 the 99.9% intervals cover 88 to 91%."""
THINNING = 0.7
"""Paths beyond a candidate threshold over those beyond the one below."""
LEAST_EXCESSES = 50
"""Fewest effective excesses of a fit: Hosking and Wallis (1987) find maximum likelihood poor below."""
SIGNIFICANCE = 0.05
MOST_TIES = 0.05
"""Greatest share of equal excesses: a continuous law has none, an atom of 5% moves the fit by its error at 400 excesses."""


def mean_excess(losses: Any, thresholds: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Mean excess over each threshold, $E[L - u \mid L > u]$, with the ratio's delta-method error.

    Straight in $u$ where the tail is generalised Pareto: $(\sigma + \xi u)/(1 - \xi)$ (Davison and Smith, 1990). The interval
    is corrected for skewness as in `mean`.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `thresholds`: a loss, or an array of them; the fields of the result have its shape.

    **Raises:** `ValueError` as `mean` does, and `TooFewPathsError` where fewer than ten paths lie beyond a threshold.

    >>> mean_excess(range(1, 101), 90.0).value
    5.5
    """
    losses, weights = checked(losses, log_weights, confidence)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if not np.isfinite(thresholds).all():
        raise ValueError("thresholds of a mean excess must be finite")
    found = []
    for threshold in np.atleast_1d(thresholds).ravel():
        event = (losses > threshold) & (True if weights is None else weights > 0.0)
        if event.sum() < LEAST_TAIL_PATHS:
            raise _too_few(f"mean excess over {threshold:g}", float(event.sum()), losses.size, LEAST_TAIL_PATHS)
        found.append(conditional_mean(losses - threshold, event, log_weights, confidence)._replace(level=threshold))
    if thresholds.ndim == 0:
        return found[0]._replace(level=float(thresholds))
    value, error, low, high, level = (np.array([each[place] for each in found]).reshape(thresholds.shape) for place in range(5))
    return Estimate(value, error, low, high, level, losses.size, found[0].effective_paths if found else 0.0)


class Candidate(NamedTuple):
    """A threshold that was tried: share of the probability beyond, threshold, excesses, shape, and p-value of the fit."""

    share: float
    threshold: float
    excesses: int
    shape: float
    p_value: float


@dataclass(frozen=True, repr=False)
class ParetoTail:
    """A generalised-Pareto tail beyond a threshold; see `pareto_tail`.

    **Fields:**

    - `threshold`: in the unit of the losses; `excesses`: paths beyond it.
    - `statistic`, `p_value`: Anderson and Darling's, of the fit beyond the threshold.
    - `candidates`: the thresholds tried, lowest first; `rule`: how one of them was chosen; `notes`: what to beware of.

    `share`, `shape` and `scale` are the probability beyond the threshold and the law's parameters, each an `Estimate`. Intervals
    take the threshold as given.
    """

    threshold: float
    excesses: int
    statistic: float
    p_value: float
    candidates: tuple[Candidate, ...]
    rule: str
    notes: tuple[str, ...]
    confidence: float
    _beyond: Beyond

    @cached_property
    def share(self) -> Estimate:
        """Probability of a loss beyond the threshold."""
        return self._estimate(lambda share, shape, scale: share + 0.0 * scale, math.nan)

    @cached_property
    def shape(self) -> Estimate:
        """Positive for a power law (the inverse of its exponent), zero for an exponential tail, negative for one with an end."""
        return self._estimate(lambda share, shape, scale: shape + 0.0 * share, math.nan)

    @cached_property
    def scale(self) -> Estimate:
        """In the unit of the losses."""
        return self._estimate(lambda share, shape, scale: scale + 0.0 * share, math.nan)

    def quantile(self, level: float) -> Estimate:
        r"""$u + \frac\sigma\xi[(\zeta/(1-\alpha))^\xi - 1]$; the level must lie beyond the threshold."""
        beyond_level = self._checked(level)
        return self._estimate(lambda *law: self.threshold + _excess(beyond_level, *law), level)

    def expected_shortfall(self, level: float) -> Estimate:
        r"""Mean of the losses beyond the quantile: $q + (\sigma + \xi(q - u))/(1 - \xi)$, infinite from shape 1 on."""
        beyond_level = self._checked(level)

        def shortfall(share: Any, shape: Any, scale: Any) -> Any:
            least = _excess(beyond_level, share, shape, scale)
            with np.errstate(divide="ignore"):
                return self.threshold + np.where(shape < 1.0, (least + scale) / (1.0 - np.minimum(shape, 1.0)), np.inf)

        if self._beyond.fit.shape >= 1.0:
            raise ValueError(f"the tail's shape is {self._beyond.fit.shape:.2f}: from 1 on there is no expected shortfall")
        return self._estimate(shortfall, level)

    def exceedance_probability(self, loss: float) -> Estimate:
        r"""$\zeta\,(1 + \xi(x-u)/\sigma)^{-1/\xi}$; zero past the end of a law of negative shape, with its interval."""
        if not math.isfinite(loss) or loss < self.threshold:
            raise ValueError(f"loss {loss:g} has to lie at or beyond the threshold {self.threshold:g}: below it count the paths")

        def probability(share: Any, shape: Any, scale: Any) -> Any:
            shape = np.where(np.abs(shape) > 1e-9, shape, 1e-9)
            inside = shape * (loss - self.threshold) / scale
            return share * np.where(inside > -1.0, np.exp(-np.log1p(np.maximum(inside, -1.0 + 1e-15)) / shape), 0.0)

        return self._estimate(probability, float(loss))

    def _checked(self, level: float) -> float:
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must lie strictly between 0 and 1 and is {level!r}")
        if 1.0 - level > self._beyond.share:
            raise ValueError(
                f"level {level:g} lies below the threshold, beyond which lies {self._beyond.share:.3g}: use the sample's own"
            )
        return 1.0 - level

    def _estimate(self, target: Any, level: float) -> Estimate:
        return estimate(self._beyond, target, level, self.confidence)

    def __repr__(self) -> str:
        return (
            f"ParetoTail(beyond {self.threshold:.4g}, {self.share.value:.3g} of {self.share.paths:,} paths; shape "
            f"{self.shape.value:.3f} ± {self.shape.standard_error:.3f}, p = {self.p_value:.2f})"
        )


def _excess(beyond_level: float, share: Any, shape: Any, scale: Any) -> Any:
    """Quantile less threshold."""
    shape = np.where(np.abs(shape) > 1e-9, shape, 1e-9)
    return scale * np.expm1(shape * np.log(share / beyond_level)) / shape


def pareto_tail(
    losses: Any,
    log_weights: Any = None,
    confidence: float = 0.95,
    threshold: float | None = None,
) -> ParetoTail:
    r"""Fit a generalised-Pareto tail by maximum likelihood beyond a given threshold or one chosen by test.

    The rule (Bader, Yan and Zhang, 2018): over candidate thresholds, lowest first, the fit's Anderson-Darling p-values go
    through ForwardStop (G'Sell et al., 2016), which rejects the first $k = \max\{k : -\frac1k\sum_{i\le k}\log(1-p_i) \le 5\%\}$
    and so holds the rate of false rejections at 5%; the lowest threshold not rejected is taken. Beyond the candidates lie
    $n^{2/3}$ of the $n$ paths and from one to the next 0.7 times as many, down to `LEAST_EXCESSES` effective excesses.

    **Arguments:**

    - `losses`: shape `(paths,)`.
    - `threshold`: in the unit of the losses; by default chosen.

    **Raises:** `ValueError` for input that is not finite or does not fit, where more than `MOST_TIES` of the excesses are
    equal (an atom, which the law cannot have), and `TooFewPathsError` where too few paths lie beyond every candidate.

    >>> import numpy as np
    >>> losses = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)  # exponential: shape 0
    >>> tail = pareto_tail(losses)
    >>> tail
    ParetoTail(beyond 3.3, 0.0369 of 20,000 paths; shape -0.004 ± 0.037, p = 1.00)
    >>> estimate = tail.quantile(1 - 1e-6)
    >>> round(estimate.value, 1), round(float(np.log(1e6)), 1), bool(estimate.low < np.log(1e6) < estimate.high)
    (13.6, 13.8, True)
    """
    losses, weights = checked(losses, log_weights, confidence)
    order = np.argsort(losses)
    losses, weights = losses[order], None if weights is None else weights[order]
    if threshold is not None and not losses[0] <= threshold < math.inf:
        raise ValueError(f"threshold {threshold:g} has to be finite, with losses at or below it: the least is {losses[0]:g}")
    if threshold is not None:
        thresholds, rule = [float(threshold)], "given"
    else:
        thresholds, rule = _candidates(losses), f"the lowest that ForwardStop at {SIGNIFICANCE:.0%} keeps"
    tried, refused = _try(losses, weights, list(dict.fromkeys(thresholds)))
    if not tried:
        raise refused[0]
    mean_log = np.cumsum([-math.log1p(-min(candidate.p_value, 1.0 - 1e-16)) for candidate, *_ in tried])
    rejected = np.flatnonzero(mean_log / np.arange(1.0, len(tried) + 1.0) <= SIGNIFICANCE)
    kept = min(int(rejected[-1]) + 1 if rejected.size else 0, len(tried) - 1)
    notes = []
    if rejected.size and rejected[-1] == len(tried) - 1:
        notes.append("the law is rejected beyond every threshold that leaves enough paths: more paths would allow a higher one")
    candidate, fit, statistic = tried[kept]
    if fit.shape <= REGULAR_SHAPE:
        notes.append(f"shape {fit.shape:.2f}: below -1/2 likelihood intervals lose their rate; the loss has an end nearby")
    share = float(fit.weights.sum() / losses.size)
    effective = float(losses.size) if weights is None else kish(weights)
    law = beyond(fit, share, losses.size, effective)
    return ParetoTail(
        candidate.threshold, candidate.excesses, statistic, candidate.p_value,
        tuple(each for each, *_ in tried), rule, tuple(notes), confidence, law,
    )  # fmt: skip


def _candidates(losses: np.ndarray) -> list[float]:
    """Thresholds to try among sorted losses, lowest first."""
    most = losses.size**LOWEST_THRESHOLD
    number = max(math.floor(math.log(LEAST_EXCESSES / most) / math.log(THINNING)), 0) + 1
    beyond = np.minimum(np.round(most * THINNING ** np.arange(number)).astype(int), losses.size - 1)
    return losses[losses.size - 1 - beyond].tolist()


def _try(losses: np.ndarray, weights: Any, thresholds: list[float]) -> tuple[list, list[Exception]]:
    """Fits beyond each threshold that leaves enough excesses of a continuous law, and why the others were refused."""
    tried, refused = [], []
    for threshold in thresholds:
        first = int(np.searchsorted(losses, threshold, side="right"))
        excess, heavy = losses[first:] - threshold, np.ones(losses.size - first) if weights is None else weights[first:]
        excess, heavy = excess[heavy > 0.0], heavy[heavy > 0.0]
        number = kish(heavy) if heavy.size else 0.0
        greatest = int((losses == losses[-1]).sum())
        if not excess.size and greatest >= LEAST_EXCESSES:
            refused.append(
                ValueError(
                    f"{greatest:,} of {losses.size:,} losses equal {losses[-1]:g}, the greatest: a law with such an atom has no "
                    "generalised-Pareto tail; count exceedances instead"
                )
            )
            continue
        if number < LEAST_EXCESSES:
            refused.append(_too_few(f"a tail beyond {threshold:g}", number, losses.size, LEAST_EXCESSES))
            continue
        _, counts = np.unique(excess, return_counts=True)
        if counts.max() > max(MOST_TIES * excess.size, 2.0):
            place = threshold + np.unique(excess)[np.argmax(counts)]
            refused.append(
                ValueError(
                    f"{counts.max():,} of the {excess.size:,} losses beyond {threshold:g} equal {place:g}: a law with such an "
                    "atom has no generalised-Pareto tail; count exceedances instead, or give a threshold beyond the atom"
                )
            )
            continue
        fit = fit_pareto(excess, heavy)
        statistic, p_value = anderson_darling(fit)
        tried.append((Candidate(float(heavy.sum() / losses.size), threshold, excess.size, fit.shape, p_value), fit, statistic))
    # An atom explains more than the want of paths beyond the next threshold.
    return tried, sorted(refused, key=lambda error: isinstance(error, TooFewPathsError))


def _too_few(what: str, number: float, paths: int, least: int) -> TooFewPathsError:
    """The paths needed for `least` of them beyond, if as large a share lies beyond as now."""
    needed = max(math.ceil(paths * least / max(number, 1.0)), paths + 1)
    return TooFewPathsError(
        f"{what} rests on {number:,.4g} effective paths of {paths:,}: {least} are needed, and so about {needed:,} paths", needed
    )


__all__ = ["Candidate", "ParetoTail", "mean_excess", "pareto_tail"]

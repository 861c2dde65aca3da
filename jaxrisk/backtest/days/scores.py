r"""Scores of many forecasts of one quantity, one a period, each given as samples: lower is better.

- Continuous ranked probability score, and the same of `max(x, threshold)` (threshold-weighted: Gneiting and Ranjan, 2011;
  Allen, Ginsbourger and Ziegel, 2023, *chaining functions*), which looks beyond the threshold only; unbiased for the law that the
  samples come from (Ferro, 2014).
- Quantile score $(1\{x < q\} - p)(q - x)$, and value at risk tested by how often it is exceeded (Kupiec, 1995) and by whether
  exceedances follow each other (Christoffersen, 1998), with probabilities that hold for few exceedances too.
- Two forecasts are compared by the mean difference of their scores over its standard error with Bartlett's weights (Diebold and
  Mariano, 1995; Newey and West, 1987).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import xlogy

from ..scores import crps, pit

LEVELS = (0.99, 0.999)
"""Of value at risk and quantile scores."""
THRESHOLDS = (0.05, 0.10, 0.15)
"""Of threshold-weighted scores."""
DRAWN = 1999
RETURN_LEVELS = tuple(np.round(np.concatenate([np.arange(0.01, 0.2, 0.01), np.arange(0.2, 0.62, 0.02)]), 3))
"""Levels whose probability of being exceeded is kept, for return periods."""


class Scores(NamedTuple):
    """One forecaster's scores of one quantity.

    **Fields:** arrays `(periods,)`: `observed`, `crps`, `pit` (quantile of the observed), `low`, `high` (ends of the 90%
    interval); `weighted`, `(periods, thresholds)`; `at_risk`: values at risk, `quantile_score`: both `(periods, levels)`;
    `beyond`: probability of more than each of `RETURN_LEVELS`, `(periods, levels)`.
    """

    observed: np.ndarray
    crps: np.ndarray
    pit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    weighted: np.ndarray
    at_risk: np.ndarray
    quantile_score: np.ndarray
    beyond: np.ndarray


def score_one(samples: np.ndarray, observed: float) -> tuple:
    """The fields of `Scores` for one forecast. NaN everywhere where nothing was observed or said."""
    x = np.sort(np.asarray(samples, np.float64))
    if not math.isfinite(observed) or len(x) < 2 or not np.isfinite(x).all():
        none = [np.full(n, np.nan) for n in (len(THRESHOLDS), len(LEVELS), len(LEVELS), len(RETURN_LEVELS))]
        return observed, np.nan, np.nan, np.nan, np.nan, *none
    n = len(x)
    # beyond its largest of so many samples a forecast says nothing
    place = lambda p: float(np.interp(p * (n + 1), np.arange(1, n + 1), x)) if p * (n + 1) <= n else math.nan
    at_risk = np.array([place(p) for p in LEVELS])
    quantile_score = np.where(observed < at_risk, 1.0 - np.array(LEVELS), -np.array(LEVELS)) * (at_risk - observed)
    weighted = np.array([crps(np.maximum(x, edge), max(observed, edge)) for edge in THRESHOLDS])
    beyond = 1.0 - np.searchsorted(x, RETURN_LEVELS, "right") / n
    return observed, crps(x, observed), pit(x, observed), place(0.05), place(0.95), weighted, at_risk, quantile_score, beyond


def collected(rows: list[tuple]) -> Scores:
    """Rows of `score_one` as arrays."""
    return Scores(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


class AtRiskTest(NamedTuple):
    """How often a value at risk was exceeded.

    **Fields:** `level`; `periods`, `exceeded`, `expected`; `kupiec`, `conditional`: probabilities, if the forecast is right, of a
    likelihood ratio as large as that of the number exceeded, exactly, and of number and order (Christoffersen's), among `DRAWN`
    series drawn. NaN where nothing can be said.
    """

    level: float
    periods: int
    exceeded: int
    expected: float
    kupiec: float
    conditional: float


def at_risk_test(hits: np.ndarray, level: float) -> AtRiskTest:
    """Tests of a value at risk at `level`, given whether each period exceeded it, in their order.

    >>> even = at_risk_test(np.arange(1000) % 100 == 99, 0.99)
    >>> even.exceeded, round(even.kupiec, 3)
    (10, 1.0)
    """
    hits = np.asarray(hits, bool)
    n, k, p = len(hits), int(hits.sum()), 1.0 - level
    if n < 2:
        return AtRiskTest(level, n, k, n * p, math.nan, math.nan)
    number = np.arange(n + 1)
    ratio = _of_number(number, n, p)
    kupiec = float(stats.binom.pmf(number, n, p)[ratio >= ratio[k] - 1e-9].sum())
    drawn = np.random.default_rng(n).random((DRAWN, n)) < p
    beyond = _of_number_and_order(drawn, p) >= _of_number_and_order(hits[None], p) - 1e-9
    return AtRiskTest(level, n, k, n * p, min(kupiec, 1.0), float((1 + beyond.sum()) / (1 + DRAWN)))


def _of_number(k, n: int, p: float):
    """Likelihood ratio of that many of `n`, twice the log."""
    return 2.0 * (_log(k, n, k / n) - _log(k, n, p))


def _of_number_and_order(hits: np.ndarray, p: float) -> np.ndarray:
    """Of series `(series, n)`: number, and whether one follows another."""
    n, before, after = hits.shape[1], hits[:, :-1], hits[:, 1:]
    both, first = (before & after).sum(1), before.sum(1)
    hit, then = after.sum(1), n - 1 - first
    share = lambda x, of: x / np.maximum(of, 1)
    apart = _log(both, first, share(both, first)) + _log(hit - both, then, share(hit - both, then))
    return _of_number(hits.sum(1), n, p) + 2.0 * (apart - _log(hit, n - 1, hit / (n - 1)))


def _log(k, n, p):
    return xlogy(k, p) + xlogy(n - k, 1.0 - p)


class Difference(NamedTuple):
    """A mean `difference` of scores, theirs less ours (above 0: ours is better), its standard `error`, and `periods`."""

    difference: float
    error: float
    periods: int

    @property
    def ratio(self) -> float:
        """In standard errors."""
        return self.difference / self.error if self.error > 0.0 else math.nan


def difference(theirs: np.ndarray, ours: np.ndarray, lags: int | None = None) -> Difference:
    """Of two forecasts' scores on the periods that both have; `lags` of autocorrelation, the cube root of their number if
    None."""
    gap = theirs - ours
    gap = gap[np.isfinite(gap)]
    n = len(gap)
    if n < 3:
        return Difference(float(gap.mean()) if n else math.nan, math.nan, n)
    lags = round(n ** (1.0 / 3.0)) if lags is None else lags
    left = gap - gap.mean()
    total = left @ left
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * (left[lag:] @ left[:-lag])
    return Difference(float(gap.mean()), math.sqrt(max(total, 0.0)) / n, n)


__all__ = [
    "LEVELS", "RETURN_LEVELS", "THRESHOLDS", "AtRiskTest", "Difference", "Scores", "at_risk_test", "collected", "difference",
    "score_one",
]  # fmt: skip

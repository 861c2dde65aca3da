"""How often: the return period of a loss, from its probability over a horizon."""

from typing import Any

import numpy as np

from .estimate import Estimate
from .tail import exceedance_probability

ANY_DAY = ("stationary", "any")
"""Starts, as `info["start"]` of a result says them, from which a probability is a frequency: a day drawn at random, or a law for
which all days are alike."""


def return_period(losses: Any, levels: Any, horizon: float, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
    r"""Years between horizons whose loss exceeds each of `levels`, on average: $T / P(L > x)$.

    Horizons lie end to end, `horizon` years each, and start from a day drawn at random: one in $1/P$ of them exceeds the level,
    whether such horizons come alone or together. It is no waiting time for an event within one of them (a fall that begins on one
    day and ends on the next is seen by neither), and the law's, not history's.

    **Arguments:** `losses`: shape `(paths,)`; `levels`: a loss, or an array of them; `horizon`: $T$, years of 365 days;
    `log_weights`: log(dP/dQ), as an importance-sampled run has them. The interval is that of `exceedance_probability` turned
    over, which covers as often; the standard error that of first order, $T\,\mathrm{se}(P)/P^2$. Where no path exceeds a level
    the value and the upper end are infinite, the lower end is what the paths allow, and the standard error is NaN.

    **Raises:** `ValueError` for a horizon that is not above zero, and as `exceedance_probability`.

    >>> days = return_period([0.0] * 990 + [1.0] * 10, 0.5, 1 / 365)
    >>> [round(365 * x) for x in days[:4]]
    [100, 31, 55, 208]
    """
    if not 0.0 < horizon < np.inf:
        raise ValueError(f"horizon = {horizon}: years above 0 are needed")
    return as_period(exceedance_probability(losses, levels, log_weights, confidence), horizon)


def as_period(probability: Estimate, horizon: float) -> Estimate:
    """A probability over a horizon as a return period; both with all their fields."""
    over = lambda p: horizon / np.where(np.asarray(p) > 0.0, p, np.nan)
    never = lambda x: np.where(np.isnan(x), np.inf, x)
    value, low, high = never(over(probability.value)), never(over(probability.high)), never(over(probability.low))
    error = (
        over(probability.value)
        * np.asarray(probability.standard_error)
        / np.where(np.asarray(probability.value) > 0.0, probability.value, np.nan)
    )
    fields = (value, error, low, high)
    if np.ndim(probability.value) == 0:
        fields = tuple(float(x) for x in fields)
    return probability._replace(**dict(zip(("value", "standard_error", "low", "high"), fields, strict=True)))


__all__ = ["ANY_DAY", "as_period", "return_period"]

r"""Scores of a forecast given as samples, when one value was observed: lower is better, except for the quantile itself.

The continuous ranked probability score and the logarithmic score are proper (Gneiting and Raftery, 2007, JASA 102, 359): no
forecast is better on average than the truth. Samples may carry weights, which need not add up to 1.
"""

import math
from typing import NamedTuple

import numpy as np

_WIDE = 3.0
"""Standard deviations: scale of the wide law that stands for what the samples cannot tell."""


class Samples(NamedTuple):
    """A forecast: draws of what will be observed, each of shape `(n,)`, one path a place; None where nothing is said.

    **Fields:** `drawdown`, `open_interest_loss`, `rebound`, `long_share`: fractions; `liquidations`: USD of the asset, both
    sides, what is truly liquidated; `weights`: of the paths, None if all weigh the same.
    """

    drawdown: np.ndarray
    open_interest_loss: np.ndarray | None = None
    rebound: np.ndarray | None = None
    long_share: np.ndarray | None = None
    liquidations: np.ndarray | None = None
    weights: np.ndarray | None = None


def _sorted(samples, weights) -> tuple[np.ndarray, np.ndarray]:
    """Finite samples in order, with weights that add up to 1."""
    values = np.asarray(samples, np.float64).ravel()
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64).ravel()
    used = np.isfinite(values) & (weights > 0.0)
    if not np.any(used):
        raise ValueError("a forecast needs at least one finite sample of positive weight")
    values, weights = values[used], weights[used]
    order = np.argsort(values, kind="stable")
    return values[order], weights[order] / weights.sum()


def pit(samples, observed: float, weights=None) -> float:
    """Quantile of the observed value in the forecast, `P(X < x) + P(X = x) / 2`: uniform if the forecast is right.

    >>> pit([1.0, 2.0, 3.0, 4.0], 2.5), pit([1.0, 2.0], 2.0)
    (0.5, 0.75)
    """
    values, weights = _sorted(samples, weights)
    return min(float(weights[values < observed].sum() + 0.5 * weights[values == observed].sum()), 1.0)


def quantile(samples, level: float, weights=None) -> float:
    """Quantile of the samples, interpolated between the middles of their steps.

    >>> quantile([1.0, 2.0, 3.0], 0.5)
    2.0
    """
    values, weights = _sorted(samples, weights)
    return float(np.interp(level, np.cumsum(weights) - 0.5 * weights, values))


def central(samples, level: float, weights=None) -> tuple[float, float]:
    """Both ends of the equal-tailed interval of probability `level`.

    >>> central([0.0, 1.0, 2.0, 3.0], 0.5)
    (0.5, 2.5)
    """
    return quantile(samples, 0.5 - 0.5 * level, weights), quantile(samples, 0.5 + 0.5 * level, weights)


def covered(samples, observed: float, level: float, weights=None) -> bool:
    """Whether the equal-tailed interval holds the observed value."""
    low, high = central(samples, level, weights)
    return low <= observed <= high


def crps(samples, observed: float, weights=None, fair: bool = True) -> float:
    r"""Continuous ranked probability score, $E|X - x| - \frac12 E|X - X'|$, in the observable's unit.

    **Arguments:** `fair`: take $X$ and $X'$ from different paths, which is unbiased for the law the samples come from (Ferro,
    2014, Q. J. R. Meteorol. Soc. 140, 1917); else of the empirical law.

    >>> crps([0.0, 1.0], 0.0, fair=False), crps([0.0, 1.0], 0.0)
    (0.25, 0.0)
    """
    values, weights = _sorted(samples, weights)
    spread = 2.0 * float(np.sum(weights * values * (2.0 * np.cumsum(weights) - weights - 1.0)))
    different = 1.0 - float(np.sum(weights**2))
    if fair and len(values) > 1:
        spread /= different
    return float(np.sum(weights * np.abs(values - observed))) - 0.5 * spread


_TRANSFORMS = {
    "identity": (lambda x: x, lambda x: np.zeros_like(x)),
    "log": (np.log, lambda x: -np.log(x)),
    "logit": (lambda x: np.log(x) - np.log1p(-x), lambda x: -np.log(x) - np.log1p(-x)),
}
_INSIDE = {"identity": (-math.inf, math.inf), "log": (1e-9, math.inf), "logit": (1e-6, 1.0 - 1e-6)}


def log_score(samples, observed: float, weights=None, transform: str = "identity") -> float:
    """Minus the log of the forecast's density at the observed value, with respect to the observable's unit.

    The density is a Gaussian kernel estimate on the scale of `transform` (`identity`, `log` for positive values, `logit` for
    values between 0 and 1; values outside are moved to the edge), with Silverman's width. As n samples say nothing of what is
    rarer than 1 in n, a Student-t with 2 degrees of freedom and three times their spread joins with weight 1 / (n + 1), n being
    the effective number; the score is therefore finite.
    """
    to, log_slope = _TRANSFORMS[transform]
    low, high = _INSIDE[transform]
    values, weights = _sorted(np.clip(samples, low, high), weights)
    here = np.clip(np.asarray(float(observed)), low, high)
    z, y = to(values), float(to(here))
    count = 1.0 / float(np.sum(weights**2))
    middle = float(np.sum(weights * z))
    spread = math.sqrt(float(np.sum(weights * (z - middle) ** 2)))
    lower, upper = (float(np.interp(q, np.cumsum(weights) - 0.5 * weights, z)) for q in (0.25, 0.75))
    tight = min(spread, (upper - lower) / 1.349) or spread
    width = max(0.9 * tight * count**-0.2, 1e-9 + 1e-6 * abs(middle))
    kernel = float(np.sum(weights * np.exp(-0.5 * ((y - z) / width) ** 2))) / (width * math.sqrt(2.0 * math.pi))
    density = (count * kernel + _wide(y, middle, _WIDE * max(spread, width))) / (count + 1.0)
    return -math.log(density) - float(log_slope(here))


def _wide(y: float, middle: float, scale: float) -> float:
    """Density of Student's t with 2 degrees of freedom."""
    return (2.0 + ((y - middle) / scale) ** 2) ** -1.5 / scale


__all__ = ["Samples", "central", "covered", "crps", "log_score", "pit", "quantile"]

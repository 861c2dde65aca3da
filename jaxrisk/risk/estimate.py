"""What an estimate is, and the intervals and checks that the tail measures share."""

import functools
import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A number and how well it is known.

    **Fields** (floats; arrays for measures at several levels):

    - `value`: the estimate, in the unit of the losses (probabilities: 1).
    - `standard_error`: of `value`, in the same unit.
    - `low`, `high`: 95% confidence interval (or the confidence that was asked for), not necessarily symmetric.
    - `level`: probability level, or for exceedance probabilities the loss; NaN for the mean.
    - `paths`: number of paths; `effective_paths`: Kish's effective number, $(\\sum w)^2 / \\sum w^2$.
    """

    value: Any
    standard_error: Any
    low: Any
    high: Any
    level: Any
    paths: int
    effective_paths: float


class TooFewPathsError(ValueError):
    """Too few paths for the measure; `needed` says how many are enough."""

    def __init__(self, message: str, needed: int):
        super().__init__(message)
        self.needed = needed


def checked(losses: Any, log_weights: Any, confidence: float, level: float | None = None) -> tuple[np.ndarray, Any]:
    """Losses in float64 and weights (None for plain), or a `ValueError` that names what is wrong."""
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 1:
        raise ValueError(f"losses must be one-dimensional, one number a path, and have shape {losses.shape}")
    if losses.size == 0:
        raise ValueError("losses are empty: at least one path is needed")
    if not np.isfinite(losses).all():
        bad = np.flatnonzero(~np.isfinite(losses))
        raise ValueError(f"losses are not finite on {bad.size} of {losses.size} paths, the first of them path {bad[0]}")
    for name, number in (("level", level), ("confidence", confidence)):
        if number is not None and not 0.0 < number < 1.0:
            raise ValueError(f"{name} must lie strictly between 0 and 1 and is {number!r}")
    if log_weights is None:
        return losses, None
    log_weights = np.asarray(log_weights, dtype=np.float64)
    if log_weights.shape != losses.shape:
        raise ValueError(f"log_weights have shape {log_weights.shape}, losses have {losses.shape}: one weight a path is needed")
    if np.isnan(log_weights).any() or (log_weights == np.inf).any():
        raise ValueError("log_weights hold NaN or +inf: they must be log(dP/dQ), finite or -inf")
    weights = np.exp(log_weights)
    if not weights.any():
        raise ValueError("log_weights are all so low that every weight is zero: they must be log(dP/dQ)")
    return losses, weights


def z(confidence: float) -> float:
    """Normal quantile of a two-sided interval."""
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def kish(weights: np.ndarray) -> float:
    """Effective number of paths of weights that are not logs."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def by_level(function: Callable[..., Estimate]) -> Callable[..., Estimate]:
    """Let a measure at one probability level, its second argument, take several: a list or an array of any precision.

    The fields of the result then have their shape. A level in single precision is the decimal that it is written as: 0.99, and
    not 0.9900000095, which is another path of a hundred thousand.
    """

    @functools.wraps(function)
    def each(losses: Any, level: Any, log_weights: Any = None, confidence: float = 0.95) -> Estimate:
        try:
            levels = np.asarray(level)
            short = levels.dtype.kind == "f" and levels.dtype.itemsize < 8
            one = (lambda x: float(str(x))) if short else float
            found = [function(losses, one(x), log_weights, confidence) for x in levels.ravel()]
        except TypeError:
            raise ValueError(f"level must lie strictly between 0 and 1 and is {level!r}") from None
        return found[0] if levels.ndim == 0 else stacked(found, levels.shape)

    return each


def stacked(found: list[Estimate], shape: tuple[int, ...]) -> Estimate:
    """Estimates at several levels as one, with fields of a shape."""
    if not found:
        return Estimate(*(np.zeros(shape) for _ in range(5)), 0, 0.0)
    fields = (np.array([one[place] for one in found]).reshape(shape) for place in range(5))
    return Estimate(*fields, found[0].paths, found[0].effective_paths)


def of_influence(influence: np.ndarray, losses: np.ndarray, weights: Any, level: float, confidence: float) -> Estimate:
    """Estimate whose value is the mean of `influence`, with its standard error and skewness-corrected interval."""
    n = influence.size
    value = influence.mean()
    centred = influence - value
    squared = centred * centred  # products, since numpy's power is fifty times slower
    variance = squared.sum() / (n - 1)
    constant = not variance > 1e-30 * value**2
    error = 0.0 if constant else math.sqrt(variance / n)
    skewness = 0.0 if constant else (squared * centred).mean() / variance**1.5
    low, high = skewed_interval(value, error, skewness / math.sqrt(n), confidence)
    effective = float(n) if weights is None else kish(weights)
    return Estimate(float(value), float(error), float(low), float(high), level, losses.size, effective)


def from_moments(first: Any, second: Any, third: Any, n: int) -> tuple[Any, Any, Any]:
    """Value, standard error and skewness over root n, from raw moments of the summands."""
    variance = np.maximum(second - first**2, 0.0)
    central = third - 3.0 * first * second + 2.0 * first**3
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(variance > 0.0, central / variance**1.5, 0.0)
    return first, np.sqrt(variance / n), skewness / math.sqrt(n)


def skewed_interval(value: Any, error: Any, skewness: Any, confidence: float) -> tuple[Any, Any]:
    """Interval for a mean by Hall's (1992) monotone cubic transformation; `skewness` is already over root n."""
    normal = z(confidence)
    k = np.where(np.abs(skewness) < 1e-8, 1e-8, skewness)
    upper, lower = (3.0 * (np.cbrt(1.0 + k * (x - k / 6.0)) - 1.0) / k for x in (normal, -normal))
    return value - error * upper, value - error * lower


def clopper_pearson(count: np.ndarray | np.integer | int, n: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's (1934) interval for a probability, from `count` of `n`."""
    from scipy.special import betaincinv  # here: a fifth of a second that starting a command should not wait for

    tail = (1.0 - confidence) / 2.0
    low = np.where(count == 0, 0.0, betaincinv(np.maximum(count, 1), n - count + 1.0, tail))
    high = np.where(count == n, 1.0, betaincinv(count + 1.0, np.maximum(n - count, 1), 1.0 - tail))
    return low, high


__all__ = [
    "Estimate", "TooFewPathsError", "by_level", "checked", "clopper_pearson", "from_moments", "kish", "of_influence",
    "skewed_interval", "stacked", "z",
]  # fmt: skip

r"""Standard errors and profile-likelihood intervals of what a generalised-Pareto tail says.

The likelihood of share beyond the threshold $\zeta$, shape $\xi$ and scale $\sigma$ falls apart into three functions of one
number each, with $\theta = \xi/\sigma$, $s$ as in `pareto` and $\rho = \xi/s(\theta)$:

$$-2\ell = D_\zeta(\zeta) + D_\theta(\theta) + 2K\,(\log\rho + 1/\rho - 1) + \text{constant}.$$

A profile-likelihood interval is the range of the quantity over the set where the sum is at most the chi-square quantile
(Venzon and Moolgavkar, 1988). As the quantities rise with $\zeta$, the range is found on the set's surface, which $\theta$ and
an angle between the other two cover. With importance weights the set is scaled for each quantity by the ratio of its variance
without and with the weights' variation (Rotnitzky and Jewell, 1990; Chandler and Bate, 2007).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .estimate import Estimate, kish, z
from .pareto import ParetoFit, information, scores

REGULAR_SHAPE = -0.45
"""Above it (asymptotically -1/2; Smith, 1985) maximum likelihood has a standard error and the chi-square law holds."""

Target = Callable[[Any, Any, Any], Any]


class Beyond(NamedTuple):
    """What was estimated beyond a threshold: share of the probability, of `paths` paths, and the law of the excesses.

    `covariance` of log share, shape and log scale; `plain`: what it would be were the effective excesses plain ones.
    """

    share: float
    paths: int
    effective_paths: float
    fit: ParetoFit
    covariance: np.ndarray
    plain: np.ndarray


def beyond(fit: ParetoFit, share: float, paths: int, effective_paths: float) -> Beyond:
    """Joint covariance of log share, shape and log scale: each is a sum over paths."""
    number = kish(fit.weights)
    inverse = np.linalg.inv(information(max(fit.shape, REGULAR_SHAPE)))
    plain = np.zeros((3, 3))
    plain[0, 0], plain[1:, 1:] = (1.0 - share) / number, inverse / number
    if np.ptp(fit.weights) <= 1e-9 * fit.weights.max():
        return Beyond(share, paths, effective_paths, fit, plain, plain)
    total = fit.weights.sum()
    parts = np.concatenate(
        [np.ones((1, fit.excess.size)), inverse @ scores(max(fit.shape, REGULAR_SHAPE), fit.excess / fit.scale)]
    )
    covariance = (parts * (fit.weights / total) ** 2) @ parts.T
    covariance[0, 0] -= 1.0 / paths
    return Beyond(share, paths, effective_paths, fit, covariance, plain)


def estimate(tail: Beyond, target: Target, level: float, confidence: float) -> Estimate:
    """The quantity `target(share, shape, scale)` with its standard error and interval."""
    share, fit = tail.share, tail.fit
    value = float(target(share, fit.shape, fit.scale))
    gradient = _gradient(target, share, fit.shape, fit.scale)
    variance, plain = (float(gradient @ covariance @ gradient) for covariance in (tail.covariance, tail.plain))
    scaling = variance / plain if plain > 0.0 and math.isfinite(variance / plain) else 1.0
    low, high = _range(tail, target, z(confidence) ** 2 * scaling)
    low, high = min(low, value), max(high, value)
    error = math.sqrt(variance) if variance > 0.0 and math.isfinite(variance) else math.nan
    if fit.shape <= REGULAR_SHAPE or not error > 0.0:
        error = (high - low) / (2.0 * z(confidence))
    return Estimate(value, error, low, high, level, tail.paths, tail.effective_paths)


def _gradient(target: Target, share: float, shape: float, scale: float) -> np.ndarray:
    """To log share, shape and log scale, by central differences."""
    step = 1e-5
    changes = []
    for factor, shift, stretch in ((step, 0.0, 0.0), (0.0, step, 0.0), (0.0, 0.0, step)):
        up, down = (target(share * math.exp(k * factor), shape + k * shift, scale * math.exp(k * stretch)) for k in (1.0, -1.0))
        changes.append(float(up - down) / (2.0 * step))
    return np.array(changes)


def _range(tail: Beyond, target: Target, allowed: float) -> tuple[float, float]:
    """Least and greatest value over the set whose deviance is at most `allowed`."""
    number = kish(tail.fit.weights)
    best = tail.fit.at(np.array([tail.fit.position]))[2][0]

    def deviance(position: np.ndarray) -> np.ndarray:
        return np.maximum(2.0 * number * (best - tail.fit.at(position)[2]), 0.0)

    left, right = _ends(tail.fit, deviance, allowed)
    roots = _signed_roots(tail.share, number)

    def surface(position: np.ndarray, angle: np.ndarray) -> np.ndarray:
        shape, scale, _ = tail.fit.at(position)
        radius = np.sqrt(np.maximum(allowed - deviance(position), 0.0))
        share = np.exp(np.interp(np.outer(radius, np.cos(angle)), *roots[0]))
        stretch = np.exp(np.interp(np.outer(radius, np.sin(angle)), *roots[1]))
        return target(share, np.maximum(shape[:, None] * stretch, -1.0), scale[:, None] * stretch)

    ends = []
    for sign in (-1.0, 1.0):
        positions, angles = np.linspace(left, right, 17), np.linspace(-np.pi, np.pi, 33)
        for _ in range(3):
            values = sign * surface(positions, angles)
            row, column = np.unravel_index(np.argmax(values), values.shape)
            width = positions[1] - positions[0], angles[1] - angles[0]
            greatest = values[row, column]
            middle, angle = positions[row], angles[column]
            positions = np.clip(middle + width[0] * np.linspace(-1.0, 1.0, 9), left, right)
            angles = angle + width[1] * np.linspace(-1.0, 1.0, 9)
        ends.append(sign * float(greatest))
    return ends[0], ends[1]


def _ends(fit: ParetoFit, deviance: Callable, allowed: float) -> tuple[float, float]:
    """Positions on both sides of the best at which the deviance is `allowed`, or where the family ends."""
    from scipy.optimize import brentq

    middle, ends = fit.position, []
    for end in fit.range():
        if deviance(np.array([end]))[0] <= allowed or abs(end - middle) < 1e-9:
            ends.append(end)
            continue
        # Outward in growing steps, so that the crossing nearest to the best is bracketed.
        steps = middle + (end - middle) * np.linspace(0.0, 1.0, 25) ** 2
        first = int(np.argmax(deviance(steps) > allowed))
        ends.append(brentq(lambda x: deviance(np.array([x]))[0] - allowed, steps[first - 1], steps[first], xtol=1e-6))
    return ends[0], ends[1]


def _signed_roots(share: float, number: float) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Tables from the signed root of the deviance to log share, and to the log of shape (and scale) over the best given theta."""
    reach = max(8.0 / math.sqrt(number), 0.5)
    log_share = math.log(share) + np.linspace(-reach, min(reach, -math.log(share) - 1e-9), 4001)
    tried = np.exp(log_share)
    away = math.log(share) - log_share + (1.0 - share) / share * (math.log1p(-share) - np.log1p(-tried))
    stretch = np.linspace(-reach, 2.0 * reach, 4001)
    tables = []
    for grid, value, centre in ((log_share, away, math.log(share)), (stretch, stretch + np.expm1(-stretch), 0.0)):
        root = np.sign(grid - centre) * np.sqrt(np.maximum(2.0 * number * value, 0.0))
        tables.append((np.maximum.accumulate(root), grid))
    return tables[0], tables[1]


__all__ = ["Beyond", "beyond", "estimate"]

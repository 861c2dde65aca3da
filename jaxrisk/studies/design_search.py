r"""Least costly log caps `x` with a measure within a budget, from noisy values and gradients: $\min f(x)$ s.t. $M(x) \le B$.

Every iteration draws fresh paths. With $f'$ exact and $M'$ estimated, the multiplier is that of least squares over the caps that
are free, $\lambda = -f' \cdot M' / |M'|^2$, and a step has two parts: Adam (Kingma and Ba, 2015) on the residual
$r = f' + \lambda M'$, and a Newton step along $M'$ back to the budget; then the range is enforced. Paths double from stage to
stage and steps become smaller. A stage ends as soon as the mean of its last residuals, and of the distance to the budget, is
within two standard errors: what is left is noise. The answer is the mean of the iterates since.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optax

from ..risk.estimate import Estimate

STAGES = (8, 4, 2, 1)
"""Paths of a stage: a whole one's over these."""
WINDOW = 6
"""Iterations over which means are taken."""
MOST_STEPS = (48, 24, 16, 12)
"""Iterations of a stage at most."""
WITHIN = 2.0
"""Standard errors within which a residual is noise."""
NEAR = 0.05
"""Residual, as a share of the slope of the cost, that is good enough whatever its noise."""
LONGEST = 0.35
"""Of a Newton step, log cap."""
RATES = (0.15, 0.08, 0.04, 0.02)


class Point(NamedTuple):
    """A measure at some caps: `estimate`; `slope` to the log caps and its `error`, shape `(caps,)`."""

    estimate: Estimate
    slope: np.ndarray
    error: np.ndarray


class Problem(NamedTuple):
    """`measure(x, paths)` draws fresh paths; `cost(x)` gives a `Cost`; `low`, `high` are logs; `scale`: of the measure."""

    measure: Callable[[np.ndarray, int], Point]
    cost: Callable[[np.ndarray], Any]
    budget: float
    low: np.ndarray
    high: np.ndarray
    scale: float


class Found(NamedTuple):
    """Where a search ended: mean log caps `x`; `residual` over its standard error at the end, the largest of all caps; whether it
    `converged`; how many `steps`."""

    x: np.ndarray
    residual: float
    converged: bool
    steps: int


def multiplier(cost_slope: np.ndarray, slope: np.ndarray, free: np.ndarray) -> float:
    """Lagrange multiplier by least squares over the free caps; not negative, since the budget is an upper limit."""
    square = float(slope[free] @ slope[free])
    return max(0.0, -float(cost_slope[free] @ slope[free]) / square) if square > 0.0 else 0.0


def free_of(x: np.ndarray, push: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Caps that are not held at an end of their range by where they are pushed."""
    return ~(((x >= high - 1e-9) & (push > 0.0)) | ((x <= low + 1e-9) & (push < 0.0)))


def search(problem: Problem, x: np.ndarray, paths: int, least: int, stages: tuple[int, ...] = STAGES) -> Found:
    """Projected stochastic gradient from log caps `x`; `paths` of a last stage's iteration, `least` of the first's."""
    found = Found(x, math.inf, False, 0)
    last = slice(-len(stages), None)
    for rate, most, share in zip(RATES[last], MOST_STEPS[last], stages, strict=True):
        found = _stage(problem, found, max(least, paths // share), rate, most)
    return found


def _stage(problem: Problem, found: Found, paths: int, rate: float, most: int) -> Found:
    adam = optax.adam(rate, b1=0.8, b2=0.95)
    x, unit = found.x, problem.cost(problem.low).total or 1.0
    state: Any = adam.init(x)
    smooth: Any = None
    trail: list[tuple] = []
    residual = math.inf
    for _ in range(most):
        point, cost_slope = problem.measure(x, paths), problem.cost(x).gradient / unit
        slope, error = point.slope / problem.scale, point.error / problem.scale
        smooth = slope if smooth is None else 0.6 * smooth + 0.4 * slope
        over = (point.estimate.value - problem.budget) / problem.scale
        inner = free_of(x, -cost_slope, problem.low, problem.high) | free_of(x, -smooth, problem.low, problem.high)
        price = multiplier(cost_slope, smooth, inner)
        force = cost_slope + price * slope
        free = free_of(x, -force, problem.low, problem.high)
        force = np.where(free, force, 0.0)
        felt = (slope != 0.0) | (error != 0.0)  # what no path feels moves on, but has no noise to be measured in
        rest = np.where(felt, np.maximum(np.abs(force) - NEAR * np.abs(cost_slope), 0.0) * np.sign(force), 0.0)
        trail.append((x, rest, price * error, over, point.estimate.standard_error / problem.scale))
        update, state = adam.update(force, state)
        x = np.clip(x + np.asarray(update, np.float64) + newton(over, smooth, free), problem.low, problem.high)
        if len(trail) >= WINDOW:
            residual = _left(trail[-WINDOW:])
            if residual <= WITHIN:
                break
    # what was measured at the iterates of the mean says how far it is from the budget itself
    mean, over = (np.mean([one[k] for one in trail[-WINDOW:]], axis=0) for k in (0, 3))
    mean = np.clip(mean + newton(float(over), smooth, free, 1.0), problem.low, problem.high)
    return Found(mean, residual, residual <= WITHIN, found.steps + len(trail))


def newton(over: float, slope: np.ndarray, free: np.ndarray, share: float = 0.7) -> np.ndarray:
    """Step along the measure's slope that takes a share of the way back to the budget, as far as the longest allowed."""
    direction = np.where(free, slope, 0.0)
    square = float(direction @ direction)
    if square == 0.0:
        return np.zeros_like(slope)
    step = -share * over / square * direction
    return step * min(1.0, LONGEST / max(np.abs(step).max(), 1e-300))


def _left(trail: list[tuple]) -> float:
    """Largest mean residual and distance to the budget, in standard errors of the mean."""
    force, error = (np.array([one[k] for one in trail]) for k in (1, 2))
    over, noise = (np.array([one[k] for one in trail]) for k in (3, 4))
    return max(_within(force, error).max(initial=0.0), float(_within(over, noise)))


def _within(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Size of the mean over the first axis in its standard errors; infinite where it is no noise at all."""
    mean, error = np.abs(values.mean(axis=0)), np.sqrt((errors**2).sum(axis=0)) / len(values)
    return np.where(error > 0.0, mean / np.where(error > 0.0, error, 1.0), np.where(mean > 1e-12, math.inf, 0.0))


__all__ = ["Found", "Point", "Problem", "free_of", "multiplier", "newton", "search"]

r"""Indirect inference: parameters for which a model's simulated records look like the one that was recorded.

Simulated moments with common random numbers (McFadden, 1989; Gourieroux, Monfort and Renault, 1993): with $m$ the record's
moments and $\bar m(\theta)$ the mean over simulated records of the same length, $g = m - \bar m(\theta)$, the estimate minimises
$g^\top W g$ by Levenberg's and Marquardt's steps. $W$ has the inverse of the moments' variances over simulated records, and
nothing beside its diagonal: a few dozen records do not tell the correlations of as many moments, and the best weight by a wrong
one is worse than a plain one (Altonji and Segal, 1996). It is taken at the start and once more at the first solution.

Standard errors are those of a weight that is not the best one,
$H^{-1} (J^\top W S W J\,(1 + 1/n) + P) H^{-1}$ with $H = J^\top W J + P$, the simulated covariance $S$, $n$ simulated records and
$P$, the inverse of what was believed before (zero where nothing was): what one record tells, the simulation's own noise, and for
what the record does not tell the spread that was believed.

Over-identification: simulated records are records too. How far each lies from their mean, after the best linear fit to it, is
the distribution that the record's own distance is held against; no chi-square is needed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Simulate = Callable[[np.ndarray], np.ndarray]
"""From parameters, `(parameters,)`, to the moments of simulated records, `(records, moments)`: always with the same noise."""

_STEPS = 0.05, 0.25
_LONGEST = 0.4


class Estimate(NamedTuple):
    """What indirect inference found.

    **Fields:** `values`: of the parameters, `(parameters,)`; `covariance`: of what one record tells of them; `mean`, `deviation`:
    of each simulated moment over records, `(moments,)`; `slopes`: of the mean to each parameter, `(moments, parameters)`;
    `distance`: $g^\\top W g$; `beyond`: share of simulated records that lie further away, by which the model is rejected where it
    is small; `believed`: share of each parameter that is what was believed before and not the record's, 0 to 1; `rounds`: steps
    taken; `settled`: whether the last one gained less than a hundredth of the distance.
    """

    values: np.ndarray
    covariance: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    slopes: np.ndarray
    distance: float
    beyond: float
    believed: np.ndarray
    rounds: int
    settled: bool

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of the parameters."""
        return np.sqrt(np.diag(self.covariance))


def estimate(
    recorded: np.ndarray,
    simulate: Simulate,
    start: np.ndarray,
    *,
    floor: np.ndarray | float = 0.0,
    prior: np.ndarray | None = None,
    rounds: int = 12,
    weights: int = 2,
    report: Callable[[int, float, np.ndarray], None] | None = None,
    together: Callable[[np.ndarray], np.ndarray] | None = None,
    centre: np.ndarray | None = None,
) -> Estimate:
    """Fit parameters to recorded moments.

    **Arguments:** `recorded`: `(moments,)`; `simulate`; `start`: of the parameters, on scales on which 0.05 is a small step;
    `floor`: smallest standard deviation of a moment, a number or one each, so that one that hardly ever moves is not believed
    beyond it; `prior`: standard deviation of each parameter around `centre` (`start` where None), None if there is none;
    `rounds`: most steps for each of `weights` weights; `report`: told of every step; `together`: as `simulate`, of several points
    at once where that is faster, `(points, parameters)` to `(points, records, moments)`.

    Raises `ValueError` where a simulated or recorded moment is not finite.
    """
    recorded, point = np.asarray(recorded, float), np.array(start, float)
    believed = np.array(start if centre is None else centre, float)
    many = together or (lambda points: np.stack([simulate(each) for each in points]))
    if not np.all(np.isfinite(recorded)):
        raise ValueError("a recorded moment is not finite")
    penalty = np.zeros(len(point)) if prior is None else 1.0 / np.asarray(prior, float) ** 2
    draws = _checked(simulate(point))
    taken, settled, slopes = 0, False, np.zeros((len(recorded), len(point)))
    weight, steps = np.eye(len(recorded)), np.full(len(point), _STEPS[0])
    for _ in range(weights):
        weight = _weight(draws, floor)
        damping, settled = 0.03, False
        value = _objective(recorded - draws.mean(0), weight) + np.sum(penalty * (point - believed) ** 2)
        for _ in range(rounds):
            slopes = _slopes(many, point, steps)
            gap = recorded - draws.mean(0)
            curvature = slopes.T @ weight @ slopes + np.diag(penalty)
            steps = _steps(curvature)
            pull = slopes.T @ weight @ gap - penalty * (point - believed)
            better = False
            for _ in range(4):
                step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature) + 1e-9), pull)
                step *= min(1.0, _LONGEST / np.max(np.abs(step)))
                tried = _checked(simulate(point + step))
                new = _objective(recorded - tried.mean(0), weight) + np.sum(penalty * (point + step - believed) ** 2)
                if new < value:
                    better = True
                    break
                damping *= 5.0
            if not better:
                settled = True
                break
            gained, value, point, draws, damping = value - new, new, point + step, tried, damping / 3.0
            taken += 1
            if report is not None:
                report(taken, value, point)
            if gained < 0.01 * value:
                settled = True
                break
    slopes = _slopes(many, point, steps)
    weight = _weight(draws, floor)
    return _finish(recorded, point, draws, slopes, weight, penalty, taken, settled)


def _finish(recorded, point, draws, slopes, weight, penalty, taken, settled) -> Estimate:
    count, gap = len(draws), recorded - draws.mean(0)
    inverse = np.linalg.inv(slopes.T @ weight @ slopes + np.diag(penalty))
    gain = inverse @ slopes.T @ weight
    spread = np.cov(draws.T)
    covariance = gain @ spread @ gain.T * (1.0 + 1.0 / count) + inverse @ np.diag(penalty) @ inverse
    # what is left of a record after the best linear fit to it
    left = np.eye(len(recorded)) - slopes @ gain
    others = (draws - draws.mean(0)) @ left.T * np.sqrt(count / (count - 1.0))
    distances = np.einsum("ij,jk,ik->i", others, weight, others)
    distance = _objective(left @ gap, weight)
    beyond = float((1 + np.sum(distances >= distance)) / (1 + count))
    believed = np.clip(np.diag(inverse) * penalty, 0.0, 1.0)
    mean, deviation = draws.mean(0), draws.std(0, ddof=1)
    return Estimate(point, covariance, mean, deviation, slopes, _objective(gap, weight), beyond, believed, taken, settled)


def _checked(draws: np.ndarray) -> np.ndarray:
    if not np.all(np.isfinite(draws)):
        raise ValueError("a simulated moment is not finite")
    return draws


def _objective(gap: np.ndarray, weight: np.ndarray) -> float:
    return float(gap @ weight @ gap)


def _weight(draws: np.ndarray, floor) -> np.ndarray:
    return np.diag(1.0 / (draws.var(0, ddof=1) + np.asarray(floor, float) ** 2))


def _slopes(many: Callable[[np.ndarray], np.ndarray], point: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Of the mean moments, central differences: counts of days move in jumps, and a step is wide enough to cross many."""
    moved = np.diag(steps)
    means = _checked(many(np.concatenate([point + moved, point - moved]))).mean(axis=1)
    return ((means[: len(point)] - means[len(point) :]) / (2.0 * steps[:, None])).T


def _steps(curvature: np.ndarray) -> np.ndarray:
    """Half an error of each parameter, within bounds."""
    return np.clip(0.5 * np.sqrt(np.diag(np.linalg.inv(curvature))), *_STEPS)


__all__ = ["Estimate", "Simulate", "estimate"]

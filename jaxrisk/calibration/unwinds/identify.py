"""Which numbers a likelihood can tell, and which it cannot tell apart."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

FLAT = 1.0
"""Standard error of a logarithm above which a number is not identified: a factor of 2.7 either way."""
ALIKE = 0.95
"""Correlation of estimates from which two numbers are said not to be told apart."""
REACH = 0.5
"""Log: how far from the maximum the likelihood is looked at. A simulated one is ragged close by."""
FAR = 1.0


class Identified(NamedTuple):
    """`errors`: standard errors of the logs; `covariance`, `correlation`; `why`: name to "" or why it is not identified;
    `together`: sentences on pairs that cannot be told apart."""

    errors: np.ndarray
    covariance: np.ndarray
    correlation: np.ndarray
    why: dict[str, str]
    together: tuple[str, ...]


def identified(
    value: Callable[[np.ndarray], float],
    slopes: np.ndarray,
    logs: np.ndarray,
    names: Sequence[str],
    bounds: Sequence[tuple[float, float]],
    prior_sd: np.ndarray,
) -> Identified:
    """Shape of a log-likelihood about the most likely numbers, in their logs.

    **Arguments:** `value`: the log-likelihood; `slopes`: there, by event, `(events, numbers)`; `bounds`: of the logs;
    `prior_sd`: of the logs under the prior, infinite for none, `(numbers,)`.

    A number is not identified at an end of its range, nor where a factor of 2.7 either way costs less than half a unit of
    log-likelihood: its error is then the prior's, or infinite. The covariance is the inverse of the curvature of likelihood and
    prior, the former over a factor of 1.6 either way, each variance no smaller than that of the sandwich over events (White,
    1982) but no larger than the prior's.
    """
    count, best = len(names), value(logs)
    low, high = np.array(bounds).T
    unit, drop = np.eye(count), lambda move: best - value(np.clip(logs + move, low, high))
    near = np.array([[drop(REACH * one), drop(-REACH * one)] for one in unit])
    far = np.array([[drop(FAR * one), drop(-FAR * one)] for one in unit])
    ends = np.where(logs <= low + 1e-6, "the low", np.where(logs >= high - 1e-6, "the high", ""))
    why = {name: _why(ends[place], far[place]) for place, name in enumerate(names)}
    free = np.flatnonzero(np.isfinite(prior_sd) | np.array([not why[name] for name in names]))
    curvature = np.diag(np.maximum(near.sum(axis=1), 1e-9) / REACH**2 + prior_sd**-2.0)
    for place, a in enumerate(free):
        for b in free[place + 1 :]:
            moves = [(s, t) for s in (1, -1) for t in (1, -1)]
            mixed = sum(s * t * drop(REACH * (s * unit[a] + t * unit[b])) for s, t in moves)
            curvature[a, b] = curvature[b, a] = mixed / (4.0 * REACH**2)
    inverse = _inverse(curvature[np.ix_(free, free)])
    each = slopes[:, free]
    sandwich = inverse @ (each.T @ each * len(each) / max(len(each) - 1, 1)) @ inverse
    larger = np.sqrt(np.maximum(np.diag(sandwich) / np.maximum(np.diag(inverse), 1e-300), 1.0))
    covariance = np.diag(np.full(count, np.inf))
    larger = np.minimum(larger, np.maximum(prior_sd[free] / np.sqrt(np.diag(inverse)), 1.0))
    covariance[np.ix_(free, free)] = inverse * np.outer(larger, larger)
    errors = np.sqrt(np.diag(covariance))
    scale = np.where(np.isfinite(errors), errors, 1.0)
    correlation = np.where(np.isfinite(covariance), covariance, 0.0) / np.outer(scale, scale)
    pairs = [(a, b) for place, a in enumerate(free) for b in free[place + 1 :] if abs(correlation[a, b]) > ALIKE]
    together = tuple(
        f"{names[a]} and {names[b]} cannot be told apart: their estimates have a correlation of {correlation[a, b]:+.2f}"
        for a, b in pairs
    )
    why = {
        name: why[name] or (f"known to a factor of {np.exp(errors[place]):.3g} only" if errors[place] > FLAT else "")
        for place, name in enumerate(names)
    }
    return Identified(errors, covariance, correlation, why, together)


def _inverse(curvature: np.ndarray) -> np.ndarray:
    """Of a matrix that noise may have left without a full rank."""
    values, vectors = np.linalg.eigh(curvature) if len(curvature) else (np.zeros(0), curvature)
    least = 1e-3 * max(values.max(initial=0.0), 1e-300)
    return vectors @ np.diag(1.0 / np.maximum(values, least)) @ vectors.T


def _why(end: Any, far: np.ndarray) -> str:
    if end:
        return f"at {end} end of its range"
    if far.max() <= 0.05:
        return "the data do not depend on it"
    if far.min() < 0.5 * FAR**2 / FLAT**2:
        side = "more" if far[0] < far[1] else "less"
        return f"2.7 times {side} fits the data as well ({-far.min():+.1f} in log-likelihood)"
    return ""


__all__ = ["Identified", "identified"]

r"""Whether the derivatives of paths are a measure's derivative: against a difference along the one direction in which each
parameter moves the measure up.

Where paths break, the derivatives of single paths miss what jumps. Of a sample of paths, drawn by the rank of their losses, the
excess over the measure's level $e$ is taken with every parameter moved by 1% up and down together, and compared with what their
derivatives say, path by path:
$X_i = w_i\,[(L_i^+ - e)^+ - (L_i^- - e)^+]/2h - w_i\,g_i 1\{L_i > e\}$. Its mean over that of the second term is the share by
which the derivatives may be wrong, each of them, and goes into their intervals as a bias.
"""

import math
from typing import NamedTuple

import numpy as np

from ...parameter import Parameter
from ...scenario import Scenario
from ..measure import Measure
from ..sample import Sample
from ..tail import rank_of
from .bump import ends
from .curve import CAUTION, critical
from .pathwise import Reverse, along

STEP = 0.01
LEAST = 1500
"""Fewest paths that are looked at, in three parts: beyond the level, twice as many below it, and the rest."""
SHARE = 100
"""Or one in so many of them, if that is more."""
MOST = 0.10
"""Share of a derivative beyond which a doubt about it is too large to put it into an interval."""


class Trust(NamedTuple):
    """`share` by which derivatives may be wrong: what was seen and `CAUTION` of its error; `seen` and `error` themselves, in
    shares of the derivative; `paths` that were run again."""

    share: float
    seen: float
    error: float
    paths: int


def trust(
    sample: Sample, measure: Measure, scenario: Scenario, parameters: list[Parameter], value: np.ndarray, reverse: Reverse
) -> Trust:
    """Of pathwise derivatives with these values; `reverse`: made with the same parameters."""
    size = np.array([min(abs(end) for end in ends(one, STEP)) for one in parameters])
    direction = size * np.sign(value)
    losses, n = sample.losses, len(sample.losses)
    level = _level(losses, measure)
    which, weight = _drawn(losses, level)
    lifted = []
    for sign in (1.0, -1.0):
        losses_there = sample.at(scenario, parameters, sign * direction, which)
        lifted.append(np.maximum(losses_there - level, 0.0) if math.isfinite(level) else losses_there)
    inside = losses[which] > level
    slopes = np.zeros(len(which))
    if inside.any():
        slopes[inside] = along(sample, reverse, which[inside], direction)
    apart = weight * ((lifted[0] - lifted[1]) / 2.0 - slopes)
    total = float(weight @ slopes) / n
    if total == 0.0:
        return Trust(math.inf if apart.any() else 0.0, math.nan, math.nan, len(which))
    seen = float(apart.sum()) / n / total
    error = math.sqrt(float(apart @ apart)) / n / abs(total)
    return Trust(math.hypot(seen, CAUTION * error), seen, error, len(which))


def widened(error: np.ndarray, value: np.ndarray, share: float) -> np.ndarray:
    """Standard errors with a bias of a share of each value: half of the interval that allows for it, over 1.96."""
    bias = share * np.abs(value)
    half = [critical(b / e) * e if e else b for b, e in zip(bias, error, strict=True)]
    return np.array(half) / critical(0.0)


def _level(losses: np.ndarray, measure: Measure) -> float:
    if measure.statistic == "mean":
        return -math.inf
    if measure.statistic == "exceedance_probability":
        return measure.level
    return float(np.sort(losses)[rank_of(len(losses), measure.level)])


def _drawn(losses: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of paths, and how many each stands for."""
    order = np.argsort(-losses, kind="stable")
    n, beyond = len(order), int(np.count_nonzero(losses > level))
    parts = np.split(order, sorted({min(n, beyond), min(n, 3 * beyond)}))
    parts = [part for part in parts if len(part)]
    most, random = max(LEAST, n // SHARE) // len(parts), np.random.default_rng(0)
    chosen = [part if len(part) <= most else random.choice(part, most, replace=False) for part in parts]
    weight = [np.full(len(some), len(part) / len(some)) for some, part in zip(chosen, parts, strict=True)]
    return np.concatenate(chosen), np.concatenate(weight)


__all__ = ["MOST", "Trust", "trust", "widened"]

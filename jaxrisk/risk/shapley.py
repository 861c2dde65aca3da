r"""Who has what part in a total: Shapley's shares of a measure among parts that can be switched on and off.

With $v(S)$ the measure while the parts of $S$ are on, a part's share is its mean contribution over all orders in which the parts
can be switched on (Shapley, 1953),

$$\varphi_i = \sum_{S \not\ni i} \frac{|S|!\,(n-|S|-1)!}{n!}\,\big(v(S \cup i) - v(S)\big),\qquad
\sum_i \varphi_i = v(\text{all}) - v(\text{none})$$

All runs are on the same random numbers, and a share is a fixed combination of them: its error is that of the same combination of
what each path adds to them. With many parts orders are drawn instead, in pairs of one and its reverse; what the draw adds to the
error is the spread between pairs.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .paired import Column
from .slopes.curve import effective, stands

EXACT = 6
"""Parts up to which all 2^n runs are made."""
ORDERS = 64
"""Orders that are drawn beyond."""


class Plan(NamedTuple):
    """Which runs are needed: `coalitions`, a bit a part, none first and all last; `weights`: of each run in each part's share, by
    pair of orders, `(pairs, parts, coalitions)`, one pair where it is exact; `exact`."""

    coalitions: tuple[int, ...]
    weights: np.ndarray
    exact: bool


class Share(NamedTuple):
    """A part's share, `value`, of a `total`, and over it, `fraction`; each with its standard error, NaN where it rests on too few
    paths; `scores`: what each path adds to as many times the value, `(paths,)`."""

    value: float
    standard_error: float
    fraction: float
    fraction_error: float
    scores: np.ndarray


class Shapley(NamedTuple):
    """`shares` of each part; `total`: all on less none; `none`, `all`: the measure, a value and an error; `of_all`: the total
    over all, and its error, that of all in it; `orders`: how many were drawn, 0 where every one counts."""

    shares: tuple[Share, ...]
    total: Share
    none: tuple[float, float]
    all: tuple[float, float]
    of_all: tuple[float, float]
    orders: int


def plan(parts: int, exact: int = EXACT, orders: int = ORDERS, seed: int = 0, same: Callable[[int], int] | None = None) -> Plan:
    """The runs for shares among some parts.

    **Arguments:** `exact`: parts up to which every run is made; `orders`: even, drawn beyond; `same`: from a coalition to one
    that has the same result, so that it is run once.

    >>> plan(2).coalitions, plan(2).weights[0].tolist()
    ((0, 1, 2, 3), [[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]])
    """
    same = same or (lambda coalition: coalition)
    if parts <= exact:
        rows = [_all_orders(parts)]
    else:
        random = np.random.default_rng(seed)
        drawn = [random.permutation(parts) for _ in range(max(2, orders // 2))]
        rows = [_add(_one_order(order, 0.5), _one_order(order[::-1], 0.5)) for order in drawn]
    whole = (1 << parts) - 1
    needed = dict.fromkeys([same(0), *(same(c) for row in rows for each in row for c in each), same(whole)])
    coalitions = tuple(needed)
    weights = np.zeros((len(rows), parts, len(coalitions)))
    for pair, row in enumerate(rows):
        for part, each in enumerate(row):
            for coalition, weight in each.items():
                weights[pair, part, coalitions.index(same(coalition))] += weight
    return Plan(coalitions, weights, parts <= exact)


def _all_orders(parts: int) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in range(parts)]
    for coalition in range(1 << parts):
        size = coalition.bit_count()
        for part in range(parts):
            inside = coalition >> part & 1
            before = size - inside
            chance = math.factorial(before) * math.factorial(parts - before - 1) / math.factorial(parts)
            found[part][coalition] = chance if inside else -chance
    return found


def _one_order(order: np.ndarray, weight: float) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in order]
    coalition = 0
    for part in order.tolist():
        found[part] = {coalition: -weight, coalition | 1 << part: weight}
        coalition |= 1 << part
    return found


def _add(one: list[dict[int, float]], other: list[dict[int, float]]) -> list[dict[int, float]]:
    return [{c: a.get(c, 0.0) + b.get(c, 0.0) for c in {**a, **b}} for a, b in zip(one, other, strict=True)]


def shapley(plan: Plan, runs: Sequence[Column], first: int, last: int) -> Shapley:
    """Shares from the measure of each run of a plan, all on the same paths.

    **Arguments:** `runs`: in the order of `plan.coalitions`; `first`, `last`: the places of those with nothing and all on.

    >>> random = np.random.default_rng(1)
    >>> noise = random.exponential(size=4000)
    >>> from jaxrisk.risk.measure import Measure
    >>> mean = Measure("x", "mean")
    >>> runs = [Column.of(scale * noise, mean) for scale in (1.0, 1.5, 1.2, 2.0)]
    >>> found = shapley(plan(2), runs, 0, 3)
    >>> [round(float(share.fraction), 3) for share in found.shares]
    [0.65, 0.35]
    """
    values, scores = np.array([run.value for run in runs]), np.stack([run.scores for run in runs])
    resolutions = np.array([run.resolution for run in runs])
    resolved = math.hypot(resolutions[first], resolutions[last]) if first != last else 0.0
    total = _share(values[last] - values[first], scores[last] - scores[first], resolved, None, None)
    whole = _fraction(total.value, total.scores, resolved, values[last], scores[last])
    mean = plan.weights.mean(axis=0)
    each = plan.weights @ values
    spread = each.std(axis=0, ddof=1) / math.sqrt(len(each)) if len(each) > 1 else np.zeros(each.shape[1])
    shares = []
    for part, row in enumerate(mean):
        drawn = math.hypot(spread[part], float(np.sqrt(np.sum((row * resolutions) ** 2))))
        shares.append(_share(float(row @ values), row @ scores, drawn, total.value, total.scores))
    ends = [(float(runs[place].value), float(runs[place].error)) for place in (first, last)]
    return Shapley(tuple(shares), total, ends[0], ends[1], whole, 0 if plan.exact else 2 * len(plan.weights))


def _share(value: float, scores: np.ndarray, drawn: float, whole: float | None, of: np.ndarray | None) -> Share:
    """`drawn`: error that is not the paths'; `whole`, `of`: value and scores of what it is a share of, None for itself."""
    value, drawn = float(value), float(drawn)
    error = _error(value, scores, drawn)
    if whole is None or of is None:
        return Share(value, error, 1.0 if value else math.nan, 0.0 if value else math.nan, scores)
    return Share(value, error, *_fraction(value, scores, drawn, whole, of), scores)


def _fraction(value: float, scores: np.ndarray, drawn: float, whole: float, of: np.ndarray) -> tuple[float, float]:
    """A part over a whole that is not known either, and its error."""
    if whole == 0.0:
        return math.nan, math.nan
    fraction = float(value) / float(whole)
    return fraction, _error(fraction, (scores - fraction * of) / whole, drawn / abs(float(whole)))


def _error(value: float, scores: np.ndarray, drawn: float) -> float:
    """Zero where no path says otherwise, NaN where too few do."""
    spread = scores - scores.mean()
    error = math.hypot(float(scores.std()) / math.sqrt(len(scores)), float(drawn))
    if not scores.any() and value == 0.0:
        return 0.0
    return error if stands(effective(spread), error, float(value)) else math.nan


__all__ = ["EXACT", "ORDERS", "Plan", "Shapley", "Share", "plan", "shapley"]

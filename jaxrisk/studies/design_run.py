"""One design from beginning to end: bracket, search, move onto the budget, verify; and the frontier."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optax

from ..parameter import named
from ..risk.estimate import Estimate
from ..risk.measure import Measure
from ..risk.sample import draw_sample
from ..risk.slopes.derivatives import derivatives
from ..risk.slopes.gradients import measure_gradient
from .design_check import AGAIN, Sampled, confidence_of, onto, upper_limit, without_slack
from .design_cost import Caps, Cost
from .design_search import Found, Point, Problem, free_of, multiplier, search
from .design_words import words

ATTEMPTS = 3
DIFFERENCES = 12
"""Caps up to which differences are worth their cost, 6% of a run each for a measure of the worst 1%."""
TAIL = 80
"""Fewest paths that the measure of an iteration rests on."""
STARTS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
FRONTIER = (-0.5, -0.25, 1.0 / 3.0, 2.0 / 3.0)
"""Other budgets: of the way to the least the measure can be, and to what it is without limits."""


@dataclass
class Run:
    """A design under way; arguments as those of `design_limits`. Fresh paths are those from `used` on."""

    caps: Caps
    names: tuple[str, ...]
    measure: Measure
    budget: float
    paths: int
    verify_paths: int
    seed: int
    weight: float
    progress: Callable[[int, int], None] | None = None
    used: int = 0
    scale: float = 1.0

    @property
    def least(self) -> int:
        """Paths without which an iteration says nothing."""
        share = {"expected_shortfall": 1.0 - self.measure.level, "mean": 0.1, "exceedance_probability": 0.02}
        tail = min(self.measure.level, 1.0 - self.measure.level)
        return min(self.paths, math.ceil(TAIL / share.get(self.measure.statistic, tail)))

    @property
    def expected(self) -> int:
        """Paths that a design takes, about."""
        return 45 * self.paths + 2 * self.verify_paths

    def fresh(self, paths: int) -> int:
        """Index of the first of so many paths that nothing has seen."""
        first, self.used = self.used, self.used + paths
        if self.progress is not None:
            self.progress(min(first, self.expected - 1), self.expected)
        return first

    def value(self, x: np.ndarray, paths: int) -> Estimate:
        """The measure on fresh paths."""
        return self.measure.estimate(
            draw_sample(self.caps.at(x), self.measure.observable, paths, self.seed, self.fresh(paths)).losses
        )

    def point(self, x: np.ndarray, paths: int) -> Point:
        """The measure and its slope to log caps on fresh paths: differences, or for many caps derivatives of the tail's paths."""
        if len(x) <= DIFFERENCES:
            sampled = self.sampled(x, paths)
            slope, covariance = sampled.slopes()
            return Point(sampled.base(), slope, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
        estimate, gradient, _ = measure_gradient(
            self.caps.at(x), self.measure, self.names, paths=paths, seed=self.seed, first_path=self.fresh(paths)
        )
        return Point(estimate, gradient.value * np.exp(x), gradient.standard_error * np.exp(x))

    def cost(self, x: np.ndarray) -> Cost:
        return self.caps.cost(x, self.weight)

    def sampled(self, x: np.ndarray, paths: int, exact: bool = False) -> Sampled:
        """The measure on fresh paths that can be run again."""
        return Sampled.draw(self.caps, x, self.measure, paths, self.seed, self.fresh(paths), exact)

    def problem(self, budget: float) -> Problem:
        """What `search` takes."""
        return Problem(self.point, self.cost, budget, self.caps.low, self.caps.high, self.scale)

    def design(self, frontier: Sequence[float] | None) -> dict[str, Any]:
        """All fields of a `Design` that the search decides."""
        high = self.caps.high
        free = self.value(high, self.paths)
        if free.value <= self.budget:
            checked = self.sampled(high, self.verify_paths, exact=True)
            confidence = confidence_of(0, ATTEMPTS)
            if upper_limit(checked.base(), confidence) <= self.budget:
                return self.fields(high, checked, Found(high, 0.0, True, 0), confidence, True, free, free, [])
        start, tight = self.bracket(free)
        self.scale = max(abs(free.value - tight.value), abs(free.value) * 1e-6, 1e-300)
        if tight.value - 2.0 * tight.standard_error > self.budget:
            checked = self.sampled(start, self.verify_paths, exact=True)
            confidence = confidence_of(0, ATTEMPTS)
            met = upper_limit(checked.base(), confidence) <= self.budget
            return self.fields(start, checked, Found(start, math.inf, False, 0), confidence, met, free, tight, [])
        found = search(self.problem(self.budget), start, self.paths, self.least)
        x, checked, confidence, met = self.verified(found.x)
        rows = self.frontier(x, free, tight, frontier) if met else []
        return self.fields(x, checked, found, confidence, met, free, tight, rows)

    def bracket(self, free: Estimate) -> tuple[np.ndarray, Estimate]:
        """Log caps, all at one share of their ranges, whose measure is near the budget, and the least that the measure can be.
        Where it is over the budget everywhere, the caps with the least."""
        low, high = self.caps.low, self.caps.high
        at = lambda share: low + share * (high - low)
        paths = max(self.least, self.paths // 4)
        tight = self.value(low, paths)
        if tight.value - 2.0 * tight.standard_error <= self.budget:
            below, above = (0.0, tight.value), (1.0, free.value)
            for _ in range(6):
                share = 0.5 * (below[0] + above[0])
                value = self.value(at(share), paths).value
                below, above = ((share, value), above) if value <= self.budget else (below, (share, value))
            return at(0.5 * (below[0] + above[0])), tight
        # demand that reopens elsewhere may make tight limits worse than loose ones
        tried = [(tight, low)] + [(self.value(at(share), paths), at(share)) for share in STARTS]
        # and what is called the best is to be no worse than the limits there are
        present = np.clip(self.caps.present, low, high)
        if np.any(present < high):
            tried.insert(0, (self.value(present, paths), present))
        best, x = min(tried, key=lambda one: one[0].value)
        return self.lowest(x, best, paths)

    def lowest(self, x: np.ndarray, best: Estimate, paths: int, steps: int = 12) -> tuple[np.ndarray, Estimate]:
        """Down the measure's own slope, for as long as it may meet the budget."""
        adam = optax.adam(0.2)
        state: Any = adam.init(x)
        y = x
        for _ in range(steps):
            point = self.point(y, paths)
            if point.estimate.value < best.value:
                best, x = point.estimate, y
            if best.value + 2.0 * best.standard_error <= self.budget:
                break
            slope = np.where(free_of(y, -point.slope, self.caps.low, self.caps.high), point.slope, 0.0)
            if not slope.any():
                break
            update, state = adam.update(slope / (np.abs(slope).max() or 1.0), state)
            y = np.clip(y + np.asarray(update, np.float64), self.caps.low, self.caps.high)
        return x, best

    def verified(self, x: np.ndarray) -> tuple[np.ndarray, Sampled, float, bool]:
        """Onto the budget less a margin, no slack left, then on fresh paths: again with those as the sample where that fails."""
        low, high = self.caps.low, self.caps.high
        x = np.where(x >= high - 0.01, high, x)
        paths = max(self.least, self.verify_paths // 2)
        sampled = self.sampled(x, paths)
        confidence = confidence_of(0, ATTEMPTS)
        for _ in range(ATTEMPTS):
            own = sampled.base().standard_error
            error = own * math.sqrt(len(sampled.sample.losses) / self.verify_paths)
            margin = upper_limit(Estimate(0.0, error, 0, 0, 0, 0, 0), confidence) + AGAIN * math.hypot(own, error)
            target = self.budget - margin
            x, _ = onto(sampled, x, target, low, high)
            x, _ = without_slack(sampled, x, target, high)
            sampled = self.sampled(x, self.verify_paths, exact=True)
            if upper_limit(sampled.base(), confidence) <= self.budget:
                return x, sampled, confidence, True
        return x, sampled, confidence, False

    def frontier(self, x: np.ndarray, free: Estimate, tight: Estimate, budgets: Sequence[float] | None) -> list[dict[str, Any]]:
        """Best limits for other budgets, each from those of the budget next to it."""
        if budgets is None:
            ends = {True: free.value - self.budget, False: self.budget - tight.value}
            budgets = [self.budget + share * ends[share > 0.0] for share in FRONTIER]
        rows = []
        for side in (
            sorted(b for b in budgets if b > self.budget),
            sorted((b for b in budgets if b < self.budget), reverse=True),
        ):
            y = x
            for budget in side:
                if not tight.value < budget < free.value:
                    continue
                paths = max(self.least, self.paths // 2)
                y = search(self.problem(budget), y, paths, self.least, stages=(2, 1)).x
                sampled = self.sampled(y, max(self.least, self.paths))
                y, estimate = onto(sampled, y, budget, self.caps.low, self.caps.high)
                rows.append(self.row(budget, y, estimate))
        return rows

    def row(self, budget: float, x: np.ndarray, estimate: Estimate) -> dict[str, Any]:
        """An entry of the frontier."""
        cost = self.cost(x)
        return {
            "budget": budget,
            "measure": estimate,
            "cost": cost.open_interest,
            "collateral": cost.collateral,
            "caps": np.exp(x),
        }

    def fields(
        self,
        x: np.ndarray,
        checked: Sampled,
        found: Found,
        confidence: float,
        met: bool,
        free: Estimate,
        tight: Estimate,
        rows: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """What a `Design` says, from the caps found and the run that they were verified on."""
        high = self.caps.high
        estimate, cost, binding = checked.base(), self.cost(x), x < high - 1e-9
        _, raised = without_slack(checked, x, -math.inf, high)
        price, price_error = self.price(x, checked, cost, binding)
        rows = sorted([*rows, self.row(self.budget, x, estimate)], key=lambda row: row["budget"]) if rows else []
        fields: dict[str, Any] = {
            "feasible": met,
            "after": np.exp(x),
            "binding": binding,
            "estimate": estimate,
            "upper": upper_limit(estimate, confidence),
            "cost": cost.open_interest,
            "collateral": cost.collateral,
            "total_cost": cost.total,
            "shadow_price": price,
            "shadow_price_error": price_error,
            "slack": raised,
            "slack_upper": np.array([upper_limit(one, confidence) for one in raised]),
            "frontier": rows,
            "scenario": self.caps.at(x),
            "info": {
                "seed": self.seed,
                "paths": self.paths,
                "verify_paths": self.verify_paths,
                "paths_run": self.used,
                "confidence": confidence,
                "iterations": found.steps,
                "searched": np.exp(found.x),
                "residual": found.residual,
                "converged": found.converged,
                "without_limits": free,
                "tightest": tight,
                "collateral_weight": self.weight,
            },
        }
        fields["words"] = words(fields, self.names, self.measure, self.budget)
        if self.progress is not None:
            self.progress(self.expected, self.expected)
        return fields

    def price(self, x: np.ndarray, checked: Sampled, cost: Cost, binding: np.ndarray) -> tuple[float, float]:
        """Shadow price of the budget and its standard error, from the derivatives on the paths that verified the caps."""
        free = binding & (x > self.caps.low + 1e-9)
        if not free.any():
            return math.nan, math.nan
        scenario = self.caps.at(x)
        # many caps have a curve each only where their paths' derivatives are not borne out
        method = "bump" if len(x) <= DIFFERENCES else "auto"
        found = derivatives(checked.exact, self.measure, scenario, named(scenario, self.names), method)
        slope, covariance = found.value * np.exp(x), found.covariance * np.outer(np.exp(x), np.exp(x))
        square = float(slope[free] @ slope[free])
        price = multiplier(cost.gradient, slope, free)
        if square == 0.0:
            return math.nan, math.nan
        # of a ratio of sums of products: how it moves with each slope
        moves = np.where(free, -cost.gradient / square - 2.0 * price * slope / square, 0.0)
        return price, float(np.sqrt(max(moves @ covariance @ moves, 0.0)))


__all__ = ["Run"]

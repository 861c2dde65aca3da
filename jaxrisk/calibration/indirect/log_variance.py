"""A log variance of several factors, and the strength of impact, fitted to how often and how far prices fell and rose, and to the
memory of their volatility: with forced orders in every simulated day, or without."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import equinox as eqx
import numpy as np

from ..._interrupt import look
from ...cascade import TemporaryImpact
from ...market import AbstractMarket, LogVariance
from ...market.start import Stationary
from ...scenario import Scenario
from .bars import DayBars
from .estimate import Estimate, estimate
from .feedback import Places, added, places, points, run_days
from .histories import Histories, histories, several_histories
from .moments import Moments, moments

HALF_LIVES = (1.0, 8.0, 96.0, 2160.0)
"""Hours: of an hour, a night, four days, three months. Fixed: what is between them, two neighbours share."""
_FACTORS = len(HALF_LIVES)
OF_LAW = (
    "mean_variance", "drift", *(f"factor_sd {i + 1}" for i in range(_FACTORS)), "leverage_correlation",
    "jump_rate", "jump_sd", "scaled_jump_mean", "scaled_jump_sd",
)  # fmt: skip
OF_IMPACT = ("impact.coefficient", "temporary_impact.coefficient")
LOGGED = ("mean_variance", *(f"factor_sd {i + 1}" for i in range(_FACTORS)), "jump_rate", "jump_sd", "scaled_jump_sd", *OF_IMPACT)
"""Fitted as logarithms; `leverage_correlation` as its hyperbolic tangent's argument."""
_START = (np.log(0.37), 0.2, *np.log([1.1, 0.65, 0.65, 0.6]), -0.1, np.log(10.0), np.log(0.012), 0.2, np.log(0.7))
_PRIOR = (np.inf, 1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 1.0, 0.7, 1.0, 0.7)
_IMPACT_START, _IMPACT_PRIOR = (np.log(0.5), np.log(0.1)), (1.0, 1.5)
TEMPORARY_EXPONENT, TEMPORARY_HALF_LIFE = 0.6, 3.0 / 525600.0
"""Almgren and others (2005) for the exponent; minutes for the half-life. Neither is told by hourly bars."""
_CLOSE = 0.1
RECORDS = 32
DAYS = 4096


class TailFit(NamedTuple):
    """`law`, `scenario`: what was found, the scenario None without feedback; `estimate`: on the fit's scales; `names`: of its
    parameters; `recorded`: the moments, those `used` in the fit."""

    law: LogVariance
    scenario: Scenario | None
    estimate: Estimate
    names: tuple[str, ...]
    recorded: Moments
    used: np.ndarray


@dataclass(frozen=True)
class TailModel:
    """The law, and the mechanics that deepen its days.

    **Arguments:** `bars`: whose length and holes simulated records have; `scenario`: mechanics and positions, of one asset under
    a power law of impact, whose coefficients are fitted; None for the law alone; `impact`: None to fit the two coefficients, or
    their values; `records`, `days`, `seed`: of simulation.
    """

    bars: DayBars
    scenario: Scenario | None = None
    impact: tuple[float, float] | None = None
    records: int = RECORDS
    days: int = DAYS
    seed: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return OF_LAW + (OF_IMPACT if self.scenario is not None and self.impact is None else ())

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the search begins, and the standard deviations of what is believed before; both on the scales of the fit."""
        free = len(self.names) > len(OF_LAW)
        return np.array(_START + (_IMPACT_START if free else ())), np.array(_PRIOR + (_IMPACT_PRIOR if free else ()))

    @staticmethod
    def start_of_law() -> np.ndarray:
        """Where the search begins, of the law alone."""
        return np.array(_START)

    def mechanics(self, point: np.ndarray) -> Scenario | None:
        """The scenario with the impact of a point; None without feedback."""
        if self.scenario is None:
            return None
        coefficient, temporary = np.exp(point[len(OF_LAW) :]) if self.impact is None else self.impact
        return with_impact(self.scenario, coefficient, temporary)

    def simulate(self, point: np.ndarray) -> np.ndarray:
        """Moments of simulated records, `(records, moments)`."""
        return self.simulate_several(point[None])[0]

    def simulate_several(self, points: np.ndarray) -> np.ndarray:
        """Of several points side by side, which takes little longer than one: `(points, records, moments)`."""
        missing, laws, found = ~np.isfinite(self.bars.close), [law_of(point) for point in points], []
        together = several_histories(laws, len(self.bars.close), self.records, self.seed)
        for point, law, drawn in zip(points, laws, together, strict=True):
            look()
            each, like = moments_of(drawn, missing)
            scenario = self.mechanics(point)
            if scenario is not None:
                each = each + added(run_days(scenario, law, drawn, missing, seed=self.seed, where=self._where), like)
            found.append(each)
        return np.stack(found)

    @functools.cached_property
    def _where(self) -> Places:
        """The days that are run through the scenario: the same at every point, or its moments would be ragged."""
        law, missing = law_of(self.start_of_law()), ~np.isfinite(self.bars.close)
        return places(histories(law, len(self.bars.close), self.records, self.seed), missing, self.days, self.seed)

    def forced(self, point: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Of a day's fall of about each level, what was forced orders: `points` of `day_feedback`. Shape `(levels,)`."""
        scenario, law = self.mechanics(point), law_of(point)
        if scenario is None:
            return np.zeros(len(levels))
        missing = ~np.isfinite(self.bars.close)
        drawn = histories(law, len(missing), self.records, self.seed)
        return points(run_days(scenario, law, drawn, missing, days=4 * self.days, seed=self.seed), levels)


def forced_points(
    fit: TailFit, model: TailModel, levels: Sequence[float], *, draws: int = 24, seed: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Of a day's fall of about each level, the part that was forced orders, a fraction, at the estimate, `(levels,)`; and the
    ends of its 95% interval over `draws` of the parameters from their estimate, `(2, levels)`. NaN where no day falls so far, an
    interval where with more than a tenth of the draws none does.

    What the record hardly tells is drawn no further than one unit of the fit's scale, where slopes still hold.
    """
    values, rng = fit.estimate.values, np.random.default_rng(seed)
    root = np.linalg.cholesky(fit.estimate.covariance + 1e-12 * np.eye(len(values)))
    moved = [values + np.clip(root @ rng.standard_normal(len(values)), -1.0, 1.0) for _ in range(draws)]
    found = np.array([model.forced(point, levels) for point in moved])
    seen = np.isfinite(found).mean(axis=0) >= 0.9
    ends = np.full((2, len(levels)), np.nan)
    ends[:, seen] = np.nanquantile(found[:, seen], (0.025, 0.975), axis=0)
    return model.forced(values, levels), ends


def simulated(market: AbstractMarket, bars: DayBars, records: int, seed: int) -> tuple[np.ndarray, Histories, Moments]:
    """Moments of records of a law as long as `bars` and with their holes, `(records, moments)`; the records, and mean moments."""
    drawn = histories(market, len(bars.close), records, seed)
    found, usual = moments_of(drawn, ~np.isfinite(bars.close))
    return found, drawn, usual


def moments_of(drawn: Histories, missing: np.ndarray) -> tuple[np.ndarray, Moments]:
    """Of each history with a record's holes, `(records, moments)`, and their means."""
    each = [moments(drawn.record(i, missing)) for i in range(drawn.bars.shape[1])]
    found = np.array([record.values for record in each])
    # a record without an hour of some size says nothing of such hours: it counts as the others' mean
    usual = np.nanmean(found, axis=0)
    return np.where(np.isfinite(found), found, usual), each[0]._replace(values=usual)


def law_of(point: np.ndarray) -> LogVariance:
    """From the scales of the fit to a law that starts from a day drawn at random."""
    leverage, rate, fixed, mean, scaled = point[2 + _FACTORS : len(OF_LAW)]
    # the factors' correlations with the price, all the same, leave it some noise of its own
    each = np.tanh(leverage) / np.sqrt(_FACTORS)
    return LogVariance(
        [point[1]],
        [np.exp(point[0])],
        [np.array(HALF_LIVES) / 8760.0],
        [np.exp(point[2 : 2 + _FACTORS])],
        [np.full(_FACTORS, each)],
        [[1.0]],
        start=Stationary(),
        jump_rate=[np.exp(rate)],
        jump_mean=[0.0],
        jump_sd=[np.exp(fixed)],
        scaled_jump_mean=[mean],
        scaled_jump_sd=[np.exp(scaled)],
        max_jumps=1,
    )


def with_impact(scenario: Scenario, coefficient: float, temporary: float) -> Scenario:
    """A scenario of one asset with these coefficients of lasting and of temporary impact; 0 is none of the latter."""
    law, one = scenario.impact.law, np.ones(1)
    changed = eqx.tree_at(lambda x: x.coefficient, law, coefficient * one)
    passing = TemporaryImpact(
        temporary * one,
        TEMPORARY_EXPONENT * one,
        np.log(2.0) / TEMPORARY_HALF_LIFE * one,
        law.daily_volatility,
        law.daily_volume,
    )
    return replace(scenario, impact=replace(scenario.impact, law=changed, temporary=passing if temporary > 0.0 else None))


def fit_tail(
    model: TailModel,
    *,
    start: np.ndarray | None = None,
    rounds: int = 8,
    report: Callable[[int, float, np.ndarray], None] | None = None,
) -> TailFit:
    """Fit a model to the record whose bars it has. Raises `ValueError` where the record is too short.

    **Arguments:** `start`: on the scales of the fit; `rounds`: most steps for each of two weights; `report`: told of every step.
    """
    recorded = moments(model.bars)
    left_out = _left_out(recorded.names)
    # a record without an hour of some size has no moment of such hours
    used = np.array([name not in left_out for name in recorded.names]) & np.isfinite(recorded.values)
    # a law is not the market: nothing is asked of it more closely than to a tenth, a count than to a day
    counts = np.array([name.startswith(("fall", "rise")) for name in recorded.names])
    floor = np.where(counts, 1.0, _CLOSE * np.abs(recorded.values))
    begin, prior = model.start()
    found = estimate(
        recorded.values[used],
        lambda point: model.simulate(point)[:, used],
        begin if start is None else start,
        floor=floor[used],
        prior=prior,
        centre=begin,
        rounds=rounds,
        report=report,
        together=lambda points: model.simulate_several(points)[..., used],
    )
    return TailFit(law_of(found.values), model.mechanics(found.values), found, model.names, recorded, used)


def in_words(names: tuple[str, ...], point: np.ndarray) -> dict[str, float]:
    """A point of the fit as a scenario's numbers."""
    numbers = {name: float(np.exp(x) if name in LOGGED else x) for name, x in zip(names, point, strict=True)}
    numbers["leverage_correlation"] = float(np.tanh(numbers["leverage_correlation"]) / np.sqrt(_FACTORS))
    return numbers


def on_scenario_scale(names: tuple[str, ...], point: np.ndarray, errors: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """A point of the fit, and standard errors there, as a scenario's numbers and theirs, to first order."""
    values, spread = in_words(names, point), {}
    for name, x, error in zip(names, point, errors, strict=True):
        slope = values[name] if name in LOGGED else 1.0
        if name == "leverage_correlation":
            slope = (1.0 - np.tanh(x) ** 2) / np.sqrt(_FACTORS)
        spread[name] = float(slope * error)
    return values, spread


def _left_out(names: tuple[str, ...]) -> set[str]:
    """Moments that are looked at, not fitted: too few days, or the same again."""
    few = {name for name in names if "0.195" in name}
    same = {name for name in names if name.startswith(("long 2x", "short 2x", "long 30x", "short 30x", "long 20x", "short 20x"))}
    return few | same


__all__ = [
    "HALF_LIVES",
    "OF_IMPACT",
    "OF_LAW",
    "TailFit",
    "TailModel",
    "fit_tail",
    "forced_points",
    "in_words",
    "law_of",
    "moments_of",
    "on_scenario_scale",
    "simulated",
    "with_impact",
]

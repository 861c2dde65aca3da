r"""Impact, resilience, engine speed and closing of the other side, from recorded unwinds.

The engine is run along the price of each event (`pinned`), which gives the fundamental that the price implies. Its moves are
taken as Student-t with the volatility of the last half hour, so that a price that falls further than it would, and comes back,
where the book was forced to sell speaks for impact and for its relaxing. The open interest that was lost speaks for the share of
forced volume that closes the other side, with the error of what is opened and closed besides.

Maximum likelihood, under priors, by slopes of central differences, all of them in one run: for four numbers a run along nine sets
of them is less work than the compilation of a derivative through the flow book, seven minutes. Errors are those of a sandwich
over events; with few of them they are rough.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, stats

from ...cascade.blocks import numbers
from ...scenario import Scenario
from .identify import Identified, identified
from .pinned import pinned

LOG2 = math.log(2.0)
SECOND = 1.0 / (365 * 86400)
HALF_LIFE = 0.5 / 8760.0
"""Years: of the moving mean that stands for the volatility of the moment."""


LEAST_SHARE = 0.1
STEP = 0.02
"""Of a central difference, log."""


class Number(NamedTuple):
    """A number that is fitted, on a log scale: `unit`, its range, how it is put into a scenario, and what is known of it besides:
    the `prior` is lognormal with this median and standard deviation of the log, infinite for nothing known."""

    name: str
    unit: str
    low: float
    high: float
    put: Callable[[Scenario, jax.Array], Scenario]
    prior: tuple[float, float] = (1.0, math.inf)


def _at(where, make):
    return lambda scenario, value: eqx.tree_at(where, scenario, make(scenario, value))


def _each(value, like) -> jax.Array:
    return value * jnp.ones_like(jnp.asarray(like))


NUMBERS = (
    Number(
        "impact.coefficient", "1", 1e-3, 10.0,
        _at(lambda s: s.impact.law.coefficient, lambda s, y: _each(y, s.impact.law.coefficient)), (1.0, 0.7),
    ),
    Number(
        "impact.resilience_half_life", "min", 1.0, 48 * 60.0,
        _at(lambda s: s.impact.relaxation_rate, lambda s, m: _each(LOG2 / (60.0 * SECOND * m), s.impact.relaxation_rate)),
        (30.0, 1.0),
    ),
    Number(
        "venues.engine_time", "s", 1.0, 3600.0,
        _at(lambda s: s.venues.engine_time, lambda s, t: _each(SECOND * t, s.venues.engine_time)), (10.0, 1.0),
    ),
    Number(
        "venues.closes_opposite", "1", 1e-3, 1.0,
        _at(lambda s: s.venues.closes_opposite, lambda s, c: _each(c, s.venues.closes_opposite)), (0.5, 1.0),
    ),
)  # fmt: skip
"""Priors: impact is of order one in the literature (Toth and others, 2011; Donier and Bonart, 2015); for the relaxation, the
speed of the engine and the closing of the other side, assumptions as wide as the ranges that the shipped scenarios give."""
NUISANCE = ("scale", "degrees_of_freedom", "spread")
"""Scale of the moves against the moving volatility; of Student's t; relative spread of open-interest losses between events."""
_START = {"scale": 1.0, "degrees_of_freedom": 4.0, "spread": 0.3}
_RANGE = {"scale": (0.1, 10.0), "degrees_of_freedom": (2.1, 100.0), "spread": (0.02, 2.0)}


class EventData(NamedTuple):
    """One unwind. `scenario`: with its `given` prices, one asset; `seen`: steps of them that are data, the rest is padding;
    `lost`: open interest lost, fraction of coins, NaN where unknown, `lost_step` steps after the start; `flow_sd`: standard
    deviation of what ordinary opening and closing adds to it."""

    name: str
    scenario: Scenario
    seen: int
    lost: float
    lost_step: int
    flow_sd: float


class EventFit(NamedTuple):
    """What the unwinds say.

    `names`, `values`, `errors` (standard, of the value), `covariance` (of the logs of values), shape `(numbers, numbers)`;
    `identified`: name to "" or why not; `together`: sentences on numbers that the data cannot tell apart; `nuisance`: scale,
    degrees of freedom and spread; `log_likelihood`; `without_impact`: twice what impact adds to it, these refitted; `events`:
    names; `converged`; `message`: the optimiser's.
    """

    names: tuple[str, ...]
    values: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    identified: dict[str, str]
    together: tuple[str, ...]
    correlation: np.ndarray
    nuisance: dict[str, float]
    log_likelihood: float
    without_impact: float
    events: tuple[str, ...]
    converged: bool
    message: str

    def table(self) -> list[tuple[str, float, float, str]]:
        """Name, value, standard error, and why it is not identified, a line each."""
        rows = zip(self.names, self.values, self.errors, strict=True)
        return [(name, float(value), float(error), self.identified[name]) for name, value, error in rows]


def put(scenario: Scenario, names: Sequence[str], logs) -> Scenario:
    """A scenario with some of `NUMBERS` set, from their logs."""
    known = {number.name: number for number in NUMBERS}
    for place, name in enumerate(names):
        scenario = known[name].put(scenario, jnp.exp(logs[place]))
    return scenario


def moving_variance(log_price, years_per_step: float, first: float, half_life: float = HALF_LIFE) -> np.ndarray:
    """Exponentially weighted mean of squared moves before each step, a year; `first`: annual variance at the start."""
    weight = -math.expm1(-LOG2 * years_per_step / half_life)
    squares = np.diff(np.asarray(log_price, np.float64)) ** 2 / years_per_step
    variance, now = np.empty(len(squares)), first
    for place, square in enumerate(squares):
        variance[place] = now
        now += weight * (square - now)
    return variance


class _Term:
    """The likelihood of one event: the engine is run along its price for several sets of numbers at once."""

    def __init__(self, data: EventData, names: Sequence[str]):
        rows = np.asarray(data.scenario.given.log_prices)[:, 0]
        settings = data.scenario.settings
        reference = 0.0 if data.scenario.depth is None else float(np.asarray(data.scenario.depth.reference_volatility)[0]) ** 2
        first = reference or float(np.var(np.diff(rows)) / settings.years_per_step)
        variance = np.maximum(moving_variance(rows, settings.years_per_step, first), 1e-2 * first)
        self.sd = np.sqrt(variance * settings.years_per_step)[: data.seen]
        self.data, self.names = data, tuple(names)
        self.scenario = data.scenario.bare()
        self._known: dict[bytes, tuple] = {}

    def paths(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Moves of the fundamental and its share in each of the price's, `(steps,)`, and the open interest lost, a fraction."""
        if logs.tobytes() not in self._known:
            steps = np.concatenate([np.zeros((1, len(logs))), STEP * np.eye(len(logs)), -STEP * np.eye(len(logs))])
            found = _along(logs + steps, self.names, self.scenario, np.asarray(self.data.lost_step))
            moves, share, lost = (np.asarray(one) for one in found)
            for place, one in enumerate(logs + steps):
                self._known[one.tobytes()] = moves[place, : self.data.seen], share[place, : self.data.seen], float(lost[place])
        return self._known[logs.tobytes()]

    def value(self, logs: np.ndarray) -> float:
        """Log-likelihood; `logs`: of the numbers and then of the nuisance parameters."""
        count = len(self.names)
        moves, share, expected = self.paths(logs[:count])
        scale, freedom, spread = np.exp(logs[count:])
        # at a share near zero forced orders would have moved the price on: the least is what a step of minutes can tell
        steady = np.log(np.maximum(share, LEAST_SHARE))
        total = float(np.sum(stats.t.logpdf(moves / (scale * self.sd), freedom) - np.log(scale * self.sd) + steady))
        if math.isfinite(self.data.lost):
            deviation = math.hypot(self.data.flow_sd, spread * expected)
            total += float(stats.norm.logpdf(self.data.lost, expected, deviation))
        return total

    def __call__(self, logs: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood and its slope, by central differences."""
        self.paths(logs[: len(self.names)])  # all numbers at once
        unit = STEP * np.eye(len(logs))
        slope = [(self.value(logs + one) - self.value(logs - one)) / (2.0 * STEP) for one in unit]
        return self.value(logs), np.array(slope)


@eqx.filter_jit
def _along(logs, names, scenario, lost_step):
    def one(numbers):
        found = pinned(put(scenario, names, numbers))
        lost = 1.0 - jnp.sum(found.open_interest[lost_step]) / jnp.sum(found.held)
        return jnp.diff(found.fundamental[:, 0], prepend=0.0), found.exogenous_share[:, 0], lost

    return jax.vmap(one)(logs)


class Likelihood:
    """Of several events, so that fits without one of them do not compile again.

    **Arguments:** `names`: of `NUMBERS`, those that are fitted; the others are the scenarios' own.
    """

    def __init__(self, events: Sequence[EventData], names: Sequence[str] | None = None):
        known = [number.name for number in NUMBERS]
        self.names = tuple(known if names is None else names)
        with numbers(True):
            self.terms = {data.name: _Term(data, self.names) for data in events}
        self.events = {data.name: data for data in events}

    def __call__(self, logs, events: Sequence[str]) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood, its gradient, and the gradients by event, shape `(events, numbers)`."""
        with numbers(True):
            each = [self.terms[name](np.asarray(logs, np.float64)) for name in events]
        slopes = np.array([slope for _, slope in each])
        return sum(value for value, _ in each), slopes.sum(axis=0), slopes

    def moves(self, logs, event: str) -> np.ndarray:
        """Moves of the fundamental that an event's price implies, `(steps,)`."""
        with numbers(True):
            return self.terms[event].paths(np.asarray(logs, np.float64))[0]

    def lost(self, logs, event: str) -> tuple[float, float]:
        """Fraction of the open interest that the book loses along an event's price, and the observed one."""
        with numbers(True):
            return self.terms[event].paths(np.asarray(logs, np.float64))[2], self.events[event].lost

    def value(self, logs, event: str) -> float:
        """Log-likelihood of one event."""
        with numbers(True):
            return self.terms[event].value(np.asarray(logs, np.float64))

    def fit(self, without: Sequence[str] = ()) -> EventFit:
        """The most likely numbers on all events but some, under their priors."""
        used = tuple(name for name in self.terms if name not in without)
        if len(used) < 2:
            raise ValueError("at least two events are needed to fit")
        known = {number.name: number for number in NUMBERS}
        begin = {"impact.coefficient": 0.5, "impact.resilience_half_life": 30.0, "venues.engine_time": 30.0,
                 "venues.closes_opposite": 0.4, **_START}  # fmt: skip
        keys = (*self.names, *NUISANCE)
        ranges = [(known[key].low, known[key].high) if key in known else _RANGE[key] for key in keys]
        bounds = [(math.log(low), math.log(high)) for low, high in ranges]
        middle = np.array([math.log(known[key].prior[0]) if key in known else 0.0 for key in keys])
        width = np.array([known[key].prior[1] if key in known else math.inf for key in keys])

        def negative(logs):
            total, slope, _ = self(logs, used)
            return 0.5 * np.sum(((logs - middle) / width) ** 2) - total, (logs - middle) / width**2 - slope

        x0 = np.log([begin[key] for key in keys])
        best = optimize.minimize(negative, x0, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 80, "ftol": 1e-9})
        value = lambda logs: sum(self.value(logs, name) for name in used)
        found = identified(value, self(best.x, used)[2], best.x, keys, bounds, width)
        return self._result(best, found, used, bounds)

    def _result(self, best, found: Identified, used, bounds) -> EventFit:
        count = len(self.names)
        values = np.exp(best.x)
        rest = 0.0
        if "impact.coefficient" in self.names:
            low = bounds[self.names.index("impact.coefficient")][0]
            none = np.where(np.array(self.names) == "impact.coefficient", low, best.x[:count])
            apart = lambda rest: -sum(self.value(np.concatenate([none, rest]), name) for name in used)
            rest = 2.0 * (self(best.x, used)[0] + optimize.minimize(apart, best.x[count:], bounds=bounds[count:]).fun)
        return EventFit(
            names=self.names,
            values=values[:count],
            errors=values[:count] * found.errors[:count],
            covariance=found.covariance[:count, :count],
            identified={name: found.why[name] for name in self.names},
            together=found.together,
            correlation=found.correlation[:count, :count],
            nuisance=dict(zip(NUISANCE, map(float, values[count:]), strict=True)),
            log_likelihood=self(best.x, used)[0],
            without_impact=rest,
            events=used,
            converged=bool(best.success),
            message=str(best.message),
        )


__all__ = ["NUMBERS", "EventData", "EventFit", "Likelihood", "moving_variance", "put"]

"""What is not known of an unwind: of impact, of the book, and of what is closed and priced besides; ranges, and draws from
them."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ...cascade.impact import PowerImpact, TemporaryImpact
from ...scenario import Scenario
from ..events.parameters import LossAfter

IMPACT, BOOK, LAW = SOURCES = ("impact", "book", "law")
"""Sources of ignorance."""
SECOND = 1.0 / (365 * 86400)
LOG2 = math.log(2.0)
LASTING, TEMPORARY = (0.22, 0.69), (0.168, 0.10)
"""Coefficients of lasting and of temporary impact, and standard errors of their logarithms, as fitted to all days."""
ORDINARY = 0.03
"""Standard deviation of a day's change of open interest that nobody forced, where the law is taken as known."""


class Unknown(NamedTuple):
    """A number that is not known: `median`, None for the scenario's own; `sd` of its log; most that it may be; where it is put,
    by its value or, without a median, by what it multiplies; `says`: where the range is from."""

    name: str
    source: str
    median: float | None
    sd: float
    most: float
    put: Callable[[Scenario, Any], Scenario]
    says: str


def _like(value: Any, leaf: Any) -> Any:
    return value * jnp.ones_like(jnp.asarray(leaf))


def _set(where: Callable[[Scenario], Any], scale: float = 1.0) -> Callable[[Scenario, Any], Scenario]:
    return lambda scenario, x: eqx.tree_at(where, scenario, _like(scale * x, where(scenario)))


def _half_life(where: Callable[[Scenario], Any], unit: float) -> Callable[[Scenario, Any], Scenario]:
    return lambda scenario, x: eqx.tree_at(where, scenario, _like(LOG2 / (unit * SECOND * x), where(scenario)))


def _leverage(field: str) -> Callable[[Scenario, Any], Scenario]:
    def put(scenario: Scenario, x: Any) -> Scenario:
        # in the order of a pytree, in which `tree_at` sees them
        each = lambda s: [s.populations[name] for name in sorted(s.populations)]
        of = lambda s: [getattr(one, field) for one in each(s) if hasattr(one, field)]
        return eqx.tree_at(of, scenario, [jnp.asarray(one) * x for one in of(scenario)]) if of(scenario) else scenario

    return put


def _volume(scenario: Scenario, x: Any) -> Scenario:
    law = lambda s: [s.impact.law.daily_volume, s.impact.temporary.daily_volume]
    return eqx.tree_at(law, scenario, [jnp.asarray(one) * x for one in law(scenario)])


UNKNOWNS = (
    Unknown("impact.coefficient", IMPACT, *LASTING, math.inf, _set(lambda s: s.impact.law.coefficient),
            "fitted to 6.6 years of hourly bars, which hardly tell it (docs/feedback.md)"),
    Unknown("temporary_impact.coefficient", IMPACT, *TEMPORARY, math.inf, _set(lambda s: s.impact.temporary.coefficient),
            "fitted with its error to 6.6 years of hourly bars (docs/feedback.md)"),
    Unknown("temporary_impact.half_life, min", IMPACT, 3.0, 0.5, 60.0,
            _half_life(lambda s: s.impact.temporary.relaxation_rate, 60.0), "assumed: hourly bars do not tell"),
    Unknown("impact.resilience_half_life, min", IMPACT, 30.0, 0.7, 2880.0,
            _half_life(lambda s: s.impact.relaxation_rate, 60.0), "assumed, 5 min to 4 h at two deviations"),
    Unknown("leverage, all medians", BOOK, None, 0.35, math.inf, _leverage("median"),
            "errors of the scenario's medians (0.25 to 0.30), and the snapshots' date"),
    Unknown("leverage, all log_sd", BOOK, None, 0.2, math.inf, _leverage("log_sd"), "errors of the scenario's (0.13 to 0.24)"),
    Unknown("volume beside open interest", BOOK, None, 0.2, math.inf, _volume, "venue share of 0.45, range 0.3 to 0.6"),
    Unknown("venues.closes_opposite", BOOK, 0.6, 0.3, 1.0, _set(lambda s: s.venues.closes_opposite),
            "assumed, 0.33 to 1 at two deviations; 0.63 (0.10) in the shipped unwinds"),
    Unknown("venues.engine_time, s", BOOK, 10.0, 1.0, 3600.0, _set(lambda s: s.venues.engine_time, SECOND),
            "assumed, 1 s to 1 min"),
    Unknown("flow.closing_half_life, h", BOOK, 8.0, 0.5, math.inf, lambda s, x: _turnover(s, x), "measured turnover of 8 h"),
)  # fmt: skip
"""Of the law are not known: what is lost beside what is closed by force, a line (`LossAfter`), and the price between two closes,
a Brownian bridge."""

UNWINDS = {"impact.coefficient": (1.39, 0.7), "temporary_impact.coefficient": (1e-6, 0.01)}
"""Impact as fitted to the shipped unwinds themselves (docs/reality.md): larger, since they were picked for their fall, and all
lasting."""


def _turnover(scenario: Scenario, x: Any) -> Scenario:
    rate = LOG2 / (3600.0 * SECOND * x)
    where = lambda s: [s.flow.closing_rate, s.flow.opening_rate]
    return eqx.tree_at(where, scenario, [_like(rate, one) for one in where(scenario)])


def with_temporary(scenario: Scenario) -> Scenario:
    """The scenario with a temporary impact beside its power law, whose volatility and volume it shares."""
    law = scenario.impact.law
    assert isinstance(law, PowerImpact)
    one = np.ones(1)
    temporary = TemporaryImpact(
        TEMPORARY[0] * one, 0.6 * one, LOG2 / (180.0 * SECOND) * one, law.daily_volatility, law.daily_volume
    )
    return eqx.tree_at(lambda s: s.impact.temporary, scenario, temporary, is_leaf=lambda x: x is None)


def draws(count: int, seed: int, drawn: Sequence[str] = SOURCES, impact: str = "days") -> np.ndarray:
    """Values of the unknowns, `(count, unknowns)`; those of sources that are not drawn at their medians.

    **Arguments:** `count`: a power of two; `impact`: `"days"`, as fitted to all days, or `"unwinds"`, as fitted to unwinds.
    """
    normal = ndtri(np.clip(qmc.Sobol(len(UNKNOWNS), seed=seed).random(count), 1e-6, 1.0 - 1e-6))
    found = np.empty((count, len(UNKNOWNS)))
    for place, one in enumerate(UNKNOWNS):
        median, sd = one.median or 1.0, one.sd
        if impact == "unwinds" and one.name in UNWINDS:
            median, sd = UNWINDS[one.name]
        found[:, place] = np.minimum(median * np.exp(sd * normal[:, place] * (one.source in drawn)), one.most)
    return found


def as_known(loss: LossAfter) -> LossAfter:
    """The line of open interest lost, were it known: without its own errors, with an ordinary day's deviations about it."""
    return loss._replace(intercept_sd=0.0, slope_sd=0.0, correlation=0.0, sd=ORDINARY)


def put(scenario: Scenario, values: Any) -> Scenario:
    """The scenario with the unknowns at some values, `(unknowns,)`."""
    for place, one in enumerate(UNKNOWNS):
        scenario = one.put(scenario, values[place])
    return scenario


__all__ = ["BOOK", "IMPACT", "LAW", "ORDINARY", "SOURCES", "UNKNOWNS", "UNWINDS", "as_known",
           "draws", "put", "with_temporary"]  # fmt: skip

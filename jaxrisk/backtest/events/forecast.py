"""The engine's forecast of an unwind: from what was known before it, or given its beginning as well."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ...calibration.laws.volatility import fit_daily_law
from ...calibration.unwinds.fit import put
from ...cascade import prepare, seed_key
from ...cascade.engine import scan_paths
from ...data.price_file import PriceFile
from ...market import GBM, Shock
from ...scenario import Scenario
from ..known import hourly
from ..scores import Samples
from .competitors import of_paths
from .event import Event
from .parameters import NUMBERS, Fitted
from .setting import YEAR, loss_step, scenario_of

GROUPS = 32
"""Sets of numbers drawn from what is known of them; each is run on as many paths as the others."""
KINDS = ("unconditional", "conditional")


class Course(NamedTuple):
    """Paths step by step after each step: `price`, log, `(steps, paths)`; `open_interest`: of that at the start, the same shape;
    `liquidated`: cumulative, USD, `(steps, paths, sides)`."""

    price: np.ndarray
    open_interest: np.ndarray
    liquidated: np.ndarray


def forecast(
    event: Event,
    fitted: Fitted,
    *,
    kind: str = "conditional",
    paths: int = 10_000,
    seed: int = 1,
    feedback: bool = True,
    refitted: bool = False,
) -> Samples:
    """Distribution of what will be observed.

    **Arguments:** `fitted`: numbers that were not fitted on the event, for an honest score; `paths`: rounded up to a multiple of
    32 groups, each with its own draw of what was fitted; `feedback`: whether forced orders move prices; `refitted`: whether the
    law is that of the price rather than of its fundamental, for a conditional forecast without feedback; `kind`:

    - `"unconditional"`, from what was known at the start: filtered history of whole days (`laws.volatility`), fitted to
      the hours before;
    - `"conditional"`: the given beginning as it was, the fundamental that it implies, and then a Brownian motion whose variance
      and drift (up to the horizon) are drawn from what followed the beginnings of other unwinds.

    Open interest lost is what the book lost: for a conditional forecast along the line of other unwinds, with what closes besides
    and the deviation about it; else with their relative spread, and ordinary changes on top.

    Raises `ConfigError` for a scenario with several assets or venues, `ValueError` where history is too short.
    """
    found = course(event, fitted, kind=kind, paths=paths, seed=seed, feedback=feedback, refitted=refitted)
    return _samples(event, found, fitted, event.horizon + event.rebound_span, seed, kind)


def course(
    event: Event,
    fitted: Fitted,
    *,
    kind: str = "conditional",
    paths: int = 10_000,
    seed: int = 1,
    feedback: bool = True,
    refitted: bool = False,
) -> Course:
    """The paths of a `forecast`, up to the end of the longest rebound."""
    if kind not in KINDS:
        raise ValueError(f'kind is "{kind}"; it has to be "unconditional" or "conditional"')
    seconds = event.horizon + event.rebound_span
    scenario = scenario_of(event, seconds, event.given() if kind == "conditional" else None)
    scenario = eqx.tree_at(lambda s: s.channels.feedback, scenario, float(feedback))
    uniforms = qmc.Sobol(4, seed=seed).random(GROUPS)
    numbers = _draws(fitted, uniforms[:, 2:])
    if kind == "conditional":
        rest = event.horizon - event.given_span
        shock = Shock([0.0], [rest / YEAR], [event.given_span / YEAR])
        scenario = scenario.replace(market=GBM([0.0], [math.sqrt(365.0)], np.eye(1)), shock=shock)
        after, shift = (fitted.variance_without, 0.0) if refitted else (fitted.variance, numbers[:, 0] - fitted.logs[0])
        variances, drifts = after.draw(event.before.volatility**2 / 365.0, uniforms[:, :2], shift)
        drifts = drifts * math.sqrt(rest / 86400)
    else:  # the noise of the forecast is in the days that are drawn
        history: PriceFile = hourly(event.history)
        law = fit_daily_law(history, event.start)
        scenario = scenario.replace(market=law.market(1.0, step=event.grid))
        variances, drifts = np.full(GROUPS, law.forecast(history, event.start)), np.zeros(GROUPS)
    return run(scenario, numbers, variances, drifts, -(-paths // GROUPS), seed)


def _draws(fitted: Fitted, uniforms: np.ndarray) -> np.ndarray:
    """Logs of the numbers, `(groups, numbers)`."""
    values, vectors = np.linalg.eigh(fitted.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return fitted.logs + ndtri(uniforms) @ root.T


def run(scenario: Scenario, logs: np.ndarray, variances: np.ndarray, drifts: np.ndarray, paths: int, seed: int) -> Course:
    """Paths of several sets of numbers, one after the other.

    **Arguments:** `scenario`: with a law of variance one a day; `logs`: of `NUMBERS`, `(groups, numbers)`; `variances`: of a day,
    `(groups,)`; `drifts`: log size of the scenario's shock, if it has one, `(groups,)`; `paths`: of each group.
    """
    prepared = prepare(scenario, jnp.float32)
    key = seed_key(seed)
    held = float(np.sum(np.asarray(prepared.book.open_interest(prepared.book.init())[..., 0])))
    parts = []
    for place, (numbers, variance, drift) in enumerate(zip(logs, variances, drifts, strict=True)):
        numbers = np.minimum(numbers, [math.inf, 0.0])  # no more than all of it closes the other side
        scaled = _scaled(scenario, variance)
        indices = jnp.arange(place * paths, (place + 1) * paths, dtype=jnp.uint32)
        parts.append(
            jax.tree.map(
                np.asarray, _course(prepared, scaled, jnp.asarray(numbers, jnp.float32), jnp.float32(drift), key, indices)
            )
        )
    price, left, sold = (np.concatenate([part[k] for part in parts], axis=1) for k in range(3))
    return Course(price, left / held, sold)


def _scaled(scenario: Scenario, variance: float) -> Any:
    """The law at a variance of a day; a Brownian motion without a drift in the log price."""
    market = scenario.market
    if isinstance(market, GBM):
        scaled = GBM([0.5 * 365.0 * variance], [math.sqrt(365.0 * variance)], np.eye(1))
    else:
        scaled = eqx.tree_at(lambda m: m.log_returns, market, np.asarray(market.log_returns) * math.sqrt(variance))
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x, scaled)


@eqx.filter_jit
def _course(prepared, market, numbers, drift, key, indices):
    # the book does not depend on the numbers that are drawn
    years = jnp.asarray(prepared.scenario.settings.years_per_step, jnp.float32)
    scenario = put(prepared.scenario.replace(market=market), NUMBERS, numbers)
    if scenario.shock is not None:
        scenario = eqx.tree_at(lambda s: s.shock.size, scenario, jnp.expm1(drift)[None])
    scenario = scenario.cast(jnp.float32)
    prepared = prepared._replace(scenario=scenario, market=market.prepare(years))

    def emit(states):
        held = jax.vmap(lambda state: jnp.sum(prepared.book.open_interest(state.book)[..., 0]))(states)
        return states.price[:, 0], held, jnp.sum(states.seen.notional, axis=(1, 2))

    return scan_paths(prepared, key, indices, emit=emit)[1]


def _samples(event: Event, course: Course, fitted: Fitted, seconds: int, seed: int, kind: str) -> Samples:
    """What would be observed on each path."""
    random = np.random.default_rng(seed)
    price = np.concatenate([np.zeros((1, course.price.shape[1])), course.price]).T
    found = of_paths(price, event)
    lost = 1.0 - course.open_interest[loss_step(event, seconds)]
    if kind == "conditional":
        lost = fitted.loss.draw(lost, random)
    else:
        spread, flow = random.standard_normal((2, len(lost)))
        lost = lost * (1.0 + fitted.spread * spread) + fitted.flow_sd * flow
    lost = np.minimum(lost, 1.0)
    sold = course.liquidated[event.horizon // event.grid - 1]
    total = sold.sum(axis=1)
    share = np.where(total > 0.0, sold[:, 0] / np.where(total > 0.0, total, 1.0), np.nan)
    return found._replace(open_interest_loss=lost, long_share=share, liquidations=total)


__all__ = ["GROUPS", "Course", "forecast", "run"]

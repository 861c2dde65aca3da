"""The market of an event as it was known at the start, as a scenario; and along the prices that followed, to be fitted."""

import math
from typing import Any

import equinox as eqx
import numpy as np

from ...calibration.unwinds.fit import EventData
from ...config import ConfigError, load
from ...market import Given
from ...positions import Lognormal
from ...problems import Problem
from ...scenario import Description, Scenario, Settings
from .event import Event

YEAR = 365 * 86400
ROUNDS = 2
"""Of liquidation and impact in a step of minutes."""
FLOW = {
    "run.book": "flow", "flow.closing_half_life": "8h", "flow.opening_follows": 1.0, "flow.levels": 256, "flow.width": 0.006,
}  # fmt: skip
"""Positions turn over within the day, or nobody would be short with leverage on the way back. Volume is twice the open interest a
day (measured, scripts/calibrate_flow.py), which alone would be 8 hours; what is lost does not come back with it."""
FIT_HORIZON = 26 * 3600
"""Seconds along which events are fitted at least: a day, and up to the next daily figure of open interest. Of one length, they
share a compiled program."""
FLOW_SD = 0.03
"""A day's ordinary change of open interest, fraction of coins, MEASURED three days and more away from the shipped events: 3.2%
from 2020, 2.8% from 2021, 2.6% from 2022 on (btc_oi_funding_1d_2019_2024)."""


def base_of(event: Event, overrides: dict[str, Any] | None = None) -> Scenario:
    """The event's scenario as its file has it, with positions that turn over."""
    other = overrides or {}
    turning = any(key.startswith("flow.") for key in other)
    base = load(event.scenario, {"run.precision": "float32"} if turning else {"run.precision": "float32", **other})
    turned = base.book == "flow"
    return base if turned and not turning else load(event.scenario, {**({} if turned else FLOW), **other})


def scenario_of(event: Event, seconds: int, given: np.ndarray | None = None, overrides: dict[str, Any] | None = None) -> Scenario:
    """The event's scenario at its own price, open interest, volume and volatility, on the event's grid, with positions that turn
    over.

    **Arguments:** `seconds`: how long it runs; `given`: log prices that it begins with, or None; `overrides`: keys of the base by
    their dotted names. The price law is the base's and has to be replaced.

    Raises `ConfigError` where the base has several assets or venues, or impact is not a power law.
    """
    base = base_of(event, overrides)
    wrong = [name for name, many in (("assets", base.names.assets), ("venues", base.names.venues)) if len(many) != 1]
    if wrong or not hasattr(base.impact.law, "daily_volume"):
        text = f"has several {' and '.join(wrong)}" if wrong else "has no power law of impact"
        raise ConfigError([Problem(event.file, "scenario", event.scenario, f"{text}; one asset on one venue is needed")])
    before, price = event.before, event.price
    side = 0.5 * sum(float(np.sum(one.open_interest)) for one in base.populations.values())
    scale = before.open_interest * price / side
    populations: dict[str, Any] = {
        name: eqx.tree_at(lambda p: p.open_interest, one, one.open_interest * scale) for name, one in base.populations.items()
    }
    populations = shorts_as_longs(populations)
    one = np.ones(1)
    scenario = base.replace(
        populations=populations,
        price=price * one,
        settings=Settings(seconds / YEAR, seconds // event.grid, rounds=ROUNDS),
        given=None if given is None else Given(np.asarray(given, np.float64)[:, None]),
        shock=None,
        description=Description(),
    )
    law = lambda s: (s.impact.law.daily_volatility, s.impact.law.daily_volume, s.flow.reference_volatility)
    scenario = eqx.tree_at(
        law, scenario, (before.volatility / math.sqrt(365) * one, before.daily_volume * one, before.volatility * one)
    )
    if scenario.depth is not None:
        scenario = eqx.tree_at(lambda s: s.depth.reference_volatility, scenario, before.volatility * one)
    return scenario


def shorts_as_longs(populations: dict[str, Any]) -> dict[str, Any]:
    """Shorts with the leverage of the longs of their asset and class, where both are lognormal.

    The snapshots are of a fortnight after a fall, when shorts on a list of winners had the more leverage. With it 43% of what is
    liquidated on days without news would be long; reported are 52% (2022 and 2023) and 58% (2024).
    """
    where, key = lambda p: (p.median, p.log_sd, p.high), lambda p: (int(p.asset), int(p.account_class))
    longs = {key(p): where(p) for p in populations.values() if isinstance(p, Lognormal) and p.side > 0}
    swap = lambda p: isinstance(p, Lognormal) and p.side < 0 and key(p) in longs
    return {name: eqx.tree_at(where, p, longs[key(p)]) if swap(p) else p for name, p in populations.items()}


def event_data(event: Event, flow_sd: float = FLOW_SD) -> EventData:
    """The event along its own prices, to be fitted: it must not be scored with numbers that come of this.

    **Arguments:** `flow_sd`: standard deviation of a day's change of open interest that has nothing to do with forced orders.
    """
    until = event.open_interest_until
    after = 0 if until is None else int((until - event.start).astype(np.int64))
    seconds = -(-max(FIT_HORIZON, event.horizon, after) // event.grid) * event.grid
    path = event.path(seconds)
    observed = event.observed()
    lost = math.nan if observed.open_interest_loss is None else observed.open_interest_loss
    return EventData(
        event.name,
        scenario_of(event, seconds, path),
        event.horizon // event.grid,
        lost,
        loss_step(event, seconds),
        flow_sd,
    )


def loss_step(event: Event, seconds: int) -> int:
    """The step after which open interest is compared, at most the last of a run of so many seconds."""
    until = event.open_interest_until
    after = event.horizon if until is None else int((until - event.start).astype(np.int64))
    return min(max(after // event.grid, 1), seconds // event.grid) - 1


__all__ = ["FIT_HORIZON", "FLOW_SD", "base_of", "event_data", "loss_step", "scenario_of", "shorts_as_longs"]

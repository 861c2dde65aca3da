"""From an event file to the unwind that is attributed."""

import math
from typing import Any

import numpy as np

from ..scenario import Settings
from .event import Event
from .setting import FIT_HORIZON, YEAR, loss_step, scenario_of
from .unknowns import with_temporary
from .whose_fall import NO_CAP, Unwind, capped

STEP = 60
"""Seconds of a step."""


def unwind_of(event: Event, step: int = STEP, overrides: dict[str, Any] | None = None) -> Unwind:
    """An event as an unwind: closes as they were recorded, filled in to steps of a minute.

    **Arguments:** `overrides`: keys of the event's scenario, set otherwise.

    Raises `ConfigError` for an event whose scenario has several assets or venues.
    """
    until = event.open_interest_until
    after = 0 if until is None else int((until - event.start).astype(np.int64))
    seconds = -(-max(FIT_HORIZON, event.horizon, after) // event.grid) * event.grid
    scenario = scenario_of(event, seconds, overrides=overrides)
    # closes as often as the file has them, where they divide the grid on which falls are measured
    fine = event.bar if event.grid % event.bar == 0 and event.bar % step == 0 else event.grid
    steps = seconds // event.grid * (event.grid // step)
    scenario = with_temporary(scenario.replace(settings=Settings(seconds / YEAR, steps, rounds=scenario.settings.rounds)))
    if not overrides:
        scenario = capped(scenario, NO_CAP)
    lost = event.observed().open_interest_loss
    place = (loss_step(event, seconds) + 1) * (event.grid // step) - 1
    closes = event.path(seconds, fine)
    return Unwind(
        scenario, fine // step, event.grid // fine, closes, event.horizon // event.grid, math.nan if lost is None else lost, place
    )


__all__ = ["STEP", "unwind_of"]

"""From an event file to the unwind that is attributed; unwinds simulated with a known split."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from ...config import load
from ...market import Replay
from ...scenario import Description, Scenario, Settings
from ..events.event import Event
from ..events.parameters import LossAfter, read_fitted
from ..events.setting import FIT_HORIZON, FLOW, YEAR, base_of, loss_step, scenario_of, shorts_as_longs
from .unknowns import draws, put, with_temporary
from .whose_fall import NO_CAP, Unwind, along, capped, largest_fall

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
    scenario = with_temporary(scenario.replace(settings=Settings(seconds / YEAR, steps)))
    if not overrides:
        scenario = capped(scenario, NO_CAP)
    lost = event.observed().open_interest_loss
    place = (loss_step(event, seconds) + 1) * (event.grid // step) - 1
    closes, loss = event.path(seconds, fine), read_fitted(without=event).loss
    lost = math.nan if lost is None else lost
    return Unwind(scenario, fine // step, event.grid // fine, closes, event.horizon // event.grid, lost, place, loss)


def without_effect(event: Event, key: str, value: Any) -> str | None:
    """Why the event's day would be the same under another value of a key of its scenario, or None where it would not.

    Raises `ConfigError` for what is wrong with the key or its value.
    """
    if key.startswith("run."):
        return "a recorded unwind has its own length, steps, book and random numbers, which hold under every setting"
    medians = draws(8, 1, ())[0]
    flat = Replay(np.zeros((2, 1)))

    def made(overrides: dict[str, Any] | None) -> Scenario:
        scenario = scenario_of(event, 60 * event.grid, overrides=overrides)
        return put(with_temporary(scenario), medians).replace(market=flat).bare()

    if key.startswith("limits.") or not eqx.tree_equal(made(None), made({key: value})):
        return None
    if eqx.tree_equal(base_of(event).bare(), base_of(event, {key: value}).bare()):
        return f"is so in {event.scenario} already"
    return (
        "is drawn for an unwind from what is not known of it (docs/attribution.md), or taken from the day itself; another "
        "value would change nothing"
    )


class Known(NamedTuple):
    """A simulated unwind, and what is known of it: `own` share of its fall, and open interest closed by `force`, fractions."""

    unwind: Unwind
    own: float
    force: float


def simulated_unwinds(
    count: int, seed: int = 1, *, steps: int = 26 * 60, inside: int = 24 * 60, every: int = 5, feedback: float = 1.0,
    loss: LossAfter | None = None,
) -> list[Known]:  # fmt: skip
    """Unwinds of the market of `btc_24h` with positions that turn over, each with its own draw of what is not known.

    The fundamental is a walk with Student-t moves of 2 to 4% a day, over which a fall of 4 to 25% is spread within 20 minutes
    to 6 hours. The price is recorded every so many steps of a minute, and what is lost of open interest given what was closed by
    force is drawn from the line fitted to the shipped unwinds, with its errors.

    **Arguments:** `steps`: minutes in all; `inside`: of them those in which the fall is measured; `feedback`: of impact; `loss`:
    another line that it is drawn from, while the attribution goes on to take the fitted one.
    """
    random = np.random.default_rng(seed)
    base = load("btc_24h", {"run.precision": "float32", **FLOW})
    populations = shorts_as_longs(base.populations)
    scenario = base.replace(populations=populations, settings=Settings(steps * STEP / YEAR, steps), description=Description())
    scenario = capped(with_temporary(scenario), NO_CAP)
    values = draws(2 ** max(3, (count - 1).bit_length()), seed + 1000)[:count]
    moves = random.standard_t(4.0, (count, steps)) / math.sqrt(2.0) * random.uniform(0.02, 0.04, (count, 1)) / math.sqrt(1440.0)
    places, length = np.arange(steps), np.exp(random.uniform(math.log(20.0), math.log(360.0), (count, 1)))
    begin = random.uniform(5.0, 0.5 * inside, (count, 1))
    size = random.uniform(0.04, 0.25, (count, 1))
    moves += np.log1p(-size) / length * ((places >= begin) & (places < begin + length))
    rows = np.concatenate([np.zeros((count, 1)), np.cumsum(moves, axis=1)], axis=1)
    price, force = along(scenario, values, rows, steps - 1, feedback)
    fitted = read_fitted().loss
    lost = (loss or fitted).draw(force, random)
    found = []
    for place in range(count):
        closes = np.concatenate([[0.0], price[place]])[::every]
        unwind = Unwind(scenario, every, 1, closes, inside // every, float(lost[place]), steps - 1, fitted)
        without = float(largest_fall(rows[place][::every][: inside // every + 1]))
        found.append(Known(unwind, 1.0 - without / unwind.fall, float(force[place])))
    return found


__all__ = ["STEP", "Known", "simulated_unwinds", "unwind_of", "without_effect"]

"""The engine's forecast of a period: law and impact fitted to the days before, the law's state filtered to the hour, paths run
with the scenario's positions and mechanics."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ...calibration.indirect.bars import HOURS, DayBars
from ...calibration.indirect.from_state import from_states, hourly_bars, ready_for_states
from ...calibration.indirect.log_variance import HALF_LIVES, TailModel, fit_tail, law_of
from ...calibration.indirect.moments import hourly
from ...cascade import seed_key
from ...market.filter import filtered_along
from ...scenario import Scenario
from ...storage.outputs import write_whole
from .periods import losses_before, path_quantities

ENGINE, WITHOUT = "engine", "engine, no feedback"
"""The forecaster's names, with and without."""
PARTICLES, PARTICLES_OF_HOURS = 1024, 256
"""Of a filter whose state is kept at every midnight, or at every hour."""
BURN_IN = 180
"""Days of returns before the first forecast that the filter sees."""
RECORDS, DAYS, ROUNDS = 12, 2048, 4
"""Simulated records, days run through the engine, and steps for each weight, of a yearly fit."""
SETTINGS = f"{RECORDS} {DAYS} {ROUNDS} {HALF_LIVES} 2"
"""What else a fit depends on, and the version of its moments and its search."""
_BLOCK = 1024
_LEARNT = 4096
"""Paths from states of the past, from which the engine's forced losses are learnt."""
_LEAST_WINDOWS = 60
_YEAR_OF_HOURS = 8760.0


class Fit(NamedTuple):
    """Numbers fitted to the days before `until`, `datetime64[D]`: with feedback or without, `point` on the scales of
    `calibration.indirect.log_variance`, `distance` of the fit."""

    until: np.datetime64
    feedback: bool
    point: np.ndarray
    distance: float


class FitsError(ValueError):
    """A file of fits that cannot be used."""


class Fits:
    """Fits by date, kept in a file as they finish, so that a second run does not fit again.

    **Arguments:** `path`: the file, or None; `data`: in words, of what they are; a file of other data is refused.
    """

    def __init__(self, path: Path | None, data: str):
        self.path, self.data, self.found, self.unwritten = path, data, {}, ""
        if path is not None and path.exists():
            self.found = _read(path, data)

    def get(self, bars: DayBars, scenario: Scenario, until: np.datetime64, feedback: bool, report=None) -> Fit:
        """The fit to the days before a date: from the file, or made now; the last earlier one of its kind begins the search.

        Raises `ValueError` where the days do not do.
        """
        key = (str(until), feedback)
        if key not in self.found:
            earlier = [fit for (_, kind), fit in sorted(self.found.items()) if kind == feedback and fit.until < until]
            model = TailModel(bars.between(None, until), scenario if feedback else None, records=RECORDS, days=DAYS)
            start = earlier[-1].point if earlier else None
            made = fit_tail(model, start=start, rounds=ROUNDS, report=report).estimate
            self.found[key] = Fit(until, feedback, made.values, made.distance)
            if self.path is not None:
                try:
                    write_whole(self.path, self._text())
                except OSError as error:
                    self.unwritten = f"fits could not be kept in {self.path}: {error.strerror or error}"
        return self.found[key]

    def _text(self) -> str:
        from ...storage.recognise import MARK

        fits = [
            {"until": str(fit.until), "feedback": fit.feedback, "distance": fit.distance, "point": fit.point.tolist()}
            for _, fit in sorted(self.found.items())
        ]
        return json.dumps({"written_by": MARK, "kind": "fits", "data": self.data, "fits": fits}, indent=2) + "\n"


def _read(path: Path, data: str) -> dict[tuple[str, bool], Fit]:
    try:
        content = json.loads(path.read_text())
        found = {
            (str(one["until"]), bool(one["feedback"])): Fit(
                np.datetime64(one["until"], "D"), bool(one["feedback"]), np.array(one["point"], float), float(one["distance"])
            )
            for one in content["fits"]
        }
        lengths = {kind: len(TailModel.start_of_law()) + 2 * kind for kind in (False, True)}
        if not all(len(fit.point) == lengths[fit.feedback] and np.isfinite(fit.point).all() for fit in found.values()):
            raise ValueError
        known = content["data"]
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise FitsError("is not a file of fits that jaxrisk backtest --days wrote") from None
    if known != data:
        raise FitsError(f"has fits to other data: {known}; here it is {data}; choose another file")
    return found


class Engine(NamedTuple):
    """The engine under one fit.

    **Fields:** `ready`: the scenario, prepared; `states`: of the law before every `every`-th hour from hour `first` on, `(times,
    particles, factors)`; `lasting`: of what is forced, the share that no new position takes the place of before the period ends,
    and what open interest lost beside it in windows of the past, `(n,)`; None if not known; `feedback`: whether forced orders
    move the price.
    """

    ready: Any
    first: int
    every: int
    states: np.ndarray
    lasting: tuple[float, np.ndarray] | None
    feedback: bool

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of a period that begins with hour `start`."""
        state = self.states[(start - self.first) // self.every].astype(np.float32)
        begin = state[np.arange(paths) % len(state)]
        found, lost = _run(self.ready, begin, self.feedback, start // self.every * paths, seed, start)
        if self.lasting is not None:
            share, beside = self.lasting
            random = np.random.default_rng([seed, start])
            found["open_interest_loss"] = np.minimum(share * lost + random.choice(beside, paths), 1.0)
        return found


def _run(ready, begin, feedback: bool, first: int, seed: int, stream: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Quantities of paths from states `(paths, factors)`, numbered from `first` on, and what they lost of open interest."""
    paths, parts = len(begin), []
    for low in range(0, paths, _BLOCK):
        rows = np.arange(low, low + _BLOCK)
        numbers = (first + rows).astype(np.uint32)
        price, without, variance, lost = from_states(ready, seed_key(seed), begin[rows % paths], numbers)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), low)
        bars = hourly_bars(price if feedback else without, variance, key)
        parts.append((np.moveaxis(np.asarray(bars, np.float64), 1, 2), np.asarray(lost, np.float64)))
    bars, lost = np.concatenate([p[0] for p in parts], 1)[:, :paths], np.concatenate([p[1] for p in parts])[:paths]
    return path_quantities(*bars), lost


def engine(
    bars: DayBars,
    scenario: Scenario,
    fit: Fit,
    begin: int,
    end: int,
    days: int,
    coins: np.ndarray | None = None,
    seed: int = 1,
    every: int = HOURS,
) -> Engine:
    """The engine for periods of so many `days` that begin from day `begin` on and before `end`, at midnight or at any multiple of
    `every` hours.

    A state is filtered from the hours before it alone. What open interest does besides is drawn from the past (`_lasting`).
    """
    model = TailModel(bars, scenario if fit.feedback else None)
    law, mechanics = law_of(fit.point), model.mechanics(fit.point) or scenario
    first = max(0, begin - BURN_IN) * HOURS
    returns = hourly(bars)[0].ravel()[first : end * HOURS - every].reshape(-1, every, 1)
    particles = PARTICLES if every == HOURS else PARTICLES_OF_HOURS
    states = filtered_along(law, returns, 1.0 / _YEAR_OF_HOURS, particles, seed)[:, :, 0]
    ready = ready_for_states(mechanics, law, len(HALF_LIVES), days)
    made = Engine(ready, first, every, states, None, fit.feedback)
    if coins is None or not fit.feedback:
        return made
    return made._replace(lasting=_lasting(made, bars, coins, begin, days, seed))


def _lasting(made: Engine, bars: DayBars, coins: np.ndarray, until: int, days: int, seed: int) -> tuple[float, np.ndarray] | None:
    """By least squares on windows before `until`, of what open interest lost on what the engine says was forced in a period with
    such a fall and rise; None for fewer than 60 windows."""
    loss, seen = losses_before(bars, coins, until, days)
    if len(loss) < _LEAST_WINDOWS:
        return None
    random = np.random.default_rng([seed, until])
    before = made.states[: (until * HOURS - made.first) // made.every + 1]
    begin = before[random.integers(0, len(before), _LEARNT), random.integers(0, before.shape[1], _LEARNT)]
    said, lost = _run(made.ready, begin.astype(np.float32), True, 0, seed + 1, until)
    coefficients = np.linalg.lstsq(_of_moves(said), lost, rcond=None)[0]
    forced = np.clip(_of_moves(seen) @ coefficients, 0.0, 1.0)
    centred = forced - forced.mean()
    share = float(np.clip(centred @ loss / max(centred @ centred, 1e-12), 0.0, 1.0))
    return share, loss - share * forced


def _of_moves(found: dict[str, np.ndarray]) -> np.ndarray:
    """Regressors of what is forced, `(paths, 5)`."""
    fall, rise = np.minimum(found["fall"], 0.3), np.minimum(found["rise"], 0.3)
    return np.stack([np.ones_like(fall), fall, fall**2, rise, rise**2], axis=1)


__all__ = ["ENGINE", "WITHOUT", "Engine", "Fit", "Fits", "FitsError", "engine"]

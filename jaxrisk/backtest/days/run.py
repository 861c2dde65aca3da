"""A back-test on every day: rolling origin, laws and sizes of impact refitted yearly to earlier days alone."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..._interrupt import answers, threads
from ...calibration.indirect.bars import HOURS, DayBars
from ...report.shown import Shown
from ...scenario import Scenario
from .engine import ENGINE, WITHOUT, Fits, engine
from .periods import QUANTITIES, Periods, after_alarms, on_days, periods
from .rivals import gjr_garch, log_har, loss_on_fall, windows
from .scores import Scores, collected, score_one
from .table import day_table

FHS, EVT, HAR, GJR, REGRESSION = "filtered history", "extreme value", "log-HAR-t", "GJR-GARCH-t", "regression"
_AT_ONCE = 64
RIVALS = (WITHOUT, FHS, EVT, HAR, GJR, REGRESSION)


class Horizon(NamedTuple):
    """Forecasts of periods of one length: `periods`, and forecaster to quantity to `Scores`."""

    periods: Periods
    scores: dict[str, dict[str, Scores]]


@dataclass(repr=False)
class DayTest(Shown):
    """A back-test on every day.

    **Fields:** `horizons`; `cuts`: dates at which everything was fitted anew; `paths`, `seed`; `data`: what was forecast, in
    words; `notes`: what could not be done, and why.
    """

    horizons: tuple[Horizon, ...]
    cuts: tuple[np.datetime64, ...]
    paths: int
    seed: int
    data: str
    notes: tuple[str, ...]

    def summary(self, title: str = "") -> Any:
        """Tables of scores, tests and comparisons."""
        return day_table(self, title)

    def __repr__(self) -> str:
        return f"DayTest({', '.join(f'{len(one.periods.start)} of {one.periods.days} d' for one in self.horizons)})"


def cuts_between(first: np.datetime64, last: np.datetime64) -> tuple[np.datetime64, ...]:
    """The first day, and every first of January after it up to the last day.

    >>> [str(day) for day in cuts_between(np.datetime64("2021-03-01"), np.datetime64("2022-06-01"))]
    ['2021-03-01', '2022-01-01']
    """
    years = np.arange(first.astype("datetime64[Y]") + 1, last.astype("datetime64[Y]") + 1)
    return (first, *(year.astype("datetime64[D]") for year in years if year.astype("datetime64[D]") > first))


def backtest_days(
    bars: DayBars,
    scenario: Scenario | None,
    first,
    last,
    *,
    horizons: Sequence[int] = (1,),
    coins: tuple[np.ndarray, np.ndarray] | None = None,
    paths: int = 5000,
    seed: int = 1,
    fits: Fits | None = None,
    data: str = "",
    progress: Callable[[int, int], None] | None = None,
    told: Callable[[str], None] = lambda text: None,
    alarms: bool = False,
) -> DayTest:
    """Forecast and score every period from `first` to `last`.

    **Arguments:** `bars`: of one asset, from well before `first` on; `scenario`: positions and mechanics, None for the rivals
    alone; `horizons`: days of a period, one after the other without overlap; `coins`: open interest at the end of days; `fits`:
    where the engine's yearly fits are kept; `progress`: called with forecasts done and their number; `told`: of each fit;
    `alarms`: only periods after an hour's fall of more than four standard deviations (`periods.after_alarms`).

    Raises `ValueError` where no period can be scored, or the record before the first is too short; on `KeyboardInterrupt` what
    was finished is its `result`, None where that is nothing.
    """
    first, last = np.datetime64(first, "D"), max(min(np.datetime64(last, "D"), bars.dates[-1]), np.datetime64(first, "D"))
    coins = None if alarms else coins
    tests = [after_alarms(bars, first, last, n) if alarms else periods(bars, first, last, n, coins) for n in horizons]
    for test in tests:
        if not len(test.start):
            what = "alarm" if alarms else "day" if test.days == 1 else f"period of {test.days} days"
            raise ValueError(f"no {what} from {first} to {last} has all of its hours")
    names = [name for name in (ENGINE, *RIVALS) if scenario is not None or name not in (ENGINE, WITHOUT)]
    makers = _Makers(bars, scenario, fits or Fits(None, data), None if coins is None else on_days(coins, bars), seed, told, {})
    cuts, rows = cuts_between(first, last), [{name: {} for name in names} for _ in tests]
    done, total = 0, len(names) * sum(len(test.start) for test in tests)

    def result() -> DayTest:
        found = tuple(Horizon(test, _arranged(test, names, one)) for test, one in zip(tests, rows, strict=True))
        lost = (makers.fits.unwritten,) if makers.fits.unwritten else ()
        return DayTest(found, cuts, paths, seed, data, (*lost, *makers.notes))

    try:
        with threads(os.cpu_count() or 1) as pool:
            for cut, following in zip(cuts, (*cuts[1:], last + 1), strict=True):
                begin, end = (int((day - bars.first).astype(int)) for day in (cut, following))
                for name, (test, found) in product(names, zip(tests, rows, strict=True)):
                    inside = (test.start >= begin * HOURS) & (test.start < end * HOURS)
                    for places, shift in _groups(name, test, np.flatnonzero(inside)):
                        made = makers.made(name, cut, begin, end, test, shift)
                        work = partial(_scored, made, test, paths, seed)
                        for some in np.array_split(places, -(-len(places) // _AT_ONCE)) if made is not None else ():
                            found[name] |= dict(zip(some.tolist(), answers(pool, work, some), strict=True))
                            done += len(some)
                            if progress is not None:
                                progress(done, total)
    except KeyboardInterrupt as stop:
        finished = any(scored for one in rows for scored in one.values())
        stop.result = result() if finished else None  # type: ignore[attr-defined]
        raise
    if progress is not None:
        progress(total, total)
    return result()


def _groups(name: str, test: Periods, places: np.ndarray) -> list[tuple[np.ndarray, int | None]]:
    """Periods that one forecaster is made for, and the hour after midnight at which they begin, None for those that take any."""
    if not len(places):
        return []
    if name in (ENGINE, WITHOUT, GJR):
        return [(places, None)]
    hours = test.start[places] % HOURS
    return [(places[hours == hour], int(hour)) for hour in np.unique(hours)]


def _scored(made: Any, test: Periods, paths: int, seed: int, place: int) -> dict[str, tuple]:
    said = made.samples(int(test.start[place]), paths, seed)
    return {quantity: score_one(draws, float(test.seen[quantity][place])) for quantity, draws in said.items()}


class _Makers(NamedTuple):
    """Makes forecasters; `notes` gathers what could not be made, and why."""

    bars: DayBars
    scenario: Scenario | None
    fits: Fits
    coins: np.ndarray | None
    seed: int
    told: Callable[[str], None]
    notes: dict[str, None]

    def made(self, name: str, cut: np.datetime64, begin: int, end: int, test: Periods, shift: int | None) -> Any:
        """A forecaster fitted to the days before a cut, None with a note where that cannot be done."""
        try:
            return self._made(name, cut, begin, end, test, shift or 0)
        except ImportError:
            self.notes[f"{name}: left out; it needs the package arch (pip install jaxrisk[calibrate])"] = None
        except ValueError as error:
            self.notes[f"{name}, from {cut}: left out; {error}"] = None
        return None

    def _made(self, name: str, cut: np.datetime64, begin: int, end: int, test: Periods, of: int) -> Any:
        days = test.days
        if name in (ENGINE, WITHOUT) and self.scenario is not None:
            report = lambda step, value, _: self.told(f"{name}, fit to the days before {cut}: step {step}, distance {value:.1f}")
            fit = self.fits.get(self.bars, self.scenario, cut, name == ENGINE, report)
            self.told(f"{name}, {days} day{'s' * (days > 1)}, from {cut}")
            every = 1 if test.alarms else HOURS
            found = engine(self.bars, self.scenario, fit, begin, end, days, self.coins, self.seed, every)
            found.samples(begin * HOURS, 1, self.seed)  # compiled before threads ask for it, each for itself
            return found
        if name == REGRESSION:
            return None if self.coins is None else loss_on_fall(self.bars, self.coins, begin, days)
        if name in (FHS, EVT):
            return windows(self.bars, begin, days, name == EVT, of)
        if name == HAR:
            return log_har(self.bars, begin, days, of)
        made = gjr_garch(self.bars, begin, days)
        if not made.converged:
            self.notes[f"{GJR}, from {cut}: the fit did not converge; its forecasts are of where it stopped"] = None
        return made


def _arranged(test: Periods, names, rows) -> dict[str, dict[str, Scores]]:
    nothing = score_one(np.zeros(0), np.nan)
    found: dict[str, dict[str, Scores]] = {}
    for name in names:
        for quantity in QUANTITIES:
            each = [rows[name].get(place, {}).get(quantity, nothing) for place in range(len(test.start))]
            scores = collected(each) if each else None
            if scores is not None and np.isfinite(scores.crps).any():
                found.setdefault(name, {})[quantity] = scores
    return found


__all__ = [
    "EVT", "FHS", "GJR", "HAR", "REGRESSION", "RIVALS", "DayTest", "Horizon", "backtest_days",
    "cuts_between",
]  # fmt: skip

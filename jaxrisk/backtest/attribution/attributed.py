"""How much of observed unwinds was the market's own leverage, with intervals, and what a cap would have changed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...report.shown import Shown
from .unknowns import SOURCES, draws
from .whose_fall import ERROR, LEVEL, NO_CAP, Replayed, Unwind, again, quantiles, replayed, spread

CAPS = (20.0, 10.0, 5.0, 2.0)
"""What is asked where nothing is."""
DRAWS = 64
LEAST_EFFECTIVE = 30.0
"""Draws that an interval should rest on."""
RUNAWAY = 1.5
"""A day run again that falls by more than so many times the fall it is to repeat has run away: that is two and a half of the
method's own errors (`whose_fall.ERROR`), and no longer that day."""
_BOOTSTRAPS = 200


class Interval(NamedTuple):
    """A median and a 90% interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From one end to the other."""
        return self.high - self.low


class Width(NamedTuple):
    """What a source of ignorance has in the width of an interval: what it `adds` to that over the draws, by how much less wide
    that were if it were known, with the standard `error` of so few draws; `alone`: the width if all else were known."""

    adds: float
    error: float
    alone: float


class WhatIf(NamedTuple):
    """The day under another setting: `fall`; `less_fall`: by how much less the price falls, over the fall, at most all of it;
    `lost`: closed by force, and `forgone`: not opened at all, both over the open interest at the start without that setting. Of
    the draws with which the day does not run away (`Attributed.runaway`)."""

    name: str
    fall: Interval
    lost: Interval
    less_fall: Interval
    forgone: Interval


class Attributed(NamedTuple):
    """One unwind.

    **Fields:** `name`, `title`; `fall`, `observed_loss` (NaN where unknown): as observed; `own`: share of the fall that was
    forced orders'; `without`: the fall without them; `forced`: open interest closed by force, a fraction, and `own_loss`, over
    what was lost; `again`: closed by force when the day is run once more, which `what_if` is to be held against; `spiral`: part
    of that which would not have been, had forced orders not moved the price; `runaway`: with how many of the `draws` the day
    run once more falls by more than `RUNAWAY` times as much: `again`, `spiral` and `what_if` leave those out; `drawn`,
    `drawn_loss`: widths of `own` and `forced` over the draws as they are; `widths`, `widths_loss`: what each source has in them;
    `upper`: `own` with impact as fitted to unwinds; `error`: of the replay, by how much the fall run once more is off, a median;
    `effective`: draws that the intervals rest on; `path`, `fundamental` (its interval's low, median, high), `minutes`: for the
    picture.

    All intervals are as much wider than those of the draws as few draws leave open (`spread`), those of the fall by `ERROR` too.
    """

    name: str
    title: str
    fall: float
    observed_loss: float
    own: Interval
    without: Interval
    forced: Interval
    own_loss: Interval
    again: Interval
    spiral: Interval
    drawn: float
    drawn_loss: float
    widths: dict[str, Width]
    widths_loss: dict[str, Width]
    what_if: tuple[WhatIf, ...]
    upper: Interval
    error: float
    effective: float
    path: np.ndarray
    fundamental: np.ndarray
    minutes: np.ndarray
    runaway: int = 0
    draws: int = DRAWS

    @property
    def weak(self) -> bool:
        """Whether the intervals rest on few draws."""
        return self.effective < LEAST_EFFECTIVE


@dataclass(repr=False)
class Attributions(Shown):
    """Unwinds attributed: `events`, `info`, `notes`."""

    events: list[Attributed]
    notes: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Attributions({', '.join(one.name for one in self.events)})"


def attributed(
    name: str,
    title: str,
    unwind: Unwind,
    *,
    count: int = DRAWS,
    seed: int = 1,
    caps: Sequence[float] = CAPS,
    others: Mapping[str, Any] | None = None,
    progress: Callable[[], None] | None = None,
) -> Attributed:
    """Attribute one unwind.

    **Arguments:** `count`: draws of what is not known, a power of two; `caps`: leverage caps for everybody that are tried;
    `others`: further settings by name, each a scenario on the unwind's grid under which the day is run again; `progress`: called
    after each of the 10 runs and those of `caps` and `others`.
    """
    tell = progress or (lambda: None)

    def run(drawn: Sequence[str], impact: str = "days") -> tuple[np.ndarray, Replayed]:
        values = draws(count, seed, drawn, impact)
        found = replayed(unwind, values, seed, drawn)
        tell()
        return values, found

    values, found = run(SOURCES)
    weights, fall = found.weights, unwind.fall
    share = lambda one: (fall - one.without) / fall
    of_fall = lambda x, weights=weights: _interval(x, weights, ERROR)
    only = {source: run((source,))[1] for source in SOURCES}
    less = {source: run(tuple(s for s in SOURCES if s != source))[1] for source in SOURCES}
    upper = run(SOURCES, "unwinds")[1]
    base, base_lost, base_held = again(unwind, found, values, seed=seed)
    tell()
    _, calm_lost, _ = again(unwind, found, values, feedback=0.0, seed=seed)
    tell()
    # what is held against a day that has run away says nothing about the day that was
    ran_away = base > RUNAWAY * fall
    kept = np.where(ran_away, 0.0, weights)
    kept = kept / kept.sum() if kept.sum() > 0.0 else np.full(count, math.nan)
    what_if = []
    settings: list[tuple[str, float, Any]] = [(f"cap {cap:g}", float(cap), None) for cap in caps]
    settings += [(label, NO_CAP, scenario) for label, scenario in (others or {}).items()]
    for label, cap, scenario in settings:
        deep, lost, held = again(unwind, found, values, cap=cap, seed=seed, scenario=scenario)
        gained = of_fall((base - deep) / fall, kept)
        gained = Interval(*(min(end, 1.0) for end in gained))
        without = Interval(*(fall * (1.0 - part) for part in (gained.value, gained.high, gained.low)))
        left = held / base_held
        what_if.append(WhatIf(label, without, _amount(lost * left, kept), gained, _amount(1.0 - left, kept)))
        tell()
    some = np.where(base_lost > 1e-9, base_lost, 1.0)
    observed = unwind.lost
    of_lost = found.lost / observed if math.isfinite(observed) and observed > 0.0 else np.full(count, math.nan)
    path = unwind.closes[:: unwind.measured][: unwind.inside + 1]
    moved = [of_fall(column) for column in (found.fundamental - path).T]
    mine = of_fall(share(found))
    minutes = np.arange(len(path)) * unwind.scenario.settings.years_per_step * 525600.0 * unwind.every * unwind.measured
    lost = lambda one: one.lost
    return Attributed(
        name=name,
        title=title,
        fall=fall,
        observed_loss=observed,
        own=mine,
        without=Interval(*(fall * (1.0 - part) for part in (mine.value, mine.high, mine.low))),
        forced=_amount(found.lost, weights),
        own_loss=_amount(of_lost, weights),
        again=_amount(base_lost, kept),
        spiral=_interval(np.where(base_lost > 1e-9, (base_lost - calm_lost) / some, 0.0), kept),
        runaway=int(ran_away.sum()),
        draws=count,
        drawn=_width(share(found), weights),
        drawn_loss=_width(found.lost, weights),
        widths={source: _widths(share, found, less[source], only[source]) for source in SOURCES},
        widths_loss={source: _widths(lost, found, less[source], only[source]) for source in SOURCES},
        what_if=tuple(what_if),
        upper=of_fall(share(upper), upper.weights),
        error=float(quantiles(base - fall, weights, [0.5])[0]),
        effective=float(1.0 / np.sum(weights**2)),
        path=path,
        fundamental=path + np.array([(one.low, one.value, one.high) for one in moved]).T,
        minutes=minutes,
    )


def runs(caps: int, others: int = 0) -> int:
    """How often `progress` is called for an event."""
    return 10 + caps + others


def _interval(values: np.ndarray, weights: np.ndarray, error: float = 0.0) -> Interval:
    if not (np.isfinite(values).all() and np.isfinite(weights).all()):
        return Interval(math.nan, math.nan, math.nan)
    return Interval(*spread(values, weights, error=error))


def _amount(values: np.ndarray, weights: np.ndarray) -> Interval:
    """Of what cannot be negative where no draw is: few draws make the interval wider, and not to beyond nothing."""
    found = _interval(values, weights)
    return found._replace(low=max(found.low, min(0.0, float(values.min())))) if math.isfinite(found.low) else found


def _width(values: np.ndarray, weights: np.ndarray) -> float:
    """Of the interval over the draws as they are."""
    low, high = quantiles(values, weights, ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0))
    return float(high - low)


def _widths(of: Callable[[Replayed], np.ndarray], whole: Replayed, less: Replayed, only: Replayed) -> Width:
    """What a source has in a width; `less`, `only`: the runs in which all but it, and it alone, is drawn, all with the same
    numbers; the error is that of draws drawn anew, of both runs alike."""

    def adds(places: np.ndarray) -> float:
        one, other = (_width(of(run)[places], run.weights[places] / run.weights[places].sum()) for run in (whole, less))
        return one - other

    count, random = len(whole.lost), np.random.default_rng(0)
    spreads = [adds(random.integers(0, count, count)) for _ in range(_BOOTSTRAPS)]
    return Width(adds(np.arange(count)), float(np.std(spreads, ddof=1)), _width(of(only), only.weights))


__all__ = ["CAPS", "DRAWS", "LEAST_EFFECTIVE", "RUNAWAY", "Attributed", "Attributions", "Interval", "WhatIf", "Width",
           "attributed", "runs"]  # fmt: skip

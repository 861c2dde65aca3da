"""How much of observed unwinds was the market's own leverage, with intervals, and what a cap would have changed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .unknowns import SOURCES, draws
from .whose_fall import ERROR, LEVEL, NO_CAP, Replayed, Unwind, again, quantiles, replayed, spread

CAPS = (20.0, 10.0, 5.0, 2.0)
"""What is asked where nothing is."""
DRAWS = 64
LEAST_EFFECTIVE = 30.0
"""Draws that an interval has to rest on."""


class Interval(NamedTuple):
    """A median and a 90% interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From one end to the other."""
        return self.high - self.low


class WhatIf(NamedTuple):
    """The day under another setting: `fall` and `lost`, of the open interest there would have been; `less_fall`: by how much
    less the price falls, a fraction; `forgone`: of the open interest at the start, a fraction."""

    name: str
    fall: Interval
    lost: Interval
    less_fall: Interval
    forgone: Interval


class Attributed(NamedTuple):
    """One unwind.

    **Fields:** `name`, `title`; `fall`, `observed_loss` (NaN where unknown): as observed; `own`: share of the fall that was
    forced orders'; `without`: the fall without them; `forced`: open interest closed by force, a fraction, and `own_loss`, over
    what was lost; `spiral`: part of what was closed by force that would not have been, had forced orders not moved the price;
    `widths`: by source, what it adds to the width of `own` over the draws, and the width if it were the only one;
    `widths_loss`: the same of `forced`; `what_if`; `upper`: `own` with impact as fitted to unwinds; `error`: of the replay, by
    how much the fall run once more is off, a median; `effective`: draws that the intervals rest on; `path`, `fundamental` (5,
    50, 95%), `minutes`: for the picture.
    """

    name: str
    title: str
    fall: float
    observed_loss: float
    own: Interval
    without: Interval
    forced: Interval
    own_loss: Interval
    spiral: Interval
    widths: dict[str, tuple[float, float]]
    widths_loss: dict[str, tuple[float, float]]
    what_if: tuple[WhatIf, ...]
    upper: Interval
    error: float
    effective: float
    path: np.ndarray
    fundamental: np.ndarray
    minutes: np.ndarray


@dataclass(repr=False)
class Attributions:
    """Unwinds attributed: `summary()`, `to_dataframe()`, `plot()`; `events`, `info`, `notes`."""

    events: list[Attributed]
    notes: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Attributions({', '.join(one.name for one in self.events)})"

    def summary(self) -> Any:
        """What was found, as tables."""
        from ..report.unwind_table import unwinds

        return unwinds(self)

    def to_dataframe(self) -> Any:
        """One row an event and quantity, fractions."""
        return self.summary().to_dataframe()

    def plot(self) -> Any:
        """A panel an event: the price, and what it would have been without forced orders."""
        from ..report.unwind_plot import unwinds

        return unwinds(self)

    def __str__(self) -> str:
        return str(self.summary())


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

    **Arguments:** `count`: draws of what is not known, a power of two, of which half is run under other settings; `caps`:
    leverage caps for everybody that are tried; `others`: further settings by name, each a scenario on the unwind's grid under
    which the day is run again; `progress`: called after each of the 10 runs and those of `caps` and `others`.
    """
    tell = progress or (lambda: None)

    def run(drawn: Sequence[str], impact: str = "days", few: int = count) -> tuple[np.ndarray, Replayed]:
        values = draws(few, seed, drawn, impact)
        found = replayed(unwind, values, seed, drawn)
        tell()
        return values, found

    values, found = run(SOURCES)
    weights, fall = found.weights, unwind.fall
    own = lambda one: _interval((fall - one.without) / fall, one.weights)
    width = lambda one: (own(one).width, _interval(one.lost, one.weights).width)
    mine = Interval(*spread((fall - found.without) / fall, weights, error=ERROR))
    few = max(32, count // 2)
    some_values, part = values[:few], first(found, few)
    whole = width(part)
    only = {source: width(run((source,), few=few)[1]) for source in SOURCES}
    less = {source: width(run(tuple(s for s in SOURCES if s != source), few=few)[1]) for source in SOURCES}
    upper = run(SOURCES, "unwinds", few)[1]
    base, base_lost, base_held = again(unwind, part, some_values, seed=seed)
    tell()
    _, calm_lost, _ = again(unwind, part, some_values, feedback=0.0, seed=seed)
    tell()
    what_if = []
    settings: list[tuple[str, float, Any]] = [(f"cap {cap:g}", float(cap), None) for cap in caps]
    settings += [(label, NO_CAP, scenario) for label, scenario in (others or {}).items()]
    for label, cap, scenario in settings:
        deep, lost, held = again(unwind, part, some_values, cap=cap, seed=seed, scenario=scenario)
        gained = base - deep
        what_if.append(
            WhatIf(label, _interval(fall - gained, part.weights), _interval(lost, part.weights),
                   _interval(gained / fall, part.weights), _interval(1.0 - held / base_held, part.weights))
        )  # fmt: skip
        tell()
    some = np.where(base_lost > 1e-9, base_lost, 1.0)
    observed = unwind.lost
    share = found.lost / observed if math.isfinite(observed) and observed > 0.0 else np.full(count, math.nan)
    band = np.stack([quantiles(column, weights, (0.05, 0.5, 0.95)) for column in found.fundamental.T], axis=1)
    path = unwind.closes[:: unwind.measured][: unwind.inside + 1]
    minutes = np.arange(len(path)) * unwind.scenario.settings.years_per_step * 525600.0 * unwind.every * unwind.measured
    return Attributed(
        name=name,
        title=title,
        fall=fall,
        observed_loss=observed,
        own=mine,
        without=Interval(*(fall * (1.0 - part) for part in (mine.value, mine.high, mine.low))),
        forced=Interval(*spread(found.lost, weights)),
        own_loss=Interval(*spread(share, weights)) if np.isfinite(share).all() else _interval(share, weights),
        spiral=_interval(np.where(base_lost > 1e-9, (base_lost - calm_lost) / some, 0.0), part.weights),
        widths={source: (whole[0] - less[source][0], only[source][0]) for source in SOURCES},
        widths_loss={source: (whole[1] - less[source][1], only[source][1]) for source in SOURCES},
        what_if=tuple(what_if),
        upper=own(upper),
        error=float(quantiles(base - fall, part.weights, [0.5])[0]),
        effective=float(1.0 / np.sum(weights**2)),
        path=path,
        fundamental=band,
        minutes=minutes,
    )


def runs(caps: int, others: int = 0) -> int:
    """How often `progress` is called for an event."""
    return 10 + caps + others


def first(found: Replayed, count: int) -> Replayed:
    """Its first draws."""
    kept = Replayed(*(part[:count] for part in found))
    return kept._replace(weights=kept.weights / kept.weights.sum())


def _interval(values: np.ndarray, weights: np.ndarray) -> Interval:
    if not np.isfinite(values).all():
        return Interval(math.nan, math.nan, math.nan)
    low, middle, high = quantiles(values, weights, ((1.0 - LEVEL) / 2.0, 0.5, (1.0 + LEVEL) / 2.0))
    return Interval(float(middle), float(low), float(high))


__all__ = ["CAPS", "DRAWS", "Attributed", "Attributions", "Interval", "WhatIf", "attributed", "runs"]

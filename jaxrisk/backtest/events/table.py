"""The table of scores: forecasts side by side, by event and on average, and in words which of them ours does not beat."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...report.study_table import Section, StudySummary
from .scored import QUANTITIES, Score

OURS = "engine"
_SIZE = "liquidations"


class Average(NamedTuple):
    """Scores of one forecast on the events that all forecasts of the quantity have: `crps` and `log_score` are means (lower is
    better) of `scored` scores, as an event may have several sizes; `in_50` and `in_90` count intervals that hold the observed
    value."""

    kind: str
    quantity: str
    forecast: str
    events: int
    crps: float
    log_score: float
    scored: int
    in_50: int
    in_90: int


class Comparison(NamedTuple):
    """Ours against another on the same events: `difference` is theirs less ours on average (above 0: ours is better), `error` its
    standard error between events; `measure` is `crps`, or `log_score` for sizes."""

    kind: str
    quantity: str
    other: str
    measure: str
    events: int
    ours: float
    theirs: float
    difference: float
    error: float

    @property
    def beaten(self) -> bool:
        """Whether ours is better on average."""
        return self.difference > 0.0


def _groups(scores: Sequence[Score]) -> dict[tuple[str, str], dict[str, dict[str, list[Score]]]]:
    """By kind and quantity, the scores by forecast and event."""
    order = {name: place for place, name in enumerate(QUANTITIES)}
    found: dict[tuple[str, str], dict[str, dict[str, list[Score]]]] = {}
    for one in sorted(scores, key=lambda one: (one.kind, order.get(one.quantity, 99))):
        found.setdefault((one.kind, one.quantity), {}).setdefault(one.forecast, {}).setdefault(one.event, []).append(one)
    return found


def _mean(scores: Sequence[Score], measure: str) -> float:
    return float(np.mean([getattr(one, measure) for one in scores]))


def averages(scores: Sequence[Score]) -> list[Average]:
    """Averages by kind, quantity and forecast, on the events that all forecasts of a kind and quantity have in common."""
    found = []
    for (kind, quantity), forecasts in _groups(scores).items():
        common = set.intersection(*(set(events) for events in forecasts.values()))
        for name, events in forecasts.items():
            used = [one for event in events if event in common for one in events[event]]
            if used:
                found.append(Average(
                    kind, quantity, name, len(common), _mean(used, "crps"), _mean(used, "log_score"), len(used),
                    sum(one.in_50 for one in used), sum(one.in_90 for one in used),
                ))  # fmt: skip
    return found


def comparisons(scores: Sequence[Score], ours: str = OURS) -> list[Comparison]:
    """Ours against each other forecast, on the events that both have."""
    found = []
    for (kind, quantity), forecasts in _groups(scores).items():
        measure = "log_score" if quantity == _SIZE else "crps"
        for other, theirs in forecasts.items():
            common = sorted(set(theirs) & set(forecasts.get(ours, {})))
            if other == ours or not common:
                continue
            mine = np.array([_mean(forecasts[ours][event], measure) for event in common])
            their = np.array([_mean(theirs[event], measure) for event in common])
            gap, n = their - mine, len(common)
            error = float(np.std(gap, ddof=1) / math.sqrt(n)) if n > 1 else math.nan
            means = float(mine.mean()), float(their.mean())
            found.append(Comparison(kind, quantity, other, measure, n, *means, float(gap.mean()), error))
    return found


def verdicts(scores: Sequence[Score], ours: str = OURS) -> list[str]:
    """A line for each kind and quantity: which forecasts ours beats on average, and which not."""
    grouped: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons(scores, ours):
        grouped.setdefault((one.kind, one.quantity), []).append(one)
    lines = []
    for (kind, quantity), all_of in grouped.items():
        better = [f"{one.other} {one.theirs:.4f}" for one in all_of if one.beaten]
        worse = [f"{one.other} {one.theirs:.4f}" for one in all_of if not one.beaten]
        parts = [f"beats {', '.join(better)}"] if better else []
        parts += [f"DOES NOT BEAT {', '.join(worse)}"] if worse else []
        lines.append(f"{_words(kind, quantity)}: the {ours}, {_measure(all_of[0])} {all_of[0].ours:.4f}, {'; it '.join(parts)}.")
    return lines


def _words(kind: str, quantity: str) -> str:
    return f"{QUANTITIES.get(quantity, (quantity,))[0].capitalize()}, {kind}"


def _measure(one: Comparison) -> str:
    return "log score" if one.measure == "log_score" else "CRPS"


def score_table(scores: Sequence[Score], title: str = "Back-test", notes: Sequence[str] = (), ours: str = OURS) -> StudySummary:
    """Everything as one summary: averages, then each event, ours in full and the others by their score.

    **Arguments:** `scores`: of any events, kinds and forecasts; `ours`: the forecast shown in full, the first there is if absent.

    Raises `ValueError` for no scores at all.
    """
    if not scores:
        raise ValueError("nothing was scored: no forecast says anything about what was observed")
    sections = [_averages(scores), _comparisons(scores, ours), *_events(scores, ours)]
    explained = (
        "CRPS (continuous ranked probability score) and log score: lower is better. Quantile: where the observed value lies in",
        "the forecast, uniform on average if the forecast is right. 50% and 90%: how many central intervals hold the observed.",
    )
    return StudySummary(title, verdicts(scores, ours), sections, (*explained, *notes), [one._asdict() for one in scores])


def _averages(scores: Sequence[Score]) -> Section:
    lines: list[tuple[str, ...]] = []
    before = None
    for one in averages(scores):
        if before != (one.kind, one.quantity):
            before = one.kind, one.quantity
            lines.append((_words(*before), "", "", "", "", ""))
        held = tuple(f"{count} of {one.scored}" for count in (one.in_50, one.in_90))
        lines.append((f"  {one.forecast}", _number(one.crps), _number(one.log_score), *held, f"{one.events}"))
    return Section("On average", ("forecast", "CRPS", "log score", "50%", "90%", "events"), "lrrrrr", lines)


def _comparisons(scores: Sequence[Score], ours: str) -> Section:
    lines: list[tuple[str, ...]] = []
    before = None
    for one in comparisons(scores, ours):
        if before != (one.kind, one.quantity):
            before = one.kind, one.quantity
            lines.append((f"{_words(*before)}, {_measure(one)}", "", "", "", "", ""))
        numbers = _number(one.ours), _number(one.theirs), f"{one.difference:+.4f}", _number(one.error)
        lines.append((f"  {one.other}", *numbers, f"{one.events}"))
    columns = ("against", ours, "other", "difference", "standard error", "events")
    return Section("Event by event; a difference above 0 is in favour of the " + ours, columns, "lrrrrr", lines)


def _events(scores: Sequence[Score], ours: str) -> list[Section]:
    sections = []
    for (kind, quantity), forecasts in _groups(scores).items():
        main = ours if ours in forecasts else next(iter(forecasts))
        measure = "log_score" if quantity == _SIZE else "crps"
        others = [name for name in forecasts if name != main]
        unit = _shown if quantity == _SIZE else _percent
        lines = []
        for event in sorted({event for events in forecasts.values() for event in events}):
            theirs = [_number(_mean(forecasts[name][event], measure)) if event in forecasts[name] else "-" for name in others]
            for place, one in enumerate(forecasts[main].get(event, [])):
                interval = f"{unit(one.low)} to {unit(one.high)}"
                mine = (unit(one.observed), unit(one.median), interval, f"{one.pit:.3f}", _number(getattr(one, measure)))
                lines.append((event, *mine, *(theirs if place == 0 else [""] * len(others))))
        name = "log score" if measure == "log_score" else "CRPS"
        columns = ("event", "observed", "median", "90% interval", "quantile", f"{name} {main}", *others)
        sections.append(Section(f"{_words(kind, quantity)}: {main}", columns, "lrrrrr" + "r" * len(others), lines))
    return sections


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f}%"


def _shown(value: float) -> str:
    return f"{value:.3g}"


__all__ = ["Average", "Comparison", "averages", "comparisons", "score_table", "verdicts"]

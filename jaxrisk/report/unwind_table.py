"""Whose fall it was, for observed unwinds, as tables."""

import math
from typing import Any

from .study_table import Section, StudySummary

_POINTS = 100.0


def unwinds(result: Any) -> StudySummary:
    """The shares with their intervals, what each source of ignorance adds, and what caps would have changed."""
    events = result.events
    several = len(events) > 1
    lines = [
        (one.name, f"{_POINTS * one.fall:.1f}", _span(one.own), _span(one.without), _loss(one.observed_loss), _span(one.forced),
         _span(one.own_loss))
        for one in events
    ]  # fmt: skip
    columns = ("unwind", "fall, %", "own share of it, %", "without forced orders, %", "open interest lost, %",
               "closed by force, %", "own share, %")  # fmt: skip
    sections = [
        Section("The fall, the open interest lost, and what of them was the market's own leverage", columns, "lrrrrrr", lines)
    ]
    lines = []
    for one in events:
        for heading, whole, drawn, widths in (
            ("of the fall", one.own, one.drawn, one.widths), ("closed by force", one.forced, one.drawn_loss, one.widths_loss)
        ):  # fmt: skip
            own = [_POINTS * x for x in (whole.width, whole.width - drawn, drawn)]
            lines.append((f"{one.name}, {heading}", *(f"{x:.1f}" for x in own), *map(_width, widths.values())))
    if events:
        columns = (
            "width of the interval, points",
            "printed",
            "method",
            "draws",
            *(f"{name} adds (alone)" for name in events[0].widths),
        )
        sections.append(Section("How wide the intervals are, and by what", columns, "lrrr" + "r" * len(events[0].widths), lines))
    lines = []
    for one in events:
        if one.what_if:
            lines.append(
                (f"{one.name}, as it was" if several else "as it was", f"{_POINTS * one.fall:.1f}", "-", _span(one.again), "-")
            )
        lines += [
            (f"{one.name}, {what.name}" if several else what.name, _span(what.fall), _span(what.less_fall), _span(what.lost),
             _span(what.forgone))
            for what in one.what_if
        ]  # fmt: skip
    columns = ("what if", "fall, %", "less, % of the fall", "closed by force, % of all", "forgone, % of all")
    sections.append(Section("The same day under another setting, the outside's moves the same", columns, "lrrrr", lines))
    answer = [_answer(one) for one in events]
    return StudySummary("Whose fall was it?", answer, sections, [*_notes(result), *result.notes], _records(events))


def _answer(one: Any) -> str:
    text = f"{one.title}: of a fall of {one.fall:.1%} {_span(one.own)}% was the market's own forced orders"
    if math.isfinite(one.observed_loss):
        return f"{text}; of {one.observed_loss:.1%} of open interest lost they closed {_span(one.own_loss)}%"
    return f"{text}; what was lost of open interest was not observed"


def _notes(result: Any) -> list[str]:
    weak = [one.name for one in result.events if one.weak]
    notes = [
        "medians and 90% intervals over what is not known: impact (docs/feedback.md), the book, and what closes besides",
        "all are wider than the draws by what few draws leave open, those of a fall by 20% of the median too, for a replay along "
        "closes of minutes: the column method",
        "adds: how much narrower that of the draws would be if this were known, with its standard error; alone: how wide "
        "if all else were; where the law is known open interest lost selects books more sharply",
        "all: the open interest at the start without a cap; closed by force as the day is run again, with and without",
        "an own share of open interest above 100%: more was closed by force than is missing, because others opened",
        "without forced orders: the largest fall of what the price would have been; outsiders who sell in a fall are in it",
        "caps: of those who meet one 20 to 90% take a smaller position; a cap of today's would have met other traders; under "
        "limits of a file their share is the file's",
    ]
    for one in result.events:
        upper = f"{one.name}: with impact as fitted to the unwinds themselves, all of it lasting, {_span(one.upper)}% of the fall"
        notes.append(f"{upper}; part of closing by force that only their own price moves caused: {_span(one.spiral)}%")
        if one.runaway:
            away = f"{one.name}: with {one.runaway} of {one.draws} draws the day run again runs away"
            notes.append(f"{away}, to more than 1.5 times its fall; other settings, which are held against it, are of the rest")
        if abs(one.error) > 0.1 * one.fall:
            notes.append(f"{one.name}: run once more the day's fall is off by {_POINTS * one.error:+.2f} points")
    if weak:
        notes.append(f"open interest lost bears out few of the books that were drawn, fewer than 30: {', '.join(weak)}")
    return notes


def _records(events: Any) -> list[dict[str, Any]]:
    rows = []
    for one in events:
        add = lambda quantity, part, x, one=one: rows.append(
            {"event": one.name, "quantity": quantity, "part": part, "value": x.value, "low": x.low, "high": x.high}
        )
        rows.append({"event": one.name, "quantity": "fall", "part": "observed", "value": one.fall})
        rows.append({"event": one.name, "quantity": "open_interest_loss", "part": "observed", "value": one.observed_loss})
        add("fall", "own share", one.own)
        add("fall", "own share, impact of unwinds", one.upper)
        add("fall", "without forced orders", one.without)
        add("open_interest_loss", "closed by force", one.forced)
        add("open_interest_loss", "own share", one.own_loss)
        add("open_interest_loss", "closed by force, run again", one.again)
        add("open_interest_loss", "spiral", one.spiral)
        if one.runaway:
            rows.append({"event": one.name, "quantity": "draws", "part": "run away, and left out", "value": one.runaway})
        for what in one.what_if:
            for quantity in ("fall", "less_fall", "lost", "forgone"):
                add(quantity, what.name, getattr(what, quantity))
        for quantity, widths in (("fall", one.widths), ("open_interest_loss", one.widths_loss)):
            for source, width in widths.items():
                for word, value in width._asdict().items():
                    rows.append({"event": one.name, "quantity": quantity, "part": f"width: {source} {word}", "value": value})
    columns = ("event", "quantity", "part", "value", "low", "high")
    return [{key: row.get(key, math.nan) for key in columns} for row in rows]


def _width(one: Any) -> str:
    """What a source adds, with its error, and alone; points."""
    adds = _POINTS * one.adds
    return f"{0.0 if abs(adds) < 0.05 else adds:+.1f} ± {_POINTS * one.error:.1f} ({_POINTS * one.alone:.1f})"


def _loss(value: float) -> str:
    return f"{_POINTS * value:.1f}" if math.isfinite(value) else "not observed"


def _span(one: Any) -> str:
    """A median and its interval, per cent."""
    if not math.isfinite(one.value):
        return "-"
    middle, low, high = (_POINTS * x for x in (one.value, one.low, one.high))
    digits = 0 if max(abs(low), abs(high)) >= 20.0 else 1
    text = [f"{x:.{digits}f}" for x in (middle, low, high)]
    text = ["0" if float(x) == 0.0 else x for x in text]
    return f"{text[0]} [{text[1]}, {text[2]}]"


__all__ = ["unwinds"]

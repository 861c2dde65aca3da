"""Tables of reverse stress tests and of rare events."""

import math
from collections.abc import Iterator
from typing import Any

from ..risk import tail
from .study_table import (
    Section,
    StudySummary,
    few,
    interval,
    level_in_words,
    observable_in_words,
    odds,
    scaled,
    shown,
    unit_of_observable,
)


def reverse_stress(result: Any) -> StudySummary:
    """Of `ReverseStress`: a line an answer, the most likely first, and each in words."""
    lines, records = [], []
    for place, answer in enumerate(result.answers, 1):
        sigmas = math.sqrt(2.0 * max(float(answer.distance), 0.0))
        chance = float(getattr(answer, "probability", math.nan))
        texts = (
            f"{level_in_words(result.observable, float(answer.loss))}",
            f"{float(answer.distance):.2f}",
            f"{sigmas:.2f}",
            odds(chance),
        )
        lines.append((str(place), *texts))
        records.append(
            {
                "answer": place,
                "observable": result.observable,
                "level": float(result.level),
                "loss": float(answer.loss),
                "distance_nats": float(answer.distance),
                "sigmas": sigmas,
                "probability": chance,
                "words": answer.words,
            }
        )
    columns = ("answer", "loss", "cost (nats)", "as rare as (sigma)", "probability, first order")
    notes = [f"{place}. {answer.words}" for place, answer in enumerate(result.answers, 1)]
    level = level_in_words(result.observable, float(result.level))
    title = f"The most likely way{'s' if len(lines) > 1 else ''} to reach {level}: {observable_in_words(result.observable)}"
    answer = [] if lines else ["no path found that reaches it"]
    if len(lines) > 1:
        together = sum(record["probability"] for record in records)
        answer = [f"all of them together, to first order: {odds(together)}"]
    return StudySummary(title, answer, [Section("", columns, "lrrrl", lines)], notes, records)


def rare_event(result: Any) -> StudySummary:
    """Of `RareEvent`: the probability, how it was found, the work it saved, and what comes with the event."""
    value, error, low, high = (float(number) for number in result.estimate[:4])
    wanted = f"{observable_in_words(result.observable)} above {level_in_words(result.observable, float(result.level))}"
    answer = [f"{odds(value)}, standard error {few(error)}, 95% interval {few(low)} to {few(high)}"]
    if not value > 0.0:
        answer = [f"not reached on any of {result.estimate.paths:,} paths"]
        # splitting's paths bound nothing where all end below the level
        answer[0] += (
            "; the probability is not known from them" if math.isnan(high) else f"; with 95% confidence at most {few(high)}"
        )
    notes = [f"{result.method}" + (f": {result.reason}" if result.reason else "")]
    work = int(result.paths_run)
    if error > 0.0 and 0.0 < value < 1.0 and result.method != "plain":
        plain = (1.0 - value) * value / error**2
        notes.append(
            f"{work:,} paths simulated; plain simulation needs {_count(plain)} for the same standard error, "
            f"{_count(plain / work)} times as many"
        )
    else:
        notes.append(f"{work:,} paths simulated")
    given = result.info.get("conditional_on", "")
    if given:
        notes.append(given)
    if result.info.get("start") == "stationary" and value > 0.0:
        years = result.return_period()
        notes.append(f"once in {_years(years.value)} years, 95% interval {_years(years.low)} to {_years(years.high)}")
    record = {
        "observable": result.observable, "level": float(result.level), "probability": value, "standard_error": error, "low": low,
        "high": high, "method": result.method, "reason": result.reason, "paths_run": work,
    }  # fmt: skip
    # splitting's paths share their beginnings, and errors as if they did not would be too small
    lines = list(_given(result)) if value > 0.0 and result.method != "splitting" else []
    section = Section(
        "On the paths where it happens", ("mean of", "estimate", "std. error", "unit", "95% interval"), "lrrll", lines
    )
    article = "an" if wanted[0] in "aeiou" else "a"
    return StudySummary(f"Probability of {article} {wanted}", answer, [section], notes, [record])


def _count(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.0f}" if number < 1e12 else f"{number:.1e}"


def _years(number: float) -> str:
    return f"{float(f'{number:.3g}'):,.5g}" if number < 1e5 else f"{number:.2e}"


_GIVEN = (
    ("max_drawdown_index", ""),
    ("max_drawdown_no_feedback_index", ""),
    ("open_interest_loss_fraction", ""),
    ("open_interest_loss_usd", ""),
    ("peak_minute_liquidation", ""),
    ("insurance_fund_used", "[*]"),
    ("deleveraging_loss", "[*]"),
    ("socialised_loss", "[*]"),
)


def _given(result: Any) -> Iterator[tuple[str, ...]]:
    """Means on the paths beyond the level, weighted."""
    try:
        whole = result.result()
        event = whole.column(result.observable) > result.level
    except (AttributeError, ValueError, KeyError):
        return  # only the probability was kept
    for name, sum_over in _GIVEN:
        if name not in whole.losses:
            continue
        values = whole.column(name + sum_over)
        if not values.any():
            continue
        try:
            estimate = tail.conditional_mean(values, event, whole.log_weights)
        except tail.TooFewPathsError:
            return
        factor, unit = scaled(unit_of_observable(name), estimate.value)
        value, error, low, high = (factor * float(number) for number in estimate[:4])
        label = observable_in_words(name)
        yield label, shown(value, error), shown(error, error), unit, interval(low, high, error)


__all__ = ["rare_event", "reverse_stress"]

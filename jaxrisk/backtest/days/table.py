"""Tables of a back-test on every day: scores, tests of value at risk, and how sure it is which forecast is ahead."""

import math
from typing import Any

import numpy as np

from ...report.study_table import Section, StudySummary
from .engine import ENGINE
from .periods import QUANTITIES
from .scores import LEVELS, THRESHOLDS, AtRiskTest, Difference, Scores, at_risk_test, difference

WORDS = {"fall": "largest fall", "rise": "largest rise", "rebound": "rebound", "open_interest_loss": "loss of open interest"}
_TESTED = ("fall", "rise")
_CLEAR = 2.0


def day_table(found: Any, title: str = "") -> StudySummary:
    """Everything as one summary; its rows are the forecasts, one a period, forecaster and quantity."""
    sections, answer, apart = [], [], []
    for horizon in found.horizons:
        for quantity in QUANTITIES:
            of, left_out = _common({name: scores[quantity] for name, scores in horizon.scores.items() if quantity in scores})
            apart += [f"{_what(horizon, quantity)}: {name} has too few forecasts to be compared." for name in left_out]
            if of:
                sections.append(_scores(horizon, quantity, of))
                sections += [_at_risk(horizon, quantity, of)] if quantity in _TESTED else []
                sections += [_ahead(horizon, quantity, of)] if ENGINE in of and len(of) > 1 else []
                answer += _verdict(horizon, quantity, of)
    first = found.horizons[0].periods
    what = "every alarm" if first.alarms else "every day"
    said = title or f"Back-test on {what}, {found.cuts[0]} to {first.dates[-1]}{', ' if found.data else ''}{found.data}"
    return StudySummary(said, answer, sections, (*_explained(found), *apart, *found.notes), records(found))


def _explained(found: Any) -> tuple[str, ...]:
    cuts = ", ".join(str(cut) for cut in found.cuts)
    return (
        f"Refitted to all days before {cuts}; each period is forecast from what was known when it began, by {found.paths:,} "
        "paths or quantiles. Days are UTC.",
        "Continuous ranked probability scores (CRPS) and quantile scores in per cent of the price, or of open interest; lower is "
        "better. Beyond: of the larger of value and threshold.",
        "Tables are of the periods that all forecasts have. Kupiec (number of exceedances), Christoffersen (number and order): "
        "probability of a likelihood ratio as large if the forecast is right.",
        "Differences are the other's score less the engine's (above 0: the engine is ahead), with standard errors that allow for "
        "autocorrelation. Errors of the fits are in no forecast.",
        "Law and size of impact are refitted; positions, volume, depth and mechanics are the scenario's on every day, from "
        "whatever time they are.",
    )


def _common(of: dict[str, Scores]) -> tuple[dict[str, Scores], list[str]]:
    """Scores on the periods that all forecasters have, and those left out that have less than half of what another has."""
    counts = {name: int(np.isfinite(scores.crps).sum()) for name, scores in of.items()}
    kept = {name: of[name] for name, count in counts.items() if 2 * count >= max(counts.values())}
    if not kept:
        return {}, []
    both = np.all([np.isfinite(scores.crps) for scores in kept.values()], axis=0)
    cut = {name: Scores(*(column[both] for column in scores)) for name, scores in kept.items()}
    return (cut if both.any() else {}), [name for name in of if name not in kept]


def _what(horizon: Any, quantity: str) -> str:
    """A quantity and how long it is looked at, in words."""
    days, after = horizon.periods.days, " of an alarm" if horizon.periods.alarms else ""
    return f"{WORDS[quantity].capitalize()} within {days} day{'s' * (days != 1)}{after}"


def _heading(horizon: Any, quantity: str, scores: Scores) -> str:
    number = int(np.isfinite(scores.crps).sum())
    word = "alarm" if horizon.periods.alarms else "day" if horizon.periods.days == 1 else "period"
    return f"{_what(horizon, quantity)}, {number:,} {word}{'s' * (number != 1)}"


def _scores(horizon: Any, quantity: str, of: dict[str, Scores]) -> Section:
    lines = []
    for name, scores in of.items():
        used = np.isfinite(scores.crps)
        inside = np.mean((scores.observed >= scores.low) & (scores.observed <= scores.high), where=used)
        numbers = [scores.crps[used].mean(), *scores.weighted[used].mean(0), *scores.quantile_score[used].mean(0)]
        lines.append((name, *(_points(x) for x in numbers), f"{inside:.1%}"))
    columns = ("forecast", "CRPS", *(f"beyond {x:.0%}" for x in THRESHOLDS), *(f"at {x:.1%}" for x in LEVELS), "90% holds")
    return Section(_heading(horizon, quantity, next(iter(of.values()))), columns, "l" + "r" * (len(columns) - 1), lines)


def _at_risk(horizon: Any, quantity: str, of: dict[str, Scores]) -> Section:
    lines = []
    for name, scores in of.items():
        row = [name]
        for k, level in enumerate(LEVELS):
            test = tested(scores, k, level)
            said = math.isfinite(test.expected)
            row += [
                f"{test.exceeded} ({test.expected:.1f})" if said else "-",
                _probability(test.kupiec),
                _probability(test.conditional),
            ]
        lines.append(tuple(row))
    columns = ["forecast"]
    for level in LEVELS:
        columns += [f"{level:.1%} exceeded", "Kupiec", "Christoffersen"]
    heading = f"{_what(horizon, quantity)}, value at risk: exceeded (expected)"
    return Section(heading, tuple(columns), "l" + "r" * (len(columns) - 1), lines)


def tested(scores: Scores, which: int, level: float) -> Any:
    """Test of one of the values at risk."""
    used = np.isfinite(scores.crps)
    if np.isnan(scores.at_risk[used, which]).any():  # too few samples for it
        return AtRiskTest(level, int(used.sum()), 0, math.nan, math.nan, math.nan)
    return at_risk_test(scores.observed[used] > scores.at_risk[used, which], level)


def _ahead(horizon: Any, quantity: str, of: dict[str, Scores]) -> Section:
    lines = []
    for name in of:
        if name != ENGINE:
            shown = [_shown(one) for one in compared(of[name], of[ENGINE])]
            lines.append((name, *shown))
    columns = ("against", "CRPS", *(f"beyond {x:.0%}" for x in THRESHOLDS[:2]))
    heading = f"{_what(horizon, quantity)}: difference (standard error), in standard errors"
    return Section(heading, columns, "l" + "r" * (len(columns) - 1), lines)


def compared(theirs: Scores, ours: Scores) -> list[Difference]:
    """Of the ranked score and those beyond 5 and 10%. Quantile scores are not compared: where hardly any value at risk was
    exceeded their difference has no error that can be told."""
    pairs = [(theirs.crps, ours.crps)] + [(theirs.weighted[:, i], ours.weighted[:, i]) for i in range(2)]
    return [difference(*pair) for pair in pairs]


def _verdict(horizon: Any, quantity: str, of: dict[str, Scores]) -> list[str]:
    if ENGINE not in of:
        return []
    what, lines = _what(horizon, quantity), []
    if len(of) > 1:
        which = 1 if quantity != "open_interest_loss" else 0
        scored = "beyond 5%" if which else "by CRPS"
        found = {name: compared(scores, of[ENGINE])[which] for name, scores in of.items() if name != ENGINE}
        groups = {
            "clearly ahead of": [name for name, one in found.items() if one.ratio >= _CLEAR],
            "ahead of": [name for name, one in found.items() if 0.0 <= one.ratio < _CLEAR],
            "BEHIND": [name for name, one in found.items() if -_CLEAR < one.ratio < 0.0],
            "CLEARLY BEHIND": [name for name, one in found.items() if one.ratio <= -_CLEAR],
        }
        parts = [f"{word} {', '.join(names)}" for word, names in groups.items() if names]
        if parts:
            lines.append(f"{what}: {scored} the engine is {'; '.join(parts)}.")
    if quantity in _TESTED:
        words = []
        for k, level in enumerate(LEVELS):
            test = tested(of[ENGINE], k, level)
            if not math.isfinite(test.expected):
                words.append(f"{level:.1%} needs more paths")
                continue
            rejected = min(test.kupiec, test.conditional) < 0.05
            words.append(
                f"{level:.1%} exceeded {test.exceeded} times for {test.expected:.1f}{', REJECTED at 5%' if rejected else ''}"
            )
        lines.append(f"{what}, the engine's value at risk: {'; '.join(words)}.")
    return lines


def records(found: Any) -> list[dict[str, Any]]:
    """Every forecast and its scores, a mapping each."""
    rows = []
    for horizon in found.horizons:
        dates = [str(date) for date in horizon.periods.dates]
        for name, by in horizon.scores.items():
            for quantity, scores in by.items():
                for i in np.flatnonzero(np.isfinite(scores.crps)):
                    row = {"date": dates[i], "days": horizon.periods.days, "forecast": name, "quantity": quantity}
                    row |= {key: float(getattr(scores, key)[i]) for key in ("observed", "pit", "low", "high", "crps")}
                    row |= {f"crps_beyond_{x:g}": float(y) for x, y in zip(THRESHOLDS, scores.weighted[i], strict=True)}
                    row |= {f"value_at_risk_{x:g}": float(y) for x, y in zip(LEVELS, scores.at_risk[i], strict=True)}
                    rows.append(row)
    return rows


def _points(x: float) -> str:
    """Of a fraction, with three digits."""
    value = 100.0 * x
    if not math.isfinite(value):
        return "-"
    return f"{value:.3f}" if abs(value) >= 0.1 or value == 0.0 else f"{value:.3g}"


def _shown(one: Difference) -> str:
    if not math.isfinite(one.ratio):
        return "-"
    return f"{_points(one.difference)} ({_points(one.error)}) {one.ratio:+.1f}"


def _probability(p: float) -> str:
    return "-" if not math.isfinite(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


__all__ = ["WORDS", "compared", "day_table", "records", "tested"]

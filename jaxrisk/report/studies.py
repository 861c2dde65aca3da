"""Tables of what studies find: sensitivities, designed limits, reverse stress tests, rare events, and the names of parameters."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .attribution_table import attribution, maturity
from .design_table import design
from .range_tables import over_ranges
from .rare_tables import rare_event, reverse_stress
from .study_table import Section, StudySummary, Z, grouped, in_words, interval, parameter_text, said, scaled, shown, unit_of
from .sweep_table import study
from .unwind_table import unwinds
from .warning_table import warning

_LISTED = 8  # reasons of single parameters in the notes
_DECIMALS = 4  # of elasticities: a hundredth of a percent of a percent is nothing
_NAMED = 3  # parameters named in a note; of more, only the number is said


def sensitivities(result: Any) -> StudySummary:
    """Of `Sensitivities`: a line a parameter, with its slope, its elasticity, their errors, and the method."""
    unit = unit_of(result.measure)
    factor, name = scaled(unit, result.estimate.value)
    per = "percentage points" if name == "%" else name
    lines = []
    for k, parameter in enumerate(result.parameters):
        value, label, scale = parameter_text(parameter, parameter.value)
        slope, slope_error = (factor / scale * float(array[k]) for array in (result.gradient, result.standard_error))
        error = float(result.elasticity_error[k])
        centre = float(result.elasticity[k])
        ends = interval(centre - Z * error, centre + Z * error, error, _DECIMALS) if math.isfinite(centre) else ""
        ends = ends if math.isfinite(slope_error) else "none"
        texts = (shown(slope, slope_error), shown(slope_error, slope_error), shown(centre, error, _DECIMALS), ends)
        lines.append((parameter.name, f"{value} {label}".strip(), *texts, result.method[k]))
    columns = ("parameter", "value", "slope", "std. error", "elasticity", "95% interval", "method")
    notes = [
        f"slope: {per} of the measure per unit of the parameter; elasticity: % of the measure per % of the parameter, "
        "with its interval"
    ]
    notes += _reasons(result)
    share = float(getattr(result, "share_above_criticality", math.nan))
    notes += [f"{share:.2%} of the paths looked at fall to prices above criticality (n >= 1)"] if share > 0.0 else []
    notes += _kinks(result)
    changes, guides = _changes(result)
    notes += guides
    sections = [Section("", columns, "lrrrrll", grouped(lines)), changes, _check(result), _cross(result)]
    answer = [f"{said(result.estimate, unit)}, {result.estimate.paths:,} paths"]
    return StudySummary(
        f"Sensitivity of the {in_words(result.measure)}", answer, [s for s in sections if s], notes, _slopes(result)
    )


def _slopes(result: Any) -> list[dict[str, Any]]:
    """One record a parameter, with the slopes to both sides where it has a kink, and one a finite change, whose `method` is
    `"change"`; in the units of the measure and of the parameter."""
    records, kinks = [], getattr(result, "kinks", None) or ()
    for k, parameter in enumerate(result.parameters):
        gradient, error = float(result.gradient[k]), float(result.standard_error[k])
        record = {
            "parameter": parameter.name,
            "value": parameter.value,
            "unit": parameter.unit,
            "gradient": gradient,
            "standard_error": error,
            "low": gradient - Z * error,
            "high": gradient + Z * error,
            "elasticity": float(result.elasticity[k]),
            "elasticity_error": float(result.elasticity_error[k]),
            "method": result.method[k],
            "reason": result.reason[k],
        }
        index = getattr(result, "tail_index", None)
        record |= {} if index is None else {"tail_index": float(index[k])}
        for name in ("pathwise", "bumped", "checked"):
            pair = getattr(result, name, None)
            record |= {} if pair is None else {name: float(pair[0][k]), f"{name}_error": float(pair[1][k])}
        if any(kinks):
            (left, left_error), (right, right_error) = kinks[k] or ((math.nan, math.nan),) * 2
            record |= {"left": left, "left_error": left_error, "right": right, "right_error": right_error}
        records.append(record | {"measure": str(result.measure)})
    for one in getattr(result, "changes", None) or []:
        moved = {"parameter": one.parameter.name, "value": one.parameter.value, "unit": one.parameter.unit, "to": one.to}
        ends = {"low": one.value - Z * one.standard_error, "high": one.value + Z * one.standard_error}
        found = {"change": one.value, "standard_error": one.standard_error, **ends, "method": "change"}
        records.append(moved | found | {"measure": str(result.measure)})
    return records


def _reasons(result: Any) -> list[str]:
    """Which method and why: those in which paths were differentiated together, the others one by one as long as they are few."""
    methods, indices = np.array(result.method), getattr(result, "tail_index", None)
    notes = []
    for method in dict.fromkeys(result.method):
        mine = np.flatnonzero(methods == method)
        reasons = list(dict.fromkeys(result.reason[k].removeprefix(method).lstrip(":, ") for k in mine))
        if len(reasons) == 1:
            notes.append(f"{method}{_whom(result, mine)}" + (f": {reasons[0]}" if reasons[0] else ""))
        elif method == "pathwise":
            known = np.array([]) if indices is None else np.asarray(indices)[mine]
            known = known[np.isfinite(known)]
            ends = dict.fromkeys(f"{end:.1f}" for end in (known.min(), known.max())) if known.size else []
            tails = f": tail index of the paths' derivatives {' to '.join(ends)}" if ends else ""
            notes.append(f"{method}{_whom(result, mine)}{tails}")
        else:
            whys = [result.reason[k].removeprefix(method).lstrip(":, ") for k in mine[:_LISTED]]
            notes += [f"{method}{_whom(result, [k])}: {why}" for k, why in zip(mine, whys, strict=False)]
            if len(mine) > _LISTED:
                notes.append(f"{method} for {len(mine) - _LISTED} more; the reasons are in to_dataframe()")
    return notes


def _whom(result: Any, which: Any) -> str:
    if len(which) == len(result.parameters):
        return ""
    return " for " + (", ".join(result.parameters[k].name for k in which) if len(which) <= _NAMED else f"{len(which)} parameters")


def _kinks(result: Any) -> list[str]:
    """Where a measure has two slopes at a point."""
    factor, notes = scaled(unit_of(result.measure), result.estimate.value)[0], []
    for parameter, sides in zip(result.parameters, getattr(result, "kinks", None) or (), strict=False):
        if sides:
            scale = factor / parameter_text(parameter, parameter.value)[2]
            both = [(scale * value, scale * error) for value, error in sides]
            left, right = (f"{shown(value, error)} ({shown(error, error)})" for value, error in both)
            notes.append(f"{parameter.name}: a kink, with a slope of {left} to the left and of {right} to the right")
    return notes


def _changes(result: Any) -> tuple[Section | None, list[str]]:
    """What finite changes do, beside what the slope would make of them, and where that is no guide."""
    slopes = {one.name: (result.gradient[k], result.standard_error[k]) for k, one in enumerate(result.parameters)}
    factor, label = scaled(unit_of(result.measure), result.estimate.value)
    lines, notes = [], []
    for one in getattr(result, "changes", None) or []:
        value, error, by = one.value * factor, one.standard_error * factor, one.to - one.parameter.value
        ends = interval(value - Z * error, value + Z * error, error) if math.isfinite(error) else "none"
        slope, slope_error = (factor * by * float(part) for part in slopes.get(one.parameter.name, (math.nan, math.nan)))
        says = shown(slope, abs(slope_error)) if math.isfinite(slope) else ""
        now, unit, scale = parameter_text(one.parameter, one.parameter.value)
        to = f"{shown(one.to * scale, 0.0)} {unit}".strip()
        lines.append((one.parameter.name, f"{now} {unit}".strip(), to, shown(value, error), shown(error, error), ends, says))
        joint = math.hypot(np.nan_to_num(error), np.nan_to_num(slope_error))
        if math.isfinite(slope) and abs(slope - value) > max(2.0 * joint, 0.1 * abs(value)):
            told = f"it says {says}, and the change is {shown(value, error)}"
            notes.append(f"the slope is no guide to {one.parameter.name} at {to}: {told}")
    if not lines:
        return None, []
    columns = ("parameter", "from", "to", "change", "std. error", "95% interval", "slope says")
    unit = "percentage points" if label == "%" else label
    return Section(f"Changes of the measure on the same paths, {unit}", columns, "lrrrrlr", grouped(lines)), notes


def _check(result: Any) -> Section | None:
    """The gradient beside that of bumped whole runs, and their difference in standard errors."""
    if getattr(result, "checked", None) is None:
        return None
    factor, _ = scaled(unit_of(result.measure), result.estimate.value)
    lines = []
    for k, parameter in enumerate(result.parameters):
        scale = factor / parameter_text(parameter, parameter.value)[2]
        slope, error = (float(array[k]) for array in (result.gradient, result.standard_error))
        bump, bump_error = (float(array[k]) for array in result.checked)
        joint = math.hypot(error, bump_error)
        apart = f"{(slope - bump) / joint:.1f}".replace("-0.0", "0.0") if joint > 0.0 else "-"
        texts = [shown(scale * x, scale * e) for x, e in ((slope, error), (bump, bump_error), (bump_error, bump_error))]
        lines.append((parameter.name, *texts, apart))
    columns = ("parameter", "slope", "full bump", "std. error", "apart, std. errors")
    return Section("Check: whole runs bumped, with the same random numbers", columns, "lrrrr", grouped(lines))


def _cross(result: Any) -> Section | None:
    rows = []
    for first, second, value, error in getattr(result, "cross", None) or []:
        ends = interval(value - Z * error, value + Z * error, error)
        rows.append((first, second, shown(value, error), shown(error, error), ends))
    if not rows:
        return None
    heading = "Second derivatives, of the measure in its own unit (1, USD, years)"
    return Section(heading, ("in", "and in", "value", "std. error", "95% interval"), "llrrl", rows)


def parameters(found: Sequence[Any], title: str, ranges: Sequence[Any] = ()) -> StudySummary:
    """Of a list of `Parameter`: names, values, units and allowed ranges; and the `ranges` that the scenario says its keys may lie
    in."""
    lines, marked = [], False
    for one in found:
        value, unit, factor = parameter_text(one, one.value)
        span = [shown(end * factor, 0.0) if math.isfinite(end) else "" for end in (one.low, one.high)]
        allowed = f"{span[0]} to {span[1]}" if all(span) else f"from {span[0]}" if span[0] else "any"
        lines.append((one.name, value, unit, allowed, "" if one.pathwise else "bump"))
        marked = marked or not one.pathwise
    columns = ("parameter", "value", "unit", "allowed", "")
    notes = ["bump: a path's derivative is no sensitivity, so method auto bumps it"] if marked else []
    sections = [Section("", columns, "lrlll", grouped(lines))]
    if ranges:
        rows = [(one.key, *one.ends, "evenly in the logarithm" if one.log else "evenly") for one in ranges]
        heading = "Ranges that the scenario says its keys may lie in; `jaxrisk study SCENARIO --over ranges` draws from them"
        sections.append(Section(heading, ("key", "lowest", "highest", "drawn"), "lrrl", rows))
    return StudySummary(title, [], sections, notes, [one._asdict() for one in found])


def summary(result: Any) -> StudySummary:
    """The table of any of these results."""
    tables = {"Sensitivities": sensitivities, "ReverseStress": reverse_stress, "RareEvent": rare_event, "Design": design}
    tables |= {"Study": study, "OverRanges": over_ranges}
    tables |= {"Attribution": attribution, "Attributions": unwinds, "Warned": warning, "Maturity": maturity}
    return tables[type(result).__name__](result)


__all__ = ["design", "over_ranges", "parameters", "rare_event", "reverse_stress", "sensitivities", "study", "summary"]

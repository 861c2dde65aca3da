"""What each channel of a market's leverage has in a simulated loss, as tables."""

import math
from typing import Any

import numpy as np

from .study_table import Section, StudySummary, in_words, scaled, shown, unit_of


def attribution(result: Any) -> StudySummary:
    """Shares by measure, amplification by size of the shock, contagion."""
    sections, records, answer = [], [], []
    for measure, found in zip(result.measures, result.shares, strict=True):
        factor, label = scaled(unit_of(measure), max(abs(found.all[0]), abs(found.none[0])))
        number = lambda value, error, factor=factor: _with(value * factor, error * factor)
        lines = [("all channels off: the outside's", number(*found.none), "")]
        for (name, _), share in zip(result.channels, found.shares, strict=True):
            lines.append((f"+ {name}", number(share.value, share.standard_error), _percent(share.fraction, share.fraction_error)))
            records.append(_record(measure, name, share))
        lines.append(("all channels on", number(*found.all), ""))
        answer.append(f"the {in_words(measure)}: {_percent(*found.of_all)} is the market's own forced orders")
        records += [_record(measure, "total", found.total), *_ends(measure, found)]
        points = "percentage points" if label == "%" else label
        sections.append(Section(f"The {in_words(measure)}, {label}", ("", f"adds, {points}", "of what they add"), "lrr", lines))
    sections += [_amplified(result.amplified), *map(_contagion, result.contagion)]
    records += [{"measure": "amplification", "part": f"shock x {one.scale:g}", "value": one.ratio,
                 "standard_error": one.ratio_error, "fraction": math.nan, "fraction_error": math.nan}
                for one in result.amplified]  # fmt: skip
    for matrix in result.contagion:
        for a, source in enumerate(matrix.names):
            for b, target in enumerate(matrix.names):
                part = {"measure": f"contagion of {matrix.of}", "part": f"{source} -> {target}"}
                both = {"value": float(matrix.value[a, b]), "standard_error": float(matrix.error[a, b])}
                records.append(part | both | {"fraction": math.nan, "fraction_error": math.nan})
    return StudySummary(_title(result), answer, sections, _notes(result), records)


def _title(result: Any) -> str:
    info = result.info
    return f"{info.get('title') or info.get('name')}: whose is the tail?   ({info['paths']:,} paths, {info['runs']} runs)"


def _notes(result: Any) -> list[str]:
    found = result.shares[0] if result.shares else None
    notes = [f"{name}: where it is off, {says}" for name, says in result.channels]
    if len(notes) > 1:
        notes.append("what two channels do only together is halved between them: stop orders move a price by their impact alone")
    if found is not None and found.orders:
        notes.append(f"Shapley shares over {found.orders} orders drawn at random; what the draw leaves open is in the errors")
    else:
        notes.append("Shapley shares over all orders, on the same random numbers; they add up to the difference of the ends")
    notes.append("standard errors in brackets; -: on too few paths to stand behind one")
    notes += [f"contagion of {one.of}: {one.says}" for one in result.contagion]
    return notes


def _record(measure: Any, part: str, share: Any) -> dict[str, Any]:
    return {"measure": str(measure), "part": part, "value": share.value, "standard_error": share.standard_error,
            "fraction": share.fraction, "fraction_error": share.fraction_error}  # fmt: skip


def _ends(measure: Any, found: Any) -> list[dict[str, Any]]:
    return [
        {"measure": str(measure), "part": part, "value": value, "standard_error": error, "fraction": math.nan,
         "fraction_error": math.nan}
        for part, (value, error) in (("none", found.none), ("all", found.all))
    ]  # fmt: skip


def _amplified(rows: Any) -> Section | None:
    lines = [
        (
            f"{one.scale:g}",
            _with(100.0 * one.drawdown, 100.0 * one.drawdown_error),
            _with(100.0 * one.without, 100.0 * one.without_error),
            _with(one.ratio, one.ratio_error),
            _with(100.0 * one.lost, 100.0 * one.lost_error),
        )
        for one in rows
    ]
    columns = ("shock, of its own size", "drawdown, %", "without feedback, %", "amplification", "open interest lost, %")
    return Section("Amplification by the size of the shock, means of a path", columns, "rrrrr", lines)


def _contagion(matrix: Any) -> Section:
    lines = [
        (source, *(_with(100.0 * matrix.value[a, b], 100.0 * matrix.error[a, b]) for b in range(len(matrix.names))))
        for a, source in enumerate(matrix.names)
    ]
    heading = f"Contagion of {matrix.of}, log price x 100: from (line) to (column)"
    return Section(heading, ("from", *matrix.names), "l" + "r" * len(matrix.names), lines)


def _with(value: float, error: float) -> str:
    """A number with its standard error."""
    if not math.isfinite(error):
        return f"{value:.3g} (-)" if np.isfinite(value) else "-"
    return shown(value, error) if error == 0.0 else f"{shown(value, error)} ({shown(error, error)})"


def _percent(value: float, error: float) -> str:
    if not math.isfinite(value):
        return ""
    text = _with(100.0 * value, 100.0 * error)
    head, bracket, rest = text.partition(" (")
    return f"{head}%{bracket}{rest}"


def maturity(result: Any) -> StudySummary:
    """Which change between two structures has what part in the difference of each measure."""
    sections, records, answer = [], [], []
    for measure, found in zip(result.measures, result.shares, strict=True):
        factor, label = scaled(unit_of(measure), max(abs(found.all[0]), abs(found.none[0])))
        number = lambda value, error, factor=factor: _with(value * factor, error * factor)
        lines = [(f"structure of {result.since.date}", "", "", number(*found.none), "")]
        for (words, before, after), share in zip(result.changes, found.shares, strict=True):
            part = _percent(share.fraction, share.fraction_error)
            lines.append((f"+ {words}", f"{before:g}", f"{after:g}", number(share.value, share.standard_error), part))
            records.append(_record(measure, words, share))
        lines.append((f"structure of {result.to.date}", "", "", number(*found.all), ""))
        records += [_record(measure, "total", found.total), *_ends(measure, found)]
        of = found.total.value / found.none[0] if found.none[0] else math.nan
        error = found.total.standard_error / abs(found.none[0]) if found.none[0] else math.nan
        word = "lower" if found.total.value < 0.0 else "higher"
        answer.append(f"the {in_words(measure)}: {_percent(abs(of), error)} {word} under the later structure")
        points = "percentage points" if label == "%" else label
        columns = ("", "before", "after", f"adds, {points}", "of the difference")
        sections.append(Section(f"The {in_words(measure)}, {label}", columns, "lrrrr", lines))
    info = result.info
    title = f"{result.since.title} against {result.to.title}, under the shock of {info['name']}   ({info['paths']:,} paths)"
    notes = [
        "Shapley shares over all orders, on the same random numbers; standard errors in brackets are those of chance alone:",
        "what a structure assumes (leverage, depth and funds of earlier years) is not in them; its file says the ranges",
    ]
    return StudySummary(title, answer, sections, notes, records)


__all__ = ["attribution", "maturity"]

"""The page of a study: what each setting changes, for whom, at what cost, and how sure that is."""

from pathlib import Path
from typing import Any

from ...observables import describe
from ..study_table import unit_of
from ..sweep_table import class_of, groups, heading, of_class
from ..table import at_most
from . import charts, fixed, study_about as about
from .content import Cell, Chart, Page, Part, Table, number
from .study_choice import Cells, choice
from .study_sure import sure
from .words import (
    APART,
    NONE,
    REFERENCE,
    SAME,
    VERDICTS,
    Finding,
    Size,
    change_in_words,
    changes_in_words,
    counted,
    verdict,
)  # fmt: skip

_HEADLINE = ("accounts_closed_out", "collateral_lost")
"""Observables by class in the table of the first screen."""
_TAIL = ("max_drawdown_index", "max_drawdown")
MOST_FIRST = 8
"""Settings in the table of the first screen."""
MOST_FINDINGS = 6
"""Settings of which findings are told."""
SHORT = {"accounts_closed_out": "accounts closed out", "collateral_lost": "client money lost"}


def page(study: Any, folder: Path) -> Page:
    """The page of a `Study` that is in a folder."""
    cells = Cells(study, folder)
    ahead, chosen = first(study), choice(study, cells)
    parts = [_today(study, cells), *_changes(study), _cost(study), *sure(study), *_danger(cells), fixed.history(),
             fixed.method(about.method(study)), about.assumed(study, cells),
             fixed.limitations(about.limits(study, cells))]  # fmt: skip
    made = about.made(study, cells, folder)
    return Page("study", study.title or study.name, study.question, _lead(study, cells), _headline(study, ahead),
                _findings(study, ahead), [*[part for part in parts if part], fixed.reproduction(made, cells.text())],
                chosen, made)  # fmt: skip


def key_of(found: Any, field: str) -> str:
    """Which number of a study a cell holds.

    >>> from types import SimpleNamespace as S
    >>> key_of(S(cell=S(name="cap 5"), branch="", measure="mean(shortfall[*])"), "value")
    'cap 5||mean(shortfall[*])|value'
    """
    return f"{found.cell.name}|{found.branch}|{found.measure}|{field}"


def short(measure: Any) -> str:
    """A measure as it heads a column or stands in a sentence.

    >>> from jaxrisk.risk.measure import Measure
    >>> short(Measure.of("expected_shortfall(max_drawdown_index, 0.99)")), short(Measure.of("accounts_closed_out[retail]"))
    ('average fall in the worst 1% of cases', 'accounts closed out, retail')
    >>> short(Measure.of("exceedance_probability(max_drawdown_index, 0.1)"))
    'probability of a fall of more than 10%'
    """
    base, _, rest = measure.observable.partition("[")
    whom = f", {rest.rstrip(']')}" if rest.rstrip("]*") else ""
    if of_class(measure):
        return f"{SHORT.get(base, describe(base).long_name)}{whom}"
    if base in _TAIL and measure.statistic == "expected_shortfall":
        return f"average fall in the worst {100.0 * (1.0 - measure.level):.3g}% of cases{whom}"
    if base in _TAIL and measure.statistic == "exceedance_probability":
        return f"probability of a fall of more than {100.0 * measure.level:.4g}%{whom}"
    text = heading([measure])
    return text[:1].lower() + text[1:]


def size_of(study: Any, measures: list[Any]) -> Size:
    known = [study.over_branches.get((cell.name, str(measure))) for cell in study.cells for measure in measures]
    sizes = [abs(float(one.estimate.value)) for one in known if one is not None and one.estimate is not None]
    return Size.of(unit_of(measures[0]), max(sizes, default=0.0))


def _others(study: Any) -> list[Any]:
    """Cells that are not what the others are compared with."""
    return [cell for cell in study.cells if cell.name not in study.reference.values()]


def first(study: Any) -> list[Any]:
    """The measures of the first screen: by class, then the tail of the fall."""
    mine = [one for one in study.measures if of_class(one) and one.observable.partition("[")[0] in _HEADLINE]
    classes = list(dict.fromkeys(class_of(one) for one in mine))
    mine.sort(key=lambda one: (classes.index(class_of(one)), _HEADLINE.index(one.observable.partition("[")[0])))
    falls = [one for one in study.measures if one.observable.partition("[")[0] in _TAIL]
    rest = [one for one in study.measures if one not in mine and one not in falls and not of_class(one)]
    return (mine + falls[:2] + ([] if mine else rest))[:6]


def _listed(study: Any) -> list[Any]:
    """Cells of the first screen: all, or the reference and those spread evenly over the others."""
    others = _others(study)
    if len(others) > MOST_FIRST:
        step = len(others) / MOST_FIRST
        others = [others[int(k * step)] for k in range(MOST_FIRST)]
    return [*[cell for cell in study.cells if cell.name in study.reference.values()], *reversed(others)]


def _lead(study: Any, cells: Cells) -> list[str]:
    info, refs = study.info, ", ".join(dict.fromkeys(study.reference.values()))
    said = f"{counted(len(study.cells), 'setting is', 'settings are')} compared on the same {cells.horizon_words()}"
    return [
        "People who trade with borrowed money lose their stake when the price moves too far against them: the exchange closes "
        "their "
        "position, and those forced sales push the price further. This page says, from simulated markets and not from a "
        "forecast, "
        f"what other rules would change. {said}, {info['paths']:,} of them, against \u201c{refs}\u201d.",
        "After each figure stands the range that would hold the true answer of the model 95 times in a hundred. Where that range "
        "reaches both sides of no change, the two are not told apart: the simulation cannot say that there is a difference.",
    ]


def _headline(study: Any, ahead: list[Any]) -> Table | None:
    if not ahead:
        return None
    sizes = {str(one): size_of(study, [one]) for one in ahead}
    columns = ["setting"]
    for one in ahead:
        unit = sizes[str(one)].name
        columns.append(short(one) + (f", {unit}" if unit not in ("", "%", "accounts") else ""))
    rows = []
    for cell in _listed(study):
        row = [Cell(cell.name)]
        for measure in ahead:
            one, size = study.over_branches.get((cell.name, str(measure))), sizes[str(measure)]
            row.append(_both(one, size) if one is not None else Cell("not asked"))
        rows.append(row)
    text = "Each setting's average of a simulated market, and below it the change against the first row with its 95% interval"
    return Table(text, tuple(columns), "l" + "r" * len(ahead), rows)


def _both(one: Any, size: Size) -> Cell:
    """A value with its change below it."""
    if one.estimate is None:
        return Cell(one.note or "too few paths")
    error = float(one.estimate.standard_error)
    kind = verdict(one.difference)
    value = size.said(one.estimate.value, error) if size.name == "%" else size.number(one.estimate.value, error)
    small = size.range(one.estimate.low, one.estimate.high, error) if kind == REFERENCE and error == error else ""
    small = small or change_in_words(one.difference, size)
    small = small.replace(" (", ", not told apart (", 1) if kind == SAME else small
    small = f"no path differs ({at_most(float(one.difference.at_most))})" if kind == NONE else small
    return number(value, key_of(one, "value"), one.estimate.value, kind, small)


def _findings(study: Any, ahead: list[Any]) -> list[Finding]:
    """What settings change of the measures of the first screen."""
    others = _others(study)
    if len(others) > MOST_FINDINGS:  # the ends and between
        step = (len(others) - 1) / (MOST_FINDINGS - 1)
        others = [others[round(k * step)] for k in range(MOST_FINDINGS)]
    found = []
    for cell in others:
        changes = []
        for measure in ahead:
            one = study.over_branches.get((cell.name, str(measure)))
            if one is not None and one.difference is not None and one.estimate is not None:
                changes.append((short(measure), one.difference, size_of(study, [measure])))
        found += changes_in_words(cell.name, study.reference[cell.scenario], changes)
    return found


def _today(study: Any, cells: Cells) -> Part:
    """Who loses what in the reference."""
    rows: list[list[Cell]] = []
    for name in dict.fromkeys(study.reference.values()):
        rows += [[Cell(name)]] if len(study.reference) > 1 else []
        for measure in study.measures:
            one = study.over_branches.get((name, str(measure)))
            if one is None:
                continue
            label, size = short(measure), size_of(study, [measure])
            rows.append([Cell(label[:1].upper() + label[1:]), *numbers_of(one, size, with_unit=True)])
    refs = ", ".join(dict.fromkeys(study.reference.values()))
    table = Table(f"Under {refs}", ("measure", "value", "std. error", "95% interval"), "lrrl", rows)
    return Part("today", f"Who loses what under \u201c{refs}\u201d?", [], [table])


def numbers_of(one: Any, size: Size, with_unit: bool = False) -> list[Cell]:
    if one.estimate is None:
        return [Cell("-"), Cell(""), Cell(one.note)]
    estimate, error = one.estimate, float(one.estimate.standard_error)
    value = size.said(estimate.value, error) if with_unit else size.number(estimate.value, error)
    ends = one.note or size.range(estimate.low, estimate.high, error)
    return [
        number(value, key_of(one, "value"), estimate.value),
        number("" if error != error else size.number(error, error), key_of(one, "standard_error"), error),
        number(ends, key_of(one, "low"), estimate.low),
    ]


def _changes(study: Any) -> list[Part]:
    """What each setting changes, a table and a chart a measure."""
    tables, pictures = [], []
    for place, group in enumerate(groups(study)):
        size = size_of(study, group)
        rows: list[list[Cell]] = []
        drawn: list[dict[str, Any]] = []
        for measure in group:
            rows += [[Cell(class_of(measure))]] if of_class(measure) else []
            for cell in study.cells:
                one = study.over_branches.get((cell.name, str(measure)))
                if one is None:
                    continue
                kind = verdict(one.difference)
                mark = number(VERDICTS[kind], "", None, kind)
                change = change_in_words(one.difference, size)
                value = None if one.difference is None else one.difference.value
                rows.append([Cell(cell.name), *numbers_of(one, size), number(change, key_of(one, "difference"), value), mark])
                if one.difference is not None and kind in (APART, SAME):
                    end = lambda name, of=one, by=size.factor: float(getattr(of.difference, name)) * by
                    drawn.append({"name": cell.name, "series": class_of(measure) if of_class(measure) else "all",
                                  "value": end("value"), "low": end("low"), "high": end("high"), "text": change})  # fmt: skip
        unit = f", {size.name}" if size.name not in ("", "accounts") else ""
        columns = ("setting", "value", "std. error", "95% interval", "change (95% interval)", "")
        table = Table(f"{heading(group)}{unit}", columns, "lrrlrl", rows)
        if drawn:
            order = [cell.name for cell in study.cells if any(row["name"] == cell.name for row in drawn)]
            text = f"change, {size.change()}" if size.change() else "change"
            spec = charts.whiskers(drawn, order, text, "no change")
            pictures.append(Chart(f"change-{place}", heading(group), _drawn_words(drawn, size), spec, table))
        else:
            tables.append(table)
    text = ["Changes are against the same simulated markets: what both have by chance alike falls out of the difference. Points "
            "are the "
            "change, lines its 95% interval; a line that crosses zero is a change that is not told apart from none. A setting "
            "whose "
            "change rests on too few paths has no point."]  # fmt: skip
    return [Part("changes", "What does each setting change, for whom?", text, tables, pictures)] if tables or pictures else []


def _drawn_words(drawn: list[dict[str, Any]], size: Size) -> str:
    clear = [row for row in drawn if row["low"] > 0.0 or row["high"] < 0.0]
    if not clear:
        return "No setting's change is told apart from none."
    most = max(clear, key=lambda row: abs(row["value"]))
    whom = "" if most["series"] == "all" else f" for {most['series']}"
    return (f"{len(clear)} of {counted(len(drawn), 'change is', 'changes are')} told apart from none; the largest is of "
            f"{most['name']}"
            f"{whom}: {most['text']} {size.change()}").rstrip() + "."  # fmt: skip


def _cost(study: Any) -> Part | None:
    """Open interest that is forgone."""
    held = study.held
    if max(held.values()) - min(held.values()) <= 1e-6 * max(held.values()):
        return None
    size = Size.of("USD", max(held.values()))
    rows, drawn = [], []
    for cell in study.cells:
        of, mine = held[study.reference[cell.scenario]], held[cell.name]
        share = 100.0 * (of - mine) / of if of > 0.0 else 0.0
        rows.append([Cell(cell.name), number(f"{mine * size.factor:.4g}", f"{cell.name}|held", mine),
                     Cell(f"{(of - mine) * size.factor:.3g}"), Cell(f"{share:.2f}%")])  # fmt: skip
        drawn.append({"name": cell.name, "value": share, "low": share, "high": share, "text": f"{share:.2f}%"})
    table = Table(f"Open interest at the start, mean of longs and shorts, {size.name}",
                  ("setting", "held", "forgone", "share"), "lrrr", rows)  # fmt: skip
    most = max(drawn, key=lambda row: row["value"])
    spec = charts.bars(drawn, [row["name"] for row in drawn], "% of open interest forgone")
    text = "The largest share is forgone under {name}: {text} of the open interest held under the reference.".format(**most)
    chart = Chart("cost", "Positions that would not be held", text, spec, table)
    said = ("Positions that holders may not, or no longer want to, hold. These are exact sums over the positions of the "
            "scenario, without chance: they have no error of the simulation, and all of that of the assumptions on how holders "
            "respond to a limit.")  # fmt: skip
    return Part("cost", "What does it cost?", [said], [], [chart])


def _danger(cells: Cells) -> list[Part]:
    result = cells.reference()
    return [] if result is None else fixed.danger(result)


__all__ = ["first", "key_of", "numbers_of", "page", "short", "size_of"]

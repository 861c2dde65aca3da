"""The page of a study: what each setting changes, for whom, at what cost, and how sure that is."""

from pathlib import Path
from typing import Any

import numpy as np

from ..problems import counted
from ..report.sweep_table import class_of, groups, heading, of_class
from ..report.table import at_most
from . import charts, fixed, study_about as about
from .content import Cell, Chart, Page, Part, Table, number
from .study_choice import Cells, choice
from .study_numbers import TAIL, change_of, key_of, numbers_of, short, size_of
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
    share_in_words,
    verdict,
)  # fmt: skip

_HEADLINE = ("accounts_closed_out", "negative_balances", "collateral_lost")
"""Observables by class in the table of the first screen."""

MOST_FIRST = 8
"""Settings in the table of the first screen."""
MOST_COLUMNS = 8
"""Measures there: of the fall two, however many classes there are."""
MOST_FINDINGS = 6
"""Settings of which findings are told."""


def page(study: Any, folder: Path) -> Page:
    """The page of a `Study` that is in a folder."""
    cells = Cells(study, folder)
    ahead, chosen = first(study), choice(study, cells, first(study))
    parts = [_today(study, cells), *_changes(study), _cost(study), *sure(study), *_danger(cells), fixed.history(),
             fixed.method(about.method(study)), about.assumed(study, cells),
             fixed.limitations(about.limits(study, cells))]  # fmt: skip
    made = about.made(study, cells, folder)
    again = fixed.reproduction(made, cells.text(), about.again(study, cells))
    return Page("study", study.title or study.name, study.question, _lead(study, cells), _headline(study, ahead),
                _findings(study, ahead), [*[part for part in parts if part], again],
                chosen, made)  # fmt: skip


def _others(study: Any) -> list[Any]:
    """Cells that are not what the others are compared with."""
    return [cell for cell in study.cells if cell.name not in study.reference.values()]


def first(study: Any) -> list[Any]:
    """The measures of the first screen: by class, then the tail of the fall."""
    mine = [one for one in study.measures if of_class(one) and one.observable.partition("[")[0] in _HEADLINE]
    classes = list(dict.fromkeys(class_of(one) for one in mine))
    mine.sort(key=lambda one: (classes.index(class_of(one)), _HEADLINE.index(one.observable.partition("[")[0])))
    falls = [one for one in study.measures if one.observable.partition("[")[0] in TAIL]
    rest = [one for one in study.measures if one not in mine and one not in falls and not of_class(one)]
    falls = falls[:2]
    return (mine if mine else rest)[: MOST_COLUMNS - len(falls)] + falls


def _listed(study: Any) -> list[Any]:
    """Cells of the first screen, by scenario: the reference, then all others, or those spread evenly over them."""
    listed, each = [], max(2, MOST_FIRST // len(study.reference))
    for scenario, reference in study.reference.items():
        others = [cell for cell in _others(study) if cell.scenario == scenario]
        if len(others) > each:
            others = [others[place] for place in np.unique(np.linspace(0, len(others) - 1, each).round().astype(int))]
        listed += [*[cell for cell in study.cells if cell.name == reference], *reversed(others)]
    return listed


def _against(study: Any) -> str:
    """What settings are compared with, in a sentence."""
    names = list(dict.fromkeys(study.reference.values()))
    return f"\u201c{names[0]}\u201d" if len(names) == 1 else "each scenario's reference"


def _lead(study: Any, cells: Cells) -> list[str]:
    info = study.info
    said = f"{counted(len(study.cells), 'setting is', 'settings are')} compared on the same {cells.horizon_words()}"
    return [
        "People who trade with borrowed money lose their stake when the price moves too far against them: the exchange closes "
        "their "
        "position, and those forced sales push the price further. This page says, from simulated markets and not from a "
        "forecast, "
        f"what other rules would change. {said}, {_many(info)} of them, against {_against(study)}.",
        "After each figure stands the range that would hold the true answer of the model 95 times in a hundred. Where that range "
        "reaches both sides of no change, the two are not told apart: the simulation cannot say that there is a difference.",
    ]


def _many(info: Any) -> str:
    """Numbers of paths, of all scenarios."""
    found = sorted({int(one["paths"]) for one in info["by_scenario"].values()})
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,} (as the scenario says)"


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
    row = "the first row" if len(study.reference) == 1 else "the first row of its scenario"
    text = f"Each setting's figures, and below each the change against {row} with its 95% interval"
    if len(rows) < len(study.cells):
        text += f". {len(rows)} of {len(study.cells)} settings; all are in the tables below"
    left = [one for one in study.measures if one not in ahead and of_class(one) and one.observable.partition("[")[0] in _HEADLINE]
    text += ". Further classes are in the tables below" if left else ""
    return Table(text, tuple(columns), "l" + "r" * len(ahead), rows)


def _both(one: Any, size: Size) -> Cell:
    """A value with its change below it."""
    if one.estimate is None:
        return Cell(one.note or "too few paths")
    error = float(one.estimate.standard_error)
    kind = verdict(one.difference)
    value = size.said(one.estimate.value, error) if size.name == "%" else size.number(one.estimate.value, error)
    ends = size.range(one.estimate.low, one.estimate.high, error)
    if one.measure.statistic == "exceedance_probability":
        value, ends = share_in_words(one.estimate, value, ends)
    small = ends if kind == REFERENCE and error == error else ""
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
    if len(others) < len(_others(study)):
        words = f"Of {len(_others(study))} settings {len(others)} are told of, from the first to the last"
        found.append(Finding(f"{words}; all are in the tables below."))
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
    return Part("today", f"Who loses what under {_against(study)}?", [], [table])


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
                difference = change_of(one)
                kind = verdict(difference)
                mark = number(VERDICTS[kind], "", None, kind)
                change = change_in_words(difference, size)
                value = None if difference is None else difference.value
                rows.append([Cell(cell.name), *numbers_of(one, size), number(change, key_of(one, "difference"), value), mark])
                if difference is not None and kind in (APART, SAME):
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
    """Open interest that is forgone; or, where a setting holds more than the reference, by how much what is held differs."""
    held = study.held
    of = {cell.name: held[study.reference[cell.scenario]] for cell in study.cells}
    if all(abs(held[name] - reference) <= 1e-6 * held[name] for name, reference in of.items()):
        return None
    more = any(held[name] > (1.0 + 1e-6) * reference for name, reference in of.items())
    size, sign, kind = Size.of("USD", max(held.values())), "+" if more else "", "change" if more else "forgone"
    rows, drawn = [], []
    for name, reference in of.items():
        apart = held[name] - reference if more else reference - held[name]
        share = 100.0 * apart / reference if reference > 0.0 else 0.0
        rows.append([Cell(name), number(f"{held[name] * size.factor:.4g}", f"{name}|held", held[name]),
                     Cell(f"{apart * size.factor:{sign}.3g}"), Cell(f"{share:{sign}.2f}%")])  # fmt: skip
        drawn.append({"name": name, "value": share, "low": share, "high": share, "text": f"{share:{sign}.2f}%"})
    table = Table(f"Open interest at the start, mean of longs and shorts, {size.name}",
                  ("setting", "held", kind, "share"), "lrrr", rows)  # fmt: skip
    most = max(drawn, key=lambda row: abs(row["value"]))
    spec = charts.bars(drawn, [row["name"] for row in drawn], "% of the reference's" if more else "% of open interest forgone")
    if more:
        text = "Open interest under {name} differs most from the reference's: by {text}.".format(**most)
    else:
        text = "The largest share is forgone under {name}: {text} of the open interest held under the reference.".format(**most)
    chart = Chart("cost", "Positions held" if more else "Positions that would not be held", text, spec, table)
    said = ("Positions that holders may not, or no longer want to, hold. These are exact sums over the positions of the "
            "scenario, without chance: they have no error of the simulation, and all of that of the assumptions on how holders "
            "respond to a limit.")  # fmt: skip
    if more:
        said = ("These are exact sums over the positions of the scenario, without chance: they have no error of the simulation, "
                "and all of that of what the settings assume.")  # fmt: skip
    return Part("cost", "What is held?" if more else "What does it cost?", [said], [], [chart])


def _danger(cells: Cells) -> list[Part]:
    result = cells.reference()
    return [] if result is None else fixed.danger(result)


__all__ = ["first", "key_of", "numbers_of", "page", "short", "size_of"]

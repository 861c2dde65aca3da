"""How sure a study is: by chance, by branches, and in the order of its cells."""

from typing import Any

from ..problems import counted
from ..report.study_table import in_words
from ..report.sweep_table import between, chance, order_in_words
from .content import Cell, Part, Table, number
from .study_numbers import change_of, numbers_of, size_of
from .words import APART, FEW, NONE, SAME, VERDICTS, verdict

MOST_CELLS = 8
"""Cells whose branches have a table."""


def sure(study: Any) -> list[Part]:
    """How sure: by chance, by branches, and the ranking."""
    by_kind = [verdict(change_of(one)) for one in study.found if not one.branch and one.difference is not None]
    told = by_kind.count(APART) + by_kind.count(SAME)
    lines = [f"{by_kind.count(kind)} of {len(by_kind)} changes: {VERDICTS[kind]}" for kind in (APART, SAME, FEW, NONE)
             if kind in by_kind]  # fmt: skip
    text = ["Three things leave an answer open. Chance, as only so many markets were simulated: the intervals on this page are "
            "of this alone. The numbers that the scenario assumes: branches, below where the study has them, vary those. And "
            "what the model leaves out: see the limitations.",
            f"Some intervals miss: of {counted(told, 'change', 'changes')} with an interval {0.05 * told:.2g} would lie "
            "outside theirs on average, though nothing is wrong."]  # fmt: skip
    tables = [*_rankings(study), *_branches(study)]
    if study.info["branches"] < 2:
        text.append("This study has no branches: how far the assumed numbers move the answer was not asked.")
    return [Part("sure", "How sure is that?", text, tables, lines=lines)]


def _rankings(study: Any) -> list[Table]:
    tables = []
    for scenario, found in study.rankings.items():
        names = [cell.name for cell in study.cells if cell.scenario == scenario]
        if len(names) < 2:
            continue
        rows = [
            [Cell(f"{rank + 1}. {names[place]}"), number(chance(best), f"{names[place]}|best", best),
             Cell("" if rank + 1 == len(names) else chance(next_))]
            for rank, (place, best, next_) in enumerate(zip(found.order.tolist(), found.best.tolist(), found.before_next.tolist(),
                                                            strict=True))
        ]  # fmt: skip
        text = f"Ranking by the {in_words(study.rank)}, smallest first; {order_in_words(found.whole)}"
        tables.append(Table(text + (f": {scenario}" if len(study.rankings) > 1 else ""),
                            ("setting", "smallest of all", "smaller than the next"), "lrr", rows))  # fmt: skip
    return tables


def _branches(study: Any) -> list[Table]:
    if study.info["branches"] < 2:
        return []
    size, tables = size_of(study, [study.rank]), []
    for cell in study.cells[:MOST_CELLS]:
        mine = [one for one in study.found if one.cell.name == cell.name and one.branch and str(one.measure) == str(study.rank)]
        mine = [one for one in mine if one.estimate is not None]
        whole = study.over_branches.get((cell.name, str(study.rank)))
        if not mine or whole is None or whole.estimate is None:
            continue
        rows = [[Cell(one.branch), Cell(f"{one.weight:.3g}"), *numbers_of(one, size)] for one in mine]
        rows.append([Cell("weighted mean"), Cell("1"), *numbers_of(whole, size)])
        apart = between(mine, float(whole.estimate.value))
        by_chance = float(whole.estimate.standard_error)
        text = (f"{cell.name}: {in_words(study.rank)} by branch{f', {size.name}' if size.name else ''}; between branches a "
                f"standard deviation of {size.number(apart, by_chance)}, by chance a standard error of "
                f"{size.number(by_chance, by_chance)}")  # fmt: skip
        tables.append(Table(text, ("branch", "weight", "value", "std. error", "95% interval"), "lrrrl", rows))
    return tables


__all__ = ["sure"]

"""What a study's runs say: every measure of every cell and branch, its difference to the reference cell, and the ranking."""

import math
from typing import NamedTuple

import numpy as np

from ..observables import OBSERVABLES, columns
from ..report import Result
from ..risk.estimate import Estimate, TooFewPathsError
from ..risk.measure import Measure
from ..risk.paired import Column, Difference, Ranking, paired, ranking
from .study_cells import Cell
from .study_file import StudyPlan
from .study_plan import Work
from .study_run import Runs

BY_CLASS = ("accounts_closed_out", "accounts_closed_out_share", "negative_balances", "negative_balance_usd", "collateral_lost",
            "fees_paid", "accounts_half_lost_share", "insurance_fund_used_by_class", "deleveraging_loss_by_class",
            "socialised_loss_by_class", "accounts_closed_out_by_leverage", "accounts_closed_out_share_by_leverage",
            "collateral_lost_by_leverage")  # fmt: skip
"""Observables by class of account whose means are shown where a study does not say which."""
_GROUPED = (("classes",), ("leverages",))
"""Axes of what `by_class` may name."""
DEFAULT = ("expected_shortfall(max_drawdown_index, 0.99)", "mean(open_interest_loss_usd)",
           "expected_shortfall(open_interest_loss_usd, 0.99)")  # fmt: skip
"""Measures of a study that names none."""
HELD, BALANCING = "open_interest_usd", "balancing_open_interest_usd"
"""What is no measure of paths: open interest at the start, and what of both sides together only makes up for their difference."""


class Found(NamedTuple):
    """One measure of one cell.

    `branch`: a branch's name, `""` for the weighted mean over all of them, or where there are none; `weight`: of the branch;
    `estimate`: None where the paths are too few; `constant`: whether it is the same on every path; `difference`: to the reference
    cell, None in that cell itself; `note`: what should be known of it.
    """

    cell: Cell
    branch: str
    weight: float
    measure: Measure
    estimate: Estimate | None
    difference: Difference | None
    constant: bool
    note: str = ""


class Answers(NamedTuple):
    """Everything found: `found`; `rankings` by scenario; `held`: what the scenario's own holders have at the start by cell, the
    mean of longs and shorts, USD, weighted over branches; `spreads`: for each scenario, cell and group of branches the measure
    ranked by, by branch of that group."""

    found: list[Found]
    rankings: dict[str, Ranking]
    held: dict[str, float]
    spreads: dict[str, dict[str, list[tuple[str, float, float]]]]
    measures: list[Measure]


def measures_of(plan: StudyPlan, result: Result) -> list[Measure]:
    """The measures of a study, with those by class that a result has."""
    asked = [Measure.of(text) for text in plan.keys.measures or DEFAULT]
    wanted = BY_CLASS if plan.keys.by_class is None else plan.keys.by_class
    by_class = [Measure(column, "mean") for name in wanted if name in result.losses for column in _all(result, name)]
    ranked = [] if plan.keys.rank is None else [Measure.of(plan.keys.rank)]
    return list(dict.fromkeys(asked + [one for one in ranked if one not in asked] + by_class))


def _all(result: Result, name: str) -> list[str]:
    return columns(result[name][:1], result.dims[name], result.coords, name)


def rank_of(plan: StudyPlan, measures: list[Measure]) -> Measure:
    """The measure that cells are ranked by: the first where none is named."""
    return measures[0] if plan.keys.rank is None else Measure.of(plan.keys.rank)


def answer(plan: StudyPlan, works: list[Work], runs: Runs) -> Answers:
    """Run what is not there, the reference cell of each scenario first, and say what was found.

    **Raises:** as `Runs.result`; `ValueError` for a measure that a scenario's results do not have.
    """
    found: list[Found] = []
    rankings: dict[str, Ranking] = {}
    held: dict[str, float] = {}
    spreads: dict[str, dict[str, list[tuple[str, float, float]]]] = {}
    measures: list[Measure] = []
    for scenario in plan.keys.scenarios:
        cells = [cell for cell in plan.cells if cell.scenario == scenario]
        cells.sort(key=lambda cell: cell.name != plan.references[scenario])
        base: _Cell | None = None
        ranked: list[tuple[str, Column]] = []
        by_cell: dict[str, list[Found]] = {}
        for cell in cells:
            mine = [work for work in works if work.cell.name == cell.name]
            one = _Cell(cell, plan, mine, runs, measures)
            measures = list(dict.fromkeys([*measures, *one.measures]))
            base = base or one
            by_cell[cell.name] = one.found(base)
            held[cell.name] = one.held
            chosen = rank_of(plan, measures)
            ranked.append((cell.name, one.whole(chosen)))
            spreads[cell.name] = one.spread(chosen)
        found += [row for cell in plan.cells if cell.scenario == scenario for row in by_cell[cell.name]]
        values = np.array([column.value for _, column in ranked])
        rankings[scenario] = ranking(values, np.stack([column.scores for _, column in ranked]))
        names = [name for name, _ in ranked]
        place = {cell.name: i for i, cell in enumerate(c for c in plan.cells if c.scenario == scenario)}
        # places as the cells are written, not as they were run
        rankings[scenario] = rankings[scenario]._replace(order=np.array([place[names[k]] for k in rankings[scenario].order]))
    return Answers(found, rankings, held, spreads, measures)


class _Cell:
    """The columns of one cell, in each branch."""

    def __init__(self, cell: Cell, plan: StudyPlan, works: list[Work], runs: Runs, measures: list[Measure]):
        self.cell, self.works = cell, works
        self.weights = [work.leaf.weight for work in works]
        self.columns: list[dict[Measure, Column]] = []
        self.estimates: list[dict[Measure, tuple[Estimate | None, bool, str]]] = []
        self.measures: list[Measure] = measures
        held = []
        for work in works:
            result = runs.result(work)
            there = measures_of(plan, result)
            # where branches differ in what there is, what all have
            self.measures = [one for one in self.measures if one in there] if held else there
            losses = {one: np.asarray(result.column(one.observable), np.float64) for one in there}
            self.columns.append({one: Column.of(values, one) for one, values in losses.items()})
            self.estimates.append({one: _estimate(values, one) for one, values in losses.items()})
            held.append(_stated(result))
        self.held = float(np.dot(self.weights, held))

    def whole(self, measure: Measure) -> Column:
        """A measure's weighted mean over the branches."""
        return Column.weighted([columns[measure] for columns in self.columns], self.weights)

    def found(self, base: "_Cell") -> list[Found]:
        """Every measure, first over all branches and then in each, with its difference to the reference cell."""
        rows, itself, several = [], base is self, len(self.works) > 1
        for measure in self.measures:
            change = None if itself or measure not in base.columns[0] else paired(base.whole(measure), self.whole(measure))
            if several:
                estimate, constant, note = self._mean(measure)
                rows.append(Found(self.cell, "", 1.0, measure, estimate, change, constant, note))
            for k, work in enumerate(self.works):
                estimate, constant, note = self.estimates[k][measure]
                if several:
                    known = not itself and measure in base.columns[k]
                    change = paired(base.columns[k][measure], self.columns[k][measure]) if known else None
                branch, weight = (work.leaf.name, work.leaf.weight) if several else ("", 1.0)
                rows.append(Found(self.cell, branch, weight, measure, estimate, change, constant, note))
        return rows

    def _mean(self, measure: Measure) -> tuple[Estimate | None, bool, str]:
        """The weighted mean over the branches. Its interval is the weighted mean of theirs, which is what it would be if chance
        moved all branches together, as on the same paths it nearly does, and no narrower than it is; a count of none keeps its
        bound."""
        each = [of[measure] for of in self.estimates]
        known = [estimate for estimate, _, _ in each if estimate is not None]
        if len(known) < len(each):
            return None, False, next(note for estimate, _, note in each if estimate is None)
        mean = lambda name: float(np.dot(self.weights, [float(getattr(one, name)) for one in known]))
        if all(constant for _, constant, _ in each):
            return known[0]._replace(value=mean("value")), True, each[0][2]
        ends = [(float(one.low), float(one.high)) if not constant else (float(one.value),) * 2 for one, (_, constant, _) in
                zip(known, each, strict=True)]  # fmt: skip
        low, high = np.dot(self.weights, ends).tolist()
        error = self.whole(measure).error
        return known[0]._replace(value=mean("value"), standard_error=error, low=low, high=high), False, ""

    def spread(self, measure: Measure) -> dict[str, list[tuple[str, float, float]]]:
        """By group of branches: of each branch the weighted mean over all other groups, and the error of its distance to the mean
        over all, on the same paths."""
        whole = self.whole(measure)
        groups = dict.fromkeys(group for work in self.works for group in work.leaf.names)
        spreads: dict[str, list[tuple[str, float, float]]] = {}
        for group in groups:
            for name in dict.fromkeys(work.leaf.names[group] for work in self.works):
                mine = [k for k, work in enumerate(self.works) if work.leaf.names[group] == name]
                total = sum(self.weights[k] for k in mine)
                column = Column.weighted([self.columns[k][measure] for k in mine], [self.weights[k] / total for k in mine])
                error = float((column.scores - whole.scores).std()) / math.sqrt(len(whole.scores))
                spreads.setdefault(group, []).append((name, column.value, error))
        return spreads


def _stated(result: Result) -> float:
    """Open interest at the start that the scenario's own holders have, mean of longs and shorts. That of the larger side alone is
    no measure of what a limit takes away: where it takes more from one side, holders without leverage make up the rest."""
    return float(result.info[HELD]) - 0.5 * float(result.info.get(BALANCING, 0.0))


def _estimate(values: np.ndarray, measure: Measure) -> tuple[Estimate | None, bool, str]:
    """With its interval; whether all paths have one value; and what is said of it."""
    try:
        estimate = measure.estimate(values)
    except TooFewPathsError as error:
        return None, False, f"needs {error.needed:,} paths"
    if estimate.standard_error == 0.0 and values.min() == values.max() and measure.statistic != "exceedance_probability":
        nothing = math.nan
        rarely = Measure(measure.observable, "exceedance_probability", float(values.max())).estimate(values).high
        shown = f"the same on every path (others: at most {100.0 * float(rarely):.2g}%)"
        return estimate._replace(standard_error=nothing, low=nothing, high=nothing), True, shown
    return estimate, False, ""


def unknown_measures(plan: StudyPlan) -> list[str]:
    """What is wrong with a study's measures by their text alone, a line each; what a run has tells the rest."""
    lines = []
    for text in [*plan.keys.measures, *([plan.keys.rank] if plan.keys.rank else [])]:
        try:
            Measure.of(text)
        except ValueError as error:
            lines += str(error).splitlines()
    for name in plan.keys.by_class or ():
        dims = OBSERVABLES[name].dims if name in OBSERVABLES else None
        if dims not in _GROUPED:
            known = [one for one, said in OBSERVABLES.items() if said.dims in _GROUPED]
            lines.append(f'by_class "{name}": no observable by class of account; there are {", ".join(known)}')
    return lines


__all__ = ["BY_CLASS", "DEFAULT", "HELD", "Answers", "Found", "answer", "measures_of", "rank_of", "unknown_measures"]

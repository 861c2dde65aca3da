"""What a setting changes, over a grid of them: every cell on the same random numbers, every difference with its own error."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..problems import ConfigError, Problem
from ..report.shown import Shown
from ..risk.measure import Measure
from ..risk.paired import Ranking
from ..scenario import Scenario
from .study_cells import Cell
from .study_file import StudyPlan, read_study
from .study_found import Found, answer, rank_of, unknown_measures
from .study_plan import Work, works_of
from .study_read import RECORD, fields_of
from .study_run import Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE, PICTURE, BRANCHES = "study.csv", "study.png", "branches.png"
"""What a study writes into its folder, beside the results of its runs."""


@dataclass(repr=False)
class Study(Shown):
    """What a study found.

    **Fields:**

    - `name`, `title`, `question`: as the file says.
    - `cells`: what was set in each; `reference`: by scenario, the name of the cell that the others are compared with.
    - `measures`: what was asked; `rank`: by which of them cells are ranked, the smallest first.
    - `found`: a measure of a cell, in a branch or over all, with its difference to the reference cell; see `Found`.
    - `rankings`: by scenario, places of its cells and how surely they are right.
    - `held`: open interest of the scenario's own holders at the start, mean of longs and shorts, USD, by cell.
    - `spreads`: by cell and group of branches, the measure ranked by in each branch: value and error.
    - `info`: paths, seed and steps, of the first scenario and `by_scenario`; number of runs; `files`: by cell and branch what its
      result in the study's folder is called.
    """

    name: str
    title: str
    question: str
    cells: list[Cell]
    reference: dict[str, str]
    measures: list[Measure]
    rank: Measure
    found: list[Found]
    rankings: dict[str, Ranking]
    held: dict[str, float]
    spreads: dict[str, dict[str, list[tuple[str, float, float]]]]
    info: dict[str, Any] = field(default_factory=dict)

    def of(self, cell: str, measure: Measure | str, branch: str = "") -> Found:
        """What was found of one measure in one cell.

        **Raises:** `ValueError` where there is no such cell, measure or branch, with what there is.
        """
        wanted = Measure.of(measure)
        for one in self.found:
            if one.cell.name == cell and str(one.measure) == str(wanted) and one.branch == branch:
                return one
        names = ", ".join(dict.fromkeys(one.cell.name for one in self.found))
        raise ValueError(f"nothing was found for {wanted} in {cell!r}, branch {branch!r}; the cells are {names}; the measures "
                         f"{', '.join(map(str, self.measures))}")  # fmt: skip

    @functools.cached_property
    def over_branches(self) -> dict[tuple[str, str], Found]:
        """What was found over all branches, by the names of cell and measure."""
        return {(one.cell.name, str(one.measure)): one for one in self.found if not one.branch}

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Study":
        """The study that was written into a folder.

        **Raises:** `ValueError`, which names the file, where it is damaged, or of a version that this one does not read;
        `OSError` as the system says.
        """
        return cls(*fields_of(Path(folder)))

    def plot_branches(self) -> "Figure":
        """A tornado chart: by how much each group of branches moves the measure ranked by.

        **Raises:** `ValueError` where there are no branches.
        """
        from ..report.plots.study import branches

        return branches(self)

    def plot_frontier(self, measure: Measure | str | None = None, ax: Any = None) -> Any:
        """As `plot.frontier`."""
        return self.plot.frontier(ax, measure)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, {len(self.cells)} cells, {self.info.get('paths', 0):,} paths each)"


def study(
    study: str | os.PathLike | Mapping[str, Any],
    out: str | os.PathLike | None = None,
    *,
    quick: bool = False,
    paths: int | None = None,
    seed: int | None = None,
    steps: int | None = None,
    many: bool = False,
    progress: Callable[[int, int], None] | None = None,
    executor: Any = None,
) -> Study:
    """Run a study: a scenario, or several, under each of a set of settings, all on the same random numbers.

    **Arguments:**

    - `study`: a TOML file, the name of a shipped study, or such a file's content as a dictionary (docs/studies.md).
    - `out`: the folder in which each run's result is kept; runs that are finished there are not run again, whenever and by
      whatever study they were made. None keeps them in memory.
    - `quick`: the file's `[quick]` settings, or a tenth of its paths.
    - `paths`, `seed`, `steps`: of every run; None as the file says.
    - `many`: allow more than 1,000 runs.
    - `progress`: called with paths done and paths in all.
    - `executor`: of `concurrent.futures`, or a Dask client: who runs the cells; the same bytes. None: this process.

    **Raises:** `jaxrisk.ConfigError` with everything that is wrong with the study and its scenarios; otherwise as `simulate`.

    >>> import jaxrisk as jr
    >>> caps = {"scenario": "btc_24h", "run": {"paths": 256, "steps": 24}, "measures": ["mean(open_interest_loss_usd)"],
    ...         "set": {"limits.caps": [{"class": "retail", "cap": 50, "share_downsize": 0.5}]},
    ...         "grid": [{"key": "limits.cap", "values": [50, 5]}]}
    >>> jr.study(caps)
    Study('study', 2 cells, 256 paths each)
    """
    plan, works = planned(study, {"paths": paths, "seed": seed, "steps": steps}, quick=quick, many=many)
    runs = Runs(works, None if out is None else Path(out), progress, executor=executor)
    return finished(plan, works, runs)


def planned(
    study: Any, run: Mapping[str, Any], *, quick: bool = False, many: bool = False, wrong: list[Any] | None = None
) -> tuple[StudyPlan, list[Work]]:
    """A study and its runs, checked.

    **Raises:** `ConfigError` with everything that is wrong; `wrong`: problems that were found before.
    """
    study = study if isinstance(study, Mapping) else str(study)
    plan, problems = read_study(study, run, quick=quick, many=many)
    problems = list(wrong or []) + problems
    problems += [Problem(plan.file, "measures", None, line) for line in unknown_measures(plan)]
    works, more = works_of(plan)
    problems += more
    if not problems:
        problems += _without_column(plan, works)
    if problems:
        raise ConfigError(problems)
    return plan, works


def finished(plan: StudyPlan, works: list[Work], runs: Runs) -> Study:
    """Run what is not there, and say what was found."""
    answers = answer(plan, works, runs)
    each = {work.cell.scenario: work for work in reversed(works)}
    by_scenario = {name: _said(each[name].scenario()) for name in plan.keys.scenarios}
    info = by_scenario[plan.keys.scenarios[0]] | {"runs": len(works), "scenarios": list(plan.keys.scenarios),
            "branches": len(plan.leaves), "by_scenario": by_scenario, "study": plan.file, "files": _files(works)}  # fmt: skip
    rank = rank_of(plan, answers.measures)
    return Study(plan.name, plan.keys.title, plan.keys.question, plan.cells, plan.references, answers.measures, rank,
                 answers.found, answers.rankings, answers.held, answers.spreads, info)  # fmt: skip


def _files(works: list[Work]) -> dict[str, dict[str, str]]:
    """By cell and branch the digest that a run's result is called by."""
    files: dict[str, dict[str, str]] = {}
    for work in works:
        files.setdefault(work.cell.name, {})[work.leaf.name] = work.digest
    return files


def _said(scenario: Scenario) -> dict[str, int]:
    """What all runs of a scenario have alike."""
    steps, described = scenario.settings.steps, scenario.description
    coarser = {"file_steps": described.file_steps} if steps < described.file_steps else {}
    return {"paths": described.paths, "seed": described.seed, "steps": steps, **coarser}


def _without_column(plan: StudyPlan, works: list[Work]) -> list[Problem]:
    """Measures of what a scenario's results do not have, found from the shapes of what a path returns; nothing is simulated."""
    import equinox as eqx
    import jax.numpy as jnp

    from ..cascade import prepare
    from ..risk.sample import Column, known_column

    problems: list[Problem] = []
    texts = list(dict.fromkeys([*plan.keys.measures, *([plan.keys.rank] if plan.keys.rank else [])]))
    for name, cell in plan.references.items():
        scenario = next(work for work in works if work.cell.name == cell).scenario()
        prepared = eqx.filter_eval_shape(lambda s: prepare(s, jnp.float32), scenario.bare())
        for text in texts:
            try:
                known_column(prepared, Column.of(scenario, Measure.of(text).observable))
            except ValueError as error:
                problems.append(Problem(plan.file, "measures", None, f'"{text}" of {name}: {error}'))
    return problems


__all__ = ["BRANCHES", "PICTURE", "RECORD", "TABLE", "Study", "finished", "planned", "study"]

"""The cells of a study: every place of its grid, every one listed, every point of its Latin hypercube, in every branch."""

import itertools
import math
from collections import Counter
from typing import Any, NamedTuple

from ..problems import Report, nearest
from .study_tables import Sample, Settings, StudyFile, worded


class Cell(NamedTuple):
    """One place of a study.

    **Fields:** `name`: what it is called; `scenario`: of which scenario; `settings`: what is set in it beside what is set
    everywhere; `axes`: its place on each axis, what it is called there by the axis's name.
    """

    name: str
    scenario: str
    settings: Settings
    axes: dict[str, str]


class Leaf(NamedTuple):
    """One end of the tree of branches: `names` by group, the product of their `weights`, and what they set."""

    names: dict[str, str]
    weight: float
    settings: Settings

    @property
    def name(self) -> str:
        """What it is called."""
        return ", ".join(f"{group}: {name}" if group else name for group, name in self.names.items())


def count_of(keys: StudyFile) -> int:
    """How many cells there are, branches included: found without making them."""
    grid = math.prod(len(axis.places) for axis in keys.grid) if keys.grid else 0
    drawn = keys.sample.cells if keys.sample else 0
    groups = [sum(one.group == group for one in keys.branches) for group in dict.fromkeys(one.group for one in keys.branches)]
    return max(1, len(keys.scenarios)) * (grid + len(keys.cells) + drawn) * math.prod(groups)


def cells_of(keys: StudyFile, report: Report) -> list[Cell]:
    """Every cell, by scenario, then as written; two of one name, and none at all, are noted."""
    single: list[tuple[str, Settings, dict[str, str]]] = []
    if keys.grid:
        for places in itertools.product(*(axis.places for axis in keys.grid)):
            settings = {key: value for _, settings in places for key, value in settings.items()}
            axes = {axis.name: label for axis, (label, _) in zip(keys.grid, places, strict=True)}
            single.append((", ".join(label for label, _ in places), settings, axes))
    single += [(one.name, one.settings, {}) for one in keys.cells]
    single += _drawn(keys.sample) if keys.sample else []
    if not single and not report.problems:
        report.add("grid", None, "missing; a study needs [[grid]], [[cells]] or [sample]", missing=True)
    counts = Counter(name for name, _, _ in single)
    for name in (one for one, count in counts.items() if count > 1):
        report.add("cells", None, f'two cells are called "{name}"; names have to differ', missing=True)
    several = len(keys.scenarios) > 1
    return [
        Cell(f"{scenario}: {name}" if several else name, scenario, settings, axes)
        for scenario in keys.scenarios
        for name, settings, axes in single
    ]


def leaves_of(keys: StudyFile) -> list[Leaf]:
    """Every end of the tree of branches, one where there are none."""
    groups = [[one for one in keys.branches if one.group == group] for group in dict.fromkeys(b.group for b in keys.branches)]
    leaves = []
    for path in itertools.product(*groups):
        settings = {key: value for one in path for key, value in one.settings.items()}
        leaves.append(Leaf({one.group: one.name for one in path}, float(math.prod(one.weight for one in path)), settings))
    return leaves


def reference_of(keys: StudyFile, cells: list[Cell], report: Report) -> dict[str, str]:
    """The name of the cell of each scenario that the others are compared with: the first where none is named."""
    found: dict[str, str] = {}
    whole = not any(one.key.split(".")[0] in ("grid", "cells", "sample") for one in report.problems)
    for scenario in keys.scenarios:
        mine = [cell for cell in cells if cell.scenario == scenario]
        meant = mine[:1] if keys.reference is None else [cell for cell in mine if _is_meant(cell, keys.reference)]
        if len(meant) == 1:
            found[scenario] = meant[0].name
        elif mine and whole:
            _no_reference(keys.reference, mine, len(meant), report)
    return found


def _is_meant(cell: Cell, reference: str | Settings) -> bool:
    if isinstance(reference, str):
        return reference in (cell.name, cell.name.removeprefix(f"{cell.scenario}: "))
    same = lambda key, value: cell.axes.get(key) == worded(value) or (key in cell.settings and cell.settings[key] == value)
    return all(same(key, value) for key, value in reference.items())


def _no_reference(reference: Any, cells: list[Cell], count: int, report: Report) -> None:
    names = [cell.name for cell in cells]
    shown = ", ".join(f'"{name}"' for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    text = f"means {count} cells, and one is needed" if count else "is no cell"
    report.add("reference", reference, f"{text}; the cells are {shown}", nearest(reference, names))


def _drawn(draws: Sample) -> list[tuple[str, Settings, dict[str, str]]]:
    """Points of a Latin hypercube."""
    import numpy as np
    from scipy.stats import qmc  # here: a second that other studies should not wait for

    unit = qmc.LatinHypercube(len(draws.ranges), rng=np.random.default_rng(draws.seed)).random(draws.cells)
    points = []
    for place, row in enumerate(unit):
        settings: Settings = {}
        for share, (name, (low, high)) in zip(row.tolist(), draws.ranges.items(), strict=True):
            # six digits, which is what is shown: a cell can be written down and run again
            value = low * (high / low) ** share if name in draws.log else low + (high - low) * share
            settings[name] = float(f"{value:.6g}")
        points.append((f"draw {place + 1}", settings, {}))
    return points


__all__ = ["Cell", "Leaf", "cells_of", "count_of", "leaves_of", "reference_of"]

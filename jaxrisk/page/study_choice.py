"""What a reader of a study's page may choose: a setting, a measure and a branch, with the distributions behind them."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..problems import counted
from ..report.result import Result
from ..report.study_table import observable_in_words, unit_of, unit_of_observable
from . import charts, fixed
from .assumptions import head_of
from .study_numbers import short
from .words import APART, FEW, SAME, VERDICTS, Size, change_in_words, estimate_in_words, probability_in_words, verdict

POINTS = 40
"""Losses at which a distribution is shown."""
MOST_NUMBERS = 150_000
"""Of all distributions of a page: beyond, fewer losses each, and no branches of their own."""
LEAST_POINTS = 10


_STAND_IN = [{"series": name, "level": 0.0, "value": 1.0, "low": 1.0, "high": 1.0} for name in ("a", "b")]
"""Rows that the program puts others in place of."""


class Cells:
    """Results of a study's runs, as far as they are in its folder."""

    def __init__(self, study: Any, folder: Path):
        self.study, self.folder = study, Path(folder)
        self._loaded: dict[str, Result] = {}
        self._gone: set[str] = set()
        self.files: dict[str, dict[str, str]] = study.info.get("files") or {}

    def missing(self) -> list[str]:
        """What was asked for until now and is not there, a line each."""
        lines = []
        if not self.files:
            lines.append("The study's record is of an earlier version, which does not say which file is which setting's: the "
                         "distributions are not shown. The same study command writes it anew without running again.")  # fmt: skip
        if self._gone:
            runs = counted(len(self._gone), "run's result is", "runs' results are")
            lines.append(f"{runs} not in the study's folder, or damaged: the distributions of these settings are not shown.")
        return lines

    def of(self, cell: str, branch: str) -> Result | None:
        """The result of a cell in a branch, None where it is not there."""
        from ..studies.study_run import CELLS

        digest = self.files.get(cell, {}).get(branch)
        if digest is None or not digest.isalnum():
            return None
        if digest not in self._loaded:
            try:
                self._loaded[digest] = Result.load(self.folder / CELLS / f"{digest}.nc")
            except (OSError, ValueError):
                self._gone.add(digest)
                return None
        return self._loaded[digest]

    def reference(self) -> Result | None:
        """The result of the first reference cell, in its first branch."""
        name = next(iter(self.study.reference.values()))
        return self.of(name, next(iter(self.files.get(name, {})), ""))

    def text(self) -> str:
        """The effective configuration of the reference."""
        result = self.reference()
        return "" if result is None else str(result.info.get("scenario_toml", ""))

    def horizon_words(self) -> str:
        """What is simulated."""
        result = self.reference()
        return fixed.horizon_words(None if result is None else result.info)

    def shipped_study(self) -> bool:
        """Whether the study is one of those that ship."""
        from ..paths import shipped

        path = Path(str(self.study.info.get("study", "")))
        return ((shipped() / "studies" / f"{path.stem}.toml").is_file() and shipped() in path.absolute().parents) or path == Path(
            path.stem
        )

    def study_head(self) -> tuple[list[str], list[str]]:
        """What the study's file says at its top, and what it sets everywhere."""
        from ..paths import NotFound, find
        from ..toml import read_toml

        try:
            path = find("studies", str(self.study.info.get("study", "")))
        except (NotFound, OSError, ValueError):
            return [], []
        document, _ = read_toml(path)
        settings = (document or {}).get("set", {})
        return head_of(path), [f"{key} = {_short(value)}" for key, value in settings.items()] if isinstance(
            settings, dict
        ) else []


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 160 else f"{text[:150]} ..."


def choice(study: Any, cells: Cells, ahead: list[Any]) -> dict[str, Any]:
    """The page's data: settings, measures (`ahead`, those of the first screen, first), branches, what was found of each, and the
    curves of probabilities of a larger loss."""
    branches = ["", *dict.fromkeys(one.branch for one in study.found if one.branch)]
    found = {}
    for one in study.found:
        base = study.of(study.reference[one.cell.scenario], one.measure, one.branch) if one.difference is not None else one
        found[f"{one.cell.name}|{one.branch}|{one.measure}"] = _told(one, base)
    measures = []
    for one in [*ahead, *(one for one in study.measures if one not in ahead)]:
        observable = one.observable
        measures.append({"key": str(one), "label": _label(one), "observable": observable})
    curves, levels, factors = _curves(study, cells, branches)
    return {
        "kind": "study",
        "cells": [cell.name for cell in study.cells],
        "reference": {cell.name: study.reference[cell.scenario] for cell in study.cells},
        "measures": measures, "branches": branches, "found": found, "levels": levels, "curves": curves, "titles": factors,
        "spec": charts.curves(_STAND_IN, ""),
    }  # fmt: skip


def _label(measure: Any) -> str:
    text = short(measure)
    return text[:1].upper() + text[1:]


def _told(one: Any, base: Any) -> dict[str, Any]:
    """A measure of a cell, for the program: numbers as stored, and words."""
    if one.estimate is None:
        words = VERDICTS[FEW] if one.difference is not None else ""
        return {
            "value": None,
            "text": one.note or "too few paths",
            "verdict": FEW,
            "words": words,
            "change": "",
            "difference": None,
        }
    size = Size.of(
        unit_of(one.measure), max(abs(float(one.estimate.value)), abs(float(base.estimate.value)) if base.estimate else 0.0)
    )
    kind = verdict(one.difference)
    change = "" if one.difference is None else change_in_words(one.difference, size)
    if kind in (APART, SAME):  # else it is words
        change = f"{change} {size.change()}".strip()
    share = one.measure.statistic == "exceedance_probability"
    text = probability_in_words(one.estimate, one.estimate.paths) if share else estimate_in_words(one.estimate, size)
    return {
        "value": float(one.estimate.value), "text": text, "verdict": kind,
        "words": VERDICTS[kind], "change": change, "difference": None if one.difference is None else float(one.difference.value),
    }  # fmt: skip


def _curves(study: Any, cells: Cells, branches: list[str]) -> tuple[dict, dict, dict]:
    """By `cell|branch|observable` probabilities with both ends of their interval, the losses by observable, and axis titles."""
    observables = list(dict.fromkeys(one.observable for one in study.measures))
    curves: dict[str, list[list[float]]] = {}
    levels: dict[str, list[float]] = {}
    titles: dict[str, str] = {}
    many = len(study.cells) * len(observables)
    if not cells.files or not many:
        return curves, levels, titles
    points = int(min(POINTS, max(LEAST_POINTS, MOST_NUMBERS / (3 * many))))
    each = branches if len(branches) < 2 or 3 * points * many * len(branches) <= MOST_NUMBERS else [""]
    for observable in observables:
        at = _levels(cells, observable, points)
        if at is None:
            continue
        unit = unit_of_observable(observable)
        size = Size.of(unit, float(np.abs(at).max()))
        levels[observable] = [float(f"{x * size.factor:.5g}") for x in at]
        titles[observable] = _axis(observable, size)
        for cell in study.cells:
            whole: list[tuple[float, np.ndarray]] = []
            for branch in cells.files.get(cell.name, {}):
                result = cells.of(cell.name, branch)
                if result is None or observable.partition("[")[0] not in result.losses:
                    continue
                curve = result.exceedance_probability(observable, at)
                rows = np.stack([curve.value, curve.low, curve.high])
                whole.append((_weight(study, cell.name, branch), rows))
                if branch and branch in each:
                    curves[f"{cell.name}|{branch}|{observable}"] = _rounded(rows)
            if whole and len(whole) == len(cells.files.get(cell.name, {})):
                total = math.fsum(weight for weight, _ in whole)
                curves[f"{cell.name}||{observable}"] = _rounded(sum(weight / total * rows for weight, rows in whole))
    return curves, levels, titles


def _axis(observable: str, size: Size) -> str:
    text = observable_in_words(observable).replace(" [*]", "")
    return f"{text}, {size.name}" if size.name not in ("", "accounts") else text


def _weight(study: Any, cell: str, branch: str) -> float:
    for one in study.found:
        if one.cell.name == cell and one.branch == branch:
            return one.weight
    return 1.0


def _levels(cells: Cells, observable: str, points: int) -> np.ndarray | None:
    """Losses at which all settings are read: evenly out to the largest of any, and by the probabilities of the first and of the
    one that loses most."""
    worst, first, ends = None, None, []
    for cell, files in cells.files.items():
        for branch in files:
            result = cells.of(cell, branch)
            if result is None or observable.partition("[")[0] not in result.losses:
                continue
            values = np.asarray(result.column(observable), np.float64)
            if cell == next(iter(cells.study.reference.values())) and first is None:
                first = np.sort(values)
            if not ends or values.max() > ends[1]:
                worst = np.sort(values)
            ends = [min([*ends[:1], float(values.min())]), max([*ends[1:], float(values.max())])]
    if worst is None:
        return None
    seen = []
    for values in (worst,) if first is None else (worst, first):
        shares = np.geomspace(1.0 / len(values), 1.0, points // (2 if first is None else 4))
        seen.append(values[np.clip((len(values) * (1.0 - shares)).astype(int), 0, len(values) - 1)])
    even = np.linspace(min(0.0, ends[0]), ends[1], max(points - sum(map(len, seen)), 2))
    return np.unique(np.concatenate([*seen, even]))


def _rounded(rows: np.ndarray) -> list[list[float]]:
    return [[float(f"{x:.4g}") for x in row] for row in np.asarray(rows).tolist()]


__all__ = ["Cells", "choice"]

"""The runs of a study: each a result in the study's folder, found there again by what it is a result of."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..batch import simulate_many
from ..cascade.together import MOST
from ..report import Result
from ..scenario import Scenario
from .study_plan import Work, digest_of

CELLS = "cells"
"""The folder, within a study's own, of the results of its runs."""
GUESS = {"ladder": 25e-9, "flow": 120e-9, "account": 1.2e-6}
"""Seconds a path-step, venue and asset, by book: a guess for two cores, until the first run has been timed."""
BACKSTOP = 6.0
"""By what factor a step takes longer where somebody pays for bankrupt positions, likewise."""
COMPILE = 15.0
"""Seconds that the first run of a study takes longer, about."""

Progress = Callable[[int, int], None]
Said = Callable[[str], None]


class Runs:
    """Runs and finds again the results of a study's runs.

    **Arguments:** `works`: what there is to be run; `folder`: where results are kept, None to keep them in memory; `progress`:
    called with paths done and paths in all; `said`: called with a line on the runs that have been finished together; `executor`:
    who runs them, None for this process.
    """

    def __init__(
        self, works: Iterable[Work], folder: Path | None, progress: Progress | None = None, said: Said | None = None,
        executor: Any = None,
    ):  # fmt: skip
        self.works, self.folder, self.executor = list(works), folder, executor
        self._progress, self._said = progress, said
        self._kept: dict[str, Result] = {}
        unique = {work.digest: work for work in self.works}
        self.total = sum(_paths(work) for work in unique.values())
        self.finished = [digest for digest, work in unique.items() if self._found(work) is not None]
        self.left = {digest: work for digest, work in unique.items() if digest not in self.finished}
        self.done = self.total - sum(map(_paths, self.left.values()))
        self._seconds: list[float] = []
        self.ran = 0

    def estimate(self) -> float:
        """Seconds that what is left may take, a guess by the number of path-steps."""
        return sum(map(_guess, self.left.values())) + (COMPILE if self.left else 0.0)

    def path(self, digest: str) -> Path | None:
        """Where a run's result is, or will be."""
        return None if self.folder is None else self.folder / CELLS / f"{digest}.nc"

    def result(self, work: Work) -> Result:
        """A run's result: found, or run now.

        **Raises:** as `simulate`.
        """
        found = self._found(work)
        return self._run(work) if found is None else found

    def _found(self, work: Work) -> Result | None:
        """The finished result that has this run's digest; one that was cut short, or is of something else, is none."""
        path = self.path(work.digest)
        if path is None:
            return self._kept.get(work.digest)
        if not path.is_file():
            return None
        try:
            result = Result.load(path)
            same = digest_of(str(result.info.get("scenario_toml", ""))) == work.digest
        except (OSError, ValueError):
            return None
        return result if same and result.paths == result.planned == _paths(work) else None

    def _run(self, work: Work) -> Result:
        """Run what is left of the same scenario from this run on, as many as share their noise at a time."""
        alike = [one for one in self.left.values() if one.cell.scenario == work.cell.scenario]
        alike = alike if work.digest in self.left else [work]  # what was there is gone
        first = next(place for place, one in enumerate(alike) if one.digest == work.digest)
        begin = max(0, min(first, len(alike) - MOST))
        group = alike[begin : begin + MOST]
        paths = [self.path(one.digest) for one in group]
        begun, before = time.perf_counter(), self.done
        results = simulate_many([one.scenario() for one in group], sample_paths=0, out=paths, executor=self.executor,
                                progress=lambda done, _: self._tell(before + done))  # fmt: skip
        seconds = time.perf_counter() - begun
        for one, result in zip(group, results, strict=True):
            self._seconds.append(seconds / len(group))
            self.ran += 1
            self.done += result.paths
            self._kept |= {} if self.folder is not None else {one.digest: _slim(result)}
            self.left.pop(one.digest, None)
        self._finished(group, seconds)
        return results[first - begin]

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            # never all: what is in the last paths' way to the disk may be interrupted too
            self._progress(min(done, self.total - 1), self.total)

    def _finished(self, group: list[Work], seconds: float) -> None:
        if self._said is None:
            return
        named = lambda work: work.cell.name + (f", {work.leaf.name}" if work.leaf.name else "")
        whose = named(group[0]) + (f" to {named(group[-1])}, together" if len(group) > 1 else "")
        later = self._seconds[len(group) :] or self._seconds  # the first compiled
        left = f"about {words(sum(later) / len(later) * len(self.left))} left" if self.left else "the last"
        number = len(self.finished) + self.ran
        self._said(f"{number:,} of {number + len(self.left):,}: {whose}: {words(seconds)}; {left}")


def words(seconds: float) -> str:
    """A duration that one can read.

    >>> words(3.2), words(75.0), words(7300.0)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 10.0:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _paths(work: Work) -> int:
    return int(work.prepared.checked.run.paths)


def _guess(work: Work) -> float:
    from ..scenario import coordinates

    scenario: Scenario = work.prepared.scenario()
    labels = coordinates(scenario)
    places = len(labels["venues"]) * len(labels["assets"])
    whole = BACKSTOP if scenario.venues.backstop is not None and scenario.book == "ladder" else 1.0
    return GUESS[scenario.book] * whole * places * scenario.settings.steps * scenario.settings.rounds * _paths(work)


def _slim(result: Result) -> Result:
    """Without curves, for what is kept in memory."""
    losses = {name: np.asarray(result.losses[name]) for name in result.losses}
    return Result(losses, result.dims, result.coords, info=result.info)


__all__ = ["CELLS", "Runs", "words"]

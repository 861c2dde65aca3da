"""What is asked of a scenario on the command line, read and checked: every problem one line, before anything is computed."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..config import Problem
from ..paths import recorded
from ..problems import nearest, written
from .progress import unwritable

MOST_PATHS = 2**32
_LONG = 300  # characters of a name beyond which its middle is left out
_FEW = 1_000  # paths beyond a level above which no measure lacks paths
PLOTS = (".png", ".svg", ".pdf")
_SHARES = ("max_drawdown", "open_interest_loss_fraction", "support_overshoot")
"""Observables that lie between 0 and 1, or names that they begin with."""


class Asked:
    """Reads options and collects what is wrong with them; `scenario` is None where it is itself in error."""

    def __init__(self, problems: Sequence[Any]):
        self.problems: list[Any] = list(problems)
        self.inputs = recorded()
        self.scenario: Any = None

    def prepared(self, name: str, overrides: Any) -> Any:
        """A scenario's file read and checked, None where it is wrong."""
        from ..config import ConfigError, prepare

        try:
            return prepare(name, overrides)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def wrong(self, option: str, value: Any, allowed: str, near: str | None = None) -> None:
        """Note a problem with an option."""
        text = None if value is None else written(value)
        self.problems.append(Problem("command line", option, text, allowed, near))

    def number(self, option: str, text: str | None, low: float, high: float, allowed: str) -> Any:
        """A number strictly between two, None where it is missing or wrong."""
        if text is None:
            self.wrong(option, None, f"missing; {allowed}")
            return None
        value = _number(text)
        if value is None or not low < value < high:
            self.wrong(option, _plain(text), allowed)
            return None
        return value

    def count(self, option: str, text: str | None, least: int) -> int | None:
        """A whole number, None where it is not given or wrong."""
        if text is None:
            return None
        value = _number(text)
        if value is None or not value.is_integer() or not least <= value <= MOST_PATHS:
            self.wrong(option, _plain(text), f"has to be a whole number from {least:,} on")
            return None
        return int(value)

    def choice(self, option: str, text: str, known: Sequence[str]) -> str:
        """A word out of some."""
        if text not in known:
            self.wrong(option, text, f"has to be one of {', '.join(known)}", nearest(text, known))
        return text

    def file(
        self, option: str, path: Path | None, endings: Sequence[str], force: bool, ours: Callable[[Path], bool] | None = None
    ) -> None:
        """Where something is to be written; asked for when everything is read that the command reads, which is not replaced.

        **Arguments:** `ours`: whether a file that is there is one that we wrote, where its content does not tell.
        """
        if path is None:
            return
        if path.suffix.lower() not in endings:
            self.wrong(option, _short(str(path)), f"has to end in {' or '.join(endings)}")
        elif problem := unwritable(path, force, option, self.inputs, ours=ours):
            self.problems.append(Problem(_short(str(path)), "", None, problem))

    def result(self, path: Path, force: bool) -> None:
        """Where a run's result is to be written while it goes on: no other run may be writing there."""
        from ..storage.outputs import PARTIAL
        from ..storage.place import writable
        from ..storage.remote import is_remote, place_of
        from ..storage.store_place import is_store

        if is_store(path):
            self._store(path, force)
            return
        if is_remote(path):
            self.wrong("--out", _short(str(place_of(path))), "has to end in .zarr: what goes to an object store is a store")
            return
        self._place(path, unwritable(path, force, "--out", self.inputs, PARTIAL), writable)

    def _store(self, path: Path, force: bool) -> None:
        from ..storage.remote import is_remote, place_of
        from ..storage.store_place import check_place

        # a store that is there is continued, or refused when it is known what is to be run
        there = is_remote(path) or path.is_dir()
        self._place(
            path, None if there else unwritable(path, force, "--out", self.inputs), lambda out: check_place(place_of(out))
        )

    def _place(self, path: Path, problem: str | None, taken: Callable[[Path], Any]) -> None:
        """Note a problem, or what `taken` says of the place in words or the system does."""
        from ..storage.durable import OutputError

        try:
            if problem is None:
                taken(path)
        except OutputError as error:
            self.problems.append(str(error))
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
        if problem is not None:
            self.problems.append(Problem(_short(str(path)), "", None, problem))

    def executor(self, name: str | None, workers: str | None, scheduler: str | None, out: Path | None) -> int | None:
        """Who runs the chunks; the number of workers, None where it is not given or wrong."""
        from ..storage.store_place import is_store

        if name is not None:
            self.choice("--executor", name, ("processes", "dask"))
        if workers is not None and name is None:
            self.wrong("--workers", workers, "goes with --executor processes or dask")
        if scheduler is not None and name != "dask":
            self.wrong("--scheduler", scheduler, "goes with --executor dask")
        if name == "dask" and out is not None and not is_store(out):
            self.wrong("--out", str(out), "has to end in .zarr with --executor dask: workers write to a store themselves")
        return self.count("--workers", workers, 1)

    def apart(self, out: Path | None, plot: Path | None) -> None:
        """That two outputs are two files."""
        if out is not None and plot is not None and (out.absolute() == plot.absolute() or _one_file(out, plot)):
            self.wrong("--plot", str(plot), "is the file that --out names")

    def measure(self, text: str) -> Any:
        """A measure, None where it is wrong."""
        from ..risk.measure import Measure

        try:
            return Measure.of(text)
        except ValueError as error:
            for line in str(error).splitlines():
                self.wrong("--measure", text, line.partition('": ')[2])  # the error names the measure first
            return None

    def level(self, text: str | None, observable: str) -> Any:
        """A level of an observable."""
        if observable.partition("[")[0].startswith(_SHARES):
            return self.number("--level", text, 0.0, 1.0, "has to lie strictly between 0 and 1: 0.15 is 15%")
        return self.number("--level", text, -math.inf, math.inf, "has to be a number, in the observable's unit")

    def budget(self, text: str | None, measure: Any) -> Any:
        """The most that a measure may be."""
        if measure is None:
            return self.number("--budget", text, -math.inf, math.inf, "has to be a number, in the measure's unit")
        if measure.statistic == "exceedance_probability" or measure.observable.startswith(_SHARES):
            return self.number("--budget", text, 0.0, 1.0, "has to lie strictly between 0 and 1: 0.08 is 8%")
        if self.scenario is not None and measure.never_negative(self.scenario.book):
            return self.number(
                "--budget", text, -math.ulp(0.0), math.inf, f"has to be a number of at least 0: {measure} is never negative"
            )
        return self.number("--budget", text, -math.inf, math.inf, "has to be a number, in the measure's unit")

    def lines(self, option: str, error: ValueError) -> None:
        """What an error says, a problem a line."""
        self.problems += [Problem("command line", option, None, line) for line in str(error).splitlines()]

    def known(self, option: str, observable: str | None) -> None:
        """Whether the scenario has an observable, found from the shapes of what a path returns; nothing is simulated."""
        if self.scenario is None or observable is None:
            return
        import equinox as eqx
        import jax.numpy as jnp

        from ..cascade import prepare
        from ..risk.sample import Column, known_column

        # of abstract values: nothing is compiled, which is most of the time
        prepared = eqx.filter_eval_shape(lambda s: prepare(s, jnp.float32), self.scenario.bare())
        try:
            known_column(prepared, Column.of(self.scenario, observable))
        except ValueError as error:
            self.lines(option, error)

    def enough_paths(self, measure: Any, derivative: bool = False) -> None:
        """Whether the scenario's run is large enough for a measure, or its derivative too: that depends on ranks alone."""
        if self.scenario is None or measure is None:
            return
        import numpy as np

        from ..risk import TooFewPathsError
        from ..risk.sample import Column, Sample
        from ..risk.slopes.gradients import looked_at

        paths = self.scenario.description.paths
        beyond = min(measure.level, 1.0 - measure.level) * paths
        if measure.statistic in ("mean", "exceedance_probability") or beyond > _FEW:
            return
        ranks, needed = np.arange(paths, dtype=np.float64), 0
        sample = Sample(None, Column("", ()), 0, 0, ranks, ranks)
        checks = [lambda: measure.estimate(ranks)] + [lambda: looked_at(sample, measure)] * derivative
        for check in checks:
            try:
                check()
            except TooFewPathsError as error:
                needed = max(needed, error.needed)
        if needed:
            text = f"too few for {measure}: at least {needed:,} are needed"
            self.problems.append(Problem("command line", "--paths", f"{paths}", text))

    def named(self, option: str, names: Sequence[str]) -> list[Any]:
        """The parameters that names mean."""
        from ..parameter import named

        try:
            return [] if self.scenario is None else named(self.scenario, list(names))
        except ValueError as error:
            self.lines(option, error)
            return []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plain(text: str) -> Any:
    """Numbers without quotes."""
    value = _number(text)
    return text if value is None or not math.isfinite(value) else int(value) if text.strip().lstrip("+-").isdigit() else value


def _short(text: str) -> str:
    """A name as it is told: its ends where it is very long."""
    return text if len(text) <= _LONG else f"{text[:80]}...{text[-80:]}"


def _one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False


def folder_of(path: Path) -> None:
    """Make the folder that a file goes to; objects need none."""
    from ..storage.remote import is_remote

    if is_remote(path):
        return
    os.makedirs(path.absolute().parent, exist_ok=True)


__all__ = ["PLOTS", "Asked", "folder_of"]

"""From a study to the runs that it takes: each a scenario that is checked, and a digest that its result is found again by."""

import contextlib
import functools
import gc
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np

from .._once import made_once, once, same
from ..config import Prepared, prepare
from ..config.effective import comments
from ..config.tables.values import number
from ..parameter import moved, named, parameters
from ..paths import NotFound
from ..problems import ConfigError, Problem, nearest, written
from ..scenario import Scenario
from .study_cells import Cell, Leaf
from .study_digest import digest_of as digest_of_document, shape_of
from .study_file import StudyPlan
from .study_tables import Settings

SET = "# set by the study: "


@dataclass(frozen=True)
class Work:
    """One run of a study: a `cell` at one `leaf` of the tree of branches; `moves`: parameters set by name after the file's keys;
    `text`: the effective configuration, those parameters as comments at its end; `digest`: of what changes numbers in it."""

    cell: Cell
    leaf: Leaf
    prepared: Prepared
    moves: tuple[tuple[str, float], ...]
    digest: str

    @property
    def text(self) -> str:
        return self.prepared.text + "".join(f"{line}\n" for line in _said(self.moves))

    def scenario(self) -> Scenario:
        """What is run."""
        scenario = self.prepared.scenario()
        for name, value in self.moves:
            scenario = set_to(scenario, name, value)
        return scenario.replace(description=replace(scenario.description, source_text=self.text, sample_paths=0))


def works_of(plan: StudyPlan) -> tuple[list[Work], list[Problem]]:
    """Every run of a study, by cell and then by branch, and everything that is wrong with their scenarios."""
    maker = _Maker(plan)
    with once(), _no_collection():
        works = [work for cell in plan.cells for leaf in plan.leaves if (work := maker.work(cell, leaf)) is not None]
    return works, list(dict.fromkeys(maker.problems))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """What a plan is made of stays: to look through all of it for what does not takes a fifth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def set_to(scenario: Scenario, name: str, value: float) -> Scenario:
    """A scenario with all parameters that a name means at a value."""
    meant = named(scenario, name)
    return moved(scenario, meant, np.array([value - one.value for one in meant]))


def digest_of(text: str) -> str:
    """Sixteen letters for an effective configuration: the same where nothing in it differs that changes a number.

    >>> digest_of('name = "a"\\n[run]\\npaths = 10') == digest_of('name = "b"\\n\\n[run]\\npaths = 10')
    True
    """
    said = [line for line in text.splitlines() if line.startswith("#")]
    return digest_of_document(_version(), tomllib.loads(text), said)


def _said(moves: tuple[tuple[str, float], ...]) -> list[str]:
    return [f"{SET}{name} = {value!r}" for name, value in moves]


@functools.cache
def _version() -> str:
    try:
        return metadata.version("jaxrisk")
    except metadata.PackageNotFoundError:
        return ""


class _Maker:
    """Makes runs, and remembers which names are keys of a scenario's file and which are parameters."""

    def __init__(self, plan: StudyPlan):
        self.plan, self.problems = plan, list[Problem]()
        self._by_name: dict[tuple[str, str], bool] = {}

    def work(self, cell: Cell, leaf: Leaf) -> Work | None:
        plan = self.plan
        try:
            file = same(lambda: plan.scenario(cell.scenario), "file", cell.scenario)
        except NotFound:
            return None  # noted already
        placed = lambda given: made_once(lambda: plan.placed(given), given, "placed")
        settings = {**placed(plan.keys.settings), **placed(cell.settings), **placed(leaf.settings)}
        run = {f"run.{name}": value for name, value in plan.run_of(cell.scenario).items()}
        by_name = {key: value for key, value in settings.items() if self._is_parameter(file, key, value, settings)}
        overrides = {key: value for key, value in settings.items() if key not in by_name} | run
        try:
            prepared = made_once(lambda: prepare(file, overrides), tuple(overrides.values()), "prepared", file, *overrides)
        except ConfigError as error:
            self._note(error, settings, run)
            return None
        moves = self._moves(prepared, by_name)
        if moves is None:
            return None
        lines = [*comments(prepared.checked.files)[1:], *_said(moves)]
        return Work(cell, leaf, prepared, moves, digest_of_document(_version(), prepared.whole, lines))

    def _is_parameter(self, file: str, key: str, value: Any, settings: Settings) -> bool:
        """Whether a name means numbers of the scenario that `jaxrisk parameters` lists, and no key of its file."""
        if set(key) & set("[*?"):
            return True
        if (file, key) not in self._by_name:
            self._by_name[file, key] = self._only_parameter(file, key, value, settings)
        return self._by_name[file, key]

    def _only_parameter(self, file: str, key: str, value: Any, settings: Settings) -> bool:
        others = {name: one for name, one in settings.items() if name != key and not set(name) & set("[*?")}
        if not number(value) or not _strange(file, {**others, key: value}, key):
            return False
        try:
            base = prepare(file, _without_strange(file, others)).scenario()
        except ConfigError:
            return True  # the rest is in error itself, which is said; this cannot be judged before
        try:
            return bool(named(base, key))
        except ValueError:
            return False

    def _moves(self, prepared: Prepared, by_name: Settings) -> tuple[tuple[str, float], ...] | None:
        """Parameters and what they are set to; None with problems noted."""
        if not by_name:
            return ()
        shape = made_once(lambda: shape_of(prepared.whole, prepared.checked.files), prepared, "shape")
        fine = True
        for name, value in by_name.items():
            try:
                # of numbers only those of venues, whose tiers have an order, matter to which parameters there are
                meant = same(lambda name=name: named(prepared.scenario(), name), "named", name, shape)
            except ValueError as error:
                scenario = prepared.scenario()
                self._add(name, value, str(error).partition(": ")[0], nearest(name, [one.name for one in parameters(scenario)]))
                fine = False
                continue
            low, high = max(one.low for one in meant), min(one.high for one in meant)
            if not number(value) or not low <= value <= high:
                ends = f" to {high:g}" if math.isfinite(high) else " on"
                self._add(name, value, f"has to be a number from {low:g}{ends}")
                fine = False
        return tuple((name, float(value)) for name, value in by_name.items()) if fine else None

    def _note(self, error: ConfigError, settings: Settings, run: Settings) -> None:
        """What is wrong with a scenario, said of the study's file where it is the study that set it."""
        names = [*settings, *run]
        for one in error.problems:
            key = next((name for name in names if _touches(one.key, name)), None)
            if key is None:
                self.problems.append(one)
                continue
            value = settings.get(key, run.get(key))
            strange = one.allowed.startswith("unknown key")
            known = f"{key.rpartition('.')[0]}.{one.nearest}" if strange and one.nearest and one.key == key else one.nearest
            if strange and one.nearest is None:
                known = self._likely(key)
            exact = one.key == key or strange
            where = key if exact else f"{key} ({one.key})"
            self._add(where, value, one.allowed, known, written_as=None if exact else one.value)

    def _likely(self, key: str) -> str | None:
        """The parameter that is spelt most like a name, of the study's first scenario."""
        try:
            base = prepare(self.plan.scenario(self.plan.keys.scenarios[0]))
        except (ConfigError, NotFound, IndexError):
            return None
        return nearest(key, [one.name for one in parameters(base.scenario())])

    def _add(self, key: str, value: Any, allowed: str, near: str | None = None, written_as: str | None = None) -> None:
        key = f"{key}" if key.startswith("run.") else f'"{key}"'
        self.problems.append(Problem(self.plan.file, key, written_as or written(value), allowed, near))


def _touches(key: str, name: str) -> bool:
    """Whether a problem's key is a setting, or below or above it."""
    return bool(key) and (key == name or key.startswith(f"{name}.") or name.startswith(f"{key}."))


def _strange(file: str, settings: Settings, key: str) -> bool:
    """Whether the scenario's file cannot have such a key."""
    try:
        prepare(file, settings)
    except ConfigError as error:
        return any(_touches(one.key, key) for one in error.problems)
    return False


def _without_strange(file: str, settings: Settings) -> Settings:
    """The settings that are keys of the scenario's file."""
    return {key: value for key, value in settings.items() if not _strange(file, settings, key)}


__all__ = ["Work", "digest_of", "set_to", "works_of"]

"""A run kept for what is done to it afterwards: its losses in one column, and any of its paths again."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..cascade import path_losses, prepare, seed_key
from ..cascade.blocks import block_size, chunks, losses_of
from ..observables import DIMS, column
from ..parameter import Parameter, moved
from ..positions import enough_nodes
from ..scenario import Scenario, coordinates

CHUNK_BLOCKS = 8


@dataclass(frozen=True)
class Column:
    """One number a path out of all losses; static, so that it can go into a compiled program.

    Two columns are the same to a program where they are at one place, whatever its axes' entries are called: `place` is the
    address with numbers for labels, None where there is no such column.
    """

    name: str = field(compare=False)
    coords: tuple[tuple[str, tuple[str, ...]], ...] = field(compare=False)
    place: str | None = None

    @classmethod
    def of(cls, scenario: Scenario, name: str) -> "Column":
        """The column that a scenario's results have under this address."""
        coords = coordinates(scenario)
        return cls(name, tuple((axis, tuple(labels)) for axis, labels in coords.items()), _place(name, coords))

    @property
    def base(self) -> str:
        """The observable."""
        return self.name.split("[")[0].strip()

    def __call__(self, losses: dict[str, Any]) -> Any:
        """The numbers, shape `(paths,)`; raises `ValueError` for an unknown name or label."""
        known = {self.base: losses[self.base]} if self.base in losses else losses
        if self.place is not None:
            return column(known, DIMS, {}, self.place)
        return column(known, DIMS, dict(self.coords), self.name)


def _place(name: str, coords: dict[str, list[str]]) -> str | None:
    """An address with its labels' numbers for them; None where it is not of an observable that is known, on all of its axes."""
    match = re.fullmatch(r"([^\[\]]+)\[(.*)\]", name.strip())
    base = match[1].strip() if match else name.strip()
    labels = [label.strip() for label in match[2].split(",")] if match and match[2] else []
    axes = DIMS.get(base, ())
    if len(labels) != len(axes) or any(label not in ("*", *coords[axis]) for axis, label in zip(axes, labels, strict=True)):
        return None
    numbers = [label if label == "*" else str(coords[axis].index(label)) for axis, label in zip(axes, labels, strict=True)]
    return f"{base}[{','.join(numbers)}]" if numbers else base


class Sample(NamedTuple):
    """A run of `len(losses)` paths from `first_path` on.

    `losses`: the column, float64, shape `(paths,)`; `lowest`: lowest log price on each path, shape `(paths, assets)`.
    """

    prepared: Any
    column: Column
    seed: int
    first_path: int
    losses: np.ndarray
    lowest: np.ndarray

    def indices(self, which: np.ndarray) -> np.ndarray:
        """Path indices of places in the sample."""
        return (self.first_path + np.asarray(which)).astype(np.uint32)

    def again(self, prepared: Any, which: np.ndarray) -> np.ndarray:
        """The column of some of the paths, under a scenario prepared otherwise: the same random numbers. Float64."""
        return np.asarray(self.column(losses_of(prepared, self.seed, self.indices(which))), np.float64)

    def at(self, scenario: Scenario, parameters: Sequence[Parameter], by: np.ndarray, which: np.ndarray) -> np.ndarray:
        """The column of some of the paths with parameters of their scenario moved: the same random numbers. Float64."""
        return self.again(prepare_lean(moved(scenario, parameters, by), self.prepared.decay.dtype), which)


def draw_sample(
    scenario: Scenario,
    name: str,
    paths: int,
    seed: int,
    first_path: int = 0,
    progress: Callable[[int, int], None] | None = None,
    precision: str | None = None,
) -> Sample:
    """Run a scenario and keep one column. Call inside the precision wanted (`cascade.blocks.numbers`).

    **Raises:** `ValueError` for an unknown column, before anything is run, and where losses are not finite.
    """
    prepared = prepare_lean(scenario, jnp.dtype(precision or scenario.description.precision))
    chosen = Column.of(scenario, name)
    known_column(prepared, chosen)
    parts, lowest, done = [], [], 0
    for losses in chunks(prepared, seed, first_path, paths, CHUNK_BLOCKS * block_size(prepared)):
        parts.append(np.asarray(chosen(losses), np.float64))
        lowest.append(losses["lowest_log_price"])
        done += len(parts[-1])
        if not np.isfinite(parts[-1]).all():
            bad = first_path + done - len(parts[-1]) + int(np.argmin(np.isfinite(parts[-1])))
            raise ValueError(f"{name} is not finite on path {bad}; jaxrisk.simulate says what was not finite there")
        if progress is not None:
            progress(done, paths)
    return Sample(prepared, chosen, seed, first_path, np.concatenate(parts), np.concatenate(lowest))


def prepare_lean(scenario: Scenario, dtype) -> Any:
    """`prepare`, without nodes of distributions that do not differ: the same to rounding, and up to 32 times faster."""
    return prepare(scenario, jnp.dtype(dtype), enough_nodes(scenario.populations.values()))


def known_column(prepared: Any, chosen: Column) -> None:
    """Raise `ValueError` if a scenario's losses have no such column; nothing is run. `prepared`: numbers, or shapes alone."""
    leaves, structure = jax.tree.flatten(prepared)
    chosen({name: np.zeros(shape) for name, shape in _shapes(structure, tuple(map(_kind, leaves)), jax.config.jax_enable_x64)})


def _kind(leaf: Any) -> Any:
    """An array as its shape and type; what else is in a pytree, as it is."""
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if hasattr(leaf, "dtype") else leaf


@lru_cache(maxsize=256)
def _shapes(structure: Any, kinds: tuple, double: bool) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of the losses of one path: tracing it takes a quarter of a second, and studies ask again and again."""
    losses = lambda prepared: path_losses(prepared, seed_key(0), jnp.zeros(1, jnp.uint32))
    found = eqx.filter_eval_shape(losses, jax.tree.unflatten(structure, kinds))
    return tuple((name, shape.shape) for name, shape in found.items())


def top(losses: np.ndarray, share: float) -> np.ndarray:
    """Places of the largest `share` of the losses, largest first."""
    count = min(len(losses), math.ceil(share * len(losses)))
    return np.argsort(-losses, kind="stable")[:count]


__all__ = ["Column", "Sample", "draw_sample", "known_column", "prepare_lean", "top"]

"""Parameters that are entries of one array: how they are read, and how a scenario with some of them moved is made."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..scenario import Scenario

SECOND = 1.0 / (365 * 86400)
UNBOUNDED = math.inf
SHARE = ("1", 0.0, 1.0)


class Group(NamedTuple):
    """Parameters that are entries of one array. `alias` leaves out whose they are (`venues.engine_time`); `places` are their
    indices; `read` gives the array in the parameters' unit, `move(scenario, places, by)` a scenario with some of them moved."""

    name: str
    alias: str
    labels: list[str]
    places: list[tuple[int, ...]]
    unit: str
    low: Any
    high: Any
    pathwise: bool
    read: Callable[[Scenario], Any]
    move: Callable[[Scenario, list[tuple[int, ...]], Any], Scenario]

    def names(self) -> list[str]:
        """Full names, in order."""
        return [f"{self.name}[{label}]" if label else self.name for label in self.labels]


def added(values, places: list[tuple[int, ...]], by):
    """An array with amounts added at some places, in NumPy where all of it is."""
    at = tuple(np.array(axis) for axis in zip(*places, strict=True)) if places[0] else ()
    if isinstance(values, jax.Array) or isinstance(by, jax.Array):
        values = jnp.asarray(values)
        return values.at[at].add(by.astype(values.dtype)) if at else values + jnp.sum(by).astype(values.dtype)
    values = np.array(values, np.float64)
    if not at:
        return values + by.sum()
    np.add.at(values, at, by)
    return values


def concrete(values) -> np.ndarray | None:
    """As a NumPy array; None for what is only known once a program runs."""
    return None if isinstance(values, jax.core.Tracer) else np.asarray(values)  # pyright: ignore[reportAttributeAccessIssue]


def plain(name, at, labels, places, unit, low, high, *, pathwise=True, scale=1.0, alias=None, mirror=False) -> Group:
    """Entries of the leaf `at(scenario)`, of which a unit of the parameters is `scale`; `mirror`: of a symmetric matrix."""

    def move(scenario, places, by):
        leaf = added(at(scenario), places, by * scale)
        if mirror:
            leaf = added(leaf, [place[::-1] for place in places], by * scale)
        return eqx.tree_at(at, scenario, leaf)

    read = lambda scenario: np.asarray(at(scenario), np.float64) / scale
    return Group(name, alias or name, labels, places, unit, low, high, pathwise, read, move)


def scaling(name, value, leaves, labels, places, unit, *, pathwise=True, alias=None, high=UNBOUNDED) -> Group:
    """A common scale of leaves, `(at, power, axes to append)` each; `value(scenario)` is what the parameter is at."""

    def move(scenario, places, by):
        now = value(scenario)
        some = now != 0.0
        factor = 1.0 + added(0.0 * now, places, by) * some / (now + ~some)
        for at, power, axes in leaves:
            old = at(scenario)
            scaled = old * (factor**power).reshape(factor.shape + (1,) * axes)
            scenario = eqx.tree_at(at, scenario, scaled)
        return scenario

    return Group(name, alias or name, labels, places, unit, 0.0, high, pathwise, value, move)


def each(names: Sequence[str]) -> tuple[list[str], list[tuple[int, ...]]]:
    return list(names), [(i,) for i in range(len(names))]


def fields(prefix: str, part: Callable[[Scenario], Any], names: Sequence[str], table: dict) -> list[Group]:
    """Fields of one module: with an entry for each name, or scalars where there are no names."""
    labels, places = each(names) if names else ([""], [()])
    return [
        plain(f"{prefix}.{field}", lambda s, field=field: getattr(part(s), field), labels, places, *said[:3],
               scale=SECOND if said[0] == "s" else 1.0, pathwise=said[3] if len(said) > 3 else True)
        for field, said in table.items()
    ]  # fmt: skip

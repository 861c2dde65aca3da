r"""Gradients of single paths, summed over groups of them: reverse mode through the scan, for any number of parameters.

A path is a function of its index, so that only the paths that a measure looks at are run in reverse. The reverse pass ends at
what is prepared once for all paths (the tables of a book, mostly), and only in those of its numbers that the parameters move; a
second one takes it from there to the parameters. So the cost hardly grows with the number of parameters. Sums over groups rather
than single paths keep the number of tables small, and are enough for standard errors.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._interrupt import answers, threads
from ...cascade import path_losses, prepare, seed_key
from ...cascade.blocks import block_size, in_precision, workers
from ...parameter import bare_names, moved
from ...positions import Nodes, enough_nodes
from ...scenario import Scenario
from ..sample import Column, Sample

LARGEST_BLOCK = 640
"""Paths of a reverse block on a CPU: 300 microseconds a path of 1,440 steps of the reference workload, against 390 with 1,024."""
SPLIT_BY_CLASS = "liquidated_by_class"
GROUP_NUMBERS = 2**17
"""Numbers of the tables of one block's groups together: what the reverse pass adds to at every step."""


class Reverse(NamedTuple):
    """What of a prepared scenario the parameters move: the places of its leaves. Static but for the bare `scenario`, whose
    numbers have the `names`."""

    scenario: Scenario
    names: tuple[str, ...]
    nodes: Nodes
    places: tuple[int, ...]

    @staticmethod
    def of(scenario: Scenario, names: tuple[str, ...], prepared: Any, column: Column) -> "Reverse":
        """Find the leaves that have a derivative, along a direction in which none cancels another, and that `column` can feel."""
        scenario, names = scenario.bare(), bare_names(scenario, names)
        direction = np.random.default_rng(0).uniform(0.5, 1.5, len(names))
        nodes = enough_nodes(scenario.populations.values(), names)
        tangents = _tangents(scenario, names, nodes, direction, prepared.decay.dtype)
        leaves = jax.tree.leaves(prepared)
        assert len(tangents) == len(leaves), "moving a parameter must not change what is prepared, only its numbers"
        moves = [x is not None and bool(np.any(np.asarray(x) != 0)) for x in tangents]
        # the largest table of a ladder is felt by one observable only; with a hundred classes it would be most of the work
        book = getattr(prepared.book, "initial", prepared.book)
        by_class = None if column.name.startswith(SPLIT_BY_CLASS) else getattr(book, "class_notional", None)
        felt = (k for k, leaf in enumerate(leaves) if moves[k] and leaf is not by_class)
        return Reverse(scenario, names, nodes, tuple(felt))

    def numbers(self, prepared: Any) -> int:
        """How many numbers these leaves have."""
        leaves = jax.tree.leaves(prepared)
        return sum(leaves[place].size for place in self.places)


def group_gradients(sample: Sample, reverse: Reverse, which: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sums of the gradients of groups of paths, `sum_i w_i dL_i/dtheta`.

    **Arguments:** `which`: places in the sample, `weights`; both of shape `(groups, paths)`.

    Returns float64 of shape `(groups, parameters)`.
    """
    groups, length = which.shape
    if not reverse.places:
        return np.zeros((groups, len(reverse.names)))
    largest = min(block_size(sample.prepared), LARGEST_BLOCK if jax.default_backend() == "cpu" else 2**14)
    most = max(1, min(largest // length, GROUP_NUMBERS // max(1, reverse.numbers(sample.prepared))))
    # as many blocks as threads, or a multiple
    blocks_run = -(-math.ceil(groups / most) // workers()) * workers()
    together = -(-groups // blocks_run)
    double, key = sample.prepared.decay.dtype == jnp.float64, seed_key(sample.seed)
    leaves = jax.tree.leaves(sample.prepared)
    part = [leaves[place] for place in reverse.places]

    def one(begin: int) -> list[np.ndarray]:
        taken = np.minimum(begin + np.arange(together), groups - 1)
        paths = jnp.asarray(sample.indices(which[taken]))
        seeded = jnp.asarray(weights[taken], part[0].dtype)
        found = in_precision(double, _cotangents, part, sample.prepared, reverse.places, key, paths, seeded, sample.column)
        return [np.asarray(x)[: groups - begin] for x in found]

    with threads(workers()) as pool:
        blocks = answers(pool, one, range(0, groups, together))
    cotangents = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    # what the measure does not depend on need not be traced back to the parameters
    felt = [place for place, cotangent in zip(reverse.places, cotangents, strict=True) if cotangent.any()]
    if not felt:
        return np.zeros((groups, len(reverse.names)))
    kept = [jnp.asarray(cotangents[reverse.places.index(place)]) for place in felt]
    return np.asarray(_pulled(reverse.scenario, reverse.names, reverse.nodes, tuple(felt), kept), np.float64)


def few_lengths(count: int) -> int:
    """A number up to an eighth larger, of which there are eight between two powers of two: how many paths are near a level
    depends on the numbers of a scenario, and each length would be compiled anew.

    >>> few_lengths(9), few_lengths(100), few_lengths(1000)
    (9, 104, 1024)
    """
    unit = 2 ** max(0, math.floor(math.log2(max(count, 1))) - 3)
    return -(-count // unit) * unit


def along(sample: Sample, reverse: Reverse, which: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Derivative of each path along one direction of the parameters, in forward mode. Shape `(paths,)`, float64."""
    double, key = sample.prepared.decay.dtype == jnp.float64, seed_key(sample.seed)
    tangents = _tangents(reverse.scenario, reverse.names, reverse.nodes, direction, sample.prepared.decay.dtype)
    tangents = [tangents[place] for place in reverse.places]
    size = min(few_lengths(len(which)), LARGEST_BLOCK)

    def one(begin: int) -> np.ndarray:
        taken = which[np.minimum(begin + np.arange(size), len(which) - 1)]
        paths = jnp.asarray(sample.indices(taken))
        slopes = in_precision(double, _slopes, tangents, sample.prepared, reverse.places, key, paths, sample.column)
        return np.asarray(slopes, np.float64)[: len(which) - begin]

    with threads(workers()) as pool:
        return np.concatenate(answers(pool, one, range(0, len(which), size)))


def _with(prepared: Any, places: tuple[int, ...], part: list) -> Any:
    """A prepared scenario with some leaves replaced."""
    leaves, structure = jax.tree.flatten(prepared)
    for place, value in zip(places, part, strict=True):
        leaves[place] = value
    return jax.tree.unflatten(structure, leaves)


@eqx.filter_jit
def _cotangents(part: list, prepared: Any, places: tuple[int, ...], key, paths, weights, column: Column):
    def total(part, paths, weights):
        losses = path_losses(_with(prepared, places, part), key, paths, checkpoint=True)
        return jnp.sum(weights * column(losses))

    return jax.vmap(jax.grad(total), in_axes=(None, 0, 0))(part, paths, weights)


@eqx.filter_jit
def _slopes(tangents: list, prepared: Any, places: tuple[int, ...], key, paths, column: Column):
    leaves = jax.tree.leaves(prepared)
    losses = lambda part: column(path_losses(_with(prepared, places, part), key, paths))
    return jax.jvp(losses, ([leaves[place] for place in places],), (tangents,))[1]


@eqx.filter_jit
def _tangents(scenario: Scenario, names: tuple[str, ...], nodes: Nodes, direction, dtype) -> list:
    """What moves in a prepared scenario along a direction of the parameters; None where a leaf is not a real number."""
    leaves = lambda by: jax.tree.leaves(prepare(moved(scenario, names, by), dtype, nodes))
    direction = jnp.asarray(direction, dtype)
    found = jax.jvp(leaves, (jnp.zeros_like(direction),), (direction,))[1]
    return [x if jnp.issubdtype(x.dtype, jnp.floating) else None for x in found]


@eqx.filter_jit
def _pulled(scenario: Scenario, names: tuple[str, ...], nodes: Nodes, places: tuple[int, ...], cotangents: list):
    def part(by):
        leaves = jax.tree.leaves(prepare(moved(scenario, names, by), by.dtype, nodes))
        return [leaves[place] for place in places]

    _, pull = jax.vjp(part, jnp.zeros(len(names), cotangents[0].dtype))
    return jax.vmap(lambda cotangent: pull(cotangent)[0])(cotangents)


__all__ = ["Reverse", "along", "few_lengths", "group_gradients"]

"""The driver for GPUs: all steps of a block of paths as one kernel, with the state in registers.

A scan starts many kernels a step, and each carries the whole state through memory. Here an instance of one kernel has a
block of paths, draws their noise, steps them to the end, and writes their last state, of which losses are made. It is the same
step: traced, written out number by number (`straight.py`, `cells.py`), each number a vector over the block's paths.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._leaf import Array
from .cells import Table, array_of, evaluate, known, looked_up
from .engine import COUNTERS, of_one_path, outcome
from .source import AbstractSource
from .state import Prepared
from .straight import Equation, Name, NotFusable, Program, carried, needed, straight, uses

MOST_CARRIED = 160
"""Numbers of a path carried from step to step up to which it is tried: a thread has 255 registers, and a step needs some too."""
MOST_CELLS = 1024
"""Numbers in one array of a step up to which it is written out number by number."""


class Shape(NamedTuple):
    """How a kernel is cut: `block`: paths of an instance, a power of two; `warps` of 32 threads share them; `apart`: whether the
    scenario's numbers are read once, before the first step, and not in each."""

    block: int = 128
    warps: int = 4
    apart: bool = True


SHAPE = Shape()

BLOCK = 2**18
"""Paths of one call: at least as many as a large GPU has in flight, several times over."""


class Plan(NamedTuple):
    """A step made ready: `program`; places in the state that are `moving` from step to step and that only stay as they began
    (`still`); `tables` looked up in, and `common` arrays whose numbers are read, by identity."""

    program: Program
    moving: tuple[int, ...]
    still: tuple[int, ...]
    tables: dict[int, Any]
    common: dict[int, Any]


def fused_losses(
    prepared: Prepared, key, paths: Any, source: AbstractSource = COUNTERS, shape: Shape = SHAPE, *, interpret: bool = False
) -> dict[str, Array]:
    """What `path_losses` gives, within rounding; not differentiable.

    **Arguments:** as of `path_losses`, their number a multiple of `shape.block`; `interpret`: run it without a GPU, slowly.

    **Raises:** `NotFusable` where the scenario's step cannot be one kernel.
    """
    begin, _ = of_one_path(prepared, key, source)
    leaves, tree = jax.tree.flatten(jax.vmap(begin)(paths))
    plan = plan_of(prepared, key, jax.tree.map(lambda x: x[0], paths), source)
    found = _stepped(plan, prepared.scenario.settings.steps, leaves, jax.tree.leaves(paths), shape, interpret)
    # the last state of what no loss is made of stays what it was at first
    final, memory = jax.tree.unflatten(tree, [found.get(place, leaf) for place, leaf in enumerate(leaves)])
    return jax.vmap(lambda state, seen: outcome(prepared, state) | source.losses(seen))(final, memory)


@eqx.filter_jit
def run_block(
    prepared: Prepared, key, paths: Any, source: AbstractSource = COUNTERS, shape: Shape = SHAPE, interpret: bool = False
) -> dict[str, Array]:
    """`fused_losses`, compiled."""
    return fused_losses(prepared, key, paths, source, shape, interpret=interpret)


def plan_of(prepared: Prepared, key, path: Any, source: AbstractSource = COUNTERS) -> Plan:
    """The step of one path as a kernel takes it.

    **Raises:** `NotFusable`, in words.
    """
    if prepared.decay.dtype != jnp.float32:
        raise NotFusable("the fused kernel has 32-bit numbers only, and the precision is float64")
    begin, advance = of_one_path(prepared, key, source)
    state, memory = jax.eval_shape(begin, path)
    numbers = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves((state, memory)))
    if numbers > MOST_CELLS:
        raise NotFusable(f"a path's state has {numbers:,} numbers, too many for registers")
    summed, _ = straight(lambda state, memory: outcome(prepared, state) | source.losses(memory), state, memory)
    step, _ = straight(advance, state, memory, path, jax.ShapeDtypeStruct((), jnp.int32))
    kept = carried(step, uses(summed))
    program = needed(step, kept)
    moving = tuple(place for place in sorted(kept) if program.outputs[place] is not program.arguments[place])
    size = sum(math.prod(program.arguments[place].shape) for place in moving)
    if size > MOST_CARRIED:
        raise NotFusable(f"{size:,} numbers of a path change from step to step, and {MOST_CARRIED} at most fit into registers")
    _check(program.equations)
    tables = {id(table): table for table in map(looked_up, program.equations) if table is not None}
    read = [value for equation in program.equations for value in equation.given if looked_up(equation) is not value]
    read += [program.outputs[place] for place in moving]
    common = {id(value): value for value in read if not isinstance(value, Name)}
    return Plan(program, moving, tuple(sorted(kept - {*moving})), tables, common)


def _check(equations: tuple[Equation, ...]) -> None:
    unknown = sorted({equation.primitive.name for equation in equations if not known(equation.primitive)})
    if unknown:
        raise NotFusable(f"a step has operations for which the fused kernel has no rule: {', '.join(unknown)}")
    widest = max((math.prod(name.shape) for equation in equations for name in equation.found), default=0)
    if widest > MOST_CELLS:
        raise NotFusable(f"a step has arrays of {widest:,} numbers, and {MOST_CELLS:,} at most are written out")


class _Packed:
    """The numbers that all paths share, one array for each type, and where each array's are in it."""

    def __init__(self, common: dict[int, Any]) -> None:
        self.places: dict[int, tuple[str, int]] = {}
        parts: dict[str, list[Any]] = {}
        for identity, value in common.items():
            if not isinstance(value, np.ndarray):
                flat = _plain(value).reshape(-1)
                before = parts.setdefault(flat.dtype.name, [])
                self.places[identity] = flat.dtype.name, sum(part.size for part in before)
                before.append(flat)
        self.arrays = {name: jnp.concatenate(flat) for name, flat in parts.items()}

    def cells(self, value: Any, refs: dict[str, Any]) -> np.ndarray:
        """An array's numbers: what is known when the kernel is built as it is, the rest read."""
        if isinstance(value, np.ndarray):
            return array_of(value.shape, lambda index: value[index])
        name, first = self.places[id(value)]
        strides = np.cumprod([1, *value.shape[:0:-1]])[::-1]
        read = lambda index: refs[name][first + int(np.dot(index, strides[: len(index)]))]
        return array_of(value.shape, lambda index: _again(read(index), value.dtype))


def _stepped(plan: Plan, steps: int, leaves: list[Any], paths: list[Any], shape: Shape, interpret: bool) -> dict[int, Any]:
    """The moving leaves after all steps, by place; arrays have the paths along their first axis."""
    from jax.experimental import pallas as pl

    count = paths[0].shape[0]
    if count % shape.block:
        raise ValueError(f"{count} paths are no multiple of the kernel's block of {shape.block}")
    packed = _Packed(plan.common)
    given = [leaves[place] for place in (*plan.moving, *plan.still)] + paths
    rows = lambda leaf: _plain(leaf).reshape(count, -1).T
    tables = [_plain(jnp.asarray(table)).reshape(-1) for table in plan.tables.values()]
    sizes = (len(tables), len(packed.arrays), len(given), len(plan.moving))

    def kernel(*refs):
        looked, numbers, before, after = (refs[end - size : end] for size, end in zip(sizes, np.cumsum(sizes), strict=True))
        by_type = dict(zip(packed.arrays, numbers, strict=True))
        common = {
            identity: Table(lambda index, ref=ref, table=table: _again(ref[index], table.dtype), table.shape)
            for (identity, table), ref in zip(plan.tables.items(), looked, strict=True)
        }
        read = lambda: {identity: packed.cells(value, by_type) for identity, value in plan.common.items()}
        first = read() if shape.apart else None
        cells = [
            array_of(leaf.shape[1:], lambda index, ref=ref, leaf=leaf: ref[_place(index, leaf), :])
            for leaf, ref in zip(given, before, strict=True)
        ]
        flat = lambda arrays: tuple(cell for array in arrays for cell in array.reshape(-1))
        moving, other = cells[: len(plan.moving)], cells[len(plan.moving) :]

        def body(index, carry):
            places, arguments = iter(carry), [None] * len(plan.program.arguments)
            for place, array in zip(plan.moving, moving, strict=True):
                arguments[place] = array_of(array.shape, lambda _: next(places))
            still = [*plan.still, *range(len(leaves), len(leaves) + len(paths))]
            for place, array in zip(still, other, strict=True):
                arguments[place] = array
            typed = [_typed(array, name) for array, name in zip(arguments[:-1], plan.program.arguments, strict=False)]
            typed.append(array_of((), lambda _: index))
            values = common | (first if first is not None else read())
            found = evaluate(plan.program, lambda value: values[id(value)], typed)
            return tuple(
                jnp.broadcast_to(_plain(jnp.asarray(cell)), (shape.block,))
                for cell in flat(found[place] for place in plan.moving)
            )

        last = jax.lax.fori_loop(jnp.int32(0), jnp.int32(steps), body, flat(moving))
        rows_of = [(ref, row) for ref, array in zip(after, moving, strict=True) for row in range(array.size)]
        for (ref, row), cell in zip(rows_of, last, strict=True):
            ref[row, :] = cell

    whole = lambda array: pl.BlockSpec(array.shape, lambda instance: (0,))
    blocks = lambda array: pl.BlockSpec((array.shape[0], shape.block), lambda instance: (0, instance))
    arrays = [rows(leaf) for leaf in given]
    found = pl.pallas_call(
        kernel,
        grid=(count // shape.block,),
        in_specs=[whole(array) for array in (*tables, *packed.arrays.values())] + [blocks(array) for array in arrays],
        out_specs=[blocks(array) for array in arrays[: len(plan.moving)]],
        out_shape=[jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays[: len(plan.moving)]],
        interpret=interpret,
        **_cut(shape, interpret),
    )(*tables, *packed.arrays.values(), *arrays)
    back = lambda array, leaf: _again(array.T.reshape(leaf.shape), leaf.dtype)
    return {place: back(array, leaves[place]) for place, array in zip(plan.moving, found, strict=True)}


def _cut(shape: Shape, interpret: bool) -> dict[str, Any]:
    if interpret:
        return {}
    from jax.experimental.pallas import triton

    return {"compiler_params": triton.CompilerParams(num_warps=shape.warps, num_stages=1)}


def _place(index, leaf) -> int:
    return int(np.ravel_multi_index(index, leaf.shape[1:])) if index else 0


def _typed(array: np.ndarray | None, name: Name) -> np.ndarray | None:
    return None if array is None else array_of(array.shape, lambda index: _again(array[index], name.dtype))


def _plain(array):
    """What is true or false as 0 or 1: a kernel's memory has no such type."""
    return array.astype(jnp.int32) if array.dtype == jnp.bool_ else array


def _again(array, dtype):
    """The way back."""
    return array != 0 if dtype == jnp.bool_ else array


__all__ = ["BLOCK", "SHAPE", "Plan", "Shape", "fused_losses", "plan_of", "run_block"]

"""A straight program with every number of a path a value of its own: for many paths a vector over them.

A kernel keeps such vectors in registers: it has no arrays with axes, so that shapes, sums along axes and look-ups are worked out
here, number by number. An array of a path is a NumPy array of objects, a scalar of what is common to all paths or a vector.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .entries import alike, away_from_zero, larger, smaller, to_even
from .straight import Equation, Name, NotFusable, Program

FEW = 16
"""Entries up to which a choice among them is better than a look-up."""


class Table(NamedTuple):
    """What is looked up in: `read(index)` gives the entries at flat places, `shape` is that of the whole."""

    read: Callable
    shape: tuple[int, ...]


def evaluate(program: Program, common: Callable[[Any], Any], given: list[Any]) -> list[Any]:
    """What a program finds.

    **Arguments:** `common`: gives cells, or a `Table`, for an array that is the same for all paths; `given`: cells of the
    program's arguments.
    """
    values = {id(name): cells for name, cells in zip(program.arguments, given, strict=True)}
    read = lambda value: values[id(value)] if isinstance(value, Name) else common(value)
    for equation in program.equations:
        found = _apply(equation, [read(value) for value in equation.given])
        values |= {id(name): cells for name, cells in zip(equation.found, found, strict=True)}
    return [None if value is None else read(value) for value in program.outputs]


def known(primitive) -> bool:
    """Whether there is a rule for a primitive."""
    return primitive.name in _RULES or primitive.name in _EACH


def looked_up(equation: Equation) -> Any:
    """The array in which an equation looks up at places that differ from path to path; None where it does not."""
    table, places = equation.given[0], equation.given[-1]
    return table if equation.primitive.name == "gather" and not isinstance(table, Name) and isinstance(places, Name) else None


def array_of(shape, cell: Callable[[tuple[int, ...]], Any]) -> np.ndarray:
    """An array of what `cell` gives for each index."""
    found = np.empty(shape, object)
    for index in np.ndindex(*shape):
        found[index] = cell(index)
    return found


def _apply(equation: Equation, given: list[Any]) -> list[Any]:
    name = equation.primitive.name
    if name in _RULES:
        found = _RULES[name](equation, given)
        return found if equation.primitive.multiple_results else [found]
    if name in _EACH:
        return [_each(lambda *cells: _bind(equation, cells), equation, given)]
    raise NotFusable(f"a step has an operation, {name}, for which the fused kernel has no rule")


def _bind(equation: Equation, cells):
    return equation.primitive.bind(*alike(*cells), **equation.params)


def _each(function: Callable, equation: Equation, given) -> np.ndarray:
    """Entry by entry."""
    shape = equation.found[0].shape
    full = [np.broadcast_to(cells, shape) for cells in given]
    return array_of(shape, lambda index: _found(function, *(cells[index] for cells in full)))


def _found(function: Callable, *cells):
    """What is known of all of its numbers when the kernel is built is worked out then; Triton wants one that is not."""
    if not all(isinstance(cell, np.generic) for cell in cells):
        return function(*cells)
    with jax.ensure_compile_time_eval():
        return np.asarray(function(*cells))[()]


def _selected(equation: Equation, given) -> np.ndarray:
    """A choice that is known when the kernel is built is made then."""

    def choose(which, *cases):
        if isinstance(which, np.generic):
            return cases[int(which)]
        return lax.select_n(*alike(which, *cases))

    return _each(choose, equation, given)


def _clamped(equation: Equation, given) -> np.ndarray:
    return _each(lambda low, x, high: smaller(larger(x, low), high), equation, given)


def _rounded(equation: Equation, given) -> np.ndarray:
    """To the nearest whole number, a half away from zero or to the even one; there is no such operation in the kernel."""
    rule = to_even if equation.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN else away_from_zero
    return _each(rule, equation, given)


def _polynomial(x, *coefficients):
    """Horner's scheme, lowest power first: since JAX 0.12 an operation of its own, which Triton does not have."""
    found = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        found = jnp.add(*alike(jnp.multiply(*alike(found, x)), coefficient))
    return found


def _broadcast(equation: Equation, given) -> np.ndarray:
    cells, axes = given[0], equation.params["broadcast_dimensions"]
    place = lambda index: tuple(0 if cells.shape[k] == 1 else index[axis] for k, axis in enumerate(axes))
    return array_of(equation.found[0].shape, lambda index: cells[place(index)])


def _reshaped(equation: Equation, given) -> np.ndarray:
    return given[0].reshape(equation.found[0].shape)


def _sliced(equation: Equation, given) -> np.ndarray:
    params = equation.params
    strides = params["strides"] or (1,) * given[0].ndim
    return given[0][tuple(map(slice, params["start_indices"], params["limit_indices"], strides))]


def _split(equation: Equation, given) -> list[np.ndarray]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return np.split(given[0], ends, axis=equation.params["axis"])


def _unstacked(equation: Equation, given) -> list[np.ndarray]:
    """Entries along an axis; since JAX 0.12 an operation of its own."""
    cells = np.moveaxis(given[0], equation.params["axis"], 0)
    return [cells[place : place + 1].reshape(found.shape) for place, found in enumerate(equation.found)]


def _along(function: Callable) -> Callable:
    """A reduction along axes, one entry after the other."""

    def reduced(equation: Equation, given) -> np.ndarray:
        cells, axes = given[0], equation.params["axes"]
        kept = [axis for axis in range(cells.ndim) if axis not in axes]
        rows = cells.transpose(*kept, *axes).reshape(*equation.found[0].shape, -1)
        return array_of(equation.found[0].shape, lambda index: _folded(function, rows[index])[-1])

    return reduced


def _cumulated(function: Callable) -> Callable:
    def cumulated(equation: Equation, given) -> np.ndarray:
        axis, backwards = equation.params["axis"], equation.params["reverse"]
        rows = np.moveaxis(given[0], axis, -1)
        found = np.empty(rows.shape, object)
        for index in np.ndindex(*rows.shape[:-1]):
            row = _folded(function, rows[index][::-1] if backwards else rows[index])
            for place, cell in enumerate(row[::-1] if backwards else row):
                found[(*index, place)] = cell
        return np.moveaxis(found, -1, axis)

    return cumulated


def _folded(function: Callable, row) -> list[Any]:
    found = [row[0]]
    for cell in row[1:]:
        found.append(_found(lambda *pair: function(*alike(*pair)), found[-1], cell))
    return found


def _where_most(better: Callable) -> Callable:
    def place(equation: Equation, given) -> np.ndarray:
        (axis,), dtype = equation.params["axes"], equation.params["index_dtype"]
        rows = np.moveaxis(given[0], axis, -1)

        def one(index):
            best, where = rows[index][0], jnp.zeros(np.shape(rows[index][0]), dtype)
            for entry, cell in enumerate(rows[index][1:], 1):
                cell, best, where, here = alike(cell, best, where, jnp.asarray(entry, dtype))
                more = better(cell, best)
                best, where = jnp.where(more, cell, best), jnp.where(more, here, where)
            return where

        return array_of(equation.found[0].shape, one)

    return place


def _multiplied(equation: Equation, given) -> np.ndarray:
    """A product of matrices, without axes of a batch other than the first ones of both."""
    (left_sum, right_sum), (left_batch, right_batch) = equation.params["dimension_numbers"]
    left, right = given
    free = lambda cells, *taken: [axis for axis in range(cells.ndim) if axis not in (*taken[0], *taken[1])]
    left_free, right_free = free(left, left_sum, left_batch), free(right, right_sum, right_batch)
    batch, inner = [left.shape[axis] for axis in left_batch], math.prod(left.shape[axis] for axis in left_sum)
    rows = left.transpose(*left_batch, *left_free, *left_sum).reshape(math.prod(batch), -1, inner)
    columns = right.transpose(*right_batch, *right_free, *right_sum).reshape(math.prod(batch), -1, inner)

    def one(index):
        products = [
            jnp.multiply(*alike(a, b)) for a, b in zip(rows[index[0], index[1]], columns[index[0], index[2]], strict=True)
        ]
        return _folded(jnp.add, products)[-1]

    return array_of((len(rows), rows.shape[1], columns.shape[1]), one).reshape(equation.found[0].shape)


def _gathered(equation: Equation, given) -> np.ndarray:
    """In a table by its flat places; in what a path has of its own, a choice among its entries."""
    table, places = given
    numbers, sizes, mode = (equation.params[name] for name in ("dimension_numbers", "slice_sizes", "mode"))
    if mode not in (lax.GatherScatterMode.CLIP, lax.GatherScatterMode.PROMISE_IN_BOUNDS):
        raise NotFusable("a step has a look-up that may be outside of its table, for which the fused kernel has no rule")
    of, shape = table.shape, equation.found[0].shape
    strides = np.cumprod([1, *of[:0:-1]])[::-1]
    batch = [axis for axis in range(len(shape)) if axis not in numbers.offset_dims]
    kept = [axis for axis in range(len(of)) if axis not in (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)]

    def one(index):
        at, fixed = tuple(index[axis] for axis in batch), 0
        for axis, place in zip(kept, numbers.offset_dims, strict=True):
            fixed += index[place] * int(strides[axis])
        for axis, place in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
            fixed += at[place] * int(strides[axis])
        flat: Any = np.int32(fixed)
        for place, axis in enumerate(numbers.start_index_map):
            clip = lambda cell, most=of[axis] - sizes[axis]: jnp.clip(cell, 0, most).astype(jnp.int32)
            flat = flat + _found(clip, places[(*at, place)]) * np.int32(strides[axis])
        return _entry(table, flat)

    return array_of(shape, one)


def _entry(table: Any, flat):
    if isinstance(table, Table):
        return table.read(flat)
    entries = table.reshape(-1)
    if len(entries) > FEW:
        raise NotFusable(f"a step looks up among {len(entries)} numbers of the path's own, and {FEW} at most are chosen from")
    found = entries[0]
    for place, entry in enumerate(entries[1:], 1):
        found = jnp.where(*alike(flat == place, entry, found))
    return found


_EACH = frozenset(
    """
add sub mul div rem pow neg abs sign square integer_pow sqrt rsqrt exp exp2 expm1 log log1p logistic tanh erf_inv sin cos
floor ceil is_finite eq ne lt le gt ge and or xor not shift_left shift_right_logical shift_right_arithmetic convert_element_type
bitcast_convert_type
""".split()
)

_RULES: dict[str, Callable] = {
    "select_n": _selected,
    "max": lambda equation, given: _each(larger, equation, given),
    "min": lambda equation, given: _each(smaller, equation, given),
    "clamp": _clamped,
    "round": _rounded,
    "polynomial": lambda equation, given: _each(_polynomial, equation, given),
    "add_any": lambda equation, given: _each(lambda a, b: jnp.add(*alike(a, b)), equation, given),
    "broadcast_in_dim": _broadcast,
    "reshape": _reshaped,
    "squeeze": _reshaped,
    "expand_dims": _reshaped,
    "transpose": lambda equation, given: given[0].transpose(equation.params["permutation"]),
    "rev": lambda equation, given: np.flip(given[0], equation.params["dimensions"]),
    "slice": _sliced,
    "split": _split,
    "concatenate": lambda equation, given: np.concatenate(given, axis=equation.params["dimension"]),
    "stack": lambda equation, given: np.stack(given, axis=equation.params.get("axis", 0)),
    "unstack": _unstacked,
    "gather": _gathered,
    "dot_general": _multiplied,
    "argmax": _where_most(jnp.greater),
    "argmin": _where_most(jnp.less),
}
_FOLDS = {"sum": jnp.add, "max": larger, "min": smaller, "prod": jnp.multiply}
_RULES |= {f"reduce_{name}": _along(function) for name, function in _FOLDS.items()}
_RULES |= {f"reduce_{name}": _along(function) for name, function in (("and", jnp.logical_and), ("or", jnp.logical_or))}
_RULES |= {f"cum{name}": _cumulated(function) for name, function in _FOLDS.items()}

__all__ = ["FEW", "Table", "array_of", "evaluate", "known", "looked_up"]

"""A function of one path, evaluated for many, with the axis of the paths where it is quickest.

`jax.vmap` puts the axis of the paths first, and then a compiler for CPUs makes its inner loops of the few venues, assets and sides
that come after it. A step of few numbers is evaluated instead with the paths along the last axis, equation by equation of the
traced function, by what `vmap` would do: the same operations on the same numbers, with inner loops over paths.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

MOST = 1024
"""Numbers of a path's book up to which the paths come last. What sorts and adds up over hundreds of accounts wants them first."""


class OverPaths(NamedTuple):
    """A function of one path for all of them: `function(*arguments of a path, *common)`.

    **Fields:** `axis`: where the paths are in every array that it takes and gives, 0 or -1.
    """

    function: Callable
    axis: int

    def __call__(self, *arguments: Any, common: tuple = ()) -> Any:
        """**Arguments:** `arguments`: pytrees of arrays with the paths along `axis`; `common`: the same for all paths."""
        if self.axis == 0:
            return jax.vmap(self.function, in_axes=(0,) * len(arguments) + (None,) * len(common))(*arguments, *common)
        count = jax.tree.leaves(arguments)[0].shape[-1]
        one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), arguments)
        traced, shape = jax.make_jaxpr(self.function, return_shape=True)(*one, *common)
        given = [_Value(x, True) for x in jax.tree.leaves(arguments)] + [_Value(x, False) for x in jax.tree.leaves(common)]
        found = [_spread(value, count) for value in _evaluate(traced.jaxpr, traced.consts, given)]
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    def inward(self, tree: Any) -> Any:
        """Arrays with the paths along their first axis as this wants them."""
        return tree if self.axis == 0 else jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), tree)

    def outward(self, tree: Any) -> Any:
        """What this gives, with the paths along the first axis."""
        return tree if self.axis == 0 else jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), tree)


def over_paths(function: Callable, numbers: int) -> OverPaths:
    """`function` for many paths; `numbers`: how many a path's state has."""
    return OverPaths(function, -1 if numbers <= MOST else 0)


class _Value(NamedTuple):
    """What a variable of the traced function stands for: one array for all paths, or one with the paths along its last axis."""

    array: Any
    many: bool


def _spread(value: _Value, count: int):
    array = jnp.asarray(value.array)
    return array if value.many else jnp.broadcast_to(array[..., None], (*array.shape, count))


def _evaluate(jaxpr, consts, given: list[_Value]) -> list[_Value]:
    values = dict(zip(jaxpr.constvars, (_Value(x, False) for x in consts), strict=True)) | dict(zip(jaxpr.invars, given, strict=True))
    read = lambda name: _Value(np.asarray(name.val, name.aval.dtype), False) if isinstance(name, core.Literal) else values[name]
    for equation in jaxpr.eqns:
        values |= zip(equation.outvars, _apply(equation, [read(name) for name in equation.invars]), strict=True)
    return [read(name) for name in jaxpr.outvars]


def _apply(equation, given: list[_Value]) -> list[_Value]:
    name, inner = equation.primitive.name, None
    if name in _CALLS:
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    if inner is not None:
        return _evaluate(inner.jaxpr, inner.consts, given)
    bind = lambda *arrays: equation.primitive.bind(*arrays, **equation.params)
    if not any(value.many for value in given):
        found, many = bind(*(value.array for value in given)), False
    elif name == "optimization_barrier":
        return [_Value(x, value.many) for x, value in zip(bind(*(value.array for value in given)), given, strict=True)]
    elif name in _RULES:
        found, many = _RULES[name](equation, given), True
    elif name in _EACH:
        count = _count(given)
        full = [value.array if value.many else jnp.asarray(value.array)[..., None] for value in given]
        shapes = np.broadcast_shapes(*(x.shape for x in full))
        found, many = bind(*(jnp.broadcast_to(x, (*shapes[:-1], count)) for x in full)), True
    else:
        # whatever else there is, by the rule that vmap has for it
        axes = tuple(-1 if value.many else None for value in given)
        found, many = jax.vmap(bind, in_axes=axes, out_axes=-1)(*(value.array for value in given)), True
    return [_Value(x, many) for x in (found if equation.primitive.multiple_results else [found])]


def _count(given: list[_Value]) -> int:
    return next(value.array.shape[-1] for value in given if value.many)


def _full(value: _Value, count: int):
    return _spread(value, count)


def _broadcast(equation, given):
    shape, axes = equation.params["shape"], equation.params["broadcast_dimensions"]
    array = given[0].array
    return lax.broadcast_in_dim(array, (*shape, array.shape[-1]), (*axes, len(shape)))


def _reshaped(equation, given):
    array = given[0].array
    return array.reshape(*equation.outvars[0].aval.shape, array.shape[-1])


def _transposed(equation, given):
    order = equation.params["permutation"]
    return lax.transpose(given[0].array, (*order, len(order)))


def _sliced(equation, given):
    params, array = equation.params, given[0].array
    strides = params["strides"] or (1,) * len(params["start_indices"])
    return lax.slice(array, (*params["start_indices"], 0), (*params["limit_indices"], array.shape[-1]), (*strides, 1))


def _concatenated(equation, given):
    return lax.concatenate([_full(value, _count(given)) for value in given], equation.params["dimension"])


def _stacked(equation, given):
    return jnp.stack([_full(value, _count(given)) for value in given], axis=equation.params.get("axis", 0))


def _gathered(equation, given):
    """One look-up by flat index in a table that all paths share; in what each path has of its own, a choice among its entries."""
    table, where = given
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    shape, of = equation.outvars[0].aval.shape, equation.invars[0].aval.shape
    if table.many and np.prod(of) > _FEW:
        axes = (-1, -1 if where.many else None)
        return jax.vmap(lambda *x: equation.primitive.bind(*x, **equation.params), in_axes=axes, out_axes=-1)(table.array, where.array)
    strides = np.cumprod([1, *of[:0:-1]])[::-1]
    batch = [axis for axis in range(len(shape)) if axis not in numbers.offset_dims]
    kept = [axis for axis in range(len(of)) if axis not in (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)]
    index = _full(where, _count(given))
    flat = jnp.zeros(index.shape[:-2] + index.shape[-1:], index.dtype)
    for place, axis in enumerate(numbers.start_index_map):
        flat = flat + jnp.clip(index[..., place, :], 0, of[axis] - sizes[axis]) * int(strides[axis])
    along = lambda length, axis, rank: (np.arange(length).reshape([-1 if i == axis else 1 for i in range(rank)] + [1]))
    for axis, place in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        flat = flat + jnp.asarray(along(of[axis], place, flat.ndim - 1) * int(strides[axis]), index.dtype)
    flat = flat.reshape([shape[axis] if axis in batch else 1 for axis in range(len(shape))] + [index.shape[-1]])
    for place, axis in zip(numbers.offset_dims, kept, strict=True):
        flat = flat + jnp.asarray(along(sizes[axis], place, len(shape)) * int(strides[axis]), index.dtype)
    flat = jnp.broadcast_to(flat, (*shape, index.shape[-1]))
    if not table.many:
        return jnp.take(jnp.asarray(table.array).reshape(-1), flat, mode="clip")
    entries = table.array.reshape(-1, index.shape[-1])
    found = jnp.broadcast_to(entries[0], flat.shape)
    for entry in range(1, entries.shape[0]):
        found = jnp.where(flat == entry, entries[entry], found)
    return found


def _axes_kept(equation, given):
    return equation.primitive.bind(*(value.array for value in given), **equation.params)


_FEW = 16
"""Entries of its own of a path up to which a choice among them is better than a look-up."""

_CALLS = {"pjit", "jit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}

_RULES: dict[str, Callable] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshaped,
    "squeeze": _reshaped,
    "expand_dims": _reshaped,
    "transpose": _transposed,
    "slice": _sliced,
    "concatenate": _concatenated,
    "stack": _stacked,
    "gather": _gathered,
}
for _name in ("rev", "reduce_sum", "reduce_max", "reduce_min", "reduce_or", "reduce_and", "reduce_prod", "cumsum", "cumprod", "argmax", "argmin"):
    _RULES[_name] = _axes_kept

_EACH = set(
    "add mul sub div max min xor or and not neg gt lt ge le eq ne shift_left shift_right_logical shift_right_arithmetic rem pow abs sign "
    "sqrt exp log log1p expm1 erf_inv erf tanh floor ceil round rsqrt logistic is_finite stop_gradient integer_pow square select_n clamp "
    "convert_element_type bitcast_convert_type add_any nextafter copy sin cos exp2 lgamma".split()
)

__all__ = ["OverPaths", "over_paths"]

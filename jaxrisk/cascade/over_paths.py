"""A function of one path, evaluated for many, with the axis of the paths where it is quickest.

`jax.vmap` puts the axis of the paths first, and then a compiler for CPUs makes its inner loops of the few venues, assets and
sides that come after it. A step of few numbers is evaluated instead with the paths along the last axis, equation by equation of
the traced function, by what `vmap` would do: the same operations on the same numbers, with inner loops over paths.
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
        return tree if self.axis == 0 else inward(tree)

    def outward(self, tree: Any) -> Any:
        """What this gives, with the paths along the first axis."""
        return tree if self.axis == 0 else outward(tree)


def inward(tree: Any) -> Any:
    """Arrays with the paths along their first axis, with them along the last."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), tree)


def outward(tree: Any) -> Any:
    """The way back."""
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), tree)


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
    values = dict(zip(jaxpr.constvars, (_Value(x, False) for x in consts), strict=True))
    values |= zip(jaxpr.invars, given, strict=True)
    read = lambda name: _Value(np.asarray(name.val, name.aval.dtype), False) if isinstance(name, core.Literal) else values[name]
    for equation in jaxpr.eqns:
        values |= zip(equation.outvars, _apply(equation, [read(name) for name in equation.invars]), strict=True)
    return [read(name) for name in jaxpr.outvars]


def _apply(equation, given: list[_Value]) -> list[_Value]:
    name, arrays = equation.primitive.name, [value.array for value in given]
    if name in _CALLS:
        inner = equation.params["jaxpr"]
        return _evaluate(inner.jaxpr, inner.consts, given)
    if name == "optimization_barrier":
        return [_Value(x, value.many) for x, value in zip(lax.optimization_barrier(arrays), given, strict=True)]
    many = any(value.many for value in given)
    if not many:
        found = _alone(equation)(*arrays)
    elif name in _RULES:
        found = _RULES[name](equation, given)
    else:
        found = _by_vmap(equation, given)
    return [_Value(x, many) for x in (found if equation.primitive.multiple_results else [found])]


def _by_vmap(equation, given):
    """Whatever there is no rule for here, by the rule that `vmap` has for it."""
    axes = [-1 if value.many else None for value in given]
    return jax.vmap(_alone(equation), in_axes=axes, out_axes=-1)(*(value.array for value in given))


def _alone(equation) -> Callable:
    """One equation as a function of what goes into it."""
    found = equation.primitive.get_bind_params(equation.params)
    functions, params = found if isinstance(found, tuple) else ((), found)  # the former until JAX 0.9
    return lambda *arrays: equation.primitive.bind(*functions, *arrays, **params)


def _each(equation, given):
    """Entry by entry: what is common to all paths, or a single number, is stretched."""
    full = [value.array if value.many else jnp.asarray(value.array)[..., None] for value in given]
    shape = (*np.broadcast_shapes(*(x.shape[:-1] for x in full)), _count(given))
    return equation.primitive.bind(*(jnp.broadcast_to(x, shape) for x in full), **equation.params)


def _count(given: list[_Value]) -> int:
    return next(value.array.shape[-1] for value in given if value.many)


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
    return lax.concatenate([_spread(value, _count(given)) for value in given], equation.params["dimension"])


def _stacked(equation, given):
    return jnp.stack([_spread(value, _count(given)) for value in given], axis=equation.params.get("axis", 0))


def _gathered(equation, given):
    """One look-up by flat index in a table that all paths share; in what each path has of its own, a choice among its entries."""
    table, where = given
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    shape, of = equation.outvars[0].aval.shape, equation.invars[0].aval.shape
    if equation.params["mode"] not in _INSIDE or (table.many and np.prod(of) > _FEW):
        return _by_vmap(equation, given)
    strides = np.cumprod([1, *of[:0:-1]])[::-1]
    batch = [axis for axis in range(len(shape)) if axis not in numbers.offset_dims]
    kept = [axis for axis in range(len(of)) if axis not in (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)]
    index = _spread(where, _count(given))
    flat = jnp.zeros(index.shape[:-2] + index.shape[-1:], index.dtype)
    for place, axis in enumerate(numbers.start_index_map):
        flat = flat + jnp.clip(index[..., place, :], 0, of[axis] - sizes[axis]) * int(strides[axis])
    along = lambda length, axis, rank: np.arange(length).reshape([-1 if i == axis else 1 for i in range(rank)] + [1])
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
    """The axes that are named come before that of the paths, and keep their numbers."""
    return equation.primitive.bind(given[0].array, **equation.params)


_FEW = 16
"""Entries of its own of a path up to which a choice among them is better than a look-up."""

_INSIDE = (lax.GatherScatterMode.CLIP, lax.GatherScatterMode.PROMISE_IN_BOUNDS)

_CALLS = ("jit", "pjit", "closed_call")

_EACH = """
add sub mul div rem pow max min neg abs sign square integer_pow sqrt rsqrt exp exp2 expm1 log log1p logistic tanh erf erf_inv
sin cos floor ceil round is_finite eq ne lt le gt ge and or xor not shift_left shift_right_logical shift_right_arithmetic select_n
clamp convert_element_type bitcast_convert_type add_any copy polynomial one_minus_square
"""
_ALONG = "rev reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or argmax argmin cumsum cumprod cummax cummin"

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
_RULES |= dict.fromkeys(_EACH.split(), _each) | dict.fromkeys(_ALONG.split(), _axes_kept)

__all__ = ["OverPaths", "inward", "outward", "over_paths"]

"""How numbers enter a module: as arrays, never as Python floats, so that none is static and each has a gradient."""

import equinox as eqx
import jax
import numpy as np

Array = jax.Array | np.ndarray
"""What a leaf may be: float64 on the host until a simulation casts it to its own precision."""


def as_leaf(value):
    """Turn a number, a sequence or a NumPy array into a float64 NumPy array; leave JAX arrays and tracers alone.

    Keeping float64 until a simulation casts to its own precision means that one scenario serves both precisions.
    """
    if isinstance(value, jax.Array) or not isinstance(value, (int, float, list, tuple, np.ndarray, np.generic)):
        return value
    return np.asarray(value, dtype=np.float64)


def leaf(**kwargs):
    """An array field of an `equinox.Module`."""
    return eqx.field(converter=as_leaf, **kwargs)


def leaves(**kwargs):
    """A field of an `equinox.Module` that holds numbers in tuples, as many as there are: each is a leaf."""
    return eqx.field(converter=lambda value: jax.tree.map(as_leaf, value), **kwargs)


def as_whole(value):
    """Turn a whole number into an int32 NumPy array; leave arrays, tracers and None alone."""
    return np.asarray(value, np.int32) if isinstance(value, (int, np.integer)) else value


def whole_leaf(**kwargs):
    """A field of an `equinox.Module` that holds a whole number which is neither a shape nor a branch."""
    return eqx.field(converter=as_whole, **kwargs)


def as_number(value):
    """A leaf as compiled programs take it: a Python number becomes an array, since else it would be part of a program's key; a
    JAX array that takes on others' precision (`weak_type`) keeps its own."""
    if isinstance(value, (float, np.floating)):
        return np.asarray(value, np.float64)
    if isinstance(value, (bool, int, np.bool_)):
        return np.asarray(value)
    if getattr(value, "weak_type", False) and not isinstance(value, jax.core.Tracer):  # pyright: ignore[reportAttributeAccessIssue]
        return jax.lax.convert_element_type(value, value.dtype)
    return value

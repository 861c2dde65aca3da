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

"""Arithmetic of single entries for which a kernel has no instruction, or one that is not what JAX means."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax


def alike(*cells) -> list[Any]:
    """Scalars beside vectors are stretched."""
    shape = np.broadcast_shapes(*(np.shape(cell) for cell in cells))
    return [cell if np.shape(cell) == shape else jnp.broadcast_to(cell, shape) for cell in map(jnp.asarray, cells)]


def _keeping_nan(function: Callable) -> Callable:
    """The larger or the smaller of two numbers, and NaN where one of them is: a GPU's own instruction gives the other one."""

    def found(*cells):
        one, other = alike(*cells)
        most = function(one, other)
        if not jnp.issubdtype(most.dtype, jnp.floating):
            return most
        return jnp.where((one != one) | (other != other), jnp.nan, most)

    return found


larger, smaller = _keeping_nan(lax.max), _keeping_nan(lax.min)


def away_from_zero(x):
    """The nearest whole number, a half away from zero."""
    size = jnp.abs(x)
    below = jnp.floor(size)
    # the half is not added to the number itself: the sum would be rounded
    nearest = jnp.where(size - below >= 0.5, below + 1.0, below)
    return jnp.where(x < 0.0, -nearest, nearest)


def to_even(x):
    """The nearest whole number, a half to the even one."""
    below = jnp.floor(x)
    rest, odd = x - below, below - 2.0 * jnp.floor(0.5 * below)
    return jnp.where((rest > 0.5) | ((rest == 0.5) & (odd == 1.0)), below + 1.0, below)


__all__ = ["alike", "away_from_zero", "larger", "smaller", "to_even"]

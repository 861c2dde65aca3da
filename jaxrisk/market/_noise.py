"""What several processes do to their noise: correlate it, and take square roots that have a gradient at zero."""

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array

# Keeps the factor and its gradient finite for assets that move as one; a correlation changes by less than this.
_SHRINKAGE = 1e-6


def correlation_factor(correlation: Float[Array, "assets assets"]) -> Float[Array, "assets assets"]:
    """Lower triangle `L` with `L L' = correlation`; an indefinite matrix gives NaN.

    >>> [[round(float(x), 3) for x in row] for row in correlation_factor(jnp.array([[1.0, 0.6], [0.6, 1.0]]))]
    [[1.0, 0.0], [0.6, 0.8]]
    """
    correlation = jnp.asarray(correlation)
    if correlation.shape[0] == 1:
        return jnp.ones_like(correlation)
    identity = jnp.eye(correlation.shape[0], dtype=correlation.dtype)
    return jnp.linalg.cholesky((1.0 - _SHRINKAGE) * correlation + _SHRINKAGE * identity)


def correlate(factor: Float[Array, "assets assets"], noise: Float[Array, " assets"]) -> Float[Array, " assets"]:
    """`L z`, one product after another.

    A matrix product may round differently from one batch size to the next, and then a path would depend on
    the chunk that it is in.
    """
    assets = factor.shape[0]
    if assets == 1:
        return noise
    total = factor[:, 0] * noise[0]
    for column in range(1, assets):
        total = total + factor[:, column] * noise[column]
    return total


def safe_sqrt(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Square root of the positive part, with gradient zero (not infinity times zero) where that is zero.

    >>> safe_sqrt(jnp.array([-1.0, 0.0, 4.0])).tolist()
    [0.0, 0.0, 2.0]
    """
    positive = x > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


__all__ = ["correlate", "correlation_factor", "safe_sqrt"]

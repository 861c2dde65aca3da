"""Quantiles of a gamma law as a table over normal scores, differentiable in its shape."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, gammaincc, gammaln, ndtr
from jaxtyping import Float

from .._leaf import Array

SCORES = np.linspace(-6.0, 6.0, 1025)
_BISECTIONS, _NEWTON = 20, 4
"""Halvings of the interval that a quantile's logarithm is in, to about 1e-4, small beside the narrowest law that
anybody states, and Newton steps after them, to the last digit."""
_LEAST = -80.0
"""Of the logarithm of a quantile; below, it counts as this."""


def gamma_table(shape: Float[Array, "*laws"]) -> Float[Array, "*laws scores"]:
    """Quantiles of gamma laws of unit scale at `SCORES`.

    Bisection of the logarithm and then Newton's method, in the tail that is the smaller; the derivative to the shape is that of
    the implicit function.

    >>> table = gamma_table(jnp.asarray([1.0]))  # an exponential: its median is log 2
    >>> round(float(table[0, 512]), 4)
    0.6931
    """
    shape = jnp.asarray(shape)[..., None]
    scores = jnp.asarray(SCORES, shape.dtype)
    lower, upper = ndtr(scores), ndtr(-scores)

    def excess(shape, quantile):
        return jnp.where(scores < 0.0, gammainc(shape, quantile) - lower, upper - gammaincc(shape, quantile))

    fixed = jax.lax.stop_gradient(shape)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        over = excess(fixed, jnp.exp(middle)) > 0.0
        return jnp.where(over, low, middle), jnp.where(over, middle, high)

    low = jnp.full(jnp.broadcast_shapes(shape.shape, scores.shape), _LEAST, shape.dtype)
    high = jnp.log(fixed + 10.0 * jnp.sqrt(fixed) + 40.0) + 0.0 * low
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (low, high))
    # of the distribution function to the logarithm of the quantile
    slope = lambda at: jnp.exp(fixed * at - jnp.exp(at) - gammaln(fixed))

    def nearer(_, at):
        steep = slope(at)
        usable = steep > 1e-30
        step = excess(fixed, jnp.exp(at)) / jnp.where(usable, steep, 1.0)
        return jnp.where(usable, jnp.clip(at - step, low, high), at)

    at = jax.lax.fori_loop(0, _NEWTON, nearer, 0.5 * (low + high))
    quantile = jax.lax.stop_gradient(jnp.exp(at))
    density = slope(at) / quantile
    # zero in value; the derivative of the quantile is minus that of the distribution function over the density
    moved = excess(shape, quantile) - excess(fixed, quantile)
    felt = density * quantile > 1e-20
    return quantile - jnp.where(felt, moved / jnp.where(felt, density, 1.0), 0.0)


def at_score(table: Float[Array, "laws scores"], score: Float[Array, " laws"]) -> Float[Array, " laws"]:
    """Quantiles at any scores, linear between those of the table."""
    width = SCORES[1] - SCORES[0]
    place = jnp.clip((score - SCORES[0]) / width, 0.0, len(SCORES) - 1.001)
    index = place.astype(jnp.int32)
    share = place - index
    pick = lambda i: jnp.take_along_axis(table, i[:, None], axis=1)[:, 0]
    return (1.0 - share) * pick(index) + share * pick(index + 1)


__all__ = ["SCORES", "at_score", "gamma_table"]

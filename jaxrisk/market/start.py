"""From where a path starts, of laws that remember something: a day drawn at random, near given factors, a filter's cloud."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array, leaf


class Stationary(eqx.Module):
    """A day drawn at random: each path starts from a state of its own, drawn from the law's stationary distribution."""


class Factors(eqx.Module):
    """Factors of a log variance near given ones: independent normals.

    **Arguments:** `mean`, `sd`: of each factor at the start. Shape `(assets, factors)`.
    """

    mean: Float[Array, "assets factors"] = leaf()
    sd: Float[Array, "assets factors"] = leaf()


class Cloud(eqx.Module):
    """Weighted particles, such as a filter leaves: each path starts from one of them, drawn with its weight.

    **Arguments:**

    - `states`: variances, shape `(particles, assets)`, or factors of a log variance, `(particles, assets, factors)`.
    - `weights`: non-negative, in any unit. Shape `(particles,)`.
    - `effective`: the least share of the particles that the weights of one of the filter's steps were worth.
    """

    states: Float[Array, "particles assets *factors"] = leaf()
    weights: Float[Array, " particles"] = leaf()
    effective: Float[Array, ""] = leaf(default=1.0)

    def cumulative(self) -> Float[Array, " particles"]:
        """Of the weights, ending in 1."""
        total = jnp.cumsum(jnp.asarray(self.weights))
        return total / total[-1]


def chosen(cumulative: Float[Array, " particles"], states, uniform):
    """The particle that a uniform on (0, 1) falls on.

    >>> cloud = Cloud([[0.1], [0.4]], [1.0, 3.0])
    >>> float(chosen(cloud.cumulative(), jnp.asarray(cloud.states), 0.3)[0])
    0.4000000059604645
    """
    place = jnp.searchsorted(cumulative, uniform)
    return states[jnp.minimum(place, cumulative.shape[0] - 1)]


Start = Stationary | Factors | Cloud | None
"""None: from the variance that the law states."""

__all__ = ["Cloud", "Factors", "Start", "Stationary", "chosen"]

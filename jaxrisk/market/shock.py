"""An external catalyst laid over any process."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf, whole_leaf

# Times are multiples of the step in floating point: a start on the grid must not fall a rounding before its own step's end.
_TIME_TOLERANCE = 1e-6


class Shock(eqx.Module):
    r"""A move of given size, spread evenly in the log price over a window.

    $$\text{level}(t) = \log(1 + \text{size}) \cdot \min(\max((t - \text{start}) / \text{window}, 0), 1)$$

    **Arguments:**

    - `size`: fraction of the price, above -1; -0.1 is a fall of 10%. Shape `(assets,)`.
    - `window`: years that the move takes; zero means all of it in the first step that ends after the start. Shape `(assets,)`.
    - `at`: start, years; without effect if `random`. Shape `(assets,)`.
    - `random`: whether the start is uniform over the horizon, the same for all assets. Static.
    - `venue`: index of the only venue whose price moves, a basis that arbitrage takes back; None for the market's price.
    - `pass_through`: share of what arbitrage takes back there by which it moves the market's price, in [0, 1]: for traders who
      buy there and sell elsewhere the venue's share of depth, nothing for a price that is merely wrong. Scalar.

    >>> shock = Shock(size=[-0.1], window=[0.25], at=[0.5])
    >>> start = shock.start(jnp.asarray(0.5), jnp.asarray(1.0))
    >>> [round(float(jnp.exp(shock.level(start, jnp.asarray(time)))[0]), 4) for time in (0.4, 0.625, 0.9)]
    [1.0, 0.9487, 0.9]
    """

    size: Float[Array, " assets"] = leaf()
    window: Float[Array, " assets"] = leaf()
    at: Float[Array, " assets"] = leaf()
    pass_through: Float[Array, ""] = leaf(default=0.0)
    random: bool = eqx.field(default=False, static=True)
    venue: Int[Array, ""] | None = whole_leaf(default=None)

    def start(self, uniform: Float[Array, ""], horizon: Float[Array, ""]) -> Float[Array, " assets"]:
        """When the shock starts on this path, in years: `at`, or `uniform` times the horizon."""
        at = jnp.asarray(self.at)
        return jnp.broadcast_to(uniform * horizon, at.shape) if self.random else at

    def level(self, start: Float[Array, " assets"], time: Float[Array, ""]) -> Float[Array, " assets"]:
        """How much of the log price the shock has moved by `time`, in years."""
        size, window = jnp.log1p(jnp.asarray(self.size)), jnp.asarray(self.window)
        spread = window > 0.0
        ramp = jnp.clip((time - start) / jnp.where(spread, window, 1.0), 0.0, 1.0)
        at_once = (time > start * (1.0 + _TIME_TOLERANCE)).astype(size.dtype)
        return size * jnp.where(spread, ramp, at_once)


__all__ = ["Shock"]

"""A given price path."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from .base import AbstractMarket, Move, NoiseShape


class Replay(AbstractMarket):
    r"""A price path as it was, for example that of a historical event: $f_i = \log(S_i / S_0)$, no randomness.

    **Arguments:** `log_prices`: $\log(S/S_0)$ at the start and after each step of the run; after the last row the price
    stands still. Shape `(steps + 1, assets)`.

    >>> market = Replay([[0.0], [-0.1], [-0.05]])
    >>> constants = market.prepare(jnp.asarray(1 / 365))
    >>> _, move = market.step(constants, (), jnp.zeros(0), jnp.zeros(0), jnp.asarray(1))
    >>> round(float(move.diffusion[0]), 3)
    0.05
    """

    log_prices: Float[Array, "steps_and_start assets"] = leaf()

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = False

    def assets(self) -> int:
        return self.log_prices.shape[1]

    def noise(self) -> NoiseShape:
        """None."""
        return NoiseShape(0, 0)

    def prepare(self, years_per_step: Float[Array, ""]) -> Float[Array, "steps_and_start assets"]:
        """The moves, and a last one of zero that all later steps take."""
        log_prices = jnp.asarray(self.log_prices)
        return jnp.concatenate([log_prices[1:] - log_prices[:-1], jnp.zeros_like(log_prices[:1])])

    def init(self, constants: Float[Array, "steps_and_start assets"], uniforms=()) -> tuple[()]:
        """There is nothing to remember."""
        return ()

    def step(
        self,
        constants: Float[Array, "steps_and_start assets"],
        state: tuple[()],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[tuple[()], Move]:
        move = constants[jnp.minimum(index, constants.shape[0] - 1)]
        return state, Move(move, jnp.zeros_like(move), jnp.zeros_like(move))


__all__ = ["Replay"]

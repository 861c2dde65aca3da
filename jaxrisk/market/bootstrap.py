"""Returns drawn in blocks from a history."""

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf, whole_leaf
from .base import AbstractMarket, Move, NoiseShape


class BootstrapConstants(NamedTuple):
    """The rows to draw from (recentred), the probability of a fresh block, the variance of a row."""

    rows: Float[Array, "observations assets"]
    fresh_probability: Float[Array, ""]
    variance: Float[Array, " assets"]


class Bootstrap(AbstractMarket):
    r"""Stationary bootstrap of log-returns, the same rows for all assets (Politis and Romano, 1994).

    Each step takes the row after the last one (after the last row the first), or with probability $1/b$ a row drawn afresh:
    blocks have geometric lengths of mean $b$, and dependence between assets and within blocks is the history's.

    **Arguments:**

    - `log_returns`: one row a step of the simulation, in order. Shape `(observations, assets)`.
    - `mean_block`: $b \ge 1$, steps; infinite for one block to the end of the path. Shape `()`.
    - `drift`: $\mu$, a year; without effect unless `recentre`. Shape `(assets,)`.
    - `recentre`: whether the history's mean return is replaced by $(\mu - \tfrac12 s^2)\,\Delta t$, with $s^2\Delta t$ the sample
      variance of a row. A history is too short to know its trend, and a trend of the past is not a forecast. Static.
    - `align`: blocks begin at rows that are multiples of it, with 24 rows a day at the day's first hour. A day that begins at
      midnight is not a day that begins with any hour: the hours' volatilities differ, and a block's first hour is any of them.

    The row is an integer function of the uniforms, so the gradient to `mean_block` is zero; `log_returns` and `drift` have one.

    >>> market = Bootstrap([[0.01], [-0.02], [0.03]], mean_block=2.0, drift=[0.0], recentre=False)
    >>> constants = market.prepare(jnp.asarray(1 / 365))
    >>> row, move = market.step(constants, market.init(constants), jnp.zeros(0), jnp.array([0.9, 0.5]), jnp.asarray(0))
    >>> int(row), round(float(move.diffusion[0]), 3)
    (1, -0.02)
    """

    log_returns: Float[Array, "observations assets"] = leaf()
    mean_block: Float[Array, ""] = leaf()
    drift: Float[Array, " assets"] = leaf()
    recentre: bool = eqx.field(default=True, static=True)
    align: Int[Array, ""] = whole_leaf(default=1)

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = True

    def assets(self) -> int:
        return self.log_returns.shape[1]

    def noise(self) -> NoiseShape:
        """Two uniforms: whether a block ends, and where the next begins."""
        return NoiseShape(0, 2)

    def prepare(self, years_per_step: Float[Array, ""]) -> BootstrapConstants:
        rows = jnp.asarray(self.log_returns)
        mean = jnp.mean(rows, axis=0)
        deviations = rows - mean
        variance = jnp.mean(deviations**2, axis=0)
        if self.recentre:
            rows = deviations + (jnp.asarray(self.drift) * years_per_step - 0.5 * variance)
        return BootstrapConstants(rows, 1.0 / jnp.asarray(self.mean_block), variance)

    def init(self, constants: BootstrapConstants, uniforms=()) -> Int[Array, ""]:
        """The row used last; the first step draws its own."""
        return jnp.zeros((), jnp.int32)

    def step(
        self,
        constants: BootstrapConstants,
        state: Int[Array, ""],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[Int[Array, ""], Move]:
        """`Move.variance` is the history's mean; a bridge between steps is a guess here."""
        observations = constants.rows.shape[0]
        starts = -(-observations // self.align)
        drawn = self.align * jnp.minimum((uniforms[1] * starts).astype(jnp.int32), starts - 1)
        following = jnp.where(state + 1 < observations, state + 1, 0)
        fresh = (uniforms[0] < constants.fresh_probability) | (index == 0)
        row = jnp.where(fresh, drawn, following)
        move = constants.rows[row]
        return row, Move(move, jnp.zeros_like(move), constants.variance)


__all__ = ["Bootstrap", "BootstrapConstants"]

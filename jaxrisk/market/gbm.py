"""Geometric Brownian motion."""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from ._noise import correlate, correlation_factor
from .base import AbstractMarket, Move, NoiseShape


class GBMConstants(NamedTuple):
    """What `GBM` computes once: the mean, standard deviation and variance of a step, and the correlation's factor."""

    mean: Float[Array, " assets"]
    deviation: Float[Array, " assets"]
    variance: Float[Array, " assets"]
    factor: Float[Array, "assets assets"]


def brownian_constants(drift, volatility, correlation, years_per_step) -> GBMConstants:
    """Moments of one step of `(drift - volatility^2/2) dt + volatility dW`."""
    drift, volatility = jnp.asarray(drift), jnp.asarray(volatility)
    return GBMConstants(
        mean=(drift - 0.5 * volatility**2) * years_per_step,
        deviation=volatility * jnp.sqrt(years_per_step),
        variance=volatility**2 * years_per_step,
        factor=correlation_factor(correlation),
    )


class GBM(AbstractMarket):
    r"""Geometric Brownian motion (Black and Scholes, 1973).

    $$df = (\mu - \tfrac12\sigma^2)\,dt + \sigma\,dW,\qquad E[e^{f_t}] = e^{\mu t}$$

    **Arguments:**

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `volatility`: $\sigma$, a square-root year. Shape `(assets,)`.
    - `correlation`: of the Brownian motions. Shape `(assets, assets)`, positive definite.

    Exact in distribution for any step size.

    >>> market = GBM(drift=[0.0], volatility=[0.6], correlation=[[1.0]])
    >>> constants = market.prepare(jnp.asarray(1 / 365))
    >>> state, move = market.step(constants, market.init(constants), jnp.array([1.0]), jnp.zeros(0), jnp.asarray(0))
    >>> round(float(move.diffusion[0]), 4)
    0.0309
    """

    drift: Float[Array, " assets"] = leaf()
    volatility: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()

    brownian_between_steps: ClassVar[bool] = True
    every_day_alike: ClassVar[bool] = True

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """One normal an asset."""
        return NoiseShape(self.assets(), 0)

    def prepare(self, years_per_step: Float[Array, ""]) -> GBMConstants:
        return brownian_constants(self.drift, self.volatility, self.correlation, years_per_step)

    def init(self, constants: GBMConstants, uniforms=()) -> tuple[()]:
        """There is nothing to remember."""
        return ()

    def step(
        self,
        constants: GBMConstants,
        state: tuple[()],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[tuple[()], Move]:
        diffusion = constants.mean + constants.deviation * correlate(constants.factor, normals)
        return state, Move(diffusion, jnp.zeros_like(diffusion), constants.variance)


__all__ = ["GBM", "GBMConstants", "brownian_constants"]

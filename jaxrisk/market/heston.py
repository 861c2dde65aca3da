"""Stochastic variance, without jumps (Heston) and with (Bates)."""

from typing import ClassVar, Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from ._noise import correlate
from ._square_root import VarianceConstants, first_draws, first_variance, variance_constants, variance_step
from .base import AbstractMarket, Move, NoiseShape
from .jumps import NormalJumps, draw_normal_jumps, normal_jump_noise, normal_jumps
from .start import Start

Scheme = Literal["qe", "full_truncation"]


class Heston(AbstractMarket):
    r"""Square-root stochastic variance (Heston, 1993).

    $$df = (\mu - \tfrac12 v)\,dt + \sqrt v\,dW,\qquad dv = \kappa(\theta - v)\,dt + \xi\sqrt v\,dW_v,\qquad dW\,dW_v = \rho\,dt$$

    **Arguments:**

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `variance`: $v_0$, annualised, None for the mean; without effect where there is a `start`. Shape `(assets,)`.
    - `mean_variance`: $\theta$, annualised. Shape `(assets,)`.
    - `reversion`: $\kappa$, a year. Shape `(assets,)`.
    - `vol_of_variance`: $\xi$; below 1e-4 it counts as 1e-4. Shape `(assets,)`.
    - `leverage_correlation`: $\rho$ in [-1, 1]. Shape `(assets,)`.
    - `correlation`: $C$ between assets, both of the $W_v$ and of the part of $W$ that is independent of them. Two assets' $W$ are
      then correlated by $C_{ab}(\rho_a\rho_b + \sqrt{(1-\rho_a^2)(1-\rho_b^2)})$: by $C_{ab}$ if their leverage correlations are
      equal, by little less if they are near. Shape `(assets, assets)`, positive definite.
    - `scheme`: how a step is taken. Static.
    - `start`: None, `Stationary` (the gamma law of mean $\theta$ and shape $2\kappa\theta/\xi^2$) or a `Cloud` of variances.

    Schemes: `"qe"` is the quadratic-exponential scheme with martingale correction (Andersen, 2008; switch at 1.5, central
    weights): the variance stays non-negative and $E[e^{f_t}] = e^{\mu t}$ for any step as long as $\rho \le 0$ or the step is
    short. `"full_truncation"` (Lord, Koekkoek and van Dijk, 2010) is an Euler step whose variance may be negative, then counts as
    zero: a martingale too, biased at long steps, and twice as fast: 2.3 ns a path-step on two cores against 5.5.

    >>> market = Heston([0.0], [0.36], [0.36], [4.0], [1.5], [-0.4], [[1.0]])
    >>> constants = market.prepare(jnp.asarray(1 / 525600))
    >>> variance, move = market.step(constants, market.init(constants), jnp.array([1.0, 0.5]), jnp.zeros(0), jnp.asarray(0))
    >>> round(float(variance[0]), 4), round(float(move.diffusion[0]) * 1e4, 2)
    (0.3612, 0.48)
    """

    drift: Float[Array, " assets"] = leaf()
    variance: Float[Array, " assets"] | None = leaf()
    mean_variance: Float[Array, " assets"] = leaf()
    reversion: Float[Array, " assets"] = leaf()
    vol_of_variance: Float[Array, " assets"] = leaf()
    leverage_correlation: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    scheme: Scheme = eqx.field(default="qe", static=True)
    start: Start = None

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = False

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """Two normals an asset: those of the variances, then those of the prices."""
        return NoiseShape(2 * self.assets(), 0, first_draws(self.start, self.assets()))

    def prepare(self, years_per_step: Float[Array, ""]) -> VarianceConstants:
        return variance_constants(self, years_per_step)

    def init(self, constants: VarianceConstants, uniforms=()) -> Float[Array, " assets"]:
        """The variance."""
        return first_variance(constants, uniforms)

    def step(
        self,
        constants: VarianceConstants,
        state: Float[Array, " assets"],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[Float[Array, " assets"], Move]:
        assets = self.assets()
        variance_noise = correlate(constants.factor, normals[:assets])
        price_noise = correlate(constants.factor, normals[assets:])
        variance, diffusion, spent = variance_step(self.scheme, constants, state, variance_noise, price_noise)
        return variance, Move(diffusion, jnp.zeros_like(diffusion), spent)


class BatesConstants(NamedTuple):
    """What `Bates` computes once."""

    variance: VarianceConstants
    jumps: NormalJumps


class Bates(AbstractMarket):
    r"""Square-root stochastic variance with compensated normal jumps (Bates, 1996): `Heston` plus the jumps of `Merton`.

    $$df = (\mu - \tfrac12 v - \lambda k)\,dt + \sqrt v\,dW + dJ,\qquad dv = \kappa(\theta - v)\,dt + \xi\sqrt v\,dW_v,\qquad
      k = e^{m + d^2/2} - 1$$

    **Arguments:** those of `Heston` up to `correlation`, then `jump_rate`, `jump_mean`, `jump_sd`, `common_jump_probability` and
    `max_jumps` of `Merton`, then `scheme` and `start` of `Heston`; shapes, units and the warning about the gradient to
    `jump_rate` as there.

    >>> market = Bates([0.0], [0.36], [0.36], [4.0], [1.5], [-0.4], [[1.0]], [5.0], [-0.1], [0.15], 0.0, max_jumps=1)
    >>> market.noise()
    NoiseShape(normals=3, uniforms=1, first=0)
    >>> constants = market.prepare(jnp.asarray(1 / 525600))
    >>> variance, move = market.step(constants, market.init(constants), jnp.zeros(3), jnp.array([1e-6]), jnp.asarray(0))
    >>> round(float(move.jump[0]), 3)
    -0.1
    """

    drift: Float[Array, " assets"] = leaf()
    variance: Float[Array, " assets"] | None = leaf()
    mean_variance: Float[Array, " assets"] = leaf()
    reversion: Float[Array, " assets"] = leaf()
    vol_of_variance: Float[Array, " assets"] = leaf()
    leverage_correlation: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    jump_rate: Float[Array, " assets"] = leaf()
    jump_mean: Float[Array, " assets"] = leaf()
    jump_sd: Float[Array, " assets"] = leaf()
    common_jump_probability: Float[Array, ""] = leaf()
    max_jumps: int = eqx.field(default=8, static=True)
    scheme: Scheme = eqx.field(default="qe", static=True)
    start: Start = None

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = False

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """Normals of the variances, of the prices, of the jumps; uniforms of the jumps."""
        jumps = normal_jump_noise(self.assets())
        return NoiseShape(2 * self.assets() + jumps.normals, jumps.uniforms, first_draws(self.start, self.assets()))

    def prepare(self, years_per_step: Float[Array, ""]) -> BatesConstants:
        jumps = normal_jumps(
            self.jump_rate, self.jump_mean, self.jump_sd, self.common_jump_probability, years_per_step, self.max_jumps
        )
        variance = variance_constants(self, years_per_step)
        return BatesConstants(variance._replace(drift=variance.drift + jumps.compensator), jumps)

    def init(self, constants: BatesConstants, uniforms=()) -> Float[Array, " assets"]:
        """The variance."""
        return first_variance(constants.variance, uniforms)

    def step(
        self,
        constants: BatesConstants,
        state: Float[Array, " assets"],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[Float[Array, " assets"], Move]:
        """The compensator is part of `Move.diffusion`, so that `Move.jump` is zero when there is no jump."""
        assets = self.assets()
        variance_noise = correlate(constants.variance.factor, normals[:assets])
        price_noise = correlate(constants.variance.factor, normals[assets : 2 * assets])
        variance, diffusion, spent = variance_step(self.scheme, constants.variance, state, variance_noise, price_noise)
        return variance, Move(diffusion, draw_normal_jumps(constants.jumps, normals[2 * assets :], uniforms), spent)


__all__ = ["Bates", "BatesConstants", "Heston", "Scheme"]

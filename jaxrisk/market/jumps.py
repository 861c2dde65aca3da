"""Geometric Brownian motion with jumps: Merton's normal ones and Kou's double-exponential ones."""

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from ._counts import JumpRates, count_and_root, exceeds, jumps_needed, split_rates
from ._noise import correlate
from .base import AbstractMarket, Move, NoiseShape
from .gbm import GBMConstants, brownian_constants


class NormalJumps(NamedTuple):
    """Constants of normally distributed jumps: thresholds of their numbers, moments of one, compensator."""

    rates: JumpRates
    mean: Float[Array, " assets"]
    deviation: Float[Array, " assets"]
    compensator: Float[Array, " assets"]


def normal_jumps(jump_rate, jump_mean, jump_sd, common_probability, years_per_step, max_jumps: int) -> NormalJumps:
    """Constants for `draw_normal_jumps`."""
    jump_rate, jump_mean, jump_sd = jnp.asarray(jump_rate), jnp.asarray(jump_mean), jnp.asarray(jump_sd)
    return NormalJumps(
        rates=split_rates(jump_rate, common_probability, years_per_step, max_jumps),
        mean=jump_mean,
        deviation=jump_sd,
        compensator=-jump_rate * jnp.expm1(jump_mean + 0.5 * jump_sd**2) * years_per_step,
    )


def normal_jump_noise(assets: int) -> NoiseShape:
    """A normal and a uniform for each asset's own jumps, and with several assets one of each for the common ones."""
    return NoiseShape(1, 1) if assets == 1 else NoiseShape(assets + 1, assets + 1)


def draw_normal_jumps(constants: NormalJumps, normals, uniforms) -> Float[Array, " assets"]:
    """Sum of a step's jumps: given their number `n`, normal with mean `n m` and variance `n d^2`. Not compensated."""
    assets = constants.mean.shape[0]
    count, root = count_and_root(uniforms[:assets], constants.rates.own)
    jump = count * constants.mean + root * constants.deviation * normals[:assets]
    if assets > 1:
        count, root = count_and_root(uniforms[assets], constants.rates.common)
        jump = jump + count * constants.mean + root * constants.deviation * normals[assets]
    return jump


class MertonConstants(NamedTuple):
    """What `Merton` computes once."""

    brownian: GBMConstants
    jumps: NormalJumps


class Merton(AbstractMarket):
    r"""Geometric Brownian motion with compensated normal jumps (Merton, 1976).

    $$df = (\mu - \tfrac12\sigma^2 - \lambda k)\,dt + \sigma\,dW + dJ,\qquad k = e^{m + d^2/2} - 1$$

    **Arguments:**

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `volatility`: $\sigma$, a square-root year. Shape `(assets,)`.
    - `correlation`: of the Brownian motions. Shape `(assets, assets)`, positive definite.
    - `jump_rate`: $\lambda$, expected jumps a year. Shape `(assets,)`.
    - `jump_mean`: $m$, mean of a jump of the log price. Shape `(assets,)`.
    - `jump_sd`: $d$, its standard deviation. Shape `(assets,)`.
    - `common_jump_probability`: $p$ in [0, 1]: all assets jump together $p\min_a\lambda_a$ times a year, by sizes from the
      same standard normal, and each alone at what is left of its rate. Shape `()`; without effect for one asset.
    - `max_jumps`: the most jumps counted in a step; `jumps_needed` says how many that should be. Static.

    Exact in distribution for any step size. The number of jumps is a step function of `jump_rate`, so the pathwise gradient to
    `jump_rate` sees the compensator only and is no sensitivity: bump it.

    >>> market = Merton([0.0], [0.6], [[1.0]], jump_rate=[5.0], jump_mean=[-0.1], jump_sd=[0.15], common_jump_probability=0.0)
    >>> constants = market.prepare(jnp.asarray(1 / 365))
    >>> state, move = market.step(constants, (), jnp.zeros(2), jnp.array([0.001]), jnp.asarray(0))
    >>> round(float(move.jump[0]), 3)
    -0.1
    """

    drift: Float[Array, " assets"] = leaf()
    volatility: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    jump_rate: Float[Array, " assets"] = leaf()
    jump_mean: Float[Array, " assets"] = leaf()
    jump_sd: Float[Array, " assets"] = leaf()
    common_jump_probability: Float[Array, ""] = leaf()
    max_jumps: int = eqx.field(default=8, static=True)

    brownian_between_steps: ClassVar[bool] = True
    every_day_alike: ClassVar[bool] = True

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """One normal an asset for the diffusion, then those of the jumps."""
        jumps = normal_jump_noise(self.assets())
        return NoiseShape(self.assets() + jumps.normals, jumps.uniforms)

    def prepare(self, years_per_step: Float[Array, ""]) -> MertonConstants:
        jumps = normal_jumps(
            self.jump_rate, self.jump_mean, self.jump_sd, self.common_jump_probability, years_per_step, self.max_jumps
        )
        brownian = brownian_constants(self.drift, self.volatility, self.correlation, years_per_step)
        return MertonConstants(brownian._replace(mean=brownian.mean + jumps.compensator), jumps)

    def init(self, constants: MertonConstants, uniforms=()) -> tuple[()]:
        """There is nothing to remember."""
        return ()

    def step(
        self,
        constants: MertonConstants,
        state: tuple[()],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[tuple[()], Move]:
        """The compensator is part of `Move.diffusion`, so that `Move.jump` is zero when there is no jump."""
        assets, brownian = self.assets(), constants.brownian
        diffusion = brownian.mean + brownian.deviation * correlate(brownian.factor, normals[:assets])
        return state, Move(diffusion, draw_normal_jumps(constants.jumps, normals[assets:], uniforms), brownian.variance)


class KouConstants(NamedTuple):
    """What `Kou` computes once."""

    brownian: GBMConstants
    rates: JumpRates
    up_probability: Float[Array, " assets"]
    up_rate: Float[Array, " assets"]
    down_rate: Float[Array, " assets"]


def double_exponential(uniform, up_probability, up_rate, down_rate) -> Float[Array, "*shape"]:
    """Inverse distribution function of Kou's jump: up by an exponential of rate `up_rate` with `up_probability`, else down.

    >>> [round(float(double_exponential(u, 0.4, 10.0, 5.0)), 3) for u in (0.3, 0.8)]
    [-0.139, 0.069]
    """
    down = 1.0 - up_probability
    falls = uniform < down
    fall = jnp.log(jnp.where(falls, uniform / jnp.where(down > 0.0, down, 1.0), 1.0)) / down_rate
    rise = -jnp.log(jnp.where(falls, 1.0, (1.0 - uniform) / jnp.where(up_probability > 0.0, up_probability, 1.0))) / up_rate
    return jnp.where(falls, fall, rise)


class Kou(AbstractMarket):
    r"""Geometric Brownian motion with compensated double-exponential jumps (Kou, 2002).

    $$df = (\mu - \tfrac12\sigma^2 - \lambda k)\,dt + \sigma\,dW + dJ,\qquad
      k = \frac{p\,\eta_1}{\eta_1 - 1} + \frac{(1 - p)\,\eta_2}{\eta_2 + 1} - 1$$

    **Arguments:**

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `volatility`: $\sigma$, a square-root year. Shape `(assets,)`.
    - `correlation`: of the Brownian motions. Shape `(assets, assets)`, positive definite.
    - `jump_rate`: $\lambda$, expected jumps a year. Shape `(assets,)`.
    - `up_probability`: $p$, that a jump goes up. Shape `(assets,)`.
    - `up_rate`: $\eta_1 > 1$, one over the mean of a jump up of the log price. Shape `(assets,)`.
    - `down_rate`: $\eta_2 > 0$, one over the mean of a jump down. Shape `(assets,)`.
    - `common_jump_probability`: as in `Merton`; the sizes of common jumps come from the same uniforms. Shape `()`.
    - `max_jumps`: the most jumps counted in a step; each costs a uniform, so keep it at `jumps_needed`. Static.

    Exact in distribution for any step size. The gradient to `jump_rate` is no sensitivity, as in `Merton`.

    >>> market = Kou([0.0], [0.6], [[1.0]], [5.0], [0.4], [10.0], [5.0], common_jump_probability=0.0, max_jumps=2)
    >>> constants = market.prepare(jnp.asarray(1 / 365))
    >>> state, move = market.step(constants, (), jnp.zeros(1), jnp.array([0.001, 0.3, 0.5]), jnp.asarray(0))
    >>> round(float(move.jump[0]), 3)
    -0.139
    """

    drift: Float[Array, " assets"] = leaf()
    volatility: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    jump_rate: Float[Array, " assets"] = leaf()
    up_probability: Float[Array, " assets"] = leaf()
    up_rate: Float[Array, " assets"] = leaf()
    down_rate: Float[Array, " assets"] = leaf()
    common_jump_probability: Float[Array, ""] = leaf()
    max_jumps: int = eqx.field(default=8, static=True)

    brownian_between_steps: ClassVar[bool] = True
    every_day_alike: ClassVar[bool] = True

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """A normal an asset; a uniform for each number of jumps and one for each jump that there may be."""
        sources = self.assets() + (self.assets() > 1)
        return NoiseShape(self.assets(), sources * (1 + self.max_jumps))

    def prepare(self, years_per_step: Float[Array, ""]) -> KouConstants:
        up, up_rate, down_rate = jnp.asarray(self.up_probability), jnp.asarray(self.up_rate), jnp.asarray(self.down_rate)
        mean_growth = up / (up_rate - 1.0) - (1.0 - up) / (down_rate + 1.0)
        brownian = brownian_constants(self.drift, self.volatility, self.correlation, years_per_step)
        return KouConstants(
            brownian=brownian._replace(mean=brownian.mean - self.jump_rate * mean_growth * years_per_step),
            rates=split_rates(self.jump_rate, self.common_jump_probability, years_per_step, self.max_jumps),
            up_probability=up,
            up_rate=up_rate,
            down_rate=down_rate,
        )

    def init(self, constants: KouConstants, uniforms=()) -> tuple[()]:
        """There is nothing to remember."""
        return ()

    def step(
        self,
        constants: KouConstants,
        state: tuple[()],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[tuple[()], Move]:
        """The compensator is part of `Move.diffusion`, so that `Move.jump` is zero when there is no jump."""
        assets, brownian = self.assets(), constants.brownian
        diffusion = brownian.mean + brownian.deviation * correlate(brownian.factor, normals)
        sources = assets + (assets > 1)
        sizes = uniforms[sources:].reshape(self.max_jumps, sources)
        more = exceeds(uniforms[:assets], constants.rates.own)
        jump = jnp.zeros_like(diffusion)
        for k in range(self.max_jumps):
            jump = jump + jnp.where(more[k], self._size(constants, sizes[k, :assets]), 0.0)
        if assets > 1:
            more = exceeds(uniforms[assets], constants.rates.common)
            for k in range(self.max_jumps):
                jump = jump + jnp.where(more[k], self._size(constants, sizes[k, assets]), 0.0)
        return state, Move(diffusion, jump, brownian.variance)

    @staticmethod
    def _size(constants: KouConstants, uniform):
        return double_exponential(uniform, constants.up_probability, constants.up_rate, constants.down_rate)


__all__ = [
    "Kou",
    "KouConstants",
    "Merton",
    "MertonConstants",
    "NormalJumps",
    "double_exponential",
    "draw_normal_jumps",
    "jumps_needed",
    "normal_jump_noise",
    "normal_jumps",
]

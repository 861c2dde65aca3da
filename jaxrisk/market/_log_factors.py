"""Constants of a step of a log variance: of its factors, of its jumps, and of jumps of the price that grow with it."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from ._counts import JumpRates, split_rates
from ._gamma import gamma_table
from ._noise import correlation_factor


class FactorConstants(NamedTuple):
    """What a step needs of one factor, each of shape `(assets,)`."""

    pull: Float[Array, " assets"]
    """Share of its distance to zero that a step closes."""
    deviation: Float[Array, " assets"]
    """Of the factor's own noise in a step."""
    to_middle: Float[Array, " assets"]
    """What is left of it at the middle of a step."""
    with_price: Float[Array, " assets"]
    """Correlation of the step's noise with that of the price."""
    sd: Float[Array, " assets"]
    """Of the stationary law."""
    factor: Float[Array, "assets assets"]
    """Lower triangle of the stationary correlation between assets."""


class PriceJumps(NamedTuple):
    """Constants of normally distributed jumps whose size is partly fixed and partly in units of the present volatility."""

    rates: JumpRates
    expected: Float[Array, " assets"]
    """Jumps a step."""
    mean: Float[Array, " assets"]
    deviation: Float[Array, " assets"]
    scaled_mean: Float[Array, " assets"]
    scaled_deviation: Float[Array, " assets"]

    def sizes(self, daily_volatility):
        """Mean and standard deviation of a jump, and what a step takes back for the jumps that it expects."""
        mean = self.mean + self.scaled_mean * daily_volatility
        sd = self.deviation + self.scaled_deviation * daily_volatility
        return mean, sd, self.expected * jnp.expm1(mean + 0.5 * sd**2)


class VarianceJumps(NamedTuple):
    """Constants of the factor that jumps; `rates` is None where it jumps with the price."""

    rates: JumpRates | None
    pull: Float[Array, " assets"]
    to_middle: Float[Array, " assets"]
    mean: Float[Array, " assets"]
    shape: Float[Array, " assets"]
    """Of the stationary gamma law: jumps a mean life."""
    table: Float[Array, "assets scores"] | None
    """Its quantiles, where a path starts from it."""


def factor_constants(half_life, sd, leverage_correlation, correlation, years) -> FactorConstants:
    """Of one Ornstein-Uhlenbeck factor, exact for any step; arguments of shape `(assets,)`, `correlation` `(assets, assets)`."""
    time = np.log(2.0) * years / half_life
    pull, spent = -jnp.expm1(-time), -jnp.expm1(-2.0 * time)
    # correlation of the factor's noise over a step with the Brownian motion that drives it, at its end
    together = pull / jnp.sqrt(0.5 * time * spent)
    # of assets whose factors last differently the stationary correlation is less than that of their noise
    mutual = jnp.sqrt(spent[:, None] * spent) / (pull[:, None] + (1.0 - pull[:, None]) * pull)
    return FactorConstants(
        pull=pull,
        deviation=sd * jnp.sqrt(spent),
        to_middle=jnp.exp(-0.5 * time),
        with_price=leverage_correlation * together,
        sd=sd,
        factor=correlation_factor(jnp.asarray(correlation) * mutual),
    )


def price_jumps(rate, sizes, common_probability, years, max_jumps: int) -> PriceJumps:
    """`sizes`: mean and standard deviation in log price, then in daily volatilities; None counts as zero."""
    rate = jnp.asarray(rate)
    mean, deviation, scaled_mean, scaled_deviation = (jnp.zeros_like(rate) if x is None else jnp.asarray(x) for x in sizes)
    rates = split_rates(rate, common_probability, years, max_jumps)
    return PriceJumps(rates, rate * years, mean, deviation, scaled_mean, scaled_deviation)


def variance_jumps(mean, half_life, rate, years, max_jumps: int, stationary: bool) -> VarianceJumps:
    """`rate`: a year, whoever's jumps they are; `max_jumps`: 0 where they are the price's; `stationary`: whether to tabulate."""
    half_life = jnp.asarray(half_life)
    time = np.log(2.0) * years / half_life
    shape = rate * half_life / np.log(2.0)
    return VarianceJumps(
        rates=split_rates(rate, 0.0, years, max_jumps) if max_jumps else None,
        pull=-jnp.expm1(-time),
        to_middle=jnp.exp(-0.5 * time),
        mean=jnp.asarray(mean),
        shape=shape,
        table=gamma_table(shape) if stationary else None,
    )


__all__ = ["FactorConstants", "PriceJumps", "VarianceJumps", "factor_constants", "price_jumps", "variance_jumps"]

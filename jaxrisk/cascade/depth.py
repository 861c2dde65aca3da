"""Depth of the order book, which withdraws when volatility rises and comes back slowly."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array, leaf


class DepthState(NamedTuple):
    """`variance`: exponentially weighted realised variance, a year; `level`: depth as a share of normal. Shape `(assets,)`."""

    variance: Float[Array, " assets"]
    level: Float[Array, " assets"]


class Depth(eqx.Module):
    r"""Depth as a share of its normal level: $\min(1, (\sigma_\mathrm{ref}/\sigma)^\gamma)$, not below a floor.

    Realised volatility is an exponentially weighted mean of squared returns of the mark. Withdrawal is at once, recovery
    exponential.

    **Arguments**, each of shape `(assets,)`:

    - `exponent`: `gamma`.
    - `reference_volatility`: annualised, at and below which depth is normal.
    - `measurement_rate`: a year, of the weighted mean.
    - `recovery_rate`: a year.
    - `floor`: smallest share of depth left, in (0, 1].
    """

    exponent: Float[Array, " assets"] = leaf()
    reference_volatility: Float[Array, " assets"] = leaf()
    measurement_rate: Float[Array, " assets"] = leaf()
    recovery_rate: Float[Array, " assets"] = leaf()
    floor: Float[Array, " assets"] = leaf()

    def init(self) -> DepthState:
        variance = jnp.asarray(self.reference_volatility) ** 2
        return DepthState(variance, jnp.ones_like(variance))

    def prepare(self, years_per_step):
        """Weights of one step: of the newest return, and of recovery."""
        return -jnp.expm1(-self.measurement_rate * years_per_step), -jnp.expm1(-self.recovery_rate * years_per_step)

    def step(self, weights, state: DepthState, log_return, years_per_step) -> DepthState:
        newest, recovery = weights
        variance = state.variance + newest * (log_return**2 * (1.0 / years_per_step) - state.variance)
        calm = jnp.log(jnp.asarray(self.reference_volatility) ** 2 / jnp.maximum(variance, 1e-12))
        target = jnp.clip(jnp.exp(0.5 * self.exponent * calm), self.floor, 1.0)
        level = jnp.minimum(target, state.level + recovery * (1.0 - state.level))
        return DepthState(variance, level)

    def effective(self, state: DepthState, channel):
        """Depth with the withdrawal channel at a share of its strength."""
        return 1.0 - channel * (1.0 - state.level)

"""How forced volume moves the price."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array, leaf


class AbstractImpactLaw(eqx.Module):
    """Log-price displacement as an odd or tabulated, non-decreasing function of displaced volume (USD, selling positive)."""

    @abc.abstractmethod
    def displacement(self, volume: Float[Array, " assets"]) -> Float[Array, " assets"]:
        """Fall of the log price for a displaced volume (net sold, USD)."""


class LinearImpact(AbstractImpactLaw):
    r"""$h(X) = X / \mathrm{depth}$ (Kyle, 1985).

    **Arguments:** `depth`: USD per unit of log price, shape `(assets,)`.

    >>> float(LinearImpact([2e9]).displacement(jnp.array([1e8]))[0])
    0.05...
    """

    depth: Float[Array, " assets"] = leaf()

    def displacement(self, volume):
        return volume / self.depth


class PowerImpact(AbstractImpactLaw):
    r"""$h(X) = Y \sigma_d (|X|/V_d)^\delta \operatorname{sign} X$; `exponent` 1/2 is the square-root law (Toth et al., 2011).

    Below a millionth of the daily volume the law is smoothed to a finite slope, so that it has a derivative at zero.

    **Arguments**, each of shape `(assets,)`:

    - `coefficient`: `Y`, of order one.
    - `daily_volatility`: standard deviation of a day's log-return.
    - `daily_volume`: USD a day.
    - `exponent`: `delta`, in (0, 1].
    """

    coefficient: Float[Array, " assets"] = leaf()
    daily_volatility: Float[Array, " assets"] = leaf()
    daily_volume: Float[Array, " assets"] = leaf()
    exponent: Float[Array, " assets"] = leaf(default=0.5)

    def displacement(self, volume):
        ratio, small = volume / self.daily_volume, 1e-6
        # odd and smooth; a shifted power, (|x| + small)^d - small^d, would be a tenth too low even at 100 times `small`
        slope = jnp.exp(0.5 * (self.exponent - 1.0) * jnp.log(ratio**2 + small**2))
        return self.coefficient * self.daily_volatility * ratio * slope


class TableImpact(AbstractImpactLaw):
    """Impact read from an order-book snapshot: piecewise linear, beyond the last point at the last slope.

    **Arguments**, shape `(assets, levels)`, both rising: `volume`: net sold volume, USD (negative for buying); `move`: fall of
    the log price. A table with non-negative volumes only is taken to be odd.
    """

    volume: Float[Array, "assets levels"] = leaf()
    move: Float[Array, "assets levels"] = leaf()

    def displacement(self, volume):
        def one(x, volumes, moves):
            one_sided = volumes[0] >= 0.0
            side = jnp.where(one_sided & (x < 0.0), -1.0, 1.0)
            point = side * x
            index = jnp.clip(jnp.sum(point >= volumes) - 1, 0, volumes.shape[0] - 2)
            slope = (moves[index + 1] - moves[index]) / (volumes[index + 1] - volumes[index])
            move = moves[index] + slope * (point - volumes[index])
            # a one-sided table need not start at zero volume: below its first point it runs through the origin
            first = moves[0] / jnp.where(volumes[0] > 0.0, volumes[0], 1.0)
            move = jnp.where(one_sided & (point < volumes[0]), first * point, move)
            return side * move

        return jax.vmap(one)(volume, jnp.asarray(self.volume), jnp.asarray(self.move))


class TemporaryImpact(eqx.Module):
    r"""What execution costs while it lasts (Almgren and others, 2005).

    $$g = \eta\,\sigma_d\,(|q|/\nu)^\beta \operatorname{sign} q$$

    `q` is the net volume sold a year, averaged over the last moments with exponential weights, so that the price overshoots while
    liquidation engines are at work and comes back within minutes; `nu` is what the market trades a year, 365 daily volumes. As
    everywhere in `Impact`, volume counts by the depth at which it was executed. A step's orders count as spread over the step: a
    step longer than the relaxation sees the average of the overshoot.

    **Arguments**, each of shape `(assets,)`:

    - `coefficient`: `eta`, at least 0.
    - `exponent`: `beta`, in (0, 1]. Below a millionth of the market's rate the law is smoothed to a finite slope.
    - `relaxation_rate`: of the average, a year (`log 2` over the half-life).
    - `daily_volatility`: standard deviation of a day's log-return.
    - `daily_volume`: USD a day.

    >>> one = TemporaryImpact([1.0], [0.5], [1.8e5], [0.02], [1e10])
    >>> float(one.fall(jnp.array([365e10]))[0])  # selling at the rate at which the market trades
    0.0199...
    """

    coefficient: Float[Array, " assets"] = leaf()
    exponent: Float[Array, " assets"] = leaf()
    relaxation_rate: Float[Array, " assets"] = leaf()
    daily_volatility: Float[Array, " assets"] = leaf()
    daily_volume: Float[Array, " assets"] = leaf()

    def weights(self, years_per_step) -> tuple[Float[Array, " assets"], Float[Array, " assets"]]:
        """What a step leaves of the average rate, and what a dollar executed in it adds (per year)."""
        passed = self.relaxation_rate * years_per_step
        return jnp.exp(-passed), -jnp.expm1(-passed) / years_per_step

    def fall(self, rate) -> Float[Array, " assets"]:
        """Fall of the log price for an average rate of net selling, USD a year."""
        law = PowerImpact(self.coefficient, self.daily_volatility, 365.0 * self.daily_volume, self.exponent)
        return law.displacement(rate)


class Impact(eqx.Module):
    r"""From executed volume to the displacement of the price: $I_a = h_a\big(\sum_b C_{ab} X_b\big)$.

    The displaced volume `X` is the sum of a transient part, which relaxes exponentially, and a permanent share. Volume counts by
    the depth at which it was executed: sold into half the normal depth it displaces twice as much, then and later, and a price
    never moves because depth alone changes.

    **Arguments:**

    - `law`: `LinearImpact`, `PowerImpact` or `TableImpact`.
    - `relaxation_rate`: of displaced volume, a year (`log 2` over the half-life), shape `(assets,)`.
    - `permanent_share`: of displaced volume, in [0, 1], shape `(assets,)`; under a square-root law a tenth of the volume leaves a
      third of the impact.
    - `cross`: `C`, volume of `b` that counts for `a`, ones on the diagonal, shape `(assets, assets)`.
    - `common_holders`: USD of `a` (first axis) that holders of both sell for each forced dollar of `b` (second axis), zeros on
      the diagonal, shape `(assets, assets)`; None for none. How a fall reaches an asset without leverage of its own.
    - `temporary`: what comes on top while orders are executed, by their rate; None for nothing.
    """

    law: AbstractImpactLaw
    relaxation_rate: Float[Array, " assets"] = leaf()
    permanent_share: Float[Array, " assets"] = leaf()
    cross: Float[Array, "assets assets"] = leaf()
    common_holders: Float[Array, "assets assets"] | None = leaf(default=None)
    temporary: TemporaryImpact | None = None

    def fall(self, volume, feedback, rate=None) -> Float[Array, " assets"]:
        """Fall of each asset's log price for the displaced volumes, and for the rate of execution where there is a temporary
        part; `feedback` switches it between 0 and 1."""
        if volume.shape[0] > 1:
            volume = jnp.sum(self.cross * volume, axis=-1)
        lasting = self.law.displacement(volume)
        return feedback * (lasting if rate is None or self.temporary is None else lasting + self.temporary.fall(rate))

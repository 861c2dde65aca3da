"""What is observed along a path: running statistics only."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array
from .bridge import Between


class Drawdown(NamedTuple):
    """Running maximum of a log price, deepest fall below it so far, and the step at which that was reached."""

    high: Float[Array, "..."]
    deepest: Float[Array, "..."]
    trough: Int[Array, "..."]

    @staticmethod
    def start(shape, dtype) -> "Drawdown":
        """At time zero, at log price zero."""
        zero = jnp.zeros(shape, dtype)
        return Drawdown(zero, zero, jnp.zeros(shape, jnp.int32))

    def observe(self, price, index) -> "Drawdown":
        """At the end of one step, of which nothing else is known."""
        return self._after(self.high - price, price, index)

    def observe_between(self, begin, inside: Between, end, index) -> "Drawdown":
        """Over one step whose log price ran from `begin` on as `inside`, and then to `end`.

        Falls from what was highest before the step, from the step's own highest to its end, and those inside, are all of them.
        """
        high = jnp.maximum(self.high, begin + inside.high)
        fall = jnp.maximum(self.high - (begin + inside.low), jnp.maximum(inside.fall, high - end))
        return self._after(fall, jnp.maximum(high, end), index)

    def _after(self, fall, high, index) -> "Drawdown":
        deeper = fall > self.deepest
        trough = jnp.where(deeper, index + 1, self.trough)
        return Drawdown(jnp.maximum(self.high, high), jnp.maximum(self.deepest, fall), trough)

    def fraction(self):
        """Deepest fall as a fraction of the running maximum, in [0, 1]."""
        return -jnp.expm1(-self.deepest)


class Observation(NamedTuple):
    """Running statistics of one path.

    `index` of the basket, `asset` by asset, and the same without feedback; `lowest` log price; `notional` liquidated by venue,
    asset and side, USD at the mark before its own impact; `minute` so far in this minute and its `peak`; `sums` of `start_sums`.
    Of several assets the basket is seen at the ends of steps only, also where the bridge finds the extremes of each asset.
    """

    index: Drawdown
    asset: Drawdown
    index_without: Drawdown
    asset_without: Drawdown
    lowest: Float[Array, " assets"]
    notional: Float[Array, "venues assets sides"]
    minute: Float[Array, ""]
    peak: Float[Array, ""]
    sums: dict[str, Array]

    @staticmethod
    def start(venues: int, assets: int, dtype, sums: dict[str, Array]) -> "Observation":
        """At time zero."""
        one, each, zero = Drawdown.start((), dtype), Drawdown.start((assets,), dtype), jnp.zeros((), dtype)
        notional = jnp.zeros((venues, assets, 2), dtype)
        return Observation(one, each, one, each, jnp.zeros(assets, dtype), notional, zero, zero, sums)


class Realised(NamedTuple):
    """Exponentially weighted `variance` of index returns, a year, and `trend`, log return a year. Shape `(assets,)`."""

    variance: Float[Array, " assets"]
    trend: Float[Array, " assets"]

    @staticmethod
    def start(flow, assets: int, dtype) -> "Realised":
        """At the reference volatility, without a trend."""
        zero = jnp.zeros(assets, dtype)
        return Realised(zero if flow is None else jnp.asarray(flow.reference_volatility, dtype) ** 2, zero)

    @staticmethod
    def none(like) -> "Realised":
        """Where nobody asks."""
        return Realised(jnp.zeros_like(like), jnp.zeros_like(like))

    def step(self, log_return, years, newest) -> "Realised":
        """After a step's return; `newest`: its weight."""
        variance = self.variance + newest * (log_return**2 * (1.0 / years) - self.variance)
        return Realised(variance, self.trend + newest * (log_return * (1.0 / years) - self.trend))


def start_sums(scenario, dtype) -> dict[str, Array]:
    """Zeros for what this scenario has to sum up besides liquidations; nothing where there is nothing else.

    `lost_CAUSE`: open interest lost to liquidated, stopped, reduced and auto-deleveraged positions, USD; `stopped`, `reduced`,
    `deleveraged`: notional, USD, shape `(venues,)`; `common`: net sales by common holders, USD, shape `(assets,)`; `moved`: what
    each venue's orders (first axis) had moved each venue's mark by at its lowest, log; `lowest_mark`; `paid_by_class`: what fund,
    auto-deleveraged winners and everybody (first axis) paid of what each class owed, USD, shape `(payers, venues, classes)`;
    `negative`: accounts whose last close was beyond the bankruptcy price, `(venues, classes)`; `AccountBook` counts its own.
    """
    venues, assets = scenario.venues.local_impact.shape
    each, marks = jnp.zeros(venues, dtype), jnp.zeros((venues, assets), dtype)
    sums = {}
    if scenario.venues.backstop is not None:
        sums["deleveraged"] = each
    if scenario.stops:
        sums["stopped"] = each
    if scenario.calls is not None:
        sums["reduced"] = each
    if scenario.impact.common_holders is not None:
        sums["common"] = jnp.zeros(assets, dtype)
    if sums:
        sums |= {f"lost_{cause}": jnp.zeros((), dtype) for cause in ("liquidated", "stopped", "reduced", "deleveraged")}
    if scenario.settings.owed_by_class and scenario.venues.backstop is not None and scenario.book != "flow":
        classes = len(scenario.names.classes)
        sums["paid_by_class"] = jnp.zeros((3, venues, classes), dtype)
        if scenario.book == "ladder":
            sums["negative"] = jnp.zeros((venues, classes), dtype)
    if venues > 1:
        sums |= {"moved": jnp.zeros((venues, venues, assets), dtype), "lowest_mark": marks}
    return sums


def log_index(log_price: Float[Array, " assets"], weight: Float[Array, " assets"]) -> Float[Array, ""]:
    """Log of a basket of fixed quantities over its initial value; the price itself where there is one asset."""
    if log_price.shape[0] == 1:
        return log_price[0]
    return jnp.log(jnp.sum(weight * jnp.exp(log_price)))

"""Maintenance-margin tiers, and the price at which a position falls below them."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .._leaf import Array, leaf
from .whole_size import log_first_short, rate_of, tier_floor

TIER_RULES = ("marginal", "whole")


class Tiers(eqx.Module):
    r"""Margin tiers of every venue and asset.

    Under the rule `marginal` a position of notional `N` needs $MM(N) = \max_i (m_i N - D_i)$. With rising rates and amounts that
    make `MM` continuous at the tier edges this is the venue's table, because a continuous piecewise-linear function with rising
    slopes is the largest of its lines. So no tier is ever looked up, and a liquidation price is exact at the edges too.

    Under `whole` it needs $MM(N) = m_i N$ with the rate of the one tier that `N` lies in: a jump at each edge. A tier holds from
    its floor on, the floor itself included, up to the next one's, which is not. Who has just the margin is not liquidated.

    **Arguments**, each of shape `(venues, assets, levels)`, short tables padded by repeating their last row:

    - `floor`: notional from which the tier holds, USD.
    - `max_leverage`: highest leverage a position of that size may be opened with.
    - `rate`: maintenance rate `m`.
    - `amount`: maintenance amount `D`, USD; 0 under `whole`.

    `rule`: a word of `TIER_RULES` for each venue, static; without any, amounts are what they are for: `marginal` everywhere.
    """

    floor: Float[Array, "venues assets levels"] = leaf()
    max_leverage: Float[Array, "venues assets levels"] = leaf()
    rate: Float[Array, "venues assets levels"] = leaf()
    amount: Float[Array, "venues assets levels"] = leaf()
    rule: tuple[str, ...] = eqx.field(static=True, default=())

    @staticmethod
    def flat(rate: float, max_leverage: float = 1e6, venues: int = 1, assets: int = 1) -> "Tiers":
        """One tier for every size.

        >>> float(Tiers.flat(0.005).rate[0, 0, 0])
        0.005
        """
        shape = (venues, assets, 1)
        ones = np.ones(shape)
        return Tiers(0.0 * ones, max_leverage * ones, rate * ones, 0.0 * ones)

    def leverage_allowed(self, venue, asset, notional: Float[Array, " positions"]) -> Float[Array, " positions"]:
        """Highest leverage at which a position of this notional (USD) may be opened."""
        reached = notional[:, None] >= self.floor[venue, asset]
        return jnp.min(jnp.where(reached, self.max_leverage[venue, asset], jnp.inf), axis=-1)

    def rows(self, venue, asset) -> "Rows":
        """The rows that hold for each position, by indices of shape `(positions,)`."""
        whole = jnp.asarray(self.whole)[venue] if any(self.whole) else None
        return Rows(*(jnp.asarray(x)[venue, asset] for x in (self.floor, self.rate, self.amount)), whole)

    @property
    def whole(self) -> tuple[bool, ...]:
        """Whether each venue applies a tier's rate to the whole position."""
        return tuple(word == "whole" for word in self.rule or ("marginal",) * self.rate.shape[0])


class Rows(NamedTuple):
    """Tier rows of each position: `floor`, `rate`, `amount` as in `Tiers`, shape `(positions, levels)`; `whole`: whether its
    venue applies a rate to the whole position, shape `(positions,)`, None where no venue does."""

    floor: Float[Array, "positions levels"]
    rate: Float[Array, "positions levels"]
    amount: Float[Array, "positions levels"]
    whole: Bool[Array, " positions"] | None = None

    def times(self, level: Float[Array, " positions"]) -> "Rows":
        """A multiple of the requirement."""
        return self._replace(rate=level[:, None] * self.rate, amount=level[:, None] * self.amount)

    def margin(self, notional: Float[Array, " positions"]) -> Float[Array, " positions"]:
        """Maintenance margin of a notional, USD."""
        lines = maintenance_margin(notional, self.rate, self.amount)
        return lines if self.whole is None else jnp.where(self.whole, rate_of(notional, self.floor, self.rate) * notional, lines)

    def lower(self, notional: Float[Array, " positions"]) -> Float[Array, " positions"]:
        """The largest notional of the tier below, USD, 0 in the lowest: the tier's floor; under `whole` just under it."""
        floor = jnp.max(jnp.where(self.floor <= notional[:, None], self.floor, 0.0), axis=-1)
        return floor if self.whole is None else jnp.where(self.whole, tier_floor(notional, self.floor), floor)

    def log_liquidation_price(self, side, notional, margin, inverse, close_out=0.0, log_start=0.0, only=None):
        """Log of the liquidation price over the entry price, by the venue's rule: as the function of that name.

        Under `whole` a position may fall short, and have enough again in a lower tier. Its liquidation price is the first at
        which it falls short as the price moves against it from `log_start` (log over the entry price, shape `(positions,)`):
        before that, toward the entry, if it falls short at the start. A rise that carries a long into a higher tier, and the
        margin it lacks there, are not looked for: the price moves in its favour.

        `only`: tiers in which being short counts, shape `(positions, levels)`; None for all.
        """
        lines = log_liquidation_price(side, notional, margin, self.rate, self.amount, inverse, close_out)
        if self.whole is None:
            return lines
        sign = jnp.broadcast_to(jnp.asarray(side, lines.dtype), lines.shape)
        jumps = log_first_short(sign, notional, margin, self.floor, self.rate, inverse, log_start, only)
        none = jnp.zeros_like(self.rate[:, :1])
        fixed = log_liquidation_price(side, notional, margin, none, none, inverse, close_out)
        jumps = jnp.where(sign > 0.0, jnp.maximum(jumps, fixed), jnp.minimum(jumps, fixed))
        return jnp.where(self.whole, jumps, lines)


def maintenance_margin(notional, rate, amount):
    r"""Margin below which a position is liquidated under marginal tiers, $\max_i (m_i N - D_i)$, USD.

    **Arguments:** `notional`: `N`, USD, shape `(positions,)`; `rate`, `amount`: shape `(positions, levels)`.

    >>> float(maintenance_margin(jnp.array([1e6]), jnp.array([[0.004, 0.0065]]), jnp.array([[0.0, 1500.0]]))[0])
    5000.0
    """
    return jnp.max(rate * notional[:, None] - amount, axis=-1)


def log_liquidation_price(side, notional, margin, rate, amount, inverse, close_out=0.0):
    r"""Log of the liquidation price over the entry price under marginal tiers.

    Linear contract, for each tier line, $S/E = (1 - s\,c - s D/N)/(1 - s m)$ with `c = margin` the collateral over the entry
    notional `N`; inverse contract $S/E = (s + m - D/N)/(s + c)$. A long is liquidated at the highest of its tiers' prices, a
    short at the lowest, which is exact because the maintenance margin is the largest of the tier lines.

    **Arguments**, shapes `(positions,)` unless said:

    - `side`: +1 long, -1 short.
    - `notional`: USD at entry.
    - `margin`: collateral as a fraction of `notional` (one over the effective leverage).
    - `rate`, `amount`: tier lines `m` and `D` (USD), shape `(positions, levels)`.
    - `inverse`: whether the contract is coin-margined.
    - `close_out`: further requirement, as a fraction of `notional`, that does not move with the price: for example half of
      the initial margin under the EU's rule.

    Returns `log(S/E)`; `+inf` for a short that cannot be liquidated, `-inf` for such a long.

    >>> round(float(jnp.exp(log_liquidation_price(1.0, jnp.array([1e4]), jnp.array([0.1]), jnp.array([[0.005]]),
    ...     jnp.array([[0.0]]), jnp.array([False])))[0]), 5)
    0.90452
    """
    notional = jnp.asarray(notional)
    side = jnp.broadcast_to(jnp.asarray(side, notional.dtype), notional.shape)[:, None]
    margin = jnp.broadcast_to(margin, notional.shape)[:, None]
    close_out = jnp.broadcast_to(close_out, notional.shape)[:, None]
    share = amount / notional[:, None]
    rate = jnp.concatenate([rate, jnp.zeros_like(close_out)], axis=-1)
    share = jnp.concatenate([share, -close_out], axis=-1)
    linear = (1.0 - side * margin - side * share) / (1.0 - side * rate)
    held = side + margin
    coin = (side + rate - share) / jnp.where(held == 0.0, 1.0, held)
    never = side * jnp.where(held * side <= 0.0, -jnp.inf, 0.0)
    coin = jnp.where(held * side <= 0.0, never, coin)
    ratio = jnp.where(inverse[:, None], coin, linear)
    ratio = jnp.where(side[:, 0] > 0, jnp.max(ratio, axis=-1), jnp.min(ratio, axis=-1))
    positive = ratio > 0.0
    return jnp.where(positive, jnp.log(jnp.where(positive, ratio, 1.0)), -jnp.inf)


__all__ = ["TIER_RULES", "Rows", "Tiers", "log_liquidation_price", "maintenance_margin"]

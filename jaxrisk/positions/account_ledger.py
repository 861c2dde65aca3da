"""What does not change of the accounts of `AccountBook`, and the sums over them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .book import Cells
from .kept import kept_on_tangents
from .whole_size import UNDER

PerAccount = Float[Array, " accounts"]
Held = Float[Array, "markets accounts"]
Markets = Float[Array, " markets"]
Sides = Float[Array, "markets sides"]


class Margins(eqx.Module):
    """Tier lines by market, and a fixed requirement.

    **Fields:** `floor`, `rate`, `amount`: shape `(markets, levels)`, as in `Tiers`; `close_out`: requirement that does not move
    with the price, over the sum of an account's quantities, shape `(accounts,)`, None for none; `inverse`: whether a market's
    contracts are coin-margined, `whole`: whether a tier's rate holds for the whole position there, static.
    """

    floor: Float[Array, "markets levels"]
    rate: Float[Array, "markets levels"]
    amount: Float[Array, "markets levels"]
    close_out: PerAccount | None
    inverse: tuple[bool, ...] = eqx.field(static=True)
    whole: tuple[bool, ...] = eqx.field(static=True)

    @property
    def coin(self) -> np.ndarray:
        """Whether a market's contracts are coin-margined, shape `(markets, 1)`."""
        return np.array(self.inverse)[:, None]

    def worth(self, quantity: Held, ratio: Markets) -> Held:
        """Notional of each position, USD."""
        return jnp.abs(quantity) * jnp.where(self.coin, 1.0, ratio[:, None])

    def required(self, quantity: Held, ratio: Markets) -> PerAccount:
        """Maintenance margin of each account: the sum over its positions, and no less than the fixed requirement."""
        worth = self.worth(quantity, ratio)
        lines = [self.rate[:, i, None] * worth - self.amount[:, i, None] for i in range(self.rate.shape[1])]
        most, whole = lines[0], np.array(self.whole)[:, None]
        for i, line in enumerate(lines[1:], 1):
            if any(self.whole):
                here = jnp.where(worth >= self.floor[:, i, None], line, most)
                most = here if all(self.whole) else jnp.where(whole, here, jnp.maximum(most, line))
            else:
                most = jnp.maximum(most, line)
        needed = jnp.sum(most, axis=0)
        if self.close_out is None:
            return needed
        fixed = self.close_out * jnp.sum(jnp.abs(quantity), axis=0)
        return jnp.where(fixed > needed, fixed, needed)

    def kept(self, equity: PerAccount, quantity: Held, ratio: Markets, fee, target) -> PerAccount:
        """Share that each account may keep of all its positions to have `target` times its margin when the rest is closed, for
        a `fee` on it; `kept.py` says how. Zero where there is no such share."""
        worth = self.worth(quantity, ratio)
        fixed = None if self.close_out is None else self.close_out * jnp.sum(jnp.abs(quantity), axis=0)
        whole = np.array(self.whole)[:, None]

        def tangent(share: PerAccount) -> tuple[PerAccount, PerAccount]:
            left = share * worth
            best, rate, amount = jnp.full_like(worth, -jnp.inf), jnp.zeros_like(worth), jnp.zeros_like(worth)
            for i in range(self.rate.shape[1]):
                line = self.rate[:, i, None] * left - self.amount[:, i, None]
                # at an edge the lower one, which is the one that holds for what is smaller
                more = line > best
                if any(self.whole):
                    more = jnp.where(whole, left >= self.floor[:, i, None], more)
                best = jnp.where(more, line, best)
                rate, amount = jnp.where(more, self.rate[:, i, None], rate), jnp.where(more, self.amount[:, i, None], amount)
            slope, deduction = jnp.sum(rate * worth, axis=0), jnp.sum(amount, axis=0)
            if fixed is None:
                return slope, deduction
            binds = fixed * share > slope * share - deduction
            return jnp.where(binds, fixed, slope), jnp.where(binds, 0.0, deduction)

        def edges(share: PerAccount) -> tuple[PerAccount, PerAccount]:
            below, above = jnp.zeros_like(worth), jnp.full_like(worth, jnp.inf)
            for i in range(self.floor.shape[1]):
                floor, has = self.floor[:, i, None], whole & (worth > 0.0)
                at = floor / jnp.where(has, worth, 1.0)
                reached = share * worth >= floor
                below = jnp.where(has & reached & (at > below), at, below)
                above = jnp.where(has & ~reached & (at < above), at, above)
            return jnp.max(below, axis=0), jnp.min(above, axis=0)

        pieces = 1 + self.rate.shape[0] * self.rate.shape[1]
        gross = jnp.sum(worth, axis=0)
        if not any(self.whole):
            return kept_on_tangents(equity, gross, tangent, pieces, fee, target)
        return kept_on_tangents(equity, gross, tangent, 3 * pieces, fee, target, edges)

    def above_floor(self, worth: Held) -> PerAccount:
        """Share of its largest position that takes that position to the floor of its tier, where a rate holds for the whole
        position just under it; 1 in the lowest."""
        floor, under = jnp.zeros_like(worth), 1.0 - UNDER * np.array(self.whole)[:, None]
        for i in range(self.floor.shape[1]):
            edge = self.floor[:, i, None]
            floor = jnp.where(worth >= edge, edge * under if any(self.whole) else edge, floor)
        largest = jnp.max(worth, axis=0)
        floor = jnp.max(jnp.where(worth == largest, floor, 0.0), axis=0)
        inside = largest > floor
        return jnp.where(inside, 1.0 - floor / jnp.where(inside, largest, 1.0), 1.0)


class Ledger(eqx.Module):
    """Accounts by their place in the arrays; `markets` are venues times assets.

    **Fields:** `weight`: how many accounts of a kind there are, shape `(accounts,)`; `entry`: entry price over initial price, and
    `side`: 1 for a long position, -1 for a short one, 0 for none, `(markets, accounts)`; `home`: 1 for an account's own venue,
    `(venues, accounts)`, and `account_class`: 1 for its class, `(classes, accounts)`, both None where there is one only;
    `margins`; `inverse`: by venue, static.
    """

    weight: PerAccount
    entry: Held
    side: Held
    home: Float[Array, "venues accounts"] | None
    account_class: Float[Array, "classes accounts"] | None
    margins: Margins
    inverse: tuple[bool, ...] = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Venues and assets."""
        return len(self.inverse), self.entry.shape[0] // len(self.inverse)

    @property
    def coin(self) -> np.ndarray:
        """Whether a market's contracts are coin-margined, shape `(markets, 1)`."""
        return self.margins.coin

    def at_home(self, by_venue: Float[Array, " venues"]):
        """Of each account its own venue's entry."""
        if self.home is None:
            return by_venue[0]
        return sum(by_venue[i] * self.home[i] for i in range(self.home.shape[0]))

    def by_home(self, amount: PerAccount) -> Float[Array, " venues"]:
        """Sum over all accounts by their own venue."""
        amount = self.weight * amount
        return jnp.sum(amount, keepdims=True) if self.home is None else jnp.sum(self.home * amount, axis=-1)

    def cells(self, amount: Held) -> Cells:
        """Sum over all accounts by market and by the side of their position.

        As a matrix product, which reads the amounts once for all sums: the other ways were three to four times slower.
        """
        markets = amount.shape[0]
        here = jnp.eye(markets, dtype=amount.dtype)[:, None, :, None]
        sides = jnp.stack([self.side > 0.0, self.side < 0.0], axis=-1).astype(amount.dtype)
        columns = (here * (self.weight[:, None] * sides)[:, :, None, :]).reshape(amount.size, 2 * markets)
        total = jnp.dot(amount.reshape(-1), columns, precision=jax.lax.Precision.HIGHEST)
        return total.reshape(*self.shape, 2)

    def cells_by_home(self, amount: Held) -> Cells:
        """The same with the venue that of the account, not of the position."""
        if self.home is None:
            return self.cells(amount)
        return jnp.stack([jnp.sum(self.cells(amount * self.home[i]), axis=0) for i in range(self.home.shape[0])])

    def sided(self, sides: Sides) -> Held:
        """Of each position its side's entry."""
        return jnp.where(self.side > 0.0, sides[:, :1], sides[:, 1:])

    def profit(self, quantity: Held, ratio: Markets) -> Held:
        """Unrealised, of each position, USD."""
        x = ratio[:, None]
        return quantity * jnp.where(self.coin, x / self.entry - 1.0, x - self.entry)


__all__ = ["Held", "Ledger", "Margins", "Markets", "PerAccount", "Sides"]

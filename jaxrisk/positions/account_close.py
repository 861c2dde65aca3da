"""What closing accounts comes to: what is left of them, who takes their positions, in which order."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .._leaf import Array
from .account_ledger import Held, Ledger, Markets, PerAccount, Sides
from .account_state import AccountState
from .ranking import SCORES, Standing, highest_first, to_level


class Spared(NamedTuple):
    """What is kept from the market: `share` of the accounts' orders, of which `cap` by market and side is matched; the bankruptcy
    price is that at which `hole`, equity over notional at the prices `ratio`, is made good."""

    share: PerAccount
    hole: PerAccount
    cap: Sides
    ratio: Markets


class Uneven(NamedTuple):
    """Shares that may differ between the positions of an account, because some of them wait: `each`; `most` of any that there is;
    `even`: whether it is the same for all."""

    each: Held
    most: PerAccount
    even: Bool[Array, " accounts"]


def uneven(each: Held, quantity: Held, of_none) -> Uneven:
    """Shares of each position, compared where an account has one; `of_none`: the share of an account that has none, and waits for
    no market."""
    held = quantity != 0.0
    most = jnp.where(jnp.any(held, axis=0), jnp.max(jnp.where(held, each, 0.0), axis=0), of_none)
    return Uneven(each, most, jnp.all(~held | (each == most), axis=0))


class Detail(NamedTuple):
    """Orders by account: `share` of its positions sent by the engine, the most of any where they differ, and `reduced` by itself,
    by position where markets may halt; `spared`: None before that; `uneven`: the engine's, where markets may halt."""

    share: PerAccount
    reduced: PerAccount | Held | None
    spared: Spared | None = None
    uneven: Uneven | None = None

    @property
    def each(self) -> PerAccount | Held:
        """Share of each position sent by the engine."""
        return self.share if self.uneven is None else self.uneven.each

    def final(self, state: AccountState) -> Bool[Array, " accounts"]:
        """Whether what is sent of an account is closed for good: of one that is, and has no position that waits while others go.

        Until then the collateral stays against what waits, and what is closed is paid into it, or out of it.
        """
        final = state.pending >= 1.0
        return final if self.uneven is None else final & self.uneven.even


class Result(NamedTuple):
    """What the engine's orders come to, of ONE account, USD: `final`: whether it is closed for good; `left`: equity of what is
    closed, of the whole account where that is a part of it; `own`: the same before anything was matched at bankruptcy prices;
    `fee`; `worth` of each position; `matched`: share of each position's order that is spared the market."""

    final: Bool[Array, " accounts"]
    left: PerAccount
    own: PerAccount
    fee: PerAccount
    worth: Held
    matched: Held | None


def result(ledger: Ledger, state: AccountState, detail: Detail, ratio: Markets, fee: Float[Array, " venues"]) -> Result:
    """At these prices over the initial ones, and at bankruptcy prices for what is matched."""
    final, unequal = detail.final(state), detail.uneven
    worth, equity, matched = ledger.margins.worth(state.quantity, ratio), state.equity(ratio), None
    of_closed = lambda equity: jnp.where(final, detail.share * equity, equity)
    sent, own = worth, of_closed(equity)
    spared = detail.spared
    if spared is not None:
        matched = spared.share * ledger.sided(spared.cap)
        factor = bankruptcy_factor(ledger, spared.hole)
        x, at = ratio[:, None], spared.ratio[:, None]
        gain = state.quantity * jnp.where(ledger.coin, 1.0 - x * factor / at, at * factor - x)
        equity = equity + jnp.sum(matched * gain, axis=0)
        sent = worth * (1.0 - matched)
    left = of_closed(equity)
    most = jnp.where(left > 0.0, left, 0.0)
    wanted = ledger.at_home(fee) * detail.share * jnp.sum(sent, axis=0)
    if unequal is not None:
        wanted = jnp.where(unequal.even, wanted, ledger.at_home(fee) * jnp.sum(unequal.each * sent, axis=0))
    return Result(final, left, own, jnp.where(wanted < most, wanted, most), worth, matched)


def bankruptcy_factor(ledger: Ledger, hole: PerAccount) -> Held:
    """Bankruptcy price over the price at which the hole was found (that over it for inverse contracts); kept positive.

    A position of notional N in an account of equity E and gross notional G is to make good E N/G.
    """
    against = jnp.where(ledger.coin, 1.0, -1.0) * jnp.where(ledger.side > 0.0, 1.0, -1.0)
    factor = 1.0 + against * hole
    return jnp.where(factor > 0.01, factor, 0.01)


def free_quantity(state: AccountState, detail: Detail) -> Held:
    """What of each position can be closed against somebody else's order."""
    left = jnp.where(state.pending <= 0.0, 1.0, 0.0)
    if detail.reduced is not None:
        left = left * (1.0 - detail.reduced)
    return jnp.abs(state.quantity) * left


def ranked_share(
    ledger: Ledger,
    ranking: tuple[str, ...],
    state: AccountState,
    free: Held,
    ratio: Markets,
    wanted: Sides,
    even: Sides,
) -> Held:
    """Share of each position that is deleveraged so that `wanted` of each market and side is, in each venue's order.

    **Arguments:** `free`: quantity that may be, of ONE position; `even`: the share where the venue has no order.
    """
    taken = ledger.sided(even)
    names = [name for name in dict.fromkeys(ranking) if name != "pro_rata"]
    if not names:
        return taken
    long = ledger.side > 0.0
    held = jnp.concatenate([jnp.where(long, free, 0.0), jnp.where(long, 0.0, free)])
    goal = wanted.T.reshape(-1)
    standing = _standing(ledger, state, ratio)
    for name in names:
        if name == "minimax_leverage":
            price = jnp.tile(jnp.where(ledger.coin[:, 0], 1.0, ratio), 2)
            share = to_level(jnp.sum(standing.worth, axis=0), standing.solid, held, price, ledger.weight, goal)
        else:
            share = highest_first(jnp.tile(SCORES[name](standing), (2, 1)), held * ledger.weight, goal)
        markets = long.shape[0]
        share = jnp.where(long, share[:markets], share[markets:])
        here = np.repeat([name == one for one in ranking], ledger.shape[1])[:, None]
        taken = jnp.where(here, share, taken)
    return taken


def _standing(ledger: Ledger, state: AccountState, ratio: Markets) -> Standing:
    x, size = ratio[:, None], jnp.abs(state.quantity)
    return Standing(
        worth=ledger.margins.worth(state.quantity, ratio),
        profit=ledger.profit(state.quantity, ratio),
        cost=jnp.where(ledger.coin, size, size * ledger.entry),
        gain=jnp.where(ledger.side > 0.0, x / ledger.entry, ledger.entry / x),
        equity=state.equity(ratio),
        margin=ledger.margins.required(state.quantity, ratio),
    )


__all__ = ["Detail", "Result", "Spared", "Uneven", "bankruptcy_factor", "free_quantity", "ranked_share", "result", "uneven"]

"""Populations as accounts, under their limits."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._leaf import Array
from .account_ledger import Held, Margins, PerAccount
from .cross import CrossAccounts
from .limits import Limits, binding
from .placing import Contracts, Placed


class Rows(NamedTuple):
    """Of ONE account of each kind, USD, prices over the initial ones.

    `base` and `exposure`: equity is base + sum of exposure times price; `quantity`, signed; `entry` price; `home` venue and
    `account_class`, indices; `close_out`: a fixed requirement over the sum of quantities; `initial`: margin over notional;
    `alive`: whether it has its maintenance margin; `weight`: how many there are.
    """

    weight: PerAccount
    base: PerAccount
    quantity: Held
    exposure: Held
    entry: Held
    home: Int[Array, " accounts"]
    account_class: Int[Array, " accounts"]
    close_out: PerAccount
    initial: PerAccount
    alive: Bool[Array, " accounts"]

    def equity(self) -> PerAccount:
        """At the initial prices."""
        return self.base + jnp.sum(self.exposure, axis=0)


def margins_of(contracts: Contracts, close_out: PerAccount | None) -> Margins:
    """Tier lines by market."""
    tiers, (venues, assets, levels) = contracts.tiers, contracts.tiers.rate.shape
    by_market = lambda x: jnp.asarray(x).reshape(venues * assets, levels)
    inverse = tuple(coin for coin in contracts.inverse for _ in range(assets))
    whole = tuple(rule for rule in tiers.whole for _ in range(assets))
    return Margins(by_market(tiers.floor), by_market(tiers.rate), by_market(tiers.amount), close_out, inverse, whole)


def isolated(placed: Placed, contracts: Contracts) -> Rows:
    """Each position as an account with one market.

    Of a coin-margined contract the collateral is its own coin, without a haircut.
    """
    p, (venues, assets, _) = placed.positions, contracts.tiers.rate.shape
    dtype = p.quantity.dtype
    sign = jnp.where(p.side == 0, 1.0, -1.0).astype(dtype)
    entry, coin = jnp.exp(p.log_entry), jnp.asarray(contracts.inverse)[p.venue]
    size = jnp.where(coin, p.notional, p.notional / entry)
    here = (jnp.arange(venues * assets)[:, None] == p.venue * assets + p.asset).astype(dtype)
    # linear: collateral, and s q (x - entry); inverse: coins, and s N (x / entry - 1)
    base = p.notional * jnp.where(coin, -sign, placed.margin - sign)
    exposure = jnp.where(coin, p.notional / entry * (placed.margin + sign), sign * size)
    some = size > 0.0
    return Rows(
        weight=jnp.where(some, p.quantity / jnp.where(some, size, 1.0), 0.0),
        base=base,
        quantity=here * (sign * size),
        exposure=here * exposure,
        entry=jnp.where(here > 0.0, entry, 1.0),
        home=p.venue,
        account_class=p.account_class,
        close_out=placed.close_out * jnp.where(coin, 1.0, entry),
        initial=placed.margin,
        alive=placed.alive,
    )


def cross(population: CrossAccounts, contracts: Contracts, price: Float[Array, " assets"]) -> Rows:
    """Accounts as they stand; collateral in coins is at the prices of the account's own venue, less its haircut."""
    p, (venues, assets, _) = population, contracts.tiers.rate.shape
    home = jnp.asarray(p.home, jnp.int32)
    market, sign = jnp.asarray(p.venue) * assets + jnp.asarray(p.asset), jnp.where(jnp.asarray(p.side) > 0, 1.0, -1.0)
    initial, opened = price[p.asset], jnp.asarray(p.entry_price)
    coin, entry = jnp.asarray(contracts.inverse)[p.venue], opened / initial
    held = sign.astype(opened.dtype) * p.quantity * jnp.where(coin, opened, initial)
    nothing = jnp.zeros((venues * assets, home.shape[0]), opened.dtype)
    add = lambda values: nothing.at[market, p.account].add(values)
    quantity, exposure, cost = add(held), add(jnp.where(coin, held / entry, held)), add(jnp.where(coin, held, held * entry))
    counted = 1.0 if contracts.haircut is None else 1.0 - jnp.asarray(contracts.haircut)[home]
    coins = (jnp.asarray(p.coins) * price * counted).T
    collateral = jnp.concatenate([jnp.where(home == venue, coins, 0.0) for venue in range(venues)])
    # the entry price of what is left of two sides in one market
    linear = ~margins_of(contracts, None).coin
    top, bottom = jnp.where(linear, cost, quantity), jnp.where(linear, quantity, exposure)
    mean = top / jnp.where(bottom != 0.0, bottom, 1.0)
    rows = Rows(
        weight=jnp.asarray(p.weight),
        base=jnp.asarray(p.cash) - jnp.sum(cost, axis=0),
        quantity=quantity,
        exposure=exposure + collateral,
        entry=jnp.where((bottom != 0.0) & (mean > 0.0), mean, 1.0),
        home=home,
        account_class=jnp.asarray(p.account_class, jnp.int32),
        close_out=jnp.zeros_like(nothing[0]),
        initial=jnp.zeros_like(nothing[0]),
        alive=jnp.ones(home.shape, bool),
    )
    gross = jnp.sum(jnp.abs(quantity), axis=0)
    return _judged(rows._replace(initial=rows.equity() / jnp.where(gross > 0.0, gross, 1.0)), contracts)


def _judged(rows: Rows, contracts: Contracts) -> Rows:
    """With those marked dead that have less than their maintenance margin at the initial prices."""
    ones = jnp.ones(rows.quantity.shape[0], rows.base.dtype)
    required = margins_of(contracts, rows.close_out).required(rows.quantity, ones)
    empty = jnp.all(rows.quantity == 0.0, axis=0)
    return rows._replace(alive=rows.alive & (empty | (rows.equity() >= required)))


def limited(rows: Rows, contracts: Contracts, limits: Limits) -> list[Rows]:
    """Accounts under cross margin that keep their positions, and those that close a part of them.

    What is capped is gross notional over equity at the initial prices. A limit for one asset is met by the accounts whose
    largest position is in it, one for a venue by those at home there; nothing reopens elsewhere.
    """
    assets = contracts.tiers.rate.shape[1]
    size = jnp.abs(rows.quantity)
    gross, equity = jnp.sum(size, axis=0), rows.equity()
    limit = binding(limits, rows.account_class, rows.home, jnp.argmax(size, axis=0) % assets, gross)
    finite = jnp.isfinite(limit.cap)
    cap = jnp.where(finite, limit.cap, 1.0)
    binds = rows.alive & finite & (gross > cap * equity)
    downsized = jnp.where(binds, limit.share_downsize, 0.0)
    initial = jnp.where(binds, 1.0 / cap, rows.initial)
    rows = rows._replace(close_out=jnp.where(finite, limit.close_out / cap, 0.0), initial=initial)
    kept = jnp.where(binds, cap * equity / jnp.where(binds, gross, 1.0), 1.0)
    sold = rows.quantity * (1.0 - kept)  # at the initial prices, so that equity stays as it is
    smaller = rows._replace(
        weight=rows.weight * downsized,
        base=rows.base + jnp.sum(sold, axis=0),
        quantity=rows.quantity * kept,
        exposure=rows.exposure - sold,
    )
    posting = rows._replace(weight=rows.weight * (1.0 - downsized), base=rows.base + jnp.where(binds, gross / cap - equity, 0.0))
    return [_judged(posting, contracts), _judged(smaller, contracts)]


def join(groups: list[Rows]) -> Rows:
    """One flat set of accounts out of several."""
    return Rows(*(jnp.concatenate(columns, axis=-1) for columns in zip(*groups, strict=True)))


__all__ = ["Rows", "cross", "isolated", "join", "limited", "margins_of"]

r"""In which order the holders of one side are deleveraged, and how much of each position.

Scores are of positions, the highest goes first; whole positions are closed, the last of them in part, and equal scores share in
proportion, so that it makes no difference whether a holder has one account or two. The threshold is found by bisection, without
a sort; which positions are above it is taken as given by derivatives, how much of the last one is closed is not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._leaf import Array

TINY = 1e-6
"""Least equity over notional in a ratio: holders with less go first, and are under margin at the next check."""


class Standing(NamedTuple):
    """What the orders of deleveraging look at, for each account, in USD; `markets` are venues times assets.

    `worth`: notional of each position now; `profit`: unrealised, of each position; `cost`: notional at entry; `gain`: price now
    over entry, to the power of the side; then of the account: `equity`, `margin`: maintenance margin.
    """

    worth: Float[Array, "markets accounts"]
    profit: Float[Array, "markets accounts"]
    cost: Float[Array, "markets accounts"]
    gain: Float[Array, "markets accounts"]
    equity: Float[Array, " accounts"]
    margin: Float[Array, " accounts"]

    @property
    def solid(self) -> Float[Array, " accounts"]:
        """Equity, and a millionth of the notional where there is less."""
        least = TINY * jnp.sum(self.worth, axis=0)
        least = jnp.where(least > 0.0, least, 1.0)
        return jnp.where(self.equity > least, self.equity, least)


def binance(s: Standing) -> Float[Array, "markets accounts"]:
    r"""$\max(0, \mathrm{uPnL}) / \max(1, \mathrm{wallet}) \cdot \mathrm{MM}/(\mathrm{wallet} + \mathrm{uPnL})$, by account.

    The wallet is the equity less the unrealised profit and loss of all positions. A vendor's documentation, see
    `configs/venues`.
    """
    profit = jnp.sum(s.profit, axis=0)
    wallet = s.equity - profit
    wallet = jnp.where(wallet > 1.0, wallet, 1.0)
    score = jnp.where(profit > 0.0, profit, 0.0) / wallet * s.margin / s.solid
    return jnp.broadcast_to(score, s.worth.shape)


def hyperliquid(s: Standing) -> Float[Array, "markets accounts"]:
    r"""$(\text{mark}/\text{entry})^s \cdot \text{notional}/\text{account value}$, by position."""
    return s.gain * s.worth / s.solid


def bitmex(s: Standing) -> Float[Array, "markets accounts"]:
    r"""PnL% times effective leverage where there is a profit, over it where there is a loss, by position.

    PnL% is unrealised profit over entry value; effective leverage $|\text{mark value}|/(\text{mark value} - \text{bankruptcy
    value})$ is notional over equity of the account, since equity is allotted to positions by notional.
    """
    held = s.cost > 0.0
    percent = jnp.where(held, s.profit / jnp.where(held, s.cost, 1.0), 0.0)
    notional = jnp.sum(s.worth, axis=0)
    notional = jnp.where(notional > 0.0, notional, 1.0)
    leverage = notional / s.solid
    return percent * jnp.where(percent > 0.0, leverage, 1.0 / leverage)


SCORES = {"binance": binance, "hyperliquid": hyperliquid, "bitmex": bitmex}


def highest_first(
    score: Float[Array, "cells accounts"], held: Float[Array, "cells accounts"], wanted: Float[Array, " cells"]
) -> Float[Array, "cells accounts"]:
    """Share of each position that is closed so that `wanted` of all that is `held` is, the highest score first.

    All of everything where less is held than wanted.

    >>> highest_first(jnp.array([[3.0, 1.0, 3.0]]), jnp.array([[1.0, 5.0, 3.0]]), jnp.array([6.0])).tolist()
    [[1.0, 0.4..., 1.0]]
    """
    key = _ordered(jax.lax.stop_gradient(jnp.where(score == 0.0, 0.0, score)))  # both zeros are one number
    mass = lambda chosen: jnp.sum(jnp.where(chosen, held, 0.0), axis=-1)
    fixed, goal = jax.lax.stop_gradient(held), jax.lax.stop_gradient(wanted)
    at_least = lambda level: jnp.sum(jnp.where(key >= level[:, None], fixed, 0.0), axis=-1) >= goal
    level = _bisect(at_least, goal > 0.0, key.dtype)[:, None]
    above, equal = key > level, key == level
    rest, there = wanted - mass(above), mass(equal)
    part = jnp.where(there > 0.0, rest / jnp.where(there > 0.0, there, 1.0), 0.0)
    part = jnp.clip(part, 0.0, 1.0)[:, None]
    closed = jnp.where(above, 1.0, jnp.where(equal, part, 0.0))
    return jnp.where((wanted > 0.0)[:, None], closed, 0.0)


def to_level(
    notional: Float[Array, " accounts"],
    equity: Float[Array, " accounts"],
    held: Float[Array, "cells accounts"],
    price: Float[Array, " cells"],
    weight: Float[Array, " accounts"],
    wanted: Float[Array, " cells"],
) -> Float[Array, "cells accounts"]:
    r"""Share of each position that is closed so that the highest leverage, notional over equity, becomes as low as it can.

    Every account above a level $l^*$ is taken down to $N = l^* E$ (water-filling), as far as its position on this side goes. The
    optimal order for the expected loss on one asset (arXiv 2603.15963).

    **Arguments:** `notional`, `equity` of ONE account, USD; `held`: quantity of ONE position, zero where it is out of the
    question; `price`: USD of notional a unit of quantity; `weight`: how many accounts there are of each kind; `wanted`: quantity.
    """
    worth, goal = held * price[:, None], wanted * price

    def cut(level, notional, equity, worth):
        over = notional - level[:, None] * equity
        return over, over > 0.0, over >= worth

    fixed = jax.lax.stop_gradient((notional, equity, worth))
    counts, target = jax.lax.stop_gradient((weight, goal))

    def enough(key):
        over, some, all_of_it = cut(_number(key, notional.dtype), *fixed)
        closed = jnp.where(all_of_it, fixed[2], jnp.where(some, over, 0.0))
        return jnp.sum(counts * closed, axis=-1) >= target

    kind = jnp.int64 if notional.dtype == jnp.float64 else jnp.int32
    level = _number(_bisect(enough, target > 0.0, kind, lowest=0), notional.dtype)
    _, some, whole = cut(level, *fixed)
    whole, some = whole & (worth > 0.0), some & ~whole & (worth > 0.0)
    total = lambda chosen, values: jnp.sum(jnp.where(chosen, weight * values, 0.0), axis=-1)
    # given who is cut, the level is where the cuts add up to the goal
    slope = total(some, equity)
    level = (total(some, notional) + total(whole, worth) - goal) / jnp.where(slope > 0.0, slope, 1.0)
    over = (notional - level[:, None] * equity) / jnp.where(worth > 0.0, worth, 1.0)
    closed = jnp.where(whole, 1.0, jnp.where(some, jnp.clip(over, 0.0, 1.0), 0.0))
    return jnp.where((wanted > 0.0)[:, None], closed, 0.0)


def _ordered(x: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Integers in the order of the numbers: their bits, turned round where negative."""
    kind, largest = (jnp.int64, 2**63 - 1) if x.dtype == jnp.float64 else (jnp.int32, 2**31 - 1)
    bits = jax.lax.bitcast_convert_type(x, kind)
    return jnp.where(bits < 0, bits ^ jnp.asarray(largest, kind), bits)


def _number(key: Int[Array, "*shape"], dtype) -> Float[Array, "*shape"]:
    """The number at a place in that order, for those not negative."""
    return jax.lax.bitcast_convert_type(key, dtype)


def _bisect(holds, needed: Bool[Array, " cells"], kind, lowest=None) -> Int[Array, " cells"]:
    """Largest integer at which `holds`, which is true below some level, for each cell; no turn of the loop where none is needed.

    As many turns as the integer has bits at most. No derivative passes.
    """
    limits = jnp.iinfo(kind)
    infinite = 0x7F800000 if kind == jnp.int32 else 0x7FF0000000000000
    low = jnp.where(needed, jnp.asarray(limits.min if lowest is None else lowest, kind), 0)
    high = jnp.where(needed, jnp.asarray(infinite, kind), 0)

    def body(ends):
        low, high = ends
        middle = (low & high) + ((low ^ high) >> 1)  # the mean without overflow
        above = holds(middle)
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    # of two neighbours the mean is the lower one
    going = lambda ends: jnp.any((ends[0] & ends[1]) + ((ends[0] ^ ends[1]) >> 1) > ends[0])
    return jax.lax.while_loop(going, body, (low, high))[0]


__all__ = ["SCORES", "Standing", "binance", "bitmex", "highest_first", "hyperliquid", "to_level"]

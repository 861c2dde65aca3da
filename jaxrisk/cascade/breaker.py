"""Circuit breakers: halts of trading or of liquidations, price bands, and the auction of what has gathered."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._leaf import Array, leaf
from ..positions import Gate

BUCKETS = 32
"""In which extremes are kept: a window of so many steps, or fewer, is exact."""
_SLACK = (1e-4, 1e-6)
"""Of a number of steps, absolute and relative: what rounding leaves beyond a whole one is none."""


class Breaker(eqx.Module):
    """When each venue stops, for how long, and how it goes on.

    A venue halts, with all its contracts, when the mark of any of them has moved by `halt_move` from its highest or lowest within
    `halt_window`; one of its contracts halts, by itself, when its own mark has moved by `contract_move`. The window is of marks
    since so many steps ago, exactly up to 32 of them; a longer window is seen in pieces of up to a sixteenth of it
    and is up to two of them shorter. Where `trading` halts, its marks stand where they were before that move, no stop order,
    call, liquidation, voluntary close or opening is executed there, and at the end its marks are at once where the market's price
    is by then. Such a halt lasts whole steps, no fewer than `halt_length` has. Where liquidations alone halt, its marks go on and
    positions fall due; nothing is liquidated there. Whatever else is traded goes on, unless the halt holds for `all_venues`: then
    the same contracts halt there too. Where a contract stands still on every venue, so does its market's price, and the
    fundamental and displaced volume do not. Nothing is lost by a halt: what is due waits in the backlog, at a loss that may grow.

    **Arguments**, shape `(venues,)` unless said or static:

    - `halt_move`: log price; infinite for never. `halt_window`, `halt_length`: years.
    - `price_band`: log price: while a mark is further than this from its average (exponential weights with `halt_window` as
      time constant) nothing is liquidated on that venue, the first step after a halt aside; infinite for none.
    - `auction`: share of its backlog that the engine sends at once in the first step after a halt, all its rounds together, at
      least its usual one.
    - `auction_depth`: how many times deeper the market is for a venue's orders in that step.
    - `contract_move`, `contract_band`: the same as `halt_move` and `price_band` of each contract by itself, shape
      `(venues, assets)`; None where no venue has any.
    - `trading`, `all_venues`: of each venue. Static.
    """

    halt_move: Float[Array, " venues"] = leaf()
    halt_window: Float[Array, " venues"] = leaf()
    halt_length: Float[Array, " venues"] = leaf()
    price_band: Float[Array, " venues"] = leaf()
    auction: Float[Array, " venues"] = leaf()
    auction_depth: Float[Array, " venues"] = leaf()
    trading: tuple[bool, ...] = eqx.field(static=True)
    all_venues: tuple[bool, ...] = eqx.field(static=True)
    contract_move: Float[Array, "venues assets"] | None = leaf(default=None)
    contract_band: Float[Array, "venues assets"] | None = leaf(default=None)


class BreakerState(NamedTuple):
    """`highs`, `lows`: extremes of the mark in each piece of the window, the current one first; `average` of the mark; `left`:
    steps of a contract's halt that are left, 0 for none; `reopened`: whether this is the first step after one."""

    highs: Float[Array, "venues assets buckets"]
    lows: Float[Array, "venues assets buckets"]
    average: Float[Array, "venues assets"]
    left: Float[Array, "venues assets"]
    reopened: Bool[Array, "venues assets"]

    @staticmethod
    def start(venues: int, assets: int, dtype) -> "BreakerState":
        """At time zero."""
        zero = jnp.zeros((venues, assets, BUCKETS), dtype)
        return BreakerState(zero, zero, zero[..., 0], zero[..., 0], jnp.zeros((venues, assets), bool))


def window_of(breaker: Breaker, years) -> tuple[Int[Array, " venues"], Int[Array, " venues"]]:
    """Steps of a piece of each venue's window, and how many pieces it has."""
    steps = jnp.clip(jnp.round(breaker.halt_window / years), 1.0, 1e6).astype(jnp.int32)
    length = -(-steps // BUCKETS)
    return length, steps // length


def halted_for(breaker: Breaker, years) -> Float[Array, " venues"]:
    """Steps that a halt lasts: whole ones where trading halts."""
    steps = breaker.halt_length / years
    slack = _SLACK[0] + _SLACK[1] * steps
    whole, up = jnp.round(steps), jnp.ceil(steps - slack)
    # as long as it was asked for, to the last bits; its derivative is that of the length
    near = steps + jax.lax.stop_gradient(jnp.where(jnp.abs(whole - steps) < slack, whole - steps, 0.0))
    return jnp.where(jnp.asarray(breaker.trading), jnp.maximum(up, 0.0), near)


def frozen(breaker: Breaker, state: BreakerState) -> Bool[Array, "venues assets"]:
    """Which marks stand still."""
    return (state.left > 0.0) & jnp.asarray(breaker.trading)[:, None]


def check(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"], years) -> BreakerState:
    """At a step's mark before liquidations: whether a halt goes on, ends, or begins; `mark`: where it is, or would be."""
    before = state.left > 0.0
    left = jnp.maximum(state.left - 1.0, 0.0)
    reopened = before & (left <= 0.0)
    inside = jnp.arange(BUCKETS) < window_of(breaker, years)[1][:, None, None]
    high = jnp.max(jnp.where(inside, state.highs, -jnp.inf), axis=-1)
    low = jnp.min(jnp.where(inside, state.lows, jnp.inf), axis=-1)
    moved = jnp.maximum(high - mark, mark - low)
    begins = (jnp.max(moved, axis=-1) >= breaker.halt_move)[:, None]
    if breaker.contract_move is not None:
        begins = begins | (moved >= breaker.contract_move)
    begins = begins & ~before
    everywhere = jnp.any(begins & jnp.asarray(breaker.all_venues)[:, None], axis=0)
    begins = begins | (everywhere & ~before)
    left = jnp.where(begins, halted_for(breaker, years)[:, None], left)
    return state._replace(left=left, reopened=reopened)


def open_share(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"]) -> Float[Array, "venues assets"]:
    """Share of the step in which orders of an engine are taken."""
    away = jnp.abs(mark - state.average)
    within = jnp.all(away <= breaker.price_band[:, None], axis=-1, keepdims=True)
    if breaker.contract_band is not None:
        within = within & (away <= breaker.contract_band)
    trading = jnp.asarray(breaker.trading)[:, None]
    going = jnp.where(trading, state.left <= 0.0, 1.0 - jnp.minimum(state.left, 1.0))
    return jnp.where(state.reopened | within, going, 0.0).astype(mark.dtype)


def gate(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"], rounds: int = 1) -> Gate:
    """What lets orders through in one of a step's rounds."""
    auction = breaker.auction
    if rounds > 1:  # of what is left in each, so that all together send the share
        some = auction < 1.0
        auction = jnp.where(some, -jnp.expm1(jnp.log1p(-jnp.where(some, auction, 0.0)) / rounds), 1.0)
    least = jnp.where(state.reopened, auction[:, None], 0.0).astype(mark.dtype)
    return Gate(~frozen(breaker, state), least, open_share(breaker, state, mark))


def depth_factor(breaker: Breaker, state: BreakerState) -> Float[Array, "venues assets"]:
    """How many times deeper the market is for orders in each contract."""
    return jnp.where(state.reopened & (breaker.auction > 0.0)[:, None], breaker.auction_depth[:, None], 1.0)


def watch(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"], index, years) -> BreakerState:
    """After a step: the marks that later moves are measured from, forgotten when a halt ends."""
    new = ((index + 1) % window_of(breaker, years)[0] == 0)[:, None, None]

    def kept(old, extreme):
        now = extreme(old[..., 0], mark)[..., None]
        shifted = jnp.concatenate([mark[..., None], now, old[..., 1:-1]], axis=-1)
        same = jnp.concatenate([now, old[..., 1:]], axis=-1)
        return jnp.where(state.reopened[..., None], mark[..., None], jnp.where(new, shifted, same))

    newest = -jnp.expm1(-years / breaker.halt_window)[:, None]
    return state._replace(
        highs=kept(state.highs, jnp.maximum),
        lows=kept(state.lows, jnp.minimum),
        average=state.average + newest * (mark - state.average),
    )


__all__ = ["BUCKETS", "Breaker", "BreakerState", "check", "depth_factor", "frozen", "gate", "halted_for", "open_share", "watch",
           "window_of"]  # fmt: skip

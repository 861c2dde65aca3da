"""Circuit breakers: halts of trading or of liquidations, price bands, and the auction of what has gathered."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .._leaf import Array, leaf

BUCKETS = 8


class Breaker(eqx.Module):
    """When each venue stops, for how long, and how it goes on.

    A venue halts, with all its contracts, when the mark of any of them has moved by `halt_move` from its highest or lowest within
    `halt_window` (seen in eighths of the window). Where `trading` halts, its marks stand where they were before that move,
    nobody is called, stopped or liquidated there, and at the end its marks are at once where the market's price is by then. Where
    liquidations alone halt, its marks go on and positions fall due; its engine sends nothing. Whoever is on another venue goes
    on, unless the halt holds for `all_venues`; where every venue stands still, so does the market's price, and the fundamental
    and displaced volume do not. Nothing is lost by a halt: what is due waits in the venue's backlog, at a loss that may grow.

    **Arguments**, shape `(venues,)` unless static:

    - `halt_move`: log price; infinite for never. `halt_window`, `halt_length`: years.
    - `price_band`: log price: while its mark is further than this from its average (exponential weights with `halt_window` as
      time constant) a venue's engine sends nothing; infinite for none.
    - `auction`: share of its backlog that the engine sends at once in the first step after a halt, at least its usual one.
    - `auction_depth`: how many times deeper the market is for a venue's orders in that step.
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

    @staticmethod
    def single(move=np.inf, window=5 / 525600, length=5 / 525600, band=np.inf, auction=0.0, depth=1.0, trading=True):
        """One venue; times in years."""
        return Breaker([move], [window], [length], [band], [auction], [depth], (trading,), (False,))


class BreakerState(NamedTuple):
    """`highs`, `lows`: extremes of the mark in each eighth of the window, the current one first; `average` of the mark; `left`:
    steps of the halt that are left, 0 for none; `reopened`: whether this is the first step after one."""

    highs: Float[Array, "venues assets buckets"]
    lows: Float[Array, "venues assets buckets"]
    average: Float[Array, "venues assets"]
    left: Float[Array, " venues"]
    reopened: Bool[Array, " venues"]

    @staticmethod
    def start(venues: int, assets: int, dtype) -> "BreakerState":
        """At time zero."""
        zero = jnp.zeros((venues, assets, BUCKETS), dtype)
        return BreakerState(zero, zero, zero[..., 0], zero[:, 0, 0], jnp.zeros(venues, bool))


def frozen(breaker: Breaker, state: BreakerState) -> Bool[Array, " venues"]:
    """Whose marks stand still."""
    return (state.left > 0.0) & jnp.asarray(breaker.trading)


def check(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"], years) -> BreakerState:
    """At a step's mark before liquidations: whether a halt goes on, ends, or begins; `mark`: where it is, or would be."""
    before = state.left > 0.0
    left = jnp.maximum(state.left - 1.0, 0.0)
    reopened = before & (left <= 0.0)
    high, low = jnp.max(state.highs, axis=-1), jnp.min(state.lows, axis=-1)
    moved = jnp.max(jnp.maximum(high - mark, mark - low), axis=-1)
    begins = (moved >= breaker.halt_move) & ~before
    everywhere = jnp.any(begins & jnp.asarray(breaker.all_venues))
    begins = begins | (everywhere & ~before)
    left = jnp.where(begins, breaker.halt_length / years, left)
    return state._replace(left=left, reopened=reopened)


def open_share(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"]) -> Float[Array, " venues"]:
    """Share of the step in which a venue's engine sends orders."""
    within = jnp.all(jnp.abs(mark - state.average) <= breaker.price_band[:, None], axis=-1)
    going = jnp.where(jnp.asarray(breaker.trading), state.left <= 0.0, 1.0 - jnp.minimum(state.left, 1.0))
    return jnp.where(within, going, 0.0).astype(mark.dtype)


def sent_share(breaker: Breaker, state: BreakerState, mark, engine_share) -> Float[Array, " venues"]:
    """Share of its backlog that each venue's engine sends now."""
    share = jnp.where(state.reopened, jnp.maximum(engine_share, breaker.auction), engine_share)
    return share * open_share(breaker, state, mark)


def depth_factor(breaker: Breaker, state: BreakerState) -> Float[Array, " venues"]:
    """How many times deeper the market is for each venue's orders."""
    return jnp.where(state.reopened & (breaker.auction > 0.0), breaker.auction_depth, 1.0)


def watch(breaker: Breaker, state: BreakerState, mark: Float[Array, "venues assets"], index, years) -> BreakerState:
    """After a step: the marks that later moves are measured from, forgotten when a halt ends."""
    length = jnp.maximum(1, jnp.round(breaker.halt_window / years / BUCKETS).astype(jnp.int32))
    new = ((index + 1) % length == 0)[:, None, None]

    def kept(old, extreme):
        now = extreme(old[..., 0], mark)[..., None]
        shifted = jnp.concatenate([mark[..., None], now, old[..., 1:-1]], axis=-1)
        same = jnp.concatenate([now, old[..., 1:]], axis=-1)
        return jnp.where(state.reopened[:, None, None], mark[..., None], jnp.where(new, shifted, same))

    newest = -jnp.expm1(-years / breaker.halt_window)[:, None]
    return state._replace(
        highs=kept(state.highs, jnp.maximum),
        lows=kept(state.lows, jnp.minimum),
        average=state.average + newest * (mark - state.average),
    )


__all__ = ["Breaker", "BreakerState", "check", "depth_factor", "frozen", "open_share", "sent_share", "watch"]

"""When an isolated position is closed, part by part, by a venue that closes no more than its margin asks for."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array
from .kept import kept_on_lines, kept_on_tiers
from .tiers import Rows

SMALLEST = 1 / 16
"""Share of a position that goes at each of its triggers at least."""
CLOSES = 16
"""Triggers of a position; at the last, what is left goes."""
_BELOW = 1e-5


class Part(NamedTuple):
    """What goes of every position at one of its triggers: at which `distance` from the initial price (log, infinite for never),
    which `share` of the position, at which bankruptcy price (log, over the initial price), and whether the venue then closes all
    that is left because no smaller position would have its margin. Shapes `(positions,)`."""

    distance: Float[Array, " positions"]
    share: Float[Array, " positions"]
    log_bankruptcy: Float[Array, " positions"]
    final: Bool[Array, " positions"]


class _Left(NamedTuple):
    """A position between two triggers, seen from the log price `at`: `left`, share of it that is margined, and its notional
    `worth`, `equity` and fixed requirement, USD; `waiting`: notional that is sold at the next trigger and needs no margin, and
    `waiting_share`: of the position; `distance` of the last trigger."""

    at: Float[Array, " positions"]
    left: Float[Array, " positions"]
    worth: Float[Array, " positions"]
    equity: Float[Array, " positions"]
    fixed: Float[Array, " positions"]
    waiting: Float[Array, " positions"]
    waiting_share: Float[Array, " positions"]
    distance: Float[Array, " positions"]


def closes_to_margin(
    sign,
    log_entry,
    notional,
    margin,
    close_out,
    start,
    rows: Rows,
    inverse,
    fee,
    target,
    add: Callable | None = None,
    total: Any = None,
):
    r"""Every close of positions of which the venue closes just so much that equity is `target` times the margin of what is left.

    With a target well above 1 that is a sequence of closes, each at its own trigger: the price at which the equity left by the
    one before has fallen to the margin. These are exact. With a target of 1 it is a stream without steps, in which equity and
    margin are equal all the way: within a tier of rate `m` a linear position shrinks as $q \propto S^{(s - m)/(m - f)}$, `f` the
    fee, whatever the tier's deduction. So where less than the share `SMALLEST` of the whole is called for, that share goes, half
    of it at this trigger and half at the next, as in the trapezoid rule. Against the stream 1/32 of a position more or less is
    left, 1/16 at the end, and before the last two the prices of its triggers are off by less than 1% of `m`.

    All this is for a price that passes every trigger on its way. Where it jumps by `d` (log) between two checks, what goes is
    still what a steady fall takes, which leaves a share of about $e^{-d/m}$ without a fee at a target of 1. A venue that looks
    once, after the jump, leaves $1 - d/m$, and nothing from $d = m$ on: so does `AccountBook`. The two books agree where moves
    between checks are small beside `m`; for one of half of it this one leaves 0.61 of the position, the other 0.50.

    A fee above what closing frees of margin makes closing no cure: then all goes at the first trigger.

    **Arguments:** `sign`: +1 long, -1 short; `log_entry`: over the initial price; `notional` at entry, USD, with `margin` and
    `close_out` as fractions of it; `start`: no part goes before this distance; `rows`: of the tiers; `inverse`; `fee`,
    `target`: of each position. Shapes `(positions,)`. Returns a `total` to which `add(total, part)` adds each, as all parts of
    a large crowd would be gigabytes; without `add` the parts, of shape `(CLOSES, positions)`.
    """
    one = jnp.ones_like(notional)
    sign = sign * one
    none = jnp.zeros_like(notional)
    first = _Left(log_entry + none, one, notional, margin * notional, close_out * notional, none, none, start + none)

    def close(now: _Left, number):
        held = now.worth + now.waiting
        of_held = lambda x: x / held
        scale = of_held(now.worth)[:, None]
        # seen from all that is held, what needs margin is in a tier from more on, and needs less of it
        seen = rows._replace(floor=rows.floor / scale, rate=scale * rows.rate)
        reached = jnp.where(jnp.isfinite(now.distance), now.distance, 0.0) * -sign - now.at
        trigger = now.at + seen.log_liquidation_price(sign, held, of_held(now.equity), inverse, of_held(now.fixed), reached)
        reachable = jnp.isfinite(trigger) & jnp.isfinite(now.distance)
        # less than the margin is left already where a fee has taken more than closing has freed
        late = reachable & (trigger * -sign < now.distance)
        price = jnp.where(reachable & ~late, trigger, now.at)
        distance = jnp.where(reachable, jnp.where(late, now.distance, trigger * -sign), jnp.inf)
        ratio = jnp.exp(price - now.at)
        grown = jnp.where(inverse, one, ratio)
        worth = now.worth * grown
        required = jnp.maximum(rows.margin(worth), now.fixed)
        actual = jnp.where(inverse, now.equity * ratio, now.equity) + sign * held * (ratio - 1.0)
        # at an edge it is less than the requirement, by part of the jump
        short = late if rows.whole is None else late | rows.whole
        equity = jnp.where(short, actual, required)

        # at the trigger itself nothing has to go: a hair below it
        needed = 1.0 - _kept(rows, equity - _BELOW * required, worth, now.fixed, fee, target)
        last = number == CLOSES - 1
        several = now.left > (1.0 + 1e-6) * SMALLEST
        least = jnp.where(several & ~last, SMALLEST / jnp.where(several, now.left, 1.0), 1.0)
        share = jnp.where(needed > least, needed, least)
        half = jnp.where((share >= 1.0 - 1e-6) | (needed > least), 0.0, 0.5 * (least - needed))
        part = Part(
            distance,
            now.waiting_share + now.left * (share - half),
            price + _log_bankruptcy(sign, equity / worth, inverse),
            needed >= 1.0 - 1e-6,
        )
        done = share >= 1.0 - 1e-6
        stays = jnp.where(done, 1.0, 1.0 - share)
        following = _Left(
            at=price,
            left=jnp.where(done, 0.0, now.left * stays),
            worth=worth * stays,
            equity=jnp.where(done, required, equity - fee * worth * share),
            fixed=now.fixed * stays,
            waiting=worth * half,
            waiting_share=now.left * half,
            distance=distance,
        )
        return following, part

    # what is in between is worked out again in reverse mode: kept, it would be hundreds of numbers a position
    again = jax.checkpoint(close)
    if add is None:
        return jax.lax.scan(again, first, jnp.arange(CLOSES))[1]

    def further(carry, number):
        now, part = again(carry[0], number)
        return (now, add(carry[1], part)), None

    return jax.lax.scan(further, (first, total), jnp.arange(CLOSES))[0][1]


def _kept(rows: Rows, equity, worth, fixed, fee, target):
    """Share that each position may keep, by its venue's rule; `fixed`: requirement that does not move with the price, USD."""
    slope, fixed = rows.rate * worth[:, None], fixed[:, None]
    deduction = jnp.concatenate([rows.amount, jnp.zeros_like(fixed)], axis=-1)
    kept = kept_on_lines(equity, worth, jnp.concatenate([slope, fixed], axis=-1), deduction, fee, target)
    if rows.whole is None:
        return kept
    return jnp.where(rows.whole, kept_on_tiers(equity, worth, rows.floor, jnp.maximum(slope, fixed), fee, target), kept)


def _log_bankruptcy(sign, margin, inverse):
    ratio = jnp.where(inverse, 1.0 / jnp.maximum(1.0 + sign * margin, 1e-13), jnp.maximum(1.0 - sign * margin, 1e-13))
    return jnp.log(ratio)


__all__ = ["CLOSES", "SMALLEST", "Part", "closes_to_margin"]

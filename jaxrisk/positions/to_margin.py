"""When an isolated position is closed, part by part, by a venue that closes no more than its margin asks for."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array
from .kept import kept_on_lines
from .tiers import log_liquidation_price, maintenance_margin

SMALLEST = 1 / 8
"""Share of what is left of a position that goes at each of its triggers at least."""
CLOSES = 32
"""Triggers of a position; at the last the rest goes, of which (7/8)**31 = 1.6% is left at most."""
_BELOW = 1e-5


class Part(NamedTuple):
    """What goes of every position at each of its triggers: at which `distance` from the initial price (log, infinite for never),
    which `share` of the position, at which bankruptcy price (log, over the initial price), and whether the venue then closes all
    that is left because no smaller position would have its margin. Shapes `(CLOSES, positions)`."""

    distance: Float[Array, "closes positions"]
    share: Float[Array, "closes positions"]
    log_bankruptcy: Float[Array, "closes positions"]
    final: Bool[Array, "closes positions"]


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


def closes_to_margin(sign, log_entry, notional, margin, close_out, start, rate, amount, inverse, fee, target) -> Part:
    r"""Every close of positions of which the venue closes just so much that equity is `target` times the margin of what is left.

    With a target well above 1 that is a sequence of closes, each at its own trigger: the price at which the equity left by the
    one before has fallen to the margin. These are exact. With a target of 1 it is a stream without steps, in which equity and
    margin are equal all the way: within a tier of rate `m` a linear position shrinks as $q \propto S^{(s - m)/(m - f)}$, `f` the
    fee, whatever the tier's deduction. So where less than the share `SMALLEST` is called for, that share goes, half of it at
    this trigger and half at the next, as in the trapezoid rule. Against the stream a position is then off by at most 1/16 of what
    is left of it, and the prices of its triggers by terms of third order in `SMALLEST`: 0.2% of their distances from the first.

    A fee above what closing frees of margin makes closing no cure: then all goes at the first trigger.

    **Arguments:** `sign`: +1 long, -1 short; `log_entry`: over the initial price; `notional` at entry, USD, with `margin` and
    `close_out` as fractions of it; `start`: no part goes before this distance; `rate`, `amount`: tier lines; `inverse`;
    `fee`, `target`: of each position. Shapes `(positions,)`, tier lines `(positions, levels)`.
    """
    one = jnp.ones_like(notional)
    sign = sign * one
    none = jnp.zeros_like(notional)
    first = _Left(log_entry + none, one, notional, margin * notional, close_out * notional, none, none, start + none)

    def close(now: _Left, number):
        held = now.worth + now.waiting
        of_held = lambda x: x / held
        scale = of_held(now.worth)[:, None]
        trigger = now.at + log_liquidation_price(
            sign, held, of_held(now.equity), scale * rate, amount, inverse, of_held(now.fixed)
        )
        reachable = jnp.isfinite(trigger) & jnp.isfinite(now.distance)
        # less than the margin is left already where a fee has taken more than closing has freed
        late = reachable & (trigger * -sign < now.distance)
        price = jnp.where(reachable & ~late, trigger, now.at)
        distance = jnp.where(reachable, jnp.where(late, now.distance, trigger * -sign), jnp.inf)
        ratio = jnp.exp(price - now.at)
        grown = jnp.where(inverse, one, ratio)
        worth, waiting = now.worth * grown, now.waiting * grown
        required = jnp.maximum(maintenance_margin(worth, rate, amount), now.fixed)
        actual = jnp.where(inverse, now.equity * ratio, now.equity) + sign * held * (ratio - 1.0)
        equity = jnp.where(late, actual, required)

        slope = jnp.concatenate([rate * worth[:, None], now.fixed[:, None]], axis=-1)
        deduction = jnp.concatenate([amount, jnp.zeros_like(slope[:, :1])], axis=-1)
        # at the trigger itself nothing has to go: a hair below it
        needed = 1.0 - kept_on_lines(equity - _BELOW * required, worth, slope, deduction, fee, target)
        last = number == CLOSES - 1
        share = jnp.where(last, 1.0, jnp.where(needed > SMALLEST, needed, SMALLEST))
        half = jnp.where(last | (needed > SMALLEST), 0.0, 0.5 * (SMALLEST - needed))
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
    _, parts = jax.lax.scan(jax.checkpoint(close), first, jnp.arange(CLOSES))
    return parts


def _log_bankruptcy(sign, margin, inverse):
    ratio = jnp.where(inverse, 1.0 / jnp.maximum(1.0 + sign * margin, 1e-13), jnp.maximum(1.0 - sign * margin, 1e-13))
    return jnp.log(ratio)


__all__ = ["CLOSES", "SMALLEST", "Part", "closes_to_margin"]

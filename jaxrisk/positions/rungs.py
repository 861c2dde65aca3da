"""At which prices an isolated position is called and closed, part by part, by its venue's policy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from .._leaf import Array
from .placing import Contracts, Placed
from .population import Positions
from .rules import Calls, Policy
from .tables import SIDE_SIGN
from .to_margin import closes_to_margin


class Standing(NamedTuple):
    """Positions as they stand after their last close or top-up: `quantity` that they represent, `notional` of one, USD, `margin`
    and `close_out` as fractions of it, `log_entry`, and the `distance` of that close. Shapes `(positions,)`."""

    quantity: Float[Array, " positions"]
    notional: Float[Array, " positions"]
    margin: Float[Array, " positions"]
    close_out: Float[Array, " positions"]
    log_entry: Float[Array, " positions"]
    distance: Float[Array, " positions"]


class Rung(NamedTuple):
    """One close of every position: at which `distance` from the initial price (log, infinite for never), how much, at which
    bankruptcy price (`log_bankruptcy`, over the initial price), and whether nothing is left after it. Shapes `(positions,)`."""

    distance: Float[Array, " positions"]
    quantity: Float[Array, " positions"]
    log_bankruptcy: Float[Array, " positions"]
    final: Bool[Array, " positions"]


class Called(NamedTuple):
    """Margin calls of every position: at which `distance`, how much quantity is `reduced` there, and the `amount` of collateral
    asked for, USD. Shapes `(positions,)`."""

    distance: Float[Array, " positions"]
    reduced: Float[Array, " positions"]
    amount: Float[Array, " positions"]


def _side(p: Positions):
    sign = jnp.where(p.side == 0, 1.0, -1.0).astype(p.quantity.dtype)
    return sign, jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]


def standing(placed: Placed) -> Standing:
    """Positions at the start."""
    p = placed.positions
    return Standing(p.quantity, p.notional, placed.margin, placed.close_out, p.log_entry, jnp.zeros_like(p.quantity))


def rung_count(contracts: Contracts) -> int:
    """Most closes that any venue's policy has, but for those that close to the margin."""
    longest = max(len(tranches) for tranches in contracts.tranches)
    if contracts.policy is None:
        return longest
    return max({"full": 1, "to_margin": 0, "tranches": longest}.get(kind, 2) for kind in contracts.policy.kind)


def with_rungs(total, placed: Placed, stands: list[Standing], contracts: Contracts, add: Callable[..., Any], venues=None) -> Any:
    """A `total`, of arrays, to which `add(total, rung, of)` has added every close of the positions `of` from where they stand.

    **Arguments:** `stands`: one after the other, as parts of one crowd that have come to stand differently; `venues`: of each
    position as far as it is known without running anything, NumPy, -1 elsewhere; None if of none. Positions on other venues are
    then left out of what closes to the margin, which has many closes.
    """
    one = lambda total, now: _from(total, placed, now, contracts, add, venues)
    return _one_by_one(one, total, stands)


def _one_by_one(function: Callable[[Any, Any], Any], total, items: list) -> Any:
    """`functools.reduce` of items of one shape, as a loop: what is compiled is one turn of it."""
    if len(items) == 1:
        return function(total, items[0])
    stacked = jax.tree.map(lambda *columns: jnp.stack(columns), *items)
    return jax.lax.scan(lambda total, item: (function(total, item), None), total, stacked)[0]


def _from(total, placed: Placed, now: Standing, contracts: Contracts, add: Callable[..., Any], venues) -> Any:
    policy, every = contracts.policy, slice(None)
    one = lambda of: lambda total, rung: add(total, rung, of)
    if policy is None or not policy.closes_to_margin:
        return _one_by_one(one(every), total, rungs(placed, now, contracts))
    closes = np.array([kind == "to_margin" for kind in policy.kind])
    here = jnp.asarray(closes)[placed.positions.venue]
    if rung_count(contracts) > 0:
        others = now._replace(quantity=jnp.where(here, 0.0, now.quantity))
        total = _one_by_one(one(every), total, rungs(placed, others, contracts))
    mine = now._replace(quantity=jnp.where(here, now.quantity, 0.0))
    if venues is None or closes.all():
        return _to_margin(placed, mine, contracts, policy, one(every), total)
    of = np.flatnonzero((venues < 0) | closes[venues])
    part = lambda x: x[of]
    return _to_margin(jax.tree.map(part, placed), jax.tree.map(part, mine), contracts, policy, one(of), total)


def _to_margin(placed: Placed, now: Standing, contracts: Contracts, policy: Policy, add=None, total=None) -> Any:
    """As `with_rungs`; without `add` the rungs, one below the other."""
    p, rows = placed.positions, contracts.tiers.rows(placed.positions.venue, placed.positions.asset)
    sign, _ = _side(p)
    rung = lambda part: Rung(part.distance, now.quantity * part.share, part.log_bankruptcy, part.final)
    found = closes_to_margin(
        sign, now.log_entry, now.notional, now.margin, now.close_out, now.distance, rows, jnp.asarray(contracts.inverse)[p.venue],
        jnp.asarray(contracts.liquidation_fee)[p.venue], policy.targets()[p.venue],
        None if add is None else lambda total, part: add(total, rung(part)), total,
    )  # fmt: skip
    return rung(found) if add is None else found


def rungs(placed: Placed, now: Standing, contracts: Contracts) -> list[Rung]:
    """The closes of policies that have few: all but `to_margin`.

    After each partial close the equity at that price, less the fee on what was closed, carries a smaller position, whose trigger
    follows from the same formula with its own tier.
    """
    p, rows = placed.positions, contracts.tiers.rows(placed.positions.venue, placed.positions.asset)
    sign, direction = _side(p)
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    fee = contracts.liquidation_fee[p.venue]
    left, found, count = jnp.ones_like(now.margin), [], rung_count(contracts)
    for index in range(count):
        start = now.distance * direction - now.log_entry
        trigger = now.log_entry + rows.log_liquidation_price(sign, now.notional, now.margin, inverse, now.close_out, start)
        reachable = jnp.isfinite(trigger)
        # no part goes before the one it is left over from
        distance = jnp.maximum(jnp.where(reachable, trigger * direction, jnp.inf), now.distance)
        if rows.whole is not None:
            trigger = jnp.where(rows.whole & reachable, distance * direction, trigger)
        ratio = jnp.exp(jnp.where(reachable, trigger - now.log_entry, 0.0))
        worth = jnp.where(inverse, now.notional, now.notional * ratio)
        share = jnp.where(index == count - 1, 1.0, _share(p, contracts, index, worth, left))
        found.append(
            Rung(
                distance,
                now.quantity * share,
                now.log_entry + _log_bankruptcy(sign, now.margin, inverse),
                share >= 1.0 - 1e-6,
            )
        )
        if index == count - 1:
            break
        remaining = jnp.maximum(1.0 - share, 1e-12)
        equity = jnp.maximum(rows.margin(worth), now.close_out * now.notional)
        if rows.whole is not None:
            # at an edge it is less than the requirement, by part of the jump
            equity = jnp.where(rows.whole, _equity(sign, now.notional, now.margin, ratio, inverse), equity)
        equity = equity - fee * worth * share
        kept = jnp.where(reachable, worth * remaining, now.notional)
        left = left * remaining
        now = Standing(
            quantity=now.quantity * (1.0 - share),
            notional=kept,
            margin=jnp.where(reachable, equity / kept, now.margin),
            close_out=now.close_out * jnp.where(inverse, 1.0, 1.0 / ratio),
            log_entry=jnp.where(reachable, trigger, now.log_entry),
            distance=jnp.where(reachable, distance, now.distance),
        )
    return found


def _share(p: Positions, contracts: Contracts, index: int, worth, left):
    """Share of what is left of each position that its `index`-th close takes; `left`: of the position, before it."""
    kinds = ("tranches",) * len(contracts.tranches) if contracts.policy is None else contracts.policy.kind
    share = jnp.ones_like(worth)
    for venue, (kind, tranches) in enumerate(zip(kinds, contracts.tranches, strict=True)):
        if kind == "tranches":
            # of the whole position, so of what is left more
            here = tranches[index] / left if index < len(tranches) - 1 else jnp.ones_like(worth)
        elif kind == "partial" and index == 0:
            policy = contracts.policy
            here = jnp.where(worth >= policy.first_above[venue], policy.first_share[venue], 1.0)
        elif kind == "lower_tier" and index == 0:
            floor = contracts.tiers.rows(p.venue, p.asset).lower(worth)
            here = jnp.where(floor > 0.0, 1.0 - floor / worth, 1.0)
        else:
            here = jnp.ones_like(worth)
        share = jnp.where(p.venue == venue, here, share)
    return share


def _equity(sign, notional, margin, ratio, inverse):
    """Equity, USD, at a price over the entry price."""
    return notional * (margin * jnp.where(inverse, ratio, 1.0) + sign * (ratio - 1.0))


def _log_bankruptcy(sign, margin, inverse):
    """Log of the price at which a position's equity is zero, over its entry price; within exp(-30) and exp(30)."""
    ratio = jnp.where(inverse, 1.0 / jnp.maximum(1.0 + sign * margin, 1e-13), jnp.maximum(1.0 - sign * margin, 1e-13))
    return jnp.log(ratio)


def margin_calls(placed: Placed, calls: Calls, contracts: Contracts) -> tuple[Called, list[Standing]]:
    """The calls of all positions, and how those stand afterwards who wait, who have topped up, and who have reduced.

    The initial margin asked for is that of the leverage the position was opened with, on its notional at the call.
    """
    p, rows = placed.positions, contracts.tiers.rows(placed.positions.venue, placed.positions.asset)
    start = standing(placed)
    sign, direction = _side(p)
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    pick = lambda values: jnp.asarray(values, p.quantity.dtype)[p.account_class]
    level, top_up, reduce = pick(calls.level), pick(calls.top_up), pick(calls.reduce)
    called = rows.times(level)
    about = (sign, p.notional, placed.margin, inverse, level * placed.close_out, -p.log_entry)
    price = p.log_entry + called.log_liquidation_price(*about)
    well = price * direction > 0.0
    if rows.whole is not None:
        # nobody is called in a tier whose level is more than the initial margin, but perhaps in a lower one
        price = p.log_entry + called.log_liquidation_price(*about, called.rate < placed.margin[:, None])
        gone = p.log_entry + rows.log_liquidation_price(*about[:4], placed.close_out, -p.log_entry)
        well = well & (price * direction <= gone * direction)
    ratio = jnp.exp(jnp.where(jnp.isfinite(price), price - p.log_entry, 0.0))
    worth = jnp.where(inverse, p.notional, p.notional * ratio)
    needed = level * jnp.maximum(rows.margin(worth), placed.close_out * p.notional)
    initial = placed.margin * worth
    distance = price * direction
    equity = needed
    if rows.whole is not None:
        # of the tiers only those were looked at that ask for less
        needed = jnp.where(rows.whole, level * placed.close_out * p.notional, needed)
        equity = jnp.where(rows.whole, _equity(sign, p.notional, placed.margin, ratio, inverse), equity)
    heard = jnp.isfinite(price) & well & (distance > 0.0) & (initial > needed) & (level > 1.0)
    top_up, reduce = jnp.where(heard, top_up, 0.0), jnp.where(heard, reduce, 0.0)
    sold = jnp.where(heard, 1.0 - equity / jnp.where(heard, initial, 1.0), 0.0)

    opened = p.quantity * jnp.where(inverse, 1.0, jnp.exp(p.log_entry))  # worth of all at entry
    asked = jnp.where(heard, (initial - equity) / p.notional * opened, 0.0)
    call = Called(jnp.where(heard, distance, jnp.inf), p.quantity * reduce * sold, asked)
    after = Standing(
        quantity=p.quantity * top_up,
        notional=jnp.where(heard, worth, p.notional),
        margin=placed.margin,
        close_out=placed.close_out * jnp.where(inverse, 1.0, 1.0 / ratio),
        log_entry=jnp.where(heard, price, p.log_entry),
        distance=jnp.where(heard, distance, 0.0),
    )
    reduced = after._replace(quantity=p.quantity * reduce * (1.0 - sold), notional=after.notional * (1.0 - sold))
    waiting = start._replace(quantity=p.quantity * (1.0 - top_up - reduce))
    return call, [waiting, after, reduced]


__all__ = ["Called", "Rung", "Standing", "margin_calls", "rung_count", "rungs", "standing", "with_rungs"]

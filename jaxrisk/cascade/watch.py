"""What is noted at the end of a step, and of what happened in its rounds."""

import jax.numpy as jnp

from ..market import Move
from ..positions import LEAST, Closed, Orders, Owed
from .backstop import Paid, by_venue, watch
from .breaker import frozen, watch as watch_marks
from .bridge import between
from .observe import Drawdown, Observation, log_index
from .state import Prepared, State


def observe(prepared: Prepared, before: State, state: State, move: Move, bridge, notional, index, years) -> State:
    """The state with a whole step noted; `before`: as it began; `bridge`: the noise's;
    `notional`: liquidated in its rounds."""
    scenario, seen = prepared.scenario, state.seen
    price, without = state.price, state.fundamental
    if bridge is None:
        low = price
        asset, asset_without = seen.asset.observe(price, index), seen.asset_without.observe(without, index)
    else:
        # the extremes between steps belong to the price before this step's jump and liquidations
        inside = between(without - before.fundamental - move.jump, move.variance, bridge)
        asset, asset_without = (
            drawdown.observe_between(begin, inside, end, index)
            for drawdown, begin, end in (
                (seen.asset, before.price, price),
                (seen.asset_without, before.fundamental, without),
            )
        )
        low = jnp.minimum(price, before.price + inside.low)
        if state.halt is not None:  # a price that stands still, or has until now, has no extremes between
            breaker = scenario.venues.breaker
            still = jnp.all(frozen(breaker, before.halt), axis=0) | jnp.all(frozen(breaker, state.halt), axis=0)
            ends = seen.asset.observe(price, index)
            asset = Drawdown(*(jnp.where(still, a, b) for a, b in zip(ends, asset, strict=True)))
            low = jnp.where(still, price, low)
    index_seen, index_without = seen.index, seen.index_without
    if price.shape[0] > 1:
        basket, basket_without = log_index(price, prepared.index_weight), log_index(without, prepared.index_weight)
        index_seen = index_seen.observe(basket, index)
        index_without = index_without.observe(basket_without, index)
    minute, peak = _minute(scenario.settings, seen, jnp.sum(notional), index)
    seen = Observation(
        index=index_seen,
        asset=asset,
        index_without=index_without,
        asset_without=asset_without,
        lowest=jnp.minimum(seen.lowest, low),
        notional=seen.notional + notional,
        minute=minute,
        peak=peak,
        sums=_moved(prepared, state),
    )
    depth = state.depth
    if depth is not None:
        depth = scenario.depth.step(prepared.depth, depth, price - before.price, years)
    realised, fund = state.realised, state.fund
    if realised is not None:
        realised = realised.step(price - before.price, years, prepared.newest)
    if fund is not None:
        fund = watch(scenario.venues.backstop, fund, index, scenario.settings.fund_steps)
    halt = state.halt
    if halt is not None:
        halt = watch_marks(scenario.venues.breaker, halt, state.mark, index, years)
    return state._replace(seen=seen, depth=depth, realised=realised, fund=fund, halt=halt)


def _moved(prepared: Prepared, state: State) -> dict:
    """At a venue's lowest mark so far: by how much the forced orders of each venue had moved it (log, falls positive)."""
    sums, scenario = state.seen.sums, prepared.scenario
    if "moved" not in sums:
        return sums
    impact, venues, feedback = scenario.impact, scenario.venues, scenario.channels.feedback
    by_source = state.transient + state.permanent
    if by_source.shape[1] > 1:
        by_source = jnp.sum(impact.cross * by_source[:, None, :], axis=-1)
    fall = impact.fall(state.displaced(), feedback, state.pace)
    # by those who sold into a fall, or bought into a rise
    by_source = jnp.where(by_source * jnp.sum(by_source, axis=0) > 0.0, by_source, 0.0)
    total = jnp.sum(by_source, axis=0)
    some = total != 0.0
    common = by_source * jnp.where(some, fall / jnp.where(some, total, 1.0), 0.0)
    local = jnp.eye(len(venues.inverse), dtype=fall.dtype)[..., None] * state.local
    if state.leaked is not None:
        local = local + state.leaked
    own = (1.0 - venues.index_weight)[:, None] * feedback * venues.local_impact
    now = common[:, None, :] + own * local
    lower = state.mark < sums["lowest_mark"]
    moved = jnp.where(lower, now, sums["moved"])
    return sums | {"moved": moved, "lowest_mark": jnp.where(lower, state.mark, sums["lowest_mark"])}


def _minute(settings, seen: Observation, notional, index):
    """Liquidated within the clock minute (counted from time zero), and the most in any.

    Steps longer than a minute are taken to be even within; a window of steps that does not make a minute is scaled to one.
    """
    window = settings.steps_a_minute
    minute = notional * (1.0 / settings.minutes)
    if window > 1:
        minute = jnp.where(index % window == 0, 0.0, seen.minute) + minute
    return minute, jnp.maximum(seen.peak, minute)


def charged(sums: dict, owed: Owed | None, paid: Paid) -> dict:
    """Running sums of who paid for whom: what was paid on a venue in a round is split among classes as they owe there.

    What is paid where no class owes by its own count is split by what was liquidated: a batch as a whole can owe a little more.
    Nobody's balance is negative where nobody had to pay, or rounding would be counted.
    """
    if owed is None:
        return sums
    total = lambda part: jnp.sum(part, axis=-1, keepdims=True)
    of = jnp.where(total(owed.usd) > 0.0, owed.usd, owed.quantity)
    of = of / jnp.where(total(of) > 0.0, total(of), 1.0)
    each = jnp.stack(paid)
    sums = sums | {"paid_by_class": sums["paid_by_class"] + each[..., None] * of}
    if owed.accounts is not None:
        somebody = jnp.any(each != 0.0, axis=0)[:, None]
        sums["negative"] = sums["negative"] + jnp.where(somebody, owed.accounts, 0.0)
    return sums


def summed(prepared: Prepared, sums: dict, orders: Orders, closed: Closed, worth) -> dict:
    """Running sums of what happened besides liquidation."""
    if "lost_liquidated" not in sums:
        return sums
    add = dict(sums)
    scenario = prepared.scenario
    forced = orders.forced()
    # what each side's orders have closed, by what the orders were
    cause = closed.by_orders() / jnp.where(forced > LEAST, forced, 1.0)
    for name in ("liquidated", "stopped", "reduced"):
        add[f"lost_{name}"] += jnp.sum(getattr(orders, name) * cause)
    add["lost_deleveraged"] += jnp.sum(orders.deleveraged)
    for name in ("stopped", "reduced", "deleveraged"):
        if name in add:
            add[name] += by_venue(getattr(orders, name) * worth)
    if "common" in add:
        sold = jnp.sum(forced[..., 0] - forced[..., 1], axis=0)
        add["common"] += scenario.channels.common_holders * jnp.sum(scenario.impact.common_holders * sold, axis=-1)
    return add

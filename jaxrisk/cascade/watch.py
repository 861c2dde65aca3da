"""What is noted at the end of a step, and of what happened in its rounds."""

import jax.numpy as jnp

from ..market import Move
from ..positions import LEAST, Orders
from .backstop import by_venue, watch
from .observe import Observation, log_index
from .state import Noise, Prepared, State


def bridge(begin, end, variance, uniforms):
    r"""Lowest and highest log price of Brownian bridges between two steps.

    $\min = \tfrac12\big(a + b - \sqrt{(b-a)^2 - 2 v \log U}\big)$ (Glasserman, 2003, section 6.4), with a uniform of its own for
    each extreme: each is exact by itself, their dependence is left out.
    """
    spread = -2.0 * variance * jnp.log(uniforms[:, 0]), -2.0 * variance * jnp.log(uniforms[:, 1])
    square = (end - begin) ** 2
    root = lambda x: jnp.sqrt(jnp.maximum(x, 1e-30))
    middle = begin + end
    return 0.5 * (middle - root(square + spread[0])), 0.5 * (middle + root(square + spread[1]))


def observe(prepared: Prepared, before: State, state: State, move: Move, noise: Noise, notional, index, years) -> State:
    """The state with a whole step noted; `before`: as it began; `notional`: liquidated in its rounds."""
    scenario, seen = prepared.scenario, state.seen
    price, without = state.price, state.fundamental
    low, high, low_without, high_without = price, price, without, without
    if noise.bridge is not None:
        # the extremes between steps belong to the price before this step's jump and liquidations
        drift = (state.price - before.price) - (state.fundamental - before.fundamental)
        lowest, highest = bridge(before.price, price - drift - move.jump, move.variance, noise.bridge)
        low, high = jnp.minimum(low, lowest), jnp.maximum(high, highest)
        lowest, highest = bridge(before.fundamental, without - move.jump, move.variance, noise.bridge)
        low_without, high_without = jnp.minimum(low_without, lowest), jnp.maximum(high_without, highest)
    asset = seen.asset.observe(low, high, index)
    asset_without = seen.asset_without.observe(low_without, high_without, index)
    index_seen, index_without = seen.index, seen.index_without
    if price.shape[0] > 1:
        basket, basket_without = log_index(price, prepared.index_weight), log_index(without, prepared.index_weight)
        index_seen = index_seen.observe(basket, basket, index)
        index_without = index_without.observe(basket_without, basket_without, index)
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
    return state._replace(seen=seen, depth=depth, realised=realised, fund=fund)


def _moved(prepared: Prepared, state: State) -> dict:
    """At a venue's lowest mark so far: by how much the forced orders of each venue had moved it (log, falls positive)."""
    sums, scenario = state.seen.sums, prepared.scenario
    if "moved" not in sums:
        return sums
    impact, venues, feedback = scenario.impact, scenario.venues, scenario.channels.feedback
    by_source = state.transient + state.permanent
    if by_source.shape[1] > 1:
        by_source = jnp.sum(impact.cross * by_source[:, None, :], axis=-1)
    fall = impact.fall(jnp.sum(state.transient + state.permanent, axis=0), feedback)
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


def summed(prepared: Prepared, sums: dict, orders: Orders, closed, worth) -> dict:
    """Running sums of what happened besides liquidation."""
    if "lost_liquidated" not in sums:
        return sums
    add = dict(sums)
    scenario = prepared.scenario
    forced = orders.forced()
    # what holders of the other side closed, by what made them
    cause = closed[..., ::-1] / jnp.where(forced > LEAST, forced, 1.0)
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

"""One step of one path, in the order in which things happen."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from ..market import Move
from ..positions import AbstractBook, Orders, View
from .backstop import FundState, by_venue, deleveraged_share, forgone, pay, watch
from .depth import DepthState
from .observe import Observation, Realised, log_index, start_sums


class Prepared(NamedTuple):
    """A scenario with everything computed that does not change along a path."""

    scenario: Any
    book: AbstractBook
    market: Any
    depth: Any
    decay: Float[Array, " assets"]
    basis_decay: Float[Array, " venues"]
    engine_share: Float[Array, " venues"]
    index_weight: Float[Array, " assets"]
    newest: Float[Array, ""] | None


class Noise(NamedTuple):
    """What one step consumes: the process's `normals` and `uniforms`, and a pair of uniforms an asset for the `bridge`."""

    normals: Float[Array, " normals"]
    uniforms: Float[Array, " uniforms"]
    bridge: Float[Array, "assets 2"] | None


class State(NamedTuple):
    """Where a path is. Log prices are relative to the initial price; displaced volumes in USD at the initial price.

    `fundamental`: before impact, with the shock; `price`: index price after impact; `mark` by venue; `low`, `high`: running
    extremes of the mark; `recent_low`, `recent_high`: since the last margin check; `transient`, `permanent`: displaced volume by the venue
    whose orders displaced it; `local`: in a venue's own book, by its own orders, and `leaked`, by those of others (first axis);
    `dislocation`: log of a venue's own exogenous move; `fund`: of the backstop; `realised`: volatility and trend.
    """

    fundamental: Float[Array, " assets"]
    market: Any
    book: Any
    depth: DepthState | None
    transient: Float[Array, "venues assets"]
    permanent: Float[Array, "venues assets"]
    local: Float[Array, "venues assets"]
    leaked: Float[Array, "venues venues assets"] | None
    dislocation: Float[Array, "venues assets"] | None
    price: Float[Array, " assets"]
    mark: Float[Array, "venues assets"]
    low: Float[Array, "venues assets"]
    high: Float[Array, "venues assets"]
    recent_low: Float[Array, "venues assets"]
    recent_high: Float[Array, "venues assets"]
    shock_start: Float[Array, " assets"] | None
    shock_level: Float[Array, " assets"] | None
    fund: FundState | None
    realised: Realised | None
    seen: Observation


def start(prepared: Prepared, shock_uniform) -> State:
    """State at time zero."""
    scenario = prepared.scenario
    venues, assets = scenario.venues.local_impact.shape
    dtype = prepared.decay.dtype
    each, marks = jnp.zeros(assets, dtype), jnp.zeros((venues, assets), dtype)
    shock, backstop = scenario.shock, scenario.venues.backstop
    horizon = jnp.asarray(scenario.settings.horizon, dtype)
    return State(
        fundamental=each,
        market=scenario.market.init(prepared.market),
        book=prepared.book.init(),
        depth=None if scenario.depth is None else scenario.depth.init(),
        transient=marks,
        permanent=marks,
        local=marks,
        leaked=None if scenario.venues.liquidity_leakage is None else jnp.zeros((venues, venues, assets), dtype),
        dislocation=None if shock is None or shock.venue is None else marks,
        price=each,
        mark=marks,
        low=marks,
        high=marks,
        recent_low=marks,
        recent_high=marks,
        shock_start=None if shock is None else shock.start(shock_uniform, horizon),
        shock_level=None if shock is None else each,
        fund=None if backstop is None else FundState.start(backstop),
        realised=None if prepared.newest is None else Realised.start(scenario.flow, assets, dtype),
        seen=Observation.start(venues, assets, dtype, start_sums(scenario, prepared.book, dtype)),
    )


def step(prepared: Prepared, state: State, noise: Noise, index) -> State:
    """Shock, mark, margin check, liquidation, impact, backstop, book, observe."""
    scenario = prepared.scenario
    years = jnp.asarray(scenario.settings.years_per_step, prepared.decay.dtype)
    before = state

    # 1. shock: the exogenous price moves, displaced volume relaxes; funding, and positions that close and open unforced
    market, move = scenario.market.step(prepared.market, state.market, noise.normals, noise.uniforms, index)
    state = _relaxed(prepared, _shocked(prepared, state._replace(market=market), move, index, years))
    state = state._replace(book=prepared.book.advance(state.book, view(state, index), years))

    # 2. mark; where the path between two steps is a bridge, its extremes rather than its ends are checked
    price, mark = _mark(prepared, state)
    low, high = jnp.minimum(state.mark, mark), jnp.maximum(state.mark, mark)
    if noise.bridge is not None:
        lowest, highest = _bridge(before.mark, mark - move.jump, move.variance, noise.bridge)
        low, high = jnp.minimum(low, lowest), jnp.maximum(high, highest)
    state = _seen(state, price, mark, low, high)

    # 3 to 7, `rounds` times: margin check, liquidation, impact, backstop, book
    rounds = scenario.settings.rounds
    zero = jnp.zeros_like(state.seen.notional)
    if rounds == 1:
        state, notional = _round(prepared, state, index)
    else:
        body = lambda carry, _: (_add(_round(prepared, carry[0], index), carry[1]), None)
        (state, notional), _ = jax.lax.scan(body, (state, zero), None, length=rounds)
    if prepared.book.checks_after:
        state = state._replace(book=prepared.book.trigger(state.book, view(state, index)))

    # 8. observe
    return _observe(prepared, before, state, move, noise, notional, index, years)


def _add(result, so_far):
    state, notional = result
    return state, so_far + notional


def view(state: State, index) -> View:
    """What the book sees."""
    realised = state.realised or Realised.none(state.price)
    return View(
        state.mark,
        state.low,
        state.high,
        state.recent_low,
        state.recent_high,
        jnp.sqrt(realised.variance),
        realised.trend,
        index,
    )


def _shocked(prepared: Prepared, state: State, move: Move, index, years):
    fundamental = state.fundamental + move.diffusion + move.jump
    shock = prepared.scenario.shock
    if shock is not None:
        level = shock.level(state.shock_start, (index + 1).astype(years.dtype) * years)
        jump = level - state.shock_level
        if shock.venue is None:
            fundamental = fundamental + jump
        else:
            here = (jnp.arange(state.mark.shape[0]) == shock.venue)[:, None]
            decayed = state.dislocation * prepared.basis_decay[:, None]
            state = state._replace(dislocation=decayed + jnp.where(here, jump, 0.0))
        state = state._replace(shock_level=level)
    return state._replace(fundamental=fundamental)


def _relaxed(prepared: Prepared, state: State) -> State:
    decay = prepared.basis_decay[:, None]
    return state._replace(
        transient=state.transient * prepared.decay,
        local=state.local * decay,
        leaked=None if state.leaked is None else state.leaked * decay,
    )


def _mark(prepared: Prepared, state: State):
    """Index price and each venue's mark, log, after all impact so far."""
    scenario = prepared.scenario
    channels, impact = scenario.channels, scenario.impact
    price = state.fundamental - impact.fall(jnp.sum(state.transient + state.permanent, axis=0), channels.feedback)
    if state.mark.shape[0] == 1:
        return price, price[None, :]
    local = state.local if state.leaked is None else state.local + jnp.sum(state.leaked, axis=0)
    basis = channels.feedback * scenario.venues.local_impact * local
    if state.dislocation is not None:
        basis = basis - state.dislocation
    return price, price[None, :] - (1.0 - scenario.venues.index_weight)[:, None] * basis


def _seen(state: State, price, mark, low, high) -> State:
    """The state at new marks, which have been between `low` and `high` since the last margin check."""
    return state._replace(
        price=price,
        mark=mark,
        low=jnp.minimum(state.low, low),
        high=jnp.maximum(state.high, high),
        recent_low=low,
        recent_high=high,
    )


def _displaced(prepared: Prepared, state: State, forced: Float[Array, "venues assets sides"]) -> State:
    """After forced orders: selling of longs less buying of shorts displaces the price, the more the thinner the book is."""
    scenario = prepared.scenario
    sold = forced[..., 0] - forced[..., 1]
    common = scenario.impact.common_holders
    if common is not None:
        # holders of both assets sell the other one too
        passed_on = scenario.channels.common_holders * jnp.sum(common * sold[:, None, :], axis=-1)
        total = sold + passed_on
    else:
        total = sold
    if scenario.depth is not None:
        total = total / scenario.depth.effective(state.depth, scenario.channels.depth_withdrawal)
    share = jnp.asarray(scenario.impact.permanent_share)
    state = state._replace(
        transient=state.transient + (1.0 - share) * total, permanent=state.permanent + share * total, local=state.local + sold
    )
    leakage = scenario.venues.liquidity_leakage
    if leakage is not None:
        others = jnp.asarray(leakage) * (1.0 - jnp.eye(sold.shape[0], dtype=sold.dtype))
        state = state._replace(leaked=state.leaked + others.T[..., None] * sold[:, None, :])
    return state


def _round(prepared: Prepared, state: State, index):
    scenario, book = prepared.scenario, prepared.book
    venues, channels = scenario.venues, scenario.channels
    years = scenario.settings.years_per_step

    # 3. margin check; 4. liquidation, at the engine's speed
    held = book.trigger(state.book, view(state, index))
    held, orders = book.release(held, prepared.engine_share)
    dollars = jnp.asarray(venues.inverse)[:, None]  # a coin-margined contract is of so many dollars, whatever the mark
    worth = jnp.where(dollars, 1.0, jnp.exp(state.mark))[..., None]

    # 6. backstop, first part: what is beyond bankruptcy and not covered is matched with the other side instead of sold
    if venues.backstop is not None:
        _, tentative = _mark(prepared, _displaced(prepared, state, orders.forced()))
        claims = book.claims(held, orders, jnp.exp(tentative), venues.liquidation_fee)
        spared = deleveraged_share(venues.backstop, state.fund, claims, channels.deleveraging, years)
        orders = book.spare(held, orders, jnp.exp(tentative), spared)

    # 5. impact
    old_mark = state.mark
    state = _displaced(prepared, state, orders.forced())
    price, mark = _mark(prepared, state)
    state = _seen(state, price, mark, jnp.minimum(old_mark, mark), jnp.maximum(old_mark, mark))

    # 6. backstop, second part: who pays; 7. the book: both sides shrink together
    ratio = jnp.exp(mark)
    fund, loss = state.fund, None
    if venues.backstop is not None:
        claims = book.claims(held, orders, ratio, venues.liquidation_fee)
        fund, loss = pay(venues.backstop, fund, claims, forgone(orders, ratio, venues.inverse))
    held, closed = book.settle(held, orders, ratio, venues.liquidation_fee, venues.closes_opposite)
    if loss is not None:
        held = book.socialise(held, loss, ratio)
    state = state._replace(book=held, fund=fund)
    state = state._replace(seen=state.seen._replace(sums=_summed(prepared, state.seen.sums, orders, closed, worth)))
    return state, orders.liquidated * worth


def _summed(prepared: Prepared, sums: dict, orders: Orders, closed, worth) -> dict:
    """Running sums of what happened besides liquidation."""
    if "lost_liquidated" not in sums:
        return sums
    add = dict(sums)
    scenario = prepared.scenario
    forced = orders.forced()
    # what holders of the other side closed, by what made them
    cause = closed[..., ::-1] / jnp.where(forced > 0.0, forced, 1.0)
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


def _bridge(begin, end, variance, uniforms):
    r"""Lowest and highest log price of Brownian bridges between two steps.

    $\min = \tfrac12\big(a + b - \sqrt{(b-a)^2 - 2 v \log U}\big)$ (Glasserman, 2003, section 6.4), with a uniform of its own for
    each extreme: each is exact by itself, their dependence is left out.
    """
    spread = -2.0 * variance * jnp.log(uniforms[:, 0]), -2.0 * variance * jnp.log(uniforms[:, 1])
    square = (end - begin) ** 2
    root = lambda x: jnp.sqrt(jnp.maximum(x, 1e-30))
    middle = begin + end
    return 0.5 * (middle - root(square + spread[0])), 0.5 * (middle + root(square + spread[1]))


def _observe(prepared: Prepared, before: State, state: State, move: Move, noise: Noise, notional, index, years) -> State:
    scenario, seen = prepared.scenario, state.seen
    price, without = state.price, state.fundamental
    low, high, low_without, high_without = price, price, without, without
    if noise.bridge is not None:
        # the extremes between steps belong to the price before this step's jump and liquidations
        drift = (state.price - before.price) - (state.fundamental - before.fundamental)
        lowest, highest = _bridge(before.price, price - drift - move.jump, move.variance, noise.bridge)
        low, high = jnp.minimum(low, lowest), jnp.maximum(high, highest)
        lowest, highest = _bridge(before.fundamental, without - move.jump, move.variance, noise.bridge)
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
        fund = watch(scenario.venues.backstop, fund, index, scenario.settings.years_per_step)
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
    minutes_per_step = settings.years_per_step * 365 * 24 * 60
    window = max(1, round(1.0 / minutes_per_step))
    if window == 1:
        minute = notional / minutes_per_step
    else:
        minute = jnp.where(index % window == 0, 0.0, seen.minute) + notional / (window * minutes_per_step)
    return minute, jnp.maximum(seen.peak, minute)

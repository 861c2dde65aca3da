"""One step of one path, in the order in which things happen."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from ..market import Move
from ..positions import AbstractBook
from .depth import DepthState
from .observe import Observation, log_index


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


class Noise(NamedTuple):
    """What one step consumes: the process's `normals` and `uniforms`, and a pair of uniforms an asset for the `bridge`."""

    normals: Float[Array, " normals"]
    uniforms: Float[Array, " uniforms"]
    bridge: Float[Array, "assets 2"] | None


class State(NamedTuple):
    """Where a path is. Log prices are relative to the initial price; displaced volumes in USD at the initial price.

    `fundamental`: before impact, with the shock; `price`: index price after impact; `mark` by venue; `low`, `high`: running
    extremes of the mark that the margin check has to see; `transient`, `permanent`, `local`: displaced volume.
    """

    fundamental: Float[Array, " assets"]
    market: Any
    book: Any
    depth: DepthState | None
    transient: Float[Array, " assets"]
    permanent: Float[Array, " assets"]
    local: Float[Array, "venues assets"]
    price: Float[Array, " assets"]
    mark: Float[Array, "venues assets"]
    low: Float[Array, "venues assets"]
    high: Float[Array, "venues assets"]
    shock_start: Float[Array, " assets"] | None
    shock_level: Float[Array, " assets"] | None
    seen: Observation


def start(prepared: Prepared, shock_uniform) -> State:
    """State at time zero."""
    scenario = prepared.scenario
    venues, assets = scenario.venues.local_impact.shape
    dtype = prepared.decay.dtype
    each, marks = jnp.zeros(assets, dtype), jnp.zeros((venues, assets), dtype)
    shock = scenario.shock
    horizon = jnp.asarray(scenario.settings.horizon, dtype)
    return State(
        fundamental=each,
        market=scenario.market.init(prepared.market),
        book=prepared.book.init(),
        depth=None if scenario.depth is None else scenario.depth.init(),
        transient=each,
        permanent=each,
        local=marks,
        price=each,
        mark=marks,
        low=marks,
        high=marks,
        shock_start=None if shock is None else shock.start(shock_uniform, horizon),
        shock_level=None if shock is None else each,
        seen=Observation.start(venues, assets, dtype),
    )


def step(prepared: Prepared, state: State, noise: Noise, index) -> State:
    """Shock, mark, margin check, liquidation, impact, backstop, book, observe."""
    scenario = prepared.scenario
    years = jnp.asarray(scenario.settings.years_per_step, prepared.decay.dtype)
    before = state

    # 1. shock: the exogenous price moves, displaced volume relaxes
    market, move = scenario.market.step(prepared.market, state.market, noise.normals, noise.uniforms, index)
    state = _shocked(prepared, state._replace(market=market), move, index, years)
    state = state._replace(transient=state.transient * prepared.decay, local=state.local * prepared.basis_decay[:, None])

    # 2. mark; where the path between two steps is a bridge, its extremes rather than its ends are checked
    price, mark = _mark(prepared, state)
    low, high = jnp.minimum(state.low, mark), jnp.maximum(state.high, mark)
    if noise.bridge is not None:
        lowest, highest = _bridge(before.mark, mark - move.jump, move.variance, noise.bridge)
        low, high = jnp.minimum(low, lowest), jnp.maximum(high, highest)
    state = state._replace(price=price, mark=mark, low=low, high=high)

    # 3 to 7, `rounds` times: margin check, liquidation, impact, (backstop), book
    zero = jnp.zeros_like(state.seen.notional)
    if scenario.settings.rounds == 1:
        state, notional = _round(prepared, state)
    else:
        body = lambda carry, _: (_add(_round(prepared, carry[0]), carry[1]), None)
        (state, notional), _ = jax.lax.scan(body, (state, zero), None, length=scenario.settings.rounds)

    # 8. observe
    return _observe(prepared, before, state, move, noise, notional, index, years)


def _add(result, so_far):
    state, notional = result
    return state, so_far + notional


def _shocked(prepared: Prepared, state: State, move: Move, index, years):
    fundamental = state.fundamental + move.diffusion + move.jump
    shock = prepared.scenario.shock
    if shock is not None:
        level = shock.level(state.shock_start, (index + 1).astype(years.dtype) * years)
        fundamental = fundamental + (level - state.shock_level)
        state = state._replace(shock_level=level)
    return state._replace(fundamental=fundamental)


def _mark(prepared: Prepared, state: State):
    """Index price and each venue's mark, log, after all impact so far."""
    scenario = prepared.scenario
    channels, impact = scenario.channels, scenario.impact
    price = state.fundamental - impact.fall(state.transient + state.permanent, channels.feedback)
    if state.mark.shape[0] == 1:
        return price, price[None, :]
    basis = channels.feedback * scenario.venues.local_impact * state.local
    return price, price[None, :] - (1.0 - scenario.venues.index_weight)[:, None] * basis


def _round(prepared: Prepared, state: State):
    scenario = prepared.scenario

    # 3. margin check
    book = prepared.book.trigger(state.book, state.low, state.high)

    # 4. liquidation, at the engine's speed; 7. the book: both sides shrink together
    book, executed, _ = prepared.book.execute(book, prepared.engine_share, scenario.venues.closes_opposite)
    dollars = jnp.asarray(scenario.venues.inverse)[:, None]  # a coin-margined contract is of so many dollars, whatever the mark
    notional = executed * jnp.where(dollars, 1.0, jnp.exp(state.mark))[..., None]

    # 5. impact: selling of longs less buying of shorts displaces the price, the more the thinner the book is
    sold = executed[..., 0] - executed[..., 1]
    total = jnp.sum(sold, axis=0)
    if scenario.depth is not None:
        total = total / scenario.depth.effective(state.depth, scenario.channels.depth_withdrawal)
    share = jnp.asarray(scenario.impact.permanent_share)
    state = state._replace(
        book=book,
        transient=state.transient + (1.0 - share) * total,
        permanent=state.permanent + share * total,
        local=state.local + sold,
    )
    price, mark = _mark(prepared, state)

    # 6. backstop: the shortfall of what was closed beyond its bankruptcy price is settled here

    low, high = jnp.minimum(state.low, mark), jnp.maximum(state.high, mark)
    return state._replace(price=price, mark=mark, low=low, high=high), notional


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
    )
    depth = state.depth
    if depth is not None:
        depth = scenario.depth.step(prepared.depth, depth, price - before.price, years)
    return state._replace(seen=seen, depth=depth)


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

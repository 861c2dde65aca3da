"""One step of one path, in the order in which things happen."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from ..market import Move
from .backstop import FundState, by_venue, deleveraged_share, forgone, pay
from .breaker import BreakerState, check, depth_factor, frozen, gate
from .bridge import between
from .observe import Observation, Realised, start_sums
from .state import Noise, Prepared, State, view
from .watch import charged, observe, summed


def start(prepared: Prepared, uniforms) -> State:
    """State at time zero, by the uniforms of draws before the first step."""
    scenario = prepared.scenario
    venues, assets = scenario.venues.local_impact.shape
    dtype = prepared.decay.dtype
    each, marks = jnp.zeros(assets, dtype), jnp.zeros((venues, assets), dtype)
    shock, backstop = scenario.shock, scenario.venues.backstop
    horizon = jnp.asarray(scenario.settings.horizon, dtype)
    return State(
        fundamental=each,
        market=scenario.market.init(prepared.market, uniforms[1:]),
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
        shock_start=None if shock is None else shock.start(uniforms[0], horizon),
        shock_level=None if shock is None else each,
        fund=None if backstop is None else FundState.start(backstop),
        realised=None if prepared.newest is None else Realised.start(scenario.flow, assets, dtype),
        seen=Observation.start(venues, assets, dtype, start_sums(scenario, dtype)),
        pace=None if scenario.impact.temporary is None else each,
        halt=None if scenario.venues.breaker is None else BreakerState.start(venues, assets, dtype),
    )


def step(prepared: Prepared, state: State, noise: Noise, index) -> State:
    """Shock, mark, margin check, liquidation, impact, backstop, book, observe."""
    # kept, and not computed again in every fusion: what follows has the same bits where others have drawn and moved (together.py)
    noise = jax.lax.optimization_barrier(noise)
    market, move = jax.lax.optimization_barrier(exogenous(prepared, state.market, noise, index))
    return respond(prepared, state._replace(market=market), move, noise.bridge, index)


def exogenous(prepared: Prepared, market, noise: Noise, index) -> tuple[Any, Move]:
    """What moves the price before anybody is liquidated: it knows of no position, limit or venue."""
    scenario = prepared.scenario
    after, move = scenario.market.step(prepared.market, market, noise.normals, noise.uniforms, index)
    return (after, move) if scenario.given is None else scenario.given.hold(market, after, move, index)


def respond(prepared: Prepared, state: State, move: Move, bridge, index) -> State:
    """The rest of a step: all that follows from an exogenous move; `bridge`: the noise's."""
    scenario = prepared.scenario
    years = jnp.asarray(scenario.settings.years_per_step, prepared.decay.dtype)
    before = state

    # 1. shock: the exogenous price moves, displaced volume relaxes; funding, and positions that close and open unforced
    state = _relaxed(prepared, _shocked(prepared, state, move, index, years))
    state = _checked(prepared, _pinned(prepared, state, index), years)
    state = state._replace(book=prepared.book.advance(state.book, _view(prepared, state, index), years))

    # 2. mark; where the path between two steps is a bridge, its extremes rather than its ends are checked
    price, mark = _mark(prepared, state)
    low, high = jnp.minimum(state.mark, mark), jnp.maximum(state.mark, mark)
    if bridge is not None:
        inside, ends = between(mark - before.mark - move.jump, move.variance, bridge), (low, high)
        low, high = jnp.minimum(low, before.mark + inside.low), jnp.maximum(high, before.mark + inside.high)
        if state.halt is not None:  # what stands still, or has until now, is nowhere between
            breaker = scenario.venues.breaker
            still = frozen(breaker, before.halt) | frozen(breaker, state.halt)
            low, high = (jnp.where(still, end, one) for end, one in zip(ends, (low, high), strict=True))
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
        state = state._replace(book=prepared.book.trigger(state.book, _view(prepared, state, index)))

    # 8. observe
    return observe(prepared, before, state, move, bridge, notional, index, years)


def _view(prepared: Prepared, state: State, index):
    """What the book sees."""
    return view(state, index, None if state.halt is None else ~frozen(prepared.scenario.venues.breaker, state.halt))


def _add(result, so_far):
    state, notional = result
    return state, so_far + notional


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
            # arbitrageurs buy here and sell elsewhere
            fundamental = fundamental + shock.pass_through * jnp.sum(state.dislocation - decayed, axis=0)
            state = state._replace(dislocation=decayed + jnp.where(here, jump, 0.0))
        state = state._replace(shock_level=level)
    return state._replace(fundamental=fundamental)


def _relaxed(prepared: Prepared, state: State) -> State:
    decay = prepared.basis_decay[:, None]
    return state._replace(
        transient=state.transient * prepared.decay,
        local=state.local * decay,
        leaked=None if state.leaked is None else state.leaked * decay,
        pace=None if state.pace is None else state.pace * prepared.pace[0],
    )


def _pinned(prepared: Prepared, state: State, index) -> State:
    """While prices are given, the fundamental is what makes the price theirs under the impact so far."""
    given, impact = prepared.scenario.given, prepared.scenario.impact
    if given is None:
        return state
    fall = impact.fall(state.displaced(), prepared.scenario.channels.feedback, state.pace)
    return state._replace(fundamental=given.fundamental(state.fundamental, fall, index))


def _checked(prepared: Prepared, state: State, years) -> State:
    """After breakers have looked at where the marks would be without them."""
    if state.halt is None:
        return state
    _, mark = _moving(prepared, state)
    return state._replace(halt=check(prepared.scenario.venues.breaker, state.halt, mark, years))


def _mark(prepared: Prepared, state: State):
    """Index price and each venue's mark, log, after all impact so far; where trading is halted they are where they were."""
    price, mark = _moving(prepared, state)
    if state.halt is None:
        return price, mark
    still = frozen(prepared.scenario.venues.breaker, state.halt)
    return jnp.where(jnp.all(still, axis=0), state.price, price), jnp.where(still, state.mark, mark)


def _moving(prepared: Prepared, state: State):
    """Index price and marks as if no trading were halted."""
    scenario = prepared.scenario
    channels, impact = scenario.channels, scenario.impact
    price = state.fundamental - impact.fall(state.displaced(), channels.feedback, state.pace)
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
    if state.halt is not None:
        factor = depth_factor(scenario.venues.breaker, state.halt)
        total, sold = total / factor, sold / factor
    share = jnp.asarray(scenario.impact.permanent_share)
    state = state._replace(
        transient=state.transient + (1.0 - share) * total, permanent=state.permanent + share * total, local=state.local + sold
    )
    if state.pace is not None:
        state = state._replace(pace=state.pace + prepared.pace[1] * jnp.sum(total, axis=0))
    leakage = scenario.venues.liquidity_leakage
    if leakage is not None:
        others = jnp.asarray(leakage) * (1.0 - jnp.eye(sold.shape[0], dtype=sold.dtype))
        state = state._replace(leaked=state.leaked + others.T[..., None] * sold[:, None, :])
    return state


def _round(prepared: Prepared, state: State, index):
    scenario, book = prepared.scenario, prepared.book
    venues, channels = scenario.venues, scenario.channels

    # 3. margin check; 4. liquidation, at the engine's speed
    seen = _view(prepared, state, index)
    held, let = book.trigger(state.book, seen), None
    if state.halt is not None:
        let = gate(venues.breaker, state.halt, state.mark, scenario.settings.rounds)
    held, orders = book.release(held, prepared.engine_share, let)
    dollars = jnp.asarray(venues.inverse)[:, None]  # a coin-margined contract is of so many dollars, whatever the mark
    worth = jnp.where(dollars, 1.0, jnp.exp(state.mark))[..., None]

    # 6. backstop, first part: what is beyond bankruptcy and not covered is matched with the other side instead of sold
    if venues.backstop is not None:
        _, tentative = _mark(prepared, _pinned(prepared, _displaced(prepared, state, orders.forced()), index))
        claims = book.claims(held, orders, jnp.exp(tentative), venues.liquidation_fee)
        spared = deleveraged_share(venues.backstop, state.fund, claims, channels.deleveraging, scenario.settings.fund_steps)
        orders = book.spare(held, orders, jnp.exp(tentative), spared)

    # 5. impact
    old_mark = state.mark
    state = _pinned(prepared, _displaced(prepared, state, orders.forced()), index)
    price, mark = _mark(prepared, state)
    state = _seen(state, price, mark, jnp.minimum(old_mark, mark), jnp.maximum(old_mark, mark))

    # 6. backstop, second part: who pays; 7. the book: both sides shrink together
    ratio = jnp.exp(mark)
    fund, paid = state.fund, None
    if venues.backstop is not None:
        claims = book.claims(held, orders, ratio, venues.liquidation_fee)
        matched = by_venue(orders.deleveraged * worth)
        fund, paid = pay(venues.backstop, fund, claims, forgone(orders, ratio, venues.inverse), matched)
    sums = state.seen.sums
    if paid is not None and "paid_by_class" in sums:
        sums = charged(sums, book.owed(held, orders, ratio), paid)
    held, closed = book.settle(held, orders, ratio, venues.liquidation_fee, venues.closes_opposite)
    if paid is not None:
        held = book.socialise(held, paid.everybody, ratio)
    state = state._replace(book=held, fund=fund)
    state = state._replace(seen=state.seen._replace(sums=summed(prepared, sums, orders, closed, worth)))
    return state, orders.liquidated * worth

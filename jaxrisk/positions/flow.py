"""FlowBook: positions that close and reopen, as open interest by liquidation price."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .batch import contracts_of
from .book import AbstractBook, Cells, Claims, Orders, View
from .by_class import ByClass, Closing
from .closing import closed_against
from .ladder import LadderBook, LadderState
from .levels import Levels, Newcomers, Pair, Tables
from .rules import Flow, Funding
from .tables import SIDE_SIGN, distances, interpolate

LEVERAGE_NODES = 17
LEVERAGE_RANGE = float(np.log(4.0))
VOLUME_RANGE = float(np.log(10.0))


class Funded(NamedTuple):
    """What funding has done so far. `paid`: by a unit of a long, over the initial price (for inverse contracts in coins, times
    it); `drift`: sum of the rates; `low`, `high`: extremes of the mark as positions of the start see it."""

    paid: Pair
    drift: Pair
    low: Pair
    high: Pair


class Waiting(NamedTuple):
    """Opened but not laid down yet: `quantity` as opened, and that times log mark and log of the scale of leverage."""

    quantity: Pair
    mark: Pair
    leverage: Pair


class FlowState(NamedTuple):
    """`ladder`: positions of the start, all backlog, holders without leverage, stop orders; `later`: positions opened since;
    `early`, `late`: quantity of the two triggered so far; `fresh`: those counted as without leverage that are not laid down yet.
    """

    ladder: LadderState
    later: Levels
    early: Cells
    late: Cells
    fresh: Cells
    waiting: Waiting | None = None
    funded: Funded | None = None


class FlowBook(AbstractBook):
    r"""Isolated positions over longer horizons: every holder closes at a rate, and new leverage opens at the current price.

    Positions of the start are a `LadderBook`, exact as there, thinned out as they close. Positions opened since are open interest
    by liquidation price on a uniform grid of the log price that stays where it is while the mark moves, so that nothing spreads;
    cumulated from the mark outwards, so that a margin check is a look-up and a step is one pass over the grid. What opens has the
    start's own distribution of liquidation prices, after limits and tiers, about the current mark, with all leverage scaled.

    Approximations, and what bounds them:

    - New positions lie where their liquidation price is to about a cell, and evenly within a cell. Of a partly liquidated cell
      the book remembers which part is gone, of one cell at a time: the one in which forgetting it would misplace the most. With
      liquidation prices from 2% of the mark on and everybody replaced in 18 days, the quantity triggered in 150 days was off by
      up to 6% with cells of 0.008, 2% with 0.004, 0.8% with 0.002.
    - New leverage is tabulated at `LEVERAGE_NODES` scales from 1/4 to 4 times the start's, in between interpolated; beyond, at
      the end. The volume of new positions stays between 1/10 and 10 times that of the reference volatility.
    - The grid reaches `levels * width / 2` about the initial price. What is further than its end opens as without leverage.
    - In a step as many longs as shorts close of their own accord, so that open interest stays balanced: the share
      $1 - e^{-r\,dt}$ of the smaller side. Who waits for the engine does not close. Closing is pro rata over a side.
    - Funding moves liquidation prices of the start's positions exactly, up to the spread of maintenance rates on a side. Those of
      later positions move by the rate in the log price: exact near the mark, but a linear contract's liquidation price `L` moves
      by `S/L` times the rate, an inverse one's by `L/S` times.
    - Margin calls reach positions of the start only. Of what is triggered of later positions the classes' shares, and the share
      closed for good where a policy closes in parts, are those of the start.
    - Auto-deleveraging that is not pro rata takes the levered of the other side from the near end, old and new together.

    **Fields:**

    - `initial`: positions of the start.
    - `opening`: share of what opens whose liquidation price is no further than so many cells from the mark, by scale of leverage
      and place of the mark in its cell (`levels.by_phase`); with a backstop also that times bankruptcy price over entry price
      (for inverse contracts entry price over it) and times its square. Shape `(venues, assets, sides, nodes, phases, moments,
      2 levels)`.
    - `gap`: mean bankruptcy price over liquidation price. `final`: share of what is triggered of new positions that closes them
      for good. Shape `(venues, assets, sides)`.
    - `flow`, `funding` (or None).
    - `every`: after how many steps new positions are laid down on the grid, until then they cannot be liquidated; static. They
      lie as if opened at their mean log price and leverage. The pass over the grid is what a step costs.
    """

    initial: LadderBook
    opening: Tables
    gap: Cells
    final: Cells
    dropped: Cells
    balancing: Cells
    flow: Flow
    funding: Funding | None = None
    every: int = eqx.field(static=True, default=1)

    @property
    def checks_after(self) -> bool:
        return False

    def init(self) -> FlowState:
        zero = jnp.zeros_like(self.gap)
        later = Levels.empty(zero, self.opening.shape[-2], self.flow.levels)
        pair = zero[..., 0]
        waiting = None if self.every == 1 else Waiting(pair, pair, pair)
        funded = None if self.funding is None else Funded(pair, pair, pair, pair)
        return FlowState(self.initial.init(), later, zero, zero, zero, waiting, funded)

    def advance(self, state: FlowState, view: View, years) -> FlowState:
        funded = state.funded
        if self.funding is not None and funded is not None:
            rate = (self.funding.rate + self.funding.trend_sensitivity * view.trend) * years
            paid = funded.paid + rate * self._worth(view.mark[..., None])[..., 0]
            state = state._replace(funded=funded._replace(paid=paid, drift=funded.drift + rate))

        flow, held = self.flow, self._held(state)
        if view.trades is not None:  # no time passes for those who want to close or open
            years = jnp.where(view.trades, years, 0.0)
        # as many close on one side as on the other
        smaller = jnp.where(held[..., 0] <= held[..., 1], held[..., 0], held[..., 1])
        gone = -jnp.expm1(-flow.closing_rate * years)
        state = _thinned(state, 1.0 - (gone * smaller)[..., None] / jnp.where(held > 0.0, held, 1.0))

        # what opens during the step is closed during it at the same rate, so that open interest is stationary for any step
        closes = flow.closing_rate > 0.0
        stays = jnp.where(closes, gone / jnp.where(closes, flow.closing_rate, 1.0), years)
        calm = jnp.log(flow.reference_volatility / jnp.maximum(view.volatility, 1e-6 * flow.reference_volatility))
        volume = flow.volume_elasticity * calm + flow.volume_trend * view.trend
        volume = jnp.exp(jnp.clip(volume, -VOLUME_RANGE, VOLUME_RANGE))
        start = self.initial.open_interest(self.initial.init())[..., 0]
        leverage = flow.leverage_elasticity * calm + flow.leverage_trend * view.trend
        opened = (start + flow.opening_follows * (held[..., 0] - start)) * flow.opening_rate * stays * volume
        state = _without_leverage(state, opened[..., None])
        state = state._replace(fresh=state.fresh + opened[..., None])
        leverage = jnp.broadcast_to(leverage, view.mark.shape)
        if state.waiting is None:
            return self._laid(state, view.mark, leverage, True)
        new = Waiting(opened, opened * view.mark, opened * leverage)
        sums = jax.tree.map(jnp.add, state.waiting, new)
        some = jnp.where(sums.quantity > 0.0, sums.quantity, 1.0)
        now = (view.index + 1) % self.every == 0
        state = state._replace(waiting=jax.tree.map(lambda total: jnp.where(now, 0.0, total), sums))
        return self._laid(state, sums.mark / some, sums.leverage / some, now)

    def trigger(self, state: FlowState, view: View) -> FlowState:
        before = state.ladder
        funded = state.funded
        if funded is not None:
            seen = self._seen_at_start(state, jnp.stack([view.recent_low, view.recent_high], axis=-1))
            low, high = jnp.minimum(funded.low, seen[..., 0]), jnp.maximum(funded.high, seen[..., 1])
            state = state._replace(funded=funded._replace(low=low, high=high))
        ladder = self.initial.trigger(before, self._view(state, view))
        early = ladder.backlog - before.backlog
        later, late = state.later.crossed(self._coordinate(state, distances(view.recent_low, view.recent_high)))
        ladder = ladder._replace(backlog=ladder.backlog + late[..., 0])
        if ladder.offset is not None:
            offset, square = self._funded(state, early, ladder.offset - before.offset, ladder.square - before.square)
            first, second = late[..., 1] * self._drifted(state), late[..., 2] * self._drifted(state) ** 2
            ladder = ladder._replace(
                offset=before.offset + offset + (first - late[..., 0]),
                square=before.square + square + (second - 2.0 * first + late[..., 0]),
            )
        if ladder.final is not None:
            ladder = ladder._replace(final=ladder.final + self.final * late[..., 0])
        if funded is not None and self.initial.stops is not None:  # funding does not move a stop order
            stopped = self.initial.stops.reached(view.low, view.high)
            stopping = before.stopping + before.scale * (stopped - before.reached_stopped)
            ladder = ladder._replace(stopping=stopping, reached_stopped=stopped)
        return state._replace(ladder=ladder, later=later, early=state.early + early, late=state.late + late[..., 0])

    def release(self, state: FlowState, share, gate=None):
        ladder, orders = self.initial.release(state.ladder, share, gate)
        return state._replace(ladder=ladder), orders

    def claims(self, state: FlowState, orders: Orders, ratio, fee) -> Claims:
        return self.initial.claims(state.ladder, orders, ratio, fee)

    def spare(self, state: FlowState, orders: Orders, ratio, share) -> Orders:
        # later positions of the other side can be closed against too: for the ladder they are like holders without leverage
        unlevered = state.ladder.unlevered + state.later.held()
        return self.initial.spare(state.ladder._replace(unlevered=unlevered), orders, ratio, share)

    def owed(self, state: FlowState, orders: Orders, ratio) -> None:
        """Not known: of what has been opened since the classes are those of the start, whatever was liquidated meanwhile."""

    def settle(self, state: FlowState, orders: Orders, ratio, fee, closes_opposite):
        if state.ladder.eaten is not None:
            state = self._deleveraged(state, orders.deleveraged[..., ::-1])
        forced, held = orders.forced(), self._held(state)
        closed = closed_against(forced, held, closes_opposite)
        state = _thinned(state, 1.0 - closed.holders / jnp.where(held > 0.0, held, 1.0))
        return _without_leverage(state, closed.opened), closed

    def socialise(self, state: FlowState, loss, ratio) -> FlowState:
        return state

    def open_interest(self, state: FlowState) -> Cells:
        return self.initial.open_interest(state.ladder) + state.later.held()

    def class_shares(self, state: FlowState, view: View):
        old = self.initial.class_shares(state.ladder, self._view(state, view))
        start = self.initial.class_notional[..., -1]
        total = jnp.sum(start, axis=-1, keepdims=True)
        early, late = state.early[..., None], state.late[..., None]
        some = early + late > 0.0
        return (early * old + late * start / jnp.where(total > 0.0, total, 1.0)) / jnp.where(some, early + late, 1.0)

    def accounts(self, state: FlowState, view: View, closing: Closing) -> ByClass:
        """Of the start as on a ladder. Of positions opened since as many accounts and as much collateral go with what is
        triggered as on average with the start's. Who has lost half, and may have closed and come back since, is not known.
        """
        initial, members, ladder = self.initial, self.initial.members, state.ladder
        assert members is not None
        furthest = distances(*self._view(state, view)[1:3])
        some = ladder.reached > 0.0
        kept = jnp.where(some, state.early / jnp.where(some, ladder.reached, 1.0), 0.0)
        old = members.read(furthest, furthest, kept, closing)
        held = initial.quantity[..., -1]
        late = (state.late / jnp.where(held > 0.0, held, 1.0))[..., None]
        more = lambda table: jnp.sum(late * table[..., -1], axis=(0, 1))
        closed_out = more(members.closed_out)
        return old._replace(
            closed_out=old.closed_out + jnp.sum(closed_out, axis=0),
            lost=old.lost + jnp.sum(more(members.worth), axis=0),
            half_lost=None,
            by_side=old.by_side + closed_out,
        )

    def margin_called(self, state: FlowState):
        return self.initial.margin_called(state.ladder)

    def triggered(self, distance):
        return self.initial.triggered(distance)

    def _held(self, state: FlowState) -> Cells:
        """Quantity that its holders may still close or lose to auto-deleveraging."""
        return self.initial.held(state.ladder) + state.later.held()

    def _laid(self, state: FlowState, mark: Pair, leverage: Pair, now) -> FlowState:
        """After what is fresh has been laid down, if it is time, as opened at a log mark with a log of the scale of leverage."""
        node = (jnp.clip(leverage / LEVERAGE_RANGE, -1.0, 1.0) + 1.0) * (0.5 * (LEVERAGE_NODES - 1))
        # from the price at entry to the initial price, before funding
        worth = self._worth(mark[..., None]) / self._drifted(state)
        scale = jnp.stack([state.fresh * worth**moment for moment in range(self.opening.shape[-2])], axis=-1)
        more = Newcomers(self.opening, self._coordinate(state, distances(mark, mark)), node, scale)
        levered = more.total()
        later = state.later.refilled(more, now)
        if now is not True:
            levered = jnp.where(now, levered, 0.0)
        fresh = jnp.zeros_like(levered) if now is True else jnp.where(now, 0.0, state.fresh)
        ladder = state.ladder._replace(unlevered=state.ladder.unlevered - levered)
        return state._replace(ladder=ladder, later=later, fresh=fresh)

    def _worth(self, log_price):
        """A price over the initial price, for inverse contracts the initial price over it."""
        return jnp.exp(jnp.where(contracts_of(self.initial.inverse), -log_price, log_price))

    def _signed(self, paid: Pair):
        return jnp.where(contracts_of(self.initial.inverse), -paid[..., None], paid[..., None])

    def _coordinate(self, state: FlowState, distance: Cells) -> Cells:
        """Where on the grid a log price lies, given with the sign by which it runs against each side."""
        if state.funded is not None:
            distance = distance + jnp.stack([state.funded.drift, -state.funded.drift], axis=-1)
        levels = self.flow.levels
        return jnp.clip(distance / self.flow.width + 0.5 * levels, 0.0, levels)

    def _seen_at_start(self, state: FlowState, log_price: Cells) -> Cells:
        r"""The log price at which positions of the start would be liquidated that are liquidated at this one, but for funding.

        A long that pays `dF` has its liquidation price raised by `dF/(1 - m)`, whatever it is: $L = L_0 + F/g$ with `g` the
        bankruptcy price over the liquidation price; for inverse contracts $1/L = 1/L_0 - F g$. Shorts likewise.
        """
        if state.funded is None:
            return log_price
        inverse = contracts_of(self.initial.inverse)
        before = self._worth(log_price) - self._signed(state.funded.paid) * jnp.where(inverse, self.gap, 1.0 / self.gap)
        logs = jnp.log(jnp.maximum(before, 1e-6))
        return jnp.where(inverse, -logs, logs)

    def _view(self, state: FlowState, view: View) -> View:
        return view if state.funded is None else view._replace(low=state.funded.low, high=state.funded.high)

    def _funded(self, state: FlowState, quantity, offset, square) -> tuple[Cells, Cells]:
        """Offset and square of positions of the start, all of whose bankruptcy prices funding has moved by as much."""
        if state.funded is None:
            return offset, square
        moved = self._signed(state.funded.paid)
        return offset + moved * quantity, square + moved * (2.0 * offset + moved * quantity)

    def _drifted(self, state: FlowState):
        """What funding has multiplied bankruptcy prices of later positions by (divided, for inverse contracts)."""
        return jnp.ones_like(self.gap) if state.funded is None else self._worth(state.funded.drift[..., None])

    def _deleveraged(self, state: FlowState, wanted: Cells) -> FlowState:
        """After a quantity of each side's holders has been closed in the venue's order."""
        pro_rata, held = self.initial.pro_rata, self._held(state)
        state = _thinned(state, 1.0 - jnp.where(pro_rata, wanted, 0.0) / jnp.where(held > 0.0, held, 1.0))
        if np.all(pro_rata):
            return state
        wanted = jnp.where(pro_rata, 0.0, wanted)
        later, late = state.later.crossed(self._coordinate(state, self._nearest(state, wanted)))
        ladder, levered = state.ladder, self.initial.levered(state.ladder)
        early = jnp.clip(wanted - late[..., 0], 0.0, levered)
        ladder = ladder._replace(eaten=ladder.eaten + early / jnp.where(ladder.scale > 0.0, ladder.scale, 1.0))
        return _without_leverage(state._replace(ladder=ladder, later=later), early + late[..., 0] - wanted)

    def _nearest(self, state: FlowState, wanted: Cells) -> Cells:
        """Up to which distance the levered, old and new, hold a wanted quantity: bisection, only where any is wanted."""
        reach = self.initial.grid.reach
        sign = jnp.asarray(SIDE_SIGN, wanted.dtype)

        def short_of(distance, book: FlowBook, state: FlowState, wanted):
            ladder, later = state.ladder, state.later
            seen = sign * book._seen_at_start(state, sign * distance)
            early = interpolate(book.initial.quantity, book.initial.grid.coordinate(seen)) - ladder.reached - ladder.eaten
            late = later.read(book._coordinate(state, distance))[..., 0] - later.reached[..., 0]
            return wanted - ladder.scale * jnp.maximum(early, 0.0) - later.scale * jnp.maximum(late, 0.0)

        given = (self, state, wanted)
        fixed = jax.lax.stop_gradient(given)

        def halve(carry):
            low, high, done = carry
            middle = 0.5 * (low + high)
            more = short_of(middle, *fixed) > 0.0
            return jnp.where(more, middle, low), jnp.where(more, high, middle), done + 1

        ends = (jnp.full_like(wanted, -reach), jnp.full_like(wanted, reach), 0)
        halvings = 4 + jnp.finfo(wanted.dtype).nmant
        unsure = lambda carry: jnp.any(fixed[2] > 0.0) & (carry[2] < halvings)
        _, found, _ = jax.lax.while_loop(unsure, halve, ends)
        # a Newton step, which is where the derivative comes from
        step = self.flow.width / 64
        slope = (short_of(found - step, *fixed) - short_of(found + step, *fixed)) / (2.0 * step)
        moves = (fixed[2] > 0.0) & (slope > 0.0)
        found = found + jnp.where(moves, short_of(found, *given) / jnp.where(moves, slope, 1.0), 0.0)
        return jnp.where(fixed[2] > 0.0, found, -reach)


def _thinned(state: FlowState, kept: Cells) -> FlowState:
    """After a share of every holder's position has been closed."""
    ladder, later = state.ladder, state.later
    ladder = ladder._replace(scale=ladder.scale * kept, unlevered=ladder.unlevered * kept)
    return state._replace(ladder=ladder, later=later._replace(scale=later.scale * kept), fresh=state.fresh * kept)


def _without_leverage(state: FlowState, more: Cells) -> FlowState:
    """With more (or fewer) holders without leverage."""
    unlevered = state.ladder.unlevered
    now = unlevered + more
    fewer = (now < unlevered) & (unlevered > 0.0)
    fresh = jnp.where(fewer, state.fresh * now / jnp.where(fewer, unlevered, 1.0), state.fresh)
    return state._replace(ladder=state.ladder._replace(unlevered=now), fresh=fresh)


__all__ = ["LEVERAGE_NODES", "LEVERAGE_RANGE", "FlowBook", "FlowState"]

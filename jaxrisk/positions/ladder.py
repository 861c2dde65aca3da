"""LadderBook: isolated positions as cumulative tables over the log price."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .account_tables import AccountTables
from .batch import LEAST, Batch, notional, outcome_of
from .book import AbstractBook, Cells, Claims, Optional, Orders, View
from .by_class import ByClass, Closing
from .closing import closed_against
from .grid import Grid
from .owing import Owed, Owing, Table as OwingTable, owed_of
from .schedule import Schedule
from .tables import distances, interpolate

Table = Float[Array, "venues assets sides edges"]


class LadderState(NamedTuple):
    """Everything of shape `(venues, assets, sides)`, USD at the initial price unless said; None where the book has no such table.

    `reached`: the table's value at the running extreme; `scale`: share of the tables' quantity that its holders have not closed
    voluntarily; `backlog`: triggered, not executed; `unlevered`: held by holders without a liquidation price. `offset`, `square`,
    `final`: of the backlog, as the tables of `LadderBook`; `eaten`: of the table beyond `reached`, what
    has been auto-deleveraged; `reducing`, `stopping`: reached in this round; `called`: USD asked for by margin calls.
    `reached_offset` and so on: as `reached`, for the other tables. `owing`: who will owe what is lost beyond the collateral.
    """

    reached: Cells
    scale: Cells
    backlog: Cells
    unlevered: Cells
    offset: Optional = None
    square: Optional = None
    final: Optional = None
    eaten: Optional = None
    reducing: Optional = None
    stopping: Optional = None
    called: Optional = None
    reached_offset: Optional = None
    reached_square: Optional = None
    reached_final: Optional = None
    reached_reduced: Optional = None
    reached_called: Optional = None
    reached_stopped: Optional = None
    owing: Optional = None


class LadderBook(AbstractBook):
    """Cumulative quantity triggered as the mark reaches a price: two look-ups a step, whatever the number of positions.

    Exact, up to the grid's cell width, for isolated positions that were open at the start. Where it is an approximation,
    `AccountBook` is the reference:

    - After a partial close the next trigger is that of the equity left at the first trigger's own price: what executing the first
      part cost beyond that is not felt by the account.
    - Of what is executed in a round on one venue, asset and side only the mean and spread of bankruptcy prices are known
      (`batch.py`): how much is bankrupt is exact for one crowd and for evenly spread triggers. The sum of surplus and shortfall,
      and so the fund's balance where all that is left goes to the fund, is exact always.
    - Auto-deleveraging by profit and leverage, of whatever formula, takes the levered part of the other side from its near end:
      the most levered first; then holders without leverage; those with stop orders and those who are to reduce not at all. Pro
      rata is exact. Bankruptcy prices of what is triggered next are then a mean over the deleveraged and the others there.
    - Voluntary closing is pro rata over a side, which is an assumption about who closes, not an approximation of a rule: some
      holders leave. (In `AccountBook` every holder closes a share and keeps the collateral, and so is less levered afterwards.)
    - A top-up of a coin-margined position is posted in coins. (In `AccountBook` in dollars.)
    - Socialised losses change nobody's margin.
    - Accounts are counted by their first close, as `AccountTables` says. Of those who close of their own accord a share of each
      side is taken to have gone before its price was reached: between none and all that has gone by now, as the notional
      liquidated says. What a venue hands back is split among classes as what is liquidated.
    - Whose balance is negative is known with `owing` only. Accounts are counted there as they are when closed out, as open
      interest over size less those who have left, but by their last close, and one by one round: of the accounts of a class that
      a round closes, on one venue, asset and side, as many are negative as have a bankruptcy price short of the price that the
      round was executed at, by the mean and spread of theirs. So it is exact for one crowd and for evenly spread triggers. An
      engine that takes longer than a step closes an account in portions, and each portion counts for its part. What they owe is
      found likewise, class by class, and then takes its share of what the whole batch owes: classes add up to the shortfall.

    **Fields:**

    - `quantity`: cumulative quantity by grid edge, USD at the initial price. Shape `(venues, assets, sides, edges)`.
    - `class_notional`: cumulative notional at the trigger price by class, USD. Shape `(venues, assets, sides, classes, edges)`.
    - `unlevered`: quantity held without a liquidation price at the start. Shape `(venues, assets, sides)`.
    - `dropped`: quantity that was beyond its liquidation price at the start and left out. Same shape.
    - `balancing`: the part of `unlevered` that only makes up for a difference between longs and shorts as given. Same shape.
    - `grid`: static.
    - `offset`, `square`: cumulative quantity times `b` and its square, the bankruptcy price over the initial price less one (for
      inverse contracts the initial price over it); None where there is no backstop.
    - `final`: the part of `quantity` that closes positions for good; None where all of it does, or there is no backstop.
    - `reduced`, `called`: cumulative quantity sold by holders who meet a margin call, and collateral asked for, USD, by the mark
      at which they are called; None where nobody is.
    - `stops`: stop orders, or None.
    - `inverse`, `ranking`: for each venue, static.
    - `members`: accounts by class, or None where nobody counts them.
    - `owing`: cumulative sums by class of every close, of quantity and accounts with their bankruptcy prices (`owing.py`); None
      where nobody asks who owes.
    """

    quantity: Table
    class_notional: Float[Array, "venues assets sides classes edges"]
    unlevered: Cells
    dropped: Cells
    balancing: Cells
    grid: Grid
    offset: Table | None = None
    square: Table | None = None
    final: Table | None = None
    reduced: Table | None = None
    called: Table | None = None
    stops: Schedule | None = None
    inverse: tuple[bool, ...] = eqx.field(static=True, default=())
    ranking: tuple[str, ...] = eqx.field(static=True, default=())
    members: AccountTables | None = None
    owing: OwingTable | None = None

    @property
    def checks_after(self) -> bool:
        return False

    def init(self) -> LadderState:
        zero = jnp.zeros_like(self.unlevered)
        where = lambda table: None if table is None else zero
        return LadderState(
            reached=zero,
            scale=jnp.ones_like(zero),
            backlog=zero,
            unlevered=jnp.asarray(self.unlevered),
            offset=where(self.offset),
            square=where(self.square),
            final=where(self.final),
            eaten=where(self.offset),
            reducing=where(self.reduced),
            stopping=where(self.stops),
            called=where(self.called),
            reached_offset=where(self.offset),
            reached_square=where(self.square),
            reached_final=where(self.final),
            reached_reduced=where(self.reduced),
            reached_called=where(self.called),
            reached_stopped=where(self.stops),
            owing=None if self.owing is None else Owing.start(self.owing),
        )

    def advance(self, state: LadderState, view: View, years) -> LadderState:
        return state

    def trigger(self, state: LadderState, view: View) -> LadderState:
        coordinate = self.grid.coordinate(distances(view.low, view.high))
        reached = interpolate(self.quantity, coordinate)
        new, scale = reached - state.reached, state.scale
        if self.offset is None:
            state = state._replace(reached=reached, backlog=state.backlog + scale * new)
        else:
            # what has been auto-deleveraged is not there any more
            gone = jnp.where(state.eaten < new, state.eaten, new)
            left = scale * (new - gone) / jnp.where(new > 0.0, new, 1.0)
            offset, square = interpolate(self.offset, coordinate), interpolate(self.square, coordinate)
            state = state._replace(
                reached=reached,
                eaten=state.eaten - gone,
                backlog=state.backlog + scale * (new - gone),
                offset=state.offset + left * (offset - state.reached_offset),
                square=state.square + left * (square - state.reached_square),
                reached_offset=offset,
                reached_square=square,
            )
            if self.final is not None:
                final = interpolate(self.final, coordinate)
                more = left * (final - state.reached_final)
                state = state._replace(final=state.final + more, reached_final=final)
            if self.owing is not None and state.owing is not None:
                now = interpolate(self.owing, coordinate[..., None, None])
                state = state._replace(owing=state.owing.triggered(now, left))
        if self.reduced is not None:
            reduced = interpolate(self.reduced, coordinate)
            called = interpolate(self.called, coordinate)
            state = state._replace(
                reducing=state.reducing + scale * (reduced - state.reached_reduced),
                called=state.called + scale * (called - state.reached_called),
                reached_reduced=reduced,
                reached_called=called,
            )
        if self.stops is not None:
            stopped = self.stops.reached(view.low, view.high)
            stopping = state.stopping + scale * (stopped - state.reached_stopped)
            state = state._replace(stopping=stopping, reached_stopped=stopped)
        return state

    def release(self, state: LadderState, share, gate=None):
        share = share[:, None, None] if gate is None else gate.share(share)[..., None]
        sent = lambda due: due if gate is None else jnp.where(gate.trades[..., None], due, 0.0)
        liquidated = state.backlog * share
        zero = jnp.zeros_like(liquidated)
        batch = sent_by_class = None
        if self.offset is not None:
            final = state.backlog if state.final is None else state.final
            whole = Batch(state.backlog, state.offset, state.square, final)
            batch = whole.part(share)
            _, offset, square, final = whole.less(batch)
            state = state._replace(offset=offset, square=square, final=None if state.final is None else final)
        if state.owing is not None:
            owing, sent_by_class = state.owing.released(share)
            state = state._replace(owing=owing)
        orders = Orders(
            liquidated=liquidated,
            stopped=zero if state.stopping is None else sent(state.stopping),
            reduced=zero if state.reducing is None else sent(state.reducing),
            deleveraged=zero,
            price=zero,
            detail=batch,
            owing=sent_by_class,
        )
        state = state._replace(
            backlog=state.backlog - liquidated,
            stopping=None if state.stopping is None else state.stopping - orders.stopped,
            reducing=None if state.reducing is None else state.reducing - orders.reduced,
        )
        return state, orders

    def claims(self, state: LadderState, orders: Orders, ratio, fee) -> Claims:
        batch: Batch = orders.detail
        end = outcome_of(batch, ratio, self.inverse)
        solvent = batch.quantity - end.bankrupt.quantity
        wanted = fee[:, None, None] * notional(solvent, ratio, self.inverse)
        paid = jnp.where(wanted < end.surplus, wanted, end.surplus)
        for_good = batch.final / jnp.where(batch.quantity > LEAST, batch.quantity, 1.0)
        return Claims(paid, (end.surplus - paid) * for_good, end.shortfall, end.bankrupt.quantity)

    def spare(self, state: LadderState, orders: Orders, ratio, share) -> Orders:
        batch: Batch = orders.detail
        end = outcome_of(batch, ratio, self.inverse)
        wanted = share[:, None, None] * end.bankrupt.quantity
        others = self._deleveragable(state)[..., ::-1]
        taken = jnp.where(wanted < others, wanted, others)
        spared = end.bankrupt.part(taken / jnp.where(end.bankrupt.quantity > LEAST, end.bankrupt.quantity, 1.0))
        rest = batch.less(spared)
        return orders._replace(liquidated=rest.quantity, deleveraged=spared.quantity, price=end.price, detail=rest)

    def owed(self, state: LadderState, orders: Orders, ratio) -> Owed | None:
        return None if orders.owing is None else owed_of(orders.owing, ratio, self.inverse)

    def settle(self, state: LadderState, orders: Orders, ratio, fee, closes_opposite):
        if self.offset is not None:
            state = self._deleverage(state, orders.deleveraged[..., ::-1])
        forced, held = orders.forced(), self.held(state)
        closed = closed_against(forced, held, closes_opposite)
        kept = 1.0 - closed.holders / jnp.where(held > 0.0, held, 1.0)
        return state._replace(scale=state.scale * kept, unlevered=state.unlevered * kept + closed.opened), closed

    def socialise(self, state: LadderState, loss, ratio) -> LadderState:
        return state

    def open_interest(self, state: LadderState) -> Cells:
        waiting = [part for part in (state.reducing, state.stopping) if part is not None]
        return self.held(state) + sum(waiting, state.backlog)

    def class_shares(self, state: LadderState, view: View):
        coordinate = self.grid.coordinate(distances(view.low, view.high))
        by_class = interpolate(self.class_notional, coordinate[..., None])
        total = jnp.sum(by_class, axis=-1, keepdims=True)
        return by_class / jnp.where(total > 0.0, total, 1.0)

    def accounts(self, state: LadderState, view: View, closing: Closing) -> ByClass:
        assert self.members is not None
        furthest = distances(view.low, view.high)
        coordinate = self.grid.coordinate(furthest)
        reached = jnp.sum(interpolate(self.class_notional, coordinate[..., None]), axis=-1)
        share = closing.triggered / jnp.where(reached > 0.0, reached, 1.0)
        least = state.scale if state.eaten is None else jnp.where(state.eaten > 0.0, 0.0, state.scale)
        kept = jnp.clip(share, least, 1.0)
        return self.members.read(furthest, distances(view.mark, view.mark), kept, closing)

    def margin_called(self, state: LadderState):
        return jnp.zeros(self.unlevered.shape[0]) if state.called is None else jnp.sum(state.called, axis=(1, 2))

    def triggered(self, distance):
        at = self.grid.coordinate(distance)
        return jax.vmap(lambda one: interpolate(self.quantity, jnp.broadcast_to(one, self.unlevered.shape)), out_axes=-1)(at)

    def levered(self, state: LadderState) -> Cells:
        """Held by those who can be liquidated, the reducing ones' own part aside."""
        left = jnp.maximum(self.quantity[..., -1] - state.reached, 0.0)
        if state.eaten is not None:
            left = jnp.maximum(left - state.eaten, 0.0)
        return state.scale * left

    def held(self, state: LadderState) -> Cells:
        """Quantity that its holders may still close or lose to auto-deleveraging."""
        held = self.levered(state) + state.unlevered
        if self.reduced is not None:
            held += state.scale * jnp.maximum(self.reduced[..., -1] - state.reached_reduced, 0.0)
        if self.stops is not None:
            held += state.scale * jnp.maximum(self.stops.total - state.reached_stopped, 0.0)
        return held

    def _deleveragable(self, state: LadderState) -> Cells:
        return jnp.where(self.pro_rata, self.held(state), self.levered(state) + state.unlevered)

    @property
    def pro_rata(self) -> np.ndarray:
        """Whether each venue deleverages pro rata, shape `(venues, 1, 1)`."""
        return np.array([ranking == "pro_rata" for ranking in self.ranking])[:, None, None]

    def _deleverage(self, state: LadderState, quantity: Cells) -> LadderState:
        """Close a quantity of each side's holders in the venue's order."""
        held, levered = self.held(state), self.levered(state)
        kept = 1.0 - quantity / jnp.where(held > 0.0, held, 1.0)
        first = jnp.where(quantity < levered, quantity, levered)
        eaten = state.eaten + first / jnp.where(state.scale > 0.0, state.scale, 1.0)
        rest = state.unlevered - (quantity - first)
        return state._replace(
            scale=jnp.where(self.pro_rata, state.scale * kept, state.scale),
            eaten=jnp.where(self.pro_rata, state.eaten, eaten),
            unlevered=jnp.where(self.pro_rata, state.unlevered * kept, jnp.maximum(rest, 0.0)),
        )


__all__ = ["LadderBook", "LadderState"]

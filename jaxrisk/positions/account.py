"""AccountBook: every account with all its positions and its collateral."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .account_close import Detail, Spared, bankruptcy_factor, free_quantity, ranked_share, result, uneven
from .account_ledger import Held, Ledger, Markets, PerAccount
from .account_rules import NEVER, CallRows, Ordered, meet, ordered_anew
from .account_state import AccountState, CallState, StopState
from .account_tally import counted, no_tally, tallied
from .book import AbstractBook, Cells, Claims, Orders, View
from .by_class import ByClass, Closing
from .closing import closed_against
from .owing import Owed
from .rules import Funding, Policy
from .schedule import Schedule


class AccountBook(AbstractBook):
    """Accounts under cross or isolated margin, each checked at every mark: the reference for the other books.

    Equity is linear in prices, also of coin-margined contracts and of coin collateral, so that the margin check is a product of
    the accounts' exposures with the prices. An account under its maintenance margin goes to the engine of its home venue, which
    closes the same share of each of its positions; what the engine takes over of an account for good is worth the same share of
    its equity. Partial closes, calls and deleveraging trade at the price they are executed at. What has to be allotted to
    positions (bankruptcy prices, claims) is so in proportion to notional.

    Where an engine cannot send the same share of all positions, because some of their markets are halted or outside of a band, or
    one has its auction, it sends what it can, at the price it gets: the collateral stays against what waits, and is settled with
    the last of it. An order for a part of an account is done as soon as it is sent where there is trade; whether more is due is
    judged anew. Who meets a call by selling sells each position where and when there is trade.

    Populations given as a distribution come in as some hundred accounts, each liquidated at once: beside a thin book that is
    rougher than a ladder.

    Checks are made at the marks, not at extremes between steps. Two positions of one account in one market count as their
    difference. Accounts with an order of the engine neither close voluntarily nor are deleveraged. Holders without leverage are
    deleveraged pro rata with everybody under `pro_rata`, otherwise last, and those with stop orders then not at all.

    **Fields:**

    - `base`, `quantity`, `exposure`: at the start, as in the state.
    - `unlevered`, `dropped`, `balancing`: as in `LadderBook`.
    - `ledger`: what does not change of the accounts, and their margins.
    - `calls`, `policy`, `schedule` (of stop orders), `funding`: rules; each may be None.
    - `fee`: of what is liquidated, by venue, for policies that reckon with it.
    - `ranking`: by venue, static.
    - `halts`: whether markets may halt, static.
    """

    base: PerAccount
    quantity: Held
    exposure: Held | None
    unlevered: Cells
    dropped: Cells
    balancing: Cells
    ledger: Ledger
    calls: CallRows | None
    policy: Policy | None
    fee: Float[Array, " venues"]
    schedule: Schedule | None
    funding: Funding | None
    ranking: tuple[str, ...] = eqx.field(static=True)
    halts: bool = eqx.field(static=True, default=False)

    @property
    def checks_after(self) -> bool:
        return True

    @property
    def _partial(self) -> bool:
        return self.policy is not None and any(kind in ("partial", "lower_tier", "to_margin") for kind in self.policy.kind)

    def init(self) -> AccountState:
        venues, assets = self.ledger.shape
        zero, none, members = jnp.zeros_like(self.base), jnp.zeros_like(self.unlevered), self.ledger.account_class
        reducing = jnp.zeros_like(self.quantity) if self.halts else zero
        never = Ordered(jnp.full_like(zero, NEVER), jnp.zeros((), zero.dtype), jnp.zeros(venues, zero.dtype))
        return AccountState(
            base=jnp.asarray(self.base),
            quantity=jnp.asarray(self.quantity),
            exposure=None if self.exposure is None else jnp.asarray(self.exposure),
            pending=zero,
            unlevered=jnp.asarray(self.unlevered),
            by_class=jnp.zeros((venues, assets, 2, 1 if members is None else members.shape[0]), zero.dtype),
            stops=None if self.schedule is None else StopState(none, jnp.ones_like(none), none),
            calls=None if self.calls is None else CallState(reducing, zero, jnp.zeros(venues, zero.dtype)),
            ordered=never if self._partial else None,
            tally=no_tally(self.base),
        )

    def advance(self, state: AccountState, view: View, years) -> AccountState:
        if state.ordered is not None and self.policy is not None:
            clock = view.index.astype(state.base.dtype)
            state = state._replace(ordered=state.ordered._replace(clock=clock, cool_down=self.policy.cool_down / years))
        if self.funding is None:
            return state
        rate = self.funding.rate + self.funding.trend_sensitivity * view.trend
        paid = rate * years * jnp.where(np.array(self.ledger.inverse)[:, None], 1.0, jnp.exp(view.mark))
        return state._replace(base=state.base - jnp.sum(state.quantity * paid.reshape(-1, 1), axis=0))

    def trigger(self, state: AccountState, view: View) -> AccountState:
        ratio, margins = jnp.exp(view.mark).reshape(-1), self.ledger.margins
        equity, required = state.equity(ratio), margins.required(state.quantity, ratio)
        worth = margins.worth(state.quantity, ratio)
        calls, tally = state.calls, state.tally
        if self.calls is not None and calls is not None:
            notional, opened = jnp.sum(worth, axis=0), jnp.sum(jnp.abs(self.quantity), axis=0)
            # what rounding leaves of a position that was closed is none
            open_to_call = (calls.done == 0.0) & (state.pending < 1.0) & (notional > 1e-6 * opened)
            if view.trades is not None:
                open_to_call &= jnp.any((state.quantity != 0.0) & view.trades.reshape(-1, 1), axis=0)
            met = meet(self.calls, open_to_call, equity, required, notional)
            calls = CallState(
                reducing=jnp.where(met.now, met.reducing, calls.reducing),
                done=jnp.where(met.now, 1.0, calls.done),
                asked=calls.asked + self.ledger.by_home(met.asked),
            )
            state, equity = state._replace(base=state.base + met.posted), equity + met.posted
            tally = tally._replace(paid_in=tally.paid_in + met.posted)
            # what is on its way out needs no margin
            required = required * (1.0 - self._leaving(calls.reducing, state.quantity, worth))
        below = equity < required
        if state.ordered is not None and self.policy is not None:
            found = ordered_anew(self.policy, self.fee, self.ledger, state, ratio, below, equity, required)
            pending = jnp.where(found.order, found.share, state.pending)
        else:
            pending = jnp.where(below, 1.0, state.pending)
        if calls is not None:
            calls = calls._replace(reducing=jnp.where(pending > 0.0, 0.0, calls.reducing))
        stops = state.stops
        if self.schedule is not None and stops is not None:
            reached = self.schedule.reached(view.low, view.high)
            due = stops.due + stops.scale * (reached - stops.reached)
            stops = stops._replace(reached=reached, due=due)
        return state._replace(pending=pending, calls=calls, stops=stops, tally=tally)

    def release(self, state: AccountState, share, gate=None):
        sent, unequal = state.pending * self.ledger.at_home(share), None
        due, reducing = None if state.stops is None else state.stops.due, None if state.calls is None else state.calls.reducing
        if gate is not None:
            usual, least = self.ledger.at_home(share), gate.auction.reshape(-1, 1)
            each = state.pending * (jnp.where(least > usual, least, usual) * gate.open.reshape(-1, 1))
            unequal = uneven(each, state.quantity, sent)
            sent = unequal.most
            due = None if due is None else jnp.where(gate.trades[..., None], due, 0.0)
            reducing = None if reducing is None else jnp.where(gate.trades.reshape(-1, 1), reducing, 0.0)
        detail = Detail(sent, reducing, uneven=unequal)
        none = jnp.zeros_like(state.unlevered)
        size = jnp.abs(state.quantity)
        liquidated = self.ledger.cells(size * sent)
        if unequal is not None:  # less what waits, which leaves every bit where nothing does
            waits = self.ledger.cells(size * (sent - unequal.each))
            liquidated = jnp.where((gate.open[..., None] > 0.0) & (waits < liquidated), liquidated - waits, 0.0)
        orders = Orders(
            liquidated=liquidated,
            stopped=none if due is None else due,
            reduced=none if reducing is None else self.ledger.cells(size * reducing),
            deleveraged=none,
            price=none,
            detail=detail,
        )
        ordered = state.ordered
        if ordered is not None:
            # within the cool-down it is the first order that counts
            counts = (sent > 0.0) & (state.pending < 1.0) & ~ordered.cooling(self.ledger)
            state = state._replace(ordered=ordered._replace(last=jnp.where(counts, ordered.clock, ordered.last)))
        return state, orders

    def claims(self, state: AccountState, orders: Orders, ratio, fee) -> Claims:
        ledger, quantity = self.ledger, state.quantity
        done = result(ledger, state, orders.detail, ratio.reshape(-1), fee)
        left = jnp.where(done.left > 0.0, done.left, 0.0)
        beyond = done.final & (done.left < 0.0)
        # by notional; by that of the start where an account lost its equity after it had closed everything
        opened = jnp.abs(self.quantity)
        whole, first = jnp.sum(done.worth, axis=0), jnp.sum(opened, axis=0)
        part = done.worth / jnp.where(whole > 0.0, whole, 1.0)
        part = jnp.where(whole > 0.0, part, opened / jnp.where(first > 0.0, first, 1.0))
        sent = jnp.abs(quantity) * jnp.where(beyond, orders.detail.share, 0.0)
        if done.matched is not None:
            sent = sent * (1.0 - done.matched)
        return Claims(
            fee=ledger.cells_by_home(part * done.fee),
            surplus=ledger.cells_by_home(part * jnp.where(done.final, left - done.fee, 0.0)),
            shortfall=ledger.cells_by_home(part * jnp.where(beyond, -done.left, 0.0)),
            bankrupt=ledger.cells(sent),
        )

    def spare(self, state: AccountState, orders: Orders, ratio, share) -> Orders:
        detail, x, ledger = orders.detail, ratio.reshape(-1), self.ledger
        equity, gross = state.equity(x), jnp.sum(ledger.margins.worth(state.quantity, x), axis=0)
        beyond = detail.final(state) & (equity < 0.0) & (gross > 0.0)
        spared = jnp.where(beyond, ledger.at_home(share), 0.0)
        hole = jnp.where(beyond, equity / jnp.where(beyond, gross, 1.0), 0.0)
        wanted = jnp.abs(state.quantity) * (detail.share * spared)
        asked = ledger.cells(wanted)
        levered = ledger.cells(free_quantity(state, detail))
        others = (levered + jnp.where(self._ordered_venues, state.unlevered, self._unlevered(state)))[..., ::-1]
        whole = jnp.where(asked > 0.0, asked, 1.0)
        cap = jnp.where(asked <= others, 1.0, others / whole)
        moved = ledger.cells(wanted * bankruptcy_factor(ledger, hole))
        mean = jnp.where(asked > 0.0, moved / whole, 1.0)
        coin = np.array(ledger.inverse)[:, None, None]
        price = jnp.where(coin, ratio[..., None] / mean, ratio[..., None] * mean)
        detail = detail._replace(spared=Spared(spared, hole, cap.reshape(-1, 2), x))
        matched = asked * cap
        return orders._replace(liquidated=orders.liquidated - matched, deleveraged=matched, price=price, detail=detail)

    def owed(self, state: AccountState, orders: Orders, ratio) -> Owed:
        """By the venue that is an account's home; who is negative is told from all closes together (`account_tally.py`)."""
        ledger, detail, x = self.ledger, orders.detail, ratio.reshape(-1)
        done = result(ledger, state, detail, x, jnp.zeros_like(self.unlevered[:, 0, 0]))
        lost = jnp.where(done.final & (done.own < 0.0), -done.own, 0.0)
        sent = detail.share * jnp.sum(jnp.abs(state.quantity), axis=0)
        members = [1.0] if ledger.account_class is None else list(ledger.account_class)
        by_class = lambda amount: jnp.stack([ledger.by_home(one * amount) for one in members], axis=-1)
        return Owed(by_class(lost), by_class(sent))

    def settle(self, state: AccountState, orders: Orders, ratio, fee, closes_opposite):
        detail, ledger, x, quantity = orders.detail, self.ledger, ratio.reshape(-1), state.quantity
        final, free, whole = state.pending >= 1.0, state.pending <= 0.0, detail.final(state)
        out = detail.share if detail.reduced is None else detail.share + detail.reduced
        after = quantity * (1.0 - out)
        if detail.uneven is not None:  # what is closed for good nobody reduces
            after, out = jnp.where(detail.uneven.even, after, after + quantity * (detail.share - detail.each)), detail.share
        price, open_ = x[:, None], free_quantity(state, detail)
        rest = jnp.ones_like(quantity)
        if detail.spared is not None:
            taken, state = self._deleverage(state, open_, x, orders.deleveraged[..., ::-1])
            rest = jnp.where(free, 1.0 - taken, 1.0)
            price = ledger.sided(orders.price[..., ::-1].reshape(-1, 2))
        forced = orders.forced()
        held = ledger.cells(open_ * rest) + self._unlevered(state)
        closed = closed_against(forced, held, closes_opposite)
        kept = 1.0 - closed.holders / jnp.where(held > 0.0, held, 1.0)
        left = after * jnp.where(free, rest * ledger.sided(kept.reshape(-1, 2)), 1.0)
        matched = after * (1.0 - rest)
        at_mark = quantity - matched - left
        cash = jnp.where(ledger.coin, at_mark + matched, at_mark * x[:, None] + matched * price)
        done = result(ledger, state, detail, x, fee)
        paid = done.fee if self._partial or self.halts else 0.0
        exposure, stops, calls, pending = state.exposure, state.stops, state.calls, state.pending
        if exposure is not None:
            sold = jnp.where(ledger.coin, at_mark / x[:, None] + matched / price, at_mark + matched)
            exposure = jnp.where(whole, exposure * (1.0 - out), exposure - sold)
        if stops is not None:
            stops = stops._replace(scale=stops.scale * kept, due=stops.due - orders.stopped)
        if self._partial:
            waits = pending - detail.share
            part = ~final & (waits > 1e-6)
            pending = jnp.where(final, 1.0, jnp.where(part, waits / jnp.where(part, 1.0 - detail.share, 1.0), 0.0))
        state = state._replace(
            # of an account closed for good the engine takes the same share of everything
            base=jnp.where(whole, state.base * (1.0 - out), state.base + jnp.sum(cash, axis=0) - paid),
            quantity=left,
            exposure=exposure,
            pending=pending,
            unlevered=state.unlevered * kept + closed.opened,
            by_class=state.by_class + self._by_class(state, orders, ratio),
            stops=stops,
            calls=None if calls is None else calls._replace(reducing=calls.reducing - detail.reduced),
            tally=tallied(state.tally, done),
        )
        return state, closed

    def socialise(self, state: AccountState, loss, ratio) -> AccountState:
        """By unrealised profit at that venue as far as it goes, then by what equity is left; the rest is borne by nobody here.

        Accounts without positions and those closed for good pay nothing.
        """
        x, ledger = ratio.reshape(-1), self.ledger
        stays = jnp.where((state.pending >= 1.0) | jnp.all(state.quantity == 0.0, axis=0), 0.0, 1.0)
        positive = lambda amount: jnp.where(amount > 0.0, amount, 0.0) * stays

        def charged(loss, able):
            total = ledger.by_home(able)
            taken = jnp.where(loss < total, loss, total)
            return loss - taken, able * ledger.at_home(taken / jnp.where(total > 0.0, total, 1.0))

        rest, first = charged(loss, positive(jnp.sum(ledger.profit(state.quantity, x), axis=0)))
        _, second = charged(rest, positive(state.equity(x) - first))
        return state._replace(base=state.base - first - second)

    def open_interest(self, state: AccountState) -> Cells:
        held = self.ledger.cells(jnp.abs(state.quantity)) + self._unlevered(state)
        return held if state.stops is None else held + state.stops.due

    def class_shares(self, state: AccountState, view: View):
        total = jnp.sum(state.by_class, axis=-1, keepdims=True)
        return state.by_class / jnp.where(total > 0.0, total, 1.0)

    def accounts(self, state: AccountState, view: View, closing: Closing) -> ByClass:
        ratio = jnp.exp(view.mark).reshape(-1)
        return counted(self.ledger, self.init(), state, state.tally, ratio, closing)

    def margin_called(self, state: AccountState):
        return jnp.zeros_like(self.unlevered[:, 0, 0]) if state.calls is None else state.calls.asked

    def triggered(self, distance):
        """Whole positions, also where a venue's policy closes them in parts. What hedges an account counts too.

        Where a tier's rate holds for whole positions an account may fall short and have enough again further out: it counts from
        the first of the distances on at which it falls short.
        """
        state, ledger = self.init(), self.ledger
        venues, assets = ledger.shape
        at = lambda d, a, s: jnp.zeros((venues, assets), d.dtype).at[:, a].set(d if s else -d)

        def below(distance, asset, side):
            x = jnp.exp(at(distance, asset, side)).reshape(-1)
            return state.equity(x) < ledger.margins.required(state.quantity, x)

        def one(before, distance):
            places = [(a, s) for a in range(assets) for s in (0, 1)]
            now = [below(distance, *place) for place in places]
            if any(ledger.margins.whole):
                now = [short | already for short, already in zip(now, before, strict=True)]
            held = [
                ledger.cells(jnp.where(short, jnp.abs(state.quantity), 0.0))[:, a, s]
                for short, (a, s) in zip(now, places, strict=True)
            ]
            return now, jnp.stack(held, axis=1).reshape(venues, assets, 2)

        order = jnp.argsort(distance)
        nobody = [jnp.zeros(state.base.shape, bool)] * (2 * assets)
        _, found = jax.lax.scan(one, nobody, distance[order])
        return jnp.moveaxis(jnp.zeros_like(found).at[order].set(found), 0, -1)

    def _leaving(self, reducing, quantity: Held, worth: Held) -> PerAccount:
        """Share of an account that is on its way out, by notional where that is not the same of all positions."""
        if not self.halts:
            return reducing
        shares, total = uneven(reducing, quantity, 0.0), jnp.sum(worth, axis=0)
        mean = jnp.sum(reducing * worth, axis=0) / jnp.where(total > 0.0, total, 1.0)
        return jnp.where(shares.even, shares.most, mean)

    def _by_class(self, state: AccountState, orders: Orders, ratio):
        """Notional of what is liquidated, deleveraged or not."""
        members, ledger = self.ledger.account_class, self.ledger
        if members is None:
            price = jnp.where(np.array(ledger.inverse)[:, None, None], 1.0, ratio[..., None])
            return ((orders.liquidated + orders.deleveraged) * price)[..., None]
        worth = ledger.margins.worth(state.quantity, ratio.reshape(-1)) * orders.detail.each
        return jnp.stack([ledger.cells(worth * members[i]) for i in range(members.shape[0])], axis=-1)

    def _unlevered(self, state: AccountState) -> Cells:
        """Quantity of holders without leverage, stop orders that are not due included."""
        if state.stops is None or self.schedule is None:
            return state.unlevered
        return state.unlevered + state.stops.scale * (self.schedule.total - state.stops.reached)

    @property
    def _ordered_venues(self) -> np.ndarray:
        """Whether a venue deleverages in any order, shape `(venues, 1, 1)`."""
        return np.array([ranking != "pro_rata" for ranking in self.ranking])[:, None, None]

    def _deleverage(self, state: AccountState, free: Held, ratio: Markets, wanted: Cells) -> tuple[Held, AccountState]:
        """Share of each position that is closed so that `wanted` of each market and side is; unlevered holders close theirs."""
        levered, ordered = self.ledger.cells(free), self._ordered_venues
        total = levered + self._unlevered(state)
        even = wanted / jnp.where(total > 0.0, total, 1.0)
        last = jnp.where(wanted > levered, wanted - levered, 0.0)
        unlevered = jnp.where(ordered, state.unlevered - last, state.unlevered * (1.0 - even))
        stops = state.stops
        if stops is not None:
            stops = stops._replace(scale=jnp.where(ordered, stops.scale, stops.scale * (1.0 - even)))
        sides = lambda cells: cells.reshape(-1, 2)
        taken = ranked_share(self.ledger, self.ranking, state, free, ratio, sides(wanted), sides(even))
        # rounding may leave a little less than nothing
        return taken, state._replace(unlevered=jnp.where(unlevered > 0.0, unlevered, 0.0), stops=stops)


__all__ = ["AccountBook"]

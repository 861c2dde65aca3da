"""The cascade of accounts under cross margin, one at a time: float64 NumPy, the plainest code that can be written.

It shares nothing with the package but the inputs. It follows `AccountBook`: an account is asked at the true mark at the start of
each round and at the end of each step, what it trades it trades at the true price, and every account is settled by itself.
"""

from dataclasses import dataclass, field

import numpy as np

from .cross_book import Book
from .cross_holder import CrossAccount, Slice
from .halted import Halted
from .market import LONG, SHORT, Fund, Prices, Setup, engine_share


@dataclass
class Record:
    """What happened. By step unless said; `sides` are long, short; USD; so far, where that is said."""

    price: np.ndarray  # (steps, assets) log
    mark: np.ndarray  # (steps, venues, assets) log
    open_interest: np.ndarray  # (steps, venues, assets, sides) USD at the initial price
    executed: np.ndarray  # the same: liquidated in the market
    stopped: np.ndarray  # the same
    reduced: np.ndarray  # the same
    deleveraged: np.ndarray  # the same: liquidated against the other side
    matched: np.ndarray  # (steps, venues, assets): forced sells that met forced buys
    fund: np.ndarray  # (steps, venues)
    shortfall: np.ndarray  # the same, so far
    used: np.ndarray  # the same
    forgone: np.ndarray  # the same: by winners who are deleveraged
    socialised: np.ndarray  # the same
    fees: np.ndarray  # the same
    surplus: np.ndarray  # the same: into the fund
    returned: np.ndarray  # the same: to holders
    margin_called: np.ndarray  # the same
    equity: np.ndarray  # (steps, rows): of one account, at the end
    initial_open_interest: np.ndarray  # (venues, assets)
    triggers: list = field(default_factory=list)  # (step, row, group, share closed), in order
    calls: list = field(default_factory=list)  # (step, row, group)
    nearest: float = np.inf  # smallest |equity - margin| / notional of any check: how close a decision was
    furthest: float = 0.0  # of any mark from its initial price, log
    dropped: list = field(default_factory=list)
    created: float = 0.0  # USD out of nothing: by how much settling has failed to conserve cash, the largest of any round
    uncharged: float = 0.0  # socialised loss that nobody was left to bear
    halted: np.ndarray | None = None  # (steps, venues, assets): whether nobody could trade
    split: int = 0  # accounts under the engine's order of which a part was sent while another waited


class Runaway(Exception):
    """A mark out of reach."""


class Run:
    """One path."""

    def __init__(self, setup: Setup):
        self.setup, self.book, self.prices = setup, Book(setup), Prices(setup)
        self.funds = [None if venue.backstop is None else Fund(venue.backstop) for venue in setup.venues]
        self.low, self.high = np.zeros(setup.shape), np.zeros(setup.shape)
        self.halts = None if setup.venues[0].halts is None else Halted(setup)
        self.step = 0
        steps, (venues, assets) = len(setup.fundamental) - 1, setup.shape
        self.record = Record(
            np.zeros((steps, assets)),
            np.zeros((steps, venues, assets)),
            *(np.zeros((steps, venues, assets, 2)) for _ in range(5)),
            np.zeros((steps, venues, assets)),
            *(np.zeros((steps, venues)) for _ in range(9)),
            np.zeros((steps, len(setup.accounts))),
            self.book.open_interest()[..., LONG],
            dropped=self.book.dropped,
            halted=np.zeros((steps, venues, assets), bool),
        )

    def dollars(self, mark):
        """Prices, USD a coin, by market."""
        return {m: self.setup.price[m[1]] * float(np.exp(mark[m])) for m in self.book.markets}

    def now(self, prices):
        return prices.now() if self.halts is None else self.halts.now(prices)

    def trades(self, market):
        return self.halts is None or self.halts.trades(market)

    def sell(self, prices, forced):
        sold = forced[..., LONG] - forced[..., SHORT]
        prices.sell(sold if self.halts is None else self.halts.thinner(sold))

    def trigger(self):
        """Stops, calls, and the margin check, at the marks as they are."""
        price, record, book = self.dollars(self.now(self.prices)[1]), self.record, self.book
        reached = [s for s in book.stops if not s.reached]
        for s in reached:
            s.reached = self.low[s.market] <= s.price if s.side == LONG else self.high[s.market] >= s.price
        for h in book.holders:
            if h.pending == 1.0:
                continue
            asked = h.call(price) if any(self.trades(m) for m in h.size if h.size[m] != 0.0) else 0.0
            if asked > 0.0:
                h.called = True
                book.called[h.home] += h.weight * asked
                record.calls.append((self.step, h.row, h.group))
                if h.group == "top_up":
                    h.cash += asked
                elif h.group == "reduce":
                    h.reducing = min(1.0, 1.0 - h.equity(price) * h.leverage / h.notional(price))
            # what is on its way out needs no margin
            working = h.rules.policy == "to_margin" and h.pending > 0.0
            target = h.rules.margin_target if working else 1.0
            gap = h.equity(price) - target * h.maintenance(price) * (1.0 - h.leaving(price))
            # an account closed to its margin has it; no rounding decides
            if h.rules.policy == "to_margin" and abs(gap) <= 1e-12 * h.notional(price):
                gap = 0.0
            elif h.notional(price) > 0.0:
                record.nearest = min(record.nearest, abs(gap) / h.notional(price))
            if working and gap >= 0.0:
                h.pending = 0.0
            if gap < 0.0 and h.rules.policy == "to_margin" and h.notional(price) > 0.0:
                # whether anything can be kept, and whether anybody has to pay, hangs on the signs of these
                signs = h.equity(price), h.equity(price) - h.rules.fee * h.notional(price)
                record.nearest = min(record.nearest, *(abs(x) / h.notional(price) for x in signs))
            if gap < 0.0:
                # who has lost more than everything after all positions were closed owes it
                h.reduced = set()
                h.reducing, h.pending = 0.0, h.share_to_close(price, self.step) if h.notional(price) > 0.0 else 1.0
                record.triggers.append((self.step, h.row, h.group, h.pending))

    def orders(self):
        """What the engine sends now, and what holders sell to meet a call."""
        sent, reduced = [], []
        for h in self.book.holders:
            h.busy = h.pending > 0.0
            if h.busy:
                part = self.slice(h)
                sent.append(part)
                # an order counts from when it is sent; within the cool-down the first one does
                if h.pending < 1.0 and part.share > 0.0 and not h.cooling(self.step):
                    h.last_partial = self.step
            if h.reducing > 0.0:
                now = {m: h.reducing if self.trades(m) and m not in h.reduced else 0.0 for m in h.size}
                reduced.append(Slice(h, h.reducing, False, now))
                h.promised = {m: now[m] * size for m, size in h.size.items()}
        return sent, reduced

    def slice(self, h):
        """What the engine sends of an account: closed for good only where no position waits while others go."""
        engine = engine_share(h.rules, self.setup)
        if self.halts is None:
            return Slice(h, h.pending * engine, h.pending == 1.0)
        shares = {m: h.pending * self.halts.share(m, engine) for m in h.size}
        # who has no position left waits for no market
        held = [shares[m] for m in h.size if h.size[m] != 0.0] or [h.pending * engine]
        even = min(held) == max(held)
        self.record.split += not even
        return Slice(h, max(held), h.pending == 1.0 and even, shares)

    def quantities(self, slices):
        total = np.zeros((*self.setup.shape, 2))
        for part in slices:
            for m in part.holder.size:
                total[m][part.holder.side(m)] += part.sold(m)
        return total

    def round(self):
        setup, book, record, step = self.setup, self.book, self.record, self.step
        self.trigger()
        sent, reduced = self.orders()
        stopped = np.zeros((*setup.shape, 2))
        gone = [s for s in book.stops if s.reached and self.trades(s.market)]
        for stop in gone:
            stopped[stop.market][stop.side] += stop.quantity
        others = self.quantities(reduced) + stopped

        # who would be bankrupt if all of it were sold, and is closed against the other side instead
        forced = self.quantities(sent) + others
        tentative = self.prices.copy()
        self.sell(tentative, forced)
        _, mark = self.now(tentative)
        record.furthest = max(record.furthest, np.abs(mark).max())
        if record.furthest >= setup.reach:
            raise Runaway
        self.spare(sent, self.dollars(mark))

        # what is left is sold
        forced = self.quantities(sent) + others
        self.sell(self.prices, forced)
        seen, mark = self.now(self.prices)
        if self.halts is not None:
            self.halts.seen(seen, mark)
        self.low, self.high = np.minimum(self.low, mark), np.maximum(self.high, mark)
        record.furthest = max(record.furthest, np.abs(mark).max())
        if record.furthest >= setup.reach:
            raise Runaway
        price = self.dollars(mark)

        before = self.worth(price)
        losses = {}
        for v, venue in enumerate(setup.venues):
            claims = [part.claims(price, venue.fee) for part in sent if part.holder.home == v]
            fee, surplus, need = (sum(x) for x in zip(*claims, strict=True)) if claims else (0.0, 0.0, 0.0)
            if self.funds[v] is not None:
                # by those who hold the other side, so of the venue where the position is
                forgone = sum(part.forgone(price, v) for part in sent)
                losses[v] = self.funds[v].pay(fee, surplus, need, forgone)

        record.executed[step] += self.quantities(sent)
        record.reduced[step] += self.quantities(reduced)
        record.stopped[step] += stopped
        against, cost = np.zeros_like(forced), np.zeros_like(forced)
        for part in sent:
            for m, share in part.spared.items():
                h = part.holder
                quantity = part.share * share * h.quantity(m)
                against[m][h.side(m)] += quantity
                cost[m][h.side(m)] += quantity / part.price[m] if h.inverse(m) else quantity * part.price[m]
        record.deleveraged[step] += against
        for part in sent:
            self.settle(part, price)
        for stop in gone:
            book.buy(stop.market, -stop.quantity if stop.side == LONG else stop.quantity, price[stop.market])
        book.stops = [s for s in book.stops if s not in gone]

        self.deleverage(against, cost, price)
        for part in reduced:
            h = part.holder
            for m in h.size:
                h.close(m, h.promised[m], price[m])
                if part.of(m) > 0.0:
                    h.reduced.add(m)
                h.promised[m] = 0.0
            if all(m in h.reduced for m in h.size if h.size[m] != 0.0):
                h.reducing, h.reduced = 0.0, set()
        for m in book.markets:
            share = setup.venues[m[0]].closes_opposite
            # what is sold and what is bought by force meets: nobody else is asked for it
            met = min(forced[m][LONG], forced[m][SHORT])
            closed = [min(share * (forced[m][1 - side] - met), book.held(m, side)) for side in (LONG, SHORT)]
            for side in (LONG, SHORT):
                book.close_pro_rata(m, side, closed[side], price[m])
            record.matched[step][m] += met
            for side in (LONG, SHORT):
                new = forced[m][side] - met - closed[1 - side]
                book.free[m][side] += new
                book.buy(m, new if side == LONG else -new, price[m])
        uncharged = sum(loss - book.charge(v, loss, price) for v, loss in losses.items() if loss > 0.0)
        record.uncharged += uncharged
        if all(fund is not None for fund in self.funds):
            record.created = max(record.created, abs(self.worth(price) - before - uncharged))

    def deleverage(self, against, cost, price):
        """Close what was matched of one side against the other side's holders, at the mean bankruptcy price."""
        book, found = self.book, []
        for m in book.markets:
            for side in (LONG, SHORT):
                if against[m][side] > 0.0:
                    mean = cost[m][side] / against[m][side]
                    mean = 1.0 / mean if self.setup.venues[m[0]].inverse else mean
                    ranking = self.setup.venues[m[0]].backstop.ranking
                    who = None if ranking == "pro_rata" else book.ranked(m, 1 - side, against[m][side], price, ranking)
                    found.append((m, 1 - side, against[m][side], mean, who))
        # everybody is ranked before anybody is closed
        for m, side, quantity, mean, who in found:
            if who is None:
                book.close_pro_rata(m, side, quantity, mean)
            else:
                book.close_ranked(m, side, mean, *who)

    def worth(self, price):
        return self.book.worth(price) + sum(f.amount + f.returned for f in self.funds if f is not None)

    def spare(self, sent, marks):
        wanted = np.zeros((*self.setup.shape, 2))
        for v, venue in enumerate(self.setup.venues):
            if self.funds[v] is None:
                continue
            mine = [part for part in sent if part.holder.home == v]
            claims = [part.claims(marks, venue.fee) for part in mine]
            fee, surplus, need = (sum(x) for x in zip(*claims, strict=True)) if claims else (0.0, 0.0, 0.0)
            credit = fee + venue.backstop.surplus_to_fund * surplus
            share = self.funds[v].share(need, credit, self.setup.channels.deleveraging)
            for part in mine:
                h = part.holder
                if part.final and share > 0.0 and h.notional(marks) > 0.0 and part.worth(marks) < 0.0:
                    for m in (m for m in h.size if h.size[m] != 0.0):
                        wanted[m][h.side(m)] += share * part.share * h.quantity(m)
                        part.price[m] = h.zero_price(m, marks)
                        part.spared[m] = share
        for part in sent:
            for m in part.spared:
                side = part.holder.side(m)
                others = self.book.deleveragable(m, 1 - side, self.setup.venues[m[0]].backstop.ranking)
                part.spared[m] *= min(1.0, others / wanted[m][side])

    def settle(self, part: Slice, price):
        h = part.holder
        if part.final:
            h.leave(part.share)
            return
        h.cash -= part.claims(price, h.rules.fee)[0] / h.weight
        for m in h.size:
            h.close(m, part.of(m) * h.size[m], price[m])
        if h.pending == 1.0:
            return
        left = h.pending - part.share
        h.pending = left / (1.0 - part.share) if left > 1e-6 else 0.0

    def fund_payments(self, trend):
        setup = self.setup
        if setup.funding_rate is None:
            return
        price = self.dollars(self.now(self.prices)[1])
        for h in self.book.holders:
            for (v, a), size in h.size.items():
                rate = setup.funding_rate[a] + setup.funding_trend[a] * trend[a]
                worth = size * (1.0 if h.inverse((v, a)) else price[v, a])
                h.cash -= rate * worth * setup.years_per_step

    def whole(self) -> Record:
        setup, record = self.setup, self.record
        trend = np.zeros(setup.shape[1])
        newest = 1.0 - 0.5 ** (setup.years_per_step / setup.trend_half_life)
        for step in range(len(setup.fundamental) - 1):
            self.step = step
            before, _ = self.now(self.prices)
            self.fund_payments(trend)
            self.prices.advance()
            if self.halts is not None:
                self.halts.begin(self.prices.now()[1])
                self.halts.seen(*self.now(self.prices))
            _, mark = self.now(self.prices)
            self.low, self.high = np.minimum(self.low, mark), np.maximum(self.high, mark)
            for _ in range(setup.rounds):
                self.round()
            self.trigger()
            after, mark = self.now(self.prices)
            if self.halts is not None:
                record.halted[step] = [[not self.trades((v, a)) for a in range(len(after))] for v in range(len(mark))]
                self.halts.end()
                record.nearest = min(record.nearest, self.halts.nearest)
            trend = trend + newest * ((after - before) / setup.years_per_step - trend)
            self.prices.withdraw(after - before)
            record.price[step], record.mark[step] = after, mark
            record.open_interest[step] = self.book.open_interest()
            record.margin_called[step] = self.book.called
            price = self.dollars(mark)
            for h in self.book.holders:
                record.equity[step, h.row] += h.weight * h.equity(price)
            for v, fund in enumerate(self.funds):
                if fund is not None:
                    fund.history.append(fund.amount)
                    record.fund[step, v] = fund.amount
                    for name in ("shortfall", "used", "forgone", "socialised", "fees", "surplus", "returned"):
                        getattr(record, name)[step, v] = getattr(fund, name)
        return record


def run(setup: Setup) -> Record:
    """Run the cascade along the given path, as long as marks stay within reach (`Record.furthest`)."""
    path = Run(setup)
    try:
        return path.whole()
    except Runaway:
        return path.record


__all__ = ["CrossAccount", "Record", "run"]

"""The cascade of isolated accounts, one at a time: float64 NumPy, the plainest code that can be written.

It shares nothing with the package but the inputs. What each account does at which price is found in `isolated`; here the rungs
of all accounts are asked, one by one, whether the mark has reached them.

It follows `LadderBook`: of what a venue executes of one asset and side in a round only mean and spread of the bankruptcy prices
count (`Batch`). What the same orders leave account by account is kept beside it (`Record.gross_shortfall`).
"""

import math
from dataclasses import dataclass, field

import numpy as np

from .isolated import Account, Asked, Rung, Walk, trigger_log_prices, walk, worth_at_start
from .market import (
    LONG,
    SHORT,
    Backstop,
    Call,
    Channels,
    DepthRule,
    Dislocation,
    Fund,
    Prices,
    Setup,
    Stop,
    Tier,
    Venue,
    drawdown,
    engine_share,
    linear_impact,
    power_impact,
    table_impact,
)


@dataclass
class Record:
    """What happened. By step unless said; `sides` are long, short; USD."""

    price: np.ndarray  # (steps, assets) log
    mark: np.ndarray  # (steps, venues, assets) log
    open_interest: np.ndarray  # (steps, venues, assets, sides) USD at the initial price
    backlog: np.ndarray  # the same
    executed: np.ndarray  # the same: liquidated in the market
    stopped: np.ndarray  # the same
    reduced: np.ndarray  # the same
    deleveraged: np.ndarray  # the same: liquidated against the other side
    notional: np.ndarray  # the same: liquidated in the market, USD at execution
    fund: np.ndarray  # (steps, venues)
    shortfall: np.ndarray  # the same, so far
    used: np.ndarray  # the same
    forgone: np.ndarray  # the same: by winners who are deleveraged
    socialised: np.ndarray  # the same
    fees: np.ndarray  # the same
    surplus: np.ndarray  # the same: into the fund
    returned: np.ndarray  # the same: to holders
    gross_shortfall: np.ndarray  # the same: were every account settled by itself
    margin_called: np.ndarray  # the same
    initial_open_interest: np.ndarray  # (venues, assets)
    worth: dict = field(default_factory=dict)  # of stopped, reduced, deleveraged: (steps, venues) USD at execution
    triggers: list = field(default_factory=list)  # (step, account, number of the close, log mark that set it off), in order
    extremes: list = field(default_factory=list)  # for each venue and asset, every lowest and highest mark that was checked
    thresholds: list = field(default_factory=list)  # for each account, where its parts are closed without a margin call, log
    levels: list = field(default_factory=list)  # (venue, asset, log price) of everything that a mark can reach
    mixed: bool = False  # whether rungs of which more and less had been deleveraged were reached at the same time
    dropped: list = field(default_factory=list)  # accounts that were under margin at the start
    losses: dict = field(default_factory=dict)


def collect(setup: Setup):
    """Every rung and call of every account and stop order, holders without leverage by side, and who was dropped."""
    reach = min(setup.reach, 20.0)
    rungs: list[Rung] = []
    asked: list[Asked] = []
    dropped = []
    opened = np.zeros((*setup.shape, 2))
    for row, account in enumerate(setup.accounts):
        venue, price = setup.venues[account.venue], setup.price[account.asset]
        if not Walk(account, venue, price).solvent_at_start():
            dropped.append(row)
            continue
        opened[account.venue, account.asset, account.index] += worth_at_start(account, venue, price)
        call = None if setup.calls is None else setup.calls[account.account_class]
        groups = {"wait": 1.0}
        if call is not None:
            top_up, reduce = call.top_up * setup.channels.calls, call.reduce * setup.channels.calls
            groups = {"top_up": top_up, "reduce": reduce, "wait": 1.0 - top_up - reduce}
        for group, share in groups.items():
            found, calls = walk(account, venue, price, reach, call, group, share, row)
            rungs += found
            asked += calls
    for stop in setup.stops:
        index = LONG if stop.side > 0 else SHORT
        quantity = stop.quantity * setup.channels.stops
        price = np.log(stop.level / setup.price[stop.asset])
        rungs.append(Rung(stop.venue, stop.asset, index, "stop", price, quantity))
        opened[stop.venue, stop.asset, index] += quantity
    # what is never closed by force, and who makes up the difference between the sides
    free = opened.max(axis=-1, keepdims=True) - np.zeros_like(opened)
    for rung in rungs:
        free[rung.venue, rung.asset, rung.index] -= rung.quantity
    return rungs, asked, free, dropped


class Positions:
    """What everybody holds on the way: rungs, and `free`, held without a price at which it is closed."""

    def __init__(self, setup: Setup):
        self.setup = setup
        self.rungs, self.asked, self.free, self.dropped = collect(setup)
        self.scale = np.ones_like(self.free)

    def at(self, v, a, side):
        return [r for r in self.rungs if (r.venue, r.asset, r.index) == (v, a, side)]

    def held(self, v, a, side):
        """What can be closed by its own holder: all but the backlog."""
        return sum(r.held() for r in self.at(v, a, side)) + self.free[v, a, side]

    def open_interest(self):
        total = self.free.copy()
        for r in self.rungs:
            total[r.venue, r.asset, r.index] += r.held() + r.backlog
        return total

    def backlog(self):
        total = np.zeros_like(self.free)
        for r in self.rungs:
            total[r.venue, r.asset, r.index] += r.backlog
        return total

    def close_pro_rata(self, v, a, side, quantity):
        held = self.held(v, a, side)
        if held > 0.0:
            kept = 1.0 - quantity / held
            for r in self.at(v, a, side):
                r.kept *= kept
            self.free[v, a, side] *= kept
            self.scale[v, a, side] *= kept

    def close_nearest(self, v, a, side, quantity):
        """Levered holders first, the ones next to their liquidation price before the others; then those without leverage."""
        waiting = [r for r in self.at(v, a, side) if r.kind == "liquidation" and not r.reached]
        for r in sorted(waiting, key=lambda r: abs(r.price)):
            taken = min(quantity, r.held())
            if taken > 0.0:
                r.taken = 1.0 - (1.0 - r.taken) * (1.0 - taken / r.held())
                r.kept *= 1.0 - taken / r.held()
            quantity -= taken
        if self.free[v, a, side] > 0.0:
            self.free[v, a, side] -= quantity

    def deleveragable(self, v, a, side, ranking):
        """What can be closed in a ranking: not those who only wait for their stop or their margin call."""
        if ranking == "pro_rata":
            return self.held(v, a, side)
        return sum(r.held() for r in self.at(v, a, side) if r.kind == "liquidation") + self.free[v, a, side]


def worth(zero, ratio, side, inverse):
    """USD that closing a dollar's worth (at the initial price) leaves over its bankruptcy price; prices over the initial one."""
    sign = 1.0 if side == LONG else -1.0
    return sign * (ratio / zero - 1.0) if inverse else sign * (ratio - zero)


class Batch:
    """What a venue's engine closes of one asset and side in a round, and what of it is closed against the other side.

    As in the ladder all that is told of bankruptcy prices (over the initial price; of the inverse, for coin-margined contracts) is
    their mean and spread, and they are taken to be spread evenly; within `POINT` they are one price. `each` keeps them apart.
    """

    POINT = 1e-5

    def __init__(self, venue, asset, side, inverse, parts):
        self.venue, self.asset, self.side, self.inverse = venue, asset, side, inverse
        self.each = parts
        self.quantity = sum(q for _, q in parts)
        whole = self.quantity if self.quantity > 0.0 else 1.0
        self.final = sum(q for r, q in parts if r.last) / whole
        place = lambda r: (1.0 / r.zero if inverse else r.zero) - 1.0
        self.mean = sum(q * place(r) for r, q in parts if q > 0.0) / whole
        self.square = sum(q * place(r) ** 2 for r, q in parts if q > 0.0) / whole
        self.deleveraged, self.against = 0.0, 1.0

    def spread(self):
        variance = self.square - self.mean**2
        return math.sqrt(3.0 * variance) if variance > self.POINT**2 else 0.0

    def bankrupt(self, ratio):
        """Share that is bankrupt at a price, and the ends between which its `place`s lie."""
        even, wide = (1.0 / ratio if self.inverse else ratio) - 1.0, self.spread()
        # a long in coins pays a price of coins, so it is bankrupt at low places
        low_side = (self.side == LONG) == self.inverse
        low, high = self.mean - wide, self.mean + wide
        if wide == 0.0:
            beyond = self.mean < even if low_side else self.mean > even
            return (1.0 if beyond else 0.0), low, high
        low_end, high_end = (low, min(high, even)) if low_side else (max(low, even), high)
        return max(0.0, high_end - low_end) / (high - low), low_end, high_end

    def result(self, place, ratio):
        return worth(1.0 / (1.0 + place) if self.inverse else 1.0 + place, ratio, self.side, self.inverse)

    def claims(self, ratio, fee):
        """Fee, surplus and shortfall; and the shortfall, were every account settled by itself."""
        share, low, high = self.bankrupt(ratio)
        total = self.quantity * self.result(self.mean, ratio)
        loss = -self.quantity * share * self.result(0.5 * (low + high), ratio) if share > 0.0 else 0.0
        left = total + loss
        wanted = fee * self.quantity * (1.0 - share) * (1.0 if self.inverse else ratio)
        paid = min(wanted, left)
        gross = sum(max(-q * worth(r.zero, ratio, self.side, self.inverse), 0.0) for r, q in self.each if q > 0.0)
        # what a partial close leaves stays with the account
        return paid, self.final * (left - paid), loss, gross

    def spare(self, ratio, most, others):
        """Take a share of what is bankrupt at a price out of the market, no more than the other side has."""
        share, low, high = self.bankrupt(ratio)
        taken = min(most * share * self.quantity, others)
        if taken <= 0.0:
            return
        middle, square = 0.5 * (low + high), (low**2 + low * high + high**2) / 3.0
        left = self.quantity - taken
        if left > 0.0:
            self.mean = (self.quantity * self.mean - taken * middle) / left
            self.square = (self.quantity * self.square - taken * square) / left
        self.each = [(r, q * left / self.quantity) for r, q in self.each]
        self.quantity, self.deleveraged = left, taken
        self.against = 1.0 / (1.0 + middle) if self.inverse else 1.0 + middle

    def forgone(self, ratio):
        """What those who were closed against it would have had more at the market's price."""
        return -self.deleveraged * worth(self.against, ratio, self.side, self.inverse)


def thresholds_of(setup: Setup) -> list[list[float]]:
    """Where each account's parts are closed, if it is not called before."""
    reach = min(setup.reach, 20.0)
    return [trigger_log_prices(a, setup.venues[a.venue], setup.price[a.asset], reach) for a in setup.accounts]


def run(setup: Setup) -> Record:
    """Run the cascade along the given path."""
    steps, (venues, assets) = len(setup.fundamental) - 1, setup.shape
    cells = [(v, a) for v in range(venues) for a in range(assets)]
    book, prices = Positions(setup), Prices(setup)
    funds = [None if venue.backstop is None else Fund(venue.backstop) for venue in setup.venues]
    low, high = np.zeros((venues, assets)), np.zeros((venues, assets))
    by_side, by_venue = (steps, venues, assets, 2), (steps, venues)
    record = Record(
        np.zeros((steps, assets)),
        np.zeros(by_side[:-1]),
        *(np.zeros(by_side) for _ in range(7)),
        *(np.zeros(by_venue) for _ in range(10)),
        initial_open_interest=book.open_interest()[..., LONG],
        dropped=book.dropped,
        extremes=[[[0.0] for _ in range(assets)] for _ in range(venues)],
        worth={kind: np.zeros(by_venue) for kind in ("stopped", "reduced", "deleveraged")},
        thresholds=thresholds_of(setup),
        levels=[(r.venue, r.asset, r.price) for r in [*book.rungs, *book.asked]],
    )
    called, gross = np.zeros(venues), np.zeros(venues)

    for step in range(steps):
        before, _ = prices.now()
        prices.advance()
        _, mark = prices.now()
        low, high = np.minimum(low, mark), np.maximum(high, mark)

        for _ in range(setup.rounds):
            # every rung is asked
            orders = {kind: np.zeros((venues, assets, 2)) for kind in ("reduced", "stop", "liquidated", "deleveraged")}
            for r in book.rungs:
                worst = low[r.venue, r.asset] if r.index == LONG else high[r.venue, r.asset]
                run_by = -worst if r.index == LONG else worst
                distance = -r.price if r.index == LONG else r.price
                if r.reached or run_by < max(distance, 0.0) or run_by == 0.0:
                    continue
                quantity, r.reached, r.fresh = r.held(), True, True
                if r.kind == "liquidation":
                    r.backlog = quantity
                    record.triggers.append((step, r.row, r.number, worst))
                else:
                    orders[r.kind][r.venue, r.asset, r.index] += quantity
            for c in book.asked:
                worst = low[c.venue, c.asset] if c.index == LONG else high[c.venue, c.asset]
                if not c.reached and abs(worst) >= abs(c.price) and worst * c.price > 0.0:
                    c.reached = True
                    called[c.venue] += c.amount * book.scale[c.venue, c.asset, c.index]
            for v, a in cells:
                record.extremes[v][a] += [low[v, a], high[v, a]]

                # the tables tell how much of what was reached has been deleveraged before, not which part of it
                for side in (LONG, SHORT):
                    fresh = [r for r in book.at(v, a, side) if r.fresh and r.kind == "liquidation"]
                    record.mixed |= len({r.taken > 0.0 for r in fresh}) == 2
                    record.mixed |= len({round(r.taken, 12) for r in fresh if r.taken > 0.0}) > 1
            for r in book.rungs:
                r.fresh = False

            # the engine sends a share of what it has taken over
            batches = {}
            for v, a in cells:
                share = engine_share(setup.venues[v], setup)
                for side in (LONG, SHORT):
                    parts = [(r, share * r.backlog) for r in book.at(v, a, side)]
                    for r, quantity in parts:
                        r.backlog -= quantity
                    batches[v, a, side] = Batch(v, a, side, setup.venues[v].inverse, parts)

            def forced():
                total = orders["reduced"] + orders["stop"]
                for (v, a, side), batch in batches.items():
                    total[v, a, side] += batch.quantity
                return total

            # who would be bankrupt if all of it were sold, and is closed against the other side instead
            tentative = prices.copy()
            tentative.sell(forced()[..., LONG] - forced()[..., SHORT])
            ratio = np.exp(tentative.now()[1])
            for v, venue in enumerate(setup.venues):
                if funds[v] is None:
                    continue
                mine = [batch for batch in batches.values() if batch.venue == v]
                claims = [batch.claims(ratio[v, batch.asset], venue.fee) for batch in mine]
                fee, surplus, need, _ = (sum(x) for x in zip(*claims, strict=True))
                share = funds[v].share(need, fee + venue.backstop.surplus_to_fund * surplus, setup.channels.deleveraging)
                for batch in mine:
                    others = book.deleveragable(v, batch.asset, 1 - batch.side, venue.backstop.ranking)
                    batch.spare(ratio[v, batch.asset], share, others)

            # what is left is sold
            worth_before = np.exp(prices.now()[1])
            prices.sell(forced()[..., LONG] - forced()[..., SHORT])
            _, mark = prices.now()
            ratio = np.exp(mark)
            low, high = np.minimum(low, mark), np.maximum(high, mark)

            # the fund pays for what was closed beyond its worth
            for v, venue in enumerate(setup.venues):
                claims = [b.claims(ratio[v, b.asset], venue.fee) for b in batches.values() if b.venue == v]
                fee, surplus, need, each = (sum(x) for x in zip(*claims, strict=True))
                gross[v] += each
                if funds[v] is not None:
                    funds[v].pay(fee, surplus, need, sum(b.forgone(ratio[v, b.asset]) for b in batches.values() if b.venue == v))

            # the other side: deleveraged in the venue's order, then closing of its own accord, then new holders
            total = forced()
            for v, a in cells:
                for side in (LONG, SHORT):
                    batch, other = batches[v, a, side], 1 - side
                    orders["liquidated"][v, a, side] += batch.quantity
                    orders["deleveraged"][v, a, side] += batch.deleveraged
                    if batch.deleveraged > 0.0:
                        if setup.venues[v].backstop.ranking == "pro_rata":
                            book.close_pro_rata(v, a, other, batch.deleveraged)
                        else:
                            book.close_nearest(v, a, other, batch.deleveraged)
            for v, a in cells:
                closed = [
                    min(setup.venues[v].closes_opposite * total[v, a, 1 - side], book.held(v, a, side)) for side in (LONG, SHORT)
                ]
                for side in (LONG, SHORT):
                    book.close_pro_rata(v, a, side, closed[side])
                for side in (LONG, SHORT):
                    book.free[v, a, side] += total[v, a, side] - closed[1 - side]
            record.executed[step] += orders["liquidated"]
            record.stopped[step] += orders["stop"]
            record.reduced[step] += orders["reduced"]
            record.deleveraged[step] += orders["deleveraged"]
            for v, venue in enumerate(setup.venues):
                unit = 1.0 if venue.inverse else worth_before[v][:, None]
                record.notional[step, v] += orders["liquidated"][v] * unit
                for kind, name in (("stopped", "stop"), ("reduced", "reduced"), ("deleveraged", "deleveraged")):
                    record.worth[kind][step, v] += (orders[name][v] * unit).sum()

        after, _ = prices.now()
        prices.withdraw(after - before)
        record.price[step], record.mark[step] = prices.now()
        record.open_interest[step], record.backlog[step] = book.open_interest(), book.backlog()
        record.margin_called[step], record.gross_shortfall[step] = called, gross
        for v, fund in enumerate(funds):
            if fund is not None:
                fund.history.append(fund.amount)
                for name in ("shortfall", "used", "forgone", "socialised", "fees", "surplus", "returned"):
                    getattr(record, name)[step, v] = getattr(fund, name)
                record.fund[step, v] = fund.amount
    record.losses = _losses(setup, record)
    return record


def _losses(setup: Setup, record: Record) -> dict:
    years = setup.years_per_step
    held = record.initial_open_interest
    total = held.sum()
    weight = held.sum(axis=0) / total if total > 0.0 else np.full(len(setup.price), 1.0 / len(setup.price))
    index = np.log(np.exp(record.price) @ weight)
    without = np.log(np.exp(np.asarray(setup.fundamental[1:])) @ weight)
    by_asset = [drawdown(record.price[:, a]) for a in range(len(setup.price))]
    lost = held - record.open_interest[-1, ..., LONG]
    # steps of a minute or more are taken to be even; shorter ones are added up in whole minutes from the start
    minutes = years * 365 * 24 * 60
    by_step = record.notional.sum(axis=(1, 2, 3))
    together = max(1, round(1.0 / minutes))
    if together == 1:
        peak = (by_step / max(1.0, minutes)).max()
    else:
        peak = max(by_step[i : i + together].sum() for i in range(0, len(by_step), together))
    return {
        "max_drawdown_index": drawdown(index)[0],
        "time_to_trough_index": drawdown(index)[1] * years,
        "max_drawdown": np.array([d for d, _ in by_asset]),
        "time_to_trough": np.array([t * years for _, t in by_asset]),
        "max_drawdown_no_feedback_index": drawdown(without)[0],
        "open_interest_loss": lost,
        "open_interest_loss_usd": lost.sum(),
        "open_interest_loss_fraction": lost.sum() / total if total > 0.0 else 0.0,
        "liquidated_notional": record.notional.sum(axis=0),
        "peak_minute_liquidation": peak,
        "lowest_log_price": np.minimum(record.price.min(axis=0), 0.0),
        "log_return": record.price[-1],
    }


__all__ = [
    "Account",
    "Backstop",
    "Call",
    "Channels",
    "DepthRule",
    "Dislocation",
    "Record",
    "Setup",
    "Stop",
    "Tier",
    "Venue",
    "linear_impact",
    "power_impact",
    "run",
    "table_impact",
    "thresholds_of",
    "trigger_log_prices",
    "worth_at_start",
]

"""The cascade of isolated accounts, one at a time: float64 NumPy, the plainest code that can be written.

It shares nothing with the package but the inputs. What each account does at which price is found in `isolated`; here the rungs
of all accounts are asked, one by one, whether the mark has reached them.

It follows `LadderBook`: of what a venue executes of one asset and side in a round only mean and spread of the bankruptcy prices
count (`Batch`). What the same orders leave account by account is kept beside it (`Record.gross_shortfall`).
"""

from dataclasses import dataclass, field

import numpy as np

from .isolated import Account, trigger_log_prices, worth_at_start
from .isolated_book import Batch, Positions
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
    matched: np.ndarray  # (steps, venues, assets): forced sells that met forced buys
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
        *(np.zeros(by_side) for _ in range(6)),
        np.zeros(by_side[:-1]),
        np.zeros(by_side),
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
                # what is sold and what is bought by force meets, and both are gone
                met = min(total[v, a, LONG], total[v, a, SHORT])
                rest = [total[v, a, side] - met for side in (LONG, SHORT)]
                closed = [min(setup.venues[v].closes_opposite * rest[1 - side], book.held(v, a, side)) for side in (LONG, SHORT)]
                for side in (LONG, SHORT):
                    book.close_pro_rata(v, a, side, closed[side])
                for side in (LONG, SHORT):
                    book.free[v, a, side] += rest[side] - closed[1 - side]
                record.matched[step, v, a] += met
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

"""Everybody's positions under cross margin, and who closes them."""

from dataclasses import dataclass

import numpy as np

from .cross_holder import Holder
from .market import LONG, SHORT, Setup
from .ranking import shares

FAR = 50.0


@dataclass
class Waiting:
    """Stop orders at one price: USD at the initial price."""

    market: tuple[int, int]
    side: int
    price: float
    quantity: float
    reached: bool = False


class Book:
    """Everybody's positions. `base` and `coins`: what holders without leverage have paid and own, which makes their worth."""

    def __init__(self, setup: Setup):
        self.setup = setup
        self.markets = [(v, a) for v in range(setup.shape[0]) for a in range(setup.shape[1])]
        self.holders, self.rows, self.dropped = [], [], []
        start = {m: setup.price[m[1]] for m in self.markets}
        for row, account in enumerate(setup.accounts):
            first = Holder(account, setup)
            if not first.alive:
                self.dropped.append(row)
                continue
            for group, share in self._groups(first, start).items():
                if share > 0.0:
                    self.holders.append(Holder(account, setup, share, group))
                    self.rows.append(row)
        for h in self.holders:
            h.row = self.rows[self.holders.index(h)]
        self.stops = []
        for s in setup.stops:
            side, sent = LONG if s.side > 0 else SHORT, s.quantity * setup.channels.stops
            at = float(np.log(s.level / setup.price[s.asset]))
            # orders that are switched off are at a price that is never reached
            never = -FAR if side == LONG else FAR
            self.stops += [Waiting((s.venue, s.asset), side, price, q) for price, q in ((at, sent), (never, s.quantity - sent))]
        self.free = np.zeros((*setup.shape, 2))
        held = self.open_interest()
        self.free = held.max(axis=-1, keepdims=True) - held
        self.called = np.zeros(setup.shape[0])
        self.base = 0.0
        self.coins = dict.fromkeys(self.markets, 0.0)
        for stop in self.stops:
            self.buy(stop.market, stop.quantity * (1.0 if stop.side == LONG else -1.0), start[stop.market])
        for m in self.markets:
            self.buy(m, self.free[m][LONG] - self.free[m][SHORT], start[m])

    def _groups(self, holder: Holder, start):
        call = None if self.setup.calls is None else self.setup.calls[holder.account_class]
        if call is None or holder.equity(start) <= call.level * holder.maintenance(start):
            return {"none": 1.0}
        top_up, reduce = call.top_up * self.setup.channels.calls, call.reduce * self.setup.channels.calls
        return {"top_up": top_up, "reduce": reduce, "wait": 1.0 - top_up - reduce}

    def buy(self, market, quantity, price):
        """Holders without leverage buy (sell, if negative) a quantity, USD at the initial price."""
        if self.setup.venues[market[0]].inverse:
            self.coins[market] += quantity / price
            self.base -= quantity
        else:
            amount = quantity / self.setup.price[market[1]]
            self.coins[market] += amount
            self.base -= amount * price

    def worth(self, price):
        """Of everybody, USD."""
        total = self.base + sum(self.coins[m] * price[m] for m in self.markets)
        return total + sum(h.weight * h.equity(price) for h in self.holders)

    def open_interest(self):
        total = self.free.copy()
        for h in self.holders:
            for m in h.size:
                total[m][h.side(m)] += h.quantity(m)
        for stop in self.stops:
            total[stop.market][stop.side] += stop.quantity
        return total

    def others(self, market, side):
        """Those whose positions can be closed by themselves or by deleveraging: nobody whom the engine has under its order."""
        return [h for h in self.holders if h.on(market, side) and h.free(market) > 0.0]

    def waiting(self, market, side):
        return [s for s in self.stops if s.market == market and s.side == side and not s.reached]

    def held(self, market, side):
        return self.levered(market, side) + sum(s.quantity for s in self.waiting(market, side)) + self.free[market][side]

    def levered(self, market, side):
        return sum(h.free(market) for h in self.others(market, side))

    def deleveragable(self, market, side, ranking):
        """In a ranking those with stop orders are left alone."""
        if ranking == "pro_rata":
            return self.held(market, side)
        return self.levered(market, side) + self.free[market][side]

    def close_free(self, market, side, share, price):
        """A share of what is held without leverage and without a stop."""
        quantity = share * self.free[market][side]
        self.free[market][side] -= quantity
        self.buy(market, -quantity if side == LONG else quantity, price)

    def close_pro_rata(self, market, side, quantity, price):
        held = self.held(market, side)
        share = quantity / held if held > 0.0 else 0.0
        for h in self.others(market, side):
            h.close_free(market, share, price)
        for stop in self.waiting(market, side):
            self.buy(market, (-1.0 if side == LONG else 1.0) * share * stop.quantity, price)
            stop.quantity *= 1.0 - share
        self.close_free(market, side, share, price)

    def ranked(self, market, side, quantity, marks, ranking):
        """Which share of its position every holder loses in the venue's order; those without leverage are last."""
        winners = self.others(market, side)
        found = shares(ranking, winners, market, marks, quantity)
        left = quantity - sum(s * h.free(market) for s, h in zip(found, winners, strict=True))
        return list(zip(winners, found, strict=True)), max(left, 0.0)

    def close_ranked(self, market, side, price, found, left):
        for h, share in found:
            h.close_free(market, share, price)
        if left > 0.0 and self.free[market][side] > 0.0:
            self.close_free(market, side, min(1.0, left / self.free[market][side]), price)

    def charge(self, venue, loss, price):
        """A loss that nobody covers: to those in profit on the venue, then to those with equity, as far as each goes.

        Returns what was charged.
        """
        mine = [h for h in self.holders if h.home == venue and h.pending < 1.0 and any(h.size.values())]
        charged = 0.0
        for able in (lambda h: sum(h.profit(m, price) for m in h.size), lambda h: h.equity(price)):
            amounts = [max(0.0, able(h)) for h in mine]
            total = sum(h.weight * amount for h, amount in zip(mine, amounts, strict=True))
            taken = min(loss - charged, total)
            for h, amount in zip(mine, amounts, strict=True):
                h.cash -= taken * amount / total if total > 0.0 else 0.0
            charged += taken
        return charged

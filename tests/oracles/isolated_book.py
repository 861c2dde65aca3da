"""Everybody's rungs, who closes them, and what a venue's engine leaves of them."""

import math

import numpy as np

from .isolated import Asked, Rung, Walk, walk, worth_at_start
from .market import LONG, SHORT, Setup

FAR = 50.0


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
        sent = stop.quantity * setup.channels.stops
        price = np.log(stop.level / setup.price[stop.asset])
        rungs.append(Rung(stop.venue, stop.asset, index, "stop", price, sent))
        # orders that are switched off are at a price that is never reached
        rungs.append(Rung(stop.venue, stop.asset, index, "stop", -FAR if index == LONG else FAR, stop.quantity - sent))
        opened[stop.venue, stop.asset, index] += stop.quantity
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

    As in the ladder all that is told of bankruptcy prices (over the initial price; of the inverse, for coin-margined contracts)
    is their mean and spread, and they are taken to be spread evenly; within `POINT` they are one price. `each` keeps them apart.
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

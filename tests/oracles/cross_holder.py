"""An account under cross margin: one equity against all its positions, in true dollars and coins at true prices."""

import math
from dataclasses import dataclass, field

from .isolated import Account
from .market import Setup, largest_kept, tier_below, tier_of


@dataclass
class CrossAccount:
    """`positions`: for each (venue, asset) a signed size (coins; USD of coin-margined contracts) and its entry price.

    `cash`: USD; `coins`: of each asset, as collateral, on the account's `home` venue; `weight`: how many like it.
    """

    home: int
    cash: float
    coins: dict[int, float]
    positions: dict[tuple[int, int], tuple[float, float]]
    account_class: int = 0
    weight: float = 1.0


class Holder:
    """A share of an account's holders on their way.

    `settled`: coins of profit that closed coin-margined contracts have left, by market; `pending`: share of each position that
    the engine has under its order, 1 if the account is closed for good, and `busy`: whether it has one in this round;
    `reducing`: share that the holder sells to meet a call, and `promised`: the size that this is of each position.
    """

    def __init__(self, given, setup: Setup, weight: float = 1.0, group: str = "wait"):
        self.setup, self.group = setup, group
        if isinstance(given, Account):
            given = self._from_isolated(given)
        else:
            self.own_coins, self.leverage = {}, None
        self.home, self.account_class, self.weight = given.home, given.account_class, weight * given.weight
        self.rules = setup.venues[self.home]
        self.cash, self.coins = given.cash, dict(given.coins)
        self.size = {market: size for market, (size, _) in given.positions.items() if size != 0.0}
        self.entry = {market: entry for market, (size, entry) in given.positions.items() if size != 0.0}
        self.busy = False
        self.promised = dict.fromkeys(self.size, 0.0)
        self.settled = {market: self.own_coins.get(market, 0.0) for market in given.positions}
        self.pending, self.reducing, self.called, self.last_partial = 0.0, 0.0, False, -math.inf
        self.reduced = set()  # markets in which it has sold what the call asks of it, while others wait
        start = {(v, a): setup.price[a] for v in range(len(setup.venues)) for a in range(len(setup.price))}
        self.least = 1e-6 * self.notional(start)
        self.alive = self.equity(start) >= self.maintenance(start)
        if self.leverage is None and self.alive and self.equity(start) > 0.0:
            self.leverage = self.notional(start) / self.equity(start)

    def _from_isolated(self, account: Account) -> CrossAccount:
        market, venue = (account.venue, account.asset), self.setup.venues[account.venue]
        notional = account.quantity * account.entry_price
        self.leverage = notional / account.collateral
        # the collateral of a coin-margined position is in its own coin
        self.own_coins = {market: account.collateral / account.entry_price} if venue.inverse else {}
        size = account.side * (notional if venue.inverse else account.quantity)
        cash = 0.0 if venue.inverse else account.collateral
        return CrossAccount(account.venue, cash, {}, {market: (size, account.entry_price)}, account.account_class)

    def inverse(self, market):
        return self.setup.venues[market[0]].inverse

    def profit(self, market, price):
        """Unrealised, USD."""
        size, entry = self.size[market], self.entry[market]
        return size * (price[market] / entry - 1.0) if self.inverse(market) else size * (price[market] - entry)

    def equity(self, price):
        """USD; coin collateral counts less its haircut."""
        total = self.cash
        for a, amount in self.coins.items():
            haircut = self.rules.haircut[a] if self.rules.haircut else 0.0
            total += amount * (1.0 - haircut) * price[self.home, a]
        for market in self.size:
            total += self.settled[market] * price[market] + self.profit(market, price)
        return total

    def notional_of(self, market, price):
        return abs(self.size[market]) * (1.0 if self.inverse(market) else price[market])

    def notional(self, price):
        return sum(self.notional_of(m, price) for m in self.size)

    def maintenance(self, price, share=1.0):
        """USD, of a share of every position."""
        total = 0.0
        for (v, a), _ in self.size.items():
            notional = share * self.notional_of((v, a), price)
            tier = tier_of(self.setup.venues[v].tiers[a], notional)
            total += tier.rate * notional - tier.amount
        return total

    def leaving(self, price):
        """Share of the account, by notional, that is on its way out to meet a call."""
        waits = sum(self.notional_of(m, price) for m in self.size if m not in self.reduced)
        return self.reducing * waits / self.notional(price) if self.reducing > 0.0 else 0.0

    def quantity(self, market):
        """Open interest of all holders of this kind, USD at the initial price."""
        return self.weight * abs(self.size[market]) * (1.0 if self.inverse(market) else self.setup.price[market[1]])

    def side(self, market):
        return 0 if self.size[market] > 0.0 else 1

    def on(self, market, side):
        return market in self.size and self.size[market] != 0.0 and self.side(market) == side

    def close(self, market, size, price):
        """Trade a size (signed, of the position) away at a price, USD a coin."""
        if self.inverse(market):
            self.settled[market] += size * (1.0 / self.entry[market] - 1.0 / price)
        else:
            self.cash += size * (price - self.entry[market])
        self.size[market] -= size

    def close_free(self, market, share, price):
        """Trade away a share of what is not sold anyway."""
        self.close(market, share * (self.size[market] - self.promised[market]), price)

    def leave(self, share):
        """Hand a share of everything to the engine."""
        self.cash *= 1.0 - share
        for part in (self.coins, self.settled, self.size):
            for key in part:
                part[key] *= 1.0 - share

    def zero_price(self, market, price):
        """Price of one position at which its part of the equity, by notional, is gone; USD a coin."""
        equity, sign = self.equity(price) / self.notional(price), 1.0 if self.size[market] > 0.0 else -1.0
        # of what has lost nearly all there is the price stays positive
        if self.inverse(market):
            return price[market] / max(1.0 + sign * equity, 0.01)
        return price[market] * max(1.0 - sign * equity, 0.01)

    def free(self, market):
        """Open interest that can be closed against somebody else's order: not what the engine has, nor what is sold anyway."""
        part = 1.0 - self.promised[market] / self.size[market] if self.size[market] != 0.0 else 0.0
        return 0.0 if self.busy else self.quantity(market) * part

    def call(self, price):
        """What a margin call asks for now, USD; 0 where there is none."""
        call = None if self.setup.calls is None else self.setup.calls[self.account_class]
        # what rounding leaves of a position that was closed is none
        if call is None or self.called or self.group == "none" or self.notional(price) < self.least:
            return 0.0
        least, initial_margin = call.level * self.maintenance(price), self.notional(price) / self.leverage
        return initial_margin - self.equity(price) if self.equity(price) < least < initial_margin else 0.0

    def cooling(self, step):
        """Whether the last partial order is less than the cool-down ago."""
        return step - self.last_partial < self.rules.cool_down / self.setup.years_per_step

    def share_to_close(self, price, step):
        """What the venue closes of an account that is under margin."""
        rules = self.rules
        if rules.policy == "partial":
            return rules.first_share if self.notional(price) >= rules.first_above and not self.cooling(step) else 1.0
        if rules.policy == "lower_tier" and self.last_partial == -math.inf:
            largest = max(self.size, key=lambda m: self.notional_of(m, price))
            notional = self.notional_of(largest, price)
            return 1.0 - tier_below(self.setup.venues[largest[0]], largest[1], notional) / notional
        if rules.policy == "to_margin":
            gross, target = self.notional(price), rules.margin_target
            spare = lambda y: self.equity(price) - rules.fee * (1.0 - y) * gross - target * self.maintenance(price, y)
            held = [(self.setup.venues[v], a, self.notional_of((v, a), price)) for v, a in self.size]
            edges = [(tier.floor / worth, venue.whole) for venue, a, worth in held if worth > 0.0 for tier in venue.tiers[a]]
            kept = largest_kept(spare, edges)
            return 1.0 - kept if kept > 1e-6 else 1.0
        return 1.0


@dataclass
class Slice:
    """Part of an account that is sent to be closed in one round: `share` of each position, or what `shares` has of each, of which
    a part, by market, is closed against the other side at the account's bankruptcy `price` (USD a coin)."""

    holder: Holder
    share: float
    final: bool
    shares: dict | None = None
    spared: dict = field(default_factory=dict)
    price: dict = field(default_factory=dict)

    def of(self, market):
        """Share of one position."""
        return self.share if self.shares is None else self.shares[market]

    def worth(self, price):
        """Of what closes for good, USD."""
        return self.holder.weight * self.share * self.holder.equity(price) + self.forgone(price)

    def forgone(self, price, venue=None):
        """What those who were closed against it (on one venue) would have had more at the market's price, USD."""
        h, total = self.holder, 0.0
        for m, part in self.spared.items():
            if venue is not None and m[0] != venue:
                continue
            closed = h.weight * self.share * part * h.size[m]
            total += closed * (1.0 - price[m] / self.price[m] if h.inverse(m) else self.price[m] - price[m])
        return total

    def sold(self, market):
        """USD at the initial price, of all holders of this kind."""
        return self.of(market) * (1.0 - self.spared.get(market, 0.0)) * self.holder.quantity(market)

    def notional(self, price):
        h = self.holder
        return h.weight * sum(self.of(m) * (1.0 - self.spared.get(m, 0.0)) * h.notional_of(m, price) for m in h.size)

    def claims(self, price, fee):
        """Fee, surplus, shortfall, USD."""
        if not self.final:
            # the account pays, as far as it can
            return min(fee * self.notional(price), max(self.holder.weight * self.holder.equity(price), 0.0)), 0.0, 0.0
        worth = self.worth(price)
        paid = min(fee * self.notional(price), max(worth, 0.0))
        return paid, max(worth, 0.0) - paid, max(-worth, 0.0)

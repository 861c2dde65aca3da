"""An isolated position on its way down its own margin: where it is called, where and how much of it is closed.

Nobody is put on a grid: the account is walked alone along the price axis and asked, with its own equity and the tier looked up
for its own notional, whether it is under its maintenance margin.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from scipy.optimize import brentq

from .market import LONG, SHORT, Call, Venue, largest_kept, tier_below, tier_of

AT_LEAST, MOST_CLOSES = 1 / 16, 16
"""Policy `to_margin`, along the price axis: what goes of a position at each trigger at least; the last closes the rest."""


@dataclass
class Account:
    """One isolated position: `side` +1 long, -1 short; `quantity` coins; `collateral` USD (at entry, if coin-margined)."""

    venue: int
    asset: int
    side: int
    quantity: float
    entry_price: float
    collateral: float
    account_class: int = 0

    @property
    def index(self) -> int:
        return LONG if self.side > 0 else SHORT


@dataclass
class Rung:
    """A part of a position that leaves its holder at a price.

    `kind`: "liquidation", "reduced" (sold at a margin call) or "stop"; `price`: log over the initial one; `quantity`: USD at the
    initial price; `row`: of the account, `number`: of this close of it; `zero`: price over the initial one at which its holder's
    equity is nothing; `last`: whether nothing is left after it; `kept`: share that has not been closed since, but for `taken`:
    share closed by auto-deleveraging in a ranking; `fresh`: reached at the last check.
    """

    venue: int
    asset: int
    index: int
    kind: str
    price: float
    quantity: float
    row: int = -1
    number: int = 0
    zero: float = math.nan
    last: bool = True
    kept: float = 1.0
    reached: bool = False
    fresh: bool = False
    backlog: float = 0.0
    taken: float = 0.0

    def held(self) -> float:
        """What is not reached yet, nor closed."""
        return 0.0 if self.reached else self.quantity * self.kept


@dataclass
class Asked:
    """Collateral, USD, that a margin call asks for when the mark reaches a log price."""

    venue: int
    asset: int
    index: int
    price: float
    amount: float
    reached: bool = False


class Walk:
    """One holder with a share of an account's position, on the way along the price axis."""

    def __init__(self, account: Account, venue: Venue, initial_price: float, group: str = "wait"):
        self.account, self.rules, self.initial_price, self.group = account, venue, initial_price, group
        self.table = venue.tiers[account.asset]
        self.side, self.entry = account.side, account.entry_price
        notional = account.quantity * account.entry_price
        self.leverage = notional / account.collateral
        self.cash = account.collateral / self.entry if venue.inverse else account.collateral
        self.size = notional if venue.inverse else account.quantity  # contracts of one USD, or coins
        self.all = self.size
        self.closed_shares = 0
        self.waiting = 0.0  # sold at the next trigger, needs no margin
        self.last_trigger = initial_price

    def notional(self, price):
        return self.size if self.rules.inverse else self.size * price

    def dollars(self, amount, price):
        """What an amount of the account's own money is in USD."""
        return amount * price if self.rules.inverse else amount

    def equity(self, price):
        """Coins for a coin-margined account, USD for any other."""
        held = self.size + self.waiting
        if self.rules.inverse:
            return self.cash + self.side * held * (1.0 / self.entry - 1.0 / price)
        return self.cash + self.side * held * (price - self.entry)

    def maintenance(self, price):
        """In the same money as the equity."""
        tier = tier_of(self.table, self.notional(price))
        dollars = tier.rate * self.notional(price) - tier.amount
        return dollars / price if self.rules.inverse else dollars

    def below(self, price, level=1.0):
        """Whether the account is under its maintenance margin, or a multiple of it, at a mark."""
        return self.equity(price) < level * self.maintenance(price)

    def solvent_at_start(self):
        return self.equity(self.initial_price) >= self.maintenance(self.initial_price)

    def first_below(self, worst, level=1.0):
        """The price between the last trigger (or the start) and `worst` from which on the account is below; None if it is not."""
        below = lambda price: self.below(price, level)
        if self.rules.whole:
            return self.first(below, worst)
        # no jumps: a root
        gap = lambda price: self.equity(price) - level * self.maintenance(price)
        return self.first(below, worst, lambda near, far: brentq(gap, near, far, xtol=1e-300, rtol=1e-15))

    def first(self, below, worst, between=None):
        """The price between the last trigger (or the start) and `worst` from which on something holds; None if it does not.

        `between`: finds it where it holds at the far one of two prices; by default by halves.
        """
        for near, far in pairwise(self.stretches(worst)):
            if below(near):
                return near
            if below(far):
                return between(near, far) if between else self.bisected(below, near, far)
        return None

    def stretches(self, worst):
        """Prices from the last trigger to `worst`; within a tier the account is healthy first, if it is at all, then is not."""
        start, ends = self.last_trigger, []
        if self.rules.whole and not self.rules.inverse:
            edges = [tier.floor / self.size for tier in self.table]
            # an edge and both sides of it
            ends = [edge * there for edge in edges for there in (1.0 - 1e-14, 1.0, 1.0 + 1e-14)]
            ends = [price for price in ends if min(start, worst) < price < max(start, worst)]
        return [start, *sorted(ends, reverse=bool(worst < start)), worst]

    def bisected(self, below, healthy, under):
        for _ in range(200):
            middle = 0.5 * (healthy + under)
            if middle in (healthy, under):
                break
            if below(middle):
                under = middle
            else:
                healthy = middle
        return under

    def close(self, size, at, fee):
        """Trade at a price: profit is settled, and a fee on what was closed."""
        if self.rules.inverse:
            self.cash += self.side * size * (1.0 / self.entry - 1.0 / at) - fee * size / at
        else:
            self.cash += self.side * size * (at - self.entry) - fee * size * at
        self.size -= size

    def close_to_margin(self, at):
        """One close of a venue that closes just enough: how much, and at which price the equity before it is zero.

        What is called for, seen from a hair below the margin, goes at once. A sixteenth of all goes in any case, of that the one
        half now and the other at the next trigger; its fee is paid now.
        """
        sold, self.waiting, self.size = self.waiting, 0.0, self.size + self.waiting
        self.close(sold, at, 0.0)
        rules, zero, fee = self.rules, self.zero_price(), self.rules.fee
        equity, worth = self.dollars(self.equity(at), at), self.notional(at)
        equity -= 1e-5 * self.dollars(self.maintenance(at), at)

        def spare(share):
            tier = tier_of(self.table, share * worth)
            required = tier.rate * share * worth - tier.amount
            return equity - fee * (1.0 - share) * worth - rules.margin_target * required

        called_for = 1.0 - largest_kept(spare, [(row.floor / worth, rules.whole) for row in self.table])
        least = AT_LEAST * self.all / self.size
        if self.closed_shares == MOST_CLOSES - 1 or least >= 1.0 - 1e-6:
            least, now = 1.0, 1.0
        else:
            now = max(called_for, 0.5 * (called_for + least))
        later = max(0.0, least - now)
        whole = self.size
        self.close(now * whole, at, fee)
        self.waiting, self.size = later * whole, self.size - later * whole
        self.cash -= fee * (later * whole / at if rules.inverse else later * whole * at)
        return sold + now * whole, zero, called_for > 1.0 - 1e-6

    def zero_price(self):
        """Where the equity is zero: the bankruptcy price, USD a coin."""
        if self.rules.inverse:
            coins = 1.0 / self.entry + self.side * self.cash / self.size
            return 1.0 / coins if coins > 0.0 else math.inf
        return self.entry - self.side * self.cash / self.size

    def size_to_close(self, at) -> float:
        """What the venue closes of a position that is under margin at a price."""
        rules, number = self.rules, self.closed_shares
        if rules.policy is None or rules.policy == "tranches":
            share = rules.tranches[number]
            return self.size if number == len(rules.tranches) - 1 else self.all * share
        if number > 0 or rules.policy == "full":
            return self.size
        if rules.policy == "partial":
            return self.size * (rules.first_share if self.notional(at) >= rules.first_above else 1.0)
        assert rules.policy == "lower_tier", rules.policy
        return self.size * (1.0 - tier_below(rules, self.account.asset, self.notional(at)) / self.notional(at))

    def is_called(self, call: Call, worst):
        """The price of a margin call and what it asks for, in the account's money; None where there is none."""
        if self.below(self.initial_price, call.level):
            return None
        at = self.first_below(worst, call.level)
        if self.rules.whole:
            # not in a tier that asks for more than the initial margin, but perhaps in a lower one
            enough = lambda price: (
                self.dollars(self.maintenance(price), price) * call.level < self.notional(price) / self.leverage
            )
            at = self.first(lambda price: self.below(price, call.level) and enough(price), worst)
            gone = self.first_below(worst)
            if at is not None and gone is not None and abs(gone - self.initial_price) < abs(at - self.initial_price):
                return None
        if at is None or at == self.initial_price:
            return None
        initial_margin = self.notional(at) / self.leverage
        asked = initial_margin / at - self.equity(at) if self.rules.inverse else initial_margin - self.equity(at)
        return (at, asked) if asked > 0.0 else None


def worth_at_start(account: Account, venue: Venue, initial_price: float) -> float:
    """What open interest counts, USD: contracts of one dollar as they are, coins at the initial price."""
    return account.quantity * (account.entry_price if venue.inverse else initial_price)


def walk(account, venue, initial_price, reach, call=None, group="wait", share=1.0, row=-1):
    """Rungs and calls of the `share` of holders like this account who do the same at a margin call, in order."""
    holder = Walk(account, venue, initial_price, group)
    opened = worth_at_start(account, venue, initial_price)
    if not holder.solvent_at_start() or share == 0.0:
        return [], []
    worst = initial_price * math.exp(-reach if account.side > 0 else reach)
    where = account.venue, account.asset, account.index
    rungs, asked = [], []
    called = None if call is None else holder.is_called(call, worst)
    if called is not None:
        at, amount = called
        log_price = math.log(at / initial_price)
        asked.append(Asked(*where, log_price, share * holder.dollars(amount, at)))
        holder.last_trigger = at
        if group == "top_up":
            holder.cash += amount
        if group == "reduce":
            part = 1.0 - holder.dollars(holder.equity(at), at) * holder.leverage / holder.notional(at)
            holder.close(part * holder.size, at, 0.0)
            holder.all = holder.size
            rungs.append(Rung(*where, "reduced", log_price, part * share * opened, row))
            opened *= 1.0 - part
    while holder.size > 0.0:
        at = holder.first_below(worst)
        if at is None:
            break
        if venue.policy == "to_margin":
            closed, zero, last = holder.close_to_margin(at)
        else:
            closed, zero = holder.size_to_close(at), holder.zero_price()
            last = closed == holder.size
            holder.close(closed, at, venue.fee)
        if last or holder.closed_shares == MOST_CLOSES - 1:
            holder.size = 0.0
        quantity = share * opened * closed / holder.all
        log_price = math.log(at / initial_price)
        rungs.append(Rung(*where, "liquidation", log_price, quantity, row, holder.closed_shares, zero / initial_price, last))
        holder.closed_shares += 1
        holder.last_trigger = at
    return rungs, asked


def trigger_log_prices(account: Account, venue: Venue, initial_price: float, reach: float) -> list[float]:
    """Where each part of an account is taken over, `log(S / S_0)`, as far as that is within reach."""
    return [rung.price for rung in walk(account, venue, initial_price, reach)[0]]

"""The cascade one account at a time: float64 NumPy, the plainest code that can be written.

It shares nothing with the package but the inputs. Nobody is put on a grid: every account is asked, with its own equity and the
tier looked up for its own notional, whether it is under its maintenance margin.

Quantities of the market are in USD at the initial price (coins times S_0), prices as `log(S / S_0)`, as in the package.
"""

import math
from dataclasses import dataclass, field

import numpy as np

LONG, SHORT = 0, 1


@dataclass
class Tier:
    """One row of a venue's table: from `floor` USD of notional the margin is `rate * notional - amount`."""

    floor: float
    max_leverage: float
    rate: float
    amount: float


def tier_of(table: list[Tier], notional: float) -> Tier:
    """Look the tier up: the last row whose floor the notional has reached."""
    found = table[0]
    for row in table:
        if notional >= row.floor:
            found = row
    return found


@dataclass
class Account:
    """One isolated position: `side` +1 long, -1 short; `quantity` coins; `collateral` USD (at entry, if coin-margined)."""

    venue: int
    asset: int
    side: int
    quantity: float
    entry_price: float
    collateral: float


@dataclass
class Venue:
    """Rules of one venue; `tiers` and `local_impact` by asset; times and rates in years."""

    tiers: list[list[Tier]]
    engine_time: float = 0.0
    fee: float = 0.0
    closes_opposite: float = 1.0
    arbitrage_rate: float = 0.0
    local_impact: list[float] = field(default_factory=list)
    index_weight: float = 0.0
    tranches: tuple[float, ...] = (1.0,)
    inverse: bool = False


@dataclass
class DepthRule:
    """Withdrawal of depth, by asset."""

    exponent: list[float]
    reference_volatility: list[float]
    measurement_rate: list[float]
    recovery_rate: list[float]
    floor: list[float]


@dataclass
class Setup:
    """Everything a run needs. `fundamental` has a row for the start and one for each step: `(steps + 1, assets)`."""

    price: list[float]
    venues: list[Venue]
    accounts: list[Account]
    fundamental: np.ndarray
    years_per_step: float
    impact: list  # for each asset a function of displaced volume, USD -> fall of the log price
    relaxation_rate: list[float]
    permanent_share: list[float]
    cross: np.ndarray
    rounds: int = 1
    feedback: float = 1.0
    depth: DepthRule | None = None
    depth_channel: float = 1.0
    reach: float = math.inf


def linear_impact(depth: float):
    """A fall of volume over depth."""
    return lambda volume: volume / depth


def power_impact(coefficient: float, daily_volatility: float, daily_volume: float, exponent: float):
    """The power law, with a finite slope below a millionth of the daily volume."""

    def fall(volume):
        ratio = volume / daily_volume
        return coefficient * daily_volatility * ratio * math.hypot(ratio, 1e-6) ** (exponent - 1.0)

    return fall


def table_impact(volumes: list[float], moves: list[float]):
    """Joined points; beyond the last at the last slope; a table without negative volumes is odd and runs through the origin."""

    def fall(volume):
        if volumes[0] >= 0.0:
            sign = -1.0 if volume < 0.0 else 1.0
            knots, values = list(volumes), list(moves)
            if volumes[0] > 0.0:
                knots, values = [0.0, *knots], [0.0, *values]
            return sign * _joined(abs(volume), knots, values)
        return _joined(volume, volumes, moves)

    return fall


def _joined(point, knots, values):
    left = 0
    while left < len(knots) - 2 and point >= knots[left + 1]:
        left += 1
    slope = (values[left + 1] - values[left]) / (knots[left + 1] - knots[left])
    return values[left] + slope * (point - knots[left])


class Holder:
    """An account on its way: what it still holds, what it owns, what the liquidation engine has taken over.

    `share` is the part of the position that is not yet taken over. `kept` is the part of the holders behind the row who have not
    closed of their own accord, which changes how much there is and nobody's margin. The engine takes a tranche over at the
    price at which the account fell below its margin: profit and fee of that tranche are settled at this price.
    """

    def __init__(self, account: Account, venue: Venue, initial_price: float):
        self.account, self.rules, self.initial_price = account, venue, initial_price
        self.table = venue.tiers[account.asset]
        self.side, self.entry = account.side, account.entry_price
        self.index = LONG if account.side > 0 else SHORT
        notional = account.quantity * account.entry_price
        self.cash = account.collateral / self.entry if venue.inverse else account.collateral
        self.size = notional if venue.inverse else account.quantity  # contracts of one USD, or coins
        self.opened = worth_at_start(account, venue, initial_price)
        self.share, self.kept, self.backlog, self.taken = 1.0, 1.0, 0.0, 0
        self.last_trigger = initial_price

    def equity(self, price):
        """Coins for a coin-margined account, USD for any other."""
        if self.rules.inverse:
            return self.cash + self.side * self.size * (1.0 / self.entry - 1.0 / price)
        return self.cash + self.side * self.size * (price - self.entry)

    def maintenance(self, price):
        """In the same money as the equity."""
        notional = self.size if self.rules.inverse else self.size * price
        tier = tier_of(self.table, notional)
        dollars = tier.rate * notional - tier.amount
        return dollars / price if self.rules.inverse else dollars

    def below(self, price):
        """Whether the account is under its maintenance margin at a mark."""
        return self.equity(price) < self.maintenance(price)

    def solvent_at_start(self):
        return self.equity(self.initial_price) > self.maintenance(self.initial_price)

    def trigger_price(self, price):
        """The price, between the last trigger (or the start) and a mark that is under margin, where equity meets the margin."""
        healthy, under = self.last_trigger, price
        if self.below(healthy):
            return healthy
        for _ in range(200):
            middle = 0.5 * (healthy + under)
            if middle in (healthy, under):
                break
            if self.below(middle):
                under = middle
            else:
                healthy = middle
        return under

    def take_over(self, price):
        """Hand the next tranche to the liquidation engine, given a mark that is under margin; returns the trigger price."""
        at = self.trigger_price(price)
        tranche = self.rules.tranches[self.taken]
        closed = self.size * tranche / self.share
        if self.rules.inverse:
            self.cash += self.side * closed * (1.0 / self.entry - 1.0 / at) - self.rules.fee * closed / at
        else:
            self.cash += self.side * closed * (at - self.entry) - self.rules.fee * closed * at
        self.size -= closed
        self.share -= tranche
        self.taken += 1
        self.last_trigger = at
        if self.taken == len(self.rules.tranches):
            self.share = self.size = 0.0
        self.backlog += self.opened * tranche * self.kept
        return at

    def open_tranches(self):
        return self.taken < len(self.rules.tranches)

    def held(self):
        """What is neither taken over nor closed."""
        return self.opened * self.share * self.kept


def worth_at_start(account: Account, venue: Venue, initial_price: float) -> float:
    """What open interest counts, USD: contracts of one dollar as they are, coins at the initial price."""
    return account.quantity * (account.entry_price if venue.inverse else initial_price)


def trigger_log_prices(account: Account, venue: Venue, initial_price: float, reach: float) -> list[float]:
    """Where each tranche of an account is taken over, `log(S / S_0)`, as far as that is within reach."""
    holder = Holder(account, venue, initial_price)
    if not holder.solvent_at_start():
        return []
    worst = initial_price * math.exp(-reach if account.side > 0 else reach)
    found = []
    while holder.open_tranches() and holder.below(worst):
        found.append(math.log(holder.take_over(worst) / initial_price))
    return found


@dataclass
class Record:
    """What happened. By step unless said; `sides` are long, short; USD."""

    price: np.ndarray  # (steps, assets) log
    mark: np.ndarray  # (steps, venues, assets) log
    open_interest: np.ndarray  # (steps, venues, assets, sides) USD at the initial price
    backlog: np.ndarray  # the same
    executed: np.ndarray  # the same
    notional: np.ndarray  # the same, USD at execution
    triggers: list[tuple[int, int, int, float]]  # (step, account, tranche, log mark that set it off), in order
    extremes: list  # for each venue and asset, every lowest and highest mark that accounts were checked against
    thresholds: list[list[float]]  # for each account
    initial_open_interest: np.ndarray  # (venues, assets)
    dropped: list[int]  # accounts that were under margin at the start
    losses: dict


def run(setup: Setup) -> Record:
    """Run the cascade along the given path."""
    steps, assets, venues = len(setup.fundamental) - 1, len(setup.price), len(setup.venues)
    years = setup.years_per_step
    holders, dropped = [], []
    for number, account in enumerate(setup.accounts):
        holder = Holder(account, setup.venues[account.venue], setup.price[account.asset])
        holders.append(holder)
        if not holder.solvent_at_start():
            dropped.append(number)
            holder.opened, holder.taken = 0.0, len(holder.rules.tranches)

    # holders without leverage make up the difference between the sides
    unlevered = np.zeros((venues, assets, 2))
    for holder in holders:
        other = SHORT if holder.index == LONG else LONG
        unlevered[holder.account.venue, holder.account.asset, other] += holder.opened
    unlevered -= np.minimum(unlevered[..., :1], unlevered[..., 1:])

    transient, permanent, local = np.zeros(assets), np.zeros(assets), np.zeros((venues, assets))
    variance = np.zeros(assets) if setup.depth is None else np.array(setup.depth.reference_volatility) ** 2
    level = np.ones(assets)
    low, high = np.zeros((venues, assets)), np.zeros((venues, assets))
    extremes = [[[0.0] for _ in range(assets)] for _ in range(venues)]
    price = np.zeros(assets)
    shape = (steps, venues, assets)
    record = Record(
        price=np.zeros((steps, assets)),
        mark=np.zeros(shape),
        open_interest=np.zeros((*shape, 2)),
        backlog=np.zeros((*shape, 2)),
        executed=np.zeros((*shape, 2)),
        notional=np.zeros((*shape, 2)),
        triggers=[],
        extremes=extremes,
        thresholds=[
            trigger_log_prices(a, setup.venues[a.venue], setup.price[a.asset], min(setup.reach, 20.0)) for a in setup.accounts
        ],
        initial_open_interest=_open_interest(holders, unlevered)[..., LONG],
        dropped=dropped,
        losses={},
    )

    def prices(fundamental):
        """Index price and marks after all impact so far."""
        index = np.zeros(assets)
        for a in range(assets):
            displaced = sum(setup.cross[a][b] * (transient[b] + permanent[b]) for b in range(assets))
            index[a] = fundamental[a] - setup.feedback * setup.impact[a](displaced)
        marks = np.zeros((venues, assets))
        for v, venue in enumerate(setup.venues):
            for a in range(assets):
                # one venue alone is the index: there is nothing for it to have a basis to
                basis = setup.feedback * venue.local_impact[a] * local[v, a] if venues > 1 else 0.0
                marks[v, a] = index[a] - (1.0 - venue.index_weight) * basis
        return index, marks

    for step in range(steps):
        # the exogenous price moves, displaced volume relaxes
        for a in range(assets):
            transient[a] *= math.exp(-setup.relaxation_rate[a] * years)
        for v, venue in enumerate(setup.venues):
            local[v] *= math.exp(-venue.arbitrage_rate * years)
        before = price
        price, mark = prices(setup.fundamental[step + 1])
        low, high = np.minimum(low, mark), np.maximum(high, mark)

        for _ in range(setup.rounds):
            # every account is asked
            for number, holder in enumerate(holders):
                v, a = holder.account.venue, holder.account.asset
                worst = low[v, a] if holder.side > 0 else high[v, a]
                at = setup.price[a] * math.exp(worst)
                while holder.open_tranches() and abs(worst) < setup.reach and holder.below(at):
                    holder.take_over(at)
                    record.triggers.append((step, number, holder.taken - 1, worst))
            for v in range(venues):
                for a in range(assets):
                    extremes[v][a] += [low[v, a], high[v, a]]

            # the engine closes a share of what it has taken over
            executed = np.zeros((venues, assets, 2))
            for holder in holders:
                rules = holder.rules
                share = 1.0 if rules.engine_time == 0.0 else 1.0 - math.exp(-years / (rules.engine_time * setup.rounds))
                closed = share * holder.backlog
                holder.backlog -= closed
                executed[holder.account.venue, holder.account.asset, holder.index] += closed
            # the other end is taken by holders of the other side who close, pro rata, and by new ones without leverage
            before_closing = unlevered.copy()
            for v, venue in enumerate(setup.venues):
                for a in range(assets):
                    here = [h for h in holders if h.account.venue == v and h.account.asset == a]
                    for forced, other in ((LONG, SHORT), (SHORT, LONG)):
                        closing = [h for h in here if h.index == other]
                        held = sum(h.held() for h in closing) + before_closing[v, a, other]
                        closed = min(venue.closes_opposite * executed[v, a, forced], held)
                        if held > 0.0:
                            for h in closing:
                                h.kept *= 1.0 - closed / held
                            unlevered[v, a, other] -= closed / held * before_closing[v, a, other]
                        unlevered[v, a, forced] += executed[v, a, forced] - closed
            record.executed[step] += executed
            for v, venue in enumerate(setup.venues):
                record.notional[step, v] += executed[v] * (1.0 if venue.inverse else np.exp(mark[v])[:, None])

            # forced selling less forced buying displaces the price
            for v in range(venues):
                for a in range(assets):
                    sold = executed[v, a, LONG] - executed[v, a, SHORT]
                    # the thinner the book the more a sale displaces
                    displaced = sold / (1.0 - setup.depth_channel * (1.0 - level[a]))
                    transient[a] += (1.0 - setup.permanent_share[a]) * displaced
                    permanent[a] += setup.permanent_share[a] * displaced
                    local[v, a] += sold
            price, mark = prices(setup.fundamental[step + 1])
            low, high = np.minimum(low, mark), np.maximum(high, mark)

        if setup.depth is not None:
            variance, level = _withdraw(setup.depth, variance, level, price - before, years)
        record.price[step], record.mark[step] = price, mark
        record.open_interest[step] = _open_interest(holders, unlevered)
        for holder in holders:
            record.backlog[step, holder.account.venue, holder.account.asset, holder.index] += holder.backlog
    record.losses = _losses(setup, record)
    return record


def _open_interest(holders, unlevered):
    total = unlevered.copy()
    for holder in holders:
        total[holder.account.venue, holder.account.asset, holder.index] += holder.held() + holder.backlog
    return total


def _withdraw(rule: DepthRule, variance, level, log_return, years):
    """Realised variance, and depth as a share of normal: gone at once, back slowly."""
    new_variance, new_level = variance.copy(), level.copy()
    for a in range(len(level)):
        weight = 1.0 - math.exp(-rule.measurement_rate[a] * years)
        new_variance[a] = (1.0 - weight) * variance[a] + weight * log_return[a] ** 2 / years
        volatility = math.sqrt(max(new_variance[a], 1e-12))
        target = min(1.0, max(rule.floor[a], (rule.reference_volatility[a] / volatility) ** rule.exponent[a]))
        recovered = 1.0 - (1.0 - level[a]) * math.exp(-rule.recovery_rate[a] * years)
        new_level[a] = min(target, recovered)
    return new_variance, new_level


def drawdown(log_prices) -> tuple[float, int]:
    """Deepest fall from a running maximum, as a fraction, and the step at whose end it was reached (0: never)."""
    peak, deepest, trough = 1.0, 0.0, 0
    for step, value in enumerate(np.exp(np.asarray(log_prices)), start=1):
        fall = 1.0 - value / peak
        if fall > deepest:
            deepest, trough = fall, step
        peak = max(peak, value)
    return deepest, trough


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

"""What every oracle needs of the market: rules of the venues, how forced volume moves prices, who pays. Float64, plainest code.

Quantities of the market are in USD at the initial price (coins times S_0), prices as `log(S / S_0)`, as in the package.
"""

import copy
import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

LONG, SHORT = 0, 1


@dataclass
class Tier:
    """One row of a venue's table: from `floor` USD of notional the margin is `rate * notional - amount`; without amounts the rate
    holds for the whole position, and the margin jumps at the floor."""

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


def tier_below(venue, asset: int, notional: float) -> float:
    """The largest notional in the tier below: with a jump at the floor a little under it."""
    floor = tier_of(venue.tiers[asset], notional).floor
    return floor * (1.0 - 1e-5) if venue.whole else floor


def largest_kept(spare, edges) -> float:
    """Largest share of a position that has what it needs, where `spare(share)` is at least zero; 0 where no share has.

    `edges`: shares at which a position is at the floor of a tier, and whether its margin jumps there; between two of them `spare`
    is a straight line. An edge belongs to what is above it: where there is a jump, what is below ends a little under it.
    """
    jumps = dict.fromkeys((edge for edge, _ in edges), False) | dict.fromkeys((edge for edge, jump in edges if jump), True)
    ends = sorted({0.0, 1.0} | {edge for edge in jumps if 0.0 < edge < 1.0})
    for start, end in reversed([*pairwise(ends)]):
        if jumps.get(end, False):
            end *= 1.0 - 1e-5
        # at an edge, whatever the rounding
        high, low = spare(end), spare(start * (1.0 + 1e-12))
        if high >= 0.0:
            return end
        if low >= 0.0:
            return start + (end - start) * low / (low - high)
    return 0.0


@dataclass
class Backstop:
    """Who pays on one venue. `window_steps`: of the drawdown, in steps."""

    fund: float = 0.0
    surplus_to_fund: float = 1.0
    ranking: str = "pro_rata"
    trigger: str = "fund_empty"
    drawdown: float = 0.3
    window_steps: int = 1


@dataclass
class Halts:
    """When one venue halts, as a whole or a contract by itself (`contract_move`, `contract_band`, by asset): log prices, steps.

    `trading`: all of it stops, for whole steps; else liquidations alone. `everywhere`: the same contracts halt on other venues.
    """

    move: float
    window: int
    length: float
    band: float
    auction: float
    deeper: float
    trading: bool
    everywhere: bool
    contract_move: list[float]
    contract_band: list[float]


@dataclass
class Venue:
    """Rules of one venue; `tiers`, `local_impact`, `haircut` by asset; times and rates in years.

    `policy`: None closes in `tranches`, else the word for what is closed of a position under margin. `whole`: the tables have no
    amounts, and a floor belongs to the tier above it.
    """

    tiers: list[list[Tier]]
    engine_time: float = 0.0
    fee: float = 0.0
    closes_opposite: float = 1.0
    arbitrage_rate: float = 0.0
    local_impact: list[float] = field(default_factory=list)
    index_weight: float = 0.0
    tranches: tuple[float, ...] = (1.0,)
    inverse: bool = False
    whole: bool = False
    policy: str | None = None
    first_share: float = 0.2
    first_above: float = 1e5
    cool_down: float = 0.0
    margin_target: float = 1.0
    haircut: list[float] = field(default_factory=list)
    backstop: Backstop | None = None
    halts: Halts | None = None


@dataclass
class DepthRule:
    """Withdrawal of depth, by asset."""

    exponent: list[float]
    reference_volatility: list[float]
    measurement_rate: list[float]
    recovery_rate: list[float]
    floor: list[float]


@dataclass
class Call:
    """Margin calls of one class of accounts: who is called when, and the shares who post collateral or sell."""

    level: float
    top_up: float
    reduce: float


@dataclass
class Stop:
    """Stop orders of holders on one side at one price: `quantity` USD at the initial price, `level` USD a coin."""

    venue: int
    asset: int
    side: int
    quantity: float
    level: float


@dataclass
class Dislocation:
    """A move of one venue's own price (of the whole market if `venue` is None), by asset: fractions, years."""

    size: list[float]
    window: list[float]
    at: list[float]
    venue: int | None = None

    def level(self, asset: int, time: float) -> float:
        """How far it has moved the log price by a time."""
        full = math.log(1.0 + self.size[asset])
        if self.window[asset] > 0.0:
            return full * min(1.0, max(0.0, (time - self.at[asset]) / self.window[asset]))
        return full if time > self.at[asset] * (1.0 + 1e-6) else 0.0


@dataclass
class Channels:
    """Shares of each mechanism that are switched on."""

    feedback: float = 1.0
    depth: float = 1.0
    stops: float = 1.0
    calls: float = 1.0
    deleveraging: float = 1.0
    common_holders: float = 1.0


@dataclass
class Setup:
    """Everything a run needs but who holds what. `fundamental` has a row for the start and one a step: `(steps + 1, assets)`."""

    price: list[float]
    venues: list[Venue]
    accounts: list
    fundamental: np.ndarray
    years_per_step: float
    impact: list  # for each asset a function of displaced volume, USD -> fall of the log price
    relaxation_rate: list[float]
    permanent_share: list[float]
    cross: np.ndarray
    rounds: int = 1
    channels: Channels = field(default_factory=Channels)
    depth: DepthRule | None = None
    reach: float = math.inf
    calls: list[Call] | None = None  # by account class
    stops: list[Stop] = field(default_factory=list)
    common_holders: np.ndarray | None = None
    temporary: list | None = None  # for each asset: coefficient, exponent, relaxation a year, daily volatility, daily volume
    leakage: np.ndarray | None = None
    shock: Dislocation | None = None
    funding_rate: list[float] | None = None  # by asset, a year
    funding_trend: list[float] | None = None
    trend_half_life: float = 7 / 365

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.venues), len(self.price)


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


class Prices:
    """Fundamental, displaced volumes, depth: everything that makes a price. `copy` it to ask what an order would do."""

    def __init__(self, setup: Setup):
        self.setup = setup
        venues, assets = setup.shape
        self.transient, self.permanent, self.pace = np.zeros(assets), np.zeros(assets), np.zeros(assets)
        self.local, self.moved = np.zeros((venues, assets)), np.zeros((venues, assets))
        self.variance = np.zeros(assets) if setup.depth is None else np.array(setup.depth.reference_volatility) ** 2
        self.level = np.ones(assets)
        self.step = 0

    def copy(self) -> "Prices":
        other = copy.copy(self)
        other.transient, other.permanent, other.local = self.transient.copy(), self.permanent.copy(), self.local.copy()
        other.pace = self.pace.copy()
        return other

    def advance(self):
        """A step begins: the exogenous price moves, displaced volume relaxes."""
        setup, self.step = self.setup, self.step + 1
        years, shock = setup.years_per_step, setup.shock
        venues, assets = setup.shape
        for a in range(assets):
            self.transient[a] *= math.exp(-setup.relaxation_rate[a] * years)
            if setup.temporary is not None:
                self.pace[a] *= math.exp(-setup.temporary[a][2] * years)
        for v in range(venues):
            decay = math.exp(-setup.venues[v].arbitrage_rate * years)
            self.local[v] *= decay
            self.moved[v] *= decay
            if shock is not None and shock.venue == v:
                for a in range(assets):
                    self.moved[v, a] += shock.level(a, self.step * years) - shock.level(a, (self.step - 1) * years)

    def fundamental(self) -> np.ndarray:
        """The log price without any forced order."""
        setup = self.setup
        value = np.array(setup.fundamental[self.step], float)
        if setup.shock is not None and setup.shock.venue is None:
            value += [setup.shock.level(a, self.step * setup.years_per_step) for a in range(len(value))]
        return value

    def sell(self, sold: np.ndarray):
        """Net selling by venue and asset, USD: the thinner the book the more a sale displaces."""
        setup = self.setup
        venues, assets = setup.shape
        total = sold.sum(axis=0)
        for a in range(assets):
            more = total[a]
            if setup.common_holders is not None:
                for b in range(assets):
                    more += setup.channels.common_holders * setup.common_holders[a][b] * total[b]
            displaced = more / (1.0 - setup.channels.depth * (1.0 - self.level[a]))
            self.transient[a] += (1.0 - setup.permanent_share[a]) * displaced
            self.permanent[a] += setup.permanent_share[a] * displaced
            if setup.temporary is not None:
                relaxation, years = setup.temporary[a][2], setup.years_per_step
                # an even flow over the step, of which the beginning has been forgotten in part
                self.pace[a] += displaced / years * (1.0 - math.exp(-relaxation * years))
        for v in range(venues):
            for w in range(venues):
                weight = float(v == w) if setup.leakage is None else setup.leakage[v][w]
                self.local[v] += weight * sold[w]

    def now(self) -> tuple[np.ndarray, np.ndarray]:
        """Index price `(assets,)` and marks `(venues, assets)`, log."""
        setup = self.setup
        venues, assets = setup.shape
        index, fundamental = np.zeros(assets), self.fundamental()
        for a in range(assets):
            displaced = sum(setup.cross[a][b] * (self.transient[b] + self.permanent[b]) for b in range(assets))
            index[a] = fundamental[a] - setup.channels.feedback * (setup.impact[a](displaced) + self.overshoot(a))
        marks = np.zeros((venues, assets))
        for v, venue in enumerate(setup.venues):
            for a in range(assets):
                # one venue alone is the index: there is nothing for it to have a basis to
                basis = 0.0
                if venues > 1:
                    basis = setup.channels.feedback * venue.local_impact[a] * self.local[v, a] - self.moved[v, a]
                marks[v, a] = index[a] - (1.0 - venue.index_weight) * basis
        return index, marks

    def overshoot(self, asset: int) -> float:
        """Of the price, by the rate at which forced orders are executed."""
        if self.setup.temporary is None:
            return 0.0
        coefficient, exponent, _, daily_volatility, daily_volume = self.setup.temporary[asset]
        return power_impact(coefficient, daily_volatility, 365.0 * daily_volume, exponent)(self.pace[asset])

    def withdraw(self, log_return):
        """Realised variance, and depth as a share of normal: gone at once, back slowly."""
        rule, years = self.setup.depth, self.setup.years_per_step
        if rule is None:
            return
        for a in range(len(self.level)):
            weight = 1.0 - math.exp(-rule.measurement_rate[a] * years)
            self.variance[a] = (1.0 - weight) * self.variance[a] + weight * log_return[a] ** 2 / years
            volatility = math.sqrt(max(self.variance[a], 1e-12))
            target = min(1.0, max(rule.floor[a], (rule.reference_volatility[a] / volatility) ** rule.exponent[a]))
            recovered = 1.0 - (1.0 - self.level[a]) * math.exp(-rule.recovery_rate[a] * years)
            self.level[a] = min(target, recovered)


class Fund:
    """The insurance fund of one venue and everything that went through it, USD."""

    def __init__(self, rules: Backstop):
        self.rules, self.amount = rules, rules.fund
        self.used = self.shortfall = self.forgone = self.socialised = self.fees = self.surplus = self.returned = 0.0
        self.history = [rules.fund]  # at the start and the end of each step

    def available(self, credit: float) -> float:
        """What the fund can be asked for in this round, before deleveraging."""
        if self.rules.trigger == "account_value":
            return 0.0
        if self.rules.trigger == "fund_drawdown":
            # the window moves on by whole eighths of itself
            eighth = max(1, round(self.rules.window_steps / 8))
            eighths = min(8, self.rules.window_steps // eighth)
            now = (len(self.history) - 1) // eighth
            peak = max(amount for end, amount in enumerate(self.history) if end // eighth > now - eighths)
            # a fund of a dollar or less is as good as empty, and does not fall
            if peak > 1.0 and peak - self.amount > self.rules.drawdown * peak:
                return 0.0
        return self.amount + credit

    def share(self, need: float, credit: float, channel: float) -> float:
        """Share of what is bankrupt that is deleveraged."""
        return channel * max(need - self.available(credit), 0.0) / need if need > 0.0 else 0.0

    def pay(self, fee: float, surplus: float, need: float, forgone: float) -> float:
        """Settle a round; returns the loss that is left for everybody. `forgone`: by winners who have been deleveraged."""
        kept = self.rules.surplus_to_fund * surplus
        self.amount += fee + kept
        paid = min(self.amount, need)
        self.amount -= paid
        self.fees, self.surplus, self.returned = self.fees + fee, self.surplus + kept, self.returned + surplus - kept
        self.used, self.forgone, self.socialised = self.used + paid, self.forgone + forgone, self.socialised + need - paid
        self.shortfall += need + forgone
        return need - paid


def engine_share(venue: Venue, setup: Setup) -> float:
    """Share of its backlog that the liquidation engine sends in one round."""
    return 1.0 if venue.engine_time == 0.0 else 1.0 - math.exp(-setup.years_per_step / (venue.engine_time * setup.rounds))


def drawdown(log_prices) -> tuple[float, int]:
    """Deepest fall from a running maximum, as a fraction, and the step at whose end it was reached (0: never)."""
    peak, deepest, trough = 1.0, 0.0, 0
    for step, value in enumerate(np.exp(np.asarray(log_prices)), start=1):
        fall = 1.0 - value / peak
        if fall > deepest:
            deepest, trough = fall, step
        peak = max(peak, value)
    return deepest, trough

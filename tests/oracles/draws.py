"""Small markets drawn by Hypothesis, the same ones every time, as the oracles take them."""

import math
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, settings, strategies as st

from jaxrisk.positions import Grid

from . import event_engine as oracle
from .cross_engine import CrossAccount

TOLERANCE = 1e-9
ACCOUNTS = 30
STEPS = 10
# a failing draw is shown as it is: shrinking it would take minutes
SAME_DRAWS = settings(
    max_examples=30,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
REACH = 2.0
FINE = Grid(cells=200_000, first_step=2e-6, reach=REACH)
LARGE = Grid(cells=60_000, first_step=6e-6, reach=REACH)  # for markets of many tables
YEARS_PER_STEP = 1.0 / (365 * 24 * 4)  # a quarter of an hour

FLAT = [(0.0, 1e6, 0.005, 0.0)]


def shipped(venue: str, asset: str) -> list:
    """Rows of a table that ships with the package."""
    with open(Path(__file__).parents[2] / "configs" / "venues" / f"{venue}.toml", "rb") as file:
        rows = tomllib.load(file)["tiers"][asset]
    names = ("floor_usd", "max_leverage", "maintenance_rate", "maintenance_amount_usd")
    return [tuple(row[name] for name in names) for row in rows]


# floors low enough that accounts lie on both sides of every edge
STEEP = [(0.0, 125.0, 0.004, 0.0), (5e4, 100.0, 0.005, 50.0), (6e5, 20.0, 0.025, 12_050.0), (3e6, 5.0, 0.1, 237_050.0)]


# the same without amounts: the rate of the tier holds for the whole position
JUMPS = [(floor, leverage, rate, 0.0) for floor, leverage, rate, _ in STEEP]


class Frame(NamedTuple):
    """What decides the compiled program; everything else is drawn."""

    venues: int = 1
    assets: int = 1
    law: str = "linear"
    rounds: int = 1
    tranches: tuple = ((1.0,),)
    inverse: tuple = (False,)
    tiers: tuple = (FLAT,)
    whole: tuple = ()  # by venue, whether its tiers' rates hold for the whole position
    depth: bool = False
    years_per_step: float = YEARS_PER_STEP
    largest: float = 7.0  # log10 of an account's notional, USD
    policy: tuple = ()  # by venue
    ranking: tuple = ()  # by venue; a backstop if given
    trigger: tuple = ()
    window: int = 4  # steps of the drawdown's window
    calls: bool = False
    stops: int = 0
    leakage: bool = False
    common: bool = False
    temporary: bool = False
    shock: int | None = None  # of one venue; -1 for all
    funding: bool = False
    cross: bool = False  # accounts with several positions under cross margin
    book: str = "ladder"
    flow: float = 0.0  # closing and opening rate of a flow book, a step


@st.composite
def setups(draw_from, frame: Frame) -> tuple[oracle.Setup, list]:
    """A small market and a path; the second part is what the impact law was built from."""
    # Hypothesis draws the seed only: left to itself it prefers the ends of ranges and repeats parts of earlier draws
    random = np.random.default_rng(draw_from(st.integers(0, 2**63)))
    pick = lambda options: options[int(random.integers(len(options)))]
    between = lambda low, high: float(random.uniform(low, high))
    by_asset = lambda low, high: [between(low, high) for _ in range(frame.assets)]
    price = by_asset(0.5, 1e5)
    rows = [
        (
            int(random.integers(frame.venues)),
            int(random.integers(frame.assets)),
            1 if random.integers(2) else -1,
            between(3.0, frame.largest),  # log10 of the notional, USD
            between(-0.04, 0.04),  # log of entry over initial price
            between(1.0, 5.0),  # log of leverage
        )
        for _ in range(int(random.integers(1, ACCOUNTS + 1)))
    ]
    rows += [(0, 0, 1, 0.0, 0.0, 0.0)] * (ACCOUNTS - len(rows))  # a dollar without leverage
    accounts = []
    for row, (venue, asset, side, size, entry, leverage) in enumerate(rows):
        entry_price, notional = price[asset] * math.exp(entry), 10.0**size
        collateral = notional * math.exp(-leverage)
        accounts.append(oracle.Account(venue, asset, side, notional / entry_price, entry_price, collateral, row % 2))
    total = sum(a.quantity * price[a.asset] for a in accounts)
    moves = random.uniform(-0.1, 0.1, (STEPS, frame.assets))
    fundamental = np.concatenate([np.zeros((1, frame.assets)), np.cumsum(moves, axis=0)])
    laws, numbers = [], []
    for _ in range(frame.assets):
        depth = total / between(0.05, 1.5)
        if frame.law == "linear":
            numbers.append((depth,))
            laws.append(oracle.linear_impact(depth))
        elif frame.law == "power":
            numbers.append((1.0, between(0.01, 0.1), depth, between(0.3, 1.0)))
            laws.append(oracle.power_impact(*numbers[-1]))
        else:
            # one-sided, from zero or not, or two-sided
            form = pick(([0.0, 0.2, 0.5, 1.0], [0.1, 0.2, 0.5, 1.0], [-1.0, -0.1, 0.3, 1.0]))
            levels = np.cumsum(random.uniform(0.01, 0.2, 4))
            if form[0] == 0.0:
                levels = levels - levels[0]
            elif form[0] < 0.0:  # through the origin
                levels = levels - np.interp(0.0, form, levels)
            numbers.append((np.array(form) * depth, levels))
            laws.append(oracle.table_impact(list(numbers[-1][0]), list(levels)))
    years = frame.years_per_step
    venues = []
    for v in range(frame.venues):
        venues.append(
            oracle.Venue(
                tiers=[[oracle.Tier(*row) for row in frame.tiers[v]]] * frame.assets,
                engine_time=pick((0.0, 0.3, 2.0)) * years,
                fee=between(0.0, 0.02),
                closes_opposite=pick((0.0, 0.5, 1.0)),
                arbitrage_rate=between(0.0, 1.0) / years,
                local_impact=[between(0.0, 0.5) / total for _ in range(frame.assets)],
                index_weight=pick((0.0, 0.3, 1.0)),
                tranches=frame.tranches[v],
                inverse=frame.inverse[v],
                whole=bool(frame.whole) and frame.whole[v],
            )
        )
    cross = np.eye(frame.assets)
    for a in range(frame.assets):
        for b in range(frame.assets):
            if a != b:
                cross[a, b] = between(0.0, 0.5)
    depth_rule = None
    if frame.depth:
        depth_rule = oracle.DepthRule(
            exponent=by_asset(0.0, 1.5),
            reference_volatility=by_asset(0.5, 5.0),
            measurement_rate=[x / years for x in by_asset(0.01, 1.0)],
            recovery_rate=[x / years for x in by_asset(0.01, 1.0)],
            floor=by_asset(0.2, 1.0),
        )
    setup = oracle.Setup(
        price=price,
        venues=venues,
        accounts=accounts,
        fundamental=fundamental,
        years_per_step=years,
        impact=laws,
        relaxation_rate=[x / years for x in by_asset(0.0, 1.0)],
        permanent_share=by_asset(0.0, 1.0),
        cross=cross,
        rounds=frame.rounds,
        channels=oracle.Channels(feedback=pick((1.0, 0.5)), depth=pick((1.0, 0.5))),
        depth=depth_rule,
        reach=REACH,
    )
    _exchange(frame, setup, pick, between, random, total)
    return setup, numbers


def _exchange(frame: Frame, setup: oracle.Setup, pick, between, random, total):
    """Add what an exchange does besides liquidating."""
    channel = lambda: pick((1.0, 0.6))
    for v, venue in enumerate(setup.venues):
        if frame.policy:
            venue.policy = frame.policy[v]
            venue.first_share, venue.first_above = between(0.1, 0.9), 10.0 ** between(3.0, 6.0)
            venue.cool_down = between(0.0, 4.0) * setup.years_per_step
            if frame.policy[v] == "to_margin":
                # at times more than closing frees: then closing is no cure
                venue.margin_target, venue.fee = pick((1.0, 1.05, 1.5)), pick((0.0, 0.002, 0.0045))
        if frame.ranking:
            venue.backstop = oracle.Backstop(
                # a fund of nothing but rounding would be in drawdown
                fund=pick((0.0 if frame.trigger[v] != "fund_drawdown" else 1.0, 1.0)) * total * 10.0 ** between(-4.0, -1.0),
                surplus_to_fund=pick((0.0, 1.0, 0.4)),
                ranking=frame.ranking[v],
                trigger=frame.trigger[v],
                drawdown=between(0.05, 0.9),
                window_steps=frame.window,
            )
            setup.channels.deleveraging = channel()
    if frame.calls:
        # the second class is nobody's who answers
        setup.calls = [oracle.Call(between(1.05, 3.0), between(0.0, 0.5), between(0.0, 0.5)), oracle.Call(1.5, 0.0, 0.0)]
        setup.channels.calls = channel()
    for i in range(frame.stops):
        # the same places in every draw: they are static
        venue, asset, side = i % frame.venues, i // 2 % frame.assets, (1, -1, -1)[i % 3]
        level = setup.price[asset] * math.exp(-side * between(0.005, 0.2))
        setup.stops.append(oracle.Stop(venue, asset, side, total * between(0.0, 0.1), level))
        setup.channels.stops = channel()
    if frame.funding:
        setup.funding_rate = list(random.uniform(-50.0, 100.0, frame.assets))  # a year: up to 3 per mille a step
        setup.funding_trend = list(random.uniform(-1.0, 1.0, frame.assets))
    if frame.cross:
        for venue in setup.venues:
            venue.haircut = list(random.uniform(0.0, 0.3, frame.assets))
        setup.accounts = [_joined(setup, frame, row, random) for row in range(ACCOUNTS)] + setup.accounts[: ACCOUNTS // 3]
    others = lambda count, high: random.uniform(0.0, high, (count, count)) * (1.0 - np.eye(count))
    if frame.leakage:
        setup.leakage = np.eye(frame.venues) + others(frame.venues, 1.0)
    if frame.temporary:
        setup.temporary = [
            (between(0.1, 2.0), between(0.3, 1.0), between(0.0, 3.0) / setup.years_per_step, between(0.01, 0.1), total)
            for _ in range(frame.assets)
        ]
    if frame.common:
        setup.common_holders = others(frame.assets, 0.5)
        setup.channels.common_holders = channel()
    if frame.shock is not None:
        years = setup.years_per_step
        by_asset = lambda low, high: [between(low, high) for _ in range(frame.assets)]
        setup.shock = oracle.Dislocation(
            size=by_asset(-0.2, 0.1),
            window=[x * years for x in by_asset(0.0, 4.0)],
            at=[x * years for x in by_asset(0.0, 6.0)],
            venue=None if frame.shock < 0 else frame.shock,
        )


def _joined(setup: oracle.Setup, frame: Frame, row: int, random) -> CrossAccount:
    """An account with a position in every market, some of them empty, and collateral in cash and coins."""
    positions, gross = {}, 0.0
    size = 10.0 ** random.uniform(3.0, frame.largest)
    home = int(random.integers(frame.venues))
    order = [home, *(v for v in range(frame.venues) if v != home)]  # the first venue it names is its own
    for v in order:
        for a in range(frame.assets):
            entry = setup.price[a] * math.exp(random.uniform(-0.04, 0.04))
            notional = size * random.uniform(0.1, 1.0) * (random.random() < 0.7)
            sign = 1.0 if random.integers(2) else -1.0
            positions[v, a] = (sign * (notional if frame.inverse[v] else notional / entry), entry)
            gross += notional
    margin = gross * math.exp(-random.uniform(1.0, 4.5))
    in_coins = random.uniform(0.0, 1.0)
    coins = {a: in_coins * margin / frame.assets / setup.price[a] for a in range(frame.assets)}
    return CrossAccount(home, (1.0 - in_coins) * margin, coins, positions, row % 2, float(random.integers(1, 4)))


def nearest_call(record: oracle.Record, grid: Grid) -> float:
    """Smallest distance of an account's trigger from a visited extreme, in cells there."""
    nearest = math.inf
    for venue, asset, threshold in record.levels:
        width = math.sqrt(grid._a**2 + 4.0 * grid._b * abs(threshold))
        nearest = min(nearest, np.abs(np.array(record.extremes[venue][asset]) - threshold).min() / width)
    return nearest


def furthest(record: oracle.Record) -> float:
    """Furthest that any mark has been from its initial price."""
    return max(np.abs(extremes).max() for row in record.extremes for extremes in row)


def close(ours, theirs, scale=1.0):
    """Agreement to `TOLERANCE`, relative or to a scale."""
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale)

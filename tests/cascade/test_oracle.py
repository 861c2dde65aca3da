"""The ladder engine against the event-driven oracle, and what has to hold on every path and step.

Scenarios are drawn by Hypothesis, the same ones every time.

The ladder spreads an account's trigger over three cells of its grid, the oracle does not. So draws in which some trigger lies
within three cells of an extreme that the mark has visited are discarded, on the oracle's word alone; on all others the two have
to agree to `TOLERANCE`, relative to the open interest or to one unit of log price.
"""

import math
import tomllib
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings, strategies as st
from oracles import event_engine as oracle

from jaxrisk.cascade import Channels, Depth, Impact, LinearImpact, PowerImpact, TableImpact, Venues, prepare, seed_key
from jaxrisk.cascade.engine import draw, outcome
from jaxrisk.cascade.step import start, step
from jaxrisk.market import Replay
from jaxrisk.positions import Accounts, Grid, LadderBook, Tiers
from jaxrisk.scenario import Names, Scenario, Settings

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


class Frame(NamedTuple):
    """What decides the compiled program; everything else is drawn."""

    venues: int = 1
    assets: int = 1
    law: str = "linear"
    rounds: int = 1
    tranches: tuple = ((1.0,),)
    inverse: tuple = (False,)
    tiers: tuple = (FLAT,)
    depth: bool = False
    years_per_step: float = YEARS_PER_STEP
    largest: float = 7.0  # log10 of an account's notional, USD


FRAMES = {
    "plain": Frame(),
    "rounds": Frame(rounds=4, tiers=(STEEP,)),
    "inverse": Frame(inverse=(True,), tiers=(STEEP,), rounds=2, law="table"),
    "tranches": Frame(tranches=((0.2, 0.3, 0.5),), tiers=(STEEP,), law="power"),
    "inverse_tranches": Frame(tranches=((0.4, 0.6),), inverse=(True,), tiers=(STEEP,), rounds=3),
    "two_venues": Frame(
        venues=2, rounds=3, tranches=((1.0,), (0.5, 0.5)), inverse=(False, True), tiers=(STEEP, FLAT), depth=True
    ),
    "three_assets": Frame(assets=3, rounds=2, law="power", depth=True, tiers=(STEEP,)),
    "shipped_tiers": Frame(
        venues=2,
        rounds=2,
        tranches=((1.0,), (1.0,)),
        inverse=(False, False),
        tiers=(shipped("binance", "BTC"), shipped("hyperliquid", "SOL")),
        largest=9.0,
    ),
    "everything": Frame(
        venues=2,
        assets=2,
        law="table",
        rounds=4,
        tranches=((0.25, 0.75), (1.0,)),
        inverse=(False, False),
        tiers=(STEEP, STEEP),
        depth=True,
        years_per_step=1.0 / (365 * 24 * 180),  # twenty seconds: three steps a minute
    ),
}


@st.composite
def setups(draw_from, frame: Frame) -> tuple[oracle.Setup, list]:
    """A small market and a path; the second part is what the impact law was built from."""
    pick = draw_from
    # the choices are Hypothesis's, the numbers come from a seed that it draws: left to itself it prefers ends and repeats them
    random = np.random.default_rng(pick(st.integers(0, 2**63)))
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
        for _ in range(pick(st.integers(1, ACCOUNTS)))
    ]
    rows += [(0, 0, 1, 0.0, 0.0, 0.0)] * (ACCOUNTS - len(rows))  # a dollar without leverage
    accounts = []
    for venue, asset, side, size, entry, leverage in rows:
        entry_price, notional = price[asset] * math.exp(entry), 10.0**size
        accounts.append(oracle.Account(venue, asset, side, notional / entry_price, entry_price, notional * math.exp(-leverage)))
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
            form = pick(st.sampled_from(([0.0, 0.2, 0.5, 1.0], [0.1, 0.2, 0.5, 1.0], [-1.0, -0.1, 0.3, 1.0])))
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
                engine_time=pick(st.sampled_from((0.0, 0.3, 2.0))) * years,
                fee=between(0.0, 0.02),
                closes_opposite=pick(st.sampled_from((0.0, 0.5, 1.0))),
                arbitrage_rate=between(0.0, 1.0) / years,
                local_impact=[between(0.0, 0.5) / total for _ in range(frame.assets)],
                index_weight=pick(st.sampled_from((0.0, 0.3, 1.0))),
                tranches=frame.tranches[v],
                inverse=frame.inverse[v],
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
        feedback=pick(st.sampled_from((1.0, 0.5))),
        depth=depth_rule,
        depth_channel=pick(st.sampled_from((1.0, 0.5))),
        reach=REACH,
    )
    return setup, numbers


def scenario_of(frame: Frame, setup: oracle.Setup, numbers: list, grid: Grid) -> Scenario:
    """The same market for the package."""
    column = lambda i: np.array([row[i] for row in numbers])
    law = {
        "linear": lambda: LinearImpact(column(0)),
        "power": lambda: PowerImpact(column(0), column(1), column(2), column(3)),
        "table": lambda: TableImpact(column(0), column(1)),
    }[frame.law]()
    levels = max(len(table) for table in frame.tiers)
    padded = np.array([[table + [table[-1]] * (levels - len(table))] * frame.assets for table in frame.tiers])
    of_venue = lambda name: np.array([getattr(v, name) for v in setup.venues])
    of_account = lambda name: np.array([getattr(a, name) for a in setup.accounts])
    rule = setup.depth
    return Scenario(
        market=Replay(setup.fundamental),
        impact=Impact(law, setup.relaxation_rate, setup.permanent_share, setup.cross),
        venues=Venues(
            engine_time=of_venue("engine_time"),
            liquidation_fee=of_venue("fee"),
            closes_opposite=of_venue("closes_opposite"),
            arbitrage_rate=of_venue("arbitrage_rate"),
            local_impact=of_venue("local_impact"),
            index_weight=of_venue("index_weight"),
            tiers=Tiers(*np.moveaxis(padded, -1, 0)),
            tranches=frame.tranches,
            inverse=frame.inverse,
        ),
        populations={
            "accounts": Accounts(
                **{name: of_account(name) for name in ("quantity", "entry_price", "collateral", "venue", "asset", "side")},
                account_class=np.zeros(len(setup.accounts), int),
            )
        },
        price=setup.price,
        settings=Settings(horizon=STEPS * frame.years_per_step, steps=STEPS, rounds=frame.rounds),
        depth=None
        if rule is None
        else Depth(rule.exponent, rule.reference_volatility, rule.measurement_rate, rule.recovery_rate, rule.floor),
        channels=Channels(setup.feedback, setup.depth_channel),
        names=Names(tuple("VW"[: frame.venues]), tuple("ABC"[: frame.assets]), ("all",)),
        grid=grid,
    )


@eqx.filter_jit
def walk(prepared):
    """One path with every state kept, stacked by step, and its losses; the first entry of `held` is the start."""
    dtype = prepared.decay.dtype
    state = start(prepared, jnp.zeros((), dtype))

    def body(state, index):
        state = step(prepared, state, draw(prepared, seed_key(0), jnp.uint32(0), index), index)
        return state, (state, prepared.book.open_interest(state.book))

    last, (states, held) = jax.lax.scan(body, state, jnp.arange(prepared.scenario.settings.steps, dtype=jnp.int32))
    first = prepared.book.open_interest(state.book)
    return states, jnp.concatenate([first[None], held]), outcome(prepared, last)


def engine(frame, setup, numbers, dtype, grid):
    with jax.enable_x64(dtype == jnp.float64):
        prepared = prepare(scenario_of(frame, setup, numbers, grid), dtype)
        return prepared, jax.tree.map(np.asarray, walk(prepared))


def nearest_call(setup: oracle.Setup, record: oracle.Record, grid: Grid) -> float:
    """Smallest distance of an account's trigger from a visited extreme, in cells there."""
    nearest = math.inf
    for account, thresholds in zip(setup.accounts, record.thresholds, strict=True):
        visited = np.array(record.extremes[account.venue][account.asset])
        for threshold in thresholds:
            width = math.sqrt(grid._a**2 + 4.0 * grid._b * abs(threshold))
            nearest = min(nearest, np.abs(visited - threshold).min() / width)
    return nearest


def side_index(account: oracle.Account) -> int:
    return 0 if account.side > 0 else 1


def close(ours, theirs, scale=1.0):
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.mark.parametrize("name", FRAMES)
def test_ladder_agrees_with_the_accounts_walked_one_at_a_time(name):
    """Who is liquidated, at which step, for how much, and what becomes of price and open interest."""
    frame, tally = FRAMES[name], {"agreed": 0, "liquidated": 0, "set off": 0, "partly": 0, "both sides": 0}

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = oracle.run(setup)
        assume(max(np.abs(record.extremes[v][a]).max() for v in range(frame.venues) for a in range(frame.assets)) < REACH)
        assume(nearest_call(setup, record, FINE) > 3.0)
        prepared, (states, held, losses) = engine(frame, setup, numbers, jnp.float64, FINE)
        total = record.initial_open_interest.sum()

        close(held[0][..., 0], record.initial_open_interest, total)
        left_out = np.zeros_like(held[0])
        for number in record.dropped:
            account = setup.accounts[number]
            left_out[account.venue, account.asset, side_index(account)] += worth(setup, account)
        close(prepared.book.dropped, left_out, total)
        close(states.price, record.price)
        close(states.mark, record.mark)
        close(held[1:], record.open_interest, total)
        close(states.book.backlog, record.backlog, total)
        close(states.seen.notional, np.cumsum(record.notional, axis=0), total)
        # accounts are of all different sizes, so a sum of sizes says which they are
        taken = np.zeros_like(held)
        for when, number, tranche, _ in record.triggers:
            account = setup.accounts[number]
            size = worth(setup, account) * frame.tranches[account.venue][tranche]
            taken[when + 1 :, account.venue, account.asset, side_index(account)] += size
        close(states.book.reached, taken[1:], total)
        for observable, theirs in record.losses.items():
            unit = total if "usd" in observable or "notional" in observable or observable == "peak_minute_liquidation" else 1.0
            unit = total if observable == "open_interest_loss" else unit
            close(losses[observable], theirs, unit)

        tally["agreed"] += 1
        tally["liquidated"] += bool(record.triggers)
        worst = np.minimum.accumulate(setup.fundamental, axis=0), np.maximum.accumulate(setup.fundamental, axis=0)
        for when, number, tranche, _ in record.triggers:
            account = setup.accounts[number]
            run = worst[side_index(account)][when + 1, account.asset]
            tally["set off"] += abs(record.thresholds[number][tranche]) > abs(run)
            tally["partly"] += tranche > 0
        tally["both sides"] += len({setup.accounts[n].side for _, n, _, _ in record.triggers}) == 2

    agree()
    # the draws are always the same: they have to contain what they are meant to test
    assert tally["agreed"] >= 15, tally
    assert tally["liquidated"] >= 10, tally
    assert tally["set off"] >= 5, tally
    assert tally["both sides"] >= 3, tally
    if any(len(t) > 1 for t in frame.tranches):
        assert tally["partly"] >= 5, tally


PRECISIONS = {"float64": (jnp.float64, 1e-10), "float32": (jnp.float32, 1e-5)}


def worth(setup, account):
    return oracle.worth_at_start(account, setup.venues[account.venue], setup.price[account.asset])


def triggered_within(setup, record, distance):
    """What the accounts themselves say is under margin at these distances, USD; `distance(width)` by venue, asset and side."""
    total = np.zeros((len(setup.venues), len(setup.price), 2))
    grid = Grid()
    for account, thresholds in zip(setup.accounts, record.thresholds, strict=True):
        where = account.venue, account.asset, side_index(account)
        size = worth(setup, account)
        for threshold, tranche in zip(thresholds, setup.venues[account.venue].tranches, strict=False):
            # a trigger is spread over no more than two cells to either side
            width = math.sqrt(grid._a**2 + 4.0 * grid._b * abs(threshold))
            if abs(threshold) <= distance(width)[where]:
                total[where] += size * tranche
    return total


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["tranches", "two_venues", "everything"])
def test_invariants_on_every_path_and_step(name, precision):
    """On the ordinary grid: longs equal shorts, open interest never negative nor rising, nobody liquidated above the margin."""
    frame, (dtype, tolerance) = FRAMES[name], PRECISIONS[precision]
    liquidated = []

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def hold(drawn):
        setup, numbers = drawn
        setup.reach = Grid().reach
        _, (states, held, _) = engine(frame, setup, numbers, dtype, Grid())
        assert held.dtype == dtype
        # thresholds only: the oracle's walk is not needed here
        record = oracle.Record(*([None] * 6), [], [], thresholds_of(setup), None, [], {})
        total = held[0].sum() / 2
        slack = tolerance * total
        assert np.abs(held[..., 0] - held[..., 1]).max() <= slack
        assert held.min() >= -slack
        assert np.diff(held, axis=0).max() <= slack
        for part in (states.book.backlog, states.book.unlevered, 1.0 - states.book.scale, states.book.scale):
            assert part.min() >= -max(slack, tolerance)
        for when in range(STEPS):
            run = np.stack([-states.low[when], states.high[when]], axis=-1)
            most = triggered_within(setup, record, lambda width: run + 2.02 * width + 1e-5)
            assert (states.book.reached[when] <= most + slack).all(), when
            # and nobody is spared who was below it at the end of the step before
            earlier = np.stack([-states.low[when - 1], states.high[when - 1]], axis=-1) if when else 0.0 * run
            least = triggered_within(setup, record, lambda width: earlier - 2.02 * width - 1e-5)
            assert (states.book.reached[when] >= least - slack).all(), when
        liquidated.append(states.book.reached[-1].sum() > 0.0)

    hold()
    assert sum(liquidated) >= 10


def thresholds_of(setup):
    return [oracle.trigger_log_prices(a, setup.venues[a.venue], setup.price[a.asset], setup.reach) for a in setup.accounts]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_quantity_that_leaves_one_hand_arrives_in_another(precision):
    """The book alone, driven by marks that know nothing of it: triggering and executing conserve quantity on both sides."""
    dtype, tolerance = PRECISIONS[precision]
    random = np.random.default_rng(5)
    with jax.enable_x64(dtype == jnp.float64):
        quantity = np.cumsum(random.exponential(size=(2, 3, 2, 65)) * (random.random((2, 3, 2, 65)) < 0.3), axis=-1)
        quantity -= quantity[..., :1]
        larger = quantity[..., -1].max(axis=-1, keepdims=True)
        array = lambda x: jnp.asarray(x, dtype)
        book = LadderBook(
            quantity=array(quantity),
            class_notional=array(quantity[..., None, :]),
            unlevered=array(larger - quantity[..., -1]),
            dropped=array(np.zeros((2, 3, 2))),
            balancing=array(np.zeros((2, 3, 2))),
            grid=Grid(cells=64, first_step=0.01, reach=2.0),
        )
        share, closes = array([1.0, 0.4]), array([0.7, 1.0])
        state, low, high = book.init(), np.zeros((2, 3)), np.zeros((2, 3))
        volume = 0.0
        same = lambda a, b: np.testing.assert_array_less(np.abs(np.asarray(a) - np.asarray(b)) / larger, tolerance)
        for _ in range(60):
            mark = np.cumsum(random.normal(scale=0.2, size=(2, 3)))[-1] + random.normal(scale=0.4, size=(2, 3))
            low, high = np.minimum(low, mark), np.maximum(high, mark)
            held, reached = book.open_interest(state), state.reached
            scale = state.scale
            state = book.trigger(state, array(low), array(high))
            same(book.open_interest(state), held)  # triggering changes hands only
            backlog, before = state.backlog, state
            state, executed, closed = book.execute(state, share, closes)
            same(executed, share[:, None, None] * backlog)
            same(backlog - executed, state.backlog)
            fall = held - book.open_interest(state)
            same(fall, np.broadcast_to(closed.sum(axis=-1, keepdims=True), fall.shape))
            # who takes the other end: closing holders as far as there are any, else new ones
            free = np.asarray(book.open_interest(before) - backlog)
            expected = np.minimum(closes[:, None, None] * executed[..., ::-1], free)
            same(closed, expected)
            assert (np.asarray(reached) <= np.asarray(state.reached)).all()
            assert (np.asarray(state.scale) <= np.asarray(scale)).all()
            volume += float(executed.sum())
        assert volume > 0.3 * quantity[..., -1].sum()

"""Tiers whose rate holds for the whole position: where it first falls short, against a search of the price axis in float64."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import isolated
from oracles.draws import JUMPS
from oracles.market import Call, Tier, Venue

from jaxrisk.positions import (
    Accounts,
    Calls,
    Contracts,
    Grid,
    Histogram,
    Limits,
    LiquidationMap,
    Policy,
    Tiers,
    apply_limits,
    build_ladder,
)
from jaxrisk.positions.account_rows import margins_of
from jaxrisk.positions.rungs import _to_margin, margin_calls, rungs, standing

pytestmark = pytest.mark.hurried

FLOORS, RATES = (0.0, 5e4, 6e5, 3e6), (0.004, 0.01, 0.025, 0.1)
LEVERAGE = (125.0, 60.0, 20.0, 5.0)
AMOUNTS = (0.0, 300.0, 9300.0, 234_300.0)
PRICE = np.array([100.0])


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def tiers(rule="whole", floors=FLOORS, rates=RATES, leverage=LEVERAGE, amounts=None):
    amounts = AMOUNTS if amounts is None and rule == "marginal" else amounts or (0.0,) * len(floors)
    return Tiers(*(np.array(row, float).reshape(1, 1, -1) for row in (floors, leverage, rates, amounts)), (rule,))


def prices(table, side, notional, margin, inverse=False, start=1.0, **more):
    """Liquidation prices over the entry."""
    side, notional, margin, start = np.broadcast_arrays(np.asarray(side, float), notional, margin, np.asarray(start, float))
    where = jnp.zeros(side.shape, jnp.int32)
    inverse = jnp.broadcast_to(jnp.asarray(inverse), side.shape)
    return np.exp(table.rows(where, where).log_liquidation_price(side, notional, margin, inverse, 0.0, jnp.log(start), **more))


def requirement(rule, notional):
    row = max(i for i, floor in enumerate(FLOORS) if notional >= floor)
    return RATES[row] * notional - (AMOUNTS[row] if rule == "marginal" else 0.0)


def searched(rule, side, notional, margin, inverse, start):
    """The first price over the entry at which equity is under the requirement, by bisection between edges; None if nowhere."""

    def short(price):
        equity = notional * (margin * price if inverse else margin) + side * notional * (price - 1.0)
        return equity < requirement(rule, notional if inverse else notional * price)

    far = 1e-6 if side > 0 else 1e6
    edges = [floor / notional for floor in FLOORS[1:]]
    ends = [edge * there for edge in edges for there in (1.0 - 1e-13, 1.0, 1.0 + 1e-13)]
    ends = sorted((x for x in ends if min(start, far) < x < max(start, far)), reverse=bool(far < start))
    for near, beyond in pairwise([start, *ends, far]):
        if short(near):
            return near
        if short(beyond):
            healthy, under = near, beyond
            for _ in range(100):
                middle = 0.5 * (healthy + under)
                healthy, under = (healthy, middle) if short(middle) else (middle, under)
            return under
    return None


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["whole", "marginal"])
@pytest.mark.parametrize("inverse", [False, True], ids=["linear", "inverse"])
def test_liquidation_prices_are_those_of_a_search(rule, inverse):
    """3,000 positions: of sizes at the edges and between, some entered elsewhere than where the price is."""
    random, count = np.random.default_rng(1), 3_000
    side = random.choice([1.0, -1.0], count)
    notional = 10.0 ** random.uniform(4.0, 7.0, count)
    notional[:600] = random.choice(FLOORS[1:], 600)
    margin = np.exp(-random.uniform(0.2, 4.8, count))
    start = np.exp(0.03 * random.normal(size=count) * (random.random(count) < 0.7))
    found = prices(tiers(rule), side, notional, margin, inverse, start)
    seen = dict.fromkeys(("at an edge", "lower tier", "never"), 0)
    for i in range(count):
        expected = searched(rule, side[i], notional[i], margin[i], inverse, start[i])
        if expected is None:
            assert not 1e-6 <= found[i] <= 1e6
            seen["never"] += 1
        elif expected == start[i]:
            assert (found[i] - start[i]) * side[i] >= -1e-12
        else:
            assert found[i] == pytest.approx(expected, rel=1e-9)
            row = lambda n: max(k for k, floor in enumerate(FLOORS) if n >= floor)
            seen["at an edge"] += min(abs(expected * notional[i] / floor - 1.0) for floor in FLOORS[1:]) < 1e-9
            seen["lower tier"] += side[i] > 0 and row(expected * notional[i]) < row(start[i] * notional[i])
    if rule == "whole" and not inverse:
        assert seen["at an edge"] > 30, seen
        assert seen["lower tier"] > 100, seen


@pytest.mark.slow
def test_a_long_of_ten_times_its_margin():
    """100,000 USD at 100, leverage 10, rates of 1% up to 50,000 USD and 4% from there: 90/0.96 = 93.75 where the rate holds for
    all of it, (90 - 1.5)/0.96 = 92.1875 where it holds for what is above."""
    floors, rates = (0.0, 5e4), (0.01, 0.04)
    small = {"floors": floors, "rates": rates, "leverage": (20.0, 20.0)}
    assert 100.0 * prices(tiers(**small), [1], [1e5], [0.1])[0] == pytest.approx(93.75, rel=1e-12)
    marginal = tiers("marginal", amounts=(0.0, 1500.0), **small)
    assert 100.0 * prices(marginal, [1], [1e5], [0.1])[0] == pytest.approx(92.1875, rel=1e-12)


@pytest.mark.slow
def test_a_floor_belongs_to_the_tier_above_and_just_enough_is_enough():
    """At the floor the higher rate holds; with equity of exactly the margin at an edge a long falls on, into the tier below."""
    two = {"floors": (0.0, 1024.0), "rates": (0.125, 0.25), "leverage": (4.0, 3.0)}
    rows = tiers(**two).rows(jnp.zeros(3, jnp.int32), jnp.zeros(3, jnp.int32))
    np.testing.assert_allclose(rows.margin(jnp.array([1023.0, 1024.0, 1025.0])), [1023 / 8, 256.0, 1025 / 4])
    # 2,048 USD at entry: at half the price it is at the floor; 1,280 of collateral leave 256, a quarter of 1,024
    short_of, enough = prices(tiers(**two), [1, 1], [2048.0, 2048.0], [0.6249, 0.625])
    assert short_of == pytest.approx((1.0 - 0.6249) / 0.75, rel=1e-12)
    assert enough == pytest.approx((1.0 - 0.625) / 0.875, rel=1e-12)
    # a short of 512 at entry that has less than the margin at twice the price is taken by the jump, at the floor
    assert prices(tiers(**two), [-1], [512.0], [1.3])[0] == pytest.approx(2.0, rel=1e-12)
    assert prices(tiers(**two), [-1], [512.0], [1.6])[0] == pytest.approx(2.6 / 1.25, rel=1e-12)


@pytest.mark.slow
def test_liquidation_prices_are_differentiable_in_rate_and_margin():
    """Of a long, of a short between edges, of one at an edge (which the rate does not move), of an inverse contract."""
    side, notional, margin = (
        jnp.array([1.0, -1.0, -1.0, 1.0]),
        jnp.array([2e5, 2e5, 4e4, 2e5]),
        jnp.array([0.1, 0.1, 0.2589, 0.1]),
    )
    inverse, where = jnp.array([False, False, False, True]), jnp.zeros(4, jnp.int32)

    def found(rate, margin):
        table = Tiers(*(jnp.asarray(x) for x in jax.tree.leaves(tiers())), ("whole",))
        table = Tiers(table.floor, table.max_leverage, rate, table.amount, ("whole",))
        return table.rows(where, where).log_liquidation_price(side, notional, margin, inverse)

    rate = jnp.asarray(tiers().rate)
    by_rate, by_margin = jax.jacrev(found, argnums=(0, 1))(rate, margin)
    assert np.exp(found(rate, margin))[2] == pytest.approx(5e4 / 4e4)
    assert np.all(np.isfinite(by_rate))
    assert np.all(np.isfinite(by_margin))
    step = 1e-6
    up = jnp.zeros_like(rate).at[0, 0, 1].set(step)
    slope = (found(rate + up, margin) - found(rate - up, margin)) / (2 * step)
    np.testing.assert_allclose(by_rate[:, 0, 0, 1], slope, atol=1e-7)
    assert by_rate[2, 0, 0, 1] == 0.0
    slope = (found(rate, margin + step) - found(rate, margin - step)) / (2 * step)
    np.testing.assert_allclose(jnp.diagonal(by_margin), slope, atol=1e-7)


def contracts(table, policy=None):
    return Contracts(table, (False,), ((1.0,),), jnp.zeros(1), policy)


@pytest.mark.slow
def test_what_is_left_goes_to_the_tier_below():
    """Under `lower_tier` a long of 200,000 USD that falls short goes to just under 50,000 USD, where the lower rate holds."""
    crowd = Histogram(1.0, [10.0], [1.0], size_median=2e5).positions(tiers(), (False,), PRICE)
    placed = apply_limits(crowd, contracts(tiers()), Limits.none())
    first, second = rungs(placed, standing(placed), contracts(tiers(), Policy.same("lower_tier")))
    at = 0.9 / 0.99
    assert np.exp(-first.distance[0]) == pytest.approx(at, rel=1e-12)
    left = 5e4 * (1.0 - 1e-5)
    share = second.quantity[0] / (first.quantity[0] + second.quantity[0])
    assert share == pytest.approx(left / (2e5 * at), rel=1e-12)
    equity = 0.01 * 2e5 * at
    assert np.exp(-second.distance[0]) == pytest.approx(at * (1.0 - equity / left) / 0.996, rel=1e-12)


WALKED = [("lower_tier", False), ("partial", False), ("lower_tier", True), ("to_margin", False), ("to_margin", True)]


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "inverse"), WALKED)
def test_calls_and_closes_are_those_of_accounts_walked_one_at_a_time(policy, inverse):
    """600 accounts: where each is called, for how much, and every close of those who post, reduce and wait."""
    random, count = np.random.default_rng(3), 600
    fee = 0.002 if policy == "to_margin" else 0.004
    side, entry = random.choice([1, -1], count), 100.0 * np.exp(random.uniform(-0.04, 0.04, count))
    notional, leverage = 10.0 ** random.uniform(3.0, 7.0, count), np.exp(random.uniform(0.7, 4.5, count))
    table = Tiers(*(np.array([row[i] for row in JUMPS]).reshape(1, 1, -1) for i in range(4)), ("whole",))
    two = Contracts(table, (inverse,), ((1.0,),), jnp.full(1, fee), Policy.same(policy, 1, 0.3, 1e5, margin_target=1.2))
    none = np.zeros(count, int)
    accounts = Accounts(notional / entry, entry, notional / leverage, none, none, side, none)
    placed = apply_limits(accounts.positions(table, (inverse,), PRICE), two, Limits.none())
    called, stands = margin_calls(placed, Calls(*(np.array([x]) for x in (1.6, 0.3, 0.25))), two)
    several = lambda stand: [_to_margin(placed, stand, two, two.policy)] if policy == "to_margin" else rungs(placed, stand, two)
    parts = lambda stand: [np.asarray(x).reshape(-1, count) for r in several(stand) for x in (r.distance, r.quantity)]
    found = [[*zip(np.concatenate(p[::2]), np.concatenate(p[1::2]), strict=True)] for p in map(parts, stands)]
    venue = Venue([[Tier(*row) for row in JUMPS]], fee=fee, inverse=inverse, whole=True, policy=policy, first_share=0.3)
    venue.margin_target = 1.2
    at, heard, closed = np.asarray(called.distance), 0, 0
    for i in np.flatnonzero(placed.alive):
        account = isolated.Account(0, 0, int(side[i]), notional[i] / entry[i], entry[i], notional[i] / leverage[i])
        groups = (("wait", 0.45), ("top_up", 0.3), ("reduce", 0.25)) if at[i] < 2.0 else (("wait", 1.0),)
        amount = 0.0
        for mine, (group, share) in zip(found, groups, strict=False):
            theirs, asked = isolated.walk(account, venue, 100.0, 2.0, Call(1.6, 0.3, 0.25), group, share)
            assert [abs(one.price) for one in asked] == pytest.approx([at[i]] if at[i] < 2.0 else [], rel=1e-9)
            amount += sum(one.amount for one in asked)
            theirs = [(abs(r.price), r.quantity) for r in theirs if r.kind == "liquidation"]
            mine = [(d[i], q[i]) for d, q in mine if q[i] > 1e-9 * notional[i] and d[i] < 2.0]
            np.testing.assert_allclose(np.array(mine).ravel(), np.array(theirs).ravel(), rtol=1e-7)
            closed += len(theirs)
        assert float(called.amount[i]) == pytest.approx(amount, rel=1e-7, abs=1e-9 * notional[i])
        heard += at[i] < 2.0
    assert heard > 100
    assert closed > 800


def test_the_account_book_looks_up_the_same_tier():
    """Margins of accounts by market, one of each rule, against the table, at the edges too."""
    both = [np.concatenate([x, y]) for x, y in zip(jax.tree.leaves(tiers()), jax.tree.leaves(tiers("marginal")), strict=True)]
    table = Tiers(*both, ("whole", "marginal"))
    two = Contracts(table, (False, False), ((1.0,),) * 2, jnp.zeros(2))
    margins = margins_of(two, None)
    for notional in (4.9e4, 5e4, 5.1e4, 6e5, 2.9e6, 3e6, 1e7):
        quantity = jnp.array([[notional, 0.0], [0.0, notional]])
        found = margins.required(quantity, jnp.ones(2))
        assert found.tolist() == pytest.approx([requirement("whole", notional), requirement("marginal", notional)], rel=1e-12)
    share = margins.above_floor(jnp.array([[1e5, 0.0], [0.0, 1e5]]))
    np.testing.assert_allclose(share, [1.0 - 0.5 * (1.0 - 1e-5), 0.5], rtol=1e-12)


@pytest.mark.slow
def test_a_map_ends_up_where_it_is():
    """Through the leverage that the tiers imply, in either tier: shorts up to the edge itself."""
    fine = Grid(100_000, 5e-6)
    for side, at, notional in ((1, 95.0, 2e5), (1, 80.0, 6e4), (-1, 104.0, 2e5), (-1, 120.0, 4.5e4), (-1, 105.0, 4.5e4)):
        book = build_ladder([LiquidationMap([at], [1.0], notional, side=side)], contracts(tiers()), Limits.none(), PRICE, 1, fine)
        distance, index = abs(np.log(at / 100.0)), 0 if side > 0 else 1
        reached = book.triggered(jnp.array([distance - 1e-4, distance + 1e-4]))[0, 0, index]
        np.testing.assert_allclose(reached, [0.0, 1.0], atol=1e-12)

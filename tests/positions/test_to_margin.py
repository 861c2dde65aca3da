"""Closing just enough: how much an account keeps, and how a position shrinks on its way down."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.market import Tier, largest_kept, tier_of

from jaxrisk import load
from jaxrisk.positions import Accounts, Contracts, Grid, Histogram, Limits, Policy, Tiers, View, build_ladder
from jaxrisk.positions.account_build import build_accounts
from jaxrisk.positions.account_ledger import Margins
from jaxrisk.positions.cross import CrossAccounts
from jaxrisk.positions.tiers import Rows
from jaxrisk.positions.to_margin import CLOSES, SMALLEST, closes_to_margin

pytestmark = pytest.mark.hurried

ONE = np.ones(1)
TABLE = [(0.0, 0.004, 0.0), (5e4, 0.005, 50.0), (6e5, 0.025, 12_050.0), (3e6, 0.1, 237_050.0)]
TIERS = [Tier(floor, 1e6, rate, amount) for floor, rate, amount in TABLE]


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def tiers_of(table, assets=1):
    columns = np.array([[floor, 1e6, rate, amount] for floor, rate, amount in table]).T
    return Tiers(*(np.tile(column, (1, assets, 1)) for column in columns))


def contracts(table, fee=0.0, target=1.0, inverse=False, kind="to_margin", assets=1):
    policy = Policy.same(kind, margin_target=target)
    return Contracts(tiers_of(table, assets), (inverse,), ((1.0,),), jnp.array([fee]), policy, ("pro_rata",))


def account(quantity, entry, cash, **rules):
    """A long under cross margin at an initial price of 1, beside a short that is never touched."""
    both = CrossAccounts(
        np.array([quantity, quantity]), np.array([entry, entry]), np.arange(2), np.zeros(2, int), np.zeros(2, int),
        np.array([1, -1]), np.array([cash, 1e9]), np.zeros((2, 1)), np.zeros(2, int), np.zeros(2, int), np.ones(2),
    )  # fmt: skip
    return eqx.filter_jit(build_accounts)([both], None, contracts(**rules), Limits.none(), None, None, ONE, 1)


@eqx.filter_jit
def check(b, state, ratio, share=1.0):
    """One check and one round at a price: state, what was sent of longs, claims."""
    mark = jnp.log(jnp.full((1, 1), ratio))
    seen = View(mark, mark, mark, mark, mark, jnp.zeros(1), jnp.zeros(1), jnp.asarray(0))
    state = b.trigger(b.advance(state, seen, jnp.asarray(1e-6)), seen)
    pending = state.pending[0]
    state, orders = b.release(state, share * ONE)
    claims = b.claims(state, orders, jnp.exp(mark), b.fee)
    state, _ = b.settle(state, orders, jnp.exp(mark), b.fee, 0.0 * ONE)
    return state, orders.liquidated[0, 0, 0], claims, pending


def kept_by_edges(worth, equity, fee, target, whole=(False, False)):
    def margin(worth, whole):
        tier = tier_of(TIERS, worth)
        return tier.rate * worth - (0.0 if whole else tier.amount)

    spare = lambda y: (
        equity - fee * (1.0 - y) * sum(worth) - target * sum(margin(w * y, how) for w, how in zip(worth, whole, strict=True))
    )
    return largest_kept(spare, [(t.floor / w, how) for w, how in zip(worth, whole, strict=True) if w > 0.0 for t in TIERS])


def test_equity_of_1000_at_a_margin_of_half_carries_2000():
    """Of a position of 3,000, 1,000 are closed; then equity is the margin of 1,000, which is enough: nothing more is."""
    b = account(3000.0, 1.0, 1500.0, table=[(0.0, 0.5, 0.0)])
    start = b.init()
    b0 = start._replace(base=start.base - jnp.array([500.0, 0.0]))
    state, sent, claims, _ = check(b, b0, 1.0)
    assert float(sent) == pytest.approx(1000.0, rel=1e-15)
    assert float(jnp.abs(state.quantity[0, 0])) == 2000.0
    assert float(state.equity(ONE)[0]) == 1000.0
    assert [float(jnp.sum(x)) for x in (claims.surplus, claims.shortfall, claims.fee)] == [0.0, 0.0, 0.0]
    assert float(check(b, state, 1.0)[3]) == 0.0


@pytest.mark.parametrize("kind", ["full", "partial", "lower_tier", "to_margin"])
def test_who_has_just_the_margin_stays(kind):
    """At the start and on the way, in both books: equity 500, margin 500; a cent less is too little."""
    b = account(1000.0, 1.0, 500.0, table=[(0.0, 0.5, 0.0)], kind=kind)
    assert float(jnp.sum(b.dropped)) == 0.0
    _, sent, _, _ = check(b, b.init(), 1.0)
    assert float(sent) == 0.0
    poorer = b.init()._replace(base=b.init().base - 0.01)
    assert float(check(b, poorer, 1.0)[1]) > 0.0
    crowd = Accounts(ONE * 1000.0, ONE, ONE * 500.0, *np.zeros((2, 1), int), np.ones(1, int), np.zeros(1, int))
    ladder = build_ladder([crowd], contracts([(0.0, 0.5, 0.0)], kind=kind), Limits.none(), ONE, 1, Grid())
    assert float(jnp.sum(ladder.dropped)) == 0.0
    held = View(*jnp.zeros((5, 1, 1)), jnp.zeros(1), jnp.zeros(1), jnp.asarray(0))
    assert float(jnp.sum(ladder.trigger(ladder.init(), held).backlog)) == 0.0


@pytest.mark.parametrize("whole", [(False, False), (True, True), (True, False)])
def test_what_is_kept_is_the_largest_that_has_its_margin(whole):
    """Of two positions of one equity, by either rule of tiers, fee and target, at the edges too: as found from edge to edge."""
    random = np.random.default_rng(0)
    worth = 10.0 ** random.uniform(3.0, 7.5, (2, 200))
    worth[1, random.random(200) < 0.3] = 0.0
    worth[:, :3] = np.array([[5e4, 6e5, 3e6], [0.0, 5e4, 6e5]])
    fee, target = random.choice([0.0, 0.002, 0.0045, 0.02], 200), random.choice([1.0, 1.05, 1.5], 200)
    column = lambda i: jnp.asarray([[row[i] for row in TABLE]] * 2)
    amount = column(2) * (1.0 - jnp.asarray(whole)[:, None])
    margins = Margins(column(0), column(1), amount, None, (False, False), whole)
    equity = np.asarray(margins.required(jnp.asarray(worth), jnp.ones(2))) * random.uniform(-0.2, 1.0, 200)
    kept = margins.kept(jnp.asarray(equity), jnp.asarray(worth), jnp.ones(2), jnp.asarray(fee), jnp.asarray(target))
    expected = [kept_by_edges(*given, whole) for given in zip(worth.T, equity, fee, target, strict=True)]
    np.testing.assert_allclose(kept, expected, atol=1e-9)
    assert 20 < np.sum(np.array(expected) == 0.0) < 150


def test_a_fixed_requirement_shrinks_with_the_position():
    """Half a dollar a coin against 0.4% of tiers: 100 dollars carry 200 coins of 1,000."""
    margins = Margins(jnp.zeros((1, 1)), jnp.full((1, 1), 0.004), jnp.zeros((1, 1)), jnp.array([0.5]), (False,), (False,))
    assert float(margins.kept(jnp.array([100.0]), jnp.full((1, 1), 1e3), ONE, 0.0, 1.0)[0]) == pytest.approx(0.2)


def test_an_order_ends_once_the_account_has_its_target():
    """Worked off at half a round, the order is sized anew at each check; after a recovery there is none. Target 1.25, fee 1%.

    At 0.96 equity is 460 of 960 and the margin 480: (460 - 9.6 (1 - y)) = 1.25 * 480 y, so y = 450.4 / 590.4.
    """
    rules = {"table": [(0.0, 0.5, 0.0)], "target": 1.25, "fee": 0.01}
    b = account(1000.0, 1.0, 500.0, **rules)
    whole, sent, claims, pending = check(b, b.init(), 0.96)
    share = 1.0 - 450.4 / 590.4
    assert float(pending) == pytest.approx(share)
    assert float(sent) == pytest.approx(1000.0 * share)
    assert float(jnp.sum(claims.fee)) == pytest.approx(9.6 * share)
    assert float(whole.equity(0.96 * ONE)[0]) == pytest.approx(1.25 * 480.0 * (1.0 - share))
    assert float(check(b, whole, 0.96)[3]) == 0.0
    half, *_ = check(b, b.init(), 0.96, 0.5)
    assert float(half.pending[0]) > 0.0
    # with 920 coins left and 0.45 of them, at 1.2: equity is far beyond its target
    assert float(check(b, half, 1.2)[3]) == 0.0
    below_target = check(b, half, 0.97)[3]  # above the margin, not yet at the target
    assert float(below_target) > 0.0


def crowd_schedule(
    rate=0.005, fee=0.0, target=1.0, sign=1.0, inverse=False, amount=None, notional=1e6, close_out=0.0, margin=0.1
):
    rate = jnp.atleast_2d(jnp.asarray(rate, float))
    amount = jnp.zeros_like(rate) if amount is None else jnp.atleast_2d(jnp.asarray(amount, float))
    each = (notional * ONE, margin * ONE, close_out * ONE, 0.0 * ONE)
    rows = Rows(jnp.zeros_like(rate), rate, amount)
    return closes_to_margin(sign * ONE, 0.0 * ONE, *each, rows, jnp.array([inverse]), fee * ONE, target * ONE)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("fee", [0.0, 0.003])
def test_a_position_shrinks_as_a_power_of_the_price(sign, inverse, fee):
    """$q \\propto S^{(s - m)/(m - f)}$, a coin-margined one $S^{(s + m)/(m - f)}$: never off by more than half a close."""
    parts = crowd_schedule(0.005, fee, sign=sign, inverse=inverse)
    distance, gone = np.asarray(parts.distance)[:, 0], np.cumsum(np.asarray(parts.share)[:, 0])
    power = (sign + 0.005 if inverse else sign - 0.005) / (0.005 - fee)
    left = np.exp(-sign * power * (distance - distance[0]))
    before, after = 1.0 - np.concatenate([[0.0], gone[:-1]]), 1.0 - gone
    assert (before - left <= SMALLEST / 2 + 0.002)[1:-1].all()
    assert (after - left >= -SMALLEST / 2 - 0.002)[:-1].all()
    # in the middle of each close, but for the rounding of its form
    np.testing.assert_allclose((0.5 * (before + after))[1:-2] / left[1:-2], 1.0, atol=0.01)
    assert gone[-1] == pytest.approx(1.0)
    assert not np.asarray(parts.final).any()


def test_through_the_tiers_as_when_watched_without_pause():
    """Down four tiers, against closing just enough every 2e-6 of the price: off by half a close, at the end a whole, at most."""
    size, cash, fee = 5e6, 5e6 * 0.2, 0.001
    schedule = crowd_schedule([row[1] for row in TABLE], fee, amount=[row[2] for row in TABLE], notional=size, margin=0.2)
    distance, gone = np.asarray(schedule.distance)[:, 0], np.cumsum(np.asarray(schedule.share)[:, 0])
    start = np.floor(distance[0] / 2e-6) * 2e-6
    prices, held, equity, at = np.exp(-np.arange(start, start + 0.1, 2e-6)), size, cash, 1.0
    rates, amounts = np.array([row[1] for row in TABLE]), np.array([row[2] for row in TABLE])
    left = np.empty_like(prices)
    for i, price in enumerate(prices):
        equity, at = equity + held * (price - at), price
        worth = held * price
        if equity < np.max(rates * worth - amounts):
            kept = np.min((equity - fee * worth + amounts) / (rates - fee)) / worth
            equity, held = equity - fee * worth * (1.0 - kept), held * kept
        left[i] = held / size
    inside = distance < distance[0] + 0.09
    watched = np.interp(distance[inside], start + 2e-6 * np.arange(len(prices)), left)
    off = 1.0 - gone[inside] - watched
    assert np.abs(off[:-1]).max() <= SMALLEST / 2 + 2e-3
    assert len(off) == CLOSES
    assert abs(off[-1]) <= SMALLEST


def test_with_a_target_every_close_is_at_its_own_trigger():
    """Without a fee a quarter above the margin takes a fifth each time, 1 - 1/t, and the next trigger is where the margin is."""
    parts = crowd_schedule(0.005, target=1.25)
    share, distance = np.asarray(parts.share)[:, 0], np.asarray(parts.distance)[:, 0]
    exact = 6  # from then on a fifth is less than the least that goes
    np.testing.assert_allclose(share[:exact], 0.2 * 0.8 ** np.arange(exact), rtol=1e-3)
    np.testing.assert_allclose(np.diff(distance[:exact]), -np.log((1.0 - 1.25 * 0.005) / 0.995), rtol=1e-3)
    assert share[exact] > 1.05 * 0.2 * 0.8**exact


def test_where_closing_costs_more_than_it_frees_all_goes_at_once():
    parts = crowd_schedule(0.004, fee=0.0045)
    share = np.asarray(parts.share)[:, 0]
    assert share[0] == 1.0
    assert np.asarray(parts.final)[0, 0]
    assert float(parts.log_bankruptcy[0, 0]) == pytest.approx(np.log(0.9))


def test_a_fixed_requirement_is_followed():
    """A tenth of the notional at entry, above the tiers: the first trigger is at 1 + 0.1 - 0.3, and what is left shrinks by e."""
    parts = crowd_schedule(0.005, close_out=0.1, margin=0.3)
    distance, gone = np.asarray(parts.distance)[:, 0], np.cumsum(np.asarray(parts.share)[:, 0])
    assert np.exp(-distance[0]) == pytest.approx(0.8)
    # q dP = 0.1 dq
    left = np.exp((np.exp(-distance) - 0.8) / 0.1)
    before, after = 1.0 - np.concatenate([[0.0], gone[:-1]]), 1.0 - gone
    np.testing.assert_allclose((0.5 * (before + after))[1:-2] / left[1:-2], 1.0, atol=0.02)


@pytest.mark.slow
def test_the_ladder_comes_to_what_accounts_are_watched_for_at_small_steps():
    """A crowd of spread leverage falls by 12% in 6,000 steps, no fee: quantity left, in both books, to 1.5% of the crowd."""
    crowd = Histogram(1e6, [8.0, 9.0, 10.0, 12.0, 15.0], [0.2] * 5, entry_sd=0.01)
    rules = contracts([(0.0, 0.02, 0.0)])
    ladder = build_ladder([crowd], rules, Limits.none(), ONE, 1, Grid())
    b = eqx.filter_jit(build_accounts)([crowd], None, rules, Limits.none(), None, None, ONE, 1)
    marks = -0.12 * jnp.arange(1, 6001) / 6000

    @eqx.filter_jit
    def fall(b, marks):
        def one(state, mark):
            at = jnp.full((1, 1), mark)
            seen = View(at, at, jnp.zeros((1, 1)), at, at, jnp.zeros(1), jnp.zeros(1), jnp.asarray(0))
            state = b.trigger(b.advance(state, seen, jnp.asarray(1e-6)), seen)
            state, orders = b.release(state, ONE)
            state, _ = b.settle(state, orders, jnp.exp(at), b.fee, 0.0 * ONE)
            return state, orders.liquidated[0, 0, 0]

        return jnp.cumsum(jax.lax.scan(one, b.init(), marks)[1])

    watched, tabled = fall(b, marks), ladder.triggered(-marks)[0, 0, 0]
    assert float(jnp.max(jnp.abs(watched - tabled))) < 0.015 * 1e6
    assert float(watched[-1]) > 0.3e6


def test_a_target_is_at_least_the_margin_and_one_may_be_for_all():
    scenario = load("btc_24h", {"venues.binance.policy": "to_margin"})
    given = scenario.venues.policy
    for target, wrong in ((1.0, False), (np.array([1.5]), False), (np.array([0.99]), True), (np.nan, True), (np.ones(2), True)):
        policy = Policy(given.first_share, given.first_above, given.cool_down, given.kind, target)
        found = scenario.replace(venues=replace(scenario.venues, policy=policy)).problems()
        assert any("venues.policy.margin_target" in line for line in found) == wrong


def test_a_jump_takes_as_much_as_a_fall_from_the_ladder_and_more_from_an_account():
    """From its trigger down by half its margin of 2%: about 1 - 1/2 of an account is left, and exp(-1/2) of a position."""
    at, lower = 0.9 / 0.98, 0.9 / 0.98 * np.exp(-0.01)
    b = account(1000.0, 1.0, 100.0, table=[(0.0, 0.02, 0.0)])
    _, sent, _, _ = check(b, b.init(), lower)
    # equity 100 - 1,000 (1 - S), of which 2% of what is left at S is needed
    left = (100.0 - 1000.0 * (1.0 - lower)) / (0.02 * lower) / 1000.0
    assert float(sent) == pytest.approx(1000.0 * (1.0 - left))
    assert left == pytest.approx(0.5, abs=0.02)
    parts = crowd_schedule(0.02)
    gone = np.asarray(parts.share)[np.asarray(parts.distance) <= -np.log(lower)].sum()
    assert 1.0 - gone == pytest.approx((lower / at) ** (0.98 / 0.02), abs=SMALLEST / 2)


@pytest.mark.slow
@pytest.mark.parametrize("leaf", ["margin_target", "rate", "fee"])
def test_derivatives_are_those_of_small_changes(leaf):
    """Of the mean price of what a ladder closes, and of what accounts keep."""

    def closed(x):
        given = {"rate": 0.02, "fee": 0.001, "margin_target": 1.3} | {leaf: x}
        parts = crowd_schedule(given["rate"], given["fee"], given["margin_target"], notional=1e6)
        return jnp.sum(parts.distance[:12] * parts.share[:12])

    def kept(x):
        given = {"rate": 0.02, "fee": 0.001, "margin_target": 1.3} | {leaf: x}
        lines = jnp.asarray([[0.5, 1.0]]) * given["rate"]
        margins = Margins(jnp.zeros((1, 2)), lines, jnp.array([[0.0, 500.0]]), None, (False,), (False,))
        return margins.kept(jnp.array([1e4]), jnp.array([[1e6]]), ONE, given["fee"], given["margin_target"])[0]

    at, step = {"rate": 0.02, "fee": 0.001, "margin_target": 1.3}[leaf], 1e-6
    for function in (closed, kept):
        slope = (function(at + step) - function(at - step)) / (2.0 * step)
        assert abs(float(slope)) > 1e-3
        np.testing.assert_allclose(jax.grad(function)(at), slope, rtol=1e-4)


def test_all_of_a_position_goes_and_it_goes_in_order():
    parts = crowd_schedule([row[1] for row in TABLE], 0.0045, amount=[row[2] for row in TABLE], notional=2e6, sign=-1.0)
    assert parts.share.shape == (CLOSES, 1)
    assert float(jnp.sum(parts.share)) == pytest.approx(1.0)
    assert (np.diff(np.asarray(parts.distance)[:, 0]) >= 0.0).all()

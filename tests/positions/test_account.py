"""The book of accounts: cross margin, calls, policies, deleveraging and cash, against numbers worked out by hand in float64."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.positions import (
    ANY,
    RANKINGS,
    Accounts,
    Calls,
    Claims,
    Contracts,
    Funding,
    Grid,
    Histogram,
    Limits,
    Lognormal,
    Policy,
    Stops,
    Tiers,
    View,
    build_schedule,
)
from jaxrisk.positions.account_build import build_accounts
from jaxrisk.positions.account_close import free_quantity
from jaxrisk.positions.cross import CrossAccounts

pytestmark = pytest.mark.hurried

build = eqx.filter_jit(build_accounts)
ONE = jnp.ones(1)
BTC = 0


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def contracts(assets=1, inverse=(False,), policy=None, ranking=None, haircut=None, rate=0.005, tiers=None):
    venues = len(inverse)
    tiers = tiers or Tiers.flat(rate, venues=venues, assets=assets)
    ranking = (ranking,) * venues if isinstance(ranking, str) else ranking or ()
    return Contracts(tiers, inverse, ((1.0,),) * venues, jnp.zeros(venues), policy, ranking, haircut)


def cross(rows, cash, coins=None, assets=1, home=None, weight=None, account_class=None):
    """`rows`: (account, venue, asset, side, quantity in coins, entry price)."""
    accounts = len(cash)
    account, venue, asset, side, quantity, entry = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros(accounts, int)
    return CrossAccounts(
        quantity.astype(float), entry.astype(float), account, venue, asset, side, np.array(cash, float),
        np.zeros((accounts, assets)) if coins is None else np.array(coins, float),
        zero if account_class is None else np.array(account_class),
        zero if home is None else np.array(home),
        np.ones(accounts) if weight is None else np.array(weight, float),
    )  # fmt: skip


def book(population, limits=None, calls=None, funding=None, schedule=None, price=100.0, classes=1, **kwargs):
    populations = population if isinstance(population, list) else [population]
    made = contracts(**kwargs)
    price = np.broadcast_to(price, made.tiers.rate.shape[1]).astype(float)
    return build(populations, schedule, made, limits or Limits.none(), calls, funding, price, classes)


def view(ratio, index=0):
    mark = jnp.log(jnp.atleast_2d(jnp.asarray(ratio, float)))
    none = jnp.zeros(mark.shape[1])
    low, high = jnp.minimum(mark, 0.0), jnp.maximum(mark, 0.0)
    return View(mark, low, high, low, high, none, none, jnp.asarray(index))


def at(ratio):
    return jnp.atleast_2d(jnp.asarray(ratio, float))


@eqx.filter_jit
def play(b, state, ratio, fee=0.0, executed=None, closes=1.0, spared=None, share=1.0, index=0, years=1e-6):
    """One round: check at `ratio`, execute at `executed`. Returns state, orders, claims, and what was closed voluntarily."""
    venues = len(b.ranking)
    each = lambda x: jnp.broadcast_to(jnp.asarray(x, float), (venues,))
    state = b.advance(state, view(ratio, index), jnp.asarray(years))
    state = b.trigger(state, view(ratio, index))
    state, orders = b.release(state, each(share))
    final = at(ratio if executed is None else executed)
    if spared is not None:
        orders = b.spare(state, orders, at(ratio), each(spared))
    claims = b.claims(state, orders, final, each(fee))
    state, closed = b.settle(state, orders, final, each(fee), each(closes))
    return state, orders, claims, closed.holders


@eqx.filter_jit
def pending_at(b, ratio):
    return b.trigger(b.init(), view(ratio)).pending


def liquidated_at(b, asset=0, side=0):
    """Ratio of one asset at which anything is liquidated, by bisection."""
    low, high = (0.01, 1.0) if side == 0 else (1.0, 5.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        ratio = np.ones(b.ledger.shape)
        ratio[:, asset] = middle
        if bool(jnp.any(pending_at(b, ratio) > 0.0)) == (side == 0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


# margin


def test_an_isolated_account_is_liquidated_where_the_formula_says():
    """E (1 - s/l)/(1 - s m), linear; E (s + m)/(s + 1/l), inverse; entry off the initial price."""
    for side, index in ((1, 0), (-1, 1)):
        row = Accounts([10.0], [104.0], [10 * 104 / 8], *(np.array([i]) for i in (0, 0, side, 0)))
        assert liquidated_at(book(row), side=index) == pytest.approx(1.04 * (1 - side / 8) / (1 - side * 0.005), rel=1e-12)
        inverse = liquidated_at(book(row, inverse=(True,)), side=index)
        assert inverse == pytest.approx(1.04 * (side + 0.005) / (side + 1 / 8), rel=1e-12)


def test_cross_margin_shares_one_equity():
    """Long 10 BTC at 100, short 20 ETH at 50, 300 USD: equity 300 + 10 (B - 100) - 20 (E - 50), margin 0.5% of 10 B + 20 E.

    With ETH at 50, liquidated at B where 300 + 10 B - 1000 = 0.05 B + 5, so B = 705/9.95; with BTC at 100 at E where
    300 - 20 E + 1000 = 5 + 0.1 E, so E = 1295/20.1.
    """
    b = book(cross([(0, 0, 0, 1, 10, 100.0), (0, 0, 1, -1, 20, 50.0)], [300.0], assets=2), assets=2, price=[100.0, 50.0])
    assert liquidated_at(b, 0, 0) == pytest.approx(705 / 9.95 / 100, rel=1e-12)
    assert liquidated_at(b, 1, 1) == pytest.approx(1295 / 20.1 / 50, rel=1e-12)
    # a fall in both is half hedged: at -20% in both the equity is 300 - 200 + 200
    state = b.trigger(b.init(), view([[0.8, 0.8]]))
    assert float(state.equity(jnp.array([0.8, 0.8]))[0]) == pytest.approx(300.0)
    assert float(state.pending[0]) == 0.0


def test_coin_collateral_falls_with_the_price_and_has_a_haircut():
    """5 coins at 10% haircut count as 4.5 P; long 10 at 100: 14.5 P - 1000 = 0.05 P, so P = 1000/14.45."""
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [0.0], coins=[[5.0]]), haircut=jnp.array([[0.1]]))
    assert liquidated_at(b) == pytest.approx(1000 / 14.45 / 100, rel=1e-12)


def test_an_inverse_and_a_linear_contract_share_collateral():
    """Venue 0 linear, venue 1 inverse: 10 coins long at 100 and 1000 USD short at 100, with 2 coins: hedged but for these.

    Equity 10 (P - 100) - 1000 (P/100 - 1) + 2 P = 2 P; margin 0.005 (10 P + 1000): liquidated at 2 P = 0.05 P + 5.
    """
    rows = [(0, 0, 0, 1, 10, 100.0), (0, 1, 0, -1, 10, 100.0)]
    b = book(cross(rows, [0.0], coins=[[2.0]]), inverse=(False, True))
    assert liquidated_at(b) == pytest.approx(5 / 1.95 / 100, rel=1e-12)


def test_tiers_are_those_of_each_position():
    """Margin 1% beyond 500 USD less 2.5: 1000 USD of BTC need 7.5, 400 of ETH need 2."""
    tiers = Tiers([[[0.0, 500.0]] * 2], [[[100.0, 50.0]] * 2], [[[0.005, 0.01]] * 2], [[[0.0, 2.5]] * 2])
    b = book(cross([(0, 0, 0, 1, 10, 100.0), (0, 0, 1, 1, 4, 100.0)], [50.0], assets=2), assets=2, tiers=tiers)
    needed = b.ledger.margins.required(b.quantity, jnp.ones(2))
    assert float(needed[0]) == pytest.approx(9.5)


def test_the_dead_are_dropped_and_the_sides_evened_out():
    """An account with 4 USD against a margin of 5 is dropped; a long of 10 coins is met by a holder without leverage."""
    b = book(cross([(0, 0, 0, 1, 10, 100.0), (1, 0, 0, 1, 10, 100.0)], [4.0, 100.0]))
    np.testing.assert_allclose(b.dropped[0, 0], [1000.0, 0.0])
    np.testing.assert_allclose(b.open_interest(b.init())[0, 0], [1000.0, 1000.0])
    np.testing.assert_allclose(b.balancing[0, 0], [0.0, 1000.0])


def test_tranches_are_refused():
    made = contracts()._replace(tranches=((0.5, 0.5),))
    with pytest.raises(ValueError, match="tranches"):
        build_accounts([Histogram(1.0, [5.0], [1.0])], None, made, Limits.none(), None, None, np.array([100.0]), 1)


# limits


def test_a_cap_on_cross_accounts():
    """1000 USD of positions on 100 of equity under a cap of 5: half post 100 more, half shrink to 500, at the initial price.

    Entry 90 and 0 cash: the equity is the unrealised profit, 10 coins times 10.
    """
    b = book(cross([(0, 0, 0, 1, 10, 90.0)], [0.0]), limits=Limits.single(5.0, share_downsize=0.5))
    np.testing.assert_allclose(b.ledger.weight, [0.5, 0.5])
    np.testing.assert_allclose(b.quantity[0], [1000.0, 500.0])
    np.testing.assert_allclose(b.init().equity(ONE), [200.0, 100.0])
    assert float(b.init().equity(jnp.array([1.1]))[1]) == pytest.approx(150.0)


def test_a_limit_for_an_asset_binds_where_it_is_the_largest_position():
    population = cross(
        [(0, 0, 0, 1, 10, 100.0), (0, 0, 1, 1, 1, 100.0), (1, 0, 0, 1, 1, 100.0), (1, 0, 1, 1, 10, 100.0)], [110.0] * 2, assets=2
    )
    limits = Limits([5.0], [0.0], [0.0], [0.0], [[0.0, np.inf]], (ANY,), (ANY,), (BTC,), (False,))
    b = book(population, limits=limits, assets=2)
    np.testing.assert_allclose(b.init().equity(jnp.ones(2))[:2], [220.0, 110.0])


def test_close_out_is_a_fixed_requirement():
    """EU rule, cap 2: closed when equity is under 25% of the notional at the start: at 100 (1 - 0.5 + 0.25)."""
    for population in (Histogram(1.0, [2.0], [1.0]), cross([(0, 0, 0, 1, 10, 100.0)], [500.0])):
        b = book(population, limits=Limits.single(2.0, close_out=0.5))
        assert liquidated_at(b) == pytest.approx(0.75, rel=1e-12)


# policies, engine, claims


def test_the_engine_takes_its_share_and_claims_follow_the_price():
    """Long 1000 USD with 100: at 0.9 sharp equity 0, under 4.5 of margin. Half is sent, at 0.88: shortfall 0.5 (100 - 120) = -10.

    The other half is still held; at 0.95 (a rebound) it leaves 25, of which the fee of 2% of 475 is 9.5.
    """
    b = book([cross([(0, 0, 0, 1, 10, 100.0)], [100.0]), cross([(0, 0, 0, -1, 10, 100.0)], [1e4])])
    state, orders, claims, closed = play(b, b.init(), 0.9, fee=0.02, executed=0.88, share=0.5)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(500.0)
    assert float(claims.shortfall[0, 0, 0]) == pytest.approx(10.0)
    assert float(claims.bankrupt[0, 0, 0]) == pytest.approx(500.0)
    assert float(claims.fee.sum()) == 0.0
    np.testing.assert_allclose(closed[0, 0], [0.0, 500.0])
    np.testing.assert_allclose(b.open_interest(state)[0, 0], [500.0, 500.0])
    state, orders, claims, _ = play(b, state, 0.95, fee=0.02, share=1.0)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(500.0)
    assert float(claims.fee[0, 0, 0]) == pytest.approx(9.5)
    assert float(claims.surplus[0, 0, 0]) == pytest.approx(25 - 9.5)
    np.testing.assert_allclose(b.open_interest(state)[0, 0], [0.0, 0.0], atol=1e-9)


def test_the_fee_is_no_more_than_what_is_left():
    """At 0.903 the equity is 3, under 4.515; a fee of 2% would be 18."""
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [100.0]))
    _, _, claims, _ = play(b, b.init(), 0.903, fee=0.02)
    assert float(claims.fee.sum()) == pytest.approx(3.0)
    assert float(claims.surplus.sum()) == pytest.approx(0.0, abs=1e-12)


def test_claims_are_allotted_by_notional_to_the_home_venue():
    """10 BTC and 5 ETH long, each at 100, 100 USD; BTC at 0.9, ETH at 0.98: equity -10 against notionals 900 and 490."""
    rows = [(0, 0, 0, 1, 10, 100.0), (0, 1, 1, 1, 5, 100.0)]
    b = book(cross(rows, [100.0], assets=2, home=[1]), assets=2, inverse=(False, False))
    ratio = [[0.9, 0.98], [0.9, 0.98]]
    _, orders, claims, _ = play(b, b.init(), ratio)
    np.testing.assert_allclose(orders.liquidated[..., 0], [[1000.0, 0.0], [0.0, 500.0]])
    np.testing.assert_allclose(claims.shortfall[..., 0], [[0.0, 0.0], np.array([900, 490]) / 1390 * 10], atol=1e-9)


PARTIAL = Policy(np.array([0.2]), np.array([500.0]), np.array([3e-6]), ("partial",))


@pytest.mark.slow
def test_partial_closes_a_share_then_within_the_cool_down_all():
    """Steps of 1e-6 years, cool-down 3e-6: at 0.9 a fifth; if under margin in the next two steps all, in the third a fifth."""
    population = cross([(0, 0, 0, 1, 10, 100.0), (1, 0, 0, -1, 10, 100.0)], [104.0, 1e5])
    for later, expected in ((1, 800.0), (2, 800.0), (3, 160.0)):
        b = book(population, policy=PARTIAL)
        state, orders, claims, _ = play(b, b.init(), 0.9, fee=0.001)
        assert float(orders.liquidated[0, 0, 0]) == pytest.approx(200.0)
        assert float(claims.fee[0, 0, 0]) == pytest.approx(0.001 * 180.0)
        assert float(claims.surplus.sum()) == 0.0
        # what is left: 800 of quantity, 4 less the fee of equity, above the margin of 3.6
        assert float(state.equity(jnp.array([0.9]))[0]) == pytest.approx(4 - 0.18)
        assert float(state.pending[0]) == 0.0
        for index in range(1, later):
            state, orders, _, _ = play(b, state, 0.9, index=index)
            assert float(orders.liquidated.sum()) == 0.0
        state, orders, _, _ = play(b, state, 0.899, index=later)
        assert float(orders.liquidated[0, 0, 0]) == pytest.approx(expected)


def test_small_accounts_are_closed_whole_under_partial():
    b = book(cross([(0, 0, 0, 1, 5, 100.0)], [50.0]), policy=PARTIAL)
    _, orders, _, _ = play(b, b.init(), 0.9)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(500.0)


def test_a_check_between_two_rounds_does_not_turn_a_part_into_all():
    """Seen at the end of one step and again at the start of the next, before anything was sent: still a fifth."""
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [104.0]), policy=PARTIAL)
    state = b.advance(b.init(), view(0.9), jnp.asarray(1e-6))
    state = b.trigger(b.trigger(state, view(0.9)), view(0.899))
    assert float(state.pending[0]) == pytest.approx(0.2)


def test_a_partial_order_is_worked_off_at_the_engines_speed():
    """A fifth of 1000 at half the engine's share: 100, then 50 more; the rest of the order is of a smaller position."""
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [104.0]), policy=PARTIAL)
    state, orders, _, _ = play(b, b.init(), 0.9, share=0.5)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(100.0)
    assert float(state.pending[0]) == pytest.approx(100 / 900)
    _, orders, _, _ = play(b, state, 0.95, share=0.5, index=1)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(50.0)


def test_lower_tier_goes_to_the_floor_of_the_tier_then_all():
    """Tiers from 0, 500 and 800 USD; at 0.9 the largest position of 900 goes to 800, a ninth off everything; then all."""
    tiers = Tiers(
        np.array([[[0.0, 500.0, 800.0]] * 2]), np.ones((1, 2, 3)) * 100, np.array([[[0.005, 0.01, 0.02]] * 2]),
        np.array([[[0.0, 2.5, 10.5]] * 2]),
    )  # fmt: skip
    b = book(cross([(0, 0, 0, 1, 10, 100.0), (0, 0, 1, 1, 1, 100.0)], [102.0], assets=2), assets=2, tiers=tiers,
             policy=Policy.same("lower_tier"))  # fmt: skip
    state, orders, _, _ = play(b, b.init(), [[0.9, 1.0]])
    np.testing.assert_allclose(orders.liquidated[0, :, 0], [1000 / 9, 100 / 9])
    _, orders, _, _ = play(b, state, [[0.895, 1.0]], index=1)
    np.testing.assert_allclose(orders.liquidated[0, :, 0], [8000 / 9, 800 / 9])


# calls


@pytest.mark.slow
def test_who_is_called_posts_reduces_or_waits():
    """10 coins at 100 with 200 USD (leverage 5), margin 5%, called at 1.5 times: 200 + 1000 (x - 1) = 75 x at x = 800/925.

    At x = 0.86 the equity is 60 against an initial margin of 172: 112 are asked for; who reduces sells 1 - 60/172 of it all.
    """
    calls = Calls([1.5], [0.3], [0.2])
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [200.0], weight=[10.0]), calls=calls, rate=0.05)
    np.testing.assert_allclose(b.ledger.weight, [3.0, 2.0, 5.0])
    assert float(b.margin_called(play(b, b.init(), 0.866)[0])[0]) == 0.0
    state, orders, _, _ = play(b, b.init(), 0.86)
    assert float(b.margin_called(state)[0]) == pytest.approx(10 * 112.0)
    assert float(orders.reduced[0, 0, 0]) == pytest.approx(2 * 1000 * (1 - 60 / 172))
    assert float(orders.liquidated.sum()) == 0.0
    np.testing.assert_allclose(state.equity(jnp.array([0.86])), [172.0, 60.0, 60.0])
    np.testing.assert_allclose(state.quantity[0], [1000.0, 1000 * 60 / 172, 1000.0])
    # called once: at 0.84 who waits is liquidated (40 under 42), the others hold
    state, orders, _, _ = play(b, state, 0.84)
    assert float(b.margin_called(state)[0]) == pytest.approx(10 * 112.0)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(5 * 1000.0)


def test_nobody_is_called_at_the_start_or_where_it_restores_nothing():
    """60 USD for 1000 at margin 5%: under 75 at once. Leverage 15 (66.7 of initial margin, under 75): never called."""
    for cash, entry in ((60.0, 100.0), (80.0, 101.0)):
        b = book(cross([(0, 0, 0, 1, 10, entry)], [cash]), calls=Calls([1.5], [1.0], [0.0]), rate=0.05)
        state, _, _, _ = play(b, b.init(), 0.995)
        assert float(b.margin_called(state)[0]) == 0.0


def test_classes_without_a_call_are_not_called():
    population = cross([(0, 0, 0, 1, 10, 100.0), (1, 0, 0, 1, 10, 100.0)], [200.0] * 2, account_class=[0, 1])
    b = book(population, calls=Calls([1.5, 1.0], [1.0, 0.0], [0.0, 0.0]), rate=0.05, classes=2)
    state, orders, _, _ = play(b, b.init(), 0.8)
    assert float(b.margin_called(state)[0]) == pytest.approx(160.0)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(1000.0)
    np.testing.assert_allclose(b.class_shares(state, view(0.8))[0, 0, 0], [0.0, 1.0])


# deleveraging


def winners_and_a_loser(ranking, **kwargs):
    """Long 1000 USD with 50 of cash against shorts: 600 with 60, 600 with 600, and 200 of longs without trouble."""
    rows = [(0, 0, 0, 1, 10, 100.0), (1, 0, 0, -1, 6, 100.0), (2, 0, 0, -1, 6, 100.0), (3, 0, 0, 1, 2, 100.0)]
    return book(cross(rows, [50.0, 60.0, 600.0, 1000.0]), ranking=ranking, **kwargs)


@pytest.mark.slow
def test_what_is_bankrupt_is_closed_at_its_bankruptcy_price_by_rank():
    """At 0.9 the equity is -50: bankruptcy price 0.95. Three quarters are spared the market: 750 from shorts, the most levered
    first: all of the 600 with 60, then 150 of the other; each buys back at 0.95, a profit of 5% instead of 10%.
    The rest, 250 at 0.9, leaves a shortfall of 12.5."""
    b = winners_and_a_loser("bitmex")
    state, orders, claims, _ = play(b, b.init(), 0.9, spared=0.75, closes=0.0)
    assert float(orders.deleveraged[0, 0, 0]) == pytest.approx(750.0)
    assert float(orders.liquidated[0, 0, 0]) == pytest.approx(250.0)
    assert float(orders.price[0, 0, 0]) == pytest.approx(0.95)
    assert float(claims.shortfall[0, 0, 0]) == pytest.approx(12.5)
    np.testing.assert_allclose(state.quantity[0], [0.0, 0.0, -450.0, 200.0], atol=1e-9)
    np.testing.assert_allclose(state.equity(jnp.array([0.9]))[1:3], [60 + 30, 600 + 60 - 7.5])
    np.testing.assert_allclose(b.open_interest(state)[0, 0], [450.0, 450.0])


@pytest.mark.slow
def test_deleveraging_is_capped_by_the_other_side_and_takes_the_unlevered_last():
    """1000 bankrupt longs against 600 of shorts, of which 200 are levered: the unlevered keep 400 if 200 are asked for."""
    population = cross([(0, 0, 0, 1, 10, 100.0), (1, 0, 0, -1, 2, 100.0)], [50.0, 1e4])
    for ranking in RANKINGS[1:]:
        b = book(population, ranking=ranking)
        state, orders, _, _ = play(b, b.init(), 0.9, spared=0.3, closes=0.0)
        assert float(orders.deleveraged[0, 0, 0]) == pytest.approx(300.0)
        np.testing.assert_allclose(state.unlevered[0, 0], [700.0, 700.0])
        assert float(state.quantity[0, 1]) == pytest.approx(0.0, abs=1e-9)
    b = book(population, ranking="pro_rata")
    state, _, _, _ = play(b, b.init(), 0.9, spared=0.3, closes=0.0)
    assert float(state.quantity[0, 1]) == pytest.approx(-140.0)
    np.testing.assert_allclose(state.unlevered[0, 0], [700.0, 560.0])


def test_inverse_contracts_are_deleveraged_where_the_equity_is_zero():
    """1000 USD long at 100, 0.5 coins: at 0.9 worth 1000 (0.9 - 1) + 45 = -55 USD; closed where coins are zero,
    0.5 + 1000 (1/100 - 1/P) = 0, P = 1000/10.5."""
    rows = [(0, 0, 0, 1, 10, 100.0), (1, 0, 0, -1, 10, 100.0)]
    b = book(cross(rows, [0.0, 0.0], coins=[[0.5], [50.0]]), inverse=(True,), ranking="hyperliquid")
    state, orders, claims, _ = play(b, b.init(), 0.9, spared=1.0, closes=0.0)
    assert float(orders.price[0, 0, 0]) == pytest.approx(10 / 10.5)
    assert float(claims.shortfall.sum()) == pytest.approx(0.0, abs=1e-9)
    # the other side, in coins: 50 + 1000 (1/P - 1/100) = 50.5, at 90 USD each
    assert float(state.equity(jnp.array([0.9]))[1]) == pytest.approx(50.5 * 90)


# cash

EVERYTHING = [
    ("full", "pro_rata"),
    ("partial", "binance"),
    ("lower_tier", "hyperliquid"),
    ("partial", "bitmex"),
    ("full", "minimax_leverage"),
    ("to_margin", "binance"),
]


@cache
def crowded_market(kind, ranking):
    """Two venues (the second coin-margined), two assets, forty cross accounts and isolated ones, every rule on."""
    accounts, rng = 40, np.random.default_rng(len(kind) + len(ranking))
    rows = [
        (a, v, i, int(rng.choice([-1, 1])), float(rng.lognormal(2, 1)), float(rng.uniform(97, 103)))
        for a in range(accounts) for v in (0, 1) for i in (0, 1) if rng.random() < 0.6
    ]  # fmt: skip
    gross = np.zeros(accounts)
    for account, _, _, _, quantity, entry in rows:
        gross[account] += quantity * entry
    several = cross(
        rows, gross * rng.uniform(0.03, 0.2, accounts), coins=rng.uniform(0, 0.1, (accounts, 2)), assets=2,
        home=rng.integers(0, 2, accounts), weight=rng.uniform(0.5, 2, accounts), account_class=rng.integers(0, 2, accounts),
    )  # fmt: skip
    single = [
        Histogram(2e4, [5.0, 10.0, 20.0], [0.3, 0.3, 0.4], entry_sd=0.01, side=s, venue=v, asset=a)
        for s in (1, -1) for v in (0, 1) for a in (0, 1)
    ]  # fmt: skip
    each = lambda row: np.tile(row, (2, 2, 1))
    stops = [Stops(5e3, 97.0, 0.05), Stops(3e3, 102.0, 0.1, 1, 1, -1)]
    return book(
        [several, *single],
        assets=2,
        inverse=(False, True),
        tiers=Tiers(each([0.0, 2e3]), each([100.0, 100.0]), each([0.005, 0.01]), each([0.0, 10.0])),
        ranking=ranking,
        policy=Policy.same(kind, 2, 0.2, 1e3, 3e-6),
        calls=Calls([1.5, 1.3], [0.3, 0.1], [0.2, 0.4]),
        classes=2,
        haircut=jnp.full((2, 2), 0.1),
        schedule=build_schedule(stops, np.array([100.0, 100.0]), (2, 2, 2), Grid()),
        limits=Limits.single(25.0, share_downsize=0.4, close_out=0.3),
        funding=Funding([0.1, -0.1], [0.0, 0.0]),
    )


# a book is an argument: one closed over is a constant, which takes long to fold


@eqx.filter_jit
def check(b, state, seen):
    return b.trigger(b.advance(state, seen, jnp.asarray(1e-6)), seen)


@eqx.filter_jit
def close(b, state, now, x, fee, closes, loss):
    wealth = lambda state: jnp.sum(b.ledger.weight * state.equity(x.reshape(-1)))
    state, orders = b.release(state, jnp.array([1.0, 0.5]))
    orders = b.spare(state, orders, now, jnp.array([0.7, 1.0]))
    levered = b.ledger.cells(free_quantity(state, orders.detail))
    claims = b.claims(state, orders, x, fee)
    after, _ = b.settle(state, orders, x, fee, closes)
    poorer = b.socialise(after, loss, x)
    worths = [wealth(one) for one in (state, after, poorer)]
    return poorer, orders, claims, levered, b._unlevered(state), worths, b.open_interest(poorer)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ranking"), EVERYTHING)
def test_cash_is_conserved_and_longs_equal_shorts(kind, ranking):
    """What accounts have, with fees and what is left of liquidations, less shortfalls, and with what holders without leverage
    gain who are deleveraged, changes by nothing. All other trades are at the mark, where nobody gains."""
    rng = np.random.default_rng(len(kind) + len(ranking))
    b = crowded_market(kind, ranking)
    fee, closes, loss = jnp.array([0.002, 0.003]), jnp.array([0.7, 0.3]), jnp.array([3.0, 2.0])
    in_coins, sign = np.array([False, True])[:, None, None], np.array([1.0, -1.0])

    state, mark = b.init(), np.zeros((2, 2))
    low = high = mark
    seen = dict.fromkeys(("liquidated", "stopped", "reduced", "deleveraged", "shortfall", "surplus", "fee"), 0.0)
    for step in range(40):
        mark = mark + rng.normal(0, 0.02, (2, 2)) + 0.01 * rng.normal()
        low, high = np.minimum(low, mark), np.maximum(high, mark)
        state = check(b, state, view(np.exp(mark), step)._replace(low=jnp.asarray(low), high=jnp.asarray(high)))
        x = np.exp(mark + 0.01 * rng.normal(size=(2, 2)))  # executed elsewhere than it was seen
        state, orders, claims, levered, others, (before, after, poorer), held = close(
            b, state, np.exp(mark), x, fee, closes, loss
        )
        closing = np.asarray(orders.deleveraged)[..., ::-1]
        share = np.where(levered + others > 0, others / (levered + others), 0.0)
        by_others = closing * share if ranking == "pro_rata" else np.maximum(closing - levered, 0.0)
        price = np.where(closing > 0, np.asarray(orders.price)[..., ::-1], 1.0)
        now = x[..., None]
        gain = by_others * sign * np.where(in_coins, 1 - now / price, price - now)
        left = claims.fee + claims.surplus - claims.shortfall
        assert float(after - before) + gain.sum() + float(left.sum()) == pytest.approx(0.0, abs=1e-10 * float(before))
        assert float(poorer - after) == pytest.approx(-5.0, abs=1e-10 * float(before))
        np.testing.assert_allclose(held[..., 0], held[..., 1], rtol=1e-10)
        assert float(held.min()) >= 0.0
        for source, names in ((orders, ("liquidated", "stopped", "reduced", "deleveraged")), (claims, Claims._fields)):
            for name in names:
                assert float(getattr(source, name).min()) >= -1e-9
                seen[name] = seen.get(name, 0.0) + float(getattr(source, name).sum())
    assert all(value > 0.0 for value in seen.values()), seen
    assert float(b.margin_called(state).min()) > 0.0


def test_funding_is_paid_by_longs_on_their_notional():
    """10% a year on 1000 coins-times-price at 0.9 for a tenth of a year: 9 USD; on inverse contracts 10."""
    for inverse, paid in ((False, 9.0), (True, 10.0)):
        rows = [(0, 0, 0, 1, 10, 100.0), (1, 0, 0, -1, 10, 100.0)]
        b = book(cross(rows, [500.0] * 2), funding=Funding([0.1], [0.0]), inverse=(inverse,))
        state = b.advance(b.init(), view(0.9), jnp.asarray(0.1))
        np.testing.assert_allclose(state.base - b.base, [-paid, paid])
        trending = view(0.9)._replace(trend=jnp.array([2.0]))
        b = book(cross(rows, [500.0] * 2), funding=Funding([0.1], [0.3]), inverse=(inverse,))
        np.testing.assert_allclose(b.advance(b.init(), trending, jnp.asarray(0.1)).base - b.base, [-7 * paid, 7 * paid])


@pytest.mark.slow
def test_losses_are_socialised_by_profit_then_by_equity():
    rows = [(0, 0, 0, -1, 10, 100.0), (1, 0, 0, -1, 5, 110.0), (2, 0, 0, 1, 15, 100.0)]
    b = book(cross(rows, [1e3] * 3))
    # at 0.9 the shorts have gained 100 and 100, the long has lost
    state = b.socialise(b.init(), jnp.array([10.0]), at(0.9))
    np.testing.assert_allclose(state.base - b.base, [-5.0, -5.0, 0.0])
    # all 200 of the profit, then 50 of the equity that is left: 1,000, 1,000 and 850
    state = b.socialise(b.init(), jnp.array([250.0]), at(0.9))
    np.testing.assert_allclose(state.base - b.base, [-100.0 - 50.0 / 2.85, -100.0 - 50.0 / 2.85, -42.5 / 2.85])
    # nobody is charged more than there is
    state = b.socialise(b.init(), jnp.array([1e6]), at(0.9))
    np.testing.assert_allclose(state.equity(at(0.9).reshape(-1)), 0.0, atol=1e-9)
    b = book(cross([(0, 0, 0, 1, 15, 100.0), (1, 0, 0, 1, 5, 100.0)], [2e3] * 2))
    state = b.socialise(b.init(), jnp.array([10.0]), at(0.9))
    # nobody has a profit; the equity is 1,850 and 1,950
    np.testing.assert_allclose(state.base - b.base, [-18.5 / 3.8, -19.5 / 3.8])


@pytest.mark.slow
def test_stops_are_sold_once_and_their_holders_close_with_the_others():
    """100 USD of stops at 95 under 10,000 of a long: at 94 sold, and not again on the way down from a rebound."""
    schedule = build_schedule([Stops(100.0, 95.0)], np.array([100.0]), (1, 1, 2), Grid())
    b = book(cross([(0, 0, 0, 1, 10, 100.0)], [900.0]), schedule=schedule)
    np.testing.assert_allclose(b.open_interest(b.init())[0, 0], [1100.0, 1100.0])
    state, orders, _, _ = play(b, b.init(), 0.94)
    assert float(orders.stopped[0, 0, 0]) == pytest.approx(100.0)
    np.testing.assert_allclose(b.open_interest(state)[0, 0], [1000.0, 1000.0])
    lower = view(0.93)
    state, orders = b.release(b.trigger(state, lower), ONE)
    assert float(orders.stopped.sum()) == 0.0


@pytest.mark.slow
def test_triggered_from_the_start_is_the_check_at_each_distance():
    population = [Lognormal(1e6, 10.0, 0.5, side=1), Lognormal(1e6, 10.0, 0.5, side=-1)]
    b = book(population)
    distance = jnp.array([0.02, 0.1, 0.3])
    curve = b.triggered(distance)
    assert curve.shape == (1, 1, 2, 3)
    for i, d in enumerate(distance):
        for side, sign in ((0, -1), (1, 1)):
            _, orders, _, _ = play(b, b.init(), jnp.exp(sign * d))
            assert float(curve[0, 0, side, i]) == pytest.approx(float(orders.liquidated[0, 0, side]))


# derivatives


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ranking"), EVERYTHING[1::2] + EVERYTHING[4:5])
def test_reverse_mode_is_the_finite_difference(kind, ranking):
    """Of a number that sees everything, after two rounds with deleveraging: to prices, a fee, a share and the collateral."""
    market = crowded_market(kind, ranking)
    marks = jnp.array([[[-0.06, 0.05], [-0.05, -0.08]], [[-0.15, -0.12], [0.1, -0.2]]])

    def outcome(parameters, b):
        move, fee, spared, collateral = parameters

        def play_on(carry, now):
            (state, total, matched), (mark, index) = carry, now
            seen = view(jnp.exp(mark * (1.0 + move)), index)
            state = b.trigger(b.advance(state, seen, jnp.asarray(1e-6)), seen)
            state, orders = b.release(state, jnp.array([1.0, 0.6]))
            orders = b.spare(state, orders, jnp.exp(seen.mark), jnp.full(2, spared))
            ratio = jnp.exp(seen.mark - 1e-6 * orders.forced()[..., 0])
            claims = b.claims(state, orders, ratio, jnp.full(2, fee))
            state, closed = b.settle(state, orders, ratio, jnp.full(2, fee), jnp.full(2, 0.6))
            state = b.socialise(state, jnp.sum(claims.shortfall, axis=(1, 2)), ratio)
            total += jnp.sum(claims.fee + 0.3 * claims.surplus - 0.7 * claims.shortfall) + 1e-3 * jnp.sum(closed.holders)
            total += 0.01 * jnp.sum(orders.deleveraged * orders.price)
            return (state, total, matched + jnp.sum(orders.deleveraged)), None

        start = b.init()._replace(base=b.base * collateral)
        (state, total, matched), _ = jax.lax.scan(play_on, (start, 0.0, 0.0), (marks, jnp.arange(2)))
        total += 1e-3 * jnp.sum(b.open_interest(state))
        weights = jnp.cos(jnp.arange(state.base.shape[0]))
        return total + jnp.sum(weights * state.equity(jnp.exp(marks[1] * (1.0 + move)).reshape(-1))), matched

    here = jnp.array([0.0, 0.002, 0.6, 1.0])
    compiled = eqx.filter_jit(jax.value_and_grad(outcome, has_aux=True))
    both = lambda parameters: compiled(parameters, market)
    (_, matched), gradient = both(here)
    assert float(matched) > 0.0
    assert np.isfinite(np.asarray(gradient)).all()
    for i in range(4):
        h = 1e-7 * jnp.eye(4)[i]
        slope = float(both(here + h)[0][0] - both(here - h)[0][0]) / 2e-7
        # with a larger step somebody else is liquidated
        assert float(gradient[i]) == pytest.approx(slope, rel=1e-4, abs=1e-3)

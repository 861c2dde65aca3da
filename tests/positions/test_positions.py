"""Populations, limits and the ladder, against sums done by hand in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.positions import (
    ANY,
    Accounts,
    Contracts,
    Grid,
    Histogram,
    Limits,
    LiquidationMap,
    Lognormal,
    Tiers,
    View,
    apply_limits,
    build_ladder,
    log_liquidation_price,
    maintenance_margin,
)
from jaxrisk.positions.tables import deposit

pytestmark = pytest.mark.hurried

PRICE = np.array([100.0])


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def contracts(tiers=None, inverse=False, tranches=(1.0,), fee=0.0, venues=1):
    tiers = tiers or Tiers.flat(0.005, venues=venues)
    return Contracts(tiers, (inverse,) * venues, (tranches,) * venues, jnp.full(venues, fee))


def ladder(populations, limits=None, classes=1, grid=None, **kwargs):
    return build_ladder(populations, contracts(**kwargs), limits or Limits.none(), PRICE, classes, grid or Grid())


def leverages(placed):
    return 1 / np.asarray(placed.margin)[np.asarray(placed.positions.quantity) > 0]


def triggered(book, distance, side=0, venue=0):
    return float(book.triggered(jnp.asarray([distance], book.quantity.dtype))[venue, 0, side, 0])


def at_extremes(low, high):
    """What a book sees whose marks have run between these."""
    asset = jnp.zeros(low.shape[1], low.dtype)
    return View(high, low, high, low, high, asset, asset, jnp.int32(0))


def test_lognormal_population_has_its_moments():
    """Total, median and log-sd of leverage, entry dispersion and sizes: exact but for the discretisation stated."""
    p = Lognormal(5e9, 8.0, 0.6, 1.01, 1000.0, 0.01, 0.03, 2e4, 1.0).positions(Tiers.flat(0.005), (False,), PRICE)
    weight = np.asarray(p.quantity) / 5e9
    assert weight.sum() == pytest.approx(1.0)
    logs = np.log(np.asarray(p.leverage))
    assert np.exp(weight @ logs) == pytest.approx(8.0, rel=1e-3)
    assert np.sqrt(weight @ (logs - np.log(8.0)) ** 2) == pytest.approx(0.6, rel=3e-3)
    entry = np.asarray(p.log_entry)
    assert weight @ entry == pytest.approx(0.01)
    assert np.sqrt(weight @ (entry - 0.01) ** 2) == pytest.approx(0.03)
    assert np.exp(weight @ np.log(np.asarray(p.notional))) == pytest.approx(2e4)


@pytest.mark.slow
def test_ladder_steps_at_the_liquidation_price():
    """A crowd at leverage 10, maintenance 0.5%: E (1 - 1/10)/(1 - 0.005) for longs, E (1 + 1/10)/(1 + 0.005) for shorts."""
    for side, ratio in ((1, 0.9 / 0.995), (-1, 1.1 / 1.005)):
        grid = Grid()
        book = ladder([Histogram(3.0, [10.0], [1.0], side=side)])
        at = abs(np.log(ratio))
        index = 0 if side > 0 else 1
        width = 2.0 * float(grid.width(at))
        assert triggered(book, at - width, index) == 0.0
        assert triggered(book, at + width, index) == pytest.approx(3.0)
        assert triggered(book, at, index) == pytest.approx(1.5, abs=0.7)


@pytest.mark.slow
def test_grid_error_is_of_second_order():
    """Expectation over a smooth density of extremes: doubling the cells divides the error by about four (more than 3).

    Averaged over 101 positions, wherever in its cell each trigger happens to lie.
    """
    at = -np.log((1 - 1 / np.linspace(9.0, 11.0, 101)) / 0.995)
    exact = np.exp(-30.0 * at)  # an exponential density of extremes reaches it with this probability
    edges = np.linspace(0, 1.2, 400_001)
    middle = 0.5 * (edges[1:] + edges[:-1])
    weight = 30.0 * np.exp(-30.0 * middle) * 1.2 / 400_000
    errors = []
    for cells in (256, 512, 1024):
        grid = Grid(cells=cells, first_step=1.6e-3 * 64 / cells)
        tables = np.asarray(deposit(grid, jnp.asarray(at), jnp.ones(101), jnp.arange(101), 101))
        coordinate = np.asarray(grid.coordinate(middle))
        reached = [weight @ np.interp(coordinate, np.arange(cells + 1), table) for table in tables]
        errors.append(np.mean(np.abs(reached / exact - 1)))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.slow
def test_liquidation_map_round_trip():
    """Open interest ends up where the map has it, through the leverage that the tiers imply, linear and inverse."""
    tiers = Tiers([[[0.0, 5e4]]], [[[125.0, 100.0]]], [[[0.004, 0.01]]], [[[0.0, 300.0]]])
    for inverse in (False, True):
        for side, prices in ((1, [95.0, 80.0, 50.0]), (-1, [104.0, 120.0])):
            for notional in (1e4, 1e6):
                population = LiquidationMap(prices, [1.0] * len(prices), notional, side=side)
                p = population.positions(tiers, (inverse,), PRICE)
                rate = jnp.broadcast_to(tiers.rate[0, 0], (len(prices), 2))
                amount = jnp.broadcast_to(tiers.amount[0, 0], rate.shape)
                back = log_liquidation_price(side, p.notional, 1 / p.leverage, rate, amount, jnp.full(len(prices), inverse))
                np.testing.assert_allclose(100 * np.exp(back), prices, rtol=1e-12)


@pytest.mark.slow
def test_a_map_on_the_wrong_side_of_spot_is_dropped():
    book = ladder([LiquidationMap([130.0, 90.0], [1.0, 2.0], side=1)])
    assert float(book.dropped[0, 0, 0]) == 1.0
    assert triggered(book, 4.9) == pytest.approx(2.0)


@pytest.mark.slow
def test_accounts_use_the_leverage_they_have():
    """10 coins at 100 with 125 USD: leverage 8, liquidated at 100 (1 - 1/8)/0.995."""
    accounts = Accounts([10.0], [100.0], [125.0], *(np.array([i]) for i in (0, 0, 1, 0)))
    book = ladder([accounts], grid=Grid(cells=50_000, first_step=1e-5))
    at = -np.log((1 - 1 / 8) / 0.995)
    assert triggered(book, at + 2e-4) == pytest.approx(1000.0)
    assert triggered(book, at - 2e-4) == 0.0


@pytest.mark.slow
def test_sides_are_evened_out_by_unlevered_holders():
    book = ladder([Histogram(3.0, [10.0], [1.0], side=1), Histogram(2.0, [10.0], [1.0], side=-1)])
    held = book.open_interest(book.init())
    np.testing.assert_allclose(held[0, 0], [3.0, 3.0], rtol=1e-14)
    np.testing.assert_allclose(book.unlevered[0, 0], [0.0, 1.0], atol=1e-14)


@pytest.mark.slow
def test_leverage_one_is_never_liquidated():
    """A long without a loan has no liquidation price; it is open interest all the same."""
    book = ladder([Histogram(1.0, [1.0], [1.0])], tiers=Tiers.flat(0.0))
    assert triggered(book, 4.99) == 0.0
    assert float(book.open_interest(book.init())[0, 0, 0]) == pytest.approx(1.0, rel=1e-14)


def test_venue_maximum_binds_everybody():
    """Leverage 100 wanted, tier maximum 20: collateral is posted, the position stays."""
    tiers = Tiers([[[0.0, 1e6]]], [[[50.0, 20.0]]], [[[0.005, 0.01]]], [[[0.0, 5e3]]])
    p = Histogram(1.0, [100.0], [1.0], size_median=2e6).positions(tiers, (False,), PRICE)
    np.testing.assert_allclose(p.leverage, 20.0)
    assert float(jnp.sum(p.quantity)) == pytest.approx(1.0)


@pytest.mark.slow
def test_what_is_given_is_not_opened_again():
    """A map's levels and a table's accounts stay where they are said to be, whatever the venue's maximum for new positions."""
    tiers = Tiers.flat(0.0125, max_leverage=40.0)
    fine = Grid(50_000, 1e-5)
    book = ladder([LiquidationMap([101.0, 99.5, 99.0], [4.0, 2.0, 1.0])], tiers=tiers, grid=fine)
    assert float(book.dropped[0, 0, 0]) == 4.0
    assert triggered(book, 0.0045) == 0.0
    assert triggered(book, 0.0055) == pytest.approx(2.0)
    assert triggered(book, 0.0110) == pytest.approx(3.0)
    # 10 coins at 100 with 20 USD: liquidated at 98 / 0.9875 = 99.24
    book = ladder([Accounts([10.0], [100.0], [20.0], *(np.array([i]) for i in (0, 0, 1, 0)))], tiers=tiers, grid=fine)
    assert triggered(book, 0.0070) == 0.0
    assert triggered(book, 0.0082) == pytest.approx(1000.0)


@pytest.mark.slow
def test_a_limit_does_not_raise_the_dead():
    """What is beyond its liquidation price as given is dropped, also where a cap would have it post more collateral."""
    accounts = Accounts([10.0, 10.0], [120.0, 100.0], [60.0, 60.0], *(np.array([i, i]) for i in (0, 0, 1, 0)))
    book = ladder([accounts], limits=Limits.single(2.0, share_downsize=0.5))
    assert float(book.dropped[0, 0, 0]) == pytest.approx(1000.0)
    np.testing.assert_allclose(book.balancing[0, 0], [0.0, float(book.open_interest(book.init())[0, 0, 0])])


@pytest.mark.slow
def test_coin_margined_open_interest_is_in_dollars():
    """10 coins entered at 50 are 500 contracts of a dollar, whatever the price is now; and are liquidated as 500 dollars."""
    accounts = Accounts([10.0], [50.0], [100.0], *(np.array([i]) for i in (0, 0, 1, 0)))
    book = ladder([accounts], inverse=True)
    assert float(book.open_interest(book.init())[0, 0, 0]) == pytest.approx(500.0)
    assert float(book.class_notional[0, 0, 0, 0, -1]) == pytest.approx(500.0)


@pytest.mark.parametrize("downsize", [0.0, 0.3, 1.0])
def test_what_a_capped_holder_does(downsize):
    """Leverage 20 under a cap of 5: a share `downsize` shrinks to a quarter, the rest keeps the position; all at leverage 5."""
    tiers = Tiers.flat(0.005)
    p = Histogram(8.0, [20.0], [1.0]).positions(tiers, (False,), PRICE)
    placed = apply_limits(p, contracts(tiers), Limits.single(5.0, share_downsize=downsize))
    held = np.asarray(placed.positions.quantity)
    assert held.sum() == pytest.approx(8.0 * (1 - downsize + downsize / 4))
    np.testing.assert_allclose(placed.margin[held > 0], 1 / 5)


@pytest.mark.slow
def test_leakage_reopens_where_no_limit_holds():
    """Two venues, the limit on the first, all downsized, half leaks: 8 becomes 2 there, 3 more elsewhere at the old leverage."""
    tiers = Tiers.flat(0.005, venues=2)
    on = lambda venue, amount: Histogram(amount, [20.0], [1.0], venue=venue)
    limits = Limits([5.0], [1.0], [0.5], [0.0], [[0.0, np.inf]], (ANY,), (0,), (ANY,), (False,))
    book = build_ladder([on(0, 8.0), on(1, 1.0)], contracts(tiers, venues=2), limits, PRICE, 1, Grid())
    held = book.open_interest(book.init())[:, 0, 0]
    np.testing.assert_allclose(held, [2.0, 1.0 + 0.5 * 6.0])
    at_20, at_5 = -np.log(0.95 / 0.995), -np.log(0.8 / 0.995)
    assert triggered(book, at_20 + 0.01, venue=1) == pytest.approx(4.0)
    assert triggered(book, at_20 + 0.01, venue=0) == 0.0
    assert triggered(book, at_5 + 0.01, venue=0) == pytest.approx(2.0)


@pytest.mark.slow
def test_what_leaks_is_of_the_size_that_was_displaced():
    """An account of 1,000,000 USD at 20x under a cap of 5 shrinks to 250,000 and reopens 750,000, each in its own tier."""
    tiers = Tiers.flat(0.005, venues=2)
    p = Histogram(8.0, [20.0], [1.0], size_median=1e6).positions(tiers, (False, False), PRICE)
    other = Histogram(1.0, [20.0], [1.0], size_median=1e6, venue=1).positions(tiers, (False, False), PRICE)
    limits = Limits([5.0], [1.0], [1.0], [0.0], [[0.0, np.inf]], (ANY,), (0,), (ANY,), (False,))
    both = type(p)(*(jnp.concatenate(columns) for columns in zip(p, other, strict=True)))
    placed = apply_limits(both, contracts(tiers, venues=2), limits).positions
    moved = np.asarray(placed.quantity) > 0
    sizes = {(int(v), round(float(n))) for v, n in zip(placed.venue[moved], placed.notional[moved], strict=True)}
    assert sizes == {(0, 250_000), (1, 750_000), (1, 1_000_000)}


def test_a_limit_binds_its_class_venue_asset_and_size_only():
    limits = Limits([2.0], [0.0], [0.0], [0.0], [[1e3, 1e5]], (1,), (ANY,), (0,), (False,))
    tiers = Tiers.flat(0.005)
    for account_class, size, expected in ((1, 1e4, 2.0), (0, 1e4, 20.0), (1, 1e6, 20.0), (1, 5e2, 20.0)):
        p = Histogram(1.0, [20.0], [1.0], size_median=size, account_class=account_class).positions(tiers, (False,), PRICE)
        np.testing.assert_allclose(leverages(apply_limits(p, contracts(tiers), limits)), expected)


def test_the_lowest_of_several_caps_binds():
    limits = Limits([5.0, 3.0, 9.0], [0.0] * 3, [0.0] * 3, [0.0] * 3, [[0, np.inf]] * 3, *((ANY,) * 3,) * 3, (False,) * 3)
    tiers = Tiers.flat(0.005)
    p = Histogram(1.0, [20.0], [1.0]).positions(tiers, (False,), PRICE)
    np.testing.assert_allclose(leverages(apply_limits(p, contracts(tiers), limits)), 3.0)


@pytest.mark.slow
def test_close_out_at_half_the_margin():
    """EU rule, cap 2: initial margin 50%, closed when equity is under 25% of the entry notional: at 100 (1 - 0.5 + 0.25)."""
    book = ladder([Histogram(1.0, [2.0], [1.0])], limits=Limits.single(2.0, close_out=0.5), grid=Grid(20_000, 1e-4))
    at = -np.log(0.75)
    assert triggered(book, at - 1e-3) == 0.0
    assert triggered(book, at + 1e-3) == pytest.approx(1.0)


@pytest.mark.slow
def test_tranches_follow_the_remaining_position():
    """A fifth closed at the first trigger, then the rest where ITS equity meets ITS requirement; worked out in float64 here."""
    tiers = Tiers([[[0.0, 5e4]]], [[[125.0, 100.0]]], [[[0.004, 0.01]]], [[[0.0, 300.0]]])
    leverage, entry, quantity, fee = 10.0, 100.0, 1e3, 0.002
    requirement = lambda n: max(0.004 * n, 0.01 * n - 300.0)
    for side in (1, -1):
        solve = lambda f: _bisect(f, 1.0, 100.0) if side > 0 else _bisect(f, 100.0, 200.0)
        collateral = quantity * entry / leverage
        equity = lambda s: collateral + side * quantity * (s - entry)
        first = solve(lambda s: equity(s) - requirement(quantity * s))
        rest = 0.8 * quantity
        left = equity(first) - fee * 0.2 * quantity * first
        second = solve(lambda s: left + side * rest * (s - first) - requirement(rest * s))
        crowd = Histogram(quantity * entry, [leverage], [1.0], size_median=quantity * entry, side=side)
        book = ladder([crowd], tiers=tiers, tranches=(0.2, 0.8), fee=fee, grid=Grid(100_000, 5e-6))
        index = 0 if side > 0 else 1
        total = quantity * entry
        gap = 5e-5
        d1, d2 = abs(np.log(first / entry)), abs(np.log(second / entry))
        assert d2 > d1 + 4 * gap
        assert triggered(book, d1 - gap, index) == 0.0
        assert triggered(book, d1 + gap, index) == pytest.approx(0.2 * total)
        assert triggered(book, d2 - gap, index) == pytest.approx(0.2 * total)
        assert triggered(book, d2 + gap, index) == pytest.approx(total)


def _bisect(function, low, high):
    rising = function(high) > 0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if (function(middle) > 0) == rising else (middle, high)
    return 0.5 * (low + high)


@pytest.mark.slow
def test_classes_share_what_was_triggered():
    """Leverage 20 is gone, leverage 5 is not: all of the notional is the first class's; further down it is theirs by size."""
    populations = [Histogram(1.0, [20.0], [1.0], account_class=0), Histogram(3.0, [5.0], [1.0], account_class=1)]
    book = ladder(populations, classes=2)
    near, far = jnp.full((1, 1), -0.1), jnp.full((1, 1), -0.5)
    np.testing.assert_allclose(book.class_shares(book.init(), at_extremes(near, -near * 0))[0, 0, 0], [1.0, 0.0])
    worth = np.array([1.0 * 0.95 / 0.995, 3.0 * 0.8 / 0.995])
    np.testing.assert_allclose(
        book.class_shares(book.init(), at_extremes(far, -far * 0))[0, 0, 0], worth / worth.sum(), rtol=1e-3
    )


def test_maintenance_margin_is_the_tier_table():
    """Against a look-up of the tier a notional is in, at the edges too."""
    floors, rates, amounts = [0.0, 3e5, 8e5], [0.004, 0.005, 0.0065], [0.0, 300.0, 1500.0]
    for notional in (1e3, 299_999.0, 300_000.0, 300_001.0, 8e5, 2e6):
        tier = max(i for i, floor in enumerate(floors) if notional >= floor)
        margin = maintenance_margin(jnp.array([notional]), jnp.array([rates]), jnp.array([amounts]))
        assert float(margin[0]) == pytest.approx(rates[tier] * notional - amounts[tier])


@pytest.mark.slow
def test_the_book_shrinks_on_both_sides():
    """Forced selling of 2 of 10 longs: with half closing the other side, shorts shrink by 1 and new holders take 1."""
    book = ladder([Histogram(10.0, [10.0], [1.0], side=s) for s in (1, -1)])
    state = book.init()._replace(backlog=jnp.array([[[2.0, 0.0]]]))
    # what is in the backlog came out of the table
    state = state._replace(reached=jnp.array([[[2.0, 0.0]]]))
    state, orders = book.release(state, jnp.ones(1))
    assert orders.liquidated[0, 0].tolist() == [2.0, 0.0]
    state, closed = book.settle(state, orders, jnp.ones((1, 1)), jnp.zeros(1), jnp.full(1, 0.5))
    assert closed.holders[0, 0].tolist() == [0.0, 1.0]
    assert closed.opened[0, 0].tolist() == [1.0, 0.0]
    assert closed.matched[0, 0] == 0.0
    np.testing.assert_allclose(book.open_interest(state)[0, 0], [9.0, 9.0])
    np.testing.assert_allclose(state.scale[0, 0], [1.0, 0.9])
    np.testing.assert_allclose(state.unlevered[0, 0], [1.0, 0.0])


@pytest.mark.parametrize(("sd", "nodes"), [(0.0, (64, 1, 4)), (1.0, (64, 1, 4)), (2.0, (64, 1, 4)), (2.0, 64)])
def test_numbers_of_accounts_are_those_of_the_law_of_sizes(sd, nodes):
    """Open interest over size, of a lognormal that is weighted by notional: the mean of one over it is exp(s^2 / 2) over its
    median. Whoever takes a smaller position under a limit is an account still."""
    crowd = Lognormal(1e9, 8.0, 0.5, size_median=1e4, size_log_sd=sd)
    for limits in (Limits.none(), Limits.single(5.0, share_downsize=0.5)):
        book = build_ladder([crowd], contracts(), limits, PRICE, 1, Grid(cells=64, first_step=0.01, reach=2.0), nodes=nodes)
        np.testing.assert_allclose(book.members.total, 1e5 * np.exp(0.5 * sd**2), rtol=1e-5)
        np.testing.assert_array_less(book.members.closed_out.sum(axis=(0, 1, 2))[..., -1], book.members.total * 1.00001)

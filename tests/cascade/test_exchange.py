"""Backstop, policies, calls, stops and several venues, on paths short enough to be worked out by hand.

A crowd of longs of 100 USD at leverage 10 from a price of 1: liquidated at 0.9 / 0.995 = 0.90452, bankrupt at 0.9.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade import (
    Backstop,
    Channels,
    Impact,
    LinearImpact,
    PowerImpact,
    Venues,
    path_losses,
    prepare,
    record_block,
    run_block,
    seed_key,
)
from jaxrisk.market import Replay, Shock
from jaxrisk.positions import Accounts, Calls, Grid, Histogram, Policy, Stops, Tiers
from jaxrisk.scenario import Names, Scenario, Settings

pytestmark = pytest.mark.hurried

HOUR = 1.0 / 8760.0
FINE = Grid(cells=20_000, first_step=2e-5, reach=2.0)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def longs(leverage, quantity=100.0, venue=0, asset=0, **kwargs):
    return Histogram(quantity, [leverage], [1.0], side=1, venue=venue, asset=asset, **kwargs)


def market(path, populations, *, depth=1e16, fee=0.0, closes=1.0, tiers=None, policy=None, backstop=None, venues=None,
           assets=1, channels=None, rounds=1, **more):  # fmt: skip
    """A market along given prices (rows of steps, columns of assets), on one venue unless `venues` says otherwise."""
    prices, each = np.asarray(path, float).reshape(len(path), -1), np.ones(assets)
    horizon, support = (len(prices) - 1) * HOUR, more.pop("support", None)
    one = Venues.single(tiers or Tiers.flat(0.005, assets=assets), 0.0, fee, closes)
    one = eqx.tree_at(lambda v: (v.policy, v.backstop), one, (policy, backstop), is_leaf=lambda x: x is None)
    count = 1 if venues is None else len(venues.inverse)
    return Scenario(
        market=Replay(np.log(prices)),
        impact=more.pop("impact", None) or Impact(LinearImpact(depth * each), 0.0 * each, 0.0 * each, np.eye(assets)),
        venues=venues or one,
        populations={f"p{i}": population for i, population in enumerate(populations)},
        price=np.ones(assets),
        settings=Settings(horizon, steps=len(prices) - 1, rounds=rounds, support=support),
        channels=channels or Channels(),
        names=Names(tuple("UVW"[:count]), tuple("ABC"[:assets]), ("all",)),
        grid=more.pop("grid", FINE),
        **more,
    )  # fmt: skip


def outcome(scenario):
    """The losses of its only path, as floats or arrays."""
    losses = run_block(prepare(scenario, jnp.float64), seed_key(0), jnp.zeros(1, jnp.uint32))
    return {name: np.asarray(values)[0].squeeze() for name, values in losses.items()}


# ---- who pays


@pytest.mark.slow
def test_what_is_left_of_a_position_goes_to_fund_and_holder():
    """Executed at 0.902: 0.2 USD of 100 are left; the fee of 0.1% takes 0.0902, half of the other 0.1098 is the fund's."""
    backstop = Backstop.single(10.0, surplus_to_fund=0.5)
    seen = outcome(market([1.0, 0.902], [longs(10.0)], fee=1e-3, backstop=backstop))
    assert seen["liquidation_fees"] == pytest.approx(0.0902, rel=1e-9)
    assert seen["insurance_fund_change"] == pytest.approx(0.0902 + 0.0549, rel=1e-9)
    assert seen["shortfall"] == seen["deleveraged_notional"] == 0.0
    # a fee larger than what is left is paid as far as it goes
    seen = outcome(market([1.0, 0.902], [longs(10.0)], fee=0.01, backstop=backstop))
    assert seen["liquidation_fees"] == pytest.approx(0.2, rel=1e-9)
    assert seen["insurance_fund_change"] == pytest.approx(0.2, rel=1e-9)


PAYERS = {
    # the fund has 2 of the 5 needed: 3/5 of the 100 are matched at 0.9, 40 are sold at 0.85, which costs the fund 2
    ("fund_empty", 2.0, 1.0): (2.0, 60.0, 3.0, 0.0),
    ("fund_empty", 50.0, 1.0): (5.0, 0.0, 0.0, 0.0),
    ("fund_empty", 0.0, 1.0): (0.0, 100.0, 5.0, 0.0),
    # nobody is deleveraged: the rest is everybody's
    ("fund_empty", 2.0, 0.0): (2.0, 0.0, 0.0, 3.0),
    # half of what should be: 30 matched, of the 70 sold the fund pays 2 of 3.5
    ("fund_empty", 2.0, 0.5): (2.0, 30.0, 1.5, 1.5),
    ("account_value", 50.0, 1.0): (0.0, 100.0, 5.0, 0.0),
    ("fund_drawdown", 50.0, 1.0): (5.0, 0.0, 0.0, 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("ranking", ["pro_rata", "binance"])
@pytest.mark.parametrize("case", PAYERS)
def test_fund_then_winners_then_everybody(case, ranking):
    """Executed at 0.85 against a bankruptcy price of 0.9: 5 USD are missing of 100."""
    trigger, fund, channel = case
    paid, matched, forgone, socialised = PAYERS[case]
    crowd = [longs(10.0), Histogram(100.0, [3.0], [1.0], side=-1)]
    backstop = Backstop.single(fund, ranking=ranking, trigger=trigger)
    seen = outcome(market([1.0, 0.85], crowd, backstop=backstop, channels=Channels(deleveraging=channel)))
    assert seen["shortfall"] == pytest.approx(5.0, rel=1e-9)
    assert seen["insurance_fund_used"] == pytest.approx(paid, rel=1e-9, abs=1e-12)
    assert seen["insurance_fund_change"] == pytest.approx(-paid, rel=1e-9, abs=1e-12)
    assert seen["deleveraged_notional"] == pytest.approx(matched * 0.85, rel=1e-9, abs=1e-12)
    assert seen["deleveraging_loss"] == pytest.approx(forgone, rel=1e-9, abs=1e-12)
    assert seen["socialised_loss"] == pytest.approx(socialised, rel=1e-9, abs=1e-12)
    # whoever takes the other side, with everybody closing nothing is left
    assert seen["open_interest_loss_usd"] == pytest.approx(100.0)
    np.testing.assert_allclose(seen["open_interest_loss_by_cause"], [100.0 - matched, 0.0, 0.0, matched, 0.0], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("book", ["ladder", "account"])
def test_rounding_is_nobodys_loss(book):
    """Where the other side bears all that a fund cannot pay, nothing is socialised, in single precision either.

    A fall of 15% through 400 leverages, without impact, so that the price is the same when it is judged and when it is paid.
    """
    crowd = Histogram(3e9, np.linspace(7.0, 40.0, 400), np.full(400, 1 / 400), side=1, entry_sd=0.03)
    path = [1.0, 0.97, 0.93, 0.9, 0.85]
    for trigger, fund in (("fund_empty", 1e5), ("account_value", 0.0)):
        scenario = market(
            path, [crowd], channels=Channels(feedback=0.0), backstop=Backstop.single(fund, trigger=trigger), book=book
        )
        prepared = prepare(scenario, jnp.float32)
        losses = run_block(prepared, seed_key(0), jnp.zeros(1, jnp.uint32))
        assert float(losses["deleveraging_loss"][0, 0]) > 1e6
        assert float(losses["socialised_loss"][0, 0]) == 0.0, trigger
        credited = float(losses["surplus_to_fund"][0, 0] + losses["liquidation_fees"][0, 0])
        had = 0.0 if trigger == "account_value" else fund + credited
        assert float(losses["insurance_fund_used"][0, 0]) <= (1.0 + 1e-5) * had, trigger


@pytest.mark.slow
def test_a_drawdown_of_the_fund_starts_deleveraging_and_is_forgotten():
    """100 at leverage 10 cost the fund of 20 its 5, a quarter. Then 100 at leverage 4 (bankrupt at 0.75) execute at 0.7.

    With a threshold of a fifth within 8 hours the second crowd is deleveraged whole; with one of a half, or where the first loss
    is longer ago than the window, the fund pays the 5 again.
    """
    crowds = [longs(10.0), longs(4.0)]
    soon, late = [1.0, 0.85, *[0.7] * 12], [1.0, *[0.85] * 12, 0.7]
    for path, threshold, deleveraged in ((soon, 0.2, True), (soon, 0.5, False), (late, 0.2, False), (late, 0.5, False)):
        backstop = Backstop.single(20.0, trigger="fund_drawdown", threshold=threshold, window=8 * HOUR)
        seen = outcome(market(path, crowds, backstop=backstop))
        assert seen["insurance_fund_used"] == pytest.approx(5.0 if deleveraged else 10.0), (path, threshold)
        assert seen["deleveraged_notional"] == pytest.approx(70.0 if deleveraged else 0.0), (path, threshold)


@pytest.mark.slow
def test_what_is_deleveraged_is_not_sold():
    """Impact of 0.1% (log) a USD: selling 100 after a fall to 0.89 would move the price by 10%; all of it is matched instead."""
    backstop = Backstop.single(0.0)
    sold = outcome(market([1.0, 0.89], [longs(10.0)], depth=1e3, backstop=backstop, channels=Channels(deleveraging=0.0)))
    matched = outcome(market([1.0, 0.89], [longs(10.0)], depth=1e3, backstop=backstop))
    assert sold["log_return"] == pytest.approx(np.log(0.89) - 0.1)
    assert sold["socialised_loss"] == pytest.approx(100.0 * (0.9 - 0.89 * np.exp(-0.1)))
    assert matched["log_return"] == pytest.approx(np.log(0.89))
    assert matched["deleveraging_loss"] == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("side", [1, -1])
def test_shortfall_of_many_positions_is_that_of_each(side, inverse):
    """4,001 positions whose bankruptcy prices are spread evenly across the execution price, against a sum over them.

    The batch knows only mean and variance, which is exact for an even spread but for the grid's cells: two parts in a thousand.
    """
    margin = np.linspace(0.08, 0.12, 4001)
    bankrupt = 1.0 / (1.0 + side * margin) if inverse else 1.0 - side * margin
    price = 1.0 / (1.0 + side * 0.1) if inverse else 1.0 - side * 0.1
    result = side * (price / bankrupt - 1.0 if inverse else price - bankrupt)
    count = len(margin)
    where = np.zeros(count, int)
    quantity = np.full(count, 100.0 / count)
    crowd = Accounts(quantity, np.ones(count), margin * quantity, where, where, where + side, where)
    venues = Venues.single(Tiers.flat(0.03), closes_opposite=1.0, inverse=inverse)
    backstop = Backstop.single(1e3, surplus_to_fund=1.0)
    venues = eqx.tree_at(lambda v: v.backstop, venues, backstop, is_leaf=lambda x: x is None)
    seen = outcome(market([1.0, price], [crowd], venues=venues))
    loss, gain = np.maximum(-result, 0.0).mean() * 100.0, np.maximum(result, 0.0).mean() * 100.0
    assert min(loss, gain) > 0.1
    assert seen["shortfall"] == pytest.approx(loss, rel=2e-3)
    assert seen["insurance_fund_change"] == pytest.approx(gain - loss, rel=1e-6, abs=1e-6)


# ---- what is closed


@pytest.mark.slow
def test_a_fifth_first_then_the_rest():
    """Of 2 million at leverage 10 a fifth goes at 0.90452; the others, with all the equity left, at the price worked out here."""
    first = 0.9 / 0.995
    equity = 0.005 * first  # at the margin, a unit
    kept = 0.8 * first
    # (S - first) * 0.8 + equity = 0.005 * 0.8 S
    second = (0.8 * first - equity) / (0.8 * 0.995)
    assert second < first
    policy = Policy.same("partial", first_share=0.2, first_above=1e5)
    big, small = longs(10.0, size_median=2e6), longs(10.0, size_median=2e4)
    for crowd, price, expected in (
        (big, first * 1.001, 0.0), (big, first * 0.999, 20.0), (big, second * 1.001, 20.0), (big, second * 0.999, 100.0),
        (small, first * 0.999, 100.0),
    ):  # fmt: skip
        seen = outcome(market([1.0, price], [crowd], policy=policy))
        assert seen["open_interest_loss_usd"] == pytest.approx(expected, abs=1e-9), (price, kept)


@pytest.mark.slow
def test_down_to_the_lower_tier_then_the_rest():
    """1% of the first 1,000 USD of notional, 5% above: 4,000 USD at leverage 10 need 160, and are cut to 1,000 first."""
    tiers = Tiers(*(np.array(row).reshape(1, 1, 2) for row in ([0.0, 1e3], [100.0, 20.0], [0.01, 0.05], [0.0, 40.0])))
    # 400 + 4000 (S - 1) = 0.05 * 4000 S - 40
    first = (3600.0 - 40.0) / (4000.0 - 200.0)
    share = 1.0 - 1e3 / (4e3 * first)
    equity, held = 0.05 * 4e3 * first - 40.0, 1e3 / first
    # equity + held (S - first) = 0.01 held S
    second = (held * first - equity) / (held * 0.99)
    crowd = longs(10.0, size_median=4e3)
    for price, expected in ((first * 1.001, 0.0), (first * 0.999, 100.0 * share), (second * 1.001, 100.0 * share),
                            (second * 0.999, 100.0)):  # fmt: skip
        seen = outcome(market([1.0, price], [crowd], tiers=tiers, policy=Policy.same("lower_tier")))
        assert seen["open_interest_loss_usd"] == pytest.approx(expected, abs=1e-9), price


@pytest.mark.slow
def test_margin_calls_move_liquidation_away_or_sell_before_it():
    """Called at twice the maintenance margin: at 0.9 / 0.99 equity is 1% of the worth and a tenth of it is asked for.

    A third tops up, and is liquidated at the call price times 0.9 / 0.995; half sells nine tenths at the call, and what they keep
    is liquidated there too; the rest waits for 0.9 / 0.995.
    """
    calls = Calls([2.0], [0.3], [0.5])
    call, wait = 0.9 / 0.99, 0.9 / 0.995
    later = call * 0.9 / 0.995
    asked = 100.0 * 0.09 * call
    for price, liquidated, reduced, called in (
        (call * 1.001, 0.0, 0.0, 0.0), (call * 0.999, 0.0, 45.0, asked), (wait * 1.001, 0.0, 45.0, asked),
        (wait * 0.999, 20.0, 45.0, asked), (later * 1.001, 20.0, 45.0, asked), (later * 0.999, 55.0, 45.0, asked),
    ):  # fmt: skip
        seen = outcome(market([1.0, price], [longs(10.0)], calls=calls))
        np.testing.assert_allclose(seen["open_interest_loss_by_cause"], [liquidated, 0.0, reduced, 0.0, 0.0], atol=1e-9)
        assert seen["margin_called"] == pytest.approx(called), price
    # switched off, everybody waits
    seen = outcome(market([1.0, call * 0.999], [longs(10.0)], calls=calls, channels=Channels(calls=0.0)))
    assert seen["reduced_notional"] == 0.0
    assert seen["margin_called"] == pytest.approx(asked)


@pytest.mark.slow
def test_stops_under_a_support_are_sold_as_it_breaks():
    """50 USD of stops spread over 2% (log) from 0.95 down; at a price 1% below it half of them are sold, and move the price."""
    stops = {"cluster": Stops(50.0, 0.95, 0.02)}
    path = [1.0, 0.951, 0.95 * np.exp(-0.01)]
    support = [np.log(0.95)]
    seen = outcome(market(path, [longs(2.0)], stops=stops, support=support, depth=1e4))
    assert seen["stopped_notional"] == pytest.approx(25.0 * path[-1], rel=2e-2)
    assert seen["support_broken"] == 1.0
    assert seen["log_return"] == pytest.approx(np.log(path[-1]) - 25.0 / 1e4, abs=1e-4)
    assert seen["support_overshoot"] == pytest.approx(1.0 - np.exp(seen["log_return"] - support[0]), rel=1e-9)
    assert seen["open_interest_loss_by_cause"][1] == pytest.approx(25.0, rel=2e-2)
    quiet = outcome(market(path[:2], [longs(2.0)], stops=stops, support=support, depth=1e4))
    assert quiet["support_broken"] == quiet["stopped_notional"] == 0.0
    switched_off = market(path, [longs(2.0)], stops=stops, support=support, depth=1e4, channels=Channels(stops=0.0))
    assert outcome(switched_off)["stopped_notional"] == 0.0
    # their holders are still there
    held = prepare(switched_off, jnp.float64).book
    np.testing.assert_allclose(held.open_interest(held.init())[0, 0], [150.0, 150.0])


# ---- several venues, other assets


def two_venues(index_weight=0.0, leakage=0.0, local=2e3):
    each = np.ones(2)
    return Venues(
        engine_time=0.0 * each,
        liquidation_fee=0.0 * each,
        closes_opposite=0.0 * each,
        arbitrage_rate=np.full(2, np.log(2.0) / HOUR),
        local_impact=np.full((2, 1), 1.0 / local),
        index_weight=np.array([0.0, index_weight]),
        tiers=Tiers.flat(0.005, venues=2),
        tranches=((1.0,), (1.0,)),
        inverse=(False, False),
        liquidity_leakage=np.array([[1.0, 0.0], [leakage, 1.0]]),
    )


def marks(scenario):
    recorded = record_block(prepare(scenario, jnp.float64), seed_key(0), jnp.zeros(1, jnp.uint32), 1)
    return np.asarray(recorded.mark)[:, 0, :, 0]


@pytest.mark.slow
def test_a_shock_on_one_venue_reaches_the_other_through_its_liquidations():
    """A dislocation of 12% on venue U alone, halved every hour by arbitrage; 100 USD of longs at leverage 10 are sold there.

    They move the common price by 1%, U's own book by 5% (100 USD at 2,000 a unit), and with a leakage of 0.4 venue V's by 2%,
    of which V's mark shows half where its index counts half.
    """
    shock = Shock(size=[-0.12], window=[0.0], at=[0.0], venue=0)
    flat = [1.0, 1.0, 1.0]
    for leakage, weight in ((0.0, 0.0), (0.4, 0.0), (0.4, 0.5)):
        scenario = market(flat, [longs(10.0), longs(2.0, venue=1)], venues=two_venues(weight, leakage), depth=1e4, shock=shock)
        seen = marks(scenario)
        down = np.log(0.88)
        np.testing.assert_allclose(seen[0], [down - 0.01 - 0.05, -0.01 - (1 - weight) * leakage * 0.05], atol=1e-12)
        np.testing.assert_allclose(seen[1], [down / 2 - 0.01 - 0.025, -0.01 - (1 - weight) * leakage * 0.025], atol=1e-12)
        found = outcome(scenario)
        np.testing.assert_allclose(found["moved_by"], [[0.06, 0.01 + (1 - weight) * leakage * 0.05], [0.0, 0.0]], atol=1e-12)
        assert found["log_return"] == pytest.approx(-0.01)


@pytest.mark.slow
def test_arbitrage_passes_a_part_of_a_dislocation_on():
    """Halved every hour, of 12% on U a half and then a quarter are taken back; with a quarter passed on the market falls by that.

    U's own mark then lies as much lower; nobody is liquidated here.
    """
    shock = Shock(size=[-0.12], window=[0.0], at=[0.0], venue=0, pass_through=0.25)
    seen = marks(market([1.0, 1.0, 1.0, 1.0], [longs(2.0)], venues=two_venues(), shock=shock))
    down = np.log(0.88)
    np.testing.assert_allclose(seen[:, 1], [0.0, down / 8, down * 3 / 16], atol=1e-12)
    np.testing.assert_allclose(seen[:, 0], [down, down / 2 + down / 8, down / 4 + down * 3 / 16], atol=1e-12)


@pytest.mark.slow
def test_each_venue_is_charged_with_what_it_moved():
    """Both venues are sold on; the parts of each mark's fall add up to it, under a concave cross-impact of two assets too."""
    each = np.ones(2)
    law = PowerImpact(each, 0.05 * each, 1e4 * each, 0.5 * each)
    impact = Impact(law, 10.0 * each, 0.1 * each, np.array([[1.0, 0.3], [0.2, 1.0]]))
    venues = eqx.tree_at(
        lambda v: (v.local_impact, v.tiers),
        two_venues(0.3, 0.4),
        (np.full((2, 2), 1 / 4e3), Tiers.flat(0.005, venues=2, assets=2)),
    )
    crowd = [longs(leverage, venue=v, asset=a) for leverage in (8.0, 10.0, 12.0) for v in (0, 1) for a in (0, 1)]
    path = np.array([[1.0, 1.0], [0.93, 0.92], [0.9, 0.91], [0.87, 0.88]])
    scenario = market(path, crowd, venues=venues, assets=2, impact=impact)
    recorded = record_block(prepare(scenario, jnp.float64), seed_key(0), jnp.zeros(1, jnp.uint32), 1)
    mark, fundamental = np.asarray(recorded.mark)[:, 0], np.asarray(recorded.fundamental)[:, 0]
    last = mark.argmin(axis=0)
    moved = outcome(scenario)["moved_by"]
    for venue in (0, 1):
        for asset in (0, 1):
            fall = fundamental[last[venue, asset], asset] - mark[last[venue, asset], venue, asset]
            assert moved[:, venue, asset].sum() == pytest.approx(fall, rel=1e-9)
            assert moved[:, venue, asset].min() > 0.0


@pytest.mark.slow
def test_common_holders_carry_a_fall_to_an_asset_without_leverage():
    """100 USD forced in A make holders of both sell 5 USD of B: that moves B by 0.5% at its own depth, and A by its own 1%."""
    impact = Impact(
        LinearImpact([1e4, 1e3]), [0.0, 0.0], [0.0, 0.0], np.eye(2), common_holders=np.array([[0.0, 0.0], [0.05, 0.0]])
    )
    path = np.array([[1.0, 1.0], [0.9, 1.0]])
    seen = outcome(market(path, [longs(10.0)], assets=2, impact=impact))
    np.testing.assert_allclose(seen["log_return"], [np.log(0.9) - 0.01, -0.005], atol=1e-12)
    np.testing.assert_allclose(seen["common_holder_sales"], [0.0, 5.0], atol=1e-12)
    np.testing.assert_allclose(seen["max_drawdown"][1], 1.0 - np.exp(-0.005), atol=1e-12)
    off = outcome(market(path, [longs(10.0)], assets=2, impact=impact, channels=Channels(common_holders=0.0)))
    assert off["log_return"][1] == 0.0


@pytest.mark.slow
def test_gradients_pass_through_fund_and_deleveraging():
    """Pathwise, against central differences: of who pays, to fund, impact, cap-like leverage and calls."""
    crowd = lambda leverage: [Histogram(100.0, leverage + jnp.arange(2.0), [0.5, 0.5], entry_sd=0.02), longs(3.0)]
    calls = Calls([1.5], [0.3], [0.2])

    def paid(values):
        leverage, fund, depth, top_up = values
        scenario = market([1.0, 0.93, 0.885, 0.9], crowd(leverage), depth=2e3, backstop=Backstop.single(1.0, ranking="binance"),
                          calls=calls, rounds=2, grid=Grid())  # fmt: skip
        parts = lambda s: (s.impact.law.depth, s.venues.backstop.insurance_fund, s.calls.top_up)
        scenario = eqx.tree_at(parts, scenario, tuple(x[None] for x in (depth, fund, top_up)))
        losses = path_losses(prepare(scenario, jnp.float64), seed_key(0), jnp.zeros(1, jnp.uint32))
        names = ("insurance_fund_used", "deleveraging_loss", "deleveraged_notional", "max_drawdown_index", "margin_called")
        return jnp.stack([jnp.sum(losses[name]) for name in names])

    at = jnp.array([10.0, 0.2, 2e3, 0.3])

    @jax.jit
    def with_slopes(values):
        seen, pull = jax.vjp(paid, values)
        return seen, jax.vmap(pull)(jnp.eye(5))[0]

    ours, evaluate = with_slopes(at)[1], lambda values: with_slopes(values)[0]
    assert float(evaluate(at)[0]) > 0.1
    assert float(evaluate(at)[2]) > 1.0
    for i, h in enumerate((1e-5, 1e-6, 1e-2, 1e-6)):
        step = h * jnp.eye(4)[i]
        bump = (evaluate(at + step) - evaluate(at - step)) / (2.0 * h)
        np.testing.assert_allclose(ours[:, i], bump, rtol=1e-4, atol=1e-6 * float(jnp.abs(bump).max() + 1e-3))

"""The oracles on cases that fit into a docstring."""

import numpy as np
import pytest
from oracles import cross_engine, event_engine
from oracles.cross_holder import CrossAccount, Holder
from oracles.event_engine import Account, Backstop, Call, Setup, Stop, Tier, Venue, linear_impact
from oracles.isolated import walk
from oracles.ranking import shares


def by_hand(accounts, price=(100.0,), fall=0.1, **rules):
    """A market of one venue without impact and maintenance of half a percent, that falls once by a fraction; two steps."""
    venue = Venue([[Tier(0.0, 1e6, 0.005, 0.0)]] * len(price), local_impact=[0.0] * len(price), closes_opposite=0.0)
    for name in list(rules):
        if hasattr(venue, name):
            setattr(venue, name, rules.pop(name))
    path = np.log([[1.0] * len(price), [1.0 - fall] + [1.0] * (len(price) - 1), [1.0 - fall] + [1.0] * (len(price) - 1)])
    nothing = [linear_impact(1e30)] * len(price)
    none = [0.0] * len(price)
    return Setup(list(price), [venue], accounts, path, 1e-4, nothing, none, none, np.eye(len(price)), **rules)


LONG_AT_TEN = Account(0, 0, 1, 1.0, 100.0, 10.0)
SHORT_AT_TWO = Account(0, 0, -1, 1.0, 100.0, 50.0)


@pytest.mark.parametrize("run", [event_engine.run, cross_engine.run], ids=["isolated", "cross"])
def test_who_pays_for_a_bankrupt_position(run):
    """A coin at leverage 10 is bankrupt at 90; at 85 it lacks 5 dollars. A fund of 2 pays for 0.4 coins, 0.6 are deleveraged.

    Those close the short at 90 who would have 5 dollars a coin more at 85: 3 dollars. Without deleveraging the fund pays 2, and 3
    are socialised: the short has won 15 and is left 12. By account value all of it is deleveraged and the fund is kept.
    """
    for trigger, channel, used, forgone, socialised in (
        ("fund_empty", 1.0, 2.0, 3.0, 0.0),
        ("fund_empty", 0.0, 2.0, 0.0, 3.0),
        ("fund_empty", 0.5, 2.0, 1.5, 1.5),
        ("account_value", 1.0, 0.0, 5.0, 0.0),
    ):
        setup = by_hand([LONG_AT_TEN, SHORT_AT_TWO], fall=0.15, backstop=Backstop(2.0, 1.0, "pro_rata", trigger))
        setup.channels.deleveraging = channel
        record = run(setup)
        now = [getattr(record, name)[-1, 0] for name in ("used", "forgone", "socialised", "shortfall", "fund")]
        np.testing.assert_allclose(now, [used, forgone, socialised, 5.0, 2.0 - used], atol=1e-9)
        if run is cross_engine.run:
            np.testing.assert_allclose(record.equity[-1], [0.0, 50.0 + 15.0 - forgone - socialised], atol=1e-9)


def test_surplus_and_fee():
    """The coin is taken over at 90.4523 and sold at 90.2: 0.2 dollars are left, of which a fee of 0.1% takes 0.0902."""
    setup = by_hand([LONG_AT_TEN, SHORT_AT_TWO], fall=0.098, backstop=Backstop(0.0, 0.4), fee=0.001)
    for record in (event_engine.run(setup), cross_engine.run(setup)):
        now = [getattr(record, name)[-1, 0] for name in ("fees", "surplus", "returned", "fund", "used")]
        np.testing.assert_allclose(now, [0.0902, 0.4 * 0.1098, 0.6 * 0.1098, 0.0902 + 0.04392, 0.0], atol=1e-9)


def test_margin_calls():
    """At twice the maintenance margin: E = 10 + P - 100 = 0.01 P, P = 90.909, E = 0.909, where initial margin would be 9.09.

    Who posts 8.18 is liquidated where 8.18 + 10 + P - 100 = 0.005 P, at 82.23; who reduces sells nine tenths and is closed at
    the same price; who waits at 90.45.
    """
    call = Call(2.0, 0.5, 0.25)
    level = lambda price: np.log(price / 100.0)
    venue = Venue([[Tier(0.0, 1e6, 0.005, 0.0)]])
    call_price, late, soon = 90.0 / 0.99, (100.0 - 10.0 - 9.0 / 1.1) / 0.995, 90.0 / 0.995
    expected = {
        "wait": [("liquidation", level(soon), 25.0)],
        "top_up": [("liquidation", level(late), 50.0)],
        "reduce": [("reduced", level(call_price), 22.5), ("liquidation", level(late), 2.5)],
    }
    for (group, rungs), share in zip(expected.items(), (0.25, 0.5, 0.25), strict=True):
        found, (asked,) = walk(LONG_AT_TEN, venue, 100.0, 2.0, call, group, share)
        assert [rung.kind for rung in found] == [kind for kind, _, _ in rungs]
        np.testing.assert_allclose([(r.price, r.quantity) for r in found], [rung[1:] for rung in rungs], rtol=1e-9)
        np.testing.assert_allclose([asked.price, asked.amount], [level(call_price), share * 9.0 / 1.1], rtol=1e-9)
    # walked down to 90.8: who reduces sells by the true price, 1 - 0.8 / 9.08 of it
    setup = by_hand([LONG_AT_TEN, SHORT_AT_TWO], fall=0.092, calls=[call])
    record = cross_engine.run(setup)
    np.testing.assert_allclose(record.reduced.sum(), 25.0 * (1.0 - 0.8 / 9.08))
    np.testing.assert_allclose(record.margin_called[-1, 0], 9.08 - 0.8)
    np.testing.assert_allclose(record.equity[-1, 0], 0.8 + 0.5 * 8.28)


def test_policies():
    """A coin at leverage 10 is taken over at 90.4523 with 0.4523 dollars of equity.

    A fifth is closed, without a fee: the rest is at leverage 160 and goes at E = 0.4523 + 0.8 (P - 90.4523) = 0.004 P, 90.338.
    With a tier from 50 USD on, of which half a percent more than 50 is asked: 0.005 P + 0.005 (P - 50) = P - 90, P = 90.657,
    and all down to 50 USD is closed.
    """
    flat, level = [Tier(0.0, 1e6, 0.005, 0.0)], lambda price: np.log(price / 100.0)
    first = 90.0 / 0.995
    rungs, _ = walk(LONG_AT_TEN, Venue([flat], policy="partial", first_share=0.2, first_above=50.0), 100.0, 2.0)
    second = (0.8 * first - 0.005 * first) / 0.796
    np.testing.assert_allclose([(r.price, r.quantity) for r in rungs], [(level(first), 20.0), (level(second), 80.0)])
    np.testing.assert_allclose([r.zero for r in rungs], [0.9, (first - 0.005 * first / 0.8) / 100.0])
    assert [r.last for r in rungs] == [False, True]
    rungs, _ = walk(LONG_AT_TEN, Venue([flat], policy="partial", first_share=0.2, first_above=1e5), 100.0, 2.0)
    assert [r.quantity for r in rungs] == [100.0]
    two = [Tier(0.0, 1e6, 0.005, 0.0), Tier(50.0, 1e6, 0.01, 0.25)]
    rungs, _ = walk(LONG_AT_TEN, Venue([two], policy="lower_tier"), 100.0, 2.0)
    first = 89.75 / 0.99
    np.testing.assert_allclose(rungs[0].price, level(first))
    np.testing.assert_allclose([r.quantity for r in rungs], [100.0 * (1.0 - 50.0 / first), 100.0 * 50.0 / first])


def test_a_cross_account():
    """One coin of A long at 100, ten of B short at 10, collateral 8 dollars and a coin of B, of which a fifth does not count.

    Equity is 8 + 8 + P - 100 where B stays at 10, margin 0.5 + 0.005 P: liquidated below P = 84.5 / 0.995 = 84.92. At 84.9 the
    account has 0.9, at 80 it lacks 4, of which 4/9 belong to A (80 of 180): A is bankrupt at 81.78, B at 9.78.
    """
    setup = by_hand([CrossAccount(0, 8.0, {1: 1.0}, {(0, 0): (1.0, 100.0), (0, 1): (-10.0, 10.0)})], price=(100.0, 10.0))
    setup.venues[0].haircut = [0.0, 0.2]
    holder = Holder(setup.accounts[0], setup)
    at = lambda price: {(0, 0): price, (0, 1): 10.0}
    assert holder.equity(at(84.93)) > holder.maintenance(at(84.93))
    assert holder.equity(at(84.92)) < holder.maintenance(at(84.92))
    np.testing.assert_allclose(holder.equity(at(84.9)), 0.9)
    np.testing.assert_allclose(holder.zero_price((0, 0), at(80.0)), 80.0 + 16.0 / 9.0)
    np.testing.assert_allclose(holder.zero_price((0, 1), at(80.0)), 10.0 - 2.0 / 9.0)


def test_a_coin_margined_account():
    """1000 USD of contracts at 100 with a coin of collateral are bankrupt where 1 + 10 - 1000 / P = 0, P = 1000 / 11."""
    setup = by_hand([Account(0, 0, 1, 10.0, 100.0, 100.0)], inverse=True)
    holder = Holder(setup.accounts[0], setup)
    np.testing.assert_allclose(holder.equity({(0, 0): 1000.0 / 11.0}), 0.0, atol=1e-9)
    np.testing.assert_allclose(holder.zero_price((0, 0), {(0, 0): 80.0}), 1000.0 / 11.0)
    (rung,), _ = walk(setup.accounts[0], setup.venues[0], 100.0, 2.0)
    np.testing.assert_allclose(rung.zero, 10.0 / 11.0)


def test_orders_of_deleveraging():
    """Shorts of 1 coin each from 100, at 90: collateral 5 and 20, so equity 15 and 30, profit 10 each, leverage 6 and 3.

    By any of the rankings the first goes first. Down to one leverage: 90 + 90 - 90 = 45 l, so l = 2: 60 and 30 dollars go.
    """
    shorts = [Account(0, 0, -1, 1.0, 100.0, collateral) for collateral in (5.0, 20.0)]
    setup = by_hand([*shorts, shorts[1]])
    first, second, third = (Holder(account, setup) for account in setup.accounts)
    price = {(0, 0): 90.0}
    for ranking in ("binance", "hyperliquid", "bitmex"):
        assert shares(ranking, [second, first], (0, 0), price, 150.0) == [0.5, 1.0]
        # equals share
        assert shares(ranking, [second, first, third], (0, 0), price, 150.0) == [0.25, 1.0, 0.25]
    found = shares("minimax_leverage", [first, second], (0, 0), price, 100.0)
    np.testing.assert_allclose(found, [2.0 / 3.0, 1.0 / 3.0])
    assert shares("pro_rata", [first, second], (0, 0), price, 50.0) == [0.25, 0.25]


@pytest.mark.parametrize("run", [event_engine.run, cross_engine.run], ids=["isolated", "cross"])
def test_stops(run):
    """Half of the stops at 95 are switched off; at 90 the rest has been sold, and nobody's margin has been touched."""
    setup = by_hand([SHORT_AT_TWO], stops=[Stop(0, 0, 1, 40.0, 95.0), Stop(0, 0, 1, 7.0, 85.0)])
    setup.channels.stops = 0.5
    record = run(setup)
    np.testing.assert_allclose(record.stopped.sum(axis=(1, 2, 3)), [20.0, 0.0])
    np.testing.assert_allclose(record.open_interest[-1], 100.0)
    assert not record.triggers

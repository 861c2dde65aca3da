"""Accounts by class: the books say the same where both are exact, money adds up, and each count is what a hand count gives."""

import equinox as eqx
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.cascade import Backstop, Impact, LinearImpact, Venues
from jaxrisk.market import GBM, Shock
from jaxrisk.positions import Accounts, Calls, Grid, Limits, Policy, Tiers
from jaxrisk.scenario import Names, Scenario, Settings

ONE, TWO = np.ones(1), np.ones(2)
FINE = Grid(cells=20_000, first_step=2e-5, reach=2.0)
COUNT = 60
PRICE = 100.0


def crowd(seed=5, count=COUNT, inverse=False):
    """Longs and shorts of two classes, each position an account of its own."""
    random = np.random.default_rng(seed)
    entry = PRICE * np.exp(random.uniform(-0.02, 0.02, count))
    leverage = np.exp(random.uniform(0.5, 3.5, count))
    side = np.where(np.arange(count) % 2 == 0, 1, -1)
    quantity = random.uniform(10.0, 1000.0, count)
    kind = (np.arange(count) // 2) % 2
    zero = np.zeros(count, np.int64)
    return Accounts(quantity, entry, quantity * entry / leverage, zero, zero, side, kind)


def market(book="ladder", size=-0.12, volatility=0.8, kept=1.0, fee=0.002, fund=1e5, closes_opposite=0.0, calls=None, policy=None,
           inverse=False, limits=None, steps=24, population=None, depth=2e7, window=0.0):  # fmt: skip
    backstop = None if kept is None else Backstop([fund], [kept], [0.3], ("pro_rata",), ("fund_empty",), (8 / 8760,))
    return Scenario(
        market=GBM(0 * ONE, volatility * ONE, np.eye(1)),
        shock=Shock([size], [window], [1 / 730]),
        impact=Impact(LinearImpact(depth * ONE), 3000.0 * ONE, 0 * ONE, np.eye(1)),
        venues=Venues(0 * ONE, fee * ONE, closes_opposite * ONE, 100.0 * ONE, np.zeros((1, 1)), ONE, Tiers.flat(0.005),
                      ((1.0,),), (inverse,), backstop=backstop, policy=policy),
        populations={"all": population or crowd()},
        price=PRICE * ONE,
        limits=limits or Limits.none(),
        calls=calls,
        settings=Settings(1 / 365, steps),
        book=book,
        grid=FINE,
        names=Names(("venue",), ("asset",), ("retail", "professional")),
    )  # fmt: skip


BY_CLASS = ("accounts_closed_out", "accounts_closed_out_share", "collateral_lost", "accounts_half_lost_share",
            "accounts_closed_out_by_side")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"kept": 0.4},
        {"kept": None},
        {"inverse": True, "kept": 0.0},
        {"limits": Limits.single(8.0, share_downsize=0.6, close_out=0.5)},
    ],
    ids=["takeover", "handed back", "no backstop", "coin-margined", "limited"],
)
def test_ladder_and_accounts_count_alike(rules):
    """Closed whole, nobody closing of their own accord: both books are exact, but for who lies within a cell of an extreme.

    One class apart no account may be miscounted on more than a twentieth of the paths: the fine grid's cells are narrow.
    """
    run = lambda book: jr.simulate(market(book, **rules), paths=64, seed=2, precision="float64").losses
    ladder, account = run("ladder"), run("account")
    assert account["accounts_closed_out"].min(axis=0).tolist() != account["accounts_closed_out"].max(axis=0).tolist()
    for name in BY_CLASS:
        one, other = ladder[name], account[name]
        if name == "collateral_lost" and rules.get("kept") not in (None, 1.0):
            # what a ladder's batch leaves is known by its mean and spread, and is split among classes by what is liquidated
            one, other = one.sum(axis=1), other.sum(axis=1)
        else:
            assert (np.abs(one - other) > 1e-6 * np.abs(other).max()).mean() < 0.05, name
        np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), rtol=0.01, err_msg=name)
    np.testing.assert_allclose(ladder["accounts_closed_out_by_side"].sum(axis=1), ladder["accounts_closed_out"], rtol=1e-12)
    assert "fees_paid" not in ladder  # of a batch it knows the sum
    if "fees_paid" in account:
        np.testing.assert_allclose(account["fees_paid"].sum(axis=1), account["liquidation_fees"].sum(axis=1), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_money_of_closed_out_accounts_adds_up_to_the_float(kept, inverse):
    """All close in one round at one price: what they lost, and what they owe beyond it, is what the price took from them (to
    winners and to impact), the fees, and what their venue kept."""
    people = crowd()
    rules = {"size": -0.3, "volatility": 1e-9, "kept": kept, "fund": 1e9, "inverse": inverse, "depth": 1e9}
    still = market("account", steps=4, population=people, **rules)
    result = jr.simulate(still, paths=1, precision="float64", sample_paths=1)
    losses = {name: np.asarray(values[0]) for name, values in result.losses.items()}
    # by hand: who is closed out in the step of the fall, and at which price
    fell = int(np.argmin(result.samples["mark"][0, :, 0, 0]))
    mark = float(np.exp(result.samples["mark"][0, fell, 0, 0]))
    fall = float(np.exp(result.samples["fundamental"][0, fell, 0]))
    entry, side = people.entry_price / PRICE, people.side
    if inverse:
        held = people.quantity * people.entry_price
        equity = lambda x: held / entry * (people.collateral / held + side) * x - side * held
        required = lambda x: 0.005 * held
    else:
        held = people.quantity * PRICE
        equity = lambda x: people.collateral + side * held * (x - entry)
        required = lambda x: 0.005 * held * x
    alive = equity(1.0) >= required(1.0)
    closed = alive & (equity(fall) < required(fall)) & (side > 0)
    assert 5 < closed.sum() < alive.sum()
    assert losses["accounts_closed_out"].sum() == closed.sum()
    by_class = [(closed & (people.account_class == k)).sum() for k in (0, 1)]
    assert losses["accounts_closed_out"].tolist() == by_class
    negative = closed & (equity(mark) < 0.0)
    assert negative.sum() > 0
    assert losses["negative_balances"].sum() == negative.sum()
    np.testing.assert_allclose(losses["negative_balance_usd"].sum(), -equity(mark)[negative].sum(), rtol=1e-10)
    np.testing.assert_allclose(losses["negative_balance_usd"].sum(), losses["shortfall"].sum(), rtol=1e-10)
    taken = (equity(1.0) - equity(mark))[closed].sum()
    paid = losses["liquidation_fees"].sum() + losses["surplus_to_fund"].sum()
    np.testing.assert_allclose(losses["fees_paid"].sum(), losses["liquidation_fees"].sum(), rtol=1e-10)
    assert losses["accounts_closed_out_by_side"].tolist() == [by_class, [0.0, 0.0]]  # longs: the price fell
    lost = losses["collateral_lost"].sum() + losses["negative_balance_usd"].sum()
    if kept == 0.0:
        assert losses["surplus_to_fund"].sum() == 0.0
    np.testing.assert_allclose(lost, taken + paid, rtol=1e-10)


@pytest.mark.slow
def test_half_lost_counts_those_who_still_hold():
    """A fall that closes nobody out takes half from everybody above a leverage that one can reckon."""
    leverage = np.array([2.0, 3.0, 4.0, 5.2, 6.0, 7.0, 8.0])
    zero = np.zeros(7, np.int64)
    people = Accounts(np.ones(7), PRICE * np.ones(7), PRICE / leverage, zero, zero, zero + 1, zero)
    for book in ("ladder", "account"):
        fallen = market(book, size=-0.1, volatility=1e-9, population=people, depth=1e12)
        losses = jr.simulate(fallen, paths=1, precision="float64").losses
        assert losses["accounts_closed_out"][0].tolist() == [0.0, 0.0]
        # 0.1 l > 0.5: from 5 on
        np.testing.assert_allclose(losses["accounts_half_lost_share"][0], [4 / 7, 0.0], atol=1e-9)
        assert losses["collateral_lost"][0].tolist() == [0.0, 0.0]


@pytest.mark.slow
def test_who_has_left_is_not_closed_out():
    """Where holders close of their own accord a ladder counts fewer, and no fewer than its share of those who stay says."""
    stay, leave = (
        jr.simulate(market("ladder", closes_opposite=x, kept=None, size=-0.2), paths=32, precision="float64").losses
        for x in (0.0, 1.0)
    )
    held = leave["open_interest_loss"] / stay["liquidated_notional"].sum(axis=-1)
    assert held.max() < 2.0
    assert np.all(leave["accounts_closed_out"] <= stay["accounts_closed_out"] + 1e-9)
    assert leave["accounts_closed_out"].sum() < stay["accounts_closed_out"].sum()


@pytest.mark.slow
@pytest.mark.parametrize("book", ["ladder", "account"])
def test_calls_and_parts_are_counted_once(book):
    """An account is closed out once however often and in however many parts; together with its copies it is one.

    In a fall of nine tenths every long is, but for those that one step of 1% takes from above the call to where topping up saves
    them for good.
    """
    people = crowd()
    rules = {"size": -0.9, "volatility": 1e-9, "kept": 1.0, "fund": 1e12, "depth": 1e12, "population": people, "steps": 480,
             "window": 0.9 / 730}  # fmt: skip
    full = jr.simulate(market(book, **rules), paths=1, precision="float64").losses["accounts_closed_out"][0]
    calls = Calls(1.5 * TWO, 0.3 * TWO, 0.2 * TWO)
    many = jr.simulate(market(book, calls=calls, policy=Policy.same("partial"), **rules), paths=1, precision="float64").losses
    longs = np.array([((people.side > 0) & (people.account_class == k)).sum() for k in (0, 1)])
    np.testing.assert_array_less(full, longs + 1e-6)
    np.testing.assert_array_less(0.8 * longs, full)
    np.testing.assert_array_less(many["accounts_closed_out"][0], full + 1e-6)
    np.testing.assert_array_less(0.9 * full, many["accounts_closed_out"][0])


@pytest.mark.slow
def test_negative_balances_do_not_hang_on_who_makes_them_good():
    """Paid by a fund, or made good at the cost of the winners: as many, and what they owe is the shortfall."""
    still = {"size": -0.3, "volatility": 1e-9, "depth": 1e9, "steps": 4}
    funded, empty = (
        jr.simulate(market("account", fund=fund, **still), paths=1, precision="float64").losses for fund in (1e9, 0.0)
    )
    assert empty["deleveraged_notional"].sum() > 0.0 == funded["deleveraged_notional"].sum()
    assert funded["negative_balances"].sum() > 0.0
    np.testing.assert_array_equal(empty["negative_balances"], funded["negative_balances"])
    for losses in (funded, empty):
        np.testing.assert_allclose(losses["negative_balance_usd"].sum(), losses["shortfall"].sum(), rtol=1e-10)


@pytest.mark.slow
def test_a_last_portion_under_water_is_no_negative_balance():
    """An engine that takes a minute closes an account in portions, and the last of them are often below zero where the account as
    a whole is not: of some 230 accounts closed out in 16 paths a dozen have lost more than they had, and 69 a portion."""
    moving = market("account", size=-1e-6, volatility=1.5, steps=1440, depth=1e12)
    slow = eqx.tree_at(lambda one: one.venues.engine_time, moving, 60.0 / 31_536_000 * ONE)
    losses = jr.simulate(slow, paths=16, seed=2, precision="float64").losses
    assert losses["accounts_closed_out"].sum() > 200.0
    assert losses["negative_balance_usd"].sum() > 0.0
    assert 0.0 < losses["negative_balances"].sum() < 20.0

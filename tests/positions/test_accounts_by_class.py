"""Accounts by class: the books say the same where both are exact, money adds up, and each count is what a hand count gives."""

import dataclasses

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


def owed(scenario):
    """With who owes, and who pays, followed."""
    return scenario.replace(settings=dataclasses.replace(scenario.settings, owed_by_class=True))


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


PAYERS = {
    "insurance_fund_used_by_class": "insurance_fund_used",
    "deleveraging_loss_by_class": "deleveraging_loss",
    "socialised_loss_by_class": "socialised_loss",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "apart"),
    [
        ({}, 0.01),
        ({"fund": 1e4}, 0.01),
        ({"inverse": True, "kept": 0.0}, 0.01),
        ({"limits": Limits.single(8.0, share_downsize=0.6, close_out=0.5)}, 0.05),
    ],
    ids=["funded", "deleveraged", "coin-margined", "limited"],
)
def test_ladder_and_accounts_have_the_same_negative_balances(rules, apart):
    """Closed whole, nobody closing of their own accord: how many, what they owe, and who paid it, class by class.

    A class's part of a round is settled by the mean and spread of its bankruptcy prices, so that paths are near and means within
    a hundredth. Where a limit gathers accounts, which then are not spread evenly, the ladder's shortfall of all together is 4%
    off, and so are its classes'. They are apart by far more than that.
    """
    run = lambda book: jr.simulate(owed(market(book, **rules)), paths=64, seed=2, precision="float64").losses
    ladder, account = run("ladder"), run("account")
    assert account["negative_balances"].sum() > 0.0
    for name in ("negative_balances", "negative_balance_usd", *PAYERS):
        one, other = ladder[name], account[name]
        scale = np.abs(other).mean(axis=0).max()
        np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), atol=apart * scale, err_msg=name)
        assert np.abs(one - other).mean() <= 2.0 * apart * scale, name
    retail, professional = account["negative_balance_usd"].mean(axis=0)
    assert abs(retail - professional) > 0.1 * retail


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("fund", [1e9, 1e4, 0.0])
def test_what_classes_owe_is_the_shortfall(fund, precision):
    """To the last float, payer by payer and in all, also with a slow engine and holders who close of their own accord."""
    moving = market("ladder", fund=fund, closes_opposite=0.5, policy=Policy.same("partial"), kept=0.5)
    slow = owed(eqx.tree_at(lambda one: one.venues.engine_time, moving, 1800.0 / 31_536_000 * ONE))
    losses = jr.simulate(slow, paths=32, seed=2, precision=precision).losses
    rounding = {"rtol": 1e-12, "atol": 1e-8} if precision == "float64" else {"rtol": 1e-6, "atol": 1e-2}
    for mine, whole in PAYERS.items():
        np.testing.assert_allclose(losses[mine].sum(axis=1), losses[whole].sum(axis=1), **rounding, err_msg=mine)
    assert losses["shortfall"].sum() > 0.0
    np.testing.assert_allclose(losses["negative_balance_usd"].sum(axis=1), losses["shortfall"].sum(axis=1), **rounding)
    paid = {name: float(losses[name].sum()) for name in PAYERS}
    assert (paid["deleveraging_loss_by_class"] > 0.0) == (fund < 1e9)
    assert np.all(losses["negative_balances"] >= 0.0)
    assert np.all(losses["negative_balances"] <= losses["accounts_closed_out"] + 1e-6)
    assert 0.0 < losses["negative_balances"].sum() < losses["accounts_closed_out"].sum()


@pytest.mark.slow
def test_who_paid_of_accounts_adds_up_too():
    """In the account book by class of the accounts themselves, each venue's by those at home there."""
    losses = jr.simulate(owed(market("account", fund=1e4)), paths=32, seed=2, precision="float64").losses
    for mine, whole in PAYERS.items():
        np.testing.assert_allclose(losses[mine].sum(axis=1), losses[whole].sum(axis=1), rtol=1e-12, atol=1e-8, err_msg=mine)


@pytest.mark.slow
def test_a_class_that_owes_nothing_has_nothing_paid_for_it():
    """Professionals of a leverage that no fall reaches: retail's losses beyond the collateral are all retail's."""
    people = crowd()
    safe = np.where(people.account_class == 1, people.quantity * people.entry_price / 1.1, people.collateral)
    people = Accounts(people.quantity, people.entry_price, safe, people.venue, people.asset, people.side, people.account_class)
    for book in ("ladder", "account"):
        losses = jr.simulate(owed(market(book, population=people, fund=1e4)), paths=16, seed=2, precision="float64").losses
        assert losses["negative_balances"][:, 0].sum() > 0.0
        for name in ("negative_balances", "negative_balance_usd", *PAYERS):
            np.testing.assert_allclose(losses[name][:, 1], 0.0, atol=1e-9, err_msg=f"{book} {name}")


@pytest.mark.slow
def test_nothing_else_changes_where_it_is_followed():
    """The same paths: what is followed besides moves no price and closes nobody."""
    for book in ("ladder", "account"):
        plain = market(book, fund=1e4, closes_opposite=0.5)
        one, other = (jr.simulate(x, paths=32, seed=3, precision="float64").losses for x in (plain, owed(plain)))
        assert set(PAYERS) <= set(other) - set(one)
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-9, atol=1e-9, err_msg=f"{book} {name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "rules",
    [{}, {"kept": 0.4}, {"inverse": True}, {"limits": Limits.single(8.0, share_downsize=0.6, close_out=0.5)}],
    ids=["takeover", "handed back", "coin-margined", "capped"],
)
def test_buckets_of_leverage_are_counted_alike_and_add_up(rules):
    """Both books, by the leverage that accounts begin with, after limits; buckets make up the classes."""
    edges, losses = (2.0, 5.0, 8.0, 20.0), {}
    for book in ("ladder", "account"):
        plain = market(book, **rules)
        scenario = plain.replace(settings=dataclasses.replace(plain.settings, leverage_buckets=edges))
        result = jr.simulate(scenario, paths=64, seed=2, precision="float64")
        losses[book] = result.losses
        assert result.columns("accounts_closed_out_by_leverage")[0] == "accounts_closed_out_by_leverage[up to 2]"
        for name in ("accounts_closed_out", "collateral_lost"):
            of_classes, of_buckets = result.losses[name].sum(axis=1), result.losses[f"{name}_by_leverage"].sum(axis=1)
            np.testing.assert_allclose(of_buckets, of_classes, rtol=1e-9, atol=1e-6, err_msg=f"{book} {name}")
    ladder, account = losses["ladder"], losses["account"]
    counts = account["accounts_closed_out_by_leverage"]
    assert np.count_nonzero(counts.sum(axis=0)) >= 2
    if "limits" in rules:  # nobody is above the cap, and who is at it is in the bucket that ends there
        assert counts[:, 3:].sum() == 0.0 < counts[:, 2].sum()
    names = ["accounts_closed_out_by_leverage", "accounts_closed_out_share_by_leverage"]
    names += [] if rules.get("kept") else ["collateral_lost_by_leverage"]
    for name in names:
        one, other = ladder[name], account[name]
        assert (np.abs(one - other) > 1e-6 * np.abs(other).max()).mean() < 0.05, name
        np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), rtol=0.01, atol=1e-9, err_msg=name)

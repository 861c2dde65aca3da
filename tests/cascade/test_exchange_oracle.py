"""What exchanges do besides liquidating - backstop, policies, calls, stops - against the oracles, account by account.

Draws in which a decision hangs by less than the grid can tell are left out, on the oracle's word alone; on all others price,
who, when, how much, the fund and open interest have to agree to `TOLERANCE`. The oracles themselves are checked by hand in
`oracles/test_by_hand.py`.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from oracles import cross_engine, event_engine
from oracles.draws import FINE, FLAT, JUMPS, LARGE, REACH, SAME_DRAWS, STEEP, Frame, close, furthest, nearest_call, setups
from oracles.package import engine, equities

LADDERS = {
    "fund": Frame(ranking=("pro_rata",), trigger=("fund_empty",), tiers=(STEEP,)),
    "drawdown": Frame(ranking=("pro_rata",), trigger=("fund_drawdown",), tiers=(STEEP,), rounds=3, inverse=(True,)),
    "account_value": Frame(ranking=("binance",), trigger=("account_value",), rounds=2, tiers=(STEEP,)),
    "partial": Frame(policy=("partial",), ranking=("hyperliquid",), trigger=("fund_empty",), tiers=(STEEP,), rounds=2),
    "lower_tier": Frame(
        venues=2,
        policy=("lower_tier", "full"),
        tranches=((1.0,), (1.0,)),
        inverse=(False, True),
        ranking=("pro_rata", "bitmex"),
        trigger=("fund_empty", "fund_drawdown"),
        tiers=(STEEP, FLAT),
        leakage=True,
        shock=1,
    ),
    "to_margin": Frame(policy=("to_margin",), ranking=("pro_rata",), trigger=("fund_empty",), tiers=(STEEP,)),
    "to_margin_inverse": Frame(policy=("to_margin",), tiers=(STEEP,), inverse=(True,), calls=True),
    "calls": Frame(calls=True, tiers=(STEEP,), rounds=2, policy=("partial",)),
    "calls_inverse": Frame(calls=True, tiers=(STEEP,), inverse=(True,), ranking=("pro_rata",), trigger=("fund_empty",)),
    "whole": Frame(tiers=(JUMPS,), whole=(True,), calls=True, policy=("lower_tier",)),
    "stops": Frame(stops=5, rounds=3, calls=True, ranking=("pro_rata",), trigger=("account_value",)),
    "temporary": Frame(temporary=True, tiers=(STEEP,), depth=True, rounds=2, ranking=("pro_rata",), trigger=("fund_empty",)),
    "common_holders": Frame(assets=3, common=True, tiers=(STEEP,), depth=True, shock=-1, rounds=2),
    "everything": Frame(
        venues=2,
        assets=2,
        law="power",
        rounds=3,
        tranches=((0.3, 0.7), (1.0,)),
        inverse=(False, False),
        tiers=(STEEP, STEEP),
        depth=True,
        policy=("tranches", "partial"),
        ranking=("pro_rata", "pro_rata"),
        trigger=("fund_empty", "account_value"),
        calls=True,
        stops=4,
        leakage=True,
        common=True,
        temporary=True,
        shock=0,
    ),
}
FUND = ("fund", "used", "forgone", "socialised", "fees", "surplus", "returned")
WHAT = ("agreed", "liquidated", "partly", "deleveraged", "paid", "emptied", "socialised", "called", "stopped", "reduced", "met")


def count(tally: dict, record, total: float, partly: bool):
    """Add what happened in a draw."""
    found = {
        "agreed": True,
        "liquidated": bool(record.triggers),
        "partly": partly,
        "deleveraged": record.deleveraged.sum() > 1e-3 * total,
        "paid": record.used[-1].sum() > 1e-6 * total,
        "emptied": ((record.used[-1] > 0.0) & (record.fund.min(axis=0) == 0.0)).any(),
        "socialised": record.socialised[-1].sum() > 1e-6 * total,
        "called": record.margin_called[-1].sum() > 0.0,
        "stopped": record.stopped.sum() > 0.0,
        "reduced": record.reduced.sum() > 0.0,
        "met": record.matched.sum() > 1e-3 * total,
    }
    for what, happened in found.items():
        tally[what] += int(happened)


def demand(tally: dict, frame: Frame):
    """The draws are always the same: they have to contain what they are meant to test."""
    least = {"agreed": 15, "liquidated": 10}
    if frame.ranking:
        least |= {"deleveraged": 8, "paid": 4, "emptied": 2, "socialised": 4}
    if any(kind in ("partial", "lower_tier", "to_margin", "tranches") for kind in frame.policy):
        least |= {"partly": 8}
    if frame.calls:
        least |= {"called": 10, "reduced": 10}
    if frame.stops:
        least |= {"stopped": 10}
    assert all(tally[what] >= number for what, number in least.items()), (tally, least)


@pytest.mark.slow
@pytest.mark.parametrize("name", LADDERS)
def test_ladder_agrees_with_the_accounts(name):
    """Price, open interest, orders, fund and margin called, at every step."""
    frame, tally = LADDERS[name], dict.fromkeys(WHAT, 0)
    grid = FINE if frame.venues * frame.assets < 3 else LARGE

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = event_engine.run(setup)
        assume(furthest(record) < REACH)
        assume(nearest_call(record, grid) > 3.0)
        assume(not record.mixed)
        _, (states, held, losses) = engine(frame, setup, numbers, jnp.float64, grid)
        total = record.initial_open_interest.sum()

        close(held[0][..., 0], record.initial_open_interest, total)
        close(states.price, record.price)
        close(states.mark, record.mark)
        close(held[1:], record.open_interest, total)
        close(states.book.backlog, record.backlog, total)
        close(losses["called"], record.margin_called, total)
        close(states.seen.notional, np.cumsum(record.notional, axis=0), total)
        for kind in ("deleveraged", "stopped", "reduced"):
            if kind in states.seen.sums:
                close(states.seen.sums[kind], np.cumsum(record.worth[kind], axis=0), total)
        if frame.ranking:
            for of_fund in FUND:
                close(getattr(states.fund, of_fund), getattr(record, of_fund), total)
            close(losses["shortfall"], record.shortfall[-1], total)
        count(tally, record, total, any(number > 0 for _, _, number, _ in record.triggers))

    agree()
    demand(tally, frame)


ACCOUNTS = {
    "plain": Frame(tiers=(STEEP,), book="account"),
    "whole": Frame(tiers=(JUMPS,), whole=(True,), calls=True, policy=("lower_tier",), book="account"),
    "whole_cross": Frame(
        venues=2,
        assets=2,
        tiers=(JUMPS, STEEP),
        whole=(True, False),
        tranches=((1.0,), (1.0,)),
        inverse=(False, True),
        cross=True,
        policy=("lower_tier", "full"),
        book="account",
    ),
    "fund": Frame(tiers=(STEEP,), rounds=2, policy=("full",), ranking=("pro_rata",), trigger=("fund_empty",), book="account"),
    "partial": Frame(
        tiers=(STEEP,), rounds=2, policy=("partial",), ranking=("hyperliquid",), trigger=("account_value",), book="account"
    ),
    "to_margin": Frame(
        tiers=(STEEP,), rounds=2, policy=("to_margin",), ranking=("binance",), trigger=("fund_empty",), book="account"
    ),
    "to_margin_cross": Frame(
        venues=2,
        assets=2,
        inverse=(False, True),
        tranches=((1.0,), (1.0,)),
        tiers=(JUMPS, STEEP),
        whole=(True, False),
        rounds=2,
        policy=("to_margin", "to_margin"),
        ranking=("pro_rata", "hyperliquid"),
        trigger=("account_value", "fund_empty"),
        cross=True,
        calls=True,
        book="account",
    ),
    "inverse": Frame(
        tiers=(STEEP,),
        inverse=(True,),
        rounds=2,
        policy=("partial",),
        ranking=("binance",),
        trigger=("fund_empty",),
        book="account",
    ),
    "calls_stops": Frame(
        tiers=(STEEP,),
        rounds=2,
        policy=("partial",),
        ranking=("minimax_leverage",),
        trigger=("fund_empty",),
        calls=True,
        stops=4,
        book="account",
    ),
    "cross": Frame(
        venues=2,
        assets=2,
        inverse=(False, True),
        tranches=((1.0,), (1.0,)),
        tiers=(STEEP, STEEP),
        rounds=2,
        policy=("lower_tier", "full"),
        ranking=("bitmex", "minimax_leverage"),
        trigger=("fund_empty", "fund_drawdown"),
        cross=True,
        funding=True,
        book="account",
    ),
    "everything": Frame(
        venues=2,
        assets=2,
        inverse=(False, True),
        tranches=((1.0,), (1.0,)),
        tiers=(STEEP, STEEP),
        rounds=3,
        policy=("partial", "lower_tier"),
        ranking=("pro_rata", "hyperliquid"),
        trigger=("account_value", "fund_empty"),
        cross=True,
        calls=True,
        stops=4,
        depth=True,
        leakage=True,
        common=True,
        shock=1,
        book="account",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ACCOUNTS)
def test_accounts_agree_with_the_accounts(name):
    """Price, open interest, every account's equity, fund and margin called, at every step; and no cash is made or lost."""
    frame, tally = ACCOUNTS[name], dict.fromkeys(WHAT, 0)

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = cross_engine.run(setup)
        assume(record.furthest < REACH)
        assume(record.nearest > 1e-7)
        prepared, (states, held, losses) = engine(frame, setup, numbers, jnp.float64, FINE)
        total = record.initial_open_interest.sum()

        close(held[0][..., 0], record.initial_open_interest, total)
        close(states.price, record.price)
        close(states.mark, record.mark)
        close(held[1:], record.open_interest, total)
        close(equities(prepared, states, setup), record.equity, total)
        close(losses["called"], record.margin_called, total)
        if frame.ranking:
            for of_fund in FUND:
                close(getattr(states.fund, of_fund), getattr(record, of_fund), total)
            close(losses["shortfall"], record.shortfall[-1], total)
        assert record.created <= 1e-10 * total
        count(tally, record, total, any(share < 1.0 for *_, share in record.triggers))

    agree()
    demand(tally, frame)

"""What exchanges do besides liquidating - backstop, policies, calls, stops - against the oracles, account by account.

Draws in which a decision hangs by less than the grid can tell are left out, on the oracle's word alone; on all others price,
who, when, how much, the fund and open interest have to agree to `TOLERANCE`.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from oracles import event_engine as ladder_oracle
from oracles.draws import FINE, FLAT, REACH, SAME_DRAWS, STEEP, Frame, close, engine, furthest, nearest_call, setups

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
    "calls": Frame(calls=True, tiers=(STEEP,), rounds=2, policy=("partial",)),
    "calls_inverse": Frame(calls=True, tiers=(STEEP,), inverse=(True,), ranking=("pro_rata",), trigger=("fund_empty",)),
    "stops": Frame(stops=5, rounds=3, calls=True, ranking=("pro_rata",), trigger=("account_value",)),
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
        shock=0,
    ),
}
FUND = ("fund", "used", "forgone", "socialised", "fees", "surplus", "returned")


@pytest.mark.parametrize("name", LADDERS)
def test_ladder_agrees_with_the_accounts(name):
    """Price, open interest, orders, fund and margin called, at every step."""
    frame = LADDERS[name]
    tally = dict.fromkeys(
        ("agreed", "liquidated", "partly", "deleveraged", "paid", "emptied", "socialised", "called", "stopped", "reduced", "capped"), 0
    )

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = ladder_oracle.run(setup)
        assume(furthest(record) < REACH)
        assume(nearest_call(record, FINE) > 3.0)
        assume(not record.mixed)
        _, (states, held, losses) = engine(frame, setup, numbers, jnp.float64, FINE)
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

        tally["agreed"] += 1
        tally["liquidated"] += bool(record.triggers)
        tally["partly"] += any(number > 0 for _, _, number, _ in record.triggers)
        tally["deleveraged"] += record.deleveraged.sum() > 0.0
        tally["paid"] += record.used[-1].sum() > 0.0
        tally["emptied"] += bool(((record.used[-1] > 0.0) & (record.fund.min(axis=0) == 0.0)).any())
        tally["socialised"] += record.socialised[-1].sum() > 1e-6 * total
        tally["called"] += record.margin_called[-1].sum() > 0.0
        tally["stopped"] += record.stopped.sum() > 0.0
        tally["reduced"] += record.reduced.sum() > 0.0

    agree()
    # the draws are always the same: they have to contain what they are meant to test
    print(name, tally)

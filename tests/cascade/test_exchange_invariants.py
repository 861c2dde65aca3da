"""What has to hold on every path and step under the rules of real exchanges, in every book and both precisions."""

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from oracles import event_engine
from oracles.draws import SAME_DRAWS, STEPS, Frame, setups, shipped
from oracles.package import engine, engine_of, scenario_of

from jaxrisk.positions import Grid, Limits, Lognormal

pytestmark = pytest.mark.hurried

PRESETS = {
    "binance": Frame(
        tiers=(shipped("binance", "BTC"),), largest=8.5, policy=("to_margin",), ranking=("binance",), trigger=("fund_empty",)
    ),
    "bybit": Frame(
        tiers=(shipped("bybit", "BTC"),), largest=8.5, policy=("lower_tier",), ranking=("bitmex",), trigger=("fund_drawdown",)
    ),
    "hyperliquid": Frame(
        tiers=(shipped("hyperliquid", "BTC"),),
        largest=8.5,
        policy=("partial",),
        ranking=("hyperliquid",),
        trigger=("account_value",),
    ),
}
RULES = {
    "binance": {"fee": 0.0035, "surplus": 1.0},
    "bybit": {"fee": 0.0, "surplus": 1.0},
    "hyperliquid": {"fee": 0.0, "surplus": 0.0},
}
PRECISIONS = {"float64": (jnp.float64, 1e-10), "float32": (jnp.float32, 1e-5)}
# as many rows in every table, the last one repeated, so that presets which differ in nothing else share their programs
LEVELS = max(len(frame.tiers[0]) for frame in PRESETS.values())
PADDED = {name: (rows := frame.tiers[0]) + rows[-1:] * (LEVELS - len(rows)) for name, frame in PRESETS.items()}
NODES = (256, 4, 2)  # of a crowd: what holds of every position holds of as many
FLOWING = {"ladder": (0.0,), "account": (0.0,), "flow": (0.0, 0.05)}


def within(setup, thresholds, states, when: int, grid: Grid) -> np.ndarray:
    """Quantity of the accounts whose first liquidation price has been reached, to within two cells; by side."""
    total = np.zeros(2)
    run = -float(states.low[when, 0, 0]), float(states.high[when, 0, 0])
    a, b = grid._a, grid._b  # the width of a cell is that of `Grid.width`, without the compiler
    for account, prices in zip(setup.accounts, thresholds, strict=True):
        if prices and abs(prices[0]) <= run[account.index] + 2.02 * math.sqrt(a**2 + 4.0 * b * abs(prices[0])) + 1e-5:
            total[account.index] += account.quantity * setup.price[0]
    return total


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("book", FLOWING)
@pytest.mark.parametrize("preset", PRESETS)
def test_invariants_on_every_path_and_step(preset, book, precision):
    """Longs equal shorts; nothing is negative; the fund's account adds up and it never pays more than it holds.

    And nobody is liquidated above the maintenance margin, where no loss is charged to holders (`AccountBook`) and nobody opens.
    """
    dtype, tolerance = PRECISIONS[precision]
    happened = []
    for rate in FLOWING[book]:
        frame = PRESETS[preset]._replace(rounds=2, calls=True, stops=2, book=book, flow=rate)

        @SAME_DRAWS
        @given(drawn=setups(frame))
        def hold(drawn):
            setup, numbers = drawn
            grid, venue = Grid(), setup.venues[0]
            setup.reach, venue.fee, venue.backstop.surplus_to_fund = grid.reach, RULES[preset]["fee"], RULES[preset]["surplus"]
            _, (states, held, losses) = engine(frame, setup, numbers, dtype, grid)
            total = held[0].sum() / 2
            slack = tolerance * max(total, held.max())
            assert held.dtype == dtype
            assert np.abs(held[..., 0] - held[..., 1]).max() <= slack
            assert held.min() >= -slack
            if rate == 0.0:
                assert np.diff(held, axis=0).max() <= slack

            # every cause has its part of what is lost, and nothing is lost without one
            causes = losses["open_interest_loss_by_cause"]
            assert causes[:4].min() >= -slack
            if rate == 0.0:
                assert abs(causes[:4].sum() - losses["open_interest_loss_usd"]) <= slack

            # the fund: what came in and what went out
            fund, start = states.fund, venue.backstop.fund
            for part in (fund.used, fund.socialised, fund.fees, fund.surplus, fund.returned):
                assert np.isfinite(part).all()
                assert np.diff(part, axis=0, prepend=0.0).min() >= -slack
            assert fund.fund.min() >= -slack
            assert np.abs(start + fund.fees + fund.surplus - fund.used - fund.fund).max() <= slack
            assert np.abs(fund.used + fund.forgone + fund.socialised - losses["shortfall"]).max(axis=-1)[-1] <= slack
            paid = np.diff(fund.used, axis=0, prepend=0.0)
            before = np.concatenate([[[start]], fund.fund[:-1]])
            came = np.diff(fund.fees + fund.surplus, axis=0, prepend=0.0)
            assert (paid <= before + came + slack).all()
            assert np.diff(losses["called"], axis=0, prepend=0.0).min() >= -slack

            # who is liquidated
            charged = book == "account" and (fund.socialised[-1].sum() > 0.0 or fund.forgone[-1].sum() != 0.0)
            if rate == 0.0 and not charged:
                thresholds = event_engine.thresholds_of(setup)
                for when in range(STEPS):
                    most = within(setup, thresholds, states, when, grid) * np.exp(states.high[when, 0, 0])
                    assert (states.seen.notional[when, 0, 0] <= most + slack).all(), when
            happened.append((states.seen.notional[-1].sum() > 0.0, losses["deleveraged_notional"].sum() > 0.0))

        hold()
    liquidated, deleveraged = np.sum(happened, axis=0)
    assert liquidated >= 10
    assert deleveraged >= 5


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "book"), [*((p, b) for p in PRESETS for b in ("ladder", "account")), ("binance", "flow")])
def test_a_lower_cap_never_raises_what_is_liquidated_without_feedback(preset, book):
    """Holders keep their collateral, nothing leaks, prices are given: every cap liquidates no more than a higher one.

    Positions are closed whole and sold: one that a cap brings under the size from which a venue closes in parts is closed whole,
    and whoever is not deleveraged any more can be liquidated later.
    """
    frame = PRESETS[preset]._replace(tiers=(PADDED[preset],), book=book, policy=("full",), ranking=(), trigger=())
    falls = []
    crowd = {str(side): Lognormal(1e9, 15.0, 0.8, size_median=1e5, size_log_sd=1.0, side=side) for side in (1, -1)}
    draws = 4 if book == "flow" else 30  # a flow book takes long to tabulate

    @settings(SAME_DRAWS, max_examples=draws)
    @given(drawn=setups(frame))
    def fewer(drawn):
        setup, numbers = drawn
        setup.channels.feedback, setup.venues[0].closes_opposite, setup.reach = 0.0, 0.0, Grid().reach
        liquidated = []
        for cap in (1e3, 20.0, 7.0, 3.0):
            limits = Limits.single(cap, share_downsize=1.0)
            capped = lambda: replace(scenario_of(frame, setup, numbers, Grid()), populations=crowd, limits=limits)
            _, (states, _, _) = engine_of(capped, jnp.float64, NODES)
            liquidated.append(states.seen.notional[-1, 0, 0])
        liquidated = np.array(liquidated)
        assert np.diff(liquidated, axis=0).max() <= 1e-10 * liquidated.max(), liquidated
        falls.append(liquidated[0].sum() > liquidated[-2].sum() > 0.0)

    fewer()
    assert sum(falls) >= draws // 4

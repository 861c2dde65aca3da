"""The ladder engine against the event-driven oracle, and what has to hold on every path and step.

Scenarios are drawn by Hypothesis, the same ones every time.

The ladder spreads an account's trigger over three cells of its grid, the oracle does not. So draws in which some trigger lies
within three cells of an extreme that the mark has visited are discarded, on the oracle's word alone; on all others the two have
to agree to `TOLERANCE`, relative to the open interest or to one unit of log price.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from oracles import event_engine as oracle
from oracles.draws import FINE, FLAT, REACH, SAME_DRAWS, STEEP, STEPS, Frame, close, furthest, nearest_call, setups, shipped
from oracles.package import engine

from jaxrisk.positions import Grid, LadderBook, View

pytestmark = pytest.mark.hurried

FRAMES = {
    "plain": Frame(),
    "rounds": Frame(rounds=4, tiers=(STEEP,)),
    "inverse": Frame(inverse=(True,), tiers=(STEEP,), rounds=2, law="table"),
    "tranches": Frame(tranches=((0.2, 0.3, 0.5),), tiers=(STEEP,), law="power"),
    "inverse_tranches": Frame(tranches=((0.4, 0.6),), inverse=(True,), tiers=(STEEP,), rounds=3),
    "two_venues": Frame(
        venues=2, rounds=3, tranches=((1.0,), (0.5, 0.5)), inverse=(False, True), tiers=(STEEP, FLAT), depth=True
    ),
    "three_assets": Frame(assets=3, rounds=2, law="power", depth=True, tiers=(STEEP,)),
    "shipped_tiers": Frame(
        venues=2,
        rounds=2,
        tranches=((1.0,), (1.0,)),
        inverse=(False, False),
        tiers=(shipped("binance", "BTC"), shipped("hyperliquid", "SOL")),
        largest=9.0,
    ),
    "everything": Frame(
        venues=2,
        assets=2,
        law="table",
        rounds=4,
        tranches=((0.25, 0.75), (1.0,)),
        inverse=(False, False),
        tiers=(STEEP, STEEP),
        depth=True,
        years_per_step=1.0 / (365 * 24 * 180),  # twenty seconds: three steps a minute
    ),
}


def side_index(account: oracle.Account) -> int:
    return 0 if account.side > 0 else 1


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMES)
def test_ladder_agrees_with_the_accounts_walked_one_at_a_time(name):
    """Who is liquidated, at which step, for how much, and what becomes of price and open interest."""
    frame, tally = FRAMES[name], {"agreed": 0, "liquidated": 0, "set off": 0, "partly": 0, "both sides": 0}

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = oracle.run(setup)
        assume(furthest(record) < REACH)
        assume(nearest_call(record, FINE) > 3.0)
        prepared, (states, held, losses) = engine(frame, setup, numbers, jnp.float64, FINE)
        total = record.initial_open_interest.sum()

        close(held[0][..., 0], record.initial_open_interest, total)
        left_out = np.zeros_like(held[0])
        for number in record.dropped:
            account = setup.accounts[number]
            left_out[account.venue, account.asset, side_index(account)] += worth(setup, account)
        close(prepared.book.dropped, left_out, total)
        close(states.price, record.price)
        close(states.mark, record.mark)
        close(held[1:], record.open_interest, total)
        close(states.book.backlog, record.backlog, total)
        close(states.seen.notional, np.cumsum(record.notional, axis=0), total)
        # accounts are of all different sizes, so a sum of sizes says which they are
        taken = np.zeros_like(held)
        for when, number, tranche, _ in record.triggers:
            account = setup.accounts[number]
            size = worth(setup, account) * frame.tranches[account.venue][tranche]
            taken[when + 1 :, account.venue, account.asset, side_index(account)] += size
        close(states.book.reached, taken[1:], total)
        for observable, theirs in record.losses.items():
            unit = total if "usd" in observable or "notional" in observable or observable == "peak_minute_liquidation" else 1.0
            unit = total if observable == "open_interest_loss" else unit
            close(losses[observable], theirs, unit)

        tally["agreed"] += 1
        tally["liquidated"] += bool(record.triggers)
        worst = np.minimum.accumulate(setup.fundamental, axis=0), np.maximum.accumulate(setup.fundamental, axis=0)
        for when, number, tranche, _ in record.triggers:
            account = setup.accounts[number]
            run = worst[side_index(account)][when + 1, account.asset]
            tally["set off"] += abs(record.thresholds[number][tranche]) > abs(run)
            tally["partly"] += tranche > 0
        tally["both sides"] += len({setup.accounts[n].side for _, n, _, _ in record.triggers}) == 2

    agree()
    # the draws are always the same: they have to contain what they are meant to test
    assert tally["agreed"] >= 15, tally
    assert tally["liquidated"] >= 10, tally
    assert tally["set off"] >= 5, tally
    assert tally["both sides"] >= 3, tally
    if any(len(t) > 1 for t in frame.tranches):
        assert tally["partly"] >= 5, tally


PRECISIONS = {"float64": (jnp.float64, 1e-10), "float32": (jnp.float32, 1e-5)}


def worth(setup, account):
    return oracle.worth_at_start(account, setup.venues[account.venue], setup.price[account.asset])


def triggered_within(setup, all_thresholds, distance):
    """What the accounts themselves say is under margin at these distances, USD; `distance(width)` by venue, asset and side."""
    total = np.zeros((len(setup.venues), len(setup.price), 2))
    grid = Grid()
    for account, thresholds in zip(setup.accounts, all_thresholds, strict=True):
        where = account.venue, account.asset, side_index(account)
        size = worth(setup, account)
        for threshold, tranche in zip(thresholds, setup.venues[account.venue].tranches, strict=False):
            # a trigger is spread over no more than two cells to either side
            width = math.sqrt(grid._a**2 + 4.0 * grid._b * abs(threshold))
            if abs(threshold) <= distance(width)[where]:
                total[where] += size * tranche
    return total


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["tranches", "two_venues", "everything"])
def test_invariants_on_every_path_and_step(name, precision):
    """On the ordinary grid: longs equal shorts, open interest never negative nor rising, nobody liquidated above the margin."""
    frame, (dtype, tolerance) = FRAMES[name], PRECISIONS[precision]
    liquidated = []

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def hold(drawn):
        setup, numbers = drawn
        setup.reach = Grid().reach
        _, (states, held, _) = engine(frame, setup, numbers, dtype, Grid())
        assert held.dtype == dtype
        # thresholds only: the oracle's walk is not needed here
        thresholds = oracle.thresholds_of(setup)
        total = held[0].sum() / 2
        slack = tolerance * total
        assert np.abs(held[..., 0] - held[..., 1]).max() <= slack
        assert held.min() >= -slack
        assert np.diff(held, axis=0).max() <= slack
        for part in (states.book.backlog, states.book.unlevered, 1.0 - states.book.scale, states.book.scale):
            assert part.min() >= -max(slack, tolerance)
        for when in range(STEPS):
            run = np.stack([-states.low[when], states.high[when]], axis=-1)
            most = triggered_within(setup, thresholds, lambda width: run + 2.02 * width + 1e-5)
            assert (states.book.reached[when] <= most + slack).all(), when
            # and nobody is spared who was below it at the end of the step before
            earlier = np.stack([-states.low[when - 1], states.high[when - 1]], axis=-1) if when else 0.0 * run
            least = triggered_within(setup, thresholds, lambda width: earlier - 2.02 * width - 1e-5)
            assert (states.book.reached[when] >= least - slack).all(), when
        liquidated.append(states.book.reached[-1].sum() > 0.0)

    hold()
    assert sum(liquidated) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_quantity_that_leaves_one_hand_arrives_in_another(precision):
    """The book alone, driven by marks that know nothing of it: triggering and executing conserve quantity on both sides."""
    dtype, tolerance = PRECISIONS[precision]
    random = np.random.default_rng(5)
    with jax.enable_x64(dtype == jnp.float64):
        quantity = np.cumsum(random.exponential(size=(2, 3, 2, 65)) * (random.random((2, 3, 2, 65)) < 0.3), axis=-1)
        quantity -= quantity[..., :1]
        larger = quantity[..., -1].max(axis=-1, keepdims=True)
        array = lambda x: jnp.asarray(x, dtype)
        book = LadderBook(
            quantity=array(quantity),
            class_notional=array(quantity[..., None, :]),
            unlevered=array(larger - quantity[..., -1]),
            dropped=array(np.zeros((2, 3, 2))),
            balancing=array(np.zeros((2, 3, 2))),
            grid=Grid(cells=64, first_step=0.01, reach=2.0),
        )
        share, closes = array([1.0, 0.4]), array([0.7, 1.0])
        state, low, high = book.init(), np.zeros((2, 3)), np.zeros((2, 3))
        volume = 0.0
        same = lambda a, b: np.testing.assert_array_less(np.abs(np.asarray(a) - np.asarray(b)) / larger, tolerance)
        for _ in range(60):
            mark = np.cumsum(random.normal(scale=0.2, size=(2, 3)))[-1] + random.normal(scale=0.4, size=(2, 3))
            low, high = np.minimum(low, mark), np.maximum(high, mark)
            held, reached = book.open_interest(state), state.reached
            scale = state.scale
            seen = View(*map(array, (mark, low, high, mark, mark, np.zeros(3), np.zeros(3))), jnp.int32(0))
            state = book.trigger(state, seen)
            same(book.open_interest(state), held)  # triggering changes hands only
            backlog, before = state.backlog, state
            state, orders = book.release(state, share)
            executed = orders.forced()
            state, closed = book.settle(state, orders, jnp.exp(array(mark)), 0.0 * share, closes)
            same(executed, share[:, None, None] * backlog)
            same(backlog - executed, state.backlog)
            fall = held - book.open_interest(state)
            gone = closed.matched[..., None] + closed.holders.sum(axis=-1, keepdims=True)
            same(fall, np.broadcast_to(gone, fall.shape))
            # who takes the other end: forced orders of the other side, closing holders as far as there are any, new ones
            free = np.asarray(book.open_interest(before) - backlog)
            same(closed.matched[..., None], np.asarray(executed).min(axis=-1, keepdims=True))
            rest = executed - closed.matched[..., None]
            expected = np.minimum(closes[:, None, None] * rest[..., ::-1], free)
            same(closed.holders, expected)
            same(closed.opened, rest - expected[..., ::-1])
            assert (np.asarray(reached) <= np.asarray(state.reached)).all()
            assert (np.asarray(state.scale) <= np.asarray(scale)).all()
            volume += float(executed.sum())
        assert volume > 0.3 * quantity[..., -1].sum()

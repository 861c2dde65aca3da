"""The books against each other where they have to say the same, and how far they may be apart where they need not."""

from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from oracles import event_engine
from oracles.draws import FINE, REACH, SAME_DRAWS, STEEP, STEPS, Frame, close, furthest, nearest_call, setups
from oracles.event_engine import Account, Tier, Venue, trigger_log_prices
from oracles.package import engine

from jaxrisk.positions import Accounts, Contracts, Grid, Limits, Tiers, build_ladder

pytestmark = pytest.mark.hurried

PLAIN = Frame(tiers=(STEEP,), rounds=2, policy=("full",))
FRAMES = {
    "plain": PLAIN,
    "inverse": PLAIN._replace(inverse=(True,), law="power", depth=True),
    "stops": PLAIN._replace(stops=3, rounds=3),
    "two_venues": PLAIN._replace(
        venues=2,
        tiers=(STEEP, STEEP),
        inverse=(False, True),
        tranches=((1.0,), (1.0,)),
        policy=("full", "full"),
        leakage=True,
        shock=0,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMES)
def test_ladder_and_accounts_agree_on_isolated_positions(name):
    """Closed whole, without a backstop, there is nothing that the ladder does not know: same price, same open interest.

    But for what holders close of their own accord: on a ladder some of them do and are gone, accounts all close a share and keep
    their collateral, which takes their liquidation price away. So nobody does here.
    """
    frame, liquidated = FRAMES[name], []

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        for venue in setup.venues:
            venue.closes_opposite = 0.0
        record = event_engine.run(setup)
        assume(furthest(record) < REACH)
        assume(nearest_call(record, FINE) > 3.0)
        total = record.initial_open_interest.sum()
        by_book = [engine(frame._replace(book=book), setup, numbers, jnp.float64, FINE)[1] for book in ("ladder", "account")]
        (states, held, losses), (others, held_there, losses_there) = by_book
        close(states.price, others.price)
        close(held, held_there, total)
        close(states.seen.notional, others.seen.notional, total)
        for observable in set(losses) - {"liquidated_by_class"}:  # the ladder shares by what was triggered
            close(losses[observable], losses_there[observable], total)
        liquidated.append(bool(record.triggers))

    agree()
    assert sum(liquidated) >= 10


FLOWS = {
    "plain": Frame(tiers=(STEEP,), rounds=2),
    "ranked": Frame(tiers=(STEEP,), policy=("partial",), ranking=("binance",), trigger=("account_value",), calls=True, stops=2),
    "two_venues": FRAMES["two_venues"]._replace(ranking=("pro_rata", "pro_rata"), trigger=("fund_empty", "fund_empty")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_flow_book_without_flows_agrees_with_the_accounts(name):
    """With no rate at all nothing but the positions of the start is left: price, open interest and fund of the oracle."""
    frame, happened = FLOWS[name]._replace(book="flow"), []

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        record = event_engine.run(setup)
        assume(furthest(record) < REACH)
        assume(nearest_call(record, FINE) > 3.0)
        assume(not record.mixed)
        _, (states, held, _) = engine(frame, setup, numbers, jnp.float64, FINE)
        total = record.initial_open_interest.sum()
        close(states.price, record.price)
        close(held[1:], record.open_interest, total)
        close(states.seen.notional, np.cumsum(record.notional, axis=0), total)
        if frame.ranking:
            for of_fund in ("fund", "used", "forgone", "socialised"):
                close(getattr(states.fund, of_fund), getattr(record, of_fund), total)
        happened.append((bool(record.triggers), record.deleveraged.sum() > 0.0))

    agree()
    liquidated, deleveraged = np.sum(happened, axis=0)
    assert liquidated >= 10
    assert not frame.ranking or deleveraged >= 5


@pytest.mark.slow
@pytest.mark.parametrize("book", ["ladder", "flow"])
def test_on_the_ordinary_grid_nobody_is_liquidated_further_than_two_cells_away(book):
    """Without feedback the marks are the same for every book, so what differs is positions within two cells of an extreme."""
    frame, differ = PLAIN._replace(rounds=1), []
    grid = Grid()

    @SAME_DRAWS
    @given(drawn=setups(frame))
    def agree(drawn):
        setup, numbers = drawn
        setup.channels.feedback, setup.reach = 0.0, grid.reach
        setup.venues[0].closes_opposite = 0.0
        record = event_engine.run(setup)
        _, (states, held, _) = engine(frame._replace(book=book), setup, numbers, jnp.float64, grid)
        _, (_, exact, _) = engine(frame._replace(book="account"), setup, numbers, jnp.float64, grid)
        total = record.initial_open_interest.sum()
        reached = getattr(states.book, "ladder", states.book).reached
        for when in range(STEPS):
            for side, extreme in ((0, -states.low[when, 0, 0]), (1, states.high[when, 0, 0])):
                width, near, taken = float(grid.width(extreme)), 0.0, 0.0
                for account, thresholds in zip(setup.accounts, record.thresholds, strict=True):
                    if account.index == side and thresholds:
                        size, distance = account.quantity * setup.price[0], abs(thresholds[0])
                        near += size if abs(distance - extreme) <= 2.02 * width else 0.0
                        taken += size if distance <= extreme else 0.0
                error = abs(reached[when, 0, 0, side] - taken)
                assert error <= near + 1e-9 * total
                differ.append(error > 1e-9 * total)
        if not any(differ[-2 * STEPS :]):
            close(held, exact, total)

    agree()
    assert 0 < sum(differ) < 0.2 * len(differ)


@pytest.mark.slow
def test_twice_the_cells_leave_a_quarter_of_the_error_of_an_expectation():
    """The mean quantity liquidated by a fall of random size, `Grid`: of second order in the width of a cell."""
    random = np.random.default_rng(3)
    count, speed = 400, 30.0
    venue = Venue([[Tier(0.0, 1e6, 0.005, 0.0)]])
    rows = [(random.uniform(1.0, 10.0), np.exp(random.uniform(-0.02, 0.02)), random.uniform(1.5, 3.5)) for _ in range(count)]
    accounts = [Account(0, 0, 1, size, entry, size * entry * np.exp(-leverage)) for size, entry, leverage in rows]
    # a fall by `d` has density `speed * exp(-speed d)`
    exact = sum(a.quantity * np.exp(speed * trigger_log_prices(a, venue, 1.0, 5.0)[0]) for a in accounts)
    column = lambda name: np.array([getattr(account, name) for account in accounts])
    crowd = Accounts(**{name: column(name) for name in [f.name for f in fields(Accounts)]})
    errors = []
    with jax.enable_x64():
        contracts = Contracts(Tiers.flat(0.005), (False,), ((1.0,),), np.zeros(1))
        distance = jnp.asarray((np.arange(200_000) + 0.5) * 5e-6)
        for cells in (128, 256, 512):
            grid = Grid(cells=cells, first_step=0.5 / cells, reach=1.0)
            book = build_ladder([crowd], contracts, Limits.none(), jnp.ones(1), 1, grid)
            taken = speed * np.exp(-speed * distance) * book.triggered(distance)[0, 0, 0]
            errors.append(abs(float(taken.sum()) * 5e-6 - exact) / exact)
    assert errors[0] < 1e-2
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, rtol=0.15)

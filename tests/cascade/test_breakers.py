"""Halts of trading and of liquidations: nothing is lost by them, without a threshold nothing changes, and they help and harm."""

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from oracles import cross_engine
from oracles.draws import FINE, REACH, SAME_DRAWS, STEEP, STEPS, Frame, close, setups
from oracles.market import Halts
from oracles.package import engine, engine_of, equities, scenario_of

from jaxrisk import ConfigError, load, simulate
from jaxrisk.cascade import Breaker
from jaxrisk.cascade.breaker import BreakerState, check, frozen, gate, halted_for, watch, window_of
from jaxrisk.config import doubts
from jaxrisk.parameter import named
from jaxrisk.positions import Contracts, CrossAccounts, Gate, Grid, Limits, Tiers, View
from jaxrisk.positions.account_build import build_accounts

CASES = Path(__file__).parents[1] / "cases"
FRAME = Frame(
    venues=2, rounds=2, tranches=((1.0,), (1.0,)), inverse=(False, False), tiers=(Frame().tiers[0],) * 2, calls=True, stops=2,
    policy=("full", "full"), ranking=("pro_rata", "binance"), trigger=("fund_empty", "fund_empty"),
)  # fmt: skip

CONTRACTS_ALIKE = tuple(map(int, jax.__version__.split(".")[:2])) < (0, 12)
"""From 0.12 on the compiler joins other products and sums where a halt stands between them: last bits differ."""


def same_bits(first, second, rest):
    """Or, where the compiler does not give them, the same but for `rest` of the largest number."""
    first, second = np.asarray(first), np.asarray(second)
    return np.array_equal(first, second, equal_nan=True) or (
        not CONTRACTS_ALIKE and np.abs(first - second).max() <= rest * np.abs(first).max()
    )


def with_breaker(scenario, **fields):
    """A scenario whose venues have a breaker; `fields` of each of them, or of all."""
    venues = len(scenario.names.venues)
    each = lambda name, default: np.broadcast_to(np.asarray(fields.get(name, default), float), (venues,)).copy()
    years = scenario.settings.years_per_step
    breaker = Breaker(
        halt_move=each("move", np.inf),
        halt_window=each("window", 8.0) * years,
        halt_length=each("length", 3.0) * years,
        price_band=each("band", np.inf),
        auction=each("auction", 0.0),
        auction_depth=each("depth", 1.0),
        trading=tuple(fields.get("trading", (True,) * venues)),
        all_venues=tuple(fields.get("everywhere", (False,) * venues)),
        contract_move=fields.get("contract_move"),
        contract_band=fields.get("contract_band"),
    )
    return replace(scenario, venues=replace(scenario.venues, breaker=breaker))


def _waits(book):
    """What is due on a venue that does not trade is not sent, and is there afterwards; on the other it is."""
    with jax.enable_x64(True):
        trades = jnp.asarray([[False], [True]])
        state, gated = book.init(), Gate(trades, jnp.zeros((2, 1)), 1.0 * trades)
        one = jnp.ones_like(book.dropped)
        if hasattr(state, "base"):
            calls = state.calls._replace(reducing=0.3 * jnp.ones_like(state.calls.reducing))
            state = state._replace(stops=state.stops._replace(due=one), calls=calls)
        elif hasattr(state, "ladder"):
            state = state._replace(ladder=state.ladder._replace(stopping=one, reducing=one))
        else:
            state = state._replace(stopping=one, reducing=one)
        before = np.asarray(book.open_interest(state))
        after, orders = book.release(state, jnp.asarray([0.0, 1.0]), gated)
        for sent in (orders.stopped, orders.reduced):
            assert np.abs(sent[0]).max() == 0.0
            assert np.asarray(sent[1]).max() > 0.0
        after, _ = book.settle(after, orders, jnp.ones(one.shape[:2]), jnp.zeros(2), jnp.ones(2))
        np.testing.assert_allclose(book.open_interest(after)[0], before[0], rtol=1e-12)
        assert np.asarray(book.release(after, jnp.ones(2))[1].stopped)[0].min() == 1.0
        if hasattr(state, "ladder"):
            zero = jnp.zeros(one.shape[:2])
            view = View(zero, zero, zero, zero, zero, 0.8 * jnp.ones(one.shape[1]), zero[0], jnp.int32(0), trades)
            moved = np.asarray(book.advance(book.init(), view, 1.0 / 365.0).ladder.scale)
            assert np.abs(moved[0] - 1.0).max() == 0.0
            assert moved[1].max() < 1.0


def _frame(book):
    """A book of isolated positions, or one of accounts that have positions on both venues."""
    if book == "cross":
        return FRAME._replace(book="account", cross=True)
    return FRAME._replace(book=book, flow=0.05 if book == "flow" else 0.0)


@pytest.mark.parametrize("book", ["ladder", "account", "flow", "cross"])
def test_a_halt_neither_makes_nor_loses_money_positions_or_orders(book):
    """Over random markets: longs equal shorts, all that is lost has a cause, the fund adds up, and what a halted venue's engine
    holds waits: nothing is liquidated there, and its marks stand still where trading is halted, where nobody is stopped, meets a
    call, closes or opens either."""
    frame, halted, sent, elsewhere = _frame(book), [], [], []
    books = []

    @settings(SAME_DRAWS, max_examples=12)
    @given(drawn=setups(frame), seed=st.integers(0, 2**32))
    def hold(drawn, seed):
        setup, numbers = drawn
        setup.reach, random = Grid().reach, np.random.default_rng(seed)
        fields = {
            "move": random.uniform(0.02, 0.15, 2), "length": random.uniform(0.5, 4.0, 2), "band": random.uniform(0.05, 0.5, 2),
            "auction": random.uniform(0.0, 1.0, 2), "depth": random.uniform(1.0, 3.0, 2), "trading": (True, False),
            "everywhere": (False, True),
        }  # fmt: skip
        made = lambda: with_breaker(scenario_of(frame, setup, numbers, Grid()), **fields)
        prepared, (states, held, losses) = engine_of(made, jnp.float64)
        books.append(prepared.book)
        slack = 1e-9 * max(held[0].sum() / 2, held.max())
        assert np.abs(held[..., 0] - held[..., 1]).max() <= slack
        assert held.min() >= -slack
        assert book == "flow" or np.diff(held, axis=0).max() <= slack
        causes = losses["open_interest_loss_by_cause"]
        assert book == "flow" or abs(causes[:4].sum() - losses["open_interest_loss_usd"]) <= slack
        fund, start = states.fund, np.array([venue.backstop.fund for venue in setup.venues])
        assert np.abs(start + fund.fees + fund.surplus - fund.used - fund.fund).max() <= slack
        assert fund.fund.min() >= -slack

        left = states.halt.left[..., 0]
        stopped = left[:, 0] > 0.0
        now = np.diff(states.seen.notional, axis=0, prepend=0.0).sum(axis=(2, 3))
        assert np.abs(now[stopped, 0]).max(initial=0.0) == 0.0
        assert np.abs(now[left[:, 1] >= 1.0, 1]).max(initial=0.0) == 0.0
        assert np.abs(np.diff(held, axis=0)[stopped, 0]).max(initial=0.0) <= slack
        for name in ("stopped", "reduced"):
            each = np.diff(states.seen.sums[name], axis=0, prepend=0.0)
            assert np.abs(each[stopped, 0]).max(initial=0.0) == 0.0, name
        marks = np.concatenate([np.zeros((1, *states.mark.shape[1:])), states.mark])
        assert np.abs(np.diff(marks, axis=0)[stopped, 0]).max(initial=0.0) == 0.0
        if book == "ladder":
            assert states.book.backlog.min() >= -slack
            waits = np.diff(states.book.backlog, axis=0)[left[1:, 1] >= 1.0, 1]
            assert waits.min(initial=0.0) >= -slack - np.abs(np.diff(held, axis=0)).max()
        halted.append(stopped.any() and (left[:, 1] >= 1.0).any())
        sent.append(now.sum() > 0.0)
        # of accounts whose own venue is halted, on the one that is not
        elsewhere.append(book == "cross" and _sold_elsewhere(prepared, states, stopped, left))

    hold()
    assert book != "cross" or sum(elsewhere) >= 2
    assert STEPS > 5
    assert sum(halted) >= 4
    assert sum(sent) >= 6
    _waits(books[0])


def _sold_elsewhere(prepared, states, stopped, left):
    """Whether an account at home on a venue that does not trade has lost some of its position on the other to the engine."""
    size = np.abs(np.concatenate([prepared.book.quantity[None], states.book.quantity]))
    less = np.diff(size, axis=0)[:, 1] < -1e-9 * size[0].max()
    mine = np.asarray(prepared.book.ledger.home)[0] > 0.0
    return bool((less & mine & (states.book.pending >= 1.0))[stopped & (left[:, 1] == 0.0)].any())


def _state(marks, breaker, steps_a_year=1.0):
    """The breaker's state and whether it is halted, after each of some marks of one venue, a step a year."""
    state, found = BreakerState.start(1, 1, jnp.asarray(breaker.halt_move).dtype), []
    for index, mark in enumerate(marks):
        at = jnp.asarray([[mark]], state.highs.dtype)
        state = check(breaker, state, at, 1.0 / steps_a_year)
        found.append(float(state.left[0, 0]))
        state = watch(breaker, state, at, jnp.int32(index), 1.0 / steps_a_year)
    return state, found


def _breaker(dtype=jnp.float32, **fields):
    given = {"move": 0.05, "window": 5.0, "length": 3.0, "band": np.inf, "auction": 0.0, "depth": 1.0} | fields
    trading = given.pop("trading", True)
    return Breaker(*(jnp.asarray([value], dtype) for value in given.values()), trading=(trading,), all_venues=(False,))


@pytest.mark.parametrize("window", [1, 3, 5, 8, 20])
def test_a_window_is_of_the_steps_that_it_has(window):
    """A fall of 1% a step adds up to no more than the window holds."""
    falls = -0.01 * np.arange(1.0, 61.0)
    below, above = (0.01 * (window + extra) for extra in (0.5, -0.5))
    assert max(_state(falls, _breaker(move=below, window=window))[1]) == 0.0
    assert max(_state(falls, _breaker(move=above, window=window))[1]) > 0.0
    # at a step of 15 seconds five minutes are 20 steps, whatever rounding makes of them
    year = 365 * 86400.0
    length, pieces = window_of(_breaker(window=15.0 * window / year), jnp.float32(15.0 / year))
    assert (int(length[0]), int(pieces[0])) == (1, window)
    length, pieces = (int(x[0]) for x in window_of(_breaker(window=1440.0), jnp.float32(1.0)))
    assert 15 * 1440 / 16 < length * pieces <= 1440


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_halt_of_trading_lasts_whole_steps_in_either_precision(dtype):
    year = 365 * 86400.0
    with jax.enable_x64(dtype == jnp.float64):
        for step, length, steps in ((900, 2700, 3), (10, 300, 30), (60, 300, 5), (15, 300, 20), (3600, 300, 1), (60, 90, 2),
                                    (60, 0, 0)):  # fmt: skip
            years = jnp.asarray(step / year, dtype)
            breaker = _breaker(dtype, length=length / year, window=2.0 * step / year)
            assert float(halted_for(breaker, years)[0]) == steps, (step, length)
            state, left = BreakerState.start(1, 1, dtype), []
            for index in range(steps + 4):
                at = jnp.asarray([[-0.2 if index else 0.0]], dtype)
                state = check(breaker, state, at, years)
                left.append(bool(frozen(breaker, state)[0, 0]))
                state = watch(breaker, state, at, jnp.int32(index), years)
            assert sum(left) == steps, (step, length)
        part = _breaker(dtype, length=90.0 / year, trading=False)
        assert float(halted_for(part, jnp.asarray(60.0 / year, dtype))[0]) == pytest.approx(1.5)


def test_a_halt_for_all_venues_holds_for_those_with_a_length_and_one_of_its_own_for_no_other():
    both = lambda *each: Breaker(*(jnp.asarray(pair, jnp.float32) for pair in each), (True, True, True), (True, False, False))
    breaker = both([0.05] * 3, [5.0] * 3, [3.0, 2.0, 0.0], [np.inf] * 3, [0.0] * 3, [1.0] * 3)
    state = BreakerState.start(3, 1, jnp.float32)
    first, second = (check(breaker, state, jnp.asarray(marks)[:, None], 1.0) for marks in ([-0.1, 0.0, 0.0], [0.0, -0.1, 0.0]))
    assert first.left[:, 0].tolist() == [3.0, 2.0, 0.0]
    assert second.left[:, 0].tolist() == [0.0, 2.0, 0.0]
    assert frozen(breaker, first)[:, 0].tolist() == [True, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("book", ["account", "flow", "cross"])
def test_a_breaker_that_never_halts_gives_the_bits_of_none_in_other_books_and_with_two_rounds(book):
    frame = _frame(book)

    @settings(SAME_DRAWS, max_examples=1)
    @given(drawn=setups(frame))
    def same(drawn):
        setup, numbers = drawn
        setup.reach = Grid().reach
        of = lambda: scenario_of(frame, setup, numbers, Grid())
        (_, (without, held, _)), (_, (never, kept, _)) = (
            engine_of(made, jnp.float64) for made in (of, lambda: with_breaker(of(), auction=0.5, length=4.0))
        )
        for one, other in zip(jax.tree.leaves((held, without.seen)), jax.tree.leaves((kept, never.seen)), strict=True):
            assert same_bits(one, other, 1e-12)

    same()


def test_after_a_halt_the_auction_is_held_outside_of_the_band_and_all_rounds_together_send_its_share():
    breaker = _breaker(auction=0.5, band=0.01)
    state = BreakerState.start(1, 1, jnp.float32)._replace(reopened=jnp.ones((1, 1), bool))
    mark, usual = jnp.asarray([[-0.2]], jnp.float32), jnp.asarray([0.1], jnp.float32)
    sent = lambda breaker, state, **rounds: float(gate(breaker, state, mark, **rounds).share(usual)[0, 0])
    assert sent(breaker, state) == pytest.approx(0.5)
    each = sent(breaker, state, rounds=3)
    assert 1.0 - (1.0 - each) ** 3 == pytest.approx(0.5)
    assert sent(_breaker(auction=1.0), state, rounds=2) == 1.0
    assert sent(breaker, state._replace(reopened=jnp.zeros((1, 1), bool))) == 0.0


def test_a_price_that_jumps_after_a_halt_has_not_been_below_where_it_stood():
    """Where the path between two steps is a bridge, which dips below where it ends nearly always."""
    scenario = with_breaker(load(str(CASES / "halt_harms.toml"), {"run.bridge": "on"}), move=0.002, window=4.0, length=2.0)
    _, (states, _, _) = engine_of(lambda: scenario, jnp.float32, (256, 1, 1))
    still = states.halt.left[:, 0, 0] > 0.0
    after = np.flatnonzero(still[:-1] & ~still[1:]) + 1
    assert len(after) >= 2
    lowest, price = states.seen.lowest[:, 0], states.price[:, 0]
    np.testing.assert_array_equal(lowest[after], np.minimum(lowest[after - 1], price[after]))
    moving = np.flatnonzero(~still[:-1] & ~still[1:]) + 1
    assert np.any(lowest[moving] < np.minimum(lowest[moving - 1], price[moving]))


ACROSS = Frame(
    venues=2, assets=2, inverse=(False, True), tranches=((1.0,), (1.0,)), tiers=(STEEP, STEEP), rounds=2,
    policy=("partial", "full"), ranking=("pro_rata", "bitmex"), trigger=("fund_empty", "fund_empty"), cross=True, calls=True,
    stops=4, book="account",
)  # fmt: skip


def _halts(random):
    """Of one venue: as a whole, by contract, or both."""
    whole = random.uniform(0.03, 0.15) if random.random() < 0.5 else np.inf
    by_contract = lambda low, high: list(np.where(random.random(2) < 0.7, random.uniform(low, high, 2), np.inf))
    return Halts(
        move=whole, window=int(random.integers(1, 6)), length=random.uniform(0.5, 3.5), band=random.uniform(0.08, 0.5),
        auction=random.uniform(0.0, 1.0), deeper=random.uniform(1.0, 3.0), trading=True, everywhere=False,
        contract_move=by_contract(0.03, 0.15), contract_band=by_contract(0.08, 0.5),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("trading", [(True, False), (True, True)])
def test_accounts_across_venues_agree_with_the_accounts_through_halts(trading):
    """Price, open interest, every account's equity and the fund at every step, against the accounts one at a time; and no cash is
    made or lost, by an account either of which a part is closed while another waits."""
    halted, split = [], []

    @settings(SAME_DRAWS, max_examples=16)
    @given(drawn=setups(ACROSS), seed=st.integers(0, 2**32))
    def agree(drawn, seed):
        setup, numbers = drawn
        random = np.random.default_rng(seed)
        for venue, stops in zip(setup.venues, trading, strict=True):
            venue.halts = _halts(random)
            venue.halts.trading, venue.halts.everywhere = stops, stops and trading == (True, False)
        record = cross_engine.run(setup)
        assume(record.furthest < REACH)
        assume(record.nearest > 1e-7)
        prepared, (states, held, losses) = engine(ACROSS, setup, numbers, jnp.float64, FINE)
        total = record.initial_open_interest.sum()
        np.testing.assert_array_equal((states.halt.left > 0.0) & np.array(trading)[:, None], record.halted)
        close(states.price, record.price)
        close(states.mark, record.mark)
        close(held[1:], record.open_interest, total)
        close(equities(prepared, states, setup), record.equity, total)
        close(losses["called"], record.margin_called, total)
        for name in ("fund", "used", "forgone", "socialised", "fees", "surplus", "returned"):
            close(getattr(states.fund, name), getattr(record, name), total)
        assert record.created <= 1e-10 * total
        halted.append(record.halted.any())
        split.append(record.split > 0)

    agree()
    assert sum(halted) >= 5
    assert sum(split) >= 3


def test_an_account_is_closed_where_there_is_trade_and_the_rest_waits_at_a_loss_that_grows():
    """A coin on either of two venues for 100 USD, and 16 USD of collateral: at 90 it is to be closed, at 80 the rest is."""
    one, both = np.ones(1), np.array([0, 1])
    tiers = Tiers(*(np.full((2, 1, 1), number) for number in (0.0, 100.0, 0.005, 0.0)), ())
    contracts = Contracts(tiers, (False, False), ((1.0,), (1.0,)), np.zeros(2), None, (), None)
    account = CrossAccounts(
        np.ones(2),
        100.0 * np.ones(2),
        0 * both,
        both,
        0 * both,
        1 + 0 * both,
        16.0 * one,
        np.zeros((1, 1)),
        both[:1],
        both[:1],
        one,
    )
    with jax.enable_x64(True):
        book = build_accounts([account], None, contracts, Limits.none(), None, None, jnp.asarray([100.0]), 1, halts=True)
        at = lambda price: jnp.full((2, 1), price / 100.0)
        seen = lambda price: View(*[jnp.log(at(price))] * 5, jnp.zeros(1), jnp.zeros(1), jnp.int32(0), jnp.ones((2, 1), bool))
        gates = [Gate(jnp.asarray(t), jnp.zeros((2, 1)), 1.0 * jnp.asarray(t)) for t in ([[False], [True]], [[True], [True]])]
        state, fee, engine_share = book.trigger(book.init(), seen(90.0)), jnp.zeros(2), jnp.ones(2)

        # its own venue is halted: the engine closes what is on the other, nobody has to pay yet
        state, orders = book.release(state, engine_share, gates[0])
        assert orders.liquidated[..., 0, 0].tolist() == [0.0, 100.0]
        claims = book.claims(state, orders, at(90.0), fee)
        assert (float(claims.shortfall.sum()), float(claims.surplus.sum())) == (0.0, 0.0)
        state, _ = book.settle(state, orders, at(90.0), fee, jnp.zeros(2))
        assert state.quantity[:, 0].tolist() == [100.0, 0.0]
        assert float(state.equity(jnp.asarray([0.9, 0.9]))[0]) == pytest.approx(-4.0)
        # nothing more goes while it waits
        state, orders = book.release(book.trigger(state, seen(85.0)), engine_share, gates[0])
        assert float(orders.liquidated.sum()) == 0.0
        assert float(book.claims(state, orders, at(85.0), fee).shortfall.sum()) == 0.0

        state, orders = book.release(book.trigger(state, seen(80.0)), engine_share, gates[1])
        assert orders.liquidated[..., 0, 0].tolist() == [100.0, 0.0]
        assert float(book.claims(state, orders, at(80.0), fee).shortfall.sum()) == pytest.approx(14.0)
        state, _ = book.settle(state, orders, at(80.0), fee, jnp.zeros(2))
        assert float(jnp.abs(state.quantity).sum()) == 0.0


def test_a_contract_that_halts_by_itself_stops_no_other():
    """Two venues with two contracts: the first halts them apart, the second as a whole."""
    never, marks = [np.inf, np.inf], jnp.asarray([[-0.1, -0.01], [-0.1, -0.01]], jnp.float32)
    venues = ([np.inf, 0.2], [5.0] * 2, [3.0, 2.0], never, [0.0] * 2, [1.0] * 2)
    contracts = ([[0.05, 0.05], never], [[np.inf, 0.005], never])
    made = lambda everywhere: Breaker(*venues, (True, True), (everywhere, False), *contracts)
    state = BreakerState.start(2, 2, jnp.float32)
    here, both = (check(made(everywhere), state, marks, 1.0) for everywhere in (False, True))
    assert here.left.tolist() == [[3.0, 0.0], [0.0, 0.0]]
    assert both.left.tolist() == [[3.0, 0.0], [2.0, 0.0]]
    deeper = check(made(False), state, 2.5 * marks, 1.0)
    assert deeper.left.tolist() == [[3.0, 0.0], [2.0, 2.0]]
    # and its band is its own
    let = gate(made(False), here, marks).share(jnp.ones(2))
    assert let.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert gate(made(False), here, 0.1 * marks).share(jnp.ones(2)).tolist() == [[0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(("file", "venue", "halts"), [("halt_helps", "wrong", "trading"), ("halt_harms", "only", "liquidations")])
def test_a_threshold_that_is_never_hit_gives_the_bits_of_none(file, venue, halts):
    never = load(str(CASES / f"{file}.toml"), {f"venues.{venue}.halt_move": "inf", f"venues.{venue}.halts": halts})
    assert never.venues.breaker is not None
    one, other = simulate(load(str(CASES / f"{file}.toml"))).losses, simulate(never).losses
    for name in one:
        assert same_bits(one[name], other[name], 4e-6), name


def _means(file, **changes):
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    losses = simulate(load(str(CASES / file), keys)).losses
    names = ("max_drawdown_index", "shortfall", "liquidated_notional")
    return [np.asarray(losses[name]).reshape(256, -1).sum(axis=1) for name in names]


def test_a_halt_helps_where_a_price_is_merely_wrong():
    """All three are less on each of 256 paths but for a few: the differences are many standard errors."""
    free = _means("halt_helps.toml")
    halt = _means("halt_helps.toml", venues__wrong__halt_move=0.05, venues__wrong__halt_length="30min")
    for before, after in zip(free, halt, strict=True):
        gain = before - after
        assert gain.mean() > 10.0 * gain.std() / 16.0
    assert free[0].mean() > 1.2 * halt[0].mean()


def test_a_halt_harms_where_the_fall_goes_on():
    """Deeper, and more is lost beyond collateral, by many standard errors."""
    free = _means("halt_harms.toml")
    keys = {"venues__only__halt_move": 0.12, "venues__only__halt_length": "75min", "venues__only__halts": "liquidations"}
    halt = _means("halt_harms.toml", **keys, venues__only__halt_window="3h")
    for place in (0, 1):
        harm = halt[place] - free[place]
        assert harm.mean() > 10.0 * harm.std() / 16.0


def test_what_can_be_differentiated_is_said():
    """How long a halt of liquidations lasts moves a path smoothly; when it begins, and whether trading stops, by steps."""
    of = lambda **keys: load(str(CASES / "halt_harms.toml"), keys)
    smooth = of(**{"venues.only.halt_move": 0.03, "venues.only.halts": "liquidations"})
    assert [p.pathwise for p in named(smooth, ["venues.only.halt_length", "venues.only.halt_move"])] == [True, False]
    assert not named(of(**{"venues.only.halt_move": 0.03}), ["venues.only.halt_length"])[0].pathwise


def test_the_derivative_in_a_halts_length_is_that_of_a_difference():
    """Of the mean loss beyond collateral, on the paths themselves, where impact is small: where it is not, a cascade jumps."""
    import jax

    from jaxrisk.cascade import path_losses, prepare, seed_key

    keys = {"venues.only.halt_move": 0.12, "venues.only.halts": "liquidations", "venues.only.halt_window": "3h", "run.steps": 48,
            "impact.depth": 1e12}  # fmt: skip
    scenario = load(str(CASES / "halt_harms.toml"), keys)
    years = scenario.settings.years_per_step
    with jax.enable_x64(True):
        prepared = prepare(scenario, jnp.float64, (256, 1, 1))
        key, paths = seed_key(1), jnp.arange(8, dtype=jnp.uint32)

        def mean(length):
            moved = eqx.tree_at(lambda p: p.scenario.venues.breaker.halt_length, prepared, length[None])
            return jnp.mean(path_losses(moved, key, paths)["shortfall"])

        at = jnp.asarray(6.4 * years)
        both = jax.jit(lambda x: jax.jvp(mean, (x,), (jnp.ones(()),)))
        _, slope = both(at)
        step = 0.02 * years
        change = (both(at + step)[0] - both(at - step)[0]) / (2.0 * step)
    assert slope != 0.0
    assert abs(float(slope / change) - 1.0) < 0.02


def test_what_is_wrong_with_a_halt_is_said_at_once():
    with pytest.raises(ConfigError) as error:
        load(
            "btc_shock_10pct",
            {"venues.binance.halt_length": "5min", "venues.kraken.halt_move": 0.1, "venues.binance.halts": "all"},
        )
    text = str(error.value)
    assert "goes with halt_move" in text
    assert "kraken" in text
    assert "trading" in text


def test_a_halt_of_trading_that_lasts_longer_than_asked_is_doubted():
    keys = {"run.step": "1min", "venues.binance.halt_move": 0.05, "venues.binance.halt_length": "90s"}
    said = [text for text in doubts("btc_shock_10pct", keys) if "halt" in text]
    assert len(said) == 1
    assert "1.5 steps" in said[0]
    assert "120 seconds" in said[0]
    for other in ({"venues.binance.halt_length": "2min"}, {"venues.binance.halts": "liquidations"}):
        assert not [text for text in doubts("btc_shock_10pct", keys | other) if "halt" in text]

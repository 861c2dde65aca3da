"""FlowBook: against the ladder where nothing flows, against positions walked one at a time where something does."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.positions import (
    Calls,
    Contracts,
    Flow,
    Funding,
    Grid,
    Histogram,
    Limits,
    Lognormal,
    Stops,
    Tiers,
    View,
    build_ladder,
    build_schedule,
)
from jaxrisk.positions.flow_build import build_flow
from jaxrisk.positions.levels import Levels, Newcomers, by_phase

pytestmark = pytest.mark.hurried

PRICE = jnp.array([100.0])
GRID = Grid(cells=1024)
MAINTENANCE = 0.005


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def flow(closing=0.0, opening=0.0, leverage_elasticity=0.0, volume_elasticity=0.0, levels=512, width=0.008, assets=1):
    each = lambda x: jnp.full(assets, float(x))
    return Flow(
        each(closing),
        each(opening),
        each(0.6),
        each(volume_elasticity),
        each(leverage_elasticity),
        each(0.0),
        each(0.0),
        levels=levels,
        width=width,
    )


def contracts(inverse=(False,), ranking=None, fee=0.0, assets=1):
    venues = len(inverse)
    tiers = jax.tree.map(jnp.asarray, Tiers.flat(MAINTENANCE, venues=venues, assets=assets))
    return Contracts(tiers, inverse, ((1.0,),) * venues, jnp.full(venues, fee), None, ranking or ("pro_rata",) * venues)


def crowd(*leverages, side=1, quantity=1e9, **where):
    share = jnp.full(len(leverages), 1.0 / len(leverages))
    return Histogram(jnp.asarray(quantity), jnp.asarray(leverages, float), share, side=side, **where)


def both(*leverages):
    return [crowd(*leverages, side=side) for side in (1, -1)]


@eqx.filter_jit
def built(populations, rates, limits, funding, schedule, calls, price, every, contract):
    return build_flow(populations, schedule, contract, limits, calls, funding, rates, price, 1, GRID, every=every)


@eqx.filter_jit
def built_ladder(populations, contract):
    return build_ladder(populations, contract, Limits.none(), PRICE, 1, GRID, backstop=True)


def build(populations, rates, limits=None, funding=None, schedule=None, calls=None, price=PRICE, every=1, **kwargs):
    return built(populations, rates, limits or Limits.none(), funding, schedule, calls, price, every, contracts(**kwargs))


def view(mark, low, high, recent_low, recent_high, index=0, volatility=0.6):
    assets = mark.shape[1]
    steady = jnp.full(assets, volatility, mark.dtype)
    return View(mark, low, high, recent_low, recent_high, steady, jnp.zeros(assets, mark.dtype), jnp.asarray(index, jnp.int32))


def walk(book, marks, years, closes_opposite=0.5, engine=1.0, spared=0.0, volatility=0.6):
    """Step a book along marks of shape `(steps, venues, assets)`; what was liquidated, closed and held after each step."""
    venues, dtype = marks.shape[1], marks.dtype
    each = lambda x: jnp.full(venues, x, dtype)

    def step(carry, now):
        state, mark, low, high = carry
        new, index = now
        state = book.advance(state, view(mark, low, high, mark, mark, index, volatility), jnp.asarray(years, dtype))
        recent = jnp.minimum(mark, new), jnp.maximum(mark, new)
        low, high = jnp.minimum(low, new), jnp.maximum(high, new)
        state = book.trigger(state, view(new, low, high, *recent, index, volatility))
        state, orders = book.release(state, each(engine))
        ratio = jnp.exp(new)
        orders = book.spare(state, orders, ratio, each(spared))
        claims = book.claims(state, orders, ratio, each(0.0))
        state, closed = book.settle(state, orders, ratio, each(0.0), each(closes_opposite))
        out = (orders.liquidated, orders.deleveraged, claims, closed.holders, book.open_interest(state))
        return (state, new, low, high), out

    start = jnp.zeros_like(marks[0])
    (state, *_), out = jax.lax.scan(step, (book.init(), start, start, start), (marks, jnp.arange(len(marks))))
    return state, out


compiled = eqx.filter_jit(walk)


def run(book, marks, years, **how):
    """`walk`, compiled once for all numbers."""
    numbers = {"closes_opposite": 0.5, "engine": 1.0, "spared": 0.0, "volatility": 0.6} | how
    return compiled(book, marks, jnp.asarray(years), **{name: jnp.asarray(value) for name, value in numbers.items()})


def marks(steps, step=0.01, seed=0, venues=1, assets=1):
    normals = np.random.default_rng(seed).normal(size=(steps, venues, assets))
    return jnp.asarray(np.cumsum(step * normals, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("ranking", ["pro_rata", "binance"])
@pytest.mark.parametrize("inverse", [False, True])
def test_without_flows_it_is_the_ladder(ranking, inverse):
    """Positions of the start are the ladder's tables: equal to rounding, deleveraging and claims included."""
    populations = [Lognormal(5e9, 8.0, 0.6, 1.01, 100.0, 0.0, 0.03, 2e4, 1.0, side=side) for side in (1, -1)]
    populations = jax.tree.map(jnp.asarray, populations)
    how = {"ranking": (ranking,), "inverse": (inverse,)}
    ladder = built_ladder(populations, contracts(**how))
    path = marks(120, 0.02)
    _, ours = run(build(populations, flow(), **how), path, 1e-3, spared=0.5)
    _, its = run(ladder, path, 1e-3, spared=0.5)
    assert float(jnp.sum(its[1])) > 1e7
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(its), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-2)


def by_hand(leverages, path, years, closing, opening, closes_opposite, rate=0.0):
    """Every position by itself, float64: open interest and quantity liquidated by side after each step."""
    sign = np.array([1.0, -1.0])
    liquidation = lambda x: x * (1 - sign[:, None] / leverages) / (1 - sign[:, None] * MAINTENANCE)
    share = np.full((2, len(leverages)), 1.0 / len(leverages))
    price, quantity, unlevered = liquidation(1.0), share * 1e9, np.zeros(2)
    mark, liquidated, held = 1.0, [], []
    for new in np.exp(np.asarray(path)[:, 0, 0]):
        price = price + rate * mark * years / (1 - sign[:, None] * MAINTENANCE)
        kept = np.exp(-closing * years)
        quantity, unlevered = quantity * kept, unlevered * kept
        opened = opening * 1e9 * (1 - kept) / closing if closing else opening * 1e9 * years
        price = np.concatenate([price, liquidation(mark)], axis=1)
        quantity = np.concatenate([quantity, share * opened], axis=1)
        gone = np.stack([price[0] >= min(mark, new), price[1] <= max(mark, new)])
        forced = (quantity * gone).sum(1)
        price, quantity = price.copy(), np.where(gone, 0.0, quantity)
        open_interest = quantity.sum(1) + unlevered
        liquidated.append(forced)
        forced = forced - forced.min()  # what is sold and bought by force meets
        closed = np.minimum(closes_opposite * forced[::-1], open_interest)
        kept = 1 - closed / open_interest
        quantity, unlevered = quantity * kept[:, None], unlevered * kept + forced - closed[::-1]
        held.append(quantity.sum(1) + unlevered)
        mark = new
    return np.array(liquidated), np.array(held)


@pytest.mark.slow
def test_flows_agree_with_positions_walked_one_at_a_time():
    """The error falls with the width of a cell: by more than a half for each halving."""
    leverages = np.linspace(4.0, 40.0, 60)
    path = marks(150, 0.006, seed=3)
    arguments = {"years": 1 / 365, "closes_opposite": 0.7}
    want, held = by_hand(leverages, path, closing=20.0, opening=25.0, **arguments)
    assert want[:, 0].sum() > 2e8
    assert want[:, 1].sum() > 2e8
    errors = []
    for width in (0.016, 0.004):
        book = build(both(*leverages), flow(20.0, 25.0, levels=int(2.048 / width), width=width))
        _, (liquidated, _, _, _, open_interest) = run(book, path, **arguments)
        total = np.asarray(liquidated)[:, 0, 0].cumsum(0)
        errors.append(np.abs(total - want.cumsum(0)).max() / want.sum(0).mean())
        np.testing.assert_allclose(np.asarray(open_interest)[-1, 0, 0], held[-1], rtol=1e-2 * width / 0.004)
    assert errors[1] < 0.03
    assert errors[1] < 0.25 * errors[0]


@pytest.mark.slow
def test_funding_moves_liquidation_prices_towards_those_who_pay():
    """At 100% a year more longs are liquidated and fewer shorts: as many as walked one at a time."""
    leverages, path = np.linspace(4.0, 40.0, 60), marks(120, 0.006, seed=3)
    arguments = {"years": 1 / 1460, "closes_opposite": 0.5}
    funding = Funding(jnp.array([1.0]), jnp.array([0.0]))
    want, _ = by_hand(leverages, path, closing=20.0, opening=20.0, rate=1.0, **arguments)
    rates = flow(20.0, 20.0, width=0.002, levels=1024)
    _, (got, *_) = run(build(both(*leverages), rates, funding=funding), path, **arguments)
    _, (without, *_) = run(build(both(*leverages), rates), path, **arguments)
    got, without = np.asarray(got)[:, 0, 0].sum(0), np.asarray(without)[:, 0, 0].sum(0)
    np.testing.assert_allclose(got, want.sum(0), rtol=0.04)
    assert got[0] > 1.1 * without[0]
    assert got[1] < 0.9 * without[1]


@pytest.mark.slow
@pytest.mark.parametrize(("closing", "opening"), [(50.0, 0.0), (50.0, 50.0), (50.0, 20.0), (0.0, 3.0)])
@pytest.mark.parametrize("steps", [4, 40])
def test_open_interest_relaxes_to_its_stationary_level(closing, opening, steps):
    """dQ = (o Q0 - c Q) dt, exactly, for any step."""
    _, (_, _, _, _, held) = run(build(both(3.0, 10.0), flow(closing, opening)), jnp.zeros((steps, 1, 1)), 0.1 / steps)
    level = opening / closing if closing else 1.0
    want = level + (1 - level) * np.exp(-closing * 0.1) if closing else 1.0 + opening * 0.1
    np.testing.assert_allclose(held[-1], 1e9 * want, rtol=1e-12)


@pytest.mark.slow
def test_volatility_scales_what_opens():
    """Twice the reference volatility, elasticity 1: half the volume, half the leverage."""
    rates = flow(0.0, 10.0, leverage_elasticity=1.0, volume_elasticity=1.0, levels=1024, width=0.002)
    state, _ = run(build(both(20.0), rates), jnp.zeros((1, 1, 1)), 0.01, volatility=1.2)
    np.testing.assert_allclose(state.later.held(), 1e9 * 10.0 * 0.01 / 2, rtol=1e-12)
    assert median(state.later, rates) == pytest.approx(-np.log((1 - 1 / 10) / (1 - MAINTENANCE)), abs=2e-3)


def median(levels, rates, side=0):
    """Distance from the initial price, in the direction that runs against a side, within which half of the quantity lies."""
    table = np.asarray(levels.table)[0, 0, side, 0]
    edges = (np.arange(len(table) + 1) - rates.levels / 2) * rates.width
    return np.interp(0.5 * table[-1], np.append(0.0, table), edges)


@pytest.mark.slow
@pytest.mark.parametrize("mark", [-0.05, 0.031])
@pytest.mark.parametrize("inverse", [False, True])
def test_new_positions_lie_about_the_price_they_open_at(mark, inverse):
    rates = flow(0.0, 10.0, levels=1024, width=0.002)
    state, _ = run(build(both(10.0), rates, inverse=(inverse,)), jnp.array([[[mark]], [[mark]]]), 0.01)
    # half of them were opened at the initial price, half at this mark; tables are linear in between
    table = np.asarray(state.later.table)[0, 0, :, 0]
    edges = (np.arange(1, rates.levels + 1) - rates.levels / 2) * rates.width
    mean = np.sum(np.diff(table, prepend=0.0) * (edges - rates.width / 2), axis=-1) / table[:, -1]
    for side, sign in enumerate((1, -1)):
        plain = (1 - sign / 10) / (1 - sign * MAINTENANCE)
        liquidation = (1 + sign * MAINTENANCE) / (1 + sign / 10) if inverse else plain
        assert mean[side] == pytest.approx(-sign * (np.log(liquidation) + mark / 2), abs=1e-9)


@pytest.mark.slow
def test_a_limit_binds_on_new_positions():
    rates = flow(0.0, 10.0, levels=1024, width=0.002)
    at = lambda limits: run(build(both(20.0), rates, limits), jnp.zeros((1, 1, 1)), 0.01)[0].later
    assert median(at(None), rates) == pytest.approx(-np.log(0.95 / 0.995), abs=1e-3)
    assert median(at(Limits.single(5.0)), rates) == pytest.approx(-np.log(0.8 / 0.995), abs=1e-3)
    # those who take a smaller position instead displace it at the start and ever after
    smaller = at(Limits.single(5.0, share_downsize=1.0))
    np.testing.assert_allclose(smaller.held(), 1e9 / 4 * 10.0 * 0.01)


@pytest.mark.slow
def test_no_erosion_where_the_mark_comes_back_into_a_cell():
    """Going into a cell by half, away, and back takes half of it once."""
    zero = jnp.zeros((1, 1, 2))
    even = jnp.interp(jnp.arange(13) / 2, jnp.array([1.0, 5.0]), jnp.array([0.0, 1.0]))  # over the middle four of six cells
    tables = by_phase(jnp.broadcast_to(even, (1, 1, 2, 2, 1, 13)), 6)
    more = lambda quantity: Newcomers(tables, zero, jnp.zeros((1, 1)), jnp.full((1, 1, 2, 1), quantity))
    levels = Levels.empty(zero, 1, 6).refilled(more(8.0), True)
    levels, out = levels.crossed(zero + 3.5)
    np.testing.assert_allclose(out, 5.0)
    for at in (2.0, 3.5, 3.4):
        levels = levels.refilled(more(0.0), True)
        levels, out = levels.crossed(zero + at)
        np.testing.assert_allclose(out, 0.0, atol=1e-12)
    # as much again over the whole of it: the cell now holds 1 in its far half and 2 all over, so 4/3 of it are beyond the middle
    levels, out = levels.refilled(more(8.0), True).crossed(zero + 3.5)
    np.testing.assert_allclose(out, 4.0 + 3.0 * (0.5 - 1 / 6) / (1 - 1 / 6))
    np.testing.assert_allclose(levels.held() + out[..., 0], 11.0)


@eqx.filter_jit
def walked(book, paths):
    return jax.vmap(lambda path: walk(book, path, 1 / 730, 0.6, 0.7, 0.5))(paths)


@eqx.filter_jit
def shares_and_calls(book, states, seen):
    return book.class_shares(jax.tree.map(lambda x: x[0], states), seen), jax.vmap(book.margin_called)(states)


@cache
def everything(every, ranking):
    """Two venues, one coin-margined, two assets; stops, calls, funding, fees."""
    price = jnp.array([100.0, 10.0])
    populations = [
        Lognormal(*map(jnp.asarray, (1e9, 9.0, 0.6, 1.01, 100.0, 0.0, 0.02, 2e4, 1.0)), venue=venue, asset=asset, side=side)
        for venue in (0, 1)
        for asset in (0, 1)
        for side in (1, -1)
    ]
    stops = [
        Stops(jnp.asarray(2e8), jnp.asarray(95.0), jnp.asarray(0.02)),
        Stops(jnp.asarray(1e8), jnp.asarray(10.4), asset=1, side=-1),
    ]
    schedule = build_schedule(stops, price, (2, 2, 2), GRID)
    rates = flow(40.0, 60.0, leverage_elasticity=0.5, volume_elasticity=0.5, levels=256, width=0.016, assets=2)
    return build(
        populations,
        rates,
        funding=Funding(jnp.array([0.5, -0.5]), jnp.array([0.1, 0.1])),
        schedule=schedule,
        calls=Calls(jnp.array([1.5]), jnp.array([0.3]), jnp.array([0.2])),
        price=price,
        every=every,
        inverse=(False, True),
        ranking=(ranking, ranking),
        fee=0.002,
        assets=2,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("every", "ranking"), [(1, "binance"), (4, "pro_rata")])
@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float64, 1e-10), (jnp.float32, 1e-5)])
def test_longs_equal_shorts_and_nothing_is_negative(dtype, tolerance, every, ranking):
    floating = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
    book = jax.tree.map(lambda x: x.astype(dtype) if floating(x) else x, everything(every, ranking))
    paths = jnp.stack([marks(80, 0.02, seed, 2, 2) for seed in range(4)]).astype(dtype)
    state, (liquidated, deleveraged, claims, closed, held) = walked(book, paths)
    marks_now = paths[0, -1]
    shares, called = shares_and_calls(book, state, view(marks_now, paths[0].min(0), paths[0].max(0), marks_now, marks_now))
    state, liquidated, deleveraged, claims, closed, held = jax.tree.map(
        np.asarray, (state, liquidated, deleveraged, claims, closed, held)
    )
    assert deleveraged.sum() > 1e8
    scale = 1e9 * tolerance
    assert np.abs(held[..., 0] - held[..., 1]).max() < scale
    parts = (liquidated, deleveraged, *claims, closed, held, state.ladder.unlevered, state.fresh, state.ladder.backlog)
    assert min(part.min() for part in parts) > -scale
    table = state.later.table[..., 0, :]
    assert np.diff(table, axis=-1, prepend=0.0).min() > -scale
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    np.testing.assert_allclose(np.sum(shares, -1), 1.0, rtol=1e-4)
    assert np.min(called) > 0.0


@pytest.mark.slow
def test_laying_down_less_often_changes_little():
    path, arguments = marks(160, 0.003, seed=2), {"years": 1 / 8760, "closes_opposite": 0.5}
    path = path.at[-1].add(-0.08)
    rates = flow(80.0, 80.0, levels=1024, width=0.002)
    population = both(*np.linspace(5.0, 30.0, 20))
    sums = [run(build(population, rates, every=every), path, **arguments)[1][0][:, 0, 0, 0].sum() for every in (1, 8)]
    assert sums[0] > 1e8
    np.testing.assert_allclose(sums[1], sums[0], rtol=0.02)


@pytest.mark.slow
def test_derivative_with_respect_to_a_cap():
    """Through the tables, the flows, and deleveraging from the near end: close to a central difference."""
    path = marks(40, 0.012, seed=7)

    def result(cap):
        book = build_flow(
            both(*np.linspace(3.0, 40.0, 80)),
            None,
            contracts(ranking=("binance",)),
            Limits.single(cap[None]),
            None,
            None,
            flow(40.0, 60.0),
            PRICE,
            1,
            GRID,
        )
        _, (liquidated, deleveraged, *_) = walk(book, path, 1 / 365, 0.5, spared=0.5)
        return jnp.sum(liquidated) + 10 * jnp.sum(deleveraged), jnp.sum(deleveraged)

    with_slope = jax.jit(jax.value_and_grad(result, has_aux=True))
    (_, deleveraged), slope = with_slope(jnp.asarray(12.0))
    assert float(deleveraged) > 1e7
    step, at = 0.05, lambda cap: with_slope(jnp.asarray(cap))[0][0]
    bump = (at(12.0 + step) - at(12.0 - step)) / (2 * step)
    np.testing.assert_allclose(slope, bump, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("follows", [0.0, 1.0])
def test_what_is_lost_comes_back_only_where_openings_do_not_follow_it(follows):
    """A fall liquidates some, who close the other side; then a day goes by in which everybody is replaced several times."""
    import jaxrisk as jr
    from jaxrisk.cascade import prepare, record_block, seed_key

    changed = {"run.book": "flow", "flow.closing_half_life": "2h", "flow.opening_follows": follows, "run.step": "1h"}
    day = jr.load("btc_24h", changed).replace(market=jr.Replay(np.array([[0.0], [-0.12], [-0.12]])))
    found = record_block(prepare(day, jnp.float64), seed_key(1), np.zeros(1, np.uint32), 1)
    left = np.asarray(found.open_interest[:, 0, 0, 0]) / 6.4e9
    assert left[0] < 0.96
    if follows:
        assert left[-1] == pytest.approx(left[2], abs=2e-3)  # rebounds of the price liquidate hardly anybody
    else:
        assert left[-1] > 0.995

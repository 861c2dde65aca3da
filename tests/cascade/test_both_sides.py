"""Forced sells and forced buys of one step close against each other: the identity of `AbstractBook`, and what follows from it.

Longs and shorts along marks that nobody moves, in steps of a minute, an hour and a day, with an engine at once and one that takes
an hour; in the ladder with the extremes between steps, so that both sides can be reached in one.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade import path_losses, prepare, seed_key
from jaxrisk.positions import Contracts, Grid, Histogram, Limits, Lognormal, Stops, Tiers, View, build_book
from jaxrisk.positions.closing import closed_against

PATHS, STEPS, VOLATILITY = 100, 40, 0.8
MINUTES = {"minute": 1.0, "hour": 60.0, "day": 1440.0}
LEVERAGES = (5.0, 20.0, 60.0, 80.0, 100.0, 125.0)
CONTRACTS = Contracts(Tiers.flat(0.004), (False,), ((1.0,),), np.zeros(1), None, ("pro_rata",))


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def book(kind: str, leverage: float, spread: float):
    crowd = [
        Lognormal(1e8, leverage, spread, 1.01, 125.0, side=side) if spread else Histogram(1e8, [leverage], [1.0], side=side)
        for side in (1, -1)
    ]
    return build_book(kind, jax.tree.map(jnp.asarray, crowd), CONTRACTS, Limits.none(), jnp.ones(1), 1, Grid())


def marks(step: str, seed: int = 1):
    """Log marks, and lowest and highest since the step before, shape `(paths, steps)`."""
    random, deviation = np.random.default_rng(seed), VOLATILITY * np.sqrt(MINUTES[step] / (365 * 1440))
    fine = np.cumsum(deviation / 4.0 * random.normal(size=(PATHS, STEPS * 16)), axis=1).reshape(PATHS, STEPS, 16)
    end = fine[..., -1]
    begin = np.concatenate([np.zeros((PATHS, 1)), end[:, :-1]], axis=1)
    return tuple(map(jnp.asarray, (end, np.minimum(begin, fine.min(axis=-1)), np.maximum(begin, fine.max(axis=-1)))))


@eqx.filter_jit
def walked(held, paths, share, closes):
    """Of each path open interest at the start and left, and the sums of what was forced, matched, closed and opened."""
    each = lambda x: jnp.broadcast_to(x, (1,))

    def one(path):
        def step(carry, now):
            state, low, high, sums = carry
            mark, lowest, highest = (jnp.full((1, 1), x) for x in now)
            low, high = jnp.minimum(low, lowest), jnp.maximum(high, highest)
            state = held.trigger(state, View(mark, low, high, lowest, highest, jnp.zeros(1), jnp.zeros(1), jnp.int32(0)))
            state, orders = held.release(state, each(share))
            state, closed = held.settle(state, orders, jnp.exp(mark), each(0.0), each(closes))
            more = (orders.forced(), closed.matched, closed.holders, closed.opened)
            return (state, low, high, jax.tree.map(jnp.add, sums, more)), None

        at, zero = jnp.zeros((1, 1)), jnp.zeros((1, 1, 2))
        carry, _ = jax.lax.scan(step, (held.init(), at, at, (zero, at, zero, zero)), path)
        return held.open_interest(held.init()), held.open_interest(carry[0]), *carry[3]

    return jax.vmap(one)(paths)


def of(kind, step, leverage, spread=0.0, engine=0.0, closes=1.0):
    share = 1.0 if engine == 0.0 else 1.0 - np.exp(-MINUTES[step] / engine)
    found = walked(book(kind, leverage, spread), marks(step), jnp.asarray(share), jnp.asarray(closes))
    return tuple(np.asarray(x)[:, 0, 0] / 1e8 for x in found)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [0.0, 60.0])
@pytest.mark.parametrize("step", MINUTES)
@pytest.mark.parametrize("kind", ["ladder", "account"])
def test_open_interest_is_what_was_there_less_what_was_closed_once(kind, step, engine):
    met = 0.0
    for closes in (1.0, 0.5, 0.0):
        start, left, forced, matched, holders, opened = of(kind, step, 100.0, 0.8, engine, closes)
        gone = forced.sum(axis=-1) - matched - opened.sum(axis=-1)
        np.testing.assert_allclose(start[:, 0] - left[:, 0], gone, atol=1e-12)
        np.testing.assert_allclose(start[:, 1] - left[:, 1], gone, atol=1e-12)
        np.testing.assert_allclose(forced, matched[:, None] + holders[:, ::-1] + opened, atol=1e-12)
        assert min(x.min() for x in (left, forced, matched, holders, opened)) >= -1e-12
        if closes == 1.0:
            # nobody has to open: both sides are liquidated for the open interest of one, what met counted once
            assert opened.max() < 1e-12
            assert (forced.sum(axis=-1) - matched).max() <= 1.0 + 1e-12
        met = max(met, matched.max())
    # marks at the ends of steps reach one side at a time, so accounts only meet in a backlog
    assert met > 0.05 or (kind == "account" and (engine == 0.0 or step == "day")) or step == "minute"


@pytest.mark.slow
@pytest.mark.parametrize("engine", [0.0, 60.0])
@pytest.mark.parametrize("step", MINUTES)
@pytest.mark.parametrize(("kind", "spread"), [("ladder", 0.0), ("ladder", 0.8), ("account", 0.0)])
def test_more_leverage_never_loses_less_open_interest(kind, spread, step, engine):
    """On every path, the rest closing the other side."""
    lost = []
    for leverage in LEVERAGES:
        start, left, *_ = of(kind, step, leverage, spread, engine)
        lost.append(start[:, 0] - left[:, 0])
    rises = np.diff(lost, axis=0)
    assert rises.min() >= -1e-9, (step, engine)
    assert rises.max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("step", MINUTES)
def test_no_less_is_lost_than_one_side_and_no_more_than_both_after_each_other(step):
    """Of a ladder: between the larger share of a side that was reached and `1 - (1 - long)(1 - short)`."""
    for leverage in LEVERAGES:
        start, left, *_ = of("ladder", step, leverage, 0.8)
        held, (_, low, high) = book("ladder", leverage, 0.8), marks(step)
        reach = np.stack([np.maximum(-np.min(low, axis=1), 0.0), np.maximum(np.max(high, axis=1), 0.0)], axis=-1)
        reached = np.asarray(held.triggered(jnp.asarray(reach.reshape(-1))))[0, 0].reshape(2, PATHS, 2)
        long, short = reached[0, :, 0] / 1e8, reached[1, :, 1] / 1e8
        lost = start[:, 0] - left[:, 0]
        assert (lost >= np.maximum(long, short) - 1e-9).all()
        assert (lost <= long + short - long * short + 1e-9).all()


@pytest.mark.slow
def test_longs_and_shorts_liquidated_in_one_step_are_all_gone(gbm_market):
    """Leverage 125 in steps of an hour: whoever is reached, none of the 1e8 is left. A stop order counts by its cause."""
    crowd = {str(side): Histogram(1e8, [125.0], [1.0], side=side) for side in (1, -1)}
    market = gbm_market(crowd, horizon=1 / 365, steps=24, volatility=0.8, maintenance=0.004)
    market = market.replace(stops={"stop": Stops(np.array(1e6), np.array(99.9), np.array(0.0), 0, 0, 1)})
    run = eqx.filter_jit(lambda prepared, paths: path_losses(prepared, seed_key(1), paths))
    losses = {name: np.asarray(x) for name, x in run(prepare(market, jnp.float64), jnp.arange(200, dtype=jnp.uint32)).items()}
    both = (losses["liquidated_notional"][:, 0, 0] > 5e7).all(axis=-1)
    assert both.sum() > 20
    assert (losses["open_interest_loss_usd"] >= 1e8 * (1.0 - 1e-9)).all()  # the stop order's holder may be left
    by_cause = losses["open_interest_loss_by_cause"]
    np.testing.assert_allclose(by_cause.sum(axis=-1), losses["open_interest_loss_usd"], rtol=1e-9)
    assert by_cause.min() >= 0.0
    assert 0.0 < by_cause[:, 1].max() <= 1e6 * (1.0 + 1e-9)


@pytest.mark.slow
def test_sells_meet_buys_before_anybody_is_asked():
    """5 sold and 3 bought: 3 meet; of the other 2 half closes a short, half is bought by a new long. And only so many as hold."""
    forced, held = jnp.array([[[5.0, 3.0]]]), jnp.array([[[4.0, 6.0]]])
    closed = closed_against(forced, held, jnp.array([0.5]))
    assert closed.matched.tolist() == [[3.0]]
    assert closed.holders.tolist() == [[[0.0, 1.0]]]
    assert closed.opened.tolist() == [[[1.0, 0.0]]]
    assert closed.by_orders().tolist() == [[[2.5, 1.5]]]
    few = closed_against(forced, 0.1 * held, jnp.array([1.0]))
    np.testing.assert_allclose(few.holders, [[[0.0, 0.6]]])
    np.testing.assert_allclose(few.opened, [[[1.4, 0.0]]])
    slopes = jax.jacobian(lambda f: closed_against(f, held, jnp.array([0.5])).holders)(jnp.zeros((1, 1, 2)))
    assert np.isfinite(slopes).all()

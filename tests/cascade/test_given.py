"""A run that begins with prices as they were observed. Everything here is exact."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.cascade import prepare, record_block, seed_key
from jaxrisk.market import GBM, Given, Replay
from jaxrisk.scenario import Settings

HOURS = 1.0 / 8760.0
SEEN = np.array([0.0, -0.02, -0.06, -0.11, -0.10, -0.13])[:, None]
STEPS = 24


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def scenario(market=None, given=True, feedback=1.0):
    day = jr.load("btc_24h")
    still = Replay(np.zeros((2, 1)))
    day = day.replace(market=market or still, settings=Settings(STEPS * HOURS, STEPS), depth=None)
    return eqx.tree_at(lambda s: s.channels.feedback, day, feedback).replace(given=Given(SEEN) if given else None)


def recorded(one, paths=1):
    found = record_block(prepare(one, jnp.float64), seed_key(1), np.arange(paths, dtype=np.uint32), paths)
    return jax.tree.map(np.asarray, found)


@pytest.mark.slow
def test_the_price_is_the_given_one_and_liquidations_are_what_it_sets_off():
    found = recorded(scenario())
    assert np.allclose(found.price[:5, 0], SEEN[1:], rtol=0.0, atol=1e-12)
    assert np.allclose(found.mark[:5, 0, 0], SEEN[1:], rtol=0.0, atol=1e-12)
    # what was liquidated moved the price: without it the price would have been higher, and more so as more are sold
    impact = (found.fundamental - found.price)[:5, 0, 0]
    assert impact[0] > 0.0
    assert (impact[[1, 2, 4]] > impact[[0, 1, 3]]).all()
    # the book sees the same prices without impact, as when they are replayed
    off = recorded(scenario(feedback=0.0))
    replayed = recorded(scenario(Replay(SEEN), given=False, feedback=0.0))
    assert np.allclose(off.open_interest[:5], replayed.open_interest[:5], rtol=1e-12, atol=0.0)
    assert np.allclose(off.fundamental[:5, 0], SEEN[1:], rtol=0.0, atol=1e-12)


@pytest.mark.slow
def test_afterwards_impact_relaxes_and_the_price_comes_back():
    one = scenario()
    found = recorded(one)
    fundamental, price = found.fundamental[:, 0, 0], found.price[:, 0, 0]
    assert np.allclose(fundamental[5:], fundamental[4], rtol=0.0, atol=1e-12)  # the law stands still
    impact = fundamental - price
    assert (np.diff(impact[5:]) < 0.0).all()
    # square-root impact: the volume behind it, less what stays, relaxes at the given rate
    lost = -np.diff(impact[6:14] ** 2)
    assert np.allclose(lost[1:] / lost[:-1], np.exp(-float(one.impact.relaxation_rate[0]) * HOURS), rtol=1e-6)


@pytest.mark.slow
def test_the_law_starts_from_its_own_state_when_the_given_prices_end():
    law = GBM([0.0], [0.6], np.eye(1))
    begun, free = recorded(scenario(law, feedback=0.0), 3), recorded(scenario(law, given=False, feedback=0.0), 3)
    moves = np.diff(begun.fundamental[4:], axis=0), np.diff(free.fundamental[4:], axis=0)
    assert np.allclose(*moves, rtol=0.0, atol=1e-14)
    bates = jr.load("btc_24h").market
    heavy = recorded(scenario(bates, feedback=0.0), 64)
    assert np.allclose(heavy.price[:5], SEEN[1:, None], atol=1e-12)
    assert np.std(heavy.price[-1]) > 0.005


def test_wrong_shape_is_named():
    wrong = scenario().replace(given=Given(np.zeros((4, 2))))
    assert any("given.log_prices" in line for line in wrong.problems())

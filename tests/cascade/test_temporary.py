"""Temporary impact: what one order does, exactly, while it is executed and after; drawn markets are in test_exchange_oracle."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade import Channels, Impact, LinearImpact, TemporaryImpact, Venues, prepare, record_block, seed_key
from jaxrisk.market import Replay
from jaxrisk.positions import Lognormal, Stops, Tiers
from jaxrisk.scenario import Scenario, Settings

YEAR = 365 * 24 * 60
STEPS, SOLD, VOLUME, VOLATILITY, ETA = 40, 1e7, 1e10, 0.03, 2.0


def recorded(minutes: float, beta: float, half_life: float, feedback: float = 1.0) -> np.ndarray:
    """Log prices after each step of a price that falls by 2% in its first step, where 10 million USD of stops are sold."""
    one = np.ones(1)
    years = minutes / YEAR
    fundamental = np.full((STEPS + 1, 1), math.log(0.98))
    fundamental[0] = 0.0
    scenario = Scenario(
        market=Replay(fundamental),
        impact=Impact(
            LinearImpact(1e30 * one),
            0.0 * one,
            0.0 * one,
            np.eye(1),
            temporary=TemporaryImpact(
                ETA * one, beta * one, math.log(2.0) / (half_life / YEAR) * one, VOLATILITY * one, VOLUME * one
            ),
        ),
        venues=Venues.single(Tiers.flat(0.005)),
        populations={"calm": Lognormal(1e9, 1.01, 0.0)},
        stops={"at 99": Stops(np.array(SOLD), np.array(99.0), np.array(0.0))},
        price=[100.0],
        settings=Settings(horizon=STEPS * years, steps=STEPS),
        channels=Channels(feedback=feedback),
    )
    with jax.enable_x64(True):
        prepared = prepare(scenario, jnp.float64)
        return np.asarray(record_block(prepared, seed_key(1), jnp.arange(1, dtype=jnp.uint32), 1).price)[:, 0, 0]


@pytest.mark.parametrize(("minutes", "beta", "half_life"), [(1.0, 0.5, 3.0), (0.1, 0.8, 3.0), (30.0, 1.0, 20.0)])
def test_an_order_overshoots_and_comes_back(minutes, beta, half_life):
    """Spread over its step, then forgotten: a rate of `Q (1 - exp(-k dt)) / dt exp(-k t)`, to its power."""
    decay = math.log(2.0) / half_life
    since = minutes * np.arange(STEPS)
    rate = SOLD * 1440 / VOLUME * (1.0 - math.exp(-decay * minutes)) / minutes * np.exp(-decay * since)
    kept = rate > 1e-4  # below, the law is smoothed
    expected = math.log(0.98) - ETA * VOLATILITY * rate**beta
    np.testing.assert_allclose(recorded(minutes, beta, half_life)[kept], expected[kept], rtol=1e-6)
    assert kept.sum() >= 2


def test_a_long_step_sees_the_average():
    """What a step does is its volume over its length, whatever the half-life, once that is much shorter."""
    first = [recorded(240.0, 0.5, half_life)[0] for half_life in (1.0, 4.0)]
    average = ETA * VOLATILITY * math.sqrt(SOLD / (VOLUME / 6))
    np.testing.assert_allclose(first, math.log(0.98) - average, rtol=1e-6)


def test_feedback_off_is_the_fundamental():
    np.testing.assert_allclose(recorded(1.0, 0.5, 3.0, feedback=0.0), math.log(0.98), rtol=1e-12)

"""Small markets with known answers."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade import Channels, Impact, LinearImpact, Venues
from jaxrisk.market import GBM
from jaxrisk.positions import Limits, Tiers
from jaxrisk.scenario import Scenario, Settings


@pytest.fixture(scope="session")
def gbm_market():
    """A function that makes a one-asset, one-venue market of geometric Brownian motion.

    Without `depth` (USD per unit log price) forced volume does not move the price.
    """

    def make(population, *, horizon=7 / 365, steps=84, volatility=0.6, depth=None, limits=None, bridge=True, rounds=1,
             maintenance=0.005, engine_time=0.0, closes_opposite=1.0, drift=0.0, relaxation=0.0):  # fmt: skip
        one = np.ones(1)
        populations = population if isinstance(population, dict) else {"crowd": population}
        return Scenario(
            market=GBM(drift=drift * one, volatility=volatility * one, correlation=np.eye(1)),
            impact=Impact(LinearImpact((depth or 1e12) * one), relaxation * one, 0.0 * one, np.eye(1)),
            venues=Venues.single(Tiers.flat(maintenance), engine_time=engine_time, closes_opposite=closes_opposite),
            populations=populations,
            price=[100.0],
            settings=Settings(horizon, steps, rounds, bridge),
            channels=Channels(feedback=1.0 if depth else 0.0),
            limits=limits or Limits.none(),
        )

    return make


@pytest.fixture(scope="session")
def mean_and_slope():
    """A function that gives the mean of a per-path number over many paths, its derivative to one leaf, and both errors.

    `measure(value, paths)` returns the numbers of the given path indices; derivatives are pathwise, in forward mode. A measure
    is compiled once, for every value that it is asked for.
    """
    import jax

    @eqx.filter_jit
    def one(measure, value, first, batch):
        indices = first + jnp.arange(batch, dtype=jnp.uint32)
        numbers, slopes = jax.jvp(lambda v: measure(v, indices), (value,), (jnp.float32(1.0),))
        moments = lambda x: jnp.stack([jnp.sum(x), jnp.sum(x**2)])
        return moments(numbers), moments(slopes)

    def estimate(measure, value, paths=200_000, batch=10_000):
        parts = [one(measure, jnp.float32(value), jnp.uint32(first), batch) for first in range(0, paths, batch)]
        results = []
        for side in (0, 1):
            total, squares = np.sum([np.asarray(part[side], np.float64) for part in parts], axis=0)
            mean = total / paths
            results += [mean, np.sqrt((squares / paths - mean**2) / paths)]
        return results

    return estimate

"""Small leveraged markets whose rare events have known or cheap answers."""

import numpy as np
import pytest

from jaxrisk.cascade import Channels, Impact, LinearImpact, Venues
from jaxrisk.market import GBM, Bates, Merton
from jaxrisk.positions import Lognormal, Tiers
from jaxrisk.scenario import Names, Scenario, Settings

ONE = np.ones(1)


@pytest.fixture(scope="session")
def leveraged():
    """A function that makes a one-venue market over any law; without `depth`, forced volume does not move the price."""

    def make(market, steps=48, depth=None, bridge=False, horizon=1 / 365):
        assets = market.assets()
        each = np.ones(assets)
        crowd = {
            f"crowd_{side}_{a}": Lognormal(open_interest=1e9, median=12.0, log_sd=0.8, asset=a, side=side)
            for a in range(assets)
            for side in (1, -1)
        }
        return Scenario(
            market=market,
            impact=Impact(LinearImpact((depth or 1e14) * each), 2000.0 * each, 0.1 * each, np.eye(assets)),
            venues=Venues.single(Tiers.flat(0.005, assets=assets)),
            populations=crowd,
            price=100.0 * each,
            settings=Settings(horizon, steps, 1, bridge),
            channels=Channels(feedback=1.0 if depth else 0.0),
            names=Names(assets=tuple(f"coin{a}" for a in range(assets))) if assets > 1 else Names(),
        )

    return make


@pytest.fixture(scope="session")
def driftless(leveraged):
    """Brownian motion without drift in the log price, at a volatility of 60%, watched continuously."""
    return lambda steps=24: leveraged(GBM(0.18 * ONE, 0.6 * ONE, np.eye(1)), steps, bridge=True)


@pytest.fixture(scope="session")
def bates(leveraged):
    """Stochastic variance and jumps with feedback, in few steps."""

    def make(steps=24):
        law = Bates(0 * ONE, 0.17 * ONE, 0.3 * ONE, 35.0 * ONE, 5.0 * ONE, -0.35 * ONE, np.eye(1), 48.0 * ONE, -0.002 * ONE,
                    0.032 * ONE, 0.0, max_jumps=3, scheme="full_truncation")  # fmt: skip
        return leveraged(law, steps, depth=2e10)

    return make


@pytest.fixture(scope="session")
def merton(leveraged):
    """Rare jumps and hardly any diffusion."""

    def make(steps=24, volatility=0.01, rate=20.0):
        law = Merton(0 * ONE, volatility * ONE, np.eye(1), rate * ONE, 0.0 * ONE, 0.05 * ONE, 0.0, max_jumps=2)
        return leveraged(law, steps)

    return make

"""A market whose programs compile in seconds."""

import numpy as np

from jaxrisk.cascade import Backstop, Impact, LinearImpact, Venues
from jaxrisk.market import Merton, Shock
from jaxrisk.positions import Grid, Histogram, Limits, Tiers
from jaxrisk.scenario import Description, Names, Scenario, Settings

ONE, TWO = np.ones(1), np.ones(2)


def small(volatility=0.6, cap=20.0, horizon=1 / 365, window=8 / 8760, tranches=(0.5, 0.5), shocked=0, size=-0.02, names=None,
          holders=("a", "b"), jump_rate=20.0, **said):  # fmt: skip
    """Two venues, few cells and steps: what takes long is compiling."""
    crowd = lambda side, venue: Histogram(1e9, [10.0, 30.0], [0.5, 0.5], entry_sd=0.02, side=side, venue=venue)
    return Scenario(
        market=Merton(0 * ONE, volatility * ONE, np.eye(1), jump_rate * ONE, -0.02 * ONE, 0.05 * ONE, 0.0, max_jumps=2),
        shock=Shock([size], [0.0], [horizon / 3], venue=shocked),
        impact=Impact(LinearImpact(2e10 * ONE), 2000.0 * ONE, 0.1 * ONE, np.eye(1)),
        venues=Venues(
            0 * TWO, 0.003 * TWO, 0.5 * TWO, 100.0 * TWO, np.full((2, 1), 1e-11), 0.5 * TWO,
            Tiers.flat(0.005, venues=2), (tranches, (1.0,)), (False, False),
            backstop=Backstop(1e6 * TWO, TWO, 0.3 * TWO, ("pro_rata",) * 2, ("fund_drawdown",) * 2, (window,) * 2),
        ),
        populations={holders[0]: crowd(1, 0), holders[1]: crowd(-1, 0), "c": crowd(1, 1), "d": crowd(-1, 1)},
        price=100.0 * ONE,
        limits=Limits.single(cap, share_downsize=0.5),
        settings=Settings(horizon, 4),
        grid=Grid(cells=64),
        names=names or Names(("here", "there"), ("BTC",), ("all",)),
        description=Description(**{"paths": 64, "sample_paths": 2} | said),
    )  # fmt: skip

"""The reference workload of scripts/benchmark.py and scripts/gpu_check, built without a configuration file."""

import numpy as np

from jaxrisk.cascade import Impact, PowerImpact, Venues
from jaxrisk.market import Bates
from jaxrisk.positions import Lognormal, Tiers
from jaxrisk.scenario import Scenario, Settings

DAY = 1.0 / 365.0
MINUTE = DAY / 1440


def reference(steps: int, populations=None) -> Scenario:
    """The reference workload: steps of one minute."""
    market = Bates(
        drift=[0.0],
        variance=[0.36],
        mean_variance=[0.36],
        reversion=[4.0],
        vol_of_variance=[1.5],
        leverage_correlation=[-0.4],
        correlation=[[1.0]],
        jump_rate=[50.0],
        jump_mean=[-0.02],
        jump_sd=[0.04],
        common_jump_probability=0.0,
        max_jumps=1,
        scheme="full_truncation",
    )
    law = PowerImpact(coefficient=[1.0], daily_volatility=[0.02], daily_volume=[1.3e10], exponent=[0.5])
    held = {"median": 8.0, "log_sd": 0.9, "entry_sd": 0.03}
    return Scenario(
        market=market,
        impact=Impact(law, relaxation_rate=[np.log(2.0) / (30 * MINUTE)], permanent_share=[0.1], cross=[[1.0]]),
        venues=Venues.single(Tiers.flat(0.005), engine_time=MINUTE / 6, liquidation_fee=0.003, closes_opposite=0.5),
        populations=populations or {"long": Lognormal(6e9, side=1, **held), "short": Lognormal(6e9, side=-1, **held)},
        price=[78_000.0],
        settings=Settings(steps * MINUTE, steps),
    )

"""Small results of studies with the fields of the real ones."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from jaxrisk.report import Result
from jaxrisk.risk import Estimate
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.slopes.change import Change


class Named(NamedTuple):
    """A parameter, as `jaxrisk.parameters` has them."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    pathwise: bool = True


PARAMETERS = [
    Named("limits.cap[retail,*,*]", 20.0, "1", 1.0, 1e6),
    Named("limits.cap[professional,*,*]", 100.0, "1", 1.0, 1e6),
    Named("impact.coefficient[BTC]", 1.0, "1", 0.0, np.inf),
    Named("populations.retail_long.open_interest", 2.345e9, "USD", 0.0, np.inf),
    Named("market.jump_rate[BTC]", 48.3, "1/year", 0.0, np.inf, False),
]
MEASURE = Measure.of("expected_shortfall(max_drawdown_index, 0.99)")
ESTIMATE = Estimate(0.1234, 0.0011, 0.1213, 0.1256, 0.99, 100_000, 100_000.0)


def sensitivities(**changes):
    """Five parameters, one of them bumped for its thin tail, one because a path's derivative says nothing."""
    gradient = np.array([6.2e-5, 1.2e-7, 0.0123, 3.1e-12, 2.1e-4])
    error = np.array([7.1e-6, 3.4e-7, 0.00081, 4.2e-13, 9e-5])
    value = np.array([one.value for one in PARAMETERS])
    fields = {
        "measure": MEASURE,
        "estimate": ESTIMATE,
        "parameters": list(PARAMETERS),
        "gradient": gradient,
        "standard_error": error,
        "elasticity": gradient * value / ESTIMATE.value,
        "elasticity_error": error * value / ESTIMATE.value,
        "covariance": np.diag(error**2),
        "method": ["pathwise", "pathwise", "bump", "pathwise", "bump"],
        "reason": ["tail index 4.1", "tail index 4.1", "tail index 1.8 of the path gradients", "tail index 4.1", "a threshold"],
        "pathwise": None,
        "bumped": None,
        "tail_index": np.array([4.1, 4.1, 1.8, 4.1, np.nan]),
        "share_above_criticality": 0.0312,
        "cross": [],
        "checked": None,
        "kinks": [],
        "changes": [],
        "info": {"seed": 1, "paths": 100_000, "seconds": 1.5},
    }
    return SimpleNamespace(**{**fields, **changes})


CHANGED = {
    "kinks": [((9.1e-5, 8e-6), (3.1e-5, 6e-6)), None, None, None, None],
    "changes": [Change(PARAMETERS[0], 10.0, -0.0031, 0.0002), Change(PARAMETERS[2], 2.0, 0.0121, np.nan)],
}
"""A kink, a change that the slope is no guide to, and one that rests on too few paths, for `sensitivities`."""


def design(**changes):
    """Two limits tightened to a budget of 8%."""
    fields = {
        "RAISED": 0.05,
        "measure": MEASURE,
        "budget": 0.08,
        "feasible": True,
        "parameters": PARAMETERS[:2],
        "before": np.array([20.0, 100.0]),
        "after": np.array([8.512, 61.2]),
        "estimate": Estimate(0.0791, 0.0004, 0.0783, 0.0799, 0.99, 1_000_000, 1_000_000.0),
        "upper": 0.0798,
        "binding": np.array([True, True]),
        "cost": 3.4e8,
        "collateral": 1e7,
        "shadow_price": 2.2e10,
        "shadow_price_error": 3e9,
        "frontier": [
            {"budget": budget, "measure": Estimate(value, 4e-4, value - 8e-4, value + 8e-4, 0.99, 10**5, 1e5), "cost": cost}
            for budget, value, cost in ((0.07, 0.0698, 9.1e8), (0.08, 0.0791, 3.4e8), (0.1, 0.0992, 0.7e8))
        ],
        "slack": [
            Estimate(0.0812, 0.0004, 0.0804, 0.082, 0.99, 1_000_000, 1e6),
            Estimate(0.0806, 0.0004, 0.0798, 0.0814, 0.99, 1_000_000, 1e6),
        ],
        "slack_upper": np.array([0.082, 0.0814]),
        "words": ["retail is capped most"],
        "info": {"seed": 1},
    }
    return SimpleNamespace(**{**fields, **changes})


def reverse_stress(**changes):
    """Two ways to a fall of 15%."""
    time = np.linspace(0.0, 1.0, 13)[:, None]
    liquidated, pull = 4e8 * time[:, 0], -np.ones((12, 1))
    answers = [
        SimpleNamespace(
            distance=8.2, log_price=-0.1 * time, price=-0.15 * time, volatility=0.6 + 0.2 * time, loss=0.15, probability=2.6e-5,
            words="a steady fall of 9.5% over the whole day, of which liquidations make 15%", jumps=(), liquidated=liquidated,
            drive=pull, drive_labels=(("price", "BTC"),),
        ),
        SimpleNamespace(
            distance=10.4, log_price=-0.12 * (time > 0.5), price=-0.16 * (time > 0.5), volatility=None, loss=0.15,
            probability=2.4e-6, words="one fall of 11% at noon", jumps=(SimpleNamespace(hours=12.0, move=-0.11),),
            liquidated=liquidated, drive=0.1 * pull, drive_labels=(("price", "BTC"),),
        ),
    ]  # fmt: skip
    fields = {
        "observable": "max_drawdown_index", "level": 0.15, "answers": answers, "proposal": object(), "info": {"seed": 1},
        "assets": ("BTC",), "hours": lambda: 24.0 * time[:, 0],
    }  # fmt: skip
    return SimpleNamespace(**{**fields, **changes})


def rare_event(**changes):
    """A probability of about a millionth, from weighted paths."""
    random = np.random.default_rng(1)
    paths = 4_000
    drawdown = 0.3 + 0.05 * random.standard_normal(paths)
    losses = {"max_drawdown_index": drawdown, "open_interest_loss_usd": 1e9 * drawdown**2, "log_return": -drawdown[:, None]}
    log_weights = -12.0 - 20.0 * (drawdown - 0.3)
    whole = Result(losses, {"log_return": ("assets",)}, {"assets": ["BTC"]}, log_weights, info={"name": "rare", "seed": "1"})
    fields = {
        "observable": "max_drawdown_index",
        "level": 0.3,
        "estimate": whole.exceedance_probability("max_drawdown_index", 0.3),
        "method": "importance",
        "reason": "effective sample size 1,203 of 4,000",
        "losses": losses,
        "log_weights": log_weights,
        "result": lambda: whole,
        "paths_run": 12_000,
        "info": {"seed": 1},
    }
    return SimpleNamespace(**{**fields, **changes})


def run(losses=None, **changes):
    """A run of two assets on two venues, with every observable that tables and pictures show."""
    random = np.random.default_rng(1)
    paths = 2_000
    drawdown = np.minimum(0.03 * random.exponential(size=paths), 0.9)
    base = 0.8 * drawdown
    forced = random.exponential(2e7, (paths, 2, 2, 2)) * (drawdown > 0.05)[:, None, None, None]
    backstop = {"liquidation_fees": 1e6, "insurance_fund_used": 8e6, "deleveraging_loss": 3e6, "socialised_loss": 1e6}
    found = {
        "max_drawdown_index": drawdown,
        "max_drawdown": np.stack([drawdown, np.minimum(1.1 * drawdown, 0.95)], 1),
        "max_drawdown_no_feedback_index": base,
        "amplification_index": drawdown - base,
        "time_to_trough_index": random.random(paths) / 365,
        "open_interest_loss_fraction": np.where(drawdown > 0.05, drawdown, 0.0),
        "open_interest_loss_usd": forced.sum((1, 2, 3)),
        "liquidated_notional": forced,
        "liquidated_by_class": random.exponential(1e8, (paths, 2)),
        "peak_minute_liquidation": forced.max((1, 2, 3)),
        "support_overshoot": np.stack([np.maximum(drawdown - 0.1, 0), np.zeros(paths)], 1),
        "support_broken": np.stack([drawdown > 0.1, np.zeros(paths)], 1).astype(float),
        **{name: random.exponential(scale, (paths, 2)) for name, scale in backstop.items()},
    }
    dims = {
        "max_drawdown": ("assets",), "support_overshoot": ("assets",), "support_broken": ("assets",),
        "liquidated_notional": ("venues", "assets", "sides"), "liquidated_by_class": ("classes",),
        **dict.fromkeys(backstop, ("venues",)),
    }  # fmt: skip
    coords = {
        "assets": ["BTC", "ETH"],
        "venues": ["one", "two"],
        "sides": ["long", "short"],
        "classes": ["retail", "professional"],
    }
    walk = np.cumsum(0.002 * random.standard_normal((5, 97, 2)), axis=1)
    level = np.linspace(-0.5, 0.5, 41)
    curve = np.exp(-((level + 0.12) ** 2) / 0.01)
    info = {
        "name": "example", "title": "An example", "seed": "3", "paths": paths, "steps": 96, "horizon_years": 1 / 365, "bridge": 0,
        "precision": "float32", "initial_price.BTC": 78_000.0, "initial_price.ETH": 2_400.0, "support_usd": [70_000.0, 0.0],
        "open_interest_usd": 1e9, "dropped_open_interest_usd": 2e7, "dropped_by": ["one BTC long: 20 USD M"],
        "balancing_open_interest_usd": 3e7, "criticality_peak": [0.91, 0.4], "criticality_peak_log_price": [-0.12, -0.12],
        "criticality_runaway_log_price": [float("-inf"), float("-inf")],
    }  # fmt: skip
    samples = {"price": walk, "fundamental": 0.8 * walk}
    curves = {"level": level, "value": np.stack([0.91 * curve, 0.4 * curve])}
    return Result(found if losses is None else losses, dims, coords, None, samples, curves, info | changes)

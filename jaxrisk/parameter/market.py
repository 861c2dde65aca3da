"""The numbers of the price's law, by name."""

from itertools import combinations

import numpy as np

from ..market import Bootstrap, Factors
from ..scenario import Scenario
from .groups import SECOND, SHARE, UNBOUNDED, Group, each, fields, plain, scaling

_MARKET = {
    "drift": ("1/year", -20.0, 20.0),
    "volatility": ("1/sqrt(year)", 0.0, 20.0),
    "variance": ("1/year", 0.0, 400.0),
    "mean_variance": ("1/year", 0.0, 400.0),
    "reversion": ("1/year", 0.0, 1e5),
    "vol_of_variance": ("1/year", 0.0, 1e3),
    "leverage_correlation": ("1", -1.0, 1.0),
    "jump_rate": ("1/year", 0.0, 1e5, False),
    "jump_mean": ("1", -5.0, 5.0),
    "jump_sd": ("1", 0.0, 5.0),
    "up_probability": ("1", 0.0, 1.0, False),
    "up_rate": ("1", 1.0, 1e6),
    "down_rate": ("1", 0.0, 1e6),
    "common_jump_probability": ("1", 0.0, 1.0, False),
    "half_life": ("s", 0.0, UNBOUNDED),
    "factor_sd": ("1", 0.0, 5.0),
    "scaled_jump_mean": ("1", -50.0, 50.0),
    "scaled_jump_sd": ("1", 0.0, 50.0),
    "variance_jump_mean": ("1", 0.0, 1.0),
    "variance_jump_half_life": ("s", 0.0, UNBOUNDED),
    "variance_jump_rate": ("1/year", 0.0, 1e5, False),
    "alpha": SHARE,
    "beta": SHARE,
    "degrees_of_freedom": ("1", 2.0, 1e6),
    "reference_step": ("s", 0.0, UNBOUNDED, False),
    "mean_block": ("steps", 1.0, UNBOUNDED, False),
}
_SWITCHED = ("variance", "mean_variance", "reversion", "vol_of_variance", "leverage_correlation", "volatility")
"""What the quadratic-exponential scheme's choice between its two branches rests on, which is a threshold."""


def market_groups(scenario: Scenario) -> list[Group]:
    market, assets = scenario.market, scenario.names.assets
    part = lambda s: s.market
    groups: list[Group] = []
    if hasattr(market, "variance"):
        # a path that starts elsewhere than at the variance that the law states has its mean to scale alone
        started = getattr(market, "start", None) is not None or market.variance is None
        leaves = [(lambda s: s.market.mean_variance, 2, 0)]
        root = lambda s: s.market.mean_variance**0.5
        if not started:
            leaves, root = [(lambda s: s.market.variance, 2, 0), *leaves], lambda s: s.market.variance**0.5
        groups.append(scaling("market.volatility", root, leaves, *each(assets), "1/sqrt(year)", high=20.0))
    elif isinstance(market, Bootstrap):
        spread = lambda s: s.market.log_returns.std(axis=0) / s.settings.years_per_step**0.5
        leaves = [(lambda s: s.market.log_returns, 1, 0)]
        groups.append(scaling("market.volatility", spread, leaves, *each(assets), "1/sqrt(year)", high=20.0))
    for field, said in _MARKET.items():
        value = getattr(market, field, None)
        idle = (field == "variance" and getattr(market, "start", None) is not None) or (
            field == "common_jump_probability" and (len(assets) == 1 or getattr(market, "jump_rate", None) is None)
        )
        if value is not None and not idle:
            several = np.ndim(value) > 0
            if np.ndim(value) == 2:
                groups.append(_by_factor(f"market.{field}", lambda s, f=field: getattr(s.market, f), scenario, said, value))
                continue
            groups += fields("market", part, assets if several else (), {field: said})
    start = getattr(market, "start", None)
    if isinstance(start, Factors):
        said = {"mean": ("1", -20.0, 20.0), "sd": ("1", 0.0, 10.0)}
        for field, range_ in said.items():
            at = lambda s, f=field: getattr(s.market.start, f)
            groups.append(_by_factor(f"market.start.{field}", at, scenario, range_, start.mean))
    if getattr(market, "scheme", None) == "qe":
        switched = {f"market.{field}" for field in _SWITCHED}
        groups = [group._replace(pathwise=group.pathwise and group.name not in switched) for group in groups]
    if hasattr(market, "correlation"):
        pairs = list(combinations(range(len(assets)), 2))
        labels = [f"{assets[a]}/{assets[b]}" for a, b in pairs]
        at = lambda s: s.market.correlation
        groups.append(plain("market.correlation", at, labels, pairs, "1", -1.0, 1.0, mirror=True))
    return groups


def _by_factor(name: str, at, scenario: Scenario, said, value) -> Group:
    """Numbers of each asset's factors, which are counted from 1."""
    assets, factors = np.shape(value)
    places = [(a, k) for a in range(assets) for k in range(factors)]
    labels = [f"{scenario.names.assets[a]},{k + 1}" for a, k in places]
    return plain(name, at, labels, places, *said[:3], scale=SECOND if said[0] == "s" else 1.0)


__all__ = ["market_groups"]

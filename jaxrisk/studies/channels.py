"""The channels of a scenario through which its own leverage deepens a fall, and how each is switched off."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import numpy as np

from ..scenario import Scenario


class Channel(NamedTuple):
    """`name`; `says`: what is off where it is off, for people; `price`: whether it works through the price alone, so that it does
    nothing without impact; `off`: the scenario without it."""

    name: str
    says: str
    price: bool
    off: Callable[[Scenario], Scenario]


IMPACT = "impact of forced orders"
"""Of liquidations, stop orders and calls met alike: without it none of them moves any price."""


def channels(scenario: Scenario) -> list[Channel]:
    """Those that a scenario has, the impact of forced orders first. All are numbers: the runs share one program."""
    there = [
        Channel(IMPACT, "forced orders move no price", False, _channel("feedback")),
        Channel("stop orders", "nobody has a stop order", False, _channel("stops")) if scenario.stops else None,
        Channel("margin calls", "called holders do nothing", False, _channel("calls")) if scenario.calls is not None else None,
        Channel("auto-deleveraging", "what is bankrupt is sold in the market", False, _channel("deleveraging"))
        if scenario.venues.backstop is not None
        else None,
        Channel("depth withdrawal", "depth stays as it is", True, _channel("depth_withdrawal"))
        if scenario.depth is not None
        else None,
        Channel("common holders", "holders of several assets sell none but the one forced", True, _channel("common_holders"))
        if scenario.impact.common_holders is not None
        else None,
        Channel("cross-impact", "an asset's forced orders move its own price alone", True, _no_cross)
        if np.any(np.asarray(scenario.impact.cross) != np.eye(len(scenario.names.assets)))
        else None,
        Channel("cross-venue leakage", "a venue's forced orders thin no other venue's book", True, _no_leakage)
        if scenario.venues.liquidity_leakage is not None and len(scenario.names.venues) > 1
        else None,
    ]
    return [one for one in there if one is not None]


def switched(scenario: Scenario, parts: list[Channel], coalition: int) -> Scenario:
    """The scenario with the channels on whose bit is set, and the others off."""
    for place, part in enumerate(parts):
        if not coalition >> place & 1:
            scenario = part.off(scenario)
    return scenario


def same_run(parts: list[Channel]) -> Callable[[int], int]:
    """From a coalition to one with the same result: without impact, what works through the price is as good as off."""
    through = sum(1 << place for place, part in enumerate(parts) if part.price)
    impact = 1 << [part.name for part in parts].index(IMPACT)
    return lambda coalition: coalition if coalition & impact else coalition & ~through


def _channel(name: str) -> Callable[[Scenario], Scenario]:
    return lambda scenario: eqx.tree_at(lambda s: getattr(s.channels, name), scenario, 0.0)


def _no_cross(scenario: Scenario) -> Scenario:
    return eqx.tree_at(lambda s: s.impact.cross, scenario, np.eye(len(scenario.names.assets)))


def _no_leakage(scenario: Scenario) -> Scenario:
    none = np.zeros_like(np.asarray(scenario.venues.liquidity_leakage, np.float64))
    return eqx.tree_at(lambda s: s.venues.liquidity_leakage, scenario, none)


def alone(scenario: Scenario, asset: int) -> Scenario:
    """The scenario in which one asset's forced orders move no other's price, nor are others sold with it."""
    keep = np.ones((len(scenario.names.assets),) * 2)
    keep[:, asset] = 0.0
    keep[asset, asset] = 1.0
    scenario = eqx.tree_at(lambda s: s.impact.cross, scenario, np.asarray(scenario.impact.cross, np.float64) * keep)
    if scenario.impact.common_holders is not None:
        held = np.asarray(scenario.impact.common_holders, np.float64) * keep
        scenario = eqx.tree_at(lambda s: s.impact.common_holders, scenario, held)
    return scenario


__all__ = ["IMPACT", "Channel", "alone", "channels", "same_run", "switched"]

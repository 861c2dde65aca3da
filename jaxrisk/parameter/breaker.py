"""The numbers of a venue's circuit breaker, by name."""

import numpy as np

from ..scenario import Scenario
from .groups import SECOND, SHARE, UNBOUNDED, Group, concrete


def breaker(scenario: Scenario, v: int, of) -> list[Group]:
    """When a halt begins is a step of its threshold; how long one of liquidations alone lasts is not."""
    given = scenario.venues.breaker
    if given is None:
        return []
    smooth = not given.trading[v] and not np.any(concrete(given.auction))
    at = lambda field: lambda s: getattr(s.venues.breaker, field)
    return [
        of("halt_move", at("halt_move"), "1", 0.0, UNBOUNDED, pathwise=False),
        of("halt_window", at("halt_window"), "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=False),
        of("halt_length", at("halt_length"), "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=smooth),
        of("price_band", at("price_band"), "1", 0.0, UNBOUNDED, pathwise=False),
        of("auction", at("auction"), *SHARE),
        of("auction_depth", at("auction_depth"), "1", 1.0, 1e3),
    ]


__all__ = ["breaker"]

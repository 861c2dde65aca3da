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

    def step(name: str, contract: str) -> list[Group]:
        """A threshold of the venue, or, where there are any, of each contract by itself."""
        each = getattr(given, contract)
        alone = None if each is None else concrete(each)
        if each is None or (alone is not None and not np.any(np.isfinite(alone[v]))):
            return [of(name, at(name), "1", 0.0, UNBOUNDED, pathwise=False)]
        places = enumerate(scenario.names.assets)
        return [of(name, at(contract), "1", 0.0, UNBOUNDED, label=asset, place=(a,), pathwise=False) for a, asset in places]

    return [
        *step("halt_move", "contract_move"),
        of("halt_window", at("halt_window"), "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=False),
        of("halt_length", at("halt_length"), "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=smooth),
        *step("price_band", "contract_band"),
        of("auction", at("auction"), *SHARE),
        of("auction_depth", at("auction_depth"), "1", 1.0, 1e3),
    ]


__all__ = ["breaker"]

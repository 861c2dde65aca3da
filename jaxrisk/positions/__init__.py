"""Who holds what: populations, tiers, contracts, limits, and the book a simulation steps through."""

from .book import AbstractBook as AbstractBook
from .build import Contracts as Contracts, build_ladder as build_ladder
from .grid import Grid as Grid
from .ladder import LadderBook as LadderBook, LadderState as LadderState
from .limits import ANY as ANY, Limits as Limits
from .population import (
    AbstractPopulation as AbstractPopulation,
    Accounts as Accounts,
    Histogram as Histogram,
    LiquidationMap as LiquidationMap,
    Lognormal as Lognormal,
)
from .tiers import Tiers as Tiers, log_liquidation_price as log_liquidation_price, maintenance_margin as maintenance_margin

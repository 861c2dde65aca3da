"""A scenario that has been read and checked."""

from dataclasses import dataclass, field
from typing import Any

from ..data.price_grid import Prices
from ..data.price_history import History
from ..holdings.accounts import Accounts
from ..holdings.cross_accounts import CrossTable
from ..holdings.levels import Map
from . import tables
from .ranges import Range


@dataclass
class Checked:
    """A scenario that has been read: its sections as models, its tables as arrays. None where something was wrong."""

    name: str = ""
    title: str = ""
    question: str = ""
    sources: list[str] = field(default_factory=list)
    run: tables.Run | None = None
    file_step: float = 0.0  # seconds, as the file has it, whatever was set in its place
    assets: dict[str, tables.Asset | None] = field(default_factory=dict)
    market: tables.Market | None = None
    shock: tables.Shock | None = None
    impact: tables.Impact | None = None
    temporary_impact: tables.TemporaryImpact | None = None
    depth: tables.Depth | None = None
    channels: tables.Channels | None = None
    venues: dict[str, tables.Venue | None] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    populations: dict[str, tables.Population | None] = field(default_factory=dict)
    caps: list[tables.Cap] = field(default_factory=list)
    calls: dict[str, tables.Call] = field(default_factory=dict)
    stops: dict[str, tables.Stop | None] = field(default_factory=dict)
    funding: tables.Funding | None = None
    flow: tables.Flow | None = None
    classes: tuple[str, ...] = ()
    tiers: dict[tuple[str, str], list[tables.Tier]] = field(default_factory=dict)
    tier_rules: dict[str, str] = field(default_factory=dict)
    prices: Prices | None = None
    history: History | None = None
    impact_table: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    accounts: dict[str, Accounts] = field(default_factory=dict)
    cross_accounts: dict[str, CrossTable] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    histograms: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    read_as: list[str] = field(default_factory=list)

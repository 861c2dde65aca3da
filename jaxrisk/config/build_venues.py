"""From checked venues to those of a scenario."""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..cascade import Breaker, Venues
from ..cascade.backstop import Backstop
from ..positions import Policy, Tiers
from ..units import Span
from . import tables
from .arrays import by_asset
from .checked import Checked
from .tables.venues import HALT_LENGTH, HALT_WINDOW

UNLIMITED_LEVERAGE = 1e6
FIRST_SHARE, FIRST_ABOVE, COOL_DOWN = 0.2, 1e5, Span("30s")
FUND_DRAWDOWN, FUND_WINDOW = 0.3, Span("8h")


def build_venues(checked: Checked, assets: tuple[str, ...]) -> Venues:
    """One row a venue; policies, a backstop, haircuts and leakage of liquidity only where some venue has them."""
    venues = [venue for venue in checked.venues.values() if venue is not None]
    depths = np.stack([by_asset(venue.local_depth, assets, default=math.inf) for venue in venues])
    return Venues(
        engine_time=np.array([venue.engine_time.years for venue in venues]),
        arbitrage_rate=np.array([math.log(2.0) / venue.arbitrage_half_life.years for venue in venues]),
        local_impact=1.0 / depths,
        tiers=_tiers(checked, assets),
        tranches=tuple(tuple(venue.tranches) for venue in venues),
        inverse=tuple(venue.contract == "inverse" for venue in venues),
        liquidity_leakage=_leakage(venues, tuple(checked.venues)),
        haircut=_haircuts(venues, assets),
        policy=_policy(venues),
        backstop=_backstop(venues),
        breaker=_breaker(venues, assets),
        **_numbers(venues),
    )


def _numbers(venues: Sequence[tables.Venue]) -> dict[str, Any]:
    """Numbers that are used as they are written, under one name in a file and in the engine."""
    keys = tables.Venue.model_fields
    alike = (field.name for field in fields(Venues) if field.name in keys and keys[field.name].annotation is float)
    return {name: np.array([getattr(venue, name) for venue in venues]) for name in alike}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _policy(venues: Sequence[tables.Venue]) -> Policy | None:
    """What venues close; a takeover closes all, and differs in where the surplus goes."""
    if all(venue.policy is None for venue in venues):
        return None
    given = lambda venue: "tranches" if venue.in_tranches else venue.policy or "full"
    return Policy(
        first_share=np.array([_or(venue.first_share, FIRST_SHARE) for venue in venues]),
        first_above=np.array([_or(venue.first_above, FIRST_ABOVE) for venue in venues]),
        cool_down=np.array([(venue.cool_down or COOL_DOWN).years for venue in venues]),
        kind=tuple("full" if given(venue) == "takeover" else given(venue) for venue in venues),
        margin_target=np.array([_or(venue.margin_target, 1.0) for venue in venues]),
    )


def _backstop(venues: Sequence[tables.Venue]) -> Backstop | None:
    """Once one venue has a backstop all have, the others with an empty fund and pro-rata deleveraging."""
    if not any(venue.has_backstop for venue in venues):
        return None
    return Backstop(
        insurance_fund=np.array([_or(venue.insurance_fund, 0.0) for venue in venues]),
        surplus_to_fund=np.array([_or(venue.surplus_to_fund, 1.0 if venue.policy == "takeover" else 0.0) for venue in venues]),
        drawdown_threshold=np.array([_or(venue.fund_drawdown, FUND_DRAWDOWN) for venue in venues]),
        ranking=tuple(venue.ranking or "pro_rata" for venue in venues),
        trigger=tuple(venue.deleveraging or "fund_empty" for venue in venues),
        drawdown_window=tuple((venue.fund_window or FUND_WINDOW).years for venue in venues),
    )


def _breaker(venues: Sequence[tables.Venue], assets: tuple[str, ...]) -> Breaker | None:
    """Once one venue has a circuit breaker all have, the others one that is never hit, and no halt for others."""
    if not any(venue.has_breaker for venue in venues):
        return None
    never = lambda value: math.inf if value is None or isinstance(value, dict) else value
    length = lambda venue: (venue.halt_length or HALT_LENGTH).years if venue.halt_move is not None else 0.0
    return Breaker(
        halt_move=np.array([never(venue.halt_move) for venue in venues]),
        halt_window=np.array([(venue.halt_window or HALT_WINDOW).years for venue in venues]),
        halt_length=np.array([length(venue) for venue in venues]),
        price_band=np.array([never(venue.price_band) for venue in venues]),
        auction=np.array([_or(venue.auction, 0.0) for venue in venues]),
        auction_depth=np.array([_or(venue.auction_depth, 1.0) for venue in venues]),
        trading=tuple((venue.halts or "trading") == "trading" for venue in venues),
        all_venues=tuple(bool(venue.halt_all_venues) for venue in venues),
        contract_move=_by_contract([venue.halt_move for venue in venues], assets),
        contract_band=_by_contract([venue.price_band for venue in venues], assets),
    )


def _by_contract(values: Sequence[Any], assets: tuple[str, ...]) -> np.ndarray | None:
    """What holds for each contract by itself, by venue; infinite where nothing does, None if that is everywhere."""
    if not any(isinstance(value, dict) for value in values):
        return None
    return np.stack([by_asset(value if isinstance(value, dict) else None, assets, default=math.inf) for value in values])


def _haircuts(venues: Sequence[tables.Venue], assets: tuple[str, ...]) -> np.ndarray | None:
    if all(venue.haircut is None for venue in venues):
        return None
    return np.stack([by_asset(venue.haircut, assets) for venue in venues])


def _leakage(venues: Sequence[tables.Venue], names: tuple[str, ...]) -> np.ndarray | None:
    """What is sold on one venue (second axis) and counts for another (first axis): ones on the diagonal."""
    if all(venue.liquidity_leakage is None for venue in venues):
        return None
    leakage = np.stack([by_asset(venue.liquidity_leakage, names) for venue in venues])
    np.fill_diagonal(leakage, 1.0)
    return leakage


def _tiers(checked: Checked, assets) -> Tiers:
    """Tiers of every venue and asset, short tables padded by repeating their last row."""
    longest = max((len(rows) for rows in checked.tiers.values()), default=1)
    table = np.empty((len(checked.venues), len(assets), longest, 4))
    for v, (name, venue) in enumerate(checked.venues.items()):
        for a, asset in enumerate(assets):
            flat = [(0.0, UNLIMITED_LEVERAGE, venue.maintenance_rate if venue is not None else 0.0, 0.0)]
            rows = [
                (row.floor_usd, row.max_leverage, row.maintenance_rate, row.maintenance_amount_usd or 0.0)
                for row in checked.tiers.get((name, asset), [])
            ] or flat
            table[v, a] = rows + [rows[-1]] * (longest - len(rows))
    rule = tuple(checked.tier_rules.get(name, "marginal") for name in checked.venues)
    return Tiers(*(np.ascontiguousarray(table[..., i]) for i in range(4)), rule if "whole" in rule else ())

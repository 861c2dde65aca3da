"""From checked calls, stops, funding and flows to those of a scenario."""

import numpy as np

from ..positions import Calls, Flow, Funding, Stops
from ..scenario import Names
from . import tables
from .arrays import SIGN, by_asset, rates, spans
from .check_exchange import ALL


def build_calls(calls: dict[str, tables.Call], names: Names) -> Calls | None:
    """Margin calls by class. At a level of 1, that of a class without any, holders are liquidated rather than called."""
    if not calls:
        return None
    by_class = [calls.get(name, calls.get(ALL)) for name in names.classes]
    column = lambda key, default: np.array([default if call is None else getattr(call, key) for call in by_class])
    return Calls(level=column("level", 1.0), top_up=column("top_up", 0.0), reduce=column("reduce", 0.0))


def build_stops(stops: dict[str, tables.Stop | None], names: Names) -> dict[str, Stops]:
    """Stop orders by name."""
    return {
        name: Stops(
            quantity=orders.quantity,
            level=orders.level,
            width=orders.width,
            venue=names.venues.index(orders.venue),
            asset=names.assets.index(orders.asset),
            side=SIGN[orders.side],
        )
        for name, orders in stops.items()
        if orders is not None
    }


def build_funding(funding: tables.Funding | None, assets: tuple[str, ...]) -> Funding | None:
    """Funding rates by asset, zero where none is given."""
    if funding is None:
        return None
    return Funding(rate=by_asset(funding.rate, assets), trend_sensitivity=by_asset(funding.trend_sensitivity, assets))


def build_flow(flow: tables.Flow | None, assets: tuple[str, ...]) -> Flow | None:
    """Closing and opening by asset; without a rate of its own, what opens is what closes at the start."""
    if flow is None:
        return None
    closing = rates(flow.closing_half_life, assets)
    return Flow(
        closing_rate=closing,
        opening_rate=closing.copy() if flow.opening_rate is None else by_asset(flow.opening_rate, assets),
        reference_volatility=by_asset(flow.reference_volatility, assets, default=1.0),
        volume_elasticity=by_asset(flow.volume_elasticity, assets),
        leverage_elasticity=by_asset(flow.leverage_elasticity, assets),
        volume_trend=spans(flow.volume_trend, assets),
        leverage_trend=spans(flow.leverage_trend, assets),
        half_life=flow.half_life.years,
        opening_follows=by_asset(flow.opening_follows, assets),
        levels=flow.levels,
        width=flow.width,
    )

"""From checked populations, limits, calls, stops, funding and flows to those of a scenario."""

from typing import Any

import numpy as np

from ..positions import Accounts, Calls, Flow, Funding, Histogram, Limits, LiquidationMap, Lognormal, Stops
from ..positions.cross import CrossAccounts
from ..scenario import Names
from . import tables
from .arrays import SIGN, by_asset, rates, spans
from .check_exchange import ALL
from .checked import Checked


def build_populations(checked: Checked, names: Names) -> dict[str, Any]:
    """Populations by name; one for both sides makes two, `NAME_long` and `NAME_short`."""
    populations: dict[str, Any] = {}
    for name, table in checked.populations.items():
        assert table is not None
        populations |= _population(name, table, checked, names)
    return populations


def _population(name: str, table: tables.Table, checked: Checked, names: Names) -> dict[str, Any]:
    if isinstance(table, tables.Accounts):
        rows = checked.accounts[name]
        where = [names.classes.index(word) for word in rows.account_class.tolist()]
        numbers = {"quantity": rows.quantity, "entry_price": rows.entry_price, "collateral": rows.collateral}
        return {
            name: Accounts(**numbers, venue=rows.venue, asset=rows.asset, side=1 - 2 * rows.side, account_class=np.array(where))
        }
    if isinstance(table, tables.CrossAccounts):
        rows = checked.cross_accounts[name]
        by_account = {"cash": rows.cash, "coins": rows.coins, "home": rows.home, "weight": np.ones(len(rows.cash))}
        by_position = {key: getattr(rows, key) for key in ("quantity", "entry_price", "account", "venue", "asset", "side")}
        classes = np.array([names.classes.index(word) for word in rows.account_class.tolist()])
        return {name: CrossAccounts(**by_position, **by_account, account_class=classes)}
    assert isinstance(table, tables.Lognormal | tables.Histogram | tables.LiquidationMap)
    placed = {
        "venue": names.venues.index(table.venue),
        "asset": names.assets.index(table.asset),
        "account_class": names.classes.index(table.account_class),
    }
    if isinstance(table, tables.LiquidationMap):
        rows = checked.maps[name]
        made = {}
        for i, side in enumerate(("long", "short")):
            if np.any(rows.side == i):
                levels = {"price": rows.price[rows.side == i], "open_interest": rows.open_interest[rows.side == i]}
                made[side] = LiquidationMap(**levels, notional=table.size_median, side=SIGN[side], **placed)
        return {name: next(iter(made.values()))} if len(made) == 1 else {f"{name}_{side}": one for side, one in made.items()}
    shared = {
        key: getattr(table, key) for key in ("open_interest", "entry_mean", "entry_sd", "size_median", "size_log_sd")
    } | placed
    sides = ("long", "short") if table.side == "both" else (table.side,)
    made = {}
    for side in sides:
        if isinstance(table, tables.Lognormal):
            one = Lognormal(median=table.median, log_sd=table.log_sd, low=table.low, high=table.high, side=SIGN[side], **shared)
        else:
            leverage, share = checked.histograms[name]
            one = Histogram(leverage=leverage, share=share, side=SIGN[side], **shared)
        made[name if len(sides) == 1 else f"{name}_{side}"] = one
    return made


def build_limits(checked: Checked, names: Names) -> Limits:
    """All leverage limits as one."""
    caps = checked.caps
    if not caps:
        return Limits.none()
    index = lambda name, known: -1 if name == "*" else known.index(name)
    column = lambda name: np.array([getattr(cap, name) for cap in caps], dtype=np.float64)
    return Limits(
        cap=column("cap"),
        share_downsize=column("share_downsize"),
        leakage=column("leakage"),
        close_out=column("close_out"),
        notional=np.array([cap.notional for cap in caps], dtype=np.float64),
        account_class=tuple(index(cap.account_class, names.classes) for cap in caps),
        venue=tuple(index(cap.venue, names.venues) for cap in caps),
        asset=tuple(index(cap.asset, names.assets) for cap in caps),
        negative_balance_protection=tuple(cap.negative_balance_protection for cap in caps),
    )


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

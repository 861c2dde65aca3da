"""Margin tiers as they are published, in dollars: contracts and coins turned into them, and which symbol is of which coin."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

from ..problems import Report
from .symbols import coins, of_coin
from .tier_published import Published, TierDocument
from .tier_units import CONTRACTS, INVERSE, READ, family


class Sizes(NamedTuple):
    """What makes dollars of tiers that count in contracts or coins: `price`: USD a coin, `contract`: coins, both by asset;
    `key`: where a missing one is to be said."""

    price: dict[str, float] = {}  # noqa: RUF012 (never changed)
    contract: dict[str, float] = {}  # noqa: RUF012
    key: str = "contract_size"


def usual(names: list[str], said: list[str]) -> list[str]:
    """Of several contracts of a coin the one in USDT, where there is one, which is said."""
    by_asset: dict[str, list[str]] = {}
    for name in names:
        by_asset.setdefault(asset_of(name), []).append(name)
    kept = []
    for alike in by_asset.values():
        one = [name for name in alike if family(name).endswith("USDT")] if len(alike) > 1 else []
        if len(one) == 1:
            said.append(f"{one[0]} of {' and '.join(alike)}")
        kept += one if len(one) == 1 else alike
    return kept


def asset_of(symbol: str) -> str:
    """The coin of a contract, where its name tells one; else its name.

    >>> asset_of("BTCUSDT"), asset_of("BTC/USDT:USDT"), asset_of("BTC-USDT"), asset_of("kPEPE")
    ('BTC', 'BTC', 'BTC', 'kPEPE')
    """
    found = sorted(coins(symbol), key=len)
    if not found or symbol.upper() == found[0]:
        return symbol
    return next((coin for coin in found if len(coin) > 2), found[0])


def wanted_of(document: TierDocument, assets) -> list[str]:
    """The symbols of a document that are, or may be of, some assets: all where there is none of these."""
    names = list(document.tables)
    return [name for name in names if name in assets or any(of_coin(asset, [name]) for asset in assets)]


def rows_in_dollars(
    document: TierDocument, table: Published, symbol: str, sizes: Sizes, report: Report
) -> list[dict[str, Any]] | None:
    """A table's rows as a scenario has them; None, with problems noted, where one is missing, or a size that is needed."""
    _joined(table, symbol, report)
    keep = ("floor_usd", "max_leverage", "maintenance_rate", "maintenance_amount_usd")
    rows = [{name: row[name] for name in keep if name in row} for row in table.rows]
    if table.unit == "USD":
        return rows
    if table.unit not in READ:
        report.add(symbol, None, f"has tiers in {table.unit}; those in dollars, in coins and in contracts are read", missing=True)
        return None
    price = _of(symbol, sizes.price)
    size = 1.0
    if table.unit == "contracts":
        own, known = _of(symbol, sizes.contract), CONTRACTS.get(family(symbol))
        if family(symbol).endswith("-USD"):
            return _inverse(document, rows, symbol, own, report)
        size = own if own is not None else known
        if own is None and known is not None:
            document.said.append(f"contracts of {known:g} {family(symbol).partition('-')[0]}")
    if price is None or size is None:
        need = " and ".join([*(["the price (USD a coin)"] if price is None else []),
                             *(["the size of a contract (coins)"] if size is None else [])])  # fmt: skip
        report.add(symbol, None, f"has tiers in {table.unit}: {need} is needed, {sizes.key}", missing=True)
        return None
    document.said.append(f"floors of {symbol} in dollars at {price:g} a coin")
    return _times(rows, size * price)


def _times(rows: list[dict[str, Any]], factor: float) -> list[dict[str, Any]]:
    """Rows with their dollars multiplied."""
    dollars = lambda value: value * factor if isinstance(value, float) else value
    return [{name: dollars(value) if name.endswith("_usd") else value for name, value in row.items()} for row in rows]


def _inverse(
    document: TierDocument, rows: list[dict[str, Any]], symbol: str, own: float | None, report: Report
) -> list[dict[str, Any]] | None:
    """Rows of a coin-margined family, whose contracts are of dollars whatever the price."""
    dollars = INVERSE.get(family(symbol))
    if dollars is None or own is not None:
        text = "has tiers in contracts of dollars, settled in the coin: "
        known = f"those of {' and '.join(INVERSE)} are read"
        text += known if own is None else "no size of a contract in coins goes with them"
        report.add(symbol, None, text, missing=True)
        return None
    document.said.append(f"contracts of {dollars:g} USD")
    return _times(rows, dollars)


def _joined(table: Published, symbol: str, report: Report) -> None:
    """Note each tier that ends before it begins, or does not begin where the one before ends: one is missing, or wrong."""
    apart = 1.0 if table.unit == "contracts" else 0.0
    for place, row in zip(table.places, table.rows, strict=True):
        cap, floor = row.get("cap_usd"), row.get("floor_usd")
        if isinstance(cap, float) and isinstance(floor, float) and cap <= floor:
            name = table.written.get("cap_usd", "cap_usd")
            report.add(f"{place}.{name}", cap, f"has to be above where the tier begins, {floor:.12g}")
    for i, (last, row) in enumerate(pairwise(table.rows), start=1):
        cap, floor = last.get("cap_usd"), row.get("floor_usd")
        if not (isinstance(cap, float) and isinstance(floor, float) and math.isfinite(cap)):
            continue
        if not -1e-9 * cap <= floor - cap <= apart + 1e-9 * cap:
            text = f"has to be where the tier before ends, {cap:.12g}: a tier is missing, or one is wrong"
            report.add(f"{table.places[i]}.{table.written.get('floor_usd', 'floor_usd')}", floor, text)


def _of(symbol: str, sizes: dict[str, float]) -> float | None:
    """The size of the asset that a symbol is of."""
    return next((size for asset, size in sizes.items() if asset == symbol or of_coin(asset, [symbol])), None)


__all__ = ["Sizes", "asset_of", "rows_in_dollars", "usual", "wanted_of"]

"""Names of contracts as venues write them, and the coin that each is of."""

import re
from collections.abc import Iterable

import numpy as np

from .columns import Columns
from .named import Reader

_QUOTES = ("USD", "USDT", "USDC", "BUSD", "TUSD", "FDUSD", "USDE", "EUR", "UST")
_KINDS = ("PERPETUAL", "PERP", "SWAP", "FUTURES", "LINEAR", "INVERSE", "CROSS")
_OTHERS = {"XBT": "BTC"}


def coins(name: str) -> set[str]:
    """The coins that a perpetual contract's name may be of, upper case; a quote that is written on to the coin may be part of it.

    Empty where there is more in the name, such as a day of expiry or another coin.

    >>> [sorted(coins(name)) for name in ("btc", "BTC/USDT:USDT", "BTC-USDT-SWAP", "XBTUSD", "BTC-USDT-260626", "ETH/BTC")]
    [['BTC'], ['BTC'], ['BTC'], ['BTC', 'XB', 'XBTUSD'], [], []]
    >>> coins("BTC/USD:BTC")
    {'BTC'}
    """
    first, *rest = re.split(r"[-/:_.\s]+", name.strip().upper())
    if not first or any(word not in (*_QUOTES, *_KINDS, first) for word in rest):
        return set()
    found = {first}
    for endings in (_KINDS, _QUOTES):
        found |= {one.removesuffix(ending) for one in found for ending in endings if one != ending}
    return {_OTHERS.get(one, one) for one in found}


def of_coin(asset: str, names: Iterable[str]) -> list[str]:
    """Those of some names that may be of an asset's coin, in their order.

    >>> of_coin("BTC", ["ETHUSDT", "BTCUSDT", "BTC-USDC"])
    ['BTCUSDT', 'BTC-USDC']
    """
    wanted = coins(asset)
    return [name for name in names if wanted & coins(name)]


def take_names(reader: Reader, table: Columns, column: str, assets: tuple[str, ...]) -> list[str]:
    """Put an asset's name where a table has, of its coin, one contract's name alone, which is said.

    Returns a sentence on each asset of which there are several names, or a contract beside the asset's own: those stay.
    """
    names = list(dict.fromkeys(str(name).strip() for name in table.values[column]))
    taken, left = {}, []
    for asset, alike in _alike(assets, names).items():
        if len(alike) == 1 and asset not in names:
            taken[alike[0]] = asset
            reader.said.append(f"{table.file}: {column} {alike[0]} is taken as {asset}")
        elif alike:
            left.append(f"{' and '.join([asset] * (asset in names) + alike)} may each be meant by {asset}")
    if taken:
        cells = [str(name).strip() for name in table.values[column]]
        table.values[column] = np.array([taken.get(name, name) for name in cells], dtype=object)
    return left


def take_columns(reader: Reader, table: Columns, assets: tuple[str, ...]) -> list[str]:
    """As `take_names`, for a table with a column for each asset."""
    left = []
    for asset, alike in _alike(assets, list(table.values)).items():
        if len(alike) == 1 and asset not in table.values:
            table.values[asset] = table.values[alike[0]]
            reader.said.append(f"{table.file}: column {alike[0]} is taken as {asset}")
        elif alike and asset not in table.values:
            left.append(f"{' and '.join(alike)} may each be meant by {asset}")
    return left


def _alike(assets: tuple[str, ...], names: list[str]) -> dict[str, list[str]]:
    """By asset, the names of its contracts that are of no other asset's coin, and no asset themselves."""
    found = {asset: [name for name in of_coin(asset, names) if name not in assets] for asset in assets}
    several = {name for name in names if sum(name in alike for alike in found.values()) > 1}
    return {asset: [name for name in alike if name not in several] for asset, alike in found.items()}


__all__ = ["coins", "of_coin", "take_columns", "take_names"]

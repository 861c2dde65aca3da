"""Names of contracts as venues write them, and the coin that each is of."""

import re
from collections.abc import Iterable

_QUOTES = ("USD", "USDT", "USDC", "BUSD", "TUSD", "FDUSD", "USDE", "EUR", "UST")
_KINDS = ("PERPETUAL", "PERP", "SWAP", "FUTURES", "LINEAR", "INVERSE", "CROSS")
_OTHERS = {"XBT": "BTC"}


def coins(name: str) -> set[str]:
    """The coins that a perpetual contract's name may be of, upper case; a quote that is written on to the coin may be part of it.

    Empty where there is more in the name, such as a day of expiry or another coin.

    >>> [sorted(coins(name)) for name in ("btc", "BTC/USDT:USDT", "BTC-USDT-SWAP", "XBTUSD", "BTC-USDT-260626", "ETH/BTC")]
    [['BTC'], ['BTC'], ['BTC'], ['BTC', 'XB', 'XBTUSD'], [], []]
    """
    first, *rest = re.split(r"[-/:_.\s]+", name.strip().upper())
    if not first or any(word not in (*_QUOTES, *_KINDS) for word in rest):
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


__all__ = ["coins", "of_coin"]

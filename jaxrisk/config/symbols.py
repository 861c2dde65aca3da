"""Names of contracts as venues write them, and the coin that each is of."""

import re
from collections.abc import Iterable

_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDE", "USD", "EUR", "UST")
_KINDS = ("PERPETUAL", "FUTURES", "PERP", "SWAP", "LINEAR", "INVERSE", "CROSS")
_OTHERS = {"XBT": "BTC"}


def coin(name: str) -> str | None:
    """The coin of a perpetual contract's name, upper case; None where there is more in the name, such as a day of expiry.

    >>> [coin(name) for name in ("BTCUSDT", "BTC/USDT:USDT", "BTC-USDT-SWAP", "XBTUSD_PERP", "btc", "BTC-USDT-260626", "ETH/BTC")]
    ['BTC', 'BTC', 'BTC', 'BTC', 'BTC', None, None]
    """
    first, *rest = re.split(r"[-/:_.\s]+", name.strip().upper())
    if any(word not in (*_QUOTES, *_KINDS) for word in rest):
        return None
    for endings in (_KINDS, _QUOTES):
        ending = next((word for word in endings if first.endswith(word) and first != word), "")
        first = first.removesuffix(ending)
    return _OTHERS.get(first, first) or None


def of_coin(asset: str, names: Iterable[str]) -> list[str]:
    """Those of some names that are of an asset's coin, in their order.

    >>> of_coin("BTC", ["ETHUSDT", "BTCUSDT", "BTC-USDC"])
    ['BTCUSDT', 'BTC-USDC']
    """
    wanted = coin(asset)
    return [] if wanted is None else [name for name in names if coin(name) == wanted]


__all__ = ["coin", "of_coin"]

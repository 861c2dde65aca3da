"""What the floors of a contract's tiers count in: dollars, coins, or contracts, told by its name and its currency."""

import re

DOLLARS = ("USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDE", "USD1", "USDM", "BFUSD", "USDP", "USDD", "PYUSD", "USDS",
           "RLUSD", "USDG", "USDH", "DAI")  # fmt: skip
"""Currencies that are taken for dollars."""
READ = ("USD", "coins", "contracts")
"""Units that are read; any other is the name of a currency, and refused by it."""
CONTRACTS = {"BTC-USDT": 0.01, "ETH-USDT": 0.1}
"""Coins of a contract of OKX, by family, as its instruments publish them (`ctVal`)."""
INVERSE = {"BTC-USD": 100.0, "ETH-USD": 10.0}
"""Dollars of a coin-margined contract of OKX, by family."""
_OTHERS = ("BTC", "ETH", "BNB", "EUR", "BRL", "TRY")
_INVERSE = re.compile(r"^[A-Z0-9]+USD([HMUZ]\d\d|_PERP|_\d{6})?$")


def unit_of(symbol: str, currency: object = None, *, coin_floors: bool = False) -> str:
    """What a symbol's floors count in: "USD", "coins", or another currency's name, which is not read.

    **Arguments:** `currency`: of the floors, where the file says it; `coin_floors`: whether it says that they are in coins.

    >>> [unit_of(name) for name in ("BTC/USDT:USDT", "BTC/USD:BTC", "ETH/BTC:BTC", "BTCUSDT", "ETHBTC", "BTC")]
    ['USD', 'coins', 'BTC', 'USD', 'BTC', 'USD']
    >>> unit_of("BTC/USD:BTC", "USD"), unit_of("BTC", "EUR"), unit_of("BTC", "BTC")
    ('USD, settled in BTC', 'EUR', 'coins')
    """
    base, slash, rest = symbol.strip().upper().partition("/")
    quote, _, settle = rest.partition(":")
    settle = settle.partition("-")[0] or quote
    said = "" if currency is None else str(currency).strip().upper()
    said = "" if said in ("NONE", "NULL", "NAN") else said
    if slash:
        if settle == base:
            return "coins" if coin_floors or said in ("", base) else f"{said}, settled in {base}"
        if settle not in DOLLARS or quote not in DOLLARS:
            return settle if settle not in DOLLARS else quote
    elif not said:
        said = next((other for other in _OTHERS if base.endswith(other) and base != other), "USD")
    return "USD" if said in ("", *DOLLARS) else "coins" if said == base else said


def is_inverse(symbol: str) -> bool:
    """Whether a symbol without a slash is of a contract that is settled in its coin.

    >>> is_inverse("BTCUSD"), is_inverse("BTCUSDM26"), is_inverse("BTCUSDT"), is_inverse("BTCPERP")
    (True, True, False, False)
    """
    return bool(_INVERSE.match(symbol.strip().upper()))


def family(symbol: str) -> str:
    """A contract's family as OKX names it.

    >>> family("BTC-USDT-SWAP"), family("BTC/USDT:USDT")
    ('BTC-USDT', 'BTC-USDT')
    """
    return "-".join(re.split(r"[-/:]", symbol.strip().upper())[:2])


__all__ = ["CONTRACTS", "DOLLARS", "INVERSE", "READ", "family", "is_inverse", "unit_of"]

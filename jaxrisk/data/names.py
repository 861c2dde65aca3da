"""Names of columns: ours, those under which others publish the same, and maps between them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Context:
    """Names that a scenario's tables and files may refer to."""

    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()


_KLINES = ("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
           "taker_buy_quote_volume", "ignore")  # fmt: skip


@dataclass(frozen=True)
class TableKind:
    """A kind of table.

    **Fields:** `word`: in messages; `others`: by our name of a column, others that stand for it, letters alone; `numbers`: ours
    that are numbers; `bare`: by number of columns, what a file without a first line of names has; `before`: by our name, another
    that is what we mean also where ours is there.
    """

    word: str
    others: dict[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    bare: dict[int, tuple[tuple[str, ...], str]] | None = None
    whole: bool = True
    before: dict[str, str] = field(default_factory=dict)


_TIMES = ("opentime", "timestamp", "createtime", "datetime", "date", "unix", "ts", "starttime", "startat", "t", "fundingtime")
PRICES = TableKind(
    "prices",
    {
        "time": _TIMES,
        "open": ("o", "openprice"),
        "high": ("h", "highprice"),
        "low": ("l", "lowprice"),
        "close": ("c", "closeprice"),
        "volume": ("v", "vol", "basevolume"),
    },
    ("open", "high", "low", "close", "volume"),
    {12: (_KLINES, "klines"), 6: (("timestamp", *_KLINES[1:6]), "rows of fetch_ohlcv")},
)
LISTS = {
    7: (("timestamp", *_KLINES[1:6], "turnover"), "Bybit's klines"),
    9: (("timestamp", *_KLINES[1:6], "volCcy", "volCcyQuote", "confirm"), "OKX's candles"),
}
"""By number of cells, what lists of prices in JSON have besides those that tables have too."""
BARS = TableKind(PRICES.word, PRICES.others, PRICES.numbers, PRICES.bare, whole=False)
"""Prices of which no other columns are wanted."""
INTEREST = TableKind(
    "open interest",
    {
        "time": _TIMES,
        "oi_close": (),
        "open_interest": ("oiccy", "coins", "oi", "sumopeninterest", "openinterestamount"),
        "open_interest_usd": ("oiusd", "sumopeninterestvalue", "openinterestvalue"),
        "close": ("price", "btcclose", "markprice"),
        "symbol": ("instid", "pair"),
    },
)
FUNDING = TableKind(
    "funding",
    {
        "time": ("calctime", "fundingtime", "fundingratetimestamp", *_TIMES[:-1]),
        "funding_rate": ("lastfundingrate",),
        "funding_interval_hours": ("intervalhours",),
        "symbol": ("instid", "coin", "ticker"),
    },
    before={"funding_rate": "realizedrate"},  # what was paid, beside what was foretold
)
ACCOUNTS = TableKind(
    "accounts",
    {
        "account": ("address", "user", "wallet"),
        "asset": ("coin", "symbol"),
        "side": ("positionside", "posside", "direction"),
        "quantity": ("szi", "contracts", "positionamt", "size", "sz"),
        "entry_price": ("entrypx", "entryprice", "avgpx", "avgprice"),
        "account_value": ("accountvalueusd", "value", "marginsummaryaccountvalue"),
        "notional": ("notionalusd", "positionvalue"),
        "unrealised": ("unrealisedpnlusd", "unrealizedpnlusd", "unrealizedpnl", "unrealisedpnl", "unrealizedprofit", "upl"),
        "leverage": ("setleverage", "leveragevalue", "lever"),
        "margin": ("leveragetype", "marginmode", "margintype", "mgnmode"),
        "collateral": ("marginused", "initialmargin", "isolatedmargin"),
        "venue": ("exchange",),
        "class": ("accountclass",),
        "snapshot": (),
    },
)
TIERS = TableKind(
    "tiers",
    {
        "asset": ("symbol", "coin", "instfamily", "insttype"),
        "floor_usd": ("minnotional", "notionalfloor", "notionalfloorusd", "floor", "lowerbound"),
        "cap_usd": ("maxnotional", "notionalcap", "notionalcapusd", "cap", "risklimitvalue"),
        "max_leverage": ("maxleverage", "initialleverage", "maxlever"),
        "maintenance_rate": ("maintenancemarginrate", "maintmarginratio", "mmr", "maintenancemargin"),
        "maintenance_amount_usd": ("cum", "mmdeduction", "maintenanceamount"),
        "tier_rule": (),
    },
)


def of_columns(header: tuple[str, ...], maps: dict[str, dict[str, str]] | None = None) -> str | None:
    """The kind of table that has such columns, None where there is none.

    **Arguments:** `maps`: by kind, our names of columns with the file's own.

    >>> of_columns(("calc_time", "funding_interval_hours", "last_funding_rate"))
    'funding'
    >>> of_columns(("create_time", "symbol", "sum_open_interest")), of_columns(("szi", "coin")), of_columns(("x",))
    ('open_interest', 'accounts', None)
    """
    there = {word: set(found(kind, header, (maps or {}).get(word, {}))) for word, kind in ALL.items()}
    tiers, interest, accounts, prices = (there[word] for word in ("tiers", "open_interest", "accounts", "prices"))
    if ("max_leverage" in tiers and tiers & {"floor_usd", "cap_usd"}) or {"minSz", "mmr", "maxLever"} <= set(header):
        return "tiers"
    if {"time", "funding_rate"} <= there["funding"] and not {"close"} & prices:
        return "funding"
    if "time" in interest and interest & {"open_interest", "open_interest_usd", "oi_close"}:
        return "open_interest"
    if "asset" in accounts and accounts & {"quantity", "notional"}:
        return "accounts"
    return "prices" if {"time", "close"} <= prices else None


def letters(name: str) -> str:
    """A name's letters and digits, lower case.

    >>> letters("Open time (UTC)"), letters("leverage.value")
    ('opentimeutc', 'leveragevalue')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def found(kind: TableKind, header: Iterable[str], columns: dict[str, str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """By our name, the file's column that stands for it: the one that `columns` names, ours itself, or another's of its names.

    **Arguments:** `reserved`: columns that mean themselves, such as an asset's.

    >>> found(PRICES, ["open_time", "Close", "c"], {"close": "c"})
    {'time': 'open_time', 'close': 'c'}
    >>> found(FUNDING, ["fundingTime", "fundingRate", "realizedRate"], {})
    {'time': 'fundingTime', 'funding_rate': 'realizedRate'}
    """
    header = [name for name in header if name not in reserved]
    by_letters: dict[str, str] = {}
    for name in sorted(header, key=lambda name: name != letters(name)):  # t before T, where both are there
        by_letters.setdefault(letters(name), name)
    there: dict[str, str] = {}
    taken = set(columns.values())
    for ours, others in kind.others.items():
        if ours in columns:
            if columns[ours] in header:
                there[ours] = columns[ours]
            continue
        for one in (*([kind.before[ours]] if ours in kind.before else []), ours, *others):
            name = ours if one == ours and ours in header else by_letters.get(letters(one))
            if name is not None and name not in taken:
                there[ours] = name
                taken.add(name)
                break
    return there


def renamed(there: dict[str, str]) -> list[str]:
    """What is said of columns that stand under names of the file's own."""
    return [f"{ours} is {written}" for ours, written in there.items() if letters(ours) != letters(written)]


ALL: dict[str, Any] = {"prices": PRICES, "open_interest": INTEREST, "funding": FUNDING, "accounts": ACCOUNTS, "tiers": TIERS}

__all__ = [
    "ACCOUNTS",
    "ALL",
    "BARS",
    "FUNDING",
    "INTEREST",
    "PRICES",
    "TIERS",
    "Context",
    "TableKind",
    "found",
    "letters",
    "of_columns",
    "renamed",
]

"""What an event file may hold: every key, what it may be, and reading it with all problems at once."""

import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...problems import Report, nearest
from ...units import ALLOWED, Span, likely


class Key(NamedTuple):
    """One key: `read` returns the value or raises `ValueError` with what is allowed; `default` where it may be left out."""

    read: Callable[[Any], Any]
    required: bool = False
    default: Any = None


class Reported(NamedTuple):
    """Liquidations as somebody reported them.

    **Fields:** `amount`: lowest and highest figure, USD of the time, or coins where `coins`; `scope`: of what, in words; `side`:
    `both`, `long` or `short`; `asset_share`: lowest and highest share of the event's asset in it; `kappa`: lowest and highest
    ratio of what was liquidated to what the feeds show; `lower_bound`: whether only "at least this much" is known.
    """

    amount: tuple[float, float]
    scope: str
    coins: bool = False
    side: str = "both"
    asset_share: tuple[float, float] = (1.0, 1.0)
    kappa: tuple[float, float] = (1.0, 1.0)
    lower_bound: bool = False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("has to be text")
    return value


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('has to be a list of texts, such as ["computed from prices/mine.csv"]')
    return tuple(value)


def moment(value: Any) -> np.datetime64:
    """A time, UTC unless it says otherwise."""
    allowed = "has to be a time in UTC such as 2024-08-04T23:45:00Z"
    try:
        parsed = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise ValueError(allowed) from None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    return np.datetime64(parsed.astimezone(datetime.UTC).replace(tzinfo=None), "s")


def span(value: Any) -> int:
    """A duration in whole seconds."""
    try:
        seconds = Span(value).seconds
    except (ValueError, TypeError):
        near = likely(value) if isinstance(value, str) else None
        raise ValueError(f"has to be {ALLOWED}" + (f' (did you mean "{near}"?)' if near else "")) from None
    if seconds <= 0 or seconds.denominator != 1:
        raise ValueError("has to be a whole number of seconds above 0")
    return int(seconds)


def number(low: float, high: float, words: str) -> Callable[[Any], float]:
    """Numbers above `low` up to `high`."""

    def read(value: Any) -> float:
        if not _is_number(value) or not low < value <= high:
            raise ValueError(f"has to be {words}")
        return float(value)

    return read


def ends(low: float, high: float, words: str) -> Callable[[Any], tuple[float, float]]:
    """A number, or a list of the lowest and the highest it may be."""

    def read(value: Any) -> tuple[float, float]:
        pair = value if isinstance(value, list) else [value, value]
        if len(pair) != 2 or not all(map(_is_number, pair)) or not low < pair[0] <= pair[1] <= high:
            raise ValueError(f"has to be {words}, or a list of the lowest and the highest")
        return float(pair[0]), float(pair[1])

    return read


def shares(value: Any) -> dict[str, float]:
    """Names with shares that add up to 1."""
    if not isinstance(value, dict) or not value or not all(_is_number(share) and 0 < share <= 1 for share in value.values()):
        raise ValueError("has to be a table of names and shares, such as { binance = 0.6, bybit = 0.4 }")
    if abs(sum(value.values()) - 1.0) > 0.01:
        raise ValueError(f"the shares add up to {sum(value.values()):.4g}; they have to add up to 1")
    return {name: float(share) for name, share in value.items()}


def word(*known: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            near = nearest(value, known)
            raise ValueError(f"has to be one of {', '.join(known)}" + (f' (did you mean "{near}"?)' if near else ""))
        return value

    return read


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("has to be true or false")
    return value


_AMOUNT, _COINS = number(0.0, 1e15, "a number of USD above 0"), number(0.0, 1e12, "a number of coins above 0")
_FRACTION = number(0.0, 1.0, "above 0 and at most 1")

_REPORTED = {
    "usd": Key(ends(0.0, 1e15, "a number of USD above 0")),
    "coins": Key(ends(0.0, 1e12, "a number of coins above 0")),
    "scope": Key(text, required=True),
    "side": Key(word("both", "long", "short"), default="both"),
    "asset_share": Key(ends(0.0, 1.0, "above 0 and at most 1"), default=(1.0, 1.0)),
    "kappa": Key(ends(0.0, 1e4, "above 0"), default=(1.0, 1.0)),
    "lower_bound": Key(truth, default=False),
}

KEYS: dict[str, dict[str, Key]] = {
    "": {
        "name": Key(text, required=True),
        "title": Key(text, default=""),
        "asset": Key(text, required=True),
        "scenario": Key(text, default="btc_24h"),
        "sources": Key(texts, default=()),
    },
    "prices": {
        "file": Key(text, required=True),
        "history": Key(text, required=True),
        "zone": Key(text, default="UTC"),
        "open_interest": Key(text),
    },
    "window": {
        "start": Key(moment, required=True),
        "horizon": Key(span, default=86400),
        "given": Key(span, default=1800),
        "rebound": Key(span, default=86400),
    },
    "before": {
        "open_interest": Key(_COINS, required=True),
        "open_interest_at": Key(moment, required=True),
        "venue_share": Key(_FRACTION, required=True),
        "daily_volume": Key(_AMOUNT),
        "volatility": Key(number(0.0, 100.0, "a volatility of a year above 0, such as 0.6")),
        "depth": Key(_AMOUNT),
        "funding": Key(number(-1.0, 1.0, "a rate of 8 hours, such as 0.0001")),
        "venues": Key(shares),
    },
    "after": {
        "open_interest": Key(_COINS),
        "open_interest_at": Key(moment),
        "open_interest_from": Key(_COINS),
        "open_interest_from_at": Key(moment),
        "low": Key(_AMOUNT),
        "liquidations": Key(lambda value: value),  # a list of tables, read below
        "long_share": Key(_FRACTION),
    },
}  # fmt: skip


def read_keys(document: Mapping[str, Any], report: Report) -> dict[str, dict[str, Any]]:
    """Values by table and key, every problem noted in `report`: unknown and missing keys, and values that are not allowed."""
    tables: dict[str, dict[str, Any]] = {}
    for table, keys in KEYS.items():
        own = document.get(table, {}) if table else {k: v for k, v in document.items() if k not in KEYS}
        if not isinstance(own, Mapping):
            report.add(table, own, f"has to be a table, [{table}]")
            own = {}
        known = [*keys, *(name for name in KEYS if name)] if not table else list(keys)
        tables[table] = _read_table(own, keys, f"{table}." if table else "", report, known)
    tables["after"]["liquidations"] = _reported(tables["after"]["liquidations"], report)
    return tables


def _read_table(own: Mapping[str, Any], keys: dict[str, Key], prefix: str, report: Report, known: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in own.items():
        if name not in keys:
            report.add(prefix + name, value, f"unknown key; has to be one of {', '.join(known)}", nearest(name, known))
    for name, key in keys.items():
        values[name] = key.default
        if name not in own:
            if key.required:
                report.add(prefix + name, None, "missing", missing=True)
            continue
        try:
            values[name] = key.read(own[name])
        except ValueError as error:
            report.add(prefix + name, own[name], str(error))
    return values


def _reported(tables: Any, report: Report) -> tuple[Reported, ...]:
    if tables is None:
        return ()
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        report.add("after.liquidations", tables, "has to be tables, each [[after.liquidations]]")
        return ()
    read = []
    for place, table in enumerate(tables):
        prefix = f"after.liquidations[{place}]."
        values = _read_table(table, _REPORTED, prefix, report, list(_REPORTED))
        if ("usd" in table) == ("coins" in table):
            report.add(prefix + "usd", None, "one of usd and coins is needed, and not both", missing=True)
            continue
        coins = "coins" in table
        amount = values.pop("coins") if coins else values.pop("usd")
        values.pop("usd" if coins else "coins")
        if amount is not None and values["scope"] is not None:
            read.append(Reported(amount, coins=coins, **values))
    return tuple(read)


__all__ = ["KEYS", "Key", "Reported", "read_keys"]

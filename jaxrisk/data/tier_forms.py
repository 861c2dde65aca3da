"""Margin tiers as venues' interfaces and ccxt publish them, as JSON: brackets, risk limits, position tiers, margin tables."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from .documents import shape
from .tier_published import Published, TierDocument, every, number
from .tier_units import is_inverse, unit_of

HALF = "half the initial margin at the maximum leverage, Hyperliquid's published rule"


def _objects(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _binance(document: Any) -> TierDocument | None:
    items = [document] if isinstance(document, dict) and "brackets" in document else document
    if not isinstance(items, list) or not any("brackets" in item for item in _objects(items)):
        return None
    tables: dict[str, Published] = {}
    said = ["Binance's leverageBracket"]
    names = {"floor_usd": "notionalFloor", "cap_usd": "notionalCap", "max_leverage": "initialLeverage",
             "maintenance_rate": "maintMarginRatio", "maintenance_amount_usd": "cum"}  # fmt: skip
    for i, item in enumerate(every(items, "")):
        before = f"[{i}]." if isinstance(document, list) else ""
        brackets = every(item.get("brackets"), f"{before}brackets")
        floor = next((word for word in ("qtyFloor", "qtylFloor") if any(word in row for row in brackets)), None)
        in_coins = {} if floor is None else {"floor_usd": floor, "cap_usd": "qtyCap"}
        symbol = str(item.get("symbol") or item.get("pair") or "")
        table = tables.setdefault(symbol, Published(unit="coins" if in_coins else unit_of(symbol)))
        for j, row in _sorted(brackets, floor or "notionalFloor"):
            table.add(f"{before}brackets[{j}]", row, names | in_coins)
        if number(item.get("notionalCoef", 1.0)) != 1.0:
            said.append(f"{item.get('symbol')}: notionalCoef {item['notionalCoef']} is left aside, brackets are taken as listed")
    return TierDocument(tables, "marginal", said, "Binance")


def _sorted(rows: list[dict[str, Any]], by: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """Rows with their places, in rising order of a number where all have one."""
    keys = [number(row.get(by)) for row in rows]
    order = range(len(rows))
    return [(i, rows[i]) for i in (sorted(order, key=lambda i: keys[i]) if all(isinstance(k, float) for k in keys) else order)]


def _hyperliquid(document: Any) -> TierDocument | None:
    meta = document[0] if isinstance(document, list) and document and isinstance(document[0], dict) else document
    if not isinstance(meta, dict) or not isinstance(meta.get("universe"), list):
        return None
    before = "[0]." if isinstance(document, list) else ""
    listed = meta.get("marginTables", [])
    if not isinstance(listed, list) or not all(map(_is_pair, listed)):
        raise ValueError(f"{before}marginTables has to be a list of pairs, a number and a table; it is {shape(listed)}")
    margin_tables = {pair[0]: (i, pair[1]) for i, pair in enumerate(listed)}
    tables: dict[str, Published] = {}
    flat = 0
    for i, coin in enumerate(meta["universe"]):
        if not isinstance(coin, dict) or coin.get("isDelisted"):
            continue
        table = tables.setdefault(str(coin.get("name", "")), Published())
        number_of = coin.get("marginTableId")
        place, found = margin_tables.get(number_of if isinstance(number_of, int) else -1, (0, None))
        tiers = [] if found is None else every(found.get("marginTiers"), f"{before}marginTables[{place}][1].marginTiers")
        if not tiers and number_of is not None and not (isinstance(number_of, int) and number_of < FIRST_TABLE and found is None):
            text = f"{before}universe[{i}].marginTableId = {shape(number_of).removeprefix('only ')}"
            raise ValueError(f"{text}: {coin.get('name')}'s tiers are not in marginTables; the document has to have all of it")
        for j, row in enumerate(tiers):
            where = f"{before}marginTables[{place}][1].marginTiers[{j}]"
            table.add(where, row, {"floor_usd": "lowerBound", "max_leverage": "maxLeverage"}, **_half(row))
        if not tiers:
            flat += 1
            table.add(f"{before}universe[{i}]", coin, {"max_leverage": "maxLeverage"}, floor_usd=0.0, **_half(coin))
    said = ["Hyperliquid's meta", f"maintenance margins are {HALF}"]
    return TierDocument(tables, "marginal", said + ([f"{flat} coins with one tier"] if flat else []), "Hyperliquid")


FIRST_TABLE = 50
"""Margin tables of Hyperliquid of lower numbers have one tier, of that leverage, and are not listed."""


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int) and isinstance(pair[1], dict)


def _half(row: dict[str, Any]) -> dict[str, Any]:
    most = number(row.get("maxLeverage"))
    return {"maintenance_rate": 0.5 / most} if isinstance(most, float) and most > 0.0 else {}


def _answer(document: Any, *words: str) -> tuple[str, list[dict[str, Any]]] | None:
    """The rows of an interface's answer that have all these words, and the path to them."""
    path = ""
    for _ in range(3):
        if isinstance(document, list):
            rows = _objects(document)
            if not rows or not all(word in row for row in rows[:1] for word in words):
                return None
            return path, every(document, path)
        if not isinstance(document, dict):
            return None
        word = next((word for word in ("data", "result", "list") if word in document), None)
        if word is None:
            return None
        document, path = document[word], f"{path}.{word}".lstrip(".")
    return None


def _okx(document: Any) -> TierDocument | None:
    answer = _answer(document, "mmr", "minSz")
    if answer is None:
        return None
    path, rows = answer
    return _okx_rows([(f"{path}[{i}]", row) for i, row in enumerate(rows)], ["OKX's position-tiers"])


def _okx_rows(rows: list[tuple[str, dict[str, Any]]], said: list[str]) -> TierDocument:
    names = {"floor_usd": "minSz", "cap_usd": "maxSz", "max_leverage": "maxLever", "maintenance_rate": "mmr"}
    tables: dict[str, Published] = {}
    symbol = ""
    for place, row in rows:
        symbol = str(next((row[word] for word in ("instId", "instFamily", "uly") if row.get(word)), symbol))
        tables.setdefault(symbol, Published(unit="contracts")).add(place, row, names)
    return TierDocument(tables, "whole", said, "OKX")


def _bybit(document: Any) -> TierDocument | None:
    answer = _answer(document, "riskLimitValue", "maintenanceMargin")
    if answer is None:
        return None
    path, rows = answer
    result = document.get("result") if isinstance(document, dict) else None
    inverse = isinstance(result, dict) and result.get("category") == "inverse"
    return _bybit_rows([(f"{path}[{i}]", row) for i, row in enumerate(rows)], ["Bybit's risk limits"], inverse)


def _bybit_rows(rows: list[tuple[str, dict[str, Any]]], said: list[str], inverse: bool) -> TierDocument:
    """Each tier begins where the one before ends; rates are fractions, in older answers percent, as initial margins tell."""
    names = {"cap_usd": "riskLimitValue", "max_leverage": "maxLeverage", "maintenance_rate": "maintenanceMargin",
             "maintenance_amount_usd": "mmDeduction"}  # fmt: skip
    tables: dict[str, Published] = {}
    told = [row for _, row in rows if _number(row, "initialMargin") and _number(row, "maxLeverage")]
    percent = 2 * sum(number(row["initialMargin"]) * number(row["maxLeverage"]) > 10.0 for row in told) > len(told) > 0
    for place, row in sorted(
        rows, key=lambda one: number(one[1].get("riskLimitValue")) if _number(one[1], "riskLimitValue") else 0.0
    ):
        symbol = str(row.get("symbol", ""))
        unit = "coins" if inverse or is_inverse(symbol) else unit_of(symbol, row.get("currency"))
        table = tables.setdefault(symbol, Published(unit=unit))
        floor = table.rows[-1].get("cap_usd", 0.0) if table.rows else 0.0
        table.add(place, row, names, floor_usd=floor)
        if len(table.rows) == 1 and str(row.get("isLowestRisk", 1)).lower() in ("0", "false"):
            raise ValueError(f"{place}.isLowestRisk = {row['isLowestRisk']}: the lowest tier of {symbol} is missing")
        if percent and _number(row, "maintenanceMargin"):
            table.rows[-1]["maintenance_rate"] = number(row["maintenanceMargin"]) / 100.0
    for table in tables.values():
        given = ["maintenance_amount_usd" in row for row in table.rows]
        if any(given) and not given[0]:
            table.rows[0]["maintenance_amount_usd"] = 0.0  # published empty in the lowest tier
    said = [*said, *(["rates in percent"] if percent else [])]
    return TierDocument(tables, "marginal", said, "Bybit")


def _number(row: dict[str, Any], word: str) -> bool:
    value = number(row.get(word))
    return isinstance(value, float) and math.isfinite(value)


def _ccxt(document: Any) -> TierDocument | None:
    """Unified tiers; where each keeps the venue's own answer, and that is known, it is what counts."""
    lists = list(document.items()) if isinstance(document, dict) else [("", document)]
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for symbol, items in lists:
        found = _objects(items)
        if not found or not all("maintenanceMarginRate" in row and "maxLeverage" in row for row in found[:1]):
            continue
        before = f'["{symbol}"]' if symbol else ""
        every(items, before)
        rows += [(f"{before}[{i}]", str(row.get("symbol") or symbol), row) for i, row in enumerate(found)]
    if not rows:
        return None
    infos = [
        (f"{place}.info", {"symbol": name, "instFamily": name} | row["info"])
        for place, name, row in rows
        if isinstance(row.get("info"), dict)
    ]
    has: Callable[..., bool] = lambda *words: len(infos) == len(rows) and all(word in info for _, info in infos for word in words)
    if has("mmr", "minSz"):
        return _okx_rows([(place, info | {"instId": None}) for place, info in infos], ["ccxt's tiers of OKX"])
    if has("riskLimitValue", "maintenanceMargin"):
        own = [(p, info | {"symbol": name, "currency": row.get("currency")})
               for (p, info), (_, name, row) in zip(infos, rows, strict=True)]  # fmt: skip
        return _bybit_rows(own, ["ccxt's tiers of Bybit"], False)
    tables: dict[str, Published] = {}
    names = {"floor_usd": "minNotional", "cap_usd": "maxNotional", "max_leverage": "maxLeverage",
             "maintenance_rate": "maintenanceMarginRate"}  # fmt: skip
    amounts = has("cum")
    for place, name, row in rows:
        more = {"maintenance_amount_usd": number(row["info"]["cum"])} if amounts else {}
        in_coins = isinstance(row.get("info"), dict) and bool({"qtyFloor", "qtylFloor"} & set(row["info"]))
        unit = unit_of(name, row.get("currency"), coin_floors=in_coins)
        table = tables.setdefault(name, Published(unit=unit))
        table.unit = unit if table.unit == unit else f"{table.unit} and {unit}"
        table.add(place, row, names, **more)
    said = ["ccxt's tiers of Binance" if amounts else "ccxt's tiers"]
    return TierDocument(tables, "marginal" if amounts else None, said, "Binance" if amounts else "")


FORMS = (_hyperliquid, _binance, _okx, _bybit, _ccxt)
"""Each reads a document of its form, and answers None to others."""


def known_document(document: Any) -> bool:
    """Whether a document is of one of the known forms, however it is filled."""
    try:
        return any(form(document) is not None for form in FORMS)
    except ValueError:
        return True


__all__ = ["FORMS", "HALF", "known_document"]

"""Positions of accounts as venues publish them: sides from words or signs, sizes from contracts, rows of nothing left out."""

from pathlib import Path
from typing import Any

import numpy as np

from .columns import Columns, as_numbers
from .names import letters

LONG, SHORT, EITHER = ("long", "buy", "bid"), ("short", "sell", "ask"), ("", "both", "net", "none", "null", "nan")
_MARKS = ("markprice", "markpx")
_SIZES = ("contractsize", "ctval")


def account_documents(document: Any, name: str) -> list[dict[str, Any]] | None:
    """Rows of positions of a `clearinghouseState`, or of several: a list, or an object by address; None where it is none.

    Cross positions have the account's value, isolated ones, accounts by themselves, their own margin.
    """
    if isinstance(document, dict) and "assetPositions" in document:
        states = [(str(document.get("user") or document.get("address") or name), document)]
    elif (
        isinstance(document, dict) and document and all(isinstance(s, dict) and "assetPositions" in s for s in document.values())
    ):
        states = [(str(address), state) for address, state in document.items()]
    elif isinstance(document, list) and document and all(isinstance(s, dict) and "assetPositions" in s for s in document):
        states = [(str(s.get("user") or s.get("address") or f"{name} {i + 1}"), s) for i, s in enumerate(document)]
    else:
        return None
    rows = []
    for address, state in states:
        summary = state.get("crossMarginSummary") or state.get("marginSummary") or {}
        for item in state.get("assetPositions") or []:
            position = item.get("position") if isinstance(item, dict) else None
            if not isinstance(position, dict):
                continue
            leverage = position.get("leverage") if isinstance(position.get("leverage"), dict) else {}
            isolated = leverage.get("type") == "isolated"
            rows.append({
                "account": f"{address} {position.get('coin')}" if isolated else address,
                "coin": position.get("coin"),
                "szi": position.get("szi"),
                "entryPx": position.get("entryPx"),
                "positionValue": position.get("positionValue"),
                "unrealizedPnl": position.get("unrealizedPnl"),
                "leverage.type": leverage.get("type"),
                "leverage.value": leverage.get("value"),
                "marginUsed": position.get("marginUsed"),
                "accountValue": position.get("marginUsed") if isolated else summary.get("accountValue"),
            })  # fmt: skip
    return rows


def settle(table: Columns, venue: str | None = None, worth: bool = False) -> Columns:
    """A table of positions with `side`, `quantity` and `notional` above 0, and an account's name; what was done is said of it.

    **Arguments:** `venue`: of all, where the file has no column of venues; `worth`: whether isolated positions are accounts by
    themselves, worth their collateral, where the file does not say what accounts are.

    Problems are noted: a size whose sign contradicts its side, words that are no side. Rows without a size are left out.
    """
    table = _held(table)
    quantity = table.as_numbers("quantity") if "quantity" in table.values else None
    notional = table.as_numbers("notional") if "notional" in table.values else None
    signed = next((one for one in (quantity, notional) if one is not None and np.any(one < 0.0)), quantity)
    words = np.array(
        [str(word).strip().lower() for word in table.values["side"]] if "side" in table.values else [""] * len(table)
    )
    told = ~np.isin(words, EITHER)
    if (
        signed is not None
        and not np.all(told)
        and (np.any(signed < 0.0) or "side" in table.values or "szi" in table.written.values())
    ):
        column = "quantity" if signed is quantity else "notional"
        words = np.where(told, words, np.where(signed < 0.0, "short", "long"))
        if not np.any(told):
            table.said.append(f"side is the sign of {table.name(column)}")
    plainly = np.where(np.isin(words, LONG), "long", np.where(np.isin(words, SHORT), "short", words))
    if "side" in table.values or np.any(plainly != ""):
        if np.any(np.isin(words, (*LONG[1:], *SHORT[1:]))):
            table.said.append(f"{table.name('side')} is buy or sell")
        raw = table.values["side"] if "side" in table.values else None
        known = np.isin(plainly, ("long", "short"))
        table.values["side"] = np.where(known, plainly, raw if raw is not None else plainly).astype(object)
    for column, numbers in (("quantity", quantity), ("notional", notional)):
        # one that contradicts its side stays, and is said where numbers are checked
        turned = np.zeros(len(table), dtype=bool) if numbers is None else (numbers < 0.0) & (plainly == "short")
        if numbers is not None and column == "quantity" and table.name(column) != column:
            table.note(column, np.flatnonzero(told & (numbers < 0.0) & (plainly == "long")), "is below 0, and the side is long")
        if np.any(turned):
            table.values[column] = np.where(turned, np.abs(numbers), table.values[column])
    _sizes(table)
    return _named(table, venue, worth)


def _held(table: Columns) -> Columns:
    """The rows that hold something: those without a size, or of none, are left out and counted."""
    column = next((name for name in ("quantity", "notional") if name in table.values), None)
    if column is None or table.name(column) == column:
        return table  # of our own names: what is 0 is dealt with where it is read
    numbers = table.as_numbers(column)
    empty = np.array([str(cell).strip().lower() in ("", "none", "nan", "null") for cell in table.values[column]])
    nothing = (numbers == 0.0) | empty
    if not np.any(nothing) or np.all(nothing):
        return table
    table.said.append(f"{np.count_nonzero(nothing)} rows without a size left out")
    return table.only(~nothing)


def _sizes(table: Columns) -> None:
    """Quantities in coins, where they are in contracts, and notionals at the mark, where they are not there."""
    by_letters = {letters(name): name for name in table.values}
    size = next((by_letters[word] for word in _SIZES if word in by_letters), None)
    if size is not None and "quantity" in table.values:
        sizes, quantity = as_numbers(table.values[size]), table.as_numbers("quantity")
        if np.all(np.isfinite(sizes)) and np.any(sizes != 1.0):
            table.values["quantity"] = (quantity * sizes).astype(object)
            table.said.append(f"{table.name('quantity')} times {size}")
    mark = next((by_letters[word] for word in _MARKS if word in by_letters), None)
    if mark is not None and "notional" not in table.values and "quantity" in table.values:
        table.values["notional"] = (table.as_numbers("quantity") * as_numbers(table.values[mark])).astype(object)
        table.said.append(f"notional is {table.name('quantity')} times {mark}")


def _named(table: Columns, venue: str | None, worth: bool) -> Columns:
    """An account's name where the file gives none, and words of margin in lower case."""
    if "margin" in table.values and table.name("margin") != "margin":
        words = [str(word).strip().lower() for word in table.values["margin"]]
        table.values["margin"] = np.array(
            ["cross" if word in ("crossed", "cross_margin") else word for word in words], dtype=object
        )
    if "account" not in table.values and table.written:
        stems = [Path(table.place(row)[0]).name.split(".")[0] for row in range(len(table))]
        if {"margin", "asset"} <= set(table.values):  # an isolated position is an account by itself
            rows = zip(stems, table.values["asset"], table.values["margin"], strict=True)
            stems = [f"{stem} {asset}" if margin == "isolated" else stem for stem, asset, margin in rows]
        table.values["account"] = np.array(stems, dtype=object)
        table.said.append("one account a file" if table.parts else f"one account, {stems[0].split()[0]}")
    if worth and "account_value" not in table.values and {"margin", "collateral"} <= set(table.values) and table.written:
        if all(word == "isolated" for word in table.values["margin"]):
            table.values["account_value"] = table.values["collateral"]
            table.said.append(f"account_value is {table.name('collateral')}")
    if venue is not None and "venue" not in table.values:
        table.values["venue"] = np.full(len(table), venue, dtype=object)
    return table


__all__ = ["EITHER", "LONG", "SHORT", "account_documents", "settle"]

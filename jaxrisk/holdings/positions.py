"""Positions of accounts as venues publish them: sides from words or signs, sizes from contracts, rows of nothing left out."""

from collections import Counter
from pathlib import Path

import numpy as np

from ..data.account_documents import STATE
from ..data.columns import Columns, as_numbers
from ..data.names import letters
from ..data.tier_units import is_inverse, unit_of
from ..problems import counted

LONG, SHORT, EITHER = ("long", "buy", "bid"), ("short", "sell", "ask"), ("", "both", "net", "none", "null", "nan")
_MARKS = ("markprice", "markpx")
_SIZES = ("contractsize", "ctval")
MARK = "mark of a coin-margined contract"
"""USD a coin, NaN for positions that are settled in dollars; only where a table has such contracts."""
APART = 50.0
"""Ratio of what a position is worth to what its size, entry and profit make, beyond which one of them is in another unit."""


def settle(table: Columns, venue: str | None = None, worth: bool = False) -> Columns:
    """A table of positions with `side`, `quantity` and `notional` above 0, and an account's name; what was done is said of it.

    **Arguments:** `venue`: of all, where the file has no column of venues; `worth`: whether isolated positions are accounts by
    themselves, worth their collateral, where the file does not say what accounts are.

    Problems are noted: a size whose sign contradicts its side, words that are no side. Rows without a size are left out.
    """
    table = _snapshots(_held(table))
    _note_words(table)
    _coin_margined(table, worth)
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
            signs = np.any(numbers < 0.0)
            wrong = told & (numbers > 0.0) & (plainly == "short") & signs
            table.note(column, np.flatnonzero(wrong), "is above 0, and the side is short, where other sizes have signs")
            table.note(column, np.flatnonzero(told & (numbers < 0.0) & (plainly == "long")), "is below 0, and the side is long")
        if np.any(turned):
            table.values[column] = np.where(turned, np.abs(numbers), table.values[column])
    _sizes(table)
    _note_apart(table)
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
    table.said.append(f"{counted(np.count_nonzero(nothing), 'row', 'rows')} without a size left out")
    return table.only(~nothing)


def _note_words(table: Columns) -> None:
    """Note words in place of numbers, and prices of 0 or less; cells that are not there are noted where they are needed."""
    for column in ("quantity", "entry_price", "collateral"):
        if column not in table.values or not table.written:
            continue
        numbers = table.as_numbers(column)
        rows = np.flatnonzero(~np.isfinite(numbers))
        words = [str(table.cell(column, int(row))).strip().lower() for row in rows]
        table.note(column, rows[[word not in EITHER for word in words]], "has to be a finite number")
        if column == "entry_price":
            with np.errstate(invalid="ignore"):
                table.note(column, np.flatnonzero(numbers <= 0.0), "has to be above 0 (USD a coin)")


def _note_apart(table: Columns) -> None:
    """Note positions that are worth nothing, or not at all what their size at the entry price and their profit make."""
    if table.bad or not {"quantity", "entry_price", "notional", "unrealised", "side"} <= set(table.values):
        return
    quantity, entry, notional, profit = map(table.as_numbers, ("quantity", "entry_price", "notional", "unrealised"))
    table.note("notional", np.flatnonzero((quantity > 0.0) & (notional == 0.0)), "has to be above 0 (USD) where there is a size")
    sign = np.where(table.values["side"] == "long", 1.0, -1.0)
    with np.errstate(all="ignore"):
        ratio = notional / (quantity * entry + sign * profit)
        wrong = (notional > 0.0) & (quantity * entry > 1.0) & ~((ratio > 1.0 / APART) & (ratio < APART)) & np.isfinite(ratio)
    if np.any(wrong):
        text = f"is {ratio[wrong][0]:.3g} times what size, entry price and profit of the row make: is one in another unit?"
        table.note("notional", np.flatnonzero(wrong), text)


def _sizes(table: Columns) -> None:
    """Quantities in coins, where they are in contracts, and notionals at the mark, where they are not there."""
    by_letters = {letters(name): name for name in table.values}
    size = next((by_letters[word] for word in _SIZES if word in by_letters), None)
    okx = letters(table.name("quantity")) == "pos" and letters(table.name("asset")) == "instid"
    contracts = okx or letters(table.name("quantity")) == "contracts"
    mark = next((by_letters[word] for word in _MARKS if word in by_letters), None)
    inverse = np.isfinite(as_numbers(table.values[MARK])) if MARK in table.values else np.zeros(len(table), dtype=bool)
    dollars = None
    if (size is not None or contracts or np.any(inverse)) and "quantity" in table.values:
        quantity = table.as_numbers("quantity")
        sizes = np.full(len(table), np.nan) if size is None else as_numbers(table.values[size])
        are_coins = ~inverse & (np.logical_not(contracts) | _are_coins(table, quantity))
        sizes = np.where(~np.isfinite(sizes) & are_coins, 1.0, sizes)
        table.note("quantity", np.flatnonzero(~(sizes > 0.0)), "counts contracts, and the row does not say the size of one, "
                   "contractSize, in coins")  # fmt: skip
        whole = quantity * sizes
        if np.any(inverse):  # contracts of dollars
            dollars = whole.astype(object)
            entry = table.as_numbers("entry_price") if "entry_price" in table.values else np.full(len(table), np.nan)
            with np.errstate(divide="ignore"):
                whole = np.where(inverse, whole / entry, whole)
        if np.any(inverse) or np.any(np.isfinite(sizes) & (sizes != 1.0)):
            table.values["quantity"] = np.where(np.isfinite(quantity), whole.astype(object), table.values["quantity"])
            table.said.append(f"{table.name('quantity')} times {size}")
    if mark is not None and "notional" not in table.values and "quantity" in table.values:
        table.values["notional"] = (table.as_numbers("quantity") * as_numbers(table.values[mark])).astype(object)
        table.said.append(f"notional is {table.name('quantity')} times {mark}")
    if dollars is not None and "notional" in table.values:
        table.values["notional"] = np.where(inverse, dollars, table.values["notional"])


def _are_coins(table: Columns, quantity: np.ndarray) -> np.ndarray:
    """Whether sizes are coins already: at the price of entry they are worth about what the row says."""
    if not {"notional", "entry_price"} <= set(table.values):
        return np.zeros(len(table), dtype=bool)
    with np.errstate(all="ignore"):
        ratio = np.abs(table.as_numbers("notional")) / np.abs(quantity * table.as_numbers("entry_price"))
        return (ratio > 0.5) & (ratio < 2.0)


def _snapshots(table: Columns) -> Columns:
    """A table of states, with when each is of as its snapshot where an account comes several times; else without."""
    if STATE not in table.values:
        return table
    times = np.array([str(time) for time in table.values[STATE]])
    owners = [str(owner) for owner in table.values["account"]] if "account" in table.values else [""] * len(table)
    by_owner: dict[str, set[str]] = {}
    for owner, time in zip(owners, times, strict=True):
        by_owner.setdefault(owner, set()).add(time)
    if "snapshot" not in table.values and any(len(found) > 1 for found in by_owner.values()):
        table.values["snapshot"] = times.astype(object)
        table.said.append(f"snapshot is {STATE}")
    del table.values[STATE]
    return table


def _coin_margined(table: Columns, worth: bool) -> None:
    """Find positions in contracts that are settled in their coin, and what a coin is worth; note those in any other currency.

    Their contracts are of dollars, their margins and profits in coins: isolated ones are turned into dollars at the mark, which
    `worth` needs, else at the price of entry.
    """
    if "asset" not in table.values or table.name("asset") == "asset":
        return
    by_letters = {letters(name): name for name in table.values}
    contracts = letters(table.name("quantity")) == "contracts" or any(word in by_letters for word in _SIZES)
    names = [str(name) for name in table.values["asset"]]
    # of a name such as BTCUSD alone a size may be of coins
    inverse = [is_inverse(name) and (contracts or "_" in name) for name in names]
    units = [unit_of(name) if "/" in name else "coins" if inverse[i] else "USD" for i, name in enumerate(names)]
    other = [i for i, unit in enumerate(units) if unit not in ("USD", "coins")]
    table.note("asset", other, "is settled in another currency than dollars and its coin, which is not read")
    coins = np.array([unit == "coins" for unit in units])
    if not np.any(coins):
        return
    words = table.values["margin"] if "margin" in table.values else [""] * len(table)
    cross = np.array([str(word).strip().lower() != "isolated" for word in words])
    text = "is settled in its coin, and its margin is shared with other positions; of such contracts isolated ones are read"
    table.note("asset", np.flatnonzero(coins & cross), text)
    price = next((by_letters[word] for word in _MARKS if word in by_letters), None)
    if price is None and not worth and "entry_price" in table.values:
        price = "entry_price"
    mark = np.full(len(table), np.nan) if price is None else as_numbers(table.values[price])
    text = "is settled in its coin, and the row does not say what a coin is worth, markPrice"
    table.note("asset", np.flatnonzero(coins & ~cross & ~(mark > 0.0)), text)
    table.values[MARK] = np.where(coins, mark, np.nan)
    for column in ("collateral", "unrealised"):
        if column in table.values:
            dollars = table.as_numbers(column) * mark
            table.values[column] = np.where(coins & np.isfinite(dollars), dollars.astype(object), table.values[column])
    table.said.append("margins and profits of coin-margined contracts in dollars at the mark")


def _at_entry(table: Columns) -> None:
    """Collateral as it was at entry, where what is published has the profit in it; of isolated positions alone."""
    published = letters(table.name("collateral")) in ("marginused", "isolatedmargin") or (
        letters(table.name("quantity")) == "contracts" and table.name("collateral") == "collateral"
    )
    if "collateral" not in table.values or not published:
        return
    margin = table.as_numbers("collateral")
    if "unrealised" in table.values:
        profit = table.as_numbers("unrealised")
    elif {"notional", "quantity", "entry_price", "side"} <= set(table.values):
        sign = np.where(table.values["side"] == "long", 1.0, -1.0)
        profit = sign * (table.as_numbers("notional") - table.as_numbers("quantity") * table.as_numbers("entry_price"))
    else:
        del table.values["collateral"]
        table.said.append("margins are left aside: they have a profit in them that the file does not say")
        return
    cross = np.zeros(len(table), dtype=bool)
    if "margin" in table.values:
        cross = np.array([str(word).strip().lower() != "isolated" for word in table.values["margin"]])
    before = margin - profit
    if MARK in table.values and "entry_price" in table.values:  # as many coins, at what they were worth then
        mark = as_numbers(table.values[MARK])
        before = np.where(np.isfinite(mark), before * table.as_numbers("entry_price") / mark, before)
    found = np.where(np.isfinite(before), before.astype(object), table.values["collateral"])
    found[cross] = None
    table.values["collateral"] = found
    table.said.append(f"collateral is {table.name('collateral')} less unrealised profit")


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
            if "side" in table.values:  # of which there may be two of an asset, one a side
                rows = list(zip(stems, table.values["side"], table.values["margin"], strict=True))
                sides = Counter(one for one, _, margin in set(rows) if margin == "isolated")
                stems = [f"{one} {side}" if margin == "isolated" and sides[one] > 1 else one for one, side, margin in rows]
        table.values["account"] = np.array(stems, dtype=object)
        table.said.append("one account a file" if table.parts else f"one account, {stems[0].split()[0]}")
    if worth and "account_value" not in table.values and {"margin", "collateral"} <= set(table.values) and table.written:
        if all(word == "isolated" for word in table.values["margin"]):
            table.values["account_value"] = table.values["collateral"]
            table.said.append(f"account_value is {table.name('collateral')}")
    _at_entry(table)
    if venue is not None and "venue" not in table.values:
        table.values["venue"] = np.full(len(table), venue, dtype=object)
    return table


__all__ = ["EITHER", "LONG", "MARK", "SHORT", "settle"]

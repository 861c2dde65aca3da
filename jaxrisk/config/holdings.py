"""Tables of positions: account tables, liquidation maps and histograms, read and checked."""

from dataclasses import dataclass

import numpy as np

from ..data.names import ACCOUNTS, letters
from ..data.positions import MARK
from . import tables
from .files import Columns, Reader, as_numbers
from .repeats import counts_rows, note_times, note_twice, note_whole, times_of
from .symbols import of_coin, take_names
from .tables import SHARE_TOLERANCE, Context

SIDES = ("long", "short")
ACCOUNT_COLUMNS = ("venue", "asset", "side", "quantity", "entry_price")


@dataclass(frozen=True)
class Accounts:
    """Columns of an account table; `side` is 0 long, 1 short, `account_class` names."""

    venue: np.ndarray
    asset: np.ndarray
    side: np.ndarray
    quantity: np.ndarray
    entry_price: np.ndarray
    collateral: np.ndarray
    account_class: np.ndarray


@dataclass(frozen=True)
class Map:
    """Columns of a liquidation map; `side` is 0 long, 1 short."""

    price: np.ndarray
    side: np.ndarray
    open_interest: np.ndarray


def sides_of(table: Columns, column: str = "side") -> np.ndarray:
    """A column of sides: 0 long, 1 short, however capitalised."""
    table.values[column] = np.array([str(side).strip().lower() for side in table.values[column]], dtype=object)
    return table.indices(column, SIDES, "side")


def bounded(table: Columns, column: str, above: float | None = None, at_least: float | None = None, unit: str = "") -> np.ndarray:
    """A column of finite numbers above, or at least, a bound."""
    numbers = table.numbers(column, "has to be a finite number")
    unit = f" ({unit})" if unit else ""
    with np.errstate(invalid="ignore"):
        if above is not None:
            table.note(column, np.flatnonzero(numbers <= above), f"has to be above {above:g}{unit}")
        if at_least is not None:
            table.note(column, np.flatnonzero(numbers < at_least), f"has to be at least {at_least:g}{unit}")
    return numbers


def note_settled(table: Columns, venue: np.ndarray, inverse: np.ndarray) -> None:
    """Note positions of coin-margined contracts on venues of others, and the reverse, where a table tells which are which."""
    if MARK not in table.values:
        return
    coins = np.isfinite(as_numbers(table.values[MARK]))
    wrong, known = coins != inverse[np.maximum(venue, 0)], venue >= 0
    text = 'is settled in its coin, and contracts of the venue in dollars: contract = "inverse" in a venue of its own'
    table.note("asset", np.flatnonzero(known & wrong & coins), text)
    text = 'is settled in dollars, and contracts of the venue in their coin: contract = "linear" in a venue of its own'
    table.note("asset", np.flatnonzero(known & wrong & ~coins), text)


def note_accounts_twice(table: Columns) -> None:
    """Note rows of an account table that stand for the same position: of several times, twice over, or under one name."""
    note_times(table)
    note_whole(table)
    if "account" in table.values:
        note_twice(
            table,
            "account",
            "account, venue, asset and side",
            *(table.values[name] for name in ("account", *ACCOUNT_COLUMNS[:3])),
        )


def note_map_twice(table: Columns) -> None:
    """Note rows of a liquidation map that are of several times, or differ in open interest alone."""
    note_times(table)
    names = [name for name in table.values if name not in ("price", "open_interest_usd") and not counts_rows(name)]
    labels = (as_numbers(table.values["price"]), *(table.values[name] for name in names))
    note_twice(table, "price", ", ".join(["price", *names]), *labels)


def note_histogram_twice(table: Columns) -> None:
    """Note rows of a histogram that are of several times, or of one leverage."""
    note_times(table)
    note_twice(table, "leverage", "leverage", as_numbers(table.values["leverage"]))


def note_positions_twice(table: Columns) -> None:
    """Note rows of a table of positions or of collateral, by itself, that stand for the same thing at the same time."""
    labels = [name for name in ("account", "venue", "asset", "side", "margin") if name in table.values]
    note_twice(table, "account", ", ".join(labels), *(table.values[name] for name in (*labels, *times_of(table.values))))


def _note_others(table: Columns, holders: tables.LiquidationMap) -> None:
    """Note rows of other assets than the one of the population."""
    for name in ("asset", "coin", "symbol"):
        words = [str(word).strip() for word in table.values.get(name, ())]
        other = [i for i, word in enumerate(words) if word != holders.asset and not of_coin(holders.asset, [word])]
        table.note(name, other, f"is another asset than that of the population, {holders.asset}")
        alike = sorted({word for i, word in enumerate(words) if i not in other})
        if len(alike) > 1:
            text = f"has {' and '.join(alike)}, which would be added up; leave the rows of one"
            table.report.add_in(table.file, name, None, text, missing=True)
            table.bad.add(name)


def read_accounts(reader: Reader, key: str, holders: tables.Accounts, context: Context, inverse: np.ndarray) -> Accounts | None:
    """An account table.

    `collateral` (USD at entry, also where it is coin) or `leverage` (entry notional over it) is needed, collateral counts.

    **Arguments:** `inverse`: whether contracts are margined in coin, shape `(venues,)`.
    """
    table = reader.positions(holders.file, f"{key}.file", ACCOUNT_COLUMNS, holders.columns or {}, _venue(holders, context))
    if table is None:
        return None
    if holders.venue is not None and letters("venue") in map(letters, table.header):
        reader.report.add(f"{key}.venue", holders.venue, f"has to be left out: the file has a column {table.name('venue')}")
    venue = table.indices("venue", context.venues, "venue")
    note_settled(table, venue, inverse)
    take_names(reader, table, "asset", context.assets)
    asset = table.indices("asset", context.assets, "asset")
    side = sides_of(table)
    note_accounts_twice(table)
    quantity = bounded(table, "quantity", at_least=0.0, unit="coins; the side says which way")
    entry = bounded(table, "entry_price", above=0.0, unit="USD a coin")
    margin = next((one for one in table.values if letters(one) in ("margin", *ACCOUNTS.others["margin"])), None)
    if margin is not None:
        shared = [i for i, word in enumerate(table.values[margin]) if str(word).strip().lower().startswith("cross")]
        text = 'shares the value of its account with others, which kind = "accounts" does not have: kind = "cross_accounts" does'
        table.note(margin, shared, text)
        if shared:
            return None
    collateral = bounded(table, "collateral", above=0.0, unit="USD at entry") if "collateral" in table.values else None
    leverage = bounded(table, "leverage", above=0.0) if "leverage" in table.values else None
    if collateral is None and leverage is None:
        have = table.names()
        reader.report.add_in(
            table.file,
            "collateral",
            None,
            f"missing column; needs collateral (USD at entry) or leverage, the file has {have}",
            missing=True,
        )
        return None
    if collateral is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            collateral = quantity * entry / leverage
    classes = table.values.get("class")
    classes = (
        np.full(len(table), "all", dtype=object) if classes is None else np.array([str(c).strip() for c in classes], dtype=object)
    )
    if "class" in table.values:
        table.note("class", np.flatnonzero(classes == ""), "has to name the account's class")
    if table.bad:
        return None
    held = quantity > 0.0
    if not np.any(held):
        reader.report.add_in(table.file, "quantity", None, "has no account that holds anything", missing=True)
        return None
    return Accounts(*(column[held] for column in (venue, asset, side, quantity, entry, collateral, classes)))


def _venue(holders: tables.Accounts, context: Context) -> str | None:
    """The venue of positions whose file has no column for it: the one that is named, or the only one."""
    return holders.venue or (context.venues[0] if len(context.venues) == 1 else None)


def read_map(reader: Reader, key: str, holders: tables.LiquidationMap) -> Map | None:
    """A liquidation map."""
    table = reader.table(holders.file, f"{key}.file", ("price", "side", "open_interest_usd"))
    if table is None:
        return None
    side = sides_of(table)
    note_map_twice(table)
    _note_others(table, holders)
    price = bounded(table, "price", above=0.0, unit="USD a coin")
    open_interest = bounded(table, "open_interest_usd", at_least=0.0, unit="USD")
    return None if table.bad else Map(price, side, open_interest)


def read_histogram(reader: Reader, key: str, holders: tables.Histogram) -> tuple[list[float], list[float]] | None:
    """Leverages and shares of a histogram, from its lists or its file."""
    report = reader.report
    if holders.file is None:
        for name in ("leverage", "share"):
            if getattr(holders, name) is None:
                report.add(f"{key}.{name}", None, "missing; needs leverage and share, or file", missing=True)
        return None if holders.leverage is None or holders.share is None else (holders.leverage, holders.share)
    if holders.leverage is not None or holders.share is not None:
        report.add(f"{key}.file", holders.file, "has to be given instead of leverage and share, not beside them")
    table = reader.table(holders.file, f"{key}.file", ("leverage", "share"))
    if table is None:
        return None
    note_histogram_twice(table)
    leverage, share = bounded(table, "leverage", at_least=1.0), bounded(table, "share", at_least=0.0)
    if table.bad:
        return None
    if abs(float(share.sum()) - 1.0) > SHARE_TOLERANCE:
        report.add_in(table.file, "share", None, f"has to sum to 1; it sums to {float(share.sum()):.6g}", missing=True)
        return None
    return leverage.tolist(), share.tolist()

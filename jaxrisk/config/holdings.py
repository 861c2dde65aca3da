"""Tables of positions: account tables, liquidation maps and histograms, read and checked."""

from dataclasses import dataclass

import numpy as np

from .files import Columns, Reader
from .holders import AccountHolders, HistogramHolders, MapHolders
from .sections import SHARE_TOLERANCE
from .values import Context

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


def read_accounts(reader: Reader, key: str, holders: AccountHolders, context: Context) -> Accounts | None:
    """An account table.

    `collateral` (USD at entry, also where it is coin) or `leverage` (entry notional over it) is needed, collateral counts.
    """
    table = reader.table(holders.file, f"{key}.file", ACCOUNT_COLUMNS)
    if table is None:
        return None
    venue = table.indices("venue", context.venues, "venue")
    asset = table.indices("asset", context.assets, "asset")
    side = sides_of(table)
    quantity = bounded(table, "quantity", at_least=0.0, unit="coins; the side says which way")
    entry = bounded(table, "entry_price", above=0.0, unit="USD a coin")
    collateral = bounded(table, "collateral", above=0.0, unit="USD at entry") if "collateral" in table.values else None
    leverage = bounded(table, "leverage", above=0.0) if "leverage" in table.values else None
    if collateral is None and leverage is None:
        have = ", ".join(table.values)
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


def read_map(reader: Reader, key: str, holders: MapHolders) -> Map | None:
    """A liquidation map."""
    table = reader.table(holders.file, f"{key}.file", ("price", "side", "open_interest_usd"))
    if table is None:
        return None
    side = sides_of(table)
    price = bounded(table, "price", above=0.0, unit="USD a coin")
    open_interest = bounded(table, "open_interest_usd", at_least=0.0, unit="USD")
    return None if table.bad else Map(price, side, open_interest)


def read_histogram(reader: Reader, key: str, holders: HistogramHolders) -> tuple[list[float], list[float]] | None:
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
    leverage, share = bounded(table, "leverage", at_least=1.0), bounded(table, "share", at_least=0.0)
    if table.bad:
        return None
    if abs(float(share.sum()) - 1.0) > SHARE_TOLERANCE:
        report.add_in(table.file, "share", None, f"has to sum to 1; it sums to {float(share.sum()):.6g}", missing=True)
        return None
    return leverage.tolist(), share.tolist()

"""Tables of a whole market's holders: open interest by liquidation price, and by leverage, read and checked."""

from dataclasses import dataclass

import numpy as np

from ..data.columns import Columns, as_numbers
from ..data.named import Reader
from ..data.repeats import counts_rows, note_times, note_twice
from ..data.rows import SHARE_TOLERANCE, bounded, sides_of
from ..data.symbols import of_coin


@dataclass(frozen=True)
class Map:
    """Columns of a liquidation map; `side` is 0 long, 1 short."""

    price: np.ndarray
    side: np.ndarray
    open_interest: np.ndarray


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


def _note_others(table: Columns, asset: str) -> None:
    """Note rows of other assets than the one of the population."""
    for name in ("asset", "coin", "symbol"):
        words = [str(word).strip() for word in table.values.get(name, ())]
        other = [i for i, word in enumerate(words) if word != asset and not of_coin(asset, [word])]
        table.note(name, other, f"is another asset than that of the population, {asset}")
        alike = sorted({word for i, word in enumerate(words) if i not in other})
        if len(alike) > 1:
            text = f"has {' and '.join(alike)}, which would be added up; leave the rows of one"
            table.report.add_in(table.file, name, None, text, missing=True)
            table.bad.add(name)


def read_map(reader: Reader, key: str, file: str, asset: str) -> Map | None:
    """A liquidation map, named at `key`, of one asset; None with problems noted."""
    table = reader.table(file, key, ("price", "side", "open_interest_usd"))
    if table is None:
        return None
    side = sides_of(table)
    note_map_twice(table)
    _note_others(table, asset)
    price = bounded(table, "price", above=0.0, unit="USD a coin")
    open_interest = bounded(table, "open_interest_usd", at_least=0.0, unit="USD")
    return None if table.bad else Map(price, side, open_interest)


def read_histogram(reader: Reader, key: str, file: str) -> tuple[list[float], list[float]] | None:
    """Leverages and shares of the file of a histogram, named at `key`; None with problems noted."""
    table = reader.table(file, key, ("leverage", "share"))
    if table is None:
        return None
    note_histogram_twice(table)
    leverage, share = bounded(table, "leverage", at_least=1.0), bounded(table, "share", at_least=0.0)
    if table.bad or not check_shares(table, share):
        return None
    return leverage.tolist(), share.tolist()


def check_shares(table: Columns, share: np.ndarray) -> bool:
    """Whether shares sum to 1, which is noted where they do not."""
    total = float(share.sum())
    if abs(total - 1.0) > SHARE_TOLERANCE:
        table.report.add_in(table.file, "share", None, f"has to sum to 1; it sums to {total:.6g}", missing=True)
        return False
    return True


__all__ = ["Map", "check_shares", "note_histogram_twice", "note_map_twice", "read_histogram", "read_map"]

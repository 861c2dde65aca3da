"""Tables of accounts each position of which has its own collateral, read and checked."""

from dataclasses import dataclass, replace

import numpy as np

from ..data.columns import Columns, as_numbers
from ..data.json_rows import ENDINGS
from ..data.named import Reader
from ..data.names import ACCOUNTS, Context, letters
from ..data.repeats import note_times, note_twice, note_whole
from ..data.rows import bounded, sides_of
from ..data.symbols import take_names
from ..problems import nearest
from .positions import MARK, settle

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


def read_positions(
    reader: Reader,
    name: str,
    key: str,
    needed: tuple[str, ...],
    columns: dict[str, str],
    venue: str | None = None,
    strict: bool = False,
) -> Columns | None:
    """A table of positions with at least the columns needed, sides and sizes worked out; None with problems noted.

    **Arguments:** `columns`: by our name, the file's own: where there are any, columns of a table that need not be there have
    these names or ours, as all have where it is `strict`; `venue`: of all, where the file has no column of venues.
    """
    known = {ours: written for ours, written in columns.items() if ours in ACCOUNTS.others}
    document = name.lower().endswith(ENDINGS)  # whose columns are what they are
    usual = {ours: () if strict or ours not in needed else others for ours, others in ACCOUNTS.others.items()}
    kind = replace(ACCOUNTS, others=usual) if strict or (columns and not document) else ACCOUNTS
    table = reader.table(name, key, (), of=kind, columns=known)
    if table is None:
        return None
    table = settle(table, venue if venue is not None and "venue" in needed else None)
    reader.tables.append(table)
    absent = [column for column in needed if column not in table.values]
    for column in absent:
        text = f"missing column; the file has {table.names()}"
        reader.report.add_in(table.file, column, None, text, nearest(column, table.header), missing=True)
    return None if absent else table


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


def read_accounts(
    reader: Reader,
    key: str,
    file: str,
    columns: dict[str, str],
    venue_of_all: str | None,
    context: Context,
    inverse: np.ndarray,
) -> Accounts | None:
    """An account table, named at `key.file`; None with problems noted.

    `collateral` (USD at entry, also where it is coin) or `leverage` (entry notional over it) is needed, collateral counts.

    **Arguments:** `columns`: by our names, the file's own; `venue_of_all`: where the file has no column for it, the only one
    if that is None; `inverse`: whether contracts are margined in coin, shape `(venues,)`.
    """
    only = context.venues[0] if len(context.venues) == 1 else None
    table = read_positions(reader, file, f"{key}.file", ACCOUNT_COLUMNS, columns, venue_of_all or only)
    if table is None:
        return None
    if venue_of_all is not None and letters("venue") in map(letters, table.header):
        reader.report.add(f"{key}.venue", venue_of_all, f"has to be left out: the file has a column {table.name('venue')}")
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


__all__ = ["Accounts", "note_accounts_twice", "note_settled", "read_accounts", "read_positions"]

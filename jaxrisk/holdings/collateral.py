"""The file of collateral of accounts under cross margin."""

from dataclasses import dataclass

import numpy as np

from ..data.named import Reader
from ..data.repeats import note_times, with_snapshot
from ..data.rows import Rows, bounded, repeated
from ..data.symbols import take_names
from ..problems import Report, listed, nearest

CASH = "USD"
NEEDED = ("account", "asset", "amount")
LISTED = 5


@dataclass(frozen=True)
class Collateral:
    """Who holds what: `account` by its name, `asset` an index or -1 for USD, `amount` in coins or USD."""

    account: list[str]
    asset: np.ndarray
    amount: np.ndarray


def read_collateral(
    reader: Reader,
    key: str,
    file: str,
    columns: dict[str, str],
    assets: tuple[str, ...],
    known: tuple[str, ...],
    snapshot: str | None,
) -> Collateral | None:
    """A file of collateral, named at `key`; None with problems noted.

    **Arguments:** `columns`: by our names, the file's own; `known`: the accounts of the file of positions, in any snapshot;
    `snapshot`: the one that is taken of the positions.
    """
    table = reader.table(file, key, ())
    if table is None:
        return None
    own = {name: item for name, item in columns.items() if item in table.values}
    rows = Rows(table, own if snapshot is None else with_snapshot(table, own))
    absent = [name for name in NEEDED if not rows.has(name)]
    for name in absent:
        rows.note_missing(name, f"missing column; the file has {', '.join(table.values)}", nearest(name, table.values))
    if absent:
        return None
    if snapshot is None:
        note_times(table)
    elif rows.has("snapshot"):
        _of_snapshot(rows, snapshot)
    account = _accounts(rows, known)
    take_names(reader, rows.table, rows.at("asset"), assets)
    asset = rows.places("asset", (CASH, *assets), "asset") - 1
    amount = bounded(rows.table, rows.at("amount"), unit="coins, or USD")
    rows.note("amount", np.flatnonzero((asset >= 0) & (amount < 0.0)), "has to be at least 0 (coins)")
    if not table.bad:
        rows.note("account", repeated(account, asset), "has two rows for the same asset; they have to be one")
    return None if table.bad else Collateral([known[i] for i in account.tolist()], asset, amount)


def _of_snapshot(rows: Rows, snapshot: str) -> None:
    """Keep the rows of a snapshot; all, where a column of one time only is by its name no snapshot."""
    words = rows.words("snapshot")
    kept = words == snapshot
    if np.any(kept) or rows.at("snapshot") == "snapshot":
        rows.keep(kept)
    elif len(set(words.tolist())) > 1:
        rows.note_missing("snapshot", f"has no row of {snapshot}, the snapshot of the positions", nearest(snapshot, words))


def _accounts(rows: Rows, known: tuple[str, ...]) -> np.ndarray:
    """Accounts as indices into `known`, of which there may be too many for a message to list."""
    places = {name: i for i, name in enumerate(known)}
    names = rows.words("account").tolist()
    found = np.array([places.get(name, -1) for name in names], dtype=np.int64)
    wrong = np.flatnonzero(found < 0)
    near = nearest(names[wrong[0]], known) if len(wrong) else None
    rows.note("account", wrong, f"unknown account; has to be one of the {len(known)} in the file of positions", near)
    return found


def place(held: Collateral, where: dict[str, int], cash: np.ndarray, coins: np.ndarray) -> list[str]:
    """Add collateral to the accounts; `where` says which row of `cash` and `coins` each has. Returns those that got none."""
    seen = set()
    for name, asset, amount in zip(held.account, held.asset.tolist(), held.amount.tolist(), strict=True):
        if name not in where:
            continue  # left out, or with isolated positions only
        seen.add(name)
        if asset < 0:
            cash[where[name]] += amount
        else:
            coins[where[name], asset] += amount
    return [name for name in where if name not in seen]


def note_absent(absent: list[str], key: str, file: str, report: Report) -> None:
    """Every account under cross margin has to have a row in the file of collateral."""
    if absent:
        report.add(key, file, f"has no row for {listed(absent, LISTED)}; an amount of 0 says that there is nothing")

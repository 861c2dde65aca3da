"""Tables of accounts under cross margin: positions, and the collateral that they share."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..data.columns import as_numbers
from ..data.named import Reader
from ..data.names import Context
from ..data.repeats import with_snapshot
from ..data.rows import Rows, bounded, first_that_differ, numbered, repeated, sides_of
from ..data.symbols import take_names
from ..problems import Report, listed, nearest
from .accounts import note_settled, read_positions
from .collateral import note_absent, place, read_collateral

NEEDED = ("account", "asset", "side", "quantity", "entry_price")
MARGINS = ("cross", "isolated")
LISTED = 12


class CrossFile(NamedTuple):
    """What is said of a file of positions, key by key as a scenario has it; None for what is not said.

    `columns`: by our names, the file's own; `collateral`: another file; `venue`, `account_class`: of all; `accounts`: how many
    are kept, the largest; `snapshot`: one of the file's, or "latest"; `other_assets`: "refuse" or "ignore".
    """

    file: str
    columns: dict[str, str] | None = None
    collateral: str | None = None
    venue: str | None = None
    account_class: str | None = None
    accounts: int | None = None
    snapshot: str | None = None
    other_assets: str = "refuse"


@dataclass(frozen=True)
class CrossTable:
    """Arrays of accounts under cross margin; `side` is +1 long, -1 short, `account_class` names."""

    quantity: np.ndarray
    entry_price: np.ndarray
    account: np.ndarray
    venue: np.ndarray
    asset: np.ndarray
    side: np.ndarray
    cash: np.ndarray
    coins: np.ndarray
    account_class: np.ndarray
    home: np.ndarray


@dataclass
class _Book:
    """The rows of a file as columns: `owner` numbers its accounts, `margin` is that of isolated positions, USD."""

    owner: np.ndarray
    name: np.ndarray
    venue: np.ndarray
    asset: np.ndarray
    side: np.ndarray
    quantity: np.ndarray
    entry: np.ndarray
    isolated: np.ndarray
    margin: np.ndarray
    account_class: np.ndarray
    value: np.ndarray | None
    notional: np.ndarray | None

    def only(self, rows: np.ndarray) -> "_Book":
        """Some of the rows."""
        cut: dict[str, Any] = {name: None if column is None else column[rows] for name, column in vars(self).items()}
        return _Book(**cut)


def read_cross(
    reader: Reader, key: str, holders: CrossFile, context: Context, price: np.ndarray, inverse: np.ndarray
) -> CrossTable | None:
    """The accounts of a file of positions and, where there is one, of a file of collateral; None with problems noted at `key`.

    Where the file states account values instead, collateral is taken to be dollars, also at a venue margined in coin.

    **Arguments:** `price`: S_0, USD, NaN where it is not known, shape `(assets,)`; `inverse`: whether contracts are margined in
    coin, shape `(venues,)`.
    """
    report, columns = reader.report, holders.columns or {}
    table = read_positions(reader, holders.file, f"{key}.file", NEEDED, columns, strict=holders.collateral is not None)
    if table is None:
        return None
    before = len(report.problems)
    rows = Rows(table, with_snapshot(table, {}))
    if holders.snapshot is not None and not rows.has("snapshot"):
        text = f"missing column; the file has {table.names()}: name the one that says when, {key}.columns.snapshot"
        rows.note_missing("snapshot", text, nearest("snapshot", table.header))
    _said_once(rows, key, holders, report)
    owners = rows.words("account")
    rows.note("account", np.flatnonzero(owners == ""), "has to name the account")
    known = tuple(dict.fromkeys(owners.tolist()))
    snapshot = _one_snapshot(rows, key, holders, report)
    _own_assets(rows, key, holders, context, reader)
    book = _checked(rows, holders, context, inverse) if len(rows) else None
    held = None
    if holders.collateral is not None:
        beside = (f"{key}.collateral", holders.collateral)
        held = read_collateral(reader, *beside, columns, context.assets, known, snapshot)
    if book is None or len(report.problems) > before:
        return None
    book = book.only(book.quantity > 0.0)
    if not len(book.owner):
        rows.note_missing("quantity", "has no account that holds anything")
        return None
    if holders.accounts is not None:
        book = book.only(_largest(book.owner, book.quantity * price[book.asset], holders.accounts))
    # an isolated position has collateral of its own, so that it is an account by itself
    by_itself = book.owner.max() + 1 + np.arange(len(book.owner))
    account = numbered(np.where(book.isolated, by_itself, book.owner))
    first = np.unique(account, return_index=True)[1]
    cash, coins = np.zeros(len(first)), np.zeros((len(first), len(context.assets)))
    with np.errstate(over="ignore", invalid="ignore"):
        _isolated_margin(book, account, inverse, cash, coins)
        if book.value is not None:
            _cash_of_value(book, account, price, inverse, cash)
    if not (np.all(np.isfinite(cash)) and np.all(np.isfinite(coins))) and np.all(np.isfinite(price)):
        rows.note_missing("quantity", "makes collateral that is no finite number: quantities or prices are beyond reason")
        return None
    if held is not None:
        shared = first[~book.isolated[first]]
        absent = place(held, dict(zip(book.name[shared].tolist(), account[shared].tolist(), strict=True)), cash, coins)
        note_absent(absent, f"{key}.collateral", holders.collateral or "", report)
        if absent:
            return None
    where = (book.venue, book.asset, book.side)
    return CrossTable(book.quantity, book.entry, account, *where, cash, coins, book.account_class[first], book.venue[first])


def _cash_of_value(book: _Book, account: np.ndarray, price: np.ndarray, inverse: np.ndarray, cash: np.ndarray) -> None:
    """Cash of accounts under cross margin: their value less unrealised profit at the mark of the file.

    That mark is notional over quantity, else the scenario's price. The book then marks positions to the scenario's price, so that
    an account is worth more or less at the start than in the file, by what its positions gain between the two marks. Positions
    left out because the scenario does not have the asset are not taken off: their worth stays as it is. The notional of a
    coin-margined contract is fixed in dollars and says nothing about the mark, which then is the scenario's.
    """
    shared = ~book.isolated
    cash[account[shared]] = book.value[shared] if book.value is not None else 0.0
    ours = price[book.asset]
    mark = ours if book.notional is None else np.where(inverse[book.venue], ours, book.notional / book.quantity)
    np.subtract.at(cash, account[shared], (book.side * book.quantity * (mark - book.entry))[shared])


def _isolated_margin(book: _Book, account: np.ndarray, inverse: np.ndarray, cash: np.ndarray, coins: np.ndarray) -> None:
    """Collateral of isolated positions: dollars or, at a venue margined in coin, coins worth it at entry."""
    in_coin = inverse[book.venue]
    dollars, coin = book.isolated & ~in_coin, book.isolated & in_coin
    cash[account[dollars]] = book.margin[dollars]
    coins[account[coin], book.asset[coin]] = book.margin[coin] / book.entry[coin]


def _checked(rows: Rows, holders: CrossFile, context: Context, inverse: np.ndarray) -> _Book | None:
    """All columns, checked row by row and account by account."""
    table, count = rows.table, len(rows)
    if rows.has("venue"):
        venue = rows.places("venue", context.venues, "venue")
    else:
        venue = np.full(count, context.venues.index(holders.venue) if holders.venue in context.venues else 0)
    isolated, margin = _isolated(rows)
    note_settled(table, venue, inverse)
    fixed = np.full(count, holders.account_class or "all", dtype=object)
    book = _Book(
        owner=numbered(rows.words("account")),
        name=rows.words("account"),
        venue=venue,
        asset=rows.places("asset", context.assets, "asset"),
        side=1 - 2 * sides_of(table, rows.at("side")),
        quantity=bounded(table, rows.at("quantity"), at_least=0.0, unit="coins; the side says which way"),
        entry=bounded(table, rows.at("entry_price"), above=0.0, unit="USD a coin"),
        isolated=isolated,
        margin=margin,
        account_class=rows.words("class") if rows.has("class") else fixed,
        value=bounded(table, rows.at("account_value"), unit="USD") if rows.has("account_value") else None,
        notional=bounded(table, rows.at("notional"), at_least=0.0, unit="USD") if rows.has("notional") else None,
    )
    if rows.has("class"):
        rows.note("class", np.flatnonzero(book.account_class == ""), "has to name the account's class")
    if book.notional is not None:
        nothing = (book.quantity > 0.0) & (book.notional == 0.0)
        rows.note("notional", np.flatnonzero(nothing), "has to be above 0 (USD) where there is a quantity")
    if table.bad:
        return None
    twice = repeated(book.owner, book.venue, book.asset, book.side, book.isolated)
    rows.note("account", twice, "has another row for the same venue, asset and side; the two have to be one")
    _same_within(rows, "class", book.account_class, book.owner, np.arange(count))
    if book.value is not None:
        _same_within(rows, "account_value", book.value, book.owner, np.flatnonzero(~isolated))
    return book


def _said_once(rows: Rows, key: str, holders: CrossFile, report: Report) -> None:
    """Venue, class and collateral are given once: for all accounts, or by the file."""
    for name, value in (("venue", holders.venue), ("class", holders.account_class)):
        if value is not None and rows.has(name):
            report.add(f"{key}.{name}", value, f"has to be left out: the file has a column {rows.at(name)}")
    if holders.venue is None and not rows.has("venue"):
        report.add(f"{key}.venue", None, "missing; needs the venue of all positions, or a column venue in the file", missing=True)
    if holders.collateral is not None and rows.has("account_value"):
        text = f"has to be left out: the file has a column {rows.at('account_value')}, from which collateral follows"
        report.add(f"{key}.collateral", holders.collateral, text)
    alone = rows.has("margin") and all(word.lower() == "isolated" for word in rows.words("margin"))
    if holders.collateral is None and not rows.has("account_value") and not alone:
        text = "missing; needs a file of collateral, or a column account_value in the file of positions"
        report.add(f"{key}.collateral", None, text, missing=True)


def _one_snapshot(rows: Rows, key: str, holders: CrossFile, report: Report) -> str | None:
    """Keep the rows of one snapshot and return its name, None in a file without any."""
    if not rows.has("snapshot"):
        return None
    words = rows.words("snapshot")
    present = sorted(dict.fromkeys(words.tolist()))  # times as ISO text are in order as text
    numbers = as_numbers(np.array(present, dtype=object))
    if np.all(np.isfinite(numbers)):
        present = [present[i] for i in np.argsort(numbers, kind="stable")]
    covers = f"{len(present)} snapshots, from {present[0]} to {present[-1]}"
    if holders.snapshot is None and len(present) > 1:
        report.add(f"{key}.snapshot", None, f'missing; the file has {covers}: needs one of them, or "latest"', missing=True)
    chosen = present[-1] if holders.snapshot in (None, "latest") else str(holders.snapshot)
    if chosen not in present:
        text = f'has to be "latest" or one of the file\'s {covers}'
        report.add(f"{key}.snapshot", chosen, text, nearest(chosen, present))
        chosen = present[-1]  # so that the rows can be checked
    rows.keep(words == chosen)
    return chosen


def _own_assets(rows: Rows, key: str, holders: CrossFile, context: Context, reader: Reader) -> None:
    """Leave out rows of assets that the scenario does not have; unless it is said that this is meant, each is a problem once."""
    for several in take_names(reader, rows.table, rows.at("asset"), context.assets) if len(rows) else ():
        if holders.other_assets == "ignore":
            rows.note_missing("asset", f"{several}, and would be ignored: name the one that is, leave the others out")
    assets = rows.words("asset")
    foreign = np.array([asset not in context.assets for asset in assets.tolist()], dtype=bool)
    if np.any(foreign) and holders.other_assets == "refuse":
        names, counts = np.unique(assets[foreign].astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        each = [f"{names[i]} ({counts[i]} row{'s' if counts[i] > 1 else ''})" for i in order]
        text = (
            f"has positions in assets that the scenario does not have: {listed(each, LISTED)}; it has "
            f'{", ".join(context.assets)}; {key}.other_assets = "ignore" leaves them out and keeps the collateral'
        )
        rows.note_missing("asset", text, nearest(str(names[0]), context.assets) if len(names) == 1 else None)
    elif np.all(foreign):
        rows.note_missing("asset", f"has no position in one of the scenario's assets, {', '.join(context.assets)}")
    rows.keep(~foreign)


def _isolated(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Which positions are isolated, and their collateral; zero for others, whose cells do not count."""
    nothing = np.zeros(len(rows))
    if not rows.has("margin"):
        return nothing > 0.0, nothing
    isolated = rows.places("margin", MARGINS, "kind of margin", lower=True) == 1
    if not np.any(isolated):
        return isolated, nothing
    if not rows.has("collateral"):
        rows.note_missing("collateral", "missing column; isolated positions need their collateral (USD at entry)")
        return isolated, nothing
    margin = as_numbers(rows.table.values[rows.at("collateral")])
    with np.errstate(invalid="ignore"):
        wrong = isolated & ~(np.isfinite(margin) & (margin > 0.0))
    rows.note("collateral", np.flatnonzero(wrong), "has to be a finite number above 0 (USD at entry) for an isolated position")
    return isolated, np.where(isolated, margin, 0.0)


def _same_within(rows: Rows, name: str, values: np.ndarray, owner: np.ndarray, which: np.ndarray) -> None:
    """What an account has one of has to be the same in all its rows."""
    different, first = first_that_differ(values, owner, which)
    if len(different):
        text = f"has to be the same in all rows of an account; in {rows.table.place(first[0])[1]} it is"
        rows.note(name, different, f"{text} {values[first[0]]}")


def _largest(owner: np.ndarray, notional: np.ndarray, count: int) -> np.ndarray:
    """Whether a row is of one of the accounts with the largest notional."""
    best = np.argsort(-np.bincount(owner, notional), kind="stable")[:count]
    return np.isin(owner, best)

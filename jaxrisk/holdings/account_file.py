"""Snapshots of accounts, read and checked: a row a position, and beside it what its account is worth."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.names import ACCOUNTS
from ..data.read import Wish, read_table, resembling
from ..data.rows import Rows, bounded, numbered, sides_of
from ..paths import stem
from ..problems import ConfigError, Problem, Report, counted, nearest
from .account_rows import leverage_as_set, once, one_value, snapshots
from .positions import settle

COLUMNS = ("account", "asset", "side", "account_value", "notional", "unrealised", "leverage", "snapshot", "quantity", "margin")
"""Our names of columns; when a row is of, by all usual names (`jaxrisk.data.repeats`)."""
_LEAST, _MOST = 0.01, 1e15
"""USD: below the one there is nothing."""
NEEDED = ("account", "asset", "side", "account_value", "notional")


class AccountFile(NamedTuple):
    """Positions of accounts, arrays of shape `(positions,)`; an account in a snapshot is a holding.

    - `owner`: number of the account, the same in all snapshots; `holding`: number of the account in its snapshot.
    - `asset`, `side` ("long", "short"): words.
    - `notional`: at the mark, USD; `unrealised`: profit of the position, USD, zero where the file does not say.
    - `value`: of the holding, USD, shape `(holdings,)`; `total`: its notional over all assets, USD.
    - `set_leverage`: highest that the holding has set, infinite where the file does not say, shape `(holdings,)`.
    - `sample`: file and dates; `findings`: what the reader should know; `read_as`: what the file was taken for.
    """

    owner: np.ndarray
    holding: np.ndarray
    asset: np.ndarray
    side: np.ndarray
    notional: np.ndarray
    unrealised: np.ndarray
    value: np.ndarray
    total: np.ndarray
    set_leverage: np.ndarray
    sample: str
    findings: tuple[str, ...]
    read_as: str = ""


def read_accounts(path: str | Path, columns: dict[str, str] | None = None) -> AccountFile:
    """The accounts of a file of positions in any form of `docs/data.md`: a table, `clearinghouseState`, `fetch_positions`.

    **Arguments:** `columns`: the file's own names of `account`, `asset`, `side`, `account_value` (USD), `notional` (USD at the
    mark), `unrealised` (USD), `leverage` (as set), `snapshot`; the last three need not be there.

    A row that stands twice counts once, and rows of several snapshots are told apart by a column of time, both findings. Raises
    `ConfigError`, with all problems at once: also for two rows of one account, asset, side and snapshot with other numbers, and
    for an account that is worth several values at once. Holdings whose value is not above 0 are left out, which is a finding.
    """
    report = Report(str(path))
    known = dict(columns or {})
    for name in (name for name in known if name not in COLUMNS):
        report.add(
            f"columns.{name}", known[name], f"unknown column; has to be one of {', '.join(COLUMNS)}", nearest(name, COLUMNS)
        )
    wish = Wish(ACCOUNTS, {name: column for name, column in known.items() if name in COLUMNS}, key="--columns")
    table = read_table(Path(path), report, wish)
    if table is None:
        raise ConfigError(report.problems)
    table = settle(table, worth=True)
    rows = Rows(table, {name: name for name in COLUMNS if name in table.values})
    for name in NEEDED:
        if not rows.has(name):
            text = f"missing column; the file has {table.names()}{resembling(table.header, 'accounts')}"
            rows.note_missing(name, text, nearest(name, table.header))
    if report.problems:
        raise ConfigError(report.problems)
    owners = rows.words("account")
    rows.note("account", np.flatnonzero(owners == ""), "has to name the account")
    side = sides_of(table, rows.at("side"))
    notional = bounded(table, rows.at("notional"), at_least=0.0, unit="USD")
    value = bounded(table, rows.at("account_value"), unit="USD")
    unrealised = bounded(table, rows.at("unrealised"), unit="USD") if rows.has("unrealised") else np.zeros(len(rows))
    for name, column in (("notional", notional), ("account_value", value), ("unrealised", unrealised)):
        if rows.has(name):
            rows.note(name, np.flatnonzero(np.abs(column) > _MOST), f"is beyond reason: more than {_MOST:g} USD")
    findings: list[str] = []
    set_leverage = leverage_as_set(rows, findings) if rows.has("leverage") else np.full(len(rows), np.inf)
    snapshot = snapshots(rows, findings)
    if not table.bad:
        counts = once(rows, snapshot, side, findings)
        holding = numbered(np.array([f"{a}\n{b}" for a, b in zip(snapshot, owners, strict=True)], dtype=object))
        one_value(rows, holding, value, counts, snapshot)
    if report.problems:
        raise ConfigError(report.problems)
    if np.any(value[counts] < _LEAST):
        findings.append(
            f"{counted(np.count_nonzero(value[counts] < _LEAST), 'row', 'rows')} of accounts worth nothing or less left out"
        )
    if not rows.has("unrealised"):
        findings.append("has no column of unrealised profit: winners cannot be corrected for")
    elif not np.any(unrealised[counts]):
        findings.append(f"`{rows.table.name('unrealised')}` is 0 in every row: winners cannot be corrected for")
    kept = counts & (notional >= _LEAST) & (value >= _LEAST)
    if not np.any(kept):
        raise ConfigError([Problem(str(path), "", None, "has no position of an account that is worth anything")])
    by_row = (owners, holding, rows.words("asset"), side, notional, unrealised, value, set_leverage)
    found = _assembled(path, snapshot, findings, *(np.asarray(column)[kept] for column in by_row))
    return found._replace(read_as=table.read_as)


def _assembled(path, snapshot, findings, owners, holding, asset, side, notional, unrealised, value, set_leverage) -> AccountFile:
    """The columns by position and by holding."""
    holding = numbered(holding)
    _, first = np.unique(holding, return_index=True)
    total = np.bincount(holding, notional)
    highest = np.full(len(first), -np.inf)
    np.maximum.at(highest, holding, set_leverage)
    above = np.count_nonzero(total > highest * value[first])
    if 2 * above > len(first):
        findings.append(
            f"{above:,} of {len(first):,} accounts have more leverage than they set: is the column of leverage what was set? "
            "The correction of winners leaves them as they are"
        )
    times = sorted(set(snapshot.tolist()) - {""})
    dates = f", {len(times)} snapshots from {times[0][:10]} to {times[-1][:10]}" if times else ""
    return AccountFile(
        owner=numbered(owners),
        holding=holding,
        asset=asset,
        side=np.where(side == 0, "long", "short"),
        notional=notional,
        unrealised=unrealised,
        value=value[first],
        total=total,
        set_leverage=highest,
        sample=f"{stem(path)}{dates}",
        findings=tuple(findings),
    )


__all__ = ["COLUMNS", "AccountFile", "read_accounts"]

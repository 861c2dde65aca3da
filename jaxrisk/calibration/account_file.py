"""Snapshots of accounts, read and checked: a row a position, and beside it what its account is worth."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config.files import Reader, as_numbers
from ..config.holdings import bounded, sides_of
from ..config.problems import ConfigError, Report, nearest
from ..config.rows import Rows, numbered

ALIASES = {
    "account": ("address", "user"),
    "asset": ("coin", "symbol"),
    "side": (),
    "account_value": ("account_value_usd", "value"),
    "notional": ("notional_usd", "position_value"),
    "unrealised": ("unrealised_pnl_usd", "unrealized_pnl", "unrealised_pnl"),
    "leverage": ("set_leverage",),
    "snapshot": ("time",),
}
"""Our names of columns, and others by which they are found."""
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
    - `sample`: file and dates; `findings`: what the reader should know.
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


def read_accounts(path: str | Path, columns: dict[str, str] | None = None) -> AccountFile:
    """The accounts of a CSV (also .gz) or Parquet file of positions.

    **Arguments:** `columns`: the file's own names of `account`, `asset`, `side`, `account_value` (USD), `notional` (USD at the
    mark), `unrealised` (USD), `leverage` (as set), `snapshot`; the last three need not be there.

    Raises `ConfigError`, with all problems at once. Holdings whose value is not above 0 are left out, which is a finding.
    """
    report = Report(str(path))
    known = dict(columns or {})
    for name in known.keys() - ALIASES.keys():
        report.add(
            f"columns.{name}", known[name], f"unknown column; has to be one of {', '.join(ALIASES)}", nearest(name, ALIASES)
        )
    table = Reader(report, Path.cwd()).table(str(path), "", tuple(known[name] for name in known if name in ALIASES))
    if table is None:
        raise ConfigError(report.problems)
    for name, others in ALIASES.items():
        found = [one for one in (name, *others) if one in table.values]
        if name not in known and found:
            known[name] = found[0]
    rows = Rows(table, known)
    for name in NEEDED:
        if not rows.has(name):
            near = nearest(name, table.values)
            rows.note_missing(name, f"missing column; the file has {', '.join(table.values)}", near)
    if report.problems:
        raise ConfigError(report.problems)
    owners = rows.words("account")
    rows.note("account", np.flatnonzero(owners == ""), "has to name the account")
    side = sides_of(table, rows.at("side"))
    notional = bounded(table, rows.at("notional"), at_least=0.0, unit="USD")
    value = bounded(table, rows.at("account_value"), unit="USD")
    unrealised = bounded(table, rows.at("unrealised"), unit="USD") if rows.has("unrealised") else np.zeros(len(rows))
    set_leverage = as_numbers(table.values[rows.at("leverage")]) if rows.has("leverage") else np.full(len(rows), np.inf)
    for name, column in (("notional", notional), ("account_value", value), ("unrealised", unrealised)):
        if rows.has(name):
            rows.note(name, np.flatnonzero(np.abs(column) > _MOST), f"is beyond reason: more than {_MOST:g} USD")
    if report.problems:
        raise ConfigError(report.problems)
    snapshot = rows.words("snapshot") if rows.has("snapshot") else np.full(len(rows), "")
    return _assembled(Path(path), rows, owners, snapshot, side, notional, value, unrealised, set_leverage)


def _assembled(path, rows, owners, snapshot, side, notional, value, unrealised, set_leverage) -> AccountFile:
    """The columns by position and by holding, without what cannot be used."""
    kept = (notional >= _LEAST) & (value >= _LEAST)
    findings = []
    if np.any(value < _LEAST):
        findings.append(f"{np.count_nonzero(value < _LEAST):,} rows of accounts worth nothing or less are left out")
    if not rows.has("unrealised"):
        findings.append("has no column of unrealised profit: winners cannot be corrected for")
    if not np.any(kept):
        raise ConfigError([_nothing(path)])
    together = np.array([f"{a}\n{b}" for a, b in zip(snapshot[kept], owners[kept], strict=True)], dtype=object)
    holding = numbered(together)
    _, first = np.unique(holding, return_index=True)
    total = np.bincount(holding, notional[kept])
    highest = np.full(len(first), -np.inf)
    np.maximum.at(highest, holding, np.nan_to_num(set_leverage[kept], nan=np.inf))
    times = sorted(set(snapshot.tolist()) - {""})
    dates = f", {len(times)} snapshots from {times[0][:10]} to {times[-1][:10]}" if times else ""
    return AccountFile(
        owner=numbered(owners[kept]),
        holding=holding,
        asset=rows.words("asset")[kept],
        side=np.where(side[kept] == 0, "long", "short"),
        notional=notional[kept],
        unrealised=unrealised[kept],
        value=value[kept][first],
        total=total,
        set_leverage=highest,
        sample=f"{stem(path)}{dates}",
        findings=tuple(findings),
    )


def stem(path: str | Path) -> str:
    """A data file's name without folder and endings.

    >>> stem("a/b_1h.csv.gz")
    'b_1h'
    """
    name = Path(path).name
    for ending in (".gz", ".csv", ".parquet"):
        name = name.removesuffix(ending)
    return name


def _nothing(path):
    from ..config.problems import Problem

    return Problem(str(path), "", None, "has no position of an account that is worth anything")


__all__ = ["ALIASES", "AccountFile", "read_accounts", "stem"]

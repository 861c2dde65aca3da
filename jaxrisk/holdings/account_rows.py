"""Rows of a file of accounts that stand for the same thing: counted once, told apart by a snapshot, or refused."""

import re

import numpy as np

from ..data.columns import as_numbers
from ..data.repeats import LISTED, alone, left_out, numbered_together, repeats, times_of
from ..data.rows import Rows
from ..data.symbols import of_coin
from ..problems import listed

_WORTH = 1e-3
"""Relative: within this an account's value may differ between its rows, which are read one after the other."""
_MULTIPLE = re.compile(r"\s*[x\u00d7]?\s*([0-9.]+(?:e[+-]?\d+)?)\s*[x\u00d7]?\s*", re.IGNORECASE)
_UNKNOWN = ("", "nan", "none", "null", "n/a", "na", "-")
_HIGHEST = 1e4


def snapshots(rows: Rows, findings: list[str]) -> np.ndarray:
    """When each row is of, as text, empty where the file does not say: by the column that was named, or by the usual names."""
    if rows.has("snapshot"):
        return rows.words("snapshot")
    used = {rows.at(name) for name in rows.columns}
    found = [name for name in times_of(rows.table.values) if name not in used]
    if not found:
        return np.full(len(rows), "", dtype=object)
    columns = [np.array([str(item).strip() for item in rows.table.values[name]], dtype=object) for name in found]
    words = np.array([" ".join(parts) for parts in zip(*columns, strict=True)], dtype=object)
    _, counts = np.unique(words.astype(str), return_counts=True)
    owner = numbered_together(rows.words("account"))
    if len(counts) > 1 and alone(counts) and len(owner) > len(np.unique(owner)):
        text = (
            "is not the same in two rows for more than half of them: is it when a snapshot was taken? Say so with "
            f"--columns snapshot={found[0]}, name the column that does, or leave it out"
        )
        rows.table.report.add_in(rows.table.file, found[0], None, text, missing=True)
        rows.table.bad.add(found[0])
    if len(counts) > 1 and found != ["snapshot"]:
        said = " and ".join(f"`{name}`" for name in found)
        findings.append(f"{said} {'tell' if len(found) > 1 else 'tells'} {len(counts)} snapshots apart")
    return words


def once(rows: Rows, snapshot: np.ndarray, side: np.ndarray, findings: list[str]) -> np.ndarray:
    """Whether a row counts: one that stands twice counts once, which is a finding; with other numbers it is a problem."""
    owner, asset = rows.words("account"), rows.words("asset")
    found = repeats(rows.table, owner, asset, side, snapshot)
    same = found.same
    kept = np.ones(len(rows), dtype=bool)
    kept[found.rows[same]] = False
    if np.any(same):
        findings.append(left_out(rows.table, found.rows[same]))
    if not np.all(same):
        others = found.rows[~same]
        where = rows.table.where(int(found.first[~same][0]), int(others[0]))
        at = ", at the same time" if np.any(snapshot != "") else ""
        text = f"has the same asset and side in {where}{at}, and differs from it in {', '.join(found.columns(~same)[:LISTED])}: "
        rows.note("account", others, text + _remedy(rows, kept, owner, asset, side, snapshot))
    return kept


def one_value(rows: Rows, holding: np.ndarray, value: np.ndarray, kept: np.ndarray, snapshot: np.ndarray) -> None:
    """What an account is worth has to be the same in all rows of its snapshot."""
    _, first = np.unique(holding, return_index=True)
    before = first[holding]
    differ = np.flatnonzero(kept & (np.abs(value - value[before]) > _WORTH * np.abs(value[before])))
    if len(differ):
        where = f"{rows.table.where(int(before[differ[0]]), int(differ[0]))} it is {value[before[differ[0]]]:.12g}"
        text = f"has to be the same in all rows of an account, its own and at one time; in {where}: "
        rows.note("account_value", differ, text + _remedy(rows, kept, holding, rows.words("asset"), snapshot))


def _remedy(rows: Rows, kept: np.ndarray, *labels: np.ndarray) -> str:
    """What would tell rows apart that are in conflict."""
    used = {rows.at(name) for name in rows.columns}
    several = lambda cells: 1 < len(np.unique(cells)) <= len(cells) // 2
    for name, column in rows.table.values.items():
        if name in used:
            continue
        cells = np.array([str(item) for item in column[kept]])
        if several(cells) and len(np.unique(numbered_together(cells, *(label[kept] for label in labels)))) == len(cells):
            own = rows.table.name(name)
            return f"where they are of several snapshots, which {own} tells apart, say --columns snapshot={own}"
    return "a position is one row; where they are of several snapshots, say which column tells: --columns snapshot=COLUMN"


def leverage_as_set(rows: Rows, findings: list[str]) -> np.ndarray:
    """The leverage that was set, `10` or `10x`, infinite where a row does not say, which is a finding."""
    cells = rows.words("leverage")
    unknown = np.array([cell.lower() in _UNKNOWN for cell in cells], dtype=bool)
    plain = as_numbers(cells)
    matched = [None if unknown[i] or np.isfinite(plain[i]) else _MULTIPLE.fullmatch(cell) for i, cell in enumerate(cells)]
    multiples = np.array([match is not None for match in matched], dtype=bool)
    plain[multiples] = as_numbers(np.array([match[1] for match in matched if match], dtype=object))
    with np.errstate(invalid="ignore"):
        wrong = ~unknown & ~((plain >= 1.0) & (plain <= _HIGHEST))
    rows.note(
        "leverage",
        np.flatnonzero(wrong),
        f"has to be the leverage that was set, from 1 to {_HIGHEST:g}, as 10 or 10x; leave it empty where it is not known",
    )
    if np.any(multiples):
        cell = cells[np.flatnonzero(multiples)[0]]
        findings.append(f"`{rows.table.name('leverage')}` is written as {cell}: read as {plain[np.flatnonzero(multiples)[0]]:g}")
    if np.any(unknown):
        findings.append(
            f"{np.count_nonzero(unknown):,} of {len(rows):,} rows do not say what leverage was set: nothing holds the correction "
            "of their winners back"
        )
    return np.where(unknown, np.inf, plain)


def match_asset(assets: np.ndarray, asset: str) -> tuple[np.ndarray, str, str]:
    """The assets of a file with the one name put in that is wanted; what was done about it; and why it is not there.

    A contract's name counts as its coin where it is the only one of that coin. Of several none does.

    >>> match_asset(np.array(["BTCUSDT", "ETHUSDT"]), "BTC")[1]
    'BTCUSDT is taken as BTC'
    """
    names = list(dict.fromkeys(assets.tolist()))
    alike = [name for name in of_coin(asset, names) if name != asset]
    if asset in names:
        stand = "stands beside {} and is" if len(alike) == 1 else "stand beside {} and are"
        others = f"{' and '.join(alike)} {stand.format(asset)} not taken as it" if alike else ""
        return assets, others, ""
    if len(alike) == 1:
        return np.where(assets == alike[0], asset, assets), f"{alike[0]} is taken as {asset}", ""
    several = f"{' and '.join(alike)} may each be meant; name the one {asset}" if alike else f"it has {listed(names)}"
    return assets, "", f"the file of accounts has no {asset}: {several}"


__all__ = ["leverage_as_set", "match_asset", "once", "one_value", "snapshots"]

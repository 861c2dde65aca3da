"""`jaxrisk import`: read somebody else's file, say what it was taken for, and write ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..problems import counted
from .asked import Asked, folder_of
from .columns import column_maps
from .exit_codes import NOT_WRITTEN, OK, complain
from .import_arguments import KINDS, Import

_WORDS = {"tiers": "tiers", "prices": "prices", "open-interest": "open_interest", "funding": "funding", "accounts": "accounts"}
_TABLES = (".csv", ".parquet")


def import_file(command: Import, wrong: list[str]) -> int:
    """`jaxrisk import`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..config import ConfigError

    asked = Asked(wrong)
    kind = asked.choice("KIND", command.kind, KINDS)
    if kind not in KINDS:
        return complain(asked.problems)
    endings = (".toml",) if kind == "tiers" else _TABLES
    asked.inputs.append(command.file)
    columns = column_maps(command.columns, {_WORDS[kind]: command.file}, asked)[_WORDS[kind]]
    for option, value in (("--symbol", command.symbol), ("--tier-rule", command.tier_rule), ("--price", command.price),
                          ("--contract", command.contract)):  # fmt: skip
        if value and kind != "tiers":
            asked.wrong(option, value if isinstance(value, str) else " ".join(value), "goes with tiers")
    if kind in ("tiers", "accounts"):
        for option, given in (("--zone", command.zone != "UTC"), ("--day-first", command.day_first)):
            if given:
                asked.wrong(option, command.zone if option == "--zone" else None, "goes with prices, open-interest and funding")
    work = None
    try:
        work = _WORK[kind](command, columns, asked)
    except ConfigError as error:
        asked.problems += error.problems
    asked.file("--out", command.out, endings, command.force)
    if asked.problems or work is None:
        return complain(asked.problems)
    lines, write = work
    for line in lines:
        print(line)
    if command.out is None:
        return OK
    try:
        folder_of(command.out)
        write(command.out)
    except OSError as error:
        complain([f"{command.out}: cannot be written: {error.strerror or error}"])
        return NOT_WRITTEN
    print(f"{kind}: {command.out}")
    return OK


Work = tuple[list[str], Callable[[Path], Any]]


def _tiers(command: Import, columns: dict[str, str], asked: Asked) -> Work | None:
    from ..data.tier_schedule import TIER_RULES
    from ..storage.outputs import write_whole
    from .import_tiers import import_tiers

    if command.tier_rule is not None:
        asked.choice("--tier-rule", command.tier_rule, TIER_RULES)
    sizes = [_above_zero(option, text, asked) for option, text in (("--price", command.price), ("--contract", command.contract))]
    name = command.out.stem if command.out is not None else "my_venue"
    found = import_tiers(command.file, command.symbol, command.tier_rule, columns, *sizes, name=name)
    return found.lines, lambda path: write_whole(path, found.text)


def _above_zero(option: str, text: str | None, asked: Asked) -> float | None:
    return None if text is None else asked.number(option, text, 0.0, 1e15, "has to be a number above 0")


def _prices(command: Import, columns: dict[str, str], asked: Asked) -> Work:
    from ..data.price_file import read_price_file

    found = read_price_file(command.file, zone=command.zone, columns=columns, day_first=command.day_first)
    first, last = found.closes()[0][[0, -1]]
    lines = [f"{command.file}: {finding}" for finding in found.findings]
    lines.append(f"{command.file}: {counted(len(found.time), 'bar', 'bars')} of {found.step} s, closing {first}Z to {last}Z")
    bars = {name: getattr(found, name) for name in ("open", "high", "low", "close", "volume")}
    return lines, lambda path: _write(path, {"time": found.time, **bars})


def _interest(command: Import, columns: dict[str, str], asked: Asked) -> Work:
    from ..data.open_interest import read_history

    found = read_history(command.file, columns=columns, zone=command.zone, day_first=command.day_first)
    lines = [f"{command.file}: {finding}" for finding in found.findings]
    lines.append(
        f"{command.file}: {counted(len(found.coins), 'row', 'rows')}"
        + (f", {found.time[0]}Z to {found.time[-1]}Z" if len(found.coins) else "")
    )
    return lines, lambda path: _write(path, {"time": found.time, "open_interest": found.coins})


def _funding(command: Import, columns: dict[str, str], asked: Asked) -> Work:
    from ..data.funding import read_funding

    found = read_funding(command.file, columns=columns, zone=command.zone, day_first=command.day_first)
    lines = [f"{command.file}: {finding}" for finding in (*found.findings, found.sample, found.words())]
    cells = {"time": found.time, "funding_rate": found.rate, "funding_interval_hours": found.hours}
    return lines, lambda path: _write(path, cells)


def _accounts(command: Import, columns: dict[str, str], asked: Asked) -> Work:
    import numpy as np

    from ..data.names import ACCOUNTS
    from ..data.read import Wish, read_table, resembling
    from ..data.repeats import times_of
    from ..data.rows import bounded, sides_of
    from ..holdings.account_file import COLUMNS, NEEDED, read_accounts
    from ..holdings.positions import settle
    from ..problems import ConfigError, Report, nearest

    report = Report(str(command.file))
    table = read_table(command.file, report, Wish(ACCOUNTS, columns, ("asset",), key="--columns"))
    if table is None:
        raise ConfigError(report.problems)
    table = settle(table, worth=True)
    if not {"quantity", "notional"} & set(table.values):
        other = resembling(table.header, "accounts")
        text = f"missing column; needs it or notional, the file has {table.names()}{other}"
        report.add_in(table.file, "quantity", None, text, nearest("quantity", table.header), missing=True)
    if "side" in table.values:
        sides_of(table)
    for name in ("quantity", "notional", "entry_price"):
        if name in table.values:
            bounded(table, name, at_least=0.0, unit="the side says which way")
    if report.problems:
        raise ConfigError(list(dict.fromkeys(report.problems)))
    doubts = ()
    if {*NEEDED} <= set(table.values):  # what `calibrate` makes of it
        doubts = read_accounts(command.file, {ours: own for ours, own in columns.items() if ours in COLUMNS}).findings
    used = {table.name(name) for name in ACCOUNTS.others if name in table.values}
    times = [name for name in times_of(table.values) if name not in used]
    if "snapshot" not in table.values and len(times) == 1:
        table.values["snapshot"] = table.values[times[0]]
        table.said.append(f"snapshot is {times[0]}")
    names = [name for name in ACCOUNTS.others if name in table.values]
    lines = [f"{table.file}: {line}" for line in ([table.read_as] if table.said else [])]
    lines.append(f"{table.file}: {len(table):,} positions with {', '.join(names)}")
    lines += [f"{table.file}: {doubt}" for doubt in doubts]
    cells = {name: table.values[name] for name in names}
    for name in ("quantity", "entry_price", "account_value", "notional", "unrealised", "collateral"):
        if name in cells and np.all(np.isfinite(numbers := table.as_numbers(name))):
            cells[name] = numbers
    return lines, lambda path: _write(path, cells)


_WORK: dict[str, Callable[[Import, dict[str, str], Asked], Work | None]] = {
    "tiers": _tiers,
    "prices": _prices,
    "open-interest": _interest,
    "funding": _funding,
    "accounts": _accounts,
}


def _write(path: Path, columns: dict[str, Any]) -> None:
    """A table of our own names: times as UTC, in ISO form in a text."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv, parquet

    text = path.suffix.lower() == ".csv"
    arrays = {}
    for name, column in columns.items():
        if np.issubdtype(column.dtype, np.datetime64):
            arrays[name] = (
                pa.array([f"{moment}Z" for moment in column]) if text else pa.array(column).cast(pa.timestamp("s", "UTC"))
            )
        elif column.dtype == object:
            arrays[name] = pa.array([None if cell is None else str(cell) for cell in column])
        elif not (name == "volume" and np.all(np.isnan(column))):
            arrays[name] = pa.array(column)
    table = pa.table(arrays)
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed")) if text else parquet.write_table(table, path)


__all__ = ["import_file"]

"""`jaxrisk calibrate`: check all that is asked, read the data, fit, show, write."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .arguments import overrides_of
from .asked import Asked, folder_of
from .calibrate_events import events_of
from .calibration_arguments import PROCESSES, SIMULATED, Calibrate
from .columns import column_maps
from .exit_codes import NOT_IDENTIFIED, NOT_WRITTEN, OK, complain, doubtful
from .signals import keep


def calibrate(command: Calibrate, wrong: list[str]) -> int:
    """`jaxrisk calibrate`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    work = _read(command, asked, overrides)
    if asked.problems:
        return complain(asked.problems)
    from ..calibration.report import sections
    from ..config import ConfigError, doubts
    from ..storage.durable import OutputError

    try:
        found = work()
    except ConfigError as error:
        return complain(error.problems)
    keep()
    wrong_after, unwritten = [], []
    try:
        folder_of(found.path)
        wrong_after = found.write(_header(found))
        if command.report is not None:
            folder_of(command.report)
            _write_report(found, command.report)
    except OSError as error:
        unwritten = [error if isinstance(error, OutputError) else _words(error)]
    _show(sections(found)[:-1])  # what is still assumed is in the file
    if unwritten:
        complain(unwritten)
        return NOT_WRITTEN
    print(f"scenario: {found.path}")
    if command.report is not None:
        print(f"report: {command.report}")
    sys.stdout.flush()
    if wrong_after:
        return complain(wrong_after)
    doubtful(doubts(found.path))
    if found.problems:
        complain(found.problems)
        return NOT_IDENTIFIED
    return OK


def _write_report(found: Any, path: Path) -> None:
    """Write the report: a page where the file's name ends in .html, else Markdown."""
    from ..calibration.report import markdown, sections
    from ..page import html
    from ..page.calibration_page import page
    from ..storage.outputs import write_whole

    write_whole(path, html([page(found, sections(found))]) if path.suffix.lower() == ".html" else markdown(found))


def _words(error: OSError) -> str:
    return f"{error.filename2 or error.filename or 'output'}: cannot be written: {error.strerror or error}"


def _read(command: Calibrate, asked: Asked, overrides: dict[str, Any]) -> Callable[[], Any]:
    """Everything that the command names, read and checked; what then has to be done."""
    from ..calibration.accounts.bias import parse_bias
    from ..calibration.run import names, rows_path
    from ..data.funding import read_funding
    from ..data.open_interest import read_open_interest
    from ..data.price_file import read_price_file
    from ..holdings.account_file import read_accounts

    out = command.out if command.out is not None else Path("calibrated.toml")
    asked.choice("--process", command.process, PROCESSES)
    replications = asked.count("--replications", command.replications, 2)
    bias, unknown = parse_bias(command.bias or ("winners",))
    for word, allowed in unknown:
        asked.wrong("--bias", word, allowed, _near_bias(word))
    if command.bias and command.accounts is None:
        asked.wrong("--bias", " ".join(command.bias), "needs --accounts: it is the accounts that are corrected")
    maps = column_maps(command.columns, _given(command), asked)
    prices = None
    if command.prices is None:
        asked.wrong(
            "--prices", None, "missing; needs a file of bars with the columns time and close, and open, high, low, volume"
        )
    else:
        prices = _tried(
            asked, lambda: read_price_file(command.prices, zone=command.zone, columns=maps["prices"], day_first=command.day_first)
        )
    prices = prices and _cut(command, asked, prices)
    accounts = command.accounts and _tried(asked, lambda: read_accounts(command.accounts, maps["accounts"]))
    more = {"columns": maps["open_interest"], "zone": command.zone, "day_first": command.day_first}
    interest = command.open_interest and _tried(asked, lambda: read_open_interest(command.open_interest, **more))
    funding = command.funding and _tried(asked, lambda: read_funding(command.funding, **more | {"columns": maps["funding"]}))
    base = _tried(asked, lambda: _base(command, overrides, maps["tiers"]))
    if base is not None and command.funding is not None and (book := base.document["run"].get("book", "ladder")) == "ladder":
        text = (
            f'needs a base whose run.book is "account" or "flow", in which funding is paid; that of {base.file.stem} is "{book}"'
        )
        asked.wrong("--funding", str(command.funding), f"{text}: --base leverage_cycle_90d, or --set run.book=account")
    if command.feedback:
        _with_feedback(command, base, asked)
    events = events_of(command, asked)
    asked.file("--out", out, (".toml",), command.force)
    if command.process == "bootstrap":
        asked.file("--out", rows_path(out), (".csv",), command.force, lambda rows: names(out, rows))
    asked.file("--report", command.report, (".md", ".html"), command.force)

    def work():
        from ..batch import use_compilation_cache
        from ..calibration.run import calibrate as measure

        if command.process == SIMULATED:
            use_compilation_cache()
        return measure(
            prices,
            command.process,
            base=command.base,
            asset=command.asset,
            accounts=accounts or None,
            bias=bias,
            open_interest=interest or None,
            funding=funding or None,
            tiers=command.tiers,
            tier_columns=maps["tiers"],
            events=events() if events is not None else None,
            overrides=overrides,
            out=out,
            replications=replications or 200,
            feedback=command.feedback,
            told=_told,
        )

    return work


def _with_feedback(command: Calibrate, base: Any, asked: Asked) -> None:
    """What impact can be fitted with, and in."""
    if command.process != SIMULATED:
        asked.wrong("--feedback", command.process, f"needs --process {SIMULATED}: impact is fitted together with that law")
    if command.events:
        asked.wrong("--feedback", "and --events", "both fit impact; one of the two")
    impact = (base and base.document.get("impact")) or {}
    if base is not None and (len(base.document["assets"]) > 1 or impact.get("law") != "power"):
        text = 'needs a base of one asset with impact.law = "power", whose coefficients are fitted'
        asked.wrong("--feedback", base.file.stem, text)


def _told(line: str) -> None:
    """A line on a fit that takes minutes."""
    print(line, file=sys.stderr, flush=True)


def _tried(asked: Asked, read: Callable[[], Any]) -> Any:
    """What a reader returns, None with its problems noted."""
    from ..config import ConfigError

    try:
        return read()
    except ConfigError as error:
        asked.problems += error.problems
        return None


def _given(command: Calibrate) -> dict[str, Any]:
    """The files that columns may be named of, by kind."""
    from ..data.containers import is_pattern
    from ..paths import exists

    file = lambda text: text if text is not None and (exists(Path(text)) or is_pattern(Path(text).name)) else None
    return {"prices": command.prices, "open_interest": file(command.open_interest), "funding": command.funding,
            "accounts": command.accounts, "tiers": file(command.tiers)}  # fmt: skip


def _base(command: Calibrate, overrides: dict[str, Any], columns: dict[str, str]) -> Any:
    """The base, its asset and the tiers, before anything is fitted."""
    from ..calibration.base import base_of

    return base_of(command.base, overrides, Path("calibrated.toml"), command.asset, command.tiers, columns)


def _cut(command: Calibrate, asked: Asked, prices: Any) -> Any:
    """The part of the prices that is asked for."""
    from ..data.price_file import moment

    bounds = []
    for option, text in (("--start", command.start), ("--end", command.end)):
        try:
            bounds.append(None if text is None else moment(text))
        except (ValueError, TypeError):
            asked.wrong(option, text, "has to be a date and time such as 2024-08-05T00:00:00Z")
            return None
    cut = prices.between(*bounds)
    if len(cut.time) < 3:
        asked.wrong("--start", command.start, f"leaves {len(cut.time)} bars up to --end; at least 3 are needed")
        return None
    return cut


def _near_bias(word: str) -> str | None:
    from ..calibration.accounts.bias import NAMES
    from ..problems import nearest

    name = word.partition("=")[0]
    return None if name in NAMES else nearest(name, NAMES)


def _header(found: Any) -> list[str]:
    from . import version

    return [f"Written by jaxrisk {version()} calibrate from {found.law.sample}, on the base of {found.base}."]


def _show(parts: list[Any]) -> None:
    """The report as plain text: tables in columns."""
    from ..storage.narrow import narrow

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for part in parts:
        print(f"\n{part.title}")
        for line in part.text:
            print(f"  {line}")
        if not part.rows:
            continue
        table = [part.header, *part.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(part.header))]
        right = [i > 0 and all(not row[i] or row[i][0] in "+-0123456789" for row in part.rows) for i in range(len(part.header))]
        if width is not None and sum(widths) + 2 * len(widths) > width:
            align = "".join("r" if one else "l" for one in right)
            print("\n".join(f"  {line}" for line in narrow(part.header, align, part.rows, width - 2)))
            continue
        for row in table:
            cells = [cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)]
            print("  " + "  ".join(cells).rstrip())
    print()

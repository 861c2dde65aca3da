"""`jaxrisk backtest --days`: read the prices, forecast every day, score, show, write."""

import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .asked import PLOTS, Asked, folder_of
from .backtest_arguments import Backtest
from .columns import column_maps
from .exit_codes import INTERRUPTED, NOT_WRITTEN, OK, complain
from .progress import Progress, show, unwritable
from .writing import write_all

_TABLES = (".csv", ".json")
_PATHS, _SEED, _SCENARIO = 5000, 1, "btc_any_day"
_LONGEST = 30
_LEAST_PATHS, _MOST_PATHS = 1000, 10**6


def backtest_days(command: Backtest, wrong: list[str]) -> int:
    """`jaxrisk backtest --days`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    asked = Asked(wrong)
    if command.events:
        asked.wrong("EVENT", " ".join(command.events), "does not go with --days: events or days")
    if command.parameters is not None:
        asked.wrong("--parameters", str(command.parameters), "goes with events; with --days numbers are fitted, see --fits")
    if command.in_sample:
        asked.wrong("--in-sample", None, "goes with events")
    paths = asked.count("--paths", command.paths, _LEAST_PATHS) or _PATHS
    if paths > _MOST_PATHS:
        asked.wrong("--paths", command.paths, f"has to be at most {_MOST_PATHS:,}, of each day")
    if command.alarms and command.open_interest is not None:
        asked.wrong(
            "--open-interest", str(command.open_interest), "does not go with --alarms: it is known at the end of days only"
        )
    seed = asked.count("--seed", command.seed, 0)
    span, horizons = _span(command.days, asked), _horizons(command.horizons, asked)
    maps = column_maps(command.columns, {"prices": command.prices, "open_interest": command.open_interest}, asked)
    bars, name = _bars(command, maps["prices"], asked)
    coins = _coins(command, maps["open_interest"], asked)
    scenario = _scenario(command.scenario or _SCENARIO, asked)
    if bars is not None and span is not None:
        _long_enough(bars, span, horizons, command.alarms, asked)
    asked.file("--out", command.out, _TABLES, command.force)
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(command.out, command.plot)
    kept = None
    if bars is not None and scenario is not None and span is not None:
        kept = _fits(command, asked, bars, scenario, name, span[0])
    if asked.problems or span is None or bars is None or kept is None:
        return complain(asked.problems)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for path in (command.out, command.plot, kept.path):
        if path is not None:
            folder_of(path)
    return _work(command, bars, scenario, span, horizons, coins, paths, _SEED if seed is None else seed, kept, name)


def _span(text: str | None, asked: Asked) -> tuple[np.datetime64, np.datetime64] | None:
    first, dots, last = (text or "").partition("..")
    try:
        days = np.datetime64(first.strip(), "D"), np.datetime64(last.strip(), "D")
    except ValueError:
        days = None
    known = days is not None and not np.isnat(days[0]) and not np.isnat(days[1])
    if days is None or not dots or not known or max(days).astype("datetime64[Y]") > np.datetime64("2200"):
        asked.wrong("--days", text, "has to be two days, FROM..TO, as 2021-01-01..2023-12-31")
        return None
    if days[0] > days[1]:
        asked.wrong("--days", text, "the first day has to come before the last")
        return None
    return days


def _horizons(text: str | None, asked: Asked) -> tuple[int, ...]:
    found = []
    for word in (text or "1").split(","):
        if not (word.strip().isdecimal() and len(word) < 9 and 1 <= int(word) <= _LONGEST):
            asked.wrong("--horizons", text, f"has to be whole days from 1 to {_LONGEST}, as 1,5,10")
            return (1,)
        found.append(int(word))
    return tuple(dict.fromkeys(found))


def _bars(command: Backtest, columns: dict[str, str], asked: Asked) -> tuple[Any, str]:
    from ..calibration.indirect.bars import day_bars
    from ..config import ConfigError
    from ..data.price_file import read_price_file

    if command.prices is None:
        asked.wrong("--prices", None, "missing; a file of bars that divide an hour is needed")
        return None, ""
    try:
        file = read_price_file(command.prices, zone=command.zone, columns=columns, day_first=command.day_first)
        if np.all(file.high == file.low):
            asked.wrong("--prices", str(command.prices), "has no bar with a high and a low; falls within an hour are not in it")
        for finding in file.findings:
            print(finding, file=sys.stderr)
        return day_bars(file), Path(command.prices).name
    except ConfigError as error:
        asked.problems += error.problems
    except ValueError as error:
        asked.wrong("--prices", str(command.prices), str(error).partition(": ")[2] or str(error))
    return None, ""


def _coins(command: Backtest, columns: dict[str, str], asked: Asked) -> Any:
    from ..config import ConfigError
    from ..data.open_interest import read_daily

    if command.open_interest is None:
        return None
    try:
        findings: list[str] = []
        how = {"columns": columns, "zone": command.zone, "day_first": command.day_first}
        found = read_daily(command.open_interest, **how, findings=findings)
        for finding in findings:
            print(finding, file=sys.stderr)
        return found
    except ConfigError as error:
        asked.problems += error.problems
        return None


def _scenario(name: str, asked: Asked) -> Any:
    from ..cascade import PowerImpact
    from ..config import ConfigError, load

    try:
        scenario = load(name)
    except ConfigError as error:
        asked.problems += error.problems
        return None
    if len(scenario.names.assets) != 1 or not isinstance(scenario.impact.law, PowerImpact):
        asked.wrong("--scenario", name, 'has to have one asset and impact of the law "power", whose coefficients are fitted')
        return None
    return scenario


def _long_enough(bars: Any, span: tuple, horizons: tuple[int, ...], alarms: bool, asked: Asked) -> None:
    from ..backtest.days.periods import after_alarms, periods
    from ..calibration.indirect.moments import kinds

    begin = bars.dates[0] if len(bars.close) else None
    try:
        kinds(bars.between(None, span[0]))
    except ValueError as error:
        asked.wrong("--days", f"{span[0]}..{span[1]}", f"too early for prices that begin on {begin}: {error}")
        return
    find, what = (after_alarms, "alarm with whole hours after it") if alarms else (periods, "whole day")
    for days in horizons:
        if not len(find(bars, *span, days).start):
            text = f"the prices, {begin} to {bars.dates[-1]}, have no {what} in it" + f" for {days} days" * (days > 1)
            asked.wrong("--days", f"{span[0]}..{span[1]}", text)


def _fits(command: Backtest, asked: Asked, bars: Any, scenario: Any, name: str, first: Any) -> Any:
    from ..backtest.days.engine import SETTINGS, Fits, FitsError
    from ..config import Problem
    from ..storage.recognise import is_ours

    path = command.fits
    if path is None and command.out is not None:
        path = command.out.with_suffix(".fits.json")
    if path is not None and path.suffix.lower() != ".json":
        asked.wrong("--fits", str(path), "has to end in .json")
        return None
    if path is not None and path.exists() and not (path.is_file() and is_ours(path)):
        asked.problems.append(Problem(str(path), "", None, "is not a file of fits that jaxrisk backtest --days wrote"))
        return None
    if path is not None:
        for option, other in (("--out", command.out), ("--plot", command.plot)):
            if other is not None and other.absolute() == path.absolute():
                asked.wrong("--fits", str(path), f"is the file that {option} names")
        if problem := unwritable(path, True, "--fits", asked.inputs):
            asked.problems.append(Problem(str(path), "", None, problem))
    text = f"{scenario.description.source_text} {SETTINGS}"
    check = zlib.crc32(np.stack(bars[1:]).tobytes(), zlib.crc32(text.encode()))
    data = (
        f"{name}, {len(bars.close):,} days from {bars.dates[0]}, fitted from {first} on, scenario {scenario.description.name}, "
        f"checksum {check:08x}"
    )
    try:
        return Fits(path, data)
    except FitsError as error:
        asked.problems.append(Problem(str(path), "", None, str(error)))
        return None


def _work(command: Backtest, bars, scenario, span, horizons, coins, paths: int, seed: int, kept, name: str) -> int:
    from ..backtest.days.run import backtest_days as run
    from ..batch import use_compilation_cache

    use_compilation_cache()
    code = OK
    with Progress(sys.stderr, "forecasts") as progress:

        def told(text: str) -> None:
            if progress.bar is not None:
                progress.bar.update(progress.task, description=text)
            else:
                print(text, file=sys.stderr, flush=True)

        try:
            found = run(
                bars, scenario, *span, horizons=horizons, coins=coins, paths=paths, seed=seed, fits=kept, data=name,
                progress=progress, told=told, alarms=command.alarms,
            )  # fmt: skip
        except KeyboardInterrupt as stop:
            found, code = getattr(stop, "result", None), INTERRUPTED
            if found is not None:
                found = replace(found, notes=("INTERRUPTED: only what was finished until then.", *found.notes))
    if kept.path is not None and kept.found:
        print(f"fits: {kept.path}", file=sys.stderr)
    if found is None:
        print("interrupted; no forecast was finished", file=sys.stderr)
        return INTERRUPTED
    summary = found.summary()
    show(summary, sys.stdout)
    return code if _written(command, found, summary) else NOT_WRITTEN


def _written(command: Backtest, found: Any, summary: Any) -> bool:
    from ..storage.outputs import save_figure
    from ..storage.study_files import write

    def draw(path: Path) -> None:
        from ..backtest.days.plot import calibration

        save_figure(calibration(found), path)

    return write_all([("result", command.out, lambda path: write(summary, path)), ("plot", command.plot, draw)])


__all__ = ["backtest_days"]

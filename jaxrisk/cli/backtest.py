"""`jaxrisk backtest`: read the events, forecast, score, show, write."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from .asked import PLOTS, Asked, folder_of
from .backtest_arguments import Backtest
from .exit_codes import INTERRUPTED, NOT_WRITTEN, OK, complain
from .progress import Progress, show
from .writing import write_all

_TABLES = (".csv", ".json")
_PATHS, _SEED = 10_000, 1


def backtest(command: Backtest, wrong: list[str]) -> int:
    """`jaxrisk backtest`; the exit code. Days have a file of their own.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    if command.days is not None:
        from .backtest_days import backtest_days

        return backtest_days(command, wrong)
    asked = Asked(wrong)
    for option in ("prices", "open_interest", "horizons", "scenario", "fits"):
        if getattr(command, option) is not None:
            asked.wrong(f"--{option.replace('_', '-')}", None, "goes with --days FROM..TO")
    if command.alarms:
        asked.wrong("--alarms", None, "goes with --days FROM..TO")
    paths = asked.count("--paths", command.paths, 100) or _PATHS
    seed = asked.count("--seed", command.seed, 0)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    events = _events(command, asked)
    parameters = _parameters(command, asked, events)
    asked.file("--out", command.out, _TABLES, command.force)
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(command.out, command.plot)
    if asked.problems:
        return complain(asked.problems)
    for path in (command.out, command.plot):
        if path is not None:
            folder_of(path)
    return _work(command, events, parameters, paths, _SEED if seed is None else seed)


def _events(command: Backtest, asked: Asked) -> list[Any]:
    """The events, every problem noted."""
    from ..backtest.events.event import read_event
    from ..config import ConfigError
    from ..paths import is_folder

    if not command.events:
        asked.wrong("EVENT", None, "missing; an event file, or the name of a shipped event such as 2024-08-05, is needed")
    if not is_folder(command.data):
        asked.wrong("--data", str(command.data), "is not a folder")
        return []
    events: dict[str, Any] = {}
    for name in command.events:
        try:
            event = read_event(name, command.data)
        except ConfigError as error:
            asked.problems += [problem for problem in error.problems if problem not in asked.problems]
            continue
        asked.problems += _unusable(event)
        if event.name in events:
            asked.wrong("EVENT", name, f"has the name {event.name}, which another event has")
        events[event.name] = event
    return list(events.values())


def _unusable(event: Any) -> list[Any]:
    """What keeps the engine from a forecast of an event: the scenario it names, or too little history."""
    from ..backtest.events.setting import scenario_of
    from ..backtest.known import hourly
    from ..calibration.laws.volatility import fit_daily_law
    from ..config import ConfigError, Problem

    found: list[Any] = []
    try:
        scenario_of(event, 3600)
    except ConfigError as error:
        found += error.problems
    except ValueError as error:
        found.append(Problem(event.file, "scenario", event.scenario, str(error)))
    try:
        history = hourly(event.history)
        fit_daily_law(history, event.start).forecast(history, event.start)
    except ValueError as error:
        found.append(Problem(event.file, "prices.history", None, str(error)))
    return found


def _parameters(command: Backtest, asked: Asked, events: list[Any]) -> dict[str, Any]:
    """What the engine is run with, by event: the file's, or the shipped numbers that were fitted without the event."""
    from ..backtest.events.parameters import read_fitted
    from ..config import ConfigError

    found = {}
    for event in events:
        try:
            found[event.name] = fitted = read_fitted(command.parameters, without=event)
        except ConfigError as error:
            asked.problems += error.problems
            break
        if fitted.has_seen(event) and not command.in_sample:
            text = (
                "the numbers were fitted on this event, or on one at its time; fit without it, or score it all the same with "
                "--in-sample"
            )
            asked.wrong("--parameters", event.name, text)
    return found


def _training(command: Backtest, events: list[Any]) -> list[Any]:
    """Shipped events that the data folder has the prices of and that overlap none that is scored, for the regression."""
    from ..backtest.events.event import overlaps, read_event, shipped_events
    from ..config import ConfigError

    found = []
    for name in shipped_events():
        if name not in {event.name for event in events}:
            try:
                shipped = read_event(name, command.data)
            except ConfigError:
                continue
            if not any(overlaps(shipped, event) for event in events):
                found.append(shipped)
    return found


def _work(command: Backtest, events: list[Any], fitted: dict[str, Any], paths: int, seed: int) -> int:
    from ..backtest.events.forecast import forecast
    from ..backtest.events.run import backtest as run
    from ..batch import use_compilation_cache

    use_compilation_cache()

    def engine(event, kind, feedback, refitted):
        return forecast(event, fitted[event.name], kind=kind, paths=paths, seed=seed, feedback=feedback, refitted=refitted)

    try:
        with Progress(sys.stderr, "forecasts") as progress:
            found = run(events, engine, _training(command, events), paths, seed, progress)
    except KeyboardInterrupt:
        print("interrupted; nothing was finished", file=sys.stderr)
        return INTERRUPTED
    inside = [event.name for event in events if fitted[event.name].has_seen(event)]
    said = dict.fromkeys(text for event in events for text in event.findings)
    notes = [f"IN SAMPLE: the numbers were fitted on {', '.join(inside)}."] if inside else []
    summary = replace(found, notes=(*notes, *found.notes, *said)).summary()
    show(summary, sys.stdout)
    return OK if _written(command, found, summary) else NOT_WRITTEN


def _written(command: Backtest, found: Any, summary: Any) -> bool:
    from ..storage.outputs import save_figure
    from ..storage.study_files import write

    def draw(path: Path) -> None:
        from ..backtest.events.plot import intervals

        save_figure(intervals(found), path)

    return write_all([("result", command.out, lambda path: write(summary, path)), ("plot", command.plot, draw)])


__all__ = ["backtest"]

"""The command line: `jaxrisk run`, `sensitivity`, `design`, ..., `calibrate`, `backtest`.

Start with `arguments.COMMANDS`: a command is a dataclass of what may be written after it, and a function that checks all that
is asked (`asked`), works, shows and writes, and returns an exit code (`exit_codes`). What takes time to import is imported
when it is needed, after Ctrl-C is listened to (`signals`).
"""

from __future__ import annotations

import importlib
import os
import sys

from .exit_codes import BAD_INPUT, INTERNAL, INTERRUPTED, NO, NON_FINITE, NOT_IDENTIFIED, NOT_WRITTEN, OK, complain
from .signals import Watch, deaf, heard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .arguments import Run


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 fine; 2 bad input; 3 a number was not finite, or the disk was full: what was finished is kept; 4 answered, and the answer is
    no (a budget that cannot be met, a level that cannot be reached); 5 a calibration that did not converge, or that the data do
    not identify; 6 done, and not all of it could be shown or written; 130 interrupted, 143 ended by SIGTERM; 1 our mistake.

    Without `arguments` it is the program itself, which listens to signals and may end the process.
    """
    if arguments is not None:
        return _guarded(list(arguments))
    with Watch():
        from .streams import take_descriptors

        take_descriptors()
        code = _guarded(sys.argv[1:])
        code = (heard() or code) if code == INTERRUPTED else code
        if code > 128:  # a signal's
            # blocks of paths may still be running, and XLA crashes when Python ends under them
            os._exit(code)
    deaf()
    return code


def _guarded(arguments: list[str]) -> int:
    """The command, with standard streams that may be closed or full."""
    from .streams import guarded

    with guarded() as (out, err):
        code = _main(arguments)
        out.flush()
        if out.error is not None and not out.left and code == OK:
            code = NOT_WRITTEN
            complain([f"standard output: cannot be written: {out.error}"])
        err.flush()
    return code


def _main(words: list[str]) -> int:
    try:
        from .arguments import parse
        from .options import dotted_as_set, without_unknown

        if words and words[0] in ("--version", "-V"):
            print(f"jaxrisk {version()}")
            return OK
        known, wrong = without_unknown(dotted_as_set(words))
        if known is None:
            return complain(wrong)
        try:
            command = parse(known)
        except SystemExit as stop:
            complain(wrong)
            return stop.code if isinstance(stop.code, int) else BAD_INPUT
        return _answer(command, wrong)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if "--debug" in words:
            raise
        from .environment import environment_problem

        if problem := environment_problem(error):
            return complain([problem])
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"internal error: {type(error).__name__}: {first} (run again with --debug for the traceback)", file=sys.stderr)
        return INTERNAL


_ANSWERED_BY = {
    "Attribute": "attribute.attribute",
    "Calibrate": "calibrate.calibrate",
    "Design": "commands.study",
    "Import": "importing.import_file",
    "Init": "init.init",
    "Parameters": "commands.parameters",
    "RareEvent": "commands.study",
    "Report": "report.report",
    "ReverseStress": "commands.study",
    "RunStudy": "study.run_study",
    "Sensitivity": "commands.study",
    "Status": "status.status",
    "Warn": "warn.warn",
}
"""Module and function that answer a command, by the name of its class."""


def _answer(command: Any, wrong: list[str]) -> int:
    from .arguments import Backtest, Check, Run, Schema

    if isinstance(command, Run):
        return run(command, wrong)
    if isinstance(command, Check | Schema):
        from .check import check

        complain(wrong)
        code = check(command.files, command.columns) if isinstance(command, Check) else OK if wrong else schema()
        return BAD_INPUT if wrong else code
    if isinstance(command, Backtest):
        where = "backtest.backtest" if command.days is None else "backtest_days.backtest_days"
    else:
        where = _ANSWERED_BY[type(command).__name__]
    module, _, function = where.partition(".")
    return getattr(importlib.import_module(f".{module}", __name__), function)(command, wrong)


def run(command: Run, wrong: Iterable[str] = ()) -> int:
    """`jaxrisk run`: everything that can be wrong is found before anything is computed or written.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from pathlib import Path

    from ..config import ConfigError, prepare
    from .arguments import overrides_of
    from .asked import PLOTS, Asked, folder_of
    from .exit_codes import told
    from .simulating import Chunks, simulated

    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    asked.choice("--sampling", command.sampling, ("plain", "sobol"))
    asked.choice("--kernel", command.kernel, ("auto", "scan", "fused"))
    problems, prepared, out = asked.problems, None, command.out
    try:
        prepared = prepare(command.scenario, overrides)
        out = out if out is not None else Path("results") / f"{prepared.name}.nc"
    except ConfigError as error:
        problems += error.problems
    if out is not None:
        asked.result(out, command.force)
    workers, chunk = (
        asked.executor(command.executor, command.workers, command.scheduler, out),
        asked.count("--chunk", command.chunk, 1),
    )
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(out, command.plot)
    if problems or prepared is None or out is None:
        return complain(problems)
    told(prepared)
    if command.plot is not None:
        folder_of(command.plot)
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list, a screenful
    # each; nothing is wrong with such a program
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    scenario = prepared.scenario()
    if command.return_periods and (refused := _no_frequency(scenario)):
        return complain([refused])
    chunks = Chunks(command.executor, workers, command.scheduler, chunk, command.force, command.kernel)
    return simulated(scenario, out, command.sampling, command.plot, command.return_periods, chunks)


def _no_frequency(scenario) -> str:
    """Why a probability is no frequency; empty where it is one."""
    from ..risk.return_period import ANY_DAY
    from ..start_words import start_kind, where_from

    kind = start_kind(scenario)
    if kind in ANY_DAY:
        return ""
    words = "a shock or a path is given" if kind == "conditioned" else f"paths start from {where_from(scenario)}"
    return f"command line: --return-periods: needs paths from a day drawn at random, --market.start stationary; {words}"


def schema() -> int:
    """`jaxrisk schema`."""
    import json

    from ..config import schema as scenario_schema

    escaped = not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    print(json.dumps(scenario_schema(), indent=2, ensure_ascii=escaped, allow_nan=False))
    return OK


def version() -> str:
    """The installed package's version."""
    from importlib import metadata

    try:
        return metadata.version("jaxrisk")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def __getattr__(name: str) -> Any:
    if name == "dotted_as_set":
        from .options import dotted_as_set

        return dotted_as_set
    raise AttributeError(f"module 'jaxrisk.cli' has no attribute '{name}'")


__all__ = [
    "BAD_INPUT", "INTERNAL", "INTERRUPTED", "NO", "NON_FINITE", "NOT_IDENTIFIED", "NOT_WRITTEN", "OK", "main", "version",
]  # fmt: skip

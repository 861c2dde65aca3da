"""The command line: `jaxrisk run`, `sensitivity`, `design`, ..., `calibrate`, `backtest`: see `arguments.COMMANDS`."""

import _thread
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .arguments import Backtest, Calibrate, Check, Parameters, Run, Schema, overrides_of, parse
from .asked import Asked
from .exit_codes import BAD_INPUT, INTERNAL, INTERRUPTED, NO, NON_FINITE, NOT_IDENTIFIED, OK, complain, doubtful
from .options import dotted_as_set, without_unknown
from .progress import Progress, show, unwritable


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 fine; 2 bad input; 3 a number was not finite; 4 answered, and the answer is no (a budget that cannot be met, a level that
    cannot be reached); 5 a calibration that did not converge, or that the data do not identify; 130 interrupted; 1 our mistake.
    """
    if arguments is None:
        sys.unraisablehook = _press_again
    code = _main(list(sys.argv[1:] if arguments is None else arguments))
    if code == INTERRUPTED and arguments is None:
        # blocks of paths may still be running, and XLA crashes when Python ends under them
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _press_again(dropped: Any) -> None:
    """Python drops an interrupt that arrives in a callback of its garbage collection, as JAX has many, and goes on: send it once
    more, a moment later and so outside of the callback, until it is raised where it is heard."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.01, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(dropped)


def _main(arguments: list[str]) -> int:
    if arguments and arguments[0] in ("--version", "-V"):
        print(f"jaxrisk {version()}")
        return OK
    known, wrong = without_unknown(dotted_as_set(arguments))
    if known is None:
        return complain(wrong)
    try:
        command: Any = parse(known)
    except SystemExit as stop:
        complain(wrong)
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except BrokenPipeError:
        return _reader_left()
    try:
        return _answer(command, wrong)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        if command.debug:
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"internal error: {type(error).__name__}: {first} (run again with --debug for the traceback)", file=sys.stderr)
        return INTERNAL


def _reader_left() -> int:
    """Nobody reads on, as of `jaxrisk run --help | head`: say nothing more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _answer(command: Any, wrong: list[str]) -> int:
    if isinstance(command, Run):
        return run(command, wrong)
    if isinstance(command, Check | Schema):
        complain(wrong)
        code = check(command.files) if isinstance(command, Check) else OK if wrong else schema()
        return BAD_INPUT if wrong else code
    if isinstance(command, Calibrate):
        from .calibrate import calibrate

        return calibrate(command, wrong)
    if isinstance(command, Backtest):
        from .backtest import backtest

        return backtest(command, wrong)
    from .commands import parameters, study

    return parameters(command, wrong) if isinstance(command, Parameters) else study(command, wrong)


def run(command: Run, wrong: Iterable[str] = ()) -> int:
    """`jaxrisk run`: everything that can be wrong is found before anything is computed or written.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..config import ConfigError, prepare

    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    asked.choice("--sampling", command.sampling, ("plain", "sobol"))
    problems, prepared, out = asked.problems, None, command.out
    try:
        prepared = prepare(command.scenario, overrides)
        out = out if out is not None else Path("results") / f"{prepared.name}.nc"
    except ConfigError as error:
        problems += error.problems
    problem = unwritable(out, command.force) if out is not None else None
    problems += [f"{out}: {problem}"] if problem else []
    if problems or prepared is None or out is None:
        return complain(problems)
    doubtful(prepared.doubts())
    out.parent.mkdir(parents=True, exist_ok=True)
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list, a screenful
    # each; nothing is wrong with such a program
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return _simulate(prepared.scenario(), out, command.sampling)


def _simulate(scenario, out: Path, sampling: str) -> int:
    from ..batch import NonFinite, simulate, use_compilation_cache
    from ..risk.drivers import NotSteerableError
    from ..risk.sobol import BITS, REPLICATES

    paths, most = scenario.description.paths, REPLICATES << BITS
    if sampling == "sobol" and paths > most:
        return complain([f"command line: --sampling sobol: {paths:,} paths, and after {most:,} the points repeat"])
    use_compilation_cache()
    progress = Progress(sys.stderr)
    before = out.stat().st_mtime_ns if out.exists() else None
    kept = lambda: out.exists() and out.stat().st_mtime_ns != before
    try:
        with progress:
            result = simulate(scenario, sampling=sampling, progress=progress, out=out)
    except NonFinite as error:
        print(f"stopped: {error}", file=sys.stderr)
        if error.result is not None and kept():
            print(f"the {error.result.paths:,} paths finished before it are in {out}", file=sys.stderr)
        return NON_FINITE
    except NotSteerableError as error:
        market = str(error).partition(". ")[0]  # what follows is advice on rare events
        return complain([f"command line: --sampling {sampling}: {market}"])
    except KeyboardInterrupt:
        where = f"the {progress.done:,} paths finished until then are in {out}" if kept() else "nothing was finished"
        print(f"interrupted; {where}", file=sys.stderr)
        return INTERRUPTED
    show(result.summary(), sys.stdout)
    for note in result.notes():
        print(note)
    print(f"result: {out}")
    return OK


def check(files: tuple[str, ...]) -> int:
    """`jaxrisk check`."""
    from ..config import check as problems_of, doubts

    if not files:
        print("check: at least one file is needed", file=sys.stderr)
        return BAD_INPUT
    code = OK
    for file in files:
        problems = problems_of(file)
        for problem in problems:
            print(problem, file=sys.stderr)
        if problems:
            code = BAD_INPUT
        else:
            print(f"{file}: no problems")
            for doubt in doubts(file):
                print(f"{file}: doubt: {doubt}")
    return code


def schema() -> int:
    """`jaxrisk schema`."""
    import json

    from ..config import schema as scenario_schema

    print(json.dumps(scenario_schema(), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


def version() -> str:
    """The installed package's version."""
    from importlib import metadata

    try:
        return metadata.version("jaxrisk")
    except metadata.PackageNotFoundError:
        return "(not installed)"


__all__ = ["BAD_INPUT", "INTERNAL", "INTERRUPTED", "NO", "NON_FINITE", "NOT_IDENTIFIED", "OK", "dotted_as_set", "main", "version"]

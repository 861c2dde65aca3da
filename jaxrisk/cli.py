"""The command line: `jaxrisk run`, `check` and `schema`."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import tyro

from ._arguments import Check, Command, Run, dotted_as_set, overrides_of, without_unknown

OK, INTERNAL, BAD_INPUT, NON_FINITE, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 2 bad input, 3 a number was not finite, 130 interrupted, 1 our mistake."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in ("--version", "-V"):
        print(f"jaxrisk {_version()}")
        return OK
    known, wrong = without_unknown(dotted_as_set(arguments))
    if known is None:
        return complain(wrong)
    try:
        command: Any = tyro.cli(
            Command,
            prog="jaxrisk",
            description="Monte Carlo of liquidation cascades in leveraged markets.",
            args=known or ["--help"],
        )
    except SystemExit as stop:
        complain(wrong)
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    try:
        if isinstance(command, Run):
            return run(command, wrong)
        complain(wrong)
        code = check(command.files) if isinstance(command, Check) else OK if wrong else schema()
        return BAD_INPUT if wrong else code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: say nothing more
        return OK
    except Exception as error:
        if command.debug:
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"internal error: {type(error).__name__}: {first} (run again with --debug for the traceback)", file=sys.stderr)
        return INTERNAL


def complain(lines: Iterable[Any]) -> int:
    """Print problems, one line each."""
    for line in lines:
        print(line, file=sys.stderr)
    return BAD_INPUT


def run(command: Run, wrong: Iterable[str] = ()) -> int:
    """`jaxrisk run`: everything that can be wrong is found before anything is computed or written.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from .config import ConfigError, prepare

    overrides, settings = overrides_of(command)
    problems: list[Any] = list(wrong)
    problems += [f"command line: --set {text}: has to be KEY=VALUE, such as market.volatility=0.5" for text in settings]
    prepared, out = None, command.out
    try:
        prepared = prepare(command.scenario, overrides)
        out = out if out is not None else Path("results") / f"{prepared.name}.nc"
    except ConfigError as error:
        problems += error.problems
    problem = unwritable(out, command.force) if out is not None else None
    problems += [f"{out}: {problem}"] if problem else []
    if problems or prepared is None or out is None:
        return complain(problems)
    out.parent.mkdir(parents=True, exist_ok=True)
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list, a screenful
    # each; nothing is wrong with such a program
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return _simulate(prepared.scenario(), out)


def unwritable(out: Path, force: bool) -> str | None:
    """Why a result cannot be written there, or None."""
    try:
        if out.is_dir():
            return "is a folder; --out has to name a file"
        if out.exists() and not force:
            return "exists already; choose another --out, or overwrite it with --force"
        folder = next(folder for folder in out.absolute().parents if folder.exists())
        probe = folder / f".{out.name[:100]}.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        return f"cannot be written: {getattr(error, 'strerror', None) or error}"
    return None


def _simulate(scenario, out: Path) -> int:
    from .batch import NonFinite, simulate, use_compilation_cache

    use_compilation_cache()
    progress = Progress(sys.stderr)
    before = out.stat().st_mtime_ns if out.exists() else None
    kept = lambda: out.exists() and out.stat().st_mtime_ns != before
    try:
        with progress:
            result = simulate(scenario, progress=progress, out=out)
    except NonFinite as error:
        print(f"stopped: {error}", file=sys.stderr)
        if error.result is not None and kept():
            print(f"the {error.result.paths:,} paths finished before it are in {out}", file=sys.stderr)
        return NON_FINITE
    except KeyboardInterrupt:
        where = f"the {progress.done:,} paths finished until then are in {out}" if kept() else "nothing was finished"
        print(f"interrupted; {where}", file=sys.stderr)
        return INTERRUPTED
    show(result.summary(), sys.stdout)
    for note in result.notes():
        print(note)
    print(f"result: {out}")
    return OK


class Progress:
    """Counts finished paths, with a bar on a terminal; called with `(done, total)`."""

    def __init__(self, stream: TextIO):
        self.done = 0
        self.stream = stream
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> "Progress":
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = TextColumn("paths"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self.bar = Progress(*columns, console=Console(file=self.stream), transient=True)
            self.task = self.bar.add_task("paths", total=None)
            self.bar.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, *error) -> None:
        if self.bar is not None:
            self.bar.stop()


def show(summary, stream: TextIO) -> None:
    """The summary through rich on a terminal, as plain text elsewhere."""
    if stream.isatty():
        from rich.console import Console

        Console(file=stream).print(summary)
    else:
        print(summary, file=stream)


def check(files: tuple[str, ...]) -> int:
    """`jaxrisk check`."""
    from .config import check as problems_of

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
    return code


def schema() -> int:
    """`jaxrisk schema`."""
    import json

    from .config import schema as scenario_schema

    print(json.dumps(scenario_schema(), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jaxrisk")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())

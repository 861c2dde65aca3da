"""The command line: `jaxrisk run`, `check` and `schema`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, Positional, UseAppendAction, arg, subcommand

OK, INTERNAL, BAD_INPUT, NON_FINITE, INTERRUPTED = 0, 1, 2, 3, 130
RUN_KEYS = {"paths": "run.paths", "steps": "run.steps", "seed": "run.seed", "precision": "run.precision",
            "sample_paths": "run.sample_paths"}  # fmt: skip


def _option(metavar: str | None, text: str):
    """An option whose help says itself what its default is."""
    return arg(metavar=metavar, help=text, help_behavior_hint="")


_Debug = Annotated[bool, _option(None, "show the traceback of an internal error")]


@dataclass
class Run:
    """Simulate a scenario, print what it may lose and write the result.

    Any key of the file can be replaced by its dotted name: --market.volatility 0.5, --impact.law=linear,
    --populations.retail_long.open_interest=1e9, or --set KEY=VALUE.
    """

    scenario: Annotated[Positional[str], _option("SCENARIO", "a TOML file, or the name of a shipped scenario")]
    paths: Annotated[str | None, _option("N", "number of paths (default: the file's run.paths)")] = None
    steps: Annotated[str | None, _option("N", "number of time steps over the same horizon (default: the file's)")] = None
    seed: Annotated[str | None, _option("N", "seed of the random numbers (default: the file's run.seed)")] = None
    out: Annotated[Path | None, _option("FILE.nc", "where the result is written (default: results/NAME.nc)")] = None
    precision: Annotated[str | None, _option("float32|float64", "floating-point precision (default: the file's)")] = None
    sample_paths: Annotated[str | None, _option("N", "whole paths kept in the result (default: the file's)")] = None
    set: Annotated[UseAppendAction[tuple[str, ...]], _option("KEY=VALUE", "replace a key by its dotted name; repeatable")] = ()
    force: Annotated[bool, _option(None, "overwrite an existing result")] = False
    debug: _Debug = False


@dataclass
class Check:
    """Say everything that is wrong with files, and with the files they name."""

    files: Annotated[
        Positional[tuple[str, ...]], _option("FILE ...", "scenarios, limits or venue tiers, or a shipped scenario's name")
    ]
    debug: _Debug = False


@dataclass
class Schema:
    """Print the JSON Schema of scenario files, with units and bounds."""

    debug: _Debug = False


Command = OmitSubcommandPrefixes[OmitArgPrefixes[FlagCreatePairsOff[
    Annotated[Run, subcommand("run")] | Annotated[Check, subcommand("check")] | Annotated[Schema, subcommand("schema")]
]]]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 2 bad input, 3 a number was not finite, 130 interrupted, 1 our mistake."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in ("--version", "-V"):
        print(f"jaxrisk {_version()}")
        return OK
    try:
        command: Any = tyro.cli(
            Command,
            prog="jaxrisk",
            description="Monte Carlo of liquidation cascades in leveraged markets.",
            args=dotted_as_set(arguments) or ["--help"],
        )
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    try:
        if isinstance(command, Run):
            return run(command)
        return check(command.files) if isinstance(command, Check) else schema()
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


def dotted_as_set(arguments: list[str]) -> list[str]:
    """Rewrite `--market.volatility 0.5` and `--market.volatility=0.5` as `--set market.volatility=0.5`.

    >>> dotted_as_set(["run", "a.toml", "--shock.size", "-0.1", "--seed=2"])
    ['run', 'a.toml', '--set', 'shock.size=-0.1', '--seed=2']
    """
    rewritten: list[str] = []
    left = iter(arguments)
    for argument in left:
        name, equals, value = argument.partition("=")
        if name.startswith("--") and "." in name:
            rewritten += ["--set", f"{name[2:]}={value if equals else next(left, '')}"]
        else:
            rewritten.append(argument)
    return rewritten


def overrides_of(command: Run) -> tuple[dict[str, str], list[str]]:
    """Values by dotted key, and settings that are not of the form KEY=VALUE."""
    overrides, wrong = {}, []
    for setting in command.set:
        key, equals, value = setting.partition("=")
        if equals and key.strip() and value.strip():
            overrides[key.strip()] = value.strip()
        else:
            wrong.append(setting)
    for option, key in RUN_KEYS.items():
        value = getattr(command, option)
        if value is not None:
            overrides[key] = value
    return overrides, wrong


def run(command: Run) -> int:
    """`jaxrisk run`: everything that can be wrong is found before anything is computed or written."""
    from .config import ConfigError, prepare

    overrides, wrong = overrides_of(command)
    for setting in wrong:
        print(f"command line: --set {setting}: has to be KEY=VALUE, such as market.volatility=0.5", file=sys.stderr)
    try:
        prepared = prepare(command.scenario, overrides)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    if wrong:
        return BAD_INPUT
    out = command.out if command.out is not None else Path("results") / f"{prepared.name}.nc"
    problem = unwritable(out, command.force)
    if problem:
        print(f"{out}: {problem}", file=sys.stderr)
        return BAD_INPUT
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list, a screenful
    # each; nothing is wrong with such a program
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return _simulate(prepared.scenario(), out)


def unwritable(out: Path, force: bool) -> str | None:
    """Why a result cannot be written there, or None; makes the folder."""
    try:
        if out.is_dir():
            return "is a folder; --out has to name a file"
        if out.exists() and not force:
            return "exists already; choose another --out, or overwrite it with --force"
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = out.with_name(f".{out.name[:100]}.{os.getpid()}")
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
        if kept():
            print(f"the {progress.done:,} paths finished before it are in {out}", file=sys.stderr)
        return NON_FINITE
    except KeyboardInterrupt:
        where = f"the {progress.done:,} paths finished until then are in {out}" if kept() else "nothing was finished"
        print(f"interrupted; {where}", file=sys.stderr)
        return INTERRUPTED
    show(result.summary(), sys.stdout)
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

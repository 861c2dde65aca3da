"""What may be written after `jaxrisk`: the commands with their options, and what is read before they are."""

import functools
import operator
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, Positional, UseAppendAction, subcommand

from .attribute_arguments import Attribute, Warn
from .backtest_arguments import Backtest
from .calibration_arguments import Calibrate
from .import_arguments import Import
from .study_arguments import Debug, Design, Parameters, RareEvent, Report, ReverseStress, RunStudy, Sensitivity, Study, option

RUN_KEYS = {"paths": "run.paths", "steps": "run.steps", "seed": "run.seed", "precision": "run.precision",
            "sample_paths": "run.sample_paths"}  # fmt: skip


@dataclass
class Run:
    """Simulate a scenario, print what it may lose and write the result.

    Any key of the file can be replaced by its dotted name: --market.volatility 0.5, --impact.law=linear,
    --populations.retail_long.open_interest=1e9, or --set KEY=VALUE.
    """

    scenario: Annotated[Positional[str], option("SCENARIO", "a TOML file, or the name of a shipped scenario")]
    paths: Annotated[str | None, option("N", "number of paths (default: the file's run.paths)")] = None
    steps: Annotated[str | None, option("N", "number of time steps over the same horizon (default: the file's)")] = None
    seed: Annotated[str | None, option("N", "seed of the random numbers (default: the file's run.seed)")] = None
    out: Annotated[
        Path | None,
        option("FILE.nc|FOLDER.zarr", "where the result is written; the same command continues it (default: results/NAME.nc)"),
    ] = None
    executor: Annotated[str | None, option("processes|dask", "who runs the chunks (default: this process)")] = None
    workers: Annotated[str | None, option("N", "how many there are (default: one a core)")] = None
    scheduler: Annotated[str | None, option("ADDRESS", "of a Dask cluster that is there, such as tcp://host:8786")] = None
    chunk: Annotated[str | None, option("N", "paths of a chunk, the unit of what is kept; no figure depends on it")] = None
    plot: Annotated[Path | None, option("FILE.png|.svg|.pdf", "draw it")] = None
    return_periods: Annotated[
        bool, option(None, 'say, and draw, how often losses come (default: where market.start is "stationary")')
    ] = False
    precision: Annotated[str | None, option("float32|float64", "floating-point precision (default: the file's)")] = None
    sampling: Annotated[str, option("plain|sobol", "sobol: points that leave less to chance (default: plain)")] = "plain"
    kernel: Annotated[str, option("auto|scan|fused", "what runs the paths; fused: one GPU kernel (default: auto, as fits)")] = (
        "auto"
    )
    sample_paths: Annotated[str | None, option("N", "whole paths kept in the result (default: the file's)")] = None
    set: Annotated[UseAppendAction[tuple[str, ...]], option("KEY=VALUE", "replace a key by its dotted name; repeatable")] = ()
    force: Annotated[bool, option(None, "overwrite an existing result")] = False
    debug: Debug = False


@dataclass
class Init:
    """Copy a shipped scenario and the tables it names, to read and edit.

    Studies, venues, limits, events and structures that ship can be copied likewise. Nothing is overwritten.

    $ jaxrisk init btc_24h
    $ jaxrisk init cross_margin_24h --out mine/market.toml
    $ jaxrisk run mine/market.toml
    """

    name: Annotated[Positional[str], option("NAME", "of a shipped scenario, study, venue, limits file, event or structure")]
    out: Annotated[Path | None, option("FILE.toml", "where the copy is written (default: NAME.toml)")] = None
    debug: Debug = False


@dataclass
class Check:
    """Say everything that is wrong with files, and with the files they name."""

    files: Annotated[
        Positional[tuple[str, ...]],
        option("FILE ...", "scenarios, studies, limits, venues, events, fitted numbers or tables; or names of what ships"),
    ]
    columns: Annotated[
        UseAppendAction[tuple[str, ...]], option("NAME=COLUMN ...", "the files' own names, as close=last, prices.time=ts")
    ] = ()
    debug: Debug = False


@dataclass
class Status:
    """Say how far a run is: finished paths, rate, time left, who writes it.

    Works from any terminal, while the run goes on or afterwards.
    """

    outputs: Annotated[Positional[tuple[str, ...]], option("OUT ...", "what a run was told to write: NAME.nc or NAME.zarr")]
    debug: Debug = False


@dataclass
class Schema:
    """Print the JSON Schema of scenario files, with units and bounds."""

    debug: Debug = False


COMMANDS: dict[str, tuple[Any, str]] = {
    "run": (Run, "run.run"),
    "sensitivity": (Sensitivity, "commands.study"),
    "design": (Design, "commands.study"),
    "reverse-stress": (ReverseStress, "commands.study"),
    "rare-event": (RareEvent, "commands.study"),
    "study": (RunStudy, "study.run_study"),
    "attribute": (Attribute, "attribute.attribute"),
    "warn": (Warn, "warn.warn"),
    "report": (Report, "report.report"),
    "calibrate": (Calibrate, "calibrate.calibrate"),
    "backtest": (Backtest, "backtest.backtest"),
    "import": (Import, "importing.import_file"),
    "parameters": (Parameters, "commands.parameters"),
    "status": (Status, "status.status"),
    "init": (Init, "init.init"),
    "check": (Check, "check.check_files"),
    "schema": (Schema, "check.schema"),
}
"""A command's options, and the module and function of this room that answer it, which is imported when it does."""


def options_of(name: str) -> Any:
    """The dataclass of a command's options; None where there is no such command."""
    return COMMANDS[name][0] if name in COMMANDS else None


def answered_by(command: Any) -> str:
    """Module and function that answer what was parsed."""
    return next(answer for options, answer in COMMANDS.values() if options is type(command))


def summary_of(command: Any) -> str:
    """The first line of a command's docstring."""
    return (getdoc(command) or "").splitlines()[0]


def _all_commands() -> Any:
    """What is parsed where the first word is not a command: the list of commands, or the nearest to it."""
    each = (Annotated[kind, subcommand(name, description=summary_of(kind))] for name, (kind, _) in COMMANDS.items())
    return OmitSubcommandPrefixes[OmitArgPrefixes[FlagCreatePairsOff[functools.reduce(operator.or_, each)]]]


def parse(arguments: list[str]) -> Any:
    """The command with its options; raises `SystemExit` after help or where tyro finds a problem."""
    command = options_of(arguments[0]) if arguments else None
    if command is None:
        text = "Monte Carlo of liquidation cascades in leveraged markets."
        return tyro.cli(_all_commands(), prog="jaxrisk", description=text, args=arguments or ["--help"])
    options = OmitArgPrefixes[FlagCreatePairsOff[command]]
    # beside a scenario, tyro's help would leave the scenario out
    left = ["--help"] if {"-h", "--help"} & set(arguments) else arguments[1:]
    return tyro.cli(options, prog=f"jaxrisk {arguments[0]}", description=getdoc(command), args=left)


def overrides_of(command: Run | Study | Parameters | Calibrate | Attribute | Warn) -> tuple[dict[str, str], list[str]]:
    """Values by dotted key, and a line on each setting that is not of the form KEY=VALUE."""
    overrides, wrong = {}, []
    for setting in command.set:
        key, equals, value = setting.partition("=")
        if equals and key.strip() and value.strip():
            overrides[key.strip()] = value.strip()
        else:
            wrong.append(f"command line: --set {setting}: has to be KEY=VALUE, such as market.volatility=0.5")
    for name, key in RUN_KEYS.items():
        value = getattr(command, name, None)
        if value is not None:
            overrides[key] = value
    return overrides, wrong

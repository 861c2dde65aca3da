"""What may be written after `jaxrisk`: the commands with their options, and what is read before they are."""

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, Positional, UseAppendAction, arg, subcommand

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


def without_unknown(arguments: list[str]) -> tuple[list[str] | None, list[str]]:
    """Arguments without options that there are not or that lack their value, and a line on each of these.

    A word after an unknown option is taken for its value, unless the option is like one without, or the scenario is not named
    elsewhere. None in place of the arguments where it is not named at all.

    >>> without_unknown(["run", "a.toml", "--path", "5"])
    (['run', 'a.toml'], ['command line: --path: no such option (did you mean "--paths"?)'])
    """
    from .config import Problem
    from .config.problems import nearest

    command: Any = {"run": Run, "check": Check, "schema": Schema}.get(arguments[0] if arguments else "")
    if command is None or {"-h", "--help", "--"} & set(arguments):
        return arguments, []
    known = {field.name.replace("_", "-"): field.default for field in fields(command) if field.default is not MISSING}
    kept, words, perhaps, problems = arguments[:1], [], [], []
    wrong = lambda where, text, near=None: problems.append(str(Problem("command line", where, None, text, near)))
    place = 1
    while place < len(arguments):
        argument, following = arguments[place], arguments[place + 1 : place + 2]
        place += 1
        following = [] if following and following[0].startswith("--") else following
        option, equals, _ = argument.partition("=")
        name = option.lstrip("-").replace("_", "-")
        if not argument.startswith("-"):
            words.append(argument)
        elif option.startswith("--") and name in known:
            if equals or known[name] is False:
                kept.append(argument)
            elif following:
                kept.append(f"{argument}={following[0]}")
                place += 1
            else:
                wrong(option, "needs a value")
        else:
            near = nearest(name, known)
            wrong(option, "no such option", near and f"--{near}")
            if command is Run and following and not equals and (near is None or known[near] is not False):
                perhaps += following if near is None else []
                place += 1
    words = words or perhaps[:1]
    if command is Run and not words:
        wrong("SCENARIO", "missing; needs a TOML file, or the name of a shipped scenario")
        return None, problems
    return kept + words, problems


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

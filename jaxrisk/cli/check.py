"""`jaxrisk check`: files of every kind that ships, and tables; and `jaxrisk schema`."""

import json
import sys
from pathlib import Path
from typing import Any

from .arguments import Check, Schema
from .asked import Asked
from .columns import column_maps
from .exit_codes import BAD_INPUT, OK, complain

Maps = dict[str, dict[str, str]]


def check_files(command: Check, wrong: list[str]) -> int:
    """`jaxrisk check`; the exit code, of files that are checked whatever is wrong with the command itself."""
    complain(wrong)
    code = check(command.files, command.columns)
    return BAD_INPUT if wrong else code


def schema(command: Schema, wrong: list[str]) -> int:
    """`jaxrisk schema`; the exit code."""
    from ..config import schema as scenario_schema

    if wrong:
        return complain(wrong)
    escaped = not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    print(json.dumps(scenario_schema(), indent=2, ensure_ascii=escaped, allow_nan=False))
    return OK


def check(files: tuple[str, ...], columns: tuple[str, ...] = ()) -> int:
    """Say what is wrong with each file; the exit code. `columns`: the words of `--columns`."""
    if not files:
        print("check: at least one file is needed", file=sys.stderr)
        return BAD_INPUT
    from ..config import doubts

    maps, wrong = _maps(files, columns)
    code = complain(wrong) if wrong else OK
    for file in files if not wrong else ():
        problems = problems_of(file, maps.get(file))
        for problem in problems:
            print(problem, file=sys.stderr)
        if problems:
            code = BAD_INPUT
        else:
            print(f"{file}: no problems")
            for line in taken_as(file, maps.get(file)):
                print(line)
            for doubt in doubts(file):
                print(f"{file}: doubt: {doubt}")
    return code


def _maps(files: tuple[str, ...], columns: tuple[str, ...]) -> tuple[dict[str, Maps], list[Any]]:
    """By file of data, and kind, our names of columns with its own; and what is wrong with the words, for each of the files."""
    from ..data.names import ALL

    if not columns:
        return {}, []
    maps, wrong = {}, []
    data = [file for file in files if _is_table(file)]
    for file in data or [None]:
        asked = Asked([])
        maps[file or ""] = {kind: map for kind, map in column_maps(columns, dict.fromkeys(ALL, file), asked).items() if map}
        wrong.append(asked.problems)
    return maps, [one for one in wrong[0] if all(one in others for others in wrong[1:])]


def problems_of(name: str, maps: Maps | None = None) -> list[Any]:
    """Everything that is wrong with a file, given by its path or the name of what ships, and with the files it names.

    **Arguments:** `maps`: by kind of table, our names of columns with the file's own.

    An event's price files are not looked for: `jaxrisk backtest` does that, which is told in which folder they are.
    """
    from ..config import check as check_config
    from ..config.document import kind_of
    from ..paths import exists
    from ..toml import read_toml

    file = Path(name) if exists(Path(name)) else _elsewhere(name)
    document = read_toml(file)[0] if file is not None and file.suffix == ".toml" else None
    kind = kind_of(document, file.absolute().parent.name) if document is not None and file is not None else ""
    if kind == "event" and document is not None:
        return _event(file, document)
    if kind == "fit":
        return _fit(file)
    if kind == "structure":
        return _structure(file)
    if kind == "study":
        return _study(file if exists(Path(name)) else name)
    if maps and _is_table(name):
        from ..config.check_table import look

        return look(Path(name), maps)[0]
    return check_config(name)


def _is_table(name: str) -> bool:
    """Whether a name is of a file, a folder or a pattern of data."""
    from ..config.check_table import ENDINGS
    from ..paths import is_folder

    return name.lower().endswith(ENDINGS) or is_folder(Path(name))


def taken_as(name: str, maps: Maps | None = None) -> list[str]:
    """What a file, or the files that a scenario names, were taken for."""
    from ..config import ConfigError, prepare
    from ..config.check_table import look
    from ..config.read import is_scenario

    if _is_table(name):
        return [f"{name}: {line}" for line in look(Path(name), maps)[1]]
    try:
        return prepare(name).read_as() if is_scenario(name) else []
    except ConfigError:
        return []


def _elsewhere(name: str) -> Path | None:
    """A shipped event, study or file of fitted numbers of that name."""
    from ..paths import names, shipped

    return next(
        (shipped() / kind / f"{name}.toml" for kind in ("events", "calibrated", "studies", "structures") if name in names(kind)),
        None,
    )


def _event(file: Any, document: dict[str, Any]) -> list[Any]:
    from ..backtest.events.check import check_keys
    from ..backtest.events.keys import read_keys
    from ..problems import Report

    report = Report(str(file))
    check_keys(read_keys(document, report), report)
    return list(dict.fromkeys(report.problems))


def _fit(file: Any) -> list[Any]:
    from ..backtest.events.parameters import read_fitted
    from ..config import ConfigError

    try:
        read_fitted(file)
    except ConfigError as error:
        return error.problems
    return []


def _structure(file: Any) -> list[Any]:
    from ..config import ConfigError
    from ..studies.maturity import read_structure

    try:
        read_structure(file)
    except ConfigError as error:
        return error.problems
    return []


def _study(file: Any) -> list[Any]:
    """A study and its scenarios under all their settings."""
    import os

    from ..config import ConfigError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from ..studies.study import planned

    try:
        planned(file, {}, many=True)
    except ConfigError as error:
        return error.problems
    return []


__all__ = ["check", "check_files", "problems_of", "schema"]

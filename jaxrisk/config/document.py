"""A file as a document: read, told of what kind it is, and changed from the command line."""

import copy
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from .._once import made_once, same
from ..paths import NotFound, find
from ..problems import ConfigError, Problem, Report, nearest, written
from ..toml import read_toml
from .tables import KINDS, LAWS, PROCESSES, keys_of
from .tables.venues import POLICIES, TRIGGERS, belonging

SWITCHES = {
    ("market", "process"): {word: set(keys_of(model)) for word, model in PROCESSES.items()},
    ("impact", "law"): {word: set(keys_of(model)) for word, model in LAWS.items()},
    ("populations", "*", "kind"): {word: set(keys_of(model)) for word, model in KINDS.items()},
    ("venues", "*", "policy"): belonging("policy", POLICIES),
    ("venues", "*", "deleveraging"): belonging("deleveraging", TRIGGERS),
}
"""Where a word decides which other keys a table has: the word's place, and the keys of each word."""

_EITHER = (("run.steps", "run.step"), ("market.variance", "market.start"))
INSTEAD = dict(_EITHER) | {second: first for first, second in _EITHER}
NAMED = ("assets", "venues", "populations", "stops")

DISTINCT = {
    "scenario": ("run", "market", "populations", "impact", "venues", "assets", "channels", "shock"),
    "limits": ("caps",),
    "venue": ("tiers", "rules"),
    "event": ("window", "before", "after", "prices"),
    "fit": ("fit",),
    "study": ("grid", "cells", "branches", "reference", "measures", "scenario", "scenarios", "quick"),
    "structure": ("open_interest_over_volume", "fund_over_open_interest", "daily_volatility"),
}
"""Keys that files of one kind have and others do not."""
FOLDERS = {"limits": "limits", "venues": "venue", "events": "event", "calibrated": "fit", "scenarios": "scenario",
           "studies": "study", "structures": "structure"}  # fmt: skip


def read_scenario(name: str | Path) -> tuple[Path, dict[str, Any]]:
    """The document of a scenario given by its path or by the name of a shipped one; raises `ConfigError`."""
    return same(lambda: _read_scenario(str(name)), "scenario", str(name))


def _read_scenario(name: str) -> tuple[Path, dict[str, Any]]:
    try:
        path = find("scenarios", name)
    except NotFound as error:
        raise ConfigError([Problem(name, "", None, str(error), error.nearest)]) from None
    document, problem = read_toml(path)
    if problem is not None or document is None:
        raise ConfigError([problem] if problem else [])
    return path, document


def kind_of(document: dict[str, Any], folder: str = "") -> str:
    """The kind of a TOML document: `scenario`, `limits`, `venue`, `event`, `study`, `structure`, or `fit` (numbers that `jaxrisk
    backtest` takes).

    A word that is there counts most, then one that is spelt like it, then the folder that it stands in; a scenario otherwise.

    >>> kind_of({"caps": []}), kind_of({"cpas": []}), kind_of({"name": "x"}), kind_of({"name": "x"}, "limits")
    ('limits', 'limits', 'scenario', 'limits')
    """
    there = {kind: sum(word in document for word in words) for kind, words in DISTINCT.items()}
    if any(there.values()):
        return max(there, key=lambda kind: there[kind])
    for kind, words in DISTINCT.items():
        if any(nearest(key, words) for key in document):
            return kind
    return FOLDERS.get(folder, "scenario")


def parse_value(text: Any) -> Any:
    """A value from the command line: TOML where it is TOML, else text.

    >>> parse_value("0.5"), parse_value("24h"), parse_value("[1, 2]"), parse_value("{BTC = -0.1}")
    (0.5, '24h', [1, 2], {'BTC': -0.1})
    """
    if not isinstance(text, str):
        return text
    try:
        read = tomllib.loads(f"x = {text}")
    except (ValueError, RecursionError):
        return text
    return read["x"] if set(read) == {"x"} else text


def override(document: dict[str, Any], overrides: dict[str, Any], report: Report) -> dict[str, Any]:
    """A copy with some keys replaced, by dotted name.

    `run.steps` takes the place of `run.step` and the other way round, so do `market.variance` and `market.start`; a new process,
    law or kind drops the keys that only the old one had, a new policy or cause of deleveraging likewise; a book other than flow
    drops `[flow]`; a key below a number makes it a table by asset, or by venue.
    """
    changed = dict(document)  # parts are copied where they change, so that what does not is the same object in every cell
    for key, text in overrides.items():
        if not key or any(not part for part in key.split(".")):
            report.problems.append(Problem("command line", key, written(text), "is not the dotted name of a key"))
            continue
        _set(changed, key, parse_value(text), report, document)
    for key in overrides:
        section, _, name = INSTEAD.get(key, "").partition(".")
        if section and f"{section}.{name}" not in overrides and isinstance(table := changed.get(section), dict):
            changed[section] = {one: value for one, value in table.items() if one != name}
    for key in overrides:
        _drop_foreign(changed, key, overrides)
    run = changed.get("run")
    book = run.get("book") if "run.book" in overrides and isinstance(run, dict) else None
    if book in ("ladder", "account") and not any(key.split(".")[0] == "flow" for key in overrides):
        changed.pop("flow", None)
    by_section: dict[str, dict[str, Any]] = {}
    for key, value in overrides.items():
        by_section.setdefault(key.partition(".")[0], {})[key] = value
    for section, mine in by_section.items():
        if section in changed:  # what is said of one section changes that alone: the same object for the same words
            part = (document, *mine.values())
            changed[section] = made_once(partial(changed.get, section), part, "changed", *mine, report=report)
    return changed


def _set(document: dict[str, Any], key: str, value: Any, report: Report, original: dict[str, Any]) -> None:
    parts = key.split(".")
    if parts[0] in NAMED and len(parts) > 2:
        known = original.get(parts[0])
        if isinstance(known, dict) and parts[1] not in known:
            text = f"there is no {parts[0]}.{parts[1]} in the file; it has {', '.join(known) or 'none'}"
            report.problems.append(Problem("command line", key, written(value), text, nearest(parts[1], known)))
            return
    here: Any = document
    for i, part in enumerate(parts[:-1]):
        below = _get(here, part)
        if below is None and isinstance(here, dict):
            below = here[part] = {}
        elif isinstance(below, int | float | str) and not isinstance(below, bool) and i == len(parts) - 2:
            names = _columns(original, parts)
            if parts[-1] in names and isinstance(here, dict):
                below = here[part] = {name: below for name in names}
        if not isinstance(below, dict | list):
            text = f"{'.'.join(parts[: i + 1])} is not a table, so it has no keys"
            report.problems.append(Problem("command line", key, written(value), text))
            return
        here = _copied(here, part, below)
    if isinstance(here, dict):
        here[parts[-1]] = value
    elif parts[-1].isdecimal() and int(parts[-1]) < len(here):
        here[int(parts[-1])] = value
    else:
        text = f"{'.'.join(parts[:-1])} is a list of {len(here)}; its entries are numbered from 0"
        report.problems.append(Problem("command line", key, written(value), text))


def _copied(here: Any, part: str, below: Any) -> Any:
    """What is below, as a copy that takes its place."""
    place = part if isinstance(here, dict) else int(part)
    here[place] = copy.copy(below)
    return here[place]


def _columns(document: dict[str, Any], parts: list[str]) -> list[str]:
    """What a number at a dotted key can be made a table by: other venues where it says what is between venues, else assets."""
    between = parts[0] == "venues" and parts[-2] == "liquidity_leakage"
    names = document.get("venues" if between else "assets")
    return [name for name in names if not (between and name == parts[1])] if isinstance(names, dict) else []


def _get(here: Any, part: str) -> Any:
    if isinstance(here, dict):
        return here.get(part)
    return here[int(part)] if part.isdecimal() and int(part) < len(here) else ()


def _drop_foreign(document: dict[str, Any], key: str, overrides: dict[str, Any]) -> None:
    """After a switch was thrown: remove the file's keys that belong to other variants only."""
    parts = tuple(key.split("."))
    for pattern, variants in SWITCHES.items():
        if len(parts) != len(pattern) or any(p not in ("*", q) for p, q in zip(pattern, parts, strict=True)):
            continue
        table: Any = document
        for part in parts[:-1]:
            below = table.get(part) if isinstance(table, dict) else None
            table = _copied(table, part, below) if isinstance(below, dict) else None
        chosen = table.get(parts[-1]) if isinstance(table, dict) else None
        if not isinstance(chosen, str) or chosen not in variants:
            continue
        foreign = set().union(*variants.values()) - variants[chosen]
        prefix = ".".join(parts[:-1])
        for name in list(table):
            given = any(k == f"{prefix}.{name}" or k.startswith(f"{prefix}.{name}.") for k in overrides)
            if name in foreign and not given:
                del table[name]

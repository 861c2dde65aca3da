"""What is read before the options are: dotted keys, and options that there are not."""

from dataclasses import MISSING, fields
from typing import Any

from .arguments import options_of

_VALUES = {"cross": 2}
"""How many words follow an option, where it is not one."""
_SEVERAL = ("bias", "columns", "events", "symbol")
"""Options after which any number of words may follow: each is an option of its own."""


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
    from ..config import Problem
    from ..problems import nearest

    command: Any = options_of(arguments[0] if arguments else "")
    if command is None or {"-h", "--help", "--"} & set(arguments):
        return arguments, []
    known = {field.name.replace("_", "-"): field.default for field in fields(command) if field.default is not MISSING}
    placed = [field.name for field in fields(command) if field.default is MISSING]
    named = next((name for name in placed if name in ("scenario", "name")), "").upper()
    needs_scenario = bool(named)
    takes_words = bool(placed)
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
        elif option.startswith("--") and _VALUES.get(name, 1) > 1 and name in known:
            values = _values(arguments[place:], _VALUES[name]) if not equals else []
            place += len(values)
            if len(values) == _VALUES[name]:
                kept += [option, *values]
            else:
                wrong(option, f"needs {_VALUES[name]} values")
        elif option.startswith("--") and name in _SEVERAL and name in known and not equals and following:
            values = _values(arguments[place:], len(arguments))
            place += len(values)
            kept += [f"{option}={value}" for value in values]
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
            if not takes_words and near is not None and known[near] is not False:
                place += len(_values(arguments[place:], len(arguments))) if not equals else 0
            elif needs_scenario and following and not equals and (near is None or known[near] is not False):
                perhaps += following if near is None else []
                place += 1
    if not takes_words:
        for word in words:
            wrong(word, f"is no option; {arguments[0]} takes options only, such as --{next(iter(known))}")
        words = []
    words = words or perhaps[:1]
    if needs_scenario and not words:
        file = "a TOML file, or " if named == "SCENARIO" else ""
        wrong(named, f"missing; needs {file}the name of a shipped scenario")
        return None, problems
    return kept + words, problems


def _values(following: list[str], count: int) -> list[str]:
    """The words that follow, up to the next option."""
    values = []
    for word in following[:count]:
        if word.startswith("--"):
            break
        values.append(word)
    return values


__all__ = ["dotted_as_set", "without_unknown"]

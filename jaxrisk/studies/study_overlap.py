"""Settings of a study that would take one another's place in silence, or that have to be the same in all its cells."""

import functools
import itertools
from collections.abc import Iterable

from ..problems import Report
from .study_tables import Settings, StudyFile

ALIKE = {"run.paths": "paths", "run.seed": "seed", "run.steps": "steps", "run.step": "steps"}
"""What all runs have alike, or there would be no difference on the same random numbers; by what it is called under `[run]`."""

MOST_LETTERS = 300
"""Of a name that is compared by its parts; there is none as long."""


def check_settings(keys: StudyFile, report: Report) -> None:
    """Note what is set that has to be the same in all cells, and what two axes or two groups of branches both set."""
    groups: dict[str, set[str]] = {}
    for one in keys.branches:
        groups.setdefault(one.group, set()).update(one.settings)
    axes = [(axis.name, {key for _, settings in axis.places for key in settings}) for axis in keys.grid]
    drawn = list(keys.sample.ranges) if keys.sample else []
    _alike(report, "set", keys.settings)
    _alike(report, "grid", itertools.chain(*(names for _, names in axes)))
    _alike(report, "cells", itertools.chain(*(one.settings for one in keys.cells)))
    _alike(report, "sample.ranges", drawn)
    _alike(report, "branches", itertools.chain(*groups.values()))
    _apart(report, "grid", "axes", axes)
    _apart(report, "branches", "groups", list(groups.items()))


def _alike(report: Report, at: str, names: Iterable[str]) -> None:
    for name in sorted(set(names)):
        known = next((word for key, word in ALIKE.items() if name == key or name.startswith(f"{key}.")), None)
        if known is not None:
            report.add(at, name, f"has to be the same in all cells; [run] {known} says it of all")


def _apart(report: Report, at: str, what: str, each: list[tuple[str, set[str]]]) -> None:
    """Note settings of two axes, or groups, one of which would take the other's place."""
    for (one, mine), (other, theirs) in itertools.combinations(each, 2):
        for first, second in itertools.product(sorted(mine), sorted(theirs)):
            if overlap(first, second):
                both = f'"{first}"' if first == second else f'"{first}" and "{second}", which mean the same in part,'
                named = f'"{one}" and "{other}"' if one != other else "of one name"
                verb = "is" if first == second else "are"
                report.add(at, None, f"{both} {verb} set by two {what}, {named}; one would take the other's place", missing=True)


def overlap(one: str, other: str) -> bool:
    """Whether two names of settings mean the same in part, as far as that can be told without a scenario: the same key, one below
    another, or a parameter with labels, without them, by a pattern, or without its venue.

    >>> overlap("limits.cap", "limits.cap[retail,*,*]"), overlap("market", "market.variance")
    (True, True)
    >>> overlap("impact.coefficient[BTC]", "impact.*[?TC]"), overlap("impact.coefficient[BTC]", "impact.coefficient[ETH]")
    (True, False)
    """
    if max(len(one), len(other)) > MOST_LETTERS:
        return one == other
    return _below(one, other) or _below(other, one) or _same(one, other)


def both_set(cells: Iterable[Settings], leaves: Iterable[Settings]) -> list[str]:
    """Names that cells set and branches set too, so that the branch's would take the cell's place."""
    of_branches = {key for settings in leaves for key in settings}
    own = dict.fromkeys(key for settings in cells for key in settings)
    # what a branch sets below a table of a cell's is added to that table
    return [key for key in own if any(_below(key, name) or _same(key, name) for name in of_branches)]


def _below(name: str, above: str) -> bool:
    """Whether a key is one of what another is a table of."""
    return "[" not in above and name.startswith(f"{above}.")


def _same(one: str, other: str) -> bool:
    """Whether two names mean one number."""
    if max(len(one), len(other)) > MOST_LETTERS:
        return one == other
    pairs = [(one, other), (_everywhere(one), other), (one, _everywhere(other))]
    return any(_alike_by_label(a, b) for first, second in pairs for a in _labelled(first) for b in _labelled(second))


def _alike_by_label(one: str, other: str) -> bool:
    """Whether some text is meant by both, label by label where they have as many."""
    mine, theirs = one.split(","), other.split(",")
    return all(map(_meet, mine, theirs)) if len(mine) == len(theirs) else _meet(one, other)


def _everywhere(name: str) -> str:
    """The name by which a number of all venues, populations or stop orders is meant."""
    base, bracket, labels = name.partition("[")
    parts = base.split(".")
    return ".".join([parts[0], *parts[2:]]) + bracket + labels if len(parts) > 2 else name


def _labelled(name: str) -> list[str]:
    """With labels: its own; else all, or what a key ends in."""
    above, dot, last = name.rpartition(".")
    return [name] if "[" in name else [f"{name}[*]", f"{above}[{last}]"] if dot else [f"{name}[*]"]


@functools.lru_cache(maxsize=100_000)
def _meet(one: str, other: str) -> bool:
    """Whether some text is meant by both of two patterns."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "*":
        return _meet(one, other[1:]) or _meet(one[1:], other)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and _meet(one[1:], other[1:])


__all__ = ["ALIKE", "both_set", "check_settings", "overlap"]

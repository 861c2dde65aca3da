"""What a study file may hold: every key and what it may be, read with all problems at once."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..problems import Report, nearest

Settings = dict[str, Any]
"""Values by dotted key of a scenario file, or by the name of a parameter."""


class Axis(NamedTuple):
    """One direction of a grid: what it is called, and for each of its places a label and the settings there."""

    name: str
    places: tuple[tuple[str, Settings], ...]


class Listed(NamedTuple):
    """A cell given by itself, or one case of an axis."""

    name: str
    settings: Settings


class Draws(NamedTuple):
    """A Latin hypercube: how many `cells`, by which `seed`, and for each name its lowest and highest value and whether it is
    spread evenly in its logarithm."""

    cells: int
    seed: int
    ranges: tuple[tuple[str, float, float, bool], ...]


class Branch(NamedTuple):
    """What may be so, with a weight: one of its `group`, whose weights sum to one."""

    group: str
    name: str
    weight: float
    settings: Settings


class Keys(NamedTuple):
    """A study file as written; see `docs/studies.md`."""

    name: str
    title: str
    question: str
    scenarios: tuple[str, ...]
    settings: Settings
    run: Settings
    quick: Settings
    grid: tuple[Axis, ...]
    cells: tuple[Listed, ...]
    sample: Draws | None
    branches: tuple[Branch, ...]
    reference: str | Settings | None
    measures: tuple[str, ...]
    rank: str | None
    by_class: tuple[str, ...] | None


TOP = ("name", "title", "question", "sources", "scenario", "scenarios", "set", "run", "quick", "grid", "cells", "sample",
       "branches", "reference", "measures", "rank", "by_class")  # fmt: skip
RUN = ("paths", "seed", "steps", "precision")
DISTINCT = ("grid", "cells", "sample", "reference", "measures", "scenario", "scenarios")
"""Keys that tell a study from other files."""
MOST_CELLS = 100_000
_SETTINGS = 'has to be a table of settings by dotted name, such as { "limits.file" = "eu_retail_cfd" }'


def read_keys(document: Mapping[str, Any], report: Report) -> Keys:
    """Everything a document says; every problem is noted in `report`: unknown and missing keys, values that are not allowed."""
    known(document, TOP, "", report)
    text = lambda key: _text(document, key, report)
    return Keys(
        name=text("name") or "study",
        title=text("title"),
        question=text("question"),
        scenarios=_scenarios(document, report),
        settings=settings_of(document.get("set", {}), "set", report),
        run=_run(document.get("run", {}), "run", report),
        quick=_run(document.get("quick", {}), "quick", report),
        grid=tuple(_each(document, "grid", report, _axis)),
        cells=tuple(_each(document, "cells", report, _listed)),
        sample=_draws(document["sample"], report) if "sample" in document else None,
        branches=_branches(document, report),
        reference=_reference(document, report),
        measures=_texts(document, "measures", report) or (),
        rank=text("rank") or None,
        by_class=_texts(document, "by_class", report, empty=True),
    )


def known(table: Mapping[str, Any], keys: tuple[str, ...], prefix: str, report: Report) -> None:
    """Note every key that there is not, with the nearest that there is."""
    for key in table:
        if key not in keys:
            report.add(prefix + str(key), table[key], f"unknown key; the keys here are {', '.join(keys)}", nearest(key, keys))


def number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def settings_of(value: Any, key: str, report: Report, empty: bool = True) -> Settings:
    """A table of settings by dotted name; `[set.market]` is the same as names that begin with `market.`."""
    if not isinstance(value, Mapping) or (not value and not empty):
        report.add(key, value, _SETTINGS)
        return {}
    return _flat(value)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Settings:
    """Tables under names without dots, taken apart; what is under a dotted name, which has quotes in a file, is one value."""
    flat: Settings = {}
    for name, value in table.items():
        nested = isinstance(value, Mapping) and value and not set(str(name)) & set(".[*?")
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def _text(document: Mapping[str, Any], key: str, report: Report) -> str:
    value = document.get(key, "")
    if not isinstance(value, str):
        report.add(key, value, "has to be text")
        return ""
    return value


def _texts(document: Mapping[str, Any], key: str, report: Report, empty: bool = False) -> tuple[str, ...] | None:
    if key not in document:
        return None
    value = document[key]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or not (value or empty):
        report.add(key, value, "has to be a list of texts")
        return None
    return tuple(value)


def _scenarios(document: Mapping[str, Any], report: Report) -> tuple[str, ...]:
    if ("scenario" in document) == ("scenarios" in document):
        report.add("scenario", None, "one of scenario and scenarios is needed, and not both", missing=True)
        return ()
    if "scenarios" in document:
        names = _texts(document, "scenarios", report) or ()
        if len(set(names)) < len(names):
            report.add("scenarios", list(names), "names one twice")
        return names
    one = _text(document, "scenario", report)
    if not one and isinstance(document["scenario"], str):
        report.add("scenario", "", "has to be the name of a shipped scenario, or a path")
    return (one,) if one else ()


def _run(value: Any, key: str, report: Report) -> Settings:
    """Of a run; what the numbers may be is for the scenario's own check to say."""
    if not isinstance(value, Mapping):
        report.add(key, value, f"has to be a table, [{key}]")
        return {}
    known(value, RUN, f"{key}.", report)
    return {name: value[name] for name in RUN if name in value}


def _each(
    table: Mapping[str, Any], key: str, report: Report, read: Callable[[Mapping[str, Any], str, Report], Any], prefix: str = ""
) -> list[Any]:
    """What is read of each of a list of tables, but for those in which something is wrong."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        report.add(prefix + key, value, f"has to be tables, each [[{prefix}{key}]]")
        return []
    if key in table and not value:
        report.add(prefix + key, value, "is empty; leave it out, or give at least one")
    found = [read(one, f"{prefix}{key}.{place}", report) for place, one in enumerate(value)]
    return [one for one in found if one is not None]


def _axis(table: Mapping[str, Any], at: str, report: Report) -> Axis | None:
    if "cases" in table:
        known(table, ("name", "cases"), f"{at}.", report)
        cases = _each(table, "cases", report, _listed, f"{at}.")
        return Axis(_text(table, "name", report), tuple(cases)) if cases else None
    known(table, ("name", "key", "values", "labels"), f"{at}.", report)
    key, values, labels = _any(table, "key"), _any(table, "values"), _any(table, "labels")
    fine = True
    if not isinstance(key, str) or not key:
        report.add(f"{at}.key", key, "has to be the dotted name of what is varied, or a parameter's", missing=key is None)
        fine = False
    if not isinstance(values, list) or not values:
        text = "is empty; at least one value is needed" if values == [] else "has to be a list of values"
        report.add(f"{at}.values", values, text if values is not None else f"missing; {text}", missing=values is None)
        fine = False
    elif labels is not None and (not isinstance(labels, list) or len(labels) != len(values) or not all(map(_label, labels))):
        report.add(f"{at}.labels", labels, f"has to be a list of {len(values)} texts, one a value")
        fine = False
    if not fine:
        return None
    name, values = _text(table, "name", report) or str(key), list(values or ())
    words: list[str] = labels or [f"{name} = {worded(value)}" for value in values]
    if len(set(words)) < len(words):
        report.add(f"{at}.labels" if labels else f"{at}.values", words if labels else values, "names one twice")
    return Axis(name, tuple((word, {str(key): value}) for word, value in zip(words, values, strict=True)))


def _any(table: Mapping[str, Any], key: str) -> Any:
    return table.get(key)


def _label(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def worded(value: Any) -> str:
    """A value as it stands in a label.

    >>> worded(5.0), worded("eu_retail_cfd"), worded(0.25)
    ('5', 'eu_retail_cfd', '0.25')
    """
    return f"{value:.6g}" if number(value) else value if isinstance(value, str) else str(value)


def _listed(table: Mapping[str, Any], at: str, report: Report) -> Listed | None:
    known(table, ("name", "set"), f"{at}.", report)
    name = table.get("name")
    if not _label(name):
        report.add(f"{at}.name", name, "has to be text, what the cell is called", missing=name is None)
        return None
    return Listed(str(name), settings_of(table.get("set", {}), f"{at}.set", report))


def _draws(table: Any, report: Report) -> Draws | None:
    if not isinstance(table, Mapping):
        report.add("sample", table, "has to be a table, [sample]")
        return None
    known(table, ("cells", "seed", "ranges", "log"), "sample.", report)
    count, seed, ranges, logs = (_any(table, key) for key in ("cells", "seed", "ranges", "log"))
    whole = lambda value: isinstance(value, int) and not isinstance(value, bool)
    before = len(report.problems)
    if not whole(count) or not 2 <= count <= MOST_CELLS:
        report.add("sample.cells", count, f"has to be a whole number from 2 to {MOST_CELLS:,}", missing=count is None)
    if seed is not None and (not whole(seed) or seed < 0):
        report.add("sample.seed", seed, "has to be a whole number from 0 on")
    if not isinstance(ranges, Mapping) or not ranges:
        text = 'has to be a table of a lowest and a highest value by name, such as { "impact.coefficient" = [0.5, 3] }'
        report.add("sample.ranges", ranges, text, missing=ranges is None)
        ranges = {}
    logs = [] if logs is None else logs
    if not isinstance(logs, list) or any(one not in ranges for one in logs):
        report.add("sample.log", logs, f"has to be a list of names out of ranges: {', '.join(map(str, ranges)) or 'none'}")
        logs = []
    for name, ends in ranges.items():
        above = 0.0 if name in logs else -math.inf
        if not isinstance(ends, list) or len(ends) != 2 or not all(map(number, ends)) or not above < ends[0] < ends[1]:
            text = "has to be a list of two numbers, the lowest and the highest" + (", above 0" if name in logs else "")
            report.add(f"sample.ranges.{name}", ends, text)
    if len(report.problems) > before:
        return None
    return Draws(int(count), int(seed or 0), tuple((name, float(a), float(b), name in logs) for name, (a, b) in ranges.items()))


def _branches(document: Mapping[str, Any], report: Report) -> tuple[Branch, ...]:
    found = _each(document, "branches", report, _branch)
    for group in dict.fromkeys(one.group for one in found):
        mine = [one for one in found if one.group == group]
        total = sum(one.weight for one in mine)
        of = f' of "{group}"' if group else ""
        if abs(total - 1.0) > 1e-6 and len(found) == len(document["branches"]):  # else one is left out that is itself wrong
            report.add("branches", None, f"the weights{of} sum to {total:.6g}; they have to sum to 1", missing=True)
        if len({one.name for one in mine}) < len(mine):
            report.add("branches", None, f"two branches{of} have one name", missing=True)
    return tuple(found)


def _branch(table: Mapping[str, Any], at: str, report: Report) -> Branch | None:
    known(table, ("group", "name", "weight", "set"), f"{at}.", report)
    listed = _listed({key: table[key] for key in ("name", "set") if key in table}, at, report)
    weight = _any(table, "weight")
    if not number(weight) or not 0.0 < weight <= 1.0:
        report.add(f"{at}.weight", weight, "has to be a number above 0 and at most 1", missing=weight is None)
        return None
    return None if listed is None else Branch(_text(table, "group", report), listed.name, float(weight), listed.settings)


def _reference(document: Mapping[str, Any], report: Report) -> str | Settings | None:
    value = document.get("reference")
    if value is None or _label(value):
        return value
    return settings_of(value, "reference", report, empty=False) or None


__all__ = ["DISTINCT", "MOST_CELLS", "Axis", "Branch", "Draws", "Keys", "Listed", "Settings", "number", "read_keys", "worded"]

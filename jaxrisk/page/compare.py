"""What changed since an earlier result of the same question, and whether it is more than the simulation's own chance."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scipy.special import ndtri

from ..problems import counted
from .answers import Answer
from .changes import Change, of_runs, of_studies
from .content import Cell, Part, Table, number
from .study_choice import Cells
from .words import APART, VERDICTS, Finding, Size, change_in_words, share_in_words, verdict

_MOST_KEYS = 40
_MOST_NAMED = 3
_KNOWN = ("paths", "first_path", "steps", "seed", "horizon_years", "feedback", "precision", "sampling", "kernel", "rounds")
"""What a run says of itself that its configuration may not: options of a command, arguments from Python."""
NOT_KNOWN = ("Intervals know of the simulation's own chance alone, not of how sure the numbers are that went in: a "
             "calibration's standard errors stand in its report.")  # fmt: skip


def compare(new: Answer, old: Answer) -> tuple[Part, list[Finding], list[Change]]:
    """What changed from an earlier answer.

    **Raises:** `ValueError` where they are not of the same kind, or have nothing in common.
    """
    if new.kind != old.kind or new.kind not in ("run", "study"):
        both = "runs and studies can be compared" if new.kind == old.kind else f"{new.path} is a {new.kind}'s"
        raise ValueError(f"{old.path} is a {old.kind}'s result, and {both}")
    if new.kind == "run":
        changes = list(of_runs(new.value, old.value))
        configured, sure = _of_runs(new.value, old.value)
    else:
        cells = Cells(new.value, new.path), Cells(old.value, old.path)
        changes = list(of_studies(new.value, old.value, *cells))
        configured, sure = _of_studies(new.value, old.value, *cells)
    if not changes:
        raise ValueError(f"{old.path} has no measure that {new.path} has")
    rows = []
    for one in changes:
        size = Size.of(one.unit, max(abs(one.before), abs(one.now)))
        kind = verdict(one)
        error = one.standard_error
        before, now = (size.said(value, error) for value in (one.before, one.now))
        if one.shares is not None:
            before, now = (share_in_words(each, text, "")[0] for each, text in zip(one.shares, (before, now), strict=True))
        rows.append([Cell(one.name), number(before, f"{one.name}|before", one.before), number(now, f"{one.name}|now", one.now),
                     number(change_in_words(one, size), f"{one.name}|change", one.value, kind),
                     Cell(VERDICTS[kind])])  # fmt: skip
    table = Table("Before and now", ("measure", "before", "now", "change (95% interval)", ""), "lrrrl", rows)
    text = [_grounds([one.paired for one in changes]), NOT_KNOWN]
    lines = [f"Set otherwise: {line}" for line in configured[:_MOST_KEYS]]
    lines += [f"and {len(configured) - _MOST_KEYS} keys more"] if len(configured) > _MOST_KEYS else []
    if not sure:
        lines.append("Whether the configuration is the same in both is not known: at least one of them does not hold it.")
    lines = lines or ["The configuration is the same in both."]
    where = _where(old.path)
    found = _findings(changes, where, sure and not configured)
    return Part("compare", f"What changed since {where}?", text, [table], lines=lines), found, changes


def clear_of_all(changes: list[Change]) -> list[Change]:
    """Those told apart from none by themselves, and even when it is asked of all of them together (Bonferroni)."""
    z = float(ndtri(1.0 - 0.025 / max(len(changes), 1)))
    return [one for one in changes if verdict(one) == APART and abs(one.value) > z * one.standard_error]


def _findings(changes: list[Change], where: str, same: bool) -> list[Finding]:
    """How many changed, and what those are that would be clear whatever else was looked at."""
    apart = [one for one in changes if verdict(one) == APART]
    asked = counted(len(changes), "measure has", "measures have")
    if not apart:
        return [Finding(f"Since {where}, none of {asked} changed by more than the simulation's own chance.")]
    alone = [one for one in changes if not one.paired]
    chance = 0.05 * len(alone if same else changes)
    missed = f"where nothing had changed, about {chance:.2g} would seem to" if chance > 0.0 else (
        "with one configuration on the same random numbers none should: it is another version, or other hardware")  # fmt: skip
    found = [Finding(f"Since {where}, {len(apart)} of {asked} changed by more than the simulation's own chance; {missed}.")]
    clear = clear_of_all(changes)
    if clear:
        told = []
        for one in clear[:_MOST_NAMED]:
            size = Size.of(one.unit, max(abs(one.before), abs(one.now)))
            ends = size.range(one.low, one.high, one.standard_error)
            told.append(f"{one.name}, by {f'{size.signed(one.value, one.standard_error)} {size.change()}'.strip()} "
                        f"(95% interval {ends})")  # fmt: skip
        more = f"; and {len(clear) - _MOST_NAMED} more" if len(clear) > _MOST_NAMED else ""
        words = "Changed beyond chance however many are looked at"
        found.append(Finding(f"{words}: {'; '.join(told)}{more}. {NOT_KNOWN}", APART))
    return found


def _where(path: Path) -> str:
    """A result with the folder it is in: each night's has one name."""
    whole = Path(path).absolute()
    return f"{whole.parent.name}/{whole.name}" if whole.parent.name else whole.name


def _grounds(paired: list[bool]) -> str:
    """On what the errors of changes stand."""
    same = "on the same random numbers, so that what both have by chance alike falls out"
    if all(paired):
        return f"Changes are {same}."
    alone = "the error is that of both, as if they knew nothing of each other, which is no smaller than it has to be"
    if any(paired):
        return f"Changes of means, tail averages and probabilities are {same}, where paths can be set side by side; else {alone}."
    return f"The two are not on the same random numbers, or only their figures are known: {alone}."


def _of_runs(new: Any, old: Any) -> tuple[list[str], bool]:
    """What is set otherwise, and whether that is all."""
    lines, sure = _texts(str(new.info.get("scenario_toml", "")), str(old.info.get("scenario_toml", "")))
    told = {line.partition(":")[0].rpartition(".")[2] for line in lines}
    lines += [line for line in _flatly(old.info, new.info, _KNOWN) if line.partition(":")[0] not in told]
    return lines, sure


def _of_studies(new: Any, old: Any, new_cells: Cells, old_cells: Cells) -> tuple[list[str], bool]:
    lines, sure = _texts(new_cells.text(), old_cells.text())
    lines = [f"in the reference, {line}" for line in lines]
    before, now = ({cell.name: _flat(cell.settings) for cell in one.cells} for one in (old, new))
    for name in sorted(before.keys() & now.keys()):
        lines += [
            f"in {name}, {line}" for line in _flatly(before[name], now[name], sorted(before[name].keys() | now[name].keys()))
        ]
    for words, names in (("only before", before.keys() - now.keys()), ("only now", now.keys() - before.keys())):
        lines += [f"settings {words}: {', '.join(sorted(names))}"] if names else []
    told = ("paths", "seed", "steps")
    for scenario in sorted(new.info["by_scenario"].keys() | old.info["by_scenario"].keys()):
        each = [one.info["by_scenario"].get(scenario, {}) for one in (old, new)]
        lines += [f"{scenario}, {line}" for line in _flatly(*each, told)]
    references = [sorted(one.reference.items()) for one in (old, new)]
    lines += ["compared with another setting"] if references[0] != references[1] else []
    return lines, sure


def _texts(new: str, old: str) -> tuple[list[str], bool]:
    """Keys that are set otherwise in two configurations, and whether both are known."""
    if not new or not old:
        return [], False
    try:
        before, now = _flat(tomllib.loads(old)), _flat(tomllib.loads(new))
    except tomllib.TOMLDecodeError:
        return [], False
    return list(_flatly(before, now, sorted(before.keys() | now.keys()))), True


def _flatly(before: Any, now: Any, keys: Iterable[str]) -> Iterable[str]:
    for key in keys:
        if before.get(key) != now.get(key):
            said = [_short(one.get(key, "not there")) for one in (before, now)]
            yield f"{key}: {said[0]} before, {said[1]} now"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flat(document: dict[str, Any], ahead: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= _flat(value, f"{ahead}{key}.") if isinstance(value, dict) else {f"{ahead}{key}": value}
    return found


__all__ = ["NOT_KNOWN", "Change", "clear_of_all", "compare"]

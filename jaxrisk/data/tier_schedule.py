"""A schedule of margin tiers: rows checked against each other, under a rule that is said or asked for."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ..problems import Report

TIER_RULES = ("marginal", "whole")
RELATIVE_TOLERANCE, USD_TOLERANCE = 1e-6, 1.0
ASKED = (
    'missing; needs "marginal" (a rate holds for what is above its floor, and amounts make the margin continuous) or "whole" '
    "(a rate holds for the whole position, and the margin jumps at a floor): with several rates and no amounts it may be either"
)

Note = Callable[[int, str, Any, str], None]
"""Notes a problem with a row: `(row, key, value, allowed)`."""


class Said:
    """Which of `TIER_RULES` holds for some tables: `word`, None if nothing says it; `otherwise`: what holds where the tables do
    not say it by their amounts; `ask` notes, once, that it has to be said."""

    def __init__(self, word: str | None, report: Report, key: str = "tier_rule", otherwise: str | None = None, more: str = ""):
        self.word, self.otherwise = word, otherwise
        self._report, self._key, self._more, self._asked = report, key, more, False

    def ask(self) -> None:
        if not self._asked:
            self._report.add(self._key, None, ASKED + self._more, missing=True)
        self._asked = True


def _rising(rows: Sequence[Any], note: Note) -> bool:
    """Whether floors are in order, each there once; the first that is not is noted."""
    for i, (last, row) in enumerate(pairwise(rows), start=1):
        if last.floor_usd is None or row.floor_usd is None or row.floor_usd > last.floor_usd:
            continue
        word = "unsorted: sort the tiers by floor_usd; it"
        if any(row.floor_usd == other.floor_usd for other in rows[:i]):
            word = "duplicate: a tier with this floor is there already, delete one; it"
        note(i, "floor_usd", row.floor_usd, f"{word} has to be above the floor of the tier before, {last.floor_usd:.12g}")
        return False
    return True


def _rule_of(rows: Sequence[Any], said: Said, given: list[bool]) -> str | None:
    """The rule of a table: the one said, or the one that its amounts leave; None where that has to be asked for."""
    if said.word is not None:
        return said.word
    rates = {row.maintenance_rate for row in rows}
    if len(rates) > 1 and None not in rates and not (all(given) and any(row.maintenance_amount_usd for row in rows)):
        if said.otherwise is not None:
            return said.otherwise
        # amounts in some rows are a problem of their own
        if all(given) or not any(given):
            said.ask()
            return None
    return TIER_RULES[0]


def schedule(rows: Sequence[Any], note: Note, said: Said) -> list[float]:
    """Check that rows make one schedule; returns the maintenance amounts, USD, worked out where the rows do not give them.

    **Arguments:** `rows`: with `floor_usd`, `max_leverage`, `maintenance_rate` and `maintenance_amount_usd`, None for what is
    wrong by itself; `note`: takes each problem.
    """
    if rows[0].floor_usd not in (None, 0.0):
        note(0, "floor_usd", rows[0].floor_usd, "has to be 0 in the first tier; below it there would be none")
    if not _rising(rows, note):
        return []
    given = [row.maintenance_amount_usd is not None for row in rows]
    rule = _rule_of(rows, said, given)
    whole = rule != "marginal"
    for i, row in enumerate(rows):
        if rule == "whole" and row.maintenance_amount_usd:
            text = 'has to be left out, or 0: with tier_rule = "whole" a rate holds for the whole position'
            note(i, "maintenance_amount_usd", row.maintenance_amount_usd, text)
    if any(given) and not all(given):
        note(given.index(False), "maintenance_amount_usd", "", "has to be given in all tiers of an asset or in none")
    amounts = [rows[0].maintenance_amount_usd or 0.0]
    if all(given) and abs(amounts[0]) > USD_TOLERANCE:
        note(0, "maintenance_amount_usd", amounts[0], "has to be 0 in the first tier")
    for i, row in enumerate(rows):
        if None not in (row.max_leverage, row.maintenance_rate) and row.max_leverage * row.maintenance_rate >= 1.0:
            text = f"has to be below 1 / max_leverage, {1.0 / row.max_leverage:.6g}: a new position would be liquidated at once"
            note(i, "maintenance_rate", row.maintenance_rate, text)
    for i, (last, row) in enumerate(pairwise(rows), start=1):
        floors, rates = (last.floor_usd, row.floor_usd), (last.maintenance_rate, row.maintenance_rate)
        if None not in rates and rates[1] < rates[0]:
            note(
                i, "maintenance_rate", rates[1], f"has to be at least that of the tier before, {rates[0]:g}; rates rise with size"
            )
        if None not in (last.max_leverage, row.max_leverage) and row.max_leverage > last.max_leverage:
            note(i, "max_leverage", row.max_leverage, f"has to be at most that of the tier before, {last.max_leverage:g}")
        if None in floors or None in rates or whole:
            amounts.append(0.0 if whole else amounts[-1])
            continue
        start = last.maintenance_amount_usd if all(given) else amounts[-1]
        expected = start + floors[1] * (rates[1] - rates[0])
        amounts.append(row.maintenance_amount_usd if all(given) else expected)
        if all(given) and abs(amounts[-1] - expected) > max(RELATIVE_TOLERANCE * abs(expected), USD_TOLERANCE):
            text = f"has to be {expected:.12g} for the margin to be continuous at the floor {floors[1]:.12g}"
            note(i, "maintenance_amount_usd", amounts[-1], text)
    return amounts


__all__ = ["TIER_RULES", "Said", "schedule"]

"""Numbers of a study as they stand in tables and sentences: their names, their units, and which of the record they are."""

import math
from typing import Any

from ..observables import describe
from ..report.study_table import unit_of
from ..report.sweep_table import heading, of_class
from .content import Cell, number
from .words import NEVER, Size, share_in_words

SHORT = {
    "accounts_closed_out": "accounts closed out",
    "negative_balances": "negative balances",
    "collateral_lost": "client money lost",
}
TAIL = ("max_drawdown_index", "max_drawdown")
"""Observables whose tail is the tail of the fall."""


def key_of(found: Any, field: str) -> str:
    """Which number of a study a cell holds.

    >>> from types import SimpleNamespace as S
    >>> key_of(S(cell=S(name="cap 5"), branch="", measure="mean(shortfall[*])"), "value")
    'cap 5||mean(shortfall[*])|value'
    """
    return f"{found.cell.name}|{found.branch}|{found.measure}|{field}"


def short(measure: Any) -> str:
    """A measure as it heads a column or stands in a sentence.

    >>> from jaxrisk.risk.measure import Measure
    >>> short(Measure.of("expected_shortfall(max_drawdown_index, 0.99)")), short(Measure.of("accounts_closed_out[retail]"))
    ('average fall in the worst 1% of cases', 'accounts closed out, retail')
    >>> short(Measure.of("exceedance_probability(max_drawdown_index, 0.1)"))
    'probability of a fall of more than 10%'
    """
    base, _, rest = measure.observable.partition("[")
    whom = f", {rest.rstrip(']')}" if rest.rstrip("]*") else ""
    if of_class(measure):
        return f"{SHORT.get(base, describe(base).long_name)}{whom}"
    if base in TAIL and measure.statistic == "expected_shortfall":
        return f"average fall in the worst {100.0 * (1.0 - measure.level):.3g}% of cases{whom}"
    if base in TAIL and measure.statistic == "exceedance_probability":
        return f"probability of a fall of more than {100.0 * measure.level:.4g}%{whom}"
    text = heading([measure])
    return text[:1].lower() + text[1:]


def size_of(study: Any, measures: list[Any]) -> Size:
    known = [study.over_branches.get((cell.name, str(measure))) for cell in study.cells for measure in measures]
    sizes = [abs(float(one.estimate.value)) for one in known if one is not None and one.estimate is not None]
    return Size.of(unit_of(measures[0]), max(sizes, default=0.0))


def change_of(one: Any) -> Any:
    """The change of a measure; of one for which the paths are too few, none that is known."""
    known = one.difference is None or one.estimate is not None
    return one.difference if known else one.difference._replace(standard_error=math.nan, low=math.nan, high=math.nan)


def numbers_of(one: Any, size: Size, with_unit: bool = False) -> list[Cell]:
    if one.estimate is None:
        return [Cell("-"), Cell(""), Cell(one.note)]
    estimate, error = one.estimate, float(one.estimate.standard_error)
    value = size.said(estimate.value, error) if with_unit else size.number(estimate.value, error)
    ends = one.note or size.range(estimate.low, estimate.high, error)
    if one.measure.statistic == "exceedance_probability":
        value, ends = share_in_words(estimate, value, ends)
    return [
        number(value, key_of(one, "value"), estimate.value),
        number("" if error != error or value in NEVER else size.number(error, error), key_of(one, "standard_error"), error),
        number(ends, key_of(one, "low"), estimate.low),
    ]


__all__ = ["TAIL", "change_of", "key_of", "numbers_of", "short", "size_of"]

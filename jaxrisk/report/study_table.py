"""Tables that answer a question: what was asked, a few short tables, and what one should know beside them."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..observables import describe
from ..storage.narrow import narrow
from .table import _scale

if TYPE_CHECKING:
    import pandas as pd

_STATISTICS = {
    "mean": "mean",
    "quantile": "{level} quantile",
    "value_at_risk": "{level} value at risk",
    "expected_shortfall": "{level} expected shortfall",
}
_MOST_DECIMALS = 5
Z = 1.959964
"""Standard errors to either end of a 95% interval."""
WIDTH = 100
"""Characters that a table tries to keep to."""


class Section(NamedTuple):
    """One table: `heading` (may be empty), names of the columns, `align` with "l" or "r" a column, and the texts by line."""

    heading: str
    columns: tuple[str, ...]
    align: str
    lines: Sequence[tuple[str, ...]]


class StudySummary:
    """What a study found, as text, in a terminal through rich, in a notebook; `to_dataframe` has the plain numbers.

    **Arguments:** `title`: what was asked; `answer`: the headline, lines; `sections`: tables; `notes`: lines below them;
    `records`: what `to_dataframe` holds, a mapping a row.

    >>> print(StudySummary("A question", ["An answer"], [Section("", ("name", "value"), "lr", [("a", "1.5")])], ["A note."]))
    A question
    An answer
    <BLANKLINE>
    name  value
    -----------
    a       1.5
    <BLANKLINE>
    A note.
    """

    def __init__(
        self,
        title: str,
        answer: Sequence[str] = (),
        sections: Sequence[Section] = (),
        notes: Sequence[str] = (),
        records: Sequence[Mapping[str, Any]] = (),
    ):
        self.title, self.answer, self.notes = title, tuple(answer), tuple(notes)
        self.sections = tuple(section for section in sections if section.lines)
        self.records = tuple(records)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        blocks = ["\n".join([self.title, *self.answer]), *map(_text, self.sections), "\n".join(self.notes)]
        return "\n\n".join(block for block in blocks if block)

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.text import Text

        yield Text(self.title, style="bold")
        yield from map(Text, self.answer)  # Text: brackets in names are no markup
        for section in self.sections:
            yield Text()
            for line in _fitting(section, options.max_width):
                yield Text(line, no_wrap=True, overflow="ignore")
        yield from (Text(), *map(Text, self.notes)) if self.notes else ()

    def _repr_html_(self) -> str:
        say = lambda texts: "".join(f"<div>{html.escape(text)}</div>" for text in texts)
        return (
            f"<div><b>{html.escape(self.title)}</b></div>{say(self.answer)}{''.join(map(_html, self.sections))}{say(self.notes)}"
        )

    def to_dataframe(self) -> "pd.DataFrame":
        """One row an answer, unscaled: fractions, USD and hours."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self.records))


def _heads(line: tuple[str, ...]) -> bool:
    return not any(line[1:])


def _fitting(section: Section, width: int) -> list[str]:
    """The table's lines, none of them longer than the width, if that can be had."""
    lines = _text(section, width).splitlines()
    if max(map(len, lines)) <= width:
        return lines
    return [section.heading] * bool(section.heading) + narrow(section.columns, section.align, section.lines, width)


def _text(section: Section, width: int = WIDTH) -> str:
    """The table in aligned columns. A name too long for the width has a line of its own, and its numbers the line below."""
    columns = range(len(section.columns))
    numbers = [line for line in (section.columns, *section.lines) if not _heads(line)]
    widths = [max(len(line[column]) for line in numbers) for column in columns]
    room = max(width - sum(widths[1:]) - 2 * (len(widths) - 1), len(section.columns[0]))
    widths[0] = max(len(line[0]) for line in numbers if len(line[0]) <= room)
    texts = []
    for line in (section.columns, *section.lines):
        if len(line[0]) > room and not _heads(line):
            texts.append(line[0])
            line = ("", *line[1:])
        cells = (
            line[place].rjust(widths[place]) if section.align[place] == "r" else line[place].ljust(widths[place])
            for place in columns
        )
        texts.append("  ".join(cells).rstrip())
    heading = [section.heading] if section.heading else []
    return "\n".join([*heading, texts[0], "-" * max(map(len, texts)), *texts[1:]])


def _html(section: Section) -> str:
    style = lambda place: f'style="white-space:pre;text-align:{"right" if section.align[place] == "r" else "left"}"'
    cell = lambda tag, line: "".join(f"<{tag} {style(i)}>{html.escape(text)}</{tag}>" for i, text in enumerate(line))
    body = "".join(f"<tr>{cell('td', line)}</tr>" for line in section.lines)
    caption = f"<caption>{html.escape(section.heading)}</caption>" if section.heading else ""
    return f"<table>{caption}<thead><tr>{cell('th', section.columns)}</tr></thead><tbody>{body}</tbody></table>"


def grouped(lines: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Lines whose names share what comes before `[` under one heading, if there are several.

    >>> grouped([("limits.cap[retail,*,*]", "2"), ("limits.cap[pro,*,*]", "20"), ("channels.feedback", "1")])
    [('limits.cap', ''), ('  [retail,*,*]', '2'), ('  [pro,*,*]', '20'), ('channels.feedback', '1')]
    """
    bases = [line[0].partition("[")[0] for line in lines]
    named = []
    for place, (base, line) in enumerate(zip(bases, lines, strict=True)):
        several = base in (bases[place - 1] if place else None, bases[place + 1] if place + 1 < len(bases) else None)
        if several and (place == 0 or bases[place - 1] != base):
            named.append((base, *("" for _ in line[1:])))
        named.append((f"  {line[0][len(base) :]}", *line[1:]) if several else line)
    return named


def shown(number: float, error: float, most: int = _MOST_DECIMALS) -> str:
    """A number rounded to two digits of its error; with an exponent where it would be all zeros.

    `most`: decimals, beyond which digits are left out, unless no other is left.

    >>> shown(12.3456, 0.123), shown(2.345e-7, 1.2e-8), shown(1234567.0, 0.0), shown(0.0, 0.0)
    ('12.35', '2.34e-07', '1,234,567', '0')
    >>> shown(0.0123456, 1e-6, most=4), shown(5.5e-8, 1e-9, most=4)
    ('0.0123', '5.50e-08')
    """
    number, error = float(number), float(error)
    if not math.isfinite(number):
        return "-" if math.isnan(number) else str(number)
    if not 0.0 < error < math.inf:
        whole = number == round(number) or abs(number) >= 1e4
        return f"{number:,.0f}" if whole and abs(number) < 1e9 else f"{number:,.4g}"
    digits = 1 - math.floor(math.log10(error))
    if digits <= most and max(abs(number), error) < 1e7:
        return _rounded(number, digits)
    if most < _MOST_DECIMALS and abs(number) < 1e7 and (text := _rounded(number, most)).strip("0."):
        return text
    if number == 0.0:
        return "0"
    size = math.floor(math.log10(abs(number)))
    return f"{number:.{min(max(size - math.floor(math.log10(error)) + 1, 1), 4)}e}"


def _rounded(number: float, digits: int) -> str:
    text = f"{number:,.{max(digits, 0)}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def interval(low: float, high: float, error: float, most: int = _MOST_DECIMALS) -> str:
    """Both ends, rounded as `shown` does."""
    return f"[{shown(low, error, most)}, {shown(high, error, most)}]"


def in_words(measure: Any) -> str:
    """A measure for people.

    >>> from jaxrisk.risk.measure import Measure
    >>> in_words(Measure.of("expected_shortfall(max_drawdown[BTC], 0.99)"))
    '99% expected shortfall of the maximum drawdown [BTC]'
    """
    name = observable_in_words(measure.observable)
    if measure.statistic == "exceedance_probability":
        return f"probability of {name} above {level_in_words(measure.observable, measure.level)}"
    level = "" if math.isnan(measure.level) else f"{100.0 * measure.level:.10g}%"
    other = str(measure.statistic).replace("_", " ") + (" at {level}" if level else "")
    return f"{_STATISTICS.get(str(measure.statistic), other).format(level=level)} of the {name}"


def observable_in_words(address: str) -> str:
    """`max_drawdown[BTC]` as "maximum drawdown [BTC]"."""
    base, bracket, rest = address.partition("[")
    return describe(base).long_name + (f" [{rest}" if bracket else "")


def level_in_words(address: str, level: float) -> str:
    """A level of an observable in a unit one can read.

    >>> level_in_words("max_drawdown_index", 0.15), level_in_words("open_interest_loss_usd", 2.5e9)
    ('15%', '2.5 USD B')
    """
    factor, unit = _scale(describe(address.partition("[")[0]).unit, abs(level))
    return f"{level * factor:,.4g}{unit if unit == '%' else f' {unit}'}"


def unit_of(measure: Any) -> str:
    """The unit of a measure: its observable's, or 1 for a probability."""
    return "1" if measure.statistic == "exceedance_probability" else unit_of_observable(measure.observable)


def unit_of_observable(address: str) -> str:
    """The unit of one number a path."""
    return describe(address.partition("[")[0]).unit


def scaled(unit: str, size: float) -> tuple[float, str]:
    """Factor and name of the unit that shows a number of this size best."""
    return _scale(unit, abs(size))


def said(estimate: Any, unit: str) -> str:
    """An estimate on one line, with its standard error and 95% interval.

    >>> from jaxrisk.risk import Estimate
    >>> said(Estimate(0.1234, 0.0012, 0.121, 0.1258, 0.99, 1000, 1000.0), "1")
    '12.34% (standard error 0.12%, 95% interval 12.10% to 12.58%)'
    """
    value, error, low, high = (float(number) for number in estimate[:4])
    factor, name = _scale(unit, max(abs(value), abs(error)))
    value, error, low, high = (factor * number for number in (value, error, low, high))
    tail = name if name == "%" else f" {name}"
    return (
        f"{shown(value, error)}{tail} (standard error {shown(error, error)}{tail}, "
        f"95% interval {shown(low, error)}{tail} to {shown(high, error)}{tail})"
    )


def parameter_text(parameter: Any, value: float) -> tuple[str, str, float]:
    """A parameter's value as text, its unit, and what the value was multiplied by."""
    unit = parameter.unit
    if unit.startswith("USD"):
        factor, name = scaled("USD", parameter.value)
        return shown(value * factor, 0.0), name + unit[3:], factor
    return shown(value, 0.0), "" if unit == "1" else unit, 1.0


def odds(probability: float) -> str:
    """A probability that may be tiny, also as odds; 0 is what became of one too small for a float.

    >>> odds(0.25), odds(1.3e-6), odds(0.0), odds(float("nan"))
    ('25%', '1.3e-06 (1 in 770,000)', 'below 1e-300', '-')
    """
    if not math.isfinite(probability):
        return "-"
    if probability >= 0.001:
        return f"{100.0 * probability:.3g}%"
    if not probability > 1e-300:
        return "below 1e-300"
    return f"{probability:.1e}" + (f" (1 in {float(f'{1.0 / probability:.2g}'):,.0f})" if probability > 1e-12 else "")


def few(probability: float) -> str:
    return f"{100.0 * probability:.3g}%" if probability >= 0.001 else f"{probability:.1e}" if probability > 0.0 else "0"


__all__ = [
    "Section", "StudySummary", "Z", "few", "grouped", "in_words", "interval", "level_in_words", "observable_in_words", "odds",
    "parameter_text", "said", "scaled", "shown", "unit_of", "unit_of_observable",
]  # fmt: skip

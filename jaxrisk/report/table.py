"""Estimates for people: rounded to what is known of them, in units one can read."""

import html
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..risk.tail import Estimate
from ..storage.narrow import narrow

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("", "estimate", "std. error", "unit", "95% interval")
_NUMERIC = (1, 2)
_LEAST_NAME = 26
"""Characters that the names of rows are given at least, where they have as many: with fewer, numbers go below them."""


class Row(NamedTuple):
    """One line of a summary: what was estimated, how, and how well; `estimate` is None where `note` says why."""

    measure: str
    statistic: str
    estimate: Estimate | None
    unit: str
    note: str = ""


def cells(row: Row) -> tuple[str, ...]:
    """The six texts of a row.

    >>> from jaxrisk.risk import Estimate
    >>> cells(Row("loss", "mean", Estimate(2.345e7, 4.2e5, 2.26e7, 2.43e7, 0.0, 100, 100.0), "USD"))
    ('loss', 'mean', '23.45', '0.42', 'USD M', '[22.60, 24.30]')
    """
    if row.estimate is None:
        return (row.measure, row.statistic, "", "", "", row.note)
    value, error, low, high = (float(number) for number in row.estimate[:4])
    factor, unit = _scale(row.unit, max(abs(value), abs(error)))
    digits = _digits(error * factor)
    shown = [f"{number * factor:,.{digits}f}" for number in (value, error, low, high)]
    known = error > 0.0  # of a number that is the same on every path there is no error, not one of zero
    shown = ["0" if float(text.replace(",", "")) == 0 and not known else text for text in shown]
    shown[1] = "" if math.isnan(error) else shown[1]
    interval = row.note or f"[{shown[2]}, {shown[3]}]"
    return (row.measure, row.statistic, shown[0], shown[1], unit, interval)


class Summary(Sequence):
    """A table of estimates, each with its standard error and 95% interval.

    Prints as text, in a terminal through rich, and in a notebook; `to_dataframe` has the plain numbers.
    """

    def __init__(self, title: str, rows: Sequence[Row]):
        self.title, self.rows = title, tuple(rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [_COLUMNS, *self._lines()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
        texts = [
            "  ".join(
                text.rjust(width) if column in _NUMERIC else text.ljust(width)
                for column, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, "", texts[0], "-" * max(map(len, texts)), *texts[1:]])

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.table import Table
        from rich.text import Text

        lines = self._lines()
        rows = [_COLUMNS, *(line for line in lines if any(line[1:-1]))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        if options.max_width - sum(widths[1:]) - 2 * len(widths) < min(widths[0], _LEAST_NAME):
            align = "".join("r" if column in _NUMERIC else "l" for column in range(len(_COLUMNS)))
            yield Text(self.title)
            yield from (Text(text, no_wrap=True, overflow="ignore") for text in narrow(_COLUMNS, align, lines, options.max_width))
            return
        table = Table(title=self.title, title_justify="left", box=None, header_style="bold", padding=(0, 1))
        for column, name in enumerate(_COLUMNS):
            table.add_column(name, justify="right" if column in _NUMERIC else "left", no_wrap=0 < column < len(_COLUMNS) - 1,
                             min_width=widths[column] if column else None)  # fmt: skip
        for line in lines:
            table.add_row(*line, style="bold" if not any(line[1:]) else "")
        yield table

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:{"right" if i in _NUMERIC else "left"}">{n}</th>' for i, n in enumerate(_COLUMNS))
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="white-space:pre;text-align:{"right" if column in _NUMERIC else "left"}">{html.escape(text)}</td>'
                for column, text in enumerate(line)
            )
            + "</tr>"
            for line in self._lines()
        )
        return f"<table><caption>{html.escape(self.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_dataframe(self) -> "pd.DataFrame":
        """One row an estimate, unscaled: fractions, USD and hours."""
        import pandas as pd

        missing = Estimate(math.nan, math.nan, math.nan, math.nan, math.nan, 0, math.nan)
        records = []
        for row in self.rows:
            estimate = (row.estimate or missing)._asdict()
            value = {"estimate": estimate.pop("value")}
            head = {"measure": row.measure, "statistic": row.statistic}
            records.append(head | value | estimate | {"unit": row.unit, "note": row.note})
        return pd.DataFrame.from_records(records)

    def table(self) -> tuple[tuple[str, ...], str, list[tuple[str, ...]]]:
        """Names of the columns, their alignment with "l" and "r", and the texts line by line."""
        return _COLUMNS, "".join("r" if column in _NUMERIC else "l" for column in range(len(_COLUMNS))), self._lines()

    def _lines(self) -> list[tuple[str, ...]]:
        """Texts line by line: a measure with several statistics heads their lines, one with a single shares its line."""
        lines = []
        for measure, group in itertools.groupby(self.rows, key=lambda row: row.measure):
            texts = [cells(row) for row in group]
            if len(texts) == 1:
                lines.append((f"{measure}, {texts[0][1]}", *texts[0][2:]))
            else:
                lines.append((measure, "", "", "", ""))
                lines += [(f"  {text[1]}", *text[2:]) for text in texts]
        return lines


def _scale(unit: str, size: float) -> tuple[float, str]:
    if unit in ("1", "fraction"):
        return 100.0, "%"
    if unit == "USD":
        for factor, name in ((1e9, "USD B"), (1e6, "USD M"), (1e3, "USD k")):
            if size >= factor:
                return 1.0 / factor, name
    return 1.0, unit


def usd(amount: float) -> str:
    """An amount in a unit one can read.

    >>> usd(2.04e6), usd(12.0)
    ('2.0 USD M', '12.0 USD')
    """
    factor, unit = _scale("USD", abs(amount))
    return f"{amount * factor:,.1f} {unit}"


def at_most(probability: float) -> str:
    """The upper end of a probability's interval, rounded up: what is said of something that was not seen.

    >>> at_most(0.000922), at_most(0.0713)
    ('at most 0.093%', 'at most 7.2%')
    """
    if not probability > 0.0:
        return "at most 0%"
    digits = 1 - math.floor(math.log10(100.0 * probability))
    up = math.ceil(100.0 * probability * 10.0**digits - 1e-9) / 10.0**digits
    return f"at most {min(up, 100.0):.{max(digits, 0)}f}%"


def counted(paths: int, planned: int) -> str:
    """How many paths a result holds, and of how many where its run was stopped or goes on.

    >>> counted(4000, 4000), counted(750, 1000)
    ('4,000 paths', '750 of 1,000 paths, unfinished')
    """
    return f"{paths:,} of {planned:,} paths, unfinished" if paths < planned else f"{paths:,} paths"


def _digits(error: float) -> int:
    """Decimals that show two digits of the error."""
    if not 0.0 < error < math.inf:
        return 2
    return min(max(1 - math.floor(math.log10(error)), 0), 8)


__all__ = ["Row", "Summary", "at_most", "cells", "counted", "usd"]

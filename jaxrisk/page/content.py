"""What a page says, before it is HTML or JSON: findings, parts with tables and charts, and how it came about."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .words import Finding


class Cell(NamedTuple):
    """One cell of a table. `text`: as it is shown; `key`: which number of the result it is, `value` that number as it is stored
    (None: a word); `mark`: what a change is, one of `words.VERDICTS`; `small`: a second line."""

    text: str
    key: str = ""
    value: float | None = None
    mark: str = ""
    small: str = ""


class Table(NamedTuple):
    """`caption`; `columns`; `align` with "l" or "r" a column; `rows` of cells, the first of which heads the row; a row of one
    cell heads those below it."""

    caption: str
    columns: tuple[str, ...]
    align: str
    rows: list[list[Cell]]


class Chart(NamedTuple):
    """`name`: an identifier; `finding`: what it shows, in a sentence, for who cannot see it; `spec`: Vega-Lite; `table`: its
    numbers; `wide`: whether it needs the page's width."""

    name: str
    title: str
    finding: str
    spec: dict[str, Any]
    table: Table | None = None


@dataclass
class Part:
    """A part of a page. `name`: an identifier; `heading`: what is asked; paragraphs, then tables and charts, then `lines`, a
    list; `code`: text in fixed width; `folded`: whether it is shut at first."""

    name: str
    heading: str
    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    code: str = ""
    folded: bool = False


@dataclass
class Page:
    """What a result has to say.

    `kind`: of which answer; `title`, `question`; `lead`: paragraphs for a reader who knows no finance; `headline`: the table of
    the first screen; `findings`; `parts` in the order in which a supervisor asks; `choice`: what the reader may choose and see,
    the program's data; `made`: how it came about, by name; `changes`: measures before and now, where an earlier result is
    compared.
    """

    kind: str
    title: str
    question: str = ""
    lead: list[str] = field(default_factory=list)
    headline: Table | None = None
    findings: list[Finding] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    choice: dict[str, Any] | None = None
    made: dict[str, str] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)


def number(text: str, key: str, value: Any, mark: str = "", small: str = "") -> Cell:
    """A cell that holds a number of the result."""
    value = None if value is None else float(value)
    return Cell(text, key, None if value is not None and math.isnan(value) else value, mark, small)


def plain(page: Page) -> dict[str, Any]:
    """The page for machines: the same words, every number as it is stored, charts as the tables behind them."""
    of_table = lambda table: {
        "caption": table.caption, "columns": list(table.columns), "rows": [[_cell(cell) for cell in row] for row in table.rows]
    }  # fmt: skip
    return {
        "kind": "report", "of": page.kind, "title": page.title, "question": page.question, "lead": page.lead,
        "headline": None if page.headline is None else of_table(page.headline),
        "findings": [{"text": one.text, "verdict": one.verdict} for one in page.findings],
        "parts": [
            {"name": part.name, "heading": part.heading, "text": part.text, "tables": [of_table(one) for one in part.tables],
             "charts": [{"title": one.title, "finding": one.finding, "table": one.table and of_table(one.table)}
                        for one in part.charts], "lines": part.lines, "code": part.code}
            for part in page.parts
        ],
        "changes": page.changes, "made": page.made,
    }  # fmt: skip


def _cell(cell: Cell) -> Any:
    if not cell.key:
        return cell.text
    said = {"text": cell.text, "key": cell.key, "value": cell.value}
    return said | ({"verdict": cell.mark} if cell.mark else {}) | ({"more": cell.small} if cell.small else {})


__all__ = ["Cell", "Chart", "Page", "Part", "Table", "number", "plain"]

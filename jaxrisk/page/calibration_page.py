"""The page of a calibration: the numbers that were fitted, how sure each is, and what could not be told."""

from collections.abc import Sequence
from typing import Any

from ..problems import counted
from . import charts
from .answer_page import minus
from .content import Cell, Chart, Page, Part, Table
from .words import Finding, percent


def page(found: Any, sections: Sequence[Any]) -> Page:
    """The page of a `Calibration` with the sections of its report."""
    parts = []
    for place, one in enumerate(sections):
        text = [plain(line) for line in one.text]
        lines = [line.removeprefix("- ") for line in text if line.startswith("- ")]
        text = [line for line in text if not line.startswith("- ")]
        rows = [[Cell(minus(plain(str(cell)))) for cell in row] for row in one.rows]
        tables = []
        if rows:
            numeric = [all(_number(row[k].text) for row in rows) for k in range(len(one.header))]
            align = "".join("r" if is_so and k else "l" for k, is_so in enumerate(numeric))
            tables = [Table(one.title, tuple(map(plain, one.header)), align, rows)]
        parts.append(Part(f"part-{place}", one.title, text, tables, _pictures(found, one.title), lines))
    problems = list(found.problems)
    findings = [Finding(plain(line)) for line in problems]
    findings = findings or [Finding("Everything that was asked for converged and is identified.")]
    lead = ["A scenario's numbers were measured on data: how prices move, how deep the market is, how much is held and with how "
            "much borrowed "
            "money. Each number has its standard error beside it (s.e.): twice that either way holds the number that this much "
            "data "
            "stands for, 95 times in a hundred, if the law is right.",
            f"{counted(len(problems), 'number is', 'numbers are')} not told by the data; the base's stand in the scenario for "
            f"those."
            if problems else "What the data do not tell, and is assumed, stands at the end."]  # fmt: skip
    return Page("calibration", f"Calibration of {found.name}", "", lead, None, findings, parts, None, {})


def plain(text: str) -> str:
    """A text without Markdown's signs.

    >>> plain("`market.volatility` and a|b")
    'market.volatility and a|b'
    """
    return text.replace("`", "")


def _number(text: str) -> bool:
    text = text.strip()
    return not text or text[0].isdigit() or (text[0] in "+-\u2212." and len(text) > 1 and text[1].isdigit())


def _pictures(found: Any, title: str) -> list[Chart]:
    """The ladder, as a curve a side."""
    if title != "Ladder":
        return []
    moves = [100.0 * float(move) for move in found.ladder.moves]
    drawn = [{"series": f"{asset} {side}", "x": move, "y": float(f"{100.0 * float(share):.4g}")}
             for (asset, side), shares in found.ladder.share.items()
             for move, share in zip(moves, shares, strict=True)]  # fmt: skip
    last = [f"{asset} {side} {percent(float(shares[-1]))}" for (asset, side), shares in found.ladder.share.items()]
    words = f"Within a move of {moves[-1]:.3g}% would be liquidated: {', '.join(last)} of the side's open interest."
    spec = charts.lines(drawn, "move of the price, %", "share of the side's open interest, %")
    return [
        Chart(
            "ladder", "Liquidation ladder", words, spec, charts.behind(drawn, "move, %", "share of the side's open interest, %")
        )
    ]


__all__ = ["page", "plain"]

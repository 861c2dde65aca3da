"""The card of an answer in a notebook: title, picture, table, notes, in the text colour of the page, light or dark."""

import base64
import html
from typing import Any

MOST_ROWS, MOST_TABLES = 14, 2
"""Rows of a table, and tables, that are open at first; the others are folded."""

_STYLE = """<style>
.jaxrisk-card{border:1px solid rgba(128,128,128,.45);border-radius:6px;padding:.7em .9em;max-width:62em;color:inherit;
 font-size:90%;line-height:1.4}
.jaxrisk-card>b{font-size:110%}
.jaxrisk-card img{float:right;width:min(26em,48%);min-width:14em;margin:.2em 0 .4em 1em;background:#fff;border-radius:4px}
.jaxrisk-card table{border-collapse:collapse;margin:.5em 0;color:inherit;background:none;border:0}
.jaxrisk-card caption{text-align:left;font-weight:bold;padding:.3em 0;color:inherit;caption-side:top}
.jaxrisk-card td,.jaxrisk-card th{padding:.1em .7em .1em 0;white-space:pre-wrap;background:none;color:inherit;border:0;
 font-variant-numeric:tabular-nums;vertical-align:top}
.jaxrisk-card th{border-bottom:1px solid rgba(128,128,128,.6)}
.jaxrisk-card .r{text-align:right}.jaxrisk-card .l{text-align:left}
.jaxrisk-card .notes{clear:both;margin-top:.4em;border-top:1px solid rgba(128,128,128,.3);padding-top:.3em}
.jaxrisk-card .wide{overflow-x:auto}
@media(max-width:40em){.jaxrisk-card img{float:none;display:block;width:100%;margin:.4em 0}}
</style>"""


def card(answer: Any) -> str:
    """An answer as a piece of HTML with nothing outside it; everything that it says is escaped."""
    summary = answer.summary()
    title, lines, tables, notes = _parts(answer, summary)
    image = _image(answer, title)
    body = "".join(_table(*one) for one in tables[:MOST_TABLES])
    folded = "".join(_table(*one) for one in tables[MOST_TABLES:])
    body += f"<details><summary>{len(tables) - MOST_TABLES} more tables</summary>{folded}</details>" if folded else ""
    said = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    below = "".join(f"<div>{html.escape(note)}</div>" for note in notes)
    below = f'<details class="notes"><summary>Notes ({len(notes)})</summary>{below}</details>' if notes else ""
    return f'{_STYLE}<div class="jaxrisk-card"><b>{html.escape(title)}</b>{image}{said}{body}{below}</div>'


def _image(answer: Any, title: str) -> str:
    """The answer's first picture; nothing where a record does not hold what it needs."""
    try:
        picture = base64.b64encode(answer.plot._inline()).decode("ascii")
    except AttributeError:
        if hasattr(answer, "said"):
            return ""
        raise
    return f'<img alt="{html.escape(f"Picture of: {title}", quote=True)}" src="data:image/png;base64,{picture}">'


def _parts(answer: Any, summary: Any) -> tuple[str, list[str], list[Any], list[str]]:
    """Title, lines, tables (caption, columns, alignment, rows) and notes of any summary."""
    if hasattr(summary, "sections"):
        tables = [(one.heading, one.columns, one.align, one.lines) for one in summary.sections]
        return summary.title, list(summary.answer), tables, list(summary.notes)
    return summary.title, answer.facts(), [("", *summary.table())], answer.notes()


def _table(caption: str, columns: Any, align: str, rows: Any) -> str:
    head = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    head += f"<thead><tr>{_cells('th', columns, align)}</tr></thead>"
    first = "".join(f"<tr>{_cells('td', row, align)}</tr>" for row in rows[:MOST_ROWS])
    table = f'<div class="wide"><table>{head}<tbody>{first}</tbody></table></div>'
    if len(rows) <= MOST_ROWS:
        return table
    rest = "".join(f"<tr>{_cells('td', row, align)}</tr>" for row in rows[MOST_ROWS:])
    more = f"{len(rows) - MOST_ROWS} more rows"
    return f'{table}<details><summary>{more}</summary><div class="wide"><table><tbody>{rest}</tbody></table></div></details>'


def _cells(tag: str, texts: Any, align: str) -> str:
    return "".join(f'<{tag} class="{side}">{html.escape(str(text))}</{tag}>' for side, text in zip(align, texts, strict=True))


__all__ = ["MOST_ROWS", "MOST_TABLES", "card"]

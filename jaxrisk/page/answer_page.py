"""The page of an answer that has a table of its own: reverse stress, rare event, sensitivity, design, back-test."""

import math
from pathlib import Path
from typing import Any

from ..observables import describe
from ..report.shown import Record
from ..storage.study_files import real
from . import assumptions, charts, fixed
from .content import Cell, Chart, Page, Part, Table
from .words import MINUS, Finding, Size

LEADS = {
    "reverse stress": "Of all the ways in which outside prices could move so that this loss comes about, which is the most "
    "likely? It is found "
    "through the whole cascade of forced sales. Its probability is an order of magnitude (first order), not an estimate with an "
    "error; "
    "a rare-event run gives one.",
    "rare event": "How likely is a loss that simulated markets hardly ever show? Simulation is steered to it and each path "
    "weighted for that. "
    "The range after a figure would hold the true answer of the model 95 times in a hundred.",
    "sensitivity": "Which of the numbers that go in moves the answer, and how much? A slope is what the measure changes by for "
    "a little more "
    "of a number, found on the same simulated markets, with its 95% interval; where the interval reaches both sides of zero, "
    "the slope is "
    "not told apart from none.",
    "design": "Which leverage limits keep a loss within a budget, and take the least from holders? Found by searching, verified "
    "on simulated "
    "markets that the search had not seen. A local optimum: another may be as good.",
    "attribution": "A leveraged market falls: how much of that was news, and how much the market's own forced orders? The range "
    "after a figure is what is not known of it; on what grounds the table and the notes below it say.",
    "answer": "What was asked is answered by the table, with what one should know beside it below.",
}
HEADINGS = {"reverse stress": "How would it unfold?", "rare event": "How likely is it?", "sensitivity": "What moves the answer?",
            "design": "Which limits?", "attribution": "Whose fall was it?", "answer": "What was found?"}  # fmt: skip
INTERVALS = {
    **dict.fromkeys(("Sensitivities", "RareEvent", "Design", "Attribution", "Maturity"), fixed.OF_CHANCE),
    **dict.fromkeys(("Attributions", "Warned"), fixed.OF_UNKNOWNS),
}
"""By the class of the answer; others have no intervals, or their tables say of what they are."""
MOST_POINTS = 150
_MINUS_BEFORE = frozenset("0123456789.")


def page(record: Record, path: Path) -> Page:
    """The page of a `Record` that was read from a path."""
    summary, said = record.table, record.said
    tables = [table(one) for one in summary.sections]
    drawn = {"reverse stress": _unfolding, "sensitivity": _elasticities, "design": _frontier}.get(record.question)
    notes = list(map(minus, summary.notes))
    try:
        pictures = drawn(said) if drawn is not None else []
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        pictures = []
        notes.append("The picture is left out: the record does not hold its numbers, or not all of them.")
    text = str(said.get("scenario_toml", ""))
    made = _made(said) | {"record": fixed.hash_of(path)}
    parts = [Part("found", HEADINGS[record.question], [], tables, pictures, notes)]
    intervals = INTERVALS.get(record.kind, fixed.OF_NOTHING)
    parts += [fixed.history(), fixed.method([], intervals)]
    info = said.get("info") if isinstance(said.get("info"), dict) else {}
    if text:
        parts.append(assumptions.part(assumptions.said_of(str((info or {}).get("name", "")), text), [], []))
    parts += [fixed.limitations(_limits(record), intervals), fixed.reproduction(made, text, _again(text))]
    findings = [Finding(minus(line[:1].upper() + line[1:])) for line in summary.answer]
    return Page(record.question, summary.title, "", [LEADS[record.question]], None, findings, parts, None, made)


def table(section: Any) -> Table:
    """A table of texts as it was shown; a line of one text heads those below it."""
    rows = [[Cell(line[0])] if not any(line[1:]) else [Cell(minus(text.strip())) for text in line] for line in section.lines]
    return Table(section.heading, section.columns, section.align, rows)


def minus(text: str) -> str:
    """A text whose negative numbers have a minus, and not a hyphen.

    >>> minus("-0.3 to 1e-05, of 2021-04-18"), minus("cap-2")
    ('\u22120.3 to 1e\u221205, of 2021-04-18', 'cap-2')
    """
    found = []
    for place, letter in enumerate(text):
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        number = letter == "-" and after in _MINUS_BEFORE and after != ""
        exponent = before in ("e", "E") and text[place - 2 : place - 1].isdigit()
        found.append(MINUS if number and (exponent or not (before.isalnum() or before in ("-", "_"))) else letter)
    return "".join(found)


def _unfolding(said: dict[str, Any]) -> list[Chart]:
    """The most likely paths: prices with and without liquidations."""
    pictures = []
    hours = float(said.get("horizon_years", 0.0)) * fixed.HOURS_PER_YEAR
    for place, answer in enumerate(said.get("answers", []), 1):
        drawn = []
        count = len(answer["price"])
        keep = range(0, count, max(1, count // MOST_POINTS))
        assets = said.get("assets") or ["price"]
        for a, name in enumerate(assets):
            for words, field in (("with liquidations", "price"), ("outside price", "log_price")):
                series = f"{name}, {words}" if len(assets) > 1 else words
                drawn += [{"series": series, "x": round(hours * k / max(count - 1, 1), 4),
                           "y": float(f"{100.0 * math.expm1(answer[field][k][a]):.4g}")} for k in keep]  # fmt: skip
        spec = charts.lines(drawn, "hours", "price against the start, %")
        words = str(answer.get("words", ""))
        said_of = minus(words[:1].upper() + words[1:]).rstrip(".") + "."
        behind = charts.behind(drawn, "hours", "price against the start, %")
        pictures.append(Chart(f"way-{place}", f"Way {place}", said_of, spec, behind))
    return pictures


def _elasticities(said: dict[str, Any]) -> list[Chart]:
    drawn = []
    for parameter, value, error in zip(said["parameters"], said["elasticity"], said["elasticity_error"], strict=True):
        value, error = real(value), real(error)
        if math.isfinite(value) and math.isfinite(error):
            size = Size(1.0, "")
            low, high = value - 1.959964 * error, value + 1.959964 * error
            drawn.append({"name": parameter["name"], "series": "all", "value": value, "low": low, "high": high,
                          "text": f"{size.signed(value, error)} ({size.range(low, high, error)})"})  # fmt: skip
    if not drawn:
        return []
    drawn = sorted(drawn, key=lambda row: -abs(row["value"]))[:30]
    clear = [row for row in drawn if row["low"] > 0.0 or row["high"] < 0.0]
    words = "No elasticity is told apart from zero."
    if clear:
        first = f"{clear[0]['name']}: {clear[0]['text']}"
        words = f"{len(clear)} of {len(drawn)} are told apart from zero; the largest of them is of {first}."
    spec = charts.whiskers(drawn, [row["name"] for row in drawn], "% of the measure per % of the parameter", "zero")
    return [
        Chart("elasticities", "Elasticities, with 95% intervals", words, spec, charts.listed(drawn, "elasticity (95% interval)"))
    ]


def _frontier(said: dict[str, Any]) -> list[Chart]:
    """What other budgets cost."""
    unit = describe(said["measure"]["observable"].partition("[")[0]).unit
    rows = [row for row in said.get("frontier", []) if row.get("measure")]
    if len(rows) < 2:
        return []
    size = Size.of(unit, max(abs(real(row["measure"]["value"])) for row in rows))
    cost = Size.of("USD", max(real(row["cost"]) for row in rows))
    drawn = []
    for row in rows:
        one = row["measure"]
        value, error, low, high = (real(one[name]) for name in ("value", "standard_error", "low", "high"))
        drawn.append({"name": cost.said(real(row["cost"]), math.nan), "series": "all", "value": value * size.factor,
                      "low": low * size.factor, "high": high * size.factor,
                      "text": f"{size.said(value, error)} ({size.range(low, high, error)})"})  # fmt: skip
    words = f"The measure under the best limits found for each budget, by open interest forgone: from {drawn[0]['text']} at "
    words += f"{drawn[0]['name']} to {drawn[-1]['text']} at {drawn[-1]['name']}."
    spec = charts.whiskers(drawn, [row["name"] for row in drawn], f"measure, {size.name}".rstrip(", "))
    return [Chart("frontier", "What a budget costs", words, spec, charts.listed(drawn, "measure (95% interval)"))]


def _again(text: str) -> list[str]:
    return ["Below is the whole configuration that it was found for, defaults included; what was asked of it stands above."] if (
        text) else []  # fmt: skip


def _made(said: dict[str, Any]) -> dict[str, str]:
    info = said.get("info") if isinstance(said.get("info"), dict) else {}
    made = {} if not said.get("command") else {"command": str(said["command"])}
    made |= {} if not said.get("versions") else {"versions": str(said["versions"])}
    for name, value in (info or {}).items():
        if isinstance(value, int | float | str) and name not in ("scenario_toml",) and str(value):
            made[name.replace("_", " ")] = f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
    return made


def _limits(record: Record) -> list[str]:
    return {
        "reverse stress": ["A minimum found from many starts is not proven to be the least; what moves faster than its profiles "
                           "is left out.",
                           "Its probability is reckoned to first order: an order of magnitude."],
        "rare event": ["The probability is of the law from the start that the scenario states."],
        "sensitivity": ["A slope is no guide to a large change; jaxrisk sensitivity --change tells that."],
        "design": ["Another set of limits may do as well; which holders give up their position is assumed."],
    }.get(record.question, [])  # fmt: skip


__all__ = ["minus", "page", "table"]

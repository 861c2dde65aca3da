"""The page of a run: what may be lost, how much of it the market's own leverage adds, and how sure that is."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..problems import counted
from ..report.table import Row, cells as texts_of
from ..risk import exceedance_probability
from ..risk.return_period import ANY_DAY
from . import assumptions, charts, fixed
from .content import Cell, Chart, Page, Part, Table, number
from .run_again import again
from .run_choice import choice
from .words import MINUS, NEVER, NONE, Finding, Size, estimate_in_words, probability_in_words, share_in_words

MOST_SHOWN = 400_000
"""Sample paths times steps that are drawn, at most, and what more there are is thinned."""


def page(result: Any, path: Path) -> Page:
    """The page of a `Result` that was read from a path."""
    info = result.info
    title = str(info.get("title") or info.get("name") or "A run")
    text = str(info.get("scenario_toml", ""))
    said = assumptions.said_of(str(info.get("name", "")), text, Path(path).absolute().parent)
    parts = [_all(result), *_pays(result), *_sure(result), *fixed.danger(result), *_fan(result), fixed.history(),
             fixed.method([_paths_words(result)]), assumptions.part(said, [], []),
             fixed.limitations(_limits(result))]  # fmt: skip
    command, notes = again(result)
    made = {**({"command": command} if command else {}), **fixed.made_of(result), "result": fixed.hash_of(path)}
    return Page("run", title, str(info.get("question", "")), _lead(result), _headline(result), _findings(result),
                [*parts, fixed.reproduction(made, text, notes)], choice(result), made)  # fmt: skip


def is_share(row: Row) -> bool:
    """Whether a row is a probability, counted on paths."""
    return row.statistic.startswith((">", "probability")) and row.unit == "1"


def key_of(row: Row, field: str) -> str:
    """Which number of a result's summary a cell holds."""
    return f"{row.measure}|{row.statistic}|{field}"


def _paths_words(result: Any) -> str:
    info = result.info
    weighted = "" if result.log_weights is None else ", weighted"
    unfinished = f" of {result.planned:,} planned; the run is not finished" if result.paths < result.planned else ""
    return f"{result.paths:,} paths{weighted}{unfinished}, {info.get('steps', '?')} steps each, seed {info.get('seed', '?')}."


def _lead(result: Any) -> list[str]:
    info = result.info
    starts = f" They start from {info['starts_from']}." if info.get("starts_from") else ""
    text = ["People who trade with borrowed money lose their stake when the price moves too far against them: the exchange "
            "closes their position, and those forced sales push the price further. This page says how far the price may fall "
            "and how many positions may be closed, "
            f"from {result.paths:,} {fixed.horizon_words(info)} and not from a forecast.{starts}"]  # fmt: skip
    if result.paths < result.planned:
        text.append(
            f"The run is not finished: {result.paths:,} of {result.planned:,} paths are here, and every figure is of these."
        )
    text.append("After each figure stands the range that would hold the true answer of the model 95 times in a hundred.")
    return text


def _headline(result: Any) -> Table | None:
    wanted = (("index drawdown", "mean"), ("index drawdown", "VaR 99%"), ("index drawdown", "ES 99%"),
              ("index amplification", "mean"), ("probability of index drawdown", "> 10%"), ("open-interest loss", "mean"),
              ("open-interest loss", "ES 99%"))  # fmt: skip
    names = ("fall of the price, average", "fall that 1 case in 100 exceeds", "average fall in the worst 1% of cases",
             "of the average fall, what liquidations add", "probability of a fall of more than 10%",
             "positions closed, average share",
             "positions closed in the worst 1%, average share")  # fmt: skip
    rows_of = {(row.measure, row.statistic): row for row in result.summary()}
    rows = []
    for name, key in zip(names, wanted, strict=True):
        row = rows_of.get(key)
        if row is None:
            continue
        rows.append([Cell(name), *_numbers(row)])
    text = "In short; a fall is the largest from a high to a later low within the horizon"
    return Table(text, ("measure", "value", "std. error", "95% interval"), "lrrr", rows) if rows else None


def _numbers(row: Row) -> list[Cell]:
    """Value with its unit, error and interval of a summary's row."""
    if row.estimate is None:
        return [Cell("-"), Cell(""), Cell(row.note)]
    _, _, value, error, unit, ends = texts_of(row)
    unit = {"USD B": "billion USD", "USD M": "million USD", "USD k": "thousand USD"}.get(unit, unit)
    minus = lambda text: text.replace("-", MINUS) if any(sign.isdigit() for sign in text) and not row.note else text
    shown = (
        f"{minus(value)}%" if unit == "%" else f"{minus(value)} {unit}".rstrip("1 ") if unit == "1" else f"{minus(value)} {unit}"
    )
    ends = minus(ends.strip("[]").replace(", ", " to ")) if not row.note else ends
    one = row.estimate
    if is_share(row):
        shown, ends = share_in_words(one, shown, ends)
        error = "" if shown in NEVER else error
    return [number(shown.strip(), key_of(row, "value"), one.value),
            number(error, key_of(row, "standard_error"), one.standard_error),
            number(ends, key_of(row, "low"), one.low)]  # fmt: skip


def _all(result: Any) -> Part:
    """The whole summary, by measure."""
    rows: list[list[Cell]] = []
    for measure, group in itertools.groupby(result.summary(), key=lambda row: row.measure):
        rows.append([Cell(measure[:1].upper() + measure[1:])])
        rows += [[Cell(row.statistic), *_numbers(row)] for row in group]
    table = Table("Every measure of the run", ("measure", "value", "std. error", "95% interval"), "lrrl", rows)
    text = ["VaR: the loss that so many cases do not exceed. ES (expected shortfall): the average of those beyond. "
            "Amplification: how much deeper the fall is than it would be without forced orders' effect on the "
            "price, on the same random numbers."]  # fmt: skip
    return Part("losses", "Who loses what under today's limits?", text, [table], lines=result.notes())


def _findings(result: Any) -> list[Finding]:
    """What a reader should take away, each figure with its interval."""
    found = []
    rows = {(row.measure, row.statistic): row for row in result.summary()}
    for key, text in ((("index drawdown", "mean"), "On average the price falls by {} from a high to a later low."),
                      (("index drawdown", "ES 99%"), "In the worst 1% of cases it falls by {} on average."),
                      (("open-interest loss", "ES 99%"), "In the worst 1% of cases for positions, {} of the open interest is "
                                                         "lost on "
                       "average.")):  # fmt: skip
        row = rows.get(key)
        if row is not None and row.estimate is not None:
            found.append(Finding(text.format(estimate_in_words(row.estimate, Size.of(row.unit, abs(float(row.estimate.value)))))))
    found += _amplified(result, rows.get(("index amplification", "mean")))
    for level in (0.1, 0.2):
        row = rows.get(("probability of index drawdown", f"> {level:.0%}"))
        if row is not None and row.estimate is not None:
            found.append(
                Finding(f"A fall of more than {level:.0%}: {probability_in_words(_events(result, row, level), result.paths)}.")
            )
    return found


def _events(result: Any, row: Row, level: float) -> Any:
    """The probability's own estimate: of what no path shows, or every, a summary keeps the bound in words alone."""
    one = row.estimate
    if one is not None and math.isfinite(float(one.low)):
        return one
    return exceedance_probability(result.column("max_drawdown_index"), level, result.log_weights)


def _amplified(result: Any, row: Any) -> list[Finding]:
    """What forced orders add to the fall: paired, so that its interval says whether it is told apart from nothing."""
    if row is None or row.estimate is None:
        return []
    one, size = row.estimate, Size.of("1", abs(float(row.estimate.value)))
    if math.isnan(float(one.low)):
        return [Finding("Forced orders add nothing to the fall on any path.", NONE)]
    told = float(one.low) > 0.0 or float(one.high) < 0.0
    words = f"{size.number(one.value, one.standard_error)} percentage points (95% interval " + size.range(
        one.low, one.high, float(one.standard_error)) + ")"  # fmt: skip
    text = f"Forced orders add {words} to the average fall." if told else (
        f"What forced orders add to the average fall is not told apart from nothing: {words}.")  # fmt: skip
    return [Finding(text, "apart" if told else "same")]


def _pays(result: Any) -> list[Part]:
    """Who pays for what is lost beyond the margin."""
    names = (("liquidation_fees", "liquidation fees, into the fund"), ("insurance_fund_used", "paid by the fund"),
             ("deleveraging_loss", "paid by the auto-deleveraged"), ("socialised_loss", "shared among holders"))  # fmt: skip
    known = [(name, words) for name, words in names if name in result.losses]
    if not known:
        return []
    estimates = [(words, name, result.mean(f"{name}[*]")) for name, words in known]
    largest = max(abs(float(one.value)) for _, _, one in estimates)
    if not largest > 0.0:
        return []
    size = Size.of("USD", largest)
    rows, drawn = [], []
    for words, name, one in estimates:
        error = float(one.standard_error)
        constant = error == 0.0
        rows.append([Cell(words), number(size.number(one.value, error), f"mean({name}[*])|value", one.value),
                     number("" if constant else size.number(error, error), f"mean({name}[*])|standard_error", error),
                     Cell("the same on every path" if constant else size.range(one.low, one.high, error))])  # fmt: skip
        drawn.append({"name": words, "value": float(one.value) * size.factor, "low": float(one.low) * size.factor,
                      "high": float(one.high) * size.factor, "text": estimate_in_words(one, size)})  # fmt: skip
    table = Table(f"Mean of a path, all venues, {size.name}", ("", "value", "std. error", "95% interval"), "lrrl", rows)
    most = max(drawn, key=lambda row: row["value"])
    spec = charts.bars(drawn, [row["name"] for row in drawn], size.name)
    chart = Chart("pays", "Who pays", f"The largest part is {most['name']}: {most['text']}.", spec, table)
    return [Part("pays", "Who pays?", ["What is executed beyond its bankruptcy price is a loss that nobody's margin covers: the "
                                       "fund pays, "
                                       "then winners whose positions are closed, then everybody."], [], [chart])]  # fmt: skip


def _sure(result: Any) -> list[Part]:
    text = ["Intervals on this page are of chance alone: only so many paths were simulated. How far the assumed numbers move "
            "the answer a run does not say: jaxrisk sensitivity and a study with branches do. What the model leaves out is "
            "below."]  # fmt: skip
    small = [row for row in result.summary() if row.estimate is None]
    lines = [f"{row.measure}, {row.statistic}: {row.note}" for row in small]
    return [Part("sure", "How sure is that?", text, lines=lines)]


def _fan(result: Any) -> list[Part]:
    """The whole paths that were kept."""
    price = result.samples.get("price")
    if price is None or not len(price):
        return []
    names = [str(one) for one in result.coords.get("assets", ["price"])]
    hours = float(result.info.get("horizon_years", 0.0)) * fixed.HOURS_PER_YEAR or float(price.shape[1] - 1)
    time = np.linspace(0.0, hours, price.shape[1])
    keep = np.unique(np.linspace(0, price.shape[1] - 1, min(price.shape[1], 120)).astype(int))
    shares = 100.0 * np.expm1(np.asarray(price, np.float64))
    levels = np.quantile(shares[:, keep, 0], [0.0, 0.5, 1.0], axis=0)
    drawn = [{"series": word, "x": float(f"{time[k]:.5g}"), "y": float(f"{levels[row, j]:.4g}")}
             for row, word in enumerate(("lowest", "middle", "highest")) for j, k in enumerate(keep)]  # fmt: skip
    many = len(price)
    lowest = f"{float(levels[0].min()):.3g}%".replace("-", MINUS)
    text = (f"Of {counted(many, 'whole path', 'whole paths')} kept, the lowest price of {names[0]} at any time is {lowest} "
            "against the start. So few paths show how a path looks, and not how far one may go.")  # fmt: skip
    spec = charts.lines(drawn, "hours", f"{names[0]} against the start, %")
    behind = charts.behind(drawn, "hours", f"{names[0]} against the start, %")
    more = "jaxrisk reverse-stress finds the most likely path to a given loss; give its JSON file to this report beside the run."
    return [Part("unfold", "How would it unfold?", [more], [], [Chart("paths", "Sample paths", text, spec, behind)])]


def _limits(result: Any) -> list[str]:
    lines = []
    if result.info.get("start") not in ANY_DAY:
        lines.append("A probability is the law's, from the start that is stated, and no frequency of days.")
    if result.log_weights is not None:
        lines.append("Paths are weighted to what is rare: figures of ordinary cases are less sure than their number suggests.")
    return lines


__all__ = ["is_share", "key_of", "page"]

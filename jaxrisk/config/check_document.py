"""From a document to a checked scenario: every section, every file it names, and what has to hold between them."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..data.named import Reader
from ..data.names import Context
from ..problems import Report
from .caps import read_limits
from .check_exchange import check_book, check_calls, check_shock_venue, check_stop, check_venues
from .check_impact import check_impact, check_temporary
from .check_market import check_market, check_shock, check_start
from .check_populations import check_amounts, check_populations, check_tiers
from .checked import Checked
from .ranges import read_ranges
from .tables import SHARE_TOLERANCE, Asset, Channels, Depth, Flow, Funding, Run, Table, Venue, keys_of, read_table
from .tables.scenario import Heading, Scenario
from .tables.values import is_word
from .tiers import with_preset

STOPS = "tables [stops.NAME]"
REQUIRED = {
    "run": "[run] with horizon, step or steps",
    "assets": "[assets.NAME] for at least one asset",
    "market": "[market] with its process",
    "impact": "[impact] with its law",
    "venues": "[venues.NAME] for at least one venue",
    "populations": "[populations.NAME] for at least one population; without one nobody can be liquidated",
}
PLAIN: dict[str, type[Table]] = {"depth": Depth, "channels": Channels, "funding": Funding, "flow": Flow}
"""Sections that are a table by themselves: all that is wrong with one is wrong within it."""


def check_document(document: dict[str, Any], file: Path, report: Report) -> Checked:
    """Check a document and all that it names; problems go to `report`."""
    checked = Checked()
    report.unknown_keys(document, keys_of(Scenario))
    for key, words in REQUIRED.items():
        if key not in document:
            report.add(key, None, f"missing; needs {words}", missing=True)
    _heading(document, file, report, checked)
    context = Context(_named(document, "assets", report), _named(document, "venues", report))
    reader = Reader(report, file.parent)
    run = SimpleNamespace(horizon=None, step=None, steps=None, book=None)
    if "run" in document:
        checked.run, run = read_table(Run, document["run"], "run", report, context)
    checked.assets = {
        name: read_table(Asset, document["assets"][name], f"assets.{name}", report, context)[0] for name in context.assets
    }
    _index_weights(checked.assets, report)
    _support(run, checked.assets, report)
    step = _step_seconds(run)
    if "market" in document:
        checked.market, checked.prices, sound = check_market(document["market"], reader, context, run, step)
        checked.history = check_start(sound, reader, context)
    if "shock" in document:
        checked.shock = check_shock(document["shock"], reader, context, run)
    if "impact" in document:
        checked.impact, checked.impact_table = check_impact(document["impact"], reader, context)
    if "temporary_impact" in document:
        checked.temporary_impact = check_temporary(document, report, context)
    for section, model in PLAIN.items():
        if section in document or section == "channels":
            setattr(checked, section, read_table(model, document.get(section, {}), section, report, context)[0])
    rules = _venues(document, context, reader, checked)
    if "stops" in document:
        for name in _named(document, "stops", report):
            checked.stops[name] = check_stop(name, document["stops"][name], report, context, checked.assets)
    inverse = np.array([v.contract == "inverse" for v in rules.values()], dtype=bool)
    populations = {name: document["populations"][name] for name in _named(document, "populations", report)}
    traded = check_populations(populations, reader, context, checked, inverse)
    check_tiers(document.get("venues", {}), reader, context, checked, traded, rules)
    check_amounts(checked, report)
    known = None if any(table is None for table in checked.populations.values()) or not checked.populations else checked.classes
    checked.caps = read_limits(document.get("limits"), reader, context, known)
    if "calls" in document:
        checked.calls = check_calls(document["calls"], report, context, known)
    if run.book is not None:
        check_book(document, run.book, rules, report)
    if "ranges" in document:
        checked.ranges = read_ranges(document["ranges"], report)
    checked.files, checked.said, checked.read_as = reader.read, list(dict.fromkeys(reader.said)), reader.lines()
    return checked


def _heading(document: dict[str, Any], file: Path, report: Report, checked: Checked) -> None:
    given = {key: document[key] for key in keys_of(Heading) if key in document}
    _, heading = read_table(Heading, given, "", report, Context())
    stem = file.name.split(".")[0]
    checked.name = document.get("name", stem if is_word(stem) else "scenario")
    checked.title, checked.question, checked.sources = heading.title, heading.question, heading.sources


def _named(document: dict[str, Any], section: str, report: Report) -> tuple[str, ...]:
    """Names of the tables in a section, in the file's order."""
    tables = document.get(section, {})
    if not isinstance(tables, dict):
        report.add(section, tables, f"has to be {REQUIRED.get(section, STOPS)}")
        return ()
    if section in document and not tables and section in REQUIRED:
        report.add(section, None, f"missing; needs {REQUIRED[section]}", missing=True)
    for name in tables:
        if not is_word(name) or "." in name:
            report.add(f"{section}.{name}", tables[name], "has to be named with letters, digits, _ and - only")
    return tuple(tables)


def _step_seconds(run: SimpleNamespace):
    """Length of a step, None if it is not known."""
    if run.step is not None and run.step.seconds:
        return run.step.seconds
    return run.horizon.seconds / run.steps if run.horizon is not None and run.steps else None


def _index_weights(assets: dict[str, Asset | None], report: Report) -> None:
    weights = {name: asset.index_weight for name, asset in assets.items() if asset is not None}
    given = {name: weight for name, weight in weights.items() if weight is not None}
    if not given:
        return
    for name in weights:
        if name not in given:
            report.add(f"assets.{name}.index_weight", None, "missing; has to be given for all assets or for none", missing=True)
    total = math.fsum(given.values())
    if len(given) == len(assets) and abs(total - 1.0) > SHARE_TOLERANCE:
        last = list(given)[-1]
        report.add(f"assets.{last}.index_weight", given[last], f"the index weights have to sum to 1; they sum to {total:g}")


def _venues(document: dict[str, Any], context: Context, reader: Reader, checked: Checked) -> dict[str, SimpleNamespace]:
    """Read the venues, each with what its preset says; returns their valid values."""
    rules = {}
    for name in context.venues:
        raw = checked.rules[name] = with_preset(document["venues"][name], f"venues.{name}", reader)
        checked.venues[name], rules[name] = read_table(Venue, raw, f"venues.{name}", reader.report, context)
    check_venues(checked.rules, rules, reader.report)
    check_shock_venue(document.get("shock"), rules, reader.report)
    return rules


def _support(run: SimpleNamespace, assets: dict[str, Asset | None], report: Report) -> None:
    support = getattr(run, "support", None)
    if support is None:
        return
    for name, asset in assets.items():
        level = support.get(name) if isinstance(support, dict) else support
        if asset is not None and level is not None and level >= asset.price:
            key = f"run.support.{name}" if isinstance(support, dict) else "run.support"
            report.add(key, level, f"has to be below the price of {name} at the start, {asset.price:.12g} (USD)")

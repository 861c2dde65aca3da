"""From a document to a checked one: every section, every file it names, and what has to hold between them."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..problems import Report, nearest
from . import holdings
from .caps import read_limits
from .check_amounts import check_amounts
from .check_exchange import (
    check_book,
    check_calls,
    check_flow,
    check_funding,
    check_shock_venue,
    check_stop,
    check_venues,
)
from .check_impact import check_impact, check_temporary
from .check_market import check_market, check_shock
from .check_start import History, check_start
from .cross_holdings import CrossTable, read_cross
from .files import Reader
from .holdings import Map, read_accounts, read_histogram, read_map
from .prices import Prices
from .ranges import Range, read_ranges
from .tables import (
    KINDS,
    SHARE_TOLERANCE,
    Accounts,
    Asset,
    Call,
    Cap,
    Channels,
    Context,
    CrossAccounts,
    Depth,
    Flow,
    Funding,
    Histogram,
    LiquidationMap,
    Run,
    Shock,
    Stop,
    Table,
    TemporaryImpact,
    Tier,
    Venue,
    keys_of,
    read_table,
    read_variant,
)
from .tables.scenario import Heading, Scenario
from .tables.values import is_word
from .tier_files import sizes_of
from .tiers import tier_tables, with_preset

STOPS = "tables [stops.NAME]"
REQUIRED = {
    "run": "[run] with horizon, step or steps",
    "assets": "[assets.NAME] for at least one asset",
    "market": "[market] with its process",
    "impact": "[impact] with its law",
    "venues": "[venues.NAME] for at least one venue",
    "populations": "[populations.NAME] for at least one population; without one nobody can be liquidated",
}


@dataclass
class Checked:
    """A scenario that has been read: its sections as models, its tables as arrays. None where something was wrong."""

    name: str = ""
    title: str = ""
    question: str = ""
    sources: list[str] = field(default_factory=list)
    run: Run | None = None
    assets: dict[str, Asset | None] = field(default_factory=dict)
    market: Table | None = None
    shock: Shock | None = None
    impact: Table | None = None
    temporary_impact: TemporaryImpact | None = None
    depth: Depth | None = None
    channels: Channels | None = None
    venues: dict[str, Venue | None] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    populations: dict[str, Table | None] = field(default_factory=dict)
    caps: list[Cap] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    stops: dict[str, Stop | None] = field(default_factory=dict)
    funding: Funding | None = None
    flow: Flow | None = None
    classes: tuple[str, ...] = ()
    tiers: dict[tuple[str, str], list[Tier]] = field(default_factory=dict)
    tier_rules: dict[str, str] = field(default_factory=dict)
    prices: Prices | None = None
    history: History | None = None
    impact_table: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    accounts: dict[str, holdings.Accounts] = field(default_factory=dict)
    cross_accounts: dict[str, CrossTable] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    histograms: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    read_as: list[str] = field(default_factory=list)


def check_document(document: dict[str, Any], file: Path, report: Report) -> Checked:
    """Check a document and all that it names; problems go to `report`."""
    checked = Checked()
    sections = keys_of(Scenario)
    for key in document:
        if key not in sections:
            report.add(key, document[key], f"unknown key; the keys here are {', '.join(sections)}", nearest(key, sections))
    for key, words in REQUIRED.items():
        if key not in document:
            report.add(key, None, f"missing; needs {words}", missing=True)
    _heading(document, file, report, checked)
    context = Context(_named(document, "assets", report), _named(document, "venues", report))
    reader = Reader(report, file.parent)
    run = SimpleNamespace(horizon=None, step=None, steps=None, book=None)
    if "run" in document:
        checked.run, run = read_table(Run, document["run"], "run", report, context)
    _both_or_neither(document.get("run"), report)
    checked.assets = {
        name: read_table(Asset, document["assets"][name], f"assets.{name}", report, context)[0] for name in context.assets
    }
    _index_weights(checked.assets, report)
    _support(run, checked.assets, report)
    step = _step_seconds(run)
    if "market" in document:
        checked.market, checked.prices = check_market(document["market"], reader, context, run, step)
        checked.history = check_start(document["market"], checked.market, reader, context)
    if "shock" in document:
        checked.shock = check_shock(document["shock"], reader, context, run)
    if "impact" in document:
        checked.impact, checked.impact_table = check_impact(document["impact"], reader, context)
    if "temporary_impact" in document:
        checked.temporary_impact = check_temporary(document, report, context)
    if "depth" in document:
        checked.depth, _ = read_table(Depth, document["depth"], "depth", report, context)
    checked.channels, _ = read_table(Channels, document.get("channels", {}), "channels", report, context)
    rules = _venues(document, context, reader, checked)
    if "stops" in document:
        for name in _named(document, "stops", report):
            checked.stops[name] = check_stop(name, document["stops"][name], report, context, checked.assets)
    if "funding" in document:
        checked.funding = check_funding(document["funding"], report, context)
    if "flow" in document:
        checked.flow = check_flow(document["flow"], report, context)
    inverse = np.array([v.contract == "inverse" for v in rules.values()], dtype=bool)
    traded = _populations(document, report, context, reader, checked, inverse)
    _tiers(document, context, reader, checked, traded, rules)
    check_amounts(checked, report)
    known = None if any(table is None for table in checked.populations.values()) or not checked.populations else checked.classes
    checked.caps = read_limits(document.get("limits"), reader, context, known)
    if "calls" in document:
        checked.calls = check_calls(document["calls"], report, context, known)
    if run.book is not None:
        check_book(document, run.book, rules, report, checked.cross_accounts)
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


def _both_or_neither(run: Any, report: Report) -> None:
    if not isinstance(run, dict):
        return
    if "step" in run and "steps" in run:
        report.add("run.steps", run["steps"], "step and steps are both given; exactly one of them is needed")
    if "step" not in run and "steps" not in run:
        text = 'missing; needs step, a duration such as "1min", or steps, a whole number'
        report.add("run.step", None, text, missing=True)


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


def _populations(
    document, report: Report, context: Context, reader: Reader, checked: Checked, inverse: np.ndarray
) -> set[tuple[str, str]]:
    """Read populations and their tables; returns the venues and assets traded."""
    traded: set[tuple[str, str]] = set()
    classes: dict[str, None] = {}
    for name in _named(document, "populations", report):
        key = f"populations.{name}"
        holders, v = read_variant(KINDS, "kind", document["populations"][name], key, report, context)
        checked.populations[name] = holders
        if getattr(v, "venue", None) and getattr(v, "asset", None):
            traded.add((v.venue, v.asset))
        if getattr(v, "account_class", None) and not isinstance(holders, Accounts | CrossAccounts):
            classes[v.account_class] = None
        if isinstance(holders, Histogram):
            histogram = read_histogram(reader, key, holders)
            if histogram is not None:
                checked.histograms[name] = histogram
        elif isinstance(holders, LiquidationMap):
            read = read_map(reader, key, holders)
            if read is not None:
                checked.maps[name] = read
        elif isinstance(holders, Accounts | CrossAccounts):
            if isinstance(holders, Accounts):
                table = read_accounts(reader, key, holders, context)
                if table is not None:
                    checked.accounts[name] = table
            else:
                price = np.array([math.nan if asset is None else asset.price for asset in checked.assets.values()])
                table = read_cross(reader, key, holders, context, price, inverse)
                if table is not None:
                    checked.cross_accounts[name] = table
            if table is None:
                checked.populations[name] = None
            else:
                pairs = set(zip(table.venue.tolist(), table.asset.tolist(), strict=True))
                traded |= {(context.venues[v], context.assets[a]) for v, a in pairs}
                classes |= dict.fromkeys(table.account_class.tolist())
    checked.classes = tuple(classes)
    return traded


def _tiers(
    document,
    context: Context,
    reader: Reader,
    checked: Checked,
    traded: set[tuple[str, str]],
    rules: dict[str, SimpleNamespace],
) -> None:
    for name in context.venues:
        table = checked.rules[name]
        source = table.get("tiers") if isinstance(table, dict) else None
        if not isinstance(source, str | list | dict):
            continue
        needed = {asset for venue, asset in traded if venue == name}
        key = "tiers" if "tiers" in document["venues"][name] else "preset"
        rule = rules[name].tier_rule
        sizes = sizes_of(checked.assets, rules[name].contract_size, name)
        tables, checked.tier_rules[name] = tier_tables(
            reader, f"venues.{name}.{key}", source, context.assets, needed, rule, rules[name].tier_columns, sizes
        )
        for asset, rows in tables.items():
            checked.tiers[name, asset] = rows

"""Checks of calls, stops, funding, flows and venues' rules against the rest of the scenario."""

from types import SimpleNamespace
from typing import Any

from ..data.names import Context
from ..problems import Report, nearest
from .tables import KINDS, Asset, Call, CrossAccounts, Stop, keys_of, read_table

ALL = "*"


def check_calls(raw: Any, report: Report, context: Context, classes: tuple[str, ...] | None) -> dict[str, Call]:
    """Margin calls by account class, `"*"` for all; `classes` is None where they are not known."""
    if not isinstance(raw, dict):
        report.add("calls", raw, "has to be a table with level, or tables [calls.CLASS]")
        return {}
    by_class = {name: table for name, table in raw.items() if isinstance(table, dict)}
    if not by_class:
        call, _ = read_table(Call, raw, "calls", report, context)
        return {} if call is None else {ALL: call}
    for name in raw:
        if name not in by_class:
            text = "has to be in each of the tables [calls.CLASS], or all keys here without such tables"
            report.add(f"calls.{name}", raw[name], text, nearest(name, keys_of(Call)))
    found = {name: read_table(Call, table, f"calls.{name}", report, context)[0] for name, table in by_class.items()}
    for name in found:
        if classes is not None and name not in classes:
            text = f"has to be the class of one of the populations; the classes are {', '.join(classes) or 'none'}"
            report.add(f"calls.{name}", by_class[name], text, nearest(name, classes))
    return {name: call for name, call in found.items() if call is not None}


def check_stop(name: str, raw: Any, report: Report, context: Context, assets: dict[str, Asset | None]) -> Stop | None:
    """Stop orders, whose level has to lie beyond the price at the start."""
    stops, v = read_table(Stop, raw, f"stops.{name}", report, context)
    asset = assets.get(v.asset) if v.asset is not None else None
    if asset is None or v.level is None or v.side is None:
        return stops
    long = v.side == "long"
    if v.level >= asset.price if long else v.level <= asset.price:
        text = f"has to be {'below' if long else 'above'} the price of {v.asset} at the start, {asset.price:.12g} (USD)"
        report.add(f"stops.{name}.level", v.level, f"{text}, for stops of {v.side}s")
        return None
    return stops


def check_venues(raw: dict[str, Any], rules: dict[str, SimpleNamespace], report: Report) -> None:
    """What takes two venues, or a book of the venue's own."""
    for name, v in rules.items():
        key = f"venues.{name}"
        if len(rules) == 1:
            for word in ("local_depth", "index_weight", "liquidity_leakage"):
                value = getattr(v, word, None)
                if value is not None and value != 0.0:
                    report.add(f"{key}.{word}", value, "needs a second venue: with one the venue's price is the index")
            continue
        leakage = v.liquidity_leakage
        if isinstance(leakage, dict) and name in leakage:
            text = "has to name other venues; what is sold on this one counts in full"
            report.add(f"{key}.liquidity_leakage.{name}", leakage[name], text)
        if leakage not in (None, 0.0) and "local_depth" not in raw[name]:
            text = "needs local_depth: a venue without a book of its own takes the market's price"
            report.add(f"{key}.liquidity_leakage", leakage, text)


def check_shock_venue(raw: Any, rules: dict[str, SimpleNamespace], report: Report) -> None:
    """A shock of one venue's price takes a second one, and a mark that follows the venue's own price."""
    name = raw.get("venue") if isinstance(raw, dict) else None
    if not isinstance(name, str) or name not in rules:
        return
    if len(rules) == 1:
        report.add("shock.venue", name, "needs a second venue: with one the venue's price is the market's")
    elif rules[name].index_weight == 1.0:
        report.add("shock.venue", name, "has no effect: the venue's mark is the index (index_weight = 1)")


def check_book(document: dict[str, Any], book: str, rules: dict[str, SimpleNamespace], report: Report) -> None:
    """What each way of representing positions has, and has not."""
    if "funding" in document and book == "ladder":
        report.add("funding", None, 'needs run.book = "account" or "flow"; it is "ladder"', missing=True)
    if "flow" in document and book != "flow":
        report.add("flow", None, f'needs run.book = "flow"; it is "{book}"', missing=True)
    if "flow" not in document and book == "flow":
        text = 'missing; run.book = "flow" needs [flow] with closing_half_life, a duration such as "10d"'
        report.add("flow", None, text, missing=True)
    populations = document.get("populations")
    cross = next(word for word, model in KINDS.items() if model is CrossAccounts)
    for name, table in populations.items() if isinstance(populations, dict) else ():
        if book != "account" and isinstance(table, dict) and table.get("kind") == cross:
            text = f'needs run.book = "account", which has accounts with one collateral; it is "{book}"'
            report.add(f"populations.{name}.kind", cross, text)
    for name, v in rules.items():
        if book == "account" and v.tranches is not None and len(v.tranches) > 1:
            text = 'needs run.book = "ladder"; with "account" policy closes in parts: partial, lower_tier or to_margin'
            report.add(f"venues.{name}.tranches", v.tranches, text)
        if book != "account" and v.haircut not in (None, 0.0):
            text = f'needs run.book = "account", where collateral may be in coins; it is "{book}"'
            report.add(f"venues.{name}.haircut", v.haircut, text)

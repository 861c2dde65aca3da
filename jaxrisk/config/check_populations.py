"""Who holds what, and the margin tiers of the venues where it is held."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..data.named import Reader
from ..data.names import Context
from ..holdings.accounts import read_accounts
from ..holdings.cross_accounts import CrossFile, read_cross
from ..holdings.levels import read_histogram, read_map
from ..problems import Report
from .checked import Checked
from .tables import KINDS, MOST_USD, Accounts, CrossAccounts, Histogram, LiquidationMap, read_variant
from .tiers import sizes_of, tier_tables

Pairs = set[tuple[str, str]]
"""Venues and assets."""


def check_populations(raw: dict[str, Any], reader: Reader, context: Context, checked: Checked, inverse: np.ndarray) -> Pairs:
    """Read populations and their tables; returns the venues and assets traded. `inverse`: of each venue."""
    traded: Pairs = set()
    classes: dict[str, None] = {}
    for name, table in raw.items():
        key = f"populations.{name}"
        holders, v = read_variant(KINDS, "kind", table, key, reader.report, context)
        checked.populations[name] = holders
        if getattr(v, "venue", None) and getattr(v, "asset", None):
            traded.add((v.venue, v.asset))
        if getattr(v, "account_class", None) and not isinstance(holders, Accounts | CrossAccounts):
            classes[v.account_class] = None
        if isinstance(holders, Histogram):
            histogram = _histogram(reader, key, holders)
            if histogram is not None:
                checked.histograms[name] = histogram
        elif isinstance(holders, LiquidationMap):
            read = read_map(reader, f"{key}.file", holders.file, holders.asset)
            if read is not None:
                checked.maps[name] = read
        elif isinstance(holders, Accounts | CrossAccounts):
            if isinstance(holders, Accounts):
                found = read_accounts(reader, key, holders.file, holders.columns or {}, holders.venue, context, inverse)
                if found is not None:
                    checked.accounts[name] = found
            else:
                price = np.array([math.nan if asset is None else asset.price for asset in checked.assets.values()])
                said = CrossFile(**{name: getattr(holders, name) for name in CrossFile._fields})
                found = read_cross(reader, key, said, context, price, inverse)
                if found is not None:
                    checked.cross_accounts[name] = found
            if found is None:
                checked.populations[name] = None
            else:
                pairs = set(zip(found.venue.tolist(), found.asset.tolist(), strict=True))
                traded |= {(context.venues[v], context.assets[a]) for v, a in pairs}
                classes |= dict.fromkeys(found.account_class.tolist())
    checked.classes = tuple(classes)
    return traded


def _histogram(reader: Reader, key: str, holders: Histogram) -> tuple[list[float], list[float]] | None:
    """Leverages and shares of a histogram, from its lists or its file."""
    if holders.file is not None:
        if holders.leverage is not None or holders.share is not None:
            text = "has to be given instead of leverage and share, not beside them"
            reader.report.add(f"{key}.file", holders.file, text)
        return read_histogram(reader, f"{key}.file", holders.file)
    for name in ("leverage", "share"):
        if getattr(holders, name) is None:
            reader.report.add(f"{key}.{name}", None, "missing; needs leverage and share, or file", missing=True)
    return None if holders.leverage is None or holders.share is None else (holders.leverage, holders.share)


def check_tiers(
    raw: dict[str, Any], reader: Reader, context: Context, checked: Checked, traded: Pairs, rules: dict[str, SimpleNamespace]
) -> None:
    """Read the margin tiers of every venue; `rules`: the venues' valid values."""
    for name in context.venues:
        table = checked.rules[name]
        source = table.get("tiers") if isinstance(table, dict) else None
        if not isinstance(source, str | list | dict):
            continue
        needed = {asset for venue, asset in traded if venue == name}
        key = "tiers" if "tiers" in raw[name] else "preset"
        rule = rules[name].tier_rule
        sizes = sizes_of(checked.assets, rules[name].contract_size, name)
        tables, checked.tier_rules[name] = tier_tables(
            reader, f"venues.{name}.{key}", source, context.assets, needed, rule, rules[name].tier_columns, sizes
        )
        for asset, rows in tables.items():
            checked.tiers[name, asset] = rows


def check_amounts(checked: Checked, report: Report) -> None:
    """Note where the open interest of the populations adds up to more than `MOST_USD`; a table's is taken at its entry prices."""
    amounts: dict[str, tuple[str, float]] = {}
    for name, holders in checked.populations.items():
        if name in checked.maps:
            amounts[name] = "file", math.fsum(checked.maps[name].open_interest)
        elif (table := checked.accounts.get(name) or checked.cross_accounts.get(name)) is not None:
            with np.errstate(over="ignore"):
                amounts[name] = "file", float(np.sum(table.quantity * table.entry_price))
        elif getattr(holders, "open_interest", None) is not None:
            amounts[name] = "open_interest", holders.open_interest * (2.0 if holders.side == "both" else 1.0)
    total = sum(amount for _, amount in amounts.values())
    if total <= MOST_USD:
        return
    largest = max(amounts, key=lambda name: amounts[name][1])
    key, amount = amounts[largest]
    text = f"the populations' open interest adds up to {total:.3g} USD; more than {MOST_USD:.0e} no run can hold"
    report.add(f"populations.{largest}.{key}", getattr(checked.populations[largest], key, amount), text)

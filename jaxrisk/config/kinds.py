"""What kind of file a file is, told by its keys or columns."""

from typing import Any

from ..problems import nearest

DISTINCT = {
    "scenario": ("run", "market", "populations", "impact", "venues", "assets", "channels", "shock"),
    "limits": ("caps",),
    "venue": ("tiers", "rules"),
    "event": ("window", "before", "after", "prices"),
    "fit": ("fit",),
    "study": ("grid", "cells", "branches", "reference", "measures", "scenario", "scenarios", "quick"),
    "structure": ("open_interest_over_volume", "fund_over_open_interest", "daily_volatility"),
}
"""Keys that files of one kind have and others do not."""
FOLDERS = {"limits": "limits", "venues": "venue", "events": "event", "calibrated": "fit", "scenarios": "scenario",
           "studies": "study", "structures": "structure"}  # fmt: skip


def kind_of(document: dict[str, Any], folder: str = "") -> str:
    """The kind of a TOML document: `scenario`, `limits`, `venue`, `event`, `study`, `structure`, or `fit` (numbers that `jaxrisk
    backtest` takes).

    A word that is there counts most, then one that is spelt like it, then the folder that it stands in; a scenario otherwise.

    >>> kind_of({"caps": []}), kind_of({"cpas": []}), kind_of({"name": "x"}), kind_of({"name": "x"}, "limits")
    ('limits', 'limits', 'scenario', 'limits')
    """
    there = {kind: sum(word in document for word in words) for kind, words in DISTINCT.items()}
    if any(there.values()):
        return max(there, key=lambda kind: there[kind])
    for kind, words in DISTINCT.items():
        if any(nearest(key, words) for key in document):
            return kind
    return FOLDERS.get(folder, "scenario")


TABLES = {
    "tiers": ("floor_usd", "max_leverage", "maintenance_rate"),
    "accounts": ("venue", "asset", "side", "quantity", "entry_price"),
    "positions under cross margin": ("account", "asset", "side", "quantity", "entry_price"),
    "collateral": ("account", "asset", "amount"),
    "a liquidation map": ("price", "side", "open_interest_usd"),
    "a histogram of leverage": ("leverage", "share"),
    "impact": ("volume_usd", "log_move"),
    "prices": ("time",),
}
"""Columns of the tables that scenarios name, by kind."""


def table_of(columns: Any) -> str | None:
    """The kind of a table: the first whose columns are all there, else the one of which most are, None where there are none.

    >>> table_of(["time", "close"]), table_of(["floor_usd", "max_leverage", "rate"]), table_of(["x"])
    ('prices', 'tiers', None)
    """
    for kind, needed in TABLES.items():
        # accounts have no name where each row is one
        if set(needed) <= set(columns) and not (kind == "accounts" and "account" in columns):
            return kind
    share = {kind: len(set(needed) & set(columns)) / len(needed) for kind, needed in TABLES.items()}
    best = max(share, key=lambda kind: share[kind])
    return best if share[best] >= 0.5 else None

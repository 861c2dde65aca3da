"""A table by itself, without the scenario that names it: every number in its columns, and rows that stand for the same thing."""

import numpy as np

from ..data.columns import Columns
from ..data.repeats import note_twice, times_of
from ..data.rows import bounded, sides_of
from .accounts import note_accounts_twice
from .levels import check_shares, note_histogram_twice, note_map_twice


def note_positions_twice(table: Columns) -> None:
    """Note rows of a table of positions or of collateral, by itself, that stand for the same thing at the same time."""
    labels = [name for name in ("account", "venue", "asset", "side", "margin") if name in table.values]
    note_twice(table, "account", ", ".join(labels), *(table.values[name] for name in (*labels, *times_of(table.values))))


_TWICE = {
    "accounts": note_accounts_twice,
    "positions under cross margin": note_positions_twice,
    "collateral": note_positions_twice,
    "a liquidation map": note_map_twice,
    "a histogram of leverage": note_histogram_twice,
}
"""Notes rows of a kind of table that stand for the same thing."""


def check_columns(kind: str, table: Columns) -> None:
    """Notes what is wrong with the columns of a table of some kind: those of holdings, and any other of the same names."""
    has = table.values
    if "account" in has:
        empty = [not str(name).strip() for name in has["account"]]
        table.note("account", np.flatnonzero(empty), "has to name the account")
    if "side" in has:
        sides_of(table)
    for name, above, at_least, unit in (
        ("quantity", None, 0.0, "coins; the side says which way"),
        ("entry_price", 0.0, None, "USD a coin"),
        ("price", 0.0, None, "USD a coin"),
        ("open_interest_usd", None, 0.0, "USD"),
        ("notional", None, 0.0, "USD"),
        ("account_value", None, None, "USD"),
        ("amount", None, None, "coins, or USD"),
        ("share", None, 0.0, ""),
        ("volume_usd", None, None, "USD"),
        ("log_move", None, None, ""),
    ):
        if name in has:
            bounded(table, name, above, at_least, unit)
    if kind == "accounts":
        for name in ("collateral", "leverage"):
            if name in has:
                bounded(table, name, above=0.0)
        if not {"collateral", "leverage"} & set(has):
            text = "missing column; needs collateral (USD at entry) or leverage"
            table.report.add_in(table.file, "collateral", None, text, missing=True)
    if kind in _TWICE:
        _TWICE[kind](table)
    if table.bad:
        return
    if kind == "collateral":
        dollars = np.array([str(name).strip() == "USD" for name in has["asset"]])
        table.note("amount", np.flatnonzero(~dollars & (table.numbers("amount") < 0.0)), "has to be at least 0 (coins)")
    if kind == "a histogram of leverage":
        bounded(table, "leverage", at_least=1.0)
        check_shares(table, table.numbers("share"))


__all__ = ["check_columns"]

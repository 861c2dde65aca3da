"""Whether what is held is an amount that a run can hold."""

import math
from typing import Any

import numpy as np

from ..problems import Report
from .tables import MOST_USD


def check_amounts(checked: Any, report: Report) -> None:
    """Note where the open interest of the populations adds up to more than `MOST_USD`; a table's is taken at its entry prices.

    **Arguments:** `checked`: the document's `Checked`, of which sections in error are None.
    """
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

"""What each observable is called, measured in, and indexed by; and how one of its columns is addressed."""

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

MOST_SAMPLE_PATHS = 1000
"""Whole paths that a run keeps at most."""


class Observable(NamedTuple):
    """Name for people, unit, and the named axes after `paths`.

    `signed`: whether it can be below zero (open interest lost can too, where new positions open, `book = "flow"`); `stepped`:
    whether it is a step function of a path, whose derivative is zero and no sensitivity.
    """

    long_name: str
    unit: str
    dims: tuple[str, ...] = ()
    signed: bool = False
    stepped: bool = False


OBSERVABLES = {
    "max_drawdown_index": Observable("maximum drawdown of the index", "1"),
    "time_to_trough_index": Observable("time to the trough of the index", "years", stepped=True),
    "max_drawdown": Observable("maximum drawdown", "1", ("assets",)),
    "time_to_trough": Observable("time to the trough", "years", ("assets",), stepped=True),
    "max_drawdown_no_feedback_index": Observable("maximum drawdown of the index without feedback", "1"),
    "max_drawdown_no_feedback": Observable("maximum drawdown without feedback", "1", ("assets",)),
    "amplification_index": Observable("amplification of the index's drawdown", "1", signed=True),
    "open_interest_loss_usd": Observable("open-interest loss at initial prices", "USD"),
    "open_interest_loss_fraction": Observable("open-interest loss", "1"),
    "open_interest_loss": Observable("open-interest loss at initial prices", "USD", ("venues", "assets")),
    "liquidated_notional": Observable(
        "liquidated notional, before its own impact, without the auto-deleveraged", "USD", ("venues", "assets", "sides")
    ),
    "liquidated_by_class": Observable("liquidated notional", "USD", ("classes",)),
    "accounts_closed_out": Observable("accounts closed out", "accounts", ("classes",)),
    "accounts_closed_out_share": Observable("share of accounts closed out", "1", ("classes",)),
    "accounts_closed_out_by_side": Observable("accounts closed out", "accounts", ("sides", "classes")),
    "negative_balances": Observable("accounts with a negative balance", "accounts", ("classes",)),
    "negative_balance_usd": Observable("negative balances", "USD", ("classes",), signed=True),
    "insurance_fund_used_by_class": Observable("paid by the insurance fund for negative balances", "USD", ("classes",)),
    "deleveraging_loss_by_class": Observable(
        "profit forgone by the auto-deleveraged for negative balances, net", "USD", ("classes",), signed=True
    ),
    "socialised_loss_by_class": Observable("socialised loss for negative balances", "USD", ("classes",)),
    "collateral_lost": Observable("client money lost by closed-out accounts, less what is handed back", "USD", ("classes",)),
    "accounts_closed_out_by_leverage": Observable("accounts closed out", "accounts", ("leverages",)),
    "accounts_closed_out_share_by_leverage": Observable("share of accounts closed out", "1", ("leverages",)),
    "collateral_lost_by_leverage": Observable(
        "client money lost by closed-out accounts, less what is handed back", "USD", ("leverages",)
    ),
    "fees_paid": Observable("liquidation fees paid", "USD", ("classes",)),
    "accounts_half_lost_share": Observable("share of accounts that lost more than half", "1", ("classes",)),
    "peak_minute_liquidation": Observable("largest liquidation in one minute", "USD"),
    "log_return": Observable("log return", "1", ("assets",), signed=True),
    "lowest_log_price": Observable("lowest log price against the initial price", "1", ("assets",), signed=True),
    "support_overshoot": Observable("overshoot below the support", "1", ("assets",)),
    "support_broken": Observable("support broken", "1", ("assets",), stepped=True),
    "stopped_notional": Observable("notional closed by stop orders", "USD", ("venues",)),
    "reduced_notional": Observable("notional sold to meet margin calls", "USD", ("venues",)),
    "deleveraged_notional": Observable("auto-deleveraged notional", "USD", ("venues",)),
    "open_interest_loss_by_cause": Observable("open-interest loss at initial prices, by cause", "USD", ("causes",)),
    "margin_called": Observable("collateral asked for by margin calls", "USD", ("venues",)),
    "insurance_fund_used": Observable("paid by the insurance fund", "USD", ("venues",)),
    "insurance_fund_change": Observable("change of the insurance fund", "USD", ("venues",), signed=True),
    "shortfall": Observable(
        "loss beyond bankruptcy prices, net of what the auto-deleveraged gain", "USD", ("venues",), signed=True
    ),
    "deleveraging_loss": Observable("profit forgone by the auto-deleveraged, net", "USD", ("venues",), signed=True),
    "socialised_loss": Observable("socialised loss", "USD", ("venues",)),
    "surplus_to_fund": Observable("left of liquidated positions, into the fund", "USD", ("venues",)),
    "liquidation_fees": Observable("liquidation fees into the fund", "USD", ("venues",)),
    "common_holder_sales": Observable("net sales by common holders at initial prices", "USD", ("assets",), signed=True),
    "moved_by": Observable(
        "log fall of a venue's mark, at its lowest, by another's orders", "1", ("from_venues", "venues", "assets"), signed=True
    ),
}

CAUSES = ("liquidated", "stopped", "reduced", "deleveraged", "closed and opened")
"""Why open interest is lost; the last is what closes of its own accord, less what opens."""

DIMS = {name: observable.dims for name, observable in OBSERVABLES.items() if observable.dims}
"""Axes of each observable after `paths`; scalars are left out."""


def column(losses: Mapping[str, Any], dims: Mapping[str, Sequence[str]], coords: Mapping[str, Sequence[Any]], name: str) -> Any:
    """One number a path: `max_drawdown_index`, `max_drawdown[BTC]`, `liquidated_notional[*,BTC,long]` (`*` sums).

    **Arguments:** `losses`: observable to array with paths along the first axis, NumPy or JAX; `dims`: names of the axes after
    paths; `coords`: axis to labels.

    **Raises:** `ValueError` for an unknown observable or label, with the nearest that exists, and where labels miss.
    """
    match = re.fullmatch(r"([^\[\]]+)(?:\[(.*)\])?", name.strip())
    base, chosen = (match[1], match[2]) if match else (name, None)
    if base not in losses:
        raise unknown("observable", base, losses)
    array, axes = losses[base], dims.get(base, ())
    labels = [label.strip() for label in chosen.split(",")] if chosen else []
    if len(labels) != len(axes):
        example = f": for example {columns(array, axes, coords, base)[0]!r}, or * to sum over an axis" if axes else ""
        raise ValueError(f"{base!r} has the axes ({', '.join(axes)}) after paths and {name!r} names {len(labels)}{example}")
    for axis, label in reversed(list(zip(axes, labels, strict=True))):
        known = [str(item) for item in coords.get(axis, range(array.shape[1 + axes.index(axis)]))]
        if label != "*" and label not in known:
            raise unknown(f"label of {axis}", label, known)
        place = 1 + axes.index(axis)
        array = array.sum(place) if label == "*" else array.take(known.index(label), place)
    return array


def columns(array: Any, axes: Sequence[str], coords: Mapping[str, Sequence[Any]], name: str) -> list[str]:
    """The addresses of all columns of an observable."""
    known = [[str(item) for item in coords.get(axis, range(size))] for axis, size in zip(axes, array.shape[1:], strict=True)]
    return [f"{name}[{','.join(labels)}]" for labels in itertools.product(*known)] if axes else [name]


def describe(name: str) -> Observable:
    """The observable's description; one that is not in the list is called by its own name and has unit 1.

    >>> describe("peak_minute_liquidation").unit
    'USD'
    """
    return OBSERVABLES.get(name, Observable(name.replace("_", " "), "1"))


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest that does.

    >>> str(unknown("observable", "max_drawdwn", ["max_drawdown", "log_return"]))
    "no observable 'max_drawdwn': did you mean 'max_drawdown'? There are: max_drawdown, log_return"
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f": did you mean {near[0]!r}? " if near else ". "
    return ValueError(f"no {kind} {name!r}{guess}There are: {', '.join(known)}")


__all__ = [
    "CAUSES",
    "DIMS",
    "MOST_SAMPLE_PATHS",
    "OBSERVABLES",
    "Observable",
    "column",
    "columns",
    "describe",
    "unknown",
]

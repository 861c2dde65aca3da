"""What each observable is called, measured in, and indexed by."""

import difflib
from collections.abc import Iterable
from typing import NamedTuple


class Observable(NamedTuple):
    """Name for people, unit, and the named axes after `paths`."""

    long_name: str
    unit: str
    dims: tuple[str, ...] = ()


OBSERVABLES = {
    "max_drawdown_index": Observable("maximum drawdown of the index", "1"),
    "time_to_trough_index": Observable("time to the trough of the index", "years"),
    "max_drawdown": Observable("maximum drawdown", "1", ("assets",)),
    "time_to_trough": Observable("time to the trough", "years", ("assets",)),
    "max_drawdown_no_feedback_index": Observable("maximum drawdown of the index without feedback", "1"),
    "max_drawdown_no_feedback": Observable("maximum drawdown without feedback", "1", ("assets",)),
    "amplification_index": Observable("amplification of the index's drawdown", "1"),
    "open_interest_loss_usd": Observable("open-interest loss at initial prices", "USD"),
    "open_interest_loss_fraction": Observable("open-interest loss", "1"),
    "open_interest_loss": Observable("open-interest loss at initial prices", "USD", ("venues", "assets")),
    "liquidated_notional": Observable(
        "liquidated notional, before its own impact, without the auto-deleveraged", "USD", ("venues", "assets", "sides")
    ),
    "liquidated_by_class": Observable("liquidated notional", "USD", ("classes",)),
    "peak_minute_liquidation": Observable("largest liquidation in one minute", "USD"),
    "log_return": Observable("log return", "1", ("assets",)),
    "lowest_log_price": Observable("lowest log price against the initial price", "1", ("assets",)),
    "support_overshoot": Observable("overshoot below the support", "1", ("assets",)),
    "support_broken": Observable("support broken", "1", ("assets",)),
    "stopped_notional": Observable("notional closed by stop orders", "USD", ("venues",)),
    "reduced_notional": Observable("notional sold to meet margin calls", "USD", ("venues",)),
    "deleveraged_notional": Observable("auto-deleveraged notional", "USD", ("venues",)),
    "open_interest_loss_by_cause": Observable("open-interest loss at initial prices, by cause", "USD", ("causes",)),
    "margin_called": Observable("collateral asked for by margin calls", "USD", ("venues",)),
    "insurance_fund_used": Observable("paid by the insurance fund", "USD", ("venues",)),
    "insurance_fund_change": Observable("change of the insurance fund", "USD", ("venues",)),
    "shortfall": Observable("loss beyond bankruptcy prices, net of what the auto-deleveraged gain", "USD", ("venues",)),
    "deleveraging_loss": Observable("profit forgone by the auto-deleveraged, net", "USD", ("venues",)),
    "socialised_loss": Observable("socialised loss", "USD", ("venues",)),
    "surplus_to_fund": Observable("left of liquidated positions, into the fund", "USD", ("venues",)),
    "liquidation_fees": Observable("liquidation fees into the fund", "USD", ("venues",)),
    "common_holder_sales": Observable("net sales by common holders at initial prices", "USD", ("assets",)),
    "moved_by": Observable(
        "log fall of a venue's mark, at its lowest, by another's orders", "1", ("from_venues", "venues", "assets")
    ),
}

SAMPLES = {
    "price": ("assets",),
    "fundamental": ("assets",),
    "mark": ("venues", "assets"),
    "open_interest": ("venues", "assets"),
}
"""Axes of whole paths after `sample` and `sample_step`."""

CURVES = {"level": ("levels",), "value": ("assets", "levels")}
"""Axes of what does not depend on paths: the fragility map `value` at the log prices `level`."""


def sample_axes(name: str, dimensions: int) -> tuple[str, ...]:
    """Names of the axes of a sample array; those of an unknown array are numbered.

    >>> sample_axes("mark", 4)
    ('sample', 'sample_step', 'venues', 'assets')
    """
    known = ("sample", "sample_step", *SAMPLES.get(name, ()))
    numbered = ("sample", *(f"sample_{name}_axis_{place}" for place in range(1, dimensions)))
    return known if len(known) == dimensions else numbered


def curve_axes(name: str, dimensions: int) -> tuple[str, ...]:
    """Names of the axes of a curve; those of an unknown curve are numbered."""
    known = CURVES.get(name, ())
    return known if len(known) == dimensions else tuple(f"curve_{name}_axis_{place}" for place in range(dimensions))


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


__all__ = ["CURVES", "OBSERVABLES", "SAMPLES", "Observable", "curve_axes", "describe", "sample_axes", "unknown"]

"""The headline of a result: which numbers, in which order."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from ..risk import tail
from ..risk.tail import Estimate, TooFewPathsError
from .table import Row, Summary, at_most, counted

HOURS_PER_YEAR = 8760.0
DRAWDOWN_LEVELS = (0.1, 0.2, 0.3)
LEAST_EFFECTIVE_SHARE = 0.05
"""Below this share of effective paths the sample is tilted to the tail, and the interval of a mean covers too rarely: 89%
instead of 95% at 2%, measured on a tilted normal. Tail measures are not affected."""

_FULL = ("mean", "median", "VaR 95%", "VaR 99%", "ES 97.5%", "ES 99%")
_SHORT = ("mean", "VaR 99%", "ES 99%")


def summarise(result: Any, return_periods: bool | None = None) -> Summary:
    """The headline rows of a result; see `Result.summary`."""
    name = result.info.get("title") or result.info.get("name") or "Result"
    often = result.info.get("start") == "stationary" if return_periods is None else return_periods
    return Summary(f"{name}: {counted(result.paths, result.planned)}", list(_rows(result, often)))


def _rows(result: Any, often: bool) -> Iterator[Row]:
    assets = result.coords.get("assets", [])
    several = [str(asset) for asset in assets] if len(assets) > 1 else []

    def of(label: str, address: str, statistics: tuple[str, ...], unit: str = "1", scale: float = 1.0) -> Iterator[Row]:
        if address.split("[")[0] not in result.losses:
            return
        values = result.values(address) * scale
        for statistic in statistics:
            yield _row(label, statistic, unit, _statistic(statistic), values, result)

    yield from of("index drawdown", "max_drawdown_index", _FULL)
    for asset in several:
        yield from of(f"{asset} drawdown", f"max_drawdown[{asset}]", _FULL)
    yield from of("index drawdown, no feedback", "max_drawdown_no_feedback_index", _SHORT)
    for asset in several:
        yield from of(f"{asset} drawdown, no feedback", f"max_drawdown_no_feedback[{asset}]", _SHORT)
    yield from of("index amplification", "amplification_index", ("mean", "ES 99%"))
    if "max_drawdown_index" in result.losses:
        values = result.values("max_drawdown_index")
        for level in DRAWDOWN_LEVELS:
            yield _row("probability of index drawdown", f"> {level:.0%}", "1", _beyond(level), values, result)
    if often:
        from .return_periods import rows

        yield from rows(result)
    yield from of("index time to trough", "time_to_trough_index", ("median",), "h", HOURS_PER_YEAR)
    yield from of("open-interest loss", "open_interest_loss_fraction", _SHORT)
    yield from of("open-interest loss, USD", "open_interest_loss_usd", ("mean", "ES 99%"), "USD")
    for side in result.coords.get("sides", []):
        yield from of(f"liquidated, {side}", f"liquidated_notional[*,*,{side}]", ("mean",), "USD")
    for group in result.coords.get("classes", []):
        yield from of(f"liquidated, {group}", f"liquidated_by_class[{group}]", ("mean",), "USD")
    yield from of("peak one-minute liquidation", "peak_minute_liquidation", ("mean", "VaR 99%"), "USD")
    yield from _support(result)
    yield from _exchange(result, of)


LEAST_USD = 1.0
_FORCED = (
    ("stopped", "stopped_notional"),
    ("reduced on a margin call", "reduced_notional"),
    ("margin called", "margin_called"),
    ("auto-deleveraged", "deleveraged_notional"),
)
_PAYERS = (
    ("loss beyond bankruptcy, net", "shortfall"),
    ("paid by the fund", "insurance_fund_used"),
    ("paid by the deleveraged", "deleveraging_loss"),
    ("socialised loss", "socialised_loss"),
)


def _exchange(result: Any, of: Callable[..., Iterator[Row]]) -> Iterator[Row]:
    """Who is closed besides by liquidation, who pays, and what reaches other venues and assets."""
    losses, venues = result.losses, [str(venue) for venue in result.coords.get("venues", [])]
    classes = result.coords.get("classes", []) if "insurance_fund_used_by_class" in losses else []
    for label, name in _FORCED:
        if name in losses and result.ever(name):
            yield from of(label, f"{name}[*]", ("mean", "ES 99%"), "USD")
    for label, name in _PAYERS:
        yield from of(label, f"{name}[*]", ("mean", "VaR 99%", "ES 99%"), "USD")
    for group in classes:
        yield from of(f"negative balances, {group}", f"negative_balances[{group}]", ("mean",), "accounts")
        yield from of(f"owed, {group}", f"negative_balance_usd[{group}]", ("mean", "ES 99%"), "USD")
        for label, name in _PAYERS[1:]:
            if result.ever(f"{name}_by_class", list(classes).index(group), LEAST_USD):
                yield from of(f"{label}, for {group}", f"{name}_by_class[{group}]", ("mean",), "USD")
    if len(venues) > 1:
        for label, name in _PAYERS:
            for place, venue in enumerate(venues):
                if name not in losses or not result.ever(name, place, LEAST_USD):
                    continue  # nothing, or what rounding leaves
                yield from of(f"{label}, {venue}", f"{name}[{venue}]", ("mean", "ES 99%"), "USD")
    if "deleveraged_notional" in losses:
        values = result.values("deleveraged_notional[*]")
        yield _row("probability of auto-deleveraging", "> 1 USD", "1", _beyond(LEAST_USD), values, result)
        values = result.values("socialised_loss[*]")
        yield _row("probability of a socialised loss", "> 1 USD", "1", _beyond(LEAST_USD), values, result)
    for cause in result.coords.get("causes", []) if "open_interest_loss_by_cause" in losses else []:
        if result.ever("open_interest_loss_by_cause", list(result.coords["causes"]).index(cause)):
            yield from of(f"open interest lost, {cause}", f"open_interest_loss_by_cause[{cause}]", ("mean",), "USD")
    for asset in result.coords.get("assets", []):
        if "common_holder_sales" in losses and result.ever("common_holder_sales", _index(result, asset)):
            yield from of(f"{asset} sold by common holders", f"common_holder_sales[{asset}]", ("mean", "ES 99%"), "USD")
    assets = result.coords.get("assets", [])
    if "moved_by" in losses:
        for source in venues:
            for venue in venues:
                yield from of(f"{assets[0]} on {venue} moved by {source}", f"moved_by[{source},{venue},{assets[0]}]", ("mean",))


def _index(result: Any, asset: str) -> int:
    return [str(name) for name in result.coords["assets"]].index(str(asset))


def _support(result: Any) -> Iterator[Row]:
    if "support_overshoot" not in result.losses:
        return
    supports = result.info.get("support_usd", [])
    for place, address in enumerate(result.columns("support_overshoot")):
        if place < len(supports) and not supports[place] > 0.0:
            continue  # no support was set for this asset
        values = result.values(address)
        label = f"support of {address.split('[')[-1].rstrip(']')}"
        yield _row(label, "probability of break", "1", _beyond(0.0), values, result)
        yield _row(label, "mean overshoot if broken", "1", _if_positive, values, result)


def _row(label: str, statistic: str, unit: str, function: Callable, values: Any, result: Any) -> Row:
    try:
        estimate = result.estimate(function, values)
    except TooFewPathsError as error:
        return Row(
            label, statistic, None, unit, "too few events" if function is _if_positive else f"needs {error.needed:,} paths"
        )
    if statistic in ("mean", "median") and estimate.effective_paths < LEAST_EFFECTIVE_SHARE * estimate.paths:
        return Row(label, statistic, None, unit, f"{estimate.effective_paths:,.0f} effective paths")
    if estimate.standard_error == 0.0 and values.min() == values.max():
        # what no path shows may still happen: no error is known, but how often at most
        rarely = result.estimate(_beyond(float(values.max())), values).high
        nothing = math.nan
        estimate = estimate._replace(standard_error=nothing, low=nothing, high=nothing)
        return Row(label, statistic, estimate, unit, f"the same on every path (others: {at_most(rarely)})")
    return Row(label, statistic, estimate, unit)


def _statistic(name: str) -> Callable[[Any, Any], Estimate]:
    if name == "mean":
        return tail.mean
    if name == "median":
        return lambda values, log_weights: tail.quantile(values, 0.5, log_weights)
    kind, level = name.rstrip("%").split(" ")
    function = {"VaR": tail.value_at_risk, "ES": tail.expected_shortfall}[kind]
    return lambda values, log_weights: function(values, float(level) / 100.0, log_weights)


def _beyond(level: float) -> Callable[[Any, Any], Estimate]:
    return lambda values, log_weights: tail.exceedance_probability(values, level, log_weights)


def _if_positive(values: Any, log_weights: Any) -> Estimate:
    return tail.conditional_mean(values, values > 0.0, log_weights)


__all__ = ["DRAWDOWN_LEVELS", "HOURS_PER_YEAR", "summarise"]

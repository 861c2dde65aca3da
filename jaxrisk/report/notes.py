"""What one should know beside the numbers of a result."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .table import usd

BIAS = "coarser steps bias what forced orders do to the price, by more than intervals say"
LEAST_BALANCING = 0.001  # share of open interest below which holders who make up a difference are not worth a line


def notes(info: Mapping[str, Any], assets: Sequence[Any], paths: int | None = None) -> list[str]:
    """Lines on a run that is not finished, on positions left out at the start, on holders added to balance the sides, on steps
    longer than the file's, on sampling, and on criticality.

    **Arguments:** `info`: a result's; `assets`: their names; `paths`: how many the result holds. What is not in `info` makes no
    line.

    >>> notes({"open_interest_usd": 8e9, "dropped_open_interest_usd": 2e6}, ["BTC"])
    ['dropped at the start: 2.0 USD M (0.02% of open interest) of positions beyond their liquidation price']
    """
    lines, planned = [], int(info.get("planned_paths", 0))
    if paths is not None and paths < planned:
        share = f"{paths:,} of {planned:,} paths ({paths / planned:.1%})"
        lines.append(f"unfinished: {share} were run, and every figure is of these")
        if info.get("missing_paths"):
            lines.append(f"not among them: paths {info['missing_paths']}")
    dropped, held, added = (_number(info.get(f"{name}open_interest_usd")) for name in ("dropped_", "", "balancing_"))
    if dropped > 0.0:
        by = "; ".join(str(part) for part in info.get("dropped_by", []))
        lines.append(
            f"dropped at the start: {_part(dropped, held + dropped)} of positions beyond their liquidation price"
            + (f": {by}" if by else "")
        )
    if added > LEAST_BALANCING * held:
        lines.append(f"longs and shorts differ: {_part(added, held)} of unlevered holders make up the difference")
    lines += coarser(info)
    if info.get("start") == "stationary":
        lines.append(
            f"each path starts from {info.get('starts_from', 'a day drawn at random')}; positions are those of the scenario"
        )
    elif str(info.get("starts_from", "")).startswith("volatilities filtered"):
        lines.append(f"paths start from {info['starts_from']}")
    if info.get("sampling") == "sobol":
        lines.append(f"Sobol points: errors are from the spread of {int(info['replicates'])} independent replicates")
    if info.get("method") == "splitting":
        lines.append("paths of splitting share their beginnings: errors other than that of the event's probability are too small")
    return lines + _criticality(info, assets)


def coarser(info: Mapping[str, Any]) -> list[str]:
    """A line where steps were set that are longer than those of the scenario's file.

    >>> coarser({"steps": 288, "file_steps": 1440})[0].partition(":")[0]
    "288 steps in place of the file's 1,440"
    """
    steps, own = int(info.get("steps", 0)), int(info.get("file_steps", 0))
    if not steps < own:
        return []
    return [f"{steps:,} steps in place of the file's {own:,}: {BIAS}"]


def coarser_by_scenario(info: Mapping[str, Any]) -> list[str]:
    """The same of each scenario of a study, by its `info`.

    >>> each = {"a": {"steps": 9}, "b": {"steps": 9, "file_steps": 90}}
    >>> [line.partition(":")[0] for line in coarser_by_scenario({"by_scenario": each})]
    ['b']
    """
    return [f"{name}: {line}" for name, said in info.get("by_scenario", {}).items() for line in coarser(said)]


def _criticality(info: Mapping[str, Any], assets: Sequence[Any]) -> list[str]:
    peak, where, runaway = (list(info.get(f"criticality_{name}", [])) for name in ("peak", "peak_log_price", "runaway_log_price"))
    lines = []
    for asset, number, level, start in zip(assets, peak, where, runaway, strict=False):
        if not number > 0.0:
            continue  # nobody to liquidate below the price, or no feedback
        line = f"criticality: {asset}: a forced dollar sets off at most {number:.2f} more, at a price {_below(level)} the start"
        lines.append(line + (f"; runaway (n >= 1) from {_below(start)} the start" if math.isfinite(start) else ""))
    if lines and info.get("temporary_impact"):
        lines.append(
            "criticality counts lasting impact alone: what temporary impact sets off while orders are executed comes on top"
        )
    return lines


def _below(log_price: float) -> str:
    return f"{-math.expm1(log_price):.1%} below"


def _part(amount: float, whole: float) -> str:
    return f"{usd(amount)} ({amount / whole:.2%} of open interest)" if whole > 0.0 else usd(amount)


def _number(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else 0.0


__all__ = ["coarser", "coarser_by_scenario", "notes"]

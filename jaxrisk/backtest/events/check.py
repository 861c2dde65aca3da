"""Whether an event file makes sense: keys beside each other, its scenario and asset, and prices over the whole window."""

from typing import Any

import numpy as np

from ...data.price_file import PriceFile
from ...paths import NotFound, find
from ...problems import Report, nearest
from ...toml import read_toml
from ..known import DAY

GRID = 300
"""Seconds between the prices at which drawdowns are measured, unless the file is coarser."""


def check_keys(tables: dict[str, dict[str, Any]], report: Report) -> None:
    """What keys have to be to each other."""
    window, before, after = tables["window"], tables["before"], tables["after"]
    start = window["start"]
    for name in ("given", "horizon", "rebound"):
        if window[name] is not None and window[name] % GRID:
            report.add(f"window.{name}", f"{window[name]}s", "has to be a multiple of 5 min")
    if window["given"] and window["horizon"] and window["given"] >= window["horizon"]:
        report.add("window.given", f"{window['given']}s", "has to be shorter than window.horizon")
    late = before["open_interest_at"]
    if start is not None and late is not None and late > start:
        report.add("before.open_interest_at", f"{late}Z", f"is after window.start, {start}Z: not known before it")
    for name in ("open_interest", "open_interest_from"):
        if (after[name] is None) != (after[f"{name}_at"] is None):
            report.add(f"after.{name}_at", None, f"after.{name} and its time belong together", missing=True)
    if after["open_interest_from"] is not None and after["open_interest"] is None:
        report.add("after.open_interest", None, "missing; after.open_interest_from alone says nothing", missing=True)
    since, until = after["open_interest_from_at"] or late, after["open_interest_at"]
    if until is not None and ((start is not None and until <= start) or (since is not None and until <= since)):
        report.add("after.open_interest_at", f"{until}Z", "has to be after window.start and after what it is compared with")
    if start is not None and until is not None and window["horizon"] is not None and window["rebound"] is not None:
        last = start + np.timedelta64(window["horizon"] + window["rebound"], "s")
        if until > last:
            text = f"has to be within window.horizon and window.rebound of the start, by {last}Z"
            report.add("after.open_interest_at", f"{until}Z", text)
    _check_asset(tables[""], report)


def _check_asset(top: dict[str, Any], report: Report) -> None:
    """Whether the scenario is there, and has the asset."""
    try:
        file = find("scenarios", top["scenario"] or "btc_24h")
    except NotFound as error:
        report.add("scenario", top["scenario"], str(error), error.nearest)
        return
    document, problem = read_toml(file)
    if problem is not None:
        report.problems.append(problem)
    known = document.get("assets") if document else None
    if isinstance(known, dict) and top["asset"] is not None and top["asset"] not in known:
        text = f"has to be an asset of the scenario {top['scenario']}: {', '.join(known)}"
        report.add("asset", top["asset"], text, nearest(top["asset"], known))


def unused(tables: dict[str, dict[str, Any]]) -> list[str]:
    """Sentences on what the file says that no forecast or score makes use of."""
    before, after, horizon = tables["before"], tables["after"], tables["window"]["horizon"]
    found = [f"before.{name} is recorded, not used by the engine yet" for name in ("depth", "venues") if before[name] is not None]
    if horizon != DAY and (after["long_share"] is not None or after["liquidations"]):
        found.append("after.long_share and after.liquidations are figures of a day: not scored where window.horizon is not 24h")
    return found


def check_window(prices: PriceFile, tables: dict[str, dict[str, Any]], report: Report, findings: list[str]) -> None:
    """Whether the file covers the window, and without what."""
    window = tables["window"]
    start, horizon = window["start"], window["horizon"]
    if horizon is None:
        return
    grid = max(GRID, prices.step)
    closed = prices.closes()[0]
    end = start + np.timedelta64(horizon, "s")
    if not len(closed) or closed[0] > start or closed[-1] < end:
        has = f"{closed[0]}Z to {closed[-1]}Z" if len(closed) else "nothing"
        report.add("window.start", f"{start}Z", f"the price file has to cover {start}Z to {end}Z; {prices.name} has {has}")
        return
    inside = np.concatenate([[closed[closed <= start][-1]], closed[(closed > start) & (closed <= end)], [end]])
    longest = int(np.max(np.diff(inside)).astype(np.int64))
    if longest > 3600:
        report.add("prices.file", prices.name, f"{longest / 3600:.1f} h of the window are missing; at most 1 h may be")
    elif longest > 2 * grid:
        findings.append(f"{prices.name}: {longest / 60:.0f} min of the window are missing; the last close stands for them")
    if grid % 300 or horizon % grid or (window["given"] or grid) % grid:
        report.add("prices.file", prices.name, f"bars of {prices.step} s do not divide the window; 30 min and less that do")
    if window["rebound"] is not None and closed[-1] < end + np.timedelta64(window["rebound"], "s"):
        findings.append(f"{prices.name} ends {closed[-1]}Z, before the longest rebound; one late in the window is cut short")


__all__ = ["GRID", "check_keys", "check_window", "unused"]

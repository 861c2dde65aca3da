"""Checks of `[impact]`, and its tables of volume and move."""

from typing import Any

import numpy as np

from ..data.named import Reader
from ..data.names import Context
from ..problems import Report
from .tables import LAWS, Table, TableLaw, TemporaryImpact, read_table, read_variant

Curves = dict[str, tuple[list[float], list[float]]]
"""Volume and move of each asset."""


def check_impact(raw: Any, reader: Reader, context: Context) -> tuple[Table | None, Curves]:
    """The impact law and, where it is a table, its points."""
    report, curves = reader.report, {}
    law, _ = read_variant(LAWS, "law", raw, "impact", report, context)
    if not isinstance(law, TableLaw):
        return law, curves
    for asset in context.assets:
        pick = lambda x, asset=asset: x[asset] if isinstance(x, dict) else x
        if law.file is not None:
            table = reader.table(pick(law.file), "impact.file", ("volume_usd", "log_move"))
            if table is None:
                continue
            volume, move, where = table.numbers("volume_usd"), table.numbers("log_move"), table.file
            if table.bad:
                continue
        else:
            volume, move, where = np.asarray(pick(law.volume)), np.asarray(pick(law.move)), ""
        if check_curve(volume, move, where, asset, report):
            curves[asset] = (volume.tolist(), move.tolist())
    return law, curves


def check_temporary(document: dict[str, Any], report: Report, context: Context) -> TemporaryImpact | None:
    """`[temporary_impact]`; without a power law to take them from, it says itself what a day's volatility and volume are."""
    table, v = read_table(TemporaryImpact, document["temporary_impact"], "temporary_impact", report, context)
    impact = document.get("impact")
    if isinstance(impact, dict) and impact.get("law") != "power":
        for name in ("daily_volatility", "daily_volume"):
            if getattr(v, name) is None and name not in document["temporary_impact"]:
                text = "missing; it is taken from a power law, and [impact] is none"
                report.add(f"temporary_impact.{name}", None, text, missing=True)
                table = None
    return table


def check_curve(volume: np.ndarray, move: np.ndarray, file: str, asset: str, report: Report) -> bool:
    """An impact table has to rise in both columns and pass through the origin's quadrants."""
    before = len(report.problems)

    def note(name: str, value: Any, allowed: str) -> None:
        if file:
            column = {"volume": "volume_usd", "move": "log_move"}[name]
            report.add_in(file, column, value, allowed)
        else:
            report.add(f"impact.{name}", value, f"{allowed}" + (f" (asset {asset})" if asset else ""))

    if len(volume) != len(move):
        note("move", move.tolist(), f"has to have as many entries as volume, {len(volume)}; it has {len(move)}")
        return False
    if len(volume) < 2:
        note("volume", volume.tolist(), "has to have at least two points")
        return False
    if np.any(np.diff(volume) <= 0.0):
        i = int(np.argmax(np.diff(volume) <= 0.0)) + 1
        note("volume", float(volume[i]), f"has to rise; the entry before is {volume[i - 1]:g}")
    if np.any(np.diff(move) < 0.0):
        i = int(np.argmax(np.diff(move) < 0.0)) + 1
        note("move", float(move[i]), f"must not fall; the entry before is {move[i - 1]:g}")
    if np.any(volume * move < 0.0):
        i = int(np.argmax(volume * move < 0.0))
        note("move", float(move[i]), f"has to have the sign of its volume, {volume[i]:g}")
    return len(report.problems) == before

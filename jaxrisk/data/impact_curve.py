"""A table of volume and move: the impact of each size of order, as a curve."""

from typing import Any

import numpy as np

from ..problems import Report
from .columns import Columns
from .named import Reader

COLUMNS = ("volume_usd", "log_move")
Curve = tuple[np.ndarray, np.ndarray]
"""Volume, USD, and the fall of the log price at each."""


def read_curve(reader: Reader, key: str, file: str) -> Curve | None:
    """The curve of a file, named at a key; None with problems noted."""
    table = reader.table(file, key, COLUMNS)
    return None if table is None else curve_of(table)


def curve_of(table: Columns) -> Curve | None:
    """The curve of a table; None with problems noted."""
    volume, move = (table.numbers(name) for name in COLUMNS)
    return (volume, move) if not table.bad and check_curve(volume, move, table.file, "", table.report) else None


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


__all__ = ["COLUMNS", "Curve", "check_curve", "curve_of", "read_curve"]

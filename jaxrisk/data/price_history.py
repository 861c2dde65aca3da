"""A price file up to a moment, as what happened before a run starts."""

from dataclasses import dataclass

import numpy as np

from ..problems import ConfigError
from .named import Reader, digest
from .price_grid import iso, milliseconds

FEWEST = 48
"""Returns before the start that a filter needs."""


@dataclass(frozen=True)
class History:
    """Log returns up to a moment, one row a bar: `returns`, shape `(bars, assets)`, NaN where a bar is missing; `seconds`: of a
    bar; `words`: where they are from."""

    returns: np.ndarray
    seconds: int
    words: str


def read_returns(
    reader: Reader, key: str, name: str, until: str, years: float, columns: dict[str, str] | None, day_first: bool | None
) -> tuple[np.ndarray, int] | None:
    """Log returns of a price file up to a moment, NaN where a bar is missing, and the seconds of its bars.

    **Arguments:** `key`: the table whose keys `prices` and `until` say the file and the moment, where problems are noted, with
    None returned; `years`: of the file before it that are used; `columns`: by our names, the file's own; `day_first`: of dates
    such as 05.08.2024.
    """
    from .price_file import read_price_file  # pandas, which most scenarios do not need

    path = reader.place("data", name, f"{key}.prices")
    if path is None:
        return None
    try:
        bars = read_price_file(path, columns=columns, day_first=bool(day_first))
    except ConfigError as error:
        reader.report.problems += error.problems
        return None
    reader.read[name] = digest(path)
    reader.took(path, bars.findings)
    last = milliseconds(until)
    closed = (bars.time.astype("datetime64[ms]").astype(np.int64)) + 1000 * bars.step
    kept = (closed >= last - years * 365 * 86_400_000) & (closed <= last)
    if not np.any(closed <= last) or last - int(closed[closed <= last][-1]) >= 1000 * bars.step:
        text = f"{name} has bars from {iso(int(closed[0]) - 1000 * bars.step)} to {iso(int(closed[-1]))}, none that ends there"
        reader.report.add(f"{key}.until", until, text)
        return None
    place = (closed[kept] - closed[kept][0]) // (1000 * bars.step)
    returns = np.full(int(place[-1]) + 1, np.nan)
    returns[place] = bars.returns()[kept]
    if np.count_nonzero(np.isfinite(returns)) < FEWEST:
        text = f"leaves {np.count_nonzero(np.isfinite(returns))} returns of {name}; at least {FEWEST} are needed"
        reader.report.add(f"{key}.until", until, text)
        return None
    return returns, bars.step


__all__ = ["FEWEST", "History", "read_returns"]

"""From where a law starts: one of `variance` and `start`, and the price files that a state is filtered from."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..problems import ConfigError
from .files import Reader, digest
from .prices import iso, milliseconds
from .tables import Context, FromPrices, LogVariance
from .units import Span

FEWEST = 48
"""Returns before the start that a filter needs."""
HALF_LIVES = 8.0
"""Of the slowest factor, before the start, that the file is used for where the scenario does not say: a two-hundredth is left."""
LEAST_DAYS = 30.0


@dataclass(frozen=True)
class History:
    """Log returns up to a moment, one row a bar: `returns`, shape `(bars, assets)`, NaN where a bar is missing; `seconds`: of a
    bar; `words`: where they are from."""

    returns: np.ndarray
    seconds: int
    words: str


def check_start(market: Any, reader: Reader, context: Context) -> History | None:
    """What a start from price files needs; None where there is no such start, or with problems noted.

    **Arguments:** `market`: the process, or what is sound of it.
    """
    if not isinstance(market, LogVariance) or not isinstance(market.start, FromPrices) or not context.assets:
        return None
    start, key = market.start, "market.start.prices"
    names = start.prices if isinstance(start.prices, dict) else {asset: start.prices for asset in context.assets}
    if len(set(names.values())) < len(context.assets):
        reader.report.add(key, start.prices, 'has to name a file of each asset\'s own prices, such as {BTC = "btc.csv"}')
        return None
    span = start.history.years if start.history is not None else _span(market)
    read = {asset: _read(reader, key, names[asset], start, span) for asset in context.assets}
    if any(one is None for one in read.values()):
        return None
    found = [one for one in read.values() if one is not None]
    if len({seconds for _, seconds in found}) > 1:
        text = ", ".join(f"{names[a]} has {seconds} s" for a, (_, seconds) in zip(read, found, strict=True))
        reader.report.add(key, start.prices, f"the files have to have bars of the same length; {text}")
        return None
    length = max(len(returns) for returns, _ in found)
    padded = [np.concatenate([np.full(length - len(returns), np.nan), returns]) for returns, _ in found]
    where = ", ".join(dict.fromkeys(names.values()))
    return History(np.stack(padded, axis=1), found[0][1], f"{where} up to {start.until}")


def _span(market: LogVariance) -> float:
    """Years of history that are used; all where half-lives are wrong themselves."""
    if market.half_life is None:
        return math.inf
    rows = market.half_life.values() if isinstance(market.half_life, dict) else [market.half_life]
    slowest = max(span.years for row in rows for span in row if isinstance(span, Span))
    return max(HALF_LIVES * slowest, LEAST_DAYS / 365.0)


def _read(reader: Reader, key: str, name: str, start: FromPrices, years: float) -> tuple[np.ndarray, int] | None:
    """One file's returns and the seconds of its bars."""
    from ..data.price_file import read_price_file  # pandas, which most scenarios do not need

    path = reader.place("data", name, key)
    if path is None:
        return None
    try:
        bars = read_price_file(path, columns=start.columns, day_first=bool(start.day_first))
    except ConfigError as error:
        reader.report.problems += error.problems
        return None
    reader.read[name] = digest(path)
    reader.took(path, bars.findings)
    until = milliseconds(start.until)
    closed = (bars.time.astype("datetime64[ms]").astype(np.int64)) + 1000 * bars.step
    first = closed >= until - years * 365 * 86_400_000
    kept = first & (closed <= until)
    if not np.any(closed <= until) or until - int(closed[closed <= until][-1]) >= 1000 * bars.step:
        text = f"{name} has bars from {iso(int(closed[0]) - 1000 * bars.step)} to {iso(int(closed[-1]))}, none that ends there"
        reader.report.add("market.start.until", start.until, text)
        return None
    place = (closed[kept] - closed[kept][0]) // (1000 * bars.step)
    returns = np.full(int(place[-1]) + 1, np.nan)
    returns[place] = bars.returns()[kept]
    if np.count_nonzero(np.isfinite(returns)) < FEWEST:
        text = f"leaves {np.count_nonzero(np.isfinite(returns))} returns of {name}; at least {FEWEST} are needed"
        reader.report.add("market.start.until", start.until, text)
        return None
    return returns, bars.step


__all__ = ["FEWEST", "History", "check_start"]

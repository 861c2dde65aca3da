"""What a price file says besides its law: the last price, a day's volume and volatility, and how volume grows with volatility."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..data.price_file import PriceFile

YEAR = 365.0
LEAST_DAYS = 30
"""Complete days below which a daily volatility or volume is not measured: its standard error would itself be a guess."""


class Fact(NamedTuple):
    """A number with its standard error (NaN where it has none) and a sentence on how it was measured."""

    value: float
    error: float
    note: str


def frame(prices: PriceFile) -> pd.DataFrame:
    """The bars as a table with their opening times as index."""
    columns = {name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(prices.time, name="time"))


def turnover(prices: pd.DataFrame, step: str = "1h") -> dict[str, Any]:
    """Last price, median daily volume (USD) and daily volatility of the last 365 days of bars of a length, the last date, and
    the volumes of the complete days."""
    a_day = pd.Timedelta("1D") // pd.Timedelta(step)
    last = prices.loc[prices.index[-1] - pd.Timedelta("365D") :]
    daily = (last["volume"] * last["close"]).resample("1D").sum(min_count=1)
    consecutive = last.index.to_series().diff() == pd.Timedelta(step)
    returns = np.log(last["close"]).diff().where(consecutive)
    volumes = daily[last["close"].resample("1D").count() == a_day].dropna()
    return {
        "price": float(prices["close"].iloc[-1]),
        "date": prices.index[-1].strftime("%Y-%m-%d"),
        "daily_volume": float(volumes.median()),
        "volumes": volumes.to_numpy(),
        "daily_volatility": math.sqrt((returns**2).mean() * a_day),
    }


def complete_days(prices: PriceFile) -> int:
    """Days of the last 365 that the file has every bar of."""
    table = frame(prices)
    last = table["close"].loc[table.index[-1] - pd.Timedelta("365D") :]
    return int((last.resample("1D").count() == 86400 // prices.step).sum())


def median_error(values: np.ndarray, block: int = 7, replications: int = 1000) -> float:
    """Standard error of the median of a series, by the bootstrap of moving blocks (Kunsch, 1989)."""
    count = -(-len(values) // block)
    first = np.random.default_rng(1).integers(0, len(values) - block + 1, (replications, count))
    rows = (first[:, :, None] + np.arange(block)).reshape(replications, -1)[:, : len(values)]
    return float(np.std(np.median(values[rows], axis=1), ddof=1))


def volume_elasticity(prices: pd.DataFrame, step: str = "1h") -> tuple[float, float]:
    """Elasticity of a day's volume (USD) to its volatility, both relative to their 90-day medians; and its standard error."""
    a_day = pd.Timedelta("1D") // pd.Timedelta(step)
    moves = np.log(prices["close"] / prices["open"])
    complete = moves.resample("1D").count() == a_day
    with np.errstate(divide="ignore"):
        volatility = np.log(np.sqrt((moves**2).resample("1D").sum().where(complete)))
        volume = np.log((prices["volume"] * prices["close"]).resample("1D").sum().where(complete))
    both = pd.concat([volatility, volume], axis=1, keys=["x", "y"]).replace([np.inf, -np.inf], np.nan)
    both = (both - both.rolling(90, min_periods=45).median()).dropna()
    if len(both) < 30:
        return math.nan, math.nan
    x, y = both["x"] - both["x"].mean(), both["y"] - both["y"].mean()
    slope = (x * y).sum() / (x**2).sum()
    scores = (x * (y - slope * x)).resample("7D").sum()
    return float(slope), math.sqrt((scores**2).sum()) / (x**2).sum()


def market_facts(prices: PriceFile) -> dict[str, Fact]:
    """`price`, `daily_volatility`, `daily_volume` (USD) and `depth_exponent` of a price file; without those it cannot tell.

    Under a square-root law the impact of a volume goes as volatility over the root of a day's volume. Volume grows with
    volatility by an elasticity e, so that impact grows as if depth fell with volatility to the power of -(2 - e), the exponent.
    Needs 30 complete days for the second and the third, and five months for the last.
    """
    table, step = frame(prices), f"{prices.step}s"
    found: dict[str, Fact] = {}
    now = turnover(table, step)
    since = max(table.index[0], table.index[-1] - pd.Timedelta("365D")).strftime("%Y-%m-%d")
    window = f"{since} to {now['date']}"
    found["price"] = Fact(now["price"], math.nan, f"last close, {now['date']}")
    # standard errors by days: returns of a day are clustered, and so are volumes of a week
    days = pd.Series(prices.returns() ** 2, table.index).loc[since:].resample("1D").sum(min_count=1).dropna()
    if complete_days(prices) >= LEAST_DAYS:
        if now["daily_volatility"] > 0.0:
            error = float(days.std() / math.sqrt(len(days)) / (2.0 * now["daily_volatility"]))
            found["daily_volatility"] = Fact(now["daily_volatility"], error, f"root mean square of returns, {window}")
        if now["daily_volume"] > 0.0:
            found["daily_volume"] = Fact(now["daily_volume"], median_error(now["volumes"]), f"USD, median complete day, {window}")
    if prices.step <= 86400 // 4:
        slope, error = volume_elasticity(table, step)
        if math.isfinite(slope) and 0.0 <= 2.0 - slope <= 10.0:
            whole = f"{table.index[0]:%Y-%m-%d} to {now['date']}"
            note = f"2 less the elasticity {slope:.2f} of a day's volume to its volatility, {whole}"
            found["depth_exponent"] = Fact(2.0 - slope, error, note)
    return found


__all__ = ["LEAST_DAYS", "Fact", "complete_days", "frame", "market_facts", "median_error", "turnover", "volume_elasticity"]

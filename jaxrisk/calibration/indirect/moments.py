r"""What prices do from day to day: how far they fall and rise how often, close-outs, memory and spread of volatility, rebounds.

Statistics are ratios of sums over days, `(numerator, denominator)`, so that what a mechanism adds to a day can be added to them,
and moments that need the order of days. All are taken from hourly bars, alike for recorded and for simulated prices.

- `fall 0.1`, `rise 0.1`: days on which the price falls by more than that from its highest so far to a later low (rises from its
  lowest to a later high); `ordinary`: those of the half of days with the lower forecast. Forecast is the log regression on
  realised variances of 1, 7, 30 and 90 days (`volatility`), fitted to the same record.
- `long 10x 5d`: share, in per cent, of positions opened at a day's first price of which, within so many days, half of the initial
  margin is lost: a move of 1/(2 L) against them. The regulators' close-out rule.
- `hour 3%`: hours a year with a move of more than that. `largest hour`: log share of a day's largest squared hour.
- `variance mean`, `sd`, `lag n`: of the log realised variance, its autocorrelation; `surprise`: standard deviation of its
  forecast's error; `leverage`: correlation of a day's return, over its forecast volatility, with the next day's such error.
- `memory n`: autocorrelation of the log absolute hourly return at n hours.
- `drift`: mean log return of a day. `regained 5%`: of the way from an hour's open to its low (`given back`: to its high), of at
  least that much, what is made up by the close, averaged over such hours.
"""

from typing import NamedTuple

import numpy as np

from ..laws.volatility import regressors
from .bars import DayBars

LEVELS = (0.03, 0.05, 0.08, 0.10, 0.15, 0.195)
LEVERAGE = (2.0, 3.3, 5.0, 10.0, 20.0, 30.0)
HORIZONS = (1, 5, 10)
MOVES = (0.01, 0.02, 0.03, 0.05, 0.08)
TURNS = (0.02, 0.03, 0.05, 0.08)
LAGS = (1, 2, 5, 10, 30, 90)
HOUR_LAGS = (1, 2, 4, 8, 24, 72)
_TINY = 1e-4


class Moments(NamedTuple):
    """`names`, `values`; `days`: usable days, those with all of their hours and a forecast."""

    names: tuple[str, ...]
    values: np.ndarray
    days: int


def moments(bars: DayBars) -> Moments:
    """All moments of a record. Raises `ValueError` where fewer than 180 days have a forecast."""
    returns, log_variance = hourly(bars)
    forecast = _forecast(log_variance)
    usable, ordinary = kinds(bars, log_variance, forecast)
    sums = day_sums(bars.open, bars.high, bars.low, bars.close, returns)
    found = ratios(sums, usable, ordinary) | _ordered(bars, returns, log_variance, forecast, usable)
    return Moments(tuple(found), np.array(list(found.values())), int(usable.sum()))


def kinds(bars: DayBars, log_variance=None, forecast=None) -> tuple[np.ndarray, np.ndarray]:
    """Days with all of their hours and a forecast, and the half of them with the lower one, each `(days,)`.

    Raises `ValueError` where fewer than 180 days have a forecast.
    """
    if log_variance is None or forecast is None:
        log_variance = hourly(bars)[1]
        forecast = _forecast(log_variance)
    usable = bars.complete & np.isfinite(forecast) & np.isfinite(log_variance)
    if usable.sum() < 180:
        raise ValueError(f"{usable.sum()} days have all of their hours and a history before them; at least 180 are needed")
    return usable, usable & (forecast <= np.median(forecast[usable]))


def hourly(bars: DayBars) -> tuple[np.ndarray, np.ndarray]:
    """Log returns of hours, `(days, 24)`, and log realised variance of complete days, `(days,)`; NaN where one is missing."""
    flat = bars.close.ravel()
    returns = np.diff(flat, prepend=np.nan).reshape(bars.close.shape)
    realised = np.sum(returns**2, axis=1)
    return returns, np.log(np.where(realised > 0.0, realised, np.nan))


def _forecast(log_variance: np.ndarray) -> np.ndarray:
    """Of each day's log variance, from those before it, by a regression over the whole record; NaN without a history."""
    rows = regressors(log_variance)[:-1]
    known = np.isfinite(log_variance) & np.isfinite(rows).all(axis=1)
    if known.sum() < 180:
        return np.full(len(log_variance), np.nan)
    return rows @ np.linalg.lstsq(rows[known], log_variance[known], rcond=None)[0]


def extremes(opening, high, low) -> tuple[np.ndarray, np.ndarray]:
    """Largest fall from the highest so far to a later low, and rise from the lowest to a later high, fractions, `(days,)`.

    Within an hour the order of high and low is not known: from its high to its own low nothing is counted, from its open is.
    """
    before = np.concatenate([opening[:, :1], np.maximum.accumulate(high, axis=1)[:, :-1]], axis=1)
    fall = -np.expm1(np.min(low - np.maximum(before, opening), axis=1))
    before = np.concatenate([opening[:, :1], np.minimum.accumulate(low, axis=1)[:, :-1]], axis=1)
    return fall, np.expm1(np.max(high - np.minimum(before, opening), axis=1))


class DaySums(NamedTuple):
    """Statistics that are sums over days: name to numerator and denominator of each day, `(days,)`. `by_kind`: those that are
    counted on ordinary days as well."""

    each: dict[str, tuple[np.ndarray, np.ndarray]]
    by_kind: dict[str, np.ndarray]


def day_sums(opening, high, low, close, returns) -> DaySums:
    """Of days with hourly log prices, each `(days, 24)`."""
    fall, rise = extremes(opening, high, low)
    by_kind = {f"fall {level:.3g}": fall > level for level in LEVELS} | {f"rise {level:.3g}": rise > level for level in LEVELS}
    each = {}
    size, one = np.abs(returns), np.ones(len(close))
    hours = np.isfinite(returns).sum(axis=1)
    for move in MOVES:
        each[f"hour {move:.0%}"] = (np.sum(size > move, axis=1) * 24.0 * 365.0, hours)
    total = np.sum(returns**2, axis=1)
    share = np.log(np.max(size, axis=1) ** 2 / np.where(total > 0.0, total, np.nan))
    each["largest hour"] = (np.nan_to_num(share), np.isfinite(share).astype(float))
    each["drift"] = (np.nan_to_num(np.sum(returns, axis=1)), np.isfinite(np.sum(returns, axis=1)).astype(float))
    down, up = opening - low, high - opening
    for turn in TURNS:
        for name, way, back in (("regained", down, close - low), ("given back", up, high - close)):
            far = way >= turn
            part = np.where(far, back / np.where(far, way, 1.0), 0.0)
            each[f"{name} {turn:.0%}"] = (np.nansum(part, axis=1), np.sum(far, axis=1).astype(float))
    for leverage in LEVERAGE:
        move = 0.5 / leverage
        long, short = np.min(low, axis=1) - opening[:, 0], np.max(high, axis=1) - opening[:, 0]
        each[f"long {leverage:g}x 1d"] = (100.0 * (-np.expm1(long) >= move), one)
        each[f"short {leverage:g}x 1d"] = (100.0 * (np.expm1(short) >= move), one)
    return DaySums(each, by_kind)


def ratios(sums: DaySums, usable: np.ndarray, ordinary: np.ndarray) -> dict[str, float]:
    """Sums over usable days as moments."""
    found = {}
    for name, hit in sums.by_kind.items():
        found[name] = float(np.sum(hit[usable]))
        found[f"{name} ordinary"] = float(np.sum(hit[ordinary]))
    for name, (above, below) in sums.each.items():
        total = np.sum(below[usable])
        found[name] = float(np.sum(above[usable]) / total) if total > 0.0 else np.nan
    return found


def _ordered(bars: DayBars, returns, log_variance, forecast, usable) -> dict[str, float]:
    """Moments that need days in their order."""
    centre, spread = np.nanmean(log_variance), np.nanstd(log_variance)
    score = (log_variance - centre) / spread
    found = {"variance mean": centre, "variance sd": spread}
    for lag in LAGS:
        found[f"variance lag {lag}"] = np.nanmean(score[lag:] * score[:-lag])
    surprise = log_variance - forecast
    found["surprise"] = np.nanstd(surprise)
    standard = np.sum(returns, axis=1) * np.exp(-0.5 * forecast)
    pair = np.isfinite(standard[:-1]) & np.isfinite(surprise[1:])
    found["leverage"] = np.corrcoef(standard[:-1][pair], surprise[1:][pair])[0, 1]
    log_size = np.log(np.abs(returns.ravel()) + _TINY)
    log_size = log_size - np.nanmean(log_size)
    scale = np.nanmean(log_size**2)
    for lag in HOUR_LAGS:
        found[f"memory {lag}"] = np.nanmean(log_size[lag:] * log_size[:-lag]) / scale
    for horizon in HORIZONS[1:]:
        found |= _close_outs(bars, horizon)
    return found


def _close_outs(bars: DayBars, horizon: int) -> dict[str, float]:
    """Of positions held for so many days, per cent."""
    windows = lambda x: np.lib.stride_tricks.sliding_window_view(x, horizon)
    opening = bars.open[: len(bars.open) - horizon + 1, 0]
    fall = -np.expm1(windows(np.min(bars.low, axis=1)).min(axis=1) - opening)
    rise = np.expm1(windows(np.max(bars.high, axis=1)).max(axis=1) - opening)
    known = np.isfinite(fall) & np.isfinite(rise)
    found = {}
    for leverage in LEVERAGE:
        found[f"long {leverage:g}x {horizon}d"] = 100.0 * np.mean(fall[known] >= 0.5 / leverage)
        found[f"short {leverage:g}x {horizon}d"] = 100.0 * np.mean(rise[known] >= 0.5 / leverage)
    return found


__all__ = ["HORIZONS", "LEVELS", "LEVERAGE", "DaySums", "Moments", "day_sums", "extremes", "hourly", "kinds", "moments", "ratios"]

r"""How volatile the next day will be, and what days look like once their volatility is taken out.

The forecast is the heterogeneous autoregression of log realised variance (Corsi, 2009), with means over 1, 7, 30 and 90 days:

$$\log v_d = c + \sum_n b_n\,\overline{\log v}_{d-n \ldots d-1} + e_d,\qquad v_d = \sum_{h=1}^{24} r_{d,h}^2$$

Filtered history (Barone-Adesi, Giannopoulos and Vosper, 1999) then draws whole days of the past, each over the root of its own
forecast, and multiplies them by the root of the forecast for the day ahead. The noise of the forecast is in the days drawn.
"""

import math
from typing import NamedTuple

import numpy as np

from ...data.price_file import PriceFile, moment
from ...market import Bootstrap

SPANS = (1, 7, 30, 90)
HOURS = 24
_HOUR = np.timedelta64(3600, "s")
_DAY = np.timedelta64(86400, "s")
LEAST_DAYS = 180


def hourly_closes(prices: PriceFile) -> tuple[np.ndarray, np.ndarray]:
    """Every hour from the first to the last that closes, UTC, and the log close there, NaN where the file has none.

    Raises `ValueError` for bars that do not divide an hour.
    """
    if 3600 % prices.step:
        raise ValueError(f"{prices.name}: bars of {prices.step} s do not divide an hour; hourly returns are needed")
    times, log_close = prices.closes()
    whole = times.astype("datetime64[s]").astype(np.int64) % 3600 == 0
    times, log_close = times[whole], log_close[whole]
    if not len(times):
        return times, log_close
    places = (times - times[0]) // _HOUR
    hours = times[0] + np.arange(places[-1] + 1) * _HOUR
    closes = np.full(len(hours), np.nan)
    closes[places] = log_close
    return hours, closes


def daily_returns(prices: PriceFile, at) -> tuple[np.ndarray, np.ndarray]:
    """Hourly log returns of back-to-back days, one of which ends at `at`, or at the last whole hour before.

    Returns the times at which days begin, `(days,)`, and returns, `(days, 24)`, NaN where an hour is missing. Bars that close
    after `at` are not looked at.
    """
    last = moment(at).astype("datetime64[h]").astype("datetime64[s]")
    hours, closes = hourly_closes(prices.between(None, last))
    if not len(hours):
        return np.zeros(0, "datetime64[s]"), np.zeros((0, HOURS))
    count = -(-int((last - hours[0]) // _HOUR) // HOURS)
    start = last - count * _DAY
    grid = np.full(count * HOURS + 1, np.nan)
    grid[(hours - start) // _HOUR] = closes
    return start + np.arange(count) * _DAY, np.diff(grid).reshape(count, HOURS)


def log_variances(returns: np.ndarray) -> np.ndarray:
    """Log of the sum of squares of each day, `(days,)`; NaN for a day that is not complete or never moves."""
    realised = np.sum(returns**2, axis=1)
    return np.log(np.where(realised > 0.0, realised, np.nan))


def regressors(log_variance: np.ndarray) -> np.ndarray:
    """One and the means of the last 1, 7, 30 and 90 days before each day and before the day after the last.

    Shape `(days + 1, 5)`. A mean needs half of its days; NaN otherwise.
    """
    days = len(log_variance)
    known = np.isfinite(log_variance)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, log_variance, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    rows, first = np.ones((days + 1, 1 + len(SPANS))), np.arange(days + 1)
    for column, span in enumerate(SPANS, start=1):
        begin = np.maximum(first - span, 0)
        number = count[first] - count[begin]
        enough = number >= max(1, span // 2)
        rows[:, column] = np.where(enough, (total[first] - total[begin]) / np.maximum(number, 1), np.nan)
    return rows


class DailyLaw(NamedTuple):
    """Filtered history of whole days.

    **Fields:** `coefficients`: constant, then of the means over 1, 7, 30 and 90 days, `(5,)`; `errors`: their standard errors
    (Newey and West, 1987, 22 lags); `residual_sd`: of the log variance; `days`: hourly log returns over the root of their day's
    forecast, `(days, 24)`; `sample`: file and dates.
    """

    coefficients: np.ndarray
    errors: np.ndarray
    residual_sd: float
    days: np.ndarray
    sample: str

    def forecast(self, prices: PriceFile, at) -> float:
        """Median of the realised variance (not annualised) of the 24 hours after `at`, from bars that closed by then.

        With `at` between whole hours, of the 24 hours after the last of them. Raises `ValueError` where the last 24 hours or
        half of a longer span are missing.
        """
        _, returns = daily_returns(prices, at)
        row = regressors(log_variances(returns))[-1]
        if not np.all(np.isfinite(row)):
            missing = [f"{span}" for span, value in zip(SPANS, row[1:], strict=True) if not np.isfinite(value)]
            raise ValueError(
                f"{prices.name}: no forecast of the volatility at {moment(at)}Z, since too many hours of the "
                f"last {' and '.join(missing)} days are missing or without a move"
            )
        return math.exp(float(row @ self.coefficients))

    def market(self, daily_variance, step: int = 3600, recentre: bool = False) -> Bootstrap:
        """The law for the engine, one row a step: each path is one of the days, times the volatility.

        **Arguments:** `daily_variance`: from `forecast`, `()`; `step`: seconds, a divisor of an hour. Hours are cut into
        shorter steps by Brownian bridges of their day's mean variance, drawn once: hourly closes are the same at any step;
        `recentre`: whether the days' mean (0.03 standard deviations a day for Bitcoin, 2020 to 2022) is taken out.
        """
        rows = self.days.ravel()
        if step != 3600:
            rows = _finer(self.days, 3600 // step).ravel()
        scaled = rows[:, None] * np.sqrt(daily_variance)
        return Bootstrap(scaled, math.inf, [0.0], recentre=recentre, align=len(rows) // len(self.days))


def _finer(days: np.ndarray, parts: int, seed: int = 1) -> np.ndarray:
    """Hourly returns of days, `(days, 24)`, cut into `parts` with their sums kept, `(days, 24 * parts)`."""
    noise = np.random.default_rng(seed).standard_normal((*days.shape, parts))
    noise -= noise.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.mean(days**2, axis=1) / parts)
    return (days[..., None] / parts + spread[:, None, None] * noise).reshape(len(days), -1)


def fit_daily_law(prices: PriceFile, end, start=None) -> DailyLaw:
    """Fit the forecast by least squares, and standardise the days it was fitted to.

    **Arguments:** `prices`: bars that divide an hour; `end`: only bars that closed by then are used, and days end at its hour;
    `start`: leave out what closed before, or None.

    Raises `ValueError` where fewer than 180 days can be used, or a regressor does not vary.
    """
    history = prices.between(start, end)
    begins, returns = daily_returns(history, end)
    log_variance = log_variances(returns)
    rows = regressors(log_variance)[:-1]
    usable = np.isfinite(log_variance) & np.all(np.isfinite(rows), axis=1)
    if usable.sum() < LEAST_DAYS:
        raise ValueError(f"{prices.name}: {usable.sum()} days with a history before them; at least {LEAST_DAYS} are needed")
    x, y = rows[usable], log_variance[usable]
    if np.linalg.cond(x) > 1e8:
        raise ValueError(f"{prices.name}: the volatility never changes, so that its forecast is not identified")
    coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
    residuals = y - x @ coefficients
    scale = np.exp(-0.5 * (x @ coefficients))
    dates = f"{np.datetime_as_string(begins[usable][0], unit='D')} to {np.datetime_as_string(begins[usable][-1], unit='D')}"
    return DailyLaw(
        coefficients=coefficients,
        errors=_newey_west(x, residuals),
        residual_sd=float(residuals.std(ddof=x.shape[1])),
        days=returns[usable] * scale[:, None],
        sample=f"{prices.name}, {usable.sum()} days of {dates}",
    )


def _newey_west(x: np.ndarray, residuals: np.ndarray, lags: int = 22) -> np.ndarray:
    """Standard errors that allow for changing variance and for autocorrelation up to `lags` days."""
    score = x * residuals[:, None]
    middle = score.T @ score
    for lag in range(1, lags + 1):
        product = score[lag:].T @ score[:-lag]
        middle += (1.0 - lag / (lags + 1)) * (product + product.T)
    bread = np.linalg.inv(x.T @ x)
    return np.sqrt(np.diag(bread @ middle @ bread))


__all__ = ["DailyLaw", "daily_returns", "fit_daily_law", "hourly_closes", "log_variances", "regressors"]

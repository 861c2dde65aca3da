"""Forecasts of a period's fall, rise, rebound and loss of open interest that know nothing of leverage.

Each is fitted to days before `until`, an index, and forecasts a period from the bars before its `start`, an index of hours.
Those that rest on whole days take days that begin `shift` hours after midnight. Those that simulate paths draw an hour's extremes
from a Brownian bridge of the hour's variance.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from ...calibration.indirect.bars import HOURS, DayBars
from ...calibration.indirect.moments import hourly
from ...calibration.laws.volatility import regressors
from .periods import losses_before, path_quantities

_TAIL = 0.9
"""Quantile beyond which extreme-value theory takes over."""
_LEAST_DAYS = 180
_YEARS = 2.0


class DailyVariance(NamedTuple):
    """Log regression of a day's realised variance on those before it (`laws.volatility`): `bars`, whose days begin with
    the shift, `log_variance`, the `forecast` of its mean, each `(days,)`, and `residual`, standard deviation of its error;
    `until`: the first of these days that was not used."""

    bars: DayBars
    log_variance: np.ndarray
    forecast: np.ndarray
    residual: float
    until: int

    def at(self, start: int) -> float:
        """Forecast for the 24 hours from `start` on."""
        return float(self.forecast[start // HOURS])


def daily_variance(bars: DayBars, until: int, shift: int = 0) -> DailyVariance:
    """Raises `ValueError` where there are fewer than 180 days."""
    bars, until = bars.shifted(shift), until - (shift > 0)
    log_variance = hourly(bars)[1]
    rows = regressors(log_variance)[:-1]
    known = np.isfinite(log_variance) & np.isfinite(rows).all(axis=1)
    used = known & (np.arange(len(known)) < until)
    if used.sum() < _LEAST_DAYS:
        raise ValueError(f"{used.sum()} days with a history before {bars.dates[0] + until}; at least {_LEAST_DAYS} are needed")
    coefficients = np.linalg.lstsq(rows[used], log_variance[used], rcond=None)[0]
    forecast = rows @ coefficients
    residual = float(np.std(log_variance[used] - forecast[used], ddof=rows.shape[1]))
    return DailyVariance(bars, log_variance, forecast, residual, until)


class Windows(NamedTuple):
    """Periods of the past over the root of the variance that was forecast when they began: `days`, and in `past` log `fall`,
    `rise`, `rebound`, each `(windows,)`. With `tails` (edge, shape and scale of each) the largest tenth is smoothed by a
    generalised Pareto law (McNeil and Frey, 2000)."""

    variance: DailyVariance
    days: int
    past: dict[str, np.ndarray]
    tails: dict[str, tuple[float, float, float]] | None

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of a period that begins with hour `start`."""
        root = math.exp(0.5 * self.variance.at(start))
        if not math.isfinite(root):
            return {}
        if self.tails is None:
            return {name: _of_log(name, root * value) for name, value in self.past.items()}
        level = (np.arange(paths) + 0.5) / paths
        return {name: _of_log(name, root * _smoothed(value, level, *self.tails[name])) for name, value in self.past.items()}


def windows(bars: DayBars, until: int, days: int, tail: bool = False, shift: int = 0) -> Windows:
    """Filtered historical simulation from all whole windows that end before `until`, overlapping where they have several days."""
    variance = daily_variance(bars, until, shift)
    bars = variance.bars
    first = np.arange(0, variance.until - days + 1)
    whole = np.array([bars.complete[i : i + days].all() for i in first], bool) & np.isfinite(variance.forecast[first])
    first = first[whole]
    rows = first[:, None] + np.arange(days)
    found = path_quantities(*(x[rows].reshape(len(first), -1) for x in (bars.open, bars.high, bars.low)))
    root = np.exp(0.5 * variance.forecast[first])
    past = {name: (-np.log1p(-value) if name == "fall" else np.log1p(value)) / root for name, value in found.items()}
    return Windows(variance, days, past, {name: _tail(value) for name, value in past.items()} if tail else None)


def _of_log(name: str, size: np.ndarray) -> np.ndarray:
    return -np.expm1(-size) if name == "fall" else np.expm1(size)


def _tail(values: np.ndarray) -> tuple[float, float, float]:
    """Edge of the largest tenth, and shape and scale of the generalised Pareto law fitted to what is beyond it."""
    edge = float(np.quantile(values, _TAIL))
    shape, _, scale = stats.genpareto.fit(values[values > edge] - edge, floc=0.0)
    return edge, float(shape), float(scale)


def _smoothed(values: np.ndarray, level: np.ndarray, edge: float, shape: float, scale: float) -> np.ndarray:
    """Quantiles: of the values, and beyond `_TAIL` of the law."""
    body = np.quantile(values, np.minimum(level, _TAIL))
    beyond = np.clip((level - _TAIL) / (1.0 - _TAIL), 0.0, None)
    return np.where(level <= _TAIL, body, edge + stats.genpareto.ppf(beyond, shape, scale=scale))


class LogHar(NamedTuple):
    """Brownian days whose variance is the forecast times `scale` over a chi-square that makes a day's return a Student-t with
    `freedom`; a later day of a period has the first one's forecast."""

    variance: DailyVariance
    days: int
    scale: float
    freedom: float

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of a period that begins with hour `start`."""
        forecast = self.variance.at(start)
        if not math.isfinite(forecast):
            return {}
        random = np.random.default_rng([seed, start])
        mixing = random.chisquare(self.freedom, (paths, self.days)) / self.freedom
        daily = math.exp(forecast) * self.scale**2 / mixing
        return _simulated(np.repeat(daily / HOURS, HOURS, axis=1), random)


def log_har(bars: DayBars, until: int, days: int, shift: int = 0) -> LogHar:
    """Scale and degrees of freedom by maximum likelihood on the days' returns over the root of their forecasts."""
    variance = daily_variance(bars, until, shift)
    returns = (np.sum(hourly(variance.bars)[0], axis=1) * np.exp(-0.5 * variance.forecast))[: variance.until]
    freedom, _, scale = stats.t.fit(returns[np.isfinite(returns)], floc=0.0)
    return LogHar(variance, days, float(scale), float(freedom))


class GjrGarch(NamedTuple):
    """GJR-GARCH(1,1) of hourly returns with Student-t noise (Glosten, Jagannathan and Runkle, 1993): parameters, and the variance
    of each hour, `(hours,)`, given those before; `converged`: whether the optimiser says so."""

    omega: float
    alpha: float
    gamma: float
    beta: float
    freedom: float
    variance: np.ndarray
    days: int
    converged: bool

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of a period that begins with hour `start`."""
        random = np.random.default_rng([seed, start])
        hours = HOURS * self.days
        mixing = random.chisquare(self.freedom, (hours, paths)) / (self.freedom - 2.0)
        normal = random.standard_normal((hours, paths))
        now, variances, returns = np.full(paths, self.variance[start]), np.empty((hours, paths)), np.empty((hours, paths))
        for hour in range(hours):
            variances[hour] = now / mixing[hour]
            returns[hour] = np.sqrt(variances[hour]) * normal[hour]
            square = returns[hour] ** 2
            now = self.omega + (self.alpha + self.gamma * (returns[hour] < 0.0)) * square + self.beta * now
        return _simulated(variances.T, random, returns.T)


def gjr_garch(bars: DayBars, until: int, days: int) -> GjrGarch:
    """Maximum likelihood on the last two years before `until`, filtered along the whole record.

    Raises `ValueError` for too few hours, `ImportError` without the extra `calibrate`.
    """
    from arch import arch_model

    returns = 100.0 * hourly(bars)[0].ravel()
    used = returns[max(0, until * HOURS - round(_YEARS * 365 * HOURS)) : until * HOURS]
    used = used[np.isfinite(used)]
    if len(used) < _LEAST_DAYS * HOURS:
        raise ValueError(f"{len(used):,} hourly returns before {bars.dates[0] + until}; {_LEAST_DAYS * HOURS:,} are needed")
    fit = arch_model(used, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t").fit(disp="off", show_warning=False)
    omega, alpha, gamma, beta, freedom = map(float, fit.params)
    now, variance = float(np.var(used)), np.empty(len(returns))
    for hour, r in enumerate(returns):
        variance[hour] = now
        square = r**2 if math.isfinite(r) else now
        now = omega + (alpha + gamma * (r < 0.0 if math.isfinite(r) else 0.5)) * square + beta * now
    return GjrGarch(1e-4 * omega, alpha, gamma, beta, freedom, 1e-4 * variance, days, fit.convergence_flag == 0)


def _simulated(variance: np.ndarray, random: np.random.Generator, returns: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Quantities of paths whose hours have these variances, `(paths, hours)`, and returns where they are given."""
    if returns is None:
        returns = np.sqrt(variance) * random.standard_normal(variance.shape)
    uniform = random.random((2, *variance.shape))
    end = np.cumsum(returns, axis=1)
    begin = end - returns
    reach = np.sqrt(returns**2 - 2.0 * variance * np.log1p(-uniform))
    return path_quantities(begin, 0.5 * (begin + end + reach[1]), 0.5 * (begin + end - reach[0]))


class LossOnFall(NamedTuple):
    """Loss of open interest on a period's fall, by least squares, with a past residual drawn for each path; `past`: losses of the
    past, `(n,)`."""

    falls: Windows
    intercept: float
    slope: float
    residuals: np.ndarray
    past: np.ndarray

    def samples(self, start: int, paths: int, seed: int) -> dict[str, np.ndarray]:
        """Of a period that begins with hour `start`, a midnight, on falls of filtered history."""
        falls = self.falls.samples(start, paths, seed).get("fall")
        if falls is None:
            return {}
        random = np.random.default_rng([seed, start])
        loss = self.intercept + self.slope * random.choice(falls, paths) + random.choice(self.residuals, paths)
        return {"open_interest_loss": np.minimum(loss, 1.0)}


def loss_on_fall(bars: DayBars, coins: np.ndarray, until: int, days: int) -> LossOnFall:
    """From all windows before `until`; `coins` at the end of each day, `(days,)`. Raises `ValueError` for fewer than 60."""
    loss, seen = losses_before(bars, coins, until, days)
    if len(loss) < 60:
        raise ValueError(f"{len(loss)} days of prices and open interest before {bars.dates[0] + until}; 60 are needed")
    fall = seen["fall"]
    slope, intercept = np.polyfit(fall, loss, 1)
    residuals = (loss - intercept - slope * fall) * math.sqrt(len(loss) / (len(loss) - 2.0))
    return LossOnFall(windows(bars, until, days), float(intercept), float(slope), residuals, loss)


__all__ = [
    "DailyVariance", "GjrGarch", "LogHar", "LossOnFall", "Windows", "daily_variance", "gjr_garch", "log_har", "loss_on_fall",
    "windows",
]  # fmt: skip

"""Bates' law by moments: every parameter a function of averages of daily statistics.

One block bootstrap over days then gives all standard errors.

- A jump is an hour whose return exceeds `threshold` local standard deviations; the local variance is the bipower variation of
  the day before and the day after, without the products that contain the hour itself (Barndorff-Nielsen and Shephard, 2004).
- `mean_variance` is the mean of the daily realised variance v_d of the other hours.
- `reversion` and the variance V of the variance come from the autocovariances of v_d at lags of 1 to `lags` days, which the
  noise of a day's measurement does not touch: for a square-root process cov(v_d, v_{d+k}) = V g^2 exp(-kappa (k-1) day), with
  g = (1 - exp(-kappa day)) / (kappa day); then vol_of_variance = sqrt(2 kappa V / mean_variance).
- `leverage_correlation` comes from cov(return of a day, v_{d+1}) = rho xi theta g^2 day, theta being the mean variance.
- `variance`, the level at the start, is the median of v_d: an ordinary day.

The threshold finds only the larger jumps, so they come out fewer and larger than they are, and the smaller ones count as
diffusion; the total variance is kept.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ...data.price_file import PriceFile
from .fit import LawFit, NotFitted, hourly_returns, sample_of
from .volatility import hourly_closes

HOURS = 365 * 24
DAY = 1.0 / 365.0
PARAMETERS = (
    "mean_variance", "reversion", "vol_of_variance", "leverage_correlation", "jump_rate", "jump_mean", "jump_sd",
)  # fmt: skip
LEAST_DAYS = 180
_EDGE = 0.95


def local_volatility(returns: pd.Series, reach: int = 24) -> pd.Series:
    """Standard deviation of an hour from the bipower variation of `reach` hours on each side, its own products left out."""
    product = returns.abs() * returns.abs().shift(1) * math.pi / 2.0
    count = product.notna().rolling(2 * reach + 1, center=True, min_periods=1).sum()
    total = product.fillna(0.0).rolling(2 * reach + 1, center=True, min_periods=1).sum()
    own = product.fillna(0.0) + product.shift(-1).fillna(0.0)
    own_count = product.notna().astype(int) + product.shift(-1).notna().astype(int)
    count = count - own_count
    return np.sqrt(((total - own) / count).where(count >= reach))


def daily_table(returns: pd.Series, threshold: float = 5.0, lags: int = 10) -> pd.DataFrame:
    """Statistics a day whose averages determine the parameters; missing where a day or its partner is incomplete.

    `returns`: hourly, indexed by time, missing after a gap.
    """
    jump = (returns / local_volatility(returns)).abs() > threshold
    smooth = returns.where(~jump & returns.notna())
    complete = returns.resample("1D").count() >= 23

    def day(x):
        return x.resample("1D").sum().where(complete)

    table = pd.DataFrame({"v": (smooth**2).resample("1D").mean().where(complete) * HOURS})
    table["r"] = day(smooth.fillna(0.0))
    table["r_next"] = table["r"] * table["v"].shift(-1)
    for lag in range(1, lags + 1):
        table[f"v{lag}"] = table["v"] * table["v"].shift(-lag)
    jumps = returns.where(jump, 0.0)
    table["count"], table["jump"], table["jump2"] = day(jump.astype(float)), day(jumps), day(jumps**2)
    return table


def bates_parameters(mean: Any, lags: int = 10) -> dict[str, float]:
    """Parameters from the averages of the daily table (a mapping or a row), in the order of `PARAMETERS`.

    Raises `NotFitted` where the days' variances are not correlated or there is no jump.
    """
    level = mean["v"]
    covariance = np.array([mean[f"v{k}"] - level**2 for k in range(1, lags + 1)])
    positive = covariance > 0.0
    if positive.sum() < 3:
        raise NotFitted("days' variances are not correlated with those of days before: reversion is not identified")
    if not mean["count"] > 0.0:
        raise NotFitted("no hour is beyond the threshold of a jump: the jumps are not identified")
    slope, intercept = np.polyfit(np.arange(lags)[positive], np.log(covariance[positive]), 1)
    reversion = max(-slope / DAY, 1.0)
    g = -math.expm1(-reversion * DAY) / (reversion * DAY)
    variance = math.exp(intercept) / g**2
    xi = math.sqrt(2.0 * reversion * variance / level)
    rho = (mean["r_next"] - mean["r"] * level) / (xi * level * g**2 * DAY)
    size = mean["jump"] / mean["count"]
    sd = math.sqrt(max(mean["jump2"] / mean["count"] - size**2, 0.0))
    values = (level, reversion, xi, float(np.clip(rho, -_EDGE, _EDGE)), 365.0 * mean["count"], size, sd)
    return {name: float(value) for name, value in zip(PARAMETERS, values, strict=True)}


def bootstrap(
    table: pd.DataFrame, statistic: Callable[[dict], dict], block: float, replications: int, seed: int = 1
) -> dict[str, float]:
    """Standard errors of a dict of statistics by the stationary bootstrap over days (Politis and Romano, 1994)."""
    random = np.random.default_rng(seed)
    values, days = table.to_numpy(), len(table)
    draws = []
    for _ in range(replications):
        start = random.random(days) < 1.0 / block
        start[0] = True
        origin = np.maximum.accumulate(np.where(start, np.arange(days), 0))
        rows = (random.integers(0, days, days)[origin] + np.arange(days) - origin) % days
        try:
            draws.append(statistic(dict(zip(table.columns, np.nanmean(values[rows], axis=0), strict=True))))
        except NotFitted:
            continue
    if len(draws) < 0.9 * replications:
        raise NotFitted(
            f"{replications - len(draws)} of {replications} samples drawn from the days have no solution: it is not identified"
        )
    return {name: float(np.nanstd([draw[name] for draw in draws], ddof=1)) for name in draws[0]}


def fit_bates(prices: PriceFile, threshold: float = 5.0, lags: int = 10, block: float = 20.0, replications: int = 200) -> LawFit:
    """Fit by moments; raises `NotFitted` for fewer than 180 whole days, or where the moments have no solution."""
    hourly_returns(prices)
    hours, closes = hourly_closes(prices)
    # a day's hours are those that begin on it; the neighbours of an hour are those that the file has
    series = pd.Series(np.diff(closes), index=pd.DatetimeIndex(hours[:-1]))[np.isfinite(closes[1:])]
    table = daily_table(series, threshold, lags)
    days = int(table["v"].notna().sum())
    if days < LEAST_DAYS:
        raise NotFitted(f"{days} whole days; at least {LEAST_DAYS} are needed")
    values = bates_parameters(table.mean(), lags)
    errors = bootstrap(table, lambda mean: bates_parameters(mean, lags), block, replications)
    problems = [
        f"{name} is {values[name]:.3g} with a standard error of {errors[name]:.2g}: it is not identified"
        for name in ("mean_variance", "reversion", "vol_of_variance", "jump_rate", "jump_sd")
        if errors[name] > values[name]
    ]
    if values["reversion"] <= 1.0:
        problems.append("reversion is at its bound of 1 a year: the variance shows no mean that it returns to")
    if abs(values["leverage_correlation"]) >= _EDGE:
        problems.append(f"leverage_correlation is at its bound of {values['leverage_correlation']:g}: it is not identified")
    jumps, total = values["jump_rate"] * (values["jump_sd"] ** 2 + values["jump_mean"] ** 2), float(series.var() * HOURS)
    return LawFit(
        process="bates",
        values={"variance": float(table["v"].median()), **values},
        errors=errors,
        converged=True,
        problems=tuple(problems),
        checks={
            "days": float(days), "jumps": float(table["count"].sum()), "jump_share_of_variance": jumps / total,
            "variance_of_law_over_sample": (values["mean_variance"] + jumps) / total,
            "variance_last_30_days": float(table["v"].dropna().tail(30).mean()),
        },
        sample=f"{sample_of(prices)}, {days} whole days",
        note=f"moments of daily statistics, jumps beyond {threshold:g} local standard deviations; standard errors by "
        f"{replications} stationary bootstraps of days, mean block {block:g}",
    )  # fmt: skip


__all__ = ["PARAMETERS", "bates_parameters", "bootstrap", "daily_table", "fit_bates", "local_volatility"]

"""Where each day's drawdown fell in the distribution forecast for it the evening before."""

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...cascade import path_losses, prepare, seed_key
from ...data.price_file import PriceFile
from ...scenario import Scenario
from ..drawdown import drawdown
from .volatility import DailyLaw, daily_returns, log_variances, regressors

_DAY = 1.0 / 365.0


class DailyPits(NamedTuple):
    """One entry a day, all of shape `(days,)`.

    **Fields:** `begins`: UTC; `variance`: forecast, of a day; `drawdown`: observed, of hourly closes, from the
    last before the day; `pit`: probability of a smaller drawdown under the forecast, uniform if the forecast is right.
    """

    begins: np.ndarray
    variance: np.ndarray
    drawdown: np.ndarray
    pit: np.ndarray

    def ks(self) -> tuple[float, float]:
        """Kolmogorov's distance of the PITs from uniform, and its p-value for independent days."""
        from scipy.stats import kstest

        result = kstest(self.pit, "uniform")
        return float(result.statistic), float(result.pvalue)


def largest_fall(returns: np.ndarray) -> np.ndarray:
    """Drawdown of paths of log returns along the last axis, the start included, as a fraction.

    >>> largest_fall(np.log([[1.1, 0.9, 1.0, 0.5]])).round(3).tolist()
    [0.55]
    """
    return drawdown(np.concatenate([np.zeros((*returns.shape[:-1], 1)), np.cumsum(returns, axis=-1)], axis=-1))


def daily_pits(
    prices: PriceFile,
    law: DailyLaw,
    start,
    end,
    scenario: Scenario | None = None,
    *,
    scale: float = 1.0,
    paths: int = 2000,
    seed: int = 1,
    batch: int = 64,
) -> DailyPits:
    """Forecast every complete day and look up what came.

    **Arguments:** `prices`: bars that divide an hour; `law`: fitted to what closed before `start`, for an honest test; `start`,
    `end`: the first day begins at or after the one, the last ends at the other; `scenario`: its mechanics and positions deepen
    the law's falls, in hourly steps on `paths` paths, others for every day; without one the law's own distribution is taken,
    over all of its days; `scale`: multiplies the forecast volatility; `batch`: days simulated at a time.

    Days that are not complete, or whose forecast lacks history, are left out. Only what closed before a day enters its forecast.
    """
    begins, returns = daily_returns(prices, end)
    log_variance = log_variances(returns)
    variance = np.exp(regressors(log_variance)[:-1] @ law.coefficients)
    first = daily_returns(prices, start)[0]
    since = first[-1] + np.timedelta64(1, "D") if len(first) else begins[0]
    use = (begins >= since) & np.isfinite(log_variance) & np.isfinite(variance)
    begins, returns, variance = begins[use], returns[use], variance[use]
    observed = largest_fall(returns)
    if scenario is None:
        pit = np.array([_share(largest_fall(law.days * (scale * v**0.5)), x) for v, x in zip(variance, observed, strict=True)])
    else:
        ready, key = _ready(scenario, law), seed_key(seed)
        pit = np.empty(len(begins))
        for low in range(0, len(begins), batch):
            days = np.minimum(np.arange(low, low + batch), len(begins) - 1)
            of_day = np.asarray(scale**2 * variance[days])
            drawn = np.asarray(_falls(ready, key, of_day, np.asarray(days, np.uint32), np.arange(paths, dtype=np.uint32)))
            pit[days] = [_share(one, x) for one, x in zip(drawn, observed[days], strict=True)]
    return DailyPits(begins, variance, observed, pit)


def _share(drawn: np.ndarray, observed: float) -> float:
    """Probability of less, half of that of the same counted: days without a fall are the same."""
    return float(np.mean(drawn < observed) + 0.5 * np.mean(drawn == observed))


def _ready(scenario: Scenario, law: DailyLaw) -> Any:
    """The scenario prepared for a day of hours of the law at unit variance."""
    settings = replace(scenario.settings, horizon=_DAY, steps=24, bridge=False)
    return prepare(replace(scenario, settings=settings, market=law.market(1.0)))


@eqx.filter_jit
def _falls(ready, key, variances, days, paths):
    """Compiled once for all days: variances and numbers of days, `(batch,)`, to drawdowns, `(batch, paths)`."""
    years = ready.scenario.settings.years_per_step

    def one(variance, day):
        market = eqx.tree_at(
            lambda m: m.log_returns, ready.scenario.market, ready.scenario.market.log_returns * jnp.sqrt(variance)
        )
        drawn = path_losses(ready._replace(market=market.prepare(years)), key, day * len(paths) + paths)
        return drawn["max_drawdown"][:, 0]

    return jax.vmap(one)(variances, days)


__all__ = ["DailyPits", "daily_pits", "largest_fall"]

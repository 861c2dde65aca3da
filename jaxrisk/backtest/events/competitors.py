"""Forecasts that know nothing of leverage: a GARCH-t law, a bootstrap of past hours, and a regression for open interest.

They are made from the same data as the engine's: bars that had closed at the start and, where the forecast is conditional, the
beginning that is given.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..known import drawdown
from ..scores import Samples
from .event import Event

_HOUR = 3600
_YEAR_OF_HOURS = 365 * 24
_LEAST_HOURS = 500
_LEAST_DAYS = 60


class GarchT(NamedTuple):
    """GARCH(1,1) with Student-t innovations, of hourly log returns without drift.

    $h_{t+1} = \\omega + \\alpha r_t^2 + \\beta h_t$. **Fields:** the parameters, `variance`: $h$ of the hour that comes, an hour;
    `hours`: how many the fit used; `converged`.
    """

    omega: float
    alpha: float
    beta: float
    degrees_of_freedom: float
    variance: float
    hours: int
    converged: bool


def fit_garch(event: Event, years: float = 2.0) -> GarchT:
    """Maximum likelihood on the last `years` of hours before the start, filtered to the start.

    Raises `ValueError` where there are fewer than 500 hours, `ImportError` without the extra `calibrate`.
    """
    from arch import arch_model

    returns = event.history.returns()[-round(years * _YEAR_OF_HOURS) :]
    returns = returns[np.isfinite(returns)]  # what a gap hides is left out, and the variance carries over it
    if event.history.step != _HOUR or len(returns) < _LEAST_HOURS:
        raise ValueError(
            f"{event.history.name}: {_LEAST_HOURS} hourly returns before the start are needed, there are {len(returns)}"
        )
    fit = arch_model(100.0 * returns, mean="Zero", vol="GARCH", p=1, q=1, dist="t").fit(disp="off", show_warning=False)
    omega, alpha, beta, freedom = (float(value) for value in fit.params)
    last = float(fit.conditional_volatility[-1]) ** 2
    coming = float(omega + alpha * (100.0 * returns[-1]) ** 2 + beta * last)
    return GarchT(1e-4 * omega, alpha, beta, freedom, 1e-4 * coming, len(returns), fit.convergence_flag == 0)


def garch_paths(law: GarchT, event: Event, given: np.ndarray, hours: int, paths: int, seed: int) -> np.ndarray:
    r"""Log prices since the start on the event's grid, shape `(paths, hours * 3600 / grid + 1)`, the given ones first.

    An hour's return is $\sqrt{h(\nu - 2) / W}\,Z$ with $W \sim \chi^2_\nu$; within the hour the price is a Brownian motion of
    that variance, so that the hour's return has exactly the law that was fitted. After $n$ given moves, $W$ of the first hour
    has its posterior: $W (1 + \sum r^2 / (h (\nu - 2) \delta)) \sim \chi^2_{\nu + n}$, $\delta$ being a move's share of the hour.
    """
    random = np.random.default_rng(seed)
    inside = _HOUR // event.grid
    moves = np.diff(given)
    freedom, variance = law.degrees_of_freedom, np.full(paths, law.variance)
    columns = [np.broadcast_to(given, (paths, len(given)))]
    price = np.full(paths, given[-1])
    for hour in range(hours):
        here = moves[hour * inside : (hour + 1) * inside]
        known = float(np.sum(here**2)) * inside
        mixing = random.chisquare(freedom + len(here), paths) / (1.0 + known / (variance * (freedom - 2.0)))
        deviation = np.sqrt(variance * (freedom - 2.0) / mixing / inside)
        rest = deviation[:, None] * random.standard_normal((paths, inside - len(here)))
        total = float(np.sum(here)) + rest.sum(axis=1)
        columns.append(price[:, None] + np.cumsum(rest, axis=1))
        price = price + rest.sum(axis=1)
        variance = law.omega + law.alpha * total**2 + law.beta * variance
    return np.concatenate(columns, axis=1)


def bootstrap_paths(event: Event, given: np.ndarray, hours: int, paths: int, seed: int, days: int = 365) -> np.ndarray:
    """As `garch_paths`, from hours of the last `days` before the start, in blocks of 24 in a row drawn at random.

    Within an hour the price is a Brownian bridge of the variance that the hour's high and low imply (Parkinson, 1980). The given
    beginning takes the place of as much of the first hour, and changes nothing of what follows.

    Raises `ValueError` where there are fewer than 500 hours.
    """
    random = np.random.default_rng(seed)
    recent = event.history.between(event.start - np.timedelta64(days, "D"), None)
    returns = recent.returns()
    used = np.isfinite(returns)
    if recent.step != _HOUR or used.sum() < _LEAST_HOURS:
        raise ValueError(f"{recent.name}: {_LEAST_HOURS} hourly returns before the start are needed, there are {used.sum()}")
    returns, variance = returns[used], (np.log(recent.high[used] / recent.low[used]) ** 2) / (4.0 * math.log(2.0))
    count = -(-hours // 24)
    first = random.integers(0, len(returns), (paths, count))
    rows = ((first[:, :, None] + np.arange(24)).reshape(paths, -1) % len(returns))[:, :hours]
    inside = _HOUR // event.grid
    free = np.cumsum(random.standard_normal((paths, hours, inside)), axis=2) / math.sqrt(inside)
    bridge = free - free[:, :, -1:] * np.arange(1, inside + 1) / inside
    hour = np.cumsum(returns[rows], axis=1) - returns[rows]
    within = returns[rows][:, :, None] * np.arange(1, inside + 1) / inside + np.sqrt(variance[rows])[:, :, None] * bridge
    path = np.concatenate([np.zeros((paths, 1)), (hour[:, :, None] + within).reshape(paths, -1)], axis=1)
    here = len(given) - 1
    return np.concatenate(
        [np.broadcast_to(given, (paths, len(given))), given[-1] + path[:, here + 1 :] - path[:, here : here + 1]], 1
    )


def of_paths(log_prices: np.ndarray, event: Event) -> Samples:
    """Drawdown within the horizon, and rebound after the low of the horizon, of paths on the event's grid."""
    steps, after = event.horizon // event.grid, event.rebound_span // event.grid
    window = log_prices[:, : steps + 1]
    low = np.argmin(window, axis=1)
    place = np.arange(log_prices.shape[1])
    follows = (place >= low[:, None]) & (place <= low[:, None] + after)
    high = np.max(np.where(follows, log_prices, -np.inf), axis=1)
    return Samples(drawdown(window), rebound=np.expm1(high - np.take_along_axis(window, low[:, None], 1)[:, 0]))


def garch(event: Event, kind: str = "unconditional", paths: int = 10_000, seed: int = 0, law: GarchT | None = None) -> Samples:
    """Forecast of the GARCH-t law, fitted here where it is not given.

    **Arguments:** `kind`: `unconditional`, or `conditional` on the beginning that is given.
    """
    law = fit_garch(event) if law is None else law
    return of_paths(garch_paths(law, event, _given(event, kind), _hours(event), paths, seed), event)


def bootstrap(event: Event, kind: str = "unconditional", paths: int = 10_000, seed: int = 0) -> Samples:
    """Forecast of the hours of the year before, as they were."""
    return of_paths(bootstrap_paths(event, _given(event, kind), _hours(event), paths, seed), event)


def _given(event: Event, kind: str) -> np.ndarray:
    if kind not in ("unconditional", "conditional"):
        raise ValueError(f'kind is "{kind}"; it has to be "unconditional" or "conditional"')
    return event.given() if kind == "conditional" else np.zeros(1)


def _hours(event: Event) -> int:
    return -(-(event.horizon + event.rebound_span) // _HOUR)


class Regression(NamedTuple):
    """Loss of open interest on drawdown, by least squares: `intercept`, `slope`, `residuals` of shape `(n,)` scaled to the
    residual variance with its degrees of freedom, `names` of the events it was fitted on."""

    intercept: float
    slope: float
    residuals: np.ndarray
    names: tuple[str, ...]

    def samples(self, drawdowns, seed: int = 0) -> np.ndarray:
        """Losses, fractions, one for each drawdown, with a residual drawn for each; at most everything."""
        drawdowns = np.asarray(drawdowns, np.float64)
        noise = np.random.default_rng(seed).choice(self.residuals, drawdowns.shape)
        return np.minimum(self.intercept + self.slope * drawdowns + noise, 1.0)


def fit_regression(events: Iterable[Event]) -> Regression:
    """The regression on those of the events that have an observed loss; none of them may be scored on it.

    Raises `ValueError` for fewer than 3 events with a loss.
    """
    seen = [(event.name, event.observed()) for event in events]
    pairs = {name: (found.drawdown, found.open_interest_loss) for name, found in seen if found.open_interest_loss is not None}
    if len(pairs) < 3:
        raise ValueError(f"a regression needs at least 3 events with an observed loss of open interest; there are {len(pairs)}")
    return _least_squares(np.array(list(pairs.values()), np.float64), tuple(pairs))


def fit_daily_regression(event: Event) -> Regression:
    """The regression on the days before the event, for a forecast that does not know that an unwind follows.

    A day's loss of open interest on the drawdown of its hourly closes. Raises `ValueError` for fewer than 60 days of both.
    """
    if event.open_interest_history is None:
        raise ValueError("prices.open_interest names no daily file")
    days, coins = event.open_interest_history
    closed, log_price = event.history.closes()
    inside = (closed - np.timedelta64(1, "s")).astype("datetime64[D]")
    falls = {}
    for day, rows in zip(*_runs(inside), strict=True):
        if rows.stop - rows.start == 24 and rows.start:
            falls[day] = drawdown(log_price[rows.start - 1 : rows.stop])
    pairs = [
        (falls[day], 1.0 - after / before)
        for day, last, after, before in zip(days[1:], days[:-1], coins[1:], coins[:-1], strict=True)
        if day - last == np.timedelta64(1, "D") and day in falls
    ]
    if len(pairs) < _LEAST_DAYS:
        raise ValueError(f"a regression needs {_LEAST_DAYS} days of prices and open interest; there are {len(pairs)}")
    return _least_squares(np.array(pairs), ())


def _runs(labels: np.ndarray) -> tuple[list, list[slice]]:
    """Labels in order, and where each stands."""
    first = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    last = np.append(first[1:], len(labels))
    return list(labels[first]), [slice(a, b) for a, b in zip(first, last, strict=True)]


def _least_squares(pairs: np.ndarray, names: tuple[str, ...]) -> Regression:
    x, y = pairs.T
    spread = float(np.sum((x - x.mean()) ** 2))
    slope = float(np.sum((x - x.mean()) * (y - y.mean()))) / spread if spread > 0.0 else 0.0
    intercept = float(y.mean() - slope * x.mean())
    residuals = (y - intercept - slope * x) * math.sqrt(len(x) / (len(x) - 2.0))
    return Regression(intercept, slope, residuals, names)


def regression(
    fitted: Regression, event: Event, kind: str = "unconditional", paths: int = 10_000, seed: int = 0, law: GarchT | None = None
) -> Samples:
    """Loss of open interest by the regression, on drawdowns forecast by the GARCH-t law.

    Raises `ValueError` where the regression was fitted on the event.
    """
    if event.name in fitted.names:
        raise ValueError(f"the regression was fitted on {event.name}, which it is not to be scored on")
    found = garch(event, kind, paths, seed, law)
    return found._replace(open_interest_loss=fitted.samples(found.drawdown, seed + 1))


__all__ = [
    "GarchT", "Regression", "bootstrap", "bootstrap_paths", "fit_daily_regression", "fit_garch", "fit_regression", "garch",
    "garch_paths", "of_paths", "regression",
]  # fmt: skip

"""A price law fitted to hourly returns: what one holds, and what the fits of all laws share."""

import math
from typing import Any, NamedTuple

import numpy as np

from ...data.price_file import PriceFile
from ...market import AbstractMarket, Bates, Bootstrap, Garch, Merton, jumps_needed
from .volatility import hourly_closes

HOURS_PER_YEAR = 8760.0
LEAST_RETURNS = 500


class LawFit(NamedTuple):
    """A price law as one file gives it.

    **Fields:** `process`: as in a scenario's `[market]`; `values`: by the key there, a number or one for each factor, empty if
    nothing could be fitted; `errors`: standard errors of those that have one, of the same shape; `converged`; `problems`: what is
    not identified or at a bound, a sentence each; `checks`: log-likelihood, distance of residuals and the like; `sample`: file
    and dates; `note`: method, in a sentence; `words`: values of a scenario that are text, durations above all; `rows`: returns
    that a bootstrap draws from, `(rows,)`; `origins`: of values that were not measured, by key.
    """

    process: str
    values: dict[str, float | tuple[float, ...]]
    errors: dict[str, float | tuple[float, ...]]
    converged: bool
    problems: tuple[str, ...]
    checks: dict[str, float]
    sample: str
    note: str
    words: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    rows: np.ndarray = np.zeros(0)
    origins: dict[str, str] = {}  # noqa: RUF012 (never changed)

    @property
    def usable(self) -> bool:
        """Converged, and identified in every parameter."""
        return self.converged and not self.problems

    def market(self, variance: float | None = None) -> AbstractMarket:
        """The law for one asset without drift; `variance`: annualised, of the start (of all time, if the law's is constant)."""
        if not self.values:
            raise ValueError(f"{self.sample}: no {self.process} law: {'; '.join(self.problems)}")
        one = {name: [value] for name, value in self.values.items()}
        if self.process == "garch":
            one["variance"] = one["variance"] if variance is None else [variance]
            return Garch(drift=[0.0], correlation=[[1.0]], reference_step=1.0 / HOURS_PER_YEAR, **one)
        if self.process == "bootstrap":
            scale = 1.0 if variance is None else math.sqrt(variance / (np.var(self.rows) * HOURS_PER_YEAR))
            return Bootstrap(scale * self.rows[:, None], self.values["mean_block"], [0.0])
        jumps = jumps_needed(self.values["jump_rate"] / HOURS_PER_YEAR)
        common = {"drift": [0.0], "correlation": [[1.0]], "common_jump_probability": 0.0, "max_jumps": jumps}
        if self.process == "merton":
            one["volatility"] = one["volatility"] if variance is None else [math.sqrt(variance)]
            return Merton(**common, **one)
        one["variance"] = one["variance"] if variance is None else [variance]
        return Bates(**common, **one)

    def table(self) -> list[tuple[str, Any, str]]:
        """Key, value and origin of every line of a scenario's `[market]`, the process itself left out."""
        measured, short = f"MEASURED: {self.sample}", lambda value: float(f"{value:.4g}")
        lines: list[tuple[str, Any, str]] = []
        for key, value in self.values.items():
            if key not in self.words:
                several = isinstance(value, tuple)
                error = ", ".join(f"{x:.2g}" for x in np.atleast_1d(self.errors.get(key, ())))
                origin = self.origins.get(key, measured) + (f", s.e. {error}" if error else "")
                lines.append((key, [short(x) for x in value] if several else short(value), origin))
        return lines + [(key, value, self.origins.get(key, measured)) for key, value in self.words.items()]


class NotFitted(Exception):
    """Why nothing could be fitted, in a sentence."""


def hourly_returns(prices: PriceFile, least: int = LEAST_RETURNS) -> np.ndarray:
    """Log returns of consecutive hours, NaN across gaps; raises `NotFitted` for too few, or for a price that never moves."""
    try:
        returns = np.diff(hourly_closes(prices)[1])
    except ValueError as error:
        raise NotFitted(str(error)) from None
    known = returns[np.isfinite(returns)]
    if len(known) < least:
        raise NotFitted(f"{len(known)} hourly returns; at least {least} are needed")
    if np.count_nonzero(known) < least // 2:
        raise NotFitted(f"the price does not move in {np.count_nonzero(known == 0.0)} of {len(known)} hours")
    return returns


def sample_of(prices: PriceFile) -> str:
    """File and dates."""
    if not len(prices.time):
        return f"{prices.name}, no bars"
    first, last = (np.datetime_as_string(prices.time[i], unit="D") for i in (0, -1))
    return f"{prices.name}, {first} to {last}"


def residual_checks(probabilities: np.ndarray) -> dict[str, float]:
    """Distance of the returns' probabilities under the law from uniform (Kolmogorov and Smirnov)."""
    from scipy.stats import kstest

    return {"ks": float(kstest(probabilities, "uniform").statistic)}


__all__ = ["HOURS_PER_YEAR", "LEAST_RETURNS", "LawFit", "NotFitted", "hourly_returns", "residual_checks", "sample_of"]

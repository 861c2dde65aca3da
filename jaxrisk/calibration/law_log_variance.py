"""A log variance of several factors, fitted to how often and how far prices fell and rose, and to the memory of their volatility."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..market import LogVariance
from ..market.start import Stationary
from .day_bars import DayBars
from .day_moments import Moments, moments
from .histories import Histories, histories
from .indirect import Estimate, estimate

HALF_LIVES = (1.0, 8.0, 96.0, 2160.0)
"""Hours: of an hour, a night, four days, three months. Fixed: what is between them, two neighbours share."""
NAMES = (
    "mean_variance", "drift", *(f"factor_sd {i + 1}" for i in range(len(HALF_LIVES))), "leverage_correlation",
    "jump_rate", "jump_sd", "scaled_jump_mean", "scaled_jump_sd",
)  # fmt: skip
START = np.array([np.log(0.4), 0.3, *np.log([0.9, 0.6, 0.6, 0.7]), 0.0, np.log(15.0), np.log(0.02), 0.0, np.log(1.0)])
PRIOR = np.array([np.inf, 1.0, 1.0, 1.0, 1.0, 1.0, 0.3, 1.0, 0.7, 1.0, 0.7])
"""Standard deviations around the start: of a jump's rate and sizes the record alone says little."""
RECORDS = 64


class LogVarianceFit(NamedTuple):
    """`market`: the law; `estimate`: on the scales of `START`; `recorded`: the moments, those `used` in the fit; `seed`."""

    market: LogVariance
    estimate: Estimate
    recorded: Moments
    used: np.ndarray
    seed: int


def law_of(point: np.ndarray) -> LogVariance:
    """From the scales of `START` to a law, started from a day drawn at random."""
    count = len(HALF_LIVES)
    sds = np.exp(point[2 : 2 + count])
    leverage, rate, fixed, mean, scaled = point[2 + count :]
    # the factors' correlations with the price, all the same, leave it some noise of its own
    each = np.tanh(leverage) / np.sqrt(count)
    return LogVariance(
        [point[1]],
        [np.exp(point[0])],
        [np.array(HALF_LIVES) / 8760.0],
        [sds],
        [np.full(count, each)],
        [[1.0]],
        start=Stationary(),
        jump_rate=[np.exp(rate)],
        jump_mean=[0.0],
        jump_sd=[np.exp(fixed)],
        scaled_jump_mean=[mean],
        scaled_jump_sd=[np.exp(scaled)],
        max_jumps=1,
    )


def fit_log_variance(
    bars: DayBars,
    *,
    seed: int = 1,
    records: int = RECORDS,
    added: Callable[[LogVariance, Histories, np.ndarray], np.ndarray] | None = None,
    start: np.ndarray = START,
    rounds: int = 8,
    report: Callable[[int, float, np.ndarray], None] | None = None,
) -> LogVarianceFit:
    """Fit the law to a record of hourly bars.

    **Arguments:** `seed`, `records`: of simulated records, each as long as the record and with its holes; `added`: what a
    mechanism beside the law adds to each moment, from the law, its histories and their mean moments, `(moments,)`; `report`: told
    of every step.

    Raises `ValueError` where the record is too short.
    """
    recorded = moments(bars)
    used = np.array([name not in _left_out(recorded.names) for name in recorded.names])
    missing = ~np.isfinite(bars.close)

    def simulate(point: np.ndarray) -> np.ndarray:
        law = law_of(point)
        drawn = histories(law, len(bars.close), records, seed)
        found = np.array([moments(drawn.record(i, missing)).values for i in range(records)])
        # a record without an hour of some size says nothing of such hours: it counts as the others' mean
        usual = np.nanmean(found, axis=0)
        found = np.where(np.isfinite(found), found, usual)
        if added is not None:
            found = found + added(law, drawn, usual)
        return found[:, used]

    counts = np.array([name.startswith(("fall", "rise")) for name in recorded.names])
    floor = np.where(counts, 1.0, 1e-4)[used]
    found = estimate(recorded.values[used], simulate, start, floor=floor, prior=PRIOR, rounds=rounds, report=report)
    return LogVarianceFit(law_of(found.values), found, recorded, used, seed)


def _left_out(names: tuple[str, ...]) -> set[str]:
    """Moments that are looked at, not fitted: too few days, or the same again."""
    few = {name for name in names if "0.195" in name}
    same = {name for name in names if name.startswith(("long 2x", "short 2x", "long 30x", "short 30x", "long 20x", "short 20x"))}
    return few | same


__all__ = ["HALF_LIVES", "NAMES", "START", "LogVarianceFit", "fit_log_variance", "law_of"]

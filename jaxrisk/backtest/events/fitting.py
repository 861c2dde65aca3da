"""Fitting a forecast's numbers on unwinds, with each event left out in turn."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import stats

from ...calibration.unwinds.fit import EventFit, Likelihood
from .event import Event
from .parameters import FREEDOM, NUMBERS, Fitted, LossAfter, VarianceAfter
from .setting import FLOW_SD, event_data

STEP = 0.5
"""Of the log of impact's coefficient, over which its share in the variance is measured."""
RESIDUAL = 0.045
"""Of open interest lost about its line, a fraction: the prior's."""
SLOPE = 0.5
"""ASSUMPTION, range 0 to 1: of the log variance after an unwind's beginning on that before. After the 163 hours of 2019 to 2026
that fell by 4 standard deviations it is 1.04 (0.12), unwinds left out; an unwind is called one for the size of its fall, whatever
came before, which would be 0; on the eight unwinds themselves 0.29 (0.35)."""


class Fitting:
    """The engine along the prices of several events, so that all fits that leave one out share the work.

    **Arguments:** `events`; `flow_sd`: standard deviation of a day's ordinary change of open interest, a fraction.
    """

    def __init__(self, events: Sequence[Event], flow_sd: float = FLOW_SD):
        self.events = {event.name: event for event in events}
        self.flow_sd = flow_sd
        self.likelihood = Likelihood([event_data(event, flow_sd) for event in events], NUMBERS)

    def fit(self, without: str | None = None) -> tuple[Fitted, EventFit]:
        """The numbers fitted on all events but one, and how well they are known."""
        found = self.likelihood.fit(() if without is None else (without,))
        logs = np.log(found.values)
        used = [self.events[name] for name in found.events]
        shifted = lambda step: logs + np.array([step, 0.0])
        after = lambda step: variance_after(used, [self.likelihood.moves(shifted(step), event.name) for event in used])
        per_log = (after(STEP).mean - after(-STEP).mean) / (2.0 * STEP)
        prices = [np.diff(event.path()) for event in used]
        fitted = Fitted(
            events=found.events,
            logs=logs,
            covariance=found.covariance,
            spread=found.nuisance["spread"],
            flow_sd=self.flow_sd,
            loss=loss_after([self.likelihood.lost(logs, event.name) for event in used]),
            variance=after(0.0)._replace(per_log_impact=per_log),
            variance_without=variance_after(used, prices),
            starts=tuple(event.start for event in used),
        )
        return fitted, found

    def leave_one_out(self, progress: Callable[[int, int], None] | None = None) -> dict[str, tuple[Fitted, EventFit]]:
        """By event, what was fitted without it."""
        found = {}
        for place, name in enumerate(self.events, start=1):
            found[name] = self.fit(name)
            if progress is not None:
                progress(place, len(self.events))
        return found


def variance_after(events: Iterable[Event], moves: Iterable[np.ndarray], slope: float = SLOPE) -> VarianceAfter:
    """How variable the rest of the day was after the given beginning, and where it went.

    **Arguments:** `moves`: of each event's log price on its grid, `(steps,)`, of the whole horizon.
    """
    levels, drifts = [], []
    for event, each in zip(events, moves, strict=True):
        rest = each[event.given_span // event.grid : event.horizon // event.grid]
        variance = float(np.sum(rest**2)) * 86400 / (len(rest) * event.grid)
        levels.append(math.log(variance) - slope * math.log(event.before.volatility**2 / 365.0))
        drifts.append(float(np.sum(rest)) / math.sqrt(np.sum(rest**2)))
    if len(levels) < 2:
        raise ValueError("at least two unwinds are needed to say how variable the price is after a beginning")
    _, mean, scale = stats.t.fit(levels, fdf=FREEDOM)
    return VarianceAfter(float(mean), slope, float(scale), float(np.mean(drifts)), float(np.std(drifts, ddof=1)), len(levels))


def loss_after(pairs: Iterable[tuple[float, float]]) -> LossAfter:
    """The line from what the book loses to what is lost, for an unwind.

    Least squares under normal priors: nothing closes besides forced orders but for 10% either way, and the book is right to 50%;
    and residuals of 4.5%, which count as four. By iteration.

    **Arguments:** `pairs`: lost of the book, and observed, NaN where unknown.
    """
    x, y = np.array([pair for pair in pairs if math.isfinite(pair[1])]).reshape(-1, 2).T
    rows, centre, prior = np.stack([np.ones_like(x), x], axis=1), np.array([0.0, 1.0]), np.diag([0.1**-2, 0.5**-2])
    square = RESIDUAL**2
    for _ in range(50):
        covariance = np.linalg.inv(rows.T @ rows / square + prior)
        line = covariance @ (rows.T @ y / square + prior @ centre)
        square = float(np.sum((y - rows @ line) ** 2) + 4.0 * RESIDUAL**2) / (len(x) + 3.0)
    deviations = np.sqrt(np.diag(covariance))
    correlation = float(covariance[0, 1] / np.prod(deviations))
    return LossAfter(*map(float, line), *map(float, deviations), correlation, math.sqrt(square))


def ordinary_flow_sd(days: np.ndarray, coins: np.ndarray, leave_out: Iterable[np.datetime64], around: int = 3) -> float:
    """Standard deviation of a day's relative change of open interest, away from some days.

    **Arguments:** `days`: `datetime64[D]`, of daily figures; `coins`; `leave_out`: days, with `around` on each side.
    """
    change = np.diff(np.log(coins))
    used = np.isfinite(change) & (np.diff(days).astype(int) == 1)
    for day in leave_out:
        used &= np.abs((days[1:] - np.datetime64(day, "D")).astype(int)) > around
    return float(np.std(change[used]))


__all__ = ["SLOPE", "Fitting", "loss_after", "ordinary_flow_sd", "variance_after"]

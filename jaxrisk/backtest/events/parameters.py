"""What the engine's forecasts are made with: numbers fitted on unwinds, and on which."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...paths import shipped
from ...problems import ConfigError, Problem, nearest
from ...toml import read_toml
from .keys import moment

NUMBERS = ("impact.coefficient", "venues.closes_opposite")
"""What is fitted for a forecast; what the unwinds cannot tell keeps the scenario's value."""


FREEDOM = 4.0
AROUND = np.timedelta64(86400, "s")
"""Events less than this apart share what they teach."""


class VarianceAfter(NamedTuple):
    r"""The rest of the day once an unwind is under way: variance $\log v = m + b \log v_0 + s\,t_4\sqrt{1 + 1.4/n}$, and a drift
    of $(z + u\,t_{n-1}/\sqrt n)\sqrt v$ in the log price, since unwinds are called so because prices went on falling.

    Four degrees of freedom: unwinds are few, and one in eight was hardly one of Bitcoin; $1.4 s^2/n$ is the variance of such a
    location.

    **Fields:** `mean`: $m$; `slope`: $b$ on the log of the daily variance before; `scale`: $s$; `drift`: $z$; `drift_sd`: $u$;
    `count`: $n$, unwinds; `per_log_impact`: change of the mean with the log of impact's coefficient, since the more of a fall is
    impact, the less is the fundamental's.
    """

    mean: float
    slope: float
    scale: float
    drift: float
    drift_sd: float
    count: int
    per_log_impact: float = 0.0

    def draw(self, daily_variance: float, uniforms: np.ndarray, log_impact: Any = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Daily variances, and drifts (log price a day), at some quantiles in (0, 1), `(n, 2)`; `log_impact`: log of the
        coefficient over the fitted one, `(n,)`."""
        from scipy.stats import t

        first, second = t.ppf(uniforms[:, 0], FREEDOM), t.ppf(uniforms[:, 1], self.count - 1)
        logs = self.mean + self.slope * math.log(daily_variance) + self.scale * math.sqrt(1.0 + 1.4 / self.count) * first
        variance = np.exp(logs + self.per_log_impact * np.asarray(log_impact))
        return variance, (self.drift + self.drift_sd / math.sqrt(self.count) * second) * np.sqrt(variance)


class LossAfter(NamedTuple):
    """Open interest lost in an unwind, given what the book lost: a line, of which `intercept` is what closes besides.

    **Fields:** `intercept`, `slope`, their standard deviations `intercept_sd` and `slope_sd`, and `correlation`; `sd`: about the
    line; all of fractions of the open interest.
    """

    intercept: float
    slope: float
    intercept_sd: float
    slope_sd: float
    correlation: float
    sd: float

    def of(self, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the fraction lost, for each of what the book lost: the line's own errors and the
        deviations about it together."""
        both = 2.0 * self.correlation * self.intercept_sd * self.slope_sd * lost
        variance = self.intercept_sd**2 + both + (self.slope_sd * lost) ** 2 + self.sd**2
        return self.intercept + self.slope * lost, np.sqrt(variance)

    def draw(self, lost: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Fractions lost, one for each of what the book lost."""
        first, second, about = random.standard_normal((3, len(lost)))
        second = self.correlation * first + math.sqrt(1.0 - self.correlation**2) * second
        line = self.intercept + self.intercept_sd * first + (self.slope + self.slope_sd * second) * lost
        return line + self.sd * about


class Fitted(NamedTuple):
    """Numbers fitted on `events`, none of which they may be scored on.

    **Fields:** `logs`, `(numbers,)`, and `covariance`, `(numbers, numbers)`: of `NUMBERS`; `spread`: relative standard deviation
    of open-interest losses between unwinds; `flow_sd`: of a day's change of open interest on ordinary days, a fraction; `loss`:
    of open interest in an unwind; `variance`: of the fundamental after the beginning; `variance_without`: of the price, for
    forecasts without feedback; `starts`: of the events, UTC, in their order.
    """

    events: tuple[str, ...]
    logs: np.ndarray
    covariance: np.ndarray
    spread: float
    flow_sd: float
    loss: LossAfter
    variance: VarianceAfter
    variance_without: VarianceAfter
    starts: tuple[np.datetime64, ...] = ()

    def has_seen(self, event: Any) -> bool:
        """Whether the numbers were fitted on this event, an `Event` or its name: on one of that name, or one whose day and the
        next overlap with the event's time, whatever it is called."""
        if isinstance(event, str):
            return event in self.events
        begin, end = event.start - AROUND, event.start + np.timedelta64(event.horizon, "s") + AROUND
        return event.name in self.events or any(begin < start + AROUND and start < end for start in self.starts)


def to_toml(fits: Sequence[Fitted], header: str = "") -> str:
    """As a file that `read_fitted` reads: one table a fit."""
    numbers = lambda values: "[" + ", ".join(f"{float(value):.6g}" for value in values) + "]"
    after = lambda one: "{ " + ", ".join(f"{key} = {value:.6g}" for key, value in one._asdict().items()) + " }"
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    for one in fits:
        names, starts = (", ".join(map(json.dumps, texts)) for texts in (one.events, [f"{start}Z" for start in one.starts]))
        lines += [
            "", "[[fit]]", f"events = [{names}]", f"starts = [{starts}]",
            f"values = {numbers(np.exp(one.logs))}  # {', '.join(NUMBERS)}",
            f"covariance = [{', '.join(numbers(row) for row in one.covariance)}]  # of their logs",
            f"spread = {one.spread:.6g}", f"flow_sd = {one.flow_sd:.6g}", f"loss = {after(one.loss)}",
            f"variance = {after(one.variance)}",
            f"variance_without = {after(one.variance_without)}",
        ]  # fmt: skip
    return "\n".join(lines).lstrip("\n") + "\n"


def read_fitted(path: str | Path | None = None, without: Any = None) -> Fitted:
    """Of the fits in a file the one on the most events; of those that leave an event out, where there are any.

    **Arguments:** `path`: None for the numbers that ship; `without`: an event (or its name) that the fit must not have seen, if
    possible.

    Raises `ConfigError` with all problems at once.
    """
    file = shipped() / "calibrated" / "unwinds.toml" if path is None else Path(path)
    document, problem = read_toml(file)
    if document is None:
        raise ConfigError([problem] if problem else [])
    problems: list[Problem] = []
    tables = document.get("fit")
    for key in document:
        if key != "fit":
            problems.append(Problem(str(path), key, None, "unknown key", nearest(key, ["fit"])))
    if not isinstance(tables, list) or not tables:
        problems.append(Problem(str(path), "fit", None, "missing; at least one [[fit]] is needed"))
        raise ConfigError(problems)
    found = [_read(table, str(path), place, problems) for place, table in enumerate(tables, start=1)]
    if problems:
        raise ConfigError(problems)
    fits = sorted((one for one in found if one is not None), key=lambda one: -len(one.events))
    return next((one for one in fits if without is None or not one.has_seen(without)), fits[0])


def _read(table: Any, file: str, place: int, problems: list[Problem]) -> Fitted | None:
    wrong = lambda key, value, text, near=None: problems.append(Problem(file, f"fit[{place}].{key}", value, text, near))
    known = ("events", "starts", "values", *Fitted._fields[2:-1])
    if not isinstance(table, dict):
        wrong("", table, "has to be a table")
        return None
    for key in table:
        if key not in known:
            wrong(key, table[key], "unknown key", nearest(key, known))
    before = len(problems)
    number = lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    count = len(NUMBERS)
    events, values, covariance = table.get("events"), table.get("values"), table.get("covariance")
    if not (isinstance(events, list) and events and all(isinstance(one, str) for one in events)):
        wrong("events", events, "has to be a list of names of events")
    starts = _starts(table.get("starts", []), events, wrong)
    if not (isinstance(values, list) and len(values) == count and all(number(one) and one > 0.0 for one in values)):
        wrong("values", values, f"has to be {count} positive numbers: {', '.join(NUMBERS)}")
    rows = covariance if isinstance(covariance, list) else []
    square = len(rows) == count and all(isinstance(row, list) and len(row) == count and all(map(number, row)) for row in rows)
    if not square:
        wrong("covariance", covariance, f"has to be {count} rows of {count} numbers")
    elif not np.allclose(covariance, np.transpose(covariance)):
        wrong("covariance", covariance, "has to be symmetric")
    elif np.linalg.eigvalsh(np.array(covariance)).min() < -1e-9:
        wrong("covariance", covariance, "is no covariance: it has a negative variance in some direction")
    for key in ("spread", "flow_sd"):
        if not number(table.get(key)) or table[key] < 0.0:
            wrong(key, table.get(key), "has to be a number of at least 0")
    after = {key: _after(table.get(key), key, wrong) for key in ("variance", "variance_without")}
    loss = _loss(table.get("loss"), wrong)
    if len(problems) > before:
        return None
    return Fitted(
        tuple(events), np.log(values), np.array(covariance, float), float(table["spread"]), float(table["flow_sd"]), loss,
        after["variance"], after["variance_without"], starts,
    )  # fmt: skip


def _starts(values: Any, events: Any, wrong: Any) -> tuple[np.datetime64, ...]:
    try:
        found = tuple(moment(value) for value in values)
    except (ValueError, TypeError):
        wrong("starts", values, "has to be a list of times in UTC such as 2024-08-04T23:45:00Z")
        return ()
    if found and isinstance(events, list) and len(found) != len(events):
        wrong("starts", values, f"has {len(found)} times for {len(events)} events")
    return found


def _after(table: Any, key: str, wrong: Any) -> Any:
    fields = VarianceAfter._fields
    if not isinstance(table, dict) or {"per_log_impact", *table} != set(fields):
        wrong(key, table, f"has to be a table of {', '.join(fields)}")
        return None
    number = lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not all(map(number, table.values())) or table["count"] != int(table["count"]):
        wrong(key, table, "has to hold numbers, and count a whole one")
        return None
    found = VarianceAfter(**{name: float(value) for name, value in table.items()} | {"count": int(table["count"])})
    if not (found.scale > 0.0 and found.drift_sd >= 0.0 and found.count >= 2):
        wrong(key, table, "scale has to be above 0, drift_sd at least 0 and count at least 2")
    return found


def _loss(table: Any, wrong: Any) -> Any:
    fields = LossAfter._fields
    number = lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(table, dict) or set(table) != set(fields) or not all(map(number, table.values())):
        wrong("loss", table, f"has to be a table of numbers: {', '.join(fields)}")
        return None
    found = LossAfter(**{name: float(table[name]) for name in fields})
    if not (min(found.intercept_sd, found.slope_sd, found.sd) >= 0.0 and abs(found.correlation) < 1.0):
        wrong("loss", table, "standard deviations have to be at least 0 and the correlation between -1 and 1")
    return found


__all__ = ["NUMBERS", "Fitted", "LossAfter", "VarianceAfter", "read_fitted", "to_toml"]

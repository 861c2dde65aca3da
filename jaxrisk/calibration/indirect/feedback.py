"""What forced orders add to a day: days of simulated histories run through a scenario's mechanics and positions once more."""

from typing import NamedTuple

import numpy as np

from ...cascade import seed_key
from ...market import LogVariance
from ...scenario import Scenario
from .bars import HOURS
from .from_state import from_states, ready_for_states
from .histories import Histories
from .moments import Moments, day_sums, extremes, kinds, ratios

_BLOCK = 1024


class Days(NamedTuple):
    """Days run through an engine.

    **Fields:** `price`, `fundamental`: hourly log bars, `(4, days, 24)`; `lost`: share of open interest closed, `(days,)`;
    `weight`: so that weighted means are over all days of the histories, of mean 1, `(days,)`; `ordinary`: the half of days with
    the lower forecast, `(days,)`.
    """

    price: np.ndarray
    fundamental: np.ndarray
    lost: np.ndarray
    weight: np.ndarray
    ordinary: np.ndarray


class Places(NamedTuple):
    """Days of simulated histories that are run through an engine.

    **Fields:** `record`, `day`: which, `(days,)`; `weight`: so that weighted means are over all days, of mean 1.
    """

    record: np.ndarray
    day: np.ndarray
    weight: np.ndarray


def places(drawn: Histories, missing: np.ndarray, days: int, seed: int = 3) -> Places:
    """Days drawn half as they come, half by the expected variance: both falls and quiet days are met often enough.

    For other numbers of the same law, from the same noise, they may stay as they are: a search then compares the same days.
    """
    usable = _kinds(drawn, missing)[0]
    record, day = np.nonzero(usable)
    log_variance = sum(np.asarray(x)[day, record, 0] for x in drawn.states)
    storm = np.exp(log_variance - log_variance.max())
    chance = 0.5 / len(day) + 0.5 * storm / storm.sum()
    picked = np.random.default_rng(seed).choice(len(day), days, p=chance)
    weight = 1.0 / (chance[picked] * len(day))
    return Places(record[picked], day[picked], weight / weight.mean())


def _kinds(drawn: Histories, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Usable and ordinary days of each history, each `(histories, days)`."""
    each = [kinds(drawn.record(i, missing)) for i in range(drawn.bars.shape[1])]
    return np.stack([x[0] for x in each]), np.stack([x[1] for x in each])


def run_days(
    scenario: Scenario,
    law: LogVariance,
    drawn: Histories,
    missing: np.ndarray,
    *,
    days: int = 8192,
    seed: int = 3,
    where: Places | None = None,
) -> Days:
    """Begin days where days of the histories begin, stormy ones more often, and run them with forced orders.

    **Arguments:** `scenario`: its mechanics and positions, of one asset; open interest and volume are those it states, on every
    day; `law`: that of the histories; `missing`: hours that the record lacks, `(days, 24)`; `days`: how many, or `where`: which.
    """
    record, day, weight = where or places(drawn, missing, days, seed)
    days, ordinary = len(day), _kinds(drawn, missing)[1][record, day]
    begin = np.stack([np.asarray(x)[day, record, 0] for x in drawn.states], axis=-1).astype(np.float32)
    ready = ready_for_states(scenario, law, begin.shape[1])
    key, parts = seed_key(seed), []
    for low in range(0, days, _BLOCK):
        rows = np.arange(low, low + _BLOCK) % days
        price, fundamental, _, lost = from_states(ready, key, begin[rows], rows.astype(np.uint32))
        parts.append([np.asarray(x) for x in (price, fundamental, lost)])
    price, fundamental, lost = (np.concatenate(x, axis=-1)[..., :days] for x in zip(*parts, strict=True))
    return Days(_hourly(price), _hourly(fundamental), lost, weight, ordinary)


def _hourly(prices: np.ndarray) -> np.ndarray:
    """Log prices after each step, `(steps, days)`, to bars `(4, days, 24)`."""
    path = np.concatenate([np.zeros((1, prices.shape[1])), prices]).T.astype(np.float64)
    per = (path.shape[1] - 1) // HOURS
    ends = path[:, 1:].reshape(len(path), HOURS, per)
    opening = path[:, :-1:per]
    high, low = np.maximum(ends.max(-1), opening), np.minimum(ends.min(-1), opening)
    return np.stack([opening, high, low, ends[..., -1]])


def added(days: Days, like: Moments) -> np.ndarray:
    """What forced orders add to each moment, `(moments,)`: with them less without, from the same noise. Zero for moments of the
    order of days, and of close-outs over several days, which are taken to change by less than they are known."""
    with_, without = _of(days, days.price), _of(days, days.fundamental)
    found = {name: with_[name] - without[name] for name in with_}
    scale = like.days / len(days.lost)
    counts = lambda name: scale if name.startswith(("fall", "rise")) else 1.0
    spread = dict(zip(like.names, like.values, strict=True))
    before, more = spread["variance sd"] ** 2, found["variance spread"]
    found["variance sd"] = np.sqrt(max(before + more, 0.0)) - spread["variance sd"]
    found["surprise"] = np.sqrt(max(spread["surprise"] ** 2 + more, 0.0)) - spread["surprise"]
    return np.array([counts(name) * found.get(name, 0.0) for name in like.names])


def points(days: Days, levels) -> np.ndarray:
    """Of a day's largest fall of about each level, a tenth more or less: how much less it is without forced orders, with the same
    noise, a fraction. Shape `(levels,)`; NaN where no day has such a fall."""
    with_, without = (extremes(x[0], x[1], x[2])[0] for x in (days.price, days.fundamental))
    found = []
    for level in levels:
        near = np.abs(with_ / level - 1.0) < 0.1
        total = days.weight[near].sum()
        found.append((days.weight * (with_ - without))[near].sum() / total if total > 0.0 else np.nan)
    return np.array(found)


def _of(days: Days, bars: np.ndarray) -> dict[str, float]:
    """Moments of single days, weighted."""
    opening, high, low, close = bars
    returns = np.diff(np.concatenate([opening[:, :1], close], axis=1), axis=1)
    sums = day_sums(opening, high, low, close, returns)
    weighed = sums._replace(
        each={name: (above * days.weight, below * days.weight) for name, (above, below) in sums.each.items()},
        by_kind={name: hit * days.weight for name, hit in sums.by_kind.items()},
    )
    everything = np.ones(len(days.weight), bool)
    found = ratios(weighed, everything, days.ordinary)
    log_variance = np.log(np.sum(returns**2, axis=1))
    centre = np.average(log_variance, weights=days.weight)
    found["variance mean"] = centre
    found["variance spread"] = np.average((log_variance - centre) ** 2, weights=days.weight)
    return found


__all__ = ["Days", "Places", "added", "places", "points", "run_days"]

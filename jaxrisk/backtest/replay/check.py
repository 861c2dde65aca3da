"""With the real price as the mark and without impact, do positions liquidate when and as much as they did?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...cascade import prepare, seed_key
from ...cascade.engine import scan_paths
from ...config import ConfigError, load
from ...data.price_file import moment
from ...market import Replay
from ...problems import Problem, nearest
from ...report.shown import Shown
from ...scenario import Description, Scenario, Settings
from ..events.setting import FLOW, YEAR, shorts_as_longs
from ..known import realised_volatility
from .data import HOUR, STEP, Hours, price_path, read_hours
from .scores import Interest, Size, Timing, interest, size, timing

if TYPE_CHECKING:
    from ...report.study_table import StudySummary

BOOK = "btc_eth_sol_7d"
"""Whose populations, tiers and mechanics are used; those of BTC are `btc_24h`'s."""
WARM_UP = 48
"""Hours that the book is replayed before the window, so that its positions are of several prices; with a turnover of 8 hours
nearly nobody is left then of those who opened at one."""


class Replayed(NamedTuple):
    """One asset hour by hour, coins.

    **Fields:** `asset`; `time`: when each hour opens, UTC, `(hours,)`; `price`: at its end, USD, `(hours,)`; `fall`, `rise`: of
    the log price from its open to its low and high; `implied`, `observed`: liquidated in it, `(hours, sides)`, longs first,
    observed as reported; `held`, `held_observed`: open interest at the start and at the end of each hour, `(hours + 1,)`.
    Observed is NaN where the file has no such hour.
    """

    asset: str
    time: np.ndarray
    price: np.ndarray
    fall: np.ndarray
    rise: np.ndarray
    implied: np.ndarray
    observed: np.ndarray
    held: np.ndarray
    held_observed: np.ndarray


@dataclass(repr=False)
class ReplayCheck(Shown):
    """What the replay says. `hours`, `interests`: by asset; `timings`, `sizes`: by asset and side ("long", "short", "both");
    `notes`: what was used."""

    start: np.datetime64
    end: np.datetime64
    hours: tuple[Replayed, ...]
    timings: tuple[Timing, ...]
    sizes: tuple[Size, ...]
    interests: tuple[Interest, ...]
    notes: tuple[str, ...]

    def timing(self, asset: str, side: str = "both") -> Timing:
        """Of one asset and side."""
        return next(one for one in self.timings if (one.asset, one.side) == (asset, side))

    def size(self, asset: str, side: str = "both") -> Size:
        """Of one asset and side."""
        return next(one for one in self.sizes if (one.asset, one.side) == (asset, side))

    def summary(self) -> "StudySummary":
        """The tables, and in words what does not fit."""
        from .table import summary

        return summary(self)

    def __repr__(self) -> str:
        return f"ReplayCheck({', '.join(one.asset for one in self.hours)})"


def replay_check(
    data: str | Path,
    start: Any = "2024-08-01",
    end: Any = "2024-08-08",
    assets: Sequence[str] = ("BTC", "ETH", "SOL"),
    *,
    short_leverage: str = "longs",
) -> ReplayCheck:
    """Replay the real price against the book, hour by hour, without impact.

    The book is of the shares, leverage and tiers of `BOOK`; its positions turn over as in the forecasts that are scored
    (`setting.FLOW`), and its open interest is that observed at the start. Without impact everything is proportional to it.

    **Arguments:** `data`: the folder of the real data; `start`, `end`: whole hours, UTC; `assets`: of `BOOK`;
    `short_leverage`: shorts have that of the `"longs"` of their class, as in the forecasts, or their `"own"` as in the file.

    Raises `ConfigError` where a file or a column is missing, and for a window or an asset that cannot be had.
    """
    data, start, end = Path(data), moment(start), moment(end)
    scenario = load(BOOK, {**FLOW, "run.precision": "float32"})
    _check(start, end, assets, short_leverage, scenario.names.assets)
    begin = start - np.timedelta64(WARM_UP * HOUR, "s")
    read = [read_hours(data, asset, begin, start, end) for asset in assets]
    paths = [price_path(data, hours, begin, end) for hours in read]
    used = _scenario(scenario, read, [path for path, _ in paths], begin, short_leverage)
    coins, held = (np.asarray(each, np.float64) for each in _run(prepare(used, jnp.zeros(0).dtype)))
    replayed = []
    for hours, (path, _) in zip(read, paths, strict=True):
        place = scenario.names.assets.index(hours.asset)
        replayed.append(_hourly(hours, path, coins[:, place], held[:, place]))
    notes = [text for hours in read for text in hours.findings] + [text for _, text in paths]
    return compare(replayed, start, end, notes)


def compare(replayed: Sequence[Replayed], start: Any, end: Any, notes: Sequence[str] = ()) -> ReplayCheck:
    """The numbers of series that are there already."""
    timings, sizes = [], []
    for one in replayed:
        day = _widest(one.price)
        for side, pick, move in (("long", [0], one.fall), ("short", [1], one.rise), ("both", [0, 1], one.fall + one.rise)):
            implied, observed = one.implied[:, pick].sum(1), one.observed[:, pick].sum(1)
            timings.append(timing(one.asset, side, implied, observed, move))
            sizes.append(size(one.asset, side, implied, observed, day))
    interests = tuple(interest(one.asset, one.held, one.held_observed) for one in replayed)
    return ReplayCheck(moment(start), moment(end), tuple(replayed), tuple(timings), tuple(sizes), interests, tuple(notes))


def _check(start, end, assets, short_leverage, known) -> None:
    problems = []
    for asset in assets:
        if asset not in known:
            text = f"has to be one of {', '.join(known)}"
            problems.append(Problem("replay check", "assets", f'"{asset}"', text, nearest(asset, known)))
    if not assets or len(set(assets)) != len(assets):
        problems.append(Problem("replay check", "assets", str(tuple(assets)), "at least one, none twice"))
    if short_leverage not in ("longs", "own"):
        problems.append(Problem("replay check", "short_leverage", f'"{short_leverage}"', 'has to be "longs" or "own"'))
    for key, time in (("start", start), ("end", end)):
        if time.astype(np.int64) % HOUR:
            problems.append(Problem("replay check", key, f"{time}Z", "has to be a whole hour"))
    if (end - start).astype(np.int64) < 48 * HOUR:
        problems.append(Problem("replay check", "end", f"{end}Z", f"has to be 48 h and more after the start, {start}Z"))
    if problems:
        raise ConfigError(problems)


def _scenario(scenario: Scenario, read: Sequence[Hours], paths: Sequence[np.ndarray], begin, short_leverage: str) -> Scenario:
    """The book on the given prices, assets that are not asked for standing still."""
    steps = len(paths[0]) - 1
    rows, price = np.zeros((steps + 1, len(scenario.names.assets))), np.array(scenario.price, np.float64)
    volatility = np.array(scenario.flow.reference_volatility, np.float64)
    for hours, path in zip(read, paths, strict=True):
        place = scenario.names.assets.index(hours.asset)
        rows[:, place], price[place] = path - path[0], math.exp(path[0])
        before = realised_volatility(hours.prices, begin)
        volatility[place] = before if math.isfinite(before) else volatility[place]
    populations = scenario.populations if short_leverage == "own" else shorts_as_longs(scenario.populations)
    scenario = scenario.replace(
        market=Replay(rows), price=price, populations=populations, description=Description(),
        settings=Settings(steps * STEP / YEAR, steps),
    )  # fmt: skip
    return eqx.tree_at(lambda s: (s.channels.feedback, s.flow.reference_volatility), scenario, (0.0, volatility))


@eqx.filter_jit
def _run(prepared):
    """Liquidated in each step, USD at the initial price, `(steps, assets, sides)`; open interest after it, `(steps, assets)`,
    over that of the start."""
    begin = prepared.book.open_interest(prepared.book.init())[..., 0][0]

    def emit(states):
        state = jax.tree.map(lambda x: x[0], states)
        return state.seen.notional[0], prepared.book.open_interest(state.book)[0, ..., 0], state.mark[0]

    _, (sold, held, mark) = scan_paths(prepared, seed_key(1), jnp.zeros(1, jnp.uint32), emit=emit)
    each = jnp.diff(sold, axis=0, prepend=jnp.zeros_like(sold[:1])) * jnp.exp(-mark)[..., None]
    return each / begin[:, None], held / begin


def _hourly(hours: Hours, path: np.ndarray, coins: np.ndarray, held: np.ndarray) -> Replayed:
    """Sums of each hour of the window, in coins at the open interest observed at its start."""
    per, count = HOUR // STEP, len(hours.time)
    ends = np.arange(WARM_UP, WARM_UP + count + 1) * per - 1  # of steps
    scale = hours.held / held[ends[0]]
    implied = coins[WARM_UP * per :].reshape(count, per, 2).sum(1) * scale
    observed = np.concatenate([[hours.held], hours.open_interest])
    within = np.stack([path[ends[:-1] + 1 + k] for k in range(per + 1)])
    fall, rise = within[0] - within.min(0), within.max(0) - within[0]
    price, held = np.exp(within[-1]), held[ends] * scale
    return Replayed(hours.asset, hours.time, price, fall, rise, implied, hours.reported, held, observed)


def _widest(price: np.ndarray, hours: int = 24) -> np.ndarray:
    """Which hours are the 24 with the widest range of prices."""
    if len(price) <= hours:
        return np.ones(len(price), bool)
    windows = np.lib.stride_tricks.sliding_window_view(np.log(price), hours)
    first = int(np.argmax(windows.max(1) - windows.min(1)))
    place = np.arange(len(price))
    return (place >= first) & (place < first + hours)


__all__ = ["ReplayCheck", "Replayed", "compare", "replay_check"]

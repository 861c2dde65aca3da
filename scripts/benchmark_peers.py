"""The benchmark's workload written twice more, as one would by hand: in vectorised NumPy and in parallel Numba.

One asset, one venue: stochastic variance by full truncation with normal jumps, square-root or linear impact that decays, a ladder
of longs and one of shorts, drawdown with and without feedback. The constants and the tabulated ladders come from the prepared
scenario, so that the three do the same work; each draws its random numbers in its own way.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

try:
    import numba
except ImportError:
    numba = None


class Workload(NamedTuple):
    """The constants of a step, plain numbers in float32.

    `table` holds the cumulative quantity by side (longs, shorts) and grid edge, shape `(2, edges)`.
    """

    steps: int
    initial: np.float32
    pull: np.float32
    mean_variance: np.float32
    variance_scale: np.float32
    years: np.float32
    root_years: np.float32
    leverage: np.float32
    complement: np.float32
    drift: np.float32
    jump_chance: np.float32
    jump_mean: np.float32
    jump_sd: np.float32
    decay: np.float32
    permanent: np.float32
    impact: np.float32
    volume: np.float32
    square_root: bool
    engine_share: np.float32
    closes_opposite: np.float32
    grid_a: np.float32
    grid_b: np.float32
    reach: np.float32
    unlevered: np.ndarray
    table: np.ndarray


SMOOTH = np.float32(1e-6)
"""Of the daily volume: below it the square-root law has a finite slope."""


def workload(prepared) -> Workload:
    """From a prepared scenario of one asset and one venue, without a depth model, a bridge or a shock."""
    scenario = prepared.scenario
    variance, jumps = prepared.market.variance, prepared.market.jumps
    law, grid = scenario.impact.law, scenario.grid
    number = lambda x: np.float32(np.asarray(x).reshape(-1)[0])
    square_root = hasattr(law, "exponent")
    if square_root and number(law.exponent) != 0.5:
        raise ValueError("only the square root is written out")
    return Workload(
        steps=scenario.settings.steps,
        initial=number(variance.initial),
        pull=number(variance.reversion * variance.years),
        mean_variance=number(variance.mean_variance),
        variance_scale=number(variance.diffusion_scale),
        years=number(variance.years),
        root_years=np.sqrt(number(variance.years)),
        leverage=number(variance.leverage),
        complement=number(variance.complement),
        drift=number(variance.drift),
        jump_chance=number(jumps.rates.own),
        jump_mean=number(jumps.mean),
        jump_sd=number(jumps.deviation),
        decay=number(prepared.decay),
        permanent=number(scenario.impact.permanent_share),
        impact=number(law.coefficient * law.daily_volatility) if square_root else np.float32(1.0),
        volume=number(law.daily_volume if square_root else law.depth),
        square_root=square_root,
        engine_share=number(prepared.engine_share),
        closes_opposite=number(scenario.venues.closes_opposite),
        grid_a=np.float32(grid.first_step),
        grid_b=np.float32((grid.reach - grid.first_step * grid.cells) / grid.cells**2),
        reach=np.float32(grid.reach),
        unlevered=np.asarray(prepared.book.unlevered[0, 0], np.float32),
        table=np.ascontiguousarray(prepared.book.quantity[0, 0], np.float32),
    )


OBSERVED = (
    "max_drawdown",
    "max_drawdown_no_feedback",
    "open_interest_loss",
    "liquidated_notional",
    "peak_minute",
    "lowest",
    "trough",
)
"""Columns of what both engines return, shape `(paths, 7)`."""


# NumPy


def _fall(w: Workload, volume):
    """Fall of the log price for a displaced volume."""
    if not w.square_root:
        return volume / w.volume
    ratio = volume / w.volume
    return w.impact * ratio / np.sqrt(np.sqrt(ratio * ratio + SMOOTH * SMOOTH))


def _look_up(w: Workload, table, distance):
    """Cumulative quantity within a distance of the initial price."""
    distance = np.minimum(distance, w.reach)
    coordinate = 2 * distance / (w.grid_a + np.sqrt(w.grid_a**2 + 4 * w.grid_b * distance))
    below = np.minimum(coordinate.astype(np.int32), len(table) - 2)
    low = table.take(below)
    return low + (coordinate - below) * (table.take(below + 1) - low)


class _Side:
    """One side of the book: `reached` in the table, `scale` not yet closed voluntarily, `backlog`, `unlevered`."""

    def __init__(self, table, unlevered, count: int):
        self.table, self.total = table, table[-1]
        self.reached = np.zeros(count, np.float32)
        self.scale = np.ones(count, np.float32)
        self.backlog = np.zeros(count, np.float32)
        self.unlevered = np.full(count, unlevered, np.float32)

    def execute(self, w: Workload, distance):
        """Trigger what lies within the distance, and close the engine's share of the backlog."""
        reached = _look_up(w, self.table, distance)
        self.backlog += self.scale * (reached - self.reached)
        self.reached = reached
        executed = self.backlog * w.engine_share
        self.backlog -= executed
        return executed

    def take(self, w: Workload, executed):
        """Close voluntarily against what was executed on the other side; returns what was closed."""
        held = self.scale * np.maximum(self.total - self.reached, 0) + self.unlevered
        closed = np.minimum(w.closes_opposite * executed, held)
        kept = 1 - closed / np.where(held > 0, held, 1)
        self.scale *= kept
        self.unlevered *= kept
        return closed

    def held(self):
        return self.scale * np.maximum(self.total - self.reached, 0) + self.unlevered + self.backlog


def _numpy_batch(w: Workload, count: int, seed) -> np.ndarray:
    random = np.random.Generator(np.random.SFC64(seed))
    zeros = lambda: np.zeros(count, np.float32)
    variance, fundamental, transient, permanent = zeros() + w.initial, zeros(), zeros(), zeros()
    low, high, top, deepest, top_without, deepest_without, lowest = (zeros() for _ in range(7))
    notional, peak, trough = zeros(), zeros(), np.zeros(count, np.int32)
    longs, shorts = _Side(w.table[0], w.unlevered[0], count), _Side(w.table[1], w.unlevered[1], count)
    before = longs.held()
    for step in range(w.steps):
        first = random.standard_normal(count, np.float32)
        second = random.standard_normal(count, np.float32)
        positive = np.maximum(variance, 0)
        root = np.sqrt(positive)
        variance += w.pull * (w.mean_variance - positive) + w.variance_scale * root * first
        noise = w.leverage * first + w.complement * second
        fundamental += w.drift - np.float32(0.5) * w.years * positive + w.root_years * root * noise
        # jumps are rare: only where there is one does it need a size
        jumping = np.flatnonzero(random.random(count, np.float32) < w.jump_chance)
        if len(jumping):
            fundamental[jumping] += w.jump_mean + w.jump_sd * random.standard_normal(len(jumping), np.float32)
        transient *= w.decay
        price = fundamental - _fall(w, transient + permanent)
        np.minimum(low, price, out=low)
        np.maximum(high, price, out=high)
        sold, bought = longs.execute(w, -low), shorts.execute(w, high)
        closed_longs, closed_shorts = longs.take(w, bought), shorts.take(w, sold)
        longs.unlevered += sold - closed_shorts
        shorts.unlevered += bought - closed_longs
        liquidated = (sold + bought) * np.exp(price)
        net = sold - bought
        transient += (1 - w.permanent) * net
        permanent += w.permanent * net
        price = fundamental - _fall(w, transient + permanent)
        np.minimum(low, price, out=low)
        np.maximum(high, price, out=high)
        # observed
        notional += liquidated
        np.maximum(peak, liquidated, out=peak)
        np.minimum(lowest, price, out=lowest)
        fall = top - price
        np.copyto(trough, step + 1, where=fall > deepest)
        np.maximum(deepest, fall, out=deepest)
        np.maximum(top, price, out=top)
        np.maximum(deepest_without, top_without - fundamental, out=deepest_without)
        np.maximum(top_without, fundamental, out=top_without)
    columns = (-np.expm1(-deepest), -np.expm1(-deepest_without), before - longs.held(), notional, peak, lowest, trough)
    return np.stack(columns, axis=1).astype(np.float32)


def run_numpy(w: Workload, paths: int, seed: int, threads: int = 1, batch: int = 4096) -> np.ndarray:
    """All paths, in batches that stay in the cache, if wanted on threads (NumPy's loops release the interpreter)."""
    batch = min(batch, -(-paths // threads))
    counts = [min(batch, paths - start) for start in range(0, paths, batch)]
    seeds = np.random.SeedSequence(seed).spawn(len(counts))
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(lambda job: _numpy_batch(w, *job), zip(counts, seeds, strict=True))))


# Numba

if numba is not None:
    _inline = numba.njit(inline="always", fastmath=True)
    _f = np.float32

    @_inline
    def _scalar_fall(w, volume):
        if not w.square_root:
            return volume / w.volume
        ratio = volume / w.volume
        return w.impact * ratio / math.sqrt(math.sqrt(ratio * ratio + SMOOTH * SMOOTH))

    @_inline
    def _scalar_look_up(w, side, distance):
        distance = min(distance, w.reach)
        coordinate = _f(2.0) * distance / (w.grid_a + math.sqrt(w.grid_a * w.grid_a + _f(4.0) * w.grid_b * distance))
        below = min(int(coordinate), w.table.shape[1] - 2)
        base = w.table[side, below]
        return base + (coordinate - _f(below)) * (w.table[side, below + 1] - base)

    @numba.njit(parallel=True, fastmath=True)
    def _numba_paths(w, seeds, each, out):
        zero, one, half = _f(0.0), _f(1.0), _f(0.5)
        for part in numba.prange(len(seeds)):
            np.random.seed(seeds[part])  # noqa: NPY002, the generator that Numba keeps for each thread
            for path in range(part * each, min((part + 1) * each, len(out))):
                variance, fundamental, transient, permanent = w.initial, zero, zero, zero
                low, high, lowest, notional, peak = zero, zero, zero, zero, zero
                top, deepest, top_without, deepest_without, trough = zero, zero, zero, zero, 0
                reached_long, scale_long, backlog_long, unlevered_long = zero, one, zero, w.unlevered[0]
                reached_short, scale_short, backlog_short, unlevered_short = zero, one, zero, w.unlevered[1]
                total_long, total_short = w.table[0, -1], w.table[1, -1]
                seen_low, seen_high = zero, zero
                for step in range(w.steps):
                    first = _f(np.random.standard_normal())  # noqa: NPY002
                    second = _f(np.random.standard_normal())  # noqa: NPY002
                    positive = max(variance, zero)
                    root = math.sqrt(positive)
                    variance += w.pull * (w.mean_variance - positive) + w.variance_scale * root * first
                    noise = w.leverage * first + w.complement * second
                    fundamental += w.drift - half * w.years * positive + w.root_years * root * noise
                    if np.random.random() < w.jump_chance:  # noqa: NPY002
                        fundamental += w.jump_mean + w.jump_sd * _f(np.random.standard_normal())  # noqa: NPY002
                    transient *= w.decay
                    price = fundamental - _scalar_fall(w, transient + permanent)
                    low, high = min(low, price), max(high, price)
                    # the tables are read only where an extreme is new
                    if low < seen_low:
                        now = _scalar_look_up(w, 0, -low)
                        backlog_long += scale_long * (now - reached_long)
                        reached_long, seen_low = now, low
                    if high > seen_high:
                        now = _scalar_look_up(w, 1, high)
                        backlog_short += scale_short * (now - reached_short)
                        reached_short, seen_high = now, high
                    sold, bought = backlog_long * w.engine_share, backlog_short * w.engine_share
                    backlog_long -= sold
                    backlog_short -= bought
                    held_long = scale_long * max(total_long - reached_long, zero) + unlevered_long
                    held_short = scale_short * max(total_short - reached_short, zero) + unlevered_short
                    closed_long = min(w.closes_opposite * bought, held_long)
                    closed_short = min(w.closes_opposite * sold, held_short)
                    kept_long = one - closed_long / (held_long if held_long > zero else one)
                    kept_short = one - closed_short / (held_short if held_short > zero else one)
                    scale_long *= kept_long
                    scale_short *= kept_short
                    unlevered_long = unlevered_long * kept_long + (sold - closed_short)
                    unlevered_short = unlevered_short * kept_short + (bought - closed_long)
                    liquidated = (sold + bought) * math.exp(price)
                    net = sold - bought
                    transient += (one - w.permanent) * net
                    permanent += w.permanent * net
                    price = fundamental - _scalar_fall(w, transient + permanent)
                    low, high = min(low, price), max(high, price)
                    notional += liquidated
                    peak = max(peak, liquidated)
                    lowest = min(lowest, price)
                    if top - price > deepest:
                        deepest, trough = top - price, step + 1
                    top = max(top, price)
                    deepest_without = max(deepest_without, top_without - fundamental)
                    top_without = max(top_without, fundamental)
                left = scale_long * max(total_long - reached_long, zero) + unlevered_long + backlog_long
                out[path, 0] = -math.expm1(-deepest)
                out[path, 1] = -math.expm1(-deepest_without)
                out[path, 2] = total_long + w.unlevered[0] - left
                out[path, 3] = notional
                out[path, 4] = peak
                out[path, 5] = lowest
                out[path, 6] = trough


def run_numba(w: Workload, paths: int, seed: int, each: int = 256) -> np.ndarray:
    """All paths, `each` of them after one seeding of the thread's own generator."""
    out = np.empty((paths, len(OBSERVED)), np.float32)
    seeds = np.random.SeedSequence(seed).generate_state(-(-paths // each))
    _numba_paths(w, seeds, each, out)
    return out

r"""Whose fall was it: an observed price and what it did to a book, for many sets of what is not known.

The engine is run along the observed price (as `calibration.unwinds.pinned` does), which gives the fundamental that it implies,
$f_t = \log S_t + I_t$: what the price would have been had forced orders not moved it. The market's own share of the fall is what
of the largest fall is not in that of $f$. Of the open interest lost its own share is what the engine closed by force.

What is not known is drawn (`unknowns`), and each set weighs as much as the open interest that was lost bears it out, given what
else closes in an unwind. The price bears nothing out here: it was picked for its fall, which looks like impact.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from ...cascade import prepare
from ...cascade.state import Noise
from ...cascade.step import start, step
from ...market import Given, Replay
from ...positions import Limits, Nodes
from ...scenario import Scenario
from ..events.parameters import LossAfter
from .unknowns import LAW, SOURCES, as_known, draws, put

NO_CAP = 1e6
LEVEL = 0.9
"""Of intervals."""
FIRST_DOWNSIZED, LAST_DOWNSIZED = 0.2, 0.9
"""ASSUMPTION: of those who meet a cap, this share or up to that takes a smaller position, the others post more collateral."""
ERROR = 0.2
"""Of an own share of a fall, relative: what a replay along closes of minutes does not tell, above all near runaway. Chosen on
every second of the 50 unwinds that scripts/validate_attribution.py simulates with seed 1; how it fares on another seed is in
docs/attribution.md."""
_TOGETHER = 64
NODES: Nodes = (256, 1, 2)
"""Of each draw's book, tabulated anew: with (512, 2, 4) that takes longer than the day itself."""


class Unwind(NamedTuple):
    """What was observed of an unwind of one asset.

    **Fields:** `scenario`: the market as it was known before, with temporary impact and one cap for all; `every`: steps of it
    from one recorded close to the next; `measured`: of the closes every so many are what a fall is measured at; `closes`: log
    prices since the start, as recorded, `(records + 1,)`; `inside`: measured ones after the first within the horizon; `lost`:
    open interest lost, a fraction, NaN where it was not observed; `lost_step`: after which step; `loss`: what is lost given what
    is closed by force, a line fitted on other unwinds.
    """

    scenario: Scenario
    every: int
    measured: int
    closes: np.ndarray
    inside: int
    lost: float
    lost_step: int
    loss: LossAfter

    @property
    def fall(self) -> float:
        """The largest fall within the horizon, a fraction."""
        return float(largest_fall(self.closes[:: self.measured][: self.inside + 1]))

    def seen(self, steps: np.ndarray) -> np.ndarray:
        """Of a path after each step, `(draws, steps)`, the start and what is measured within the horizon."""
        per = self.every * self.measured
        return np.concatenate([np.zeros((len(steps), 1)), steps[:, per - 1 :: per][:, : self.inside]], axis=1)


class Replayed(NamedTuple):
    """Runs along an unwind, one for each draw: `fundamental`, log, where falls are measured, `(draws, inside + 1)`; `without`:
    largest fall of it, a fraction; `lost`: open interest closed by force, a fraction, both `(draws,)`; `whole`: the fundamental
    at every step, `(draws, steps)`; `weights`: sum to 1."""

    fundamental: np.ndarray
    without: np.ndarray
    lost: np.ndarray
    whole: np.ndarray
    weights: np.ndarray


def largest_fall(path: np.ndarray) -> np.ndarray:
    """Of log prices from a start at 0, as a fraction; the last axis is time."""
    return -np.expm1(np.min(path - np.maximum.accumulate(path, axis=-1), axis=-1))


def rows_of(unwind: Unwind, count: int, seed: int, bridged: bool) -> np.ndarray:
    """Log prices at every step, `(draws, steps + 1)`: between two records a straight line, or a Brownian bridge about it with the
    variance of the moves around it."""
    records, every = len(unwind.closes) - 1, unwind.every
    places = np.arange(records * every + 1)
    line = np.interp(places, np.arange(records + 1) * every, unwind.closes)
    if every == 1 or not bridged:
        return np.broadcast_to(line, (count, len(line)))
    moves = np.diff(unwind.closes) ** 2
    near = np.convolve(np.pad(moves, 3, mode="edge"), np.ones(7) / 7.0, mode="valid")
    sd = np.sqrt(np.repeat(near, every) / every)
    shocks = np.random.default_rng(seed).standard_normal((count, records, every)) * sd.reshape(records, every)
    walk = np.cumsum(shocks, axis=-1)
    inside = walk - walk[..., -1:] * (np.arange(1, every + 1) / every)
    return line + np.concatenate([np.zeros((count, 1)), inside.reshape(count, -1)], axis=1)


@eqx.filter_jit
def _pinned(scenario: Scenario, values, rows, lost_step):
    """Fundamental after each step, and open interest lost by a step, of that at the start."""

    def one(values, row):
        flat = Replay(jnp.zeros((2, 1), row.dtype))
        prepared = prepare(put(scenario, values).replace(market=flat, given=Given(row[:, None])), row.dtype, NODES)
        return _run(prepared, row.shape[0] - 1, lost_step)

    return jax.vmap(one)(values, rows)


@eqx.filter_jit
def _free(scenario: Scenario, values, rows, lost_step, share_downsize, feedback):
    """Price after each step where the fundamental is given, and open interest lost."""

    def one(values, row, share):
        changed = put(scenario, values)
        changed = eqx.tree_at(lambda s: s.channels.feedback, changed, feedback)
        limits = changed.limits
        if limits.account_class:
            changed = eqx.tree_at(
                lambda s: s.limits.share_downsize, changed, jnp.where(share < 0.0, limits.share_downsize, share)
            )
        prepared = prepare(changed.replace(market=Replay(row[:, None])), row.dtype, NODES)
        return _run(prepared, row.shape[0] - 1, lost_step, price=True)

    return jax.vmap(one)(values, rows, share_downsize)


def _run(prepared: Any, steps: int, lost_step: Any, price: bool = False):
    nothing = Noise(jnp.zeros(0, prepared.decay.dtype), jnp.zeros(0, prepared.decay.dtype), None)

    def body(carry, index):
        state, kept = carry
        state = step(prepared, state, nothing, index)
        held = jnp.sum(prepared.book.open_interest(state.book)[..., 0])
        kept = jnp.where(index == lost_step, held, kept)
        return (state, kept), (state.price if price else state.fundamental)[0]

    begin = start(prepared, jnp.zeros(1, prepared.decay.dtype))
    held = jnp.sum(prepared.book.open_interest(prepared.book.init())[..., 0])
    (_, left), path = jax.lax.scan(body, (begin, held), jnp.arange(steps, dtype=jnp.int32))
    return path, 1.0 - left / held, held


def _chunked(function, scenario: Scenario, *arrays, more=()):
    """A compiled run in chunks of one length."""
    count, parts = len(arrays[0]), []
    for low in range(0, count, _TOGETHER):
        places = np.minimum(np.arange(low, low + _TOGETHER), count - 1)
        taken = [jnp.asarray(np.asarray(one)[places], jnp.float32) for one in arrays]
        found = function(scenario, *taken, *more)
        parts.append([np.asarray(one, np.float64)[: count - low] for one in found])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def replayed(unwind: Unwind, values: np.ndarray, seed: int, drawn: Sequence[str] = SOURCES) -> Replayed:
    """The observed price's implied fundamental, and open interest closed by force, for each draw of what is not known."""
    rows = rows_of(unwind, len(values), seed, LAW in drawn)
    base = unwind.scenario.bare()
    path, lost, _ = _chunked(_pinned, base, values, rows, more=(jnp.int32(unwind.lost_step),))
    fundamental = unwind.seen(path)
    weights = weights_of(lost, unwind.lost, unwind.loss if LAW in drawn else as_known(unwind.loss))
    return Replayed(fundamental, largest_fall(fundamental), lost, path, weights)


def weights_of(forced: np.ndarray, observed: float, loss: LossAfter) -> np.ndarray:
    """How far each draw is borne out by the open interest that was lost, given what else goes in an unwind; all alike where
    that was not observed."""
    if not math.isfinite(observed):
        return np.full(len(forced), 1.0 / len(forced))
    mean, sd = loss.of(forced)
    logs = -0.5 * ((observed - mean) / sd) ** 2 - np.log(sd)
    found = np.exp(logs - logs.max())
    return found / found.sum()


def again(
    unwind: Unwind, found: Replayed, values: np.ndarray, *, cap: float = NO_CAP, feedback: float = 1.0, seed: int = 0,
    scenario: Scenario | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """The day once more, the fundamental as implied: largest fall, open interest lost, both fractions, and open interest at the
    start, USD a side, for each draw.

    **Arguments:** `cap`: for everybody; `feedback`: of impact; `scenario`: another market than the unwind's, such as one under
    other limits, whose own shares of those who downsize hold.
    """
    share = np.random.default_rng(seed).uniform(FIRST_DOWNSIZED, LAST_DOWNSIZED, len(values))
    share = share if scenario is None else -np.ones(len(values))
    rows = np.concatenate([np.zeros((len(values), 1)), found.whole], axis=1)
    path, lost, held = _freely(scenario or capped(unwind.scenario, cap), values, rows, share, unwind.lost_step, feedback)
    return largest_fall(unwind.seen(path)), lost, held


def _freely(scenario: Scenario, values, rows, share, lost_step: int, feedback: float):
    more = (jnp.int32(lost_step), jnp.float32(feedback))
    run = lambda s, v, r, d, step, f: _free(s, v, r, step, d, f)
    return _chunked(run, scenario.bare(), values, rows, share, more=more)


def along(scenario: Scenario, values: np.ndarray, rows: np.ndarray, lost_step: int, feedback: float = 1.0):
    """Prices after each step, log, `(draws, steps)`, and open interest closed by force, where the fundamental is given.

    **Arguments:** `values`: of what is not known, `(draws, unknowns)`; `rows`: log fundamentals, `(draws, steps + 1)`.
    """
    path, lost, _ = _freely(scenario, values, rows, -np.ones(len(values)), lost_step, feedback)
    return path, lost


def capped(scenario: Scenario, cap: float) -> Scenario:
    """A scenario whose only limit is one cap for everybody."""
    return scenario.replace(limits=Limits.single(cap, 0.5))


def spread(values: np.ndarray, weights: np.ndarray, level: float = LEVEL, error: float = 0.0) -> tuple[float, float, float]:
    """Median and interval of weighted draws, the interval as much wider as few draws leave its ends open: by Student's t with one
    degree of freedom less than the draws that it rests on, as for the next of so many; and for an `error` of the method,
    relative.

    >>> round(spread(np.arange(5.0), np.full(5, 0.2), 0.5)[0], 9)
    2.0
    """
    low, middle, high = quantiles(values, weights, ((1.0 - level) / 2.0, 0.5, (1.0 + level) / 2.0))
    effective, end = 1.0 / float(np.sum(weights**2)), (1.0 + level) / 2.0
    factor = float(stats.t.ppf(end, max(effective - 1.0, 2.0)) / stats.norm.ppf(end)) * math.sqrt(1.0 + 1.0 / effective)
    method = float(stats.norm.ppf(end)) * error * abs(middle)
    ends = [math.hypot(factor * part, method) for part in (middle - low, high - middle)]
    return float(middle), float(middle - ends[0]), float(middle + ends[1])


def quantiles(values: np.ndarray, weights: np.ndarray, at: Sequence[float]) -> np.ndarray:
    """Weighted quantiles, each value in the middle of its own weight.

    >>> quantiles(np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25]), [0.25, 0.875]).tolist()
    [1.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.interp(at, middle, values[order])


__all__ = [
    "ERROR", "LEVEL", "NO_CAP", "Replayed", "Unwind", "again", "along", "capped", "draws", "largest_fall", "quantiles",
    "replayed", "rows_of", "spread", "weights_of",
]  # fmt: skip

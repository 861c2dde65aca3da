"""Particles of multilevel splitting: paths of spliced random numbers, run in blocks, and what becomes of them level by level."""

import math
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..._interrupt import answers
from ...cascade.blocks import in_precision
from ...cascade.engine import outcome, scan_paths, seed_key
from ...cascade.source import AbstractSource, draw, first_uniforms
from ..sample import Column, known_column

SEGMENTS = 512
"""Most places along a path at which it may branch: as many numbers are kept of a particle, twice."""
MOST_LEVELS = 400
"""Levels after which a replicate stops, which leaves it unbiased: at a share of a quarter, a probability of 1e-50."""


class Spliced(AbstractSource):
    """Noise spliced from several paths: `path` holds the path index of each `every` steps, uint32, shape `(segments,)`."""

    every: int = eqx.field(static=True)

    def start(self, prepared, key, path):
        return first_uniforms(prepared, key, path[0]), ()

    def step(self, prepared, key, path, memory, index):
        return draw(prepared, key, path[index // self.every], index), ()

    def losses(self, memory):
        return {}


class Engine:
    """Runs spliced paths in blocks of one length: a copy's score up to its branch is its parent's to the bit."""

    def __init__(self, scenario, prepared, observable: str, seed: int, size: int):
        steps = scenario.settings.steps
        self.prepared, self.key, self.size = prepared, seed_key(seed), size
        self.source = Spliced(-(-steps // SEGMENTS))
        self.segments = -(-steps // self.source.every)
        self.score = Column.of(scenario, observable)
        known_column(prepared, self.score)

    def run(self, pool, paths: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Losses and running scores, `(paths, segments)`, of spliced paths, `(paths, segments)`."""
        double = self.prepared.decay.dtype == jnp.float64

        def one(begin: int):
            # the last block is filled up with copies of its last path, which are cut off again
            wanted = min(self.size, len(paths) - begin)
            taken = jnp.asarray(paths[begin + np.minimum(np.arange(self.size), wanted - 1)])
            losses, scores = in_precision(double, scored, self.prepared, self.key, taken, self.source, self.score)
            return jax.tree.map(lambda x: np.asarray(x)[:wanted], (losses, scores))

        parts = answers(pool, one, range(0, len(paths), self.size))
        return jax.tree.map(lambda *x: np.concatenate(x), *parts)


@eqx.filter_jit
def scored(prepared, key, paths, source: Spliced, score: Column):
    """Losses, and the running maximum of the score at the end of each segment."""
    seen = lambda state: outcome(prepared, state)
    (final, _), scores = scan_paths(prepared, key, paths, source, emit=lambda states: score(jax.vmap(seen)(states)))
    highest = jax.lax.cummax(jnp.asarray(scores), axis=0)
    ends = np.minimum(np.arange(1, paths.shape[1] + 1) * source.every, len(highest)) - 1
    return jax.vmap(seen)(final), highest[ends].T


class Replicate:
    """One run of the algorithm; its random numbers are its own: path indices from its own range, its own choice of parents."""

    def __init__(self, number, replicates, particles, share, level, seed, segments):
        self.share, self.level = share, level
        self.random = np.random.default_rng([seed, number])
        width = 2**32 // replicates
        self.unused, self.end = number * width, (number + 1) * width
        self.ids = np.repeat(self._take(particles)[:, None], segments, axis=1)
        self.scores = np.empty((particles, segments))
        self.log_weight = np.zeros(particles)  # of all paths, in the order in which they were first run
        self.slots = np.arange(particles)  # of the particles that go on, among all paths
        self.log_mass, self.losses, self.roots = 0.0, [], []
        self.pending, self.levels, self.extinct = np.arange(particles), [], False

    def _take(self, count: int) -> np.ndarray:
        first, self.unused = self.unused, self.unused + count
        if self.unused > self.end:
            raise ValueError(f"path indices are 32 bits and used up after {len(self.levels)} levels: use fewer particles")
        return np.arange(first, self.unused).astype(np.uint32)

    def advance(self, losses: dict[str, np.ndarray], scores: np.ndarray) -> None:
        """Take in what was run for `pending`; choose the next, none if this was the end."""
        self.losses.append(losses)
        self.roots.append(self.ids[self.pending, 0])  # a copy keeps at least its parent's beginning
        self.scores[self.pending] = scores
        top = self.scores[:, -1]
        count = len(top)
        lowest = max(1, round(self.share * count))
        threshold = np.partition(top, lowest - 1)[lowest - 1]
        dead = top <= threshold
        self.pending = np.flatnonzero(dead)
        self.extinct = threshold <= self.level and len(self.pending) == count
        if threshold > self.level or self.extinct or len(self.levels) >= MOST_LEVELS:
            self.pending = self.pending[:0]
            self.log_weight[self.slots] = self.log_mass
            return
        self.levels.append(threshold)
        self._replace(dead, threshold)

    def _replace(self, dead: np.ndarray, threshold: float) -> None:
        killed = len(self.pending)
        self.log_weight[self.slots[self.pending]] = self.log_mass
        self.log_mass += math.log1p(-killed / len(dead))
        parents = self.random.choice(np.flatnonzero(~dead), killed)
        branch = np.argmax(self.scores[parents] > threshold, axis=1)
        before = np.arange(self.ids.shape[1]) <= branch[:, None]
        self.ids[self.pending] = np.where(before, self.ids[parents], self._take(killed)[:, None])
        self.slots[self.pending] = len(self.log_weight) + np.arange(killed)
        self.log_weight = np.append(self.log_weight, np.zeros(killed))

    def way(self) -> float:
        """How far up, from the first level to the last."""
        if len(self.pending) == 0:
            return 1.0
        first, now = self.levels[0], self.levels[-1]
        return float(np.clip((now - first) / max(self.level - first, 1e-300), 0.0, 1.0))


def climb(engine: Engine, pool, replicates: list[Replicate]) -> Iterator[list[float]]:
    """Run replicates side by side to their ends."""
    while going := [r for r in replicates if len(r.pending)]:
        losses, scores = engine.run(pool, np.concatenate([r.ids[r.pending] for r in going]))
        ends = np.cumsum([len(r.pending) for r in going])
        for replicate, end in zip(going, ends, strict=True):
            part = slice(end - len(replicate.pending), end)
            replicate.advance({name: values[part] for name, values in losses.items()}, scores[part])
        yield [r.way() for r in replicates]


__all__ = ["MOST_LEVELS", "SEGMENTS", "Engine", "Replicate", "Spliced", "climb", "scored"]

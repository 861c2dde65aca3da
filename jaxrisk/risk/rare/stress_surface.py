"""The loss as a function of a few standard normals: values and gradients of many paths at once, through the whole cascade."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from ...cascade.blocks import in_precision
from ...cascade.engine import path_losses, seed_key
from ...cascade.state import Prepared
from ..sample import Column
from .drivers import Drivers
from .given import Course, Steered, steered, steps_of

JUMPS = 3
"""Most jumps that a path is tried with."""
KEPT = 12
"""Most paths that are followed from their starts to the level."""
BATCH = 128
"""Paths in a compiled batch of values."""
GRADIENT = 4.0
"""Path simulations that a gradient counts as."""


class Candidate(NamedTuple):
    """A point of the noise's space. `point`: coefficients and then sizes, flat; `times`: of the jumps, shares of the horizon, -1
    for none; `sources`: of the jumps; `cost`: minus the log of the probability of so many jumps; `value`: the loss."""

    point: np.ndarray
    times: np.ndarray
    sources: np.ndarray
    cost: float
    value: float = float("nan")

    @property
    def distance(self) -> float:
        """Half the squared norm of the normals plus the cost of the jumps, nats."""
        return 0.5 * float(self.point @ self.point) + self.cost

    @property
    def kind(self) -> tuple[int, ...]:
        """Sources that jump, sorted."""
        return tuple(sorted(int(s) for s, time in zip(self.sources, self.times, strict=True) if time >= 0.0))


class Surface:
    """The loss as a function of points: values and gradients of many at once, compiled, in the run's precision."""

    def __init__(self, prepared: Prepared, driven: Drivers, score: Column, profiles: int):
        self.prepared, self.driven, self.score = prepared, driven, score
        self.steps = prepared.scenario.settings.steps
        self.shape = (min(profiles, self.steps), len(driven.normals))
        self.double = prepared.decay.dtype == jnp.float64
        self.source: Steered = in_precision(self.double, steered, prepared, driven, profiles)
        self.work = 0.0
        """Path simulations spent, a gradient counted as four."""

    def course(self, points: np.ndarray, times: np.ndarray, sources: np.ndarray) -> Course:
        """Courses of points, on this grid of steps."""
        count, dtype = self.shape[0] * self.shape[1], np.dtype(self.prepared.decay.dtype)
        coefficients = points[..., :count].reshape(*points.shape[:-1], *self.shape).astype(dtype)
        return Course(coefficients, points[..., count:].astype(dtype), steps_of(times, self.steps), sources.astype(np.int32))

    def values(self, points: np.ndarray, times: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Losses of points, shape `(points,)`."""
        parts = [slice(k, k + BATCH) for k in range(0, len(points), BATCH)]
        return np.concatenate([self._call(_values, 1.0, points[k], times[k], sources[k])[0] for k in parts])

    def gradients(self, points: np.ndarray, times: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses of points and their gradients, shapes `(points,)` and `(points, coordinates)`."""
        values, slopes = self._call(_gradients, GRADIENT, points, times, sources)
        flat = np.concatenate([slopes[0].reshape(len(points), -1), slopes[1]], axis=1)
        return values, np.where(np.isfinite(flat), flat, 0.0)

    def at_rest(self) -> float:
        """The loss without any noise."""
        zero = np.zeros((1, self.shape[0] * self.shape[1] + JUMPS))
        return float(self.values(zero, np.full((1, JUMPS), -1.0), np.zeros((1, JUMPS), int))[0])

    def _call(self, function, cost: float, points, times, sources):
        size = KEPT if len(points) <= KEPT else BATCH  # few shapes to compile
        filled = np.minimum(np.arange(size), len(points) - 1)
        course = self.course(points[filled], times[filled], sources[filled])
        self.work += cost * len(points)
        found = in_precision(self.double, function, self.prepared, course, self.source, self.score)
        return jax.tree.map(lambda x: np.asarray(x, np.float64)[: len(points)], found)


@eqx.filter_jit
def _values(prepared, course: Course, source: Steered, score: Column):
    return (score(path_losses(prepared, seed_key(0), course, source)),)


@eqx.filter_jit
def _gradients(prepared, course: Course, source: Steered, score: Column):
    def total(smooth):
        values = score(path_losses(prepared, seed_key(0), Course(*smooth, course.steps, course.sources), source, checkpoint=True))
        return jnp.sum(values), values

    slopes, values = jax.grad(total, has_aux=True)((course.coefficients, course.sizes))
    return values, slopes


def jump_cost(driven: Drivers, steps: int, sources: tuple[int, ...]) -> float:
    """Minus the log of the probability that the sources make these jumps in `steps` steps, and no others.

    >>> from jaxrisk.risk.rare.drivers import Drivers
    >>> one = Drivers((0,), (("price", "BTC"),), (0,), (1,), ("BTC",), False, np.array([[0.001, 0.0]]))
    >>> round(jump_cost(one, 1000, ()), 3), round(jump_cost(one, 1000, (0,)), 3)
    (1.001, 1.0)
    """
    if not driven.jump_uniforms:
        return 0.0
    expected = -steps * np.log1p(-driven.survival[:, 0])
    counts = np.bincount(np.asarray(sources, int), minlength=len(expected))
    return float(np.sum(expected - counts * np.log(expected) + gammaln(counts + 1.0)))


__all__ = ["BATCH", "GRADIENT", "JUMPS", "KEPT", "Candidate", "Surface", "jump_cost"]

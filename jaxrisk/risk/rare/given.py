"""Noise that is given: all of it, or a few coefficients of it, so that what comes of a path is a smooth function of its noise."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ..._leaf import Array
from ...cascade.bridge import straight
from ...cascade.engine import outcome, scan_paths, seed_key
from ...cascade.source import AbstractSource
from ...cascade.state import Noise, Prepared
from ...market import Bates, Garch, Heston, LogVariance
from .drivers import Drivers, cosines, placed, replaced


class GivenNoise(NamedTuple):
    """All the noise of one path.

    **Fields:** `first`: uniforms for draws before the first step, as `AbstractSource.start` has; `normals`, `uniforms`: shapes
    `(steps, normals)` and `(steps, uniforms)`; `bridge`: shape `(steps, assets, numbers)`, or None without the Brownian-bridge
    correction.
    """

    first: Any
    normals: Any
    uniforms: Any
    bridge: Any


class Given(AbstractSource):
    """Paths are `GivenNoise`, each array with the paths along its first axis. Differentiable in the normals, and in the uniforms
    where the market's law is."""

    def start(self, prepared: Prepared, key: Any, path: GivenNoise) -> tuple[Any, Any]:
        return path.first, ()

    def step(self, prepared: Prepared, key: Any, path: GivenNoise, memory: Any, index: Any) -> tuple[Noise, Any]:
        return Noise(path.normals[index], path.uniforms[index], None if path.bridge is None else path.bridge[index]), ()

    def losses(self, memory: Any) -> dict[str, Any]:
        return {}


class Course(NamedTuple):
    """A path by a few coefficients; with the paths along a first axis where there are several.

    **Fields:** `coefficients`: of the normals on the profiles in time (independent standard normals under the scenario's law),
    shape `(profiles, normals)`; `sizes`: the normals that size the jumps, shape `(jumps,)`; `steps`: at which they come, -1 for
    none, shape `(jumps,)`; `sources`: which source they come from, shape `(jumps,)`.
    """

    coefficients: Any
    sizes: Any
    steps: Any
    sources: Any


class Steered(AbstractSource):
    """Paths are `Course`s: normals on smooth profiles, jumps where they are put, and the rest of the noise at rest: no jump of
    the sources that have none to make, a price that is straight between two steps, a random shock at half time.

    Gradients to a course need no more than a course's own memory, however many steps there are.
    """

    profiles: Float[Array, "steps profiles"]
    survival: Float[Array, "sources max_jumps"]
    normals: tuple[int, ...] = eqx.field(static=True)
    jump_uniforms: tuple[int, ...] = eqx.field(static=True)
    jump_sizes: tuple[int, ...] = eqx.field(static=True)
    sizes_uniform: bool = eqx.field(static=True)

    def start(self, prepared: Prepared, key: Any, path: Course) -> tuple[Any, Any]:
        return jnp.full(1 + prepared.scenario.market.noise().first, 0.5, prepared.decay.dtype), ()

    def step(self, prepared: Prepared, key: Any, path: Course, memory: Any, index: Any) -> tuple[Noise, Any]:
        dtype, scenario = prepared.decay.dtype, prepared.scenario
        shape, assets = scenario.market.noise(), prepared.decay.shape[0]
        moved = jnp.sum(self.profiles[index][:, None] * path.coefficients, axis=0)
        normals = placed(moved, self.normals, shape.normals)
        uniforms = jnp.full((shape.uniforms,), 0.5, dtype)
        if self.jump_uniforms:
            sources = jnp.arange(len(self.jump_uniforms))
            here = (path.steps == index)[:, None] & (path.sources[:, None] == sources)
            size = jnp.sum(jnp.where(here, path.sizes[:, None], 0.0), axis=0)
            # a uniform in the middle of those that mean one jump, or none
            never = jnp.concatenate([self.survival, jnp.zeros_like(self.survival[:, :1])], axis=1)
            one, none = 0.5 * (never[:, 0] + never[:, 1]), 0.5 * (1.0 + never[:, 0])
            uniforms = replaced(uniforms, jnp.where(jnp.any(here, axis=0), one, none), self.jump_uniforms)
            if self.sizes_uniform:
                size = jnp.clip(jax.scipy.special.ndtr(size), jnp.finfo(dtype).tiny, 1.0 - jnp.finfo(dtype).eps)
                uniforms = replaced(uniforms, size, self.jump_sizes)
            else:
                normals = replaced(normals, size, self.jump_sizes)
        settings = scenario.settings
        return Noise(normals, uniforms, straight(settings.steps, assets, dtype) if settings.bridge else None), ()

    def losses(self, memory: Any) -> dict[str, Any]:
        return {}


def steered(prepared: Prepared, driven: Drivers, profiles: int) -> Steered:
    """The source whose paths are courses on that many profiles in time."""
    dtype = prepared.decay.dtype
    return Steered(
        profiles=jnp.asarray(cosines(prepared.scenario.settings.steps, profiles), dtype),
        survival=jnp.asarray(driven.survival, dtype),
        normals=driven.normals,
        jump_uniforms=driven.jump_uniforms,
        jump_sizes=driven.jump_sizes,
        sizes_uniform=driven.sizes_uniform,
    )


def noise_of(prepared: Prepared, source: Steered, course: Course) -> GivenNoise:
    """All the noise of one course, for `Given`."""
    steps = prepared.scenario.settings.steps
    course = jax.tree.map(jnp.asarray, course)
    noise = jax.vmap(lambda index: source.step(prepared, None, course, (), index)[0])(jnp.arange(steps, dtype=jnp.int32))
    first, _ = source.start(prepared, None, course)
    return GivenNoise(*(None if x is None else np.asarray(x) for x in (first, noise.normals, noise.uniforms, noise.bridge)))


class Followed(NamedTuple):
    """A path step by step, arrays `(steps, ...)`, and what came of it.

    `price`: log, after impact; `exogenous`: log, before; `liquidated`: so far, USD; `variance`: a year, where the law has one,
    else None; the first three of shapes `(steps, assets)` twice and `(steps,)`; `losses`: every observable.
    """

    price: Any
    exogenous: Any
    liquidated: Any
    variance: Any
    losses: dict[str, Any]


def variance_of(market: Any, state: Any) -> Any:
    """Variance a year of a law's state, or of many; None where the law has none of its own."""
    if isinstance(market, LogVariance):
        return market.variance_at(state)
    return state if isinstance(market, (Heston, Bates, Garch)) else None


@eqx.filter_jit
def followed(prepared: Prepared, paths: Any, source: AbstractSource) -> Followed:
    """Whole paths of given noise, with the paths along the first axis of every array."""
    market = prepared.scenario.market

    def emit(states):
        liquidated = jnp.sum(states.seen.notional, axis=(1, 2, 3))
        return states.price, states.fundamental, liquidated, variance_of(market, states.market)

    (final, _), emitted = scan_paths(prepared, seed_key(0), paths, source, emit)
    losses = jax.vmap(lambda state: outcome(prepared, state))(final)
    price, exogenous, liquidated, variance = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), emitted)
    return Followed(price, exogenous, liquidated, variance, losses)


def steps_of(times: Float[Array, "*paths jumps"], steps: int) -> Int[Array, "*paths jumps"]:
    """The step in which each time falls, a time being a share of the horizon; -1 for a negative one, which is no time."""
    times = np.asarray(times, np.float64)
    return np.where(times < 0.0, -1, np.minimum((times * steps).astype(np.int64), steps - 1)).astype(np.int32)


__all__ = ["Course", "Followed", "Given", "GivenNoise", "Steered", "followed", "noise_of", "steered", "steps_of", "variance_of"]

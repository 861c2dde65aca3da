"""A driver for the processes alone: it draws the noise and adds up the moves."""

from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest


class Paths(NamedTuple):
    """Per path: log price at the end, sums of the jumps and of the variances of the steps, and the last state."""

    log_price: Any
    jump: Any
    variance: Any
    state: Any


def draw(key, shape, dtype=jnp.float32):
    """Normals, and uniforms on (0, 1) as fine as 32 bits allow: a plain 23-bit uniform is too coarse for rare jumps."""
    words = jax.random.bits(jax.random.fold_in(key, 1), (shape.uniforms,), jnp.uint32)
    uniforms = jnp.clip((words.astype(dtype) + 0.5) * 2.0**-32, None, 1.0 - 2.0**-24)
    return jax.random.normal(key, (shape.normals,), dtype), uniforms


def cast(market, dtype=jnp.float32):
    """The same market in a given precision; whole numbers stay whole."""
    return jax.tree.map(lambda x: jnp.asarray(x, dtype if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else None), market)


def precision(bits):
    """Context in which arrays may have 64 bits."""
    return jax.enable_x64(bits == 64)


def one_path(market, years_per_step, steps, key, dtype=jnp.float32):
    """Run one path; differentiable in everything numeric."""
    market = cast(market, dtype)
    constants = market.prepare(jnp.asarray(years_per_step, dtype))
    first = draw(jax.random.fold_in(key, 2**31), SimpleNamespace(normals=0, uniforms=market.noise().first), dtype)[1]

    def body(carry, index):
        state, total, jump, variance = carry
        normals, uniforms = draw(jax.random.fold_in(key, index), market.noise(), dtype)
        state, move = market.step(constants, state, normals, uniforms, index)
        return (state, total + move.diffusion + move.jump, jump + move.jump, variance + move.variance), None

    zero = jnp.zeros(market.assets(), dtype)
    (state, total, jump, variance), _ = jax.lax.scan(body, (market.init(constants, first), zero, zero, zero), jnp.arange(steps))
    return Paths(total, jump, variance, state)


@partial(eqx.filter_jit)
def _many(market, years_per_step, steps, paths, seed):
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(jnp.arange(paths))
    return jax.vmap(lambda key: one_path(market, years_per_step, steps, key))(keys)


def simulate(market, years, steps, paths, seed=0):
    """All paths at once, as NumPy arrays in float64."""
    result = _many(cast(market), jnp.asarray(years / steps), steps, paths, seed)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), result)


def z_score(sample, expected):
    """How many standard errors the sample's mean is off; beyond 5 once in 1.7 million for a right formula."""
    sample = np.asarray(sample, np.float64)
    return (sample.mean() - expected) / (sample.std(ddof=1) / np.sqrt(sample.size))


def within(sample, expected, bound=5.0):
    """Fail unless the mean of the sample is within 5 standard errors of what is expected."""
    z = z_score(sample, expected)
    assert abs(z) < bound, f"mean {np.mean(sample)}, expected {expected}, {z:.1f} standard errors off"


@pytest.fixture(scope="session")
def driver():
    return SimpleNamespace(
        simulate=simulate, one_path=one_path, z_score=z_score, within=within, cast=cast, draw=draw, precision=precision
    )

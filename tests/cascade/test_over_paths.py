"""Paths along the last axis against `jax.vmap`, which puts them first: the same numbers and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.cascade.over_paths import MOST, OverPaths, over_paths

PATHS = 7
TABLE = jnp.asarray(np.random.default_rng(1).standard_normal((3, 2, 11)), jnp.float32)


def looked_up(x):
    """Rows of a common table by each path's own place, as the ladder looks up its tables."""
    cell = jnp.clip(jnp.floor(x[:, :2] * 3.0 + 4.0).astype(jnp.int32), 0, 10)
    return jnp.take_along_axis(TABLE, cell[..., None], axis=-1)[..., 0]


def own(x):
    """A choice among what the path has of its own."""
    return jnp.take(x, jnp.argmax(x, axis=1), axis=1, mode="clip")


def beyond(x):
    """A look-up whose places may be outside: filled with NaN, as NumPy's error is not to be had."""
    return jnp.take(TABLE[0, 0], jnp.floor(9.0 * jnp.abs(x)).astype(jnp.int32), mode="fill")


def scanned(x):
    return jax.lax.scan(lambda carry, _: (0.5 * carry + x, carry.sum()), x, None, length=3)


@jax.custom_jvp
def doubled(x):
    return 2.0 * x


doubled.defjvp(lambda primals, tangents: (2.0 * primals[0], 5.0 * tangents[0]))  # not what the function itself would give

FUNCTIONS = {
    "entry by entry": lambda x: jnp.where(x > 0.0, jnp.exp(-x) / 3.0, jnp.clip(x**2, 0.1, 0.5)) - jnp.sqrt(jnp.abs(x)),
    "shapes": lambda x: jnp.concatenate([x.T[:, ::-1][1:3], jnp.ones((2, 3))], axis=1)[:, 1::2].reshape(-1)[:, None] * x[0, :2],
    "sums": lambda x: (jnp.sum(x, axis=0), jnp.max(x), jnp.cumsum(x, axis=1), jnp.any(x > 0.5, axis=1)),
    "stack": lambda x: jnp.stack([x[0], jnp.arange(4.0), x[2]], axis=1),
    "common": lambda x: jnp.sum(TABLE) * jnp.ones(2),
    "barrier": lambda x: jax.lax.optimization_barrier((x, jnp.ones(3)))[0] * 2.0,
    "looked up": looked_up,
    "own": own,
    "beyond": beyond,
    "scanned": scanned,
    "sorted": lambda x: jnp.sort(x, axis=1) @ jnp.ones((4, 2)),
    "custom": doubled,
}


@pytest.fixture(scope="module")
def drawn():
    return jnp.asarray(np.random.default_rng(0).standard_normal((PATHS, 3, 4)), jnp.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_numbers_as_with_the_paths_first(name, drawn):
    last = OverPaths(FUNCTIONS[name], -1)
    found, expected = last.outward(last(last.inward(drawn))), jax.vmap(FUNCTIONS[name])(drawn)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["entry by entry", "shapes", "stack", "looked up", "own", "scanned", "sorted", "custom"])
def test_the_same_derivatives(name, drawn):
    """Forward and backward, those that a function brings with it too."""
    last, first = OverPaths(FUNCTIONS[name], -1), OverPaths(FUNCTIONS[name], 0)

    def total(every, x):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(every.outward(every(every.inward(x)))))

    np.testing.assert_allclose(jax.grad(lambda x: total(last, x))(drawn), jax.grad(lambda x: total(first, x))(drawn), rtol=1e-5)
    forward = [jax.jvp(lambda x, every=every: total(every, x), (drawn,), (jnp.cos(drawn),))[1] for every in (last, first)]
    np.testing.assert_allclose(*forward, rtol=1e-5)


def test_what_is_common_to_all_paths_may_be_differentiated(drawn):
    def total(scale, axis):
        every = OverPaths(lambda x, index: scale * jnp.sum(x * index, axis=0), axis)
        return jnp.sum(every.outward(every(every.inward(drawn), common=(2.0,))) ** 2)

    np.testing.assert_allclose(jax.grad(total)(1.5, -1), jax.grad(total)(1.5, 0), rtol=1e-6)


def test_large_books_keep_the_paths_first():
    assert over_paths(FUNCTIONS["sums"], MOST).axis == -1
    assert over_paths(FUNCTIONS["sums"], MOST + 1).axis == 0

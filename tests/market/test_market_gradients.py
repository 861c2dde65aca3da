"""Pathwise gradients of each process against bumps with the same noise, in float64; and paths that do not know each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.market import GBM, Bates, Bootstrap, Factors, Garch, Heston, Kou, LogVariance, Merton, Stationary

pytestmark = pytest.mark.hurried

EYE = [[1.0]]
SQUARE_ROOT = ([0.05], [0.4], [0.3], [2.0], [0.5], [-0.5], EYE)
FACTORS = ([0.05], [0.4], [[0.02, 0.2]], [[0.6, 0.4]], [[-0.5, -0.3]], EYE)
JUMPS = {"jump_rate": [20.0], "jump_mean": [-0.05], "jump_sd": [0.05], "scaled_jump_mean": [-0.3], "scaled_jump_sd": [1.0],
         "variance_jump_mean": [0.4], "variance_jump_half_life": [0.02], "max_jumps": 2}  # fmt: skip
SIZES = ("jump_mean", "jump_sd", "scaled_jump_mean", "scaled_jump_sd", "variance_jump_mean", "variance_jump_half_life")
MARKETS = {
    "log variance": (
        LogVariance(*FACTORS, variance=[0.3], **JUMPS),
        ("variance", "mean_variance", "half_life", "factor_sd", "leverage_correlation", *SIZES),
    ),
    "log variance, stationary": (
        LogVariance(*FACTORS, start=Stationary(), **JUMPS),
        ("mean_variance", "half_life", "factor_sd", "leverage_correlation", *SIZES),
    ),
    "log variance, near factors": (
        LogVariance(*FACTORS, start=Factors([[0.5, -0.2]], [[0.3, 0.2]]), **JUMPS),
        ("mean_variance", "half_life", "factor_sd", "leverage_correlation"),
    ),
    "heston, stationary": (
        Heston([0.05], None, [0.3], [20.0], [1.5], [-0.5], EYE, scheme="full_truncation", start=Stationary()),
        ("mean_variance", "reversion", "vol_of_variance", "leverage_correlation"),
    ),
    "gbm": (GBM([0.05], [0.6], EYE), ("drift", "volatility")),
    "merton": (Merton([0.05], [0.6], EYE, [20.0], [-0.05], [0.1], 0.0, max_jumps=2), ("volatility", "jump_mean", "jump_sd")),
    "kou": (
        Kou([0.05], [0.6], EYE, [20.0], [0.4], [20.0], [15.0], 0.0, max_jumps=2),
        ("volatility", "up_probability", "up_rate", "down_rate"),
    ),
    "bates": (
        Bates(*SQUARE_ROOT, [20.0], [-0.05], [0.1], 0.0, max_jumps=2),
        ("variance", "mean_variance", "reversion", "vol_of_variance", "leverage_correlation", "jump_mean", "jump_sd"),
    ),
    "bates full truncation": (
        Bates(*SQUARE_ROOT, [20.0], [-0.05], [0.1], 0.0, max_jumps=2, scheme="full_truncation"),
        ("variance", "mean_variance", "reversion", "vol_of_variance", "leverage_correlation", "jump_mean", "jump_sd"),
    ),
    "garch": (
        Garch([0.05], [0.4], [0.3], [0.08], [0.85], [6.0], EYE, reference_step=1 / 365),
        ("variance", "mean_variance", "alpha", "beta", "degrees_of_freedom"),
    ),
    "bootstrap": (Bootstrap(np.linspace(-0.05, 0.06, 30)[:, None] ** 3 * 50, 4.0, [0.05]), ("drift", "log_returns")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MARKETS)
def test_gradient_is_the_bump(driver, name):
    """d/d(parameter) of a mean put payoff over 2,000 paths, within 1% (plus a trifle) of a central difference of 0.01%.

    Nothing is random: the noise is the same on both sides. What is left is paths that cross the strike within the bump.
    """
    market, parameters = MARKETS[name]
    with driver.precision(64):
        market = driver.cast(market, jnp.float64)
        keys = jax.random.split(jax.random.key(1), 2000)

        def value(market):
            paths = jax.vmap(lambda key: driver.one_path(market, 1 / 365, 10, key, jnp.float64))(keys)
            return jnp.mean(jnp.maximum(1.0 - jnp.exp(paths.log_price), 0.0))

        evaluate, gradient = eqx.filter_jit(value), eqx.filter_jit(eqx.filter_grad(value))(market)
        for parameter in parameters:
            base = getattr(market, parameter)
            bump = 1e-4 * jnp.maximum(jnp.abs(base), 1e-2)
            ends = [evaluate(eqx.tree_at(lambda m: getattr(m, parameter), market, base + s * bump)) for s in (1, -1)]
            expected = (ends[0] - ends[1]) / 2
            found = jnp.sum(getattr(gradient, parameter) * bump)
            assert abs(found) > 1e-12, parameter
            np.testing.assert_allclose(found, expected, rtol=1e-2, err_msg=parameter)


@pytest.mark.slow
def test_vmap_of_grad_is_grad_of_vmap(driver):
    """The mean of the paths' gradients is the gradient of the mean."""
    market = driver.cast(MARKETS["bates"][0])
    keys = jax.random.split(jax.random.key(2), 32)

    def price(market, key):
        return jnp.exp(driver.one_path(market, 1 / 365, 5, key).log_price[0])

    inner = jax.jit(jax.vmap(jax.grad(price), (None, 0)))(market, keys)
    outer = jax.jit(jax.grad(lambda m: jnp.mean(jax.vmap(price, (None, 0))(m, keys))))(market)
    for a, b in zip(jax.tree.leaves(inner), jax.tree.leaves(outer), strict=True):
        np.testing.assert_allclose(a.mean(axis=0), b, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["merton", "bates", "log variance, stationary"])
def test_no_path_knows_its_neighbours(driver, name):
    """Three assets, 512 paths in another order: the same bits.

    What the compiler does with noise read back from memory, as this test does, it need not do with noise drawn inside the scan,
    and the other way round: the promise is the engine's, and `tests/batch/test_simulate.py` checks it there for every law.
    """
    one = driver.cast(MARKETS[name][0])
    # a number an asset becomes three of them, and a row of factors three rows
    repeat = lambda x: jnp.repeat(x, 3, axis=0) if x.ndim else x
    market = jax.tree.map(repeat, one)
    market = eqx.tree_at(lambda m: m.correlation, market, jnp.full((3, 3), 0.7) + 0.3 * jnp.eye(3))
    keys = jax.random.split(jax.random.key(2), 512)
    run = eqx.filter_jit(lambda m, k: jax.vmap(lambda key: driver.one_path(m, 1 / 365, 10, key).log_price)(k))
    np.testing.assert_array_equal(run(market, keys[::-1]), run(market, keys)[::-1])

"""Heston's and Bates's steps: moments of one step by quadrature, schemes against each other, correlation, robustness."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.market import Bates, Cloud, Heston, Stationary

YEAR_SECONDS = 365 * 86400
GRID = np.linspace(-8.0, 8.0, 8001)
WEIGHT = np.exp(-0.5 * GRID**2) / np.exp(-0.5 * GRID**2).sum()
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
NODE_WEIGHTS = NODE_WEIGHTS / NODE_WEIGHTS.sum()


def heston(variance=0.36, mean=0.5, reversion=4.0, xi=1.5, rho=-0.4, scheme="qe", drift=0.0):
    return Heston([drift], [variance], [mean], [reversion], [xi], [rho], [[1.0]], scheme=scheme)


@eqx.filter_jit
def _one_step(market, years, variance_normals, price_normals):
    constants = market.prepare(years)

    def step(zv, zs):
        state, move = market.step(constants, market.init(constants), jnp.stack([zv, zs]), zv[None][:0], jnp.asarray(0))
        return state[0], move.diffusion[0]

    return jax.vmap(jax.vmap(step, (None, 0)), (0, None))(variance_normals, price_normals)


def one_step(driver, market, seconds, dtype):
    """The next variance and the log price's move on the grid of both normals, in float64."""
    following, move = _one_step(
        driver.cast(market, dtype),
        jnp.asarray(seconds / YEAR_SECONDS, dtype),
        jnp.asarray(GRID, dtype),
        jnp.asarray(NODES, dtype),
    )
    return np.asarray(following[:, 0], np.float64), np.asarray(move, np.float64)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("scheme", ["qe", "full_truncation"])
@pytest.mark.parametrize("seconds", [1, 60, 3600, 86400])
def test_a_step_is_a_martingale(driver, bits, scheme, seconds):
    """E[exp(move)] = 1 by quadrature over both normals, from calm, usual and zero variance; no randomness.

    The tolerance is a hundredth (float32) or a ten-thousandth (float64) of what leaving out half the variance would do.
    """
    with driver.precision(bits):
        dtype = jnp.float32 if bits == 32 else jnp.float64
        for variance, rho in itertools.product([0.0, 1e-7, 1e-3, 0.36, 3.0], [-0.95, -0.4, 0.0, 0.3]):
            years = seconds / YEAR_SECONDS
            _, move = one_step(driver, heston(variance, rho=rho, scheme=scheme), seconds, dtype)
            excess = WEIGHT @ np.expm1(move) @ NODE_WEIGHTS
            scale = 0.5 * years * (variance + 4.0 * 0.5 * years)
            assert abs(excess) < (1e-2 if bits == 32 else 1e-4) * scale + 1e-15, (variance, rho, excess / scale)


@pytest.mark.parametrize("seconds", [60, 3600, 86400])
def test_quadratic_exponential_matches_the_variances_two_moments(driver, seconds):
    """Mean and variance of the next variance are the square-root process's own, on either side of the switch."""
    with driver.precision(64):
        for variance in (0.0, 1e-6, 1e-3, 0.36):
            following, _ = one_step(driver, heston(variance), seconds, jnp.float64)
            years, kappa, theta, xi = seconds / YEAR_SECONDS, 4.0, 0.5, 1.5
            decay = np.exp(-kappa * years)
            mean = theta + (variance - theta) * decay
            spread = variance * xi**2 * decay * (1 - decay) / kappa + theta * xi**2 * (1 - decay) ** 2 / (2 * kappa)
            assert following.min() >= 0.0
            assert WEIGHT @ following == pytest.approx(mean, rel=1e-5)
            assert WEIGHT @ following**2 - (WEIGHT @ following) ** 2 == pytest.approx(spread, rel=1e-4)


@pytest.mark.slow
def test_schemes_agree_at_one_minute(driver):
    """Full truncation has QE's call prices and mean variance at one-minute steps over six hours.

    False failures 6e-7 each of four comparisons; a difference of 2% in the price of a call shows.
    """
    years, steps, paths = 360 / 525600, 360, 40_000
    runs = {
        scheme: driver.simulate(heston(0.36, 0.36, 20.0, 3.0, -0.4, scheme), years, steps, paths, seed=seed)
        for scheme, seed in (("qe", 1), ("full_truncation", 2))
    }
    for strike in (0.98, 1.0, 1.02):
        payoff = {name: np.maximum(np.exp(run.log_price[:, 0]) - strike, 0.0) for name, run in runs.items()}
        error = np.hypot(*(x.std() / np.sqrt(paths) for x in payoff.values()))
        assert abs(payoff["qe"].mean() - payoff["full_truncation"].mean()) < 5 * error
    spent = {name: run.variance[:, 0] for name, run in runs.items()}
    error = np.hypot(*(x.std() / np.sqrt(paths) for x in spent.values()))
    assert abs(spent["qe"].mean() - spent["full_truncation"].mean()) < 5 * error
    driver.within(spent["qe"], 0.36 * years)


@pytest.mark.slow
def test_correlation_between_assets(driver):
    """Covariance of the log returns of two assets is the documented correlation's; false failures 6e-7 each of two."""
    correlation, rho = 0.8, np.array([-0.3, -0.6])
    market = Heston([0.0, 0.0], [0.36, 0.5], [0.36, 0.5], [4.0, 4.0], [0.3, 0.3], rho, [[1.0, correlation], [correlation, 1.0]])
    years = 1 / 365
    f = driver.simulate(market, years, 8, 200_000, seed=3).log_price
    expected = correlation * (rho.prod() + np.sqrt((1 - rho**2).prod())) * np.sqrt(0.36 * 0.5) * years
    centred = f - f.mean(axis=0)
    driver.within(centred.prod(axis=1), expected)
    assert abs(driver.z_score(centred.prod(axis=1), 0.9 * expected)) > 5
    driver.within(centred[:, 1] ** 2, 0.5 * years)


def bates(assets=1, **changes):
    one = {
        "drift": 0.0, "variance": 0.36, "mean_variance": 0.36, "reversion": 4.0, "vol_of_variance": 1.5,
        "leverage_correlation": -0.4, "jump_rate": 500.0, "jump_mean": -0.02, "jump_sd": 0.03,
    }  # fmt: skip
    one.update(changes)
    scheme = one.pop("scheme", "qe")
    correlation = np.full((assets, assets), 0.8) + 0.2 * np.eye(assets)
    fields = {name: [value] * assets for name, value in one.items()}
    return Bates(**fields, correlation=correlation, common_jump_probability=0.5, max_jumps=2, scheme=scheme)


EXTREMES = [
    {"variance": 0.0},
    {"variance": 0.0, "mean_variance": 0.0},
    {"vol_of_variance": 0.0},
    {"vol_of_variance": 1e-3},
    {"vol_of_variance": 30.0, "variance": 1e-4},
    {"leverage_correlation": -1.0, "variance": 0.0},
    {"leverage_correlation": 1.0},
    {"reversion": 0.0},
    {"reversion": 1e4},
    {"jump_rate": 0.0},
    {"jump_sd": 0.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["qe", "full_truncation"])
def test_float32_stays_finite_in_value_and_gradient(driver, scheme):
    """No NaN or infinity at the ends of the parameters' ranges, at steps from a second to a day, in one batch."""
    markets = [driver.cast(bates(scheme=scheme, **change)) for change in EXTREMES]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *markets)
    seconds = jnp.asarray([1.0, 60.0, 3600.0, 86400.0])

    def mean_price(market, years):
        paths = jax.vmap(lambda key: driver.one_path(market, years, 30, key))(jax.random.split(jax.random.key(0), 64))
        return jnp.mean(jnp.exp(paths.log_price) + paths.variance + paths.state)

    over_markets = jax.vmap(jax.value_and_grad(mean_price), (0, None))
    value, gradient = jax.jit(jax.vmap(over_markets, (None, 0)))(stacked, seconds / YEAR_SECONDS)
    assert np.isfinite(value).all()
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()


@pytest.mark.slow
def test_small_vol_of_variance_is_black_and_scholes_in_float32(driver):
    """With almost constant variance the log return is normal: mean and variance within 5 standard errors (6e-7 each of two)."""
    years = 1440 / 525600
    f = driver.simulate(heston(0.36, 0.36, 4.0, 1e-3, -0.7), years, 1440, 20_000, seed=5).log_price[:, 0]
    driver.within(f, -0.18 * years)
    driver.within((f + 0.18 * years) ** 2, 0.36 * years)


def test_a_stationary_start_has_the_gamma_law(driver):
    """Mean and variance of the variance at the start, of two correlated assets, and after a step: theta and
    xi^2 theta / (2 kappa). False failures 6e-7 each of eight comparisons."""
    mean, reversion, xi = np.array([0.36, 0.5]), np.array([20.0, 34.7]), np.array([3.0, 5.35])
    c = [[1.0, 0.7], [0.7, 1.0]]
    market = Heston([0.0, 0.0], None, mean, reversion, xi, [-0.4, -0.4], c, start=Stationary())
    assert market.noise().first == 2
    spread = xi**2 * mean / (2 * reversion)
    constants = driver.cast(market).prepare(jnp.asarray(1 / 8760))
    uniforms = jax.random.uniform(jax.random.key(1), (100_000, 2), minval=1e-9)
    first = np.asarray(jax.vmap(lambda u: market.init(constants, u))(uniforms), np.float64)
    later = driver.simulate(market, 1 / 8760, 1, 100_000).state
    for variance in (first, later):
        for a in range(2):
            driver.within(variance[:, a], mean[a])
            driver.within((variance[:, a] - mean[a]) ** 2, spread[a])
    assert 0.5 < np.corrcoef(first.T)[0, 1] < 0.7


def test_a_cloud_of_variances_and_none_given(driver):
    """Paths start from the particles, or from the mean where nothing is said."""
    market = Heston([0.0], None, [0.36], [20.0], [3.0], [-0.4], [[1.0]], start=Cloud([[0.1], [0.9]], [3.0, 1.0]))
    constants = market.prepare(jnp.asarray(1 / 8760))
    assert [float(market.init(constants, jnp.asarray([u]))[0]) for u in (0.7, 0.8)] == pytest.approx([0.1, 0.9])
    plain = Heston([0.0], None, [0.36], [20.0], [3.0], [-0.4], [[1.0]])
    assert float(plain.init(plain.prepare(jnp.asarray(1 / 8760)))[0]) == pytest.approx(0.36)

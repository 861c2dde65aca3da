"""Brownian motion and jumps: moments, correlation, common jumps, numbers of jumps, Kou's sizes.

Comparisons of a mean with its standard error hold at |z| < 5: 6e-7 false failures each, 5e-5 in the file.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxrisk.market import GBM, Bates, Kou, Merton, jumps_needed
from jaxrisk.market._counts import count_and_root, survival_probabilities
from jaxrisk.market._noise import correlation_factor
from jaxrisk.market.jumps import double_exponential

pytestmark = pytest.mark.hurried

PATHS = 100_000
CORRELATION = [[1.0, 0.8, 0.5], [0.8, 1.0, 0.3], [0.5, 0.3, 1.0]]
STEPS = {"1s": 1 / 31536000, "1min": 1 / 525600, "1h": 1 / 8760, "1d": 1 / 365}


def merton(rate, common=0.0, mean=-0.1, sd=0.15, assets=1, max_jumps=16):
    each = lambda x: np.broadcast_to(x, assets)
    correlation = np.asarray(CORRELATION)[:assets, :assets]
    return Merton(each(0.0), each(0.1), correlation, each(rate), each(mean), each(sd), common, max_jumps=max_jumps)


def test_gbm_has_its_covariance(driver):
    """Means, variances and covariances of three assets over a year, in two steps."""
    sigma = np.array([0.6, 0.8, 1.1])
    f = driver.simulate(GBM([0.1, 0.0, -0.2], sigma, CORRELATION), 1.0, 2, PATHS).log_price
    mean = np.array([0.1, 0.0, -0.2]) - sigma**2 / 2
    for a in range(3):
        driver.within(f[:, a], mean[a])
        for b in range(a + 1):
            product = (f[:, a] - mean[a]) * (f[:, b] - mean[b])
            driver.within(product, CORRELATION[a][b] * sigma[a] * sigma[b])
    assert abs(driver.z_score((f[:, 0] - mean[0]) * (f[:, 1] - mean[1]), 0.76 * 0.6 * 0.8)) > 5


def test_factor_reproduces_the_correlation():
    """Also where assets move as one, with a finite gradient."""
    factor = np.asarray(correlation_factor(jnp.asarray(CORRELATION)))
    np.testing.assert_allclose(factor @ factor.T, CORRELATION, atol=3e-6)
    ones = jnp.ones((3, 3))
    assert np.isfinite(correlation_factor(ones)).all()
    assert np.isfinite(jax.grad(lambda c: correlation_factor(c).sum())(ones)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_jump_processes_are_martingales_at_any_step(driver, name):
    """A jump every other step: a missing compensator would be a bias of 4% (Kou: 0.6%) against a standard error of 0.04%."""
    years, rate = STEPS[name], 0.5 / STEPS[name]
    markets = {
        "merton": merton(rate, max_jumps=6),
        "kou": Kou([0.0], [0.1], [[1.0]], [rate], [0.4], [25.0], [20.0], 0.0, max_jumps=6),
        "bates": Bates([0.0], [0.1], [0.1], [1.0], [0.3], [-0.5], [[1.0]], [rate], [-0.1], [0.15], 0.0, max_jumps=6),
    }
    for market in markets.values():
        paths = driver.simulate(market, years, 1, PATHS, seed=7)
        driver.within(np.exp(paths.log_price[:, 0]), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("common", [0.0, 0.6, 1.0])
def test_common_jumps_keep_each_assets_law_and_correlate(driver, common):
    """Each asset's jumps have mean and variance of its own compound Poisson law; covariances come from the common ones alone."""
    rate, mean, sd = np.array([2.0, 3.0, 4.0]), np.array([-0.1, -0.05, 0.02]), np.array([0.15, 0.1, 0.2])
    jump = driver.simulate(merton(rate, common, mean, sd, 3), 1.0, 4, PATHS, seed=5).jump
    for a in range(3):
        driver.within(jump[:, a], rate[a] * mean[a])
        driver.within((jump[:, a] - rate[a] * mean[a]) ** 2, rate[a] * (mean[a] ** 2 + sd[a] ** 2))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        product = (jump[:, a] - rate[a] * mean[a]) * (jump[:, b] - rate[b] * mean[b])
        driver.within(product, common * 2.0 * (mean[a] * mean[b] + sd[a] * sd[b]))
        if common == 0.6:
            assert abs(driver.z_score(product, 0.0)) > 20


@pytest.mark.slow
def test_fully_common_jumps_are_simultaneous(driver):
    """Equal rates and probability one: every asset jumps when one does, by the same standard normal (Kou: uniform)."""
    jump = driver.simulate(merton(0.5, 1.0, assets=3), 1.0, 1, 4096).jump
    assert 0.3 < (jump[:, 0] != 0).mean() < 0.5
    np.testing.assert_allclose(jump, jump[:, :1].repeat(3, axis=1))
    each = [0.5, 0.5]
    kou = Kou([0.0] * 2, [0.1] * 2, np.eye(2), each, [0.4] * 2, [10.0] * 2, [5.0] * 2, 1.0, max_jumps=3)
    jump = driver.simulate(kou, 1.0, 1, 4096).jump
    assert 0.3 < (jump[:, 0] != 0).mean() < 0.5
    np.testing.assert_allclose(jump[:, 0], jump[:, 1])


@pytest.mark.slow
def test_kou_common_jumps_covariance(driver):
    """Half of the jumps common: the covariance is half of the rate times a jump's second moment."""
    kou = Kou([0.0] * 2, [0.1] * 2, np.eye(2), [1.0] * 2, [0.4] * 2, [10.0] * 2, [5.0] * 2, 0.5, max_jumps=8)
    jump = driver.simulate(kou, 1.0, 1, PATHS).jump
    mean, second = 0.4 / 10 - 0.6 / 5, 0.4 * 2 / 100 + 0.6 * 2 / 25
    for a in range(2):
        driver.within(jump[:, a], mean)
        driver.within((jump[:, a] - mean) ** 2, second)
    driver.within((jump - mean).prod(axis=1), 0.5 * second)


@pytest.mark.parametrize("mean", [1e-9, 3e-5, 0.1, 2.0])
def test_survival_probabilities(mean):
    """Against SciPy, in float32, by relative error; the mean count is the Poisson mean."""
    exact = stats.poisson.sf(np.arange(8), mean)
    ours = np.asarray(survival_probabilities(jnp.asarray(mean, jnp.float32), 8))
    seen = exact > 1e-36
    np.testing.assert_allclose(ours[seen], exact[seen], rtol=2e-5)
    for count in range(4):
        edge = jnp.asarray(np.float32(ours[count]) * np.float32(0.999), jnp.float32)
        if edge > 1e-36:
            found, root = count_and_root(edge, jnp.asarray(ours))
            assert found == count + 1
            np.testing.assert_allclose(root, np.sqrt(count + 1.0), rtol=1e-6)


def test_jumps_needed():
    """The smallest sufficient number, and no fewer."""
    for mean in (1e-7, 1e-4, 0.01, 0.3, 1.0):
        number = jumps_needed(mean)
        assert stats.poisson.sf(number, mean) < 1e-10
        assert number == 1 or stats.poisson.sf(number - 1, mean) >= 1e-10
    assert jumps_needed(0.0) == 1
    assert jumps_needed(100.0) == 16


@pytest.mark.slow
def test_double_exponential_distribution():
    """The inverse gives back the uniform; at the ends of the probability too, with finite gradients."""
    uniform = np.linspace(0.01, 0.99, 50)
    size = np.asarray(double_exponential(jnp.asarray(uniform), 0.4, 10.0, 5.0), np.float64)
    law = np.where(size < 0, 0.6 * np.exp(5.0 * np.minimum(size, 0)), 1 - 0.4 * np.exp(-10.0 * np.maximum(size, 0)))
    np.testing.assert_allclose(law, uniform, atol=1e-5)
    for up in (0.0, 1.0):
        gradient = jax.grad(lambda p: double_exponential(jnp.asarray(uniform), p, 10.0, 5.0).sum())(up)
        assert np.isfinite(gradient)
    assert (np.asarray(double_exponential(jnp.asarray(uniform), 0.0, 10.0, 5.0)) <= 0).all()

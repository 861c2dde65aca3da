"""GARCH: innovations, moments by their exact recursion, time scaling.

Comparisons of a mean with its standard error hold at |z| < 5: 6e-7 false failures each, 2e-5 in the file.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxrisk.market import Garch
from jaxrisk.market.garch import student_t

HOUR = 1 / 8760


def garch(variance=0.5, mean=0.3, alpha=0.08, beta=0.88, freedom=12.0, drift=0.0):
    return Garch([drift], [variance], [mean], [alpha], [beta], [freedom], [[1.0]], reference_step=HOUR)


def moments(steps, ratio, variance=0.5, mean=0.3, alpha=0.08, beta=0.88, freedom=12.0):
    """Exact E[v], E[v^2] after a number of steps, and the long-run variance of v, from the recursion of moments."""
    persistence = (alpha + beta) ** ratio
    reaction = min(alpha * np.sqrt(ratio), persistence)
    kurtosis = 3 * (freedom - 2) / (freedom - 4)
    slope = persistence**2 + reaction**2 * (kurtosis - 1)
    base = mean * (1 - persistence)
    first, second = variance, variance**2
    for _ in range(steps):
        second = base**2 + 2 * base * persistence * first + slope * second
        first = base + persistence * first
    stationary = (base**2 + 2 * base * persistence * mean) / (1 - slope) - mean**2
    return first, second, stationary, kurtosis


@pytest.mark.parametrize("freedom", [2.5, 4.0, 12.0])
def test_innovations_are_student_t(driver, freedom):
    """Shares below nine quantiles of SciPy's law scaled to unit variance."""
    words = jax.random.bits(jax.random.key(3), (2, 200_000), jnp.uint32)
    uniforms = jnp.minimum((words.astype(jnp.float32) + 0.5) * 2.0**-32, 1 - 2.0**-24)
    t = np.asarray(student_t(jnp.asarray(freedom), uniforms[0], uniforms[1]))
    levels = np.array([0.0005, 0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995, 0.9995])
    for level, quantile in zip(levels, stats.t.ppf(levels, freedom) * np.sqrt((freedom - 2) / freedom), strict=True):
        driver.within(t < quantile, level)
    assert abs(driver.z_score(t < stats.norm.ppf(0.005), 0.005)) > 5


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "ratio"), [(48, 1.0), (96, 0.5), (24, 4.0)])
def test_variance_and_kurtosis_follow_the_recursion(driver, steps, ratio):
    """E[v] and E[v^2] of the last variance, and E[r^2] of the sum of returns; a tenth more alpha would fail."""
    run = driver.simulate(garch(), steps * ratio * HOUR, steps, 100_000, seed=2)
    first, second, _, _ = moments(steps, ratio)
    driver.within(run.state[:, 0], first)
    driver.within(run.state[:, 0] ** 2, second)
    other = moments(steps, ratio, alpha=0.1, beta=0.86)[1]
    assert abs(driver.z_score(run.state[:, 0] ** 2, other)) > 5
    total = sum(moments(k, ratio)[0] for k in range(steps)) * ratio * HOUR
    driver.within(run.variance[:, 0], total)
    centred = run.log_price[:, 0] + 0.5 * run.variance[:, 0]
    driver.within(centred, 0.0)
    driver.within(centred**2, total)


@pytest.mark.slow
def test_return_kurtosis(driver):
    """The fourth moment of a return from the stationary law is that of the innovation times E[v^2]/E[v]^2."""
    one, long = 1, 120
    before = driver.simulate(garch(0.3), long * HOUR, long, 60_000, seed=4).log_price
    after = driver.simulate(garch(0.3), (long + one) * HOUR, long + one, 60_000, seed=4).log_price
    step = (after - before)[:, 0]
    _, second, stationary, kurtosis = moments(long, 1.0, variance=0.3)
    assert second - 0.09 == pytest.approx(stationary, rel=2e-2)
    driver.within(step**4, kurtosis * second * HOUR**2)
    assert abs(driver.z_score(step**4, 3 * 0.09 * HOUR**2)) > 5


def test_time_scaling_keeps_the_law_of_the_variance(driver):
    """Half-life exactly, long-run variance of the variance to 10%, from steps of a minute to two hours."""
    reference = moments(24, 1.0)
    for ratio, steps in ((1 / 60, 1440), (0.25, 96), (2.0, 12)):
        scaled = moments(steps, ratio)
        assert scaled[0] == pytest.approx(reference[0], rel=1e-9)
        assert scaled[2] == pytest.approx(reference[2], rel=0.1)


@pytest.mark.slow
def test_correlated_innovations(driver):
    """Covariance of two assets' returns; unit variances stay."""
    each = lambda x: [x, x]
    market = Garch(
        each(0.0), each(0.3), each(0.3), each(0.0), each(0.9), each(6.0), [[1.0, 0.7], [0.7, 1.0]], reference_step=HOUR
    )
    f = driver.simulate(market, 4 * HOUR, 4, 100_000).log_price + 0.5 * 0.3 * 4 * HOUR
    driver.within(f.prod(axis=1), 0.7 * 0.3 * 4 * HOUR)
    driver.within(f[:, 1] ** 2, 0.3 * 4 * HOUR)


@pytest.mark.slow
def test_variance_stays_non_negative_at_long_steps(driver):
    """The reaction is capped at the persistence: a step of 100 reference steps neither turns negative nor explodes."""
    run = driver.simulate(garch(alpha=0.3, beta=0.65, freedom=3.0), 1000 * HOUR, 10, 20_000)
    assert (run.state >= 0).all()
    assert np.isfinite(run.log_price).all()

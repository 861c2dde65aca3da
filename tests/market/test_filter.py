"""The particle filter against an exact filter on a grid, on simulated states, and on missing bars.

Comparisons of a mean with its standard error hold at |z| < 5, over replications with seeds of their own: 2e-5 false failures in
the file.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxrisk.market import LogVariance
from jaxrisk.market.filter import _systematic, filtered

HOUR = 1 / 8760
MEAN, SD, RHO, HALF_LIFE = 0.36, 0.8, -0.5, 6 * HOUR
RATE, JUMP_MEAN, JUMP_SD = 300.0, -0.3, 1.5


def law(rho=RHO, assets=1, sds=(SD,), half_lives=(HALF_LIFE,), **changes):
    each = lambda x: np.full(assets, x)
    jumps = {"jump_rate": each(RATE), "scaled_jump_mean": each(JUMP_MEAN), "scaled_jump_sd": each(JUMP_SD), "max_jumps": 3}
    rows = lambda x: np.tile(np.asarray(x, float), (assets, 1))
    return LogVariance(
        each(0.0), each(MEAN), rows(half_lives), rows(sds), rows([rho] * len(sds)), np.eye(assets), **jumps | changes
    )


def on_a_grid(returns, rho=RHO, points=401, most=4):
    """Exact filter of the one-factor law by the trapezoid rule: mean and standard deviation at the end, and likelihood."""
    y = np.linspace(-6 * SD, 6 * SD, points)
    kappa = np.log(2) / HALF_LIFE
    left, width = np.exp(-kappa * HOUR), y[1] - y[0]
    own = SD * np.sqrt(1 - left**2)
    together = rho * (1 - left) / kappa / np.sqrt(HOUR * (1 - left**2) / (2 * kappa))
    v = MEAN * np.exp(np.sqrt(left) * y - 0.5 * left * SD**2)
    deviation, daily = np.sqrt(v * HOUR), np.sqrt(v / 365)
    m, d = JUMP_MEAN * daily, JUMP_SD * daily
    base = -0.5 * v * HOUR - RATE * HOUR * np.expm1(m + 0.5 * d**2)
    density, likelihood = stats.norm.pdf(y, 0, SD), 0.0
    for r in returns:
        following = np.zeros(points)
        for n in range(most + 1):
            total = v * HOUR + n * d**2
            joint = density * stats.poisson.pmf(n, RATE * HOUR) * stats.norm.pdf(r, base + n * m, np.sqrt(total))
            # the price's own noise given the return, and what it says of the factor's
            noise, spread = deviation * (r - base - n * m) / total, n * d**2 / total
            centre, sd = y * left + own * together * noise, own * np.sqrt(1 - together**2 + together**2 * spread)
            following += (joint[:, None] * stats.norm.pdf(y[None, :], centre[:, None], sd[:, None])).sum(axis=0) * width
        step = following.sum() * width
        density, likelihood = following / step, likelihood + np.log(step)
    mean = (density * y).sum() * width
    return mean, np.sqrt((density * (y - mean) ** 2).sum() * width), likelihood


def test_against_an_exact_filter():
    """Thirty hours with a fall of 4% among them, 16 replications of 2,000 particles: mean, spread and likelihood."""
    random = np.random.default_rng(3)
    returns = random.normal(0, 0.006, 30)
    returns[20] = -0.04
    found = [filtered(law(), returns[:, None], HOUR, 2000, seed) for seed in range(16)]
    mean, sd, likelihood = on_a_grid(returns)
    for values, expected in (
        ([f.states.mean() for f in found], mean),
        ([f.states.std() for f in found], sd),
        ([float(f.log_likelihood[0]) for f in found], likelihood),
    ):
        error = np.std(values, ddof=1) / 4
        assert abs(np.mean(values) - expected) < 5 * error + 1e-3
        assert error < 0.05 * sd
    assert abs(mean) > 0.3
    assert abs(on_a_grid(returns, rho=-RHO)[0] - mean) > 0.1


def test_states_that_were_simulated_are_covered():
    """Of 300 independent paths of three days the true log variances fall into the particles' 90% intervals as often, their ranks
    are uniform, and the intervals are far narrower than the law's own."""
    many = law(-0.3, 300, (0.8, 0.6), (HALF_LIFE, 12 * HALF_LIFE), variance_jump_mean=np.full(300, 0.5),
               variance_jump_half_life=np.full(300, 4 * HOUR))  # fmt: skip
    constants = many.prepare(jnp.asarray(HOUR))
    shape = many.noise()

    @jax.jit
    def simulated(key):
        keys = jax.random.split(key, 3)

        def body(state, noise):
            state, move = many.step(constants, state, *noise, jnp.asarray(0))
            return state, move.diffusion + move.jump

        normals = jax.random.normal(keys[0], (72, shape.normals))
        uniforms = jax.random.uniform(keys[1], (72, shape.uniforms), minval=1e-9)
        start = tuple(s * z for s, z in zip((0.8, 0.6, 0.0), jax.random.normal(keys[2], (3, 300)), strict=True))
        return jax.lax.scan(body, start, (normals, uniforms))

    state, returns = simulated(jax.random.key(5))
    truth = np.asarray(many.variance_at(state), np.float64)
    found = filtered(many, np.asarray(returns, np.float64), HOUR, 1000)
    variance = np.asarray(many.variance_at(tuple(np.moveaxis(found.states, -1, 0))), np.float64)
    rank = np.mean(variance < truth, axis=0)
    covered = np.mean((rank > 0.05) & (rank < 0.95))
    assert abs(covered - 0.9) < 5 * np.sqrt(0.09 / 300)
    assert stats.kstest(rank, "uniform").pvalue > 1e-6
    assert np.log(variance).std(axis=0).mean() < 0.75 * np.log(variance).std()
    assert np.corrcoef(np.log(variance).mean(axis=0), np.log(truth))[0, 1] > 0.6
    assert found.effective.min() > 0.01


def test_missing_bars_say_nothing():
    """After 100 missing bars the particles have the stationary law; a bar after a gap counts as any other."""
    returns = np.full((140, 1), np.nan)
    returns[:40] = 0.03
    found = filtered(law(), returns, HOUR, 20_000)
    assert abs(found.states.mean()) < 5 * SD / np.sqrt(20_000) + SD * 0.5 ** (100 / 6) * 5
    assert found.states.std() == pytest.approx(SD, rel=0.03)
    np.testing.assert_allclose(found.effective[40:], 1.0)
    assert filtered(law(), returns[:40], HOUR, 2000).states.mean() > 1.0


def test_systematic_resampling():
    """Each particle as often as its weight says, up to one."""
    weight = np.array([[0.5, 0.1], [0.1, 0.1], [0.4, 0.8]])
    drawn = np.asarray(_systematic(jnp.asarray(np.repeat(weight, 100, axis=0) / 100), jnp.asarray([0.3, 0.9])))
    for a in range(2):
        np.testing.assert_allclose(np.bincount(drawn[:, a] // 100, minlength=3), 300 * weight[:, a], atol=1.01)
        assert set(np.bincount(drawn[:, a])) <= {0, 1, 2, 3}


def test_a_started_law_carries_the_cloud():
    found = filtered(law(), np.full((50, 1), 0.02), HOUR, 500)
    started = found.started(law())
    assert started.noise().first == 1
    state = started.init(started.prepare(jnp.asarray(HOUR)), jnp.asarray([0.5]))
    assert float(state[0][0]) == pytest.approx(found.states[249, 0, 0], rel=1e-5)
    assert 0.0 < float(started.start.effective) < 1.0

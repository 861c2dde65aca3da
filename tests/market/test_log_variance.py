"""The log variance of several factors: limits, closed-form moments of variance and returns, leverage, jumps, starts.

Comparisons of a mean with its standard error hold at |z| < 5: 6e-7 false failures each, 5e-5 in the file.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import dblquad, quad

from jaxrisk.market import GBM, Cloud, Factors, LogVariance, Merton, Stationary
from jaxrisk.market._gamma import SCORES, at_score, gamma_table

pytestmark = pytest.mark.hurried

HOUR = 1 / 8760
HALF_LIFE, SD, RHO = np.array([6.0, 72.0]) * HOUR, np.array([0.8, 0.6]), np.array([-0.4, -0.3])
KAPPA, MEAN = np.log(2) / HALF_LIFE, 0.36
PATHS = 100_000
JUMPS = {"jump_rate": [2000.0], "jump_mean": [-0.005], "jump_sd": [0.004], "scaled_jump_mean": [-0.2],
         "scaled_jump_sd": [0.5], "max_jumps": 4}  # fmt: skip
SURGES = {"variance_jump_mean": [0.4], "variance_jump_half_life": [4 * HOUR]}


def law(sd=SD, rho=RHO, **changes):
    if "start" not in changes:
        changes.setdefault("variance", [MEAN])
    return LogVariance([0.0], [MEAN], HALF_LIFE[None], np.asarray(sd)[None], np.asarray(rho)[None], [[1.0]], **changes)


def covariance(lag, kappa=KAPPA, sd=SD):
    """Of the log variance, stationary."""
    return np.sum(sd**2 * np.exp(-kappa * lag))


@eqx.filter_jit
def _course(market, years, steps, keys):
    """Returns less jumps, jumps, spent variances and variances after each step: arrays `(paths, steps, assets)`."""
    constants = market.prepare(jnp.asarray(years, jnp.float32))
    shape = market.noise()

    def one(key):
        keys = jax.random.split(key, 4)
        uniform = lambda key, shape: jax.random.uniform(key, shape, minval=1e-12)
        normals = jax.random.normal(keys[0], (steps, shape.normals))
        uniforms = uniform(keys[1], (steps, shape.uniforms))
        first = uniform(keys[2], (shape.first,))

        def body(state, noise):
            state, move = market.step(constants, state, *noise, jnp.asarray(0))
            return state, (move.diffusion, move.jump, move.variance, market.variance_at(state))

        return jax.lax.scan(body, market.init(constants, first), (normals, uniforms))[1]

    return jax.vmap(one)(keys)


def course(driver, market, years, steps, paths=PATHS, seed=3):
    keys = jax.random.split(jax.random.key(seed), paths)
    return [np.asarray(x, np.float64) for x in _course(driver.cast(market), years, steps, keys)]


def test_without_factors_it_is_gbm_and_merton(driver):
    """The same noise gives the same moves as geometric Brownian motion, and with fixed jumps as Merton's law."""
    with driver.precision(64):
        years, normals, uniforms = jnp.asarray(1 / 8760), jnp.asarray([0.7, -1.2, 0.4, 1.1]), jnp.asarray([1e-5])
        jumps = ([0.6], [-0.05], [0.1])
        ours = law(sd=[0.0, 0.0], rho=[0.0, 0.0], jump_rate=jumps[0], jump_mean=jumps[1], jump_sd=jumps[2], max_jumps=1)
        merton = Merton([0.0], [0.6], [[1.0]], *jumps, 0.0, max_jumps=1)
        gbm, plain = GBM([0.0], [0.6], [[1.0]]), law(sd=[0.0, 0.0], rho=[0.0, 0.0])
        moved = lambda market, normals: market.step(
            (c := driver.cast(market, jnp.float64).prepare(years)), market.init(c), normals, uniforms, jnp.asarray(0)
        )[1]
        for a, b in (
            (moved(ours, normals), moved(merton, normals[2:])),
            (moved(plain, normals[:3]), moved(gbm, normals[2:3])),
        ):
            np.testing.assert_allclose(jax.tree.leaves(a), jax.tree.leaves(b), rtol=1e-9)
            assert float(b.variance[0]) > 0
        assert float(moved(ours, normals).jump[0]) != 0.0


@pytest.mark.parametrize("steps", [1, 24])
def test_it_is_a_martingale(driver, steps):
    """Five days in one step and in 24, with leverage and jumps of both kinds; half the variance would be 8 standard errors, the
    compensator 20."""
    years = 120 * HOUR
    market = law(start=Stationary(), **JUMPS | {"jump_rate": [50.0], "max_jumps": 9}, **SURGES)
    paths = driver.simulate(market, years, steps, PATHS, seed=4)
    price = np.exp(paths.log_price[:, 0])
    driver.within(price, 1.0)
    error = price.std() / np.sqrt(PATHS)
    assert 0.5 * MEAN * years > 8 * error
    assert abs(np.mean(np.exp(paths.log_price[:, 0] - paths.jump[:, 0])) - 1.0) > 20 * error


@pytest.mark.parametrize("start", ["given", "factors", "stationary"])
def test_mean_variance_in_time(driver, start):
    """E v_t from each kind of start, after two hours and after a day, in steps of half an hour; and of what a step spends."""
    v0 = 0.1
    share = SD**2 / np.sum(SD**2)
    y0, s0 = share * (np.log(v0 / MEAN) + 0.5 * np.sum(SD**2)), np.zeros(2)
    if start == "factors":
        y0, s0 = np.array([0.5, -0.7]), np.array([0.3, 0.1])
    if start == "stationary":
        y0, s0 = np.zeros(2), SD
    starts = {
        "given": {"variance": [v0]},
        "factors": {"start": Factors(y0[None], s0[None])},
        "stationary": {"start": Stationary()},
    }
    *_, spent, variance = course(driver, law(**starts[start]), HOUR / 2, 48, 40_000)

    def expected(time):
        left = np.exp(-KAPPA * time)
        return MEAN * np.exp(np.sum(left * y0 + 0.5 * (left * s0) ** 2 - 0.5 * (SD * left) ** 2))

    for step in (4, 48):
        driver.within(variance[:, step - 1, 0], expected(step * HOUR / 2))
        driver.within(spent[:, step - 1, 0] / (HOUR / 2), expected((step - 0.5) * HOUR / 2))
    if start == "given":
        assert abs(driver.z_score(variance[:, 3, 0], v0)) > 5


def test_autocovariance_of_the_variance(driver):
    """E[v_0 v_t] = vbar^2 exp(c(t)) when stationary, over an hour and over half a day; with one factor's memory it fails."""
    *_, variance = course(driver, law(start=Stationary()), HOUR, 13, 200_000)
    for lag in (1, 12):
        product = np.log(variance[:, 0, 0] / MEAN) * np.log(variance[:, lag, 0] / MEAN)
        level = -0.5 * np.sum(SD**2)
        driver.within(product, covariance(lag * HOUR) + level**2)
        driver.within(variance[:, 0, 0] * variance[:, lag, 0], MEAN**2 * np.exp(covariance(lag * HOUR)))
    assert abs(driver.z_score(product, np.sum(SD**2) * np.exp(-KAPPA[0] * 12 * HOUR) + level**2)) > 20


def test_variance_and_kurtosis_of_returns(driver):
    """Six hours from stationary starts, without leverage: E[r^2] is the mean variance's, E[r^4] = 3 E[(int v)^2], which is
    3 vbar^2 int int exp(c). The kurtosis is 5, that of constant variance 3."""
    horizon, sd = 6 * HOUR, np.array([0.6, 0.5])
    moves, _, spent, _ = course(driver, law(sd, [0.0, 0.0], start=Stationary()), HOUR / 4, 24, 200_000)
    returns = (moves + 0.5 * spent).sum(axis=1)[:, 0]
    integral = dblquad(lambda a, b: np.exp(covariance(abs(a - b), sd=sd)), 0, horizon, 0, horizon)[0]
    fourth = 3 * MEAN**2 * integral
    driver.within(returns**2, MEAN * horizon)
    driver.within(returns**4, fourth)
    assert abs(driver.z_score(returns**4, 3 * (MEAN * horizon) ** 2)) > 10


def test_leverage(driver):
    """E[r v_t] of the return over an hour and the variance five hours later, in closed form."""
    moves, _, spent, variance = course(driver, law(start=Stationary()), HOUR / 12, 12 + 60, 200_000)
    returns = (moves + 0.5 * spent)[:, :12].sum(axis=1)[:, 0]
    end = 6 * HOUR

    def moved(time):
        lag = end - time
        both = MEAN**1.5 * np.exp(-np.sum(SD**2) / 8 + covariance(lag) / 2)
        return both * np.sum(RHO * SD * np.sqrt(2 * KAPPA) * np.exp(-KAPPA * lag))

    expected = quad(moved, 0, HOUR)[0]
    product = returns * variance[:, -1, 0]
    driver.within(product, expected)
    assert abs(driver.z_score(product, 0.0)) > 10


def test_a_long_step_has_the_joint_law_of_many_short_ones(driver):
    """Covariance of the price's Brownian motion over six hours with the factors at their end: in one step as in 360."""
    expected = RHO * SD * np.sqrt(2 * KAPPA) * (1 - np.exp(-KAPPA * 6 * HOUR)) / KAPPA
    constants = law().prepare(jnp.asarray(6 * HOUR))
    for k, factor in enumerate(constants.factors):
        # covariance of the factor's own noise with a standard normal price noise, times the root of time
        found = float(factor.with_price[0] * factor.deviation[0]) * np.sqrt(6 * HOUR)
        assert found == pytest.approx(expected[k], rel=1e-5)
    assert float(constants.complement[0] ** 2 + sum(f.with_price[0] ** 2 for f in constants.factors)) == pytest.approx(1.0)


def test_jumps_grow_with_volatility(driver):
    """Mean and second moment of a jump at four times the variance: the scaled parts double, the fixed ones stay."""
    for variance in (MEAN, 4 * MEAN):
        market = law(sd=[1e-3, 1e-3], variance=[variance], start=Factors([[np.log(variance / MEAN), 0.0]], [[0.0, 0.0]]), **JUMPS)
        _, jump, spent, _ = course(driver, market, HOUR / 60, 1, 200_000)
        daily = np.sqrt(variance / 365)
        assert spent.mean() * 525600 == pytest.approx(variance, rel=3e-3)
        mean, sd = -0.005 - 0.2 * daily, 0.004 + 0.5 * daily
        rate = 2000 / 525600
        driver.within(jump[:, 0, 0], rate * mean)
        driver.within(jump[:, 0, 0] ** 2, rate * (1 + 0) * (mean**2 + sd**2) + rate**2 * mean**2)


@pytest.mark.parametrize("kind", ["own", "with price"])
def test_jumps_of_variance(driver, kind):
    """What jumps has the gamma law's mean and variance when stationary, keeps E v at its mean, and decays; its jumps are the
    price's or not."""
    rate = 2000.0
    own = {"variance_jump_rate": [rate]} if kind == "own" else {}
    price = {**JUMPS, "jump_rate": [rate if kind == "with price" else 500.0]}
    market = law(sd=[0.3, 0.3], start=Stationary(), **price, **SURGES, **own)
    shape, eta = rate * 4 * HOUR / np.log(2), 0.4
    _, jump, spent, variance = course(driver, market, HOUR / 12, 120, 40_000)
    for step in (0, 119):
        driver.within(variance[:, step, 0], MEAN)
        driver.within(spent[:, step, 0] / (HOUR / 12), MEAN)
        level = -0.09 + shape * np.log1p(-eta)
        surge = np.log(variance[:, step, 0] / MEAN) - level
        driver.within(surge, shape * eta)
        driver.within((surge - shape * eta) ** 2, shape * eta**2 + 2 * 0.09)
    risen = np.log(variance[:, 60:, 0]) - np.log(variance[:, 59:-1, 0])
    jumped = jump[:, 60:, 0] != 0
    together = risen[jumped].mean() - risen[~jumped].mean()
    assert together > 0.3 if kind == "with price" else abs(together) < 0.05


def test_two_assets_stay_stationary(driver):
    """Covariance of two assets' log variances, whose factors last differently, is the same at the start and after a day; so is
    the correlation of their returns."""
    c = np.array([[1.0, 0.7], [0.7, 1.0]])
    half_life, sd = np.array([[6.0], [20.0]]) * HOUR, np.array([[0.8], [0.5]])
    market = LogVariance([0.0] * 2, [MEAN, 0.5], half_life, sd, [[-0.3], [-0.3]], c, start=Stationary())
    moves, _, spent, variance = course(driver, market, HOUR, 24)
    left = np.exp(-np.log(2) * HOUR / half_life[:, 0])
    mutual = 0.7 * np.sqrt(np.prod(1 - left**2)) / (1 - np.prod(left))
    logs = np.log(variance / [MEAN, 0.5]) + 0.5 * sd[:, 0] ** 2
    for step in (0, 23):
        driver.within(logs[:, step].prod(axis=1), mutual * 0.4)
        for a in range(2):
            driver.within(logs[:, step, a] ** 2, sd[a, 0] ** 2)
    assert abs(driver.z_score(logs[:, 0].prod(axis=1), 0.7 * 0.4)) > 5
    normal = (moves[:, 10] + 0.5 * spent[:, 10]) / np.sqrt(spent[:, 10])
    driver.within(normal.prod(axis=1), 0.7)


def test_common_jumps_keep_each_assets_law(driver):
    """Half of the jumps common: each asset's mean stays, the covariance is that of the common ones."""
    two = lambda x: [x, x]
    market = LogVariance(two(0.0), two(MEAN), [[6 * HOUR]] * 2, [[1e-3]] * 2, [[0.0]] * 2, np.eye(2), variance=two(MEAN),
                         jump_rate=two(2000.0), jump_mean=two(-0.01), jump_sd=two(0.02), common_jump_probability=0.5,
                         max_jumps=6, **{k: two(v[0]) for k, v in SURGES.items()})  # fmt: skip
    _, jump, _, variance = course(driver, market, 1 / 8760, 1, 200_000)
    rate = 2000 / 8760
    for a in range(2):
        driver.within(jump[:, 0, a], rate * -0.01)
    driver.within((jump[:, 0] + rate * 0.01).prod(axis=1), 0.5 * rate * (0.01**2 + 0.02**2))
    both = (jump[:, 0] != 0).all(axis=1)
    assert np.corrcoef(np.log(variance[both, 0]).T)[0, 1] > 0.5


def test_a_cloud_gives_each_particle_its_weight(driver):
    """Three particles of weights 1, 2, 5: paths start from each as often, and whole ones."""
    states = np.array([[[0.5, 1.0]], [[-0.5, -1.0]], [[2.0, 0.0]]])
    market = law(start=Cloud(states, [1.0, 2.0, 5.0]))
    constants = market.prepare(jnp.asarray(HOUR))
    uniforms = (np.arange(8000) + 0.5) / 8000
    y = np.stack(jax.vmap(lambda u: market.init(constants, u[None]))(jnp.asarray(uniforms, jnp.float32)), axis=-1)
    found, count = np.unique(y[:, 0], axis=0, return_counts=True)
    np.testing.assert_allclose(found, states[[1, 0, 2], 0])
    np.testing.assert_allclose(count, [2000, 1000, 5000], atol=1)


@pytest.mark.parametrize("bits", [32, 64])
def test_gamma_quantiles(driver, bits):
    """Against SciPy for shapes from 0.02 to 300, and the derivative to the shape against a difference."""
    with driver.precision(bits):
        dtype = jnp.float32 if bits == 32 else jnp.float64
        shape = np.array([0.02, 0.5, 0.72, 3.0, 300.0])
        table = np.asarray(gamma_table(jnp.asarray(shape, dtype)), np.float64)
        p = stats.norm.cdf(SCORES)
        exact = np.where(SCORES < 0, special.gammaincinv(shape[:, None], p), special.gammainccinv(shape[:, None], 1 - p))
        upper = special.gammainccinv(shape[:, None], stats.norm.sf(SCORES))
        exact = np.where(SCORES < 0, exact, upper)
        seen = (exact > 1e-25) & (np.abs(SCORES) < 4.5)
        np.testing.assert_allclose(table[seen], exact[seen], rtol=5e-3 if bits == 32 else 1e-6)
        between = np.asarray(at_score(jnp.asarray(table, dtype), jnp.full(5, 1.23456, dtype)))
        np.testing.assert_allclose(between[1:], special.gammaincinv(shape[1:], stats.norm.cdf(1.23456)), rtol=2e-4)
        if bits == 64:
            slope = np.asarray(jax.jvp(gamma_table, (jnp.asarray(shape),), (jnp.ones(5),))[1])
            h = 1e-5 * shape[:, None]
            bump = [special.gammaincinv(shape[:, None] + s * h, stats.norm.cdf(SCORES)) for s in (1, -1)]
            middle = slice(300, 700)
            np.testing.assert_allclose(slope[1:, middle], ((bump[0] - bump[1]) / (2 * h))[1:, middle], rtol=1e-3)


EXTREMES = [
    {"sd": [0.0, 0.0]}, {"sd": [3.0, 3.0]}, {"rho": [-0.8, 0.6]}, {"rho": [0.0, 0.0]}, {"variance": [1e-6]}, {"variance": [50.0]},
]  # fmt: skip


@pytest.mark.parametrize("surges", [False, True])
def test_float32_stays_finite_in_value_and_gradient(driver, surges):
    """At the ends of the parameters' ranges and steps from a second to a day."""
    more = SURGES if surges else {}
    markets = [driver.cast(law(**change, **JUMPS, **more)) for change in EXTREMES]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *markets)

    def mean_price(market, years):
        paths = jax.vmap(partial(driver.one_path, market, years, 20))(jax.random.split(jax.random.key(0), 32))
        return jnp.mean(jnp.exp(paths.log_price) + paths.variance + sum(paths.state))

    over = jax.vmap(jax.value_and_grad(mean_price), (0, None))
    value, gradient = jax.jit(jax.vmap(over, (None, 0)))(stacked, jnp.asarray([1.0, 60.0, 3600.0, 86400.0]) / (365 * 86400))
    assert np.isfinite(value).all()
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()


def test_surges_differ_from_no_surges(driver):
    """`variance_at` of the state at the start is the variance given, with and without a jumping factor."""
    for more in ({}, {**JUMPS, **SURGES}):
        market = law(variance=[0.17], **more)
        state = market.init(market.prepare(jnp.asarray(HOUR)))
        assert float(market.variance_at(state)[0]) == pytest.approx(0.17, rel=1e-5)


def test_a_step_has_the_variance_expected_at_its_middle():
    """Of factors `y` at its beginning `a y` is left by then: `exp(a y - a**2 s**2 / 2)` times the mean variance.

    A step as long as a half-life: taken at the beginning instead, the variance would be off by a fifth.
    """
    half_lives, sds, factors = np.array([6.0, 48.0]), np.array([0.8, 0.6]), np.array([0.9, -0.4])
    law = LogVariance(
        [0.0], [0.36], [half_lives / 8760], [sds], [[-0.2, 0.1]], [[1.0]], start=Factors([factors], [[0.0, 0.0]])
    )  # fmt: skip
    constants = law.prepare(jnp.asarray(6.0 / 8760))
    state = law.init(constants, jnp.full(law.noise().first, 0.5))
    _, move = law.step(constants, state, jnp.zeros(3), jnp.zeros(0), jnp.asarray(0))
    left = 0.5 ** (3.0 / half_lives)
    expected = 0.36 * np.exp(np.sum(left * factors - 0.5 * left**2 * sds**2)) * 6.0 / 8760
    np.testing.assert_allclose(float(move.variance[0]), expected, rtol=1e-5)

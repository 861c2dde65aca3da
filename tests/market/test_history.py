"""Bootstrap, replay and shock: what is drawn from a history, repeated from it, or laid over it.

Comparisons of a mean with its standard error hold at |z| < 5: 6e-7 false failures each, 1e-5 in the file.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrisk.market import Bootstrap, Replay, Shock

pytestmark = pytest.mark.hurried

ROWS = 40
HISTORY = np.random.default_rng(0).normal(0.002, [0.01, 0.02], (ROWS, 2))


def rows_drawn(driver, market, steps, seed=0):
    """The row of every step of one path."""
    market = driver.cast(market)
    constants = market.prepare(jnp.asarray(1 / 8760))

    def body(state, index):
        normals, uniforms = driver.draw(jax.random.fold_in(jax.random.key(seed), index), market.noise())
        state, move = market.step(constants, state, normals, uniforms, index)
        return state, (state, move.diffusion)

    row, move = jax.lax.scan(body, market.init(constants), jnp.arange(steps))[1]
    return np.asarray(row), np.asarray(move)


@pytest.mark.parametrize("mean_block", [1.0, 5.0])
def test_block_lengths_are_geometric(driver, mean_block):
    """A row does not follow its predecessor with probability (1 - 1/rows)/mean_block, independently of how long it did."""
    row, move = rows_drawn(driver, Bootstrap(HISTORY, mean_block, [0.0, 0.0], recentre=False), 100_000)
    np.testing.assert_allclose(move, HISTORY[row].astype(np.float32))
    breaks = np.flatnonzero((row[:-1] + 1) % ROWS != row[1:])
    probability = (1 - 1 / ROWS) / mean_block
    lengths = np.diff(breaks)
    for k in (1, 2, 4) if mean_block > 1 else (1,):
        driver.within(lengths > k, (1 - probability) ** k)
    assert abs(driver.z_score(lengths > 1, 1 - 0.9 * probability)) > 5
    assert (row[1:][row[:-1] == ROWS - 1] == 0).any()


def test_marginal_law_is_the_historys(driver):
    """Every step, the first included, takes each row equally often: moments of both assets and their covariance."""
    for steps in (1, 7):
        before = 0.0 if steps == 1 else driver.simulate(Bootstrap(HISTORY, 4.0, [0.0] * 2, recentre=False), 6 / 8760, 6, 50_000)
        run = driver.simulate(Bootstrap(HISTORY, 4.0, [0.0, 0.0], recentre=False), steps / 8760, steps, 50_000)
        step = run.log_price - (before if steps == 1 else before.log_price)
        driver.within(run.state, (ROWS - 1) / 2)
        for a in range(2):
            driver.within(step[:, a], HISTORY[:, a].mean())
            driver.within(step[:, a] ** 2, (HISTORY[:, a] ** 2).mean())
        driver.within(step.prod(axis=1), HISTORY.prod(axis=1).mean())
        assert abs(driver.z_score(step[:, 0], 0.0)) > 5


def test_aligned_blocks_begin_at_multiples(driver):
    """Every block of a history of 40 rows begins at 0, 12, 24 or 36, each equally often, the last of them cut short."""
    row, move = rows_drawn(driver, Bootstrap(HISTORY, 6.0, [0.0, 0.0], recentre=False, align=12), 100_000)
    np.testing.assert_allclose(move, HISTORY[row].astype(np.float32))
    begun = row[1:][(row[:-1] + 1) % ROWS != row[1:]]
    assert set(begun.tolist()) == {0, 12, 24, 36}
    # a block that begins with the row that was next is none to see: 0 and the others are missed equally often
    for start in (12, 24, 36):
        assert abs(np.mean(begun == start) - 0.25) < 0.02


def test_infinite_block_is_the_history_from_one_row(driver):
    """One draw, and no other until the end: 60 paths of 30 rows, which begin at each of the four starts."""
    run = [rows_drawn(driver, Bootstrap(HISTORY, np.inf, [0.0, 0.0], align=10), 30, seed)[0] for seed in range(60)]
    assert {int(row[0]) for row in run} == {0, 10, 20, 30}
    assert all(np.array_equal(row, (row[0] + np.arange(30)) % ROWS) for row in run)


def test_recentring_replaces_the_mean():
    """The mean row becomes (drift - s^2/2) dt; deviations and variance stay."""
    drift, years = np.array([0.5, -1.0]), 1 / 8760
    constants = Bootstrap(HISTORY, 4.0, drift).prepare(jnp.asarray(years))
    np.testing.assert_allclose(constants.rows.mean(axis=0), drift * years - HISTORY.var(axis=0) / 2, atol=1e-8)
    np.testing.assert_allclose(constants.rows - constants.rows[0], HISTORY - HISTORY[0], atol=1e-8)
    np.testing.assert_allclose(constants.variance, HISTORY.var(axis=0), rtol=1e-5)


def test_replay_is_the_path(driver):
    """Every price of the path to float32's rounding, and a standstill after its end."""
    path = np.vstack([np.zeros((1, 2)), HISTORY.cumsum(axis=0)])
    for steps in (1, 17, ROWS, ROWS + 5):
        f = driver.simulate(Replay(path), 1.0, steps, 2).log_price
        np.testing.assert_allclose(f, path[[min(steps, ROWS)] * 2], atol=1e-7)


@pytest.mark.parametrize("window", [0.25, 0.0])
def test_shock_ramp(window):
    """Linear in the log price from the start over the window; at once, after the start, without a window."""
    shock = Shock(size=[-0.1, 0.2], window=[window, window], at=[0.5, 0.5])
    start = shock.start(jnp.asarray(0.9), jnp.asarray(1.0))
    for time in (0.0, 0.5, 0.6, 0.75, 1.0):
        share = np.clip((time - 0.5) / window, 0, 1) if window else float(time > 0.5)
        np.testing.assert_allclose(shock.level(start, jnp.asarray(time)), np.log1p([-0.1, 0.2]) * share, rtol=1e-6)


def test_sudden_shock_takes_the_step_after_its_start():
    """On a grid of minutes in float32, a shock at minute 60 leaves that minute's end alone and comes with the next."""
    years = jnp.asarray(1 / 525600, jnp.float32)
    for minute in range(0, 1440, 7):
        shock = Shock(size=[-0.1], window=[0.0], at=np.float32([minute / 525600]))
        start = shock.start(jnp.asarray(0.5), jnp.asarray(1.0))
        assert shock.level(start, jnp.float32(minute) * years)[0] == 0.0
        assert shock.level(start, jnp.float32(minute + 1) * years)[0] < -0.1


def test_random_shock_is_uniform_over_the_horizon_for_all_assets():
    shock = Shock(size=[-0.1, -0.2], window=[0.1, 0.1], at=[0.0, 0.0], random=True)
    np.testing.assert_allclose(shock.start(jnp.asarray(0.25), jnp.asarray(2.0)), [0.5, 0.5])


def test_shock_gradients():
    """To the size as the formula says; to the window finite at zero; to the start against a bump."""

    def level(size, window, at):
        shock = Shock(size=size[None], window=window[None], at=at[None])
        return shock.level(shock.start(jnp.asarray(0.5), jnp.asarray(1.0)), jnp.asarray(0.6))[0]

    gradient = jax.grad(level, (0, 1, 2))
    by_size, by_window, by_start = gradient(jnp.asarray(-0.1), jnp.asarray(0.25), jnp.asarray(0.5))
    assert by_size == pytest.approx(0.4 / 0.9, rel=1e-5)
    assert by_start == pytest.approx(-np.log(0.9) / 0.25, rel=1e-5)
    assert by_window == pytest.approx(-np.log(0.9) * 0.1 / 0.25**2, rel=1e-5)
    assert np.isfinite(gradient(jnp.asarray(-0.1), jnp.asarray(0.0), jnp.asarray(0.5))).all()

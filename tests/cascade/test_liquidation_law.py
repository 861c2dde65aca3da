"""Liquidation without feedback against the reflection principle: probabilities and their derivatives to leverage and to a cap.

Market: geometric Brownian motion, volatility 60%, seven days, maintenance 0.5%. Every comparison is of a z-score with 3, at seeds
fixed in advance; with honest standard errors the 32 of them would fail together with probability 0.08 at another seed, and with
probability below 1e-4 the z-scores would exceed 5, so a failure after a change of seed is looked at, not waved through.
"""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy.stats import norm

from jaxrisk.cascade import path_losses, prepare, seed_key
from jaxrisk.positions import Histogram, Limits, Lognormal

VOLATILITY, HORIZON, MAINTENANCE = 0.6, 7 / 365, 0.005
DEVIATIONS = 3.0
SEED = 3


def probability(leverage, side):
    """Probability that a continuously monitored position is liquidated (reflection principle)."""
    barrier = side * np.log((1 - side / leverage) / (1 - side * MAINTENANCE))
    drift, spread = -side * VOLATILITY**2 / 2, VOLATILITY * np.sqrt(HORIZON)
    reached = norm.cdf((barrier - drift * HORIZON) / spread) + np.exp(2 * drift * barrier / VOLATILITY**2) * norm.cdf(
        (barrier + drift * HORIZON) / spread
    )
    # longs fall to a barrier below, shorts rise to one above: the same formula after a reflection
    if side < 0:
        up = np.log((1 + 1 / leverage) / (1 + MAINTENANCE))
        nu = -(VOLATILITY**2) / 2
        reached = norm.cdf((nu * HORIZON - up) / spread) + np.exp(2 * nu * up / VOLATILITY**2) * norm.cdf(
            (-up - nu * HORIZON) / spread
        )
    return reached


def slope(function, x, width=1e-4):
    """Central difference."""
    return (function(x * (1 + width)) - function(x * (1 - width))) / (2 * x * width)


TABLE = {
    # leverage: P(long), dP/dL (long), P(short), dP/dL (short)
    5: (0.009651, 0.016816, 0.030020, 0.030520),
    10: (0.238735, 0.052757, 0.264664, 0.047404),
    20: (0.590877, 0.021369, 0.584954, 0.020164),
    50: (0.861362, 0.003710, 0.852055, 0.003848),
}


@pytest.mark.parametrize("leverage", TABLE)
@pytest.mark.parametrize("side", [1, -1])
def test_closed_form_is_the_published_table(leverage, side):
    """The reference itself, to the digits of the table."""
    row = TABLE[leverage][:2] if side > 0 else TABLE[leverage][2:]
    assert probability(leverage, side) == pytest.approx(row[0], abs=6e-7)
    assert slope(lambda x: probability(x, side), leverage) == pytest.approx(row[1], abs=2e-6)


def share_lost(prepared, paths):
    return path_losses(prepared, seed_key(SEED), paths)["open_interest_loss_fraction"]


def lost(prepared, paths):
    return path_losses(prepared, seed_key(SEED), paths)["open_interest_loss_usd"]


def lost_under(market, cap, paths):
    return lost(market(cap), paths)


compiled_share_lost, compiled_lost = eqx.filter_jit(share_lost), eqx.filter_jit(lost)


@pytest.fixture(scope="module")
def one_crowd(gbm_market):
    """Share liquidated of positions of one leverage, by side."""

    def of(side):
        def measure(leverage, paths):
            crowd = Histogram(1.0, jnp.reshape(leverage, (1,)), jnp.ones(1), side=side)
            return share_lost(prepare(gbm_market(crowd)), paths)

        return measure

    return {side: of(side) for side in (1, -1)}


@pytest.mark.slow
@pytest.mark.parametrize("leverage", TABLE)
@pytest.mark.parametrize("side", [1, -1])
def test_probability_and_its_derivative_to_leverage(one_crowd, mean_and_slope, leverage, side):
    """200,000 paths of 84 steps: probability and pathwise derivative within three standard errors.

    The naive derivative of a hard margin check is zero; here its standard error is 2 to 10% of the answer, so zero is 10 to 50
    standard errors away. Without the bridge correction the probability at leverage 10 is off by 20 standard errors.
    """
    mean, error, derivative, derivative_error = mean_and_slope(one_crowd[side], leverage)
    expected = slope(lambda x: probability(x, side), leverage)
    assert abs(mean - probability(leverage, side)) < DEVIATIONS * error
    assert abs(derivative - expected) < DEVIATIONS * derivative_error
    assert derivative_error < 0.15 * expected


@pytest.mark.slow
def test_without_the_bridge_a_discrete_check_sees_less(gbm_market):
    """The correction matters: without it the probability at leverage 10 comes out clearly too low (more than 5 errors)."""
    crowd = Histogram(1.0, jnp.full(1, 10.0), jnp.ones(1))
    prepared = prepare(gbm_market(crowd, bridge=False))
    losses = np.asarray(compiled_share_lost(prepared, jnp.arange(50_000, dtype=jnp.uint32)))
    assert losses.mean() < probability(10, 1) - 5 * losses.std() / np.sqrt(len(losses))


POPULATION = {
    # cap: liquidated / remaining and liquidated notional, its derivative, OI kept; posts more: liquidated, derivative
    5: (0.006895, 0.003419, 0.006196, 0.495850, 0.008284, 0.014036),
    10: (0.137360, 0.099330, 0.023250, 0.723135, 0.165427, 0.030613),
    20: (0.285835, 0.255163, 0.009055, 0.892695, 0.318567, 0.006094),
    50: (0.355811, 0.350258, 0.000854, 0.984394, 0.363700, 0.000209),
}


@pytest.fixture(scope="module")
def under_a_limit(gbm_market):
    """A population's market under a cap, of holders of whom a share downsizes."""

    def market(downsize, cap):
        limits = Limits.single(cap, share_downsize=downsize)
        return prepare(gbm_market(Lognormal(1.0, 12.0, 0.9, 1.01, 125.0), limits=limits))

    return market


@pytest.mark.slow
@pytest.mark.parametrize("cap", POPULATION)
@pytest.mark.parametrize("downsize", [1.0, 0.0])
def test_population_under_a_limit(under_a_limit, mean_and_slope, cap, downsize):
    """Liquidated share of the uncapped open interest and its derivative to the cap, both answers of a capped holder."""
    ratio, notional, derivative, kept, collateralised, its_derivative = POPULATION[cap]
    market = Partial(under_a_limit, jnp.float32(downsize))
    # one unit of uncapped open interest, so the loss in USD is the share
    measure = Partial(lost_under, market)
    mean, error, slope_, slope_error = mean_and_slope(measure, cap)
    expected = (notional, derivative) if downsize else (collateralised, its_derivative)
    assert abs(mean - expected[0]) < DEVIATIONS * error
    assert abs(slope_ - expected[1]) < DEVIATIONS * slope_error
    assert slope_error < 0.25 * expected[1]
    book = market(jnp.float32(cap)).book
    open_interest = float(jnp.sum(book.open_interest(book.init())[..., 0]))
    assert open_interest == pytest.approx(kept if downsize else 1.0, rel=2e-4)
    if downsize:
        assert mean / open_interest == pytest.approx(ratio, abs=DEVIATIONS * error / open_interest + 1e-6)


@pytest.mark.slow
def test_maximum_drawdown_of_brownian_motion(gbm_market):
    """Mean, median, 95, 99 and 99.9% quantiles in units of sigma sqrt(T), 200,000 paths, within three standard errors.

    Drift sigma^2/2 makes the log price driftless. Discrete monitoring alone would be low by 0.58 sigma sqrt(dt) at each end:
    1.9% of the median at 84 steps, 10 standard errors.
    """
    crowd = Histogram(1.0, jnp.full(1, 1.0), jnp.ones(1))
    scenario = gbm_market(crowd, drift=VOLATILITY**2 / 2)
    run = eqx.filter_jit(lambda p, n: path_losses(p, seed_key(SEED), n)["max_drawdown_index"])
    prepared = prepare(scenario)
    batches = [run(prepared, b * 10_000 + jnp.arange(10_000, dtype=jnp.uint32)) for b in range(20)]
    scaled = -np.log1p(-np.concatenate(batches).astype(np.float64)) / (VOLATILITY * np.sqrt(HORIZON))
    count = len(scaled)
    assert abs(scaled.mean() - 1.253314) < DEVIATIONS * scaled.std() / np.sqrt(count)
    for level, quantile in ((0.5, 1.1490), (0.95, 2.2414), (0.99, 2.8070), (0.999, 3.4808)):
        below = np.mean(scaled <= quantile)
        assert abs(below - level) < DEVIATIONS * np.sqrt(level * (1 - level) / count), level


@pytest.mark.slow
def test_lower_cap_never_liquidates_more(gbm_market):
    """Without feedback and leakage, on every path: no tolerance but rounding.

    All enter at spot: with dispersed entries a lower cap also keeps positions alive that would have been dropped at the start.
    """
    losses = []
    for cap in (50.0, 20.0, 10.0, 5.0):
        limits = Limits.single(cap)
        prepared = prepare(gbm_market(Lognormal(1.0, 12.0, 0.9, 1.01, 125.0), limits=limits))
        losses.append(np.asarray(compiled_lost(prepared, jnp.arange(4096, dtype=jnp.uint32))))
    for higher, lower in itertools.pairwise(losses):
        assert np.max(lower - higher) <= 1e-6  # of an open interest of 1

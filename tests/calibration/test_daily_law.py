"""Forecast of a day's volatility, whole days of history over it, and where the days that came fell in the forecast.

Seeds are fixed. Comparisons with a standard error hold at |z| < 4.5: 7e-6 false failures each. Kolmogorov-Smirnov tests of
simulated days fail by chance with probability 1e-4 each.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from recorded import PRICES

from jaxrisk.calibration.laws.daily_pit import daily_pits, largest_fall
from jaxrisk.calibration.laws.volatility import daily_returns, fit_daily_law, log_variances, regressors
from jaxrisk.data.price_file import PriceFile, read_price_file

BTC = PRICES / "btc_perp_1h_2019_2026.csv.gz"
COEFFICIENTS = np.array([-0.75, 0.35, 0.3, 0.2, 0.05])


def price_file(returns, start="2018-01-01T00:00:00", step=3600) -> PriceFile:
    """Bars whose closes have the given log returns, the first bar's return being 0."""
    close = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))
    time = np.datetime64(start, "s") - np.timedelta64(step, "s") + np.arange(len(close)) * np.timedelta64(step, "s")
    return PriceFile("simulated", time, step, close, close, close, close, np.ones(len(close)))


def simulated(days=3000, seed=0, sd=0.4) -> np.ndarray:
    """Hourly returns, `(days, 24)`, whose log realised variance is exactly the regression's, with normal noise."""
    random, log_variance = np.random.default_rng(seed), np.empty(days)
    for d in range(days):
        row = [1.0, *(log_variance[max(0, d - n) : d].mean() if d else -7.5 for n in (1, 7, 30, 90))]
        log_variance[d] = row @ COEFFICIENTS + sd * random.standard_normal()
    shape = random.standard_normal((days, 24))
    return shape / np.sqrt(np.sum(shape**2, axis=1, keepdims=True)) * np.exp(0.5 * log_variance)[:, None]


def test_coefficients_are_recovered():
    """Each within 4.5 of its standard errors, which agree with the scatter of ten samples up to 2.2; noise to 5%."""
    fits = [fit_daily_law(price_file(simulated(seed=seed).ravel()), "2030-01-01") for seed in range(10)]
    errors = np.mean([fit.errors for fit in fits], axis=0)
    scatter = np.std([fit.coefficients for fit in fits], axis=0, ddof=1)
    assert np.all(np.abs(fits[0].coefficients - COEFFICIENTS) < 4.5 * fits[0].errors)
    assert np.all(np.abs(np.log(errors / scatter)) < np.log(2.2))
    assert np.all(errors[1:] < 0.12)
    assert fits[0].residual_sd == pytest.approx(0.4, rel=0.05)


def test_forecast_by_hand():
    """The root of the exponent of constant plus weighted means, at midnight and at any hour."""
    returns = simulated(400)
    prices = price_file(returns.ravel())
    law = fit_daily_law(prices, "2030-01-01")
    for hours in (0, 13):
        whole = returns.ravel()[hours : 24 * 300 + hours - (24 if hours else 0)].reshape(-1, 24)
        at = np.datetime64("2018-01-01T00:00:00") + np.timedelta64(hours + 24 * len(whole), "h")
        log_variance = np.log(np.sum(whole**2, axis=1))
        row = [1.0, *(log_variance[-n:].mean() for n in (1, 7, 30, 90))]
        assert law.forecast(prices, at) == pytest.approx(np.exp(row @ law.coefficients), rel=1e-9)
        assert law.forecast(prices, at + np.timedelta64(59, "m")) == law.forecast(prices, at)


def test_the_future_is_not_read():
    """Neither fit, forecast nor days change with what closes later; the last bar before counts."""
    returns = simulated(600)
    end = np.datetime64("2019-03-01T07:00:00")
    known = int((end - np.datetime64("2018-01-01T00:00:00")) / np.timedelta64(1, "h"))
    later, last = returns.ravel().copy(), returns.ravel().copy()
    later[known:] *= -7.0
    last[known - 1] += 0.05
    laws = [fit_daily_law(price_file(x), end) for x in (returns.ravel(), later, last)]
    forecasts = [laws[0].forecast(price_file(x), end) for x in (returns.ravel(), later, last)]
    assert np.array_equal(laws[0].days, laws[1].days)
    assert not np.array_equal(laws[0].days, laws[2].days)
    assert forecasts[0] == forecasts[1] < forecasts[2]


def test_gaps_leave_days_out():
    """A missing hour takes its day out of the sample and out of the means; no forecast straight after."""
    prices = price_file(simulated(400).ravel())
    keep = np.arange(len(prices.time)) != 24 * 200 + 5
    holed = PriceFile("holed", prices.time[keep], 3600, *(column[keep] for column in prices[3:8]))
    _, returns = daily_returns(holed, "2019-02-05")
    log_variance = log_variances(returns)
    assert np.flatnonzero(np.isnan(log_variance)).tolist() == [200]
    rows = regressors(log_variance)
    assert np.isnan(rows[201, 1])
    assert rows[202, 2] == pytest.approx(np.nanmean(log_variance[195:202]))
    law = fit_daily_law(holed, "2019-02-05")
    with pytest.raises(ValueError, match="last 1 days are missing"):
        law.forecast(holed, "2018-07-21")


def test_what_cannot_be_fitted():
    with pytest.raises(ValueError, match="at least 180 are needed"):
        fit_daily_law(price_file(simulated(150).ravel()), "2030-01-01")
    with pytest.raises(ValueError, match="0 days with a history"):
        fit_daily_law(price_file(np.zeros(24 * 400)), "2030-01-01")
    with pytest.raises(ValueError, match="not identified"):
        fit_daily_law(price_file(np.tile([0.01, -0.01], 12 * 400)), "2030-01-01")
    with pytest.raises(ValueError, match="do not divide an hour"):
        fit_daily_law(price_file(np.zeros(999), step=4 * 3600), "2030-01-01")


@pytest.mark.parametrize("step", [3600, 300])
def test_market_is_the_days(step):
    """A path of the law is one of the days times the volatility; finer steps have the same hourly sums."""
    law = fit_daily_law(price_file(simulated(400).ravel()), "2030-01-01")
    market = law.market(0.04, step)
    parts = 3600 // step
    constants = market.prepare(jnp.asarray(1.0))
    state, rows = market.init(constants), []
    for index in range(24 * parts):
        uniforms = jnp.asarray([0.3, 0.51 if index == 0 else 0.9])
        state, move = market.step(constants, state, jnp.zeros(0), uniforms, jnp.asarray(index))
        rows.append(float(move.diffusion[0]))
    day = int(0.51 * len(law.days))
    np.testing.assert_allclose(np.reshape(rows, (24, parts)).sum(axis=1), 0.2 * law.days[day], atol=1e-5)
    if parts > 1:
        assert np.sum(np.square(rows)) == pytest.approx(0.04 * np.sum(law.days[day] ** 2), rel=0.5)


@pytest.mark.slow
def test_days_of_the_law_have_uniform_pits():
    """On simulated days the law fitted to the first half is uniform on the second; 20% more or less volatility is not."""
    prices = price_file(simulated(3000).ravel())
    law = fit_daily_law(prices, "2022-01-01")
    pits = daily_pits(prices, law, "2022-01-01", "2026-03-01")
    assert (len(pits.pit), pits.begins[0]) == (1520, np.datetime64("2022-01-01T00:00:00"))
    assert pits.ks()[1] > 1e-4
    for scale in (0.8, 1.2):
        assert daily_pits(prices, law, "2022-01-01", "2026-03-01", scale=scale).ks()[1] < 1e-8


def test_largest_fall():
    np.testing.assert_allclose(largest_fall(np.log([[0.9, 1.2, 0.5, 1.9], [1.1, 1.1, 1.1, 1.1]])), [0.5, 0.0], atol=1e-12)


@pytest.fixture(scope="module")
def bitcoin():
    if not BTC.exists():
        pytest.skip(f"no file {BTC}")
    prices = read_price_file(BTC)
    return prices, fit_daily_law(prices, "2023-01-01", "2020-01-01")


@pytest.mark.slow
def test_ordinary_days_out_of_sample(bitcoin):
    """Fitted to 2020 to 2022, every complete day from 2023 on: uniform (p = 0.14); with the volatility 10% off it is not."""
    prices, law = bitcoin
    pits = daily_pits(prices, law, "2023-01-01", "2026-05-17")
    assert len(pits.pit) > 1100
    assert pits.ks()[1] > 0.01
    for scale in (0.8, 0.9, 1.1, 1.2):
        assert daily_pits(prices, law, "2023-01-01", "2026-05-17", scale=scale).ks()[1] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("feedback", [0.0, 1.0])
def test_ordinary_days_through_the_engine(bitcoin, feedback):
    """With the book of the shipped Bitcoin scenario in hourly steps: uniform with its feedback (p = 0.02) and without (0.14).

    Without feedback the engine's PITs are those of the law itself, within the noise of 2,000 paths (5 standard errors); with
    it no day's is higher by more than that.
    """
    import equinox as eqx

    import jaxrisk

    prices, law = bitcoin
    scenario = jaxrisk.load("btc_24h")
    scenario = scenario.replace(channels=eqx.tree_at(lambda c: c.feedback, scenario.channels, feedback))
    pits = daily_pits(prices, law, "2023-01-01", "2026-05-17", scenario)
    alone = daily_pits(prices, law, "2023-01-01", "2026-05-17")
    assert len(pits.pit) > 1100
    assert pits.ks()[1] > 0.01
    difference = (pits.pit - alone.pit) / np.sqrt(np.maximum(alone.pit * (1.0 - alone.pit), 1e-3) / 2000)
    assert difference.max() < 5.0
    assert difference.min() > -5.0 or feedback

"""Return periods: conversion, intervals that cover, losses never seen, starts for which they mean nothing, printed rows."""

import math

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.report import Result
from jaxrisk.risk import exceedance_probability, return_period

pytestmark = pytest.mark.hurried

DAY = 1 / 365


def made(losses, **info):
    said = {"start": "stationary", "horizon_years": DAY, "starts_from": "a day drawn at random"} | info
    return Result({"max_drawdown_index": np.asarray(losses)}, {}, {"assets": ["BTC"]}, info=said)


def test_it_is_the_horizon_over_the_probability():
    """One day of a hundred is once in a hundred days; the interval is the probability's turned over, the error of first order."""
    losses = np.array([0.0] * 9900 + [0.2] * 100)
    probability, period = exceedance_probability(losses, 0.1), return_period(losses, 0.1, DAY)
    assert 365 * period.value == pytest.approx(100.0)
    assert (365 * period.low, 365 * period.high) == pytest.approx((1 / probability.high, 1 / probability.low))
    assert period.standard_error / period.value == pytest.approx(probability.standard_error / probability.value)
    assert return_period(losses, 0.1, 7 * DAY).value == pytest.approx(7 * period.value)


def test_a_loss_never_seen_has_a_lower_end():
    period = return_period(np.zeros(1000), [0.1, -1.0], DAY)
    assert math.isinf(period.value[0])
    assert math.isinf(period.high[0])
    assert 365 * period.low[0] == pytest.approx(1 / 0.00368, rel=1e-3)
    assert math.isnan(period.standard_error[0])
    assert 365 * period.value[1] == pytest.approx(1.0)


def test_weights():
    """Importance-sampled: twice as many events at half the weight are the same period."""
    losses = np.array([0.0] * 9800 + [0.2] * 200)
    log_weights = np.where(losses > 0.1, math.log(0.5), math.log(1.01020408))
    assert 365 * return_period(losses, 0.1, DAY, log_weights).value == pytest.approx(100.0, rel=1e-4)


def test_intervals_cover():
    """Of 2,000 samples of 3,000 days with a chance of 1 in 250 the 95% interval holds the true 250 days in 95 to 98.5%: exact
    intervals cover at least as often as they say. Standard error of the count 0.5%."""
    random = np.random.default_rng(4)
    counts = random.binomial(3000, 1 / 250, 2000)
    found = [return_period(np.repeat([0.0, 1.0], [3000 - n, n]), 0.5, DAY) for n in range(counts.max() + 1)]
    covered = np.mean([found[n].low <= 250 * DAY <= found[n].high for n in counts])
    assert 0.94 < covered < 0.99


@pytest.mark.parametrize("start", ["stated", "conditioned", None])
def test_from_a_stated_start_it_means_nothing(start):
    result = made([0.1, 0.2], start=start, starts_from="a volatility of 41% a year at the start")
    with pytest.raises(ValueError, match=r'market\.start = "stationary".*a volatility of 41%'):
        result.return_period("max_drawdown_index", 0.1)
    with pytest.raises(ValueError, match="stationary"):
        result.plot_return_levels()
    assert not any("return period" in row.measure for row in result.summary())


def test_rows_of_a_summary():
    """In years, in days where it is less than one, and where no path shows it the bound."""
    losses = np.concatenate([np.zeros(97_000), np.full(2_900, 0.07), np.full(80, 0.12), np.full(20, 0.22)])
    rows = {row.statistic: row for row in made(losses).summary() if row.measure == "return period of index drawdown"}
    assert rows["> 5%"].unit == "days"
    assert rows["> 5%"].estimate.value == pytest.approx(100 / 3)
    assert rows["> 20%"].unit == "years"
    assert rows["> 20%"].estimate.value == pytest.approx(5000 / 365)
    assert rows["> 30%"].estimate is None
    assert rows["> 30%"].note == "on no path: more than 74.3 years"
    asked = made(losses, start="any").summary(return_periods=True)
    assert any("return period" in row.measure for row in asked)


def test_a_horizon_has_to_be_above_zero():
    with pytest.raises(ValueError, match="years above 0"):
        return_period([0.0, 1.0], 0.5, 0.0)


def test_a_run_and_a_rare_event_from_a_day_drawn_at_random():
    """A short run says how often; where both can, importance sampling agrees with plain paths (|z| < 5 of the difference)."""
    scenario = jr.load("btc_24h", {"market.start": "stationary", "run.steps": 24})
    result = jr.simulate(scenario, paths=20_000, sample_paths=0)
    assert result.info["start"] == "stationary"
    assert "a day drawn at random" in " ".join(result.notes())
    plain = result.return_period("max_drawdown_index", 0.1)
    found = jr.rare_event(scenario, "max_drawdown_index", 0.1, "importance", max_paths=20_000)
    years = found.return_period()
    assert abs(years.value - plain.value) < 5 * np.hypot(years.standard_error, plain.standard_error)
    assert f"once in {float(f'{years.value:.3g}'):,.5g} years" in str(found.summary())
    with pytest.raises(ValueError, match="a volatility of 41%"):
        jr.rare_event(jr.load("btc_24h", {"run.steps": 24}), "max_drawdown_index", 0.03, "plain").return_period()

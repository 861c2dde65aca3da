"""Scores of forecasts of many days: against plain formulas, their tests' rates of rejection, and errors under autocorrelation."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from jaxrisk.backtest.day_scores import LEVELS, THRESHOLDS, at_risk_test, collected, difference, score_one
from jaxrisk.backtest.scores import crps, pit


def test_one_forecast_by_hand():
    """The ranked scores are those of `scores.crps`, of the larger of value and threshold; quantiles by their ranks."""
    random = np.random.default_rng(2)
    samples, observed = random.exponential(0.05, 999), 0.11
    seen, score, place, low, high, weighted, at_risk, quantile_score, beyond = score_one(samples, observed)
    assert (seen, place) == (observed, pytest.approx(pit(samples, observed)))
    assert score == pytest.approx(crps(samples, observed))
    for edge, found in zip(THRESHOLDS, weighted, strict=True):
        assert found == pytest.approx(crps(np.maximum(samples, edge), max(observed, edge)))
    order = np.sort(samples)
    assert at_risk == pytest.approx([order[989], order[998]])
    assert (low, high) == (pytest.approx(order[49]), pytest.approx(order[949]))
    assert quantile_score == pytest.approx([(1 - p) * (q - observed) for p, q in zip(LEVELS, at_risk, strict=True)])
    above = score_one(samples, 0.9)[7]
    assert above == pytest.approx([p * (0.9 - q) for p, q in zip(LEVELS, at_risk, strict=True)])
    assert beyond[4] == pytest.approx(np.mean(samples > 0.05))


def test_beyond_a_threshold_is_the_integral_of_squared_distances_above_it():
    law, observed = stats.expon(scale=0.05), 0.08
    samples = law.ppf((np.arange(4000) + 0.5) / 4000)
    for edge, found in zip(THRESHOLDS, score_one(samples, observed)[5], strict=True):
        true = integrate.quad(lambda z: (law.cdf(z) - (observed <= z)) ** 2, edge, 1.0, points=[observed])[0]
        assert found == pytest.approx(true, rel=0.01)


def test_nothing_observed_is_no_score():
    rows = [score_one(np.arange(10.0), math.nan), score_one(np.zeros(0), 0.1), score_one(np.arange(10.0), 0.5)]
    found = collected(rows)
    assert np.isnan(found.crps).tolist() == [True, True, False]
    assert np.isnan(found.at_risk[:2]).all()


def test_kupiec_and_christoffersen_by_hand():
    """12 of 500, two of them in a row: likelihood ratios written out."""
    hits = np.zeros(500, bool)
    hits[[3, 40, 41, 77, 120, 180, 200, 260, 300, 350, 400, 498]] = True
    found = at_risk_test(hits, 0.99)
    log = lambda k, n, p: k * math.log(p) + (n - k) * math.log(1 - p)
    count = 2 * (log(12, 500, 12 / 500) - log(12, 500, 0.01))
    after_hit, after_none = 12, 487  # none follows the last day, which has no hit
    order = 2 * (log(1, after_hit, 1 / 12) + log(11, after_none, 11 / 487) - log(12, 499, 12 / 499))
    assert (found.exceeded, found.expected) == (12, pytest.approx(5.0))
    assert found.kupiec == pytest.approx(stats.chi2.sf(count, 1))
    assert found.independence == pytest.approx(stats.chi2.sf(order, 1))
    assert found.conditional == pytest.approx(stats.chi2.sf(count + order, 2))


def test_rates_of_rejection():
    """Of 1,000 right forecasts of 2,000 days about 5% are rejected; one with twice the exceedances, or with as many in clusters,
    nearly always. Bounds: |z| < 5."""
    random = np.random.default_rng(11)
    right = [at_risk_test(random.random(2000) < 0.01, 0.99).kupiec < 0.05 for _ in range(1000)]
    assert 0.02 < np.mean(right) < 0.09
    twice = [at_risk_test(random.random(2000) < 0.02, 0.99).kupiec < 0.05 for _ in range(200)]
    assert np.mean(twice) > 0.9
    clusters = [at_risk_test(np.repeat(random.random(500) < 0.01, 4), 0.99).independence < 0.05 for _ in range(200)]
    assert np.mean(clusters) > 0.9


def test_never_exceeded():
    found = at_risk_test(np.zeros(100, bool), 0.99)
    assert found.kupiec == pytest.approx(stats.chi2.sf(-200 * math.log(0.99), 1))
    assert math.isnan(found.independence)


def test_errors_of_a_difference_allow_for_autocorrelation():
    """Means of 400 series with autocorrelation 0.6 lie within 1.96 errors of the truth in 95% less a few; without lags in 67%."""
    random, inside, naive = np.random.default_rng(4), 0, 0
    for _ in range(400):
        noise = random.standard_normal(1100)
        for t in range(1, 1100):
            noise[t] += 0.6 * noise[t - 1]
        gap = 0.3 + noise[100:]
        found, plain = difference(gap, np.zeros(1000)), difference(gap, np.zeros(1000), lags=0)
        inside += abs(found.difference - 0.3) < 1.96 * found.error
        naive += abs(plain.difference - 0.3) < 1.96 * plain.error
    assert 0.86 < inside / 400 < 0.97
    assert naive / 400 < 0.78


def test_a_difference_is_of_days_that_both_have():
    theirs, ours = np.array([1.0, 2.0, np.nan, 4.0, 5.0]), np.array([0.5, np.nan, 1.0, 3.0, 4.5])
    found = difference(theirs, ours, lags=0)
    assert (found.periods, found.difference) == (3, pytest.approx((0.5 + 1.0 + 0.5) / 3))
    assert found.error == pytest.approx(np.sqrt(np.sum((np.array([0.5, 1.0, 0.5]) - 2 / 3) ** 2)) / 3)
    assert math.isnan(difference(np.array([1.0]), np.array([0.0])).error)

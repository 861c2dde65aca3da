"""Scores of forecasts of many days: against plain formulas, their tests' rates of rejection, and errors under autocorrelation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from jaxrisk.backtest.days.scores import LEVELS, THRESHOLDS, at_risk_test, collected, difference, score_one
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
    """12 of 500, two of them in a row: the probability of the number term by term, of number and order from series drawn here."""
    hits = np.zeros(500, bool)
    hits[[3, 40, 41, 77, 120, 180, 200, 260, 300, 350, 400, 498]] = True
    found = at_risk_test(hits, 0.99)
    log = lambda k, n, p: (k * math.log(p) if k else 0.0) + ((n - k) * math.log(1 - p) if n > k else 0.0)
    number = lambda k: 2 * (log(k, 500, k / 500) - log(k, 500, 0.01))
    assert (found.exceeded, found.expected) == (12, pytest.approx(5.0))
    exact = sum(math.comb(500, k) * 0.01**k * 0.99 ** (500 - k) for k in range(60) if number(k) >= number(12) - 1e-9)
    assert found.kupiec == pytest.approx(exact)

    def both(series):
        k, pairs = int(series.sum()), list(pairwise(series))
        after_hit, after_none = ([b for a, b in pairs if a == hit] for hit in (True, False))
        parts = sum(log(sum(x), len(x), sum(x) / len(x)) for x in (after_hit, after_none) if x)
        return number(k) + 2 * (parts - log(sum(b for _, b in pairs), 499, sum(b for _, b in pairs) / 499))

    random, seen = np.random.default_rng(1), both(hits)
    drawn = np.mean([both(random.random(500) < 0.01) >= seen for _ in range(1500)])
    assert abs(found.conditional - drawn) < 5 * np.sqrt(0.02 / 1500)


@pytest.mark.parametrize(("periods", "level"), [(2000, 0.99), (2000, 0.999), (200, 0.99)])
def test_rates_of_rejection(periods, level):
    """Of 150 right forecasts no more than 5% are rejected, but for chance (|z| < 5): with two exceedances expected, too, where
    the usual chi-square rejects 15%."""
    random = np.random.default_rng(11)
    found = [at_risk_test(random.random(periods) < 1.0 - level, level) for _ in range(150)]
    most = 0.05 + 5 * np.sqrt(0.05 * 0.95 / 150)
    assert np.mean([one.kupiec < 0.05 for one in found]) < most
    assert np.mean([one.conditional < 0.05 for one in found]) < most


def test_wrong_values_at_risk_are_rejected():
    """Twice the exceedances, or as many in clusters, in nine of ten records of 2,000 days."""
    random = np.random.default_rng(12)
    twice = [at_risk_test(random.random(2000) < 0.02, 0.99).kupiec < 0.05 for _ in range(60)]
    assert np.mean(twice) > 0.9
    clusters = [at_risk_test(np.repeat(random.random(500) < 0.01, 4), 0.99).conditional < 0.05 for _ in range(60)]
    assert np.mean(clusters) > 0.9


def test_never_exceeded():
    """As likely as it is: with 100 days at 99% 0.37, and 0.63 for a ratio as large."""
    found = at_risk_test(np.zeros(100, bool), 0.99)
    number = lambda k: 2 * (stats.binom.logpmf(k, 100, max(k / 100, 1e-300)) - stats.binom.logpmf(k, 100, 0.01))
    assert found.kupiec == pytest.approx(sum(stats.binom.pmf(k, 100, 0.01) for k in range(101) if number(k) >= number(0) - 1e-9))
    assert 0.1 < found.conditional <= 1.0
    assert math.isnan(at_risk_test(np.zeros(1, bool), 0.99).kupiec)


def test_a_quantile_beyond_the_samples_is_not_said():
    assert np.isnan(score_one(np.arange(900.0), 5.0)[6][1])
    assert np.isfinite(score_one(np.arange(999.0), 5.0)[6]).all()


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

"""Scores against closed forms; statistical tests have fixed seeds, and their false-failure rates are stated."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxrisk.backtest.events.keys import Reported
from jaxrisk.backtest.events.reported import predicted, reported_log_score, reported_pit
from jaxrisk.backtest.scores import Samples, central, covered, crps, log_score, pit, quantile


def normal_crps(x):
    """Of a standard normal (Gneiting and Raftery, 2007, section 4.2)."""
    return x * (2.0 * stats.norm.cdf(x) - 1.0) + 2.0 * stats.norm.pdf(x) - 1.0 / math.sqrt(math.pi)


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.3, 4.0])
def test_crps_of_a_normal(x):
    """10^6 samples, tolerance 4 standard errors (sd of |X - x| below 1.1): false failures below 1 in 10,000."""
    samples = np.random.default_rng(1).standard_normal(1_000_000)
    assert crps(samples, x) == pytest.approx(normal_crps(x), abs=4 * 1.1e-3)
    assert abs(crps(samples, x + 0.1) - normal_crps(x)) > 4 * 1.1e-3 or x == 0.0  # at 0 the score is flat


def test_crps_is_the_double_sum():
    random = np.random.default_rng(2)
    x, w = random.standard_normal(50), random.random(50)
    p = w / w.sum()
    pairs = np.abs(x[:, None] - x)
    whole = np.sum(p * np.abs(x - 0.4)) - 0.5 * p @ pairs @ p
    assert crps(x, 0.4, w, fair=False) == pytest.approx(whole, rel=1e-12)
    apart = 0.5 * np.mean(pairs[~np.eye(50, dtype=bool)])
    assert crps(x, 0.4) == pytest.approx(np.mean(np.abs(x - 0.4)) - apart, rel=1e-12)


def test_fair_crps_is_unbiased_for_few_samples():
    """5,000 forecasts of 4 samples: the mean is that of the law within 4 standard errors (1 in 16,000);
    the plain score's is not."""
    random = np.random.default_rng(3)
    draws, seen = random.standard_normal((5_000, 4)), random.standard_normal(5_000)
    truth = 1.0 / math.sqrt(math.pi)  # E CRPS of the law itself: E|X - X'| / 2
    fair, plain = (np.array([crps(x, y, fair=f) for x, y in zip(draws, seen, strict=True)]) for f in (True, False))
    assert abs(fair.mean() - truth) < 4 * fair.std() / math.sqrt(5_000)
    assert abs(plain.mean() - truth) > 4 * plain.std() / math.sqrt(5_000)


def test_weights_are_counts():
    x, count = np.array([0.2, 0.5, 0.9, 0.1]), np.array([3, 1, 2, 4])
    many = np.repeat(x, count)
    for y in (0.15, 0.5, 0.95):
        assert pit(x, y, count) == pytest.approx(pit(many, y))
        assert crps(x, y, 10.0 * count, fair=False) == pytest.approx(crps(many, y, fair=False))


def test_pit_of_the_right_law_is_uniform_and_of_a_wrong_one_is_not():
    """Kolmogorov-Smirnov on 400 forecasts: false failure 1 in 1,000; a law 25% too wide fails."""
    random = np.random.default_rng(4)
    truth = random.standard_normal(400)
    right = [pit(random.standard_normal(500), y) for y in truth]
    wrong = [pit(1.5 * random.standard_normal(500), y) for y in truth]
    assert stats.kstest(right, "uniform").pvalue > 1e-3
    assert stats.kstest(wrong, "uniform").pvalue < 1e-3
    inside = np.mean([covered(random.standard_normal(500), y, 0.9) for y in truth])
    assert abs(inside - 0.9) < 4 * math.sqrt(0.09 / 400)


def test_intervals_are_equal_tailed():
    x = np.random.default_rng(5).exponential(size=200_000)
    low, high = central(x, 0.5)
    assert low == pytest.approx(-math.log(0.75), abs=0.01)
    assert high == pytest.approx(-math.log(0.25), abs=0.02)
    assert quantile(x, 0.5) == pytest.approx(math.log(2.0), abs=0.01)


@pytest.mark.parametrize(
    ("transform", "law"),
    [("identity", stats.norm(0.1, 0.2)), ("log", stats.lognorm(0.5)), ("logit", stats.beta(3.0, 30.0))],
)
def test_log_score_is_minus_the_log_density(transform, law):
    """100,000 samples: within 0.05 at the quartiles, which a missing Jacobian misses by more than 0.3."""
    samples = law.rvs(100_000, random_state=6)
    for level in (0.25, 0.5, 0.75):
        x = law.ppf(level)
        assert log_score(samples, x, transform=transform) == pytest.approx(-law.logpdf(x), abs=0.05)


@pytest.mark.parametrize("score", [crps, log_score])
def test_scores_are_proper(score):
    """The truth scores better than laws shifted or scaled by a half: 2,000 pairs, by more than 4 standard errors."""
    random = np.random.default_rng(7)
    base = random.standard_normal(300)
    true = np.array([score(base, y) for y in random.standard_normal(2_000)])
    random = np.random.default_rng(7)
    random.standard_normal(300)
    seen = random.standard_normal(2_000)
    for other in (base + 0.5, 1.5 * base, 0.6 * base):
        gap = np.array([score(other, y) for y in seen]) - true
        assert gap.mean() > 4 * gap.std() / math.sqrt(2_000)


def test_log_score_is_finite_where_no_sample_is():
    samples = np.random.default_rng(8).standard_normal(1_000)
    far, further = log_score(samples, 20.0), log_score(samples, 40.0)
    assert math.log(1_000) < far < further < math.inf
    assert math.isfinite(log_score(np.full(10, 0.3), 0.4, transform="logit"))


def test_a_forecast_without_finite_samples_is_refused():
    with pytest.raises(ValueError, match="at least one finite sample"):
        pit([math.nan], 0.1)


REPORT = Reported((1e9, 1e9), "all assets", asset_share=(0.5, 0.5), kappa=(6.0, 17.0))


def test_reported_score_is_the_density_of_a_log_uniform_ratio():
    """Truth known: log of the report is uniform over log(17/6) below log(truth / share)."""
    true = np.full(20_000, 0.5 * 1e9 * 10.0)  # a ratio of 10 explains it
    assert reported_log_score(true, REPORT) == pytest.approx(math.log(math.log(17 / 6)), abs=1e-3)
    assert reported_pit(true, REPORT) == pytest.approx(math.log(17 / 10) / math.log(17 / 6), abs=0.02)
    assert reported_log_score(0.5 * true, REPORT) > 8.0  # a ratio of 5 is outside: only the wide law is left
    assert reported_pit(0.5 * true, REPORT) == 1.0
    assert reported_pit(2.0 * true, REPORT) == 0.0


def test_reported_scores_integrate_over_share_and_range():
    """Against plain Monte Carlo of the report, a histogram of 2 x 10^6 draws: within 2%."""
    random = np.random.default_rng(9)
    report = REPORT._replace(amount=(0.9e9, 1.3e9), asset_share=(0.3, 0.55))
    true = 4e9 * np.exp(0.5 * random.standard_normal(200_000))
    draws = np.tile(true, 10)
    seen = draws / random.uniform(0.3, 0.55, len(draws)) / np.exp(random.uniform(math.log(6), math.log(17), len(draws)))
    low, high = report.amount
    density = np.mean((seen > low) & (seen < high)) / math.log(high / low)
    assert reported_log_score(true, report) == pytest.approx(-math.log(density), abs=0.02)
    middle = np.exp(random.uniform(math.log(low), math.log(high), len(seen)))
    assert reported_pit(true, report) == pytest.approx(np.mean(seen < middle), abs=0.01)


def test_a_lower_bound_scores_the_probability_of_at_least_it():
    true = np.concatenate([np.full(300, 1e9), np.full(100, 1e8)])
    report = REPORT._replace(lower_bound=True)
    assert reported_log_score(true, report) == pytest.approx(-math.log(0.75), abs=0.01)
    assert reported_pit(true, report) == pytest.approx(0.25)


def test_a_report_of_longs_is_of_the_longs_in_its_unit():
    samples = Samples(np.zeros(2), long_share=np.array([0.8, math.nan]), liquidations=np.array([100.0, 0.0]))
    true, _ = predicted(samples, REPORT._replace(side="long", coins=True), price=10.0)
    assert true == pytest.approx([8.0, 0.0])
    assert predicted(samples._replace(liquidations=None), REPORT) is None

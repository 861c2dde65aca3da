"""Generalised-Pareto tails: the law recovered from samples and as a limit, the test of fit, the intervals, the threshold rule.

Random checks use 5 standard errors (6e-7 each, about 20 of them) unless they say otherwise; counts of samples have fixed seeds.
"""

import numpy as np
import pytest
from scipy import optimize, stats

from jaxrisk.risk import TooFewPathsError, mean_excess, pareto_tail
from jaxrisk.risk.pareto import anderson_darling, fit_pareto, information, scores

SHAPES = (-0.4, -0.1, 0.0, 0.3, 0.8)


def _sample(shape, size, seed):
    return stats.genpareto.rvs(shape, scale=2.0, size=size, random_state=np.random.default_rng(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_law_is_recovered_from_its_samples(shape):
    excess = _sample(shape, 20_000, 1)
    errors = np.sqrt(np.diag(np.linalg.inv(information(shape))) / excess.size)
    fit = fit_pareto(excess)
    assert abs(fit.shape - shape) < 5 * errors[0]
    assert abs(np.log(fit.scale / 2.0)) < 5 * errors[1]
    # The greatest likelihood: the scores add up to nothing.
    np.testing.assert_allclose(scores(fit.shape, excess / fit.scale).mean(axis=1), 0.0, atol=2e-4)
    # Drawn from another law of the family and weighted back; a wrong sign of the weights moves the shape by 20 errors.
    other = _sample(shape + 0.1, 40_000, 2)
    ratio = stats.genpareto.pdf(other, shape, scale=2.0) / stats.genpareto.pdf(other, shape + 0.1, scale=2.0)
    inside = ratio > 0.0
    weighted = fit_pareto(other[inside], ratio[inside])
    assert abs(weighted.shape - shape) < 5 * errors[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "shape"),
    [(stats.beta(1, 5), -0.2), (stats.expon(), 0.0), (stats.fisk(4), 0.25), (stats.fisk(2), 0.5), (stats.burr12(2, 1.5), 1 / 3)],
)
def test_known_limits(law, shape):
    losses = law.rvs(200_000, random_state=np.random.default_rng(3))
    tail = pareto_tail(losses)
    assert abs(tail.shape.value - shape) < 4 * tail.shape.standard_error
    for level in (0.9999, 1 - 1e-6):
        assert abs(tail.quantile(level).value - law.ppf(level)) < 4 * tail.quantile(level).standard_error
    truth = law.ppf(1 - 1e-6)
    found = tail.exceedance_probability(truth)
    assert found.low < 1e-6 < found.high


def test_statistic_is_anderson_and_darlings():
    """The series lacks what its terms beyond the fortieth add: 1/41 on average (known here to 0.002)."""
    left = []
    for seed in range(200):
        excess = np.sort(_sample(0.2, 400, seed))
        fit = fit_pareto(excess)
        below = stats.genpareto.cdf(excess, fit.shape, scale=fit.scale)
        odd = 2.0 * np.arange(1, 401) - 1.0
        exact = -400 - np.mean(odd * (np.log(below) + np.log1p(-below[::-1])))
        left.append(exact - anderson_darling(fit)[0])
    assert np.mean(left) == pytest.approx(1 / 41, abs=5 * np.std(left) / np.sqrt(200))


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.5])
def test_p_values_are_uniform_when_the_law_is_right(weighted, shape):
    """Shares at 1, 5, 10 and 50%, of 500 samples each: 4 standard errors (6e-5 each, 24 of them) and 1% for the approximation."""
    found = []
    for seed in range(500):
        excess = _sample(shape + (0.1 if weighted else 0.0), 400, 1_000 + seed)
        ratio = stats.genpareto.pdf(excess, shape, scale=2.0) / stats.genpareto.pdf(excess, shape + 0.1, scale=2.0)
        kept = ratio > 0.0 if weighted else np.ones(400, bool)
        found.append(anderson_darling(fit_pareto(excess[kept], ratio[kept] if weighted else None))[1])
    for share in (0.01, 0.05, 0.1, 0.5):
        assert abs(np.mean(np.array(found) < share) - share) < 4 * np.sqrt(share * (1 - share) / 500) + 0.01


def test_p_value_sees_another_law():
    random = np.random.default_rng(5)
    assert anderson_darling(fit_pareto(random.gamma(3.0, size=1_000)))[1] < 1e-6
    assert anderson_darling(fit_pareto(random.lognormal(0.0, 0.5, size=1_000)))[1] < 1e-6


def _deviance(losses, threshold, law):
    """Twice the log-likelihood lost against the best, of share, shape and scale, by the book."""
    excess = losses[losses > threshold] - threshold

    def lost(share, shape, scale):
        density = stats.genpareto.logpdf(excess, shape, scale=scale)
        return -2 * (density.sum() + excess.size * np.log(share) + (losses.size - excess.size) * np.log1p(-share))

    return lost(*law)


@pytest.mark.parametrize("shape", [-0.25, 0.3])
@pytest.mark.parametrize("end", ["low", "high"])
def test_interval_ends_where_the_profile_likelihood_says(shape, end):
    losses = np.append(np.zeros(4_700), 1.0 + _sample(shape, 300, 6))
    tail = pareto_tail(losses, threshold=1.0)
    estimate = tail.quantile(0.9999)
    at = getattr(estimate, end)
    least = _deviance(losses, 1.0, (tail.share.value, tail.shape.value, tail.scale.value))

    def given(parameters):  # shape and scale; the share follows from the quantile
        shape, scale = parameters[0], np.exp(parameters[1])
        beyond = stats.genpareto.sf(at - 1.0, shape, scale=scale)
        if not beyond > 1e-4 or not 1e-4 / beyond < 1.0:
            return 1e9
        return _deviance(losses, 1.0, (1e-4 / beyond, shape, scale)) - least

    start = np.array([tail.shape.value + (0.05 if end == "high" else -0.05), np.log(tail.scale.value)])
    best = min(
        optimize.minimize(given, start + np.array(move), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-7}).fun
        for move in ((0.0, 0.0), (0.05, 0.1), (-0.05, 0.1), (0.0, -0.1))
    )
    assert best == pytest.approx(stats.chi2.ppf(0.95, 1), abs=0.02)


def test_unit_weights_are_plain_and_units_do_not_matter():
    losses = np.random.default_rng(7).standard_t(4, 20_000)
    plain, weighted, scaled = pareto_tail(losses), pareto_tail(losses, np.zeros(20_000)), pareto_tail(10.0 + 1e6 * losses)
    assert plain.threshold == weighted.threshold
    for level in (0.999, 0.99999):
        np.testing.assert_allclose(weighted.quantile(level)[:4], plain.quantile(level)[:4], rtol=1e-9)
        expected = np.array(plain.expected_shortfall(level)[:4]) * 1e6 + [10.0, 0.0, 10.0, 10.0]
        np.testing.assert_allclose(scaled.expected_shortfall(level)[:4], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["plain", "weighted"])
def test_intervals_cover(case):
    """At a true 95%, 150 samples leave 89 to 99.4% with probability 2e-3; the standard error is right to 20% (known to 6%)."""
    random, found = np.random.default_rng(8), []
    level = 0.9999
    quantile = np.log(0.03 / (1 - level))
    for _ in range(150):
        losses = np.where(random.random(10_000) < 0.03, random.exponential(size=10_000), 0.0)
        log_weights = None
        if case == "weighted":
            losses = np.where(random.random(10_000) < 0.2, 2.0 * random.exponential(size=10_000), 0.0)
            log_weights = np.where(losses > 0.0, np.log(0.3) - losses / 2, np.log(0.97 / 0.8))
        tail = pareto_tail(losses, log_weights)
        found.append([*tail.quantile(level)[:4], *tail.expected_shortfall(level)[:4]])
    for fields, truth in zip(np.split(np.array(found).T, 2), (quantile, quantile + 1.0), strict=True):
        value, error, low, high = fields
        assert 0.89 <= np.mean((low <= truth) & (truth <= high)) <= 0.994
        assert 0.8 < error.mean() / value.std() < 1.2


def test_threshold_rule_passes_over_what_is_not_the_tail():
    """A body that ends at 1 and an exponential tail of 2% beyond: lower thresholds are rejected, higher ones are kept."""
    random = np.random.default_rng(9)
    losses = np.where(random.random(60_000) < 0.98, random.random(60_000), 1.0 + random.exponential(size=60_000))
    tail = pareto_tail(losses)
    assert tail.candidates[0].threshold < 1.0
    assert tail.candidates[0].p_value < 1e-3
    assert 0.99 < tail.threshold < 2.0
    assert tail.p_value > 0.05
    assert not tail.notes
    # A law that is rejected at every threshold says so.
    lumps = np.round(2.0 * random.exponential(size=20_000)) + random.normal(0.0, 0.01, 20_000)
    assert "rejected" in pareto_tail(lumps).notes[0]


def test_a_law_with_an_end():
    losses = np.random.default_rng(12).beta(1, 3, 50_000)  # shape -1/3, ends at 1
    tail = pareto_tail(losses)
    end = tail.threshold - tail.scale.value / tail.shape.value
    beyond = tail.exceedance_probability(end + 0.01)
    assert beyond.value == beyond.low == 0.0
    assert beyond.high >= 0.0
    assert tail.quantile(1 - 1e-9).low < 1.0 < tail.quantile(1 - 1e-9).high + 0.02
    steep = pareto_tail(np.random.default_rng(13).random(20_000))  # uniform: shape -1
    assert "below -1/2" in steep.notes[0]
    assert steep.quantile(1 - 1e-6).value == pytest.approx(1.0, abs=1e-3)


def test_what_is_wrong_is_named():
    random = np.random.default_rng(14)
    with pytest.raises(ValueError, match="500 of 10,000 losses equal 1, the greatest: a law with such an atom"):
        pareto_tail(np.repeat([0.0, 1.0], [9_500, 500]))
    capped = np.minimum(random.exponential(size=20_000), 6.0)
    with pytest.raises(ValueError, match=r"of the 737 losses beyond 3\.\d+ equal 6: a law with such an atom"):
        pareto_tail(capped)
    with pytest.raises(TooFewPathsError, match="50 are needed") as error:
        pareto_tail(np.append(np.zeros(9_980), random.random(20)))
    assert error.value.needed == 25_000
    with pytest.raises(ValueError, match="1,000 of 1,000 losses equal 0, the greatest"):
        pareto_tail(np.zeros(1_000))
    tail = pareto_tail(random.standard_normal(10_000))
    with pytest.raises(ValueError, match=r"lies below the threshold, beyond which lies 0\.0464"):
        tail.quantile(0.9)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1"):
        tail.expected_shortfall(1.0)
    with pytest.raises(ValueError, match="has to lie at or beyond the threshold"):
        tail.exceedance_probability(0.0)
    with pytest.raises(ValueError, match="from 1 on there is no expected shortfall"):
        pareto_tail(random.pareto(0.6, 20_000)).expected_shortfall(0.999)
    with pytest.raises(ValueError, match="not finite on 1 of 2"):
        pareto_tail([1.0, np.inf])


def test_mean_excess():
    random = np.random.default_rng(15)
    exponential = mean_excess(random.exponential(size=100_000), [0.0, 1.0, 3.0, 5.0])
    assert np.all(np.abs(exponential.value - 1.0) < 5 * exponential.standard_error)
    excess = _sample(0.2, 200_000, 16)
    line = mean_excess(excess, np.array([0.0, 2.0, 6.0]))
    assert np.all(np.abs(line.value - (2.0 + 0.2 * line.level) / 0.8) < 5 * line.standard_error)
    losses = random.standard_normal(50_000) + 2.0
    weighted = mean_excess(losses, 3.0, 2.0 - 2.0 * losses)
    assert abs(weighted.value - (stats.norm.pdf(3.0) / stats.norm.sf(3.0) - 3.0)) < 5 * weighted.standard_error
    with pytest.raises(TooFewPathsError, match="10 are needed, and so about 200 paths"):
        mean_excess(np.arange(100.0), 94.0)
    with pytest.raises(ValueError, match="thresholds of a mean excess must be finite"):
        mean_excess(np.arange(100.0), np.nan)

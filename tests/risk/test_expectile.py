"""Expectiles: closed forms, a brute-force root, weights, coverage, and what is refused.

Random checks use 5 standard errors (6e-7 each, 10 of them). With the factor 2 tau - 1 left out of the defining equation the
closed forms differ by more than 10%. Coverage is of 400 samples with a fixed seed: at a true 95% a fresh seed leaves 91 to 98.5%
with probability 1e-3.
"""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from jaxrisk.risk import TooFewPathsError, expectile, mean

LEVELS = (0.02, 0.3, 0.5, 0.9, 0.99, 0.999)


def _uniform(level):
    return 0.5 if level == 0.5 else (level - math.sqrt(level * (1 - level))) / (2 * level - 1)


def _exponential(level):
    return brentq(lambda e: (2 * level - 1) * math.exp(-e) - (1 - level) * (e - 1), 0.0, 50.0)


@pytest.mark.parametrize("level", LEVELS)
def test_closed_forms_on_a_grid(level):
    grid = (np.arange(400_000) + 0.5) / 400_000
    assert expectile(grid, level).value == pytest.approx(_uniform(level), abs=1e-5)
    assert expectile(-np.log1p(-grid), level).value == pytest.approx(_exponential(level), abs=2e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_samples_plain_and_weighted(level):
    random = np.random.default_rng(1)
    plain = expectile(random.exponential(size=200_000), level)
    assert abs(plain.value - _exponential(level)) < 5 * plain.standard_error
    losses = 1.6 * random.exponential(size=200_000)
    weighted = expectile(losses, level, math.log(1.6) - losses * (1 - 1 / 1.6))
    assert abs(weighted.value - _exponential(level)) < 5 * weighted.standard_error
    if level > 0.9:  # what importance sampling is for
        assert weighted.standard_error < plain.standard_error


@pytest.mark.parametrize("level", LEVELS)
def test_is_the_root_of_its_definition(level):
    random = np.random.default_rng(2)
    losses = np.round(random.standard_t(3, 20_000), 1)  # with ties
    value = expectile(losses, level).value
    above, below = np.maximum(losses - value, 0.0).mean(), np.maximum(value - losses, 0.0).mean()
    assert level * above == pytest.approx((1 - level) * below, rel=1e-9)
    assert expectile(-losses, 1 - level).value == pytest.approx(-value, rel=1e-9)
    assert expectile(3 * losses + 7, level).value == pytest.approx(3 * value + 7, rel=1e-9)


def test_one_half_is_the_mean():
    losses = np.random.default_rng(3).lognormal(size=3_000)
    np.testing.assert_allclose(expectile(losses, 0.5)[:4], mean(losses)[:4], rtol=1e-12)


def test_intervals_cover_and_standard_errors_are_right():
    random = np.random.default_rng(4)
    truth, found = _exponential(0.99), []
    for _ in range(400):
        losses = 1.6 * random.exponential(size=3_000)
        plain = expectile(losses / 1.6, 0.99)
        found.append([*plain[:4], *expectile(losses, 0.99, math.log(1.6) - losses * (1 - 1 / 1.6))[:4]])
    for value, error, low, high in (np.array(found).T[:4], np.array(found).T[4:]):
        assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985
        assert 0.85 < error.mean() / value.std() < 1.15


def test_a_constant_is_itself_and_too_few_are_refused():
    assert expectile(np.full(50, 2.0), 0.99)[:4] == pytest.approx((2.0, 0.0, 2.0, 2.0), rel=1e-12)
    with pytest.raises(TooFewPathsError, match="has 1 of them beyond it: 10 are needed, and so about 1,000 paths"):
        expectile([0.0] * 98 + [1.0, 2.0], 0.99)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1"):
        expectile([1.0, 2.0], 1.0)
    with pytest.raises(ValueError, match="not finite on 1 of 2 paths"):
        expectile([1.0, np.nan], 0.9)

"""Conditional drawdown at risk: a hand count, the measure's ends, errors that count paths, weights, and what is refused.

Random checks use 5 standard errors; ratios of stated to observed standard errors come from 300 samples (known to 4%).
"""

import numpy as np
import pytest

from jaxrisk.risk import TooFewPathsError, conditional_drawdown_at_risk, expected_shortfall
from jaxrisk.risk.drawdown import drawdowns

STEPS = 40


def _walks(random, paths, drift=0.0):
    steps = random.normal(drift, 0.02, (paths, STEPS))
    return np.concatenate([np.zeros((paths, 1)), np.cumsum(steps, axis=1)], axis=1)


def test_by_hand():
    prices = np.tile([100.0, 120.0, 90.0, 60.0, 120.0], (10, 1))  # drawdowns 0, 0.25, 0.5, 0
    np.testing.assert_allclose(drawdowns(np.log(prices))[0], [0.0, 0.0, 0.25, 0.5, 0.0], atol=1e-12)
    log_price = np.log(prices)
    log_price[:, 3] += np.linspace(-1e-9, 1e-9, 10)  # not all equal
    assert conditional_drawdown_at_risk(log_price, 0.5).value == pytest.approx(0.375)
    assert conditional_drawdown_at_risk(log_price, 0.25).value == pytest.approx(0.25)


@pytest.mark.parametrize("level", [0.3, 0.9, 0.99])
def test_is_the_shortfall_of_the_pooled_drawdowns(level):
    walks = _walks(np.random.default_rng(1), 500)
    pooled = drawdowns(walks)[:, 1:].ravel()
    found = conditional_drawdown_at_risk(walks, level)
    assert found.value == pytest.approx(expected_shortfall(pooled, level).value, rel=1e-12)
    assert pooled.mean() < found.value < pooled.max()
    assert found.value < expected_shortfall(pooled.reshape(500, -1).max(axis=1), 0.9).value or level > 0.9


def test_errors_count_paths_and_not_times():
    random = np.random.default_rng(2)
    truth = conditional_drawdown_at_risk(_walks(random, 100_000), 0.9).value  # its own error is a twentieth of those below
    found = []
    for _ in range(300):
        walks = _walks(random, 250)
        pooled = expected_shortfall(drawdowns(walks)[:, 1:].ravel(), 0.9)
        found.append([*conditional_drawdown_at_risk(walks, 0.9)[:4], pooled.standard_error])
    value, error, low, high, pooled_error = np.array(found).T
    assert 0.85 < error.mean() / value.std() < 1.15
    assert pooled_error.mean() / value.std() < 0.5  # times taken as independent
    assert 0.90 <= np.mean((low <= truth) & (truth <= high)) <= 0.985


def test_weights():
    random = np.random.default_rng(3)
    drift = -0.004
    walks = _walks(random, 40_000, drift)
    log_weights = (-drift * walks[:, -1] + 0.5 * drift**2 * STEPS) / 0.02**2
    weighted = conditional_drawdown_at_risk(walks, 0.95, log_weights)
    plain = conditional_drawdown_at_risk(_walks(random, 40_000), 0.95)
    assert abs(weighted.value - plain.value) < 5 * np.hypot(weighted.standard_error, plain.standard_error)
    untold = conditional_drawdown_at_risk(walks, 0.95)
    assert abs(untold.value - plain.value) > 20 * plain.standard_error
    unit = conditional_drawdown_at_risk(walks, 0.95, np.zeros(40_000))
    np.testing.assert_allclose(unit[:4], untold[:4], rtol=1e-9)


@pytest.mark.parametrize(
    ("log_price", "level", "message"),
    [
        (np.zeros((3, 2, 1)), 0.9, r"shape \(paths, steps \+ 1\)"),
        (np.zeros((3, 1)), 0.9, "at least one step"),
        (np.full((3, 4), np.nan), 0.9, "not finite on 3 of 3 paths"),
        (np.zeros((3, 4)), 1.0, "level must lie strictly"),
    ],
)
def test_what_is_wrong_is_named(log_price, level, message):
    with pytest.raises(ValueError, match=message):
        conditional_drawdown_at_risk(log_price, level)


def test_too_few_paths_say_how_many_are_needed():
    walks = _walks(np.random.default_rng(4), 40)
    with pytest.raises(TooFewPathsError, match="of 40 paths: 10 are needed beyond the level") as error:
        conditional_drawdown_at_risk(walks, 0.99)
    assert error.value.needed > 40
    conditional_drawdown_at_risk(_walks(np.random.default_rng(4), 2 * error.value.needed), 0.99)

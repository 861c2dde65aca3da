"""Indirect inference where the answer is known: a linear model, and a normal law of which mean and spread are wanted."""

import numpy as np
import pytest

from jaxrisk.calibration.indirect.estimate import estimate

SLOPES = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [1.0, -1.0], [0.5, 0.5]])
SPREAD = np.diag([0.1, 0.2, 0.4, 0.1, 0.3])


def linear(seed: int, records: int = 200, shift=0.0):
    """A record of a linear model with parameters (0.3, -0.2), and a simulator of the same model."""
    rng = np.random.default_rng(seed)
    recorded = SLOPES @ [0.3, -0.2] + SPREAD @ rng.normal(size=5) + shift
    noise = np.random.default_rng(99).normal(size=(records, 5)) @ SPREAD
    return recorded, lambda point: SLOPES @ point + noise


def test_a_linear_model_is_fitted_by_weighted_least_squares():
    recorded, simulate = linear(1)
    found = estimate(recorded, simulate, np.zeros(2))
    noise = simulate(np.zeros(2))
    weight = np.diag(1.0 / noise.var(0, ddof=1))
    expected = np.linalg.solve(SLOPES.T @ weight @ SLOPES, SLOPES.T @ weight @ (recorded - noise.mean(0)))
    np.testing.assert_allclose(found.values, expected, atol=0.01)
    np.testing.assert_allclose(found.slopes, SLOPES, atol=1e-9)
    assert found.settled


def test_errors_and_over_identification_hold_on_records_of_the_model():
    """300 records: 95% intervals hold 285 of 300 times (errors a quarter too small hold 257), and the share of simulated records
    that lie further away is uniform; bounds at 4 standard deviations, false failures 2e-4."""
    inside, beyond = np.zeros(2), []
    for seed in range(300):
        recorded, simulate = linear(seed)
        found = estimate(recorded, simulate, np.zeros(2))
        inside += np.abs(found.values - [0.3, -0.2]) < 1.96 * found.errors
        beyond.append(found.beyond)
    assert np.all(np.abs(inside - 285) < 4.0 * np.sqrt(300 * 0.95 * 0.05)), inside
    assert abs(np.mean(beyond) - 0.5) < 4.0 / np.sqrt(12 * 300), np.mean(beyond)


def test_errors_hold_where_much_of_a_number_is_what_was_believed():
    """Truths drawn from what is believed, a record that tells little: over 300 of them 95% intervals hold 285 times for each
    parameter (271 and 198 without the belief's own spread); bounds at 4 standard deviations, false failures 2e-4."""
    random, believed = np.random.default_rng(8), np.array([0.1, 0.05])
    noise = np.random.default_rng(99).normal(size=(200, 5)) @ SPREAD
    inside = np.zeros(2)
    for _ in range(300):
        truth = believed * random.normal(size=2)
        recorded = SLOPES @ truth + SPREAD @ random.normal(size=5)
        found = estimate(recorded, lambda point: SLOPES @ point + noise, np.zeros(2), prior=believed)
        inside += np.abs(found.values - truth) < 1.96 * found.errors
    assert np.all(np.abs(inside - 285) < 4.0 * np.sqrt(300 * 0.95 * 0.05)), inside


def test_a_model_that_cannot_be_is_rejected():
    """A moment five of its deviations off, where the parameters cannot follow it."""
    recorded, simulate = linear(3, shift=np.array([0.0, 0.0, 0.0, 0.0, 1.5]))
    assert estimate(recorded, simulate, np.zeros(2)).beyond < 0.02


def test_a_curved_model_and_a_prior():
    """Mean and spread of a normal law from its mean and mean square; a prior holds what the record says nothing of."""
    noise = np.random.default_rng(2).normal(size=(100, 500))

    def simulate(point):
        drawn = point[0] + np.exp(point[1]) * noise
        return np.stack([drawn.mean(1), (drawn**2).mean(1)], axis=1)

    # the third parameter moves nothing
    found = estimate(
        np.array([2.0, 4.0 + 9.0]), simulate, np.array([0.0, 0.0, 0.7]), prior=np.array([np.inf, np.inf, 0.5]), rounds=40
    )
    np.testing.assert_allclose([found.values[0], np.exp(found.values[1])], [2.0, 3.0], rtol=0.05)
    np.testing.assert_allclose(found.values[2], 0.7)
    # and its error is what was believed, not none
    np.testing.assert_allclose(found.believed, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(found.errors[2], 0.5)


def test_moments_that_are_not_finite_are_refused():
    _, simulate = linear(1)
    with pytest.raises(ValueError, match="recorded moment is not finite"):
        estimate(np.array([np.nan] * 5), simulate, np.zeros(2))
    with pytest.raises(ValueError, match="simulated moment is not finite"):
        estimate(np.zeros(5), lambda point: np.full((10, 5), np.nan), np.zeros(2))

"""The simultaneous band: its level against simulation, its coverage plain and weighted, its sharpness in the tail.

Shares of simulations use 5 standard errors (6e-7 each). Coverage counts of 200 samples have fixed seeds: at a true 95% a fresh
one leaves 90 to 99% with probability 3e-3.
"""

import numpy as np
import pytest
from scipy import stats

from jaxrisk.risk import exceedance_curve
from jaxrisk.risk.band import EXACT, _crossing_free, coverage, local_confidence, weighted_confidence


@pytest.mark.parametrize("paths", [1, 2, 3, 40])
@pytest.mark.parametrize("local", [0.3, 0.01])
def test_probability_is_that_of_simulated_uniforms(paths, local):
    uniforms = np.sort(np.random.default_rng(paths).random((100_000, paths)), axis=1)
    rank = np.arange(1, paths + 1)
    low, high = (stats.beta.ppf(tail, rank, paths - rank + 1) for tail in (local / 2, 1 - local / 2))
    share = ((low <= uniforms) & (uniforms <= high)).all(axis=1).mean()
    found = coverage(paths, local)
    assert abs(share - found) < 5 * np.sqrt(found * (1 - found) / 100_000) + 1e-9


def test_the_extension_beyond_the_recursion_is_the_recursion():
    local = 1.0 - local_confidence(EXACT)
    for paths in (2 * EXACT, 5 * EXACT):
        assert coverage(paths, local) == pytest.approx(_crossing_free(paths, local), abs=5e-4)
    assert coverage(EXACT, local) - coverage(5 * EXACT, local) > 0.005  # what is extended matters ten times more


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_local_confidence_gives_the_confidence_asked_for(confidence):
    local = local_confidence(300, confidence)
    assert local > confidence
    assert coverage(300, 1.0 - local) == pytest.approx(confidence, abs=2e-5)
    assert local_confidence(10**6, confidence) > local_confidence(10**4, confidence) > local


def _tilted(random):
    losses = random.standard_normal(500) + 1.0
    return losses, 0.5 - losses


def _defensive(random):
    """One in two from a normal law moved by 2.5: weights are at most 2."""
    losses = random.standard_normal(500) + 2.5 * (random.random(500) < 0.5)
    return losses, np.log(2.0) - np.logaddexp(0.0, 2.5 * losses - 0.5 * 2.5**2)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [lambda random: (random.standard_normal(500), None), _tilted, _defensive])
def test_band_holds_at_every_loss_at_once(draw):
    random = np.random.default_rng(6)
    held = np.zeros((200, 2))
    for row in held:
        losses, log_weights = draw(random)
        levels = np.concatenate([losses, np.nextafter(losses, -np.inf)])
        for place, simultaneous in enumerate((True, False)):
            band = exceedance_curve(losses, levels, log_weights, simultaneous=simultaneous)
            truth = stats.norm.sf(levels)
            row[place] = ((band.low <= truth) & (truth <= band.high)).all()
    together, each = held.mean(axis=0)
    assert 0.90 <= together <= 0.99
    assert each < 0.6  # the pointwise intervals


def test_band_is_sharp_in_the_tail_and_wider_than_the_intervals():
    losses = np.sort(np.random.default_rng(7).standard_normal(10_000))
    band, pointwise = (exceedance_curve(losses, losses[[5_000, -100, -10, -1]], simultaneous=both) for both in (True, False))
    constant = np.sqrt(np.log(2 / 0.05) / 2 / 10_000)  # Dvoretzky, Kiefer and Wolfowitz; Massart (1990)
    assert np.all((band.low <= pointwise.low) & (pointwise.high <= band.high))
    assert np.all((band.high - band.value)[1:] < [constant / 2, constant / 5, constant / 10])
    np.testing.assert_allclose(band.value, pointwise.value)


def test_ties_keep_the_band():
    random = np.random.default_rng(8)
    held = []
    for _ in range(200):
        losses = random.poisson(0.3, 500).astype(float)
        levels = np.arange(-0.5, 8.0, 0.5)
        band = exceedance_curve(losses, levels, simultaneous=True)
        truth = stats.poisson.sf(levels, 0.3)
        held.append(((band.low <= truth) & (truth <= band.high)).all())
    assert np.mean(held) >= 0.95


def test_equal_weights_are_plain():
    losses = np.random.default_rng(9).standard_normal(800)
    plain, weighted = (exceedance_curve(losses, [0.0, 2.0], weights, simultaneous=True) for weights in (None, np.zeros(800)))
    np.testing.assert_allclose(weighted.value, plain.value)
    np.testing.assert_allclose([weighted.low, weighted.high], [plain.low, plain.high], rtol=0.1)
    # The Gaussian process asks for nearly the same level where the weights hardly differ.
    near = np.exp(1e-3 * np.random.default_rng(10).standard_normal(800))
    assert 1.0 - weighted_confidence(losses, near) == pytest.approx(1.0 - local_confidence(800), rel=0.5)

"""Which paths are run again: few where those from below the tail do nothing, all where they matter, and unbiased either way."""

from types import SimpleNamespace

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.parameter import Parameter
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import Sample
from jaxrisk.risk.slopes import rerun

PARAMETER = Parameter("limits.cap", 1.0, "1", 0.0, np.inf)
LEVEL = 0.99
SHORTFALL = Measure("loss", "expected_shortfall", LEVEL)
N = 10_000


class Paths(Sample):
    """Losses that grow with a parameter; some of them, from anywhere, jump beyond all others at a value of their own."""

    @classmethod
    def draw(cls, seed, jumping=0.0):
        random = np.random.default_rng(seed)
        loss, slope = random.exponential(size=N), 1.0 + 0.1 * random.normal(size=N)
        threshold = np.where(random.uniform(size=N) < jumping, random.uniform(-1.0, 1.0, N), np.inf)
        whole = lambda by: loss * (1.0 + by * slope) + 12.0 * (by > threshold)
        prepared = SimpleNamespace(scenario=SimpleNamespace(settings=SimpleNamespace(steps=10)))
        made = cls(prepared, None, 1, 0, whole(0.0), np.zeros((N, 1)))
        made.whole, made.run = whole, 0
        return made

    def at(self, scenario, parameters, by, which):
        self.run += len(which)
        return self.whole(by[0])[which]


@pytest.fixture(scope="module")
def scenario():
    return jr.load("btc_24h")


@pytest.mark.parametrize(
    "measure", [SHORTFALL, Measure("loss", "quantile", LEVEL), Measure("loss", "exceedance_probability", 4.6)]
)
def test_calm_paths_are_not_run_again_and_nothing_is_missed(scenario, measure):
    paths = Paths.draw(1)
    found = rerun.curve(paths, measure, scenario, PARAMETER)
    assert paths.run < 0.22 * 8 * N
    for by, value in zip(found.offsets, found.measure, strict=True):
        assert value == pytest.approx(measure.estimate(paths.whole(by)).value, rel=1e-9)


def test_all_are_run_again_where_they_jump_from_anywhere(scenario):
    paths = Paths.draw(1, jumping=0.02)
    found = rerun.curve(paths, SHORTFALL, scenario, PARAMETER)
    assert paths.run == 8 * N
    for by, value in zip(found.offsets, found.measure, strict=True):
        assert value == pytest.approx(SHORTFALL.estimate(paths.whole(by)).value, rel=1e-9)


@pytest.mark.parametrize("statistic", ["expected_shortfall", "quantile"])
def test_a_sample_of_those_below_stands_for_all(monkeypatch, scenario, statistic):
    """Were they never all run: the mean of 60 samples is within four of its errors of what all paths say (a false failure in
    16,000). Without weights the rise is less than half of what it is."""
    monkeypatch.setattr(rerun, "OUTSIDE", np.inf)
    measure, apart, rise = Measure("loss", statistic, LEVEL), [], []
    for seed in range(60):
        paths = Paths.draw(seed, jumping=0.02)
        found = rerun.curve(paths, measure, scenario, PARAMETER)
        assert paths.run < 8 * N / 2
        true = measure.estimate(paths.whole(0.16)).value - measure.estimate(paths.losses).value
        apart.append(found.measure[-1] - found.measure[len(found.offsets) // 2] - true)
        rise.append(true)
    error = np.std(apart) / np.sqrt(len(apart))
    assert abs(np.mean(apart)) < 4.0 * error + (0.0 if statistic == "expected_shortfall" else 0.03 * np.mean(rise))
    assert error < 0.1 * np.mean(rise)


def test_layers_stand_for_all_paths():
    losses = np.random.default_rng(3).normal(size=N)
    weight = rerun.layers(losses, SHORTFALL)
    assert weight.sum() == pytest.approx(N)
    order = np.argsort(-losses)
    assert np.all(weight[order[:300]] == 1.0)
    assert np.count_nonzero(weight) < 0.22 * N
    below = weight[order[600:1200]]
    assert np.count_nonzero(below) == rerun.LAYER
    assert below.max() == 600 / rerun.LAYER

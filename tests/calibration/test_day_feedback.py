"""What forced orders add to a day: nothing without feedback, deeper falls with it, weights that undo the choice of days."""

from dataclasses import replace

import numpy as np
import pytest

import jaxrisk
from jaxrisk.calibration.indirect.feedback import Days, added, points, run_days
from jaxrisk.calibration.indirect.histories import histories
from jaxrisk.calibration.indirect.log_variance import TailModel, in_words, law_of, with_impact
from jaxrisk.calibration.indirect.moments import moments

DAYS, RECORDS = 300, 4


@pytest.fixture(scope="module")
def law():
    return law_of(TailModel.start_of_law())


@pytest.fixture(scope="module")
def drawn(law):
    return histories(law, DAYS, RECORDS, seed=2)


@pytest.fixture(scope="module")
def like(drawn):
    return moments(drawn.record(0, np.zeros((DAYS, 24), bool)))


def run(law, drawn, coefficient, temporary, feedback=1.0, days=1024) -> Days:
    scenario = with_impact(jaxrisk.load("btc_24h", {"channels.feedback": feedback}), coefficient, temporary)
    return run_days(scenario, law, drawn, np.zeros((DAYS, 24), bool), days=days)


@pytest.mark.slow
def test_without_feedback_nothing_is_added(law, drawn, like):
    days = run(law, drawn, 1.0, 0.2, feedback=0.0)
    np.testing.assert_array_equal(days.price, days.fundamental)
    np.testing.assert_array_equal(added(days, like), 0.0)
    np.testing.assert_array_equal(points(days, (0.03,)), 0.0)


@pytest.mark.slow
def test_forced_orders_deepen_falls_and_what_is_temporary_comes_back(law, drawn, like):
    lasting, passing = (dict(zip(like.names, added(run(law, drawn, *x), like), strict=True)) for x in ((2.0, 0.0), (0.0, 0.15)))
    for found in (lasting, passing):
        assert found["fall 0.05"] > 0.0
        assert found["rise 0.05"] > 0.0
        assert found["variance mean"] > 0.0
        assert found["fall 0.05"] >= found["fall 0.05 ordinary"]
    # within the hour, only the second
    assert passing["regained 3%"] > 0.03 > lasting["regained 3%"]
    assert lasting["variance lag 5"] == 0.0
    assert lasting["long 10x 5d"] == 0.0


@pytest.mark.slow
def test_weights_undo_the_choice_of_stormy_days(law, drawn):
    """The mean size of a day's return, weighted, is that of all days of the histories: within five errors of both, 1e-6."""
    days = run(law, drawn, 1.0, 0.0, days=4096)
    size = np.abs(days.fundamental[3, :, -1])
    mean = np.average(size, weights=days.weight)
    error = np.sqrt(np.sum((days.weight * (size - mean)) ** 2)) / days.weight.sum()
    every = np.abs(drawn.bars[3, :, 90:, -1] - drawn.bars[0, :, 90:, 0])
    whole = every.std() / np.sqrt(every.size / 10.0)  # days next to each other are alike
    assert abs(mean - every.mean()) < 5.0 * np.hypot(error, whole)
    assert abs(size.mean() - mean) > 5.0 * error  # unweighted it is not
    assert abs(np.average(days.ordinary, weights=days.weight) - 0.5) < 0.06


def test_points_of_a_fall():
    """Two days that fall by 10 and 20%, of which 1 and 4 points are forced orders; the second counts three times."""
    flat = np.zeros((4, 2, 24))
    price, fundamental = flat.copy(), flat.copy()
    for day, (fall, without) in enumerate(((0.10, 0.09), (0.20, 0.16))):
        price[2:, day, 5], fundamental[2:, day, 5] = np.log1p(-fall), np.log1p(-without)
    days = Days(price, fundamental, np.zeros(2), np.array([0.5, 1.5]), np.array([True, False]))
    np.testing.assert_allclose(points(days, (0.1, 0.2)), [0.01, 0.04])
    assert np.isnan(points(days, (0.5,)))[0]


def test_a_point_of_the_fit_in_a_scenarios_words():
    model = TailModel(None, jaxrisk.load("btc_24h"))  # pyright: ignore[reportArgumentType]
    start, prior = model.start()
    words = in_words(model.names, start)
    assert len(start) == len(prior) == len(words)
    law, scenario = law_of(start), model.mechanics(start)
    np.testing.assert_allclose(words["mean_variance"], law.mean_variance[0])
    np.testing.assert_allclose(words["factor_sd 2"], law.factor_sd[0, 1])
    np.testing.assert_allclose(words["leverage_correlation"], law.leverage_correlation[0, 3])
    np.testing.assert_allclose(words["scaled_jump_sd"], law.scaled_jump_sd[0])
    assert scenario is not None
    np.testing.assert_allclose(words["impact.coefficient"], scenario.impact.law.coefficient[0])
    np.testing.assert_allclose(words["temporary_impact.coefficient"], scenario.impact.temporary.coefficient[0])
    assert replace(model, impact=(1.0, 0.0)).mechanics(start).impact.temporary is None
    assert replace(model, scenario=None).mechanics(start) is None


@pytest.mark.slow
def test_every_point_of_a_search_runs_the_same_days(drawn, monkeypatch):
    """Other days at every point would make the moments ragged, and a search stop early."""
    import jaxrisk.calibration.indirect.log_variance as module

    used = []
    monkeypatch.setattr(module, "run_days", lambda *args, where=None, **more: used.append(where))
    monkeypatch.setattr(module, "added", lambda days, like: 0.0)
    bars = drawn.record(0, np.zeros((DAYS, 24), bool))
    model = TailModel(bars, jaxrisk.load("btc_24h"), records=RECORDS, days=64)
    point = model.start()[0]
    model.simulate_several(np.stack([point, point + 0.3]))
    model.simulate(point - 0.3)
    assert len(used) == 3
    assert all(where is used[0] and len(where.day) == 64 for where in used)

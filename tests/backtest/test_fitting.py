"""What is made of unwinds once the engine has run along them: volatility and drift after a beginning, and the line of losses.

Random tests use fixed seeds and bounds of at least four standard errors: fewer than one in ten thousand would fail at another.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from jaxrisk.backtest.events.fitting import loss_after, ordinary_flow_sd, variance_after


def unwind(volatility, grid=300):
    return SimpleNamespace(grid=grid, given_span=1800, horizon=86400, before=SimpleNamespace(volatility=volatility))


def test_variance_after_is_that_of_the_rest_of_the_day():
    random, volatilities = np.random.default_rng(1), [0.4, 0.6, 0.8, 1.0]
    events = [unwind(v) for v in volatilities]
    # a daily variance of exp(-1) times the root of the one before; the beginning is not counted
    daily = [math.exp(-1.0) * math.sqrt(v**2 / 365.0) for v in volatilities]
    moves = [math.sqrt(v / 288) * random.standard_normal(312) for v in daily]
    for each in moves:
        each[:6] = 1.0
    found = variance_after(events, moves)
    assert found.count == 4
    assert found.mean == pytest.approx(-1.0, abs=4.5 * math.sqrt(2.0 / 282 / 4))
    assert found.scale < 0.3
    # what comes after the horizon is not counted either
    longer = [np.concatenate([each[:288], np.ones(24)]) for each in moves]
    assert variance_after(events, longer) == found


def test_drift_after_is_in_standard_deviations():
    random = np.random.default_rng(2)
    events = [unwind(0.6) for _ in range(400)]
    moves = [0.005 * random.standard_normal(288) - 0.8 * 0.005 / math.sqrt(282) for _ in events]
    found = variance_after(events, moves)
    assert found.drift == pytest.approx(-0.8, abs=4.5 / 20)
    assert found.drift_sd == pytest.approx(1.0, abs=4.5 / math.sqrt(800))


def test_one_outlier_does_not_set_the_scale():
    moves = lambda sd: np.full(288, sd) * np.where(np.arange(288) % 2, 1.0, -1.0)
    calm = [moves(0.005 * math.exp(0.02 * k)) for k in range(-3, 4)]
    wild = [*calm[:-1], moves(0.0001)]
    events = [unwind(0.6) for _ in calm]
    assert variance_after(events, wild).scale < 0.2
    assert variance_after(events, wild).mean == pytest.approx(variance_after(events, calm).mean, abs=0.15)


def test_a_line_of_losses_is_found_and_few_events_leave_the_prior():
    random = np.random.default_rng(3)
    book = random.uniform(0.0, 0.4, 4000)
    seen = 0.05 + 0.7 * book + 0.06 * random.standard_normal(4000)
    found = loss_after([*zip(book, seen, strict=True), (0.3, math.nan)])
    assert found.slope == pytest.approx(0.7, abs=4.5 * found.slope_sd)
    assert found.intercept == pytest.approx(0.05, abs=4.5 * found.intercept_sd)
    assert found.slope_sd < 0.02
    assert found.sd == pytest.approx(0.06, rel=0.06)
    few = loss_after([(0.1, 0.1), (0.1, 0.1)])
    assert (few.intercept, few.slope) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.05))
    assert few.slope_sd > 0.3
    drawn = found.draw(np.full(200_000, 0.2), random)
    assert drawn.mean() == pytest.approx(found.intercept + 0.2 * found.slope, abs=4.5 * 0.07 / 447)
    assert drawn.std() == pytest.approx(found.sd, rel=0.02)


def test_ordinary_changes_leave_out_unwinds_and_gaps():
    days = np.arange("2021-01-01", "2021-12-27", dtype="datetime64[D]")
    random = np.random.default_rng(4)
    coins = 1e5 * np.exp(np.cumsum(0.02 * random.standard_normal(len(days))))
    coins[100:] *= 0.5
    kept = ordinary_flow_sd(days, coins, [days[100]])
    assert kept == pytest.approx(0.02, rel=4.5 / math.sqrt(2 * len(days)))
    assert ordinary_flow_sd(days, coins, []) > 0.04
    without = np.delete(np.arange(len(days)), 100)
    assert ordinary_flow_sd(days[without], coins[without], []) < 0.025  # the fall lies in a gap of two days

"""The competitors are what they say: laws against closed forms and brute force, on made-up prices."""

import math

import numpy as np
import pytest

from jaxrisk.backtest.events import competitors
from jaxrisk.backtest.events.competitors import (
    GarchT,
    Regression,
    bootstrap_paths,
    fit_garch,
    fit_regression,
    garch_paths,
    of_paths,
)
from jaxrisk.backtest.events.event import read_event

from .conftest import START, write_bars

STEADY = GarchT(0.0, 0.0, 1.0, 4.0, 1e-4, 1000, True)  # the same variance every hour


@pytest.fixture
def event(folder):
    return read_event(folder / "event.toml", folder)


def test_an_hours_return_is_the_students_t_that_was_fitted(event):
    """40,000 paths, 2 hours: variance within 4 standard errors, and the share beyond 4 deviations that of t4 (false failures 1 in
    5,000); a normal has a fifteenth of it."""
    from scipy import stats

    paths = garch_paths(STEADY, event, np.zeros(1), 2, 40_000, 1)
    assert paths.shape == (40_000, 25)
    hours = np.diff(paths[:, ::12], axis=1).ravel() / 1e-2
    law = stats.t(4.0, scale=math.sqrt(0.5))
    beyond = np.mean(np.abs(hours) > 4.0)
    expected = 2.0 * law.sf(4.0)
    assert abs(beyond - expected) < 4 * math.sqrt(expected / len(hours))
    assert beyond > 10 * 2.0 * stats.norm.sf(4.0)
    assert stats.kstest(hours, law.cdf).pvalue > 1e-3


def test_what_was_given_updates_the_hours_variance_as_bayes_would(event):
    """The rest of the first hour against brute force: 400,000 mixing draws weighted by the likelihood of the moves given."""
    given = np.concatenate([[0.0], np.cumsum([-0.01, -0.012, 0.004, -0.008, -0.011, -0.01])])
    paths = garch_paths(STEADY, event, given, 1, 100_000, 2)
    assert np.array_equal(paths[0, :7], given)
    rest = paths[:, 12] - paths[:, 6]
    draws = 1e-4 * 2.0 / np.random.default_rng(3).chisquare(4.0, 400_000) / 12.0  # variance of five minutes
    moves = np.diff(given)
    weights = np.exp(-3.0 * np.log(draws) - 0.5 * np.sum(moves**2) / draws)
    expected = 6.0 * np.sum(weights * draws) / np.sum(weights)
    assert np.var(rest) == pytest.approx(expected, rel=0.05)
    assert expected > 3.0 * 6.0 * 1e-4 / 12.0  # and not what it was before


def test_a_violent_beginning_makes_later_hours_more_violent(event):
    law = GarchT(1e-6, 0.1, 0.88, 4.0, 5e-5, 1000, True)
    calm, wild = (garch_paths(law, event, np.array([0.0, *([0.0] * 5), -x]), 3, 20_000, 4) for x in (0.0, 0.08))
    later = lambda paths: np.var(paths[:, 36] - paths[:, 12])
    assert later(wild) > 2.0 * later(calm)


def test_garch_recovers_the_law_of_made_up_hours(folder):
    """13,000 hours of a known GARCH-t: parameters within 5 standard errors of the literature's size (seed fixed)."""
    random, hours = np.random.default_rng(5), 13_000
    omega, alpha, beta, freedom = 1e-6, 0.08, 0.90, 5.0
    variance, returns = omega / (1.0 - alpha - beta), np.empty(hours)
    for t in range(hours):
        returns[t] = math.sqrt(variance * (freedom - 2.0) / freedom) * random.standard_t(freedom)
        variance = omega + alpha * returns[t] ** 2 + beta * variance
    write_bars(folder / "hourly.csv", START - np.timedelta64(hours, "h"), 3600, 100.0 * np.exp(np.cumsum(returns)))
    law = fit_garch(read_event(folder / "event.toml", folder))
    assert law.converged
    assert law.hours == hours - 1
    assert law.alpha == pytest.approx(alpha, abs=0.03)
    assert law.beta == pytest.approx(beta, abs=0.04)
    assert law.degrees_of_freedom == pytest.approx(freedom, abs=0.8)
    assert law.variance == pytest.approx(variance, rel=0.25)


def test_bootstrap_has_the_variance_of_the_hours_and_keeps_what_was_given(event):
    """20,000 paths of a day: variance of the year's hours within 5% (overlapping blocks; standard error about 1%)."""
    paths = bootstrap_paths(event, np.zeros(1), 24, 20_000, 6)
    returns = event.history.returns()
    assert np.var(paths[:, -1]) == pytest.approx(24.0 * np.nanvar(returns), rel=0.15)
    given = np.array([0.0, -0.01, -0.03, -0.02, -0.05, -0.04, -0.06])
    after = bootstrap_paths(event, given, 24, 100, 6)
    assert np.array_equal(after[:, :7], np.tile(given, (100, 1)))
    assert after.shape == (100, 24 * 12 + 1)


def test_drawdown_and_rebound_of_paths(event):
    path = np.log(np.concatenate([[100.0], np.linspace(100, 120, 12), np.linspace(120, 90, 228), np.linspace(90, 99, 336)]))
    found = of_paths(path[None], event)
    assert found.drawdown == pytest.approx([0.25])
    assert found.rebound[0] == pytest.approx(99.0 / 90.0 - 1.0, abs=0.02)
    # a low after the horizon is none
    late = np.log(np.concatenate([np.full(289, 100.0), np.full(288, 50.0)]))
    assert of_paths(late[None], event).drawdown == pytest.approx([0.0])


class Seen:
    """An event as far as the regression looks."""

    def __init__(self, name, drawdown, loss):
        self.name, self.found = name, (drawdown, loss)

    def observed(self):
        from types import SimpleNamespace

        return SimpleNamespace(drawdown=self.found[0], open_interest_loss=self.found[1])


def test_regression_is_least_squares_on_events_that_have_a_loss():
    x, y = np.array([0.05, 0.1, 0.2, 0.3]), np.array([0.02, 0.12, 0.15, 0.26])
    law = fit_regression([*(Seen(f"{i}", a, b) for i, (a, b) in enumerate(zip(x, y, strict=True))), Seen("none", 0.1, None)])
    slope, intercept = np.polyfit(x, y, 1)
    assert (law.slope, law.intercept) == pytest.approx((slope, intercept))
    assert law.names == ("0", "1", "2", "3")
    assert np.sum(law.residuals**2) / 4 == pytest.approx(np.sum((y - intercept - slope * x) ** 2) / 2)
    draws = law.samples(np.full(10_000, 0.15), 7)
    assert set(np.round(draws - intercept - 0.15 * slope, 9)) == set(np.round(law.residuals, 9))
    with pytest.raises(ValueError, match="at least 3 events"):
        fit_regression([Seen("a", 0.1, 0.1), Seen("b", 0.2, 0.2)])


def test_regression_refuses_an_event_it_was_fitted_on(event):
    law = Regression(0.0, 1.0, np.zeros(3), ("made up",))
    with pytest.raises(ValueError, match="was fitted on made up"):
        competitors.regression(law, event)


def test_kind_has_to_be_known(event):
    with pytest.raises(ValueError, match="has to be"):
        competitors.bootstrap(event, "sometimes")

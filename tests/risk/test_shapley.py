"""Shapley's shares: those of all orders, sampled ones, and their errors."""

import itertools

import numpy as np
import pytest

from jaxrisk.risk.measure import Measure
from jaxrisk.risk.paired import Column
from jaxrisk.risk.shapley import plan, shapley

MEAN = Measure("x", "mean")


def worth(coalition: int) -> float:
    """Three parts of which the second is worth something with the first alone, and the third nothing."""
    return 2.0 * (coalition & 1) + 1.0 * ((coalition & 3) == 3) + 5.0


def columns(needed, noise, value=worth):
    return [Column.of(value(c) * noise, MEAN) for c in needed.coalitions]


def test_shares_are_the_mean_over_all_orders():
    needed, expected = plan(4), np.zeros(4)
    value = lambda c: float(np.random.default_rng(c).normal()) * (c > 0)
    orders = list(itertools.permutations(range(4)))
    for order in orders:
        coalition = 0
        for part in order:
            expected[part] += value(coalition | 1 << part) - value(coalition)
            coalition |= 1 << part
    noise = np.ones(10)
    found = shapley(needed, columns(needed, noise, value), 0, len(needed.coalitions) - 1)
    np.testing.assert_allclose([one.value for one in found.shares], expected / len(orders), atol=1e-12)


def test_shares_add_up_and_a_part_that_does_nothing_has_none():
    needed = plan(3)
    found = shapley(needed, columns(needed, np.random.default_rng(1).exponential(size=500)), 0, 7)
    assert sum(one.value for one in found.shares) == pytest.approx(found.total.value, abs=1e-12)
    assert sum(one.fraction for one in found.shares) == pytest.approx(1.0)
    assert found.shares[2].value == pytest.approx(0.0, abs=1e-12)
    assert found.shares[2].standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.shares[0].fraction == pytest.approx(2.5 / 3.0)
    # all runs are a number times the same noise: the fraction is known without error
    assert found.shares[0].fraction_error == pytest.approx(0.0, abs=1e-12)


def test_coalitions_with_one_result_are_run_once():
    needed = plan(3, same=lambda c: c if c & 1 else 0)
    assert needed.coalitions == (0, 1, 3, 5, 7)
    value = lambda c: 0.0 if not c & 1 else float(c)
    found = shapley(needed, columns(needed, np.ones(4), value), 0, 4)
    assert sum(one.value for one in found.shares) == pytest.approx(7.0)


def test_the_errors_of_a_total_are_no_less_sure_than_those_of_its_parts_and_know_of_the_whole():
    """A quantile moves by whole paths: the total has that resolution too. A total over all that are one number times the same
    noise is known without error, however uncertain both are."""
    needed, noise = plan(2), np.random.default_rng(5).exponential(size=400)
    quantile = Measure("x", "quantile", 0.99)
    runs = [Column.of((1.0 + 0.2 * c) * noise, quantile) for c in needed.coalitions]
    found = shapley(needed, runs, 0, 3)
    resolved = np.hypot(runs[0].resolution, runs[3].resolution)
    assert resolved > 0.0
    assert np.isnan(found.total.standard_error) or found.total.standard_error >= resolved
    found = shapley(needed, columns(needed, noise, lambda c: 1.0 + c), 0, 3)
    assert found.of_all[0] == pytest.approx(0.75)
    assert found.of_all[1] == pytest.approx(0.0, abs=1e-12)
    assert found.total.standard_error > 0.01


def test_errors_cover_the_true_shares_and_sampled_orders_too():
    """Intervals of 95% on 400 sets of paths hold the truth as often as they say, each of two shares by itself: 380 of 400, a
    standard deviation of 4.4. Fewer than 360 or more than 397 happen once in 70,000 times, for either share: a right
    one fails once in 35,000. Sampled orders of seven parts add up, and lie within four of their errors of all orders."""
    random, needed, held = np.random.default_rng(3), plan(2), []
    for _ in range(400):
        common, other = random.exponential(size=400), random.exponential(size=400)
        runs = [Column.of(x, MEAN) for x in (common, 1.5 * common, common + 0.3 * other, 1.5 * common + 0.7 * other)]
        shares = shapley(needed, runs, 0, 3).shares
        held.append(
            [abs(share.value - truth) <= 1.96 * share.standard_error for share, truth in zip(shares, (0.7, 0.5), strict=True)]
        )
    for count in np.sum(held, axis=0):
        assert 360 <= count <= 397

    value = lambda c: float(c.bit_count() ** 2 + 3.0 * ((c & 5) == 5))
    exact, some = plan(7, exact=7), plan(7, exact=6, orders=64, seed=1)
    truth = shapley(exact, columns(exact, np.ones(8), value), 0, 127)
    found = shapley(some, columns(some, np.ones(8), value), some.coalitions.index(0), some.coalitions.index(127))
    assert found.orders == 64
    assert sum(one.value for one in found.shares) == pytest.approx(truth.total.value)
    for one, right in zip(found.shares, truth.shares, strict=True):
        assert abs(one.value - right.value) <= 4.0 * max(one.standard_error, 1e-9)

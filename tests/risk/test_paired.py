"""Differences on the same random numbers: intervals that cover, probabilities of a ranking that come true."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from jaxrisk.report.sweep_table import _change
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.paired import Column, paired, ranking

MEASURES = {
    "mean": (Measure("x", "mean"), 1000),
    "expected shortfall": (Measure("x", "expected_shortfall", 0.9), 4000),
    "probability": (Measure("x", "exceedance_probability", 1.5), 1000),
    "quantile": (Measure("x", "quantile", 0.9), 4000),
}
REPLICATIONS = 1000


def runs(random, paths):
    """Losses of two runs on the same paths: the second a tenth larger, and a little moved by something of its own."""
    first = random.exponential(size=paths)
    return first, 1.1 * first + 0.05 * random.standard_normal(paths)


@pytest.mark.slow
@pytest.mark.parametrize("which", MEASURES)
def test_paired_intervals_cover_and_are_narrower(which):
    """95% intervals cover the true difference in 92.5 to 98% of those of 1,000 replications in which there is one: of a right
    interval below that by chance with probability 3e-4. That of a quantile is wider, by what one path more would change."""
    measure, paths = MEASURES[which]
    random = np.random.default_rng(11)
    first, second = runs(np.random.default_rng(1), 4_000_000)
    truth = Column.of(second, measure).value - Column.of(first, measure).value
    hits, gains = [], []
    for _ in range(REPLICATIONS):
        one, other = (Column.of(losses, measure) for losses in runs(random, paths))
        change = paired(one, other)
        if not math.isnan(change.standard_error):
            hits.append(change.low <= truth <= change.high)
            gains.append(change.independent_error / change.standard_error)
    assert len(hits) > 0.9 * REPLICATIONS
    assert 0.925 <= np.mean(hits) <= (1.0 if measure.statistic == "quantile" else 0.98)
    assert np.median(gains) > 2.0


def test_a_run_against_itself_differs_on_no_path_and_says_on_how_many_it_might():
    losses = np.random.default_rng(1).exponential(size=1000)
    change = paired(*(Column.of(losses, Measure("x", "mean")) for _ in range(2)))
    assert (change.value, change.differing) == (0.0, 0)
    assert math.isnan(change.standard_error)
    # Clopper and Pearson's bound of a count of none: 1 - 0.025^(1/n)
    assert change.at_most == pytest.approx(1.0 - 0.025 ** (1.0 / 1000), rel=1e-9)


def test_a_difference_on_few_paths_has_no_interval():
    losses = np.random.default_rng(1).exponential(size=1000)
    other = losses.copy()
    other[[3, 5, 7]] += 100.0
    change = paired(*(Column.of(x, Measure("x", "mean")) for x in (losses, other)))
    assert change.value == pytest.approx(0.3)
    assert change.differing == 3
    assert math.isnan(change.standard_error)


def test_a_quantile_that_every_path_has_moved_alike_is_a_change_with_an_error_and_is_shown():
    """What each path adds to it is the same in both runs, and the quantile is not: by 1, as far as one path more can tell."""
    losses = np.floor(1000.0 * np.random.default_rng(1).random(4000)) / 1024.0  # sums with 1 are exact
    change = paired(*(Column.of(losses + shift, Measure("x", "quantile", 0.9)) for shift in (0.0, 1.0)))
    assert (change.value, change.differing) == (1.0, 0)
    assert 0.0 < change.standard_error < 0.01
    assert _change(change, 1.0)[0].startswith("1.00")
    nothing = paired(*(Column.of(losses, Measure("x", "quantile", 0.9)) for _ in range(2)))
    assert _change(nothing, 1.0)[0] == "0"
    assert _change(nothing, 1.0)[2].endswith("differ in this measure")


def test_a_weighted_mean_is_that_of_the_values_and_of_the_paths():
    first, second = runs(np.random.default_rng(3), 500)
    columns = [Column.of(x, Measure("x", "mean")) for x in (first, second)]
    whole = Column.weighted(columns, [0.3, 0.7])
    mixed = 0.3 * first + 0.7 * second
    assert whole.value == pytest.approx(mixed.mean())
    assert whole.error == pytest.approx(mixed.std() / math.sqrt(500))


@pytest.mark.slow
def test_probabilities_of_the_best_come_true():
    """Three runs whose true order is drawn anew each time, from so wide a prior that it tells nothing: of what is called the best
    with probability p a share p is. Within four standard deviations, of 500 draws (6e-5 by chance); an error of twice the
    size, as that of unpaired runs would be and more, is eight away."""
    random = np.random.default_rng(8)
    hits, claimed = [], []
    for _ in range(500):
        shift = 0.05 * random.standard_normal(3)
        base = random.exponential(size=400)
        losses = base + shift[:, None] + 0.3 * random.standard_normal((3, 400))
        found = ranking(losses.mean(axis=1), losses)
        assert found.best.sum() == pytest.approx(1.0)
        hits.append(found.order[0] == np.argmin(shift))
        claimed.append(found.best[0])
    claimed = np.array(claimed)
    assert abs(np.mean(hits) - claimed.mean()) < 4.0 * math.sqrt(np.mean(claimed * (1.0 - claimed)) / 500)
    assert 0.7 < claimed.mean() < 0.95


def test_neighbours_are_compared_in_closed_form_and_ties_are_shared():
    random = np.random.default_rng(2)
    first = random.exponential(size=300)
    second = first + 0.02 * random.standard_normal(300)
    found = ranking(np.array([first.mean(), second.mean(), first.mean() + 1.0]), np.stack([first, second, first + 1.0]))
    low, high = sorted([0, 1], key=lambda k: (first, second)[k].mean())
    assert found.order.tolist() == [low, high, 2]
    apart = abs(first.mean() - second.mean()) / ((first - second).std() / math.sqrt(300))
    assert found.before_next[0] == pytest.approx(ndtr(apart))
    assert math.isnan(found.before_next[2])
    same = ranking(np.array([1.0, 1.0]), np.stack([first, first]))
    assert same.best.tolist() == [0.5, 0.5]
    assert same.before_next[0] == 0.5


def test_nothing_is_said_of_an_order_that_hangs_on_few_paths():
    """One path in a thousand moves the second run beyond the first: the normal approximation would call that 84% sure. The third
    is a thousand times further, on every path: where it stands is known, and not which of the first two is the best."""
    losses = np.random.default_rng(1).exponential(size=1000)
    other = losses.copy()
    other[7] += 100.0
    third = losses + 100.0 + 0.1 * np.random.default_rng(2).standard_normal(1000)
    found = ranking(np.array([losses.mean(), other.mean(), third.mean()]), np.stack([losses, other, third]))
    assert found.order.tolist() == [0, 1, 2]
    assert np.isnan(found.best).tolist() == [True, True, False]
    assert found.best[2] == 0.0
    assert np.isnan(found.before_next).tolist() == [True, False, True]
    assert math.isnan(found.whole)
    assert paired(*(Column.of(x, Measure("x", "mean")) for x in (losses, other))).effective == pytest.approx(1.0, abs=0.01)

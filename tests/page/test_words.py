"""What a number may be called: rules of the findings, each on both sides of its edge."""

import math

import numpy as np
import pytest

from jaxrisk.page.words import APART, FEW, NONE, SAME, Size, changes_in_words, percent, probability_in_words, verdict
from jaxrisk.risk import exceedance_probability
from jaxrisk.risk.paired import Difference

ACCOUNTS = Size.of("accounts", 100.0)


def change(value, low, high, differing=500, error=1.0):
    return Difference(value, error, low, high, 2.0, differing, 0.6)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (change(-3.0, -5.0, -0.1), APART),
        (change(3.0, 0.1, 5.0), APART),
        (change(-3.0, -6.0, 0.0), SAME),
        (change(3.0, 0.0, 6.0), SAME),
        (change(-3.0, -6.0, 0.1), SAME),
        (change(-9.0, math.nan, math.nan, 16, math.nan), FEW),
        (change(0.0, math.nan, math.nan, 16, math.nan), FEW),
        (change(0.0, math.nan, math.nan, 0, math.nan), NONE),
    ],
)
def test_a_change_is_told_apart_only_where_its_interval_leaves_out_none(one, expected):
    assert verdict(one) == expected
    finding, *more = changes_in_words("a", "b", [("losses", one, ACCOUNTS)])
    assert (finding.verdict, more) == (expected, [])
    said = "lower" in finding.text or "higher" in finding.text
    assert said == (expected == APART)


def test_a_change_that_is_not_known_is_not_told_as_a_number():
    finding = changes_in_words("a", "b", [("losses", change(-9.123, math.nan, math.nan, 16, math.nan), ACCOUNTS)])[0]
    assert "9" not in finding.text
    assert "too few" in finding.text or "so few" in finding.text


def test_every_figure_has_its_interval():
    told = changes_in_words(
        "a", "b", [("losses", change(-3.0, -5.0, -1.0), ACCOUNTS), ("falls", change(2.0, 1.0, 3.0), ACCOUNTS)]
    )
    assert [one.text.count("95% interval") for one in told] == [1, 1]
    assert "lower" in told[0].text
    assert "higher" in told[1].text


@pytest.mark.parametrize("seen", [1, 3, 9])
def test_a_probability_from_few_paths_is_told_with_its_count(seen):
    values = np.zeros(2000)
    values[:seen] = 1.0
    words = probability_in_words(exceedance_probability(values, 0.5), 2000)
    assert f"{seen} of 2,000" in words
    assert "95% interval" in words


def test_a_probability_from_many_is_told_by_its_interval():
    values = np.zeros(2000)
    values[:60] = 1.0
    words = probability_in_words(exceedance_probability(values, 0.5), 2000)
    assert words.startswith("3.0% of paths (95% interval 2.3% to 3.8%")


def test_what_no_path_shows_is_not_called_impossible_nor_what_all_show_certain():
    none = probability_in_words(exceedance_probability(np.zeros(1000), 0.5), 1000)
    every = probability_in_words(exceedance_probability(np.ones(1000), 0.5), 1000)
    assert "at most 0.37%" in none
    assert "at least 99.63%" in every
    assert percent(0.9999996) != "100%"

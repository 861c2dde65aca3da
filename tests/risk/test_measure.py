"""A measure from its text: everything that is wrong with it is said at once."""

import math

import pytest

from jaxrisk.risk.measure import Measure


@pytest.mark.parametrize(("text", "wrong"), [
    ("expcted_shortfall(max_drawdwn_index, 1.5)", ["did you mean", "level 1.5 has to lie strictly", "no observable"]),
    ("expected_shortfall(max_drawdwn_index, x)", ['level "x" is not a number', "no observable"]),
    ("quantile(max_drawdown_index, 2)", ["level 2 has to lie strictly"]),
    ("exceedance_probability(nothing)", ["exceedance_probability needs a level", "no observable 'nothing'"]),
])  # fmt: skip
def test_all_that_is_wrong_is_said(text, wrong):
    with pytest.raises(ValueError, match="measure") as raised:
        Measure.of(text)
    lines = str(raised.value).splitlines()
    assert len(lines) == len(wrong)
    for line, words in zip(lines, wrong, strict=True):
        assert line.startswith(f'measure "{text}": ')
        assert words in line


def test_a_probability_of_more_than_a_million_is_a_measure_and_a_mean_has_no_level():
    assert Measure.of("exceedance_probability(open_interest_loss_usd, 1e6)").level == 1e6
    assert math.isnan(Measure.of("mean(max_drawdown_index, 0.5)").level)


def test_what_is_never_negative():
    never = lambda text, book="ladder": Measure.of(text).never_negative(book)
    assert never("mean(open_interest_loss_usd)")
    assert not never("mean(open_interest_loss_usd)", "flow")
    assert not never("quantile(log_return[BTC], 0.9)")
    assert never("exceedance_probability(log_return[BTC], -0.1)")

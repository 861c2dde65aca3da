"""Measures of losses that are read part by part: order statistics to the bit, the rest to rounding, with the same errors."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from jaxrisk.risk import stream as module, tail
from jaxrisk.risk.difference import difference
from jaxrisk.risk.replicates import by_replicates
from jaxrisk.risk.stream import Stream

RANDOM = np.random.default_rng(3)
SAMPLES = {
    "normal": RANDOM.normal(size=20_000),
    "single precision": RANDOM.lognormal(size=20_000).astype(np.float32),
    "mostly zero": np.maximum(RANDOM.normal(size=20_000) - 2.0, 0.0),
    "few values": RANDOM.integers(-3, 4, 20_000).astype(float),
    "both zeros": np.where(RANDOM.random(20_000) < 0.5, -0.0, 0.0),
    "one value": np.full(20_000, 7.0),
    "wide": RANDOM.normal(size=20_000) * 10.0 ** RANDOM.integers(-300, 300, 20_000),
    "close": 1.0 + RANDOM.integers(0, 2000, 20_000) * 2.0**-52,
}


def cut(values, length=999):
    return Stream(lambda: (values[at : at + length] for at in range(0, len(values), length)), len(values))


@pytest.fixture(params=[module.COLLECTED, 500, 1], ids=["collected at once", "collected late", "never collected"])
def collected(request, monkeypatch):
    monkeypatch.setattr(module, "COLLECTED", request.param)


@pytest.mark.parametrize("name", SAMPLES)
def test_order_statistics_are_those_of_sorting(name, collected):
    values = SAMPLES[name]
    ranks = [0, 1, 17, 9_999, 10_000, 19_000, 19_980, 19_998, 19_999, 17]
    found = cut(values).order_statistics(ranks)
    np.testing.assert_array_equal(found, np.sort(values.astype(np.float64))[ranks])


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60), st.integers(1, 7), st.data())
def test_order_statistics_of_any_numbers(numbers, length, data):
    values = np.array(numbers)
    rank = data.draw(st.integers(0, len(values) - 1))
    assert cut(values, length).order_statistics([rank])[0] == np.sort(values)[rank]


def close(first, second):
    for field, one, other in zip(first._fields, first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12, err_msg=field)


MEASURES = {
    "mean": lambda x: tail.mean(x),
    "quantile": lambda x: tail.quantile(x, [0.5, 0.9, 0.99]),
    "value at risk": lambda x: tail.value_at_risk(x, 0.975, confidence=0.9),
    "expected shortfall": lambda x: tail.expected_shortfall(x, [0.9, 0.99, 0.999]),
    "exceedance probability": lambda x: tail.exceedance_probability(x, [-9.0, 0.0, 0.5, 1.0, 1e9]),
    "one exceedance probability": lambda x: tail.exceedance_probability(x, 0.5),
    "curve": lambda x: tail.exceedance_curve(x),
    "band": lambda x: tail.exceedance_curve(x, simultaneous=True),
    "if positive": lambda x: tail.conditional_mean(x, x > 0.0),
    "replicates": lambda x: by_replicates(lambda v, w: tail.expected_shortfall(v, 0.95, w), x, None, 16),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", ["normal", "single precision", "mostly zero", "few values"])
def test_measures_are_those_in_memory(name, measure):
    values, found = SAMPLES[name].astype(np.float64), MEASURES[measure]
    close(found(cut(values)), found(values))


def test_quantiles_and_their_intervals_are_the_same_bits(collected):
    for level in (0.5, 0.9, 0.99):
        assert tail.quantile(cut(SAMPLES["normal"]), level) == tail.quantile(SAMPLES["normal"], level)


def test_it_says_what_memory_says(monkeypatch):
    for bad, words in (
        (lambda x: tail.expected_shortfall(x, 1.5), "level must lie strictly between 0 and 1"),
        (lambda x: tail.expected_shortfall(x, 0.99999), "rests on fewer than 10 paths"),
        (lambda x: tail.quantile(x, 0.99999), "has no confidence interval inside 20,000 paths"),
        (lambda x: tail.mean(x, confidence=2.0), "confidence must lie"),
    ):
        for losses in (SAMPLES["normal"], cut(SAMPLES["normal"])):
            with pytest.raises(ValueError, match=words):
                bad(losses)
    holed = SAMPLES["normal"].copy()
    holed[[5_000, 12_345]] = np.nan
    for losses in (holed, cut(holed)):
        with pytest.raises(ValueError, match="losses are not finite on 2 of 20000 paths, the first of them path 5000"):
            tail.mean(losses)
    with pytest.raises(ValueError, match="losses are empty"):
        tail.mean(Stream(lambda: iter([]), 0))


def test_memory_is_a_part_and_not_the_whole():
    """Ten parts, made anew each time: at no moment is there as much as all of them."""
    import tracemalloc

    part = np.random.default_rng(1).normal(size=200_000)
    found = Stream(lambda: (part + k for k in range(10)), 2_000_000)
    tail.quantile(SAMPLES["normal"], 0.9)  # what is imported once
    tracemalloc.start()
    tail.quantile(found, 0.99), tail.expected_shortfall(found, 0.99)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    whole = np.concatenate([part + k for k in range(10)])
    assert tail.quantile(found, 0.99) == tail.quantile(whole, 0.99)
    assert peak < whole.nbytes


DIFFERENCES = [("mean", None), ("expected_shortfall", 0.95), ("exceedance_probability", 0.5)]


@pytest.mark.parametrize(("statistic", "level"), DIFFERENCES)
def test_differences_are_paired_and_the_same_from_streams(statistic, level):
    first = SAMPLES["normal"]
    second = first + 0.01 * np.abs(np.random.default_rng(5).normal(size=first.size))
    arguments = [statistic] if level is None else [statistic, level]
    found = difference(first, second, *arguments)
    close(difference(cut(first), cut(second, 777), *arguments), found)
    own = [level] if level is not None else []
    measured = [getattr(tail, statistic)(losses, *own) for losses in (first, second)]
    assert found.value == pytest.approx(measured[1].value - measured[0].value, abs=1e-12)
    assert found.standard_error < 0.3 * measured[0].standard_error


def test_a_difference_that_cannot_be_told_is_refused():
    with pytest.raises(ValueError, match="mean, expected_shortfall, exceedance_probability can be compared"):
        difference([1.0, 2.0], [1.0, 2.0], "quantile", 0.5)
    with pytest.raises(ValueError, match="losses of 2 and of 3 paths"):
        difference([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="expected_shortfall needs a level"):
        difference([1.0, 2.0], [1.0, 2.0], "expected_shortfall")

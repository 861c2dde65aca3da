"""A log variance in a scenario file, and where laws start: what is read, what is refused, and in which words."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from jaxrisk.config import check, load
from jaxrisk.config.tables.start import Start
from jaxrisk.market import Cloud, Factors, Stationary
from jaxrisk.parameter import moved, parameters
from jaxrisk.start_words import start_words

LAW = {
    "process": "log_variance",
    "mean_variance": {"BTC": 0.3, "ETH": 0.5},
    "half_life": ["6h", "3d"],
    "factor_sd": {"BTC": [0.8, 0.6], "ETH": [0.7, 0.5]},
    "leverage_correlation": [-0.3, -0.2],
    "jump_rate": 24,
    "scaled_jump_sd": 1.4,
    "common_jump_probability": 0.5,
    "start": "stationary",
}
HESTON = {"process": "heston", "mean_variance": 0.3, "reversion": 3, "vol_of_variance": 1}


def law(**changes):
    return {key: value for key, value in (LAW | changes).items() if value is not None}


def test_the_law_is_built(folder):
    market = load(folder.scenario(market=law())).market
    np.testing.assert_allclose(market.half_life, np.array([[6, 72]] * 2) / 8760)
    np.testing.assert_allclose(market.factor_sd, [[0.8, 0.6], [0.7, 0.5]])
    np.testing.assert_allclose(market.leverage_correlation, [[-0.3, -0.2]] * 2)
    np.testing.assert_allclose(market.scaled_jump_sd, [1.4, 1.4])
    assert market.max_jumps == 2
    assert isinstance(market.start, Stationary)
    assert market.variance_jump_mean is None
    surges = law(variance_jump_mean=0.4, variance_jump_half_life="4h", variance_jump_rate={"BTC": 50, "ETH": 900})
    more = load(folder.scenario(market=surges)).market
    np.testing.assert_allclose(more.variance_jump_half_life, 4 / 8760)
    assert more.max_jumps > 2
    assert load(folder.scenario(market=law(jump_rate=0))).market.jump_rate is None


def test_starts(folder):
    given = load(folder.scenario(market=law(start=None, variance=0.2))).market
    assert given.start is None
    np.testing.assert_allclose(given.variance, 0.2)
    near = load(folder.scenario(market=law(start={"factors": [0.5, 0.1]}))).market.start
    assert isinstance(near, Factors)
    np.testing.assert_allclose(near.mean, [[0.5, 0.1]] * 2)
    np.testing.assert_allclose(near.sd, 0.0)
    heston = load(folder.scenario(market=HESTON | {"start": "stationary"})).market
    assert isinstance(heston.start, Stationary)
    assert heston.variance is None


@pytest.mark.parametrize("names", [("market.variance", "market.start"), ("market.start", "market.variance")])
def test_an_override_of_one_takes_the_others_place(folder, names):
    values = {"market.variance": 0.2, "market.start": "stationary"}
    other = {names[1].split(".")[1]: values[names[1]]}
    path = folder.scenario(market=law(**{"start": None} | other))
    market = load(path, {names[0]: values[names[0]]}).market
    assert (market.start is None) == (names[0] == "market.variance")


CASES = [
    (law(start=None), "market.variance", "missing; needs a number above 0 (a year; 0.36 is a volatility of 60%), or start", None),
    (HESTON, "market.variance", "or start", None),
    (law(variance=0.2), "market.start", "variance and start are both given", None),
    (law(start="stationry"), "market.start", '"stationary" for a day drawn at random', "stationary"),
    (HESTON | {"start": {"factors": [1.0]}}, "market.start", 'has to be "stationary" for a day drawn at random', None),
    (law(start={"prics": "x.csv"}), "market.start", "filtered from a price file", "prices"),
    (law(start={"prices": {"BTC": "b.csv", "ETH": "e.csv"}}), "market.start.until", "missing; needs a date and time", None),
    (law(start={"prices": "b.csv", "until": "2024-08-05"}), "market.start.prices", "a file of each asset's own prices", None),
    (law(start={"factors": [1.0, 2.0], "sds": [1.0, 1.0]}), "market.start.sds", "the keys here are factors, sd", "sd"),
    (law(start={"factors": [1.0]}), "market.start.factors", "for each of the law's 2 factors", None),
    (law(start={"factors": [1.0, 2.0], "sd": [-1.0, 0.0]}), "market.start.sd.0", "from 0 to 10", None),
    (law(factor_sd=[0.8]), "market.factor_sd", "for each factor, of which half_life has 2", None),
    (law(factor_sd=[0.8, 9.0]), "market.factor_sd.1", "from 0 to 5 (log variance)", None),
    (law(half_life=["6 hours", "3d"]), "market.half_life.0", "a duration", "6h"),
    (law(half_life=["1h"] * 6, factor_sd=[0.1] * 6, leverage_correlation=None), "market.half_life", "at most 5 are", None),
    (law(leverage_correlation=[-0.8, -0.8]), "market.leverage_correlation", "at most 1; it is 1.28", None),
    (law(variance_jump_mean=0.3), "market.variance_jump_half_life", "missing; needs a duration", None),
    (law(variance_jump_mean=1.0, variance_jump_half_life="1h"), "market.variance_jump_mean", "below 1", None),
    (law(variance_jump_half_life="1h"), "market.variance_jump_half_life", "goes with variance_jump_mean", None),
    (law(variance_jump_mean=0.3, variance_jump_half_life="1h", jump_rate=0), "market.variance_jump_rate", "their own", None),
    (law(jump_rate=None, variance_jump_rate=1), "market.variance_jump_rate", "goes with variance_jump_mean", None),
    (law(volatility=0.5), "market.volatility", "unknown key in process log_variance", None),
]  # fmt: skip


@pytest.mark.parametrize(("market", "key", "allowed", "near"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_refused(folder, market, key, allowed, near):
    problems = folder.problems(market=market)
    found = [problem for problem in problems if problem.key == key]
    assert found, problems
    assert allowed in found[0].allowed
    assert near is None or found[0].nearest == near


def bars(folder, name, count=300, size=0.02, gap=()):
    random = np.random.default_rng(len(name))
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, size, count)))
    start = np.datetime64("2024-07-20T00:00")
    lines = [f"{start + np.timedelta64(i, 'h')}Z,{price:.6f}" for i, price in enumerate(close) if i not in gap]
    return folder.file(name, "time,close\n" + "\n".join(lines) + "\n")


def test_a_state_filtered_from_prices(folder):
    """Calm prices of one asset and wild ones of the other, with missing bars: the clouds tell them apart, and words say so. What
    comes after the moment does not matter."""
    bars(folder, "b.csv", size=0.002)
    bars(folder, "eth.csv", size=0.02, gap=range(100, 110))
    start = {"prices": {"BTC": "b.csv", "ETH": "eth.csv"}, "until": "2024-07-31T12:00:00Z", "particles": 500}
    scenario = load(folder.scenario(market=law(start=start)))
    cloud = scenario.market.start
    assert isinstance(cloud, Cloud)
    assert cloud.states.shape == (500, 2, 2)
    calm, wild = cloud.states.sum(axis=2).mean(axis=0)
    assert calm < -0.8
    assert wild > 0.8
    said = start_words(scenario)
    assert "filtered from prices, BTC " in said
    assert "500 particles, at the least worth" in said
    text = scenario.description.source_text
    assert "b.csv" in text
    assert "eth.csv" in text.split("SHA-256")[1]
    bars(folder, "b.csv", count=277, size=0.002)
    np.testing.assert_array_equal(load(folder.scenario(market=law(start=start))).market.start.states, cloud.states)


@pytest.mark.parametrize(
    ("start", "key", "allowed"),
    [
        ({"until": "2025-01-01"}, "market.start.until", "b.csv has bars from 2024-07-20T00:00:00Z to 2024-08-01T12:00:00Z"),
        ({"until": "2024-07-21"}, "market.start.until", "leaves 23 returns of b.csv; at least 48 are needed"),
        ({"history": "1d"}, "market.start.until", "at least 48 are needed"),
        ({"prices": {"BTC": "b.csv", "ETH": "no.csv"}}, "market.start.prices", "no such file"),
        ({"prices": {"BTC": "b.csv", "ETH": "bad.csv"}}, "line 3, close", "above 0"),
        ({"prices": {"BTC": "b.csv"}}, "market.start.prices.ETH", "missing"),
        ({"particles": 5}, "market.start.particles", "from 100"),
    ],
)
def test_prices_that_cannot_be_used(folder, start, key, allowed):
    bars(folder, "b.csv")
    bars(folder, "e.csv")
    folder.file("bad.csv", "time,close\n2024-07-20T00:00Z,5\n2024-07-20T01:00Z,-5\n2024-07-20T02:00Z,5\n")
    whole = {"prices": {"BTC": "b.csv", "ETH": "e.csv"}, "until": "2024-07-31T12:00:00Z"} | start
    problems = check(folder.scenario(market=law(start=whole)))
    found = [problem for problem in problems if problem.key == key]
    assert found, problems
    assert allowed in found[0].allowed


@pytest.mark.parametrize("factors", ["x", [], {"BTC": "x", "ETH": [0.1, 0.1]}])
def test_factors_that_are_wrong_are_one_problem(folder, factors):
    keys = [problem.key for problem in folder.problems(market=law(start={"factors": factors}))]
    assert keys
    assert not any("sd" in key for key in keys)


def test_a_key_that_is_missing_keeps_no_file_from_being_checked(folder):
    start = {"prices": {"BTC": "no.csv", "ETH": "none.csv"}, "until": "2024-07-31T12:00:00Z"}
    for absent in ("mean_variance", "half_life"):
        problems = folder.problems(market=law(**{"start": start, absent: None}))
        assert [problem.key for problem in problems].count("market.start.prices") == 2
        assert any(problem.key == f"market.{absent}" for problem in problems)


def test_numbers_by_name(folder):
    """Factors are counted from 1; what has no effect is not offered."""
    drawn = load(folder.scenario(market=law()))
    names = {one.name: one for one in parameters(drawn)}
    assert names["market.half_life[ETH,2]"].value == pytest.approx(3 * 86400)
    assert names["market.factor_sd[BTC,1]"].value == 0.8
    assert not names["market.jump_rate[BTC]"].pathwise
    assert not any(name.startswith("market.variance") for name in names)
    later = moved(drawn, ["market.half_life[ETH,2]", "market.volatility[BTC]"], [3600.0, 0.1])
    np.testing.assert_allclose(later.market.half_life[1, 1] * 8760, 73.0)
    np.testing.assert_allclose(later.market.mean_variance, [(0.3**0.5 + 0.1) ** 2, 0.5])
    given = load(folder.scenario(market=law(start=None, variance=0.2)))
    assert any(one.name == "market.variance[BTC]" for one in parameters(given))
    near = load(folder.scenario(market=law(start={"factors": [0.5, 0.1], "sd": [0.1, 0.1]})))
    assert any(one.name == "market.start.sd[ETH,2]" for one in parameters(near))


def test_the_kind_of_a_start_needs_no_assets():
    assert TypeAdapter(Start).validate_python("stationary") == "stationary"

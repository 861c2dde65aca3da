"""Every kind of bad input: the message names the file, the key, the value, what is allowed and the nearest spelling."""

import math
import re

import pytest

from jaxrisk.config import ConfigError, Problem, check, load
from jaxrisk.problems import nearest, written

REMOVED = "removed"  # stands for a key taken out

# changes; key, value as written (None if missing), part of what is allowed, nearest
CASES = [
    # unknown keys
    ({"run.horizn": "24h"}, "run.horizn", '"24h"', "unknown key", "horizon"),
    ({"title_": "x"}, "title_", '"x"', "unknown key", "title"),
    ({"market.volatilty": 0.6}, "market.volatilty", "0.6", "unknown key in process bates", None),
    ({"venues.binance.fee": 0.1}, "venues.binance.fee", "0.1", "unknown key", None),
    ({"populations.pro.medain": 1.0}, "populations.pro.medain", "1.0", "unknown key in kind histogram", None),
    ({"limits.cap": 1.0}, "limits.cap", "1.0", "unknown key", "caps"),
    ({"limits.caps.0.share_downsise": 0.5}, "limits.caps.0.share_downsise", "0.5", "unknown key", "share_downsize"),
    # durations
    ({"run.horizon": "24x"}, "run.horizon", '"24x"', "a unit of ms, s, min, h or d", None),
    ({"run.horizon": "24 hours"}, "run.horizon", '"24 hours"', "a duration", "24h"),
    ({"run.horizon": 24}, "run.horizon", "24", "a duration", None),
    ({"impact.resilience_half_life": 30}, "impact.resilience_half_life", "30", "a duration", None),
    ({"impact.resilience_half_life": "0min"}, "impact.resilience_half_life", '"0min"', "above zero", None),
    ({"venues.binance.engine_time": "-5s"}, "venues.binance.engine_time", '"-5s"', "a duration", None),
    ({"shock.at": "randm"}, "shock.at", '"randm"', 'or "random"', "random"),
    # the time grid
    ({"run.step": "1min"}, "run.steps", "1440", "exactly one", None),
    ({"run.step": "1min", "run.steps": "x"}, "run.steps", '"x"', "exactly one", None),
    ({"run.steps": REMOVED}, "run.step", None, "missing; needs step", None),
    ({"run.steps": REMOVED, "run.step": "7min"}, "run.horizon", '"24h"', "whole multiple of the step, which is 7min", "1442min"),
    ({"run.steps": REMOVED, "run.step": "2d"}, "run.step", '"2d"', "from 1s to 1d", None),
    ({"run.steps": REMOVED, "run.step": "500ms"}, "run.step", '"500ms"', "from 1s to 1d", None),
    ({"run.steps": 86401}, "run.steps", "86401", "from 1s to 1d", None),
    ({"run.steps": 0}, "run.steps", "0", "a whole number from 1", None),
    ({"shock.at": "23h55min"}, "shock.at", '"23h55min"', "a duration", None),
    ({"shock.at": "1435min"}, "shock.at", '"1435min"', "within the horizon, 24h", None),
    ({"shock.window": "25h"}, "shock.window", '"25h"', "within the horizon", None),
    # the wrong type
    ({"run.paths": True}, "run.paths", "true", "a whole number", None),
    ({"run.paths": 10.5}, "run.paths", "10.5", "a whole number", None),
    ({"run.seed": "3"}, "run.seed", '"3"', "a whole number", "3"),
    ({"run.seed": -1}, "run.seed", "-1", "a whole number from 0", None),
    ({"run.seed": 2**63}, "run.seed", str(2**63), "9223372036854775807", None),
    ({"assets.BTC.price": "78000"}, "assets.BTC.price", '"78000"', "a number above 0 (USD a coin)", "78000"),
    ({"assets.BTC.price": False}, "assets.BTC.price", "false", "a number above 0", None),
    ({"assets.BTC.price": math.nan}, "assets.BTC.price", "nan", "finite", None),
    ({"market.variance": math.inf}, "market.variance", "inf", "finite", None),
    ({"market.mean_variance.ETH": math.inf}, "market.mean_variance.ETH", "inf", "finite", None),
    ({"assets.BTC.price": [1.0]}, "assets.BTC.price", "[1.0]", "a number above 0", None),
    ({"assets.BTC.price": 10**400}, "assets.BTC.price", "a whole number of more than 60 digits", "a number above 0", None),
    ({"limits.caps.0.negative_balance_protection": "true"}, "limits.caps.0.negative_balance_protection", '"true"',
     "true or false", "true"),
    ({"title": 5}, "title", "5", "text", None),
    ({"name": "../../etc/x"}, "name", '"../../etc/x"', "a word of letters", None),
    ({"sources": "one"}, "sources", '"one"', "a list of texts", None),
    ({"run": 5}, "run", "5", "a table", None),
    ({"market": [1]}, "market", "[1]", "a table", None),
    ({"assets": []}, "assets", "[]", "[assets.NAME]", None),
    ({"venues.binance": 3}, "venues.binance", "3", "a table", None),
    ({"populations.pro": "x"}, "populations.pro", '"x"', "a table", None),
    ({"limits": "eu"}, "limits", '"eu"', "a table with file or caps", None),
    ({"limits.caps": {"cap": 2}}, "limits.caps", "{cap = 2}", "a list of tables", None),
    # words
    ({"run.precision": "float16"}, "run.precision", '"float16"', 'one of "float32", "float64"', "float64"),
    ({"run.bridge": True}, "run.bridge", "true", 'one of "auto", "on", "off"', None),
    ({"market.process": "heton"}, "market.process", '"heton"', '"merton", "kou", "heston"', "heston"),
    ({"market.process": REMOVED}, "market.process", None, "missing; needs one of", None),
    ({"market.scheme": "qe2"}, "market.scheme", '"qe2"', 'one of "qe", "full_truncation"', "qe"),
    ({"impact.law": "lineer"}, "impact.law", '"lineer"', '"linear", "power", "table"', "linear"),
    ({"populations.pro.kind": "histgram"}, "populations.pro.kind", '"histgram"', '"histogram"', "histogram"),
    ({"populations.pro.side": "lon"}, "populations.pro.side", '"lon"', '"long", "short", "both"', "long"),
    ({"venues.binance.contract": "invers"}, "venues.binance.contract", '"invers"', '"linear", "inverse"', "inverse"),
    # numbers out of range
    ({"limits.caps.0.cap": 0.5}, "limits.caps.0.cap", "0.5", "a number from 1", None),
    ({"limits.caps.0.leakage": 1.5}, "limits.caps.0.leakage", "1.5", "from 0 to 1", None),
    ({"limits.caps.0.share_downsize": -0.1}, "limits.caps.0.share_downsize", "-0.1", "from 0 to 1", None),
    ({"limits.caps.0.notional": [5.0, 1.0]}, "limits.caps.0.notional", "[5.0, 1.0]", "rising", None),
    ({"populations.retail.open_interest": -1.0}, "populations.retail.open_interest", "-1.0", "from 0 to 1e+15 (USD)", None),
    ({"populations.retail.open_interest": 1e30}, "populations.retail.open_interest", "1e+30", "from 0 to 1e+15", None),
    ({"populations.retail.open_interest": 9e14}, "populations.retail.open_interest", "900000000000000.0", "no run", None),
    ({"populations.retail.low": 0.5}, "populations.retail.low", "0.5", "from 1", None),
    ({"populations.retail.low": 200.0}, "populations.retail.low", "200.0", "at most high, which is 125", None),
    ({"assets.BTC.price": 0.0}, "assets.BTC.price", "0.0", "above 0 (USD a coin)", None),
    ({"market.leverage_correlation": -1.2}, "market.leverage_correlation", "-1.2", "from -1 to 1", None),
    ({"market.leverage_correlation": {"BTC": 0, "ETH": 2}}, "market.leverage_correlation.ETH", "2", "from -1 to 1", None),
    ({"market.variance": 0.0}, "market.variance", "0.0", "above 0", None),
    ({"market.common_jump_probability": 1.1}, "market.common_jump_probability", "1.1", "from 0 to 1", None),
    ({"impact.permanent_share": 2}, "impact.permanent_share", "2", "from 0 to 1", None),
    ({"impact.daily_volume": {"BTC": -1.0, "ETH": 1.0}}, "impact.daily_volume.BTC", "-1.0", "above 0 (USD a day)", None),
    ({"channels.feedback": 1.5}, "channels.feedback", "1.5", "from 0 to 1", None),
    ({"depth.floor": 0.0}, "depth.floor", "0.0", "above 0 and at most 1", None),
    ({"venues.binance.closes_opposite": -0.5}, "venues.binance.closes_opposite", "-0.5", "from 0 to 1", None),
    ({"venues.binance.tranches": [0.5, 0.4]}, "venues.binance.tranches", "[0.5, 0.4]", "sum to 1; they sum to 0.9", None),
    ({"venues.binance.tranches": []}, "venues.binance.tranches", "[]", "at least 1", None),
    ({"shock.size": -1.0}, "shock.size", "-1.0", "above -1", None),
    ({"run.support.BTC": 80000.0}, "run.support.BTC", "80000.0", "below the price of BTC at the start, 78000", None),
    ({"populations.pro.share": [0.5, 0.3, 0.1]}, "populations.pro.share", "[0.5, 0.3, 0.1]", "sum to 1; it sums to 0.9", None),
    ({"populations.pro.share": [0.5, 0.5]}, "populations.pro.share", "[0.5, 0.5]",
     "as many entries as leverage, 3; it has 2", None),
    ({"populations.pro.share": [0.5, 0.7, -0.2]}, "populations.pro.share.2", "-0.2", "from 0 to 1", None),
    ({"populations.pro.leverage": [0.5, 2, 3]}, "populations.pro.leverage.0", "0.5", "from 1", None),
    # index weights
    ({"assets.ETH.index_weight": REMOVED}, "assets.ETH.index_weight", None, "for all assets or for none", None),
    ({"assets.ETH.index_weight": 0.4}, "assets.ETH.index_weight", "0.4", "sum to 1; they sum to 1.1", None),
    # correlations
    ({"market.correlation": [[1, 0.5], [0.4, 1]]}, "market.correlation", "[[1, 0.5], [0.4, 1]]",
     "symmetric; BTC/ETH is 0.5", None),
    ({"market.correlation": [[1, 0.5], [0.5, 0.9]]}, "market.correlation", "[[1, 0.5], [0.5, 0.9]]",
     "ones on its diagonal", None),
    ({"market.correlation": [[1, 1.5], [1.5, 1]]}, "market.correlation.0.1", "1.5", "from -1 to 1", None),
    ({"market.correlation": [[1.0, 0.0]]}, "market.correlation", "[[1.0, 0.0]]", "2 rows of 2 numbers", None),
    ({"market.correlation": {"BTC/ETH": 1.0}}, "market.correlation", "{BTC/ETH = 1.0}",
     "positive definite; its smallest eigenvalue is 0", None),
    ({"market.correlation": {"BTC/ETC": 0.5}}, "market.correlation.BTC/ETC", "0.5", "two of the assets (BTC, ETH)", "BTC/ETH"),
    ({"market.correlation": {"BTC/ETH": 0.5, "ETH/BTC": 0.4}}, "market.correlation.ETH/BTC", "0.4", "twice", None),
    ({"impact.cross": {"BTC->ETC": 0.5}}, "impact.cross.BTC->ETC", "0.5", "two of the assets", "BTC->ETH"),
    ({"impact.cross": {"BTC->ETH": 1.5}}, "impact.cross.BTC->ETH", "1.5", "from 0 to 1", None),
    # names
    ({"populations.pro.venue": "coinn"}, "populations.pro.venue", '"coinn"', "which are binance, coinm", "coinm"),
    ({"populations.pro.asset": "ETC"}, "populations.pro.asset", '"ETC"', "which are BTC, ETH", "ETH"),
    ({"market.variance": {"BTC": 1, "ETC": 1, "ETH": 1}}, "market.variance.ETC", "1", "unknown asset", "ETH"),
    ({"market.variance": {"BTC": 1}}, "market.variance.ETH", None, "missing", None),
    ({"limits.caps.0.venue": "binanse"}, "limits.caps.0.venue", '"binanse"', 'or "*" for all', "binance"),
    ({"limits.caps.0.asset": "ETC"}, "limits.caps.0.asset", '"ETC"', "one of the scenario's assets", "ETH"),
    ({"limits.caps.0.class": "retial"}, "limits.caps.0.class", '"retial"', "are retail, professional", "retail"),
    ({"assets.b/c": {"price": 1.0}}, "assets.b/c", "{price = 1.0}", "letters, digits, _ and -", None),
    # nothing there
    ({"populations": {}}, "populations", None, "at least one population", None),
    ({"populations": REMOVED}, "populations", None, "nobody can be liquidated", None),
    ({"market": REMOVED}, "market", None, "missing; needs [market]", None),
    ({"impact": REMOVED}, "impact", None, "missing; needs [impact]", None),
    ({"limits.caps.0.cap": REMOVED}, "limits.caps.0.cap", None, "missing; needs a number from 1", None),
    ({"populations.pro.share": REMOVED}, "populations.pro.share", None, "missing; needs leverage and share, or file", None),
    # other processes
    ({"market": {"process": "gbm", "volatility": 0.0}}, "market.volatility", "0.0", "above 0", None),
    ({"market": {"process": "gbm", "volatility": -0.5}}, "market.volatility", "-0.5", "0.6 is 60%", None),
    ({"market": {"process": "gbm", "volatility": 60}}, "market.volatility", "60", "at most 20", None),
    ({"market": {"process": "gbm", "volatilty": 0.5}}, "market.volatilty", "0.5", "unknown key", "volatility"),
]  # fmt: skip

KOU = {"process": "kou", "volatility": 0.5, "jump_rate": 10, "up_probability": 0.4, "up_rate": 10, "down_rate": 5}
GARCH = {"process": "garch", "variance": 0.3, "mean_variance": 0.3, "alpha": 0.1, "beta": 0.85, "degrees_of_freedom": 4,
         "reference_step": "1h"}  # fmt: skip
LINEAR = {"law": "linear", "depth": 2e9, "resilience_half_life": "30min"}
PASSING = {"coefficient": 0.1, "half_life": "3min"}
TABLE = {"law": "table", "volume": [0, 1e8], "move": [0, 0.01], "resilience_half_life": "30min"}
CASES += [
    ({"market": KOU | {"up_rate": 1.0}}, "market.up_rate", "1.0", "above 1", None),
    ({"market": KOU | {"up_probability": 1.4}}, "market.up_probability", "1.4", "from 0 to 1", None),
    ({"market": GARCH | {"degrees_of_freedom": 2}}, "market.degrees_of_freedom", "2", "above 2", None),
    ({"market": GARCH | {"beta": 0.95}}, "market.beta", "0.95", "alpha + beta has to be below 1", None),
    ({"market": GARCH | {"beta": {"BTC": 0.5, "ETH": 0.9}}}, "market.beta.ETH", "0.9", "it is 1", None),
    ({"impact": LINEAR | {"depth": 0}}, "impact.depth", "0", "USD per unit of log price", None),
    ({"impact": TABLE | {"volume": [1e8, 1e8]}}, "impact.volume", "100000000.0", "has to rise", None),
    ({"impact": TABLE | {"move": [0.02, 0.01]}}, "impact.move", "0.01", "must not fall", None),
    ({"impact": TABLE | {"move": [0.0, 0.01, 0.02]}}, "impact.move", "[0.0, 0.01, 0.02]", "as many entries as volume, 2", None),
    ({"impact": {"law": "table", "resilience_half_life": "1h"}}, "impact.volume", None, "needs volume and move, or file", None),
    ({"temporary_impact": PASSING | {"coefficient": -1.0}}, "temporary_impact.coefficient", "-1.0", "from 0", None),
    ({"temporary_impact": PASSING | {"exponent": 1.5}}, "temporary_impact.exponent", "1.5", "above 0 and at most 1", None),
    ({"temporary_impact": PASSING | {"half_lif": "1min"}}, "temporary_impact.half_lif", '"1min"', "unknown key", "half_life"),
    ({"temporary_impact": {"coefficient": 0.1}}, "temporary_impact.half_life", None, "missing", None),
    ({"impact": LINEAR, "temporary_impact": PASSING}, "temporary_impact.daily_volume", None, "from a power law", None),
]


def normalised(folder, changes):
    return {key: folder.MISSING if value is REMOVED else value for key, value in changes.items()}


def test_the_valid_scenario_has_no_problems(folder):
    assert folder.problems() == []


@pytest.mark.parametrize(
    ("changes", "key", "value", "allowed", "near"), CASES, ids=lambda item: item if isinstance(item, str) else ""
)
def test_a_problem_is_named(folder, changes, key, value, allowed, near):
    problems = folder.problems(**normalised(folder, changes))
    found = [problem for problem in problems if problem.key == key]
    assert found, [str(problem) for problem in problems]
    problem = next(problem for problem in found if allowed in problem.allowed)
    assert problem.value == value
    assert problem.nearest == near
    assert problem.file == str(folder.path / "scenario.toml")
    line = str(problem)
    assert "\n" not in line
    assert line.startswith(f"{problem.file}: {key}" + ("" if value is None else f" = {value}") + ": ")
    assert ("did you mean" in line) == (near is not None)


@pytest.mark.parametrize(("changes", "key"), [(case[0], case[1]) for case in CASES if len(case[0]) == 1])
def test_one_mistake_makes_few_problems(folder, changes, key):
    """A mistake is not reported again by everything that depends on it."""
    section = next(iter(changes)).split(".")[0]
    problems = folder.problems(**normalised(folder, changes))
    if len(next(iter(changes)).split(".")) > 1 and section not in ("market", "assets"):
        assert len(problems) <= 2, [str(problem) for problem in problems]


def test_all_problems_at_once(folder):
    """Eight mistakes in seven sections and two files: all are listed."""
    folder.file("limits.toml", '[[caps]]\nclass = "retail"\ncap = 0.1\nshare_downsize = 2\n')
    problems = folder.problems(
        **{
            "run.horizon": "24x",
            "run.paths": "many",
            "assets.BTC.price": -1.0,
            "market.correlation": [[1, 2], [2, 1]],
            "impact.permanent_share": 7,
            "venues.binance.tranches": [0.4],
            "populations.pro.share": [0.1, 0.1, 0.1],
            "limits": {"file": "limits.toml"},
        }
    )
    keys = {problem.key for problem in problems}
    wanted = {"run.horizon", "run.paths", "assets.BTC.price", "market.correlation.0.1", "impact.permanent_share",
              "venues.binance.tranches", "populations.pro.share", "caps.0.cap", "caps.0.share_downsize"}  # fmt: skip
    assert wanted <= keys
    assert {problem.file.rsplit("/", 1)[-1] for problem in problems} == {"scenario.toml", "limits.toml"}


def test_problems_of_one_table_do_not_hide_each_other(folder):
    """A key in error does not keep the others from being checked against each other."""
    problems = folder.problems(**{"run.steps": folder.MISSING, "run.step": "7min", "run.seed": "one"})
    assert {problem.key for problem in problems} == {"run.seed", "run.horizon"}


def test_too_many_jumps_a_step(folder):
    problems = folder.problems(**{"run.steps": 24, "market.jump_rate": {"BTC": 1.0, "ETH": 5e4}})
    assert [problem.key for problem in problems] == ["market.jump_rate.ETH"]
    assert "5.71 jumps a step of 1h" in problems[0].allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run]\nhorizon 24h\n", "not valid TOML.*line 2"),
        ("[run]\nhorizon = '24h'\nhorizon = '1h'\n", "not valid TOML.*line 3"),
        (b"name = '\xff'\n", "line 1 is not UTF-8"),
        (b"[run]\nx = 1\n\xfe\xfe", "line 3 is not UTF-8"),
        ("x = [" * 5000, "not valid TOML"),
        (f"x = {'9' * 5000}", "not valid TOML"),
        (b"a\x00b", "not valid TOML"),
    ],
)
def test_files_that_are_not_toml(folder, text, words):
    problems = check(folder.file("bad.toml", text))
    assert len(problems) == 1
    assert problems[0].file == str(folder.path / "bad.toml")
    assert re.search(words, str(problems[0]), re.DOTALL)


def test_an_empty_file_says_what_is_needed(folder):
    problems = check(folder.file("empty.toml", ""))
    assert {problem.key for problem in problems} == {"run", "assets", "market", "impact", "venues", "populations"}
    assert all(problem.value is None and problem.allowed.startswith("missing") for problem in problems)


def test_a_byte_order_mark_is_harmless(folder):
    assert check(folder.file("bom.toml", b"\xef\xbb\xbf" + folder.VALID.encode())) == []


def test_a_missing_file_says_what_was_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "btc.toml").write_text("")
    [problem] = check("btx.toml")
    assert problem.file == "btx.toml"
    assert "tried btx.toml" in problem.allowed
    assert problem.nearest == "btc.toml"
    [problem] = check("btc_24")
    assert "the shipped scenarios" in problem.allowed
    assert problem.nearest == "btc_24h"


def test_a_folder_is_not_a_file(tmp_path):
    [problem] = check(tmp_path)
    assert "is a folder" in problem.allowed


def test_a_name_too_long_for_a_file(tmp_path):
    [problem] = check("x" * 5000)
    assert "no such file" in problem.allowed
    [problem] = check("a\0b")
    assert "no such file" in problem.allowed


def test_the_error_has_a_line_for_each_problem(folder):
    path = folder.scenario(**{"run.paths": 0, "run.seed": -1})
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [str(problem) for problem in check(path)]
    assert len(caught.value.problems) == 2


def test_nearest():
    assert nearest("Volatility", ["volatility", "drift"]) == "volatility"
    assert nearest("xyz", ["volatility", "drift"]) is None
    assert nearest(5, ["volatility"]) is None


def test_written_values_are_short():
    assert written("x" * 200).endswith("...")
    assert len(written(list(range(500)))) <= 60
    assert written({"a": True}) == "{a = true}"


def test_a_number_is_suggested_without_quotes():
    assert str(Problem("f", "k", '"3"', "a number", "3")).endswith("(did you mean 3?)")


ONE_VENUE = {"venues.coinm": REMOVED, "populations.pro.venue": "binance"}


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, ["venues.binance.local_depth"]),
        ({"venues.binance.local_depth": 1e9, "venues.binance.index_weight": 0.5},
         ["venues.binance.local_depth", "venues.binance.index_weight"]),
        ({"venues.binance.local_depth": REMOVED, "venues.binance.index_weight": 0.0}, []),
        ({"venues.binance.local_depth": REMOVED, "venues.binance.index_weight": 0.1, "venues.binance.colour": 3},
         ["venues.binance.colour", "venues.binance.index_weight"]),
    ],
)  # fmt: skip
def test_a_lone_venue_has_no_price_of_its_own(folder, changes, keys):
    whole = {key: folder.MISSING if value is REMOVED else value for key, value in (ONE_VENUE | changes).items()}
    problems = folder.problems(**whole)
    assert sorted(problem.key for problem in problems) == sorted(keys)
    for problem in problems:
        if "colour" not in problem.key:
            assert problem.allowed == "needs a second venue: with one the venue's price is the index"

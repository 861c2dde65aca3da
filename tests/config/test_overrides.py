"""Values from the command line take the place of the file's, by dotted name."""

import pytest

from jaxrisk.config import check, prepare
from jaxrisk.config.document import parse_value
from jaxrisk.config.read import read
from jaxrisk.toml import to_toml


def effective(folder, overrides, **changes):
    checked, problems, _ = read(folder.scenario(**changes), overrides)
    assert problems == [], [str(problem) for problem in problems]
    return checked


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), ("1_000", 1000), ("1e5", 1e5), ("linear", "linear"), ("24h", "24h"), ("true", True), ("[1, 2]", [1, 2]),
     ("{BTC = -0.1}", {"BTC": -0.1}), ('"5"', "5"), ("1\ny = 2", "1\ny = 2"), ("", ""), (7, 7), ("[" * 3000, "[" * 3000)],
)  # fmt: skip
def test_values_are_toml_where_they_are(text, value):
    assert parse_value(text) == value


def test_a_number_is_replaced(folder):
    checked = effective(folder, {"market.variance": "0.5", "populations.retail.open_interest": "1e9", "run.paths": "1e5"})
    assert checked.market.variance == 0.5
    assert checked.populations["retail"].open_interest == 1e9
    assert checked.run.paths == 100_000


def test_steps_takes_the_place_of_step_and_back(folder):
    assert effective(folder, {"run.steps": 24}, **{"run.steps": folder.MISSING, "run.step": "1min"}).run.count == 24
    assert effective(folder, {"run.step": "30s"}).run.count == 2880


def test_steps_of_the_file_are_known_whatever_is_set(folder):
    said = lambda *overrides, **changes: effective(folder, dict(overrides), **changes).file_step
    assert said() == said(("run.step", "5min")) == said(("run.steps", 24)) == said(("market.variance", 0.5)) == 60.0
    assert said(("run.step", "5min"), **{"run.step": 0}) == 0.0  # the file's own is unsound, and what was set is not


def test_one_asset_of_a_number_for_all(folder):
    checked = effective(folder, {"market.variance.ETH": 0.8})
    assert checked.market.variance == {"BTC": 0.36, "ETH": 0.8}


def test_an_entry_of_a_list(folder):
    assert effective(folder, {"limits.caps.0.cap": 5}).caps[0].cap == 5.0


def test_a_new_law_drops_the_keys_of_the_old(folder):
    checked = effective(folder, {"impact.law": "linear", "impact.depth": "2e9"})
    assert checked.impact.depth == 2e9
    assert checked.impact.permanent_share == 0.1  # which both have
    checked = effective(folder, {"market.process": "gbm", "market.volatility": "0.6"})
    assert checked.market.volatility == 0.6


def test_a_section_can_be_added(folder):
    checked = effective(folder, {"channels.feedback": 0}, channels=folder.MISSING)
    assert checked.channels.feedback == 0.0


@pytest.mark.parametrize(
    ("key", "text", "words", "near"),
    [
        ("market.varance", "0.5", "unknown key in process bates", "variance"),
        ("market.variance", "lots", "a number above 0", None),
        ("populations.retial.median", "5", "no populations.retial in the file; it has retail, pro", "retail"),
        ("venues.binanse.engine_time", "5s", "no venues.binanse", "binance"),
        ("assets.BTX.price", "5", "no assets.BTX", "BTC"),
        ("limits.caps.7.cap", "5", "limits.caps.7 is not a table", None),
        ("limits.caps.x", "5", "a list of 1; its entries are numbered from 0", None),
        ("name.x", "5", "name is not a table", None),
        ("a..b", "5", "is not the dotted name of a key", None),
        ("market.variance.SOL", "5", "market.variance is not a table", None),
    ],
)
def test_a_wrong_override_is_named_as_such(folder, key, text, words, near):
    problems = check(folder.scenario(), {key: text})
    problem = next(p for p in problems if words in p.allowed)
    assert problem.file == "command line"
    assert problem.key == key
    assert problem.nearest == near


def test_the_effective_text_gives_the_same_scenario(folder):
    """Read again, the text that a result carries gives itself: defaults, tiers and limits are written out."""
    text = prepare(folder.scenario(limits={"file": "eu_retail_cfd"}), {"run.steps": 144}).text
    assert "eu_retail_cfd" not in text
    again = folder.file("again.toml", text)
    assert prepare(again).text == text
    assert "steps = 144\n" in text


def test_the_effective_text_names_the_tables_that_were_read(folder):
    folder.prices()
    text = prepare(folder.scenario(market={"process": "replay", "file": "prices.csv"})).text
    assert "# 'prices.csv' " in text


def test_toml_round_trip():
    import tomllib

    document = {"a b": 'x"\\\n\t\x07é', "n": [1, 2.5, True], "t": {"u": {}, "v": {"w": [{"x": 1, "y": {"z": "1"}}, {}]}}, "e": []}
    assert tomllib.loads(to_toml(document)) == document

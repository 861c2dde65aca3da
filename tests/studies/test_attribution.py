"""Whose tail it is: channels that a scenario has, shares that add up, and none without leverage."""

from pathlib import Path

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.storage.study_files import everything
from jaxrisk.studies.channels import IMPACT, channels, same_run, switched

SMALL = {"run.steps": 24, "run.paths": 512, "run.sample_paths": 0}
MEASURES = ["mean(max_drawdown_index)", "expected_shortfall(open_interest_loss_fraction, 0.9)"]


def test_shares_add_up_to_what_all_channels_add():
    found = jr.attribute(jr.load("btc_24h", SMALL), MEASURES)
    assert [name for name, _ in found.channels] == [IMPACT, "depth withdrawal"]
    for one in found.shares:
        assert one.total.value > 0.0
        assert sum(share.value for share in one.shares) == pytest.approx(one.total.value, rel=1e-9)
        assert one.all[0] - one.none[0] == pytest.approx(one.total.value, rel=1e-9)
    # as the engine itself has it, from the same paths
    losses = jr.simulate(jr.load("btc_24h", SMALL)).losses
    assert found.shares[0].all[0] == pytest.approx(np.mean(np.asarray(losses["max_drawdown_index"], float)), rel=1e-6)
    text = str(found.summary())
    assert "impact of forced orders" in text
    assert "% of what they add" not in text
    saved = everything(found)
    assert "scores" not in str(saved)
    assert len(saved["shares"]) == len(MEASURES)
    assert all(one.without_error > 0.0 for one in found.amplified)
    assert "depth withdrawal" in text
    assert {"measure", "part", "value", "standard_error"} <= set(found.to_dataframe().columns)


def test_without_leverage_nothing_is_the_markets_own():
    flat = {f"populations.{who}_{side}.{key}": value for who in ("retail", "professional") for side in ("long", "short")
            for key, value in (("median", 1.01), ("log_sd", 0.001), ("high", 1.02))}  # fmt: skip
    found = jr.attribute(jr.load("btc_24h", SMALL | flat), MEASURES)
    for one in found.shares:
        assert one.total.value == pytest.approx(0.0, abs=1e-7)
        assert all(abs(share.value) <= 1e-7 for share in one.shares)


def test_channels_are_those_of_the_scenario_and_are_switched_off_one_by_one():
    scenario = jr.load("three_venues_shock_24h")
    parts = channels(scenario)
    names = [part.name for part in parts]
    assert names == [IMPACT, "stop orders", "margin calls", "auto-deleveraging", "depth withdrawal", "cross-impact",
                     "cross-venue leakage"]  # fmt: skip
    off = switched(scenario, parts, 0)
    assert float(off.channels.feedback) == float(off.channels.stops) == float(off.channels.deleveraging) == 0.0
    assert np.array_equal(off.impact.cross, np.eye(3))
    assert not np.any(off.venues.liquidity_leakage)
    alone = switched(scenario, parts, 1 << names.index("stop orders"))
    assert float(alone.channels.stops) == 1.0
    same = same_run(parts)
    assert same(0b1110000) == 0
    assert same(0b1110001) == 0b1110001


def test_what_is_wrong_is_said_together():
    with pytest.raises(ValueError, match="no statistic") as error:
        jr.attribute(jr.load("btc_24h", SMALL), ["maen(max_drawdown_index)", "mean(nothing)"], paths=1, shocks=[-1.0])
    text = str(error.value)
    assert "paths" in text
    assert "-1.0" in text


def test_a_structures_changes_add_up():
    from jaxrisk.studies.maturity import matured, read_structure

    scenario = jr.load("btc_shock_10pct", {"run.steps": 24, "run.paths": 256, "run.sample_paths": 0})
    found = matured(scenario, read_structure("btc_2021"), read_structure("btc_2026"), ["mean(max_drawdown_index)"])
    one = found.shares[0]
    assert [words for words, _, _ in found.changes] == ["open interest over volume", "volatility of the market",
                                                         "leverage of accounts"]  # fmt: skip
    assert sum(share.value for share in one.shares) == pytest.approx(one.total.value, rel=1e-9)
    assert one.shares[2].value < 0.0  # less leverage is safer


def test_what_is_scaled_is_scaled_population_by_population():
    """Names out of order: a pytree sorts them."""
    from jaxrisk.backtest.attribution.unknowns import UNKNOWNS
    from jaxrisk.studies.maturity import NUMBERS, with_structure
    from jaxrisk.studies.warning import _moved

    scenario = jr.load("btc_shock_10pct")
    leverage = next(one for one in UNKNOWNS if one.name == "leverage, all medians")
    values = {name: 1.0 for name in NUMBERS} | {"leverage": 2.0}
    for changed in (with_structure(scenario, values), _moved(scenario, 1.0, 2.0, 1.0), leverage.put(scenario, 2.0)):
        for name, one in scenario.populations.items():
            assert float(changed.populations[name].median) == pytest.approx(2.0 * float(one.median)), name
    held = with_structure(scenario, values).populations
    ratios = [float(held[name].open_interest) / float(one.open_interest) for name, one in scenario.populations.items()]
    assert np.ptp(ratios) < 1e-9 * ratios[0]


def test_what_no_structures_can_be_compared_under_is_said_before_any_run():
    from jaxrisk.studies.maturity import matured, read_structure

    both = read_structure("btc_2021"), read_structure("btc_2026")
    with pytest.raises(ValueError, match="the scenario has none") as error:
        matured(jr.load("btc_24h", SMALL), *both, ["mean(nothing)", "maen(max_drawdown_index)"], paths=1)
    assert "paths" in str(error.value)
    assert "no statistic" in str(error.value)
    with pytest.raises(ValueError, match="nothing"):
        matured(jr.load("btc_shock_10pct", SMALL), *both, ["mean(nothing)"], paths=4, progress=lambda *_: pytest.fail("ran"))


def test_no_page_waits_for_a_figure():
    pages = Path(__file__).parents[2] / "docs"
    assert not [page.name for page in pages.glob("*.md") if "@@" in page.read_text()]


def test_a_structure_file_says_all_that_is_wrong(tmp_path):
    from jaxrisk import ConfigError
    from jaxrisk.studies.maturity import read_structure

    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nlevrage = 1.0\ndepth = -1\ndaily_volatility = 0.02\nsources = 5\n')
    with pytest.raises(ConfigError) as error:
        read_structure(file)
    text = str(error.value)
    for word in ('did you mean "leverage"', "depth", "open_interest_over_volume", "date", "sources"):
        assert word in text, word


def test_the_level_that_must_not_break():
    """Impact ten times as strong brings it near; without impact there is none."""
    quiet = jr.warning(jr.load("btc_24h"), draws=8)
    strong = jr.warning(jr.load("btc_24h", {"impact.coefficient": 30.0}), draws=8)
    assert not quiet.fires(0.5)
    assert quiet.levels[0].peak == pytest.approx(strong.levels[0].peak / 30.0, rel=1e-3)
    assert strong.fires(0.5)
    one = strong.levels[0]
    assert one.low <= one.distance <= one.high
    assert one.price == pytest.approx(78137.2 * (1.0 - one.distance))
    assert "must not break" in strong.line()
    with pytest.raises(ValueError, match="branching"):
        jr.warning(jr.load("btc_24h"), branching=-1.0)

"""`jaxrisk calibrate --process log_variance`: the law that simulated records choose, with impact or alone, as a scenario."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.calibration.indirect.histories import histories
from jaxrisk.calibration.indirect.law import fit_by_simulation
from jaxrisk.calibration.indirect.log_variance import HALF_LIVES, TailModel, in_words, law_of, on_scenario_scale
from jaxrisk.calibration.run import calibrate
from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, main
from jaxrisk.config import check
from jaxrisk.data.price_file import read_price_file

SMALL = {"records": 8, "days": 256, "rounds": 25, "draws": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bars(path, days=400, seed=5):
    """Hourly bars of a record of the law at which a search begins."""
    opened, high, low, close = np.exp(histories(law_of(TailModel.start_of_law()), days, 1, seed).bars[:, 0].reshape(4, -1)) * 7e4
    time = np.datetime64("2023-01-01T00:00:00") + np.arange(len(close)) * np.timedelta64(1, "h")
    rows = zip(time, opened, high, low, close, strict=True)
    Path(path).write_text(
        "time,open,high,low,close,volume\n" + "".join(f"{t}Z,{o:.2f},{h:.2f},{x:.2f},{c:.2f},1000\n" for t, o, h, x, c in rows)
    )


@pytest.mark.slow
def test_law_and_impact_become_a_scenario_that_says_where_they_are_from():
    bars("p.csv")
    said = []
    how = {"feedback": True, "simulation": SMALL, "told": said.append}
    found = calibrate(read_price_file("p.csv"), "log_variance", out=Path("m.toml"), **how)
    assert any(line.startswith("step 1: distance") and "temporary_impact.coefficient" in line for line in said)
    assert found.write() == check("m.toml") == []
    text = Path("m.toml").read_text()
    document = tomllib.loads(text)
    market, law = document["market"], found.law
    assert law.usable, law.problems
    assert (market["process"], market["start"], market["half_life"]) == ("log_variance", "stationary", ["1h", "8h", "4d", "90d"])
    assert "variance" not in market
    assert "reversion" not in market
    np.testing.assert_allclose(market["factor_sd"], law.values["factor_sd"], rtol=1e-3)
    assert len(market["factor_sd"]) == len(law.errors["factor_sd"]) == len(HALF_LIVES)
    assert document["impact"]["coefficient"] == found.entries["impact.coefficient"].value != 1.0
    assert document["temporary_impact"]["coefficient"] > 0.0
    assert document["temporary_impact"]["half_life"] == "3min"
    lines = text.splitlines()
    for key in ("mean_variance", "factor_sd", "leverage_correlation", "jump_rate", "jump_sd", "scaled_jump_sd"):
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{key} = "))
        said = lines[place] if "#" in lines[place] else lines[place - 1]
        assert "MEASURED: p.csv" in said, said
        assert "s.e. " in said, said
    assert "of simulated records lie further" in str(found.summary())
    assert "forced orders" in str(found.summary())
    mean, low, high = found.forced.T
    seen = np.isfinite(mean)
    assert seen[0]
    assert np.all(mean[seen] > 0.0)
    known = np.isfinite(low)
    assert known[0]
    assert np.all(low[known] <= high[known])
    # what is run is what was fitted
    built = found.scenario()
    np.testing.assert_allclose(built.market.factor_sd[0], law.values["factor_sd"], rtol=1e-3)
    np.testing.assert_allclose(built.impact.law.coefficient, document["impact"]["coefficient"])


@pytest.mark.slow
def test_alone_the_impact_of_the_base_is_kept_and_a_record_of_the_law_gives_it_back():
    """Of the law's eleven numbers none lies further than 4 of its errors from the truth (1e-3 by chance were all normal and
    independent). The search begins at the truth, so that this is of the errors' size, not of the search."""
    bars("p.csv", days=500)
    found = fit_by_simulation(read_price_file("p.csv"), records=8, rounds=2)
    assert found.impact == {}
    assert found.tail is not None
    estimate, truth = found.tail.estimate, TailModel.start_of_law()
    assert np.any(estimate.values != truth)
    assert np.all(np.abs(estimate.values - truth) < 4.0 * estimate.errors)
    assert np.all(estimate.errors < 1.1 * np.array([10.0, *[1.0] * 5, 0.3, 1.0, 0.7, 1.0, 0.7]))


def test_errors_on_a_scenarios_scale_are_slopes():
    names = TailModel.names.fget(TailModel(None))  # type: ignore[attr-defined,arg-type]
    point, step = TailModel.start_of_law(), 1e-6
    values, errors = on_scenario_scale(names, point, np.full(len(point), step))
    moved = in_words(names, point + step)
    np.testing.assert_allclose([errors[x] for x in names], [abs(moved[x] - values[x]) for x in names], rtol=1e-3)


@pytest.mark.parametrize(
    ("days", "change", "said"),
    [
        (10, {}, "239 hourly returns; at least 500"),
        (60, {}, "0 days have all of their hours and a history before them; at least 180"),
        (30, {"high": "close", "low": "close"}, "no bar has a high and a low"),
    ],
)
def test_what_cannot_be_fitted_keeps_the_base(days, change, said):
    bars("p.csv", days=days)
    prices = read_price_file("p.csv")
    prices = prices._replace(**{name: getattr(prices, other) for name, other in change.items()})
    found = calibrate(prices, "log_variance", feedback=True, out=Path("m.toml"))
    assert said in found.problems[0]
    assert not found.identified
    assert found.document["market"]["process"] == "bates"
    assert "impact.coefficient" not in found.entries


def test_feedback_asked_of_what_cannot_have_it_is_refused_all_at_once(capsys):
    bars("p.csv", days=10)
    asked = ["calibrate", "--prices", "p.csv", "--feedback", "--base", "btc_eth_sol_7d", "--asset", "BTC"]
    assert main([*asked, "--events", "2024-08-05", "2023-08-17"]) == BAD_INPUT
    err = capsys.readouterr().err
    assert '--feedback = "bates": needs --process log_variance' in err
    assert "both fit impact" in err
    assert "needs a base of one asset" in err


def test_a_short_file_has_the_exit_code_of_what_is_not_identified(capsys):
    bars("p.csv", days=60)
    assert main(["calibrate", "--prices", "p.csv", "--process", "log_variance", "--out", "m.toml"]) == NOT_IDENTIFIED
    assert "market (log_variance): not identified: 0 days" in capsys.readouterr().err
    assert check("m.toml") == []

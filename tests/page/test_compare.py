"""What changed since an earlier result: told apart only where enough paths differ, and by what was set otherwise, if known."""

import math

import numpy as np
import pytest
from page.example_page import MEASURES, study
from page.test_nightly import desk
from report import example_studies

from jaxrisk.page.answers import load
from jaxrisk.page.compare import NOT_KNOWN, clear_of_all, compare
from jaxrisk.page.words import APART, FEW, NONE, SAME, verdict

PATHS = 2000


def run(folder, name, fall, seed="3", paid=None, **info):
    """A stored run of falls, and of what the fund paid: nothing, unless said."""
    fund = np.zeros((PATHS, 2)) if paid is None else paid
    made = example_studies.run(losses={"max_drawdown_index": fall, "insurance_fund_used": fund}, seed=seed, **info)
    made.save(folder / f"{name}.nc")
    return load(folder / f"{name}.nc")


def changes(new, old):
    return {one.name: one for one in compare(new, old)[2]}


@pytest.mark.parametrize(("seen", "kind"), [(0, NONE), (2, FEW), (3, FEW), (40, APART)])
def test_a_probability_that_few_paths_change_is_not_told_apart(tmp_path, seen, kind):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    worse = base.copy()
    worse[:seen] = 0.5
    found = changes(run(tmp_path, "new", worse), run(tmp_path, "old", base))["probability of index drawdown, > 20%"]
    assert found.paired
    assert (verdict(found), found.differing) == (kind, seen)
    assert math.isnan(found.low) == (kind != APART)


@pytest.mark.parametrize("seed", ["3", "4"])
def test_a_loss_that_was_not_there_before_is_told(tmp_path, seed):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    paid = np.random.default_rng(2).uniform(1e6, 9e6, (PATHS, 2))
    old = run(tmp_path, "old", base)
    new = run(tmp_path, "new", base, seed=seed, paid=paid)
    found = changes(new, old)["paid by the fund, mean"]
    assert found.paired == (seed == "3")
    assert (found.before, verdict(found)) == (0.0, APART)
    assert found.low < paid.sum(axis=1).mean() < found.high


def test_the_same_on_every_path_of_both_is_no_change_that_cannot_be_told(tmp_path):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    for seed in ("3", "4"):
        found = changes(run(tmp_path, "new", base, seed=seed), run(tmp_path, "old", base))["paid by the fund, mean"]
        assert (found.value, verdict(found)) == (0.0, NONE)


@pytest.mark.parametrize(("scale", "alerts"), [(1.001, 0), (1.03, 0), (1.2, 2)])
def test_a_night_of_nearly_the_same_volatility_is_no_alert(tmp_path, scale, alerts):
    base = 0.02 * np.random.default_rng(1).exponential(size=PATHS)
    part, findings, found = compare(run(tmp_path, "new", scale * base), run(tmp_path, "old", base))
    moved = next(one for one in found if one.name == "index drawdown, mean")
    assert verdict(moved) == APART  # beyond the simulation's chance it is
    assert moved.standard_error < 0.1 * abs(moved.value)
    assert NOT_KNOWN in part.text
    assert any(NOT_KNOWN in one.text for one in findings)
    lines = desk().changed({"changes": [one._asdict() for one in found]})
    assert len(lines) == alerts
    assert all("without the calibration's errors" in line for line in lines)


def test_one_of_many_by_chance_is_not_what_stands_out(tmp_path):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    found = changes(run(tmp_path, "new", base + 0.001), run(tmp_path, "old", base))
    one = found["index drawdown, mean"]
    edge = one._replace(value=2.1, standard_error=1.0, low=0.1, high=4.1)
    assert verdict(edge) == APART
    assert clear_of_all([edge, *[one._replace(value=0.0, standard_error=1.0, low=-2.0, high=2.0)] * 20]) == []
    assert clear_of_all([edge._replace(value=5.0)] * 20)


def test_results_are_named_with_their_folder(tmp_path):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    (tmp_path / "monday").mkdir()
    part, findings, _ = compare(run(tmp_path, "run", base), run(tmp_path / "monday", "run", base))
    assert part.heading == "What changed since monday/run.nc?"
    assert findings[0].text.startswith("Since monday/run.nc, none of")


@pytest.mark.parametrize(("text", "says"), [("", "not known"), ("a = [", "not known"), ('name = "x"\n', "is the same in both")])
def test_what_is_not_known_to_be_the_same_is_not_said_to_be(tmp_path, text, says):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    old = run(tmp_path, "old", base, scenario_toml='name = "x"\n')
    part, *_ = compare(run(tmp_path, "new", base, scenario_toml=text), old)
    assert [line for line in part.lines if says in line] == part.lines


def test_what_a_command_sets_is_said_too(tmp_path):
    base = np.random.default_rng(1).uniform(0.0, 0.05, PATHS)
    text = 'name = "x"\n'
    old = run(tmp_path, "old", base, scenario_toml=text, feedback=1.0)
    part, *_ = compare(run(tmp_path, "new", base, scenario_toml=text, feedback=0.0), old)
    assert part.lines == ["Set otherwise: feedback: 1.0 before, 0.0 now"]


def test_studies_are_compared_path_by_path_and_by_their_settings(tmp_path):
    old = study(tmp_path / "old", caps=(5, 125), paths=400)
    study(tmp_path / "new", caps=(5, 125), paths=400, settings={"impact.coefficient": 2.0})
    part, _, found = compare(load(tmp_path / "new"), load(tmp_path / "old"))
    assert all(one.paired for one in found)
    assert {verdict(one) for one in found} == {NONE}
    assert [line for line in part.lines if "cap 5, impact.coefficient: not there before, 2.0 now" in line]
    assert not [line for line in part.lines if "the same in both" in line]
    other = study(tmp_path / "other", caps=(5, 125), paths=400, seed=2)
    part, _, found = compare(load(tmp_path / "other"), load(tmp_path / "old"))
    assert not any(one.paired for one in found)
    assert any("seed: 1 before, 2 now" in line for line in part.lines)
    one = next(each for each in found if each.name == f"cap 5: {MEASURES[0]}")
    errors = [each.of("cap 5", MEASURES[0]).estimate.standard_error for each in (old, other)]
    assert one.standard_error == pytest.approx(math.hypot(*errors))
    assert verdict(one) in (SAME, APART)


def test_a_study_whose_runs_are_gone_is_not_said_to_be_the_same(tmp_path):
    for name in ("old", "new"):
        study(tmp_path / name, caps=(5, 125), paths=200)
    for path in (tmp_path / "old" / "cells").glob("*.nc"):
        path.unlink()
    part, _, found = compare(load(tmp_path / "new"), load(tmp_path / "old"))
    assert not any(one.paired for one in found)
    assert any("not known" in line for line in part.lines)

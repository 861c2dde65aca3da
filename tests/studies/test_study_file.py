"""Study files: what they may hold, how they are cut into cells, and everything that is wrong with one at once."""

import numpy as np
import pytest

from jaxrisk.problems import ConfigError
from jaxrisk.studies.study_file import read_study
from jaxrisk.studies.study_overlap import overlap

CAPS = {
    "scenario": "btc_24h",
    "run": {"paths": 5000, "seed": 3},
    "set": {"limits.caps": [{"class": "retail", "cap": 50, "share_downsize": 0.5}]},
    "grid": [{"name": "cap", "key": "limits.cap[retail,*,*]", "values": [50, 5]}],
}


def document(**changes):
    return {key: value for key, value in {**CAPS, **changes}.items() if value is not None}


def problems(**changes):
    return [str(one) for one in read_study(document(**changes))[1]]


def plan(**changes):
    found, wrong = read_study(document(**changes))
    assert wrong == []
    return found


def test_a_grid_is_every_combination_beside_what_is_listed():
    two = [*CAPS["grid"], {"key": "market.volatility[BTC]", "values": [0.3, 0.6], "labels": ["calm", "wild"]}]
    found = plan(grid=two, cells=[{"name": "as it is"}])
    assert [cell.name for cell in found.cells] == [
        "cap = 50, calm",
        "cap = 50, wild",
        "cap = 5, calm",
        "cap = 5, wild",
        "as it is",
    ]
    assert found.cells[2].settings == {"limits.cap[retail,*,*]": 5, "market.volatility[BTC]": 0.3}
    assert found.count == 5
    assert found.references == {"btc_24h": "cap = 50, calm"}


def test_several_scenarios_each_have_their_cells_and_reference():
    found = plan(scenario=None, scenarios=["btc_24h", "btc_any_day"], reference={"cap": "cap = 5"})
    assert [cell.name for cell in found.cells][:2] == ["btc_24h: cap = 50", "btc_24h: cap = 5"]
    assert found.references == {"btc_24h": "btc_24h: cap = 5", "btc_any_day": "btc_any_day: cap = 5"}


@pytest.mark.parametrize(
    "reference", ["cap = 5", {"limits.cap[retail,*,*]": 5}, {"cap": "cap = 5"}], ids=["name", "setting", "place on an axis"]
)
def test_a_reference_is_a_name_or_what_is_set_there(reference):
    assert plan(reference=reference).references == {"btc_24h": "cap = 5"}


def test_a_latin_hypercube_has_one_point_in_each_slice():
    ranges = {"market.volatility[BTC]": [0.2, 0.8], "impact.coefficient[BTC]": [0.1, 10.0]}
    draws = {"cells": 16, "seed": 4, "ranges": ranges, "log": ["impact.coefficient[BTC]"]}
    found = plan(grid=None, sample=draws)
    assert len(found.cells) == 16
    linear = np.array([cell.settings["market.volatility[BTC]"] for cell in found.cells])
    assert sorted(np.floor((linear - 0.2) / 0.6 * 16 - 1e-9).astype(int)) == list(range(16))
    log = np.log10([cell.settings["impact.coefficient[BTC]"] for cell in found.cells])
    assert sorted(np.floor((log + 1.0) / 2.0 * 16 - 1e-9).astype(int)) == list(range(16))
    again = plan(grid=None, sample=draws)
    assert [cell.settings for cell in again.cells] == [cell.settings for cell in found.cells]


def test_branches_are_a_tree():
    branches = [{"group": g, "name": n, "weight": w, "set": {k: v}} for g, n, w, k, v in (
        ("impact", "low", 0.25, "impact.coefficient", 0.5), ("impact", "high", 0.75, "impact.coefficient", 2.0),
        ("feedback", "off", 0.5, "channels.feedback", 0.0), ("feedback", "on", 0.5, "channels.feedback", 1.0))]  # fmt: skip
    found = plan(branches=branches)
    assert [leaf.name for leaf in found.leaves][:2] == ["impact: low, feedback: off", "impact: low, feedback: on"]
    assert [leaf.weight for leaf in found.leaves] == [0.125, 0.125, 0.375, 0.375]
    assert found.leaves[3].settings == {"impact.coefficient": 2.0, "channels.feedback": 1.0}
    assert found.count == 8


def test_quick_and_what_is_asked_for_take_the_place_of_the_files_run():
    assert read_study(CAPS, quick=True)[0].run == {"paths": 1000, "seed": 3}
    assert read_study({**CAPS, "quick": {"paths": 77, "steps": 9}}, quick=True)[0].run == {"paths": 77, "seed": 3, "steps": 9}
    assert read_study(CAPS, {"paths": 12, "seed": None}, quick=True)[0].run == {"paths": 12, "seed": 3}


def test_a_quick_look_has_a_tenth_of_the_scenarios_own_paths_where_the_study_says_none(tmp_path):
    for name, said in (("a", "paths = 3e4"), ("b", "paths = 500"), ("c", "")):
        (tmp_path / f"{name}.toml").write_text(f"[run]\n{said}\n")
    (tmp_path / "study.toml").write_text('scenarios = ["a", "b", "c"]\n[[cells]]\nname = "x"\n')
    found = read_study(tmp_path / "study.toml", quick=True)[0]
    assert [found.run_of(name) for name in "abc"] == [{"paths": 3000}, {"paths": 500}, {"paths": 1000}]
    assert read_study(tmp_path / "study.toml", {"paths": 7}, quick=True)[0].run_of("a") == {"paths": 7}
    assert read_study(tmp_path / "study.toml")[0].run_of("a") == {}
    assert plan(run={"paths": 2e4}).run == {"paths": 2e4}
    assert read_study({**CAPS, "run": {"paths": 2e4}}, quick=True)[0].run == {"paths": 2000}


WRONG = {
    "unknown key": ({"rnak": "x"}, 'rnak = "x": unknown key; the keys here are', 'did you mean "rank"?'),
    "empty grid": ({"grid": [{"key": "a.b", "values": []}]}, "grid.0.values = []: has to be a list of at least one value", ""),
    "no cells": ({"grid": None}, "grid: missing; a study needs [[grid]], [[cells]] or [sample]", ""),
    "weights": (
        {"branches": [{"name": "a", "weight": 0.5}, {"name": "b", "weight": 0.4}]},
        "branches: the weights sum to 0.9; they have to sum to 1",
        "",
    ),
    "weight": ({"branches": [{"name": "a", "weight": 0.0}]}, "branches.0.weight = 0.0: has to be a number above 0", ""),
    "reference": ({"reference": "cap = 6"}, 'reference = "cap = 6": is no cell; the cells are "cap = 50", "cap = 5"', "did you"),
    "two references": ({"reference": {"run": 1}}, "reference = {run = 1}: is no cell", ""),
    "names": ({"cells": [{"name": "cap = 5"}]}, 'cells: two cells are called "cap = 5"', ""),
    "paths of a cell": (
        {"cells": [{"name": "many", "set": {"run.paths": 9}}]},
        'cells = "run.paths": has to be the same in all cells; [run] paths says it of all',
        "",
    ),
    "seed of a branch": ({"branches": [{"name": "a", "weight": 1, "set": {"run.seed": 3}}]}, 'branches = "run.seed": has to', ""),
    "steps of an axis": ({"grid": [{"key": "run.steps", "values": [3, 4]}]}, 'grid = "run.steps": has to be the same', ""),
    "step of all": ({"set": {"run": {"step": "1min"}}}, 'set = "run.step": has to be the same in all cells; [run] steps', ""),
    "drawn paths": ({"grid": None, "sample": {"cells": 4, "ranges": {"run.paths": [2, 9]}}}, 'sample.ranges = "run.paths"', ""),
    "one key in two axes": (
        {"grid": [{"name": "a", "key": "a.b", "values": [1, 2]}, {"name": "c", "key": "a.b", "values": [3, 4]}]},
        'grid: "a.b" is set by two axes, "a" and "c"; one would take the other\'s place',
        "",
    ),
    "a key below another in two axes": (
        {"grid": [{"key": "a.b", "values": [1, 2]}, {"name": "c", "cases": [{"name": "x", "set": {"a.b.c": 1}}]}]},
        'grid: "a.b" and "a.b.c", which mean the same in part, are set by two axes, "a.b" and "c"',
        "",
    ),
    "a name and a pattern in two groups": (
        {
            "branches": [
                {"group": g, "name": g, "weight": 1, "set": {key: 1.0}}
                for g, key in (("x", "impact.coefficient[BTC]"), ("y", "impact.coefficient"))
            ]
        },
        'branches: "impact.coefficient[BTC]" and "impact.coefficient", which mean the same in part, are set by two groups',
        "",
    ),
    "cells and branches by a pattern": (
        {"branches": [{"name": "a", "weight": 1, "set": {"limits.cap": 3}}]},
        'branches = "limits.cap[retail,*,*]": is set by cells and by branches',
        "",
    ),
    "both": ({"branches": [{"name": "a", "weight": 1, "set": {"limits.cap[retail,*,*]": 3}}]}, "is set by cells and by", ""),
    "no scenario": ({"scenario": None}, "scenario: one of scenario and scenarios is needed", ""),
    "unknown scenario": ({"scenario": "btc_24"}, 'scenario = "btc_24": no such file', 'did you mean "btc_24h"?'),
    "labels": (
        {"grid": [{"key": "a.b", "values": [1, 2], "labels": ["x"]}]},
        'grid.0.labels = ["x"]: has to be a list of 2 texts, one a value',
        "",
    ),
    "ranges": (
        {"sample": {"cells": 4, "ranges": {"a.b": [2, 1]}}},
        "sample.ranges.a.b = [2, 1]: has to be a list of two numbers, the lowest and the highest",
        "",
    ),
    "many": (
        {"grid": [{"key": "a.b", "values": list(range(100))}, {"key": "c.d", "values": list(range(100))}]},
        "10,000 runs are asked for, and more than 1,000 are only made where that is said: --yes",
        "",
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_what_is_wrong_is_said_with_what_is_allowed(which):
    changes, words, guess = WRONG[which]
    said = problems(**changes)
    assert any(words in line and guess in line for line in said), said
    assert all(line.startswith("study: ") for line in said)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("limits.caps", "limits.cap", False),
        ("venues.a.fee", "venues.b.fee", False),
        ("venues.a.fee", "venues.fee", True),
        ("market.jump_rate.BTC", "market.jump_rate[ETH]", False),
        ("market.jump_rate.BTC", "market.jump_rate[BTC]", True),
        ("limits.cap[retail,*,*]", "limits.cap[*,binance,*]", True),
        ("limits.cap[retail,a,*]", "limits.cap[*,b,*]", False),
        ("market.*", "market.volatility[BTC]", True),
        ("a" * 5000, "a" * 5000 + "*", False),
    ],
)
def test_names_that_mean_the_same_in_part(one, other, same):
    assert overlap(one, other) == overlap(other, one) == same


def test_a_branch_may_set_what_is_below_a_table_of_a_cells():
    below = {"limits.caps.0.share_downsize": 0.5}
    assert plan(
        set=None, grid=None, cells=[{"name": "a", "set": CAPS["set"]}], branches=[{"name": "b", "weight": 1, "set": below}]
    )


def test_everything_is_said_at_once():
    said = problems(
        rnak=1, branches=[{"name": "a", "weight": 0.3}], measures="x", run={"pats": 3}, grid=[{"key": "a", "values": []}]
    )
    assert len(said) == 5


def test_many_are_allowed_where_it_is_said():
    axes = [{"key": "a.b", "values": list(range(40))}, {"key": "c.d", "values": list(range(40))}]
    assert len(read_study({**CAPS, "grid": axes}, many=True)[0].cells) == 1600
    found, wrong = read_study({**CAPS, "grid": axes})
    assert (found.count, found.cells, len(wrong)) == (1600, [], 1)


def test_two_of_many_cells_that_are_called_the_same_are_found():
    cells = [{"name": str(k)} for k in (*range(5_001), 17)]
    found = read_study({**CAPS, "grid": [], "reference": "0", "cells": cells}, many=True)[1]
    assert any('two cells are called "17"' in str(one) for one in found)


def test_settings_in_tables_are_settings_by_dotted_name():
    nested = {
        "market": {"variance": 0.2, "jump_rate": {"BTC": 3.0}},
        "venues.new": {"tiers": "binance"},
        "channels.feedback": 0.5,
    }
    assert plan(set=nested).keys.settings == {
        "market.variance": 0.2,
        "market.jump_rate.BTC": 3.0,
        "venues.new": {"tiers": "binance"},
        "channels.feedback": 0.5,
    }


def test_a_file_that_is_not_there_is_an_error_in_words():
    with pytest.raises(ConfigError, match=r'no such file; tried .*leverage_cap.*did you mean "leverage_cap"'):
        read_study("leverage_cp")


def test_files_beside_the_study_are_found(tmp_path):
    (tmp_path / "mine.toml").write_text('scenario = "here"\n[[cells]]\nname = "a"\nset = { "limits.file" = "own" }\n')
    (tmp_path / "here.toml").write_text("")
    (tmp_path / "own.toml").write_text("caps = []")
    found, wrong = read_study(tmp_path / "mine.toml")
    assert wrong == []
    assert found.scenario("here") == str(tmp_path / "here.toml")
    (tmp_path / "retail.toml").write_text("")
    (tmp_path / "prices.csv").write_text("")
    there = str(tmp_path / "prices.csv")
    text = {"limits.caps": [{"class": "retail", "venue": "own"}], "populations.a.class": "retail", "populations.a.file": "own"}
    assert found.placed(text) == text  # a word, and a table, which is never without its ending
    assert found.placed({
        "venues.new": {"tiers": "own", "contract": "retail"},
        "populations.a": {"kind": "accounts", "file": "prices.csv"},
        "market.file.BTC": "prices.csv",
        "impact.file": {"BTC": "prices.csv", "ETH": "nowhere.csv"},
    }) == {
        "venues.new": {"tiers": str(tmp_path / "own.toml"), "contract": "retail"},
        "populations.a": {"kind": "accounts", "file": there},
        "market.file.BTC": there,
        "impact.file": {"BTC": there, "ETH": "nowhere.csv"},
    }  # fmt: skip
    assert found.placed({"limits.file": "own", "a": "none"}) == {"limits.file": str(tmp_path / "own.toml"), "a": "none"}

"""Studies: cells are what runs of their own give, are run once, go on where they were stopped; what a hand reckons is found."""

import copy
import math
from concurrent.futures import Executor, Future
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_cli import SCENARIO, files

import jaxrisk as jr
from jaxrisk.batch import carried, many
from jaxrisk.batch.configure import Run
from jaxrisk.batch.describe import describe
from jaxrisk.batch.sinks import File
from jaxrisk.cascade import blocks, prepare
from jaxrisk.cli import BAD_INPUT, INTERRUPTED, OK, main
from jaxrisk.report.sweep_table import between
from jaxrisk.studies import study_run
from jaxrisk.studies.study import finished, planned
from jaxrisk.studies.study_plan import digest_of, set_to
from jaxrisk.studies.study_run import Runs

LIMITS = '\n[[limits.caps]]\nclass = "retail"\ncap = 100.0\nshare_downsize = 0.8\n'
STUDY = """
name = "caps"
scenario = "tiny.toml"
measures = ["mean(open_interest_loss_usd)", "exceedance_probability(max_drawdown_index, 0.5)"]
reference = "cap = 100"
[[grid]]
name = "cap"
key = "limits.cap[retail,*,*]"
values = [20, 50, 100]
"""
CASES = Path(__file__).parents[1] / "cases"
compiled: list[str] = []


def _count(event: str, seconds: float, **kwargs) -> None:
    if event.endswith("backend_compile_duration"):
        compiled.append(str(kwargs.get("fun_name")))


jax.monitoring.register_event_duration_secs_listener(_count)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a small scenario and a study of it, made the current one."""
    monkeypatch.chdir(tmp_path)
    text = SCENARIO.replace("paths = 32", "paths = 200").replace('venue = "binance"', 'venue = "binance"\nclass = "retail"')
    text = text.replace("volatility = 0.6", "volatility = 3.0")
    (tmp_path / "tiny.toml").write_text(text + LIMITS)
    (tmp_path / "caps.toml").write_text(STUDY)
    return tmp_path


@pytest.fixture
def counted(monkeypatch):
    """Which runs are made."""
    made = []
    simulate = study_run.simulate_many
    count = lambda scenarios: made.extend(float(one.limits.cap[0]) for one in scenarios)
    monkeypatch.setattr(study_run, "simulate_many", lambda some, **more: (count(some), simulate(some, **more))[1])
    return made


def plain(study):
    """Everything that was found, in numbers."""
    return study.to_dataframe().drop(columns=["note"]).to_csv()


@pytest.mark.slow
def test_a_cell_is_the_run_that_one_would_make_by_hand(here):
    study = jr.study("caps.toml", "out")
    for cap in (20, 50, 100):
        by_hand = jr.simulate(jr.load("tiny.toml", {"limits.caps.0.cap": cap}))
        for text in ("mean(open_interest_loss_usd)", "exceedance_probability(max_drawdown_index, 0.5)"):
            measure = jr.Measure.of(text)
            found, wanted = study.of(f"cap = {cap}", measure), measure.estimate(by_hand.column(measure.observable).astype(float))
            np.testing.assert_array_equal(found.estimate[:4], wanted[:4])
        if cap == 100:
            losses = by_hand["open_interest_loss_usd"].astype(np.float64)
    for cap in (20, 50):
        other = jr.simulate(jr.load("tiny.toml", {"limits.caps.0.cap": cap}))["open_interest_loss_usd"].astype(np.float64)
        change = study.of(f"cap = {cap}", "mean(open_interest_loss_usd)").difference
        assert change.value == pytest.approx((other - losses).mean(), rel=1e-9)
        assert change.standard_error == pytest.approx((other - losses).std() / math.sqrt(200), rel=1e-9)
        assert change.differing == np.count_nonzero(other != losses)
    never = study.of("cap = 20", "exceedance_probability(max_drawdown_index, 0.5)")
    assert never.estimate.value == 0.0
    assert 0.01 < never.estimate.high < 0.03
    assert study.of("cap = 100", "mean(open_interest_loss_usd)").difference is None
    assert "in place of the file's" not in str(study)
    assert study.rank == jr.Measure("open_interest_loss_usd", "mean")
    assert "at most" in str(study)


@pytest.mark.slow
def test_steps_that_are_coarser_than_the_files_are_said(here):
    coarse = str(jr.study("caps.toml", steps=6))
    assert "tiny.toml: 6 steps in place of the file's 24: coarser steps bias what forced orders do to the price" in coarse


@pytest.mark.slow
def test_finished_cells_are_found_again_and_what_is_new_is_all_that_is_run(here, counted):
    first = jr.study("caps.toml", "out")
    assert sorted(counted) == [20.0, 50.0, 100.0]
    counted.clear()
    assert plain(jr.study("caps.toml", "out")) == plain(first)
    assert counted == []
    # other words, another order and another reference are no other cells
    (here / "caps.toml").write_text(
        STUDY.replace("[20, 50, 100]", "[100, 50, 20]").replace('name = "caps"', 'title = "Other words"')
    )
    jr.study("caps.toml", "out")
    assert counted == []
    (here / "caps.toml").write_text(STUDY.replace("[20, 50, 100]", "[20, 30, 50, 100]"))
    jr.study("caps.toml", "out")
    assert counted == [30.0]
    # a number of the scenario is another configuration, and so is a seed
    counted.clear()
    (here / "tiny.toml").write_text((here / "tiny.toml").read_text().replace("daily_volume = 3e10", "daily_volume = 4e10"))
    jr.study("caps.toml", "out")
    assert len(counted) == 4
    jr.study("caps.toml", "out", seed=5)
    assert len(counted) == 8


@pytest.mark.slow
def test_a_result_that_is_cut_short_or_is_another_cells_is_not_taken_for_one(here, counted):
    jr.study("caps.toml", "out")
    cells = sorted((here / "out/cells").glob("*.nc"))
    short = jr.Result.load(cells[0])
    losses = {name: short[name][:50] for name in short.losses}
    dims, coords, info = short.dims, short.coords, short.info
    del short
    jr.Result(losses, dims, coords, info=info).save(cells[0])
    cells[1].write_bytes(cells[2].read_bytes())
    counted.clear()
    jr.study("caps.toml", "out")
    assert len(counted) == 2


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 16 paths, one at a time, so that there are many moments at which a study can be stopped."""
    monkeypatch.setitem(blocks.BLOCK, "cpu", 16)
    monkeypatch.setattr(many, "workers", lambda: 1)


@pytest.mark.slow
def test_interrupted_anywhere_and_continued_it_gives_the_same_bytes(here, small_chunks):
    """Stopped at drawn moments, nine of ten after one more chunk and the others after more, goes on from there to the same table
    and losses."""
    assert main(["study", "caps.toml", "--out", "whole"]) == OK
    random, stops, told, resumed = np.random.default_rng(1), 0, [0], []

    def progress(done, total):
        resumed.append(done) if told[0] == 0 else None
        told[0] += 1
        if random.uniform() < 0.9:
            raise KeyboardInterrupt

    while True:
        plan, works = planned("caps.toml", {})
        told[0] = 0
        try:
            finished(plan, works, Runs(works, here / "parts", progress))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 8
    assert resumed == sorted(resumed)
    assert resumed[-1] > 100  # what was there is not run again
    assert main(["study", "caps.toml", "--out", "parts"]) == OK
    assert (here / "parts/study.csv").read_bytes() == (here / "whole/study.csv").read_bytes()
    assert files(here / "parts/cells") == files(here / "whole/cells")
    for name in files(here / "whole/cells"):
        one, other = (jr.Result.load(here / f"{folder}/cells/{name}") for folder in ("whole", "parts"))
        assert all(np.array_equal(one[key], other[key]) for key in one.losses)


def test_an_interrupted_command_says_so(here, monkeypatch, capsys):
    def stopped(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(study_run, "simulate_many", stopped)
    assert main(["study", "caps.toml", "--out", "parts"]) == INTERRUPTED
    assert "nothing was finished" in capsys.readouterr().err


@pytest.mark.slow
def test_others_run_cells_to_the_same_bytes(here, small_chunks):
    """An executor gets a block of paths of all cells at a time, in whatever order they come back."""
    jr.study("caps.toml", "alone")
    executor = Backwards()
    jr.study("caps.toml", "spread", executor=executor)
    assert executor.tasks == 13
    for path in (here / "alone/cells").iterdir():
        one, other = jr.Result.load(path), jr.Result.load(here / "spread/cells" / path.name)
        assert all(np.array_equal(one[key], other[key]) for key in one.losses)


class Backwards(Executor):
    """Runs what it is given in this process when asked for the answer, last in first."""

    _max_workers = 2

    def __init__(self):
        self.tasks, self.waiting = 0, []

    def submit(self, fn, /, task):
        future: Future = Future()
        self.tasks += 1
        self.waiting.append((future, fn, task))
        if len(self.waiting) > 1 or task.until == 200:
            for waiting, call, what in reversed(self.waiting):
                waiting.set_result(call(what))
            self.waiting.clear()
        return self.waiting[-1][0] if self.waiting else future


@pytest.mark.slow
def test_a_sweep_of_numbers_is_one_program(here):
    document = {"scenario": "tiny.toml", "grid": [{"key": "limits.cap[retail,*,*]", "values": [100]}]}
    jr.study(document)
    compiled.clear()
    document["grid"][0]["values"] = [18, 20, 24, 28, 32, 40, 50, 80]
    study = jr.study(document)
    assert compiled == []
    values = [study.of(cell.name, "mean(open_interest_loss_usd)").estimate.value for cell in study.cells]
    assert len(set(values)) == 8


@pytest.mark.slow
def test_branches_are_weighted_and_their_spread_is_theirs(here):
    document = {
        "scenario": "tiny.toml",
        "measures": ["mean(open_interest_loss_usd)"],
        "grid": [{"name": "cap", "key": "limits.cap[retail,*,*]", "values": [100, 20]}],
        "branches": [
            {"group": "impact", "name": "low", "weight": 0.75, "set": {"impact.coefficient": 0.2}},
            {"group": "impact", "name": "high", "weight": 0.25, "set": {"impact.coefficient": 4.0}},
        ],
        "by_class": [],
    }
    study = jr.study(document)
    runs = {}
    for name, coefficient in (("low", 0.2), ("high", 4.0)):
        for cap in (100, 20):
            scenario = jr.load("tiny.toml", {"limits.caps.0.cap": cap, "impact.coefficient": coefficient})
            runs[name, cap] = jr.simulate(scenario)["open_interest_loss_usd"].astype(np.float64)
    mixed = {cap: 0.75 * runs["low", cap] + 0.25 * runs["high", cap] for cap in (100, 20)}
    whole = study.of("cap = 20", "mean(open_interest_loss_usd)")
    assert whole.estimate.value == pytest.approx(mixed[20].mean(), rel=1e-9)
    assert whole.estimate.standard_error == pytest.approx(mixed[20].std() / math.sqrt(200), rel=1e-9)
    assert whole.difference.value == pytest.approx((mixed[20] - mixed[100]).mean(), rel=1e-9)
    assert whole.difference.standard_error == pytest.approx((mixed[20] - mixed[100]).std() / math.sqrt(200), rel=1e-9)
    high = study.of("cap = 20", "mean(open_interest_loss_usd)", "impact: high")
    assert high.estimate.value == pytest.approx(runs["high", 20].mean(), rel=1e-9)
    each = [study.of("cap = 20", "mean(open_interest_loss_usd)", f"impact: {name}") for name in ("low", "high")]
    means = np.array([runs["low", 20].mean(), runs["high", 20].mean()])
    assert between(each, mixed[20].mean()) == pytest.approx(math.sqrt(0.75 * 0.25) * abs(means[1] - means[0]), rel=1e-6)
    assert [name for name, _, _ in study.spreads["cap = 20"]["impact"]] == ["low", "high"]
    assert "between branches, standard deviation" in str(study)


@pytest.mark.slow
def test_the_best_cap_is_the_one_that_is_known_and_not_the_lowest(here):
    """`gathering_caps.toml` says what a hand reckons: 10 is best, and the lowest gathers what is sold at the trough."""
    study = jr.study({
        "scenario": str(CASES / "gathering_caps.toml"), "measures": ["mean(max_drawdown_index)"], "reference": "cap = 50",
        "grid": [{"name": "cap", "key": "limits.cap", "values": [4.6, 10, 50]}], "by_class": [],
    })  # fmt: skip
    found = study.rankings[str(CASES / "gathering_caps.toml")]
    assert [study.cells[k].name for k in found.order] == ["cap = 10", "cap = 50", "cap = 4.6"]
    assert found.whole > 0.999
    changes = {cap: study.of(f"cap = {cap}", "mean(max_drawdown_index)").difference for cap in ("10", "4.6")}
    assert -0.008 < changes["10"].low < changes["10"].high < -0.003
    assert 0.02 < changes["4.6"].low < changes["4.6"].high < 0.05


@pytest.mark.slow
def test_the_command_from_start_to_finish(here, capfd):
    branches = '[[branches]]\nname = "a"\nweight = 0.5\nset = { "impact.coefficient" = 0.5 }\n'
    (here / "caps.toml").write_text(STUDY + branches + branches.replace('"a"', '"b"').replace("= 0.5 }", "= 2.0 }"))
    assert main(["check", "caps.toml"]) == OK
    assert main(["study", "caps.toml", "--quick", "--paths", "100"]) == OK
    out, err = capfd.readouterr()
    assert "caps: 3 cells in 2 branches, 6 runs; about" in err
    assert "6 of 6: cap = 20, a to cap = 100, b, together: " in err
    assert "Accounts, by class, mean of a path (change against the reference)\n" in out
    assert "Ranking by the mean of the open-interest loss" in out
    assert "\x1b" not in out
    folder = here / "results/caps_quick"
    assert [name for name in files(folder) if not name.startswith("cells/")] == [
        "branches.png",
        "study.csv",
        "study.json",
        "study.png",
    ]
    assert sorted(path.name for path in here.iterdir()) == ["caps.toml", "results", "tiny.toml"]
    assert main(["study", "caps.toml", "--quick", "--paths", "100"]) == OK  # over what it wrote itself
    assert "6 of them finished already" in capfd.readouterr().err
    frame = jr.study("caps.toml", folder, paths=100).to_dataframe()
    assert set(frame["branch"]) == {"", "a", "b"}
    assert frame["limits.cap[retail,*,*]"].nunique() == 3


def test_bad_input_is_said_at_once_before_anything_is_run(here, capsys, counted):
    text = STUDY.replace("[20, 50, 100]", "[20, 50, 0.5]").replace("mean(open_interest_loss_usd)", "men(open_interest_los)")
    text += '[set]\n"market.volatilty" = 0.3\n"venues.binance.engin_time" = "3s"\n"impact.relaxation_rat[BTC]" = 3\n'
    text += '[[branches]]\nname = "a"\nweight = 0.9\n'
    (here / "caps.toml").write_text(text)
    assert main(["study", "caps.toml", "--paths", "-1", "--out", "caps.toml"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for words in (
        "command line: --paths = -1: has to be a whole number from 1 on",
        'caps.toml: "market.volatilty" = 0.3: unknown key',
        'did you mean "market.volatility"?',
        'caps.toml: "venues.binance.engin_time" = "3s": unknown key',
        'did you mean "venues.binance.engine_time"?',
        "branches: the weights sum to 0.9; they have to sum to 1",
        'no statistic "men" (did you mean "mean"?)',
        'reference = "cap = 100": is no cell',
    ):
        assert words in said, words
    assert counted == []
    (here / "caps.toml").write_text(
        STUDY.replace("[20, 50, 100]", "[0.5, 50, 100]") + '[set]\n"impact.relaxation_rat[BTC]" = 3\n'
    )
    assert main(["study", "caps.toml"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert '"limits.cap[retail,*,*]" = 0.5: has to be a number from 1 to 1e+06' in said
    assert '"impact.relaxation_rat[BTC]" = 3: no parameter "impact.relaxation_rat[BTC]"' in said
    assert '(did you mean "impact.relaxation_rate[BTC]"?)' in said
    assert main(["check", "caps.toml"]) == BAD_INPUT
    assert main(["study", "nothing"]) == BAD_INPUT
    (here / "caps.toml").write_text(STUDY.replace("open_interest_loss_usd", "open_interest_los_usd"))
    assert main(["study", "caps.toml"]) == BAD_INPUT
    assert "did you mean 'open_interest_loss_usd'?" in capsys.readouterr().err
    (here / "caps.toml").write_text(STUDY)
    assert main(["study", "caps.toml", "--out", "tiny.toml"]) == BAD_INPUT
    assert capsys.readouterr().err == "tiny.toml: is no folder; choose another --out\n"
    assert counted == []


def test_help_fits_on_a_screen_and_has_examples(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["study", "--help"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: jaxrisk study [-h] [OPTIONS] STUDY"
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("$ jaxrisk study ") for line in lines)


def test_what_others_have_put_into_the_folder_is_left_alone(here, capsys, counted):
    (here / "out").mkdir()
    (here / "out/study.csv").write_text("mine")
    assert main(["study", "caps.toml", "--out", "out"]) == BAD_INPUT
    assert "jaxrisk did not write; it is never replaced" in capsys.readouterr().err
    assert (here / "out/study.csv").read_text() == "mine"
    assert counted == []


def test_a_digest_is_of_what_changes_numbers():
    text = 'name = "a"\ntitle = "b"\n[run]\npaths = 10\n[market]\nvolatility = 0.5\n# set by the study: x = 1.0\n'
    same = text.replace('"b"', '"c"').replace("0.5", "0.50")
    assert digest_of(same) == digest_of(text)
    for one, other in (("0.5", "0.6"), ("paths = 10", "paths = 11"), ("x = 1.0", "x = 2.0")):
        assert digest_of(text.replace(one, other)) != digest_of(text)


def test_cells_are_planned_together_as_each_would_be_alone():
    """Parts of cells that are alike are read and checked once: keys of the file, a venue's, parameters by name, and both."""
    grid = [{"key": "venues.binance.insurance_fund", "values": [1e8, 2e8]}, {"key": "impact.coefficient", "values": [0.7, 1.3]},
            {"key": "market.volatility", "values": [0.3, 0.6]}]  # fmt: skip
    asked = {"scenario": "btc_24h", "run": {"paths": 256, "steps": 24}, "measures": ["mean(open_interest_loss_usd)"]}
    shared = {"set": {"limits.caps": [{"class": "retail", "cap": 50, "share_downsize": 0.5}], "run.support": 60_000.0}}
    _, together = planned({**asked, **shared, "grid": grid}, {})
    assert len({work.digest for work in together}) == 8
    for work in together:
        _, alone = planned({**asked, **shared, "cells": [{"name": "one", "set": work.cell.settings}]}, {})
        assert (work.digest, work.text, work.moves) == (alone[0].digest, alone[0].text, alone[0].moves)
        assert digest_of(work.text) == work.digest
    assert carried.to_bytes(together[7].scenario()) == carried.to_bytes(alone[0].scenario())


def test_a_value_that_is_wrong_in_some_cells_is_said_of_those():
    grid = [{"key": "impact.coefficient", "values": [1.0, -1.0, 0.5, -2.0]}]
    with pytest.raises(jr.ConfigError) as error:
        planned({"scenario": "btc_24h", "run": {"paths": 256, "steps": 24}, "grid": grid}, {})
    assert [one.value for one in error.value.problems] == ["-1.0", "-2.0"]


def test_the_order_of_assets_is_part_of_a_digest_and_that_of_keys_is_not():
    text = "[run]\npaths = 10\nseed = 1\n[assets.{}]\nprice = 1.0\n[assets.{}]\nprice = 1.0\n"
    assert digest_of(text.format("A", "B")) != digest_of(text.format("B", "A"))
    swapped = text.replace("paths = 10\nseed = 1", "seed = 1\npaths = 10")
    assert digest_of(swapped.format("A", "B")) == digest_of(text.format("A", "B"))


def test_a_copy_of_a_study_has_a_folder_of_its_own(here, instead):
    instead(lambda scenario: {"open_interest_usd": 1e9})
    (here / "caps.toml").rename(here / "mine.toml")
    (here / "results/mine").mkdir(parents=True)  # by the first run, were it one
    assert main(["study", "mine.toml"]) == OK
    assert (here / "results/mine/study.csv").is_file()


def test_parameters_and_keys_of_the_file_may_be_set_side_by_side(here):
    document = {
        "scenario": "tiny.toml",
        "grid": [{"key": "impact.relaxation_rate", "values": [1000.0, 2000.0]}],
        "set": {"market.volatility": 0.9, "limits.cap": 7.0, "limits.caps.0.share_downsize": 0.25},
        "run": {"steps": 6},
    }
    before = copy.deepcopy(document)
    works = planned(document, {})[1]
    assert document == before
    scenario = works[1].scenario()
    assert float(scenario.impact.relaxation_rate[0]) == pytest.approx(2000.0)
    assert (float(scenario.market.volatility[0]), float(scenario.limits.cap[0])) == (0.9, 7.0)
    assert (float(scenario.limits.share_downsize[0]), scenario.settings.steps) == (0.25, 6)
    assert "# set by the study: impact.relaxation_rate = 2000.0" in scenario.description.source_text
    assert digest_of(scenario.description.source_text) == works[1].digest != works[0].digest
    assert float(set_to(scenario, "limits.cap", 3.0).limits.cap[0]) == 3.0


@pytest.fixture
def instead(monkeypatch):
    """A function that puts results of 200 paths, with what is said of each scenario, in the place of runs."""

    def put(said):
        def simulate(scenarios, progress, **more):
            results = []
            for scenario in scenarios:
                losses = {"open_interest_loss_usd": np.arange(200.0), "max_drawdown_index": np.zeros(200)}
                results.append(jr.Result(losses, {}, {}, info=said(scenario)))
                progress(200 * len(results), 200 * len(scenarios))
            return results

        monkeypatch.setattr(study_run, "simulate_many", simulate)

    return put


def test_progress_never_says_all_before_all_is_kept(here, instead):
    plan, works = planned("caps.toml", {})
    told = []
    runs = Runs(works, None, lambda done, total: told.append((done, total)))
    instead(lambda scenario: {"open_interest_usd": 1e9})
    study = finished(plan, works, runs)
    assert told == [(200, 600), (400, 600), (599, 600)]
    assert study.of("cap = 20", "mean(open_interest_loss_usd)").difference.differing == 0


def test_what_a_limit_takes_away_is_not_made_up_for_by_holders_that_nobody_stated(here, instead):
    """Longs at a leverage of 40 and shorts at 4, 1e9 each, all of whom downsize: a cap of 10 leaves the longs a quarter and the
    shorts all, by hand."""
    text = (here / "tiny.toml").read_text().replace("share_downsize = 0.8", "share_downsize = 1.0")
    start = text.index("[populations.retail]")
    end = text.index("[[limits.caps]]")
    holders = "".join(f"""[populations.{side}s]
venue = "binance"
class = "retail"
asset = "BTC"
side = "{side}"
kind = "histogram"
open_interest = 1e9
leverage = [{leverage}.0]
share = [1.0]
""" for side, leverage in (("long", 40), ("short", 4)))  # fmt: skip
    (here / "tiny.toml").write_text(text[:start] + holders + text[end:])
    study = {"scenario": "tiny.toml", "grid": [{"key": "limits.cap[retail,*,*]", "values": [100, 10]}],
             "measures": ["mean(open_interest_loss_usd)"]}  # fmt: skip
    instead(lambda scenario: describe(scenario, Run(200, 0, "float32", "plain", 0, 0), prepare(scenario.bare(), jnp.float32)))
    found = jr.study(study)
    assert [found.held[f"limits.cap[retail,*,*] = {cap}"] for cap in (100, 10)] == pytest.approx([1e9, 0.625e9], rel=1e-3)
    assert "37.5" in str(found)


def test_scenarios_may_have_paths_of_their_own(here, instead):
    (here / "other.toml").write_text((here / "tiny.toml").read_text().replace("paths = 200", "paths = 50"))
    instead(lambda scenario: {"open_interest_usd": 1e9})
    study = jr.study({"scenarios": ["tiny.toml", "other.toml"], "cells": [{"name": "a"}]})
    frame = study.to_dataframe()
    assert frame.groupby("scenario")["paths"].unique().map(list).to_dict() == {"other.toml": [50], "tiny.toml": [200]}
    assert "other.toml: 50 paths of 24 steps each" in str(study)


def test_nothing_held_in_the_reference_cell_is_no_share_of_it(here, instead):
    instead(lambda scenario: {"open_interest_usd": 0.0 if float(scenario.limits.cap[0]) == 100.0 else 1e6})
    lines = str(jr.study("caps.toml")).splitlines()
    assert any(line.split()[:3] == ["cap", "=", "20"] and line.split()[-1] == "-" for line in lines)


def test_too_few_paths_for_the_measure_ranked_by_make_an_empty_panel(here, instead):
    branches = [{"name": name, "weight": 0.5, "set": {"impact.coefficient": c}} for name, c in (("a", 0.5), ("b", 2.0))]
    grid = [{"key": "limits.cap[retail,*,*]", "values": [100, 20]}]
    instead(lambda scenario: {"open_interest_usd": 1e9})
    study = jr.study({"scenario": "tiny.toml", "grid": grid, "branches": branches})
    texts = [[text.get_text() for text in axes.texts] for axes in study.plot_branches().axes]
    assert texts == [["too few paths"], ["too few paths"]]
    assert "needs 1,000 paths" in str(study)
    heads = [line for line in str(study).splitlines() if line.startswith("99% expected shortfall")]
    assert heads
    assert all(", weighted mean over branches" in line for line in heads)


def test_a_run_that_was_killed_is_continued(here, monkeypatch):
    """Its end comes when all paths are there and no file has been made of them; none is run again."""
    work = planned("caps.toml", {})[1][0]

    def killed(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(File, "finish", killed)
        with pytest.raises(MemoryError):
            Runs([work], here / "out").result(work)
    assert [path.name for path in (here / "out/cells").iterdir()] == [f"{work.digest}.nc.partial"]
    monkeypatch.setattr(File, "take", killed)
    assert Runs([work], here / "out").result(work).paths == 200
    assert [path.name for path in (here / "out/cells").iterdir()] == [f"{work.digest}.nc"]


STUDIES = (
    "leverage_cap", "retail_or_professional", "eu_japan_none", "one_venue", "fund_size", "attribution_by_shock", "halts",
    "engine_speed", "maturity",
)  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_shipped_studies_are_sound_and_can_be_copied(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan, works = planned(name, {})
    assert len(works) >= 3
    assert plan.keys.question
    assert "paths" in plan.keys.quick.said
    assert main(["init", name, "--out", "mine.toml"]) == OK
    again = planned("mine.toml", {})[1]
    assert [work.digest for work in again] == [work.digest for work in works]
    if name == "leverage_cap":
        assert [float(work.scenario().limits.cap[0]) for work in works] == [2, 5, 10, 20, 50, 125]

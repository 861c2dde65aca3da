"""Global sensitivity analysis: ranges are read and checked, and the indices of a model that one can integrate are found."""

import numpy as np
import pytest
from test_cli import SCENARIO

import jaxrisk as jr
from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.config import prepare
from jaxrisk.config.ranges import Range
from jaxrisk.studies import study_run
from jaxrisk.studies.over_ranges import indices_of, ranges_study
from jaxrisk.studies.study import finished, planned
from jaxrisk.studies.study_run import Runs

pytest.importorskip("SALib")
RANGES = '\n[ranges]\n"impact.coefficient" = [0.5, 3.0]\n"venues.binance.engine_time" = ["1s", "60s"]\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SCENARIO + RANGES)
    return tmp_path


def test_indices_of_a_model_that_can_be_integrated(here, monkeypatch):
    """Y = a + 2 b, with both even on [0, 1] after the ranges' own scales: shares 1/5 and 4/5, alone as with others. With 256
    points the widest interval is 0.2; the design's seed is fixed, so that nothing here is left to chance."""
    places = {"impact.coefficient": lambda s: np.log(float(s.impact.law.coefficient[0]) / 0.5) / np.log(6.0)}
    places["engine"] = lambda s: np.log(float(s.venues.engine_time[0]) * 31_536_000 / 1.0) / np.log(60.0)

    def simulate(scenarios, progress, **more):
        losses = [places["impact.coefficient"](one) + 2.0 * places["engine"](one) for one in scenarios]
        both = lambda y: {"open_interest_loss_usd": np.full(200, y), "max_drawdown_index": np.zeros(200)}
        return [jr.Result(both(y) | {"open_interest_loss_usd": y + np.arange(200.0)}, {}, {}, info={"open_interest_usd": 1.0})
                for y in losses]  # fmt: skip

    monkeypatch.setattr(study_run, "simulate_many", simulate)
    document, ranges, base = ranges_study("tiny.toml", 256)
    document["measures"] = ["mean(open_interest_loss_usd)", "mean(max_drawdown_index)"]
    plan, works = planned(document, {}, many=True)
    assert len(works) == 256 * 4
    found = indices_of(finished(plan, works, Runs(works, None)), ranges, base)
    wanted = {"impact.coefficient": 0.2, "venues.binance.engine_time": 0.8}
    for one in found.indices[:2]:
        assert one.first == pytest.approx(wanted[one.key], abs=0.03)
        assert one.total == pytest.approx(wanted[one.key], abs=0.03)
        assert 0.0 < one.total_error < 0.2
    assert all(np.isnan(one.first) for one in found.indices[2:])
    assert found.spreads[0].sd == pytest.approx(np.sqrt(5.0 / 12.0), rel=0.02)
    text = str(found)
    assert text.index("venues.binance.engine_time") > 0
    assert "the same in every cell" in text
    assert list(found.to_dataframe()["key"][:2]) == list(wanted)


def test_values_of_a_range_are_as_a_file_writes_them():
    assert [Range("x", 0.0, 0.3).at(share) for share in (0.0, 0.5, 1.0)] == [0.0, 0.15, 0.3]
    assert [Range("x", 1.0, 100.0).at(share) for share in (0.0, 0.5)] == [1.0, 10.0]
    assert [Range("x", 300.0, 14400.0, True).at(share) for share in (0.0, 1.0)] == ["300s", "14400s"]
    assert Range("x", 300.0, 14400.0, True).ends == ("5min", "4h")
    assert not Range("x", 1.0, 3.9).log


def test_ranges_change_no_cell_and_are_shown(here, capsys):
    document = {"scenario": "tiny.toml", "grid": [{"key": "impact.coefficient", "values": [1.0, 2.0]}]}
    before = [work.digest for work in planned(document, {})[1]]
    (here / "tiny.toml").write_text(SCENARIO)
    assert [work.digest for work in planned(document, {})[1]] == before
    (here / "tiny.toml").write_text(SCENARIO + RANGES)
    (here / "again.toml").write_text(prepare("tiny.toml").text)
    assert prepare("again.toml").checked.ranges == prepare("tiny.toml").checked.ranges
    assert main(["parameters", "tiny.toml", "--match", "impact.coefficient"]) == OK
    out = capsys.readouterr().out
    assert "venues.binance.engine_time      1s     1min  evenly in the logarithm" in out


def test_a_whole_number_has_no_range(here, capsys):
    from pathlib import Path

    text = Path("tiny.toml").read_text()
    Path("whole.toml").write_text(text + '"run.rounds" = [1, 8]\n')
    assert main(["check", "whole.toml"]) == BAD_INPUT
    assert "ranges.run.rounds" in capsys.readouterr().err


def test_wrong_ranges_are_said_all_at_once(here, capsys):
    text = RANGES.replace("impact.coefficient", "impact.coeficient").replace('"60s"', '"60x"')
    (here / "bad.toml").write_text(SCENARIO + text + '"impact.permanent_share" = [0.5, 0.2]\n')
    assert main(["check", "bad.toml"]) == BAD_INPUT
    err = capsys.readouterr().err
    assert "ranges.venues.binance.engine_time" in err
    assert "ranges.impact.permanent_share" in err
    (here / "bad.toml").write_text(SCENARIO + RANGES.replace("impact.coefficient", "impact.coeficient"))
    for command in (["check", "bad.toml"], ["study", "bad.toml", "--over", "ranges"]):
        assert main(command) == BAD_INPUT
        err = capsys.readouterr().err
        assert "ranges.impact.coeficient" in err
        assert "coefficient" in err
    assert main(["study", "tiny.toml", "--over", "ranges", "--base", "12"]) == BAD_INPUT
    assert "power of two" in capsys.readouterr().err
    assert main(["study", "tiny.toml", "--over", "everything"]) == BAD_INPUT
    assert main(["study", "tiny.toml", "--base", "8"]) == BAD_INPUT
    assert main(["study", "nowhere", "--over", "ranges"]) == BAD_INPUT
    assert main(["study", "tiny.toml", "--over", "ranges", "--base", "512"]) == BAD_INPUT
    assert "--yes" in capsys.readouterr().err


def test_intervals_hold_what_few_paths_leave_open():
    """Y of a path = a U + 2 b V with U and V of mean 1, new on each path: shares 1/5 and 4/5 over all paths there could be.
    Of 60 paths the indices are off by more than the design's own interval most of the time, and nearly always within both."""
    import jaxrisk.studies.over_ranges as module
    from jaxrisk.risk.measure import Measure
    from jaxrisk.risk.paired import Column

    ranges, base, measure = [Range("a", 0.0, 1.0), Range("b", 0.0, 1.0)], 128, Measure("y", "mean")
    points = module._design(ranges, base)
    random, within, alone, tries = np.random.default_rng(3), 0, 0, 40
    for _ in range(tries):
        u, v = random.gamma(0.5, 2.0, (2, 60))
        cells = points[:, :1] * u + 2.0 * points[:, 1:] * v
        columns = [Column.of(losses, measure) for losses in cells]
        values = np.array([column.value for column in columns])
        from SALib.analyze import sobol

        told = sobol.analyze(module._problem(ranges), values, calc_second_order=False, num_resamples=200, seed=1)
        first, total = module.errors_with_paths(np.stack([module.replicas_of(column) for column in columns]), 2)
        assert all(np.array([*first, *total]) > 0.0)
        within += abs(told["ST"][0] - 0.2) < total[0]
        alone += abs(told["ST"][0] - 0.2) < told["ST_conf"][0]
    assert within >= 0.85 * tries
    assert alone <= 0.7 * tries


def test_what_all_paths_of_all_cells_share_is_in_no_interval():
    """Each path adds the same to every cell: other paths move all cells by as much, and no index."""
    import jaxrisk.studies.over_ranges as module
    from jaxrisk.risk.measure import Measure
    from jaxrisk.risk.paired import Column

    ranges = [Range("a", 0.0, 1.0), Range("b", 0.0, 1.0)]
    points = module._design(ranges, 64)
    values = points[:, 0] + 2.0 * points[:, 1]
    noise = np.random.default_rng(1).normal(0.0, 10.0, 500)
    columns = [Column.of(value + noise, Measure("y", "mean")) for value in values]
    noisy = module.errors_with_paths(np.stack([module.replicas_of(column) for column in columns]), 2)
    plain = module.errors_with_paths(np.repeat(values[:, None], module.RESAMPLES, axis=1), 2)
    np.testing.assert_allclose(noisy, plain, rtol=1e-4)

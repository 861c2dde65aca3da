"""Results: addressing, tables, and files that come back bit for bit."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from jaxrisk.report import Result, Summary
from jaxrisk.storage.writer import LazyLosses, ResultWriter

PATHS = 4_000
DIMS = {
    "max_drawdown": ("assets",),
    "max_drawdown_no_feedback": ("assets",),
    "liquidated_notional": ("venues", "assets", "sides"),
    "liquidated_by_class": ("classes",),
    "support_overshoot": ("assets",),
}
COORDS = {"assets": ["BTC", "ETH"], "venues": ["one"], "sides": ["long", "short"], "classes": ["retail", "professional"]}
INFO = {
    "name": "example",
    "title": "An example",
    "seed": 3,
    "horizon_years": 1 / 365,
    "bridge": True,
    "initial_price.BTC": 78_000.0,
    "support_usd": [70_000.0, 0.0],
    "runaway_log_price": [-np.inf, -0.1],
    "scenario_toml": "x" * 90_000,
}


def _losses(paths=PATHS):
    random = np.random.default_rng(1)
    drawdown = np.minimum(0.03 * random.exponential(size=paths), 0.9).astype(np.float32)
    base = (0.8 * drawdown).astype(np.float32)
    forced = random.exponential(2e7, (paths, 1, 2, 2)) * (drawdown > 0.05)[:, None, None, None]
    return {
        "max_drawdown_index": drawdown,
        "max_drawdown": np.stack([drawdown, 1.1 * drawdown], 1).astype(np.float32),
        "max_drawdown_no_feedback_index": base,
        "max_drawdown_no_feedback": np.stack([base, base], 1),
        "amplification_index": drawdown - base,
        "time_to_trough_index": random.random(paths) / 365,
        "open_interest_loss_fraction": np.where(drawdown > 0.05, drawdown, 0),
        "open_interest_loss_usd": forced.sum((1, 2, 3)),
        "liquidated_notional": forced,
        "liquidated_by_class": random.exponential(1e8, (paths, 2)),
        "peak_minute_liquidation": forced.max((1, 2, 3)),
        "support_overshoot": np.stack([np.maximum(drawdown - 0.1, 0), np.zeros(paths)], 1),
        "steps_in_stress": random.integers(0, 9, paths),
        "stressed": drawdown > 0.05,
    }


@pytest.fixture
def result():
    random = np.random.default_rng(2)
    samples = {
        "price": 0.01 * random.standard_normal((3, 25, 2)),
        "mark": random.standard_normal((3, 25, 1, 2)),
        "other": np.ones(3),
    }
    curves = {"level": np.linspace(-0.5, 0.5, 40), "value": random.random((2, 40)), "new": np.ones((2, 7))}
    return Result(_losses(), DIMS, COORDS, samples=samples, curves=curves, info=INFO)


def _same(a, b):
    assert a.dims == b.dims
    assert a.coords == b.coords
    assert a.info == b.info
    assert a.paths == b.paths
    for left, right in ((a.losses, b.losses), (a.samples, b.samples), (a.curves, b.curves)):
        assert list(left) == list(right)
        for name in left:
            assert left[name].dtype == right[name].dtype, name
            np.testing.assert_array_equal(np.asarray(left[name]), np.asarray(right[name]), strict=True)


def test_round_trip_is_bit_for_bit(result, tmp_path):
    path = result.save(tmp_path / "result.nc")
    loaded = Result.load(path)
    assert isinstance(loaded.losses, LazyLosses)
    _same(result, loaded)
    assert loaded.log_weights is None
    assert [file.name for file in tmp_path.iterdir()] == ["result.nc"]
    _same(result, Result.load(loaded.save(tmp_path / "again.nc")))
    _same(result, Result.load(loaded.save(path)))  # onto itself


def test_weights_survive_and_are_used(tmp_path):
    losses = np.random.default_rng(3).standard_normal(PATHS) + 1.0
    weighted = Result({"loss": losses}, {}, {}, log_weights=0.5 - losses)
    loaded = Result.load(weighted.save(tmp_path / "weighted.nc"))
    np.testing.assert_array_equal(loaded.log_weights, weighted.log_weights, strict=True)
    assert list(loaded.losses) == ["loss"]
    estimate = loaded.value_at_risk("loss", 0.99)
    assert abs(estimate.value - 2.326348) < 5 * estimate.standard_error
    assert estimate.effective_paths < PATHS


def test_xarray_opens_the_file_and_sees_units(result, tmp_path):
    with xr.open_dataset(result.save(tmp_path / "result.nc"), engine="h5netcdf") as file:
        data = result.to_xarray()
        for dataset in (file, data):
            assert dataset["max_drawdown"].dims == ("paths", "assets")
            assert dataset["max_drawdown"].sel(assets="ETH").shape == (PATHS,)
            assert dataset["peak_minute_liquidation"].attrs["units"] == "USD"
            assert dataset["time_to_trough_index"].attrs["units"] == "years"
            assert dataset["time_to_trough_index"].dtype == np.float64  # not decoded as a date
            assert dataset["curve_value"].dims == ("assets", "levels")
            assert dataset["sample_mark"].dims == ("sample", "sample_step", "venues", "assets")
            assert all("long_name" in dataset[name].attrs and "units" in dataset[name].attrs for name in result.losses)
            assert dataset.attrs["seed"] == 3
        np.testing.assert_array_equal(file["liquidated_notional"].values, data["liquidated_notional"].values)


def test_an_interrupted_run_leaves_a_readable_file(tmp_path):
    losses = _losses(1_000)
    writer = ResultWriter(tmp_path / "run.nc", DIMS, COORDS, 1_000, INFO)
    for first in (0, 250, 500):
        writer.append(first, {name: array[first : first + 250] for name, array in losses.items()})
        assert Result.load(tmp_path / "run.nc.partial").paths == first + 250
    with pytest.raises(FileNotFoundError, match="finished part of an interrupted run"):
        Result.load(tmp_path / "run.nc")
    partial = Result.load(tmp_path / "run.nc.partial")
    assert partial.paths == 750
    assert partial.info["finished_paths"] == 750
    np.testing.assert_array_equal(partial["max_drawdown"], losses["max_drawdown"][:750], strict=True)
    writer.append(750, {name: array[750:] for name, array in losses.items()})
    closed = Result.load(writer.close(info={"wall_seconds": 1.5}))
    _same(Result(losses, DIMS, COORDS, info=INFO | {"wall_seconds": 1.5}), closed)
    _same(closed, Result.load(tmp_path / "run.nc"))
    assert not (tmp_path / "run.nc.partial").exists()


def test_a_killed_process_leaves_its_last_append(tmp_path):
    code = (
        "import os, sys, numpy as np; from jaxrisk.storage.writer import ResultWriter\n"
        "w = ResultWriter(sys.argv[1], {'x': ()}, {}, 100, {})\n"
        "w.append(0, {'x': np.arange(40.0)}); w.append(40, {'x': np.arange(10.0)}); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "k.nc")], check=False).returncode == 9
    assert Result.load(tmp_path / "k.nc.partial").paths == 50


def test_a_stopped_run_can_be_closed_with_what_it_has(tmp_path):
    writer = ResultWriter(tmp_path / "some.nc", {}, {}, 10, {"seed": 1})
    writer.append(0, {"x": np.arange(4.0)})
    some = Result.load(writer.close(info={"finished_paths": 4}))
    assert some.paths == 4
    assert some.info["finished_paths"] == 4
    none = Result.load(ResultWriter(tmp_path / "none.nc", DIMS, COORDS, 10, {}).close())
    assert none.paths == 0
    assert repr(none) == "Result(0 of 10 paths, unfinished, 0 observables)"
    _same(none, Result.load(none.save(tmp_path / "again.nc")))
    assert len(none.summary()) == 0
    assert len(Result({}, {}, {}).to_dataframe()) == 0


def test_chunks_must_follow_each_other(tmp_path):
    writer = ResultWriter(tmp_path / "run.nc", {}, {}, 10, {})
    with pytest.raises(ValueError, match="starts at path 5, and 0 paths are written"):
        writer.append(5, {"x": np.zeros(5)})
    with pytest.raises(ValueError, match="one number of paths"):
        writer.append(0, {"x": np.zeros(5), "y": np.zeros(4)})
    with pytest.raises(ValueError, match="z has shape"):
        writer.append(0, {"z": np.zeros((5, 2))})


def test_no_pickle_in_the_file(result, tmp_path):
    content = result.save(tmp_path / "result.nc").read_bytes()
    assert content[:8] == b"\x89HDF\r\n\x1a\n"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.dumps(np.zeros(2), protocol)[:20] not in content


def test_another_netcdf_file_is_refused(tmp_path):
    xr.Dataset({"a": ("x", np.zeros(3))}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ValueError, match="not a result"):
        Result.load(tmp_path / "other.nc")


def test_columns(result):
    np.testing.assert_array_equal(result.column("max_drawdown[ETH]"), result["max_drawdown"][:, 1])
    forced = result["liquidated_notional"]
    np.testing.assert_allclose(result.column("liquidated_notional[*,BTC,short]"), forced[:, 0, 0, 1])
    np.testing.assert_allclose(result.column("liquidated_notional[*, *, long]"), forced[..., 0].sum((1, 2)))
    frame = result.to_dataframe()
    assert frame.shape[0] == PATHS
    np.testing.assert_array_equal(frame["liquidated_notional[one,ETH,long]"], forced[:, 0, 1, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.mean("max_drawdwn_index"), "did you mean 'max_drawdown_index'"),
        (lambda r: r["nothing like it"], "no observable 'nothing like it'"),
        (lambda r: r.column("max_drawdown[BTX]"), "no label of assets 'BTX': did you mean 'BTC'"),
        (lambda r: r.mean("max_drawdown"), r"names 0: for example 'max_drawdown\[BTC\]'"),
        (lambda r: r.measure("max_drawdown_index", "expected_shortfal", 0.99), "did you mean 'expected_shortfall'"),
        (lambda r: r.measure("max_drawdown_index", "quantile"), "needs a level"),
        (lambda r: Result({"x": np.zeros((3, 2))}, {}, {}), r"x has shape \(3, 2\) and the axes \(paths\)"),
        (lambda r: Result({"x": np.zeros(3), "y": np.zeros(2)}, {}, {}), "one number of paths"),
        (lambda r: Result({"x": np.zeros(3)}, {}, {}, log_weights=np.zeros(2)), r"log_weights have shape \(2,\)"),
    ],
)
def test_what_is_wrong_is_named(result, call, message):
    with pytest.raises(ValueError, match=message):
        call(result)


def test_a_difference_has_the_error_of_replicates_and_none_where_paths_are_weighted():
    """Paths of a replicate are not independent: what is common to them does not average out."""
    rng, many = np.random.default_rng(3), 8
    common = np.tile(rng.normal(size=many), 500)
    first = rng.normal(size=4000)
    info = {"seed": "1", "first_path": 0, "sampling": "sobol", "precision": "float32", "replicates": many}
    made = lambda values, weights=None: Result({"x": values}, {}, {}, log_weights=weights, info=info)
    found = made(first).difference(made(first + 1.0 + common), "x")
    each = 1.0 + common[:many]
    assert found.value == pytest.approx(each.mean())
    assert found.standard_error == pytest.approx(each.std(ddof=1) / np.sqrt(many))
    assert found.low < found.value - 2.3 * found.standard_error  # Student's
    tail = made(first).difference(made(first + 1.0 + common), "x", "expected_shortfall", 0.9)
    assert tail.standard_error > 5.0 * made(first).difference(made(first * 1.01), "x", "mean").standard_error
    with pytest.raises(ValueError, match="paths are weighted"):
        made(first, np.zeros(4000)).difference(made(first), "x")


def test_repr_has_no_addresses(result):
    assert repr(result) == "Result('example', 4,000 paths, 14 observables)"
    for text in (repr(result), result._repr_html_(), str(result.summary())):
        assert " at 0x" not in text


def test_summary(result):
    summary = result.summary()
    assert isinstance(summary, Summary)
    frame = summary.to_dataframe()
    known = frame[frame["note"] == ""]
    assert (known["standard_error"] > 0.0).all()
    assert ((known["low"] <= known["estimate"]) & (known["estimate"] <= known["high"])).all()
    row = frame[(frame["measure"] == "index drawdown") & (frame["statistic"] == "ES 99%")].iloc[0]
    assert row["estimate"] == result.expected_shortfall("max_drawdown_index", 0.99).value
    text = str(summary)
    for part in ("An example: 4,000 paths", "ETH drawdown", "index amplification", "> 30%", "liquidated, long, mean", "USD M"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 90
    assert "<table>" in summary._repr_html_()


def test_summary_escapes_and_survives_what_is_missing():
    plain = Result({"max_drawdown_index": np.zeros(50)}, {}, {}, info={"title": "<script>"})
    text = str(plain.summary())
    assert "needs 368 paths" in text
    assert "needs 1,000 paths" in text
    assert "the same on every path" in text
    assert "<script>" not in plain._repr_html_()


def test_summary_leaves_out_supports_that_were_not_set(result):
    text = str(result.summary())
    assert "support of BTC" in text
    assert "support of ETH" not in text


def test_summary_does_not_trust_the_mean_of_a_sample_tilted_to_the_tail():
    losses = np.random.default_rng(3).standard_normal(PATHS) + 3.0
    tilted = Result({"max_drawdown_index": losses}, {}, {}, log_weights=4.5 - 3.0 * losses)
    rows = {row.statistic: row for row in tilted.summary()}
    assert rows["mean"].estimate is None
    assert "effective paths" in rows["mean"].note
    assert abs(rows["ES 99%"].estimate.value - 2.665214) < 5 * rows["ES 99%"].estimate.standard_error


def test_notes(result, tmp_path):
    assert result.notes() == []
    info = INFO | {
        "open_interest_usd": 8e9,
        "dropped_open_interest_usd": 2.4e6,
        "dropped_by": ["one BTC long: 2 USD M", "one ETH long: 0.4 USD M"],
        "balancing_open_interest_usd": 9.6e7,
        "criticality_peak": [0.234, 1.5],
        "criticality_peak_log_price": [float(np.log(0.993)), float(np.log(0.9))],
        "criticality_runaway_log_price": [-np.inf, float(np.log(0.95))],
    }
    noted = Result(_losses(), DIMS, COORDS, info=info)
    lines = [
        "dropped at the start: 2.4 USD M (0.03% of open interest) of positions beyond their liquidation price: "
        "one BTC long: 2 USD M; one ETH long: 0.4 USD M",
        "longs and shorts differ: 96.0 USD M (1.20% of open interest) of unlevered holders make up the difference",
        "criticality: BTC: a forced dollar sets off at most 0.23 more, at a price 0.7% below the start",
        "criticality: ETH: a forced dollar sets off at most 1.50 more, at a price 10.0% below the start; "
        "runaway (n >= 1) from 5.0% below the start",
    ]
    assert noted.notes() == lines
    passing = Result(_losses(), DIMS, COORDS, info=info | {"temporary_impact": 1}).notes()
    assert passing[:-1] == lines
    assert passing[-1].startswith("criticality counts lasting impact alone")
    assert Result.load(noted.save(tmp_path / "noted.nc")).notes() == lines
    page = noted._repr_html_()
    assert "0.7% below the start" in page
    assert "n &gt;= 1" in page
    coarse = Result(_losses(), DIMS, COORDS, info=INFO | {"steps": 288, "file_steps": 1440}).notes()
    assert len(coarse) == 1
    assert coarse[0].startswith("288 steps in place of the file's 1,440: coarser steps bias")
    assert Result(_losses(), DIMS, COORDS, info=INFO | {"steps": 2880, "file_steps": 1440}).notes() == []
    quiet = info | {"dropped_open_interest_usd": 0.0, "balancing_open_interest_usd": 7e6, "criticality_peak": [0.0, 0.0]}
    assert Result(_losses(), DIMS, COORDS, info=quiet).notes() == []


def test_rich_renders(result):
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(result.summary())
    assert "ES 97.5%" in console.export_text()


@pytest.mark.slow
def test_plots(result, tmp_path):
    one = (result.plot.exceedance(), result.plot.fragility(), result.plot.paths())
    for figure in (result.plot(), *(axes.figure for axes in one)):
        figure.savefig(tmp_path / "figure.png")
    bare = Result({"open_interest_loss_fraction": np.zeros(100)}, {}, {})
    bare.plot().savefig(tmp_path / "bare.png")


def test_heavy_libraries_wait_until_asked():
    heavy = ("pandas", "xarray", "matplotlib", "h5py", "scipy", "rich", "jax")
    code = f"import sys; import jaxrisk.report; print([name for name in {heavy} if name in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"

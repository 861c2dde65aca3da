"""Two nights of a desk, end to end on small files: the second, of a wilder market, is an alert; a broken file stops the night."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from report import example_studies

from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, OK

pytestmark = pytest.mark.hurried
SCRIPT = Path(__file__).parents[2] / "scripts" / "nightly.py"
SMALL = ["--process", "merton", "--replications", "4", "--paths", "1000", "--set", "run.step=1h", "--open-interest", "50000"]


def desk():
    spec = importlib.util.spec_from_file_location("nightly", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bars(path: Path, wild: float) -> None:
    """Two months of hourly bars."""
    random = np.random.default_rng(3)
    steps = wild * (
        0.006 * random.standard_normal(24 * 60) + 0.03 * random.standard_normal(24 * 60) * (random.random(24 * 60) < 0.02)
    )
    close = 50_000 * np.exp(np.cumsum(steps))
    times = np.datetime64("2025-01-01T00:00:00") + np.arange(24 * 60) * np.timedelta64(1, "h")
    lines = ["time,open,high,low,close,volume"]
    lines += [f"{t}Z,{c:.2f},{c * 1.001:.2f},{c * 0.999:.2f},{c:.2f},{5e8 / c:.3f}" for t, c in zip(times, close, strict=True)]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_two_nights(tmp_path, capsys):
    main = desk().main
    for date, wild in (("2025-03-01", 1.0), ("2025-03-02", 2.0)):
        bars(tmp_path / f"{date}.csv", wild)
    words = lambda date, *more: [
        "--prices",
        str(tmp_path / f"{date}.csv"),
        "--date",
        date,
        "--out",
        str(tmp_path / "nights"),
        *SMALL,
        *more,
    ]
    assert main(words("2025-03-01")) in (OK, NOT_IDENTIFIED)
    first = tmp_path / "nights" / "2025-03-01"
    assert (first / "alerts.txt").read_text() == ""
    assert {one.name for one in first.iterdir()} >= {
        "scenario.toml",
        "calibration.html",
        "run.nc",
        "study",
        "report.html",
        "report.json",
    }
    capsys.readouterr()
    assert main(words("2025-03-02", "--limit", "mean(max_drawdown_index)=1e-6")) == 10
    alerts = (tmp_path / "nights" / "2025-03-02" / "alerts.txt").read_text()
    assert "index drawdown, mean: " in alerts
    assert "above 1e-6" in alerts
    assert "ALERT: " in capsys.readouterr().out
    report = json.loads((tmp_path / "nights" / "2025-03-02" / "report.json").read_text())
    assert report["parts"][0]["name"] == "compare"
    assert any("market.volatility" in line for line in report["parts"][0]["lines"])


def test_a_broken_file_stops_the_night(tmp_path, capsys):
    (tmp_path / "p.csv").write_text("time,close\nyesterday,1\n")
    assert desk().main(["--prices", str(tmp_path / "p.csv"), "--out", str(tmp_path / "n"), "--date", "2025-03-01"]) == BAD_INPUT
    assert "stopped at jaxrisk calibrate" in capsys.readouterr().err
    assert not (tmp_path / "n" / "2025-03-01" / "run.nc").exists()


def test_wrong_words_are_told(tmp_path, capsys):
    for words in (["--limit", "mean(max_drawdown_index)=much"], ["--date", "tomorrow"]):
        with pytest.raises(SystemExit) as stop:
            desk().main(["--prices", "p.csv", "--out", str(tmp_path), *words])
        assert stop.value.code == BAD_INPUT
        assert words[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--limit", "mean(no_such)=1"],
        ["--limit", "mean(max_drawdown_index)=nan"],
        ["--least-rise", "nan"],
        ["--least-rise", "-1"],
    ],
)
def test_a_limit_that_no_run_can_meet_is_told_before_it_runs(tmp_path, capsys, words):
    with pytest.raises(SystemExit) as stop:
        desk().main(["--prices", "p.csv", "--out", str(tmp_path), *words])
    assert stop.value.code == BAD_INPUT
    assert words[1] in capsys.readouterr().err


def finished(monkeypatch, night: Path, changes, **losses):
    """A night whose steps have run: what jaxrisk would have left, and 0 from each of them."""
    night.mkdir(parents=True)
    example_studies.run(losses=losses).save(night / "run.nc")
    (night / "report.json").write_text(json.dumps({"changes": changes}))
    monkeypatch.setattr("jaxrisk.cli.main", lambda words: OK)


def test_alerts_are_kept_where_a_limit_cannot_be_told(tmp_path, monkeypatch, capsys):
    night = tmp_path / "n" / "2025-03-01"
    rose = {"name": "index drawdown, mean", "before": 0.02, "now": 0.03, "low": 0.009, "high": 0.011}
    finished(monkeypatch, night, [rose], max_drawdown_index=0.02 * np.random.default_rng(1).exponential(size=1000))
    limits = ("expected_shortfall(max_drawdown_index, 0.999)=0.3", "mean(socialised_loss[*])=1")
    words = [word for limit in limits for word in ("--limit", limit)]
    code = desk().main(["--prices", "p.csv", "--out", str(tmp_path / "n"), "--date", "20250301", *words])  # of another spelling
    assert code == 10
    lines = (night / "alerts.txt").read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("index drawdown, mean: 0.02 last night")
    assert all("cannot be told" in line for line in lines[1:])
    assert capsys.readouterr().out.count("ALERT: ") == 3


def test_alerts_of_an_earlier_try_do_not_stay(tmp_path, monkeypatch):
    night = tmp_path / "n" / "2025-03-01"
    finished(monkeypatch, night, [], max_drawdown_index=np.ones(10))
    (night / "alerts.txt").write_text("of yesterday's try\n")
    monkeypatch.setattr("jaxrisk.cli.main", lambda words: BAD_INPUT)
    assert desk().main(["--prices", "p.csv", "--out", str(tmp_path / "n"), "--date", "2025-03-01"]) == BAD_INPUT
    assert not (night / "alerts.txt").exists()


def test_what_the_data_do_not_tell_need_not_trip_every_night(tmp_path, monkeypatch):
    for more, code in (([], NOT_IDENTIFIED), (["--accept-unidentified"], OK)):
        folder = tmp_path / f"n{code}"
        finished(monkeypatch, folder / "2025-03-01", [], max_drawdown_index=np.ones(10))
        monkeypatch.setattr("jaxrisk.cli.main", lambda words: NOT_IDENTIFIED if words[0] == "calibrate" else OK)
        assert desk().main(["--prices", "p.csv", "--out", str(folder), "--date", "2025-03-01", *more]) == code

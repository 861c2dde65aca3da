"""`jaxrisk backtest --days`: all problems at once, what is shown, written and kept; the engine's own forecasts are left out."""

import json

import numpy as np
import pytest

from jaxrisk.backtest.days import run as day_run
from jaxrisk.cli import main
from jaxrisk.cli.exit_codes import BAD_INPUT, INTERRUPTED, OK

from .conftest import hourly_closes, write_bars

FIRST = np.datetime64("2020-01-01T00:00:00")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    """420 days of hourly bars, and open interest of every day."""
    folder = tmp_path_factory.mktemp("prices")
    write_bars(folder / "hourly.csv", FIRST, 3600, hourly_closes(420 * 24))
    days = FIRST.astype("datetime64[D]") + np.arange(420)
    coins = 1e5 * np.exp(0.01 * np.cumsum(np.random.default_rng(2).standard_normal(420)))
    (folder / "coins.csv").write_text("time,coins\n" + "".join(f"{d},{c}\n" for d, c in zip(days, coins, strict=True)))
    return folder


@pytest.fixture
def rivals_only(monkeypatch):
    """The back-test without the engine."""
    whole = day_run.backtest_days
    monkeypatch.setattr(day_run, "backtest_days", lambda bars, scenario, *a, **k: whole(bars, None, *a, **k))


def test_shown_and_written(prices, rivals_only, tmp_path, capsys):
    out, plot = tmp_path / "days.csv", tmp_path / "days.png"
    words = ["backtest", "--days", "2020-12-20..2021-01-15", "--prices", str(prices / "hourly.csv"), "--horizons", "1,5"]
    words += ["--open-interest", str(prices / "coins.csv"), "--paths", "1000", "--out", str(out), "--plot", str(plot)]
    assert main(words) == OK
    said = capsys.readouterr().out
    assert "Back-test on every day, 2020-12-20 to 2021-01-15, hourly.csv" in said
    assert "Largest fall within 1 day, 27 days" in said
    assert "Loss of open interest within 5 days, 5 periods" in said
    assert "Refitted to all days before 2020-12-20, 2021-01-01" in said
    assert out.read_text().startswith("date,days,forecast,quantity,observed,pit,low,high,crps,crps_beyond_0.05")
    assert plot.stat().st_size > 10_000
    assert main(words) == BAD_INPUT
    assert capsys.readouterr().err.count("exists already") == 2
    assert main([*words, "--force"]) == OK


def test_everything_wrong_is_said_at_once(prices, tmp_path, capsys):
    mine = tmp_path / "mine.json"
    mine.write_text("{}")
    words = ["backtest", "2024-08-05", "--days", "2021-02-30..2021-03-01", "--horizons", "0,x", "--paths", "3", "--in-sample"]
    words += ["--scenario", "btc_eth_sol_7d", "--prices", str(prices / "coins.csv"), "--out", "x.txt", "--fits", str(mine)]
    assert main(words) == BAD_INPUT
    said = capsys.readouterr().err
    for part in ("EVENT", "--days", "--horizons", "--paths", "--in-sample", "--scenario", "coins.csv", "--out"):
        assert part in said, part
    assert main(["backtest", "--days", "2021-01-01..2020-01-01", "--scenario", "btc_any_dya"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "--prices" in said
    assert "has to come before the last" in said
    assert "btc_any_day" in said
    asked = ["backtest", "--days", "2021-01-01..2021-01-20", "--prices", str(prices / "hourly.csv")]
    assert main([*asked, "--fits", str(mine)]) == BAD_INPUT
    assert "is not a file of fits" in capsys.readouterr().err
    assert mine.read_text() == "{}"
    assert main([*asked[:2], "2020-03-01..2020-03-10", *asked[3:]]) == BAD_INPUT
    assert "too early for prices that begin on 2020-01-01" in capsys.readouterr().err
    assert main([*asked[:2], "2022-03-01..2022-03-10", *asked[3:]]) == BAD_INPUT
    assert "have no whole day in it" in capsys.readouterr().err
    assert main([*asked, "--horizons", "30,1"]) == BAD_INPUT
    assert "have no whole day in it for 30 days" in capsys.readouterr().err
    assert main([*asked, "--horizons", "1,²", "--fits", "a.json", "--out", "a.json"]) == BAD_INPUT
    assert capsys.readouterr().err.count("--horizons") == 1
    assert main([*asked, "--fits", "a.json", "--out", "a.json"]) == BAD_INPUT
    assert "is the file that --out names" in capsys.readouterr().err
    closes = tmp_path / "closes.csv"
    closes.write_text("time,close\n" + "".join(f"{FIRST + np.timedelta64(h, 'h')}Z,{100 + h % 7}\n" for h in range(9000)))
    assert main([*asked[:4], str(closes)]) == BAD_INPUT
    assert "has no bar with a high and a low" in capsys.readouterr().err
    assert main(["backtest", "--horizons", "1", "--prices", "x.csv"]) == BAD_INPUT
    assert capsys.readouterr().err.count("goes with --days") == 2


def test_fits_to_other_prices_are_refused(prices, tmp_path, capsys):
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({"written_by": "jaxrisk", "kind": "fits", "data": "of another file", "fits": []}, indent=2))
    asked = ["backtest", "--days", "2021-01-01..2021-01-20", "--prices", str(prices / "hourly.csv"), "--fits", str(kept)]
    assert main(asked) == BAD_INPUT
    assert (
        "has fits to other data: of another file; here it is hourly.csv, 420 days from 2020-01-01, fitted from 2021-01-01 on"
        in capsys.readouterr().err
    )


def test_interrupted(prices, monkeypatch, rivals_only, tmp_path, capsys):
    """What is finished is shown and written, exit 130; where nothing is, that is said."""
    rivals = day_run.backtest_days

    def stopped(bars, scenario, *a, progress, **k):
        def press(done, total):
            if done > total // 2:
                raise KeyboardInterrupt

        return rivals(bars, scenario, *a, progress=press, **k)

    monkeypatch.setattr(day_run, "backtest_days", stopped)
    out = tmp_path / "days.json"
    words = ["backtest", "--days", "2021-01-01..2021-01-20", "--prices", str(prices / "hourly.csv"), "--paths", "1000"]
    assert main([*words, "--out", str(out)]) == INTERRUPTED
    said = capsys.readouterr()
    assert "INTERRUPTED" in said.out
    assert json.loads(out.read_text())["records"]
    monkeypatch.setattr(day_run, "backtest_days", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert main(words) == INTERRUPTED
    assert "no forecast was finished" in capsys.readouterr().err

"""Funding files: the same payments in each form, what they are a year, faults by line, and a scenario calibrated from them."""

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, OK, main
from jaxrisk.data.funding import read_funding
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"
SAID = {
    "funding.csv": "time is calc_time, funding_rate is last_funding_rate, milliseconds",
    "fundingRate.json": "JSON, a list of objects, time is fundingTime, milliseconds",
    "fetch_funding.json": "JSON, a list of objects, time is timestamp, milliseconds",
    "funding-history.json": "JSON, a list of objects, time is fundingRateTimestamp, milliseconds",
}
ROWS = [line.split(",") for line in (FILES / "funding.csv").read_text().splitlines()[1:]]


@pytest.mark.parametrize("name", SAID)
def test_payments_of_each_form(name, tmp_path, capsys):
    """Times to the minute, whatever milliseconds a venue adds; rising where its answer begins with the last; and written out."""
    found = read_funding(FILES / name)
    assert found.rate.tolist() == [float(row[2]) for row in ROWS]
    assert found.time[[0, -1]].tolist() == np.array(["2024-12-01T00:00:00", "2024-12-30T16:00:00"], "datetime64[s]").tolist()
    assert set(found.hours) == {8.0}
    mean, error = found.mean()
    assert mean == pytest.approx(np.mean([float(row[2]) for row in ROWS]) * 3 * 365)
    assert math.isnan(error)
    assert found.findings[0] == f"read as: {SAID[name]}"
    assert main(["check", str(FILES / name)]) == OK
    assert (
        f"{FILES / name}: mean funding rate 0.1147 a year (no s.e. from under 240 days), longs to shorts"
        in capsys.readouterr().out
    )
    out = tmp_path / "f.csv"
    assert main(["import", "funding", str(FILES / name), "--out", str(out)]) == OK
    again = read_funding(out)
    assert (again.rate.tolist(), again.findings) == (found.rate.tolist(), ())
    assert main(["check", str(out)]) == OK


def payments(path, rows, header="time,funding_rate"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_a_rate_a_year_weighs_payments_by_their_hours(tmp_path):
    """Eight hours at 0.0008 and then four times an hour at 0.0001: 0.0012 in twelve hours."""
    rows = [("2024-08-01T00:00Z", 0.0008, 8), *((f"2024-08-01T{hour:02d}:00Z", 0.0001, 1) for hour in (1, 2, 3, 4))]
    found = read_funding(payments(tmp_path / "f.csv", rows, "time,funding_rate,funding_interval_hours"))
    assert found.mean()[0] == pytest.approx(0.0012 / 12 * 8760)


def test_the_error_of_the_mean_is_that_of_dependent_payments(tmp_path):
    """Of 40 blocks of 60 days at a rate each, independent of the others: that of 40 numbers, not of 7,200.

    The bootstrap's own scatter is about a ninth, of 40 blocks and 400 draws: beyond 0.6 to 1.3 one time in a thousand or less.
    """
    levels = np.repeat(1e-4 * (1 + np.random.default_rng(2).standard_normal(40)), 180)
    rows = [(1600000000 + 28800 * i, f"{rate:.9f}") for i, rate in enumerate(levels)]
    mean, error = read_funding(payments(tmp_path / "f.csv", rows)).mean()
    assert mean == pytest.approx(levels.mean() * 1095, rel=1e-4)
    assert 0.6 < error / (levels[::180].std(ddof=1) * 1095 / math.sqrt(40)) < 1.3


def every(path, *parts, day="2023-01-01"):
    """Payments at a distance of minutes, so many of a rate (or rates in turn), one part after another."""
    time, rows = np.datetime64(f"{day}T00:00"), []
    for minutes, count, rates in parts:
        for i in range(count):
            time += np.timedelta64(minutes, "m")
            rows.append((f"{time}Z", np.ravel(rates)[i % np.size(rates)]))
    return payments(path, rows)


def test_a_contract_that_pays_more_often_from_some_day_on(tmp_path):
    """Three times a day for a year and then hourly: each payment is for the hours of its time, and no gap is found."""
    found = read_funding(every(tmp_path / "f.csv", (480, 1095, 1e-4), (60, 8760, 1.25e-5)))
    assert found.mean()[0] == pytest.approx(0.1095)
    assert found.hours.tolist() == [8.0] * 1095 + [1.0] * 8760
    assert "payments every 8 hours, from 2024-01-01 on 1, as most rows are apart" in found.findings
    assert not any("missing" in finding for finding in found.findings)
    back = read_funding(every(tmp_path / "b.csv", (60, 100, 1.25e-5), (480, 100, 1e-4)))
    assert back.mean()[0] == pytest.approx(0.1095)


@pytest.mark.parametrize("missing", [1, 28])
def test_a_gap_beside_the_first_or_the_last_payment(missing, tmp_path):
    path = every(tmp_path / "f.csv", (480, 30, 1e-4))
    rows = path.read_text().splitlines()
    del rows[missing + 1]
    path.write_text("\n".join(rows) + "\n")
    found = read_funding(path)
    assert set(found.hours) == {8.0}
    assert any("1 gap, 1 payments missing" in finding for finding in found.findings)


def test_rates_that_may_be_in_percent(tmp_path, capsys):
    """Above what any market pays for long they are refused; above what one seldom pays, it is asked, also by `check`."""
    with pytest.raises(ConfigError, match=r"half of all rates are above .* are they in percent"):
        read_funding(every(tmp_path / "f.csv", (480, 300, (0.01, -0.004, 0.003, 0.0039))))
    dear = every(tmp_path / "d.csv", (480, 300, 0.0006))
    assert main(["check", str(dear)]) == OK
    assert "half of all rates are above 66% a year: are they in percent? They are taken for fractions" in capsys.readouterr().out
    usual = read_funding(every(tmp_path / "u.csv", (480, 300, 0.0004)))
    assert not any("percent" in finding for finding in usual.findings)


def test_forecasts_seen_often_are_no_payments(tmp_path):
    with pytest.raises(
        ConfigError, match=r"line 3, time = .*: is 0.25 hours after the row before; payments are at least an hour"
    ):
        read_funding(every(tmp_path / "f.csv", (15, 300, 1e-4)))
    hourly = read_funding(every(tmp_path / "h.csv", (60, 300, 1e-4)))
    assert any("seen every hour, the mean would be eightfold" in finding for finding in hourly.findings)


def test_times_just_before_a_minute(tmp_path):
    times = ["2024-08-01T00:00:00Z", "2024-08-01T07:59:59.995Z", "2024-08-01T16:00:00.004Z"]
    found = read_funding(payments(tmp_path / "f.csv", [(time, 1e-4) for time in times]))
    assert found.time[1] == np.datetime64("2024-08-01T08:00:00")
    assert set(found.hours) == {8.0}


def test_what_was_paid_is_read_and_not_what_was_foretold(tmp_path):
    rows = [
        {"fundingTime": str(1733011200000 + 28_800_000 * i), "fundingRate": "0.0003", "realizedRate": "0.0001"} for i in range(9)
    ]
    (tmp_path / "f.json").write_text(json.dumps({"data": rows}))
    found = read_funding(tmp_path / "f.json")
    assert set(found.rate) == {0.0001}
    assert "funding_rate is realizedRate" in found.findings[0]


def line(text, number, edit):
    rows = text.splitlines()
    rows[number - 1 : number] = edit(rows[number - 1])
    return "\n".join(rows) + "\n"


def rate(value):
    return lambda row: [",".join([*row.split(",")[:2], str(value)])]


def percent(text, first=47):
    """All rates from a line on in percent."""
    rows = text.splitlines()
    half = [f"{row.rpartition(',')[0]},{100 * float(row.rpartition(',')[2]):.6f}" for row in rows[first - 1 :]]
    return "\n".join([*rows[: first - 1], *half]) + "\n"


FAULTS = {
    "gap": (lambda t: line(t, 20, lambda row: []), OK, "1 gap, 1 payments missing, the longest from 2024-12-06T16:00Z"),
    "duplicate": (lambda t: line(t, 20, lambda row: [row, row]), OK, "1 row that stands twice counted once"),
    "conflict": (lambda t: line(t, 20, lambda row: [row, *rate(0.0005)(row)]), BAD_INPUT,
                 "line 21, calc_time = 1733529600000: has another rate at the same time in line 20"),
    "zero": (lambda t: line(t, 20, rate(0)), OK, "1 rate of 0, the first in line 20"),
    "negative": (lambda t: line(t, 20, rate(-0.0001)), OK, "90 payments, 2024-12-01 to 2024-12-30"),
    "beyond a cap": (lambda t: line(t, 20, rate(0.5)), BAD_INPUT,
                     "line 20, last_funding_rate = 0.5: is beyond what any venue pays"),
    "hours": (lambda t: line(t, 20, lambda row: [row.replace(",8,", ",0,")]), BAD_INPUT,
              "line 20, funding_interval_hours = 0: has to be above 0 and at most 24 (hours)"),
    "text in a number": (lambda t: line(t, 20, rate("n.m.")), BAD_INPUT,
                         'line 20, last_funding_rate = "n.m.": has to be a number'),
    "no number": (lambda t: line(t, 20, rate("")), OK, "1 row without a rate left out, the first in line 20"),
    "unit changed half-way": (percent, BAD_INPUT, "line 47, last_funding_rate = "),
    "percent": (lambda t: percent(t, 2), BAD_INPUT, "are they in percent? Fractions are needed"),
    "truncated last line": (lambda t: t.rstrip("\n").rpartition(",")[0], BAD_INPUT,
                            "line 91 has not 3 columns as the first line has; it is the last one: the file is cut off"),
    "byte-order mark": (lambda t: "\ufeff" + t, OK, "90 payments, 2024-12-01 to 2024-12-30"),
    "wrong symbol": (lambda t: "\n".join(f"{row},{'symbol' if not i else 'ETHUSDT' if i == 19 else 'BTCUSDT'}"
                                         for i, row in enumerate(t.splitlines())), BAD_INPUT,
                     'line 20, symbol = "ETHUSDT": is another symbol than that of line 2, BTCUSDT'),
    "forecasts": (lambda t: "\n".join(row.replace(",8,", ",24,") for row in t.splitlines()), BAD_INPUT,
                  "funding_interval_hours = 24: is more than rows are apart, 8: are these payments, or forecasts"),
    "empty": (lambda t: "", BAD_INPUT, "is empty"),
}  # fmt: skip
"""High below low is a rate beyond its cap; a negative rate is one that shorts paid."""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault, tmp_path, capsys):
    """By `import`, by `check`, and where it is refused by `calibrate`, which reads everything before it fits anything."""
    spoil, code, words = FAULTS[fault]
    path = tmp_path / "funding.csv"
    path.write_text(spoil((FILES / "funding.csv").read_text()), encoding="utf-8")
    commands = [["import", "funding", str(path)]]
    if fault not in ("empty", "truncated last line"):  # of which nothing tells that it is one of funding
        commands.append(["check", str(path)])
    if code == BAD_INPUT:
        prices = ["--prices", str(FILES / "klines.csv"), "--base", "leverage_cycle_90d"]
        commands.append(["calibrate", *prices, "--funding", str(path), "--out", str(tmp_path / "m.toml")])
    for command in commands:
        assert main(command) == code, (command, capsys.readouterr())
        out, err = capsys.readouterr()
        assert any(str(path) in said and words in said for said in (err if code else out).splitlines()), (words, out, err)
        assert all(len(said) < 600 for said in (out + err).splitlines())
    assert not (tmp_path / "m.toml").exists()


def test_the_interval_is_needed(tmp_path):
    with pytest.raises(ConfigError, match=r"line 2, time = .*: is the only payment"):
        read_funding(payments(tmp_path / "f.csv", [("2024-08-01T00:00Z", 0.0001)]))
    with pytest.raises(ConfigError, match=r"line 3, time = .*: is 48 hours after the row before; payments are at most 24"):
        read_funding(payments(tmp_path / "f.csv", [(f"2024-08-0{day}T00:00Z", 0.0001) for day in (1, 3, 5)]))


def test_a_ladder_has_no_use_for_it(tmp_path, capsys):
    command = ["calibrate", "--prices", str(FILES / "klines.csv"), "--funding", str(FILES / "funding.csv")]
    assert main([*command, "--out", str(tmp_path / "m.toml")]) == BAD_INPUT
    assert 'needs a base whose run.book is "account" or "flow"' in capsys.readouterr().err


@pytest.mark.slow
def test_a_calibrated_scenario_has_the_mean_rate(tmp_path, capsys):
    """Beside it where it is from; the rise with the trend is the base's. Three days of prices tell no law: exit code 5."""
    text = json.loads((FILES / "fundingRate.json").read_text())
    (tmp_path / "f.json").write_text(json.dumps(text[::-1]))
    command = ["calibrate", "--prices", str(FILES / "klines.csv"), "--process", "merton", "--base", "leverage_cycle_90d"]
    out = tmp_path / "m.toml"
    assert main([*command, "--funding", str(tmp_path / "f.json"), "--out", str(out)]) == NOT_IDENTIFIED
    said = " ".join(capsys.readouterr().out.split())
    assert "funding: payments every 8 hours, as most rows are apart" in said
    assert "funding rate, a year 0.1147" in said
    assert tomllib.loads(out.read_text())["funding"] == {"rate": 0.1147, "trend_sensitivity": 0.0174}
    assert "MEASURED: mean funding rate 0.1147 a year" in out.read_text()


@pytest.mark.parametrize(("name", "document"), [
    ("okx", lambda rows: {"data": [
        {"instId": "BTC-USDT-SWAP", "fundingTime": str(t), "fundingRate": f"{r}"} for t, r in rows[::-1]]}),
    ("hyperliquid", lambda rows: [{"coin": "BTC", "fundingRate": f"{r}", "premium": "0.0003", "time": t + 7} for t, r in rows]),
])  # fmt: skip
def test_answers_of_other_venues(name, document, tmp_path):
    """In a wrapper, the last first; hourly, some milliseconds late."""
    step = {"okx": 8, "hyperliquid": 1}[name]
    rows = [(1733011200000 + 3_600_000 * step * i, round(1e-5 * (i % 5), 7)) for i in range(30)]
    (tmp_path / "f.json").write_text(json.dumps(document(rows)))
    found = read_funding(tmp_path / "f.json")
    assert found.rate.tolist() == [rate for _, rate in rows]
    assert set(found.hours) == {float(step)}
    assert found.mean()[0] == pytest.approx(sum(rate for _, rate in rows) / (30 * step) * 8760)
    assert any("6 rates of 0, the first in row" in finding for finding in found.findings)

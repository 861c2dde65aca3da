"""Every format, read by every reader that can use it, with the right values, and what each was taken for."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import OK, main
from jaxrisk.config import prepare
from jaxrisk.data.open_interest import read_daily, read_history, read_open_interest
from jaxrisk.data.price_file import read_price_file
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"
OPTIONS = {
    "columns": {"time": "Datum", "open": "Eroeffnung", "high": "Hoch", "low": "Tief", "close": "Schluss", "volume": "Umsatz"},
    "day_first": True,
}
PRICES = {
    "plain.csv": "",
    "klines.csv": "klines without header, milliseconds, microseconds from 2025-01-01",
    "klines_header.csv": "klines, time is open_time, milliseconds",
    "klines.zip": "klines, zip, time is open_time, milliseconds",
    "months": "2 files, klines without header (in others: klines, time is open_time), milliseconds, microseconds from 2025-01-01",
    "months/*.csv": "2 files, klines without header",
    "ohlcv.csv": "time is timestamp, milliseconds",
    "ohlcv.json": "JSON, rows of fetch_ohlcv, time is timestamp, milliseconds",
    "semicolons.csv": "cells between semicolons, decimal commas, time is Datum",
    "bars.parquet": "Parquet, time is open_time",
    "bars.feather": "Feather, time is open_time",
}


def options(name):
    return OPTIONS if name == "semicolons.csv" else {}


def words(name):
    """The same as `options`, on a command line."""
    given = options(name)
    return ["--columns", *(f"{k}={v}" for k, v in given["columns"].items()), "--day-first"] if given else []


@pytest.fixture(scope="module")
def plain():
    return read_price_file(FILES / "plain.csv")


@pytest.mark.parametrize("name", PRICES)
def test_prices(name, plain, tmp_path, capsys):
    """The calibration's reader; `import`, whose table is the same bars again; and what is said."""
    found = read_price_file(FILES / name, **options(name))
    assert found.step == 3600
    for column in ("time", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(found, column), getattr(plain, column)), column
    said = [finding for finding in found.findings if finding.startswith("read as: ")]
    assert [one[: len(PRICES[name]) + 9] for one in said] == ([f"read as: {PRICES[name]}"] if PRICES[name] else [])
    out = tmp_path / "p.parquet"
    assert main(["import", "prices", str(FILES / name), *words(name), "--out", str(out)]) == OK
    said = capsys.readouterr().out
    assert f"72 bars of 3600 s, closing 2024-12-30T01:00:00Z to 2025-01-02T00:00:00Z\nprices: {out}" in said
    assert PRICES[name] in said
    again = read_price_file(out)
    assert np.array_equal(again.close, plain.close)
    assert np.array_equal(again.time, plain.time)
    assert again.findings == ()


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_seconds_to_nanoseconds(scale, plain, tmp_path):
    """Alone, and mixed with milliseconds in one file."""
    rows = (FILES / "ohlcv.csv").read_text().splitlines()
    of = lambda row: f"{int(row.split(',')[0]) // 1000 * scale},{row.split(',', 1)[1]}"
    for half in (0, 40):
        (tmp_path / "p.csv").write_text("\n".join([rows[0], *rows[1 : half + 1], *map(of, rows[half + 1 :])]))
        found = read_price_file(tmp_path / "p.csv")
        assert np.array_equal(found.time, plain.time)


def test_files_in_any_order_that_overlap_by_days(plain, tmp_path, scenario):
    """The later file first by its name, five rows in both, and each file's rows from the latest to the earliest."""
    header, *rows = (FILES / "klines_header.csv").read_text().splitlines()
    for turn in (1, -1):
        for name, part in (("a", rows[35:]), ("b", rows[:40])):
            (tmp_path / f"{name}.csv").write_text("\n".join([header, *part[::turn]]))
        found = read_price_file(tmp_path)
        assert np.array_equal(found.time, plain.time)
        assert np.array_equal(found.close, plain.close)
        assert any("5 rows repeat the row before" in finding for finding in found.findings)
    market = {"process": "replay", "file": str(tmp_path / "[ab].csv")}
    prepared = prepare(scenario(market=market))
    assert np.array_equal(prepared.checked.prices.price[:, 0], plain.close)
    assert "5 rows in two files counted once" in prepared.read_as()[0]


@pytest.mark.parametrize("name", PRICES)
def test_a_replay_and_a_bootstrap_of_each(name, scenario, plain):
    """A scenario's own reader: prices at a bar's end where the file gives its beginning, which is said."""
    more = {key: item for key, item in options(name).items() if key in ("columns", "day_first")}
    for law in ({"process": "replay"}, {"process": "bootstrap", "mean_block": "4h"}):
        prepared = prepare(scenario(market={**law, "file": str(FILES / name), **more}))
        prices = prepared.checked.prices
        assert np.array_equal(prices.price[:, 0], plain.close)
        shown = PRICES[name].partition(",")[0] or "a price is a bar's close, at its end"
        assert prices.start == plain.time[0].astype("datetime64[ms]").astype(int) + 3_600_000
        assert any(shown in line for line in prepared.read_as())


def test_a_filtered_start_of_klines(scenario):
    start = {"prices": str(FILES / "months"), "until": "2025-01-02T00:00:00Z"}
    law = {"process": "log_variance", "mean_variance": 0.3, "half_life": ["6h", "3d"], "factor_sd": [0.8, 0.6],
           "leverage_correlation": [-0.3, -0.2], "jump_rate": 0, "start": start}  # fmt: skip
    prepared = prepare(scenario(market=law))
    assert np.count_nonzero(np.isfinite(prepared.checked.history.returns)) >= 48


def test_day_first_only_where_it_is_said():
    columns = OPTIONS["columns"]
    with pytest.raises(ConfigError, match=r'line 2, Datum = "30\.12\.2024 00:00".*day first\? Then say so'):
        read_price_file(FILES / "semicolons.csv", columns=columns)


METRICS = (FILES / "metrics.csv").read_text().splitlines()


def test_metrics(tmp_path, capsys):
    found = read_history(FILES / "metrics.csv")
    assert found.coins.tolist() == [float(row.split(",")[2]) for row in METRICS[1:]]
    assert found.time[0] == np.datetime64("2024-12-30T00:00:00")
    assert read_open_interest(FILES / "metrics.csv").coins == pytest.approx(np.median(found.coins))
    days, coins = read_daily(FILES / "metrics.csv")
    assert (days.tolist(), coins.tolist()) == ([np.datetime64("2024-12-30").item()], [found.coins[-1]])
    for ending in ("csv", "parquet"):
        out = tmp_path / f"oi.{ending}"
        assert main(["import", "open-interest", str(FILES / "metrics.csv"), "--out", str(out)]) == OK
        assert read_history(out).coins.tolist() == found.coins.tolist()
    assert "time is create_time, open_interest is sum_open_interest" in capsys.readouterr().out
    folder = tmp_path / "metrics"
    folder.mkdir()
    for part, rows in (("1", METRICS[1:31]), ("2", METRICS[30:])):
        (folder / f"BTCUSDT-metrics-{part}.csv").write_text("\n".join([METRICS[0], *rows]))
    assert read_history(folder).coins.tolist() == found.coins.tolist()


def test_accounts_of_a_clearinghouse(capsys):
    """Cross positions with the account's value, an isolated one by itself, a side from the sign, nothing left out uncounted."""
    found = read_accounts(FILES / "clearinghouse.json")
    assert found.asset.tolist() == ["BTC", "ETH", "BTC"]
    assert found.side.tolist() == ["long", "short", "short"]
    assert found.notional.tolist() == [135000.0, 66000.0, 45000.0]
    assert found.value.tolist() == [50000.0, 2750.0]
    assert found.set_leverage.tolist() == [10.0, 20.0]
    said = "clearinghouseState, 1 row without a size left out, side is the sign of szi"
    assert found.read_as == f"read as: {said}, collateral is marginUsed less unrealised profit"
    assert main(["check", str(FILES / "clearinghouse.json")]) == OK
    assert "read as: clearinghouseState" in capsys.readouterr().out


def test_accounts_of_lists(tmp_path):
    """BUY and Sell, signs that agree, empty and zero rows counted; ccxt's contracts times their size."""
    found = read_accounts(FILES / "positions.csv")
    assert found.side.tolist() == ["long", "short", "short"]
    assert found.value.tolist() == [50000.0, 2750.0]
    assert "2 rows without a size left out" in found.read_as
    assert "Direction is buy or sell" in found.read_as
    out = tmp_path / "a.csv"
    assert main(["import", "accounts", str(FILES / "fetch_positions.json"), "--out", str(out)]) == OK
    found = read_accounts(FILES / "fetch_positions.json")
    assert (found.value.tolist(), found.notional.tolist()) == ([16200.0, 8800.0], [135000.0, 66000.0])
    assert "account_value is collateral" in found.read_as
    rows = [line.replace('"', "").split(",") for line in out.read_text().splitlines()]
    at = lambda name: [row[rows[0].index(name)] for row in rows[1:]]
    assert (at("quantity"), at("side")) == (["1.5", "20"], ["long", "short"])
    assert at("margin") == ["isolated", "isolated"]


@pytest.mark.parametrize("name", ["clearinghouse.json", "fetch_positions.json", "positions.csv"])
def test_accounts_in_a_scenario(name, scenario):
    """Isolated ones as `accounts`, whose collateral is that at entry; cross ones share their account's and are refused there."""
    holders = {"kind": "accounts", "file": str(FILES / name)}
    with pytest.raises(ConfigError, match="unknown asset; has to be one of BTC"):
        prepare(scenario(populations={"book": holders}))
    assets = {"BTC": {"price": 9e4}, "ETH": {"price": 3300.0}}
    if name != "fetch_positions.json":
        with pytest.raises(ConfigError, match=r'"cross": shares the value of its account.*"cross_accounts" does; 1 more'):
            prepare(scenario(populations={"book": holders}, assets=assets))
        return
    accounts = prepare(scenario(populations={"book": holders}, assets=assets)).checked.accounts["book"]
    assert accounts.quantity.tolist() == [1.5, 20.0]
    assert accounts.side.tolist() == [0, 1]
    rows = [row for row in json.loads((FILES / name).read_text()) if row["contracts"]]
    assert accounts.collateral.tolist() == [row["collateral"] - row["unrealizedPnl"] for row in rows]
    assert accounts.collateral[0] == 13200.0


def test_cross_accounts_of_a_clearinghouse(scenario):
    """Collateral follows from the account's value: cash is value less unrealised profit at the file's mark."""
    holders = {"kind": "cross_accounts", "file": str(FILES / "clearinghouse.json"), "venue": "binance", "other_assets": "ignore"}
    prepared = prepare(scenario(populations={"book": holders}, run={"book": "account"}))
    table = prepared.checked.cross_accounts["book"]
    assert table.quantity.tolist() == [1.5, 0.5]
    assert table.cash.tolist() == pytest.approx([50000.0 - 1.5 * 2000.0, 2750.0 - 500.0])


def test_one_map_of_columns_on_the_command_line(tmp_path, capsys):
    """A name goes to the files that have such a column; one before it says which."""
    (tmp_path / "p.csv").write_text((FILES / "ohlcv.csv").read_text().replace("timestamp", "when", 1).replace("close", "last", 1))
    base = ["import", "prices", str(tmp_path / "p.csv"), "--columns"]
    assert main([*base, "time=when", "prices.close=last"]) == OK
    assert "time is when" in capsys.readouterr().out
    for given, said in (
        ("time=wen", 'which was named for time; the file has when, open, high, low, last, volume (did you mean "when"?)'),
        ("tme=when", '"tme=when": unknown column; has to be one of time, open, high, low, close, volume (did you mean "time"?)'),
        ("accounts.asset=x", "is of a file that is not given; there are prices"),
        ("time", "has to be NAME=COLUMN, such as asset=coin"),
    ):
        assert main([*base, given, "close=last"]) == 2
        assert said in capsys.readouterr().err


def test_what_is_not_read_is_told(tmp_path, capsys):
    """What it looks like, what is read instead, the columns found; never the file."""
    cases = {
        "web.csv": ("<!DOCTYPE html>\n<html>" + "x" * 9999, ["this is a web page, not the data"]),
        "lfs.csv": ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", ["a pointer of Git LFS"]),
        "a.json": (json.dumps({"symbol": "X", "junk": "y" * 9999}), ["this is JSON: an object with symbol, junk"]),
        "seven.csv": ("1,2,3,4,5,6,7\n" * 5, ["has no first line that names its 7 columns", "12 (klines)"]),
        "columns.csv": ("x,y\n1,2\n", ["missing column; the file has x, y"]),
        "half.json": ('[[1,2,3],\n[4,5', ["line 2, column", "is not valid JSON", "cut off"]),
        "book.xlsx": (b"PK\x03\x04", ["is not a whole zip archive"]),
        "u.csv": ("time,close\n1,2\n".encode("utf-16"), ["is UTF-16 text; save it as UTF-8"]),
    }  # fmt: skip
    for name, (content, said) in cases.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main(["import", "prices", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        for word in said:
            assert word in err, (name, err)
        assert max(map(len, err.splitlines())) < 500, name

"""Files that can be read in two ways: each is read in the right one, or refused in words, never in the other."""

from pathlib import Path

import numpy as np
import pytest

from jaxrisk.calibration.price_file import read_price_file
from jaxrisk.cli import OK, main
from jaxrisk.config import prepare
from jaxrisk.config.problems import ConfigError

FILES = Path(__file__).parent / "files"
DAYS = [f"202408{day:02d}" for day in range(1, 21)]


def table(path, header, rows, separator=","):
    path.write_text("\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n")
    return path


def as_parquet(path, **columns):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_days_without_dashes_are_days(ending, tmp_path, scenario):
    """As text and as whole numbers, in the calibration's reader and in a scenario's; not seconds of August 1970."""
    closes = [60000.0 + i for i in range(len(DAYS))]
    path = tmp_path / f"p.{ending}"
    if ending == "csv":
        table(path, "time,close", zip(DAYS, closes, strict=True))
    elif ending == "json":
        path.write_text("[" + ",".join(f'{{"time": {d}, "close": {c}}}' for d, c in zip(DAYS, closes, strict=True)) + "]")
    else:
        as_parquet(path, time=[int(day) for day in DAYS], close=closes)
    found = read_price_file(path)
    assert found.step == 86400
    assert found.time[0] == np.datetime64("2024-08-01T00:00:00")
    days = {"horizon": "3d", "step": "1d"}
    prices = prepare(scenario(market={"process": "replay", "file": str(path)}, run=days)).checked.prices
    assert (prices.start, prices.interval) == (1722470400000, 86400)


def test_days_that_are_none_are_refused(tmp_path):
    path = table(tmp_path / "p.csv", "time,close", [*((day, 6e4) for day in DAYS), (20240231, 6e4), (20241301, 6e4)])
    with pytest.raises(ConfigError, match="line 22, time = 20240231: has to be a day such as 20240805.*1 more such rows"):
        read_price_file(path)


def test_numbers_that_would_be_times_before_2000_are_refused(tmp_path):
    """Minutes of the day written on to the day are 1976 in milliseconds."""
    path = table(tmp_path / "p.csv", "time,close", [(f"202408010{hour}00", 6e4) for hour in range(9)])
    with pytest.raises(ConfigError, match=r"would be 1976-0\d-\d\dT.*counted from 1970: write it as 2024-08-05T00:00:00Z"):
        read_price_file(path)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_nanoseconds_in_a_scenario(ending, tmp_path, scenario):
    times, closes = [10**9 * (1735516800 + 3600 * i) for i in range(30)], [60000.0 + i for i in range(30)]
    path = tmp_path / f"p.{ending}"
    if ending == "csv":
        table(path, "time,close", zip(times, closes, strict=True))
    else:
        as_parquet(path, time=times, close=closes)
    for law in ({"process": "replay"}, {"process": "bootstrap", "mean_block": "4h"}):
        prices = prepare(scenario(market={**law, "file": str(path)})).checked.prices
        assert (prices.start, prices.interval) == (1735516800000, 3600)


def test_an_imported_table_replays_as_its_source_does(tmp_path, scenario):
    """A close is known at the end of its bar, whatever the column of times is called."""
    out = tmp_path / "btc.parquet"
    assert main(["import", "prices", str(FILES / "klines.csv"), "--out", str(out)]) == OK
    starts = [
        prepare(scenario(market={"process": "replay", "file": str(path)})).checked.prices.start
        for path in (FILES / "klines.csv", out, FILES / "plain.csv")
    ]
    assert starts == [1735520400000] * 3

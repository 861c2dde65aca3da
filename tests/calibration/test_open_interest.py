"""Open interest from a file: one number a time, rows that stand twice once, two numbers for one time refused."""

import numpy as np
import pytest

from jaxrisk.config import ConfigError
from jaxrisk.data.open_interest import read_daily, read_open_interest

DAYS = [f"2026-01-{day:02}" for day in range(1, 11)]
ROWS = [f"{day},{100 + i}" for i, day in enumerate(DAYS)]


@pytest.fixture
def write(tmp_path):
    def file(rows, header="time,open_interest"):
        (tmp_path / "oi.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / "oi.csv"

    return file


def test_rows_that_stand_twice_count_once_and_are_said(write):
    """A part of the file again would weigh more in the median: 104.5 of ten days, 107 with the last five twice."""
    assert read_open_interest(write(ROWS)).coins == 104.5
    twice = read_open_interest(write(ROWS + ROWS[5:]))
    assert (twice.coins, twice.low, twice.high) == (104.5, 100.0, 109.0)
    assert twice.origin.endswith("oi, 5 rows that stand twice counted once")
    assert "twice" not in read_open_interest(write(ROWS)).origin
    days, coins = read_daily(write(ROWS[5:] + ROWS))
    assert days.tolist() == np.array(DAYS, "datetime64[D]").tolist()
    assert coins.tolist() == [100.0 + i for i in range(10)]


def test_a_time_without_a_number_does_not_hide_one(write):
    days, coins = read_daily(write(["2026-01-01,", "2026-01-01,5", "2026-01-01,5", "2026-01-02,nan"]))
    assert (days.tolist(), coins.tolist()) == (np.array(DAYS[:1], "datetime64[D]").tolist(), [5.0])


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([*ROWS, "2026-01-03,7", "2026-01-04,8"], "time,open_interest",
         ["line 12, time", "has another open interest at the same time in line 4", "1 more such rows"]),
        (["2026-01-01,BTC,5", "2026-01-01,ETH,50"], "time,symbol,oi",
         ["line 3, time", "in line 2; one row a time, those of one symbol"]),
        (["2026-01-01,,1", "2026-01-01,5,1", "2026-01-01,6,1"], "time,oi,close", ["line 4, time", "in line 3"]),
        (["2026-01-01,10,2", "2026-01-01,10,4"], "time,oi_usd,close", ["line 3, time"]),
    ],
)  # fmt: skip
def test_two_numbers_for_one_time_are_refused(write, rows, header, words):
    file = write(rows, header)
    for read in (read_open_interest, read_daily):
        with pytest.raises(ConfigError) as error:
            read(file)
        assert len(error.value.problems) == 1
        for word in words:
            assert word in str(error.value)


def test_a_file_without_any(write):
    with pytest.raises(ConfigError, match="has no row with a number above 0"):
        read_open_interest(write(["2026-01-01,", "2026-01-02,0"]))

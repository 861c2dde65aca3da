"""Price files: what is read, what is put right with a finding, and what is refused by line."""

import gzip

import numpy as np
import pandas as pd
import pytest
from recorded import PRICES

from jaxrisk.data.price_file import PriceFile, read_price_file
from jaxrisk.problems import ConfigError


def bars(rows=400, start="2024-02-01", step="1h", seed=0):
    """A random walk at 0.5% a bar, with Z in its times."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.005, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    times = pd.date_range(start, periods=rows, freq=step).strftime("%Y-%m-%dT%H:%M:%SZ")
    high, low = np.maximum(opening, close) * 1.001, np.minimum(opening, close) * 0.999
    return pd.DataFrame({"time": times, "open": opening, "high": high, "low": low, "close": close, "volume": 1.0})


def read(tmp_path, frame, **options) -> PriceFile:
    frame.to_csv(tmp_path / "p.csv", index=False)
    return read_price_file(tmp_path / "p.csv", **options)


def refused(tmp_path, frame, *words, **options):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, frame, **options)
    for word in words:
        assert word in str(error.value)
    return error.value.problems


def test_plain_file(tmp_path):
    frame = bars()
    prices = read(tmp_path, frame)
    assert (prices.step, prices.findings, len(prices.time)) == (3600, (), 400)
    np.testing.assert_allclose(prices.returns()[1:], np.diff(np.log(frame["close"])))
    assert np.isnan(prices.returns()[0])
    times, log_close = prices.closes()
    assert times[0] == np.datetime64("2024-02-01T01:00:00")
    assert log_close[-1] == pytest.approx(np.log(frame["close"].iloc[-1]))


def test_other_containers_read_the_same(tmp_path):
    """Gzip, Parquet with times of its own type, seconds and milliseconds since 1970, close alone, extra columns."""
    frame = bars()
    plain = read(tmp_path, frame)
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.assign(time=pd.to_datetime(frame["time"])).to_parquet(tmp_path / "p.parquet")
    seconds = pd.to_datetime(frame["time"]).map(lambda t: int(t.timestamp()))
    others = [read_price_file(tmp_path / "p.csv.gz"), read_price_file(tmp_path / "p.parquet")]
    others += [read(tmp_path, frame.assign(time=seconds * k, trades=7)) for k in (1, 1000)]
    others.append(read(tmp_path, frame[["time", "close"]]))
    for other in others:
        assert np.array_equal(other.time, plain.time)
        assert np.array_equal(other.close, plain.close)
        assert other.findings == ()
    assert np.isnan(others[-1].volume).all()


def test_between_cuts_by_closing_time(tmp_path):
    prices = read(tmp_path, bars())
    cut = prices.between("2024-02-02", "2024-02-03T00:00:00Z")
    times, _ = cut.closes()
    assert (times[0], times[-1]) == (np.datetime64("2024-02-02T01:00:00"), np.datetime64("2024-02-03T00:00:00"))
    assert len(cut.time) == 24
    assert len(prices.between("2025-01-01").time) == 0


def test_gaps_are_named_and_not_crossed(tmp_path):
    prices = read(tmp_path, bars().drop(index=[50, 51, 52, 200]))
    assert len(prices.findings) == 1
    assert "2 gaps, 4 bars missing" in prices.findings[0]
    assert "2024-02-03T02:00Z to 2024-02-03T05:00Z (3 bars)" in prices.findings[0]
    assert np.count_nonzero(np.isnan(prices.returns())) == 3


def test_duplicates(tmp_path):
    """Identical rows go with a finding; different bars for one time are refused, by line."""
    frame = bars()
    twice = pd.concat([frame.iloc[:11], frame.iloc[10:]])
    prices = read(tmp_path, twice)
    assert len(prices.time) == 400
    assert "1 row repeats the row before, the first at 2024-02-01T10:00Z" in prices.findings[0]
    twice.iloc[11, 5] = 2.0
    refused(tmp_path, twice, 'line 13, time = "2024-02-01T10:00:00Z": comes twice, with different bars')


def test_order(tmp_path):
    frame = bars()
    assert "turned round" in read(tmp_path, frame[::-1]).findings[0]
    swapped = frame.iloc[[*range(20), 21, 20, *range(22, 400)]]
    refused(tmp_path, swapped, "line 23", "is earlier than the row before")
    refused(tmp_path, pd.concat([frame, bars(5, "2024-02-17T16:20")]), "line 402", "not a whole number of bars of 3600 s")


def test_offsets_from_utc(tmp_path):
    """An offset is taken out, with a finding; two that are not those of one place are refused."""
    frame = bars()
    plain = read(tmp_path, frame)
    local = pd.to_datetime(frame["time"]).dt.tz_convert("Asia/Kolkata")
    shifted = read(tmp_path, frame.assign(time=[t.isoformat() for t in local]))
    assert np.array_equal(shifted.time, plain.time)
    assert "offset +05:30; converted to UTC" in shifted.findings[0]
    mixed = frame["time"].copy()
    mixed[200:] = [t.isoformat() for t in local[200:]]
    refused(tmp_path, frame.assign(time=mixed), "line 202", "another offset from UTC than the first row (Z)")
    mixed[200:] = frame["time"].str.rstrip("Z")[200:]
    refused(tmp_path, frame.assign(time=mixed), "some rows say their time zone and some do not")


def test_times_without_zone(tmp_path):
    frame = bars()
    naive = frame.assign(time=frame["time"].str.rstrip("Z"))
    assert "say no time zone; taken as UTC" in read(tmp_path, naive).findings[0]
    east = read(tmp_path, naive, zone="Asia/Tokyo")
    assert east.time[0] == np.datetime64("2024-01-31T15:00:00")
    refused(tmp_path, naive, "zone", "Asia/Tokio", zone="Asia/Tokio")


@pytest.mark.parametrize(("place", "start"), [("Europe/Berlin", "2024-03-25"), ("America/New_York", "2024-10-28")])
def test_clocks_that_change_give_local_times_away(tmp_path, place, start):
    """A spring without an hour, an autumn with one twice: refused as UTC, read in their zone to the right instants."""
    frame = bars(start=start)
    local = pd.to_datetime(frame["time"]).dt.tz_convert(place)
    naive = frame.assign(time=local.dt.strftime("%Y-%m-%d %H:%M:%S"))
    refused(tmp_path, naive, "an hour", "clocks are put", "local times")
    assert np.array_equal(read(tmp_path, naive, zone=place).time, read(tmp_path, frame).time)
    with_offset = frame.assign(time=[t.isoformat() for t in local])
    assert np.array_equal(read(tmp_path, with_offset).time, read(tmp_path, frame).time)


def test_local_times_that_claim_to_be_utc(tmp_path):
    """An hour that comes twice is refused though the rows end in Z; five-minute bars as well as hourly ones."""
    frame = bars(rows=2000, start="2024-10-26", step="5min")
    local = pd.to_datetime(frame["time"]).dt.tz_convert("Europe/Berlin")
    refused(tmp_path, frame.assign(time=local.dt.strftime("%Y-%m-%dT%H:%M:%SZ")), "an hour comes twice")


@pytest.mark.parametrize(("factor", "ratio"), [(0.5, "1:2"), (0.1, "1:10"), (1000.0, "1000:1"), (1.5, "1.5:1"), (1 / 7, "1:7")])
@pytest.mark.parametrize("gap", [0, 24])
def test_splits_and_units(tmp_path, factor, ratio, gap):
    """A round ratio that stays is named with its time, also across a gap."""
    frame = bars()
    frame.loc[300:, ["open", "high", "low", "close"]] *= factor
    frame = frame.drop(index=range(300 - gap, 300))
    refused(tmp_path, frame, f"line {302 - gap}", "at 2024-02-13T12:00Z", f"by {ratio}", "split")
    refused(tmp_path, frame[["time", "close"]], f"by {ratio}")


def test_what_is_no_split(tmp_path):
    """A crash that trades through its bar, a wrong print that does not stay, and a rise in the volatility's own range."""
    crash = bars()
    crash.loc[301:, ["open", "high", "low", "close"]] *= 0.5
    crash.loc[300, ["low", "close"]] *= 0.5
    read(tmp_path, crash)
    spike = bars()
    spike.loc[300, ["open", "high", "low", "close"]] *= 2.0
    read(tmp_path, spike)
    wild = bars()
    random = np.random.default_rng(1).normal(0.0, 0.4, 400)
    wild["close"] = wild["open"] = 100.0 * np.exp(np.cumsum(random))
    read(tmp_path, wild[["time", "open", "close"]])


def test_every_problem_at_once(tmp_path):
    frame = bars()
    frame.loc[3, "close"] = -1.0
    frame.loc[5, "low"] = 1000.0
    frame.loc[[7, 9], "volume"] = -2.0
    frame["open"] = frame["open"].astype(object)
    frame.loc[8, "open"] = "n/a"
    problems = refused(
        tmp_path, frame, "line 5, close = -1", "above 0, at time 2024-02-01T03:00:00Z", "line 7, high", "line 5, low",
        "line 10, open", "line 9, volume = -2", "1 more such rows",
    )  # fmt: skip
    assert len(problems) >= 5


def test_files_that_are_none(tmp_path):
    for frame, words in (
        (bars().rename(columns={"close": "Clos"}), ["close: missing column", "Clos"]),
        (bars(rows=2), ["at least 3 are needed"]),
        (bars().assign(time="yesterday"), ["line 2, time", "399 more such rows"]),
        (bars().assign(close="?"), ["line 2, close"]),
    ):
        refused(tmp_path, frame, *words)
    (tmp_path / "prices.csv").write_text("")
    with pytest.raises(ConfigError, match="is empty"):
        read_price_file(tmp_path / "prices.csv")
    with pytest.raises(ConfigError, match=r'no such file \(did you mean "prices.csv"'):
        read_price_file(tmp_path / "price.csv")


@pytest.mark.slow
def test_real_files():
    """Every file of bars is read; the gaps that its documentation states are found, and those of one it does not mention."""
    if not PRICES.exists():
        pytest.skip(f"no price files in {PRICES}")
    found = {path.name: read_price_file(path) for path in sorted(PRICES.glob("*.csv.gz")) if "funding" not in path.name}
    assert len(found) >= 14
    hourly = found["btc_perp_1h_2019_2026.csv.gz"]
    assert "5 gaps, 1,248 bars missing" in hourly.findings[0]
    assert "2020-03-08T00:00Z to 2020-03-21T00:00Z (312 bars)" in hourly.findings[0]
    assert np.nanmax(np.abs(hourly.returns())) < 0.2
    minutes = found["btc_spot_1m_202104.csv.gz"]
    assert "2 gaps, 6 bars missing" in minutes.findings[0]
    with pytest.raises(ConfigError, match="has to be above 0"):
        read_price_file(PRICES / "btc_funding_8h_2019_2026.csv.gz")

"""Days of hours and their moments: by hand on a few days, and on simulated histories against closed forms."""

import math

import numpy as np
import pytest

from jaxrisk.calibration.indirect.bars import DayBars, day_bars
from jaxrisk.calibration.indirect.histories import PER_HOUR, histories
from jaxrisk.calibration.indirect.moments import day_sums, extremes, hourly, kinds, moments
from jaxrisk.data.price_file import PriceFile
from jaxrisk.market import GBM

DAY = np.timedelta64(86400, "s")


def price_file(close, step=3600, start="2024-01-01") -> PriceFile:
    """Bars that open at the close before, without wicks."""
    close = np.asarray(close, float)
    time = np.datetime64(start, "s") + np.arange(len(close)) * np.timedelta64(step, "s")
    opening = np.concatenate([close[:1], close[:-1]])
    return PriceFile(
        "made", time, step, opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(len(close)), []
    )


def test_bars_of_a_quarter_make_hours_and_an_hour_that_misses_one_is_missing():
    close = 100.0 + np.arange(4 * 24 * 2) % 7
    whole = price_file(close, step=900)
    keep = np.arange(len(close)) != 4 * 24 + 5  # the second quarter of 01:00 of the second day
    bars = day_bars(
        whole._replace(**{name: getattr(whole, name)[keep] for name in ("time", "open", "high", "low", "close", "volume")})
    )
    assert bars.complete.tolist() == [True, False]
    assert np.flatnonzero(~np.isfinite(bars.close[1])).tolist() == [1]
    np.testing.assert_allclose(np.exp(bars.close[0]), close[3:96:4])
    np.testing.assert_allclose(np.exp(bars.high[0, 1]), max(close[3:8]))
    np.testing.assert_allclose(np.exp(bars.low[0, 1]), min(close[3:8]))
    np.testing.assert_allclose(np.exp(bars.open[0, 1]), close[3])
    assert bars.dates[0] == np.datetime64("2024-01-01")
    cut = bars.between("2024-01-02", "2024-01-03")
    assert len(cut.close) == 1
    assert cut.first == np.datetime64("2024-01-02")


def test_bars_that_do_not_divide_an_hour_are_refused():
    with pytest.raises(ValueError, match="2400 s do not divide an hour"):
        day_bars(price_file(np.ones(40), step=2400))


def test_extremes_respect_the_order_of_high_and_low():
    """A low before the high is no fall; within an hour only what lies below its open counts."""
    opening = np.log([[100.0, 90.0, 120.0], [100.0, 100.0, 100.0]])
    high, low = np.log([[100.0, 120.0, 120.0], [130.0, 100.0, 100.0]]), np.log([[90.0, 90.0, 110.0], [95.0, 100.0, 91.0]])
    fall, rise = extremes(opening, high, low)
    # 100 to 90, then 120 to 110; 130 in the first hour (whose own low is 95 below its open) to 91
    np.testing.assert_allclose(fall, [0.10, 1.0 - 91.0 / 130.0])
    # 90 to 120; from the first day's open, since its 95 and 130 are of one hour
    np.testing.assert_allclose(rise, [120.0 / 90.0 - 1.0, 0.30])


def test_what_an_hour_regains():
    """Of a fall from 100 to 94 that closes at 97 half is made up, in log prices."""
    opening, high, low, close = (np.log([[x, 97.0]]) for x in (100.0, 100.0, 94.0, 97.0))
    opening[0, 1], high[0, 1], low[0, 1], close[0, 1] = np.log([97.0, 97.0, 97.0, 97.0])
    returns = np.diff(np.concatenate([opening[:, :1], close], axis=1), axis=1)
    above, below = day_sums(opening, high, low, close, returns).each["regained 5%"]
    assert below.tolist() == [1.0]
    np.testing.assert_allclose(above, math.log(97 / 94) / math.log(100 / 94))
    assert day_sums(opening, high, low, close, returns).each["regained 8%"][1].tolist() == [0.0]


def test_half_of_the_days_are_ordinary_and_close_outs_are_the_share_of_openings():
    """Prices that fall by 6% on every tenth day and come back: a long at ten times is closed out on a tenth of the days."""
    rng = np.random.default_rng(1)
    days = 400
    hours = rng.normal(0.0, 1e-4, (days, 24)).cumsum(axis=1) - np.linspace(0.0, 1e-3, 24)
    hours[::10, 12] -= 0.06
    flat = np.exp(hours).ravel()
    bars = day_bars(price_file(100.0 * flat))
    usable, ordinary = kinds(bars)
    assert usable.sum() >= 300
    assert abs(ordinary.sum() - usable.sum() / 2) <= 1
    found = dict(zip(moments(bars).names, moments(bars).values, strict=True))
    np.testing.assert_allclose(found["long 10x 1d"], 10.0, atol=0.3)
    assert found["long 5x 1d"] == 0.0
    np.testing.assert_allclose(found["long 10x 5d"], 50.0, atol=1.0)
    np.testing.assert_allclose(found["fall 0.05"], usable[::10].sum(), atol=0)


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="at least 180"):
        moments(day_bars(price_file(100.0 + np.arange(24 * 60) % 5)))


def test_histories_of_a_brownian_motion():
    """Variance of hourly returns, Parkinson's range and the holes of a record. Each bound is five standard errors or more."""
    volatility, days, count = 0.8, 40, 128
    drawn = histories(GBM([0.0], [volatility], np.eye(1)), days, count, seed=5)
    assert drawn.bars.shape == (4, count, days, 24)
    opening, high, low, close = drawn.bars
    returns = close - opening
    variance, size = volatility**2 / 8760, returns.size
    np.testing.assert_allclose(np.mean(returns**2), variance, rtol=5.0 * math.sqrt(2.0 / size))
    # quarters' extremes are drawn each by itself, so that the range is a little small; of hours that is below 3%
    spread = np.mean((high - low) ** 2) / (4.0 * math.log(2.0) * variance)
    assert 0.95 < spread < 1.01, (spread, PER_HOUR)
    np.testing.assert_allclose(opening[:, :, 1:], close[:, :, :-1], atol=1e-6)
    assert np.all(high >= np.maximum(opening, close))
    assert np.all(low <= np.minimum(opening, close))
    other = histories(GBM([0.0], [volatility], np.eye(1)), days, count, seed=6)
    assert abs(np.corrcoef(returns.ravel(), (other.bars[3] - other.bars[0]).ravel())[0, 1]) < 5.0 / math.sqrt(size)
    missing = np.zeros((days, 24), bool)
    missing[3, 4] = True
    record = drawn.record(2, missing)
    assert isinstance(record, DayBars)
    assert record.complete.sum() == days - 1
    assert np.isfinite(hourly(record)[1]).sum() == days - 2  # the first day, and that with the hole

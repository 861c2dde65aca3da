"""An event of made-up prices, small enough to check by hand."""

import numpy as np
import pytest
from recorded import DATA

START = np.datetime64("2024-03-01T12:00:00", "s")

EVENT = """
name = "made up"
asset = "BTC"

[prices]
file = "fine.csv"
history = "hourly.csv"

[window]
start = 2024-03-01T12:00:00Z

[before]
open_interest = 1000.0
open_interest_at = 2024-03-01T00:00:00Z
venue_share = 0.5

[after]
open_interest = 900.0
open_interest_at = 2024-03-02T12:00:00Z
long_share = 0.8

[[after.liquidations]]
usd = [1e6, 2e6]
scope = "all assets"
asset_share = [0.3, 0.5]
kappa = [6, 17]
"""


def write_bars(path, first, step, closes, volume=10.0):
    """Bars that open at the close before, with highs and lows 0.1% outside."""
    closes = np.asarray(closes, np.float64)
    opens = np.concatenate([closes[:1], closes[:-1]])
    times = first + (np.arange(len(closes)) * step).astype("timedelta64[s]")
    rows = zip(times, opens, np.maximum(opens, closes) * 1.001, np.minimum(opens, closes) * 0.999, closes, strict=True)
    lines = [f"{t}Z,{o:.8f},{h:.8f},{low:.8f},{c:.8f},{volume}" for t, o, h, low, c in rows]
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(lines) + "\n")


def hourly_closes(hours, seed=3, volatility=0.005):
    """Prices near 100, of Gaussian hourly returns."""
    return 100.0 * np.exp(np.cumsum(volatility * np.random.default_rng(seed).standard_normal(hours)))


def fine_closes(steps_before, steps_after):
    """100 up to the start; then up to 110 after one step of five minutes, 88 after two hours, 99 after four."""
    after = np.arange(1, steps_after + 1)
    return np.concatenate([np.full(steps_before, 100.0), np.interp(after, [1, 24, 48], [110.0, 88.0, 99.0])])


@pytest.fixture
def folder(tmp_path):
    """A folder with the event and its prices: five-minute bars over two days, and hourly bars from 60 days before on."""
    first = START - np.timedelta64(3600, "s")
    write_bars(tmp_path / "fine.csv", first, 300, fine_closes(12, 48 * 12))
    write_bars(tmp_path / "hourly.csv", START - np.timedelta64(60 * 24, "h"), 3600, hourly_closes(62 * 24))
    (tmp_path / "event.toml").write_text(EVENT)
    return tmp_path


@pytest.fixture
def data():
    """The folder of the real data."""
    if not (DATA / "events.csv").exists():
        pytest.skip(f"no real data in {DATA}")
    return DATA

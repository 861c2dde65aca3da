"""What can be run but is likely not meant is said, by `check` and `load`; the shipped scenarios have none of it."""

import pytest

from jaxrisk.cli import main
from jaxrisk.config import doubts, load
from jaxrisk.paths import names

LONGS = "populations.retail_long"
MORE = "most of its open interest wants more leverage than binance allows for its size, 75; it is taken at that"
SAID = [
    ({f"{LONGS}.median": 200.0, f"{LONGS}.high": 5000.0}, f"{LONGS}: at a median of 200 {MORE}"),
    ({f"{LONGS}.median": 5000.0}, f"{LONGS}: at a median of 5000 {MORE}"),
    ({f"{LONGS}.median": 60.0, f"{LONGS}.high": 50.0}, "more leverage than its key high says, 50"),
    ({f"{LONGS}.median": 60.0, f"{LONGS}.high": 500.0, f"{LONGS}.log_sd": 0.5}, f"{LONGS}: 33% of its open interest wants more"),
    ({LONGS: {"kind": "histogram", "venue": "binance", "asset": "BTC", "side": "long", "open_interest": 1e9,
              "leverage": [5.0, 200.0], "share": [0.6, 0.4]}}, f"{LONGS}: 40% of its open interest wants more leverage"),
    ({f"{LONGS}.open_interest": 9e14}, "days of its volume; is it, or the volume, in coins where dollars are asked"),
]  # fmt: skip


@pytest.mark.parametrize("name", names("scenarios"))
def test_shipped_scenarios_raise_no_doubt(name):
    assert doubts(name) == []


@pytest.mark.parametrize(("overrides", "words"), SAID)
def test_a_doubt_is_said_once(overrides, words):
    [line] = doubts("btc_24h", overrides)
    assert words in line


def test_what_a_venue_allows_raises_no_doubt():
    """Up to its highest leverage, and a hundredth of the open interest beyond it."""
    assert doubts("btc_24h", {f"{LONGS}.high": 150.0}) == []
    assert doubts("btc_24h", {f"{LONGS}.median": 75.0, f"{LONGS}.high": 75.0, f"{LONGS}.log_sd": 0.0}) == []


def test_dollars_where_coins_are_asked(folder):
    """4,000 times too many coins: 13,000 days of volume."""
    rows = ("venue,asset,side,quantity,entry_price,leverage", "binance,BTC,long,5e9,78000,5", "binance,BTC,short,5e9,78000,5")
    folder.file("a.csv", "\n".join(rows))
    path = folder.scenario(**{"populations": {"all": {"kind": "accounts", "file": "a.csv"}}, "limits": folder.MISSING})
    [line] = doubts(path)
    assert "13,000 days of its volume; is quantity in dollars where coins are asked" in line


def test_check_and_load_tell_it(folder, capsys):
    change = {f"populations.{name}.open_interest": 4e14 for name in ("retail",)}
    path = folder.scenario(**change)
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{path}: no problems"
    assert out[1].startswith(f"{path}: doubt: open interest of BTC")
    with pytest.warns(UserWarning, match="days of its volume"):
        load(path)

"""The eight events that ship: dated by the rule, and their facts those of the data."""

import csv
import gzip

import numpy as np
import pytest

from jaxrisk.backtest.events.competitors import bootstrap, garch
from jaxrisk.backtest.events.event import alarm, read_event, shipped_events

# drawdown of five-minute closes (fifteen in 2025) from the alarm's start, 24 h; rebound after the low; open-interest loss
OBSERVED = {
    "2021-04-18": (0.1062, 0.0883, 0.1245),
    "2021-05-19": (0.2646, 0.3336, 0.2297),
    "2021-09-07": (0.1519, 0.0691, 0.2049),
    "2022-06-13": (0.1826, 0.0371, 0.0693),
    "2022-11-08": (0.1421, 0.0568, 0.1141),
    "2023-08-17": (0.1248, 0.0665, 0.1510),
    "2024-08-05": (0.1547, 0.1385, 0.1242),
    "2025-02-03": (0.0465, 0.0988, None),
}


@pytest.fixture(scope="module")
def events():
    from .conftest import DATA

    if not (DATA / "events.csv").exists():
        pytest.skip(f"no real data in {DATA}")
    return {name: read_event(name, DATA) for name in shipped_events()}


@pytest.mark.slow
def test_all_eight_are_read_and_what_was_observed_is_what_the_documents_say(events):
    assert list(events) == list(OBSERVED)
    for name, event in events.items():
        seen, (drawdown, rebound, loss) = event.observed(), OBSERVED[name]
        assert seen.drawdown == pytest.approx(drawdown, abs=1e-4), name
        assert seen.rebound == pytest.approx(rebound, abs=1e-4), name
        assert seen.open_interest_loss == (None if loss is None else pytest.approx(loss, abs=1e-4)), name
        assert event.scenario == "btc_24h"
        assert event.sources


@pytest.mark.slow
def test_every_start_is_the_rules(events):
    for name, event in events.items():
        assert alarm(event._prices, event.history, name) == event.start, name


def test_no_event_knows_what_came_after_its_start(events):
    for name, event in events.items():
        assert event.history.closes()[0][-1] <= event.start, name
        assert event.before.open_interest_at <= event.start, name


def test_open_interest_is_that_of_the_daily_file(events, data):
    """The label of a day is its end: dollars over that day's close are the coins of the files."""
    with gzip.open(data / "open_interest/btc_oi_funding_1d_2019_2024.csv.gz", "rt") as file:
        rows = {row["time"][:10]: row for row in csv.DictReader(file)}
    coins = lambda end: float(rows[str(end - 1)]["oi_usd"]) / float(rows[str(end - 1)]["btc_close"])
    for name, event in events.items():
        if name == "2025-02-03":
            continue
        day = np.datetime64(name, "D")
        assert event.before.open_interest == pytest.approx(coins(event.before.open_interest_at.astype("datetime64[D]")), abs=2.0)
        assert event.observed().open_interest_loss == pytest.approx(1.0 - coins(day + 1) / coins(day), abs=1e-5)


def test_reported_liquidations_carry_their_censoring(events):
    for name, event in events.items():
        for report in event.observed().reported:
            assert (report.kappa == (6.0, 17.0)) == (name > "2022"), name
            # what is said to have been liquidated can have been: the lowest reading is below all open interest
            lowest = report.amount[0] * report.asset_share[0] * report.kappa[0]
            assert lowest < event.before.open_interest * event.price, name
    assert not events["2023-08-17"].observed().reported


def test_an_event_that_ships_nowhere_is_read_the_same_way(data, tmp_path):
    """Ether, February 2025, from its own files; the history is the fine file itself, taken by the hour."""
    (tmp_path / "ether.toml").write_text("""
        name = "ether"
        asset = "ETH"
        scenario = "btc_eth_sol_7d"
        [prices]
        file = "prices/eth_perp_15m_202502.csv.gz"
        history = "prices/eth_perp_15m_202502.csv.gz"
        [window]
        start = 2025-02-14T00:15:00Z
        [before]
        open_interest = 3e6
        open_interest_at = 2025-02-13T00:00:00Z
        venue_share = 0.4
        volatility = 0.9
        daily_volume = 3e10
    """)
    event = read_event(tmp_path / "ether.toml", data)
    assert event.history.step == 3600
    assert event.before.venue_share == 0.4
    for forecast in (garch, bootstrap):
        drawdown = forecast(event, "conditional", 500).drawdown
        assert 0.005 < np.median(drawdown) < 0.2

"""Event files: what is read, what is computed of it, and that nothing from after the start is."""

from dataclasses import replace

import numpy as np
import pytest

from jaxrisk.backtest.events.competitors import bootstrap, garch
from jaxrisk.backtest.events.event import alarm, overlaps, read_event, shipped_events
from jaxrisk.backtest.events.keys import Reported
from jaxrisk.data.price_file import read_price_file
from jaxrisk.problems import ConfigError

from .conftest import EVENT, START, fine_closes, hourly_closes, write_bars


def problems(folder, text):
    """What is said of an event file."""
    (folder / "event.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_event(folder / "event.toml", folder)
    return [str(problem) for problem in error.value.problems]


def test_what_is_observed_is_what_the_prices_did(folder):
    event = read_event(folder / "event.toml", folder)
    seen = event.observed()
    assert event.price == pytest.approx(100.0)
    assert seen.drawdown == pytest.approx(1.0 - 88.0 / 110.0)
    assert seen.low == pytest.approx(88.0)
    assert seen.low_at == START + np.timedelta64(2, "h")
    assert seen.rebound == pytest.approx(99.0 / 88.0 - 1.0)
    assert seen.open_interest_loss == pytest.approx(0.1)
    assert seen.long_share == 0.8
    assert seen.reported == (Reported((1e6, 2e6), "all assets", False, "both", (0.3, 0.5), (6.0, 17.0), False),)


def test_given_is_the_first_half_hour_of_the_path(folder):
    event = read_event(folder / "event.toml", folder)
    assert event.grid == 300
    assert len(event.path()) == 289
    assert np.array_equal(event.given(), event.path()[:7])
    assert event.given()[0] == 0.0
    assert event.given()[1] == pytest.approx(np.log(1.1))


@pytest.mark.parametrize(("step", "grid"), [(60, 300), (180, 300), (300, 300), (900, 900)])
def test_grid_is_five_minutes_or_the_step_of_the_file(folder, step, grid):
    bars = 49 * 3600 // step
    closes = 100.0 + np.arange(bars)
    write_bars(folder / "fine.csv", START - np.timedelta64(3600, "s"), step, closes)
    event = read_event(folder / "event.toml", folder)
    assert event.grid == grid
    # the bar that is closed at the time is the last one counted
    seconds = 3600 + np.arange(0, 1801, grid)
    assert event.price * np.exp(event.given()) == pytest.approx(closes[seconds // step - 1])


def test_volatility_and_volume_are_of_the_30_days_before(folder):
    event = read_event(folder / "event.toml", folder)
    closes = hourly_closes(62 * 24)[: 60 * 24]
    returns = np.diff(np.log(closes))[-720:]
    assert event.before.volatility == pytest.approx(np.sqrt(np.mean(returns**2) * 8760.0), rel=1e-6)
    usd = (10.0 * closes[-720:]).reshape(30, 24).sum(axis=1)
    assert event.before.daily_volume == pytest.approx(np.median(usd) / 0.5)


@pytest.mark.slow
def test_nothing_after_the_start_is_known_before_it(folder):
    """Prices after the start are replaced by others: what was known, and forecasts from it, stay the same to the bit."""
    first = read_event(folder / "event.toml", folder)
    closes = hourly_closes(62 * 24)
    closes[60 * 24 :] *= np.linspace(1.0, 0.5, 48)
    write_bars(folder / "hourly.csv", START - np.timedelta64(60 * 24, "h"), 3600, closes)
    fine = fine_closes(12, 48 * 12)
    fine[12 + 6 :] *= np.linspace(1.0, 0.7, len(fine) - 18)
    write_bars(folder / "fine.csv", START - np.timedelta64(3600, "s"), 300, fine)
    second = read_event(folder / "event.toml", folder)
    assert second.observed() != first.observed()
    assert second.before == first.before
    assert second.history.closes()[0][-1] <= START
    assert np.array_equal(second.given(), first.given())
    for forecast in (garch, bootstrap):
        for kind in ("conditional", "unconditional"):
            one, two = forecast(first, kind, 200), forecast(second, kind, 200)
            assert np.array_equal(one.drawdown, two.drawdown)


def test_all_problems_are_told_at_once_with_the_nearest_spelling(folder):
    text = EVENT.replace("venue_share = 0.5", "venue_shar = 0.5\nopen_interst = 3")
    text = text.replace('asset = "BTC"', 'asset = 3\nscenario = "btc_24"').replace("usd = [1e6, 2e6]", "usd = [2e6, 1e6]")
    text = text.replace('file = "fine.csv"', 'file = "fin.csv"').replace("2024-03-01T00:00:00Z", "2024-03-01T13:00:00Z")
    text = text.replace("long_share = 0.8", "long_share = 1.8\n[befor]\nx = 1")
    said = "\n".join(problems(folder, text))
    for part in (
        'before.venue_shar = 0.5: unknown key', 'did you mean "venue_share"', "before.venue_share: missing",
        'did you mean "open_interest"', "asset = 3: has to be text", 'did you mean "btc_24h"', "after.liquidations[0].usd",
        'did you mean "fine.csv"', "not known before it", "after.long_share = 1.8", 'did you mean "before"',
    ):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("12:00:00Z\n\n[before]", '12:00:00Z\nhorizon = "24x"\n\n[before]', "has to be a duration"),
        ("12:00:00Z\n\n[before]", '12:00:00Z\ngiven = "2d"\n\n[before]', "has to be shorter than window.horizon"),
        ("12:00:00Z\n\n[before]", '12:00:00Z\ngiven = "7min"\n\n[before]', "multiple of 5 min"),
        ("12:00:00Z\n\n[before]", '12:00:00Z\nhorizon = "9d"\n\n[before]', "the price file has to cover"),
        ("start = 2024-03-01T12:00:00Z", 'start = "soon"', "has to be a time in UTC"),
        ("open_interest_at = 2024-03-02T12:00:00Z", "", "belong together"),
        ("2024-03-02T12:00:00Z", "2024-03-01T11:00:00Z", "has to be after window.start"),
        ("2024-03-02T12:00:00Z", "2024-03-03T12:05:00Z", "by 2024-03-03T12:00:00Z"),
        ('asset = "BTC"', 'asset = "BTCC"', 'did you mean "BTC"'),
        ('asset = "BTC"', 'asset = "ETH"', "has to be an asset of the scenario btc_24h: BTC"),
        ("usd = [1e6, 2e6]", "usd = 1e6\ncoins = 10", "one of usd and coins"),
        ("usd = [1e6, 2e6]", 'usd = 1e6\nside = "longs"', 'did you mean "long"'),
        ("venue_share = 0.5", "venue_share = 0.5\nvenues = { a = 0.5, b = 0.2 }", "add up to 0.7"),
        ("[prices]", "[prices", "is not valid TOML"),
    ],
)
def test_each_thing_wrong_is_named(folder, old, new, part):
    assert old in EVENT
    assert any(part in line for line in problems(folder, EVENT.replace(old, new, 1)))


def test_a_low_that_is_not_the_prices_is_a_finding(folder):
    near, far = ("low = 87.0\n[[after", "low = 60.0\n[[after")
    (folder / "event.toml").write_text(EVENT.replace("[[after", near))
    assert not any("more than 5% apart" in text for text in read_event(folder / "event.toml", folder).findings)
    (folder / "event.toml").write_text(EVENT.replace("[[after", far))
    assert any("more than 5% apart" in text for text in read_event(folder / "event.toml", folder).findings)


def test_what_is_recorded_and_not_used_is_said(folder):
    assert not any("not used" in text for text in read_event(folder / "event.toml", folder).findings)
    text = "venue_share = 0.5\ndepth = 1e8\nfunding = 0.0001\nvenues = { a = 0.5, b = 0.5 }"
    (folder / "event.toml").write_text(EVENT.replace("venue_share = 0.5", text))
    said = [text for text in read_event(folder / "event.toml", folder).findings if "recorded, not used by the engine yet" in text]
    assert ["depth" in said[0], "venues" in said[1], len(said)] == [True, True, 2]


def test_rebound_is_of_the_grid_on_which_it_is_forecast(folder):
    """A minute's spike between two points of the grid is no rebound, since no forecast would have seen it."""
    minutes = 49 * 60
    closes = np.interp(np.arange(1, minutes + 1), [60, 65, 180, 300], [100.0, 110.0, 88.0, 99.0])
    closes[60 + 122] = 130.0
    write_bars(folder / "fine.csv", START - np.timedelta64(3600, "s"), 60, closes)
    assert read_event(folder / "event.toml", folder).observed().rebound == pytest.approx(99.0 / 88.0 - 1.0, rel=1e-3)


def test_events_overlap_by_name_or_time(folder):
    """Up to a day after the horizon, whichever of the two is first."""
    one = read_event(folder / "event.toml", folder)
    later = lambda hours: replace(one, name="another", asset="ETH", start=one.start + np.timedelta64(hours, "h"))
    assert [overlaps(one, later(hours)) for hours in (0, 47, 48)] == [True, True, False]
    assert [overlaps(later(hours), one) for hours in (-47, -48)] == [True, False]
    assert overlaps(one, replace(later(100), name=one.name))


def test_a_hole_in_the_window_is_refused(folder):
    lines = (folder / "fine.csv").read_text().splitlines()
    (folder / "fine.csv").write_text("\n".join(lines[:30] + lines[60:]) + "\n")
    assert any("of the window are missing" in line for line in problems(folder, EVENT))


def test_too_short_a_history_asks_for_what_it_cannot_tell(folder):
    write_bars(folder / "hourly.csv", START - np.timedelta64(100, "h"), 3600, hourly_closes(120))
    said = "\n".join(problems(folder, EVENT))
    assert "give before.volatility" in said
    text = EVENT.replace("venue_share = 0.5", "venue_share = 0.5\nvolatility = 0.6\ndaily_volume = 1e9")
    (folder / "event.toml").write_text(text)
    assert read_event(folder / "event.toml", folder).before[3:5] == (1e9, 0.6)


def test_a_finer_history_is_taken_by_the_hour_complete_hours_only(folder):
    first = read_event(folder / "event.toml", folder)
    closes = hourly_closes(62 * 24)
    finer = np.exp(np.interp(np.arange(1, 62 * 96 + 1) / 4.0 - 1.0, np.arange(62 * 24), np.log(closes)))
    write_bars(folder / "hourly.csv", START - np.timedelta64(60 * 24, "h"), 900, finer, volume=2.5)
    lines = (folder / "hourly.csv").read_text().splitlines()
    (folder / "hourly.csv").write_text("\n".join(lines[:10] + lines[11:]) + "\n")
    second = read_event(folder / "event.toml", folder)
    assert second.history.step == 3600
    assert len(second.history.time) == len(first.history.time) - 1
    assert second.history.close == pytest.approx(np.delete(first.history.close, 2))
    assert second.before.volatility == pytest.approx(first.before.volatility)
    assert np.all(np.isfinite(garch(second, "conditional", 100).drawdown))


def test_a_shipped_event_is_found_by_name_and_its_files_by_the_data_folder(folder):
    assert len(shipped_events()) == 8
    with pytest.raises(ConfigError, match="give its folder with --data"):
        read_event("2024-08-05", folder)
    with pytest.raises(ConfigError, match='did you mean "2024-08-05"'):
        read_event("2024-08-06", folder)


def test_files_that_are_there_from_the_folder_above_are_said(folder):
    (folder / "inner").mkdir()
    (folder / "event.toml").rename(folder / "inner" / "event.toml")
    (folder / "other").mkdir()
    with pytest.raises(ConfigError) as caught:
        read_event(folder / "inner" / "event.toml", folder / "other")
    said = str(caught.value)
    assert f"it is there from the folder above: --data {folder}" in said


def test_alarm_is_half_an_hour_before_the_first_fall_of_four_deviations(folder):
    closes = np.full(12 + 48 * 12, 100.0)
    history = read_price_file(folder / "hourly.csv")
    # 4 deviations of half an hour: 4 x 0.5% / root 2 is 1.41%
    closes[12 + 40 :] = 100.0 * np.exp(-0.0130)
    write_bars(folder / "fine.csv", START - np.timedelta64(3600, "s"), 300, closes)
    assert alarm(read_price_file(folder / "fine.csv"), history, "2024-03-01") is None
    closes[12 + 40 :] = 100.0 * np.exp(-0.0155)
    write_bars(folder / "fine.csv", START - np.timedelta64(3600, "s"), 300, closes)
    found = alarm(read_price_file(folder / "fine.csv"), history, "2024-03-01")
    assert found == START + np.timedelta64(41 * 300 - 1800, "s")

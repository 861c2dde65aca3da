"""`jaxrisk backtest`: all problems before anything is run, exit codes, and what is written; the engine's part is a stand-in."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from jaxrisk.backtest.scores import Samples
from jaxrisk.cli.backtest import backtest
from jaxrisk.cli.backtest_arguments import Backtest
from jaxrisk.cli.exit_codes import BAD_INPUT, OK

from .conftest import START, hourly_closes, write_bars


def write_history(folder, days):
    """So many days of hourly bars before the start, and two after."""
    write_bars(folder / "hourly.csv", START - np.timedelta64(days * 24, "h"), 3600, hourly_closes((days + 2) * 24))


@pytest.fixture
def folder(folder):
    """With enough history for the engine."""
    write_history(folder, 230)
    return folder


@pytest.fixture
def stand_in(monkeypatch):
    """A forecast of the right drawdown, fitted on an event named `fitted on`."""
    import jaxrisk.backtest.events.run  # noqa: F401 (else it would be made of the stand-ins)

    forecast, parameters = ModuleType("forecast"), ModuleType("parameters")

    def make(event, fitted, *, kind, paths, seed, feedback, refitted):
        drawdown = np.random.default_rng(seed).uniform(0.1, 0.3, paths)
        return Samples(drawdown if feedback else 0.5 * drawdown, rebound=drawdown)

    forecast.forecast = make
    parameters.read_fitted = lambda path, without: SimpleNamespace(has_seen=lambda event: event.name == "fitted on")
    monkeypatch.setitem(sys.modules, "jaxrisk.backtest.events.forecast", forecast)
    monkeypatch.setitem(sys.modules, "jaxrisk.backtest.events.parameters", parameters)


def test_the_table_is_shown_and_written(folder, stand_in, capsys):
    out, plot = folder / "new" / "scores.csv", folder / "scores.png"
    command = Backtest((str(folder / "event.toml"),), data=folder, paths="500", out=out, plot=plot)
    assert backtest(command, []) == OK
    said = capsys.readouterr().out
    assert "Drawdown, conditional: the engine" in said
    assert "feedback off" in said
    assert "IN SAMPLE" not in said
    assert out.read_text().startswith("event,forecast,kind,quantity,observed")
    assert plot.stat().st_size > 10_000
    # nothing is overwritten unasked
    assert backtest(command, []) == BAD_INPUT
    assert "exists already" in capsys.readouterr().err


def test_json_holds_everything(folder, stand_in):
    out = folder / "scores.json"
    assert backtest(Backtest((str(folder / "event.toml"),), data=folder, paths="200", out=out), []) == OK
    assert "made up" in json.dumps(json.loads(out.read_text()))


def test_an_event_that_was_fitted_on_is_refused_unless_said(folder, stand_in, capsys):
    file = folder / "event.toml"
    file.write_text(file.read_text().replace("made up", "fitted on"))
    command = Backtest((str(file),), data=folder, paths="200")
    assert backtest(command, []) == BAD_INPUT
    assert "the numbers were fitted on this event" in capsys.readouterr().err
    command.in_sample = True
    assert backtest(command, []) == OK
    assert "IN SAMPLE: the numbers were fitted on fitted on" in capsys.readouterr().out


def test_all_problems_are_said_before_anything_is_run(folder, stand_in, capsys):
    file = folder / "event.toml"
    file.write_text(file.read_text().replace("venue_share", "venue_shar"))
    command = Backtest((str(file), "2024-08-06"), data=folder, paths="3", out=folder / "scores.xls", plot=folder / "scores.gif")
    assert backtest(command, ["command line: --sead: unknown"]) == BAD_INPUT
    said = capsys.readouterr()
    for part in ("--sead", 'mean "venue_share"', 'mean "2024-08-05"', "--paths", "has to end in .csv", "has to end in .png"):
        assert part in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize("events", [(), ("event.toml", "event.toml")])
def test_events_are_needed_and_named_apart(folder, stand_in, capsys, events):
    assert backtest(Backtest(tuple(str(folder / name) for name in events), data=folder), []) == BAD_INPUT
    assert "EVENT" in capsys.readouterr().err


def test_a_data_folder_has_to_be_one(folder, stand_in, capsys):
    assert backtest(Backtest((str(folder / "event.toml"),), data=folder / "nowhere"), []) == BAD_INPUT
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scenario", "days", "missing", "part"),
    [
        ("btc_eth_sol_7d", 230, 0, "has several assets"),
        ("btc_24h", 224, 0, "at least 180 are needed"),
        ("btc_24h", 230, 2, "too many hours of the last 1 days"),
    ],
)
def test_an_event_that_the_engine_cannot_forecast_is_refused_with_the_rest(
    folder, stand_in, capsys, scenario, days, missing, part
):
    """One line in the batch of problems, and nothing is run."""
    file = folder / "event.toml"
    file.write_text(file.read_text().replace('asset = "BTC"', f'asset = "BTC"\nscenario = "{scenario}"'))
    write_history(folder, days)
    lines = (folder / "hourly.csv").read_text().splitlines()
    last = days * 24 - 5
    (folder / "hourly.csv").write_text("\n".join(lines[:last] + lines[last + missing :]) + "\n")
    assert backtest(Backtest((str(file), "2024-08-06"), data=folder, paths="200"), []) == BAD_INPUT
    said = capsys.readouterr()
    assert part in said.err
    assert 'mean "2024-08-05"' in said.err
    assert said.out == ""


def test_225_days_of_history_are_enough(folder, stand_in):
    write_history(folder, 226)  # the first hour of a file has no return
    assert backtest(Backtest((str(folder / "event.toml"),), data=folder, paths="200"), []) == OK

"""The score table: averages on common events, and in words who is beaten."""

import math
from dataclasses import replace

import numpy as np
import pytest

from jaxrisk.backtest.events import run
from jaxrisk.backtest.events.competitors import fit_garch
from jaxrisk.backtest.events.event import read_event
from jaxrisk.backtest.events.run import KINDS, backtest
from jaxrisk.backtest.events.scored import Score, score
from jaxrisk.backtest.events.table import averages, comparisons, score_table, verdicts
from jaxrisk.backtest.scores import Samples, crps

from .conftest import EVENT


def moved(event, days, name):
    """The same event earlier, under another name."""
    back = np.timedelta64(round(days * 86400), "s")
    prices = event._prices._replace(time=event._prices.time - back)
    return replace(event, name=name, start=event.start - back, _prices=prices)


def one(event, forecast, value, quantity="drawdown", kind="conditional", inside=True):
    return Score(event, forecast, kind, quantity, 0.1, 0.1, 0.05, 0.2, 0.5, inside, inside, value, value)


SCORES = [
    one("a", "engine", 0.02), one("b", "engine", 0.03, inside=False),
    one("a", "GARCH-t", 0.05), one("b", "GARCH-t", 0.04), one("c", "GARCH-t", 9.0),
    one("a", "bootstrap", 0.01), one("b", "bootstrap", 0.02),
]  # fmt: skip


def test_averages_are_on_the_events_all_have():
    by_name = {average.forecast: average for average in averages(SCORES)}
    assert by_name["GARCH-t"].crps == pytest.approx(0.045)
    assert by_name["engine"].events == by_name["GARCH-t"].events == 2
    assert (by_name["engine"].in_90, by_name["engine"].scored) == (1, 2)


def test_verdicts_say_whom_the_engine_does_not_beat():
    garch, bootstrap = comparisons(SCORES)
    assert garch.beaten
    assert not bootstrap.beaten
    assert garch.difference == pytest.approx(0.02)
    assert garch.error == pytest.approx(np.std([0.03, 0.01], ddof=1) / math.sqrt(2))
    (line,) = verdicts(SCORES)
    assert line == "Drawdown, conditional: the engine, CRPS 0.0250, beats GARCH-t 0.0450; it DOES NOT BEAT bootstrap 0.0150."


def test_sizes_are_compared_by_log_score():
    sizes = [one("a", "engine", 2.0, "liquidations")._replace(crps=math.nan), one("a", "feedback off", 3.0, "liquidations")]
    (found,) = comparisons(sizes)
    assert found.measure == "log_score"
    assert found.beaten
    assert "the engine, log score 2.0000, beats feedback off 3.0000." in verdicts(sizes)[0]


def test_the_table_has_every_event_and_every_number():
    table = score_table(SCORES, "A back-test")
    text = str(table)
    assert "DOES NOT BEAT bootstrap" in text
    assert "CRPS engine" in text
    assert "+0.0200" in text
    assert "10.0%" in text
    frame = table.to_dataframe()
    assert len(frame) == len(SCORES)
    assert {"event", "forecast", "kind", "quantity", "pit", "in_90", "crps", "log_score"} <= set(frame.columns)
    with pytest.raises(ValueError, match="nothing was scored"):
        score_table([])


def test_score_is_of_what_both_forecast_and_event_say(folder):
    event = read_event(folder / "event.toml", folder)
    samples = Samples(np.linspace(0.1, 0.3, 101), liquidations=np.full(101, 4e6))
    rows = {row.quantity: row for row in score(event, samples, "mine", "conditional")}
    assert set(rows) == {"drawdown", "liquidations"}
    assert rows["drawdown"].pit == pytest.approx(0.5, abs=0.01)
    assert rows["drawdown"].in_50
    assert rows["drawdown"].crps == pytest.approx(crps(samples.drawdown, 0.2))
    assert math.isnan(rows["liquidations"].crps)


def test_backtest_scores_engine_and_competitors_and_trains_on_no_scored_event(folder):
    """The regression of each event is fitted on the others alone; what cannot be done is noted and the rest is scored."""
    event = read_event(folder / "event.toml", folder)
    asked = []

    def engine(event, kind, feedback, refitted):
        asked.append((event.name, kind, feedback, refitted))
        return Samples(np.linspace(0.1, 0.3, 101), open_interest_loss=np.linspace(0.0, 0.2, 101))

    found = backtest([event], engine, paths=200)
    plain = [("made up", kind, feedback, False) for kind in KINDS for feedback in (True, False)]
    assert asked == [*plain, ("made up", "conditional", False, True)]
    assert {name for _, _, name in found.samples} == {"engine", "feedback off", "feedback off, refitted", "bootstrap", "GARCH-t"}
    assert any("regression, made up: left out" in note for note in found.notes)
    text = str(found.summary())
    assert "Back-test on made up" in text
    # no regression on days either, and nothing takes its place
    assert any("regression on days, made up: left out" in note for note in found.notes)
    others = [moved(read_event(folder / "event.toml", folder), 10 * (place + 1), f"other {place}") for place in range(3)]
    for place, other in enumerate(others):
        object.__setattr__(other, "_after", {**other._after, "open_interest": 900.0 - 10.0 * place})
    later = backtest([event], None, others, paths=200)
    assert {row.quantity for row in later.scores if row.forecast == "regression"} == {"open_interest_loss"}
    object.__setattr__(event, "_after", {**event._after, "open_interest": 100.0})
    again = backtest([event], None, others, paths=200)
    losses = [one.samples["made up", "conditional", "regression"].open_interest_loss for one in (later, again)]
    assert np.array_equal(*losses)  # what is scored was not learnt from
    assert not any("regression" in note for note in later.notes)  # that on days is not missed
    # nor is it learnt from under another name, or another once more under a third
    copies = [moved(event, 0.5, "copy"), moved(others[0], 0.5, "copy of another")]
    copied = backtest([event], None, [*others, *copies], paths=200)
    assert np.array_equal(copied.samples["made up", "conditional", "regression"].open_interest_loss, losses[0])


def test_a_fit_that_did_not_converge_is_noted(folder, monkeypatch):
    event = read_event(folder / "event.toml", folder)
    law = fit_garch(event)
    for converged in (True, False):
        monkeypatch.setattr(run, "fit_garch", lambda event, converged=converged: law._replace(converged=converged))
        found = backtest([event], None, paths=100)
        assert any("GARCH-t, made up: the fit did not converge" in note for note in found.notes) != converged


def test_figures_of_a_day_are_scored_for_a_day_only(folder):
    (folder / "event.toml").write_text(EVENT.replace("12:00:00Z\n\n[before]", '12:00:00Z\nhorizon = "12h"\n\n[before]'))
    event = read_event(folder / "event.toml", folder)
    samples = Samples(np.linspace(0.1, 0.3, 101), long_share=np.linspace(0.4, 1.0, 101), liquidations=np.full(101, 4e6))
    assert [row.quantity for row in score(event, samples, "mine", "conditional")] == ["drawdown"]
    assert any("not scored where window.horizon is not 24h" in text for text in event.findings)

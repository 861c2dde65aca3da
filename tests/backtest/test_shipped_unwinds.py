"""The eight unwinds that ship, with numbers that have not seen them: what docs/reality.md claims of the conditional forecast.

Counts of intervals are of fixed seeds and events, and hold at several seeds; with 1,024 paths a quantile moves by a hundredth.
"""

import numpy as np
import pytest

from jaxrisk.backtest.events.event import read_event, shipped_events
from jaxrisk.backtest.events.forecast import forecast
from jaxrisk.backtest.events.parameters import read_fitted
from jaxrisk.backtest.events.scored import score

from .conftest import DATA


def test_every_shipped_event_has_numbers_that_have_not_seen_it():
    everything = read_fitted()
    assert set(everything.events) == set(shipped_events())
    for name in shipped_events():
        fitted = read_fitted(without=name)
        assert set(fitted.events) == set(shipped_events()) - {name}
        assert fitted.variance.count == 7


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason=f"the recorded unwinds are not in {DATA}")
def test_conditional_intervals_hold_what_was_observed():
    inside = {"drawdown": [], "open_interest_loss": [], "rebound": []}
    for name in shipped_events():
        event, fitted = read_event(name, DATA), read_fitted(without=name)
        samples = forecast(event, fitted, kind="conditional", paths=1024)
        for row in score(event, samples, "engine", "conditional"):
            if row.quantity in inside:
                inside[row.quantity].append(row.in_90)
        share = np.nansum(samples.long_share * samples.liquidations) / np.sum(samples.liquidations)
        assert 0.60 <= share <= 0.95, name
    assert {quantity: len(rows) for quantity, rows in inside.items()} == {
        "drawdown": 8,
        "open_interest_loss": 7,
        "rebound": 8,
    }
    assert sum(inside["drawdown"]) >= 7
    assert sum(inside["open_interest_loss"]) >= 6
    assert sum(inside["rebound"]) >= 7

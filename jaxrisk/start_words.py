"""From where a scenario's price law starts, in a word and in words: what a run's numbers are conditional on."""

from typing import Any

import numpy as np

from .market import Factors, LogVariance, Stationary
from .scenario import Scenario


def start_kind(scenario: Scenario) -> str:
    """`"stationary"`: a day drawn at random; `"any"`: a law that remembers nothing, for which every day is alike; `"stated"`:
    from a variance, factors, a filter's cloud; `"conditioned"`: something is given besides, a shock, prices or a whole path.

    >>> import jaxrisk as jr
    >>> start_kind(jr.load("btc_24h")), start_kind(jr.load("btc_shock_10pct"))
    ('stated', 'conditioned')
    """
    if scenario.shock is not None or scenario.given is not None or not scenario.market.noise()[0] + scenario.market.noise()[1]:
        return "conditioned"
    if isinstance(getattr(scenario.market, "start", None), Stationary):
        return "stationary"
    return "any" if scenario.market.every_day_alike else "stated"


def start_words(scenario: Scenario) -> str:
    """What a probability is of: the law's own, from its start.

    >>> import jaxrisk as jr
    >>> start_words(jr.load("btc_24h"))
    "the law's own probability, from a volatility of 41% a year at the start (it returns to 55%); other days start elsewhere"
    """
    return f"the law's own probability, from {where_from(scenario)}"


def where_from(scenario: Scenario) -> str:
    """The start of the price law: of a law whose variance moves, the volatility at the start and the one it returns to."""
    law: Any = scenario.market
    if getattr(law, "start", None) is not None:
        return _drawn(scenario)
    start, mean = getattr(law, "variance", None), getattr(law, "mean_variance", None)
    if start is None or mean is None:
        return "the prices at the start"
    names = scenario.names.assets
    pairs = list(zip(_percent(start).tolist(), _percent(mean).tolist(), strict=True))
    several = len(pairs) > 1
    said = ", ".join(
        (f"{name} " if several else "") + f"{now:.0f}%{'' if several else ' a year at the start'} (it returns to {later:.0f}%)"
        for name, (now, later) in zip(names, pairs, strict=True)
    )
    of = "volatilities a year at the start of" if several else "a volatility of"
    return f"{of} {said}; other days start elsewhere"


def _percent(variance: Any) -> np.ndarray:
    """Volatility, %."""
    return np.round(100.0 * np.sqrt(np.maximum(np.asarray(variance, float).reshape(-1), 0.0)))


def _drawn(scenario: Scenario) -> str:
    """Of a start that differs from path to path."""
    law: Any = scenario.market
    names = scenario.names.assets
    named = lambda name: f"{name} " if len(names) > 1 else ""
    if isinstance(law.start, Stationary):
        each = ", ".join(f"{named(name)}{one:.0f}%" for name, one in zip(names, _percent(law.mean_variance), strict=True))
        return f"a day drawn at random (root of the mean variance: {each} a year)"
    if isinstance(law.start, Factors):
        return "factors near those stated; other days start elsewhere"
    states, effective = np.asarray(law.start.states, float), float(law.start.effective)
    variance = law.variance_at(tuple(np.moveaxis(states, -1, 0))) if isinstance(law, LogVariance) else states
    low, middle, high = 100.0 * np.sqrt(np.quantile(np.asarray(variance, float), [0.05, 0.5, 0.95], axis=0))
    each = ", ".join(
        f"{named(name)}{m:.0f}% (90% between {a:.0f}% and {b:.0f}%)"
        for name, a, m, b in zip(names, low, middle, high, strict=True)
    )
    worth = f"{len(states):,} particles, at the least worth {effective:.0%} of them"
    return f"volatilities filtered from prices, {each} ({worth}); other days start elsewhere"


__all__ = ["start_kind", "start_words", "where_from"]

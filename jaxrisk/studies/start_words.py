"""What a study's numbers are conditional on, in words: the law that the scenario states, from where it starts."""

from typing import Any

import numpy as np

from ..market import Factors, LogVariance, Stationary
from ..scenario import Scenario


def start_words(scenario: Scenario) -> str:
    """The start of the price law: of a law whose variance moves, the volatility at the start and the one it returns to.

    >>> import jaxrisk as jr
    >>> start_words(jr.load("btc_24h"))
    "the law's own probability, from a volatility of 41% a year at the start (it returns to 55%); other days start elsewhere"
    """
    law = scenario.market
    if getattr(law, "start", None) is not None:
        return _drawn(scenario)
    start, mean = getattr(law, "variance", None), getattr(law, "mean_variance", None)
    if start is None or mean is None:
        return "the law's own probability, from the prices at the start"
    names = scenario.names.assets
    percent = lambda values: np.round(100.0 * np.sqrt(np.maximum(np.asarray(values, float).reshape(-1), 0.0)))
    pairs = list(zip(percent(start).tolist(), percent(mean).tolist(), strict=True))
    several = len(pairs) > 1
    said = ", ".join(
        (f"{name} " if several else "") + f"{now:.0f}%{'' if several else ' a year at the start'} (it returns to {later:.0f}%)"
        for name, (now, later) in zip(names, pairs, strict=True)
    )
    of = "volatilities a year at the start of" if several else "a volatility of"
    return f"the law's own probability, from {of} {said}; other days start elsewhere"


def _drawn(scenario: Scenario) -> str:
    """Of a start that differs from path to path."""
    law: Any = scenario.market
    names, said = scenario.names.assets, "the law's own probability, "
    mean = np.round(100.0 * np.sqrt(np.asarray(law.mean_variance, float).reshape(-1)))
    if isinstance(law.start, Stationary):
        each = ", ".join(f"{name} {one:.0f}%" if len(names) > 1 else f"{one:.0f}%" for name, one in zip(names, mean, strict=True))
        return f"{said}from a day drawn at random (root of the mean variance: {each} a year)"
    if isinstance(law.start, Factors):
        return f"{said}from factors near those stated; other days start elsewhere"
    states, effective = np.asarray(law.start.states, float), float(law.start.effective)
    variance = law.variance_at(tuple(np.moveaxis(states, -1, 0))) if isinstance(law, LogVariance) else states
    low, middle, high = 100.0 * np.sqrt(np.quantile(np.asarray(variance, float), [0.05, 0.5, 0.95], axis=0))
    each = ", ".join(
        (f"{name} " if len(names) > 1 else "") + f"{m:.0f}% (90% between {a:.0f}% and {b:.0f}%)"
        for name, a, m, b in zip(names, low, middle, high, strict=True)
    )
    worth = f"{len(states):,} particles, at the least worth {effective:.0%} of them"
    return f"{said}from volatilities filtered from prices, {each} ({worth}); other days start elsewhere"


__all__ = ["start_words"]

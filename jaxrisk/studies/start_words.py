"""What a study's numbers are conditional on, in words: the law that the scenario states, from where it starts."""

import numpy as np

from ..scenario import Scenario


def start_words(scenario: Scenario) -> str:
    """The start of the price law: of a law whose variance moves, the volatility at the start and the one it returns to.

    >>> import jaxrisk as jr
    >>> start_words(jr.load("btc_24h"))
    "the law's own probability, from a volatility of 41% a year at the start (it returns to 55%); other days start elsewhere"
    """
    law = scenario.market
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


__all__ = ["start_words"]

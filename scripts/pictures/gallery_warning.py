"""How brittle a market is below its price, by venue."""

import jaxrisk as jr


def draw():
    return jr.warning(jr.load("btc_shock_10pct")).plot()

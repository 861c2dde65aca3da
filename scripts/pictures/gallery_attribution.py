"""Which channel of the market's own leverage has what part in the tail."""

import jaxrisk as jr


def draw():
    return jr.attribute(jr.load("btc_shock_10pct", {"run.step": "60s"}), paths=2_000, seed=1).plot()

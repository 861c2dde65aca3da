"""The most likely ways to a fall of 15%."""

import jaxrisk as jr


def draw():
    return jr.reverse_stress(jr.load("btc_24h", {"run.step": "15min"}), "max_drawdown_index", 0.15, seed=1).plot()

"""How likely a fall is that no plain run would see."""

import jaxrisk as jr


def draw():
    return jr.rare_event(jr.load("btc_24h", {"run.step": "15min"}), "max_drawdown_index", 0.15, seed=1).plot()

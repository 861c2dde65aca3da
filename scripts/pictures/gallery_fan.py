"""Price and open interest over time on the kept paths."""

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("btc_shock_10pct", {"run.step": "60s"}), paths=400, seed=1, sample_paths=400)
    return result.plot_fan().figure

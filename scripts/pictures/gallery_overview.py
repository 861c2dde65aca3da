"""Sample paths, fragility map and exceedance curves."""

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("btc_shock_10pct", {"run.step": "60s"}), paths=8_000, seed=1)
    return result.plot()

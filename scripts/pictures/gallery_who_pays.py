"""Fees, fund, deleveraging and socialised loss by venue."""

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("three_venues_shock_24h", {"run.step": "10min"}), paths=1_000, seed=1, sample_paths=0)
    return result.plot_who_pays()

"""How brittle a market is at each price, and who pays for what liquidations lose."""

from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("three_venues_shock_24h", {"run.step": "10min"}), paths=500, seed=1, sample_paths=0)
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    result.plot.fragility(ax=left)
    result.plot.who_pays(ax=right)
    return figure

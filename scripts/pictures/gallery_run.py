"""Six pictures of one run, drawn into axes of one's own."""

from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("btc_any_day", {"run.step": "10min"}), paths=5_000, seed=1, sample_paths=200)
    figure = Figure(figsize=(15.0, 8.0), layout="constrained")
    axes = figure.subplots(2, 3)
    result.plot.exceedance(ax=axes[0, 0])
    result.plot.return_levels(ax=axes[0, 1])
    result.plot.joint(ax=axes[0, 2])
    result.plot.paths(ax=axes[1, 0])
    result.plot.fan(ax=axes[1, 1])
    result.plot.liquidations(ax=axes[1, 2])
    return figure

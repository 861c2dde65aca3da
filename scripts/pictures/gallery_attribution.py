"""What each channel adds, how a shock is amplified, and which venue moves which, with three times the impact."""

from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    scenario = jr.load("btc_shock_10pct", {"run.step": "1min", "impact.coefficient": 3.0})
    found = jr.attribute(scenario, ["mean(max_drawdown_index)"], paths=500, seed=1)
    figure = Figure(figsize=(15.0, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    found.plot.shapley(ax=left)
    found.plot.amplification(ax=middle)
    found.plot.contagion(ax=right)
    return figure

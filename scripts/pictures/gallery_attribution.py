"""What each channel adds, how a shock is amplified, and which asset moves which."""

from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    found = jr.attribute(jr.load("spill_over_24h", {"run.step": "15min"}), ["mean(max_drawdown_index)"], paths=500)
    figure = Figure(figsize=(15.0, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    found.plot.shapley(ax=left)
    found.plot.amplification(ax=middle)
    found.plot.contagion(ax=right)
    return figure

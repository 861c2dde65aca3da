"""A day's drawdown: exceedance curve with its band, value at risk, expected shortfall, and a Pareto tail beyond the data."""

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr

PATHS = 20_000


def draw():
    result = jr.simulate(jr.load("btc_any_day"), paths=PATHS, seed=1, sample_paths=0)
    name = "max_drawdown_index"
    curve, tail = result.exceedance_curve(name), result.pareto_tail(name)
    figure = Figure(figsize=(7.6, 3.8), layout="constrained")
    axes = figure.subplots()
    seen = curve.value > 0.0
    level = 100.0 * np.asarray(curve.level)
    axes.fill_between(level[seen], np.maximum(curve.low[seen], 1e-6), curve.high[seen], color="C0", alpha=0.25, linewidth=0,
                      label="95% interval at each level")  # fmt: skip
    axes.plot(level[seen], curve.value[seen], color="C0", label=f"seen on {PATHS:,} paths")
    beyond = np.geomspace(3e-6, 0.02, 40)
    fitted = [tail.quantile(1.0 - p) for p in beyond]
    axes.plot([100.0 * one.value for one in fitted], beyond, color="C1", linestyle="--", label="Pareto tail")
    axes.fill_betweenx(beyond, [100.0 * one.low for one in fitted], [100.0 * one.high for one in fitted], color="C1", alpha=0.15,
                       linewidth=0, label="its 95% interval")  # fmt: skip
    risk, worst = result.value_at_risk(name, 0.99), result.expected_shortfall(name, 0.99)
    for one, said, place in ((risk, "VaR 99%", 1e-2), (worst, "ES 99%", 3e-3)):
        value, low, high = 100.0 * one.value, 100.0 * one.low, 100.0 * one.high
        axes.errorbar([value], [place], xerr=[[value - low], [high - value]], fmt="ko", markersize=4, capsize=3)
        axes.annotate(said, (high, place), xytext=(8, 4), textcoords="offset points", fontsize=8.5)
    axes.set(yscale="log", ylim=(3e-6, 1.0), xlim=(0, 60), xlabel="drawdown within a day, %", ylabel="probability of more",
             title="A day drawn at random")  # fmt: skip
    axes.legend(loc="upper right")
    return figure

"""The branching number by how far the price has fallen, and the multiplier that it makes, for three sizes of impact."""

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr
from jaxrisk.cascade.criticality import fragility


def draw():
    figure = Figure(figsize=(8.2, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for coefficient in (0.5, 1.0, 3.0):
        found = fragility(jr.prepare(jr.load("btc_24h", {"impact.coefficient": coefficient})))
        fall, number = 100.0 * (1.0 - np.exp(found.log_price[0])), np.asarray(found.number[0, 0])
        left.plot(fall, number, label=f"impact coefficient {coefficient:g}")
        right.plot(fall, 1.0 / (1.0 - np.minimum(number, 0.999)))
    left.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    left.text(39.5, 0.97, "runaway", ha="right", va="top", fontsize=8.5)
    left.set(xlim=(0, 40), ylim=(0, 1.08), xlabel="fall of the price, %", ylabel="further dollars a forced dollar sets off",
             title="Branching number, btc_24h")  # fmt: skip
    left.legend(loc="center right")
    right.set(xlim=(0, 40), ylim=(1, 4), xlabel="fall of the price, %", ylabel="times", title="What a push becomes in the end")
    return figure

"""What a ladder holds: the open interest that is liquidated before the price has got so far; and its density."""

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    prepared = jr.prepare(jr.load("btc_24h"))
    grid = prepared.scenario.grid
    distance = np.linspace(0.0, 0.6, 241)
    gone = np.asarray(prepared.book.triggered(distance)).sum(axis=0)[0] / 1e9  # sides, levels
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    axes = figure.subplots()
    for side, (sign, name) in enumerate(((-1.0, "longs"), (1.0, "shorts"))):
        move = 100.0 * np.expm1(sign * distance)
        axes.plot(move, gone[side], color=f"C{side}", label=f"{name}, cumulative")
        density = np.gradient(gone[side], distance)
        axes.fill_between(
            move, 0.25 * density, color=f"C{side}", alpha=0.25, linewidth=0, label=f"{name}, for each 0.25 of log price"
        )
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set(xlim=(-45, 80), ylim=(0, None), xlabel="move of the price, %", ylabel="liquidated, USD billion",
             title=f"The ladder of btc_24h, {grid.cells:,} cells a side")  # fmt: skip
    axes.legend()
    return figure

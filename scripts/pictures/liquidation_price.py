"""At which fall a long position is liquidated, by its leverage and size, under a venue's own tiers."""

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr


def draw():
    tiers, leverage = jr.load("btc_24h").venues.tiers, np.geomspace(1.05, 100.0, 200)
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for notional in (1e4, 2e7, 2e8):
        allowed = float(tiers.leverage_allowed(0, 0, np.array([notional]))[0])
        taken = leverage[leverage <= allowed]
        rows = tiers.rows(np.zeros(len(taken), int), np.zeros(len(taken), int))
        size = np.full(len(taken), notional)
        log_price = rows.log_liquidation_price(1.0, size, 1.0 / taken, np.zeros(len(taken), bool))
        axes.plot(taken, 100.0 * (1.0 - np.exp(log_price)), label=f"{notional:,.0f} USD, at most {allowed:.0f} times")
    axes.set(xscale="log", xlabel="leverage", ylabel="fall to liquidation, %", title="Fall at which a long is liquidated")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.legend(title="size of the position")
    return figure

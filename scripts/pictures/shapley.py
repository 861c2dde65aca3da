"""How much of a fall each channel of the market's own leverage adds, and by how much that differs with the order of counting."""

from itertools import combinations, permutations

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr

CHANNELS = ("feedback", "depth_withdrawal")
NAMES = {"feedback": "impact of\nforced orders", "depth_withdrawal": "withdrawal\nof depth"}
PATHS = 4_000


def draw():
    def fall(on):
        switched = {f"channels.{name}": float(name in on) for name in CHANNELS}
        scenario = jr.load("btc_shock_10pct", {"run.step": "60s", **switched})
        return 100.0 * jr.simulate(scenario, paths=PATHS, seed=1, sample_paths=0)["max_drawdown_index"].mean()

    subsets = [frozenset(on) for size in range(len(CHANNELS) + 1) for on in combinations(CHANNELS, size)]
    falls = {on: fall(on) for on in subsets}
    orders = list(permutations(CHANNELS))
    before = lambda order, one: frozenset(order[: order.index(one)])
    added = np.array([[falls[before(order, c) | {c}] - falls[before(order, c)] for c in CHANNELS] for order in orders])
    shares = added.mean(axis=0)
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    axes = figure.subplots()
    base, whole = falls[frozenset()], falls[frozenset(CHANNELS)]
    axes.bar(0, base, color="#999999")
    bottom = base
    for place, share in enumerate(shares, 1):
        axes.bar(place, share, bottom=bottom, color="C0")
        low, high = added[:, place - 1].min(), added[:, place - 1].max()
        axes.errorbar([place], [bottom + share], yerr=[[share - low], [high - share]], color="black", capsize=4)
        axes.annotate(f"{share:+.2f}", (place + 0.1, bottom + share), xytext=(2, 4), textcoords="offset points", fontsize=8.5)
        bottom += share
    axes.bar(len(CHANNELS) + 1, whole, color="#333333")
    labels = ["from outside", *(NAMES[c] for c in CHANNELS), "all"]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(
        ylim=(0.97 * base, 1.01 * whole), ylabel="mean drawdown, %", title="Shares, and what each order of counting would say"
    )
    axes.grid(axis="x", visible=False)
    return figure

"""How much of a fall each channel of the market's own leverage adds, and by how much that differs with the order of counting."""

from itertools import combinations, permutations

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr

CHANNELS = ("feedback", "depth_withdrawal")
NAMES = {"feedback": "impact of\nforced orders", "depth_withdrawal": "withdrawal\nof depth"}
PATHS = 2_000


def draw():
    def falls_with(on):
        switched = {f"channels.{name}": float(name in on) for name in CHANNELS}
        scenario = jr.load("btc_shock_10pct", switched)
        return 100.0 * jr.simulate(scenario, paths=PATHS, seed=1, sample_paths=0)["max_drawdown_index"].astype(float)

    subsets = [frozenset(on) for size in range(len(CHANNELS) + 1) for on in combinations(CHANNELS, size)]
    falls = {on: falls_with(on) for on in subsets}
    orders = list(permutations(CHANNELS))
    before = lambda order, one: frozenset(order[: order.index(one)])
    added = np.array([[falls[before(order, c) | {c}] - falls[before(order, c)] for c in CHANNELS] for order in orders])
    shares, by_order = added.mean(axis=0), added.mean(axis=2)
    whole = falls[frozenset(CHANNELS)] - falls[frozenset()]
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    axes = figure.subplots()
    for place, paths in enumerate([*shares, whole]):
        value, half = paths.mean(), 1.96 * paths.std(ddof=1) / np.sqrt(PATHS)
        axes.bar(place, value, width=0.5, color="C0" if place < len(CHANNELS) else "#333333")
        axes.annotate(f"{value:+.3f} ± {half:.3f}", (place + 0.3, value), va="center", fontsize=8.5)
    for place in range(len(CHANNELS)):
        low, high = by_order[:, place].min(), by_order[:, place].max()
        axes.vlines(place, low, high, color="black", linewidth=1.2)
        axes.hlines([low, high], place - 0.06, place + 0.06, color="black", linewidth=1.2)
    labels = [*(NAMES[c] for c in CHANNELS), "both"]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.5, len(labels) - 0.2), ylim=(0, 1.15 * max(whole.mean(), by_order.max())),
             ylabel="added to the mean drawdown, points",
             title=f"Shares, beside an outside fall of {falls[frozenset()].mean():.1f}%")  # fmt: skip
    axes.grid(axis="x", visible=False)
    return figure

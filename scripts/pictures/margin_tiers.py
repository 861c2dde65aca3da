"""Maintenance margin by the size of a position, on three venues, and under the two rules for the same table."""

import numpy as np
from matplotlib.figure import Figure

import jaxrisk as jr
from jaxrisk.positions import Tiers


def draw():
    scenario, notional = jr.load("three_venues_shock_24h"), np.geomspace(1e4, 1.5e9, 600)
    figure = Figure(figsize=(8.2, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for venue, name in enumerate(scenario.names.venues):
        left.plot(notional, 100.0 * margin(scenario.venues.tiers, venue, notional) / notional, label=name)
    left.set(xscale="log", xlabel="notional, USD", ylabel="maintenance margin, % of it", title="Three venues, Bitcoin")
    left.legend()
    size, shape = np.linspace(1.0, 1.6e6, 800), (1, 1, 2)
    floor, top, rate = (np.reshape(row, shape) for row in ([0.0, 8e5], [100.0, 50.0], [0.005, 0.01]))
    for rule, amount in (("marginal", [0.0, 4e3]), ("whole", [0.0, 0.0])):
        one = Tiers(floor, top, rate, np.reshape(amount, shape), (rule,))
        right.plot(size / 1e6, margin(one, 0, size) / 1e3, label=rule)
    right.set(xlabel="notional, USD million", ylabel="maintenance margin, USD thousand", title="One table, two rules")
    right.legend()
    return figure


def margin(tiers, venue, notional):
    here = np.full(len(notional), venue)
    return np.asarray(tiers.rows(here, np.zeros_like(here)).margin(notional))

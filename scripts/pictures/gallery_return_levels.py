"""Losses against how often they come, from a day drawn at random."""

import jaxrisk as jr


def draw():
    result = jr.simulate(jr.load("btc_any_day", {"run.step": "10min"}), paths=8_000, seed=1, sample_paths=0)
    return result.plot_return_levels()

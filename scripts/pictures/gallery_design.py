"""Caps that keep a loss within a budget, and what other budgets would cost."""

import jaxrisk as jr


def draw():
    scenario, measure = jr.load("btc_24h", {"run.step": "1h"}), "expected_shortfall(open_interest_loss_usd, 0.95)"
    return jr.design_limits(scenario, measure, budget=1.5e8, paths=1_000, verify_paths=4_000, seed=1).plot()

"""Which numbers a tail hangs on."""

import jaxrisk as jr


def draw():
    scenario, measure = jr.load("btc_24h", {"run.step": "15min"}), "expected_shortfall(max_drawdown_index, 0.95)"
    numbers = ["market.volatility", "impact.coefficient", "impact.daily_volume", "populations.*.median"]
    return jr.sensitivity(scenario, measure, numbers, paths=2_000, seed=1).plot()

"""Print simulated figures beside closed forms, with the difference in standard errors: process laws, drawdown, intervals.

Call prices are martingale and distribution at once. The references are the published or Fourier prices that the tests recompute;
liquidation probabilities and limits are checked by `tests/cascade/test_liquidation_law.py`. Derivatives, rare events and designed
limits have scripts of their own: `validate_gradients.py`, `validate_rare_events.py`, `validate_design.py`.
"""

import argparse

import numpy as np
import validate_statistics

import jaxrisk as jr

PATHS = 262_144
QUIET = jr.Impact(jr.LinearImpact([1e12]), [0.0], [0.0], [[1.0]])
VARIANCE = {"variance": [0.0175], "mean_variance": [0.0398], "reversion": [1.5768], "vol_of_variance": [0.5751],
            "leverage_correlation": [-0.5711]}  # fmt: skip
NORMAL_JUMPS = {"jump_rate": [1.0], "jump_mean": [-0.1], "jump_sd": [0.15], "common_jump_probability": 0.0}
EXPONENTIAL_JUMPS = {
    "jump_rate": [1.0],
    "up_probability": [0.4],
    "up_rate": [10.0],
    "down_rate": [5.0],
    "common_jump_probability": 0.0,
}
ONE = [[1.0]]

CALLS = {
    # name: law, years, steps, strike, interest, price
    "Heston, 1 year": (jr.Heston([0.0], correlation=ONE, **VARIANCE), 1.0, 64, 100.0, 0.0, 5.785155),
    "Heston, 10 years": (jr.Heston([0.0], correlation=ONE, **VARIANCE), 10.0, 160, 100.0, 0.0, 22.318946),
    "Bates": (jr.Bates([0.0], correlation=ONE, **VARIANCE, **NORMAL_JUMPS), 1.0, 64, 100.0, 0.0, 9.010754),
    "Merton": (jr.Merton([0.05], [0.2], ONE, **NORMAL_JUMPS), 1.0, 4, 100.0, 0.05, 12.761289),
    "Kou": (jr.Kou([0.05], [0.16], ONE, **EXPONENTIAL_JUMPS), 0.5, 4, 98.0, 0.05, 9.14732),
}
DRAWDOWN = {0.5: 1.1490, 0.95: 2.2414, 0.99: 2.8070, 0.999: 3.4808}


def scenario(market, years: float, steps: int, bridge: bool = False) -> jr.Scenario:
    """A market in which nobody is liquidated."""
    unlevered = jr.Histogram(1.0, [1.0], [1.0])
    settings = jr.Settings(years, steps, bridge=bridge)
    return jr.Scenario(market, QUIET, jr.Venues.single(jr.Tiers.flat(0.0)), {"all": unlevered}, price=[100.0], settings=settings)


def show(name: str, value: float, error: float, reference: float) -> None:
    away = (value - reference) / error
    print(f"{name:28} {value:11.6f} ± {error:.6f}   reference {reference:11.6f}   {away:+5.2f} standard errors")


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=PATHS, help=f"paths of each comparison (default {PATHS:,})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--replications", type=int, default=validate_statistics.REPLICATIONS, help="samples of each law of losses"
    )
    options = parser.parse_args()
    run = {"paths": options.paths, "seed": options.seed, "sample_paths": 0}
    print(f"{options.paths:,} paths each, seed {options.seed}\n\nEuropean calls, S = 100")
    for name, (market, years, steps, strike, interest, price) in CALLS.items():
        log_price = jr.simulate(scenario(market, years, steps), **run)["log_return"][:, 0].astype(np.float64)
        payoff = np.exp(-interest * years) * np.maximum(100 * np.exp(log_price) - strike, 0.0)
        show(name, payoff.mean(), payoff.std() / np.sqrt(len(payoff)), price)

    print("\nMaximum drawdown of driftless Brownian motion, units of sigma sqrt(T); quantiles by the probability below them")
    market = jr.GBM([0.18], [0.6], ONE)
    fraction = jr.simulate(scenario(market, 7 / 365, 84, bridge=True), **run)["max_drawdown_index"].astype(np.float64)
    scaled = -np.log1p(-fraction) / (0.6 * np.sqrt(7 / 365))
    show("mean", scaled.mean(), scaled.std() / np.sqrt(len(scaled)), 1.253314)
    for level, quantile in DRAWDOWN.items():
        show(f"below {quantile}", np.mean(scaled <= quantile), np.sqrt(level * (1 - level) / len(scaled)), level)
    validate_statistics.report(options.replications)


if __name__ == "__main__":
    main()

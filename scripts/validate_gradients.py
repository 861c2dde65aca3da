"""Print derivatives beside what they should be, and how well their errors are stated.

    python scripts/validate_gradients.py                       # all parts, some minutes on two cores
    python scripts/validate_gradients.py --only population     # or scenarios, errors, criticality, coverage

population: liquidated notional of a population under a cap against its closed form, to 1%. scenarios: expected shortfall on a
calm, a stressed and a near-critical market, each derivative beside a bump of all paths. errors: stated over observed, by
replication. criticality: variance times seconds of `auto` against the plain pathwise derivative, where that has no variance.
coverage: the 95% intervals of `sensitivity` in a cap, a hundred groups of paths each, against differences over all of them: two
markets where cascades are rare or near runaway, and thirty drawn at random; exit code 1 where a row is shown to fall short.
"""

import argparse
import sys
import time

import numpy as np
from validate_coverage import coverage

import jaxrisk as jr
from jaxrisk.positions import Limits
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import draw_sample
from jaxrisk.risk.slopes.gradients import pathwise
from jaxrisk.risk.slopes.rerun import slopes

POPULATION = {
    5.0: (0.0061958, 0.0140357), 10.0: (0.0232499, 0.0306132), 20.0: (0.00905506, 0.00609361), 50.0: (0.000854233, 0.000209269),
}  # fmt: skip
"""Derivative to the cap of the liquidated notional, over open interest without a cap: holders who keep their collateral, and who
post more. Closed form by the reflection principle; long, leverage lognormal (12, 0.9) in [1.01, 125], 7 days, sigma 60%."""


PRECISE = 0.0033


def caps(retail: float, professional: float) -> list[dict]:
    """One for each class; half of the demand takes a smaller position."""
    by_class = {"retail": retail, "professional": professional}
    return [{"class": name, "cap": cap, "share_downsize": 0.5} for name, cap in by_class.items()]


FUND = {"venues.binance.insurance_fund": 2e6, "venues.binance.surplus_to_fund": 0.5}
MARKETS = {
    "calm": ("btc_24h", {"limits.caps": caps(20.0, 12.0), "run.step": "2min", **FUND}),
    "stressed": ("btc_shock_10pct", {"limits.caps": caps(20.0, 12.0), "run.step": "30s", **FUND}),
    "near-critical": ("btc_shock_10pct", {"limits.caps": caps(8.0, 5.0), "run.step": "1min", "impact.coefficient": 3.0, **FUND}),
}
LEVELS = {"calm": 0.99, "stressed": 0.99, "near-critical": 0.8}


def named_in(name: str) -> list[str]:
    """Nine parameters of every kind, as the scenario of that name calls them."""
    first = "retail_long" if name == "btc_24h" else "binance_retail_long"
    return ["limits.cap", "impact.coefficient", "impact.relaxation_rate", "market.volatility", "market.jump_sd",
            "venues.binance.engine_time", "venues.binance.tiers.rate[BTC,0]", f"populations.{first}.open_interest",
            "venues.binance.insurance_fund"]  # fmt: skip


def population(paths: int, seed: int, most: int = 64) -> None:
    print("\nDerivative to the cap of a population's liquidated notional, over open interest without a cap")
    for keeps in (1.0, 0.0):
        for cap, both in POPULATION.items():
            closed, values, weights = both[0] if keeps else both[1], [], []
            scenario = jr.Scenario(
                jr.GBM([0.0], [0.6], [[1.0]]),
                jr.Impact(jr.LinearImpact([1e12]), [0.0], [0.0], [[1.0]]),
                jr.Venues.single(jr.Tiers.flat(0.005)),
                {"crowd": jr.Lognormal(1.0, 12.0, 0.9, low=1.01, high=125.0)},
                price=[100.0],
                settings=jr.Settings(7 / 365, 12, bridge=True),  # the bridge is exact for any step
                limits=Limits.single(cap, share_downsize=keeps),
            )
            # until the error is a third of a percent, or `most` runs
            while len(values) < most and not (weights and sum(weights) ** -0.5 < PRECISE * closed):
                measure, run = "mean(open_interest_loss[*,*])", {"paths": paths, "seed": seed + len(values)}
                found = jr.sensitivity(scenario, measure, "limits.cap", "pathwise", **run)
                values.append(found.gradient[0])
                weights.append(found.standard_error[0] ** -2)
            value, error = np.mean(values), np.sqrt(np.mean(1.0 / np.array(weights)) / len(values))
            kind = "keeps collateral" if keeps else "posts more"
            print(f"  cap {cap:4g}, {kind:17}{value:12.8f} ± {error:.8f}  closed {closed:.8f}  {value / closed - 1.0:+.2%}  "
                  f"{(value - closed) / error:+.2f} errors, {len(values) * paths:,} paths", flush=True)  # fmt: skip


def scenarios(paths: int, seed: int) -> None:
    for label, (name, changes) in MARKETS.items():
        scenario = jr.load(name, changes)
        measure = f"expected_shortfall(max_drawdown_index, {LEVELS[label]})"
        begun = time.perf_counter()
        found = jr.sensitivity(scenario, measure, named_in(name), paths=paths, seed=seed, check=True)
        took, at = time.perf_counter() - begun, found.estimate
        print(f"\n{label}: {measure} of {name}, {paths:,} paths, {took:.0f} s: {at.value:.5f} ± {at.standard_error:.5f}")
        print(f"  {found.share_above_criticality:.0%} of the tail's paths fall to where criticality is above one")
        for k, one in enumerate(found.parameters):
            value, error = found.gradient[k], found.standard_error[k]
            full, full_error = (part[k] for part in found.checked)
            joint = np.hypot(error, full_error)
            away = f"{(value - full) / joint:+5.2f}" if joint else "    0"
            print(f"  {one.name:48}{value:11.3e} ± {error:8.1e}   bump of all {full:11.3e} ± {full_error:8.1e}   {away} errors   "
                  f"{found.reason[k]}", flush=True)  # fmt: skip


def errors(paths: int, seed: int, replications: int = 100) -> None:
    print(f"\nStated over observed standard errors, {replications} replications of {paths // replications:,} paths")
    scenario = jr.load(
        "btc_24h", {"run.step": "1h", "market.variance": 0.6, "impact.coefficient": 2.0, "limits.caps": caps(20.0, 12.0)}
    )
    parameters = jr.parameters(scenario)
    parameters = [
        one for one in parameters if one.name in ("limits.cap[retail,*,*]", "impact.coefficient[BTC]", "market.volatility[BTC]")
    ]
    names = tuple(one.name for one in parameters)
    for text in ("mean(max_drawdown_index)", "expected_shortfall(max_drawdown_index, 0.95)", "quantile(max_drawdown_index, 0.9)",
                 "exceedance_probability(max_drawdown_index, 0.05)"):  # fmt: skip
        measure, each = Measure.of(text), paths // replications
        whole = draw_sample(scenario, measure.observable, each * replications, seed)
        found = {"pathwise": [], "bump": []}
        for k in range(replications):
            some = slice(each * k, each * (k + 1))
            part = whole._replace(losses=whole.losses[some], lowest=whole.lowest[some], first_path=each * k)
            found["pathwise"].append(pathwise(part, measure, scenario, names)[:2])
            found["bump"].append(slopes(part, measure, scenario, parameters)[:2])
        for method, pairs in found.items():
            values, stated = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
            ratio = np.sqrt((stated**2).mean(axis=0)) / values.std(axis=0, ddof=1)
            shown = "  ".join(f"{name} {x:.2f}" for name, x in zip(names, ratio, strict=True))
            print(f"  {text:50}{method:9} {shown}", flush=True)


def criticality(paths: int, seed: int, replications: int = 12) -> None:
    name, changes = MARKETS["near-critical"]
    scenario = jr.load(name, changes)
    measure = f"expected_shortfall(max_drawdown_index, {LEVELS['near-critical']})"
    wrt = ["limits.cap[retail,*,*]", "market.volatility[BTC]"]
    print(f"\nNear criticality, {measure}: {replications} replications of {paths // replications:,} paths by each method")
    results = {}
    for method in ("auto", "pathwise"):
        jr.sensitivity(scenario, measure, wrt, method, paths=paths // replications, seed=seed)  # compiled
        begun = time.perf_counter()
        runs = [
            jr.sensitivity(scenario, measure, wrt, method, paths=paths // replications, seed=seed + k)
            for k in range(replications)
        ]
        results[method] = (time.perf_counter() - begun) / replications, np.array([run.gradient for run in runs]), runs[0].reason
    for k, parameter in enumerate(wrt):
        for method, (seconds, values, reason) in results.items():
            of = values[:, k]
            spread = f"spread {of.std(ddof=1):8.1e}  {seconds:5.1f} s"
            print(f"  {parameter:26}{method:9} mean {of.mean():10.3e}  {spread}  {reason[k]}")
        work = {method: seconds * values[:, k].var(ddof=1) for method, (seconds, values, _) in results.items()}
        print(f"  {parameter:26}variance times seconds, pathwise over auto: {work['pathwise'] / work['auto']:.0f}", flush=True)


PARTS = {
    "population": (population, 983_040),
    "scenarios": (scenarios, 65_536),
    "errors": (errors, 400_000),
    "criticality": (criticality, 98_304),
    "coverage": (coverage, 10_000),
}


def main() -> int:
    """Run the parts asked for; 1 where a row of the coverage falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--paths", type=int, help="paths of each part (default: its own)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100, help="groups of paths of the coverage")
    options = parser.parse_args()
    good = True
    for name, (part, paths) in PARTS.items():
        if options.only in (None, name):
            more = {"seeds": options.seeds} if part is coverage else {}
            good = part(options.paths or paths, options.seed, **more) is not False and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

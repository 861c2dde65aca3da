"""Design limits on a real scenario and print what must hold: the budget is met on fresh paths, and no cap can be raised by 5%.

The design verifies itself on paths that its search has not seen. Here all of it is run again with another seed, every path of
it: the limits designed, and each cap alone raised by 5%. By default a cap for each class of `btc_24h`, where half of those capped
take a smaller position and half post more collateral, under a budget for the open interest lost on the worst days.
"""

import argparse
import sys
import time

import equinox as eqx
import numpy as np

import jaxrisk as jr
from jaxrisk.observables import DIMS, column
from jaxrisk.scenario import coordinates
from jaxrisk.studies.design import VERIFY_PATHS, design_limits, with_class_caps
from jaxrisk.studies.design_check import RAISE, upper_limit

MEASURE = "expected_shortfall(open_interest_loss_usd, 0.95)"
BUDGET = 1.2e8
CONFIDENCE = 0.95


def raised(scenario, name: str):
    """The scenario with one cap 5% higher."""
    caps = [one.name for one in jr.parameters(scenario) if one.name.startswith("limits.cap[")]
    cap = np.array(scenario.limits.cap)
    cap[caps.index(name)] *= 1.0 + RAISE
    return eqx.tree_at(lambda s: s.limits.cap, scenario, cap)


def measured(scenario, measure, paths: int, seed: int):
    """The measure from a whole run."""
    base = measure.observable.split("[")[0]
    result = jr.simulate(scenario, paths=paths, seed=seed, sample_paths=0)
    losses = {base: result[base]}
    return measure.estimate(column(losses, DIMS, coordinates(scenario), measure.observable))


def main() -> int:
    """Design, verify, print; 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenario", default="btc_24h")
    parser.add_argument("--step", help="time step, such as 5min (default: the scenario's)")
    parser.add_argument("--measure", default=MEASURE)
    parser.add_argument("--budget", type=float, default=BUDGET)
    parser.add_argument("--share-downsize", type=float, default=0.5, help="of those capped (default 0.5)")
    parser.add_argument("--paths", type=int, default=20_000, help="of an iteration (default 20,000)")
    parser.add_argument("--verify-paths", type=int, default=VERIFY_PATHS, help=f"(default {VERIFY_PATHS:,})")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scenario = jr.load(options.scenario, {"run.step": options.step} if options.step else None)
    if not scenario.limits.account_class:
        scenario = with_class_caps(scenario, options.share_downsize)
    measure, begun = jr.Measure.of(options.measure), time.time()
    design = design_limits(
        scenario, measure, options.budget, paths=options.paths, seed=options.seed, verify_paths=options.verify_paths, frontier=()
    )
    print(design)
    print(f"\n{design.info['iterations']} iterations, {design.info['paths_run']:,} paths, {time.time() - begun:.0f} s")
    print(f"optimality: largest residual {design.info['residual']:.2f} standard errors")
    seed = options.seed + 1
    print(f"\nAll over again with seed {seed}, {options.verify_paths:,} paths each")
    estimate = measured(design.scenario, measure, options.verify_paths, seed)
    upper = upper_limit(estimate, CONFIDENCE)
    kept = upper <= options.budget
    show = lambda name, one, text: print(f"{name:34} {one.value:14.6g} ± {one.standard_error:.3g}   {text}", flush=True)
    verdict = f"the budget of {options.budget:g} is {'met' if kept else 'NOT MET'}"
    show("as designed", estimate, f"{CONFIDENCE:.0%} upper limit {upper:.6g}: {verdict}")
    holds = design.feasible and kept
    for name, binds in zip([one.name for one in design.parameters], design.binding, strict=True):
        if not binds:
            print(f"{name:34} at the highest leverage of its holders: cannot be raised")
            continue
        one = measured(raised(design.scenario, name), measure, options.verify_paths, seed)
        limit, broken = upper_limit(one, CONFIDENCE), one.value > options.budget
        verdict = "broken" if broken else "no longer met with confidence" if limit > options.budget else "STILL MET"
        show(f"{name} + {RAISE:.0%}", one, f"upper limit {limit:.6g}: {verdict}")
        holds &= limit > options.budget
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

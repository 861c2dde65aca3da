"""What the gradient of an expected shortfall to a hundred caps costs beside the run that it belongs to; part of benchmark.py."""

import statistics
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from jaxrisk.cascade import blocks
from jaxrisk.parameter import named
from jaxrisk.positions import ANY, Limits
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import draw_sample
from jaxrisk.risk.slopes.derivatives import Derivatives
from jaxrisk.scenario import Names

AIM = 0.10
CAPS, ACCOUNTS, PATHS = 100, 10_000, 100_000


def capped(scenario, accounts):
    """A scenario whose accounts are in a hundred classes, each under a cap of its own."""
    classes = np.arange(ACCOUNTS) % CAPS
    held = type(accounts)(
        accounts.quantity, accounts.entry_price, accounts.collateral, accounts.venue, accounts.asset, accounts.side, classes
    )
    ones, anywhere = np.ones(CAPS), (ANY,) * CAPS
    limits = Limits(
        np.linspace(8.0, 25.0, CAPS), 0.5 * ones, 0.0 * ones, 0.0 * ones, np.tile([0.0, np.inf], (CAPS, 1)), tuple(range(CAPS)),
        anywhere, anywhere, (False,) * CAPS,
    )  # fmt: skip
    names = Names(classes=tuple(f"class_{k}" for k in range(CAPS)))
    return scenario.replace(populations={"accounts": held}, limits=limits, names=names)


def gradient_cost(scenario, accounts: Callable, timed: Callable, repeats: int) -> None:
    """Time a run and the gradient of its expected shortfall, checked as `sensitivity` does, in turns; print the ratio."""
    scenario = capped(scenario, accounts(ACCOUNTS))
    measure = Measure("max_drawdown_index", "expected_shortfall", 0.99)
    parameters = named(scenario, [f"limits.cap[class_{k},*,*]" for k in range(CAPS)])
    sample = draw_sample(scenario, measure.observable, PATHS, 1)
    paths = np.arange(PATHS, dtype=np.uint32)

    def forward():
        for chunk in blocks.chunks(sample.prepared, 1, 0, len(paths), 8 * blocks.block_size(sample.prepared)):
            jnp.asarray(chunk["max_drawdown_index"])

    found = []

    def backward():
        # with what tells whether they are to be believed, without the curves that take their place where they are not
        found.append(Derivatives(sample, measure, scenario, parameters, "auto"))
        found[-1].measure_pathwise()

    backward()
    times = [(timed(forward), timed(backward)) for _ in range(repeats)]
    run, gradient = (statistics.median(pair[side].wall for pair in times) for side in (0, 1))
    run_cores, gradient_cores = (statistics.median(pair[side].cores for pair in times) for side in (0, 1))
    steps = scenario.settings.steps
    print(f"\nGradient of the 99% expected shortfall for {CAPS} caps, {ACCOUNTS:,} accounts; {PATHS:,} paths x {steps:,} steps")
    print(f"  run {run:.2f} s ({run_cores:.2f} s of cores), gradient {gradient:.3f} s ({gradient_cores:.3f} s of cores)")
    print(f"  gradient over run: {gradient / run:.1%} by the clock, {gradient_cores / run_cores:.1%} of cores (aim {AIM:.0%})")
    value, error = found[-1].value, found[-1].error
    k = int(np.argmax(np.abs(value)))
    print(f"  the largest: {parameters[k].name} {value[k]:.3e} ± {error[k]:.1e}; {found[-1].reason[k]}")

"""Whatever a run observes is described in one line: name, unit, axes, whether it can be negative or is a step function."""

import equinox as eqx
import jax.numpy as jnp
import pytest

import jaxrisk as jr
from jaxrisk.cascade import path_losses, prepare, seed_key
from jaxrisk.observables import OBSERVABLES
from jaxrisk.risk.measure import Measure


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cross_margin_24h", "three_venues_shock_24h"])
def test_what_a_run_observes_is_described_with_its_axes(name):
    scenario = jr.load(name)
    found = eqx.filter_eval_shape(lambda: path_losses(prepare(scenario), seed_key(0), jnp.zeros(1, jnp.uint32)))
    assert len(found) > 15
    assert {key: len(shape.shape) for key, shape in found.items()} == {
        key: 1 + len(OBSERVABLES[key].dims) for key in found if key in OBSERVABLES
    }


def test_what_is_signed_and_what_is_a_step_function():
    of = lambda name: Measure.of(f"mean({name})")
    assert {name for name, said in OBSERVABLES.items() if said.stepped} == {
        "time_to_trough",
        "time_to_trough_index",
        "support_broken",
    }
    assert of("support_broken[BTC]").stepped
    assert not of("support_overshoot[BTC]").stepped
    assert not of("log_return[BTC]").never_negative("ladder")
    assert of("max_drawdown[BTC]").never_negative("ladder")

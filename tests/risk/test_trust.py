"""Whether the derivatives of paths are borne out by a difference: on a calm market, where cascades are rare, and in ties."""

from pathlib import Path

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.parameter import named
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import draw_sample
from jaxrisk.risk.slopes.pathwise import Reverse
from jaxrisk.risk.slopes.trust import MOST, trust, widened

MEASURE = Measure.of("expected_shortfall(max_drawdown_index, 0.9)")


def looked_at(scenario, name, paths, tie=None):
    """Trust in the derivative to one parameter; with `tie`, all losses beyond that quantile are the same."""
    parameters = named(scenario, name)
    sample = draw_sample(scenario, MEASURE.observable, paths, 1)
    reverse = Reverse.of(scenario, tuple(one.name for one in parameters), sample.prepared, sample.column)
    if tie is not None:
        sample = sample._replace(losses=np.minimum(sample.losses, np.quantile(sample.losses, tie)))
    return trust(sample, MEASURE, scenario, parameters, np.ones(len(parameters)), reverse)


@pytest.mark.slow
def test_calm_is_borne_out_and_a_rare_cascade_is_not():
    calm = jr.load("btc_24h", {"run.step": "1h"})
    assert looked_at(calm, "impact.coefficient", 4000).share < 0.02
    rare = jr.load(Path(__file__).parents[1] / "cases" / "low_cap5_rare_cascade.toml")
    assert looked_at(rare, "limits.cap[retail,*,*]", 10_000).share > MOST


@pytest.mark.slow
def test_a_tail_of_ties_is_no_evidence():
    """No path lies beyond the level: nothing is differentiated, and nothing borne out."""
    assert looked_at(jr.load("btc_24h", {"run.step": "1h"}), "impact.coefficient", 2000, tie=0.8).share > MOST


def test_an_error_is_widened_by_a_bias():
    """By nothing without one; by a bias of one error to 2.646 over 1.96 of it, as tabulated."""
    found = widened(np.array([1.0, 1.0, 0.0]), np.array([10.0, 10.0, 10.0]), 0.0)
    np.testing.assert_allclose(found, [1.0, 1.0, 0.0])
    np.testing.assert_allclose(widened(np.array([1.0]), np.array([10.0]), 0.1), [2.6460 / 1.95996], rtol=1e-3)

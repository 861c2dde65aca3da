"""What a result offers beyond the common measures: each is that of `jaxrisk.risk` on the right column and weights."""

import numpy as np
import pytest

from jaxrisk import risk
from jaxrisk.report import Result

PATHS = 20_000


@pytest.fixture
def result():
    random = np.random.default_rng(1)
    losses = {"max_drawdown": random.beta(2, 8, (PATHS, 2))}
    samples = {"price": np.cumsum(random.normal(0.0, 0.01, (300, 51, 2)), axis=1)}
    log_weights = 0.2 * random.standard_normal(PATHS) - 0.02
    return Result(losses, {"max_drawdown": ("assets",)}, {"assets": ["BTC", "ETH"]}, log_weights, samples)


@pytest.mark.slow
def test_measures(result):
    column, weights = result.column("max_drawdown[ETH]"), result.log_weights
    assert result.expectile("max_drawdown[ETH]", 0.9) == risk.expectile(column, 0.9, weights)
    assert result.mean_excess("max_drawdown[ETH]", 0.4) == risk.mean_excess(column, 0.4, weights)
    assert result.pareto_tail("max_drawdown[ETH]").quantile(0.9999) == risk.pareto_tail(column, weights).quantile(0.9999)
    band, curve = (result.exceedance_curve("max_drawdown[ETH]", simultaneous=both) for both in (True, False))
    np.testing.assert_array_equal(band.level, curve.level)
    assert np.all((band.low <= curve.low) & (curve.high <= band.high))
    with pytest.raises(ValueError, match="expectile needs a level"):
        result.measure("max_drawdown[ETH]", "expectile")


def test_conditional_drawdown_at_risk(result):
    found = result.conditional_drawdown_at_risk(0.9, "ETH")
    expected = risk.conditional_drawdown_at_risk(result.samples["price"][:, :, 1], 0.9, result.log_weights[:300])
    assert found == expected
    assert found.paths == 300
    with pytest.raises(ValueError, match="several assets: name one of BTC, ETH"):
        result.conditional_drawdown_at_risk(0.9)
    with pytest.raises(ValueError, match="no asset 'ETC': did you mean 'ETH'"):
        result.conditional_drawdown_at_risk(0.9, "ETC")
    with pytest.raises(risk.TooFewPathsError, match="at most 1,000 whole paths: ask for a lower level, and more sample_paths"):
        result.conditional_drawdown_at_risk(0.9999, "ETH")
    result.samples["price"] = result.samples["price"][:15]
    with pytest.raises(risk.TooFewPathsError, match="run with sample_paths = "):
        result.conditional_drawdown_at_risk(0.95, "ETH")
    result.samples = {}
    with pytest.raises(ValueError, match="no whole paths were kept"):
        result.conditional_drawdown_at_risk(0.9, "BTC")


def test_plot_shows_both_bands(result):
    losses = {"max_drawdown_index": result.column("max_drawdown[BTC]")}
    axes = Result(losses, {}, {}).plot().axes[2]
    assert len(axes.collections) == 2

"""Figures draw what the result holds: a frontier's points, a fan's bands, every path of a joint count."""

import numpy as np
import pytest
from page.example_page import study
from report import example_studies

from jaxrisk.report.plots import style

MEASURE = "mean(accounts_closed_out[retail])"


def test_a_frontier_has_each_change_over_its_cost(tmp_path):
    made = study(tmp_path, caps=(2, 10, 125), paths=400)
    axes = made.plot_frontier(MEASURE)
    drawn = [line for line in axes.lines if line.get_marker() in ("o", "x")]
    assert len(drawn) == 2
    for line, cell in zip(drawn, ("cap 2", "cap 10"), strict=True):
        share = 100.0 * (1.0 - made.held[cell] / made.held["cap 125"])
        assert [float(line.get_xdata()[0]), float(line.get_ydata()[0])] == pytest.approx(
            [share, made.of(cell, MEASURE).difference.value]
        )
    bars = [one for one in axes.collections if hasattr(one, "get_segments")]
    ends = np.concatenate([segment[:, 1] for one in bars for segment in one.get_segments()])
    change = made.of("cap 2", MEASURE).difference
    assert np.isclose(ends, change.low).any()
    assert np.isclose(ends, change.high).any()


def test_a_joint_count_has_every_path():
    result = example_studies.run()
    axes = result.plot_joint()
    assert axes.collections[0].get_array().sum() == result.paths


@pytest.mark.parametrize(("paths", "bands"), [(39, 1), (40, 2)])
def test_a_fan_has_bands_of_shares_only_where_they_are_known(paths, bands):
    result = example_studies.run()
    walk = np.cumsum(0.01 * np.random.default_rng(2).standard_normal((paths, 25, 2)), axis=1)
    result.samples = {"price": walk, "open_interest": np.ones((paths, 25, 2))}
    axes = style.figure_of(1, 1, (4.0, 3.0))[1][0, 0]
    assert result.plot_fan("ETH", ax=axes) is axes
    assert len(axes.collections) == 2 * bands
    middle = axes.lines[0].get_ydata()
    assert middle == pytest.approx(100.0 * np.median(np.expm1(walk[:, :, 1]), axis=0))
    wide = axes.collections[0].get_paths()[0].vertices[:, 1]
    expected = 100.0 * np.expm1(walk[:, -1, 1])
    assert wide.max() >= (expected.max() if bands == 1 else np.quantile(expected, 0.95)) - 1e-9
    with pytest.raises(ValueError, match="ETH"):
        result.plot_fan("ETI")

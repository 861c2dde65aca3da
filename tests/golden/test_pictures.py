"""What every picture shows, against files; `scripts/test tests/golden --force-regen` writes them anew."""

import numpy as np
import pytest
from golden.drawn import described
from matplotlib import pyplot
from report import example_studies as example, example_sweeps as sweeps

from jaxrisk.report.plots import design, ranges, rare, sensitivity, stress, study

PICTURES = {
    "overview": lambda: example.run().plot(),
    "who_pays": lambda: example.run().plot_who_pays(),
    "sensitivities": lambda: sensitivity.sensitivities(example.sensitivities()),
    "design": lambda: design.design(example.design()),
    "reverse_stress": lambda: stress.reverse_stress(example.reverse_stress()),
    "fan": lambda: example.run().plot_fan("ETH").figure,
    "study": lambda: study.study(sweeps.caps()),
    "branches": lambda: sweeps.caps(branches=True).plot_branches(),
    "over_ranges": lambda: ranges.over_ranges(sweeps.over_ranges()),
    "rare_event": lambda: rare.rare_event(example.rare_event()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name, file_regression):
    figure = PICTURES[name]()
    figure.canvas.draw()
    file_regression.check(described(figure), encoding="utf-8")
    pyplot.close("all")


def test_a_changed_number_is_noticed():
    """The description is not blind to what a line shows."""
    losses = dict(example.run().losses)
    losses["max_drawdown_index"] = np.asarray(losses["max_drawdown_index"]) * 1.1
    changed = example.run(losses=losses)
    assert described(changed.plot()) != described(example.run().plot())

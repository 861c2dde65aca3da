"""Every table as it is printed, against files; `scripts/test tests/golden --force-regen` writes them anew."""

import io
import re

import pytest
from report import example_studies as example, example_sweeps as sweeps
from rich.console import Console

from jaxrisk.report import studies

SUMMARIES = {
    "run": lambda: example.run().summary(),
    "sensitivities": lambda: studies.sensitivities(example.sensitivities(**example.CHANGED)),
    "design": lambda: studies.design(example.design()),
    "design_infeasible": lambda: studies.design(example.design(feasible=False)),
    "reverse_stress": lambda: studies.reverse_stress(example.reverse_stress()),
    "rare_event": lambda: studies.rare_event(example.rare_event()),
    "study": lambda: studies.study(sweeps.caps()),
    "study_followed": lambda: studies.study(sweeps.caps(followed=True)),
    "study_branches": lambda: studies.study(sweeps.caps(branches=True)),
    "over_ranges": lambda: studies.over_ranges(sweeps.over_ranges()),
    "parameters": lambda: studies.parameters(example.PARAMETERS, "example: 5 parameters"),
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_plain(name, file_regression):
    file_regression.check(str(SUMMARIES[name]()) + "\n", encoding="utf-8")


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize("name", ["run", "sensitivities", "design"])
def test_in_a_terminal(name, width, file_regression):
    console = Console(width=width, file=io.StringIO(), record=True, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(SUMMARIES[name]())
    lines = (line.rstrip() for line in console.export_text().splitlines())
    file_regression.check("\n".join(lines) + "\n", encoding="utf-8")


def test_in_a_notebook(file_regression):
    card = re.sub('base64,[^"]*', "base64,", example.run()._repr_html_())  # pictures are compared in test_images.py
    file_regression.check(card + "\n", encoding="utf-8", extension=".html")


def test_notes(file_regression):
    file_regression.check("\n".join(example.run().notes()) + "\n", encoding="utf-8")

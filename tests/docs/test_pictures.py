"""Pictures of the pages are drawn by code of the project, each has its page, and what draws them runs."""

import re
import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from docs.small import small

ROOT = Path(__file__).parents[2]
CODE = ROOT / "scripts" / "pictures"
DRAWN = ROOT / "docs" / "pictures"
OURS = sorted(CODE.glob("*.py"))
AT_ONCE = ("books", "cascade", "impact", "liquidation_price", "margin_tiers")
"""Of which nothing is simulated."""


def test_each_picture_has_its_code_and_each_code_its_picture():
    assert {path.stem for path in OURS} == {path.stem for path in DRAWN.iterdir()}


def test_each_picture_is_on_a_page_with_its_code_and_a_text_for_who_does_not_see_it():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    for path in DRAWN.iterdir():
        assert re.search(rf"!\[[^\]]{{15,}}\]\((\.\./)?pictures/{path.name}\)", pages), path.name
        assert f'--8<-- "scripts/pictures/{path.stem}.py"' in pages, path.stem


def figure_of(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_text(small(path.read_text()))
    with matplotlib.rc_context(runpy.run_path(str(CODE / "build"))["STYLE"]):
        return runpy.run_path(str(copy))["draw"]()


@pytest.mark.slow
@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_picture_is_drawn(path, tmp_path):
    figure = figure_of(path, tmp_path)
    drawn = [axes for axes in figure.axes if axes.lines or axes.collections or axes.patches]
    assert drawn
    for axes in drawn:
        for line in (one for one in axes.lines if len(one.get_ydata())):  # without a point it stands in the legend alone
            assert np.isfinite(np.asarray(line.get_ydata(), float)).any(), line.get_label()
    if not path.stem.startswith("gallery_"):
        assert all(axes.get_title(loc="left") and axes.get_ylabel() for axes in drawn)


def test_the_liquidation_price_that_is_drawn_is_that_of_the_formula(tmp_path):
    axes = figure_of(CODE / "liquidation_price.py", tmp_path).axes[0]
    leverage, fall = (np.asarray(values, float) for values in axes.lines[0].get_data())
    np.testing.assert_allclose(fall, 100.0 * (1.0 - (1.0 - 1.0 / leverage) / (1.0 - 0.004)), atol=1e-3)

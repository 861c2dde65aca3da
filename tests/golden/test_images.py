"""How every picture looks, against golden images: `scripts/test tests/golden/test_images.py --force-regen` draws them anew.

Two a picture. NAME.png is for people to look at, and compared where the version of matplotlib is the one that drew it: another
sets letters otherwise, and moves everything beside them. NAME_bare.png has no letters and a fixed layout, and is compared always:
the mean difference of all pixels, per cent of black against white, is 0.00 to 0.02 between matplotlib 3.10 and 3.11, and 0.3
where a curve is 3% higher. What pictures say in words and numbers is compared exactly, in `test_pictures.py`.
"""

import functools
import io
from importlib import import_module
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image, PngImagePlugin
from report.example_answers import ANSWERS

from jaxrisk.report.plots import MODULES, SIZES, sized, style

MOST = 0.1
"""Per cent."""
LARGEST = 30_000
"""Bytes."""
AGAIN = "to draw it anew: scripts/test tests/golden/test_images.py --force-regen"
KEPT = Path(__file__).parent / "test_images"
_COLOURS = 48


@functools.cache
def answer(kind):
    """One answer a kind, for all of its pictures."""
    return ANSWERS[kind]()


def drawn(figure) -> Image.Image:
    """A picture as it is kept: few colours, small, with the version that drew it."""
    wide = figure.get_figwidth()
    shown = Image.open(io.BytesIO(style.png(figure, 72 if wide < 8.0 else 56))).convert("RGB")
    return shown.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def bare(figure) -> Image.Image:
    """What is drawn, without letters, and where no letter moves it."""
    figure.set_layout_engine("none")
    if figure.get_layout_engine() is None:  # a bar of colours keeps its place
        figure.subplots_adjust(0.04, 0.04, 0.9, 0.96, 0.15, 0.15)
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        if legend is not None:
            legend.remove()
    for axes in figure.axes:
        axes.tick_params(which="both", labelbottom=False, labelleft=False, labelright=False, labeltop=False)
        axes.xaxis.offsetText.set_visible(False)
        axes.yaxis.offsetText.set_visible(False)
    for text in figure.findobj(Text):
        text.set_text("")
        text.set_bbox(None)
    return Image.open(io.BytesIO(style.png(figure, 48 if figure.get_figwidth() < 8.0 else 36))).convert("RGB")


def names():
    """Every picture of every kind, and the figure of all of them."""
    return [(kind, name) for kind, room in MODULES.items() for name in ("", *import_module(room).PICTURES)]


def encoded(picture: Image.Image) -> bytes:
    said = PngImagePlugin.PngInfo()
    said.add_text("Drawn", f"matplotlib {matplotlib.__version__}")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, pnginfo=said)
    return file.getvalue()


def check(image_regression, figure, name):
    """Against the golden images; a difference says how they are drawn anew."""
    shown = drawn(figure)
    file, again = KEPT / f"{name}.png", image_regression.request.config.getoption("force_regen")
    if again:
        KEPT.mkdir(exist_ok=True)
        file.write_bytes(encoded(shown))
    assert file.exists(), f"{file} is missing; {AGAIN}"
    assert file.stat().st_size < LARGEST
    kept = Image.open(file)
    try:
        if kept.text["Drawn"] == f"matplotlib {matplotlib.__version__}":
            apart = np.abs(np.asarray(kept.convert("RGB"), float) - np.asarray(shown.convert("RGB"), float)).mean() / 2.55
            assert apart <= MOST, f"{file}: {apart:.3f}% of black against white apart"
        image_regression.check(bare(figure), diff_threshold=MOST, basename=f"{name}_bare")
    except BaseException as error:
        error.add_note(AGAIN)
        raise


@pytest.mark.parametrize(("kind", "name"), names())
def test_picture(kind, name, image_regression):
    plot = answer(kind).plot
    figure = getattr(plot, name)().figure if name else plot()
    check(image_regression, figure, f"{kind}_{name or 'all'}")


@pytest.mark.parametrize("place", SIZES)
def test_a_size_for_each_place(place, image_regression):
    with sized(place):
        check(image_regression, answer("Result").plot.exceedance().figure, f"sized_{place}")


def test_a_moved_curve_is_noticed(image_regression, request):
    """The golden image is not one of a curve that is 3% higher."""
    if request.config.getoption("force_regen"):
        pytest.skip("there is nothing to compare with")
    changed = ANSWERS["Result"]()
    changed.losses["max_drawdown_index"] = 1.03 * np.asarray(changed.losses["max_drawdown_index"])
    made = bare(changed.plot.exceedance().figure)
    with pytest.raises(AssertionError, match="Difference between images"):
        image_regression.check(made, diff_threshold=MOST, basename="Result_exceedance_bare")


def test_given_axes_are_drawn_into_and_given_back():
    for kind, name in names():
        if name:
            axes = style.figure_of(1, 1, style.WIDE)[1][0, 0]
            assert getattr(answer(kind).plot, name)(ax=axes) is axes
            assert not axes.spines["top"].get_visible()

"""Pictures do not print one thing over another, number ways as their summary does, and cost nothing until they are asked for."""

import subprocess
import sys

from report.example_answers import ANSWERS

from jaxrisk.report.plots import sized


def boxes(figure, texts):
    """Where texts are drawn, pixels."""
    figure.canvas.draw()
    return [text.get_window_extent() for text in texts if text.get_text()]


def test_labels_of_jumps_lie_on_nothing():
    """Three jumps within two hours, and one at the very end: each label is by itself, beside the legend and below the title."""
    figure = ANSWERS["ReverseStress"]().plot()
    labels = [text for axes in figure.axes for text in axes.texts if text.get_text().endswith("%")]
    assert len(labels) == 4
    others = [text for axes in figure.axes for text in (axes.title, axes._left_title)] + figure.texts
    others += [text for legend in figure.legends for text in legend.get_texts()]
    found, fixed = boxes(figure, labels), boxes(figure, others)
    for place, box in enumerate(found):
        assert not any(box.overlaps(other) for other in [*found[place + 1 :], *fixed])
        assert box.x0 >= 0.0
        assert box.x1 <= figure.bbox.width


def test_ways_are_numbered_as_in_the_summary():
    made = ANSWERS["ReverseStress"]()
    titles = [axes.get_title(loc="left") for axes in made.plot().axes if axes.get_title(loc="left")]
    assert [title.partition(".")[0] for title in titles] == ["1", "2", "3"]
    assert [one.probability for one in made.answers] == sorted((one.probability for one in made.answers), reverse=True)
    assert made.plot.path(way=2).get_title(loc="left").splitlines()[-1] == "2. three jumps: about 8e-6"


def test_letters_have_the_size_of_the_place():
    sizes = {}
    for place in ("page", "notebook", "slide"):
        with sized(place):
            sizes[place] = ANSWERS["Warned"]().plot.fragility().xaxis.label.get_fontsize()
    assert sizes == {"page": 8.5, "notebook": 10.0, "slide": 15.0}


def test_nothing_is_drawn_with_before_it_is_asked_for():
    code = "import sys, jaxrisk.report.plots.run, jaxrisk.page.answers; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_an_error_of_contagion_is_never_printed_as_zero():
    """Errors far below a hundredth are what many paths have: each cell shows two digits of its own."""
    made = ANSWERS["Attribution"]()
    made.contagion[0].error[:] = 3.4e-7
    told = [text.get_text() for text in made.plot.contagion().texts if "(" in text.get_text()]
    assert told
    assert {text.partition("\n")[2] for text in told} == {"(0.000034)"}

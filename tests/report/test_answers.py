"""Every kind of answer has the same interface: table, data, files, pictures, and a card that says nothing it should not."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from report.example_answers import ANSWERS

from jaxrisk.report import Shown
from jaxrisk.report.plots import MODULES
from jaxrisk.report.shown import Record
from jaxrisk.report.study_table import StudySummary

LARGEST_CARD = 120_000
RECORDED = ("Sensitivities", "Design", "ReverseStress", "Attribution", "Attributions", "Warned", "Maturity", "OverRanges")
"""Answers whose records hold what a picture needs."""


@pytest.fixture(scope="module", params=list(MODULES))
def answer(request):
    """One of each kind."""
    return ANSWERS[request.param]()


class Text(HTMLParser):
    """All text, and all tags with what they say."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags = "", []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_every_answer_is_known_by_its_class(answer):
    assert isinstance(answer, Shown)
    assert answer.kind in MODULES
    assert answer.kind in repr(answer)


def test_the_data_frame_is_the_tables(answer):
    frame = answer.to_dataframe()
    assert len(frame)
    assert str(answer.summary()).strip()


def test_the_dataset_has_named_axes(answer):
    found = answer.to_xarray()
    assert type(found).__name__ == ("DataTree" if answer.kind == "Study" else "Dataset")
    assert found.attrs


def test_pictures_are_listed_and_an_unknown_one_is_told_with_the_nearest(answer):
    listed = [name for name in dir(answer.plot) if not name.startswith("_")]
    assert listed
    with pytest.raises(AttributeError, match=f"did you mean '{listed[0]}'|There are: "):
        answer.plot.exceedancee  # noqa: B018


def test_a_card_has_the_title_a_picture_and_every_number(answer):
    card = answer._repr_html_()
    assert len(card) < LARGEST_CARD
    seen, summary = Text(card), answer.summary()
    assert summary.title in seen.text
    images = [said for tag, said in seen.tags if tag == "img"]
    assert len(images) == 1
    assert images[0]["alt"]
    assert base64.b64decode(images[0]["src"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    lines = [line for one in summary.sections for line in one.lines] if isinstance(summary, StudySummary) else summary.table()[2]
    for cell in (cell for line in lines for cell in line):
        assert cell in seen.text
    assert not [tag for tag, _ in seen.tags if tag in ("script", "iframe", "link")]
    assert not re.search(r"https?:|url\(", card)


@pytest.mark.parametrize("kind", ["Result", "Study"])
def test_what_users_wrote_is_text_in_a_card(kind):
    made, harm = ANSWERS[kind](), '<script>alert("1")</script><img src=x onerror=y>'
    if kind == "Result":
        made.info["title"] = harm
    else:
        made.title = harm
    seen = Text(made._repr_html_())
    assert harm in seen.text
    assert "script" not in [tag for tag, _ in seen.tags]
    assert [said.get("onerror") for tag, said in seen.tags if tag == "img"] == [None]


def test_a_study_is_a_tree_of_its_cells():
    study = ANSWERS["Study"]()
    tree = study.to_xarray()
    assert list(tree.children) == [cell.name for cell in study.cells]
    for one in study.found:
        node = tree[one.cell.name].sel(branch=one.branch or "all", measure=str(one.measure))
        assert float(node["value"]) == one.estimate.value
        if one.difference is None:
            assert np.isnan(float(node["difference"]))
        else:
            assert float(node["difference"]) == one.difference.value
            assert float(node["difference_low"]) == pytest.approx(one.difference.low, nan_ok=True)


@pytest.mark.parametrize("kind", RECORDED)
def test_a_saved_answer_opens_with_its_table_and_its_pictures(kind, tmp_path):
    made = ANSWERS[kind]()
    again = type(made).load(made.save(tmp_path / "a.json"))
    assert isinstance(again, Record)
    assert again.kind == kind
    assert str(again.summary()) == str(made.summary())
    assert_drawn_alike(made, again)
    assert "data:image/png" in again._repr_html_()


def assert_drawn_alike(made, again):
    """All pictures of two answers have the same lines."""
    for name in (name for name in dir(made.plot) if not name.startswith("_")):
        mine, kept = getattr(made.plot, name)(), getattr(again.plot, name)()
        assert [line.get_xydata().shape for line in kept.lines] == [line.get_xydata().shape for line in mine.lines]
        for one, other in zip(mine.lines, kept.lines, strict=True):
            np.testing.assert_allclose(np.asarray(other.get_ydata(), float), np.asarray(one.get_ydata(), float))
    assert len(again.plot().axes) == len(made.plot().axes)


def _unknown(kind):
    """An answer of a kind with a number that is not known in each of its pictures, alone where it can stand alone."""
    made, nan = ANSWERS[kind](), float("nan")
    if kind == "Sensitivities":
        made.elasticity_error = np.array([nan, *made.elasticity_error[1:]])
        made.estimate = made.estimate._replace(low=nan, high=nan)
    elif kind == "Design":
        made.shadow_price = made.shadow_price_error = nan
        made.estimate = made.estimate._replace(standard_error=nan)
    elif kind == "ReverseStress":
        made.answers[0].probability = nan
    elif kind == "Attribution":
        made.amplified[0] = made.amplified[0]._replace(lost_error=nan)
    elif kind == "Maturity":
        first = made.shares[0]
        made.shares[0] = first._replace(shares=(first.shares[0]._replace(standard_error=nan), *first.shares[1:]))
    elif kind == "Attributions":
        one = made.events[0]
        made.events[0] = one._replace(own=one.own._replace(low=nan, high=nan), without=one.without._replace(low=nan, high=nan))
    elif kind == "OverRanges":
        made.indices[0] = made.indices[0]._replace(first_error=nan)
    return made  # a level of Warned has no price, a share of Attribution no error, and a measure of OverRanges no indices


@pytest.mark.parametrize("kind", RECORDED)
def test_a_saved_answer_opens_where_a_number_is_not_known(kind, tmp_path):
    made = _unknown(kind)
    path = made.save(tmp_path / "a.json")
    assert "null" in path.read_text()
    again = type(made).load(path)
    assert_drawn_alike(made, again)
    assert "data:image/png" in again._repr_html_()


@pytest.mark.parametrize("kind", [kind for kind in MODULES if kind not in ("Result", "Study", "RareEvent")])
def test_a_saved_answer_has_its_dataset(kind, tmp_path):
    made = ANSWERS[kind]()
    mine, kept = made.to_xarray(), type(made).load(made.save(tmp_path / "a.json")).to_xarray()
    assert sorted(map(str, kept.variables)) == sorted(map(str, mine.variables))
    for name, one in mine.variables.items():
        assert kept[name].dims == one.dims
        if one.dtype.kind in "fiu":
            np.testing.assert_allclose(np.asarray(kept[name], float), np.asarray(one, float))
        else:
            assert list(map(str, kept[name].values.ravel())) == list(map(str, one.values.ravel()))
    assert kept.attrs["kind"] == kind
    assert set(mine.attrs) <= set(kept.attrs)


@pytest.mark.parametrize("kind", ["Backtest", "DayTest", "ReplayCheck", "Calibration"])
def test_an_answer_of_draws_is_saved_as_its_table(kind, tmp_path):
    made = ANSWERS[kind]()
    again = type(made).load(made.save(tmp_path / "a.json"))
    assert (again.kind, str(again.summary())) == (kind, str(made.summary()))
    assert "<img" not in again._repr_html_()


def test_another_kind_is_not_taken_for_it(tmp_path):
    path = ANSWERS["Attribution"]().save(tmp_path / "a.json")
    with pytest.raises(ValueError, match="holds a Attribution, and no Maturity"):
        type(ANSWERS["Maturity"]()).load(path)
    with pytest.raises(ValueError, match=r"\.json or \.csv"):
        ANSWERS["Attribution"]().save(tmp_path / "a.txt")

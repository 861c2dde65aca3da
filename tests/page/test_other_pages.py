"""Pages of what has no engine of its own here: a back-test's record, a calibration, a run that is not finished."""

from types import SimpleNamespace

import pytest
from page.example_page import Cells
from report import example_studies
from report.example_answers import ANSWERS

from jaxrisk import page
from jaxrisk.calibration.report import Section
from jaxrisk.page.answers import load
from jaxrisk.page.calibration_page import page as calibration
from jaxrisk.report.study_table import Section as Lines, StudySummary
from jaxrisk.storage.study_files import write


def test_a_record_that_is_a_table_alone_opens(tmp_path):
    table = Lines("Scores", ("event", "crps"), "lr", [("2021-04-18", "-0.3"), ("<b>", "1e-05")])
    write(StudySummary("Forecasts & scores", ["not beaten: GARCH"], [table], ["A note."], [{"event": "a"}]), tmp_path / "b.json")
    answer = load(tmp_path / "b.json")
    assert answer.kind == "answer"
    text = Cells(page.html(page.pages([answer]))).text
    for words in ("Forecasts & scores", "Not beaten: GARCH", "2021-04-18", "\u22120.3", "1e\u221205", "<b>", "A note."):
        assert words in text


@pytest.mark.parametrize(
    ("harm", "says"),
    [({"align": "l"}, "other columns"), ({"lines": [["a"]]}, "other columns"), ({"columns": 3}, "damaged")],
)
def test_a_table_that_does_not_fit_is_damaged(tmp_path, harm, says):
    import json

    write(StudySummary("T", [], [Lines("S", ("a", "b"), "lr", [("x", "1")])]), tmp_path / "b.json")
    said = json.loads((tmp_path / "b.json").read_text())
    said["sections"][0] |= harm
    (tmp_path / "b.json").write_text(json.dumps(said, indent=2))
    with pytest.raises(ValueError, match=says) as caught:
        load(tmp_path / "b.json")
    assert str(tmp_path / "b.json") in str(caught.value)


def test_a_calibration_has_no_signs_of_markdown_and_a_picture():
    ladder = SimpleNamespace(moves=(0.05, 0.1), share={("BTC", "long"): (0.01, 0.05)})
    found = SimpleNamespace(name="mine <x>", problems=["`impact` is not identified"], ladder=ladder)
    sections = [
        Section("Price law: merton", ("a `law`",), ("parameter", "value"), (("`volatility`", "-0.5"),)),
        Section("Ladder", (), ("", "5%", "10%"), (("BTC long", "1%", "5%"),)),
        Section("Identifiability", ("- `impact` is not identified",)),
    ]
    html = page.html([calibration(found, sections)])
    cells = Cells(html)
    assert "`" not in cells.text
    assert "\n- " not in cells.text
    assert "mine <x>" in cells.text
    assert ("li", {}) in cells.tags
    assert html.count('class="drawn"') == 1


@pytest.mark.parametrize(
    ("kind", "says", "not_said"),
    [
        *(
            (kind, "95 times in a hundred", "hold 90%")
            for kind in ("Sensitivities", "Design", "RareEvent", "Attribution", "Maturity")
        ),
        *((kind, "hold 90% of the answers", "95 times in a hundred") for kind in ("Attributions", "Warned")),
        *((kind, "It is not advice", "Intervals") for kind in ("ReverseStress", "Backtest", "DayTest", "ReplayCheck")),
    ],
)
def test_a_page_says_of_intervals_what_they_are_of(kind, says, not_said, tmp_path):
    made = page.pages([load(ANSWERS[kind]().save(tmp_path / "a.json"))])
    parts = [one for one in made[0].parts if one.name in ("method", "limitations")]
    text = " ".join(words for one in parts for words in (*one.text, *one.lines))
    assert says in text
    assert not_said not in text
    assert ("chance alone" in text) == (says == "95 times in a hundred")


def test_a_run_that_is_not_finished_says_so(tmp_path):
    example_studies.run(planned_paths=4000).save(tmp_path / "part.nc")
    html = page.html(page.pages([load(tmp_path / "part.nc")]))
    assert "2,000 of 4,000 planned" in Cells(html).text or "2,000 of 4,000" in Cells(html).text
    assert "not finished" in Cells(html).text

"""Files that are not what they should be, outputs that would take an input's place, notices, and how the checks begin."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from page.example_page import Cells, study
from report import example_studies

from jaxrisk import page
from jaxrisk.cli import BAD_INPUT, NOT_WRITTEN, OK, main
from jaxrisk.page import charts, pdf
from jaxrisk.page.answers import load
from jaxrisk.report.study_table import Section, StudySummary
from jaxrisk.storage.study_files import write

ROOT = Path(__file__).parents[2]


def record(path, kind, **said):
    """A record of a kind, with a sound table."""
    write(StudySummary("A title", ["An answer"], [Section("S", ("a", "b"), "lr", [("x", "1")])], ["A note."]), path)
    told = json.loads(path.read_text())
    del told["kind"]
    path.write_text(json.dumps({"written_by": "jaxrisk", "kind": kind, **said, "summary": told}, indent=2))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Sensitivities", {"parameters": [{"name": "a"}], "elasticity": [1.0]}),
        ("ReverseStress", {"answers": [{"price": None}], "horizon_years": 1.0}),
        ("ReverseStress", {"answers": [{"price": [[1.0, None]], "log_price": [[None]]}]}),
        ("Design", {}),
        ("Design", {"measure": {"observable": "max_drawdown_index"}, "frontier": [{"measure": {}, "cost": 1}] * 2}),
    ],
)
def test_a_record_without_its_numbers_keeps_its_table(tmp_path, kind, said, capsys):
    record(tmp_path / "a.json", kind, **said)
    assert main(["report", str(tmp_path / "a.json"), "--json", str(tmp_path / "page.json")]) == OK
    assert "internal error" not in capsys.readouterr().err
    (found,) = [part for part in json.loads((tmp_path / "page.json").read_text())["parts"] if part["name"] == "found"]
    assert found["tables"][0]["rows"] == [["x", "1"]]


@pytest.mark.parametrize("kind", ["Attribution", "Attributed"])
def test_an_attribution_opens(tmp_path, kind):
    record(tmp_path / "a.json", kind)
    made = page.of(load(tmp_path / "a.json"))
    assert (made.kind, made.parts[0].heading) == ("attribution", "Whose fall was it?")


def test_a_report_is_no_result(tmp_path, capsys):
    example_studies.run().save(tmp_path / "run.nc")
    assert main(["report", str(tmp_path / "run.nc"), "--json", str(tmp_path / "page.json")]) == OK
    capsys.readouterr()
    assert main(["report", str(tmp_path / "page.json"), "--out", str(tmp_path / "b.html")]) == BAD_INPUT
    assert "is a report, and no result" in capsys.readouterr().err


def test_a_study_keeps_its_record(tmp_path, capsys):
    study(tmp_path / "a", caps=(5, 125), paths=60)
    before = (tmp_path / "a" / "study.json").read_bytes()
    assert main(["report", str(tmp_path / "a"), "--json", str(tmp_path / "a" / "study.json"), "--force"]) == BAD_INPUT
    assert (tmp_path / "a" / "study.json").read_bytes() == before
    assert "study.json" in capsys.readouterr().err


def test_what_cannot_be_drawn_is_said(tmp_path, capsys, monkeypatch):
    example_studies.run().save(tmp_path / "run.nc")
    monkeypatch.setattr(page, "html", lambda made: (_ for _ in ()).throw(ValueError("Out of range float values")))
    assert main(["report", str(tmp_path / "run.nc"), "--out", str(tmp_path / "a.html")]) == NOT_WRITTEN
    assert "cannot be drawn" in capsys.readouterr().err


def test_a_browser_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv(pdf.CHOSEN, str(fake))
    monkeypatch.setattr(pdf, "LONGEST", 0.2)
    with pytest.raises(OSError, match="was stopped"):
        pdf.printed("<p>")


def test_a_page_has_the_notices_of_what_draws_it(tmp_path):
    example_studies.run().save(tmp_path / "run.nc")
    html = page.html([page.of(load(tmp_path / "run.nc"))])
    for words in ("University of Washington Interactive Data Lab", "Mike Bostock", "Redistributions in binary form", "ISC"):
        assert words in html
    assert "University of Washington" not in Cells(html).text
    assert "NOTICES.txt" in (ROOT / "pyproject.toml").read_text()


def test_every_chart_has_its_numbers_behind_it(tmp_path):
    example_studies.run().save(tmp_path / "run.nc")
    made = page.of(load(tmp_path / "run.nc"))
    pictures = [chart for part in made.parts for chart in part.charts]
    assert len(pictures) >= 3
    assert all(chart.table is not None and chart.table.rows for chart in pictures)


def test_the_numbers_behind_lines_are_theirs():
    rows = [
        {"series": name, "x": x, "y": scale * x} for name, scale in (("a", 1.0), ("b", -2.0)) for x in np.linspace(0, 10, 101)
    ]
    table = charts.behind(rows, "x", "y")
    assert (len(table.rows), table.columns) == (charts.MOST_ROWS, ("x", "a", "b"))
    assert [cell.text for cell in table.rows[-1]] == ["10", "10", "\u221220"]


@pytest.mark.parametrize("apt", ["exit 100", "cat; exit 1", "[ -t 0 ] && sleep 600; exit 1"])
def test_checks_begin_without_a_browser(tmp_path, apt):
    """A network that is not there, a question that nobody answers: the tests are run, and what is left out is said."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "mktemp", "tail", "rm", "cat", "sleep", "timeout"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    for name, text in (("id", "echo 0"), ("apt-get", f'echo "apt $DEBIAN_FRONTEND"; {apt}')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    (tmp_path / ".ci").mkdir()
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "scripts" / "test").write_text('#!/bin/sh\necho "tests:${JAXRISK_TEST_EXTRAS:-none}"\n')
    (tmp_path / "scripts" / "test").chmod(0o755)
    run = lambda: subprocess.run([str(tmp_path / ".ci" / "run")], env={"PATH": str(tools), "TMPDIR": str(tmp_path)},
                                 capture_output=True, text=True, check=False)  # fmt: skip
    done = run()
    assert (done.returncode, done.stdout) == (0, "tests:none\n")
    assert "BROWSER TESTS LEFT OUT" in done.stderr
    assert "apt noninteractive" in done.stderr
    (tools / "google-chrome").write_text("#!/bin/sh\n")
    (tools / "google-chrome").chmod(0o755)
    assert run().stdout == "tests:browser\n"
    assert sorted(os.listdir(tmp_path)) == [".ci", "bin", "scripts"]

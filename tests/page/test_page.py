"""A page holds the numbers of its result, all of them, rounded and not changed; what users wrote is text; nothing is fetched."""

import json
import math
import re
import time

import numpy as np
import pytest
from page.example_page import TITLE, Cells, study
from report import example_studies

from jaxrisk import page
from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.page.answers import load
from jaxrisk.page.compare import compare
from jaxrisk.page.render import library
from jaxrisk.storage.study_files import write
from jaxrisk.studies.study import RECORD, Study

UNITS = {r"billion USD|USD B": 1e-9, r"million USD|USD M": 1e-6, r"thousand USD|USD k": 1e-3, r"%|percentage points": 100.0}
"""What a number is multiplied by, by the unit that a page states; 1 where it states none of these."""
MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study's folder."""
    where = tmp_path_factory.mktemp("page") / "caps"
    study(where)
    return where


@pytest.fixture(scope="module")
def html(folder):
    """Its page."""
    return page.html(page.pages([load(folder)]))


def rounded(text: str) -> tuple[float, float]:
    """The first number of a text, and half a unit of its last digit."""
    number = re.match(r"[<>]?\s*(\u2212?[\d,]*\.?\d+)(?:e([\u2212+]?\d+))?", text.strip())
    assert number, text
    digits = number[1].replace(",", "").replace("\u2212", "-")
    power = 10.0 ** int((number[2] or "0").replace("\u2212", "-"))
    decimals = len(digits.partition(".")[2])
    return float(digits) * power, 0.5001 * 10.0**-decimals * power


def stated_scale(places: tuple[str, ...]) -> float:
    """By what the page says that it multiplied: the unit in the first of the places that states one."""
    for place in places:
        place = place.replace("95% interval", "")
        for unit, scale in UNITS.items():
            if re.search(unit, place):
                return scale
    return 1.0


def agrees(text: str, value: float, places: tuple[str, ...] = ()) -> bool:
    """Whether a text is the number in the unit that its page states."""
    shown, half = rounded(text)
    scale = stated_scale(places)
    whole = half > 0.4 and abs(shown) >= 1e3  # four digits of a large number
    slack = max(half, 6e-4 * abs(shown) if whole else 0.0)
    return abs(shown - value * scale) <= slack + 1e-9 * abs(shown)


def test_a_number_in_another_unit_than_is_stated_is_noticed():
    places = ("3.21", "3.21", "value", "million USD")
    assert agrees("3.21", 3.21e6, places)
    assert not agrees("3.21", 3.21e3, places)
    assert not agrees("3.21", 3.21, places)
    assert agrees("4.5%", 0.045, ("4.5%", "95% interval"))
    assert not agrees("4.5", 0.045, ("4.5", "95% interval"))


def test_the_record_gives_the_study_back(folder):
    made = study(folder.parent / "again")
    again = Study.load(folder.parent / "again")
    assert str(again.summary()) == str(made.summary())
    assert again.info == made.info


def without_name(said):
    said["cells"][0]["name"] = {"a": 1}


def of_no_scenario(said):
    said["cells"][0]["scenario"] = "other"


def no_reference(said):
    said["reference"] = dict.fromkeys(said["reference"], "other")


def ranked_twice(said):
    next(iter(said["rankings"].values()))["order"][0] = 1


def no_interest(said):
    said["held"].pop(said["cells"][0]["name"])


def no_rank(said):
    said["rank"]["observable"] = "open_interest_loss_usd[x]"


def a_statistic(said):
    said["rank"]["statistic"] = "median"


def words_for_paths(said):
    next(iter(said["info"]["by_scenario"].values()))["paths"] = "many"


def no_paths(said):
    said["info"]["paths"] = None


def no_number(said):
    said["held"][said["cells"][0]["name"]] = None


def no_seed(said):
    next(iter(said["info"]["by_scenario"].values()))["seed"] = None


def no_weight(said):
    said["found"][0]["weight"] = 0.0


def a_number_for_words(said):
    said["found"][0]["note"], said["title"] = 5, 5


def left_out(said):
    said["found"] = [one for one in said["found"] if one["cell"]["name"] != said["cells"][0]["name"]]


def not_asked(said):
    said["measures"] = said["measures"][:1]


def infinite(said):
    said["found"][0]["estimate"]["value"] = 10**400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_name, "stands where words are needed"),
        (of_no_scenario, "scenarios that have no reference"),
        (no_reference, "a reference is no cell of its scenario"),
        (ranked_twice, "a ranking is not of the cells of its scenario"),
        (no_interest, "a cell has no open interest"),
        (no_rank, "no measure of it"),
        (a_statistic, 'no statistic "median"'),
        (words_for_paths, "'many' is no number of paths"),
        (no_paths, "None is no number of paths"),
        (no_number, "an open interest is no number"),
        (no_seed, "a seed is no whole number"),
        (no_weight, "a weight is no positive number"),
        (a_number_for_words, "'5' stands where words are needed"),
        (left_out, "lacks what it is ranked by"),
        (not_asked, "something was found of what is no measure of it"),
        (infinite, "is no record of a study"),
    ],
)
def test_a_record_whose_parts_do_not_fit_is_refused(change, words, folder, tmp_path, capsys):
    """In words, with its name, by Python and by the command: its tables are made of these parts."""
    said = json.loads((folder / "study.json").read_text())
    change(said)
    (tmp_path / "study.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        Study.load(tmp_path)
    assert str(tmp_path / "study.json") in str(caught.value)
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "r.html")]) == BAD_INPUT
    assert str(tmp_path / "study.json") in capsys.readouterr().err


def test_every_number_of_a_study_is_on_its_page_and_no_other(folder, html):
    found = Study.load(folder)
    cells = Cells(html)
    shown = cells.numbers
    on_page = {key: value for key, value, _ in shown}
    checked = 0
    for one in found.found:
        pairs = {} if one.estimate is None else {"value": one.estimate.value, "standard_error": one.estimate.standard_error}
        pairs |= {} if one.difference is None else {"difference": one.difference.value}
        for field, value in pairs.items():
            if not math.isnan(value):
                assert on_page[f"{one.cell.name}|{one.branch}|{one.measure}|{field}"] == value
                checked += 1
    assert checked > 80
    known = {f"{one.cell.name}|{one.branch}|{one.measure}" for one in found.found}
    for (key, value, text), places in zip(shown, cells.stated, strict=True):
        ahead, _, field = key.rpartition("|")
        if field in ("value", "standard_error", "low", "difference"):
            assert ahead in known
        if text.strip() and text.strip()[0] in "0123456789\u2212":
            assert agrees(text, value, places), (key, value, text, places)


def test_what_can_be_chosen_is_what_the_result_holds(folder, html):
    found = Study.load(folder)
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])["choices"][""]
    assert data["cells"] == [cell.name for cell in found.cells]
    for one in found.found:
        told = data["found"][f"{one.cell.name}|{one.branch}|{one.measure}"]
        if one.estimate is not None:
            assert told["value"] == one.estimate.value
        if one.difference is not None:
            assert told["difference"] == one.difference.value
    observable = "max_drawdown_index"
    from jaxrisk.report import Result

    result = Result.load(folder / "cells" / f"{found.info['files']['cap 5']['']}.nc")
    values = result.column(observable)
    for level, value in zip(data["levels"][observable], data["curves"][f"cap 5||{observable}"][0], strict=True):
        near = [np.mean(values > level / 100.0 * (1.0 + shift)) for shift in (-1e-4, 1e-4)]
        assert min(near) - 1e-3 <= value <= max(near) + 1e-3


def test_what_users_wrote_is_text(html):
    cells = Cells(html)
    assert TITLE.strip() in cells.text
    assert "<script>alert" not in html
    assert sum(tag == "script" for tag, _ in cells.tags) == 3
    assert not [tag for tag, _ in cells.tags if tag == "i"]
    assert "pro & <co>" in cells.text


def test_nothing_is_asked_of_a_network(html):
    own = html.replace(library(), "")
    for tag, said in Cells(own).tags:
        assert tag not in ("link", "iframe", "img", "object", "embed")
        for name in ("src", "href", "xlink:href", "action"):
            assert said.get(name, "#").startswith("#"), (tag, said)
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!#)", own)


def test_machines_get_the_same(folder, tmp_path):
    made = page.pages([load(folder)])
    page.write(made, tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    assert (said["written_by"], said["title"]) == ("jaxrisk", TITLE)
    tables = [table for part in said["parts"] for table in [*part["tables"], *(one["table"] for one in part["charts"])] if table]
    cells = [cell for table in tables for row in table["rows"] for cell in row if isinstance(cell, dict)]
    numbers = {cell["key"]: cell["value"] for cell in cells}
    for key, value, _ in Cells(page.html(made)).numbers:
        assert numbers[key] == value


def test_findings_are_hedged_as_the_numbers_are(folder):
    found = Study.load(folder)
    told = page.of(load(folder)).findings
    text = " ".join(one.text for one in told)
    assert any(one.verdict == "apart" and one.text.startswith("Under cap 2, against cap 125, lower: accounts closed out, retail")
               for one in told)  # fmt: skip
    beyond = found.of("cap 2", "exceedance_probability(max_drawdown_index, 0.9)")
    assert beyond.difference.differing == 0
    assert "NaN" not in text
    assert "nan" not in text


def test_branches_have_their_own_numbers(tmp_path):
    made = study(tmp_path / "b", caps=(5, 125), branches=2, paths=400)
    html = page.html(page.pages([load(tmp_path / "b")]))
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])["choices"][""]
    assert data["branches"] == ["", "impact: times 1", "impact: times 2"]
    one = made.of("cap 5", MEAN := "mean(open_interest_loss_usd)", "impact: times 2")
    assert data["found"][f"cap 5|impact: times 2|{MEAN}"]["value"] == one.estimate.value
    assert "between branches a standard deviation of" in html
    assert "cap 5|impact: times 2|max_drawdown_index" in data["curves"]


def test_a_record_of_an_earlier_version_opens_and_says_what_it_lacks(tmp_path):
    study(tmp_path / "old", caps=(5, 125), paths=200)
    said = json.loads((tmp_path / "old" / RECORD).read_text())
    del said["info"]["files"], said["info"]["study"], said["kind"]
    for cell in said["cells"]:
        del cell["scenario"]
    (tmp_path / "old" / RECORD).write_text(json.dumps(said, indent=2))
    text = Cells(page.html(page.pages([load(tmp_path / "old")]))).text
    assert "of an earlier version" in text


@pytest.mark.parametrize("harm", ["no json", '{"written_by": "jaxrisk"', '{"a": 1}', '{\n  "written_by": "jaxrisk", "cells": '
                                                                                     '[], "rankings": {}}',
                                  '{"written_by": "jaxrisk", "cells": [{}], "rankings": {"a": 1}, "found": [], "spreads": [], '
                                  '"info": 3}'])  # fmt: skip
def test_a_damaged_record_is_refused_by_name(tmp_path, capsys, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / RECORD).write_text(harm)
    assert main(["report", "s"]) == BAD_INPUT
    said = capsys.readouterr()
    assert str(tmp_path / "s" / RECORD).endswith(said.err.split(" ")[0])
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.glob("*.html"))


def test_a_missing_run_is_said(tmp_path):
    study(tmp_path / "gone", caps=(5, 125), paths=200)
    next((tmp_path / "gone" / "cells").glob("*.nc")).unlink()
    assert "1 run's result is not in" in Cells(page.html(page.pages([load(tmp_path / "gone")]))).text


def test_a_runs_page_holds_its_summary(tmp_path, capsys):
    result = example_studies.run()
    result.save(tmp_path / "run.nc")
    assert (
        main(["report", str(tmp_path / "run.nc"), "--out", str(tmp_path / "run.html"), "--json", str(tmp_path / "run.json")])
        == OK
    )
    cells = Cells((tmp_path / "run.html").read_text())
    shown = cells.numbers
    on_page = {key: value for key, value, _ in shown}
    for row in result.summary():
        if row.estimate is not None:
            assert on_page[f"{row.measure}|{row.statistic}|value"] == row.estimate.value
            if not math.isnan(row.estimate.standard_error):
                assert on_page[f"{row.measure}|{row.statistic}|standard_error"] == row.estimate.standard_error
    for (key, value, text), places in zip(shown, cells.stated, strict=True):
        if text.strip() and text.strip()[0] in "0123456789\u2212":
            assert agrees(text, value, places), (key, value, text, places)
    assert capsys.readouterr().out.splitlines()[0].startswith("On average the price falls by")


ANSWERS = {"sensitivity": example_studies.sensitivities, "design": example_studies.design,
           "reverse stress": example_studies.reverse_stress,
           "rare event": example_studies.rare_event}  # fmt: skip
TYPES = {"sensitivity": "Sensitivities", "design": "Design", "reverse stress": "ReverseStress", "rare event": "RareEvent"}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answers_page_has_every_text_of_its_table(kind, tmp_path):
    example = ANSWERS[kind]()
    made = type(TYPES[kind], (), {})()
    vars(made).update(vars(example))
    from jaxrisk.report.studies import summary

    made.summary = lambda: summary(made)
    write(made, tmp_path / "a.json", 'name = "btc_24h"\n')
    answer = load(tmp_path / "a.json")
    assert (answer.kind, str(answer.value.summary())) == (kind, str(made.summary()))
    text = Cells(page.html(page.pages([answer]))).text
    for section in made.summary().sections:
        for line in section.lines:
            for cell in line:
                assert cell.strip().replace("-", "\u2212") in text.replace("-", "\u2212")
    for note in made.summary().notes:
        assert note.replace("-", "\u2212") in text.replace("-", "\u2212")


def test_what_changed_is_told_from_noise(tmp_path):
    random = np.random.default_rng(7)
    base = 0.03 * random.exponential(size=2000)
    for name, shift, seed in (("old", 0.0, "3"), ("same", 0.0, "3"), ("worse", 0.002, "3"), ("other", 0.0, "4")):
        losses = {}
        losses["max_drawdown_index"] = base + shift + (1e-4 * random.standard_normal(2000) if seed == "4" else 0.0)
        example_studies.run(losses=losses, seed=seed).save(tmp_path / f"{name}.nc")
    told = {}
    for name in ("same", "worse", "other"):
        part, findings, changes = compare(load(tmp_path / f"{name}.nc"), load(tmp_path / "old.nc"))
        assert len(part.tables[0].rows) == len(changes)
        assert (findings[-1].verdict == "apart") == (name == "worse")
        told[name] = {one.name: one._asdict() for one in changes}
    fall = "index drawdown, mean"
    assert told["same"][fall]["value"] == 0.0
    assert told["worse"][fall]["value"] == pytest.approx(0.002)
    assert told["worse"][fall]["paired"]
    assert told["worse"][fall]["low"] > 0.0
    assert not told["other"][fall]["paired"]
    assert told["other"][fall]["low"] < 0.0 < told["other"][fall]["high"]


@pytest.mark.slow
def test_a_report_of_125_cells_stays_small(tmp_path):
    study(tmp_path / "many", caps=tuple(range(2, 127)), paths=100)
    begun = time.perf_counter()
    made = page.html(page.pages([load(tmp_path / "many")]))
    print(f"125 cells: {len(made) / 1e6:.2f} MB, written in {time.perf_counter() - begun:.1f} s")
    assert len(made.encode()) < MOST_BYTES


@pytest.mark.slow
def test_a_report_of_100_000_paths_stays_small(tmp_path):
    random, paths = np.random.default_rng(3), 100_000
    fall = np.minimum(0.03 * random.exponential(size=paths), 0.9)
    losses = {"max_drawdown_index": fall, "max_drawdown_no_feedback_index": 0.8 * fall, "amplification_index": 0.2 * fall,
              "open_interest_loss_fraction": np.where(fall > 0.05, fall, 0.0)}  # fmt: skip
    example_studies.run(losses=losses, paths=paths).save(tmp_path / "run.nc")
    begun = time.perf_counter()
    made = page.html(page.pages([load(tmp_path / "run.nc")]))
    print(f"100,000 paths: {len(made) / 1e6:.2f} MB, written in {time.perf_counter() - begun:.1f} s")
    assert len(made.encode()) < MOST_BYTES


def test_problems_are_told_at_once(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.html").write_text("<!doctype html><p>mine")
    code = main(["report", "nowhere.nc", str(folder), "--out", "mine.html", "--json", "x.txt", "--compare", "also.nc", "--force"])
    lines = capsys.readouterr().err.splitlines()
    assert code == BAD_INPUT
    for word in ("nowhere.nc", "also.nc", "mine.html", "--json"):
        assert sum(word in line for line in lines) == 1
    assert (tmp_path / "mine.html").read_text() == "<!doctype html><p>mine"

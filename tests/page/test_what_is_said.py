"""What a page says of rare things, of what is left out, and of how to have it again."""

import json
import math
import re
import shlex

import numpy as np
import pytest
from page.example_page import Cells, study
from report import example_studies

from jaxrisk import page
from jaxrisk.cli import OK, main
from jaxrisk.page import fixed
from jaxrisk.page.answers import load
from jaxrisk.page.study_choice import _told
from jaxrisk.page.study_page import MOST_COLUMNS, first
from jaxrisk.report import Result
from jaxrisk.risk.paired import Difference

RARE = "exceedance_probability(max_drawdown_index, 0.9)"
SEEN = "exceedance_probability(max_drawdown_index, 0.25)"


def choices(html):
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])["choices"]


def cells_of(table):
    return [cell for row in table.rows for cell in row if cell.key]


def every_table(one):
    yield from [one.headline] if one.headline else []
    for part in one.parts:
        yield from part.tables
        yield from (chart.table for chart in part.charts if chart.table)


def test_what_no_path_shows_is_zero_in_no_table_of_a_study(tmp_path):
    made = study(tmp_path / "a", caps=(5, 125), paths=1000, more=[SEEN])
    shown = [cell for table in every_table(page.of(load(tmp_path / "a"))) for cell in cells_of(table)]
    never = [cell for cell in shown if f"|{RARE}|value" in cell.key]
    assert len(never) >= 3  # the first screen, who loses what, changes
    assert {cell.text for cell in never} == {"not seen"}
    assert {cell.text for cell in shown if f"|{RARE}|low" in cell.key} == {"at most 0.37%"}
    few = [cell.text for cell in shown if f"cap 5||{SEEN}|value" in cell.key]
    count = round(made.of("cap 5", SEEN).estimate.value * 1000)
    assert 0 < count < 10
    assert all(f"({count} of 1,000)" in text for text in few)
    told = choices(page.html([page.of(load(tmp_path / "a"))]))[""]["found"]
    assert told[f"cap 5||{RARE}"]["text"].startswith("not seen on any of 1,000 paths, so at most 0.37%")


def test_what_no_path_shows_is_zero_in_no_table_of_a_run(tmp_path):
    fall = np.linspace(0.0, 0.099, 2000)
    for name, values in (("old", fall), ("new", np.append(fall[:-3], [0.15] * 3))):
        example_studies.run(losses={"max_drawdown_index": values}).save(tmp_path / f"{name}.nc")
    (made,) = page.pages([load(tmp_path / "new.nc")], load(tmp_path / "old.nc"))
    shown = {cell.key: cell.text for table in every_table(made) for cell in cells_of(table)}
    key = "probability of index drawdown"
    assert shown[f"{key}|> 20%|value"] == "not seen"
    assert shown[f"{key}|> 20%|low"] == "at most 0.19%"
    assert shown[f"{key}|> 10%|value"] == "0.150% (3 of 2,000)"
    assert shown[f"{key}, > 10%|before"] == "not seen"
    assert shown[f"{key}, > 10%|now"].endswith("(3 of 2,000)")
    assert shown[f"{key}, > 10%|change"] == "not known: too few paths"
    assert not [text for text in shown.values() if re.fullmatch(r"0\.0+%", text)]


@pytest.mark.parametrize(
    ("difference", "change", "words"),
    [
        (Difference(0.1, math.nan, math.nan, math.nan, 1.0, 4, 0.1), "not known: too few paths", "too few paths to tell"),
        (Difference(0.0, math.nan, math.nan, math.nan, 1.0, 0, 0.004), "0 (at most 0.40% of paths differ)", "no path differs"),
    ],
)
def test_a_choice_that_is_words_has_no_unit(tmp_path, difference, change, words):
    made = study(tmp_path / "a", caps=(5, 125), paths=400)
    for measure in made.measures:
        one = made.of("cap 5", measure)._replace(difference=difference)
        told = _told(one, made.of("cap 125", measure))
        assert (told["change"], told["words"]) == (change, words)
    nothing = _told(made.of("cap 5", measure)._replace(estimate=None, note="needs 1,000 paths"), made.of("cap 125", measure))
    assert nothing["text"] == "needs 1,000 paths"
    assert nothing["change"] == ""


def test_a_change_of_what_needs_more_paths_is_not_told_apart(tmp_path):
    deep = "expected_shortfall(max_drawdown_index, 0.9999)"
    study(tmp_path / "a", caps=(5, 125), paths=300, more=[deep])
    shown = [cell for table in every_table(page.of(load(tmp_path / "a"))) for cell in cells_of(table) if deep in cell.key]
    assert {cell.text for cell in shown if cell.key.startswith("cap 5")} == {"not known: too few paths"}


def test_the_distribution_reaches_the_worst_of_all_settings(tmp_path):
    made = study(tmp_path / "a", caps=(5, 125), branches=2, paths=400)
    worst = tmp_path / "a" / "cells" / f"{made.info['files']['cap 5']['impact: times 2']}.nc"
    result = Result.load(worst)
    result.losses = {**{name: result[name] for name in result.losses}, "max_drawdown_index": 2.0 * result["max_drawdown_index"]}
    largest = 100.0 * float(result["max_drawdown_index"].max())
    worst.unlink()
    result.save(worst)
    said = choices(page.html([page.of(load(tmp_path / "a"))]))[""]
    levels, curve = said["levels"]["max_drawdown_index"], said["curves"]["cap 5|impact: times 2|max_drawdown_index"]
    assert levels[-1] == pytest.approx(largest, rel=1e-4)
    assert curve[0][-1] == 0.0
    for path in (tmp_path / "a" / "cells").glob("*.nc"):  # without the reference's file other settings keep theirs
        if path.stem in made.info["files"]["cap 125"].values():
            path.unlink()
    said = choices(page.html([page.of(load(tmp_path / "a"))]))[""]
    assert "cap 5||max_drawdown_index" in said["curves"]


def test_the_later_pages_of_a_report_keep_what_is_their_own(tmp_path):
    example_studies.run().save(tmp_path / "run.nc")
    study(tmp_path / "a", caps=(5, 125), paths=200)
    next((tmp_path / "a" / "cells").glob("*.nc")).unlink()
    both = page.pages([load(tmp_path / "run.nc"), load(tmp_path / "a")])
    parts = {part.name: part for part in both[1].parts}
    assert any("not in the study's folder" in line for line in parts["limitations"].lines)
    assert any("2 settings in 1 branch" in line for line in parts["method"].text)
    assert "history" not in parts
    assert not set(parts["limitations"].lines) & set(fixed.limitations([]).lines)
    html = page.html(both)
    assert list(choices(html)) == ["", "1-"]
    names = [said["id"] for _, said in Cells(html).tags if "id" in said]
    assert sorted(names) == sorted(set(names))
    assert "1-choose" in names


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_both_tails_of_the_fall_are_on_the_first_screen(tmp_path, classes):
    from jaxrisk.risk.measure import Measure

    made = study(tmp_path / "a", caps=(5, 125), paths=200)
    names = [f"{what}[class {k}]" for k in range(classes) for what in ("accounts_closed_out", "collateral_lost")]
    made.measures = [*(Measure(name, "mean") for name in names), *made.measures[1:4]]
    ahead = first(made)
    assert len(ahead) == min(2 * classes, 6) + 2 <= MOST_COLUMNS
    assert [one.statistic for one in ahead[-2:]] == ["expected_shortfall", "exceedance_probability"]


def test_settings_that_are_left_out_are_counted_and_the_last_is_shown(tmp_path):
    study(tmp_path / "a", caps=tuple(range(2, 32)), paths=60)
    made = page.of(load(tmp_path / "a"))
    assert made.headline is not None
    names = [row[0].text for row in made.headline.rows]
    assert {"cap 31", "cap 30", "cap 2"} <= set(names)
    assert f"{len(names)} of 30 settings" in made.headline.caption
    assert "Of 29 settings 6 are told of" in made.findings[0].text


@pytest.mark.slow
def test_the_command_of_a_page_gives_the_run_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--set", "impact.coefficient=2", "--paths", "64", "--steps", "24", "--seed", "5", "--sampling", "sobol"]
    assert main(["run", "btc_24h", *words, "--out", "first.nc"]) == OK
    made = page.of(load(tmp_path / "first.nc"))
    (tmp_path / "run.toml").write_text(made.parts[-1].code)
    command = shlex.split(made.made["command"])
    assert command[:3] == ["jaxrisk", "run", "run.toml"]
    assert main([*command[1:], "--out", "again.nc"]) == OK
    first_, again = (Result.load(tmp_path / f"{name}.nc") for name in ("first", "again"))
    for name in first_.losses:
        assert np.array_equal(first_[name], again[name])


@pytest.mark.parametrize(
    ("info", "says"),
    [({"first_path": 64}, "begin at number 64"), ({"feedback": 0.0}, "feedback was 0"), ({"seed": "3"}, "--seed 3"),
     ({"sampling": "sobol", "replicates": 8}, "--sampling sobol")],
)  # fmt: skip
def test_a_command_that_would_give_other_numbers_is_not_printed(tmp_path, info, says):
    text = 'name = "x"\nchannels = { feedback = 1.0 }\n[run]\npaths = 2000\nseed = 1\nprecision = "float32"\n'
    example_studies.run(scenario_toml=text, **info).save(tmp_path / "a.nc")
    made = page.of(load(tmp_path / "a.nc"))
    assert says in " ".join([*made.parts[-1].text, *made.parts[-1].lines])
    assert ("command" in made.made) == says.startswith("--")
    example_studies.run().save(tmp_path / "b.nc")
    assert "command" not in page.of(load(tmp_path / "b.nc")).made

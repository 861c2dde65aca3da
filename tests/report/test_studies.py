"""Tables, figures and files of studies: what is printed is what was found, with its errors, in units one can read."""

import io
import json
import math
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from report import example_studies as example
from rich.console import Console

from jaxrisk.config import check
from jaxrisk.report import Result, studies
from jaxrisk.report.plots import design, rare, sensitivity
from jaxrisk.report.study_table import Section, StudySummary, _text, grouped, in_words, said, shown
from jaxrisk.risk import Estimate
from jaxrisk.risk.measure import Measure
from jaxrisk.storage.study_files import everything, limits_toml, write


def row(summary, name, section=0):
    """The texts of the line that a name stands in."""
    return next(line for line in summary.sections[section].lines if line[0].strip() == name)


def test_sensitivities_are_shown_in_the_units_of_measure_and_parameter():
    summary = studies.sensitivities(example.sensitivities())
    text = str(summary)
    assert text.splitlines()[0] == "Sensitivity of the 99% expected shortfall of the maximum drawdown of the index"
    assert text.splitlines()[1] == "12.34% (standard error 0.11%, 95% interval 12.13% to 12.56%), 100,000 paths"
    # 6.2e-5 of drawdown per unit of leverage is 0.0062 percentage points; 3.1e-12 per USD is 0.31 points per USD B
    assert row(summary, "[retail,*,*]")[1:4] == ("20", "0.00620", "0.00071")
    assert row(summary, "populations.retail_long.open_interest")[1:4] == ("2.345 USD B", "0.310", "0.042")
    # elasticity 0.0123 * 1 / 0.1234, and its interval of 1.96 standard errors either way
    assert row(summary, "impact.coefficient[BTC]")[4:] == ("0.0997", "[0.0868, 0.1125]", "bump")
    assert "bump for market.jump_rate[BTC]: a threshold" in text
    assert "3.12% of the paths looked at fall to prices above criticality" in text


def test_reasons_are_said_once_or_shortly():
    say = lambda **changes: studies.sensitivities(example.sensitivities(**changes)).notes[1:-1]
    same = ["the same"] * 5
    assert say(method=["pathwise"] * 5, reason=same) == ("pathwise: the same",)
    assert say(method=["bump", *["pathwise"] * 4], reason=same) == (
        "bump for limits.cap[retail,*,*]: the same",
        "pathwise for 4 parameters: the same",
    )
    different = [f"pathwise: relative error {k}%" for k in range(5)]
    assert say(method=["pathwise"] * 5, reason=different) == ("pathwise: tail index of the paths' derivatives 1.8 to 4.1",)
    assert say(method=["bump"] * 5, reason=["bump: why", *different[1:]])[0] == "bump for limits.cap[retail,*,*]: why"


def test_second_derivatives():
    summary = studies.sensitivities(example.sensitivities(cross=[("limits.cap[retail,*,*]", "market.volatility[BTC]", 0.5, 0.1)]))
    assert summary.sections[1].lines == [("limits.cap[retail,*,*]", "market.volatility[BTC]", "0.50", "0.10", "[0.30, 0.70]")]


def test_a_full_bump_stands_beside_what_it_checks():
    found = example.sensitivities()
    checked = found.gradient + np.hypot(2.0, 1.0) * found.standard_error, 2.0 * found.standard_error
    summary = studies.sensitivities(example.sensitivities(checked=checked))
    assert [line[-1] for line in summary.sections[1].lines if line[-1]] == ["-1.0"] * 5
    assert row(summary, "[retail,*,*]", 1)[1:4] == ("0.00620", "0.0078", "0.0014")


def test_the_table_of_a_study_as_numbers():
    frame = studies.sensitivities(example.sensitivities()).to_dataframe()
    assert "left" not in frame.columns
    assert "to" not in frame.columns
    changed = studies.sensitivities(example.sensitivities(**example.CHANGED)).to_dataframe()
    assert changed.loc[0, ["left", "left_error", "right", "right_error"]].tolist() == [9.1e-5, 8e-6, 3.1e-5, 6e-6]
    assert changed.loc[1, ["left", "right"]].isna().all()
    told = changed[changed.method == "change"]
    assert told[["parameter", "value", "to", "change", "standard_error"]].iloc[0].tolist() == [
        "limits.cap[retail,*,*]", 20.0, 10.0, -0.0031, 0.0002,
    ]  # fmt: skip
    assert told.low.iloc[0] == pytest.approx(-0.0031 - 1.96 * 0.0002, abs=1e-6)
    assert told.gradient.isna().all()
    assert told[["standard_error", "low"]].iloc[1].isna().all()
    found = example.sensitivities()
    np.testing.assert_array_equal(frame["gradient"], found.gradient)
    np.testing.assert_allclose(frame["high"] - frame["low"], 2 * 1.959964 * found.standard_error)
    assert list(frame["method"]) == found.method


def test_numbers_that_are_not_known_are_dashes():
    unknown = np.full(5, np.nan)
    summary = studies.sensitivities(example.sensitivities(elasticity=unknown, elasticity_error=unknown, gradient=unknown))
    assert row(summary, "impact.coefficient[BTC]")[2:6] == ("-", "0.081", "-", "")


def test_parameters_with_units_and_ranges():
    summary = studies.parameters(example.PARAMETERS, "tiny: 5 parameters")
    assert row(summary, "[retail,*,*]") == ("  [retail,*,*]", "20", "", "1 to 1,000,000", "")
    assert row(summary, "market.jump_rate[BTC]")[1:] == ("48.3", "1/year", "from 0", "bump")
    assert list(summary.to_dataframe().columns) == ["name", "value", "unit", "low", "high", "pathwise"]


def test_reverse_stress_says_each_answer():
    summary = studies.reverse_stress(example.reverse_stress())
    text = str(summary)
    assert text.splitlines()[0] == "The most likely ways to reach 15%: maximum drawdown of the index"
    assert row(summary, "1")[1:] == ("15%", "8.20", "4.05", "2.6e-05 (1 in 38,000)")  # 4.05 = sqrt(2 * 8.2)
    assert "1. a steady fall of 9.5% over the whole day" in text
    assert "2. one fall of 11% at noon" in text
    assert "all of them together, to first order: 2.8e-05 (1 in 35,000)" in text
    assert "no path found" in str(studies.reverse_stress(example.reverse_stress(answers=[])))
    answers = example.reverse_stress().answers[:1]
    answers[0].probability = 0.0  # of 40 standard deviations, in a float
    assert row(studies.reverse_stress(example.reverse_stress(answers=answers)), "1")[-1] == "below 1e-300"


def test_rare_event_says_what_it_saved_and_what_comes_with_it():
    found = example.rare_event()
    summary = studies.rare_event(found)
    value, error = found.estimate.value, found.estimate.standard_error
    assert summary.answer[0].startswith(f"{value:.1e} (1 in ")
    times = float(summary.notes[1].split("standard error, ")[1].removesuffix(" times as many").replace(",", ""))
    assert times == pytest.approx((1 - value) * value / error**2 / 12_000, rel=0.05)
    whole = found.result()
    beyond = whole.losses["max_drawdown_index"] > 0.3
    weights = np.exp(found.log_weights) * beyond
    mean = (weights * whole.losses["max_drawdown_index"]).sum() / weights.sum()
    assert row(summary, "maximum drawdown of the index")[1].startswith(f"{100 * mean:.2f}")
    assert len(summary.notes) == 2
    started = studies.rare_event(example.rare_event(info={"seed": 1, "conditional_on": "the law's own, from a start"}))
    assert started.notes[-1] == "the law's own, from a start"
    shared = studies.rare_event(example.rare_event(method="splitting"))
    assert not shared.sections  # paths that share their beginnings: the errors of means would be too small
    nothing = example.rare_event(estimate=Estimate(0.0, 0.0, 0.0, 3e-4, 0.3, 10_000, 10_000.0))
    assert studies.rare_event(nothing).answer == ("not reached on any of 10,000 paths; with 95% confidence at most 3.0e-04",)
    unknown = example.rare_event(estimate=Estimate(0.0, math.nan, 0.0, math.nan, 0.3, 10_000, 10_000.0), method="splitting")
    assert studies.rare_event(unknown).answer == ("not reached on any of 10,000 paths; the probability is not known from them",)


def test_design_within_the_budget():
    text = str(studies.design(example.design()))
    assert text.splitlines()[1:3] == [
        "within the budget of 8%",
        "7.910% (standard error 0.040%, 95% interval 7.830% to 7.990%), 1,000,000 fresh paths",
    ]
    summary = studies.design(example.design())
    assert row(summary, "[retail,*,*]")[1:] == ("20", "8.512", "-57.4%")
    assert "open interest forgone: 340.0 USD M" in text
    assert (
        "saves 220.0 USD M of cost per percentage point (standard error 30.0 USD M)" in text
    )  # 2.2e10 USD per 1, so 2.2e8 per 0.01
    assert row(summary, "8", 2)[1:] == ("7.910", "0.040", "%", "340.0 USD M")


def test_limits_raised_alone_and_limits_that_bind_nobody():
    changes = {"slack": [Estimate(value, 4e-4, 0.0, 1.0, 0.99, 9, 9.0) for value in (0.0795, 0.0799)]}
    summary = studies.design(example.design(slack_upper=np.array([0.0799, 0.0803]), **changes))
    assert [line[-1] for line in summary.sections[1].lines if line[-1]] == ["kept", "no longer with confidence"]
    summary = studies.design(
        example.design(before=np.full(2, np.inf), after=np.array([8.5, 1e6]), binding=np.array([True, False]))
    )
    assert row(summary, "[retail,*,*]")[1:] == ("none", "8.5", "")
    assert row(summary, "[professional,*,*]")[1:] == ("none", "none", "binds nobody")
    classes = studies.design(example.design(before=np.full(2, 1e6)))  # as `with_class_caps` leaves them
    assert row(classes, "[retail,*,*]")[1:] == ("none", "8.512", "")  # and not -100%
    assert [line[0] for line in summary.sections[1].lines] == ["limits.cap[retail,*,*]"]


def test_a_budget_that_cannot_be_met_is_said_first():
    assert "the budget of 8% is not met; the best found:" in str(studies.design(example.design(feasible=False)))
    assert "raised by 5%" not in str(studies.design(example.design(feasible=False)))  # nothing is left to break


@pytest.mark.parametrize("make", [studies.sensitivities, studies.reverse_stress, studies.rare_event, studies.design])
def test_tables_in_a_terminal_of_100_columns_and_in_a_notebook(make):
    result = getattr(example, make.__name__)()
    summary = make(result)
    stream = io.StringIO()
    Console(file=stream, width=100).print(summary)
    printed = stream.getvalue()
    assert max(map(len, printed.splitlines())) <= 100
    assert max(len(line) for section in summary.sections for line in _text(section).splitlines()) <= 100
    together = "".join(printed.split())
    for section in summary.sections:
        for line in section.lines:
            for text in line[1:]:
                assert "".join(text.split()) in together  # nothing is cut off
    page = summary._repr_html_()
    assert page.count("<table>") == len(summary.sections)
    assert "…" not in printed


def test_long_names_have_a_line_of_their_own():
    lines = str(studies.sensitivities(example.sensitivities())).splitlines()
    place = lines.index("populations.retail_long.open_interest")
    assert lines[place + 1].split()[:4] == ["2.345", "USD", "B", "0.310"]
    assert lines[place + 1].startswith("          ")
    assert any(line.startswith("impact.coefficient[BTC]  ") for line in lines)  # this one fits


def test_html_is_escaped():
    page = StudySummary("<b>", ["a & b"], [Section("<i>", ("x<y",), "l", [("<td>",)])])._repr_html_()
    assert "<b></b>" not in page
    assert "&lt;td&gt;" in page
    assert "a &amp; b" in page


def test_groups_and_roundings():
    assert grouped([("a[1]", "x"), ("b", "y"), ("a[2]", "z")]) == [("a[1]", "x"), ("b", "y"), ("a[2]", "z")]
    assert shown(-1.5e9, 0.0) == "-1.5e+09"
    assert shown(math.inf, 0.0) == "inf"
    assert shown(-0.0003, 0.012) == "0.000"
    assert shown(5.5e-8, 1e-9, 4) == "5.50e-08"  # and not a row of zeros, as of a parameter that nothing feels
    assert shown(0.0003, 1e-6, 4) == "0.0003"
    assert shown(0.0, 1e-8) == shown(0.0, 1e-8, 4) == "0"
    assert shown(3.14159, 0.02) == "3.142"
    assert said(Estimate(2.5e7, 1e6, 2.3e7, 2.7e7, 0.99, 10, 10.0), "USD").startswith("25.0 USD M (standard error 1.0 USD M")
    assert in_words(Measure.of("exceedance_probability(max_drawdown_index, 0.2)")) == (
        "probability of maximum drawdown of the index above 20%"
    )
    assert in_words(Measure.of("open_interest_loss_usd")) == "mean of the open-interest loss at initial prices"


def written(figure):
    stream = io.BytesIO()
    figure.savefig(stream, format="svg")
    return stream.getvalue().decode()


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def test_figure_of_sensitivities_sorts_and_marks():
    found = example.sensitivities()
    figure = sensitivity.sensitivities(example.sensitivities(checked=(found.gradient, found.standard_error)))
    axes = figure.axes[0]
    assert labels(axes)[0] == "impact.coefficient[BTC]"  # the largest
    assert labels(axes)[-1] == "limits.cap[professional,*,*]"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["pathwise", "bump", "full bump"]
    pathwise = axes.containers[0]
    np.testing.assert_allclose(pathwise.lines[0].get_xdata(), found.elasticity[[3, 0, 1]])
    whiskers = pathwise.lines[2][0].get_segments()[0][:, 0]
    np.testing.assert_allclose(np.diff(whiskers), 2 * 1.959964 * found.elasticity_error[3])
    np.testing.assert_allclose(axes.containers[2].lines[0].get_xdata(), np.sort(found.elasticity)[::-1])
    assert "<svg" in written(figure)


def test_figure_of_sensitivities_without_any_elasticity():
    unknown = np.full(5, np.nan)
    assert "no elasticity" in sensitivity.sensitivities(example.sensitivities(elasticity=unknown)).axes[0].texts[0].get_text()


def test_figure_of_a_design():
    figure = design.design(example.design())
    limits, frontier = figure.axes
    assert labels(limits) == ["limits.cap[retail,*,*]", "limits.cap[professional,*,*]"]
    assert limits.get_xscale() == "log"
    np.testing.assert_allclose(limits.lines[1].get_xdata(), [8.512, 61.2])
    np.testing.assert_allclose(frontier.containers[0].lines[0].get_xdata(), [6.98, 9.92])
    np.testing.assert_allclose(frontier.containers[0].lines[0].get_ydata(), [910, 70])
    np.testing.assert_allclose(frontier.containers[1].lines[0].get_xydata(), [[7.91, 340]])
    unlimited = example.design(before=np.array([20.0, np.inf]), frontier=[])
    assert "<svg" in written(design.design(unlimited))


def test_figure_of_a_rare_event():
    figure = rare.rare_event(example.rare_event())
    assert figure.axes[0].get_yscale() == "log"
    assert "<svg" in written(figure)
    nothing = example.rare_event(estimate=Estimate(0.0, 0.0, 0.0, 3e-4, 0.3, 10_000, 10_000.0))
    assert "not reached" in rare.rare_event(nothing).axes[0].texts[-1].get_text()


BACKSTOP = ("liquidation_fees", "insurance_fund_used", "deleveraging_loss", "socialised_loss")


def test_figure_of_who_pays():
    random = np.random.default_rng(1)
    losses = {name: random.exponential(scale * 1e6, (500, 2)) for name, scale in zip(BACKSTOP, (1, 8, 3, 1), strict=True)}
    result = Result(losses, dict.fromkeys(BACKSTOP, ("venues",)), {"venues": ["one", "two"]})
    axes = result.plot_who_pays().axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers if hasattr(bars, "patches") and bars.patches]
    np.testing.assert_allclose(heights, [losses[name].mean(0) / 1e6 for name in BACKSTOP])
    tops = [bars.patches[0].get_y() for bars in axes.containers if hasattr(bars, "patches") and bars.patches]
    stacked = np.cumsum([0.0, losses["insurance_fund_used"].mean(0)[0], losses["deleveraging_loss"].mean(0)[0]]) / 1e6
    np.testing.assert_allclose(tops, [0.0, *stacked])
    assert axes.get_ylabel() == "mean of a path, USD M"
    bare = Result({"max_drawdown_index": np.zeros(3)}, {}, {"venues": ["one"]})
    assert "no backstop" in bare.plot_who_pays().axes[0].texts[0].get_text()


def test_everything_as_json(tmp_path):
    found = example.sensitivities(to_dataframe=lambda: studies.sensitivities(example.sensitivities()).to_dataframe())
    write(found, tmp_path / "found.json")
    read = json.loads((tmp_path / "found.json").read_text())
    assert read["gradient"] == list(found.gradient)
    assert read["measure"] == {"observable": "max_drawdown_index", "statistic": "expected_shortfall", "level": 0.99}
    assert read["parameters"][2]["high"] == "inf"
    assert read["tail_index"][-1] is None
    write(found, tmp_path / "found.csv")
    assert (tmp_path / "found.csv").read_text().splitlines()[0].startswith("parameter,value,unit,gradient,standard_error")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.csv", "found.json"]
    assert "log_weights" not in everything(example.rare_event())


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write(example.sensitivities(), tmp_path / "missing" / "found.json")
    (tmp_path / "found.json").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        write(example.sensitivities(), tmp_path / "found.json")
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


CAPS = """
name = "tiny"
[[limits.caps]]
class = "retail"
cap = 20.0
leakage = 0.1
[[limits.caps]]
class = "professional"
venue = "*"
cap = 100.0
[[limits.caps]]
class = "retail"
asset = "BTC"
cap = 30.0
"""


def test_designed_limits_as_a_limit_file():
    read = tomllib.loads(limits_toml(example.design(), CAPS))
    assert [row["cap"] for row in read["caps"]] == [8.512, 61.2, 30.0]
    assert read["caps"][0]["leakage"] == 0.1
    assert "not met" not in read["source"]
    assert "not met" in limits_toml(example.design(feasible=False), CAPS)
    foreign = [example.Named("limits.cap[nobody,*,*]", 1.0, "1", 1.0, 2.0)]
    with pytest.raises(ValueError, match="nobody"):
        limits_toml(example.design(parameters=foreign, after=[2.0]), CAPS)


def test_limits_designed_where_there_were_none(tmp_path):
    scenario = SimpleNamespace(limits=SimpleNamespace(share_downsize=np.array([0.5, 0.5])))
    read = tomllib.loads(limits_toml(example.design(scenario=scenario), 'name = "bare"\n'))
    assert read["caps"][0] == {"class": "retail", "venue": "*", "asset": "*", "cap": 8.512, "share_downsize": 0.5}
    idle = example.design(scenario=scenario, after=np.array([8.5, 1e6]), binding=np.array([True, False]))
    (tmp_path / "idle.toml").write_text(limits_toml(idle, 'name = "bare"\n'))
    assert not check(tmp_path / "idle.toml")  # as high as `with_class_caps` has them, and taken all the same


def test_several_limits_with_the_same_selectors_are_told_apart():
    text = 'name = "x"\n' + "".join(f'[[limits.caps]]\nclass = "retail"\ncap = {cap}\n' for cap in (10.0, 20.0))
    parameters = [example.Named("limits.cap[retail,*,*#2]", 20.0, "1", 1.0, 2.0)]
    design = example.design(parameters=parameters, after=[12.0], before=[20.0])
    assert [row["cap"] for row in tomllib.loads(limits_toml(design, text))["caps"]] == [10.0, 12.0]


def test_a_rare_event_keeps_its_weighted_paths(tmp_path):
    found = example.rare_event()
    write(found, tmp_path / "rare.nc")
    read = Result.load(tmp_path / "rare.nc")
    np.testing.assert_array_equal(read.log_weights, found.log_weights)
    assert read.exceedance_probability("max_drawdown_index", 0.3) == found.estimate


def test_plain_values():
    assert everything(SimpleNamespace(a=np.float32(1.0), _hidden=1, noise={}, b=lambda: 0)) == {"a": 1.0}


def test_indices_whose_interval_reaches_zero_are_named():
    from dataclasses import replace

    from report import example_sweeps as sweeps

    design = sweeps.over_ranges()
    text = str(studies.over_ranges(design))
    assert "of the design's size alone" in text
    assert "not told apart from zero, alone impact.resilience_half_life, depth.floor\n" in text
    # with the error by paths beside it two more reach zero
    wider = [one._replace(first_both=2.0 * one.first_error, total_both=5.0 * one.total_error) for one in design.indices]
    text = str(studies.over_ranges(replace(design, indices=wider)))
    assert "of the design's points and of the paths together" in text
    assert "alone impact.resilience_half_life, depth.floor; with others impact.resilience_half_life, depth.floor\n" in text
    assert "62%  [40%, 84%]" in text

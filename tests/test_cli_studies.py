"""The commands that ask questions: exit codes, what is printed where, and that all problems are said before anything is run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from report import example_studies as example
from test_cli import SCENARIO, files

import jaxrisk
from jaxrisk.cli import BAD_INPUT, INTERNAL, INTERRUPTED, NO, NON_FINITE, NOT_WRITTEN, OK, main
from jaxrisk.report import studies
from jaxrisk.report.plots import design, rare, sensitivity

LIMITS = """
[[limits.caps]]
class = "retail"
cap = 20.0
share_downsize = 0.8
[[limits.caps]]
class = "*"
cap = 100.0
share_downsize = 0.8
"""

QUESTIONS = {
    "sensitivity": ("sensitivity", "sensitivity", []),
    "design": ("design", "design_limits", ["--budget", "0.08"]),
    "reverse-stress": ("reverse_stress", "reverse_stress", ["--level", "0.15"]),
    "rare-event": ("rare_event", "rare_event", ["--level", "0.3"]),
}
"""Command to the module and the function that it calls, and the options that it needs."""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder with a small scenario, made the current one."""
    monkeypatch.chdir(tmp_path)
    text = SCENARIO.replace("paths = 32", "paths = 2000").replace('venue = "binance"', 'venue = "binance"\nclass = "retail"')
    (tmp_path / "tiny.toml").write_text(text + LIMITS)
    (tmp_path / "bare.toml").write_text(text)
    return tmp_path


class Calls(list):
    """What the engines were called with: arguments and keywords."""


@pytest.fixture
def engines(monkeypatch):
    """Stand-ins for the engines, which return an example, or fail as they are told."""
    import jaxrisk.batch as batch

    calls = Calls()
    calls.error, calls.changes, calls.before = None, {}, lambda: None
    made = {
        "sensitivity": (example.sensitivities, studies.sensitivities, sensitivity.sensitivities),
        "design": (example.design, studies.design, design.design),
        "reverse_stress": (example.reverse_stress, studies.reverse_stress, design.design),
        "rare_event": (example.rare_event, studies.rare_event, rare.rare_event),
    }

    def stand_in(make, table, figure):
        def engine(*arguments, progress=None, **keywords):
            calls.append((arguments, keywords))
            progress(1, 2)
            calls.before()
            if calls.error is not None:
                raise calls.error
            result = make(**calls.changes)
            result.summary = lambda: table(result)
            result.to_dataframe = lambda: table(result).to_dataframe()
            result.plot = lambda: figure(result)
            return result

        return engine

    import jaxrisk.studies  # noqa: F401 (else it would be made of the stand-ins)

    for module, function, _ in QUESTIONS.values():
        fake = SimpleNamespace(**{function: stand_in(*made[module])})
        monkeypatch.setitem(sys.modules, f"jaxrisk.studies.{module}", fake)
    monkeypatch.setattr(batch, "use_compilation_cache", lambda: None)
    return calls


@pytest.mark.slow
def test_sensitivity_from_start_to_finish(tiny, capfd, monkeypatch):
    more = ["--paths", "1024", "--out", "a.json", "--plot", "a.svg", "--wrt", "limits.cap", "--wrt", "impact.coefficient"]
    more += ["--measure", "mean(max_drawdown_index)", "--method", "bump", "--market.volatility=3", "--steps", "12"]
    assert main(["sensitivity", "tiny.toml", *more]) == OK
    out, err = capfd.readouterr()
    assert out.startswith("Sensitivity of the mean of the maximum drawdown of the index\n")
    assert "\x1b" not in out
    assert "Traceback" not in err
    read = json.loads((tiny / "a.json").read_text())
    assert [one["name"] for one in read["parameters"]][-1] == "impact.coefficient[BTC]"
    assert read["gradient"][-1] > 0.0
    assert "<svg" in (tiny / "a.svg").read_text()


@pytest.mark.slow
def test_reverse_stress_from_start_to_finish(tiny, capfd, monkeypatch):
    more = ["--restarts", "1", "--out", "a.csv", "--plot", "a.svg", "--steps", "12"]
    assert main(["reverse-stress", "tiny.toml", "--level", "0.06", *more]) == OK
    out, err = capfd.readouterr()
    assert "to reach 6%: maximum drawdown of the index\n" in out
    assert "1. BTC falls 6.0%" in out
    assert "Traceback" not in err
    assert (tiny / "a.csv").read_text().count("\n") >= 14  # a header and 13 times
    assert "<svg" in (tiny / "a.svg").read_text()


@pytest.mark.slow
def test_rare_event_from_start_to_finish(tiny, capfd, monkeypatch):
    more = ["--method", "plain", "--out", "a.nc", "--plot", "a.svg", "--steps", "12"]
    assert main(["rare-event", "tiny.toml", "--level", "0.01", *more]) == OK
    out, err = capfd.readouterr()
    assert out.startswith("Probability of a maximum drawdown of the index above 1%\n")
    assert "Traceback" not in err
    losses = jaxrisk.Result.load(tiny / "a.nc").losses["max_drawdown_index"]
    assert f"{100 * np.mean(losses > 0.01):.3g}%" in out


def test_options_reach_the_sensitivity_engine(tiny, engines, capsys):
    arguments = ["--wrt", "limits.cap", "--wrt=impact.coefficient", "--measure", "mean(max_drawdown[BTC])", "--method", "bump"]
    more = ["--check", "--cross", "limits.cap[retail,*,*]", "impact.coefficient", "--paths", "1e3", "--steps=12", "--seed", "7"]
    more += ["--change", "limits.cap[retail,*,*]=10", "--change=limits.cap[retail,*,*] = 5"]
    assert main(["sensitivity", "tiny.toml", *arguments, *more, "--market.volatility", "0.5"]) == OK
    (scenario, measure, wrt, method), keywords = engines[0]
    assert (scenario.description.paths, scenario.description.seed, scenario.settings.steps) == (1000, 7, 12)
    assert float(scenario.market.volatility[0]) == 0.5
    assert str(measure) == "mean(max_drawdown[BTC])"
    assert (wrt, method) == (["limits.cap", "impact.coefficient"], "bump")
    pair = ("limits.cap[retail,*,*]", "impact.coefficient")
    assert keywords == {"check": True, "cross": [pair], "change": {"limits.cap[retail,*,*]": [10.0, 5.0]}}
    captured = capsys.readouterr()
    assert "95% interval" in captured.out
    assert captured.err == ""
    assert files(tiny) == ["bare.toml", "tiny.toml"]  # nothing is written that was not asked for


def test_defaults_of_the_sensitivity(tiny, engines):
    assert main(["sensitivity", "tiny.toml"]) == OK
    (_, measure, wrt, method), keywords = engines[0]
    assert (str(measure), wrt, method) == ("expected_shortfall(max_drawdown_index, 0.99)", ["limits.cap"], "auto")
    assert keywords == {"check": False, "cross": (), "change": {}}


def test_options_reach_the_other_engines(tiny, engines):
    assert main(["design", "tiny.toml", "--budget", "0.08", "--paths", "5000", "--verify-paths=1e5"]) == OK
    (_, measure, budget, wrt), keywords = engines[0]
    assert (str(measure), budget, wrt) == ("expected_shortfall(max_drawdown_index, 0.99)", 0.08, ["limits.cap"])
    assert keywords == {"paths": 5000, "verify_paths": 100_000}
    assert main(["reverse-stress", "tiny.toml", "--level=0.15", "--observable", "max_drawdown[BTC]", "--restarts", "3"]) == OK
    assert engines[1][0][1:] == ("max_drawdown[BTC]", 0.15)
    assert engines[1][1] == {"restarts": 3}
    assert main(["rare-event", "tiny.toml", "--level=-0.4", "--observable", "log_return[BTC]", "--method", "splitting"]) == OK
    assert engines[2][0][1:] == ("log_return[BTC]", -0.4, "splitting")
    assert engines[2][1] == {"relative_error": 0.1}


BAD = [
    (["--measure", "expected_shortfall(max_drawdown_index, 1)"],
     'command line: --measure = "expected_shortfall(max_drawdown_index, 1)": level 1 has to lie strictly between 0 and 1'),
    (["--measure", "expected_shortfal(max_drawdown_index, 0.9)"], 'no statistic "expected_shortfal" (did you mean "expected_sh'),
    (["--measure", "quantile(max_drawdown_index)"], "quantile needs a level"),
    (["--measure", "mean(max_drawdwn_index)"], "command line: --measure: no observable 'max_drawdwn_index': did you mean 'max_"),
    (["--measure", "mean(max_drawdown[ETH])"], "command line: --measure: no label of assets 'ETH'"),
    (["--measure", "mean(max_drawdown)"], "for example 'max_drawdown[BTC]'"),
    (["--measure", "a b"], 'has to be like "expected_shortfall(max_drawdown_index, 0.99)"'),
    (["--wrt", "limits.caps"], 'command line: --wrt: no parameter "limits.caps": did you mean "limits.cap'),
    (["--wrt", "impact.coeficient"], 'no parameter "impact.coeficient": did you mean "impact.coefficient'),
    (["--paths", "500"], "command line: --paths = 500: too few for expected_shortfall(max_drawdown_index, 0.99): at least 2,000"),
    (["--paths", "100", "--measure", "quantile(max_drawdown_index, 0.999)"], "too few for quantile(max_drawdown_index, 0.999)"),
    (["--paths", "0"], "command line: run.paths = 0: has to be a whole number"),
    (["--out", "x.nc"], 'command line: --out = "x.nc": has to end in .csv or .json'),
    (["--out", "tiny.toml/x.csv"], "tiny.toml/x.csv: cannot be written"),
    (["--plot", "x.doc"], "has to end in .png or .svg or .pdf"),
    (["--plot", "tiny.toml/x.png"], "tiny.toml/x.png: cannot be written"),
    (["--market.volatilty=0.5"], 'command line: market.volatilty = 0.5: unknown key'),
    (["--pahts", "5"], 'command line: --pahts: no such option (did you mean "--paths"?)'),
    (["--level", "0.1"], "no such option"),
]  # fmt: skip
BAD_SENSITIVITY = [
    *BAD,
    (["--method", "pathwize"], 'has to be one of auto, pathwise, bump (did you mean "pathwise"?)'),
    (["--method", "pathwise", "--wrt", "populations.*.size_median"], "is no sensitivity in populations.retail_long.size_m"),
    (["--cross", "limits.cap[retail,*,*]"], "command line: --cross: needs 2 values"),
    (["--cross", "limits.cap[retail,*,*]", "--check"], "command line: --cross: needs 2 values"),
    (["--cross", "limits.cap", "impact.coefficient"], "means 2 parameters; one is needed, such as limits.cap[retail,*,*]"),
    (["--cross", "nope", "impact.coefficient"], 'command line: --cross: no parameter "nope"'),
    (["--change", "limits.cap"], 'command line: --change = "limits.cap": has to be like limits.cap[retail,*,*]=10'),
    (["--change", "limits.cpa=10"], 'command line: --change: no parameter "limits.cpa": did you mean "limits.cap"?'),
    (["--change", "limits.cap[retail,*,*]=0.5"], "limits.cap[retail,*,*]: 0.5 is not allowed; from 1 to 1e+06 is"),
]
BAD_DESIGN = [
    *BAD[:1],
    (
        ["--measure", "mean_excess(max_drawdown_index, 0.1)"],
        'no statistic "mean_excess" (only Result.measure has it); there are mean, quantile, value_at_risk, expected_shortfall, ',
    ),
    *BAD[7:9],
    (["--budget", "0"], "command line: --budget = 0: has to lie strictly between 0 and 1: 0.08 is 8%"),
    (["--budget", "x"], 'command line: --budget = "x": has to lie strictly between 0 and 1'),
    (["--budget", "nan", "--measure", "mean(open_interest_loss_usd)"], 'command line: --budget = "nan": has to be a number'),
    (
        ["--budget=-1", "--measure", "mean(open_interest_loss_usd)"],
        "has to be a number of at least 0: mean(open_interest_loss_usd) is",
    ),
    (["--wrt", "impact.coefficient"], '--wrt = "impact.coefficient[BTC]": is no cap; what can be designed is limits.cap'),
    (["--verify-paths", "1.5"], "command line: --verify-paths = 1.5: has to be a whole number from 1,000 on"),
    (["--out", "x.nc"], "has to end in .toml or .csv or .json"),
]
BAD_LEVELS = [
    (["--level", "1"], "command line: --level = 1: has to lie strictly between 0 and 1: 0.15 is 15%"),
    (["--level", "-0.1"], "command line: --level = -0.1: has to lie strictly between 0 and 1"),
    (["--level", "x"], 'command line: --level = "x"'),
    (["--level", "inf", "--observable", "open_interest_loss_usd"], 'command line: --level = "inf": has to be a number'),
    (["--observable", "max_drawdwn_index"], "command line: --observable: no observable 'max_drawdwn_index': did you mean"),
    (["--observable", "max_drawdown"], "for example 'max_drawdown[BTC]'"),
    (["--out", "tiny.toml/x.csv"], "tiny.toml/x.csv: cannot be written"),
    (["--plot", "."], 'command line: --plot = "."'),
]
BAD_STRESS = [*BAD_LEVELS, (["--restarts", "0"], "command line: --restarts = 0: has to be a whole number from 1 on")]
BAD_RARE = [
    *BAD_LEVELS,
    (["--method", "plane"], 'has to be one of auto, plain, importance, splitting (did you mean "plain"?)'),
    (["--relative-error", "0"], "command line: --relative-error = 0: has to lie strictly between 0 and 1"),
    (["--max-paths", "10"], "command line: --max-paths = 10: has to be a whole number from 2,048 on"),
]
CASES = [
    (command, *case)
    for command, cases in (
        ("sensitivity", BAD_SENSITIVITY),
        ("design", BAD_DESIGN),
        ("reverse-stress", BAD_STRESS),
        ("rare-event", BAD_RARE),
    )
    for case in cases
]


@pytest.mark.parametrize(("command", "arguments", "words"), CASES)
def test_bad_input_takes_one_line_and_nothing_is_run(tiny, engines, capsys, command, arguments, words):
    needed = QUESTIONS[command][2]
    needed = [] if needed and needed[0] in arguments else needed
    assert main([command, "tiny.toml", *needed, *arguments]) == BAD_INPUT
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert captured.out == ""
    assert not engines
    assert files(tiny) == ["bare.toml", "tiny.toml"]


def test_all_problems_are_said_at_once(tiny, engines, capsys):
    arguments = [
        "--wrt",
        "nope",
        "--wrt",
        "limits.cpa",
        "--measure",
        "mean(max_drawdwn_index)",
        "--method",
        "x",
        "--out",
        "a.txt",
    ]
    assert main(["sensitivity", "tiny.toml", *arguments, "--plot", "tiny.toml", "--foo", "--set", "x"]) == BAD_INPUT
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1].split(" ")[0] for line in lines] == [
        "--foo", "--set", "--out", "--plot", "--method", "--measure", "--wrt", "--wrt",
    ]  # fmt: skip
    assert not engines


def test_all_that_is_wrong_with_a_measure_is_said(tiny, capsys):
    assert main(["sensitivity", "tiny.toml", "--measure", "expcted_shortfall(max_drawdwn_index, 2)"]) == BAD_INPUT
    lines = capsys.readouterr().err.splitlines()
    said = ('no statistic "expcted_shortfall"', "level 2 has to lie strictly", "no observable 'max_drawdwn_index'")
    assert len(lines) == len(said)
    assert all(words in line for line, words in zip(lines, said, strict=True))


@pytest.mark.parametrize(
    ("command", "missing"), [("design", "--budget"), ("reverse-stress", "--level"), ("rare-event", "--level")]
)
def test_what_is_needed_and_missing(tiny, engines, capsys, command, missing):
    assert main([command, "tiny.toml"]) == BAD_INPUT
    assert capsys.readouterr().err.startswith(f"command line: {missing}: missing; has to ")
    assert main([command]) == BAD_INPUT
    assert "SCENARIO: missing" in capsys.readouterr().err
    assert not engines


def test_limits_are_asked_for_where_there_are_none(tiny, engines, capsys):
    assert main(["sensitivity", "bare.toml"]) == BAD_INPUT
    assert "--wrt: missing, and the scenario has no limits" in capsys.readouterr().err
    assert main(["sensitivity", "bare.toml", "--wrt", "impact.coefficient"]) == OK
    assert main(["sensitivity", "bare.toml", "--limits.file", "eu_retail_cfd"]) == OK
    assert [call[0][2] for call in engines] == [["impact.coefficient"], ["limits.cap"]]
    assert main(["design", "bare.toml", "--budget", "0.1"]) == OK  # designs one for each class


@pytest.mark.parametrize("command", QUESTIONS)
def test_table_and_plot_are_written_where_they_should(tiny, engines, capsys, command):
    arguments = [command, "tiny.toml", *QUESTIONS[command][2], "--out", "deep/er/a.json"]
    plot = [] if command == "reverse-stress" else ["--plot", "deep/a.png"]
    assert main([*arguments, *plot]) == OK
    read = json.loads((tiny / "deep/er/a.json").read_text())
    assert read["info"]["seed"] == 1
    out = capsys.readouterr().out
    assert "result: deep/er/a.json\n" in out
    assert files(tiny / "deep") == ["er/a.json"] if not plot else ["a.png", "er/a.json"]
    assert main([*arguments, *plot]) == BAD_INPUT
    assert "exists already" in capsys.readouterr().err
    assert main([*arguments, *plot, "--force"]) == OK


def test_weighted_paths_are_kept(tiny, engines):
    assert main(["rare-event", "tiny.toml", "--level", "0.3", "--out", "rare.nc"]) == OK
    read = jaxrisk.Result.load(tiny / "rare.nc")
    assert read.log_weights is not None


def test_out_and_plot_may_not_be_the_same_file(tiny, engines, capsys):
    assert main(["sensitivity", "tiny.toml", "--out", "a.csv", "--plot", "a.csv"]) == BAD_INPUT
    assert "is the file that --out names" in capsys.readouterr().err


def test_what_fails_to_be_written_was_printed_before(tiny, engines, capsys):
    (tiny / "away").mkdir()

    def vanish():
        (tiny / "away").rmdir()

    engines.before = vanish
    assert main(["sensitivity", "tiny.toml", "--out", "away/a.csv", "--plot", "a.svg"]) == NOT_WRITTEN == 6
    captured = capsys.readouterr()
    assert "elasticity" in captured.out
    assert captured.err.startswith("away/a.csv: cannot be written")
    assert (tiny / "a.svg").exists()  # what can be written is


def test_a_budget_that_cannot_be_met_is_an_answer_with_a_code_of_its_own(tiny, engines, capsys):
    engines.changes = {"feasible": False}
    assert main(["design", "tiny.toml", "--budget", "0.001", "--out", "best.csv"]) == NO == 4
    captured = capsys.readouterr()
    assert "is not met; the best found" in captured.out
    assert captured.err == ""
    assert (tiny / "best.csv").exists()


def test_a_level_that_cannot_be_reached(tiny, engines, capsys):
    answers = example.reverse_stress().answers[:1]
    answers[0].loss = 0.12
    engines.changes = {"answers": answers}
    assert main(["reverse-stress", "tiny.toml", "--level", "0.15"]) == NO
    engines.changes = {"answers": []}
    assert main(["reverse-stress", "tiny.toml", "--level", "0.15"]) == NO
    assert "no path found that reaches it" in capsys.readouterr().out


def test_a_level_out_of_the_engine_s_reach(tiny, engines, capsys):
    from jaxrisk.risk.rare.stress_path import Unreachable

    def search():
        try:
            raise Unreachable(0.4)
        except Unreachable:
            raise ValueError("max_drawdown_index >= 0.99: out of reach; the highest found is 0.4") from None

    engines.before = search
    assert main(["reverse-stress", "tiny.toml", "--level", "0.99"]) == NO
    assert capsys.readouterr().err == "max_drawdown_index >= 0.99: out of reach; the highest found is 0.4\n"


@pytest.mark.slow
def test_a_level_that_no_path_reaches_is_an_answer(tiny, capfd, monkeypatch):
    assert main(["reverse-stress", "tiny.toml", "--level", "0.99", "--restarts", "1", "--steps", "4", "--out", "a.csv"]) == NO
    out, err = capfd.readouterr()
    assert err.startswith("max_drawdown_index >= 0.99: out of reach; within ")
    assert "Traceback" not in err + out
    assert not (tiny / "a.csv").exists()


def raised_by(name, error):
    """An error that comes out of a module of this name."""
    exec("def fail(error): raise error", space := {"__name__": name})

    def before():
        space["fail"](error)

    return before


def test_what_the_engine_finds_wrong_takes_one_line_each(tiny, engines, capsys):
    engines.before = raised_by("jaxrisk.studies.x", ValueError("first\nsecond"))
    assert main(["sensitivity", "tiny.toml"]) == BAD_INPUT
    assert capsys.readouterr().err == "stopped: first\nstopped: second\n"


def test_a_library_that_complains_is_our_mistake(tiny, engines, capsys):
    engines.before = raised_by("jax._src.x", ValueError("bad shapes"))
    assert main(["sensitivity", "tiny.toml"]) == INTERNAL
    assert capsys.readouterr().err == "internal error: ValueError: bad shapes (run again with --debug for the traceback)\n"
    with pytest.raises(ValueError, match="bad shapes"):
        main(["sensitivity", "tiny.toml", "--debug"])


def test_interruption_and_numbers_that_are_not_finite(tiny, engines, capsys):
    engines.error = KeyboardInterrupt()
    assert main(["rare-event", "tiny.toml", "--level", "0.3"]) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted; nothing was finished\n"
    engines.error = jaxrisk.NonFinite("path 3: mark is not finite", 3)
    assert main(["rare-event", "tiny.toml", "--level", "0.3"]) == NON_FINITE
    assert capsys.readouterr().err == "stopped: path 3: mark is not finite\n"


def test_an_interruption_while_paths_are_running_has_its_exit_code(tiny):
    """XLA can crash when Python ends while it works (often, with programs from its cache): then it would be by signal 11."""
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": here}
    # a suite started in the background may have its interrupts ignored, and what it starts inherits that
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from jaxrisk.cli import main; main()"
    command = [sys.executable, "-c", heard, "run", "tiny.toml", "--paths", "100000000", "--out", "r.nc"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while process.poll() is None and not (tiny / "r.nc.partial").exists():
            time.sleep(0.1)  # until it compiles
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert err.startswith("interrupted; ")


def test_an_interruption_in_a_callback_of_the_garbage_collection_is_not_lost(tiny):
    """Where Python drops it: the run ends by one press all the same, and says no more than that."""
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    pressed = """
import gc, os, signal, weakref
import jaxrisk.batch
from jaxrisk.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)

class Held: pass

def simulate(*_, progress, **__):
    held = Held()
    heard = weakref.ref(held, lambda _: os.kill(os.getpid(), signal.SIGINT) or [None for _ in range(1000)])
    del held
    for done in range(10**7):
        progress(done, 10**7)
    raise RuntimeError("the press was lost")

jaxrisk.batch.simulate = simulate
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", pressed, "run", "tiny.toml", "--out", "r.nc"],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": here},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (INTERRUPTED, "interrupted; nothing was finished\n")


def test_parameters_are_listed(tiny, capsys):
    assert main(["parameters", "tiny.toml", "--out", "names.csv"]) == OK
    out = capsys.readouterr().out
    assert "limits.cap" in out
    assert "venues.binance.engine_time" in out
    assert (tiny / "names.csv").read_text().startswith("name,value,unit,low,high,pathwise\n")
    assert (
        main(["parameters", "tiny.toml", "--match", "limits.cap", "--match", "impact.*", "--limits.file", "eu_retail_cfd"]) == OK
    )
    out = capsys.readouterr().out
    assert "venues" not in out
    assert "limits.cap" in out
    assert "impact.coefficient" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--match", "limits.caps"], 'command line: --match: no parameter "limits.caps": did you mean "limits.cap'),
        (["--out", "x.png"], "has to end in .csv or .json"),
        (["--market.process=nope"], "market.process"),
        (["--mtach", "x"], 'no such option (did you mean "--match"?)'),
    ],
)
def test_bad_input_to_parameters(tiny, capsys, arguments, words):
    assert main(["parameters", "tiny.toml", *arguments]) == BAD_INPUT
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 1
    assert words in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("command", [*QUESTIONS, "parameters"])
def test_help_fits_on_a_screen_and_has_examples(tiny, capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")
    assert main([command, "--help"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 100
    assert any(line.startswith(f"$ jaxrisk {command} ") for line in lines)
    assert lines[0] == f"usage: jaxrisk {command} [-h] [OPTIONS] SCENARIO"
    assert main([command, "btc_24h", "--help"]) == OK
    assert capsys.readouterr().out.splitlines() == lines


def test_the_list_of_commands_has_one_line_each(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["--help"]) == OK
    lines = capsys.readouterr().out.splitlines()
    start = next(place for place, line in enumerate(lines) if "(required)" in line)
    names = ["run", "sensitivity", "design", "reverse-stress", "rare-event", "study", "attribute", "warn", "report", "calibrate"]
    names += ["backtest", "import", "parameters", "status", "init", "check", "schema"]
    assert [line.strip("│•| -").split()[0] for line in lines[start + 1 : start + 1 + len(names)]] == names


def test_a_bar_on_a_terminal(monkeypatch):
    import io

    from jaxrisk.cli.progress import Progress

    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress(stream, "sensitivity") as progress:
        progress(1, 4)
        assert progress.bar.tasks[0].total == 4
    assert progress.done == 1
    assert "sensitivity" in stream.getvalue()


@pytest.mark.parametrize("command", [["sensitivity", "--help"], ["design", "nope.toml", "--budget", "x"], ["rare-event"]])
def test_the_commands_start_without_the_heavy_libraries(tiny, command):
    heavy = ("jax", "pandas", "matplotlib", "xarray", "equinox", "optax")
    loaded = f"[name for name in {heavy!r} if name in sys.modules]"
    code = f"import sys; from jaxrisk.cli import main; main({command!r}); print({loaded}, file=sys.stderr)"
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": here},
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_names_at_the_top():
    """No module takes the place of a function."""
    assert callable(jaxrisk.parameters)
    assert np.isclose(jaxrisk.Measure.of("quantile(x, 0.5)").level, 0.5)
    assert {"sensitivity", "reverse_stress", "rare_event", "design_limits", "parameters", "Measure"} <= set(dir(jaxrisk))


@pytest.mark.slow
def test_what_a_scenario_with_an_insurance_fund_has_is_known(capsys):
    """Its fund is watched over a number of steps, which has to be a number where the losses' shapes are looked for."""
    assert (
        main(["sensitivity", "three_venues_shock_24h", "--measure", "mean(shortfal[*])", "--wrt", "channels.feedback"])
        == BAD_INPUT
    )
    assert "did you mean 'shortfall'?" in capsys.readouterr().err

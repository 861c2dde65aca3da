"""The command line: exit codes, what is printed where, and that nothing is written when the input is bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jaxrisk
from jaxrisk.cli import BAD_INPUT, INTERNAL, INTERRUPTED, NON_FINITE, OK, dotted_as_set, main

SCENARIO = """
name = "tiny"
[run]
horizon = "2h"
step = "5min"
paths = 32
[assets.BTC]
price = 78000.0
[market]
process = "gbm"
volatility = 0.6
[impact]
law = "power"
coefficient = 1.0
daily_volatility = 0.03
daily_volume = 3e10
resilience_half_life = "30min"
[venues.binance]
[populations.retail]
venue = "binance"
asset = "BTC"
side = "both"
kind = "lognormal"
open_interest = 1e9
median = 20.0
log_sd = 0.8
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder with a small scenario, made the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SCENARIO)
    return tmp_path


class Calls(list):
    """What `simulate` was called with."""


@pytest.fixture
def engine(monkeypatch):
    """A stand-in for the engine, which says what it was called with and fails as it is told."""
    import jaxrisk.batch as batch

    calls = Calls()
    calls.error = None

    class Done:
        def summary(self, often=None):
            return "the summary"

        def notes(self):
            return ["a note"]

    def simulate(scenario, sampling="plain", progress=None, out=None, **more):
        calls.append((scenario, progress, out))
        calls.sampling = sampling
        calls.kernel = more["kernel"]
        jaxrisk.Result({"max_drawdown_index": np.zeros(16)}, {}, {}).save(out)
        progress(16, 32)
        if calls.error is not None:
            raise calls.error
        return Done()

    monkeypatch.setattr(batch, "simulate", simulate)
    monkeypatch.setattr(batch, "use_compilation_cache", lambda: None)
    return calls


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_run_from_start_to_finish(tiny, capfd, monkeypatch):
    assert main(["run", "tiny.toml", "--seed", "5", "--out", "deep/er/r.nc", "--run.paths=16"]) == OK
    out, err = capfd.readouterr()
    assert out.splitlines()[-1] == "result: deep/er/r.nc"
    assert "drawdown" in out
    assert "\x1b" not in out + err
    from jaxrisk import Result

    result = Result.load(tiny / "deep/er/r.nc")
    assert result.losses["max_drawdown_index"].shape == (16,)
    assert np.all(np.isfinite(result.losses["max_drawdown_index"]))
    assert "paths = 16\n" in result.info["scenario_toml"]


def test_options_reach_the_engine(tiny, engine, capsys):
    arguments = [
        "run",
        "--market.volatility",
        "0.5",
        "tiny.toml",
        "--steps=12",
        "--paths",
        "1e3",
        "--seed",
        "7",
        "--precision",
        "float64",
    ]
    assert main([*arguments, "--sample-paths", "3", "--set", "impact.law=linear", "--impact.depth=1e9"]) == OK
    scenario, progress, out = engine[0]
    said = scenario.description
    assert (said.paths, said.seed, said.precision, said.sample_paths) == (1000, 7, "float64", 3)
    assert scenario.settings.steps == 12
    assert float(scenario.market.volatility[0]) == 0.5
    assert type(scenario.impact.law).__name__ == "LinearImpact"
    assert engine.sampling == "plain"
    assert progress.bar is None  # not a terminal
    assert str(out) == "results/tiny.nc"
    captured = capsys.readouterr()
    assert captured.out == "the summary\na note\nresult: results/tiny.nc\n"
    assert captured.err == ""


def test_a_kernel_is_asked_for(tiny, engine, capsys):
    from jaxrisk.cascade.kernel import NoKernel

    assert main(["run", "tiny.toml"]) == OK
    assert engine.kernel == "auto"
    engine.error = NoKernel("the fused kernel is for GPUs")
    assert main(["run", "tiny.toml", "--kernel", "fused", "--out", "r.nc"]) == BAD_INPUT
    assert engine.kernel == "fused"
    assert capsys.readouterr().err == "command line: --kernel fused: the fused kernel is for GPUs\n"


def test_sobol_points_are_asked_for(tiny, engine, capsys):
    assert main(["run", "tiny.toml", "--sampling", "sobol"]) == OK
    assert engine.sampling == "sobol"


@pytest.mark.slow
def test_where_there_are_no_sobol_points(tiny, capfd, monkeypatch):
    garch = 'process = "garch"\nvariance = 0.36\nmean_variance = 0.36\nalpha = 0.1\nbeta = 0.85\ndegrees_of_freedom = 8.0'
    garch += '\nreference_step = "1h"'
    (tiny / "garch.toml").write_text(SCENARIO.replace('process = "gbm"\nvolatility = 0.6', garch))
    for arguments in (["garch.toml"], ["tiny.toml", "--paths", "1e8"]):
        assert main(["run", *arguments, "--sampling=sobol", "--out", "r.nc"]) == BAD_INPUT
        err = capfd.readouterr().err
        assert err.startswith("command line: --sampling sobol: ")
        assert len(err.splitlines()) == 1
    assert not (tiny / "r.nc").exists()


def test_a_shipped_scenario_is_found_by_its_name(tiny, engine):
    assert main(["run", "btc_24h", "--paths", "10"]) == OK
    assert engine[0][0].description.name == "btc_24h"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "tiny.toml", "--market.volatilty=0.5"], ["command line: market.volatilty = 0.5", 'did you mean "volatility"?']),
        (["run", "tiny.toml", "--steps", "x", "--paths", "0"], ["command line: run.steps", "command line: run.paths = 0"]),
        (["run", "tiny.toml", "--steps", "1e6"], ["command line: run.steps", "from 1s to 1d"]),
        (["run", "tiny.toml", "--set", "nothing"], ["--set nothing", "KEY=VALUE"]),
        (["run", "tiny.toml", "--sampling", "sobl"], ["--sampling", "has to be one of plain, sobol", 'did you mean "sobol"?']),
        (["run", "tiny.toml", "--kernel", "fusd"], ["--kernel", "has to be one of auto, scan, fused", 'did you mean "fused"?']),
        (["run", "tiny.toml", "--precision", "float16"], ["run.precision", 'did you mean "float64"?']),
        (["run", "tinny.toml"], ["tinny.toml: no such file", 'did you mean "tiny.toml"?']),
        (["run", "."], [".: is a folder"]),
        (["run", "tiny.toml", "--out", "."], ["is a folder"]),
        (["run", "tiny.toml", "--out", "tiny.toml"], ["tiny.toml: is an input; it is never replaced; choose another --out"]),
        (["run", "tiny.toml", "--out", "tiny.toml/x.nc"], ["cannot be written"]),
        (["run", "tiny.toml", "--market.volatility"], ["market.volatility"]),
        (["run"], ["SCENARIO"]),
        (["run", "tiny.toml", "--pahts", "5"], ["--pahts"]),
        (["rum"], ["rum"]),
        (["check"], ["at least one file"]),
        (["check", "tiny.toml", "nope.toml"], ["nope.toml: no such file"]),
    ],
)
def test_bad_input_is_said_before_anything_is_written(tiny, engine, capsys, arguments, words):
    before = files(tiny)
    assert main(arguments) == BAD_INPUT
    captured = capsys.readouterr()
    for word in words:
        assert word in captured.err
    assert "Traceback" not in captured.err
    assert files(tiny) == before
    assert not engine


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["run", "tiny.toml", "--path", "5"], ['command line: --path: no such option (did you mean "--paths"?)']),
        (["run", "tiny.toml", "--foo"], ["command line: --foo: no such option"]),
        (["run", "--foo", "tiny.toml", "-q=1"], ["command line: --foo: no such option", "command line: -q: no such option"]),
        (["run", "--forec", "tiny.toml"], ['command line: --forec: no such option (did you mean "--force"?)']),
        (["run", "tiny.toml", "--seed"], ["command line: --seed: needs a value"]),
        (["run", "tiny.toml", "--seed", "--paths", "3"], ["command line: --seed: needs a value"]),
        (
            ["run", "--path", "5"],
            [
                'command line: --path: no such option (did you mean "--paths"?)',
                "command line: SCENARIO: missing; needs a TOML file, or the name of a shipped scenario",
            ],
        ),
        (
            ["run", "--path", "5", "tiny.toml", "--set", "x", "--run.horizn=2h", "--out", "tiny.toml"],
            [
                'command line: --path: no such option (did you mean "--paths"?)',
                "command line: --set x: has to be KEY=VALUE, such as market.volatility=0.5",
                'command line: run.horizn = "2h": unknown key; the keys here are horizon, step, steps, paths, seed, precision, '
                'sample_paths, bridge, rounds, book, owed_by_class, leverage_buckets, support (did you mean "horizon"?)',
                "tiny.toml: is an input; it is never replaced; choose another --out",
            ],
        ),
        (["check", "tiny.toml", "--debgu"], ['command line: --debgu: no such option (did you mean "--debug"?)']),
        (["schema", "--x"], ["command line: --x: no such option"]),
    ],
)
def test_every_problem_of_the_command_takes_one_line(tiny, engine, capsys, arguments, lines):
    assert main(arguments) == BAD_INPUT
    assert capsys.readouterr().err.splitlines() == lines
    assert files(tiny) == ["tiny.toml"]
    assert not engine


def test_no_folder_is_made_for_a_command_with_problems(tiny, engine, capsys):
    assert main(["run", "tiny.toml", "--out", "deep/er/r.nc", "--foo"]) == BAD_INPUT
    assert not (tiny / "deep").exists()


def test_values_may_begin_with_a_dash(tiny, engine, capsys):
    assert main(["run", "tiny.toml", "--seed", "-1"]) == BAD_INPUT
    assert "command line: run.seed = -1: has to be a whole number" in capsys.readouterr().err


@pytest.mark.slow
def test_a_kept_program_is_loaded_in_silence(tiny):
    """The level is read when JAX is imported, so that the library sets it before."""
    code = "import os, jaxrisk; jaxrisk.use_compilation_cache(); print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {key: text for key, text in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"} | {"PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert done.stdout.split() == ["3"]


def test_a_result_is_overwritten_only_when_told(tiny, engine, capsys):
    assert main(["run", "tiny.toml"]) == OK
    assert main(["run", "tiny.toml"]) == BAD_INPUT
    assert "results/tiny.nc: exists already" in capsys.readouterr().err
    assert main(["run", "tiny.toml", "--force"]) == OK
    assert len(engine) == 2


def test_a_number_that_is_not_finite(tiny, engine, capsys):
    from jaxrisk import NonFinite, Result

    engine.error = NonFinite("path 3 (seed 1): mark is not finite from step 7 on", 3)
    assert main(["run", "tiny.toml"]) == NON_FINITE
    assert capsys.readouterr().err == "stopped: path 3 (seed 1): mark is not finite from step 7 on\n"
    engine.error.result = Result({"max_drawdown_index": np.zeros(3)}, {}, {})  # progress had said 16: that was a chunk before
    assert main(["run", "tiny.toml", "--force"]) == NON_FINITE
    assert "the 3 paths finished before it are in results/tiny.nc" in capsys.readouterr().err


def test_a_path_that_is_finite_at_every_step_is_named_with_what_was_not(monkeypatch):
    from collections import namedtuple

    from jaxrisk.batch import problems

    recorded = namedtuple("Recorded", "price mark")(np.zeros((5, 1, 2)), np.zeros((5, 1, 1, 2)))
    monkeypatch.setattr(problems, "record_block", lambda *arguments: recorded)
    assert problems.locate(None, 1, 3, names=["liquidated_notional", "lowest_log_price"]) == (
        "path 3 (seed 1): liquidated_notional, lowest_log_price not finite at the end although every step's price is; "
        "replay with first_path=3, paths=1"
    )
    recorded.mark[2:] = np.nan
    text = "path 3 (seed 1): mark is not finite from step 3 on; replay with first_path=3, paths=1"
    assert problems.locate(None, 1, 3, ["lowest_log_price"]) == text


def test_an_interruption(tiny, engine, capsys):
    engine.error = KeyboardInterrupt()
    assert main(["run", "tiny.toml"]) == INTERRUPTED
    assert "the 16 paths finished until then are in results/tiny.nc" in capsys.readouterr().err


def test_our_own_mistakes_take_one_line(tiny, engine, capsys):
    engine.error = RuntimeError("first\nsecond")
    assert main(["run", "tiny.toml"]) == INTERNAL
    assert capsys.readouterr().err == "internal error: RuntimeError: first (run again with --debug for the traceback)\n"
    with pytest.raises(RuntimeError):
        main(["run", "tiny.toml", "--debug", "--force"])


def test_check(tiny, capsys):
    assert main(["check", "tiny.toml", "btc_24h"]) == OK
    assert capsys.readouterr().out == "tiny.toml: no problems\nbtc_24h: no problems\n"
    (tiny / "bad.toml").write_text(SCENARIO.replace('"2h"', '"2x"').replace("0.6", "-1"))
    assert main(["check", "bad.toml", "tiny.toml"]) == BAD_INPUT
    captured = capsys.readouterr()
    assert [line.split(" = ")[0] for line in captured.err.splitlines()] == [
        "bad.toml: run.horizon",
        "bad.toml: market.volatility",
    ]
    assert captured.out == "tiny.toml: no problems\n"
    assert files(tiny) == ["bad.toml", "tiny.toml"]


def test_schema(capsys):
    assert main(["schema"]) == OK
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org/")


def test_version_and_help(capsys):
    assert main(["--version"]) == OK
    assert capsys.readouterr().out.startswith("jaxrisk ")
    assert main(["--help"]) == OK
    assert "check" in capsys.readouterr().out
    assert main([]) == OK
    assert main(["run", "--help"]) == OK
    assert "--sample-paths" in capsys.readouterr().out


def test_dotted_options():
    assert dotted_as_set(["--a.b=c=d"]) == ["--set", "a.b=c=d"]
    assert dotted_as_set(["--shock.size", "-0.1", "x.toml"]) == ["--set", "shock.size=-0.1", "x.toml"]
    assert dotted_as_set(["--out", "a.nc", "--seed=1"]) == ["--out", "a.nc", "--seed=1"]


HEAVY = ("jax", "pandas", "matplotlib", "xarray", "scipy", "equinox", "optax")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["--help"], ["check", "tiny.toml"], ["schema"], ["run", "tiny.toml", "--paths", "0"]])
def test_the_command_line_starts_without_the_heavy_libraries(tiny, command):
    loaded = f"[name for name in {HEAVY!r} if name in sys.modules]"
    code = f"import sys; from jaxrisk.cli import main; main({command!r}); print({loaded}, file=sys.stderr)"
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert done.stderr.splitlines()[-1] == "[]"

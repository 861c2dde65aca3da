"""What the commands write: nothing is replaced that is not ours, a full disk is a sentence, and one run has an output."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from report import example_studies as example
from storage.test_durable import tmpfs
from test_cli import SCENARIO, engine, files, tiny  # noqa: F401 (fixtures)

import jaxrisk
from jaxrisk import Result
from jaxrisk.backtest.events.scored import Score
from jaxrisk.cli import BAD_INPUT, INTERRUPTED, NON_FINITE, OK, main
from jaxrisk.report import studies
from jaxrisk.report.study_table import StudySummary
from jaxrisk.storage.recognise import is_ours
from jaxrisk.storage.study_files import write
from jaxrisk.storage.writer import ResultWriter


def unfinished(path, paths=5, planned=9):
    """What a killed run leaves."""
    writer = ResultWriter(path, {}, {}, planned, {})
    writer.append(0, {"x": np.ones(paths)})
    writer.release()


def test_a_scenario_is_never_replaced(tiny, engine, capsys):  # noqa: F811
    """Under whatever name, with --force; nor are the files that it names."""
    (tiny / "h.csv").write_text("leverage,share\n5,0.5\n10,0.5\n")
    (tiny / "mine.toml").write_text(
        SCENARIO.replace('kind = "lognormal"\n', 'kind = "histogram"\nfile = "h.csv"\n').replace(
            "median = 20.0\nlog_sd = 0.8\n", ""
        )
    )
    (tiny / "link.nc").symlink_to("mine.toml")
    os.link(tiny / "mine.toml", tiny / "hard.nc")
    before = {name: (tiny / name).read_bytes() for name in ("mine.toml", "h.csv")}
    for out in ("mine.toml", "link.nc", "hard.nc", "h.csv", "./mine.toml"):
        assert main(["run", "mine.toml", "--out", out, "--force"]) == BAD_INPUT
        assert capsys.readouterr().err == f"{Path(out)}: is an input; it is never replaced; choose another --out\n"
    assert {name: (tiny / name).read_bytes() for name in before} == before
    assert not engine


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["parameters"],
        ["sensitivity", "--paths", "2000", "--measure", "mean(amplification_index)", "--wrt", "impact.coefficient"],
        ["rare-event", "--level", "0.3"],
    ],
)
def test_what_is_not_ours_is_never_replaced(tiny, engine, capsys, command):  # noqa: F811
    ending = ".nc" if command[0] == "run" else ".csv"
    (tiny / f"theirs{ending}").write_text("time,close\n1,2\n")
    (tiny / f"device{ending}").symlink_to("/dev/null")
    (tiny / f"dangling{ending}").symlink_to("nowhere")
    os.mkfifo(tiny / f"pipe{ending}")
    before = files(tiny)
    for name, words in {
        "theirs": "exists already and is a ",
        "device": "is a device; it is never replaced",
        "dangling": "is a link to nowhere, which does not exist; it is never replaced",
        "pipe": "is a pipe; it is never replaced",
        "n" * 300: "bytes, and ",
        "n" * 100_000: "...",
    }.items():
        for force in ([], ["--force"]):
            assert main([command[0], "tiny.toml", *command[1:], "--out", name + ending, *force]) == BAD_INPUT
            err = capsys.readouterr().err
            assert words in err
            assert len(err.splitlines()) == 1
            assert len(err) < 700
    assert files(tiny) == before
    assert not engine


def test_a_limits_file_is_not_replaced_by_what_is_designed_from_it(tiny, capsys):  # noqa: F811
    """Although it was written by `design`."""
    (tiny / "limits.toml").write_text('# Written by jaxrisk design\nname = "l"\n[[caps]]\nclass = "*"\ncap = 20.0\n')
    assert is_ours(tiny / "limits.toml")
    arguments = ["design", "tiny.toml", "--budget", "0.1", "--limits.file", "limits.toml", "--out", "limits.toml", "--force"]
    assert main([*arguments, "--paths", "2000"]) == BAD_INPUT
    assert "limits.toml: is an input; it is never replaced; choose another --out" in capsys.readouterr().err


def test_a_calibration_replaces_neither_its_base_nor_prices_of_others(tiny, capsys):  # noqa: F811
    hours = [f"{np.datetime64('2024-01-01T00', 'h') + h}:00:00Z,{100 + h % 7}" for h in range(60)]
    (tiny / "p.csv").write_text("\n".join(["time,close", *hours]))
    (tiny / "b.toml").write_text("# Written by jaxrisk calibrate\n" + SCENARIO)
    arguments = ["calibrate", "--prices", "p.csv", "--force"]
    assert main([*arguments, "--base", "b.toml", "--out", "b.toml"]) == BAD_INPUT
    assert "b.toml: is an input; it is never replaced" in capsys.readouterr().err
    (tiny / "m_prices.csv").write_text("time,close\n2024-01-01,5\n")
    assert main([*arguments, "--process", "bootstrap", "--out", "m.toml"]) == BAD_INPUT
    assert "m_prices.csv: exists already and is a CSV table that jaxrisk did not write" in capsys.readouterr().err
    (tiny / "m.toml").write_text('# Written by jaxrisk calibrate\n[market]\nfile = "m_prices.csv"\n')
    assert main([*arguments[:-1], "--process", "bootstrap", "--out", "m.toml"]) == BAD_INPUT
    said = capsys.readouterr().err.splitlines()
    assert sorted(line.partition(":")[0] for line in said) == ["m.toml", "m_prices.csv"]
    assert all("or overwrite it with --force" in line for line in said)
    (tiny / "m_prices.csv").write_text((tiny / "p.csv").read_text())
    assert main(["calibrate", "--prices", "m_prices.csv", "--force", "--process", "bootstrap", "--out", "m.toml"]) == BAD_INPUT
    assert "m_prices.csv: is an input" in capsys.readouterr().err


def test_every_table_we_write_is_known_again(tmp_path):
    """So that --force replaces it: each kind, as CSV, as JSON, and designed limits as TOML."""
    nothing = dict.fromkeys(Score._fields, 0.0)
    of = {name: getattr(example, name)() for name in ("sensitivities", "design", "reverse_stress", "rare_event")}
    tables = {name: getattr(studies, name)(result) for name, result in of.items()} | {
        "parameters": studies.parameters(of["sensitivities"].parameters, "all"),
        "summary": Result({"max_drawdown_index": np.linspace(0, 0.3, 50)}, {}, {}).summary(),
        "backtest": StudySummary("t", records=[nothing]),
    }
    every = [(f"{name}{ending}", table) for name, table in tables.items() for ending in (".csv", ".json")]
    every += [(f"{name}_all.json", result) for name, result in of.items()]
    for name, result in every:
        for _ in range(2):
            write(result, tmp_path / name)
        assert is_ours(tmp_path / name), name


def test_a_plot_of_the_run(tiny, engine, capsys, monkeypatch):  # noqa: F811
    import jaxrisk.batch as batch

    result = Result({"max_drawdown_index": np.linspace(0.0, 0.3, 500)}, {}, {})
    monkeypatch.setattr(batch, "simulate", lambda *a, out, **k: Result.load(result.save(out)))
    assert main(["run", "tiny.toml", "--plot", "new/p.svg"]) == OK
    assert capsys.readouterr().out.splitlines()[-2:] == ["result: results/tiny.nc", "plot: new/p.svg"]
    assert is_ours(tiny / "new/p.svg")
    assert main(["run", "tiny.toml", "--out", "a.nc", "--plot", "new/p.svg"]) == BAD_INPUT
    assert "new/p.svg: exists already; choose another --plot" in capsys.readouterr().err
    assert main(["run", "tiny.toml", "--out", "a.nc", "--plot", "p.gif"]) == BAD_INPUT
    assert main(["run", "tiny.toml", "--out", "p.png", "--plot", "p.png"]) == BAD_INPUT
    assert "is the file that --out names" in capsys.readouterr().err
    (tiny / "mine.png").write_text("mine")
    assert main(["run", "tiny.toml", "--out", "a.nc", "--plot", "mine.png", "--force"]) == BAD_INPUT
    assert (tiny / "mine.png").read_text() == "mine"


def test_a_second_run_with_one_output_is_told_at_once(tiny, engine, capsys):  # noqa: F811
    unfinished(tiny / "r.nc")
    first = ResultWriter(tiny / "r.nc", {}, {}, 9, {})
    for force in ([], ["--force"]):
        assert main(["run", "tiny.toml", "--out", "r.nc", *force]) == BAD_INPUT
        assert capsys.readouterr().err.splitlines() == [
            f"r.nc: is being written by another run (process {os.getpid()}); choose another name, or wait for it"
        ]
    assert not engine
    first.discard()
    assert main(["run", "tiny.toml", "--out", "r.nc"]) == OK


def test_paths_of_a_killed_run_are_kept_unless_forced(tiny):  # noqa: F811
    from jaxrisk.batch.sinks import File
    from jaxrisk.storage.chunks import Plan

    said = []
    unfinished(tiny / "r.nc")
    File(Path("r.nc"), Plan({}, {}, 9, {"configuration": "another"}), 5, said.append).release()
    assert said == ["5 paths of a run that was stopped were in r.nc.partial; they are kept in r.nc.partial.1"]
    assert Result.load("r.nc.partial.1").paths == 5
    unfinished(tiny / "r.nc")
    File(Path("r.nc"), Plan({}, {}, 9, {"configuration": "another"}), 5, said.append, force=True).release()
    assert said[1:] == ["5 paths of a run that was stopped were in r.nc.partial; they are removed"]
    assert sorted(one.name for one in tiny.iterdir()) == ["r.nc.partial.1", "tiny.toml"]


def test_an_interruption_says_where_the_paths_are(tiny, engine, capsys, monkeypatch):  # noqa: F811
    """Also where the file was not made any more: a second Ctrl-C, say."""
    import jaxrisk.batch as batch

    def simulate(scenario, sampling, progress, out, **more):
        unfinished(out)
        progress(9, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "simulate", simulate)
    assert main(["run", "tiny.toml", "--out", "r.nc"]) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted; the 5 paths finished until then are in r.nc.partial\n"


@pytest.mark.slow
def test_a_full_disk_is_a_sentence(tmp_path):
    """On disks of 1 MB, too small for a chunk, and of 12 MB, to the process's end: exit code 3, no library's traceback, no crash,
    and what was finished kept."""
    (tmp_path / "tiny.toml").write_text(SCENARIO)
    with tmpfs(tmp_path / "none", "1m") as none, tmpfs(tmp_path / "some", "12m") as some:
        here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        code = (
            "import sys; from jaxrisk.cli import main\n"
            "codes = [main(['run', sys.argv[1], '--paths', '200000', '--steps', '1', '--out', out]) for out in sys.argv[2:]]\n"
            "print(codes); sys.exit(codes[-1])"
        )
        environment = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"), **os.environ, "PYTHONPATH": here}
        command = [sys.executable, "-c", code, str(tmp_path / "tiny.toml"), str(none / "r.nc"), str(some / "r.nc")]
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
        assert done.returncode == NON_FINITE, (done.returncode, done.stderr[-2000:])
        assert done.stdout == f"{[NON_FINITE, NON_FINITE]}\n"
        kept = Result.load(some / "r.nc.partial")
        said = "cannot be written: No space left on device"
        where = f"the {kept.paths:,} of 200,000 paths finished until then are in {some / 'r.nc.partial'}"
        assert done.stderr.splitlines() == [f"{none / 'r.nc'}: {said}; nothing was finished", f"{some / 'r.nc'}: {said}; {where}"]
        assert os.listdir(none) == []
        assert kept.paths % 4096 == 0
        assert 0.0 < kept.losses["max_drawdown_index"].min()

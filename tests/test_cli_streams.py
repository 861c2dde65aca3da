"""The command line where streams are closed, full, left by their reader or poor in characters, and in other surroundings."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli import engine, tiny  # noqa: F401 (fixtures)

import jaxrisk
from jaxrisk.cli import BAD_INPUT, NOT_WRITTEN, OK, main
from jaxrisk.cli.environment import environment_problem
from jaxrisk.cli.streams import Stream


def shell(line, **environment):
    """A shell's line with `jaxrisk` in it: exit code, standard output and standard error, as bytes."""
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    text = f'jaxrisk() {{ {sys.executable} -m jaxrisk.cli "$@"; }}; {line}'
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHONUTF8", "PYTHONIOENC"))}
    environment = clean | {"PYTHONPATH": here} | environment
    done = subprocess.run(["bash", "-c", text], capture_output=True, timeout=120, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("jaxrisk schema > /dev/full", NOT_WRITTEN, b"standard output: cannot be written: No space left on device\n"),
        ("jaxrisk run --help > /dev/full", NOT_WRITTEN, b"standard output: cannot be written: No space left on device\n"),
        ("jaxrisk --version >&-", NOT_WRITTEN, b"standard output: cannot be written: it is closed\n"),
        ("jaxrisk check btc_24h 2>&-", OK, b""),
        ("jaxrisk check btc_24h >&- 2>&- <&-", NOT_WRITTEN, b""),
        ("jaxrisk schema | head -c 1; exit ${PIPESTATUS[0]}", OK, b""),
    ],
)
def test_what_could_not_be_shown_has_an_exit_code_and_nothing_else_fails(line, code, words):
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    found = shell(line)
    assert found[0] == code
    assert found[2] == words


@pytest.mark.slow
@pytest.mark.parametrize("module", ["jaxrisk", "jaxrisk.cli"])
def test_bad_input_has_its_code_also_where_nobody_reads_the_errors(module):
    code = "import os, subprocess, sys; r, w = os.pipe(); os.close(r); print(subprocess.run(sys.argv[1:], stderr=w).returncode)"
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", code, sys.executable, "-m", module, "run", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=os.environ | {"PYTHONPATH": here})
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.parametrize("setting", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0"}])
@pytest.mark.parametrize("command", ["--help", "schema"])
def test_help_and_schema_in_a_locale_with_few_characters(setting, command):
    code, out, err = shell(f"jaxrisk {command}", LC_ALL="C", **setting)
    assert (code, err) == (OK, b"")
    assert ("rare-event" if command == "--help" else '"$schema"') in out.decode("ascii")


@pytest.mark.parametrize("stream", [None, "full"])
def test_a_result_is_written_whatever_becomes_of_the_summary(tiny, engine, capsys, monkeypatch, stream):  # noqa: F811
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", None if stream is None else Full())
    assert main(["run", "tiny.toml", "--out", "r.nc"]) == NOT_WRITTEN
    assert jaxrisk.Result.load("r.nc").losses["max_drawdown_index"].size == 16
    assert capsys.readouterr().err.startswith("standard output: cannot be written: ")


def test_a_stream_remembers_what_went_wrong_first():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    stream = Stream(Gone())
    print("a", file=stream)
    print("b", file=stream)
    assert (stream.error, stream.left, stream.isatty()) == ("nobody reads it", True, False)
    poor = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print("╭─ µ", file=Stream(poor), flush=True)
    assert poor.buffer.getvalue() == b"+- \\xb5\n"


@pytest.mark.slow
def test_a_device_that_there_is_not_takes_one_line(tmp_path):
    code, out, err = shell(f"jaxrisk run btc_24h --paths 10 --out {tmp_path}/x.nc", JAX_PLATFORMS="nonesuch")
    assert (code, out) == (BAD_INPUT, b"")
    assert len(err.splitlines()) == 1
    assert err.startswith(b'environment: JAX_PLATFORMS = "nonesuch": there is no such device here')


def test_errors_of_the_environment_are_told_from_ours(monkeypatch):
    """Whatever JAX raises: where its plug-in for CUDA is missing, an assertion without a word."""

    def devices():
        raise AssertionError

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("JAX_ENABLE_X64", "maybe")
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=devices))
    assert str(environment_problem(AssertionError())).startswith('environment: JAX_PLATFORMS = "cuda": ')
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=lambda: ["one"]))
    assert environment_problem(AssertionError()) is None
    said = environment_problem(ValueError("invalid truth value 'maybe' for environment 'JAX_ENABLE_X64'"))
    assert str(said).startswith('environment: JAX_ENABLE_X64 = "maybe": invalid truth value')

"""Runs that go to a store on the command line: continued, refused, watched from another terminal, killed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_cli import SCENARIO, engine, files, tiny  # noqa: F401 (fixtures)

import jaxrisk
from jaxrisk import Result
from jaxrisk.cli import BAD_INPUT, NON_FINITE, OK, main
from jaxrisk.storage.chunks import Plan
from jaxrisk.storage.manifest import Kind, Manifest
from jaxrisk.storage.store import Store


def begun(path, chunks=2, planned=8, digest="d", failed=()):
    """What a stopped run leaves: chunks of 10 paths."""
    plan = Plan({"x": ()}, {}, 10 * planned, {"name": "made", "seed": "1"})
    store = Store(Path(path), Manifest(plan, 10, {"x": Kind((), "float32")}, {"seed": "1"}, digest), b"", lambda a, b: "seed")
    for place in range(chunks):
        facts = {"process": 7, "host": "h", "device": "cpu", "paths_a_second": 1000 * place, "memory_bytes": 2**30}
        store.write(10 * place, {"x": np.full(10, place, np.float32)}, facts)
    for place in failed:
        store.set_aside(10 * place, "path 3 is not finite")
    return store


def test_status_says_how_far_a_run_is(tiny, capsys):  # noqa: F811
    store = begun("r.zarr", 3, failed=(5,))
    assert main(["status", "r.zarr"]) == NON_FINITE
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "r.zarr: 30 of 80 paths are finished (37.5%, 3 of 8 chunks)"
    assert said[1] == f"process {os.getpid()} is writing it"
    assert "paths a second; about " in said[2]
    assert said[3] == "process 7 on h (cpu): 3 chunks, 2,000 paths a second in the last, 1.00 GiB"
    assert said[4] == "set aside: paths 50 to 59: path 3 is not finite"
    store.release()
    assert main(["status", "r.zarr"]) == NON_FINITE
    assert "nobody is writing it; the same command continues" in capsys.readouterr().out


def test_status_of_a_file_and_of_what_is_none(tiny, capsys):  # noqa: F811
    from jaxrisk.storage.writer import ResultWriter

    writer = ResultWriter("r.nc", {}, {}, 9, {})
    writer.append(0, {"x": np.ones(5)})
    assert main(["status", "r.nc"]) == OK
    assert capsys.readouterr().out.startswith(f"r.nc: 5 of 9 paths are finished (55.6%)\nprocess {os.getpid()} is writing it\n")
    writer.close()
    assert main(["status", "r.nc"]) == OK
    assert capsys.readouterr().out == "r.nc: 5 of 9 paths are finished (55.6%)\nnothing is left to do\n"
    assert main(["status", "none.zarr", "tiny.toml", "r.nc"]) == BAD_INPUT
    caught = capsys.readouterr()
    assert caught.err.splitlines() == ["no result at none.zarr", "tiny.toml is a TOML file, not a result"]
    assert caught.out.startswith("r.nc: ")


def test_what_is_asked_of_executors_is_checked_at_once(tiny, engine, capsys):  # noqa: F811
    command = ["run", "tiny.toml", "--out", "r.nc", "--executor", "dsk", "--workers", "0", "--scheduler", "tcp://x:1"]
    assert main([*command, "--chunk", "half"]) == BAD_INPUT
    assert capsys.readouterr().err.splitlines() == [
        'command line: --executor = "dsk": has to be one of processes, dask (did you mean "dask"?)',
        'command line: --scheduler = "tcp://x:1": goes with --executor dask',
        "command line: --workers = 0: has to be a whole number from 1 on",
        'command line: --chunk = "half": has to be a whole number from 1 on',
    ]
    assert main(["run", "tiny.toml", "--out", "r.nc", "--executor", "dask", "--workers", "2"]) == BAD_INPUT
    assert "has to end in .zarr with --executor dask" in capsys.readouterr().err
    assert not engine


def test_without_dask_there_is_a_sentence(tiny, engine, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", "tiny.toml", "--out", "r.zarr", "--executor", "dask"]) == BAD_INPUT
    assert capsys.readouterr().err == (
        "command line: --executor dask: Dask is not installed: pip install 'jaxrisk[dask]', or run without it "
        "(--executor processes)\n"
    )
    assert files(tiny) == {"tiny.toml": SCENARIO.encode()} or not (tiny / "r.zarr").exists()


def test_what_is_no_store_of_ours_is_refused_before_anything_is_run(tiny, engine, capsys):  # noqa: F811
    (tiny / "data.zarr").mkdir()
    (tiny / "data.zarr" / "x").write_text("mine")
    (tiny / "file.zarr").write_text("mine")
    (tiny / "link.zarr").symlink_to("nowhere")
    for name, words in {
        "data": "is a folder that jaxrisk did not write",
        "file": "exists already and is a",
        "link": "nowhere",
    }.items():
        for force in ([], ["--force"]):
            assert main(["run", "tiny.toml", "--out", f"{name}.zarr", *force]) == BAD_INPUT
            err = capsys.readouterr().err
            assert words in err
            assert len(err.splitlines()) == 1
    store = begun("r.zarr")
    assert main(["run", "tiny.toml", "--out", "r.zarr", "--force"]) == BAD_INPUT
    assert f"is being written by another run (process {os.getpid()})" in capsys.readouterr().err
    store.release()
    assert not engine


@pytest.mark.slow
def test_the_same_command_again(tiny, capsys):  # noqa: F811
    """Continues, loads, and refuses another; to the last line."""
    command = ["run", "tiny.toml", "--paths", "9000", "--chunk", "4096", "--out", "r.zarr"]
    assert main(command) == OK
    first = capsys.readouterr()
    assert first.err == ""
    assert first.out.endswith("result: r.zarr\n")
    assert main(command) == OK
    again = capsys.readouterr()
    assert again.err.endswith("r.zarr: holds this run, finished; it is loaded\n")
    assert again.out == first.out
    assert main([*command, "--seed", "2", "--impact.coefficient", "1.5"]) == BAD_INPUT
    err = capsys.readouterr().err
    assert (
        "r.zarr: holds another run, and is not continued: seed was 1 and is 2; impact.law.coefficient was [1.0] and is [1.5]"
        in err
    )
    assert main([*command, "--seed", "2", "--force"]) == OK
    assert Result.load("r.zarr").info["seed"] == "2"


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    """Three times of the fifty that the script does by itself."""
    here = Path(jaxrisk.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(here / "scripts" / "validate_batch.py"), "kills", "--number", "3", "--chunks", "40"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "the same bits; stray files: []; finished chunks run again: 0" in done.stdout


@pytest.mark.slow
def test_damaged_chunks_are_told_and_run_again():
    here = Path(jaxrisk.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(here / "scripts" / "validate_batch.py"), "damaged", "--number", "4", "--chunks", "12"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "told 8 of 8 times when it was read, 8 chunks run again: the same bits; no stray files" in done.stdout


@pytest.mark.slow
def test_a_path_has_the_same_bits_on_any_number_of_devices(tmp_path):
    """On 1, 2 and 4 simulated ones, of a market with two venues."""
    code = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from batch.test_compiled_once import small
import numpy as np, jax, jaxrisk as jr
from jaxrisk.cascade import blocks
blocks.BLOCK["cpu"] = 256
assert len(jax.devices()) == int(sys.argv[2])
result = jr.simulate(small(size=-0.2), paths=1500, sample_paths=2, chunk=512)
assert result["liquidated_notional"].sum() > 0.0
print(hashlib.sha256(b"".join(np.ascontiguousarray(result[name]).tobytes() for name in sorted(result.losses))).hexdigest())
"""
    here = Path(jaxrisk.__file__).parent.parent
    found = []
    for devices in (1, 2, 4):
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
        environment = os.environ | {"PYTHONPATH": str(here), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, "-c", code, str(Path(__file__).parent), str(devices)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(done.stdout.split()[-1])
    assert len(set(found)) == 1

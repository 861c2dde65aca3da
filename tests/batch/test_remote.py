"""A store at an address: `memory://` in this process, and `file://`, to which other processes write too."""

import json

import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.batch.processes import Processes
from jaxrisk.cascade import blocks
from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.storage import manifest, remote
from jaxrisk.storage.durable import Busy, OutputError
from jaxrisk.storage.outputs import NotReplaced
from jaxrisk.storage.remote import is_remote, place_of
from jaxrisk.storage.status import status_of
from jaxrisk.storage.store import OtherRun

fsspec = pytest.importorskip("fsspec")
pytestmark = pytest.mark.as_shipped  # as the processes that a run starts, which have to find the same bits
OUT = "memory://runs/r.zarr"


class Stop(BaseException):
    """As a kill: nobody catches it."""


@pytest.fixture(scope="module")
def run(tiny, blocks_of_256):
    return lambda out, **more: jr.simulate(tiny, **{"paths": 1500, "seed": 5, "sample_paths": 3, "chunk": 256, "out": out} | more)


@pytest.fixture(scope="module")
def memory(run):
    return run(None)


@pytest.fixture(autouse=True)
def system():
    made = fsspec.filesystem("memory")
    made.store.clear()
    made.pseudo_dirs[:] = [""]
    return made


def same(first, second):
    for name in first.losses:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name, strict=True)
    assert [*first.samples, *first.curves] == [*second.samples, *second.curves]


def test_an_address_is_known_by_its_scheme(tmp_path):
    assert [is_remote(one) for one in ("s3://b/x.zarr", "s3:/b/x.zarr", "C:/x.zarr", tmp_path, "x.zarr")] == [True] * 2 + [
        False
    ] * 3
    assert str(place_of("memory:/a/b.zarr")) == "memory://a/b.zarr"
    assert str(place_of("file:/a/b.zarr")) == "file:///a/b.zarr"


def test_a_run_goes_to_objects_and_is_loaded_from_there(run, memory, system):
    import xarray as xr

    same(run(OUT), memory)
    same(jr.Result.load(OUT), memory)
    with xr.open_zarr(OUT) as opened:
        np.testing.assert_array_equal(opened["max_drawdown_index"], memory["max_drawdown_index"])
        assert opened.attrs["finished_paths"] == 1500
    assert status_of(place_of(OUT)).ended
    assert not [name for name in system.find("/runs") if "lock" in name or "aside" in name]


def test_a_stopped_run_is_continued_and_another_is_refused(run, memory):
    def stop(done, total):
        if done >= 768:
            raise Stop

    with pytest.raises(Stop):
        run(OUT, progress=stop)
    assert 768 <= jr.Result.load(OUT).paths < 1500
    told = []
    same(run(OUT, tell=told.append), memory)
    assert "it is continued" in told[0]
    with pytest.raises(OtherRun, match="seed was 5 and is 6"):
        run(OUT, seed=6)
    assert run(OUT, seed=6, force=True).info["seed"] == "6"


def test_a_damaged_object_is_computed_again(run, memory, system):
    run(OUT)
    name = next(name for name in system.find("/runs/r.zarr/max_drawdown_index") if name.endswith("c.2"))
    system.pipe_file(name, b"x" + system.cat_file(name)[1:])
    with pytest.raises(ValueError, match="checksum does not hold"):
        jr.Result.load(OUT)["max_drawdown_index"]
    same(run(OUT), memory)


def test_a_second_run_is_refused_while_the_first_lives_and_not_after(run, memory, monkeypatch):
    folder = place_of(OUT) / manifest.FOLDER
    lock = remote.RemoteLock(folder, place_of(OUT))
    with pytest.raises(Busy, match="is being written by another run"):
        run(OUT)
    monkeypatch.setattr(remote, "DEAD", -1.0)  # as if its owner had been silent for long
    same(run(OUT), memory)
    lock.release()


def test_workers_write_objects_themselves(run, tmp_path, monkeypatch):
    """A local folder through fsspec, as other processes do not see this one's memory, nor its size of a block."""
    monkeypatch.setitem(blocks.BLOCK, "cpu", 4096)
    memory = run(None)
    out = f"file://{tmp_path}/r.zarr"
    with Processes(1) as executor:
        same(run(out, executor=executor), memory)
    same(jr.Result.load(tmp_path / "r.zarr"), memory)


def test_objects_of_others_are_not_replaced(run, system):
    system.pipe_file("/runs/r.zarr/zarr.json", json.dumps({"zarr_format": 3}).encode())
    with pytest.raises(NotReplaced, match="jaxrisk did not write"):
        run(OUT)


def test_a_file_is_not_put_at_an_address(run):
    with pytest.raises(OutputError, match=r"s3://b/x\.nc: what goes to an object store is a store"):
        run("s3://b/x.nc")


@pytest.mark.parametrize("out", ["nosuch://x/r.zarr", "memory://x/y.nc", "memory://x/y.zarr"])
def test_the_command_line_takes_addresses_and_says_what_is_wrong(out, tmp_path, capsys, tiny, monkeypatch):
    from test_cli import SCENARIO

    (tmp_path / "tiny.toml").write_text(SCENARIO)
    code = main(["run", str(tmp_path / "tiny.toml"), "--out", out])
    said = capsys.readouterr()
    assert code == (OK if out == "memory://x/y.zarr" else BAD_INPUT), said.err
    assert (out in said.err) if code else (f"result: {out}" in said.out)
    assert "Traceback" not in said.err
    if not code:
        assert main(["status", out]) == OK
        assert "nothing is left to do" in capsys.readouterr().out

"""Several processes of `jax.distributed` at one store; here threads that are told that they are processes."""

import threading

import jax
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.batch import WorkersLost, hosts
from jaxrisk.storage.store_log import lines


@pytest.fixture(scope="module")
def run(tiny, blocks_of_256):
    return lambda out: jr.simulate(tiny, paths=1500, seed=5, sample_paths=3, chunk=256, out=out)


def same(first, second):
    for name in first.losses:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name, strict=True)


@pytest.fixture
def process(monkeypatch):
    """Sets which of two processes a thread is."""
    which = threading.local()
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: getattr(which, "index", 0))
    monkeypatch.setattr(hosts, "_LOOKS", 0.01)
    return which


def test_two_processes_share_a_store_and_give_the_bits_of_one(run, tmp_path, process, monkeypatch):
    alone, out = run(None), tmp_path / "r.zarr"
    written, found, honest = [], [], hosts.write_chunk

    def write(path, manifest, first, *more):
        written.append(first)
        honest(path, manifest, first, *more)

    monkeypatch.setattr(hosts, "write_chunk", write)

    def second() -> None:
        process.index = 1
        found.append(run(out))

    other = threading.Thread(target=second)
    other.start()
    same(run(out), alone)
    other.join()
    same(found[0], alone)
    assert written == [256, 768, 1280]
    firsts = [entry["first"] for entry in lines(out) if entry["event"] == "chunk"]
    assert sorted(firsts) == [0, 256, 512, 768, 1024, 1280]


def test_what_a_lost_process_leaves_is_run_by_the_first(run, tmp_path, process, monkeypatch):
    monkeypatch.setattr(hosts, "PATIENCE", 0.05)
    out = tmp_path / "r.zarr"
    result = run(out)
    process.index = 1
    assert jr.Result.load(out).paths == result.paths == 1500


def test_a_process_whose_first_does_not_begin_says_so(run, tmp_path, process, monkeypatch):
    monkeypatch.setattr(hosts, "LOST", 0.05)
    process.index = 1
    with pytest.raises(WorkersLost, match="has not begun this run there"):
        run(tmp_path / "r.zarr")

"""A run that goes to a Zarr store: the same bits as in memory, continued after whatever stops it, refused where it differs."""

import json
import os
import shutil
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import jaxrisk as jr
from jaxrisk.batch import SetAside, work
from jaxrisk.cascade import blocks
from jaxrisk.report import result as result_module
from jaxrisk.risk.stream import Stream
from jaxrisk.storage.durable import Busy
from jaxrisk.storage.outputs import NotReplaced
from jaxrisk.storage.status import status_of
from jaxrisk.storage.store import OtherRun
from jaxrisk.storage.store_log import lines
from jaxrisk.storage.writer import WriteStopped

PATHS, CHUNK, SEED = 1500, 256, 5
FIRSTS = list(range(0, PATHS, CHUNK))


class Stop(BaseException):
    """As a kill: nobody catches it."""


@pytest.fixture(scope="module")
def run(tiny, blocks_of_256):
    """A run with other arguments where they are given."""

    def simulate(out=None, **more):
        return jr.simulate(tiny, **{"paths": PATHS, "seed": SEED, "sample_paths": 3, "chunk": CHUNK, "out": out} | more)

    return simulate


@pytest.fixture(scope="module")
def memory(run):
    return run()


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """A finished store, to be copied."""
    out = tmp_path_factory.mktemp("whole") / "r.zarr"
    run(out)
    return out


@pytest.fixture
def store(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "r.zarr")


@pytest.fixture
def began(monkeypatch):
    """First paths of the chunks that are run."""
    firsts, honest = [], work.range_losses

    def counted(pool, prepared, seed, first, count, source, kernel):
        firsts.append(first)
        return honest(pool, prepared, seed, first, count, source, kernel)

    monkeypatch.setattr(work, "range_losses", counted)
    return firsts


def same(first, second):
    assert set(first.losses) == set(second.losses)
    for name in first.losses:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name, strict=True)
    for kept, again in ((first.samples, second.samples), (first.curves, second.curves)):
        assert set(kept) == set(again)
        for name in kept:
            np.testing.assert_array_equal(kept[name], again[name], err_msg=name)
    of = lambda info: {key: value for key, value in info.items() if key not in ("wall_seconds", "planned_paths")}
    assert of(first.info) == of(second.info)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def stopped_after(run, out, chunks, stop=Stop):
    """A run that ends when so many chunks are kept."""

    def progress(done, total):
        if done >= chunks * CHUNK:
            raise stop

    with pytest.raises(stop):
        run(out, progress=progress)


def test_a_store_is_what_memory_is_and_others_open_it(store, memory):
    same(jr.Result.load(store), memory)
    for consolidated in (None, False):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = xr.open_zarr(store, chunks=None, consolidated=consolidated)
        assert dict(data.sizes)["paths"] == PATHS
        for name in memory.losses:
            np.testing.assert_array_equal(data[name].values, memory[name], err_msg=name)
        assert data.max_drawdown.sel(assets="BTC").shape == (PATHS,)
        assert data.liquidated_notional.attrs["units"] == "USD"
        assert data.attrs["seed"] == str(SEED)
        np.testing.assert_array_equal(data.sample_price.values, memory.samples["price"])


def test_what_others_read_is_strict_json(run, tmp_path, monkeypatch):
    """Numbers that are none are words there."""
    from jaxrisk.batch import run as module

    monkeypatch.setattr(module, "criticality", lambda curve: {"criticality_peak": [float("nan"), float("inf"), 1.0]})
    out = tmp_path / "r.zarr"
    kept = run(out, paths=256)
    np.testing.assert_array_equal(kept.info["criticality_peak"], [np.nan, np.inf, 1.0])

    def none(word):
        raise AssertionError(word)

    for path in out.rglob("zarr.json"):
        said = json.loads(path.read_text(), parse_constant=none)
        assert path.parent != out or said["attributes"]["criticality_peak"] == ["NaN", "Infinity", 1.0]


def test_arrays_are_of_types_that_every_reader_knows(store):
    """But labels, which are beside it in an attribute; and each chunk has a checksum."""
    for path in store.glob("*/zarr.json"):
        said = json.loads(path.read_text())
        if said["node_type"] == "array" and said["codecs"][-1]["name"] == "crc32c":
            numbers = said["data_type"] in ("float32", "float64", "bool", "int32")
            assert numbers or len(said["attributes"]["labels"]) == said["shape"][0], path
        else:
            assert path.parent.name == "jaxrisk"


def test_the_same_run_again_is_loaded_and_nothing_is_run(run, store, memory, began):
    told = []
    same(run(store, tell=told.append), memory)
    assert told == [f"{store}: holds this run, finished; it is loaded"]
    assert began == []


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_run_that_ends_anywhere_is_continued(run, whole, memory, began, tmp_path, chunks):
    out, told = tmp_path / "r.zarr", []
    stopped_after(run, out, chunks)
    kept = jr.Result.load(out)
    assert kept.paths in (chunks * CHUNK, (chunks + 1) * CHUNK)  # one is being written when the next is begun
    np.testing.assert_array_equal(kept["max_drawdown_index"], memory["max_drawdown_index"][: kept.paths])
    assert (kept.planned, kept.info["finished_paths"]) == (PATHS, kept.paths)
    assert xr.open_zarr(out, chunks=None).sizes["paths"] == kept.paths
    began.clear()
    same(run(out, tell=told.append), memory)
    assert told == [f"{out}: {kept.paths:,} of 1,500 paths of this run were there; it is continued"]
    assert began == [first for first in FIRSTS if first >= kept.paths]
    assert files(out) == files(whole)


def test_a_file_is_continued_likewise(run, memory, began, tmp_path):
    out, told = tmp_path / "r.nc", []
    stopped_after(run, out, 2)
    began.clear()
    same(run(out, tell=told.append), memory)
    assert told == [f"512 paths of this run were in {out}.partial; it is continued"]
    assert began == FIRSTS[2:]
    assert files(tmp_path) == ["r.nc"]


def test_a_damaged_chunk_of_a_file_that_is_written_is_run_again(run, memory, began, tmp_path):
    out = tmp_path / "r.nc"
    stopped_after(run, out, 4)
    flipped = tmp_path / "r.nc.partial" / "0000000256-0000000512.npz"
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    cut = tmp_path / "r.nc.partial" / "0000000768-0000001024.npz"
    cut.write_bytes(cut.read_bytes()[:-40])
    began.clear()
    same(run(out), memory)
    assert began == [256, 768, 1024, 1280]


def test_a_damaged_first_chunk_of_a_file_costs_no_other(run, memory, began, tmp_path):
    """Whether the same run is continued, or another puts the chunks aside."""
    out, told = tmp_path / "r.nc", []
    for again in ({"seed": 6}, {}):
        stopped_after(run, out, 4)
        first = tmp_path / "r.nc.partial" / "0000000000-0000000256.npz"
        first.write_bytes(first.read_bytes()[:-40])
        if again:
            first.unlink()
        began.clear()
        result = run(out, tell=told.append, **again)
    same(result, memory)
    assert began == [0, 1024, 1280]
    assert told[0].startswith(f"768 paths of a run that was stopped were in {out}.partial; they are kept in")
    assert told[-1] == f"768 paths of this run were in {out}.partial; it is continued"


def test_another_run_puts_aside_what_is_in_the_way_of_its_file(run, tmp_path):
    stopped_after(run, tmp_path / "r.nc", 2)
    told = []
    run(tmp_path / "r.nc", seed=6, tell=told.append)
    assert "they are kept in" in told[0]
    assert jr.Result.load(tmp_path / "r.nc.partial.1").paths == 512


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "bit flipped": flipped,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "too long": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "removed": lambda path: path.unlink(),
    "another chunk's": lambda path: path.write_bytes(path.with_name(path.name.replace("c.2", "c.1")).read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_told_when_read_and_run_again_when_continued(run, store, memory, began, damage):
    path = store / "open_interest_loss" / "c.2.0.0"
    before = path.read_bytes()
    DAMAGES[damage](path)
    with pytest.raises(ValueError, match=r"c\.2\.0\.0 is (damaged: |gone, and)"):
        jr.Result.load(store)["open_interest_loss"]
    np.testing.assert_array_equal(jr.Result.load(store)["log_return"], memory["log_return"])
    told = []
    same(run(store, tell=told.append), memory)
    assert began == [2 * CHUNK]
    assert "1 chunk that was damaged is run again" in told[0]
    assert path.read_bytes() == before


def test_another_configuration_is_refused_with_what_differs_and_nothing_is_touched(run, store, memory):
    before = {name: (store / name).stat().st_mtime_ns for name in files(store)}
    with pytest.raises(
        OtherRun, match=r"seed was 5 and is 6; channels\.feedback was 1\.0 and is 0\.5; choose another name"
    ) as caught:
        run(store, seed=6, feedback=0.5)
    assert str(store) in str(caught.value)
    with pytest.raises(OtherRun, match="paths was 1500 and is 1600"):
        run(store, paths=1600)
    assert {name: (store / name).stat().st_mtime_ns for name in files(store)} == before
    other = run(store, seed=6, force=True)
    assert not np.array_equal(other["log_return"], memory["log_return"])
    same(jr.Result.load(store), other)


def test_what_was_loaded_is_never_read_on_in_another_run(run, store, memory):
    loaded, again = jr.Result.load(store), jr.Result.load(store)
    run(store)
    np.testing.assert_array_equal(loaded["max_drawdown_index"], memory["max_drawdown_index"])
    run(store, seed=6, force=True)
    for name in memory.losses:
        with pytest.raises(ValueError, match=r"0000000000-0000000256\.json is of another run"):
            again[name]


def test_what_another_run_has_left_is_not_taken_for_this_one(run, store, monkeypatch):
    """Records that cannot be removed."""
    from jaxrisk.storage import durable

    honest = durable.clear
    monkeypatch.setattr(durable, "clear", lambda path: None if path.name == "chunks" else honest(path))
    with pytest.raises(OtherRun, match="what another run has left there cannot be removed"):
        run(store, seed=6, force=True)
    assert not (store / "jaxrisk" / "manifest.json").exists()


def test_another_version_is_refused(run, store, monkeypatch):
    from jaxrisk.batch import configuration

    monkeypatch.setattr(configuration, "versions", lambda: {"jaxrisk": "9.9"})
    with pytest.raises(OtherRun, match=r"version of jaxrisk was 0\.1\.0 and is 9\.9"):
        run(store)


def test_another_chunk_size_is_no_other_run(run, memory, began, tmp_path):
    """What is there keeps its chunks."""
    stopped_after(run, tmp_path / "r.zarr", 2)
    kept = jr.Result.load(tmp_path / "r.zarr").paths
    began.clear()
    same(run(tmp_path / "r.zarr", chunk=1024), memory)
    assert began == [first for first in FIRSTS if first >= kept]
    same(run(tmp_path / "s.zarr", chunk=1024), memory)


def test_one_run_has_a_store(run, tmp_path):
    out, seen = tmp_path / "r.zarr", []

    def progress(done, total):
        if not seen:
            seen.append(status_of(out))
            with pytest.raises(Busy, match=rf"is being written by another run \(process {os.getpid()}\)"):
                run(out, force=True)

    run(out, progress=progress)
    assert seen[0].owner == os.getpid()
    assert (seen[0].planned, seen[0].ended) == (PATHS, False)
    assert 0 < seen[0].paths < PATHS
    done = status_of(out)
    assert (done.paths, done.chunks, done.planned_chunks, done.ended, done.owner) == (PATHS, 6, 6, True, None)
    assert done.workers[0].chunks == 6
    assert "1,500 of 1,500 paths are finished (100.0%, 6 of 6 chunks)\nnothing is left to do\n" in str(done)


def test_what_is_not_ours_is_left_alone(run, tmp_path):
    (tmp_path / "mine.zarr" / "jaxrisk").mkdir(parents=True)
    (tmp_path / "mine.zarr" / "jaxrisk" / "engine.py").write_text("mine")
    (tmp_path / "data.zarr").mkdir()
    (tmp_path / "data.zarr" / "zarr.json").write_text("{}")
    (tmp_path / "file.zarr").write_text("mine")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "nowhere")
    before = files(tmp_path)
    for name in ("mine", "data", "file", "link"):
        with pytest.raises(NotReplaced):
            run(tmp_path / f"{name}.zarr", force=True)
    assert files(tmp_path) == before


@pytest.mark.parametrize("inside", [[], ["zarr.json"], ["lock"], ["zarr.json", "lock"]])
def test_a_zarr_folder_with_a_group_of_our_name_is_left_alone(run, tmp_path, inside):
    out = tmp_path / "r.zarr"
    for name in ("prices", "sample_mine", "jaxrisk"):
        (out / name).mkdir(parents=True)
    for name in ("prices/zarr.json", "sample_mine/zarr.json", "zarr.json", *(f"jaxrisk/{name}" for name in inside)):
        (out / name).write_text("{}")
    before = files(out)
    for force in (False, True):
        with pytest.raises(NotReplaced, match="is a folder that jaxrisk did not write"):
            run(out, force=force)
    assert files(out) == before


def test_what_a_kill_leaves_of_a_store_that_is_begun_is_not_in_the_way(run, memory, tmp_path):
    out = tmp_path / "r.zarr"
    (out / "jaxrisk").mkdir(parents=True)
    (out / "jaxrisk" / "lock").write_text("")
    same(run(out), memory)


def test_paths_without_a_manifest_are_removed_by_force_alone(run, store, memory):
    (store / "jaxrisk" / "manifest.json").unlink()
    before = files(store)
    with pytest.raises(OtherRun, match=r"has paths of a run, and its jaxrisk/manifest\.json is gone; overwrite it with --force"):
        run(store)
    assert files(store) == before
    same(run(store, force=True), memory)


def test_the_same_run_is_continued_with_force_too(run, memory, began, tmp_path):
    for name in ("r.zarr", "r.nc"):
        stopped_after(run, tmp_path / name, 2)
        began.clear()
        same(run(tmp_path / name, force=True), memory)
        assert 0 not in began
        assert began


def test_what_others_have_put_into_a_store_stays(run, store):
    (store / "notes.txt").write_text("mine")
    (store / "prices").mkdir()
    (store / "prices" / "zarr.json").write_text("{}")
    run(store, seed=7, force=True)
    assert (store / "notes.txt").read_text() == "mine"
    assert (store / "prices" / "zarr.json").exists()


def test_a_chunk_that_fails_always_is_set_aside_and_the_rest_is_finished(run, memory, tmp_path, monkeypatch):
    honest = blocks.RUN["scan"]

    def spoiled(prepared, key, paths, source):
        losses = dict(honest(prepared, key, paths, source))
        return losses | {"log_return": jnp.where((paths == 700)[:, None], jnp.nan, losses["log_return"])}

    out, left = tmp_path / "r.zarr", np.r_[0:512, 768:1500]
    with monkeypatch.context() as patch:
        patch.setitem(blocks.RUN, "scan", spoiled)
        with pytest.raises(SetAside, match=r"^1 chunk was set aside: paths 512 to 767: path 700") as caught:
            run(out)
        stopped = [entry["event"] for entry in lines(out)]
        with pytest.raises(SetAside, match=r"^1 chunk was set aside: paths 512 to 767: path 700"):
            run(out)  # again, and the first chunk that it is at is bad
    assert stopped.count("set aside") == 1
    assert caught.value.ranges == [(512, 768)]
    assert caught.value.path == 700
    kept = jr.Result.load(out)
    assert (kept.paths, kept.planned, kept.info["missing_paths"]) == (PATHS - 256, PATHS, "512 to 767")
    assert "not among them: paths 512 to 767" in kept.notes()
    np.testing.assert_array_equal(kept["log_return"], memory["log_return"][left])
    seen = xr.open_zarr(out, chunks=None).log_return.values
    np.testing.assert_array_equal(seen[left], memory["log_return"][left])
    assert np.isnan(seen[512:768]).all()
    assert "set aside: paths 512 to 767: path 700" in str(status_of(out))
    same(run(out), memory)
    assert not status_of(out).set_aside


def test_paths_that_are_missing_are_told_by_their_indices(run, tmp_path, monkeypatch):
    honest, out = blocks.RUN["scan"], tmp_path / "r.zarr"

    def spoiled(prepared, key, paths, source):
        losses = dict(honest(prepared, key, paths, source))
        return losses | {"log_return": jnp.where((paths == 10_700)[:, None], jnp.nan, losses["log_return"])}

    monkeypatch.setitem(blocks.RUN, "scan", spoiled)
    with pytest.raises(SetAside, match=r"paths 10512 to 10767|paths 10,512 to 10,767: path 10700") as caught:
        run(out, first_path=10_000)
    assert caught.value.ranges == [(10_512, 10_768)]
    kept = jr.Result.load(out)
    assert kept.info["missing_paths"] == "10,512 to 10,767"
    assert "not among them: paths 10,512 to 10,767" in kept.notes()
    assert [found[:2] for found in status_of(out).set_aside] == [(10_512, 10_768)]
    (why,) = (out / "jaxrisk" / "failed").iterdir()
    assert (json.loads(why.read_text())["first"], json.loads(why.read_text())["until"]) == (10_512, 10_768)


@pytest.mark.parametrize("name", ["r.zarr", "r.nc"])
def test_what_cannot_be_read_now_is_not_damaged(run, memory, began, tmp_path, monkeypatch, name):
    import errno
    import pathlib

    out, honest = tmp_path / name, pathlib.Path.read_bytes
    stopped_after(run, out, 4)
    kept = lambda: [one for one in files(tmp_path) if not one.endswith("/lock")]
    before = kept()

    def stale(path):
        if path.name in ("c.1", "0000000256-0000000512.npz"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return honest(path)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "read_bytes", stale)
        with pytest.raises(WriteStopped, match="Stale file handle"):
            run(out)
    assert kept() == before
    began.clear()
    same(run(out), memory)
    assert 256 not in began
    assert 0 not in began


def test_nothing_is_left_of_a_run_that_finished_nothing(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "r.zarr", progress=None, tell=None, seed=11, executor=_Interrupted())
    assert list(tmp_path.iterdir()) == []


class _Interrupted(__import__("concurrent.futures").futures.Executor):
    _max_workers = 1

    def submit(self, fn, /, *args, **kwargs):
        raise KeyboardInterrupt


def test_a_write_that_fails_is_a_sentence_and_the_rest_is_kept(run, memory, tmp_path, monkeypatch):
    import errno

    from jaxrisk.storage import store as module

    out, honest, written = tmp_path / "r.zarr", module.write_chunk, []

    def full(path, manifest, first, *rest):
        if first == 512:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(first)
        honest(path, manifest, first, *rest)

    monkeypatch.setattr(module, "write_chunk", full)
    with pytest.raises(WriteStopped) as caught:
        run(out)
    words = f"{out}: cannot be written: No space left on device; the 512 of 1,500 paths finished until then are in {out}"
    assert str(caught.value) == words
    monkeypatch.undo()
    same(run(out), memory)


def test_a_run_that_is_refused_holds_no_lock(store, run):
    with pytest.raises(OtherRun):
        run(store, seed=9)
    assert not (store / "jaxrisk" / "lock").exists()


ASKED = [
    lambda r: r.mean("max_drawdown_index"),
    lambda r: r.quantile("max_drawdown[BTC]", 0.5),
    lambda r: r.value_at_risk("liquidated_notional[*,*,long]", 0.95),
    lambda r: r.expected_shortfall("open_interest_loss_fraction", [0.9, 0.95]),
    lambda r: r.exceedance_probability("liquidated_by_class[*]", 1e6),
    lambda r: r.exceedance_curve("max_drawdown_index"),
    lambda r: r.exceedance_curve("max_drawdown_index", simultaneous=True),
    lambda r: r.expectile("max_drawdown_index", 0.9),
    lambda r: r.pareto_tail("max_drawdown_index").quantile(0.999),
]


def test_what_is_asked_of_a_large_store_is_what_memory_says(run, store, memory, monkeypatch):
    """With no more than a chunk held at a time; and the table."""
    stored = jr.Result.load(store)
    assert isinstance(stored.values("max_drawdown_index"), np.ndarray)  # a small one is held
    monkeypatch.setattr(result_module, "STREAMED", 0)
    assert isinstance(stored.values("max_drawdown_index"), Stream)
    for asked in ASKED:
        for one, other in zip(asked(stored), asked(memory), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert str(stored.summary()) == str(memory.summary())
    assert stored.losses._last is None or stored.losses._last[0] == "max_drawdown_index"  # of what loads whole by its nature
    with pytest.raises(ValueError, match="no label of assets 'BTX': did you mean 'BTC'"):
        stored.mean("max_drawdown[BTX]")
    with pytest.raises(ValueError, match="no observable 'max_drawdwn'"):
        stored.mean("max_drawdwn")


def test_differences_of_two_stores_are_paired(run, store, tmp_path, monkeypatch):
    calm = run(tmp_path / "calm.zarr", feedback=0.5, chunk=512)
    found = jr.Result.load(store).difference(calm, "max_drawdown_index", "expected_shortfall", 0.95)
    monkeypatch.setattr(result_module, "STREAMED", 0)
    again = jr.Result.load(store).difference(calm, "max_drawdown_index", "expected_shortfall", 0.95)
    np.testing.assert_allclose(again[:4], found[:4], rtol=1e-9)
    alone = calm.expected_shortfall("max_drawdown_index", 0.95)
    assert found.high < 0.0
    assert found.standard_error < 0.5 * alone.standard_error
    with pytest.raises(ValueError, match="seed is 5 here and 6 there: the noise is another"):
        jr.Result.load(store).difference(run(seed=6), "max_drawdown_index")


def test_a_store_can_be_saved_as_a_file(store, memory, tmp_path):
    same(jr.Result.load(jr.Result.load(store).save(tmp_path / "r.nc")), memory)
    with pytest.raises(ValueError, match=r"s\.zarr: is saved as one netCDF file"):
        memory.save(tmp_path / "s.zarr")


def test_a_device_that_is_full_runs_blocks_one_at_a_time(run, memory, tmp_path, monkeypatch):
    """And where one alone does not fit, that is said, and what was finished is kept."""
    import threading

    import jax

    honest, inside, most = blocks.RUN["scan"], threading.Semaphore(1), [0]

    def full(prepared, key, paths, source):
        if not inside.acquire(blocking=False):
            most[0] += 1
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
        try:
            return jax.block_until_ready(honest(prepared, key, paths, source))
        finally:
            inside.release()

    monkeypatch.setattr(blocks, "workers", lambda: 2)
    monkeypatch.setattr(work, "workers", lambda: 2)
    monkeypatch.setitem(blocks.RUN, "scan", full)
    same(run(tmp_path / "r.zarr", chunk=1500), memory)

    def never(prepared, key, paths, source):
        if int(paths[0]) >= 512:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return honest(prepared, key, paths, source)

    monkeypatch.setitem(blocks.RUN, "scan", never)
    with pytest.raises(MemoryError, match="too little memory for 64 paths of this scenario"):
        run(tmp_path / "s.zarr")
    assert jr.Result.load(tmp_path / "s.zarr").paths == 512


def test_a_block_for_which_there_is_no_memory_is_halved_and_the_bits_are_the_same(run, memory, tmp_path, monkeypatch):
    """Halves of it are other programs; of elementwise arithmetic, whose bits do not depend on how many paths there are."""
    import jax

    honest, sizes = blocks.RUN["scan"], []

    def full(prepared, key, paths, source):
        sizes.append(len(paths))
        if len(paths) > 64:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12345 bytes.")
        return honest(prepared, key, paths, source)

    monkeypatch.setattr(blocks, "_parts", {})
    monkeypatch.setitem(blocks.RUN, "scan", full)
    same(run(tmp_path / "r.zarr"), memory)
    assert set(sizes) == {256, 128, 64}
    assert sizes.count(256) <= 2 * blocks.workers()  # what was found out is not tried again
    assert {entry["parts_of_a_block"] for entry in lines(tmp_path / "r.zarr") if entry["event"] == "chunk"} == {4}


@pytest.mark.parametrize(("name", "words"), [("fragility", "the fragility map"), ("sample", "whole paths")])
def test_a_device_that_is_full_at_the_end_is_a_sentence(run, memory, tmp_path, monkeypatch, name, words):
    import jax

    from jaxrisk.batch import run as module

    def full(*arguments):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        with pytest.raises(MemoryError, match=f"^the device has too little memory for {words}$"):
            run(tmp_path / "r.nc")
    same(run(tmp_path / "r.nc"), memory)

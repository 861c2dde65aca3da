"""Chunks run by others: the same bits from whoever runs them, in whatever order, and words where somebody fails."""

import multiprocessing
import os
import shutil
import signal
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor

import equinox as eqx
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.batch import SetAside, WorkersLost, WorkersRefused, dask_executor, executors, work as module
from jaxrisk.batch.carried import from_bytes, named, to_bytes
from jaxrisk.batch.dask_executor import DaskExecutor, as_executor
from jaxrisk.batch.executors import TRIES
from jaxrisk.batch.processes import Processes
from jaxrisk.batch.versions import here
from jaxrisk.cascade import blocks
from jaxrisk.paths import shipped
from jaxrisk.storage.store_log import lines

PATHS, CHUNK = 1500, 256
OWN_BLOCK = blocks.BLOCK["cpu"]


class Here(Executor):
    """Runs what it is given at once, or as `before` says; finished work comes back last in, first out."""

    def __init__(self, before=lambda task: None, workers=3):
        self._max_workers, self.before, self.seen = workers, before, []

    def submit(self, fn, /, task):
        future = Future()
        self.seen.append(task)
        try:
            self.before(task)
            future.set_result(fn(task))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def run(tiny, blocks_of_256):
    def simulate(**more):
        return jr.simulate(tiny, **{"paths": PATHS, "seed": 5, "sample_paths": 3, "chunk": CHUNK} | more)

    return simulate


@pytest.fixture(scope="module")
def memory(run):
    return run()


def same(first, second):
    assert set(first.losses) == set(second.losses)
    for name in first.losses:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name, strict=True)


@pytest.mark.parametrize("out", [None, "r.nc", "r.zarr"])
def test_whoever_runs_them_the_bits_are_the_same(run, memory, tmp_path, out):
    executor = Here()
    same(run(executor=executor, out=out and tmp_path / out), memory)
    assert [task.first for task in executor.seen] == list(range(0, PATHS, CHUNK))
    assert {task.store is None for task in executor.seen} == {out != "r.zarr"}
    assert {task.scenario is None for task in executor.seen} == {out == "r.zarr"}  # workers read it in the store
    if out is not None:
        assert [path.name for path in tmp_path.iterdir()] == [out]


def test_the_order_of_arrival_does_not_matter(run, memory, tmp_path):
    """The last chunk first, the others backwards."""

    class Backwards(Here):
        def submit(self, fn, /, task):
            future = Future()
            self.seen.append((fn, task, future))
            if len(self.seen) == 6:
                for do, what, answered in reversed(self.seen):
                    answered.set_result(do(what))
            return future

    for out in (None, tmp_path / "r.nc", tmp_path / "r.zarr"):
        same(run(executor=Backwards(), out=out), memory)


def test_a_chunk_that_fails_twice_is_tried_again(run, memory, tmp_path):
    failed = []

    def before(task):
        if task.first == 512 and len(failed) < TRIES - 1:
            failed.append(task.first)
            raise MemoryError("no room")

    same(run(executor=Here(before), out=tmp_path / "r.zarr"), memory)
    assert failed == [512] * (TRIES - 1)


def test_a_chunk_that_fails_always_is_set_aside(run, memory, tmp_path):
    def before(task):
        if task.first == 512:
            raise MemoryError("no room")

    with pytest.raises(SetAside, match=r"^1 chunk was set aside: paths 512 to 767: MemoryError: no room \(3 times\)$") as caught:
        run(executor=Here(before), out=tmp_path / "r.zarr")
    assert caught.value.result.paths == PATHS - CHUNK
    assert [entry["event"] for entry in lines(tmp_path / "r.zarr")].count("set aside") == 1
    same(run(out=tmp_path / "r.zarr"), memory)
    with pytest.raises(jr.NonFinite, match="no room") as caught:
        run(executor=Here(before), out=tmp_path / "r.nc")
    assert caught.value.result.paths == 512  # a file has the paths that follow each other
    with pytest.raises(jr.NonFinite, match="no room") as caught:
        run(executor=Here(before))
    same(caught.value.result, jr.Result({name: values[:512] for name, values in memory.losses.items()}, memory.dims, {}))


def test_where_every_chunk_fails_nothing_is_left(run, tmp_path):
    def before(task):
        raise MemoryError("no room")

    with pytest.raises(SetAside, match=r"^6 chunks were set aside: .*; and 2 more$") as caught:
        run(executor=Here(before), out=tmp_path / "r.zarr")
    assert caught.value.result is None
    assert not list(tmp_path.iterdir())


def test_workers_that_are_lost_for_good_leave_what_was_finished(run, memory, tmp_path):
    def before(task):
        if task.first >= 768:
            raise BrokenExecutor("gone")

    with pytest.raises(WorkersLost, match="the workers were lost, all of them; the same run") as caught:
        run(executor=Here(before, workers=1), out=tmp_path / "r.zarr")
    assert caught.value.result.paths in (512, 768)
    same(run(out=tmp_path / "r.zarr"), memory)
    with pytest.raises(WorkersLost) as caught:
        run(executor=Here(before, workers=1), out=tmp_path / "r.nc")
    assert caught.value.result.paths in (512, 768)
    told = []
    same(run(out=tmp_path / "r.nc", tell=told.append), memory)
    assert "it is continued" in told[0]
    with pytest.raises(WorkersLost) as caught:
        run(executor=Here(before, workers=1))
    assert caught.value.result.paths in (512, 768)


@pytest.mark.parametrize("stop", [BrokenExecutor, KeyboardInterrupt, MemoryError])
def test_what_was_finished_without_path_0_is_kept_and_replaces_nothing(run, memory, tmp_path, stop):
    out = tmp_path / "r.nc"
    before = run(out=out, paths=300, seed=8)

    class First(Here):
        """The first chunk is never run."""

        def submit(self, fn, /, task):
            future = super().submit(fn, task)
            return Future() if task.first == 0 and stop is not MemoryError else future

    def broken(task):
        if (task.first == 1024 and stop is not MemoryError) or (task.first == 0 and stop is MemoryError):
            raise stop("gone")

    kind = {BrokenExecutor: WorkersLost, MemoryError: jr.NonFinite}.get(stop, stop)
    for where in (None, out):
        with pytest.raises(kind) as caught:
            run(executor=First(broken, workers=2), out=where)
        assert getattr(caught.value, "result", None) is None
    np.testing.assert_array_equal(jr.Result.load(out)["log_return"], before["log_return"])
    told = []
    same(run(out=out, tell=told.append), memory)
    assert "paths of this run were in" in told[0]


def test_chunks_of_a_file_that_come_in_any_order_are_all_counted(run, tmp_path):
    class Swapped(Here):
        """The second before the first."""

        def submit(self, fn, /, task):
            future = Future()
            self.seen.append((fn, task, future))
            if len(self.seen) > 1:
                for do, what, answered in reversed(self.seen[:2]) if len(self.seen) == 2 else self.seen[-1:]:
                    answered.set_result(do(what))
            return future

    result = run(executor=Swapped(workers=1), out=tmp_path / "r.nc")
    assert (result.info["finished_paths"], "planned_paths" in result.info) == (PATHS, False)


def test_a_worker_with_other_versions_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "versions", lambda: {"jaxrisk": "0.0.1"})
    with pytest.raises(ValueError, match=r"a worker on \S+ has jaxrisk 0\.0\.1 and not .*: workers need the same versions"):
        run(executor=Here(), out=tmp_path / "r.zarr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"), [("default_backend", "platform gpu and not cpu"), ("block_size", "blocks of 16 paths")]
)
def test_a_worker_on_another_kind_of_device_is_refused(run, tmp_path, monkeypatch, name, words):
    def before(task):
        where = module.jax if name == "default_backend" else module
        monkeypatch.setattr(where, name, lambda *prepared: "gpu" if not prepared else 16)

    with pytest.raises(WorkersRefused, match=rf"a worker on \S+ has {words}"):
        run(executor=Here(before), out=tmp_path / "r.zarr")
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


class Cluster:
    """A Dask client as far as it is asked: `workers` by address, what each has; `run_by` says which runs a chunk."""

    cluster = None

    def __init__(self, **workers):
        self.workers, self.pinned, self.dead = workers, [], False

    def scheduler_info(self, n_workers):
        if self.dead:
            raise OSError("Timed out trying to connect")
        return {"workers": dict.fromkeys(self.workers)}

    def run(self, function, on_error):
        assert on_error == "return"
        return {name: function() if has is None else has for name, has in self.workers.items()}

    def get_executor(self, workers=None, **options):
        self.pinned.append(workers)
        return self

    def submit(self, fn, task):
        return self.answer(fn, task)


def test_workers_of_dask_that_are_other_are_left_out_whenever_they_come(run, memory, tmp_path, monkeypatch):
    """Two of them at once, of which one is noticed at the first chunk that it refuses; and one without jaxrisk."""
    client = Cluster(a=None, b=ModuleNotFoundError("No module named 'jaxrisk'"))
    executor, tasks = DaskExecutor(client), []
    assert executor.refused == {"b": "cannot run jaxrisk (No module named 'jaxrisk')"}
    assert executor._max_workers == 1

    def answer(fn, task):
        tasks.append(task.first)
        if len(tasks) == 2:
            client.workers |= {"c": {**here(), "jax": "0.1"}, "d": {**here(), "platform": "gpu"}}
        future = Future()
        bad = len(tasks) in (2, 3)
        future.set_result(module.Outcome(None, {}, ("refused", "a worker has jax 0.1", 0)) if bad else fn(task))
        return future

    client.answer = answer
    same(run(executor=executor, out=tmp_path / "r.zarr"), memory)
    assert client.pinned[0] == ["a"]
    assert client.pinned[-1] == ["a"]
    assert executor.refused["c"] == f"has jax 0.1 and not {here()['jax']}"
    assert executor.refused["d"] == "has platform gpu and not cpu"
    with pytest.raises(WorkersRefused, match=r"workers need the same versions and kind of device .*: b cannot run jaxrisk"):
        DaskExecutor(Cluster(b=ModuleNotFoundError("No module named 'jaxrisk'")))


def test_chunks_whose_workers_have_gone_are_sent_to_others(run, memory, tmp_path, monkeypatch):
    """And where none come, or the scheduler has gone, the workers are lost."""
    monkeypatch.setattr(executors, "LOOKS", 0.0)
    other = {**here(), "jax": "0.1"}
    client = Cluster(a=None, b=other)

    def answer(fn, task):
        future = Future()
        if "a" in client.workers:
            client.workers = {"b": other, "c": None}
        else:
            future.set_result(fn(task))
        return future

    client.answer = answer
    same(run(executor=DaskExecutor(client), out=tmp_path / "r.zarr"), memory)

    def gone(fn, task):
        client.workers, client.dead = {}, client.dies
        return Future()

    monkeypatch.setattr(dask_executor, "PATIENCE", 0.0)
    for dead, words in (
        (False, "there has been no worker for 0 minutes"),
        (True, r"the Dask scheduler is not to be reached \(Timed"),
    ):
        client = Cluster(a=None)
        client.answer, client.dies = gone, dead
        with pytest.raises(WorkersLost, match=words):
            run(executor=DaskExecutor(client), out=tmp_path / "s.zarr")


def test_a_worker_that_cannot_write_stops_the_run_in_words(run, memory, tmp_path, monkeypatch):
    honest = module.write_chunk

    def full(path, manifest, first, *rest):
        if first == 1024:
            raise OSError(28, "No space left on device")
        honest(path, manifest, first, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_chunk", full)
        with pytest.raises(OSError, match=r"cannot be written: No space left on device; the [\d,]+ of 1,500 paths finished"):
            run(executor=Here(workers=1), out=tmp_path / "r.zarr")
    same(run(out=tmp_path / "r.zarr"), memory)


def test_a_worker_of_a_run_that_was_stopped_writes_nothing_into_the_next(run, tmp_path, monkeypatch):
    """It is at a chunk when its run is stopped, and another is begun in the same place."""

    def before(task):
        if task.first == 512:
            raise KeyboardInterrupt

    out, executor, honest = tmp_path / "r.zarr", Here(before, workers=1), module.computed
    with pytest.raises(KeyboardInterrupt):
        run(executor=executor, out=out)

    def late(*arguments):
        found = honest(*arguments)
        run(out=out, seed=6, force=True)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(module, "computed", late)
        kind, words, _ = module.work(executor.seen[-1]).problem
    assert kind == "disk"
    assert "is no longer this run's" in words
    same(jr.Result.load(out), run(seed=6))
    shutil.rmtree(out)
    with pytest.raises(ValueError, match="is a folder, not a result"):
        module.work(executor.seen[-1])
    assert not out.exists()


def test_what_is_no_executor_is_refused(run):
    with pytest.raises(TypeError, match=r"executor takes an executor of concurrent\.futures or a Dask client"):
        run(executor=2)
    with pytest.raises(ValueError, match=r"out has to end in \.zarr"):
        run(executor=DaskExecutor.__new__(DaskExecutor))
    assert as_executor(here := Here()) is here
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool,
        pytest.raises(ValueError, match=r'processes that are forked .* hang: make the pool with .*get_context\("spawn"\)'),
    ):
        run(executor=pool)


def test_a_scenario_is_carried_bit_for_bit_and_nothing_else_is(tiny):
    import jax

    for path in sorted((shipped() / "scenarios").glob("*.toml")):
        scenario = jr.load(path)
        again = from_bytes(to_bytes(scenario))
        (before, kind), (after, kind_after) = jax.tree.flatten(scenario.bare()), jax.tree.flatten(again.bare())
        assert kind == kind_after
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)
        assert named(scenario) == named(again)
        assert again.description.source_text == scenario.description.source_text
    market = object.__new__(type("Mine", (eqx.Module,), {"__module__": __name__, "__annotations__": {}}))
    with pytest.raises(ValueError, match="market is of the class Mine, which jaxrisk does not know"):
        to_bytes(tiny.replace(market=market))


CODES = {
    "os.system": '{"module": "os", "class": "system", "fields": {}}',
    "no module of ours": '{"module": "jaxrisk.batch.carried", "class": "zipfile", "fields": {}}',
    "a class that is none": '{"module": "jaxrisk.scenario", "class": "Nothing", "fields": {}}',
    "fields that there are not": '{"module": "jaxrisk.scenario", "class": "Names", "fields": {"x": 1}}',
    "not a scenario": '{"module": "jaxrisk.scenario", "class": "Names", "fields": {"venues": 1, "assets": 1, "classes": 1}}',
    "no JSON": "{",
    "too deep": '{"list": [' * 100 + "]}" * 100,
}


@pytest.mark.parametrize("text", CODES.values(), ids=CODES)
def test_nothing_is_executed_from_what_is_carried(text):
    import io

    content = io.BytesIO()
    np.savez(content, structure=np.frombuffer(text.encode(), np.uint8))
    with pytest.raises(ValueError, match="no scenario"):
        from_bytes(content.getvalue())


@pytest.mark.parametrize("name", ["jaxrisk.cli.__main__", "jaxrisk.report.plots", "jaxrisk.scenarios"])
def test_nothing_is_imported_that_has_no_parts_of_scenarios(name):
    import io
    import json
    import sys

    content, before = io.BytesIO(), set(sys.modules)
    text = json.dumps({"module": name, "class": "Plots", "fields": {}})
    np.savez(content, structure=np.frombuffer(text.encode(), np.uint8))
    with pytest.raises(ValueError, match="no scenario: Plots is no part of a scenario"):
        from_bytes(content.getvalue())
    assert name in before or name not in sys.modules


def test_what_is_compressed_is_not_read(tiny):
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(to_bytes(tiny))) as honest, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in honest.namelist():
            packed.writestr(entry, honest.read(entry))
    with pytest.raises(ValueError, match=r"no scenario: \w+\.npy is compressed"):
        from_bytes(content.getvalue())


@pytest.fixture
def own_blocks(monkeypatch):
    """Blocks as they are, which other processes have."""
    monkeypatch.setitem(blocks.BLOCK, "cpu", OWN_BLOCK)


@pytest.fixture
def usual(tiny, own_blocks):
    return jr.simulate(tiny, paths=9000, seed=5, sample_paths=2, chunk=4096)


@pytest.mark.slow
def test_on_two_processes(tiny, usual, tmp_path):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for out in (None, tmp_path / "r.nc", tmp_path / "r.zarr"):
            same(jr.simulate(tiny, paths=9000, seed=5, sample_paths=2, chunk=4096, executor=pool, out=out), usual)
    assert len({entry["process"] for entry in lines(tmp_path / "r.zarr") if entry["event"] == "chunk"} - {os.getpid()}) > 0


@pytest.mark.slow
def test_workers_that_are_killed_are_replaced(tiny, usual, tmp_path):
    """Both, after the first chunk."""
    killed = []

    def progress(done, total):
        if not killed:
            killed.extend(pool._pool._processes)
            for process in killed:
                os.kill(process, signal.SIGKILL)

    with Processes(2) as pool:
        out = tmp_path / "r.zarr"
        same(jr.simulate(tiny, paths=9000, seed=5, sample_paths=2, chunk=4096, executor=pool, out=out, progress=progress), usual)
    assert len(killed) == 2


@pytest.mark.slow
def test_on_dask(tiny, usual, tmp_path):
    """Two workers; one of them killed on the way."""
    pytest.importorskip("distributed")
    from jaxrisk.batch.dask_executor import cluster

    killed = []

    def progress(done, total):
        if not killed:
            killed.append(entry["process"] for entry in lines(tmp_path / "s.zarr") if entry["event"] == "chunk")
            os.kill(next(iter(killed[0])), signal.SIGKILL)

    arguments = {"paths": 9000, "seed": 5, "sample_paths": 2, "chunk": 4096}
    with cluster(workers=2) as executor:
        same(jr.simulate(tiny, **arguments, executor=executor, out=tmp_path / "r.zarr"), usual)
        same(jr.simulate(tiny, **arguments, executor=executor, out=tmp_path / "s.zarr", progress=progress), usual)
        same(jr.simulate(tiny, **arguments, executor=executor._client, out=tmp_path / "t.zarr"), usual)
    assert killed

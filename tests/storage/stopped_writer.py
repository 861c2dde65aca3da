"""A small run's writes, stopped at a chosen one of its calls to the system; run as a program, by kill and by a full disk.

    python stopped_writer.py kill|limit|full FOLDER

prints how often it was stopped; an assertion or a crash ends it.
"""

import contextlib
import itertools
import os
import resource
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from jaxrisk.report import Result
from jaxrisk.storage import chunks, disk, durable, place
from jaxrisk.storage.writer import ResultWriter

TOTAL, CUTS = 10, (0, 4, 8, 10)
LOSSES = {
    "x": np.arange(1.0, 11.0),
    "y": np.arange(1, 21, dtype=np.float32).reshape(10, 2),
    "z": np.array([True, False, True, True, False] * 2),
}
_COUNTED = ("open", "write", "fsync", "replace", "rename", "ftruncate", "makedirs", "unlink", "rmdir")
"""Every call by which the writer changes the disk."""


class Stopper:
    """The module `os` as the writer sees it, which acts at the call of a given number: before it, or after it."""

    def __init__(self, at, act, after=False):
        self.at, self.act, self.after, self.calls = at, act, after, 0

    def __getattr__(self, name):
        real = getattr(os, name)
        return self._counted(name, real) if name in _COUNTED else real

    def _counted(self, name, real):
        def call(*arguments, **options):
            here = self.calls == self.at
            self.calls += 1
            if not here:
                return real(*arguments, **options)
            if self.after:
                done = real(*arguments, **options)
                if name == "open":
                    os.close(done)
                self.act()
            if name == "write":  # a write may end half-way
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            self.act()

        return call

    def install(self):
        for module in (durable, disk, place):
            module.os = self


def restore():
    for module in (durable, disk, place):
        module.os = os


def run(path, appended=None):
    """The whole life of a writer; `appended` gets the number of paths as each append returns."""
    writer = ResultWriter(path, {"y": ("two",)}, {"two": ["a", "b"]}, TOTAL, {"name": "small", "text": "t" * 5000})
    try:
        for first, until in itertools.pairwise(CUTS):
            writer.append(first, {name: array[first:until] for name, array in LOSSES.items()})
            if appended is not None:
                appended.append(until)
        return writer.close({"price": np.ones((2, 3, 1))}, {"level": np.arange(4.0)}, {"wall_seconds": 1.5})
    finally:
        writer.release()


def loaded(where):
    """A result, or None where nothing was finished."""
    try:
        return Result.load(where)
    except ValueError as error:
        if "nothing was finished" in str(error) or "is a folder, not a result" in str(error):
            return None
        raise


def read(path):
    """How many paths can be read, every one of which is checked; the file where it is there, else the folder."""
    where = path if path.exists() else place.partial_of(path)
    if not where.exists():
        return 0
    result = loaded(where)
    if result is None:
        return 0
    for name in result.losses:
        np.testing.assert_array_equal(result.losses[name], LOSSES[name][: result.paths], err_msg=name, strict=True)
    assert result.paths in CUTS
    assert set(result.losses) == set(LOSSES) if result.paths else not result.losses
    assert result.planned == TOTAL
    if result.paths < TOTAL:
        assert (result.info["finished_paths"], result.info["planned_paths"]) == (result.paths, TOTAL)
        assert f"{result.paths} of 10 paths" in repr(result)
    return result.paths


def _child(work):
    """How a child process ended, which does `work` and then ends as Python does."""
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _fresh(folder, number):
    path = folder / str(number) / "r.nc"
    path.parent.mkdir()
    return path


def killed(folder):
    """Killed at each call, half-way through where it writes."""
    for at in range(10_000):
        path = _fresh(folder, at)
        said = path.parent / "appended"

        def work(path=path, at=at, said=said):
            Stopper(at, lambda: os.kill(os.getpid(), signal.SIGKILL)).install()
            run(path, SimpleNamespace(append=lambda until: said.write_text(str(until))))
            return 0

        code = _child(work)
        if code == 0:
            return at
        assert code == -signal.SIGKILL, (at, code)
        finished, kept = int(said.read_text()) if said.exists() else 0, read(path)
        # a chunk may be whole just before `append` returns
        assert finished <= kept <= next((cut for cut in CUTS if cut > finished), TOTAL), (at, finished, kept)
        if at % 9 == 0:  # nothing is in the way of another run, and nothing that was finished is lost
            whole = path.exists()
            run(path)
            asides = [Result.load(one).paths for one in path.parent.glob("*.partial.1")]
            assert read(path) == TOTAL
            assert asides == ([kept] if kept and not whole else []), (at, asides, kept)
    raise AssertionError("the writer does not end")


def stopped_by_error(path, appended):
    """1 and what was said where a write failed, 0 where all was written."""
    try:
        run(path, appended)
    except OSError as error:
        text, kept = str(error), read(path)
        assert text.startswith(f"{path}: cannot be written: "), text
        assert (f"{kept} of 10 paths finished until then are in {path}.partial" if kept else "nothing was finished") in text, text
        assert kept == (appended[-1] if appended else 0), (kept, appended)
        return 1
    assert read(path) == TOTAL
    return 0


def limited(folder):
    """No file may grow beyond so many bytes."""
    stops = 0
    for number, most in enumerate([*range(0, 3000, 250), *range(3000, 24_000, 1500)]):
        path = _fresh(folder, number)

        def work(path=path, most=most):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            return stopped_by_error(path, [])

        code = _child(work)
        assert code in (0, 1), (most, code)
        stops += code
    assert code == 0, "the last limit leaves room for everything"
    return stops


def full(folder):
    """A disk with so many pages left."""
    stops = 0
    for pages in range(24):
        filler = os.open(folder / "filler", os.O_CREAT | os.O_RDWR)
        with contextlib.suppress(OSError):
            while True:
                os.write(filler, bytes(4096))
        os.ftruncate(filler, max(0, os.fstat(filler).st_size - 4096 * pages))
        os.close(filler)
        code = _child(lambda: stopped_by_error(folder / "r.nc", []))
        assert code in (0, 1), (pages, code)
        stops += code
        (folder / "filler").unlink()
        kept = read(folder / "r.nc")
        if code and kept:  # with room again, what was kept can be made the file
            Result.load(folder / "r.nc.partial").save(folder / "r.nc")
            assert read(folder / "r.nc") == kept
            assert Result.load(folder / "r.nc.partial").paths == kept
        for left in (folder / "r.nc.partial").glob("*"):
            left.unlink()
        (folder / "r.nc").unlink(missing_ok=True)
    assert code == 0, "the last disk has room for everything"
    return stops


if __name__ == "__main__":
    assert not [name for name in ("jax", "pandas", "matplotlib") if name in sys.modules]
    print({"kill": killed, "limit": limited, "full": full}[sys.argv[1]](Path(sys.argv[2])))

__all__ = ["CUTS", "LOSSES", "TOTAL", "Stopper", "chunks", "read", "restore", "run"]

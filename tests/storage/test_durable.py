"""Whatever stops a write, at whatever instant: what is read is what was finished, and nothing else on the disk is touched."""

import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import jaxrisk
from jaxrisk.report import Result
from jaxrisk.storage import durable
from jaxrisk.storage.durable import Busy
from jaxrisk.storage.outputs import NotReplaced, save_figure, write_whole
from jaxrisk.storage.place import make_room
from jaxrisk.storage.recognise import is_ours
from jaxrisk.storage.writer import ResultWriter, WriteStopped

from . import stopped_writer as small


def program(*arguments):
    """Run `stopped_writer.py`, which starts without JAX; a crash of one of its children is an assertion of its own."""
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, small.__file__, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"PYTHONPATH": here}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "HDF5" not in done.stderr
    return int(done.stdout.split()[-1])


@contextlib.contextmanager
def tmpfs(folder, size):
    """A small disk; skips where mounting one is not allowed."""
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small disk cannot be mounted here (that needs root); other tests stop writes by a limit and by errors")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def no_space():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize(("act", "after"), [(no_space, False), (interrupt, False), (interrupt, True)])
def test_an_exception_at_every_call(tmp_path, act, after):
    """What is there is what was finished; and then another can begin."""
    at, stopped = 0, 0
    while True:
        path = tmp_path / str(at) / "r.nc"
        path.parent.mkdir()
        appended, stopper, caught = [], small.Stopper(at, act, after), None
        stopper.install()
        try:
            small.run(path, appended)
        except (KeyboardInterrupt, WriteStopped) as error:
            caught, stopped = error, stopped + 1
        finally:
            small.restore()
        if stopper.calls <= at:
            break
        finished, kept = appended[-1] if appended else 0, small.read(path)
        assert kept in (finished, *[cut for cut in small.CUTS if cut > finished][:1])
        if isinstance(caught, WriteStopped):
            assert caught.finished == kept == finished
            assert (f"{kept} of 10 paths" if kept else "nothing was finished") in str(caught)
        if not path.exists() and at % 3 == 0:
            small.run(path)
            assert small.read(path) == small.TOTAL
            assert [Result.load(one).paths for one in path.parent.glob("*.partial.*")] == ([kept] if kept else [])
        at += 1
    assert at > 60  # the calls of the netCDF library are among them
    assert stopped > 0.7 * at


def test_an_interrupted_append_is_closed_with_what_is_whole(tmp_path):
    """As a run that is interrupted does: at each call of the second append."""
    for at in range(100):
        writer = ResultWriter(tmp_path / f"{at}.nc", {"y": ("two",)}, {"two": ["a", "b"]}, small.TOTAL, {})
        writer.append(0, {name: array[:4] for name, array in small.LOSSES.items()})
        stopper = small.Stopper(at, interrupt, after=at % 2 == 1)
        stopper.install()
        try:
            writer.append(4, {name: array[4:8] for name, array in small.LOSSES.items()})
        except KeyboardInterrupt:
            pass
        finally:
            small.restore()
        assert small.read(writer.close(info={"finished_paths": 4})) in (4, 8)
        if stopper.calls <= at:
            break
    assert 3 < at < 12


@pytest.mark.slow
def test_a_kill_at_every_call(tmp_path):
    assert program("kill", tmp_path) > 60


@pytest.mark.slow
def test_a_file_that_may_not_grow(tmp_path):
    assert program("limit", tmp_path) > 10


@pytest.mark.slow
def test_a_full_disk_at_every_page(tmp_path):
    with tmpfs(tmp_path / "disk", "256k") as disk:
        assert program("full", disk) > 8


def test_one_run_has_an_output(tmp_path):
    """The second is told at once, whatever it would do, and the first is whole; a link to the file is the same file."""
    path, link = tmp_path / "r.nc", tmp_path / "link.nc"
    small.run(path)
    link.symlink_to(path)
    writer = ResultWriter(path, {}, {}, 4, {})
    writer.append(0, {"x": np.arange(1.0, 3.0)})
    for other in (path, link, tmp_path / "." / "r.nc"):
        with pytest.raises(Busy, match=rf"is being written by another run \(process {os.getpid()}\)"):
            ResultWriter(other, {}, {}, 4, {})
        with pytest.raises(Busy):
            Result({"x": np.ones(3)}, {}, {}).save(other)
        with pytest.raises(Busy):
            make_room(other, replace=True)
    assert Result.load(path).paths == small.TOTAL
    writer.append(2, {"x": np.arange(3.0, 5.0)})
    writer.close()
    np.testing.assert_array_equal(Result.load(link)["x"], [1.0, 2.0, 3.0, 4.0])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.nc", "r.nc"]


def test_a_lock_dies_with_its_owner(tmp_path):
    code = (
        "import sys, numpy as np; from jaxrisk.storage.writer import ResultWriter\n"
        "w = ResultWriter(sys.argv[1], {}, {}, 9, {}); w.append(0, {'x': np.ones(5)}); print(1, flush=True); sys.stdin.read()"
    )
    here = os.pathsep.join([str(Path(jaxrisk.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", code, str(tmp_path / "r.nc")]
    environment = os.environ | {"PYTHONPATH": here}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        with pytest.raises(Busy, match=f"process {process.pid}"):
            ResultWriter(tmp_path / "r.nc", {}, {}, 9, {})
        process.kill()
    assert Result.load(tmp_path / "r.nc.partial").paths == 5
    writer = ResultWriter(tmp_path / "r.nc", {}, {}, 9, {})
    assert writer.aside == tmp_path / "r.nc.partial.1"
    assert Result.load(writer.aside).paths == 5
    writer.discard()
    assert [one.name for one in tmp_path.iterdir()] == ["r.nc.partial.1"]


def test_who_may_only_read_is_told_who_writes(tmp_path, monkeypatch):
    """And whoever asks is in nobody's way."""
    fcntl = pytest.importorskip("fcntl")
    lock, honest, folder = durable.Lock(tmp_path / "f", tmp_path), os.open, tmp_path / "f"

    def reading(path, flags, mode=0o777):
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return honest(path, flags, mode)

    def nothing(path, flags, mode=0o777):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    for opened, owner in ((reading, os.getpid()), (nothing, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(durable.os, "open", opened)
            assert durable.owner_of(folder) == owner
    lock.release()
    assert durable.owner_of(folder) is None
    asking = os.open(folder / durable.LOCK, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    assert durable.owner_of(folder) is None
    monkeypatch.setattr(durable.time, "sleep", lambda seconds: os.close(asking))
    durable.Lock(folder, tmp_path).release(remove_folder=True)


def test_what_a_stopped_run_left_is_put_aside_or_removed_and_said(tmp_path):
    for said in ("kept in", "kept in", "removed"):
        writer = ResultWriter(tmp_path / "r.nc", {}, {}, 9, {})
        writer.append(0, {"x": np.ones(5)})
        writer.release()
        text = make_room(tmp_path / "r.nc", replace=said == "removed")
        assert text.startswith(f"5 paths of a run that was stopped were in {tmp_path / 'r.nc.partial'}")
        assert said in text
    assert make_room(tmp_path / "r.nc") is None
    assert sorted(one.name for one in tmp_path.iterdir()) == ["r.nc.partial.1", "r.nc.partial.2"]


def test_the_partial_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "r.nc.partial").mkdir()
    (tmp_path / "r.nc.partial" / "mine.txt").write_text("mine")
    with pytest.raises(NotReplaced, match=r"r\.nc\.partial: is in the way"):
        ResultWriter(tmp_path / "r.nc", {}, {}, 9, {})
    assert (tmp_path / "r.nc.partial" / "mine.txt").read_text() == "mine"
    (tmp_path / "s.nc.partial").write_text("mine")
    with pytest.raises(NotReplaced, match=r"s\.nc\.partial: is in the way"):
        Result({"x": np.ones(3)}, {}, {}).save(tmp_path / "s.nc")


def test_an_unfinished_result_says_so_everywhere(tmp_path):
    info = {"name": "example", "title": "An example", "seed": 3}
    writer = ResultWriter(tmp_path / "r.nc", {}, {}, 4_000, info)
    writer.append(0, {"max_drawdown_index": np.linspace(0.0, 0.3, 1000)})
    folder = Result.load(writer.partial)
    closed = Result.load(writer.close())
    again = Result.load(closed.save(tmp_path / "again.nc"))
    memory = Result(dict(closed.losses), {}, {}, info=closed.info)
    for result in (folder, closed, again, memory):
        assert (result.paths, result.planned) == (1000, 4000)
        assert (result.info["finished_paths"], result.info["planned_paths"]) == (1000, 4000)
        assert result.summary().title == "An example: 1,000 of 4,000 paths, unfinished"
        assert result.notes() == ["unfinished: 1,000 of 4,000 paths (25.0%) were run, and every figure is of these"]
        assert repr(result) == "Result('example', 1,000 of 4,000 paths, unfinished, 1 observable)"
        assert "paths 1,000 of 4,000, unfinished" in result._repr_html_()
        assert (result.to_xarray().attrs["finished_paths"], result.to_xarray().attrs["planned_paths"]) == (1000, 4000)
    texts = lambda figure: [text.get_text() for text in figure.texts]
    assert "An example   (1,000 of 4,000 paths, unfinished)" in texts(closed.plot())
    assert "1,000 of 4,000 paths, unfinished" in texts(closed.plot_who_pays())
    assert closed.plot.exceedance().get_title(loc="right") == "1,000 of 4,000 paths, unfinished"
    whole = Result(dict(closed.losses), {}, {}, info=info)
    assert not whole.plot.exceedance().get_title(loc="right")
    assert whole.summary().title == "An example: 1,000 paths"
    assert whole.notes() == []


@pytest.fixture
def saved(tmp_path):
    return small.run(tmp_path / "r.nc")


def edited(path, edit):
    with h5netcdf.File(path, "a", decode_vlen_strings=True) as file:
        edit(file)


def without(file, name):
    del file._h5file.attrs[name]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: without(f, "finished_paths"), "its attribute finished_paths is missing"),
        (lambda f: without(f, "planned_paths"), "its attribute planned_paths is missing"),
        (lambda f: f.attrs.__setitem__("finished_paths", "many"), "'many', which is no number of paths"),
        (lambda f: f.attrs.__setitem__("finished_paths", np.int64(8)), r"x has the axes \(paths: 10\), where paths: 8 were"),
        (lambda f: f.attrs.__setitem__("planned_paths", np.int64(8)), "it says that 10 of 8 paths were finished"),
        (lambda f: f.variables["info_json"].__setitem__(..., np.asarray("{", dtype=object)), "info_json is not JSON"),
        (lambda f: f.variables["info_json"].__setitem__(..., np.asarray("[]", dtype=object)), "info_json is no table"),
        (lambda f: f._h5file.__delitem__("info_json"), "a netCDF file but not a result: it has no variable info_json"),
    ],
)
def test_what_is_loaded_is_checked(saved, edit, words):
    edited(saved, edit)
    with pytest.raises(ValueError, match=words) as caught:
        Result.load(saved)
    assert str(saved) in str(caught.value)
    assert "h5py" not in str(caught.value)


def huge(file):
    """None of it is there."""
    file.create_dataset("curve_x", (2**40,), "f4", chunks=(2**16,))


def packed(file):
    """A gigabyte of zeros, in a megabyte."""
    file.create_dataset("curve_x", (2**28,), "f4", chunks=(2**24,), compression="gzip", compression_opts=1, shuffle=True)
    file["curve_x"][: 2**24] = 0


def elsewhere(file):
    file.create_dataset("curve_x", (10,), "u1", external=[("/etc/hostname", 0, 10)])


def linked(file):
    file["curve_x"] = h5py.ExternalLink("/etc/hostname", "/")


def virtual(file):
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("other.nc", "x", (10,))
    file.create_virtual_dataset("curve_x", layout)


def longer(file):
    del file["max_drawdown_index"]
    file.create_dataset("max_drawdown_index", (500,), "f4").dims[0].attach_scale(file["paths"])


def shorter(file):
    del file["max_drawdown_index"]
    file.create_dataset("max_drawdown_index", (20,), "f4").dims[0].attach_scale(file["paths"])


def labelled(file):
    file.create_dataset("many", (200_000,), "f4").make_scale("many")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (huge, r"curve_x would be 4,096\.0 GiB, and 0 MiB of it are there"),
        (packed, r"curve_x would be 1\.0 GiB, and 0\.\d+ MiB of it are there"),
        (elsewhere, "the numbers of curve_x are in another file"),
        (linked, "curve_x is in another file"),
        (virtual, "the numbers of curve_x are in another file"),
        (longer, r"max_drawdown_index has the shape \(500,\), and its axes \(40,\)"),
        (shorter, r"max_drawdown_index has the shape \(20,\), and its axes \(40,\)"),
        (labelled, "the axis many has 200,000 labels"),
    ],
)
def test_what_a_file_says_it_has_is_there(change, words, tmp_path):
    """A few kilobytes fill no memory, and numbers are those of the file itself."""
    path = tmp_path / "r.nc"
    Result({"max_drawdown_index": np.ones(40, np.float32)}, {}, {}, info={"name": "made"}).save(path)
    with h5py.File(path, "r+") as file:
        change(file)

    def read():
        for name in (result := Result.load(path)).losses:
            result.losses[name]

    with pytest.raises(ValueError, match=words) as caught:
        read()
    assert str(path) in str(caught.value)


def heaps_of(content):
    """Where each text of a file's heaps has its length."""
    found, heap = [], content.find(b"GCOL")
    while heap >= 0:
        at, end = heap + 16, heap + int.from_bytes(content[heap + 8 : heap + 16], "little")
        while at + 16 <= end:
            number, length = int.from_bytes(content[at : at + 2], "little"), int.from_bytes(content[at + 8 : at + 16], "little")
            found.append(at + 8)
            at += 16 + -(-length // 8) * 8 if number else length
        heap = content.find(b"GCOL", end)
    return found


def test_a_text_whose_length_is_damaged_ends_nothing(tmp_path):
    """Reading it HDF5 went round for ever: in a process of its own, which is given half a minute."""
    path = tmp_path / "r.nc"
    Result({"max_drawdown_index": np.ones(40, np.float32)}, {}, {}, info={"name": "made"}).save(path)
    content = path.read_bytes()
    places = heaps_of(content)
    assert len(places) > 5
    for number, place in enumerate(places):
        for length in (0xFFFFFFFFFFFFFFFF, 2**63):
            damaged = tmp_path / f"{number}-{length}.nc"
            damaged.write_bytes(content[:place] + length.to_bytes(8, "little") + content[place + 8 :])
    code = """
import sys
from pathlib import Path
from jaxrisk.report import Result
for path in sorted(Path(sys.argv[1]).glob("*-*.nc")):
    try:
        Result.load(path)
    except ValueError as error:
        assert str(path) in str(error)
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("the length of a text is damaged") == 2 * len(places)


def test_a_file_that_is_cut_off_anywhere(saved):
    """Every length a file can have: it is whole, or refused in words."""
    content = saved.read_bytes()
    for size in [*range(0, len(content), 97), len(content) - 1]:
        saved.write_bytes(content[:size])
        with pytest.raises(
            ValueError, match=r"r\.nc is (a netCDF file that is cut off|an empty file|a damaged|a file of a kind)"
        ):
            Result.load(saved)
    saved.write_bytes(content)
    assert Result.load(saved).paths == small.TOTAL


@pytest.mark.slow
def test_damage_inside_is_refused_or_seen_by_nobody(saved):
    """A byte changed at each of 150 places: never an error of the library's own kind, and never other lengths."""
    content, refused = saved.read_bytes(), 0
    for place in range(0, len(content), len(content) // 150):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            result = Result.load(saved)
            lengths = [len(result.losses[name]) for name in result.losses]
        except ValueError as error:
            lengths, text = [], str(error)
            refused += 1
            if str(saved) not in text:
                raise
        assert set(lengths) <= {small.TOTAL}
    assert refused > 5


def test_other_things_are_named(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "s.toml").write_text("name = 'x'\n")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.nc").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "old.nc").write_bytes(b"CDF\x01" + bytes(100))
    Figure().savefig(tmp_path / "p.png")
    xr.Dataset({"a": ("x", np.zeros(3))}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    import h5py

    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = np.zeros(3)
    os.mkfifo(tmp_path / "pipe")
    for name, words in {
        "folder": "is a folder, not a result",
        "s.toml": "is a TOML file, not a result",
        "t.csv": "is a CSV table, not a result",
        "b.nc": "is a file of a kind that is not known here, not a result",
        "old.nc": "is a netCDF file of version 3, not a result",
        "p.png": "is a PNG picture, not a result",
        "other.nc": "is a netCDF file but not a result",
        "plain.h5": "plain.h5 is a",
        "pipe": "is a device or a pipe, not a result",
    }.items():
        with pytest.raises(ValueError, match=words) as caught:
            Result.load(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("nowhere", "link"):
        with pytest.raises(FileNotFoundError, match="no result at"):
            Result.load(tmp_path / name)


def test_a_damaged_folder_is_refused(tmp_path):
    writer = ResultWriter(tmp_path / "r.nc", {}, {}, 30, {})
    for first in (0, 10):
        writer.append(first, {"x": np.arange(10.0)})
    plan, (first, second) = writer.partial / "plan.json", sorted(writer.partial.glob("*.npz"))
    text, content = plan.read_text(), second.read_bytes()
    for wrong, words in ((text[:-20], "plan.json is damaged"), ("[]", "plan.json is damaged"), ("{}", "plan.json is damaged")):
        plan.write_text(wrong)
        with pytest.raises(ValueError, match=words):
            Result.load(writer.partial)
    plan.write_text(text.replace('"format": 1', '"format": 9'))
    with pytest.raises(ValueError, match="of a format that this version does not read"):
        Result.load(writer.partial)
    plan.write_text(text)
    second.write_bytes(content[:-30])
    with pytest.raises(ValueError, match="npz is damaged"):
        Result.load(writer.partial)
    place = content.index(np.float64(5.0).tobytes())
    second.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(ValueError, match="npz is damaged: Bad CRC"):
        Result.load(writer.partial).losses["x"]
    with zipfile.ZipFile(second, "w", zipfile.ZIP_DEFLATED) as packed, zipfile.ZipFile(io.BytesIO(content)) as honest:
        packed.writestr("x.npy", honest.read("x.npy"))  # as little as becomes much
    with pytest.raises(ValueError, match=r"npz is damaged: x\.npy is compressed"):
        Result.load(writer.partial)
    second.write_bytes(content)
    assert Result.load(writer.partial).paths == 20
    second.rename(second.with_name("0000000011-0000000021.npz"))
    assert Result.load(writer.partial).paths == 10  # what does not follow is not read
    first.rename(first.with_name("0000000000-0000000011.npz"))
    with pytest.raises(ValueError, match="is damaged: what it holds is not what its name"):
        Result.load(writer.partial)


def test_two_runs_are_not_mixed(saved):
    """Observables are read when asked for: a file that another run has written since is not read on."""
    loaded = Result.load(saved)
    assert loaded.losses["y"].shape == (10, 2)
    Result({"x": np.zeros(10), "y": np.zeros((10, 2))}, {"y": ("two",)}, {"two": ["a", "b"]}).save(saved)
    with pytest.raises(ValueError, match="was written anew, moved or removed since it was loaded"):
        loaded.losses["x"]
    own = Result.load(saved)
    own.info["more"] = 1
    own.save(saved)
    assert own.losses["y"].sum() == 0.0
    saved.unlink()
    with pytest.raises(ValueError, match="moved or removed"):
        own.losses["x"]


STRANGE = {
    "scenario.toml": b'name = "mine"\n',
    "prices.csv": b"time,close\n2024-01-01,5\n",
    "mine.json": b'{"a": 1}\n',
    "mine.md": b"# Calibration of mine\n",
    "mine.html": b"<!doctype html>\n<html></html>",
    "noise.nc": bytes(range(256)),
    "cut.nc": b"\x89HDF\r\n\x1a\n" + bytes(50),
}


def writers(path):
    """Everything that writes an output."""
    result = Result({"x": np.ones(3)}, {}, {})
    found = [lambda: result.save(path), lambda: ResultWriter(path, {}, {}, 3, {}), lambda: write_whole(path, "text")]
    return found + [lambda: save_figure(Figure(), path)] * (path.suffix in (".png", ".svg", ".pdf"))


def test_nothing_is_replaced_that_is_not_ours(tmp_path):
    """By whatever writes: a result, a table, a picture; and nothing is left beside it."""
    for name, content in STRANGE.items():
        (tmp_path / name).write_bytes(content)
    for ending in ("png", "svg", "pdf"):
        Figure().savefig(tmp_path / f"theirs.{ending}")
    xr.Dataset({"a": ("x", np.zeros(3))}).to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "dangling.nc").symlink_to(tmp_path / "nowhere.nc")
    (tmp_path / "linked.nc").symlink_to(tmp_path / "scenario.toml")
    (tmp_path / "device.nc").symlink_to("/dev/null")
    seen = lambda: {one.name: (one.lstat().st_ino, one.lstat().st_mtime_ns, one.lstat().st_size) for one in tmp_path.iterdir()}
    before = seen()
    for name in before:
        for write in writers(tmp_path / name):
            with pytest.raises(NotReplaced, match=r"it is never replaced; choose another name$"):
                write()
    assert seen() == before


def test_what_we_wrote_is_replaced_wherever_a_link_leads(tmp_path, saved):
    (tmp_path / "link.nc").symlink_to(saved)
    Result({"x": np.ones(3)}, {}, {}).save(tmp_path / "link.nc")
    assert (tmp_path / "link.nc").is_symlink()
    assert Result.load(saved).paths == 3
    for name in ("p.png", "p.svg", "p.pdf"):
        for _ in range(2):
            save_figure(Figure(), tmp_path / name)
        assert is_ours(tmp_path / name)
    (tmp_path / "empty.nc").touch()  # nothing to lose
    Result({"x": np.ones(3)}, {}, {}).save(tmp_path / "empty.nc")
    assert json.loads(write_whole(tmp_path / "a.json", '{\n  "written_by": "jaxrisk"\n}').read_text())
    assert is_ours(tmp_path / "a.json")


@pytest.mark.parametrize("length", [245, 247, 248, 250, 255, 256, 300])
def test_names_as_long_as_the_system_takes(tmp_path, length):
    """A result's has to leave room for `.partial`; the rest of a name's length is not given away."""
    path = tmp_path / ("n" * (length - 3) + ".nc")
    if length <= 247:
        assert Result.load(Result({"x": np.ones(3)}, {}, {}).save(path)).paths == 3
    else:
        with pytest.raises(NotReplaced, match=f"its name has {length} bytes, and 247 are the most here"):
            Result({"x": np.ones(3)}, {}, {}).save(path)
    picture = tmp_path / ("n" * (length - 4) + ".png")
    if length <= 255:
        save_figure(Figure(), picture)
    else:
        with pytest.raises(NotReplaced, match=f"its name has {length} bytes, and 255 are the most here"):
            save_figure(Figure(), picture)


def test_files_are_put_on_the_disk_before_they_have_their_name(tmp_path, monkeypatch):
    """Else a power cut could leave a name with nothing behind it."""
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(durable.os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    small.run(tmp_path / "r.nc")
    assert calls == ["fsync", "replace", "fsync"] * 6  # plan, three chunks, late, merged: file, name, folder

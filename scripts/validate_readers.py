"""Files that a run leaves, changed at random, and read: a result, a sentence, or nothing worse.

    python scripts/validate_readers.py --number 20000            # of each kind of file
    python scripts/validate_readers.py --number 500 --seed 7 --kind manifest

Changes are of bytes (flipped, cut off, doubled, moved) and of what is inside (a value of another type, huge, missing, too much;
of JSON, TOML, tables, zip archives and HDF5), with digests made right again, so that what lies behind them is reached. A fault
is a traceback, another exit code than 0 and 2, a message that names no file, more than two seconds of the processor, more than a
gigabyte, a file written outside the folder, another process, a connection, or code run that is in no file of this installation:
each is printed with its number, by which `--first` and `--number 1` try it again.
"""

import argparse
import copy
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import validate_reader_files
from validate_reader_files import kinds, read_result
from validate_reader_forms import forms
from validate_reader_guard import Guard

from jaxrisk.storage import manifest as said
from jaxrisk.storage.chunks import Plan
from jaxrisk.storage.manifest import Kind, Manifest
from jaxrisk.storage.status import status_of
from jaxrisk.storage.store import Store
from jaxrisk.storage.writer import ResultWriter

SECONDS, STOPPED, MEMORY, SHOWN = 2.0, 60.0, 2**30, 20
VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**40, 2**63, 10**30, -(10**30), 0.5, float("inf"), "", "x", "a" * 5000, "../../../etc/passwd",
    "/etc", "\x00", "é", [], [1], [[1]], [-1], [2**40], {}, {"a": 1}, "object", "O", "|O", "<U4", "NaN",
]  # fmt: skip
SHAPES = ("(99999999999,)", "(-1,)", "(2, 2)", "()", "(1e9,)", "(0, 99999999999)", "('a',)", "True")


def make_store(folder: Path) -> Path:
    """A finished store of 40 paths."""
    out = folder / "r.zarr"
    plan = Plan({"x": (), "y": ("two",)}, {"two": ["a", "b"]}, 40, {"name": "made", "seed": "1", "title": "t" * 50})
    kinds = {"x": Kind((), "float32"), "y": Kind((2,), "float64")}
    store = Store(out, Manifest(plan, 10, kinds, {"seed": "1"}, "d"), b"", lambda a, b: "seed")
    for first in range(0, 40, 10):
        losses = {"x": np.arange(10, dtype=np.float32), "y": np.arange(20.0).reshape(10, 2)}
        store.write(first, losses, {"process": 1, "host": "h", "device": "cpu", "paths_a_second": 5, "memory_bytes": 7})
    store.close({"price": np.ones((2, 3, 1))}, {"level": np.arange(4.0)}, {"wall_seconds": 1.5})
    return out


def make_folder(folder: Path) -> Path:
    """Chunks of a file that is being written."""
    writer = ResultWriter(folder / "r.nc", {"y": ("two",)}, {"two": ["a", "b"]}, 40, {"name": "made"})
    for first in (0, 10):
        writer.append(first, {"x": np.arange(10.0), "y": np.arange(20.0).reshape(10, 2)})
    writer.release()
    return folder / "r.nc.partial"


def make_scenario(folder: Path) -> Path:
    """A scenario as workers get it."""
    import jaxrisk as jr
    from jaxrisk.batch.carried import to_bytes

    path = folder / "scenario.npz"
    path.write_bytes(to_bytes(jr.load("btc_24h")))
    return path


def read_store(path: Path) -> None:
    """As a result, as a status, and as what is to be continued."""
    problems = []
    for read in (read_result, lambda path: str(status_of(path)), again):
        try:
            read(path)
        except (ValueError, OSError) as error:
            problems.append(error)
    if problems:
        raise problems[0]


def again(path: Path) -> None:
    """Continue a copy."""
    copy = path.with_name("copy.zarr")
    shutil.copytree(path, copy)
    try:
        wanted = Manifest(Plan({"x": ()}, {}, 40, {}), 10, {"x": Kind((), "float32")}, {"seed": "1"}, "d")
        Store(copy, wanted, b"", lambda a, b: "seed").release()
    finally:
        shutil.rmtree(copy)


def read_scenario(path: Path) -> None:
    """A scenario, of which nothing is run."""
    from jaxrisk.batch.carried import from_bytes

    try:
        from_bytes(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def bytes_changed(content: bytes, chosen: random.Random) -> bytes:
    """Content with some of its bytes changed."""
    changed = bytearray(content)
    for _ in range(chosen.choice([1, 1, 1, 2, 5, 20])):
        at, length = chosen.randrange(len(changed) + 1), chosen.choice([1, 1, 2, 8, 100])
        kind = chosen.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chosen.randrange(8)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = chosen.randbytes(length)
        elif kind == 3:
            changed[at : at + length] = chosen.choice([b"\x00", b"\xff", b"9", b"-"]) * length
        elif kind == 4:
            del changed[at : at + length]
        else:
            changed[at:at] = changed[chosen.randrange(len(changed) + 1) :][:length]
    return bytes(changed)


def json_changed(text: bytes, chosen: random.Random) -> bytes:
    """JSON with some of its values changed."""
    tree = json.loads(text)
    for _ in range(chosen.choice([1, 1, 2, 4])):
        holder, places = tree, []
        while isinstance(holder, (dict, list)) and holder:
            place = chosen.choice(list(holder)) if isinstance(holder, dict) else chosen.randrange(len(holder))
            places.append((holder, place))
            holder = holder[place]
        if not places:
            break
        inside, place = chosen.choice(places)
        kind = chosen.randrange(4)
        if kind == 0 and isinstance(inside, dict):
            del inside[place]
        elif kind == 1 and isinstance(inside, dict):
            inside[chosen.choice(["../x", "a/b", "", "é", "x", "y", "x" * 200])] = copy.deepcopy(inside[place])
        elif kind == 2 and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[place]))
        else:
            inside[place] = copy.deepcopy(chosen.choice(VALUES))
    return json.dumps(tree).encode()


def manifest_changed(text: bytes, chosen: random.Random) -> bytes:
    """A manifest with values changed, and a digest that holds."""
    changed = json_changed(text, chosen)
    tree = json.loads(changed)
    if isinstance(tree, dict) and chosen.random() < 0.9:
        mark = tree.pop("written_by", None)
        tree.pop("digest", None)
        tree = {"written_by": mark, "digest": said._digest(tree), **tree}
    return json.dumps(tree).encode()


def zip_changed(content: bytes, chosen: random.Random) -> bytes:
    """A zip file of which an entry is changed, with checksums that hold; now and then a bomb."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after:
        names = before.namelist()
        target = chosen.choice(names)
        for name in names:
            inside = before.read(name)
            if name == target:
                kind = chosen.randrange(4)
                if kind == 0:
                    head = inside[10 : 10 + int.from_bytes(inside[8:10], "little")].decode("latin1")
                    shape = chosen.choice(
                        ["(99999999999,)", "(-1,)", "(2, 2)", "()", "(1e9,)", "(0, 99999999999)", "('a',)", "True"]
                    )
                    where = head.index("'shape'")
                    head = f"{head[:where]}'shape': {shape}, }}".ljust(len(head) - 1)[: len(head) - 1] + "\n"
                    inside = inside[:10] + head.encode("latin1") + inside[10 + len(head) :]
                elif kind == 1 and name.startswith(("structure", "info")):
                    at = inside.index(b"{")
                    inside = inside[:at] + bytes_changed(inside[at:], chosen)
                elif kind == 2 and chosen.random() < 0.05:
                    inside += bytes(2**26)
                else:
                    inside = bytes_changed(inside, chosen)
            after.writestr(name, inside)
    return made.getvalue()


Change = Callable[[bytes, random.Random], bytes]
KINDS: dict[str, tuple[Callable[[Path], Path], str, list[Change], Callable[[Path], None]]] = {
    "manifest": (make_store, "jaxrisk/manifest.json", [bytes_changed, manifest_changed, manifest_changed], read_store),
    "record": (make_store, "jaxrisk/chunks/0000000010-0000000020.json", [bytes_changed, json_changed], read_store),
    "late": (make_store, "jaxrisk/late.json", [bytes_changed, json_changed], read_store),
    "log": (make_store, "jaxrisk/log.jsonl", [bytes_changed], read_store),
    "chunk": (make_store, "y/c.1.0", [bytes_changed], read_store),
    "sample": (make_store, "sample_price/c.0.0.0", [bytes_changed], read_store),
    "plan": (make_folder, "plan.json", [bytes_changed, json_changed], read_result),
    "chunk of a file": (make_folder, "0000000000-0000000010.npz", [bytes_changed, zip_changed], read_result),
    "scenario": (make_scenario, "", [bytes_changed, zip_changed, zip_changed], read_scenario),
    **kinds(bytes_changed),
    **forms(validate_reader_files, bytes_changed, json_changed),
}


def peak() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tried(kind: str, folder: Path, places: range, seed: int, reached: Any) -> bool:
    """Change and read one kind of file."""
    make, name, changes, read = KINDS[kind]
    where = make(folder)
    file = where / name if name else where
    content, refused, faults = file.read_bytes(), 0, 0
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    worst = 0.0
    read(where)  # as it is
    guard = Guard(folder)
    for at in places:
        chosen = random.Random(f"{seed} {kind} {at}")
        changed = chosen.choice(changes)(content, chosen)
        file.write_bytes(changed)
        begun, wrong, before_it = time.process_time(), [], peak()
        signal.setitimer(signal.ITIMER_PROF, STOPPED)  # one that never ends is ended, by the processor's time
        signal.setitimer(signal.ITIMER_REAL, 10 * STOPPED)  # or, where it only waits, by the clock
        reached.value = at
        with guard:
            try:
                read(where)
            except (ValueError, OSError) as error:
                refused += 1
                if str(folder) not in str(error):
                    wrong.append(f"a message that names no file: {error!r}")
            except BaseException as error:
                wrong.append(f"{type(error).__name__}: {error}")
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
        seconds = time.process_time() - begun
        worst = max(worst, seconds)
        wrong += [f"{seconds:.1f} s"] if seconds > SECONDS else []
        grown = peak() - before_it
        wrong += [f"{grown / 2**30:.1f} GiB more memory"] if grown > MEMORY else []
        wrong += guard.seen[:3]
        faults += bool(wrong)
        for text in wrong if faults <= SHOWN else ():
            print(f"{kind} {at} of seed {seed}: {text}", flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    file.write_bytes(content)
    after = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    others = sorted(map(str, set(before) ^ set(after)))
    print(f"{kind}: {len(places):,} changed, {refused:,} refused in words, {faults:,} faults, {worst:.3f} s and "
          f"{peak() / 2**20:,.0f} MiB at most; files that came or went: {others}", flush=True)  # fmt: skip
    return not others and not faults


def main() -> int:
    """Try each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first change, so that one can be tried again")
    parser.add_argument("--kind", choices=KINDS)
    asked = parser.parse_args()
    fine = True
    spawn = multiprocessing.get_context("spawn")
    for kind in [asked.kind] if asked.kind else KINDS:
        reached = spawn.Value("q", -1)
        process = spawn.Process(target=alone, args=(kind, asked.number, asked.seed, asked.first, reached))
        process.start()
        process.join()
        if process.exitcode:
            ended = "ended" if process.exitcode > 0 else f"killed by {signal.Signals(-process.exitcode).name}"
            print(f"{kind} {reached.value} of seed {asked.seed}: {ended}", flush=True)
            fine = False
    return 0 if fine else 1


def alone(kind: str, number: int, seed: int, first: int, reached: Any) -> None:
    """One kind of file in a process of its own, which a reader that crashes takes with it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        fine = tried(kind, Path(folder), range(first, first + number), seed, reached)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    sys.exit(main())

"""What a night's run survives, tried: kills at random moments, workers killed, a full disk; and what storing costs.

    python scripts/validate_batch.py kills --number 50                         # this process killed, and continued
    python scripts/validate_batch.py kills --number 50 --out nc                # into one netCDF file
    python scripts/validate_batch.py kills --number 20 --executor dask         # scheduler and two workers with it
    python scripts/validate_batch.py workers --number 5 --executor processes   # workers alone
    python scripts/validate_batch.py disk                                      # a small tmpfs, which needs root
    python scripts/validate_batch.py damaged --number 50                       # chunks that are cut off, or of which a bit flips
    python scripts/validate_batch.py overhead --chunks 1000                    # of scheduling and storing
    python scripts/validate_batch.py plan                                      # 10,000 cells of a study
    python scripts/validate_batch.py speed                                     # two workers on a core each, against one
    python scripts/validate_batch.py memory --paths 1e8                        # memory of a long run, and ES out of core
    python scripts/validate_batch.py hundred                                   # a hundred scenarios over Dask, compilations
    python scripts/validate_batch.py processes                                 # two processes of jax.distributed, one store
    python scripts/validate_batch.py scheduled                                 # 1e6 chunks on 1,000 workers, simulated

Each prints its figures and ends with an exit code other than 0 where one does not hold.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import validate_batch_many
import validate_batch_scale
import validate_batch_speed
from validate_batch_scale import CHUNK, SCENARIO, bits, command, digest


def files(out: Path) -> list[str]:
    """All there is, but for what is in a file of one run and not of another."""
    return sorted(str(path.relative_to(out.parent)) for path in out.parent.rglob("*") if path.is_file())


def finished(out: Path) -> list[tuple[int, int]]:
    """Chunks that are finished."""
    from jaxrisk.storage import chunks, manifest
    from jaxrisk.storage.place import partial_of

    if out.suffix == ".nc":
        with contextlib.suppress(OSError, ValueError):
            return [(one.first, one.until) for one in chunks.every(partial_of(out))]
        return []
    with contextlib.suppress(OSError, ValueError):
        return manifest.ranges_in(out / manifest.FOLDER / manifest.RECORDS, manifest.read_manifest(out))
    return []


def kills(folder: Path, asked: argparse.Namespace) -> bool:
    """Kill the run at random moments until it ends by itself."""
    (folder / "tiny.toml").write_text(SCENARIO)
    undisturbed, disturbed = (folder / name / f"r.{asked.out}" for name in ("undisturbed", "disturbed"))
    for out in (undisturbed, disturbed):
        out.parent.mkdir()
    begun = time.monotonic()
    subprocess.run(command(folder, undisturbed, asked.chunks, asked.executor), check=True, stdout=subprocess.DEVNULL)
    length = time.monotonic() - begun
    chosen, done, seen, again, at_work = random.Random(asked.seed), 0, set(), 0, 0
    while done < asked.number:
        process = subprocess.Popen(
            command(folder, disturbed, asked.chunks, asked.executor), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        ended = False
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chosen.uniform(0.0, 1.1 * length))
        if process.poll() is None:
            done += 1
            print(f"{done} kills", file=sys.stderr, flush=True)
            # of its workers, those of its own session go with it
            os.killpg(process.pid, signal.SIGKILL) if asked.executor else process.kill()
            process.communicate()
        elif process.returncode:
            print(process.communicate()[1])
            return False
        else:
            process.communicate()
            ended = True
        if ended or (asked.out == "nc" and disturbed.exists()):
            if digest(disturbed) != digest(undisturbed):
                print("other bits")
                return False
            shutil.rmtree(disturbed.parent)  # it got to its end before it was killed: begun anew
            disturbed.parent.mkdir()
            seen, again = set(), again + 1
        kept = set(finished(disturbed))
        if not seen <= kept and not disturbed.exists():
            print("finished chunks are gone")
            return False
        at_work += len(kept) > len(seen)
        seen = kept
    last = subprocess.run(command(folder, disturbed, asked.chunks, asked.executor), capture_output=True, text=True, check=False)
    same = last.returncode == 0 and digest(disturbed) == digest(undisturbed)
    stray = sorted(set(files(disturbed)) ^ set(files(undisturbed)))
    twice = repeated(disturbed)
    print(
        f"{done} kills over {again + 1} runs of {length:.1f} s, {at_work} of them when chunks had been finished since the last: "
        f"{bits(same)}; stray files: {stray}; "
        f"finished chunks run again: {twice}"
    )
    return same and not stray and not twice


def repeated(out: Path) -> int:
    """How many chunks were kept more than once, by the log of a store."""
    from jaxrisk.storage.store_log import lines

    firsts = [entry["first"] for entry in lines(out) if entry["event"] == "chunk" and not entry.get("again")]
    return len(firsts) - len(set(firsts))


def workers(folder: Path, asked: argparse.Namespace) -> bool:
    """Kill workers, not who sends them their chunks."""
    import psutil

    (folder / "tiny.toml").write_text(SCENARIO)
    undisturbed, disturbed = (folder / name / "r.zarr" for name in ("undisturbed", "disturbed"))
    for out in (undisturbed, disturbed):
        out.parent.mkdir()
    subprocess.run(command(folder, undisturbed, asked.chunks, None), check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(command(folder, disturbed, asked.chunks, asked.executor or "processes"), stdout=subprocess.DEVNULL)
    chosen, killed = random.Random(asked.seed), 0
    while process.poll() is None and killed < asked.number:
        time.sleep(chosen.uniform(0.5, 3.0))
        at_work = {entry[0] for entry in finished(disturbed)}
        with contextlib.suppress(psutil.Error, IndexError):
            children = [
                one for one in psutil.Process(process.pid).children(recursive=True)
                if "spawn_main" in " ".join(one.cmdline()) and at_work
            ]  # fmt: skip
            chosen.choice(children).kill()
            killed += 1
    code = process.wait()
    same = code == 0 and digest(disturbed) == digest(undisturbed)
    stray, twice = sorted(set(files(disturbed)) ^ set(files(undisturbed))), repeated(disturbed)
    print(f"{killed} workers killed: exit code {code}, {bits(same)}; stray files: {stray}; "
          f"finished chunks run again: {twice}")  # fmt: skip
    return same and not stray


def disk(folder: Path, asked: argparse.Namespace) -> bool:
    """A tmpfs of a few megabytes that fills up; made larger, the run is continued."""
    (folder / "tiny.toml").write_text(SCENARIO)
    undisturbed, small = folder / "undisturbed" / f"r.{asked.out}", folder / "small"
    undisturbed.parent.mkdir()
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], check=True)
    try:
        out = small / f"r.{asked.out}"
        run = lambda where: subprocess.run(command(folder, where, asked.chunks, asked.executor), capture_output=True, text=True)
        run(undisturbed)
        first = run(out)
        print(f"exit code {first.returncode}: {first.stderr.strip()}")
        kept = len(finished(out))
        subprocess.run(["mount", "-o", "remount,size=1g", str(small)], check=True)
        second = run(out)
        same = second.returncode == 0 and digest(out) == digest(undisturbed)
        print(f"{kept} chunks were kept; with room again, exit code {second.returncode}: {bits(same)}")
        return first.returncode == 3 and kept > 0 and same and "Traceback" not in first.stderr + second.stderr
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def damaged(folder: Path, asked: argparse.Namespace) -> bool:
    """Of a run that has come half way, or to its end, a file of one chunk is cut off and of another a bit flips: reading says so,
    and the same command runs these two chunks again, and no other."""
    import io

    import jaxrisk as jr
    from jaxrisk.cli import main as run
    from jaxrisk.storage.store_log import lines

    (folder / "tiny.toml").write_text(SCENARIO)
    whole, half = folder / "whole" / "r.zarr", folder / "half" / "r.zarr"
    words = lambda out, more=None: [*command(folder, out, asked.chunks, None)[3:], *(more or [])]
    quiet = contextlib.redirect_stdout(io.StringIO())
    for out in (whole, half):
        out.parent.mkdir()
    process = subprocess.Popen(command(folder, half, asked.chunks, None), stdout=subprocess.DEVNULL)
    while process.poll() is None and len(finished(half)) < asked.chunks // 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    with quiet:
        run(words(whole))
    wanted, told, again, chosen = digest(whole), 0, 0, random.Random(asked.seed)
    for turn in range(asked.number):
        out = folder / "damaged" / "r.zarr"
        shutil.copytree((whole, half)[turn % 2], out)
        names = [path.parent.name for path in out.glob("*/c.*") if path.name == "c.0" or path.name.startswith("c.0.")]
        of_paths = sorted({name for name in names if (out / name).is_dir() and len(list((out / name).glob("c.*"))) > 1})
        before = len([one for one in lines(out) if one["event"] == "chunk"])
        for (first, _), kind in zip(chosen.sample(finished(out), 2), ("cut", "flip"), strict=True):
            place = first // CHUNK
            file = chosen.choice([path for name in of_paths for path in (out / name).glob(f"c.{place}*")
                                  if path.name.split(".")[1] == str(place)])  # fmt: skip
            content = bytearray(file.read_bytes())
            if kind == "cut":
                del content[chosen.randrange(len(content)) :]
            else:
                content[chosen.randrange(len(content))] ^= 1 << chosen.randrange(8)
            file.write_bytes(content)
            try:
                jr.Result.load(out).losses[file.parent.name]
            except ValueError as error:
                told += str(out) in str(error)
        said = io.StringIO()
        with quiet, contextlib.redirect_stderr(said):
            code = run(words(out))
        ran = len([one for one in lines(out) if one["event"] == "chunk"]) - before
        missing = asked.chunks - before
        again += ran - missing
        same = code == 0 and digest(out) == wanted and sorted(files(out)) == sorted(files(whole))
        if not same or ran != missing + 2:
            print(f"turn {turn} of seed {asked.seed}: exit code {code}, {bits(same)}, {ran - missing} chunks run again")
            print(said.getvalue())
            return False
        shutil.rmtree(out.parent)
    print(f"{asked.number} times a chunk cut off and one with a flipped bit, of {asked.chunks}: told {told} of "
          f"{2 * asked.number} times when it was read, {again} chunks run again: the same bits; no stray files")  # fmt: skip
    return again == 2 * asked.number


def main() -> int:
    """Try what is asked for."""
    tried = {
        "kills": kills,
        "workers": workers,
        "disk": disk,
        "damaged": damaged,
        **validate_batch_scale.TRIED,
        **validate_batch_speed.TRIED,
        **validate_batch_many.TRIED,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tried)
    parser.add_argument("--number", type=int, default=50)
    parser.add_argument("--chunks", type=int, default=60)
    parser.add_argument("--paths", type=float, default=1e8)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--shapes", type=int, default=None, help="how many of the shipped scenarios are taken (default: all)")
    parser.add_argument("--steps", type=int, default=1440)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", choices=("zarr", "nc"), default="zarr")
    parser.add_argument("--executor", choices=("processes", "dask"))
    parser.add_argument("--folder", type=Path, help="where a run is kept, to be continued by the same command")
    asked = parser.parse_args()
    if asked.folder:
        asked.folder.mkdir(exist_ok=True)
        return 0 if tried[asked.what](asked.folder, asked) else 1
    with tempfile.TemporaryDirectory() as folder:
        return 0 if tried[asked.what](Path(folder), asked) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A study killed at random moments and continued gives the same bytes, here and spread over workers.

    python scripts/validate_studies.py                                       # 20 kills of this process, then the same over Dask
    python scripts/validate_studies.py --number 5 --executor processes       # of worker processes and their parent

Prints how often it was killed and how much of it was there each time; ends with an exit code other than 0 where bytes differ.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from validate_batch import SCENARIO

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

STUDY = """
name = "killed"
scenario = "tiny.toml"
measures = ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.99)"]
[run]
paths = {paths}
[[grid]]
name = "cap"
key = "limits.cap"
values = [2, 5, 10, 20, 50]
"""
LIMITS = "\n[[limits.caps]]\ncap = 100.0\nshare_downsize = 0.8\n"


def command(folder: Path, out: Path, executor: str | None) -> list[str]:
    more = [] if executor is None else ["--executor", executor, "--workers", "2"]
    return [sys.executable, "-m", "jaxrisk.cli", "study", str(folder / "killed.toml"), "--out", str(out), *more]


def digest(out: Path) -> str:
    """Of the table, byte by byte, and of every number of every cell."""
    import numpy as np

    import jaxrisk as jr

    total = hashlib.sha256((out / "study.csv").read_bytes())
    for path in sorted((out / "cells").glob("*.nc")):
        result = jr.Result.load(path)
        for name in sorted(result.losses):
            total.update(path.name.encode() + name.encode() + np.ascontiguousarray(result[name]).tobytes())
    return total.hexdigest()


def there(out: Path) -> int:
    """Files of cells and of their chunks."""
    return sum(path.is_file() for path in out.rglob("*")) if out.exists() else 0


def killed(
    folder: Path, out: Path, number: int, executor: str | None, length: float, seed: int, wanted: str
) -> tuple[list[int], bool]:
    """Kill the study so often, wherever it is, and let it end by itself: what was there at each kill, and whether whatever ended
    had the bytes that are `wanted`."""
    chosen, seen, ended, fine = random.Random(seed), [], 0, True
    while len(seen) < number:
        process = subprocess.Popen(command(folder, out, executor), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)  # fmt: skip
        try:
            process.wait(chosen.uniform(0.0, length))
        except subprocess.TimeoutExpired:
            seen.append(there(out))
            os.killpg(process.pid, signal.SIGKILL)  # the workers of its session with it
            process.wait()
            continue
        if process.returncode:
            raise SystemExit(f"it ended with {process.returncode}")
        ended += 1
        fine = fine and digest(out) == wanted
        print(f"  it ended after {len(seen)} kills in all, with {'the same' if fine else 'OTHER'} bytes; begun anew", flush=True)
        out.rename(out.with_name(f"{out.name}_ended_{ended}"))
    subprocess.run(command(folder, out, executor), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return seen, fine and digest(out) == wanted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--number", type=int, default=20)
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--executor", choices=("none", "processes", "dask"), help="one of them; by default none, then dask")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.toml").write_text(SCENARIO + LIMITS)
        (folder / "killed.toml").write_text(STUDY.format(paths=options.paths))
        subprocess.run(command(folder, folder / "first", None), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        subprocess.run(command(folder, folder / "whole", None), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        length, wanted = time.monotonic() - begun, digest(folder / "whole")
        print(f"undisturbed: {length:.1f} s, {there(folder / 'whole')} files, digest {wanted[:16]}", flush=True)
        fine = True
        for executor in ("none", "dask") if options.executor is None else (options.executor,):
            out, by = folder / f"killed_{executor}", None if executor == "none" else executor
            slower = 1.0 if by is None else 2.0
            seen, same = killed(folder, out, options.number, by, slower * length, options.seed, wanted)
            fine = fine and same
            print(f"{executor}: killed {len(seen)} times, with {seen} files there; {'the same bytes' if same else 'OTHER BYTES'}",
                  flush=True)  # fmt: skip
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())

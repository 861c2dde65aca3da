"""Sizes and speeds of batch runs, for `scripts/validate_batch.py`: plans, overhead, workers, memory."""

import argparse
import hashlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

SCENARIO = """
name = "tiny"
[run]
horizon = "2h"
step = "5min"
[assets.BTC]
price = 78000.0
[market]
process = "gbm"
volatility = 0.6
[impact]
law = "power"
coefficient = 1.0
daily_volatility = 0.03
daily_volume = 3e10
resilience_half_life = "30min"
[venues.binance]
[populations.retail]
venue = "binance"
asset = "BTC"
side = "both"
kind = "lognormal"
open_interest = 1e9
median = 20.0
log_sd = 0.8
"""
CHUNK = 4096


def command(folder: Path, out: Path, chunks: int, executor: str | None) -> list[str]:
    """A run of so many chunks."""
    more = [] if executor is None else ["--executor", executor, "--workers", "2"]
    paths = ["--paths", str(chunks * CHUNK), "--chunk", str(CHUNK)]
    return [sys.executable, "-m", "jaxrisk.cli", "run", str(folder / "tiny.toml"), *paths, "--out", str(out), *more]


def digest(out: Path) -> str:
    """Of every observable, whole paths and curves of a result."""
    import numpy as np

    import jaxrisk as jr

    result, total = jr.Result.load(out), hashlib.sha256()
    for arrays in (result.losses, result.samples, result.curves):
        for name in sorted(arrays):
            total.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def bits(same: bool) -> str:
    """Whether bits are the same, in words."""
    return "the same bits" if same else "OTHER BITS"


PLANS: dict[str, dict[str, Any]] = {
    "a grid of keys of the file": {
        "grid": [
            {"key": "impact.coefficient", "values": [round(0.5 + 0.02 * k, 2) for k in range(100)]},
            {"key": "depth.floor", "values": [round(0.05 + 0.002 * k, 3) for k in range(100)]},
        ]
    },
    "a Latin hypercube of keys and parameters": {
        "sample": {"cells": 10_000, "seed": 1, "ranges": {"market.volatility": [0.3, 1.2], "impact.coefficient": [0.5, 2.0]}}
    },
    "a venue's key, other in every cell": {
        "grid": [{"key": "venues.binance.insurance_fund", "values": [1e8 + 1000.0 * k for k in range(10_000)]}]
    },
}


def plan(folder: Path, asked: argparse.Namespace) -> bool:
    """10,000 cells of a study read, checked, made scenarios and given their digests."""
    from jaxrisk.studies.study import planned

    fine = True
    for name, cells in PLANS.items():
        begun, busy = time.perf_counter(), time.process_time()
        works = planned({"scenario": "btc_24h", "run": {"paths": 1000, "steps": 96}, **cells}, {}, many=True)[1]
        seconds, processor = time.perf_counter() - begun, time.process_time() - busy
        different = len({work.digest for work in works})
        print(f"{len(works):,} cells, {name}: {seconds:.2f} s, {processor:.2f} s of processor time; {different:,} digests")
        fine &= processor < 5.0 and different == len(works) == 10_000
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB at most")
    return fine


def overhead(folder: Path, asked: argparse.Namespace) -> bool:
    """Processor time and seconds a chunk of scheduling and storing alone, at so many chunks, against those of simulating one.

    The losses of all chunks but some are those of the first: what is done with them is all done, and takes no less.
    """
    import jaxrisk as jr
    from jaxrisk.batch import work
    from jaxrisk.cascade.blocks import block_size

    jr.use_compilation_cache()
    scenario, few = jr.load("btc_24h"), 8
    chunk = asked.blocks * block_size()
    run = lambda chunks, out: jr.simulate(scenario, paths=chunks * chunk, chunk=chunk, steps=asked.steps, sample_paths=0, out=out)
    run(1, None)
    simulating = measured(lambda: run(1 + few, None), few + 1)
    honest, kept = work.range_losses, []

    def same(*arguments: Any) -> Any:
        kept or kept.append(honest(*arguments))
        return kept[0]

    work.range_losses = same  # type: ignore[assignment]
    try:
        run(2, folder / "first.zarr")
        storing = measured(lambda: run(asked.chunks, folder / "r.zarr"), asked.chunks)
        bare = measured(lambda: run(asked.chunks, None), asked.chunks)
    finally:
        work.range_losses = honest
    shares = [storing[k] / simulating[k] for k in (0, 1)]
    words = [f"{seconds * 1e3:.1f} ms ({share:.1%})" for seconds, share in zip(storing, shares, strict=True)]
    print(f"{asked.chunks} chunks of {chunk} paths, {asked.steps} steps: to simulate one takes {simulating[0] * 1e3:.0f} ms of "
          f"processor time, and {simulating[1] * 1e3:.0f} ms by the clock; to schedule and store it {words[0]}, and {words[1]} "
          f"while the next is simulated; in memory {bare[0] * 1e3:.1f} ms; {load()}")  # fmt: skip
    return shares[0] < 0.03


def measured(call: Any, chunks: int) -> tuple[float, float]:
    """Seconds of processor time, and by the clock, of each chunk."""
    begun, busy = time.perf_counter(), time.process_time()
    call()
    return (time.process_time() - busy) / chunks, (time.perf_counter() - begun) / chunks


def load() -> str:
    """How much else this machine does."""
    return f"{os.getloadavg()[0]:.1f} processes wanted {len(os.sched_getaffinity(0))} cores in the last minute"


TRIED = {"plan": plan, "overhead": overhead}

"""Sizes and speeds of batch runs, for `scripts/validate_batch.py`: plans, overhead, workers, memory."""

import argparse
import hashlib
import os
import resource
import subprocess
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
    """Processor time a chunk of a run that stores its chunks, against one that does not, some of which is run before and after."""
    import jaxrisk as jr
    from jaxrisk.cascade.blocks import block_size

    jr.use_compilation_cache()
    scenario = jr.load("btc_24h")
    chunk = asked.blocks * block_size()
    few = max(1, asked.chunks // 8)
    run = lambda chunks, out: jr.simulate(
        scenario, paths=chunks * chunk, chunk=chunk, steps=asked.steps, sample_paths=0, seed=chunks, out=out
    )
    run(2, None), run(2, folder / "first.zarr")
    worked, seconds = {"memory": 0.0, "store": 0.0}, {"memory": 0.0, "store": 0.0}
    for kind, chunks in (("memory", few), ("store", asked.chunks), ("memory", few)):
        begun, busy = time.perf_counter(), time.process_time()
        run(chunks, None if kind == "memory" else folder / "r.zarr")
        each = chunks if kind == "store" else 2 * chunks
        seconds[kind] += (time.perf_counter() - begun) / each
        worked[kind] += (time.process_time() - busy) / each
    shares = {name: of["store"] / of["memory"] - 1.0 for name, of in (("processor", worked), ("wall", seconds))}
    print(f"{asked.chunks} chunks of {chunk} paths, {asked.steps} steps, {worked['memory'] * 1e3:.0f} ms of processor time each in "
          f"memory, {worked['store'] * 1e3:.0f} ms with a store: {shares['processor']:+.1%}; by the clock {seconds['memory'] * 1e3:.0f} "
          f"and {seconds['store'] * 1e3:.0f} ms, {shares['wall']:+.1%}; {load()}")  # fmt: skip
    return shares["processor"] < 0.03


def load() -> str:
    """How much else this machine does."""
    return f"{os.getloadavg()[0]:.1f} processes wanted {len(os.sched_getaffinity(0))} cores in the last minute"


def speed(folder: Path, asked: argparse.Namespace) -> bool:
    """Paths a second of two workers pinned to a core each, against one on one core, in turns; by the clock, and by the time that
    the processor gave them, which others that use it too do not change."""
    from jaxrisk.report.status import status_of

    (folder / "tiny.toml").write_text(SCENARIO.replace('step = "5min"', 'step = "6s"'))
    rates, worked = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}
    cores = sorted(os.sched_getaffinity(0))
    for turn in range(2):
        for many in (1, 2):
            out = folder / f"r{many}-{turn}.zarr"
            made = command(folder, out, asked.chunks, "processes")
            made[made.index("--workers") + 1] = str(many)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(["taskset", "-c", ",".join(map(str, cores[:many])), *made], check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            rates[many] = max(rates[many], status_of(out).rate)
            busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            worked[many] = max(worked[many], many * asked.chunks * CHUNK / busy)
    print(f"{rates[1]:,.0f} paths a second with one worker, {rates[2]:,.0f} with two: {rates[2] / rates[1]:.2f} times; by processor "
          f"time {worked[2] / worked[1]:.2f} times; {load()}")  # fmt: skip
    return rates[2] > 1.8 * rates[1]


TRIED = {"plan": plan, "overhead": overhead, "speed": speed}

"""Two workers pinned to a core each against one on one core, beside what the machine gives two processes of other kinds, for
`scripts/validate_batch.py`."""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from validate_batch_scale import SCENARIO, load

TURNS, SECONDS = 3, 2.0
BYTES = 2**27
LEAST = 1.8


def speed(folder: Path, asked: argparse.Namespace) -> bool:
    """Rates of one worker on one core and of two on two, in turns, and between them of plain arithmetic in the cache and of
    copies of memory, one process and two: what the machine gives two at most. Ratios are of one turn; their medians are told.
    Workers begin to be counted when each has finished a chunk, so that compiling is not in it."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("two cores are needed")
        return False
    (folder / "day.toml").write_text(SCENARIO.replace('step = "5min"', 'step = "30s"'))
    spawn, found = multiprocessing.get_context("spawn"), {"arithmetic": [], "memory": [], "workers": []}
    rates, parents, stored = {1: [], 2: []}, {1: [], 2: []}, []
    try:
        for turn in range(TURNS):
            for kind in ("arithmetic", "memory"):
                one, two = (together(spawn, kind, cores[:many]) for many in (1, 2))
                found[kind].append(two / one)
            for many in (1, 2):
                rate, parent, share = product(folder / f"r{many}-{turn}.zarr", folder / "day.toml", cores[:many], asked.chunks)
                rates[many].append(rate)
                parents[many].append(parent)
                stored.append(share)
            found["workers"].append(rates[2][-1] / rates[1][-1])
            print(f"turn {turn + 1}: " + ", ".join(f"{kind} {ratios[-1]:.2f}" for kind, ratios in found.items()) + f"; {load()}",
                  flush=True)  # fmt: skip
    finally:
        pinned(cores)
    middle = {kind: statistics.median(ratios) for kind, ratios in found.items()}
    print(f"two processes on a core each against one: plain arithmetic {middle['arithmetic']:.2f} times, copies of memory "
          f"{middle['memory']:.2f}, workers {middle['workers']:.2f} ({statistics.median(rates[1]):,.0f} and "
          f"{statistics.median(rates[2]):,.0f} paths a second); of a chunk a worker spends {statistics.median(stored):.1%} of "
          f"the time on other than simulating, the process that sends them {1e3 * statistics.median(parents[2]):.1f} ms of "
          f"processor time; {load()}")  # fmt: skip
    return middle["workers"] >= LEAST


def pinned(cores: list[int]) -> None:
    """This process, with all its threads, on these cores alone."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)


def together(spawn: Any, kind: str, cores: list[int]) -> float:
    """Work a second of processes on a core each, all at once."""
    gate, told = spawn.Barrier(len(cores)), spawn.Queue()
    processes = [spawn.Process(target=busy, args=(kind, core, gate, told)) for core in cores]
    for process in processes:
        process.start()
    total = sum(told.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def busy(kind: str, core: int, gate: Any, told: Any) -> None:
    """So much of one kind of work as can be done in some seconds."""
    import numpy as np

    os.sched_setaffinity(0, {core})
    small, large = bytes(2**14), np.ones(BYTES // 8)
    other = large.copy()
    work = (lambda: hashlib.sha256(small)) if kind == "arithmetic" else (lambda: np.copyto(other, large))
    work()
    gate.wait()
    begun, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < SECONDS:
        work()
        count += 1
    told.put(count / spent)


def product(out: Path, scenario: Path, cores: list[int], chunks: int) -> tuple[float, float, float]:
    """Paths a second of workers on a core each; processor time of the process that sends chunks, for each; and the share of a
    worker's time in which it does not simulate."""
    import jaxrisk as jr
    from jaxrisk.storage.store_log import lines

    jr.use_compilation_cache()
    spawn = multiprocessing.get_context("spawn")
    pinned(cores)
    left = spawn.Queue()
    for core in cores:
        left.put(core)
    with ProcessPoolExecutor(len(cores), mp_context=spawn, initializer=pin, initargs=(left,)) as pool:
        spent = time.process_time()
        count = max(6, chunks // 3) * len(cores)
        jr.simulate(jr.load(scenario), paths=count * 32_768, chunk=32_768, sample_paths=0, out=out, executor=pool)
        spent = (time.process_time() - spent) / count
    noted = [entry for entry in lines(out) if entry["event"] == "chunk"]
    ends: dict[int, list[tuple[float, float]]] = {}
    for entry in noted:
        moment = datetime.fromisoformat(entry["time"]).timestamp()
        ends.setdefault(entry["process"], []).append((moment, entry["seconds"]))
    assert len(ends) == len(cores), json.dumps(noted[-1])
    begin, end = max(one[0][0] for one in ends.values()), min(one[-1][0] for one in ends.values())
    within = [(moment, seconds) for one in ends.values() for moment, seconds in one[1:] if begin < moment <= end]
    simulating = sum(seconds for _, seconds in within)
    return len(within) * 32_768 / (end - begin), spent, 1.0 - simulating / (len(cores) * (end - begin))


def pin(left: Any) -> None:
    """A worker takes a core, before it imports what makes threads, and ends where its parent does."""
    os.sched_setaffinity(0, {left.get()})


TRIED = {"speed": speed}

"""Runs of many paths, scenarios, processes and workers, for `scripts/validate_batch.py`."""

import argparse
import contextlib
import heapq
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from validate_batch_scale import CHUNK, SCENARIO, bits, command, digest, load

ASKS = """
import json, resource, sys
import jaxrisk as jr
result = jr.Result.load(sys.argv[1])
found = [getattr(result, name)("max_drawdown_index", 0.99) for name in sys.argv[2:]]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([*([float(one.value), float(one.standard_error)] for one in found), peak]))
"""
MEASURES = ("expected_shortfall", "value_at_risk")


def memory(folder: Path, asked: argparse.Namespace) -> bool:
    """Memory of a long run from its tenth chunk to its last, and of what is asked of its losses after; and the same figures in
    memory and out of core where there are few enough for both. The same command with `--folder` continues a run that was stopped.
    """
    from jaxrisk.storage.store_log import lines

    (folder / "tiny.toml").write_text(SCENARIO)
    paths, out = int(asked.paths), folder / "long.zarr"
    begun = time.perf_counter()
    run = [sys.executable, "-m", "jaxrisk.cli", "run", str(folder / "tiny.toml"), "--paths", str(paths), "--out", str(out)]
    subprocess.run([*run, "--sample-paths", "0"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    chunks = [entry for entry in lines(out) if entry["event"] == "chunk"]
    peaks = [entry["memory_bytes"] / 2**20 for entry in chunks]
    tenth, last = peaks[min(len(peaks) - 1, max(10, len(peaks) // 10))], max(peaks)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{paths:,} paths in {len(chunks):,} chunks, {size / 2**30:.1f} GiB on the disk: {tenth:,.0f} MiB of memory after a "
          f"tenth, {last:,.0f} MiB at the end; {seconds:,.0f} s in this turn; {load()}")  # fmt: skip
    begun = time.perf_counter()
    said = subprocess.run([sys.executable, "-c", ASKS, str(out), *MEASURES], check=True, capture_output=True, text=True).stdout
    *figures, peak = json.loads(said.splitlines()[-1])
    told = ", ".join(f"{name} {value:.6f} ({error:.1g})" for name, (value, error) in zip(MEASURES, figures, strict=True))
    print(f"out of core: {told}; {peak:,.0f} MiB, {time.perf_counter() - begun:,.0f} s")
    return last < 1.15 * tenth + 16 and peak < 2048 and both(folder)


def both(folder: Path) -> bool:
    """ES and VaR of a million losses, read whole and chunk by chunk."""
    import jaxrisk as jr
    from jaxrisk.report import result as module

    few = jr.simulate(jr.load(folder / "tiny.toml"), paths=1e6, sample_paths=0, out=folder / "few.zarr", force=True)
    whole = {name: getattr(few, name)("max_drawdown_index", 0.99) for name in MEASURES}
    module.STREAMED = 0
    streamed = {name: getattr(jr.Result.load(folder / "few.zarr"), name)("max_drawdown_index", 0.99) for name in MEASURES}
    apart = max(abs(streamed[name].value / whole[name].value - 1.0) for name in MEASURES)
    errors = max(abs(streamed[name].standard_error / whole[name].standard_error - 1.0) for name in MEASURES)
    print(f"1,000,000 paths, in memory and out of core: figures differ by {apart:.1e}, their errors by {errors:.1e}")
    return apart < 1e-12 and errors < 1e-6


SHARED = """
import os, sys
import jax
jax.distributed.initialize(coordinator_address="127.0.0.1:" + sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
import jaxrisk as jr
jr.use_compilation_cache()
arguments = {"paths": int(sys.argv[5]), "chunk": 4096, "out": sys.argv[4]}
result = jr.simulate(jr.load(sys.argv[3]), **arguments)
print(jax.process_index(), jax.process_count(), result.paths)
"""


def processes(folder: Path, asked: argparse.Namespace) -> bool:
    """Two processes of `jax.distributed` at one store: the bits of one process, and what each ran; and with one that dies."""
    from jaxrisk.storage.store_log import lines

    (folder / "tiny.toml").write_text(SCENARIO)
    subprocess.run(command(folder, folder / "alone.zarr", asked.chunks, None), check=True, stdout=subprocess.DEVNULL)
    fine = True
    for name, kill in (("both", False), ("lost", True)):
        out, port = folder / f"{name}.zarr", str(free())
        words = [port, str(folder / "tiny.toml"), str(out), str(asked.chunks * CHUNK)]
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", SHARED, words[0], str(k), *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for k in (0, 1)
        ]  # fmt: skip
        if kill:
            while pair[1].poll() is None and not any(_of(pair[1].pid, entry) for entry in records(out)):
                time.sleep(0.01)
            pair[1].kill()
        said = [process.communicate() for process in pair]
        if kill:  # JAX itself ends those that are left, soon or at their end: what was finished is kept
            subprocess.run(command(folder, out, asked.chunks, None), check=True, stdout=subprocess.DEVNULL)
        ran = {process.pid: 0 for process in pair}
        for entry in lines(out):
            if entry["event"] == "chunk":
                ran[entry["process"]] = ran.get(entry["process"], 0) + 1
        same = (kill or pair[0].returncode == 0) and digest(out) == digest(folder / "alone.zarr")
        print(
            f"{name}: chunks by process {list(ran.values())}, exit codes {[process.returncode for process in pair]}: {bits(same)}"
        )
        if not same:
            print(said[0][1].decode()[-2000:])
        fine &= same and (kill or min(ran.values()) > 0)
    return fine


def records(out: Path) -> list[dict[str, Any]]:
    """What chunks say of themselves."""
    found = []
    for file in (out / "jaxrisk/chunks").glob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads(file.read_bytes()))
    return found


def _of(process: int, entry: dict[str, Any]) -> bool:
    return entry.get("process") == process


def free() -> int:
    """A port of this machine that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def hundred(folder: Path, asked: argparse.Namespace) -> bool:
    """A hundred scenarios, the shipped ones with other words and numbers, on two Dask workers: programs made by each, counted.

    In blocks of 64 paths, as of 4,096 those of accounts under cross margin take minutes each.
    """
    import jaxrisk as jr
    from jaxrisk.batch.dask_executor import cluster
    from jaxrisk.paths import names

    jr.use_compilation_cache()
    shipped, begun = names("scenarios")[: asked.shapes], time.perf_counter()
    with cluster(2) as executor:
        client = executor._client
        client.run(small_blocks)
        small_blocks()
        client.run(count_programs)
        for k in range(asked.scenarios):
            name = shipped[k % len(shipped)]
            scenario = jr.load(
                name, {"name": f"other_{k}", "title": f"Number {k}", "run.seed": k + 1, "channels.feedback": 1 - k / 500}
            )
            jr.simulate(
                scenario, paths=2 * SMALL, steps=24, sample_paths=0, chunk=SMALL, out=folder / f"{k}.zarr", executor=executor
            )
        made = list(client.run(programs).values())
    shapes = len(shipped)
    blocks = [sum(count for name, count in one.items() if "block" in name) for one in made]
    print(f"{asked.scenarios} scenarios of {shapes} shapes on {len(made)} workers, {time.perf_counter() - begun:.0f} s: programs "
          f"of blocks made by each worker {blocks}; of everything {[sum(one.values()) for one in made]}; {load()}")  # fmt: skip
    print(json.dumps(made[0], indent=1))
    return max(blocks) <= shapes


SMALL = 64


def small_blocks() -> None:
    """This process has blocks of few paths."""
    from jaxrisk.cascade import blocks

    blocks.BLOCK["cpu"] = SMALL


def count_programs() -> None:
    """From now on this process counts the programs that it compiles, or loads from the cache."""
    import jax

    counts: dict[str, int] = {}
    jax.programs_made = counts  # type: ignore[attr-defined]

    def listen(event: str, seconds: float, **facts: Any) -> None:
        if event.endswith("backend_compile_duration"):
            name = str(facts.get("fun_name"))
            counts[name] = counts.get(name, 0) + 1

    jax.monitoring.register_event_duration_secs_listener(listen)


def programs() -> dict[str, int]:
    """What was counted."""
    import jax

    return dict(jax.programs_made)  # type: ignore[attr-defined]


def scheduled(folder: Path, asked: argparse.Namespace) -> bool:
    """1e6 chunks on 1,000 workers, simulated: each worker runs and stores, one process sends, hears and notes, one at a time."""
    noted = noting(folder)
    sent = sending(2_000)
    print(f"measured, processor time: to note a chunk {noted * 1e6:.0f} us, to send it through Dask and hear of it "
          f"{sent * 1e6:.0f} us; to store it {STORED * 1e3:.0f} ms on its worker; {load()}")  # fmt: skip
    for seconds in (1.0, 3.0, 30.0):
        ends, busy = simulated(1_000_000, 1_000, seconds + STORED, noted + sent)
        ideal = 1_000_000 * seconds / 1_000
        print(f"chunks of {seconds:g} s: {ends:,.0f} s in all, {ideal:,.0f} s of simulating alone ({ideal / ends:.1%}); the one "
              f"process is busy {busy / ends:.1%} of the time")  # fmt: skip
    print(f"1,000 workers wait for the one process where chunks are shorter than {1_000 * (noted + sent):.1f} s")
    return True


STORED = 0.032
"""Seconds to store a chunk of 8,192 paths and 21 arrays, by `overhead`."""


def noting(folder: Path) -> float:
    """Processor time of what the process that has the store does with each chunk of a worker."""
    import jaxrisk as jr
    from jaxrisk.batch.configure import configure
    from jaxrisk.batch.plan import planned, sink_of
    from jaxrisk.batch.work import Outcome, facts
    from jaxrisk.cascade.blocks import numbers

    scenario, run = configure(jr.load("btc_24h"), 4096 * 50_000, 1, 24, None, None, "plain", 0, 0, 4096)
    with numbers(False):
        sink = sink_of(planned(scenario, run, 4096, folder / "noted.zarr"), folder / "noted.zarr", False, lambda text: None)
    said, busy = facts(4096, 1.0), time.process_time()
    for first in range(0, 4096 * 20_000, 4096):
        sink.take(first, first + 4096, None, Outcome(None, said))
    return (time.process_time() - busy) / 20_000


def sending(tasks: int) -> float:
    """Processor time of client and scheduler, which are one process here, for each task that does nothing."""
    from jaxrisk.batch.dask_executor import cluster

    with cluster(1) as executor:
        [future.result() for future in [executor.submit(abs, 1) for _ in range(50)]]
        busy = time.process_time()
        waiting: list[Any] = []
        for k in range(tasks):
            waiting.append(executor.submit(abs, k))
            if len(waiting) > 4:
                waiting.pop(0).result()
        [future.result() for future in waiting]
        return (time.process_time() - busy) / tasks


def simulated(chunks: int, workers: int, each: float, one: float) -> tuple[float, float]:
    """When the last chunk is done, and how long the one process was busy, in seconds."""
    events = [(0.0, k) for k in range(workers)]  # when a worker is free, and asks for more
    free, left = 0.0, chunks
    while left:
        asks, worker = heapq.heappop(events)
        free = max(free, asks) + one
        heapq.heappush(events, (free + each, worker))
        left -= 1
    return max(events)[0] + one, chunks * one


TRIED = {"memory": memory, "processes": processes, "hundred": hundred, "scheduled": scheduled}

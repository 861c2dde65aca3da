"""How fast a run is, as ratios measured in one go on one machine.

    python scripts/benchmark.py                               # the reference workload, the peers, block sizes, ladder sizes
    python scripts/benchmark.py --only product --repeats 1    # one part, here the product (see --help)
    python scripts/benchmark.py --paths 16384 --steps 360     # smaller

The reference workload is one asset on one venue for a day of one-minute steps: stochastic variance by full truncation with jumps,
both ladders, square-root impact that decays, drawdown with and without feedback; float32, all cores. The same workload written in
NumPy and in Numba is in benchmark_peers.py. Repeats are interleaved and medians are printed; nothing is asserted.
"""

import argparse
import dataclasses
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import benchmark_peers as peers
import jax
import jax.numpy as jnp
import numpy as np
from benchmark_books import margin_checks
from benchmark_gradients import gradient_cost
from benchmark_together import together_cost
from benchmark_variance import variance
from reference_workload import reference

from jaxrisk.cascade import blocks as compiled, prepare, run_block, seed_key
from jaxrisk.market import LogVariance
from jaxrisk.positions import Accounts

AIMS = {"NumPy": 12.0, "Numba": 5.0}
"""How many times as long as the product the peers should take. That for NumPy is for the usual single thread."""
AIM_ACCELERATOR = 1e10
AIM_LADDER = 0.10


def accounts(count: int, seed: int = 1) -> Accounts:
    """Isolated positions, half long and half short, worth 6e9 USD a side whatever their number."""
    random = np.random.default_rng(seed)
    leverage = np.clip(8.0 * np.exp(0.9 * random.standard_normal(count)), 1.01, 125.0)
    size = np.exp(1.5 * random.standard_normal(count))
    quantity = size / size.sum() * 1.2e10 / 78_000.0
    entry = 78_000.0 * np.exp(0.03 * random.standard_normal(count))
    zero = np.zeros(count, np.int32)
    return Accounts(quantity, entry, quantity * entry / leverage, zero, zero, np.where(np.arange(count) % 2, 1, -1), zero)


def product(prepared, paths: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Blocks on threads, as `jaxrisk.simulate` runs them."""
    parts = list(compiled.chunks(prepared, seed, 0, paths, paths))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Times(NamedTuple):
    """Seconds: by the clock, and of all cores together in this process, which other programs disturb less."""

    wall: float
    cores: float


def timed(call: Callable[[], object]) -> Times:
    begun, cores_begun = time.perf_counter(), time.process_time()
    call()
    return Times(time.perf_counter() - begun, time.process_time() - cores_begun)


def interleaved(calls: dict, repeats: int) -> dict:
    """Median times of each call, the calls taking turns; each has been called before."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(timed(call))
    return {name: Times(*map(statistics.median, zip(*values, strict=True))) for name, values in times.items()}


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    names = ("jax", "jaxlib", "equinox", "numpy", *(("numba",) if peers.numba else ()))
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    device = f"{jax.devices()[0].device_kind} ({jax.default_backend()})"
    return f"machine: {model}, {cores()} cores; device: {device}; Python {platform.python_version()}, {versions}"


def memory_peak() -> str:
    """Of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20:.0f} MiB"


def rate(name: str, times: Times, path_steps: int, note: str = "") -> None:
    wall, busy = (1e9 * seconds / path_steps for seconds in times)
    print(f"  {name:<17}{wall:8.2f} ns a path-step ({busy:.2f} ns of a core) {1e9 / wall:9.3g} path-steps/s{note}", flush=True)


def compile_seconds(prepared) -> float:
    paths = jnp.zeros(compiled.block_size(), jnp.uint32)
    return timed(lambda: run_block.lower(prepared, seed_key(1), paths).compile()).wall


def estimates(max_drawdown: np.ndarray, loss: np.ndarray) -> dict[str, tuple[float, float]]:
    """What the engines must agree on: estimate and standard error, that of the quantile from the order statistics around it."""
    mean = lambda x: (float(np.mean(x, dtype=np.float64)), float(np.std(x, dtype=np.float64) / np.sqrt(len(x))))
    level = 0.99
    half = np.sqrt(level * (1.0 - level) / len(max_drawdown))
    low, quantile, high = np.quantile(max_drawdown, np.clip([level - half, level, level + half], 0.0, 1.0))
    return {
        "mean of the maximum drawdown": mean(max_drawdown),
        "its 99% quantile": (float(quantile), float(high - low) / 2),
        "mean loss of open interest, USD": mean(loss),
    }


def agree(results: dict[str, dict[str, tuple[float, float]]]) -> None:
    """Each peer against the product, in standard errors of the difference."""
    for quantity, (value, error) in results["product"].items():
        print(f"  {quantity}: product {value:.6g}")
        for name, estimate in results.items():
            if name != "product":
                other, other_error = estimate[quantity]
                z = (other - value) / max(np.hypot(error, other_error), 1e-300)
                print(f"    {name} {other:.6g}, {z:+.1f}{'' if abs(z) <= 4.0 else ': DISAGREES'}")


def compare(options) -> None:
    """The product, and unless only that is wanted its peers."""
    scenario = reference(options.steps)
    prepare_seconds = timed(lambda: jax.block_until_ready(prepare(scenario))).wall
    prepared = prepare(scenario)
    print(f"compile: {prepare_seconds:.1f} s to prepare the scenario, {compile_seconds(prepared):.1f} s for a block")
    losses = product(prepared, options.paths)
    print(f"memory peak of the process with {options.paths} paths: {memory_peak()}")
    calls: dict[str, Callable] = {"product": lambda: product(prepared, options.paths)}
    results = {"product": estimates(losses["max_drawdown"][:, 0], losses["open_interest_loss"][:, 0, 0])}
    paths = {"product": options.paths}
    if options.only != "product":
        work, few, threads = peers.workload(prepared), options.numpy_paths or max(options.paths // 8, 1), cores()
        calls["NumPy"] = lambda: peers.run_numpy(work, few, 2)
        calls["NumPy on threads"] = lambda: peers.run_numpy(work, few, 3, threads)
        paths |= {"NumPy": few, "NumPy on threads": few}
        print(f"NumPy runs {few} paths, in batches of at most 4,096 that stay in the cache; its time is scaled by the path-step")
        if peers.numba is None:
            print('Numba is not installed (the extra "benchmark" brings it): left out')
        else:
            calls["Numba"] = lambda: peers.run_numba(work, options.paths, 4)
            paths["Numba"] = options.paths
            print(f"Numba compiles in {timed(lambda: peers.run_numba(work, 1, 4)).wall:.1f} s")
        for name in list(calls)[1:]:
            seen = dict(zip(peers.OBSERVED, calls[name]().T, strict=True))
            results[name] = estimates(seen["max_drawdown"], seen["open_interest_loss"])
        print("agreement, with the difference from the product in standard errors (4 at most expected):")
        agree(results)
    times = interleaved(calls, options.repeats)
    each = {name: Times(*(seconds / paths[name] for seconds in times[name])) for name in times}
    print(f"median of {options.repeats} interleaved repeats, {options.paths} paths x {options.steps} steps:")
    for name, value in each.items():
        wall, busy = (theirs / ours for theirs, ours in zip(value, each["product"], strict=True))
        aim = f", aim {AIMS[name]:.0f}" if name in AIMS else ""
        note = f"   {wall:.1f} times the product's{aim} ({busy:.1f} times by cores)"
        if name == "product":
            note = "" if jax.default_backend() == "cpu" else f"   aim {AIM_ACCELERATOR:.0e} path-steps/s"
        rate(name, times[name], paths[name] * options.steps, note)


def blocks(options) -> None:
    """Effect of how many paths are compiled together."""
    prepared = prepare(reference(options.steps))
    backend = jax.default_backend()
    sizes = (1024, 4096, 16_384) if backend == "cpu" else (16_384, 65_536, 262_144)
    usual = compiled.BLOCK.get(backend)

    def run(size: int):
        compiled.BLOCK[backend] = size
        try:
            product(prepared, max(options.paths, size))
        finally:
            compiled.BLOCK.pop(backend)
            if usual is not None:
                compiled.BLOCK[backend] = usual

    calls = {size: (lambda size=size: run(size)) for size in sizes}
    for call in calls.values():
        call()
    print("paths in a block:")
    for size, value in interleaved(calls, options.repeats).items():
        rate(f"{size:,}", value, max(options.paths, size) * options.steps)


def ladder(options) -> None:
    """Cost of a step by the number of positions, and the time to build the ladder."""
    prepared, building = {}, {}
    for count in (1_000, 10_000, 100_000, 1_000_000):
        scenario = reference(options.steps, {"accounts": accounts(count)})
        prepared[count] = jax.block_until_ready(prepare(scenario))
        building[count] = timed(lambda scenario=scenario: jax.block_until_ready(prepare(scenario))).wall
    paths = max(options.paths // 4, 1)
    calls = {count: (lambda p=p: product(p, paths)) for count, p in prepared.items()}
    for call in calls.values():
        call()
    # small differences are wanted, so more repeats of fewer paths
    times = interleaved(calls, 2 * options.repeats + 1)
    print("positions in the ladders:")
    for count, value in times.items():
        rate(f"{count:,}", value, paths * options.steps, f"   building {building[count]:.3f} s")
    wall, busy = (100.0 * (max(column) / min(column) - 1.0) for column in zip(*times.values(), strict=True))
    print(f"  dearest over cheapest: {wall:+.1f}% ({busy:+.1f}% by cores), aim within {100 * AIM_LADDER:.0f}%")


def laws(options) -> None:
    """The reference workload under other laws: what a law of several factors costs beside Bates's, by cores; aim for two 1.3."""
    scenario, paths = reference(options.steps), max(options.paths // 4, 1)
    jumps = {"jump_rate": [50.0], "scaled_jump_mean": [-0.1], "scaled_jump_sd": [1.4], "max_jumps": 1}
    markets: dict = {
        "Bates": scenario.market,
        "Bates, qe": dataclasses.replace(scenario.market, scheme="qe"),
    }
    for count in (1, 2, 3):
        rows = [[hours / 8760 for hours in (6, 72, 720)[:count]]], [[0.6] * count], [[-0.2] * count]
        markets[f"log variance, {count}"] = LogVariance([0.0], [0.36], *rows, [[1.0]], variance=[0.36], **jumps)
    prepared = {name: prepare(scenario.replace(market=market)) for name, market in markets.items()}
    calls = {name: (lambda p=p: product(p, paths)) for name, p in prepared.items()}
    for call in calls.values():
        call()
    times = interleaved(calls, 2 * options.repeats + 1)
    print("laws of the price:")
    for name, value in times.items():
        rate(name, value, paths * options.steps, f"   {value.cores / times['Bates'].cores:.2f} times Bates by cores")


def sweep(options) -> None:
    """A shipped scenario loaded and run with another number each time: compiled the first time only. 2,000 paths of 48 steps."""
    import jaxrisk as jr

    def load_and_run(number: int) -> None:
        scenario = jr.load("btc_24h", {"impact.coefficient": 1.0 + 0.02 * number, "market.variance": 0.2 + 0.01 * number})
        jr.simulate(scenario, paths=2000, steps=48, sample_paths=0)

    memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds, held = [], []
    for number in range(20):
        seconds.append(timed(lambda number=number: load_and_run(number)).wall)
        held.append(memory())
    rest = statistics.median(seconds[2:])
    print(f"load and run: first {seconds[0]:.2f} s, second {seconds[1]:.2f} s, then a median of {rest:.2f} s; largest memory "
          f"{held[0]:.0f} MiB, and {held[-1]:.0f} after {len(held)}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--paths", type=int, default=65_536)
    parser.add_argument("--steps", type=int, default=1440, help="of one minute")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--numpy-paths", type=int, help="default: an eighth of the paths")
    parser.add_argument(
        "--only",
        choices=("product", "peers", "blocks", "ladder", "variance", "gradients", "laws", "margins", "sweep", "together"),
        help="one part; peers includes the product",
    )
    options = parser.parse_args()
    print(machine())
    if options.only in (None, "product", "peers"):
        compare(options)
    if options.only in (None, "blocks"):
        blocks(options)
    if options.only in (None, "ladder"):
        ladder(options)
    if options.only in (None, "variance"):
        variance(timed, options.repeats, options.steps)
    if options.only in (None, "gradients"):
        gradient_cost(reference(options.steps), accounts, timed, options.repeats)
    if options.only in (None, "laws"):
        laws(options)
    if options.only in (None, "sweep"):
        sweep(options)
    if options.only in (None, "together"):
        together_cost(reference(options.steps), timed, options.repeats, options.paths)
    if options.only in (None, "margins"):
        margin_checks(reference(1), accounts, timed, cores(), options.repeats)


if __name__ == "__main__":
    main()

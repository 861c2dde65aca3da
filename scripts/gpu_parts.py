"""The parts of scripts/gpu_check: each is given a context, and adds rows of what it finds."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from fused_cost import MACHINES, cost
from reference_workload import reference

from jaxrisk.batch.carried import from_bytes
from jaxrisk.cascade import blocks, fused, path_losses, prepare, run_block, seed_key
from jaxrisk.cascade.straight import NotFusable

CLOSE = 1e-3
"""Difference of a path's loss, of the largest of all paths, beyond which it is another path."""
APART = 0.01
"""Share of paths that may be: rounding now and then decides who is liquidated, and what follows."""


class Context(NamedTuple):
    """`add(**row)`; `end`: when the part should be over (`time.monotonic`); `on_cpu`: all is tiny; the scenarios' `folder`."""

    add: Callable[..., None]
    end: float
    on_cpu: bool
    folder: Path

    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def scenarios(self) -> Iterator[tuple[str, Any]]:
        """The reference workload, and what was prepared."""
        yield "reference", reference(4 if self.on_cpu else 1440)
        for place in [] if self.on_cpu else sorted(self.folder.glob("*.zip")):
            yield place.stem, from_bytes(place.read_bytes())

    def paths(self, many: int, first: int = 0) -> Any:
        """Indices: few on a CPU."""
        count = 128 if self.on_cpu else many
        return jnp.arange(first, first + count, dtype=jnp.uint32)

    def kernel(self, prepared: Any, paths: Any, shape: fused.Shape = fused.SHAPE) -> dict[str, Any]:
        """Losses by the fused kernel."""
        return jax.block_until_ready(fused.run_block(prepared, seed_key(1), paths, shape=shape, interpret=self.on_cpu))

    def scan(self, prepared: Any, paths: Any) -> dict[str, Any]:
        """Losses by the scan."""
        return jax.block_until_ready(run_block(prepared, seed_key(1), paths))


def device(context: Context) -> None:
    """What there is."""
    for name in ("jax", "jaxlib", "equinox", "numpy"):
        context.add(what=name, value=version(name))
    for one in jax.devices():
        told = one.memory_stats() or {}
        context.add(what=str(one), value=one.device_kind, gibibytes=told.get("bytes_limit", 0) / 2**30)
    if (tool := shutil.which("nvidia-smi")) is not None:
        asked = "name,driver_version,clocks.max.sm,clocks.sm,power.limit,memory.total,ecc.mode.current"
        done = subprocess.run(
            [tool, f"--query-gpu={asked}", "--format=csv"], capture_output=True, text=True, timeout=30, check=False
        )
        context.add(what="nvidia-smi", value=done.stdout.strip() or done.stderr.strip())


def scan_and_cpu(context: Context) -> None:
    """The scan here against the scan on this machine's CPU."""
    host = jax.devices("cpu")[0]
    for name, scenario in context.scenarios():
        found = context.scan(prepare(scenario), context.paths(4096))
        with jax.default_device(host):
            expected = context.scan(prepare(scenario), context.paths(4096))
        context.add(scenario=name, **_difference(found, expected))


def fused_and_scan(context: Context) -> None:
    """The fused kernel against the scan, path by path."""
    for name, scenario in context.scenarios():
        prepared, paths = prepare(scenario), context.paths(65_536)
        begun = time.monotonic()
        try:
            found = context.kernel(prepared, paths)
        except NotFusable as error:
            context.add(scenario=name, takes_the_scan=str(error), **_expected_to_fit(name))
            continue
        except Exception as error:  # reported, and the next scenario is tried
            context.add(scenario=name, agrees=False, failed=f"{type(error).__name__}: {error}"[:1500])
            continue
        seconds = time.monotonic() - begun
        context.add(scenario=name, first_call_seconds=seconds, **_difference(found, context.scan(prepared, paths)))


def chunks(context: Context) -> None:
    """A path has the same bits wherever its block begins."""
    for name, scenario in context.scenarios():
        prepared = prepare(scenario)
        count = len(context.paths(65_536))
        at = count // 2 + 1  # no multiple of any block
        for kernel, run in (("scan", context.scan), ("fused", context.kernel)):
            try:
                first, second = run(prepared, context.paths(65_536)), run(prepared, context.paths(65_536, at))
            except NotFusable as error:
                context.add(scenario=name, kernel=kernel, takes_the_scan=str(error), **_expected_to_fit(name))
                continue
            except Exception as error:  # reported, and the next is tried
                context.add(scenario=name, kernel=kernel, agrees=False, failed=f"{type(error).__name__}: {error}"[:500])
                continue
            same = all(np.array_equal(first[key][at:], second[key][: count - at]) for key in first)
            context.add(scenario=name, kernel=kernel, agrees=same)


def gradients(context: Context) -> None:
    """Forward and backward derivatives by the scan here against forward ones on the CPU."""
    host = jax.devices("cpu")[0]
    for name, scenario in context.scenarios():

        def mean(feedback, scenario=scenario):
            moved = eqx.tree_at(lambda s: s.channels.feedback, scenario, feedback)
            return jnp.mean(path_losses(prepare(moved), seed_key(1), context.paths(1024), checkpoint=True)["max_drawdown_index"])

        forward = lambda mean=mean: float(jax.jit(lambda x: jax.jvp(mean, (x,), (jnp.ones_like(x),))[1])(jnp.float32(1.0)))
        begun = time.monotonic()
        here, backward = forward(), float(jax.jit(jax.grad(mean))(jnp.float32(1.0)))
        seconds = time.monotonic() - begun
        with jax.default_device(host):
            expected = forward()
        worst = max(abs(here - expected), abs(backward - expected)) / max(abs(expected), 1e-12)
        context.add(scenario=name, forward=here, backward=backward, cpu=expected, seconds=seconds, agrees=worst < 0.02)
        if context.left() < 0.3 * seconds:
            return


def shapes(context: Context) -> None:
    """Blocks, warps, and where the scenario's numbers are read: which is fastest."""
    cuts = [(128, 4), (64, 2)] if context.on_cpu else [(128, 4), (64, 2), (32, 1), (256, 8), (256, 4), (128, 2), (512, 8)]
    names = dict(context.scenarios())
    for name in [one for one in ("reference", "btc_24h", "btc_shock_10pct") if one in names]:
        prepared, paths = prepare(names[name]), context.paths(2**20)
        for apart in (True, False):
            for block, warps in cuts:
                if context.left() < 0.0:
                    return
                cut = fused.Shape(block, warps, apart)
                try:
                    compiling, seconds = _timed(partial(context.kernel, prepared, paths, cut), context.left())
                except Exception as error:  # reported, and the next is tried
                    context.add(scenario=name, **cut._asdict(), failed=f"{type(error).__name__}: {error}"[:500])
                    continue
                rate = len(paths) * names[name].settings.steps / seconds
                context.add(
                    scenario=name,
                    **cut._asdict(),
                    first_call_seconds=compiling,
                    path_steps_a_second=rate,
                    **_share(prepared, rate),
                )


def benchmark(context: Context) -> None:
    """Rates by kernel, precision, devices and paths: on the device alone, and with all losses brought to the host."""
    names = dict(context.scenarios())
    every, sizes = jax.local_devices(), [256] if context.on_cpu else [10**5, 10**6, 10**7, 10**8]
    plans = [("btc_24h", "fused", "float32"), ("reference", "fused", "float32"), ("btc_24h", "scan", "float32"),
             ("btc_24h", "scan", "float64"), ("reference", "scan", "float32"), ("btc_shock_10pct", "fused", "float32"),
             ("btc_shock_10pct", "scan", "float32"), ("reference", "scan", "float64")]  # fmt: skip
    rates: dict[tuple, float] = {}
    for devices in sorted({1, len(every)}):
        jax.local_devices = lambda devices=devices: every[:devices]
        for name, kernel, precision in [plan for plan in plans if plan[0] in names]:
            with blocks.numbers(precision == "float64"):
                prepared = prepare(names[name], np.dtype(precision))
                for count in sizes:
                    plan, work = (name, kernel, precision, devices), count * names[name].settings.steps
                    if plan in rates and work / rates[plan] > 0.25 * context.left():
                        break
                    if context.left() < 0.0:
                        return
                    told = {"scenario": name, "kernel": kernel, "precision": precision, "devices": devices, "paths": count}
                    try:
                        seconds = _whole(context, prepared, kernel, count)
                    except Exception as error:  # reported, and the next is tried
                        context.add(**told, failed=f"{type(error).__name__}: {error}"[:500])
                        break
                    rates[plan] = work / seconds
                    peak = max((one.memory_stats() or {}).get("peak_bytes_in_use", 0) for one in every[:devices])
                    share = _share(prepared, rates[plan] / devices) if precision == "float32" else {}
                    context.add(
                        **told, seconds=seconds, path_steps_a_second=rates[plan], peak_so_far_gibibytes=peak / 2**30, **share
                    )


def simulate(context: Context) -> None:
    """The public way, where what it needs is installed."""
    import jaxrisk as jr

    scenario, few = reference(4 if context.on_cpu else 1440), 64 if context.on_cpu else 10**6
    for kernel in ("scan", "auto") if context.on_cpu else ("scan", "fused", "auto"):
        begun = time.monotonic()
        try:
            result = jr.simulate(scenario, paths=few, seed=1, sample_paths=0, kernel=kernel)
        except ImportError as error:
            context.add(kernel=kernel, left_out=f"not installed: {error}")
            continue
        told = {key: result.info.get(key, "") for key in ("kernel", "kernel_why")}
        context.add(asked=kernel, **told, seconds=time.monotonic() - begun, mean=float(result["max_drawdown_index"].mean()))


def _whole(context: Context, prepared: Any, kernel: str, count: int) -> float:
    """Seconds of a run whose losses all reach the host, after one block to compile."""
    if kernel == "fused" and context.on_cpu:
        return _timed(lambda: context.kernel(prepared, context.paths(count)), 1.0)[1]
    size = blocks.block_size(prepared, kernel)
    with ThreadPoolExecutor(blocks.workers()) as pool:
        blocks.range_losses(pool, prepared, 1, 0, len(jax.local_devices()) * size, kernel=kernel)
        begun = time.monotonic()
        for first in range(0, count, 16 * size):
            blocks.range_losses(pool, prepared, 1, first, min(16 * size, count - first), kernel=kernel)
        return time.monotonic() - begun


def _timed(call: Callable[[], Any], left: float) -> tuple[float, float]:
    """Seconds of the first call, and of the quickest of up to five more."""
    times = []
    for _ in range(6):
        begun = time.monotonic()
        call()
        times.append(time.monotonic() - begun)
        if len(times) > 1 and sum(times) > left:
            break
    return times[0], min(times[1:])


def _share(prepared: Any, rate: float) -> dict[str, float]:
    """A rate as a share of what the instructions counted on paper allow."""
    kind = jax.devices()[0].device_kind
    machine = next((one for one in MACHINES if one.name.split()[0] in kind), None)
    try:
        return {} if machine is None else {"share_of_limit": rate / cost(prepared).limit(machine)}
    except NotFusable:
        return {}


def _expected_to_fit(name: str) -> dict[str, bool]:
    """The reference workload that takes the scan is a failure; what a shipped scenario takes is said."""
    return {"agrees": False} if name == "reference" else {}


def _difference(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """How far losses are apart, path by path, in units of the largest; times and yes-or-no losses aside."""
    count = len(next(iter(expected.values())))
    worst, means = np.zeros(count), 0.0
    for name, values in expected.items():
        if name.startswith(("time_to", "support_broken")):
            continue
        one, other = (np.asarray(x, np.float64).reshape(count, -1) for x in (found[name], values))
        size = np.abs(other).max() or 1.0
        worst = np.maximum(worst, np.abs(one - other).max(axis=1) / size)
        means = max(means, float(np.abs(one.mean(axis=0) - other.mean(axis=0)).max() / size))
    other_paths = float(np.mean(worst > CLOSE))
    return {"paths": count, "median_difference": float(np.median(worst)), "largest": float(worst.max()), "of_means": means,
            "share_beyond": other_paths, "agrees": other_paths <= APART and bool(np.isfinite(worst).all())}  # fmt: skip

"""All steps of a path as one kernel against the scan, its oracle: in interpret mode, and lowered for a GPU without one."""

import contextlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrisk as jr
from jaxrisk.batch import work
from jaxrisk.batch.configuration import configuration, differences
from jaxrisk.batch.configure import configure
from jaxrisk.batch.versions import versions
from jaxrisk.cascade import blocks, fused, path_losses, prepare, seed_key
from jaxrisk.cascade.kernel import NoKernel, chosen
from jaxrisk.cascade.straight import NotFusable, carried, straight
from jaxrisk.positions import Histogram

PATHS = 256
PATH = jax.ShapeDtypeStruct((), jnp.uint32)
FUNDS = {
    "venues.binance.insurance_fund": "1e7",
    "venues.hyperliquid.insurance_fund": "3e6",
    "venues.binance.liquidity_leakage": "0.3",
    "venues.hyperliquid.liquidity_leakage": "0.1",
    "run.rounds": "2",
}
"""Two venues with funds, books that reach into each other, and two rounds a step."""
ROUNDED = {"liquidation_fees": 5e-4, "insurance_fund_change": 1e-4, "insurance_fund_used": 1e-4}
"""What sums of small numbers lose in float32: with funds the scan itself is 2.3e-4, 4.4e-5 and 1.9e-5 from float64."""
OWED = {"venues.binance.insurance_fund": "1e7", "run.owed_by_class": "true"}
"""Who owes, and who pays, by class."""
SCENARIOS = {"btc_24h": ("btc_24h", {}), "btc_shock_10pct": ("btc_shock_10pct", {}), "funds": ("btc_shock_10pct", FUNDS),
             "owed": ("btc_24h", OWED)}  # fmt: skip


def asked(name: str, steps: int, kernel: str = "auto"):
    shipped, changes = SCENARIOS[name]
    return configure(jr.load(shipped, changes), 1, 1, steps, None, None, "plain", 0, 0, None, kernel)


def ready(name: str, steps: int):
    return prepare(asked(name, steps)[0])


@pytest.fixture
def make(gbm_market):
    crowd = Histogram(2e8, [10.0, 25.0], [0.5, 0.5], side=1)
    return lambda **more: gbm_market(crowd, horizon=1 / 365, steps=8, depth=4e9, volatility=1.5, engine_time=1e-5, **more)


@pytest.fixture
def small(make):
    return make(bridge=False)


def agree(found, expected) -> None:
    """Every loss of every path within what rounding makes of it."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        size = np.max(np.abs(values))
        close = ROUNDED.get(name, 2e-5)
        np.testing.assert_allclose(found[name], values, rtol=close, atol=close * float(size), err_msg=name)


def compared(prepared) -> dict:
    """Losses by the kernel, after they were found to be the scan's."""
    paths = jnp.arange(2**31, 2**31 + PATHS, dtype=jnp.uint32)
    found = fused.run_block(prepared, seed_key(7), paths, interpret=True)
    agree(found, jax.jit(lambda key, paths: path_losses(prepared, key, paths))(seed_key(7), paths))
    return found


@pytest.mark.slow
def test_the_scan_path_by_path(small):
    found = compared(prepare(small))
    assert float(jnp.max(found["liquidated_notional"])) > 1e7
    assert len(np.unique(found["log_return"])) == PATHS


@pytest.mark.slow
def test_the_scan_path_by_path_where_a_step_has_many_pieces(make):
    compared(prepare(make(bridge=True)))


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_scan_path_by_path_on_shipped_scenarios(name):
    found = compared(ready(name, 24))
    assert float(jnp.max(found["liquidated_notional"])) > 1e6


@pytest.mark.slow
def test_a_path_does_not_depend_on_its_block(small):
    prepared, paths = prepare(small), jnp.arange(PATHS, dtype=jnp.uint32)
    whole = fused.run_block(prepared, seed_key(1), paths, interpret=True)
    for shape, some in ((fused.SHAPE, paths[128:]), (fused.Shape(64, 2, False), paths)):
        part = fused.run_block(prepared, seed_key(1), some, shape=shape, interpret=True)
        agree(part, {name: values[-len(some) :] for name, values in whole.items()})


@contextlib.contextmanager
def as_for_a_gpu():
    """JAX from 0.12 on asks for which GPU a kernel is lowered, and has no public way to be told outside of a mesh."""
    try:
        from jax._src.pallas.triton import gpu_info
    except ImportError:
        yield
        return
    kind = jax.devices()[0].device_kind
    gpu_info.registry[kind] = lambda: gpu_info.get_gpu_info_from_version(gpu_info.GpuVersion.H100)
    try:
        yield
    finally:
        del gpu_info.registry[kind]


def lowered(prepared) -> str:
    arrays, words = eqx.partition(prepared, eqx.is_array)
    run = lambda arrays, key, paths: fused.fused_losses(eqx.combine(arrays, words), key, paths)
    traced = jax.jit(run).trace(arrays, seed_key(1), jnp.arange(PATHS, dtype=jnp.uint32))
    with as_for_a_gpu():
        return traced.lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.slow
def test_it_is_one_kernel_for_a_gpu(small):
    assert lowered(prepare(small)).count("stablehlo.custom_call @__gpu$xla.gpu.triton") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_shipped_scenarios_are_one_kernel_for_a_gpu(name):
    assert lowered(ready(name, 1440)).count("stablehlo.custom_call @__gpu$xla.gpu.triton") == 1


@pytest.mark.slow
def test_what_it_cannot_take_is_named(small):
    with pytest.raises(NotFusable, match=r"32-bit numbers only, and the precision is float64"), jax.enable_x64(True):
        fused.plan_of(prepare(small, jnp.float64), seed_key(1), PATH)
    sorts, _ = straight(lambda x: jnp.sort(x), jax.ShapeDtypeStruct((3,), jnp.float32))
    with pytest.raises(NotFusable, match=r"no rule: sort"):
        fused._check(sorts.equations)
    with pytest.raises(NotFusable, match=r"a loop of 100 rounds, and 16 at most"):
        straight(lambda x: jax.lax.fori_loop(0, 100, lambda _, x: jnp.sin(x), x), 1.0)
    with pytest.raises(ValueError, match=r"100 paths are no multiple of the kernel's block of 128"):
        fused.fused_losses(prepare(small), seed_key(1), jnp.arange(100, dtype=jnp.uint32), interpret=True)


@pytest.mark.slow
def test_a_state_that_does_not_fit_into_registers():
    prepared = prepare(jr.load("three_venues_shock_24h"))
    with pytest.raises(NotFusable, match=r"\d{3} numbers of a path change from step to step, and 160 at most fit into registers"):
        fused.plan_of(prepared, seed_key(1), PATH)
    with pytest.raises(NotFusable, match=r"a path's state has [\d,]+ numbers, too many for registers"):
        fused.plan_of(prepare(jr.load("cross_margin_24h")), seed_key(1), PATH)


def test_what_no_loss_hangs_on_is_not_carried():
    step, _ = straight(lambda a, b, c, d: (a + b, b * 2.0, c + a, d), *(jax.ShapeDtypeStruct((), jnp.float32),) * 4)
    assert carried(step, {0}) == {0, 1}
    assert carried(step, {2}) == {0, 1, 2}
    assert carried(step, {1, 3}) == {1, 3}


@pytest.mark.slow
def test_a_cpu_has_the_scan(small):
    prepared = prepare(small)
    assert chosen("scan", prepared) == ("scan", "")
    assert chosen("auto", prepared)[0] == "scan"
    with pytest.raises(NoKernel, match=r"^the fused kernel is for GPUs, and JAX computes on this machine's CPU; take scan"):
        chosen("fused", prepared)
    with pytest.raises(ValueError, match="for GPUs"):
        jr.simulate(small, paths=8, kernel="fused")
    with pytest.raises(ValueError, match=r'kernel = "fusd": auto, scan or fused is allowed'):
        jr.simulate(small, paths=8, kernel="fusd")


@pytest.fixture
def gpu(monkeypatch):
    """A CPU that says it is a GPU, and interprets kernels."""
    run = fused.run_block
    monkeypatch.setattr(fused, "BLOCK", PATHS)
    monkeypatch.setattr(fused, "run_block", lambda *arguments, **named: run(*arguments, **named, interpret=True))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


@pytest.mark.slow
def test_a_gpu_has_the_kernel_where_it_fits(small, gpu, monkeypatch):
    prepared = prepare(small)
    assert chosen("auto", prepared) == chosen("fused", prepared) == ("fused", "")
    monkeypatch.setattr(fused, "MOST_CARRIED", 3)
    monkeypatch.setattr(fused, "BLOCK", 2 * PATHS)  # a program of its own, traced anew
    kernel, why = chosen("auto", prepared)
    assert kernel == "scan"
    assert "and 3 at most fit into registers" in why
    with pytest.raises(NoKernel, match="and 3 at most fit into registers"):
        chosen("fused", prepared)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("ptxas exited with 255\nand more", ("scan", "the compiler of the fused kernel has failed: ptxas exited with 255")),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 12345 bytes.", ("fused", "")),
        ("RESOURCE_EXHAUSTED: Shared memory size limit exceeded",
         ("scan", "the compiler of the fused kernel has failed: RESOURCE_EXHAUSTED: Shared memory size limit exceeded")),
    ],
)  # fmt: skip
def test_a_compiler_that_fails_is_told_from_a_device_that_is_full(small, monkeypatch, told, expected):
    def fails(*arguments):
        raise jax.errors.JaxRuntimeError(told)

    prepared = prepare(small)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(fused, "run_block", fails)
    assert chosen("auto", prepared) == expected


@pytest.mark.slow
def test_a_run_has_the_losses_of_its_kernel(small, gpu, monkeypatch):
    """In blocks of which the last is filled up, from a path within a block on."""
    ran = []

    def counting(prepared, key, paths, source):
        ran.append(len(paths))
        return fused.run_block(prepared, key, paths, source)

    monkeypatch.setattr(blocks, "BLOCK_FUSED", PATHS)
    monkeypatch.setattr(blocks, "BLOCK_DEFAULT", PATHS)
    monkeypatch.setitem(blocks.RUN, "fused", counting)
    run = lambda kernel: jr.simulate(small, paths=PATHS + 7, first_path=3, seed=7, sample_paths=0, kernel=kernel)
    found = run("fused")
    assert ran == [PATHS, PATHS]
    assert found.info["kernel"] == "fused"
    expected = run("scan")
    assert len(ran) == 2
    agree(found.losses, expected.losses)


def test_a_block_is_not_cut_below_what_its_kernel_takes(small, monkeypatch):
    sizes = []

    def full(prepared, key, paths, source):
        sizes.append(len(paths))
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    prepared = prepare(small)
    monkeypatch.setattr(blocks, "_parts", {})
    monkeypatch.setattr(blocks, "BLOCK_FUSED", PATHS)
    monkeypatch.setitem(blocks.RUN, "fused", full)
    with pytest.raises(MemoryError, match="for 128 paths of this scenario"):
        list(blocks.chunks(prepared, 1, 0, PATHS, PATHS, kernel="fused"))
    assert set(sizes) == {256, 128}


def test_a_worker_that_cannot_run_the_kernel_is_refused(small, monkeypatch):
    def cannot(*arguments):
        raise NoKernel("the fused kernel is for GPUs")

    run = configure(small, 8, 1, None, None, None, "plain", 0, 0, None, "fused")[1]
    task = work.Task(vars(run), 0, 8, "digest", versions(), None, None, 1, None, "cpu", 256)
    monkeypatch.setattr(work, "_engine", cannot)
    kind, words, number = work.work(task).problem
    assert (kind, number) == ("refused", 0)
    assert "cannot run the kernel (the fused kernel is for GPUs)" in words


def test_a_run_on_a_gpu_is_that_of_its_kernel_alone(small, monkeypatch):
    runs = {kernel: configure(small, 8, 1, None, None, None, "plain", 0, 0, None, kernel)[1] for kernel in ("scan", "fused")}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "kernel" not in configuration(small, runs["scan"], 256)
    assert differences(*(configuration(small, run, 256) for run in runs.values())) == "kernel was not there and is fused"

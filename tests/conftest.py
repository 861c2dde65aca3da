"""Array shapes and types that annotations promise are checked while the tests run; `tests/oracles` is importable as `oracles`."""

import contextlib
import ctypes
import functools
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # loading a kept program prints pages otherwise

import jax
import pytest
from jax._src import compiler
from jaxtyping import install_import_hook

with contextlib.suppress(ImportError):
    import tyro  # noqa: F401  # hashes all of `builtins` when it is imported, where an example in a docstring leaves its last value

_CHECKED = ["jaxrisk.market", "jaxrisk.positions", "jaxrisk.cascade", "jaxrisk.risk"]
install_import_hook(_CHECKED, "beartype.beartype").__enter__()

sys.path.insert(0, str(Path(__file__).parent))

PATIENCE = 300_000
"""Milliseconds that a browser is waited for on a machine that has much else to do."""
_FOLDER = "JAX_COMPILATION_CACHE_DIR"
_made = None


def pytest_configure():
    """A program is compiled once a run, whichever worker, file or subprocess asks for it first: the first process makes the
    folder, the others find it in their environment."""
    global _made
    if _FOLDER not in os.environ:
        os.environ[_FOLDER] = _made = tempfile.mkdtemp(prefix="jaxrisk-tests-")
    jax.config.update("jax_compilation_cache_dir", os.environ[_FOLDER])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def pytest_unconfigure():
    """The folder goes with the process that made it."""
    if _made is not None:
        shutil.rmtree(_made, ignore_errors=True)


_LONG_EXAMPLES = {
    f"jaxrisk.{name}"
    for name in (
        "batch.run.simulate",
        "risk.rare.splitting.splitting",
        "studies.rare_event.rare_event",
        "studies.reverse_stress.reverse_stress",
        "studies.sensitivity.sensitivity",
    )
}


_LONGEST = (
    "studies/test_sensitivity.py",
    "cascade/test_exchange_invariants.py",
    "batch/test_simulate.py",
    "cascade/test_exchange_oracle.py",
    "positions/test_account.py",
    "positions/test_flow.py",
    "configs/test_shipped_scenarios.py",
    "tests/test_parameters.py",
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that no process is left with one when the others have done. Examples in docstrings cannot be
    marked where they stand."""
    ahead = lambda item: next((i for i, name in enumerate(_LONGEST) if str(item.path).endswith(name)), len(_LONGEST))
    items.sort(key=ahead)
    for item in items:
        if item.name in _LONG_EXAMPLES:
            item.add_marker(pytest.mark.slow)


@functools.cache
def _older_way() -> dict[str, bool]:
    """The compiler's option for it; none where it has no older way any more."""
    option = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x).lower(1.0).compile(compiler_options=option)
    except jax.errors.JaxRuntimeError:
        return {}
    return option


@pytest.fixture(autouse=True, scope="module")
def _compiled_for_its_file(request):
    """Loops are fused the older way, which takes two thirds of the time to compile, except in files marked `as_shipped`, and in
    the subprocesses that tests of the command line start; and where a file is marked `hurried` the compiler does not optimise.
    And compiled programs of a file are of little use to the next, and add up to gigabytes."""
    marked, options = {mark.name for mark in request.node.iter_markers()}, getattr(compiler, "get_compile_options", None)
    jax.config.update("jax_disable_most_optimizations", "hurried" in marked)
    if options is not None and "as_shipped" not in marked and jax.default_backend() == "cpu":
        # as XLA_FLAGS would, which a process reads once; jax has no public way for a process in between
        older = _older_way()
        compiler.get_compile_options = lambda *args, env_options_overrides=None, **kwargs: options(
            *args, env_options_overrides=older | dict(env_options_overrides or {}), **kwargs
        )
    yield
    if options is not None:
        compiler.get_compile_options = options
    jax.clear_caches()
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):  # what the compiler took stays with the process otherwise
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture
def quickly_compiled(monkeypatch):
    """Processes that a test starts compile the older way too."""
    flags = [f"--{name}={str(value).lower()}" for name, value in _older_way().items()]
    monkeypatch.setenv("XLA_FLAGS", " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip())


@pytest.fixture(scope="module")
def chromium():
    """An installed Chromium, driven; where there is none the test says so and is left out."""
    from jaxrisk.page.pdf import browser as installed

    driver = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
    if installed() is None:
        pytest.skip("no Chromium is installed")
    with driver.sync_playwright() as play:
        try:
            arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
            one = play.chromium.launch(executable_path=installed(), args=arguments, timeout=PATIENCE)
        except driver.Error as error:
            pytest.skip(f"Chromium does not start: {str(error).splitlines()[0]}")
        yield one
        one.close()

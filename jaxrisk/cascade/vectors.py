"""Programs with the widest vectors that a CPU has."""

import functools
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax

_OPTION = {"xla_cpu_prefer_vector_width": 512}


def compiled(function: Callable) -> Callable:
    """`equinox.filter_jit`, made when it is first called: what the compiler is told depends on the processor."""

    @functools.cache
    def made():
        return eqx.filter_jit(function, compiler_options=widest_vectors())

    @functools.wraps(function)
    def call(*arguments, **named):
        return made()(*arguments, **named)

    call.lower = lambda *arguments, **named: made().lower(*arguments, **named)  # type: ignore[attr-defined]
    return call


@functools.cache
def widest_vectors() -> dict[str, int] | None:
    """Options for the compiler: vectors of 512 bits where the processor has them, which the compiler does not use by itself."""
    if jax.default_backend() != "cpu" or "avx512f" not in _features():
        return None
    try:
        jax.jit(lambda x: x, compiler_options=_OPTION)(0.0)
    except jax.errors.JaxRuntimeError:  # a compiler that does not know the option
        return None
    return _OPTION


def _features() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return next((line.split() for line in lines if line.startswith("flags")), [])


__all__ = ["compiled", "widest_vectors"]

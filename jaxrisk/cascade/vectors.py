"""How wide the vectors of a CPU are that the compiler uses."""

import functools
from pathlib import Path

import jax

_OPTION = {"xla_cpu_prefer_vector_width": 512}


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


__all__ = ["widest_vectors"]

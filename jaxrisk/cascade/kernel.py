"""Which driver runs a scenario's paths: the scan, or the fused kernel where there is a GPU and the scenario fits."""

import jax
import jax.numpy as jnp

from . import fused
from .engine import COUNTERS, run_block, seed_key
from .room import FULL
from .source import AbstractSource
from .state import Prepared
from .straight import NotFusable

KERNELS = ("auto", "scan", "fused")
RUN = {"scan": run_block, "fused": fused.run_block}
"""What runs one block of paths, by kernel."""


class NoKernel(ValueError):
    """The kernel that is asked for cannot run the scenario here; says why."""


def chosen(kernel: str, prepared: Prepared, source: AbstractSource = COUNTERS) -> tuple[str, str]:
    """`"scan"` or `"fused"`, and, where `"auto"` was asked for and the scan is taken, why.

    **Raises:** `NoKernel` where the fused one is asked for and cannot be had.
    """
    if kernel == "scan":
        return "scan", ""
    why = _refused(prepared, source)
    if why and kernel == "fused":
        raise NoKernel(why)
    return ("scan" if why else "fused"), why


def _refused(prepared: Prepared, source: AbstractSource) -> str:
    """Why the fused kernel cannot run a scenario; empty where it can."""
    platform = jax.default_backend()
    if platform != "gpu":
        return f"the fused kernel is for GPUs, and JAX computes on this machine's {platform.upper()}; take scan or auto"
    try:
        jax.block_until_ready(fused.run_block(prepared, seed_key(0), jnp.zeros(fused.BLOCK, jnp.uint32), source))
    except NotFusable as error:
        return str(error)
    except MemoryError:
        raise
    except Exception as error:  # whatever a compiler for GPUs makes of a program that it does not like
        told = str(error).strip() or type(error).__name__
        # it has compiled, and others fill the device now: met block by block; too little shared memory is the compiler's own
        if FULL in told and "shared memory" not in told.lower():
            return ""
        return f"the compiler of the fused kernel has failed: {told.splitlines()[0][:200]}"
    return ""


__all__ = ["KERNELS", "RUN", "NoKernel", "chosen"]

"""What is to be run: a scenario made ready, its chunks, and where their losses go."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from ..cascade import path_losses, seed_key
from ..cascade.blocks import block_size, whole_blocks
from ..observables import DIMS
from ..scenario import coordinates
from ..storage.chunks import Plan
from ..storage.manifest import Kind
from ..storage.remote import is_remote, place_of
from ..storage.store_place import is_store
from ..storage.writer import CONFIGURATION
from .carried import to_bytes
from .configuration import configuration, digest_of
from .configure import Run
from .describe import describe
from .sinks import AbstractSink, File, Memory, Stored, Tell
from .work import Engine, engine_of

BLOCKS = 8
"""Blocks a chunk, where nothing else is asked for."""
MOST_CHUNKS = 2_000
"""Chunks of a store beyond which each takes more paths, so that there are not too many files."""
MOST_BYTES = 2**28
"""Bytes of a chunk's losses beyond which it does not grow."""


class Planned(NamedTuple):
    """A run, all decided: `engine`, settings, `plan` with what there is to say, `found`: what its bits depend on, and its digest;
    `chunk`: paths of one."""

    scenario: Any
    engine: Engine
    run: Run
    plan: Plan
    found: dict[str, str]
    digest: str
    chunk: int


def planned(scenario, run: Run, chunk: int | None, out: Any) -> Planned:
    """Decide how a run is cut; call inside the run's precision (`cascade.blocks.numbers`)."""
    engine = engine_of(scenario, run)
    run = eqx.tree_at(lambda run: run.kernel, run, engine.kernel)
    block = block_size(engine.prepared, engine.kernel)
    found = configuration(scenario, run, block)
    digest = digest_of(found)
    info = {**describe(scenario, run, engine.prepared), **_driver(engine), CONFIGURATION: digest}
    size = whole_blocks(engine.prepared, chunk or _default(engine, run, block, out), engine.kernel)
    return Planned(scenario, engine, run, Plan({}, coordinates(scenario), run.paths, info), found, digest, size)


def _driver(engine: Engine) -> dict[str, str]:
    """What a result says of the kernel; on a CPU there is one."""
    if jax.default_backend() == "cpu":
        return {}
    return {"kernel": engine.kernel} | ({"kernel_why": engine.why} if engine.why else {})


def sink_of(made: Planned, out: str | os.PathLike | None, force: bool, tell: Tell) -> AbstractSink:
    """Where its losses go.

    **Raises:** `OSError` in words, as `storage.writer.ResultWriter` and `storage.store.Store`.
    """
    if out is None:
        return Memory(made.plan, made.chunk)
    if not is_store(out):
        return File(out, made.plan, made.chunk, tell, force)
    shapes = kinds(made.engine, made.run)
    plan = made.plan._replace(dims={name: DIMS.get(name, ()) for name in shapes})
    scenario = _carried(made.scenario)
    place = Path(os.path.realpath(out)) if not is_remote(out) and os.path.islink(out) else place_of(out)
    return Stored(place, plan, made.chunk, shapes, made.found, made.digest, scenario, force, tell)


def kinds(engine: Engine, run: Run) -> Mapping[str, Kind]:
    """Shapes and types of one path's losses; nothing is run."""
    losses = lambda prepared: path_losses(prepared, seed_key(run.seed), jnp.zeros(1, jnp.uint32), engine.source)
    found = eqx.filter_eval_shape(losses, engine.prepared)
    return {name: Kind(tuple(shape.shape[1:]), shape.dtype.name) for name, shape in found.items()}


def _carried(scenario: Any) -> bytes:
    """A scenario for workers; empty where other processes cannot be sent it, which matters where there are any."""
    try:
        return to_bytes(scenario)
    except ValueError:
        return b""


def _default(engine: Engine, run: Run, block: int, out: Any) -> int:
    if out is None or not is_store(out):
        return BLOCKS * block
    wide = sum(math.prod(kind.shape) for kind in kinds(engine, run).values()) * (8 if run.precision == "float64" else 4)
    most = max(block, MOST_BYTES // wide)
    return max(block, min(max(BLOCKS * block, math.ceil(run.paths / MOST_CHUNKS)), most))


__all__ = ["Planned", "kinds", "planned", "sink_of"]

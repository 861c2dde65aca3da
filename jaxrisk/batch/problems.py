"""What went wrong in a run, in words."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from ..cascade import record_block, seed_key
from ..cascade.engine import COUNTERS
from ..cascade.source import AbstractSource

_TOLD = 4


class NonFinite(ArithmeticError):
    """A number was not finite. `path` is the index to replay, `result` what was finished before it."""

    def __init__(self, message: str, path: int):
        super().__init__(message)
        self.path = path
        self.result = None


class SetAside(NonFinite):
    """Some chunks failed, each time they were tried, and were set aside; all others are finished.

    `ranges`: first path and end of each; `path`: the first that is known to be not finite, else the first that was set aside;
    `result`: all that was finished.
    """

    def __init__(self, reasons: Sequence[tuple[int, int, str]], path: int):
        told = [f"paths {first:,} to {until - 1:,}: {why}" for first, until, why in reasons[:_TOLD]]
        more = f"; and {len(reasons) - _TOLD} more" if len(reasons) > _TOLD else ""
        many = "1 chunk was" if len(reasons) == 1 else f"{len(reasons):,} chunks were"
        super().__init__(f"{many} set aside: {'; '.join(told)}{more}", path)
        self.ranges = [(first, until) for first, until, _ in reasons]


class WorkersRefused(ValueError):
    """Workers have other versions than what they are sent by, so that paths could have other bits."""


class WorkersLost(RuntimeError):
    """Nobody is left to run what is not finished; `result` is what was."""

    def __init__(self, message: str):
        super().__init__(message)
        self.result = None


def locate(prepared, seed: int, path: int, names: Sequence[str] = (), source: AbstractSource = COUNTERS) -> str:
    """Say which observable of a path is not finite, and at which step it first was not.

    **Arguments:** `names`: observables that were not finite at the end, which are named where every step is.
    """
    recorded = record_block(prepared, seed_key(seed), jnp.full((1,), path, jnp.uint32), 1, source)
    first = {}
    for name, values in recorded._asdict().items():
        bad = ~np.isfinite(np.asarray(values)[:, 0]).reshape(len(values), -1).all(axis=1)
        if bad.any():
            first[name] = int(np.argmax(bad)) + 1
    replay = f"replay with first_path={path}, paths=1"
    if not first:
        which = ", ".join(names) or "a summary"
        return f"path {path} (seed {seed}): {which} not finite at the end although every step's price is; {replay}"
    name = min(first, key=first.get)
    return f"path {path} (seed {seed}): {name} is not finite from step {first[name]} on; {replay}"

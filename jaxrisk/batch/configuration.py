"""What the bits of a run depend on, by name, so that one run can be told from another, and in what they differ."""

import hashlib
import json
from collections.abc import Mapping

import jax

from .carried import named
from .configure import Run
from .versions import versions

_WORDS = ("description.source_text", "description.paths", "description.seed", "description.precision", "description.sample_paths")
"""Parts of a scenario that are said otherwise, or are comments."""
_FEW = 6
"""Differences that are told one by one."""
_LONG = 60
"""Characters of a value beyond which its end is left out."""


def configuration(scenario, run: Run, block: int) -> dict[str, str]:
    """Settings, the scenario's numbers and labels, versions and kind of device, by dotted name.

    **Arguments:** `block`: paths in one compiled block, `cascade.blocks.block_size`.
    """
    settings = {
        name: str(getattr(run, name)) for name in ("paths", "first_path", "seed", "precision", "sampling", "sample_paths")
    }
    parts = {name: text for name, text in named(scenario).items() if name not in _WORDS}
    kept = {f"version of {name}": number for name, number in versions().items()}
    platform = jax.default_backend()
    # not said of the scan, so that what was begun when there was no other goes on
    kernel = {"kernel": "fused"} if run.kernel == "fused" else {}
    return {**settings, **parts, **kept, **kernel, "platform": platform, "block": str(block)}


def digest_of(found: Mapping[str, str]) -> str:
    """SHA-256 of a configuration: runs with one digest have the same bits.

    >>> digest_of({"seed": "1", "paths": "5"}) == digest_of({"paths": "5", "seed": "1"})
    True
    """
    return hashlib.sha256(json.dumps(dict(found), sort_keys=True).encode()).hexdigest()


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In what two configurations differ, in words.

    >>> differences({"seed": "1", "paths": "5"}, {"seed": "2", "paths": "5"})
    'seed was 1 and is 2'
    """
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    told = [f"{name} {_words(before.get(name), now.get(name))}" for name in names[:_FEW]]
    return "; ".join(told) + (f"; and {len(names) - _FEW} more" if len(names) > _FEW else "")


def _words(before: str | None, now: str | None) -> str:
    short = lambda text: repr(text) if text == "" else text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
    if before is None:
        return f"was not there and is {short(now or '')}"
    return f"was {short(before)} and is {'no longer there' if now is None else short(now)}"


__all__ = ["configuration", "differences", "digest_of"]

"""Where the noise of a path comes from: its counters, or something that shifts, mirrors, splices or replaces them."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .bridge import numbers
from .noise import many_words, normal, uniform, words
from .state import Noise, Prepared

STREAM = 0x5354_4152
"""Sets the key of draws of the market's state at time zero apart from that of all else."""


class AbstractSource(eqx.Module):
    """The noise of a path, one step at a time. `path` is one entry of whatever is simulated over: a uint32 index for most."""

    @abc.abstractmethod
    def start(self, prepared: Prepared, key: Any, path: Any) -> tuple[Any, Any]:
        """The uniforms for draws before the first step, shape `(1 + market.noise().first,)`, of which the first is the shock's;
        and what the source remembers along the path (a pytree of arrays)."""

    @abc.abstractmethod
    def step(self, prepared: Prepared, key: Any, path: Any, memory: Any, index: Any) -> tuple[Noise, Any]:
        """The noise of step `index`, and what is remembered after it."""

    @abc.abstractmethod
    def losses(self, memory: Any) -> dict[str, Any]:
        """What the source itself says of a finished path, such as `log_weight`; a dictionary of arrays."""


class Counters(AbstractSource):
    """The scenario's own law: a pure function of seed, path index and step."""

    def start(self, prepared, key, path):
        return first_uniforms(prepared, key, path), ()

    def step(self, prepared, key, path, memory, index):
        return draw(prepared, key, path, index), ()

    def losses(self, memory):
        return {}


def first_uniforms(prepared: Prepared, key, path):
    """The uniforms of a path for draws before the first step: that of the shock, and those of the market's state, which come from
    a key of their own and so from no step's counters, however many there are."""
    drawn = words(key, path, jnp.uint32(0), 1)
    drawn += words((key[0] ^ jnp.uint32(STREAM), key[1]), path, jnp.uint32(0), prepared.scenario.market.noise().first)
    return jnp.stack([uniform(word, prepared.decay.dtype) for word in drawn])


def draw(prepared: Prepared, key, path, index) -> Noise:
    """The noise of one step of one path."""
    scenario, dtype = prepared.scenario, prepared.decay.dtype
    shape = scenario.market.noise()
    assets = prepared.decay.shape[0]
    bridges = numbers(scenario.settings.steps) * assets if scenario.settings.bridge else 0
    # block 0 belongs to the draws before the first step
    block, first = index.astype(jnp.uint32) + jnp.uint32(1), shape.normals + shape.uniforms
    # the many numbers of a step in pieces at once: one by one they would take minutes to compile
    drawn = words(key, path, block, first + bridges) if bridges <= 2 * assets else many_words(key, path, block, first + bridges)
    stack = lambda values: jnp.stack(values) if values else jnp.zeros((0,), dtype)
    bridge = None
    if bridges:
        inside = drawn[first:]
        bridge = uniform(jnp.stack(inside) if isinstance(inside, list) else inside, dtype).reshape(assets, -1)
    return Noise(
        normals=stack([normal(drawn[i], dtype) for i in range(shape.normals)]),
        uniforms=stack([uniform(drawn[i], dtype) for i in range(shape.normals, first)]),
        bridge=bridge,
    )


__all__ = ["AbstractSource", "Counters", "draw", "first_uniforms"]

"""What drives a path and can be steered: the normals of every step, the jumps, and smooth profiles of both in time."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..._leaf import Array
from ...cascade.state import Prepared
from ...market import GBM, Bates, Heston, Kou, LogVariance, Merton

STEERED = (GBM, Merton, Kou, Heston, Bates, LogVariance)


class NotSteerableError(ValueError):
    """The market's law cannot be steered: it has no normals that a path could be pushed along."""


class Drivers(NamedTuple):
    """Places of the driving noise in what a step consumes. Static, but for the rates.

    **Fields:**

    - `normals`: places of the normals that act at every step; `labels`: what each drives, `("variance", "BTC")`.
    - `jump_uniforms`: places of the uniforms whose smallness means a jump, of the sources of jumps that have a rate;
      `jump_sizes`: place of each source's size, a normal, or the uniform of its first jump where `sizes_uniform`;
      `jump_labels`: the asset's name, or `"all"` for the common jumps.
    - `survival`: probability of more than `k` jumps in a step. Shape `(sources, max_jumps)`, float64.
    """

    normals: tuple[int, ...]
    labels: tuple[tuple[str, str], ...]
    jump_uniforms: tuple[int, ...]
    jump_sizes: tuple[int, ...]
    jump_labels: tuple[str, ...]
    sizes_uniform: bool
    survival: np.ndarray


def drivers(prepared: Prepared, called: tuple[str, ...] | None = None) -> Drivers:
    """What drives the paths of a prepared scenario, whose assets are called by their numbers unless names are given.

    **Raises:** `NotSteerableError` for a law without normals (GARCH, bootstrap, replay).
    """
    market: Any = prepared.scenario.market
    assets: tuple[str, ...] = called or prepared.scenario.names.assets
    if not isinstance(market, STEERED):
        known = ", ".join(kind.__name__ for kind in STEERED)
        raise NotSteerableError(
            f"market {type(market).__name__}: its noise cannot be steered by gradient; {known} can. "
            'Splitting needs no gradient: rare_event(..., method="splitting")'
        )
    count = len(assets)
    prices = tuple(("price", name) for name in assets)
    stochastic = isinstance(market, (Heston, Bates))
    labels = tuple(("variance", name) for name in assets) + prices if stochastic else prices
    if isinstance(market, LogVariance):
        factors = range(1, market.factors() + 1)
        labels = tuple((f"variance {k}" if len(factors) > 1 else "variance", name) for k in factors for name in assets) + prices
    steered = len(labels)
    if isinstance(market, (GBM, Heston)) or getattr(market, "jump_rate", 0.0) is None:
        return Drivers(tuple(range(steered)), labels, (), (), (), False, np.zeros((0, 1)))
    rates = prepared.market.rates if isinstance(market, Kou) else prepared.market.jumps.rates
    survival = np.asarray(rates.own, np.float64)
    names = assets
    if count > 1:
        survival = np.concatenate([survival, np.asarray(rates.common, np.float64)[None]])
        names = (*assets, "all")
    some = [j for j in range(len(names)) if survival[j, 0] > 0.0]
    # a normal of its own for the size of each source's jumps; Kou's sizes are uniforms after those of the numbers
    first = len(names) if isinstance(market, Kou) else steered
    return Drivers(
        normals=tuple(range(steered)),
        labels=labels,
        jump_uniforms=tuple(some),
        jump_sizes=tuple(first + j for j in some),
        jump_labels=tuple(names[j] for j in some),
        sizes_uniform=isinstance(market, Kou),
        survival=survival[some],
    )


def cosines(steps: int, number: int) -> Float[Array, "steps number"]:
    r"""Profiles in time, from slow to fast: $\sqrt{2/n}\cos(\pi b (t + \tfrac12)/n)$, the first of them constant.

    Orthonormal over the steps, so that a white noise has independent standard normal coefficients and half the squared norm of
    the coefficients is that of the noise. Float64.

    >>> profiles = cosines(24, 5)
    >>> bool(np.allclose(profiles.T @ profiles, np.eye(5)))
    True
    """
    number = min(number, steps)
    time = (np.arange(steps) + 0.5) / steps
    profiles = np.cos(np.pi * time[:, None] * np.arange(number)) * np.sqrt(2.0 / steps)
    profiles[:, 0] = steps**-0.5
    return profiles


def placed(values: Float[Array, " some"], places: tuple[int, ...], length: int) -> Float[Array, " all"]:
    """Zeros, with each value at its place; by concatenation, which needs no scatter.

    >>> placed(jnp.array([1.0, 2.0]), (2, 0), 3).tolist()
    [2.0, 0.0, 1.0]
    """
    zero = jnp.zeros((), values.dtype)
    where = {place: k for k, place in enumerate(places)}
    return jnp.stack([values[where[i]] if i in where else zero for i in range(length)]) if length else jnp.zeros(0, values.dtype)


def replaced(values, replacements, places: tuple[int, ...]):
    """Values with some of them replaced."""
    where = {place: k for k, place in enumerate(places)}
    return jnp.stack([replacements[where[i]] if i in where else values[i] for i in range(values.shape[0])])


__all__ = ["STEERED", "Drivers", "NotSteerableError", "cosines", "drivers", "placed", "replaced"]

"""Tiers whose rate applies to the whole position: which tier a notional lies in, and where a position first falls short.

At an edge the requirement jumps. Of each tier the prices at which a position falls short are one stretch: for a long in linear
contracts the lower part of the tier's prices, for a short the upper part.
"""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array

UNDER = 1e-5
"""What is closed down to the tier below ends up this far under the edge, relative: the edge itself belongs to the tier above."""


def _slack(x):
    """One, and a little: a notional that was worked out to be at an edge is at it, whatever the rounding."""
    return 1.0 + 8.0 * float(jnp.finfo(x.dtype).eps)


def _in_tier(notional, floor):
    """Which tier each notional lies in, shape `(positions, levels)`: of rows with one floor the last."""
    reached = notional[:, None] * _slack(notional) >= floor
    return reached & ~jnp.concatenate([reached[:, 1:], jnp.zeros_like(reached[:, :1])], axis=-1)


def rate_of(
    notional: Float[Array, " positions"], floor: Float[Array, "positions levels"], rate: Float[Array, "positions levels"]
) -> Float[Array, " positions"]:
    """Maintenance rate of the tier that each notional (USD) lies in.

    >>> float(rate_of(jnp.array([5e4]), jnp.array([[0.0, 5e4]]), jnp.array([[0.004, 0.01]]))[0]) > 0.005
    True
    """
    return jnp.sum(jnp.where(_in_tier(notional, floor), rate, 0.0), axis=-1)


def tier_floor(notional: Float[Array, " positions"], floor: Float[Array, "positions levels"]) -> Float[Array, " positions"]:
    """Notional just under the floor of the tier that each lies in, USD; 0 in the lowest."""
    return (1.0 - UNDER) * jnp.sum(jnp.where(_in_tier(notional, floor), floor, 0.0), axis=-1)


def log_first_short(
    sign: Float[Array, " positions"],
    notional: Float[Array, " positions"],
    margin: Float[Array, " positions"],
    floor: Float[Array, "positions levels"],
    rate: Float[Array, "positions levels"],
    inverse: Bool[Array, " positions"],
    log_start: Float[Array, " positions"] | float = 0.0,
    only: Bool[Array, "positions levels"] | None = None,
) -> Float[Array, " positions"]:
    r"""Log over the entry price of the first price, as it moves against a position, at which equity is under $m_i N$.

    Linear contract of notional `N` at entry and collateral `c N`: in tier `i`, that is at price ratios from $f_i/N$ up to
    $f_{i+1}/N$, equity is too little beyond $x_i = (1 - s c)/(1 - s m_i)$: below it for a long, above it for a short. A long
    falls through the tiers from that of the start: it is liquidated in the first with $x_i > f_i/N$, at $x_i$. A short rises
    through them: it is liquidated at $x_i$, or at an edge, where the jump takes it. The notional of an inverse contract does not
    move with the price, so that one tier holds: $(s + m)/(s + c)$.

    **Arguments:** `sign`: +1 long, -1 short; `notional`: USD at entry; `margin`: collateral over it; `log_start`: where the price
    starts, log over the entry price; `only`: tiers in which being short counts, None for all.

    Returns `-inf` for a long, `inf` for a short, that is never short of margin. A position that falls short at the start has a
    price on the near side of it.
    """
    s, c, slack = sign[:, None], jnp.broadcast_to(margin, notional.shape)[:, None], _slack(notional)
    never = -sign * jnp.inf
    start = jnp.broadcast_to(jnp.exp(jnp.asarray(log_start, notional.dtype)), notional.shape)[:, None]
    near = floor / notional[:, None]
    far = jnp.concatenate([near[:, 1:], jnp.full_like(near[:, :1], jnp.inf)], axis=-1)
    # a multiple of a rate may be more than all of the notional, which no long's equity reaches
    slope = 1.0 - s * rate
    meets = jnp.where(slope > 0.0, (1.0 - s * c) / jnp.where(slope > 0.0, slope, 1.0), jnp.inf)
    long = s > 0.0
    at = jnp.where(long, jnp.minimum(meets, far), jnp.maximum(meets, near))
    falls_short = jnp.where(long, (at > near * slack) & (near <= start * slack), (at < far) & (far > start * slack))
    falls_short = falls_short if only is None else falls_short & only
    at = jnp.where(falls_short, at, never[:, None])
    linear = jnp.where(sign > 0.0, jnp.max(at, axis=-1), jnp.min(at, axis=-1))

    here = _in_tier(notional, floor)
    held = (s + c)[:, 0]
    counts = (held * sign > 0.0) & (True if only is None else jnp.any(here & only, axis=-1))
    coin = jnp.where(counts, (sign + rate_of(notional, floor, rate)) / jnp.where(counts, held, 1.0), never)
    ratio = jnp.where(inverse, coin, linear)
    positive = ratio > 0.0
    return jnp.where(positive, jnp.log(jnp.where(positive, ratio, 1.0)), -jnp.inf)


__all__ = ["UNDER", "log_first_short", "rate_of", "tier_floor"]

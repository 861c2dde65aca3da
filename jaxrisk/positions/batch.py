r"""What a batch of positions, liquidated together, leaves behind at a price.

A ladder knows of a batch only sums: quantity `q`, $\sum q b$ and $\sum q b^2$, with `b` the bankruptcy price over the initial
price less one (for inverse contracts the initial price over it less one). A position's result is linear in `b`, so its mean and
spread over the batch are known; it is taken to be spread evenly about the mean. That is exact for one position, and for triggers
that are spread evenly over a step's move; and unlike the sum alone it neither hides the shortfall of some behind what others have
left nor makes a whole batch bankrupt by a dollar.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array

Cells = Float[Array, "venues assets sides"]
LEAST = 1e-15
"""Quantity, USD, that counts as nothing: a backlog that decays is never zero, and the derivative of a ratio to it overflows."""
_POINT = 1e-5
"""Spread over quantity below which a batch is one price: rounding of its sums in single precision."""


class Batch(NamedTuple):
    """Sums over positions: `quantity`, USD at the initial price; `offset`, sum of `q b`; `square`, sum of `q b^2`; `final`,
    quantity that closes positions for good."""

    quantity: Cells
    offset: Cells
    square: Cells
    final: Cells

    def part(self, share) -> "Batch":
        """An even share of every position."""
        return Batch(*(share * x for x in self))

    def less(self, other: "Batch") -> "Batch":
        """Without some of it."""
        return Batch(*(x - y for x, y in zip(self, other, strict=True)))


class Outcome(NamedTuple):
    """Of a batch at a price: `shortfall` of bankrupt positions and `surplus` of the others, before fees, USD; `bankrupt`
    positions as a batch; their mean bankruptcy `price` over the initial price."""

    shortfall: Cells
    surplus: Cells
    bankrupt: Batch
    price: Cells


def contracts_of(inverse: tuple[bool, ...]) -> np.ndarray:
    """`inverse` along the venues of `(venues, assets, sides)`."""
    return np.array(inverse)[:, None, None]


def notional(quantity: Cells, ratio: Float[Array, "venues assets"], inverse: tuple[bool, ...]) -> Cells:
    """Worth of a quantity at a price over the initial one, USD: coin-margined contracts are of so many dollars at any price."""
    return quantity * jnp.where(contracts_of(inverse), 1.0, ratio[..., None])


def outcome_of(batch: Batch, ratio: Float[Array, "venues assets"], inverse: tuple[bool, ...]) -> Outcome:
    r"""Results at prices over the initial price, a unit: $s(x - B)$ for a linear contract, $s(x/B - 1)$ for an inverse one."""
    sign = jnp.asarray([1.0, -1.0], batch.quantity.dtype)
    x, coin = ratio[..., None], contracts_of(inverse)
    # a position's result is slope * (b - even): zero where its bankruptcy price is the price
    even = jnp.where(coin, 1.0 / x - 1.0, x - 1.0)
    slope = jnp.where(coin, sign * x, -sign)
    some = batch.quantity > LEAST
    whole = jnp.where(some, batch.quantity, 1.0)
    mean = batch.offset / whole
    variance = batch.square / whole - mean**2
    spread_out = variance > _POINT**2
    half = jnp.where(spread_out, jnp.sqrt(3.0 * jnp.where(spread_out, variance, 1.0)), 0.0) * jnp.abs(slope)
    result = slope * (mean - even)

    mixed = spread_out & (jnp.abs(result) < half)
    wide = jnp.where(mixed, half, 1.0)
    share = jnp.where(mixed, (wide - result) / (2.0 * wide), jnp.where(result < 0.0, 1.0, 0.0))
    loss = jnp.where(mixed, (wide - result) ** 2 / (4.0 * wide), jnp.where(result < 0.0, -result, 0.0))
    # of the bankrupt: evenly spread from zero on where only some are, else as the batch
    deepest = jnp.where(mixed, wide - result, 0.0)
    square = jnp.where(mixed, share * deepest**2 / 3.0, jnp.where(result < 0.0, result**2 + half**2 / 3.0, 0.0))
    offset = share * even - loss / slope
    second = share * even**2 - 2.0 * even * loss / slope + square / slope**2
    quantity = jnp.where(some, batch.quantity, 0.0)
    bankrupt = Batch(quantity * share, quantity * offset, quantity * second, batch.final * share)
    at = 1.0 + offset / jnp.where(share > 0.0, share, 1.0)
    price = jnp.where(share > 0.0, jnp.where(coin, 1.0 / jnp.maximum(at, 1e-6), at), x)
    return Outcome(quantity * loss, quantity * (result + loss), bankrupt, price)


__all__ = ["LEAST", "Batch", "Outcome", "contracts_of", "notional", "outcome_of"]

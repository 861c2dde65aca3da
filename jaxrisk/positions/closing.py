"""Who takes the other end of forced orders: forced orders of the other side, holders who close, new holders."""

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .book import Cells, Closed


def closed_against(forced: Cells, held: Cells, closes_opposite: Float[Array, " venues"]) -> Closed:
    """Forced sells meet forced buys first; of the rest a share is bought by shorts who close (sold by longs), as far as there
    are any, and what is left by new holders.

    Where all of the rest closes the other side, a ladder at once loses no less than the larger share of a side that was reached,
    and no more than both after each other, $1 - (1 - l)(1 - s)$: both grow with leverage. Between them it depends on whether two
    sides are reached in one step or in two. Where a part of the rest is taken by new holders, two sides in one step lose more
    than one after the other.

    **Arguments:** `forced`: of each side, sent to the market in one round; `held`: what each side's holders can close.
    """
    sold, bought = forced[..., 0], forced[..., 1]
    # not `minimum`: where both are zero its derivative is half of each
    matched = jnp.where(sold <= bought, sold, bought)
    rest = forced - matched[..., None]
    wanted = closes_opposite[:, None, None] * rest[..., ::-1]
    holders = jnp.where(wanted <= held, wanted, held)
    return Closed(matched, holders, rest - holders[..., ::-1])


__all__ = ["closed_against"]

"""Stop orders as a table over the log price, for every book."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .grid import Grid
from .rules import Stops
from .tables import SIDE_SIGN, deposit, distances, interpolate

NODES = 64


class Schedule(eqx.Module):
    """Cumulative quantity of stop orders as the mark runs against each side, USD at the initial price.

    **Fields:** `quantity`: by grid edge, shape `(venues, assets, sides, edges)`; `share`: of them that is sent when its price is
    reached, the others are kept, scalar; `grid`: static.
    """

    quantity: Float[Array, "venues assets sides edges"]
    share: Float[Array, ""]
    grid: Grid

    @property
    def total(self) -> Float[Array, "venues assets sides"]:
        """All stop orders."""
        return self.quantity[..., -1]

    def reached(self, low: Float[Array, "venues assets"], high: Float[Array, "venues assets"]):
        """Quantity sent as its price was reached, shape `(venues, assets, sides)`."""
        return self.share * interpolate(self.quantity, self.grid.coordinate(distances(low, high)))


def build_schedule(
    stops: list[Stops], price: Float[Array, " assets"], shape: tuple[int, int, int], grid: Grid, share=1.0
) -> Schedule | None:
    """Tabulate stop orders; None where there are none. Orders already beyond the initial price go with the first move."""
    if not stops:
        return None
    distances, quantities, bins = [], [], []
    even = (np.arange(NODES) + 0.5) / NODES
    for order in stops:
        side = 0 if order.side > 0 else 1
        first = SIDE_SIGN[side] * jnp.log(order.level / price[order.asset])
        distances.append(jnp.maximum(first + order.width * even, 0.0))
        quantities.append(jnp.broadcast_to(order.quantity / NODES, (NODES,)))
        bins.append(np.full(NODES, (order.venue * shape[1] + order.asset) * 2 + side, np.int32))
    distance, quantity = jnp.concatenate(distances), jnp.concatenate(quantities)
    table = deposit(grid, distance, quantity, jnp.asarray(np.concatenate(bins)), int(np.prod(shape)))
    return Schedule(table.reshape(*shape, -1), jnp.asarray(share, table.dtype), grid)


__all__ = ["Schedule", "build_schedule"]

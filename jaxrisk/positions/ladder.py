"""LadderBook: isolated positions as cumulative tables over the log price."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array
from .book import AbstractBook
from .grid import Grid

SIDE_SIGN = (-1.0, 1.0)
"""Direction from spot in which a side is liquidated: longs below, shorts above."""


class LadderState(NamedTuple):
    """Everything of shape `(venues, assets, sides)`, USD at the initial price.

    `reached`: the table's value at the running extreme; `scale`: share of the table's quantity that its holders have not closed
    voluntarily; `backlog`: triggered, not executed; `unlevered`: held by holders without a liquidation price.
    """

    reached: Float[Array, "venues assets sides"]
    scale: Float[Array, "venues assets sides"]
    backlog: Float[Array, "venues assets sides"]
    unlevered: Float[Array, "venues assets sides"]


class LadderBook(AbstractBook):
    """Cumulative quantity triggered as the mark reaches a price: two look-ups a step, whatever the number of positions.

    Exact, up to the grid's cell width, for isolated positions that were open at the start, with partial liquidation as
    tranches. Voluntary closing is pro rata over a side, which is an assumption about who closes, not an approximation of a rule.

    **Fields:**

    - `quantity`: cumulative quantity by grid edge, USD at the initial price. Shape `(venues, assets, sides, edges)`.
    - `class_notional`: cumulative notional at the trigger price by class, USD. Shape `(venues, assets, sides, classes, edges)`.
    - `unlevered`: quantity held without a liquidation price at the start. Shape `(venues, assets, sides)`.
    - `dropped`: quantity that was beyond its liquidation price at the start and left out. Same shape.
    - `balancing`: the part of `unlevered` that only makes up for a difference between longs and shorts as given. Same shape.
    - `grid`: static.
    """

    quantity: Float[Array, "venues assets sides edges"]
    class_notional: Float[Array, "venues assets sides classes edges"]
    unlevered: Float[Array, "venues assets sides"]
    dropped: Float[Array, "venues assets sides"]
    balancing: Float[Array, "venues assets sides"]
    grid: Grid

    def init(self) -> LadderState:
        zero = jnp.zeros_like(self.unlevered)
        return LadderState(zero, jnp.ones_like(zero), zero, self.unlevered)

    def distances(self, low, high):
        """How far the marks have run against each side, log price, shape `(venues, assets, sides)`."""
        return jnp.stack([-low, high], axis=-1)

    def triggered(self, distance) -> Float[Array, "venues assets sides"]:
        """Quantity whose liquidation price lies within a distance of the initial price."""
        return interpolate(self.quantity, self.grid.coordinate(distance))

    def trigger(self, state: LadderState, low, high) -> LadderState:
        reached = self.triggered(self.distances(low, high))
        backlog = state.backlog + state.scale * (reached - state.reached)
        return state._replace(reached=reached, backlog=backlog)

    def execute(self, state: LadderState, share, closes_opposite):
        executed = state.backlog * share[:, None, None]
        levered = state.scale * jnp.maximum(self.quantity[..., -1] - state.reached, 0.0)
        held = levered + state.unlevered
        # forced selling of longs is bought by shorts who close, and the other way round, as far as there are any
        bought = closes_opposite[:, None, None] * executed[..., ::-1]
        # not `minimum`: where both are zero its derivative is half of each
        closed = jnp.where(bought <= held, bought, held)
        kept = 1.0 - closed / jnp.where(held > 0.0, held, 1.0)
        unlevered = state.unlevered * kept + (executed - closed[..., ::-1])
        state = state._replace(backlog=state.backlog - executed, scale=state.scale * kept, unlevered=unlevered)
        return state, executed, closed

    def open_interest(self, state: LadderState) -> Float[Array, "venues assets sides"]:
        levered = state.scale * jnp.maximum(self.quantity[..., -1] - state.reached, 0.0)
        return levered + state.unlevered + state.backlog

    def class_shares(self, low, high) -> Float[Array, "venues assets sides classes"]:
        """How the notional triggered so far divides among the classes; zeros where nothing was."""
        coordinate = self.grid.coordinate(self.distances(low, high))
        by_class = interpolate(self.class_notional, coordinate[..., None])
        total = jnp.sum(by_class, axis=-1, keepdims=True)
        return by_class / jnp.where(total > 0.0, total, 1.0)


def interpolate(table: Float[Array, "*#cells edges"], coordinate: Float[Array, "*#cells"]):
    """Linear interpolation of each table at its own coordinate (in cells, within the table)."""
    cells = table.shape[-1] - 1
    below = jnp.clip(coordinate.astype(jnp.int32), 0, cells - 1)
    weight = coordinate - below
    shape = jnp.broadcast_shapes(table.shape[:-1], coordinate.shape)
    below = jnp.broadcast_to(below, shape)[..., None]
    take = lambda index: jnp.take_along_axis(table, index, axis=-1, mode="promise_in_bounds")[..., 0]
    low, high = take(below), take(below + 1)
    return low + weight * (high - low)


def deposit(grid: Grid, distance, values, bins: Int[Array, " positions"], count: int):
    """Cumulative tables of values triggered at distances, one table a bin, shape `(count, edges)`.

    Each value is shared among three cells by a quadratic B-spline about its coordinate, and the table is linear within a cell. So
    the mean distance is right; and the table moves smoothly with every liquidation price, its derivative spread about the true
    price rather than about the nearest edge. (With two cells the derivative of a loss wandered by up to a tenth with the place
    of a crowd in its cell.)
    """
    coordinate = grid.coordinate(distance)
    cell = jax.lax.stop_gradient(jnp.floor(coordinate))
    off = coordinate - cell - 0.5
    shares = (0.5 * (0.5 - off) ** 2, 0.75 - off**2, 0.5 * (0.5 + off) ** 2)
    neighbours = [jnp.clip(cell.astype(jnp.int32) + move, 0, grid.cells - 1) for move in (-1, 0, 1)]
    places = jnp.concatenate([bins * grid.cells + neighbour for neighbour in neighbours])
    parts = split(jnp.concatenate([bins] * 3), jnp.concatenate([values * share for share in shares]), count)
    density = [jnp.zeros(count * grid.cells, values.dtype).at[places].add(part).reshape(count, grid.cells) for part in parts]
    start = jnp.zeros((count, 1), values.dtype)
    return jnp.concatenate([start, sum(jnp.cumsum(part, axis=-1) for part in density)], axis=-1)


def split(bins: Int[Array, " positions"], values: Float[Array, " positions"], count: int):
    """Values as a coarse part, whose sums within a bin are exact in any order, and a fine part, whose sums are small.

    Added one by one in single precision, tens of thousands of values are off by 1e-4; this way by 1e-7. The coarse part is a
    multiple of a power of two large enough for a bin's total to stay within the mantissa.
    """
    fixed = jax.lax.stop_gradient(values)
    total = jnp.zeros(count, values.dtype).at[bins].add(jnp.abs(fixed))
    bits = jnp.finfo(values.dtype).nmant - 1
    unit = jnp.exp2(jnp.ceil(jnp.log2(jnp.where(total > 0.0, total, 1.0))) - bits)[bins]
    coarse = jnp.round(fixed / unit) * unit
    return coarse, values - coarse


def sum_into(bins: Int[Array, " positions"], values: Float[Array, " positions"], count: int) -> Float[Array, " count"]:
    """Sum of the values in each bin, shape `(count,)`."""
    return sum(jnp.zeros(count, values.dtype).at[bins].add(part) for part in split(bins, values, count))


__all__ = ["LadderBook", "LadderState", "deposit", "interpolate", "split", "sum_into"]

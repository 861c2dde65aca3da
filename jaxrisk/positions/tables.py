"""Cumulative tables over a grid of log prices: how they are filled and read."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array
from .grid import Grid

SIDE_SIGN = (-1.0, 1.0)
"""Direction from spot in which a side is liquidated: longs below, shorts above."""


def distances(low: Float[Array, "venues assets"], high: Float[Array, "venues assets"]) -> Float[Array, "venues assets sides"]:
    """How far the marks have run against each side, log price."""
    return jnp.stack([-low, high], axis=-1)


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
    return cumulated(densities(grid, distance, values[:, None], bins, count))[0]


def densities(
    grid: Grid, distance, values: Float[Array, "positions columns"], bins: Int[Array, " positions"], count: int, total=None
):
    """What `deposit` cumulates, of several values of each position: in each cell the parts of `split`, with those of a `total`
    that has been made before, or None. Shape `(count, cells, parts, columns)`."""
    columns = values.shape[1]
    coordinate = grid.coordinate(distance)
    cell = jax.lax.stop_gradient(jnp.floor(coordinate))
    off = coordinate - cell - 0.5
    shares = (0.5 * (0.5 - off) ** 2, 0.75 - off**2, 0.5 * (0.5 + off) ** 2)
    neighbours = [jnp.clip(cell.astype(jnp.int32) + move, 0, grid.cells - 1) for move in (-1, 0, 1)]
    places = jnp.concatenate([bins * grid.cells + neighbour for neighbour in neighbours])
    parts = split(jnp.concatenate([bins] * 3), jnp.concatenate([values * share[:, None] for share in shares]), count)
    both = jnp.concatenate(parts, axis=-1)
    before = jnp.zeros((count, grid.cells, 2, columns), values.dtype) if total is None else total
    return before.reshape(count * grid.cells, 2 * columns).at[places].add(both).reshape(before.shape)


def cumulated(density: Float[Array, "count cells parts columns"]) -> Float[Array, "columns count edges"]:
    """The tables that `densities` make."""
    summed = jnp.cumsum(density, axis=1).sum(axis=2)
    return jnp.moveaxis(jnp.concatenate([jnp.zeros_like(summed[:, :1]), summed], axis=1), -1, 0)


def split(bins: Int[Array, " positions"], values: Float[Array, " positions ..."], count: int):
    """Values as a coarse part, whose sums within a bin are exact in any order, and a fine part, whose sums are small.

    Added one by one in single precision, tens of thousands of values are off by 1e-4; this way by 1e-7. The coarse part is a
    multiple of a power of two large enough for a bin's total to stay within the mantissa.
    """
    fixed = jax.lax.stop_gradient(values)
    total = jnp.zeros((count, *values.shape[1:]), values.dtype).at[bins].add(jnp.abs(fixed))
    bits = jnp.finfo(values.dtype).nmant - 1
    unit = jnp.exp2(jnp.ceil(jnp.log2(jnp.where(total > 0.0, total, 1.0))) - bits)[bins]
    coarse = jnp.round(fixed / unit) * unit
    return coarse, values - coarse


def sum_into(bins: Int[Array, " positions"], values: Float[Array, " positions"], count: int) -> Float[Array, " count"]:
    """Sum of the values in each bin, shape `(count,)`."""
    return sum(jnp.zeros(count, values.dtype).at[bins].add(part) for part in split(bins, values, count))


__all__ = ["SIDE_SIGN", "cumulated", "densities", "deposit", "distances", "interpolate", "split", "sum_into"]

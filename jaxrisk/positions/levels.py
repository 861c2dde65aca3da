"""Open interest by liquidation price on a uniform grid of the log price, cumulated from the mark outwards."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._leaf import Array
from .book import Cells

Pair = Float[Array, "venues assets"]
Sums = Float[Array, "venues assets sides moments"]
Table = Float[Array, "venues assets sides moments levels"]
Tables = Float[Array, "venues assets sides nodes phases moments extended"]


class Levels(NamedTuple):
    """Positions by liquidation price. Coordinates are in cells, in the direction that runs against a side.

    The first of the `moments` is quantity, further ones are sums that go with it.

    - `table`: moments of all positions up to each cell's far edge, as they were when last refilled.
    - `total`: quantity of all, kept apart so that nobody reads the table for it.
    - `scale`: share of them that their holders have not closed since; `reached`: how much of the table has gone since, from the
      near end; `front`: how far out. A check only reads the table and moves these.
    - `hole`: the cell, and the share of it next to the mark, of which it is known that it was empty when last refilled: a cell's
      positions lie evenly in the rest. Without it a cell that the mark has gone into by half, and left, would lose half of what
      is left each time the mark comes back.
    """

    table: Table
    total: Cells
    scale: Cells
    reached: Sums
    front: Cells
    hole: Cells

    @staticmethod
    def empty(like: Cells, moments: int, levels: int) -> "Levels":
        """Nothing on a grid of so many levels, for the venues, assets and sides of `like`."""
        zero = jnp.zeros_like(like)
        table = jnp.zeros((*like.shape, moments, levels), like.dtype)
        return Levels(table, zero, jnp.ones_like(zero), table[..., 0], zero, zero)

    def held(self) -> Cells:
        """Quantity of all positions."""
        left = self.total - self.reached[..., 0]
        return self.scale * jnp.where(left > 0.0, left, 0.0)

    def read(self, at: Cells) -> Sums:
        """The table at a coordinate: linear within a cell, but for the part of one that is known to be empty."""
        cell, hole = _cell(self, at), jnp.floor(self.hole)
        gap, within = self.hole - hole, at - cell
        beyond = jnp.maximum(within - gap, 0.0) / jnp.maximum(1.0 - gap, 1e-3)
        within = jnp.where(cell == hole, jnp.where(beyond < 1.0, beyond, 1.0), within)
        near, far = _edges(self.table, cell)
        return near + within[..., None] * (far - near)

    def crossed(self, at: Cells) -> tuple["Levels", Sums]:
        """Take out everything up to a coordinate; also returns the moments of what that is."""
        now = self.read(at)
        now = jnp.where(now[..., :1] > self.reached[..., :1], now, self.reached)
        front = jnp.where(at > self.front, at, self.front)
        return self._replace(reached=now, front=front), self.scale[..., None] * (now - self.reached)

    def refilled(self, more: "Newcomers", now) -> "Levels":
        """Add positions, if it is time: the one pass over the grid.

        It writes the table where it is, and costs nothing when it is not time, as long as nothing else reads the table after it
        has begun: so what is read passes through the condition too. With look-ups beside it all was copied in every step.
        """
        far = jnp.arange(1, self.table.shape[-1] + 1)

        def fill(table):
            left = self.scale[..., None, None] * (table - self.reached[..., None])
            return jnp.where(far > self.front[..., None, None], left, 0.0) + more.all()

        zero = jnp.zeros_like(self.scale)
        new = (self.held() + more.total(), zero + 1.0, jnp.zeros_like(self.reached), zero, self._hole(more))
        if now is True:
            return Levels(fill(self.table), *new)
        old = (self.total, self.scale, self.reached, self.front, self.hole)
        then = lambda table, new, old: (fill(table), new)
        table, rest = jax.lax.cond(now, then, lambda table, new, old: (table, old), self.table, new, old)
        return Levels(table, *rest)

    def _hole(self, more: "Newcomers") -> Cells:
        """Which part of which cell is empty after a refill: that before the front, or the one already known.

        One is kept, of which more would be misplaced without. Its mean liquidation price stays right as new positions fill it.
        """
        known, front = _cell(self, self.hole), _cell(self, self.front)
        quantity, gone = self.table[..., :1, :], self.reached[..., 0]
        far = _edges(quantity, front)[1][..., 0]
        left = self.scale * jnp.where(far > gone, far - gone, 0.0)
        reach = jnp.where((front == known) & (self.hole > self.front), self.hole, self.front)
        gap, gap_known = reach - front, self.hole - known
        near, far = (edge[..., 0] for edge in _edges(quantity, known))
        near = jnp.where(near > gone, near, gone)
        left_known = self.scale * jnp.where(far > near, far - near, 0.0)
        stays = (known > front) & (left_known * gap_known > left * gap)
        where = jnp.where(stays, known, front)
        left, gap = jnp.where(stays, left_known, left), jnp.where(stays, gap_known, gap)
        filled = left + more.within(where)
        some = filled > 0.0
        return where + jnp.clip(gap * left / jnp.where(some, filled, 1.0), 0.0, 0.999)


def _cell(levels: Levels, at: Cells) -> Int[Array, "venues assets sides"]:
    return jnp.clip(at.astype(jnp.int32), 0, levels.table.shape[-1] - 1)


def _edges(table: Table, cell: Int[Array, "venues assets sides"]) -> tuple[Sums, Sums]:
    """A table at the near and the far edge of a cell."""
    cell = cell[..., None, None]
    take = lambda index: jnp.take_along_axis(table, index, axis=-1, mode="promise_in_bounds")[..., 0]
    return jnp.where(cell[..., 0] > 0, take(jnp.maximum(cell - 1, 0)), 0.0), take(cell)


class Newcomers(NamedTuple):
    """Positions that open about one price.

    `tables`: what a unit of them is, as of `by_phase`; `at`: where they open; `node`: which of the tables, linear between them;
    `scale`: what each moment is multiplied by.
    """

    tables: Tables
    at: Cells
    node: Pair
    scale: Sums

    def all(self) -> Table:
        """Moments up to each far edge of the grid."""
        first, levels = jnp.zeros_like(self.at, jnp.int32), self.tables.shape[-1] // 2
        return self.scale[..., None] * self._cut(first, levels, self.tables)

    def total(self) -> Cells:
        """Quantity within the grid."""
        levels = self.tables.shape[-1] // 2
        return self.scale[..., 0] * self._cut(jnp.full_like(self.at, levels - 1, jnp.int32), 1)[..., 0, 0]

    def within(self, cell: Int[Array, "venues assets sides"]) -> Cells:
        """Quantity in one cell."""
        near_and_far = self._cut(cell - 1, 2)[..., 0, :]
        return self.scale[..., 0] * (near_and_far[..., 1] - near_and_far[..., 0])

    def _cut(self, first: Int[Array, "venues assets sides"], count: int, tables: Tables | None = None):
        """Tables at `count` far edges from the `first` on; of quantity alone unless all are given."""
        tables = self.tables[..., :1, :] if tables is None else tables
        levels, phases = tables.shape[-1] // 2, tables.shape[-3] - 1
        cell = jnp.clip(self.at.astype(jnp.int32), 0, levels - 1)
        fine = (self.at - cell) * phases
        phase = jnp.clip(fine.astype(jnp.int32), 0, phases - 1)
        below = jnp.clip(self.node.astype(jnp.int32), 0, tables.shape[-4] - 2)
        size = (2, 2, tables.shape[-2], count)
        cut = lambda table, node, phase, start: jax.lax.dynamic_slice(table, (node, phase, jnp.int32(0), start), size)
        start = levels - cell + first
        block = jax.vmap(jax.vmap(jax.vmap(cut)))(tables, jnp.broadcast_to(below[..., None], start.shape), phase, start)
        between, shift = (self.node - below)[..., None, None, None, None], (fine - phase)[..., None, None]
        rows = block[..., 0, :, :, :] + between * (block[..., 1, :, :, :] - block[..., 0, :, :, :])
        return rows[..., 0, :, :] + shift * (rows[..., 1, :, :] - rows[..., 0, :, :])


def by_phase(table: Float[Array, "*axes moments fine"], levels: int) -> Float[Array, "*axes phases moments extended"]:
    """A table by distance, on a grid finer than that of `Levels` by an even number, as what it puts up to each far edge.

    For a place at the near edge of a cell, one fine cell further, and so on to the far edge: `phases` places; preceded by a zero
    a level: entry `levels + i` of what opens in cell `j` is the sum up to the far edge of cell `i + j`. At an edge stands the
    table's mean over half a cell on either side: so a position is shared by two cells such that its mean distance is right.
    """
    phases = (table.shape[-1] - 1) // levels
    start, half = jnp.zeros_like(table[..., 1:]), phases // 2
    end = jnp.repeat(table[..., -1:], half, axis=-1)
    around = jnp.concatenate([start[..., :half], table, end], axis=-1)
    weights = np.array([0.5, *([1.0] * (phases - 1)), 0.5]) / phases
    mean = sum(weight * around[..., k : k + table.shape[-1]] for k, weight in enumerate(weights.tolist()))
    padded = jnp.concatenate([start, mean], axis=-1)
    return jnp.stack([padded[..., phases - place :: phases][..., : 2 * levels] for place in range(phases + 1)], axis=-3)


__all__ = ["Levels", "Newcomers", "Pair", "Sums", "Tables", "by_phase"]

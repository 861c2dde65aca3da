"""Accounts on a ladder: their number and what they hold, by class, cumulated over the log price at which they are closed out."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .book import Cells
from .by_class import ByClass, Closing
from .grid import Grid
from .placing import Contracts, Placed
from .rungs import Standing, standing
from .tables import SIDE_SIGN, cumulated, densities, interpolate, sum_into

Table = Float[Array, "venues assets sides classes edges"]
MOST_CELLS = 20_000
"""Cells of these tables at most: they are counted by, and not sold by."""


class AccountTables(eqx.Module):
    """What a ladder knows of its accounts.

    A position of quantity `q` stands for `q` over the size of one account of its population, so that the number of accounts is
    open interest over size; where it stands for a range of sizes, harmonically averaged over that range (`crowding`). An account
    is closed out where its first part is.

    **Fields**, shape `(venues, assets, sides, classes, edges)` but for `total`, `(classes,)`:

    - `closed_out`: accounts, by the distance of their first close.
    - `worth`: what those were worth at the initial price, and were asked for and paid in before, USD; on a venue that closes in
      parts less what is left at the first close, which stays the holder's.
    - `half`: accounts, by the distance at which half of what they were worth at the initial price is gone.
    - `total`: accounts there are.
    - `whole`: by venue, whether a position is closed whole; static.
    - `grid`: of the tables, the ladder's own or a coarser one; static.
    """

    closed_out: Table
    worth: Table
    half: Table
    total: Float[Array, " classes"]
    whole: tuple[bool, ...] = eqx.field(static=True)
    grid: Grid = eqx.field(static=True)

    def read(self, furthest: Cells, here: Cells, kept: Cells, closing: Closing) -> ByClass:
        """Counts of one path.

        **Arguments:** `furthest`: the running extremes against each side, log price; `here`: the marks now, likewise; `kept`:
        share of the tables' accounts that had not closed of their own accord when they were reached; `closing`: of the path.

        Who has lost half is counted as the larger of those closed out and those beyond their half: exact as long as who is closed
        out first has lost half first.
        """
        take = lambda table, at: kept[..., None] * interpolate(table, at[..., None])
        coordinate = self.grid.coordinate(furthest)
        closed, half = take(self.closed_out, coordinate), take(self.half, self.grid.coordinate(here))
        total = lambda cells: jnp.sum(cells, axis=(0, 1, 2))
        whole = np.array(self.whole)
        back = jnp.sum((whole * closing.returned)[:, None] * closing.share, axis=0)
        lost = total(take(self.worth, coordinate)) - back
        half_lost = total(jnp.maximum(closed, half))
        by_side = jnp.sum(closed, axis=(0, 1))
        return ByClass(self.total, jnp.sum(by_side, axis=0), None, None, lost, half_lost, by_side)


def account_tables(placed: Placed, stands: list[Standing], contracts: Contracts, classes: int, grid: Grid) -> AccountTables:
    """Tabulate the accounts of placed positions.

    **Arguments:** `stands`: as positions stand at their first close: all of them, or who waits, has topped up, and has reduced.
    """
    p, alive, grid = placed.positions, placed.alive, _coarser(grid)
    venues, assets, _ = contracts.tiers.rate.shape
    count = venues * assets * 2 * classes
    bins = ((p.venue * assets + p.asset) * 2 + p.side) * classes + p.account_class
    first = standing(placed)
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    worth = _equity(p, first, -p.log_entry, inverse)
    whole = tuple(_closes_whole(contracts, venue) for venue in range(venues))
    parts = ~jnp.asarray(whole)[p.venue]

    def tables(distance, *columns):
        within = alive & (distance < grid.reach)
        kept = jnp.stack([jnp.where(within, values, 0.0) for values in columns], axis=-1)
        made = cumulated(densities(grid, jnp.where(within, distance, grid.reach), kept, bins, count))
        return made.reshape(-1, venues, assets, 2, classes, grid.cells + 1)

    closed_and_held = 0.0
    for place, now in enumerate(stands):
        distance, log_price = first_close(placed, now, contracts)
        many = accounts_of(now, inverse)
        left = jnp.where(parts, _equity(p, now, log_price - now.log_entry, inverse), 0.0)
        # who tops up restores the initial margin of what the position is worth at the call
        paid_in = now.margin * now.notional - _equity(p, first, now.log_entry - p.log_entry, inverse) if place == 1 else 0.0
        closed_and_held += tables(distance, many * p.crowding, many * (worth + paid_in - left))
    closed, held = closed_and_held  # type: ignore[misc]
    number = accounts_of(first, inverse) * p.crowding
    half = tables(_half(p, first, worth, inverse), number)[0]
    total = sum_into(p.account_class, jnp.where(alive, number, 0.0), classes)
    return AccountTables(closed, held, half, total, whole, grid)


def _coarser(grid: Grid) -> Grid:
    """A grid of the same form and reach with no more than `MOST_CELLS`."""
    times = max(1.0, grid.cells / MOST_CELLS)
    return grid if times == 1.0 else Grid(MOST_CELLS, grid.first_step * times, grid.reach)


def first_close(placed: Placed, now: Standing, contracts: Contracts) -> tuple[Any, Any]:
    """At which distance and log price the first part of each position is closed; infinite, and zero, for never."""
    p = placed.positions
    rows, inverse = contracts.tiers.rows(p.venue, p.asset), jnp.asarray(contracts.inverse)[p.venue]
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    start = now.distance * direction - now.log_entry
    price = now.log_entry + rows.log_liquidation_price(-direction, now.notional, now.margin, inverse, now.close_out, start)
    reachable = jnp.isfinite(price)
    distance = jnp.maximum(jnp.where(reachable, price * direction, jnp.inf), now.distance)
    return distance, jnp.where(reachable, distance * direction, 0.0)


def _closes_whole(contracts: Contracts, venue: int) -> bool:
    kind = "tranches" if contracts.policy is None else contracts.policy.kind[venue]
    return kind == "full" or (kind == "tranches" and len(contracts.tranches[venue]) == 1)


def accounts_of(now: Standing, inverse):
    """How many accounts positions stand for."""
    size = now.notional * jnp.where(inverse, 1.0, jnp.exp(-now.log_entry))
    return jnp.where(size > 0.0, now.quantity / jnp.where(size > 0.0, size, 1.0), 0.0)


def _equity(p, now: Standing, log_ratio, inverse):
    """Of one account, USD, at a log price over its entry price."""
    sign, ratio = jnp.where(p.side == 0, 1.0, -1.0), jnp.exp(log_ratio)
    return now.notional * (now.margin * jnp.where(inverse, ratio, 1.0) + sign * (ratio - 1.0))


def _half(p, now: Standing, worth, inverse):
    """The distance at which half of what one account was worth is gone; infinite for never."""
    sign = jnp.where(p.side == 0, 1.0, -1.0)
    wanted = 0.5 * worth / now.notional
    slope = jnp.where(inverse, now.margin + sign, sign)
    against = slope * sign > 1e-6
    ratio = jnp.where(against, (wanted + sign - jnp.where(inverse, 0.0, now.margin)) / jnp.where(against, slope, 1.0), 0.0)
    price = jnp.log(jnp.where(ratio > 0.0, ratio, 1.0)) + now.log_entry
    return jnp.where(ratio > 0.0, jnp.maximum(-sign * price, 0.0), jnp.inf)


__all__ = ["AccountTables", "account_tables", "accounts_of", "first_close"]

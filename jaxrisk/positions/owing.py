"""Whose loss is beyond the collateral: what of a round's orders each class of account owes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .account_tables import accounts_of
from .batch import Batch, outcome_of
from .by_class import ByVenue
from .grid import Grid
from .placing import Contracts, Placed
from .rungs import Rung, Standing, with_rungs
from .tables import cumulated, densities

Columns = Float[Array, "venues assets sides classes columns"]
Table = Float[Array, "venues assets sides classes columns edges"]
_OF_MONEY, _OF_ACCOUNTS = slice(0, 3), slice(3, 6)


class Owed(NamedTuple):
    """Of one round's liquidated positions, before fund, deleveraging or socialisation, shape `(venues, classes)`.

    `usd`: lost beyond the collateral; `quantity`: liquidated, USD at the initial price; `accounts`: of which the last close was
    beyond the bankruptcy price, None where a book counts them account by account.
    """

    usd: ByVenue
    quantity: ByVenue
    accounts: ByVenue | None = None


class Owing(NamedTuple):
    """What a ladder carries to say it, as sums over `quantity`, `quantity` times `b` and its square (`batch.py`), and the same of
    accounts in place of quantity: `reached` of the table, and `backlog` of the engine."""

    reached: Columns
    backlog: Columns

    @staticmethod
    def start(table: Table) -> "Owing":
        """At time zero."""
        zero = jnp.zeros_like(table[..., 0])
        return Owing(zero, zero)

    def triggered(self, reached: Columns, left) -> "Owing":
        """After the table has been reached up to here; `left`: share of what is new that is there, `(venues, assets, sides)`."""
        return Owing(reached, self.backlog + left[..., None, None] * (reached - self.reached))

    def released(self, share) -> tuple["Owing", Columns]:
        """The engine's share of the backlog, `(venues, 1, 1)`, and what is left."""
        sent = self.backlog * share[..., None, None]
        return self._replace(backlog=self.backlog - sent), sent


def owed_of(sent: Columns, ratio: Float[Array, "venues assets"], inverse: tuple[bool, ...]) -> Owed:
    """What is owed if orders are executed at these prices over the initial ones.

    Each class is settled by itself as `batch.py` settles all together, by its own mean and spread of bankruptcy prices; accounts
    by theirs, which are not those of the open interest where the small have other rates than the large.
    """

    def one(columns):
        batch = Batch(*jnp.moveaxis(columns, -1, 0), final=columns[..., 0])
        end = outcome_of(batch, ratio, inverse)
        return end.shortfall, end.bankrupt.quantity

    of = lambda which: jax.vmap(one, in_axes=-2, out_axes=-1)(sent[..., which])
    total = lambda cells: jnp.sum(cells, axis=(1, 2))
    return Owed(total(of(_OF_MONEY)[0]), total(sent[..., 0]), total(of(_OF_ACCOUNTS)[1]))


def owing_table(placed: Placed, stands: list[Standing], contracts: Contracts, classes: int, grid: Grid, on: Any = None) -> Table:
    """Tabulate every close of placed positions by class.

    An account is counted, as `AccountTables` counts it, as open interest over size, and here at the close after which nothing is
    left of its position, with that close's bankruptcy price.

    **Arguments:** `stands`: as for `account_tables`; `on`: the venue of each position as far as it is known, as for `with_rungs`.
    """
    p = placed.positions
    venues, assets, _ = contracts.tiers.rate.shape
    count = venues * assets * 2 * classes
    bins = ((p.venue * assets + p.asset) * 2 + p.side) * classes + p.account_class
    inverse = jnp.asarray(contracts.inverse)[p.venue]

    def adds(now: Standing):
        many = accounts_of(now, inverse) * p.crowding

        def add(total, rung: Rung, of):
            within = placed.alive[of] & (rung.distance < grid.reach)
            off = jnp.expm1(jnp.where(inverse[of], -rung.log_bankruptcy, rung.log_bankruptcy))
            number = jnp.where(rung.final & (rung.quantity > 0.0), many[of], 0.0)
            columns = [weight * power for weight in (rung.quantity, number) for power in (1.0, off, off**2)]
            kept = jnp.stack([jnp.where(within, values, 0.0) for values in columns], axis=-1)
            return densities(grid, jnp.where(within, rung.distance, grid.reach), kept, bins[of], count, total)

        return add

    total = jnp.zeros((count, grid.cells, 2, 6), p.quantity.dtype)
    for now in stands:
        total = with_rungs(total, placed, [now], contracts, adds(now), on)
    return jnp.moveaxis(cumulated(total), 0, 1).reshape(venues, assets, 2, classes, 6, grid.cells + 1)


__all__ = ["Owed", "Owing", "owed_of", "owing_table"]

"""What changes of the accounts of `AccountBook` along a path."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .account_ledger import Held, Markets, PerAccount
from .account_rules import Ordered
from .book import Cells


class StopState(NamedTuple):
    """Stop orders, shape `(venues, assets, sides)`: `reached`: the schedule's value at the running extreme; `scale`: share that
    its holders have not closed; `due`: reached and not sent yet."""

    reached: Cells
    scale: Cells
    due: Cells


class CallState(NamedTuple):
    """Margin calls: `reducing`: share of its positions that an account sells to meet one, not sent yet, by position where markets
    may halt; `done`: 1 where it has
    been called; `asked`: USD so far, shape `(venues,)`."""

    reducing: PerAccount | Held
    done: PerAccount
    asked: Float[Array, " venues"]


class Tally(NamedTuple):
    """Of ONE account of each kind, summed so far, USD: `owed`: what it lost beyond its collateral; `left`: what was left of it,
    fees paid, as the engine closed it for good; `paid_in`: to meet a margin call; `fees`: for being liquidated."""

    owed: PerAccount
    left: PerAccount
    paid_in: PerAccount
    fees: PerAccount


class AccountState(NamedTuple):
    """Of ONE account of each kind, in USD, with prices over the initial ones: equity is `base` + sum of `exposure` times price.

    `quantity`: signed, negative short; `exposure`: None where it is the quantity; `pending`: share of the account's positions
    under the engine's order, 1 where it is closed for good. By venue, asset, side: `unlevered` quantity, and `by_class` notional
    liquidated. `stops`, `calls`, and `ordered` (about partial orders) are None where the book has no such rule;
    `tally`: of what accounts have lost.
    """

    base: PerAccount
    quantity: Held
    exposure: Held | None
    pending: PerAccount
    unlevered: Cells
    by_class: Float[Array, "venues assets sides classes"]
    stops: StopState | None = None
    calls: CallState | None = None
    ordered: Ordered | None = None
    tally: Tally | None = None

    def equity(self, ratio: Markets) -> PerAccount:
        """Of each account at prices over the initial ones."""
        exposure = self.quantity if self.exposure is None else self.exposure
        return self.base + jnp.sum(exposure * ratio[:, None], axis=0)


__all__ = ["AccountState", "CallState", "StopState", "Tally"]

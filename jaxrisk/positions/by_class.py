"""What liquidations do to accounts, by class: in words of a supervisor, the same in every book."""

from typing import NamedTuple

from jaxtyping import Float

from .._leaf import Array
from .book import Cells, Optional

Classes = Float[Array, " classes"]
ByVenue = Float[Array, "venues classes"]


class Closing(NamedTuple):
    """What a book is told of a path's liquidations, to count accounts by.

    `triggered`: notional of what was handed to the engine, closed out or not yet, USD at the mark, shape `(venues, assets,
    sides)`; `share`: of each venue's liquidated notional by class, shape `(venues, classes)`; `kept`: share of what is left of a
    liquidated position that its venue keeps, shape `(venues,)`; `returned`: what venues have handed back, USD, same shape.
    """

    triggered: Cells
    share: Float[Array, "venues classes"]
    kept: Float[Array, " venues"]
    returned: Float[Array, " venues"]


class ByClass(NamedTuple):
    """Accounts of one path by class, shape `(classes,)`; None where a book does not know.

    - `total`: accounts there were at the start.
    - `closed_out`: of which the engine was handed a position at least once, whole or in part.
    - `negative`: of which more was lost than there was, all closes together; `owed`: what was lost beyond the collateral in any
      close, USD; both before fund, deleveraging or socialisation.
    - `lost`: of closed-out accounts, what they were worth at the start and have paid in since, less what is handed back and what
      they still hold, USD.
    - `by_side`: those closed out, by the side of their position (of several, of which there is more at the start), shape
      `(sides, classes)`.
    - `fees`: for being liquidated, USD.
    - `half_lost`: that lost more than half of what they were worth at the start and have paid in since.
    """

    total: Classes
    closed_out: Classes
    negative: Optional
    owed: Optional
    lost: Classes
    half_lost: Optional
    by_side: Float[Array, "sides classes"]
    fees: Optional = None


__all__ = ["ByClass", "ByVenue", "Classes", "Closing"]

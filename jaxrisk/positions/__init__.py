"""Who holds what: populations, tiers, contracts, limits, and the book a simulation steps through.

Start with `population` (who holds what), `tiers` (when a venue closes it) and `limits` (who may hold less); `build` makes of
them a book, and `book` is what every book offers to the step, which does not know which it has:

- `ladder`: isolated positions as cumulative tables over the log price, a few look-ups a step whatever their number;
- `flow`: the same where positions close and reopen;
- `account`: every account with all its positions and its collateral, for margin that is shared.

`by_class` and `account_tally` count what liquidations do to accounts, in the words of a supervisor; `owing` says whose loss is
beyond the collateral, and `by_leverage` counts by leverage in place of class.
"""

from .account import AccountBook as AccountBook
from .batch import LEAST as LEAST
from .book import (
    AbstractBook as AbstractBook,
    Claims as Claims,
    Closed as Closed,
    Gate as Gate,
    Orders as Orders,
    View as View,
)
from .books import BOOKS as BOOKS, build_book as build_book
from .build import build_ladder as build_ladder
from .by_class import ByClass as ByClass, Closing as Closing
from .by_leverage import leverage_labels as leverage_labels
from .cross import CrossAccounts as CrossAccounts
from .flow import FlowBook as FlowBook
from .grid import Grid as Grid
from .ladder import LadderBook as LadderBook, LadderState as LadderState
from .limits import ANY as ANY, Limits as Limits
from .owing import Owed as Owed
from .placing import Contracts as Contracts, Placed as Placed, apply_limits as apply_limits
from .population import (
    NODES as NODES,
    AbstractPopulation as AbstractPopulation,
    Accounts as Accounts,
    Histogram as Histogram,
    LiquidationMap as LiquidationMap,
    Lognormal as Lognormal,
    Nodes as Nodes,
    enough_nodes as enough_nodes,
)
from .rules import (
    POLICIES as POLICIES,
    RANKINGS as RANKINGS,
    Calls as Calls,
    Flow as Flow,
    Funding as Funding,
    Policy as Policy,
    Stops as Stops,
)
from .schedule import Schedule as Schedule, build_schedule as build_schedule
from .tiers import (
    TIER_RULES as TIER_RULES,
    Tiers as Tiers,
    log_liquidation_price as log_liquidation_price,
    maintenance_margin as maintenance_margin,
)

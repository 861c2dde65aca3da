"""The book a scenario asks for, by its name."""

from jaxtyping import Float

from .._leaf import Array
from .account_build import build_accounts
from .book import AbstractBook
from .build import build_ladder
from .by_leverage import Edges, accounts_by_leverage
from .flow_build import build_flow
from .grid import Grid
from .limits import Limits
from .placing import Contracts
from .population import NODES, Nodes
from .rules import Calls, Flow, Funding
from .schedule import Schedule

BOOKS = ("ladder", "account", "flow")


def build_book(
    kind: str,
    populations: list,
    contracts: Contracts,
    limits: Limits,
    price: Float[Array, " assets"],
    classes: int,
    grid: Grid,
    *,
    calls: Calls | None = None,
    schedule: Schedule | None = None,
    backstop: bool = False,
    funding: Funding | None = None,
    flow: Flow | None = None,
    every: int = 1,
    nodes: Nodes = NODES,
    owing: bool = False,
    leverage: Edges = (),
    halts: bool = False,
) -> AbstractBook:
    """The positions as `LadderBook`, `AccountBook` or `FlowBook`.

    **Arguments:** `kind`: one of `BOOKS`; `populations`; `price`: S_0, USD, shape `(assets,)`; `classes`: how many; `backstop`:
    whether anybody asks for bankruptcy prices; `every`: after how many steps a `FlowBook` lays down what has opened;
    `nodes`: how finely a distribution is cut into positions, for a `ladder` or a `flow` book; `owing`: whether anybody asks which
    class owes what is lost beyond the collateral, of a `ladder`; `leverage`: ends of buckets by which a `ladder` or an `account`
    book counts accounts in place of their class; `halts`: whether markets may halt.
    Differentiable in every leaf.
    """
    if kind == "account":
        book = build_accounts(populations, schedule, contracts, limits, calls, funding, price, classes, halts)
        return accounts_by_leverage(book, leverage) if leverage else book
    if kind == "flow":
        rules = (contracts, limits, calls, funding, flow)
        return build_flow(populations, schedule, *rules, price, classes, grid, backstop=backstop, every=every, nodes=nodes)
    return build_ladder(populations, contracts, limits, price, classes, grid, calls, schedule, backstop, nodes, owing, leverage)


__all__ = ["BOOKS", "build_book"]

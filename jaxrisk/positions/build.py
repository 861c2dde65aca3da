"""From populations, tiers and rules to the book that a simulation steps through."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array
from .account_tables import account_tables
from .by_leverage import Edges, placed_by_leverage
from .grid import Grid
from .ladder import LadderBook
from .limits import Limits
from .owing import owing_table
from .placing import Contracts, apply_limits
from .population import NODES, AbstractPopulation, Nodes, concatenate
from .rules import Calls
from .rungs import Rung, margin_calls, standing, with_rungs
from .schedule import Schedule
from .tables import SIDE_SIGN, cumulated, densities, sum_into


def build_ladder(
    populations: list[AbstractPopulation],
    contracts: Contracts,
    limits: Limits,
    price: Float[Array, " assets"],
    classes: int,
    grid: Grid,
    calls: Calls | None = None,
    schedule: Schedule | None = None,
    backstop: bool = False,
    nodes: Nodes = NODES,
    owing: bool = False,
    leverage: Edges = (),
) -> LadderBook:
    """Tabulate every population, under its limits and its venue's tiers.

    Positions already beyond their liquidation price are dropped and counted in `dropped`. Where the sides then differ, holders
    without leverage make up the difference, so that longs equal shorts.

    **Arguments:** `price`: S_0, USD, shape `(assets,)`; `classes`: how many account classes; `backstop`: whether bankruptcy
    prices are tabulated; `nodes`: of each distribution; `owing`: whether, with a backstop, they are by class too; `leverage`:
    ends of buckets by which accounts are counted in place of their class, none for classes. Differentiable in every leaf.
    """
    tiers = contracts.tiers
    venues, assets, _ = tiers.rate.shape
    shape, count = (venues, assets, 2), venues * assets * 2
    groups = [population.positions(tiers, contracts.inverse, price, nodes) for population in populations]
    placed = apply_limits(concatenate(groups), contracts, limits)
    on = _venues(populations, [group.quantity.shape[0] for group in groups], placed.margin.shape[0])
    p, alive = placed.positions, placed.alive
    bins = (p.venue * assets + p.asset) * 2 + p.side
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    inverse = jnp.asarray(contracts.inverse)[p.venue]

    def spread(distance, columns, groups=1, group=None, total=None, of=slice(None)):
        within = alive[of] & (distance < grid.reach)
        where = bins[of] if group is None else bins[of] * groups + group[of]
        kept = jnp.stack([jnp.where(within, values, 0.0) for values in columns], axis=-1)
        return densities(grid, jnp.where(within, distance, grid.reach), kept, where, count * groups, total)

    def table(distance, values):
        return cumulated(spread(distance, [values]))[0].reshape(*shape, -1)

    def add(total, rung: Rung, of):
        at = jnp.where(jnp.isfinite(rung.distance), direction[of] * rung.distance, 0.0)
        worth = rung.quantity * jnp.where(inverse[of], 1.0, jnp.exp(at))
        columns = [rung.quantity]
        if backstop:
            off = jnp.expm1(jnp.where(inverse[of], -rung.log_bankruptcy, rung.log_bankruptcy))
            columns += [rung.quantity * off, rung.quantity * off**2, jnp.where(rung.final, rung.quantity, 0.0)]
        every = spread(rung.distance, columns, total=total[0], of=of)
        return every, spread(rung.distance, [worth], classes, p.account_class, total[1], of)

    called, stands = (None, [standing(placed)]) if calls is None else margin_calls(placed, calls, contracts)
    if leverage:
        placed, classes = placed_by_leverage(placed, leverage), len(leverage) + 1
        p = placed.positions
    empty = lambda groups, columns: jnp.zeros((count * groups, grid.cells, 2, columns), p.quantity.dtype)
    total = empty(1, 4 if backstop else 1), empty(classes, 1)
    total = with_rungs(total, placed, stands, contracts, add, on)
    every, by_class = map(cumulated, total)
    quantity, *of_fund = every.reshape(-1, *shape, grid.cells + 1)
    class_notional = by_class[0].reshape(*shape, classes, -1)
    offset, square, final = of_fund if backstop else (None, None, None)
    reduced = asked = None
    if called is not None:
        reduced, asked = table(called.distance, called.reduced), table(called.distance, called.amount)

    held = sum_into(bins, jnp.where(alive, p.quantity, 0.0), count).reshape(shape)
    levered = quantity[..., -1] + (0.0 if reduced is None else reduced[..., -1])
    stopping = 0.0 if schedule is None else schedule.total
    larger = jnp.max(held + stopping, axis=-1, keepdims=True)
    several = contracts.policy is not None or max(len(t) for t in contracts.tranches) > 1
    return LadderBook(
        quantity=quantity,
        class_notional=class_notional,
        unlevered=jnp.maximum(larger - levered - stopping, 0.0),
        dropped=sum_into(bins, jnp.where(alive, 0.0, p.quantity), count).reshape(shape),
        balancing=larger - held - stopping,
        grid=grid,
        offset=offset,
        square=square,
        final=final if several else None,
        reduced=reduced,
        called=asked,
        stops=schedule,
        inverse=contracts.inverse,
        ranking=contracts.ranking or ("pro_rata",) * venues,
        members=account_tables(placed, stands, contracts, classes, grid),
        owing=owing_table(placed, stands, contracts, classes, grid, on) if owing and backstop else None,
    )


def _venues(populations: list[AbstractPopulation], lengths: list[int], placed: int) -> np.ndarray:
    """Venue of each placed position, -1 where only its numbers tell: `apply_limits` puts all of them down as they are, then
    downsized, and then what leaks to each venue."""
    known = [venue if isinstance(venue := getattr(one, "venue", None), int) else -1 for one in populations]
    stated = np.repeat(known, lengths)
    times = placed // len(stated)
    return np.concatenate([stated] * min(times, 2) + [np.full(len(stated), venue) for venue in range(times - 2)])


__all__ = ["build_ladder"]

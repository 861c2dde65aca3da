"""From populations, tiers and rules to the book that a simulation steps through."""

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .grid import Grid
from .ladder import LadderBook
from .limits import Limits
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
) -> LadderBook:
    """Tabulate every population, under its limits and its venue's tiers.

    Positions already beyond their liquidation price are dropped and counted in `dropped`. Where the sides then differ, holders
    without leverage make up the difference, so that longs equal shorts.

    **Arguments:** `price`: S_0, USD, shape `(assets,)`; `classes`: how many account classes; `backstop`: whether bankruptcy
    prices are tabulated; `nodes`: of each distribution. Differentiable in every leaf.
    """
    tiers = contracts.tiers
    venues, assets, _ = tiers.rate.shape
    shape, count = (venues, assets, 2), venues * assets * 2
    stated = concatenate([population.positions(tiers, contracts.inverse, price, nodes) for population in populations])
    placed = apply_limits(stated, contracts, limits)
    p, alive = placed.positions, placed.alive
    bins = (p.venue * assets + p.asset) * 2 + p.side
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    inverse = jnp.asarray(contracts.inverse)[p.venue]

    def spread(distance, columns, groups=1, group=None, total=None):
        within = alive & (distance < grid.reach)
        where = bins if group is None else bins * groups + group
        kept = jnp.stack([jnp.where(within, values, 0.0) for values in columns], axis=-1)
        return densities(grid, jnp.where(within, distance, grid.reach), kept, where, count * groups, total)

    def table(distance, values):
        return cumulated(spread(distance, [values]))[0].reshape(*shape, -1)

    def add(total, rung: Rung):
        at = jnp.where(jnp.isfinite(rung.distance), direction * rung.distance, 0.0)
        worth = rung.quantity * jnp.where(inverse, 1.0, jnp.exp(at))
        columns = [rung.quantity]
        if backstop:
            off = jnp.expm1(jnp.where(inverse, -rung.log_bankruptcy, rung.log_bankruptcy))
            columns += [rung.quantity * off, rung.quantity * off**2, jnp.where(rung.final, rung.quantity, 0.0)]
        every = spread(rung.distance, columns, total=total[0])
        return every, spread(rung.distance, [worth], classes, p.account_class, total[1])

    called, stands = (None, [standing(placed)]) if calls is None else margin_calls(placed, calls, contracts)
    empty = lambda groups, columns: jnp.zeros((count * groups, grid.cells, 2, columns), p.quantity.dtype)
    total = empty(1, 4 if backstop else 1), empty(classes, 1)
    for stand in stands:
        total = with_rungs(total, placed, stand, contracts, add)
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
    )


__all__ = ["build_ladder"]

"""From populations, tiers and rules to the book that a simulation steps through."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .grid import Grid
from .ladder import LadderBook
from .limits import Limits
from .placing import Contracts, apply_limits
from .population import NODES, AbstractPopulation, Nodes, concatenate
from .rules import Calls
from .rungs import margin_calls, rungs, standing
from .schedule import Schedule
from .tables import SIDE_SIGN, deposit, sum_into


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

    def table(distance, values, groups=1, group=None):
        within = alive & (distance < grid.reach)
        where = bins if group is None else bins * groups + group
        kept = deposit(grid, jnp.where(within, distance, grid.reach), jnp.where(within, values, 0.0), where, count * groups)
        return kept.reshape(*shape, *(() if group is None else (groups,)), -1)

    called, stands = (None, [standing(placed)]) if calls is None else margin_calls(placed, calls, contracts)

    def add(sums, stand):
        """Tables with those of every rung of positions that stand like this: of quantities, and of worth by class."""
        of_quantity, of_worth = sums
        for rung in rungs(placed, stand, contracts):
            found = [rung.quantity]
            if backstop:
                off = jnp.expm1(jnp.where(inverse, -rung.log_bankruptcy, rung.log_bankruptcy))
                found += [rung.quantity * off, rung.quantity * off**2, jnp.where(rung.final, rung.quantity, 0.0)]
            of_quantity += jax.vmap(lambda values, rung=rung: table(rung.distance, values))(jnp.stack(found))
            at = jnp.where(jnp.isfinite(rung.distance), direction * rung.distance, 0.0)
            worth = rung.quantity * jnp.where(inverse, 1.0, jnp.exp(at))
            of_worth += table(rung.distance, worth, classes, p.account_class)
        return (of_quantity, of_worth), None

    # one program for all of them, which would take several times as long to compile written out
    empty = lambda *groups: jnp.zeros((*groups, grid.cells + 1), p.quantity.dtype)
    sums = empty(4 if backstop else 1, *shape), empty(*shape, classes)
    (found, class_notional), _ = jax.lax.scan(add, sums, jax.tree.map(lambda *parts: jnp.stack(parts), *stands))
    quantity, offset, square, final = found if backstop else (found[0], None, None, None)
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

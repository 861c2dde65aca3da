"""From populations, rules and rates to the FlowBook that a simulation steps through."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .build import build_ladder
from .flow import LEVERAGE_NODES, LEVERAGE_RANGE, FlowBook
from .grid import Grid
from .levels import by_phase
from .limits import Limits
from .placing import Contracts, apply_limits, solvent
from .population import NODES, AbstractPopulation, Nodes, Positions, concatenate
from .rules import Calls, Flow, Funding
from .rungs import Rung, standing, with_rungs
from .schedule import Schedule
from .tables import SIDE_SIGN, cumulated, densities, sum_into

PHASES = 4
"""Places of the mark within a cell at which what opens is tabulated, even. With one, the table and the look-up in between blur a
position by more than the cell does; four brought the error of the quantity triggered to six tenths."""


def build_flow(
    populations: list[AbstractPopulation],
    schedule: Schedule | None,
    contracts: Contracts,
    limits: Limits,
    calls: Calls | None,
    funding: Funding | None,
    flow: Flow,
    price: Float[Array, " assets"],
    classes: int,
    grid: Grid,
    backstop: bool = True,
    every: int = 1,
    nodes: Nodes = NODES,
) -> FlowBook:
    """Tabulate the positions of the start as `build_ladder` does, and what positions opened later look like.

    A position opened later is one of the start's, entered at the price of the day with its leverage scaled: limits bind on it, a
    venue's tiers allow it no more leverage than they do for its size, and what displaced demand did at the start it does again.
    Positions that were beyond their liquidation price at the start do not come back.

    **Arguments:** as of `build_ladder`; `funding`: or None; `flow`: rates. Without `backstop` no bankruptcy prices are tabulated;
    `every`: as of `FlowBook`. Differentiable in every leaf.
    """
    initial = build_ladder(populations, contracts, limits, price, classes, grid, calls, schedule, backstop, nodes)
    stated = concatenate([population.positions(contracts.tiers, contracts.inverse, price, nodes) for population in populations])
    stopping = jnp.zeros_like(initial.unlevered) if schedule is None else schedule.total
    fine = Grid(PHASES * flow.levels, flow.width / PHASES, flow.levels * flow.width)  # this is uniform
    scales = jnp.exp(jnp.linspace(-LEVERAGE_RANGE, LEVERAGE_RANGE, LEVERAGE_NODES, dtype=stated.quantity.dtype))
    one = lambda scale: _reopened(_rescaled(stated, scale, contracts), contracts, limits, stopping, fine)
    moments, final, gap = jax.lax.map(one, scales)
    middle = LEVERAGE_NODES // 2
    opening = by_phase(jnp.moveaxis(moments, 0, 3)[..., : 3 if backstop else 1, :], flow.levels)
    return FlowBook(
        initial=initial,
        opening=opening,
        gap=gap[middle],
        final=final[middle],
        dropped=initial.dropped,
        balancing=initial.balancing,
        flow=flow,
        funding=funding,
        every=every,
    )


def _rescaled(stated: Positions, scale, contracts: Contracts) -> Positions:
    """The stated positions as they would be opened at the price of the day with `scale` times their leverage."""
    alive = ~stated.given | solvent(stated, 1.0 / stated.leverage, jnp.zeros_like(stated.leverage), contracts)
    allowed = contracts.tiers.leverage_allowed(stated.venue, stated.asset, stated.notional)
    wanted = scale * jnp.where(alive, stated.leverage, 1.0)
    return stated._replace(
        quantity=jnp.where(alive, stated.quantity, 0.0),
        log_entry=jnp.zeros_like(stated.log_entry),
        leverage=jnp.where(wanted < allowed, wanted, allowed),
        given=jnp.zeros_like(stated.given),
    )


def _reopened(stated: Positions, contracts: Contracts, limits: Limits, stopping, grid: Grid):
    """Of positions opened together `FlowBook.opening`, `final`, `gap`, as shares of a side with its holders without leverage."""
    venues, assets, _ = contracts.tiers.rate.shape
    shape, count = (venues, assets, 2), venues * assets * 2
    placed = apply_limits(stated, contracts, limits)
    p, alive = placed.positions, placed.alive
    bins = (p.venue * assets + p.asset) * 2 + p.side
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    inverse = jnp.asarray(contracts.inverse)[p.venue]

    def add(total, rung: Rung, _):
        within = alive & (rung.distance < grid.reach)
        distance, closed = jnp.where(within, rung.distance, grid.reach), jnp.where(within, rung.quantity, 0.0)
        worth = jnp.exp(jnp.where(inverse, -rung.log_bankruptcy, rung.log_bankruptcy))
        powers = jnp.stack([closed * worth**k for k in range(3)], axis=-1)
        below = jnp.where(within, rung.log_bankruptcy - direction * distance, 0.0)
        final = total[1] + sum_into(bins, jnp.where(rung.final, closed, 0.0), count)
        gap = total[2] + sum_into(bins, closed * jnp.exp(below), count)
        return densities(grid, distance, powers, bins, count, total[0]), final, gap

    dtype = p.quantity.dtype
    empty = jnp.zeros((count, grid.cells, 2, 3), dtype), jnp.zeros(count, dtype), jnp.zeros(count, dtype)
    density, final, gap = with_rungs(empty, placed, [standing(placed)], contracts, add)
    moments = cumulated(density)
    held = sum_into(bins, jnp.where(alive, p.quantity, 0.0), count).reshape(shape)
    larger = jnp.max(held + stopping, axis=-1, keepdims=True)
    levered = moments[0][:, -1].reshape(shape)
    some = levered > 0.0
    mean = lambda total: jnp.where(some, total.reshape(shape) / jnp.where(some, levered, 1.0), 1.0)
    table = jnp.moveaxis(moments, 0, 1).reshape(*shape, 3, -1) / jnp.where(larger > 0.0, larger, 1.0)[..., None, None]
    return table, mean(final), mean(gap)


__all__ = ["build_flow"]

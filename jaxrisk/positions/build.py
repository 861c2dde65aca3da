"""From populations, tiers and limits to the ladder that a simulation steps through."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array
from .grid import Grid
from .ladder import SIDE_SIGN, LadderBook, deposit, sum_into
from .limits import Limits, binding
from .population import AbstractPopulation, Positions, concatenate
from .tiers import Tiers, log_liquidation_price, maintenance_margin


class Contracts(NamedTuple):
    """How a venue's positions are margined and closed: `tiers`; `inverse`, static, a bool for each venue; `tranches`, static,
    the shares of a position closed at each of its triggers, for each venue; `liquidation_fee`, shape `(venues,)`."""

    tiers: Tiers
    inverse: tuple[bool, ...]
    tranches: tuple[tuple[float, ...], ...]
    liquidation_fee: Float[Array, " venues"]


class Placed(NamedTuple):
    """Positions after limits: `quantity` and account `notional` as opened, `margin` (collateral over entry notional), the fixed
    requirement `close_out` (over entry notional), and `alive`: whether the position can exist at the initial price."""

    positions: Positions
    margin: Float[Array, " positions"]
    close_out: Float[Array, " positions"]
    alive: Bool[Array, " positions"]


def _solvent(p: Positions, margin, close_out, contracts: Contracts):
    """Whether a position's liquidation price is on the far side of the initial price."""
    tiers = contracts.tiers
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    rate, amount = tiers.rate[p.venue, p.asset], tiers.amount[p.venue, p.asset]
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    log_ratio = log_liquidation_price(-direction, p.notional, margin, rate, amount, inverse, close_out)
    return (p.log_entry + log_ratio) * direction > 0.0


def apply_limits(positions: Positions, contracts: Contracts, limits: Limits) -> Placed:
    """Cap leverage, shrink or collateralise the positions that meet a cap, and reopen the leaked demand elsewhere.

    A position given as it stands is judged as it stands: a limit does not bring back to life what is already beyond its
    liquidation price.
    """
    p = positions
    limit = binding(limits, p.account_class, p.venue, p.asset, p.notional)
    standing = ~p.given | _solvent(p, 1.0 / p.leverage, jnp.zeros_like(p.leverage), contracts)
    binds = standing & (p.leverage > limit.cap)
    cap = jnp.where(jnp.isfinite(limit.cap), limit.cap, 1.0)
    ratio = jnp.where(binds, cap / jnp.where(binds, p.leverage, 1.0), 1.0)
    leverage = jnp.where(binds, cap, p.leverage)
    close_out = jnp.where(jnp.isfinite(limit.cap), limit.close_out / cap, 0.0)
    downsized = jnp.where(binds, limit.share_downsize, 0.0)

    def place(q, notional, venue, lev, requirement) -> Placed:
        moved = p._replace(quantity=q, notional=notional, venue=venue, leverage=lev)
        alive = standing & _solvent(moved, 1.0 / lev, requirement, contracts)
        return Placed(moved, 1.0 / lev, requirement, alive)

    groups = [place(p.quantity * (1.0 - downsized), p.notional, p.venue, leverage, close_out)]
    if limits.account_class:
        groups.append(place(p.quantity * downsized * ratio, p.notional * ratio, p.venue, leverage, close_out))
        displaced = downsized * (1.0 - ratio) * limit.leakage
        for venue, share in _leaked(p, contracts.tiers, limits):
            there = jnp.full_like(p.venue, venue)
            size = p.notional * jnp.where(binds, 1.0 - ratio, 1.0)
            allowed = contracts.tiers.leverage_allowed(there, p.asset, size)
            wanted = jnp.minimum(p.leverage, allowed)
            groups.append(place(p.quantity * displaced * share, size, there, wanted, jnp.zeros_like(close_out)))
    columns = zip(*(g[1:] for g in groups), strict=True)
    return Placed(concatenate([g.positions for g in groups]), *(jnp.concatenate(column) for column in columns))


def _leaked(p: Positions, tiers: Tiers, limits: Limits) -> list[tuple[int, Float[Array, " positions"]]]:
    """To each venue the share of each position's leaked demand: where no limit holds for its holder, by open interest."""
    venues, assets, _ = tiers.rate.shape
    open_interest = sum_into(p.venue * assets + p.asset, p.quantity, venues * assets).reshape(venues, assets)
    weights = []
    for venue in range(venues):
        there = jnp.full_like(p.venue, venue)
        free = jnp.isinf(binding(limits, p.account_class, there, p.asset, p.notional).cap)
        weights.append(jnp.where(free & (p.venue != venue), open_interest[venue, p.asset], 0.0))
    total = sum(weights)
    return [(venue, weight / jnp.where(total > 0.0, total, 1.0)) for venue, weight in enumerate(weights)]


def _tranches(placed: Placed, contracts: Contracts, index: int):
    """Log price over the initial one, and quantity, of each position's `index`-th trigger, by its venue's rule.

    After each partial close the equity left, less the fee on what was closed, carries a smaller position, whose trigger
    follows from the same formula with its own tier.
    """
    p, tiers = placed.positions, contracts.tiers
    most = max(len(t) for t in contracts.tranches)
    padded = jnp.asarray([(*t, *([0.0] * (most - len(t)))) for t in contracts.tranches], p.quantity.dtype)
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    sign = jnp.where(p.side == 0, 1.0, -1.0).astype(p.quantity.dtype)
    rate, amount = tiers.rate[p.venue, p.asset], tiers.amount[p.venue, p.asset]
    margin, notional, log_entry, close_out = placed.margin, p.notional, p.log_entry, placed.close_out
    fee = contracts.liquidation_fee[p.venue]
    left = jnp.ones_like(margin)
    for step in range(index + 1):
        log_price = log_entry + log_liquidation_price(sign, notional, margin, rate, amount, inverse, close_out)
        share = padded[p.venue, step]
        if step == index:
            break
        # close `share` of the original position at its trigger and carry the rest on from there
        remaining = jnp.maximum(left - share, 1e-12)
        reachable = jnp.isfinite(log_price)
        ratio = jnp.exp(jnp.where(reachable, log_price - log_entry, 0.0))
        equity = maintenance_margin(jnp.where(inverse, notional, notional * ratio), rate, amount)
        equity = jnp.maximum(equity, close_out * notional)
        worth = jnp.where(inverse, notional, notional * ratio)
        equity = equity - fee * worth * share / left
        notional = jnp.where(reachable, worth * remaining / left, notional)
        margin = jnp.where(reachable, equity / notional, margin)
        close_out = close_out * jnp.where(inverse, 1.0, 1.0 / ratio)
        log_entry = jnp.where(reachable, log_price, log_entry)
        left = remaining
    return log_price, p.quantity * share


def build_ladder(
    populations: list[AbstractPopulation],
    contracts: Contracts,
    limits: Limits,
    price: Float[Array, " assets"],
    classes: int,
    grid: Grid,
) -> LadderBook:
    """Tabulate every population, under its limits and its venue's tiers.

    Positions already beyond their liquidation price are dropped and counted in `dropped`. Where the sides then differ, holders
    without leverage make up the difference, so that longs equal shorts.

    **Arguments:** `price`: S_0, USD, shape `(assets,)`; `classes`: how many account classes. Differentiable in every leaf.
    """
    tiers = contracts.tiers
    venues, assets, _ = tiers.rate.shape
    stated = concatenate([population.positions(tiers, contracts.inverse, price) for population in populations])
    placed = apply_limits(stated, contracts, limits)
    p = placed.positions
    bins = (p.venue * assets + p.asset) * 2 + p.side
    count = venues * assets * 2
    directions = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    inverse = jnp.asarray(contracts.inverse)[p.venue]
    alive = placed.alive
    quantity = class_notional = nearest = 0.0
    for tranche in range(max(len(t) for t in contracts.tranches)):
        log_price, closed = _tranches(placed, contracts, tranche)
        distance = jnp.where(jnp.isfinite(log_price), log_price * directions, grid.reach)
        distance = nearest = jnp.maximum(distance, nearest)  # no tranche goes before the one it is left over from
        # a trigger out of the grid's reach is none: it goes to the unlevered holders below
        within = alive & (distance < grid.reach)
        closed = jnp.where(within, closed, 0.0)
        distance = jnp.where(within, distance, grid.reach)
        quantity += deposit(grid, distance, closed, bins, count)
        worth = closed * jnp.where(inverse, 1.0, jnp.exp(directions * distance))
        class_bins = bins * classes + p.account_class
        class_notional += deposit(grid, distance, worth, class_bins, count * classes)
    shape = (venues, assets, 2)
    total = lambda values: sum_into(bins, values, count).reshape(shape)
    held = total(jnp.where(alive, p.quantity, 0.0))
    levered = quantity[:, -1].reshape(shape)
    larger = jnp.max(held, axis=-1, keepdims=True)
    return LadderBook(
        quantity=quantity.reshape(*shape, -1),
        class_notional=class_notional.reshape(*shape, classes, -1),
        unlevered=jnp.maximum(larger - levered, 0.0),
        dropped=total(jnp.where(alive, 0.0, p.quantity)),
        balancing=larger - held,
        grid=grid,
    )

"""Positions after leverage limits, and how each is closed: from populations, tiers and rules to what a book tabulates."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array
from .limits import Limits, binding
from .population import Positions, concatenate
from .rules import Policy
from .tables import SIDE_SIGN, sum_into
from .tiers import Tiers


class Contracts(NamedTuple):
    """How a venue's positions are margined and closed: `tiers`; `inverse`, static, a bool for each venue; `tranches`,
    the shares of a position closed at each of its triggers, for each venue; `liquidation_fee`, shape `(venues,)`; `policy`, None
    for tranches everywhere; `ranking`, static, the order of auto-deleveraging on each venue; `haircut`, of coin collateral, shape
    `(venues, assets)`, None for none."""

    tiers: Tiers
    inverse: tuple[bool, ...]
    tranches: tuple[tuple[float | Array, ...], ...]
    liquidation_fee: Float[Array, " venues"]
    policy: Policy | None = None
    ranking: tuple[str, ...] = ()
    haircut: Float[Array, "venues assets"] | None = None


class Placed(NamedTuple):
    """Positions after limits: `quantity` and account `notional` as opened, `margin` (collateral over entry notional), the fixed
    requirement `close_out` (over entry notional), and `alive`: whether the position can exist at the initial price."""

    positions: Positions
    margin: Float[Array, " positions"]
    close_out: Float[Array, " positions"]
    alive: Bool[Array, " positions"]


def solvent(p: Positions, margin, close_out, contracts: Contracts):
    """Whether a position's liquidation price is on the far side of the initial price, or there: who has just the margin stays."""
    direction = jnp.asarray(SIDE_SIGN, p.quantity.dtype)[p.side]
    rows, inverse = contracts.tiers.rows(p.venue, p.asset), jnp.asarray(contracts.inverse)[p.venue]
    log_ratio = rows.log_liquidation_price(-direction, p.notional, margin, inverse, close_out, -p.log_entry)
    return (p.log_entry + log_ratio) * direction >= 0.0


def apply_limits(positions: Positions, contracts: Contracts, limits: Limits) -> Placed:
    """Cap leverage, shrink or collateralise the positions that meet a cap, and reopen the leaked demand elsewhere.

    A position given as it stands is judged as it stands: a limit does not bring back to life what is already beyond its
    liquidation price.
    """
    p = positions
    limit = binding(limits, p.account_class, p.venue, p.asset, p.notional)
    standing = ~p.given | solvent(p, 1.0 / p.leverage, jnp.zeros_like(p.leverage), contracts)
    binds = standing & (p.leverage > limit.cap)
    cap = jnp.where(jnp.isfinite(limit.cap), limit.cap, 1.0)
    ratio = jnp.where(binds, cap / jnp.where(binds, p.leverage, 1.0), 1.0)
    leverage = jnp.where(binds, cap, p.leverage)
    close_out = jnp.where(jnp.isfinite(limit.cap), limit.close_out / cap, 0.0)
    downsized = jnp.where(binds, limit.share_downsize, 0.0)

    def place(q, notional, venue, lev, requirement) -> Placed:
        moved = p._replace(quantity=q, notional=notional, venue=venue, leverage=lev)
        alive = standing & solvent(moved, 1.0 / lev, requirement, contracts)
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


__all__ = ["Contracts", "Placed", "apply_limits", "solvent"]

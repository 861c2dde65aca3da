"""Who holds what: the ways in which a population of positions is given."""

import abc
from collections.abc import Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Bool, Float, Int
from scipy import special

from .._leaf import Array, leaf
from .tiers import Tiers

NODES = (1024, 8, 4)
"""Leverages, entry prices and sizes in which a parametric population is taken."""
Nodes = tuple[int, int, int] | int
"""As `NODES`, every leverage with every entry price and size; or how many positions in all, each with its own of the three."""


class Positions(NamedTuple):
    """Positions, or equal-risk groups of them, as flat arrays of shape `(positions,)`.

    - `quantity`: open interest that the group stands for, USD: coins times S_0, or the dollars of coin-margined contracts.
    - `log_entry`: log of entry over initial price.
    - `leverage`: effective, entry notional over collateral.
    - `notional`: entry notional of ONE account, USD, which decides its tier.
    - `venue`, `asset`, `side` (0 long, 1 short), `account_class`: indices.
    - `given`: whether the position exists already, as stated, so that no opening rule applies to it.
    - `crowding`: how many accounts the group is, over open interest over size of one. More than 1 where it stands for a range of
      sizes: the small ones of a range are many.
    """

    quantity: Float[Array, " positions"]
    log_entry: Float[Array, " positions"]
    leverage: Float[Array, " positions"]
    notional: Float[Array, " positions"]
    venue: Int[Array, " positions"]
    asset: Int[Array, " positions"]
    side: Int[Array, " positions"]
    account_class: Int[Array, " positions"]
    given: Bool[Array, " positions"]
    crowding: Float[Array, " positions"]


class AbstractPopulation(eqx.Module):
    """A set of positions on one or several venues and assets."""

    @abc.abstractmethod
    def positions(
        self, tiers: Tiers, inverse: tuple[bool, ...], price: Float[Array, " assets"], nodes: Nodes = NODES
    ) -> Positions:
        """The positions; `inverse` says which venues trade coin-margined contracts, `price` is S_0 in USD a coin, `nodes` in how
        many positions a distribution is taken."""


def _midpoints(count):
    return (np.arange(count) + 0.5) / count


def _normal_nodes(mean, sd, count):
    """Means of a normal's `count` equally likely slices, whose own mean is exactly `mean`, rescaled to exactly `sd`."""
    density = np.exp(-0.5 * special.ndtri(np.linspace(0.0, 1.0, count + 1)) ** 2) / np.sqrt(2 * np.pi)
    z = count * (density[:-1] - density[1:])
    z = z / np.sqrt(np.mean(z**2)) if count > 1 else np.zeros(1)
    return mean + sd * z


def _crowding(sd, z, ends):
    r"""Accounts in slices of a lognormal of sizes that is weighted by notional, over those that sizes of exactly `sd * z` would
    make: $E[e^{-s Z}; Z\in(a, b)] = e^{s^2/2}\,(\Phi(b + s) - \Phi(a + s))$ over the slice's share, against $e^{-s z}$."""
    within = jnp.diff(ndtr(jnp.asarray(ends) + sd)) * (len(ends) - 1)
    return jnp.where(sd > 0.0, jnp.exp(0.5 * sd**2 + sd * z) * within, 1.0)


def _lattice(count):
    """Two standard normals for each of `count` positions in order of leverage, evenly spread over all three.

    By the additive recurrence on the plastic number (Roberts, 2018), rescaled to means of exactly 0 and variances of exactly 1.
    """
    steps = np.array([0.7548776662466927, 0.5698402909980532])
    z = special.ndtri((0.5 + np.outer(steps, np.arange(1, count + 1))) % 1.0)
    z = z - z.mean(axis=1, keepdims=True)
    return z / np.sqrt(np.mean(z**2, axis=1, keepdims=True)) if count > 1 else 0.0 * z


def _spread(population, leverage, weight, tiers: Tiers, nodes: Nodes) -> Positions:
    """Cross a leverage distribution with dispersed entry prices and account sizes.

    Nobody opens with more leverage than the venue allows for the size: the position is kept and more collateral posted.
    """
    if isinstance(nodes, int):
        copies = -(-nodes // leverage.shape[0])
        leverage, weight = jnp.repeat(leverage, copies), jnp.repeat(weight / copies, copies)
        shape = leverage.shape
        entry, size = _lattice(shape[0])
        entry = population.entry_mean + population.entry_sd * entry
        size = population.size_log_sd * size
        every = jnp.exp(0.5 * population.size_log_sd**2) / jnp.mean(jnp.exp(-size))
        crowding = jnp.broadcast_to(every, shape)
        across = lambda x: x
    else:
        _, entries, sizes = nodes
        shape = (leverage.shape[0], entries, sizes)
        entry = _normal_nodes(population.entry_mean, population.entry_sd, entries)[None, :, None]
        size = _normal_nodes(0.0, population.size_log_sd, sizes)[None, None, :]
        crowding = _crowding(
            population.size_log_sd, _normal_nodes(0.0, 1.0, sizes), special.ndtri(np.linspace(0.0, 1.0, sizes + 1))
        )
        across = lambda x: x[:, None, None]
    # sizes are notional-weighted: each node stands for the same share of the open interest
    flat = lambda x: jnp.broadcast_to(x, shape).reshape(-1)
    index = lambda i: jnp.full(shape, i, dtype=jnp.int32).reshape(-1)
    venue, notional = index(population.venue), flat(population.size_median * jnp.exp(size))
    allowed = tiers.leverage_allowed(venue, population.asset, notional)
    return Positions(
        quantity=flat(population.open_interest * across(weight) / (venue.shape[0] // leverage.shape[0])),
        log_entry=flat(entry),
        leverage=jnp.minimum(flat(across(leverage)), allowed),
        notional=notional,
        venue=venue,
        asset=index(population.asset),
        side=index(0 if population.side > 0 else 1),
        account_class=index(population.account_class),
        given=jnp.zeros(venue.shape, bool),
        crowding=flat(crowding),
    )


class Lognormal(AbstractPopulation):
    """Leverage lognormal, clipped to `[low, high]`: demand beyond an end sits at the end.

    **Arguments:** scalars.

    - `open_interest`: USD at the initial price.
    - `median`, `log_sd`: of effective leverage, weighted by notional.
    - `low`, `high`: ends of the leverage range, `low` at least 1.
    - `entry_mean`, `entry_sd`: of log(entry / initial price).
    - `size_median`, `size_log_sd`: of an account's notional (USD), weighted by notional.
    - `venue`, `asset`, `side` (+1 long, -1 short), `account_class`: static.
    """

    open_interest: Float[Array, ""] = leaf()
    median: Float[Array, ""] = leaf()
    log_sd: Float[Array, ""] = leaf()
    low: Float[Array, ""] = leaf(default=1.01)
    high: Float[Array, ""] = leaf(default=125.0)
    entry_mean: Float[Array, ""] = leaf(default=0.0)
    entry_sd: Float[Array, ""] = leaf(default=0.0)
    size_median: Float[Array, ""] = leaf(default=1e4)
    size_log_sd: Float[Array, ""] = leaf(default=0.0)
    venue: int = eqx.field(static=True, default=0)
    asset: int = eqx.field(static=True, default=0)
    side: int = eqx.field(static=True, default=1)
    account_class: int = eqx.field(static=True, default=0)

    def positions(
        self, tiers: Tiers, inverse: tuple[bool, ...], price: Float[Array, " assets"], nodes: Nodes = NODES
    ) -> Positions:
        count = nodes if isinstance(nodes, int) else nodes[0]
        z = ndtri(jnp.asarray(_midpoints(count)))
        leverage = jnp.clip(self.median * jnp.exp(self.log_sd * z), self.low, self.high)
        return _spread(self, leverage, jnp.full(count, 1.0 / count), tiers, nodes)


class Histogram(AbstractPopulation):
    """Leverage given as shares of the open interest at stated leverages.

    **Arguments:** `open_interest`: USD; `leverage`, `share`: shape `(bins,)`, shares sum to 1; the rest as in `Lognormal`.
    One bin with `entry_sd = 0` is a crowd of identical positions.
    """

    open_interest: Float[Array, ""] = leaf()
    leverage: Float[Array, " bins"] = leaf()
    share: Float[Array, " bins"] = leaf()
    entry_mean: Float[Array, ""] = leaf(default=0.0)
    entry_sd: Float[Array, ""] = leaf(default=0.0)
    size_median: Float[Array, ""] = leaf(default=1e4)
    size_log_sd: Float[Array, ""] = leaf(default=0.0)
    venue: int = eqx.field(static=True, default=0)
    asset: int = eqx.field(static=True, default=0)
    side: int = eqx.field(static=True, default=1)
    account_class: int = eqx.field(static=True, default=0)

    def positions(
        self, tiers: Tiers, inverse: tuple[bool, ...], price: Float[Array, " assets"], nodes: Nodes = NODES
    ) -> Positions:
        return _spread(self, jnp.asarray(self.leverage), jnp.asarray(self.share), tiers, nodes)


class LiquidationMap(AbstractPopulation):
    """Open interest by liquidation price, as market-data vendors publish it.

    Positions are taken to have been entered at the initial price; the leverage that puts their liquidation price where the map
    has it follows from the venue's tiers, so that a limit can be applied to them. Where a rate holds for the whole position no
    long is liquidated just under a tier's edge, but in the tier above: what the map has there goes up to the difference of the
    two rates sooner.

    **Arguments:** `price`: liquidation price, USD, shape `(levels,)`; `open_interest`: USD at the initial price, same shape;
    `notional`: of one account, USD; `venue`, `asset`, `side`, `account_class`: static.
    """

    price: Float[Array, " levels"] = leaf()
    open_interest: Float[Array, " levels"] = leaf()
    notional: Float[Array, ""] = leaf(default=1e4)
    venue: int = eqx.field(static=True, default=0)
    asset: int = eqx.field(static=True, default=0)
    side: int = eqx.field(static=True, default=1)
    account_class: int = eqx.field(static=True, default=0)

    def positions(
        self, tiers: Tiers, inverse: tuple[bool, ...], price: Float[Array, " assets"], nodes: Nodes = NODES
    ) -> Positions:
        ratio = jnp.asarray(self.price) / price[self.asset]
        shape = ratio.shape
        notional = jnp.broadcast_to(self.notional, shape)
        index = lambda i: jnp.full(shape, i, dtype=jnp.int32)
        rows = tiers.rows(index(self.venue), index(self.asset))
        if inverse[self.venue]:
            margin = (rows.margin(notional) / notional - self.side * (ratio - 1.0)) / ratio
        else:
            margin = rows.margin(notional * ratio) / notional - self.side * (ratio - 1.0)
        beyond = margin <= 0.0  # a liquidation price on the wrong side of spot: no collateral left, so it will be dropped
        return Positions(
            quantity=jnp.asarray(self.open_interest),
            log_entry=jnp.zeros(shape, ratio.dtype),
            leverage=jnp.where(beyond, jnp.inf, 1.0 / jnp.where(beyond, 1.0, margin)),
            notional=notional,
            venue=index(self.venue),
            asset=index(self.asset),
            side=index(0 if self.side > 0 else 1),
            account_class=index(self.account_class),
            given=jnp.ones(shape, bool),
            crowding=jnp.ones(shape, ratio.dtype),
        )


class Accounts(AbstractPopulation):
    """A table of isolated positions, one row each.

    **Arguments**, each of shape `(positions,)`: `quantity`: coins; `entry_price`: USD a coin; `collateral`: USD (for an inverse
    contract its value at entry); `venue`, `asset`, `side` (+1, -1), `account_class`: integer arrays.
    What liquidates a position is the leverage it has, entry notional over collateral; a limit caps that.
    """

    quantity: Float[Array, " positions"] = leaf()
    entry_price: Float[Array, " positions"] = leaf()
    collateral: Float[Array, " positions"] = leaf()
    venue: Int[np.ndarray, " positions"]
    asset: Int[np.ndarray, " positions"]
    side: Int[np.ndarray, " positions"]
    account_class: Int[np.ndarray, " positions"]

    def positions(
        self, tiers: Tiers, inverse: tuple[bool, ...], price: Float[Array, " assets"], nodes: Nodes = NODES
    ) -> Positions:
        initial = price[self.asset]
        notional = self.quantity * jnp.asarray(self.entry_price)
        # the open interest of coin-margined contracts is a number of dollars, that of others a number of coins
        dollars = jnp.asarray(inverse)[jnp.asarray(self.venue)]
        return Positions(
            quantity=jnp.where(dollars, notional, self.quantity * initial),
            log_entry=jnp.log(self.entry_price / initial),
            leverage=notional / self.collateral,
            notional=notional,
            venue=jnp.asarray(self.venue, jnp.int32),
            asset=jnp.asarray(self.asset, jnp.int32),
            side=jnp.where(jnp.asarray(self.side) > 0, 0, 1).astype(jnp.int32),
            account_class=jnp.asarray(self.account_class, jnp.int32),
            given=jnp.ones(len(self.venue), bool),
            crowding=jnp.ones_like(notional),
        )


def concatenate(groups: list[Positions]) -> Positions:
    """One flat set of positions out of several."""
    return Positions(*(jnp.concatenate(columns) for columns in zip(*groups, strict=True)))


def enough_nodes(populations: Iterable[Any], names: Iterable[str] = ()) -> Nodes:
    """As few nodes as say the same as `NODES`: one entry price, or one size, where no population spreads them.

    **Arguments:** `names`: of parameters that are going to be moved; a spread among them counts.

    >>> enough_nodes([Lognormal(1e9, 5.0, 0.5)]), enough_nodes([Lognormal(1e9, 5.0, 0.5, entry_sd=0.1)])
    ((1024, 1, 1), (1024, 8, 1))
    """
    spread = lambda field: any(np.any(np.asarray(getattr(one, field, 0.0)) != 0.0) for one in populations)
    needed = (spread(field) or any(name.endswith(field) for name in names) for field in ("entry_sd", "size_log_sd"))
    return NODES[0], *(count if wanted else 1 for count, wanted in zip(NODES[1:], needed, strict=True))

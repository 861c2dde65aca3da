"""Accounts by the leverage that they begin with, in place of their class: the same counts, read at the end of a path."""

import dataclasses
from itertools import pairwise

import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array
from .account import AccountBook
from .placing import Placed

ROUNDING = 1e-5
"""Of a bucket's upper end: who is capped there is in it, whatever rounding says."""
Edges = tuple[float, ...]


def bucket(leverage: Float[Array, " holders"], edges: Edges) -> Int[Array, " holders"]:
    """In which bucket each leverage lies: the first up to the first of the edges, the last above the last.

    >>> bucket(jnp.array([1.5, 2.0, 2.1, 80.0]), (2.0, 5.0)).tolist()
    [0, 0, 1, 2]
    """
    above = leverage[..., None] > (1.0 + ROUNDING) * jnp.asarray(edges, leverage.dtype)
    return jnp.sum(above, axis=-1, dtype=jnp.int32)


def leverage_labels(edges: Edges) -> list[str]:
    """What the buckets are called.

    >>> leverage_labels((2.0, 5.0, 12.5))
    ['up to 2', '2 to 5', '5 to 12.5', 'above 12.5']
    """
    if not edges:
        return []
    ends = [f"{edge:g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"up to {ends[0]}", *between, f"above {ends[-1]}"]


def placed_by_leverage(placed: Placed, edges: Edges) -> Placed:
    """Positions with the bucket of their leverage in place of their class: entry notional over collateral, under their limits."""
    leverage = 1.0 / jnp.maximum(placed.margin, 1e-12)
    return placed._replace(positions=placed.positions._replace(account_class=bucket(leverage, edges)))


def accounts_by_leverage(book: AccountBook, edges: Edges) -> AccountBook:
    """The same accounts with the bucket of their leverage in place of their class: gross notional over equity at the prices at
    which positions were entered."""
    state, ledger = book.init(), book.ledger
    entry = ledger.entry
    exposure = state.quantity if state.exposure is None else state.exposure
    equity = state.base + jnp.sum(exposure * entry, axis=0)
    gross = jnp.sum(jnp.abs(state.quantity) * jnp.where(ledger.coin, 1.0, entry), axis=0)
    solid = equity > 0.0
    leverage = jnp.where(solid, gross / jnp.where(solid, equity, 1.0), jnp.inf)
    members = bucket(leverage, edges)[None, :] == jnp.arange(len(edges) + 1)[:, None]
    return dataclasses.replace(book, ledger=dataclasses.replace(ledger, account_class=members.astype(equity.dtype)))


__all__ = ["accounts_by_leverage", "bucket", "leverage_labels", "placed_by_leverage"]

"""From populations, limits and rules to the book of accounts."""

import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .account import AccountBook
from .account_ledger import Ledger, Margins
from .account_rows import Rows, cross, isolated, join, limited, margins_of
from .account_rules import CallRows
from .cross import CrossAccounts
from .limits import Limits
from .placing import Contracts, apply_limits
from .population import AbstractPopulation, concatenate
from .rules import Calls, Funding
from .schedule import Schedule

NODES = 256
"""Accounts that a parametric population becomes."""


def build_accounts(
    populations: list[AbstractPopulation | CrossAccounts],
    schedule: Schedule | None,
    contracts: Contracts,
    limits: Limits,
    calls: Calls | None,
    funding: Funding | None,
    price: Float[Array, " assets"],
    classes: int,
    halts: bool = False,
) -> AccountBook:
    """Every account, under its limits and its venue's rules.

    Isolated positions become an account each, under limits as in the other books; of accounts under cross margin a limit caps
    gross notional over equity at the initial prices. Accounts without their maintenance margin at the start are dropped and
    counted in `dropped`. Where the sides then differ, holders without leverage make up the difference, so that longs equal
    shorts.

    **Arguments:** `price`: S_0, USD, shape `(assets,)`; `classes`: how many account classes; `halts`: whether markets may halt.
    Differentiable in every leaf.

    **Raises:** `ValueError` where a venue closes positions in tranches, which have no meaning for an account with several.
    """
    if any(len(tranches) > 1 for tranches in contracts.tranches):
        raise ValueError("tranches are for the ladder book; with accounts a venue's policy says what is closed of them")
    rows = _rows(populations, contracts, limits, price)
    venues = len(contracts.inverse)
    # the dead keep a place with nothing in it, because how many there are is not known before the run
    left = jnp.where(rows.alive, 1.0, 0.0)
    alive = rows._replace(base=rows.base * left, quantity=rows.quantity * left, exposure=rows.exposure * left)
    margins = margins_of(contracts, rows.close_out if limits.account_class else None)
    weight, called, copies = rows.weight, None, 1
    if calls is not None:
        # holders who post, who reduce, who wait
        share = jnp.stack([calls.top_up, calls.reduce, 1.0 - calls.top_up - calls.reduce])
        called, copies = _calls(alive, calls, margins), 3
        weight = (share[:, rows.account_class] * weight).reshape(-1)
    each = lambda x: jnp.concatenate([x] * copies, axis=-1)
    indicator = lambda index, count: (
        None if count == 1 else (each(index)[None, :] == jnp.arange(count)[:, None]).astype(weight.dtype)
    )
    if margins.close_out is not None:
        margins = margins_of(contracts, each(margins.close_out))
    ledger = Ledger(
        weight=weight,
        entry=each(rows.entry),
        side=jnp.sign(each(rows.quantity)),
        home=indicator(rows.home, venues),
        account_class=indicator(rows.account_class, classes),
        margins=margins,
        inverse=contracts.inverse,
    )
    signed = each(rows.quantity)
    held = ledger.cells(jnp.abs(each(alive.quantity)))
    stopping = 0.0 if schedule is None else schedule.total
    larger = jnp.max(held + stopping, axis=-1, keepdims=True)
    shared = any(isinstance(population, CrossAccounts) for population in populations)
    return AccountBook(
        base=each(alive.base),
        quantity=each(alive.quantity),
        exposure=each(alive.exposure) if shared or any(contracts.inverse) else None,
        unlevered=larger - held - stopping,
        dropped=ledger.cells(jnp.abs(signed) - jnp.abs(each(alive.quantity))),
        balancing=larger - held - stopping,
        ledger=ledger,
        calls=called,
        policy=contracts.policy,
        fee=jnp.asarray(contracts.liquidation_fee),
        schedule=schedule,
        funding=funding,
        ranking=contracts.ranking or ("pro_rata",) * venues,
        halts=halts,
    )


def _rows(populations: list, contracts: Contracts, limits: Limits, price) -> Rows:
    singles = [population for population in populations if not isinstance(population, CrossAccounts)]
    groups = []
    if singles:
        stated = concatenate([p.positions(contracts.tiers, contracts.inverse, price, NODES) for p in singles])
        groups.append(isolated(apply_limits(stated, contracts, limits), contracts))
    for population in populations:
        if isinstance(population, CrossAccounts):
            rows = cross(population, contracts, price)
            groups += limited(rows, contracts, limits) if limits.account_class else [rows]
    return join(groups)


def _calls(rows: Rows, calls: Calls, margins: Margins) -> CallRows:
    """Each account thrice: who posts, who reduces, who waits."""
    level = jnp.asarray(calls.level)[rows.account_class]
    required = margins.required(rows.quantity, jnp.ones(rows.quantity.shape[0], rows.base.dtype))
    reachable = ((rows.equity() > level * required) & (level > 1.0)).astype(rows.base.dtype)
    one, none = jnp.ones_like(reachable), jnp.zeros_like(reachable)
    join_up = lambda *parts: jnp.concatenate(parts)
    return CallRows(
        level=join_up(level, level, level),
        initial=join_up(rows.initial, rows.initial, rows.initial),
        tops_up=join_up(one, none, none),
        reduces=join_up(none, one, none),
        reachable=join_up(reachable, reachable, reachable),
    )


__all__ = ["build_accounts"]

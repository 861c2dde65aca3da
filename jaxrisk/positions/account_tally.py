"""What liquidations have done to the accounts of `AccountBook`, by class: from running sums and from where accounts stand."""

import jax.numpy as jnp

from .account_close import Result
from .account_ledger import Ledger, Markets, PerAccount
from .account_rules import NEVER
from .account_state import AccountState, Tally
from .by_class import ByClass, Classes, Closing

ROUNDING = 1e-6
"""Of an account's notional at the start: a loss beyond its collateral that is smaller is rounding."""


def no_tally(like: PerAccount) -> Tally:
    """At time zero."""
    zero = jnp.zeros_like(like)
    return Tally(zero, zero, zero, zero)


def tallied(tally: Tally, done: Result) -> Tally:
    """After a round's orders: of accounts that are closed for good what is left, or is owed before anybody makes it good."""
    left, own = jnp.where(done.final, done.left, 0.0), jnp.where(done.final, done.own, 0.0)
    return tally._replace(
        owed=tally.owed + jnp.where(own < 0.0, -own, 0.0),
        left=tally.left + jnp.where(left > 0.0, left - done.fee, 0.0),
        fees=tally.fees + done.fee,
    )


def counted(ledger: Ledger, first: AccountState, state: AccountState, tally: Tally, ratio: Markets, closing: Closing) -> ByClass:
    """Accounts by class at prices over the initial ones; `first`: their state at time zero."""
    ones = jnp.ones_like(ratio)
    opened = jnp.sum(ledger.margins.worth(first.quantity, ones), axis=0)
    there = opened > 0.0
    final = (state.pending >= 1.0) & there
    closed = final if state.ordered is None else final | ((state.ordered.last > NEVER) & there)
    equity = state.equity(ratio)
    # what the engine has of an account and has not closed yet will be handed back as the rest was
    waiting = jnp.where(final & (equity > 0.0), equity, 0.0)
    back = (tally.left + waiting) * (1.0 - ledger.at_home(closing.kept)) + jnp.where(final, 0.0, equity)
    stake = first.equity(ones) + tally.paid_in
    lost = stake - back
    # closed in portions, some above water and the last below: what counts is all of them together
    negative = tally.owed > tally.left + ROUNDING * opened
    one = lambda which: jnp.where(which, 1.0, 0.0)
    total = lambda amount: by_class(ledger, amount)
    signed = jnp.sum(jnp.sign(first.quantity) * ledger.margins.worth(first.quantity, ones), axis=0)
    return ByClass(
        total=total(one(there)),
        closed_out=total(one(closed)),
        negative=total(one(negative)),
        owed=total(tally.owed),
        lost=total(jnp.where(closed, lost, 0.0)),
        half_lost=total(one(there & (lost > 0.5 * stake))),
        by_side=jnp.stack([total(one(closed & (signed >= 0.0))), total(one(closed & (signed < 0.0)))]),
        fees=total(tally.fees),
    )


def by_class(ledger: Ledger, amount: PerAccount) -> Classes:
    """Sum over all accounts by class."""
    amount = ledger.weight * amount
    members = ledger.account_class
    return jnp.sum(amount, keepdims=True) if members is None else jnp.sum(members * amount, axis=-1)


__all__ = ["by_class", "counted", "no_tally", "tallied"]

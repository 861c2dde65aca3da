"""What `AccountBook` asks of each account: what its venue closes of it, how it meets a margin call."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float

from .._leaf import Array
from .account_ledger import Held, Ledger, Markets, PerAccount
from .rules import Policy

NEVER = -1e9
LEAST_KEPT = 1e-6
"""Share of an account below which it keeps nothing under `to_margin`: at an equity of nothing rounding would decide."""
_ROUNDING = 8
"""Of equity, in units of the last place of the gross notional."""


class Ordered(NamedTuple):
    """What decides the size of the next order besides the account itself. `last`: step at which its last partial order was sent,
    shape `(accounts,)`; `clock`: step now; `cool_down`: in steps, shape `(venues,)`."""

    last: PerAccount
    clock: Float[Array, ""]
    cool_down: Float[Array, " venues"]

    def cooling(self, ledger: Ledger) -> Bool[Array, " accounts"]:
        """Whether the last partial order is less than the cool-down ago."""
        # a thousandth of a step of slack, so that no rounding decides
        return self.clock - self.last < ledger.at_home(self.cool_down) - 1e-3


def order_share(policy: Policy, ledger: Ledger, worth: Held, ordered: Ordered, kept: Callable[[], PerAccount]) -> PerAccount:
    """Share of all positions of an account under margin that its venue closes.

    Size is that of the whole account under `partial`, of its largest position under `lower_tier`. An order counts from when it is
    sent; until then it is judged anew at each check.

    **Arguments:** `worth`: notional of each position, USD; `kept`: gives the share that is not closed under `to_margin`.
    """
    total, home = jnp.sum(worth, axis=0), ledger.at_home
    by_kind = {"full": jnp.ones_like(total), "tranches": jnp.ones_like(total)}
    if "partial" in policy.kind:
        first = (total >= home(policy.first_above)) & ~ordered.cooling(ledger)
        by_kind["partial"] = jnp.where(first, home(policy.first_share), 1.0)
    if "lower_tier" in policy.kind:
        by_kind["lower_tier"] = jnp.where(ordered.last > NEVER, 1.0, ledger.margins.above_floor(worth))
    if policy.closes_to_margin:
        left = kept()
        by_kind["to_margin"] = jnp.where(left > LEAST_KEPT, 1.0 - left, 1.0)
    share = by_kind[policy.kind[0]]
    for kind in dict.fromkeys(policy.kind[1:]):
        here = home(jnp.asarray([k == kind for k in policy.kind], total.dtype)) > 0.0
        share = jnp.where(here, by_kind[kind], share)
    return share


class Due(NamedTuple):
    """What a check comes to, by account: `order`: whether the engine's order is set anew; `share`: of all positions, then."""

    order: Bool[Array, " accounts"]
    share: PerAccount


def ordered_anew(
    policy: Policy, fee, ledger: Ledger, state, ratio: Markets, below, equity: PerAccount, required: PerAccount
) -> Due:
    """Which accounts' orders are set anew at a check, and how large.

    Under `to_margin` an order is judged anew as long as it is worked off, and ends once the account has its target. What it lacks
    to the last digits of its notional it does not lack: after each such close equity and margin are equal but for rounding.

    **Arguments:** `state`: as of `AccountBook`; `ratio`: prices over the initial ones; `below`: who has less than `required`.
    """
    worth = ledger.margins.worth(state.quantity, ratio)
    fee, target = ledger.at_home(jnp.asarray(fee)), ledger.at_home(policy.targets())
    kept = lambda: ledger.margins.kept(equity, state.quantity, ratio, fee, target)
    order, share = below & (state.pending < 1.0), order_share(policy, ledger, worth, state.ordered, kept)
    if not policy.closes_to_margin:
        return Due(order, share)
    here = ledger.at_home(jnp.asarray([kind == "to_margin" for kind in policy.kind], share.dtype)) > 0.0
    rounding = _ROUNDING * jnp.finfo(share.dtype).eps * jnp.sum(worth, axis=0)
    working = (state.pending > 0.0) & (state.pending < 1.0)
    lacks = jnp.where(working, target * required - equity, jnp.where(below, required - equity, 0.0))
    # nothing left and less than nothing owed is settled as a whole
    lacks = (lacks > rounding) & (state.pending < 1.0)
    return Due(jnp.where(here, order | working, order), jnp.where(here & ~lacks, 0.0, share))


class CallRows(eqx.Module):
    """Margin calls by account, shape `(accounts,)`.

    **Fields:** `level`: of equity over maintenance margin; `initial`: initial margin over notional, from the leverage it was
    opened with; `tops_up`, `reduces`: 1 for accounts that do, 0 for others; `reachable`: 1 for those that are not called at the
    initial price already.
    """

    level: PerAccount
    initial: PerAccount
    tops_up: PerAccount
    reduces: PerAccount
    reachable: PerAccount


class Met(NamedTuple):
    """Margin calls of one check, shape `(accounts,)`: `now`: whether called; `asked`, `posted`: USD; `reducing`: share of all
    positions that is sold."""

    now: Bool[Array, " accounts"]
    asked: PerAccount
    posted: PerAccount
    reducing: PerAccount


def meet(calls: CallRows, open_to_call, equity: PerAccount, required: PerAccount, notional: PerAccount) -> Met:
    """Which accounts are called, and what they do."""
    initial, level = calls.initial * notional, calls.level * required
    now = open_to_call & (calls.reachable > 0.0) & (equity < level) & (initial > level)
    asked = jnp.where(now, initial - equity, 0.0)
    some = now & (initial > 0.0)
    # with equity E against notional N at leverage l, N (1 - r) = l E
    excess = jnp.where(some, 1.0 - equity / jnp.where(some, initial, 1.0), 0.0)
    excess = jnp.where(excess < 1.0, excess, 1.0)
    return Met(now, asked, asked * calls.tops_up, excess * calls.reduces)


__all__ = ["NEVER", "CallRows", "Due", "Met", "Ordered", "meet", "order_share", "ordered_anew"]

"""Leverage limits, and what a holder who meets one does."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array, leaf

ANY = -1
"""Selector of a limit that holds for every class, venue or asset."""


class Limits(eqx.Module):
    r"""Caps on leverage; where several hold for a position the lowest cap binds.

    A holder who wants leverage `l` above the cap, $l_\mathrm{eff} = \min(l, \mathrm{cap})$, either (a share $\varphi$ =
    `share_downsize`) keeps the collateral and takes the smaller position $q\,\mathrm{cap}/l$, or keeps the position and posts
    more collateral. Of the demand displaced by downsizing a share `leakage` reopens, at the leverage first wanted, on venues
    where no limit holds for that holder.

    A limit changes the two sides differently; holders without leverage make up the difference, so that a venue's open interest is
    that of its larger side (`LadderBook.balancing` says by how much).

    **Arguments:**

    - `cap`, `share_downsize`, `leakage`: shape `(limits,)`.
    - `close_out`: share of the cap's initial margin below which the position is closed, 0 for none. Shape `(limits,)`.
    - `notional`: from and up to which account notional the limit holds, USD. Shape `(limits, 2)`.
    - `account_class`, `venue`, `asset`: an index, or `ANY`, for each limit. Static.
    - `negative_balance_protection`: whether the holder's loss ends at the collateral, for each limit. Static. It changes who
      pays, not what is liquidated.
    """

    cap: Float[Array, " limits"] = leaf()
    share_downsize: Float[Array, " limits"] = leaf()
    leakage: Float[Array, " limits"] = leaf()
    close_out: Float[Array, " limits"] = leaf()
    notional: Float[Array, "limits 2"] = leaf()
    account_class: tuple[int, ...] = eqx.field(static=True)
    venue: tuple[int, ...] = eqx.field(static=True)
    asset: tuple[int, ...] = eqx.field(static=True)
    negative_balance_protection: tuple[bool, ...] = eqx.field(static=True)

    @staticmethod
    def none() -> "Limits":
        """No limit at all."""
        empty = jnp.zeros((0,))
        return Limits(empty, empty, empty, empty, jnp.zeros((0, 2)), (), (), (), ())

    @staticmethod
    def single(cap, share_downsize=0.0, leakage=0.0, close_out=0.0) -> "Limits":
        """One cap for everybody, everywhere.

        >>> float(Limits.single(10.0).cap[0])
        10.0
        """
        one = lambda x: x * np.ones(1)
        whole = jnp.array([[0.0, jnp.inf]])
        return Limits(one(cap), one(share_downsize), one(leakage), one(close_out), whole, (ANY,), (ANY,), (ANY,), (False,))


class Binding(NamedTuple):
    """What limits say to each position. Shapes `(positions,)`; `cap` is infinite where none holds."""

    cap: Float[Array, " positions"]
    share_downsize: Float[Array, " positions"]
    leakage: Float[Array, " positions"]
    close_out: Float[Array, " positions"]


def binding(limits: Limits, account_class, venue, asset, notional) -> Binding:
    """The limit that holds for each position: the lowest of those whose selectors match.

    **Arguments:** `account_class`, `venue`, `asset`: indices, shape `(positions,)`; `notional`: USD, shape `(positions,)`.
    """
    dtype = notional.dtype
    if not limits.account_class:
        zero = jnp.zeros_like(notional)
        return Binding(jnp.full_like(notional, jnp.inf), zero, zero, zero)
    matches = (notional >= limits.notional[:, :1]) & (notional < limits.notional[:, 1:])
    for selector, index in ((limits.account_class, account_class), (limits.venue, venue), (limits.asset, asset)):
        wanted = jnp.asarray(selector)[:, None]
        matches &= (wanted == ANY) | (wanted == index)
    # picked, not minimised: the derivative of a minimum over all limits costs a hundred times as much with a hundred of them
    caps = jnp.where(matches, jax.lax.stop_gradient(jnp.asarray(limits.cap, dtype))[:, None], jnp.inf)
    which = jnp.argmin(caps, axis=0)
    holds = jnp.any(matches, axis=0)
    pick = lambda field: jnp.where(holds, jnp.asarray(field, dtype)[which], 0.0)
    cap = jnp.where(holds, jnp.asarray(limits.cap, dtype)[which], jnp.inf)
    return Binding(cap, pick(limits.share_downsize), pick(limits.leakage), pick(limits.close_out))

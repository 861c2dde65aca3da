r"""How much of its positions an account may keep when no more is closed than its margin asks for.

Closing the share $1 - y$ of gross notional $G$ costs the fee $f (1 - y) G$ and leaves the requirement $R(y)$, so that the account
keeps the largest $y$ in [0, 1] with

$$E - f (1 - y) G \ge t R(y)$$

for the target $t \ge 1$, and nothing where there is none. `R` is convex and made of straight pieces, being a sum of largest tier
lines; so the condition holds between two values of `y`, and the larger one lies on a single piece. Where a tier's rate holds
for the whole position `R` jumps at the tiers' edges, and that is so between two of them: an edge belongs to the tier above, and
who keeps what the tier below holds ends just under it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array
from .whole_size import UNDER

Share = Float[Array, " accounts"]
Tangent = Callable[[Share], tuple[Share, Share]]
Edges = Callable[[Share], tuple[Share, Share]]


def kept_on_lines(equity, gross, slope, deduction, fee, target) -> Share:
    r"""Share kept of a single position, $R(y) = \max_i (a_i y - D_i)$: exact, the smallest of what its lines allow.

    **Arguments:** `equity`, `gross`: USD, shape `(accounts,)`; `slope`: $a_i$, requirement of the whole position but for the
    deduction $D_i$, `deduction`: USD, both of shape `(accounts, lines)`; `fee`: of what is closed, `target`: of shape
    `(accounts,)` or one for all.

    With an equity of 1,000 and a margin of half, 2,000 are left of 3,000:

    >>> one = jnp.ones(1)
    >>> float(3e3 * kept_on_lines(1e3 * one, 3e3 * one, 1.5e3 * one[:, None], 0.0 * one[:, None], 0.0, 1.0)[0])
    2000.0
    """
    cost, target = (fee * gross)[..., None], jnp.broadcast_to(target, jnp.shape(gross))[..., None]
    room, net = equity[..., None] - cost + target * deduction, target * slope - cost
    most, least = _bounds(room, net)
    most, least = jnp.min(most, axis=-1), jnp.max(least, axis=-1)
    return jnp.where(most >= least, most, 0.0)


def kept_on_tiers(equity, gross, floor, slope, fee, target) -> Share:
    r"""The same where the rate of the tier that what is left lies in holds for all of it, $R(y) = a_i y$ from `floor` on.

    **Arguments:** as of `kept_on_lines`; `floor`: USD, of the tier of each slope.
    """
    cost, target = (fee * gross)[..., None], jnp.broadcast_to(target, jnp.shape(gross))[..., None]
    most, least = _bounds(equity[..., None] - cost, target * slope - cost)
    near = floor / gross[..., None]
    far = jnp.concatenate([(1.0 - UNDER) * near[..., 1:], jnp.full_like(near[..., :1], jnp.inf)], axis=-1)
    most, least = jnp.minimum(most, far), jnp.maximum(least, near)
    return jnp.max(jnp.where(most >= least, most, 0.0), axis=-1)


def kept_on_tangents(equity, gross, tangent: Tangent, pieces: int, fee, target, edges: Edges | None = None) -> Share:
    """Share kept of several positions that share one equity, all of them closed alike.

    From the whole account down: the straight line of the piece at one share allows no less than the whole of `R` does. So the
    share that it allows is the solution, or on a lower piece, and after no more steps than there are pieces the search ends on
    the right one, with its exact solution; or where closing more does not help, with none. Where `R` jumps the search goes on
    under the next jump.

    **Arguments:** as of `kept_on_lines`; `tangent`: slope and deduction (USD, shape `(accounts,)`) of the piece of `R` at a
    share; `pieces`: how many `R` has at most; `edges`: the next shares at which it jumps, at a share or below it (0 for none) and
    above it; None where it does not jump.
    """
    cost = fee * gross

    def line(share):
        slope, deduction = tangent(share)
        return equity - cost + target * deduction, target * slope - cost

    def further(carry):
        share, _, count = carry
        room, net = jax.lax.stop_gradient(line(share))
        helps = (net > 0.0) & (room > 0.0)
        found = jnp.where(helps, room / jnp.where(helps, net, 1.0), 0.0)
        lacks = net * share > room
        if edges is not None:
            below = jax.lax.stop_gradient(edges(share)[0])
            found = jnp.where(found < below, (1.0 - UNDER) * below, found)
        found = jnp.where(lacks & (found < share), found, share)
        return found, jnp.any(found < share), count + 1

    start = (jnp.ones_like(gross), jnp.asarray(True), 0)
    share, _, _ = jax.lax.while_loop(lambda carry: carry[1] & (carry[2] < pieces), further, jax.lax.stop_gradient(start))
    # once more, which is where the derivative comes from
    room, net = line(share)
    part = (share > 0.0) & (share < 1.0)
    inside = part & (net > 0.0)
    found = jnp.where(inside, room / jnp.where(inside, net, 1.0), share)
    if edges is None:
        return found
    most = (1.0 - UNDER) * edges(share)[1]
    return jnp.where(part & ((most < found) | ~inside), most, found)


def _bounds(room, net):
    """Between which shares `net * y <= room`, of those from 0 to 1; the lower end above the upper one where at none."""
    rises, falls = net > 0.0, net < 0.0
    bound = room / jnp.where(rises | falls, net, 1.0)
    most = jnp.where(rises & (bound < 1.0), bound, 1.0)
    never = jnp.where((room < 0.0) & ~falls, jnp.inf, 0.0)
    return most, jnp.where(falls & (bound > 0.0), bound, never)


__all__ = ["kept_on_lines", "kept_on_tangents", "kept_on_tiers"]

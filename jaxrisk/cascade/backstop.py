"""Who pays for a position closed beyond its bankruptcy price: the fund, the winners of the other side, everybody."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from .._leaf import Array, leaf, leaves
from ..positions import LEAST, Claims, Orders

TRIGGERS = ("fund_empty", "fund_drawdown", "account_value")
BUCKETS = 8
_ROUNDING = 64
"""Of a sum of deleveraged notional, in units of the last place: what is left of its loss by then is rounding."""


class Backstop(eqx.Module):
    r"""Insurance fund, auto-deleveraging and socialised loss of each venue.

    Into the fund go liquidation fees and the share `surplus_to_fund` of what is left of a position after its liquidation (all of
    it where the venue takes positions over at their bankruptcy price; the rest is the holder's). Out of it goes the shortfall of
    positions executed beyond their bankruptcy price, as far as it lasts. Auto-deleveraging closes bankrupt positions against the
    other side at their bankruptcy price instead of selling them, once its `trigger` says so:

    - `fund_empty`: for what the fund, with the credits of the same round, cannot pay.
    - `fund_drawdown`: for everything, once the fund has fallen by `drawdown_threshold` from its highest value within
      `drawdown_window` (seen in eighths of the window); before that, and of a fund below a dollar, as `fund_empty`.
    - `account_value`: for everything; the fund is asked only for what the other side is too small for.

    How much is bankrupt is judged at the price that the whole round's orders would have; what is deleveraged is not sold and
    does not move the price. What neither the fund nor the other side covers is a socialised loss.

    **Arguments**, shape `(venues,)`: `insurance_fund`: USD at the start; `surplus_to_fund`: in [0, 1]; `drawdown_threshold`: in
    (0, 1]. One for each venue: `drawdown_window`, years; static `ranking`, in which order the other side is deleveraged, and
    `trigger`.
    """

    insurance_fund: Float[Array, " venues"] = leaf()
    surplus_to_fund: Float[Array, " venues"] = leaf()
    drawdown_threshold: Float[Array, " venues"] = leaf()
    ranking: tuple[str, ...] = eqx.field(static=True)
    trigger: tuple[str, ...] = eqx.field(static=True)
    drawdown_window: tuple[Array, ...] = leaves()

    @staticmethod
    def single(insurance_fund=0.0, surplus_to_fund=1.0, ranking="pro_rata", trigger="fund_empty", threshold=0.3, window=8 / 8760):
        """One venue."""
        return Backstop([insurance_fund], [surplus_to_fund], [threshold], (ranking,), (trigger,), (window,))


class FundState(NamedTuple):
    """`fund`: USD, as far as its precision goes beside its size, for decisions; what it has paid and received is summed apart.
    `peaks`: its highest value in each eighth of the window, the current one first, shape `(venues, 8)`. Then, summed so far, USD:
    `used` by the fund for shortfalls; `forgone` by the other side's holders through auto-deleveraging, net, against the price
    after impact, which may have recovered from the one at which they were called on; `socialised`; `fees`; `surplus` credited;
    `returned` to holders. Shape `(venues,)`."""

    fund: Float[Array, " venues"]
    peaks: Float[Array, "venues buckets"]
    used: Float[Array, " venues"]
    forgone: Float[Array, " venues"]
    socialised: Float[Array, " venues"]
    fees: Float[Array, " venues"]
    surplus: Float[Array, " venues"]
    returned: Float[Array, " venues"]

    @staticmethod
    def start(backstop: Backstop) -> "FundState":
        """At time zero."""
        fund = jnp.asarray(backstop.insurance_fund)
        zero = jnp.zeros_like(fund)
        return FundState(fund, jnp.broadcast_to(fund[:, None], (*fund.shape, BUCKETS)), *(zero,) * 6)


class Paid(NamedTuple):
    """Who bore a round's loss beyond the collateral, USD, shape `(venues,)`: the `fund`, the auto-deleveraged `winners`, net, and
    `everybody`, by a socialised loss."""

    fund: Float[Array, " venues"]
    winners: Float[Array, " venues"]
    everybody: Float[Array, " venues"]


def by_venue(values: Float[Array, "venues assets sides"]) -> Float[Array, " venues"]:
    """Summed over assets and sides."""
    return jnp.sum(values, axis=(1, 2))


def deleveraged_share(backstop: Backstop, state: FundState, claims: Claims, channel, fund_steps) -> Float[Array, " venues"]:
    """Share of what is bankrupt that is auto-deleveraged rather than sold; `channel` scales it. `fund_steps`: in the window over
    which each venue's fund is watched."""
    need = by_venue(claims.shortfall)
    credit = by_venue(claims.fee) + backstop.surplus_to_fund * by_venue(claims.surplus)
    asked = jnp.array([trigger != "account_value" for trigger in backstop.trigger])
    if "fund_drawdown" in backstop.trigger:
        within, _ = _buckets(fund_steps)
        peak = jnp.max(jnp.where(within, state.peaks, 0.0), axis=-1)
        # cents that rounding leaves are not a fund that falls
        fallen = (state.fund < (1.0 - backstop.drawdown_threshold) * peak) & (peak > 1.0)
        watched = jnp.array([trigger == "fund_drawdown" for trigger in backstop.trigger])
        asked &= ~(watched & fallen)
    available = jnp.where(asked, state.fund + credit, 0.0)
    uncovered = jnp.where(need > available, need - available, 0.0)
    return channel * uncovered / jnp.where(need > LEAST, need, 1.0)


def forgone(orders: Orders, ratio: Float[Array, "venues assets"], inverse: tuple[bool, ...]) -> Float[Array, " venues"]:
    """What holders closed by auto-deleveraging would have had more at the market's price, USD."""
    sign = jnp.asarray([1.0, -1.0], ratio.dtype)
    x = ratio[..., None]
    price = jnp.where(orders.deleveraged > 0.0, orders.price, x)
    unit = jnp.where(jnp.asarray(inverse)[:, None, None], 1.0 - x / price, price - x)
    return by_venue(orders.deleveraged * sign * unit)


def pay(
    backstop: Backstop, state: FundState, claims: Claims, lost: Float[Array, " venues"], matched: Float[Array, " venues"]
) -> tuple[FundState, Paid]:
    """Credit the fund and let it pay what it can; returns the state and who paid.

    **Arguments:** `lost`: by the deleveraged; `matched`: what of theirs was closed, USD. What rounding leaves of a loss that they
    are to bear whole is theirs too, and neither the fund's nor everybody's.
    """
    fees, surplus, need = by_venue(claims.fee), by_venue(claims.surplus), by_venue(claims.shortfall)
    kept = backstop.surplus_to_fund * surplus
    fund = state.fund + fees + kept
    rounding = _ROUNDING * jnp.finfo(fund.dtype).eps * matched
    need, lost = _without(need, lost, rounding)
    paid = jnp.where(need < fund, need, fund)
    left, lost = _without(need - paid, lost, rounding)
    state = state._replace(
        fund=fund - paid,
        used=state.used + paid,
        forgone=state.forgone + lost,
        socialised=state.socialised + left,
        fees=state.fees + fees,
        surplus=state.surplus + kept,
        returned=state.returned + (surplus - kept),
    )
    return state, Paid(paid, lost, left)


def _without(loss, lost, rounding):
    small = loss <= rounding
    return jnp.where(small, 0.0, loss), lost + jnp.where(small, loss, 0.0)


def watch(backstop: Backstop, state: FundState, index, fund_steps) -> FundState:
    """Keep the fund's highest values, at the end of a step; `fund_steps` as above."""
    if "fund_drawdown" not in backstop.trigger:
        return state
    _, length = _buckets(fund_steps)
    new = ((index + 1) % length == 0)[:, None]
    fund = state.fund[:, None]
    current = jnp.concatenate([jnp.maximum(state.peaks[:, :1], fund), state.peaks[:, 1:]], axis=-1)
    return state._replace(peaks=jnp.where(new, jnp.concatenate([fund, current[:, :-1]], axis=-1), current))


def _buckets(fund_steps):
    """Which of the eighths lie in each venue's window, shape `(venues, 8)`, and how many steps an eighth has, `(venues,)`."""
    length = jnp.maximum(1, jnp.round(fund_steps / BUCKETS).astype(jnp.int32))
    return jnp.arange(BUCKETS) < jnp.minimum(BUCKETS, fund_steps // length)[:, None], length

"""The rules of each venue: engine, fees, marks, contracts."""

import equinox as eqx
import numpy as np
from jaxtyping import Float

from .._leaf import Array, leaf, leaves
from ..positions import Contracts, Policy, Tiers
from .backstop import Backstop
from .breaker import Breaker


class Venues(eqx.Module):
    """One row a venue.

    **Arguments**, shape `(venues,)` unless said:

    - `engine_time`: time constant of the liquidation engine, years; 0 executes the whole backlog at once.
    - `liquidation_fee`: share of the liquidated notional.
    - `closes_opposite`: share of forced volume that is bought by holders closing the other side; the rest is bought by new
      holders without leverage. Of volume that does not meet forced volume of the other side in the same step.
    - `arbitrage_rate`: a year, at which a venue's own basis relaxes.
    - `local_impact`: basis per USD of the venue's own net selling, shape `(venues, assets)`; 0 for none.
    - `index_weight`: weight of the index, against the venue's own price, in its mark.
    - `tiers`: margin tiers.
    - `liquidity_leakage`: how much of a dollar sold on one venue (second axis) counts as sold into the book of another (first
      axis), shape `(venues, venues)`; the diagonal is not looked at; None for none.
    - `haircut`: share of coin collateral that does not count, shape `(venues, assets)`; None for none. It does not count towards
      what is left of a liquidated account either, so that shortfalls err on the severe side.
    - `policy`: what is closed of a position under margin; None closes it in `tranches`.
    - `backstop`: who pays for bankrupt positions; None leaves that out.
    - `tranches`: shares of a position closed at each of its triggers, for each venue: how many there are is static.
    - `inverse`: whether contracts are coin-margined, for each venue. Static.
    """

    engine_time: Float[Array, " venues"] = leaf()
    liquidation_fee: Float[Array, " venues"] = leaf()
    closes_opposite: Float[Array, " venues"] = leaf()
    arbitrage_rate: Float[Array, " venues"] = leaf()
    local_impact: Float[Array, "venues assets"] = leaf()
    index_weight: Float[Array, " venues"] = leaf()
    tiers: Tiers
    tranches: tuple[tuple[Array, ...], ...] = leaves()
    inverse: tuple[bool, ...] = eqx.field(static=True)
    liquidity_leakage: Float[Array, "venues venues"] | None = leaf(default=None)
    haircut: Float[Array, "venues assets"] | None = leaf(default=None)
    policy: Policy | None = None
    backstop: Backstop | None = None
    breaker: Breaker | None = None

    @staticmethod
    def single(tiers: Tiers, engine_time=0.0, liquidation_fee=0.0, closes_opposite=1.0, tranches=(1.0,), inverse=False):
        """One venue without a basis."""
        one = lambda x: x * np.ones(1)
        return Venues(
            engine_time=one(engine_time),
            liquidation_fee=one(liquidation_fee),
            closes_opposite=one(closes_opposite),
            arbitrage_rate=one(0.0),
            local_impact=np.zeros((1, tiers.rate.shape[1])),
            index_weight=one(0.0),
            tiers=tiers,
            tranches=(tuple(tranches),),
            inverse=(inverse,),
        )

    def contracts(self) -> Contracts:
        """What the books need to know."""
        ranking = ("pro_rata",) * len(self.inverse) if self.backstop is None else self.backstop.ranking
        return Contracts(self.tiers, self.inverse, self.tranches, self.liquidation_fee, self.policy, ranking, self.haircut)


class Channels(eqx.Module):
    """Multipliers in [0, 1] that switch parts of the model off with the same random numbers.

    **Arguments:** scalars. `feedback`: of all price impact; `depth_withdrawal`: of the withdrawal of depth; `stops`: of stop
    orders; `calls`: of the shares of holders who top up or reduce at a margin call; `deleveraging`: of the quantity that is
    auto-deleveraged; `common_holders`: of what common holders sell of other assets.
    """

    feedback: Float[Array, ""] = leaf(default=1.0)
    depth_withdrawal: Float[Array, ""] = leaf(default=1.0)
    stops: Float[Array, ""] = leaf(default=1.0)
    calls: Float[Array, ""] = leaf(default=1.0)
    deleveraging: Float[Array, ""] = leaf(default=1.0)
    common_holders: Float[Array, ""] = leaf(default=1.0)

"""What decides, besides price and leverage, when and how a position is closed: a venue's policy, calls, stops, funding, flows."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._leaf import Array, leaf

POLICIES = ("full", "partial", "lower_tier", "to_margin", "tranches")
RANKINGS = ("pro_rata", "binance", "hyperliquid", "bitmex", "minimax_leverage")


class Policy(eqx.Module):
    """What a venue closes of a position under its maintenance margin.

    - `full`: all of it.
    - `partial`: `first_share` of a position of at least `first_above`, and all that is left if it is under margin again; in
      `AccountBook` only within `cool_down` of the first order, later again the first share (Hyperliquid: 20%, 100,000 USD, 30 s).
    - `lower_tier`: down to the floor of its tier, then, and in the lowest tier at once, all (Bybit).
    - `to_margin`: as little as brings equity, the liquidation fee paid, to `margin_target` times the margin of what is left; all
      where no smaller position would have that (Binance: an order to cut exposure, and no more once the account complies).
    - `tranches`: the shares given by `Venues.tranches`, at their own triggers; for `LadderBook` only.

    What is under margin again is judged anew: after each partial close the smaller position has its own liquidation price. Equity
    that equals the margin is enough under each of them.

    **Arguments**, shape `(venues,)`: `first_share`; `first_above`: USD; `cool_down`: years; `margin_target`: at least 1, or one
    for all; `kind`: one of the words above for each venue, static.
    """

    first_share: Float[Array, " venues"] = leaf()
    first_above: Float[Array, " venues"] = leaf()
    cool_down: Float[Array, " venues"] = leaf()
    kind: tuple[str, ...] = eqx.field(static=True)
    margin_target: Float[Array, "..."] = leaf(default=1.0)

    @staticmethod
    def same(kind: str = "full", venues: int = 1, first_share=0.2, first_above=1e5, cool_down=0.0, margin_target=1.0) -> "Policy":
        """One policy for all venues."""
        each = lambda x: x * np.ones(venues)
        return Policy(each(first_share), each(first_above), each(cool_down), (kind,) * venues, each(margin_target))

    @property
    def closes_to_margin(self) -> bool:
        """Whether any venue does."""
        return "to_margin" in self.kind

    def targets(self):
        """`margin_target` of each venue, shape `(venues,)`."""
        return jnp.broadcast_to(self.margin_target, (len(self.kind),))


class Calls(eqx.Module):
    r"""Margin calls: at equity below `level` times the maintenance margin a holder is asked to restore the initial margin.

    A share `top_up` of the holders posts it, which moves the liquidation price away; a share `reduce` sells as much of the
    position as restores it, which is an order without a liquidation; the rest cannot meet the call and waits for liquidation.
    A holder is called once. Where the call would come at the initial price already, or initial margin is no more than the level,
    nobody is called.

    **Arguments**, shape `(classes,)`: `level`, above 1; `top_up`, `reduce`: in [0, 1], together at most 1.
    """

    level: Float[Array, " classes"] = leaf()
    top_up: Float[Array, " classes"] = leaf()
    reduce: Float[Array, " classes"] = leaf()


class Stops(eqx.Module):
    """Stop orders: positions without leverage that are sold (longs) or bought back (shorts) as the mark reaches their price.

    Their quantity is open interest of its own. Prices are spread evenly in the log price from `level` on, away from the initial
    price, over `width`: a cluster under a support, or above a resistance.

    **Arguments:** `quantity`: USD at the initial price; `level`: USD a coin, below the initial price for longs, above it for
    shorts; `width`: log price. Scalars. `venue`, `asset`, `side` (+1 for stops of longs, -1 of shorts): static.
    """

    quantity: Float[Array, ""] = leaf()
    level: Float[Array, ""] = leaf()
    width: Float[Array, ""] = leaf(default=0.0)
    venue: int = eqx.field(static=True, default=0)
    asset: int = eqx.field(static=True, default=0)
    side: int = eqx.field(static=True, default=1)


class Funding(eqx.Module):
    """Funding payments on perpetuals: longs pay shorts `rate` times their notional a year, where it is negative shorts pay.

    **Arguments:** `rate`: a year, shape `(assets,)`; `trend_sensitivity`: by how much the rate rises with the recent trend (log
    return a year), shape `(assets,)`. For `AccountBook`, which takes it in dollars, and `FlowBook`, which takes it in coins from
    coin-margined contracts.
    """

    rate: Float[Array, " assets"] = leaf()
    trend_sensitivity: Float[Array, " assets"] = leaf()


class Flow(eqx.Module):
    r"""How positions close and new ones open, for `FlowBook`.

    Every holder closes at `closing_rate`. New leverage opens at the current price, on both sides alike in quantity, at
    `opening_rate` times the open interest of the start, or for a share `opening_follows` of it that of the moment, scaled by
    $(\sigma_\mathrm{ref}/\sigma)^\eta \exp(\tau\,\text{trend})$; its leverage is drawn from the venue, asset and side's own
    distribution at the start with all leverage scaled by the same form.

    **Arguments:** `closing_rate`, `opening_rate`: a year; `reference_volatility`: annualised; `volume_elasticity`,
    `leverage_elasticity`: `eta` of quantity and of leverage; `volume_trend`, `leverage_trend`: `tau`, years. Shape `(assets,)`.
    `opening_follows`: in [0, 1]. With 0 what is lost comes back as fast as positions turn over, with 1 never; scalar or by asset.
    `half_life`: of the weights in realised volatility and trend, years, scalar. `levels`: cells of the map, `width`: of one, log
    price; static.
    """

    closing_rate: Float[Array, " assets"] = leaf()
    opening_rate: Float[Array, " assets"] = leaf()
    reference_volatility: Float[Array, " assets"] = leaf()
    volume_elasticity: Float[Array, " assets"] = leaf()
    leverage_elasticity: Float[Array, " assets"] = leaf()
    volume_trend: Float[Array, " assets"] = leaf()
    leverage_trend: Float[Array, " assets"] = leaf()
    half_life: Float[Array, ""] = leaf(default=7 / 365)
    opening_follows: Float[Array, "..."] = leaf(default=0.0)
    levels: int = eqx.field(static=True, default=1024)
    width: float = eqx.field(static=True, default=0.004)


__all__ = ["POLICIES", "RANKINGS", "Calls", "Flow", "Funding", "Policy", "Stops"]

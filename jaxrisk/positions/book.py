"""What every representation of the positions has to offer, so that the step does not know which it has."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._leaf import Array

Cells = Float[Array, "venues assets sides"]
Optional = Any
"""Part of a state that is an array, or None where a book has no such rule, which is decided when it is built."""


class View(NamedTuple):
    """What a book sees of the market when it checks margins. Log marks over the initial price, shape `(venues, assets)`.

    - `mark`: now.
    - `low`, `high`: lowest and highest since time zero, between steps too where the bridge finds them.
    - `recent_low`, `recent_high`: the same since the last check.
    - `volatility`: realised, a square-root year; `trend`: of the index price, log return a year, both exponentially weighted.
      Shape `(assets,)`.
    - `index`: number of the step.
    - `trades`: whether each contract trades, shape `(venues, assets)`; None where none ever halts. Where it does not, nobody
      closes or opens of their own accord, or meets a call.
    """

    mark: Float[Array, "venues assets"]
    low: Float[Array, "venues assets"]
    high: Float[Array, "venues assets"]
    recent_low: Float[Array, "venues assets"]
    recent_high: Float[Array, "venues assets"]
    volatility: Float[Array, " assets"]
    trend: Float[Array, " assets"]
    index: Int[Array, ""]
    trades: Bool[Array, "venues assets"] | None = None


class Gate(NamedTuple):
    """What lets orders through where markets may halt, shape `(venues, assets)`.

    `trades`: whether anybody may trade; `auction`: share of what waits that an engine sends at least; `open`: share of the round
    in which its orders are taken.
    """

    trades: Bool[Array, "venues assets"]
    auction: Float[Array, "venues assets"]
    open: Float[Array, "venues assets"]

    def share(self, engine: Float[Array, " venues"]) -> Float[Array, "venues assets"]:
        """What of its backlog each venue's engine sends, given what it sends where nothing halts."""
        usual = engine[:, None]
        return jnp.where(self.auction > usual, self.auction, usual) * self.open


class Orders(NamedTuple):
    """What leaves the positions of each side in one round, none negative. USD at the initial price.

    `liquidated`, `stopped`, `reduced`: sent to the market by the engine, by stop orders, by holders who meet a margin call;
    `deleveraged`: liquidated too, but closed against the other side at `price` (ratio to the initial price) and not sent to the
    market; `detail`: what the book needs to settle them; `owing`: what it needs to say which class owes what is lost beyond the
    collateral, None where nobody asks.
    """

    liquidated: Cells
    stopped: Cells
    reduced: Cells
    deleveraged: Cells
    price: Cells
    detail: Any
    owing: Any = None

    def forced(self) -> Cells:
        """Everything that is sent to the market."""
        return self.liquidated + self.stopped + self.reduced


class Claims(NamedTuple):
    """What the liquidated part of some orders leaves behind at a price. USD, none negative.

    `fee`: paid out of what is left to the holders; `surplus`: left after the fee of positions that are closed for good;
    `shortfall`: loss beyond the bankruptcy price; `bankrupt`: quantity sent to the market beyond its bankruptcy price, USD at the
    initial price.
    """

    fee: Cells
    surplus: Cells
    shortfall: Cells
    bankrupt: Cells


class Closed(NamedTuple):
    """Who takes the other end of a round's forced orders. USD at the initial price, none negative.

    `matched`: forced sells against forced buys, once for both, shape `(venues, assets)`; `holders`: what each side's holders
    close of their own accord; `opened`: what new holders without leverage take over, by the side that they hold from then on.
    """

    matched: Float[Array, "venues assets"]
    holders: Cells
    opened: Cells

    def by_orders(self) -> Cells:
        """Open interest lost to each side's forced orders: what the other side closes for them, and half of what is matched."""
        return self.holders[..., ::-1] + 0.5 * self.matched[..., None]


class AbstractBook(eqx.Module):
    r"""Positions of all venues, assets and sides during a simulation.

    Quantities are open interest in USD: coins times S_0, or the dollars of coin-margined contracts. Shape
    `(venues, assets, sides)` with side 0 long, 1 short. Longs equal shorts in quantity on every venue and asset, at every step.
    Ratios are prices over the initial price.

    What goes where, on every venue and asset, of side `s` and the other side `s'`: forced orders are closed against the other
    side's forced orders of the same round, by its holders who close, or by new holders,

    $$F_s = M + H_{s'} + O_s$$

    (`forced`, `matched`, `holders`, `opened` of `Closed`), and with `D` deleveraged a round takes $M + H_0 + H_1 + D_0 + D_1$
    off the open interest. So up to any time, unforced closing and opening aside (`FlowBook`),

    $$\text{at the start} = \text{left} + \sum (F_0 + F_1 - M - O_0 - O_1 + D_0 + D_1)$$

    with `F` what is liquidated, stopped and reduced in the market: sells and buys that meet count once. Both sides together can
    be liquidated for more than the open interest of one, and for no more than that once `M` and `O` are taken off.
    Where the rest always closes the other side (`closes_opposite` 1), and what is forced is the same share of both sides'
    backlog, nothing is opened. What waits for the engine is nobody's to close: it meets the other side's orders as it is sent.

    A step calls `advance` once; then, each round, `trigger`, `release`, `claims`, `spare` (where there is a backstop), `settle`;
    and, if `checks_after`, `trigger` once more at its end. Each book has the fields `dropped` (quantity beyond its liquidation
    price at the start and left out) and `balancing` (quantity that only makes up for a difference between longs and shorts).
    """

    dropped: eqx.AbstractVar[Cells]
    balancing: eqx.AbstractVar[Cells]

    @property
    @abc.abstractmethod
    def checks_after(self) -> bool:
        """Whether the marks at the end of a step have to be checked as they are, not by their extremes. Static."""

    @abc.abstractmethod
    def init(self) -> Any:
        """State at time zero: nothing triggered."""

    @abc.abstractmethod
    def advance(self, state: Any, view: View, years: Float[Array, ""]) -> Any:
        """What happens over a step of `years` without force: funding, positions that close and open. `view` as before it."""

    @abc.abstractmethod
    def trigger(self, state: Any, view: View) -> Any:
        """Meet margin calls, and hand the engine what is under maintenance margin."""

    @abc.abstractmethod
    def release(self, state: Any, share: Float[Array, " venues"], gate: Gate | None = None) -> tuple[Any, Orders]:
        """Orders that are sent now: the engine's `share` of its backlog, and all stopped and reduced, as far as the `gate` lets
        them through, None where nothing ever halts; what does not go waits."""

    @abc.abstractmethod
    def claims(self, state: Any, orders: Orders, ratio: Float[Array, "venues assets"], fee: Float[Array, " venues"]) -> Claims:
        """What `orders.liquidated` leaves behind if executed at these ratios."""

    @abc.abstractmethod
    def spare(self, state: Any, orders: Orders, ratio: Float[Array, "venues assets"], share: Float[Array, " venues"]) -> Orders:
        """Take a share of what is bankrupt at these ratios out of the market: it is closed at its bankruptcy price against the
        other side, as far as there is any."""

    @abc.abstractmethod
    def owed(self, state: Any, orders: Orders, ratio: Float[Array, "venues assets"]) -> Any:
        """What is lost beyond the collateral if orders are executed at these ratios, by class: an `Owed`, or None where nobody
        asks for it or the book does not know. `state` as before they are settled."""

    @abc.abstractmethod
    def settle(
        self,
        state: Any,
        orders: Orders,
        ratio: Float[Array, "venues assets"],
        fee: Float[Array, " venues"],
        closes_opposite: Float[Array, " venues"],
    ) -> tuple[Any, Closed]:
        """Book the orders at the ratios they were executed at: holders of the other side are deleveraged in the venue's ranking,
        forced sells and buys close against each other (`closing.py`), holders who close take their share of the rest, new holders
        without leverage take what is left.

        That is of one round, which is the whole step but for what the step's own impact sets off: the first round checks all of
        the step's exogenous move, later ones follow the impact, and what they trigger is of the side that was sold more."""

    @abc.abstractmethod
    def socialise(self, state: Any, loss: Float[Array, " venues"], ratio: Float[Array, "venues assets"]) -> Any:
        """Charge holders with a loss (USD) that nobody else covers."""

    @abc.abstractmethod
    def open_interest(self, state: Any) -> Cells:
        """Quantity still held, levered and unlevered, the backlog included."""

    @abc.abstractmethod
    def class_shares(self, state: Any, view: View) -> Float[Array, "venues assets sides classes"]:
        """How the notional triggered so far divides among the account classes; zeros where nothing was."""

    @abc.abstractmethod
    def accounts(self, state: Any, view: View, closing: Any) -> Any:
        """What liquidations have done to accounts so far, a `ByClass`; `closing`: a `Closing`."""

    @abc.abstractmethod
    def margin_called(self, state: Any) -> Float[Array, " venues"]:
        """Collateral asked for by margin calls so far, USD."""

    @abc.abstractmethod
    def triggered(self, distance: Float[Array, " levels"]) -> Float[Array, "venues assets sides levels"]:
        """Quantity liquidated if one asset alone moved by a distance (log price) against its holders, from time zero."""


__all__ = ["AbstractBook", "Cells", "Claims", "Closed", "Gate", "Optional", "Orders", "View"]

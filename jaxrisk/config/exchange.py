"""The keys of `[calls]`, `[stops.*]`, `[funding]` and `[flow]`."""

from typing import Annotated

from .containers import PerAsset
from .sections import SHARE_TOLERANCE
from .table import ByAsset, Refuse, Table
from .units import Span
from .values import MOST_USD, Choice, Duration, NameOf, Number, Whole

_ELASTICITY = Number("", at_least=-10.0, at_most=10.0)
_TREND = Duration("", positive=False)
_NO_TIME = Span("0d")


class Call(Table):
    """A margin call."""

    level: Annotated[
        float, Number("equity below which holders are called, over the maintenance margin", above=1.0, at_most=100.0)
    ]
    top_up: Annotated[float, Number("share of holders who restore the initial margin", at_least=0.0, at_most=1.0)] = 0.0
    reduce: Annotated[float, Number("share of holders who sell instead, as much as restores it", at_least=0.0, at_most=1.0)] = 0.0

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.top_up is not None and v.reduce is not None and v.top_up + v.reduce > 1.0 + SHARE_TOLERANCE:
            refuse("reduce", v.reduce, f"top_up + reduce has to be at most 1; it is {v.top_up + v.reduce:g}")


class StopOrders(Table):
    """Stop orders of holders without leverage."""

    venue: Annotated[str, NameOf("venue", "venues")]
    asset: Annotated[str, NameOf("asset", "assets")]
    side: Annotated[str, Choice("whose positions they close", ("long", "short"))]
    quantity: Annotated[float, Number("open interest that they close", "USD", at_least=0.0, at_most=MOST_USD)]
    level: Annotated[
        float, Number("first price, below that at the start for longs, above it for shorts", "USD a coin", above=0.0)
    ]
    width: Annotated[
        float, Number("stretch beyond the level over which they are spread", "log price", at_least=0.0, at_most=3.0)
    ] = 0.0


class FundingTable(Table):
    """Funding payments of perpetuals."""

    rate: Annotated[
        ByAsset,
        PerAsset("what longs pay shorts, negative where shorts pay; 0 for assets not named",
                 Number("", "of notional, a year", at_least=-50.0, at_most=50.0), partial=True),
    ]  # fmt: skip
    trend_sensitivity: Annotated[
        ByAsset,
        PerAsset("rise of the rate with the trend, both a year; 0 for assets not named",
                 Number("", at_least=-100.0, at_most=100.0), partial=True),
    ] = 0.0  # fmt: skip


class FlowTable(Table):
    """How positions close and new ones open."""

    closing_half_life: Annotated[Span | dict[str, Span], PerAsset("time in which half of the positions close", Duration(""))]
    opening_rate: Annotated[
        ByAsset | None,
        PerAsset("new open interest over that at the start; by default what closes at the start",
                 Number("", "a year", at_least=0.0, at_most=1e5)),
    ] = None  # fmt: skip
    opening_follows: Annotated[
        ByAsset,
        PerAsset(
            "share of what opens that follows the open interest of the moment instead of the start's",
            Number("", at_least=0.0, at_most=1.0),
        ),
    ] = 0.0
    reference_volatility: Annotated[
        ByAsset | None,
        PerAsset("volatility at which openings are as stated; needed for an elasticity",
                 Number("", "a square-root year; 0.6 is 60%", above=0.0, at_most=20.0)),
    ] = None  # fmt: skip
    volume_elasticity: Annotated[
        ByAsset, PerAsset("power of reference over realised volatility in the quantity that opens", _ELASTICITY)
    ] = 0.0
    leverage_elasticity: Annotated[ByAsset, PerAsset("the same power in its leverage", _ELASTICITY)] = 0.0
    volume_trend: Annotated[
        Span | dict[str, Span], PerAsset("log of the quantity that opens, per trend (log price a year)", _TREND)
    ] = _NO_TIME
    leverage_trend: Annotated[Span | dict[str, Span], PerAsset("log of its leverage, per trend", _TREND)] = _NO_TIME
    half_life: Annotated[Span, Duration("half-life of the weights in realised volatility and trend")] = Span("7d")
    levels: Annotated[int, Whole("cells of the map of open interest by liquidation price", at_least=32, at_most=2**16)] = 1024
    width: Annotated[float, Number("width of a cell", "log price", above=0.0, at_most=0.1)] = 0.004

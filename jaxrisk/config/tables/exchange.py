"""`[calls]`, `[stops.*]`, `[funding]` and `[flow]`."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ...units import Span
from .by_name import ByAsset, BySomeAssets
from .populations import Side
from .table import Table, Wrong
from .values import SHARE_TOLERANCE, AssetName, Dollars, Duration, LogPrice, Rate, Share, SpanOrZero, VenueName, Volatility, Whole

_Elasticity = Annotated[float, Field(ge=-10, le=10)]


class Call(Table):
    """A margin call."""

    level: float = Field(gt=1, le=100, description="equity below which holders are called, over the maintenance margin")
    top_up: Share = Field(0.0, description="share of holders who restore the initial margin")
    reduce: Share = Field(0.0, description="share of holders who sell instead, as much as restores it")

    def between(self) -> Iterator[Wrong]:
        """No more than all holders answer."""
        if self.top_up is not None and self.reduce is not None and self.top_up + self.reduce > 1.0 + SHARE_TOLERANCE:
            text = f"top_up + reduce has to be at most 1; it is {self.top_up + self.reduce:g}"
            yield Wrong("reduce", self.reduce, text)


class Stop(Table):
    """Stop orders of holders without leverage."""

    venue: VenueName = Field(description="venue")
    asset: AssetName = Field(description="asset")
    side: Side = Field(description="whose positions they close")
    quantity: Dollars = Field(description="open interest that they close")
    level: float = Field(
        gt=0,
        description="first price, below that at the start for longs, above it for shorts",
        json_schema_extra={"unit": "USD a coin"},
    )
    width: float = Field(
        0.0, ge=0, le=3, description="stretch beyond the level over which they are spread", json_schema_extra=LogPrice
    )


class Funding(Table):
    """Funding payments of perpetuals."""

    rate: BySomeAssets[Annotated[float, Field(ge=-50, le=50, json_schema_extra={"unit": "of notional, a year"})]] = Field(
        description="what longs pay shorts, negative where shorts pay; 0 for assets not named"
    )
    trend_sensitivity: BySomeAssets[Annotated[float, Field(ge=-100, le=100)]] = Field(
        0.0, description="rise of the rate with the trend, both a year; 0 for assets not named"
    )


class Flow(Table):
    """How positions close and new ones open."""

    closing_half_life: ByAsset[Duration] = Field(description="time in which half of the positions close")
    opening_rate: ByAsset[Rate] | None = Field(
        None, description="new open interest over that at the start; by default what closes at the start"
    )
    opening_follows: ByAsset[Share] = Field(
        0.0, description="share of what opens that follows the open interest of the moment instead of the start's"
    )
    reference_volatility: ByAsset[Volatility] | None = Field(
        None, description="volatility at which openings are as stated; needed for an elasticity"
    )
    volume_elasticity: ByAsset[_Elasticity] = Field(
        0.0, description="power of reference over realised volatility in the quantity that opens"
    )
    leverage_elasticity: ByAsset[_Elasticity] = Field(0.0, description="the same power in its leverage")
    volume_trend: ByAsset[SpanOrZero] = Field(
        Span("0d"), description="log of the quantity that opens, per trend (log price a year)"
    )
    leverage_trend: ByAsset[SpanOrZero] = Field(Span("0d"), description="log of its leverage, per trend")
    half_life: Duration = Field(Span("7d"), description="half-life of the weights in realised volatility and trend")
    levels: Whole = Field(1024, ge=32, le=2**16, description="cells of the map of open interest by liquidation price")
    width: float = Field(0.004, gt=0, le=0.1, description="width of a cell", json_schema_extra=LogPrice)

    def between(self) -> Iterator[Wrong]:
        """A volatility that an elasticity refers to."""
        if "reference_volatility" in self.model_fields_set:
            return
        for name in ("volume_elasticity", "leverage_elasticity"):
            value = getattr(self, name)
            if any(value.values() if isinstance(value, dict) else [value]):
                text = f"missing; needs the volatility to which {name} refers, a number above 0 (a square-root year; 0.6 is 60%)"
                yield Wrong("reference_volatility", None, text, missing=True)
                return


__all__ = ["Call", "Flow", "Funding", "Stop"]

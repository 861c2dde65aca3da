"""`[impact]`, one model for each law, and `[temporary_impact]`."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from .by_name import ByAsset
from .matrices import CommonHolders, Cross
from .table import Table, Wrong, by_word
from .values import BookDepth, DailyVolatility, DailyVolume, Duration, Share

_Prefactor = Annotated[float, Field(ge=0, le=1e3)]
_Exponent = Annotated[float, Field(gt=0, le=1)]
_Points = Annotated[list[float], Field(min_length=2)]


class Impact(Table):
    """What forced volume does to the price; `law` says how."""

    resilience_half_life: ByAsset[Duration] = Field(description="half-life of the displaced volume that does not stay")
    permanent_share: ByAsset[Share] = Field(
        0.0, description="share of displaced volume that stays; under a square-root law 0.1 of it leaves 32% of the impact"
    )
    cross: Cross = Field({}, description="share of one asset's displaced volume that counts for another")
    common_holders: CommonHolders | None = Field(
        None,
        description="USD of the second asset that holders of both sell for each forced dollar of the first; none if not given",
    )


class LinearLaw(Impact):
    """Impact linear in volume."""

    law: Literal["linear"]
    depth: ByAsset[BookDepth] = Field(description="depth of the book")


class PowerLaw(Impact):
    """Impact as a power of volume."""

    law: Literal["power"]
    coefficient: ByAsset[_Prefactor] = Field(description="prefactor Y, of order one")
    daily_volatility: ByAsset[DailyVolatility] = Field(description="standard deviation of a day's log-return")
    daily_volume: ByAsset[DailyVolume] = Field(description="traded volume")
    exponent: ByAsset[_Exponent] = Field(0.5, description="exponent delta")


class TableLaw(Impact):
    """Impact read from a table of volume and move."""

    law: Literal["table"]
    volume: ByAsset[_Points] | None = Field(
        None, description="net sold volume, rising, USD; at and above 0 for a table that is the same both ways"
    )
    move: ByAsset[_Points] | None = Field(None, description="fall of the log price at each volume, rising")
    file: ByAsset[str] | None = Field(None, description="table with the columns volume_usd and log_move")

    def between(self) -> Iterator[Wrong]:
        """A table, here or in a file."""
        points, file = self.model_fields_set & {"volume", "move"}, "file" in self.model_fields_set
        if not points and not file:
            yield Wrong("volume", None, "missing; needs volume and move, or file", missing=True)
        elif points and file:
            yield Wrong("file", self.file, "has to be given instead of volume and move, not beside them")
        elif len(points) == 1:
            absent = "move" if "volume" in points else "volume"
            yield Wrong(absent, None, "missing; volume and move go together", missing=True)


Law = LinearLaw | PowerLaw | TableLaw
LAWS: dict[str, type[Impact]] = by_word(Law, "law")
"""The model of each law."""


class TemporaryImpact(Table):
    """Impact of the rate of execution, gone within minutes."""

    coefficient: ByAsset[_Prefactor] = Field(description="prefactor eta")
    exponent: ByAsset[_Exponent] = Field(0.6, description="exponent beta")
    half_life: ByAsset[Duration] = Field(description="half-life of the average rate, minutes")
    daily_volatility: ByAsset[DailyVolatility] | None = Field(
        None, description="standard deviation of a day's log-return; that of a power law if not given"
    )
    daily_volume: ByAsset[DailyVolume] | None = Field(None, description="traded volume; that of a power law if not given")


__all__ = ["LAWS", "Impact", "Law", "LinearLaw", "PowerLaw", "TableLaw", "TemporaryImpact"]

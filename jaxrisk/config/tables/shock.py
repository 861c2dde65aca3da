"""`[shock]`."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ... import units
from ...units import Span
from .by_name import BySomeAssets
from .table import Table, Wrong
from .values import SPAN_SCHEMA, Duration, Share, VenueName


def _time_or_random(text: str) -> Span:
    span = Span(text)
    if text != RANDOM:
        _ = span.seconds
    return span


RANDOM = "random"
_AT = SPAN_SCHEMA | {
    "pattern": f"{SPAN_SCHEMA['pattern']}|^({RANDOM})$",
    "allowed": f'{units.ALLOWED}, or "{RANDOM}"',
    "words": [RANDOM],
}


class Shock(Table):
    """A move of given size on top of the process."""

    size: BySomeAssets[Annotated[float, Field(gt=-1, le=10, json_schema_extra={"unit": "a fraction"})]] = Field(
        description="size as a fraction of the price, -0.1 for a fall of 10%; 0 for assets not named"
    )
    window: Duration = Field(description="time over which the shock is spread")
    at: Annotated[Span, AfterValidator(_time_or_random)] = Field(description="time of its start", json_schema_extra=_AT)
    venue: VenueName | None = Field(
        None, description="the only venue whose price moves, a basis that arbitrage takes back; by default all"
    )
    pass_through: Share | None = Field(
        None, description="share of what arbitrage takes back there by which the market's price moves"
    )

    def between(self) -> Iterator[Wrong]:
        """Nothing is passed through where the market's price moves itself."""
        if self.pass_through is not None and "venue" not in self.model_fields_set:
            yield Wrong(
                "pass_through", self.pass_through, "has no effect without shock.venue, as the market's price moves itself"
            )


__all__ = ["RANDOM", "Shock"]

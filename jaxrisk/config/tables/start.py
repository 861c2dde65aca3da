"""`market.start`: from where a law with a variance of its own starts, where it is not from a variance that is given."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from .by_name import ByAsset, PriceColumns
from .table import Table
from .values import Duration, Moment, Whole

STATIONARY = "stationary"
PARTICLES = 4096
"""Of a filter, where the scenario does not say."""
_LOG_VARIANCE = {"unit": "log variance"}
_Factor = Annotated[float, Field(ge=-20, le=20, json_schema_extra=_LOG_VARIANCE)]
_Spread = Annotated[float, Field(ge=0, le=10, json_schema_extra=_LOG_VARIANCE)]


class FromFactors(Table):
    """Factors near given ones; by asset or for all."""

    factors: ByAsset[Annotated[list[_Factor], Field(min_length=1)]] = Field(
        description="value of each factor of the log variance"
    )
    sd: ByAsset[Annotated[list[_Spread], Field(min_length=1)]] = Field(description="standard deviation of each factor about it")

    @model_validator(mode="before")
    @classmethod
    def _exactly_there(cls, table: Any) -> Any:
        """Without deviations the factors are those that are given."""
        factors = table.get("factors")
        if "sd" in table:
            return table
        rows = factors if isinstance(factors, dict) else {"": factors}
        # of factors that are wrong themselves nothing more is to be said
        zeros = {name: [0.0] * (len(row) if isinstance(row, list) and row else 1) for name, row in rows.items()}
        return table | {"sd": zeros if isinstance(factors, dict) else zeros[""]}


class FromPrices(Table):
    """The state filtered from price files up to a moment."""

    prices: ByAsset[str] = Field(description="price file, or one for each asset")
    until: Moment = Field(description="the run's start: prices up to it are used")
    history: Duration | None = Field(None, description="how much of the file before it is used")
    particles: Whole = Field(PARTICLES, ge=100, le=10**6, description="particles of the filter")
    columns: PriceColumns | None = Field(None, description="the file's own names of columns")
    day_first: bool | None = Field(None, description="whether the day comes first in the file's dates")


def _form(value: Any) -> str | None:
    """Which form a start is of: a word, or the table that a key tells."""
    if value == STATIONARY:
        return STATIONARY
    forms = {"prices": FromPrices, "factors": FromFactors}
    return next((form for form in forms if isinstance(value, forms[form]) or (isinstance(value, dict) and form in value)), None)


_WORD = f'"{STATIONARY}" for a day drawn at random'
Stationary = Annotated[Literal["stationary"], Field(json_schema_extra={"allowed": _WORD})]
"""The start of a law without factors."""

_FORMS = {
    "allowed": f'{_WORD}, {{factors = [0.5, 0.1], sd = [0.2, 0.1]}}, or {{prices = "FILE", until = "2024-08-04T00:00:00Z"}} for '
    "the state filtered from a price file",
    "words": ["prices", "factors"],
}
Start = Annotated[
    Annotated[Literal["stationary"], Tag(STATIONARY)]
    | Annotated[FromPrices, Tag("prices")]
    | Annotated[FromFactors, Tag("factors")],
    Discriminator(_form),
    Field(json_schema_extra=_FORMS),
]

__all__ = ["PARTICLES", "STATIONARY", "FromFactors", "FromPrices", "Start", "Stationary"]

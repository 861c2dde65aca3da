"""`[limits]`, and the rows of leverage limits."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

from .table import Table
from .values import USD, NameOf, Share


def _rising(ends: list[float]) -> list[float]:
    if not ends[0] < ends[1]:
        raise ValueError("no range")
    return ends


_RANGE = {"allowed": "two numbers [from, to), USD, at least 0 and rising; the second may be inf"}
_Bound = Annotated[float, Field(ge=0, allow_inf_nan=True, json_schema_extra=USD)]
_Range = Annotated[list[_Bound], Field(min_length=2, max_length=2, json_schema_extra=_RANGE), AfterValidator(_rising)]


class Cap(Table):
    """A leverage limit."""

    account_class: str = Field("*", alias="class", description="class of account, or *")
    venue: Annotated[str, NameOf("venues", any_word=True)] = Field("*", description="venue, or *")
    asset: Annotated[str, NameOf("assets", any_word=True)] = Field("*", description="asset, or *")
    notional: _Range = Field([0.0, math.inf], description="account notional within which the limit holds")
    cap: float = Field(ge=1, le=1e6, description="highest leverage")
    share_downsize: Share = Field(description="share of capped holders who keep their collateral and take a smaller position")
    leakage: Share = Field(0.0, description="share of displaced demand that reopens where no limit holds")
    close_out: float = Field(
        0.0, ge=0, lt=1, description="share of the initial margin below which a position is closed; 0 for none"
    )
    negative_balance_protection: bool = Field(False, description="whether the holder's loss ends at the collateral")


class Limits(Table):
    """Leverage limits: those of a file, and rows of the scenario's own."""

    file: str | None = Field(None, description="name of a shipped limit file, or a path")
    caps: list[Cap] = Field([], description="rows of the scenario's own")


__all__ = ["Cap", "Limits"]

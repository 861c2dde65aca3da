"""Tables of one value for each asset or venue, and of names of columns."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo

from ...problems import nearest
from .values import context_of, refused

T = TypeVar("T")


class Absent:
    """Stands for a value that a table has to have and has not, so that it is missed beside all that is wrong with the others."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


def is_table(value: Any) -> str:
    """Which of two types a value is to be read as."""
    return "table" if isinstance(value, dict) else "one"


def _asset(name: str, info: ValidationInfo) -> str:
    return _one_of(name, "asset", context_of(info).assets)


def _venue(name: str, info: ValidationInfo) -> str:
    return _one_of(name, "venue", context_of(info).venues)


def _one_of(name: str, what: str, known: tuple[str, ...]) -> str:
    if name not in known:
        raise refused(f"unknown {what}; the {what}s are {', '.join(known)}", nearest(name, known))
    return name


def _each_asset(table: Any, info: ValidationInfo) -> Any:
    return table | {name: ABSENT for name in context_of(info).assets if name not in table}


_BY_ASSET, _BY_VENUE = {"each": "asset"}, {"each": "other venue"}
_ByAsset = dict[Annotated[str, AfterValidator(_asset)], T]
ByAsset = Annotated[
    Annotated[T, Tag("one")] | Annotated[_ByAsset[T], BeforeValidator(_each_asset), Tag("table")],
    Discriminator(is_table),
    Field(json_schema_extra=_BY_ASSET),
]
"""One value for all assets, or a table of one for each."""

BySomeAssets = Annotated[
    Annotated[T, Tag("one")] | Annotated[_ByAsset[T], Tag("table")],
    Discriminator(is_table),
    Field(json_schema_extra=_BY_ASSET),
]
"""One value for all assets, or a table of one for some of them."""

ByOtherVenue = Annotated[
    Annotated[T, Tag("one")] | Annotated[dict[Annotated[str, AfterValidator(_venue)], T], Tag("table")],
    Discriminator(is_table),
    Field(json_schema_extra=_BY_VENUE),
]
"""One value for every other venue, or a table of one for some of them."""

_ACCOUNT_COLUMNS = Literal[
    "account", "asset", "side", "quantity", "entry_price", "venue", "class", "account_value", "notional", "margin", "collateral",
    "leverage", "snapshot", "amount",
]  # fmt: skip
_PRICE_COLUMNS = Literal["time", "open", "high", "low", "close", "volume"]
_TIER_COLUMNS = Literal[
    "asset", "floor_usd", "cap_usd", "max_leverage", "maintenance_rate", "maintenance_amount_usd", "tier_rule"
]
_Column = Annotated[str, Field(min_length=1, json_schema_extra={"allowed": "the name of a column of the file"})]
AccountColumns = dict[_ACCOUNT_COLUMNS, _Column]
PriceColumns = dict[_PRICE_COLUMNS, _Column]
TierColumns = dict[_TIER_COLUMNS, _Column]

"""Types of value that a key may have, beside Python's own. What is allowed stands in the JSON Schema of each.

The schema says so in the keywords of JSON Schema where it has any, and in two of ours: `unit`, and `allowed`, in words. From
these `sentences` makes its messages.
"""

import datetime
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from ... import units
from ...data.names import Context
from ...data.rows import SHARE_TOLERANCE as SHARE_TOLERANCE
from ...problems import nearest
from ...units import Span

MOST_USD = 1e15
"""USD that a run can hold, more than there are: from 1e17 on products of sums are no numbers in single precision."""
LARGEST_NUMBER = 1e308


def context_of(info: ValidationInfo) -> Context:
    """The names of the scenario that is read."""
    return info.context or Context()


def refused(allowed: str, near: str | None = None) -> PydanticCustomError:
    """What a validator raises where the schema does not say what is allowed: a sentence, and a likely spelling."""
    return PydanticCustomError("refused", "{allowed}", {"allowed": allowed, "nearest": near})


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Whole = Annotated[int, WHOLE]
"""A whole number; `1e5` is one. Bounds of one that may be left out stand within: `Annotated[int, Field(ge=1), WHOLE] | None`."""

Share = Annotated[float, Field(ge=0, le=1)]
Leverage = Annotated[float, Field(ge=1, le=1e4)]
Rate = Annotated[float, Field(ge=0, le=1e5, json_schema_extra={"unit": "a year"})]
Volatility = Annotated[float, Field(gt=0, le=20, json_schema_extra={"unit": "a square-root year; 0.6 is 60%"})]
DailyVolatility = Annotated[float, Field(gt=0, le=2, json_schema_extra={"unit": "a fraction; 0.03 is 3%"})]
DailyVolume = Annotated[float, Field(gt=0, json_schema_extra={"unit": "USD a day"})]
BookDepth = Annotated[float, Field(gt=0, json_schema_extra={"unit": "USD per unit of log price"})]
Dollars = Annotated[float, Field(ge=0, le=MOST_USD, json_schema_extra={"unit": "USD"})]
LogPrice = {"unit": "log price"}
USD = {"unit": "USD"}


def number(value: Any) -> bool:
    """Whether a value is a finite number, of such as fit into 64 bits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _span(text: str) -> Span:
    """Raises `ValueError` for what is no duration."""
    span = Span(text)
    _ = span.seconds
    return span


def _above_zero(text: str) -> Span:
    span = _span(text)
    if span.seconds == 0:
        raise ValueError("zero")
    return span


SPAN_SCHEMA = {
    "format": "duration with a unit",
    "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|min|h|d)\s*$",
    "examples": ["24h", "1min", "15s"],
    "allowed": units.ALLOWED,
}
SpanOrZero = Annotated[Span, AfterValidator(_span), Field(json_schema_extra=SPAN_SCHEMA)]
Duration = Annotated[
    Span, AfterValidator(_above_zero), Field(json_schema_extra=SPAN_SCHEMA | {"allowed": f"{units.ALLOWED}, above zero"})
]
"""A duration such as `"24h"`, above zero."""


def is_word(text: str) -> bool:
    """Whether a name can stand in a file name and in a dotted key."""
    return (
        bool(text) and len(text) <= 100 and text.isascii() and text[0].isalnum() and all(c.isalnum() or c in "_-." for c in text)
    )


def _word(text: str) -> str:
    if not is_word(text):
        raise ValueError("no word")
    return text


WORD_SCHEMA = {
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    "allowed": "a word of letters, digits, _, - and ., beginning with a letter or digit",
}
Word = Annotated[str, AfterValidator(_word), Field(json_schema_extra=WORD_SCHEMA)]
"""Text that becomes a file's or an axis' name."""


def _moment(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        moment = value
    elif isinstance(value, datetime.date):
        moment = datetime.datetime(value.year, value.month, value.day)
    elif isinstance(value, str):
        moment = datetime.datetime.fromisoformat(value.strip())
    else:
        raise ValueError("no date")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    try:
        return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("beyond the calendar") from None


_MOMENT_SCHEMA = {"format": "date-time", "allowed": 'a date and time such as "2024-08-05T00:00:00Z"'}
Moment = Annotated[str, BeforeValidator(_moment), Field(json_schema_extra=_MOMENT_SCHEMA)]
"""A date and time, UTC unless it says otherwise, as text or in TOML's own form. Kept as ISO text."""


@dataclass(frozen=True)
class NameOf:
    """The name of one of the scenario's `assets` or `venues`, or `"*"` where that means all."""

    of: str
    any_word: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler(Annotated[source, BeforeValidator(self._known), Field(json_schema_extra={"allowed": self.allowed})])

    @property
    def allowed(self) -> str:
        """In words."""
        return f"the name of one of the scenario's {self.of}" + (', or "*" for all' if self.any_word else "")

    def _known(self, value: Any, info: ValidationInfo) -> str:
        known = getattr(context_of(info), self.of)
        if isinstance(value, str) and (value in known or (self.any_word and value == "*")):
            return value
        raise refused(f"has to be {self.allowed}, which are {', '.join(known) or 'none'}", nearest(value, known))


AssetName = Annotated[str, NameOf("assets")]
VenueName = Annotated[str, NameOf("venues")]

"""The kinds of value a key may have. Each reads one value, says what is allowed, and describes itself in the JSON Schema."""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError, core_schema

from . import units
from .problems import nearest

MOST_USD = 1e15
"""USD that a run can hold, more than there are: from 1e17 on products of sums are no numbers in single precision."""


@dataclass(frozen=True)
class Context:
    """Names that tables may refer to."""

    assets: tuple[str, ...] = ()
    venues: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """One refused value: `key` relative to the key that was read."""

    key: str
    value: Any
    allowed: str
    nearest: str | None = None
    missing: bool = False


class Refused(Exception):
    """Raised by a kind for a value, or several parts of it, that it does not allow."""

    def __init__(self, *refusals: Refusal):
        self.refusals = refusals
        super().__init__("; ".join(refusal.allowed for refusal in refusals))


@dataclass(frozen=True)
class Kind:
    """A kind of value; `what` describes the key."""

    what: str

    @property
    def allowed(self) -> str:
        """The values that are right, in words."""
        raise NotImplementedError

    def read(self, value: Any, context: Context) -> Any:
        """The value in the form that the rest of the program uses, or `Refused`."""
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        raise NotImplementedError

    def refuse(self, value: Any, near: str | None = None) -> "Refused":
        """What to raise for a value that is not allowed."""
        return Refused(Refusal("", value, f"has to be {self.allowed}", near))

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema, handler):
        return {"description": self.what} | self.json()

    def _validate(self, value, info):
        try:
            return self.read(value, info.context or Context())
        except Refused as refused:
            raise PydanticCustomError("refused", "not allowed", {"refusals": refused.refusals}) from None


@dataclass(frozen=True)
class Number(Kind):
    """A finite number within bounds, with its unit."""

    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    may_be_infinite: bool = False
    noun: str = "a number"

    @property
    def allowed(self) -> str:
        bounds = [("above", self.above), ("at least", self.at_least), ("below", self.below), ("at most", self.at_most)]
        stated = " and ".join(f"{word} {_shown(bound)}" for word, bound in bounds if bound is not None)
        if self.at_least is not None and self.at_most is not None:
            stated = f"from {_shown(self.at_least)} to {_shown(self.at_most)}"
        text = " ".join(part for part in (self.noun, stated) if part)
        return f"{text} ({self.unit})" if self.unit else text

    def read(self, value: Any, context: Context) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(value, self._unquoted(value))
        try:
            number = float(value)
        except OverflowError:
            raise self.refuse(value) from None
        infinite = self.may_be_infinite and number == math.inf
        if not (math.isfinite(number) or infinite):
            raise Refused(Refusal("", value, f"has to be finite, {self.allowed}"))
        out = (
            (self.above is not None and not number > self.above)
            or (self.at_least is not None and number < self.at_least)
            or (self.below is not None and not number < self.below)
            or (self.at_most is not None and number > self.at_most)
        )
        if out:
            raise self.refuse(value)
        return number

    @staticmethod
    def _unquoted(value) -> str | None:
        """The number without its quotes, if that is all that is wrong."""
        try:
            return value.strip() if isinstance(value, str) and math.isfinite(float(value)) else None
        except ValueError:
            return None

    def json(self) -> dict[str, Any]:
        bounds = {
            "exclusiveMinimum": self.above,
            "minimum": self.at_least,
            "exclusiveMaximum": self.below,
            "maximum": self.at_most,
        }
        unit = {"unit": self.unit} if self.unit else {}
        return {"type": "number"} | {key: bound for key, bound in bounds.items() if bound is not None} | unit


@dataclass(frozen=True)
class Whole(Number):
    """A whole number within bounds; `1e5` is one."""

    noun: str = "a whole number"

    def read(self, value: Any, context: Context) -> int:
        number = super().read(value, context)
        if not number.is_integer():
            raise self.refuse(value)
        return int(value)  # not through float: a seed may have 63 bits

    def json(self) -> dict[str, Any]:
        return super().json() | {"type": "integer"}


@dataclass(frozen=True)
class Duration(Kind):
    """A duration such as `"24h"`."""

    positive: bool = True
    or_words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        words = "".join(f', or "{word}"' for word in self.or_words)
        return units.ALLOWED + (", above zero" if self.positive else "") + words

    def read(self, value: Any, context: Context) -> units.Span:
        if not isinstance(value, str):
            raise self.refuse(value)
        if value in self.or_words:
            return units.Span(value)
        span = units.Span(value)
        try:
            seconds = span.seconds
        except ValueError:
            raise self.refuse(value, units.likely(value) or nearest(value, self.or_words)) from None
        if self.positive and seconds == 0:
            raise self.refuse(value)
        return span

    def json(self) -> dict[str, Any]:
        pattern = r"^\s*\d+(\.\d+)?\s*(ms|s|min|h|d)\s*$"
        if self.or_words:
            pattern = f"{pattern}|^({'|'.join(self.or_words)})$"
        return {"type": "string", "pattern": pattern, "examples": ["24h", "1min", "15s"]}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(f'"{word}"' for word in self.words)

    def read(self, value: Any, context: Context) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise self.refuse(value, nearest(value, self.words))
        return value

    def json(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class NameOf(Kind):
    """The name of one of the scenario's assets or venues."""

    of: str = "assets"
    any_word: bool = False

    @property
    def allowed(self) -> str:
        return f"the name of one of the scenario's {self.of}" + (', or "*" for all' if self.any_word else "")

    def read(self, value: Any, context: Context) -> str:
        known = getattr(context, self.of)
        if isinstance(value, str) and (value in known or (self.any_word and value == "*")):
            return value
        listed = ", ".join(known) or "none"
        raise Refused(Refusal("", value, f"has to be {self.allowed}, which are {listed}", nearest(value, known)))

    def json(self) -> dict[str, Any]:
        return {"type": "string"}


@dataclass(frozen=True)
class Flag(Kind):
    """True or false."""

    @property
    def allowed(self) -> str:
        return "true or false"

    def read(self, value: Any, context: Context) -> bool:
        if not isinstance(value, bool):
            near = str(value).lower() if str(value).lower() in ("true", "false") else None
            raise self.refuse(value, near)
        return value

    def json(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(Kind):
    """Free text, or a word of letters, digits and `_ - .` where it becomes a file's or an axis' name."""

    word: bool = False

    @property
    def allowed(self) -> str:
        return "a word of letters, digits, _, - and ., beginning with a letter or digit" if self.word else "text"

    def read(self, value: Any, context: Context) -> str:
        if not isinstance(value, str) or (self.word and not is_word(value)):
            raise self.refuse(value)
        return value

    def json(self) -> dict[str, Any]:
        return {"type": "string"} | ({"pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"} if self.word else {})


def is_word(text: str) -> bool:
    """Whether a name can stand in a file name and in a dotted key."""
    return (
        bool(text) and len(text) <= 100 and text.isascii() and text[0].isalnum() and all(c.isalnum() or c in "_-." for c in text)
    )


@dataclass(frozen=True)
class Moment(Kind):
    """A date and time, UTC unless it says otherwise, as text or in TOML's own form. Kept as ISO text."""

    @property
    def allowed(self) -> str:
        return 'a date and time such as "2024-08-05T00:00:00Z"'

    def read(self, value: Any, context: Context) -> str:
        try:
            if isinstance(value, datetime.datetime):
                moment = value
            elif isinstance(value, datetime.date):
                moment = datetime.datetime(value.year, value.month, value.day)
            elif isinstance(value, str):
                moment = datetime.datetime.fromisoformat(value.strip())
            else:
                raise self.refuse(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
            return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError):
            raise self.refuse(value) from None

    def json(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:.12g}"


def one_of(words: Sequence[str]) -> str:
    """`"a", "b"`, for messages."""
    return ", ".join(f'"{word}"' for word in words)

"""What every table of a configuration is: a pydantic model, and what holds between its keys."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""How every value is read: `"3"` and `true` are no numbers."""


class Wrong(NamedTuple):
    """What is wrong with a value: its `key` within the table, dotted, what is `allowed` in words, and the `nearest` spelling."""

    key: str
    value: Any
    allowed: str
    nearest: str | None = None
    missing: bool = False


class Table(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, **STRICT)

    def between(self) -> Iterator[Wrong]:
        """What does not hold between keys. A key that is wrong itself is None here, and keeps no other from being checked."""
        yield from ()

    @model_validator(mode="after")
    def _what_holds_between_keys(self) -> Self:
        wrong = list(self.between())
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, [_error(one) for one in wrong])
        return self


def _error(wrong: Wrong) -> InitErrorDetails:
    kind = PydanticCustomError("between", "{allowed}", {"allowed": wrong.allowed, "nearest": wrong.nearest})
    return InitErrorDetails(type=kind, loc=tuple(wrong.key.split(".")), input=wrong.value)


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a table as written, and the names of their fields: `class` is a word that Python keeps to itself."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def by_word(variants: Any, switch: str) -> dict[str, type[Any]]:
    """The models of a union by the word that each has at a key."""
    return {get_args(model.model_fields[switch].annotation)[0]: model for model in get_args(variants)}

"""What every table of a configuration is: a pydantic model that says everything that is wrong with it, also between its keys."""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

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

    @model_validator(mode="wrap")
    @classmethod
    def _with_what_holds_between_keys(cls, raw: Any, validate: Any, info: ValidationInfo) -> Self:
        try:
            table, errors = validate(raw), []
        except ValidationError as error:
            if not isinstance(raw, dict):
                raise
            errors = [_again(item) for item in error.errors(include_url=False)]
            table = cls.sound(raw, error, info.context)
        errors += [_error(_as_written(wrong, raw)) for wrong in table.between()]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return table

    @classmethod
    def sound(cls, raw: dict[str, Any], error: ValidationError, context: Any) -> Self:
        """The model with its values, None for those that are wrong by themselves. Pydantic gives none where one is wrong."""
        wrong = {str(item["loc"][0]) for item in error.errors(include_url=False) if not _is_between(item)}
        values = {}
        for key, name in keys_of(cls).items():
            if key in wrong:
                values[key] = None
            elif key in raw:
                values[key] = _type_of(cls, name).validate_python(raw[key], context=context)
            else:
                values[key] = cls.model_fields[name].get_default(call_default_factory=True)
        return cls.model_construct({name for key, name in keys_of(cls).items() if key in raw}, **values)


@functools.cache
def _type_of(model: type[Table], name: str) -> TypeAdapter[Any]:
    """What validates one key alone."""
    field = model.model_fields[name]
    of_field: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation  # pyright: ignore
    return TypeAdapter(of_field, config=None if isinstance(field.annotation, type(Table)) else STRICT)


def _as_written(wrong: Wrong, raw: Any) -> Wrong:
    """With the value that is in the file, where the key is wrong by itself too, and so None in the table."""
    if wrong.missing or wrong.value is not None or not isinstance(raw, dict):
        return wrong
    return wrong._replace(value=raw.get(wrong.key))


def _error(wrong: Wrong) -> InitErrorDetails:
    kind = PydanticCustomError("between", "{allowed}", wrong._asdict())
    return InitErrorDetails(type=kind, loc=tuple(wrong.key.split(".")), input=wrong.value)


def _is_between(error: ErrorDetails) -> bool:
    """Whether an error is of a table's own keys together, and not of those of a table within it."""
    return error["type"] == "between" and error.get("ctx", {}).get("key") == ".".join(map(str, error["loc"]))


def _again(error: ErrorDetails) -> InitErrorDetails:
    """One of pydantic's errors, to be raised again beside others."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("between", "refused"):
        kind, context = PydanticCustomError(kind, "{allowed}", context), {}  # pyright: ignore
    return InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=context)


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a table as written, and the names of their fields: `class` is a word that Python keeps to itself."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def by_word(variants: Any, switch: str) -> dict[str, type[Any]]:
    """The models of a union by the word that each has at a key."""
    return {get_args(model.model_fields[switch].annotation)[0]: model for model in get_args(variants)}

"""Pydantic's errors as sentences: what is wrong at which key, what is allowed there, and what may have been meant.

What is allowed is said from the JSON Schema of the place, so that whoever adds a key writes its bounds once.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from ... import units
from ...problems import nearest, one_of
from .by_name import ABSENT
from .table import Wrong
from .values import SPAN_SCHEMA


class TomlSchema(GenerateJsonSchema):
    """JSON Schema of what TOML can say: it has no null, so that a key which may be left out is of one type all the same."""

    def nullable_schema(self, schema: Any) -> Any:
        """What there may be beside null."""
        return self.generate_inner(schema["schema"])


@functools.cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a table."""
    return model.model_json_schema(by_alias=True, schema_generator=TomlSchema)


class Place(NamedTuple):
    """Where an error is: the dotted `key`, the `value` there, and the `schema` of the place."""

    key: str
    value: Any
    schema: dict[str, Any]


def wrongs(error: ValidationError, model: type[BaseModel], raw: dict[str, Any], where: str) -> Iterator[Wrong]:
    """Everything that is wrong with a table, one by one.

    **Arguments:** `raw`: the table as written; `where`: which of several tables it is, such as `process bates`.
    """
    errors = error.errors(include_url=False)
    unknown = {item["loc"][:-1] for item in errors if item["loc"][-1:] == ("[key]",)}
    for item in errors:
        loc = item["loc"]
        of_unknown = any(loc[:end] in unknown for end in range(1, len(loc) + 1))  # nobody asks for the value of an unknown name
        if not of_unknown or loc[-1] == "[key]":
            yield _wrong(item, model, raw, where)


def _wrong(item: Any, model: type[BaseModel], raw: dict[str, Any], where: str) -> Wrong:
    loc = item["loc"]
    if loc[-1:] == ("[key]",):
        above, place = _place(model, raw, loc[:-2]), _place(model, raw, loc[:-1])
        return Wrong(place.key, place.value, *_of_a_name(item, above.schema))
    if item["type"] == "extra_forbidden":
        above = _place(model, raw, loc[:-1])
        dotted = ".".join(filter(None, (above.key, str(loc[-1]))))
        keys, there = list(above.schema["properties"]), above.value
        near = nearest(loc[-1], [key for key in keys if key not in there]) or nearest(loc[-1], keys)
        text = f"unknown key{f' in {where}' if where and len(loc) == 1 else ''}; the keys here are {', '.join(keys)}"
        return Wrong(dotted, item["input"], text, near)
    if item["type"] == "between":
        own = Wrong(**item["ctx"])
        above = _place(model, raw, loc[: -len(own.key.split("."))])
        return own._replace(key=".".join(filter(None, (above.key, own.key))))
    place = _place(model, raw, loc)
    if item["type"] == "missing" or item["input"] is ABSENT:
        return Wrong(place.key, None, f"missing; needs {allowed(place.schema)}", missing=True)
    if item["type"] == "refused":
        return Wrong(place.key, place.value, item["ctx"]["allowed"], item["ctx"]["nearest"])
    number = isinstance(place.value, float) and place.schema.get("type") in ("number", "integer")
    finite = "finite, " if number and not math.isfinite(place.value) else ""
    return Wrong(place.key, place.value, f"has to be {finite}{allowed(place.schema)}", likely(place.value, place.schema))


def _of_a_name(item: Any, above: dict[str, Any]) -> tuple[str, str | None]:
    """What is said of a name that a table may not have."""
    if item["type"] == "refused":
        return item["ctx"]["allowed"], item["ctx"]["nearest"]
    names = above["propertyNames"]["enum"]
    return f"unknown column; the columns are {', '.join(names)}", nearest(item["input"], names)


def _place(model: type[BaseModel], raw: Any, loc: tuple[str | int, ...]) -> Place:
    """Follow an error's location; parts of it that tell which of several types was tried are no keys."""
    whole = schema_of(model)
    schema, value, key = whole, raw, []
    for part in loc:
        schema = _resolved(schema, whole)
        if "oneOf" in schema:
            schema = _tried([_resolved(one, whole) for one in schema["oneOf"]], part, value)
            continue
        key.append(str(part))
        if isinstance(part, int):
            schema, value = schema["items"], value[part]
        else:
            others = schema.get("additionalProperties")
            schema = schema.get("properties", {}).get(part) or (others if isinstance(others, dict) else {})
            value = value.get(part) if isinstance(value, dict) else None
    return Place(".".join(key), value, _resolved(schema, whole))


def _tried(types: list[dict[str, Any]], tag: str | int, value: Any) -> dict[str, Any]:
    """The type of a union that an error is of."""
    named = [one for one in types if tag in one.get("properties", {})]
    kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else None
    alike = [one for one in types if kind is not None and one.get("type") == kind]
    return [*named, *alike, *types][0]


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return whole["$defs"][schema["$ref"].removeprefix("#/$defs/")] | {key: item for key, item in schema.items() if key != "$ref"}


def allowed(schema: dict[str, Any]) -> str:
    """What a JSON Schema allows, in words.

    >>> allowed({"type": "number", "exclusiveMinimum": 0, "maximum": 2, "unit": "USD"}), allowed({"enum": ["on", "off"]})
    ('a number above 0 and at most 2 (USD)', 'one of "on", "off"')
    """
    if "allowed" in schema:
        return schema["allowed"]
    if "each" in schema:
        return f"{allowed(schema['oneOf'][0])}, or a table of one for each {schema['each']}"
    if "const" in schema or "enum" in schema:
        return f"one of {one_of(_words(schema))}"
    if "propertyNames" in schema:
        names = ", ".join(schema["propertyNames"]["enum"])
        return f'a table from names of ours ({names}) to those of the file, such as {{account = "address"}}'
    if schema.get("type") == "array":
        least = f" of at least {schema['minItems']}" if schema.get("minItems") else ""
        return f"a list{least}, each {allowed(schema['items'])}"
    if schema.get("type") in ("number", "integer"):
        return _number(schema)
    return {"boolean": "true or false", "string": "text", "object": "a table"}.get(schema.get("type", ""), "a value")


def _number(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = [("above", schema.get("exclusiveMinimum")), ("at least", least), ("below", schema.get("exclusiveMaximum")),
              ("at most", most)]  # fmt: skip
    stated = " and ".join(f"{word} {_shown(bound)}" for word, bound in bounds if bound is not None)
    if least is not None and most is not None:
        stated = f"from {_shown(least)} to {_shown(most)}"
    text = " ".join(filter(None, ("a whole number" if schema["type"] == "integer" else "a number", stated)))
    return f"{text} ({schema['unit']})" if "unit" in schema else text


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:.12g}"


def likely(value: Any, schema: dict[str, Any]) -> str | None:
    """What a value that is not allowed may have been meant to be."""
    words = [*_words(schema), *(word for one in schema.get("oneOf", ()) for word in _words(one)), *schema.get("words", ())]
    if schema.get("type") in ("number", "integer"):
        return _unquoted(value)
    if schema.get("type") == "boolean":
        words = ["true", "false"]
        return str(value).lower() if str(value).lower() in words else None
    if isinstance(value, str) and schema.get("format") == SPAN_SCHEMA["format"]:
        meant = units.likely(value) or nearest(value, words)
        return meant if meant != value else None
    if isinstance(value, dict):
        return next((near for key in value if (near := nearest(key, words))), None)
    return nearest(value, words)


def _words(schema: dict[str, Any]) -> list[str]:
    return schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []


def _unquoted(value: Any) -> str | None:
    """The number without its quotes, if that is all that is wrong."""
    try:
        return value.strip() if isinstance(value, str) and math.isfinite(float(value)) else None
    except ValueError:
        return None

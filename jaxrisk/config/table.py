"""What every table of a configuration is: a pydantic model whose fields are `Kind`s, read so that all problems are found."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from .once import made_once
from .problems import Report, nearest
from .values import Context, Kind, one_of

ByAsset = float | dict[str, float]
"""A number for all assets, or one for each."""

Refuse = Callable[..., None]
"""Notes a problem: `(key, value, allowed, nearest=None, missing=False)`, the key relative to the table."""


class Table(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def cross(cls, v: SimpleNamespace, refuse: Refuse) -> None:
        """Check keys against each other; `v` has None for every key that is itself in error."""


TableType = TypeVar("TableType", bound=Table)


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a table as written, and the names of their fields: `class` is a word that Python keeps to itself."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def kind_of(model: type[BaseModel], name: str) -> Kind | None:
    """The kind of a field."""
    return next((item for item in model.model_fields[name].metadata if isinstance(item, Kind)), None)


def allowed_in(model: type[BaseModel], name: str) -> str:
    """What a field may be, in words."""
    kind = kind_of(model, name)
    if kind is not None:
        return kind.allowed
    annotation = model.model_fields[name].annotation
    return f"one of {one_of(get_args(annotation))}" if get_origin(annotation) is Literal else "a value"


def read_table(
    model: type[TableType], raw: Any, key: str, report: Report, context: Context, name_of_table: str = ""
) -> tuple[TableType | None, SimpleNamespace]:
    """Validate one table and note everything that is wrong with it.

    Returns the model, None if anything was wrong, and a namespace of its valid values, None for the others.
    """
    if not isinstance(raw, dict):
        report.add(key, raw, "has to be a table")
        return None, SimpleNamespace(**{name: None for name in model.model_fields})
    make = lambda: _read_table(model, raw, key, report, context, name_of_table)
    return made_once(make, raw, "table", model, key, context, report=report)


def _read_table(
    model: type[TableType], raw: dict[str, Any], key: str, report: Report, context: Context, name_of_table: str
) -> tuple[TableType | None, SimpleNamespace]:
    before = len(report.problems)
    v = SimpleNamespace(**{name: None for name in model.model_fields})
    table: TableType | None = None
    bad: set[str] = set()
    try:
        table = model.model_validate(raw, context=context)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            bad.add(name)
            _note(model, raw, key, name, item, report, name_of_table)
    for written_name, name in keys_of(model).items():
        if table is not None:
            setattr(v, name, getattr(table, name))
        elif written_name not in bad:
            kind = kind_of(model, name)
            value = raw.get(written_name, model.model_fields[name].default)
            setattr(v, name, kind.read(value, context) if kind is not None and written_name in raw else value)

    def refuse(name: str, value: Any, allowed: str, near: str | None = None, missing: bool = False) -> None:
        report.add(f"{key}.{name}" if key else name, value, allowed, near, missing)

    model.cross(v, refuse)
    return (table if len(report.problems) == before else None), v


def _note(model, raw, key: str, name: str, item, report: Report, name_of_table: str) -> None:
    """One of pydantic's errors in our words."""
    dotted = f"{key}.{name}" if key else name
    value = raw.get(name)
    keys = keys_of(model)
    if item["type"] == "refused":
        for refusal in item["ctx"]["refusals"]:
            report.add(dotted + refusal.key, refusal.value, refusal.allowed, refusal.nearest, refusal.missing)
    elif item["type"] == "extra_forbidden":
        where = f" in {name_of_table}" if name_of_table else ""
        near = nearest(name, [key for key in keys if key not in raw]) or nearest(name, keys)
        report.add(dotted, value, f"unknown key{where}; the keys here are {', '.join(keys)}", near)
    elif item["type"] == "missing":
        report.add(dotted, None, f"missing; needs {allowed_in(model, keys[name])}", missing=True)
    else:
        field = keys.get(name, "")
        words = [word for word in get_args(model.model_fields[field].annotation) if isinstance(word, str)] if field else []
        allowed = allowed_in(model, field) if field else "a text as its name"
        report.add(dotted, value, f"has to be {allowed}", nearest(value, words))


def read_variant(
    variants: dict[str, type[TableType]], switch: str, raw: Any, key: str, report: Report, context: Context
) -> tuple[TableType | None, SimpleNamespace]:
    """Validate a table whose keys depend on the word at `switch`, such as a market's `process`."""
    empty = lambda: SimpleNamespace(**{name: None for model in variants.values() for name in model.model_fields})
    if not isinstance(raw, dict):
        report.add(key, raw, "has to be a table")
        return None, empty()
    chosen = raw.get(switch)
    if not isinstance(chosen, str) or chosen not in variants:
        words = f"one of {one_of(list(variants))}"
        if switch in raw:
            report.add(f"{key}.{switch}", chosen, f"has to be {words}", nearest(chosen, variants))
        else:
            near = next((name for name in raw if nearest(name, [switch])), None)
            report.add(
                f"{key}.{switch}", None, f"missing; needs {words}" + (f"; there is a key {near}" if near else ""), missing=True
            )
        return None, empty()
    return read_table(variants[chosen], raw, key, report, context, f"{switch} {chosen}")

"""A table read against its model, and everything that is wrong with it noted."""

from types import SimpleNamespace
from typing import Any, TypeVar

from pydantic import ValidationError

from ..._once import made_once
from ...data.names import Context
from ...problems import Report, nearest, one_of
from .sentences import wrongs
from .table import Table

Model = TypeVar("Model", bound=Table)


def read_table(
    model: type[Model], raw: Any, key: str, report: Report, context: Context, where: str = ""
) -> tuple[Model | None, Any]:
    """Validate one table and note everything that is wrong with it; `where`: which of several tables it is, for messages.

    Returns the model, None if anything was wrong, and what is sound of it: its values, None for those that are wrong themselves.
    """
    if not isinstance(raw, dict):
        report.add(key, raw, "has to be a table")
        return None, SimpleNamespace(**dict.fromkeys(model.model_fields))
    return made_once(lambda: _read(model, raw, key, report, context, where), raw, "table", model, key, context, report=report)


def _read(model: type[Model], raw: dict[str, Any], key: str, report: Report, context: Context, where: str) -> tuple[Any, Any]:
    try:
        table = model.model_validate(raw, context=context)
    except ValidationError as error:
        for wrong in wrongs(error, model, raw, where):
            dotted = f"{key}.{wrong.key}" if key else wrong.key
            report.add(dotted, wrong.value, wrong.allowed, wrong.nearest, wrong.missing)
        return None, model.sound(raw, error, context)
    return table, table


def read_variant(
    variants: dict[str, type[Model]], switch: str, raw: Any, key: str, report: Report, context: Context
) -> tuple[Model | None, Any]:
    """As `read_table`, of a table whose keys depend on the word at `switch`, such as a market's `process`."""
    chosen = raw.get(switch) if isinstance(raw, dict) else None
    if isinstance(chosen, str) and chosen in variants:
        return read_table(variants[chosen], raw, key, report, context, f"{switch} {chosen}")
    words = f"one of {one_of(variants)}"
    if not isinstance(raw, dict):
        report.add(key, raw, "has to be a table")
    elif switch in raw:
        report.add(f"{key}.{switch}", chosen, f"has to be {words}", nearest(chosen, variants))
    else:
        near = next((name for name in raw if nearest(name, [switch])), None)
        text = f"missing; needs {words}" + (f"; there is a key {near}" if near else "")
        report.add(f"{key}.{switch}", None, text, missing=True)
    return None, SimpleNamespace(**{name: None for model in variants.values() for name in model.model_fields})

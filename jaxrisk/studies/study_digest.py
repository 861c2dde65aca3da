"""What tells runs of a study apart: of effective configurations the numbers, or what there is without them.

Most cells have most tables in common, the same objects, of which what is made here is made once.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .._once import made_once
from ..config.document import NAMED
from ..toml import in_order

WORDS = ("name", "title", "question", "sources", "ranges")
"""Keys of an effective configuration that change no number."""


def digest_of(version: str, document: Mapping[str, Any], lines: list[str]) -> str:
    """Sixteen letters for an effective configuration and the comments at its end: the same where no number of it differs.

    What is hashed is `json.dumps` of it all, of which parts that are the same objects are made once.
    """
    numbers = {key: value for key, value in document.items() if key not in WORDS}
    # noise and labels go by the place of an asset, a venue or a population, and not by its name
    order = [in_order(document[name]) for name in NAMED if isinstance(document.get(name), dict)]
    inner = ", ".join(f"{_json(key)}: {_section(key, numbers[key])}" for key in sorted(numbers))
    whole = f"[{_json(version)}, {{{inner}}}, {_json(order)}, {_json(lines)}]"
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def shape_of(document: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """What a configuration has, not how much of it: its keys, words and files, without the numbers that are no venue's."""
    parts = (f"{key}{made_once(lambda value=value: _shape(value), value, 'shape')}" for key, value in document.items()
             if key not in (*WORDS, "venues"))  # fmt: skip
    return f"{''.join(parts)}{_section('venues', document.get('venues'))}{sorted(files.items())}"


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{''.join(f'{name!r}{_shape(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{''.join(map(_shape, value))}]"
    return "0" if type(value) is float else repr(value)


def _section(key: str, value: Any) -> str:
    return made_once(lambda: _entries(value) if key in NAMED and isinstance(value, dict) else _json(value), value, "json", key)


def _entries(tables: dict[str, Any]) -> str:
    text = lambda table: made_once(lambda: _json(table), table, "json")
    return f"{{{', '.join(f'{_json(name)}: {text(tables[name])}' for name in sorted(tables))}}}"


_json = json.JSONEncoder(sort_keys=True, default=str).encode


__all__ = ["digest_of", "shape_of"]

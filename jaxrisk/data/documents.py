"""JSON documents: read, and said in words what they are."""

import json
from typing import Any

from .text import UTF16, is_utf16


def parsed(content: bytes) -> Any:
    """The document; raises `ValueError` that says where it is not JSON."""
    if is_utf16(content):
        raise ValueError(UTF16)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"line {content[: error.start].count(10) + 1} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        if not content.strip():
            raise ValueError("is empty") from None
        lines = content.decode("utf-8-sig").split("\n")
        if error.msg == "Extra data" and all(line.lstrip()[:1] in "{[" for line in lines):
            return [_line(line, i + 1) for i, line in enumerate(lines) if line.strip()]  # a document a line
        cut = error.pos >= len(content.decode("utf-8-sig").rstrip()) - 1
        more = "; the document ends there: is the file cut off?" if cut else ""
        raise ValueError(f"line {error.lineno}, column {error.colno} is not valid JSON: {error.msg}{more}") from None
    except RecursionError:
        raise ValueError("is not valid JSON: too deeply nested") from None


def _line(line: str, number: int) -> Any:
    """The document of one line; raises `ValueError` with its number."""
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}, column {error.colno} is not valid JSON: {error.msg}") from None


def shape(document: Any) -> str:
    """What a document is, in words, shortly.

    >>> shape({"universe": [], "time": 3})
    'an object with universe, time'
    >>> shape({"code": -1121, "msg": "Invalid symbol."})
    'an object with code, msg ("Invalid symbol.")'
    """
    if isinstance(document, dict):
        said = {name: document.get(name) for name in ("msg", "retMsg", "message", "error")}
        words = [f'{name} ("{said[name][:60]}")' if isinstance(said.get(name), str) and said[name] else str(name)
                 for name in list(document)[:6]]  # fmt: skip
        return f"an object with {', '.join(words)}" if document else "an empty object"
    if isinstance(document, list):
        return f"a list of {len(document)}" if document else "an empty list"
    return f"only {json.dumps(document)[:40]}"


__all__ = ["parsed", "shape"]

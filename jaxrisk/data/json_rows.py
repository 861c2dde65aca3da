"""JSON documents that are a list of rows: `fetch_ohlcv` and klines as interfaces answer them, positions, lists of objects."""

from typing import Any

from .account_documents import account_documents
from .documents import parsed, shape
from .names import LISTS, TableKind
from .text import looks_like
from .tier_forms import known_document

ENDINGS = (".json", ".json.gz", ".jsonl", ".ndjson")
_WRAPPED = ("data", "result", "list", "rows", "positions")


class NoRows(ValueError):
    """A document that is whole, and of which nothing is held."""


def json_table(content: bytes, kind: TableKind, name: str = "") -> tuple[tuple[str, ...], list[dict[str, Any]], list[str]]:
    """Names, rows and what is said of them, of a document that is a list of rows. Raises `ValueError` with a sentence.

    **Arguments:** `name`: of an account whose document does not give it.
    """
    document = parsed(content)
    if kind.word == "accounts":
        states = account_documents(document, name)
        if states is not None:
            rows, said = states
            if not rows:
                raise NoRows("this is JSON: clearinghouseState, and it has no position in it")
            return tuple(rows[0]), rows, said
    rows = _rows(document)
    if rows is None or _looks_like(document, kind):
        words = f"a list of rows of {kind.word}" if kind.others else "a list of rows"
        other = _looks_like(document, kind)
        raise ValueError(f"this is JSON: {shape(document)}{other}; what is read as {kind.word} is a table, or {words}")
    if rows and all(isinstance(row, list) for row in rows):
        widths = sorted({len(row) for row in rows})
        forms = {**kind.bare, **LISTS} if kind.bare else {}
        bare = forms.get(widths[0]) if len(widths) == 1 else None
        if bare is None:
            known = ", or ".join(f"{count} ({word})" for count, (_, word) in forms.items())
            if not known:
                text = "this is JSON: a list of lists, as prices are"
                raise ValueError(f"{text}; what is read as {kind.word} is a table, or a list of objects")
            text = "this is JSON: a list of lists, of which all have to have the same number of cells"
            raise ValueError(f"{text}: {known}; they have {' or '.join(map(str, widths[:3]))}")
        return bare[0], [dict(zip(bare[0], row, strict=True)) for row in rows], [f"JSON, {bare[1]}"]
    wrong = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise ValueError(f"this is JSON: a list in which row {wrong + 1} is no object")
    flat = [flattened(row) for row in rows]
    result = document.get("result") if isinstance(document, dict) else None
    if kind.word == "accounts" and isinstance(result, dict) and result.get("category") == "inverse":
        flat = [row | {"contractSize": 1.0} for row in flat]  # Bybit's contracts of a dollar, settled in the coin
    if isinstance(result, dict) and isinstance(result.get("symbol"), str):
        flat = [{"symbol": result["symbol"]} | row for row in flat]  # Bybit names it once, above the rows
    return tuple(dict.fromkeys(name for row in flat for name in row)), flat, ["JSON, a list of objects"]


def flattened(row: dict[str, Any], before: str = "") -> dict[str, Any]:
    """A row with what is in objects under dotted names, what a library keeps of the venue's own answer left out.

    >>> flattened({"coin": "BTC", "leverage": {"type": "cross", "value": 20}, "info": {}})
    {'coin': 'BTC', 'leverage.type': 'cross', 'leverage.value': 20}
    """
    flat: dict[str, Any] = {}
    for name, item in row.items():
        if name == "info" and isinstance(item, dict | list):
            continue
        if isinstance(item, dict):
            flat |= flattened(item, f"{before}{name}.")
        else:
            flat[before + name] = item
    return flat


def _rows(document: Any) -> list[Any] | None:
    """The list of rows in a document, under at most two wrappers of an interface's answer."""
    for _ in range(3):
        if isinstance(document, list):
            return document
        if not isinstance(document, dict):
            return None
        document = next((document[word] for word in _WRAPPED if isinstance(document.get(word), dict | list)), None)
    return None


def _looks_like(document: Any, kind: TableKind) -> str:
    """What a document is, where it is one of another kind."""
    if kind.word != "tiers" and known_document(document):
        return ", which looks like tiers"
    return ", which looks like accounts" if kind.word != "accounts" and account_documents(document, "") is not None else ""


def is_json(head: bytes, name: str) -> bool:
    """Whether a file's first bytes, or its name, are those of JSON."""
    if name.lower().endswith(ENDINGS):
        return True
    problem = looks_like(head[:400].decode("utf-8-sig", errors="replace"))
    return problem is not None and problem.startswith("this is JSON")


__all__ = ["NoRows", "flattened", "is_json", "json_table"]

"""What kind of file somebody else's file is: prices, open interest, tiers or accounts, told by its columns or its form."""

from pathlib import Path

from .account_documents import account_documents
from .containers import files_of, sources
from .documents import parsed
from .json_rows import is_json, json_table
from .names import PRICES, of_columns
from .read import header_of
from .text import form_of
from .tier_forms import known_document


def what_is(path: Path, maps: dict[str, dict[str, str]] | None = None) -> str | None:
    """The kind of a file, "tiers", "open_interest", "funding", "accounts" or "prices"; None where that cannot be told.

    **Arguments:** `maps`: by kind, our names of columns with the file's own.
    """
    try:
        source = next(iter(sources(files_of(path)[0][0])))
        if is_json(source.head, source.name):
            with source.open() as file:
                content = file.read()
            document = parsed(content)
            if known_document(document):
                return "tiers"
            if account_documents(document, "") is not None:
                return "accounts"
            return of_columns(json_table(content, PRICES)[0], maps)
        if source.head[:4] not in (b"PAR1", b"ARRO") and form_of(source.head).header is None:
            return "prices"
    except (OSError, ValueError, EOFError, StopIteration):
        return None
    return of_columns(header_of(path), maps)


__all__ = ["what_is"]

"""A document of margin tiers, whoever published it; and of one that is none, what it looks like."""

from .account_documents import account_documents
from .documents import parsed, shape
from .json_rows import json_table
from .names import PRICES, of_columns
from .tier_forms import FORMS
from .tier_published import TierDocument, not_read

READ = (
    "leverage brackets of Binance (a list with symbol and brackets), risk limits of Bybit (riskLimitValue, maintenanceMargin), "
    "position tiers of OKX (minSz, maxSz, mmr), meta of Hyperliquid (universe, marginTables), "
    "tiers of ccxt (maintenanceMarginRate)"
)


def read_document(content: bytes) -> TierDocument:
    """The tiers of a JSON document of one of the known forms. Raises `ValueError` with a sentence."""
    document = parsed(content)
    for known in FORMS:
        found = known(document)
        if found is not None:
            if not any(table.rows for table in found.tables.values()):
                raise ValueError(f"this is JSON: {found.said[0]}, and it has no tiers in it")
            found.said += not_read(found.tables)
            return found
    other = ", which looks like accounts" if account_documents(document, "") is not None else _resembling(content)
    raise ValueError(f"this is JSON: {shape(document)}{other}; what is read as tiers is {READ}")


def _resembling(content: bytes) -> str:
    """What a list of rows looks like, as part of a sentence; empty where it is none, or that cannot be told."""
    try:
        kind = of_columns(json_table(content, PRICES)[0])
    except ValueError:
        return ""
    return "" if kind is None else f", which looks like {kind.replace('_', ' ')}"


__all__ = ["READ", "read_document"]

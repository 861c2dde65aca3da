"""Documents of accounts that are no lists of rows: a `clearinghouseState`, or several."""

from typing import Any

from ..problems import counted

STATE = "state.time"
"""When a state is of, in a table of the positions of several."""
PLACE = "place in the document"
"""Where in a document a row is from, for messages."""


def account_documents(document: Any, name: str) -> tuple[list[dict[str, Any]], list[str]] | None:
    """Rows of positions of a `clearinghouseState`, or of several, and what is said of them; None where it is none.

    Several are a list, or an object by address. Cross positions have the account's value, isolated ones, accounts by themselves,
    their own margin, of which the collateral at entry is what is left without the profit. Raises `ValueError` with a place.
    """
    if isinstance(document, dict) and "assetPositions" in document:
        states = [(str(document.get("user") or document.get("address") or name), "", document)]
    elif (
        isinstance(document, dict) and document and all(isinstance(s, dict) and "assetPositions" in s for s in document.values())
    ):
        states = [(str(address), f"{address}.", state) for address, state in document.items()]
    elif isinstance(document, list) and document and all(isinstance(s, dict) and "assetPositions" in s for s in document):
        named = [str(s.get("user") or s.get("address") or "") for s in document]
        if len({str(s.get("time")) for s, owner in zip(document, named, strict=True) if not owner}) > 1:
            raise ValueError(
                "this is JSON: a list of clearinghouseState of several times, which name no account: it cannot be told whether "
                "they are accounts or one account's snapshots; write the address into each, as user"
            )
        states = [(owner or f"{name} {i + 1}", f"[{i}].", s) for i, (owner, s) in enumerate(zip(named, document, strict=True))]
    else:
        return None
    rows, empty = [], 0
    for address, before, state in states:
        positions = _positions(state, before)
        empty += not positions
        rows += [_row(address, position, state) | {PLACE: f"{before}assetPositions[{i}]"} for i, position in enumerate(positions)]
    return rows, ["clearinghouseState", *([f"{counted(empty, 'account', 'accounts')} without a position"] if empty else [])]


def _positions(state: dict[str, Any], before: str) -> list[dict[str, Any]]:
    """The positions of a state, each an object; raises `ValueError` that names the place of what is none."""
    listed = state["assetPositions"]
    if not isinstance(listed, list):
        raise ValueError(f"{before}assetPositions has to be a list of positions")
    found = []
    for i, item in enumerate(listed):
        position = item.get("position") if isinstance(item, dict) else None
        if not isinstance(position, dict):
            raise ValueError(f"{before}assetPositions[{i}] has no position, which has to be an object")
        found.append(position)
    return found


def _row(address: str, position: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """A position as a row, under the document's names."""
    summaries = (state.get("crossMarginSummary"), state.get("marginSummary"))
    summary = next((one for one in summaries if isinstance(one, dict) and one), {})
    leverage = position.get("leverage") if isinstance(position.get("leverage"), dict) else {}
    isolated = leverage.get("type") == "isolated"
    return {
        "account": f"{address} {position.get('coin')}" if isolated else address,
        "coin": position.get("coin"),
        "szi": position.get("szi"),
        "entryPx": position.get("entryPx"),
        "positionValue": position.get("positionValue"),
        "unrealizedPnl": position.get("unrealizedPnl"),
        "leverage.type": leverage.get("type"),
        "leverage.value": leverage.get("value"),
        "marginUsed": position.get("marginUsed"),
        "accountValue": position.get("marginUsed") if isolated else summary.get("accountValue"),
        STATE: state.get("time"),
    }


__all__ = ["PLACE", "STATE", "account_documents"]

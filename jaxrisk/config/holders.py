"""The keys of `[populations.*]`, one model for each kind."""

import math
from typing import Annotated, Literal

from pydantic import Field

from .containers import ColumnNames, ListOf
from .sections import SHARE_TOLERANCE
from .table import Refuse, Table
from .values import MOST_USD, Choice, NameOf, Number, Text, Whole

COLUMNS = (
    "account", "asset", "side", "quantity", "entry_price", "venue", "class", "account_value", "notional", "margin", "collateral",
    "leverage", "snapshot", "amount",
)  # fmt: skip
_LEVERAGE = Number("", at_least=1.0, at_most=1e4)
_SHARE = Number("", at_least=0.0, at_most=1.0)


class _Placed(Table):
    venue: Annotated[str, NameOf("venue", "venues")]
    asset: Annotated[str, NameOf("asset", "assets")]
    account_class: Annotated[str, Text("class of account", word=True), Field(alias="class")] = "all"


class _Spread(_Placed):
    side: Annotated[str, Choice("side; both makes one of each, with this open interest each", ("long", "short", "both"))]
    open_interest: Annotated[float, Number("open interest of a side", "USD", at_least=0.0, at_most=MOST_USD)]
    entry_mean: Annotated[float, Number("mean of log(entry / price)", "log price", at_least=-3.0, at_most=3.0)] = 0.0
    entry_sd: Annotated[float, Number("standard deviation of log(entry / price)", "log price", at_least=0.0, at_most=3.0)] = 0.0
    size_median: Annotated[float, Number("median notional of an account, weighted by notional", "USD", above=0.0)] = 1e4
    size_log_sd: Annotated[float, Number("standard deviation of the log of that notional", at_least=0.0, at_most=10.0)] = 0.0


class LognormalHolders(_Spread):
    """Effective leverage is lognormal, clipped."""

    kind: Literal["lognormal"]
    median: Annotated[float, Number("median effective leverage, weighted by notional", above=0.0, at_most=1e4)]
    log_sd: Annotated[float, Number("standard deviation of log leverage", at_least=0.0, at_most=10.0)]
    low: Annotated[float, _LEVERAGE] = 1.01
    high: Annotated[float, _LEVERAGE] = 125.0

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.low is not None and v.high is not None and v.low > v.high:
            refuse("low", v.low, f"has to be at most high, which is {v.high:g}")


class HistogramHolders(_Spread):
    """Shares of the open interest at stated leverages."""

    kind: Literal["histogram"]
    leverage: Annotated[list[float] | None, ListOf("leverages", _LEVERAGE, at_least=1)] = None
    share: Annotated[list[float] | None, ListOf("share of the open interest at each, summing to 1", _SHARE, at_least=1)] = None
    file: Annotated[str | None, Text("table with the columns leverage and share, instead of the two lists")] = None

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.leverage is not None and v.share is not None and len(v.leverage) != len(v.share):
            refuse("share", v.share, f"has to have as many entries as leverage, {len(v.leverage)}; it has {len(v.share)}")
        check_shares(v.share, refuse)


def check_shares(share: list[float] | None, refuse: Refuse) -> None:
    """Shares have to sum to 1."""
    if share is not None and abs(math.fsum(share) - 1.0) > SHARE_TOLERANCE:
        refuse("share", share, f"has to sum to 1; it sums to {math.fsum(share):.6g}")


class MapHolders(_Placed):
    """Open interest by liquidation price."""

    kind: Literal["liquidation_map"]
    file: Annotated[str, Text("table with the columns price, side and open_interest_usd")]
    size_median: Annotated[float, Number("notional of an account", "USD", above=0.0)] = 1e4


class AccountHolders(Table):
    """A table of accounts."""

    kind: Literal["accounts"]
    file: Annotated[
        str,
        Text(
            "table with the columns venue, asset, side, quantity (coins), entry_price (USD a coin), collateral (USD at entry, "
            "also where a venue is margined in coin) or leverage, class; or positions as exchanges publish them"
        ),
    ]
    columns: Annotated[dict[str, str] | None, ColumnNames("the file's own names of columns", COLUMNS)] = None
    venue: Annotated[str | None, NameOf("venue of all positions, if the file has no column for it", "venues")] = None


class CrossHolders(Table):
    """A table of the positions of accounts under cross margin; for the book account."""

    kind: Literal["cross_accounts"]
    file: Annotated[
        str,
        Text(
            "table with a row a position and the columns account, asset, side, quantity (coins; of a coin-margined contract "
            "dollars over the entry price), entry_price (USD a coin); optional venue, class, account_value (USD, of an account's "
            "positions under cross margin together), notional (USD at the file's own mark), margin (cross or isolated), "
            "collateral (USD at entry, of an isolated position), snapshot"
        ),
    ]
    columns: Annotated[dict[str, str] | None, ColumnNames("the file's own names of columns", COLUMNS)] = None
    collateral: Annotated[
        str | None, Text("table with the columns account, asset (USD or one of the assets) and amount; this or account_value")
    ] = None
    venue: Annotated[str | None, NameOf("venue of all positions, if the file has no column for it", "venues")] = None
    account_class: Annotated[
        str | None,
        Text("class of all accounts, if the file has no column for it; by default all", word=True),
        Field(alias="class"),
    ] = None
    accounts: Annotated[
        int | None, Whole("how many accounts to keep, those of the largest notional; by default all", at_least=1)
    ] = None
    snapshot: Annotated[str | None, Text('which of the file\'s snapshots: a value of that column, or "latest"')] = None
    other_assets: Annotated[
        str,
        Choice("positions in assets that the scenario does not have: refuse them, or leave them out and keep the collateral",
               ("refuse", "ignore")),
    ] = "refuse"  # fmt: skip


KINDS: dict[str, type[Table]] = {
    "lognormal": LognormalHolders, "histogram": HistogramHolders, "liquidation_map": MapHolders, "accounts": AccountHolders,
    "cross_accounts": CrossHolders,
}  # fmt: skip

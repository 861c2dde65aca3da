"""`[populations.*]`, one model for each kind."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from .by_name import AccountColumns
from .table import Table, Wrong, by_word
from .values import SHARE_TOLERANCE, USD, WHOLE, AssetName, Dollars, Leverage, LogPrice, Share, VenueName, Word

Side = Literal["long", "short"]


class Population(Table):
    """Holders of positions; `kind` says how they are described."""


class _Placed(Population):
    venue: VenueName = Field(description="venue")
    asset: AssetName = Field(description="asset")
    account_class: Word = Field("all", alias="class", description="class of account")


class _Spread(_Placed):
    side: Literal["long", "short", "both"] = Field(description="side; both makes one of each, with this open interest each")
    open_interest: Dollars = Field(description="open interest of a side")
    entry_mean: float = Field(0.0, ge=-3, le=3, description="mean of log(entry / price)", json_schema_extra=LogPrice)
    entry_sd: float = Field(0.0, ge=0, le=3, description="standard deviation of log(entry / price)", json_schema_extra=LogPrice)
    size_median: float = Field(
        1e4, gt=0, description="median notional of an account, weighted by notional", json_schema_extra=USD
    )
    size_log_sd: float = Field(0.0, ge=0, le=10, description="standard deviation of the log of that notional")


class Lognormal(_Spread):
    """Effective leverage is lognormal, clipped."""

    kind: Literal["lognormal"]
    median: float = Field(gt=0, le=1e4, description="median effective leverage, weighted by notional")
    log_sd: float = Field(ge=0, le=10, description="standard deviation of log leverage")
    low: Leverage = Field(1.01, description="lowest leverage")
    high: Leverage = Field(125.0, description="highest leverage")

    def between(self) -> Iterator[Wrong]:
        """The lower end of the leverages below the upper one."""
        if self.low is not None and self.high is not None and self.low > self.high:
            yield Wrong("low", self.low, f"has to be at most high, which is {self.high:g}")


class Histogram(_Spread):
    """Shares of the open interest at stated leverages."""

    kind: Literal["histogram"]
    leverage: Annotated[list[Leverage], Field(min_length=1)] | None = Field(None, description="leverages")
    share: Annotated[list[Share], Field(min_length=1)] | None = Field(
        None, description="share of the open interest at each, summing to 1"
    )
    file: str | None = Field(None, description="table with the columns leverage and share, instead of the two lists")

    def between(self) -> Iterator[Wrong]:
        """As many shares as leverages, which sum to 1."""
        if self.leverage is not None and self.share is not None and len(self.leverage) != len(self.share):
            text = f"has to have as many entries as leverage, {len(self.leverage)}; it has {len(self.share)}"
            yield Wrong("share", self.share, text)
        if self.share is not None and abs(math.fsum(self.share) - 1.0) > SHARE_TOLERANCE:
            yield Wrong("share", self.share, f"has to sum to 1; it sums to {math.fsum(self.share):.6g}")


class LiquidationMap(_Placed):
    """Open interest by liquidation price."""

    kind: Literal["liquidation_map"]
    file: str = Field(description="table with the columns price, side and open_interest_usd")
    size_median: float = Field(1e4, gt=0, description="notional of an account", json_schema_extra=USD)


class Accounts(Population):
    """A table of accounts."""

    kind: Literal["accounts"]
    file: str = Field(
        description="table with the columns venue, asset, side, quantity (coins), entry_price (USD a coin), collateral (USD at "
        "entry, also where a venue is margined in coin) or leverage, class; or positions as exchanges publish them"
    )
    columns: AccountColumns | None = Field(None, description="the file's own names of columns")
    venue: VenueName | None = Field(None, description="venue of all positions, if the file has no column for it")


class CrossAccounts(Population):
    """A table of the positions of accounts under cross margin; for the book account."""

    kind: Literal["cross_accounts"]
    file: str = Field(
        description="table with a row a position and the columns account, asset, side, quantity (coins; of a coin-margined "
        "contract dollars over the entry price), entry_price (USD a coin); optional venue, class, account_value (USD, of an "
        "account's positions under cross margin together), notional (USD at the file's own mark), margin (cross or isolated), "
        "collateral (USD at entry, of an isolated position), snapshot"
    )
    columns: AccountColumns | None = Field(None, description="the file's own names of columns")
    collateral: str | None = Field(
        None, description="table with the columns account, asset (USD or one of the assets) and amount; this or account_value"
    )
    venue: VenueName | None = Field(None, description="venue of all positions, if the file has no column for it")
    account_class: Word | None = Field(
        None, alias="class", description="class of all accounts, if the file has no column for it; by default all"
    )
    accounts: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        None, description="how many accounts to keep, those of the largest notional; by default all"
    )
    snapshot: str | None = Field(None, description='which of the file\'s snapshots: a value of that column, or "latest"')
    other_assets: Literal["refuse", "ignore"] = Field(
        "refuse",
        description="positions in assets that the scenario does not have: refuse them, or leave them out and keep the collateral",
    )


Kind = Lognormal | Histogram | LiquidationMap | Accounts | CrossAccounts
KINDS: dict[str, type[Population]] = by_word(Kind, "kind")
"""The model of each kind."""

__all__ = ["KINDS", "Accounts", "CrossAccounts", "Histogram", "Kind", "LiquidationMap", "Lognormal", "Population", "Side"]

"""What may be written after `jaxrisk import`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from .study_arguments import Debug, option

KINDS = ("tiers", "prices", "open-interest", "funding", "accounts")


@dataclass
class Import:
    """Read files as exchanges and their users have them, and write ours.

    tiers: leverageBracket of Binance, risk-limit of Bybit, position-tiers of OKX, meta of Hyperliquid, tiers of ccxt.

    prices: klines with or without header, fetch_ohlcv, any table with times and closes; CSV or Parquet.

    open-interest: metrics files, tables of coins, or of dollars with a price; CSV or Parquet.

    funding: payments of archives (last_funding_rate) and interfaces (fundingRate), fetchFundingRateHistory; CSV or Parquet.

    accounts: clearinghouseState, fetch_positions, lists of positions; CSV or Parquet.

    All: CSV (also ; and decimal commas), Parquet, Feather, JSON; .gz, .zip; a folder or a pattern, "btc/*.zip". The same files
    work wherever a scenario or a command names one: docs/data.md. --columns time=ts names a column that is called otherwise.

    $ jaxrisk import tiers leverageBracket.json --symbol BTCUSDT --out my_venue.toml
    $ jaxrisk import tiers position-tiers.json --symbol BTC-USDT --price 70000 --contract 0.01 --out okx.toml
    $ jaxrisk import prices klines/ --out btc.parquet
    $ jaxrisk import open-interest metrics/ --out oi.csv
    """

    kind: Annotated[Positional[str], option("KIND", "tiers, prices, open-interest, funding or accounts")]
    file: Annotated[Positional[Path], option("FILE", "a file, a folder of files, or a pattern")]
    symbol: Annotated[
        UseAppendAction[tuple[str, ...]], option("NAME ...", "tiers: of these symbols; by default all that are there")
    ] = ()
    tier_rule: Annotated[
        str | None, option("marginal|whole", "tiers: whether a rate is of what is above a floor, where the file does not say")
    ] = None
    price: Annotated[str | None, option("USD", "tiers in contracts or coins: the price that floors are worked out at")] = None
    contract: Annotated[str | None, option("COINS", "tiers in contracts: the size of one")] = None
    columns: Annotated[UseAppendAction[tuple[str, ...]], option("NAME=COLUMN ...", "the file's own names of columns")] = ()
    zone: Annotated[str, option("ZONE", "time zone of times that name none, as Europe/Berlin (default: UTC)")] = "UTC"
    day_first: Annotated[bool, option(None, "dates have the day first, as 05.08.2024")] = False
    out: Annotated[
        Path | None, option("FILE", "where it is written: .toml for tiers, else .csv or .parquet (default: nowhere)")
    ] = None
    force: Annotated[bool, option(None, "overwrite an existing file")] = False
    debug: Debug = False


__all__ = ["KINDS", "Import"]

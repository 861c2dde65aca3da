"""What may be written after `jaxrisk calibrate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction

from .study_arguments import Debug, option

SIMULATED = "log_variance"
PROCESSES = ("bates", "merton", "garch", "bootstrap", SIMULATED)


@dataclass
class Calibrate:
    """Measure a scenario's numbers from data, with standard errors and origins.

    Writes a scenario for `jaxrisk run`: what the data can tell is measured, the rest is kept from a base scenario and says so.

    Exit code 5: something did not converge, or the data cannot tell it; it keeps the base's number, and the file is written.

    $ jaxrisk calibrate --prices btc_1h.csv.gz --out mine.toml
    $ jaxrisk calibrate --prices btc_1h.csv.gz --accounts accounts.csv.gz --bias winners split \\
    >     --open-interest 81914 --tiers binance --out mine.toml --report mine.html
    $ jaxrisk calibrate --prices btc_1h.csv.gz --events 2022-11-08 2023-08-17 2024-08-05 --data data --out mine.toml
    $ jaxrisk calibrate --prices btc_1h.csv.gz --process log_variance --feedback --out mine.toml
    $ jaxrisk run mine.toml
    """

    prices: Annotated[
        Path | None, option("FILE", "bars: klines, or time, open, high, low, close, volume; a file, folder or pattern (required)")
    ] = None
    zone: Annotated[str, option("ZONE", "time zone of times that name none, as Europe/Berlin (default: UTC)")] = "UTC"
    day_first: Annotated[bool, option(None, "dates have the day first, as 05.08.2024")] = False
    process: Annotated[str, option("|".join(PROCESSES), "the price law (default: bates); log_variance takes minutes")] = "bates"
    feedback: Annotated[
        bool, option(None, "fit impact with the law log_variance, forced orders of the base's positions in every simulated day")
    ] = False
    start: Annotated[str | None, option("TIME", "first time of the prices used")] = None
    end: Annotated[str | None, option("TIME", "last time of the prices used")] = None
    base: Annotated[str, option("SCENARIO", "whose other numbers are kept (default: btc_24h)")] = "btc_24h"
    asset: Annotated[str | None, option("NAME", "the base's asset that the prices are of, where it has several")] = None
    accounts: Annotated[
        Path | None, option("FILE", "positions: account, asset, side, account_value, notional, ...; clearinghouseState")
    ] = None
    columns: Annotated[
        UseAppendAction[tuple[str, ...]], option("NAME=COLUMN ...", "the files' own names, as snapshot=day, prices.time=ts")
    ] = ()
    bias: Annotated[
        UseAppendAction[tuple[str, ...]],
        option(
            "SELECTION ...",
            "what the sample of accounts is corrected for: winners, winners=SHARE, split, split=0-3:USD,3-inf:USD, none "
            "(default: winners)",
        ),
    ] = ()
    open_interest: Annotated[str | None, option("FILE|COINS", "open interest of a side, coins, or a file or folder of it")] = None
    funding: Annotated[Path | None, option("FILE", "funding payments, for a base whose run.book takes them: account or flow")] = (
        None
    )
    tiers: Annotated[
        str | None,
        option("VENUE", "margin tiers: a shipped venue's name, or a file, also an exchange's own (default: the base's)"),
    ] = None
    events: Annotated[
        UseAppendAction[tuple[str, ...]],
        option("NAME|EVENT.toml ...", "unwinds that impact and engine are fitted to, two at least"),
    ] = ()
    data: Annotated[Path | None, option("DIR", "folder of the files that events name")] = None
    replications: Annotated[str | None, option("N", "of bootstraps (default: 200)")] = None
    set: Annotated[UseAppendAction[tuple[str, ...]], option("KEY=VALUE", "replace a key by its dotted name; repeatable")] = ()
    out: Annotated[Path | None, option("FILE.toml", "where the scenario is written (default: calibrated.toml)")] = None
    report: Annotated[Path | None, option("FILE.md|.html", "write the diagnostics")] = None
    force: Annotated[bool, option(None, "overwrite existing files")] = False
    debug: Debug = False


__all__ = ["PROCESSES", "SIMULATED", "Calibrate"]

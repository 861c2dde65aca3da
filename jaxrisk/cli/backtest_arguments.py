"""What may be written after `jaxrisk backtest`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from .study_arguments import Debug, option


@dataclass
class Backtest:
    """Score forecasts of recorded unwinds against what was observed.

    They are scored beside simpler forecasts. Each event is forecast from what was known before it, and again given its first half
    hour.

    An event is a TOML file, or the name of one that ships: 2021-04-18, 2021-05-19, 2021-09-07, 2022-06-13, 2022-11-08,
    2023-08-17, 2024-08-05, 2025-02-03. The price files it names are looked for in --data, then beside it.

    With --days instead of events every day is forecast, quiet ones too: fall, rise, rebound, loss of open interest.

    Law and impact are then refitted to all earlier days on the first day and every new year, in minutes each.

    $ jaxrisk backtest 2024-08-05 --data prices
    $ jaxrisk backtest mine.toml --data prices --paths 20000 --parameters fitted.toml --out scores.csv --plot scores.png
    $ jaxrisk backtest --days 2021-01-01..2026-05-16 --prices btc_1h.csv.gz --horizons 1,5,10 --out days.csv --plot days.png
    $ jaxrisk backtest --days 2021-01-01..2026-05-16 --alarms --prices btc_1h.csv.gz
    """

    events: Annotated[Positional[tuple[str, ...]], option("EVENT.toml ...", "event files, or names of shipped events")]
    data: Annotated[Path, option("DIR", "folder of the price files (default: the current one)")] = Path()
    paths: Annotated[str | None, option("N", "paths of each forecast (default: 10000; 5000 with --days)")] = None
    seed: Annotated[str | None, option("N", "seed of the random numbers (default: 1)")] = None
    days: Annotated[str | None, option("FROM..TO", "score every day from one to the other, as 2021-01-01..2023-12-31")] = None
    alarms: Annotated[bool, option(None, "with --days: only what follows an hour's fall of four standard deviations")] = False
    prices: Annotated[
        Path | None,
        option("FILE", "with --days: bars that divide an hour, from a year before FROM on; a file, folder or pattern"),
    ] = None
    open_interest: Annotated[Path | None, option("FILE", "with --days: open interest at the end of each day")] = None
    columns: Annotated[
        UseAppendAction[tuple[str, ...]], option("NAME=COLUMN ...", "with --days: the files' own names, as prices.time=ts")
    ] = ()
    zone: Annotated[str, option("ZONE", "with --days: time zone of times that name none (default: UTC)")] = "UTC"
    day_first: Annotated[bool, option(None, "with --days: dates have the day first, as 05.08.2024")] = False
    horizons: Annotated[str | None, option("DAYS", "with --days: lengths of a period, as 1,5,10 (default: 1)")] = None
    scenario: Annotated[str | None, option("SCENARIO", "with --days: positions and mechanics (default: btc_any_day)")] = None
    fits: Annotated[
        Path | None, option("FILE.json", "with --days: fits are read from here and kept here (default: beside --out)")
    ] = None
    parameters: Annotated[
        Path | None, option("FILE.toml", "fitted numbers of impact and engine (default: shipped ones, fitted without the event)")
    ] = None
    in_sample: Annotated[bool, option(None, "score also events that the numbers were fitted on, and say so")] = False
    out: Annotated[Path | None, option("FILE.csv|.json", "write the scores (.csv), or everything (.json)")] = None
    plot: Annotated[Path | None, option("FILE.png|.svg|.pdf", "draw forecasts beside what was observed")] = None
    force: Annotated[bool, option(None, "overwrite existing files")] = False
    debug: Debug = False


__all__ = ["Backtest"]

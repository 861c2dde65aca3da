"""What may be written after `jaxrisk backtest`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from .study_arguments import Debug, option


@dataclass
class Backtest:
    """Score forecasts of recorded unwinds against what was observed, beside simpler forecasts.

    Each event is forecast from what was known before it, and again given its first half hour.

    An event is a TOML file, or the name of one that ships: 2021-04-18, 2021-05-19, 2021-09-07, 2022-06-13, 2022-11-08,
    2023-08-17, 2024-08-05, 2025-02-03. The price files it names are looked for in --data, then beside it.

    $ jaxrisk backtest 2024-08-05 --data ../shared/data
    $ jaxrisk backtest mine.toml --data prices --paths 20000 --parameters fitted.toml --out scores.csv --plot scores.png
    """

    events: Annotated[Positional[tuple[str, ...]], option("EVENT.toml ...", "event files, or names of shipped events")]
    data: Annotated[Path, option("DIR", "folder of the price files (default: the current one)")] = Path()
    paths: Annotated[str | None, option("N", "paths of each forecast (default: 10000)")] = None
    seed: Annotated[str | None, option("N", "seed of the random numbers (default: 1)")] = None
    parameters: Annotated[
        Path | None, option("FILE.toml", "fitted numbers of impact and engine (default: shipped ones, fitted without the event)")
    ] = None
    in_sample: Annotated[bool, option(None, "score also events that the numbers were fitted on, and say so")] = False
    out: Annotated[Path | None, option("FILE.csv|.json", "write the scores (.csv), or everything (.json)")] = None
    plot: Annotated[Path | None, option("FILE.png|.svg|.pdf", "draw forecasts beside what was observed")] = None
    force: Annotated[bool, option(None, "overwrite existing files")] = False
    debug: Debug = False


__all__ = ["Backtest"]

"""What may be written after `jaxrisk attribute` and `jaxrisk warn`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from .study_arguments import Debug, option

_Set = Annotated[UseAppendAction[tuple[str, ...]], option("KEY=VALUE", "replace a key by its dotted name; repeatable")]
_Table = Annotated[Path | None, option("FILE.csv|.json", "write the table (.csv), or everything (.json)")]
_Plot = Annotated[Path | None, option("FILE.png|.svg|.pdf", "draw it")]
_Force = Annotated[bool, option(None, "overwrite existing files")]


@dataclass
class Attribute:
    """Whose fall was it: what a market's own leverage adds to a loss.

    Of a scenario: which channel has what part in a simulated tail (Shapley's shares on the same random numbers), how the
    amplification grows with the shock, and who moves whom.

    Of recorded unwinds, by their event files or names: how much of the fall and of the open interest lost was forced orders',
    with intervals over what is not known, and what a cap of 20, 10, 5 or 2 would have changed.

    With --since and --to: which of the changes between two dated structures of a market made it safer.

    $ jaxrisk attribute btc_shock_10pct --plot shares.png
    $ jaxrisk attribute 2024-08-05 --data prices --what-if limits.cap=10 --what-if limits.file=eu_retail_cfd
    $ jaxrisk attribute --events --data prices --out unwinds.csv
    $ jaxrisk attribute btc_shock_10pct --since btc_2021 --to btc_2026
    """

    targets: Annotated[
        Positional[tuple[str, ...]], option("SCENARIO|EVENT ...", "one scenario, or unwinds: files or shipped names")
    ]
    events: Annotated[bool, option(None, "all unwinds that ship")] = False
    data: Annotated[Path, option("DIR", "folder of the unwinds' price files (default: the current one)")] = Path()
    what_if: Annotated[
        UseAppendAction[tuple[str, ...]],
        option("KEY=VALUE", "an unwind's day under another setting; repeatable (default: limits.cap = 20, 10, 5, 2)"),
    ] = ()
    draws: Annotated[str | None, option("N", "sets of what is not known of an unwind (default: 64)")] = None
    measure: Annotated[
        UseAppendAction[tuple[str, ...]],
        option("TEXT", "STATISTIC(OBSERVABLE, LEVEL) of a scenario; repeatable (default: mean and 99% tail of fall and loss)"),
    ] = ()
    since: Annotated[str | None, option("STRUCTURE", "structure of a market before, file or shipped name")] = None
    to: Annotated[str | None, option("STRUCTURE", "its structure after, file or shipped name")] = None
    paths: Annotated[str | None, option("N", "number of paths of each run (default: the file's, at most 20,000)")] = None
    steps: Annotated[str | None, option("N", "number of time steps over the same horizon (default: the file's)")] = None
    seed: Annotated[str | None, option("N", "seed of the random numbers (default: the file's, 1 for unwinds)")] = None
    set: _Set = ()
    out: _Table = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


@dataclass
class Warn:
    """How far is the level that must not break, in a line and an exit code.

    The level is the nearest price at which a forced dollar sets off more than one further, by venue, with an interval over what
    is not known of impact, leverage and volume.

    Exit code 4: the level is nearer than --threshold. No simulation is run.

    $ jaxrisk warn btc_24h --threshold 15%
    $ jaxrisk warn three_venues_shock_24h --threshold 0.1 --plot map.png
    """

    scenario: Annotated[Positional[str], option("SCENARIO", "a TOML file, or the name of a shipped scenario")]
    threshold: Annotated[str | None, option("X", "fall to the level below which it warns: 0.15 or 15% (default: 0.1)")] = None
    branching: Annotated[str | None, option("N", "further dollars a forced dollar sets off at the level (default: 1)")] = None
    set: _Set = ()
    out: _Table = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


__all__ = ["Attribute", "Warn"]

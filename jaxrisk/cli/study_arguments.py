"""What may be written after the commands that ask questions of a scenario: `sensitivity`, `design`, `reverse-stress`, ..."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg


def option(metavar: str | None, text: str):
    """An option whose help says itself what its default is."""
    return arg(metavar=metavar, help=text, help_behavior_hint="")


MEASURE = "expected_shortfall(max_drawdown_index, 0.99)"
"""The measure where none is named."""
OBSERVABLE = "max_drawdown_index"
PARAMETERS = ("limits.cap",)
"""What is differentiated or designed where nothing is named."""

_Number = str | None  # read later, so that whatever is wrong with it is said together with everything else that is wrong
_Scenario = Annotated[Positional[str], option("SCENARIO", "a TOML file, or the name of a shipped scenario")]
_Paths = Annotated[_Number, option("N", "number of paths (default: the file's run.paths)")]
_Steps = Annotated[_Number, option("N", "number of time steps over the same horizon (default: the file's)")]
_Seed = Annotated[_Number, option("N", "seed of the random numbers (default: the file's run.seed)")]
_Set = Annotated[UseAppendAction[tuple[str, ...]], option("KEY=VALUE", "replace a key by its dotted name; repeatable")]
_Measure = Annotated[str, option("TEXT", f'STATISTIC(OBSERVABLE, LEVEL) (default: "{MEASURE}")')]
_Observable = Annotated[str, option("NAME", f"what is to reach the level, as max_drawdown[BTC] (default: {OBSERVABLE})")]
_Level = Annotated[_Number, option("X", "the level, in the observable's unit: 0.15 is a drawdown of 15% (required)")]
_Wrt = Annotated[
    UseAppendAction[tuple[str, ...]],
    option("NAME", 'parameter, all of a name, or a pattern; repeatable (default: "limits.cap")'),
]
_Table = Annotated[Path | None, option("FILE.csv|.json", "write the table (.csv), or everything (.json)")]
_Plot = Annotated[Path | None, option("FILE.png|.svg|.pdf", "draw it")]
_Force = Annotated[bool, option(None, "overwrite existing files")]
Debug = Annotated[bool, option(None, "show the traceback of an internal error")]


@dataclass
class Sensitivity:
    """Derivatives of a risk measure in leverage limits, margins, impact, ...

    Each comes with its standard error, the method that was used, and why.

    Names are those of `jaxrisk parameters SCENARIO`. Keys can be replaced as for `run`.

    $ jaxrisk sensitivity btc_24h --limits.file eu_retail_cfd --wrt limits.cap --check
    $ jaxrisk sensitivity btc_24h --wrt "impact.*" --wrt "venues.*.tiers.rate" --plot by.png
    $ jaxrisk sensitivity btc_24h --limits.file eu_retail_cfd --change "limits.cap[retail,*,*]=10"
    $ jaxrisk sensitivity btc_24h --cross impact.coefficient market.volatility --out by.csv
    """

    scenario: _Scenario
    measure: _Measure = MEASURE
    wrt: _Wrt = ()
    method: Annotated[str, option("auto|pathwise|bump", "how: auto measures and chooses (default: auto)")] = "auto"
    check: Annotated[bool, option(None, "compare with bumps of whole runs: slow, sure")] = False
    cross: Annotated[tuple[str, str] | None, option("A B", "also the second derivative in these two")] = None
    change: Annotated[
        UseAppendAction[tuple[str, ...]], option("NAME=X", "also what the parameter at X does, on the same paths; repeatable")
    ] = ()
    paths: _Paths = None
    steps: _Steps = None
    seed: _Seed = None
    set: _Set = ()
    out: _Table = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


@dataclass
class Design:
    """The least restrictive limits that keep a risk measure within a budget.

    Shows limits before and after, the measure on fresh paths, and the open interest forgone.

    A scenario without limits gets one for each class.

    Exit code 4: the budget cannot be met; the best found is shown.

    $ jaxrisk design btc_24h --measure "expected_shortfall(open_interest_loss_usd, 0.99)" \\
    >     --budget 2.5e8 --out limits.toml
    $ jaxrisk run btc_24h --limits.file limits.toml
    $ jaxrisk design three_venues_shock_24h --limits.file new_user_20x --budget 0.12 --plot limits.png
    """

    scenario: _Scenario
    budget: Annotated[_Number, option("X", "most that the measure may be, in its unit: 0.08 is 8% (required)")] = None
    measure: _Measure = MEASURE
    wrt: _Wrt = ()
    paths: Annotated[_Number, option("N", "number of paths of a search step (default: the file's run.paths)")] = None
    verify_paths: Annotated[_Number, option("N", "number of fresh paths the limits found are verified on")] = None
    steps: _Steps = None
    seed: _Seed = None
    set: _Set = ()
    out: Annotated[
        Path | None, option("FILE.toml|.csv|.json", "write the limits for --limits.file (.toml), the table, or everything")
    ] = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


@dataclass
class ReverseStress:
    """The most likely way to a given loss: the price's path, and how likely.

    Exit code 4: the level cannot be reached; the worst found is shown.

    $ jaxrisk reverse-stress btc_24h --level 0.15 --plot path.png
    $ jaxrisk reverse-stress btc_eth_sol_7d --observable "max_drawdown[ETH]" --level 0.4 --out eth.csv
    """

    scenario: _Scenario
    level: _Level = None
    observable: _Observable = OBSERVABLE
    restarts: Annotated[_Number, option("N", "searches from different starts")] = None
    steps: _Steps = None
    seed: _Seed = None
    set: _Set = ()
    out: _Table = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


@dataclass
class RareEvent:
    """The probability of a loss too rare for plain simulation.

    `jaxrisk.Result.load("rare.nc")` opens the weighted paths that --out keeps.

    $ jaxrisk rare-event btc_24h --level 0.3
    $ jaxrisk rare-event btc_24h --level 0.3 --method splitting --relative-error 0.05 --out rare.nc
    """

    scenario: _Scenario
    level: _Level = None
    observable: _Observable = OBSERVABLE
    method: Annotated[str, option("auto|plain|importance|splitting", "how: auto tries and chooses (default: auto)")] = "auto"
    relative_error: Annotated[str, option("X", "standard error over probability to stop at (default: 0.1)")] = "0.1"
    max_paths: Annotated[_Number, option("N", "most paths simulated")] = None
    steps: _Steps = None
    seed: _Seed = None
    set: _Set = ()
    out: Annotated[Path | None, option("FILE.nc|.csv|.json", "write weighted paths (.nc), the table, or everything else")] = None
    plot: _Plot = None
    force: _Force = False
    debug: Debug = False


@dataclass
class RunStudy:
    """What a setting changes: a scenario under each of a grid of settings.

    All cells are run on the same random numbers, so that a difference has an error of its own.

    Finished cells are kept: a study that was stopped goes on; in one that grew only what is new is run.

    $ jaxrisk study leverage_cap --quick
    $ jaxrisk study leverage_cap --paths 20000 --out caps
    $ jaxrisk init leverage_cap --out mine.toml
    $ jaxrisk study mine.toml --out caps
    $ jaxrisk study btc_24h --over ranges --paths 2000
    """

    study: Annotated[Positional[str], option("STUDY", "a TOML file, or the name of a shipped study")]
    out: Annotated[Path | None, option("FOLDER", "where cells, table and pictures are kept (default: results/NAME)")] = None
    quick: Annotated[bool, option(None, "a coarse answer, soon: the file's [quick], or a tenth of its paths")] = False
    paths: Annotated[_Number, option("N", "number of paths of each cell (default: the file's)")] = None
    steps: _Steps = None
    seed: _Seed = None
    over: Annotated[
        str | None,
        option("ranges", "instead of its cells, draws from the scenario's [ranges]: which of them matter (Sobol' indices)"),
    ] = None
    base: Annotated[
        _Number, option("N", "points of that design, a power of two; it has N times (ranges + 2) cells (default: 32)")
    ] = None
    yes: Annotated[bool, option(None, "run it also where it is more than 1,000 cells")] = False
    executor: Annotated[str | None, option("processes|dask", "who runs the cells (default: this process)")] = None
    workers: Annotated[_Number, option("N", "how many there are (default: one a core)")] = None
    scheduler: Annotated[str | None, option("ADDRESS", "of a Dask cluster that is there, such as tcp://host:8786")] = None
    debug: Debug = False


@dataclass
class Report:
    """Say what results found, as one page: words, tables, charts.

    RESULT is what a run wrote (.nc, .zarr), a study's folder, or what --out FILE.json of another command did; several make one
    page.

    $ jaxrisk report results/leverage_cap --out caps.html
    $ jaxrisk report results/btc_24h.nc stress.json --out day.html --pdf day.pdf
    $ jaxrisk report tonight.nc --compare last_night.nc --out tonight.html --json tonight.json
    """

    results: Annotated[Positional[tuple[Path, ...]], option("RESULT ...", "results to report")]
    out: Annotated[Path | None, option("FILE.html", "where the page is written (default: the result's name, here)")] = None
    pdf: Annotated[Path | None, option("FILE.pdf", "print it too, by a Chromium that is installed")] = None
    json: Annotated[Path | None, option("FILE.json", "the same content for machines")] = None
    compare: Annotated[Path | None, option("OLD", "an earlier result: what changed since, and whether it is more than noise")] = (
        None
    )
    force: _Force = False
    debug: Debug = False


@dataclass
class Parameters:
    """List the numbers of a scenario that can be named, with units and ranges.

    $ jaxrisk parameters btc_24h
    $ jaxrisk parameters btc_24h --match "limits.*" --limits.file eu_retail_cfd --out names.csv
    """

    scenario: _Scenario
    match: Annotated[
        UseAppendAction[tuple[str, ...]], option("PATTERN", "only these: a name, or a pattern with * and ?; repeatable")
    ] = ()
    set: _Set = ()
    out: _Table = None
    force: _Force = False
    debug: Debug = False


Study = Sensitivity | Design | ReverseStress | RareEvent
"""The commands that compute."""

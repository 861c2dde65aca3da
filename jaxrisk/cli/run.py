"""`jaxrisk run`: simulate, show, write."""

import os
from pathlib import Path

from ..config import ConfigError, prepare
from .arguments import Run, overrides_of
from .asked import PLOTS, Asked, folder_of
from .exit_codes import complain, told
from .simulating import Chunks, simulated


def run(command: Run, wrong: list[str]) -> int:
    """`jaxrisk run`: everything that can be wrong is found before anything is computed or written.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    asked.choice("--sampling", command.sampling, ("plain", "sobol"))
    asked.choice("--kernel", command.kernel, ("auto", "scan", "fused"))
    problems, prepared, out = asked.problems, None, command.out
    try:
        prepared = prepare(command.scenario, overrides)
        out = out if out is not None else Path("results") / f"{prepared.name}.nc"
    except ConfigError as error:
        problems += error.problems
    if out is not None:
        asked.result(out, command.force)
    workers, chunk = (
        asked.executor(command.executor, command.workers, command.scheduler, out),
        asked.count("--chunk", command.chunk, 1),
    )
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(out, command.plot)
    if problems or prepared is None or out is None:
        return complain(problems)
    told(prepared)
    if command.plot is not None:
        folder_of(command.plot)
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list, a screenful
    # each; nothing is wrong with such a program
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    scenario = prepared.scenario()
    if command.return_periods and (refused := _no_frequency(scenario)):
        return complain([refused])
    chunks = Chunks(command.executor, workers, command.scheduler, chunk, command.force, command.kernel)
    return simulated(scenario, out, command.sampling, command.plot, command.return_periods, chunks)


def _no_frequency(scenario) -> str:
    """Why a probability is no frequency; empty where it is one."""
    from ..risk.return_period import ANY_DAY
    from ..start_words import start_kind, where_from

    kind = start_kind(scenario)
    if kind in ANY_DAY:
        return ""
    words = "a shock or a path is given" if kind == "conditioned" else f"paths start from {where_from(scenario)}"
    return f"command line: --return-periods: needs paths from a day drawn at random, --market.start stationary; {words}"


__all__ = ["run"]

"""`jaxrisk study`: check all that is asked, say how much it is, run what is not there yet, show, write."""

import os
import sys
from pathlib import Path
from typing import Any

from .exit_codes import INTERRUPTED, NON_FINITE, NOT_WRITTEN, OK, complain, doubtful
from .progress import Progress, show
from .simulating import Chunks, NoExecutor, executor_of
from .study_arguments import RunStudy
from .writing import write_all

INDICES, OVER_PICTURE = "ranges.csv", "ranges.png"
"""What a sensitivity analysis writes beside the table of its cells."""


def run_study(command: RunStudy, wrong: list[str]) -> int:
    """`jaxrisk study`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..config import ConfigError
    from .asked import Asked

    asked = Asked(wrong)
    # XLA calls it an error when a program from the cache names a tuning preference that the machine does not list
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    run = {
        "paths": asked.count("--paths", command.paths, 1),
        "steps": asked.count("--steps", command.steps, 1),
        "seed": asked.count("--seed", command.seed, 0),
    }
    chunks = Chunks(
        command.executor, asked.executor(command.executor, command.workers, command.scheduler, None), command.scheduler
    )
    from ..studies.study import planned

    base = asked.count("--base", command.base, 4)
    if command.over is not None:
        asked.choice("--over", command.over, ("ranges",))
    elif command.base is not None:
        asked.wrong("--base", command.base, "goes with --over ranges")
    study: Any = command.study
    name, drawn = Path(study).stem, None
    try:
        if command.over is not None and not asked.problems:
            study, *drawn = _over(study, base, run, command.quick)
        plan, works = planned(study, run, quick=command.quick, many=command.yes, wrong=asked.problems)
    except ConfigError as error:
        return complain(error.problems)
    # the file's name, and not what the file calls itself: a copy of a study may have kept that
    name = f"{name}_ranges" if drawn else Path(plan.file).stem
    out = command.out or Path("results") / (f"{name}_quick" if command.quick else name)
    if problem := _no_folder(out):
        return complain([problem])
    for line in dict.fromkeys(line for work in works[: len(plan.leaves)] for line in work.prepared.read_as()):
        print(line, file=sys.stderr)
    doubtful(dict.fromkeys(doubt for work in works[: len(plan.leaves)] for doubt in work.prepared.doubts()))
    return _work(command, plan, works, out, chunks, drawn)


def _over(name: str, base: int | None, run: dict[str, Any], quick: bool) -> tuple[Any, ...]:
    """The cells of a sensitivity analysis, its ranges and its size."""
    from ..paths import NotFound
    from ..problems import ConfigError, Problem
    from ..studies.over_ranges import ranges_study

    try:
        return ranges_study(name, base, run, quick)
    except NotFound as error:
        raise ConfigError([Problem(name, "", None, str(error), error.nearest)]) from None


def _no_folder(out: Path) -> str | None:
    """Why nothing can be kept there, or None."""
    from .progress import unwritable

    if os.path.lexists(out) and not out.is_dir():
        return f"{out}: is no folder; choose another --out"
    problem = unwritable(out / "study.csv", True)
    return None if problem is None else f"{out}: {problem}"


def _work(command: RunStudy, plan: Any, works: list[Any], out: Path, chunks: Chunks, drawn: Any = None) -> int:
    from ..batch import NonFinite, WorkersLost, WorkersRefused, use_compilation_cache
    from ..storage.durable import Busy
    from ..studies.study import finished
    from ..studies.study_run import Runs
    from .signals import keep
    from .writing import not_written

    use_compilation_cache()
    say = lambda line: print(line, file=sys.stderr, flush=True)
    runs: Any = None
    try:
        with executor_of(chunks) as executor, Progress(sys.stderr, plan.name) as progress:
            bar = progress.bar
            above = say if bar is None else lambda line: bar.console.print(line, markup=False, highlight=False)
            runs = Runs(works, out, progress, above, executor)
            above(_size(plan, works, runs))
            keep(lambda: f"interrupted; {_kept(runs, out)}")
            result = finished(plan, works, runs)
    except NonFinite as error:
        say(f"stopped: {error}")
        return NON_FINITE
    except WorkersLost as error:
        say(f"stopped: {error}; {_kept(runs, out)}")
        return NON_FINITE
    except (NoExecutor, WorkersRefused) as error:
        return complain([f"command line: {error}"])
    except KeyboardInterrupt:
        say(f"interrupted; {_kept(runs, out)}")
        return INTERRUPTED
    except Busy as error:
        return complain([error])
    except OSError as error:
        say(_kept(runs, out))
        return not_written(error)
    except ValueError as error:
        from .commands import said_by_us

        if command.debug or not said_by_us(error):
            raise
        return complain(f"stopped: {line}" for line in str(error).splitlines())
    if drawn:
        from ..studies.over_ranges import indices_of

        whole = indices_of(result, *drawn, works, runs)
        show(whole.summary(), sys.stdout)
        return OK if _write(result, out, whole) else NOT_WRITTEN
    show(result.summary(), sys.stdout)
    return OK if _write(result, out) else NOT_WRITTEN


def _size(plan: Any, works: list[Any], runs: Any) -> str:
    """How much there is to do, before it is begun."""
    from ..studies.study_run import words

    branches = f" in {len(plan.leaves)} branches" if len(plan.leaves) > 1 else ""
    there = f", {len(runs.finished):,} of them finished already" if runs.finished else ""
    time = f"; about {words(runs.estimate())}, a guess until the first is timed" if runs.left else ""
    return f"{plan.name}: {len(plan.cells):,} cells{branches}, {len(works):,} runs{there}{time}"


def _kept(runs: Any, out: Path) -> str:
    done = 0 if runs is None else len(runs.finished) + runs.ran
    there = f"{done:,} finished runs are kept in {out}, and the same command goes on from there"
    return there if done else "nothing was finished"


def _write(result: Any, out: Path, over: Any = None) -> bool:
    """Table, record and pictures, into the folder; of a sensitivity analysis those of the indices beside the table of cells."""
    from ..storage.outputs import save_figure
    from ..storage.study_files import write
    from ..studies.study import BRANCHES, PICTURE, RECORD, TABLE

    if over is not None:
        return write_all([
            ("table", out / TABLE, lambda path: write(result, path)),
            ("indices", out / INDICES, lambda path: write(over, path)),
            ("picture", out / OVER_PICTURE, lambda path: save_figure(over.plot(), path)),
        ])  # fmt: skip
    outputs: list[Any] = [
        ("table", out / TABLE, lambda path: write(result, path)),
        ("record", out / RECORD, lambda path: write(result, path)),
        ("picture", out / PICTURE, lambda path: save_figure(result.plot(), path)),
    ]
    if result.info["branches"] > 1:
        outputs.append(("branches", out / BRANCHES, lambda path: save_figure(result.plot_branches(), path)))
    return write_all(outputs)


__all__ = ["run_study"]

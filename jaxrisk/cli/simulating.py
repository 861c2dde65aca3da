"""`jaxrisk run`, once all that is asked is checked: simulate, show, write."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .exit_codes import INTERRUPTED, NON_FINITE, NOT_WRITTEN, OK, complain
from .signals import keep


class Chunks(NamedTuple):
    """How chunks are run: `executor` (None, `"processes"` or `"dask"`), `workers`, `scheduler`, paths a `chunk`; `force`; and by
    which `kernel`."""

    executor: str | None = None
    workers: int | None = None
    scheduler: str | None = None
    chunk: int | None = None
    force: bool = False
    kernel: str = "auto"


def simulated(scenario, out: Path, sampling: str, plot: Path | None, often: bool, asked: Chunks) -> int:
    """Run a scenario, print its table and write its result; the exit code."""
    from ..batch import NonFinite, SetAside, WorkersLost, WorkersRefused, simulate, use_compilation_cache
    from ..cascade.kernel import NoKernel
    from ..risk.rare.drivers import NotSteerableError
    from ..risk.sobol import BITS, REPLICATES
    from ..storage.durable import OutputError
    from ..storage.outputs import save_figure
    from ..storage.remote import place_of
    from ..storage.store_place import is_store
    from .progress import Progress, show
    from .writing import finished_words, mark_of, not_written, write_all

    out = place_of(out)
    paths, most = scenario.description.paths, REPLICATES << BITS
    if sampling == "sobol" and paths > most:
        return complain([f"command line: --sampling sobol: {paths:,} paths, and after {most:,} the points repeat"])
    use_compilation_cache()
    progress = Progress(sys.stderr)
    before, where, code = mark_of(out), "in" if is_store(out) else "beside", OK
    keep(
        lambda: (
            f"interrupted; what was finished until then is {where} {out}"
            if progress.done
            else "interrupted; nothing was finished"
        )
    )
    more: dict[str, Any] = {"chunk": asked.chunk, "force": asked.force, "kernel": asked.kernel}
    more = {name: value for name, value in more.items() if value}
    try:
        with executor_of(asked) as executor, progress:
            more |= {} if executor is None else {"executor": executor}
            result = simulate(scenario, sampling=sampling, progress=progress, out=out, tell=_tell, **more)
    except SetAside as error:
        print(f"{error}", file=sys.stderr)
        if error.result is None:
            return NON_FINITE
        print(f"the {error.result.paths:,} other paths are in {out}; the same command tries again", file=sys.stderr)
        result, code = error.result, NON_FINITE
    except NonFinite as error:
        print(f"stopped: {error}", file=sys.stderr)
        if error.result is not None and mark_of(out) != before:
            print(f"the {error.result.paths:,} paths finished before it are in {out}", file=sys.stderr)
        return NON_FINITE
    except OutputError as error:
        return not_written(error)
    except NotSteerableError as error:
        market = str(error).partition(". ")[0]  # what follows is advice on rare events
        return complain([f"command line: --sampling {sampling}: {market}"])
    except NoKernel as error:
        return complain([f"command line: --kernel {asked.kernel}: {error}"])
    except (WorkersLost, MemoryError) as error:
        print(f"stopped: {error}; {finished_words(out, before, error, progress.done)}", file=sys.stderr)
        return NON_FINITE
    except (NoExecutor, WorkersRefused) as error:
        return complain([f"command line: {error}"])
    except KeyboardInterrupt as stop:
        print(f"interrupted; {finished_words(out, before, stop, progress.done)}", file=sys.stderr)
        return INTERRUPTED
    keep(lambda: f"interrupted; the result is in {out}")
    show(result.summary(often or None), sys.stdout)
    for note in result.notes():
        print(note)
    print(f"result: {out}")
    draw = lambda: result.plot_return_levels() if often else result.plot()
    return code if write_all([("plot", plot, lambda path: save_figure(draw(), path))]) else code or NOT_WRITTEN


class NoExecutor(Exception):
    """What is asked to run the chunks is not there."""


@contextlib.contextmanager
def executor_of(asked: Chunks) -> Iterator[Any]:
    """What runs the chunks, for as long as it is needed."""
    if asked.executor is None:
        yield None
        return
    try:
        made = _made(asked)
    except (ImportError, ValueError) as error:
        raise NoExecutor(f"--executor {asked.executor}: {error}") from None
    with made:
        yield made


def _made(asked: Chunks) -> Any:
    if asked.executor == "dask":
        from ..batch.dask_executor import cluster

        return cluster(asked.workers, asked.scheduler)
    from ..batch.processes import Processes, cores

    return Processes(asked.workers or cores())


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


__all__ = ["Chunks", "NoExecutor", "executor_of", "simulated"]

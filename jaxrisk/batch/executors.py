"""Chunks on an executor: a few in flight, each tried again where its worker is lost, in whatever order they come back."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from typing import Any

from .._interrupt import PAUSE, look, presses_kept
from .problems import WorkersLost, WorkersRefused
from .processes import cores
from .work import Outcome, Task, work

TRIES = 3
"""How often a chunk is tried before it is set aside."""
LOST = 2 * TRIES
"""How often it is where its worker is lost, which another chunk may have been to blame for."""
AHEAD = 2
"""Chunks in flight for each worker, so that none waits for the next."""
LOOKS = 10.0
"""Seconds between two looks at whether those that chunks were sent to are there."""


def gather(
    executor: Any,
    tasks: Iterable[Task],
    take: Callable[[Task, Outcome], None],
    give_up: Callable[[Task, str, int], bool],
    call: Callable[[Any], Outcome] = work,
) -> None:
    """Run tasks on an executor.

    **Arguments:**

    - `executor`: of `concurrent.futures`. Where it has `refuse`, workers of other versions are left out, and where it has
      `renew`, lost ones are replaced. Where it has `stranded`, it says of which chunks the workers are gone.
    - `take`: is given each outcome that is good, or not finite.
    - `call`: what a worker does with a task.
    - `give_up`: is given a task that failed always, why, and a path; says whether the others are run all the same.

    **Raises:** `WorkersRefused` where a worker has other versions, `WorkersLost` where none is left, `OSError` where one cannot
    write.
    """
    waiting, tried, looked = deque(tasks), dict[tuple[int, int], int](), time.monotonic()
    flying: dict[Future, Task] = {}
    try:
        with presses_kept():
            while waiting or flying:
                _send(executor, waiting, flying, tried, call)
                done = wait(flying, timeout=PAUSE, return_when=FIRST_COMPLETED).done
                look()
                if hasattr(executor, "stranded") and time.monotonic() - looked > LOOKS:
                    looked = time.monotonic()
                    for future in executor.stranded(flying):
                        waiting.appendleft(flying.pop(future))
                        future.cancel()
                for future in done & flying.keys():
                    task = flying.pop(future)
                    if not _landed(executor, task, future, take, give_up, waiting, tried):
                        waiting = deque(one for one in waiting if one.first < task.first)
    finally:
        for future in flying:
            future.cancel()


def _send(executor: Any, waiting: deque, flying: dict, tried: dict[tuple[int, int], int], call: Callable) -> None:
    """Send what there is room for; one that has been lost often alone, so that it is known whether it is to blame."""
    often = lambda task: tried.get((task.first, LOST), 0) >= TRIES
    while waiting and len(flying) < AHEAD * workers_of(executor):
        alone = often(waiting[0]) or any(map(often, flying.values()))
        if alone and flying:
            return
        try:
            flying[executor.submit(call, waiting[0])] = waiting[0]
        except BrokenExecutor:
            if flying:  # these say the same, and are sent again
                return
            if not _renewed(executor):
                raise _lost() from None
        else:
            waiting.popleft()


def _landed(
    executor: Any, task: Task, future: Future, take: Any, give_up: Any, waiting: deque, tried: dict[tuple[int, int], int]
) -> bool:  # fmt: skip
    """Whether the tasks after this one are to be run."""
    try:
        outcome = future.result()
    except (BrokenExecutor, CancelledError):
        if not hasattr(executor, "renew"):
            raise _lost() from None
        return _again(task, "its worker was lost", executor, give_up, waiting, tried, LOST)
    except Exception as error:  # what a worker's own failure is, or that of its messages
        first = (str(error).strip().splitlines() or [""])[0]
        return _again(task, f"{type(error).__name__}: {first}", executor, give_up, waiting, tried, TRIES)
    if outcome.problem is None:
        take(task, outcome)
        return True
    kind, words, number = outcome.problem
    if kind == "disk":
        raise OSError(number, words)
    if kind == "refused":
        if number or not hasattr(executor, "refuse") or not executor.refuse(future):
            raise WorkersRefused(f"{words}: workers need the same versions and kind of device as what they are sent by")
        waiting.appendleft(task)
        return True
    take(task, outcome)
    return give_up(task, words, number)


def _again(task: Task, why: str, executor: Any, give_up: Any, waiting: deque, tried: Any, most: int) -> bool:
    count = tried[task.first, most] = tried.get((task.first, most), 0) + 1
    if count < most:
        waiting.append(task)
        return True
    return give_up(task, f"{why} ({count} times)", task.run["first_path"] + task.first)


def _renewed(executor: Any) -> bool:
    return hasattr(executor, "renew") and executor.renew()


def _lost() -> WorkersLost:
    return WorkersLost("the workers were lost, all of them; the same run with the same output continues")


def workers_of(executor: Any) -> int:
    """How many chunks an executor runs at a time, as far as it says."""
    said = getattr(executor, "_max_workers", None)
    return said if isinstance(said, int) and said > 0 else os.cpu_count() or 1


def threads_of(executor: Any) -> int | None:
    """Blocks in flight in each worker, so that all on this machine together take each core once; None where it is the worker's
    own affair."""
    if hasattr(executor, "threads"):
        return executor.threads
    return max(1, cores() // workers_of(executor))


__all__ = ["AHEAD", "LOOKS", "TRIES", "Executor", "gather", "threads_of", "workers_of"]

"""`jaxrisk calibrate --events`: unwinds, read and checked before anything is fitted, and their fit, which shows what is done."""

import sys
from collections.abc import Callable
from typing import Any

from .asked import Asked
from .calibration_arguments import Calibrate
from .progress import Progress


def events_of(command: Calibrate, asked: Asked) -> Callable[[], Any] | None:
    """The fit of impact and engine to the events that are named, to be done later; None where there are none, or problems."""
    from ..paths import is_folder

    if command.data is not None and not is_folder(command.data):
        asked.wrong("--data", str(command.data), "is not a folder")
        return None
    if not command.events:
        if command.data is not None:
            asked.wrong("--data", str(command.data), "needs --events: it is the folder of the files that they name")
        return None
    if len(command.events) < 2:
        asked.wrong("--events", command.events[0], "is one; at least two are needed to fit")
    data = _read(command, asked)
    return None if len(data) < max(len(command.events), 2) else lambda: _fit(list(data.values()))


def _read(command: Calibrate, asked: Asked) -> dict[str, Any]:
    """The events along their prices, by name, every problem noted."""
    from ..backtest.events.event import read_event
    from ..backtest.events.setting import event_data
    from ..config import ConfigError

    found: dict[str, Any] = {}
    for name in command.events:
        try:
            one = event_data(read_event(name, command.data or "."))
        except ConfigError as error:
            asked.problems += [problem for problem in error.problems if problem not in asked.problems]
            continue
        if one.name in found:
            asked.wrong("--events", name, f"has the name {one.name}, which another event has")
        found[one.name] = one
    return found


def _fit(data: list[Any]) -> Any:
    """All four numbers together."""
    from ..batch import use_compilation_cache
    from ..calibration.unwinds.fit import Likelihood

    use_compilation_cache()
    with Progress(sys.stderr, f"fit to {len(data)} unwinds, runs along their prices") as progress:

        class Shown(Likelihood):
            """Counts the likelihoods; how many it will take is not known."""

            done = 0

            def __call__(self, logs, events):
                found = super().__call__(logs, events)
                self.done += len(events)
                progress(self.done, None)
                return found

        progress(0, None)
        return Shown(data).fit()


__all__ = ["events_of"]

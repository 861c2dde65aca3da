"""`jaxrisk warn`: how far the level is that must not break, in a line; exit code 4 where it is near."""

import os
import sys

from .arguments import overrides_of
from .asked import PLOTS, Asked, folder_of
from .attribute_arguments import Warn
from .exit_codes import INTERRUPTED, NO, NOT_WRITTEN, OK, complain, doubtful
from .progress import show
from .writing import write_all

_THRESHOLD = 0.1


def warn(command: Warn, wrong: list[str]) -> int:
    """`jaxrisk warn`; the exit code.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    overrides, settings = overrides_of(command)
    asked = Asked([*wrong, *settings])
    prepared = asked.prepared(command.scenario, overrides)
    threshold, branching = _fraction(command.threshold, asked), 1.0
    if command.branching is not None:
        branching = asked.number("--branching", command.branching, 0.0, 1e6, "has to be a number above 0")
    asked.file("--out", command.out, (".csv", ".json"), command.force)
    asked.file("--plot", command.plot, PLOTS, command.force)
    asked.apart(command.out, command.plot)
    if asked.problems or prepared is None or branching is None or threshold is None:
        return complain(asked.problems)
    doubtful(prepared.doubts())
    for path in (command.out, command.plot):
        if path is not None:
            folder_of(path)
    from ..batch import use_compilation_cache
    from ..storage.outputs import save_figure
    from ..storage.study_files import write
    from ..studies.warning import warning

    use_compilation_cache()
    try:
        found = warning(prepared.scenario(), branching)
    except KeyboardInterrupt:
        print("interrupted; nothing was finished", file=sys.stderr)
        return INTERRUPTED
    near = found.fires(threshold)
    print(f"{'WARNING' if near else 'quiet'}: {found.line()}; threshold {100.0 * threshold:g}%", flush=True)
    if len(found.levels) > 1:
        print()
        show(found.summary(), sys.stdout)
    save, draw = lambda path: write(found, path), lambda path: save_figure(found.plot(), path)
    fine = write_all([("result", command.out, save), ("plot", command.plot, draw)])
    return NOT_WRITTEN if not fine else NO if near else OK


def _fraction(text: str | None, asked: Asked) -> float | None:
    """A fall, as 0.15 or 15%."""
    if text is None:
        return _THRESHOLD
    try:
        value = float(text.strip().removesuffix("%")) / (100.0 if text.strip().endswith("%") else 1.0)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1.0:
        asked.wrong("--threshold", text, "has to be a fall between 0 and 1, or 0 and 100%: 0.15 and 15% are the same")
        return None
    return value


__all__ = ["warn"]

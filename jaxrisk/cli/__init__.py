"""The command line: `jaxrisk run`, `sensitivity`, `design`, ..., `calibrate`, `backtest`.

Start with `arguments.COMMANDS`: a command is a dataclass of what may be written after it, and a function that checks all that
is asked (`asked`), works, shows and writes, and returns an exit code (`exit_codes`). What takes time to import is imported
when it is needed, after Ctrl-C is listened to (`signals`).
"""

from __future__ import annotations

import importlib
import os
import sys

from .exit_codes import BAD_INPUT, INTERNAL, INTERRUPTED, NO, NON_FINITE, NOT_IDENTIFIED, NOT_WRITTEN, OK, complain
from .signals import Watch, deaf, heard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 fine; 2 bad input; 3 a number was not finite, or the disk was full: what was finished is kept; 4 answered, and the answer is
    no (a budget that cannot be met, a level that cannot be reached); 5 a calibration that did not converge, or that the data do
    not identify; 6 done, and not all of it could be shown or written; 130 interrupted, 143 ended by SIGTERM; 1 our mistake.

    Without `arguments` it is the program itself, which listens to signals and may end the process.
    """
    if arguments is not None:
        return _guarded(list(arguments))
    with Watch():
        from .streams import take_descriptors

        take_descriptors()
        code = _guarded(sys.argv[1:])
        code = (heard() or code) if code == INTERRUPTED else code
        if code > 128:  # a signal's
            # blocks of paths may still be running, and XLA crashes when Python ends under them
            os._exit(code)
    deaf()
    return code


def _guarded(arguments: list[str]) -> int:
    """The command, with standard streams that may be closed or full."""
    from .streams import guarded

    with guarded() as (out, err):
        code = _main(arguments)
        out.flush()
        if out.error is not None and not out.left and code == OK:
            code = NOT_WRITTEN
            complain([f"standard output: cannot be written: {out.error}"])
        err.flush()
    return code


def _main(words: list[str]) -> int:
    try:
        from .arguments import parse
        from .options import dotted_as_set, without_unknown

        if words and words[0] in ("--version", "-V"):
            print(f"jaxrisk {version()}")
            return OK
        known, wrong = without_unknown(dotted_as_set(words))
        if known is None:
            return complain(wrong)
        try:
            command = parse(known)
        except SystemExit as stop:
            complain(wrong)
            return stop.code if isinstance(stop.code, int) else BAD_INPUT
        return _answer(command, wrong)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if "--debug" in words:
            raise
        from .environment import environment_problem

        if problem := environment_problem(error):
            return complain([problem])
        first = (str(error).strip().splitlines() or [""])[0]
        print(f"internal error: {type(error).__name__}: {first} (run again with --debug for the traceback)", file=sys.stderr)
        return INTERNAL


def _answer(command: Any, wrong: list[str]) -> int:
    """Imported when it is needed, after Ctrl-C is listened to."""
    from .arguments import answered_by

    module, _, function = answered_by(command).partition(".")
    return getattr(importlib.import_module(f".{module}", __name__), function)(command, wrong)


def version() -> str:
    """The installed package's version."""
    from importlib import metadata

    try:
        return metadata.version("jaxrisk")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def __getattr__(name: str) -> Any:
    if name == "dotted_as_set":
        from .options import dotted_as_set

        return dotted_as_set
    raise AttributeError(f"module 'jaxrisk.cli' has no attribute '{name}'")


__all__ = [
    "BAD_INPUT", "INTERNAL", "INTERRUPTED", "NO", "NON_FINITE", "NOT_IDENTIFIED", "NOT_WRITTEN", "OK", "main", "version",
]  # fmt: skip

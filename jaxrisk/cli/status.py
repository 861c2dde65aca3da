"""`jaxrisk status`: how far a run is, from any terminal."""

import sys

from .arguments import Status
from .exit_codes import BAD_INPUT, NON_FINITE, OK, complain


def status(command: Status, wrong: list[str]) -> int:
    """Print how far each output is.

    **Arguments:** `wrong`: lines on what is wrong with the command itself.
    """
    from ..storage.remote import place_of
    from ..storage.status import status_of

    problems, found = list(wrong), []
    for out in command.outputs:
        try:
            found.append(status_of(place_of(out)))
        except ValueError as error:
            problems.append(str(error))
        except OSError as error:
            text = str(error) if error.errno is None else f"{out}: cannot be read: {error.strerror or error}"
            problems.append(text)
    for one in found:
        print(one)
    sys.stdout.flush()
    if problems:
        complain(problems)
        return BAD_INPUT
    return NON_FINITE if any(one.set_aside for one in found) else OK


__all__ = ["status"]

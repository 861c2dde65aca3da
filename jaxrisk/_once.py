"""Equal parts of many scenarios read and checked once: the cells of a study are mostly the same file.

Outside `once()` nothing is remembered, so that a file that has changed is read again.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from .problems import Report

_KEPT: ContextVar[dict[tuple, tuple[Any, Any]] | None] = ContextVar("what was made before", default=None)
Made = TypeVar("Made")


@contextlib.contextmanager
def once() -> Iterator[None]:
    """While inside, what is made of the same part by the same name is made once."""
    token = _KEPT.set({} if (inside := _KEPT.get()) is None else inside)
    try:
        yield
    finally:
        _KEPT.reset(token)


def made_once(make: Callable[[], Made], part: Any, *names: Hashable, report: Report | None = None) -> Made:
    """What `make` returns, or returned before for this part and these names.

    **Arguments:** `part`: one object, or a tuple of objects, that have to be the very same ones, and are not changed by anybody;
    `names`: what else it is made of; `report`: what notes a problem there is made again, to be noted again.
    """
    kept = _KEPT.get()
    if kept is None:
        return make()
    place = (*names, *map(id, part)) if isinstance(part, tuple) else (*names, id(part))
    if place in kept:
        return kept[place][1]
    before = 0 if report is None else len(report.problems)
    made = make()
    if report is None or len(report.problems) == before:
        kept[place] = (part, made)  # the part is kept too, so that its identity is nobody else's
    return made


def same(make: Callable[[], Made], *names: Hashable) -> Made:
    """As `made_once`, of values alone."""
    return made_once(make, (), *names)


__all__ = ["made_once", "once", "same"]

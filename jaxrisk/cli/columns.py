"""`--columns`: the file's own names of columns, for every file that a command is given."""

from collections.abc import Iterable
from pathlib import Path

from .asked import Asked


def column_maps(words: Iterable[str], given: dict[str, Path | str | None], asked: Asked) -> dict[str, dict[str, str]]:
    """By kind of file, our names of columns with its own, every problem noted.

    NAME=COLUMN is of those files that have such a column, KIND.NAME=COLUMN of one: `prices.time=ts`.

    **Arguments:** `given`: what the command reads, by kind; None where it is not given.
    """
    from ..data.names import ALL
    from ..data.read import header_of
    from ..problems import nearest

    kinds = [kind for kind, path in given.items() if path is not None]
    maps: dict[str, dict[str, str]] = {kind: {} for kind in given}
    for word in words:
        name, equals, column = (part.strip() for part in word.partition("="))
        if not equals or not name or not column:
            asked.wrong("--columns", word, "has to be NAME=COLUMN, such as asset=coin")
            continue
        kind, dot, own = name.partition(".")
        if dot and kind in ALL:
            if kind not in kinds:
                asked.wrong("--columns", word, f"is of a file that is not given; there are {', '.join(kinds) or 'none'}")
            elif own not in ALL[kind].others:
                _unknown(word, own, [kind], asked)
            else:
                maps[kind][own] = column
            continue
        knowing = [kind for kind in kinds if name in ALL[kind].others]
        having = [kind for kind in knowing if len(knowing) == 1 or column in header_of(Path(str(given[kind])))]
        if not kinds:
            asked.wrong("--columns", word, "needs a file whose columns it names")
        elif not knowing:
            _unknown(word, name, kinds, asked)
        elif not having:
            headers = [one for kind in knowing for one in header_of(Path(str(given[kind])))]
            text = f"is a column of none of the files of {', '.join(knowing)}"
            asked.wrong("--columns", word, text, nearest(column, headers))
        for kind in having:
            maps[kind][name] = column
    return maps


def _unknown(word: str, name: str, kinds: list[str], asked: Asked) -> None:
    from ..data.names import ALL
    from ..problems import nearest

    known = list(dict.fromkeys(one for kind in kinds for one in ALL[kind].others))
    asked.wrong("--columns", word, f"unknown column; has to be one of {', '.join(known)}", nearest(name, known))


__all__ = ["column_maps"]

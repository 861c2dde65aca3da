"""Tables for narrow terminals, in which every number keeps the name of its row."""

import textwrap
from collections.abc import Sequence

Line = tuple[str, ...]


def narrow(columns: Sequence[str], align: str, lines: Sequence[Line], width: int) -> list[str]:
    """The table with every name on a line of its own and its numbers below; where these do not fit either, one line a number.

    **Arguments:** `align`: "l" or "r" a column; `lines`: as many texts each, the name first, and nothing else in a heading.

    >>> print("\\n".join(narrow(("", "estimate", "unit"), "lrl", [("mean drawdown", "2.79", "%")], 16)))
      estimate  unit
    mean drawdown
          2.79  %
    >>> print("\\n".join(narrow(("", "estimate", "unit"), "lrl", [("mean drawdown", "2.79", "%")], 15)))
    mean drawdown
        estimate  2.79
        unit      %
    """
    rows = [tuple(columns), *(line for line in lines if any(line[1:-1]))]  # a note in the last column has lines of its own
    widths = [max(len(row[place]) for row in rows) for place in range(1, len(columns))]
    fits = sum(widths) + 2 * len(widths) <= width
    numbers = lambda row: "".join(
        f"  {cell.rjust(size) if way == 'r' else cell.ljust(size)}"
        for cell, size, way in zip(row[1:], widths, align[1:], strict=True)
    ).rstrip()
    texts = [numbers(tuple(columns))] if fits else []
    for line in lines:
        texts += _wrapped(line[0], width)
        if not any(line[1:-1]):
            texts += [f"    {text}" for text in _wrapped(line[-1], max(width - 4, 8))]
        elif fits:
            texts.append(numbers(line))
        else:
            label = max(map(len, columns[1:]))
            for name, cell in zip(columns[1:], line[1:], strict=True):
                first, *more = _wrapped(cell, max(width - label - 6, 8)) or [""]
                texts += [f"    {name.ljust(label)}  {first}", *(" " * (label + 6) + text for text in more)] if cell else []
    return texts


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


__all__ = ["narrow"]

"""Whole numbers as arguments: what is one, and what is said of what is not."""

import math
from typing import Any

import numpy as np


def whole(name: str, value: Any, problems: list[str], low: int | None = None, high: int | None = None, allowed: str = "") -> int:
    """A whole number within bounds; a float counts where it is whole, `1e3` and not `2.5`.

    **Arguments:** `problems`: takes a line where it is not one; `allowed`: what the bounds are called, else their numbers.

    >>> problems = []
    >>> whole("paths", 1e3, problems), whole("steps", 2.5, problems, 1), problems
    (1000, 1, ['steps = 2.5: a whole number is needed'])
    """
    number = value.item() if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0 else value
    right = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number) and number == int(number)
    if not right:
        problems.append(f"{name} = {value!r}: a whole number is needed")
        return 0 if low is None else low
    number = int(number)
    if (low is not None and number < low) or (high is not None and number > high):
        limits = allowed or (f"at least {low} is needed" if high is None else f"from {low} to {high} is allowed")
        problems.append(f"{name} = {number}: {limits}")
    return number


def within(name: str, value: Any, low: float, high: float, problems: list[str]) -> float:
    """A finite number within bounds, ends included.

    >>> problems = []
    >>> within("feedback", -1, 0.0, 1.0, problems), problems
    (-1.0, ['feedback = -1: from 0 to 1 is allowed'])
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        problems.append(f"{name} = {value!r}: from {low:g} to {high:g} is allowed")
    return number


__all__ = ["whole", "within"]

"""What a finite change of a parameter does to a measure: a difference over the same paths, not a slope."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...parameter import Parameter, named
from ...scenario import Scenario
from ..measure import Measure
from ..sample import Sample
from .bump import influence, resolution
from .curve import effective, stands


class Change(NamedTuple):
    """`parameter` set to `to`: `value`, the measure's change, and its `standard_error`, NaN where it rests on too few paths."""

    parameter: Parameter
    to: float
    value: float
    standard_error: float


def change_problems(scenario: Scenario, change: Mapping[str, Any]) -> tuple[list[tuple[Parameter, float]], list[str]]:
    """The changes asked for, for each parameter that a name means one or several, and a line on each that cannot be."""
    moves: list[tuple[Parameter, float]] = []
    problems: list[str] = []
    for name, values in change.items():
        try:
            meant = named(scenario, name)
        except ValueError as error:
            problems += str(error).splitlines()
            continue
        several = values if isinstance(values, Sequence | np.ndarray) and not isinstance(values, str) else [values]
        for one, to in ((one, to) for one in meant for to in several):
            if isinstance(to, bool) or not isinstance(to, (int, float, np.number)) or not math.isfinite(to):
                problems.append(f"change {one.name}: {to!r} is not a number")
            elif not one.low <= to <= one.high:
                problems.append(f"change {one.name}: {to:g} is not allowed; from {one.low:g} to {one.high:g} is")
            else:
                moves.append((one, float(to)))
    return moves, problems


def changed(sample: Sample, measure: Measure, scenario: Scenario, parameter: Parameter, to: float) -> Change:
    """Run all of a sample's paths again with one parameter at another value."""
    by = to - parameter.value
    if by == 0.0:
        return Change(parameter, to, 0.0, 0.0)
    losses = sample.at(scenario, [parameter], np.array([by]), np.arange(len(sample.losses)))
    (before, first), (after, second) = (influence(each, measure, sample.losses) for each in (sample.losses, losses))
    scores = second - first
    value, error = float(after - before + scores.mean()), float(scores.std() / math.sqrt(len(scores)))
    error = max(error, resolution(sample.losses, measure))
    return Change(parameter, to, value, error if stands(effective(scores - scores.mean()), error, value) else math.nan)


__all__ = ["Change", "change_problems", "changed"]

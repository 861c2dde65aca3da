"""Derivatives of a measure on the paths of a run: those of paths where a difference bears them out, else of its curve.

Whatever takes a derivative comes through here: it says which of the two it took, why, and an error that includes bias.
"""

import math
import time
from typing import Any

import numpy as np

from ...parameter import Parameter
from ...scenario import Scenario
from ..estimate import clopper_pearson
from ..measure import Measure
from ..sample import Sample
from .curve import LEAST_EFFECTIVE
from .gradients import Gradient, looked_at, pathwise, tail_index
from .pathwise import Reverse, along
from .rerun import slopes
from .trust import MOST, trust, widened

METHODS = ("auto", "pathwise", "bump")
HEAVY = 2.5
"""Tail index of what paths contribute, below which a standard error says little: below 2 there is no variance to estimate."""


def derivatives(
    sample: Sample, measure: Measure, scenario: Scenario, parameters: list[Parameter], method: str = "auto"
) -> "Derivatives":
    """Of a measure to parameters, from a run of `scenario`; `method` is one of `METHODS`.

    **Raises:** `TooFewPathsError` with the paths that would be enough.
    """
    found = Derivatives(sample, measure, scenario, parameters, method)
    found.measure_pathwise()
    found.measure_bumps()
    return found


def is_smooth(parameter: Parameter, measure: Measure) -> bool:
    """Whether the derivative of a path to this parameter is a sensitivity."""
    return parameter.pathwise and not measure.stepped


class Derivatives:
    """What has been measured so far, parameter by parameter, and what is made of it: `value`, `error`, `covariance`, `method`,
    `reason`, `kinks`; `pathwise` and `bumped`: `(value, error)` of each method, NaN where not measured; `index` of the tail."""

    def __init__(self, sample: Sample, measure: Measure, scenario: Scenario, parameters: list[Parameter], method: str):
        count = len(parameters)
        self.sample, self.measure, self.scenario, self.parameters, self.asked = sample, measure, scenario, parameters, method
        nothing = lambda: np.full(count, math.nan)
        self.value, self.error, self.index = nothing(), nothing(), nothing()
        self.pathwise, self.bumped = (nothing(), nothing()), (nothing(), nothing())
        self.covariance = np.full((count, count), math.nan)
        self.method, self.reason = [""] * count, [""] * count
        self.kinks: list[Any] = [None] * count
        self.doubt = [""] * count

    def measure_pathwise(self) -> None:
        """The pathwise derivative of every parameter that has one, the tail of what paths contribute, and whether a difference
        bears it out."""
        smooth = [k for k, one in enumerate(self.parameters) if is_smooth(one, self.measure)]
        if self.asked == "bump" or not smooth:
            return
        names = tuple(self.parameters[k].name for k in smooth)
        found = pathwise(self.sample, self.measure, self.scenario, names)
        self._take(smooth, found, "pathwise", "asked for")
        for mine, theirs in zip(self.pathwise, (found.value, found.standard_error), strict=True):
            mine[smooth] = theirs
        if found.tail_index is not None:
            self.index[smooth] = found.tail_index
        if self.asked != "auto" or not np.any(found.value != 0.0):
            return
        reverse = Reverse.of(self.scenario, names, self.sample.prepared, self.sample.column)
        if found.tail_index is None:
            # all in the direction in which each moves the measure up, by a share of its value
            size = np.array([abs(self.parameters[k].value) or 1.0 for k in smooth])
            which = looked_at(self.sample, self.measure).which
            self.index[smooth] = tail_index(along(self.sample, reverse, which, size * np.sign(found.value)))
        if np.all(self.index[smooth] < HEAVY):
            return
        self._bear_out(smooth, found, reverse)

    def _bear_out(self, smooth: list[int], found: Gradient, reverse: Reverse) -> None:
        """Widen the intervals by what a difference leaves open, or doubt the derivatives."""
        chosen = [self.parameters[k] for k in smooth]
        seen = trust(self.sample, self.measure, self.scenario, chosen, found.value, reverse)
        for place, k in enumerate(smooth):
            if not found.value[place]:
                self.reason[k] = self._unfelt()
            elif seen.share > MOST:
                much = f" by {seen.seen:.0%}" if math.isfinite(seen.seen) else ""
                self.doubt[k] = f"what {seen.paths:,} paths do differs from their derivatives{much}"
            else:
                tail = f", tail index {self.index[k]:.1f}" if np.isfinite(self.index[k]) else ""
                relative = found.standard_error[place] / abs(found.value[place])
                self.reason[k] = f"pathwise: relative error {relative:.1%}{tail}; {seen.paths:,} paths run again bear it out"
        if seen.share <= MOST:
            self.error[smooth] = widened(found.standard_error, found.value, seen.share)
            self.covariance[smooth, smooth] = self.error[smooth] ** 2

    def measure_bumps(self) -> None:
        """Curves for the rest, and, under `auto`, where the pathwise derivative is not good enough."""
        if self.asked == "pathwise":
            return
        value, _ = self.pathwise
        wanted = [
            k
            for k in range(len(self.parameters))
            if self.asked == "bump" or np.isnan(value[k]) or self.index[k] < HEAVY or self.doubt[k]
        ]
        if not wanted:
            return
        begun = time.time()
        found = slopes(self.sample, self.measure, self.scenario, [self.parameters[k] for k in wanted])
        seconds = (time.time() - begun) / len(wanted)
        for mine, theirs in zip(self.bumped, (found.value, found.standard_error), strict=True):
            mine[wanted] = theirs
        self._take(wanted, found, "bump", "")
        for place, k in enumerate(wanted):
            self.reason[k] = f"bump: {self._why(k)}; {self._how(found.slopes[place], self.parameters[k], seconds)}"
            if both := found.kinks[place]:
                self.kinks[k] = tuple((side.value, side.standard_error) for side in both)

    def _unfelt(self) -> str:
        """What is said of a derivative of zero: an error of zero is no certainty."""
        paths = len(looked_at(self.sample, self.measure).which)
        return f"no path of {paths:,} feels it: with 95% confidence at most {clopper_pearson(0, paths, 0.95)[1]:.2g} of them do"

    def _why(self, k: int) -> str:
        if self.asked == "bump":
            return "asked for"
        if np.isnan(self.pathwise[0][k]):
            return "the derivative of a path is no sensitivity here"
        if self.doubt[k]:
            return self.doubt[k]
        return f"tail index of the paths' derivatives {self.index[k]:.1f}, below {HEAVY:g}: their mean has no reliable error"

    def _how(self, slope: Any, parameter: Parameter, seconds: float) -> str:
        """From what the slope is, and what would make it better."""
        paths = len(self.sample.losses)
        window = f"{slope.window / abs(parameter.value):.0%}" if parameter.value else f"{slope.window:g} {parameter.unit}"
        if math.isnan(slope.standard_error):
            needed = math.ceil(paths * LEAST_EFFECTIVE / max(slope.effective, 0.5) * 1.5)
            few = f"what changes within {window} rests on {slope.effective:.1f} paths"
            return f"no interval: {few}; about {needed:,} paths are needed"
        if not slope.half:
            return f"no path of {paths:,} changes within {window}"
        bias = f", bias at most {slope.bias / slope.error:.1f} of its standard errors" if slope.error else ""
        return f"changes within {window}{bias}; {4 * paths:,} paths would halve the error (about {4 * seconds:.0f} s)"

    def _take(self, which: list[int], found: Gradient, method: str, reason: str) -> None:
        self.value[which], self.error[which] = found.value, found.standard_error
        self.covariance[which] = math.nan
        self.covariance[:, which] = math.nan
        self.covariance[np.ix_(which, which)] = found.covariance
        for place, k in enumerate(which):
            self.covariance[k, k] = found.standard_error[place] ** 2
            self.method[k], self.reason[k] = method, reason


__all__ = ["HEAVY", "METHODS", "Derivatives", "derivatives", "is_smooth"]

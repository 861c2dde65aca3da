"""How a measure changes with the numbers of a scenario: each with its error, its method, and why that method."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._whole import whole
from ..cascade import fragility
from ..cascade.blocks import numbers
from ..parameter import Parameter, named
from ..risk.bump import difference
from ..risk.change import Change, change_problems, changed
from ..risk.cross import cross_problem, cross_sensitivity
from ..risk.curve import LEAST_EFFECTIVE, slopes
from ..risk.estimate import Estimate, clopper_pearson
from ..risk.gradients import Gradient, looked_at, pathwise, tail_index
from ..risk.measure import STEPPED, Measure
from ..risk.pathwise import Reverse, along
from ..risk.sample import Sample, draw_sample
from ..risk.trust import MOST, trust, widened
from ..scenario import Scenario
from .shown import Shown

METHODS = ("auto", "pathwise", "bump")
HEAVY = 2.5
"""Tail index of what paths contribute, below which a standard error says little: below 2 there is no variance to estimate."""


@dataclass(repr=False)
class Sensitivities(Shown):
    """Derivatives of a measure to parameters; the table has a row for each.

    **Fields**, arrays of shape `(parameters,)` unless said:

    - `measure`, `estimate`: what was differentiated, and its value.
    - `parameters`: with their units.
    - `gradient`, `standard_error`: in units of the measure a unit of the parameter. The error is half of the 95% interval over
      1.96 and includes bias; NaN where too few paths change for an interval to be stood behind. `covariance`,
      `(parameters, parameters)`.
    - `elasticity`, `elasticity_error`: relative change of the measure for a relative change of the parameter; its error is that
      of the derivative, not of the measure that it is divided by.
    - `method`: `"pathwise"` or `"bump"`; `reason`: why, how large the bias, and what would halve the error.
    - `pathwise`, `bumped`: `(value, error)` of each method where it was measured, NaN elsewhere.
    - `kinks`: of each parameter None, or its slopes to the left and to the right, `((value, error), (value, error))`.
    - `changes`: what finite changes do, with their errors: `Change` each.
    - `tail_index`: of what the paths contribute to the pathwise derivative, NaN where not measured; `share_above_criticality`: of
      the paths of the tail, that fall to where a forced dollar sets off more than one further.
    - `checked`: `(value, error)` of a single difference of 1% up and down over all paths, or None.
    - `cross`: second derivatives, `(first, second, value, error)` each.
    - `info`: seed, paths, seconds.
    """

    measure: Measure
    estimate: Estimate
    parameters: list[Parameter]
    gradient: np.ndarray
    standard_error: np.ndarray
    covariance: np.ndarray
    elasticity: np.ndarray
    elasticity_error: np.ndarray
    method: list[str]
    reason: list[str]
    pathwise: tuple[np.ndarray, np.ndarray]
    bumped: tuple[np.ndarray, np.ndarray]
    tail_index: np.ndarray
    share_above_criticality: float
    checked: tuple[np.ndarray, np.ndarray] | None = None
    cross: list[tuple[str, str, float, float]] = field(default_factory=list)
    kinks: list[Any] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Sensitivities({self.measure}, {len(self.parameters)} parameters, {self.info.get('paths', 0):,} paths)"


def sensitivity(
    scenario: Scenario,
    measure: Measure | str,
    wrt: str | Sequence[str] = "limits.cap",
    method: str = "auto",
    *,
    paths: int | None = None,
    seed: int | None = None,
    check: bool = False,
    cross: Sequence[tuple[str, str]] = (),
    change: Mapping[str, float | Sequence[float]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivities:
    r"""Derivatives of a measure to any numbers of a scenario, with standard errors.

    Methods: `"pathwise"` differentiates the paths that the measure looks at (tail replay in reverse mode). `"bump"` takes the
    measure as a curve in each parameter, at 2 to 16% up and down with the same random numbers on all paths, and its slope from
    the window whose interval, bias included, is shortest (`risk/curve.py`). `"auto"` takes the derivative of paths where their
    tail is not heavy and a difference on a sample of paths bears it out (`risk/trust.py`), with what that leaves open in its
    interval, and bumps the rest: near runaway, where single accounts are liquidated or not, and for numbers of jumps.

    **Arguments:**

    - `measure`: such as `"expected_shortfall(max_drawdown_index, 0.99)"`.
    - `wrt`: names of parameters (`jaxrisk.parameters` lists them), a leaf's name for all its entries, or patterns.
    - `paths`, `seed`: by default the scenario's.
    - `check`: also a single difference, of 1% up and down.
    - `cross`: pairs of parameters whose second derivative is wanted: `[("limits.cap[retail,*,*]", "market.volatility[BTC]")]`.
    - `change`: parameters and what they are set to, one at a time: `{"limits.cap[retail,*,*]": [10.0, 5.0]}` tells what caps of
      10 and of 5 do to the measure, on the same paths, which a slope need not.
    - `progress(done, total)`: paths of the base run.

    **Raises:** `ValueError` with everything wrong with the arguments; `TooFewPathsError` with the paths that would be enough.

    >>> import jaxrisk as jr
    >>> scenario = jr.load("btc_24h", {"run.step": "1h"})
    >>> found = sensitivity(scenario, "mean(max_drawdown_index)", "impact.coefficient", paths=2048)
    >>> found.method, bool(found.gradient[0] > 0.0)
    (['pathwise'], True)
    """
    chosen, parameters, pairs, moves = _arguments(scenario, measure, wrt, method, cross, change or {}, paths, seed)
    paths = scenario.description.paths if paths is None else int(paths)
    seed = scenario.description.seed if seed is None else int(seed)
    begun = time.time()
    with numbers(scenario.description.precision == "float64"):
        sample = draw_sample(scenario, chosen.observable, paths, seed, progress=progress)
        tail = looked_at(sample, chosen)
        estimate = chosen.estimate(sample.losses)
        found = _Found(sample, chosen, scenario, parameters, method)
        found.measure_pathwise()
        found.measure_bumps()
        checked = difference(sample, chosen, scenario, parameters, step=0.01) if check else None
        changes = [changed(sample, chosen, scenario, one, to) for one, to in moves]
        mixed = [(a, b, *cross_sensitivity(sample, chosen, scenario, a, b)) for a, b in pairs]
        share = _above_criticality(sample, tail.which)
    values = np.array([one.value for one in parameters])
    scale = values / estimate.value if estimate.value else np.full(len(values), math.nan)
    return Sensitivities(
        measure=chosen,
        estimate=estimate,
        parameters=parameters,
        gradient=found.value,
        standard_error=found.error,
        covariance=found.covariance,
        elasticity=found.value * scale,
        elasticity_error=found.error * np.abs(scale),
        method=found.method,
        reason=found.reason,
        pathwise=found.pathwise,
        bumped=found.bumped,
        tail_index=found.index,
        share_above_criticality=share,
        checked=None if checked is None else (checked.value, checked.standard_error),
        cross=[(a.name, b.name, value, error) for a, b, value, error in mixed],
        kinks=found.kinks,
        changes=changes,
        info={"name": scenario.description.name, "seed": seed, "paths": paths, "seconds": round(time.time() - begun, 3)},
    )


def _arguments(scenario, measure, wrt, method, cross, change, paths, seed):
    """Checked arguments, or a `ValueError` with a line on each that is wrong."""
    problems: list[str] = []
    chosen: Any = None
    parameters: list[Parameter] = []
    pairs = []

    def attempt(call):
        try:
            return call()
        except ValueError as error:
            problems.extend(str(error).splitlines())
            return None

    chosen = attempt(lambda: Measure.of(measure))
    parameters = attempt(lambda: named(scenario, wrt)) or []
    for pair in cross:
        both = attempt(lambda pair=pair: named(scenario, list(pair)))
        if both is not None and len(both) != 2:
            problems.append(f"cross {tuple(pair)}: has to name two parameters, one entry each")
        elif both is not None:
            pairs.append(tuple(both))
            problems += [text for text in [chosen and cross_problem(chosen, both[0])] if text]
    moves, wrong = change_problems(scenario, change)
    problems += wrong
    if method not in METHODS:
        problems.append(f'method "{method}": one of {", ".join(METHODS)} is allowed')
    if paths is not None:
        whole("paths", paths, problems, 2, 2**32, "from 2 to 2^32 is allowed")
    if seed is not None:
        whole("seed", seed, problems, 0, 2**64 - 1, "from 0 to 2^64 - 1 is allowed")
    problems += scenario.problems()
    if method == "pathwise" and chosen is not None:
        problems += [
            f"{one.name}: the derivative of a path to it is no sensitivity; bump it"
            for one in parameters
            if not _smooth(one, chosen)
        ]
    if problems:
        raise ValueError("\n".join(problems))
    return chosen, parameters, pairs, moves


def _smooth(parameter: Parameter, measure: Measure) -> bool:
    """Whether the derivative of a path to this parameter is a sensitivity."""
    return parameter.pathwise and not measure.observable.startswith(STEPPED)


class _Found:
    """What has been measured so far, parameter by parameter, and what is made of it."""

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
        smooth = [k for k, one in enumerate(self.parameters) if _smooth(one, self.measure)]
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


def _above_criticality(sample: Sample, which: np.ndarray) -> float:
    """Share of some paths that fall to where the fragility map reaches one, for any asset."""
    runaway = np.asarray(fragility(sample.prepared).runaway_log_price)
    return float(np.mean(np.any(sample.lowest[which] <= runaway, axis=1)))


__all__ = ["METHODS", "Sensitivities", "sensitivity"]

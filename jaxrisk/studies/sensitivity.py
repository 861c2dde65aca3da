"""How a measure changes with the numbers of a scenario: each with its error, its method, and why that method."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._whole import whole
from ..cascade import fragility
from ..cascade.blocks import numbers
from ..parameter import Parameter, named
from ..risk.bump import bump
from ..risk.cross import cross_problem, cross_sensitivity
from ..risk.estimate import Estimate, clopper_pearson
from ..risk.gradients import Gradient, looked_at, pathwise, tail_index
from ..risk.measure import STEPPED, Measure
from ..risk.pathwise import Reverse, along
from ..risk.sample import Sample, draw_sample
from ..scenario import Scenario
from .shown import Shown

METHODS = ("auto", "pathwise", "bump")
HEAVY = 2.5
"""Tail index of what paths contribute, below which a standard error says little: below 2 there is no variance to estimate."""
PRECISE = 0.10
"""Relative standard error above which the other method is measured too."""
APART = 4.0
"""Standard errors between the methods beyond which they are taken to disagree, and the bump is believed."""


@dataclass(repr=False)
class Sensitivities(Shown):
    """Derivatives of a measure to parameters; the table has a row for each.

    **Fields**, arrays of shape `(parameters,)` unless said:

    - `measure`, `estimate`: what was differentiated, and its value.
    - `parameters`: with their units.
    - `gradient`, `standard_error`: in units of the measure a unit of the parameter; `covariance`, `(parameters, parameters)`.
    - `elasticity`, `elasticity_error`: relative change of the measure for a relative change of the parameter; its error is that
      of the derivative, not of the measure that it is divided by.
    - `method`: `"pathwise"`, `"bump"` or `"blend"`; `reason`: why.
    - `pathwise`, `bumped`: `(value, error)` of each method where it was measured, NaN elsewhere.
    - `tail_index`: of what the paths contribute to the pathwise derivative, NaN where not measured; `share_above_criticality`: of
      the paths of the tail, that fall to where a forced dollar sets off more than one further.
    - `checked`: `(value, error)` of a bump of all paths, or None.
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
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivities:
    r"""Derivatives of a measure to any numbers of a scenario, with standard errors.

    Methods: `"pathwise"` differentiates the paths that the measure looks at (tail replay in reverse mode); `"bump"` moves each
    parameter by 2% up and down, with the same random numbers, on the paths that can be in the tail, sorted anew. `"auto"`
    measures the pathwise derivative, looks at the tail of what the paths contribute to it, measures the bump where that is heavy
    or the error large, and takes their mean weighted by precision, or the bump alone; it says which and why. Where a path's
    derivative is no sensitivity (numbers of jumps, single accounts that are liquidated or not) it bumps.

    **Arguments:**

    - `measure`: such as `"expected_shortfall(max_drawdown_index, 0.99)"`.
    - `wrt`: names of parameters (`jaxrisk.parameters` lists them), a leaf's name for all its entries, or patterns.
    - `paths`, `seed`: by default the scenario's.
    - `check`: also bump over all paths, by half the step.
    - `cross`: pairs of parameters whose second derivative is wanted: `[("limits.cap[retail,*,*]", "market.volatility[BTC]")]`.
    - `progress(done, total)`: paths of the base run.

    **Raises:** `ValueError` with everything wrong with the arguments; `TooFewPathsError` with the paths that would be enough.

    >>> import jaxrisk as jr
    >>> scenario = jr.load("btc_24h", {"run.step": "1h"})
    >>> found = sensitivity(scenario, "mean(max_drawdown_index)", "impact.coefficient", paths=2048)
    >>> found.method, bool(found.gradient[0] > 0.0)
    (['pathwise'], True)
    """
    chosen, parameters, pairs = _arguments(scenario, measure, wrt, method, cross, paths, seed)
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
        checked = bump(sample, chosen, scenario, parameters, step=0.01, full=True) if check else None
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
        info={"name": scenario.description.name, "seed": seed, "paths": paths, "seconds": round(time.time() - begun, 3)},
    )


def _arguments(scenario, measure, wrt, method, cross, paths, seed):
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
    return chosen, parameters, pairs


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

    def measure_pathwise(self) -> None:
        """The pathwise derivative of every parameter that has one, and the tail of what paths contribute."""
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
        elif self.asked == "auto" and np.any(found.value != 0.0):
            # all in the direction in which each moves the measure up, by a share of its value
            size = np.array([abs(self.parameters[k].value) or 1.0 for k in smooth])
            which = looked_at(self.sample, self.measure).which
            reverse = Reverse.of(self.scenario, names, self.sample.prepared, self.sample.column)
            self.index[smooth] = tail_index(along(self.sample, reverse, which, size * np.sign(found.value)))

    def measure_bumps(self) -> None:
        """Differences for the rest, and, under `auto`, where the pathwise derivative is not good enough."""
        if self.asked == "pathwise":
            return
        value, error = self.pathwise
        heavy = self.index < HEAVY
        poor = (error > PRECISE * np.abs(value)) & (value != 0.0)
        wanted = [k for k in range(len(self.parameters)) if self.asked == "bump" or np.isnan(value[k]) or heavy[k] or poor[k]]
        for k in range(len(self.parameters)):
            if k not in wanted:
                tail = f", tail index {self.index[k]:.1f}" if np.isfinite(self.index[k]) else ""
                self.reason[k] = f"pathwise: relative error {error[k] / abs(value[k]):.1%}{tail}" if value[k] else self._unfelt()
        if not wanted:
            return
        found = bump(self.sample, self.measure, self.scenario, [self.parameters[k] for k in wanted])
        # what the step itself gets wrong counts as an error
        found = found._replace(standard_error=np.hypot(found.standard_error, np.nan_to_num(found.bias)))
        for mine, theirs in zip(self.bumped, (found.value, found.standard_error), strict=True):
            mine[wanted] = theirs
        before = self.covariance.copy()
        self._take(wanted, found, "bump", "asked for" if self.asked == "bump" else "")
        if self.asked == "auto":
            for k in wanted:
                self._decide(k, before)

    def _unfelt(self) -> str:
        """What is said of a derivative of zero: an error of zero is no certainty."""
        paths = len(looked_at(self.sample, self.measure).which)
        return f"no path of {paths:,} feels it: with 95% confidence at most {clopper_pearson(0, paths, 0.95)[1]:.2g} of them do"

    def _decide(self, k: int, before: np.ndarray) -> None:
        """Between the two methods for one parameter that was bumped."""
        (path, path_error), (step, step_error) = ((both[0][k], both[1][k]) for both in (self.pathwise, self.bumped))
        index = self.index[k]
        if np.isnan(path):
            self.reason[k] = "bump: the derivative of a path is no sensitivity here"
        elif index < HEAVY:
            self.reason[k] = (
                f"bump: tail index of the paths' derivatives {index:.1f}, below {HEAVY:g}: their mean has no reliable error"
            )
        elif abs(path - step) > APART * math.hypot(path_error, step_error):
            self.reason[k] = f"bump: the methods are more than {APART:g} standard errors apart"
        elif step_error == 0.0 or path_error == 0.0:
            self.reason[k] = "bump: no path feels a small move"
        else:
            weight = step_error**-2 / (step_error**-2 + path_error**-2)
            self.method[k] = "blend"
            self.value[k] = weight * step + (1.0 - weight) * path
            # both come from the same paths: the error is the largest that any correlation allows
            self.error[k] = weight * step_error + (1.0 - weight) * path_error
            self.covariance[k] = self.covariance[:, k] = math.nan
            self.covariance[k, k] = self.error[k] ** 2
            shares = f"{path_error / abs(path):.0%} pathwise, {step_error / abs(path):.0%} bump"
            self.reason[k] = f"blend, {weight:.0%} bump: relative errors {shares}"

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

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
from ..report.shown import Shown
from ..risk.estimate import Estimate
from ..risk.measure import Measure
from ..risk.sample import Sample, draw_sample
from ..risk.slopes.bump import difference
from ..risk.slopes.change import Change, change_problems, changed
from ..risk.slopes.cross import cross_problem, cross_sensitivity
from ..risk.slopes.derivatives import METHODS, derivatives, is_smooth
from ..risk.slopes.gradients import looked_at
from ..scenario import Scenario


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
    the window whose interval, bias included, is shortest (`slopes.curve`). `"auto"` takes the derivative of paths where their
    tail is not heavy and a difference on a sample of paths bears it out (`slopes.trust`), with what that leaves open in its
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
        found = derivatives(sample, chosen, scenario, parameters, method)
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
            if not is_smooth(one, chosen)
        ]
    if problems:
        raise ValueError("\n".join(problems))
    return chosen, parameters, pairs, moves


def _above_criticality(sample: Sample, which: np.ndarray) -> float:
    """Share of some paths that fall to where the fragility map reaches one, for any asset."""
    runaway = np.asarray(fragility(sample.prepared).runaway_log_price)
    return float(np.mean(np.any(sample.lowest[which] <= runaway, axis=1)))


__all__ = ["METHODS", "Sensitivities", "sensitivity"]

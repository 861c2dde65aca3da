"""The least restrictive leverage limits that keep a measure within a budget."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._whole import whole
from ..cascade.blocks import numbers
from ..parameter import Parameter, named, parameters
from ..positions import ANY, Limits
from ..report.shown import Shown
from ..risk.estimate import Estimate
from ..risk.measure import Measure
from ..scenario import Scenario
from .design_check import RAISE
from .design_cost import Caps
from .design_run import Run

VERIFY_PATHS = 1_000_000
SHARE_DOWNSIZE = 0.5


@dataclass(repr=False)
class Design(Shown):
    """Limits that keep a measure within a budget at the least cost, or the best found where none does; a row for each.

    **Fields**, arrays of shape `(caps,)`:

    - `measure`, `budget`; `feasible`: whether the limits meet it with at least 95% confidence on fresh paths.
    - `parameters`: the caps; `before`: infinite where there was none; `after`.
    - `binding`: whether a cap binds anybody; one that does not is left at the highest leverage of its holders, or as it was.
    - `estimate`: on `estimate.paths` fresh paths; `upper`: upper end of its one-sided interval of at least 95%.
    - `cost`: open interest forgone, USD at initial prices; `collateral`: called up, USD; `total_cost`: what was minimised, the
      first plus the weight times the second.
    - `shadow_price`: fall of the total cost for a unit more of budget, USD, and `shadow_price_error`; NaN where no cap binds.
    - `slack`: the measure with each cap alone raised by 5%, on the same fresh paths; `slack_upper`: its upper limits.
    - `frontier`: for several budgets the `measure` (an `Estimate`), `cost` and `collateral` (USD) and `caps` of the best limits.
    - `scenario`: with the limits designed; `words`: what to know, in sentences.
    - `info`: seed, paths, seconds, confidence, iterations; `searched`: the caps that the search ended at, on the budget without a
      margin for noise; `residual`: of the optimality conditions there, in standard errors.
    """

    RAISED: ClassVar[float] = RAISE

    measure: Measure
    budget: float
    feasible: bool
    parameters: list[Parameter]
    before: np.ndarray
    after: np.ndarray
    binding: np.ndarray
    estimate: Estimate
    upper: float
    cost: float
    collateral: float
    total_cost: float
    shadow_price: float
    shadow_price_error: float
    slack: list[Estimate]
    slack_upper: np.ndarray
    frontier: list[dict[str, Any]]
    scenario: Scenario
    words: list[str]
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        verdict = "met" if self.feasible else "not met"
        return f"Design({self.measure} <= {self.budget:g}: {verdict}, {len(self.parameters)} caps)"


def with_class_caps(scenario: Scenario, share_downsize: float = SHARE_DOWNSIZE) -> Scenario:
    """The scenario with one cap for each class that holds positions, at 1,000,000: nobody's leverage is that high.

    `share_downsize`: share of those who will meet it that take a smaller position; the others post more collateral.
    """
    held = {
        int(one)
        for population in scenario.populations.values()
        for one in np.unique(np.asarray(vars(population)["account_class"]))
    }
    classes = tuple(sorted(held))
    each = lambda value: np.full(len(classes), value)
    anywhere, whole = (ANY,) * len(classes), np.tile([0.0, np.inf], (len(classes), 1))
    limits = Limits(
        each(1e6), each(share_downsize), each(0.0), each(0.0), whole, classes, anywhere, anywhere, (False,) * len(classes)
    )
    return scenario.replace(limits=limits)


def design_limits(
    scenario: Scenario,
    measure: Measure | str,
    budget: float,
    wrt: str | Sequence[str] = "limits.cap",
    *,
    paths: int | None = None,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    verify_paths: int = VERIFY_PATHS,
    collateral_weight: float = 1.0,
    frontier: Sequence[float] | None = None,
) -> Design:
    """The caps that keep a measure within a budget and cost the least open interest.

    The cost is the open interest that holders give up against no such limits, plus `collateral_weight` times the collateral
    that those who keep their position post. Projected stochastic gradient with fresh random numbers at each iteration finds the
    caps; they are then moved onto the budget, less a margin for the noise, with the random numbers of one large run, raised one
    by one where the budget leaves room, and verified on paths that nothing has seen. Where that fails they are tightened and
    verified on new ones, up to three times, each at a confidence of 98.3%, so that a budget that is said to be met is met with
    at least 95%.

    **Arguments:**

    - `measure`: such as `"expected_shortfall(open_interest_loss_usd, 0.99)"`; `budget`: its most, in its unit.
    - `wrt`: which caps: names, patterns. In a scenario without limits, by default one for each class, whose holders take a
      smaller position in half of the cases and post more collateral in the others (`with_class_caps`).
    - `paths`: of a late iteration; `verify_paths`: of the verification, and of the run by which caps are moved onto the budget.
    - `frontier`: budgets for which the best limits are found too, with less effort; by default four around the budget.
    - `progress(done, total)`: paths run, of an estimate of how many it takes.

    A local optimum is what is found; where cost or measure are not convex in the caps there may be another.

    **Raises:** `ValueError` with everything wrong with the arguments; `TooFewPathsError` with the paths that would be enough.
    """
    problems: list[str] = []
    chosen = _attempt(problems, lambda: Measure.of(measure))
    unlimited = not scenario.limits.account_class
    if unlimited and (wrt == "limits.cap" or list(wrt) == ["limits.cap"]):
        scenario = with_class_caps(scenario)
    wanted: list[Parameter] = _attempt(problems, lambda: named(scenario, wrt)) or []
    problems += _wrong(scenario, chosen, wanted, budget, paths, seed, verify_paths, collateral_weight, frontier)
    if problems or chosen is None:
        raise ValueError("\n".join(problems))
    begun = time.time()
    said = scenario.description
    known = [one.name for one in parameters(scenario) if one.name.startswith("limits.cap[")]
    which = np.array([known.index(one.name) for one in wanted])
    with numbers(said.precision == "float64"):
        run = Run(
            caps=Caps.of(scenario, which),
            names=tuple(one.name for one in wanted),
            measure=chosen,
            budget=float(budget),
            paths=int(said.paths if paths is None else paths),
            verify_paths=int(verify_paths),
            seed=int(said.seed if seed is None else seed),
            weight=float(collateral_weight),
            progress=progress,
        )
        fields = run.design(frontier)
    before = np.full(len(wanted), math.inf) if unlimited else np.array([one.value for one in wanted])
    # a cap that binds nobody is left as it was
    idle = ~fields["binding"]
    fields["after"] = np.where(idle & np.isfinite(before), np.maximum(before, fields["after"]), fields["after"])
    if unlimited:
        fields["words"].append(
            f"the scenario has no limits: one for each class was designed, under which {SHARE_DOWNSIZE:.0%} of those capped take "
            "a smaller position and the others post more collateral"
        )
    fields["info"] |= {"name": said.name, "seconds": round(time.time() - begun, 3)}
    return Design(measure=chosen, budget=float(budget), parameters=wanted, before=before, **fields)


def _attempt(problems: list[str], call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ValueError as error:
        problems.extend(str(error).splitlines())
        return None


def _wrong(scenario, measure, wanted, budget, paths, seed, verify_paths, weight, frontier) -> list[str]:
    """What is wrong with arguments, a line each."""
    problems = scenario.problems()
    if scenario.book == "account":
        problems.append(
            'book "account": single accounts are liquidated or not, which has no derivative; "ladder" or "flow" can be designed'
        )
    problems += [f"{one.name}: is no cap; what can be designed is limits.cap" for one in wanted if "limits.cap[" not in one.name]
    for name, value, low in (("budget", budget, -math.inf), ("collateral_weight", weight, 0.0)):
        number = isinstance(value, (int, float, np.number)) and math.isfinite(value)
        if not number or value < low:
            problems.append(f"{name} = {value!r}: a finite number{' of at least 0' if low == 0.0 else ''} is needed")
        elif name == "budget" and value < 0.0 and measure is not None and measure.never_negative(scenario.book):
            problems.append(f"budget = {value:g}: {measure} is never negative, so that a budget of at least 0 is needed")
    for name, value, least in (("paths", paths, 100), ("verify_paths", verify_paths, 1000)):
        if value is not None:
            whole(name, value, problems, least, 2**28, f"from {least} to 2^28 is allowed")
    if seed is not None:
        whole("seed", seed, problems, 0, 2**64 - 1, "from 0 to 2^64 - 1 is allowed")
    if any(not math.isfinite(one) for one in frontier or ()):
        problems.append("frontier: finite budgets are needed")
    return problems


__all__ = ["Design", "design_limits", "with_class_caps"]

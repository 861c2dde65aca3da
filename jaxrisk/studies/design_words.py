"""What a design says of itself, in sentences."""

from typing import Any

import numpy as np

from ..risk.measure import Measure
from .design_check import RAISE

_FAR = 1e3  # a residual without noise, where the budget has no price, is infinitely many standard errors


def words(found: dict[str, Any], names: tuple[str, ...], measure: Measure, budget: float) -> list[str]:
    """Sentences on whether the budget is met, what binds, what has slack, what it costs."""
    info, estimate = found["info"], found["estimate"]
    free, tight = info["without_limits"], info["tightest"]
    said = []
    if not found["binding"].any() and found["feasible"]:
        return [f"the budget is met without limits: {measure} is {estimate.value:.4g} without any, and no cap binds"]
    if not found["feasible"]:
        if tight.value - 2.0 * tight.standard_error > budget:
            said.append(
                f"no caps meet the budget: the least that was found is {estimate.value:.4g}, over the budget of {budget:.4g}"
            )
        else:
            said.append(
                f"the budget was not verified: {estimate.value:.4g} with an upper limit of {found['upper']:.4g} on fresh paths; "
                "more paths, or a budget a little higher, may do"
            )
    else:
        said.append(f"without these limits the measure is {free.value:.4g} (standard error {free.standard_error:.2g})")
    idle = [name for name, binds in zip(names, found["binding"], strict=True) if not binds]
    if idle:
        said.append(f"not binding, left where nobody meets them: {', '.join(idle)}")
    if found["feasible"]:
        said += _slack(found, names, budget)
    if found["collateral"] > 0.0:
        weight = info["collateral_weight"]
        said.append(
            f"holders who keep their position are called for {found['collateral']:.3g} USD of collateral, which counts "
            f"{weight:g} times in the cost"
        )
    if info["iterations"] and not info["converged"]:
        size = f"of {info['residual']:.1f} standard errors" if info["residual"] < _FAR else "far beyond its noise"
        said.append(f"the search ended with a residual {size}: with more paths the cost may be lower")
    return said


def _slack(found: dict[str, Any], names: tuple[str, ...], budget: float) -> list[str]:
    """Of caps that can be raised by 5% as far as the paths can tell."""
    binds = found["binding"]
    values = np.array([one.value for one in found["slack"]])
    loose = [name for name, b, upper in zip(names, binds, found["slack_upper"], strict=True) if b and upper <= budget]
    unsure = [
        name
        for name, b, value, upper in zip(names, binds, values, found["slack_upper"], strict=True)
        if b and value <= budget < upper
    ]
    said = []
    if loose:
        said.append(f"raised by {RAISE:.0%} and still within the budget with the same confidence: {', '.join(loose)}")
    if unsure:
        said.append(
            f"raised by {RAISE:.0%}, within the budget by the estimate but no longer with confidence: {', '.join(unsure)}; "
            "more paths would tell"
        )
    return said


__all__ = ["words"]

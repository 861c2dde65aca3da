"""Second derivatives: how a sensitivity changes with another parameter."""

import math

import numpy as np

from ...parameter import Parameter, moved
from ...scenario import Scenario
from ..measure import Measure
from ..sample import Sample, prepare_lean
from .bump import MOST_PATH_STEPS, ends, step_of
from .gradients import Tail, of_paths
from .pathwise import Reverse, along


def cross_problem(measure: Measure, first: Parameter) -> str | None:
    """Why there is no second derivative of a measure to this parameter and another, or None."""
    if not first.pathwise:
        return f"cross: a path's derivative to {first.name} is no sensitivity; name the other parameter first"
    if measure.statistic not in ("mean", "expected_shortfall"):
        return f"cross: for a mean or an expected shortfall, and not for {measure}"
    if measure.stepped:
        return f"cross: {measure.observable} is a step function of a path, whose derivative is no sensitivity"
    return None


def cross_sensitivity(sample: Sample, measure: Measure, scenario: Scenario, first: Parameter, second: Parameter):
    """`(value, standard error)` of the second derivative: a difference, with the same random numbers and the tail sorted anew, of
    the pathwise derivative to `first` under `second` moved up and down.

    **Raises:** `ValueError` where `cross_problem` finds one.
    """
    if problem := cross_problem(measure, first):
        raise ValueError(problem)
    step, _ = step_of(second)
    most = MOST_PATH_STEPS // sample.prepared.scenario.settings.steps if measure.statistic == "mean" else len(sample.losses)
    which, dtype = np.arange(min(len(sample.losses), most)), sample.prepared.decay.dtype
    down, up = ends(second, step)
    n = len(which) if measure.statistic == "mean" else len(sample.losses)
    values, scores = [], []
    for by in (down, up):
        there = moved(scenario, [second], np.array([by]))
        prepared = prepare_lean(there, dtype)
        losses = sample.again(prepared, which)
        slopes = along(
            sample._replace(prepared=prepared), Reverse.of(there, (first.name,), prepared, sample.column), which, np.ones(1)
        )
        value, score = _scores(losses, slopes, measure, n)
        values.append(value)
        scores.append(score)
    score = (scores[1] - scores[0]) / (up - down)
    return (values[1] - values[0]) / (up - down), math.sqrt(max((score @ score / n - (score.sum() / n) ** 2) / n, 0.0))


def _scores(losses: np.ndarray, slopes: np.ndarray, measure: Measure, n: int) -> tuple[float, np.ndarray]:
    """A measure's derivative and what each path adds to `n` times it, beyond what the quantile's own derivative says."""
    if measure.statistic == "mean":
        return float(slopes.mean()), slopes
    order = np.argsort(-losses, kind="stable")
    count = max(1, math.ceil(n * (1.0 - measure.level) - 1e-9))
    tail = Tail(order[:count], np.full(count, 1.0 / count), 1.0, True)
    inside = slopes[tail.which]
    edge = inside[-max(1, count // 10) :].mean()
    score = np.zeros(len(losses))
    score[tail.which] = (inside - edge) / (1.0 - measure.level)
    return float(of_paths(tail, inside[:, None], n, measure).value[0]), score


__all__ = ["cross_problem", "cross_sensitivity"]

"""What the losses say: tail measures with their errors, their derivatives, and losses too rare to be simulated plainly.

Start with `estimate` (what an estimate is: value, error, interval) and `tail` (mean, quantiles, expected shortfall, exceedance
probabilities); `extremes` goes beyond the sample, `stream` beyond memory, `paired` and `difference` compare runs on the same
random numbers, `shapley` shares a total out. `measure` is a measure as text, `sample` a run kept for what is done to it
afterwards.

- `slopes`: how a measure changes with a number of the scenario: derivatives of paths, of the measure as a curve, finite changes.
  Start with `slopes.derivatives`, which chooses.
- `rare`: the most likely paths to a loss, and the probability of one that plain simulation does not reach. Start with
  `rare.stress_path` and `rare.splitting`.
"""

from .drawdown import conditional_drawdown_at_risk
from .expectile import expectile
from .extremes import ParetoTail, mean_excess, pareto_tail
from .return_period import return_period
from .tail import (
    Estimate,
    TooFewPathsError,
    conditional_mean,
    effective_paths,
    exceedance_curve,
    exceedance_probability,
    expected_shortfall,
    mean,
    quantile,
    value_at_risk,
)

__all__ = [
    "Estimate",
    "ParetoTail",
    "TooFewPathsError",
    "conditional_drawdown_at_risk",
    "conditional_mean",
    "effective_paths",
    "exceedance_curve",
    "exceedance_probability",
    "expected_shortfall",
    "expectile",
    "mean",
    "mean_excess",
    "pareto_tail",
    "quantile",
    "return_period",
    "value_at_risk",
]

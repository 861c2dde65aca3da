"""What the losses say: tail measures with their errors."""

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

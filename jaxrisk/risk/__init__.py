"""What the losses say: tail measures with their errors."""

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
    "TooFewPathsError",
    "conditional_mean",
    "effective_paths",
    "exceedance_curve",
    "exceedance_probability",
    "expected_shortfall",
    "mean",
    "quantile",
    "value_at_risk",
]

"""How far prices fell."""

from typing import Any

import numpy as np


def drawdown(log_prices: np.ndarray) -> Any:
    """Largest fall from the running maximum, as a fraction, along the last axis.

    >>> import numpy as np
    >>> round(drawdown(np.log([100.0, 120.0, 90.0, 110.0])), 12)
    0.25
    """
    fall = np.max(-np.expm1(log_prices - np.maximum.accumulate(log_prices, axis=-1)), axis=-1)
    return float(fall) if np.ndim(fall) == 0 else fall


__all__ = ["drawdown"]

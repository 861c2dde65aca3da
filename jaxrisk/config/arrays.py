"""Values as configured, as arrays by asset in the kernels' units."""

import math
from typing import Any

import numpy as np

SIGN = {"long": 1, "short": -1}


def by_asset(value: Any, assets: tuple[str, ...], default: float = 0.0) -> np.ndarray:
    """A number, or a table of numbers by asset, as an array of shape `(assets,)`.

    >>> by_asset({"ETH": 2.0}, ("BTC", "ETH"), default=1.0).tolist()
    [1.0, 2.0]
    """
    if isinstance(value, dict):
        return np.array([value.get(asset, default) for asset in assets], dtype=np.float64)
    return np.full(len(assets), default if value is None else value, dtype=np.float64)


def spans(value: Any, assets: tuple[str, ...]) -> np.ndarray:
    """Durations in years, shape `(assets,)`."""
    return by_asset({name: span.years for name, span in value.items()} if isinstance(value, dict) else value.years, assets)


def rates(value: Any, assets: tuple[str, ...]) -> np.ndarray:
    """Half-lives as rates a year, shape `(assets,)`."""
    return math.log(2.0) / spans(value, assets)

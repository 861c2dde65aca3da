"""Blocks of the file's own hourly returns: how long they have to be."""

import numpy as np

from ...data.price_file import PriceFile
from .fit import LawFit, NotFitted, hourly_returns, sample_of


def fit_bootstrap(prices: PriceFile) -> LawFit:
    """Mean block length for squared returns (Politis and White, 2004; Patton, Politis and White, 2009), by `arch`."""
    try:
        from arch.bootstrap import optimal_block_length
    except ImportError:
        raise NotFitted("block lengths are found by the package arch: pip install 'jaxrisk[calibrate]'") from None
    returns = hourly_returns(prices)
    known = returns[np.isfinite(returns)]
    length = float(optimal_block_length(known**2)["stationary"].iloc[0])
    block = min(max(round(length), 1), len(known) // 3)
    problems = []
    gaps = len(returns) - len(known)
    if gaps:
        problems.append(
            f"{gaps} hours are missing, and a scenario's bootstrap reads files without gaps: give it one stretch of the file"
        )
    return LawFit(
        process="bootstrap",
        values={"mean_block": float(block)},
        errors={},
        converged=bool(np.isfinite(length)),
        problems=tuple(problems),
        checks={"observations": float(len(known)), "optimal_block_hours": length},
        sample=f"{sample_of(prices)}, {len(known)} hourly returns",
        note="stationary bootstrap of hourly returns, mean block from the autocorrelation of their squares",
        words={"file": prices.name, "mean_block": f"{block}h", "recentre": True},
        rows=known,
        origins={"recentre": "ASSUMPTION: a trend of the past is no forecast"},
    )


__all__ = ["fit_bootstrap"]

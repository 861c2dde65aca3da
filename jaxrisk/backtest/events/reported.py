r"""The size of liquidations, when all that is seen is what feeds report: $R = T / (\kappa s)$, or only $T s^{-1} \geq R$.

$T$ is what is liquidated in the asset, $s$ the asset's share of what is reported (uniform in its range), $\kappa$ the ratio of
truth to report (log-uniform in its range). Throttled feeds publish at most one liquidation a second, and $\kappa$ is 6 to 17.
"""

import math

import numpy as np

from ..scores import Samples, _sorted
from .keys import Reported


def predicted(samples: Samples, report: Reported, price: float = 1.0) -> tuple[np.ndarray, np.ndarray | None] | None:
    """What is liquidated on the side that the report is of, in its unit, with weights; None where the forecast does not say.

    **Arguments:** `price`: USD a coin, for a report in coins.
    """
    if samples.liquidations is None or (report.side != "both" and samples.long_share is None):
        return None
    true = np.asarray(samples.liquidations, np.float64)
    if report.side != "both":
        share = np.nan_to_num(np.asarray(samples.long_share, np.float64), nan=0.5)  # nothing liquidated: 0 on either side
        true = true * (share if report.side == "long" else 1.0 - share)
    return true / (price if report.coins else 1.0), samples.weights


def _logs(true, report: Reported, weights, seed: int):
    """Log of truth over share, by draw, with weights; draws of nothing at all are far below every report."""
    values, weights = _sorted(true, weights)
    share = np.random.default_rng(seed).uniform(*report.asset_share, len(values))
    return np.log(np.maximum(values, 1e-12)) - np.log(share), weights


def reported_pit(true, report: Reported, weights=None, seed: int = 0) -> float:
    """Quantile of the report in the forecast of reports; for a lower bound, of the report in the forecast of the truth.

    Where the report is a range, the mean over it (on a log scale).
    """
    logs, weights = _logs(true, report, weights, seed)
    random = np.random.default_rng(seed + 1)
    if not report.lower_bound:
        logs = logs - random.uniform(*np.log(report.kappa), len(logs))
    seen = random.uniform(*np.log(report.amount), len(logs))
    return min(float(np.sum(weights * ((logs < seen) + 0.5 * (logs == seen)))), 1.0)


def reported_log_score(true, report: Reported, weights=None, seed: int = 0) -> float:
    """Minus the log of the density of the log of the report; of the probability of at least it, for a lower bound.

    The density is averaged over the draws of truth and share, with the ratio and the range of the report integrated exactly;
    where both are points, a smear of 10% takes their place. A weight of 1 / (n + 1), for what n draws cannot tell, is spread
    over factors of a thousand either way.
    """
    logs, weights = _logs(true, report, weights, seed)
    count = 1.0 / float(np.sum(weights**2))
    low, high = np.log(report.amount)
    if report.lower_bound:
        return -math.log((count * float(np.sum(weights[logs >= low])) + 0.5) / (count + 1.0))
    least, most = np.log(report.kappa)
    if most - least < 0.1:
        least, most = 0.5 * (least + most) - 0.05, 0.5 * (least + most) + 0.05
    from_, to = logs - most, logs - least
    if high - low > 1e-9:
        inside = np.clip(np.minimum(to, high) - np.maximum(from_, low), 0.0, None) / (high - low)
    else:
        inside = ((from_ <= low) & (low <= to)).astype(float)
    density = float(np.sum(weights * inside)) / (most - least)
    return -math.log((count * density + 1.0 / (2.0 * math.log(1e3))) / (count + 1.0))


__all__ = ["predicted", "reported_log_score", "reported_pit"]

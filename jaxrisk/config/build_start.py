"""Where a law starts, as the engine has it; and the arrays of a log variance's factors."""

from typing import Any

import numpy as np

from .. import market as markets
from ..data.price_history import History
from ..units import SECONDS_PER_YEAR, Span
from . import tables
from .arrays import by_asset
from .tables.matrices import as_matrix


def build_start(start: Any, assets: tuple[str, ...]) -> Any:
    """The start, unless it is filtered from prices."""
    if isinstance(start, tables.FromFactors):
        return markets.Factors(by_factor(start.factors, assets), by_factor(start.sd, assets))
    return None if start is None or isinstance(start, tables.FromPrices) else markets.Stationary()


def by_factor(value: Any, assets: tuple[str, ...]) -> np.ndarray:
    """A list for all assets, or one for each, shape `(assets, factors)`; durations in years."""
    rows = [value[asset] for asset in assets] if isinstance(value, dict) else [value] * len(assets)
    return np.array([[one.years if isinstance(one, Span) else one for one in row] for row in rows], dtype=np.float64)


def build_log_variance(
    table: tables.LogVariance, assets: tuple[str, ...], step: float, history: History | None
) -> markets.LogVariance:
    """The law, with a state filtered from prices where it starts from them. `step`: seconds."""
    each = lambda value: None if value is None else by_asset(value, assets)
    half_life = by_factor(table.half_life, assets)
    rho = table.leverage_correlation
    jumps: dict[str, Any] = {}
    if np.any(by_asset(table.jump_rate, assets) > 0.0):
        names = ("jump_rate", "jump_mean", "jump_sd", "scaled_jump_mean", "scaled_jump_sd")
        jumps = {name: each(getattr(table, name)) for name in names}
        jumps["common_jump_probability"] = table.common_jump_probability
    if table.variance_jump_mean is not None:
        span = table.variance_jump_half_life
        years = {name: one.years for name, one in span.items()} if isinstance(span, dict) else span.years
        jumps |= {"variance_jump_mean": each(table.variance_jump_mean), "variance_jump_half_life": by_asset(years, assets)}
        jumps["variance_jump_rate"] = each(table.variance_jump_rate)
    most = max((float(np.max(x)) for key, x in jumps.items() if key.endswith("jump_rate") and x is not None), default=0.0)
    law = markets.LogVariance(
        drift=by_asset(table.drift, assets),
        mean_variance=by_asset(table.mean_variance, assets),
        half_life=half_life,
        factor_sd=by_factor(table.factor_sd, assets),
        leverage_correlation=np.zeros_like(half_life) if rho is None else by_factor(rho, assets),
        correlation=as_matrix(table.correlation, assets),
        variance=each(table.variance),
        start=build_start(table.start, assets),
        max_jumps=table.max_jumps or markets.jumps_needed(most * step / SECONDS_PER_YEAR),
        **jumps,
    )
    if history is None or not isinstance(table.start, tables.FromPrices):
        return law
    from ..market.filter import filtered

    return filtered(law, history.returns, history.seconds / SECONDS_PER_YEAR, table.start.particles).started(law)


__all__ = ["build_log_variance", "build_start", "by_factor"]

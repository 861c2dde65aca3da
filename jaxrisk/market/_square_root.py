"""One step of a square-root variance and of the log price that it drives."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Float

from .._leaf import Array
from ._gamma import at_score, gamma_table
from ._noise import correlate, correlation_factor, safe_sqrt
from .start import Cloud, Stationary, chosen

# Andersen (2008): any switch between 1 and 2 works, 1.5 is his choice.
_SWITCH = 1.5
# Floors that keep float32 finite; each is far below what a market has.
_LEAST_VOL_OF_VARIANCE = 1e-4
_LEAST_MEAN = 1e-12
_LEAST_DISPERSION = 1e-16
# Reached only for a positive leverage correlation at long steps, where the martingale correction does not exist.
_MOST_SHRINKAGE = 0.99


class VarianceConstants(NamedTuple):
    """What a step needs of the parameters; each of shape `(assets,)` but the correlation's factor."""

    initial: Float[Array, "*particles assets"]
    cloud: Float[Array, " particles"] | None
    """Cumulative weights, where a path starts from one of several variances."""
    table: Float[Array, "assets scores"] | None
    """Quantiles of the stationary law, where a path starts from it."""
    mean_variance: Float[Array, " assets"]
    drift: Float[Array, " assets"]
    """Log-drift of a step, without the variance's half."""
    pull: Float[Array, " assets"]
    """Share of the distance to the mean that a step closes."""
    scatter_slope: Float[Array, " assets"]
    scatter_base: Float[Array, " assets"]
    """Variance of the next variance: slope times the present one, plus base."""
    loading: Float[Array, " assets"]
    """Andersen's `K2`: what the next variance adds to the log price."""
    exponent: Float[Array, " assets"]
    """Andersen's `A = K2 + K4/2`."""
    residual: Float[Array, " assets"]
    """Andersen's `K3 = K4`: variance of the log price's own noise, for each unit of the two variances."""
    years: Float[Array, ""]
    reversion: Float[Array, " assets"]
    diffusion_scale: Float[Array, " assets"]
    leverage: Float[Array, " assets"]
    complement: Float[Array, " assets"]
    factor: Float[Array, "assets assets"]


def variance_constants(parameters: Any, years_per_step: Float[Array, ""]) -> VarianceConstants:
    """Constants of either scheme, from the fields of a `Heston` or a `Bates`."""
    years = jnp.asarray(years_per_step)
    mean, reversion, leverage = (
        jnp.asarray(x) for x in (parameters.mean_variance, parameters.reversion, parameters.leverage_correlation)
    )
    variance = mean if parameters.variance is None else parameters.variance
    vol = jnp.maximum(jnp.asarray(parameters.vol_of_variance), _LEAST_VOL_OF_VARIANCE)
    pull = -jnp.expm1(-reversion * years)
    reverts = reversion > 0.0
    time = jnp.where(reverts, pull / jnp.where(reverts, reversion, 1.0), years)
    residual = 0.5 * years * (1.0 - leverage**2)
    loading = 0.5 * years * (reversion * leverage / vol - 0.5) + leverage / vol
    return VarianceConstants(
        initial=jnp.asarray(parameters.start.states if isinstance(parameters.start, Cloud) else variance),
        cloud=parameters.start.cumulative() if isinstance(parameters.start, Cloud) else None,
        table=_stationary(mean, reversion, vol) if isinstance(parameters.start, Stationary) else None,
        mean_variance=mean,
        drift=jnp.asarray(parameters.drift) * years,
        pull=pull,
        scatter_slope=vol**2 * (1.0 - pull) * time,
        scatter_base=0.5 * vol**2 * mean * pull * time,
        loading=loading,
        exponent=loading + 0.5 * residual,
        residual=residual,
        years=years,
        reversion=reversion,
        diffusion_scale=vol * jnp.sqrt(years),
        leverage=leverage,
        complement=safe_sqrt(1.0 - leverage**2),
        factor=correlation_factor(parameters.correlation),
    )


def _stationary(mean, reversion, vol) -> Float[Array, "assets scores"]:
    r"""Quantiles of the stationary law: gamma, of mean $\theta$ and shape $2\kappa\theta/\xi^2$, at most 1e4."""
    shape = jnp.clip(2.0 * reversion * mean / vol**2, 1e-3, 1e4)
    return (mean / shape)[:, None] * gamma_table(shape)


def first_draws(start: Any, assets: int) -> int:
    """Uniforms that the state at time zero takes."""
    return 1 if isinstance(start, Cloud) else assets if isinstance(start, Stationary) else 0


def first_variance(c: VarianceConstants, uniforms) -> Float[Array, " assets"]:
    """The variance at time zero: as given, drawn from the stationary law (correlated between assets as their moves are, by a
    normal copula), or a particle's."""
    if c.cloud is not None:
        return chosen(c.cloud, c.initial, uniforms[0])
    return c.initial if c.table is None else at_score(c.table, correlate(c.factor, -ndtri(uniforms)))


def variance_step(scheme: str, constants: VarianceConstants, variance, variance_noise, price_noise):
    """The next variance, the move of the log price, and the variance of that move, by the scheme named."""
    take = {"qe": quadratic_exponential, "full_truncation": full_truncation}[scheme]
    return take(constants, variance, variance_noise, price_noise)


def quadratic_exponential(c: VarianceConstants, variance, variance_noise, price_noise):
    r"""Andersen's QE-M step (2008): quadratic-exponential variance, log price with martingale correction.

    His $K_0^* + K_1 v + K_2 v'$ is a difference of large terms when $\xi$ is small: of order $\rho v / \xi$ against a step's
    $\sqrt{v\,dt}$. Written out for each branch the large terms cancel exactly, and float32 is enough. For the quadratic
    branch, where $v' = a(b + z)^2$, it is

    $$K_2 a z (2b + z) - \tfrac12 K_4 a b^2 - \frac{2 (A a b)^2}{1 - 2Aa} + \tfrac12\log(1 - 2Aa) - \tfrac12 K_3 v.$$
    """
    mean = jnp.maximum(variance + c.pull * (c.mean_variance - variance), _LEAST_MEAN)
    dispersion = jnp.maximum((c.scatter_slope * variance + c.scatter_base) / mean / mean, _LEAST_DISPERSION)
    is_quadratic = dispersion <= _SWITCH

    inverse = 2.0 / jnp.minimum(dispersion, _SWITCH)
    offset_squared_plus_one = inverse + jnp.sqrt(inverse * (inverse - 1.0))
    offset_squared = offset_squared_plus_one - 1.0
    offset = jnp.sqrt(offset_squared)
    scale = mean / offset_squared_plus_one
    quadratic = scale * (offset + variance_noise) ** 2

    # 1 / (1 - p): one over the probability that the next variance is positive. A uniform is taken from the normal; that of its
    # upper tail from erf, which costs a fifth of erfc and whose rounding moves the mean by a few parts in a million.
    odds = 0.5 * jnp.maximum(dispersion, _SWITCH) + 0.5
    mean_if_positive = mean * odds
    upper_tail = 0.5 - 0.5 * jax.lax.erf(variance_noise * np.sqrt(0.5).astype(variance_noise.dtype))
    least = 0.125 * jnp.finfo(upper_tail.dtype).eps
    exponential = -mean_if_positive * jnp.log(jnp.minimum(odds * jnp.maximum(upper_tail, least), 1.0))

    # One logarithm and one division serve both branches.
    shrinkage = jnp.minimum(c.exponent * jnp.where(is_quadratic, 2.0 * scale, mean_if_positive), _MOST_SHRINKAGE)
    reciprocal = 1.0 / (1.0 - shrinkage)
    logarithm = jnp.log1p(jnp.where(is_quadratic, -shrinkage, c.exponent * mean * reciprocal))
    quadratic_move = (
        c.loading * scale * variance_noise * (2.0 * offset + variance_noise)
        - 0.5 * c.residual * scale * offset_squared
        - 2.0 * (c.exponent * scale * offset) ** 2 * reciprocal
        + 0.5 * logarithm
    )
    following = jnp.where(is_quadratic, quadratic, exponential)
    correction = jnp.where(is_quadratic, quadratic_move, c.loading * exponential - logarithm)

    own = safe_sqrt(c.residual * (variance + following)) * price_noise
    move = c.drift + correction - 0.5 * c.residual * variance + own
    return following, move, 0.5 * c.years * (variance + following)


def full_truncation(c: VarianceConstants, variance, variance_noise, price_noise):
    """Euler step with the negative part of the variance cut off (Lord, Koekkoek and van Dijk, 2010)."""
    positive = jnp.maximum(variance, 0.0)
    root = safe_sqrt(positive)
    spent = positive * c.years
    following = variance + c.years * c.reversion * (c.mean_variance - positive) + c.diffusion_scale * root * variance_noise
    noise = c.leverage * variance_noise + c.complement * price_noise
    return following, c.drift - 0.5 * spent + root * jnp.sqrt(c.years) * noise, spent


__all__ = [
    "VarianceConstants", "first_draws", "first_variance", "full_truncation", "quadratic_exponential", "variance_constants",
    "variance_step",
]  # fmt: skip

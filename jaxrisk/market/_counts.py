"""How many jumps fall into a step: Poisson numbers from one uniform, for each asset's own jumps and for the common ones."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc
from jaxtyping import Bool, Float
from scipy.special import pdtrc

from .._leaf import Array


def jumps_needed(rate_per_step: float) -> int:
    """Smallest `K` with `P(N > K) < 1e-10` for a Poisson number of mean `rate_per_step`, at least 1 and at most 16.

    **Arguments:** `rate_per_step`: expected jumps in one step.

    >>> jumps_needed(1 / 525600), jumps_needed(0.01), jumps_needed(1.0)
    (1, 4, 12)
    """
    for number in range(1, 16):
        if pdtrc(number, rate_per_step) < 1e-10:
            return number
    return 16


class JumpRates(NamedTuple):
    """Thresholds under which a uniform means more than `k` jumps, `k = 0 .. max_jumps - 1`."""

    own: Float[Array, "assets max_jumps"]
    common: Float[Array, " max_jumps"]


def survival_probabilities(mean: Float[Array, "*shape"], max_jumps: int) -> Float[Array, "*shape max_jumps"]:
    """`P(N > k)` for `k = 0 .. max_jumps - 1`, each with a small *relative* error however small the mean is.

    The number of jumps is a step function of its mean, so no gradient passes through here.

    >>> survival_probabilities(jnp.array([1e-6]), 1).tolist()[0][0] - 1e-6 < 1e-11
    True
    """
    mean = jax.lax.stop_gradient(jnp.asarray(mean))[..., None]
    more = gammainc(jnp.arange(1, max_jumps + 1, dtype=mean.dtype), mean)
    return jnp.where(jnp.arange(max_jumps) == 0, -jnp.expm1(-mean), more)


def split_rates(jump_rate: Float[Array, " assets"], common_probability, years_per_step, max_jumps: int) -> JumpRates:
    """A process of common jumps at the rate `p min_a lambda_a`, and what is left to each asset.

    A jump of the asset that jumps least often is then common with probability `p`; each asset keeps its own rate.
    """
    jump_rate = jnp.asarray(jump_rate)
    assets = jump_rate.shape[0]
    common_rate = common_probability * jnp.min(jump_rate) if assets > 1 else jnp.zeros_like(jump_rate[0])
    return JumpRates(
        own=survival_probabilities((jump_rate - common_rate) * years_per_step, max_jumps),
        common=survival_probabilities(common_rate * years_per_step, max_jumps),
    )


def exceeds(uniform: Float[Array, "*shape"], survival: Float[Array, "*shape max_jumps"]) -> list[Bool[Array, "*shape"]]:
    """Whether there are more than `k` jumps, for each `k`. Small uniforms mean jumps: there floating point is finest."""
    return [uniform < survival[..., k] for k in range(survival.shape[-1])]


def count_and_root(uniform: Float[Array, "*shape"], survival: Float[Array, "*shape max_jumps"]):
    """The number of jumps and its square root, the latter summed from differences so that zero needs no square root."""
    more = exceeds(uniform, survival)
    count = more[0].astype(survival.dtype)
    root = count
    for k in range(1, len(more)):
        count = count + more[k]
        root = root + jnp.where(more[k], np.sqrt(k + 1.0) - np.sqrt(float(k)), 0.0).astype(survival.dtype)
    return count, root


__all__ = ["JumpRates", "count_and_root", "exceeds", "jumps_needed", "split_rates", "survival_probabilities"]

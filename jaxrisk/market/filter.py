r"""The state of a log variance given prices up to a moment: a particle filter, fully adapted to the law.

Given its factors a step's return is a mixture over the number of jumps of normals, in closed form. So particles are weighted and
chosen by the density of the return *before* they move, and then move by the law given the return: the optimal proposal of an
auxiliary particle filter (Pitt and Shephard, 1999, *Filtering via simulation*, section 3), with systematic resampling (Kitagawa,
1996). What is left is the error of a finite number of particles, of order one over its root.
"""

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Float

from .._leaf import Array
from ._counts import jumps_needed
from ._gamma import at_score
from .log_variance import LogVariance, LogVarianceConstants
from .start import Cloud, Stationary

MOST_JUMPS = 8
"""In one bar of a file."""


class Filtered(NamedTuple):
    """What a filter leaves, of equal weights; float64.

    **Fields:** `states`: shape `(particles, assets, factors)`, with what jumps of variance have added last where there are such;
    `effective`: share of the particles that the weights of a bar were worth, shape `(bars, assets)`, 1 where a bar is missing;
    `log_likelihood`: of the returns, shape `(assets,)`.
    """

    states: np.ndarray
    effective: np.ndarray
    log_likelihood: np.ndarray

    def started(self, law: LogVariance) -> LogVariance:
        """The law, with each path started from one of the particles."""
        cloud = Cloud(self.states, np.ones(len(self.states)), self.effective.min(initial=1.0))
        return dataclasses.replace(law, start=cloud)


def filtered(
    law: LogVariance, returns: Float[np.ndarray, "bars assets"], years: float, particles: int = 4096, seed: int = 0
) -> Filtered:
    """The factors after the last return, given all returns, from a stationary beginning.

    **Arguments:** `returns`: log returns, one row a bar, NaN where a bar is missing; `years`: length of a bar; `seed`: of the
    filter's own random numbers. Each asset is filtered by its own returns, by its own law; the errors of two assets are
    independent. A bar is one step of the law, with the approximations of a step of that length.

    >>> law = LogVariance([0.0], [0.36], [[6 / 8760]], [[0.8]], [[0.0]], [[1.0]])
    >>> calm, wild = (filtered(law, np.full((48, 1), size), 1 / 8760, 2000).states for size in (0.0005, 0.03))
    >>> bool(calm.mean() < -0.5 and wild.mean() > 0.5)
    True
    """
    states, effective, likelihood = _run(law, np.asarray(returns)[None], years, particles, seed)
    return Filtered(states[-1], effective[0], likelihood)


def filtered_along(
    law: LogVariance, returns: Float[np.ndarray, "periods bars assets"], years: float, particles: int = 4096, seed: int = 0
) -> np.ndarray:
    """The factors before the first of consecutive periods of bars, and after each of them, given the returns up to then.

    Shape `(periods + 1, particles, assets, factors)`, float64; otherwise as `filtered`.
    """
    return _run(law, returns, years, particles, seed)[0]


def _run(law: LogVariance, returns, years: float, particles: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States before and after each period, effective shares `(periods, bars, assets)`, log likelihood `(assets,)`."""
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        double = lambda x: jnp.asarray(x, jnp.float64 if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else None)
        started = jax.tree.map(double, dataclasses.replace(law, start=Stationary(), variance=None))
        rate = 0.0 if law.jump_rate is None else float(np.max(law.jump_rate))
        most = min(MOST_JUMPS, jumps_needed(rate * years)) if rate else 0
        found = _filter(started, double(returns), double(years), particles, most, jax.random.key(seed))
        states, effective, likelihood = (np.asarray(x) for x in found)
    return states, effective, likelihood


@eqx.filter_jit
def _filter(law: LogVariance, returns, years, particles: int, most: int, key):
    c, (periods, bars) = law.prepare(years), returns.shape[:2]
    keys = jax.random.split(key, periods * bars + 1)
    states = _stationary(c, particles, keys[0])

    def period(states, seen):
        after, found = jax.lax.scan(lambda states, one: _bar(law, c, most, states, *one), states, seen)
        return after, (jnp.stack(after, axis=-1), *found)

    begin = jnp.stack(states, axis=-1)
    _, (after, effective, likelihood) = jax.lax.scan(period, states, (returns, keys[1:].reshape(periods, bars)))
    return jnp.concatenate([begin[None], after]), effective, jnp.sum(likelihood, axis=(0, 1))


def _stationary(c: LogVarianceConstants, particles: int, key):
    """Factors from their stationary laws, each an array `(particles, assets)`."""
    count = len(c.factors) + (c.surges is not None)
    scores = jax.random.normal(key, (count, particles, c.level.shape[0]))
    drawn = tuple(factor.sd * score for factor, score in zip(c.factors, scores, strict=False))
    if c.surges is None:
        return drawn
    quantiles = jax.vmap(lambda score: at_score(c.surges.table, score))(scores[-1])
    return (*drawn, c.surges.mean * quantiles)


def _bar(law: LogVariance, c: LogVarianceConstants, most: int, states, returned, key):
    """One bar: weigh the particles by its return, resample, and move them given it."""
    seen = jnp.isfinite(returned)
    returned = jnp.where(seen, returned, 0.0)
    choose, count, *rest = jax.random.split(key, 6)
    density, _ = _densities(c, most, states, returned)
    weight = jax.nn.softmax(jnp.where(seen, logsumexp(density, axis=-1), 0.0), axis=0)
    effective = 1.0 / (len(weight) * jnp.sum(weight**2, axis=0))
    likelihood = jnp.where(seen, logsumexp(logsumexp(density, axis=-1), axis=0) - np.log(len(weight)), 0.0)
    chosen = _systematic(weight, jax.random.uniform(choose, seen.shape))
    states = tuple(jnp.take_along_axis(y, chosen, axis=0) for y in states)
    density, moments = _densities(c, most, states, returned)
    density = jnp.where(seen[:, None], density, _log_counts(c, most))
    share = jnp.cumsum(jax.nn.softmax(density, axis=-1), axis=-1)
    jumps = jnp.sum(jax.random.uniform(count, (*weight.shape, 1)) > share[..., :-1], axis=-1)
    return _moved(law, c, most, states, moments, returned, seen, jumps, rest), (effective, likelihood)


def _log_counts(c: LogVarianceConstants, most: int):
    """Log probability of each number of jumps, shape `(assets, most + 1)`."""
    if c.jumps is None:
        return jnp.zeros((c.level.shape[0], 1))
    number = jnp.arange(most + 1.0)
    return number * jnp.log(jnp.maximum(c.jumps.expected, 1e-300))[:, None] - c.jumps.expected[:, None] - gammaln(number + 1.0)


def _densities(c: LogVarianceConstants, most: int, states, returned):
    """Log density of a return with each number of jumps, shape `(particles, assets, most + 1)`, and the moments it is made of:
    deviation and mean of the diffusive part, mean and standard deviation of a jump."""
    half = c.level
    for factor, y in zip(c.factors, states, strict=False):
        half = half + 0.5 * factor.to_middle * y
    if c.surges is not None:
        half = half + 0.5 * c.surges.to_middle * states[-1]
    deviation = jnp.exp(half)
    centre, mean, sd = c.drift - 0.5 * deviation**2, jnp.zeros_like(deviation), jnp.zeros_like(deviation)
    if c.jumps is not None:
        mean, sd, compensator = c.jumps.sizes(c.daily * deviation)
        centre = centre - compensator
    number = jnp.arange(most + 1.0)
    variance = deviation[..., None] ** 2 + number * sd[..., None] ** 2
    distance = (returned - centre)[..., None] - number * mean[..., None]
    density = -0.5 * (distance**2 / variance + jnp.log(2.0 * np.pi * variance))
    return density + _log_counts(c, most), (deviation, centre, mean, sd)


def _systematic(weight: Float[Array, "particles assets"], uniform: Float[Array, " assets"]):
    """Indices of as many particles, each as often as its weight says up to one."""
    particles = weight.shape[0]
    points = (jnp.arange(particles)[:, None] + uniform) / particles
    found = jax.vmap(lambda w, p: jnp.searchsorted(jnp.cumsum(w), p), in_axes=1, out_axes=1)(weight, points)
    return jnp.minimum(found, particles - 1)


def _moved(law: LogVariance, c: LogVarianceConstants, most: int, states, moments, returned, seen, jumps, keys):
    """Factors after the bar, given its return and its number of jumps: the price's noise is what the return leaves of it."""
    deviation, centre, mean, sd = moments
    shape = deviation.shape
    spread = jumps * sd**2
    total = deviation**2 + spread
    own = jnp.where(seen, deviation * (returned - centre - jumps * mean) / total, 0.0)
    noise = own + jnp.where(seen, jnp.sqrt(spread / total), 1.0) * jax.random.normal(keys[0], shape)
    drawn = jax.random.normal(keys[1], (len(c.factors) + 1, *shape))
    implied = c.complement * drawn[-1] + sum(f.with_price * z for f, z in zip(c.factors, drawn, strict=False))
    following = [
        y - f.pull * y + f.deviation * (z + f.with_price * (noise - implied))
        for f, y, z in zip(c.factors, states, drawn, strict=False)
    ]
    if c.surges is not None:
        if law.variance_jump_rate is None:
            # with each jump of the price one of the variance: as many exponentials, ten times as fast as a gamma variate
            sizes = jax.random.exponential(keys[3], (most, *shape))
            added = jnp.sum(jnp.where(jnp.arange(most)[:, None, None] < jumps, sizes, 0.0), axis=0)
        else:
            expected = c.surges.shape * -jnp.log1p(-c.surges.pull)
            jumps = jax.random.poisson(keys[2], expected, shape)
            added = jnp.where(jumps > 0, jax.random.gamma(keys[3], jnp.maximum(jumps, 1).astype(deviation.dtype), shape), 0.0)
        following.append(states[-1] - c.surges.pull * states[-1] + c.surges.to_middle * c.surges.mean * added)
    return tuple(following)


__all__ = ["Filtered", "filtered", "filtered_along"]

"""Stochastic variance whose logarithm is a sum of factors, each with a memory of its own, with jumps of price and of variance."""

from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from ._counts import count_and_root, exceeds
from ._gamma import at_score
from ._log_factors import FactorConstants, PriceJumps, VarianceJumps, factor_constants, price_jumps, variance_jumps
from ._noise import correlate, correlation_factor, safe_sqrt
from .base import AbstractMarket, Move, NoiseShape
from .start import Cloud, Factors, Start, Stationary, chosen

DAYS = 365.0
"""A year's: a daily volatility is the root of the variance over this."""
_LEAST = 1e-30


class LogVarianceConstants(NamedTuple):
    """What `LogVariance` computes once."""

    drift: Float[Array, " assets"]
    level: Float[Array, " assets"]
    """Half the logarithm of the variance of a step, with all factors at zero."""
    daily: Float[Array, ""]
    """A daily volatility over that of a step."""
    complement: Float[Array, " assets"]
    """Of the price's own noise."""
    factors: tuple[FactorConstants, ...]
    initial: tuple[Float[Array, " assets"], ...]
    spread: tuple[Float[Array, " assets"], ...] | None
    cloud: Float[Array, " particles"] | None
    jumps: PriceJumps | None
    surges: VarianceJumps | None
    factor: Float[Array, "assets assets"]


class LogVariance(AbstractMarket):
    r"""Multi-factor exponential Ornstein-Uhlenbeck variance (Chernov, Gallant, Ghysels and Tauchen, 2003; superposition as in
    Barndorff-Nielsen and Shephard, 2001), with jumps that grow with it.

    $$df = (\mu - \tfrac12 v - \lambda k(v))\,dt + \sqrt v\,dW + dJ,\qquad
      v = \bar v\exp\Big(\sum_k (y_k - \tfrac12 s_k^2)\Big),\qquad
      dy_k = -\kappa_k y_k\,dt + s_k\sqrt{2\kappa_k}\,dW_k,\qquad dW\,dW_k = \rho_k\,dt$$

    Each factor $y_k$ has the stationary law $N(0, s_k^2)$, so that $E[v] = \bar v$, and halves in $\log 2/\kappa_k$. A jump of
    the log price, given the present daily volatility $\sigma_d = \sqrt{v/365}$, is normal with mean $m + m'\sigma_d$ and standard
    deviation $d + d'\sigma_d$; $k(v) = E[e^J|v] - 1$ is taken back at once, so that $E[e^{f_t}] = e^{\mu t}$ for any step.

    **Arguments:** `assets` and `factors` are shapes; a long memory takes more factors, no other code.

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `mean_variance`: $\bar v$, annualised. Shape `(assets,)`.
    - `half_life`: years. Shape `(assets, factors)`.
    - `factor_sd`: $s_k$, of the log variance. Shape `(assets, factors)`.
    - `leverage_correlation`: $\rho_k$, with $\sum_k\rho_k^2 \le 1$. Shape `(assets, factors)`.
    - `correlation`: between assets, of each factor's noise and of the price's own. Shape `(assets, assets)`, positive definite.
    - `variance`: $v$ at the start, annualised; its logarithm's distance to the mean is shared by the factors as $s_k^2$, which is
      what each is expected to be; None for the mean. Without effect where there is a `start`. Shape `(assets,)`.
    - `start`: None, or `Stationary`, `Factors`, `Cloud`.
    - `jump_rate`: $\lambda$, expected jumps a year; None for a law without. Shape `(assets,)`.
    - `jump_mean`, `jump_sd`: $m$, $d$, log price. Shape `(assets,)`.
    - `scaled_jump_mean`, `scaled_jump_sd`: $m'$, $d'$, in present daily volatilities. Shape `(assets,)`.
    - `common_jump_probability`: as in `Merton`. Shape `()`.
    - `variance_jump_mean`: $\eta < 1$, mean of the exponential that a jump adds to the log variance, or None. Shape `(assets,)`.
    - `variance_jump_half_life`: years, of what was added. Shape `(assets,)`.
    - `variance_jump_rate`: a year, each asset's jumps its own; None for one with every jump of the price. Shape `(assets,)`.
    - `max_jumps`: the most jumps counted in a step. Static.

    What jumps is one more factor, of stationary law $\Gamma(\lambda/\kappa, \eta)$, its $E[e^y] = (1 - \eta)^{-\lambda/\kappa}$
    taken out of the level: $E[v] = \bar v$ still. At a given `variance` it starts at zero: no recent jump.

    Factors are exact in distribution for any step, also jointly with the price's Brownian motion within it. Approximated: in a
    step the variance is what it is expected to be at the step's middle, given the factors at its beginning. The price stays a
    martingale and the mean of the integrated variance is right to second order of the step over the half-life; its spread
    within the step is left out, to first order. Jumps of variance come at a step's middle. With one factor of small $s$ this is
    `GBM`, with fixed jumps `Merton`. The gradient to a rate of jumps is no sensitivity, as in `Merton`.

    >>> market = LogVariance([0.0], [0.36], [[6 / 8760, 72 / 8760]], [[0.8, 0.6]], [[-0.2, -0.2]], [[1.0]], variance=[0.2])
    >>> constants = market.prepare(jnp.asarray(1 / 525600))
    >>> state, move = market.step(constants, market.init(constants), jnp.array([0.0, 0.0, 1.0]), jnp.zeros(0), jnp.asarray(0))
    >>> round(float(move.variance[0]) * 525600, 3), round(float(move.diffusion[0]) * 1e4, 2)
    (0.2, 5.92)
    """

    drift: Float[Array, " assets"] = leaf()
    mean_variance: Float[Array, " assets"] = leaf()
    half_life: Float[Array, "assets factors"] = leaf()
    factor_sd: Float[Array, "assets factors"] = leaf()
    leverage_correlation: Float[Array, "assets factors"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    variance: Float[Array, " assets"] | None = leaf(default=None)
    start: Start = None
    jump_rate: Float[Array, " assets"] | None = leaf(default=None)
    jump_mean: Float[Array, " assets"] | None = leaf(default=None)
    jump_sd: Float[Array, " assets"] | None = leaf(default=None)
    scaled_jump_mean: Float[Array, " assets"] | None = leaf(default=None)
    scaled_jump_sd: Float[Array, " assets"] | None = leaf(default=None)
    common_jump_probability: Float[Array, ""] = leaf(default=0.0)
    variance_jump_mean: Float[Array, " assets"] | None = leaf(default=None)
    variance_jump_half_life: Float[Array, " assets"] | None = leaf(default=None)
    variance_jump_rate: Float[Array, " assets"] | None = leaf(default=None)
    max_jumps: int = eqx.field(default=8, static=True)

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = False

    def assets(self) -> int:
        return self.drift.shape[0]

    def factors(self) -> int:
        """Gaussian ones. Static."""
        return self.half_life.shape[1]

    def noise(self) -> NoiseShape:
        """Normals of each factor, of the prices, of the jumps' sizes; uniforms of the numbers of jumps, then of variance jumps'
        numbers and sizes; before the first step a uniform a factor and asset, or one to draw a particle."""
        assets, factors = self.assets(), self.factors()
        sources = assets + (assets > 1)
        normals, uniforms = (factors + 1) * assets, 0
        if self.jump_rate is not None:
            normals, uniforms = normals + sources, sources
        if self.variance_jump_mean is not None:
            own = self.variance_jump_rate is not None
            uniforms += assets + assets * self.max_jumps if own else sources * self.max_jumps
        surges = self.variance_jump_mean is not None
        first = 0
        if isinstance(self.start, Cloud):
            first = 1
        elif self.start is not None:
            first = (factors + surges) * assets
        return NoiseShape(normals, uniforms, first)

    def prepare(self, years_per_step: Float[Array, ""]) -> LogVarianceConstants:
        years = jnp.asarray(years_per_step)
        factor = correlation_factor(self.correlation)
        level = 0.5 * jnp.log(jnp.maximum(jnp.asarray(self.mean_variance) * years, _LEAST))
        columns = lambda x: jnp.moveaxis(jnp.asarray(x), 1, 0)
        each = zip(columns(self.half_life), columns(self.factor_sd), columns(self.leverage_correlation), strict=True)
        factors = tuple(factor_constants(*one, self.correlation, years) for one in each)
        sds = jnp.asarray(self.factor_sd)
        own = 1.0 - sum(f.with_price**2 for f in factors)
        level = level - 0.25 * sum((f.to_middle * sds[:, k]) ** 2 for k, f in enumerate(factors))
        jumps = surges = None
        at_zero = jnp.zeros_like(level)
        if self.jump_rate is not None:
            sizes = (self.jump_mean, self.jump_sd, self.scaled_jump_mean, self.scaled_jump_sd)
            jumps = price_jumps(self.jump_rate, sizes, self.common_jump_probability, years, self.max_jumps)
        if self.variance_jump_mean is not None:
            surges = variance_jumps(
                self.variance_jump_mean,
                self.variance_jump_half_life,
                self._surges_a_year(),
                years,
                self.max_jumps if self.variance_jump_rate is not None else 0,
                isinstance(self.start, Stationary),
            )
            level = level + 0.5 * surges.shape * jnp.log1p(-surges.to_middle * surges.mean)
            at_zero = surges.shape * jnp.log1p(-surges.mean)
        initial, spread, cloud = self._start(sds, at_zero)
        return LogVarianceConstants(
            drift=jnp.asarray(self.drift) * years,
            level=level,
            daily=1.0 / jnp.sqrt(DAYS * years),
            complement=safe_sqrt(own),
            factors=factors,
            initial=initial,
            spread=spread,
            cloud=cloud,
            jumps=jumps,
            surges=surges,
            factor=factor,
        )

    def _surges_a_year(self) -> Float[Array, " assets"]:
        return jnp.asarray(self.jump_rate if self.variance_jump_rate is None else self.variance_jump_rate)

    def _start(self, sds, at_zero):
        """Means of the factors at the start, their standard deviations and the cloud's weights where there are such."""
        count, zero = self.factors(), jnp.zeros_like(at_zero)
        if isinstance(self.start, Cloud):
            states = jnp.moveaxis(jnp.asarray(self.start.states), -1, 0)
            return tuple(states), None, self.start.cumulative()
        if isinstance(self.start, Stationary):
            return (zero,) * count, (zero,) * count, None
        if isinstance(self.start, Factors):
            mean, sd = jnp.asarray(self.start.mean), jnp.asarray(self.start.sd)
            return tuple(mean[:, k] for k in range(count)), tuple(sd[:, k] for k in range(count)), None
        square = jnp.sum(sds**2, axis=1)
        some = square > 0.0
        share = jnp.where(some[:, None], sds**2 / jnp.where(some, square, 1.0)[:, None], 1.0 / count)
        mean = jnp.asarray(self.mean_variance)
        distance = jnp.log(mean if self.variance is None else jnp.asarray(self.variance)) - jnp.log(mean) + 0.5 * square - at_zero
        return tuple(share[:, k] * distance for k in range(count)), None, None

    def init(self, constants: LogVarianceConstants, uniforms=()) -> tuple[Float[Array, " assets"], ...]:
        """The factors, and last what jumps of variance have added where there are such."""
        c, assets, count = constants, self.assets(), self.factors()
        surges = () if c.surges is None else (jnp.zeros_like(c.level),)
        if c.cloud is not None:
            picked = tuple(chosen(c.cloud, states, uniforms[0]) for states in c.initial)
            return picked + surges[len(picked) - count :]
        if c.spread is None:
            return c.initial + surges
        scores = [-ndtri(uniforms[k * assets : (k + 1) * assets]) for k in range(count + len(surges))]
        if not isinstance(self.start, Stationary):
            return tuple(m + s * z for m, s, z in zip(c.initial, c.spread, scores, strict=False)) + surges
        gaussian = tuple(f.sd * correlate(f.factor, z) for f, z in zip(c.factors, scores, strict=False))
        if c.surges is None:
            return gaussian
        assert c.surges.table is not None
        return (*gaussian, c.surges.mean * at_score(c.surges.table, scores[count]))

    def step(
        self,
        constants: LogVarianceConstants,
        state: tuple[Float[Array, " assets"], ...],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[tuple[Float[Array, " assets"], ...], Move]:
        """The compensator is part of `Move.diffusion`, so that `Move.jump` is zero when there is no jump."""
        c, assets, count = constants, self.assets(), self.factors()
        part = lambda k: normals[k * assets : (k + 1) * assets]
        half, noise = c.level, c.complement * correlate(c.factor, part(count))
        following = []
        for k, factor in enumerate(c.factors):
            half = half + 0.5 * factor.to_middle * state[k]
            own = correlate(c.factor, part(k))
            noise = noise + factor.with_price * own
            following.append(state[k] - factor.pull * state[k] + factor.deviation * own)
        if c.surges is not None:
            half = half + 0.5 * c.surges.to_middle * state[count]
        deviation = jnp.exp(half)
        spent = deviation**2
        diffusion = c.drift - 0.5 * spent + deviation * noise
        jump = jnp.zeros_like(diffusion)
        if c.jumps is not None:
            mean, sd, compensator = c.jumps.sizes(c.daily * deviation)
            diffusion = diffusion - compensator
            sizes = normals[(count + 1) * assets :]
            number, root = count_and_root(uniforms[:assets], c.jumps.rates.own)
            jump = number * mean + root * sd * sizes[:assets]
            if assets > 1:
                number, root = count_and_root(uniforms[assets], c.jumps.rates.common)
                jump = jump + number * mean + root * sd * sizes[assets]
        if c.surges is not None:
            old, added = state[count], c.surges.to_middle * c.surges.mean * self._added(c, uniforms)
            following.append(old - c.surges.pull * old + added)
        return tuple(following), Move(diffusion, jump, spent)

    def _added(self, c: LogVarianceConstants, uniforms) -> Float[Array, " assets"]:
        """Sum of a step's jumps of variance, in units of their mean: exponentials, those of common jumps the same for all."""
        assets, surges = self.assets(), c.surges
        assert surges is not None
        sources = assets + (assets > 1)
        first = 0 if c.jumps is None else sources
        if surges.rates is not None:
            more = exceeds(uniforms[first : first + assets], surges.rates.own)
            sizes = -jnp.log(uniforms[first + assets :]).reshape(self.max_jumps, assets)
            return sum(jnp.where(more[k], sizes[k], 0.0) for k in range(self.max_jumps))
        assert c.jumps is not None
        sizes = -jnp.log(uniforms[first:]).reshape(self.max_jumps, sources)
        more = exceeds(uniforms[:assets], c.jumps.rates.own)
        added = sum(jnp.where(more[k], sizes[k, :assets], 0.0) for k in range(self.max_jumps))
        if assets > 1:
            more = exceeds(uniforms[assets], c.jumps.rates.common)
            added = added + sum(jnp.where(more[k], sizes[k, assets], 0.0) for k in range(self.max_jumps))
        return added

    def variance_at(self, state) -> Float[Array, "*paths assets"]:
        """Annualised variance of states, each of whose arrays has the assets last."""
        sds, variance = jnp.asarray(self.factor_sd), jnp.asarray(self.mean_variance)
        exponent = sum(y - 0.5 * sds[:, k] ** 2 for k, y in enumerate(state[: self.factors()]))
        if self.variance_jump_mean is not None:
            shape = self._surges_a_year() * jnp.asarray(self.variance_jump_half_life) / np.log(2.0)
            exponent = exponent + state[-1] + shape * jnp.log1p(-jnp.asarray(self.variance_jump_mean))
        return variance * jnp.exp(exponent)


__all__ = ["LogVariance", "LogVarianceConstants"]

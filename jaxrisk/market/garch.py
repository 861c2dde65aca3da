"""GARCH(1,1) with Student-t innovations."""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from ._noise import correlate, correlation_factor, safe_sqrt
from .base import AbstractMarket, Move, NoiseShape


class GarchConstants(NamedTuple):
    """What `Garch` computes once, for its own step; all of shape `(assets,)` but the step and the correlation's factor."""

    initial: Float[Array, " assets"]
    mean_variance: Float[Array, " assets"]
    pull: Float[Array, " assets"]
    """Share of the distance to the mean variance that a step closes: one less the persistence."""
    reaction: Float[Array, " assets"]
    drift: Float[Array, " assets"]
    years: Float[Array, ""]
    degrees_of_freedom: Float[Array, " assets"]
    factor: Float[Array, "assets assets"]


def student_t(degrees_of_freedom, radius_uniform, angle_uniform) -> Float[Array, "*shape"]:
    r"""Student-t of unit variance from two uniforms, by the polar method (Bailey, 1994).

    $$t = \sqrt{(\nu - 2)(U^{-2/\nu} - 1)}\,\cos 2\pi V,\qquad \nu > 2$$

    >>> round(float(student_t(jnp.asarray(4.0), jnp.asarray(0.25), jnp.asarray(1.0))), 4)
    1.4142
    """
    squared = (degrees_of_freedom - 2.0) * jnp.expm1(-2.0 / degrees_of_freedom * jnp.log(radius_uniform))
    return safe_sqrt(squared) * jnp.cos(2.0 * np.pi * angle_uniform)


class Garch(AbstractMarket):
    r"""GARCH(1,1) with standardised Student-t innovations (Bollerslev, 1987), in annualised variances.

    $$\Delta f = (\mu - \tfrac12 v)\,\Delta t + \sqrt{v\,\Delta t}\;y,\qquad
      v' = \bar v + (\alpha_r + \beta_r)(v - \bar v) + \alpha_r v\,(y^2 - 1)$$

    The parameters are those of a step of `reference_step`. For a step $r$ times as long the persistence is
    $\alpha_r + \beta_r = (\alpha + \beta)^r$, the reaction $\alpha_r = \alpha\sqrt r$ but no more than the persistence, and the
    mean variance stays. This keeps the mean variance, its speed of reversion and, for short steps, the volatility of variance of
    the diffusion limit (Nelson, 1990). It is exact at the reference step only: GARCH is not closed under aggregation in time.

    **Arguments:**

    - `drift`: $\mu$, a year. Shape `(assets,)`.
    - `variance`: $v_0$, annualised. Shape `(assets,)`.
    - `mean_variance`: $\bar v$, annualised. Shape `(assets,)`.
    - `alpha`: $\alpha$, reaction to the squared innovation. Shape `(assets,)`.
    - `beta`: $\beta$, with $\alpha + \beta < 1$. Shape `(assets,)`.
    - `degrees_of_freedom`: $\nu > 2$. Shape `(assets,)`.
    - `correlation`: of the innovations. Shape `(assets, assets)`, positive definite.
    - `reference_step`: years of the step that `alpha` and `beta` were fitted at. Shape `()`.

    The innovations of several assets are $y = Lt$ with independent $t$ and $LL' = C$: unit variances and correlations $C$, but
    each asset after the first then has thinner tails than a Student-t (excess kurtosis $\kappa_t\sum_b L_{ab}^4$ for equal
    $\nu$). And since a Student-t has no exponential moment, $E[e^{f_t}]$ is infinite: $\mu$ is the drift as of a diffusion, and
    no measure should rest on the mean of the price.

    >>> market = Garch([0.0], [0.5], [0.4], [0.1], [0.85], [5.0], [[1.0]], reference_step=1 / 8760)
    >>> constants = market.prepare(jnp.asarray(1 / 8760))
    >>> variance, move = market.step(constants, market.init(constants), jnp.zeros(0), jnp.array([0.5, 0.25]), jnp.asarray(0))
    >>> round(float(variance[0]), 3)
    0.445
    """

    drift: Float[Array, " assets"] = leaf()
    variance: Float[Array, " assets"] = leaf()
    mean_variance: Float[Array, " assets"] = leaf()
    alpha: Float[Array, " assets"] = leaf()
    beta: Float[Array, " assets"] = leaf()
    degrees_of_freedom: Float[Array, " assets"] = leaf()
    correlation: Float[Array, "assets assets"] = leaf()
    reference_step: Float[Array, ""] = leaf()

    brownian_between_steps: ClassVar[bool] = False
    every_day_alike: ClassVar[bool] = False

    def assets(self) -> int:
        return self.drift.shape[0]

    def noise(self) -> NoiseShape:
        """Two uniforms an asset."""
        return NoiseShape(0, 2 * self.assets())

    def prepare(self, years_per_step: Float[Array, ""]) -> GarchConstants:
        years, alpha = jnp.asarray(years_per_step), jnp.asarray(self.alpha)
        ratio = years / self.reference_step
        total = alpha + self.beta
        # at the reference step the shares are taken as they are, without a power's rounding
        pull = jnp.where(ratio == 1.0, 1.0 - total, -jnp.expm1(ratio * jnp.log(jnp.maximum(total, 1e-30))))
        return GarchConstants(
            initial=jnp.asarray(self.variance),
            mean_variance=jnp.asarray(self.mean_variance),
            pull=pull,
            reaction=jnp.minimum(alpha * jnp.sqrt(ratio), 1.0 - pull),
            drift=jnp.asarray(self.drift) * years,
            years=years,
            degrees_of_freedom=jnp.asarray(self.degrees_of_freedom),
            factor=correlation_factor(self.correlation),
        )

    def init(self, constants: GarchConstants, uniforms=()) -> Float[Array, " assets"]:
        """The variance of the first step."""
        return constants.initial

    def step(
        self,
        constants: GarchConstants,
        state: Float[Array, " assets"],
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[Float[Array, " assets"], Move]:
        assets = self.assets()
        independent = student_t(constants.degrees_of_freedom, uniforms[:assets], uniforms[assets:])
        innovation = correlate(constants.factor, independent)
        spent = state * constants.years
        diffusion = constants.drift - 0.5 * spent + safe_sqrt(spent) * innovation
        shift = constants.pull * (constants.mean_variance - state) + constants.reaction * state * (innovation**2 - 1.0)
        return jnp.maximum(state + shift, 0.0), Move(diffusion, jnp.zeros_like(diffusion), spent)


__all__ = ["Garch", "GarchConstants", "student_t"]

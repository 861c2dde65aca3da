"""Prices seen so far: a beginning that is known, after which the law takes over."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from .._leaf import Array, leaf
from .base import Move


class Given(eqx.Module):
    r"""The first prices of the run as they were observed, with whatever impact was in them.

    While they last, the price is theirs and the fundamental is what it must have been: $f_t = \log(S_t/S_0) + I_t$, with the
    impact $I_t$ of what the price itself has liquidated. From then on the fundamental moves by the scenario's law, which starts
    from its own initial state, and the impact goes on relaxing.

    **Arguments:** `log_prices`: $\log(S/S_0)$ at the start, which is 0, and after each of the first steps. Shape
    `(steps_given + 1, assets)`.
    """

    log_prices: Float[Array, "steps_given_and_start assets"] = leaf()

    @property
    def steps(self) -> int:
        """How many steps are given. Static."""
        return self.log_prices.shape[0] - 1

    def hold(self, before: Any, after: Any, move: Move, index: Int[Array, ""]) -> tuple[Any, Move]:
        """State and move of the law: as at the start and none, while prices are given."""
        given = index < self.steps
        state = jax.tree.map(lambda a, b: jnp.where(given, a, b), before, after)
        return state, jax.tree.map(lambda x: jnp.where(given, jnp.zeros_like(x), x), move)

    def fundamental(self, law: Float[Array, " assets"], fall: Float[Array, " assets"], index: Int[Array, ""]):
        """Log-fundamental after step `index`: that of the given price under an impact of `fall`, or else the law's."""
        rows = jnp.asarray(self.log_prices)
        return jnp.where(index < self.steps, rows[jnp.minimum(index + 1, self.steps)] + fall, law)


__all__ = ["Given"]

r"""What leverage limits cost: the open interest that holders give up, and the collateral that they are asked for.

A holder of leverage `l` under a cap `c < l` either takes the smaller position $q\,c/l$ (a share `share_downsize`), which gives up
$q(1 - c/l)$ of open interest, or keeps the position and posts $q(1/c - 1/l)$ of collateral more. Were only the first counted,
caps whose holders post would cost nothing and any budget would be met for free; so the second counts too, by a stated weight
(at one, a dollar called up is as bad as a dollar not traded, and the holder who posts costs 1/c of the one who leaves).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..cascade.blocks import numbers
from ..positions import AbstractPopulation, Limits, apply_limits
from ..positions.limits import binding
from ..positions.population import concatenate
from ..positions.tables import SIDE_SIGN
from ..scenario import Scenario


class Cost(NamedTuple):
    """USD at initial prices: `open_interest` forgone, a contract counted once (the mean of the two sides where both are given,
    demand that reopened elsewhere taken off); `collateral` called up; `total`, with the weight; `gradient` of the total to the
    log caps, shape `(caps,)`."""

    open_interest: float
    collateral: float
    total: float
    gradient: np.ndarray


class Caps(NamedTuple):
    """The caps that are designed: `which` of the scenario's limits, and the logs of the range of each: from 1 to the highest
    leverage among the holders it is for, beyond which it binds nobody."""

    scenario: Scenario
    which: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def of(scenario: Scenario, which: np.ndarray) -> "Caps":
        """Find what holders want without these limits."""
        with numbers(True):
            held = _positions(scenario.cast(jnp.float64))
            highest = [max(1.0, float(_highest(scenario.limits, held, int(k)))) for k in which]
        return Caps(scenario, which, np.zeros(len(which)), np.log(highest))

    @property
    def present(self) -> np.ndarray:
        """Logs of the caps that the scenario has."""
        return np.log(np.asarray(self.scenario.limits.cap, np.float64)[self.which])

    def at(self, x: Any) -> Scenario:
        """The scenario with these caps at `exp(x)`."""
        limits = self.scenario.limits
        if isinstance(x, jax.Array):
            cap = jnp.asarray(limits.cap, x.dtype).at[self.which].set(jnp.exp(x))
        else:
            cap = np.array(limits.cap, np.float64)
            cap[self.which] = np.exp(x)
        return eqx.tree_at(lambda s: s.limits.cap, self.scenario, cap)

    def cost(self, x: np.ndarray, weight: float) -> Cost:
        """What these caps cost against none."""
        with numbers(True):
            logs, most = jnp.asarray(x, jnp.float64), jnp.asarray(self.high, jnp.float64)
            (total, parts), gradient = _cost(self.scenario.bare(), self.which, logs, most, np.asarray(weight, np.float64))
        return Cost(float(parts[0]), float(parts[1]), float(total), np.asarray(gradient))


def _positions(scenario: Scenario):
    contracts = scenario.venues.contracts()
    groups = [
        population.positions(contracts.tiers, contracts.inverse, scenario.price)
        for population in scenario.populations.values()
        if isinstance(population, AbstractPopulation)
    ]
    return concatenate(groups)


def _highest(limits: Limits, held, k: int):
    """Highest finite leverage among the positions that a limit is for."""
    at = lambda field: (getattr(limits, field)[k],)
    one = Limits(jnp.ones(1), jnp.zeros(1), jnp.zeros(1), jnp.zeros(1), jnp.asarray(limits.notional)[k : k + 1],
                 at("account_class"), at("venue"), at("asset"), (False,))  # fmt: skip
    matched = jnp.isfinite(binding(one, held.account_class, held.venue, held.asset, held.notional).cap)
    return jnp.max(jnp.where(matched & (held.quantity > 0.0) & jnp.isfinite(held.leverage), held.leverage, 1.0))


@eqx.filter_jit
def _cost(scenario: Scenario, which, x, high, weight):
    """Total and parts, differentiable in the log caps."""
    scenario = scenario.cast(jnp.float64)
    held, contracts, limits = _positions(scenario), scenario.venues.contracts(), scenario.limits
    direction = jnp.asarray(SIDE_SIGN)[held.side]
    sides = jnp.stack([jnp.sum(jnp.where(direction == sign, held.quantity, 0.0)) for sign in SIDE_SIGN])
    contract = 1.0 / jnp.maximum(jnp.sum(sides > 0.0), 1)
    count = held.quantity.shape[0]

    def parts(logs):
        caps = jnp.asarray(limits.cap).at[which].set(jnp.exp(logs))
        placed = apply_limits(held, contracts, eqx.tree_at(lambda one: one.cap, limits, caps))
        quantity = jnp.where(placed.alive, placed.positions.quantity, 0.0)
        return jnp.sum(quantity), quantity[:count], placed.margin[:count]

    free, _, wanted = parts(high)

    def total(logs):
        left, kept, margin = parts(logs)
        # at the initial price: what those who keep their position post above what they would have
        called = contract * jnp.sum(kept * jnp.exp(held.log_entry) * (margin - wanted))
        forgone = contract * (free - left)
        return forgone + weight * called, (forgone, called)

    return jax.value_and_grad(total, has_aux=True)(x)


__all__ = ["Caps", "Cost"]

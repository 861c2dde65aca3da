r"""What an observed price did to a book, and what the price would have been without: the engine run along a real path.

With the price given at every step, the book, the backlog and the displaced volume are functions of it and of the scenario's
numbers. The fundamental that the price implies is $f_t = \log S_t + I_t(S_{0..t})$, so that a law for the moves of $f$ is a law
for those of $S$: $p(S_t | S_{<t}) = p(f_t | f_{<t}) \,|\partial f_t / \partial \log S_t|$, with $\partial f_t/\partial \log S_t =
1 + \partial I_t / \partial \log S_t$, one less the share that forced orders have in a move.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from ..._leaf import Array
from ...cascade import prepare
from ...cascade.state import Noise
from ...cascade.step import start, step
from ...market import Given, Replay
from ...positions import Nodes
from ...scenario import Scenario

FEW: Nodes = (512, 2, 4)
"""Enough for a smooth ladder: a calibration builds it again and again."""
SMALL = 0.0025
"""Log price: half the move over which the share of a move that is exogenous is measured, the bandwidth of the fragility map. At a
point a square-root law has an infinite slope where displaced volume changes its sign."""


class Pinned(NamedTuple):
    """One path step by step; the first axis is steps.

    `fundamental`: log, implied; `exogenous_share`: of a move of the price, its fundamental's part; both `(steps, assets)`;
    `liquidated`: cumulative, USD, `(steps, venues, assets, sides)`; `open_interest`: a side, USD at the initial price,
    `(steps, venues, assets)`; `held`: the same at the start, `(venues, assets)`.
    """

    fundamental: Float[Array, "steps assets"]
    exogenous_share: Float[Array, "steps assets"]
    liquidated: Float[Array, "steps venues assets sides"]
    open_interest: Float[Array, "steps venues assets"]
    held: Float[Array, "venues assets"]


def pinned(scenario: Scenario, dtype=jnp.float64, nodes: Nodes = FEW) -> Pinned:
    """Run a scenario of one asset along its `given` prices, which have to last to the end.

    **Raises:** `ValueError` where there are no given prices, fewer than steps, or several assets.
    """
    given, steps = scenario.given, scenario.settings.steps
    if given is None or given.steps < steps or given.log_prices.shape[1] != 1:
        raise ValueError(f"the price of one asset has to be given at each of the {steps} steps")
    flat = jnp.zeros((2, given.log_prices.shape[1]), dtype)
    prepared = prepare(scenario.replace(market=Replay(flat)), dtype, nodes)
    rows = jnp.asarray(given.log_prices, dtype)
    nothing = Noise(jnp.zeros(0, dtype), jnp.zeros(0, dtype), None)

    def body(state, index):
        def advance(row):
            moved = Given(rows.at[index + 1].set(row))
            return step(prepared._replace(scenario=prepared.scenario.replace(given=moved)), state, nothing, index)

        # a central difference: a derivative in every step takes minutes to compile
        near = rows[index + 1] + SMALL * jnp.asarray([[0.0], [1.0], [-1.0]], dtype)
        states = jax.vmap(advance)(near)
        share = (states.fundamental[1] - states.fundamental[2]) / (2.0 * SMALL)
        state = jax.tree.map(lambda x: x[0], states)
        held = prepared.book.open_interest(state.book)[..., 0]
        return state, (state.fundamental, share, state.seen.notional, held)

    begin = start(prepared, jnp.zeros(1, dtype))
    held = prepared.book.open_interest(prepared.book.init())[..., 0]
    _, (fundamental, share, liquidated, left) = jax.lax.scan(body, begin, jnp.arange(steps, dtype=jnp.int32))
    return Pinned(fundamental, share, liquidated, left, held)


__all__ = ["Pinned", "pinned"]

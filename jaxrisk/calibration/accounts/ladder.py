"""How much open interest is liquidated within a move of the price: the engine's own book, looked at before anything happens."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ...cascade import prepare
from ...scenario import Scenario

MOVES = (0.02, 0.05, 0.10, 0.20, 0.30)
SIDES = ("long", "short")


class Ladder(NamedTuple):
    """`share` of a side's open interest whose liquidation price lies within each of the `moves` (fractions of the price, a fall
    for longs, a rise for shorts), by (asset, side); `open_interest`: USD a side, by asset."""

    moves: tuple[float, ...]
    share: dict[tuple[str, str], np.ndarray]
    open_interest: dict[str, float]


def ladder(scenario: Scenario, moves: tuple[float, ...] = MOVES) -> Ladder:
    """The ladder of a scenario at its start, under its tiers and limits, all venues together.

    Open interest that has no leverage counts in the whole, and is never reached.
    """
    distances = np.array([-np.log1p(-np.array(moves)), np.log1p(np.array(moves))], np.float32)
    *reached, held = _look(scenario.bare(), distances)
    reached, whole = [np.asarray(one, np.float64) for one in reached], np.asarray(held, np.float64).sum(axis=0)
    share = {}
    for place, asset in enumerate(scenario.names.assets):
        for side, name in enumerate(SIDES):
            if whole[place, side] > 0.0:
                share[asset, name] = reached[side][:, place, side].sum(axis=0) / whole[place, side]
    return Ladder(tuple(moves), share, dict(zip(scenario.names.assets, map(float, whole[:, 0]), strict=True)))


@eqx.filter_jit
def _look(scenario: Scenario, distances):
    """Quantity reached by longs and by shorts, and open interest."""
    book = prepare(scenario, jnp.float32).book
    return book.triggered(distances[0]), book.triggered(distances[1]), book.open_interest(book.init())


__all__ = ["MOVES", "Ladder", "ladder"]

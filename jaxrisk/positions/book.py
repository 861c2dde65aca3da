"""What every representation of the positions has to offer, so that the step does not know which it has."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Float

from .._leaf import Array


class AbstractBook(eqx.Module):
    """Positions of all venues, assets and sides during a simulation.

    Quantities are open interest in USD: coins times S_0, or the dollars of coin-margined contracts. Shape
    `(venues, assets, sides)` with side 0 long, 1 short.
    Longs equal shorts in quantity on every venue and asset, at every step.
    """

    @abc.abstractmethod
    def init(self) -> Any:
        """State at time zero: nothing triggered."""

    @abc.abstractmethod
    def trigger(self, state: Any, low: Float[Array, "venues assets"], high: Float[Array, "venues assets"]) -> Any:
        """Move into the backlog what is under maintenance margin, given the lowest and highest log mark so far."""

    @abc.abstractmethod
    def execute(
        self,
        state: Any,
        share: Float[Array, " venues"],
        closes_opposite: Float[Array, " venues"],
    ) -> tuple[Any, Float[Array, "venues assets sides"], Float[Array, "venues assets sides"]]:
        """Close a share of the backlog; returns the state, what was closed of each side by force, and what holders of each
        side closed voluntarily by taking the other end."""

    @abc.abstractmethod
    def open_interest(self, state: Any) -> Float[Array, "venues assets sides"]:
        """Quantity still held, levered and unlevered, the backlog included."""


__all__ = ["AbstractBook"]

"""What every process for the exogenous price has to offer, and nothing else."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Float, Int

from .._leaf import Array


class NoiseShape(NamedTuple):
    """How many standard normals and how many uniforms on (0, 1) one step consumes, and how many uniforms the state at time zero
    (`first`). Static."""

    normals: int
    uniforms: int
    first: int = 0


class Move(eqx.Module):
    """One step's move of the log-fundamentals.

    **Fields**, each of shape `(assets,)`:

    - `diffusion`: log-return without the jumps.
    - `jump`: log-return from the jumps (zeros for a process without).
    - `variance`: variance of the diffusive part over this step, which the Brownian-bridge correction needs.
    """

    diffusion: Float[Array, " assets"]
    jump: Float[Array, " assets"]
    variance: Float[Array, " assets"]


class AbstractMarket(eqx.Module):
    """A law for the log-fundamentals of all assets, one step of one path at a time.

    The noise is an input: the engine draws it, so that a path can be replayed, shifted, optimised over or shared between
    scenarios without the process knowing.
    """

    brownian_between_steps: eqx.AbstractClassVar[bool]
    """Whether the path between two steps is a Brownian bridge (apart from jumps): then the crossing correction is exact."""

    every_day_alike: eqx.AbstractClassVar[bool]
    """Whether a path starts as on any day: the law remembers nothing that a day could start with, such as a variance."""

    @abc.abstractmethod
    def assets(self) -> int:
        """Number of assets. Static."""

    @abc.abstractmethod
    def noise(self) -> NoiseShape:
        """What one step, and the state at time zero, consume. Static."""

    @abc.abstractmethod
    def prepare(self, years_per_step: Float[Array, ""]) -> Any:
        """Everything that does not change from step to step, computed once, outside the scan."""

    @abc.abstractmethod
    def init(self, constants: Any, uniforms: Any = ()) -> Any:
        """State at time zero; `uniforms`: as many as `noise().first` says, of a path's own."""

    @abc.abstractmethod
    def step(
        self,
        constants: Any,
        state: Any,
        normals: Float[Array, " normals"],
        uniforms: Float[Array, " uniforms"],
        index: Int[Array, ""],
    ) -> tuple[Any, Move]:
        """Advance one step; `index` counts steps from 0."""


__all__ = ["AbstractMarket", "Move", "NoiseShape"]

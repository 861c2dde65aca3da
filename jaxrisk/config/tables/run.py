"""`[run]`, `[assets.*]`, `[depth]` and `[channels]`."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import Field

from ...observables import MOST_SAMPLE_PATHS
from ...units import SECONDS, readable
from .by_name import ByAsset, BySomeAssets
from .table import Table, Wrong
from .values import USD, WHOLE, Duration, Share, Volatility, Whole

SHORTEST_STEP, LONGEST_STEP, LONGEST_HORIZON = SECONDS["s"], SECONDS["d"], 3650 * SECONDS["d"]
Book = Literal["ladder", "account", "flow"]
BOOKS: tuple[str, ...] = get_args(Book)
_Price = Annotated[float, Field(gt=0, json_schema_extra=USD)]


class Run(Table):
    """How long, how fine, how often."""

    horizon: Duration = Field(description="simulated time")
    step: Duration | None = Field(None, description="length of a time step; this or steps")
    steps: Annotated[int, Field(ge=1, le=10**8), WHOLE] | None = Field(None, description="number of time steps; this or step")
    paths: Whole = Field(10_000, ge=1, le=2**32, description="number of paths")
    seed: Whole = Field(1, ge=0, le=2**63 - 1, description="seed of the random numbers")
    precision: Literal["float32", "float64"] = Field("float32", description="floating-point precision")
    sample_paths: Whole = Field(0, ge=0, le=MOST_SAMPLE_PATHS, description="whole paths kept in the result")
    bridge: Literal["auto", "on", "off"] = Field(
        "auto", description="Brownian-bridge correction between steps; auto is on where exact"
    )
    rounds: Whole = Field(1, ge=1, le=64, description="fixed-point rounds inside a step")
    book: Book = Field(
        "ladder",
        description="how positions are represented: by liquidation price, account by account (cross margin, funding), or as open "
        "interest that closes and opens",
    )
    owed_by_class: bool = Field(
        False, description="whether it is followed by class who owes beyond the collateral, and who pays that"
    )
    leverage_buckets: list[Annotated[float, Field(gt=0)]] = Field(
        [],
        max_length=12,
        description="upper ends of buckets of leverage, by which accounts are counted too",
        json_schema_extra={"allowed": "a list of numbers above 0, rising, such as [2, 5, 10, 20, 50]"},
    )
    support: BySomeAssets[_Price] | None = Field(None, description="price whose break and overshoot are observed")

    def between(self) -> Iterator[Wrong]:
        """The time grid, and a bridge that needs another book."""
        yield from self._one_of_step_and_steps()
        if self.book == "account" and self.bridge == "on":
            text = 'has to be "auto" or "off" with book "account", which judges accounts by the prices at the ends of steps'
            yield Wrong("bridge", self.bridge, text)
        if self.book == "flow" and self.owed_by_class:
            text = 'has to be false with book "flow", which does not know whose later positions it closes'
            yield Wrong("owed_by_class", True, text)
        edges = self.leverage_buckets or []
        if any(high <= low for low, high in pairwise(edges)):
            yield Wrong("leverage_buckets", edges, "has to rise: each upper end above the one before")
        if self.book == "flow" and edges:
            text = 'has to be empty with book "flow", whose later positions have leverages of their own'
            yield Wrong("leverage_buckets", edges, text)
        if self.horizon is not None and self.horizon.seconds > LONGEST_HORIZON:
            yield Wrong("horizon", self.horizon, "has to be at most 3650d")
        if self.step is not None and not SHORTEST_STEP <= self.step.seconds <= LONGEST_STEP:
            yield Wrong("step", self.step, "has to be from 1s to 1d")
        if self.horizon is None:
            return
        horizon = self.horizon.seconds
        if self.step is not None and (horizon % self.step.seconds or horizon < self.step.seconds):
            near = max(1, round(horizon / self.step.seconds)) * self.step.seconds
            text = f"has to be a whole multiple of the step, which is {self.step}"
            yield Wrong("horizon", self.horizon, text, readable(near))
        if self.steps is not None and self.step is None:
            length = horizon / self.steps
            if not SHORTEST_STEP <= length <= LONGEST_STEP:
                text = f"makes a step of {float(length):g} s; it has to be from 1s to 1d"
                yield Wrong("steps", self.steps, text)

    def _one_of_step_and_steps(self) -> Iterator[Wrong]:
        given = self.model_fields_set & {"step", "steps"}
        if len(given) == 2:
            yield Wrong("steps", self.steps, "step and steps are both given; exactly one of them is needed")
        if not given:
            text = 'missing; needs step, a duration such as "1min", or steps, a whole number'
            yield Wrong("step", None, text, missing=True)

    @property
    def step_seconds(self) -> Fraction:
        """Length of a step, exactly."""
        return self.step.seconds if self.step is not None else self.horizon.seconds / (self.steps or 1)

    @property
    def count(self) -> int:
        """Number of steps."""
        return int(self.horizon.seconds / self.step_seconds)


class Asset(Table):
    """An asset."""

    price: float = Field(gt=0, description="price at the start", json_schema_extra={"unit": "USD a coin"})
    index_weight: Share | None = Field(None, description="weight in the index; by default its share of open interest")


class Depth(Table):
    """Withdrawal of depth."""

    exponent: ByAsset[Annotated[float, Field(ge=0, le=10)]] = Field(description="power of reference over realised volatility")
    reference_volatility: ByAsset[Volatility] = Field(description="volatility up to which depth is normal")
    measurement_half_life: ByAsset[Duration] = Field(description="half-life of the realised volatility's weights")
    recovery_half_life: ByAsset[Duration] = Field(description="half-life of depth coming back")
    floor: ByAsset[Annotated[float, Field(gt=0, le=1)]] = Field(0.1, description="smallest share of depth left")


class Channels(Table):
    """Multipliers that switch parts of the model off."""

    feedback: Share = Field(1.0, description="of all price impact")
    depth_withdrawal: Share = Field(1.0, description="of the withdrawal of depth")
    stops: Share = Field(1.0, description="of stop orders")
    calls: Share = Field(1.0, description="of the holders who meet a margin call")
    deleveraging: Share = Field(1.0, description="of what is auto-deleveraged")
    common_holders: Share = Field(1.0, description="of what common holders sell of other assets")


__all__ = ["BOOKS", "Asset", "Channels", "Depth", "Run"]

"""The keys of `[run]`, `[assets]`, `[impact]`, `[depth]`, `[channels]` and of the rows of limits."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ..observables import MOST_SAMPLE_PATHS
from .containers import ListOf, PerAsset
from .matrices import NO_PAIRS, CommonHolders, Cross
from .table import ByAsset, Refuse, Table
from .units import SECONDS, Span, readable
from .values import Choice, Context, Duration, Flag, Kind, NameOf, Number, Refused, Text, Whole

SHORTEST_STEP, LONGEST_STEP, LONGEST_HORIZON = SECONDS["s"], SECONDS["d"], 3650 * SECONDS["d"]
SHARE_TOLERANCE = 1e-6
SHARE = Number("", at_least=0.0, at_most=1.0)
PRICE = Number("", "USD", above=0.0)
_ANY_SIZE = [0.0, float("inf")]
BOOKS = ("ladder", "account", "flow")
_POINTS = ListOf("", Number(""), at_least=2)


class Run(Table):
    """How long, how fine, how often."""

    horizon: Annotated[Span, Duration("simulated time")]
    step: Annotated[Span | None, Duration("length of a time step; this or steps")] = None
    steps: Annotated[int | None, Whole("number of time steps; this or step", at_least=1, at_most=10**8)] = None
    paths: Annotated[int, Whole("number of paths", at_least=1, at_most=2**32)] = 10_000
    seed: Annotated[int, Whole("seed of the random numbers", at_least=0, at_most=2**63 - 1)] = 1
    precision: Annotated[str, Choice("floating-point precision", ("float32", "float64"))] = "float32"
    sample_paths: Annotated[int, Whole("whole paths kept in the result", at_least=0, at_most=MOST_SAMPLE_PATHS)] = 0
    bridge: Annotated[str, Choice("Brownian-bridge correction between steps; auto is on where exact", ("auto", "on", "off"))] = (
        "auto"
    )
    rounds: Annotated[int, Whole("fixed-point rounds inside a step", at_least=1, at_most=64)] = 1
    book: Annotated[
        str,
        Choice(
            "how positions are represented: by liquidation price, account by account (cross margin, funding), or as open "
            "interest that closes and opens",
            BOOKS,
        ),
    ] = "ladder"
    support: Annotated[ByAsset | None, PerAsset("price whose break and overshoot are observed", PRICE, partial=True)] = None

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.book == "account" and v.bridge == "on":
            text = 'has to be "auto" or "off" with book "account", which judges accounts by the prices at the ends of steps'
            refuse("bridge", v.bridge, text)
        if v.horizon is not None and v.horizon.seconds > LONGEST_HORIZON:
            refuse("horizon", v.horizon, "has to be at most 3650d")
        if v.step is not None and not SHORTEST_STEP <= v.step.seconds <= LONGEST_STEP:
            refuse("step", v.step, "has to be from 1s to 1d")
        if v.horizon is None:
            return
        horizon = v.horizon.seconds
        if v.step is not None and v.step.seconds and (horizon % v.step.seconds or horizon < v.step.seconds):
            near = max(1, round(horizon / v.step.seconds)) * v.step.seconds
            refuse("horizon", v.horizon, f"has to be a whole multiple of the step, which is {v.step}", readable(near))
        if v.steps is not None and v.step is None:
            length = horizon / v.steps
            if not SHORTEST_STEP <= length <= LONGEST_STEP:
                refuse("steps", v.steps, f"makes a step of {float(length):g} s; it has to be from 1s to 1d")

    @property
    def step_seconds(self):
        """Length of a step, exactly."""
        return self.step.seconds if self.step is not None else self.horizon.seconds / (self.steps or 1)

    @property
    def count(self) -> int:
        """Number of steps."""
        return int(self.horizon.seconds / self.step_seconds)


class Asset(Table):
    """An asset."""

    price: Annotated[float, Number("price at the start", "USD a coin", above=0.0)]
    index_weight: Annotated[
        float | None, Number("weight in the index; by default its share of open interest", at_least=0.0, at_most=1.0)
    ] = None


class TemporaryTable(Table):
    """Impact of the rate of execution, gone within minutes."""

    coefficient: Annotated[ByAsset, PerAsset("prefactor eta", Number("", at_least=0.0, at_most=1e3))]
    exponent: Annotated[ByAsset, PerAsset("exponent beta", Number("", above=0.0, at_most=1.0))] = 0.6
    half_life: Annotated[Span | dict[str, Span], PerAsset("half-life of the average rate, minutes", Duration(""))]
    daily_volatility: Annotated[
        ByAsset | None,
        PerAsset(
            "standard deviation of a day's log-return; that of a power law if not given",
            Number("", "a fraction; 0.03 is 3%", above=0.0, at_most=2.0),
        ),
    ] = None
    daily_volume: Annotated[
        ByAsset | None, PerAsset("traded volume; that of a power law if not given", Number("", "USD a day", above=0.0))
    ] = None


class _Impact(Table):
    resilience_half_life: Annotated[
        Span | dict[str, Span], PerAsset("half-life of the displaced volume that does not stay", Duration(""))
    ]
    permanent_share: Annotated[
        ByAsset,
        PerAsset("share of displaced volume that stays; under a square-root law 0.1 of it leaves 32% of the impact", SHARE),
    ] = 0.0
    cross_: Annotated[Any, Cross("share of one asset's displaced volume that counts for another"), Field(alias="cross")] = (
        NO_PAIRS
    )
    common_holders: Annotated[
        Any,
        CommonHolders("USD of the second asset that holders of both sell for each forced dollar of the first; none if not given"),
    ] = None


class LinearLaw(_Impact):
    """Impact linear in volume."""

    law: Literal["linear"]
    depth: Annotated[ByAsset, PerAsset("depth of the book", Number("", "USD per unit of log price", above=0.0))]


class PowerLaw(_Impact):
    """Impact as a power of volume."""

    law: Literal["power"]
    coefficient: Annotated[ByAsset, PerAsset("prefactor Y, of order one", Number("", at_least=0.0, at_most=1e3))]
    daily_volatility: Annotated[
        ByAsset,
        PerAsset("standard deviation of a day's log-return", Number("", "a fraction; 0.03 is 3%", above=0.0, at_most=2.0)),
    ]
    daily_volume: Annotated[ByAsset, PerAsset("traded volume", Number("", "USD a day", above=0.0))]
    exponent: Annotated[ByAsset, PerAsset("exponent delta", Number("", above=0.0, at_most=1.0))] = 0.5


@dataclass(frozen=True)
class _Curve(Kind):
    """A list of numbers for all assets, or a table of one list an asset."""

    of: ListOf = _POINTS

    @property
    def allowed(self) -> str:
        return f"{self.of.allowed}, or a table of such lists, one for each asset"

    def read(self, value: Any, context: Context) -> Any:
        return PerAsset(self.what, self.of).read(value, context)

    def json(self) -> dict[str, Any]:
        return PerAsset(self.what, self.of).json()


class TableLaw(_Impact):
    """Impact read from a table of volume and move."""

    law: Literal["table"]
    volume: Annotated[Any, _Curve("net sold volume, rising, USD; at and above 0 for a table that is the same both ways")] = None
    move: Annotated[Any, _Curve("fall of the log price at each volume, rising")] = None
    file: Annotated[str | dict[str, str] | None, PerAsset("table with the columns volume_usd and log_move", Text("table"))] = None

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.volume is None and v.move is None and v.file is None:
            refuse("volume", None, "missing; needs volume and move, or file", missing=True)


class DepthTable(Table):
    """Withdrawal of depth."""

    exponent: Annotated[ByAsset, PerAsset("power of reference over realised volatility", Number("", at_least=0.0, at_most=10.0))]
    reference_volatility: Annotated[
        ByAsset,
        PerAsset("volatility up to which depth is normal", Number("", "a square-root year; 0.6 is 60%", above=0.0, at_most=20.0)),
    ]
    measurement_half_life: Annotated[
        Span | dict[str, Span], PerAsset("half-life of the realised volatility's weights", Duration(""))
    ]
    recovery_half_life: Annotated[Span | dict[str, Span], PerAsset("half-life of depth coming back", Duration(""))]
    floor: Annotated[ByAsset, PerAsset("smallest share of depth left", Number("", above=0.0, at_most=1.0))] = 0.1


class ChannelsTable(Table):
    """Multipliers that switch parts of the model off."""

    feedback: Annotated[float, Number("of all price impact", at_least=0.0, at_most=1.0)] = 1.0
    depth_withdrawal: Annotated[float, Number("of the withdrawal of depth", at_least=0.0, at_most=1.0)] = 1.0
    stops: Annotated[float, Number("of stop orders", at_least=0.0, at_most=1.0)] = 1.0
    calls: Annotated[float, Number("of the holders who meet a margin call", at_least=0.0, at_most=1.0)] = 1.0
    deleveraging: Annotated[float, Number("of what is auto-deleveraged", at_least=0.0, at_most=1.0)] = 1.0
    common_holders: Annotated[float, Number("of what common holders sell of other assets", at_least=0.0, at_most=1.0)] = 1.0


@dataclass(frozen=True)
class _Range(Kind):
    @property
    def allowed(self) -> str:
        return "two numbers [from, to), USD, at least 0 and rising; the second may be inf"

    def read(self, value: Any, context: Context) -> list[float]:
        bound = Number("", at_least=0.0, may_be_infinite=True)
        if isinstance(value, list) and len(value) == 2:
            try:
                low, high = (bound.read(item, context) for item in value)
            except Refused:
                raise self.refuse(value) from None
            if low < high:
                return [low, high]
        raise self.refuse(value)

    def json(self) -> dict[str, Any]:
        return {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": 0.0}}


class Cap(Table):
    """A leverage limit."""

    account_class: Annotated[str, Text("class of account, or *"), Field(alias="class")] = "*"
    venue: Annotated[str, NameOf("venue, or *", "venues", any_word=True)] = "*"
    asset: Annotated[str, NameOf("asset, or *", "assets", any_word=True)] = "*"
    notional: Annotated[list[float], _Range("account notional within which the limit holds")] = _ANY_SIZE
    cap: Annotated[float, Number("highest leverage", at_least=1.0, at_most=1e6)]
    share_downsize: Annotated[
        float, Number("share of capped holders who keep their collateral and take a smaller position", at_least=0.0, at_most=1.0)
    ]
    leakage: Annotated[
        float, Number("share of displaced demand that reopens where no limit holds", at_least=0.0, at_most=1.0)
    ] = 0.0
    close_out: Annotated[
        float, Number("share of the initial margin below which a position is closed; 0 for none", at_least=0.0, below=1.0)
    ] = 0.0
    negative_balance_protection: Annotated[bool, Flag("whether the holder's loss ends at the collateral")] = False


LAWS: dict[str, type[Table]] = {"linear": LinearLaw, "power": PowerLaw, "table": TableLaw}

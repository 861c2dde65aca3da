"""The keys of `[market]`, one model for each process, and of `[shock]`."""

from typing import Annotated, Any, Literal

from pydantic import field_serializer

from .containers import ColumnNames, ListOf, PerAsset
from .matrices import NO_PAIRS, Correlation
from .start import FromFactors, StartFrom, written
from .table import ByAsset, Refuse, Table
from .units import Span
from .values import Duration, Flag, Moment, NameOf, Number, Text, Whole

Drift = Annotated[
    ByAsset, PerAsset("drift of the price: E[S_T] = S_0 exp(drift T)", Number("", "a year", at_least=-20.0, at_most=20.0))
]
_SHARE = Number("", at_least=0.0, at_most=1.0)
_VARIANCE = Number("", "a year; 0.36 is a volatility of 60%", above=0.0, at_most=400.0)
_COLUMNS = Annotated[
    dict[str, str] | None, ColumnNames("the file's own names of columns", ("time", "open", "high", "low", "close", "volume"))
]
_DAY_FIRST = Annotated[bool | None, Flag("whether the day comes first in the file's dates, as in 05.08.2024; by default not")]
_COLUMN = Annotated[str | None, Text("column of the price file; by default the asset's name, else price, else close")]


class _Correlated(Table):
    drift: Drift = 0.0
    correlation: Annotated[Any, Correlation("correlation of the assets' diffusive moves; identity if not given")] = NO_PAIRS


class _Diffusion(_Correlated):
    volatility: Annotated[ByAsset, PerAsset("volatility", Number("", "a square-root year; 0.6 is 60%", above=0.0, at_most=20.0))]


_COMMON = Annotated[float, Number("probability that a jump is common to all assets", at_least=0.0, at_most=1.0)]
_MOST = Annotated[
    int | None, Whole("most jumps a step; by default so many that more have a probability below 1e-10", at_least=1, at_most=64)
]
_RATE = Number("", "a year", at_least=0.0, at_most=1e5)
_LOG_SIZE = Number("", "log price", at_least=-5.0, at_most=5.0)
_LOG_SPREAD = Number("", "log price", at_least=0.0, at_most=5.0)
_DAILY = "daily volatilities of the moment"
_SCALED = Number("", _DAILY, at_least=-50.0, at_most=50.0)
_SCALED_SPREAD = Number("", _DAILY, at_least=0.0, at_most=50.0)


class _Jumps(Table):
    jump_rate: Annotated[ByAsset, PerAsset("expected jumps", _RATE)]
    common_jump_probability: _COMMON = 0.0
    max_jumps: _MOST = None


class _NormalJumps(_Jumps):
    jump_mean: Annotated[ByAsset, PerAsset("mean of a jump's log size", _LOG_SIZE)]
    jump_sd: Annotated[ByAsset, PerAsset("standard deviation of a jump's log size", _LOG_SPREAD)]


class Started(_Correlated):
    """A law that remembers its variance: it starts from one that is given, or as `start` says."""

    variance: Annotated[ByAsset | None, PerAsset("variance at the start; this or start", _VARIANCE)] = None
    start: Annotated[Any, StartFrom("from where a path starts; this or variance")] = None

    @field_serializer("start")
    def _written(self, start: Any) -> Any:
        return written(start)


class _StochasticVariance(Started):
    mean_variance: Annotated[ByAsset, PerAsset("mean that the variance reverts to", _VARIANCE)]
    reversion: Annotated[ByAsset, PerAsset("speed of reversion", Number("", "a year", above=0.0, at_most=1e5))]
    vol_of_variance: Annotated[ByAsset, PerAsset("volatility of the variance", Number("", "a year", at_least=0.0, at_most=1e3))]
    leverage_correlation: Annotated[
        ByAsset, PerAsset("correlation of a return with its variance's move", Number("", at_least=-1.0, at_most=1.0))
    ] = 0.0
    scheme: Literal["qe", "full_truncation"] = "qe"


class GBM(_Diffusion):
    """Geometric Brownian motion."""

    process: Literal["gbm"]


class Merton(_Diffusion, _NormalJumps):
    """Geometric Brownian motion with normal jumps."""

    process: Literal["merton"]


class Kou(_Diffusion, _Jumps):
    """Geometric Brownian motion with double-exponential jumps."""

    process: Literal["kou"]
    up_probability: Annotated[ByAsset, PerAsset("probability that a jump is upward", _SHARE)]
    up_rate: Annotated[
        ByAsset,
        PerAsset("rate eta_1 of upward jumps, whose mean is 1/eta_1", Number("", "per log price", above=1.0, at_most=1e6)),
    ]
    down_rate: Annotated[ByAsset, PerAsset("rate eta_2 of downward jumps", Number("", "per log price", above=0.0, at_most=1e6))]


class Heston(_StochasticVariance):
    """Stochastic variance."""

    process: Literal["heston"]


class Bates(_StochasticVariance, _NormalJumps):
    """Stochastic variance with normal jumps."""

    process: Literal["bates"]


def _numbers(value: Any) -> list[float]:
    """Of a number for all assets, or one for each; none where it is in error."""
    return list(value.values()) if isinstance(value, dict) else [value or 0.0]


_PER_FACTOR = "each factor's, a list for all assets or one for each"
_MOST_FACTORS = 5


class LogVariance(Started):
    """Log variance as a sum of factors, with jumps that grow with the volatility."""

    process: Literal["log_variance"]
    start: Annotated[Any, StartFrom("from where a path starts; this or variance", factors=True)] = None
    mean_variance: Annotated[ByAsset, PerAsset("stationary mean of the variance", _VARIANCE)]
    half_life: Annotated[Any, PerAsset(f"half-lives, {_PER_FACTOR}", ListOf("", Duration(""), at_least=1))]
    factor_sd: Annotated[
        Any,
        PerAsset(
            f"stationary standard deviations of the log variance, {_PER_FACTOR}",
            ListOf("", Number("", "log variance", at_least=0.0, at_most=5.0), at_least=1),
        ),
    ]
    leverage_correlation: Annotated[
        Any,
        PerAsset(
            f"correlations of a return with the factor's move, {_PER_FACTOR}",
            ListOf("", Number("", at_least=-1.0, at_most=1.0), at_least=1),
        ),
    ] = None
    jump_rate: Annotated[ByAsset, PerAsset("expected jumps", _RATE)] = 0.0
    jump_mean: Annotated[ByAsset, PerAsset("mean of a jump's log size, its fixed part", _LOG_SIZE)] = 0.0
    jump_sd: Annotated[ByAsset, PerAsset("standard deviation of a jump's log size, its fixed part", _LOG_SPREAD)] = 0.0
    scaled_jump_mean: Annotated[ByAsset, PerAsset("mean of a jump's log size, the part that grows", _SCALED)] = 0.0
    scaled_jump_sd: Annotated[ByAsset, PerAsset("its standard deviation, the part that grows", _SCALED_SPREAD)] = 0.0
    common_jump_probability: _COMMON = 0.0
    variance_jump_mean: Annotated[
        ByAsset | None,
        PerAsset(
            "mean of the exponential that a jump adds to the log variance", Number("", "log variance", above=0.0, below=1.0)
        ),
    ] = None
    variance_jump_half_life: Annotated[Any, PerAsset("half-life of what a jump has added", Duration(""))] = None
    variance_jump_rate: Annotated[
        ByAsset | None,
        PerAsset("jumps of the variance alone; by default one with every jump of the price", _RATE),
    ] = None
    max_jumps: _MOST = None

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        lengths: dict[str, int] = {}
        for key in ("half_life", "factor_sd", "leverage_correlation"):
            value = getattr(v, key)
            for name, row in value.items() if isinstance(value, dict) else [("", value)] if value is not None else []:
                place = f"{key}.{name}" if name else key
                if len(row) > _MOST_FACTORS:
                    refuse(place, row, f"has {len(row)} factors; at most {_MOST_FACTORS} are allowed")
                elif len(set(lengths.values()) | {len(row)}) > 1:
                    first = next(iter(lengths))
                    refuse(place, row, f"has to have a number for each factor, of which {first} has {lengths[first]}")
                    continue
                lengths[place] = len(row)
                total = sum(x * x for x in row) if key == "leverage_correlation" else 0.0
                if total > 1.0:
                    refuse(place, row, f"the sum of the squares has to be at most 1; it is {total:g}")
        for key in ("variance_jump_half_life", "variance_jump_rate"):
            if getattr(v, key) is not None and v.variance_jump_mean is None:
                refuse(key, getattr(v, key), "goes with variance_jump_mean, which is not given")
        if v.variance_jump_mean is not None and v.variance_jump_rate is None and not any(_numbers(v.jump_rate)):
            text = "missing; without jumps of the price those of the variance need a rate of their own"
            refuse("variance_jump_rate", None, text, missing=True)
        start = v.start
        if isinstance(start, FromFactors) and lengths:
            count = next(iter(lengths.values()))
            for key in ("factors", "sd"):
                value = getattr(start, key)
                for name, row in value.items() if isinstance(value, dict) else [("", value)]:
                    if len(row) != count:
                        place = f"start.{key}" + (f".{name}" if name else "")
                        refuse(place, row, f"has to have a number for each of the law's {count} factors")


class Garch(_Correlated):
    """GARCH(1,1) with Student-t innovations."""

    process: Literal["garch"]
    variance: Annotated[ByAsset, PerAsset("annualised variance at the start", _VARIANCE)]
    mean_variance: Annotated[ByAsset, PerAsset("annualised long-run variance", _VARIANCE)]
    alpha: Annotated[ByAsset, PerAsset("weight of the last squared return, per reference step", _SHARE)]
    beta: Annotated[ByAsset, PerAsset("weight of the last variance, per reference step", _SHARE)]
    degrees_of_freedom: Annotated[ByAsset, PerAsset("of Student's t", Number("", above=2.0, at_most=1e6))]
    reference_step: Annotated[Span, Duration("step to which alpha and beta belong")]

    @classmethod
    def cross(cls, v, refuse: Refuse) -> None:
        if v.alpha is None or v.beta is None:
            return
        names = [name for table in (v.alpha, v.beta) if isinstance(table, dict) for name in table]
        for name in dict.fromkeys(names) or [""]:
            alpha, beta = (float(x[name] if isinstance(x, dict) else x) for x in (v.alpha, v.beta))
            if alpha + beta >= 1.0:
                key = f"beta.{name}" if isinstance(v.beta, dict) else "beta"
                refuse(key, beta, f"alpha + beta has to be below 1; with alpha = {alpha:g} it is {alpha + beta:g}")


class Bootstrap(Table):
    """Stationary block bootstrap of a price file, the same blocks for all assets."""

    process: Literal["bootstrap"]
    file: Annotated[str | dict[str, str], PerAsset("price file, or one for each asset", Text("price file"))]
    column: _COLUMN = None
    columns: _COLUMNS = None
    day_first: _DAY_FIRST = None
    mean_block: Annotated[Span, Duration("mean length of a block")]
    recentre: Annotated[bool, Flag("whether the file's mean return is taken out")] = True
    drift: Drift = 0.0


class Replay(Table):
    """A given price path."""

    process: Literal["replay"]
    file: Annotated[str | dict[str, str], PerAsset("price file, or one for each asset", Text("price file"))]
    column: _COLUMN = None
    columns: _COLUMNS = None
    day_first: _DAY_FIRST = None
    start: Annotated[str | None, Moment("time of the run's start; by default the file's first")] = None


class Shock(Table):
    """A move of given size on top of the process."""

    size: Annotated[
        ByAsset,
        PerAsset("size as a fraction of the price, -0.1 for a fall of 10%; 0 for assets not named",
                 Number("", "a fraction", above=-1.0, at_most=10.0), partial=True),
    ]  # fmt: skip
    window: Annotated[Span, Duration("time over which the shock is spread")]
    at: Annotated[Span, Duration("time of its start", positive=False, or_words=("random",))]
    venue: Annotated[
        str | None, NameOf("the only venue whose price moves, a basis that arbitrage takes back; by default all", "venues")
    ] = None
    pass_through: Annotated[
        float | None,
        Number("share of what arbitrage takes back there by which the market's price moves", at_least=0.0, at_most=1.0),
    ] = None


PROCESSES: dict[str, type[Table]] = {
    "gbm": GBM, "merton": Merton, "kou": Kou, "heston": Heston, "bates": Bates, "log_variance": LogVariance, "garch": Garch,
    "bootstrap": Bootstrap, "replay": Replay,
}  # fmt: skip

"""`[market]`, one model for each process."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from .by_name import ByAsset, PriceColumns
from .matrices import Correlation
from .start import FromFactors, Start, Stationary
from .table import Table, Wrong, by_word
from .values import WHOLE, Duration, Moment, Rate, Share, Volatility

_Variance = Annotated[float, Field(gt=0, le=400, json_schema_extra={"unit": "a year; 0.36 is a volatility of 60%"})]
_Drift = Annotated[float, Field(ge=-20, le=20, json_schema_extra={"unit": "a year"})]
_Correlation = Annotated[float, Field(ge=-1, le=1)]
_LogSize = Annotated[float, Field(ge=-5, le=5, json_schema_extra={"unit": "log price"})]
_LogSpread = Annotated[float, Field(ge=0, le=5, json_schema_extra={"unit": "log price"})]
_Few = Annotated[int, Field(ge=1, le=64), WHOLE]
_DAILY = {"unit": "daily volatilities of the moment"}
_Scaled = Annotated[float, Field(ge=-50, le=50, json_schema_extra=_DAILY)]
_ScaledSpread = Annotated[float, Field(ge=0, le=50, json_schema_extra=_DAILY)]
_FactorSpread = Annotated[float, Field(ge=0, le=5, json_schema_extra={"unit": "log variance"})]
_DRIFT = "drift of the price: E[S_T] = S_0 exp(drift T)"
_MOST_FACTORS = 5


class Market(Table):
    """The law of prices; `process` says which."""


class _Correlated(Market):
    drift: ByAsset[_Drift] = Field(0.0, description=_DRIFT)
    correlation: Correlation = Field({}, description="correlation of the assets' diffusive moves; identity if not given")


class _Diffusion(_Correlated):
    volatility: ByAsset[Volatility] = Field(description="volatility")


class _Jumps(Table):
    jump_rate: ByAsset[Rate] = Field(description="expected jumps")
    common_jump_probability: Share = Field(0.0, description="probability that a jump is common to all assets")
    max_jumps: _Few | None = Field(
        None, description="most jumps a step; by default so many that more have a probability below 1e-10"
    )


class _NormalJumps(_Jumps):
    jump_mean: ByAsset[_LogSize] = Field(description="mean of a jump's log size")
    jump_sd: ByAsset[_LogSpread] = Field(description="standard deviation of a jump's log size")


class Started(_Correlated):
    """A law that remembers its variance: it starts from one that is given, or as `start` says."""

    variance: ByAsset[_Variance] | None = Field(None, description="variance at the start; this or start")
    start: Stationary | None = Field(None, description="from where a path starts; this or variance")

    def between(self) -> Iterator[Wrong]:
        """One place to start from."""
        given = self.model_fields_set & {"variance", "start"}
        if len(given) == 2:
            yield Wrong("start", self.start, "variance and start are both given; exactly one of them is needed")
        if not given:
            text = 'missing; needs a number above 0 (a year; 0.36 is a volatility of 60%), or start, such as "stationary"'
            yield Wrong("variance", None, text, missing=True)


class _StochasticVariance(Started):
    mean_variance: ByAsset[_Variance] = Field(description="mean that the variance reverts to")
    reversion: ByAsset[Annotated[float, Field(gt=0, le=1e5, json_schema_extra={"unit": "a year"})]] = Field(
        description="speed of reversion"
    )
    vol_of_variance: ByAsset[Annotated[float, Field(ge=0, le=1e3, json_schema_extra={"unit": "a year"})]] = Field(
        description="volatility of the variance"
    )
    leverage_correlation: ByAsset[_Correlation] = Field(0.0, description="correlation of a return with its variance's move")
    scheme: Literal["qe", "full_truncation"] = Field("qe", description="scheme of simulation")


class GBM(_Diffusion):
    """Geometric Brownian motion."""

    process: Literal["gbm"]


class Merton(_Diffusion, _NormalJumps):
    """Geometric Brownian motion with normal jumps."""

    process: Literal["merton"]


class Kou(_Diffusion, _Jumps):
    """Geometric Brownian motion with double-exponential jumps."""

    process: Literal["kou"]
    up_probability: ByAsset[Share] = Field(description="probability that a jump is upward")
    up_rate: ByAsset[Annotated[float, Field(gt=1, le=1e6, json_schema_extra={"unit": "per log price"})]] = Field(
        description="rate eta_1 of upward jumps, whose mean is 1/eta_1"
    )
    down_rate: ByAsset[Annotated[float, Field(gt=0, le=1e6, json_schema_extra={"unit": "per log price"})]] = Field(
        description="rate eta_2 of downward jumps"
    )


class Heston(_StochasticVariance):
    """Stochastic variance."""

    process: Literal["heston"]


class Bates(_StochasticVariance, _NormalJumps):
    """Stochastic variance with normal jumps."""

    process: Literal["bates"]


def _rows(key: str, value: Any) -> list[tuple[str, list[Any]]]:
    """What is said for all assets, or for each, with its place."""
    if value is None:
        return []
    return [(f"{key}.{name}", row) for name, row in value.items()] if isinstance(value, dict) else [(key, value)]


class LogVariance(Started):
    """Log variance as a sum of factors, with jumps that grow with the volatility."""

    process: Literal["log_variance"]
    start: Start | None = Field(None, description="from where a path starts; this or variance")
    mean_variance: ByAsset[_Variance] = Field(description="stationary mean of the variance")
    half_life: ByAsset[Annotated[list[Duration], Field(min_length=1)]] = Field(
        description="half-lives, each factor's, a list for all assets or one for each"
    )
    factor_sd: ByAsset[Annotated[list[_FactorSpread], Field(min_length=1)]] = Field(
        description="stationary standard deviations of the log variance, each factor's, a list for all assets or one for each"
    )
    leverage_correlation: ByAsset[Annotated[list[_Correlation], Field(min_length=1)]] | None = Field(
        None, description="correlations of a return with the factor's move, each factor's, a list for all assets or one for each"
    )
    jump_rate: ByAsset[Rate] = Field(0.0, description="expected jumps")
    jump_mean: ByAsset[_LogSize] = Field(0.0, description="mean of a jump's log size, its fixed part")
    jump_sd: ByAsset[_LogSpread] = Field(0.0, description="standard deviation of a jump's log size, its fixed part")
    scaled_jump_mean: ByAsset[_Scaled] = Field(0.0, description="mean of a jump's log size, the part that grows")
    scaled_jump_sd: ByAsset[_ScaledSpread] = Field(0.0, description="its standard deviation, the part that grows")
    common_jump_probability: Share = Field(0.0, description="probability that a jump is common to all assets")
    variance_jump_mean: ByAsset[Annotated[float, Field(gt=0, lt=1, json_schema_extra={"unit": "log variance"})]] | None = Field(
        None, description="mean of the exponential that a jump adds to the log variance"
    )
    variance_jump_half_life: ByAsset[Duration] | None = Field(None, description="half-life of what a jump has added")
    variance_jump_rate: ByAsset[Rate] | None = Field(
        None, description="jumps of the variance alone; by default one with every jump of the price"
    )
    max_jumps: _Few | None = Field(
        None, description="most jumps a step; by default so many that more have a probability below 1e-10"
    )

    def between(self) -> Iterator[Wrong]:
        """As many numbers as factors everywhere, and what jumps of the variance need."""
        yield from super().between()
        lengths: dict[str, int] = {}
        for place, row in (pair for key in ("half_life", "factor_sd", "leverage_correlation")
                           for pair in _rows(key, getattr(self, key))):  # fmt: skip
            first = next(iter(lengths), place)
            if len(row) > _MOST_FACTORS:
                yield Wrong(place, row, f"has {len(row)} factors; at most {_MOST_FACTORS} are allowed")
            elif len(row) != lengths.get(first, len(row)):
                text = f"has to have a number for each factor, of which {first} has {lengths[first]}"
                yield Wrong(place, row, text)
                continue
            lengths[place] = len(row)
            total = math.fsum(x * x for x in row) if place.startswith("leverage_correlation") else 0.0
            if total > 1.0:
                yield Wrong(place, row, f"the sum of the squares has to be at most 1; it is {total:g}")
        yield from self._jumps_of_the_variance()
        if isinstance(self.start, FromFactors) and lengths:
            count = next(iter(lengths.values()))
            for key in ("factors", "sd"):
                for place, row in _rows(f"start.{key}", getattr(self.start, key)):
                    if len(row) != count:
                        yield Wrong(place, row, f"has to have a number for each of the law's {count} factors")

    def _jumps_of_the_variance(self) -> Iterator[Wrong]:
        if "variance_jump_mean" in self.model_fields_set and "variance_jump_half_life" not in self.model_fields_set:
            text = 'missing; needs a duration such as "6h", the half-life of what variance_jump_mean adds'
            yield Wrong("variance_jump_half_life", None, text, missing=True)
        if self.variance_jump_mean is None:
            for key in ("variance_jump_half_life", "variance_jump_rate"):
                if getattr(self, key) is not None:
                    yield Wrong(key, getattr(self, key), "goes with variance_jump_mean, which is not given")
        elif self.variance_jump_rate is None:
            rates = self.jump_rate.values() if isinstance(self.jump_rate, dict) else [self.jump_rate]
            if not any(rates):
                text = "missing; without jumps of the price those of the variance need a rate of their own"
                yield Wrong("variance_jump_rate", None, text, missing=True)


class Garch(_Correlated):
    """GARCH(1,1) with Student-t innovations."""

    process: Literal["garch"]
    variance: ByAsset[_Variance] = Field(description="annualised variance at the start")
    mean_variance: ByAsset[_Variance] = Field(description="annualised long-run variance")
    alpha: ByAsset[Share] = Field(description="weight of the last squared return, per reference step")
    beta: ByAsset[Share] = Field(description="weight of the last variance, per reference step")
    degrees_of_freedom: ByAsset[Annotated[float, Field(gt=2, le=1e6)]] = Field(description="of Student's t")
    reference_step: Duration = Field(description="step to which alpha and beta belong")

    def between(self) -> Iterator[Wrong]:
        """A variance that reverts."""
        if self.alpha is None or self.beta is None:
            return
        names = [name for table in (self.alpha, self.beta) if isinstance(table, dict) for name in table]
        for name in dict.fromkeys(names) or [""]:
            alpha, beta = (float(x[name] if isinstance(x, dict) else x) for x in (self.alpha, self.beta))
            if alpha + beta >= 1.0:
                key = f"beta.{name}" if isinstance(self.beta, dict) else "beta"
                text = f"alpha + beta has to be below 1; with alpha = {alpha:g} it is {alpha + beta:g}"
                yield Wrong(key, beta, text)


class _OfPrices(Market):
    file: ByAsset[str] = Field(description="price file, or one for each asset")
    column: str | None = Field(None, description="column of the price file; by default the asset's name, else price, else close")
    columns: PriceColumns | None = Field(None, description="the file's own names of columns")
    day_first: bool | None = Field(
        None, description="whether the day comes first in the file's dates, as in 05.08.2024; by default not"
    )


class Bootstrap(_OfPrices):
    """Stationary block bootstrap of a price file, the same blocks for all assets."""

    process: Literal["bootstrap"]
    mean_block: Duration = Field(description="mean length of a block")
    recentre: bool = Field(True, description="whether the file's mean return is taken out")
    drift: ByAsset[_Drift] = Field(0.0, description=_DRIFT)


class Replay(_OfPrices):
    """A given price path."""

    process: Literal["replay"]
    start: Moment | None = Field(None, description="time of the run's start; by default the file's first")


Process = GBM | Merton | Kou | Heston | Bates | LogVariance | Garch | Bootstrap | Replay
PROCESSES: dict[str, type[Market]] = by_word(Process, "process")
"""The model of each process."""


__all__ = ["PROCESSES", "Bootstrap", "Garch", "LogVariance", "Market", "Process", "Replay", "Started"]

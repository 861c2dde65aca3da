"""The key `market.start`: from where a law with a variance of its own starts, where it is not from a variance that is given."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from .containers import ColumnNames, ListOf, PerAsset, gather
from .problems import nearest
from .units import Span
from .values import Context, Duration, Flag, Kind, Moment, Number, Refusal, Refused, Text

STATIONARY = "stationary"
_FACTOR = ListOf("", Number("", "log variance", at_least=-20.0, at_most=20.0), at_least=1)
_SPREAD = ListOf("", Number("", "log variance", at_least=0.0, at_most=10.0), at_least=1)
_KEYS: dict[str, dict[str, tuple[Kind, bool]]] = {
    "prices": {
        "prices": (PerAsset("price file, or one for each asset", Text("price file")), True),
        "until": (Moment("the run's start: prices up to it are used"), True),
        "history": (Duration("how much of the file before it is used"), False),
        "particles": (Number("particles of the filter", at_least=100, at_most=10**6), False),
        "columns": (ColumnNames("the file's own names of columns", ("time", "open", "high", "low", "close", "volume")), False),
        "day_first": (Flag("whether the day comes first in the file's dates"), False),
    },
    "factors": {
        "factors": (PerAsset("value of each factor of the log variance", _FACTOR), True),
        "sd": (PerAsset("standard deviation of each factor about it", _SPREAD), False),
    },
}
"""Keys of each form of a table, by the one that tells it: their kinds, and whether they have to be there."""


class FromFactors(NamedTuple):
    """Factors near given ones; by asset or for all."""

    factors: Any
    sd: Any


class FromPrices(NamedTuple):
    """The state filtered from price files up to a moment."""

    prices: str | dict[str, str]
    until: str
    history: Span | None
    particles: int
    columns: dict[str, str] | None = None
    day_first: bool | None = None


@dataclass(frozen=True)
class StartFrom(Kind):
    """A word, a table of factors, or a table that names price files; `factors`: whether the law has any."""

    factors: bool = False

    @property
    def allowed(self) -> str:
        word = f'"{STATIONARY}" for a day drawn at random'
        if not self.factors:
            return word
        return (
            f'{word}, {{factors = [0.5, 0.1], sd = [0.2, 0.1]}}, or {{prices = "FILE", until = "2024-08-04T00:00:00Z"}} for the '
            "state filtered from a price file"
        )

    def read(self, value: Any, context: Context) -> Any:
        if value == STATIONARY:
            return STATIONARY
        if not self.factors or not isinstance(value, dict):
            raise self.refuse(value, nearest(value, [STATIONARY]))
        form = next((form for form in _KEYS if form in value), None)
        if form is None:
            near = next((nearest(key, list(_KEYS)) for key in value if nearest(key, list(_KEYS))), None)
            raise self.refuse(value, near)
        return self._table(form, value, context)

    def _table(self, form: str, value: dict, context: Context) -> Any:
        keys = _KEYS[form]
        refusals = [
            Refusal(f".{key}", item, f"unknown key; the keys here are {', '.join(keys)}", nearest(key, list(keys)))
            for key, item in value.items()
            if key not in keys
        ]
        read: dict[str, Any] = dict.fromkeys(keys)
        for key, (kind, needed) in keys.items():
            if key not in value:
                if needed:
                    refusals.append(Refusal(f".{key}", None, f"missing; needs {kind.allowed}", missing=True))
                continue
            try:
                (read[key],) = gather([(f".{key}", value[key])], kind, context)
            except Refused as refused:
                refusals += refused.refusals
        if refusals:
            raise Refused(*refusals)
        if form == "factors":
            return FromFactors(read["factors"], read["sd"] if read["sd"] is not None else _zeros(read["factors"]))
        return FromPrices(read["prices"], read["until"], read["history"], int(read["particles"] or PARTICLES), read["columns"],
                          read["day_first"])  # fmt: skip

    def json(self) -> dict[str, Any]:
        word = {"const": STATIONARY}
        if not self.factors:
            return word
        tables = [
            {
                "type": "object",
                "properties": {key: {"description": kind.what} | kind.json() for key, (kind, _) in keys.items()},
                "required": [key for key, (_, needed) in keys.items() if needed],
                "additionalProperties": False,
            }
            for keys in _KEYS.values()
        ]
        return {"anyOf": [word, *tables]}


PARTICLES = 4096
"""Of a filter, where the scenario does not say."""


def _zeros(factors: Any) -> Any:
    return {asset: [0.0] * len(row) for asset, row in factors.items()} if isinstance(factors, dict) else [0.0] * len(factors)


def written(start: Any) -> Any:
    """As it stands in a file."""
    if isinstance(start, FromFactors):
        return {"factors": start.factors, "sd": start.sd}
    if isinstance(start, FromPrices):
        table = start._asdict()
        return {key: item for key, item in table.items() if item is not None}
    return start


__all__ = ["PARTICLES", "STATIONARY", "FromFactors", "FromPrices", "StartFrom", "written"]

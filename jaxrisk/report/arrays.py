"""What was found, with named axes, for `xarray`: a dataset an answer, and of a study a tree with a node for each cell."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..risk.estimate import Estimate
from ..risk.paired import Difference

if TYPE_CHECKING:
    import xarray as xr

_ESTIMATE = ("value", "standard_error", "low", "high")


def to_xarray(answer: Any) -> Any:
    """The dataset of an answer, or the `DataTree` of a study; an answer without axes of its own has those of its table."""
    found = _MADE[answer.kind](getattr(answer, "fields", answer)) if answer.kind in _MADE else _table(answer)
    found.attrs = _attributes(answer) | found.attrs
    return found


def _table(answer: Any) -> "xr.Dataset":
    """A variable a column of the data frame, a row a row."""
    import xarray as xr

    frame = answer.to_dataframe()
    frame.index.name = "row"
    return xr.Dataset.from_dataframe(frame)


def _attributes(answer: Any) -> dict[str, Any]:
    """What a file can hold of the information on a run."""
    info = getattr(getattr(answer, "fields", answer), "info", None)
    info = info if isinstance(info, Mapping) else {}
    said = {key: int(value) if isinstance(value, bool) else value for key, value in info.items() if _stored(value)}
    return {"kind": answer.kind, "title": str(answer.summary().title)} | said


def _stored(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _study(study: Any) -> "xr.DataTree":
    """A node for each cell, named as the cell: `value` and its error by branch and measure, `difference` to the reference."""
    import xarray as xr

    measures = [str(one) for one in study.measures]
    branches = list(dict.fromkeys(one.branch for one in study.found))
    nodes = {}
    for cell in study.cells:
        mine = {(one.branch, str(one.measure)): one for one in study.found if one.cell.name == cell.name}
        variables = _numbers(mine, branches, measures, "estimate", Estimate, _ESTIMATE, "")
        variables |= _numbers(mine, branches, measures, "difference", Difference, _ESTIMATE, "difference_")
        settings = {f"set.{key}": value if _stored(value) else str(value) for key, value in cell.settings.items()}
        attributes = {"cell": cell.name, "scenario": cell.scenario, "open_interest_usd": study.held[cell.name],
                      "is_reference": int(cell.name in study.reference.values())}  # fmt: skip
        coords = {"branch": [one or "all" for one in branches], "measure": measures}
        nodes[_node(cell.name, nodes)] = xr.Dataset(variables, coords, attributes | settings)
    root = xr.Dataset(attrs={"rank": str(study.rank), "question": study.question})
    return xr.DataTree.from_dict({"/": root} | {f"/{name}": data for name, data in nodes.items()}, name=study.name)


def _node(name: str, taken: Mapping[str, Any]) -> str:
    """A cell's name as that of a node, which cannot hold a slash."""
    name = name.replace("/", "|")
    while name in taken:
        name += "'"
    return name


def _numbers(mine: Any, branches: Any, measures: Any, of: str, kind: Any, fields: Any, prefix: str) -> dict[str, Any]:
    missing = kind(*[math.nan] * len(kind._fields))
    rows = [[getattr(mine.get((branch, measure)), of, None) or missing for measure in measures] for branch in branches]
    names = {"difference_value": "difference"}
    of_field = lambda field: np.array([[float(getattr(one, field)) for one in row] for row in rows])
    return {names.get(prefix + field, prefix + field): (("branch", "measure"), of_field(field)) for field in fields}


def _over_ranges(found: Any) -> "xr.Dataset":
    """Indices by measure and key, and the ends of each range (durations in seconds)."""
    import xarray as xr

    measures, keys = [str(one.measure) for one in found.spreads], [one.key for one in found.ranges]
    by = {(str(one.measure), one.key): one for one in found.indices}
    of = lambda field: (("measure", "key"), np.array([[getattr(by[m, k], field, math.nan) for k in keys] for m in measures]))
    variables = {field: of(field) for field in ("first", "first_error", "first_both", "total", "total_error", "total_both")}
    spread = {field: ("measure", np.array([getattr(one, field) for one in found.spreads])) for field in ("mean", "sd", "error")}
    ends = {name: ("key", [float(getattr(one, end)) for one in found.ranges])
            for name, end in (("lowest", "low"), ("highest", "high"))}  # fmt: skip
    return xr.Dataset(variables | spread | ends, {"measure": measures, "key": keys})


def _attribution(found: Any) -> "xr.Dataset":
    """Shares by measure and channel, the ends by measure, and contagion from and to."""
    import xarray as xr

    measures = [str(one) for one in found.measures]
    share = lambda field: (("measure", "channel"), np.array([[getattr(s, field) for s in one.shares] for one in found.shares]))
    variables: dict[str, Any] = {field: share(field) for field in ("value", "standard_error", "fraction", "fraction_error")}
    for name, end in (("none", "none"), ("all", "all")):
        ends = np.array([getattr(one, end) for one in found.shares]).reshape(len(measures), 2)
        variables |= {name: ("measure", ends[:, 0]), f"{name}_error": ("measure", ends[:, 1])}
    coords: dict[str, Any] = {"measure": measures, "channel": [name for name, _ in _channels(found)]}
    for matrix in getattr(found, "contagion", []):
        axes = (f"from_{matrix.of}", f"to_{matrix.of}")
        variables |= {f"contagion_{matrix.of}": (axes, matrix.value), f"contagion_{matrix.of}_error": (axes, matrix.error)}
        coords |= {axis: list(matrix.names) for axis in axes}
    rows = getattr(found, "amplified", [])
    if rows:
        fields = rows[0] if isinstance(rows[0], Mapping) else rows[0]._fields
        coords["shock"] = [one.scale for one in rows]
        variables |= {f"amplified_{field}": (("shock",), np.array([getattr(one, field) for one in rows]))
                      for field in fields if field != "scale"}  # fmt: skip
    return xr.Dataset(variables, coords)


def _channels(found: Any) -> list[tuple[str, Any]]:
    return found.channels if hasattr(found, "channels") else [(words, None) for words, *_ in found.changes]


def _warned(found: Any) -> "xr.Dataset":
    """The map by venue, asset and log price, and the level by venue and asset."""
    import xarray as xr

    axes, by = ("venue", "asset"), {(one.venue, one.asset): one for one in found.levels}
    of = lambda field: (axes, np.array([[getattr(by[v, a], field) for a in found.assets] for v in found.venues]))
    levels = {f"level_{name}": of(name) for name in ("distance", "low", "high", "price", "chance")}
    maps = {name: ((*axes, "log_price"), np.asarray(getattr(found, name))) for name in ("number", "low", "high")}
    coords = {"venue": list(found.venues), "asset": list(found.assets), "log_price": np.asarray(found.log_price)}
    return xr.Dataset(maps | levels, coords, {"branching": found.branching})


def _reverse_stress(found: Any) -> "xr.Dataset":
    """Log prices, volatility and what is liquidated, by way, hour and asset."""
    import xarray as xr

    stack = lambda name: np.stack([np.asarray(getattr(one, name), np.float64) for one in found.answers])
    axes = ("way", "hour", "asset")
    variables = {"log_price": (axes, stack("price")), "exogenous_log_price": (axes, stack("log_price"))}
    variables["liquidated_usd"] = (axes[:2], stack("liquidated"))
    for name in ("probability", "distance", "loss"):
        variables[name] = (axes[:1], stack(name))
    coords = {"way": np.arange(1, len(found.answers) + 1), "hour": found.hours(), "asset": list(found.assets)}
    asked = {"observable": found.observable, "level": found.level}
    return xr.Dataset(variables, coords, asked)


def _sensitivities(found: Any) -> "xr.Dataset":
    """Slopes and elasticities by parameter, and the covariance of the slopes."""
    import xarray as xr

    names = [one.name for one in found.parameters]
    fields = ("gradient", "standard_error", "elasticity", "elasticity_error")
    variables: dict[str, Any] = {name: (("parameter",), np.asarray(getattr(found, name), np.float64)) for name in fields}
    variables["parameter_value"] = (("parameter",), np.array([float(one.value) for one in found.parameters]))
    variables["method"] = (("parameter",), list(found.method))
    variables["covariance"] = (("parameter", "other_parameter"), np.asarray(found.covariance, np.float64))
    said = {
        "measure": str(found.measure),
        "estimate": float(found.estimate.value),
        "estimate_error": float(found.estimate.standard_error),
    }
    return xr.Dataset(variables, {"parameter": names, "other_parameter": names}, said)


_MADE: dict[str, Callable[[Any], Any]] = {
    "Study": _study, "OverRanges": _over_ranges, "Attribution": _attribution, "Maturity": _attribution, "Warned": _warned,
    "ReverseStress": _reverse_stress, "Sensitivities": _sensitivities,
}  # fmt: skip

__all__ = ["to_xarray"]

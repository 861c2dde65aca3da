"""What a run returns: losses of every path, and the questions one asks of them."""

import os
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import risk
from ..observables import MOST_SAMPLE_PATHS, column, columns, unknown
from ..risk import Estimate, ParetoTail
from ..risk.difference import difference
from ..risk.replicates import by_replicates
from ..risk.return_period import ANY_DAY, as_period
from ..risk.stream import Stream
from ..storage.chunks import Plan
from ..storage.netcdf import (
    CURVE_PREFIX,
    FINISHED,
    LOG_WEIGHTS,
    PLANNED,
    SAMPLE_PREFIX,
    flat_attributes,
    variable_attributes as _attributes,
)
from ..storage.observables import curve_axes, sample_axes
from ..storage.store_place import is_store
from ..storage.store_read import MISSING, StoredLosses
from ..storage.writer import LazyLosses, read, save, whole
from .shown import Shown
from .table import Summary, counted

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

STATISTICS = (
    "mean", "quantile", "value_at_risk", "expected_shortfall", "expectile", "mean_excess", "exceedance_probability",
    "exceedance_curve",
)  # fmt: skip

STREAMED = 2**24
"""Paths beyond which the losses of a store are read part by part, again and again, and not held."""


class Result(Shown):
    """Losses of every path of a run, what was run, and a few whole paths.

    **Arguments:**

    - `losses`: observable name -> array whose first axis is paths; a dictionary, or a mapping that loads on demand.
    - `dims`: observable name -> names of the axes after paths.
    - `coords`: axis name -> labels.
    - `log_weights`: log(dP/dQ) of shape `(paths,)`, or None for plain Monte Carlo.
    - `samples`: whole paths: `price`, `fundamental` (log price over the initial one), `mark`, `open_interest`, each of shape
      `(sample, steps + 1, ...)`.
    - `curves`: what does not depend on paths: the fragility map, `value` of shape `(assets, levels)` at the log prices `level`.
    - `info`: numbers, lists of numbers and texts on the run.

    An observable with axes is addressed by its labels, `max_drawdown[BTC]`; `*` sums over an axis, as in
    `liquidated_notional[*,*,long]`.

    >>> import numpy as np
    >>> losses = {"max_drawdown": np.linspace(0.0, 0.5, 2_000)[:, None]}
    >>> result = Result(losses, {"max_drawdown": ("assets",)}, {"assets": ["BTC"]}, info={"name": "example"})
    >>> result
    Result('example', 2,000 paths, 1 observable)
    >>> round(result.expected_shortfall("max_drawdown[BTC]", 0.99).value, 4)
    0.4976
    """

    def __init__(
        self,
        losses: Mapping[str, Any],
        dims: Mapping[str, tuple[str, ...]],
        coords: Mapping[str, list],
        log_weights: Any = None,
        samples: Mapping[str, Any] | None = None,
        curves: Mapping[str, Any] | None = None,
        info: Mapping[str, Any] | None = None,
    ):
        self.losses = losses
        self.dims = {name: tuple(dims.get(name, ())) for name in losses}
        self.coords = {name: list(labels) for name, labels in coords.items()}
        self.log_weights = None if log_weights is None else np.asarray(log_weights)
        self.samples, self.curves, self.info = dict(samples or {}), dict(curves or {}), dict(info or {})
        if isinstance(losses, dict):  # a mapping that loads on demand was checked when it was written
            self._check()
        if isinstance(losses, StoredLosses):
            self.paths = losses.paths
        else:
            self.paths = int(np.shape(losses[next(iter(losses))])[0]) if losses else 0

    @property
    def planned(self) -> int:
        """Number of paths that were to be run: more than `paths` where the run was stopped before its end."""
        return max(self.paths, int(self.info.get(PLANNED, 0)))

    def _check(self) -> None:
        counts = {name: np.shape(array)[0] for name, array in self.losses.items() if np.ndim(array)}
        for name, array in self.losses.items():
            axes = ("paths", *self.dims[name])
            if np.ndim(array) != len(axes):
                raise ValueError(f"{name} has shape {np.shape(array)} and the axes ({', '.join(axes)})")
            if counts[name] != next(iter(counts.values())):
                raise ValueError(f"observables must have one number of paths and have {counts}")
        if self.log_weights is not None and counts and self.log_weights.shape != (next(iter(counts.values())),):
            raise ValueError(f"log_weights have shape {self.log_weights.shape}: one weight a path is needed")

    def __getitem__(self, name: str) -> np.ndarray:
        """All paths of an observable, with all its axes."""
        if name not in self.losses:
            raise unknown("observable", name, self.losses)
        return np.asarray(self.losses[name])

    def column(self, name: str) -> np.ndarray:
        """One number a path: `max_drawdown_index`, `max_drawdown[BTC]`, `liquidated_notional[*,BTC,long]` (* sums).

        **Raises:** `ValueError` for an unknown observable or label, with the nearest that exists, and where labels miss.
        """
        losses = {key: self[key] for key in (name.split("[")[0].strip(),)}
        losses = {key: array.astype(np.float64) if "*" in name else array for key, array in losses.items()}
        return column(losses, self.dims, self.coords, name)

    def values(self, name: str) -> Any:
        """As `column`; of a store with more paths than are well held in memory, a `jaxrisk.risk.stream.Stream` that reads them
        part by part. Measures of both are the same.
        """
        losses = self.losses
        if not isinstance(losses, StoredLosses) or self.paths <= STREAMED or self.log_weights is not None:
            return self.column(name)
        base = name.split("[")[0].strip()
        if base not in losses:
            raise unknown("observable", base, losses)
        wide = np.float64 if "*" in name else None
        of = lambda part: column({base: part.astype(wide) if wide else part}, self.dims, self.coords, name)
        of(np.zeros((0, *losses.shape(base)[1:])))  # a label that there is not is told at once
        return Stream(lambda: map(of, losses.parts(base)), self.paths)

    def ever(self, name: str, index: Any = slice(None), above: float | None = None) -> bool:
        """Whether an observable is on any path other than zero, or above a number; `index`: into its axes after paths."""
        stored = isinstance(self.losses, StoredLosses) and self.paths > STREAMED
        parts = self.losses.parts(name) if stored else [self[name]]  # type: ignore[attr-defined]
        return any(bool((part[:, index] != 0.0 if above is None else part[:, index] > above).any()) for part in parts)

    def difference(self, other: "Result", name: str, statistic: str = "mean", level: float | None = None) -> Estimate:
        """A measure of another run less that of this one, on the same random numbers; see `jaxrisk.risk.difference`.

        **Raises:** `ValueError` as there, where the runs do not share seed, first path and number of paths, and where paths are
        weighted.
        """
        if self.log_weights is not None or other.log_weights is not None:
            raise ValueError("paths are weighted: they are not drawn alike in both runs, and cannot be compared one by one")
        for key in ("seed", "first_path", "sampling", "precision", "replicates"):
            if self.info.get(key) != other.info.get(key):
                raise ValueError(f"{key} is {self.info.get(key)} here and {other.info.get(key)} there: the noise is another")
        if self.info.get(MISSING) != other.info.get(MISSING):
            raise ValueError("other paths are missing here than there")
        many = int(self.info.get("replicates", 1))
        return difference(self.values(name), other.values(name), statistic, level, replicates=many)

    def columns(self, name: str) -> list[str]:
        """The addresses of all columns of an observable."""
        array = np.empty((0, *self.losses.shape(name)[1:])) if isinstance(self.losses, StoredLosses) else self[name]
        return columns(array, self.dims[name], self.coords, name)

    def measure(self, name: str, statistic: str = "mean", level: Any = None, **options: Any) -> Estimate:
        """A statistic of an observable, with its error: `mean`, `quantile`, `value_at_risk`, `expected_shortfall`, `expectile`,
        `mean_excess`, `exceedance_probability` or `exceedance_curve`; options go to the function in `jaxrisk.risk`.

        **Raises:** `ValueError` for an unknown name or statistic, with the nearest that exists, and as in `jaxrisk.risk`.
        """
        if statistic not in STATISTICS:
            raise unknown("statistic", statistic, STATISTICS)
        if level is None and statistic == "exceedance_curve":
            level = risk.exceedance_curve(self.values(name)).level  # one set of levels for all replicates
        if level is None and statistic != "mean":
            raise ValueError(f"{statistic} needs a level")
        arguments = () if statistic == "mean" else (level,)

        def of(values: Any, log_weights: Any) -> Estimate:
            return getattr(risk, statistic)(values, *arguments, log_weights=log_weights, **options)

        if options.get("simultaneous"):
            return of(self.values(name), self.log_weights)  # replicates would bring back pointwise intervals
        return self.estimate(of, self.values(name))

    def estimate(self, function: Callable[[Any, Any], Estimate], values: Any) -> Estimate:
        """`function(values, log_weights)` of one number a path, with the error of replicates where the run has them."""
        return by_replicates(function, values, self.log_weights, int(self.info.get("replicates", 1)))

    def mean(self, name: str) -> Estimate:
        """Mean of an observable; see `jaxrisk.risk.mean`."""
        return self.measure(name, "mean")

    def quantile(self, name: str, level: float) -> Estimate:
        """Quantile of an observable; see `jaxrisk.risk.quantile`."""
        return self.measure(name, "quantile", level)

    def value_at_risk(self, name: str, level: float = 0.99) -> Estimate:
        """Value at risk of an observable; see `jaxrisk.risk.value_at_risk`."""
        return self.measure(name, "value_at_risk", level)

    def expected_shortfall(self, name: str, level: float = 0.99) -> Estimate:
        """Expected shortfall of an observable; see `jaxrisk.risk.expected_shortfall`."""
        return self.measure(name, "expected_shortfall", level)

    def expectile(self, name: str, level: float = 0.99) -> Estimate:
        """Expectile of an observable; see `jaxrisk.risk.expectile`."""
        return self.measure(name, "expectile", level)

    def mean_excess(self, name: str, threshold: Any) -> Estimate:
        """Mean excess of an observable over each threshold; see `jaxrisk.risk.mean_excess`."""
        return self.measure(name, "mean_excess", threshold)

    def exceedance_probability(self, name: str, level: Any) -> Estimate:
        """Probability that an observable exceeds each level; see `jaxrisk.risk.exceedance_probability`."""
        return self.measure(name, "exceedance_probability", level)

    def return_period(self, name: str, level: Any) -> Estimate:
        """Years between horizons whose loss exceeds each level, on average, from a day drawn at random; see
        `jaxrisk.risk.return_period`. Books start as the scenario states them, whatever the day.

        **Raises:** `ValueError` where paths start from a stated day or something is given, so that a probability is no frequency.
        """
        if self.info.get("start") not in ANY_DAY:
            raise ValueError(
                "a return period needs paths that each start from a day drawn at random, market.start = "
                f'"stationary", and no shock; these start from {self.info.get("starts_from", "what the scenario states")}'
            )
        horizon = float(self.info["horizon_years"])
        return as_period(self.exceedance_probability(name, level), horizon)

    def exceedance_curve(self, name: str, levels: Any = None, simultaneous: bool = False) -> Estimate:
        """Exceedance probabilities over a range of levels, with pointwise intervals or a simultaneous band; see
        `jaxrisk.risk.exceedance_curve`."""
        return self.measure(name, "exceedance_curve", levels, simultaneous=simultaneous)

    def pareto_tail(self, name: str, threshold: float | None = None) -> ParetoTail:
        """Generalised-Pareto tail of an observable, to ask for what lies beyond the sample; see `jaxrisk.risk.pareto_tail`."""
        return risk.pareto_tail(self.column(name), self.log_weights, threshold=threshold)

    def conditional_drawdown_at_risk(self, level: float = 0.95, asset: str | None = None) -> Estimate:
        """Mean of the worst drawdowns over all times of the whole paths that the run kept; see
        `jaxrisk.risk.conditional_drawdown_at_risk`. The estimate's `paths` says how many: run with more `sample_paths` for more.

        **Raises:** `ValueError` where no whole paths were kept or there is no such asset, and `TooFewPathsError` where the kept
        ones are too few.
        """
        if "price" not in self.samples:
            raise ValueError("no whole paths were kept: run with sample_paths, a few hundred for level 0.95")
        price = np.asarray(self.samples["price"], dtype=np.float64)
        assets = [str(label) for label in self.coords.get("assets", range(price.shape[2]))]
        if asset is None and len(assets) > 1:
            raise ValueError(f"several assets: name one of {', '.join(assets)}")
        if asset is not None and asset not in assets:
            raise unknown("asset", asset, assets)
        place = 0 if asset is None else assets.index(asset)
        log_weights = None if self.log_weights is None else self.log_weights[: price.shape[0]]  # the first paths are kept
        try:
            return risk.conditional_drawdown_at_risk(price[:, :, place], level, log_weights)
        except risk.TooFewPathsError as error:
            advice = f"run with sample_paths = {error.needed} or more"
            if error.needed > MOST_SAMPLE_PATHS:
                more = ", and more sample_paths" if price.shape[0] < MOST_SAMPLE_PATHS else ""
                advice = f"a run keeps at most {MOST_SAMPLE_PATHS:,} whole paths: ask for a lower level{more}"
            raise risk.TooFewPathsError(f"{error}; {advice}", error.needed) from None

    def summary(self, return_periods: bool | None = None) -> Summary:
        """The headline: every number with its standard error and 95% interval.

        **Arguments:** `return_periods`: whether to say how often losses come; by default where each path starts from a day drawn
        at random. Raises as `return_period` where it cannot be said.
        """
        from .summary import summarise

        return summarise(self, return_periods)

    def notes(self) -> list[str]:
        """What one should know beside the numbers, a line each: positions left out, holders added, how near to runaway."""
        from .notes import notes

        return notes(self.info, self.coords.get("assets", []), self.paths)

    def facts(self) -> list[str]:
        """What was run, a line."""
        shown = ("name", "seed", "steps", "precision", "device", "wall_seconds")
        said = {"paths": counted(self.paths, self.planned).replace(" paths", "", 1)}
        said |= {key: str(self.info[key]) for key in shown if key in self.info}
        said |= {"hours": f"{8760.0 * self.info['horizon_years']:g}"} if "horizon_years" in self.info else {}
        return [", ".join(f"{key} {text}" for key, text in said.items())]

    def to_xarray(self) -> "xr.Dataset":
        """A dataset with named axes, labels and units; `info` becomes its attributes."""
        import xarray as xr

        variables: dict[str, Any] = {name: (("paths", *self.dims[name]), self[name], _attributes(name)) for name in self.losses}
        if self.log_weights is not None:
            variables[LOG_WEIGHTS] = (("paths",), self.log_weights, _attributes(LOG_WEIGHTS))
        for prefix, arrays, axes in ((SAMPLE_PREFIX, self.samples, sample_axes), (CURVE_PREFIX, self.curves, curve_axes)):
            for name, array in arrays.items():
                variables[prefix + name] = (axes(name, np.ndim(array)), np.asarray(array))
        used = {axis for variable in variables.values() for axis in variable[0]}
        coords = {axis: labels for axis, labels in self.coords.items() if axis in used}
        stopped = {FINISHED: self.paths, PLANNED: self.planned} if self.paths < self.planned else {}
        return xr.Dataset(variables, coords, flat_attributes(self.info) | stopped)

    def to_dataframe(self) -> "pd.DataFrame":
        """One row a path, one column a number: `max_drawdown_index`, `max_drawdown[BTC]`, ..."""
        import pandas as pd

        table = {}
        for name in self.losses:
            array = self[name].reshape(self.paths, -1)
            table |= {column: array[:, place] for place, column in enumerate(self.columns(name))}
        if self.log_weights is not None:
            table[LOG_WEIGHTS] = self.log_weights
        return pd.DataFrame(table, index=pd.RangeIndex(self.paths, name="path"))

    def save(self, path: str | os.PathLike) -> Path:
        """Write a netCDF4 file, at once or not at all: the file appears under its name when it is whole.

        **Raises:** `OSError` in words: where something stands there that is not a result, which is never replaced, where a run is
        writing it, and where a write fails.
        """
        if is_store(path):
            raise ValueError(f"{path}: is saved as one netCDF file, which .nc says; a store is what simulate(out=...) writes")
        weights = {} if self.log_weights is None else {LOG_WEIGHTS: self.log_weights}
        plan = Plan(self.dims, self.coords, self.planned, self.info)
        save(path, plan, self.paths, ChainMap(weights, self.losses), whole(self.samples, self.curves))
        if isinstance(self.losses, LazyLosses):
            self.losses.written(Path(path))
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Result":
        """Open a saved result, the folder `NAME.partial` of a run that goes on or was stopped, or a store, also at an address
        such as `s3://bucket/NAME.zarr`; each observable is read when asked for.

        **Raises:** `FileNotFoundError` where there is none, and `ValueError` for a file that is not a result, or is damaged; it
        names the file and says what it is.
        """
        return cls(**read(path))

    def plot_return_levels(self) -> "Figure":
        """Losses against how often they come, as a figure; see `plot.return_levels`. Raises as `return_period`."""
        from .plots.run import levels

        return levels(self)

    def plot_who_pays(self) -> "Figure":
        """Fees, fund, deleveraging and socialised loss by venue; see also `plot.who_pays`."""
        from .plots.run import payers

        return payers(self)

    def plot_fan(self, asset: str | None = None, ax: Any = None) -> Any:
        """As `plot.fan`."""
        return self.plot.fan(asset, ax)

    def plot_joint(self, ax: Any = None) -> Any:
        """As `plot.joint`."""
        return self.plot.joint(ax)

    def __repr__(self) -> str:
        number = len(self.losses)
        name = f"{self.info['name']!r}, " if self.info.get("name") else ""
        return f"Result({name}{counted(self.paths, self.planned)}, {number} observable{'s' if number != 1 else ''})"


__all__ = ["STATISTICS", "Result"]

"""Probabilities that plain simulation cannot reach: importance sampling around the most likely paths, or splitting."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._whole import whole
from ..cascade.blocks import numbers
from ..observables import DIMS, unknown
from ..report.shown import Shown
from ..risk.estimate import Estimate
from ..risk.return_period import ANY_DAY, as_period
from ..scenario import Scenario, coordinates
from ..start_words import start_kind, start_words, where_from
from .rare_run import PILOT, Found, Run
from .reverse_stress import checked

if TYPE_CHECKING:
    import pandas as pd

    from ..report import Result

METHODS = ("auto", "plain", "importance", "splitting")


class RareEvent(Shown):
    """P(observable > level), how it was found, and the weighted paths.

    **Fields:** `observable`, `level`; `estimate`: the probability with its error; `method`: `"plain"`, `"importance"` or
    `"splitting"`; `reason`: why that one; `losses`: every observable, paths along the first axis; `log_weights`: log(dP/dQ),
    shape `(paths,)`, None for plain; `paths_run`: path simulations in all, pilots and the search for the proposal included (a
    gradient counted as four); `info`: paths by stage, seconds, effective paths in the event.
    """

    def __init__(self, scenario: Scenario, observable: str, level: float, found: Found, info: dict[str, Any]):
        self.observable, self.level, self.scenario = observable, level, scenario
        self.estimate, self.method, self.reason = found.estimate, found.method, found.reason
        self.losses, self.log_weights = found.losses, found.log_weights
        self.info = info
        self.paths_run = int(sum(found.work.values()))

    def return_period(self) -> Estimate:
        """Years between horizons that exceed the level, on average, with the probability's interval; see
        `jaxrisk.risk.return_period`.

        **Raises:** `ValueError` where paths do not start from a day drawn at random.
        """
        if self.info["start"] not in ANY_DAY:
            raise ValueError(f'a return period needs market.start = "stationary"; paths start from {self.info["starts_from"]}')
        return as_period(self.estimate, self.scenario.settings.horizon)

    def result(self) -> "Result":
        """The paths as a result: with their weights, so that every tail measure is one of the scenario's own law.

        The paths are many where the event is. An observable that other paths drive as well (open interest is lost in rises
        too, a drawdown is not) is sampled on those by the scenario's own law alone, a tenth of the paths: ask for its own rare
        event. Paths of splitting share their beginnings, and errors stated for independent ones are too small.
        """
        from ..report import Result

        dims = {name: DIMS.get(name, ()) for name in self.losses}
        return Result(self.losses, dims, coordinates(self.scenario), log_weights=self.log_weights, info=self.info)

    def to_dataframe(self) -> "pd.DataFrame":
        """One row: the estimate, its interval, the method and the work."""
        import pandas as pd

        record = {"observable": self.observable, "level": self.level, "method": self.method, "paths_run": self.paths_run}
        estimate = {name: value for name, value in self.estimate._asdict().items() if name != "level"}
        return pd.DataFrame([record | {"probability": estimate.pop("value")} | estimate | {"reason": self.reason}])

    def __repr__(self) -> str:
        value, error = self.estimate.value, self.estimate.standard_error
        known = f"= {value:.3g} +- {error:.2g}" if not math.isnan(error) else "is not known"
        return f"RareEvent(P({self.observable} > {self.level:g}) {known}, {self.method})"


def rare_event(
    scenario: Scenario,
    observable: str,
    level: float,
    method: str = "auto",
    *,
    relative_error: float = 0.1,
    max_paths: int = 1_000_000,
    seed: int | None = None,
    precision: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RareEvent:
    """P(observable > level) to a relative error, however small it is.

    It is the scenario's own law's, from the start that the scenario says: where variance moves, from the variance at the start
    (`info["conditional_on"]`). A day that starts more volatile has another, and history is no sample of one start.

    - `"plain"`: the scenario's own paths.
    - `"importance"`: the most likely paths to the level (`reverse_stress`) become the components of a tilted law of the noise, a
      mixture with the scenario's own; pilot runs fit it to the event (cross-entropy); fresh paths drawn from it are weighted by
      dP/dQ: unbiased for a number of paths fixed beforehand. It follows the variance seen so far, which biases the estimate by
      little against its error.
    - `"splitting"`: adaptive multilevel splitting, which asks nothing of the law. Run again with more particles while the error
      is too large, so with as little a bias. Where no path reaches the level the value is 0, its error and upper end NaN.
    - `"auto"`: plain where that is cheap, else importance sampling, and splitting where the law cannot be steered, or where the
      effective number of paths in the event, the largest weight, or a comparison with plain paths says that the proposal
      misses part of the event.

    **Arguments:** `observable`: one number a path, `max_drawdown_index` or `liquidated_notional[*,BTC,long]`; `level`: in its
    unit; `relative_error`: standard error over the probability that is aimed at, in (0, 1); `max_paths`: most paths of the final
    run (the error is then larger than asked for, and stated); `seed`, `precision`: where None, the scenario says; `progress`:
    called with `(done, total)`.

    **Raises:** `ValueError` for an unknown observable or method (with the nearest), numbers out of range, a level that cannot be
    reached (with the highest loss found), and `"importance"` for a law that cannot be steered.

    >>> import jaxrisk as jr
    >>> day = jr.load("btc_24h")
    >>> day = day.replace(settings=type(day.settings)(day.settings.horizon, 24))
    >>> found = jr.rare_event(day, "max_drawdown_index", 0.03)
    >>> found.method, 0.1 < found.estimate.value < 0.3
    ('plain', True)
    """
    begun = time.perf_counter()
    level, seed, precision = checked(scenario, level, seed, precision)
    max_paths = _check(method, relative_error, max_paths)
    with numbers(precision == "float64"):
        run = Run(scenario, observable, level, relative_error, max_paths, seed, precision, progress)
        found = {"auto": run.auto, "plain": run.plain, "importance": run.importance, "splitting": run.splitting}[method]()
    said, settings = scenario.description, scenario.settings
    info = {
        "name": said.name, "title": said.title, "seed": str(seed), "precision": precision, "steps": settings.steps,
        "horizon_years": settings.horizon, "method": found.method, "reason": found.reason,
        "wall_seconds": round(time.perf_counter() - begun, 3),
    }  # fmt: skip
    info |= {"conditional_on": start_words(scenario), "start": start_kind(scenario), "starts_from": where_from(scenario)}
    info |= {f"path_simulations_{stage}": round(work) for stage, work in found.work.items()} | found.notes
    return RareEvent(scenario, observable, level, found, info)


def _check(method: str, relative_error: float, max_paths: int) -> int:
    if method not in METHODS:
        raise unknown("method", str(method), METHODS)
    if not 0.0 < float(relative_error) < 1.0:
        raise ValueError(f"relative_error = {relative_error}: has to lie strictly between 0 and 1")
    problems: list[str] = []
    max_paths = whole("max_paths", max_paths, problems, PILOT, None, f"at least {PILOT:,} are needed")
    if problems:
        raise ValueError(problems[0])
    return max_paths


__all__ = ["METHODS", "RareEvent", "rare_event"]

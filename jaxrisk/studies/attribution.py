"""Whose tail is it: what each channel of a market's own leverage adds to a simulated loss, by Shapley, on the same numbers."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._whole import whole
from ..cascade import prepare
from ..cascade.blocks import block_size, chunks, numbers
from ..report.shown import Shown
from ..risk.measure import Measure
from ..risk.paired import Column as Scored, Difference, paired
from ..risk.sample import Column, known_column, prepare_lean
from ..risk.shapley import EXACT, ORDERS, Shapley, plan, shapley
from ..scenario import Scenario
from .channels import alone, channels, same_run, switched

MEASURES = (
    "mean(max_drawdown_index)",
    "expected_shortfall(max_drawdown_index, 0.99)",
    "mean(open_interest_loss_fraction)",
    "expected_shortfall(open_interest_loss_fraction, 0.99)",
)
"""Of the fall and of the open interest lost, the mean and the tail."""
SHOCKS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Sizes of the shock, of the scenario's own."""
MOST_PATHS = 20_000
"""Paths of each run where none are asked for: there are up to 2^6 of them."""
_BLOCKS = 8
_DEEPEST = -0.95  # no shock takes the whole price


class Amplified(NamedTuple):
    """At a size of the shock: mean `drawdown` of the index, `without` feedback on the same paths, each with its error, their
    `ratio` and its error, and the mean of the open interest lost, a fraction, with its error."""

    scale: float
    drawdown: float
    drawdown_error: float
    without: float
    without_error: float
    ratio: float
    ratio_error: float
    lost: float
    lost_error: float


class Contagion(NamedTuple):
    """Who moves whom: `of`, "venues" or "assets"; `names`; `value` and `error`, `(from, to)`; what that is, in words."""

    of: str
    names: tuple[str, ...]
    value: np.ndarray
    error: np.ndarray
    says: str


@dataclass(repr=False)
class Attribution(Shown):
    """Shares of the channels in each measure; `summary()`, `to_dataframe()`, `plot()`.

    **Fields:** `channels`: name and what is off where it is off; `measures`; `shares`: a `Shapley` each; `amplified`: by size of
    the shock, empty where the scenario has none; `contagion`; `info`: paths, seed, runs, seconds.
    """

    channels: list[tuple[str, str]]
    measures: list[Measure]
    shares: list[Shapley]
    amplified: list[Amplified] = field(default_factory=list)
    contagion: list[Contagion] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Attribution({len(self.channels)} channels, {len(self.measures)} measures, {self.info.get('paths', 0):,} paths)"


def attribute(
    scenario: Scenario,
    measures: Sequence[str | Measure] = MEASURES,
    *,
    paths: int | None = None,
    seed: int | None = None,
    exact: int = EXACT,
    orders: int = ORDERS,
    shocks: Sequence[float] = SHOCKS,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """What each channel of the market's own leverage adds to a simulated tail, with standard errors.

    Channels are switched on and off on the same random numbers. What they add together is the measure with all of them less that
    with none; their Shapley shares add up to it. With all of them off positions are still liquidated, at a price that takes no
    notice: that part of a loss of open interest is the outside shock's.

    **Arguments:**

    - `measures`: such as `"expected_shortfall(max_drawdown_index, 0.99)"`.
    - `paths`, `seed`: of each run; by default the scenario's, at most 20,000 paths.
    - `exact`: up to so many channels every combination is run; beyond, `orders` in which they are switched on are drawn.
    - `shocks`: sizes of the scenario's shock, over its own, at which the amplification is measured.
    - `progress`: called with runs done and runs in all.

    **Raises:** `ValueError` with everything that is wrong with the arguments, a line each.

    >>> import jaxrisk as jr
    >>> found = jr.attribute(jr.load("btc_24h", {"run.step": "1h"}), ["mean(max_drawdown_index)"], paths=512)
    >>> [name for name, _ in found.channels]
    ['impact of forced orders', 'depth withdrawal']
    >>> bool(abs(sum(one.value for one in found.shares[0].shares) - found.shares[0].total.value) < 1e-12)
    True
    """
    asked, count, seed = _arguments(scenario, measures, paths, seed, exact, orders, shocks)
    begun, parts = time.time(), channels(scenario)
    needed = plan(len(parts), exact, orders, seed, same_run(parts))
    sized = () if scenario.shock is None else tuple(x for x in shocks if np.all(x * np.asarray(scenario.shock.size) > _DEEPEST))
    several = [len(scenario.names.venues) > 1, len(scenario.names.assets) > 1]
    work = [switched(scenario, parts, coalition) for coalition in needed.coalitions]
    resized = [eqx.tree_at(lambda s: s.shock.size, scenario, np.asarray(scenario.shock.size) * x) for x in sized]  # pyright: ignore
    solo = [alone(scenario, asset) for asset in range(len(scenario.names.assets))] if several[1] else []
    total, done = len(work) + len(resized) + len(solo) + any(several), 0
    names = [measure.observable for measure in asked]

    def ran(one: Scenario, columns: Sequence[str]) -> list[np.ndarray]:
        nonlocal done
        found = columns_of(one, columns, count, seed)
        done += 1
        if progress is not None:
            progress(done, total)
        return found

    with numbers(scenario.description.precision == "float64"):
        runs = [ran(one, names) for one in work]
        amplified = [_amplified(x, *ran(one, _AMPLIFIED)) for x, one in zip(sized, resized, strict=True)]
        contagion = _contagion(scenario, ran, solo)
    first, last = (needed.coalitions.index(same_run(parts)(c)) for c in (0, (1 << len(parts)) - 1))
    shares = [
        shapley(needed, [Scored.of(run[place], measure) for run in runs], first, last) for place, measure in enumerate(asked)
    ]
    said = {"name": scenario.description.name, "title": scenario.description.title, "paths": count, "seed": seed,
            "runs": total, "exact": needed.exact, "seconds": round(time.time() - begun, 3)}  # fmt: skip
    return Attribution([(part.name, part.says) for part in parts], asked, shares, amplified, contagion, said)


_AMPLIFIED = ("max_drawdown_index", "max_drawdown_no_feedback_index", "open_interest_loss_fraction")


def _arguments(scenario, measures, paths, seed, exact, orders, shocks) -> tuple[list[Measure], int, int]:
    problems: list[str] = []
    whole("exact", exact, problems, 1, 12, "from 1 to 12 is allowed")
    whole("orders", orders, problems, 4, 100_000, "from 4 to 100,000 is allowed")
    problems += [f"shocks: {x} is no finite number above 0" for x in shocks if not (math.isfinite(x) and x > 0.0)]
    asked, count, seed = checked(scenario, measures, paths, seed, problems)
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return asked, count, seed


def checked(
    scenario: Scenario, measures: Sequence[str | Measure], paths: int | None, seed: int | None, problems: list[str]
) -> tuple[list[Measure], int, int]:
    """Measures, paths and seed, and to the problems what is wrong with them or the scenario."""
    problems += scenario.problems()
    asked: list[Measure] = []
    for text in [measures] if isinstance(measures, str | Measure) else measures:
        try:
            asked.append(Measure.of(text))
        except ValueError as error:
            problems += str(error).splitlines()
    if not len(measures):
        problems.append("measures: at least one is needed")
    count = min(scenario.description.paths, MOST_PATHS) if paths is None else paths
    seed = scenario.description.seed if seed is None else seed
    whole("paths", count, problems, 2, 2**32, "from 2 to 2^32 is allowed")
    whole("seed", seed, problems, 0, 2**64 - 1, "from 0 to 2^64 - 1 is allowed")
    if not problems:
        prepared = eqx.filter_eval_shape(lambda s: prepare(s, jnp.float32), scenario.bare())
        for measure in asked:
            try:
                known_column(prepared, Column.of(scenario, measure.observable))
                measure.estimate(np.arange(count, dtype=np.float64))
            except ValueError as error:
                problems += [f"{measure}: {line}" for line in str(error).splitlines()]
    return asked, count, seed


def columns_of(scenario: Scenario, names: Sequence[str], paths: int, seed: int) -> list[np.ndarray]:
    """Some columns of a run, float64."""
    prepared = prepare_lean(scenario, jnp.dtype(scenario.description.precision))
    chosen = [Column.of(scenario, name) for name in names]
    parts: list[list[np.ndarray]] = [[] for _ in chosen]
    for losses in chunks(prepared, seed, 0, paths, _BLOCKS * block_size(prepared)):
        for part, column in zip(parts, chosen, strict=True):
            part.append(np.asarray(column(losses), np.float64))
    found = [np.concatenate(part) for part in parts]
    for name, values in zip(names, found, strict=True):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite on path {int(np.argmin(np.isfinite(values)))}")
    return found


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))


def _amplified(scale: float, deep: np.ndarray, without: np.ndarray, lost: np.ndarray) -> Amplified:
    (value, error), (base, base_error) = _mean(deep), _mean(without)
    ratio = value / base if base > 0.0 else math.nan
    ratio_error = _mean(deep - ratio * without)[1] / base if base > 0.0 else math.nan
    return Amplified(float(scale), value, error, base, base_error, ratio, ratio_error, *_mean(lost))


def _contagion(scenario: Scenario, ran, solo: list[Scenario]) -> list[Contagion]:
    """Who moves whom, of venues by the engine's own account, of assets by switching one's reach off."""
    venues, assets, found = scenario.names.venues, scenario.names.assets, []
    at = lambda form, some: [form.format(one) for one in some]
    moved = [f"moved_by[{a},{b},*]" for a in venues for b in venues] if len(venues) > 1 else []
    deep = at("max_drawdown[{}]", assets) if len(assets) > 1 else []
    if not moved and not deep:
        return []
    base = ran(scenario, [*moved, *deep])
    if moved:
        each = [_mean(column / len(assets)) for column in base[: len(moved)]]
        value, error = (np.array([one[k] for one in each]).reshape(len(venues), -1) for k in (0, 1))
        says = "log fall of a venue's mark (to), at its lowest, by another's forced orders (from), mean over paths and assets"
        found.append(Contagion("venues", venues, value, error, says))
    if deep:
        value = np.zeros((len(assets),) * 2)
        error = np.zeros_like(value)
        mean = lambda column: Scored.of(column, Measure("x", "mean"))
        for source, one in enumerate(solo):
            for target, columns in enumerate(zip(base[len(moved) :], ran(one, deep), strict=True)):
                change: Difference = paired(mean(columns[1]), mean(columns[0]))
                value[source, target], error[source, target] = change.value, change.standard_error
        says = "mean drawdown of an asset (to) that goes where another's forced orders (from) reach no asset but their own"
        found.append(Contagion("assets", assets, value, error, says))
    return found


__all__ = ["MEASURES", "SHOCKS", "Amplified", "Attribution", "Contagion", "attribute", "checked",
           "columns_of"]  # fmt: skip

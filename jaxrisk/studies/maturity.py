"""Has a market matured: which of the changes between two dated structures made the same outside shock safer, by Shapley."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from ..cascade.blocks import numbers
from ..config import ConfigError
from ..paths import NotFound, find
from ..problems import Problem, Report, nearest
from ..report.shown import Shown
from ..risk.measure import Measure
from ..risk.paired import Column as Scored
from ..risk.shapley import Shapley, plan, shapley
from ..scenario import Scenario
from ..toml import read_toml
from .attribution import MEASURES, checked, columns_of

NUMBERS = {
    "open_interest_over_volume": (0.0, 100.0),
    "daily_volatility": (0.0, 2.0),
    "leverage": (0.0, 100.0),
    "depth": (0.0, 100.0),
    "fund_over_open_interest": (-1e-300, 100.0),
}
"""What a structure says, each strictly between two numbers."""
WORDS = {
    "open_interest_over_volume": "open interest over volume",
    "daily_volatility": "volatility of the market",
    "leverage": "leverage of accounts",
    "depth": "depth beside volume",
    "fund_over_open_interest": "insurance funds",
}


class Structure(NamedTuple):
    """A market at a `date`: `values` by the names of `NUMBERS`."""

    name: str
    title: str
    date: str
    sources: tuple[str, ...]
    values: dict[str, float]


@dataclass(repr=False)
class Maturity(Shown):
    """What each change has in the difference of each measure: `changes`, words, before and after; `measures`; `shares`;
    `info`."""

    since: Structure
    to: Structure
    changes: list[tuple[str, float, float]]
    measures: list[Measure]
    shares: list[Shapley]
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Maturity({self.since.name} to {self.to.name}, {len(self.changes)} changes)"


def read_structure(path: str | Path) -> Structure:
    """A structure file, or the shipped one of that name.

    **Raises:** `ConfigError` with all that is wrong with it.
    """
    try:
        file = find("structures", str(path))
    except NotFound as error:
        raise ConfigError([Problem(str(path), "", None, str(error), error.nearest)]) from None
    document, problem = read_toml(file)
    if document is None:
        raise ConfigError([problem] if problem else [])
    report, known = Report(str(path)), ("name", "title", "date", "sources", *NUMBERS)
    for key in document:
        if key not in known:
            report.add(key, document[key], "unknown key", nearest(key, known))
    values = {}
    for key, (low, high) in NUMBERS.items():
        value = document.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
            report.add(key, value, f"has to be a number between {max(low, 0.0):g} and {high:g}", missing=key not in document)
        else:
            values[key] = float(value)
    for key in ("name", "date"):
        if key not in document:
            report.add(key, None, "missing", missing=True)
    sources = document.get("sources", [])
    if not (isinstance(sources, list) and all(isinstance(one, str) for one in sources)):
        report.add("sources", sources, "has to be a list of texts")
    if report.problems:
        raise ConfigError(report.problems)
    name = str(document["name"])
    return Structure(name, str(document.get("title", name)), str(document["date"]), tuple(sources), values)


def with_structure(scenario: Scenario, values: dict[str, float]) -> Scenario:
    """A scenario of one asset with a power law of impact, with a market's structure put on it; its own shock stays.

    Open interest is scaled to the share of the daily volume; medians of leverage, those of the snapshots, to so many times;
    impact's coefficient to the inverse root of the depth; funds, where there are any, to their share of the open interest, as
    they are split.
    """
    law = scenario.impact.law
    side = 0.5 * sum(float(np.sum(np.asarray(one.open_interest))) for one in scenario.populations.values())
    scale = values["open_interest_over_volume"] * float(np.asarray(law.daily_volume)[0]) / side
    # in the order of a pytree, in which `tree_at` sees them
    each = lambda s: [s.populations[name] for name in sorted(s.populations)]
    held = lambda s: [one.open_interest for one in each(s)]
    scenario = eqx.tree_at(held, scenario, [np.asarray(one, np.float64) * scale for one in held(scenario)])
    medians = lambda s: [one.median for one in each(s) if hasattr(one, "median")]
    scenario = eqx.tree_at(medians, scenario, [np.asarray(one, np.float64) * values["leverage"] for one in medians(scenario)])
    of = lambda s: (s.impact.law.daily_volatility, s.impact.law.coefficient)
    volatility, coefficient = (np.asarray(one, np.float64) for one in of(scenario))
    thin = values["depth"] ** -float(np.asarray(law.exponent)[0])
    scenario = eqx.tree_at(of, scenario, (0.0 * volatility + values["daily_volatility"], coefficient * thin))
    if scenario.depth is not None:
        reference = lambda s: s.depth.reference_volatility
        new = 0.0 * np.asarray(reference(scenario), np.float64) + values["daily_volatility"] * math.sqrt(365.0)
        scenario = eqx.tree_at(reference, scenario, new)
    if scenario.venues.backstop is not None:
        fund = lambda s: s.venues.backstop.insurance_fund
        now = np.asarray(fund(scenario), np.float64)
        split = now / now.sum() if now.sum() > 0.0 else np.ones_like(now) / len(now)
        scenario = eqx.tree_at(fund, scenario, split * values["fund_over_open_interest"] * side * scale)
    return scenario


def matured(
    scenario: Scenario,
    since: Structure,
    to: Structure,
    measures: Sequence[str | Measure] = MEASURES,
    *,
    paths: int | None = None,
    seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Maturity:
    """Which change between two structures has what part in the difference of each measure, under the scenario's own shock.

    **Raises:** `ValueError` with everything that is wrong, a line each: with measures, paths or seed, and for a scenario without
    a shock, of several assets, without a power law of impact, or of positions that are listed one by one, which no structure can
    be put on.
    """
    problems: list[str] = []
    asked, count, seed = checked(scenario, measures, paths, seed, problems)
    if scenario.shock is None:
        problems.append("the same shock is put on both structures; the scenario has none")
    if len(scenario.names.assets) != 1:
        problems.append("a structure is of one asset; the scenario has several")
    if not hasattr(scenario.impact.law, "daily_volume"):
        problems.append("a structure needs a power law of impact; the scenario has another")
    if not all(hasattr(one, "open_interest") for one in scenario.populations.values()):
        problems.append("a structure needs populations with an open interest; the scenario lists positions")
    if problems:
        raise ValueError("\n".join(problems))
    begun, names = time.time(), list(NUMBERS)
    if scenario.venues.backstop is None:
        names.remove("fund_over_open_interest")
    names = [name for name in names if since.values[name] != to.values[name]]
    needed = plan(len(names))
    runs: list[list[np.ndarray]] = []
    with numbers(scenario.description.precision == "float64"):
        for coalition in needed.coalitions:
            new = {name for place, name in enumerate(names) if coalition >> place & 1}
            values = {name: (to if name in new else since).values[name] for name in NUMBERS}
            runs.append(columns_of(with_structure(scenario, values), [measure.observable for measure in asked], count, seed))
            if progress is not None:
                progress(len(runs), len(needed.coalitions))
    last = len(needed.coalitions) - 1
    shares = [
        shapley(needed, [Scored.of(run[place], measure) for run in runs], 0, last if names else 0)
        for place, measure in enumerate(asked)
    ]
    changes = [(WORDS[name], since.values[name], to.values[name]) for name in names]
    info = {"name": scenario.description.name, "title": scenario.description.title, "paths": count, "seed": seed,
            "runs": len(runs), "seconds": round(time.time() - begun, 3)}  # fmt: skip
    return Maturity(since, to, changes, asked, shares, info)


__all__ = ["NUMBERS", "Maturity", "Structure", "matured", "read_structure", "with_structure"]

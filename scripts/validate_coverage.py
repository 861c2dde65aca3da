"""How often the intervals of derivatives hold; part of validate_gradients.py.

A row is a market and a measure. Its paths, a hundred times as many as one answer takes, are run once at every value of the cap
that the rule looks at, and cut into a hundred groups; each is answered by the product's own rule from these paths. The reference
is the mean of differences of 1, 2 and 3% over all paths: with a hundred groups of the very paths that it rests on, its error is
about a tenth of that of the same difference in one group.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import jaxrisk as jr
from jaxrisk.cascade.blocks import numbers
from jaxrisk.parameter import Parameter, named
from jaxrisk.risk.estimate import clopper_pearson
from jaxrisk.risk.measure import Measure
from jaxrisk.risk.sample import Sample, draw_sample
from jaxrisk.risk.slopes.bump import ends, influence
from jaxrisk.risk.slopes.derivatives import derivatives
from jaxrisk.risk.slopes.gradients import looked_at
from jaxrisk.risk.slopes.pathwise import Reverse, along

CASES = Path(__file__).parent.parent / "tests" / "cases"
SHORTFALLS = ("expected_shortfall(open_interest_loss_usd, 0.95)", "expected_shortfall(max_drawdown_index, 0.95)")
MEASURES = (*SHORTFALLS, "mean(open_interest_loss_usd)")
NAME = "limits.cap[retail,*,*]"
COVER = (0.92, 0.98)
BIAS = 0.5
"""Printed errors that the mean of the groups may be off by."""
STEPS = (0.01, 0.02, 0.03)
"""Of the reference: below them a ladder's cells make a curve rough."""
Z = 1.959963984540054


def drawn(number: int):
    """A market drawn at random: its law, impact from calm to near runaway, a cap of 3 to 100, one or two venues."""
    random = np.random.default_rng(number)
    law = random.choice(["gbm", "merton", "heston"])
    volatility = float(random.uniform(0.4, 1.2))
    markets = {
        "gbm": {"process": "gbm", "volatility": volatility},
        "merton": {"process": "merton", "volatility": volatility, "jump_rate": 50.0, "jump_mean": -0.02, "jump_sd": 0.04},
        "heston": {"process": "heston", "variance": volatility**2, "mean_variance": volatility**2, "reversion": 20.0,
                   "vol_of_variance": 2.0, "leverage_correlation": -0.5},
    }  # fmt: skip
    changes = {
        "market": markets[law],
        "impact.depth": float(np.exp(random.uniform(np.log(1e9), np.log(2e10)))),
        "shock.size": {"BTC": -float(random.uniform(0.001, 0.1))},
        "venues.v.engine_time": str(random.choice(["0s", "60s", "600s"])),
        "populations.rl.median": float(random.uniform(5.0, 20.0)),
        "limits.caps": [{"class": "retail", "venue": "*", "asset": "*",
                         "cap": float(np.exp(random.uniform(np.log(3.0), np.log(100.0)))),
                         "share_downsize": float(random.choice([0.0, 0.3, 1.0]))}],
    }  # fmt: skip
    if random.integers(2):
        more = {"venue": "w", "asset": "BTC", "kind": "lognormal", "log_sd": 0.8, "high": 100.0}
        changes |= {
            "venues.v.arbitrage_half_life": "5min", "venues.v.local_depth": 4e9,
            "venues.w": {"maintenance_rate": 0.01, "engine_time": "0s", "liquidation_fee": 0.0, "arbitrage_half_life": "5min",
                         "local_depth": 4e9},
            "populations.wl": more | {"side": "long", "class": "retail", "open_interest": 3e8, "median": 10.0},
            "populations.ws": more | {"side": "short", "class": "sh", "open_interest": 3e8, "median": 3.0},
        }  # fmt: skip
    return jr.load(CASES / "near_runaway_cap10.toml", changes)


class Whole:
    """All paths of a row, each run once at every value of the cap that is asked for; float32, as they come."""

    def __init__(self, scenario, measure: Measure, parameter: Parameter, groups: int, paths: int, seed: int):
        self.scenario, self.measure, self.parameter, self.groups, self.paths = scenario, measure, parameter, groups, paths
        self.sample = draw_sample(scenario, measure.observable, groups * paths, seed)
        self.known: dict[float, np.ndarray] = {}
        which = np.concatenate([paths * k + looked_at(self.group(k), measure).which for k in range(groups)])
        reverse = Reverse.of(scenario, (parameter.name,), self.sample.prepared, self.sample.column)
        self.slope = np.full(groups * paths, np.nan, np.float32)
        self.slope[which] = along(self.sample, reverse, which, np.ones(1))

    def at(self, by: float) -> np.ndarray:
        """Losses of all paths with the cap moved."""
        key = float(f"{by:.6g}")
        if key not in self.known:
            every = np.arange(len(self.sample.losses))
            self.known[key] = self.sample.at(self.scenario, [self.parameter], np.array([by]), every).astype(np.float32)
        return self.known[key]

    def group(self, number: int) -> "Group":
        """Some of the paths, as a sample that answers from what is known of all."""
        some = slice(number * self.paths, (number + 1) * self.paths)
        whole = self.sample
        made = Group(whole.prepared, whole.column, whole.seed, some.start, whole.losses[some], whole.lowest[some])
        made.whole, made.some = self, some
        return made

    def reference(self) -> tuple[float, float, np.ndarray]:
        """Mean of the differences of `STEPS`, its error, and each group's own, to second order."""
        made = []
        for step in STEPS:
            low, high = ends(self.parameter, step)
            below, above = (influence(self.at(by), self.measure, self.sample.losses) for by in (low, high))
            made.append(((above[0] - below[0]) + (above[1] - below[1])) / (high - low))
        scores = np.mean(made, axis=0)
        own = scores.reshape(self.groups, -1).mean(axis=1)
        return float(scores.mean()), float(scores.std() / np.sqrt(len(scores))), own


class Group(Sample):
    """A sample of which every run is remembered."""

    whole: Whole
    some: slice

    def at(self, scenario, parameters, by, which):
        return self.whole.at(float(by[0]))[self.some][which].astype(np.float64)

    def slopes(self, reverse, which, direction):
        return self.whole.slope[self.some][which].astype(np.float64) * direction[0]


class Row(NamedTuple):
    """What a row came to: of `told` intervals `held` hold the reference; `bias` and its `error` in printed errors."""

    label: str
    told: int
    held: int
    bias: float
    error: float
    text: str

    @property
    def covers(self) -> tuple[float, float]:
        """95% Clopper-Pearson interval of the coverage."""
        return tuple(float(end) for end in clopper_pearson(self.held, self.told, 0.95)) if self.told else (0.0, 1.0)

    @property
    def short(self) -> bool:
        """Whether the seeds show that the row falls short."""
        low, high = self.covers
        return bool(self.told) and (high < COVER[0] or low > COVER[1] or abs(self.bias) - Z * self.error > BIAS)


def row(label: str, scenario, text: str, groups: int, paths: int, seed: int) -> Row:
    """Count one market and measure."""
    measure, [parameter] = Measure.of(text), named(scenario, NAME)
    with numbers(scenario.description.precision == "float64"):
        whole = Whole(scenario, measure, parameter, groups, paths, seed)
        true, true_error, own = whole.reference()
        parts = [whole.group(k) for k in range(groups)]
        found: list[Any] = [derivatives(part, measure, scenario, [parameter]) for part in parts]
    values, errors = (np.array([getattr(one, name)[0] for one in found]) for name in ("value", "error"))
    told = np.isfinite(errors)
    methods = " ".join(f"{method} {count}" for method, count in Counter(one.method[0] for one in found).items())
    if told.mean() < 0.5:
        return Row(label, 0, 0, 0.0, 0.0, f"{true:10.3g} {true_error:9.2g}   no interval for {np.sum(~told)} of {groups}")
    printed = float(np.sqrt(np.mean(errors[told] ** 2)))
    # two runs of paths of their own, a step of 2% up and down: by their own errors
    alone = np.mean([measure.estimate(part.losses).standard_error for part in parts])
    alone *= np.sqrt(2.0) / (ends(parameter, 0.02)[1] - ends(parameter, 0.02)[0])
    # each group against its own differences: most of what sampling makes of both is the same
    apart = (values - own)[told] / (printed or 1.0)
    away, away_error = float(apart.mean()), float(apart.std() / np.sqrt(told.sum()))
    held = int(np.sum(np.abs(values[told] - true) <= Z * np.hypot(errors[told], true_error) * (1.0 + 1e-9)))
    spread = float(values[told].std()) / (printed or 1.0)
    text = (f"{true:10.3g} {true_error:9.2g} {values[told].mean():10.3g} {printed:9.2g} {spread:7.2f} {away:+6.2f} "
            f"{away_error:7.2f} {held / told.sum():6.0%} {np.sum(~told):5} {printed / alone:6.2f}  {methods}")  # fmt: skip
    return Row(label, int(told.sum()), held, away, away_error, text)


def coverage(paths: int, seed: int, seeds: int = 100, drawings: int = 30) -> bool:
    """Count every row, and say which fall short."""
    rows = [(f"{name}, {text}", jr.load(CASES / f"{name}.toml"), text)
            for name in ("near_runaway_cap10", "low_cap5_rare_cascade") for text in SHORTFALLS]  # fmt: skip
    rows += [(f"drawn {k}, {MEASURES[k % 3]}", drawn(k), MEASURES[k % 3]) for k in range(drawings)]
    print(f"\n95% intervals of a derivative in a cap: {seeds} groups of {paths:,} paths against all {seeds * paths:,}")
    print("alone: printed error over that of a difference of two runs with paths of their own")
    heads = ("reference", "(error)", "mean", "printed", "spread", "bias", "(error)", "cover", "none", "alone")
    widths = (10, 9, 10, 9, 7, 6, 7, 6, 5, 6)
    print(f"{'':66}" + " ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)) + "  methods")
    found = []
    for k, (label, scenario, text) in enumerate(rows):
        found.append(row(label, scenario, text, seeds, paths, seed + k))
        print(f"{label:66}{found[-1].text}{'   falls short' if found[-1].short else ''}", flush=True)
    return verdict(found)


def worst(rows: list[Row]) -> list[Row]:
    """The three that hold least, and the two that are off most."""
    return sorted(rows, key=lambda one: one.held / one.told)[:3] + sorted(rows, key=lambda one: -abs(one.bias))[:2]


def verdict(found: list[Row]) -> bool:
    """Print the worst rows and whether all of them, and their average, are within what was promised."""
    counted = [one for one in found if one.told]
    if not counted:
        print("no row has intervals")
        return False
    short = [one for one in found if one.short]
    held, told = sum(one.held for one in counted), sum(one.told for one in counted)
    print("\nworst rows, with 95% Clopper-Pearson intervals of their coverage:")
    for one in worst(counted):
        low, high = one.covers
        print(f"  {one.label:66}{one.held / one.told:5.0%} ({low:.0%} to {high:.0%}), bias {one.bias:+.2f} ({one.error:.2f})")
    band = f"{COVER[0]:.0%} to {COVER[1]:.0%}"
    seen = sum(COVER[0] <= one.held / one.told <= COVER[1] for one in counted)
    average = held / told
    inside = COVER[0] <= average <= COVER[1]
    print(f"{seen} of {len(counted)} rows are seen at {band}; {len(short)} are shown to fall short, by an interval of coverage "
          f"outside that or a bias above {BIAS:g} and its error; {len(found) - len(counted)} rows are refused")  # fmt: skip
    where = "inside" if inside else "outside"
    print(f"all intervals together: {average:.1%} of {told:,} hold the reference, {where} {band}")
    return not short and inside

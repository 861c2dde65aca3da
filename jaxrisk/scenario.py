"""Scenario: everything one simulation needs, as one pytree."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from ._leaf import Array, as_number, leaf
from .cascade import Channels, Depth, Impact, Venues
from .market import AbstractMarket, Given, Shock
from .observables import CAUSES
from .positions import AbstractPopulation, Calls, CrossAccounts, Flow, Funding, Grid, Limits, Stops, leverage_labels
from .scenario_words import BREAKER_LEAVES, CONTRACT_LEAVES, words_of

HOUR = 1.0 / 8760.0


class Settings(eqx.Module):
    """How the time axis is cut and how a step is solved.

    **Arguments:** static but for `support` and `index_weight`.

    - `horizon`: years.
    - `steps`: how many.
    - `rounds`: fixed-point rounds of mark, check, liquidation and impact inside a step.
    - `bridge`: whether the Brownian-bridge correction finds the crossings between steps. A path of few steps is drawn in more
      pieces for it, so that both sides' crossings and the drawdown have their law at any step (`cascade/bridge.py`).
    - `index_weight`: weight of each asset in the index at the start; None takes shares of open interest. Shape `(assets,)`.
    - `support`: log of a support level over the initial price, `-inf` for none. Shape `(assets,)`.
    - `owed_by_class`: whether it is followed which class's accounts owe what is lost beyond the collateral, and who paid it.
    - `leverage_buckets`: between which leverages accounts are counted by theirs too; empty for not at all.
    """

    horizon: float = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    rounds: int = eqx.field(static=True, default=1)
    bridge: bool = eqx.field(static=True, default=False)
    index_weight: Float[Array, " assets"] | None = leaf(default=None)
    support: Float[Array, " assets"] | None = leaf(default=None)
    owed_by_class: bool = eqx.field(static=True, default=False)
    leverage_buckets: tuple[float, ...] = eqx.field(static=True, default=())

    @property
    def years_per_step(self) -> float:
        """Length of a step, years of 365 days."""
        return self.horizon / self.steps


class Clock(eqx.Module):
    """`Settings` as compiled programs take them: only what is a shape or a branch is static. Made by `Scenario.bare`.

    **Fields**, beside those of `Settings`: `years_per_step`; `steps_an_hour`, `steps_a_minute`: as many as are nearest, at least
    one, static; `minutes`: that `steps_a_minute` last; `fund_steps`: steps in the window over which each venue's fund is watched,
    shape `(venues,)`, None without a backstop.
    """

    horizon: Float[Array, ""]
    years_per_step: Float[Array, ""]
    minutes: Float[Array, ""]
    fund_steps: Int[Array, " venues"] | None
    index_weight: Float[Array, " assets"] | None
    support: Float[Array, " assets"] | None
    steps: int = eqx.field(static=True)
    rounds: int = eqx.field(static=True)
    bridge: bool = eqx.field(static=True)
    steps_an_hour: int = eqx.field(static=True)
    steps_a_minute: int = eqx.field(static=True)
    owed_by_class: bool = eqx.field(static=True)
    leverage_buckets: tuple[float, ...] = eqx.field(static=True)

    @staticmethod
    def of(settings: Settings, windows: tuple[float, ...] | None) -> "Clock":
        """`windows`: of each venue's fund, years. All in double precision on the host."""
        years = settings.years_per_step
        minutes = years * 365 * 24 * 60
        a_minute = max(1, round(1.0 / minutes))
        in_window = None if windows is None else [max(1, round(float(window) / years)) for window in windows]
        return Clock(
            horizon=np.asarray(settings.horizon, np.float64),
            years_per_step=np.asarray(years, np.float64),
            minutes=np.asarray(a_minute * minutes, np.float64),
            fund_steps=None if in_window is None else np.asarray(in_window, np.int32),
            index_weight=settings.index_weight,
            support=settings.support,
            steps=settings.steps,
            rounds=settings.rounds,
            bridge=settings.bridge,
            steps_an_hour=max(1, round(HOUR / years)),
            steps_a_minute=a_minute,
            owed_by_class=settings.owed_by_class,
            leverage_buckets=settings.leverage_buckets,
        )


class Names(eqx.Module):
    """What the axes' entries are called. Static."""

    venues: tuple[str, ...] = eqx.field(static=True, default=("venue",))
    assets: tuple[str, ...] = eqx.field(static=True, default=("asset",))
    classes: tuple[str, ...] = eqx.field(static=True, default=("all",))


class Description(eqx.Module):
    """What a scenario says about itself, and what a run uses where it is told nothing else. Static.

    `file_steps`: how many steps the horizon has at the length that the file has for one; 0 where no file says.
    """

    name: str = eqx.field(static=True, default="scenario")
    title: str = eqx.field(static=True, default="")
    question: str = eqx.field(static=True, default="")
    source_text: str = eqx.field(static=True, default="")
    paths: int = eqx.field(static=True, default=10_000)
    seed: int = eqx.field(static=True, default=1)
    precision: str = eqx.field(static=True, default="float32")
    sample_paths: int = eqx.field(static=True, default=0)
    file_steps: int = eqx.field(static=True, default=0)


def bare_keys(parts: dict[str, Any]) -> dict[str, str]:
    """What each population or stop order is called in `Scenario.bare`: its place among them, by what is compiled of it and then
    by its name. Another name changes no program, and a mapping over the scenario, which sorts by name, no bit."""

    def compiled(name: str) -> tuple[str, str]:
        leaves, structure = jax.tree.flatten(parts[name])
        return f"{structure} {[np.shape(x) for x in leaves]}", name

    return {name: f"{place:06d}" for place, name in enumerate(sorted(parts, key=compiled))}


class Scenario(eqx.Module):
    """A leveraged market and a horizon.

    Every number of the market is a leaf of this pytree, under the dotted name it has in a scenario file, so that any of it can
    be differentiated, swept or batched (the horizon and counts are static, and the number of jumps is a step function of its
    rate); a replacement is `equinox.tree_at` or `Scenario.replace`. What is said about it in words never gets into a compiled
    program, nor does what is no shape and no branch: see `bare`.

    **Arguments:**

    - `market`: law of the exogenous price.
    - `shock`: an overlay on it, or None.
    - `given`: prices that the run begins with, or None.
    - `impact`, `depth` (or None), `channels`, `venues`: the market's mechanics.
    - `populations`: name to population.
    - `limits`: leverage limits.
    - `calls` (or None), `stops` (name to stop orders), `funding` (or None): what else closes or drains positions.
    - `book`: how the positions are represented, `"ladder"`, `"account"` or `"flow"`; static. `flow`: rates for the last of them.
    - `price`: S_0 of each asset, USD, shape `(assets,)`.
    - `settings`, `names`, `grid`, `description`.
    """

    market: AbstractMarket
    impact: Impact
    venues: Venues
    populations: dict[str, AbstractPopulation | CrossAccounts]
    price: Float[Array, " assets"] = leaf()
    settings: Settings | Clock
    shock: Shock | None = None
    given: Given | None = None
    depth: Depth | None = None
    channels: Channels = eqx.field(default_factory=Channels)
    limits: Limits = eqx.field(default_factory=Limits.none)
    calls: Calls | None = None
    stops: dict[str, Stops] = eqx.field(default_factory=dict)
    funding: Funding | None = None
    flow: Flow | None = None
    book: str = eqx.field(static=True, default="ladder")
    names: Names = eqx.field(default_factory=Names)
    grid: Grid = eqx.field(default_factory=Grid)
    description: Description = eqx.field(default_factory=Description)

    def replace(self, **changes) -> "Scenario":
        """A copy with some top-level fields changed."""
        names = list(changes)
        return eqx.tree_at(
            lambda s: [getattr(s, name) for name in names], self, [changes[n] for n in names], is_leaf=lambda x: x is None
        )

    def bare(self) -> "Scenario":
        """The scenario as compiled programs take it, so that two which differ in words or numbers alone share a program.

        What is static in it is a shape (counts of steps, cells, levels, jumps, venues, assets, classes), a branch (laws,
        policies, rankings, what there is and what not), a place (which venue, asset, side and class a population or limit is
        of) or the geometry of a table (`Grid`, `Flow.width`). Venues, assets and classes are called by their numbers, populations
        and stop orders as `bare_keys` has it, there is no description, and `settings` is a `Clock`.
        """
        if isinstance(self.settings, Clock):
            return self
        numbers = lambda labels: tuple(str(place) for place in range(len(labels)))
        placed = lambda parts: {key: parts[name] for name, key in bare_keys(parts).items()}
        backstop = self.venues.backstop
        bare = dataclasses.replace(
            self,
            populations=placed(self.populations),
            stops=placed(self.stops),
            settings=Clock.of(self.settings, None if backstop is None else backstop.drawdown_window),
            names=Names(numbers(self.names.venues), numbers(self.names.assets), numbers(self.names.classes)),
            description=Description(),
        )
        return jax.tree.map(as_number, bare)

    def problems(self) -> list[str]:
        """What does not fit together, a line each: shapes, and indices of populations. Empty for a scenario read from a file."""
        venues, assets, classes = len(self.names.venues), len(self.names.assets), len(self.names.classes)
        shapes = {
            "price": (self.price, (assets,)),
            "impact.cross": (self.impact.cross, (assets, assets)),
            "impact.permanent_share": (self.impact.permanent_share, (assets,)),
            "impact.relaxation_rate": (self.impact.relaxation_rate, (assets,)),
            "venues.engine_time": (self.venues.engine_time, (venues,)),
            "venues.local_impact": (self.venues.local_impact, (venues, assets)),
            "venues.tiers.rate": (self.venues.tiers.rate, (venues, assets, np.shape(self.venues.tiers.rate)[-1])),
        }
        shapes |= self._optional_shapes(venues, assets, classes)
        found = [
            f"{name}: shape {np.shape(value)}, where {wanted} is needed for {venues} venues and {assets} assets"
            for name, (value, wanted) in shapes.items()
            if np.shape(value) != wanted
        ]
        driven = min((np.shape(x)[0] if np.ndim(x) else 0) for x in jax.tree.leaves(getattr(self.market, "drift", self.price)))
        if driven != assets:
            found.append(f"market: parameters of shape ({assets},) are needed, one for each of the assets {self.names.assets}")
        if not len(self.venues.tranches) == len(self.venues.inverse) == venues:
            found.append(f"venues: tranches and inverse need an entry for each of the venues {self.names.venues}")
        found += words_of(self, venues)
        if not self.populations:
            found.append("populations: none; without positions there is nothing to liquidate")
        for name, population in self.populations.items():
            for field, count in (("venue", venues), ("asset", assets), ("account_class", classes)):
                index = np.asarray(getattr(population, field))
                if np.any(index < 0) or np.any(index >= count):
                    found.append(f"populations.{name}.{field}: indices from 0 to {count - 1} are allowed")
        return found

    def _optional_shapes(self, venues: int, assets: int, classes: int) -> dict[str, tuple]:
        """Those of parts that need not be there: name to value and shape."""
        v, c, temporary = self.venues, self.calls, self.impact.temporary
        target = None if v.policy is None else v.policy.margin_target
        parts = {
            "impact.common_holders": (self.impact.common_holders, (assets, assets)),
            "impact.temporary.coefficient": (temporary and temporary.coefficient, (assets,)),
            "venues.liquidity_leakage": (v.liquidity_leakage, (venues, venues)),
            "venues.haircut": (v.haircut, (venues, assets)),
            "venues.policy.first_share": (v.policy and v.policy.first_share, (venues,)),
            "venues.policy.margin_target": (target, (venues,) if np.ndim(target) else ()),
            "venues.backstop.insurance_fund": (v.backstop and v.backstop.insurance_fund, (venues,)),
            "venues.backstop.surplus_to_fund": (v.backstop and v.backstop.surplus_to_fund, (venues,)),
            **{f"venues.breaker.{leaf}": (v.breaker and getattr(v.breaker, leaf), (venues,)) for leaf in BREAKER_LEAVES},
            **{f"venues.breaker.{leaf}": (v.breaker and getattr(v.breaker, leaf), (venues, assets)) for leaf in CONTRACT_LEAVES},
            "given.log_prices": (self.given and self.given.log_prices, (self.given.steps + 1 if self.given else 0, assets)),
            "calls.level": (c and c.level, (classes,)),
            "calls.top_up": (c and c.top_up, (classes,)),
            "calls.reduce": (c and c.reduce, (classes,)),
            "funding.rate": (self.funding and self.funding.rate, (assets,)),
            "flow.closing_rate": (self.flow and self.flow.closing_rate, (assets,)),
        }
        return {name: part for name, part in parts.items() if part[0] is not None}

    def cast(self, dtype) -> "Scenario":
        """The same scenario with every floating-point leaf in one precision."""

        def one(x):
            if isinstance(x, (np.ndarray, jax.Array)) and jnp.issubdtype(x.dtype, jnp.floating):
                return jnp.asarray(x, dtype)
            return x

        return jax.tree.map(one, self)


def coordinates(scenario: Scenario) -> dict[str, list[str]]:
    """Labels along each named axis of a scenario's losses."""
    names = scenario.names
    return {
        "venues": list(names.venues),
        "assets": list(names.assets),
        "sides": ["long", "short"],
        "classes": list(names.classes),
        **({"leverages": leverage_labels(edges)} if (edges := scenario.settings.leverage_buckets) else {}),
        "causes": list(CAUSES),
        "from_venues": list(names.venues),
    }

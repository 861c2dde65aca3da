"""The level that must not break: where, before any simulation, a forced dollar sets off more than one further, by venue."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ..cascade import fragility, prepare
from ..cascade.blocks import numbers
from ..positions import Nodes
from ..report.shown import Shown
from ..scenario import Scenario

NODES: Nodes = (512, 2, 4)
DRAWS = 32
SPREAD = {"impact": 0.45, "leverage": 0.3, "volume": 0.2}
"""ASSUMPTION, standard deviations of logs: impact's coefficient of 1 where 0.5 to 3 can be argued; medians of leverage, whose
errors in the shipped scenarios are 0.25 to 0.30; volume beside open interest, a venue share of 0.45 in 0.3 to 0.6."""
LEVEL = 0.9


class Level(NamedTuple):
    """Of a venue and asset: `distance` of the level below the price, a fraction, infinite where there is none down to half the
    price, with its interval over what is not known; `price`: the level, USD; `chance`: share of draws with such a level;
    `peak`: the largest branching number below the price, with its interval."""

    venue: str
    asset: str
    distance: float
    low: float
    high: float
    price: float
    chance: float
    peak: float
    peak_low: float
    peak_high: float


@dataclass(repr=False)
class Warned(Shown):
    """The levels, nearest first, and the map: `log_price`, `(levels,)`, below zero; `number`, `(venues, assets, levels)`, and its
    5 and 95% quantiles `low`, `high`; `branching`: the number at the level; `info`."""

    levels: list[Level]
    branching: float
    venues: tuple[str, ...]
    assets: tuple[str, ...]
    log_price: np.ndarray
    number: np.ndarray
    low: np.ndarray
    high: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Warned({self.line()!r})"

    def line(self) -> str:
        """The nearest level in a line."""
        one = self.levels[0]
        name = self.info.get("name", "")
        if not math.isfinite(one.distance):
            peak = f"{one.peak:.2f} [{one.peak_low:.2f}, {one.peak_high:.2f}]"
            return (f"{name}: no level down to half the price at which a forced dollar sets off {self.branching:g} more; "
                    f"the largest is {peak}, {one.asset} on {one.venue}")  # fmt: skip
        ends = f"{_percent(one.low)} to {_percent(one.high)}"
        return (f"{name}: {one.asset} on {one.venue} must not break {one.price:,.6g}, {_percent(one.distance)} below the price "
                f"(90% interval {ends})")  # fmt: skip

    def fires(self, threshold: float) -> bool:
        """Whether the nearest level is nearer than a fall of so much."""
        return self.levels[0].distance < threshold


def warning(scenario: Scenario, branching: float = 1.0, draws: int = DRAWS, seed: int = 1) -> Warned:
    r"""How far below the price is the level at which the branching number passes `branching`, by venue and asset.

    The number of a venue is how many further dollars a dollar forced there sets off: of all venues through the market's price,
    as in the fragility map, and of its own through its own book, $n_v(u) = n(u) + (1 - w_v)\,\lambda_v\,\rho_v(u)$, with its
    local impact $\lambda_v$, the index's weight $w_v$ in its mark and the density $\rho_v$ of what is triggered. Depth is
    normal, nothing has relaxed, and temporary impact is left out. What is not known of impact, leverage and volume is drawn
    (`SPREAD`).

    **Raises:** `ValueError` for a branching number that is not above 0, and what is wrong with the scenario.

    >>> import jaxrisk as jr
    >>> found = jr.warning(jr.load("btc_24h"), draws=8)
    >>> found.levels[0].venue, found.levels[0].asset
    ('binance', 'BTC')
    """
    problems = scenario.problems()
    if not (math.isfinite(branching) and branching > 0.0):
        problems.append(f"branching: {branching} has to be a number above 0")
    if problems:
        raise ValueError("\n".join(problems))
    normal = ndtri(np.clip(qmc.Sobol(3, seed=seed).random(draws), 1e-6, 1.0 - 1e-6))
    with numbers(False):
        log_price, middle = _map(scenario)
        drawn = np.stack([_map(_moved(scenario, *np.exp(np.array(list(SPREAD.values())) * z)))[1] for z in normal])
    venues, assets = scenario.names.venues, scenario.names.assets
    levels = []
    for v, venue in enumerate(venues):
        for a, asset in enumerate(assets):
            each = np.array([_distance(log_price, one[v, a], branching) for one in drawn])
            low, high = np.quantile(each, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0], method="nearest")
            peaks = np.quantile(drawn[:, v, a].max(axis=-1), [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
            at = _distance(log_price, middle[v, a], branching)
            price = float(np.asarray(scenario.price)[a]) * (1.0 - at) if math.isfinite(at) else math.nan
            chance = float(np.mean(np.isfinite(each)))
            levels.append(
                Level(venue, asset, at, float(low), float(high), price, chance, float(middle[v, a].max()), *map(float, peaks))
            )
    levels.sort(key=lambda one: (one.distance, -one.peak))
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    info = {"name": scenario.description.name, "title": scenario.description.title, "draws": draws}
    return Warned(levels, branching, venues, assets, log_price, middle, low, high, info)


def _map(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Log prices below the initial one, and the branching number of each venue and asset there, `(venues, assets, levels)`."""
    prepared = prepare(scenario, jnp.float32, NODES)
    found = fragility(prepared)
    below = -np.asarray(found.log_price[0], np.float64)
    common = np.asarray(found.number, np.float64)[:, 0]
    local = np.asarray(scenario.venues.local_impact, np.float64) * float(np.asarray(scenario.channels.feedback))
    own = (1.0 - np.asarray(scenario.venues.index_weight, np.float64))[:, None] * local
    total = np.broadcast_to(common, (len(scenario.names.venues), *common.shape))
    if local.any():
        half = 0.01
        ends = [
            np.asarray(_triggered(prepared, jnp.asarray(np.maximum(below + x, 0.0), jnp.float32)))[:, :, 0] for x in (-half, half)
        ]
        total = total + own[..., None] * (ends[1] - ends[0]) / (2.0 * half)
    return -below, np.asarray(total, np.float64)


@eqx.filter_jit
def _triggered(prepared: Any, distance: Any) -> Any:
    return prepared.book.triggered(distance)


def _distance(log_price: np.ndarray, number: np.ndarray, branching: float) -> float:
    """Fall to the nearest price at which a number passes a level, a fraction; infinite where none does."""
    beyond = np.flatnonzero(number >= branching)
    return float(-np.expm1(log_price[beyond[0]])) if len(beyond) else math.inf


def _moved(scenario: Scenario, impact: float, leverage: float, volume: float) -> Scenario:
    """With impact, leverage and volume so many times as large; what a scenario does not have is left out."""
    law = scenario.impact.law
    factor = impact * volume ** -float(np.mean(np.asarray(getattr(law, "exponent", 1.0))))
    scale = "coefficient" if hasattr(law, "coefficient") else "depth" if hasattr(law, "depth") else "move"
    at = lambda s: getattr(s.impact.law, scale)
    value = np.asarray(at(scenario), np.float64)
    scenario = eqx.tree_at(at, scenario, value / factor if scale == "depth" else value * factor)
    scenario = eqx.tree_at(
        lambda s: s.venues.local_impact, scenario, np.asarray(scenario.venues.local_impact, np.float64) * factor
    )
    # in the order of a pytree, in which `tree_at` sees them
    each = lambda s: [s.populations[name] for name in sorted(s.populations)]
    medians = lambda s: [one.median for one in each(s) if hasattr(one, "median")]
    if medians(scenario):
        scenario = eqx.tree_at(medians, scenario, [np.asarray(one, np.float64) * leverage for one in medians(scenario)])
    return scenario


def _percent(value: float) -> str:
    return f"{100.0 * value:.1f}%" if math.isfinite(value) else "none"


__all__ = ["DRAWS", "SPREAD", "Level", "Warned", "warning"]

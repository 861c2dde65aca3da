"""Reverse stress test: the most likely exogenous paths that reach a loss, in numbers, in words and in a picture."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._whole import whole
from ..cascade.blocks import in_precision, numbers
from ..cascade.engine import prepare
from ..report.shown import Shown
from ..risk.rare.cross_entropy import first_order
from ..risk.rare.drivers import Drivers, drivers
from ..risk.rare.given import Followed, GivenNoise, followed, noise_of, variance_of
from ..risk.rare.stress_path import SCALES, Unreachable, nearest_paths
from ..risk.rare.stress_surface import KEPT, Candidate, Surface
from ..risk.sample import Column
from ..scenario import Scenario
from .stress_words import HOURS_PER_YEAR, Jump, in_words

if TYPE_CHECKING:
    import pandas as pd

PROFILES = 12
"""Profiles in time that each normal is steered along: a day is resolved to about two hours."""
LEAST_SHARE = 1e-2
"""Answers less likely than this share of the likeliest, to first order, are left out: another path there is, but no reason."""


class AtRestError(ValueError):
    """The level is reached without any noise."""


class OutOfReachError(ValueError):
    """No path that the search can draw reaches the level."""


class StressPath(NamedTuple):
    """One most likely path to the loss.

    **Fields:**

    - `distance`: half the squared norm of the driving normals, less the log of the probability of its number of jumps; nats.
    - `probability`: first-order estimate of the probability of reaching the level this way, that number of jumps' probability
      times $\\Phi(-|y|)$; without jumps $\\Phi(-\\sqrt{2\\,distance})$. An order of magnitude, not an estimate with an error; too
      high where it matters when the jumps come, for it is reckoned as if they did at any time what they do at the best.
    - `loss`: of the observable asked about; `losses`: every observable.
    - `log_price`: exogenous, before any liquidation; `price`: after their impact; logs of the price over the initial one, shape
      `(steps + 1, assets)`.
    - `volatility`: a root year, where the law's varies, same shape; else None.
    - `liquidated`: so far, USD, shape `(steps + 1,)`.
    - `jumps`: when, of what, how far; `can_jump`: whether the law has any.
    - `drive`: the driving normals, shape `(steps, drivers)`, and `drive_labels`: what each drives.
    - `noise`: all the noise of the path, from which it can be run again; `candidate`: the optimiser's own point.
    - `words`: the path in words.
    """

    distance: float
    probability: float
    loss: float
    losses: dict[str, np.ndarray]
    log_price: np.ndarray
    price: np.ndarray
    volatility: np.ndarray | None
    liquidated: np.ndarray
    jumps: tuple[Jump, ...]
    can_jump: bool
    drive: np.ndarray
    drive_labels: tuple[tuple[str, str], ...]
    noise: GivenNoise
    candidate: Candidate
    words: str = ""

    def __repr__(self) -> str:
        return f"StressPath({self.distance:.2f} nats: {self.words})"


class ReverseStress(Shown):
    """The most likely paths to a level, the likeliest first.

    `observable`, `level`: what was asked; `answers`: a `StressPath` each; `assets`, `horizon_years`, `initial_price` (USD);
    `info`: seed, path simulations spent (a gradient counted as four), name and title of the scenario.
    """

    def __init__(self, observable: str, level: float, answers: list[StressPath], scenario: Scenario, info: dict[str, Any]):
        self.observable, self.level, self.answers, self.info = observable, level, answers, info
        self.assets, self.horizon_years = scenario.names.assets, scenario.settings.horizon
        self.initial_price = np.asarray(scenario.price, np.float64)

    @property
    def probability(self) -> float:
        """First-order estimate: the sum over the answers."""
        return float(sum(answer.probability for answer in self.answers))

    def to_dataframe(self) -> "pd.DataFrame":
        """One row a time and answer: exogenous price and price in USD by asset, volatility, liquidated so far."""
        import pandas as pd

        tables = []
        for place, answer in enumerate(self.answers, 1):
            columns: dict[str, Any] = {"answer": place, "hours": self.hours()}
            for a, name in enumerate(self.assets):
                columns[f"exogenous_price[{name}]"] = self.initial_price[a] * np.exp(answer.log_price[:, a])
                columns[f"price[{name}]"] = self.initial_price[a] * np.exp(answer.price[:, a])
                if answer.volatility is not None:
                    columns[f"volatility[{name}]"] = answer.volatility[:, a]
            tables.append(pd.DataFrame(columns | {"liquidated_usd": answer.liquidated}))
        return pd.concat(tables, ignore_index=True)

    def hours(self) -> np.ndarray:
        """Times of the steps, hours, the start included."""
        return np.linspace(0.0, self.horizon_years * HOURS_PER_YEAR, len(self.answers[0].price))

    def __repr__(self) -> str:
        number = len(self.answers)
        return f"ReverseStress({self.observable} >= {self.level:g}, {number} answer{'s' if number != 1 else ''})"


def reverse_stress(
    scenario: Scenario,
    observable: str,
    level: float,
    *,
    restarts: int = 32,
    profiles: int = PROFILES,
    seed: int | None = None,
    precision: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ReverseStress:
    r"""The most likely exogenous paths on which an observable reaches a level.

    Minimises half the squared norm of the driving normals, less the log of the probability of so many jumps, subject to
    observable $\ge$ level: by gradients through the whole cascade, over smooth profiles in time and the sizes and times of up to
    three jumps, from many starts at once. Distinct answers are returned, the likeliest first.

    **Arguments:**

    - `observable`: one number a path, `max_drawdown_index` or `liquidated_notional[*,BTC,long]`.
    - `level`: in its unit.
    - `restarts`: starts at least; those in named directions (at once, early, late, volatility first, jumps; up and down) come
      first, random ones after.
    - `profiles`: cosines in time for each driving normal: how finely the path may be shaped.
    - `seed`: of the random starts; `precision`: `"float32"` or `"float64"`; where None, the scenario says.
    - `progress`: called with `(done, total)`.

    **Raises:** `ValueError` for an unknown observable (with the nearest), a level that is not finite, is reached without any
    noise, or is out of reach (with the highest loss found), and for a law that cannot be steered (with what can be done).

    **What it leaves out.** What moves within two hours of a day, extremes between steps, the time of a random shock (held at half
    the horizon), and the opposite moves of a variance that touches zero: the answer is the nearest path of those that the
    profiles can draw. A minimum found from many starts is not proven to be the least.

    >>> import jaxrisk as jr
    >>> day = jr.load("btc_24h")
    >>> day = day.replace(settings=type(day.settings)(day.settings.horizon, 24))
    >>> found = jr.reverse_stress(day, "max_drawdown_index", 0.15, restarts=1, profiles=2)
    >>> found.answers[0].loss >= 0.15
    True
    """
    level, seed, precision = checked(scenario, level, seed, precision)
    problems: list[str] = []
    restarts, profiles = whole("restarts", restarts, problems, 1), whole("profiles", profiles, problems, 1)
    if problems:
        raise ValueError("\n".join(problems))
    double = precision == "float64"
    with numbers(double):
        prepared = prepare(scenario, jnp.dtype(precision))
        driven = drivers(prepared, scenario.names.assets)
        surface = Surface(prepared, driven, Column.of(scenario, observable), profiles)
        candidates = most_likely(surface, level, restarts, seed, progress)
        answers = _answers(surface, candidates, scenario)
    said = scenario.description
    info = {"seed": seed, "path_simulations": surface.work, "name": said.name, "title": said.title}
    return ReverseStress(observable, level, answers, scenario, info)


def checked(scenario: Any, level: Any, seed: Any, precision: str | None) -> tuple[float, int, str]:
    """Level, seed and precision, the scenario's where None; or what is wrong with them."""
    if not isinstance(scenario, Scenario):
        raise TypeError(f"a Scenario is needed, which jaxrisk.load makes of a file, and not {scenario!r}")
    if problems := scenario.problems():
        raise ValueError("the scenario does not fit together: " + "; ".join(problems))
    try:
        level = float(level)
    except (TypeError, ValueError):
        raise ValueError(f"level = {level!r}: a number is needed") from None
    if not math.isfinite(level):
        raise ValueError(f"level = {level}: a finite number is needed")
    problems: list[str] = []
    seed = whole(
        "seed", scenario.description.seed if seed is None else seed, problems, 0, 2**64 - 1, "from 0 to 2^64 - 1 is allowed"
    )
    if problems:
        raise ValueError(problems[0])
    precision = scenario.description.precision if precision is None else precision
    if precision not in ("float32", "float64"):
        raise ValueError(f'precision = "{precision}": float32 or float64 is allowed')
    return level, seed, precision


def most_likely(surface: Surface, level: float, restarts: int, seed: int, progress=None) -> list[Candidate]:
    """The optimiser's candidates, those left out that are far less likely than the first; or why there is none."""
    observable, at_rest = surface.score.name, surface.at_rest()
    if at_rest >= level:
        raise AtRestError(
            f"{observable} >= {level:g}: reached without any noise, where it is {at_rest:.4g}; a higher level is needed"
        )
    try:
        found = nearest_paths(surface, level, restarts, seed=seed, progress=progress)
    except Unreachable as error:
        highest = max(error.highest, at_rest)
        raise OutOfReachError(
            f"{observable} >= {level:g}: out of reach; within {SCALES[-1]:.0f} standard deviations most found is {highest:.4g}"
        ) from None
    best = max(first_order(one) for one in found)
    return sorted((one for one in found if first_order(one) >= LEAST_SHARE * best), key=lambda one: -first_order(one))


def _answers(surface: Surface, candidates: list[Candidate], scenario: Scenario) -> list[StressPath]:
    filled = [*candidates, *candidates[-1:] * (-len(candidates) % KEPT)]  # however many there are, one shape to compile
    courses = surface.course(*(np.stack([getattr(one, name) for one in filled]) for name in ("point", "times", "sources")))
    paths: Followed = in_precision(surface.double, followed, surface.prepared, courses, surface.source)
    paths = jax.tree.map(lambda x: np.asarray(x, np.float64), paths)
    answers = []
    for k, one in enumerate(candidates):
        course = jax.tree.map(lambda x, k=k: x[k], courses)
        noise = in_precision(surface.double, noise_of, surface.prepared, surface.source, course)
        path = jax.tree.map(lambda x, k=k: x[k], paths)
        answers.append(_answer(surface.driven, one, path, noise, scenario))
    return answers


def _answer(driven: Drivers, one: Candidate, path: Followed, noise: GivenNoise, scenario: Scenario) -> StressPath:
    from_start = lambda x: np.concatenate([np.zeros_like(x[:1]), x])
    volatility = None
    if path.variance is not None:
        market = scenario.market
        state = market.init(market.prepare(jnp.asarray(scenario.settings.years_per_step)), jnp.asarray(noise.first)[1:])
        begin = np.asarray(variance_of(market, state), np.float64)
        volatility = np.sqrt(np.maximum(np.concatenate([begin[None], path.variance]), 0.0))
    found = StressPath(
        distance=one.distance,
        probability=first_order(one),
        loss=one.value,
        losses=path.losses,
        log_price=from_start(path.exogenous),
        price=from_start(path.price),
        volatility=volatility,
        liquidated=from_start(path.liquidated),
        jumps=_jumps(driven, one, path, noise, scenario),
        can_jump=bool(driven.jump_uniforms),
        drive=np.asarray(noise.normals, np.float64)[:, list(driven.normals)],
        drive_labels=driven.labels,
        noise=noise,
        candidate=one,
    )
    return found._replace(words=in_words(found, scenario.names.assets, scenario.settings.horizon))


def _jumps(driven: Drivers, one: Candidate, path: Followed, noise: GivenNoise, scenario: Scenario) -> tuple[Jump, ...]:
    """Each jump's own part of the log price: what the market's step says of that step's noise."""
    steps = scenario.settings.steps
    jumped = np.asarray(_log_jumps(scenario.market, jnp.asarray(scenario.settings.years_per_step), noise), np.float64)
    jumps = []
    for time, source in sorted((t, int(s)) for t, s in zip(one.times, one.sources, strict=True) if t >= 0.0):
        step = min(int(time * steps), steps - 1)
        name = driven.jump_labels[source]
        asset = 0 if name == "all" else scenario.names.assets.index(name)
        hours = (step + 1) * scenario.settings.years_per_step * HOURS_PER_YEAR
        jumps.append(Jump(hours, name, float(np.expm1(jumped[step, asset]))))
    return tuple(jumps)


@jax.jit
def _log_jumps(market, years_per_step, noise: GivenNoise):
    """Shape `(steps, assets)`. Compiled by itself: a scan outside a program is compiled anew for every scenario."""
    constants = market.prepare(years_per_step)

    def body(state, seen):
        state, move = market.step(constants, state, *seen)
        return state, move.jump

    seen = (noise.normals, noise.uniforms, jnp.arange(len(noise.normals)))
    return jax.lax.scan(body, market.init(constants, noise.first[1:]), seen)[1]


__all__ = [
    "PROFILES", "AtRestError", "OutOfReachError", "ReverseStress", "StressPath", "checked", "most_likely", "reverse_stress",
]  # fmt: skip

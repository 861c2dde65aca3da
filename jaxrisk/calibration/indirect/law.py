"""A log variance fitted to one file by simulation, as `jaxrisk calibrate` has it: with the impact of forced orders, or alone."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...data.price_file import PriceFile
from ...scenario import Scenario
from ..laws.fit import LawFit, NotFitted, hourly_returns, sample_of
from .bars import day_bars
from .log_variance import (
    DAYS,
    HALF_LIVES,
    OF_IMPACT,
    RECORDS,
    TEMPORARY_EXPONENT,
    TEMPORARY_HALF_LIFE,
    TailFit,
    TailModel,
    fit_tail,
    forced_points,
    in_words,
    on_scenario_scale,
)

PROCESS = "log_variance"
ROUNDS = 6
_KEYS = ("mean_variance", "factor_sd", "leverage_correlation", "jump_rate", "jump_sd", "scaled_jump_mean", "scaled_jump_sd")
_BY_FACTOR = {
    "factor_sd": tuple(f"factor_sd {i + 1}" for i in range(len(HALF_LIVES))),
    "leverage_correlation": ("leverage_correlation",) * len(HALF_LIVES),
}
"""Keys that have a number for each factor, and the fit's names of those."""
_MINUTES_A_YEAR = 525600.0
FALLS = (0.10, 0.15, 0.20)
_MOSTLY = 0.5
"""Share of a number that is what was believed before, beyond which it is said."""

Told = Callable[[str], Any]


class SimulatedFit(NamedTuple):
    """**Fields:** `law`: as other laws' fits; `impact`: value and origin by dotted key of a scenario, empty without feedback or
    where nothing was fitted; `tail`: the fit itself, None where there is none; `forced`: of a day's fall of each of `FALLS`, the
    part that was forced orders and the ends of its 95% interval, `(falls, 3)`, empty without feedback."""

    law: LawFit
    impact: dict[str, tuple[Any, str]]
    tail: TailFit | None
    forced: np.ndarray = np.zeros((0, 3))


def fit_by_simulation(
    prices: PriceFile,
    scenario: Scenario | None = None,
    *,
    records: int = RECORDS,
    days: int = DAYS,
    rounds: int = ROUNDS,
    draws: int = 24,
    told: Told | None = None,
) -> SimulatedFit:
    """Fit a log variance of four factors with rare jumps to all days of a file by indirect inference.

    **Arguments:** `prices`: bars that divide an hour; `scenario`: positions and mechanics through which every simulated day is
    run, of one asset under a power law of impact, whose lasting and temporary coefficients are fitted too, or None; `records`,
    `days`: simulated records a step, and days of them run through the scenario; `rounds`: most steps for each of two weights;
    `draws`: of the parameters, for the interval of what was forced orders; `told`: a line for every step.

    What cannot be fitted is no error: the answer says so in `problems`.
    """
    sample, began = sample_of(prices), time.perf_counter()
    note = "log variance of four factors by indirect inference: simulated records as long as this one have its moments"
    if scenario is not None:
        note += ", forced orders in every simulated day"

    def step(number: int, distance: float, point: np.ndarray) -> None:
        if told is not None:
            spent = time.perf_counter() - began
            now = ", ".join(f"{name} {value:.3g}" for name, value in in_words(model.names, point).items() if name in OF_IMPACT)
            told(f"step {number}: distance {distance:.1f}{', ' * bool(now)}{now}, {spent:.0f} s")

    try:
        hourly_returns(prices)
        if np.all(prices.high == prices.low):
            raise ValueError("no bar has a high and a low: falls within an hour are not in the file")
        model = TailModel(day_bars(prices), scenario, records=records, days=days)
        if told is not None:
            told(f"{records} simulated records of {len(model.bars.close)} days a step, at most {2 * rounds} steps")
        tail = fit_tail(model, rounds=rounds, report=step)
    except (NotFitted, ValueError) as error:
        return SimulatedFit(LawFit(PROCESS, {}, {}, False, (str(error),), {}, sample, note), {}, None)
    law, impact = _law(tail, f"{sample}, {tail.recorded.days} days", note), _impact(tail, sample)
    if not impact:
        return SimulatedFit(law, impact, tail)
    if told is not None:
        told("how much of a fall was forced orders, over what is not known of law and impact")
    mean, ends = forced_points(tail, model, FALLS, draws=draws)
    return SimulatedFit(law, impact, tail, np.column_stack([mean, *ends]))


def _law(tail: TailFit, sample: str, note: str) -> LawFit:
    found = tail.estimate
    numbers, spread = on_scenario_scale(tail.names, found.values, found.errors)
    shares = dict(zip(tail.names, found.believed, strict=True))
    values, errors, origins = {}, {}, {}
    for key in _KEYS:
        names = _BY_FACTOR.get(key)
        pick = lambda of, key=key, names=names: tuple(of[name] for name in names) if names else of[key]
        values[key], errors[key] = pick(numbers), pick(spread)
        origins[key] = f"MEASURED: {sample}{_mostly_believed(np.max(pick(shares)))}"
    origins["half_life"] = "ASSUMPTION: an hour, a night, four days, three months; what is between, two neighbours share"
    origins["start"] = "ASSUMPTION: each path from a day drawn at random"
    pulls = (tail.recorded.values[tail.used] - found.mean) / np.maximum(found.deviation, 1e-12)
    names = np.array(tail.recorded.names)[tail.used]
    far = ", ".join(f"{names[i]} {pulls[i]:+.1f}" for i in np.argsort(-np.abs(pulls))[:3])
    note += f"; {found.beyond:.0%} of simulated records lie further from theirs"
    return LawFit(
        process=PROCESS,
        values=values,
        errors=errors,
        converged=found.settled,
        problems=() if found.settled else (f"the search had not settled after {found.rounds} steps",),
        checks={"moments": float(tail.used.sum()), "distance": found.distance, "further_records": found.beyond},
        sample=sample,
        note=f"{note}; furthest, in standard deviations of a record: {far}",
        words={"half_life": [f"{x:g}h" if x < 24.0 else f"{x / 24.0:g}d" for x in HALF_LIVES], "start": "stationary"},
        origins=origins,
    )


def _mostly_believed(share: float) -> str:
    """What is said of a number of which the record tells less than half."""
    return f", {share:.0%} of it what was believed before" if share > _MOSTLY else ""


def _impact(tail: TailFit, sample: str) -> dict[str, tuple[Any, str]]:
    """The two coefficients, and what they were fitted at, where the search settled."""
    if tail.scenario is None or not tail.estimate.settled:
        return {}
    numbers, spread = on_scenario_scale(tail.names, tail.estimate.values, tail.estimate.errors)
    shares = dict(zip(tail.names, tail.estimate.believed, strict=True))
    found: dict[str, tuple[Any, str]] = {}
    for name in OF_IMPACT:
        text = f"MEASURED, s.e. {spread[name]:.2g}: fitted together with the price law, {sample}{_mostly_believed(shares[name])}"
        found[name] = float(f"{numbers[name]:.4g}"), text
    given = "the coefficient was fitted at it; hourly bars do not tell"
    minutes = f"{TEMPORARY_HALF_LIFE * _MINUTES_A_YEAR:g}min"
    found["temporary_impact.exponent"] = TEMPORARY_EXPONENT, f"LITERATURE: Almgren and others (2005), Risk 18(7); {given}"
    found["temporary_impact.half_life"] = minutes, f"ASSUMPTION, range 1 to 10 min: {given}"
    return found


__all__ = ["FALLS", "PROCESS", "SimulatedFit", "fit_by_simulation"]

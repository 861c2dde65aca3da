"""Numbers of a scenario by name: what can be varied, within which range, and the scenario with some of them moved."""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ..scenario import Scenario, bare_keys
from .numbers import groups_of


class Parameter(NamedTuple):
    """A number of a scenario that can be varied.

    **Fields:** `name`: as in a scenario file, labels in brackets, `limits.cap[retail,*,*]`; `value`: in `unit`; `low`, `high`:
    allowed range; `pathwise`: whether the derivative of a path is a sensitivity. It is not where the number moves a threshold
    (a number of jumps, a size from which a rule holds), nor under `book = "account"`, where single accounts are liquidated or
    not: those have to be bumped.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    pathwise: bool = True


def parameters(scenario: Scenario) -> list[Parameter]:
    """Everything that can be varied: the numbers that a scenario has and that have an effect in it.

    Not among them: initial prices, horizon and counts, tier floors and highest leverages, given price paths. Rates stand for a
    file's half-lives (`impact.relaxation_rate` is log 2 over `resilience_half_life`), times are in seconds.

    - `market.volatility` of a law with stochastic variance scales start and mean variance together; of a bootstrap, its returns.
    - `impact.move` scales a whole table of impact, and is its value at the last point.
    - `venues.*.tiers.rate` of one tier raises the requirement of the later tiers by what keeps it continuous.
    - `populations.*.open_interest` of a list of positions makes each isolated account larger, of a map or of accounts under
      cross margin more numerous.
    """
    pathwise = scenario.book != "account"
    found = []
    for group in groups_of(scenario):
        values = np.asarray(group.read(scenario), np.float64)
        shape = values.shape
        low, high = np.broadcast_to(group.low, shape), np.broadcast_to(group.high, shape)
        for name, place in zip(group.names(), group.places, strict=True):
            numbers = float(values[place]), float(low[place]), float(high[place])
            found.append(Parameter(name, numbers[0], group.unit, numbers[1], numbers[2], group.pathwise and pathwise))
    return found


def named(scenario: Scenario, names: str | Sequence[str]) -> list[Parameter]:
    """The parameters meant by some names, each once.

    **Arguments:** `names`: full names; or names without labels, or without the venue, population or stop order
    (`venues.engine_time`), which mean all such entries; or patterns with `*` and `?` for any text and any character.

    **Raises:** `ValueError` that lists all names that mean nothing, with the nearest that does, a line each.
    """
    known = {one.name: one for one in parameters(scenario)}
    shorter: dict[str, list[str]] = {}
    for group in groups_of(scenario):
        for short in {group.name, group.alias}:
            shorter.setdefault(short, []).extend(group.names())
    chosen: dict[str, Parameter] = {}
    wrong = []
    for name in [names] if isinstance(names, str) else names:
        meant = [name] if name in known else shorter.get(name) or _matching(name, known)
        chosen |= {one: known[one] for one in meant}
        if not meant:
            wrong.append(_unknown(name, [*known, *shorter], scenario))
    if wrong:
        raise ValueError("\n".join(wrong))
    return list(chosen.values())


def moved(scenario: Scenario, parameters: Iterable[Parameter | str], by: Any) -> Scenario:
    """The scenario with each parameter moved by an amount in its unit.

    **Arguments:** `by`: shape `(parameters,)`. Differentiable in it, also inside a compiled function; NumPy arrays leave the
    scenario's numbers in float64. Ranges are not checked.

    >>> import jaxrisk as jr
    >>> scenario = jr.load("btc_24h")
    >>> later = moved(scenario, named(scenario, "venues.binance.engine_time"), [5.0])
    >>> round(named(later, "venues.engine_time")[0].value, 6)
    15.0
    """
    by = by if isinstance(by, jax.Array) else np.asarray(by, np.float64)
    wanted = [one if isinstance(one, str) else one.name for one in parameters]
    if by.shape != (len(wanted),):
        raise ValueError(f"by has shape {by.shape}: one number for each of the {len(wanted)} parameters is needed")
    left = dict.fromkeys(wanted)
    for group in groups_of(scenario):
        places = dict(zip(group.names(), group.places, strict=True))
        mine = [k for k, name in enumerate(wanted) if name in places]
        for k in mine:
            left.pop(wanted[k], None)
        if mine:
            scenario = group.move(scenario, [places[wanted[k]] for k in mine], by[np.array(mine)])
    if left:
        raise ValueError("\n".join(f'no parameter "{name}" in this scenario' for name in left))
    return scenario


def bare_names(scenario: Scenario, names: Iterable[str]) -> tuple[str, ...]:
    """What numbers of a scenario are called in `scenario.bare()`, where nothing has a name of its own."""
    placed = lambda parts: {name: parts[name] for name in bare_keys(parts)}
    same_order = dataclasses.replace(scenario, populations=placed(scenario.populations), stops=placed(scenario.stops))
    before, after = ([name for group in groups_of(one) for name in group.names()] for one in (same_order, scenario.bare()))
    known = dict(zip(before, after, strict=True))
    return tuple(known.get(name, name) for name in names)


def _matching(name: str, known: Iterable[str]) -> list[str]:
    if not set(name) & set("*?"):
        return []
    pattern = re.escape(name).replace(r"\*", ".*").replace(r"\?", ".")
    return [one for one in known if re.fullmatch(pattern, one)]


_FILE_KEYS = {
    "resilience_half_life": "relaxation_rate",
    "temporary_impact.half_life": "temporary_impact.relaxation_rate",
    "arbitrage_half_life": "arbitrage_rate",
    "local_depth": "local_impact",
    "closing_half_life": "closing_rate",
    "measurement_half_life": "measurement_rate",
    "recovery_half_life": "recovery_rate",
    "maintenance_rate": "tiers.rate",
    "fund_size": "insurance_fund",
}


def _unknown(name: str, known: list[str], scenario: Scenario) -> str:
    said = name
    for key, leaf in _FILE_KEYS.items():
        said = said.replace(key, leaf)
    near = difflib.get_close_matches(said, known, n=1, cutoff=0.4)
    guess = f': did you mean "{near[0]}"?' if near else ""
    if name.startswith("limits") and not scenario.limits.account_class:
        guess = ": the scenario has no limits"
    return f'no parameter "{name}"{guess}'


__all__ = ["Parameter", "bare_names", "moved", "named", "parameters"]

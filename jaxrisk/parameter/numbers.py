"""The numbers of each part of a scenario, by name: which there are, their units and ranges."""

from itertools import permutations
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..cascade import PowerImpact, TableImpact
from ..positions import Accounts, CrossAccounts, Histogram, LiquidationMap
from ..scenario import Scenario
from .breaker import breaker
from .groups import SECOND, SHARE, UNBOUNDED, Group, concrete, each, fields, plain, scaling
from .market import market_groups


def groups_of(scenario: Scenario) -> list[Group]:
    """All groups of parameters that the scenario has, in the order in which they are listed."""
    parts = (_limits, _rules, _venues, _populations, _impact, market_groups, _shock, _flows, _channels)
    groups = [group for part in parts for group in part(scenario) if group.places]
    if any(scenario.venues.tiers.whole):
        groups = [group._replace(pathwise=group.pathwise and not _jumps(group.name)) for group in groups]
    return groups


def _jumps(name: str) -> bool:
    """Whether a number decides in which tier a position falls short, where a rate holds for the whole position: the liquidation
    price of a long jumps there."""
    kind = name.split(".")
    return kind[0] in ("limits", "calls") or kind[-2:] == ["tiers", "rate"] or (kind[0] == "populations" and kind[-1] in _DECIDE)


_DECIDE = ("median", "log_sd", "low", "high", "entry_mean", "entry_sd", "leverage")


def _limits(scenario: Scenario) -> list[Group]:
    limits, names = scenario.limits, scenario.names
    labels: list[str] = []
    for chosen in zip(limits.account_class, limits.venue, limits.asset, strict=True):
        known = (names.classes, names.venues, names.assets)
        label = ",".join("*" if i < 0 else axis[i] for i, axis in zip(chosen, known, strict=True))
        before = sum(one.split("#")[0] == label for one in labels)
        labels.append(f"{label}#{before + 1}" if before else label)
    ranges = {"cap": ("1", 1.0, 1e6), "share_downsize": SHARE, "leakage": SHARE, "close_out": SHARE}
    return fields("limits", lambda s: s.limits, labels, ranges) if labels else []


def _rules(scenario: Scenario) -> list[Group]:
    groups = []
    if scenario.calls is not None:
        table = {"level": ("1", 1.0, 100.0, False), "top_up": SHARE, "reduce": SHARE}
        groups += fields("calls", lambda s: s.calls, scenario.names.classes, table)
    for name in scenario.stops:
        table = {"quantity": ("USD", 0.0, UNBOUNDED), "level": ("USD/coin", 0.0, UNBOUNDED), "width": ("1", 0.0, 3.0)}
        made = fields(f"stops.{name}", lambda s, name=name: s.stops[name], (), table)
        groups += [group._replace(alias=group.name.replace(f".{name}.", ".", 1)) for group in made]
    return groups


def _venues(scenario: Scenario) -> list[Group]:
    venues, names = scenario.venues, scenario.names
    groups = []
    for v, name in enumerate(names.venues):
        of = lambda field, at, *said, label="", place=(), prefix=f"venues.{name}.", v=v, **more: plain(
            prefix + field, at, [label], [(v, *place)], *said, alias=f"venues.{field}", **more
        )
        time = concrete(venues.engine_time)
        instant = time is not None and bool(time[v] <= 0.0)
        groups += [
            of("engine_time", lambda s: s.venues.engine_time, "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=not instant),
            of("liquidation_fee", lambda s: s.venues.liquidation_fee, *SHARE),
            of("closes_opposite", lambda s: s.venues.closes_opposite, *SHARE),
        ]
        if len(names.venues) > 1:
            groups += [
                of("arbitrage_rate", lambda s: s.venues.arbitrage_rate, "1/year", 0.0, UNBOUNDED),
                of("index_weight", lambda s: s.venues.index_weight, *SHARE),
            ]
            local = lambda s: s.venues.local_impact
            groups += [
                of("local_impact", local, "1/USD", 0.0, UNBOUNDED, label=asset, place=(a,))
                for a, asset in enumerate(names.assets)
            ]
        if venues.liquidity_leakage is not None:
            leak = lambda s: s.venues.liquidity_leakage
            groups += [of("liquidity_leakage", leak, *SHARE, label=w, place=(i,)) for i, w in enumerate(names.venues) if i != v]
        if venues.haircut is not None:
            haircut = lambda s: s.venues.haircut
            groups += [of("haircut", haircut, *SHARE, label=asset, place=(a,)) for a, asset in enumerate(names.assets)]
        groups += _policy(scenario, v, of) + breaker(scenario, v, of) + _tiers(scenario, v)
    return groups


def _policy(scenario: Scenario, v: int, of) -> list[Group]:
    """A venue's partial liquidation and backstop. What a fund holds decides by a threshold where deleveraging starts at one."""
    policy, backstop = scenario.venues.policy, scenario.venues.backstop
    groups = []
    if policy is not None and policy.kind[v] == "partial":
        groups += [
            of("first_share", lambda s: s.venues.policy.first_share, *SHARE),
            of("first_above", lambda s: s.venues.policy.first_above, "USD", 0.0, UNBOUNDED, pathwise=False),
        ]
        if scenario.book == "account":
            groups.append(of("cool_down", lambda s: s.venues.policy.cool_down, "s", 0.0, UNBOUNDED, scale=SECOND, pathwise=False))
    if policy is not None and policy.kind[v] == "to_margin":
        groups.append(of("margin_target", lambda s: s.venues.policy.margin_target, "1", 1.0, 100.0))
    if backstop is not None:
        threshold = backstop.trigger[v] == "fund_drawdown"
        fund = lambda s: s.venues.backstop.insurance_fund
        groups += [
            of("insurance_fund", fund, "USD", 0.0, UNBOUNDED, pathwise=not threshold),
            of("surplus_to_fund", lambda s: s.venues.backstop.surplus_to_fund, *SHARE, pathwise=not threshold),
        ]
        if threshold:
            groups.append(of("fund_drawdown", lambda s: s.venues.backstop.drawdown_threshold, *SHARE, pathwise=False))
    return groups


def _tiers(scenario: Scenario, v: int) -> list[Group]:
    """Maintenance rates, which keep their order; short tables are padded with their last row, which is one tier."""
    name, assets = scenario.names.venues[v], scenario.names.assets
    rate, floor = concrete(scenario.venues.tiers.rate), concrete(scenario.venues.tiers.floor)
    labels, places = [], []
    low, high = np.zeros(scenario.venues.tiers.rate.shape), np.ones(scenario.venues.tiers.rate.shape)
    for a, asset in enumerate(assets):
        levels = range(low.shape[-1])
        if floor is not None:
            levels = [i for i in levels if i == 0 or floor[v, a, i] != floor[v, a, i - 1]]
        for i, before, after in zip(levels, [None, *levels[:-1]], [*levels[1:], None], strict=True):
            labels.append(f"{asset},{i}")
            places.append((v, a, i))
            if rate is not None:
                low[v, a, i] = 0.0 if before is None else rate[v, a, before]
                high[v, a, i] = 1.0 if after is None else rate[v, a, after]
    read = lambda s: np.asarray(s.venues.tiers.rate, np.float64)
    return [Group(f"venues.{name}.tiers.rate", "venues.tiers.rate", labels, places, "1", low, high, True, read, _move_rates)]


def _move_rates(scenario: Scenario, places, by) -> Scenario:
    """Move rates, and under marginal tiers the amounts so that the requirement stays continuous at every floor; one product for
    all of them, since a program with hundreds of updates takes minutes to compile."""
    tiers = scenario.venues.tiers
    rates, amounts = [], []
    xp: Any = jnp if isinstance(tiers.floor, jax.Array) else np
    for v, a, i in places:
        here = tiers.floor[v, a, i]
        cell = np.zeros((*tiers.floor.shape[:2], 1), bool)
        cell[v, a] = True
        same, above = cell & (tiers.floor == here), cell & (tiers.floor > here)
        width = xp.min(xp.where(above, tiers.floor, xp.inf)) - here
        rates.append(same)
        amounts.append(xp.where(above, -width, xp.where(same, here, 0.0)) * (not tiers.whole[v]))
    dot = jnp.tensordot if isinstance(by, jax.Array) else np.tensordot
    total = lambda moves: dot(by, xp.stack(moves).astype(by.dtype), 1)
    rate, amount = tiers.rate + total(rates), tiers.amount + total(amounts)
    return eqx.tree_at(lambda s: (s.venues.tiers.rate, s.venues.tiers.amount), scenario, (rate, amount))


def _populations(scenario: Scenario) -> list[Group]:
    """Holders. Account sizes decide by thresholds which tier's highest leverage holds."""
    groups: list[Group] = []
    for name, population in scenario.populations.items():
        of = lambda s, name=name: s.populations[name]
        prefix = f"populations.{name}"
        if isinstance(population, LiquidationMap):
            made = [_numerous(prefix, of, lambda p, s: p.open_interest.sum(), ("open_interest",))]
            size = plain(
                f"{prefix}.size_median", lambda s, of=of: of(s).notional, [""], [()], "USD", 0.0, UNBOUNDED, pathwise=False
            )
            made.append(size)
        elif isinstance(population, Accounts):
            made = [_numerous(prefix, of, _accounts_held, ("quantity", "collateral"))]
        elif isinstance(population, CrossAccounts):
            made = [_numerous(prefix, of, lambda p, s: (p.weight[p.account] * _held(p, s)).sum(), ("weight",))]
        else:
            table = {field: said for field, said in _HOLDERS.items() if hasattr(population, field)}
            made = fields(prefix, of, (), table)
            if isinstance(population, Histogram):
                bins = [str(i) for i in range(np.shape(population.leverage)[0])]
                made += fields(prefix, of, bins, {"leverage": ("1", 1.0, 1e4)})
        groups += [group._replace(alias=group.name.replace(f".{name}.", ".", 1)) for group in made]
    return groups


_HOLDERS = {
    "open_interest": ("USD", 0.0, UNBOUNDED),
    "median": ("1", 0.0, 1e4),
    "log_sd": ("1", 0.0, 10.0),
    "low": ("1", 1.0, 1e4),
    "high": ("1", 1.0, 1e4),
    "entry_mean": ("1", -3.0, 3.0),
    "entry_sd": ("1", 0.0, 3.0),
    "size_median": ("USD", 0.0, UNBOUNDED, False),
    "size_log_sd": ("1", 0.0, 10.0, False),
}


def _held(population, scenario: Scenario):
    """USD at the initial price of each position: coins, or the dollars of coin-margined contracts."""
    dollars = np.asarray(scenario.venues.inverse)[population.venue]
    price = scenario.price[population.asset]
    return population.quantity * (price + dollars * (population.entry_price - price))


def _accounts_held(population, scenario: Scenario):
    return _held(population, scenario).sum()


def _numerous(prefix: str, of, held, fields: tuple[str, ...]) -> Group:
    """Open interest as a common scale of some leaves."""
    leaves = [(lambda s, field=field: getattr(of(s), field), 1, 0) for field in fields]
    return scaling(f"{prefix}.open_interest", lambda s: held(of(s), s), leaves, [""], [()], "USD")


def _impact(scenario: Scenario) -> list[Group]:
    impact, assets = scenario.impact, scenario.names.assets
    part = lambda s: s.impact
    groups: list[Group] = []
    if isinstance(impact.law, PowerImpact):
        table = {"coefficient": ("1", 0.0, 1e3), "daily_volatility": ("1", 0.0, 2.0),
                 "daily_volume": ("USD/day", 0.0, UNBOUNDED), "exponent": ("1", 0.0, 1.0)}  # fmt: skip
        groups += fields("impact", lambda s: s.impact.law, assets, table)
    elif isinstance(impact.law, TableImpact):
        last = lambda s: s.impact.law.move[:, -1]
        groups.append(scaling("impact.move", last, [(lambda s: s.impact.law.move, 1, 1)], *each(assets), "1"))
    else:
        groups += fields("impact", lambda s: s.impact.law, assets, {"depth": ("USD", 0.0, UNBOUNDED)})
    groups += fields("impact", part, assets, {"relaxation_rate": ("1/year", 0.0, UNBOUNDED), "permanent_share": SHARE})
    pairs = list(permutations(range(len(assets)), 2))
    labels, places = [f"{assets[b]}->{assets[a]}" for a, b in pairs], pairs  # what b does to a, in row a
    groups.append(plain("impact.cross", lambda s: s.impact.cross, labels, places, "1", -1.0, 1.0))
    if impact.common_holders is not None:
        groups.append(plain("impact.common_holders", lambda s: s.impact.common_holders, labels, places, "1", 0.0, UNBOUNDED))
    if impact.temporary is not None:
        table = {"coefficient": ("1", 0.0, 1e3), "exponent": ("1", 0.0, 1.0), "relaxation_rate": ("1/year", 0.0, UNBOUNDED),
                 "daily_volatility": ("1", 0.0, 2.0), "daily_volume": ("USD/day", 0.0, UNBOUNDED)}  # fmt: skip
        groups += fields("temporary_impact", lambda s: s.impact.temporary, assets, table)
    if scenario.depth is not None:
        table = {"exponent": ("1", 0.0, 10.0), "reference_volatility": ("1/sqrt(year)", 0.0, 20.0),
                 "measurement_rate": ("1/year", 0.0, UNBOUNDED), "recovery_rate": ("1/year", 0.0, UNBOUNDED),
                 "floor": SHARE}  # fmt: skip
        groups += fields("depth", lambda s: s.depth, assets, table)
    return groups


def _shock(scenario: Scenario) -> list[Group]:
    """A shock's times: it begins and ends at the ends of steps, where the derivative is one-sided."""
    shock = scenario.shock
    if shock is None:
        return []
    table = {"size": ("1", -1.0, 10.0), "window": ("s", 0.0, UNBOUNDED, False), "at": ("s", 0.0, UNBOUNDED, False)}
    if shock.random:
        del table["at"]
    groups = fields("shock", lambda s: s.shock, scenario.names.assets, table)
    return groups + ([] if shock.venue is None else fields("shock", lambda s: s.shock, (), {"pass_through": SHARE}))


def _flows(scenario: Scenario) -> list[Group]:
    groups, assets = [], scenario.names.assets
    if scenario.funding is not None:
        table = {"rate": ("1/year", -50.0, 50.0), "trend_sensitivity": ("1", -100.0, 100.0)}
        groups += fields("funding", lambda s: s.funding, assets, table)
    if scenario.flow is not None:
        elasticity, trend = ("1", -10.0, 10.0), ("s", -UNBOUNDED, UNBOUNDED)
        table = {"closing_rate": ("1/year", 0.0, UNBOUNDED), "opening_rate": ("1/year", 0.0, 1e5),
                 "opening_follows": SHARE,
                 "reference_volatility": ("1/sqrt(year)", 0.0, 20.0), "volume_elasticity": elasticity,
                 "leverage_elasticity": elasticity, "volume_trend": trend, "leverage_trend": trend}  # fmt: skip
        groups += fields("flow", lambda s: s.flow, assets, table)
        groups += fields("flow", lambda s: s.flow, (), {"half_life": ("s", 0.0, UNBOUNDED)})
    return groups


def _channels(scenario: Scenario) -> list[Group]:
    """Those of parts that the scenario has."""
    there = {
        "feedback": True,
        "depth_withdrawal": scenario.depth is not None,
        "stops": bool(scenario.stops),
        "calls": scenario.calls is not None,
        "deleveraging": scenario.venues.backstop is not None,
        "common_holders": scenario.impact.common_holders is not None,
    }
    # with all stop orders both sides are equal, without some others make up the difference: the derivative jumps there
    offered = {name: (*SHARE, name != "stops") for name, some in there.items() if some}
    return fields("channels", lambda s: s.channels, (), offered)

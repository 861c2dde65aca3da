"""From a checked configuration to the scenario that the engine runs."""

from typing import Any

import numpy as np

from .. import market as markets
from ..cascade import Channels, Depth, Impact, LinearImpact, PowerImpact, TableImpact, TemporaryImpact
from ..data.price_grid import milliseconds
from ..market import Shock as ShockOverlay
from ..scenario import Description, Names, Scenario, Settings
from ..units import SECONDS_PER_YEAR, Span
from . import tables
from .arrays import by_asset, rates
from .build_populations import build_calls, build_flow, build_funding, build_limits, build_populations, build_stops
from .build_start import build_log_variance, build_start
from .build_venues import build_venues
from .checked import Checked
from .tables.matrices import as_matrix


def build(checked: Checked, source_text: str) -> Scenario:
    """The scenario of a configuration without problems; every number becomes a leaf under its dotted name."""
    run, assets = checked.run, tuple(checked.assets)
    assert run is not None
    price = np.array([asset.price for asset in checked.assets.values() if asset is not None])
    market = _market(checked, run, assets)
    names = Names(tuple(checked.venues), assets, checked.classes)
    return Scenario(
        market=market,
        shock=_shock(checked.shock, names),
        impact=_impact(checked, assets),
        depth=_depth(checked, assets),
        channels=Channels(**checked.channels.model_dump()) if checked.channels is not None else Channels(),
        venues=build_venues(checked, assets),
        populations=build_populations(checked, names),
        limits=build_limits(checked, names),
        calls=build_calls(checked.calls, names),
        stops=build_stops(checked.stops, names),
        funding=build_funding(checked.funding, assets),
        flow=build_flow(checked.flow, assets),
        book=run.book,
        price=price,
        settings=_settings(checked, run, assets, price, market),
        names=names,
        description=Description(
            name=checked.name,
            title=checked.title,
            question=checked.question,
            source_text=source_text,
            paths=run.paths,
            seed=run.seed,
            precision=run.precision,
            sample_paths=run.sample_paths,
            file_steps=round(float(run.horizon.seconds) / checked.file_step) if checked.file_step else 0,
        ),
    )


def _settings(checked: Checked, run: tables.Run, assets, price: np.ndarray, market) -> Settings:
    weights = [asset.index_weight for asset in checked.assets.values() if asset is not None]
    support = _support(run, assets, price) if run.support is not None else None
    return Settings(
        horizon=run.horizon.years,
        steps=run.count,
        rounds=run.rounds,
        bridge=run.bridge == "on" or (run.bridge == "auto" and run.book != "account" and bool(market.brownian_between_steps)),
        index_weight=np.array(weights) if all(weight is not None for weight in weights) else None,
        support=support,
        owed_by_class=run.owed_by_class,
        leverage_buckets=tuple(float(edge) for edge in run.leverage_buckets),
    )


def _support(run: tables.Run, assets, price: np.ndarray) -> np.ndarray:
    """Log of the support over the initial price, `-inf` where there is none."""
    with np.errstate(divide="ignore"):
        return np.log(by_asset(run.support, assets) / price)


def _market(checked: Checked, run: tables.Run, assets):
    table = checked.market
    assert table is not None
    step = run.step_seconds
    if isinstance(table, tables.Bootstrap):
        assert checked.prices is not None
        returns = np.diff(np.log(checked.prices.price), axis=0)
        return markets.Bootstrap(
            log_returns=returns,
            mean_block=float(table.mean_block.seconds / step),
            drift=by_asset(table.drift, assets),
            recentre=table.recentre,
        )
    if isinstance(table, tables.Replay):
        assert checked.prices is not None
        prices, interval = checked.prices, int(checked.prices.interval * 1000)
        start = milliseconds(table.start) if table.start is not None else prices.start
        first, stride = (start - prices.start) // interval, int(step / prices.interval)
        path = prices.price[first::stride][: run.count + 1]
        return markets.Replay(log_prices=np.log(path / path[0]))
    if isinstance(table, tables.LogVariance):
        return build_log_variance(table, assets, float(step), checked.history)
    fields = {name: getattr(table, name) for name in type(table).model_fields if name not in ("process", "correlation")}
    values = {name: _market_value(name, value, assets) for name, value in fields.items()}
    if "max_jumps" in values and values["max_jumps"] is None:
        per_step = float(np.max(values["jump_rate"])) * float(step) / SECONDS_PER_YEAR
        values["max_jumps"] = markets.jumps_needed(per_step)
    if "correlation" in type(table).model_fields:
        values["correlation"] = as_matrix(getattr(table, "correlation", {}), assets)
    kind = getattr(markets, type(table).__name__)  # the processes have one name in both rooms
    return kind(**values)


def _market_value(name: str, value: Any, assets) -> Any:
    if name in ("scheme", "max_jumps"):
        return value
    if name == "start":
        return build_start(value, assets)
    if name == "variance" and value is None:
        return None
    if isinstance(value, Span):
        return value.years
    return value if name == "common_jump_probability" else by_asset(value, assets)


def _shock(shock: tables.Shock | None, names: Names) -> ShockOverlay | None:
    if shock is None:
        return None
    random, assets = shock.at == "random", names.assets
    return ShockOverlay(
        size=by_asset(shock.size, assets),
        window=by_asset(shock.window.years, assets),
        at=by_asset(0.0 if random else shock.at.years, assets),
        random=random,
        venue=None if shock.venue is None else names.venues.index(shock.venue),
        pass_through=shock.pass_through or 0.0,
    )


def _impact(checked: Checked, assets) -> Impact:
    table = checked.impact
    if isinstance(table, tables.LinearLaw):
        law = LinearImpact(by_asset(table.depth, assets))
    elif isinstance(table, tables.PowerLaw):
        law = PowerImpact(
            *(by_asset(getattr(table, name), assets) for name in ("coefficient", "daily_volatility", "daily_volume", "exponent"))
        )
    else:
        assert isinstance(table, tables.TableLaw)
        law = TableImpact(*_curves([checked.impact_table[asset] for asset in assets]))
    held = table.common_holders
    return Impact(
        law=law,
        relaxation_rate=rates(table.resilience_half_life, assets),
        permanent_share=by_asset(table.permanent_share, assets),
        cross=as_matrix(table.cross, assets, "->", symmetric=False),
        common_holders=None if held is None else as_matrix(held, assets, "->", symmetric=False, diagonal=0.0),
        temporary=_temporary(checked, assets),
    )


def _temporary(checked: Checked, assets) -> TemporaryImpact | None:
    table = checked.temporary_impact
    if table is None:
        return None
    of_law = lambda name: getattr(checked.impact, name) if getattr(table, name) is None else getattr(table, name)
    return TemporaryImpact(
        coefficient=by_asset(table.coefficient, assets),
        exponent=by_asset(table.exponent, assets),
        relaxation_rate=rates(table.half_life, assets),
        daily_volatility=by_asset(of_law("daily_volatility"), assets),
        daily_volume=by_asset(of_law("daily_volume"), assets),
    )


def _curves(tables: list[tuple[list[float], list[float]]]) -> tuple[np.ndarray, np.ndarray]:
    """Tables of different lengths as two arrays: a short one goes on at its last slope, which is what it means anyway."""
    longest = max(len(volume) for volume, _ in tables)
    volumes, moves = [], []
    for volume, move in tables:
        wide, slope = volume[-1] - volume[-2], move[-1] - move[-2]
        more = range(1, longest - len(volume) + 1)
        volumes.append([*volume, *(volume[-1] + i * wide for i in more)])
        moves.append([*move, *(move[-1] + i * slope for i in more)])
    return np.array(volumes), np.array(moves)


def _depth(checked: Checked, assets) -> Depth | None:
    table = checked.depth
    if table is None:
        return None
    return Depth(
        exponent=by_asset(table.exponent, assets),
        reference_volatility=by_asset(table.reference_volatility, assets),
        measurement_rate=rates(table.measurement_half_life, assets),
        recovery_rate=rates(table.recovery_half_life, assets),
        floor=by_asset(table.floor, assets),
    )

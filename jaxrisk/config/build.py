"""From a checked configuration to the scenario that the engine runs."""

import math
from typing import Any

import numpy as np

from .. import market as markets
from ..cascade import Channels, Depth, Impact, LinearImpact, PowerImpact, TableImpact, Venues
from ..market import Shock as ShockOverlay
from ..positions import Accounts, Histogram, Limits, LiquidationMap, Lognormal, Tiers
from ..scenario import Description, Names, Scenario, Settings
from .checked import Checked
from .holders import AccountHolders, HistogramHolders, LognormalHolders, MapHolders
from .matrices import as_matrix
from .prices import milliseconds
from .processes import Bootstrap, Replay, Shock
from .sections import LinearLaw, PowerLaw, Run, TableLaw
from .table import Table
from .units import SECONDS_PER_YEAR, Span

UNLIMITED_LEVERAGE = 1e6
SIGN = {"long": 1, "short": -1}


def build(checked: Checked, source_text: str) -> Scenario:
    """The scenario of a configuration without problems; every number becomes a leaf under its dotted name."""
    run, assets = checked.run, tuple(checked.assets)
    assert run is not None
    price = np.array([asset.price for asset in checked.assets.values() if asset is not None])
    market = _market(checked, run, assets)
    names = Names(tuple(checked.venues), assets, checked.classes)
    return Scenario(
        market=market,
        shock=_shock(checked.shock, assets),
        impact=_impact(checked, assets),
        depth=_depth(checked, assets),
        channels=Channels(**checked.channels.model_dump()) if checked.channels is not None else Channels(),
        venues=_venues(checked, assets),
        populations=_populations(checked, names),
        limits=_limits(checked, names),
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
        ),
    )


def by_asset(value: Any, assets: tuple[str, ...], default: float = 0.0) -> np.ndarray:
    """A number, or a table of numbers by asset, as an array of shape `(assets,)`.

    >>> by_asset({"ETH": 2.0}, ("BTC", "ETH"), default=1.0).tolist()
    [1.0, 2.0]
    """
    if isinstance(value, dict):
        return np.array([value.get(asset, default) for asset in assets], dtype=np.float64)
    return np.full(len(assets), default if value is None else value, dtype=np.float64)


def spans(value: Any, assets: tuple[str, ...]) -> np.ndarray:
    """Durations in years, shape `(assets,)`."""
    return by_asset({name: span.years for name, span in value.items()} if isinstance(value, dict) else value.years, assets)


def rates(value: Any, assets: tuple[str, ...]) -> np.ndarray:
    """Half-lives as rates a year, shape `(assets,)`."""
    return math.log(2.0) / spans(value, assets)


def _settings(checked: Checked, run: Run, assets, price: np.ndarray, market) -> Settings:
    weights = [asset.index_weight for asset in checked.assets.values() if asset is not None]
    support = _support(run, assets, price) if run.support is not None else None
    return Settings(
        horizon=run.horizon.years,
        steps=run.count,
        rounds=run.rounds,
        bridge=run.bridge == "on" or (run.bridge == "auto" and bool(market.brownian_between_steps)),
        index_weight=np.array(weights) if all(weight is not None for weight in weights) else None,
        support=support,
    )


def _support(run: Run, assets, price: np.ndarray) -> np.ndarray:
    """Log of the support over the initial price, `-inf` where there is none."""
    with np.errstate(divide="ignore"):
        return np.log(by_asset(run.support, assets) / price)


def _market(checked: Checked, run: Run, assets):
    table = checked.market
    assert table is not None
    step = run.step_seconds
    if isinstance(table, Bootstrap):
        assert checked.prices is not None
        returns = np.diff(np.log(checked.prices.price), axis=0)
        return markets.Bootstrap(
            log_returns=returns,
            mean_block=float(table.mean_block.seconds / step),
            drift=by_asset(table.drift, assets),
            recentre=table.recentre,
        )
    if isinstance(table, Replay):
        assert checked.prices is not None
        prices, interval = checked.prices, int(checked.prices.interval * 1000)
        start = milliseconds(table.start) if table.start is not None else prices.start
        first, stride = (start - prices.start) // interval, int(step / prices.interval)
        path = prices.price[first::stride][: run.count + 1]
        return markets.Replay(log_prices=np.log(path / path[0]))
    fields = {name: getattr(table, name) for name in type(table).model_fields if name not in ("process", "correlation")}
    values = {name: _market_value(name, value, assets) for name, value in fields.items()}
    if "max_jumps" in values and values["max_jumps"] is None:
        per_step = float(np.max(values["jump_rate"])) * float(step) / SECONDS_PER_YEAR
        values["max_jumps"] = markets.jumps_needed(per_step)
    values["correlation"] = as_matrix(getattr(table, "correlation", {}), assets)
    kind = getattr(markets, type(table).__name__)  # the processes have one name in both rooms
    return kind(**values)


def _market_value(name: str, value: Any, assets) -> Any:
    if name in ("scheme", "max_jumps"):
        return value
    if isinstance(value, Span):
        return value.years
    return value if name == "common_jump_probability" else by_asset(value, assets)


def _shock(shock: Shock | None, assets) -> ShockOverlay | None:
    if shock is None:
        return None
    random = shock.at == "random"
    return ShockOverlay(
        size=by_asset(shock.size, assets),
        window=by_asset(shock.window.years, assets),
        at=by_asset(0.0 if random else shock.at.years, assets),
        random=random,
    )


def _impact(checked: Checked, assets) -> Impact:
    table = checked.impact
    if isinstance(table, LinearLaw):
        law = LinearImpact(by_asset(table.depth, assets))
    elif isinstance(table, PowerLaw):
        law = PowerImpact(
            *(by_asset(getattr(table, name), assets) for name in ("coefficient", "daily_volatility", "daily_volume", "exponent"))
        )
    else:
        assert isinstance(table, TableLaw)
        law = TableImpact(*_curves([checked.impact_table[asset] for asset in assets]))
    return Impact(
        law=law,
        relaxation_rate=rates(table.resilience_half_life, assets),
        permanent_share=by_asset(table.permanent_share, assets),
        cross=as_matrix(table.cross_, assets, "->", symmetric=False),
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


def _venues(checked: Checked, assets) -> Venues:
    venues = [venue for venue in checked.venues.values() if venue is not None]
    depths = np.stack([by_asset(venue.local_depth, assets, default=math.inf) for venue in venues])
    return Venues(
        engine_time=np.array([venue.engine_time.years for venue in venues]),
        liquidation_fee=np.array([venue.liquidation_fee for venue in venues]),
        closes_opposite=np.array([venue.closes_opposite for venue in venues]),
        arbitrage_rate=np.array([math.log(2.0) / venue.arbitrage_half_life.years for venue in venues]),
        local_impact=1.0 / depths,
        index_weight=np.array([venue.index_weight for venue in venues]),
        tiers=_tiers(checked, assets),
        tranches=tuple(tuple(venue.tranches) for venue in venues),
        inverse=tuple(venue.contract == "inverse" for venue in venues),
    )


def _tiers(checked: Checked, assets) -> Tiers:
    """Tiers of every venue and asset, short tables padded by repeating their last row."""
    longest = max((len(rows) for rows in checked.tiers.values()), default=1)
    table = np.empty((len(checked.venues), len(assets), longest, 4))
    for v, (name, venue) in enumerate(checked.venues.items()):
        for a, asset in enumerate(assets):
            flat = [(0.0, UNLIMITED_LEVERAGE, venue.maintenance_rate if venue is not None else 0.0, 0.0)]
            rows = [
                (row.floor_usd, row.max_leverage, row.maintenance_rate, row.maintenance_amount_usd or 0.0)
                for row in checked.tiers.get((name, asset), [])
            ] or flat
            table[v, a] = rows + [rows[-1]] * (longest - len(rows))
    return Tiers(*(np.ascontiguousarray(table[..., i]) for i in range(4)))


def _populations(checked: Checked, names: Names) -> dict[str, Any]:
    populations: dict[str, Any] = {}
    for name, table in checked.populations.items():
        assert table is not None
        populations |= _population(name, table, checked, names)
    return populations


def _population(name: str, table: Table, checked: Checked, names: Names) -> dict[str, Any]:
    if isinstance(table, AccountHolders):
        rows = checked.accounts[name]
        where = [names.classes.index(word) for word in rows.account_class.tolist()]
        numbers = {"quantity": rows.quantity, "entry_price": rows.entry_price, "collateral": rows.collateral}
        return {
            name: Accounts(**numbers, venue=rows.venue, asset=rows.asset, side=1 - 2 * rows.side, account_class=np.array(where))
        }
    assert isinstance(table, LognormalHolders | HistogramHolders | MapHolders)
    placed = {
        "venue": names.venues.index(table.venue),
        "asset": names.assets.index(table.asset),
        "account_class": names.classes.index(table.account_class),
    }
    if isinstance(table, MapHolders):
        rows = checked.maps[name]
        made = {}
        for i, side in enumerate(("long", "short")):
            if np.any(rows.side == i):
                levels = {"price": rows.price[rows.side == i], "open_interest": rows.open_interest[rows.side == i]}
                made[side] = LiquidationMap(**levels, notional=table.size_median, side=SIGN[side], **placed)
        return {name: next(iter(made.values()))} if len(made) == 1 else {f"{name}_{side}": one for side, one in made.items()}
    shared = {
        key: getattr(table, key) for key in ("open_interest", "entry_mean", "entry_sd", "size_median", "size_log_sd")
    } | placed
    sides = ("long", "short") if table.side == "both" else (table.side,)
    made = {}
    for side in sides:
        if isinstance(table, LognormalHolders):
            one = Lognormal(median=table.median, log_sd=table.log_sd, low=table.low, high=table.high, side=SIGN[side], **shared)
        else:
            leverage, share = checked.histograms[name]
            one = Histogram(leverage=leverage, share=share, side=SIGN[side], **shared)
        made[name if len(sides) == 1 else f"{name}_{side}"] = one
    return made


def _limits(checked: Checked, names: Names) -> Limits:
    caps = checked.caps
    if not caps:
        return Limits.none()
    index = lambda name, known: -1 if name == "*" else known.index(name)
    column = lambda name: np.array([getattr(cap, name) for cap in caps], dtype=np.float64)
    return Limits(
        cap=column("cap"),
        share_downsize=column("share_downsize"),
        leakage=column("leakage"),
        close_out=column("close_out"),
        notional=np.array([cap.notional for cap in caps], dtype=np.float64),
        account_class=tuple(index(cap.account_class, names.classes) for cap in caps),
        venue=tuple(index(cap.venue, names.venues) for cap in caps),
        asset=tuple(index(cap.asset, names.assets) for cap in caps),
        negative_balance_protection=tuple(cap.negative_balance_protection for cap in caps),
    )

"""What a configuration becomes: arrays in the kernels' units, each a leaf under its dotted name."""

import jax
import numpy as np
import pytest

from jaxrisk.config import load
from jaxrisk.paths import names

KOU = {"process": "kou", "volatility": 0.5, "jump_rate": 10, "up_probability": 0.4, "up_rate": 10, "down_rate": 5}
GARCH = {"process": "garch", "variance": 0.3, "mean_variance": 0.3, "alpha": 0.1, "beta": 0.85, "degrees_of_freedom": 4,
         "reference_step": "1h"}  # fmt: skip


@pytest.fixture
def scenario(folder):
    return load(folder.scenario())


def test_units(scenario):
    """Years of 365 days; half-lives as rates; depth as impact per USD; a support as a log of the initial price."""
    year = 365 * 24.0
    assert scenario.settings.horizon == pytest.approx(24 / year)
    assert scenario.settings.steps == 1440
    assert scenario.shock.at == pytest.approx(np.full(2, 1 / year))
    assert scenario.shock.window == pytest.approx(np.full(2, 0.25 / year))
    assert scenario.impact.relaxation_rate == pytest.approx(np.full(2, np.log(2) * 2 * year))
    assert scenario.depth.recovery_rate == pytest.approx(np.full(2, np.log(2) / 2 * year))
    assert scenario.venues.engine_time == pytest.approx([10 / 3600 / year, 0.0])
    assert scenario.venues.arbitrage_rate == pytest.approx(np.full(2, np.log(2) * 60 * year))
    np.testing.assert_allclose(scenario.venues.local_impact, [[1e-9, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(scenario.settings.support, [np.log(70 / 78), -np.inf])
    np.testing.assert_allclose(scenario.settings.index_weight, [0.7, 0.3])


def test_temporary_impact_takes_a_day_from_the_power_law(folder):
    """Volatility and volume of a day, unless it states its own; without the table there is none."""
    passing = {"coefficient": {"BTC": 0.1, "ETH": 0.2}, "half_life": "3min"}
    built = load(folder.scenario(temporary_impact=passing | {"daily_volatility": 0.05})).impact.temporary
    np.testing.assert_allclose(built.coefficient, [0.1, 0.2])
    np.testing.assert_allclose(built.exponent, [0.6, 0.6])
    np.testing.assert_allclose(built.relaxation_rate, np.full(2, np.log(2) * 20 * 365 * 24))
    np.testing.assert_allclose(built.daily_volatility, [0.05, 0.05])
    np.testing.assert_allclose(built.daily_volume, [3e10, 1e10])
    linear = {"law": "linear", "depth": 2e9, "resilience_half_life": "30min"}
    whole = passing | {"daily_volatility": 0.03, "daily_volume": 2e10}
    np.testing.assert_allclose(load(folder.scenario(impact=linear, temporary_impact=whole)).impact.temporary.daily_volume, 2e10)
    assert load(folder.scenario()).impact.temporary is None


def test_values_by_asset(scenario):
    np.testing.assert_allclose(scenario.market.mean_variance, [0.36, 0.5])
    np.testing.assert_allclose(scenario.market.variance, [0.36, 0.36])
    np.testing.assert_allclose(scenario.market.correlation, [[1, 0.85], [0.85, 1]])
    np.testing.assert_allclose(scenario.shock.size, [-0.1, 0.0])
    np.testing.assert_allclose(scenario.price, [78000.0, 3000.0])


def test_cross_impact_counts_btc_volume_for_eth(scenario):
    """`impact.cross[a, b]` is the volume of b that counts for a."""
    np.testing.assert_allclose(scenario.impact.cross, [[1.0, 0.0], [0.3, 1.0]])


def test_static_parts(scenario):
    assert scenario.names.venues == ("binance", "coinm")
    assert scenario.names.assets == ("BTC", "ETH")
    assert scenario.names.classes == ("retail", "professional")
    assert scenario.venues.inverse == (False, True)
    assert scenario.venues.tranches == ((0.5, 0.5), (1.0,))
    assert scenario.settings.bridge is False
    assert scenario.description.name == "valid"
    assert scenario.description.paths == 1000
    assert 'process = "bates"' in scenario.description.source_text


def test_sides(scenario):
    """Both sides make two populations, named after the side."""
    assert set(scenario.populations) == {"retail_long", "retail_short", "pro"}
    assert scenario.populations["retail_long"].side == 1
    assert scenario.populations["retail_short"].side == -1
    assert float(scenario.populations["retail_short"].open_interest) == 4e9
    pro = scenario.populations["pro"]
    assert (pro.venue, pro.asset, pro.account_class) == (1, 1, 1)


def test_tiers_are_padded_by_their_last_row(scenario):
    tiers = scenario.venues.tiers
    assert tiers.rate.shape == tiers.floor.shape == tiers.amount.shape == tiers.max_leverage.shape
    np.testing.assert_allclose(tiers.rate[0, 0, :2], [0.004, 0.005])
    np.testing.assert_allclose(tiers.amount[0, 0, :2], [0.0, 300.0])
    np.testing.assert_allclose(tiers.rate[1, 0], 0.01)
    np.testing.assert_allclose(tiers.floor[1], 0.0)


def test_limits(scenario):
    limits = scenario.limits
    assert (limits.account_class, limits.venue, limits.asset) == ((0,), (0,), (-1,))
    np.testing.assert_allclose(limits.cap, [20.0])
    np.testing.assert_allclose(limits.notional, [[0.0, np.inf]])


def test_every_number_is_a_leaf_of_double_precision(scenario):
    leaves = jax.tree_util.tree_leaves_with_path(scenario)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float64 for _, leaf in leaves)
    dotted = {jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves}
    same = {"market.variance", "market.jump_rate", "market.correlation", "shock.size", "shock.window", "shock.at",
            "depth.exponent", "depth.floor", "impact.permanent_share", "impact.cross",
            "channels.feedback", "venues.liquidation_fee", "limits.cap",
            "limits.leakage", "populations.pro.open_interest", "populations.retail_long.median"}  # fmt: skip
    assert same <= dotted


@pytest.mark.parametrize(
    ("market", "kind", "bridge"),
    [
        ({"process": "gbm", "volatility": 0.6}, "GBM", True),
        (KOU, "Kou", True),
        (GARCH, "Garch", False),
        ({"process": "merton", "volatility": 0.6, "jump_rate": 5, "jump_mean": 0, "jump_sd": 0.1}, "Merton", True),
        ({"process": "heston", "variance": 0.3, "mean_variance": 0.3, "reversion": 3, "vol_of_variance": 1}, "Heston", False),
    ],
)
def test_processes(folder, market, kind, bridge):
    scenario = load(folder.scenario(market=market))
    assert type(scenario.market).__name__ == kind
    assert scenario.settings.bridge is bridge
    assert load(folder.scenario(market=market), {"run.bridge": "on"}).settings.bridge is True


def test_what_is_asked_for_besides_changes_no_text_where_it_is_not(folder):
    """Texts and digests of scenarios without it are those of a version that did not know it."""
    from jaxrisk.config import prepare

    plain = prepare(folder.scenario())
    assert "owed_by_class" not in plain.text
    assert "leverage_buckets" not in plain.text
    asked = prepare(folder.scenario(), {"run.owed_by_class": True, "run.leverage_buckets": [2, 5]})
    assert "owed_by_class = true" in asked.text
    settings = load(folder.scenario(), {"run.owed_by_class": True, "run.leverage_buckets": [2, 5]}).settings
    assert (settings.owed_by_class, settings.leverage_buckets) == (True, (2.0, 5.0))


def test_max_jumps_follow_from_the_rate(folder):
    assert load(folder.scenario(**{"market.jump_rate": 1})).market.max_jumps < load(folder.scenario()).market.max_jumps
    assert load(folder.scenario(**{"market.max_jumps": 5})).market.max_jumps == 5


def test_a_replay_starts_at_zero_and_is_cut_to_the_run(folder):
    folder.prices(rows=3000)
    market = {"process": "replay", "file": "prices.csv", "start": "2024-08-05T01:00:00Z"}
    log_prices = load(folder.scenario(market=market), {"run.step": "30min"}).market.log_prices
    assert log_prices.shape == (49, 2)
    expected = np.log((100 + (60 + 30) % 7) / (100 + 60 % 7))
    np.testing.assert_allclose(log_prices[:2, 0], [0.0, expected])


def test_a_bootstrap_has_the_returns_of_the_file(folder):
    folder.prices(rows=100)
    market = load(folder.scenario(market={"process": "bootstrap", "file": "prices.csv", "mean_block": "4h", "drift": 0.1})).market
    assert market.log_returns.shape == (99, 2)
    np.testing.assert_allclose(market.log_returns[0], np.log([101 / 100, 102 / 101]))
    assert float(market.mean_block) == 240.0
    np.testing.assert_allclose(market.drift, [0.1, 0.1])


def test_accounts(folder):
    folder.file(
        "a.csv",
        "venue,asset,side,quantity,entry_price,leverage,class\nbinance,BTC,long,2,70000,10,x\ncoinm,ETH,short,5,3000,2,retail\n",
    )
    table = load(folder.scenario(**{"populations.book": {"kind": "accounts", "file": "a.csv"}})).populations["book"]
    np.testing.assert_allclose(table.collateral, [14000.0, 7500.0])
    assert (table.venue.tolist(), table.asset.tolist(), table.side.tolist(), table.account_class.tolist()) == (
        [0, 1],
        [0, 1],
        [1, -1],
        [2, 0],
    )


def test_a_liquidation_map_has_two_sides(folder):
    folder.file("m.csv", "price,side,open_interest_usd\n70000,long,1e8\n71000,long,2e8\n80000,short,1e8\n")
    holders = {"kind": "liquidation_map", "venue": "binance", "asset": "BTC", "file": "m.csv"}
    populations = load(folder.scenario(**{"populations.map": holders})).populations
    np.testing.assert_allclose(populations["map_long"].open_interest, [1e8, 2e8])
    assert populations["map_short"].side == -1


def test_impact_tables_of_different_lengths(folder):
    law = {"law": "table", "volume": {"BTC": [0, 1e8], "ETH": [0, 1e7, 5e7]}, "move": {"BTC": [0, 0.01], "ETH": [0, 0.01, 0.04]},
           "resilience_half_life": {"BTC": "30min", "ETH": "1h"}}  # fmt: skip
    impact = load(folder.scenario(impact=law)).impact
    np.testing.assert_allclose(impact.law.volume, [[0, 1e8, 2e8], [0, 1e7, 5e7]])
    np.testing.assert_allclose(impact.law.move, [[0, 0.01, 0.02], [0, 0.01, 0.04]])
    assert impact.relaxation_rate[0] == pytest.approx(2 * impact.relaxation_rate[1])


@pytest.mark.parametrize("name", names("scenarios"))
def test_shipped_scenarios_load(name):
    scenario = load(name)
    assert scenario.description.name
    assert scenario.description.question


@pytest.mark.parametrize("name", names("limits"))
def test_shipped_limits_load(folder, name):
    """Each for the class that it is about, on venues of its own."""
    import tomllib

    from jaxrisk.paths import find

    rows = tomllib.loads(find("limits", name).read_text()).get("caps", [])
    classes = {row.get("class", "*") for row in rows} - {"*"}
    changes = {"populations.retail.class": next(iter(classes), "retail"), "limits": {"file": name}}
    assert len(load(folder.scenario(**changes)).limits.account_class) <= len(rows)

"""The shipped scenarios of exchanges: sound, equal to what their scripts measure or draw, and their runs add up."""

import csv
import importlib
import math
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from recorded import DATA

import jaxrisk as jr
from jaxrisk.config import check

pytestmark = pytest.mark.as_shipped

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
NAMES = ("three_venues_shock_24h", "cross_margin_24h", "leverage_cycle_90d", "spill_over_24h")
ACCOUNTS = {name: CONFIGS / f"accounts/cross_400_{name}.csv" for name in ("positions", "collateral")}

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data folder {DATA.name} is not beside the project")


def document(name):
    return tomllib.loads((CONFIGS / f"scenarios/{name}.toml").read_text())


def rows_of(name):
    with open(ACCOUNTS[name], newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMES)
def test_they_have_no_problems(name):
    assert check(name) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_they_say_to_try_has_no_problems(name):
    """The overrides that the header names, in the words in which it names them."""
    tried = {
        "three_venues_shock_24h": [
            {"shock.venue": "hyperliquid"},
            {"shock.size": {"BTC": 0}},
            *({f"channels.{key}": 0.0} for key in ("deleveraging", "stops", "calls", "feedback")),
        ],
        "cross_margin_24h": [
            {"populations.accounts.columns.amount": "dollars"},
            {"populations.accounts.columns": {"margin": "alone", "collateral": "alone_collateral"}},
        ],
        "leverage_cycle_90d": [
            {"shock.at": "1d"},
            {"shock.size.BTC": 0},
            {"flow.leverage_elasticity": 0.0, "flow.leverage_trend": "0d"},
            {"flow.leverage_elasticity": 1.0},
            {"market.variance": 0.248, "market.mean_variance": 0.248, "market.vol_of_variance": 4.88},
        ],
        "spill_over_24h": [
            {"channels.common_holders": 0.0}, {"impact.common_holders": {"BTC->NDX": 1.0, "BTC->MINERS": 0.1}},
        ],
    }[name]  # fmt: skip
    head = (CONFIGS / f"scenarios/{name}.toml").read_text().split("\nname =")[0]
    for overrides in tried:
        assert check(name, overrides) == []
        assert all(f"--{key}" in head or f"{key}=" in head for key in overrides)


@pytest.mark.parametrize("name", NAMES)
def test_every_asset_is_where_its_tiers_are(name):
    """A venue's preset has the tiers of all coins that are held there: none is under the flat default rate."""
    given = document(name)
    for population in given["populations"].values():
        if population["kind"] == "cross_accounts":
            assets = {row["asset"] for row in rows_of("positions")}
        else:
            assets = {population["asset"]}
        preset = given["venues"][population["venue"]]["preset"]
        assert assets <= set(tomllib.loads((CONFIGS / f"venues/{preset}.toml").read_text())["tiers"])


def test_price_laws_are_those_of_the_other_scenarios():
    three, one = document("btc_eth_sol_7d"), document("btc_24h")
    for name in ("three_venues_shock_24h", "cross_margin_24h"):
        given = document(name)
        assert {**given["market"], "scheme": None} == {**three["market"], "scheme": None}
        assert given["assets"] == three["assets"]
        for key in ("daily_volatility", "exponent", "coefficient", "permanent_share", "resilience_half_life"):
            assert given["impact"][key] == three["impact"][key]
        assert given["depth"] == three["depth"]
    stocks = document("spill_over_24h")
    for key, value in one["market"].items():
        given = stocks["market"][key]
        assert (given["BTC"] if isinstance(given, dict) else given) == value


def test_leverage_and_sizes_are_those_of_the_other_scenarios():
    fits = {}
    for population in document("btc_eth_sol_7d")["populations"].values():
        fits[population["asset"], population["class"], population["side"]] = population
    for name in ("three_venues_shock_24h", "leverage_cycle_90d", "spill_over_24h"):
        for population in document(name)["populations"].values():
            fit = fits[population["asset"], population["class"], population["side"]]
            for key in ("median", "log_sd", "size_median", "size_log_sd"):
                assert population[key] == fit[key], (name, key)
    for name, population in document("cross_margin_24h")["populations"].items():
        if population["kind"] == "histogram":
            fit = fits[population["asset"], "retail", "long"]
            middle = np.exp(np.mean(np.log(population["leverage"])))
            assert middle == pytest.approx(fit["median"], rel=0.01), name
            spread = np.std(np.log(population["leverage"]))  # of eighths, somewhat narrower
            assert 0.85 * fit["log_sd"] < spread < fit["log_sd"]


def test_volumes_are_in_proportion_to_open_interest():
    first = document("btc_eth_sol_7d")
    longs = lambda given, asset: math.fsum(
        p["open_interest"] for p in given["populations"].values() if p["asset"] == asset and p["side"] == "long"
    )
    for name in ("three_venues_shock_24h", "spill_over_24h"):
        given = document(name)
        for asset in {p["asset"] for p in given["populations"].values()}:
            ratio = first["impact"]["daily_volume"][asset] / longs(first, asset)
            assert given["impact"]["daily_volume"][asset] == pytest.approx(ratio * longs(given, asset), rel=5e-3)
    given, usd = document("cross_margin_24h"), {}
    for row in rows_of("positions"):
        key = row["asset"], row["side"]
        usd[key] = usd.get(key, 0.0) + float(row["quantity"]) * given["assets"][row["asset"]]["price"]
    for population in given["populations"].values():
        if population["kind"] == "histogram":
            asset = population["asset"]
            both = population["open_interest"] + max(usd[asset, "long"], usd[asset, "short"])
            ratio = first["impact"]["daily_volume"][asset] / longs(first, asset)
            assert given["impact"]["daily_volume"][asset] == pytest.approx(ratio * both, rel=0.01)


def test_accounts_have_what_the_positions_say():
    """Every account has collateral, the two ways of stating it agree, and beside the positions it is split by notional."""
    prices = {name: asset["price"] for name, asset in document("cross_margin_24h")["assets"].items()}
    amounts, dollars = {}, {}
    for row in rows_of("collateral"):
        worth = float(row["amount"]) * prices.get(row["asset"], 1.0)
        amounts[row["account"]] = amounts.get(row["account"], 0.0) + worth
        dollars[row["account"]] = dollars.get(row["account"], 0.0) + float(row["dollars"])
    alone = {}
    for row in rows_of("positions"):
        alone[row["account"]] = alone.get(row["account"], 0.0) + float(row["alone_collateral"])
        assert float(row["alone_collateral"]) > 0.0
        assert row["class"] in ("professional", "retail")
    assert set(amounts) == set(dollars) == set(alone)
    assert len(alone) == 400
    for account, value in dollars.items():
        scale = max(abs(value), alone[account])
        assert amounts[account] == pytest.approx(value, abs=2e-4 * scale)
        assert alone[account] == pytest.approx(value, abs=2e-4 * scale)


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules; they are not part of the package."""
    pytest.importorskip("pandas")
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield {name: importlib.import_module(name) for name in ("draw_accounts", "calibrate_flow")}
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.mark.slow
@needs_data
def test_the_accounts_are_those_that_the_script_draws(scripts, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["draw_accounts.py", "--data", str(DATA), "--write", str(tmp_path)])
    scripts["draw_accounts"].main()
    assert "400 accounts" in capsys.readouterr().out
    for path in ACCOUNTS.values():
        drawn = list(csv.reader((tmp_path / path.name).read_text().splitlines()))
        shipped = list(csv.reader(path.read_text().splitlines()))
        assert len(drawn) == len(shipped)
        for one, other in zip(drawn, shipped, strict=True):
            assert all(a == b or float(a) == pytest.approx(float(b), rel=1e-4) for a, b in zip(one, other, strict=True))


@needs_data
def test_no_account_is_a_copy(scripts):
    """Account values and entry prices of the snapshots do not occur in the file."""
    table = scripts["draw_accounts"].load_positions(DATA)
    entries = {f"{x:.6g}" for x in table["entry_price"]}
    sizes = {f"{x:.6g}" for x in table["size"]}
    assert [r for r in rows_of("positions") if r["entry_price"] in entries and r["quantity"] in sizes] == []


def test_drawn_ranks_have_the_correlation_asked_for(scripts):
    first, second = scripts["draw_accounts"].ranks(np.random.default_rng(1), 20000, -0.4)
    assert np.allclose(np.sort(first), (np.arange(20000) + 0.5) / 20000)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(-0.4, abs=0.025)  # four standard errors


@pytest.mark.slow
@needs_data
def test_flows_are_the_measured_ones(scripts):
    flow, given = scripts["calibrate_flow"], document("leverage_cycle_90d")
    fast, slow = (flow.open_interest(DATA, lag, 7.0, replications=0)[0] for lag in (1, 5))
    assert fast["half_life"] < float(given["flow"]["closing_half_life"].removesuffix("d")) < slow["half_life"]
    for key in ("volume_elasticity", "volume_trend_days"):
        assert fast[key] > 0.0 > slow[key]  # no sign can be told: none in the file
    elasticity = [
        flow.leverage(DATA, a, s, 7.0, replications=0)[0]["elasticity"] for a in ("BTC", "ETH") for s in ("long", "short")
    ]
    assert max(elasticity) < given["flow"]["leverage_elasticity"] < 1.0
    assert given["flow"]["reference_volatility"] == round(flow.reference_volatility(DATA, 7.0), 3)
    funding = flow.funding(DATA, "2022", 7.0, replications=0)[0]
    assert given["funding"]["rate"] == round(funding["rate_without_trend"], 4)
    assert given["funding"]["trend_sensitivity"] == round(funding["trend_sensitivity"], 4)


@needs_data
def test_the_calm_quarter_is_the_measured_one(scripts):
    calm, market = scripts["calibrate_flow"].quarters(DATA), document("leverage_cycle_90d")["market"]
    assert market["variance"] == market["mean_variance"] == pytest.approx(calm["variance"], rel=5e-3)
    for key in ("jump_rate", "jump_mean", "jump_sd"):
        assert market[key] == pytest.approx(calm[key], rel=5e-3), key
    other = document("btc_24h")["market"]
    shape = lambda m: 2.0 * m["reversion"] * m["mean_variance"] / m["vol_of_variance"] ** 2
    assert shape(market) == pytest.approx(shape(other), rel=5e-3)


def test_the_regression_gives_back_what_it_was_made_of(scripts):
    """Open interest and liquidations simulated from known numbers; the fit is exact, as there is no noise in it."""
    pd, flow = pytest.importorskip("pandas"), scripts["calibrate_flow"]
    random = np.random.default_rng(1)
    x = pd.DataFrame(random.standard_normal((500, 3)), columns=list("xvt"))
    y = -0.1 * x["x"] + 0.02 * x["v"] + 0.003 * x["t"]
    found, error, count = flow.measured(y, {name: x[name] for name in "xvt"}, dict, block=20.0, replications=5)
    assert count == 500
    assert found == pytest.approx({"x": -0.1, "v": 0.02, "t": 0.003})
    assert max(error.values()) < 1e-12


def test_realised_volatility_and_trend_are_those_of_the_package(scripts):
    pd, flow = pytest.importorskip("pandas"), scripts["calibrate_flow"]
    returns = np.random.default_rng(2).standard_normal(200) * 0.01
    volatility, trend = flow.realised(pd.Series(returns), 8760.0, 7.0)
    newest = -math.expm1(-math.log(2.0) / (7.0 * 24.0))
    variance, mean = returns[0] ** 2 * 8760.0, returns[0] * 8760.0
    for value in returns[1:]:
        variance += newest * (value**2 * 8760.0 - variance)
        mean += newest * (value * 8760.0 - mean)
    assert volatility.iloc[-1] == pytest.approx(math.sqrt(variance))
    assert trend.iloc[-1] == pytest.approx(mean)


@pytest.mark.parametrize("script", ["draw_accounts", "calibrate_flow"])
def test_an_absent_data_folder_is_said_in_one_line(scripts, script, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", [f"{script}.py", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        scripts[script].main()
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_short_run_adds_up(name):
    """Few paths in double precision: what is beyond bankruptcy is paid by somebody, and nothing is lost or made besides."""
    scenario = jr.load(name, {"run.sample_paths": 0, "run.precision": "float64"})
    result = jr.simulate(scenario, paths=4, steps=96)
    losses = result.losses
    paid = losses["insurance_fund_used"] + losses["deleveraging_loss"] + losses["socialised_loss"]
    assert losses["shortfall"] == pytest.approx(paid)
    assert np.all(losses["shortfall"] >= 0.0)
    assert np.all(losses["liquidated_notional"] >= 0.0)
    assert np.all(losses["liquidated_notional"][..., 0].sum(axis=(1, 2)) > 0.0)
    split = losses["liquidated_by_class"].sum(axis=1)
    assert split == pytest.approx(losses["liquidated_notional"].sum(axis=(1, 2, 3)), rel=1e-6)
    if name == "spill_over_24h":
        sold, btc = losses["common_holder_sales"], result.coords["assets"].index("BTC")
        assert np.all(np.delete(sold, btc, axis=1) != 0.0)
        assert np.all(np.delete(losses["liquidated_notional"], btc, axis=2) == 0.0)  # no leverage of their own
    elif name != "leverage_cycle_90d":
        shocked = losses["max_drawdown"][:, 0]
        assert np.all(shocked > 0.0)
    if name == "three_venues_shock_24h":
        moved = losses["moved_by"][:, :, :, 0].mean(axis=0)
        assert moved[0, 0] == moved.max()  # the shocked venue moves itself most, and every other one a little
        assert np.all(moved[0] > 0.0)


@pytest.mark.slow
def test_any_day_falls_as_often_as_history_did():
    """Per 2,300 days, within two standard deviations of what records of 6.6 years of this law have (in brackets), of history's
    counts in the hourly Bitcoin file.

    20,000 paths know the count beyond 15% to 8%, so that Bates's 2.6 fails at every seed; without feedback there are fewer.
    """
    seen = {0.03: (1018, 142), 0.05: (422, 99), 0.08: (119, 39), 0.10: (55, 22), 0.15: (18, 6.2)}
    result = jr.simulate(jr.load("btc_any_day"), paths=20_000)
    falls, without = result["max_drawdown_index"], result["max_drawdown_no_feedback_index"]
    for level, (days, deviation) in seen.items():
        count = 2300 * np.mean(falls > level)
        assert abs(count - days) < 2.0 * deviation, (level, count)
        assert count > 1.05 * 2300 * np.mean(without > level), level
    period = result.return_period("max_drawdown_index", 0.15)
    assert float(period.low) < 2300 / 18 / 365 * 2.0
    assert float(period.high) > 2300 / 18 / 365 / 2.0

"""Margin tiers of four venues and of ccxt: rows, rules, the venue files written from them, and liquidation prices by hand."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.config import check, prepare
from jaxrisk.data.tier_documents import read_document
from jaxrisk.paths import find
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"
BINANCE = [(0, 125, 0.004, 0), (5e4, 100, 0.005, 50), (2.5e5, 50, 0.01, 1300), (1e6, 20, 0.025, 16300), (1e7, 10, 0.05, 266300)]
FORMS = {
    "leverageBracket.json": ("marginal", BINANCE),
    "ccxt_tiers.json": ("marginal", BINANCE),
    "risk-limit.json": ("marginal", [(0, 100, 0.005, 0), (2e6, 90, 0.0056, 1200), (2.6e6, 80, 0.0063, 3020),
                                     (3.2e6, 75, 0.0067, 4300)]),
    "position-tiers.json": ("whole", [(0, 100, 0.004, 0), (6.006e5, 75, 0.005, 0), (3.0006e6, 50, 0.01, 0)]),
    "dapi_leverageBracket.json": ("marginal", [(0, 125, 0.004, 0), (3e5, 100, 0.005, 300), (6e5, 50, 0.01, 3300)]),
    "meta.json": ("marginal", [(0, 40, 0.0125, 0), (1.5e8, 20, 0.025, 1.875e6)]),
    "ccxt_tiers.csv": (None, BINANCE),
}  # fmt: skip
"""Rule and tiers of BTC: floor (USD), highest leverage, rate, amount (USD); OKX's contracts of 0.01 BTC, and Binance's
coin-margined brackets, which are in coins (`qtyFloor`), at 60,000 USD."""
MORE = {
    "dapi_leverageBracket.json": ["--price", "60000"],
    "position-tiers.json": ["--price", "60000"],
    "ccxt_tiers.csv": ["--tier-rule", "marginal"],
}


def rows(tiers):
    return [(t.floor_usd, t.max_leverage, t.maintenance_rate, t.maintenance_amount_usd) for t in tiers]


def same(found, expected):
    assert len(found) == len(expected)
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(expected, dtype=float), rtol=1e-12, atol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_a_document_as_tiers_of_a_scenario(name, scenario):
    """The file itself, matched to the asset by its contract's name."""
    rule, expected = FORMS[name]
    venue = {"tiers": str(FILES / name)} | ({"tier_rule": "marginal"} if rule is None else {})
    prepared = prepare(scenario(venues={"binance": venue}, assets={"BTC": {"price": 60000.0}}))
    same(rows(prepared.checked.tiers["binance", "BTC"]), expected)
    assert prepared.checked.tier_rules["binance"] == rule or rule is None
    assert any("read as: " in line and name in line for line in prepared.read_as())


@pytest.mark.parametrize("name", FORMS)
def test_a_venue_file_written_from_it(name, tmp_path, monkeypatch, capsys, scenario):
    """Beside every row where it is from and when; the file is checked, and a scenario that names it has the same tiers."""
    rule, expected = FORMS[name]
    out = tmp_path / "my_venue.toml"
    assert main(["import", "tiers", str(FILES / name), "--symbol", "BTC", *MORE.get(name, []), "--out", str(out)]) == OK
    assert f"BTC: {len(expected)} tiers, up to {expected[0][1]} times" in capsys.readouterr().out
    text = out.read_text()
    document = tomllib.loads(text)
    assert list(document["tiers"]) == ["BTC"]
    assert document["tier_rule"] == (rule or "marginal")
    assert name in document["source"]
    listed = [line for line in text.splitlines() if line.startswith("  {")]
    assert len(listed) == len(expected)
    assert all(re.search(r"},  # (\S*\[|line )\S+, \d{4}-\d\d-\d\d$", line) for line in listed), listed
    assert check(out) == []
    monkeypatch.chdir(tmp_path)
    same(rows(prepare(scenario(venues={"binance": {"tiers": "my_venue.toml"}})).checked.tiers["binance", "BTC"]), expected)
    assert main(["import", "tiers", str(FILES / name), "--symbol", "BTC", *MORE.get(name, []), "--out", str(out)]) == BAD_INPUT


@pytest.mark.parametrize("name", FORMS)
def test_check_takes_it(name, capsys):
    code = main(["check", str(FILES / name)])
    said = capsys.readouterr()
    if FORMS[name][0] is None:
        assert code == BAD_INPUT
        assert 'tier_rule: missing; needs "marginal"' in said.err
    else:
        assert code == OK
        assert "read as: " in said.out


def test_half_the_initial_margin_is_applied_and_said(capsys):
    """Also where a coin has one tier by its number alone; delisted coins are left out."""
    assert main(["import", "tiers", str(FILES / "meta.json")]) == OK
    said = capsys.readouterr().out
    assert "half the initial margin at the maximum leverage, Hyperliquid's published rule" in said
    assert "kPEPE: 1 tiers, up to 10 times" in said
    document = json.loads((FILES / "meta.json").read_text())
    document["universe"][0]["isDelisted"] = True
    found = read_document(json.dumps([document, []]).encode())
    assert list(found.tables) == ["ETH", "kPEPE"]
    assert found.tables["kPEPE"].rows[0]["maintenance_rate"] == 0.05


def test_contracts_need_a_price_and_a_size(tmp_path, capsys, scenario):
    text = (FILES / "position-tiers.json").read_text().replace("BTC-USDT", "XRP-USDT")
    (tmp_path / "xrp.json").write_text(text)
    assert main(["import", "tiers", str(tmp_path / "xrp.json")]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "the price (USD a coin) and the size of a contract (coins) is needed, --price and --contract" in said
    venue = {"tiers": str(tmp_path / "xrp.json")}
    holders = {
        "kind": "lognormal",
        "venue": "okx",
        "asset": "XRP",
        "side": "both",
        "open_interest": 1e9,
        "median": 3.0,
        "log_sd": 0.5,
    }
    more = {"assets": {"XRP": {"price": 2.0}}, "populations": {"all": holders}}
    with pytest.raises(
        ConfigError, match=r"XRP-USDT: has tiers in contracts: the size of a contract .*venues\.okx\.contract_size"
    ):
        prepare(scenario(venues={"okx": venue}, **more))
    found = prepare(scenario(venues={"okx": venue | {"contract_size": 100.0}}, **more)).checked.tiers["okx", "XRP"]
    assert [tier.floor_usd for tier in found] == [0.0, 1001 * 200.0, 5001 * 200.0]


def test_rates_in_percent_are_told_by_the_initial_margin(tmp_path):
    """An older answer of Bybit has 0.5 where a newer one has 0.005; floors of inverse contracts are in coins."""
    document = json.loads((FILES / "risk-limit.json").read_text())
    for row in document["result"]["list"]:
        row["maintenanceMargin"] = str(100 * float(row["maintenanceMargin"]))
        row["initialMargin"] = str(100 * float(row["initialMargin"]))
    found = read_document(json.dumps(document).encode())
    np.testing.assert_allclose([r["maintenance_rate"] for r in found.tables["BTCUSDT"].rows], [0.005, 0.0056, 0.0063, 0.0067])
    assert "rates in percent" in found.said
    document["result"]["category"] = "inverse"
    assert read_document(json.dumps(document).encode()).tables["BTCUSDT"].unit == "coins"


def csv_of(objects):
    names = list(dict.fromkeys(name for row in objects for name in row if not isinstance(row[name], dict)))
    return "\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in objects)])


@pytest.mark.parametrize("name", ["leverageBracket.json", "risk-limit.json", "position-tiers.json", "meta.json"])
def test_the_same_as_csv(name, tmp_path, scenario):
    """Rows of the document as a table, under the venue's own names."""
    rule, expected = FORMS[name]
    document = json.loads((FILES / name).read_text())
    if name == "leverageBracket.json":
        objects = [{"symbol": one["symbol"]} | row for one in document for row in one["brackets"]]
    elif name == "meta.json":
        objects = [{"coin": "BTC"} | row for row in document["marginTables"][0][1]["marginTiers"]]
    else:
        objects = document["data"] if name == "position-tiers.json" else document["result"]["list"]
    (tmp_path / "t.csv").write_text(csv_of(objects))
    prepared = prepare(scenario(venues={"binance": {"tiers": "t.csv"}}, assets={"BTC": {"price": 60000.0}}))
    same(rows(prepared.checked.tiers["binance", "BTC"]), expected)
    assert prepared.checked.tier_rules["binance"] == rule


SHARED = Path(__file__).parents[2] / "../shared"


@pytest.mark.parametrize("venue", ["binance", "bybit", "hyperliquid"])
def test_published_tables_are_the_shipped_ones(venue):
    """Of BTC, read from the tables that the shipped venue files were written from."""
    from jaxrisk.cli.import_tiers import import_tiers

    files = {"binance": "binance_usdm_tiers.csv", "bybit": "bybit_btcusdt_tiers.csv", "hyperliquid": "hyperliquid_tiers.csv"}
    path = SHARED / "data/venues" / files[venue]
    if not path.exists():
        pytest.skip(f"no {path}")
    rule = None if venue == "binance" else "marginal"
    found = tomllib.loads(import_tiers(path, ("BTC",), rule, {}).text)["tiers"]["BTC"]
    shipped = tomllib.loads(find("venues", venue).read_text())["tiers"]["BTC"]
    columns = ("floor_usd", "max_leverage", "maintenance_rate")
    same([[row[name] for name in columns] for row in found], [[row[name] for name in columns] for row in shipped])


def test_files_on_which_reading_failed_once(capsys):
    if not (SHARED / "cases/files").exists():
        pytest.skip(f"no {SHARED / 'cases/files'}")
    unsaid = {"ccxt.csv", "okx.csv"}  # no rule in them, which only the user can say
    for path in sorted((SHARED / "cases/files").iterdir()):
        assert main(["check", str(path)]) == (BAD_INPUT if path.name in unsaid else OK), capsys.readouterr()
    assert capsys.readouterr().err.count("tier_rule: missing") == len(unsaid)


LIQUIDATION = [
    # Binance, "How to Calculate Liquidation Price of USD-M Futures Contracts" (support page b3c689c1f50a44cabb3a84e663b81d93),
    # its two contracts: alone (isolated), and with the other's maintenance margin and unrealised loss off the wallet (cross)
    ("leverageBracket.json", "ETH", 1, 1456.84, 3683.979, 1535443.01, 1114.78),
    ("leverageBracket.json", "ETH", 1, 1456.84, 3683.979, 1535443.01 - 71200.81144 - 56354.57, 1153.26),
    ("leverageBracket.json", "BTC", 1, 32481.98, 109.488, 1535443.01, 18778.73),
    ("leverageBracket.json", "BTC", 1, 32481.98, 109.488, 1535443.01 - 356512.508 - 448192.89, 26316.89),
    # Bybit, "Liquidation Price Calculation under Isolated Mode" (help centre, 2026-05-27): value at the mark, deduction of the
    # tier, no closing fee: (100 * 30000 - 100 * 30000 / 20 - 3020) / (100 * (1 - 0.0063)); short: (3e6 + 1.5e5 + 3020) / 100.63
    ("risk-limit.json", "BTC", 1, 30000.0, 100.0, 150000.0, 28650.30),
    ("risk-limit.json", "BTC", -1, 30000.0, 100.0, 150000.0, 31332.80),
    # OKX, margin ratio of isolated USDT-margined contracts, (margin + profit) / (value at the mark * (rate + fee)) = 1, no fee
    # ("Tiered maintenance margin ratio rules", 2025-05-16): 2,000 contracts of 0.01 BTC: (1.2e6 - 1.2e5) / (20 * (1 - 0.005))
    ("position-tiers.json", "BTC", 1, 60000.0, 20.0, 120000.0, 54271.36),
    ("position-tiers.json", "BTC", -1, 60000.0, 20.0, 120000.0, 65671.64),
    # Hyperliquid, "Liquidations" and "Margin tiers": price - side * margin_available / size / (1 - l * side), l half the initial
    # margin at the maximum leverage of the tier: 1e5 - 3750 / (1 - 0.0125); in the second tier, with its maintenance deduction of
    # 1.5e8 * 0.0125: margin available 2e7 - (2e8 * 0.025 - 1.875e6), 1e5 - 16.875e6 / 2000 / (1 - 0.025)
    ("meta.json", "BTC", 1, 100000.0, 1.0, 5000.0, 96202.53),
    ("meta.json", "BTC", 1, 100000.0, 2000.0, 2e7, 91346.15),
]  # fmt: skip


def liquidation_price(path, asset, side, entry, notional, margin, contract="linear"):
    """Of a position opened at `entry`, by the engine's own formula and the tiers of a scenario."""
    from jaxrisk.positions.tiers import Tiers

    checked = prepare(path).checked
    table = np.array(rows(checked.tiers["binance", asset])).T[:, None, None, :]
    tiers = Tiers(*table, rule=(checked.tier_rules["binance"],))
    zero = np.zeros(1, dtype=int)
    worth = np.array([notional], dtype=np.float32)
    found = tiers.rows(zero, zero).log_liquidation_price(
        np.array([float(side)], dtype=np.float32), worth, margin / worth, np.array([contract == "inverse"])
    )
    return entry * np.exp(float(found[0]))


def holders(asset):
    """A population, which a scenario has to have."""
    lognormal = {"kind": "lognormal", "venue": "binance", "asset": asset, "side": "both", "open_interest": 1e9}
    return {"all": lognormal | {"median": 3.0, "log_sd": 0.5}}


@pytest.mark.parametrize(("name", "asset", "side", "entry", "quantity", "margin", "price"), LIQUIDATION)
def test_liquidation_prices_of_the_vendors_examples(name, asset, side, entry, quantity, margin, price, scenario):
    """Of positions opened at `entry`, to the cent that is published or worked out by the published formula."""
    path = scenario(
        venues={"binance": {"tiers": str(FILES / name)}}, assets={asset: {"price": 60000.0}}, populations=holders(asset)
    )
    # float32 resolves a log price to 6e-8, at these prices to under a cent
    found = liquidation_price(path, asset, side, entry, quantity * entry, margin)
    assert found == pytest.approx(price, abs=0.02, rel=2e-7)


STATED = [
    # what the venue's interface answered for isolated positions of 2024, when BTC had a maximum of 50 times and SOL one of 20
    # (recorded in freqtrade's tests/exchange/test_hyperliquid.py): asset, side, entry, coins, margin, price
    ("BTC", -1, 68139.0, 0.00145, 19.72573, 80933.61590987),
    ("BTC", 1, 66930.0, 0.0015, 20.043862, 54108.51043771),
    ("BTC", -1, 67400.0, 0.00031, 20.887308, 133443.97317151),
    ("SOL", 1, 173.06, 0.6, 20.735658, 142.05186667),
    ("SOL", -1, 163.11, 0.48, 15.650731, 190.94213618),
]


@pytest.mark.parametrize(("asset", "side", "entry", "quantity", "margin", "price"), STATED)
def test_liquidation_prices_that_hyperliquid_stated(asset, side, entry, quantity, margin, price, scenario, tmp_path):
    """To a millionth: the venue writes margins to six digits behind the point. Its pages have the formula and no example."""
    most = {"BTC": 50, "SOL": 20}
    coins = [{"name": name, "maxLeverage": number} for name, number in most.items()]
    (tmp_path / "meta.json").write_text(json.dumps({"universe": coins, "marginTables": []}))
    path = scenario(venues={"binance": {"tiers": "meta.json"}}, assets={asset: {"price": entry}}, populations=holders(asset))
    assert liquidation_price(path, asset, side, entry, quantity * entry, margin) == pytest.approx(price, rel=1e-6)


def test_the_liquidation_price_in_okx_s_documentation(scenario, tmp_path):
    """One contract of ETH-USD, 10 dollars, long at 2566.31 with ten times: 2352.8496681818233 in the example of an answer of
    `/api/v5/account/positions`. Its `mmr` is 0.8% of the value at the mark; with the taker's fee of 0.05%, which OKX adds and no
    document of tiers has, the published formula gives a tick of 0.01 less. Of contracts margined in dollars its pages have the
    formula and no example that can be found."""
    tier = {
        "tier": "1",
        "instFamily": "ETH-USD",
        "minSz": "0",
        "maxSz": "1000",
        "mmr": "0.0085",
        "imr": "0.01",
        "maxLever": "100",
    }
    (tmp_path / "okx.json").write_text(json.dumps({"code": "0", "data": [tier]}))
    venue = {"tiers": "okx.json", "contract": "inverse"}
    path = scenario(venues={"binance": venue}, assets={"ETH": {"price": 2566.31}}, populations=holders("ETH"))
    margin = 0.0003896645377994 * 2566.31  # dollars at entry, of coins
    found = liquidation_price(path, "ETH", 1, 2566.31, 10.0, margin, "inverse")
    assert found + 0.01 == pytest.approx(2352.8496681818233, abs=2e-3)


def test_bybit_s_example_of_older_years(scenario):
    """One BTC at 20,000 with 50 times and a rate of 0.5%: 19,700, the margin being of the value at entry ("Liquidation Price
    (USDT Contract)", help centre). Bybit now takes the rate of the value at the mark, as the engine does, and of its page of
    2026-05-27 no numbers could be found: the two differ by the rate times the fall, and by nothing else."""
    path = scenario(venues={"binance": {"tiers": str(FILES / "risk-limit.json")}}, assets={"BTC": {"price": 20000.0}})
    found = liquidation_price(path, "BTC", 1, 20000.0, 20000.0, 400.0)
    assert found == pytest.approx(19600.0 / 0.995, abs=0.01)
    assert 19700.0 - found == pytest.approx(0.005 * (20000.0 - found), abs=0.01)

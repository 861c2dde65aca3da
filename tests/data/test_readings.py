"""Files that can be read in two ways: each is read in the right one, or refused in words, never in the other."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.calibration.price_file import read_price_file
from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.config import prepare
from jaxrisk.config.problems import ConfigError
from jaxrisk.data.tier_documents import read_document

FILES = Path(__file__).parent / "files"
DAYS = [f"202408{day:02d}" for day in range(1, 21)]


def table(path, header, rows, separator=","):
    path.write_text("\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n")
    return path


def as_parquet(path, **columns):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_days_without_dashes_are_days(ending, tmp_path, scenario):
    """As text and as whole numbers, in the calibration's reader and in a scenario's; not seconds of August 1970."""
    closes = [60000.0 + i for i in range(len(DAYS))]
    path = tmp_path / f"p.{ending}"
    if ending == "csv":
        table(path, "time,close", zip(DAYS, closes, strict=True))
    elif ending == "json":
        path.write_text("[" + ",".join(f'{{"time": {d}, "close": {c}}}' for d, c in zip(DAYS, closes, strict=True)) + "]")
    else:
        as_parquet(path, time=[int(day) for day in DAYS], close=closes)
    found = read_price_file(path)
    assert found.step == 86400
    assert found.time[0] == np.datetime64("2024-08-01T00:00:00")
    days = {"horizon": "3d", "step": "1d"}
    prices = prepare(scenario(market={"process": "replay", "file": str(path)}, run=days)).checked.prices
    assert (prices.start, prices.interval) == (1722470400000, 86400)


def test_days_that_are_none_are_refused(tmp_path):
    path = table(tmp_path / "p.csv", "time,close", [*((day, 6e4) for day in DAYS), (20240231, 6e4), (20241301, 6e4)])
    with pytest.raises(ConfigError, match="line 22, time = 20240231: has to be a day such as 20240805.*1 more such rows"):
        read_price_file(path)


def test_numbers_that_would_be_times_before_2000_are_refused(tmp_path):
    """Minutes of the day written on to the day are 1976 in milliseconds."""
    path = table(tmp_path / "p.csv", "time,close", [(f"202408010{hour}00", 6e4) for hour in range(9)])
    with pytest.raises(ConfigError, match=r"would be 1976-0\d-\d\dT.*counted from 1970: write it as 2024-08-05T00:00:00Z"):
        read_price_file(path)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_nanoseconds_in_a_scenario(ending, tmp_path, scenario):
    times, closes = [10**9 * (1735516800 + 3600 * i) for i in range(30)], [60000.0 + i for i in range(30)]
    path = tmp_path / f"p.{ending}"
    if ending == "csv":
        table(path, "time,close", zip(times, closes, strict=True))
    else:
        as_parquet(path, time=times, close=closes)
    for law in ({"process": "replay"}, {"process": "bootstrap", "mean_block": "4h"}):
        prices = prepare(scenario(market={**law, "file": str(path)})).checked.prices
        assert (prices.start, prices.interval) == (1735516800000, 3600)


def test_an_imported_table_replays_as_its_source_does(tmp_path, scenario):
    """A close is known at the end of its bar, whatever the column of times is called."""
    out = tmp_path / "btc.parquet"
    assert main(["import", "prices", str(FILES / "klines.csv"), "--out", str(out)]) == OK
    starts = [
        prepare(scenario(market={"process": "replay", "file": str(path)})).checked.prices.start
        for path in (FILES / "klines.csv", out, FILES / "plain.csv")
    ]
    assert starts == [1735520400000] * 3


TIER = {"minNotional": 0.0, "maxNotional": 5e4, "maintenanceMarginRate": 0.004, "maxLeverage": 100}
NEXT = {"minNotional": 5e4, "maxNotional": 1e6, "maintenanceMarginRate": 0.005, "maxLeverage": 50}


def ccxt(amounts=True, **currencies):
    """Unified tiers of symbols, whose names have `_` for `/`, in a currency each."""
    document = {}
    for name, currency in currencies.items():
        symbol = name.replace("_", "/", 1).replace("_", ":")
        info = [{"cum": "0"}, {"cum": "50"}] if amounts else [{}, {}]
        document[symbol] = [
            row | {"symbol": symbol, "currency": currency, "info": more} for row, more in zip((TIER, NEXT), info, strict=True)
        ]
    return document


def floors(scenario, document, name="t.json", asset="BTC", **venue):
    path = scenario(venues={"binance": {"tiers": name, **venue}}, assets={asset: {"price": 70000.0}})
    (path.parent / name).write_text(document if isinstance(document, str) else json.dumps(document))
    return [tier.floor_usd for tier in prepare(path).checked.tiers["binance", asset]]


def test_each_symbol_has_its_own_unit(scenario, tmp_path, capsys):
    """One contract settled in another coin leaves the others' floors in dollars, and is refused by name."""
    document = ccxt(BTC_USDT_USDT="USDT", ETH_BTC_BTC="BTC", XRP_USD_XRP="XRP", SOL_USD1_USD1="USD1")
    assert floors(scenario, document) == [0.0, 5e4]
    found = read_document(json.dumps(document).encode())
    assert [table.unit for table in found.tables.values()] == ["USD", "BTC", "coins", "USD"]
    out = tmp_path / "v.toml"
    assert main(["import", "tiers", str(tmp_path / "t.json"), "--symbol", "ETH/BTC:BTC", "--out", str(out)]) == BAD_INPUT
    assert "ETH/BTC:BTC: has tiers in BTC; those in dollars, in coins and in contracts are read" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "t.json")]) == OK
    assert "tiers of ETH/BTC:BTC, which are in BTC, are not read" in capsys.readouterr().out


def okx(family, *tiers):
    names = ("minSz", "maxSz", "mmr", "maxLever")
    rows = [{"instFamily": family} | dict(zip(names, map(str, row), strict=True)) for row in tiers]
    return {"data": rows}


CONTRACTS = ((0, 1000, 0.004, 100), (1001, 5000, 0.005, 75), (5001, 15000, 0.01, 50))


def test_contracts_of_a_coin_margined_family_are_of_dollars(scenario):
    """100 USD each of BTC, not 0.01 BTC; another family's size is not taken for it."""
    assert floors(scenario, okx("BTC-USDT", *CONTRACTS)) == pytest.approx([0.0, 1001 * 700.0, 5001 * 700.0])
    assert floors(scenario, okx("BTC-USD", *CONTRACTS)) == [0.0, 100100.0, 500100.0]
    with pytest.raises(ConfigError, match="BTC-USDC: has tiers in contracts: the size of a contract"):
        floors(scenario, okx("BTC-USDC", *CONTRACTS))
    with pytest.raises(ConfigError, match="XRP-USD: has tiers in contracts of dollars, settled in the coin"):
        floors(scenario, okx("XRP-USD", *CONTRACTS), asset="XRP")


def test_tables_of_coin_margined_contracts_are_in_coins(scenario):
    """Bybit's by the symbol's end, of ccxt by the column of currencies; both as CSV, and as a list without its wrapper."""
    rows = [("BTCUSD", 150, 0.005, 0.01, 100, 0), ("BTCUSD", 300, 0.01, 0.02, 50, 0.75)]
    names = ("symbol", "riskLimitValue", "maintenanceMargin", "initialMargin", "maxLeverage", "mmDeduction")
    text = "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)])
    assert floors(scenario, text, "t.csv") == [0.0, 150 * 70000.0]
    assert floors(scenario, [dict(zip(names, row, strict=True)) for row in rows]) == [0.0, 150 * 70000.0]
    text = "symbol,currency,minNotional,maintenanceMarginRate,maxLeverage\nBTC,BTC,0,0.004,100\nBTC,BTC,5,0.005,50"
    assert floors(scenario, text, "t.csv", tier_rule="marginal") == [0.0, 350000.0]
    with pytest.raises(ConfigError, match="BTC: has tiers in EUR"):
        floors(scenario, text.replace("BTC,BTC", "BTC,EUR"), "t.csv", tier_rule="marginal")


def test_one_price_is_of_one_symbol(tmp_path, capsys):
    document = {"data": okx("BTC-USDT", *CONTRACTS)["data"] + okx("ETH-USDT", *CONTRACTS)["data"]}
    (tmp_path / "t.json").write_text(json.dumps(document))
    assert main(["import", "tiers", str(tmp_path / "t.json"), "--price", "70000"]) == BAD_INPUT
    assert 'command line: --price = 70000: is of one symbol, and there are 2' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (okx("BTC-USDT", CONTRACTS[0], CONTRACTS[2]), r"data\[1\]\.minSz = 5001\.0: has to be where the tier before ends, 1000"),
        ({"BTC/USDT:USDT": [TIER, NEXT | {"minNotional": 1e5}]}, r"\]\[1\]\.minNotional = 100000\.0: .* ends, 50000: a tier is"),
        ({"BTC/USDT:USDT": [TIER, None, NEXT]}, r'\["BTC/USDT:USDT"\]\[1\] is only null; each tier has to be an object'),
        ({"data": [*okx("BTC-USDT", *CONTRACTS)["data"], None]}, r"data\[3\] is only null"),
        ([{"symbol": "BTCUSDT", "brackets": [None]}], r"\[0\]\.brackets\[0\] is only null"),
    ],
)
def test_a_tier_that_is_missing_in_the_middle_is_noticed(document, said, scenario):
    with pytest.raises(ConfigError, match=said):
        floors(scenario, document, tier_rule="whole" if "data" in document else "marginal")


def test_a_missing_tier_of_a_table_is_noticed(scenario):
    text = "symbol,minNotional,maxNotional,maintenanceMarginRate,maxLeverage\nBTCUSDT,0,5e4,0.004,100\nBTCUSDT,2e5,1e6,0.01,50"
    with pytest.raises(ConfigError, match=r"line 3\.minNotional = 200000\.0: has to be where the tier before ends, 50000"):
        floors(scenario, text, "t.csv", tier_rule="marginal")


@pytest.mark.parametrize("tables", [None, [], {}, 5, [[56, {"marginTiers": []}]], [[56, {"marginTiers": 5}]], [[56]]])
def test_margin_tables_that_are_not_there_are_refused(tables, scenario):
    """A coin whose table is listed elsewhere has not one tier of 40 times for any size; one of a low number has."""
    coin = {"name": "BTC", "maxLeverage": 40, "marginTableId": 56}
    with pytest.raises(ConfigError, match="marginTable"):
        floors(scenario, {"universe": [coin], "marginTables": tables})
    assert floors(scenario, {"universe": [coin | {"marginTableId": 40}], "marginTables": []}) == [0.0]


def test_the_lowest_risk_limit_has_to_be_there(scenario):
    document = json.loads((FILES / "risk-limit.json").read_text())
    del document["result"]["list"][0]
    with pytest.raises(ConfigError, match="isLowestRisk = 0: the lowest tier of BTCUSDT is missing"):
        floors(scenario, document)


def test_of_contracts_in_several_dollars_the_usual_one_is_taken(scenario, tmp_path, capsys):
    row = {"initialLeverage": 100, "notionalFloor": 0, "notionalCap": 5e4, "maintMarginRatio": 0.005, "cum": 0}
    document = [{"symbol": name, "brackets": [row | {"initialLeverage": most}]} for name, most in (("BTCUSDC", 75), ("BTCUSDT", 125))]
    path = scenario(venues={"binance": {"tiers": "t.json"}})
    (tmp_path / "t.json").write_text(json.dumps(document))
    prepared = prepare(path)
    assert [tier.max_leverage for tier in prepared.checked.tiers["binance", "BTC"]] == [125]
    assert main(["import", "tiers", str(tmp_path / "t.json")]) == OK
    said = capsys.readouterr().out
    assert "BTCUSDT of BTCUSDC and BTCUSDT" in said
    assert "BTC: 1 tiers, up to 125 times" in said

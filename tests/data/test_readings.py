"""Files that can be read in two ways: each is read in the right one, or refused in words, never in the other."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.config import prepare
from jaxrisk.data import containers
from jaxrisk.data.open_interest import read_daily, read_history
from jaxrisk.data.price_file import read_price_file
from jaxrisk.data.read import header_of
from jaxrisk.data.tier_documents import read_document
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.problems import ConfigError

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
    with pytest.raises(ConfigError, match=r"line 22, time = 20240231: has to be a day such as 20240805.*1 more such rows"):
        read_price_file(path)


def test_numbers_that_would_be_times_before_2000_are_refused(tmp_path):
    """Minutes of the day written on to the day are 1976 in milliseconds."""
    path = table(tmp_path / "p.csv", "time,close", [(f"202408010{hour}00", 6e4) for hour in range(9)])
    with pytest.raises(ConfigError, match=r"would be 1976-0\d-\d\dT.*counted from 1970: write it as 2024-08-05T00:00:00Z"):
        read_price_file(path)


def test_times_beyond_any_calendar_are_refused_in_words(tmp_path, capsys):
    """A unit that no other row has is said with its first time, and there is no date to say it with."""
    for row, number in ((3, "1e30"), (3, "-1e30"), (0, "1e25"), (3, "9" * 300)):
        times = [f"{1722816000 + 60 * k}" for k in range(9)]
        times[row] = number
        path = table(tmp_path / "p.csv", "time,BTC", [(time, 6e4) for time in times])
        assert main(["check", str(path)]) == BAD_INPUT
        said = capsys.readouterr().err
        assert f"line {row + 2}, time" in said
        assert "internal error" not in said


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
    assert "command line: --price = 70000: is of one symbol, and there are 2" in capsys.readouterr().err


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
    most = {"BTCUSDC": 75, "BTCUSDT": 125}
    document = [{"symbol": name, "brackets": [row | {"initialLeverage": most[name]}]} for name in most]
    path = scenario(venues={"binance": {"tiers": "t.json"}})
    (tmp_path / "t.json").write_text(json.dumps(document))
    prepared = prepare(path)
    assert [tier.max_leverage for tier in prepared.checked.tiers["binance", "BTC"]] == [125]
    assert main(["import", "tiers", str(tmp_path / "t.json")]) == OK
    said = capsys.readouterr().out
    assert "BTCUSDT of BTCUSDC and BTCUSDT" in said
    assert "BTC: 1 tiers, up to 125 times" in said


def test_a_map_takes_the_column_that_it_names(tmp_path, scenario):
    """Also where the file has one of our name, before or after it; and two names may be swapped."""
    times = [f"2024-08-01T{hour:02d}:00:00Z" for hour in range(9)]
    for header in (("time", "adj", "close"), ("time", "close", "adj")):
        cells = {"time": times, "adj": range(10, 19), "close": range(90, 99)}
        path = table(tmp_path / "p.csv", ",".join(header), zip(*(cells[name] for name in header), strict=True))
        as_parquet(tmp_path / "p.parquet", **{name: list(cells[name]) for name in header})
        for one in (path, tmp_path / "p.parquet"):
            assert read_price_file(one, columns={"close": "adj"}).close.tolist() == list(range(10, 19))
            market = {"process": "replay", "file": str(one), "columns": {"close": "adj"}}
            assert prepare(scenario(market=market, run={"horizon": "4h"})).checked.prices.price[:, 0].tolist() == list(
                range(10, 19)
            )
    (tmp_path / "a.csv").write_text("asset,coin,side,quantity,entry_price,leverage\n1000,BTC,long,1,90000,5\n")
    holders = {"kind": "accounts", "file": "a.csv", "columns": {"asset": "coin"}}
    assert prepare(scenario(populations={"book": holders})).checked.accounts["book"].quantity.tolist() == [1.0]
    swapped = {"open": "close", "close": "open"}
    found = read_price_file(FILES / "plain.csv", columns=swapped)
    assert (found.open[0], found.close[0]) == (89907.9, 90000.0)


def test_a_map_leaves_other_usual_names_as_they_are(scenario):
    """The documented example: a map of one column of a published document."""
    holders = {"kind": "cross_accounts", "file": str(FILES / "clearinghouse.json"), "columns": {"asset": "coin"},
               "venue": "binance", "other_assets": "ignore"}  # fmt: skip
    table = prepare(scenario(populations={"book": holders}, run={"book": "account"})).checked.cross_accounts["book"]
    assert table.quantity.tolist() == [1.5, 0.5]


def positions(path, *rows, **every):
    names = ("symbol", "contracts", "contractSize", "side", "entryPrice", "notional", "unrealizedPnl", "marginMode", "collateral")
    path.write_text(json.dumps([dict(zip(names, row, strict=True)) | every for row in rows]))
    return path


LONG = ("BTC/USDT:USDT", 150, 0.01, "long", 88000.0, 135000.0, 3000.0, "isolated", 16200.0)
SHORT = ("ETH/USDT:USDT", 200, None, "short", 3400.0, 66000.0, 2000.0, "isolated", 8800.0)


def book(scenario, path):
    holders = {"kind": "accounts", "file": str(path)}
    assets = {"BTC": {"price": 9e4}, "ETH": {"price": 3300.0}}
    return prepare(scenario(populations={"book": holders}, assets=assets)).checked.accounts["book"]


def test_contracts_are_multiplied_row_by_row(tmp_path, scenario):
    """A row that does not say its contract's size is refused, unless what it is worth says that it counts coins."""
    with pytest.raises(ConfigError, match=r"row 2, contracts = 200: counts contracts, and the row does not say the size of one"):
        book(scenario, positions(tmp_path / "p.json", LONG, SHORT))
    coins = (*SHORT[:1], 20, *SHORT[2:])
    assert book(scenario, positions(tmp_path / "p.json", LONG, coins)).quantity.tolist() == [1.5, 20.0]
    document = json.loads(positions(tmp_path / "p.json", LONG).read_text())
    names = [name for name in document[0] if name != "contractSize"]
    table(tmp_path / "p.csv", ",".join(names), [[row[name] for name in names] for row in document])
    with pytest.raises(ConfigError, match=r"line 2, contracts = 150: counts contracts"):
        book(scenario, tmp_path / "p.csv")


COIN = {"symbol": "BTC/USD:BTC", "contracts": 100, "contractSize": 100, "side": "long", "entryPrice": 50000.0,
        "markPrice": 52000.0, "notional": 0.19230769, "unrealizedPnl": 0.0076923077, "marginMode": "isolated", "leverage": 10,
        "collateral": 0.0276923077}  # fmt: skip
"""10,000 dollars at 50,000, of a margin of 0.02 BTC; at 52,000 they have gained 10,000 / 50,000 - 10,000 / 52,000 BTC."""


def coin_book(scenario, path, row, kind="accounts", contract="inverse"):
    path.write_text(json.dumps([row]))
    holders = {"kind": kind, "file": str(path)} | ({"venue": "binance"} if kind == "cross_accounts" else {})
    venue = {"maintenance_rate": 0.004, "contract": contract}
    document = {"populations": {"book": holders}, "assets": {"BTC": {"price": 52000.0}}, "venues": {"binance": venue}}
    return prepare(scenario(**document, **({"run": {"book": "account"}} if kind == "cross_accounts" else {}))).checked


def test_positions_of_coin_margined_contracts(tmp_path, scenario):
    """Contracts are of dollars, margins in coins: dollars at entry for the engine, whose venue has to be of such contracts."""
    path = tmp_path / "p.json"
    found = coin_book(scenario, path, COIN).accounts["book"]
    assert found.quantity.tolist() == [0.2]
    assert found.collateral.tolist() == pytest.approx([1000.0], rel=1e-6)
    cross = coin_book(scenario, path, COIN, "cross_accounts").cross_accounts["book"]
    assert cross.coins.tolist() == [pytest.approx([0.02], rel=1e-6)]
    assert cross.cash.tolist() == [0.0]
    read = read_accounts(path)
    assert (read.notional.tolist(), read.value.tolist()) == ([10000.0], pytest.approx([1440.0], rel=1e-6))
    assert read.unrealised.tolist() == pytest.approx([400.0], rel=1e-6)
    assert "margins and profits of coin-margined contracts in dollars at the mark" in read.read_as


@pytest.mark.parametrize(("changes", "contract", "words"), [
    ({}, "linear", 'row 1, symbol = "BTC/USD:BTC": is settled in its coin, and contracts of the venue in dollars'),
    ({"marginMode": "cross"}, "inverse", "is settled in its coin, and its margin is shared with other positions"),
    ({"symbol": "BTCUSD_PERP", "contractSize": None}, "inverse", "row 1, contracts = 100: counts contracts, and the row"),
    ({"contractSize": None}, "inverse", "row 1, contracts = 100: counts contracts, and the row does not say the size of one"),
    ({"symbol": "BTC/EUR:EUR"}, "inverse", "is settled in another currency than dollars and its coin, which is not read"),
])  # fmt: skip
def test_positions_of_coin_margined_contracts_are_refused(changes, contract, words, tmp_path, scenario):
    with pytest.raises(ConfigError) as error:
        coin_book(scenario, tmp_path / "p.json", COIN | changes, contract=contract)
    assert words in str(error.value)


def test_dollars_of_coin_margined_contracts_are_never_coins(tmp_path):
    """Under another name of the column, and without a column of what they are worth: read as dollars, or refused."""
    row = {name: cell for name, cell in COIN.items() if name not in ("notional", "contracts")} | {"symbol": "BTCUSD_PERP"}
    (tmp_path / "p.json").write_text(json.dumps([row | {"positionAmt": 100}]))
    assert read_accounts(tmp_path / "p.json").notional.tolist() == [10000.0]
    del row["contractSize"]
    (tmp_path / "p.json").write_text(json.dumps([row | {"positionAmt": 100}]))
    with pytest.raises(ConfigError, match="row 1, positionAmt = 100: counts contracts, and the row does not say the size of one"):
        read_accounts(tmp_path / "p.json")


@pytest.mark.parametrize(("category", "words"), [
    ("inverse", "is settled in its coin, and its margin is shared with other positions"),
    ("linear", "is 2.78e-10 times what size, entry price and profit of the row make: is one in another unit"),
])  # fmt: skip
@pytest.mark.parametrize("size", [1000, 1e8])
def test_contracts_of_a_dollar_are_no_coins(category, words, size, tmp_path):
    """Also of a position that is worth less than one of the unit: a size of dollars at the price of entry is far from it."""
    row = {"symbol": "BTCUSD", "side": "Buy", "size": str(size), "avgPrice": "60000", "positionValue": str(size / 6e4),
           "unrealisedPnl": "0.0001"}  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps({"result": {"category": category, "list": [row]}}))
    with pytest.raises(ConfigError, match=words):
        read_accounts(tmp_path / "p.json")


def test_a_coin_s_price_is_needed_for_what_an_account_is_worth(tmp_path, scenario):
    """A scenario takes the price of entry, at which its collateral counts; calibration is told, or refuses."""
    path, row = tmp_path / "p.json", {name: cell for name, cell in COIN.items() if name != "markPrice"}
    assert coin_book(scenario, path, row).accounts["book"].collateral.tolist() == pytest.approx([1000.0], rel=1e-6)
    with pytest.raises(ConfigError, match="is settled in its coin, and the row does not say what a coin is worth, markPrice"):
        read_accounts(path)


def test_a_size_that_contradicts_its_side_is_refused(tmp_path, scenario):
    text = (FILES / "positions.csv").read_text().replace("0xB,BTC,sell,-0.5", "0xB,BTC,sell,0.5")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"line 4, szi = 0\.5: is above 0, and the side is short, where other sizes have signs"):
        book(scenario, tmp_path / "p.csv")


def test_collateral_of_isolated_positions_is_that_at_entry(scenario):
    """Short 0.5 at 91,000 with 2,750, of which 500 is profit: at 0.5 % liquidation is (45,500 + 2,250) / (0.5 * 1.005)."""
    holders = {"kind": "cross_accounts", "file": str(FILES / "clearinghouse.json"), "venue": "binance", "other_assets": "ignore"}
    found = prepare(scenario(populations={"book": holders}, run={"book": "account"})).checked.cross_accounts["book"]
    cash, entry, size = found.cash[1], found.entry_price[1], found.quantity[1]
    assert (cash + size * entry) / (size * 1.005) == pytest.approx(95024.88, abs=0.01)


def state(user=None, time=None, coin="BTC", szi="1.0", positions=None):
    position = {"coin": coin, "szi": szi, "entryPx": "90000", "positionValue": "90000", "unrealizedPnl": "0",
                "leverage": {"type": "cross", "value": 10}, "marginUsed": "9000"}  # fmt: skip
    found = {
        "marginSummary": {"accountValue": "50000"},
        "assetPositions": [{"position": position}] if positions is None else positions,
    }
    return found | ({"user": user} if user else {}) | ({"time": time} if time else {})


def test_states_of_one_account_are_its_snapshots(tmp_path):
    """In a list and in a folder; accounts that hold nothing are counted; what names no account is refused."""
    days = [state("0xa", 1735516800000), state("0xa", 1735603200000, szi="2.0"), state("0xb", 1735516800000, positions=[])]
    folder = tmp_path / "states"
    folder.mkdir()
    for i, one in enumerate(days):
        (folder / f"{i}.json").write_text(json.dumps(one))
    (tmp_path / "s.json").write_text(json.dumps(days))
    for path, empty in ((tmp_path / "s.json", "1 account without a position"), (folder, "1 file without a position")):
        found = read_accounts(path)
        assert len(found.value) == 2
        assert set(found.owner.tolist()) == {0}
        assert empty in found.read_as
        assert "snapshot is state.time" in found.read_as
    (tmp_path / "s.json").write_text(json.dumps([state(time=1), state(time=2)]))
    with pytest.raises(ConfigError, match="which name no account: it cannot be told whether they are accounts"):
        read_accounts(tmp_path / "s.json")


@pytest.mark.parametrize("document", [{"assetPositions": 5}, {"assetPositions": [None]}, [state(), {"assetPositions": [{}]}]])
def test_states_that_are_none_are_refused_by_place(document, tmp_path, capsys):
    (tmp_path / "s.json").write_text(json.dumps(document))
    assert main(["check", str(tmp_path / "s.json")]) == BAD_INPUT
    assert "assetPositions" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="assetPositions"):
        read_accounts(tmp_path / "s.json")


def test_open_interest_is_in_coins_not_in_contracts(tmp_path):
    """The column of coins where both are there; contracts alone, and those settled in the coin, are refused."""
    row = {"instId": "BTC-USDT-SWAP", "oi": "2500000", "oiCcy": "25000", "oiUsd": "1.7e9", "ts": "1735516800000"}
    path = tmp_path / "oi.json"
    path.write_text(json.dumps([row]))
    assert read_history(path).coins.tolist() == [25000.0]
    path.write_text(json.dumps([{name: cell for name, cell in row.items() if name != "oiCcy"}]))
    with pytest.raises(ConfigError, match=r"row 1, oi = 2500000: counts contracts beside instId; coins are in oiCcy"):
        read_history(path)
    text = (FILES / "metrics.csv").read_text()
    for symbol in ("BTCUSD_PERP", "BTCUSD", "BTC-USD-SWAP"):
        (tmp_path / "m.csv").write_text(text.replace("BTCUSDT", symbol))
        with pytest.raises(ConfigError, match=f'symbol = "{symbol}": is of contracts that are settled in the coin'):
            read_history(tmp_path / "m.csv")
    rows = [(f"2024-08-01T{hour:02d}:00:00Z", 2.5e6, 1.75e9, 70000) for hour in range(5)]
    table(tmp_path / "m.csv", "time,open_interest,open_interest_usd,price", rows)
    with pytest.raises(
        ConfigError, match=r"open_interest = 2500000: is not in coins: open_interest_usd is 0\.01 times it at price"
    ):
        read_history(tmp_path / "m.csv")


def test_days_of_open_interest_are_those_of_the_zone(tmp_path):
    """02:00 in Berlin is the UTC day before's end, in August."""
    path = table(tmp_path / "oi.csv", "time,open_interest", [("2024-08-02 01:00", 5.0), ("2024-08-02 02:00", 7.0)])
    assert read_daily(path)[1].tolist() == [7.0]
    days, coins = read_daily(path, zone="Europe/Berlin")
    assert (days.astype(str).tolist(), coins.tolist()) == (["2024-08-01", "2024-08-02"], [5.0, 7.0])


def test_thousands_are_not_decimals(tmp_path):
    """Both signs in one file, or commas before groups of three alone, are refused by line; decimal commas are read."""

    def text(*rows):
        timed = [(f"2024-08-01T{i:02d}:00:00Z", *row) for i, row in enumerate(rows)]
        return table(tmp_path / "p.csv", "time;close;volume", timed, ";")

    with pytest.raises(ConfigError, match=r'line 2, volume = "1,234": .* a comma in it, and others a point'):
        read_price_file(text(*[("60000.5", "1,234")] * 9))
    with pytest.raises(ConfigError, match=r'line 3, close = "1\.234": .* a point in it, and others a comma'):
        read_price_file(text(("1234,5", "12,5"), ("1.234", "12,5"), *[("1234,5", "12,5")] * 7))
    with pytest.raises(ConfigError, match=r'line 2, close = "60,000": .*thousands or decimals'):
        read_price_file(text(*[("60,000", "1,234")] * 9))
    with pytest.raises(ConfigError, match=r"line 2, close.*60,000.5"):
        read_price_file(text(*[("60,000.5", "3")] * 9))
    assert read_price_file(text(*[("60000,5", "1,234")] * 9)).volume.tolist() == [1.234] * 9


def test_empty_lines_before_the_names(tmp_path):
    text = (FILES / "plain.csv").read_text()
    (tmp_path / "p.csv").write_text("\n\r\n\n" + text)
    assert read_price_file(tmp_path / "p.csv").close.tolist() == read_price_file(FILES / "plain.csv").close.tolist()
    (tmp_path / "p.csv").write_text("\n\n" + text.replace("89878.8", "x", 1))
    with pytest.raises(ConfigError, match='line 4, low = "x"'):
        read_price_file(tmp_path / "p.csv")


@pytest.mark.parametrize("ending", ["gz", "zip"])
def test_damaged_archives_are_refused_in_words(ending, tmp_path, capsys):
    """Bytes changed at each of many places: read all the same, or refused, never a traceback."""
    path, random = tmp_path / f"c.csv.{ending}", np.random.default_rng(1)  # longer than what is unpacked at once
    rows = [f"{1735516800 + 60 * i},60000,{volume:.15f}" for i, volume in enumerate(random.random(9000))]
    text = "\n".join(["time,close,volume", *rows]).encode()
    if ending == "gz":
        path.write_bytes(gzip.compress(text, mtime=0))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("c.csv", text)
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), len(whole) // 24):
        path.write_bytes(whole[:place] + b"\xff" * 64 + whole[place + 64 :])
        code = main(["import", "prices", str(path)])
        assert code in (OK, BAD_INPUT), capsys.readouterr()
        refused += code == BAD_INPUT
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["import", "prices", str(path)]) == BAD_INPUT
    assert refused > 12
    assert "internal error" not in capsys.readouterr().err


def test_an_archive_is_unpacked_when_it_is_read(tmp_path, monkeypatch):
    """Nothing of it is kept beside the columns; more than any table has is refused, of a member and of a stream."""
    (source,) = containers.sources(FILES / "klines.zip")
    with source.open() as once, source.open() as again:
        assert once.read() == again.read() == zipfile.ZipFile(FILES / "klines.zip").read("BTCUSDT-1h-2025-01.csv")
    kept = [*(source.open.__defaults__ or ()), *(cell.cell_contents for cell in source.open.__closure__ or ())]
    assert not any(isinstance(one, bytes) for one in kept)
    monkeypatch.setattr(containers, "MOST_UNPACKED", 1000)
    with pytest.raises(ConfigError, match="when it is unpacked"):
        read_price_file(FILES / "klines.zip")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress((FILES / "klines.csv").read_bytes()))
    with pytest.raises(ConfigError, match="when it is unpacked"):
        read_price_file(tmp_path / "c.csv.gz")


@pytest.mark.parametrize("ending", ["csv.gz", "zip"])
def test_what_unpacks_to_far_more_than_it_is_is_refused(ending, tmp_path, monkeypatch):
    """Long before it fills the memory: a few kilobytes of one line a million times."""
    text = b"time,close\n1722815940,6e4\n1722816000,60000\n" + b"1722816060,60000\n" * 100_000
    path = tmp_path / f"c.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("c.csv", text)
    else:
        path.write_bytes(gzip.compress(text))
    assert len(read_price_file(path).time) == 3
    monkeypatch.setattr(containers, "FREE", 2**20)
    with pytest.raises(ConfigError, match=r"unpacks to more than 200 times its [\d,]+ bytes"):
        read_price_file(path)


def folder(tmp_path, **files):
    """A folder of tables, by names that have `__` for `-`."""
    path = tmp_path / "many"
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / (name.replace("__", "-") + ".csv")).write_text(text)
    return path


def parts(step=3600, column=""):
    """Two tables of nine bars, one after the other."""
    made = []
    for part in range(2):
        rows = [f"{1735516800 + step * (9 * part + i)},{60000 + i}{',5' * bool(part and column)}" for i in range(9)]
        made.append("\n".join([f"time,close{column * part}", *rows]))
    return made


def test_files_are_of_one_symbol_by_their_names(tmp_path):
    """Days and numbers of accounts are no symbols; a symbol in two words is one; so is an interval."""
    first, second = parts()
    assert len(read_price_file(folder(tmp_path / "a", **{"20241230_prices": first, "20241231_prices": second})).time) == 18
    assert len(read_price_file(folder(tmp_path / "b", ACCT01_x=first, ACCT02_x=second)).time) == 18
    for name in ("c", "d"):
        names = {"c": ("BTC__USDT__1h", "ETH__USDT__1h"), "d": ("BTCUSDT__1h", "BTCUSDT__1m")}[name]
        what = "symbol than the other files, BTCUSDT" if name == "c" else "interval than the other files, 1h"
        with pytest.raises(ConfigError, match=f"is by its name of another {what}"):
            read_price_file(folder(tmp_path / name, **dict(zip(names, (first, second), strict=True))))


def test_files_of_several_intervals_are_refused(tmp_path, scenario):
    path = folder(tmp_path, a=parts()[0], b=parts(60)[1])
    for read in (read_price_file, lambda one: prepare(scenario(market={"process": "replay", "file": str(one)}))):
        with pytest.raises(ConfigError, match=r"b\.csv: line 2, time = \d+: begins rows that are not as far apart"):
            read(path)


def test_columns_that_not_all_files_have_are_said(tmp_path, scenario):
    path = folder(tmp_path, **dict(zip("ab", parts(column=",funding"), strict=True)))
    prepared = prepare(scenario(market={"process": "replay", "file": str(path)}, run={"horizon": "4h"}))
    assert "columns that not all files have are left out: funding" in prepared.read_as()[0]


def test_import_accounts_keeps_when_and_takes_no_zone(tmp_path, capsys):
    text = (FILES / "positions.csv").read_text().splitlines()
    rows = [f"{line},{'date' if i == 0 else '2024-08-05'}" for i, line in enumerate(text)]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    out = tmp_path / "a.csv"
    assert main(["import", "accounts", str(tmp_path / "p.csv"), "--out", str(out)]) == OK
    assert "snapshot" in out.read_text().splitlines()[0]
    assert main(["import", "accounts", str(tmp_path / "p.csv"), "--zone", "Europe/Berlin", "--day-first"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert '--zone = "Europe/Berlin": goes with prices, open-interest and funding' in said
    assert "--day-first: goes with prices, open-interest and funding" in said


def test_names_of_columns_are_told_by_the_head(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxrisk.data.read.read_text", None)
    assert header_of(FILES / "ohlcv.csv") == ("timestamp", "open", "high", "low", "close", "volume")
    assert header_of(FILES / "klines.csv") == ()


def test_names_of_columns_are_told_without_the_data(tmp_path, monkeypatch):
    """Of Parquet and Feather, also packed; a damaged one has none, and is refused where it is read."""
    from pyarrow import feather, parquet

    names = header_of(FILES / "klines_header.csv")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(FILES / "bars.parquet", "p.parquet")
    (tmp_path / "f.feather.gz").write_bytes(gzip.compress((FILES / "bars.feather").read_bytes()))
    (tmp_path / "cut.parquet").write_bytes((FILES / "bars.parquet").read_bytes()[:2000])
    monkeypatch.setattr(parquet.ParquetFile, "read", None)
    monkeypatch.setattr(feather, "read_table", None)
    for path in (FILES / "bars.parquet", FILES / "bars.feather", tmp_path / "p.zip", tmp_path / "f.feather.gz"):
        assert header_of(path)[:5] == names[:5], path
    assert header_of(tmp_path / "cut.parquet") == ()


def test_check_takes_the_file_s_own_names(tmp_path, capsys):
    """What a file is, its map tells too; a word of no file is refused, and one of some of the files is theirs."""
    rows = [(f"2024-08-01T{hour:02d}:00:00Z", 90 + hour, 5) for hour in range(9)]
    path, other = table(tmp_path / "p.csv", "when,last,oi9", rows), FILES / "ohlcv.csv"
    assert main(["check", str(path)]) == BAD_INPUT
    assert "is no table that scenarios name; it has the columns when, last, oi9" in capsys.readouterr().err
    assert main(["check", str(path), str(other), "--columns", "time=when", "close=last"]) == OK
    said = capsys.readouterr().out
    assert f"{path}: read as: time is when, close is last" in said
    assert f"{other}: read as: time is timestamp" in said
    assert main(["check", str(path), "--columns", "open_interest.time=when", "open_interest=oi9"]) == OK
    assert "read as: time is when, open_interest is oi9" in capsys.readouterr().out
    table(tmp_path / "q.csv", "when,last", [*((row[0], row[1]) for row in rows), ("2024-08-01T09:00:00Z", -1)])
    assert main(["check", str(tmp_path / "q.csv"), "--columns", "time=when", "close=last"]) == BAD_INPUT
    assert "q.csv: line 11, last = -1: has to be above 0" in capsys.readouterr().err
    for words, said in (("time=wen", "is a column of none of the files"), ("tiem=when", 'did you mean "time"?')):
        assert main(["check", str(path), "--columns", words]) == BAD_INPUT
        assert said in capsys.readouterr().err
    assert main(["check", "btc_24h", "--columns", "time=when"]) == BAD_INPUT
    assert "needs a file whose columns it names" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "words", "said"), [
    ("a.csv", ["asset=what", "side=which", "quantity=much", "entry_price=paid"], "asset is what, side is which"),
    ("t.csv", ["floor_usd=from", "max_leverage=times", "maintenance_rate=keep"], "floor_usd is from"),
])  # fmt: skip
def test_check_takes_the_names_of_accounts_and_tiers(name, words, said, tmp_path, capsys):
    header = {"a.csv": "what,which,much,paid,leverage", "t.csv": "from,times,keep,cum"}[name]
    rows = {"a.csv": [("BTC", "long", 1, 90000, 5)], "t.csv": [(0, 100, 0.005, 0), (5e4, 50, 0.01, 250)]}[name]
    table(tmp_path / name, header, rows)
    assert main(["check", str(tmp_path / name)]) == BAD_INPUT
    assert main(["check", str(tmp_path / name), "--columns", *words]) == OK, capsys.readouterr()
    assert said in capsys.readouterr().out


def test_a_pattern_is_a_file_that_columns_may_be_named_of(tmp_path):
    from types import SimpleNamespace

    from jaxrisk.cli.calibrate import _given

    (tmp_path / "m.csv").write_text("t,open_interest\n")
    command = SimpleNamespace(prices=None, accounts=None, funding=None, tiers="binance", open_interest=str(tmp_path / "*.csv"))
    assert _given(command)["open_interest"] == str(tmp_path / "*.csv")
    assert _given(command)["tiers"] is None


def test_calibrated_tiers_take_the_base_s_contracts_and_say_what_they_are(tmp_path):
    from jaxrisk.calibration.base import _tiers

    (tmp_path / "okx.json").write_text(json.dumps(okx("XRP-USDT", *CONTRACTS)))
    document = {"assets": {"XRP": {"price": 2.0}}, "venues": {"okx": {}}}
    problems = []
    _tiers(document, str(tmp_path / "okx.json"), {}, problems)
    assert "the size of a contract" in str(problems[0])
    document["venues"]["okx"]["contract_size"] = 100.0
    problems = []
    found = _tiers(document, str(tmp_path / "okx.json"), {}, problems)
    assert problems == []
    assert "read as: OKX's position-tiers, floors of XRP-USDT in dollars at 2 a coin" in found["venues.okx.tiers"].origin


def test_numbers_beyond_reason_are_refused(scenario):
    document = {"BTC/USDT:USDT": [TIER | {"maxLeverage": 10**400}, NEXT]}
    with pytest.raises(ConfigError, match="maxLeverage = inf"):
        floors(scenario, document, tier_rule="marginal")


FAULTS = {
    "zero": (("close", 19, 0.0), "close = 0: has to be above 0"),
    "negative": (("close", 19, -5.0), "close = -5: has to be above 0"),
    "no number": (("close", 19, float("nan")), "close = .*: is not a finite number"),
    "falls back": (("open_time", 19, 1735516800000), r"open_time = 1735516800000: is (not|earlier)"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("ending", ["parquet", "feather", "json", "zip"])
def test_faults_of_other_containers(ending, fault, tmp_path, scenario, capsys):
    """Named by row and column where the calibration reads it, where a scenario does, and by `check`."""
    import pyarrow as pa
    from pyarrow import csv, feather

    (column, row, value), words = FAULTS[fault]
    columns = csv.read_csv(FILES / "klines_header.csv").to_pydict()
    columns[column][row] = value
    path, unit = tmp_path / f"p.{ending}", "row 20"
    if ending == "parquet":
        as_parquet(path, **columns)
    elif ending == "feather":
        feather.write_feather(pa.table(columns), path)
    elif ending == "json":
        path.write_text(json.dumps([dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]))
    else:
        unit = "line 21"
        text = "\n".join([",".join(columns), *(",".join(map(str, cells)) for cells in zip(*columns.values(), strict=True))])
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("p.csv", text)
    match = rf"p\.{ending}.*{unit}, {words}"
    with pytest.raises(ConfigError, match=match):
        read_price_file(path)
    with pytest.raises(ConfigError, match=match):
        prepare(scenario(market={"process": "replay", "file": str(path)}))
    assert main(["check", str(path)]) == BAD_INPUT
    assert f"{unit}, {column}" in capsys.readouterr().err


def test_rows_of_two_files_that_differ_name_both(tmp_path, scenario):
    """Of bars in a scenario, and of accounts."""
    first, second = parts()
    second = second.replace("time,close\n", "time,close\n1735545600,7\n")
    path = folder(tmp_path / "p", a=first, b=second)
    with pytest.raises(ConfigError, match=r"b\.csv: line 2, time = .*: is the same time as the row before, line 10 of .*a\.csv"):
        prepare(scenario(market={"process": "replay", "file": str(path)}))
    rows = "account,asset,side,notional,account_value\n0xa,BTC,long,{},50\n"
    path = folder(tmp_path / "q", a=rows.format(100), b=rows.format(200))
    with pytest.raises(ConfigError, match=r"b\.csv: line 2, account = .*has the same asset and side in line 2 of .*a\.csv"):
        read_accounts(path)

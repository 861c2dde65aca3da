"""Rows of a scenario's tables that stand for the same thing are not added up, and a contract's name counts as its asset's."""

import re

import numpy as np
import pytest

from jaxrisk.config import check, doubts, load
from jaxrisk.data.symbols import coins, of_coin

HELD = (("BTC", "long"), ("BTC", "short"), ("ETH", "long"), ("ETH", "short"), ("BTC", "long"), ("ETH", "long"))
ACCOUNTS = "venue,asset,side,quantity,entry_price,leverage\n"
ACCOUNTS += "".join(f"binance,{asset},{side},{1 + i},{7e4 + i},{5 + i}\n" for i, (asset, side) in enumerate(HELD))
MAP = "price,side,open_interest_usd\n70000,long,1e6\n71000,long,2e6\n90000,short,3e6\n"
HISTOGRAM = "leverage,share\n5,0.5\n10,0.5\n"
POPULATIONS = {
    "accounts": {"kind": "accounts", "file": "t.csv"},
    "map": {"kind": "liquidation_map", "file": "t.csv", "venue": "binance", "asset": "BTC"},
    "histogram": {"kind": "histogram", "file": "t.csv", "venue": "binance", "asset": "BTC", "side": "long", "open_interest": 1e8},
}
TEXTS = {"accounts": ACCOUNTS, "map": MAP, "histogram": HISTOGRAM}


@pytest.fixture
def tell(folder):
    """`tell(kind, text)`: problems of a scenario with that table as a population."""

    def problems(kind, text):
        folder.file("t.csv", text)
        return folder.problems(**{"populations.t": POPULATIONS[kind]})

    return problems


def only(found, *words):
    assert len(found) == 1, [str(problem) for problem in found]
    for word in words:
        assert word in str(found[0])
    return found[0]


def with_column(text, name, cells):
    header, *rows = text.splitlines()
    return "\n".join([f"{header},{name}", *(f"{row},{cell}" for row, cell in zip(rows, cells, strict=True))]) + "\n"


def appended(text, change=lambda row: row):
    return text + "".join(f"{change(row)}\n" for row in text.splitlines()[1:])


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", ["date", "snapshot", "timestamp", "as_of"])
def test_rows_of_several_times_are_refused(tell, kind, name):
    assert tell(kind, TEXTS[kind]) == []
    text = appended(TEXTS[kind])
    half = len(TEXTS[kind].splitlines()) - 1
    several = with_column(text, name, ["2026-01-01"] * half + ["2026-01-02"] * half)
    found = [problem for problem in tell(kind, several) if problem.key == name]
    only(found, "has 2 different values, from 2026-01-01 to 2026-01-02", "rows of several times would be added up")
    assert tell(kind, with_column(TEXTS[kind], name, ["2026-01-01"] * half)) == []
    # a time that each row has for itself, as that of opening
    assert tell(kind, with_column(TEXTS[kind], name, range(half))) == []


def test_an_account_table_appended_to_itself(tell):
    """All rows again, in order, are refused; accounts that are alike are not, nor is one file of few."""
    only(tell("accounts", appended(ACCOUNTS)), "is, from line 8 on, the rows before again: was the file appended to itself?")
    numbered = with_column(appended(ACCOUNTS), "index", [*range(6), *range(6)])
    only(tell("accounts", numbered), "from line 8 on, the rows before again")
    one = ACCOUNTS.splitlines()[1] + "\n"
    assert tell("accounts", ACCOUNTS.splitlines()[0] + "\n" + 12 * one) == []
    assert tell("accounts", ACCOUNTS + one) == []


def test_an_account_named_twice(tell):
    named = with_column(ACCOUNTS, "account", "abcdef")
    assert tell("accounts", named) == []
    again = named + named.splitlines()[1] + "\n"
    only(tell("accounts", again), "line 8, account", "same account, venue, asset and side as line 2, and is that row again")
    other = again[:-2].rstrip().rsplit(",", 2)[0] + ",9,a\n"
    only(tell("accounts", other), "as line 2, and differs from it in leverage: the two have to be one")
    # text is text: 07 is not 7
    assert tell("accounts", with_column(ACCOUNTS, "account", ["7", "2", "3", "4", "07", "6"])) == []


def test_rungs_of_a_map_are_there_once(tell):
    only(tell("map", MAP + "70000.0,Long,1e6\n"), "line 5, price = 70000", "same price, side as line 2, and is that row again")
    only(tell("map", MAP + "70000,long,5e6\n"), "differs from it in open_interest_usd")
    # rungs by leverage are rungs of their own
    assert tell("map", with_column(MAP + "70000,long,5e6\n", "leverage", [5, 10, 5, 25])) == []


def test_a_map_is_of_one_asset(tell):
    assert tell("map", with_column(MAP, "symbol", ["BTCUSDT"] * 3)) == []
    only(tell("map", with_column(MAP, "symbol", ["BTCUSDT", "BTCUSDT", "ETHUSDT"])), "line 4, symbol", "another asset")
    only(tell("map", with_column(MAP, "symbol", ["BTCUSDT", "BTCUSDT", "BTC-USDC"])), "has BTC-USDC and BTCUSDT, which would be")


def test_a_leverage_of_a_histogram_is_there_once(tell):
    only(tell("histogram", "leverage,share\n5,0.25\n5.0,0.25\n10,0.5\n"), "line 3, leverage", "same leverage as line 2")


def test_tables_by_themselves(folder):
    for kind in TEXTS:
        assert check(folder.file("t.csv", TEXTS[kind])) == []
    only(check(folder.file("t.csv", appended(ACCOUNTS))), "the rows before again")
    only(check(folder.file("t.csv", MAP + "70000,long,5e6\n")), "differs from it in open_interest_usd")
    only(check(folder.file("t.csv", "leverage,share\n5,0.5\n5,0.5\n")), "line 3, leverage")
    positions = "account,venue,asset,side,quantity,entry_price\na,binance,BTC,long,2,70000\na,binance,BTC,long,3,70000\n"
    only(check(folder.file("t.csv", positions)), "line 3, account", "same account, venue, asset, side as line 2")
    assert check(folder.file("t.csv", with_column(positions, "date", [1, 2]))) == []
    only(check(folder.file("t.csv", "account,asset,amount\na,USD,1\na,USD,2\n")), "line 3, account")


@pytest.mark.parametrize("name", ["date", "time", "snapshot_time"])
def test_snapshots_of_cross_accounts_under_their_usual_names(folder, name):
    header = f"account,asset,side,quantity,entry_price,account_value,{name}\n"
    text = header + "".join(
        f"{who},{asset},long,{1 + day},3000,{9000 + day},2026-01-0{day}\n"
        for day, people in ((1, "ab"), (2, "bc")) for who in people for asset in ("ETH", "BTC")
    )  # fmt: skip
    folder.file("p.csv", text)
    table = {"kind": "cross_accounts", "file": "p.csv", "venue": "binance", "class": "retail"}
    only(check(folder.exchange(**{"populations.book": table})), "book.snapshot: missing; the file has 2 snapshots")
    found = load(folder.exchange(**{"populations.book": table | {"snapshot": "latest"}})).populations["book"]
    assert found.quantity.tolist() == [3.0] * 4
    # when each position was opened is none
    cells = [row.rsplit(",", 1)[0] for row in text.splitlines()[1:5]]
    folder.file("p.csv", header + "".join(f"{row},2026-01-1{i}\n" for i, row in enumerate(cells)))
    assert load(folder.exchange(**{"populations.book": table})).populations["book"].quantity.tolist() == [2.0] * 4
    only(
        check(folder.exchange(**{"populations.book": table | {"snapshot": "latest"}})),
        "snapshot: missing column",
        "columns.snapshot",
    )


def test_collateral_of_several_times(folder):
    """Of the snapshot of the positions; refused where it has none of that, or where the positions have none."""
    table = {"kind": "cross_accounts", "file": "p.csv", "collateral": "c.csv", "venue": "binance", "class": "retail"}
    dated = {"populations.book": table | {"snapshot": "latest"}}
    header = "account,asset,side,quantity,entry_price"
    folder.file("p.csv", f"{header},date\n" + "".join(f"{who},ETH,long,{day},3000,{day}\n" for day in (1, 2) for who in "ab"))
    collateral = "account,asset,amount,date\n" + "".join(f"{who},USD,{day}00,{day}\n" for day in (1, 2) for who in "ab")
    folder.file("c.csv", collateral)
    assert load(folder.exchange(**dated)).populations["book"].cash.tolist() == [200.0, 200.0]
    folder.file("c.csv", collateral.replace(",2\n", ",3\n"))
    only(check(folder.exchange(**dated)), "date: has no row of 2, the snapshot of the positions")
    folder.file("c.csv", "account,asset,amount,date\na,USD,1,7\nb,USD,2,7\n")
    assert check(folder.exchange(**dated)) == []
    folder.file("p.csv", f"{header}\na,ETH,long,1,3000\nb,ETH,long,1,3000\n")
    folder.file("c.csv", "account,asset,amount,date\na,USD,1,1\nb,USD,1,1\na,ETH,1,2\nb,ETH,1,2\n")
    only(check(folder.exchange(**{"populations.book": table})), "date: has 2 different values, from 1 to 2")


def test_names_of_contracts():
    for name in ("BTCUSDT", "BTC/USDT:USDT", "BTC-USDT-SWAP", "BTC-PERP", "BTCUSD_PERP", "XBTUSD", "btc", "BTC-USD", "BTCUSDC"):
        assert "BTC" in coins(name), name
    for name in ("BTC-USDT-260626", "ETH/BTC", "WBTCUSDT", "BTCDOMUSDT", "1000BTCUSDT", "", "-", "BTC-29AUG-80000-C"):
        assert "BTC" not in coins(name), name
    assert of_coin("DOT", ["DOTUSD", "DOTUSDT"]) == ["DOTUSD", "DOTUSDT"]


CONTRACTS = [("BTCUSDT", "ETHUSDT"), ("BTC/USDT:USDT", "ETH/USDT:USDT"), ("BTC-USDT-SWAP", "ETH")]


@pytest.mark.parametrize(("btc", "eth"), CONTRACTS)
def test_a_contracts_name_counts_as_its_assets_and_is_said(folder, btc, eth):
    renamed = lambda text: re.sub(r"\bETH\b", eth, re.sub(r"\bBTC\b", btc, text))
    folder.file("t.csv", renamed(ACCOUNTS))
    file = folder.scenario(**{"populations.t": POPULATIONS["accounts"]})
    assert check(file) == []
    said = [line for line in doubts(file) if "is taken as" in line]
    assert [line.split(": ")[-1] if ":" not in btc else line[line.index("asset ") :] for line in said] == [
        f"asset {name} is taken as {asset}" for name, asset in ((btc, "BTC"), (eth, "ETH")) if name != asset
    ]
    folder.file("u.csv", ACCOUNTS)
    plain = load(folder.scenario(**{"populations.t": POPULATIONS["accounts"] | {"file": "u.csv"}})).populations["t"]
    with pytest.warns(UserWarning, match="is taken as BTC"):
        found = load(folder.scenario(**{"populations.t": POPULATIONS["accounts"]})).populations["t"]
    assert np.array_equal(found.asset, plain.asset)


def test_contracts_of_cross_accounts_and_their_collateral(folder):
    folder.exchange()
    positions, collateral = (folder.path / name for name in ("positions.csv", "collateral.csv"))
    plain = load(folder.exchange()).populations["book"]
    folder.file("positions.csv", positions.read_text().replace("BTC", "BTCUSDT"))
    folder.file("collateral.csv", collateral.read_text().replace("ETH", "ETH-PERP"))
    for ignored in ("refuse", "ignore"):
        with pytest.warns(UserWarning, match="is taken as"):
            found = load(folder.exchange(**{"populations.book.other_assets": ignored})).populations["book"]
        assert found.quantity.tolist() == plain.quantity.tolist()
        assert found.coins.tolist() == plain.coins.tolist()


def test_two_contracts_of_a_coin_are_both_named(folder):
    """Not left out in silence where other assets are; nor where one stands beside the asset's own name."""
    folder.exchange()
    text = (folder.path / "positions.csv").read_text()
    folder.file(
        "positions.csv",
        text.replace("anna,binance,BTC", "anna,binance,BTCUSDT").replace("bert,binance,BTC", "bert,binance,BTC-USDC"),
    )
    only(check(folder.exchange()), "BTC-USDC (1 row), BTCUSDT (1 row)")
    only(check(folder.exchange(**{"populations.book.other_assets": "ignore"})), "BTCUSDT and BTC-USDC may each be meant by BTC")
    folder.file("positions.csv", text.replace("anna,binance,BTC", "anna,binance,BTCUSDT"))
    only(check(folder.exchange(**{"populations.book.other_assets": "ignore"})), "BTC and BTCUSDT may each be meant by BTC")


def test_contracts_in_tiers_and_prices(folder):
    rows = "".join(f"{asset},{floor},{leverage},{rate}\n" for asset in ("BTCUSDT", "ETHUSDT")
                   for floor, leverage, rate in ((0, 50, 0.01), (1e6, 20, 0.02)))  # fmt: skip
    folder.file("tiers.csv", "asset,floor_usd,max_leverage,maintenance_rate\n" + rows)
    venue = {"tiers": "tiers.csv", "tier_rule": "marginal", "insurance_fund": 1e9}
    file = folder.scenario(**{"venues.binance": venue})
    assert check(file) == []
    assert any("tiers of BTCUSDT are taken as those of BTC" in line for line in doubts(file))
    folder.file("tiers.csv", "asset,floor_usd,max_leverage,maintenance_rate\n" + rows + rows.replace("BTCUSDT", "BTC-USDC"))
    assert any("BTC-USDC" in str(problem) and "BTCUSDT" in str(problem) for problem in check(file))
    times = [f"2024-01-01T{hour:02}:00:00Z" for hour in range(24)] + ["2024-01-02T00:00:00Z", "2024-01-02T01:00:00Z"]
    prices = "time,BTCUSDT,ETH-PERP\n" + "".join(f"{time},{100 + i % 3},{10 + i % 2}\n" for i, time in enumerate(times))
    market = {"process": "bootstrap", "file": "p.csv", "mean_block": "2h"}
    changes = {"market": market, "run.step": "1h", "run.steps": folder.MISSING}
    folder.file("p.csv", prices)
    file = folder.scenario(**changes)
    assert check(file) == []
    assert sum("column" in line and "is taken as" in line for line in doubts(file)) == 2
    folder.file("p.csv", prices.replace("ETH-PERP", "BTC-USDC"))
    found = check(file)
    assert any("BTCUSDT and BTC-USDC may each be meant by BTC" in str(problem) for problem in found)

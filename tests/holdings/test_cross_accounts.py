"""Files of accounts under cross margin: what they become, and every kind of bad row."""

import gzip

import numpy as np
import pytest
from recorded import DATA

from jaxrisk.config import load

NAMED = """snapshot,user,account_value_usd,coin,side,size,entry_price,notional_usd
2026-02-08T19:15:15Z,7,36000,BTC,Long,2,70000,142000
2026-02-09T19:15:15Z,7,40000,BTC,Long,2,70000,150000
2026-02-09T19:15:15Z,7,40000,ETH,Short,10,3200,31000
2026-02-09T19:15:15Z,7,40000,HYPE,Short,100,30,2900
2026-02-09T19:15:15Z,8,5000,ETH,Long,1,2500,3100
2026-02-09T19:15:15Z,9,700,HYPE,Long,1,25,29
"""
COLUMNS = {
    "account": "user",
    "account_value": "account_value_usd",
    "asset": "coin",
    "quantity": "size",
    "notional": "notional_usd",
}
SNAPSHOTS = {"kind": "cross_accounts", "file": "snapshots.csv", "columns": COLUMNS, "venue": "binance", "class": "retail",
             "snapshot": "latest", "other_assets": "ignore"}  # fmt: skip
ISOLATED = """account,venue,asset,side,quantity,entry_price,margin,collateral
anna,binance,BTC,long,2,70000,cross,
anna,binance,ETH,short,10,3200,isolated,4000
anna,coinm,ETH,long,5,2500,isolated,1250
"""


@pytest.fixture
def book(folder):
    """The scenario's cross accounts; `book(positions=..., **changes)`."""

    def build(name="positions.csv", text=None, **changes):
        if text is not None:
            folder.file(name, text)
        return load(folder.exchange(**changes)).populations["book"]

    return build


def problems(folder, positions=None, collateral=None, **changes):
    for name, text in (("positions.csv", positions), ("collateral.csv", collateral)):
        if text is not None:
            folder.file(name, text)
    return folder.exchange_problems(**changes)


def only(found):
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def test_positions_and_collateral(book):
    """Accounts in the order in which the file names them; a position of nothing is none; sides as the file capitalises them."""
    accounts = book()
    np.testing.assert_array_equal(accounts.account, [0, 0, 1])
    np.testing.assert_array_equal(accounts.venue, [0, 1, 0])
    np.testing.assert_array_equal(accounts.asset, [0, 1, 1])
    np.testing.assert_array_equal(accounts.side, [1, -1, 1])
    np.testing.assert_array_equal(accounts.quantity, [2.0, 10.0, 5.0])
    np.testing.assert_array_equal(accounts.entry_price, [70000.0, 3200.0, 2800.0])
    np.testing.assert_array_equal(accounts.cash, [50000.0, 0.0])
    np.testing.assert_array_equal(accounts.coins, [[0.5, 0.0, 0.0], [0.0, 1.5, 0.0]])
    np.testing.assert_array_equal(accounts.home, [0, 0])
    np.testing.assert_array_equal(accounts.weight, [1.0, 1.0])
    np.testing.assert_array_equal(accounts.account_class, [0, 0])


def test_account_values_of_a_snapshot(book):
    """Cash is the value less profit at the file's own mark, notional over quantity.

    Account 7: BTC at 75,000: 2 (75,000 - 70,000) = 10,000; ETH at 3,100, short: -10 (3,100 - 3,200) = 1,000; what it has in HYPE
    is left out and stays in its value: 40,000 - 11,000. Account 8: 5,000 - (3,100 - 2,500).
    """
    accounts = book("snapshots.csv", NAMED, **{"populations.book": SNAPSHOTS})
    np.testing.assert_array_equal(accounts.account, [0, 0, 1])
    np.testing.assert_allclose(accounts.cash, [29000.0, 4400.0])
    np.testing.assert_array_equal(accounts.coins, np.zeros((2, 3)))
    assert accounts.quantity.tolist() == [2.0, 10.0, 1.0]


def test_without_a_notional_the_mark_is_the_scenarios(book):
    """BTC 80,000 and ETH 3,000: 40,000 - (2 10,000 + 10 200) and 5,000 - 500."""
    columns = {key: item for key, item in COLUMNS.items() if key != "notional"}
    accounts = book("snapshots.csv", NAMED, **{"populations.book": SNAPSHOTS | {"columns": columns}})
    np.testing.assert_allclose(accounts.cash, [18000.0, 4500.0])


def test_an_account_is_worth_its_value_at_the_files_own_mark(book):
    accounts = book("snapshots.csv", NAMED, **{"populations.book": SNAPSHOTS})
    mark = np.array([75000.0, 3100.0, 3100.0])
    profit = accounts.side * accounts.quantity * (mark - accounts.entry_price)
    np.testing.assert_allclose(accounts.cash + np.bincount(accounts.account, profit), [40000.0, 5000.0])


def test_a_snapshot_by_name(book, folder):
    named = {"populations.book": SNAPSHOTS | {"snapshot": "2026-02-08T19:15:15Z"}}
    assert book("snapshots.csv", NAMED, **named).cash.tolist() == [36000.0 - 2 * (71000 - 70000)]
    problem = only(problems(folder, **{"populations.book": SNAPSHOTS | {"snapshot": "2026-02-08T19:15:16Z"}}))
    assert (problem.key, problem.nearest) == ("populations.book.snapshot", "2026-02-08T19:15:15Z")
    assert "2 snapshots, from 2026-02-08T19:15:15Z to 2026-02-09T19:15:15Z" in problem.allowed
    several = {key: item for key, item in SNAPSHOTS.items() if key != "snapshot"}
    problem = only(problems(folder, **{"populations.book": several}))
    assert (problem.key, problem.value) == ("populations.book.snapshot", None)
    assert 'needs one of them, or "latest"' in problem.allowed


def test_the_latest_of_numbers_is_the_largest(book):
    text = NAMED.replace("2026-02-08T19:15:15Z", "9").replace("2026-02-09T19:15:15Z", "10")
    assert len(book("snapshots.csv", text, **{"populations.book": SNAPSHOTS}).cash) == 2


def test_a_file_with_one_snapshot_needs_no_choice(book):
    text = "\n".join(line for line in NAMED.splitlines() if "02-08" not in line)
    chosen = {key: item for key, item in SNAPSHOTS.items() if key != "snapshot"}
    assert len(book("snapshots.csv", text, **{"populations.book": chosen}).cash) == 2


def test_the_largest_accounts_are_kept(book):
    """By notional at the scenario's prices, not by coins: anna 2 80,000 + 10 3,000 = 190,000, bert 25 3,000 = 75,000."""
    text = "account,venue,asset,side,quantity,entry_price\nbert,binance,ETH,long,25,2800\n"
    text += "anna,binance,BTC,long,2,70000\nanna,coinm,ETH,short,10,3200\n"
    accounts = book(text=text, **{"populations.book.accounts": 1})
    assert accounts.quantity.tolist() == [2.0, 10.0]
    assert accounts.account.tolist() == [0, 0]
    assert accounts.cash.tolist() == [50000.0]
    assert len(book(**{"populations.book.accounts": 5}).cash) == 2


def test_an_account_may_hold_both_sides(book):
    text = "account,venue,asset,side,quantity,entry_price\nanna,binance,BTC,long,2,7e4\nanna,binance,BTC,short,1,9e4\n"
    text += "bert,binance,ETH,long,1,3000\n"
    assert book(text=text).side.tolist() == [1, -1, 1]


def test_isolated_positions_are_accounts_of_their_own(book, folder):
    """Their collateral is cash or, at a venue margined in coin, coins worth it at entry: 1,250 / 2,500 of an ETH."""
    collateral = "account,asset,amount\nanna,USD,5\n"
    folder.file("collateral.csv", collateral)
    accounts = book(text=ISOLATED)
    np.testing.assert_array_equal(accounts.account, [0, 1, 2])
    np.testing.assert_array_equal(accounts.cash, [5.0, 4000.0, 0.0])
    np.testing.assert_array_equal(accounts.coins, [[0, 0, 0], [0, 0, 0], [0, 0.5, 0]])
    np.testing.assert_array_equal(accounts.home, [0, 0, 1])


def test_isolated_positions_only_need_no_file_of_collateral(book):
    table = {"kind": "cross_accounts", "file": "positions.csv", "class": "retail"}
    text = "\n".join(line for line in ISOLATED.splitlines() if ",cross," not in line)
    assert book(text=text, **{"populations.book": table}).cash.tolist() == [4000.0, 0.0]


def test_coin_margined_profit_is_at_the_scenarios_price(book):
    """Its notional is fixed in dollars, so that it says nothing about the mark: 5 (3,000 - 2,500) whatever the notional."""
    text = "account,asset,side,quantity,entry_price,account_value,notional\na,ETH,long,5,2500,9000,12500\n"
    table = {"kind": "cross_accounts", "file": "positions.csv", "venue": "coinm"}
    accounts = book(text=text, **{"populations.book": table, "calls": {"level": 1.5}})
    assert accounts.cash.tolist() == [9000.0 - 2500.0]


def test_classes_and_venues(folder):
    header = "account,asset,side,quantity,entry_price,account_value,class\n"
    folder.file("positions.csv", header + "a,BTC,long,1,7e4,9000,whale\nb,ETH,short,1,3000,900,retail\n")
    table = {"kind": "cross_accounts", "file": "positions.csv", "venue": "coinm"}
    scenario = load(folder.exchange(**{"populations.book": table, "calls.retail.level": 2.0}))
    assert scenario.names.classes == ("whale", "retail", "professional")
    assert scenario.populations["book"].account_class.tolist() == [0, 1]
    assert scenario.populations["book"].venue.tolist() == [1, 1]
    np.testing.assert_array_equal(scenario.calls.level, [1.0, 2.0, 1.0])


def test_compressed_and_parquet_files(book, folder):
    (folder.path / "p.csv.gz").write_bytes(gzip.compress(NAMED.encode()))
    expected = book(**{"populations.book": SNAPSHOTS | {"file": "p.csv.gz"}})
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.read_csv(folder.path / "p.csv.gz").to_parquet(folder.path / "p.parquet")
    found = book(**{"populations.book": SNAPSHOTS | {"file": "p.parquet"}})
    np.testing.assert_array_equal(found.cash, expected.cash)


POSITION_CASES = [
    ("anna,binance,BTC", "anna,binanse,BTC", "line 2, venue", "unknown venue; has to be one of binance, coinm", "binance"),
    ("Long", "Lng", "line 2, side", "one of long, short", "long"),
    (",2,70000", ",-2,70000", "line 2, quantity", "at least 0 (coins", None),
    (",2,70000", ",nan,70000", "line 2, quantity", "a finite number", None),
    (",2,70000", ",2,0", "line 2, entry_price", "above 0 (USD a coin)", None),
    (",2,70000", ",2,inf", "line 2, entry_price", "a finite number", None),
    (",2,70000", ",2,x", "line 2, entry_price", "a finite number", None),
    ("bert,binance,ETH", ",binance,ETH", "line 4, account", "has to name the account", None),
    ("anna,coinm,ETH,short", "anna,binance,BTC,long", "line 3, account", "another row for the same venue, asset and side", None),
    ("quantity", "qty", "quantity", "missing column; the file has account, venue, asset, side, qty", None),
    (",2,70000", ",2,70000,5", "", "line 2 has not 6 columns", None),
]


@pytest.mark.parametrize(("old", "new", "key", "words", "near"), POSITION_CASES)
def test_a_bad_position(folder, old, new, key, words, near):
    folder.exchange()
    problem = only(problems(folder, positions=(folder.path / "positions.csv").read_text().replace(old, new)))
    assert (problem.key, problem.nearest) == (key, near)
    assert problem.file.endswith("/positions.csv")
    assert words in problem.allowed


def test_unknown_assets_are_named_once_with_their_rows(folder):
    folder.exchange()
    text = (folder.path / "positions.csv").read_text() + "bert,binance,SOL,long,1,100\nbert,coinm,SOL,long,1,100\n"
    problem = only(problems(folder, positions=text + "anna,binance,XRP,long,1,2\n"))
    assert problem.key == "asset"
    assert "does not have: SOL (2 rows), XRP (1 row); it has BTC, ETH, NDX" in problem.allowed
    assert 'populations.book.other_assets = "ignore" leaves them out' in problem.allowed
    assert problems(folder, **{"populations.book.other_assets": "ignore"}) == []
    problem = only(problems(folder, positions=text.replace("SOL", "BTX")))
    assert problem.nearest == "BTC"
    problem = only(problems(folder, **{"populations.book.other_assets": "skip"}))
    assert (problem.key, problem.value) == ("populations.book.other_assets", '"skip"')


def test_a_file_without_any_of_the_assets(folder):
    text = "account,venue,asset,side,quantity,entry_price\nanna,binance,SOL,long,1,100\n"
    found = problems(folder, positions=text, collateral="account,asset,amount\nanna,USD,5\n",
                     **{"populations.book.other_assets": "ignore"})  # fmt: skip
    assert "no position in one of the scenario's assets" in only(found).allowed
    found = problems(folder, positions=text.replace("SOL", "BTC").replace(",1,100", ",0,100"))
    assert "no account that holds anything" in only(found).allowed


COLLATERAL_CASES = [
    ("bert,ETH", "brt,ETH", "line 4, account", "unknown account; has to be one of the 2 in the file of positions", "bert"),
    ("bert,ETH", "bert,ETX", "line 4, asset", "unknown asset; has to be one of USD, BTC, ETH, NDX", "ETH"),
    (",1.5", ",-1.5", "line 4, amount", "at least 0 (coins)", None),
    (",1.5", ",nan", "line 4, amount", "a finite number", None),
    ("anna,BTC", "anna,USD", "line 3, account", "two rows for the same asset", None),
    ("amount", "ammount", "amount", "missing column; the file has account, asset, ammount", "ammount"),
]


@pytest.mark.parametrize(("old", "new", "key", "words", "near"), COLLATERAL_CASES)
def test_bad_collateral(folder, old, new, key, words, near):
    folder.exchange()
    problem = only(problems(folder, collateral=(folder.path / "collateral.csv").read_text().replace(old, new)))
    assert (problem.key, problem.nearest) == (key, near)
    assert problem.file.endswith("/collateral.csv")
    assert words in problem.allowed


def test_every_account_needs_collateral(folder):
    problem = only(problems(folder, collateral="account,asset,amount\nanna,USD,5\n"))
    assert problem.key == "populations.book.collateral"
    assert "has no row for bert" in problem.allowed
    assert problems(folder, collateral="account,asset,amount\nanna,USD,-5\nbert,USD,0\n") == []


WHOLE_CASES = [
    ({"collateral": None}, "collateral", None, "needs a file of collateral, or a column account_value"),
    ({"venue": "binance"}, "venue", '"binance"', "the file has a column venue"),
    ({"columns": {"acount": "user"}}, "columns.acount", '"user"', "unknown column; the columns are account, asset"),
    ({"columns": {"account": 5}}, "columns.account", "5", "the name of a column of the file"),
    ({"columns": "user"}, "columns", '"user"', "a table from names of ours"),
    ({"accounts": 0}, "accounts", "0", "a whole number at least 1"),
    ({"venue": "kraken"}, "venue", '"kraken"', "which are binance, coinm"),
    ({"collateral": "colateral.csv"}, "collateral", '"colateral.csv"', "no such file"),
    ({"file": "position.csv"}, "file", '"position.csv"', "no such file"),
    ({"median": 5.0}, "median", "5.0", "unknown key in kind cross_accounts"),
]


@pytest.mark.parametrize(("change", "key", "value", "words"), WHOLE_CASES)
def test_a_bad_table(folder, change, key, value, words):
    table = {"kind": "cross_accounts", "file": "positions.csv", "collateral": "collateral.csv", "class": "retail"} | change
    table = {name: item for name, item in table.items() if item is not None}
    problem = only(problems(folder, **{"populations.book": table}))
    assert (problem.key, problem.value) == (f"populations.book.{key}", value)
    assert words in problem.allowed


def test_what_the_file_says_is_not_said_again(folder):
    text = "account,venue,asset,side,quantity,entry_price,account_value,class\na,binance,BTC,long,1,7e4,9000,retail\n"
    found = problems(folder, positions=text, collateral="account,asset,amount\na,USD,5\n")
    assert [problem.key for problem in found] == ["populations.book.class", "populations.book.collateral"]
    assert "the file has a column account_value, from which collateral follows" in found[1].allowed
    without = text.replace(",venue,", ",place,")
    table = {"kind": "cross_accounts", "file": "positions.csv"}
    problem = only(problems(folder, positions=without, **{"populations.book": table}))
    assert problem.key == "populations.book.venue"
    assert "missing; needs the venue of all positions" in problem.allowed


def test_an_account_has_one_value_and_one_class(folder):
    text = (
        "account,venue,asset,side,quantity,entry_price,account_value,class\na,binance,BTC,long,1,7e4,9000,retail\n"
        "b,binance,BTC,long,1,7e4,9000,retail\na,binance,ETH,long,1,3e3,9001,pro\n"
    )
    table = {"kind": "cross_accounts", "file": "positions.csv"}
    found = problems(folder, positions=text, **{"populations.book": table})
    assert [problem.key for problem in found] == ["line 4, class", "line 4, account_value"]
    assert "the same in all rows of an account; in line 2 it is 9000" in found[1].allowed


@pytest.mark.parametrize("cell", ["", "0", "-5", "nan", "x"])
def test_isolated_positions_need_collateral(folder, cell):
    text = ISOLATED.replace("isolated,4000", f"isolated,{cell}")
    problem = only(problems(folder, positions=text, collateral="account,asset,amount\nanna,USD,5\n"))
    assert problem.key == "line 3, collateral"
    assert "above 0 (USD at entry) for an isolated position" in problem.allowed
    problem = only(problems(folder, positions=ISOLATED.replace("isolated,4000", "isolted,4000")))
    assert (problem.key, problem.nearest) == ("line 3, margin", "isolated")
    problem = only(problems(folder, positions=ISOLATED.replace("collateral", "posted")))
    assert (problem.key, problem.nearest) == ("collateral", None)


def test_all_problems_of_the_two_files(folder):
    """Seven mistakes in two files: all are listed, though none of the rows is of use to the other file."""
    positions = "account,venue,asset,side,quantity,entry_price\nanna,bnance,BTC,lng,-1,0\nbert,coinm,SOL,long,1,1\n"
    found = problems(folder, positions=positions, collateral="account,asset,amount\nanne,USX,nan\n")
    keys = {problem.key for problem in found}
    assert keys == {"line 2, venue", "line 2, side", "line 2, quantity", "line 2, entry_price", "asset", "line 2, account",
                    "line 2, asset", "line 2, amount"}  # fmt: skip


RECORDED = DATA / "positions" / "perp_accounts_20260208_20260222.csv.gz"


@pytest.mark.skipif(not RECORDED.is_file(), reason="the file of positions is not beside the project")
def test_a_leaderboard(book):
    """Snapshots of a venue's public leaderboard: every account is worth at the file's marks what the file says."""
    columns = COLUMNS | {"account": "account", "asset": "coin", "notional": "notional_usd"}
    accounts = book(**{"populations.book": SNAPSHOTS | {"file": str(RECORDED), "columns": columns}})
    assert len(accounts.cash) > 50
    assert set(np.unique(accounts.asset)) == {0, 1}
    assert np.all(np.isfinite(accounts.cash))
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(RECORDED)
    last = table[(table.snapshot == table.snapshot.max()) & table.coin.isin(["BTC", "ETH"]) & (table["size"] > 0)]
    assert len(last) == len(accounts.quantity)
    first = last.groupby("account", sort=False)
    profit = (last.notional_usd / last["size"] - last.entry_price) * last["size"] * np.where(last.side == "Long", 1, -1)
    expected = first.account_value_usd.first() - profit.groupby(last.account, sort=False).sum()
    np.testing.assert_allclose(accounts.cash, expected.to_numpy(), rtol=1e-12)
    # the profit worked out from the notional is the one that the file states
    np.testing.assert_allclose(profit, last.unrealised_pnl_usd, atol=1e-4 * float(last.notional_usd.max()))

"""Rows of a file of accounts that stand for the same thing: once and said, told apart, or refused; leverage as 10x; symbols."""

from pathlib import Path

import numpy as np
import pytest

from jaxrisk.calibration.accounts.bias import Bias, corrected
from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, OK, main
from jaxrisk.config import ConfigError
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.holdings.account_rows import match_asset

HEADER = "account,coin,side,account_value_usd,notional_usd,unrealised_pnl_usd,leverage"
ROWS = ["a,BTC,long,100,200,30,5", "a,ETH,short,100,300,-5,20", "b,BTC,short,50,10,1,5"]


def bars(path, hours, seed=1):
    """Hourly prices with jumps."""
    random = np.random.default_rng(seed)
    moves = 0.6 / np.sqrt(8760) * random.standard_normal(hours)
    moves += np.where(random.random(hours) < 0.01, 0.04 * random.standard_normal(hours), 0.0)
    time = np.datetime64("2023-01-01T00:00:00") + np.arange(hours) * np.timedelta64(1, "h")
    lines = [f"{t}Z,{c:.2f}" for t, c in zip(time, 70000.0 * np.exp(np.cumsum(moves)), strict=True)]
    Path(path).write_text("\n".join(["time,close", *lines]) + "\n")


def accounts_file(path, count=300, seed=2):
    """Accounts of both classes and sides, all of BTC."""
    random = np.random.default_rng(seed)
    lines = [HEADER]
    for i in range(count):
        value, leverage = 10 ** random.uniform(4, 7), min(np.exp(1.2 + 0.7 * random.standard_normal()), 40.0)
        gain = 0.1 * value * random.standard_normal() + 0.05 * value
        lines.append(f"{i},BTC,{'Long' if i % 2 else 'Short'},{value:.2f},{value * leverage:.2f},{gain:.2f},50")
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.fixture
def read(tmp_path):
    """`read(rows, header)`: the accounts of a file of these rows."""

    def of(rows, header=HEADER, columns=None):
        (tmp_path / "a.csv").write_text("\n".join([header, *rows]) + "\n")
        return read_accounts(tmp_path / "a.csv", columns)

    return of


def refused(read, rows, header=HEADER, **options):
    with pytest.raises(ConfigError) as error:
        read(rows, header, **options)
    assert len(error.value.problems) == 1, str(error.value)
    return error.value.problems[0]


def same(one, other):
    for name in ("holding", "owner", "asset", "side", "notional", "unrealised", "value", "total", "set_leverage"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name


def test_rows_that_stand_twice_count_once_and_are_said(read):
    plain = read(ROWS)
    assert plain.total.tolist() == [500.0, 10.0]
    twice = read(ROWS + ROWS)
    same(twice, plain)
    assert twice.findings == ("3 rows stand in the file a second time and count once, the first in line 5",)
    # the same numbers written otherwise, and a column that numbers the rows of each part
    other = read([*(f"{i},{row}" for i, row in enumerate(ROWS)), "9,a,BTC,Long,1e2,200.0,30,5"], f"index,{HEADER}")
    same(other, plain)
    assert other.findings == ("1 row stands in the file a second time and counts once, the first in line 5",)


@pytest.mark.parametrize(
    "name", ["date", "Date", "time", "timestamp", "datetime", "day", "as_of", "snapshot_date", "snapshot", "time_utc", "ts"]
)
def test_snapshots_are_told_apart_under_their_usual_names(read, name):
    days = ("2026-01-01", "2026-01-02")
    found = read([f"{row},{day}" for day in days for row in ROWS], f"{HEADER},{name}")
    assert found.total.tolist() == [500.0, 10.0, 500.0, 10.0]
    assert found.owner.tolist() == [0, 0, 1, 0, 0, 1]
    assert found.sample == "a, 2 snapshots from 2026-01-01 to 2026-01-02"
    assert found.findings == (() if name == "snapshot" else (f"`{name}` tells 2 snapshots apart",))
    # a concatenated export of several days
    again = read([f"{row},{day}" for day in (*days, days[1]) for row in ROWS], f"{HEADER},{name}")
    same(again, found)
    assert "3 rows stand in the file a second time" in again.findings[-1]


def test_a_day_and_an_hour_tell_snapshots_together(read):
    found = read([f"{row},2026-01-01,{hour}" for hour in (8, 16) for row in ROWS], f"{HEADER},date,hour")
    assert found.total.tolist() == [500.0, 10.0, 500.0, 10.0]
    assert found.findings == ("`date` and `hour` tell 2 snapshots apart",)


def test_a_column_that_is_named_tells_snapshots(read):
    rows = [f"{row},{part}" for part in "xy" for row in ROWS]
    changed = [row.replace(",200,", ",220,") if row.endswith("y") else row for row in rows]
    assert read(changed, f"{HEADER},part", {"snapshot": "part"}).total.tolist() == [500.0, 10.0, 520.0, 10.0]
    problem = refused(read, changed, f"{HEADER},part")
    assert problem.key == "line 5, account"
    assert "has the same asset and side in line 2, and differs from it in notional_usd, part" in problem.allowed
    assert "say --columns snapshot=part" in problem.allowed


def test_conflicts_are_refused(read):
    """Two positions in one asset and side; the same at one time of several; an account that is worth two things at once."""
    problem = refused(read, [*ROWS, "b,BTC,short,50,20,1,5", "a,BTC,long,100,201,30,5"])
    assert (problem.key, problem.value) == ("line 5, account", '"b"')
    assert "in line 4, and differs from it in notional_usd: a position is one row" in problem.allowed
    assert problem.allowed.endswith("1 more such rows")
    problem = refused(read, [f"{row},1" for row in ROWS] + [f"{row},2" for row in (*ROWS, ROWS[0].replace("200", "9"))],
                      f"{HEADER},day")  # fmt: skip
    assert "in line 5, at the same time, and differs from it in notional_usd" in problem.allowed
    problem = refused(read, [ROWS[0], ROWS[1].replace(",100,", ",150,"), ROWS[2]])
    assert (problem.key, problem.value) == ("line 3, account_value_usd", "150")
    assert "has to be the same in all rows of an account, its own and at one time; in line 2 it is 100" in problem.allowed
    # read one after the other, values differ a little
    assert read([ROWS[0], ROWS[1].replace(",100,", ",100.05,"), ROWS[2]]).value.tolist() == [100.0, 50.0]


def test_a_time_of_every_row_is_asked_about(read):
    """When a position was opened is no snapshot: taken for one, it would make every position an account of its own."""
    rows = [f"{row},2026-01-0{i}" for i, row in enumerate(ROWS, start=1)]
    problem = refused(read, rows, f"{HEADER},time")
    assert problem.key == "time"
    assert "is it when a snapshot was taken? Say so with --columns snapshot=time" in problem.allowed
    assert read(rows, f"{HEADER},time", {"snapshot": "time"}).total.tolist() == [200.0, 300.0, 10.0]
    assert read(rows, f"{HEADER},opened").total.tolist() == [500.0, 10.0]


@pytest.mark.parametrize("written", ["10x", "10X", "x10", "10 x", "\u00d710"])
def test_a_leverage_with_an_x_is_the_number_and_said(read, written):
    rows = [ROWS[0][:-1] + written, ROWS[1], ROWS[2]]
    found = read(rows)
    assert found.set_leverage.tolist() == [20.0, 5.0]
    assert found.findings == (f"`leverage` is written as {written}: read as 10",)
    # and holds the correction of winners back, as 10 does
    rows = ["a,BTC,long,100,900,95,10x", "b,BTC,short,50,10,-1,5"]
    assert corrected(read(rows), Bias(winners=True, share=1.0)).leverage[0] == 10.0


@pytest.mark.parametrize("written", ["0", "0.5", "-10", "1e5", "inf", "ten", "10%", "0x", "1.2.3x"])
def test_a_leverage_that_is_none_is_refused(read, written):
    problem = refused(read, [row.rsplit(",", 1)[0] + f",{written}" for row in ROWS])
    assert problem.key == "line 2, leverage"
    assert "from 1 to 10000, as 10 or 10x; leave it empty where it is not known; 2 more such rows" in problem.allowed


def test_a_correction_that_is_switched_off_is_said(read):
    without = [row.rsplit(",", 1)[0] for row in ROWS]
    unknown = read([f"{without[0]},", f"{without[1]},nan", ROWS[2]])
    assert unknown.set_leverage.tolist() == [np.inf, 5.0]
    assert unknown.findings[0].startswith("2 of 3 rows do not say what leverage was set: nothing holds the correction")
    assert read([f"{row},1" for row in without]).findings == ()  # half of the accounts is not most
    most = read([f"{row},1" for row in (*without, "c,BTC,long,10,40,1")])
    assert "2 of 3 accounts have more leverage than they set" in most.findings[0]
    zeros = read(["a,BTC,long,100,200,0,5", "b,BTC,short,50,10,0.0,5"])
    assert zeros.findings == ("`unrealised_pnl_usd` is 0 in every row: winners cannot be corrected for",)


@pytest.mark.parametrize(
    ("names", "found", "said", "absent"),
    [
        (["BTC", "ETH"], ["BTC", "ETH"], "", ""),
        (["BTCUSDT", "ETHUSDT"], ["BTC", "ETHUSDT"], "BTCUSDT is taken as BTC", ""),
        (["BTC/USDT:USDT"], ["BTC"], "BTC/USDT:USDT is taken as BTC", ""),
        (["BTC-USDT-SWAP"], ["BTC"], "BTC-USDT-SWAP is taken as BTC", ""),
        (["XBTUSD"], ["BTC"], "XBTUSD is taken as BTC", ""),
        (["BTC", "BTCUSDT"], ["BTC", "BTCUSDT"], "BTCUSDT stands beside BTC and is not taken as it", ""),
        (["BTCUSDT", "BTC-USDC"], None, "", "the file of accounts has no BTC: BTCUSDT and BTC-USDC may each be meant"),
        (["ETHUSDT", "BTC-USDT-260626"], None, "", "the file of accounts has no BTC: it has ETHUSDT, BTC-USDT-260626"),
        (["BTCDOMUSDT", "WBTC"], None, "", "it has BTCDOMUSDT, WBTC"),
    ],
)
def test_names_of_contracts(names, found, said, absent):
    assets, words, why = match_asset(np.array(names, dtype=object), "BTC")
    assert assets.tolist() == (names if found is None else found)
    assert words == said
    assert absent in why
    assert bool(why) == bool(absent)


@pytest.mark.slow
def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    """Twice, with an x and by a contract's name: the numbers of the file as it was, and said; else a line."""
    monkeypatch.chdir(tmp_path)
    bars("p.csv", 24 * 60)
    accounts_file("a.csv")
    header, *rows = Path("a.csv").read_text().splitlines()
    files = {
        "a": (rows, "Leverage"),
        "twice": (rows + rows, "300 rows stand in the file a second time and count once"),
        "x": ([f"{row}x" for row in rows], "`leverage` is written as 50x: read as 50"),
        "usdt": ([row.replace(",BTC,", ",BTCUSDT,") for row in rows], "BTCUSDT is taken as BTC"),
    }
    numbers = set()
    for name, (lines, word) in files.items():
        Path(f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
        words = ["--process", "merton", "--replications", "5", "--out", f"{name}.toml"]
        assert main(["calibrate", "--prices", "p.csv", "--accounts", f"{name}.csv", *words]) == OK
        said = capsys.readouterr().out
        assert word in said
        numbers.add(said.split("Winners: ")[1].split("Identifiability")[0])
    assert len(numbers) == 1
    text = "\n".join([header, *(row.replace(",BTC,", f",{'BTCUSDT' if i % 2 else 'BTC-USDC'},") for i, row in enumerate(rows))])
    Path("two.csv").write_text(text)
    arguments = ["calibrate", "--prices", "p.csv", "--process", "merton", "--replications", "5"]
    assert main([*arguments, "--accounts", "two.csv", "--out", "two.toml"]) == NOT_IDENTIFIED
    assert "the file of accounts has no BTC: BTC-USDC and BTCUSDT may each be meant" in capsys.readouterr().err
    Path("zero.csv").write_text("\n".join([header, *(row.rsplit(",", 1)[0] + ",0" for row in rows)]))
    assert main([*arguments, "--accounts", "zero.csv", "--out", "zero.toml"]) == BAD_INPUT
    assert "line 2, leverage = 0: has to be the leverage that was set" in capsys.readouterr().err
    assert not Path("zero.toml").exists()

"""Answers of interfaces and files put together by hand, as people keep them: read right, or refused in one line."""

import json
from pathlib import Path

import pytest

from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.config import prepare
from jaxrisk.data.funding import read_funding
from jaxrisk.data.open_interest import read_history
from jaxrisk.data.price_file import read_price_file
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (  # Bybit names the symbol once, above the rows
            {"result": {"symbol": "BTCUSD", "category": "inverse",
                        "list": [{"openInterest": "480000000", "timestamp": "1735516800000"}]}},
            'row 1, symbol = "BTCUSD"',
        ),
        (  # Binance, coin-margined: contracts, whose value is in coins
            [{"pair": "BTCUSD", "contractType": "PERPETUAL", "sumOpenInterest": "48000000", "sumOpenInterestValue": "80000.0",
              "timestamp": 1735516800000}],
            'row 1, pair = "BTCUSD"',
        ),
    ],
)  # fmt: skip
def test_contracts_of_a_dollar_are_no_open_interest_in_coins(document, place, tmp_path):
    (tmp_path / "oi.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=f"{place}: is of contracts that are settled in the coin"):
        read_history(tmp_path / "oi.json")
    text = json.dumps(document).replace("BTCUSD", "BTCUSDT")
    (tmp_path / "oi.json").write_text(text)
    assert len(read_history(tmp_path / "oi.json").coins) == 1


def checked(path, capsys):
    """Exit code and words of `jaxrisk check`."""
    code = main(["check", str(path)])
    out, err = capsys.readouterr()
    return code, out + err


def test_check_says_of_open_interest_what_import_says(tmp_path, capsys):
    """Also where its column of times is called as ours."""
    path = tmp_path / "oi.csv"
    path.write_text("time,oi_usd\n2024-06-01T00:00:00Z,5e9\n2024-06-01T01:00:00Z,5e9\n")
    code, words = checked(path, capsys)
    assert code == BAD_INPUT
    assert "open_interest: missing column" in words
    path.write_text(
        "time,oi_usd,close\n2024-06-01T00:00:00Z,5e9,1e5\n2024-06-01T01:00:00Z,5e9,1e5\n2024-06-01T02:00:00Z,5e9,-1\n"
    )
    code, words = checked(path, capsys)
    assert code == BAD_INPUT
    assert "line 4, close = -1: has to be above 0" in words
    path.write_text(path.read_text().replace("-1", "1e5"))
    code, words = checked(path, capsys)
    assert code == OK
    assert "coins are oi_usd over close" in words


def test_check_takes_the_sides_that_scenarios_take(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("account,asset,side,quantity,entry_price\nA,BTC,Buy,1.5,58000\nB,BTC,ask,1,58000\n")
    assert checked(tmp_path / "a.csv", capsys)[0] == OK


def test_check_leaves_other_columns_of_bars_alone(tmp_path, capsys):
    rows = "".join(f"2024-06-01T0{i}:00:00Z,1,1,1,1,\n" for i in range(4))
    (tmp_path / "p.csv").write_text("time,open,high,low,close,Volume MA\n" + rows)
    assert checked(tmp_path / "p.csv", capsys)[0] == OK


@pytest.mark.parametrize("form", ["{} UTC", "{}Z", "{}+00:00"])
def test_a_replay_reads_zones_and_orders_as_calibrate_does(form, tmp_path, scenario):
    """The word UTC, and rows from the latest to the earliest, which is said."""
    rows = [f"{form.format(f'2024-06-0{1 + i // 24} {i % 24:02d}:00:00')},{100 + i}" for i in range(30)]
    (tmp_path / "p.csv").write_text("\n".join(["time,close", *rows[::-1]]))
    market = {"process": "replay", "file": str(tmp_path / "p.csv")}
    found = prepare(scenario(market=market))
    assert any("turned round" in line for line in found.read_as())
    assert found.checked.prices.price[:, 0].tolist() == [100.0 + i for i in range(len(found.checked.prices.price))]
    assert found.checked.prices.start == 1717200000000
    assert read_price_file(tmp_path / "p.csv").close.tolist() == [100.0 + i for i in range(30)]


BARS = "".join(f"{1735516800000 + 3600000 * i},{100 + i},{101 + i},{99 + i},{100 + i},5,{1735520399999 + 3600000 * i},9,9,9,9,0\n"
               for i in range(6)).splitlines(keepends=True)  # fmt: skip
NAMES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"


@pytest.mark.parametrize("first", ["", NAMES])
def test_files_put_together_with_their_names(first, tmp_path, capsys):
    """One line says so, also where the first of them had no names."""
    path = tmp_path / "p.csv"
    path.write_text("".join([first, *BARS[:2], NAMES.title(), *BARS[2:4], NAMES, *BARS[4:]]))
    code, words = checked(path, capsys)
    line = 3 + bool(first)
    assert code == BAD_INPUT
    assert words == (f"{path}: line {line} names the columns again, as do 1 more lines: delete it, or "
                     "give the files that were put together as a folder\n")  # fmt: skip


@pytest.mark.parametrize("sign", [";", ",", "\t"])
def test_the_first_line_that_excel_writes(sign, tmp_path):
    """It says what is between cells; lines are those of the file."""
    text = f"\ufeffsep={sign}\r\n" + (NAMES + "".join(BARS)).replace(",", sign).replace("\n", "\r\n")
    (tmp_path / "p.csv").write_bytes(text.encode())
    assert read_price_file(tmp_path / "p.csv").close.tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    (tmp_path / "p.csv").write_bytes(text.replace("102", "-2").encode())
    with pytest.raises(ConfigError, match=r"line 5, open = -2: has to be above 0"):
        read_price_file(tmp_path / "p.csv")


def test_names_between_angles_are_no_xml(tmp_path, capsys):
    (tmp_path / "p.csv").write_text("<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\n" + "".join(
        f"2024.06.01 0{i}:00\t1\t1\t1\t1\n" for i in range(3)))  # fmt: skip
    assert 'line 2, <TIME> = "2024.06.01 00:00": has to be a time' in checked(tmp_path / "p.csv", capsys)[1]


ROWS = [[line.split(",")[0], *line.split(",")[1:6]] for line in BARS]
OPENED = "2024-12-30T00:00:00"


@pytest.mark.parametrize(
    ("name", "document", "said"),
    [
        ("p.json", {"result": {"symbol": "BTCUSDT", "list": [[*row, "9"] for row in ROWS[::-1]]}}, "Bybit's klines"),
        ("p.json", {"code": "0", "data": [[*row, "9", "9", "1"] for row in ROWS[::-1]]}, "OKX's candles"),
        ("p.json", [{"T": 0, "t": int(t), "s": "BTC", "o": o, "c": c, "h": h, "l": low, "L": 1, "v": v}
                    for t, o, h, low, c, v in ROWS], "time is t"),
        ("p.jsonl", [{"timestamp": int(t), "close": c} for t, o, h, low, c, v in ROWS], "a list of objects"),
    ],
)  # fmt: skip
def test_answers_with_bars(name, document, said, tmp_path, capsys):
    """Lists of seven and nine cells, names of one letter, and a document a line."""
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, document)) if name.endswith("l") else json.dumps(document))
    found = read_price_file(path)
    assert found.close.tolist() == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
    assert str(found.time[0]) == OPENED
    assert said in found.findings[0]
    code, words = checked(path, capsys)
    assert code == OK
    assert said in words


def test_answers_that_are_refused(tmp_path, capsys):
    """By what a venue said, by how many cells there are, and by the line of a document."""
    path = tmp_path / "p.json"
    for text, words in (
        ('{"code": -1121, "msg": "Invalid symbol."}', 'an object with code, msg ("Invalid symbol.")'),
        ('{"timestamp": 1}\n\n{"timestamp": 1', "line 3, column 16 is not valid JSON"),
    ):
        path.write_text(text)
        code, said = checked(path, capsys)
        assert code == BAD_INPUT
        assert words in said
    path.write_text("[[1735516800000, 1, 1, 1, 1]]")
    with pytest.raises(ConfigError, match=r"the same number of cells: 12 \(klines\).*; they have 5"):
        read_price_file(path)


@pytest.mark.parametrize("name", ["P.CSV", "p.Csv.GZ", "p.ZIP"])
def test_endings_in_capitals(name, tmp_path, capsys):
    import gzip
    import zipfile

    text = (NAMES + "".join(BARS)).encode()
    if name.endswith("ZIP"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("A.CSV", text)
    else:
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    code, words = checked(tmp_path / name, capsys)
    assert code == OK
    assert "klines" in words


def held(side, size, entry, margin, profit):
    return {"symbol": "BTCUSDT", "positionSide": side, "positionAmt": size, "entryPrice": entry, "markPrice": "60000.0",
            "unRealizedProfit": profit, "isolatedMargin": margin, "notional": str(60000 * float(size)), "marginType": "isolated",
            "leverage": "10"}  # fmt: skip


def test_isolated_positions_of_both_sides_are_accounts_by_themselves(tmp_path):
    """As in Binance's hedge mode: each is worth its margin, 12,000 and 3,500 USD."""
    rows = [held("LONG", "1.5", "58000", "12000", "3000"), held("SHORT", "-0.5", "61000", "3500", "500")]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    found = read_accounts(tmp_path / "mine.json")
    assert found.value.tolist() == [12000.0, 3500.0]
    assert found.notional.tolist() == [90000.0, 30000.0]
    assert found.unrealised.tolist() == [3000.0, 500.0]
    assert found.side.tolist() == ["long", "short"]


def test_positions_of_okx_are_in_contracts(tmp_path, capsys):
    """A hundred of 0.1 coins are ten, whose worth is near enough to a hundred to pass for a move of the price."""
    row = {"instId": "ETH-USDT-SWAP", "mgnMode": "isolated", "posSide": "long", "pos": "100", "avgPx": "3100", "upl": "-1000",
           "lever": "10", "notionalUsd": "30000"}  # fmt: skip
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"data": [row]}))
    map = ["--columns", "asset=instId", "quantity=pos"]
    assert main(["import", "accounts", str(path), *map]) == BAD_INPUT
    assert "row 1, pos = 100: counts contracts, and the row does not say the size of one" in capsys.readouterr().err
    path.write_text(json.dumps({"data": [row | {"ctVal": "0.1"}]}))
    assert main(["import", "accounts", str(path), *map, "--out", str(tmp_path / "a.csv")]) == OK
    assert ",10,3100," in (tmp_path / "a.csv").read_text()


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("60.000,50", "write numbers without anything between thousands"),
        ('"60,000.50"', "write numbers without anything between thousands"),
        ('"60000,5"', "write decimals with a point"),
        ("$60000", "write the number alone, in full"),
        ("60K", "write the number alone, in full"),
    ],
)
def test_cells_that_people_write(cell, hint, tmp_path, capsys):
    sign = ";" if cell.endswith(",50") else ","
    rows = "".join(f"2024-06-01T0{i}:00:00Z{sign}{cell}\n" for i in range(3))
    (tmp_path / "p.csv").write_text(f"time{sign}close\n" + rows)
    code, words = checked(tmp_path / "p.csv", capsys)
    assert code == BAD_INPUT
    assert "line 2, close = " in words
    assert f"; {hint}; 2 more such rows" in words


def test_rates_with_a_sign_of_percent(tmp_path):
    (tmp_path / "f.csv").write_text("time,funding_rate\n2024-06-01,0.01%\n2024-06-02,0.01%\n")
    with pytest.raises(ConfigError) as error:
        read_funding(tmp_path / "f.csv")
    (problem,) = error.value.problems
    assert 'line 2, funding_rate = "0.01%": has to be a number, or empty; write it as a fraction, without %' in str(problem)


def test_dates_with_the_month_first(tmp_path, capsys):
    """It is said of them where a day tells, not that the day may be first."""
    path = tmp_path / "p.csv"
    path.write_text("time,close\n06/12/2024,1\n06/13/2024,1\n06/14/2024,1\n")
    words = checked(path, capsys)[1]
    assert "these are dates with the month first: write them as 2024-08-05; 2 more such rows" in words
    assert "day_first" not in words


def test_an_index_without_a_name(tmp_path, capsys):
    """As pandas writes it: dates are the times, which is said; numbers of rows are not."""
    path = tmp_path / "p.csv"
    path.write_text(",close\n" + "".join(f"2024-06-01 0{i}:00:00+00:00,{100 + i}\n" for i in range(4)))
    assert read_price_file(path).close.tolist() == [100.0, 101.0, 102.0, 103.0]
    assert checked(path, capsys)[1].endswith("read as: time is the first column, which has no name\n")
    path.write_text(",close\n" + "".join(f"{i},{100 + i}\n" for i in range(4)))
    with pytest.raises(ConfigError, match="time: missing column"):
        read_price_file(path)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [(4, 'line 6, time = "2024-12-30T04:00:00Z": is text'), (2, "line 2, time = 1735516800000: is a number")],
)
def test_times_of_both_kinds(numbers, words, tmp_path, capsys):
    rows = [f"{1735516800000 + 3600000 * i if i < numbers else f'2024-12-30T0{i}:00:00Z'},{100 + i}\n" for i in range(6)]
    (tmp_path / "p.csv").write_text("time,close\n" + "".join(rows))
    with pytest.raises(ConfigError, match=f"{words}, where most times are not: write all in one way; 1 more such rows"):
        read_price_file(tmp_path / "p.csv")


def test_what_is_packed_twice_or_cut_off(tmp_path, capsys):
    import gzip
    import zipfile

    whole = gzip.compress((NAMES + "".join(BARS)).encode())
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("BTCUSDT-1h.csv.gz", whole)
    code, words = checked(tmp_path / "all.zip", capsys)
    assert code == BAD_INPUT
    assert "all.zip: BTCUSDT-1h.csv.gz in it is packed too" in words
    (tmp_path / "p.csv.gz").write_bytes(whole[:-20])
    assert "is not a whole gzip file" in checked(tmp_path / "p.csv.gz", capsys)[1]

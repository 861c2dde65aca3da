"""Twelve kinds of fault in each format: what is refused names file, line and column, the rest is read and said."""

import json
import re
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from jaxrisk.cli import BAD_INPUT, OK, main

FILES = Path(__file__).parent / "files"


def edited(text, line, edit):
    """The text with one line, counted from 1, changed: to several, to none, or to another."""
    lines = text.splitlines(keepends=True)
    lines[line - 1 : line] = edit(lines[line - 1])
    return "".join(lines)


def cell(column, value, separator=","):
    """An edit of one cell of a line."""

    def edit(line):
        cells = line.rstrip("\n").split(separator)
        cells[column] = value(cells[column]) if callable(value) else value
        return [separator.join(cells) + "\n"]

    return edit


def half(text, column, factor, separator=","):
    """All cells of some columns in the second half of a text, multiplied."""
    lines = text.splitlines()
    for i in range(len(lines) // 2, len(lines)):
        cells = lines[i].split(separator)
        for k in column:
            number = float(cells[k].replace(",", ".")) * factor
            cells[k] = f"{number:.10g}".replace(".", "," if separator == ";" else ".")
        lines[i] = separator.join(cells)
    return "\n".join(lines) + "\n"


# by fault: how a text is spoilt, given the columns (time, high, close, bars' columns), the separator and the first line of data
BARS = {
    "gap": (lambda t, c: edited(t, 20, lambda line: []), OK, "1 gap, 1 bar missing, no return is taken across"),
    "duplicate": (lambda t, c: edited(t, 20, lambda line: [line, line]), OK, "1 row repeats the row before"),
    "conflict": (lambda t, c: edited(t, 20, lambda line: [line, *cell(c.volume, "7", c.separator)(line)]), BAD_INPUT,
                 "line 21, TIME = VALUE: comes twice, with different bars; the other is in line 20"),
    "zero": (lambda t, c: edited(t, 20, cell(c.close, "0", c.separator)), BAD_INPUT, "line 20, CLOSE = 0: has to be above 0"),
    "negative": (lambda t, c: edited(t, 20, cell(c.close, "-5", c.separator)), BAD_INPUT, "line 20, CLOSE = -5: has to be above"),
    "high below low": (lambda t, c: edited(t, 20, cell(c.high, "5", c.separator)), BAD_INPUT,
                       "line 20, HIGH = 5: is below the bar's open, close or low"),
    "text in a number": (lambda t, c: edited(t, 20, cell(c.close, "n.m.", c.separator)), BAD_INPUT,
                         'line 20, CLOSE = "n.m.": is not a finite number'),
    "unit changed half-way": (lambda t, c: half(t, range(c.open, c.close + 1), 1e-3, c.separator), BAD_INPUT,
                              "prices jump by 1:1000 from VALUE and stay: a split or a change of unit"),
    "truncated last line": (lambda t, c: t.rstrip("\n").rpartition(c.separator)[0], BAD_INPUT,
                            "line LAST has not COUNT columns as the first line has; it is the last one: the file is cut off"),
    "byte-order mark": (lambda t, c: "\ufeff" + t, OK, "72 bars of 3600 s"),
    "wrong symbol": (None, BAD_INPUT, "is by its name of another symbol than the other files, BTCUSDT"),
    "empty": (lambda t, c: "", BAD_INPUT, "is empty; the first line has to name the columns"),
}  # fmt: skip


class Kline:
    """Places of columns, and their names."""

    file, separator, volume, close, high, open, count = "klines.csv", ",", 5, 4, 2, 1, 12
    names: ClassVar = {"TIME": "column 1 (open_time)", "CLOSE": "column 5 (close)", "HIGH": "column 3 (high)"}
    words, last = (), 72


class Header(Kline):
    file, last = "klines_header.csv", 73
    names: ClassVar = {"TIME": "open_time", "CLOSE": "close", "HIGH": "high"}


class Ohlcv(Header):
    file, count = "ohlcv.csv", 6
    names: ClassVar = {"TIME": "timestamp", "CLOSE": "close", "HIGH": "high"}


class Semicolons(Ohlcv):
    file, separator = "semicolons.csv", ";"
    names: ClassVar = {"TIME": "Datum", "CLOSE": "Schluss", "HIGH": "Hoch"}
    words = (
        "--day-first",
        "--columns",
        "time=Datum",
        "open=Eroeffnung",
        "high=Hoch",
        "low=Tief",
        "close=Schluss",
        "volume=Umsatz",
    )


def said_of(capsys, command, code, words, file):
    """The outcome, with words in one line that names the file, without ever repeating more than a line of it."""
    assert main(command) == code, capsys.readouterr()
    out, err = capsys.readouterr()
    pattern = ".*".join(re.escape(part) for part in words.split("VALUE"))
    lines = [line for line in (err if code else out).splitlines() if re.search(pattern, line)]
    assert lines, (words, out, err)
    assert str(file) in lines[0]
    assert all(len(line) < 600 for line in (err + out).splitlines())
    assert "Traceback" not in err


@pytest.mark.parametrize("fault", BARS)
@pytest.mark.parametrize("kind", [Kline, Header, Ohlcv, Semicolons])
def test_bars(kind, fault, tmp_path, capsys):
    spoil, code, words = BARS[fault]
    for name, own in kind.names.items():
        words = words.replace(name, own)
    words = words.replace("LAST", str(kind.last)).replace("COUNT", str(kind.count))
    if kind is Kline and "as the first line has;" in words:
        words = words.replace("as the first line has;", "as the first line has, which is data;")
    text = (FILES / kind.file).read_text()
    if spoil is None:
        path = tmp_path / "prices"
        path.mkdir()
        for name in ("BTCUSDT-1h-1.csv", "BTCUSDT-1h-2.csv", "ETHUSDT-1h-1.csv"):
            (path / name).write_text(text)
    else:
        path = tmp_path / "prices.csv"
        path.write_text(spoil(text, kind), encoding="utf-8")
    said_of(capsys, ["import", "prices", str(path), *kind.words], code, words, path)
    if code == BAD_INPUT:
        said_of(capsys, calibrating(tmp_path, *kind.words, prices=path), code, words, path)


def zipped(path, text):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("prices.csv", text)


def typed(text):
    """Columns of numbers, or of text where one cell is."""
    return pyarrow.csv.read_csv(BytesIO(text.removeprefix("\ufeff").encode()))


def number(cell):
    return float(cell) if re.fullmatch(r"-?[\d.]+", cell) else cell


def rows(path, text):
    """As an exchange's library hands them over: lists without names."""
    path.write_text(json.dumps([[number(cell) for cell in line.split(",")] for line in text.splitlines()[1:]]))


STORED = {
    "zip": (zipped, Kline),
    "parquet": (lambda path, text: pyarrow.parquet.write_table(typed(text), path), Header),
    "feather": (lambda path, text: pyarrow.feather.write_feather(typed(text), path), Ohlcv),
    "json": (rows, Ohlcv),
}
CUT = {
    "zip": "is not a whole zip archive",
    "parquet": "is not a readable Parquet file",
    "feather": "is not a readable Feather file",
    "json": "is not valid JSON",
}


@pytest.mark.parametrize("fault", [name for name, (spoil, *_) in BARS.items() if spoil is not None])
@pytest.mark.parametrize("form", STORED)
def test_bars_that_are_not_text(form, fault, tmp_path, capsys):
    """The same faults in tables that are stored otherwise, which have rows in place of lines; cut off is cut off anywhere."""
    (write, kind), (spoil, code, words), path = STORED[form], BARS[fault], tmp_path / f"prices.{form}"
    text = (FILES / kind.file).read_text()
    if fault == "empty":
        path.write_bytes(b"")
        words = "is empty"
    elif fault == "truncated last line":
        write(path, text)
        path.write_bytes(path.read_bytes()[:-100])
        words = CUT[form]
    else:
        write(path, spoil(text, kind))
    for name, own in kind.names.items():
        words = words.replace(name, own)
    if form != "zip":
        words = re.sub(r"line (\d+)", lambda found: f"row {int(found[1]) - 1}", words)
    said_of(capsys, ["import", "prices", str(path)], code, words, path)
    if code == BAD_INPUT:
        said_of(capsys, calibrating(tmp_path, prices=path), code, words, path)


def calibrating(folder, *words, **files):
    """`jaxrisk calibrate` with some files in place of good ones; what it refuses it refuses before anything is fitted."""
    given = {"prices": FILES / "klines.csv"} | files
    options = [part for name, path in given.items() for part in (f"--{name.replace('_', '-')}", str(path))]
    return ["calibrate", *options, *words, "--process", "merton", "--replications", "2", "--out", str(folder / "m.toml")]


METRICS = {
    "gap": (lambda t: edited(t, 20, lambda line: []), OK, "1 gap in times 300 s apart, the longest from 2024-12-30T01:25:00Z"),
    "duplicate": (lambda t: edited(t, 20, lambda line: [line, line]), OK, "1 row that stands twice counted once"),
    "conflict": (lambda t: edited(t, 20, lambda line: [line, *cell(2, "7.0")(line)]), BAD_INPUT,
                 'line 21, create_time = "2024-12-30 01:30:00": has another open interest at the same time in line 20'),
    "zero": (lambda t: edited(t, 20, cell(2, "0")), OK, "1 row of 0 or less left out, the first in line 20"),
    "negative": (lambda t: edited(t, 20, cell(2, "-5")), BAD_INPUT, "line 20, sum_open_interest = -5: has to be at least 0"),
    "no number": (lambda t: edited(t, 20, cell(2, "")), OK, "1 row without a number left out, the first in line 20"),
    "text in a number": (lambda t: edited(t, 20, cell(2, "n.m.")), BAD_INPUT,
                         'line 20, sum_open_interest = "n.m.": has to be a number, or empty'),
    "unit changed half-way": (lambda t: half(t, [2], 9e4), BAD_INPUT,
                              "line 31, sum_open_interest = VALUE: open interest jumps by VALUE:1 there, and stays"),
    "truncated last line": (lambda t: t.rstrip("\n").rpartition(",")[0], BAD_INPUT, "line 61 has not 8 columns"),
    "byte-order mark": (lambda t: "\ufeff" + t, OK, "60 rows, 2024-12-30T00:00:00Z to 2024-12-30T04:55:00Z"),
    "wrong symbol": (lambda t: edited(t, 20, cell(1, "ETHUSDT")), BAD_INPUT,
                     'line 20, symbol = "ETHUSDT": is another symbol than that of line 2, BTCUSDT'),
    "empty": (lambda t: "", BAD_INPUT, "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("fault", METRICS)
def test_metrics(fault, tmp_path, capsys):
    spoil, code, words = METRICS[fault]
    path = tmp_path / "metrics.csv"
    path.write_text(spoil((FILES / "metrics.csv").read_text()), encoding="utf-8")
    said_of(capsys, ["import", "open-interest", str(path)], code, words, path)
    if code == BAD_INPUT:
        said_of(capsys, calibrating(tmp_path, open_interest=path), code, words, path)


class Binance:
    file, symbol = "leverageBracket.json", "BTCUSDT"
    floor, rate, lever, place = '"notionalFloor": 50000', '"maintMarginRatio": 0.005', '"initialLeverage": 100', "[0].brackets[1]"
    names = ("notionalFloor", "maintMarginRatio", "initialLeverage")
    amounts = True


class Bybit:
    file, symbol = "risk-limit.json", "BTCUSDT"
    floor, rate, lever, place = (
        '"riskLimitValue": "2000000"',
        '"maintenanceMargin": "0.0056"',
        '"maxLeverage": "90.00"',
        "result.list[1]",
    )
    names = ("floor_usd", "maintenanceMargin", "maxLeverage")


class Okx:
    file, symbol = "position-tiers.json", "BTC-USDT"
    floor, rate, lever, place = '"minSz": "1001"', '"mmr": "0.005"', '"maxLever": "75"', "data[1]"
    names = ("minSz", "mmr", "maxLever")


class Hyperliquid:
    file, symbol = "meta.json", "BTC"
    floor, rate, lever, place = '"lowerBound": "150000000.0"', None, '"maxLeverage": 20', "marginTables[0][1].marginTiers[1]"
    names = ("lowerBound", "maintenance_rate", "maxLeverage")


class Ccxt:
    file, symbol = "ccxt_tiers.json", "BTC/USDT:USDT"
    floor, rate, lever, place = (
        '"minNotional": 50000.0',
        '"maintenanceMarginRate": 0.005',
        '"maxLeverage": 100.0',
        '["BTC/USDT:USDT"][1]',
    )
    names = ("minNotional", "maintenanceMarginRate", "maxLeverage")


def set_to(text, pair, value):
    """The first of such keys with another value."""
    assert pair in text, pair
    return text.replace(pair, f"{pair.partition(':')[0]}: {value}", 1)


TIERS = {
    "gap": (lambda t, k: set_to(t, *first_floor(k)), "has to be 0 in the first tier; below it there would be none"),
    "duplicate": (lambda t, k: set_to(t, k.floor, "0" if k is not Bybit else '"2600000"'), "duplicate: a tier with this floor"),
    "conflict": (lambda t, k: set_to(t, k.lever, "1000"), "PLACE.LEVER = 1000.0: has to be at most that of the tier before"),
    "zero": (lambda t, k: set_to(t, k.rate or k.lever, "0"), "PLACE.ZERO = 0"),
    "negative": (lambda t, k: set_to(t, k.rate or k.lever, "-0.5"), "PLACE.ZERO = -0.5"),
    "high below low": (lambda t, k: set_to(t, k.rate or k.lever, "0.9"), "PLACE.ZERO = 0.9"),
    "text in a number": (lambda t, k: set_to(t, k.rate or k.lever, '"n.m."'), 'PLACE.ZERO = "n.m."'),
    "unit changed half-way": (lambda t, k: set_to(t, k.floor, thousandfold(k.floor)), "UNIT"),
    "truncated last line": (lambda t, k: t[: len(t) // 2], "is not valid JSON"),
    "byte-order mark": (lambda t, k: "\ufeff" + t, None),
    "wrong symbol": (lambda t, k: t, 'command line: --symbol = "XRP": has no tiers of it; there are'),
    "empty": (lambda t, k: "", "is empty"),
}  # fmt: skip


def thousandfold(pair):
    """What stands behind a key, times a thousand, as text where it is text."""
    value = pair.partition(": ")[2]
    number = f"{1000 * float(value.strip(chr(34))):.12g}"
    return f'"{number}"' if value.startswith('"') else number


UNITS = {
    Binance: "notionalFloor = 50000000.0: has to be where the tier before ends, 20000000: a tier is missing, or one is wrong",
    Bybit: "isLowestRisk = 0: the lowest tier of BTCUSDT is missing",
    Okx: "minSz = 1001000.0: has to be where the tier before ends, 1000: a tier is missing, or one is wrong",
    Ccxt: "minNotional = 50000000.0: has to be where the tier before ends, 50000: a tier is missing, or one is wrong",
}


def first_floor(kind):
    """The first tier's floor, and another."""
    return {Binance: ('"notionalFloor": 0', "100"), Okx: ('"minSz": "0"', '"5"'), Hyperliquid: ('"lowerBound": "0.0"', '"5.0"'),
            Ccxt: ('"minNotional": 0.0', "5.0")}[kind]  # fmt: skip


@pytest.mark.parametrize("fault", TIERS)
@pytest.mark.parametrize("kind", [Binance, Bybit, Okx, Hyperliquid, Ccxt])
def test_tiers(kind, fault, tmp_path, capsys):
    """By the place in the document, and its own word for the number."""
    if kind is Bybit and fault == "gap":
        pytest.skip("floors are the caps before: the first is 0 by its form")
    if kind is Hyperliquid and fault == "unit changed half-way":
        pytest.skip("floors alone are published: nothing tells where a tier has to begin")
    spoil, words = TIERS[fault]
    words = UNITS.get(kind) if words == "UNIT" else words
    path = tmp_path / kind.file
    path.write_text(spoil((FILES / kind.file).read_text(), kind), encoding="utf-8")
    symbol = "XRP" if fault == "wrong symbol" else kind.symbol
    more = ["--price", "60000"] if kind is Okx else []
    command = ["import", "tiers", str(path), "--symbol", symbol, *more]
    if words is None:
        said_of(capsys, command, OK, "read as: ", path)
        return
    zero = kind.names[1] if kind.rate else kind.names[2]
    words = words.replace("PLACE", kind.place).replace("LEVER", kind.names[2]).replace("ZERO", zero)
    for one in [command] if fault == "wrong symbol" else [command, calibrating(tmp_path, tiers=path)]:
        assert main(one) == BAD_INPUT
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err, err
        assert fault == "wrong symbol" or all(line.startswith(str(path)) for line in err.splitlines())
        assert all(len(line) < 600 for line in err.splitlines())
    if fault == "wrong symbol":
        path.write_text(spoil((FILES / kind.file).read_text(), kind).replace("BTC", "XRP"), encoding="utf-8")
        said_of(
            capsys,
            calibrating(tmp_path, tiers=path),
            BAD_INPUT,
            f"{path.name}: venues.binance.tiersVALUE: has no tiers for BTC",
            path,
        )


ACCOUNTS = {
    "gap": (lambda t: edited(t, 3, cell(3, "")), OK, "3 rows without a size left out"),
    "duplicate": (lambda t: edited(t, 3, lambda line: [line, line]), OK, "1 row stands in the file a second time"),
    "conflict": (lambda t: edited(t, 3, lambda line: [line, *cell(5, "66001")(line)]), BAD_INPUT,
                 'line 4, wallet = "0xA": has the same asset and side in line 3'),
    "zero": (lambda t: t, OK, "2 rows without a size left out"),
    "negative": (lambda t: edited(t, 2, cell(5, "-5")), BAD_INPUT, "line 2, positionValue = -5: has to be at least 0"),
    "side against its sign": (lambda t: edited(t, 3, cell(2, "buy")), BAD_INPUT,
                              "line 3, szi = -20: is below 0, and the side is long"),
    "no side": (lambda t: edited(t, 2, cell(2, "up")), BAD_INPUT, 'line 2, Direction = "up": unknown side; has to be one of'),
    "text in a number": (lambda t: edited(t, 2, cell(5, "n.m.")), BAD_INPUT, 'line 2, positionValue = "n.m.": has to be a'),
    "two values of an account": (lambda t: edited(t, 3, cell(9, "5")), BAD_INPUT,
                                 "line 3, accountValue = 5: has to be the same in all rows of an account"),
    "truncated last line": (lambda t: t.rstrip("\n").rpartition(",")[0], BAD_INPUT, "line 6 has not 10 columns"),
    "byte-order mark": (lambda t: "\ufeff" + t, OK, "Direction is buy or sell"),
    "empty": (lambda t: "", BAD_INPUT, "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("fault", ACCOUNTS)
def test_accounts(fault, tmp_path, capsys):
    from jaxrisk.config import ConfigError
    from jaxrisk.holdings.account_file import read_accounts

    spoil, code, words = ACCOUNTS[fault]
    path = tmp_path / "positions.csv"
    path.write_text(spoil((FILES / "positions.csv").read_text()), encoding="utf-8")
    if code == OK:
        found = read_accounts(path)
        assert any(words in line for line in (found.read_as, *found.findings))
        return
    with pytest.raises(ConfigError) as error:
        read_accounts(path)
    assert f"{path}: {words}" in str(error.value)
    said_of(capsys, calibrating(tmp_path, accounts=path), code, words, path)


def test_a_conflict_between_two_files_names_both(tmp_path, capsys):
    folder = tmp_path / "months"
    shutil.copytree(FILES / "months", folder)
    file = folder / "BTCUSDT-1h-2025-01.csv"
    file.write_text(edited(file.read_text(), 2, cell(5, "7")))
    words = "line 2, open_time = 1735689600000000: comes twice, with different bars; the other is in line 49 of"
    said_of(capsys, ["import", "prices", str(folder)], BAD_INPUT, words, file)

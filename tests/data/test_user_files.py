"""Files as spreadsheets, editors and downloads leave them: read, or refused in one line that says what to do."""

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.data.price_file import read_price_file
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.problems import ConfigError

FILES = Path(__file__).parent / "files"
PLAIN = (FILES / "plain.csv").read_text()


def refused(path, words, capsys, kind="prices"):
    """By `import` and by `check`, in one line that names the file."""
    for command in (["import", kind, str(path)], ["check", str(path)]):
        assert main(command) == BAD_INPUT, capsys.readouterr()
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{path}: ")
        assert words in line
        assert len(line) < 500


@pytest.mark.parametrize("name", ["prices.csv", "prices.json"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_of_two_bytes_a_letter(name, encoding, tmp_path, capsys):
    """With a mark at its beginning or without, and also where it is JSON."""
    text = PLAIN if name.endswith("csv") else (FILES / "ohlcv.json").read_text()
    (tmp_path / name).write_bytes(text.encode(encoding))
    refused(tmp_path / name, "is UTF-16 text; save it as UTF-8", capsys)


def test_names_of_columns_in_another_encoding(tmp_path, capsys):
    (tmp_path / "p.csv").write_bytes(PLAIN.replace("time", "Zeit für", 1).encode("latin-1"))
    refused(tmp_path / "p.csv", "line 1 is not UTF-8 text; save it as UTF-8", capsys)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_ends_of_lines(end, tmp_path):
    (tmp_path / "p.csv").write_bytes((PLAIN + "\n\n").replace("\n", end).encode())
    assert read_price_file(tmp_path / "p.csv").close.tolist() == read_price_file(FILES / "plain.csv").close.tolist()


@pytest.mark.parametrize(
    "before", ["# of a site\n# on a day\n", "\n# of a site, with, commas, in, it, too, and, more\n\n", "\ufeff# of a site\n"]
)
@pytest.mark.parametrize("header", [True, False])
def test_comments_above_the_names(before, header, tmp_path):
    """They are left out, which is said, with and without a line of names; lines are those of the file."""
    text, name = (PLAIN, "low") if header else ((FILES / "klines.csv").read_text(), "column 4 (low)")
    (tmp_path / "p.csv").write_text(before + text, encoding="utf-8")
    found = read_price_file(tmp_path / "p.csv")
    assert found.close.tolist() == read_price_file(FILES / "plain.csv").close.tolist()
    assert f"{before.count('#')} lines of comment at the top left out" in found.findings[0]
    (tmp_path / "p.csv").write_text(before + text.replace("89878.8", "x", 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_price_file(tmp_path / "p.csv")
    assert f'p.csv: line {before.count(chr(10)) + 1 + header}, {name} = "x"' in str(error.value)


def test_names_of_columns_behind_a_mark(tmp_path):
    """A line that begins with # names the columns where it has a word for each cell below; a comment in words does not."""
    (tmp_path / "p.csv").write_text("# of a site\n#" + PLAIN)
    found = read_price_file(tmp_path / "p.csv")
    assert found.close.tolist() == read_price_file(FILES / "plain.csv").close.tolist()
    assert "1 lines of comment at the top left out" in found.findings[0]
    (tmp_path / "a.csv").write_text("#account,asset,side,notional,account_value\na,BTC,long,1000,500\n")
    assert read_accounts(tmp_path / "a.csv").notional.tolist() == [1000.0]
    rows = "".join(f"2024-08-{day:02d},99,101,98,100,5\n" for day in range(1, 20))
    (tmp_path / "b.csv").write_text("#time,bid,ask,low,mid,volume\n" + rows)
    with pytest.raises(ConfigError, match="close: missing column; the file has time, bid, ask, low, mid, volume"):
        read_price_file(tmp_path / "b.csv")


@pytest.mark.parametrize(("text", "line"), [
    ('# it is 5" long\n' + PLAIN, 3),
    ("".join(f"{row},{'a' if i else 'note'}{chr(34) * (i == 1)}\n" for i, row in enumerate(PLAIN.splitlines())), 2),
    ("".join(f"{row},{'a' if i else 'no' + chr(34)}\n" for i, row in enumerate(PLAIN.splitlines())), 2),
    (PLAIN.replace("\n", "\r"), 2),
    ("# a\r" + PLAIN.replace("\n", "\r"), 3),
], ids=["in a comment", "in a cell", "in a name", "carriage returns", "carriage returns below a comment"])  # fmt: skip
def test_lines_whatever_quotes_and_ends_there_are(text, line, tmp_path):
    (tmp_path / "p.csv").write_bytes(text.replace("89878.8", "x", 1).encode())
    with pytest.raises(ConfigError, match=rf'p\.csv: line {line}, low = "x"'):
        read_price_file(tmp_path / "p.csv")


def test_titles_comments_and_spaces_that_are_in_the_way(tmp_path, capsys):
    path = tmp_path / "p.csv"
    for text, words in (
        (
            "https://a.site/of/prices\n" + PLAIN,
            "line 1 is a title above the names of columns, https://a.site/of/prices: delete it",
        ),
        (PLAIN + "# the end\n", "line 74 is a comment, which may stand above the names of columns only: # the end"),
        (PLAIN + "\n   \n", "line 75 has spaces and nothing else: delete it"),
    ):
        path.write_text(text)
        refused(path, words, capsys)


@pytest.mark.parametrize("number", ['"60,000.5"', '"1,060,000"', "60\u2009000.5", "60'000.5"])
def test_thousands_between_commas(number, tmp_path, capsys):
    """Also in quotes they are no numbers; what to write is said."""
    rows = [f"2024-08-01T{hour:02d}:00:00Z,{number}" for hour in range(9)]
    (tmp_path / "p.csv").write_text("\n".join(["time,close", *rows]), encoding="utf-8")
    refused(tmp_path / "p.csv", "line 2, close = ", capsys)
    (tmp_path / "p.csv").write_text("\n".join(["time,close", *rows]), encoding="utf-8")
    refused(tmp_path / "p.csv", "write numbers without anything between thousands", capsys)


def test_names_that_say_something_else_than_the_file(tmp_path, capsys):
    """What a file is, its first bytes tell; a name that promises gzip or Parquet is believed, and refused where it is not so."""
    shutil.copy(FILES / "bars.parquet", tmp_path / "parquet.csv")
    shutil.copy(FILES / "klines.zip", tmp_path / "zip.csv")
    (tmp_path / "gzip.csv").write_bytes(gzip.compress((FILES / "klines.csv").read_bytes()))
    close = read_price_file(FILES / "plain.csv").close.tolist()
    for name in ("parquet.csv", "zip.csv", "gzip.csv"):
        assert read_price_file(tmp_path / name).close.tolist() == close
    shutil.copy(FILES / "plain.csv", tmp_path / "plain.csv.gz")
    refused(tmp_path / "plain.csv.gz", "is not a gzip file", capsys)
    shutil.copy(FILES / "plain.csv", tmp_path / "plain.parquet")
    refused(tmp_path / "plain.parquet", "is not a readable Parquet file", capsys)


def test_nothing_where_a_file_should_be(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    refused(tmp_path / "empty.zip", "is an archive without a table in it; it has nothing", capsys)
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "is a folder; a file is needed, or a folder of files that end in", capsys)
    for kind in ("tiers", "prices", "open-interest", "funding", "accounts"):
        for name in (tmp_path / "folder", "no/such.csv", "no/*.csv", "x" * 5000 + ".csv"):
            assert main(["import", kind, str(name)]) == BAD_INPUT
            said = capsys.readouterr().err
            assert "Traceback" not in said
            assert len(said.splitlines()) == 1
            assert len(said) < 500


def parquet(path, **columns):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table(columns), path)
    return path


def hours(kind):
    import datetime

    import pyarrow as pa

    return pa.array([datetime.datetime(2024, 12, 30, tzinfo=datetime.UTC) + datetime.timedelta(hours=i) for i in range(24)], kind)


def test_columns_of_parquet_of_every_type(tmp_path, capsys):
    """Decimals, dictionaries, times of a zone; words and truths are no prices; two columns of one name are refused."""
    from decimal import Decimal

    import pyarrow as pa

    closes, times = [60000.5 + i for i in range(24)], hours(pa.timestamp("us", "Europe/Berlin"))
    for cells in (pa.array([Decimal(str(close)) for close in closes]), pa.array(list(map(str, closes))).dictionary_encode(),
                  pa.array(closes, pa.float32()), list(map(str, closes))):  # fmt: skip
        path = parquet(tmp_path / "p.parquet", time=times, close=cells, symbol=pa.array(["BTCUSDT"] * 24).dictionary_encode())
        found = read_price_file(path)
        assert found.close.tolist() == closes
        assert found.time[0] == np.datetime64("2024-12-30T00:00:00")
        assert main(["check", str(path)]) == OK, capsys.readouterr()
    refused(parquet(tmp_path / "p.parquet", time=times, close=[True] * 24), "row 1, close = true: ", capsys)
    refused(parquet(tmp_path / "p.parquet", time=times, close=[{"x": 1.0}] * 24), "row 1, close = {x = 1.0}: ", capsys)
    table = pa.Table.from_arrays([times, pa.array(closes), pa.array(closes)], names=["time", "close", "close"])
    pa.parquet.write_table(table, tmp_path / "p.parquet")
    refused(tmp_path / "p.parquet", "names the column close twice", capsys)
    symbols = ["BTCUSDT"] * 20 + ["ETHUSDT"] * 4
    path = parquet(tmp_path / "p.parquet", time=times, close=closes, symbol=symbols)
    refused(path, 'row 21, symbol = "ETHUSDT": is another symbol than that of row 1, BTCUSDT', capsys)


def test_truths_of_json_are_no_numbers(tmp_path, capsys):
    import json

    rows = [{"time": 1735516800 + 3600 * i, "close": True if i == 3 else 60000 + i} for i in range(9)]
    (tmp_path / "p.json").write_text(json.dumps(rows))
    refused(tmp_path / "p.json", "row 4, close = true: ", capsys)


OTHERS = {
    "book.xlsx": (None, "this is an Excel workbook: save the sheet as CSV"),
    "book.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "this is an Excel workbook: save the sheet as CSV"),
    "p.csv.bz2": (b"BZh91AY&SY", "is packed by bzip2: unpack it, or pack it as gzip or zip"),
    "p.csv.xz": (b"\xfd7zXZ\x00", "is packed by xz: unpack it"),
    "p.csv.zst": (b"\x28\xb5\x2f\xfd\x04", "is packed by zstd: unpack it"),
    "p.7z": (b"7z\xbc\xaf\x27\x1c", "is packed by 7z: unpack it"),
    "p.pdf": (b"%PDF-1.7\n%\xe2\xe3", "this is a PDF, not a table: save the table as CSV"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_not_read(name, tmp_path, capsys):
    """What they are, and what to do; also under the name of a table."""
    content, words = OTHERS[name]
    for path in (tmp_path / name, tmp_path / "p.csv"):
        if content is None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("xl/workbook.xml", "<workbook/>")
        else:
            path.write_bytes(content)
        refused(path, words, capsys)


KINDS = {
    "prices": ("klines.csv", "klines_header.csv", "ohlcv.json"),
    "open interest": ("metrics.csv",),
    "funding": ("funding.csv", "fundingRate.json"),
    "tiers": ("leverageBracket.json", "ccxt_tiers.csv"),
    "accounts": ("clearinghouse.json", "positions.csv"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind(kind, capsys):
    """What it looks like, in every line."""
    for other, names in KINDS.items():
        for name in names if other != kind else ():
            assert main(["import", kind.replace(" ", "-"), str(FILES / name)]) == BAD_INPUT
            for said in capsys.readouterr().err.splitlines():
                assert said.startswith(f"{FILES / name}: "), said
                assert f"looks like {other}" in said or "as prices are" in said, said
                assert len(said) < 500

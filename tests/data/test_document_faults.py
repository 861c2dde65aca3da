"""Twelve kinds of fault in documents of accounts and in tables of tiers, by every command that reads them."""

import copy
import json

import pytest

from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, OK, main

from .test_faults import FILES, calibrating, cell, edited, said_of


def changed(address, index, **values):
    """A change of one position of an account."""

    def change(states):
        states[address]["assetPositions"][index]["position"] |= values

    return change


def again(**values):
    """The first position once more, with some values changed."""

    def change(states):
        one = copy.deepcopy(states["0xa1"]["assetPositions"][0])
        one["position"] |= values
        states["0xa1"]["assetPositions"].append(one)

    return change


AT = "0xa1.assetPositions[0], "
STATES = {
    "gap": (changed("0xa1", 0, szi=None), OK, "2 rows without a size left out"),
    "no value": (changed("0xa1", 0, positionValue=None), BAD_INPUT,
                 AT + "positionValue: missing; has to be a finite number"),
    "duplicate": (again(), OK,
                  "1 row stands in the file a second time and counts once, the first in 0xa1.assetPositions[2]"),
    "conflict": (again(positionValue="136000"), BAD_INPUT,
                 "0xa1.assetPositions[2], account = \"0xa1\": has the same asset and side "
                 "in 0xa1.assetPositions[0], and differs from it in positionValue"),
    "zero": (changed("0xa1", 0, positionValue="0"), BAD_INPUT,
             AT + "positionValue = 0: has to be above 0 (USD) where there is a"),
    "negative": (changed("0xa1", 0, entryPx="-5"), BAD_INPUT,
                 AT + "entryPx = -5: has to be above 0 (USD a coin)"),
    "worth what it cannot be": (changed("0xa1", 0, positionValue="7"), BAD_INPUT,
                 AT + "positionValue = 7: is 5.19e-05 times what "
                                "size, entry price and profit of the row make: is one in another unit?"),
    "text in a number": (changed("0xa1", 0, szi="n.m."), BAD_INPUT,
                         AT + "szi = \"n.m.\": has to be a finite number"),
    "unit changed half-way": (changed("0xb2", 0, positionValue="45000000"), BAD_INPUT,
                              "0xb2.assetPositions[0], positionValue = 45000000: is 1e+03 times what size, entry price"),
    "wrong symbol": (lambda states: None, OK, "3 positions with account"),
    "truncated": (None, BAD_INPUT, "is not valid JSON"),
    "byte-order mark": (lambda states: None, OK, "read as: clearinghouseState"),
    "empty": ("", BAD_INPUT, "is empty"),
}  # fmt: skip
"""High below low is a position that is worth what it cannot be."""


@pytest.mark.parametrize("fault", STATES)
def test_states(fault, tmp_path, capsys):
    """By account and place in the document, and its own word for the number."""
    change, code, words = STATES[fault]
    path, text = tmp_path / "states.json", (FILES / "clearinghouse.json").read_text()
    states = json.loads(text)
    if callable(change):
        change(states)
    text = json.dumps(states) if callable(change) else "" if change == "" else text[: len(text) // 2]
    path.write_text("\ufeff" * (fault == "byte-order mark") + text, encoding="utf-8")
    check_accounts(path, code, words, tmp_path, capsys)


def check_accounts(path, code, words, folder, capsys):
    """`import` and, where it is refused, `check` and `calibrate` too; `check` takes what is read."""
    said_of(capsys, ["import", "accounts", str(path)], code, words, path)
    if code == BAD_INPUT:
        said_of(capsys, calibrating(folder, accounts=path), code, words, path)
        said_of(capsys, ["check", str(path)], code, words, path)
    else:
        assert main(["check", str(path)]) == OK, capsys.readouterr()
        said = capsys.readouterr().out
        assert words in said or "positions with" in words


def row(index, **values):
    return lambda rows: rows[index].update(values)


POSITIONS = {
    "gap": (row(0, contracts=None), OK, "2 rows without a size left out"),
    "duplicate": (lambda rows: rows.append(dict(rows[0])), OK,
                  "1 row stands in the file a second time and counts once, the first in "
                  "row 4"),
    "conflict": (lambda rows: rows.append(rows[0] | {"notional": 136000.0}), BAD_INPUT,
                 "row 4, account = VALUE: has the same asset "
                 "and side in row 1, and differs from it in notional"),
    "zero": (row(0, entryPrice=0), BAD_INPUT, "row 1, entryPrice = 0: has to be above 0 (USD a coin)"),
    "negative": (row(0, notional=-5.0), BAD_INPUT, "row 1, notional = -5: has to be at least 0"),
    "worth what it cannot be": (row(0, notional=7.0), BAD_INPUT,
                                "row 1, notional = 7: is 5.19e-05 times what size, entry price"),
    "text in a number": (row(0, contracts="n.m."), BAD_INPUT, "row 1, contracts = \"n.m.\": has to be a finite number"),
    "text in a margin": (row(0, collateral="n.m."), BAD_INPUT, "row 1, collateral = \"n.m.\": has to be a finite number"),
    "unit changed half-way": (row(2, contracts=200000.0), BAD_INPUT, "row 3, notional = 66000: is 0.000971 times what size"),
    "wrong symbol": (row(0, symbol="BTC/EUR:EUR"), BAD_INPUT,
                     "row 1, symbol = \"BTC/EUR:EUR\": is settled in another currency than dollars and its coin"),
    "truncated": (None, BAD_INPUT, "is not valid JSON"),
    "byte-order mark": (lambda rows: None, OK, "contracts times contractSize"),
    "empty": (lambda rows: rows.clear(), BAD_INPUT, "has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("fault", POSITIONS)
def test_positions(fault, tmp_path, capsys):
    """Of ccxt, by the place in the list."""
    change, code, words = POSITIONS[fault]
    path, text = tmp_path / "positions.json", (FILES / "fetch_positions.json").read_text()
    rows = json.loads(text)
    if change is not None:
        change(rows)
        text = json.dumps(rows)
    path.write_text("\ufeff" * (fault == "byte-order mark") + (text if change else text[: len(text) // 2]), encoding="utf-8")
    check_accounts(path, code, words, tmp_path, capsys)


def half_in(column, factor):
    def spoil(text):
        for number in (4, 5, 6):
            text = edited(text, number, cell(column, lambda one: f"{float(one) * factor:g}"))
        return text

    return spoil


TIERS = {
    "gap": (lambda t: edited(t, 3, lambda line: []),
            "line 3.minNotional = 250000.0: has to be where the tier before ends, 50000"),
    "no lowest tier": (lambda t: edited(t, 2, lambda line: []),
                       "line 2.minNotional = 50000.0: has to be 0 in the first tier"),
    "duplicate": (lambda t: edited(t, 3, lambda line: [line, line]), "line 4.minNotional = 50000.0: duplicate: a tier with this"),
    "conflict": (lambda t: edited(t, 3, lambda line: [line, *cell(5, "0.006")(line)]), "line 4.minNotional = 50000.0: duplicate"),
    "zero": (lambda t: edited(t, 3, cell(5, "0")), "line 3.maintenanceMarginRate = 0.0: has to be a number above 0 and below 1"),
    "negative": (lambda t: edited(t, 3, cell(5, "-0.005")), "line 3.maintenanceMarginRate = -0.005: has to be a number above 0"),
    "cap below floor": (lambda t: edited(t, 6, cell(4, "1000")),
                        "line 6.maxNotional = 1000.0: has to be above where the tier begins"),
    "text in a number": (lambda t: edited(t, 3, cell(5, "n.m.")), "line 3, maintenanceMarginRate = \"n.m.\": has to be a number"),
    "unit changed half-way": (half_in(3, 1000.0),
                              "line 4.minNotional = 250000000.0: has to be where the tier before ends, 250000"),
    "rates in percent half-way": (half_in(5, 100.0),
                                  "line 4.maintenanceMarginRate = 1.0: has to be a number above 0 and below 1"),
    "truncated": (lambda t: t.rstrip("\n").rpartition(",")[0],
                  "line 6 has not 7 columns as the first line has; it is the last one"),
    "byte-order mark": (lambda t: "\ufeff" + t, None),
    "empty": (lambda t: "", "is empty; the first line has to name the columns"),
}  # fmt: skip
"""High below low is a cap below its floor."""


@pytest.mark.parametrize("fault", TIERS)
def test_tables_of_tiers(fault, tmp_path, capsys):
    """Of ccxt as CSV, by line and column; the rule is the user's to say."""
    spoil, words = TIERS[fault]
    path = tmp_path / "tiers.csv"
    path.write_text(spoil((FILES / "ccxt_tiers.csv").read_text()), encoding="utf-8")
    command = ["import", "tiers", str(path), "--symbol", "BTC", "--tier-rule", "marginal"]
    if words is None:
        said_of(capsys, command, OK, "read as: asset is symbol", path)
        return
    said_of(capsys, command, BAD_INPUT, words, path)
    said_of(capsys, ["check", str(path)], BAD_INPUT, words, path)
    said_of(capsys, calibrating(tmp_path, "--set", "venues.binance.tier_rule=marginal", tiers=path), BAD_INPUT, words, path)


def test_tiers_of_another_coin(tmp_path, capsys):
    path = tmp_path / "tiers.csv"
    path.write_text((FILES / "ccxt_tiers.csv").read_text().replace("BTC", "XRP"))
    assert main(["import", "tiers", str(path), "--symbol", "BTC", "--tier-rule", "marginal"]) == BAD_INPUT
    assert "has no tiers of it; there are XRP/USDT:USDT" in capsys.readouterr().err
    command = calibrating(tmp_path, "--set", "venues.binance.tier_rule=marginal", tiers=path)
    said_of(capsys, command, BAD_INPUT, "has no tiers for BTC, which is traded there; VALUE has XRP/USDT:USDT", path)


LEFT = [
    # prices, open interest, accounts: a fault of each that is read all the same, by what is said of it
    (lambda t: edited(t, 20, lambda line: []), "1 gap, 1 bar missing",
     lambda t: edited(t, 20, lambda line: []), "1 gap in times 300 s",
     lambda t: t, "2 rows without a size left out"),
    (lambda t: edited(t, 20, lambda line: [line, line]), "1 row repeats the row before", lambda t: edited(t, 20, cell(2, "0")),
     "1 row of 0 or less left out", lambda t: edited(t, 3, lambda line: [line, line]), "1 row stands in the file a second time"),
    (lambda t: "\ufeff" + t, "klines without header", lambda t: "\ufeff" + edited(t, 20, cell(2, "")),
     "1 row without a number left out", lambda t: "\ufeff" + t.replace(",BTC,", ",XBTC,"),
     "the file of accounts has no BTC: it has XBTC, ETH"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", range(len(LEFT)))
def test_what_is_read_all_the_same_is_said_by_calibrate(case, tmp_path, capsys):
    """A scenario is written; three days of prices tell no law, which is exit code 5."""
    files = {}
    for name, file, spoil in zip(("prices", "open_interest", "accounts"), ("klines.csv", "metrics.csv", "positions.csv"),
                                 LEFT[case][::2], strict=True):  # fmt: skip
        files[name] = tmp_path / file
        files[name].write_text(spoil((FILES / file).read_text()), encoding="utf-8")
    assert main(calibrating(tmp_path, **files)) == NOT_IDENTIFIED
    out, err = capsys.readouterr()
    said = " ".join((out + err).split())
    for words in LEFT[case][1::2]:
        assert words in said, said
    assert (tmp_path / "m.toml").exists()

"""What the command line does with files: copies of what ships, checks of every kind, and paths that are none."""

from pathlib import Path

import pytest

import jaxrisk
from jaxrisk.cli import BAD_INPUT, OK, main
from jaxrisk.paths import names, shipped

LONG = "a" * 100_000


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, made the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_every_scenario_can_be_copied_and_the_copy_is_sound(here, capsys):
    for name in names("scenarios"):
        assert main(["init", name, "--out", f"{name}/mine.toml"]) == OK
        assert jaxrisk.check(f"{name}/mine.toml") == []
        assert f"{name}/mine.toml: copied from the shipped scenario {name}" in capsys.readouterr().out
    assert listed(here / "cross_margin_24h") == ["cross_400_collateral.csv", "cross_400_positions.csv", "mine.toml"]
    # comments stay, and what is run is the same but for the places of tables
    text, ours = (shipped() / "scenarios/cross_margin_24h.toml").read_text(), Path("cross_margin_24h/mine.toml").read_text()
    assert ours == text.replace('"../accounts/', '"')


def test_a_copy_overwrites_nothing(here, capsys):
    assert main(["init", "cross_margin_24h", "--out", "mine.toml"]) == OK
    kept = {name: (here / name).read_text() for name in listed(here)}
    assert main(["init", "cross_margin_24h", "--out", "mine.toml"]) == BAD_INPUT
    assert capsys.readouterr().err == "mine.toml: exists already, and nothing is overwritten; choose another --out\n"
    assert main(["init", "cross_margin_24h", "--out", "second.toml"]) == OK  # the tables are there, and the same
    (here / "cross_400_positions.csv").write_text("mine\n")
    assert main(["init", "cross_margin_24h", "--out", "third.toml"]) == BAD_INPUT
    assert "cross_400_positions.csv: exists already" in capsys.readouterr().err
    (here / "link.toml").symlink_to(here / "nowhere.toml")
    assert main(["init", "btc_24h", "--out", "link.toml"]) == BAD_INPUT
    assert listed(here) == ["cross_400_collateral.csv", "cross_400_positions.csv", "mine.toml", "second.toml"]
    assert (here / "mine.toml").read_text() == kept["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["NAME: missing"]),
        (["btc"], ["NAME", "scenarios: btc_24h", 'did you mean "btc_24h"?']),
        (["configs/scenarios/btc_24h.toml"], ['did you mean "btc_24h"?']),
        (["btc_24h", "--out", "mine.txt"], ["--out", "has to end in .toml"]),
        (["btc_24h", "--out", f"{LONG}.toml"], ["cannot be written"]),
        (["btc_24h", "--uot", "x.toml"], ['did you mean "--out"?']),
    ],
)
def test_what_cannot_be_copied_is_said(here, capsys, arguments, words):
    assert main(["init", *arguments]) == BAD_INPUT
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert all(word in err for word in words)
    assert listed(here) == []


def test_venues_limits_and_events_are_copied_too(here, capsys):
    for name in ("binance", "eu_retail_cfd", "2024-08-05", "unwinds"):
        assert main(["init", name]) == OK
        assert main(["check", f"{name}.toml"]) == OK
    assert "shipped venue binance" in capsys.readouterr().out


def test_everything_that_ships_is_checked_by_path_and_by_name(capsys):
    files = sorted(str(path) for path in shipped().rglob("*") if path.is_file())
    assert main(["check", *files]) == OK
    assert capsys.readouterr().out.splitlines() == [f"{file}: no problems" for file in files]
    known = [name for kind in ("scenarios", "venues", "limits", "events", "calibrated") for name in names(kind)]
    assert main(["check", *known]) == OK


TABLES = {
    "tiers.csv": ("floor_usd,max_leverage,maintenance_rate\n0,125,0.004\n50000,130,x\n", "line 3, maintenance_rate"),
    "many.csv": ("asset,floor_usd,max_leverage,maintenance_rate\nBTC,0,125,0.004\nETH,5,100,0.005\n", "line 3.floor_usd = 5.0"),
    "near.csv": ("floor_usd,max_leverage,rate\n0,125,0.004\n", "maintenance_rate: missing column"),
    "other.csv": ("x,y\n1,2\n", "is no table that scenarios name; it has the columns x, y"),
    "map.csv": ("price,side,open_interest_usd\n5e4,lomg,1\n", "line 2, side"),
    "share.csv": ("leverage,share\n10,0.5\n20,0.4\n", "share: has to sum to 1"),
    "prices.csv": ("time,close\n0,1\n60,-2\n120,3\n", "line 3, close = -2"),
    "times.csv": ("time,close\n0,1\n60,2\n60,3\n", "line 4, time"),
    "impact.csv": ("volume_usd,log_move\n1,0.1\n0.5,0.2\n", "volume_usd = 0.5: has to rise"),
    "accounts.csv": ("venue,asset,side,quantity,entry_price\nb,BTC,long,1,2\n", "collateral: missing column"),
    "cross.csv": ("account,asset,side,quantity,entry_price\n,BTC,long,1,2\n", "line 2, account"),
    "held.csv": ("account,asset,amount\na,BTC,-1\n", "line 2, amount = -1"),
    "none.csv": ("", "is empty"),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_wrong_with_a_table_is_said_without_its_scenario(here, capsys, name):
    text, words = TABLES[name]
    (here / name).write_text(text)
    assert main(["check", name]) == BAD_INPUT
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert words in lines[0]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ('name = "l"\n[[cpas]]\nclass = "retail"\ncap = 2.0\n', 'cpas = [{class = "retail", cap = 2.0}]'),
        ('[wndow]\nstart = 2024-01-01T00:00:00Z\n[prices]\nfile = "x"\nhistory = "y"\n', "wndow = {"),
        ("[[fti]]\nvalues = [1]\n", "fti: unknown key"),
        ("[[tires.BTC]]\nfloor_usd = 0\n", "tires"),
    ],
)
def test_a_misspelt_key_is_named_first_and_the_file_is_of_its_kind(here, capsys, text, first):
    (here / "odd.toml").write_text(text)
    assert main(["check", "odd.toml"]) == BAD_INPUT
    lines = capsys.readouterr().err.splitlines()
    assert first in lines[0]
    assert not any("at least one population" in line for line in lines)  # it is not taken for a scenario


def test_a_limits_file_given_on_the_command_line_is_seen_from_here(here, capsys):
    (here / "lim.toml").write_text('name = "l"\n[[cpas]]\nclass = "retail"\ncap = 2.0\n')
    assert main(["run", "btc_24h", "--limits.file", "lim.toml"]) == BAD_INPUT
    assert capsys.readouterr().err.startswith("lim.toml: cpas = ")
    (here / "lim.toml").write_text('name = "l"\n[[caps]]\nclass = "retail"\ncap = 2.0\nshare_downsize = 1\n')
    assert jaxrisk.check("btc_24h", {"limits.file": "lim.toml"}) == []


def test_a_path_outside_the_working_copy_suggests_the_name(here, capsys):
    assert main(["run", "configs/scenarios/btc_24h.toml"]) == BAD_INPUT
    assert 'did you mean "btc_24h"?' in capsys.readouterr().err
    assert main(["check", "configs/venues/binance.toml"]) == BAD_INPUT
    assert 'did you mean "binance"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", LONG, f"x/{LONG}.csv"],
        ["run", LONG, "--out", f"{LONG}.nc"],
        ["run", "btc_24h", "--out", LONG],
        ["run", "btc_24h", "--limits.file", LONG],
        ["run", "btc_24h", "--market.process=replay", "--market.file", LONG],
        ["calibrate", "--prices", LONG, "--accounts", LONG, "--open-interest", LONG, "--tiers", LONG, "--base", LONG, "--data",
         LONG, "--out", f"{LONG}.toml", "--report", f"{LONG}.md", "--events", LONG, LONG],
        ["calibrate", "--prices", "x.csv", "--data", ".", "--events", LONG, f"{LONG}.toml"],
        ["backtest", LONG, "--data", LONG, "--parameters", LONG],
        ["backtest", LONG],
        ["parameters", LONG],
    ],
)  # fmt: skip
def test_a_path_of_a_hundred_thousand_characters_is_a_sentence(here, capsys, arguments):
    assert main(arguments) == BAD_INPUT
    lines = capsys.readouterr().err.splitlines()
    assert 0 < len(lines) < 12
    assert all(len(line) < 2_500 and "Errno" not in line and "internal error" not in line for line in lines)
    assert listed(here) == []

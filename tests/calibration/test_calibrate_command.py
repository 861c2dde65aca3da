"""`jaxrisk calibrate` from files to a scenario that runs: origins beside every number, problems by line, exit code 5."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from recorded import DATA

from jaxrisk.calibration.accounts.bias import SPLIT, Bias
from jaxrisk.calibration.accounts.ladder import ladder
from jaxrisk.calibration.document import Entry, written
from jaxrisk.calibration.entries import event_entries
from jaxrisk.calibration.market_facts import median_error
from jaxrisk.calibration.report import markdown
from jaxrisk.calibration.run import calibrate
from jaxrisk.cli import BAD_INPUT, NOT_IDENTIFIED, OK, main
from jaxrisk.config import ConfigError, check, load
from jaxrisk.config.document import read_scenario
from jaxrisk.data.open_interest import read_open_interest
from jaxrisk.data.price_file import read_price_file
from jaxrisk.holdings.account_file import read_accounts
from jaxrisk.toml import comments

PRICES = DATA / "prices" / "btc_perp_1h_2019_2026.csv.gz"
SNAPSHOTS = DATA / "positions" / "perp_accounts_20260208_20260222.csv.gz"
INTEREST = DATA / "open_interest" / "btc_perp_oi_liquidations_1h_202408.csv.gz"
needs_data = pytest.mark.skipif(not PRICES.exists(), reason="the data folder is not beside the project")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bars(path, hours, seed=1, volatility=0.6, moving=0.06):
    """Hourly prices with a variance that comes and goes, and jumps."""
    random = np.random.default_rng(seed)
    log_variance = np.zeros(hours)
    for i in range(1, hours):
        log_variance[i] = 0.995 * log_variance[i - 1] + moving * random.standard_normal()
    sd = volatility / np.sqrt(8760) * np.exp(0.5 * log_variance)
    moves = sd * random.standard_normal(hours)
    moves += np.where(random.random(hours) < 0.01, 0.04 * random.standard_normal(hours), 0.0)
    close = 70000.0 * np.exp(np.cumsum(moves))
    start = np.concatenate([[70000.0], close[:-1]])
    time = np.datetime64("2023-01-01T00:00:00") + np.arange(hours) * np.timedelta64(1, "h")
    lines = ["time,open,high,low,close,volume"]
    volume = 1000.0 * np.exp(0.5 * log_variance)
    for t, o, c, v in zip(time, start, close, volume, strict=True):
        lines.append(f"{t}Z,{o:.2f},{max(o, c):.2f},{min(o, c):.2f},{c:.2f},{v:.3f}")
    Path(path).write_text("\n".join(lines) + "\n")
    return close


def accounts_file(path, count=300, seed=2):
    """Accounts of both classes and sides, all of BTC."""
    random = np.random.default_rng(seed)
    lines = ["account,coin,side,account_value_usd,notional_usd,unrealised_pnl_usd,leverage"]
    for i in range(count):
        value = 10 ** random.uniform(4, 7)
        leverage = min(np.exp(1.2 + 0.7 * random.standard_normal()), 40.0)
        gain = 0.1 * value * random.standard_normal() + 0.05 * value
        lines.append(f"{i},BTC,{'Long' if i % 2 else 'Short'},{value:.2f},{value * leverage:.2f},{gain:.2f},50")
    Path(path).write_text("\n".join(lines) + "\n")


def lines_with_numbers(text):
    """Key lines of a TOML text that hold a number, each with the comment lines above it."""
    above = ""
    for line in text.splitlines():
        if line.startswith("#"):
            above += line
            continue
        code = line.split(" #")[0]
        if re.search(r"= .*\d", code) and not code.startswith(("name", "title", "question", "sources")):
            yield code, above + line[len(code) :]
        above = ""


@pytest.mark.slow
def test_a_scenario_from_files_says_where_every_number_is_from_and_runs(folder, capsys):
    close = bars("p.csv", 24 * 400, moving=0.0)
    accounts_file("a.csv")
    arguments = ["--accounts", "a.csv", "--bias", "winners", "split", "--open-interest", "50000", "--tiers", "bybit"]
    code = main(
        ["calibrate", "--prices", "p.csv", *arguments, "--process", "merton", "--out", "new/mine.toml", "--report", "r.html",
         "--replications", "20", "--set", "run.paths=64", "--run.step=15min"]
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert (code, err) == (OK, "")
    assert out.splitlines()[-2:] == ["scenario: new/mine.toml", "report: r.html"]
    assert check("new/mine.toml") == []
    text = Path("new/mine.toml").read_text()
    document = tomllib.loads(text)
    for code_, comment in lines_with_numbers(text):
        assert re.search(r"MEASURED|FACT|ASSUMPTION|from btc_24h|given on the command line", comment), code_
    assert document["assets"]["BTC"]["price"] == pytest.approx(close[-1], rel=1e-4)
    assert document["venues"]["binance"]["tiers"] == "bybit"
    assert document["market"]["process"] == "merton"
    assert "reversion" not in document["market"]
    assert (document["run"]["paths"], document["run"]["step"]) == (64, "15min")
    longs = [p["open_interest"] for p in document["populations"].values() if p["side"] == "long"]
    assert sum(longs) == pytest.approx(50000 * document["assets"]["BTC"]["price"], rel=1e-4)
    assert document["run"]["support"]["BTC"] == pytest.approx(70000 / 78137.2 * close[-1], rel=1e-3)
    assert "s.e." in text
    assert "uncorrected" in text
    page = Path("r.html").read_text()
    for word in (">Leverage</h2>", ">Ladder</h2>", "Winners:", "Identifiability", "What is still assumed"):
        assert word in page
    assert main(["run", "new/mine.toml", "--out", "r.nc"]) == OK


@pytest.mark.slow
def test_what_cannot_be_told_keeps_the_base_and_has_a_code_of_its_own(capsys):
    bars("p.csv", 72)
    Path("a.csv").write_text("account,asset,side,account_value,notional\na,BTC,long,1e4,5e4\nb,BTC,long,1e4,3e4\n")
    code = main(["calibrate", "--prices", "p.csv", "--accounts", "a.csv", "--out", "m.toml", "--report", "m.md"])
    err = capsys.readouterr().err.splitlines()
    assert code == NOT_IDENTIFIED == 5
    assert err[0].startswith("market (bates): not identified: 71 hourly returns")
    assert any(line.startswith("populations.retail_long.median and log_sd: not identified: 2 accounts") for line in err)
    assert all("kept" in line for line in err)
    assert check("m.toml") == []
    document, base = tomllib.loads(Path("m.toml").read_text()), read_scenario("btc_24h")[1]
    assert document["market"] == base["market"]
    assert document["populations"]["retail_long"]["median"] == base["populations"]["retail_long"]["median"]
    header = Path("m.toml").read_text().split("name =")[0]
    report = Path("m.md").read_text()
    for line in err:
        assert line in header
        assert line in report


def test_a_constant_price_is_not_identified(capsys):
    lines = [f"{np.datetime64('2024-01-01T00', 's') + np.timedelta64(i, 'h')}Z,100" for i in range(2000)]
    Path("p.csv").write_text("time,close\n" + "\n".join(lines) + "\n")
    for process in ("bates", "merton", "garch", "bootstrap"):
        assert main(["calibrate", "--prices", "p.csv", "--process", process, "--out", f"{process}.toml"]) == NOT_IDENTIFIED
        assert "the price does not move" in capsys.readouterr().err
        assert check(f"{process}.toml") == []


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(folder, capsys):
    Path("p.csv").write_text("time,close\n2024-01-01T00:00:00Z,5\n2024-01-01T01:00:00Z,-5\n2024-01-01T02:00:00Z,x\n")
    code = main(
        ["calibrate", "stray", "--process", "batees", "--prices", "p.csv", "--accounts", "none.csv", "--bias", "winer", "split=3",
         "--tiers", "binanse", "--open-interest", "-5", "--out", "x.nc", "--report", "x.pdf", "--replications", "1",
         "--market.volatilty", "0.5", "--set", "x", "--acounts", "y"]
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert (code, out) == (BAD_INPUT, "")
    for part in (
        '--process = "batees"', 'mean "bates"', "line 3, close", "line 4, close", "none.csv", 'mean "winners"',
        "--open-interest", "has to end in .toml", "has to end in .md or .html", "--replications", "market.volatilty",
        "--set x", 'mean "--accounts"', "stray",
    ):  # fmt: skip
        assert part in err, part
    assert "Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["p.csv"]
    assert main(["calibrate", "--prices", "p.csv", "--tiers", "binanse", "--asset", "BTX"]) == BAD_INPUT
    err = capsys.readouterr().err
    assert 'mean "binance"' in err
    assert 'mean "BTC"' in err
    assert main(["calibrate", "--events", "one.toml", "--bias", "none"]) == BAD_INPUT
    err = capsys.readouterr().err
    assert "at least two are needed" in err
    assert "--prices: missing" in err
    assert "needs --accounts" in err
    assert main(["calibrate", "--prices", "p.csv", "--events", "2024-08-06", "--data", "."]) == BAD_INPUT
    err = capsys.readouterr().err
    assert "at least two are needed" in err
    assert 'mean "2024-08-05"' in err
    assert main(["calibrate", "--prices", "p.csv", "--events", "2024-08-05", "2021-05-19", "--data", "."]) == BAD_INPUT
    assert capsys.readouterr().err.count("give its folder with --data") >= 3
    assert main(["calibrate", "--prices", "p.csv", "--data", "."]) == BAD_INPUT
    assert "needs --events" in capsys.readouterr().err
    assert main(["calibrate", "--prices", "p.csv", "--events", "a", "b", "--data", "nowhere"]) == BAD_INPUT
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.slow
@needs_data
def test_the_same_unwind_twice_is_refused(capsys):
    bars("p.csv", 72)
    data = str(PRICES.parents[1])
    assert main(["calibrate", "--prices", "p.csv", "--events", "2024-08-05", "2024-08-05", "--data", data]) == BAD_INPUT
    assert "has the name 2024-08-05, which another event has" in capsys.readouterr().err


@pytest.mark.slow
@needs_data
def test_unwinds_put_impact_into_the_scenario_and_say_what_they_cannot_tell(capsys):
    """Exit code 5, with a file that runs and a report."""
    bars("p.csv", 24 * 60)
    words = ["--events", "2022-11-08", "2024-08-05", "--data", str(PRICES.parents[1]), "--out", "m.toml", "--report", "m.md"]
    assert main(["calibrate", "--prices", "p.csv", *words]) == NOT_IDENTIFIED
    said, text, report = capsys.readouterr(), Path("m.toml").read_text(), Path("m.md").read_text()
    assert "venues.engine_time: not identified: the data do not depend on it; the base's value is kept" in said.err
    assert "most likely on 2 unwinds (2022-11-08, 2024-08-05)" in text
    assert 'engine_time = "10s"' in text
    assert check("m.toml") == []
    assert "Impact adds" in report
    assert "Correlation of the estimates" in report


def test_files_are_not_overwritten_unasked(capsys):
    bars("p.csv", 72)
    Path("m.toml").write_text("mine")
    for force in ([], ["--force"]):
        assert main(["calibrate", "--prices", "p.csv", "--out", "m.toml", *force]) == BAD_INPUT
        assert "m.toml: exists already and is a TOML file that jaxrisk did not write" in capsys.readouterr().err
    Path("m.toml").write_text("# Written by jaxrisk 0 calibrate\nmine")
    assert main(["calibrate", "--prices", "p.csv", "--out", "m.toml"]) == BAD_INPUT
    assert "--force" in capsys.readouterr().err
    assert Path("m.toml").read_text().endswith("mine")


def test_a_bootstrap_brings_its_prices_along():
    bars("p.csv", 24 * 60)
    found = calibrate(read_price_file("p.csv"), "bootstrap", out=Path("b.toml"))
    assert found.write() == []
    assert check("b.toml") == []
    scenario = load("b.toml")
    assert scenario.settings.steps == 24
    assert np.asarray(scenario.market.log_returns).shape == (24 * 60 - 1, 1)


@pytest.mark.slow
def test_one_asset_of_several_leaves_the_others_alone():
    bars("p.csv", 24 * 200)
    found = calibrate(read_price_file("p.csv"), "bates", base="btc_eth_sol_7d", asset="ETH", out=Path("e.toml"))
    base = read_scenario("btc_eth_sol_7d")[1]
    assert any("times that of ETH" in finding for finding in found.findings)
    for key in ("variance", "mean_variance", "jump_rate"):
        new, old = found.document["market"][key], base["market"][key]
        assert {name: new[name] for name in ("BTC", "SOL")} == {name: old[name] for name in ("BTC", "SOL")}
        assert found.identified == (new["ETH"] != old["ETH"])
    assert found.document["impact"]["daily_volume"]["BTC"] == base["impact"]["daily_volume"]["BTC"]
    assert found.write() == []
    other = calibrate(read_price_file("p.csv"), "merton", base="btc_eth_sol_7d", asset="ETH", out=Path("m.toml"))
    assert "have to follow one process" in other.problems[0]
    with pytest.raises(ConfigError, match="has to be one of the assets"):
        calibrate(read_price_file("p.csv"), "bates", base="btc_eth_sol_7d")


@pytest.mark.slow
def test_paths_in_a_base_are_seen_from_the_new_file(folder):
    (folder / "base").mkdir()
    document = (Path(read_scenario("btc_24h")[0])).read_text()
    (folder / "base" / "h.csv").write_text("leverage,share\n5,0.5\n10,0.5\n")
    document = document.replace(
        'kind = "lognormal"\nopen_interest = 1.280e9', 'kind = "histogram"\nfile = "h.csv"\nopen_interest = 1.280e9'
    )
    cut = re.sub(r"median = 8\.43.*\nlog_sd = 0\.796.*\nhigh = 75\.0.*\n", "", document, count=1)
    (folder / "base" / "b.toml").write_text(cut)
    assert check("base/b.toml") == []
    bars("p.csv", 72)
    found = calibrate(read_price_file("p.csv"), base="base/b.toml", out=folder / "new.toml")
    assert found.document["populations"]["retail_long"]["file"] == "base/h.csv"
    assert found.write() == []


def test_comments_are_read_and_written_again(folder):
    path = folder / "c.toml"
    path.write_text('x = "a # b" # said\n      # and more\n[t.u]\nn = 1  # one\nm = [1, 2]\n[v]\nk = "12h"\n')
    assert comments(path) == {"x": "said and more", "t.u.n": "one"}
    document = tomllib.loads(path.read_text())
    text = written(document, {"t.u.m": Entry([1, 2], "MEASURED " + "long " * 40)}, comments(path), "c", ["top"])
    assert tomllib.loads(text) == document
    assert max(map(len, text.splitlines())) <= 130
    assert "# from c: one" in text
    assert "MEASURED long" in text
    assert 'k = "12h"                      # from c' in text


def test_open_interest_from_files(folder):
    times = [f"2024-01-{d:02d}T00:00:00Z" for d in range(1, 29)]
    Path("coins.csv").write_text(
        "time,oi\n" + "\n".join(f"{t},{i + 1}" for i, t in enumerate(times)) + "\n2024-01-29T00:00:00Z,\n"
    )
    found = read_open_interest("coins.csv")
    assert (found.coins, found.low, found.high) == (14.5, 1.0, 28.0)
    assert found.origin == "median of 30 days to 2024-01-28, coins"
    Path("usd.csv").write_text("time,oi_usd,close\n" + "\n".join(f"{t},{200.0 * i},{10.0 * i}" for i, t in enumerate(times, 1)))
    assert read_open_interest("usd.csv").coins == 20.0
    Path("bad.csv").write_text("time,oi_usdd\n2024-01-01T00:00:00Z,5\n")
    with pytest.raises(ConfigError, match=r'did you mean "oi_usd"|needs oi_close'):
        read_open_interest("bad.csv")
    with pytest.raises(ConfigError, match="no such file"):
        read_open_interest("nowhere.csv")


@pytest.mark.slow
def test_the_ladder_is_the_closed_form_of_a_lognormal():
    """One tier, no limits: a long of leverage L goes at a fall of m if L > 1 / (1 - (1 - m)(1 - rate)), whose share is normal."""
    from scipy.stats import norm

    overrides = {"venues.binance.tiers": [{"floor_usd": 0.0, "max_leverage": 400.0, "maintenance_rate": 0.002}]}
    for name in ("professional_long", "retail_short", "professional_short"):
        overrides[f"populations.{name}.open_interest"] = 1.0
    overrides |= {"populations.retail_long.open_interest": 1e9, "populations.retail_long.high": 400.0}
    found = ladder(load("btc_24h", overrides))
    for move, share in zip(found.moves, found.share["BTC", "long"], strict=True):
        needed = 1.0 / (1.0 - (1.0 - move) * 0.998)
        assert share == pytest.approx(norm.sf(np.log(needed / 8.43) / 0.796), abs=2e-3)


class Unwinds:
    """As an `EventFit`, of which one number cannot be told."""

    names = ("impact.coefficient", "impact.resilience_half_life", "venues.engine_time", "venues.closes_opposite")
    values, correlation, converged, message = np.array([0.7, 42.0, 33.0, 0.4]), np.eye(4), True, "fine"
    events, together = ("a", "b"), ("impact.coefficient and venues.engine_time cannot be told apart",)

    def table(self):
        why = ("", "", "known to a factor of 30 only", "")
        return [(n, float(v), 0.1 * v, w) for n, v, w in zip(self.names, self.values, why, strict=True)]


@pytest.mark.parametrize("days", [29, 90])
def test_a_daily_volatility_and_volume_need_a_month_and_have_standard_errors(folder, days):
    """Below 30 days the base's numbers stay, and the report says so."""
    bars("p.csv", days * 24)
    found = calibrate(read_price_file("p.csv"), "merton", out=Path("m.toml"))
    keys = {"impact.daily_volatility", "impact.daily_volume"}
    base = read_scenario("btc_24h")[1]["impact"]
    said = f"{days} complete days of the last year; daily_volatility and daily_volume need 30 and keep the base's values"
    assert any(said in line for line in found.findings) == (days < 30)
    assert (said in markdown(found)) == (days < 30)
    if days < 30:
        assert not keys & set(found.entries)
        assert all(found.document["impact"][key.partition(".")[2]] == base[key.partition(".")[2]] for key in keys)
        return
    assert all("MEASURED" in found.entries[key].origin and "s.e. " in found.entries[key].origin for key in keys)


def test_the_error_of_a_median_is_that_of_independent_normal_values_where_they_are():
    """1.2533 sd / sqrt(n), within 20%: over seeds the estimate itself scatters by some 6%."""
    found = [median_error(np.random.default_rng(seed).standard_normal(365)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(1.2533 / np.sqrt(365), rel=0.2)
    # a week that is one value seven times tells as little as one day
    repeated = [median_error(np.repeat(np.random.default_rng(seed).standard_normal(53), 7)) for seed in range(20)]
    assert np.mean(repeated) > 1.8 * np.mean(found)


def test_numbers_from_unwinds_go_where_they_belong():
    bars("p.csv", 72)
    found = calibrate(read_price_file("p.csv"), events=Unwinds(), out=Path("m.toml"))
    document = found.document
    assert (document["impact"]["coefficient"], document["impact"]["resilience_half_life"]) == (0.7, "42min")
    assert document["venues"]["binance"]["closes_opposite"] == 0.4
    assert document["venues"]["binance"]["engine_time"] == "10s"
    assert any("venues.engine_time: not identified: known to a factor of 30" in problem for problem in found.problems)
    assert any("cannot be told apart" in problem for problem in found.problems)
    assert found.write() == []
    failed = type("Failed", (Unwinds,), {"converged": False, "message": "too many steps"})()
    entries, problems = event_entries(failed, document)
    assert entries == {}
    assert "did not converge (too many steps)" in problems[0]


@pytest.mark.slow
@needs_data
def test_the_shipped_numbers_come_out_again_and_the_corrected_ladder_lies_nearer():
    """btc_24h from its own files: prices, volumes, depth and, uncorrected, leverage are its numbers."""
    prices, accounts = read_price_file(PRICES), read_accounts(SNAPSHOTS)
    plain = calibrate(prices, "merton", accounts=accounts, bias=Bias(), replications=2)
    base = read_scenario("btc_24h")[1]
    near = lambda new, old: new == pytest.approx(old, rel=5e-3)
    for table, key in (("impact", "daily_volatility"), ("impact", "daily_volume"), ("depth", "exponent")):
        assert near(plain.document[table][key], base[table][key]), key
    assert plain.document["assets"]["BTC"]["price"] == base["assets"]["BTC"]["price"]
    for name, old in base["populations"].items():
        new = plain.document["populations"][name]
        assert near(new["median"], old["median"])
        assert near(new["log_sd"], old["log_sd"])
        assert near(new["size_median"], old["size_median"])
        assert new["open_interest"] == old["open_interest"]
    found = calibrate(prices, "merton", accounts=accounts, bias=Bias(winners=True, split=SPLIT), replications=2,
                      open_interest=read_open_interest(INTEREST))  # fmt: skip
    assert found.identified
    shares = found.ladder.share["BTC", "long"]
    assert np.all(np.diff(shares) > 0.0)
    # leverage as it was in the sample, in the same scenario: that of btc_24h, which has the same shares of classes
    assert found.ladder_before is not None
    assert found.ladder_before.share["BTC", "long"] == pytest.approx(plain.ladder.share["BTC", "long"], abs=1e-3)
    assert found.ladder.share["BTC", "long"][-1] > found.ladder_before.share["BTC", "long"][-1] + 0.1

"""Files that a scenario names: price files, tier tables, limit files, account tables, maps, histograms, impact tables."""

import gzip
import tomllib

import pytest

from jaxrisk.config import check
from jaxrisk.data import containers
from jaxrisk.paths import find, names

BOOTSTRAP = {"process": "bootstrap", "file": "prices.csv", "mean_block": "4h"}
REPLAY = {"process": "replay", "file": "prices.csv"}
MINUTE = 60
START = 1722816000  # 2024-08-05T00:00:00Z


def lines_of(problems):
    return [str(problem) for problem in problems]


def only(problems, file):
    """The one problem, which has to be with that file."""
    assert len(problems) == 1, lines_of(problems)
    assert problems[0].file.endswith("/" + file)
    return problems[0]


# ---- price files


@pytest.mark.parametrize("market", [BOOTSTRAP, REPLAY])
def test_a_good_price_file(folder, market):
    folder.prices()
    assert folder.problems(market=market) == []


def test_a_gap_is_named_with_its_line_time_and_length(folder):
    folder.prices(edit=lambda lines: [lines.pop(100), lines.pop(200)])
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert problem.key == "line 101, time"
    assert problem.value == str(START + 100 * MINUTE)
    assert "comes 2min after the row before, at 2024-08-05T01:38:00Z" in problem.allowed
    assert "1min: a gap; 1 more such rows" in problem.allowed


def test_a_duplicate_time(folder):
    folder.prices(edit=lambda lines: lines.insert(11, lines[10]))
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert problem.key == "line 12, time"
    assert "the same time as the row before" in problem.allowed


def test_times_that_go_back(folder):
    def edit(lines):
        lines[20], lines[21] = lines[21], lines[20]

    folder.prices(edit=edit)
    problems = folder.problems(market=REPLAY)
    assert any(p.key == "line 22, time" and "earlier than the row before" in p.allowed for p in problems), lines_of(problems)


@pytest.mark.parametrize(
    ("price", "words"), [("0", "above 0 (USD)"), ("-5", "above 0 (USD)"),
                         *((price, "not a finite") for price in ("nan", "inf", "x", ""))]
)  # fmt: skip
def test_impossible_prices(folder, price, words):
    def edit(lines):
        for i in (5, 9):
            time, _, eth = lines[i].split(",")
            lines[i] = f"{time},{price},{eth}"

    folder.prices(edit=edit)
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert problem.key == "line 6, BTC"
    assert words in problem.allowed
    assert "1 more such rows" in problem.allowed


def test_a_missing_price_column(folder):
    folder.prices(columns=("BTC", "ETC"))
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert (problem.key, problem.value, problem.nearest) == ("ETH", None, "ETC")
    assert "the file has time, BTC, ETC" in problem.allowed


def test_a_missing_time_column(folder):
    folder.prices(edit=lambda lines: lines.__setitem__(0, "times,BTC,ETH"))
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert (problem.key, problem.nearest) == ("time", "times")


def test_a_time_that_is_none(folder):
    folder.prices(edit=lambda lines: lines.__setitem__(3, "yesterday,1,1"))
    problem = only(folder.problems(market=REPLAY), "prices.csv")
    assert (problem.key, problem.value) == ("line 4, time", '"yesterday"')


def test_iso_times_and_gzip_and_a_file_for_each_asset(folder):
    rows = "time,close\n" + "".join(f"2024-08-05T{i // 60:02d}:{i % 60:02d}:00Z,{100 + i % 3}\n" for i in range(1440))
    rows += "2024-08-06T00:00:00Z,100\n"
    (folder.path / "p.csv.gz").write_bytes(gzip.compress(rows.encode()))
    assert folder.problems(market={"process": "replay", "file": {"BTC": "p.csv.gz", "ETH": "p.csv.gz"}}) == []


def test_parquet(folder):
    pandas = pytest.importorskip("pandas")
    times = pandas.date_range("2024-08-05", periods=1441, freq="1min", tz="UTC")
    frame = pandas.DataFrame({"time": times, "BTC": 100.0, "ETH": 50.0})
    frame.to_parquet(folder.path / "p.parquet")
    market = {"process": "replay", "file": "p.parquet"}
    assert folder.problems(market=market) == []
    frame.loc[7, "BTC"] = -1.0
    frame.to_parquet(folder.path / "p.parquet")
    problem = only(folder.problems(market=market), "p.parquet")
    assert (problem.key, problem.value) == ("row 8, BTC", "-1")
    folder.file("p.parquet", "no parquet")
    assert "not a readable Parquet file" in only(folder.problems(market=market), "p.parquet").allowed


def test_a_bootstrap_needs_the_interval_of_the_step(folder):
    folder.prices(interval=3600)
    [problem] = folder.problems(market=BOOTSTRAP)
    assert problem.key == "market.file"
    assert "interval of 1h; a bootstrap needs that of the run's step, 1min" in problem.allowed


def test_a_block_is_at_least_a_step(folder):
    folder.prices()
    [problem] = folder.problems(market=BOOTSTRAP | {"mean_block": "30s"})
    assert (problem.key, problem.value) == ("market.mean_block", '"30s"')


def test_a_replay_has_to_cover_the_horizon(folder):
    folder.prices(rows=1440)
    [problem] = folder.problems(market=REPLAY)
    assert problem.key == "run.horizon"
    assert "goes to 2024-08-06T00:00:00Z, but the file covers 2024-08-05T00:00:00Z to 2024-08-05T23:59:00Z" in problem.allowed
    folder.prices(rows=1441)
    assert folder.problems(market=REPLAY) == []


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2024-08-05T00:00:30Z", "one of the file's times"),
        ("2023-08-05", "one of the file's times"),
        ("2024-08-05T02:00:00Z", "the run goes to 2024-08-06T02:00:00Z"),
        ("noon", "a date and time"),
        (5, "a date and time"),
    ],
)
def test_the_start_of_a_replay(folder, start, words):
    folder.prices(rows=1500)
    [problem] = folder.problems(market=REPLAY | {"start": start})
    assert problem.key == "market.start"
    assert words in problem.allowed


def test_a_replay_step_is_a_multiple_of_the_interval(folder):
    folder.prices(interval=90)
    [problem] = folder.problems(market=REPLAY)
    assert "whole multiple" in problem.allowed


# ---- tables in general


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"time,BTC,ETH\n", "no rows"),
        (b"time,BTC,ETH\n1,2\n", "line 2 has not 3 columns"),
        (b"time,BTC,BTC\n1,2,3\n", "names the column BTC twice"),
        (b"time,BTC,ETH\n1,\xff,3\n", "line 2 is not UTF-8"),
    ],
)
def test_broken_tables(folder, content, words):
    folder.file("prices.csv", content)
    assert words in str(only(folder.problems(market=REPLAY), "prices.csv"))


def test_a_broken_gzip_file(folder):
    folder.file("prices.csv.gz", b"plain text")
    assert "not a gzip file" in str(only(folder.problems(market=REPLAY | {"file": "prices.csv.gz"}), "prices.csv.gz"))


def test_a_missing_table_and_a_folder(folder):
    folder.prices()
    [problem] = folder.problems(market=REPLAY | {"file": "price.csv"})
    assert (problem.key, problem.nearest) == ("market.file", "prices.csv")
    assert "tried" in problem.allowed
    (folder.path / "sub").mkdir()
    assert "is a folder" in str(only(folder.problems(market=REPLAY | {"file": "sub"}), "sub"))


# ---- margin tiers


def one(problems):
    """The one problem."""
    assert len(problems) == 1, lines_of(problems)
    return problems[0]


GOOD = [
    {"floor_usd": 0.0, "max_leverage": 100.0, "maintenance_rate": 0.005, "maintenance_amount_usd": 0.0},
    {"floor_usd": 1e6, "max_leverage": 50.0, "maintenance_rate": 0.01, "maintenance_amount_usd": 5000.0},
    {"floor_usd": 5e6, "max_leverage": 10.0, "maintenance_rate": 0.05, "maintenance_amount_usd": 205000.0},
]
TIER_CASES = [
    (0, {"floor_usd": 100.0}, "floor_usd", "has to be 0 in the first tier"),
    (2, {"floor_usd": 1e6}, "floor_usd", "duplicate: a tier with this floor is there already, delete one; it has to be above"),
    (2, {"floor_usd": 5e5}, "floor_usd", "unsorted: sort the tiers by floor_usd; it has to be above"),
    (1, {"floor_usd": -5.0}, "floor_usd", "at least 0 (USD)"),
    (1, {"maintenance_amount_usd": 4000.0}, "maintenance_amount_usd", "has to be 5000 for the margin to be continuous"),
    (2, {"maintenance_amount_usd": 205002.0}, "maintenance_amount_usd", "has to be 205000"),
    (1, {"maintenance_rate": 0.004}, "maintenance_rate", "at least that of the tier before, 0.005"),
    (1, {"maintenance_rate": 0.02, "maintenance_amount_usd": 15000.0}, "maintenance_rate", "below 1 / max_leverage, 0.02"),
    (1, {"maintenance_rate": 1.0}, "maintenance_rate", "below 1"),
    (1, {"max_leverage": 120.0}, "max_leverage", "at most that of the tier before, 100"),
    (1, {"max_leverage": 0.5}, "max_leverage", "from 1"),
    (0, {"maintenance_amount_usd": 500.0}, "maintenance_amount_usd", "has to be 0 in the first tier"),
]


def tiers(row=None, change=()):
    return [tier | dict(change) if i == row else tier for i, tier in enumerate(GOOD)]


def test_good_tiers(folder):
    assert folder.problems(**{"venues.binance.tiers": GOOD}) == []
    whole = [tier | {"maintenance_amount_usd": 0.0} for tier in GOOD]
    for rule, amounts in (("marginal", GOOD), ("whole", whole)):
        for tiers in ({"BTC": WITHOUT}, {"BTC": amounts}):
            assert folder.problems(**{"venues.binance.tiers": tiers, "venues.binance.tier_rule": rule}) == []


WITHOUT = [{k: v for k, v in tier.items() if k != "maintenance_amount_usd"} for tier in GOOD]


@pytest.mark.parametrize("tiers", [WITHOUT, [tier | {"maintenance_amount_usd": 0.0} for tier in GOOD]], ids=["none", "zero"])
def test_several_rates_without_amounts_need_a_rule(folder, tiers):
    """Inline, in a venue file and in a table, each told where to write it; one rate for all needs none."""
    problem = one(folder.problems(**{"venues.binance.tiers": tiers}))
    assert problem.key == "venues.binance.tier_rule"
    assert '"whole"' in problem.allowed
    rows = "\n".join("[[tiers.BTC]]\n" + "\n".join(f"{k} = {v}" for k, v in tier.items()) for tier in tiers)
    folder.file("t.toml", rows)
    problem = one(folder.problems(**{"venues.binance.tiers": "t"}))
    assert problem.key == "tier_rule"
    assert problem.file.endswith("t.toml")
    assert [p.key for p in check(folder.path / "t.toml")] == ["tier_rule"]
    assert folder.problems(**{"venues.binance.tiers": "t", "venues.binance.tier_rule": "whole"}) == []
    folder.file("t.toml", 'tier_rule = "hole"\n' + rows)
    problem = one(folder.problems(**{"venues.binance.tiers": "t"}))
    assert (problem.key, problem.nearest) == ("tier_rule", "whole")
    lines = [",".join(tiers[0]), *(",".join(map(str, tier.values())) for tier in tiers)]
    folder.file("t.csv", "\n".join(lines))
    problem = one(folder.problems(**{"venues.binance.tiers": "t.csv"}))
    assert problem.key == "tier_rule"
    assert "as a column, or as venues.binance.tier_rule" in problem.allowed
    assert folder.problems(**{"venues.binance.tiers": "t.csv", "venues.binance.tier_rule": "whole"}) == []
    for words, good in ((["whole"] * 3, True), (["whole", "whole", "marginal"], False), (["hole"] * 3, False)):
        folder.file("t.csv", "\n".join(f"{line},{word}" for line, word in zip(lines, ["tier_rule", *words], strict=True)))
        problems = folder.problems(**{"venues.binance.tiers": "t.csv"})
        assert (problems == []) == good
        assert all("tier_rule" in p.key for p in problems), lines_of(problems)
    assert folder.problems(**{"venues.binance.tiers": [tier | {"maintenance_rate": 0.005} for tier in tiers]}) == []


def test_amounts_contradict_a_rate_for_the_whole_position(folder):
    """In one place they do; a venue's own rule takes the place of a file's and of its amounts."""
    problems = folder.problems(**{"venues.binance.tiers": GOOD, "venues.binance.tier_rule": "whole"})
    assert [p.key for p in problems] == [f"venues.binance.tiers.{i}.maintenance_amount_usd" for i in (1, 2)]
    assert folder.problems(**{"venues.binance.tiers": "binance", "venues.binance.tier_rule": "whole"}) == []


@pytest.mark.parametrize(("row", "change", "key", "words"), TIER_CASES)
def test_inline_tiers(folder, row, change, key, words):
    problems = folder.problems(**{"venues.binance.tiers": tiers(row, change)})
    assert any(p.key == f"venues.binance.tiers.{row}.{key}" and words in p.allowed for p in problems), lines_of(problems)


@pytest.mark.parametrize(("row", "change", "key", "words"), TIER_CASES)
def test_tiers_in_a_csv_file(folder, row, change, key, words):
    rows = tiers(row, change)
    folder.file("t.csv", "\n".join([",".join(GOOD[0]), *(",".join(map(str, tier.values())) for tier in rows)]))
    problems = folder.problems(**{"venues.binance.tiers": "t.csv"})
    assert any(p.key == f"line {row + 2}.{key}" and words in p.allowed and p.file.endswith("t.csv") for p in problems), lines_of(
        problems
    )


def test_tiers_in_a_toml_file(folder):
    rows = "\n".join(
        "[[tiers.BTC]]\n" + "\n".join(f"{k} = {v}" for k, v in tier.items()) for tier in tiers(1, {"maintenance_rate": 0.004})
    )
    folder.file("t.toml", 'name = "t"\nsurce = "x"\n' + rows)
    problems = folder.problems(**{"venues.binance.tiers": "t"})
    assert all(p.file.endswith("t.toml") for p in problems)
    assert {"surce", "tiers.BTC.1.maintenance_rate"} <= {p.key for p in problems}
    assert next(p for p in problems if p.key == "surce").nearest == "source"


def test_amounts_in_all_tiers_or_in_none(folder):
    rows = [dict(tier) for tier in GOOD]
    del rows[1]["maintenance_amount_usd"]
    problems = folder.problems(**{"venues.binance.tiers": rows})
    assert any("in all tiers of an asset or in none" in p.allowed for p in problems)


def test_tiers_have_to_be_there_for_what_is_traded(folder):
    problems = folder.problems(**{"venues.binance.tiers": {"ETH": GOOD}})
    assert any("has no tiers for BTC, which is traded there" in p.allowed for p in problems)
    problems = folder.problems(**{"venues.binance.tiers": {"BTC": GOOD, "ETC": GOOD}})
    assert [(p.key, p.nearest) for p in problems] == [("venues.binance.tiers.ETC", "ETH")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "the name of a shipped venue"),
        ([], "at least one tier"),
        ({"BTC": 5}, "at least one tier"),
        ([5], "has to be a table"),
        ("binanse", "no such file"),
    ],
)
def test_tiers_of_the_wrong_kind(folder, value, words):
    problems = folder.problems(**{"venues.binance.tiers": value})
    assert any(words in p.allowed for p in problems), lines_of(problems)


# ---- limit files

ROW = '[[caps]]\nclass = "retail"\nasset = "*"\ncap = 5\nshare_downsize = 1\n'


def test_a_shipped_limit_file(folder):
    assert folder.problems(limits={"file": "eu_retail_cfd"}) == []
    [problem] = folder.problems(limits={"file": "eu_retal_cfd"})
    assert (problem.key, problem.nearest) == ("limits.file", "eu_retail_cfd")


@pytest.mark.parametrize(
    ("text", "key", "words", "near"),
    [
        (ROW.replace("cap = 5", "cap = 0.5"), "caps.0.cap", "from 1", None),
        (ROW.replace("retail", "retial"), "caps.0.class", "are retail, professional", "retail"),
        (ROW + 'venue = "binanse"', "caps.0.venue", "which are binance, coinm", "binance"),
        (ROW + "notional = [1]", "caps.0.notional", "two numbers", None),
        (ROW + "colour = 3", "caps.0.colour", "unknown key", None),
        ("titel = 'x'\n" + ROW, "titel", "unknown key", "title"),
        ("name = 'x'", "caps", "missing", None),
        ("caps = 5", "caps", "a list of tables", None),
    ],
)
def test_a_bad_limit_file(folder, text, key, words, near):
    folder.file("mine.toml", text)
    problem = only(folder.problems(limits={"file": "mine"}), "mine.toml")
    assert problem.key == key
    assert words in problem.allowed
    assert problem.nearest == near


def test_rows_for_markets_that_are_not_there_are_left_out(folder):
    folder.file("mine.toml", ROW + ROW.replace('"*"', '"GOLD"') + ROW.replace("retail", "institutions"))
    assert folder.problems(limits={"file": "mine.toml"}) == []


def test_a_limit_file_without_effect_is_a_problem(folder):
    folder.file("mine.toml", ROW.replace("retail", "institutions"))
    [problem] = folder.problems(limits={"file": "mine.toml"})
    assert problem.key == "limits.file"
    assert problem.allowed == (
        'none of its rows holds for this scenario: it asks for class "institutions"; the scenario has retail, professional'
    )
    [problem] = folder.problems(limits={"file": "new_user_20x"})
    assert 'it asks for class "new"; the scenario has retail, professional' in problem.allowed
    folder.file("mine.toml", ROW + 'venue = "kraken"\n' + ROW.replace('"*"', '"GOLD"') + 'venue = "okx"\n')
    [problem] = folder.problems(limits={"file": "mine.toml"})
    assert 'it asks for venue "kraken", "okx"; the scenario has binance, coinm' in problem.allowed
    assert 'it asks for asset "GOLD"; the scenario has BTC, ETH' in problem.allowed


@pytest.mark.parametrize("name", names("limits"))
def test_no_shipped_limit_leaks_where_there_is_nowhere_to_go(name):
    rows = tomllib.loads(find("limits", name).read_text())["caps"]
    assert not [row for row in rows if row["venue"] == row["asset"] == "*" and row["leakage"] > 0.0]


# ---- tables of positions

ACCOUNTS = (
    "venue,asset,side,quantity,entry_price,collateral,class\nbinance,BTC,long,1,70000,7000,retail\n"
    "coinm,ETH,short,5,3000,1000,pro\n"
)


def accounts(folder, text, **changes):
    folder.file("accounts.csv", text)
    return folder.problems(**{"populations.book": {"kind": "accounts", "file": "accounts.csv"}} | changes)


def test_a_good_account_table(folder):
    assert accounts(folder, ACCOUNTS) == []
    assert accounts(folder, ACCOUNTS.replace("collateral", "leverage")) == []


@pytest.mark.parametrize(
    ("old", "new", "key", "words", "near"),
    [
        ("binance,BTC", "binanse,BTC", "line 2, venue", "unknown venue; has to be one of binance, coinm", "binance"),
        ("coinm,ETH", "coinm,ETC", "line 3, asset", "unknown asset", "ETH"),
        ("short", "shrt", "line 3, side", "one of long, short", "short"),
        (",1,70000", ",-1,70000", "line 2, quantity", "at least 0 (coins", None),
        (",70000,", ",0,", "line 2, entry_price", "above 0 (USD a coin)", None),
        (",7000,", ",-7000,", "line 2, collateral", "above 0 (USD at entry)", None),
        (",7000,", ",nan,", "line 2, collateral", "a finite number", None),
        (",7000,", ",x,", "line 2, collateral", "a finite number", None),
        (",pro", ",", "line 3, class", "name the account's class", None),
        ("quantity", "qty", "quantity", "missing column; the file has venue, asset, side, qty", None),
        ("entry_price", "entry_prices", "entry_price", "missing column", "entry_prices"),
        ("collateral", "margin", "collateral", "needs collateral (USD at entry) or leverage", None),
    ],
)
def test_a_bad_account_table(folder, old, new, key, words, near):
    problem = only(accounts(folder, ACCOUNTS.replace(old, new)), "accounts.csv")
    assert problem.key == key
    assert words in problem.allowed
    assert problem.nearest == near


def test_all_problems_of_an_account_table(folder):
    problems = accounts(folder, ACCOUNTS + "bnance,BTX,log,-1,-1,-1,\n")
    assert {p.key for p in problems} == {f"line 4, {c}" for c in ACCOUNTS.splitlines()[0].split(",")}


def test_an_account_table_without_positions(folder):
    assert (
        "no account that holds anything"
        in only(accounts(folder, ACCOUNTS.replace(",1,", ",0,").replace(",5,", ",0,")), "accounts.csv").allowed
    )


def test_a_class_of_an_account_table_can_be_limited(folder):
    assert accounts(folder, ACCOUNTS, **{"limits.caps.0.class": "pro"}) == []


@pytest.mark.parametrize(
    ("row", "key", "words"),
    [
        ("0,long,5", "line 2, price", "above 0"),
        ("100,long,-5", "line 2, open_interest_usd", "at least 0"),
        ("100,up,5", "line 2, side", "one of long, short"),
    ],
)
def test_a_bad_liquidation_map(folder, row, key, words):
    folder.file("map.csv", f"price,side,open_interest_usd\n{row}\n")
    holders = {"kind": "liquidation_map", "venue": "binance", "asset": "BTC", "file": "map.csv"}
    problem = only(folder.problems(**{"populations.map": holders}), "map.csv")
    assert problem.key == key
    assert words in problem.allowed


@pytest.mark.parametrize(
    ("rows", "key", "words"),
    [
        ("2,0.5\n5,0.4", "share", "has to sum to 1; it sums to 0.9"),
        ("0.5,1", "line 2, leverage", "at least 1"),
        ("2,-1\n3,2", "line 2, share", "at least 0"),
    ],
)
def test_a_histogram_file(folder, rows, key, words):
    folder.file("h.csv", f"leverage,share\n{rows}\n")
    holders = {"kind": "histogram", "venue": "binance", "asset": "BTC", "side": "long", "open_interest": 1e9, "file": "h.csv"}
    problem = only(folder.problems(**{"populations.h": holders}), "h.csv")
    assert problem.key == key
    assert words in problem.allowed


def test_an_impact_table_file(folder):
    law = {"law": "table", "file": "impact.csv", "resilience_half_life": "30min"}
    folder.file("impact.csv", "volume_usd,log_move\n0,0\n1e8,0.01\n5e8,0.03\n")
    assert folder.problems(impact=law) == []
    folder.file("impact.csv", "volume_usd,log_move\n0,0\n1e8,0.01\n5e7,0.03\n")
    problems = folder.problems(impact=law)
    assert [(p.key, p.file.rsplit("/", 1)[-1]) for p in problems] == [("volume_usd", "impact.csv")]


# ---- limit and venue files by themselves


@pytest.mark.parametrize("kind", ["venues", "limits"])
def test_shipped_tables_have_no_problems(kind):
    assert names(kind)
    assert [problem for name in names(kind) for problem in check(find(kind, name))] == []


def test_a_limit_or_venue_file_can_be_checked_by_itself(folder):
    problems = check(folder.file("l.toml", ROW + ROW.replace("cap = 5", "cap = 0.5").replace("retail", "anybody")))
    assert [problem.key for problem in problems] == ["caps.1.cap"]
    problems = check(folder.file("v.toml", "[[tiers.XRP]]\nfloor_usd = 5\nmax_leverage = 10\nmaintenance_rate = 0.2\n"))
    assert [problem.key for problem in problems] == ["tiers.XRP.0.floor_usd", "tiers.XRP.0.maintenance_rate"]
    assert check(folder.file("l.toml", "caps = 5"))[0].key == "caps"


# ---- files that are given to somebody


def test_a_device_is_not_read(folder):
    """`/dev/zero` has no end: a file that names it would take all memory."""
    problems = folder.problems(**{"venues.binance.tiers": "/dev/zero"})
    assert any(problem.file == "/dev/zero" and "device" in problem.allowed for problem in problems)


def test_a_table_that_unpacks_to_more_than_it_may_is_refused(folder, monkeypatch):
    monkeypatch.setattr(containers, "MOST_UNPACKED", 1000)
    (folder.path / "h.csv.gz").write_bytes(gzip.compress(b"leverage,share\n" + b"2,0.5\n" * 200))
    holders = {"kind": "histogram", "venue": "binance", "asset": "BTC", "side": "long", "open_interest": 1e9, "file": "h.csv.gz"}
    assert "unpacked" in only(folder.problems(**{"populations.h": holders}), "h.csv.gz").allowed

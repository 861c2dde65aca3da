"""Whatever a document says, the answer is a list of problems or none: never another exception."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from jaxrisk.config.check_document import check_document
from jaxrisk.config.document import override
from jaxrisk.config.effective import effective, text_of
from jaxrisk.problems import Report
from jaxrisk.toml import to_toml

words = st.sampled_from(
    [
        "",
        "*",
        "BTC",
        "long",
        "both",
        "24h",
        "0s",
        "1e9",
        "random",
        "binance",
        "none",
        "bates",
        "table",
        "nan",
        "partial",
        "hyperliquid",
        "account",
        "a/b",
        "\0",
        "é",
    ]
)
numbers = st.one_of(st.integers(-3, 3), st.integers(), st.floats(), st.sampled_from([0.5, 1.0, 1e9, math.inf, math.nan, 10**400]))
leaves = st.one_of(numbers, words, st.text(max_size=8), st.booleans(), st.dates(), st.datetimes(), st.times())
values = st.recursive(leaves, lambda x: st.one_of(st.lists(x, max_size=4), st.dictionaries(words, x, max_size=3)), max_leaves=6)


def paths_in(node, path=()):
    """All keys of a document, at any depth."""
    yield path
    if isinstance(node, dict):
        for key, item in node.items():
            yield from paths_in(item, (*path, key))
    elif isinstance(node, list):
        for i, item in enumerate(node):
            yield from paths_in(item, (*path, i))


def ladder(folder):
    """The exchange scenario without what needs files of its own."""
    document = tomllib.loads(folder.EXCHANGE)
    for section in ("funding", "calls"):
        del document[section]
    del document["run"]["book"], document["populations"]["book"]
    for venue in document["venues"].values():
        del venue["haircut"]
    return to_toml(document)


def mutate(document, data):
    """Replace, remove, rename or add somewhere."""
    path = data.draw(st.sampled_from([p for p in paths_in(document) if p]))
    here = document
    for part in path[:-1]:
        here = here[part]
    action = data.draw(st.sampled_from(["replace", "remove", "add", "rename"]))
    if action == "replace":
        here[path[-1]] = data.draw(values)
    elif action == "remove":
        del here[path[-1]]
    elif isinstance(here, dict):
        key = data.draw(st.one_of(words, st.text(max_size=8)))
        here[key] = data.draw(values) if action == "add" else here.pop(path[-1])
    return document


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_documents_give_problems_only(folder, data):
    document = tomllib.loads(data.draw(st.sampled_from([folder.VALID, ladder(folder)])))
    for _ in range(data.draw(st.integers(1, 3))):
        document = mutate(document, data)
    report = Report("fuzz.toml")
    checked = check_document(document, Path("fuzz.toml"), report)
    for problem in report.problems:
        assert "\n" not in str(problem)
    if not report.problems:
        text = text_of(effective(checked), checked.files)
        again = _again(text)
        assert text == text_of(effective(again), again.files)


def _again(text):
    document = tomllib.loads(text)
    report = Report("again.toml")
    checked = check_document(document, Path("again.toml"), report)
    assert report.problems == []
    return checked


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_overrides_give_problems_only(folder, data):
    document = tomllib.loads(data.draw(st.sampled_from([folder.VALID, folder.EXCHANGE])))
    known = [".".join(map(str, path)) for path in paths_in(document) if path]
    keys = st.one_of(st.sampled_from(known), st.sampled_from(known).map(lambda key: key + ".x"), st.text(max_size=12))
    overrides = data.draw(st.dictionaries(keys, st.one_of(values, st.text(max_size=10)), max_size=3))
    report = Report("fuzz.toml", overrides)
    check_document(override(document, overrides, report), Path("fuzz.toml"), report)
    assert all("\n" not in str(problem) for problem in report.problems)


HEADER = ("account", "venue", "asset", "side", "quantity", "entry_price", "account_value", "notional", "margin", "collateral",
          "class", "snapshot")  # fmt: skip
ROW = ("anna", "binance", "BTC", "long", "2", "70000", "50000", "150000", "cross", "100", "retail", "1")
cells = st.one_of(
    st.sampled_from(
        ["", " ", "nan", "inf", "-1", "0", "1e308", "1e-320", "bert", "coinm", "ETH", "short", "isolated", "2", "pro", "é"]
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters='",\n\r\x00'), max_size=4),
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_files_of_accounts_give_problems_or_finite_numbers(folder, data):
    """Optional columns and the keys that go with them, then a few cells and keys changed."""
    kept = data.draw(st.sets(st.sampled_from(["venue", "account_value", "notional", "class", "snapshot"])))
    kept |= {"account", "asset", "side", "quantity", "entry_price"} | data.draw(
        st.sampled_from([set(), {"margin", "collateral"}])
    )
    header = [name for name in HEADER if name in kept]
    rows = [dict(zip(HEADER, ROW, strict=True)) | {"account": name} for name in ("anna", "bert")]
    changes = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(header), cells), max_size=2)
    for row, column, cell in data.draw(changes):
        rows[row][column] = cell
    folder.file("p.csv", "\n".join(",".join(row) for row in [header, *([row[name] for name in header] for row in rows)]) + "\n")
    amount, asset = (data.draw(st.one_of(st.just(usual), cells)) for usual in ("5", "ETH"))
    folder.file("c.csv", f"account,asset,amount\nanna,USD,{amount}\nbert,{asset},1\n")
    keys = {"venue": "coinm", "class": "retail", "snapshot": "latest", "collateral": "c.csv", "accounts": 1,
            "other_assets": "ignore", "columns": {"quantity": "notional"}}  # fmt: skip
    chosen = {"collateral"} - ({"collateral"} if "account_value" in kept else set()) | ({"venue", "class"} - kept)
    chosen ^= data.draw(st.one_of(st.just(set()), st.just({"accounts", "other_assets"}), st.sets(st.sampled_from(sorted(keys)))))
    table = {"kind": "cross_accounts", "file": "p.csv"} | {key: keys[key] for key in chosen}
    path = folder.exchange(**{"populations.book": table, "calls": folder.MISSING})
    report = Report("fuzz.toml")
    checked = check_document(tomllib.loads(path.read_text()), path, report)
    assert all("\n" not in str(problem) for problem in report.problems)
    if not report.problems:
        accounts = checked.cross_accounts["book"]
        assert all(np.all(np.isfinite(column)) for column in (accounts.cash, accounts.coins, accounts.quantity))
        assert accounts.account.max() + 1 == len(accounts.cash) == len(accounts.home) == len(accounts.account_class)


documents = st.recursive(
    st.one_of(
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        st.booleans(),
        st.text(alphabet=st.characters(codec="utf-8"), max_size=8),
    ),
    lambda x: st.one_of(
        st.lists(x, max_size=3), st.dictionaries(st.text(alphabet=st.characters(codec="utf-8"), max_size=5), x, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(document=st.dictionaries(st.text(alphabet=st.characters(codec="utf-8"), max_size=5), documents, max_size=4))
def test_what_is_written_as_toml_reads_the_same(document):
    assert tomllib.loads(to_toml(document)) == document

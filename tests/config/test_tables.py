"""One model a table: a key is one line, from which come its value, schema and sentences; all that is wrong is said at once."""

import ast
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter

import jaxrisk
from jaxrisk.config.ranges import read_ranges
from jaxrisk.config.tables import read_table
from jaxrisk.config.tables.by_name import ByAsset
from jaxrisk.config.tables.sentences import schema_of
from jaxrisk.config.tables.start import Start
from jaxrisk.config.tables.table import Table, Wrong
from jaxrisk.config.tables.values import WHOLE, Duration, Whole
from jaxrisk.data.names import Context
from jaxrisk.problems import Report
from jaxrisk.studies.study_file import read_study
from jaxrisk.studies.study_tables import worded
from jaxrisk.toml import comments, to_toml

TWO = Context(("BTC", "ETH"), ("here",))


class Inner(Table):
    low: float = Field(ge=0, lt=5, description="lower end", json_schema_extra={"unit": "USD"})
    high: float = Field(10.0, description="upper end")
    kind: Literal["round", "square"] = "round"

    def between(self):
        if self.low is not None and self.high is not None and self.low > self.high:
            yield Wrong("low", self.low, f"has to be at most high, which is {self.high:g}")


class Outer(Table):
    size: ByAsset[Annotated[float, Field(gt=0)]] = 1.0
    span: Duration | None = None
    count: Whole = Field(1, le=9)
    most: Annotated[int, Field(ge=1, le=9), WHOLE] | None = None
    rows: list[Inner] = []  # noqa: RUF012 (pydantic copies it)


def said(raw, model=Outer):
    report = Report("f")
    table, sound = read_table(model, raw, "t", report, TWO)
    return table, sound, [str(one).removeprefix("f: ") for one in report.problems]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ({"size": {"BTC": 1}}, "t.size.ETH: missing; needs a number above 0"),
        (
            {"size": {"BTC": 1, "ETH": 2, "ETC": -1}},
            't.size.ETC = -1: unknown asset; the assets are BTC, ETH (did you mean "ETH"?)',
        ),
        ({"size": "3"}, 't.size = "3": has to be a number above 0 (did you mean 3?)'),
        ({"size": float("nan")}, "t.size = nan: has to be finite, a number above 0"),
        ({"span": "5 minutes"}, '(did you mean "5min"?)'),
        ({"count": 1.5}, "t.count = 1.5: has to be a whole number at most 9"),
        ({"most": 10}, "t.most = 10: has to be a whole number from 1 to 9"),
        ({"cuont": 1}, 't.cuont = 1: unknown key; the keys here are size, span, count, most, rows (did you mean "count"?)'),
        ({"rows": 5}, "t.rows = 5: has to be a list, each"),
        ({"rows": [{}]}, "t.rows.0.low: missing; needs a number at least 0 and below 5 (USD)"),
        ({"rows": [{"low": 1, "kind": "suqare"}]}, 't.rows.0.kind = "suqare": has to be one of "round", "square" (did you mean'),
        ({"rows": [{"low": 1}, {"low": 4, "high": 2}]}, "t.rows.1.low = 4.0: has to be at most high, which is 2"),
    ],
)
def test_a_value_that_is_not_allowed(raw, line):
    table, _, lines = said(raw)
    assert table is None
    assert len(lines) == 1
    assert line in lines[0]


def test_a_wrong_key_hides_nothing_at_any_depth():
    """What is wrong by itself, and what is wrong between the others, in one table and in one within it."""
    rows = [{"low": 4, "high": 3, "kind": "x"}]
    _, sound, lines = said({"count": 100, "span": "1h", "rows": rows})
    assert len(lines) == 3
    assert any("t.rows.0.low = 4.0: has to be at most high" in line for line in lines)
    assert (sound.count, sound.span, sound.size, sound.rows) == (None, "1h", 1.0, None)
    _, wrong = read_study({"scenario": "btc_24h", "sample": {"cells": 1, "ranges": {"a.b": [2, 1], "c": [-1, 1]}, "log": ["c"]}})
    assert [one.key for one in wrong] == ["sample.cells", "sample.ranges.a.b", "sample.ranges.c"]


def test_a_whole_number_beyond_all_numbers_is_none():
    vast = 10**400
    _, wrong = read_study({"scenario": "btc_24h", "sample": {"cells": 4, "ranges": {"a.b": [1, vast]}}})
    assert [one.key for one in wrong] == ["sample.ranges.a.b"]
    assert worded(vast) == str(vast)
    report = Report("here.toml")
    assert read_ranges({"a.b": [1, vast]}, report) == []
    assert [problem.key for problem in report.problems] == ["ranges.a.b"]


def test_values_are_read_as_they_are_meant():
    table, sound, lines = said({"count": 3.0, "most": 1e0, "size": 2, "rows": [{"low": 0}]})
    assert lines == []
    assert sound is table
    assert (table.count, table.most, table.size) == (3, 1, 2.0)
    assert isinstance(table.count, int)
    assert isinstance(table.size, float)
    assert TypeAdapter(Start).validate_python("stationary") == "stationary"


def test_a_key_is_in_the_schema_with_its_unit():
    low = schema_of(Inner)["properties"]["low"]
    assert low == {
        "description": "lower end",
        "exclusiveMaximum": 5,
        "minimum": 0,
        "title": "Low",
        "type": "number",
        "unit": "USD",
    }
    assert schema_of(Outer)["properties"]["most"]["maximum"] == 9
    assert "null" not in str(schema_of(Outer))


def test_comments_come_back_from_what_is_written(tmp_path):
    document = {"x": 1, "t": {"n": 2.5, "u": {"k": "a # b"}}}
    path = tmp_path / "c.toml"
    path.write_text(to_toml(document, lambda key, line: {"x": "one", "t.u.k": "said"}.get(key, "")))
    assert comments(path) == {"x": "one", "t.u.k": "said"}


@pytest.mark.parametrize("path", sorted((Path(jaxrisk.__file__).parent / "data").glob("*.py")), ids=lambda path: path.stem)
def test_data_do_not_know_of_configuration(path):
    """Other people's files are read below the room that knows scenarios, which needs them."""
    modules = [node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in modules if name.split(".")[0] == "config" or "jaxrisk.config" in name]

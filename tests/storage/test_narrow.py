"""Tables in narrow terminals: every row keeps its name, and every number is there."""

import io

import pytest
from rich.console import Console

from jaxrisk.report.study_table import Section, StudySummary
from jaxrisk.report.table import Row, Summary
from jaxrisk.risk import Estimate

LOSS = Estimate(2.345e9, 4.2e7, 2.26e9, 2.43e9, 0.0, 100, 100.0)
SUMMARY = Summary(
    "a day",
    [
        Row("index drawdown", "mean", Estimate(0.0279, 0.0002, 0.0275, 0.0283, 0.0, 100, 100.0), "1"),
        Row("index drawdown", "ES 99%", Estimate(0.1279, 0.0002, 0.1275, 0.1283, 0.0, 100, 100.0), "1"),
        Row("open-interest loss, USD", "mean", LOSS, "USD"),
        Row("support", "overshoot", None, "1", "no path broke it, so that there is nothing to average"),
    ],
)
LINES = [
    ("limits.cap[retail,*,BTC]", "12.3", "0.1", "USD M", "[12.1, 12.5]"),
    ("impact.coefficient", "1", "2", "", "[0, 3]"),
]
COLUMNS = ("parameter", "value", "std. error", "unit", "95% interval")
STUDY = StudySummary("a question", sections=[Section("table", COLUMNS, "lrrll", LINES)])


def shown(table, width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 120])
def test_names_and_numbers_are_whole_at_every_width(width):
    summary, study = shown(SUMMARY, width), shown(STUDY, width)
    assert max(map(len, summary + study)) <= width
    assert "…" not in "".join(summary + study)
    together = " ".join(" ".join(summary).split())
    for words in ("index drawdown", "mean", "ES 99%", "open-interest loss,", "2.790", "[2.260, 2.430]"):
        assert words in together
    assert together.index("open-interest loss,") < together.index("2.345") < together.index("support")
    together = " ".join(" ".join(study).split())
    for words in ("limits.cap[retail,*,BTC]", "[12.1, 12.5]", "impact.coefficient", "[0, 3]"):
        assert words in together
    assert together.index("[12.1, 12.5]") < together.index("impact.coefficient")

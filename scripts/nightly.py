"""A desk's night: calibrate on the day's files, run, study, report, and compare with the night before.

Everything of a night is in OUT/DATE: scenario.toml, calibration.html, run.nc, study/, report.html, report.json, alerts.txt.

Exit codes: 0 nothing to look at; 10 an alert, said on standard output and in alerts.txt; 5 the night is done, with numbers in it
that the data do not tell (an alert goes before); 2 or another of jaxrisk's where a step failed, and those after it were not made.

    python scripts/nightly.py --prices day.csv --out nights --limit "expected_shortfall(max_drawdown_index, 0.99)=0.12"
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

ALERT = 10
STUDY = """
name = "caps"
title = "What a lower cap would change tonight"
scenario = "scenario.toml"
reference = "no cap"
measures = ["mean(open_interest_loss_usd)", "expected_shortfall(max_drawdown_index, 0.99)"]

[set]
"limits.caps" = [{ class = "*", cap = 125.0, share_downsize = 0.8 }]

[[grid]]
name = "cap"
key = "limits.cap"
values = [5, 20, 125]
labels = ["cap 5", "cap 20", "no cap"]
"""
WATCHED = ("index drawdown, mean", "index drawdown, ES 99%", "probability of index drawdown, > 10%", "open-interest loss, mean",
           "open-interest loss, ES 99%")  # fmt: skip
"""Measures whose rise by more than noise is an alert."""


def main(words: list[str] | None = None) -> int:
    """The night; the exit code."""
    asked = _asked(words)
    from jaxrisk.cli import NOT_IDENTIFIED, OK, main as jaxrisk

    night = Path(asked.out) / asked.date
    night.mkdir(parents=True, exist_ok=True)
    scenario, run, study = night / "scenario.toml", night / "run.nc", night / "study"
    last = before(Path(asked.out), asked.date)
    (night / "caps.toml").write_text(Path(asked.study).read_text() if asked.study else STUDY)
    data = [word for name in ("accounts", "open_interest", "base", "process", "replications") if getattr(asked, name) is not None
            for word in (f"--{name.replace('_', '-')}", str(getattr(asked, name)))]  # fmt: skip
    settings = [word for one in asked.set for word in ("--set", one)]
    paths = [] if asked.paths is None else ["--paths", str(asked.paths)]
    report = ["--out", str(night / "report.html"), "--json", str(night / "report.json"), "--force"]
    steps = [
        ("calibrate", ["--prices", asked.prices, *data, *settings, "--out", str(scenario), "--force",
                       "--report", str(night / "calibration.html")]),
        ("run", [str(scenario), *paths, "--out", str(run), "--force"]),
        ("study", [str(night / "caps.toml"), *paths, "--out", str(study)]),
        ("report", [str(run), str(study), *report, *(["--compare", str(last)] if last else [])]),
    ]  # fmt: skip
    doubtful = OK
    for name, options in steps:
        print(f"== jaxrisk {name}", flush=True)
        code = jaxrisk([name, *options])
        if code == NOT_IDENTIFIED:
            doubtful = code
        elif code != OK:
            print(f"the night of {asked.date} stopped at jaxrisk {name}, exit code {code}", file=sys.stderr)
            return code
    found = [*changed(json.loads((night / "report.json").read_text())), *beyond(run, asked.limit)]
    (night / "alerts.txt").write_text("".join(f"{line}\n" for line in found))
    for line in found:
        print(f"ALERT: {line}")
    return ALERT if found else doubtful


def before(out: Path, date: str) -> Path | None:
    """The run of the latest night before."""
    nights = sorted(path.parent.name for path in out.glob("????-??-??/run.nc") if path.parent.name < date)
    return out / nights[-1] / "run.nc" if nights else None


def changed(report: dict) -> list[str]:
    """Watched measures that rose by more than noise since the night before."""
    lines = []
    for one in report["changes"]:
        if one["name"] in WATCHED and one["low"] is not None and one["low"] > 0.0:
            lines.append(f"{one['name']}: {one['before']:.4g} last night, {one['now']:.4g} tonight, a rise by {one['low']:.3g} "
                         f"to "
                         f"{one['high']:.3g} (95% interval)")  # fmt: skip
    return lines


def beyond(run: Path, limits: list[str]) -> list[str]:
    """Measures that are above their limit, with confidence or without."""
    from jaxrisk.report import Result
    from jaxrisk.risk.measure import Measure

    lines, result = [], Result.load(run)
    for text in limits:
        name, _, limit = text.rpartition("=")
        measure = Measure.of(name)
        level = () if measure.statistic == "mean" else (measure.level,)
        one = result.measure(measure.observable, measure.statistic, *level)
        if one.value > float(limit):
            sure = "the whole 95% interval is" if one.low > float(limit) else "its 95% interval reaches below it"
            lines.append(f"{name} is {one.value:.4g}, above {limit}: {sure} ({one.low:.4g} to {one.high:.4g})")
    return lines


def _asked(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", required=True, help="bars up to today, as for jaxrisk calibrate")
    parser.add_argument("--accounts", help="positions, as for jaxrisk calibrate")
    parser.add_argument("--open-interest", help="coins, or a file")
    parser.add_argument("--base", help="scenario whose other numbers are kept")
    parser.add_argument("--process", help="price law")
    parser.add_argument("--replications", help="of the bootstraps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="replace a key of the scenario; repeatable"
    )
    parser.add_argument("--paths", type=int, help="of the run and of each cell")
    parser.add_argument("--study", help='a study file that says scenario = "scenario.toml" (default: caps of 5, 20, none)')
    parser.add_argument("--limit", action="append", default=[], metavar="MEASURE=NUMBER", help="alert above it; repeatable")
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="of the night (default: today)")
    parser.add_argument("--out", required=True, help="folder of all nights")
    asked = parser.parse_args(words)
    for text in asked.limit:
        _limit(parser, text)
    try:
        datetime.date.fromisoformat(asked.date)
    except ValueError:
        parser.error(f"--date {asked.date}: has to be like 2026-01-31")
    return asked


def _limit(parser: argparse.ArgumentParser, text: str) -> None:
    from jaxrisk.risk.measure import Measure

    name, _, limit = text.rpartition("=")
    try:
        Measure.of(name)
        float(limit)
    except ValueError as error:
        parser.error(f"--limit {text}: has to be like mean(max_drawdown_index)=0.05 ({error})")


if __name__ == "__main__":
    sys.exit(main())

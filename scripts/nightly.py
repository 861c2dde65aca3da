"""A desk's night: calibrate on the day's files, run, study, report, and compare with the night before.

Everything of a night is in OUT/DATE: scenario.toml, calibration.html, run.nc, study/, report.html, report.json, alerts.txt.

A watched measure is an alert where the whole 95% interval of its rise is above --least-rise of last night's value. The interval
knows of the simulation's chance alone: on the same random numbers that is next to nothing, and any new calibration moves more.
Set the least rise by what calibration.html says of its standard errors.

Exit codes: 0 nothing to look at; 10 an alert, said on standard output and in alerts.txt; 5 the night is done, with numbers in it
that the data do not tell (an alert goes before; --accept-unidentified makes it 0); 2 or another of jaxrisk's where a step failed,
and those after it were not made.

    python scripts/nightly.py --prices day.csv --out nights --limit "expected_shortfall(max_drawdown_index, 0.99)=0.12"
"""

import argparse
import datetime
import json
import math
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
"""Measures whose rise is an alert."""
LEAST_RISE = 0.05
"""Of last night's value, by default: what a rise has to be beyond to be an alert."""


def main(words: list[str] | None = None) -> int:
    """The night; the exit code."""
    asked = _asked(words)
    from jaxrisk.cli import NOT_IDENTIFIED, OK, main as jaxrisk

    night = Path(asked.out) / asked.date
    night.mkdir(parents=True, exist_ok=True)
    scenario, run, study, alerts = night / "scenario.toml", night / "run.nc", night / "study", night / "alerts.txt"
    alerts.unlink(missing_ok=True)  # of an earlier try
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
            doubtful = OK if asked.accept_unidentified else code
        elif code != OK:
            print(f"the night of {asked.date} stopped at jaxrisk {name}, exit code {code}", file=sys.stderr)
            return code
    found = changed(json.loads((night / "report.json").read_text()), asked.least_rise)
    _said(alerts, found)  # before anything else may go wrong
    found += beyond(run, asked.limit)
    _said(alerts, found)
    for line in found:
        print(f"ALERT: {line}")
    return ALERT if found else doubtful


def _said(path: Path, found: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in found))


def before(out: Path, date: str) -> Path | None:
    """The run of the latest night before."""
    nights = sorted(path.parent.name for path in out.glob("????-??-??/run.nc") if path.parent.name < date)
    return out / nights[-1] / "run.nc" if nights else None


def changed(report: dict, least_rise: float = LEAST_RISE) -> list[str]:
    """Watched measures that rose since the night before, beyond chance and by more than a share of what they were."""
    lines = []
    for one in report["changes"]:
        if one["name"] in WATCHED and one["low"] is not None and one["low"] > max(least_rise * abs(one["before"]), 0.0):
            lines.append(f"{one['name']}: {one['before']:.4g} last night, {one['now']:.4g} tonight, a rise by {one['low']:.3g} "
                         f"to {one['high']:.3g} (95% interval of the simulation's chance, without the calibration's errors), "
                         f"beyond the least of {least_rise:.3g} of last night's")  # fmt: skip
    return lines


def beyond(run: Path, limits: list[str]) -> list[str]:
    """Measures that are above their limit, with confidence or without, and those of which that cannot be told."""
    from jaxrisk.report import Result
    from jaxrisk.risk.measure import Measure

    lines, result = [], Result.load(run)
    for text in limits:
        name, _, limit = text.rpartition("=")
        measure = Measure.of(name)
        level = () if measure.statistic == "mean" else (measure.level,)
        try:
            one = result.measure(measure.observable, measure.statistic, *level)
        except ValueError as error:  # too few paths, or nothing that is called so in this run
            lines.append(f"whether {name} is above {limit} cannot be told: {error}")
            continue
        if not one.value <= float(limit):
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
    parser.add_argument("--least-rise", type=float, default=LEAST_RISE, metavar="SHARE",
                        help=f"of last night's value; a rise within it is no alert (default: {LEAST_RISE})")  # fmt: skip
    parser.add_argument(
        "--accept-unidentified", action="store_true", help="exit code 0, not 5, where the data do not tell a number"
    )
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="of the night (default: today)")
    parser.add_argument("--out", required=True, help="folder of all nights")
    asked = parser.parse_args(words)
    for text in asked.limit:
        _limit(parser, text)
    if not (math.isfinite(asked.least_rise) and asked.least_rise >= 0.0):
        parser.error(f"--least-rise {asked.least_rise}: has to be a share of 0 or more, such as 0.05")
    try:
        asked.date = datetime.date.fromisoformat(asked.date).isoformat()
    except ValueError:
        parser.error(f"--date {asked.date}: has to be like 2026-01-31")
    return asked


def _limit(parser: argparse.ArgumentParser, text: str) -> None:
    from jaxrisk.observables import OBSERVABLES, unknown
    from jaxrisk.risk.measure import Measure

    name, _, limit = text.rpartition("=")
    try:
        measure = Measure.of(name)
        if not math.isfinite(float(limit)):
            raise ValueError(f"{limit} is no limit")
        base = measure.observable.partition("[")[0]
        if base not in OBSERVABLES:
            raise unknown("observable", base, OBSERVABLES)
    except ValueError as error:
        parser.error(f"--limit {text}: has to be like mean(max_drawdown_index)=0.05 ({error})")


if __name__ == "__main__":
    sys.exit(main())

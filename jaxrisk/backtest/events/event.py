"""An unwind as it happened: what was known before it, and what was observed after."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...data.open_interest import read_daily
from ...data.price_file import PriceFile, read_price_file
from ...paths import exists, likely, names_in, shipped
from ...problems import ConfigError, Problem, Report, nearest
from ...toml import read_toml
from ..known import DAY, alarm, drawdown, hourly, known_at, median_daily_volume, realised_volatility
from .check import GRID, check_keys, check_window, unused
from .keys import Reported, read_keys

_LOW_TOLERANCE = 0.05


class Before(NamedTuple):
    """What was known at the start.

    **Fields:** `open_interest`: coins, all venues, one side; `open_interest_at`: when; `venue_share`: of the volume of all
    venues, that of the history file; `daily_volume`: USD a day, all venues; `volatility`: of a year; `depth`: USD, or None;
    `funding`: rate of 8 hours, or None; `venues`: shares of open interest by name, or None.
    """

    open_interest: float
    open_interest_at: np.datetime64
    venue_share: float
    daily_volume: float
    volatility: float
    depth: float | None = None
    funding: float | None = None
    venues: dict[str, float] | None = None


class Observed(NamedTuple):
    """What was observed.

    **Fields:** `drawdown`: largest fall from the highest close since the start; `low`: lowest close, USD, and `low_at`;
    `rebound`: highest close after the low over the low, less 1, on the same grid; `open_interest_loss`: fraction of coins, or
    None; `long_share` of reported liquidations, or None; `reported`: liquidations as reported.
    """

    drawdown: float
    low: float
    low_at: np.datetime64
    rebound: float
    open_interest_loss: float | None
    long_share: float | None
    reported: tuple[Reported, ...]


@dataclass(frozen=True)
class Event:
    """An unwind. `history` and `open_interest_history` (days, and coins at the end of each) end at the start: what came later
    is only in what `given`, `path` and `observed` return.

    **Fields:** `file`: the event's; `start`: UTC; `horizon`, `given_span`, `rebound_span`: seconds; `scenario`: whose leverage,
    tiers and mechanics are used; `findings`: sentences on the files.
    """

    file: str
    name: str
    title: str
    asset: str
    scenario: str
    sources: tuple[str, ...]
    start: np.datetime64
    horizon: int
    given_span: int
    rebound_span: int
    before: Before
    history: PriceFile
    open_interest_history: tuple[np.ndarray, np.ndarray] | None
    findings: tuple[str, ...]
    _prices: PriceFile
    _after: dict[str, Any]

    @property
    def grid(self) -> int:
        """Seconds between the prices of `given` and `path`: five minutes, or the file's step where that is longer."""
        return max(GRID, self._prices.step)

    @property
    def price(self) -> float:
        """Last close at the start, USD."""
        return float(math.exp(_at(self._prices, self.start, 0, self.grid)[0]))

    @property
    def covered(self) -> int:
        """Seconds from the start to the file's last close."""
        return int((self._prices.closes()[0][-1] - self.start).astype(np.int64))

    @property
    def open_interest_until(self) -> np.datetime64 | None:
        """When open interest is compared with what it was; None where it was not observed."""
        return self._after["open_interest_at"]

    def given(self) -> np.ndarray:
        """Log prices since the start over the beginning that a conditional forecast is given, the start's 0 first."""
        return self.path(self.given_span)

    @property
    def bar(self) -> int:
        """Seconds of a bar of the price file."""
        return self._prices.step

    def path(self, seconds: int | None = None, grid: int | None = None) -> np.ndarray:
        """Log prices since the start at 0, `grid` (the event's own), ... seconds, up to `seconds` (the horizon): the last close
        by then."""
        closes = _at(self._prices, self.start, self.horizon if seconds is None else seconds, grid or self.grid)
        return closes - closes[0]

    def observed(self) -> Observed:
        """What a forecast is scored on."""
        closes = _at(self._prices, self.start, self.horizon, self.grid)
        place = int(np.argmin(closes))
        low_at = self.start + np.timedelta64(place * self.grid, "s")
        until = min(place * self.grid + self.rebound_span, max(self.covered, self.horizon))
        after = _at(self._prices, self.start, until, self.grid)[place + 1 :]
        rebound = math.expm1(float(np.max(after)) - closes[place]) if len(after) else math.nan
        loss, known = None, self._after
        if known["open_interest"] is not None:
            loss = 1.0 - known["open_interest"] / (known["open_interest_from"] or self.before.open_interest)
        low, share = math.exp(closes[place]), known["long_share"]
        return Observed(drawdown(closes), low, low_at, max(rebound, 0.0), loss, share, known["liquidations"])


def read_event(path: str | Path, data: str | Path = ".") -> Event:
    """An event file, and the price files it names.

    **Arguments:** `path`: a TOML file, or the name of a shipped event (`"2024-08-05"`); `data`: the folder that the price files
    are relative to.

    Raises `ConfigError` with all problems at once.
    """
    file = _find(path)
    document, problem = read_toml(file)
    if document is None:
        raise ConfigError([problem] if problem else [])
    report = Report(str(path))
    tables = read_keys(document, report)
    check_keys(tables, report)
    prices = {key: _prices(tables["prices"], key, Path(data), file, report) for key in ("file", "history")}
    start, findings = tables["window"]["start"], []
    daily = _daily(tables["prices"]["open_interest"], Path(data), file, start, report)
    if start is not None and prices["file"] is not None:
        check_window(prices["file"], tables, report, findings)
    history = prices["history"]
    before = None
    if start is not None and history is not None:
        findings += [f"{history.name}: {text}" for text in history.findings]
        history = hourly(known_at(history, start))
        before = _before(history, tables["before"], start, report)
    if report.problems or before is None or history is None or prices["file"] is None:
        raise ConfigError(report.problems)
    findings += [f"{prices['file'].name}: {text}" for text in prices["file"].findings]
    findings += [f"{tables['']['name']}: {text}" for text in unused(tables)]
    top, window = tables[""], tables["window"]
    spans = window["horizon"], window["given"], window["rebound"]
    title = top["title"] or top["name"]
    event = Event(
        str(path), top["name"], title, top["asset"], top["scenario"], top["sources"], start, *spans, before, history,
        daily, tuple(findings), prices["file"], tables["after"],
    )  # fmt: skip
    return event if tables["after"]["low"] is None else _with_low(event, tables["after"]["low"])


def overlaps(one: Event, other: Event) -> bool:
    """Whether what is observed of the one says something of the other: the same name, or windows from the start to a day after
    the horizon that have a time in common, whatever the asset, since assets fall together."""
    day = np.timedelta64(DAY, "s")
    first, last = sorted((one, other), key=lambda event: event.start)
    return one.name == other.name or last.start < first.start + np.timedelta64(first.horizon, "s") + day


def shipped_events() -> list[str]:
    """Names of the events that ship."""
    return sorted(one.stem for one in (shipped() / "events").glob("*.toml"))


def _find(path: str | Path) -> Path:
    """The file itself, or the shipped event of that name."""
    folder, name = shipped() / "events", str(path)
    if exists(Path(path)):
        return Path(path)
    near = folder / (name if name.endswith(".toml") else f"{name}.toml")
    if Path(path).name == name and exists(near):
        return near
    known = shipped_events()
    text = f"no such file, nor one of the shipped events ({', '.join(known)})"
    raise ConfigError([Problem(name, "", None, text, likely(name, known))])


def _place(name: str, key: str, data: Path, file: Path, report: Report) -> Path | None:
    """A file, looked for in the data folder and then beside the event file."""
    tried = [data / name, file.parent / name]
    found = next((place for place in tried if exists(place)), None)
    if found is None:
        folder = tried[0].parent
        beside = {one: str(Path(name).parent / one) for one in names_in(folder)}
        near = beside.get(nearest(Path(name).name, beside) or "")
        above = Path(data).absolute().parent
        give = f"it is there from the folder above: --data {above}" if exists(above / name) else "give its folder with --data"
        report.add(f"prices.{key}", name, f"no such file in the data folder {data}; {give}", near)
    return found


def _prices(table: dict[str, Any], key: str, data: Path, file: Path, report: Report) -> PriceFile | None:
    """A price file."""
    found = None if table[key] is None else _place(table[key], key, data, file, report)
    try:
        return None if found is None else read_price_file(found, zone=table["zone"])
    except ConfigError as error:
        report.problems += error.problems
        return None


def _daily(name: str | None, data: Path, file: Path, start: np.datetime64 | None, report: Report):
    """Days that had ended at the start, with the open interest then."""
    found = None if name is None else _place(name, "open_interest", data, file, report)
    if found is None or start is None:
        return None
    try:
        days, coins = read_daily(found)
    except ConfigError as error:
        report.problems += error.problems
        return None
    known = days + np.timedelta64(1, "D") <= start
    return days[known], coins[known]


def _before(history: PriceFile, table: dict[str, Any], start: np.datetime64, report: Report) -> Before | None:
    """What was known, from the file's keys and for the rest from the history up to the start."""
    values = dict(table)
    if values["volatility"] is None:
        values["volatility"] = realised_volatility(history, start)
        if math.isnan(values["volatility"]):
            report.add(
                "prices.history", history.name, "has less than half of the 30 days before the start; give before.volatility"
            )
    if values["daily_volume"] is None and values["venue_share"] is not None:
        values["daily_volume"] = median_daily_volume(history, start) / values["venue_share"]
        if not values["daily_volume"] > 0.0:
            report.add("prices.history", history.name, "has no volume before the start; give before.daily_volume")
    return None if report.problems else Before(**values)


def _with_low(event: Event, low: float) -> Event:
    """The event, with a finding where the low that the file names is not that of the prices."""
    seen = float(np.min(event._prices.between(event.start, event.start + np.timedelta64(event.horizon, "s")).low))
    if abs(seen / low - 1.0) <= _LOW_TOLERANCE:
        return event
    from dataclasses import replace

    text = f"after.low is {low:,.6g}, the low in {event._prices.name} {seen:,.6g}: more than 5% apart"
    return replace(event, findings=(*event.findings, text))


def _at(prices: PriceFile, start: np.datetime64, seconds: int, grid: int) -> np.ndarray:
    """Log of the last close at or before the start and every `grid` seconds after it."""
    closed, log_price = prices.closes()
    times = start + np.arange(0, seconds + 1, grid).astype("timedelta64[s]")
    return log_price[np.searchsorted(closed, times, "right") - 1]


__all__ = [
    "Before", "Event", "Observed", "alarm", "drawdown", "known_at", "median_daily_volume", "overlaps", "read_event",
    "realised_volatility", "shipped_events",
]  # fmt: skip

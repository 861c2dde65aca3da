"""Funding payments of a perpetual contract from a file: what longs paid shorts, and what that is a year."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter

from ..paths import exists, names_in, stem
from ..problems import ConfigError, Problem, Report, counted, nearest
from .columns import Columns
from .containers import is_pattern
from .many import note_symbols
from .names import FUNDING
from .open_interest import LARGEST, STAYS
from .read import Wish, read_table
from .times import read_moments

YEAR = 8760.0
"""Hours."""
MOST = 0.1
"""Of a payment. Venues cap it at 0.04 or less; a rate in percent is above."""
DEAR, RARE = 0.002, 0.0005
"""Of eight hours: half of all rates above the first are of no market, but in percent; above the second, 55% a year, of few."""
SHORTEST = 0.9
"""Hours between payments; of an hour, some come a minute early."""
BLOCK, FEWEST = 60.0, 4
"""Days in which payments depend on each other, and such blocks below which their mean has no error worth stating."""


class Funding(NamedTuple):
    """Payments of one contract.

    **Fields:** `time`: when each was paid, UTC, `datetime64[s]`, rising; `rate`: of notional, what longs paid shorts, below 0
    where shorts paid; `hours`: what each is for; `sample`: file and dates; `findings`: sentences.
    """

    time: np.ndarray
    rate: np.ndarray
    hours: np.ndarray
    sample: str
    findings: tuple[str, ...]

    def mean(self) -> tuple[float, float]:
        """Mean rate a year, and its standard error by the bootstrap of moving blocks of 60 days (Kunsch, 1989), NaN where there
        are fewer than four."""
        mean = float(self.rate.sum() / self.hours.sum() * YEAR)
        count = len(self.rate)
        block = max(1, round(24.0 * BLOCK / float(self.hours.mean())))
        if count < FEWEST * block:
            return mean, math.nan
        draws = 400
        first = np.random.default_rng(1).integers(0, count - block + 1, (draws, -(-count // block)))
        sums = [np.concatenate([[0.0], np.cumsum(part)]) for part in (self.rate, self.hours)]
        rate, hours = (np.sum(total[first + block] - total[first], axis=1) for total in sums)
        return mean, float(np.std(rate / hours * YEAR, ddof=1))

    def words(self) -> str:
        """The mean rate a year in words."""
        mean, error = self.mean()
        about = f"s.e. {error:.2g}" if math.isfinite(error) else f"no s.e. from under {FEWEST * BLOCK:.0f} days"
        return f"mean funding rate {mean:.4g} a year ({about}), longs to shorts"


def read_funding(
    path: str | Path, *, columns: dict[str, str] | None = None, zone: str = "UTC", day_first: bool = False
) -> Funding:
    """Payments of a file, a folder or a pattern, in any form of `docs/data.md`: archives' files, answers of interfaces, ccxt's.

    **Arguments:** `columns`: by our names, the file's own; `zone`, `day_first`: of times, as for prices.

    Put right, with a finding: rows in any order, rows that stand twice, empty cells, times off the minute. Left as they
    are, with a finding: payments of 0, and gaps. Raises `ConfigError` with every problem by line: words in place of numbers, two
    rates for one time, rates that are beyond what venues pay, and a change of unit.
    """
    report, findings = Report(str(path)), []
    if not exists(Path(path)) and not is_pattern(Path(path).name):
        raise ConfigError([Problem(str(path), "", None, "no such file", nearest(Path(path).name, names_in(Path(path).parent)))])
    table = read_table(Path(path), report, Wish(FUNDING, columns or {}, ("time", "funding_rate"), key="--columns"))
    times = None
    if table is not None:
        note_symbols(table)
        times = read_moments(table, zone, findings, day_first=day_first, whole_seconds=False)
    if table is None or times is None:
        raise ConfigError(report.problems)
    rates = table.numbers_where_stated("funding_rate")
    table.note("funding_rate", np.flatnonzero(np.abs(rates) > MOST), "is beyond what any venue pays; a rate is a fraction, such "
               "as 0.0001")  # fmt: skip
    known = np.flatnonzero(np.isfinite(rates))
    if not len(known) and not report.problems:
        table.report.add_in(table.file, "funding_rate", None, "has no number in it", missing=True)
    minutes = (times + np.timedelta64(30, "s")).astype("datetime64[m]")
    _, first, place = np.unique(minutes[known], return_index=True, return_inverse=True)
    before, once = known[first][place.reshape(-1)], known[first]
    other = rates[known] != rates[before]
    if np.any(other):
        row = int(known[other][0])
        text = f"has another rate at the same time in {table.where(int(before[other][0]), row)}; one row a time"
        table.note("time", known[other], text)
    hours = _hours(table, once, minutes[once], findings) if not report.problems else np.zeros(len(once))
    if not report.problems:
        _units(table, once, rates[once] / hours * 8.0, findings)
    if report.problems:
        raise ConfigError(report.problems)
    findings += _left_out(table, rates, len(known) - len(once)) + _gaps(minutes[once], hours)
    kept = minutes[once].astype("datetime64[s]")
    sample = f"{stem(path)}, {len(once):,} payments, {str(kept[0])[:10]} to {str(kept[-1])[:10]}"
    return Funding(kept, rates[once], hours, sample, tuple(([table.read_as] if table.said else []) + findings))


def _hours(table: Columns, once: np.ndarray, minutes: np.ndarray, findings: list[str]) -> np.ndarray:
    """For how long each payment is: as the file says, else the usual distance of its rows, which is said."""
    apart = np.diff(minutes).astype(np.int64) / 60.0
    if "funding_interval_hours" in table.values:
        said = table.numbers("funding_interval_hours", "has to be a number of hours")
        table.note("funding_interval_hours", np.flatnonzero(~((said > 0.0) & (said <= 24.0)) & np.isfinite(said)),
                   "has to be above 0 and at most 24 (hours)")  # fmt: skip
        hours = said[once]
        if not table.bad and len(apart) and float(np.median(apart)) < 0.9 * float(np.median(hours)):
            text = f"is more than rows are apart, {np.median(apart):g}: are these payments, or forecasts of the next one?"
            table.note("funding_interval_hours", once[:1], text)
        return hours
    if not len(apart):
        text = "is the only payment: a second one, or a column funding_interval_hours, has to say for how long it is"
        table.note("time", once, text)
        return np.ones(len(once))
    usual = median_filter(apart, 2 * STAYS + 1, mode="reflect")
    forecasts = "payments are at least an hour apart: are these forecasts of the next one?"
    for wrong, text in ((usual > 24.0, "payments are at most 24 hours apart"), (usual < SHORTEST, forecasts)):
        for size in usual[wrong][:1]:
            table.note("time", once[1:][wrong], f"is {size:g} hours after the row before; {text}")
    findings += _intervals(minutes, usual)
    # a venue may pay more often for a while: a payment is for the time since the one before, where that is less
    return np.concatenate([usual[:1], np.minimum(apart, usual)])


def _intervals(minutes: np.ndarray, usual: np.ndarray) -> list[str]:
    """Sentences on how far most rows are apart, from which day on."""
    changes = np.flatnonzero(np.abs(np.diff(np.log(usual))) > 0.1) + 1
    later = [f"from {str(minutes[i + 1])[:10]} on {usual[i]:g}" for i in changes[:6]]
    more = f", and {len(changes) - 6:,} more changes" if len(changes) > 6 else ""
    said = [f"payments every {usual[0]:g} hours, {''.join(f'{one}, ' for one in later)}as most rows are apart{more}"]
    if usual.min() < 2.0:
        said.append(
            "hourly rows are taken for hourly payments; of rates for eight hours, seen every hour, the mean would be eightfold"
        )
    return said


def _units(table: Columns, once: np.ndarray, rates: np.ndarray, findings: list[str]) -> None:
    """Note what comes from some row on, or the file, whose rates are in another unit: `rates` are of eight hours."""
    sizes = np.abs(rates)
    for row in (np.flatnonzero(np.diff(sizes > DEAR)) + 1).tolist():
        before, after = sizes[max(0, row - STAYS) : row], sizes[row : row + STAYS]
        middle = float(np.median(before)), float(np.median(after))
        enough = min(len(before), len(after)) > STAYS // 2
        if enough and max(middle) > DEAR and max(middle) > LARGEST * min(middle):
            text = f"rates of eight hours go from {middle[0]:.2g} to {middle[1]:.2g} there, and stay: a change of unit"
            table.note("funding_rate", once[[row]], f"{text}; use rows of one")
            return
    middle = float(np.median(sizes))
    text = f"half of all rates are above {middle / 8.0 * YEAR:.0%} a year: are they in percent?"
    if middle > DEAR:
        table.note("funding_rate", once[[int(np.argmax(sizes))]], f"{text} Fractions are needed")
    elif middle > RARE:
        findings.append(f"{text} They are taken for fractions")


def _left_out(table: Columns, rates: np.ndarray, twice: int) -> list[str]:
    """Sentences on rows without a rate, of 0, and that stand twice."""
    said = []
    absent, zero = np.flatnonzero(np.isnan(rates)), np.flatnonzero(rates == 0.0)
    for rows, what in (
        (absent, ("row without a rate left out", "rows without a rate left out")),
        (zero, ("rate of 0", "rates of 0")),
    ):
        if len(rows):
            file, line = table.place(int(rows[0]))
            said.append(f"{counted(len(rows), *what)}, the first in {line}" + (f" of {file}" if table.parts else ""))
    return said + ([f"{counted(twice, 'row that stands', 'rows that stand')} twice counted once"] if twice else [])


def _gaps(minutes: np.ndarray, hours: np.ndarray) -> list[str]:
    """A sentence on payments that are missing, none where there are none."""
    apart = np.diff(minutes).astype(np.int64) / 60.0
    usual = np.maximum(hours[1:], hours[:-1])
    rows = np.flatnonzero(apart > 1.5 * usual)
    if not len(rows):
        return []
    longest = rows[np.argmax(apart[rows])]
    missing = int(np.sum(np.round(apart[rows] / usual[rows]) - 1))
    what = "1 gap" if len(rows) == 1 else f"{len(rows):,} gaps"
    return [f"{what}, {missing:,} payments missing, the longest from {minutes[longest]}Z to {minutes[longest + 1]}Z"]


__all__ = ["Funding", "read_funding"]

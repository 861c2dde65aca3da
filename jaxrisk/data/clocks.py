"""Clocks that are put forward and back: whether times are local ones that do not say so."""

from zoneinfo import ZoneInfo

import numpy as np

_CLOCKS = ("Europe/Berlin", "America/New_York")  # the dates on which clocks change in most of the world that changes them
LOCAL = "these are local times of a place that changes its clocks: write them in UTC, or say which zone they are in"


def clock_changes(years: range) -> tuple[set[np.datetime64], set[np.datetime64]]:
    """Days on which clocks are put forward, and days on which they are put back, in Europe or in North America.

    >>> forward, back = clock_changes(range(2024, 2025))
    >>> sorted(str(day) for day in forward), sorted(str(day) for day in back)
    (['2024-03-10', '2024-03-31'], ['2024-10-27', '2024-11-03'])
    """
    import pandas as pd

    forward, back = set(), set()
    for zone in map(ZoneInfo, _CLOCKS):
        for year in years:
            days = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq="D")
            offset = [day.replace(tzinfo=zone).utcoffset() for day in days.to_pydatetime()]
            for before, after, day in zip(offset[:-1], offset[1:], days[:-1], strict=True):
                if before != after and before is not None and after is not None:
                    (forward if after > before else back).add(np.datetime64(day.date(), "D"))
    return forward, back


def set_clocks(moments: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows at which an hour is left out on a day in spring, and rows at which the time goes back by an hour in autumn.

    Together, or the second alone, they are the mark of local times. `moments` in the file's order, `step` in seconds.
    """
    if len(moments) < 2 or step > 3600:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    jump = np.diff(moments).view(np.int64)
    either = np.flatnonzero((jump == step + 3600) | (jump == step - 3600)) + 1
    if not len(either):
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    days = moments[either].astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(int) + 1970
    forward, back = clock_changes(range(int(years.min()), int(years.max()) + 1))
    hour = moments[either].astype("datetime64[h]").astype(int) % 24
    early = (hour >= 1) & (hour <= 3)
    missing = (jump[either - 1] == step + 3600) & early & np.isin(days, list(forward))
    doubled = (jump[either - 1] == step - 3600) & early & np.isin(days, list(back))
    return either[missing], either[doubled]


__all__ = ["LOCAL", "clock_changes", "set_clocks"]

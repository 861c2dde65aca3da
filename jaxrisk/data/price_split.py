"""Splits and changes of unit in a price series: a jump between two bars by a round ratio that stays."""

import math

import numpy as np

_RATIOS = np.array(sorted({*range(2, 21), 1.5, 2.5, 25, 30, 40, 50, *(10.0**k for k in range(2, 10))}))
_REACH = 100
_STAYS = 24
_DEVIATIONS = 10.0
_LARGE = 1.4
"""Ratio of an open to the last close below which no round number is meant."""


def find_adjustments(moments: np.ndarray, step: int, opening: np.ndarray, close: np.ndarray) -> list[tuple[int, str]]:
    """Rows before which prices were divided or multiplied by a round number, each with the ratio in words.

    A row is one if its open over the last close is within two local standard deviations (at least 1%) of a small whole number,
    of 3:2 or 5:2, or of a power of ten; if that jump is more than ten local standard deviations (of a bar, from the median of
    absolute returns of 100 bars on each side, times the root of the bars that a gap leaves out); and if the median of the next
    24 closes stands to that of the last 24 as the ratio, within a third of it on the log scale.
    """
    ratio = opening[1:] / close[:-1]
    large = np.flatnonzero((ratio > _LARGE) | (ratio < 1.0 / _LARGE))
    if not len(large):
        return []
    log_close = np.log(close)
    bars = np.diff(moments).astype(int) / step
    moves = np.abs(np.diff(log_close))
    jump = np.log(opening[1:]) - log_close[:-1]
    found = []
    for i in large:
        near = np.concatenate([moves[max(0, i - _REACH) : i], moves[i + 1 : i + 1 + _REACH]])
        if not len(near):
            continue
        deviation = 1.4826 * float(np.median(near)) * math.sqrt(bars[i])
        ratio = math.exp(abs(jump[i]))
        nearest = float(_RATIOS[np.argmin(np.abs(np.log(_RATIOS / ratio)))])
        round_number = abs(math.log(nearest / ratio)) < max(0.01, 2.0 * deviation)
        stays = np.median(log_close[i + 1 : i + 1 + _STAYS]) - np.median(log_close[max(0, i + 1 - _STAYS) : i + 1])
        lasting = abs(stays - jump[i]) < abs(jump[i]) / 3.0
        if abs(jump[i]) > _DEVIATIONS * deviation and round_number and lasting:
            found.append((int(i) + 1, f"{'1:' if jump[i] < 0 else ''}{nearest:g}{':1' if jump[i] > 0 else ''}"))
    return found


__all__ = ["find_adjustments"]

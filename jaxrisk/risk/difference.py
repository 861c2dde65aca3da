r"""How a measure of one run differs from that of another on the same random numbers, path by path.

The paths of both are driven by the same noise, so that what one has of it by chance the other has too: the error of the
difference is that of the differences of what each path adds to both measures, $\psi_i - \psi'_i$, often a small part of either's
own.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .estimate import Estimate, TooFewPathsError, checked, clopper_pearson
from .ranks import enough_beyond, rank_of
from .replicates import of_spread
from .stream import Stream, influence_estimate

STATISTICS = ("mean", "expected_shortfall", "exceedance_probability")
"""What each path adds to is known without a density, as a quantile's is not."""


class Support(NamedTuple):
    """What a difference rests on: `paths` in all; `differing`: those that do not add the same to both; `effective`: how many its
    spread rests on; `at_most`: the upper end of the 95% interval of the share of differing paths."""

    paths: int
    differing: int
    effective: float
    at_most: float

    def stands(self, found: Estimate) -> bool:
        """Whether the difference's interval can be stood behind."""
        from .slopes.curve import stands  # here: scipy's optimisers take time that starting a command should not wait for

        return stands(self.effective, found.standard_error, found.value)


def difference(
    first: Any, second: Any, statistic: str = "mean", level: float | None = None, confidence: float = 0.95, replicates: int = 1
) -> Estimate:
    """A measure of the second losses less that of the first.

    **Arguments:**

    - `first`, `second`: shape `(paths,)`, finite, or a `stream.Stream`: path i of both on the same random numbers.
    - `statistic`: one of `STATISTICS`; `level`: of an expected shortfall, or the loss that is exceeded.
    - `replicates`: $R$, where paths within one are not independent: path i belongs to replicate i mod R. The error is then the
      spread of the replicates' own differences, as in `jaxrisk.risk.replicates`.

    **Raises:** `ValueError` for another statistic, a level that is missing or wrong, and numbers of paths that differ.

    >>> difference([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])[:2]
    (0.5, 0.0)
    """
    one, other, parts = _parts(first, second, statistic, level, confidence)
    whole = influence_estimate(parts, one.size, math.nan if level is None else float(level), confidence)
    if replicates < 2:
        return whole
    of = lambda losses, r: losses.every(r, replicates) if isinstance(losses, Stream) else losses[r::replicates]
    try:
        each = [difference(of(one, r), of(other, r), statistic, level, confidence).value for r in range(replicates)]
    except TooFewPathsError:
        return whole
    error, reach = of_spread(np.array(each), confidence)
    if not error > 0.0 or 0.0 in each:  # one sees nothing: as if paths were independent
        return whole
    return whole._replace(standard_error=float(error), low=whole.value - reach, high=whole.value + reach)


def support(first: Any, second: Any, statistic: str = "mean", level: float | None = None) -> Support:
    """On how many paths a `difference` rests; arguments and errors as there.

    >>> support([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0])[:3]
    (4, 1, 1.7142857142857142)
    """
    one, _, parts = _parts(first, second, statistic, level, 0.95)
    n, differing, total = int(one.size), 0, 0.0
    for part in parts():
        differing += int(np.count_nonzero(part))
        total += float(part.sum())
    second_moment, fourth = 0.0, 0.0
    for part in parts():
        squares = np.square(part - total / n)
        second_moment += float(squares.sum())
        fourth += float(np.square(squares).sum())
    effective = second_moment**2 / fourth if fourth > 0.0 else 0.0
    return Support(n, differing, effective, float(clopper_pearson(differing, n, 0.95)[1]))


def _parts(first: Any, second: Any, statistic: str, level: float | None, confidence: float) -> tuple[Any, Any, Callable]:
    """Both losses, and what yields the differences of what each path adds."""
    if statistic not in STATISTICS:
        raise ValueError(f"statistic = {statistic!r}: {', '.join(STATISTICS)} can be compared path by path")
    if (level is None) != (statistic == "mean"):
        raise ValueError(f"{statistic} {'needs a' if level is None else 'has no'} level")
    one, other = (losses if isinstance(losses, Stream) else checked(losses, None, confidence)[0] for losses in (first, second))
    if one.size != other.size:
        raise ValueError(f"losses of {one.size:,} and of {other.size:,} paths: differences need one number of paths")
    if one.size < 2:
        raise TooFewPathsError("a difference of 1 path has no standard error", 2)
    adds = [_influence(losses, statistic, level) for losses in (one, other)]
    streams = [losses if isinstance(losses, Stream) else Stream(lambda given=losses: iter([given]), losses.size)
               for losses in (one, other)]  # fmt: skip
    return one, other, lambda: (adds[1](b) - adds[0](a) for a, b in _together(*streams))


def _influence(losses: Any, statistic: str, level: float | None) -> Callable[[np.ndarray], np.ndarray]:
    """What each path adds to the measure, the mean of which is the measure."""
    if statistic == "mean" or level is None:
        return lambda part: part
    if statistic == "exceedance_probability":
        return lambda part: (part > level).astype(np.float64)
    checked(np.zeros(1), None, 0.5, level)
    enough_beyond(losses.size, level, losses.size * (1.0 - level))
    rank = rank_of(losses.size, level)
    threshold = float(losses.order_statistics([rank])[0] if isinstance(losses, Stream) else np.partition(losses, rank)[rank])
    return lambda part: threshold + np.maximum(part - threshold, 0.0) / (1.0 - level)


def _together(first: Stream, second: Stream):
    """The parts of both cut alike."""
    left, right = iter(first.parts()), iter(second.parts())
    a, b = np.zeros(0), np.zeros(0)
    while True:
        a = next(left, a) if not a.size else a
        b = next(right, b) if not b.size else b
        count = min(a.size, b.size)
        if not count:
            return
        yield a[:count], b[:count]
        a, b = a[count:], b[count:]


__all__ = ["STATISTICS", "Support", "difference", "support"]

r"""A measure as a curve in one parameter, and its slope at the point with an interval that includes bias.

The measure is taken at several values on both sides with the same random numbers (`rerun.py`): near runaway, paths from anywhere
jump into the tail. A difference over a window $h$ is off by its curvature there, and the narrower the window the more the jumps
of single paths make of its standard error. Each candidate, a difference or an extrapolation of two, is a combination $c^\top M$
of the curve with standard error $s$, and the next narrower one tells its bias $b$, with error $s_b$. A small $b$ may be chance:
it is taken as at least what each wider window's says at its power of the window, and the bound is
$B^2 = b^2 + (\mathrm{CAUTION}\,s_b)^2$. The interval is
$c^\top M \pm \mathrm{cv}(B/s)\,s$, where cv is the 95% point of $|N(B/s, 1)|$ (Armstrong and Kolesár, 2020, Simple and honest
confidence intervals in nonparametric regression), and the candidate with the shortest is taken.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

CAUTION = 0.6
"""Standard errors of a measured bias that are added to it, chosen on sixteen markets, eleven of them drawn at random: intervals
covered 96% on average; with 0.4, 95%, and less than 92% in more of the rows; with 0.8, 98%."""
MOST_BIAS = 1.0
"""Standard errors of bias above which a candidate is taken only where none has less."""
LEAST_EFFECTIVE = 8.0
"""Fewest paths that a slope's standard error can rest on, counted by the fourth moment of what they contribute."""
NEGLIGIBLE = 0.05
"""Share of a value below which an error that rests on fewer matters little."""
KINK = 4.0
"""Half-lengths of its interval by which left and right slope have to differ for it to be called a kink."""

Z = 1.959963984540054
CENTRAL, ONE_SIDED, JUMP = (2, 4), (1, 2), (1, 3)
"""Powers of the window in the errors of a difference and of its extrapolation. Where the first is one, a difference alone is
never good enough."""


class Curve(NamedTuple):
    """A measure at several values of a parameter.

    **Fields:** `offsets` from the parameter's value, rising, zero among them, shape `(values,)`; `measure` there; `scores`: what
    each path adds to the mean of the measure, shape `(values, paths)`; `resolution`: of one path more across a level, in the
    measure's unit, 0 where it is none.
    """

    offsets: np.ndarray
    measure: np.ndarray
    scores: np.ndarray
    resolution: float


class Slope(NamedTuple):
    """A combination of a curve's values: `value`; `half`: of its 95% interval, with bias; `error`: of sampling; `bias`: its
    bound; `effective`: paths that it rests on; `window`: the widest offset used; `extrapolated`: from two windows; `weights`
    of the curve's values, shape `(values,)`."""

    value: float
    half: float
    error: float
    bias: float
    effective: float
    window: float
    extrapolated: bool
    weights: np.ndarray

    @property
    def standard_error(self) -> float:
        """Half of the interval over 1.96; NaN where it rests on too few paths to stand behind."""
        return self.half / Z if stands(self.effective, self.half / Z, self.value) else math.nan


class _Candidate(NamedTuple):
    """A combination of a curve's values for its slope: `weights`, `of_bias`: those of its bias; `power` of the `window` in it."""

    weights: np.ndarray
    of_bias: np.ndarray
    window: float
    power: int
    extrapolated: bool


def slope(found: Curve) -> Slope:
    """The derivative at the point: of differences over both sides, or over the one that there is.

    >>> x = np.array([-0.16, -0.08, -0.04, -0.02, 0.0, 0.02, 0.04, 0.08, 0.16])
    >>> noise = np.random.default_rng(1).normal(size=2000)
    >>> scores = np.exp(x)[:, None] * (1.0 + 0.1 * noise)
    >>> got = slope(Curve(x, scores.mean(axis=1), scores, 0.0))
    >>> got.window, abs(got.value - 1.0) < got.half
    (0.16, True)
    """
    return _shortest(found, _central(found) or _right(found) or _left(found))


def _central(found: Curve) -> list[_Candidate]:
    """Differences over both sides, narrowest first."""
    return _candidates(found, lambda h, at: (at(h) - at(-h)) / (2.0 * h), CENTRAL, (1, -1))


def _right(found: Curve) -> list[_Candidate]:
    """Differences to the right."""
    return _candidates(found, lambda h, at: (at(h) - at(0.0)) / h, ONE_SIDED, (1,))


def _left(found: Curve) -> list[_Candidate]:
    """Differences to the left."""
    return _candidates(found, lambda h, at: (at(0.0) - at(-h)) / h, ONE_SIDED, (-1,))


def kink(found: Curve) -> tuple[Slope, Slope] | None:
    """Left and right slope where they differ, as at a leverage at which a class gathers or a tier's edge; else None."""
    jumps = _candidates(found, lambda h, at: (at(h) - 2.0 * at(0.0) + at(-h)) / h, JUMP, (1, -1))
    if not jumps:
        return None
    jump = _shortest(found, jumps)
    if math.isnan(jump.standard_error) or abs(jump.value) <= KINK * jump.half:
        return None
    return _shortest(found, _left(found)), _shortest(found, _right(found))


def _candidates(found: Curve, difference, powers: tuple[int, int], sides: tuple[int, ...]) -> list[_Candidate]:
    """Every difference, and extrapolation of two, whose bias a narrower one tells; narrowest first."""
    scale = np.abs(found.offsets).max()
    place = {round(float(by / scale), 9): k for k, by in enumerate(found.offsets)}
    unit = np.eye(len(found.offsets))
    at = lambda by: unit[place[round(float(by / scale), 9)]]
    windows = sorted({abs(float(by)) for by in found.offsets if by})
    inside = [h for h in windows if all(round(side * h / scale, 9) in place for side in sides)]
    made, before, wider = [], None, None
    for k, h in enumerate(inside):
        here = difference(h, at)
        if before is not None:
            ratio = inside[k - 1] / h
            bias = (here - before) / (1.0 - ratio ** powers[0])
            better = here - bias
            if powers[0] > 1 or len(inside) == 2:
                made.append(_Candidate(here, bias, h, powers[0], False))
            if wider is not None:
                made.append(_Candidate(better, (better - wider) / (1.0 - ratio ** powers[1]), h, powers[1], True))
            wider = better
        before = here
    return made


def _shortest(found: Curve, candidates: list[_Candidate]) -> Slope:
    """The candidate with the shortest interval, of those that can be stood behind and whose bias is small beside their error,
    where there are any. One that no path changes within tells nothing while others do."""
    centred = found.scores - found.scores.mean(axis=1, keepdims=True)
    covariance = centred @ centred.T / centred.shape[1] ** 2
    made = []
    for one in candidates:
        value, sampling = float(one.weights @ found.measure), _error(covariance, one.weights)
        error = math.hypot(sampling, found.resolution * np.abs(one.weights).max())
        alike = [other for other in candidates if other.power == one.power and other.window >= one.window]
        seen = max(abs(other.of_bias @ found.measure) * (one.window / other.window) ** one.power for other in alike)
        bias = math.hypot(seen, CAUTION * _error(covariance, one.of_bias))
        half = critical(bias / error) * error if error else bias
        paths = effective(one.weights @ centred)
        order = (sampling == 0.0, not stands(paths, half / Z, value), bias > MOST_BIAS * error, half)
        made.append((order, Slope(value, half, error, bias, paths, one.window, one.extrapolated, one.weights)))
    return min(made, key=lambda pair: pair[0])[1]


def _error(covariance: np.ndarray, weights: np.ndarray) -> float:
    return math.sqrt(max(weights @ covariance @ weights, 0.0))


def effective(scores: np.ndarray) -> float:
    """How many paths a mean's standard error rests on: the squared second moment over the fourth.

    >>> effective(np.array([1.0, -1.0, 1.0, -1.0])), effective(np.array([0.0, 0.0, 0.0, 5.0]))
    (4.0, 1.0)
    """
    squares = np.square(scores, dtype=np.float64)
    most = squares.max(initial=0.0)
    return float((squares / most).sum() ** 2 / ((squares / most) ** 2).sum()) if most > 0.0 else 0.0


def stands(paths: float, error: float, value: float) -> bool:
    """Whether an error can be stood behind: it rests on `LEAST_EFFECTIVE` paths, or is `NEGLIGIBLE` beside the value."""
    return paths >= LEAST_EFFECTIVE or error <= NEGLIGIBLE * abs(value)


def critical(ratio: float) -> float:
    """95% point of $|N(t, 1)|$, for a bias of `t` standard errors.

    >>> round(critical(0.0), 3), round(critical(1.0), 3)
    (1.96, 2.646)
    """
    if ratio > 6.0:
        return ratio + 1.6448536269514722
    return float(brentq(lambda c: ndtr(c - ratio) - ndtr(-c - ratio) - 0.95, 1.5, 9.0))


__all__ = ["CAUTION", "Curve", "Slope", "critical", "effective", "kink", "slope", "stands"]

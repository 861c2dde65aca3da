r"""The most likely paths that reach a loss: points of a surface in the space of the driving noise that are nearest to the origin.

The noise is a vector $y$ of independent standard normals (coefficients on profiles in time, sizes of jumps), the loss a function
$g$ of it; sought is

$$\min \tfrac12 |y|^2 - \log P(\text{number of jumps}) \quad\text{subject to}\quad g(y) \ge \text{level}.$$

In reliability theory that is the design point of the first-order reliability method, and it is found by the iteration of Hasofer
and Lind (1974) and of Rackwitz and Fiessler (1978) with the line search of Zhang and Der Kiureghian (1995, *Two improved
algorithms for reliability analysis*): each step solves the problem with the loss replaced by its tangent, and goes as far along
as a penalty function falls. Many starts go side by side in one batch.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float

from ..._leaf import Array
from .given import steps_of
from .stress_surface import JUMPS, KEPT, Candidate, Surface, jump_cost

TIMES = tuple((np.arange(12) + 0.5) / 12)
"""When a jump is tried, shares of the horizon; jumps that are moved together come `APART` from each other."""
APART = 1 / 48
SCALES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0, 45.0, 60.0)
"""How far along each start the level is looked for, standard deviations."""
TOLERANCE = 1e-3
"""Share of the distance by which a step has to make it shorter for another to follow."""
STRIDES = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Shares of a step that the line search tries, all at once."""


class Unreachable(ValueError):
    """No start reaches the level; `highest` is the highest loss found."""

    def __init__(self, highest: float):
        super().__init__(f"the highest found is {highest:.4g}")
        self.highest = highest


def starts(surface: Surface, restarts: int, seed: int = 0) -> list[Candidate]:
    """Directions to look in, of unit length: the price at once, early or late, volatility first, one jump or more, each up and
    down; and as many at random as `restarts` leaves."""
    driven, (profiles, normals) = surface.driven, surface.shape
    price = [d for d, (what, _) in enumerate(driven.labels) if what == "price"]
    variance = [d for d, (what, _) in enumerate(driven.labels) if what.startswith("variance")]
    none, found = np.full(JUMPS, -1.0), []

    def add(coefficients, sizes=(), times=(), sources=()):
        point = np.concatenate([coefficients.ravel(), np.pad(np.asarray(sizes, float), (0, JUMPS - len(sizes)))])
        when, which = none.copy(), np.zeros(JUMPS, int)
        when[: len(times)], which[: len(sources)] = times, sources
        norm = np.linalg.norm(point)
        found.append(Candidate(point / norm, when, which, jump_cost(driven, surface.steps, tuple(map(int, sources)))))

    def profile(slope: float, which, lift: float = 0.0):
        coefficients = np.zeros((profiles, normals))
        coefficients[0, which] = 1.0
        if profiles > 1:
            coefficients[1, which] = slope  # the first cosine falls: early for a positive slope, late for a negative
        if lift:
            coefficients[0, variance] = lift
        return coefficients

    for sign in (-1.0, 1.0):
        for slope in (0.0, 0.7, -0.7):
            add(sign * profile(slope, price))
        for d in price if len(price) > 1 else []:
            add(sign * profile(0.0, [d]))
        if variance:
            for lift in (0.5, 1.0, 2.0):
                add(sign * profile(0.0, price, sign * lift))
        for source in range(len(driven.jump_uniforms)):
            small = 0.2 * profile(0.0, price)
            for time in (0.5, 0.15, 0.85):
                add(sign * small, [sign], [time], [source])
            add(sign * small, [sign, sign], [0.3, 0.6], [source, source])
            add(sign * small, [sign] * 3, [0.25, 0.5, 0.75], [source] * 3)
    random = np.random.default_rng(seed)
    for _ in range(restarts - len(found)):
        slow = 1.0 / (1.0 + np.arange(profiles))[:, None]
        jumps = int(random.integers(0, 3)) if driven.jump_uniforms else 0
        which = random.integers(0, max(1, len(driven.jump_uniforms)), jumps)
        add(random.standard_normal((profiles, normals)) * slow, random.standard_normal(jumps), random.random(jumps), tuple(which))
    return found


def beyond(surface: Surface, level: float, tried: list[Candidate], keep: int = KEPT) -> list[Candidate]:
    """Along each start the first point that reaches the level, the likeliest first and no more than four of a kind.

    **Raises:** `Unreachable` where none does.
    """
    scales = np.asarray(SCALES)
    points = (scales[:, None, None] * np.stack([c.point for c in tried])).reshape(-1, len(tried[0].point))
    repeated = [np.tile(np.stack([getattr(c, name) for c in tried]), (len(scales), 1)) for name in ("times", "sources")]
    values = surface.values(points, *repeated).reshape(len(scales), len(tried))
    values = np.where(np.isfinite(values), values, -np.inf)
    if not (values >= level).any():
        raise Unreachable(float(values.max()))
    first = np.argmax(values >= level, axis=0)
    reached = [
        start._replace(point=scales[first[k]] * start.point, value=float(values[first[k], k]))
        for k, start in enumerate(tried)
        if values[first[k], k] >= level
    ]
    kept, kinds = [], {}
    for candidate in sorted(reached, key=lambda c: c.distance):
        kinds[candidate.kind] = kinds.get(candidate.kind, 0) + 1
        if kinds[candidate.kind] <= 4 and len(kept) < keep:
            kept.append(candidate)
    return kept


def descend(surface: Surface, level: float, candidates: list[Candidate], iterations: int) -> list[Candidate]:
    """Candidates moved to the nearest point of the level's surface, as far as the iteration takes them, ordered by distance."""
    points = np.stack([c.point for c in candidates])
    times, sources = np.stack([c.times for c in candidates]), np.stack([c.sources for c in candidates])
    count = surface.shape[0] * surface.shape[1]
    free = np.concatenate([np.ones((len(points), count), bool), times >= 0.0], axis=1)
    going = np.ones(len(points), bool)
    for _ in range(iterations):
        values, slopes = surface.gradients(points, times, sources)
        slopes = np.where(free, slopes, 0.0)
        square = np.sum(slopes**2, axis=1)
        safe = np.where(square > 0.0, square, 1.0)
        target = ((np.sum(slopes * points, axis=1) + level - values) / safe)[:, None] * slopes
        direction = np.where(square[:, None] > 0.0, target - points, 0.0)
        norm, length = np.linalg.norm(points, axis=1), np.linalg.norm(direction, axis=1)
        direction *= np.minimum(1.0, np.maximum(1.0, 0.5 * norm) / np.maximum(length, 1e-12))[:, None]
        # the penalty must outweigh the pull to the origin along the loss's gradient
        penalty = 2.0 * norm / np.sqrt(safe) + 1e-6 / max(abs(level), 1e-12)
        merit = lambda y, g, penalty=penalty: 0.5 * np.sum(y**2, axis=-1) + penalty * np.abs(level - g)
        strides = np.asarray(STRIDES)[:, None, None] * direction
        tried = points + strides
        again = partial(np.tile, reps=(len(STRIDES), 1))
        found = surface.values(tried.reshape(-1, points.shape[1]), again(times), again(sources)).reshape(len(STRIDES), -1)
        merits = np.where(np.isfinite(found), merit(tried, found), np.inf)
        best = np.argmin(merits, axis=0)
        each = np.arange(len(points))
        before = merit(points, values)
        better = going & (merits[best, each] < before)
        points = np.where(better[:, None], tried[best, each], points)
        near = before - merits[best, each] < TOLERANCE * np.maximum(1.0, 0.5 * norm**2)
        going = better & ~near
        if not going.any():
            break
    return _reaching(surface, level, candidates, points, times, sources)


def _reaching(surface: Surface, level: float, candidates, points, times, sources) -> list[Candidate]:
    """Points scaled by the least that takes them to the level; those that no scaling takes there are left out."""
    low, high = np.full(len(points), 0.8), np.full(len(points), 1.25)
    top = surface.values(high[:, None] * points, times, sources)
    for _ in range(14):
        middle = 0.5 * (low + high)
        reached = surface.values(middle[:, None] * points, times, sources) >= level
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    values = np.where(high < 1.25, surface.values(high[:, None] * points, times, sources), top)
    found = [
        candidate._replace(point=scale * point, value=float(value))
        for candidate, scale, point, value in zip(candidates, high, points, values, strict=True)
        if value >= level
    ]
    return sorted(found, key=lambda c: c.distance)


def needed(surface: Surface, level: float, candidates: list[Candidate]) -> list[Candidate]:
    """Those that need each of their jumps: without it they stay away from the level by more than a hundredth."""
    fewer = [
        (k, one.point, _replaced(one.times, place, -1.0), one.sources)
        for k, one in enumerate(candidates)
        for place in range(JUMPS)
        if one.times[place] >= 0.0
    ]
    if not fewer:
        return candidates
    owner, *stacked = (np.stack(list(x)) for x in zip(*fewer, strict=True))
    idle = set(owner[surface.values(*stacked) >= level - 0.01 * abs(level)].tolist())
    return [one for k, one in enumerate(candidates) if k not in idle] or candidates


def distinct(candidates: list[Candidate], cosine: float = 0.9) -> list[Candidate]:
    """The nearest of each cluster: another is one that jumps otherwise, or whose direction is another."""
    kept: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: c.distance):
        same = [k for k in kept if k.kind == one.kind and _cosine(_ordered(k), _ordered(one)) > cosine]
        if not same:
            kept.append(one)
    return kept


def retimed(surface: Surface, level: float, candidates: list[Candidate], iterations: int) -> list[Candidate]:
    """Candidates with their jumps moved to where the loss is highest, all together first and then one after another, and from
    there to the nearest point of the level's surface."""
    ranked = lambda times: np.argsort(np.argsort(np.where(times >= 0.0, times, np.inf)))
    # one jump after another by a little: so that they do not fall into one step
    together = lambda times, time: np.where(times >= 0.0, np.minimum(time + ranked(times) * APART, 0.999), times)
    moved = _moved(surface, candidates, lambda times: [together(times, time) for time in TIMES])
    for place in range(JUMPS):
        alone = lambda times, place=place: [_replaced(times, place, time) for time in TIMES] if times[place] >= 0.0 else []
        moved = _moved(surface, moved, alone)
    return descend(surface, level, moved, iterations)


def _moved(surface: Surface, candidates: list[Candidate], ways: Callable) -> list[Candidate]:
    """Each candidate with the times, of those that `ways` offers, at which its loss is highest."""
    tried = [(k, one._replace(times=times)) for k, one in enumerate(candidates) for times in ways(one.times) if one.kind]
    # two jumps cannot share a step
    tried = [(k, one) for k, one in tried if len({*map(int, steps_of(one.times, surface.steps))} - {-1}) == len(one.kind)]
    if not tried:
        return candidates
    stacked = (np.stack([getattr(one, name) for _, one in tried]) for name in ("point", "times", "sources"))
    best = list(candidates)
    for (k, one), value in zip(tried, surface.values(*stacked), strict=True):
        if value > best[k].value * (1.0 + 1e-6):
            best[k] = one._replace(value=float(value))
    return best


def _replaced(times: Float[Array, " jumps"], place: int, time: float) -> Float[Array, " jumps"]:
    moved = np.array(times)
    moved[place] = time
    return moved


def nearest_paths(
    surface: Surface,
    level: float,
    restarts: int = 32,
    iterations: int = 25,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Candidate]:
    """The distinct most likely paths that reach a level, ordered by distance.

    **Arguments:** `level`: in the unit of the surface's losses; `restarts`: least number of starts; `iterations`: of the search;
    `seed`: of the random starts among them; `progress`: called with how much of three stages is done.

    **Raises:** `Unreachable` where no start gets there.
    """
    told = progress or (lambda done, total: None)
    told(0, 3)
    candidates = beyond(surface, level, starts(surface, restarts, seed))
    told(1, 3)
    candidates = distinct(descend(surface, level, candidates, iterations), 0.98)
    told(2, 3)
    if not candidates:
        raise Unreachable(-np.inf)
    candidates = distinct(needed(surface, level, retimed(surface, level, candidates, max(1, iterations // 2))))
    told(3, 3)
    return candidates


def _ordered(one: Candidate) -> Float[Array, " n"]:
    """Its point with the jumps ordered by size: which of them comes first makes no other answer."""
    split = len(one.point) - JUMPS
    return np.concatenate([one.point[:split], np.sort(one.point[split:])])


def _cosine(a: Float[Array, " n"], b: Float[Array, " n"]) -> float:
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300))


__all__ = ["Unreachable", "beyond", "descend", "distinct", "nearest_paths", "needed", "retimed", "starts"]

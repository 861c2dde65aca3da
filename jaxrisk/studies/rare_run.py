"""How the probability of a rare event is found: by plain paths, importance sampling or splitting; and which is believed."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..cascade.blocks import in_precision, losses_of
from ..cascade.engine import prepare
from ..cascade.source import AbstractSource, Counters
from ..cascade.state import Prepared
from ..risk import tail
from ..risk.estimate import Estimate
from ..risk.rare.cross_entropy import Drawn, in_event, of_paths, refitted
from ..risk.rare.drivers import Drivers, NotSteerableError, drivers
from ..risk.rare.proposal import Proposal, tilted
from ..risk.rare.splitting import splitting
from ..risk.rare.stress_surface import Surface
from ..risk.sample import Column
from .reverse_stress import AtRestError, OutOfReachError, most_likely

PILOT = 2_048
"""Paths of a pilot run; the first is plain and says whether the event is rare at all."""
ROUNDS = 4
"""Most pilots that a proposal is fitted to."""
PLAIN_PATHS = 50_000
"""Where so many plain paths are enough, nothing else is worth its preparation."""
PROFILES = 4
"""Profiles in time of a proposal's shifts: few, since each is fitted to a pilot; more gained nothing on the shipped scenarios."""
RESTARTS = 16
"""Starts of the search, no more than those in named directions."""
SUMS = ("projection", "jumps", "sizes")
"""What a path of a proposal says of its noise beside its weight."""
LEAST_FAMILIES = 50.0
"""First paths, effectively, that those of splitting descend from; with 23 an estimate was four of its errors too low."""
LEAST_EFFECTIVE = 30.0
"""Effective paths in the event below which a weighted estimate is not believed."""
MOST_SHARE = 0.25
"""Share of one path in the estimate above which it is not believed either."""
_PILOT_FIRST, _BLOCK, _PIECES = 2**31, 2**20, 16


class Found(NamedTuple):
    """What a method found, and its work by stage, path simulations."""

    method: str
    reason: str
    estimate: Estimate
    losses: dict[str, np.ndarray]
    log_weights: np.ndarray | None
    work: dict[str, float]
    notes: dict[str, float]


class UnreliableError(Exception):
    """Importance sampling is not believed here; says why, with the work spent."""

    def __init__(self, why: str, work: dict[str, float]):
        super().__init__(why)
        self.work = work


class Run:
    """One question, and what answers to it share."""

    def __init__(self, scenario, observable, level, relative_error, max_paths, seed, precision, progress):
        self.scenario, self.observable, self.level, self.seed, self.precision = scenario, observable, level, seed, precision
        self.relative_error, self.max_paths = float(relative_error), max_paths
        self.score = Column.of(scenario, observable)
        self.prepared: Prepared = prepare(scenario, jnp.dtype(precision))
        self.work: dict[str, float] = {}
        self._progress, self._runs = progress, 0

    def told(self, share: float) -> None:
        if self._progress is not None:
            self._progress(round(1000 * share), 1000)

    def draw(self, count: int, first: int, source: AbstractSource, stage: str) -> dict[str, np.ndarray]:
        """Losses of so many paths; a small run in pieces of a pilot, so that what was compiled for one serves for all."""
        paths = (first + np.arange(count, dtype=np.int64)).astype(np.uint32)
        self.work[stage] = self.work.get(stage, 0.0) + count
        piece = PILOT if count <= _PIECES * PILOT else count
        parts = [losses_of(self.prepared, self.seed, paths[k : k + piece], source) for k in range(0, count, piece)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def pilot_paths(self) -> int:
        """First index of a pilot's own paths."""
        self._runs += 1
        return _PILOT_FIRST + (self._runs - 1) * _BLOCK

    def column(self, losses: dict[str, np.ndarray]) -> np.ndarray:
        return np.asarray(self.score(losses), np.float64)

    # ---- the methods

    def auto(self) -> Found:
        self.told(0.0)
        pilot = self.column(self.draw(PILOT, self.pilot_paths(), Counters(), "plain pilot"))
        seen = float(np.mean(pilot > self.level))
        wanted = self._plain_paths(seen)
        if wanted <= min(PLAIN_PATHS, self.max_paths):
            return self.plain(wanted, f"about {seen:.2g} of plain paths get there: {wanted:,} are enough")
        try:
            return self.importance(pilot)
        except (NotSteerableError, AtRestError) as error:
            return self.splitting(f"{error}".split(". ")[0].split("; a higher")[0])
        except OutOfReachError:
            if seen == 0.0:
                raise
            return self.splitting("no smooth path with a few jumps gets there, though plain paths do")
        except UnreliableError as error:
            return self.splitting(f"importance sampling was not believed: {error}")

    def _plain_paths(self, probability: float) -> int:
        if probability <= 0.0:
            return 2**62
        return math.ceil((1.0 - probability) / (probability * self.relative_error**2)) + PILOT

    def plain(self, count: int | None = None, reason: str = "asked for") -> Found:
        if count is None:
            pilot = self.column(self.draw(PILOT, self.pilot_paths(), Counters(), "plain pilot"))
            count = min(self._plain_paths(float(np.mean(pilot > self.level))), self.max_paths)
        losses = self.draw(count, 0, Counters(), "final")
        estimate = tail.exceedance_probability(self.column(losses), self.level)
        self.told(1.0)
        return Found("plain", reason, estimate, losses, None, self.work, {})

    def splitting(self, reason: str = "asked for") -> Found:
        replicates = 16
        likely = 1e-6  # only the logarithm matters
        particles = max(256, math.ceil(4.0 * math.log(1.0 / likely) / self.relative_error**2 / replicates))
        for _ in range(3):
            found = splitting(
                self.scenario, self.observable, self.level, particles=particles, replicates=replicates, seed=self.seed,
                precision=self.precision, progress=self._progress,
            )  # fmt: skip
            self.work["splitting"] = self.work.get("splitting", 0.0) + found.paths_run
            value, error = found.estimate.value, found.estimate.standard_error
            if value > 0.0 and error <= 1.1 * self.relative_error * value:
                break
            grow = min(8.0, 1.2 * (error / (self.relative_error * value)) ** 2) if value > 0.0 else 4.0
            if found.paths_run * grow > self.max_paths:
                break
            particles = math.ceil(particles * grow)
        if not found.estimate.value > 0.0:
            reason += "; no path reached the level, and the probability is not known from them"
        elif found.families < LEAST_FAMILIES:
            reason += f"; not to be believed: the event's paths descend from {found.families:.0f} first ones"
        notes = {"families": found.families}
        return Found("splitting", reason, found.estimate, found.losses, found.log_weights, self.work, notes)

    def importance(self, plain: np.ndarray | None = None) -> Found:
        """Importance sampling; `plain`: losses of plain paths, to compare with, where the caller may fall back.

        **Raises:** `UnreliableError` where it is not believed and there is something to fall back on.
        """
        driven = drivers(self.prepared)
        proposal, needed = self._fitted(driven, self._first(driven))
        losses, log_weight = self._final(in_precision(self._double, tilted, self.prepared, driven, proposal, True), needed)
        values = self.column(losses)
        estimate = tail.exceedance_probability(values, self.level, log_weight)
        effective, largest, _ = in_event(log_weight, values > self.level)
        doubt = self._doubt(effective, largest, values, log_weight, plain)
        if doubt and plain is not None:
            raise UnreliableError(doubt, self.work)
        ways = len(proposal.share) - 1
        reason = f"{ways} most likely path{'s' if ways != 1 else ''} and the scenario's own law; "
        reason += f"{effective:,.0f} effective paths in the event"
        reason += f"; not to be believed: {doubt}" if doubt else ""
        self.told(1.0)
        notes = {"effective_paths_in_event": effective, "largest_share": largest, "mean_weight": float(np.exp(log_weight).mean())}
        return Found("importance", reason, estimate, losses, log_weight, self.work, notes)

    @property
    def _double(self) -> bool:
        return self.precision == "float64"

    def _first(self, driven: Drivers) -> Proposal:
        """From the most likely paths."""
        surface = Surface(self.prepared, driven, self.score, PROFILES)
        candidates = most_likely(surface, self.level, RESTARTS, self.seed)
        self.work["reverse stress"] = surface.work
        self.told(0.3)
        return of_paths(candidates, driven, surface.shape, PROFILES, self.scenario.settings.steps)

    def _fitted(self, driven: Drivers, proposal: Proposal) -> tuple[Proposal, float]:
        """The proposal after pilots, as long as they make it better, and the paths that it needs."""
        steps, last = self.scenario.settings.steps, math.inf
        for place in range(ROUNDS):
            source = in_precision(self._double, tilted, self.prepared, driven, proposal, True)
            losses = self.draw(PILOT, self.pilot_paths(), source, "pilots")
            kept = {name: losses[name].astype(np.float64) for name in (*SUMS, "log_weight")}
            drawn = Drawn(**kept, loss=self.column(losses))
            effective, _, variance = in_event(drawn.log_weight, drawn.loss > self.level)
            # too few paths in the event to learn from: learn from the highest tenth first
            level = self.level if np.sum(drawn.loss > self.level) >= 50 else min(self.level, float(np.quantile(drawn.loss, 0.9)))
            proposal = refitted(proposal, driven, drawn, level, steps)
            self.told(0.3 + 0.3 * (place + 1) / ROUNDS)
            if place and effective >= 100.0 and variance > 0.7 * last:
                break
            last = min(last, variance)
        return proposal, min(last, variance) / self.relative_error**2

    def _final(self, source: AbstractSource, needed: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Fresh paths, as many as the error asks for, in at most three runs."""
        parts, count, done = [], self._whole(1.1 * needed), 0
        for _ in range(3):
            parts.append(self.draw(count, done, source, "final"))
            done += count
            losses = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name not in SUMS}
            log_weight = losses.pop("log_weight").astype(np.float64)
            _, _, variance = in_event(log_weight, self.column(losses) > self.level)
            missing = 1.1 * min(variance / self.relative_error**2, self.max_paths) - done
            self.told(0.9)
            if missing < 0.1 * done or done >= self.max_paths:
                break
            count = min(self._whole(missing), self.max_paths - done)
        return losses, log_weight

    def _whole(self, paths: float) -> int:
        """So many paths, rounded up to whole pilots: the last piece would take as long."""
        return int(min(PILOT * math.ceil(max(min(paths, self.max_paths), 1.0) / PILOT), self.max_paths))

    def _doubt(self, effective: float, largest: float, values, log_weight, plain) -> str:
        """Why the estimate should not be believed; empty where nothing speaks against it."""
        if effective < LEAST_EFFECTIVE:
            return f"{effective:.1f} effective paths in the event"
        if largest > MOST_SHARE:
            return f"one path is {largest:.0%} of the estimate"
        if plain is not None:
            between = float(np.quantile(plain, 0.98))
            direct = tail.exceedance_probability(plain, between)
            weighted = tail.exceedance_probability(values, between, log_weight)
            z = (weighted.value - direct.value) / math.hypot(direct.standard_error, weighted.standard_error)
            if abs(z) > 4.0:
                return (
                    f"P(> {between:.3g}) is {weighted.value:.3g} by weighted and {direct.value:.3g} by plain paths, {abs(z):.1f} "
                    "standard errors apart"
                )
        return ""


__all__ = ["PILOT", "Found", "Run", "UnreliableError"]

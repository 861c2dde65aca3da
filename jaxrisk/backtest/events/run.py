"""A back-test: every forecast of every event, scored. The engine's forecast is an argument, its competitors are made here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...report.shown import Shown
from ...report.study_table import StudySummary
from ..scores import Samples
from .competitors import bootstrap, fit_daily_regression, fit_garch, fit_regression, garch, regression
from .event import Event, overlaps
from .forecast import KINDS
from .scored import Score, score
from .table import OURS, score_table

WITHOUT_FEEDBACK, REFITTED = "feedback off", "feedback off, refitted"
GARCH, BOOTSTRAP, REGRESSION = "GARCH-t", "bootstrap", "regression"


@dataclass(repr=False)
class Backtest(Shown):
    """What was forecast and how it scores: `samples` by event, kind and forecast; `notes`: what could not be done, and why."""

    events: tuple[Event, ...]
    samples: dict[tuple[str, str, str], Samples]
    scores: tuple[Score, ...]
    notes: tuple[str, ...]

    def summary(self, title: str = "") -> StudySummary:
        """The score table. Raises `ValueError` where nothing was scored."""
        names = ", ".join(event.name for event in self.events)
        return score_table(self.scores, title or f"Back-test on {names}", self.notes)

    def __repr__(self) -> str:
        return f"Backtest({', '.join(event.name for event in self.events)}: {len(self.scores)} scores)"


def backtest(
    events: Sequence[Event],
    engine: Callable[[Event, str, bool, bool], Samples] | None,
    training: Sequence[Event] = (),
    paths: int = 10_000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Backtest:
    """Forecast each event with and without what its beginning showed, by the engine and its competitors, and score all.

    **Arguments:** `engine`: called with an event, one of `KINDS`, whether forced orders move prices, and whether the law is
    refitted for that; None leaves it out; `training`: events that the regression may learn from beside `events`, never one that
    overlaps what it is scored on; `paths`, `seed`: of the competitors; `progress`: called with what is done and the total.
    """
    samples: dict[tuple[str, str, str], Samples] = {}
    notes: dict[str, None] = {}
    done, total = 0, len(events) * len(KINDS)
    learnt_from = list({event.name: event for event in [*training, *events]}.values())
    for event in events:
        others: list[Event] = []
        for other in learnt_from:  # never from what overlaps the event, and once from what overlaps itself
            if not any(overlaps(other, one) for one in (event, *others)):
                others.append(other)
        law = _tried(notes, event, GARCH, lambda event=event: fit_garch(event))
        if law is not None and not law.converged:
            notes[f"{GARCH}, {event.name}: the fit did not converge; its forecasts are of where it stopped"] = None
        fitted = _tried(notes, event, REGRESSION, lambda others=others: fit_regression(others))
        missing: dict[str, None] = {}
        before = _tried(missing, event, f"{REGRESSION} on days", lambda event=event: fit_daily_regression(event))
        if fitted is None:  # else that of events takes its place
            notes |= missing
        for kind in KINDS:
            made: dict[str, Samples | None] = {}
            if engine is not None:
                made = {OURS: engine(event, kind, True, False), WITHOUT_FEEDBACK: engine(event, kind, False, False)}
                if kind == "conditional":
                    made[REFITTED] = engine(event, kind, False, True)
            made[BOOTSTRAP] = _tried(notes, event, BOOTSTRAP, lambda e=event, k=kind: bootstrap(e, k, paths, seed))
            if law is not None:
                made[GARCH] = garch(event, kind, paths, seed, law)
                # who does not know of the unwind has learnt from the days before
                learnt = fitted if kind == "conditional" or before is None else before
                if learnt is not None:
                    loss = regression(learnt, event, kind, paths, seed, law)
                    made[REGRESSION] = loss._replace(rebound=None)
            samples |= {(event.name, kind, name): found for name, found in made.items() if found is not None}
            done += 1
            if progress is not None:
                progress(done, total)
    by_name = {event.name: event for event in events}
    scores: list[Score] = []
    for (name, kind, forecast), found in samples.items():
        rows = score(by_name[name], found, forecast, kind)
        # the regression says something of its own about open interest alone
        scores += [row for row in rows if forecast != REGRESSION or row.quantity == "open_interest_loss"]
    return Backtest(tuple(events), samples, tuple(scores), tuple(notes))


def _tried(notes: dict[str, None], event: Event, name: str, make: Callable):
    """What a competitor makes of an event, None with a note where it cannot."""
    try:
        return make()
    except ImportError:
        notes[f"{name}: left out; it needs the package arch (pip install jaxrisk[calibrate])"] = None
    except ValueError as error:
        notes[f"{name}, {event.name}: left out; {error}"] = None
    return None


__all__ = ["BOOTSTRAP", "GARCH", "KINDS", "REFITTED", "REGRESSION", "WITHOUT_FEEDBACK", "Backtest", "backtest"]

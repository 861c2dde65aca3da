"""Parts that pages of every kind have: danger, history, method, limitations, and how to have the same numbers again."""

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import charts
from .content import Cell, Chart, Page, Part, Table, number

HOURS_PER_YEAR = 8760.0
SHARED = ("history", "method", "limitations")
"""Parts whose sentences are, but for a page's own, the same on every page."""


class Intervals(NamedTuple):
    """What an answer's intervals hold, and what they do not know of; empty where an answer has none, or says it itself."""

    hold: str
    leave: str


OF_CHANCE = Intervals(
    "Intervals hold the model's true value 95 times in a hundred. Those of means are corrected for the sample's skewness; where "
    "too few paths decide a number, none is given.",
    "Intervals know of chance alone, neither of wrong assumptions nor of what the model leaves out.",
)
OF_UNKNOWNS = Intervals(
    "Intervals hold 90% of the answers that follow when what is not known of the numbers that go in is drawn at random; the "
    "notes say what is drawn.",
    "Intervals know of what was drawn alone, neither of other assumptions nor of what the model leaves out.",
)
OF_NOTHING = Intervals("", "")

MOST_CURVE = 120
"""Points of a fragility map that are drawn."""
_KNOWN = (("jaxrisk and what it computes with", "versions"), ("Python", "python"), ("hardware", "device"), ("seed", "seed"),
          ("precision", "precision"), ("sampling", "sampling"), ("kernel", "kernel"),
          ("configuration", "configuration"))  # fmt: skip


def horizon_words(info: Any) -> str:
    """What one path is: "simulated days of trading".

    >>> horizon_words({"horizon_years": 1 / 365}), horizon_words({"horizon_years": 7 / 365}), horizon_words(None)
    ('simulated days', 'simulated stretches of 7 days', 'simulated markets')
    """
    hours = float((info or {}).get("horizon_years", 0.0) or 0.0) * HOURS_PER_YEAR
    if not hours > 0.0:
        return "simulated markets"
    if abs(hours - 24.0) < 0.01:
        return "simulated days"
    return f"simulated stretches of {hours / 24.0:.3g} days" if hours > 48.0 else f"simulated stretches of {hours:.3g} hours"


def danger(result: Any) -> list[Part]:
    """Where the danger lies: the fragility map."""
    peaks = [float(one) for one in result.info.get("criticality_peak", [])]
    where = [float(one) for one in result.info.get("criticality_peak_log_price", [])]
    runaway = [float(one) for one in result.info.get("criticality_runaway_log_price", [])]
    names = [str(one) for one in result.coords.get("assets", [])]
    known = [(name, *rest) for name, *rest in zip(names, peaks, where, runaway, strict=False) if rest[0] > 0.0]
    if "level" not in result.curves or not known:
        return []
    level = np.asarray(result.curves["level"], np.float64)
    value = np.atleast_2d(np.asarray(result.curves["value"], np.float64))
    keep = np.abs(np.expm1(level)) <= 0.4
    at = np.flatnonzero(keep)[:: max(1, int(keep.sum() / MOST_CURVE))]
    drawn = [{"series": name, "x": float(f"{100.0 * math.expm1(level[k]):.4g}"), "y": float(f"{value[place, k]:.4g}")}
             for place, name in enumerate(names[: len(value)]) for k in at]  # fmt: skip
    rows, said = [], []
    for name, peak, fall, ends in known:
        below = lambda log: f"{-100.0 * math.expm1(log):.3g}% below the start"
        breaks = below(ends) if math.isfinite(ends) else "nowhere within reach"
        rows.append([Cell(name), number(f"{peak:.3g}", f"fragility|{name}|peak", peak), Cell(below(fall)), Cell(breaks)])
        sets = f"sets off at most {peak:.2g} more where the price has fallen, {below(fall)}"
        said.append(f"{name}: a forced dollar {sets}; above 1 a fall would feed itself: {breaks}")
    columns = ("asset", "forced dollars per forced dollar", "where", "runaway from")
    table = Table("The most that a forced dollar sets off below the start", columns, "lrll", rows)
    spec = charts.lines(drawn, "price against the start, %", "forced dollars that one sets off", 1.0, "feeds itself above 1")
    text = ["If the price were at a level, how many further dollars would one dollar of forced orders set off there? This "
            "follows from the "
            "positions and the depth of the market alone, without chance; it has no error of the simulation, and all of that of "
            "the "
            "assumptions on positions and impact."]  # fmt: skip
    if result.info.get("temporary_impact"):
        text.append("Lasting impact alone: what temporary impact sets off while orders are executed comes on top.")
    chart = Chart("fragility", "Fragility map", "; ".join(said) + ".", spec, table)
    return [Part("danger", "Where does the danger lie?", text, [], [chart])]


def history() -> Part:
    """How the model fared."""
    return Part("history", "How did the model fare on history?", [
        "Scored on eight recorded unwinds, its forecasts of an ordinary day did not hold the fall of seven of them; given the "
        "first "
        "half hour of the unwind they did, seven times in eight. So it does not say that an unwind is coming. "
        "docs/reality.md names each failure; docs/days.md scores every day.",
        "A probability here is that of the model's law, from the start that the scenario states, and no promise of a frequency.",
    ])  # fmt: skip


def method(lines: list[str], intervals: Intervals = OF_CHANCE) -> Part:
    """How numbers came about."""
    return Part("method", "How was it found?", [
        *lines,
        "Outside prices follow a random law. Where a position's margin is breached its venue's engine closes it; those orders "
        "move the "
        "price through a thin book, and that breaches further margins. Losses beyond the margin go to the insurance fund, then "
        "to the "
        "winners by auto-deleveraging, and what is left is shared.",
        *filter(None, [intervals.hold]),
    ], folded=True)  # fmt: skip


def limitations(lines: list[str], intervals: Intervals = OF_CHANCE) -> Part:
    """What it does not say."""
    return Part("limitations", "What does it not say?", [], lines=[
        *lines,
        "It does not forecast: it says what follows from a law of prices and a set of positions.",
        "How strongly forced orders move the price is the least certain number; vary impact.coefficient before acting on a "
        "result.",
        "How holders respond to a limit (smaller position, more collateral, another venue) is assumed.",
        "A price law fitted to history contains history's cascades already: with feedback on top part is counted twice.",
        *filter(None, [intervals.leave]),
        "It is not advice.",
    ])  # fmt: skip


def made_of(result: Any) -> dict[str, str]:
    """How a run came about, in words, as far as the result says."""
    if result is None:
        return {}
    return {words: str(result.info[key]) for words, key in _KNOWN if result.info.get(key) not in (None, "")}


def reproduction(made: dict[str, str], text: str, notes: list[str]) -> Part:
    """Everything that is needed to have the same numbers again; `notes`: how, and what is missing for that."""
    lines = [f"{name}: {value}" for name, value in made.items()]
    note = [*notes, *([] if text else ["The configuration is not in the result."])]
    return Part("reproduction", "How can it be had again?", note, lines=lines, code=text, folded=True)


def hash_of(path: Path) -> str:
    """Name and SHA-256 of a file; of a store, of what says what it is.

    **Raises:** `OSError` as the system says.
    """
    from ..storage.manifest import FOLDER, MANIFEST

    path = Path(path)
    if path.is_dir():
        path = path / FOLDER / MANIFEST
        if not path.is_file():
            return "not finished"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return f"{path.name}, SHA-256 {digest.hexdigest()}"


__all__ = ["Page", "danger", "hash_of", "history", "horizon_words", "limitations", "made_of", "method", "reproduction"]

"""One scenario file, start to finish: read, override, check, and the text of what came out."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..data.containers import is_pattern
from ..data.names import Context
from ..paths import NotFound, exists, find, is_folder, likely, names
from ..problems import ConfigError, Problem, Report
from .caps import Selectors, caps_of
from .check_document import check_document
from .check_table import ENDINGS, problems_of_table
from .checked import Checked
from .document import kind_of, override, read_scenario
from .effective import effective
from .ranges import check_ranges
from .tables import Run
from .tiers import tiers_of


def read(path: str | Path, overrides: dict[str, Any] | None = None) -> tuple[Checked, list[Problem], dict[str, Any]]:
    """The checked scenario, its problems, and the effective configuration (empty if there are problems)."""
    file, document = read_scenario(path)
    overrides = dict(overrides or {})
    report = Report(str(file), overrides)
    changed = override(document, overrides, report)
    checked = check_document(changed, file, report)
    problems = list(dict.fromkeys(report.problems))
    if checked.run is not None and not problems:
        checked.file_step = _step_of(document) if {"run.step", "run.steps"} & set(overrides) else float(checked.run.step_seconds)
    return checked, problems, {} if problems else effective(checked)


def _step_of(document: dict[str, Any]) -> float:
    """Seconds of a step as the file has it; 0 where that is no sound one."""
    run = document.get("run")
    grid = {key: run[key] for key in ("horizon", "step", "steps") if key in run} if isinstance(run, dict) else {}
    try:
        return float(Run.model_validate(grid).step_seconds)
    except ValidationError:
        return 0.0


ELSEWHERE = {
    "event": "is an event, which `jaxrisk check` and `jaxrisk.backtest.events.event.read_event` read",
    "study": "is a study, which `jaxrisk check` and `jaxrisk study` read",
    "fit": "holds numbers fitted on events, which `jaxrisk check` and `jaxrisk.backtest.events.parameters.read_fitted` read",
}
"""What is said of files whose keys this room does not know."""


def file_of(path: str | Path) -> Path:
    """The file that a path stands for, or the name of what ships: a scenario, limits or a venue; raises `ConfigError`."""
    if is_pattern(Path(path).name) and not exists(Path(path)):
        return Path(path)
    try:
        return find("scenarios", str(path))
    except NotFound as error:
        for kind in ("limits", "venues"):
            if str(path) in names(kind):
                return find(kind, str(path))
        known = [name for kind in ("scenarios", "limits", "venues") for name in names(kind)]
        near = likely(str(path), known) if Path(str(path)[-1000:]).stem in known else error.nearest
        raise ConfigError([Problem(str(path), "", None, str(error), near)]) from None


def problems_of(path: str | Path, overrides: dict[str, Any] | None = None) -> list[Problem]:
    """All problems of a scenario, or of a limit or venue file, or a table, by itself."""
    file = file_of(path)
    if file.name.lower().endswith(ENDINGS) or is_folder(file):
        return problems_of_table(file)
    file, document = read_scenario(file)
    kind = kind_of(document, file.absolute().parent.name)
    if kind == "scenario":
        checked, problems, _ = read(file, overrides)
        return problems or problems_of_ranges(file, checked, overrides)
    report = Report(str(file))
    if kind in ELSEWHERE:
        report.add("", None, ELSEWHERE[kind], missing=True)
    elif kind == "venue":
        tiers_of(document, report)
    else:
        caps = document.get("caps")
        rows = [row for row in caps if isinstance(row, dict)] if isinstance(caps, list) else []
        named = {key: tuple(row[key] for row in rows if isinstance(row.get(key), str)) for key in ("asset", "venue", "class")}
        context = Context(named["asset"], named["venue"])
        caps_of(document, report, context, Selectors(context, named["class"]))
    return report.problems


def problems_of_ranges(file: Path, checked: Checked, overrides: dict[str, Any] | None = None) -> list[Problem]:
    """What is wrong with the ranges of a scenario that is sound itself: each end is tried, and a value between."""
    report = Report(str(file))
    with_end = lambda key, value: read(file, {**(overrides or {}), key: value})[1]
    check_ranges(read_scenario(file)[1], checked.ranges, with_end, report)
    return report.problems


def is_scenario(path: str | Path) -> bool:
    """Whether a file is a scenario, rather than limits, a venue, or what other rooms read."""
    file, document = read_scenario(path)
    return kind_of(document, file.absolute().parent.name) == "scenario"

"""A study file, start to finish: read, completed, and cut into cells, with all problems at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.tables import Run, read_table
from ..config.tables.values import number
from ..data.names import Context
from ..paths import NotFound, exists, find, is_folder
from ..problems import ConfigError, Problem, Report
from ..toml import read_toml
from .study_cells import Cell, Leaf, cells_of, count_of, leaves_of, reference_of
from .study_overlap import both_set, check_settings
from .study_tables import MOST_CELLS, Settings, StudyFile

LEAST_QUICK = 1_000
"""Paths of a quick look where the file does not say: a tenth, and no fewer than these."""
ASK_ABOVE = 1_000
"""Cells above which it has to be said that so many are meant."""
FILES = {"file": False, "tiers": True, "preset": True, "collateral": False, "prices": False}
"""Keys of a scenario that name a file, and whether that may be without its `.toml`; so may `limits.file`."""


@dataclass
class StudyPlan:
    """A study as it is to be run.

    **Fields:** `file`: as the user named it; `folder`: where it stands, in which files that it names are looked for; `keys`: as
    written; `run`: `paths`, `seed`, `steps`, `precision` as far as they are said; `cells`; `leaves`: the ends of the tree of
    branches, one where there are none; `references`: the name of each scenario's reference cell; `count`: runs that are asked
    for, which are more than are listed where there are too many to be listed; `quick`: by scenario the paths of a quick look,
    where the study does not say.
    """

    file: str
    folder: Path
    keys: StudyFile
    run: Settings
    cells: list[Cell] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    count: int = 0
    quick: Settings = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The study's."""
        return self.keys.name or "study"

    def placed(self, settings: Settings) -> Settings:
        """Settings in which names of files that are beside the study are their whole paths."""
        return {key: self._placed(key, value) for key, value in settings.items()}

    def run_of(self, scenario: str) -> Settings:
        """What is said of the runs of one scenario."""
        few = self.quick.get(scenario)
        return self.run if few is None else {**self.run, "paths": few}

    def scenario(self, name: str) -> str:
        """A scenario's file; raises `NotFound`."""
        return str(find("scenarios", name, self.folder))

    def _placed(self, key: str, value: Any) -> Any:
        """What is set at a dotted key, to any depth."""
        if isinstance(value, Mapping):
            return {name: self._placed(f"{key}.{name}", one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._placed(key, one) for one in value]
        # a file may be given by asset, a key further down
        named = next((word for word in key.split(".")[:-3:-1] if word in FILES), None)
        return self._file(value, FILES[named] or key == "limits.file") if named and isinstance(value, str) else value

    def _file(self, value: str, toml: bool) -> str:
        if not value or len(value) > 250 or "\n" in value:
            return value
        for one in (self.folder / value, *([self.folder / f"{value}.toml"] if toml else [])):
            if exists(one) and not is_folder(one):
                return str(one.absolute())
        return value


def read_study(
    study: str | Path | Mapping[str, Any], run: Mapping[str, Any] | None = None, *, quick: bool = False, many: bool = False
) -> tuple[StudyPlan, list[Problem]]:
    """The study that a file, the name of a shipped one, or a document says, and what is wrong with it.

    **Arguments:** `run`: `paths`, `seed`, `steps`, `precision` in place of the file's; `quick`: the file's `[quick]`, or a tenth
    of the paths; `many`: whether more than `ASK_ABOVE` runs are allowed.

    **Raises:** `ConfigError` where there is no such file, or it is not TOML.
    """
    file, folder, document = _document(study)
    report = Report(file)
    keys = _keys(document, report)
    check_settings(keys, report)
    said = keys.run.said | (keys.quick.said if quick else {})
    few = quick and "paths" not in keys.quick.said and (run or {}).get("paths") is None
    if few and "paths" in said:
        said["paths"] = _tenth(said["paths"])
    said |= {name: value for name, value in (run or {}).items() if value is not None}
    plan = StudyPlan(file, folder, keys, said, count=count_of(keys))
    if few and "paths" not in said:
        plan.quick = {name: _tenth(_paths_of(plan, name)) for name in keys.scenarios}
    if plan.count > MOST_CELLS:
        report.add("grid", None, f"{plan.count:,} runs are asked for, and {MOST_CELLS:,} are the most", missing=True)
    elif plan.count > ASK_ABOVE and not many:
        text = f"{plan.count:,} runs are asked for, and more than {ASK_ABOVE:,} are only made where that is said: --yes"
        report.add("grid" if keys.grid else "sample", None, text, missing=True)
    if plan.count <= (MOST_CELLS if many else ASK_ABOVE):
        plan.cells = cells_of(keys, report)
        plan.leaves = leaves_of(keys)
        plan.references = reference_of(keys, plan.cells, report)
        _both(plan, report)
    for name in keys.scenarios:
        try:
            plan.scenario(name)
        except NotFound as error:
            report.add("scenario", name, str(error), error.nearest)
    return plan, list(dict.fromkeys(report.problems))


def _keys(document: Mapping[str, Any], report: Report) -> StudyFile:
    """What a document says; what is wrong in it counts as not said."""
    _, keys = read_table(StudyFile, dict(document), "", report, Context())
    fields = StudyFile.model_fields.items()
    return keys.model_copy(update={name: field.default for name, field in fields if getattr(keys, name) is None})


def _document(study: str | Path | Mapping[str, Any]) -> tuple[str, Path, Mapping[str, Any]]:
    if isinstance(study, Mapping):
        return "study", Path(), study
    try:
        path = find("studies", str(study))
    except NotFound as error:
        raise ConfigError([Problem(str(study), "", None, str(error), error.nearest)]) from None
    document, problem = read_toml(path)
    if problem is not None or document is None:
        raise ConfigError([problem] if problem else [])
    return str(study) if Path(str(study)) == path else str(path), path.absolute().parent, document


def _paths_of(plan: StudyPlan, name: str) -> Any:
    """How many a scenario's own file says, or that are run where it does not."""
    try:
        document, _ = read_toml(Path(plan.scenario(name)))
    except NotFound:
        return None
    run = (document or {}).get("run", {})
    return run.get("paths", Run.model_fields["paths"].default) if isinstance(run, Mapping) else None


def _tenth(paths: Any) -> Any:
    """Of a number of paths, and no fewer than are worth a look; of what is no such number itself, for the check to say so."""
    return max(min(int(paths), LEAST_QUICK), int(paths) // 10) if number(paths) and paths == int(paths) else paths


def _both(plan: StudyPlan, report: Report) -> None:
    """Settings of a cell that a branch would set too."""
    for key in both_set((cell.settings for cell in plan.cells), (leaf.settings for leaf in plan.leaves)):
        report.add("branches", key, "is set by cells and by branches; it has to be one or the other")


__all__ = ["ASK_ABOVE", "StudyPlan", "read_study"]

"""What a study's page says of itself: method, assumptions, what is not there, and how to have it again."""

from pathlib import Path
from typing import Any

from ..problems import counted
from ..report.notes import coarser_by_scenario
from ..report.sweep_table import absent
from . import assumptions, fixed
from .content import Part
from .study_choice import Cells


def method(study: Any) -> list[str]:
    """What was run."""
    runs = [f"{name}: {one['paths']:,} paths of {one['steps']:,} steps, seed {one['seed']}"
            for name, one in study.info["by_scenario"].items()]  # fmt: skip
    return [f"{counted(len(study.cells), 'setting', 'settings')} in {counted(study.info['branches'], 'branch', 'branches')}, "
            f"all on the same random numbers. {'; '.join(runs)}."]  # fmt: skip


def assumed(study: Any, cells: Cells) -> Part:
    """What the scenario and the study say of their numbers."""
    scenario = next(iter(study.reference))
    head, set_by = cells.study_head()
    return assumptions.part(assumptions.said_of(scenario, cells.text()), head, set_by)


def limits(study: Any, cells: Cells) -> list[str]:
    """What is not there."""
    return [*cells.missing(), *coarser_by_scenario(study.info), *absent(study)]


def made(study: Any, cells: Cells, folder: Path) -> dict[str, str]:
    """How it came about."""
    info = study.info
    asked = str(info.get("study", study.name))
    name = Path(asked).name.removesuffix(".toml") if cells.shipped_study() else asked
    each = list(info["by_scenario"].values())
    alike = [key for key in ("paths", "steps", "seed") if len({one.get(key) for one in each}) == 1]
    options = " ".join(f"--{key} {each[0][key]}" for key in alike if key in each[0])
    return {"command": f"jaxrisk study {name} {options}".strip(), **fixed.made_of(cells.reference()),
            "record": fixed.hash_of(folder / "study.json")}  # fmt: skip


def again(study: Any, cells: Cells) -> list[str]:
    """What it takes to have the study again."""
    each = list(study.info["by_scenario"].values())
    apart = [key for key in ("paths", "steps", "seed") if len({one.get(key) for one in each}) > 1]
    lines = ["The command gives the same numbers as long as the study's file, and what it names, are what they were: the study's "
             "folder does not hold them. The same versions on the same kind of hardware then give the same bits."]  # fmt: skip
    if apart:
        lines.append(f"Scenarios differ in {' and '.join(apart)}, as stated above: there the file's hold, or its quick ones with "
                     "--quick.")  # fmt: skip
    if cells.text():
        lines.append("Below is the configuration of the reference, defaults included; each setting's is in its run's result.")
    return lines


__all__ = ["again", "assumed", "limits", "made", "method"]

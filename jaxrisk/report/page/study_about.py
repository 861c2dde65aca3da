"""What a study's page says of itself: method, assumptions, what is not there, and how to have it again."""

from pathlib import Path
from typing import Any

from ..sweep_table import absent
from . import assumptions, fixed
from .content import Part
from .study_choice import Cells
from .words import counted


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
    return [*cells.missing(), *absent(study)]


def made(study: Any, cells: Cells, folder: Path) -> dict[str, str]:
    """How it came about."""
    info = study.info
    asked = str(info.get("study", study.name))
    command = f"jaxrisk study {Path(asked).name.removesuffix('.toml') if cells.shipped_study() else asked}"
    return {"command": f"{command} --paths {info['paths']} --steps {info['steps']} --seed {info['seed']}",
            **fixed.made_of(cells.reference()), "record": fixed.hash_of(folder / "study.json")}  # fmt: skip


__all__ = ["assumed", "limits", "made", "method"]

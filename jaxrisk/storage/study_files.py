"""What studies found, on disk: the table as CSV, everything as JSON, weighted paths as netCDF, designed limits as TOML."""

import json
import math
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .outputs import write_whole
from .recognise import MARK, WRITTEN_BY

_LEFT_OUT = ("proposal", "log_weights", "scenario", "prepared", "noise", "candidate", "drive", "drive_labels",
             "over_branches")  # fmt: skip
"""Fields too large or of no use outside Python; weighted paths go to a netCDF file."""
_TABLES_ALONE = ("Backtest", "DayTest", "ReplayCheck", "Calibration")
"""Answers whose fields hold what they were made from, and more than a record should."""
_SELECTORS = ("class", "venue", "asset")
_ENDS = {"inf": math.inf, "-inf": -math.inf}
_MOST_BYTES = 2**28


def write(result: Any, path: Path, scenario_text: str = "") -> None:
    """Write a study's result as the ending says: `.csv`, `.json`, `.nc` (rare events) or `.toml` (designed limits).

    The file appears under its name when it is whole. `scenario_text`: the effective configuration, whose limits were designed.

    **Raises:** `OSError`, in words where something stands there that jaxrisk did not write.
    """
    path = Path(path)
    if path.suffix.lower() == ".nc":
        result.result().save(path)
    else:
        write_whole(path, _text(result, path.suffix.lower(), scenario_text))


def save(result: Any, path: Path) -> Path:
    """Write an answer; see `Shown.save`. One whose fields are draws or bars is saved as its table."""
    if path.suffix.lower() not in (".json", ".csv"):
        raise ValueError(f"{path}: an answer is saved as .json or .csv")
    write_whole(path, _text(result.summary() if result.kind in _TABLES_ALONE else result, path.suffix.lower(), "", result.kind))
    return path


def _text(result: Any, ending: str, scenario_text: str, kind: str = "") -> str:
    if ending == ".csv":
        return result.to_dataframe().to_csv(index=False)
    if ending == ".toml":
        return f"# {WRITTEN_BY} design\n{limits_toml(result, scenario_text)}"
    said = {"written_by": MARK, "kind": kind or type(result).__name__, **everything(result)}
    if hasattr(result, "summary") and not hasattr(result, "rankings"):  # a study's tables are made of what is in its record
        said["summary"] = everything(result.summary())
    if scenario_text:
        said |= {"scenario_toml": scenario_text, "versions": _versions()}
    return json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _versions() -> str:
    names = ("jaxrisk", "jax", "jaxlib", "numpy")
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def everything(result: Any) -> dict[str, Any]:
    """All fields of a result as what JSON can hold: numbers that are not finite become null, or "inf" and "-inf"."""
    fields = result._asdict() if hasattr(result, "_asdict") else vars(result)
    weighted = ("losses",) if "log_weights" in fields else ()  # of every path
    of_paths = lambda name, value: name == "scores" and isinstance(value, np.ndarray)  # of each path in a share
    left = lambda name, value: (name in (*_LEFT_OUT, *weighted) and not isinstance(value, str)) or of_paths(name, value)
    kept = {name: value for name, value in fields.items() if not left(name, value) and not name.startswith("_")}
    return {name: plain(value) for name, value in kept.items() if not callable(value)}


def plain(value: Any) -> Any:
    """A value as JSON can hold it.

    >>> plain({"a": np.array([1.0, np.nan]), "b": (np.float32(0.5), math.inf)})
    {'a': [1.0, None], 'b': [0.5, 'inf']}
    """
    if hasattr(value, "_asdict"):
        return everything(value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(np.asarray(value).tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "__dict__"):
        return everything(value)
    return str(value)


def limits_toml(design: Any, scenario_text: str) -> str:
    """Designed limits as a file that `limits.file` takes: the scenario's limits, those designed with their new value.

    A cap's place among the limits is known by the selectors in its name, `limits.cap[retail,*,BTC]`, and by the number after
    `#` where several have the same. In a scenario without limits, those designed are all there are.
    """
    from ..toml import to_toml

    source = tomllib.loads(scenario_text)
    rows = [dict(row) for row in source.get("limits", {}).get("caps", [])]
    new = {parameter.name: float(value) for parameter, value in zip(design.parameters, design.after, strict=True)}
    if not rows:
        shares = np.asarray(design.scenario.limits.share_downsize, np.float64)
        rows = [
            dict(zip(_SELECTORS, name.partition("[")[2].rstrip("]").split(","), strict=True)) | {"share_downsize": float(share)}
            for name, share in zip(new, shares, strict=True)
        ]
    seen: dict[str, int] = {}
    for row in rows:
        label = ",".join(str(row.get(key, "*")) for key in _SELECTORS)
        seen[label] = seen.get(label, 0) + 1
        name = f"limits.cap[{label}{f'#{seen[label]}' if seen[label] > 1 else ''}]"
        row["cap"] = new.pop(name, row.get("cap"))
    if new:
        raise ValueError("not a limit of the scenario's: " + ", ".join(new))
    title = f"Limits designed for {design.measure} at most {design.budget:g}, from {source.get('name', 'a scenario')}"
    feasible = "" if design.feasible else "; the budget is not met by them"
    return to_toml({"name": "designed", "title": title, "source": f"jaxrisk design{feasible}", "caps": rows})


def read_record(path: Path) -> dict[str, Any]:
    """What a JSON file that we wrote says.

    **Raises:** `ValueError`, which names the file, where it is damaged or not ours; `OSError` as the system says.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is too large for a record of a study")
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({str(error) or 'nested too deep'})") from None
    if not isinstance(said, dict) or said.get("written_by") != MARK:
        raise ValueError(f"{path} is a JSON file that jaxrisk did not write")
    return said


def real(value: Any) -> float:
    """A number as it was before it was JSON.

    >>> real("inf"), real(2)
    (inf, 2.0)
    """
    return math.nan if value is None else _ENDS[value] if value in _ENDS else float(value)


__all__ = ["everything", "limits_toml", "plain", "read_record", "real", "write"]

"""How a run can be had again."""

import tomllib
from typing import Any


def again(result: Any) -> tuple[str, list[str]]:
    """The command that gives the run again, given the configuration below it as a file, and what it takes; no command where none
    does."""
    info = result.info
    try:
        text = tomllib.loads(str(info.get("scenario_toml", "")))
    except tomllib.TOMLDecodeError:
        text = {}
    if not text:
        return "", []
    run = text.get("run") if isinstance(text.get("run"), dict) else {}
    seed, options, lost = str(info.get("seed", run.get("seed"))), [], []
    for key, value in (("paths", str(result.planned)), ("seed", seed), ("precision", str(info.get("precision", "")))):
        if value and str(run.get(key)) != value:
            options.append(f"--{key} {value}")
    if info.get("sampling", "plain") != "plain":
        options.append(f"--sampling {info['sampling']}")
    if "kernel" in info:
        options.append(f"--kernel {info['kernel']}")
    if int(info.get("first_path", 0)):
        lost.append(f"its paths begin at number {int(info['first_path']):,}")
    if result.log_weights is not None:
        lost.append("its paths are drawn to what is rare, and weighted")
    given = (text.get("channels") or {}).get("feedback")
    if given is not None and "feedback" in info and float(given) != float(info["feedback"]):
        lost.append(f"feedback was {float(info['feedback']):g}")
    if lost:
        return "", [f"No command gives this run again: {', and '.join(lost)}. From Python simulate does, with the configuration "
                    "below."]  # fmt: skip
    if "steps" in info:
        options.append(f"--steps {info['steps']}")
    return " ".join(["jaxrisk run run.toml", *options]), [
        "Save the configuration below as run.toml and run the command: the same versions on the same kind of hardware give the "
        "same bits. It is the whole configuration as it was loaded, defaults included; tables of data that it names have to be "
        "beside it, and what a program of its own changed afterwards is not in it."
    ]


__all__ = ["again"]

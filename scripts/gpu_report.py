"""What scripts/gpu_check found, as a page of text."""

from typing import Any


def markdown(parts: dict[str, Any], on_cpu: bool) -> str:
    """A table for each part, and the errors of those that failed."""
    lines = ["# GPU check", ""]
    if on_cpu:
        lines += ["A trial on a CPU with tiny sizes: no figure here says anything about a GPU.", ""]
    lines += ["| part | state | seconds |", "|---|---|---|"]
    lines += [f"| {name} | {part['state']} | {part['seconds']} |" for name, part in parts.items()]
    for name, part in parts.items():
        lines += ["", f"## {name}", ""]
        rows = part.get("rows", [])
        columns = list(dict.fromkeys(key for row in rows for key in row))
        if rows:
            lines += [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
            lines += ["| " + " | ".join(_words(row.get(key, "")) for key in columns) + " |" for row in rows]
        if part.get("errors"):
            lines += ["", "```", part["errors"].replace("```", "'''").strip(), "```"]
    return "\n".join(lines) + "\n"


def _words(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "/").replace("\n", " ")

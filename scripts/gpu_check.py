"""Checks and measures the engine on the GPUs of this machine: one command, no network, under ten minutes
where JAX is installed (installing wheels comes before the clock starts).

    scripts/gpu_check --out gpu              # writes gpu/gpu_check.json and gpu/gpu_check.md, rewritten after every part
    scripts/gpu_check --prepare              # on a machine with the whole of jaxrisk: scenarios as files beside this one
    scripts/gpu_check --on-cpu --out trial   # every part on a CPU with tiny sizes, the kernel interpreted

Needs jax with its CUDA plugin, equinox, jaxtyping, optax, numpy and scipy; wheels in a folder `wheels` beside it are installed
where jax is not. Scenario files need more (pydantic), so that shipped scenarios come from the folder `gpu_scenarios` beside this
file, which --prepare writes; without it the reference workload, which is built here, is all. Each part runs in a process of its
own with its share of what is left of the time; one that fails, crashes or is stopped is reported, and the next one begins.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu_report import markdown

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "gpu_scenarios"
SHIPPED = ("btc_24h", "btc_shock_10pct", "btc_any_day")
PARTS = {
    "device": 1,
    "scan_and_cpu": 3,
    "fused_and_scan": 4,
    "chunks": 2,
    "gradients": 3,
    "shapes": 5,
    "benchmark": 9,
    "simulate": 2,
}
"""Name and weight: its share of the time that is left is its weight's of those still to come."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of the reports (default: gpu)")
    parser.add_argument("--seconds", type=float, default=540.0, help="for everything together (default: 540)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--on-cpu", "--dry-run", action="store_true", help="tiny sizes on a CPU, the kernel interpreted")
    parser.add_argument("--prepare", action="store_true", help=f"write {SCENARIOS.name}/ and stop")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if importlib.util.find_spec("jax") is None:
        print(f"no JAX in {sys.executable}: name a Python that has it in JAXRISK_PYTHON, or put wheels into {HERE / 'wheels'}")
        return 2
    if arguments.prepare:
        return prepare()
    if arguments.part:
        return run_part(arguments)
    if not arguments.on_cpu and (platform := _platform()) != "gpu":
        print(f"no GPU here: JAX says {platform}; --on-cpu tries every part on tiny sizes")
        return 2
    return run(arguments)


def prepare() -> int:
    """Shipped scenarios as files that need no configuration room."""
    import jaxrisk as jr
    from jaxrisk.batch.carried import to_bytes

    SCENARIOS.mkdir(exist_ok=True)
    for name in SHIPPED:
        (SCENARIOS / f"{name}.zip").write_bytes(to_bytes(jr.load(name)))
    print(f"{len(SHIPPED)} scenarios in {SCENARIOS}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """All parts, one after the other; 1 where one of them failed or found a difference."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + arguments.seconds
    parts: dict[str, Any] = {}
    for place, name in enumerate(arguments.only):
        left = end - time.monotonic()
        share = left * PARTS[name] / sum(PARTS[later] for later in arguments.only[place:])
        parts[name] = _apart(name, share, arguments)
        _write(arguments.out / "gpu_check.json", json.dumps({"on_cpu": arguments.on_cpu, "parts": parts}, indent=1))
        _write(arguments.out / "gpu_check.md", markdown(parts, arguments.on_cpu))
        print(f"{name}: {parts[name]['state']} ({parts[name]['seconds']:.0f} s)", flush=True)
    print(f"{arguments.out / 'gpu_check.md'}, {arguments.out / 'gpu_check.json'}")
    return 0 if all(part["state"] == "done" for part in parts.values()) else 1


def _apart(name: str, share: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """One part in a process of its own: `state`, `seconds`, the `rows` that it had found until then, the end of its errors."""
    place = (arguments.out / f"part_{name}.json").resolve()
    place.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--part", name, "--out", str(place), "--seconds", f"{0.85 * share - 3.0:.1f}"]
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2")
    if arguments.on_cpu:
        command.append("--on-cpu")
        environment["JAX_PLATFORMS"] = "cpu"
    else:
        environment.pop("JAX_PLATFORMS", None)  # the CPU is needed too, to compare with
        environment["JAX_COMPILATION_CACHE_DIR"] = str((arguments.out / "programs").resolve())
    begun, state, told = time.monotonic(), "done", ""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=max(share, 5.0), check=False)
        told = done.stderr
        if done.returncode:
            state = "failed" if done.returncode > 0 else f"ended by signal {-done.returncode}"
    except subprocess.TimeoutExpired as stop:
        state, told = "stopped: its time was over", _text(stop.stderr)
    found = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    place.unlink(missing_ok=True)
    if state == "done" and any(row.get("agrees") is False for row in found.get("rows", [])):
        state = "done, and differs"
    return {
        "state": state,
        "seconds": round(time.monotonic() - begun, 1),
        **found,
        "errors": told[-3000:] if state != "done" else "",
    }


def run_part(arguments: argparse.Namespace) -> int:
    """In the part's own process: every row is written as it is found."""
    import gpu_parts

    rows: list[dict[str, Any]] = []

    def add(**row: Any) -> None:
        rows.append(row)
        _write(arguments.out, json.dumps({"rows": rows}))

    context = gpu_parts.Context(add, time.monotonic() + arguments.seconds, arguments.on_cpu, SCENARIOS)
    getattr(gpu_parts, arguments.part)(context)
    return 0 if rows else 1


def _platform() -> str:
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return "nothing within two minutes"
    return (done.stdout.strip().splitlines() or [f"nothing: {(done.stderr.strip().splitlines() or [''])[-1][-200:]}"])[-1]


def _text(stream: Any) -> str:
    return stream.decode(errors="replace") if isinstance(stream, bytes) else stream or ""


def _write(place: Path, text: str) -> None:
    """At once, or not at all: a part may be stopped at any time."""
    other = place.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    other.replace(place)


if __name__ == "__main__":
    raise SystemExit(main())

"""Who imports whom: rooms in the order of the data (contracts in `pyproject.toml`), names that are there, a bare engine."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path

import grimp
import pytest

import jaxrisk

ROOT = Path(jaxrisk.__file__).parent
CONTRACTS = ROOT.parent / "pyproject.toml"
ENGINE = ("market", "positions", "cascade", "risk")
BARE = {"jax", "numpy", "optax", "equinox", "jaxtyping", "scipy", "jaxrisk"}
"""What there is on a machine that has a GPU and little else."""


@pytest.mark.skipif(not CONTRACTS.is_file(), reason="contracts stand beside the package in a checkout, not in a wheel")
def test_rooms_and_files_import_one_way():
    call = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", str(CONTRACTS), "--no-cache"]
    done = subprocess.run([sys.executable, "-c", call, *options], cwd=CONTRACTS.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_engine_needs_no_more_than_a_bare_machine_has():
    graph = grimp.build_graph("jaxrisk", include_external_packages=True, cache_dir=None)
    mine = {name for room in ENGINE for name in {f"jaxrisk.{room}", *graph.find_descendants(f"jaxrisk.{room}")}}
    asked = {(name, other.partition(".")[0]) for name in mine for other in graph.find_upstream_modules(name)}
    assert len(mine) > 80
    assert [pair for pair in asked if pair[1] not in BARE | sys.stdlib_module_names] == []


def _names():
    """Every name that a file of the package imports from another of its files, at its head or when it is needed."""
    for path in sorted(ROOT.rglob("*.py")):
        if "configs" in path.relative_to(ROOT).parts:
            continue
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        package = ".".join(parts[:-1])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                module = resolve_name("." * node.level + (node.module or ""), package)
                yield from ((f"{path.relative_to(ROOT)}:{node.lineno}", module, one.name) for one in node.names)


def test_every_name_that_is_imported_is_there():
    """Those that are imported when they are needed fail in a user's hands otherwise, and not before."""
    names = list(_names())
    assert len(names) > 2000
    there = lambda module, name: hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    assert [one for one in names if not there(*one[1:])] == []
